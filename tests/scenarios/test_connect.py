# SPDX-License-Identifier: Apache-2.0
# Reaching the target: several of them, names, UNIX sockets, IPv6, source addresses, socket options.
import contextlib
import os
import socket
import stat

import pytest

from lib.daemon import NotStarted
from lib.names import NameServer
from lib.peer import END, RESET, connect_tls, echo, greeter
from lib.ports import Nobody, free_port
from lib.wait import until


def word(scene, daemon, service="tls", size=1):
    near = scene.tls(daemon.port(service))
    got = near.recv(size)
    near.close()
    return got


# --- several targets


@pytest.mark.sanitize
def test_a_refusing_target_is_passed_over(scene):
    server = scene.server(greeter(b"b"))
    dead = Nobody()
    daemon = scene.server_mode(dead, f"connect = {server.address}")
    assert word(scene, daemon) == b"b"
    daemon.wait_log(rf"s_connect: connect {dead.address}: Connection refused \(111\)")
    daemon.wait_log(f"s_connect: connected {server.address}")


def test_priority_is_the_order_of_the_file(scene):
    first, second = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    daemon = scene.server_mode(first, f"connect = {second.address}", "failover = prio")
    assert [word(scene, daemon) for _ in range(6)] == [b"1"] * 6
    assert second.served == 0


def test_round_robin_takes_turns(scene):
    servers = [scene.server(greeter(b"%d" % i)) for i in range(3)]
    daemon = scene.server_mode(
        servers[0], *(f"connect = {s.address}" for s in servers[1:]), "failover = rr", head="workers = 1\n"
    )
    seen = [word(scene, daemon) for _ in range(9)]
    assert sorted(seen) == [b"0"] * 3 + [b"1"] * 3 + [b"2"] * 3


def test_round_robin_passes_over_the_dead(scene):
    server = scene.server(greeter(b"x"))
    daemon = scene.server_mode(server, f"connect = {Nobody().address}", "failover = rr")
    assert [word(scene, daemon) for _ in range(6)] == [b"x"] * 6


@pytest.mark.sanitize
def test_no_target_left_is_told_to_the_client_by_reset(scene):
    daemon = scene.server_mode(Nobody(), f"connect = {Nobody().address}")
    near = scene.tls(daemon.port("tls"))
    assert near.ended() != END
    daemon.wait_log("No more addresses to connect")
    assert daemon.wait_end(end="connect").level == 3


def test_a_plain_client_learns_of_a_dead_target_by_reset(scene):
    daemon = scene.client_mode(Nobody())
    assert scene.connect(daemon.port("plain")).ended() == RESET


def test_a_backend_that_comes_back_is_used_again(scene):
    gone = Nobody()
    daemon = scene.server_mode(gone)
    assert scene.tls(daemon.port("tls")).ended() != END
    daemon.wait_end(end="connect")
    again = scene.backend(port=gone.port)
    near = scene.tls(daemon.port("tls"))
    scene.keep(again.accept()).send(b"back")
    assert near.recv(4) == b"back"


# --- names


@pytest.mark.parametrize("delay", ["no", "yes"])
def test_a_name_is_resolved(scene, delay):
    server = scene.server(greeter(b"x"))
    daemon = scene.server_mode(f"localhost:{server.port}", f"delay = {delay}")
    assert word(scene, daemon) == b"x"


def test_a_port_alone_means_loopback(scene):
    server = scene.server(greeter(b"x"))
    daemon = scene.server_mode(str(server.port))
    assert word(scene, daemon) == b"x"


def test_an_unknown_name_is_no_fault_of_the_file_and_one_clear_line(scene):
    names = scene.keep(NameServer())
    daemon = scene.server_mode("no-such-host.invalid:25", head=f"nameServers = {names.address}\n")
    near = scene.tls(daemon.port("tls"))
    assert near.ended() != END
    daemon.wait_log("no-such-host.invalid")
    assert daemon.wait_end(end="resolve").level == 3


def test_a_target_that_is_our_own_listener_is_refused_at_the_start(scene):
    address = Nobody().address
    with pytest.raises(NotStarted) as refused:
        scene.daemon(f"[loop]\nacceptTLS = no\nconnectTLS = no\naccept = {address}\nconnect = {address}\n")
    assert refused.value.status == 78 and "connect" in refused.value.stderr


def test_a_target_that_turns_out_to_be_our_own_listener_is_found_out(scene):
    """The port is the kernel's choice, so the file cannot show it."""
    text = "[loop]\nacceptTLS = no\nconnectTLS = no\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:{port}\n"
    daemon = scene.daemon(text.format(port=free_port()))
    daemon.write(text.format(port=daemon.port("loop")))
    daemon.reload()
    assert scene.connect(daemon.port("loop")).ended() == RESET
    daemon.wait_end(end="loop")
    assert daemon.log().count("accepted connection from") < 10


# --- UNIX sockets


@pytest.mark.sanitize
def test_unix_sockets_on_both_sides(scene, pki):
    near_path, far_path = scene.socket_path("near"), scene.socket_path("far")
    server = scene.server(echo, path=far_path)
    daemon = scene.daemon(f"[u]\naccept = {near_path}\nconnect = {server.address}\ncert = {pki.server.bundle}\n")
    near = scene.tls(near_path)
    near.send(b"ping").shut()
    assert near.rest() == (b"ping", END)
    assert stat.S_ISSOCK(os.stat(near_path).st_mode)
    scene.closers.close()
    daemon.stop()
    assert not os.path.exists(near_path), "the socket's file stayed behind"


def test_a_missing_unix_socket_is_a_dead_target(scene):
    daemon = scene.server_mode(scene.socket_path("none"))
    assert scene.tls(daemon.port("tls")).ended() != END
    daemon.wait_log(r"none: No such file or directory \(2\)")
    daemon.wait_end(end="connect")


def test_a_unix_sockets_stale_file_is_named(scene, pki):
    path = scene.socket_path("stale")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.listen()
    with pytest.raises(NotStarted) as refused:
        scene.daemon(f"[u]\naccept = {path}\nconnect = 9\ncert = {pki.server.bundle}\n")
    assert refused.value.status == 1 and path in refused.value.stderr
    assert os.path.exists(path), "somebody else's socket was removed"
    stale.close()


# --- IPv6

needs_ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6") or not open("/proc/net/if_inet6").read(),
                                reason="NOT TESTED: this machine has no IPv6")


@needs_ipv6
@pytest.mark.parametrize("accept", ["[::1]:0", "::1:0"])
def test_ipv6_with_and_without_brackets(scene, pki, accept):
    server = scene.server(greeter(b"six"), host="::1")
    target = server.address if accept.startswith("[") else server.address.replace("[", "").replace("]", "")
    daemon = scene.daemon(f"[v6]\naccept = {accept}\nconnect = {target}\ncert = {pki.server.bundle}\n")
    near = scene.tls(("::1", daemon.port("v6")))
    assert near.recv(3) == b"six"
    daemon.wait_log(rf"s_connect: connected ::1:{server.port}")


# --- source address and socket options


def test_local_chooses_the_source_address(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "local = 127.0.0.77")
    _, far = scene.pair(daemon, backend)
    assert far.sock.getpeername()[0] == "127.0.0.77"


def test_several_accepts_serve_one_service(scene, pki):
    server = scene.server(greeter(b"x"))
    daemon = scene.server_mode(server, "accept = 127.0.0.2:0", "accept = localhost:0")
    ports = daemon.ports("tls")
    assert len(ports) >= 3
    assert scene.tls(ports[0]).recv(1) == b"x"
    assert scene.tls(("127.0.0.2", ports[1])).recv(1) == b"x"


def test_socket_options_reach_the_sockets(scene):
    """Seen from outside: keepalive in /proc/net/tcp is a running timer (02) on the connected socket."""
    backend = scene.backend()
    daemon = scene.server_mode(
        backend, "socket = r:SO_KEEPALIVE=yes", "socket = r:TCP_KEEPIDLE=500", "socket = l:SO_LINGER=1:60",
        "socket = a:SO_RCVBUF=20000",
    )
    _, far = scene.pair(daemon, backend)
    port = far.sock.getpeername()[1]

    def is_kept_alive():
        """The backend may have the connection before the daemon has gone on behind connect()."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table if line.split()[1].endswith(f":{port:04X}")]
        return any(row[5].startswith("02:") for row in rows)

    until(is_kept_alive, "the timer of keepalive", every=0.02)


def test_many_clients_of_a_dead_target_are_all_told(scene, pki):
    daemon = scene.server_mode(Nobody())
    context = pki.client_context()
    for _ in range(50):
        with connect_tls(daemon.port("tls"), context) as near:
            assert near.ended() != END
    daemon.wait_end(end="connect", count=50)


@contextlib.contextmanager
def full_unix_socket(scene):
    """A listener whose queue has room for one, and one is in it."""
    path = scene.socket_path("full")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.settimeout(20)
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        yield path, listener


PLAIN = ("acceptTLS = no", "connectTLS = no")


@pytest.mark.sanitize
def test_a_unix_socket_with_a_full_queue_is_waited_for(scene):
    with full_unix_socket(scene) as (path, listener):
        daemon = scene.daemon(scene.section("plain", path, *PLAIN))
        near = scene.connect(daemon.port("plain")).send(b"ping")
        daemon.wait_log("s_connect: the queue of .*full is full; waiting for room")
        listener.accept()[0].close()
        far, _ = listener.accept()
        with far:
            far.settimeout(20)
            assert far.recv(4) == b"ping"
            far.sendall(b"pong")
            assert near.recv(4) == b"pong"


def test_a_full_queue_is_waited_for_no_longer_than_a_connection(scene):
    with full_unix_socket(scene) as (path, _):
        daemon = scene.daemon(scene.section("plain", path, *PLAIN, "TIMEOUTconnect = 1"))
        near = scene.connect(daemon.port("plain"))
        daemon.wait_log("s_connect: s_poll_wait .*full: TIMEOUTconnect exceeded")
        assert near.ended() == RESET
        daemon.wait_end(end="connect")
        scene.connect(daemon.port("plain"))
        daemon.wait_log("the queue of .*full is full", count=2)
        daemon.stop()  # in the middle of it


@pytest.mark.root
def test_the_owner_of_a_unix_socket(scene):
    """setuid and setgid of a section are for its socket's file alone; 0 leaves it as it is."""
    ours, theirs = scene.socket_path("ours"), scene.socket_path("theirs")
    lines = "client = yes\nconnectTLS = no\nconnect = 127.0.0.1:1\n"
    daemon = scene.daemon(
        f"[theirs]\naccept = {theirs}\nsetuid = nobody\nsetgid = nogroup\n{lines}"
        f"[ours]\naccept = {ours}\nsetuid = 0\n{lines}"
    )
    assert (os.stat(theirs).st_uid, os.stat(theirs).st_gid) == (65534, 65534)
    assert (os.stat(ours).st_uid, os.stat(ours).st_gid) == (0, 0)
    assert stat.S_ISSOCK(os.stat(theirs).st_mode)
    assert daemon.process_status()["Uid"].split() == ["0"] * 4
