# SPDX-License-Identifier: Apache-2.0
# Pre-shared keys between two tunnels of ours: who gets in, who does not, and what a session is worth afterwards.
import os
import re
import ssl

import pytest

from lib.daemon import NotStarted
from lib.peer import END, echo

CONFIG = 78
VERSIONS = ["TLSv1.2", "TLSv1.3"]
ALICE, BOB = "alice:" + "0a" * 16, "bob:" + "0b" * 32


@pytest.fixture
def secrets(scene):
    """Write a file of keys."""

    def write(name, *lines, mode=0o600):
        path = scene.file(name, "".join(line + "\n" for line in lines))
        os.chmod(path, mode)
        return path

    return write


def ping(scene, daemon, service="tunnel"):
    near = scene.connect(daemon.port(service))
    assert near.send(b"ping").recv(4) == b"ping"
    near.shut()
    assert near.rest() == (b"", END)


def pair(scene, server_lines, client_lines, backend=None, head=""):
    server = scene.daemon(scene.section("tunnel", backend or scene.server(echo), *server_lines), head, name="server")
    client = scene.daemon(
        scene.section("tunnel", f"127.0.0.1:{server.port('tunnel')}", "client = yes", *client_lines),
        "workers = 1", name="client")
    return server, client


@pytest.mark.sanitize
@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_is_all_that_two_tunnels_need(scene, secrets, version):
    server, client = pair(
        scene, [f"PSKsecrets = {secrets('server.psk', ALICE, BOB)}", f"sslVersion = {version}"],
        [f"PSKsecrets = {secrets('client.psk', ALICE, BOB)}", "PSKidentity = bob"])
    ping(scene, client)
    server.wait_log(r'LOG5\[0\]: Key configured for PSK identity "bob"')
    server.wait_log("TLS accepted: PSK")
    client.wait_log("TLS connected: PSK")
    ping(scene, client)
    server.wait_log("TLS accepted: previous session reused")
    assert "needs authentication" not in client.log()
    assert "0b0b0b" not in server.log() + client.log()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("who", ["alice:" + "ee" * 16, "mallory:" + "0a" * 16])
def test_a_wrong_key_or_name_sees_nothing_of_the_backend(scene, secrets, version, who):
    backend = scene.backend()
    server, client = pair(
        scene, [f"PSKsecrets = {secrets('server.psk', ALICE)}", f"sslVersion = {version}"],
        [f"PSKsecrets = {secrets('client.psk', who)}"], backend)
    assert scene.connect(client.port("tunnel")).rest()[0] == b""
    server.wait_end(end="tls_accept")
    if who.startswith("mallory"):
        server.wait_log("PSK identity not found: mallory$")
    backend.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        backend.accept()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_with_a_key_sends_nothing_to_who_has_none(scene, pki, secrets, version):
    """A man in the middle has some certificate, and that a client verifies none is no reason to believe him."""
    context = pki.server_context(version=version)
    heard = []

    def listen(peer):
        heard.append(peer.rest()[0])

    middle = scene.server(listen, context)
    client = scene.client_mode(middle, f"PSKsecrets = {secrets('client.psk', ALICE)}")
    near = scene.connect(client.port("plain"))
    try:
        near.send(b"a secret")
        assert near.rest()[0] == b""
    except OSError:
        pass
    end = client.wait_end()
    assert end.end in ("cert_rejected", "tls_connect") and end.to_tls == 0
    if version == "TLSv1.3":
        client.wait_log("PSK: The server did not use our key")
    assert not any(heard)


def test_a_server_with_a_key_and_a_certificate_takes_either(scene, pki, secrets):
    server, client = pair(
        scene, [f"PSKsecrets = {secrets('server.psk', ALICE)}", f"cert = {pki.server.bundle}", "verify = 2",
                f"CAfile = {pki.ca.path}"],
        [f"PSKsecrets = {secrets('client.psk', ALICE)}"])
    ping(scene, client)
    server.wait_log("TLS accepted: PSK")
    port = server.port("tunnel")
    assert scene.tls(port, pki.client_context(pki.client)).send(b"ping").recv(4) == b"ping"
    for context in (pki.client_context(), pki.client_context(pki.foreign)):
        with pytest.raises((ssl.SSLError, OSError, AssertionError)):
            scene.tls(port, context).send(b"ping").recv(4)


def test_a_server_that_lets_guests_in_beside_the_keys_is_warned(scene, pki, secrets):
    path = secrets("server.psk", ALICE)
    daemon = scene.server_mode(scene.server(echo), f"PSKsecrets = {path}")
    daemon.wait_log(r"LOG4\[.*PSKsecrets: clients without a key get in too")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_is_taken_away_takes_its_sessions_along(scene, secrets, version):
    backend = scene.server(echo)
    path = secrets("server.psk", ALICE, BOB)
    server, client = pair(scene, [f"PSKsecrets = {path}", f"sslVersion = {version}"],
                          [f"PSKsecrets = {secrets('client.psk', BOB)}"], backend)
    ping(scene, client)
    ping(scene, client)
    server.wait_log("previous session reused")
    secrets("server.psk", ALICE)
    server.reload()
    mark = server.mark()
    assert scene.connect(client.port("tunnel")).rest()[0] == b""
    server.wait_end(after=mark, end="tls_accept")


def test_a_key_of_one_service_is_none_at_another(scene, secrets):
    backends = [scene.server(echo), scene.backend()]
    server = scene.daemon(
        scene.section("one", backends[0], f"PSKsecrets = {secrets('one.psk', ALICE)}")
        + scene.section("two", backends[1], f"PSKsecrets = {secrets('two.psk', BOB)}"), name="server")
    keys = f"PSKsecrets = {secrets('client.psk', ALICE)}"
    client = scene.daemon(
        scene.section("one", f"127.0.0.1:{server.port('one')}", "client = yes", keys)
        + scene.section("two", f"127.0.0.1:{server.port('two')}", "client = yes", keys), name="client")
    ping(scene, client, "one")
    assert scene.connect(client.port("two")).rest()[0] == b""
    server.wait_end(end="tls_accept", service="two")



@pytest.mark.parametrize("version", VERSIONS)
def test_keys_belong_to_the_service_that_a_name_chose(scene, pki, secrets, version):
    """Behind one port, the key of the first service opens nothing of the second, not even by a session."""
    backends = {"first": scene.server(echo), "second": scene.backend()}
    server = scene.daemon(
        scene.section("first", backends["first"], f"PSKsecrets = {secrets('first.psk', ALICE)}")
        + f"[second]\nsni = first:second.test\nconnect = {backends['second'].address}\n"
        f"PSKsecrets = {secrets('second.psk', BOB)}\n", name="server")
    to = f"127.0.0.1:{server.port('first')}"
    keys = (f"PSKsecrets = {secrets('client.psk', ALICE)}", "client = yes", f"sslVersion = {version}")
    client = scene.daemon(scene.section("right", to, *keys, "sni = first.test")
                          + scene.section("wrong", to, *keys, "sni = second.test"), "workers = 1", name="client")
    for _ in range(2):
        ping(scene, client, "right")
        client.wait_end(service="right", end="done")
    server.wait_log("previous session reused")
    assert scene.connect(client.port("wrong")).rest()[0] == b""
    server.wait_end(end="tls_accept", service="second")
    backends["second"].sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        backends["second"].accept()


# --- the file


def test_a_file_that_others_can_read_warns(scene, secrets):
    path = secrets("open.psk", ALICE, mode=0o644)
    daemon = scene.daemon(scene.section("tunnel", scene.server(echo), f"PSKsecrets = {path}"))
    daemon.wait_log(rf"LOG4\[.*PSKsecrets: Insecure file permissions on {re.escape(path)}")


@pytest.mark.parametrize(
    "lines, mode, extra, words",
    [
        ([ALICE], 0o644, ["strictPermissions = yes"], "Insecure file permissions on"),
        ([ALICE, "# no comments"], 0o600, [], "PSKsecrets line 2: Not in identity:key format"),
        (["alice:0123456789abcdef"], 0o600, [], "PSKsecrets line 1: Key too short"),
        ([], 0o600, [], "Failed to read PSK secrets"),
        ([ALICE], 0o600, ["client = yes", "PSKidentity = carol"], "No key found for the specified PSK identity"),
    ],
)
def test_a_bad_file_is_refused_without_telling_the_key(scene, secrets, lines, mode, extra, words):
    path = secrets("bad.psk", *lines, mode=mode)
    with pytest.raises(NotStarted) as fault:
        scene.daemon(scene.section("tunnel", scene.backend(), f"PSKsecrets = {path}", *extra))
    assert fault.value.status == CONFIG and words in fault.value.stderr
    assert "0123456789abcdef" not in fault.value.stderr and "0a0a0a" not in fault.value.stderr
