# SPDX-License-Identifier: Apache-2.0
# The process: daemon mode, pid file, privileges, and what each signal does.
import os
import pwd
import re
import shutil
import signal
import time

import pytest

from lib.daemon import Daemon, NotStarted
from lib.peer import END, connect, echo, pattern
from lib.wait import exited, until


def alive(scene, daemon, service="tls"):
    near = scene.tls(daemon.port(service))
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    return near


# --- daemon mode


def test_daemon_mode_forks_away_writes_its_pid_and_removes_it(scene):
    server = scene.server(echo)
    daemon = scene.server_mode(server, daemonise=True)
    assert daemon.child.returncode == 0
    assert daemon.pid != daemon.child.pid
    assert os.stat(daemon.pid_path).st_mode & 0o777 == 0o644
    assert re.fullmatch(r"\d+\n", open(daemon.pid_path, encoding="ascii").read())
    alive(scene, daemon).close()
    assert os.readlink(f"/proc/{daemon.pid}/cwd") == "/"
    assert os.getsid(daemon.pid) == daemon.pid or os.getsid(daemon.pid) != os.getsid(0)
    for number in (0, 1, 2):
        assert os.readlink(f"/proc/{daemon.pid}/fd/{number}") == "/dev/null"
    scene.closers.close()
    daemon.stop()
    assert not os.path.exists(daemon.pid_path)


def test_a_successful_daemon_start_prints_nothing(scene):
    daemon = scene.server_mode(scene.server(echo), daemonise=True)
    assert daemon.read_stderr() == ""


def test_daemon_mode_tells_its_failures_by_status_and_stderr(scene, pki):
    backend = scene.backend()
    with pytest.raises(NotStarted) as refused:
        scene.daemon(f"[t]\naccept = {backend.address}\nconnect = 9\ncert = {pki.server.bundle}\n", daemonise=True)
    assert refused.value.status == 1 and "Address already in use" in refused.value.stderr
    with pytest.raises(NotStarted) as refused:
        scene.daemon("[t]\naccept = 127.0.0.1:0\n", name="second", daemonise=True)
    assert refused.value.status == 78


def test_a_pid_file_that_cannot_be_written_fails_the_start(scene, pki):
    """The incumbent's parent says 0 here and only the log knows better."""
    with pytest.raises(NotStarted) as refused:
        scene.daemon(
            whole=f"pid = /nonexistent/dir/pid\nsyslog = no\noutput = {scene.folder}/log\n"
            f"[t]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {pki.server.bundle}\n",
            daemonise=True,
        )
    assert refused.value.status != 0 and "/nonexistent/dir/pid" in refused.value.stderr


def test_a_stale_pid_file_is_replaced_a_link_is_not_followed(scene):
    folder = scene.folder / "ginnel"
    folder.mkdir()
    victim = scene.file("victim", "precious")
    (folder / "pid").symlink_to(victim)
    daemon = scene.server_mode(scene.server(echo), head=f"pid = {folder}/pid\n")
    assert open(victim, encoding="ascii").read() == "precious"
    assert open(daemon.pid_path, encoding="ascii").read().strip() == str(daemon.pid)


def test_relative_paths_are_refused_in_daemon_mode(scene, pki):
    with pytest.raises(NotStarted) as refused:
        scene.daemon(
            whole=f"syslog = no\noutput = log\n[t]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {pki.server.bundle}\n",
            daemonise=True,
        )
    assert refused.value.status == 78 and "output" in refused.value.stderr


# --- privileges


def open_to(folder, user):
    """Let the unprivileged user reach into a test's folder, which pytest keeps to root."""
    record = pwd.getpwnam(user)
    os.chown(folder, record.pw_uid, record.pw_gid)
    path = str(folder)
    while path != "/" and path.startswith("/tmp/"):
        os.chmod(path, os.stat(path).st_mode | 0o011)
        path = os.path.dirname(path)
    return record


@pytest.mark.root
@pytest.mark.sanitize
def test_setuid_and_setgid_leave_no_way_back(scene):
    folder = scene.folder / "ginnel"
    folder.mkdir()
    user = open_to(folder, "nobody")
    daemon = scene.server_mode(scene.server(echo), head="setuid = nobody\nsetgid = nogroup\n")
    status = daemon.process_status()
    assert status["Uid"].split() == [str(user.pw_uid)] * 4
    assert set(status["Gid"].split()) == {str(user.pw_gid)}
    assert set(status["Groups"].split()) <= {str(user.pw_gid)}
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    alive(scene, daemon)


@pytest.mark.root
def test_a_reload_after_setuid_keeps_serving(scene, pki):
    folder = scene.folder / "ginnel"
    folder.mkdir()
    open_to(folder, "nobody")
    server = scene.server(echo)
    daemon = scene.server_mode(server, head="setuid = nobody\nsetgid = nogroup\n")
    near = alive(scene, daemon)
    daemon.signal(signal.SIGHUP)
    daemon.wait_log("Configuration successful|Failed to reload the configuration file", count=2)
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    alive(scene, daemon)


@pytest.mark.root
def test_chroot_changes_the_root(scene, pki):
    jail = scene.folder / "jail"
    jail.mkdir()
    server = scene.server(echo)
    daemon = scene.daemon(
        whole=f"foreground = yes\nsyslog = no\noutput = /log\ndebug = debug\nchroot = {jail}\npid = /pid\n"
        + scene.section("tls", server, f"cert = {pki.server.bundle}"),
        log_path=str(jail / "log"),
    )
    assert os.readlink(f"/proc/{daemon.pid}/root") == str(jail)
    assert os.readlink(f"/proc/{daemon.pid}/cwd") == str(jail)
    assert (jail / "pid").read_text().strip() == str(daemon.pid)
    daemon.wait_log(f"Switched to chroot directory: {jail}")
    alive(scene, daemon)


@pytest.mark.root
def test_the_owner_of_a_unix_sockets_file(scene, pki):
    user = open_to(scene.folder, "nobody")
    path = scene.socket_path("owned")
    scene.daemon(f"[u]\naccept = {path}\nconnect = 9\ncert = {pki.server.bundle}\nsetuid = nobody\nsetgid = nogroup\n")
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == (user.pw_uid, user.pw_gid)


@pytest.mark.root
def test_a_setuid_that_cannot_be_done_fails_the_start(scene, pki, monkeypatch):
    """As an ordinary user, who may not change identity."""
    folder = scene.folder / "ginnel"
    folder.mkdir()
    user = open_to(folder, "nobody")
    bundle = str(folder / "server.pem")
    shutil.copy(pki.server.bundle, bundle)
    os.chown(bundle, user.pw_uid, user.pw_gid)

    def become():
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)

    # A copy: the tree may stand in a folder that other users may not enter.
    monkeypatch.setattr(Daemon, "program", shutil.copy(Daemon.program, folder / "program"))
    with pytest.raises(NotStarted) as refused:
        scene.daemon(
            f"[t]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {bundle}\n",
            "setuid = daemon\n",
            preexec=become,
        )
    assert refused.value.status in (1, 77) and "setuid" in refused.value.stderr


def test_no_descriptor_of_ours_survives_exec(scene):
    """All of them close on exec, so nothing can leak to a program."""
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    scene.pair(daemon, backend)
    for number in os.listdir(f"/proc/{daemon.pid}/fd"):
        if int(number) > 2:
            with open(f"/proc/{daemon.pid}/fdinfo/{number}", encoding="ascii") as file:
                flags = int(re.search(r"flags:\s+(\d+)", file.read())[1], 8)
            assert flags & os.O_CLOEXEC, os.readlink(f"/proc/{daemon.pid}/fd/{number}")


# --- signals


def test_sigusr1_reopens_the_log(scene):
    daemon = scene.server_mode(scene.server(echo))
    rotated = daemon.log_path + ".1"
    os.rename(daemon.log_path, rotated)
    daemon.signal(signal.SIGUSR1)
    daemon.wait_log("Log file reopened")
    assert "Accepting new connections" in open(rotated, encoding="utf-8").read()
    mark = daemon.mark()
    port = int(re.search(r"bound to \S+:(\d+)", open(rotated, encoding="utf-8").read())[1])
    scene.tls(port)
    daemon.wait_log("accepted connection from", after=mark)


def test_sigusr1_with_overwrite_begins_anew(scene):
    daemon = scene.server_mode(scene.server(echo), head="log = overwrite\n")
    size = os.path.getsize(daemon.log_path)
    daemon.signal(signal.SIGUSR1)
    daemon.wait_log("Log file reopened")
    until(lambda: os.path.getsize(daemon.log_path) < size, "a fresh log file")


def test_a_start_with_overwrite_begins_anew_one_with_append_does_not(scene):
    folder = scene.folder / "ginnel"
    folder.mkdir()
    for mode, kept in (("append", True), ("overwrite", False)):
        (folder / "log").write_text("of another day\n")
        daemon = scene.server_mode(scene.server(echo), head=f"log = {mode}\n")
        assert ("of another day" in daemon.log()) == kept
        daemon.stop()


def test_sigusr2_lists_the_connections(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    near.send(b"12345")
    far.recv(5)
    far.send(b"123")
    near.recv(3)
    daemon.signal(signal.SIGUSR2)
    daemon.wait_log(r"Active connections:")
    daemon.wait_log(r"Service \[tls\], 3 byte\(s\) sent to TLS, 5 byte\(s\) sent to socket")
    daemon.wait_log(r"Listed 1 active connection\(s\)")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_signal_without_tunnels_ends_at_once(scene, number):
    daemon = scene.server_mode(scene.server(echo), head="shutdownTimeout = 30\n")
    daemon.signal(number)
    daemon.wait_exit(deadline=10)


@pytest.mark.sanitize
def test_sigterm_drains_refusing_new_clients_and_then_ends(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, head="shutdownTimeout = 30\n")
    near, far = scene.pair(daemon, backend)
    daemon.signal(signal.SIGTERM)

    def refused():
        try:
            connect(daemon.port("tls")).close()
            return False
        except ConnectionRefusedError:
            return True

    until(refused, "the listener to be closed")
    body = pattern(1, 1 << 20)
    far.send(body)
    assert near.recv(len(body)) == body
    assert daemon.alive
    near.shut()
    assert far.ended() == END
    far.shut()
    assert near.ended() == END
    daemon.wait_exit(deadline=10)
    assert daemon.ends(end="done")


def test_sigterm_cuts_what_is_left_after_shutdown_timeout(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, head="shutdownTimeout = 1\n")
    near, far = scene.pair(daemon, backend)
    start = time.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.wait_exit(deadline=10)
    assert time.monotonic() - start > 0.8
    assert near.ended() != END and far.ended() != END
    assert daemon.ends(end="shutdown")


def test_a_second_sigterm_cuts_at_once(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, head="shutdownTimeout = 60\n")
    scene.pair(daemon, backend)
    daemon.signal(signal.SIGTERM)
    assert not exited(daemon.pidfd, 0.5)
    daemon.signal(signal.SIGTERM)
    daemon.wait_exit(deadline=10)
    assert daemon.ends(end="shutdown")


@pytest.mark.sanitize
def test_a_storm_of_signals_is_weathered(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    for _ in range(100):
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            daemon.signal(number)
    near.send(b"ping")
    assert far.recv(4) == b"ping"
    assert daemon.alive


def test_sigterm_in_a_reload_ends(scene):
    daemon = scene.server_mode(scene.server(echo))
    daemon.signal(signal.SIGHUP)
    daemon.signal(signal.SIGTERM)
    daemon.wait_exit(deadline=10)
