# SPDX-License-Identifier: Apache-2.0
# Names while tunnels are served: how long an answer is used, what happens without one, SRV records.
import pytest

from lib.daemon import NotStarted
from lib.names import A, SRV, NameServer
from lib.peer import RESET, greeter
from lib.ports import free_port
from lib.wait import until

PLAIN = ("acceptTLS = no", "connectTLS = no")


@pytest.fixture
def names(scene):
    return scene.keep(NameServer())


def service(scene, names, target, *lines, head=""):
    return scene.daemon(scene.section("plain", target, *PLAIN, *lines),
                        f"workers = 1\nnameServers = {names.address}\n{head}")


def visit(scene, daemon):
    with scene.connect(daemon.port("plain")) as near:
        return near.rest()[0]


def two_hosts(scene):
    """One port on two addresses of this machine."""
    one = scene.server(greeter(b"1"), port=free_port())
    return one, scene.server(greeter(b"2"), host="127.0.0.2", port=one.port)


# --- addresses


@pytest.mark.sanitize
def test_a_name_is_looked_up_again_when_its_time_is_up(scene, names):
    one, _ = two_hosts(scene)
    names.records["host.test", A] = ["127.0.0.1"]
    names.ttl = 1
    daemon = service(scene, names, f"host.test:{one.port}")
    assert visit(scene, daemon) == b"1"
    names.records["host.test", A] = ["127.0.0.2"]
    until(lambda: visit(scene, daemon) == b"2", "the new address")


@pytest.mark.sanitize
def test_a_name_is_not_looked_up_before_its_time(scene, names):
    one, _ = two_hosts(scene)
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = service(scene, names, f"host.test:{one.port}")
    for _ in range(5):
        assert visit(scene, daemon) == b"1"
    assert names.asked.count(("host.test", A)) == 1


@pytest.mark.sanitize
def test_the_last_good_answer_is_used_when_the_name_service_fails(scene, names):
    one, _ = two_hosts(scene)
    names.records["host.test", A] = ["127.0.0.1"]
    names.ttl = 1
    daemon = service(scene, names, f"host.test:{one.port}")
    assert visit(scene, daemon) == b"1"
    names.records.clear()  # there is no such name any more
    names.asked.clear()
    until(lambda: visit(scene, daemon) == b"1" and ("host.test", A) in names.asked, "an answer that is none")
    assert visit(scene, daemon) == b"1"


@pytest.mark.sanitize
def test_delay_asks_once_for_each_connection(scene, names):
    one, _ = two_hosts(scene)
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = service(scene, names, f"host.test:{one.port}", "delay = yes")
    for visits in 1, 2, 3:
        assert visit(scene, daemon) == b"1"
        assert names.asked.count(("host.test", A)) == visits


# --- SRV records

SERVICE = "_echo._tcp.example.test"


@pytest.mark.sanitize
def test_records_by_priority_and_weight(scene, names):
    one, two, spare = [scene.server(greeter(text)) for text in (b"1", b"2", b"spare")]
    names.records[SERVICE, SRV] = [
        (20, 100, spare.port, "host.test"), (10, 90, one.port, "host.test"), (10, 10, two.port, "host.test")]
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = service(scene, names, f"srv:{SERVICE}", "balance = prio")
    met = [visit(scene, daemon) for _ in range(100)]
    assert set(met) == {b"1", b"2"}
    assert met.count(b"1") > 70  # of 90; below it once in ten million runs
    assert names.asked.count((SERVICE, SRV)) == 1
    one.close()
    two.close()
    assert visit(scene, daemon) == b"spare"


@pytest.mark.sanitize
def test_records_without_balance(scene, names):
    one = scene.server(greeter(b"1"))
    names.records[SERVICE, SRV] = [(0, 0, one.port, "host.test")]
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = service(scene, names, f"srv:{SERVICE}")
    assert visit(scene, daemon) == b"1"
    daemon.wait_log(rf"balance: prio, starting with host\.test:{one.port}$")


@pytest.mark.sanitize
def test_the_same_source_meets_the_same_record(scene, names):
    servers = [scene.server(greeter(b"%d" % n)) for n in range(4)]
    names.records[SERVICE, SRV] = [(0, 5, s.port, "host.test") for s in servers]
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = service(scene, names, f"srv:{SERVICE}", "balance = source")
    assert len({visit(scene, daemon) for _ in range(10)}) == 1


@pytest.mark.sanitize
def test_records_are_looked_up_again_and_the_last_good_ones_kept(scene, names):
    one, two = [scene.server(greeter(text)) for text in (b"1", b"2")]
    names.ttl = 1
    names.records[SERVICE, SRV] = [(0, 0, one.port, "host.test")]
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = service(scene, names, f"srv:{SERVICE}")
    assert visit(scene, daemon) == b"1"
    names.records[SERVICE, SRV] = [(0, 0, two.port, "host.test")]
    until(lambda: visit(scene, daemon) == b"2", "the new record")
    del names.records[SERVICE, SRV]
    names.asked.clear()
    until(lambda: visit(scene, daemon) == b"2" and (SERVICE, SRV) in names.asked, "an answer that is none")
    assert visit(scene, daemon) == b"2"


@pytest.mark.sanitize
@pytest.mark.parametrize("records, words", [
    ([], "Domain name not found"),
    ([(0, 0, 443, ".")], "the name has no SRV record of use"),
    ([(0, 0, 0, "host.test")], "the name has no SRV record of use"),
    ([(0, 0, 443, "ho st.test")], "the name has no SRV record of use"),
])
def test_a_service_that_is_not_there(scene, names, records, words):
    if records:
        names.records[SERVICE, SRV] = records
    daemon = service(scene, names, f"srv:{SERVICE}")
    near = scene.connect(daemon.port("plain"))
    assert near.ended() == RESET
    daemon.wait_end(end="resolve")
    daemon.wait_log(f'Error resolving "srv:{SERVICE}": {words}')


@pytest.mark.sanitize
def test_a_client_that_leaves_while_the_records_are_asked_for(scene, names):
    names.mute = True
    daemon = service(scene, names, f"srv:{SERVICE}")
    near = scene.connect(daemon.port("plain"))
    names.await_question(SERVICE, SRV)
    near.reset()
    daemon.wait_end(end="reset_near")


def test_tls_asks_for_the_domain(scene, pki, names):
    """RFC 6125 B.1: the name service is not trusted with the name; who asked for example.test wants that."""
    server = scene.backend(pki.server_context())
    asked = []
    server.context.sni_callback = lambda tls, name, context: asked.append(name)
    names.records[SERVICE, SRV] = [(0, 0, server.port, "host.test")]
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = scene.daemon(scene.section("plain", f"srv:{SERVICE}", "client = yes"), f"nameServers = {names.address}\n")
    scene.connect(daemon.port("plain"))
    scene.keep(server.accept())
    assert asked == ["example.test"]


# --- nameServers


@pytest.mark.sanitize
def test_a_reload_cannot_change_the_name_servers(scene, names):
    one = scene.server(greeter(b"1"))
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = service(scene, names, f"host.test:{one.port}")
    section = scene.section("plain", f"host.test:{one.port}", *PLAIN)
    for count, address in enumerate(["127.0.0.9", "127.0.0.8"]):
        daemon.write(section, f"workers = 1\nnameServers = {address}\n")
        daemon.reload()
        daemon.wait_log('The new value of "nameServers" takes effect at the next start only', count=count + 1)
    assert visit(scene, daemon) == b"1"


@pytest.mark.parametrize("value, words", [
    ("", "write the addresses of name servers"),
    ("ns.example.org", "ns.example.org"),
    ("127.0.0.1:0", '"127.0.0.1:0" is no address'),
    ("127.0.0.1, /run/socket", '"/run/socket" is no address'),
    ("53", '"53" is no address'),
])
def test_bad_name_servers(scene, value, words):
    with pytest.raises(NotStarted) as fault:
        scene.daemon(scene.section("plain", "127.0.0.1:1", *PLAIN), f"nameServers = {value}\n")
    assert words in fault.value.stderr


def test_several_name_servers(scene, names):
    """In both families; the first is dead, and nothing but the second answers."""
    one = scene.server(greeter(b"1"))
    names.records["host.test", A] = ["127.0.0.1"]
    daemon = scene.daemon(
        scene.section("plain", f"host.test:{one.port}", *PLAIN), f"nameServers = [::1]:9, {names.address}\n")
    assert visit(scene, daemon) == b"1"
