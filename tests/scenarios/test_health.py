# SPDX-License-Identifier: Apache-2.0
# Targets that are asked for their health: who is down is tried last, and is up again when it answers.
import re
import resource

import pytest

from lib.daemon import NotStarted
from lib.peer import TlsPeer, greeter
from lib.ports import free_port
from lib.wait import until

PLAIN = ("acceptTLS = no", "connectTLS = no")
QUICK = ("healthInterval = 1", "healthFall = 1", "healthRise = 1")
IMPATIENT = ("healthTimeout = 1",)  # for targets that do not answer at all


def section(targets, *lines, name="plain"):
    return "\n".join([f"[{name}]", "accept = 127.0.0.1:0", *(f"connect = {t}" for t in targets), *lines, ""])


def service(scene, targets, *lines, head="workers = 2\n"):
    return scene.daemon(section(targets, *QUICK, *lines), head)


def visit(scene, daemon):
    with scene.connect(daemon.port("plain")) as near:
        return near.rest()[0]


def down(daemon, server, why, **how):
    return daemon.wait_log(rf"Service \[plain\]: target {server.address} is down: {why}", **how)


def up(daemon, server, **how):
    return daemon.wait_log(rf"Service \[plain\]: target {server.address} is up$", **how)


@pytest.mark.sanitize
def test_a_target_is_not_blamed_for_our_lack_of_descriptors(scene):
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    daemon = service(scene, [one.address, two.address], *PLAIN, "healthCheck = connect", "balance = prio")
    enough = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, enough[1]))
    daemon.wait_log(f"Health of {one.address}: Too many open files", count=2)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, enough)
    assert visit(scene, daemon) == b"1"
    assert " is down" not in daemon.log() and "all targets are down" not in daemon.log()


def say(text):
    """Script: say `text`, and wait for the client's end."""

    def script(peer):
        peer.send(text)
        peer.rest()

    return script


# --- a mere connection


@pytest.mark.sanitize
def test_a_target_that_refuses_goes_down_and_comes_up(scene):
    one, two = scene.server(greeter(b"1"), port=free_port()), scene.server(greeter(b"2"))
    daemon = service(scene, [one.address, two.address], *PLAIN, "healthCheck = connect", "balance = prio")
    assert visit(scene, daemon) == b"1"
    one.close()
    down(daemon, one, "Connection refused")
    mark = daemon.mark()
    assert visit(scene, daemon) == b"2"
    assert not re.search(rf"\[\d+\]: s_connect: connecting {one.address}", daemon.log()[mark:])
    scene.server(greeter(b"1"), port=one.port)
    up(daemon, one)
    until(lambda: visit(scene, daemon) == b"1", "the first target")


@pytest.mark.sanitize
def test_with_failover_too(scene):
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    daemon = service(scene, [one.address, two.address], *PLAIN, "healthCheck = connect")
    one.close()
    down(daemon, one, "Connection refused")
    assert visit(scene, daemon) == b"2"
    daemon.wait_log(f"balance: prio, starting with {two.address}$")


def test_rise_and_fall(scene):
    """So many in a row; one answer between two failures begins the count again."""
    one = scene.server(greeter(b"1"), port=free_port())
    daemon = scene.daemon(section(
        [one.address], *PLAIN, "healthCheck = connect", "healthInterval = 1", "healthFall = 2", "healthRise = 2"))
    daemon.wait_log(f"Health of {one.address}: good")
    one.close()
    end = down(daemon, one, "Connection refused").end()
    assert daemon.log()[:end].count(f"Health of {one.address}: Connection refused") == 2
    daemon.wait_log("all targets are down; they are tried all the same")
    mark = daemon.mark()
    scene.server(greeter(b"1"), port=one.port)
    end = up(daemon, one, after=mark).end()
    assert daemon.log()[mark:end].count(f"Health of {one.address}: good") == 2


@pytest.mark.sanitize
def test_all_are_down_and_tried_all_the_same(scene):
    """A wrong check must not take a service away."""
    server = scene.server(greeter(b"1"))
    daemon = service(scene, [server.address], *PLAIN, 'healthCheck = expect:"never"')
    down(daemon, server, "it did not say what was awaited")
    daemon.wait_log("all targets are down; they are tried all the same")
    assert visit(scene, daemon) == b"1"
    daemon.wait_log(f"starting with {server.address}; all are down")


@pytest.mark.sanitize
def test_what_is_known_outlives_a_reload(scene):
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    targets = [one.address, two.address]
    daemon = service(scene, targets, *PLAIN, "healthCheck = connect")
    one.close()
    down(daemon, one, "Connection refused")
    slow = ("healthInterval = 1000", "healthFall = 9")
    daemon.write(section(targets, *PLAIN, "healthCheck = connect", *slow))
    daemon.reload()
    assert visit(scene, daemon) == b"2"
    daemon.write(section(targets, *PLAIN))
    daemon.reload()
    mark = daemon.mark()
    assert visit(scene, daemon) == b"2"
    daemon.wait_log(f"connecting {one.address}", after=mark)  # nobody asks any more: the first one is tried


# --- TLS


@pytest.mark.sanitize
def test_tls_is_judged_as_a_tunnels_is(scene, pki):
    good, mute = scene.server(greeter(b"1"), pki.server_context()), scene.server(say(b"no TLS here\r\n"))
    daemon = scene.daemon(section(
        [mute.address, good.address], *QUICK, "client = yes", "healthCheck = tls", "verifyChain = yes",
        f"CAfile = {pki.ca.path}"))
    down(daemon, mute, "the TLS handshake failed")
    assert visit(scene, daemon) == b"1"
    daemon.wait_log(f"Health of {good.address}: good")


def test_a_wrong_certificate_is_no_health(scene, pki):
    server = scene.server(greeter(b"1"), pki.server_context())
    daemon = scene.daemon(section(
        [server.address], *QUICK, "client = yes", "healthCheck = tls", "verifyChain = yes",
        f"CAfile = {pki.ca.path}", "checkHost = other.test"))
    down(daemon, server, "its certificate was rejected")


# --- send and expect


def ping(good):
    """Answers PING with PONG while it is `good`."""

    def script(peer):
        if peer.recv(6) == b"PING\r\n":
            peer.send(b"+PONG\r\n" if good[0] else b"-LOADING\r\n")
        peer.rest()

    return script


@pytest.mark.sanitize
@pytest.mark.parametrize("tls", [False, True])
def test_a_text_and_its_answer(scene, pki, tls):
    good = [True]
    server = scene.server(ping(good), pki.server_context() if tls else None)
    daemon = service(scene, [server.address], "client = yes" if tls else PLAIN[0], *(() if tls else PLAIN[1:]),
                     *IMPATIENT, r'healthCheck = send:"\x50ING\r\n" expect:"+PONG"')
    daemon.wait_log(f"Health of {server.address}: good")
    good[0] = False
    down(daemon, server, "no answer within healthTimeout|it did not say what was awaited")
    good[0] = True
    up(daemon, server)


@pytest.mark.sanitize
def test_an_answer_in_pieces_and_one_without_end(scene):
    def pieces(peer):
        for piece in (b"read", b"y\r\n"):
            peer.send(piece)
        peer.rest()

    def endless(peer):
        while True:
            peer.send(bytes(65536))

    one, two = scene.server(pieces), scene.server(endless)
    daemon = service(scene, [one.address, two.address], *PLAIN, 'healthCheck = expect:"ready"')
    daemon.wait_log(f"Health of {one.address}: good")
    down(daemon, two, "it did not say what was awaited")


@pytest.mark.sanitize
def test_a_target_that_says_nothing(scene):
    server = scene.server(lambda peer: peer.rest())
    daemon = service(scene, [server.address], *PLAIN, *IMPATIENT, 'healthCheck = expect:"ready"')
    down(daemon, server, "no answer within healthTimeout")


@pytest.mark.parametrize("version, header", [
    ("v1", b"PROXY UNKNOWN\r\n"), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")])
def test_a_target_that_awaits_a_proxy_header(scene, version, header):
    """Nobody is behind a check, and the header says so."""
    backend = scene.backend()
    daemon = scene.daemon(section(
        [backend.address], *QUICK, *PLAIN, f"proxyProtocol = {version}", 'healthCheck = send:"hello" expect:"x"'))
    far = scene.keep(backend.accept())
    assert far.recv(len(header) + 5) == header + b"hello"
    far.send(b"x")
    daemon.wait_log(f"Health of {backend.address}: good")


# --- starttls


def smtp(context):
    def script(peer):
        peer.send(b"220 hello\r\n")
        assert peer.recv(16) == b"EHLO localhost\r\n"
        peer.send(b"250-hello\r\n250-SIZE\r\n250 STARTTLS\r\n")
        assert peer.recv(10) == b"STARTTLS\r\n"
        peer.send(b"220 go\r\n")
        TlsPeer(peer.sock, context, server=True).rest()

    return script


@pytest.mark.sanitize
def test_starttls_as_client(scene, pki):
    good, bad = scene.server(smtp(pki.server_context())), scene.server(say(b"554 not now\r\n"))
    daemon = scene.daemon(section(
        [good.address, bad.address], *QUICK, *IMPATIENT, "client = yes", "protocol = smtp", "healthCheck = starttls"))
    down(daemon, bad, "no answer within healthTimeout")
    daemon.wait_log(f"Health of {good.address}: good")


@pytest.mark.sanitize
def test_the_greeting_as_server(scene, pki):
    good, bad = scene.server(say(b"220 hello\r\n")), scene.server(say(b"554 not now\r\n"))
    daemon = scene.daemon(section(
        [good.address, bad.address], *QUICK, *IMPATIENT, f"cert = {pki.server.bundle}", "protocol = smtp",
        "healthCheck = starttls"))
    down(daemon, bad, "no answer within healthTimeout")
    daemon.wait_log(f"Health of {good.address}: good")


# --- odd moments


@pytest.mark.sanitize
def test_reload_and_stop_in_the_middle_of_a_question(scene):
    backend = scene.backend()
    lines = (*PLAIN, 'healthCheck = expect:"ready"', "healthInterval = 1", "healthTimeout = 1000")
    daemon = scene.daemon(section([backend.address], *lines))
    first = scene.keep(backend.accept())
    daemon.write(section([backend.address], *lines))
    daemon.reload()
    assert first.rest()[1] is not None
    scene.keep(backend.accept())
    daemon.stop()


@pytest.mark.parametrize("lines, words", [
    (["healthCheck = ping"], "write connect, tls, starttls, no, or what to say"),
    (['healthCheck = send:"a'], "write connect, tls"),
    (['healthCheck = send:"\\q"'], "write connect, tls"),
    (['healthCheck = send:"\\x1"'], "write connect, tls"),
    (['healthCheck = send:""'], "write connect, tls"),
    (['healthCheck = expect:"a" send:"b"'], "write connect, tls"),
    (['healthCheck = send:"a" expect:"b" more'], "write connect, tls"),
    (["healthCheck = tls"], "TLS does not begin at once"),
    (["healthCheck = starttls"], "it is not known how to greet"),
    (["healthCheck = connect", "healthInterval = 0"], "healthInterval"),
    (["healthCheck = connect", "healthFall = 0"], "healthFall"),
])
def test_bad_checks(scene, lines, words):
    with pytest.raises(NotStarted) as fault:
        scene.daemon(section(["127.0.0.1:1"], *PLAIN, *lines))
    assert words in fault.value.stderr


def test_a_protocol_whose_servers_do_not_greet(scene, pki):
    with pytest.raises(NotStarted) as fault:
        scene.daemon(section(["127.0.0.1:1"], f"cert = {pki.server.bundle}", "protocol = pgsql", "healthCheck = starttls"))
    assert "a server of this protocol does not greet" in fault.value.stderr
