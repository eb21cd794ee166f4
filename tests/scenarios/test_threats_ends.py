# SPDX-License-Identifier: Apache-2.0
# Ends in unlucky moments: what a peer is told of the other side's end must stay true.
import socket

import pytest

from lib.peer import CUT, END, RESET, pattern


@pytest.mark.sanitize
@pytest.mark.parametrize("mode", ["server", "client"])
def test_a_reset_that_a_write_meets_first_is_still_a_reset(scene, pki, mode):
    """send() takes the error off the socket, and the recv() behind it says 0, as for a proper end."""
    if mode == "server":
        backend = scene.backend()
        daemon = scene.server_mode(backend)
        near, far = scene.pair(daemon, backend)
    else:
        backend = scene.backend(pki.server_context())
        daemon = scene.client_mode(backend)
        near, far = scene.plain_pair(daemon, backend)
    far.send(b"half of the ans")
    assert near.recv(15) == b"half of the ans"
    with daemon.frozen():
        near.send(b"more of the question")
        far.reset()
    assert near.ended() in ((RESET, CUT) if mode == "server" else (RESET,))
    daemon.wait_end(end="reset_far")


def test_what_was_sent_before_a_fin_and_a_reset_arrives_with_its_end(scene):
    """A server that answers and leaves without having read everything has ended its answer properly."""
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    near.send(b"question")
    assert far.recv(8) == b"question"
    answer = pattern(1, 100_000)
    with daemon.frozen():
        far.send(answer).shut()
        near.send(b"nobody reads this")
    assert near.recv(len(answer)) == answer
    far.reset()
    assert near.ended() == END


@pytest.mark.sanitize
def test_a_bridge_does_not_turn_a_cut_into_a_close_notify(scene, pki):
    """A forged FIN on the one side must not become an authentic end on the other."""
    backend = scene.backend(pki.server_context())
    daemon = scene.server_mode(backend, "connectTLS = yes")
    near, far = scene.pair(daemon, backend)
    near.send(b"half of it")
    assert far.recv(10) == b"half of it"
    near.fin()
    assert far.ended() == CUT
    far.close()
    near.rest()
    daemon.wait_end(end="cut")


def test_a_bridge_carries_a_proper_end_both_ways(scene, pki):
    backend = scene.backend(pki.server_context())
    daemon = scene.server_mode(backend, "connectTLS = yes")
    near, far = scene.pair(daemon, backend)
    near.send(b"question").shut()
    assert far.rest() == (b"question", END)
    far.send(b"answer").shut()
    assert near.rest() == (b"answer", END)
    daemon.wait_end(end="done")


@pytest.mark.sanitize
def test_urgent_data_does_not_put_what_follows_to_sleep(scene, pki):
    """recv() stops short at the urgent mark (telnet sends one), with more behind it and no event to come."""
    backend = scene.backend(pki.server_context())
    daemon = scene.client_mode(backend)
    near, far = scene.plain_pair(daemon, backend)
    near.send(b"before")
    assert far.recv(6) == b"before"
    with daemon.frozen():
        near.send(b"abc")
        near.sock.send(b"!", socket.MSG_OOB)
        near.send(b"def")
    assert far.recv(6) == b"abcdef"


def test_a_close_timeout_is_no_clean_end_for_who_has_not_got_everything(scene, pki):
    """The reader sleeps, the rest of the answer is still with us: a FIN would make it look complete."""
    backend = scene.backend(pki.server_context())
    daemon = scene.client_mode(backend, "TIMEOUTclose = 2", "socket = l:SO_SNDBUF=4096")
    near, far = scene.plain_pair(daemon, backend, receive_buffer=4096)
    near.send(b"question").shut()
    assert far.rest() == (b"question", END)
    answer = pattern(2, 120_000)
    far.send(answer).shut()
    daemon.wait_end(end="close_timeout")
    got, how = near.rest()
    assert len(got) < len(answer)
    assert how == RESET


def test_a_peer_that_breaks_a_record_is_told_by_an_alert(scene):
    """RFC 8446 5.2: bad_record_mac."""
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    near.sock.sendall(b"\x17\x03\x03\x00\x40" + bytes(64))
    assert far.ended() == RESET
    with pytest.raises(OSError, match="(?i)bad.record.mac"):
        near.rest()
    daemon.wait_end(end="tls_near")
