# SPDX-License-Identifier: Apache-2.0
# protocol = sstp as server, with many calls at once: what they cost, and that those which only begin hold up nobody.
import resource
import select

import pytest

from lib import sstp
from lib.daemon import SANITIZED
from lib.wait import DEADLINE, until

pytestmark = pytest.mark.root

STANDING, BEGUN = (50, 100) if SANITIZED else (500, 1000)


@pytest.fixture(autouse=True)
def many_descriptors():
    """As many as the daemon gives itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * BEGUN:
        pytest.skip(f"NOT TESTED: only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def serve(scene, *lines):
    return scene.daemon("\n".join([
        "[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
        f"vpnUsers = {scene.secret('users', 'alice:secret' + chr(10))}", "vpnPool = 10.66.0.0/21", *lines, "",
    ]), "debug = info")


def client(scene, daemon, context):
    return scene.keep(sstp.Client(daemon.port("vpn"), context))


@pytest.mark.sanitize
def test_many_calls_at_once(scene, machine):
    """-rP prints what each of them costs."""
    daemon = serve(scene)
    context = scene.pki.client_context()
    first = client(scene, daemon, context).dial()
    before = daemon.pss_kib()
    calls = [client(scene, daemon, context).dial() for _ in range(STANDING)]
    assert len({call.address for call in calls}) == STANDING
    assert all(call.ping()[20] == 0 for call in (first, *calls))
    cost = (daemon.pss_kib() - before) / STANDING
    print(f"{STANDING} calls, each {cost:.1f} KiB")
    assert SANITIZED or cost < 40
    descriptors = daemon.descriptors()
    for call in calls:
        call.close()
    daemon.await_descriptors(descriptors - STANDING)
    assert first.ping()[20] == 0


def test_many_calls_that_only_begin(scene, machine):
    """They are cut off in their time, hold little, and who means it is served meanwhile."""
    daemon = serve(scene, "vpnTimeout = 10")
    context = scene.pki.client_context()
    before, memory = daemon.descriptors(), daemon.pss_kib()
    begun = [client(scene, daemon, context).call() for _ in range(BEGUN)]
    call = client(scene, daemon, context).dial()
    assert call.ping()[20] == 0
    cost = (daemon.pss_kib() - memory) / BEGUN
    print(f"{BEGUN} calls that have only begun, each {cost:.1f} KiB")
    assert SANITIZED or cost < 40
    until(lambda: daemon.descriptors() <= before + 6, "all of them are cut off", deadline=4 * DEADLINE)
    assert call.ping()[20] == 0
    ready, _, _ = select.select([one.sock for one in begun[:100]], [], [], 0)
    assert len(ready) == min(BEGUN, 100)
    until(lambda: len(daemon.ends(end="vpn_slow")) > 0, "the line of an end")
