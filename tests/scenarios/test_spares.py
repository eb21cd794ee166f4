# SPDX-License-Identifier: Apache-2.0
# Connections that are ready before a client comes: taken, replaced, and not given away dead.
import pytest

from lib.daemon import NotStarted
from lib.peer import END, duplex, echo, greeter, pattern
from lib.ports import Nobody

READY = r"LOG6\[\d+\]: The connection was ready, TLS included"


def service(scene, backend, *lines, head="workers = 1\n"):
    return scene.client_mode(backend, *lines, head=head)


def talk(scene, daemon, text=b"ping"):
    near = scene.connect(daemon.port("plain")).send(text)
    assert near.recv(len(text)) == text
    return near


def ready(daemon, count, after=0):
    """So many have been made."""
    daemon.wait_log(r"LOG7\[spare\]: Service \[plain\]: a connection is ready", count=count, after=after)


def used(daemon):
    return daemon.log().count("The connection was ready")


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_gets_one_and_another_takes_its_place(scene, pki, version, workers):
    server = scene.server(echo, pki.server_context())
    daemon = service(scene, server, "spareConnections = 2", f"sslVersion = {version}", head=f"workers = {workers}\n")
    for n in range(5):
        ready(daemon, n + 2)
        with scene.connect(daemon.port("plain")) as near:
            body = pattern(n, 300_000)
            assert duplex(near, body, len(body)) == body
            near.shut()
            assert near.ended() == END
        daemon.wait_end(end="done", count=n + 1)
        daemon.wait_log(READY, count=n + 1)


@pytest.mark.sanitize
def test_more_clients_than_are_ready(scene, pki):
    server = scene.server(echo, pki.server_context())
    daemon = service(scene, server, "spareConnections = 1")
    ready(daemon, 1)
    for near in [talk(scene, daemon) for _ in range(6)]:
        near.send(b"still")
        assert near.recv(5) == b"still"
    daemon.wait_log(READY)


@pytest.mark.sanitize
@pytest.mark.parametrize("reset", [False, True])
def test_one_that_died_is_not_given_away(scene, pki, reset):
    """Whether or not the end has been heard of yet."""
    backend = scene.backend(pki.server_context())
    daemon = service(scene, backend, "spareConnections = 1")
    first = scene.keep(backend.accept())
    ready(daemon, 1)
    near = scene.connect(daemon.port("plain"))
    near.send(b"a")
    assert first.recv(1) == b"a"
    spare = backend.accept()
    ready(daemon, 2)
    spare.reset() if reset else spare.close()
    other = scene.connect(daemon.port("plain")).send(b"b")
    fresh = scene.keep(backend.accept())
    fresh.send(b"c")
    assert fresh.recv(1) == b"b"
    assert other.recv(1) == b"c"


@pytest.mark.sanitize
def test_a_server_that_speaks_first(scene, pki):
    """Its greeting reaches the client all the same, from a connection of its own."""
    server = scene.server(greeter(b"220 hello\r\n"), pki.server_context())
    daemon = service(scene, server, "spareConnections = 2")
    daemon.wait_log("the server speaks first, so no connection is kept ready")
    for _ in range(3):
        near = scene.connect(daemon.port("plain"))
        assert near.recv(11) == b"220 hello\r\n"
    assert used(daemon) == 0
    assert daemon.log().count("the server speaks first") == 1


@pytest.mark.sanitize
def test_a_server_that_speaks_first_and_slowly(scene, pki):
    """What one connection has shown holds for another one that is still silent."""
    backend = scene.backend(pki.server_context())
    daemon = service(scene, backend, "spareConnections = 2")
    talkative, _ = scene.keep(backend.accept()), scene.keep(backend.accept())
    ready(daemon, 2)
    talkative.send(b"220 hello\r\n")
    daemon.wait_log("the server speaks first, so no connection is kept ready")
    near = scene.connect(daemon.port("plain"))
    scene.keep(backend.accept()).send(b"220 hello\r\n")
    assert near.recv(11) == b"220 hello\r\n"
    assert used(daemon) == 0


@pytest.mark.sanitize
def test_a_dead_target_is_tried_now_and_then(scene, pki):
    dead = Nobody()
    daemon = service(scene, dead, "spareConnections = 3")
    daemon.wait_log("no connection could be made ready; the next try is in 1 s")
    daemon.wait_log("no connection could be made ready; the next try is in 2 s")
    again = scene.server(echo, pki.server_context(), port=dead.port)
    ready(daemon, 3)
    assert again.served
    talk(scene, daemon)
    daemon.wait_log(READY)


def test_a_wrong_certificate_makes_none(scene, pki):
    server = scene.server(echo, pki.server_context())
    daemon = service(
        scene, server, "spareConnections = 1", "verifyChain = yes", f"CAfile = {pki.ca.path}", "checkHost = other.test")
    daemon.wait_log("no connection could be made ready")
    near = scene.connect(daemon.port("plain"))
    near.rest()
    daemon.wait_end(end="cert_rejected")


@pytest.mark.sanitize
def test_a_reload_lets_them_go(scene, pki):
    one, two = scene.server(echo, pki.server_context()), scene.backend(pki.server_context())
    daemon = service(scene, one, "spareConnections = 2", head="workers = 2\n")
    ready(daemon, 2)
    standing = talk(scene, daemon)
    daemon.write(scene.section("plain", two, "client = yes", "spareConnections = 2"))
    daemon.reload()
    scene.keep(two.accept())
    scene.keep(two.accept())
    standing.send(b"still")
    assert standing.recv(5) == b"still"
    assert len(one.peers) >= 2


@pytest.mark.sanitize
def test_among_several_targets(scene, pki):
    """Where they were made counts for leastconn, and a target that has gone is not met again."""
    servers = [scene.server(echo, pki.server_context()) for _ in range(2)]
    daemon = service(scene, servers[0], f"connect = {servers[1].address}", "balance = leastconn", "spareConnections = 4")
    ready(daemon, 4)
    assert [server.served for server in servers] == [2, 2]
    for n in range(4):
        talk(scene, daemon)
        ready(daemon, 5 + n)
    assert used(daemon) == 4
    assert [server.served for server in servers] == [4, 4]


@pytest.mark.sanitize
def test_a_stop_with_some_half_made(scene, pki):
    backend = scene.backend(pki.server_context())
    daemon = service(scene, backend, "spareConnections = 4", head="workers = 2\n")
    scene.keep(backend.accept(handshake=False))
    daemon.stop()


@pytest.mark.parametrize("lines, words", [
    (["acceptTLS = no", "connectTLS = no"], "only TLS connections to connect are kept ready"),
    (["client = yes", "protocol = smtp"], "protocol = smtp speaks for each client"),
    (["client = yes", "transparent = source"], "cannot tell who the client is"),
    (["client = yes", "proxyProtocol = v2"], "cannot tell who the client is"),
    (["client = yes", "balance = source"], "balance = source needs the client"),
    (["client = yes", "spareConnections = 1001"], "spareConnections"),
])
def test_where_they_make_no_sense(scene, lines, words):
    with pytest.raises(NotStarted) as fault:
        scene.daemon(scene.section("plain", "127.0.0.1:1", "spareConnections = 1", *lines))
    assert words in fault.value.stderr
