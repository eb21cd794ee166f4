# SPDX-License-Identifier: Apache-2.0
# Pre-shared keys with stunnel and with openssl at the other end.
import pytest

from interop.host import HERE, free_port
from interop.openssl import s_client_is_echoed
from lib.peer import END, echo, pattern

MIB = 1 << 20
VERSIONS = ["TLSv1.2", "TLSv1.3"]
KEY = "5e" * 32


@pytest.fixture
def secrets(scene):
    def write(name, *lines):
        return scene.secret(name, "".join(line + "\n" for line in lines))

    return write


@pytest.mark.parametrize("text", [KEY, "sixteen letters or more"], ids=["digits", "letters"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ours", ["server", "client"])
def test_a_key_joins_us_and_stunnel(scene, stunnel, secrets, ours, version, text):
    lines = [f"sslVersion = {version}", "ciphers = PSK"]
    makers = (scene.daemon, stunnel) if ours == "server" else (stunnel, scene.daemon)
    path = secrets("server.psk", f"other:{'11' * 16}", f"alice:{text}")
    server = makers[0](scene.section("tunnel", scene.server(echo), f"PSKsecrets = {path}", *lines))
    path = secrets("client.psk", f"alice:{text}")
    client = makers[1](scene.section("tunnel", f"127.0.0.1:{server.port('tunnel')}", "client = yes",
                                     f"PSKsecrets = {path}", *lines))
    body = pattern(7, MIB)
    for _ in range(2):
        near = scene.connect(client.port("tunnel"))
        near.send(body[: MIB // 4])
        assert near.recv(MIB // 4) == body[: MIB // 4]
        near.shut()
        assert near.rest() == (b"", END)
    (server if ours == "server" else client).wait_end(end="done", count=2)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ours", ["server", "client"])
def test_another_key_ends_it(scene, stunnel, secrets, ours, version):
    lines = [f"sslVersion = {version}", "ciphers = PSK"]
    makers = (scene.daemon, stunnel) if ours == "server" else (stunnel, scene.daemon)
    path = secrets("server.psk", f"alice:{KEY}")
    server = makers[0](scene.section("tunnel", scene.server(echo), f"PSKsecrets = {path}", *lines))
    path = secrets("client.psk", f"alice:{'77' * 32}")
    client = makers[1](scene.section("tunnel", f"127.0.0.1:{server.port('tunnel')}", "client = yes",
                                     f"PSKsecrets = {path}", *lines))
    assert scene.connect(client.port("tunnel")).rest()[0] == b""
    (server if ours == "server" else client).wait_end(end="tls_accept" if ours == "server" else "tls_connect")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_client_with_our_key(scene, secrets, version):
    daemon = scene.daemon(scene.section("tunnel", scene.server(echo),
                                        f"PSKsecrets = {secrets('a.psk', f'alice:{KEY}')}"))
    s_client_is_echoed(daemon.port("tunnel"), version, "-psk_identity", "alice", "-psk", KEY)
    daemon.wait_log("TLS accepted: PSK")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_server_with_our_key(scene, secrets, version):
    port = free_port()
    process = HERE.start("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-nocert", version, "-psk", KEY,
                         "-psk_identity", "alice", "-rev")
    scene.closers.callback(HERE.end, process)
    HERE.await_port(port, process)
    daemon = scene.client_mode(f"127.0.0.1:{port}", f"PSKsecrets = {secrets('a.psk', f'alice:{KEY}')}")
    near = scene.connect(daemon.port("plain"))
    assert near.send(b"ginnel\n").recv(7) == b"lennig\n"
    daemon.wait_log("TLS connected: PSK")
