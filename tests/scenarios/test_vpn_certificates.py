# SPDX-License-Identifier: Apache-2.0
# protocol = sstp with vpnAuth = eap-tls: users who log in by certificate.
import subprocess

import pytest


pytestmark = pytest.mark.root

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def two(scene):
    """A server and a client with a cable between them."""
    return scene.neighbours(f"{SERVER}/24", f"{CLIENT}/24", devices=["/dev/net/tun"])


def serve(scene, machine, *lines, users="client@mail.test:$cert$:10.66.0.77\nalice:secret\n", ca=None):
    with machine:
        return scene.daemon("\n".join([
            "[vpn]", f"accept = {SERVER}:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
            f"vpnUsers = {scene.secret('users', users)}", "vpnPool = 10.66.0.0/24",
            f"vpnCAfile = {(ca or scene.pki.ca).path}", *lines, "",
        ]), name="server")


def dial(scene, machine, port, identity, *lines, auth="eap-tls"):
    with machine:
        return scene.daemon("\n".join([
            "[office]", "client = yes", "protocol = sstp", f"connect = {SERVER}:{port}",
            f"CAfile = {scene.pki.ca.path}", "checkHost = server.test", "vpnUsername = whoever",
            *([f"cert = {identity.path}", f"key = {identity.key}"] if identity else []),
            f"vpnAuth = {auth}", "vpnRoutes = 10.66.0.0/24", *lines, "",
        ]), name="client")


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_user_by_certificate(scene, two, version):
    """Who it is says the certificate; the binding shows that both sides have EAP-TLS's key."""
    server = serve(scene, two[0], "vpnAuth = eap-tls", f"sslVersion = {version}")
    client = dial(scene, two[1], server.port("vpn"), scene.pki.client)
    assert client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")[1] == "10.66.0.77"
    with two[1]:
        assert subprocess.run(["ping", "-c", "2", "-i", "0.2", "-W", "5", "10.66.0.1"],
                              capture_output=True, check=False).returncode == 0
    client.stop()
    assert "user=client@mail.test address=10.66.0.77 method=eap-tls" in server.wait_end().text


def test_a_client_with_both_is_asked_for_what_the_server_prefers(scene, two):
    server = serve(scene, two[0], "vpnAuth = eap-tls, mschapv2")
    client = dial(scene, two[1], server.port("vpn"), None, f"vpnPasswordFile = {scene.secret('p', 'secret' + chr(10))}",
                  "vpnUsername = alice", auth="mschapv2")
    client.wait_log(r"VPN: (\S+) on (\S+), by mschapv2$")


def test_a_certificate_of_nobody_that_is_known(scene, two):
    server = serve(scene, two[0], "vpnAuth = eap-tls")
    dial(scene, two[1], server.port("vpn"), scene.pki.other_client)
    server.wait_end(end="vpn_auth")


@pytest.mark.parametrize("identity", ["foreign", "expired", "server_only"])
def test_a_certificate_that_may_not_pass(scene, two, identity):
    server = serve(scene, two[0], "vpnAuth = eap-tls", users="foreign.test:$cert$\nexpired.test:$cert$\n")
    dial(scene, two[1], server.port("vpn"), getattr(scene.pki, identity))
    server.wait_end(end="vpn_auth")


def test_no_password_is_that_of_a_user_by_certificate(scene, two):
    server = serve(scene, two[0], "vpnAuth = pap, eap-tls")
    dial(scene, two[1], server.port("vpn"), None, f"vpnPasswordFile = {scene.secret('p', '$cert$' + chr(10))}",
         "vpnUsername = client@mail.test", auth="pap")
    server.wait_end(end="vpn_auth")


@pytest.mark.parametrize("lines,complaint", [
    ("vpnAuth = eap-tls\nvpnUsers = {users}", "eap-tls needs vpnCAfile = FILE"),
    ("vpnAuth = eap\nvpnUsers = {users}", "eap is for vpnRadius"),
    ("vpnRadius = 127.0.0.1:1812", "write vpnRadiusSecretFile = FILE"),
    ("vpnRadiusSecretFile = {users}\nvpnUsers = {users}", "write vpnRadius = HOST:PORT"),
    ("vpnAuth = mschapv2", "nobody could log in"),
    ("vpnAuth = mschap\nvpnUsers = {users}", 'there is no method "mschap"'),
])
def test_a_configuration_that_cannot_work(scene, lines, complaint):
    users = scene.secret("users", "alice:secret\n")
    text = "\n".join(["[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
                      "vpnPool = 10.66.0.0/24", lines.format(users=users), ""])
    done = scene.run("check", scene.file("bad.conf", text))
    assert done.returncode == 78
    assert complaint in done.stdout + done.stderr
