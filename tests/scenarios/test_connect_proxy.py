# SPDX-License-Identifier: Apache-2.0
# A proxy for CONNECT: on plain and TLS listeners, rules, users, certificates, and what it answers.
import base64
import contextlib
import os
import ssl
import subprocess
import time

import pytest

from lib.names import A, NameServer
from lib.peer import END, RESET, Ended, greeter
from lib.ports import Nobody, free_port
from lib.wait import DEADLINE, until

pytestmark = pytest.mark.sanitize

PLAIN = ("acceptTLS = no",)


def proxy(scene, *lines, name="proxy", **how):
    return scene.daemon("\n".join([f"[{name}]", "accept = 127.0.0.1:0", "protocol = connect", *lines, ""]), **how)


def head(peer):
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += peer.recv(1)
    return got.decode("ascii").split("\r\n")[:-2]


def ask(near, target, *fields, version="1.1", behind=b""):
    lines = [f"CONNECT {target} HTTP/{version}", f"Host: {target}", *fields]
    near.send("\r\n".join([*lines, "", ""]).encode() + behind)


def answer(near):
    """An answer that ends the connection: status, the cause of Proxy-Status, and the fields."""
    got, how = near.rest()
    near.close()  # or it would be waited for
    assert how == END
    top, _, body = got.partition(b"\r\n\r\n")
    status, *lines = top.decode("ascii").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert int(fields["Content-Length"]) == len(body) and fields["Connection"] == "close"
    assert fields["Proxy-Status"].startswith("ginnel; error=")
    return int(status.split(" ")[1]), fields["Proxy-Status"].partition("=")[2], fields


def talk(near, far):
    near.send(b"there")
    assert far.recv(5) == b"there"
    far.send(b"and back")
    assert near.recv(8) == b"and back"
    near.shut()
    assert far.ended() == END
    far.send(b"still")
    assert near.recv(5) == b"still", "one direction has ended, the other goes on"
    far.shut()
    assert near.ended() == END


@pytest.fixture
def names(scene):
    return scene.keep(NameServer())


# --- where it listens


def test_in_clear(scene):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, f"allow = * -> {target.address}")
    near = scene.connect(daemon.port("proxy"))
    ask(near, target.address, behind=b"hello")
    far = scene.keep(target.accept())
    assert far.recv(5) == b"hello", "what came behind the request is data"
    assert head(near) == ["HTTP/1.1 200 OK", 'Proxy-Status: ginnel; next-hop="127.0.0.1"']
    talk(near, far)
    end = daemon.wait_end(end="done")
    assert (end.to_tls, end.to_socket) in ((13, 10), (10, 13)), "the request and its answer do not count"


def test_inside_tls(scene, pki):
    target = scene.backend()
    daemon = proxy(scene, f"cert = {pki.server.bundle}", f"allow = * -> {target.address}")
    near = scene.tls(daemon.port("proxy"))
    ask(near, target.address, behind=b"hello")
    far = scene.keep(target.accept())
    assert far.recv(5) == b"hello"
    assert head(near)[0] == "HTTP/1.1 200 OK"
    talk(near, far)
    daemon.wait_end(end="done")


def test_tls_runs_through_it(scene, pki):
    target = scene.backend()
    daemon = proxy(scene, f"cert = {pki.server.bundle}", f"allow = * -> {target.address}")
    near = scene.tls(daemon.port("proxy"))
    ask(near, target.address)
    head(near)
    far = scene.keep(target.accept())
    near.send(b"\x16\x03\x01")
    assert far.recv(3) == b"\x16\x03\x01"


def test_ipv6_literal(scene):
    target = scene.backend(host="::1")
    daemon = proxy(scene, *PLAIN, f"allow = * -> [::1]:{target.port}")
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"[::1]:{target.port}")
    far = scene.keep(target.accept())
    assert head(near)[1] == 'Proxy-Status: ginnel; next-hop="::1"'
    talk(near, far)


def test_a_request_in_pieces(scene):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, f"allow = * -> {target.address}")
    near = scene.connect(daemon.port("proxy"))
    for byte in f"CONNECT {target.address} HTTP/1.0\r\n\r\n".encode():
        near.send(bytes([byte]))
    far = scene.keep(target.accept())
    head(near)
    talk(near, far)


def test_addresses_are_tried_at_once(scene):
    """RFC 8305: localhost is ::1, too, where nobody listens."""
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, "allow = * -> *!", "debug = info")
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"localhost:{target.port}")
    far = scene.keep(target.accept())
    head(near)
    talk(near, far)
    daemon.wait_log(f"s_connect: connected 127.0.0.1:{target.port}")


def test_addresses_are_tried_at_once_for_everybody(scene):
    target = scene.backend()
    daemon = scene.server_mode(f"localhost:{target.port}", *PLAIN, "happyEyeballs = yes", "debug = info")
    near = scene.connect(daemon.port("tls"))
    talk(near, scene.keep(target.accept()))


# --- what it refuses


@pytest.mark.parametrize("request_, status, cause", [
    (b"GET http://www.test/ HTTP/1.1\r\nHost: www.test\r\n\r\n", 405, "http_request_denied"),
    (b"CONNECT a:1 HTTP/1.1\r\n\r\n", 400, "http_request_error"),
    (b"CONNECT a:1 HTTP/1.0\n\n", 400, "http_request_error"),
    (b"CONNECT a:0 HTTP/1.0\r\n\r\n", 400, "http_request_error"),
    (b"CONNECT a:1 HTTP/1.0\r\nA: " + 9000 * b"a", 431, "http_request_error"),
    (b"CONNECT 127.0.0.1:1 HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", 403, "destination_ip_prohibited"),
])
def test_refusals(scene, request_, status, cause):
    daemon = proxy(scene, *PLAIN, "allow = * -> *")
    near = scene.connect(daemon.port("proxy"))
    near.send(request_)
    assert answer(near)[:2] == (status, cause)
    daemon.wait_log("end=(proto_client|target_refused)")


def test_dead_and_unknown_targets(scene, names):
    dead = Nobody()
    daemon = proxy(scene, *PLAIN, "allow = * -> *!", head=f"nameServers = {names.address}")
    near = scene.connect(daemon.port("proxy"))
    ask(near, dead.address)
    assert answer(near)[:2] == (502, "connection_refused")
    daemon.wait_end(end="connect")
    near = scene.connect(daemon.port("proxy"))
    ask(near, "no-such-host.invalid:80")
    assert answer(near)[:2] == (502, "dns_error")
    daemon.wait_end(end="resolve")


def mute_names(scene, names):
    names.mute = True
    return "mute.test:80", (), f"nameServers = {names.address}"


def mute_target(scene, names):
    """It takes the connection, and never says a word of TLS."""
    return scene.backend().address, ("connectTLS = yes",), ""


@pytest.mark.parametrize("target", [mute_names, mute_target])
def test_a_target_that_takes_too_long(scene, names, target):
    """When the time for all of it is up, the client is told that it is."""
    host, lines, options = target(scene, names)
    daemon = scene.daemon("\n".join([
        "[proxy]", "accept = 127.0.0.1:0", "protocol = connect", "TIMEOUTbusy = 2", *PLAIN, *lines, "allow = * -> *!",
        "[socks]", "accept = 127.0.0.1:0", "protocol = socks", "TIMEOUTbusy = 2", *PLAIN, *lines, "allow = * -> *!", ""]),
        options + "\n")
    near = scene.connect(daemon.port("proxy"))
    ask(near, host)
    assert answer(near)[:2] == (504, "connection_timeout")
    daemon.wait_end(end="setup_timeout", service="proxy")
    near = scene.connect(daemon.port("socks"))
    name, _, port = host.partition(":")
    near.send(b"\5\1\0")
    assert near.recv(2) == b"\5\0"
    near.send(b"\5\1\0\3" + bytes([len(name)]) + name.encode() + int(port).to_bytes(2, "big"))
    got, how = near.rest()
    near.close()
    assert (got[:2], how) == (b"\5\4", END)
    daemon.wait_end(end="setup_timeout", service="socks")


def test_a_target_that_swallows_its_clients(scene):
    """A queue that is full drops what comes: TIMEOUTconnect is for each address, and its end is told, too."""
    full = scene.backend(backlog=0)
    scene.connect(full.port)
    daemon = proxy(scene, *PLAIN, "allow = * -> *!", "TIMEOUTconnect = 1")
    near = scene.connect(daemon.port("proxy"))
    ask(near, full.address)
    assert answer(near)[:2] == (504, "connection_timeout")
    daemon.wait_end(end="connect")


def test_tls_with_the_target_that_fails(scene, pki):
    wrong = scene.server(greeter(b""), pki.server_context())
    clear = scene.server(lambda peer: peer.some() and peer.send(b"here is no TLS").rest())
    leaving = scene.server(lambda peer: peer.some() and peer.reset())
    daemon = proxy(scene, *PLAIN, "allow = * -> *!", "connectTLS = yes", f"CAfile = {pki.other_ca.path}", "verifyChain = yes")
    for target, cause in (wrong, "tls_certificate_error"), (clear, "tls_protocol_error"), (
            leaving, "connection_terminated"):
        near = scene.connect(daemon.port("proxy"))
        ask(near, target.address)
        assert answer(near)[:2] == (502, cause)


def test_a_target_that_is_this_proxy(scene):
    daemon = proxy(scene, *PLAIN, "allow = * -> *!")
    port = daemon.port("proxy")
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"127.0.0.1:{port}")
    assert answer(near)[:2] == (502, "proxy_loop_detected")
    daemon.wait_end(end="loop")


# --- rules

HIDDEN = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "localhost",
          "LocalHost", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]"]


@pytest.mark.parametrize("host", HIDDEN)
def test_no_form_of_an_address_reaches_loopback(scene, host):
    target = scene.backend(host="::1" if ":" in host and "127" not in host else "127.0.0.1")
    daemon = proxy(scene, *PLAIN, "allow = * -> *", "allow = * -> 0.0.0.0/0", "allow = * -> ::/0")
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"{host}:{target.port}")
    assert answer(near)[:2] == (403, "destination_ip_prohibited")
    daemon.wait_end(end="target_refused")
    assert target.unvisited()


def test_of_a_names_addresses_only_those_that_rules_allow_are_tried(scene, names):
    hidden = scene.backend(port=free_port())
    target = scene.backend(host="127.0.0.2", port=hidden.port)
    names.records["both.test", A] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    daemon = proxy(scene, *PLAIN, "allow = * -> 127.0.0.2", head=f"nameServers = {names.address}")
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"both.test:{target.port}")
    far = target.accept()
    assert head(near)[0] == "HTTP/1.1 200 OK"
    talk(near, far)
    assert hidden.unvisited()


def test_a_name_that_moves_inside_is_not_followed(scene, names):
    hidden = scene.backend(port=free_port())
    target = scene.server(greeter(b"allowed"), host="127.0.0.2", port=hidden.port)
    names.records["moves.test", A], names.ttl = ["127.0.0.2"], 1
    daemon = proxy(scene, *PLAIN, "allow = * -> 127.0.0.2", head=f"nameServers = {names.address}")

    def visit():
        near = scene.connect(daemon.port("proxy"))
        ask(near, f"moves.test:{target.port}")
        return near.rest()[0]

    assert visit().endswith(b"allowed")
    names.records["moves.test", A] = ["127.0.0.1"]
    until(lambda: visit().startswith(b"HTTP/1.1 403 "), "the new address")
    assert hidden.unvisited()


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1."])
def test_other_spellings_are_no_hosts(scene, host):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, "allow = * -> *!")
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"{host}:{target.port}", version="1.0")
    assert answer(near)[0] == 400
    assert target.unvisited()


def test_the_first_rule_that_fits_decides(scene):
    target, other = scene.backend(), scene.backend()
    daemon = proxy(scene, *PLAIN, f"deny = * -> 127.0.0.0/8:{other.port}", "allow = from:127.0.0.0/8 -> localhost",
                   "deny = * -> *")
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"localhost:{target.port}")
    far = scene.keep(target.accept())
    head(near)
    talk(near, far)
    near = scene.connect(daemon.port("proxy"))
    ask(near, f"localhost:{other.port}")
    assert answer(near)[0] == 403
    daemon.wait_log(r"Rules: denied by deny = \* -> 127.0.0.0/8")
    assert other.unvisited()


def test_without_a_rule_it_does_not_start(scene):
    scene.file("open.conf", "[proxy]\naccept = 127.0.0.1:0\nprotocol = connect\nacceptTLS = no\n")
    for command in (["check", "open.conf"], ["open.conf"]):
        result = scene.run(*command)
        said = result.stdout + result.stderr
        assert result.returncode == 78 and "allow = from:127.0.0.0/8 -> *:443" in said and "deny = * -> *" in said, said


@pytest.mark.parametrize("lines, says", [
    (["allow = user:a -> *", "acceptTLS = no"], "proxyUsers = FILE"),
    (["allow = * -> *", "proxyUsers = users", "acceptTLS = no"], "no rule asks for a user"),
    (["allow = cn:a -> *", "acceptTLS = no"], "without TLS"),
    (["allow = cn:a -> *", "cert = CERT"], "must be verified"),
    (["allow = user:a -> *", "proxyUsers = users", "connect = 80", "cert = CERT"], "nobody can log in here"),
    (["allow = user:a -> *", "connect = 80", "cert = CERT"], "nobody can log in here"),
    (["allow = * -> *", "proxyUsers = users", "connect = 80", "cert = CERT"], "nobody can log in here"),
    (["allow = * -> *", "acceptTLS = no", "maxConnectionsPerIdentity = 1"], "nobody can show here who it is"),
    (["allow = * -> *", "cert = CERT", "maxConnectionsPerIdentity = 1"], "tells nobody from others"),
    (["allow = * -> *", "connect = 80", "exec = /bin/cat", "acceptTLS = no"], "two endpoints"),
    (["allow = a -> *", "acceptTLS = no"], "names nobody"),
    (["allow = user:a -> *", "proxyUsers = plain", "acceptTLS = no"], "not hashed by"),
    (["allow = user:a -> *", "proxyUsers = empty", "acceptTLS = no"], "nobody is in it"),
    (["allow = user:a -> *", "proxyUsers = twice", "acceptTLS = no"], "in it twice"),
    (["allow = user:a -> *", "proxyUsers = missing", "acceptTLS = no"], "No such file"),
])
def test_what_cannot_work_is_refused(scene, pki, lines, says):
    scene.file("users", USERS)
    scene.file("plain", "a:secret\n")
    scene.file("empty", "# nobody\n\n")
    scene.file("twice", USERS + USERS)
    text = "\n".join(["[proxy]", "accept = 127.0.0.1:0", "protocol = connect", *lines, ""])
    scene.file("bad.conf", text.replace("CERT", pki.server.bundle))
    result = scene.run("check", "bad.conf")
    assert result.returncode == 78 and says in result.stdout + result.stderr, result.stdout + result.stderr


# --- TLS in the tunnel


def hello(name):
    """The ClientHello of Python's TLS."""
    context, out = ssl.create_default_context(), ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("inner, good", [("localhost", True), ("LOCALHOST", True), ("other.test", False), (None, False)])
def test_inner_sni(scene, pki, tls, inner, good):
    target = scene.backend()
    daemon = proxy(scene, *([f"cert = {pki.server.bundle}"] if tls else PLAIN), "requireInnerSNI = yes",
                   f"allow = * -> 127.0.0.1:{target.port}")
    near = scene.tls(daemon.port("proxy")) if tls else scene.connect(daemon.port("proxy"))
    ask(near, f"LocalHost:{target.port}")
    far = scene.keep(target.accept())
    head(near)
    sent = hello(inner) if inner else b"SSH-2.0-x\r\n"
    if inner:
        near.send(sent[:5])
        assert far.quiet(0.1)
        sent = sent[5:]
    near.send(sent)
    if not good:
        assert far.ended() == RESET and near.ended() == RESET
        daemon.wait_end(end="inner_sni")
        return
    assert far.recv(5 + len(sent))[5:] == sent
    talk(near, far)
    daemon.wait_end(end="done")


def test_inner_sni_wants_a_name(scene):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, "requireInnerSNI = yes", "allow = * -> *!")
    near = scene.connect(daemon.port("proxy"))
    ask(near, target.address)
    assert answer(near)[0] == 403
    assert target.unvisited()


# --- how long


def test_the_total_time_is_limited(scene):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, "TIMEOUTtotal = 1", "allow = * -> *!")
    begun = time.monotonic()
    near = scene.connect(daemon.port("proxy"))
    ask(near, target.address)
    far = scene.keep(target.accept())
    head(near)
    with contextlib.suppress(OSError, Ended):  # a busy tunnel ends all the same
        while time.monotonic() < begun + DEADLINE:
            near.send(b"x")
            far.recv(1)
            time.sleep(0.02)
    assert time.monotonic() - begun >= 1
    daemon.wait_end(end="total")


# --- users

# alice: wonderland, by bcrypt of the least cost; bob: builder, by SHA-512 crypt; carol: yescrypt; dave: drummer, by
# SHA-256 crypt.
USERS = """\
alice:$2b$04$Su3B5rKeHkL/ezfc/GEbTOxB7nJqZwzr0sI9uVg5Kefflbt7Qq2mq
bob:$6$rounds=1000$6rcJ0HcBxkYj5pGI$YPdhkuMTQ36FYS0PHhB46oHY.DAL4QGALDzz1CyDNkIbuy7WXyKDp2BbZfoPKMAwFAMtL3/XNRW4icuuJP6Od/
carol:$y$j75$/Z.5TEb1BUf.EF3zQGg7U/$ENmKhkUME9CRdDxwCxLbgMuHjgHYsHjbnxARcngc4tB
dave:$5$p1xQ9vTz$5miu5SebfUVm/XRkNfo7R9gTrk6UPLARnjU2EARsGc5
"""


@pytest.fixture
def users(scene):
    return scene.secret("users", USERS)


def basic(user, password):
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("user, password", [
    ("alice", "wonderland"), ("bob", "builder"), ("carol", "singer"), ("dave", "drummer"),
], ids=["bcrypt", "sha512", "yescrypt", "sha256"])
def test_users(scene, users, user, password):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, f"proxyUsers = {users}", f"allow = user:{user} -> {target.address}")
    near = scene.connect(daemon.port("proxy"))
    ask(near, target.address)
    status, _, fields = answer(near)
    assert status == 407 and fields["Proxy-Authenticate"].startswith("Basic realm=")
    daemon.wait_end(end="login_wanted")
    assert target.unvisited()
    near = scene.connect(daemon.port("proxy"))
    ask(near, target.address, basic(user, password), behind=b"hello")
    far = scene.keep(target.accept())
    head(near)
    assert far.recv(5) == b"hello"
    talk(near, far)
    daemon.wait_end(end="done")
    assert password not in daemon.log() and basic(user, password).split()[-1] not in daemon.log()


def test_a_user_does_not_help_everywhere(scene, users):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, f"proxyUsers = {users}", f"allow = user:alice -> {target.address}")
    for where, login, status in (("127.0.0.1:1", (), 403), (target.address, (basic("bob", "builder"),), 403),
                                 (target.address, (basic("alice", "builder"),), 407),
                                 (target.address, (basic("mallory", "wonderland"),), 407),
                                 (target.address, ("Proxy-Authorization: Basic !",), 407)):
        near = scene.connect(daemon.port("proxy"))
        ask(near, where, *login)
        assert answer(near)[0] == status, (where, login)
    assert target.unvisited()
    daemon.wait_end(end="login_failed")


def test_who_tries_often_waits(scene, users):
    daemon = proxy(scene, *PLAIN, f"proxyUsers = {users}", "allow = user:* -> *")
    spent = []
    for _ in range(3):
        near = scene.connect(daemon.port("proxy"))
        begun = time.monotonic()
        ask(near, "a.test:1", basic("alice", "guess"))
        assert answer(near)[0] == 407
        spent.append(time.monotonic() - begun)
    assert spent[0] >= 0.2 and spent[2] >= 0.7, spent


def test_users_are_read_again(scene, users):
    target = scene.backend()
    daemon = proxy(scene, *PLAIN, f"proxyUsers = {users}", f"allow = user:* -> {target.address}")
    scene.file("users", USERS.split("\n", 1)[1])
    daemon.reload()
    near = scene.connect(daemon.port("proxy"))
    ask(near, target.address, basic("alice", "wonderland"))
    assert answer(near)[0] == 407


def test_a_file_that_others_can_read(scene, users):
    os.chmod(users, 0o644)
    daemon = proxy(scene, *PLAIN, f"proxyUsers = {users}", "allow = user:* -> *")
    daemon.wait_log("Insecure file permissions on .*users")


# --- one identity

@pytest.mark.parametrize("version", ["connect", "socks"])
def test_one_user_has_at_most_so_many_connections(scene, users, version):
    """From whatever source; another user has a share of its own, and who has left has left it."""
    target = scene.backend()
    daemon = scene.daemon("\n".join([
        "[proxy]", "accept = 127.0.0.1:0", f"protocol = {version}", *PLAIN, f"proxyUsers = {users}",
        "maxConnectionsPerIdentity = 2", f"allow = user:* -> {target.address}", ""]))

    def go(user, password, source):
        near = scene.connect(daemon.port("proxy"), source=(source, 0))
        if version == "connect":
            ask(near, target.address, basic(user, password))
            return near
        near.send(b"\5\1\2\1" + bytes([len(user)]) + user.encode() + bytes([len(password)]) + password.encode()
                  + b"\5\1\0\1\x7f\0\0\1" + target.port.to_bytes(2, "big"))
        assert near.recv(4) == b"\5\2\1\0"
        return near

    def served(near):
        far = scene.keep(target.accept())
        if version == "connect":
            head(near)
        else:
            assert near.recv(10)[1] == 0
        near.send(b"ping")
        assert far.recv(4) == b"ping"
        return far

    first = go("alice", "wonderland", "127.0.0.2")
    first_far = served(first)
    served(go("alice", "wonderland", "127.0.0.3"))
    third = go("alice", "wonderland", "127.0.0.4")
    if version == "connect":
        status, cause, fields = answer(third)
        assert (status, cause) == (503, "connection_limit_reached") and "Retry-After" in fields
    else:
        assert third.rest()[0][1] == 2, "not allowed"
    daemon.wait_end(end="identity_full")
    daemon.wait_log("User alice has 2 connections already")
    served(go("bob", "builder", "127.0.0.2"))
    first.shut()
    assert first_far.ended() == END
    first_far.shut()
    daemon.wait_end(end="done")
    served(go("alice", "wonderland", "127.0.0.4"))


def test_one_certificate_has_at_most_so_many_connections(scene, pki):
    """In any service that verifies; the same key in another session is the same client."""
    target = scene.backend()
    daemon = scene.server_mode(target, f"CAfile = {pki.ca.path}", "verifyChain = yes", "maxConnectionsPerIdentity = 1")
    first = scene.tls(daemon.port("tls"), pki.client_context(pki.client))
    scene.keep(target.accept())
    with contextlib.suppress(OSError):
        second = scene.tls(daemon.port("tls"), pki.client_context(pki.client))
        assert second.ended() == RESET
    daemon.wait_end(end="identity_full", service="tls")
    daemon.wait_log("The client's certificate has 1 connections already")
    scene.tls(daemon.port("tls"), pki.client_context(pki.other_client))
    scene.keep(target.accept())
    first.close()


# --- certificates


@pytest.mark.parametrize("who, good", [("cn:client.test", True), ("cn:c*.test", True), ("cn:*", True), ("cn:somebody", False),
                                       ("san:client@mail.test", True), ("san:CLIENT.*", True), ("san:other", False),
                                       ("spki", True), ("spki:" + 64 * "0", False)])
def test_rules_about_certificates(scene, pki, who, good):
    target = scene.backend()
    if who == "spki":
        pipe = f"openssl x509 -in {pki.client.bundle} -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum"
        who = "spki:" + subprocess.check_output(["sh", "-c", pipe], text=True).split()[0]
    daemon = proxy(scene, f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes",
                   f"allow = {who} -> {target.address}")
    near = scene.tls(daemon.port("proxy"), pki.client_context(pki.client))
    ask(near, target.address)
    if not good:
        assert answer(near)[0] == 403
        assert target.unvisited()
        return
    far = scene.keep(target.accept())
    head(near)
    talk(near, far)
