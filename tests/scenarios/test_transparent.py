# SPDX-License-Identifier: Apache-2.0
# transparent = source | destination | both, between three machines: client, tunnel, backend.
import ctypes
import subprocess

import pytest

from lib.daemon import NotStarted
from lib.netns import cable
from lib.peer import RESET

pytestmark = pytest.mark.root

CLIENT, TUNNEL, BACKEND = 0, 1, 2
NOBODY = "setuid = nobody\nsetgid = nogroup\n"
PR_CAPBSET_DROP, CAP_NET_ADMIN, CAP_NET_RAW = 24, 12, 13
ADDRESSES = {4: ("10.1.0.2", "10.1.0.1", "10.2.0.2"), 6: ("fd01::2", "fd01::1", "fd02::2")}


@pytest.fixture
def three(scene):
    """The tunnel stands between the other two, and whatever the backend sends comes to it."""
    client, tunnel, backend = scene.machines(3)
    cable(client, "wire", ["10.1.0.2/24", "fd01::2/64"], tunnel, "toclient", ["10.1.0.1/24", "fd01::1/64"])
    cable(backend, "wire", ["10.2.0.2/24", "fd02::2/64"], tunnel, "tobackend", ["10.2.0.1/24", "fd02::1/64"])
    client.run("ip route add default via 10.1.0.1", "ip -6 route add default via fd01::1")
    backend.run("ip route add default via 10.2.0.1", "ip -6 route add default via fd02::1")
    tunnel.run(
        "ip rule add iif tobackend lookup 100", "ip route add local default dev lo table 100",
        "ip -6 rule add iif tobackend lookup 100", "ip -6 route add local default dev lo table 100",
    )
    return client, tunnel, backend


@pytest.fixture
def log_for_all(scene):
    """A place where anybody may write the log, which the configuration's own must not be."""
    logs = scene.folder / "logs"
    logs.mkdir()
    logs.chmod(0o777)
    for folder in scene.folder, *scene.folder.parents:
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    return str(logs / "log")


def bracket(host):
    return f"[{host}]" if ":" in host else host


def serve(scene, three, family, *lines):
    with three[TUNNEL]:
        return scene.daemon("\n".join([
            "[tls]", f"accept = {bracket(ADDRESSES[family][TUNNEL])}:0", f"cert = {scene.pki.server.bundle}", *lines, "",
        ]))


def backend_on(scene, three, family):
    with three[BACKEND]:
        return scene.backend(host=ADDRESSES[family][BACKEND])


def redirect(machine, family, port, to):
    """What is for `port` goes to our own `to`."""
    table = "ip" if family == 4 else "ip6"
    try:
        machine.run(
            f"nft add table {table} nat",
            f"nft 'add chain {table} nat pre {{ type nat hook prerouting priority -100 ; }}'",
            f"nft 'add rule {table} nat pre tcp dport {port} redirect to :{to}'",
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT TESTED: no address translation here: {error.stderr}")


@pytest.mark.parametrize("family", [4, 6])
def test_source(scene, three, family):
    backend = backend_on(scene, three, family)
    daemon = serve(scene, three, family, f"connect = {backend.address}", "transparent = source")
    with three[CLIENT]:
        near = scene.tls((ADDRESSES[family][TUNNEL], daemon.port("tls")))
    far = scene.keep(backend.accept())
    assert far.sock.getpeername()[:2] == near.sock.getsockname()[:2], "address and port of the client"
    near.send(b"there")
    assert far.recv(5) == b"there"
    far.send(b"back")
    assert near.recv(4) == b"back"


def test_source_on_a_socket_of_both_families(scene, three):
    """The client is ::ffff:10.1.0.2 there, and must be 10.1.0.2 for the backend."""
    backend = backend_on(scene, three, 4)
    daemon = serve(scene, three, 4, "accept = [::]:0", f"connect = {backend.address}", "transparent = yes")
    with three[CLIENT]:
        near = scene.tls(("10.1.0.1", daemon.ports("tls")[1]))
    assert scene.keep(backend.accept()).sock.getpeername() == near.sock.getsockname()


def test_a_privileged_or_taken_port_is_replaced(scene, three):
    backend = backend_on(scene, three, 4)
    daemon = serve(scene, three, 4, f"connect = {backend.address}", "transparent = source")
    with three[CLIENT]:
        near = scene.tls(("10.1.0.1", daemon.port("tls")), source=("10.1.0.2", 700))
    host, port = scene.keep(backend.accept()).sock.getpeername()
    assert host == "10.1.0.2" and port >= 1024
    assert near.sock.getsockname()[1] == 700


def test_a_target_of_another_family_is_skipped(scene, three):
    backend, other = backend_on(scene, three, 4), backend_on(scene, three, 6)
    daemon = serve(
        scene, three, 4, f"connect = {other.address}", f"connect = {backend.address}", "transparent = source",
    )
    with three[CLIENT]:
        near = scene.tls(("10.1.0.1", daemon.port("tls")))
    assert scene.keep(backend.accept()).sock.getpeername() == near.sock.getsockname()
    daemon.wait_log("the source address is of another family")


def test_local_wins_over_source(scene, three):
    backend = backend_on(scene, three, 4)
    daemon = serve(scene, three, 4, f"connect = {backend.address}", "transparent = source", "local = 10.2.0.1")
    with three[CLIENT]:
        scene.tls(("10.1.0.1", daemon.port("tls")))
    assert scene.keep(backend.accept()).sock.getpeername()[0] == "10.2.0.1"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mode", ["destination", "both"])
def test_destination(scene, three, family, mode):
    backend = backend_on(scene, three, family)
    daemon = serve(scene, three, family, f"transparent = {mode}")
    redirect(three[TUNNEL], family, backend.port, daemon.port("tls"))
    with three[CLIENT]:
        near = scene.tls((ADDRESSES[family][BACKEND], backend.port))
    far = scene.keep(backend.accept())
    near.send(b"there")
    assert far.recv(5) == b"there"
    far.send(b"back")
    assert near.recv(4) == b"back"
    assert (far.sock.getpeername()[0] == ADDRESSES[family][CLIENT]) == (mode == "both")


def test_without_a_redirection_the_tunnel_does_not_eat_itself(scene, three):
    daemon = serve(scene, three, 4, "transparent = destination")
    with three[CLIENT]:
        near = scene.tls(("10.1.0.1", daemon.port("tls")))
        assert near.ended() == RESET
    daemon.wait_end(end="loop")


@pytest.mark.parametrize("family", [4, 6])
def test_source_after_setuid(scene, three, family, log_for_all):
    """The process that serves has no capability left; its helper makes the sockets."""
    backend = backend_on(scene, three, family)
    with three[TUNNEL]:
        daemon = scene.daemon("\n".join([
            "[tls]", f"accept = {bracket(ADDRESSES[family][TUNNEL])}:0", f"cert = {scene.pki.server.bundle}",
            f"connect = {backend.address}", "transparent = source", "",
        ]), head=NOBODY, log_path=log_for_all)
    assert int(daemon.process_status()["CapEff"], 16) == 0 and daemon.process_status()["Uid"].split() == ["65534"] * 4
    with three[CLIENT]:
        for _ in range(3):
            near = scene.tls((ADDRESSES[family][TUNNEL], daemon.port("tls")))
            far = scene.keep(backend.accept())
            assert far.sock.getpeername()[:2] == near.sock.getsockname()[:2], "address and port of the client"


def test_a_reload_after_setuid_can_begin_with_source(scene, three, log_for_all):
    backend = backend_on(scene, three, 4)
    text = f"[tls]\naccept = 10.1.0.1:0\ncert = {scene.pki.server.bundle}\nconnect = {backend.address}\n"
    with three[TUNNEL]:
        daemon = scene.daemon(text, head=NOBODY, log_path=log_for_all)

    def source():
        with three[CLIENT]:
            scene.tls(("10.1.0.1", daemon.port("tls")))
        return scene.keep(backend.accept()).sock.getpeername()[0]

    assert source() == "10.2.0.1"
    daemon.write(text + "transparent = source\n")
    daemon.reload()
    assert source() == "10.1.0.2"


def test_without_the_capability_the_start_fails_clearly(scene):
    def drop():
        libc = ctypes.CDLL(None)
        for capability in (CAP_NET_ADMIN, CAP_NET_RAW):
            assert libc.prctl(PR_CAPBSET_DROP, capability) == 0

    text = "[x]\naccept = 127.0.0.1:0\nclient = yes\nconnect = 127.0.0.1:1\ntransparent = source"
    with pytest.raises(NotStarted) as caught:
        scene.daemon(text + "\n", preexec=drop)
    assert caught.value.status == 77
    assert "transparent = source needs the capability CAP_NET_ADMIN" in caught.value.stderr


def test_source_of_a_client_without_an_address(scene):
    path = scene.socket_path("way-in")
    daemon = scene.daemon(f"[x]\naccept = {path}\nclient = yes\nconnect = 127.0.0.1:1\ntransparent = source\n")
    assert scene.connect(path).rest()[0] == b""
    daemon.wait_log("Transparent source needs a socket")
    daemon.wait_end(end="transparent")
