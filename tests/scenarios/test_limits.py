# SPDX-License-Identifier: Apache-2.0
# When something runs out -- descriptors, patience, room for the log -- the daemon goes on.
import os
import re
import resource
import select
import threading
import time

import pytest

from lib.peer import RESET, TlsPeer, connect, connect_tls, echo
from lib.ports import free_port
from lib.wait import until

FEW = [(resource.RLIMIT_NOFILE, 64)]


def crowd(scene, port, count):
    """`count` plain connections, whether they are accepted, refused or left waiting."""
    peers = []
    for _ in range(count):
        try:
            peers.append(scene.connect(port))
        except OSError:
            pass
    return peers


@pytest.mark.sanitize
def test_a_crowd_beyond_the_descriptor_limit_harms_no_standing_tunnel(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, limits=FEW)
    near, far = scene.pair(daemon, backend)
    guests = crowd(scene, daemon.port("tls"), 200)
    for _ in range(5):
        near.send(b"ping")
        assert far.recv(4) == b"ping"
        far.send(b"pong")
        assert near.recv(4) == b"pong"
    assert daemon.alive
    # no busy loop over a listener that it cannot serve
    daemon.await_rest(0.1)
    assert len(daemon.log()) < 2_000_000
    for guest in guests:
        guest.close()
    far.send(b"still")
    assert near.recv(5) == b"still"


def test_after_a_crowd_new_clients_are_served_again(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server, limits=FEW)
    guests = crowd(scene, daemon.port("tls"), 200)
    for guest in guests:
        guest.close()
    context = pki.client_context()

    def served():
        try:
            with connect_tls(daemon.port("tls"), context) as near:
                near.send(b"ping")
                return near.recv(4) == b"ping"
        except (OSError, AssertionError):
            return False

    until(served, "service after the crowd")
    assert served()


def test_a_crowd_of_tunnels_is_refused_cleanly_at_the_limit(scene, pki):
    """Whole tunnels, two descriptors each: those that stand echo on, the others wait or are refused."""
    server = scene.server(echo)
    daemon = scene.server_mode(server, limits=FEW)
    context, standing = pki.client_context(), []
    for _ in range(60):
        try:
            near = scene.connect(daemon.port("tls"))
            if len(standing) >= 10:
                near.sock.settimeout(1)
            near = TlsPeer(near.sock, context, name="localhost")
            near.send(b"ping")
            assert near.recv(4) == b"ping"
            standing.append(near)
        except (OSError, AssertionError):
            break
    assert 10 <= len(standing) < 60
    for near in standing:
        near.send(b"ping")
        assert near.recv(4) == b"ping"


@pytest.mark.root
def test_at_the_descriptor_limit_each_client_is_refused_in_a_chroot_too(scene, pki):
    """One descriptor is kept for that, and is made anew where there is no /dev."""
    jail = scene.folder / "jail"
    jail.mkdir(mode=0o777)
    jail.chmod(0o777)
    backend = scene.backend()
    daemon = scene.daemon(
        whole=f"foreground = yes\nsyslog = no\noutput = /log\ndebug = debug\nchroot = {jail}\nworkers = 1\n"
              + scene.section("tls", backend, f"cert = {pki.server.bundle}"), log_path=str(jail / "log"))
    near, far = scene.pair(daemon, backend)
    used = {int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd")}
    first_free = min(set(range(len(used) + 1)) - used)
    enough = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (first_free, enough[1]))
    for _ in range(3):
        assert scene.connect(daemon.port("tls")).ended() == RESET
    near.send(b"ping")
    assert far.recv(4) == b"ping"
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, enough)


def test_a_reload_works_at_the_descriptor_limit(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, limits=FEW)
    near, far = scene.pair(daemon, backend)
    guests = crowd(scene, daemon.port("tls"), 200)
    daemon.write(scene.section("tls", backend, f"cert = {pki.other_client.bundle}"))
    daemon.reload()
    near.send(b"ping")
    assert far.recv(4) == b"ping"
    for guest in guests:
        guest.close()

    def renewed():
        try:
            with connect_tls(daemon.port("tls"), pki.client_context()) as fresh:
                names = [pair for rdn in fresh.tls.getpeercert()["subject"] for pair in rdn]
                return ("commonName", "second.test") in names
        except OSError:
            return False

    until(renewed, "the new certificate")


def test_unfinished_connections_do_not_crowd_out_honest_ones(scene, pki):
    """More silent connections than room for tunnels: the oldest silent ones give way or time out."""
    server = scene.server(echo)
    daemon = scene.server_mode(server, "TIMEOUTbusy = 2", limits=FEW)
    crowd(scene, daemon.port("tls"), 200)

    def served():
        try:
            with connect_tls(daemon.port("tls"), pki.client_context()) as near:
                near.send(b"ping")
                return near.recv(4) == b"ping"
        except (OSError, AssertionError):
            return False

    until(served, "service beside silent connections")


@pytest.mark.sanitize
def test_a_flood_of_failing_handshakes_has_a_bounded_log(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    honest = scene.tls(daemon.port("tls"))
    honest.send(b"ready")
    honest.recv(5)
    mark = daemon.mark()

    def flood():
        for _ in range(400):
            try:
                with connect(daemon.port("tls")) as peer:
                    peer.send(b"GET / HTTP/1.0\r\n\r\n")
                    peer.rest()
            except OSError:
                pass

    start = time.monotonic()
    threads = [threading.Thread(target=flood, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    seconds = time.monotonic() - start
    honest.send(b"still")
    assert honest.recv(5) == b"still"
    noise = [line for line in daemon.log()[mark:].splitlines() if "LOG7" not in line and "LOG6" not in line]
    # 100 lines a second of each kind, and a remark on what was left out
    assert len(noise) < (seconds + 2) * 100 * 6, f"{len(noise)} lines in {seconds:.1f} s"
    assert daemon.alive


@pytest.mark.sanitize
def test_a_log_pipe_that_nobody_reads_holds_nobody_up(scene, pki):
    """Tunnels, and even the end of the process, do not wait for the reader."""
    read, write = os.pipe()
    server, port, context = scene.server(echo), free_port(), pki.client_context()
    text = (
        f"foreground = yes\nsyslog = no\ndebug = debug\n"
        f"[tls]\naccept = 127.0.0.1:{port}\nconnect = {server.address}\ncert = {pki.server.bundle}\n"
    )
    try:
        daemon = scene.daemon(whole=text, stderr=write, await_log=False)
        until(lambda: reachable(port), "the listener")
        served = 0
        while room(write) or served < 300:
            with connect_tls(port, context) as near:
                near.send(b"ping")
                assert near.recv(4) == b"ping"
            served += 1
        for _ in range(100):
            with connect_tls(port, context) as near:
                near.send(b"ping")
                assert near.recv(4) == b"ping"
        daemon.stop(deadline=10)
    finally:
        os.close(read)
        os.close(write)


def room(pipe):
    """May a line still be written into the pipe?"""
    return bool(select.select([], [pipe], [], 0)[1])


def test_a_full_disk_under_the_log_holds_nobody_up(scene, pki):
    server = scene.server(echo)
    port = free_port()
    text = (
        f"foreground = quiet\nsyslog = no\noutput = /dev/full\ndebug = debug\n"
        f"[tls]\naccept = 127.0.0.1:{port}\nconnect = {server.address}\ncert = {pki.server.bundle}\n"
    )
    daemon = scene.daemon(whole=text, await_log=False)
    until(lambda: reachable(port), "the listener")
    for _ in range(50):
        with connect_tls(port, pki.client_context()) as near:
            near.send(b"ping")
            assert near.recv(4) == b"ping"
    assert daemon.alive


def reachable(port):
    try:
        connect(port).close()
        return True
    except OSError:
        return False


def test_long_tunnels_are_shared_out_between_workers(scene):
    """Whoever happens to accept a burst, no worker keeps clearly more than its share."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, "logId = thread", head="workers = 2\n")
    pairs = [scene.pair(daemon, backend) for _ in range(40)]
    daemon.wait_log("Service .* accepted connection", count=40)
    ids = re.findall(r"LOG5\[(\w+)\]: Service \[tls\] accepted connection", daemon.log())
    counts = sorted(ids.count(worker) for worker in set(ids))
    assert len(pairs) == len(ids) == 40
    assert len(counts) == 2 and counts[1] - counts[0] <= 8, counts
