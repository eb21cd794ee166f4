# SPDX-License-Identifier: Apache-2.0
# Nine thousand idle TLS connections in one process of two workers, and what happens at the very limit.
import contextlib
import resource

import pytest

from interop.swarm import EchoServer, Swarm
from lib.daemon import INCUMBENT
from lib.wait import until

IDLE = 9000
HEAD = "debug = info\n" + ("" if INCUMBENT else "workers = 2\n")
LIMIT = 20_000  # descriptors; a tunnel needs two


@pytest.fixture
def crowd(scene):
    """A daemon in front of an echo server, and three processes of clients."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < LIMIT:
        pytest.fail(f"needs a hard limit of {LIMIT} descriptors")
    backend = scene.keep(EchoServer())
    daemon = scene.server_mode(backend, head=HEAD,
                               limits=[(resource.RLIMIT_NOFILE, LIMIT)])
    port, ca = daemon.port("tls"), scene.pki.ca.path
    swarms = [scene.keep(Swarm(port, ca, first)) for first in ("127.0.1.1", "127.0.2.1", "127.0.3.1")]
    return daemon, swarms


def ask_all(swarms, order):
    """The same order to all, at work at the same time."""
    for swarm in swarms:
        swarm.tell(order)
    return [swarm.answer() for swarm in swarms]


def test_nine_thousand_idle_connections_and_the_limit(crowd, scene):
    daemon, (first, second, late) = crowd
    half = IDLE // 2
    assert ask_all((first, second), f"open {half}") == [{"open": half, "refused": {}}] * 2
    assert ask_all((first, second), "echo") == [{"good": half, "bad": 0}] * 2
    assert daemon.descriptors() > 2 * IDLE

    # Beyond the limit: 1,500 more want 3,000 descriptors where fewer than 2,000 are left.
    mark = daemon.mark()
    answer = late.ask("open 1500 4")
    inside, refused = answer["open"], sum(answer["refused"].values())
    assert inside + refused == 1500 and refused >= 500, answer
    daemon.wait_log(r"too many|suspended", after=mark)
    assert daemon.alive and daemon.descriptors() <= LIMIT

    # Clients who wait at the door, if they are not sent away at once, keep nobody busy.
    for _ in range(100):
        with contextlib.suppress(ConnectionResetError):
            scene.connect(daemon.port("tls"))
    daemon.await_rest(0.5)

    # Those who were in are not disturbed.
    assert ask_all((first, second), "echo") == [{"good": half, "bad": 0}] * 2
    assert late.ask("echo") == {"good": inside, "bad": 0}

    # Room is made, and new clients are served again.
    assert first.ask("close 3000") == {"open": half - 3000}
    until(lambda: daemon.descriptors() < LIMIT - 4000, "descriptors set free")
    assert second.ask("open 500") == {"open": half + 500, "refused": {}}
    assert second.ask("echo") == {"good": half + 500, "bad": 0}
