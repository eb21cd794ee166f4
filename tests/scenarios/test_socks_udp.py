# SPDX-License-Identifier: Apache-2.0
# SOCKS: datagrams (UDP ASSOCIATE), users, and rules.
import socket
import struct

import pytest

from lib.peer import END
from lib.wait import until
from scenarios.test_connect_proxy import USERS

pytestmark = pytest.mark.sanitize


def socks(scene, pki, *lines, tls=False, **how):
    kind = f"cert = {pki.server.bundle}" if tls else "acceptTLS = no"
    return scene.daemon("\n".join(["[socks]", "accept = 127.0.0.1:0", "protocol = socks", kind, *lines, ""]), **how)


def enter(scene, daemon, tls=False, login=None):
    near = (scene.tls if tls else scene.connect)(daemon.port("socks"))
    if login is None:
        near.send(b"\5\1\0")
        assert near.recv(2) == b"\5\0"
        return near
    user, password = (word.encode() for word in login)
    near.send(b"\5\2\0\2")
    assert near.recv(2) == b"\5\2"
    near.send(b"\1" + bytes([len(user)]) + user + bytes([len(password)]) + password)
    return near


def address(port, host="127.0.0.1"):
    return b"\1" + socket.inet_aton(host) + struct.pack(">H", port)


def associate(near):
    near.send(b"\5\3\0" + address(0, "0.0.0.0"))
    reply = near.recv(10)
    assert reply[:4] == b"\5\0\0\1", reply
    return socket.inet_ntoa(reply[4:8]), struct.unpack(">H", reply[8:])[0]


def is_bound(port):
    """proc(5), /proc/net/udp: local addresses in hexadecimal digits."""
    with open("/proc/net/udp", encoding="ascii") as table:
        return any(line.split()[1].endswith(f":{port:04X}") for line in table)


class Datagrams:
    """A UDP socket that fails after a while instead of waiting for ever."""

    def __init__(self, scene):
        self.sock = scene.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.sock.settimeout(10)

    def send(self, data, to):
        self.sock.sendto(data, to)

    def get(self):
        return self.sock.recvfrom(65536)

    def quiet(self):
        self.sock.settimeout(0.1)
        with pytest.raises(socket.timeout):
            self.sock.recv(65536)
        self.sock.settimeout(10)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_datagrams_go_and_come(scene, pki, tls):
    target = Datagrams(scene)
    daemon = socks(scene, pki, f"allow = * -> 127.0.0.1:{target.port}", tls=tls)
    near, client = enter(scene, daemon, tls), Datagrams(scene)
    relay = associate(near)
    assert relay[0] == "127.0.0.1" and is_bound(relay[1])
    for size in (0, 1, 1400, 60000):
        client.send(b"\0\0\0" + address(target.port) + size * b"x", relay)
        data, back = target.get()
        assert data == size * b"x"
        target.send(b"answer", back)
        assert client.get() == (b"\0\0\0" + address(target.port) + b"answer", relay)
    near.shut()
    assert near.ended() == END
    end = daemon.wait_end(end="done")
    assert sorted((end.to_tls, end.to_socket)) == [24, 61401]
    until(lambda: not is_bound(relay[1]), "the socket is closed with the connection")


def test_a_name_is_looked_up(scene, pki):
    target = Datagrams(scene)
    daemon = socks(scene, pki, f"allow = * -> localhost:{target.port}")
    near, client = enter(scene, daemon), Datagrams(scene)
    relay = associate(near)
    for _ in range(2):
        client.send(b"\0\0\0\3\x09localhost" + struct.pack(">H", target.port) + b"hello", relay)
        assert target.get()[0] == b"hello"
    client.send(b"\0\0\0\3\x0fno-such.invalid" + struct.pack(">H", target.port) + b"hello", relay)
    target.quiet()


def test_what_is_dropped(scene, pki):
    target, other = Datagrams(scene), Datagrams(scene)
    daemon = socks(scene, pki, f"deny = * -> 127.0.0.0/8:{other.port}", "allow = * -> *",
                   f"allow = * -> 127.0.0.1:{target.port}", "debug = info")
    near, client, stranger = enter(scene, daemon), Datagrams(scene), Datagrams(scene)
    relay = associate(near)
    head = b"\0\0\0" + address(target.port)
    client.send(head + b"first", relay)
    _, back = target.get()
    stranger.send(head + b"another port of the client's host", relay)
    client.send(b"\0\0\1" + address(target.port) + b"a fragment", relay)
    client.send(b"\0\0\0" + address(other.port) + b"denied", relay)
    client.send(b"\0\0\0\1" + b"\x7f\0\0", relay)
    client.send(head + b"last", relay)
    assert target.get()[0] == b"last"
    other.send(b"not asked", back)
    target.send(b"asked", back)
    assert client.get()[0] == head + b"asked"
    other.quiet()
    client.quiet()
    near.shut()
    near.ended()
    daemon.wait_log("SOCKS5: 5 datagrams were dropped")


def test_without_a_rule_there_are_none(scene, pki):
    daemon = socks(scene, pki)
    near = enter(scene, daemon)
    near.send(b"\5\3\0" + address(0, "0.0.0.0"))
    assert near.rest() == (b"\5\7\0" + address(0, "0.0.0.0"), END)


def test_where_tls_must_ask_for_the_host_there_are_none(scene, pki):
    daemon = socks(scene, pki, "allow = * -> *!", "requireInnerSNI = yes")
    near = enter(scene, daemon)
    near.send(b"\5\3\0" + address(0, "0.0.0.0"))
    assert near.rest() == (b"\5\7\0" + address(0, "0.0.0.0"), END)


def test_silence_ends_it(scene, pki):
    daemon = socks(scene, pki, "allow = * -> *", "TIMEOUTidle = 1")
    near = enter(scene, daemon)
    associate(near)
    near.ended()
    daemon.wait_end(end="idle")


# --- users


@pytest.fixture
def users(scene):
    return scene.secret("users", USERS)


def test_users(scene, pki, users):
    target = scene.backend()
    daemon = socks(scene, pki, f"proxyUsers = {users}", f"allow = user:alice -> {target.address}", tls=True)
    near = enter(scene, daemon, tls=True, login=("alice", "wonderland"))
    assert near.recv(2) == b"\1\0"
    near.send(b"\5\1\0" + address(target.port))
    far = scene.keep(target.accept())
    assert near.recv(10) == b"\5\0\0" + address(target.port)
    far.send(b"hello")
    assert near.recv(5) == b"hello"

    near = enter(scene, daemon, tls=True, login=("bob", "builder"))
    assert near.recv(2) == b"\1\0"
    near.send(b"\5\1\0" + address(target.port))
    assert near.rest() == (b"\5\2\0" + address(target.port), END)
    daemon.wait_end(end="target_refused")

    near = enter(scene, daemon, tls=True, login=("alice", "guess"))
    assert near.rest() == (b"\1\1", END)
    daemon.wait_end(end="login_failed")

    near = enter(scene, daemon, tls=True)
    near.send(b"\5\1\0" + address(target.port))
    assert near.rest() == (b"\5\2\0" + address(target.port), END)
    daemon.wait_end(end="login_wanted")
    assert target.unvisited()


def test_the_login_of_a_client(scene, pki, users):
    """ginnel at both ends."""
    target = scene.backend()
    server = socks(scene, pki, f"proxyUsers = {users}", f"allow = user:alice -> {target.address}", tls=True)
    for password, good in (("wonderland", True), ("guess", False)):
        client = scene.daemon(scene.section(
            "plain", f"127.0.0.1:{server.port('socks')}", "client = yes", "protocol = socks",
            f"protocolHost = {target.address}", "protocolUsername = alice", f"protocolPassword = {password}"),
            name=password)
        near = scene.connect(client.port("plain"))
        if good:
            far = scene.keep(target.accept())
            far.send(b"hello")
            assert near.recv(5) == b"hello"
        else:
            assert near.rest()[0] == b""
            client.wait_end(end="proto_auth")
