# SPDX-License-Identifier: Apache-2.0
# TLS that is looked at and never opened: who gets it, and that it arrives untouched.
import re
import socket
import ssl
import threading

import pytest

from lib.peer import END, RESET, Peer, TlsPeer, connect_tls, echo, greeter, pattern
from lib.wait import DEADLINE

UNRECOGNIZED_NAME = 112  # RFC 8446 6


def section(name, target, *lines):
    return "\n".join([f"[{name}]", f"connect = {getattr(target, 'address', target)}", *lines, ""])


def passing(scene, names, *primary_lines, script=greeter, contexts=None, sections=""):
    """
    A daemon whose [main] passes through, with secondaries {name: lines} that do so too.  Behind each is a TLS
    server that greets with its name, and has a certificate for it.
    """
    servers, identities = {}, {}
    for name in ("main", *names):
        identities[name] = scene.pki.ca.issue(name, sans=[name, "localhost"], label=f"pass-{name}")
        context = (contexts or {}).get(name) or scene.pki.server_context(identities[name])
        servers[name] = scene.server(script(name.encode()) if script is greeter else script, context)
    daemon = scene.daemon(
        scene.section("main", servers["main"], "passthrough = yes", *primary_lines)
        + "".join(section(name, servers[name], "passthrough = yes", *lines) for name, lines in names.items())
        + sections)
    daemon.servers, daemon.identities = servers, identities
    return daemon


def ask(daemon, context, name, **how):
    """(who answered, the certificate that was seen); nobody: (None, None)."""
    try:
        with connect_tls(daemon.port("main"), context, name=name, **how) as near:
            return near.rest()[0].decode() or None, near.tls.getpeercert(True)
    except (ssl.SSLError, OSError):
        return None, None


def context_of(pki, *protocols, **how):
    context = pki.client_context(**how)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


@pytest.mark.sanitize
def test_the_name_chooses_and_the_certificate_is_the_backends(scene, pki):
    daemon = passing(scene, {"a.test": ["sni = main:a.test"], "below.test": ["sni = main:*.below.test"]})
    table = {"a.test": "a.test", "x.below.test": "below.test", "other.test": "main", None: "main"}
    for name, want in table.items():
        who, shown = ask(daemon, pki.client_context(), name)
        assert who == want, name
        with open(daemon.identities[want].path, encoding="ascii") as file:
            assert shown == ssl.PEM_cert_to_DER_cert(file.read()), name
    end = daemon.wait_end(service="a.test", end="done")
    assert end.to_tls > 500, "bytes as they go over the wire are counted"


def test_unmatched_names_may_be_refused(scene, pki):
    daemon = passing(scene, {"a.test": ["sni = main:a.test"]}, "sniUnmatched = reject")
    assert ask(daemon, pki.client_context(), "a.test")[0] == "a.test"
    near = scene.tls(daemon.port("main"), pki.client_context(), name="b.test", handshake=False)
    near.sock.sendall(near.hello())
    record = Peer(near.sock).recv(7)
    assert record[0] == 21 and record[6] == UNRECOGNIZED_NAME
    daemon.wait_end(end="sni_unknown", service="main")
    assert daemon.servers["main"].served == 0


@pytest.mark.sanitize
def test_protocols_choose_too(scene, pki):
    contexts = {}
    for name in ("main", "h2", "acme", "both"):
        contexts[name] = pki.server_context()
        contexts[name].set_alpn_protocols(["h2", "acme-tls/1", "http/1.1"])
    daemon = passing(scene, {
        "acme": ["alpn = main:acme-tls/1"],
        "both": ["alpn = main:h2", "sni = main:both.test"],
    }, contexts=contexts)
    table = [
        ("localhost", ["acme-tls/1"], "acme"),
        ("both.test", ["acme-tls/1"], "acme"),
        ("both.test", ["http/1.1", "h2"], "both"),
        ("other.test", ["http/1.1", "h2"], "main"),
        ("both.test", ["http/1.1"], "main"),
        ("both.test", [], "main"),
    ]
    for name, protocols, want in table:
        assert ask(daemon, context_of(pki, *protocols), name)[0] == want, (name, protocols)
    daemon.wait_log(r"LOG5\[\d+\]: ALPN: switched to service \[acme\]")


@pytest.mark.parametrize("primary", ["terminates", "passes"])
def test_sections_of_one_port_may_pass_or_terminate(scene, pki, primary):
    own = scene.pki.ca.issue("own", sans=["own.test"], label="pass-own")
    behind = scene.pki.ca.issue("behind", sans=["behind.test"], label="pass-behind")
    inner = scene.server(greeter(b"terminated"))
    outer = scene.server(greeter(b"passed"), pki.server_context(behind))
    here, there = [f"cert = {own.bundle}"], ["passthrough = yes"]
    if primary == "terminates":
        text = scene.section("main", inner, *here) + section("other", outer, "sni = main:behind.test", *there)
    else:
        text = scene.section("main", outer, *there) + section("other", inner, "sni = main:own.test", *here)
    daemon = scene.daemon(text)
    context = pki.client_context()
    context.check_hostname = True
    assert ask(daemon, context, "own.test")[0] == "terminated"
    assert ask(daemon, context, "behind.test")[0] == "passed"


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
def test_each_version_passes(scene, pki, version):
    contexts = {name: pki.server_context(version=version) for name in ("main", "a.test")}
    daemon = passing(scene, {"a.test": ["sni = main:a.test"]}, contexts=contexts)
    with connect_tls(daemon.port("main"), pki.client_context(version=version), name="a.test") as near:
        assert near.version == version
        assert near.rest() == (b"a.test", END)


def large(pki):
    """A context whose hello has some 20 KiB: more than one record holds."""
    return context_of(pki, *(f"{i:03d}".ljust(250, "x") for i in range(90)))


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["whole", "byte by byte", "records of one byte", "cut after 16 KiB"])
def test_a_large_hello_arrives_as_it_was_sent(scene, pki, how):
    def record(peer):
        got.append(peer.recv(len(hello)))
        peer.shut()
        peer.rest()

    got = []
    backend = scene.server(record)
    daemon = scene.daemon(
        scene.section("main", "127.0.0.1:9", "passthrough = yes")
        + section("a", backend, "passthrough = yes", "sni = main:a.test"))
    near = scene.tls(daemon.port("main"), large(pki) if how != "byte by byte" else context_of(pki),
                     name="a.test", handshake=False)
    hello = near.hello()
    assert how == "byte by byte" or len(hello) > 20 * 1024
    if how == "records of one byte":
        hello = in_small_records(context_of(pki))
    pieces = {
        "whole": [hello],
        "byte by byte": [hello[i:i + 1] for i in range(len(hello))],
        "records of one byte": [hello],
        "cut after 16 KiB": [hello[:16384], hello[16384:]],
    }[how]
    near.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        near.sock.sendall(piece)
    near.sock.shutdown(socket.SHUT_WR)
    daemon.wait_end(service="a", end="done")
    assert got == [hello]


def in_small_records(context, name="a.test"):
    """A hello of which each record has one byte."""
    message = TlsPeer(socket.socket(), context, name=name, handshake=False).hello()[5:]
    return b"".join(b"\x16\x03\x01\0\x01" + message[i:i + 1] for i in range(len(message)))


def test_a_large_hello_shakes_hands(scene, pki):
    daemon = passing(scene, {"a.test": ["sni = main:a.test"]})
    assert ask(daemon, large(pki), "a.test")[0] == "a.test"


def test_more_than_64_kib_are_no_hello(scene, pki):
    daemon = passing(scene, {})
    near = scene.connect(daemon.port("main"))
    body = b"\1" + (70_000).to_bytes(3, "big") + b"\3\3" + bytes(70_000)
    near.send(b"".join(
        b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece
        for piece in (body[i:i + 16384] for i in range(0, len(body), 16384)))[:65536])
    assert near.ended() == RESET
    daemon.wait_end(end="hello_bad")
    assert daemon.servers["main"].served == 0


@pytest.mark.parametrize("bytes_, end", [
    (b"GET / HTTP/1.1\r\n\r\n", "not_tls_http"),
    (b"SSH-2.0-x\r\n", "not_tls"),
    (b"\x16\x03\x01\0\0", "hello_bad"),
])
def test_what_is_no_hello_reaches_nobody(scene, pki, bytes_, end):
    daemon = passing(scene, {})
    near = scene.connect(daemon.port("main"))
    near.send(bytes_)
    assert near.ended() == RESET
    daemon.wait_end(end=end)
    assert daemon.servers["main"].served == 0


@pytest.mark.parametrize("kind", ["TLSv1.2", "TLSv1.3"])
def test_sessions_are_resumed_end_to_end(scene, pki, kind):
    daemon = passing(scene, {"a.test": ["sni = main:a.test"]}, script=echo)
    context = pki.client_context(version=kind)
    session = None
    for turn in range(3):
        near = scene.tls(daemon.port("main"), context, name="a.test", session=session)
        assert near.send(b"x").recv(1) == b"x"
        assert near.reused == (turn > 0)
        session = near.session
        near.shut()


@pytest.mark.sanitize
def test_much_goes_both_ways_and_each_end_by_itself(scene, pki):
    """In bulk the bytes go from socket to socket; they and the ends must be right all the same."""
    size = 8 << 20

    def script(peer):
        peer.send(peer.recv(size))
        assert peer.rest()[0] == b"and the rest"
        peer.send(b"heard").shut()

    daemon = passing(scene, {"a.test": ["sni = main:a.test"]}, script=script)
    near = scene.tls(daemon.port("main"), pki.client_context(), name="a.test")
    body = pattern(7, size)
    sender = threading.Thread(target=near.send, args=(body,), daemon=True)
    sender.start()
    sender.join(DEADLINE)
    assert near.recv(size) == body
    near.send(b"and the rest").shut()
    assert near.rest() == (b"heard", END)


def test_a_client_certificate_reaches_the_backend(scene, pki):
    """Which only end-to-end TLS can do."""
    def names(peer):
        peer.send(dict(part[0] for part in peer.tls.getpeercert()["subject"])["commonName"].encode()).shut()
        peer.rest()

    context = pki.server_context(client_ca=pki.ca)
    daemon = passing(scene, {"a.test": ["sni = main:a.test"]}, script=names, contexts={"a.test": context})
    with connect_tls(daemon.port("main"), pki.client_context(pki.client), name="a.test") as near:
        assert near.rest()[0]


# --- ALPN of services that terminate


@pytest.mark.sanitize
def test_a_server_takes_its_first_protocol_that_is_offered(scene, pki):
    daemon = scene.server_mode(scene.server(greeter(b"x")), "alpn = h2, http/1.1")
    for offer, want in ((["http/1.1", "h2"], "h2"), (["x", "http/1.1"], "http/1.1"), ([], None)):
        with connect_tls(daemon.port("tls"), context_of(pki, *offer)) as near:
            assert near.tls.selected_alpn_protocol() == want
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        scene.tls(daemon.port("tls"), context_of(pki, "h3", "http/1"))
    daemon.wait_end(end="tls_accept")


def test_a_client_offers_its_protocols(scene, pki):
    def tell(peer):
        peer.send((peer.tls.selected_alpn_protocol() or "none").encode()).shut()
        peer.rest()

    context = pki.server_context()
    context.set_alpn_protocols(["imap", "h2"])
    daemon = scene.client_mode(scene.server(tell, context), "alpn = h2,imap")
    assert scene.connect(daemon.port("plain")).rest()[0] == b"imap"


def test_a_bridge_has_each_sides_own(scene, pki):
    def tell(peer):
        peer.send((peer.tls.selected_alpn_protocol() or "none").encode()).shut()
        peer.rest()

    context = pki.server_context()
    context.set_alpn_protocols(["b"])
    daemon = scene.server_mode(scene.server(tell, context), "connectTLS = yes", "accept.alpn = a", "connect.alpn = b")
    with connect_tls(daemon.port("tls"), context_of(pki, "a")) as near:
        assert near.rest()[0] == b"b" and near.tls.selected_alpn_protocol() == "a"


def test_terminating_sections_are_told_apart_by_protocol(scene, pki):
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("main", scene.server(greeter(b"main")), cert, "alpn = http/1.1")
        + section("imap", scene.server(greeter(b"imap")), cert, "alpn = main:imap"))
    with connect_tls(daemon.port("main"), context_of(pki, "imap")) as near:
        assert near.rest()[0] == b"imap" and near.tls.selected_alpn_protocol() == "imap"
    with connect_tls(daemon.port("main"), context_of(pki, "http/1.1")) as near:
        assert near.rest()[0] == b"main" and near.tls.selected_alpn_protocol() == "http/1.1"


# --- configuration


def test_what_is_wrong_is_named(scene, pki):
    cert = f"cert = {pki.server.bundle}"
    cases = {
        "passthrough = yes\nclient = yes": r"passthrough: .*remove client = yes",
        "passthrough = yes\nacceptTLS = yes\n" + cert: r"acceptTLS: .*not opened",
        "passthrough = yes\nconnectTLS = yes": r"connectTLS: .*the client's own TLS",
        "passthrough = yes\nprotocol = smtp": r"protocol: smtp needs what is inside",
        "passthrough = yes\nalpn = h2": r"alpn: .*SERVICE:NAMES",
        "alpn = nobody:h2\n" + cert: r"alpn: SNI section name not found",
        "client = yes\nalpn = main:h2": r"alpn: SERVICE:NAMES is for a service that accepts TLS",
        "alpn = main:\n" + cert: r"alpn: .*names no protocol",
        "alpn = :h2\n" + cert: r"alpn: .*names no protocol",
        "alpn = " + "x" * 256 + "\n" + cert: r"alpn: .*at most 255 bytes",
        "alpn = main:h2\naccept = 127.0.0.1:0\n" + cert: r"accept and alpn are two ways in",
        "protocol = pgsql\nalpn = h2\naccept = 127.0.0.1:0\n" + cert: r"alpn: protocol = pgsql has the name postgresql",
        "passthrough = perhaps": r"passthrough: .*yes or no",
    }
    for lines, words in cases.items():
        way_in = "" if "accept =" in lines or "alpn" in lines else "accept = 127.0.0.1:0\n"
        text = (f"foreground = yes\n[main]\naccept = 127.0.0.1:0\nconnect = 9\n{cert}\n"
                f"[second]\n{way_in}connect = 9\n{lines}\n")
        done = scene.run("check", scene.file("bad.conf", text))
        assert done.returncode == 78, (lines, done.stderr)
        assert re.search(r"bad\.conf:\d+: .*" + words, done.stderr), (lines, done.stderr)
