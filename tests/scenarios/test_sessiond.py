# SPDX-License-Identifier: Apache-2.0
# An external cache of sessions: shared by servers, never waited for by others than who asked, never believed too much.
import time

import pytest

from lib.daemon import NotStarted
from lib.peer import connect_tls, echo, visit
from lib.session_cache import GET, NEW, SessionCache

CONFIG = 78
KINDS = {"1.2": {"version": "TLSv1.2"}, "1.3": {"version": "TLSv1.3"}}


def twins(scene, pki, cache, *lines, names=("tls", "tls")):
    backend = scene.server(echo)
    return [
        scene.daemon(
            scene.section(service, backend, f"cert = {pki.server.bundle}", f"sessiond = {cache.address}", *lines),
            "workers = 1", name=name)
        for service, name in zip(names, ("first", "second"))
    ]


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", KINDS)
def test_servers_share_sessions(scene, pki, kind):
    cache = scene.keep(SessionCache())
    first, second = twins(scene, pki, cache)
    context = pki.client_context(**KINDS[kind])
    session, reused = visit(first.port("tls"), context)
    assert not reused
    packet = cache.wait(NEW)
    assert packet.version == 1 and packet.lifetime == 300 and 0 < len(packet.session) <= 512
    session, reused = visit(second.port("tls"), context, session)
    assert reused
    second.wait_log("TLS accepted: previous session reused")


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_of_another_service_is_none(scene, pki, kind):
    cache = scene.keep(SessionCache())
    first, second = twins(scene, pki, cache, names=("one", "two"))
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(first.port("one"), context)
    cache.wait(NEW)
    assert not visit(second.port("two"), context, session)[1]
    cache.wait(GET)


@pytest.mark.parametrize(
    "change",
    [
        lambda reply: reply[:36] + b"\x30\x82\xff\xff" + b"A" * 400 if len(reply) > 36 else reply,
        lambda reply: reply[:36] + reply[40:] if len(reply) > 36 else reply,
        lambda reply: reply + b"x" * 600,
        lambda reply: b"",
        lambda reply: b"\x02" + reply[1:],
        lambda reply: reply[:4] + bytes(32) + reply[36:],
    ],
    ids=["rubbish", "a hole", "too long", "empty", "another version", "another id"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_answer_means_a_full_handshake(scene, pki, kind, change):
    cache = scene.keep(SessionCache(change))
    first, second = twins(scene, pki, cache)
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(first.port("tls"), context)
    cache.wait(NEW)
    assert not visit(second.port("tls"), context, session)[1]
    cache.wait(GET)


@pytest.mark.parametrize("kind", KINDS)
def test_who_asks_waits_and_nobody_else(scene, pki, kind):
    """The cache is silent: one handshake waits for its time-out, and another passes by on the same worker."""
    cache = scene.keep(SessionCache(lambda reply: None))
    first, second = twins(scene, pki, cache)
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(first.port("tls"), context)
    port = second.port("tls")
    began = time.monotonic()
    asking = scene.keep(connect_tls(port, context, session=session, handshake=False))
    other = scene.keep(connect_tls(port, pki.client_context(**KINDS[kind]), handshake=False))
    second.wait_log(r"Service \[tls\] started", count=2)
    with second.frozen():
        for near in (asking, other):
            near.sock.sendall(near.hello())
    other.handshake()
    asking.handshake()
    assert 0.15 < time.monotonic() - began and not asking.reused
    late = second.wait_log(r"LOG6\[0\]: sessiond: no answer: time is up")
    assert second.wait_log(r"LOG7\[1\]: peek -> secure").start() < late.start()


def test_nobody_at_the_caches_port(scene, pki):
    cache = SessionCache()
    cache.close()
    first, second = twins(scene, pki, cache)
    context = pki.client_context(version="TLSv1.2")
    session, _ = visit(first.port("tls"), context)
    assert not visit(second.port("tls"), context, session)[1]


def test_a_client_that_leaves_while_the_cache_is_asked(scene, pki):
    cache = scene.keep(SessionCache(lambda reply: None))
    first, second = twins(scene, pki, cache)
    context = pki.client_context(version="TLSv1.2")
    session, _ = visit(first.port("tls"), context)
    before = second.descriptors()
    asking = scene.keep(connect_tls(second.port("tls"), context, session=session, handshake=False))
    asking.sock.sendall(asking.hello())
    cache.wait(GET)
    asking.reset()
    second.wait_end(count=1)
    second.await_descriptors(before)


@pytest.mark.parametrize("guard", ["verify = 2", "requireCert = yes"])
def test_a_service_that_asks_who_its_clients_are_does_not_use_it(scene, pki, guard):
    cache = scene.keep(SessionCache())
    first, _ = twins(scene, pki, cache, guard, f"CAfile = {pki.ca.path}")
    first.wait_log(r"LOG4\[.*sessiond: is not used here")
    context = pki.client_context(pki.client, version="TLSv1.2")
    session, _ = visit(first.port("tls"), context)
    visit(first.port("tls"), context, session)
    assert not cache.seen


def test_a_reload_takes_nothing_out_of_the_cache(scene, pki):
    cache = scene.keep(SessionCache())
    first, second = twins(scene, pki, cache)
    context = pki.client_context(version="TLSv1.2")
    session, _ = visit(first.port("tls"), context)
    cache.wait(NEW)
    first.reload()
    assert visit(first.port("tls"), context, session)[1]


def test_an_address_that_is_none(scene, pki):
    with pytest.raises(NotStarted) as fault:
        scene.server_mode(scene.backend(), "sessiond = /run/cache")
    assert fault.value.status == CONFIG and "sessiond: write HOST:PORT" in fault.value.stderr
