# SPDX-License-Identifier: Apache-2.0
# Plain on both sides: bulk is moved by the system, and nobody can tell but by the cost.
import os
import threading

import pytest

from lib.peer import END, RESET, Peer, duplex, echo, pattern
from lib.wait import DEADLINE, until

MIB = 1 << 20


def relay(scene, backend, head=""):
    return scene.daemon(scene.section("plain", backend, "acceptTLS = no", "connectTLS = no"), head)


def pipes(daemon):
    """So many pipe ends it holds: two for each flow that is spliced, or could be at once."""
    folder = f"/proc/{daemon.pid}/fd"
    count = 0
    for fd in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{fd}").startswith("pipe:")
        except FileNotFoundError:
            pass
    return count


def push(peer, body):
    def run():
        try:
            peer.send(body).shut()
        except OSError:
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def pour(peer, enough):
    """Send without waiting until it is enough."""
    peer.sock.settimeout(0)

    def more():
        try:
            while True:
                peer.sock.send(bytes(1 << 18))
        except BlockingIOError:
            return enough()

    until(more, "enough to be sent")
    peer.sock.settimeout(DEADLINE)


@pytest.mark.sanitize
@pytest.mark.parametrize("unix", [False, True])
def test_bulk_both_ways_is_exact(scene, unix):
    server = scene.server(echo, **({"path": scene.socket_path("s")} if unix else {}))
    daemon = relay(scene, server)
    body = pattern(21, 32 * MIB)
    near = scene.connect(daemon.port("plain"))
    assert duplex(near, body, len(body), lambda: 300_000) == body


@pytest.mark.sanitize
def test_a_slow_reader_holds_its_writer_and_loses_nothing(scene):
    backend = scene.backend()
    daemon = relay(scene, backend)
    before = pipes(daemon)
    near, far = scene.plain_pair(daemon, backend, receive_buffer=8192)
    body = pattern(22, 48 * MIB)
    pusher = push(far, body)
    until(lambda: pipes(daemon) > before, "the flow to be spliced")
    # The other direction does not mind.
    near.send(b"meanwhile")
    assert far.recv(9) == b"meanwhile"
    got, how = near.rest()
    pusher.join(30)
    assert (how, got == body) == (END, True)
    # After the bulk, the tunnel is as it was.
    near.send(b"still here").shut()
    assert far.rest() == (b"still here", END)
    end = daemon.wait_end(end="done")
    assert (end.to_tls, end.to_socket) == (48 * MIB, 19)


def test_tls_that_is_passed_on_is_moved_so_too(scene, pki):
    """What was looked at goes first, by copying; then the system moves the rest."""
    backend = scene.backend()
    daemon = scene.daemon(scene.section("plain", backend, "passthrough = yes"))
    before = pipes(daemon)
    near = scene.tls(daemon.port("plain"), pki.client_context(), handshake=False, receive_buffer=8192)
    hello = near.hello()
    near.sock.sendall(hello)
    far = scene.keep(backend.accept())
    assert far.recv(len(hello)) == hello
    body = pattern(23, 48 * MIB)
    pusher = push(far, body)
    until(lambda: pipes(daemon) > before, "the flow to be spliced")
    got, how = Peer(near.sock).rest()
    pusher.join(30)
    assert (how, got == body) == (END, True)


def test_more_flows_than_conduits_move_all_the_same(scene):
    backend = scene.backend()
    daemon = relay(scene, backend, head="workers = 1")
    body = pattern(24, 8 * MIB)  # more than the buffers of two sockets
    pairs = [scene.plain_pair(daemon, backend, receive_buffer=8192) for _ in range(90)]
    pushers = [push(far, body) for _, far in pairs]
    until(lambda: pipes(daemon) >= 128, "all conduits to be lent")
    assert pipes(daemon) < 140
    for near, _ in pairs:
        got, how = near.rest()
        assert (how, got == body) == (END, True)
    for pusher in pushers:
        pusher.join(30)
    for near, _ in pairs:
        near.shut()
    daemon.wait_end(end="done", count=90)
    until(lambda: pipes(daemon) <= 20, "the conduits to be given back")


@pytest.mark.sanitize
@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_a_reset_in_the_middle_of_bulk_is_no_end(scene, who):
    backend = scene.backend()
    daemon = relay(scene, backend)
    before = pipes(daemon)
    near, far = scene.plain_pair(daemon, backend, receive_buffer=8192)
    pour(far, lambda: pipes(daemon) > before)
    if who == "receiver":
        near.reset()
        daemon.wait_end()
        assert far.ended() == RESET
    else:
        far.reset()
        assert near.rest()[1] == RESET
        daemon.wait_end(end="reset_far")
