# SPDX-License-Identifier: Apache-2.0
# FTP: the dialogue under TLS, the data connections beside it, and who may come to them.
import contextlib
import random
import re
import socket
import ssl

import pytest

from lib.peer import CUT, END, RESET, TlsPeer

pytestmark = pytest.mark.sanitize

BULK = bytes(range(256)) * 2000


def line(peer):
    """One line, with its end."""
    got = b""
    while not got.endswith(b"\n"):
        got += peer.recv(1)
    return got


def ask(near, command, answer=b""):
    """A command that is answered by ginnel."""
    near.send(command + b"\r\n")
    got = line(near)
    assert got.startswith(answer), got
    return got


def hand_on(near, far, command, answer):
    """... by the server."""
    near.send(command + b"\r\n")
    assert line(far) == command + b"\r\n"
    far.send(answer + b"\r\n")
    assert line(near) == answer + b"\r\n"


class Stage:
    """A control connection under TLS on one side, and the server's end of it."""

    def __init__(self, scene, daemon, near, far):
        self.scene, self.daemon, self.near, self.far = scene, daemon, near, far

    def passive(self, command=b"EPSV"):
        """Ask for a data connection: our port, and the server's."""
        backend = self.scene.backend()
        self.near.send(command + b"\r\n")
        assert line(self.far) == b"PASV\r\n"
        self.far.send(b"227 Go (10,0,0,1,%d,%d).\r\n" % divmod(backend.port, 256))
        answer = line(self.near).decode()
        if command == b"EPSV":
            return int(re.fullmatch(r"229 .*\(\|\|\|(\d+)\|\)\r\n", answer)[1]), backend
        numbers = re.fullmatch(r"227 .*\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)\r\n", answer).groups()
        assert numbers[:4] == ("127", "0", "0", "1"), "ours, not what the server says"
        return int(numbers[4]) * 256 + int(numbers[5]), backend


@pytest.fixture
def serve(scene, pki):
    """ginnel as the server of TLS, up to the login."""

    def make(*lines, level=b"P", version=None):
        backend = scene.backend()
        daemon = scene.server_mode(backend, "protocol = ftp", *lines, name="ftp")
        near = scene.connect(daemon.port("ftp"))
        far = scene.keep(backend.accept())
        far.send(b"220-ftp.test\r\n220 Hello\r\n")
        assert near.recv(25) == b"220-ftp.test\r\n220 Hello\r\n"
        ask(near, b"AUTH TLS", b"234 ")
        near = scene.keep(TlsPeer(near.sock, pki.client_context(version=version), name="localhost"))
        ask(near, b"PBSZ 0", b"200 ")
        ask(near, b"PROT " + level, b"200 ")
        hand_on(near, far, b"USER bob", b"331 And?")
        hand_on(near, far, b"PASS secret", b"230 In")
        return Stage(scene, daemon, near, far)

    return make


@pytest.fixture
def call(scene, pki):
    """ginnel as the client of TLS, up to the login."""

    def make(*lines):
        backend = scene.backend()
        daemon = scene.client_mode(backend, "protocol = ftp", f"CAfile = {pki.ca.path}", "verifyChain = yes", *lines,
                                   name="ftp")
        near, far = scene.plain_pair(daemon, backend, "ftp")
        far.send(b"220 Hello\r\n")
        assert line(near) == b"220 Hello\r\n"
        assert line(far) == b"AUTH TLS\r\n"
        far.send(b"234 Go\r\n")
        context = pki.server_context()
        far = scene.keep(TlsPeer(far.sock, context, server=True))
        for command in (b"PBSZ 0\r\n", b"PROT P\r\n"):
            assert line(far) == command
            far.send(b"200 OK\r\n")
        hand_on(near, far, b"USER bob", b"331 And?")
        hand_on(near, far, b"PASS secret", b"230 In")
        stage = Stage(scene, daemon, near, far)
        stage.context = context
        return stage

    return make


def reaches(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- the data of a server


@pytest.mark.parametrize("command", [b"EPSV", b"PASV"])
@pytest.mark.parametrize("level", [b"P", b"C"])
def test_data_goes_both_ways(level, command, serve, scene, pki):
    stage = serve(level=level)
    for download in (True, False):
        port, backend = stage.passive(command)
        data = scene.connect(port)
        # Servers wait for us before they tell the client to begin, so TLS must not be waited for.
        far = scene.keep(backend.accept())
        hand_on(stage.near, stage.far, b"RETR f" if download else b"STOR f", b"150 Here")
        near = TlsPeer(data.sock, pki.client_context(), name="localhost") if level == b"P" else data
        source, sink = (far, near) if download else (near, far)
        source.send(BULK).shut()
        assert sink.rest() == (BULK, END)
        stage.far.send(b"226 Done\r\n")
        assert line(stage.near) == b"226 Done\r\n"
        sink.shut()
        stage.daemon.wait_end(end="done", count=1 if download else 2)
    assert "secret" not in stage.daemon.log(), "the password is not even in the log of level 7"


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_data_takes_up_the_session_of_the_client(version, serve, scene, pki):
    stage = serve(version=version)
    for _ in range(2):
        port, backend = stage.passive()
        data = scene.connect(port)
        far = scene.keep(backend.accept())
        near = TlsPeer(data.sock, stage.near.tls.context, name="localhost", session=stage.near.session)
        assert near.reused
        far.send(b"x").shut()
        assert near.rest() == (b"x", END)


def test_data_in_clear_is_not_taken_for_tls(serve, scene):
    stage = serve()
    port, backend = stage.passive()
    data = scene.connect(port)
    far = scene.keep(backend.accept())
    data.send(b"not a ClientHello")
    stage.daemon.wait_end(end="not_tls")
    assert far.rest()[0] == b""
    hand_on(stage.near, stage.far, b"NOOP", b"200 OK")


def test_a_cut_upload_is_told_apart(serve, scene, pki):
    stage = serve()
    port, backend = stage.passive()
    data = scene.connect(port)
    far = scene.keep(backend.accept())
    near = TlsPeer(data.sock, pki.client_context(), name="localhost")
    near.send(BULK)
    near.fin()
    assert far.recv(len(BULK)) == BULK
    far.shut()
    stage.daemon.wait_end(end="cut")


# --- who may come, and when


def test_strangers_are_turned_away(serve, scene, pki):
    stage = serve()
    port, backend = stage.passive()
    for _ in range(3):
        assert scene.connect(port, source=("127.0.0.2", 0)).ended() == RESET
    assert backend.unvisited()
    data = scene.connect(port)
    far = scene.keep(backend.accept())
    near = TlsPeer(data.sock, pki.client_context(), name="localhost")
    far.send(b"for the client").shut()
    assert near.rest() == (b"for the client", END)


def test_many_strangers_close_the_way(serve, scene):
    stage = serve()
    port, _ = stage.passive()
    for _ in range(16):
        assert scene.connect(port, source=("127.0.0.2", 0)).ended() == RESET
    stage.daemon.wait_log("is not from our client, and refused", count=16)
    assert not reaches(port)
    stage.passive()


def test_one_comes_for_each_invitation(serve, scene):
    stage = serve(level=b"C")
    first, _ = stage.passive()
    port, backend = stage.passive()
    assert not reaches(first), "another one took its place"
    data = scene.connect(port)
    scene.keep(backend.accept())
    assert not reaches(port)
    data.close()


def bind_behind_a_free_one(sock):
    """To a port below those that the system gives out, while the one before it is free, too."""
    for port in random.sample(range(20001, 32001), 100):
        with socket.socket() as before, contextlib.suppress(OSError):
            before.bind(("127.0.0.1", port - 1))
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no two free ports side by side")


def test_ports_for_a_firewall(serve, scene):
    """The second port of two is taken, and the first is used again and again."""
    with socket.socket() as taken:
        second = bind_behind_a_free_one(taken)
        taken.listen()
        stage = serve(f"protocolPorts = {second - 1}-{second}", level=b"C")
        for _ in range(3):
            port, backend = stage.passive()
            assert port == second - 1
        data = scene.connect(port)
        scene.keep(backend.accept()).send(b"x").shut()
        assert data.rest() == (b"x", END)


def test_no_port_is_left(serve):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stage = serve(f"protocolPorts = {taken.getsockname()[1]}")
        stage.near.send(b"EPSV\r\n")
        assert line(stage.far) == b"PASV\r\n"
        stage.far.send(b"227 Go (127,0,0,1,1,1)\r\n")
        assert line(stage.near).startswith(b"425 ")
        hand_on(stage.near, stage.far, b"NOOP", b"200 OK")


def test_nobody_is_waited_for_without_end(serve):
    stage = serve("TIMEOUTbusy = 3")
    port, _ = stage.passive()
    stage.daemon.wait_log("Nobody came to be led to port")
    assert not reaches(port)
    hand_on(stage.near, stage.far, b"NOOP", b"200 OK")


def test_the_end_of_control_is_the_end_of_waiting(serve, scene):
    stage = serve(level=b"C")
    port, backend = stage.passive()
    data = scene.connect(port)
    far = scene.keep(backend.accept())
    other, _ = stage.passive()
    hand_on(stage.near, stage.far, b"QUIT", b"221 Bye")
    stage.near.shut()
    assert stage.far.ended() == END
    stage.daemon.wait_end(end="done")
    assert not reaches(other)
    far.send(BULK).shut()
    assert data.rest() == (BULK, END), "what is under way goes on"


def test_the_server_ends_it(serve):
    stage = serve()
    stage.far.send(b"421 Too long\r\n").shut()
    assert stage.near.rest() == (b"421 Too long\r\n", END)
    stage.daemon.wait_end(end="done")


def test_a_client_that_is_cut_off(serve):
    stage = serve()
    stage.near.fin()
    assert stage.far.ended() == END
    stage.daemon.wait_end(end="cut")


def test_silence_ends_it(serve):
    stage = serve("TIMEOUTidle = 3")
    assert stage.near.rest()[1] in (CUT, RESET)
    stage.daemon.wait_end(end="idle")


def test_a_reload_does_not_part_them(serve, scene, pki):
    stage = serve()
    stage.daemon.reload()
    port, backend = stage.passive()
    data = scene.connect(port)
    far = scene.keep(backend.accept())
    near = TlsPeer(data.sock, pki.client_context(), name="localhost")
    far.send(b"x").shut()
    assert near.rest() == (b"x", END)


def test_a_hasty_client_is_answered_as_it_reads(serve):
    stage = serve()
    stage.near.send(b"PBSZ 0\r\n" * 20000)
    for _ in range(20000):
        assert line(stage.near) == b"200 PBSZ=0\r\n"
    hand_on(stage.near, stage.far, b"NOOP", b"200 OK")


def test_the_server_is_not_led_elsewhere(serve, scene):
    """A port of the server is all that it can name."""
    stage = serve()
    stage.near.send(b"PORT 127,0,0,1,0,22\r\nEPRT |1|127.0.0.1|22|\r\n")
    assert line(stage.near).startswith(b"502 ") and line(stage.near).startswith(b"502 ")
    hand_on(stage.near, stage.far, b"NOOP", b"200 OK")
    stage.near.send(b"PASV\r\n")
    assert line(stage.far) == b"PASV\r\n"
    stage.far.send(b"227 Nowhere\r\n")
    assert stage.near.rest()[0] == b""
    stage.daemon.wait_end(end="proto_server")


def test_ipv6_and_ipv4_meet(scene, pki):
    backend, data_backend = scene.backend(), scene.backend()
    daemon = scene.daemon(f"[ftp]\naccept = ::1:0\nconnect = {backend.address}\nprotocol = ftp\n"
                          f"cert = {pki.server.bundle}\n")
    near = scene.connect(("::1", daemon.port("ftp")))
    far = scene.keep(backend.accept())
    far.send(b"220 Hello\r\n")
    assert line(near) == b"220 Hello\r\n"
    ask(near, b"AUTH TLS", b"234 ")
    near = TlsPeer(near.sock, pki.client_context(), name="localhost")
    ask(near, b"PASV", b"425 ")
    ask(near, b"EPSV 1", b"522 ")
    near.send(b"EPSV 2\r\n")
    assert line(far) == b"PASV\r\n"
    far.send(b"227 Go (127,0,0,1,%d,%d)\r\n" % divmod(data_backend.port, 256))
    port = int(re.search(rb"\|\|\|(\d+)\|", line(near))[1])
    data = scene.connect(("::1", port))
    scene.keep(data_backend.accept()).send(b"x").shut()
    assert data.rest() == (b"x", END)


def test_no_data_by_unix_sockets(scene, pki):
    backend = scene.backend(path=scene.socket_path("ftp.sock"))
    daemon = scene.server_mode(backend, "protocol = ftp", name="ftp")
    near = scene.connect(daemon.port("ftp"))
    far = scene.keep(backend.accept())
    far.send(b"220 Hello\r\n")
    assert line(near) == b"220 Hello\r\n"
    ask(near, b"AUTH TLS", b"234 ")
    near = TlsPeer(near.sock, pki.client_context(), name="localhost")
    ask(near, b"PASV", b"425 ")
    hand_on(near, far, b"NOOP", b"200 OK")


# --- the data of a client


@pytest.mark.parametrize("download", [True, False])
def test_a_clients_data_has_tls_and_its_session(download, call, scene):
    stage = call()
    for _ in range(2):
        port, backend = stage.passive(b"PASV")
        near = scene.connect(port)
        far = scene.keep(backend.accept())
        hand_on(stage.near, stage.far, b"RETR f" if download else b"STOR f", b"150 Here")
        far = TlsPeer(far.sock, stage.context, server=True)
        assert far.reused, "many servers demand it"
        source, sink = (far, near) if download else (near, far)
        source.send(BULK).shut()
        assert sink.rest() == (BULK, END)
        stage.far.send(b"226 Done\r\n")
        assert line(stage.near) == b"226 Done\r\n"
        sink.shut()
    stage.daemon.wait_end(end="done", count=2)
    assert "secret" not in stage.daemon.log()


def test_a_clients_data_is_for_the_verified_alone(call, scene, pki):
    stage = call()
    port, backend = stage.passive()
    near = scene.connect(port)
    near.send(b"secret of the local program")
    far = scene.keep(backend.accept())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsPeer(far.sock, pki.server_context(pki.foreign), server=True).recv(1)
    stage.daemon.wait_end(end="cert_rejected")


def test_a_client_keeps_tls_from_the_local_program(call):
    stage = call()
    for command in (b"AUTH TLS", b"PBSZ 0", b"PROT C"):
        ask(stage.near, command, b"502 ")
    ask(stage.near, b"CCC", b"533 ")
    ask(stage.near, b"PORT 127,0,0,1,0,22", b"502 ")
    hand_on(stage.near, stage.far, b"NOOP", b"200 OK")


# --- nothing in clear gets into TLS


@pytest.mark.parametrize("behind", [b"U", b"USER x\r\n", b"\0", b"x" * 20000], ids=lambda b: repr(b[:8]))
def test_server_ends_on_bytes_behind_auth(behind, scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = ftp")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(b"220 Hello\r\n")
    assert line(near) == b"220 Hello\r\n"
    near.send(b"AUTH TLS\r\n" + behind)
    assert near.ended() == RESET, "no consent"
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


@pytest.mark.parametrize("behind", [b"2", b"200 x\r\n", b"\0", b"x" * 20000], ids=lambda b: repr(b[:8]))
def test_client_ends_on_bytes_behind_consent(behind, scene):
    backend = scene.backend()
    daemon = scene.client_mode(backend, "protocol = ftp")
    near, far = scene.plain_pair(daemon, backend)
    far.send(b"220 Hello\r\n")
    assert line(near) == b"220 Hello\r\n"
    assert line(far) == b"AUTH TLS\r\n"
    far.send(b"234 Go\r\n" + behind)
    assert near.ended() == RESET
    daemon.wait_end(end="starttls_injection")


@pytest.mark.parametrize("answers, end", [
    ([b"220 Hello", b"500 What?"], "no_starttls_far"),
    ([b"421 Later"], "proto_server"),
])
def test_a_client_does_not_go_on_without_tls(answers, end, scene):
    backend = scene.backend()
    daemon = scene.client_mode(backend, "protocol = ftp")
    near, far = scene.plain_pair(daemon, backend)
    near.send(b"USER bob\r\nPASS secret\r\n")
    for answer in answers:
        far.send(answer + b"\r\n")
    assert b"USER" not in far.rest()[0]
    daemon.wait_end(end=end)


def test_a_server_refuses_who_goes_on_in_clear(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = ftp")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(b"220 Hello\r\n")
    assert line(near) == b"220 Hello\r\n"
    near.send(b"USER bob\r\nPASS secret\r\n")
    assert near.rest() == (b"530 AUTH TLS first\r\n", END)
    daemon.wait_end(end="no_starttls")
    assert far.rest()[0] == b"" and "secret" not in daemon.log()


# --- the configuration


@pytest.mark.parametrize("lines, complaint", [
    (["acceptTLS = yes", "connectTLS = yes"], "TLS is on one side only"),
    (["proxyVia = http://127.0.0.1:3128"], "would go past the proxies"),
    (["exec = /bin/true"], "a program has none"),
    (["transparent = source"], "would not follow"),
    (["proxyProtocolFrom = 127.0.0.1"], "would not come through the proxy"),
    (["protocolHost = ftp.test"], "is no IPv4 address"),
    (["protocolHost = 203.0.113.9"], None),
    (["protocolPorts = 50000"], None),
    (["protocolPorts = 50000-50099"], None),
    (["protocolPorts = 50099-50000"], "these are no ports"),
    (["protocolPorts = 0-1"], "these are no ports"),
    (["protocolPorts = 1-65536"], "these are no ports"),
    (["protocolPorts = 1-"], "these are no ports"),
    (["protocolPorts = -1"], "these are no ports"),
    (["protocolPorts = 1-2-3"], "these are no ports"),
    (["protocolPorts = ftp"], "these are no ports"),
])
def test_what_goes_with_it(lines, complaint, scene, pki):
    text = scene.section("ftp", "127.0.0.1:21", "protocol = ftp", f"cert = {pki.server.bundle}", *lines)
    done = scene.run("check", scene.file("check.conf", text))
    assert (done.returncode == 78) == (complaint is not None), done.stdout + done.stderr
    assert complaint is None or complaint in done.stdout + done.stderr
