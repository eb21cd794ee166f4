# SPDX-License-Identifier: Apache-2.0
# Every wait has an end, and honest peers do not feel the others' waits.
"""
What may not come too soon is measured from before its beginning.  What may not come too late has to come within the peers'
own patience (DEADLINE), which is far less than each option's default: a busy machine makes nobody late.
"""
import select
import socket
import time

import pytest

from lib.peer import CUT, END, RESET, Peer, connect_tls, echo, greeter


def drip(peer, data, pause=0.1):
    """Send byte by byte until the other side gives up."""
    peer.sock.settimeout(pause)
    for byte in data:
        try:
            peer.sock.sendall(bytes([byte]))
            if peer.sock.recv(4096) == b"":
                return
        except TimeoutError:
            pass
        except OSError:
            return
    raise AssertionError(f"still served after {len(data)} drops")


def since(start):
    return time.monotonic() - start


# --- the deadline for everything before the first relayed byte


@pytest.mark.sanitize
def test_a_silent_connection_is_cut_at_the_busy_deadline(scene):
    server = scene.server(echo)
    daemon = scene.server_mode(server, "TIMEOUTbusy = 1")
    start = time.monotonic()
    assert scene.connect(daemon.port("tls")).ended() in (END, RESET)
    assert since(start) > 0.9
    daemon.wait_end(end="setup_timeout")
    assert server.served == 0


@pytest.mark.sanitize
def test_half_a_hello_is_cut_at_the_busy_deadline(scene):
    daemon = scene.server_mode(scene.server(echo), "TIMEOUTbusy = 1")
    start = time.monotonic()
    near = scene.tls(daemon.port("tls"), handshake=False)
    near.sock.sendall(near.hello()[:60])
    assert Peer(near.sock).ended() in (END, RESET)
    assert since(start) > 0.9
    daemon.wait_end(end="setup_timeout")


def test_a_dripping_hello_does_not_move_the_deadline(scene):
    daemon = scene.server_mode(scene.server(echo), "TIMEOUTbusy = 1")
    near = scene.tls(daemon.port("tls"), handshake=False)
    drip(Peer(near.sock), near.hello()[:-1])
    daemon.wait_end(end="setup_timeout")


def test_a_handshake_that_stops_in_the_middle_is_cut(scene):
    daemon = scene.server_mode(scene.server(echo), "TIMEOUTbusy = 1")
    start = time.monotonic()
    near = scene.tls(daemon.port("tls"), handshake=False)
    near.sock.sendall(near.hello())
    Peer(near.sock).rest()  # the server's flight, and then the end
    assert since(start) > 0.9
    daemon.wait_end(end="setup_timeout")


def test_a_server_that_never_shakes_hands_is_cut(scene, pki):
    backend = scene.backend()
    daemon = scene.client_mode(backend, "TIMEOUTbusy = 1")
    start = time.monotonic()
    near = scene.connect(daemon.port("plain"))
    scene.keep(backend.accept())
    assert near.ended() in (END, RESET)
    assert since(start) > 0.9
    daemon.wait_end(end="setup_timeout")


def test_a_dripping_server_does_not_move_the_deadline(scene):
    backend = scene.backend()
    daemon = scene.client_mode(backend, "TIMEOUTbusy = 1")
    scene.connect(daemon.port("plain"))
    far = scene.keep(backend.accept())
    # a ServerHello record whose body comes one byte at a time
    drip(far, b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc" + bytes(200))
    daemon.wait_end(end="setup_timeout")


def test_honest_clients_are_quick_beside_slow_ones(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server, "TIMEOUTbusy = 20")
    context = pki.client_context()
    hello = scene.tls(daemon.port("tls"), handshake=False).hello()

    def usual():
        times = []
        for _ in range(51):
            start = time.monotonic()
            with connect_tls(daemon.port("tls"), context) as near:
                near.send(b"ping")
                assert near.recv(4) == b"ping"
            times.append(since(start))
        return sorted(times)[25]

    alone = usual()
    for i in range(200):
        slow = scene.connect(daemon.port("tls"))
        slow.send(hello[: (0, 1, 5, 100)[i % 4]] or b"")
    assert usual() < 0.2 + 10 * alone


# --- idle and close


@pytest.mark.sanitize
def test_an_idle_tunnel_is_ended_and_reset(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "TIMEOUTidle = 1")
    near, far = scene.pair(daemon, backend)
    start = time.monotonic()
    near.send(b"ping")
    assert far.recv(4) == b"ping"
    assert far.ended() == RESET
    assert since(start) > 0.9
    assert near.ended() in (RESET, CUT)
    assert daemon.wait_end(end="idle").how == "reset"


def test_any_byte_in_either_direction_keeps_a_tunnel_awake(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "TIMEOUTidle = 2")
    near, far = scene.pair(daemon, backend)
    end, turn = time.monotonic() + 4, 0
    while time.monotonic() < end:
        giver, taker = ((near, far), (far, near))[turn % 2]
        giver.send(b"x")
        assert taker.recv(1) == b"x"
        turn += 1
        select.select([], [], [], 0.4)
    assert not daemon.ends()


@pytest.mark.parametrize("ender", ["near", "far"])
def test_a_half_closed_silent_tunnel_ends_after_timeout_close(scene, ender):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "TIMEOUTclose = 1")
    near, far = scene.pair(daemon, backend)
    first, second = (near, far) if ender == "near" else (far, near)
    start = time.monotonic()
    first.shut()
    assert second.ended() == END
    first.rest()
    assert since(start) > 0.9
    assert daemon.wait_end(end="close_timeout").how == "closed"


def test_timeout_close_counts_silence_not_time(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "TIMEOUTclose = 2")
    near, far = scene.pair(daemon, backend)
    near.shut()
    assert far.ended() == END
    for _ in range(6):
        select.select([], [], [], 0.5)
        far.send(b"more")
    far.shut()
    assert near.rest() == (b"more" * 6, END)
    daemon.wait_end(end="done")


# --- connecting


@pytest.fixture
def swallower():
    """A listening socket whose queue is full: it answers no SYN, like a host behind a dropping firewall."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    fillers = []
    while True:
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(sock.getsockname())
        fillers.append(filler)
        _, writable, _ = select.select([], [filler], [], 0.2)
        if not writable:
            break
    yield f"127.0.0.1:{sock.getsockname()[1]}"
    for filler in fillers:
        filler.close()
    sock.close()


@pytest.mark.sanitize
def test_a_target_that_does_not_answer_is_given_up(scene, swallower):
    daemon = scene.server_mode(swallower, "TIMEOUTconnect = 1")
    start = time.monotonic()
    near = scene.tls(daemon.port("tls"))
    assert near.ended() in (RESET, CUT)
    assert 0.9 < since(start) < 9, "the default is 10"
    daemon.wait_log(f"s_connect: s_poll_wait {swallower}: TIMEOUTconnect exceeded")
    daemon.wait_end(end="connect")


def test_a_target_that_does_not_answer_is_passed_over(scene, swallower):
    server = scene.server(greeter(b"second"))
    daemon = scene.server_mode(swallower, f"connect = {server.address}", "TIMEOUTconnect = 1")
    assert scene.tls(daemon.port("tls")).recv(6) == b"second"


def test_a_silent_target_delays_no_other_service(scene, swallower, pki):
    server = scene.server(echo)
    daemon = scene.daemon(
        scene.section("dead", swallower, f"cert = {pki.server.bundle}")
        + scene.section("alive", server, f"cert = {pki.server.bundle}")
    )
    for _ in range(20):
        scene.tls(daemon.port("dead"))
    start = time.monotonic()
    near = scene.tls(daemon.port("alive"))
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    assert since(start) < 5, "TIMEOUTconnect is 10"


def test_a_client_that_leaves_while_we_connect_costs_no_more_than_the_attempt(scene, swallower):
    daemon = scene.server_mode(swallower, "TIMEOUTconnect = 1")
    before = daemon.descriptors()
    near = scene.tls(daemon.port("tls"))
    daemon.wait_log("s_connect: connecting")
    near.reset()
    daemon.wait_end()
    daemon.await_descriptors(before)


def test_all_targets_together_have_the_busy_deadline(scene, swallower):
    daemon = scene.server_mode(swallower, *[f"connect = {swallower}"] * 4, "TIMEOUTconnect = 1", "TIMEOUTbusy = 2")
    assert scene.tls(daemon.port("tls")).ended() in (RESET, CUT)
    daemon.wait_end(end="setup_timeout")
