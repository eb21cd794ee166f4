# SPDX-License-Identifier: Apache-2.0
# Who is answered and still sends gets the whole answer: no RST overtakes it, and nobody stays for ever.
import re

import pytest

from lib.peer import END, pattern

MIB = 1 << 20
ANSWER = pattern(1, 96 * 1024)


def lines(pki, service):
    return [f"cert = {pki.server.bundle}"] if service == "tls" else ["acceptTLS = no", "connectTLS = no"]


def answered(scene, daemon, backend, service):
    """A client that has read nothing yet, and whose backend has answered and left in the midst of its upload."""
    pair = scene.pair if service == "tls" else scene.plain_pair
    near, far = pair(daemon, backend, service, receive_buffer=4096)
    near.send(b"x")
    assert far.recv(1) == b"x"
    far.send(ANSWER)
    far.shut()
    daemon.wait_log(r"Read socket closed \(readsocket\)")
    far.reset()
    return near


# --- whom a target has answered


@pytest.mark.sanitize
@pytest.mark.parametrize("service", ["tls", "plain"])
def test_a_client_that_is_still_uploading_gets_the_whole_answer(scene, pki, service):
    backend = scene.backend()
    daemon = scene.daemon(scene.section(service, backend, *lines(pki, service)))
    near = answered(scene, daemon, backend, service)
    for _ in range(64):
        near.send(b"x" * 65536)
    near.shut()
    assert near.rest() == (ANSWER, END)
    near.close()
    daemon.wait_end(end="early")


def test_a_client_that_never_ends_is_left(scene, pki):
    backend = scene.backend()
    daemon = scene.daemon(scene.section("tls", backend, *lines(pki, "tls")))
    near = answered(scene, daemon, backend, "tls")
    near.send(b"x" * 65536)
    daemon.wait_log("relay -> linger")
    line = daemon.wait_end(end="early").text
    assert 5000 <= int(re.search(r" ms=(\d+)", line)[1]) < 20000


def test_a_client_that_sends_for_ever_is_left(scene, pki):
    backend = scene.backend()
    daemon = scene.daemon(scene.section("tls", backend, *lines(pki, "tls")))
    near = answered(scene, daemon, backend, "tls")
    sent = 0
    with pytest.raises(OSError):
        while sent < 96 * MIB:
            near.send(b"x" * 65536)
            sent += 65536
    assert sent > 60 * MIB
    daemon.wait_end(end="early")


def test_a_stop_does_not_wait_for_it(scene, pki):
    backend = scene.backend()
    daemon = scene.daemon(scene.section("tls", backend, *lines(pki, "tls")), "shutdownTimeout = 0\n")
    near = answered(scene, daemon, backend, "tls")
    near.send(b"x" * 65536)
    daemon.wait_log("relay -> linger")
    daemon.stop()
    daemon.wait_end(end="shutdown")


# --- whom ginnel itself has answered


def http(start, *fields):
    return "\r\n".join([start, *fields, "", ""]).encode()


SOCKS = b"\5\1\0" + b"\5\1\0\1\x7f\0\0\1\0\x50"
# protocol, what a client says, the first of the answer, and the end
ANSWERS = {
    "redirect": ("https-redirect", http("GET / HTTP/1.1", "Host: a.test"), b"HTTP/1.1 301 ", "sent_on"),
    "post": ("https-redirect", http("POST / HTTP/1.1", "Host: a.test", "Content-Length: 99999999"), b"HTTP/1.1 403 ",
             "proto_client"),
    "bad": ("connect", http("CONNECT a:b HTTP/1.1", "Host: a"), b"HTTP/1.1 400 ", "proto_client"),
    "method": ("connect", http("PUT / HTTP/1.1", "Host: a"), b"HTTP/1.1 405 ", "proto_client"),
    "refused": ("connect", http("CONNECT 127.0.0.1:2 HTTP/1.1", "Host: a"), b"HTTP/1.1 403 ", "target_refused"),
    "dead": ("connect", http("CONNECT 127.0.0.1:1 HTTP/1.1", "Host: a"), b"HTTP/1.1 502 ", "connect"),
    "socks": ("socks", SOCKS.replace(b"\0\x50", b"\0\1"), b"\5\0\5\5", "connect"),
}


@pytest.mark.sanitize
@pytest.mark.parametrize("case, tls", [
    pytest.param(case, tls, id=f"{case}-{'tls' if tls else 'clear'}")
    for case in ANSWERS for tls in (False, True) if not (tls and ANSWERS[case][0] == "https-redirect")])
def test_who_is_still_sending_gets_our_answer(scene, pki, case, tls):
    protocol, asks, wants, end = ANSWERS[case]
    kind = [f"cert = {pki.server.bundle}"] if tls else ["acceptTLS = no"] if protocol != "https-redirect" else []
    rules = ["allow = * -> 127.0.0.1:1"] if protocol != "https-redirect" else []
    daemon = scene.daemon("\n".join(["[main]", "accept = 127.0.0.1:0", f"protocol = {protocol}", *kind, *rules, ""]))
    near = scene.tls(daemon.port("main")) if tls else scene.connect(daemon.port("main"))
    near.send(asks)
    daemon.wait_log("-> linger")  # the answer is on its way, and more comes all the same
    for _ in range(64):
        near.send(b"x" * 65536)
    got, how = near.rest()
    assert got.startswith(wants) and how == END
    near.close()
    daemon.wait_end(end=end)


def test_who_was_answered_and_stays_is_left(scene):
    daemon = scene.daemon("[main]\naccept = 127.0.0.1:0\nprotocol = https-redirect\n")
    near = scene.connect(daemon.port("main")).send(http("GET / HTTP/1.1", "Host: a.test"))
    line = daemon.wait_end(end="sent_on").text
    assert 1000 <= int(re.search(r" ms=(\d+)", line)[1]) < 5000
    assert near.rest()[1] == END
