# SPDX-License-Identifier: Apache-2.0
# Programs as one side of a tunnel: what they are given, how they end, and what is left of them.
import contextlib
import hashlib
import os
import re
import resource
import select
import signal
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.daemon import GINNEL, SANITIZED, NotStarted
from lib.peer import CUT, END, RESET, connect, connect_tls

CHILD = r"Local mode child started \(PID=(\d+)\)"
WITHHELD = {"REMOTE_HOST", "REMOTE_PORT", "SSL_CLIENT_DN", "SSL_CLIENT_I_DN"}


def script(scene, name, text):
    path = scene.file(name, "#!/bin/sh\n" + text)
    os.chmod(path, stat.S_IRWXU)
    return path


def section(scene, *lines, name="tls"):
    return "\n".join([f"[{name}]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", *lines, ""])


def serve(scene, program, *lines, **how):
    return scene.daemon(section(scene, f"exec = {program}", *lines), **how)


def says(scene, daemon, context=None):
    """All that the program says, when nothing is said to it."""
    return scene.tls(daemon.port("tls"), context).shut().rest()


# --- bytes


@pytest.mark.sanitize
def test_a_program_is_the_far_side(scene):
    daemon = serve(scene, "/bin/cat")
    near = scene.tls(daemon.port("tls")).send(b"hello")
    assert near.recv(5) == b"hello"
    assert near.shut().rest() == (b"", END)
    pid = daemon.wait_log(CHILD)[1]
    daemon.wait_log(rf"Child process {pid} finished with code 0")
    daemon.wait_end(end="done")


@pytest.mark.sanitize
@pytest.mark.parametrize("pty", ["no", "yes"])
def test_every_byte_arrives(scene, pty):
    program = script(scene, "program", "test -t 0 && stty raw -echo\necho ready\nexec cat")
    daemon = serve(scene, program, f"pty = {pty}")
    near = scene.tls(daemon.port("tls"))
    assert near.recv(6) == b"ready\n"
    data, got = os.urandom(3_000_000), bytearray()
    for i in range(0, len(data), 30_000):
        near.send(data[i:i + 30_000])
        got += near.recv(30_000)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    assert near.shut().rest() == (b"", END)


@pytest.mark.sanitize
def test_tls_with_a_program(scene, pki):
    """The client's side is plain, and the program speaks TLS: this one is another ginnel under inetd's rules."""
    other = scene.file("other.conf", f"syslog = no\ncert = {pki.server.bundle}\nexec = /bin/cat\n")
    daemon = scene.daemon("\n".join([
        "[plain]", "accept = 127.0.0.1:0", "client = yes", f"exec = {GINNEL}", f"execArgs = ginnel {other}"]))
    near = scene.connect(daemon.port("plain")).send(b"hello")
    assert near.recv(5) == b"hello"
    assert near.shut().rest() == (b"", END)
    daemon.wait_end(end="done")


def test_what_a_program_leaves_unread_is_no_fault(scene):
    """Its exit resets a socket with bytes in it; its answer must arrive nevertheless, and a clean end."""
    daemon = serve(scene, script(scene, "program", "head -c 1 >/dev/null; echo answer"))
    near = scene.tls(daemon.port("tls")).send(b"x" * 60_000)
    assert near.rest() == (b"answer\n", END)
    near.shut()
    daemon.wait_end()
    assert not daemon.ends(end="reset_far")


@pytest.mark.sanitize
def test_no_answer_is_lost_when_many_start_and_end_at_once(scene, pki):
    """
    While a program is being started it has a copy of every descriptor, so that tunnels are closed and still not
    gone.  Whatever the clients do meanwhile, the one who asked must have the whole answer, and the daemon live.
    """
    lines = ("exec = /bin/echo", "execArgs = echo an answer")
    daemon = scene.daemon(
        section(scene, *lines) + section(scene, *lines, "client = yes", "connectTLS = no", name="plain"),
        head="debug = info")
    context = pki.client_context()
    ways = [lambda near: near, lambda near: near.shut(), lambda near: near.fin(), lambda near: near.send(b"unread")]

    def ask(number):
        way, tls = ways[number % len(ways)], number // len(ways) % 2
        near = connect_tls(daemon.port("tls"), context) if tls else connect(daemon.port("plain"))
        with near:
            return way(near).rest()

    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(ask, range(100 if SANITIZED else 600)))
    assert set(answers) == {(b"an answer\n", END)}


# --- what a program is given


def test_the_environment_is_exact(scene, pki):
    spoof = {"SSL_CLIENT_DN": "CN=root", "SSL_CLIENT_I_DN": "CN=root", "REMOTE_HOST": "127.9.9.9", "REMOTE_PORT": "1"}
    daemon = serve(scene, "/usr/bin/env", "execArgs = env -0", "verify = 1", f"CAfile = {pki.ca.path}", env=spoof)
    with open(f"/proc/{daemon.pid}/environ", "rb") as file:
        ours = dict(v.split(b"=", 1) for v in file.read().rstrip(b"\0").split(b"\0"))
    expected = {k.decode(): v for k, v in ours.items() if k.decode() not in WITHHELD}

    near = scene.tls(daemon.port("tls"))
    port = near.sock.getsockname()[1]
    seen = [v.split(b"=", 1) for v in near.rest()[0].rstrip(b"\0").split(b"\0")]
    assert len(seen) == len({name for name, _ in seen}), "a name twice"
    assert {k.decode(): v for k, v in seen} == {
        **expected, "REMOTE_HOST": b"127.0.0.1", "REMOTE_PORT": str(port).encode()
    }, "and no certificate was shown, so none may be named"

    text, _ = says(scene, daemon, pki.client_context(pki.client))
    seen = dict(v.split(b"=", 1) for v in text.rstrip(b"\0").split(b"\0"))
    accepted = daemon.wait_log(r"Certificate accepted at depth=0: (.*)$")[1]
    assert seen[b"SSL_CLIENT_DN"].decode() == accepted
    assert re.search(r"CN=", seen[b"SSL_CLIENT_I_DN"].decode())


def test_ipv6_clients_are_named_without_brackets(scene):
    daemon = serve(scene, "/usr/bin/env", "accept = [::1]:0")
    near = scene.tls(("::1", daemon.ports("tls")[1]))
    assert b"\nREMOTE_HOST=::1\n" in b"\n" + near.rest()[0]


def test_exactly_three_descriptors(scene):
    """Also when whoever started the daemon left it one that is not close-on-exec."""
    reading, writing = os.pipe()
    daemon = serve(scene, "/bin/ls", "execArgs = ls /proc/self/fd", pass_fds=(reading, writing), head="foreground = quiet")
    os.close(reading)
    os.close(writing)
    # ls itself opens the directory as 3.
    assert says(scene, daemon) == (b"0\n1\n2\n3\n", END)


def test_signals_and_limits_are_as_before(scene):
    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    program = script(scene, "program", "grep -E '^Sig(Blk|Ign)' /proc/self/status; ulimit -Sn")
    daemon = serve(scene, program, preexec=prepare)
    text, _ = says(scene, daemon)
    assert text == b"SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n400\n"
    daemon.wait_log("Child process [0-9]+ finished with code 0")


def test_a_session_of_its_own(scene):
    daemon = serve(scene, script(scene, "program", "ps -o pid=,pgid=,sid= -p $$"))
    text, _ = says(scene, daemon)
    assert len(set(text.split())) == 1 and len(text.split()) == 3, text


def test_arguments_are_words(scene):
    program = script(scene, "program", 'printf "<%s>" "$@"')
    daemon = serve(scene, program, 'execArgs = name  one\t"two three"')
    assert says(scene, daemon)[0] == b'<one><"two><three">'


def test_a_renamed_program_keeps_the_arguments_of_the_default(scene):
    program = script(scene, "program", 'printf "<%s>" "$@"')
    daemon = scene.daemon(section(scene, f"exec = {program}"), head="exec = /bin/false\nexecArgs = x default\n")
    assert says(scene, daemon)[0] == b"<default>"


@pytest.mark.parametrize("foreground", ["yes", "quiet"])
def test_standard_error(scene, foreground):
    program = script(scene, "program", "echo complaint >&2; echo answer")
    daemon = serve(scene, program, head=f"foreground = {foreground}")
    text, _ = says(scene, daemon)
    assert text == (b"answer\n" if foreground == "yes" else b"complaint\nanswer\n")
    assert ("complaint\n" in daemon.read_stderr()) == (foreground == "yes")


# --- terminals


@pytest.mark.sanitize
def test_a_terminal_that_controls(scene):
    program = script(scene, "program", "tty </dev/tty; ps -o tty= -p $$")
    daemon = serve(scene, program, "pty = yes")
    device, controlling = scene.tls(daemon.port("tls")).rest()[0].split()
    assert device == b"/dev/tty" and controlling.startswith(b"pts/")


def test_a_terminal_echoes_and_ends_with_the_tunnel(scene):
    daemon = serve(scene, "/bin/cat", "pty = yes")
    near = scene.tls(daemon.port("tls")).send(b"line\n")
    assert near.recv(12) == b"line\r\nline\r\n"  # the terminal's echo, and cat's
    assert near.shut().rest() == (b"", END)
    daemon.wait_log("Child process [0-9]+ terminated on SIGHUP")
    daemon.wait_end(end="done")


# --- ends


@pytest.mark.parametrize("text, said", [
    ("exit 0", "finished with code 0"), ("exit 7", "finished with code 7"),
    ("kill -SEGV $$", "terminated on SIGSEGV"), ("kill -KILL $$", "terminated on SIGKILL"),
])
def test_a_program_that_dies_at_once(scene, text, said):
    daemon = serve(scene, script(scene, "program", text))
    assert scene.tls(daemon.port("tls")).rest() == (b"", END)
    daemon.wait_log(rf"LOG6\[0\]: Child process \d+ {said}$")


@pytest.mark.sanitize
@pytest.mark.parametrize("what, cause", [
    ("missing", r"No such file or directory \(2\)"), ("plain", r"Permission denied \(13\)"),
    ("folder", r"Permission denied \(13\)"), ("empty", r"Exec format error \(8\)"),
])
def test_a_program_that_cannot_be_started_ends_the_tunnel(scene, what, cause):
    path = str(scene.folder / what)
    if what == "folder":
        os.mkdir(path)
    elif what != "missing":
        os.chmod(scene.file(what, ""), 0o755 if what == "empty" else 0o644)
    daemon = serve(scene, path)
    assert scene.tls(daemon.port("tls")).ended() == RESET
    daemon.wait_log(rf"Cannot start the program: {path}: {cause}")
    daemon.wait_end(end="exec")


def test_a_program_that_ignores_the_end(scene):
    """TIMEOUTclose ends the tunnel, the program may go on, and its end is still noticed."""
    daemon = serve(scene, "/bin/sleep", "execArgs = sleep 1000", "TIMEOUTclose = 1")
    near = scene.tls(daemon.port("tls")).shut()
    assert near.ended() == CUT
    daemon.wait_end(end="close_timeout")
    pid = int(daemon.wait_log(CHILD)[1])
    os.kill(pid, signal.SIGTERM)
    daemon.wait_log(f"Child process {pid} terminated on SIGTERM")


def test_a_client_that_leaves_ends_the_program(scene):
    daemon = serve(scene, "/bin/cat")
    near = scene.tls(daemon.port("tls")).send(b"x")
    assert near.recv(1) == b"x"
    near.reset()
    daemon.wait_end(end="reset_near")
    daemon.wait_log("Child process [0-9]+ finished with code 0")


@pytest.mark.sanitize
def test_two_hundred_at_once(scene):
    daemon = serve(scene, "/bin/cat")
    before = daemon.descriptors()
    peers = [scene.tls(daemon.port("tls"), handshake=False) for _ in range(200)]
    for i, near in enumerate(peers):
        near.handshake().send(b"%03d" % i)
    for i, near in enumerate(peers):
        assert near.recv(3) == b"%03d" % i
    for near in peers:
        near.shut()
    for near in peers:
        assert near.ended() == END
        near.close()
    daemon.wait_log("Child process [0-9]+ finished with code 0", count=200)
    daemon.await_descriptors(before)
    with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as file:
        assert file.read() == "", "a child was not reaped"


def test_programs_that_ignore_the_end_do_not_pile_up(scene):
    """As many as there may be tunnels, and no more."""
    daemon = serve(scene, "/bin/sleep", "execArgs = sleep 1000", "TIMEOUTclose = 0", "TIMEOUTidle = 0",
                   head="workers = 1\n", limits=[(resource.RLIMIT_NOFILE, 160)])
    most = int(daemon.wait_log(r"at most (\d+) connections")[1])
    for i in range(most):
        near = scene.tls(daemon.port("tls"))
        with contextlib.suppress(OSError):  # the tunnel may be over already
            near.shut()
        near.close()
        daemon.wait_end(count=i + 1)
    assert scene.tls(daemon.port("tls")).ended() == RESET
    pids = [int(pid) for pid in re.findall(CHILD, daemon.log())]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert len(pids) == most
    daemon.wait_log(f"Cannot start the program: {most} are still running")


def test_a_running_program_survives_a_reload(scene):
    daemon = serve(scene, "/bin/cat")
    near = scene.tls(daemon.port("tls")).send(b"a")
    assert near.recv(1) == b"a"
    daemon.write(section(scene, "exec = /bin/false"))
    daemon.reload()
    assert near.send(b"b").recv(1) == b"b"
    assert near.shut().rest() == (b"", END)
    daemon.wait_log("Child process [0-9]+ finished with code 0")
    assert scene.tls(daemon.port("tls")).rest() == (b"", END)
    daemon.wait_log("Child process [0-9]+ finished with code 1")


# --- services that start themselves


def starter(scene, target, *lines, program="/bin/cat", **how):
    text = "\n".join(["[job]", "client = yes", f"connect = {target.address}", f"exec = {program}", *lines, ""])
    return scene.daemon(text, **how)


@pytest.mark.sanitize
def test_a_program_takes_the_place_of_the_client(scene):
    """exec and connect without accept: once, at the start."""
    backend = scene.backend(scene.pki.server_context())
    daemon = starter(scene, backend, program=script(scene, "program", 'env >"$0.env"; exec cat'))
    far = scene.keep(backend.accept()).send(b"hello")
    assert far.recv(5) == b"hello"
    assert far.shut().rest() == (b"", END)
    daemon.wait_end(end="done", peer="-")
    daemon.wait_log(r"LOG7\[ui\]: Starting exec\+connect service \[job\]")
    daemon.wait_log(r"LOG5\[0\]: Service \[job\] accepted connection$")
    daemon.wait_log("Child process [0-9]+ finished with code 0")
    assert "REMOTE_" not in (scene.folder / "program.env").read_text(encoding="utf-8")
    assert "Retrying" not in daemon.log()


@pytest.mark.sanitize
def test_retry(scene):
    """Again and again, whether the target was there or not; each run has a name of its own."""
    backend = scene.backend(scene.pki.server_context())
    daemon = starter(scene, backend, "retry = 50")
    for i in range(3):
        scene.keep(backend.accept()).shut().close()
        daemon.wait_log(rf"LOG6\[0_{i}\]: Retrying an exec\+connect section")
    backend.close()
    daemon.wait_end(end="connect", count=2)
    daemon.wait_log("Retrying", count=6)


def test_retry_of_a_program_that_cannot_be_started(scene):
    backend = scene.backend()
    daemon = starter(scene, backend, "retry = 0", program="/nonexistent")
    daemon.wait_end(end="exec", count=5)
    assert daemon.cpu_seconds() < 2


def test_a_reload_starts_anew_and_lets_the_old_run_end(scene):
    backend, other = scene.backend(scene.pki.server_context()), scene.backend(scene.pki.server_context())
    daemon = starter(scene, backend, "retry = yes")
    old = scene.keep(backend.accept())
    text = "\n".join(["[job]", "client = yes", f"connect = {other.address}", "exec = /bin/cat", "retry = 10", ""])
    daemon.write(text)
    daemon.reload()
    new = scene.keep(other.accept())
    for far in (old, new):
        assert far.send(b"x").recv(1) == b"x"
    mark = daemon.mark()
    assert old.shut().rest() == (b"", END)
    daemon.wait_end(after=mark)
    new.shut().close()
    scene.keep(other.accept())
    assert not backend_has_more(backend), "the old service started once more"


def backend_has_more(backend):
    return bool(select.select([backend.sock], [], [], 0)[0])


def test_a_stop_waits_for_no_retry(scene):
    backend = scene.backend(scene.pki.server_context())
    daemon = starter(scene, backend, "retry = 3600000")
    scene.keep(backend.accept()).shut().close()
    daemon.wait_log("Retrying")
    daemon.stop(deadline=1)


@pytest.mark.parametrize("value", ["-1", "maybe", "1.5", "99999999999"])
def test_an_illegal_retry_delay(scene, value):
    done = scene.run("check", scene.file("x.conf", f"[x]\nclient = yes\nconnect = 1\nexec = /bin/cat\nretry = {value}\n"))
    assert done.returncode == 78 and "Illegal retry delay" in done.stderr


# --- two endpoints, not more and not fewer


@pytest.mark.parametrize("lines", [
    ["accept = 127.0.0.1:0"], ["exec = /bin/cat"], ["connect = 127.0.0.1:1"],
    ["accept = 127.0.0.1:0", "connect = 127.0.0.1:1", "exec = /bin/cat"],
])
def test_each_service_has_two_endpoints(scene, lines):
    with pytest.raises(NotStarted) as caught:
        scene.daemon("\n".join(["[x]", "client = yes", *lines]))
    assert "Each service must define two endpoints" in caught.value.stderr
    assert caught.value.status == 78
