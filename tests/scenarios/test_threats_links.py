# SPDX-License-Identifier: Apache-2.0
# What a network does that no peer on loopback does: it falls silent, or leads back to where one is.
import contextlib

import pytest

from lib.peer import RESET

pytestmark = pytest.mark.root


@pytest.fixture
def wire(scene):
    """A client and the tunnel's machine, with a backend on that; the daemon starts `with tunnel:`."""
    client, tunnel = scene.neighbours("10.1.0.2/24", "10.1.0.1/24")
    with tunnel:
        backend = scene.backend()
    return client, tunnel, backend


KEEPALIVE = ["socket = l:SO_KEEPALIVE=yes", "socket = l:TCP_KEEPIDLE=1", "socket = l:TCP_KEEPINTVL=1",
             "socket = l:TCP_KEEPCNT=2"]


@pytest.mark.parametrize("busy", [False, True], ids=["silent", "sending"])
@pytest.mark.parametrize("lines, end", [(["TIMEOUTidle = 2"], "idle"), (KEEPALIVE, "io_near")], ids=["idle", "keepalive"])
def test_a_client_that_vanishes_is_let_go(scene, wire, lines, end, busy):
    """Its link is cut, so no FIN and no RST will ever come; what it had is free again all the same."""
    if busy and end != "idle":
        lines = ["socket = l:TCP_USER_TIMEOUT=2000"]  # keepalive is silent while bytes are under way (tcp(7))
    client, tunnel, backend = wire
    with tunnel:
        daemon = scene.daemon("\n".join([
            "[plain]", "accept = 10.1.0.1:9000", f"connect = {backend.address}", "acceptTLS = no", "connectTLS = no",
            *lines, ""]))
    before = daemon.descriptors()
    with client:
        near = scene.connect(("10.1.0.1", 9000))
    near.send(b"ping")
    far = scene.keep(backend.accept())
    assert far.recv(4) == b"ping"
    tunnel.run("ip link set wire down")
    if busy:
        far.send(b"x" * 100_000)
    daemon.wait_end(end=end, service="plain")
    assert far.ended() == RESET, "the other side is told that this was no good end"
    assert daemon.await_descriptors(before) is None


def test_nobody_is_connected_to_itself(scene):
    """
    With one port to draw from, connect() to that port where nobody listens crosses its own SYN: without a check
    that is a tunnel whose client hears itself.
    """
    (machine,) = scene.machines(1)
    machine.run("sysctl -w net.ipv4.ip_local_port_range='40000 40000'")
    with machine:
        daemon = scene.daemon(
            "[plain]\naccept = 127.0.0.1:9000\nconnect = 127.0.0.1:40000\nacceptTLS = no\nconnectTLS = no\n")
        near = scene.connect(("127.0.0.1", 9000), source=("127.0.0.1", 5000))
        with contextlib.suppress(OSError):  # it may be over already
            near.send(b"anybody there?")
        assert near.ended() == RESET
    daemon.wait_end(end="connect")
    daemon.wait_log(r"s_connect: connect 127\.0\.0\.1:40000: Connection refused")
