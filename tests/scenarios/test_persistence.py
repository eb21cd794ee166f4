# SPDX-License-Identifier: Apache-2.0
# A client that resumes its session goes back to the target of its last visit.
import pytest

from lib.peer import Server, connect_tls, greeter
from lib.ports import free_port

KINDS = {  # how a session is kept: version, ticket or session id
    "1.2-ticket": {"version": "TLSv1.2"},
    "1.2-id": {"version": "TLSv1.2", "tickets": False},
    "1.3": {"version": "TLSv1.3"},
}
CHOICES = ["failover = rr", "balance = rr", "balance = leastconn"]


class Client:
    """One that keeps its session; visit() is the word of the greeter that it is led to."""

    def __init__(self, pki, kind="1.3", asks=b""):
        self.context, self.session, self.asks = pki.client_context(**KINDS[kind]), None, asks

    def visit(self, port, resumes=True):
        with connect_tls(port, self.context, session=self.session) as near:
            near.send(self.asks)
            word = near.recv(1)
            near.shut()
            near.rest()
            assert near.reused == (self.session is not None and resumes)
            self.session = near.session
            return word


@pytest.fixture
def two(scene):
    return [scene.server(greeter(b"%d" % i), port=free_port()) for i in range(2)]


def targets(servers):
    """The rest of a section whose first target is servers[0]."""
    return [f"connect = {server.address}" for server in servers[1:]]


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choice", CHOICES)
def test_who_resumes_goes_back_to_its_target(scene, pki, two, kind, choice):
    port = scene.server_mode(two[0], *targets(two), choice).port("tls")
    clients = [Client(pki, kind) for _ in range(2)]
    homes = [client.visit(port) for client in clients]
    assert sorted(homes) == [b"0", b"1"]
    for _ in range(3):
        assert [client.visit(port) for client in clients] == homes
        assert [client.visit(port) for client in clients[::-1]] == homes[::-1]


def test_a_client_without_a_session_takes_its_turn(scene, pki, two):
    port = scene.server_mode(two[0], *targets(two), "failover = rr").port("tls")
    assert sorted(Client(pki).visit(port) for _ in range(4)) == [b"0", b"0", b"1", b"1"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choice", ["failover = rr", "failover = prio", "balance = rr"])
def test_a_target_that_is_gone_gives_way_to_another_for_good(scene, pki, two, kind, choice):
    daemon = scene.server_mode(two[0], *targets(two), choice)
    port, client = daemon.port("tls"), Client(pki, kind)
    home = int(client.visit(port))
    two[home].close()
    other = b"%d" % (1 - home)
    assert client.visit(port) == other
    scene.keep(Server(greeter(b"%d" % home), port=two[home].port))  # it is back, but the client lives elsewhere now
    assert [client.visit(port) for _ in range(3)] == [other] * 3


@pytest.mark.parametrize("choice", ["failover = rr", "balance = rr"])
def test_a_reload_keeps_the_way_back_to_what_is_still_a_target(scene, pki, two, choice):
    three = [*two, scene.server(greeter(b"2"))]

    def text(servers):
        return scene.section("tls", servers[0], f"cert = {pki.server.bundle}", *targets(servers), choice)

    daemon = scene.server_mode(two[0], *targets(two), choice)
    port, clients = daemon.port("tls"), [Client(pki) for _ in range(2)]
    homes = [int(client.visit(port)) for client in clients]
    daemon.write(text([three[2], three[1], three[0]]))
    daemon.reload()
    assert [int(client.visit(port)) for client in clients] == homes
    gone = homes[0]
    daemon.write(text([server for i, server in enumerate(three) if i != gone]))
    daemon.reload()
    served = two[gone].served
    assert int(clients[0].visit(port)) != gone
    assert int(clients[1].visit(port)) == homes[1]
    assert two[gone].served == served
    daemon.wait_log(f"persistence: {two[gone].address} not available")


def test_a_session_of_another_service_leads_nowhere(scene, pki, two):
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("a", two[0], cert, *targets(two), "failover = rr")
        + scene.section("b", two[0], cert, *targets(two), "failover = prio", f"CAfile = {pki.ca.path}", "verify = 1"))
    clients = [Client(pki) for _ in range(2)]
    assert sorted(client.visit(daemon.port("a")) for client in clients) == [b"0", b"1"]
    assert [client.visit(daemon.port("b"), resumes=False) for client in clients] == [b"0", b"0"]
    assert "reused" not in daemon.log().replace("previous session reused", "")


@pytest.mark.parametrize("at_once", ["no", "yes"])
def test_the_way_back_leads_to_one_address_of_a_target(scene, pki, at_once):
    """A port alone has two addresses."""
    four, _ = scene.two_families()
    port = scene.server_mode(str(four.port), "failover = rr", f"happyEyeballs = {at_once}").port("tls")
    clients = [Client(pki) for _ in range(2)]
    homes = [client.visit(port) for client in clients]
    assert sorted(homes) == [b"4", b"6"]
    for _ in range(2):
        assert [client.visit(port) for client in clients[::-1]] == homes[::-1]


@pytest.mark.sanitize
def test_the_way_back_goes_past_connections_that_are_ready(scene, pki):
    """spareConnections lead anywhere: they are for those who come for the first time."""
    def teller(number):
        def script(peer):
            peer.recv(1)
            peer.send(b"%d" % number)
        return script

    servers = [scene.server(teller(n), pki.server_context()) for n in range(2)]
    daemon = scene.server_mode(
        servers[0], *targets(servers), "balance = rr", "connectTLS = yes", "spareConnections = 2", head="workers = 1\n")
    ready = "LOG7\\[spare\\]: Service \\[tls\\]: a connection is ready"
    clients = [Client(pki, asks=b"?") for _ in range(2)]
    homes = []
    for n, client in enumerate(clients):
        daemon.wait_log(ready, count=2 + n)
        homes.append(client.visit(daemon.port("tls")))
    assert sorted(homes) == [b"0", b"1"]
    daemon.wait_log("The connection was ready", count=2)
    daemon.wait_log(ready, count=4)
    for _ in range(3):
        assert [client.visit(daemon.port("tls")) for client in clients] == homes
    daemon.wait_log("persistence: .* reused", count=6)
    daemon.wait_log(r"Service \[tls\] finished", count=8)
    assert daemon.log().count("The connection was ready") == 2


def test_who_is_redirected_has_no_way_back(scene, pki, two):
    decoys = [scene.server(greeter(b"%d" % i)) for i in range(2, 4)]
    daemon = scene.server_mode(
        two[0], *targets(two), "failover = rr", f"CAfile = {pki.ca.path}", "verify = 2",
        *(f"redirect = {decoy.address}" for decoy in decoys))
    client = Client(pki)
    assert client.visit(daemon.port("tls")) in (b"2", b"3")
    assert "persistence" not in daemon.log()


@pytest.mark.parametrize("choice", ["failover = rr", "balance = rr"])
def test_the_log_says_where_the_way_leads(scene, pki, two, choice):
    daemon = scene.server_mode(two[0], *targets(two), choice)
    client = Client(pki)
    home = two[int(client.visit(daemon.port("tls")))].address
    daemon.wait_log(rf"LOG6\[.*: persistence: {home} cached")
    client.visit(daemon.port("tls"))
    daemon.wait_log(rf"LOG6\[.*: persistence: {home} reused")


def test_a_session_from_before_there_was_a_choice_is_told_of(scene, pki, two):
    daemon = scene.server_mode(two[0])
    client = Client(pki)
    client.visit(daemon.port("tls"))
    daemon.write(scene.section("tls", two[1], f"cert = {pki.server.bundle}", *targets([two[1], two[0]])))
    daemon.reload()
    assert [client.visit(daemon.port("tls")) for _ in range(2)] == [b"1"] * 2
    daemon.wait_log(r"LOG5\[.*: persistence: No cached address found")
    daemon.wait_log("persistence: .* reused")


def test_one_target_has_no_way_back(scene, pki, two):
    daemon = scene.server_mode(two[0])
    client = Client(pki)
    assert [client.visit(daemon.port("tls")) for _ in range(2)] == [b"0"] * 2
    daemon.wait_end(count=2)
    assert "persistence" not in daemon.log()
