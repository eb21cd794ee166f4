# SPDX-License-Identifier: Apache-2.0
# Who may come in by the word of others: ident (RFC 1413) and libwrap (hosts_access(5)).
import os
import signal
import socket
import subprocess

import pytest

from lib.daemon import GINNEL, Daemon
from lib.peer import RESET, Backend, echo, greeter
from lib.wait import until

# --- ident: the server's port is fixed, so it needs a network of its own


@pytest.fixture
def machine(scene):
    return scene.closers.enter_context(scene.machines(1)[0])


class IdentServer(Backend):
    def __init__(self, host="127.0.0.1"):
        self.context = None
        self.sock = socket.create_server((host, 113), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.settimeout(15)

    def answer(self, text):
        """Take one question, and give it an answer of which %s is the question."""
        with self.accept() as asked:
            question = asked.recv(1)
            while not question.endswith(b"\r\n"):
                question += asked.recv(1)
            question = question[:-2].decode()
            asked.send(text.replace("%s", question).encode() + b"\r\n")
            return question, asked.sock.getsockname()


def serve_ident(scene, *lines):
    return scene.server_mode(scene.server(echo), "ident = alice", *lines)


@pytest.mark.root
@pytest.mark.sanitize
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_named_user_comes_in(scene, machine, host):
    server = scene.keep(IdentServer(host))
    daemon = serve_ident(scene, "accept = [::1]:0")
    port = daemon.ports("tls")[0 if host == "127.0.0.1" else 1]
    near = scene.tls((host, port), handshake=False)
    question, _ = server.answer("%s : USERID : UNIX :alice")
    assert question == f"{near.sock.getsockname()[1]} , {port}"
    near.handshake().send(b"x")
    assert near.recv(1) == b"x"
    daemon.wait_log("LOG6.*IDENT authentication passed\n(.*\n)*.*accepted connection from")


@pytest.mark.root
@pytest.mark.sanitize
@pytest.mark.parametrize("answer, user", [
    ("%s : USERID : UNIX : bob", "bob"), ("%s : ERROR : NO-USER", ""), ("", ""), ("%s : USERID : UNIX : \x1b[2J", r"\\x1b\[2J"),
    ("x" * 2000, ""), ("%s : USERID : UNIX : alice\0", ""),
])
def test_anybody_else_does_not(scene, machine, answer, user):
    server = scene.keep(IdentServer())
    daemon = serve_ident(scene)
    near = scene.tls(daemon.port("tls"), handshake=False)
    server.answer(answer)
    assert near.ended() == RESET
    daemon.wait_log(rf'LOG4.*Connection from 127.0.0.1:\d+ REFUSED by IDENT \(user "{user}"\)')
    daemon.wait_end(end="ident")
    assert "accepted connection" not in daemon.log()


@pytest.mark.root
def test_no_ident_server(scene, machine):
    daemon = serve_ident(scene)
    assert scene.tls(daemon.port("tls"), handshake=False).ended() == RESET
    daemon.wait_log("IDENT: 127.0.0.1:113: Connection refused")
    daemon.wait_end(end="ident")


@pytest.mark.root
def test_a_silent_ident_server_holds_nobody_up(scene, machine):
    server = scene.keep(IdentServer())
    free = scene.section("free", scene.server(echo), f"cert = {scene.pki.server.bundle}")
    daemon = scene.daemon(
        scene.section("tls", scene.server(echo), f"cert = {scene.pki.server.bundle}", "ident = alice", "TIMEOUTconnect = 1")
        + free, head="workers = 1\n",
    )
    waiting = scene.tls(daemon.port("tls"), handshake=False)
    asked = scene.keep(server.accept())
    near = scene.tls(daemon.port("free")).send(b"x")
    assert near.recv(1) == b"x"
    assert waiting.ended() == RESET
    daemon.wait_log("IDENT: .*TIMEOUTconnect exceeded")
    asked.close()


def test_unix_sockets_are_not_asked_about(scene):
    path = scene.socket_path("way-in")
    daemon = scene.server_mode(scene.server(greeter(b"x")), f"accept = {path}", "ident = alice", "libwrap = yes")
    assert scene.tls(path).recv(1) == b"x"
    daemon.wait_log("accepted connection from")


# --- libwrap: with files of its own in the places of the system's

WRAPPED = 'mount --make-rprivate / && mount --bind "$A" /etc/hosts.allow && mount --bind "$D" /etc/hosts.deny && exec "$0" "$@"'


class Wrapped(Daemon):
    program = "/usr/bin/unshare"


@pytest.fixture
def wrapped(scene):
    """A daemon that finds these rules in /etc/hosts.allow and /etc/hosts.deny."""
    if "LIBWRAP" not in scene.run("-version").stderr:
        pytest.skip("NOT TESTED: built without libwrap")
    probe = subprocess.run(["unshare", "-m", "true"], check=False)
    if probe.returncode != 0 or not os.path.exists("/etc/hosts.allow"):
        pytest.skip("NOT TESTED: no mount namespaces, or no /etc/hosts.allow to cover")

    def start(allow, deny, text, head=""):
        folder = scene.folder / "ginnel"
        folder.mkdir(exist_ok=True)
        env = {"A": scene.file("allow", allow + "\n"), "D": scene.file("deny", deny + "\n")}
        daemon = Wrapped(folder, text, head, start=False, env=env,
                         args=["-m", "sh", "-c", WRAPPED, GINNEL, str(folder / "ginnel.conf")])
        scene.daemons.append(daemon)
        daemon.start()
        return daemon

    return start


def section(scene, name, *lines):
    return scene.section(name, scene.server(greeter(name[0].encode())), f"cert = {scene.pki.server.bundle}", "libwrap = yes", *lines)


@pytest.mark.root
@pytest.mark.sanitize
def test_libwrap_lets_in_and_refuses(scene, wrapped):
    daemon = wrapped("good: 127.0.0.1", "ALL: ALL", section(scene, "good") + section(scene, "bad"))
    assert scene.tls(daemon.port("good")).recv(1) == b"g"
    assert scene.tls(daemon.port("bad"), handshake=False).ended() == RESET
    daemon.wait_log(r"LOG4.*Service \[bad\] REFUSED by libwrap from 127.0.0.1:\d+$")
    daemon.wait_end(end="libwrap", service="bad")
    assert "[bad] accepted connection" not in daemon.log()


@pytest.mark.root
def test_what_the_rules_run_does_not_touch_the_daemon(scene, wrapped):
    """twist replaces the process that reads the rules by a shell that speaks to the client."""
    daemon = wrapped("twisted: ALL: twist /bin/echo go away", "", section(scene, "twisted") + section(scene, "plain"))
    for _ in range(3):
        assert scene.connect(daemon.port("twisted")).rest()[0] in (b"go away\n", b"")
        assert scene.tls(daemon.port("plain")).recv(1) == b"p"
    daemon.wait_end(end="libwrap", count=3)


@pytest.mark.root
@pytest.mark.sanitize
def test_a_client_that_the_rules_keep_is_no_longer_ours(scene, wrapped):
    """The program of twist still has the socket when our tunnel is over: what comes there is not for us."""
    fifo = str(scene.folder / "fifo")
    os.mkfifo(fifo)
    daemon = wrapped(f"twisted: ALL: twist /bin/cat {fifo}", "", section(scene, "twisted") + section(scene, "plain"))
    for count in range(1, 4):
        near = scene.connect(daemon.port("twisted"))
        daemon.wait_end(end="libwrap", count=count)
        for _ in range(3):
            near.send(b"x")
            assert scene.tls(daemon.port("plain")).recv(1) == b"p"
        with open(fifo, "wb") as end:
            end.write(b"last words")
        assert near.rest()[0] in (b"last words", b"")


@pytest.mark.root
def test_many_at_once(scene, wrapped):
    daemon = wrapped("good: ALL", "ALL: ALL", section(scene, "good"))
    before = daemon.descriptors()
    peers = [scene.tls(daemon.port("good"), handshake=False) for _ in range(100)]
    assert all(near.handshake().recv(1) == b"g" for near in peers)
    for near in peers:
        near.close()
    daemon.await_descriptors(before)


def helper_of(daemon):
    with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as file:
        helpers = file.read().split()
    assert len(helpers) == 1
    return int(helpers[0])


@pytest.mark.root
@pytest.mark.sanitize
def test_more_questions_than_the_helper_can_take_at_once(scene, wrapped):
    """Its socket has room for some; who comes then waits, and is not refused."""
    count = 300
    daemon = wrapped("good: ALL", "ALL: ALL", section(scene, "good"))
    helper = helper_of(daemon)
    os.kill(helper, signal.SIGSTOP)
    try:
        peers = [scene.tls(daemon.port("good"), handshake=False) for _ in range(count)]
        daemon.wait_log(r"Service \[good\] started", count=count)
    finally:
        os.kill(helper, signal.SIGCONT)
    assert all(near.handshake().recv(1) == b"g" for near in peers)


@pytest.mark.root
def test_a_reload_cannot_begin_with_libwrap(scene, wrapped):
    daemon = wrapped("ALL: ALL", "", scene.section("x", scene.server(greeter(b"x")), f"cert = {scene.pki.server.bundle}"))
    daemon.write(section(scene, "x"))
    assert "libwrap = yes is new; it needs a restart" in daemon.reload(good=False)
    assert scene.tls(daemon.port("x")).recv(1) == b"x"


@pytest.mark.root
def test_the_helper_ends_with_the_daemon(scene, wrapped):
    daemon = wrapped("ALL: ALL", "", section(scene, "x"))
    helper = helper_of(daemon)
    daemon.kill()
    until(lambda: not os.path.exists(f"/proc/{helper}/exe") or _is_zombie(helper), "the helper has ended")


def _is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"
