# SPDX-License-Identifier: Apache-2.0
# Several services on one port, told apart by the name that a client asks for.
import re
import socket
import ssl

import pytest

from lib.daemon import INCUMBENT
from lib.peer import END, RESET, TlsPeer, connect_tls, echo, greeter

# How a session is kept: version, ticket or session id.
KINDS = {
    "1.2-ticket": {"version": "TLSv1.2"},
    "1.2-id": {"version": "TLSv1.2", "tickets": False},
    "1.3": {"version": "TLSv1.3"},
}
UNRECOGNIZED_NAME, ILLEGAL_PARAMETER = 112, 47  # RFC 8446 6
ours_only = pytest.mark.skipif(INCUMBENT, reason="a promise of ours, or an option that only we have")


def secondary(name, target, *lines):
    return "\n".join([f"[{name}]", f"connect = {getattr(target, 'address', target)}", *lines, ""])


def hosts(scene, pki, secondaries, *primary_lines, head="", cert=None):
    """A daemon with the primary [main] and secondaries {name: lines}; each greets with its own name."""
    servers = {name: scene.server(greeter(name.encode())) for name in ("main", *secondaries)}
    own = f"cert = {(cert or pki.server).bundle}"
    daemon = scene.daemon(
        scene.section("main", servers["main"], own, *primary_lines)
        + "".join(secondary(name, servers[name], own, *lines) for name, lines in secondaries.items()),
        head,
    )
    daemon.servers = servers
    return daemon


def ask(daemon, context, name, session=None, port=None):
    """(who answered, session, resumed) for a client that asks for `name`; nobody: (None, None, False)."""
    try:
        with connect_tls(port or daemon.port("main"), context, name=name, session=session) as near:
            answer, _ = near.rest()
            return answer.decode() or None, near.session, near.reused
    except (ssl.SSLError, OSError):
        return None, None, False


def who(daemon, context, name):
    return ask(daemon, context, name)[0]


def alert_of(peer):
    """The description of the alert record that ends a connection in clear."""
    record = peer.recv(7)
    assert record[0] == 21 and record[3:6] == b"\0\2\2", record
    return record[6]


# --- a session never opens another service: the attacks


@ours_only
@pytest.mark.sanitize
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_of_one_name_opens_no_other(scene, pki, kind):
    """Every pair of services; who shows no certificate, or another's, must be refused whatever it brings."""
    rules = {
        "main": [],
        "open.test": [],
        "again.test": [],
        "goodca.test": [f"CAfile = {pki.ca.path}", "verify = 2"],
        "otherca.test": [f"CAfile = {pki.other_ca.path}", "verify = 2"],
        "pinned.test": [f"CAfile = {pki.client.path}", "verifyPeer = yes"],
        "asked.test": [f"CAfile = {pki.ca.path}", "verify = 1"],
    }
    admitted = {
        "none": {"main", "open.test", "again.test", "asked.test"},
        "client": {"main", "open.test", "again.test", "goodca.test", "pinned.test", "asked.test"},
        "foreign": {"main", "open.test", "again.test", "otherca.test"},
    }
    daemon = hosts(scene, pki, {name: [f"sni = main:{name}", *lines] for name, lines in rules.items() if name != "main"})
    faults = []
    for identity, doors in admitted.items():
        context = pki.client_context(getattr(pki, identity, None), **KINDS[kind])
        for first in sorted(doors):
            answer, session, _ = ask(daemon, context, first)
            assert answer == first
            for second in rules:
                answer, _, reused = ask(daemon, context, second, session)
                if answer != (second if second in doors else None):
                    faults.append(f"{identity} with a session of {first} at {second}: {answer}")
                if reused != (second == first):
                    faults.append(f"{identity} with a session of {first} at {second}: resumed={reused}")
    assert not faults, "\n".join(faults)


@ours_only
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["main.test", None], ids=["unmatched", "nameless"])
def test_the_primary_hands_out_no_key_to_a_guarded_name(scene, pki, first, kind):
    """A session that the open primary gave, without any certificate, is offered at a name that requires one."""
    daemon = hosts(scene, pki, {"guarded.test": ["sni = main:guarded.test", f"CAfile = {pki.ca.path}", "verify = 2"]})
    context = pki.client_context(**KINDS[kind])
    answer, session, _ = ask(daemon, context, first)
    assert answer == "main" and session is not None
    assert ask(daemon, context, "guarded.test", session) == (None, None, False)
    assert daemon.servers["guarded.test"].served == 0
    assert ask(daemon, context, first, session)[::2] == ("main", True)


@ours_only
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_is_for_the_name_it_was_made_for(scene, pki, kind):
    """RFC 6066 3: not for another name, although the same service has it."""
    daemon = hosts(scene, pki, {"all": ["sni = main:*.test"]})
    context = pki.client_context(**KINDS[kind])
    _, session, _ = ask(daemon, context, "a.test")
    assert ask(daemon, context, "A.TEST", session)[::2] == ("all", True)
    _, session, _ = ask(daemon, context, "a.test")
    assert ask(daemon, context, "b.test", session)[::2] == ("all", False)


def second_flight(near, name, other):
    """Send a hello for `name`, take the HelloRetryRequest, and give back the answer with `other` in it."""
    tls = near.tls
    near.sock.sendall(near.hello())
    retry = near.recv(5)
    near.incoming.write(retry + near.recv(int.from_bytes(retry[3:5], "big")))
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    again = near.outgoing.read()
    assert again.count(name) == 1 and len(name) == len(other)
    return again.replace(name, other)


class Raw:
    """Bytes of a connection below its TLS."""

    def __init__(self, near):
        self.near = near

    def recv(self, size):
        got = b""
        while len(got) < size:
            some = self.near.sock.recv(size - len(got))
            assert some, f"ended after {got!r}"
            got += some
        return got


@ours_only
@pytest.mark.parametrize("other", [b"strict.test", b"open01.test"])
def test_a_name_does_not_change_between_two_hellos(scene, pki, other):
    """The first hello offers no key share that the server takes; RFC 8446 4.1.2 lets the second differ in that alone."""
    rules = [f"CAfile = {pki.ca.path}", "verify = 2"]
    daemon = hosts(scene, pki, {
        "open": ["sni = main:open00.test", "sni = main:open01.test", "curves = P-384"],
        "strict": ["sni = main:strict.test", *rules],
    })
    context = pki.client_context(version="TLSv1.3")
    with connect_tls(daemon.port("main"), context, name="open00.test", handshake=False) as near:
        raw = Raw(near)
        near.recv = raw.recv
        near.sock.sendall(second_flight(near, b"open00.test", other))
        record = raw.recv(5)
        while record[0] != 21:  # change_cipher_spec, for middleboxes
            assert record[0] == 20, record
            raw.recv(int.from_bytes(record[3:5], "big"))
            record = raw.recv(5)
        assert raw.recv(2) == bytes([2, ILLEGAL_PARAMETER])
    daemon.wait_end(end="tls_accept", service="open")
    assert all(server.served == 0 for server in daemon.servers.values())


def test_the_name_may_come_twice(scene, pki):
    daemon = hosts(scene, pki, {"retry.test": ["sni = main:retry.test", "curves = P-384"]})
    assert who(daemon, pki.client_context(version="TLSv1.3"), "retry.test") == "retry.test"


# --- who is chosen


@pytest.mark.sanitize
def test_the_first_pattern_that_matches_is_taken(scene, pki):
    daemon = hosts(scene, pki, {
        "exact": ["sni = main:www.a.test"],
        "subdomains": ["sni = main:*.a.test"],
        "bare": ["sni = main:*b.test"],
        "late": ["sni = main:x.a.test"],
        "upper": ["sni = main:UPPER.Test"],
        "address": ["sni = main:192.0.2.1"],
    })
    table = {
        "www.a.test": "exact", "WWW.A.TEST": "exact", "x.a.test": "subdomains", "x.y.a.test": "subdomains",
        "a.test": "main", "b.test": "bare", "barb.test": "bare", "c.b.test": "bare", "upper.test": "upper",
        "other.test": "main", "upper.test.com": "main", None: "main",
    }
    context = pki.client_context()
    assert {name: who(daemon, context, name) for name in table} == table
    daemon.wait_log(r"LOG6\[\d+\]: SNI: requested servername: www.a.test")
    daemon.wait_log(r"LOG5\[\d+\]: SNI: switched to service \[exact\]")
    daemon.wait_log(r"LOG3\[\d+\]: SNI: no pattern matched servername: other.test")
    daemon.wait_log(r"LOG5\[\d+\]: SNI: no servername received")


@ours_only
def test_one_section_has_many_names_and_a_final_dot_is_none(scene, pki):
    daemon = hosts(scene, pki, {"many": ["sni = main:one.test", "sni = main:two.test.", "sni = main:*.three.test"]})
    context = pki.client_context()
    for name in ("one.test", "two.test", "a.three.test", "one.test.", "two.test.", "a.three.test."):
        assert who(daemon, context, name) == "many", name
    assert who(daemon, context, "four.test") == "main"


@ours_only
def test_an_address_is_compared_as_it_is_written(scene, pki):
    """RFC 6066 3 allows none, but there are clients that send one."""
    daemon = hosts(scene, pki, {"address": ["sni = main:192.0.2.1"]}, "sniUnmatched = reject")
    hello = connect_tls(daemon.port("main"), pki.client_context(), name="192-0-2-1", handshake=False)
    with hello:
        hello.sock.sendall(hello.hello().replace(b"192-0-2-1", b"192.0.2.1"))
        daemon.wait_log(r"SNI: switched to service \[address\]")
    with connect_tls(daemon.port("main"), pki.client_context(), name="192-0-2-2", handshake=False) as hello:
        hello.sock.sendall(hello.hello().replace(b"192-0-2-2", b"192.0.2.2"))
        assert alert_of(Raw(hello)) == UNRECOGNIZED_NAME


@ours_only
def test_two_ports_may_share_a_service(scene, pki):
    backend = scene.server(greeter(b"shared"))
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("one", backend, cert, "sniUnmatched = reject")
        + scene.section("two", backend, cert, "sniUnmatched = reject")
        + secondary("shared", backend, cert, "sni = one:shared.test", "sni = two:shared.test"))
    for door in ("one", "two"):
        assert ask(daemon, pki.client_context(), "shared.test", port=daemon.port(door))[0] == "shared"
        assert ask(daemon, pki.client_context(), "other.test", port=daemon.port(door))[0] is None
    daemon.wait_log(r"SNI: switched to service \[shared\]", count=2)


# --- unmatched


@ours_only
@pytest.mark.parametrize("name", ["unknown.test", None])
def test_who_asks_for_nothing_that_is_served_is_told_so(scene, pki, name):
    daemon = hosts(scene, pki, {"known.test": ["sni = main:known.test"]}, "sniUnmatched = reject")
    near = scene.tls(daemon.port("main"), pki.client_context(), name=name, handshake=False)
    near.sock.sendall(near.hello())
    assert alert_of(Raw(near)) == UNRECOGNIZED_NAME
    assert near.sock.recv(1) == b"", "the alert comes before a plain end, not before a reset"
    end = daemon.wait_end(end="sni_unknown", service="main")
    assert end.level == 4
    assert daemon.servers["main"].served == 0
    assert who(daemon, pki.client_context(), "known.test") == "known.test"


@ours_only
def test_the_primary_may_have_names_of_its_own(scene, pki):
    daemon = hosts(scene, pki, {"other": ["sni = main:other.test"]}, "sni = main:main.test", "sniUnmatched = reject")
    context = pki.client_context()
    assert [who(daemon, context, name) for name in ("main.test", "other.test", "none.test")] == ["main", "other", None]


@pytest.mark.parametrize("cut", [1, 6, 60, 100])
def test_the_hello_may_come_in_pieces(scene, pki, cut):
    daemon = hosts(scene, pki, {"known.test": ["sni = main:known.test"]})
    near = scene.tls(daemon.port("main"), pki.client_context(), name="known.test", handshake=False)
    hello = near.hello()
    near.sock.sendall(hello[:cut])
    near.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    near.sock.sendall(hello[cut:])
    near.handshake()
    assert near.rest() == (b"known.test", END)


@ours_only
@pytest.mark.parametrize("bad", [b"\0nown.test", b"kno n.test", b"kn\xf6wn.test"])
def test_a_name_that_is_none_is_refused(scene, pki, bad):
    daemon = hosts(scene, pki, {"all": ["sni = main:*"]})
    near = scene.tls(daemon.port("main"), pki.client_context(), name="known.test", handshake=False)
    near.sock.sendall(near.hello().replace(b"known.test", bad))
    daemon.wait_end(end="hello_bad")
    assert all(server.served == 0 for server in daemon.servers.values())


# --- what comes from the chosen service


@pytest.mark.sanitize
def test_the_certificate_is_the_chosen_services(scene, pki):
    named = {name: pki.ca.issue(name, sans=[name], label=f"sni-{name}") for name in ("a.test", "b.test")}
    servers = {name: scene.server(greeter(name.encode())) for name in named}
    daemon = scene.daemon(
        scene.section("main", scene.server(greeter(b"main")), f"cert = {pki.server.bundle}")
        + "".join(
            secondary(name, servers[name], f"sni = main:{name}", f"cert = {who.path}", f"key = {who.key}")
            for name, who in named.items()))
    context = pki.client_context()
    context.check_hostname = True
    for name in (*named, "localhost"):
        assert who(daemon, context, name) == (name if name in named else "main")


@ours_only
def test_versions_and_ciphers_are_the_chosen_services(scene, pki):
    daemon = hosts(scene, pki, {
        "old": ["sni = main:old.test", "sslVersion = TLSv1.2", "ciphers = ECDHE-ECDSA-AES128-GCM-SHA256"],
        "new": ["sni = main:new.test", "sslVersion = TLSv1.3", "ciphersuites = TLS_CHACHA20_POLY1305_SHA256"],
        "noticket": ["sni = main:noticket.test", "sslVersion = TLSv1.2", "options = NO_TICKET"],
    }, "sslVersion = TLSv1.2", "ciphers = ECDHE-ECDSA-AES256-GCM-SHA384")
    seen = {}
    for name in ("main.test", "old.test", "new.test"):
        with connect_tls(daemon.port("main"), pki.client_context(), name=name) as near:
            seen[name] = near.version, near.tls.cipher()[0]
    assert seen == {
        "main.test": ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        "old.test": ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        "new.test": ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
    }
    assert ask(daemon, pki.client_context(), "noticket.test")[1].has_ticket is False
    assert ask(daemon, pki.client_context(version="TLSv1.2"), "new.test")[0] is None


def test_verification_is_the_chosen_services(scene, pki):
    daemon = hosts(scene, pki, {
        "goodca.test": ["sni = main:goodca.test", f"CAfile = {pki.ca.path}", "verify = 2"],
        "otherca.test": ["sni = main:otherca.test", f"CAfile = {pki.other_ca.path}", "verify = 2"],
    }, f"CAfile = {pki.client.path}", "verify = 4")
    table = {
        None: {"main": None, "goodca.test": None, "otherca.test": None},
        "client": {"main": "main", "goodca.test": "goodca.test", "otherca.test": None},
        "other_client": {"main": None, "goodca.test": "goodca.test", "otherca.test": None},
        "foreign": {"main": None, "goodca.test": None, "otherca.test": "otherca.test"},
    }
    for identity, row in table.items():
        context = pki.client_context(identity and getattr(pki, identity))
        assert {name: who(daemon, context, name) for name in row} == row, identity


@ours_only
def test_timeouts_names_and_levels_are_the_chosen_services(scene, pki):
    backend = scene.backend()
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("main", backend, cert, "debug = warning")
        + secondary("loud", backend, cert, "sni = main:loud.test", "debug = debug", "TIMEOUTidle = 1")
        + secondary("quiet", backend, cert, "sni = main:quiet.test", "debug = err", "TIMEOUTbusy = 1"))
    near = scene.tls(daemon.port("main"), pki.client_context(), name="loud.test")
    far = scene.keep(backend.accept())
    daemon.wait_log(r"LOG7\[\d+\]: peek -> secure")
    assert near.rest()[1] == RESET and far.rest()[1] == RESET
    daemon.wait_end(end="idle", service="loud")
    before = daemon.mark()
    stuck = scene.tls(daemon.port("main"), pki.client_context(), name="quiet.test", handshake=False)
    stuck.sock.sendall(stuck.hello())
    with pytest.raises(ConnectionResetError):
        while stuck.sock.recv(65536):  # the server's flight, and then TIMEOUTbusy
            pass
    scene.tls(daemon.port("main"), pki.client_context(), name="loud.test").rest()
    daemon.wait_end(end="idle", service="loud", after=before)
    assert "quiet" not in daemon.log()[before:]


@pytest.mark.sanitize
@pytest.mark.parametrize("name", ["localhost", "mail.test"])
def test_behind_a_dialogue_the_name_chooses_certificate_and_rules(scene, pki, name):
    """The target is connected before anybody knows the name, so it is the primary's."""
    shown = pki.ca.issue("mail.test", sans=["mail.test"], label="sni-mail")
    backend = scene.backend()
    daemon = scene.daemon(
        scene.section("main", backend, f"cert = {pki.server.bundle}", "protocol = pop3")
        + secondary("mail", "127.0.0.1:9", f"cert = {shown.bundle}", "protocol = pop3", "sni = main:mail.test",
                    f"CAfile = {pki.ca.path}", "verifyChain = yes"))
    near, far = scene.plain_pair(daemon, backend, "main")
    far.send(b"+OK ready\r\n")
    assert near.recv(11) == b"+OK ready\r\n"
    near.send(b"STLS\r\n")
    assert near.recv(31) == b"+OK Begin TLS negotiation now\r\n"
    context = pki.client_context(pki.client)
    context.check_hostname = True
    tls = TlsPeer(near.sock, context, name=name)
    tls.send(b"QUIT\r\n")
    assert far.recv(6) == b"QUIT\r\n"
    tls.shut()
    far.shut()
    daemon.wait_end(service="mail" if name == "mail.test" else "main")


# --- reload, configuration


@ours_only
def test_a_reload_changes_names_and_keeps_tunnels_and_tickets(scene, pki):
    servers = {name: scene.server(echo) for name in ("main", "old", "new")}
    cert = f"cert = {pki.server.bundle}"
    main = scene.section("main", servers["main"], cert)
    daemon = scene.daemon(main + secondary("old", servers["old"], cert, "sni = main:name.test"))
    context = pki.client_context(version="TLSv1.3")
    port = daemon.port("main")
    standing = scene.tls(port, context, name="name.test")
    assert standing.send(b"hello").recv(5) == b"hello"
    session = standing.session
    daemon.write(main + secondary("old", servers["old"], cert, "sni = main:name.test", "TIMEOUTidle = 77"))
    daemon.reload()
    near = scene.tls(port, context, name="name.test", session=session)
    assert near.send(b"hello").recv(5) == b"hello"
    assert near.reused
    daemon.write(main + secondary("new", servers["new"], cert, "sni = main:name.test"))
    daemon.reload()
    near = scene.tls(port, context, name="name.test", session=near.session)
    assert near.send(b"hello").recv(5) == b"hello"
    assert not near.reused
    assert standing.send(b"still").recv(5) == b"still"
    assert [servers[name].served for name in servers] == [0, 2, 1]


BAD = {  # what stands in the second section, and what is said of it; {} is the line of sni
    "sni = main": "sni: Invalid SNI parameter format",
    "sni = main:": "sni: Invalid SNI parameter format",
    "sni = :name.test": "sni: Invalid SNI parameter format",
    "sni = mian:name.test": r"sni: SNI section name not found: .*\[mian\].*\[main\]",
    "sni = plain:name.test": r"sni: SNI primary service is a TLS client: .*\[plain\]",
    "sni = second:name.test": r"sni: .*\[second\].*accept",
    "sni = third:name.test": r"sni: .*\[third\].*accept",
    "sni = main:name.test\naccept = 127.0.0.1:0": "Each service must define two endpoints: .*accept.*sni",
    "sni = main:name.test\nsniUnmatched = reject": r"sniUnmatched: .*\[second\]",
    "sni = main:name.test\nsniUnmatched = perhaps": "sniUnmatched: .*primary.*reject",
    "sni = pop3:name.test\nredirect = 127.0.0.1:8\nverifyChain = yes\nCAfile = {ca}":
        "redirect: .*incompatible with the specified protocol negotiation",
    "sni = main:name.test\nprotocol = pop3": r"protocol: .*pop3.*into \[main\]",
    "client = yes\nsni = main:name.test\naccept = 127.0.0.1:0": "sni: Invalid SNI parameter format",
}


@ours_only
@pytest.mark.parametrize("lines", BAD, ids=lambda lines: lines.replace("\n", ", "))
def test_what_is_wrong_is_named_with_its_line(scene, pki, lines):
    cert = f"cert = {pki.server.bundle}"
    text = f"""foreground = yes
[main]
accept = 127.0.0.1:0
connect = 127.0.0.1:9
{cert}
[plain]
client = yes
accept = 127.0.0.1:0
connect = 127.0.0.1:9
[pop3]
accept = 127.0.0.1:0
connect = 127.0.0.1:9
protocol = pop3
{cert}
[second]
connect = 127.0.0.1:9
{cert}
{lines.format(ca=pki.ca.path)}
[third]
sni = main:third.test
connect = 127.0.0.1:9
{cert}
"""
    done = scene.run("check", scene.file("bad.conf", text))
    assert done.returncode == 78, done.stderr
    assert re.search(r"(?m)^[^ ]*bad\.conf:[12][0-9]: (\[second\]: )?" + BAD[lines], done.stderr), done.stderr


@ours_only
@pytest.mark.parametrize("first, second, warned", [
    ("*.a.test", "x.a.test", True),
    ("*", "x.a.test", True),
    ("x.a.test", "X.A.test.", True),
    ("*a.test", "*.a.test", True),
    ("*.a.test", "a.test", False),
    ("x.a.test", "*.a.test", False),
    ("a.*.test", "b.test", True),
])
def test_a_pattern_that_can_never_be_taken_is_told_of(scene, pki, first, second, warned):
    cert = f"cert = {pki.server.bundle}"
    text = (
        f"foreground = yes\n[main]\naccept = 127.0.0.1:0\nconnect = 9\n{cert}\n"
        + secondary("one", "9", cert, f"sni = main:{first}")
        + secondary("two", "9", cert, f"sni = main:{second}"))
    done = scene.run("check", scene.file("warn.conf", text))
    assert done.returncode == 0, done.stderr
    assert ("never" in done.stderr) == warned, done.stderr


@ours_only
def test_a_secondary_does_not_connect_to_its_own_port(scene, pki):
    daemon = hosts(scene, pki, {})
    port = daemon.port("main")
    cert = f"cert = {pki.server.bundle}"
    daemon.write(
        scene.section("main", daemon.servers["main"], cert)
        + secondary("ring", f"127.0.0.1:{port}", cert, "sni = main:ring.test"))
    daemon.reload()
    assert who(daemon, pki.client_context(), "ring.test") is None
    daemon.wait_end(end="loop", service="ring")


def test_a_thousand_names(scene, pki):
    backend = scene.server(greeter(b"main"))
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("main", backend, cert, "debug = notice")
        + "".join(secondary(f"s{i}", backend, cert, f"sni = main:host{i}.test", "debug = notice") for i in range(1000)))
    for i in (0, 500, 999):
        assert who(daemon, pki.client_context(), f"host{i}.test") == "main"
        daemon.wait_end(service=f"s{i}")
