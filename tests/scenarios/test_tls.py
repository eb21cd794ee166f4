# SPDX-License-Identifier: Apache-2.0
# TLS on either side: the four combinations, versions, ciphers, groups, names and key files as configured.
import random
import socket
import ssl
import subprocess

import pytest

from lib.peer import END, Peer, connect_tls, echo


def talk(near, far):
    """Both directions and both ends."""
    near.send(b"ping")
    assert far.recv(4) == b"ping"
    far.send(b"pong")
    assert near.recv(4) == b"pong"
    near.shut()
    assert far.ended() == END
    far.shut()
    assert near.ended() == END


def refusal(port, context, **how):
    """The error that a TLS client meets at `port`, at the handshake or behind it; None if it is served."""
    try:
        with connect_tls(port, context, **how) as near:
            near.send(b"ping")
            return None if near.some() else near.over
    except (ssl.SSLError, OSError) as error:
        return error


# --- four combinations


@pytest.mark.sanitize
@pytest.mark.parametrize("near_tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("far_tls", [True, False], ids=["tls", "plain"])
def test_every_combination_of_sides(scene, pki, near_tls, far_tls):
    backend = scene.backend(pki.server_context() if far_tls else None)
    daemon = scene.daemon(
        scene.section(
            "mix",
            backend,
            f"acceptTLS = {'yes' if near_tls else 'no'}",
            f"connectTLS = {'yes' if far_tls else 'no'}",
            f"accept.cert = {pki.server.bundle}" if near_tls else "",
        )
    )
    near = scene.tls(daemon.port("mix")) if near_tls else scene.connect(daemon.port("mix"))
    far = scene.keep(backend.accept())
    assert isinstance(far, Peer)
    talk(near, far)
    end = daemon.wait_end(end="done", service="mix")
    assert end.how == "closed"


def test_client_is_a_preset_of_the_two_sides(scene, pki):
    plain, secure = scene.backend(), scene.backend(pki.server_context())
    daemon = scene.daemon(
        scene.section("server", plain, "client = no", f"cert = {pki.server.bundle}")
        + scene.section("client", secure, "client = yes")
    )
    talk(*scene.pair(daemon, plain, "server"))
    talk(*scene.plain_pair(daemon, secure, "client"))


def test_two_daemons_back_to_back(scene, pki):
    backend = scene.backend()
    outer = scene.daemon(scene.section("tls", backend, f"cert = {pki.server.bundle}"), name="server")
    inner = scene.daemon(
        scene.section(
            "plain", f"127.0.0.1:{outer.port('tls')}", "client = yes", f"CAfile = {pki.ca.path}",
            "verifyChain = yes", "checkHost = server.test",
        ),
        name="client",
    )
    near = scene.connect(inner.port("plain"))
    talk(near, scene.keep(backend.accept()))


def test_a_bridge_uses_a_certificate_of_its_own_on_each_side(scene, pki):
    """accept.cert is shown to clients, connect.cert to the server."""
    backend = scene.backend(pki.server_context(client_ca=pki.ca))
    daemon = scene.daemon(
        scene.section(
            "bridge", backend, "acceptTLS = yes", "connectTLS = yes",
            f"accept.cert = {pki.server.bundle}", f"connect.cert = {pki.client.bundle}",
        )
    )
    near, far = scene.pair(daemon, backend, "bridge")
    assert ("commonName", "server.test") in [pair for rdn in near.tls.getpeercert()["subject"] for pair in rdn]
    assert ("commonName", "client.test") in [pair for rdn in far.tls.getpeercert()["subject"] for pair in rdn]
    talk(near, far)


def test_a_bridge_translates_versions(scene, pki):
    backend = scene.backend(pki.server_context(version="TLSv1.2"))
    daemon = scene.daemon(
        scene.section(
            "bridge", backend, "acceptTLS = yes", "connectTLS = yes",
            f"accept.cert = {pki.server.bundle}", "accept.sslVersion = TLSv1.3", "connect.sslVersion = TLSv1.2",
        )
    )
    near, far = scene.pair(daemon, backend, "bridge")
    assert (near.version, far.version) == ("TLSv1.3", "TLSv1.2")
    talk(near, far)


# --- versions


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
def test_each_version_as_configured_in_server_mode(scene, pki, version):
    server = scene.server(echo)
    daemon = scene.server_mode(
        server, f"sslVersion = {version}", "securityLevel = 0", "ciphers = ALL:@SECLEVEL=0"
    )
    near = scene.tls(daemon.port("tls"), pki.client_context(version=version))
    assert near.version == version
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    for other in {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"} - {version}:
        assert refusal(daemon.port("tls"), pki.client_context(version=other)) is not None


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
def test_each_version_as_configured_in_client_mode(scene, pki, version):
    backend = scene.backend(pki.server_context(version=version))
    daemon = scene.client_mode(
        backend, f"sslVersion = {version}", "securityLevel = 0", "ciphers = ALL:@SECLEVEL=0"
    )
    near, far = scene.plain_pair(daemon, backend)
    assert far.version == version
    talk(near, far)


def test_the_default_minimum_is_tls_1_2(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    for version in ("TLSv1", "TLSv1.1"):
        assert refusal(daemon.port("tls"), pki.client_context(version=version)) is not None
    daemon.wait_end(end="tls_accept", count=2)
    for version in ("TLSv1.2", "TLSv1.3"):
        assert refusal(daemon.port("tls"), pki.client_context(version=version)) is None


def test_a_low_maximum_alone_lowers_the_minimum(scene, pki):
    """Who names an old version as the highest wants it spoken."""
    server = scene.server(echo)
    daemon = scene.server_mode(server, "sslVersionMax = TLSv1.1")
    assert "TLS 1.0 and 1.1 are weak" in daemon.log()
    for version in ("TLSv1", "TLSv1.1"):
        assert refusal(daemon.port("tls"), pki.client_context(version=version)) is None
    assert refusal(daemon.port("tls"), pki.client_context(version="TLSv1.2")) is not None


def test_minimum_and_maximum(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server, "sslVersionMin = TLSv1.2", "sslVersionMax = TLSv1.2")
    assert refusal(daemon.port("tls"), pki.client_context(version="TLSv1.3")) is not None
    near = scene.tls(daemon.port("tls"))
    assert near.version == "TLSv1.2"


def test_options_switch_versions_off(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server, "options = NO_TLSv1_3")
    assert scene.tls(daemon.port("tls")).version == "TLSv1.2"
    assert refusal(daemon.port("tls"), pki.client_context(version="TLSv1.3")) is not None


# --- ciphers and groups


def test_ciphers_below_tls_1_3(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server, "sslVersion = TLSv1.2", "ciphers = ECDHE-ECDSA-CHACHA20-POLY1305")
    assert scene.tls(daemon.port("tls")).tls.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"
    narrow = pki.client_context()
    narrow.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert refusal(daemon.port("tls"), narrow) is not None
    daemon.wait_log("SSL_accept: .*no shared cipher")


def test_ciphersuites_of_tls_1_3(scene):
    server = scene.server(echo)
    daemon = scene.server_mode(server, "ciphersuites = TLS_CHACHA20_POLY1305_SHA256")
    assert scene.tls(daemon.port("tls")).tls.cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256"
    daemon.wait_log("TLSv1.3 ciphersuite: TLS_CHACHA20_POLY1305_SHA256")


def test_the_servers_order_of_suites_wins(scene, pki):
    server = scene.server(echo)
    order = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    daemon = scene.server_mode(
        server, "sslVersion = TLSv1.2", f"ciphers = {order}", "options = CIPHER_SERVER_PREFERENCE"
    )
    context = pki.client_context()
    context.set_ciphers(":".join(reversed(order.split(":"))))
    assert scene.tls(daemon.port("tls"), context).tls.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"


@pytest.mark.sanitize
def test_a_second_client_hello_is_asked_for_and_taken(scene, pki, openssl):
    """The client's key share is of a group that the server does not take: HelloRetryRequest."""
    server = scene.server(echo)
    daemon = scene.server_mode(server, "curves = P-384")
    near = scene.tls(daemon.port("tls"))
    assert near.version == "TLSv1.3"
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    narrow = pki.client_context()
    narrow.set_ecdh_curve("prime256v1")
    assert refusal(daemon.port("tls"), narrow) is not None


# --- SNI as a client


@pytest.mark.parametrize(
    "line, expected",
    [("sni = name.test", "name.test"), ("sni =", None), ("", None)],
    ids=["given", "switched off", "an address gives none"],
)
def test_client_names_the_server(scene, pki, line, expected):
    context, seen = pki.server_context(), []
    context.sni_callback = lambda tls, name, _: seen.append(name)
    backend = scene.backend(context)
    daemon = scene.client_mode(backend, line)
    talk(*scene.plain_pair(daemon, backend))
    assert seen == [expected]


def test_client_names_the_target_by_default(scene, pki):
    context, seen = pki.server_context(), []
    context.sni_callback = lambda tls, name, _: seen.append(name)
    backend = scene.backend(context)
    daemon = scene.client_mode(f"localhost:{backend.port}")
    talk(*scene.plain_pair(daemon, backend))
    assert seen == ["localhost"]


# --- key files


def test_pkcs12_without_a_password(scene, pki):
    server = scene.server(echo)
    daemon = scene.daemon(scene.section("tls", server, f"cert = {pki.server.p12()}"))
    near = scene.tls(daemon.port("tls"))
    near.send(b"ping")
    assert near.recv(4) == b"ping"


def test_separate_key_file_and_chain_of_an_intermediate(scene, pki):
    deep = pki.intermediate.issue("deep.server", sans=["localhost"], label="deepserver")
    chain = pki.join("deepserver.chain", deep.path, pki.intermediate.path)
    server = scene.server(echo)
    daemon = scene.daemon(scene.section("tls", server, f"cert = {chain}", f"key = {deep.key}"))
    near = scene.tls(daemon.port("tls"))  # verifies up to the root, which it alone knows
    near.send(b"ping")
    assert near.recv(4) == b"ping"


# --- odd hellos


@pytest.mark.sanitize
def test_a_hello_byte_by_byte(scene):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    near = scene.tls(daemon.port("tls"), handshake=False)
    near.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in near.hello():
        near.sock.sendall(bytes([byte]))
    near.handshake()
    near.send(b"ping")
    assert near.recv(4) == b"ping"


def records_of(hello, size):
    """The same handshake message in records of `size` bytes each."""
    body = hello[5:]
    out = b""
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        out += hello[:3] + len(piece).to_bytes(2, "big") + piece
    return out


@pytest.mark.sanitize
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_hello_in_many_records(scene, size):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    near = scene.tls(daemon.port("tls"), handshake=False)
    near.sock.sendall(records_of(near.hello(), size))
    near.handshake()
    near.send(b"ping")
    assert near.recv(4) == b"ping"


def test_early_data_is_not_taken(scene, pki, openssl):
    """Nothing reaches the backend before Finished: the ticket must not even allow early data."""
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    done = subprocess.run(
        [openssl, "s_client", "-connect", f"127.0.0.1:{daemon.port('tls')}", "-CAfile", pki.ca.path, "-tls1_3"],
        input="Q\n", capture_output=True, text=True, timeout=20,
    )
    assert "Max Early Data: 0" in done.stdout or "Max Early Data" not in done.stdout
    assert "Early data was not sent" in done.stdout


def test_renegotiation_is_refused(scene, pki, openssl):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    done = subprocess.run(
        [openssl, "s_client", "-connect", f"127.0.0.1:{daemon.port('tls')}", "-CAfile", pki.ca.path, "-tls1_2"],
        input="R\nhello\n", capture_output=True, text=True, timeout=20,
    )
    assert "RENEGOTIATING" in done.stdout + done.stderr
    assert "no renegotiation" in done.stdout + done.stderr


@pytest.mark.sanitize
@pytest.mark.parametrize("seed", range(4))
def test_malformed_hellos_end_their_connection_only(scene, seed):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    dice = random.Random(seed)
    for _ in range(25):
        broken = scene.tls(daemon.port("tls"), handshake=False)
        hello = bytearray(broken.hello())
        for _ in range(dice.randrange(1, 6)):
            hello[dice.randrange(3, len(hello))] = dice.randrange(256)
        broken.sock.sendall(hello)
        broken.fin()
    honest = scene.tls(daemon.port("tls"))
    honest.send(b"ping")
    assert honest.recv(4) == b"ping"
    daemon.wait_end(count=25)


NO_RANDOM = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

ssize_t getrandom(void *to, size_t n, unsigned flags)
{
	if (access(getenv("NO_RANDOM"), F_OK) != 0)
		return syscall(SYS_getrandom, to, n, flags);
	errno = ENOSYS;
	return -1;
}
"""


def test_without_random_numbers_there_is_no_handshake(scene, pki):
    """A kernel that gives none: whoever comes is turned away and told of in the log, and served again later."""
    library, switch = scene.folder / "no-random.so", scene.folder / "no-random"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, scene.file("no-random.c", NO_RANDOM)], check=True, timeout=60)
    daemon = scene.server_mode(scene.server(echo), env={"LD_PRELOAD": str(library), "NO_RANDOM": str(switch)})
    context = pki.client_context()
    assert refusal(daemon.port("tls"), context) is None
    mark = daemon.mark()
    switch.touch()
    assert refusal(daemon.port("tls"), context) is not None
    daemon.wait_log("calling getrandom()", after=mark)
    daemon.wait_end(end="tls_accept", service="tls")
    switch.unlink()
    assert refusal(daemon.port("tls"), context) is None
