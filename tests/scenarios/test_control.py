# SPDX-License-Identifier: Apache-2.0
# A running daemon tells how it goes: ginnel status, ginnel metrics, and the socket behind them.
import concurrent.futures
import os
import re
import resource
import shutil
import socket
import stat
import subprocess
import tempfile

import pytest

from lib.daemon import GINNEL, NotStarted
from lib.peer import echo
from lib.wait import until


@pytest.fixture
def where(scene):
    return str(scene.folder / "control")


def told(scene, daemon, word="status"):
    done = scene.run(word, daemon.path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def another(scene, where, name):
    """A second daemon that wants the same socket."""
    section = scene.section("tls", scene.server(echo), f"cert = {scene.pki.server.bundle}")
    return scene.daemon(section, f"control = {where}", name=name)


def figures(scene, daemon):
    """The samples by their names, labels included."""
    return dict(line.rsplit(" ", 1) for line in told(scene, daemon, "metrics").splitlines() if not line.startswith("#"))


def visit(where):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(where)
    return sock


def all_of(sock):
    got = b""
    while some := sock.recv(65536):
        got += some
    return got


@pytest.mark.sanitize
def test_status_tells_of_services_ends_and_tunnels(scene, where):
    daemon = scene.server_mode(scene.server(echo), head=f"control = {where}")
    near = scene.tls(daemon.port("tls"))
    near.send(b"x" * 1500)
    assert near.recv(1500)
    text = told(scene, daemon)
    assert re.match(rf"ginnel [\d.]+, process {daemon.pid}, has served {daemon.path} for( \d+ min)? \d+ s\n", text)
    assert "1 tunnel(s) now, 0 of them being set up; 1 accepted since the start" in text
    assert re.search(r"^service +tunnels +ended +failed +to TLS +to socket$", text, re.M)
    assert re.search(r"^tls +1 +0 +0 +1\.5 kB +1\.5 kB$", text, re.M)
    assert re.search(r"^Service \[tls\], 1500 byte\(s\) sent to TLS, 1500 byte\(s\) sent to socket; id=0 peer=127", text, re.M)
    near.close()
    daemon.wait_end(service="tls")
    scene.connect(daemon.port("tls")).send(b"no TLS at all")
    daemon.wait_end(end="not_tls")
    text = told(scene, daemon)
    assert re.search(r"^tls +0 +2 +1 ", text, re.M)
    assert re.search(r"^ +1  not_tls: the client does not speak TLS$", text, re.M)
    assert "Service [" not in text


@pytest.mark.sanitize
def test_metrics_are_samples_with_help_and_type(scene, pki, where):
    daemon = scene.daemon(
        scene.section('say "\\ho', scene.server(echo), f"cert = {pki.server.bundle}"), f"control = {where}")
    scene.connect(daemon.port('say "\\ho')).send(b"no TLS at all")
    daemon.wait_end(end="not_tls")
    lines = told(scene, daemon, "metrics").splitlines()
    helped = {line.split(" ")[2] for line in lines if line.startswith("# HELP ")}
    typed = {line.split(" ")[2]: line.split(" ")[3] for line in lines if line.startswith("# TYPE ")}
    names = {re.split("[{ ]", line)[0] for line in lines if not line.startswith("#")}
    assert helped == set(typed) == names
    assert all(typed[name] == ("counter" if name.endswith("_total") else "gauge") for name in names)
    assert 'ginnel_service_ended_total{service="say \\"\\\\ho",result="failed"} 1' in lines
    assert 'ginnel_ended_total{end="not_tls"} 1' in lines and 'ginnel_ended_total{end="done"} 0' in lines
    assert "ginnel_accepted_total 1" in lines


def test_a_reload_counts_on(scene, pki, where):
    server = scene.server(echo)
    section = scene.section("tls", server, f"cert = {pki.server.bundle}")
    daemon = scene.daemon(section, f"control = {where}")
    old = scene.tls(daemon.port("tls")).send(b"abc")
    assert old.recv(3) == b"abc"
    daemon.write(section + scene.section("more", server, f"cert = {pki.server.bundle}"))
    daemon.reload()
    new = scene.tls(daemon.port("tls")).send(b"defg")
    assert new.recv(4) == b"defg"
    counted = figures(scene, daemon)
    assert counted['ginnel_service_tunnels{service="tls"}'] == "2"
    assert counted['ginnel_service_bytes_total{service="tls",to="socket"}'] == "7"
    assert counted['ginnel_service_tunnels{service="more"}'] == "0"
    old.close()
    daemon.wait_end(service="tls")
    assert figures(scene, daemon)['ginnel_service_bytes_total{service="tls",to="socket"}'] == "7"


def test_sections_of_one_name_are_told_once(scene, pki, where):
    server = scene.server(echo)
    section = scene.section("twin", server, f"cert = {pki.server.bundle}")
    daemon = scene.daemon(section + section, f"control = {where}")
    for port in daemon.ports("twin"):
        near = scene.tls(port).send(b"12345")
        assert near.recv(5) == b"12345"
    lines = told(scene, daemon, "metrics").splitlines()
    assert [line for line in lines if line.startswith("ginnel_service_tunnels{")] == [
        'ginnel_service_tunnels{service="twin"} 2']
    assert 'ginnel_service_bytes_total{service="twin",to="tls"} 10' in lines


@pytest.mark.sanitize
def test_many_who_ask_at_once_are_all_answered(scene, where):
    daemon = scene.server_mode(scene.server(echo), head=f"control = {where}")
    visitors = [visit(where) for _ in range(40)]
    for sock in visitors:
        sock.sendall(b"metrics\n")
    for sock in visitors:
        assert b"ginnel_accepted_total 0\n" in all_of(sock)
        sock.close()
    daemon.stop()


@pytest.mark.sanitize
@pytest.mark.parametrize("said", [b"", b"status", b"sta", b"x" * 100, b"\0\n", b"status\nstatus\n", b"STATUS\n"])
def test_odd_visitors_disturb_nobody(scene, where, said):
    daemon = scene.server_mode(scene.server(echo), head=f"control = {where}")
    with visit(where) as sock:
        sock.sendall(said)
        if b"\n" in said or len(said) > 31:
            got = all_of(sock)
            assert got.startswith(b"ginnel ") if said.startswith(b"status\n") else got.startswith(b"Unknown word; known")
        # Others leave in the middle, as this one does without a word.
    assert told(scene, daemon).startswith("ginnel ")
    daemon.stop()


@pytest.mark.sanitize
def test_who_says_nothing_is_sent_away_and_who_half_closes_is_answered(scene, where):
    scene.server_mode(scene.server(echo), head=f"control = {where}")
    silent, half = visit(where), visit(where)
    half.sendall(b"status\n")
    half.shutdown(socket.SHUT_WR)
    assert all_of(half).startswith(b"ginnel ")
    assert all_of(silent) == b""


@pytest.mark.sanitize
def test_a_stop_with_a_visitor_at_the_door(scene, where):
    daemon = scene.server_mode(scene.server(echo), head=f"control = {where}")
    with visit(where) as sock:
        sock.sendall(b"sta")
        daemon.stop()
        assert not os.path.exists(where)


@pytest.mark.sanitize
def test_who_comes_when_no_descriptor_is_left_is_met_when_there_is_one(scene, where):
    daemon = scene.server_mode(scene.server(echo), head=f"control = {where}")
    assert told(scene, daemon).startswith("ginnel ")
    enough = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, enough[1]))
    with visit(where) as sock:
        sock.sendall(b"status\n")
        daemon.wait_log(r"control: cannot accept: Too many open files \(24\)")
        daemon.await_rest(0.1)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, enough)
        assert all_of(sock).startswith(b"ginnel ")
    assert daemon.log().count("control: cannot accept") == 1


def test_only_who_started_it_may_ask(scene, where):
    scene.server_mode(scene.server(echo), head=f"control = {where}")
    assert stat.S_IMODE(os.stat(where).st_mode) & 0o077 == 0


@pytest.mark.root
def test_after_chroot_and_setuid_it_still_answers(scene, pki, where):
    jail = scene.folder / "jail"
    jail.mkdir(mode=0o777)
    jail.chmod(0o777)
    section = scene.section("tls", scene.server(echo), f"cert = {pki.server.bundle}")
    daemon = scene.daemon(
        whole=f"foreground = yes\nsyslog = no\noutput = /log\ndebug = debug\nchroot = {jail}\nsetuid = nobody\n"
              f"setgid = nogroup\ncontrol = {where}\n{section}", log_path=str(jail / "log"))
    near = scene.tls(daemon.port("tls")).send(b"ping")
    assert near.recv(4) == b"ping"
    assert "1 tunnel(s) now" in told(scene, daemon)
    daemon.stop()
    assert told(scene, another(scene, where, "again")).startswith("ginnel ")  # what was left is taken over


def test_a_socket_that_is_taken_fails_the_start(scene, where):
    daemon = scene.server_mode(scene.server(echo), head=f"control = {where}")
    with pytest.raises(NotStarted) as refused:
        another(scene, where, "second")
    assert refused.value.status == 1
    assert f"control: cannot listen at {where}: Address already in use" in refused.value.stderr
    assert told(scene, daemon).startswith("ginnel ")
    # What a killed daemon has left is taken over.
    daemon.kill()
    until(lambda: not os.path.exists(f"/proc/{daemon.pid}"), "the end of the first")
    again = another(scene, where, "third")
    assert told(scene, again).startswith("ginnel ")


def test_what_is_wrong_is_said(scene, where):
    without = scene.file("without.conf", "[t]\naccept = 127.0.0.1:1\nconnect = 2\n")
    done = scene.run("status", without)
    assert done.returncode == 78 and "write control = PATH" in done.stderr
    down = scene.file("down.conf", f"control = {where}\n[t]\naccept = 127.0.0.1:1\nconnect = 2\n")
    done = scene.run("metrics", down)
    assert done.returncode == 1 and "is the daemon running" in done.stderr
    done = scene.run("status", scene.folder / "none.conf")
    assert done.returncode == 78 and "none.conf" in done.stderr


def test_where_nobody_listens_any_more(scene, where):
    """As after a kill: the socket's file is there still."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(where)
    done = scene.run("status", where)
    assert done.returncode == 1
    assert done.stderr == (f"ginnel: cannot ask at {where}: Connection refused; is the daemon running, and with this "
                           "configuration?\n")


def test_who_is_sent_away_without_a_word_is_told_where_to_look(scene, where):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(where)
        door.listen()
        door.settimeout(20)

        def turn_away():
            visitor, _ = door.accept()
            with visitor:
                visitor.recv(64)

        with concurrent.futures.ThreadPoolExecutor(1) as doorkeeper:
            turned_away = doorkeeper.submit(turn_away)
            done = scene.run("status", where)
            turned_away.result()
    assert done.returncode == 1
    assert done.stderr == (f"ginnel: no answer at {where}: the daemon has closed the connection; its log may tell "
                           "why\n")


@pytest.mark.root
def test_who_may_not_ask_is_told_who_may(scene):
    """As another user, where that one can get at the socket but not open it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program, where = shutil.copy(GINNEL, folder), f"{folder}/control"
        scene.server_mode(scene.server(echo), head=f"control = {where}")
        done = subprocess.run([program, "status", where], capture_output=True, text=True, timeout=20, cwd="/",
                              user="nobody", group="nogroup", extra_groups=[])
        scene.daemons[-1].stop()
    assert done.returncode == 77
    assert done.stderr == (f"ginnel: cannot ask at {where}: Permission denied; only root and the user who started the "
                           "daemon may ask\n")


def test_as_a_daemon_the_socket_has_a_full_path(scene, pki):
    text = f"control = here\npid =\n[t]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {pki.server.bundle}\n"
    done = scene.run("check", scene.file("relative.conf", text))
    assert done.returncode == 78 and "control: The socket must include full path name" in done.stderr + done.stdout
