# SPDX-License-Identifier: Apache-2.0
# Several protocols on one port, told apart by what clients begin with.
import re
import ssl

import pytest

from lib import proxy
from lib.peer import END, RESET, TlsPeer, echo, greeter


def tell(name):
    """Script: say who this is, and what the client began with."""

    def script(peer):
        peer.send(name + b":" + peer.some())
        peer.shut()
        peer.rest()

    return script


def tell_all(name):
    """Script: the same, for all that the client says to its end."""

    def script(peer):
        peer.send(name + b":" + peer.rest()[0])
        peer.shut()

    return script


def section(name, target, *lines):
    return "\n".join([f"[{name}]", *([f"connect = {target.address}"] if target else []), *lines, ""])


BEGINNINGS = {  # how a client begins, and who serves it
    b"SSH-2.0-test\r\n": "ssh",
    b"GET / HTTP/1.1\r\n\r\n": "http",
    b"DELETE /x HTTP/1.1\r\n\r\n": "http",
    b"PRI * HTTP/2.0\r\n\r\n": "http",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n": "connect",
    b"\4\1\0\x50\1\2\3\4\0": "socks",
    b"\5\1\0": "socks",
    b"\4\3": "other",
    b"GETX / HTTP/1.1\r\n\r\n": "other",
    b"\0\0\0\x08": "other",
    b"SS": "other",
    b"ssh-2.0\r\n": "other",
}


def front(scene, *main_lines, names=("ssh", "http", "connect", "socks", "other"), extra="", script=tell):
    """[main] opens TLS; the others serve what comes in clear, each telling its name."""
    servers = {name: scene.server(script(name.encode())) for name in ("main", *names)}
    daemon = scene.daemon(
        scene.section("main", servers["main"], f"cert = {scene.pki.server.bundle}", *main_lines)
        + "".join(section(name, servers[name], f"detect = main:{name}") for name in names) + extra)
    daemon.servers = servers
    return daemon


@pytest.mark.sanitize
@pytest.mark.parametrize("how", ["at once", "byte by byte"])
def test_first_bytes_decide(scene, pki, how):
    daemon = front(scene, script=tell_all)
    for first, want in BEGINNINGS.items():
        near = scene.connect(daemon.port("main"))
        for piece in [first] if how == "at once" else [first[i:i + 1] for i in range(len(first))]:
            near.send(piece)
        near.shut()
        assert near.rest() == (want.encode() + b":" + first, END), "all bytes reach the target"
    near = scene.tls(daemon.port("main"), pki.client_context())
    near.send(b"hello").shut()
    assert near.rest()[0] == b"main:hello"
    daemon.wait_log(r"LOG5\[\d+\]: Detected SSH: switched to service \[ssh\]")
    daemon.wait_log(r"LOG6\[\d+\]: Detected TLS$")


def test_what_nobody_has_named_is_the_ports_own(scene, pki):
    daemon = front(scene, names=("ssh",))
    near = scene.connect(daemon.port("main")).send(b"GET / HTTP/1.1\r\n\r\n")
    assert near.ended() == RESET
    daemon.wait_end(end="not_tls_http", service="main")


def test_a_plain_port_may_have_them_too(scene, pki):
    """The port's own service speaks no TLS, and a section that does takes those who begin with it."""
    daemon = scene.daemon(
        scene.section("main", scene.server(tell(b"main")), "acceptTLS = no")
        + section("secure", scene.server(tell(b"secure")), "detect = main:tls", f"cert = {pki.server.bundle}"))
    assert scene.connect(daemon.port("main")).send(b"x").rest()[0] == b"main:x"
    near = scene.tls(daemon.port("main"), pki.client_context()).send(b"y")
    assert near.rest()[0] == b"secure:y"


@pytest.mark.sanitize
def test_a_silent_client_waits_for_the_server(scene, pki):
    daemon = scene.daemon(
        scene.section("main", scene.server(tell(b"main")), f"cert = {pki.server.bundle}", "detectTimeout = 3")
        + section("mail", scene.server(greeter(b"220 hello\r\n")), "detect = main:timeout"))
    near = scene.connect(daemon.port("main"))
    assert near.rest() == (b"220 hello\r\n", END)
    daemon.wait_log(r"Detected a client that waits: switched to service \[mail\]")
    assert scene.tls(daemon.port("main"), pki.client_context()).send(b"x").rest()[0] == b"main:x"


def test_bytes_that_begin_nothing_yet_wait_with_the_client(scene, pki):
    daemon = scene.daemon(
        scene.section("main", scene.server(tell(b"main")), f"cert = {pki.server.bundle}", "detectTimeout = 1")
        + section("slow", scene.server(tell(b"slow")), "detect = main:timeout"))
    assert scene.connect(daemon.port("main")).send(b"SS").rest()[0] == b"slow:SS"


def test_who_leaves_without_a_byte_is_nobody(scene):
    daemon = front(scene)
    scene.connect(daemon.port("main")).close()
    daemon.wait_end(end="no_bytes")
    assert not any(server.served for server in daemon.servers.values())


def test_starttls_may_share_a_port_with_tls(scene, pki):
    backend = scene.backend()
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("main", scene.server(tell(b"main")), cert, "detectTimeout = 1")
        + section("smtp", backend, "detect = main:timeout", "protocol = smtp", "acceptTLS = yes", cert))
    near = scene.connect(daemon.port("main"))
    far = scene.keep(backend.accept())
    far.send(b"220 hello\r\n")
    assert near.recv(11) == b"220 hello\r\n"
    near.send(b"STARTTLS\r\n")
    assert near.recv(14) == b"220 Go ahead\r\n"
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    tls.send(b"EHLO x\r\n")
    assert far.recv(8) == b"EHLO x\r\n"


@pytest.mark.sanitize
def test_what_is_inside_of_tls_is_told_apart_too(scene, pki):
    inner = {name: scene.server(tell(name.encode())) for name in ("sstp", "http", "ssh")}
    daemon = scene.daemon(
        scene.section("main", scene.server(tell(b"main")), f"cert = {pki.server.bundle}")
        + section("sstp", inner["sstp"], "detect = main:sstp")
        + section("http", inner["http"], "detect = main:tls/http,tls/connect")
        + section("ssh", inner["ssh"], "detect = main:tls/ssh"))
    for first, want in {
        b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n": b"sstp",
        b"GET / HTTP/1.1\r\n\r\n": b"http",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n": b"http",
        b"SSH-2.0-x\r\n": b"ssh",
        b"anything": b"main",
    }.items():
        near = scene.tls(daemon.port("main"), pki.client_context())
        for i in range(len(first)):
            near.send(first[i:i + 1])
        got = near.rest()[0]
        assert got.startswith(want + b":"), first
    assert scene.connect(daemon.port("main")).send(b"SSH-2.0-x\r\n").ended() == RESET, "in clear nobody takes it"


def test_who_may_not_open_tls_gets_no_further(scene, pki):
    inner = scene.backend()
    daemon = scene.daemon(
        scene.section("main", inner, f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes")
        + section("ssh", inner, "detect = main:tls/ssh"))
    with pytest.raises((ssl.SSLError, OSError)):
        near = scene.tls(daemon.port("main"), pki.client_context(version="TLSv1.2"))
        near.send(b"SSH-2.0-x\r\n")
        near.recv(1)
    daemon.wait_end(end="cert_missing")
    assert inner.unvisited()


def test_sections_by_name_behind_a_plain_port(scene, pki):
    """TLS is one protocol of several on the port, and has sections by name itself."""
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("main", scene.server(tell(b"main")), "acceptTLS = no")
        + section("tls", scene.server(tell(b"tls")), "detect = main:tls", cert)
        + section("named", scene.server(tell(b"named")), "sni = tls:named.test", cert))
    assert scene.tls(daemon.port("main"), pki.client_context(), name="named.test").send(b"x").rest()[0] == b"named:x"
    assert scene.tls(daemon.port("main"), pki.client_context(), name="x.test").send(b"x").rest()[0] == b"tls:x"


def test_tls_may_be_passed_on_beside_the_rest(scene, pki):
    daemon = scene.daemon(
        scene.section("main", scene.server(tell(b"main")), "acceptTLS = no")
        + section("pass", scene.server(tell(b"pass"), pki.server_context()), "detect = main:tls", "passthrough = yes"))
    assert scene.tls(daemon.port("main"), pki.client_context()).send(b"x").rest()[0] == b"pass:x"


@pytest.mark.sanitize
def test_a_header_comes_before_the_first_bytes(scene, pki):
    daemon = front(scene, "proxyProtocolFrom = 127.0.0.1", script=tell_all)
    for first in (b"SSH-2.0-x\r\n", b""):
        near = scene.connect(daemon.port("main"))
        near.send(proxy.v2() + first)
        if not first:
            near.send(b"SSH-2.0-x\r\n")
        assert near.shut().rest()[0] == b"ssh:SSH-2.0-x\r\n"
        assert daemon.wait_end(service="ssh").peer == "192.0.2.7:1234"


@pytest.mark.parametrize("line, end", [("denyFrom = 127.0.0.1", "not_allowed"), ("maxConnections = 1", "service_full")])
@pytest.mark.parametrize("layer", ["", "tls/"])
def test_a_sections_own_rules_hold(scene, pki, line, end, layer):
    daemon = scene.daemon(
        scene.section("main", scene.server(echo), f"cert = {pki.server.bundle}")
        + section("ssh", scene.server(echo), f"detect = main:{layer}ssh", line))

    def come():
        near = scene.tls(daemon.port("main"), pki.client_context()) if layer else scene.connect(daemon.port("main"))
        return near.send(b"SSH-2.0-x\r\n")

    if "max" in line:
        assert come().recv(1) == b"S"
    with pytest.raises((AssertionError, OSError, ssl.SSLError)):
        come().recv(1)
    daemon.wait_end(end=end, service="ssh")


# --- plain HTTP is sent on to https


def redirector(scene, *lines, **how):
    return scene.daemon(
        f"[main]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\ncert = {scene.pki.server.bundle}\n"
        + section("http", None, "detect = main:http", "protocol = https-redirect", *lines), **how)


def ask(scene, daemon, request, service="main"):
    near = scene.connect(daemon.port(service))
    near.send(request)
    answer, how = near.rest()
    assert how == END
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, body


@pytest.mark.sanitize
@pytest.mark.parametrize("request_, want", [
    (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://a.test/"),
    (b"GET /p?q=1 HTTP/1.1\r\nHost: a.test:8443\r\n\r\n", "https://a.test:8443/p?q=1"),
    (b"GET /p HTTP/1.1\r\nhost: a.test:80\r\n\r\n", "https://a.test/p"),
    (b"GET //evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://a.test//evil.test/"),
    (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n", "https://[2001:db8::1]:8443/"),
    (b"GET http://b.test/p HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://b.test/p"),
    (b"GET http://b.test HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://b.test/"),
    (b"HEAD /p HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://a.test/p"),
])
def test_http_is_sent_on(scene, request_, want):
    daemon = redirector(scene)
    status, fields, body = ask(scene, daemon, request_)
    assert (status, fields["Location"]) == (301, want)
    assert bool(body) == (not request_.startswith(b"HEAD"))
    daemon.wait_end(end="sent_on", service="http")


@pytest.mark.parametrize("request_, want", [
    (b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc", 403),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: user@a.test\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a.test:99999\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400),
    (b"GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a.test\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a.test\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
    (b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", 403),
])
def test_what_cannot_be_sent_on_is_refused(scene, request_, want):
    daemon = redirector(scene)
    status, fields, _ = ask(scene, daemon, request_)
    assert status == want and "Location" not in fields
    daemon.wait_end(end="proto_client", service="http")


def test_a_redirect_has_nothing_to_be_warned_of(scene):
    done = scene.run("check", scene.file("good.conf", "foreground = yes\n[a]\naccept = 8080\nprotocol = https-redirect\n"))
    assert done.returncode == 0 and "warning" not in done.stderr.replace("0 warning(s)", ""), done.stderr
    done = scene.run("check", scene.file(
        "bad.conf", "foreground = yes\n[a]\naccept = 8080\nconnect = 9\nprotocol = https-redirect\n"))
    assert done.returncode == 78 and "remove what is too many" in done.stderr, done.stderr


def test_a_port_of_its_own_and_a_fixed_name(scene):
    daemon = scene.daemon("[main]\naccept = 127.0.0.1:0\nprotocol = https-redirect\nprotocolHost = www.test:8443\n")
    assert ask(scene, daemon, b"GET /p HTTP/1.0\r\n\r\n")[1]["Location"] == "https://www.test:8443/p"


def inner_proxy(scene, pki, *opener):
    """A port that opens TLS, and a proxy for requests inside of it."""
    return (scene.section("main", scene.backend(), f"cert = {pki.server.bundle}", *opener)
            + "\n".join(["[proxy]", "detect = main:tls/connect", "protocol = connect", ""]))


def test_rules_about_certificates_hold_inside_of_tls(scene, pki):
    """It is the section that opens TLS which verifies."""
    target = scene.backend()
    daemon = scene.daemon(
        inner_proxy(scene, pki, f"CAfile = {pki.ca.path}", "verifyChain = yes")
        + f"allow = cn:client.test -> {target.address}\nmaxConnectionsPerIdentity = 1\n")
    for who, status in ((pki.client, b"200"), (pki.client, b"503"), (pki.other_client, b"403")):
        near = scene.tls(daemon.port("main"), pki.client_context(who))
        near.send(f"CONNECT {target.address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert near.recv(12) == b"HTTP/1.1 " + status, who
        scene.keep(near)


@pytest.mark.parametrize("line", ["allow = cn:client.test -> *", "allow = * -> *\nmaxConnectionsPerIdentity = 1"])
def test_certificates_inside_of_tls_that_nobody_verifies(scene, pki, line):
    done = scene.run("check", scene.file("bad.conf", inner_proxy(scene, pki) + line + "\n"))
    assert done.returncode == 78
    assert "verifyChain = yes and CAfile = FILE, or verifyPeer = yes in [main], which opens the TLS" in done.stderr


# --- configuration


def test_what_is_wrong_is_named(scene, pki):
    cert = f"cert = {pki.server.bundle}"
    cases = {
        "detect = ssh": r"detect: \"ssh\" does not say whose clients these are; write SERVICE:ssh",
        "detect = :ssh": r"detect: .*write SERVICE:ssh",
        "detect = main:": r"detect: .*names no protocol",
        "detect = main:ssh,gopher": r"detect: \"gopher\" is not known; write some of tls, ssh, http",
        "detect = mian:ssh": r"detect: there is no \[mian\]",
        "detect = main:ssh\naccept = 127.0.0.1:0": r".*accept and detect are two ways in",
        "detect = main:ssh\nacceptTLS = yes\n" + cert: r"acceptTLS: clients of \"main:ssh\" do not begin with TLS",
        "detect = main:sstp\nacceptTLS = yes\n" + cert: r"acceptTLS: .*inside of TLS that \[main\] has opened already",
        "detect = plain:sstp": r"detect: \"plain:sstp\": \[plain\] does not open TLS",
        "detect = third:ssh": r"detect: \[third\] of \"third:ssh\" has no port of its own",
        "detect = main:http": r"detect: \"main:http\": \[third\] takes some of these clients already",
        "detect = mail:ssh": r"protocol: its clients wait to be greeted.*detect = mail:timeout",
        "detect = main:ssh\ndetectTimeout = 0": r"detectTimeout: ",
    }
    for lines, words in cases.items():
        text = f"""foreground = yes
[main]
accept = 127.0.0.1:0
connect = 9
{cert}
[plain]
accept = 127.0.0.1:0
connect = 9
acceptTLS = no
[mail]
accept = 127.0.0.1:0
connect = 9
protocol = smtp
{cert}
[third]
detect = main:http
connect = 9
[second]
connect = 9
{lines}
"""
        if "main:http" in lines:
            text = text.replace("[third]\ndetect = main:http\nconnect = 9\n", "") + (
                "[third]\ndetect = main:http\nconnect = 9\n")
            words = words.replace("third", "second")
        done = scene.run("check", scene.file("bad.conf", text))
        assert done.returncode == 78, (lines, done.stderr)
        assert re.search(r"bad\.conf:\d+: (\[second\]: )?" + words, done.stderr), (lines, done.stderr)
