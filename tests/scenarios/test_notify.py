# SPDX-License-Identifier: Apache-2.0
# What a service manager is told, by the protocol of sd_notify(3), with a socket of ours in its place.
import os
import re
import signal
import socket
import struct
import time

import pytest

from lib.peer import echo
from lib.wait import DEADLINE

SO_TIMESTAMP = 29  # socket(7); Python has no name for it


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.settimeout(DEADLINE)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        self.sock.bind(address)
        self.sent = None  # when the last message was

    def next(self):
        text, ancillary, _, _ = self.sock.recvmsg(4096, 256)
        seconds, fraction = struct.unpack("ll", ancillary[0][2])
        self.sent = seconds + fraction / 1e6
        return dict(line.split("=", 1) for line in text.decode().splitlines())

    def next_but_beats(self):
        while "WATCHDOG" in (message := self.next()):
            pass
        return message

    def quiet(self, seconds):
        self.sock.settimeout(seconds)
        try:
            return self.next() is None
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(DEADLINE)

    def close(self):
        self.sock.close()


@pytest.fixture
def manager(scene):
    return scene.keep(Manager(scene.socket_path("notify")))


def address(scene):
    return {"NOTIFY_SOCKET": scene.socket_path("notify")}


@pytest.mark.sanitize
def test_the_manager_hears_of_start_reload_and_stop(scene, manager):
    daemon = scene.server_mode(scene.server(echo), env=address(scene))
    assert manager.next() == {"READY": "1", "MAINPID": str(daemon.pid), "STATUS": "Serving"}

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.reload()
    reloading = manager.next()
    assert reloading["RELOADING"] == "1"
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert manager.next() == {"READY": "1", "STATUS": "Serving"}

    daemon.stop()
    assert manager.next()["STOPPING"] == "1"


def test_a_reload_that_fails_is_over_too(scene, manager):
    """Else systemd would wait for its end."""
    daemon = scene.server_mode(scene.server(echo), env=address(scene))
    manager.next()
    daemon.write("nonsense\n")
    daemon.reload(good=False)
    assert "RELOADING" in manager.next()
    ready = manager.next()
    assert ready["READY"] == "1" and "the old one stays" in ready["STATUS"]


def test_a_daemon_names_itself_as_the_main_process(scene, manager):
    daemon = scene.server_mode(scene.server(echo), env=address(scene), daemonise=True)
    assert manager.next()["MAINPID"] == str(daemon.pid)


def test_a_start_that_fails_is_never_ready(scene, manager):
    done = scene.run(scene.file("bad.conf", "nonsense\n"), env=address(scene))
    assert done.returncode != 0
    assert manager.quiet(0.1)


def test_an_abstract_socket(scene):
    name = f"ginnel-test-{os.getpid()}"
    manager = scene.keep(Manager("\0" + name))
    scene.server_mode(scene.server(echo), env={"NOTIFY_SOCKET": "@" + name})
    assert manager.next()["READY"] == "1"


def test_signs_of_life_come_twice_as_often_as_asked_for(scene, manager):
    daemon = scene.server_mode(scene.server(echo), env={**address(scene), "WATCHDOG_USEC": "1000000"})
    assert manager.next()["READY"] == "1"
    times = []
    for _ in range(4):
        assert manager.next() == {"WATCHDOG": "1"}
        times.append(manager.sent)
    # Systemd would lose patience after a second.
    assert all(0.3 < after - before < 1 for before, after in zip(times, times[1:])), times
    daemon.signal(signal.SIGTERM)
    assert manager.next_but_beats()["STOPPING"] == "1"


def test_signs_of_life_that_another_process_owes_are_not_given(scene, manager):
    scene.server_mode(
        scene.server(echo), env={**address(scene), "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
    )
    assert manager.next()["READY"] == "1"
    assert manager.quiet(0.1)


def test_a_process_that_is_stopped_gives_no_sign_of_life(scene, manager):
    daemon = scene.server_mode(scene.server(echo), env={**address(scene), "WATCHDOG_USEC": "100000"})
    assert manager.next()["READY"] == "1"
    manager.next()
    daemon.signal(signal.SIGSTOP)
    while not manager.quiet(0.3):
        pass
    daemon.signal(signal.SIGCONT)
    assert manager.next() == {"WATCHDOG": "1"}


def test_a_manager_that_is_not_there_is_told_of(scene):
    daemon = scene.server_mode(scene.server(echo), env={"NOTIFY_SOCKET": "/nonexistent/notify"})
    daemon.wait_log("LOG4.*Cannot reach the service manager at /nonexistent/notify")


def test_programs_cannot_speak_for_us(scene, manager):
    text = f"[p]\naccept = 127.0.0.1:0\nexec = /usr/bin/env\ncert = {scene.pki.server.bundle}\n"
    daemon = scene.daemon(text, env={**address(scene), "WATCHDOG_USEC": "60000000"})
    shown = scene.tls(daemon.port("p")).rest()[0].decode()
    assert "PATH=" in shown and not re.search("NOTIFY_SOCKET|WATCHDOG", shown)


@pytest.mark.root
def test_from_inside_of_a_chroot_the_manager_is_still_heard(scene, manager):
    jail = scene.folder / "jail"
    (jail / "log.d").mkdir(parents=True)
    daemon = scene.daemon(
        whole=f"foreground = yes\nsyslog = no\noutput = /log.d/log\ndebug = debug\nchroot = {jail}\n"
        + scene.section("tls", scene.server(echo), f"cert = {scene.pki.server.bundle}"),
        log_path=str(jail / "log.d" / "log"), env=address(scene),
    )
    assert manager.next()["MAINPID"] == str(daemon.pid)
    daemon.reload()
    assert "RELOADING" in manager.next()
    assert manager.next()["READY"] == "1"
