# SPDX-License-Identifier: Apache-2.0
# Other programs at the far end of the tunnel: stunnel, openssl, curl; both know each other by certificates.
import os

import pytest

from interop.host import HERE, free_port
from interop.openssl import s_client_is_echoed
from interop.web import WebServer
from lib.peer import END, echo, greeter, pattern

MIB = 1 << 20


def mutual(identity, pki):
    return (f"cert = {identity.bundle}", "verify = 2", f"CAfile = {pki.ca.path}")


def server_section(scene, pki, backend, *lines, identity=None):
    return scene.section("tunnel", backend, *mutual(identity or pki.server, pki), *lines)


def client_section(scene, pki, target, *lines, identity=None):
    return scene.section("tunnel", target, "client = yes", *mutual(identity or pki.client, pki), *lines)


def both_ways(scene, pki, stunnel, ours, *lines, identity=None):
    """An echo server, a server-mode tunnel, a client-mode tunnel; one of the tunnels is stunnel's."""
    backend = scene.server(echo)
    server = (scene.daemon if ours == "server" else stunnel)(server_section(scene, pki, backend, *lines))
    target = f"127.0.0.1:{server.port('tunnel')}"
    client = (scene.daemon if ours == "client" else stunnel)(
        client_section(scene, pki, target, *lines, identity=identity))
    return server, client


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("ours", ["server", "client"])
def test_bytes_and_the_end_go_through_a_pair_with_stunnel(scene, pki, stunnel, ours, version):
    server, client = both_ways(scene, pki, stunnel, ours, f"sslVersion = {version}")
    body = pattern(5, 4 * MIB)
    near = scene.connect(client.port("tunnel"))
    for at in range(0, len(body), MIB // 4):
        near.send(body[at : at + MIB // 4])
        assert near.recv(MIB // 4) == body[at : at + MIB // 4]
    near.shut()
    assert near.rest() == (b"", END)
    server.wait_log("Certificate accepted at depth=0: O=Test, CN=client.test$")
    client.wait_log("Certificate accepted at depth=0: O=Test, CN=server.test$")
    end = (server if ours == "server" else client).wait_end(end="done")
    assert (end.to_tls, end.to_socket) == (4 * MIB, 4 * MIB)


@pytest.mark.parametrize("ours", ["server", "client"])
def test_later_connections_resume_the_session(scene, pki, stunnel, ours):
    """Each worker remembers sessions of its own, so at least one connection of these finds one."""
    server, client = both_ways(scene, pki, stunnel, ours)
    for _ in range(os.cpu_count() + 1):
        with scene.connect(client.port("tunnel")) as near:
            assert near.send(b"hello").recv(5) == b"hello"
            near.shut()
            assert near.rest() == (b"", END)
    server.wait_log("TLS accepted: previous session reused")
    client.wait_log("TLS connected: previous session reused")


@pytest.mark.parametrize("ours", ["server", "client"])
def test_a_foreign_certificate_ends_it(scene, pki, stunnel, ours):
    server, client = both_ways(scene, pki, stunnel, ours, identity=pki.foreign)
    near = scene.connect(client.port("tunnel"))  # silent, as unread bytes would turn the alert into a reset
    assert near.rest()[0] == b""
    server.wait_log("Rejected by CERT at depth=0: O=Test, CN=foreign.test$")
    if ours == "server":
        server.wait_end(end="cert_rejected")
    else:
        client.wait_log("alert unknown ca")


@pytest.mark.parametrize("ours", ["server", "client"])
def test_services_chosen_by_name(scene, pki, stunnel, ours):
    """One port, a secondary with another certificate, target and CA; the client's `sni` chooses."""
    shown = pki.other_ca.issue("name.test", sans=["name.test"], label="peer-name")
    backends = {name: scene.server(greeter(name.encode())) for name in ("primary", "secondary")}
    server = (scene.daemon if ours == "server" else stunnel)(
        scene.section("tunnel", backends["primary"], f"cert = {pki.server.bundle}")
        + "\n".join(["[secondary]", "sni = tunnel:*.test", f"connect = {backends['secondary'].address}",
                     f"cert = {shown.bundle}", "verify = 2", f"CAfile = {pki.ca.path}", ""]))
    target = f"127.0.0.1:{server.port('tunnel')}"
    common = ("client = yes", "verifyChain = yes")
    client = (scene.daemon if ours == "client" else stunnel)(
        scene.section("primary", target, *common, "sni = localhost", f"CAfile = {pki.ca.path}")
        + scene.section("secondary", target, *common, "sni = name.test", f"CAfile = {pki.other_ca.path}",
                        "checkHost = name.test", f"cert = {pki.client.bundle}")
        + scene.section("stranger", target, *common, "sni = name.test", f"CAfile = {pki.other_ca.path}"))
    for name in ("primary", "secondary"):
        with scene.connect(client.port(name)) as near:
            assert near.rest() == (name.encode(), END)
    server.wait_log(r"SNI: switched to service \[secondary\]")
    assert scene.connect(client.port("stranger")).rest()[0] == b""
    assert backends["secondary"].served == 1


@pytest.mark.parametrize("ours", ["server", "client"])
def test_redirect(scene, pki, stunnel, ours):
    real, decoy = scene.server(greeter(b"real")), scene.server(greeter(b"decoy"))
    server = (scene.daemon if ours == "server" else stunnel)(
        server_section(scene, pki, real, f"redirect = {decoy.address}"))
    target = f"127.0.0.1:{server.port('tunnel')}"
    client = (scene.daemon if ours == "client" else stunnel)("".join(
        scene.section(name, target, "client = yes", f"CAfile = {pki.ca.path}", "verifyChain = yes", *lines)
        for name, lines in {
            "good": [f"cert = {pki.client.bundle}"], "foreign": [f"cert = {pki.foreign.bundle}"], "none": [],
        }.items()))
    for _ in range(2):  # the second time by resumption, if they agree on that
        for name, answer in (("good", b"real"), ("foreign", b"decoy"), ("none", b"decoy")):
            with scene.connect(client.port(name)) as near:
                assert near.rest() == (answer, END), name
    server.wait_log("Redirecting connection", count=4)
    assert (real.served, decoy.served) == (2, 4)


# --- openssl


@pytest.fixture
def s_server(scene, pki):
    """`openssl s_server` that demands a certificate and gives back each line reversed: its port."""
    port = free_port()
    process = HERE.start("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pki.server.path,
                         "-key", pki.server.key, "-CAfile", pki.ca.path, "-Verify", "1", "-verify_return_error",
                         "-rev")
    scene.closers.callback(HERE.end, process)
    HERE.await_port(port, process)
    return port


def test_client_mode_with_openssl_s_server(scene, pki, s_server):
    daemon = scene.daemon(client_section(scene, pki, f"127.0.0.1:{s_server}", "checkHost = server.test"))
    near = scene.connect(daemon.port("tunnel"))
    assert near.send(b"ginnel\n").recv(7) == b"lennig\n"
    near.shut()
    assert near.rest() == (b"", END)
    daemon.wait_end(end="done")


def test_client_mode_with_a_foreign_certificate_and_openssl_s_server(scene, pki, s_server):
    daemon = scene.daemon(client_section(scene, pki, f"127.0.0.1:{s_server}", identity=pki.foreign))
    near = scene.connect(daemon.port("tunnel"))
    assert near.rest()[0] == b""
    daemon.wait_log("alert unknown ca")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_server_mode_with_openssl_s_client(scene, pki, version):
    daemon = scene.daemon(server_section(scene, pki, scene.server(echo)))
    s_client_is_echoed(
        daemon.port("tunnel"), "-cert", pki.client.path, "-key", pki.client.key, "-CAfile", pki.ca.path,
        "-verify_return_error", "-verify_hostname", "server.test", version)
    daemon.wait_log("Certificate accepted at depth=0: O=Test, CN=client.test$")


# --- curl


def test_curl_with_a_client_certificate(scene, pki):
    web = scene.keep(WebServer())
    daemon = scene.daemon(server_section(scene, pki, web))
    url = f"https://localhost:{daemon.port('tunnel')}/echo/hello"
    common = ("curl", "-sS", "--fail", "--ipv4", "--cacert", pki.ca.path, url)

    done = HERE.run(*common, "--cert", pki.client.path, "--key", pki.client.key)
    assert (done.returncode, done.stdout) == (0, "/echo/hello"), done.stderr
    daemon.wait_end(end="done")

    done = HERE.run(*common)
    assert done.returncode != 0 and done.stdout == ""
    daemon.wait_log("peer did not return a certificate")

    done = HERE.run(*common, "--cert", pki.foreign.path, "--key", pki.foreign.key)
    assert done.returncode != 0 and done.stdout == ""
    daemon.wait_log("Rejected by CERT at depth=0: O=Test, CN=foreign.test$")
