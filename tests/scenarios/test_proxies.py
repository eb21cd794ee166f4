# SPDX-License-Identifier: Apache-2.0
# Through proxies and as one: CONNECT, SOCKS, the PROXY header, and NetBIOS, as the peers meet them.
import base64
import os
import re
import socket
import struct

import pytest

from lib.names import A, NameServer
from lib.peer import END, RESET, TlsPeer, echo, own_address
from lib.ports import Nobody

pytestmark = pytest.mark.sanitize

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
SECRET = "open sesame"


def talk(near, far, there=b"there", back=b"and back"):
    """Bytes both ways, and both ends."""
    near.send(there)
    assert far.recv(len(there)) == there
    far.send(back)
    assert near.recv(len(back)) == back
    near.shut()
    assert far.ended() == END
    far.shut()
    assert near.ended() == END


def head(peer):
    """A head of HTTP, up to its empty line."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += peer.recv(1)
    return got.decode("ascii").split("\r\n")[:-2]


# --- CONNECT, client


@pytest.fixture
def proxied(scene, pki):
    """ginnel as a TLS client that goes through our proxy: start it with lines, and get both peers."""

    def start(*lines):
        proxy = scene.backend()
        daemon = scene.client_mode(proxy, "protocol = connect", "protocolHost = localhost:443",
                                   f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = localhost", *lines)
        return daemon, *scene.plain_pair(daemon, proxy)

    return start


def test_connect_client_asks_and_begins_tls(proxied, pki):
    daemon, near, far = proxied("protocolHeader = User-Agent: none", "protocolHeader = Authorization: hidden")
    assert head(far) == ["CONNECT localhost:443 HTTP/1.1", "Host: localhost:443", "User-Agent: none",
                         "Authorization: hidden"]
    near.send(b"in haste")
    assert far.quiet(0.1)
    far.send(OK)
    tls = TlsPeer(far.sock, pki.server_context(), server=True)
    assert tls.recv(8) == b"in haste"
    talk(near, tls)
    daemon.wait_end(end="done")
    daemon.wait_log("SNI: sending servername: localhost$")
    assert "hidden" not in daemon.log()


@pytest.mark.parametrize("authentication", ["basic", "plain", None])
def test_connect_client_logs_in(proxied, pki, authentication):
    lines = [f"protocolAuthentication = {authentication}"] if authentication else []
    daemon, near, far = proxied("protocolUsername = Aladdin", f"protocolPassword = {SECRET}", *lines)
    word = base64.b64encode(f"Aladdin:{SECRET}".encode()).decode()
    assert head(far)[2:] == [f"Proxy-Authorization: basic {word}"]
    far.send(OK)
    talk(near, TlsPeer(far.sock, pki.server_context(), server=True))
    daemon.wait_end(end="done")
    assert SECRET not in daemon.log() and word not in daemon.log()


# The proxy's side of NTLM version 1, from MS-NLMP; MD4 is not in Python any more.


def md4(data):
    def left(v, by):
        return (v << by | v >> (32 - by)) & 0xFFFFFFFF

    rounds = [
        (lambda x, y, z: x & y | ~x & z, 0, list(range(16)), (3, 7, 11, 19)),
        (lambda x, y, z: x & y | x & z | y & z, 0x5A827999, [i // 4 + i % 4 * 4 for i in range(16)], (3, 5, 9, 13)),
        (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], (3, 9, 11, 15)),
    ]
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    data += b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    for at in range(0, len(data), 64):
        words = struct.unpack("<16I", data[at : at + 64])
        a, b, c, d = state
        for mix, constant, order, shifts in rounds:
            for i, k in enumerate(order):
                a, b, c, d = d, left((a + mix(b, c, d) + words[k] + constant) & 0xFFFFFFFF, shifts[i % 4]), b, c
        state = [(x + y) & 0xFFFFFFFF for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def nt_response(password, challenge):
    """MS-NLMP 3.3.1, DESL: three DES keys from the hash.  3DES with one key thrice is DES."""
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

    keys = md4(password.encode("utf-16-le")) + bytes(5)
    out = b""
    for at in (0, 7, 14):
        bits = int.from_bytes(keys[at : at + 7], "big")
        key = bytes((bits >> (49 - 7 * i) & 127) << 1 for i in range(8))
        encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
        out += encryptor.update(challenge)
    return out


def test_the_proxy_of_this_test_knows_ntlm():
    """MS-NLMP 4.2.2.1, 4.2.2.2."""
    assert md4("Password".encode("utf-16-le")).hex() == "a4f49c406510bdcab6824ee7c30fd852"
    answer = nt_response("Password", bytes.fromhex("0123456789abcdef"))
    assert answer.hex() == "67c43011f30298a2ad35ece64f16331c44bdbed927841f94"


def ntlm_field(message, at):
    n, _, offset = struct.unpack_from("<HHI", message, at)
    return message[offset : offset + n]


def ntlm_message(lines, kind):
    (word,) = [line.split(" ", 2)[2] for line in lines if line.startswith("Proxy-Authorization: NTLM ")]
    message = base64.b64decode(word, validate=True)
    assert struct.unpack_from("<8sI", message) == (b"NTLMSSP\0", kind)
    return message, word


def ask_for_ntlm(far, challenge, body):
    message = struct.pack("<8sI8xI8s8x", b"NTLMSSP\0", 2, 0x0202, challenge)
    far.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n"
             b"Proxy-Authenticate: NTLM " + base64.b64encode(message) + b"\r\nContent-Length: "
             + str(len(body)).encode() + b"\r\n\r\n" + body)


@pytest.mark.parametrize("domain", ["EXAMPLE", None])
def test_connect_client_knows_ntlm(proxied, pki, domain):
    password = "Pa$$w\N{LATIN SMALL LETTER O}rd 1"
    daemon, near, far = proxied("protocolAuthentication = ntlm", "protocolUsername = bob", "protocolHeader = X: y",
                                f"protocolPassword = {password}", *([f"protocolDomain = {domain}"] if domain else []))
    lines = head(far)
    assert lines[:3] == ["CONNECT localhost:443 HTTP/1.1", "Host: localhost:443", "Proxy-Connection: keep-alive"]
    ntlm_message(lines, 1)
    challenge = os.urandom(8)
    ask_for_ntlm(far, challenge, b"<html>" + b"x" * 40000)

    lines = head(far)
    assert lines[:2] == ["CONNECT localhost:443 HTTP/1.1", "Host: localhost:443"] and lines[3:] == ["X: y"]
    message, word = ntlm_message(lines, 3)
    assert ntlm_field(message, 28) == (domain or "").encode()
    assert ntlm_field(message, 36) == b"bob"
    assert ntlm_field(message, 12) == b"", "no LM response"
    assert ntlm_field(message, 20) == nt_response(password, challenge)
    far.send(OK)
    talk(near, TlsPeer(far.sock, pki.server_context(), server=True))
    daemon.wait_end(end="done")
    assert password not in daemon.log() and word not in daemon.log()


@pytest.mark.parametrize("answer, end", [
    (b"HTTP/1.1 403 Forbidden\r\n\r\n", "proxy_refused"),
    (b"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", "proto_auth"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "proto_server"),
    (b"HTTP/1.1 200 OK\r\n\0\r\n\r\n", "proto_server"),
    (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 9000, "proto_server"),
    (OK + b"hello", "starttls_injection"),
    (b"HTTP/1.1 200", "server_left"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_connect_client_and_a_proxy_that_misbehaves(proxied, answer, end):
    daemon, near, far = proxied()
    head(far)
    far.send(answer)
    if end == "server_left":
        far.shut()
    assert near.ended() == RESET
    daemon.wait_end(end=end)
    assert far.rest()[0] == b"", "a byte of TLS, or of the local client"


def test_connect_client_without_tls(scene):
    """A plain relay through a proxy: what comes behind the consent is the server's greeting."""
    proxy = scene.backend()
    daemon = scene.client_mode(proxy, "protocol = connect", "protocolHost = www.test:80", "connectTLS = no")
    near, far = scene.plain_pair(daemon, proxy)
    head(far)
    far.send(OK + b"greeting")
    assert near.recv(8) == b"greeting"
    talk(near, far)
    daemon.wait_end(end="done")


# --- CONNECT, server as the incumbent has it: in clear, before TLS; test_connect_proxy.py has the other


def connect_server(scene, backend, *lines):
    return scene.server_mode(backend, "protocol = connect", "allow = * -> *!", *lines)


def test_connect_server_begins_tls_and_reaches_the_target(scene, pki):
    """The target of `connect` is there for the form only."""
    target, other = scene.backend(), scene.backend()
    daemon = connect_server(scene, other)
    near = scene.connect(daemon.port("tls"))
    near.send(f"CONNECT {target.address} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: hidden\r\n\r\n".encode())
    assert head(near) == ["HTTP/1.1 200 OK"]
    assert target.unvisited(), "before TLS stands nothing is reached"
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    talk(tls, scene.keep(target.accept()))
    daemon.wait_end(end="done")
    assert other.unvisited() and "hidden" not in daemon.log()


def test_connect_server_ends_on_bytes_behind_the_request(scene):
    target = scene.backend()
    daemon = connect_server(scene, target)
    near = scene.connect(daemon.port("tls"))
    near.send(f"CONNECT {target.address} HTTP/1.0\r\n\r\nhello".encode())
    assert near.ended() == RESET
    daemon.wait_end(end="starttls_injection")
    assert target.unvisited()


def test_connect_server_drops_a_tls_client_whose_target_is_dead(scene, pki):
    dead = Nobody()
    daemon = connect_server(scene, dead)
    near = scene.connect(daemon.port("tls"))
    near.send(f"CONNECT {dead.address} HTTP/1.0\r\n\r\n".encode())
    head(near)
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    assert tls.ended() == RESET
    daemon.wait_end(end="connect")


PLAIN = ("acceptTLS = no", "connectTLS = no")


# --- SOCKS


def socks_server(scene, pki, *lines, tls=True):
    kind = [f"cert = {pki.server.bundle}"] if tls else PLAIN
    return scene.daemon("\n".join(["[socks]", "accept = 127.0.0.1:0", "protocol = socks", *kind, *lines, ""]))


def socks5(address, port, command=1):
    return b"\5" + bytes([command]) + b"\0\1" + socket.inet_aton(address) + struct.pack(">H", port)


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_socks_server_reaches_the_target(scene, pki, tls):
    host = own_address()
    target = scene.backend(host=host)
    daemon = socks_server(scene, pki, tls=tls)
    near = scene.tls(daemon.port("socks")) if tls else scene.connect(daemon.port("socks"))
    near.send(b"\5\1\0")
    assert near.recv(2) == b"\5\0"
    near.send(socks5(host, target.port) + b"in haste")
    far = scene.keep(target.accept())
    assert near.recv(10) == b"\5\0\0" + socks5(host, target.port)[3:]
    assert far.recv(8) == b"in haste"
    talk(near, far)
    daemon.wait_end(end="done")


def test_socks4_server_reaches_the_target(scene, pki):
    host = own_address()
    target = scene.backend(host=host)
    daemon = socks_server(scene, pki)
    for address, name in ((socket.inet_aton(host), b""), (b"\0\0\0\7", host.encode() + b"\0")):
        near = scene.tls(daemon.port("socks"))
        request = b"\4\1" + struct.pack(">H", target.port) + address
        near.send(request + b"me\0" + name)
        far = scene.keep(target.accept())
        assert near.recv(8) == b"\0\x5a" + request[2:]
        talk(near, far)


@pytest.mark.parametrize("name", ["127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "localhost", "127.9.9.9"])
def test_socks_server_refuses_loopback(scene, pki, name):
    target = scene.backend(host="::1" if ":" in name else "127.0.0.1")
    daemon = socks_server(scene, pki)
    near = scene.tls(daemon.port("socks"))
    near.send(b"\5\1\0")
    assert near.recv(2) == b"\5\0"
    near.send(b"\5\1\0\3" + bytes([len(name)]) + name.encode() + struct.pack(">H", target.port))
    assert near.rest() == (b"\5\2\0\1" + bytes(6), END)
    daemon.wait_end(end="target_refused")
    assert target.unvisited()


def test_socks_server_tells_of_a_dead_target(scene, pki):
    host = own_address()
    dead = Nobody(host)
    daemon = socks_server(scene, pki)
    near = scene.tls(daemon.port("socks"))
    near.send(b"\5\1\0")
    assert near.recv(2) == b"\5\0"
    near.send(socks5(host, dead.port))
    assert near.rest() == (b"\5\5" + b"\0" + socks5(host, dead.port)[3:], END)
    daemon.wait_end(end="connect")


def test_socks_server_looks_names_up(scene, pki):
    daemon = socks_server(scene, pki)
    near = scene.tls(daemon.port("socks"))
    near.send(b"\5\1\0")
    assert near.recv(2) == b"\5\0"
    near.send(b"\5\xf0\0\3\x09localhost\0\0")
    reply, how = near.rest()
    assert reply in (b"\5\0\0\1\x7f\0\0\1\0\0", b"\5\0\0\4" + bytes(15) + b"\1\0\0") and how == END
    daemon.wait_end(end="looked_up")

    near = scene.tls(daemon.port("socks"))
    near.send(b"\4\xf0\0\0\0\0\0\1\0localhost\0")
    assert near.rest() == (b"\0\x5a\0\0\x7f\0\0\1", END)


@pytest.mark.parametrize("addresses, reply, end", [
    (["192.168.1.5"], b"\5\2\0\1" + bytes(6), "target_refused"),
    (["192.168.1.5", "203.0.113.9"], b"\5\0\0\1" + bytes([203, 0, 113, 9, 0, 0]), "looked_up"),
])
def test_socks_server_tells_only_addresses_that_rules_allow(scene, pki, addresses, reply, end):
    names = scene.keep(NameServer())
    names.records["host.test", A] = addresses
    daemon = scene.daemon(f"[socks]\naccept = 127.0.0.1:0\nprotocol = socks\ncert = {pki.server.bundle}\n"
                          "allow = * -> *\n", f"nameServers = {names.address}")
    near = scene.tls(daemon.port("socks"))
    near.send(b"\5\1\0")
    assert near.recv(2) == b"\5\0"
    near.send(b"\5\xf0\0\3\x09host.test\0\0")
    assert near.rest() == (reply, END)
    daemon.wait_end(end=end)


@pytest.mark.parametrize("sent, received", [
    (b"\5\1\2", b"\5\xff"), (b"CONNECT a:1 HTTP/1.0\r\n\r\n", b""), (b"\4\2\0\1\1\2\3\4\0", b"\0\x5b\0\1\1\2\3\4"),
])
def test_socks_server_refuses(scene, pki, sent, received):
    daemon = socks_server(scene, pki)
    near = scene.tls(daemon.port("socks"))
    near.send(sent)
    assert near.rest()[0] == received
    daemon.wait_end(end="proto_client")


@pytest.fixture
def socks_client(scene, pki):
    """ginnel as a SOCKS client: start it with lines, and get both peers, TLS standing and method chosen."""

    def start(*lines):
        backend = scene.backend(pki.server_context())
        daemon = scene.client_mode(backend, "protocol = socks", *lines)
        near, far = scene.plain_pair(daemon, backend)
        assert far.recv(3) == b"\5\1\0"
        far.send(b"\5\0")
        return daemon, near, far

    return start


def test_socks_client_asks_for_protocol_host(socks_client):
    daemon, near, far = socks_client("protocolHost = www.test:80")
    assert far.recv(15) == b"\5\1\0\3\x08www.test\0\x50"
    far.send(b"\5\0\0\1\0\0\0\0\0\0greeting")
    assert near.recv(8) == b"greeting"
    talk(near, far)
    daemon.wait_end(end="done")
    daemon.wait_log("SOCKS5 request succeeded")


def test_socks_client_asks_for_where_the_client_was_going(socks_client):
    daemon, near, far = socks_client()
    assert far.recv(10) == socks5("127.0.0.1", daemon.port("plain"))
    far.send(b"\5\0\0\1\0\0\0\0\0\0")
    talk(near, far)


def test_socks_client_takes_no_for_an_answer(socks_client):
    daemon, near, far = socks_client("protocolHost = www.test:80")
    far.recv(15)
    far.send(b"\5\2\0\1\0\0\0\0\0\0")
    assert near.ended() == RESET
    daemon.wait_log("SOCKS5 request failed: connection not allowed by ruleset")
    daemon.wait_end(end="proxy_refused")


# --- the PROXY header


def proxy_line(near, near_port):
    return f"PROXY TCP4 127.0.0.1 127.0.0.1 {near.address[1]} {near_port}\r\n".encode()


def test_proxy_header_comes_first(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = proxy")
    near, far = scene.pair(daemon, backend)
    line = proxy_line(near, daemon.port("tls"))
    assert far.recv(len(line)) == line
    talk(near, far)
    end = daemon.wait_end(end="done")
    assert (end.to_tls, end.to_socket) == (8, 5), "the header does not count"


def test_proxy_header_comes_before_tls(scene, pki):
    backend = scene.backend()
    daemon = scene.client_mode(backend, "protocol = proxy")
    near, far = scene.plain_pair(daemon, backend)
    line = proxy_line(near, daemon.port("plain"))
    assert far.recv(len(line)) == line
    talk(near, TlsPeer(far.sock, pki.server_context(), server=True))


def test_proxy_header_in_front_of_a_bridge(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = proxy", "connectTLS = yes")
    near = scene.tls(daemon.port("tls"))
    far = scene.keep(backend.accept())
    line = proxy_line(near, daemon.port("tls"))
    assert far.recv(len(line)) == line
    talk(near, TlsPeer(far.sock, pki.server_context(), server=True))


def test_proxy_header_of_ipv6_and_unix(scene, pki):
    backend = scene.backend()
    path = scene.socket_path("near")
    daemon = scene.daemon("\n".join(
        f"[{name}]\naccept = {accept}\nconnect = {backend.address}\ncert = {pki.server.bundle}\nprotocol = proxy"
        for name, accept in (("six", "::1:0"), ("mapped", ":::0"), ("unix", path))))
    for to, line in ((("::1", daemon.port("six")), "PROXY TCP6 ::1 ::1 {} {}\r\n"),
                     (("127.0.0.1", daemon.port("mapped")), "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n"),
                     (path, "PROXY UNKNOWN\r\n")):
        near = scene.tls(to)
        far = scene.keep(backend.accept())
        want = (line if to is path else line.format(near.address[1], to[1])).encode()
        assert far.recv(len(want)) == want
        talk(near, far)


# --- NetBIOS


def test_cifs_server(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = cifs")
    near = scene.connect(daemon.port("tls"))
    near.send(b"\x81\0\0\x44" + bytes(68))
    assert near.recv(5) == b"\x83\0\0\1\x8e"
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    talk(tls, scene.keep(backend.accept()))

    near = scene.connect(daemon.port("tls"))
    near.send(b"\0\0\0\4\xffSMB")
    assert near.rest() == (b"\x83\0\0\1\x81", END)
    near = scene.connect(daemon.port("tls"))
    near.send(b"\x81\0\0\0x")
    assert near.ended() == RESET
    daemon.wait_end(end="starttls_injection")
    assert backend.unvisited()


def test_cifs_client(scene, pki):
    backend = scene.backend()
    daemon = scene.client_mode(backend, "protocol = cifs")
    near, far = scene.plain_pair(daemon, backend)
    assert far.recv(4) == b"\x81\0\0\0"
    far.send(b"\x83\0\0\1\x8e")
    talk(near, TlsPeer(far.sock, pki.server_context(), server=True))

    near, far = scene.plain_pair(daemon, backend)
    far.send(b"\x83\0\0\1\x81")
    assert near.ended() == RESET
    daemon.wait_end(end="no_starttls_far")


# --- CapWIN


def test_capwin_shows_what_capwinctrl_was_given(scene, pki):
    backend = scene.backend(pki.server_context())
    daemon = scene.daemon("\n".join([
        "[control]", "client = yes", "accept = 127.0.0.1:0", "protocol = capwinctrl",
        # With TLS 1.3 a refusal could overtake the last flight of the backend's handshake.
        scene.section("plain", backend, "client = yes", "protocol = capwin", "sslVersionMax = TLSv1.2")]))
    near, far = scene.plain_pair(daemon, backend)
    assert near.ended() == RESET
    daemon.wait_log("CapWIN: No credentials set")

    near = scene.connect(daemon.port("control"))
    near.send(b"\x1falice\x1fhidden\x1f\x1c")
    assert near.ended() == END
    daemon.wait_log("CapWIN: Credentials set")
    near, far = scene.plain_pair(daemon, backend)
    assert far.recv(15) == b"\x1falice\x1fhidden\x1f\x1c"
    far.send(b"BINGO")
    talk(near, far)
    daemon.wait_end(end="done")

    near, far = scene.plain_pair(daemon, backend)
    far.recv(15)
    far.send(b"FAILED")
    assert near.ended() == RESET
    daemon.wait_end(end="proto_auth", count=2)
    assert "hidden" not in daemon.log()


# --- ginnel at both ends


@pytest.mark.parametrize("protocol, lines", [
    ("connect", ["protocolHost = {}"]), ("socks", ["protocolHost = {}"]), ("cifs", []),
])
def test_client_and_server_understand_each_other(scene, pki, protocol, lines):
    host = own_address()
    target = scene.server(echo, host=host)
    mutual = [f"CAfile = {pki.ca.path}", "verify = 2", f"protocol = {protocol}"]
    connect = [] if protocol == "socks" else [f"connect = {target.address}"]
    if protocol == "connect":
        connect.append("allow = cn:client.test -> *!")
    server = scene.daemon("\n".join(["[tunnel]", "accept = 127.0.0.1:0", f"cert = {pki.server.bundle}", *mutual,
                                     *connect]))
    client = scene.daemon(scene.section(
        "tunnel", f"127.0.0.1:{server.port('tunnel')}", "client = yes", f"cert = {pki.client.bundle}", *mutual,
        *[line.format(target.address) for line in lines]), name="client")
    near = scene.connect(client.port("tunnel"))
    assert near.send(b"hello").recv(5) == b"hello"
    near.shut()
    assert near.ended() == END
    client.wait_end(end="done")
    server.wait_end(end="done")


# --- configuration


@pytest.mark.parametrize("lines, complaint", [
    (["client = yes", "protocol = connect", "connect = 1"], "protocolHost not specified"),
    (["client = yes", "protocol = socks", "connect = 1", "protocolHost = www.test"], "write protocolHost = HOST:PORT"),
    (["protocol = socks", "connect = 1"], "Each service must define two endpoints"),
    (["protocol = connect"], "write two lines such as"),
    (["protocol = connect", "connect = 1"], "write two lines such as"),
    (["client = yes", "protocol = connect", "connect = 1", "protocolHost = a:1", "protocolUsername = u",
      f"protocolPassword = {SECRET}{'x' * 3000}"], "user and password together"),
])
def test_configurations_that_are_refused(scene, pki, lines, complaint):
    text = "\n".join(["[s]", "accept = 127.0.0.1:0", f"cert = {pki.server.bundle}", *lines, ""])
    done = scene.run("check", scene.file("bad.conf", text))
    assert done.returncode == 78
    assert complaint in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_check_warns_of_an_open_proxy(scene, pki):
    text = f"[s]\naccept = 0\ncert = {pki.server.bundle}\nprotocol = socks\n"
    done = scene.run("check", scene.file("open.conf", text))
    assert done.returncode == 0
    assert re.search("without a rule every client of socks", done.stdout + done.stderr)
