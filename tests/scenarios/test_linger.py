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
