# SPDX-License-Identifier: Apache-2.0
# A VPN whose users are known to FreeRADIUS.
import ipaddress
import subprocess

import pytest

from interop.freeradius import ACCOUNTING, PORT, SECRET, FreeRadius
from lib.wait import until

pytestmark = pytest.mark.root

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
USERS = """\
alice Cleartext-Password := "secret"
	Framed-IP-Address = 10.66.0.99,
	MS-Primary-DNS-Server = 10.66.0.53

bob Cleartext-Password := "hunter2"
	Session-Timeout = 2

carol Cleartext-Password := "elsewhere"
	Framed-IP-Address = 10.99.0.1

dora Cleartext-Password := "explorer"
	Framed-IPv6-Prefix = fd66:0:0:63::/64
"""


@pytest.fixture
def two(scene):
    """A server and a client with a cable between them."""
    return scene.neighbours(f"{SERVER}/24", f"{CLIENT}/24", devices=["/dev/net/tun"])


@pytest.fixture
def radius(scene, two):
    """Start FreeRADIUS beside the VPN's server."""

    def start(**options):
        server = FreeRadius(scene.folder / "radius", two[0], USERS, **options)
        scene.closers.callback(server.close)
        return server

    return start


def serve(scene, machine, methods, *lines):
    with machine:
        return scene.daemon("\n".join([
            "[vpn]", f"accept = {SERVER}:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
            "vpnPool = 10.66.0.0/24", f"vpnAuth = {methods}", f"vpnRadius = 127.0.0.1:{PORT}",
            f"vpnRadiusSecretFile = {scene.secret('radius-secret', SECRET + chr(10))}", *lines, "",
        ]), name="server")


def dial(scene, machine, port, method, user="alice", password="secret"):
    with machine:
        return scene.daemon("\n".join([
            "[office]", "client = yes", "protocol = sstp", f"connect = {SERVER}:{port}",
            f"CAfile = {scene.pki.ca.path}", "checkHost = server.test", f"vpnUsername = {user}",
            f"vpnPasswordFile = {scene.secret('password', password + chr(10))}", f"vpnAuth = {method}",
            "vpnRoutes = 10.66.0.0/24", "",
        ]), name="client")


def ping(machine, target):
    with machine:
        return subprocess.run(["ping", "-c", "2", "-i", "0.2", "-W", "5", target],
                              capture_output=True, text=True, check=False)


@pytest.mark.parametrize("at_server,at_client", [
    ("pap", "pap"), ("chap", "chap"), ("mschapv2", "mschapv2"), ("eap-mschapv2", "eap-mschapv2"),
    ("eap", "eap-mschapv2"),
])
def test_who_freeradius_knows_may_come_in(scene, two, radius, at_server, at_client):
    """The binding proves that both sides have the same keys: FreeRADIUS's, and the client's own."""
    radius()
    server = serve(scene, two[0], at_server)
    client = dial(scene, two[1], server.port("vpn"), at_client)
    match = client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")
    assert match[1] == "10.66.0.99", "Framed-IP-Address"
    assert ping(two[1], "10.66.0.1").returncode == 0
    client.stop()
    assert "user=alice address=10.66.0.99" in server.wait_end().text


@pytest.mark.parametrize("at_server,at_client", [("mschapv2", "mschapv2"), ("pap", "pap"), ("eap", "eap-mschapv2")])
@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_wrong_password(scene, two, radius, at_server, at_client, user):
    radius()
    server = serve(scene, two[0], at_server)
    dial(scene, two[1], server.port("vpn"), at_client, user=user, password="guess")
    server.wait_end(end="vpn_auth")


def test_freeradius_is_told_of_sessions(scene, two, radius):
    told = radius()
    server = serve(scene, two[0], "mschapv2", f"vpnAccounting = 127.0.0.1:{ACCOUNTING}", "vpnPool6 = fd66::/48")
    client = dial(scene, two[1], server.port("vpn"), "mschapv2")
    client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")
    until(lambda: len(told.records()) == 1, "the record of the beginning")
    assert ping(two[1], "10.66.0.1").returncode == 0
    client.stop()
    until(lambda: len(told.records()) == 2, "the record of the end")
    start, stop = told.records()
    assert (start["Acct-Status-Type"], stop["Acct-Status-Type"]) == ("Start", "Stop")
    assert start["Acct-Session-Id"] == stop["Acct-Session-Id"]
    for record in (start, stop):
        assert record["User-Name"] == '"alice"' and record["Framed-IP-Address"] == "10.66.0.99"
        assert record["Framed-IPv6-Prefix"] == "fd66:0:0:63::/64"
        assert record["Calling-Station-Id"] == f'"{CLIENT}"' and record["NAS-Identifier"] == '"vpn"'
    assert stop["Acct-Terminate-Cause"] == "User-Request"
    assert int(stop["Acct-Input-Octets"]) >= 168 and int(stop["Acct-Output-Packets"]) >= 2


def test_a_session_has_its_time(scene, two, radius):
    radius()
    server = serve(scene, two[0], "mschapv2")
    client = dial(scene, two[1], server.port("vpn"), "mschapv2", user="bob", password="hunter2")
    client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")
    server.wait_end(end="vpn_time")


def test_a_prefix_of_the_users_own(scene, two, radius):
    """Framed-IPv6-Prefix, and the address of IPv4 that has its number."""
    radius()
    server = serve(scene, two[0], "mschapv2", "vpnPool6 = fd66::/48")
    client = dial(scene, two[1], server.port("vpn"), "mschapv2", user="dora", password="explorer")
    match = client.wait_log(r"VPN: (\S+),(\S+) on (\S+), by (\S+)$")
    assert match[1] == "10.66.0.99"
    assert ipaddress.ip_address(match[2]) in ipaddress.ip_network("fd66:0:0:63::/64")
    client.stop()
    assert "user=dora address=10.66.0.99 address6=fd66:0:0:63::/64" in server.wait_end().text


def test_an_address_that_is_not_ours_to_give(scene, two, radius):
    radius()
    server = serve(scene, two[0], "mschapv2")
    dial(scene, two[1], server.port("vpn"), "mschapv2", user="carol", password="elsewhere")
    server.wait_end(end="vpn_pool")


def test_users_of_the_file_come_first(scene, two, radius):
    radius()
    server = serve(scene, two[0], "mschapv2", f"vpnUsers = {scene.secret('users', 'alice:of the file' + chr(10))}")
    client = dial(scene, two[1], server.port("vpn"), "mschapv2", password="of the file")
    assert client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")[1] == "10.66.0.2"


def test_an_answer_that_anybody_could_have_sent(scene, two, radius):
    radius(sign=False)
    server = serve(scene, two[0], "mschapv2")
    dial(scene, two[1], server.port("vpn"), "mschapv2")
    server.wait_log(r"RADIUS: the answer has no Message-Authenticator")
    server.wait_end(end="vpn_radius")


def test_nobody_answers(scene, two):
    server = serve(scene, two[0], "mschapv2")
    dial(scene, two[1], server.port("vpn"), "mschapv2")
    server.wait_end(end="vpn_radius")
