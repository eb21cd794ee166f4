# SPDX-License-Identifier: Apache-2.0
# The relay: every byte, in order, once, to the right peer, and an end that tells the truth.
import random
import threading

import pytest

from lib.daemon import SANITIZED
from lib.peer import CUT, END, RESET, connect_tls, duplex, echo, pattern
from lib.wait import DEADLINE, until

MIB = 1 << 20


def gather(peer, into):
    """Read to the end in a thread; into gets (bytes, how it ended)."""
    thread = threading.Thread(target=lambda: into.append(peer.rest()), daemon=True)
    thread.start()
    return thread


# --- half-close


@pytest.mark.sanitize
def test_server_mode_client_ends_first_and_still_gets_the_answer(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    near.send(b"question").shut()
    assert far.rest() == (b"question", END)
    far.send(b"answer after your end").shut()
    assert near.rest() == (b"answer after your end", END)
    end = daemon.wait_end(end="done", service="tls")
    assert (end.to_tls, end.to_socket, end.how) == (21, 8, "closed")


@pytest.mark.sanitize
def test_server_mode_backend_ends_first_and_still_gets_the_rest(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    far.send(b"banner").shut()
    assert near.rest() == (b"banner", END)
    near.send(b"words after your end").shut()
    assert far.rest() == (b"words after your end", END)
    assert daemon.wait_end(end="done").to_socket == 20


def test_client_mode_half_close_in_both_orders(scene, pki):
    backend = scene.backend(pki.server_context())
    daemon = scene.client_mode(backend)
    for first, second in ((0, 1), (1, 0)):
        peers = [scene.connect(daemon.port("plain")), scene.keep(backend.accept())]
        peers[first].send(b"first").shut()
        assert peers[second].rest() == (b"first", END)
        peers[second].send(b"second").shut()
        assert peers[first].rest() == (b"second", END)
    daemon.wait_end(end="done", count=2)


@pytest.mark.sanitize
@pytest.mark.parametrize("first", ["client", "backend"])
def test_eight_mib_after_the_other_side_ended(scene, first):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    ender, talker = (near, far) if first == "client" else (far, near)
    body = pattern(7, 8 * MIB)
    ender.shut()
    assert talker.ended() == END
    got = []
    reader = gather(ender, got)
    talker.send(body).shut()
    reader.join(2 * DEADLINE)
    assert got[0][1] == END and got[0][0] == body
    daemon.wait_end(end="done")


def test_a_pause_of_the_answer_after_the_question_ended_is_no_end(scene):
    """Timers count silence against TIMEOUTclose, not against the half that still lives."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, "TIMEOUTclose = 10")
    near, far = scene.pair(daemon, backend)
    near.shut()
    assert far.ended() == END
    assert near.quiet(1.5)
    far.send(b"late").shut()
    assert near.rest() == (b"late", END)


def test_many_rounds_of_answer_and_close_lose_no_tail(scene, pki):
    body = pattern(3, 100_000)
    server = scene.server(lambda peer: peer.send(body).shut())
    daemon = scene.server_mode(server)
    context = pki.client_context()
    for _ in range(100):
        with connect_tls(daemon.port("tls"), context) as near:
            assert near.rest() == (body, END)
            near.shut()
    daemon.wait_end(end="done", count=100)


# --- bytes


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_bulk_both_ways_at_once_with_random_records(scene, pki, version):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    near = scene.tls(daemon.port("tls"), pki.client_context(version=version))
    body = pattern(11, 24 * MIB)
    dice = random.Random(1)
    back = duplex(near, body, len(body), lambda: dice.choice((1, 100, 1400, 16383, 16384)))
    assert back == body


def test_bulk_in_client_mode(scene, pki):
    server = scene.server(echo, pki.server_context())
    daemon = scene.client_mode(server)
    near = scene.connect(daemon.port("plain"))
    body = pattern(12, 24 * MIB)
    dice = random.Random(2)
    back = duplex(near, body, len(body), lambda: dice.choice((1, 700, 65536, 300_000)))
    assert back == body


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_application_data_in_the_segment_of_finished_arrives(scene, pki, version):
    """The bytes are in the TLS layer when the relay begins; the socket stays silent."""
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    context = pki.client_context(version=version)
    for i in range(60):
        word = pattern(i, 1 + i * 300)
        with connect_tls(daemon.port("tls"), context, handshake=False) as near:
            near.finish_with(word)
            assert near.recv(len(word)) == word


def test_a_client_that_says_all_and_ends_within_one_segment_is_answered(scene, pki):
    """Finished, request and close_notify at once: the backend still gets all, the client the answer."""
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near = scene.tls(daemon.port("tls"), handshake=False)
    near.finish_with(b"all", end=True)
    far = scene.keep(backend.accept())
    assert far.rest() == (b"all", END)
    far.send(b"yours").shut()
    assert near.rest() == (b"yours", END)


@pytest.mark.sanitize
def test_slow_reader_gets_everything_and_holds_its_writer_not_our_memory(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend, receive_buffer=8192)
    before = daemon.resident_kib()
    body = pattern(5, 48 * MIB)
    sent, pusher_done = [], []

    def push():
        far.send(body).shut()
        pusher_done.append(True)

    thread = threading.Thread(target=push, daemon=True)
    thread.start()
    # The writer stalls once all buffers on the way are full: what it could send stops growing.
    until(lambda: stalled(daemon, sent), "the writer to be held up", every=0.1)
    assert not pusher_done
    if not SANITIZED:
        assert daemon.resident_kib() - before < 4096
    got, how = near.rest()
    thread.join(DEADLINE)
    assert how == END and got == body


def stalled(daemon, history):
    """No CPU was used since the last three looks."""
    history.append(daemon.cpu_seconds())
    return len(history) > 5 and history[-1] == history[-5]


def test_stalled_tunnels_cost_no_cpu(scene, pki):
    def pour(peer):
        peer.send(bytes(64 * MIB))

    server = scene.server(pour)
    daemon = scene.server_mode(server)
    context = pki.client_context()
    for _ in range(20):
        scene.tls(daemon.port("tls"), context, receive_buffer=4096)
    daemon.await_rest(0.03)


# --- ends that are no ends


@pytest.mark.sanitize
def test_a_reset_of_the_backend_is_no_clean_end(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    far.send(b"half of the ans")
    assert near.recv(15) == b"half of the ans"
    far.reset()
    assert near.ended() in (RESET, CUT), "a reset became close_notify"
    end = daemon.wait_end(end="reset_far")
    assert end.how == "reset" and end.to_tls == 15


@pytest.mark.sanitize
def test_a_reset_of_the_client_reaches_the_backend_as_reset(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    near.send(b"half")
    assert far.recv(4) == b"half"
    near.reset()
    assert far.ended() == RESET
    assert daemon.wait_end(end="reset_near").how == "reset"


def test_in_client_mode_a_reset_of_the_server_reaches_the_client_as_reset(scene, pki):
    backend = scene.backend(pki.server_context())
    daemon = scene.client_mode(backend)
    near, far = scene.plain_pair(daemon, backend)
    far.send(b"half")
    assert near.recv(4) == b"half"
    far.reset()
    assert near.ended() == RESET
    daemon.wait_end(end="reset_far")


def test_in_client_mode_a_reset_of_the_client_is_no_close_notify(scene, pki):
    backend = scene.backend(pki.server_context())
    daemon = scene.client_mode(backend)
    near, far = scene.plain_pair(daemon, backend)
    near.send(b"half")
    assert far.recv(4) == b"half"
    near.reset()
    assert far.ended() in (RESET, CUT)
    daemon.wait_end(end="reset_near")


def test_fin_without_close_notify_is_passed_on_and_counted(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    near.send(b"upload").fin()
    assert far.rest() == (b"upload", END)
    far.send(b"thanks").shut()
    assert near.recv(6) == b"thanks"
    daemon.wait_end(end="cut")


@pytest.mark.sanitize
def test_fin_without_close_notify_is_a_reset_with_strict_close(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "strictClose = yes")
    near, far = scene.pair(daemon, backend)
    near.send(b"upload")
    assert far.recv(6) == b"upload"
    near.fin()
    assert far.ended() == RESET
    end = daemon.wait_end(end="truncated")
    assert end.level == 4 and end.how == "reset"


def test_strict_close_lets_a_proper_end_pass(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "strictClose = yes")
    near, far = scene.pair(daemon, backend)
    near.send(b"upload").shut()
    assert far.rest() == (b"upload", END)
    far.shut()
    assert near.rest() == (b"", END)
    daemon.wait_end(end="done")


def test_client_mode_fin_of_the_server_without_close_notify(scene, pki):
    backend = scene.backend(pki.server_context())
    text = scene.section("lax", backend, "client = yes") + scene.section(
        "strict", backend, "client = yes", "strictClose = yes"
    )
    daemon = scene.daemon(text)
    near, far = scene.plain_pair(daemon, backend, "lax")
    far.send(b"page").fin()
    assert near.rest() == (b"page", END)
    near.shut()
    daemon.wait_end(end="cut", service="lax")
    near, far = scene.plain_pair(daemon, backend, "strict")
    far.send(b"page")
    assert near.recv(4) == b"page"
    far.fin()
    assert near.ended() == RESET
    daemon.wait_end(end="truncated", service="strict")


def test_with_reset_no_an_unclean_end_is_a_close_but_never_close_notify(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "reset = no")
    near, far = scene.pair(daemon, backend)
    far.send(b"half")
    near.recv(4)
    far.reset()
    assert near.ended() in (CUT, RESET)
    daemon.wait_end(end="reset_far")


def test_resets_in_every_phase_disturb_nobody(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    honest = scene.tls(daemon.port("tls"))
    honest.send(b"ready")
    honest.recv(5)
    context = pki.client_context()
    before = daemon.descriptors()
    for cut in (0, 1, 5, 50, None):  # bytes of the hello; None: behind the handshake
        peer = connect_tls(daemon.port("tls"), context, handshake=False)
        if cut is None:
            peer.finish_with(b"x")
        elif cut:
            peer.sock.sendall(peer.hello()[:cut])
        peer.reset()
        honest.send(b"still here")
        assert honest.recv(10) == b"still here"
    # the server's flight is on its way and nobody is there to read it
    peer = connect_tls(daemon.port("tls"), context, handshake=False)
    peer.sock.sendall(peer.hello())
    peer.sock.recv(1)
    peer.reset()
    daemon.wait_end(count=6)
    daemon.await_descriptors(before)


# --- many at once


@pytest.mark.sanitize
def test_connections_never_mix(scene, pki):
    """Each connection has its own bytes; churn and resets go on beside them."""
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    port, context, faults = daemon.port("tls"), pki.client_context(), []

    def one(seed):
        dice = random.Random(seed)
        try:
            for turn in range(5):
                with connect_tls(port, context) as near:
                    for _ in range(4):
                        word = pattern(seed * 1000 + turn, dice.randrange(1, 60_000))
                        if duplex(near, word, len(word)) != word:
                            faults.append(f"foreign bytes in {seed}/{turn}")
                    if dice.random() < 0.3:
                        near.send(b"gone")
                        near.reset()
        except Exception as error:  # noqa: BLE001 -- threads have to tell the test
            faults.append(f"{seed}: {error!r}")

    threads = [threading.Thread(target=one, args=(seed,), daemon=True) for seed in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults, faults[:5]
    daemon.wait_end(count=200)


def test_hundreds_of_tunnels_at_once_each_still_echo(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    context = pki.client_context()
    peers = [scene.tls(daemon.port("tls"), context) for _ in range(300)]
    for i, near in enumerate(peers):
        near.send(b"%08d" % i)
    for i, near in enumerate(peers):
        assert near.recv(8) == b"%08d" % i
    before = daemon.descriptors()
    assert before >= 600
    for near in peers:
        near.shut()
    for near in peers:
        assert near.ended() == END
    daemon.wait_end(count=300)
    daemon.await_descriptors(before - 600)


def test_nothing_is_left_after_many_connections(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    context = pki.client_context()

    def batch(count):
        for _ in range(count):
            with connect_tls(daemon.port("tls"), context) as near:
                near.send(b"x")
                near.recv(1)
                near.shut()
                near.ended()

    batch(50)
    daemon.wait_end(count=50)
    idle = daemon.descriptors()
    memory = daemon.resident_kib()
    batch(300)
    daemon.wait_end(count=350)
    daemon.await_descriptors(idle)
    if not SANITIZED:
        assert daemon.resident_kib() - memory < 2048
