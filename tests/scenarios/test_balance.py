# SPDX-License-Identifier: Apache-2.0
# Several targets: which one a connection goes to, and what is remembered of those that fail.
import os
import resource

import pytest

from lib.daemon import NotStarted
from lib.peer import RESET, TlsPeer, greeter
from lib.ports import Nobody
from lib.wait import until

PLAIN = ("acceptTLS = no", "connectTLS = no")


def service(scene, targets, *lines, head="workers = 1\n"):
    """A relay to these targets, each an address with what stands behind it."""
    return scene.daemon(
        "\n".join(["[plain]", "accept = 127.0.0.1:0", *PLAIN, *(f"connect = {t}" for t in targets), *lines, ""]), head)


def servers(scene, count, **how):
    """Servers that say their number."""
    return [scene.server(greeter(b"%d" % n), **how) for n in range(count)]


def visit(scene, daemon, **how):
    """Which server one connection meets."""
    with scene.connect(daemon.port("plain"), **how) as near:
        return int(near.recv(1))


def visits(scene, daemon, count, **how):
    return [visit(scene, daemon, **how) for _ in range(count)]


@pytest.mark.parametrize("stalls", [True, False], ids=["stalls", "prompt"])
def test_a_client_that_stalls_does_no_harm_to_a_targets_name(scene, pki, stalls):
    """TIMEOUTbusy is for both: a target that had little of it did not fail."""
    mute, good = scene.backend(backlog=0), scene.server(greeter(b"1"))
    scene.connect(mute.port)  # its queue is full, and it answers nobody
    daemon = scene.daemon(
        "\n".join(["[tls]", "accept = 127.0.0.1:0", f"connect = {mute.address}", f"connect = {good.address}",
                   "balance = prio", f"cert = {pki.server.bundle}", "TIMEOUTbusy = 3", ""]), "workers = 1\n")
    near = scene.connect(daemon.port("tls"))
    assert not stalls or near.quiet(1.6)
    near = TlsPeer(near.sock, pki.client_context(), name="localhost")
    daemon.wait_log(f"connecting {mute.address}")
    assert near.ended() == RESET
    daemon.wait_end(end="setup_timeout")
    scene.tls(daemon.port("tls"))
    daemon.wait_log(f"connecting {(mute if stalls else good).address}", count=2 if stalls else 1)
    assert ("could not be reached: it is tried last" in daemon.log()) == (not stalls)


@pytest.mark.sanitize
@pytest.mark.parametrize("line", ["balance = rr", "failover = rr"])
def test_rr_by_weight(scene, line):
    one, two = servers(scene, 2)
    daemon = service(scene, [f"{one.address} weight=3", two.address], line)
    met = visits(scene, daemon, 40)
    assert met.count(0) == 30
    assert met[:4].count(0) == 3
    daemon.wait_log(f"balance: rr, starting with {one.address}$")


@pytest.mark.sanitize
def test_prio(scene):
    one, two = servers(scene, 2)
    daemon = service(scene, [one.address, two.address], "balance = prio")
    assert visits(scene, daemon, 5) == [0] * 5


@pytest.mark.sanitize
@pytest.mark.parametrize("workers", [1, 3])
def test_leastconn(scene, workers):
    """Those that stand count, over all workers and over a reload; those that have ended do not."""
    backends = [scene.backend() for _ in range(2)]
    targets = [b.address for b in backends]
    daemon = service(scene, targets, "balance = leastconn", head=f"workers = {workers}\n")
    standing = [[], []]

    def call(where):
        near = scene.connect(daemon.port("plain"))
        far = scene.keep(backends[where].accept())
        far.send(b"x")
        assert near.recv(1) == b"x"
        standing[where] += near, far

    call(0)
    call(1)
    call(0)
    call(1)
    for peer in standing[0]:
        peer.close()
    daemon.wait_end(count=2)
    call(0)
    daemon.write("\n".join(["[plain]", "accept = 127.0.0.1:0", *PLAIN, *(f"connect = {t}" for t in targets),
                            "balance = leastconn", ""]))
    daemon.reload()
    call(0)
    for peer in standing[1]:
        peer.close()
    daemon.wait_end(count=4)
    call(1)


@pytest.mark.sanitize
def test_the_same_source_meets_the_same_target(scene):
    all_three = servers(scene, 3)
    targets = [s.address for s in all_three]
    daemon = service(scene, targets, "balance = source", head="workers = 2\n")
    sources = [(f"127.0.1.{n}", 0) for n in range(1, 25)]
    met = {source: visit(scene, daemon, source=source) for source in sources}
    assert len(set(met.values())) == 3
    for source in sources:
        assert visit(scene, daemon, source=source) == met[source]
    all_three[1].close()
    after = {source: visit(scene, daemon, source=source) for source in sources}
    assert all(after[s] == met[s] for s in sources if met[s] != 1)
    assert {after[s] for s in sources if met[s] == 1} <= {0, 2}


@pytest.mark.sanitize
def test_a_target_that_failed_is_left_alone_and_tried_again(scene):
    dead = Nobody()
    daemon = service(scene, [dead.address, servers(scene, 1)[0].address], "balance = prio")
    assert visits(scene, daemon, 5) == [0] * 5
    # Tried by the first, and by one more for each second that has passed; not by each.
    daemon.wait_log(f"Target {dead.address} could not be reached: it is tried last for 1 s")
    refusals = daemon.log().count(f"s_connect: connect {dead.address}")
    assert refusals < 5
    scene.server(greeter(b"7"), port=dead.port)
    until(lambda: visit(scene, daemon) == 7, "the first target")
    daemon.wait_log(f"Target {dead.address} can be reached again")
    assert visits(scene, daemon, 3) == [7] * 3


@pytest.mark.sanitize
def test_a_target_is_not_blamed_for_our_lack_of_descriptors(scene):
    """There is one for the client, and none for the way to the target."""
    daemon = service(scene, [s.address for s in servers(scene, 2)], "balance = prio")
    assert visit(scene, daemon) == 0
    daemon.wait_end(end="done")
    used = {int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd")}
    free = sorted(set(range(len(used) + 2)) - used)
    enough = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (free[1], enough[1]))
    near = scene.connect(daemon.port("plain"))
    daemon.wait_log(r"s_connect: connect .*: Too many open files \(24\)", count=2)
    assert near.ended() == RESET
    daemon.wait_end(end="connect")
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, enough)
    assert visit(scene, daemon) == 0
    assert "it is tried last" not in daemon.log()


def test_all_have_failed_and_are_tried_all_the_same(scene):
    dead = [Nobody(), Nobody()]
    daemon = service(scene, [d.address for d in dead], "balance = rr")
    for n in range(2):
        assert scene.connect(daemon.port("plain")).ended() == "reset"
        daemon.wait_end(end="connect", count=n + 1)
    daemon.wait_log("balance: rr, starting with .*; all have failed lately")
    server = scene.server(greeter(b"7"), port=dead[1].port)
    assert visit(scene, daemon) == 7
    assert server


def test_failover_remembers_nothing(scene):
    """The incumbent's option keeps its meaning: the first one is tried each time."""
    dead = Nobody()
    daemon = service(scene, [dead.address, servers(scene, 1)[0].address], "failover = prio")
    visits(scene, daemon, 4)
    assert daemon.log().count(f"s_connect: connect {dead.address}") == 4


@pytest.mark.parametrize("line", ["failover = prio", "balance = prio"])
def test_a_weight_that_nobody_looks_at_is_warned_of(scene, line):
    server = servers(scene, 1)[0]
    daemon = service(scene, [f"{server.address} weight=3"], line)
    daemon.wait_log(f"the weight of {server.address} has no effect; write balance = rr, leastconn or source")
    assert visit(scene, daemon) == 0


@pytest.mark.parametrize("target, words", [
    ("127.0.0.1:25 weight=0", 'the weight "0" is not a number from 1 to 100'),
    ("127.0.0.1:25 weight=101", 'the weight "101" is not a number'),
    ("127.0.0.1:25 weight=3x", 'the weight "3x" is not a number'),
    ("127.0.0.1:25 weight=", 'the weight "" is not a number'),
    ("127.0.0.1:25 wait=3", "25 wait=3"),
    ("srv:imaps", "write one such as srv:_imaps._tcp.example.org"),
    ("srv:_imaps.example.org", "write one such as"),
    ("srv:_imaps._tcp.", "write one such as"),
    ("srv:_imaps._tcp.exa mple.org", "write one such as"),
])
def test_bad_targets(scene, target, words):
    with pytest.raises(NotStarted) as fault:
        service(scene, [target], "balance = rr")
    assert words in fault.value.stderr
