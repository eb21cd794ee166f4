# SPDX-License-Identifier: Apache-2.0
# How much of a service one may have: maxConnections, maxConnectionsPerSource, queueLimit, rateLimit.
import re
import resource
import time

import pytest

from lib.daemon import SANITIZED, NotStarted
from lib.peer import END, RESET, connect, duplex, echo, pattern

FIRST, MORE = (20, 60) if SANITIZED else (100, 300)
PLAIN = ("acceptTLS = no", "connectTLS = no")


def service(scene, backend, *lines, head="", **how):
    return scene.daemon(scene.section("plain", backend, *PLAIN, *lines), head, **how)


def tunnel(scene, daemon, **how):
    """A client that is served: its echo has come."""
    near = scene.connect(daemon.port("plain"), **how)
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    return near


def refused(scene, daemon, **how):
    near = scene.connect(daemon.port("plain"), **how)
    assert near.ended() == RESET


# --- maxConnections


@pytest.mark.sanitize
@pytest.mark.parametrize("workers", [1, 4])
def test_a_service_has_at_most_so_many(scene, workers):
    daemon = service(scene, scene.server(echo), "maxConnections = 2", head=f"workers = {workers}\n")
    one, two = tunnel(scene, daemon), tunnel(scene, daemon)
    refused(scene, daemon)
    line = daemon.wait_log("Connection rejected: too many clients of this service").group()
    rest = daemon.log().split(line, 1)[1].split("\n", 1)[0]
    assert "(>=2); end=service_full service=plain peer=127.0.0.1:" in rest
    one.send(b"still")
    assert one.recv(5) == b"still"
    one.close()
    daemon.wait_end(end="done")
    tunnel(scene, daemon)
    two.send(b"still")
    assert two.recv(5) == b"still"


def test_other_services_are_not_counted(scene):
    server = scene.server(echo)
    daemon = scene.daemon(
        scene.section("plain", server, *PLAIN, "maxConnections = 1") + scene.section("other", server, *PLAIN)
    )
    tunnel(scene, daemon)
    refused(scene, daemon)
    for _ in range(3):
        near = scene.connect(daemon.port("other"))
        near.send(b"ping")
        assert near.recv(4) == b"ping"


def test_tunnels_of_before_a_reload_count(scene):
    server = scene.server(echo)
    daemon = service(scene, server, "maxConnections = 2")
    one = tunnel(scene, daemon)
    daemon.write(scene.section("plain", server, *PLAIN, "maxConnections = 1"))
    daemon.reload()
    refused(scene, daemon)
    one.close()
    daemon.wait_end(end="done")
    tunnel(scene, daemon)


@pytest.mark.sanitize
def test_the_service_that_sni_names_has_its_own_limit(scene, pki):
    backend = scene.server(echo)
    daemon = scene.daemon(
        scene.section("main", backend, f"cert = {pki.server.bundle}", "maxConnections = 9")
        + "\n".join(["[a]", "sni = main:a.test", f"connect = 127.0.0.1:{backend.port}",
                     f"cert = {pki.server.bundle}", "maxConnections = 1", ""])
    )
    context = pki.client_context()
    context.check_hostname = False
    first = scene.tls(daemon.port("main"), context, name="a.test")
    first.send(b"ping")
    assert first.recv(4) == b"ping"
    with pytest.raises(OSError):
        scene.tls(daemon.port("main"), context, name="a.test")
    daemon.wait_end(end="service_full", service="a")
    other = scene.tls(daemon.port("main"), context, name="b.test")
    other.send(b"ping")
    assert other.recv(4) == b"ping"
    first.shut().close()
    daemon.wait_end(end="done", service="a")
    again = scene.tls(daemon.port("main"), context, name="a.test")
    again.send(b"ping")
    assert again.recv(4) == b"ping"


# --- what a tunnel costs


def test_an_idle_tunnel_costs_memory_and_nothing_else(scene):
    """-rP prints how much.  No thread, no time of the processor; and all of it comes back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    scene.closers.callback(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
    backend = scene.backend()
    daemon = scene.server_mode(backend, head="debug = info\n")
    peers = [scene.pair(daemon, backend) for _ in range(FIRST)]
    before, threads, descriptors = daemon.pss_kib(), daemon.process_status()["Threads"], daemon.descriptors()
    peers += [scene.pair(daemon, backend) for _ in range(MORE)]
    cost = (daemon.pss_kib() - before) / MORE
    print(f"{MORE} idle tunnels, each {cost:.1f} KiB")
    assert SANITIZED or cost < 25
    assert daemon.process_status()["Threads"] == threads
    assert daemon.descriptors() == descriptors + 2 * MORE
    daemon.await_rest(0.05)
    for peer in [end for pair in peers[FIRST:] for end in pair]:
        peer.close()
    daemon.await_descriptors(descriptors)
    # The allocator keeps some; what a tunnel had must not be lost.
    again = daemon.pss_kib()
    for _ in range(3):
        for pair in [scene.pair(daemon, backend) for _ in range(MORE // 3)]:
            for peer in pair:
                peer.close()
    daemon.await_descriptors(descriptors)
    assert SANITIZED or daemon.pss_kib() - again < 1024


# --- maxConnectionsPerSource


@pytest.mark.sanitize
def test_one_source_has_at_most_so_many(scene):
    daemon = service(scene, scene.server(echo), "maxConnectionsPerSource = 2")
    one = tunnel(scene, daemon, source=("127.0.0.2", 0))
    tunnel(scene, daemon, source=("127.0.0.2", 0))
    refused(scene, daemon, source=("127.0.0.2", 0))
    daemon.wait_log(r"Connection rejected: too many clients from this source \(>=2\); end=source_full")
    tunnel(scene, daemon, source=("127.0.0.3", 0))
    one.close()
    daemon.wait_end(end="done")
    tunnel(scene, daemon, source=("127.0.0.2", 0))


# --- queueLimit


@pytest.mark.sanitize
@pytest.mark.parametrize("workers", [1, 4])
def test_who_waits_is_served_in_turn(scene, workers):
    daemon = service(
        scene, scene.server(echo), "maxConnections = 1", "queueLimit = 2", head=f"workers = {workers}\n")
    first = tunnel(scene, daemon)
    waiting = []
    for n in range(2):
        near = scene.connect(daemon.port("plain")).send(b"%d" % n)
        daemon.wait_log(r"Service \[plain\] is full; waiting in the queue", count=n + 1)
        waiting.append(near)
    refused(scene, daemon)
    assert waiting[0].quiet(0.1)
    assert waiting[1].quiet(0)
    first.close()
    assert waiting[0].recv(1) == b"0"
    assert waiting[1].quiet(0.1)
    waiting[0].close()
    assert waiting[1].recv(1) == b"1"
    assert len(daemon.ends(end="service_full")) == 0  # the one refused had no session
    daemon.wait_log("end=service_full")


def test_who_waits_too_long_is_refused(scene):
    daemon = service(scene, scene.server(echo), "maxConnections = 1", "queueLimit = 5", "TIMEOUTbusy = 1")
    first = tunnel(scene, daemon)
    near = scene.connect(daemon.port("plain"))
    assert near.ended() == RESET
    daemon.wait_end(end="queue_timeout")
    first.send(b"still")
    assert first.recv(5) == b"still"


@pytest.mark.sanitize
def test_who_leaves_the_queue_holds_up_nobody(scene):
    daemon = service(scene, scene.server(echo), "maxConnections = 1", "queueLimit = 5")
    first = tunnel(scene, daemon)
    leaver = scene.connect(daemon.port("plain"))
    daemon.wait_log("waiting in the queue")
    last = scene.connect(daemon.port("plain")).send(b"ping")
    daemon.wait_log("waiting in the queue", count=2)
    leaver.reset()
    daemon.wait_end(end="reset_near")
    first.close()
    assert last.recv(4) == b"ping"


@pytest.mark.sanitize
def test_the_log_tells_once_who_waits_whatever_is_said_meanwhile(scene):
    daemon = service(scene, scene.server(echo), "maxConnections = 1", "queueLimit = 5", head="debug = debug\n")
    first = tunnel(scene, daemon)
    waiting = scene.connect(daemon.port("plain"))
    daemon.wait_log("waiting in the queue")
    waiting.send(b"ping")
    waiting.shut()
    bystander = scene.connect(daemon.port("plain"))  # whose line comes after all that
    daemon.wait_log(r"LOG6\[\d+\]: Service .* waiting in the queue", count=2)
    bystander.close()
    first.close()
    assert waiting.rest() == (b"ping", END)
    daemon.wait_end(count=2)
    logged = re.findall(r"LOG6\[(\d+)\]: Service \[plain\] is full", daemon.log())
    assert len(logged) == len(set(logged)) == 2


@pytest.mark.sanitize
def test_a_stop_with_a_full_queue(scene):
    daemon = service(
        scene, scene.server(echo), "maxConnections = 1", "queueLimit = 50", head="workers = 3\nshutdownTimeout = 0\n")
    tunnel(scene, daemon)
    for n in range(20):
        scene.connect(daemon.port("plain"))
        daemon.wait_log("waiting in the queue", count=n + 1)
    daemon.stop()


# --- rateLimit


def timed(near, size):
    """Send `size` bytes to an echo and read them back: seconds."""
    body = pattern(7, size)
    start = time.monotonic()
    assert duplex(near, body, size) == body
    return time.monotonic() - start


@pytest.mark.sanitize
@pytest.mark.parametrize("rate", [400_000, 4_000_000])
def test_the_pace_of_a_connection(scene, rate):
    """Both directions run beside each other; a quarter of a second's worth comes at once."""
    daemon = service(scene, scene.server(echo), f"rateLimit = {rate}")
    before = daemon.cpu_seconds()
    took = timed(scene.connect(daemon.port("plain")), rate * 5 // 4)
    assert took >= 0.95
    if not SANITIZED:
        assert took < 4  # on a machine that does other things, too
        assert daemon.cpu_seconds() - before < 0.5


@pytest.mark.sanitize
def test_the_pace_of_a_connection_under_tls(scene, pki):
    daemon = scene.server_mode(scene.server(echo), "rateLimit = 400K")
    took = timed(scene.tls(daemon.port("tls"), pki.client_context()), 512_000)
    assert took >= 0.95


def test_the_pace_of_a_connection_that_is_spliced(scene):
    """At this rate a flow is bulk, so it goes through a pipe."""
    daemon = service(scene, scene.server(echo), "rateLimit = 64M")
    took = timed(scene.connect(daemon.port("plain")), 80 << 20)
    assert took >= 0.95


def test_a_slow_connection_slows_no_other(scene):
    server = scene.server(echo)
    daemon = scene.daemon(
        scene.section("plain", server, *PLAIN, "rateLimit = 1K") + scene.section("fast", server, *PLAIN),
        head="workers = 1\n")
    slow = scene.connect(daemon.port("plain")).send(bytes(1 << 16))
    slow.recv(256)
    assert timed(connect(daemon.port("fast")), 1 << 20) < 10
    assert slow.over is None


@pytest.mark.parametrize("line, words", [
    ("rateLimit = 1000", '"1000" is not a number from 1024 to 1099511627776, or one with K, M or G behind it'),
    ("rateLimit = 1T", "is not a number"),
    ("rateLimit = K", "is not a number"),
    ("rateLimit = 99999999999999999999G", "is not a number"),
    ("maxConnections = -1", "maxConnections"),
    ("queueLimit = lots", "queueLimit"),
])
def test_bad_numbers(scene, line, words):
    with pytest.raises(NotStarted) as fault:
        service(scene, "127.0.0.1:1", line)
    assert words in fault.value.stderr


def test_a_queue_needs_a_limit(scene):
    with pytest.raises(NotStarted) as fault:
        service(scene, "127.0.0.1:1", "queueLimit = 5")
    assert "maxConnections" in fault.value.stderr
