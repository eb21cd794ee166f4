# SPDX-License-Identifier: Apache-2.0
# The PROXY protocol in both directions: who the client is, by the word of others and to others; and access lists.
import re
import socket
import ssl

import pytest

from lib import proxy
from lib.peer import END, RESET, TlsPeer, echo, greeter

FROM = "proxyProtocolFrom = 127.0.0.1"
HEADERS = {
    "v1": proxy.v1(),
    "v2": proxy.v2(),
    "v2 with TLVs": proxy.v2(tlvs=[(proxy.AUTHORITY, b"a.test"), (0xE0, b"")]),
    "v1 in IPv6": proxy.v1(("2001:db8::7", 1234), ("2001:db8::1", 443)),
    "v2 in IPv6": proxy.v2(("2001:db8::7", 1234), ("2001:db8::1", 443)),
    "v2 mapped": proxy.v2(("::ffff:192.0.2.7", 1234), ("::ffff:198.51.100.1", 443)),
}


def client_of(name):
    return "2001:db8::7:1234" if "IPv6" in name else "192.0.2.7:1234"


# --- in


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["at once", "by itself", "byte by byte"])
@pytest.mark.parametrize("name", HEADERS)
def test_the_client_is_whom_the_header_names(scene, pki, name, how):
    daemon = scene.server_mode(scene.server(echo), FROM)
    near = scene.tls(daemon.port("tls"), pki.client_context(), handshake=False)
    hello, header = near.hello(), HEADERS[name]
    near.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in {
        "at once": [header + hello],
        "by itself": [header, hello],
        "byte by byte": [bytes([byte]) for byte in header + hello],
    }[how]:
        near.sock.sendall(piece)
    near.handshake()
    assert near.send(b"hello").recv(5) == b"hello"
    near.shut()
    daemon.wait_log(r"LOG5\[\d+\]: Service \[tls\] accepted connection from " + re.escape(client_of(name)) + "$")
    assert daemon.wait_end(end="done").peer == client_of(name)


def test_a_server_that_speaks_first_waits_for_the_header(scene):
    backend = scene.backend()
    daemon = scene.daemon(scene.section("plain", backend, "acceptTLS = no", FROM))
    near = scene.connect(daemon.port("plain"))
    near.send(proxy.v2()[:20])
    assert near.quiet(0.05) and backend.unvisited()
    near.send(proxy.v2()[20:])
    far = scene.keep(backend.accept())
    far.send(b"220 hello\r\n")
    assert near.recv(11) == b"220 hello\r\n"
    near.send(b"QUIT")
    assert far.recv(4) == b"QUIT", "nothing of the header goes to the target"


@pytest.mark.parametrize("header", [
    proxy.v2(command=proxy.LOCAL), b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ab c\r\n",
    proxy.SIGNATURE + b"\x21\0\0\0",
])
def test_a_proxy_may_speak_for_itself(scene, pki, header):
    daemon = scene.server_mode(scene.server(greeter(b"x")), FROM)
    near = scene.connect(daemon.port("tls"))
    near.send(header)
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    assert tls.rest() == (b"x", END)
    tls.shut()
    assert daemon.wait_end(service="tls").peer == "127.0.0.1:%d" % near.address[1]


@pytest.mark.sanitize
@pytest.mark.parametrize("first", [proxy.v1(), proxy.v2(), b""], ids=["v1", "v2", "none"])
def test_nobody_else_may_claim_an_address(scene, pki, first):
    """The log has the address that is real."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, "proxyProtocolFrom = 192.0.2.0/24, 2001:db8::/32")
    near = scene.connect(daemon.port("tls"))
    if first:
        try:
            near.send(first)
        except OSError:
            pass
    assert near.ended() == RESET
    end = daemon.wait_end(end="not_allowed", service="tls")
    assert end.peer.startswith("127.0.0.1:")
    daemon.wait_log(r"LOG4\[\d+\]: Connection from 127\.0\.0\.1:\d+ REFUSED: it is not in proxyProtocolFrom")
    assert backend.unvisited()


@pytest.mark.parametrize("first", [
    b"PROXY TCP4 192.0.2.7 192.0.2.1 1 0\r\n", b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n", b"P" * 200, b"\x16\x03\x01\0\x10",
    proxy.SIGNATURE + b"\x21\x11\0\x0b" + bytes(11), proxy.SIGNATURE + b"\x21\x12\0\x0c" + bytes(12),
    proxy.v2(tlvs=[(proxy.CRC32C, b"\1\2\3\4")]), b"GET / HTTP/1.0\r\n\r\n",
])
def test_a_bad_header_ends_it(scene, first):
    backend = scene.backend()
    daemon = scene.server_mode(backend, FROM)
    near = scene.connect(daemon.port("tls"))
    near.send(first)
    assert near.ended() == RESET
    daemon.wait_end(end="proxy_header")
    assert backend.unvisited()


def test_a_header_in_front_of_passed_tls(scene, pki):
    identity = pki.ca.issue("a.test", sans=["a.test"], label="header-pass")
    daemon = scene.daemon(
        scene.section("main", "127.0.0.1:9", "passthrough = yes", FROM)
        + f"[a]\nconnect = {scene.server(greeter(b'a'), pki.server_context(identity)).address}\n"
          "passthrough = yes\nsni = main:a.test\n")
    near = scene.connect(daemon.port("main"))
    near.send(proxy.v2())
    tls = TlsPeer(near.sock, pki.client_context(), name="a.test")
    assert tls.rest() == (b"a", END)
    tls.shut().fin()
    assert daemon.wait_end(service="a").peer == "192.0.2.7:1234"


@pytest.mark.parametrize("where, end", [
    ("maxConnectionsPerSource = 1", "source_full"),
    ("denyFrom = 192.0.2.0/24", "not_allowed"),
    ("allowFrom = 127.0.0.0/8", "not_allowed"),
])
def test_limits_and_lists_go_by_the_client(scene, where, end):
    backend = scene.server(echo)
    daemon = scene.daemon(scene.section("plain", backend, "acceptTLS = no", FROM, where))
    if end == "source_full":
        first = scene.connect(daemon.port("plain")).send(proxy.v2())
        assert first.send(b"x").recv(1) == b"x"
    refused = scene.connect(daemon.port("plain")).send(proxy.v2())
    assert refused.ended() == RESET
    assert daemon.wait_end(end=end).peer == "192.0.2.7:1234"
    if "allow" not in where:
        other = scene.connect(daemon.port("plain")).send(proxy.v2(("198.51.100.9", 1)))
        assert other.send(b"x").recv(1) == b"x"


# --- access lists


@pytest.mark.sanitize
@pytest.mark.parametrize("lines, let_in", [
    (["allowFrom = 127.0.0.0/8"], True),
    (["allowFrom = 10.0.0.0/8, 127.0.0.1"], True),
    (["allowFrom = 10.0.0.0/8", "allowFrom = 127.0.0.1"], True),
    (["allowFrom = ::ffff:127.0.0.1"], True),
    (["allowFrom = 10.0.0.0/8"], False),
    (["denyFrom = 127.0.0.0/8"], False),
    (["denyFrom = 10.0.0.0/8"], True),
    (["allowFrom = 127.0.0.0/8", "denyFrom = 127.0.0.1"], False),
    (["allowFrom = unix"], False),
    (["allowFrom = ::/0"], False),
])
def test_networks_decide_who_may_come_in(scene, pki, lines, let_in):
    backend = scene.server(greeter(b"x"))
    daemon = scene.server_mode(backend, *lines)
    if let_in:
        assert scene.tls(daemon.port("tls"), pki.client_context()).rest() == (b"x", END)
        return
    assert scene.connect(daemon.port("tls")).ended() == RESET
    daemon.wait_end(end="not_allowed")
    assert backend.served == 0


def test_a_mapped_client_is_an_ipv4_one(scene):
    daemon = scene.daemon("[both]\naccept = [::]:0\nconnect = 127.0.0.1:9\nacceptTLS = no\ndenyFrom = 127.0.0.0/8\n")
    assert scene.connect(daemon.port("both")).ended() == RESET
    daemon.wait_end(end="not_allowed")


def test_clients_on_unix_sockets_have_a_word_of_their_own(scene):
    backend = scene.server(greeter(b"x"))
    for name, line in (("in", "allowFrom = unix"), ("out", "denyFrom = unix")):
        path = scene.socket_path(f"{name}.sock")
        daemon = scene.daemon(
            f"[{name}]\naccept = {path}\nconnect = {backend.address}\nacceptTLS = no\n{line}\n", name=name)
        near = scene.connect(path)
        if name == "in":
            assert near.rest() == (b"x", END)
        else:
            near.rest()
            daemon.wait_end(end="not_allowed")
    assert backend.served == 1


def test_a_secondary_asks_its_own_list_too(scene, pki):
    cert = f"cert = {pki.server.bundle}"
    backend = scene.server(greeter(b"x"))
    daemon = scene.daemon(
        scene.section("main", backend, cert)
        + f"[inner]\nconnect = {backend.address}\n{cert}\nsni = main:inner.test\ndenyFrom = 127.0.0.1\n")
    assert scene.tls(daemon.port("main"), pki.client_context()).rest() == (b"x", END)
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        scene.tls(daemon.port("main"), pki.client_context(), name="inner.test")
    daemon.wait_end(end="not_allowed", service="inner")


# --- out


def test_version_1_is_a_line(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "proxyProtocol = v1")
    near, far = scene.pair(daemon, backend)
    want = f"PROXY TCP4 127.0.0.1 127.0.0.1 {near.address[1]} {daemon.port('tls')}\r\n".encode()
    assert far.recv(len(want)) == want
    near.send(b"and data")
    assert far.recv(8) == b"and data"


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_version_2_tells_what_tls_agreed_on(scene, pki, version):
    backend = scene.backend()
    daemon = scene.server_mode(
        backend, "proxyProtocol = v2", "proxyProtocolTLVs = all", "alpn = h2", f"CAfile = {pki.ca.path}",
        "verifyChain = yes")
    context = pki.client_context(pki.client, version=version)
    context.set_alpn_protocols(["h2"])
    session = None
    for turn in range(2):
        near, far = scene.pair(daemon, backend, context=context, session=session)
        header = proxy.read(far)
        assert header.source == near.address and header.target == ("127.0.0.1", daemon.port("tls"))
        client, verify, inner = proxy.tls_of(header)
        assert (client, verify) == (7 if turn == 0 else 5, 0)
        assert inner[proxy.VERSION] == version.encode()
        assert inner[proxy.CIPHER] == near.tls.cipher()[0].encode()
        assert inner[proxy.CN] == b"client.test"
        with open(pki.client.path, encoding="ascii") as file:
            assert inner[proxy.CERT] == ssl.PEM_cert_to_DER_cert(file.read())
        assert header.tlvs[proxy.ALPN] == b"h2"
        assert header.tlvs[proxy.AUTHORITY] == b"localhost"
        assert proxy.CRC32C in header.tlvs
        daemon.wait_log("PROXY unique id: " + header.tlvs[proxy.UNIQUE_ID].decode())
        far.send(b"x")
        assert near.recv(1) == b"x"
        session = near.session
        assert near.reused == (turn == 1)


def test_only_what_is_asked_for_is_told(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "proxyProtocol = v2", "proxyProtocolTLVs = none")
    _, far = scene.pair(daemon, backend)
    assert proxy.read(far).tlvs == {}
    daemon.write(scene.section("tls", backend, f"cert = {pki.server.bundle}", "proxyProtocol = v2"))
    daemon.reload()
    _, far = scene.pair(daemon, backend)
    header = proxy.read(far)
    assert set(header.tlvs) == {proxy.AUTHORITY, proxy.SSL}
    client, verify, inner = proxy.tls_of(header)
    assert (client, set(inner)) == (1, {proxy.VERSION, proxy.CIPHER}) and verify != 0


def test_a_name_that_is_passed_on_is_told(scene, pki):
    backend = scene.backend()
    daemon = scene.daemon(scene.section("main", backend, "passthrough = yes", "proxyProtocol = v2"))
    near = scene.tls(daemon.port("main"), pki.client_context(), name="a.test", handshake=False)
    hello = near.hello()
    near.sock.sendall(hello)
    far = scene.keep(backend.accept())
    assert proxy.read(far).tlvs == {proxy.AUTHORITY: b"a.test"}
    assert far.recv(len(hello)) == hello


def test_it_comes_before_tls_with_the_target(scene, pki):
    backend = scene.backend()
    daemon = scene.client_mode(backend, "proxyProtocol = v2")
    near = scene.connect(daemon.port("plain"))
    far = scene.keep(backend.accept())
    assert proxy.read(far).source == near.address
    tls = TlsPeer(far.sock, pki.server_context(), server=True)
    tls.send(b"x")
    assert near.recv(1) == b"x"


def test_it_comes_before_a_protocols_dialogue(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = smtp", "proxyProtocol = v1")
    near = scene.connect(daemon.port("tls"))
    far = scene.keep(backend.accept())
    want = f"PROXY TCP4 127.0.0.1 127.0.0.1 {near.address[1]} {daemon.port('tls')}\r\n".encode()
    assert far.recv(len(want)) == want
    far.send(b"220 hello\r\n")
    assert near.recv(11) == b"220 hello\r\n"


@pytest.mark.sanitize
def test_a_chain_passes_on_what_it_heard(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, FROM, "proxyProtocol = v2", "proxyProtocolTLVs = all")
    near = scene.connect(daemon.port("tls"))
    near.send(proxy.v2(tlvs=[
        (proxy.AUTHORITY, b"old.test"), (0xE3, b"custom"), (proxy.UNIQUE_ID, b"theirs"), (proxy.NOOP, b"xx"),
        (0x30, b"netns"),
    ]))
    TlsPeer(near.sock, pki.client_context(), name="new.test")
    header = proxy.read(scene.keep(backend.accept()))
    assert header.source == ("192.0.2.7", 1234) and header.target == ("198.51.100.1", 443)
    assert header.tlvs[proxy.AUTHORITY] == b"new.test"
    assert header.tlvs[0xE3] == b"custom" and header.tlvs[0x30] == b"netns"
    assert header.tlvs[proxy.UNIQUE_ID] == b"theirs"
    assert proxy.NOOP not in header.tlvs and proxy.SSL in header.tlvs


def test_two_of_us_in_a_row(scene, pki):
    backend = scene.backend()
    last = scene.daemon(
        scene.section("last", backend, "acceptTLS = no", FROM, "proxyProtocol = v2", "proxyProtocolTLVs = crc32c"),
        name="last")
    first = scene.server_mode(f"127.0.0.1:{last.port('last')}", "proxyProtocol = v2", "proxyProtocolTLVs = all")
    near = scene.tls(first.port("tls"), pki.client_context())
    header = proxy.read(scene.keep(backend.accept()))
    assert header.source == near.address
    assert proxy.tls_of(header)[2][proxy.VERSION] == near.version.encode()
    assert proxy.UNIQUE_ID in header.tlvs and proxy.CRC32C in header.tlvs


def test_what_does_not_fit_ends_the_tunnel(scene, pki):
    """Half the truth could let in whom the whole would keep out."""
    large = pki.ca.issue("large.test", sans=[f"name-{i:04}.large.test" for i in range(300)], label="large")
    backend = scene.backend()
    daemon = scene.server_mode(
        backend, "proxyProtocol = v2", "proxyProtocolTLVs = cert", f"CAfile = {pki.ca.path}", "verifyChain = yes")
    near, far = scene.pair(daemon, backend, context=pki.client_context(large))
    assert far.rest()[0] == b""
    daemon.wait_end(end="introduce")
    near.close()


# --- configuration


def test_what_is_wrong_is_named(scene, pki):
    cert = f"cert = {pki.server.bundle}"
    cases = {
        "allowFrom = 192.0.2.1/24": r"allowFrom: .*192\.0\.2\.0/24",
        "denyFrom = example.org": r"denyFrom: .*not a network",
        "proxyProtocolFrom = ": r"proxyProtocolFrom: .*empty",
        "proxyProtocol = v3": r"proxyProtocol: .*off, v1 or v2",
        "proxyProtocolTLVs = ssl,name": r"proxyProtocolTLVs: \"name\" is not known; write some of alpn, authority",
        "proxyProtocol = v2\nprotocol = proxy": r"proxyProtocol: .*remove one of them",
        "proxyProtocolFrom = 10.0.0.0/8\nident = root": r"ident: .*remove it",
        f"[second]\nconnect = 9\nsni = main:a.test\n{cert}\nproxyProtocolFrom = 10.0.0.0/8":
            r"proxyProtocolFrom: this section has no port of its own",
    }
    for lines, words in cases.items():
        text = f"foreground = yes\n[main]\naccept = 127.0.0.1:0\nconnect = 9\n{cert}\n{lines}\n"
        done = scene.run("check", scene.file("bad.conf", text))
        assert done.returncode == 78, (lines, done.stderr)
        assert re.search(r"bad\.conf:\d+: " + words, done.stderr), (lines, done.stderr)
