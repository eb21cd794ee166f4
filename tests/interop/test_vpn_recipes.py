# SPDX-License-Identifier: Apache-2.0
# The recipes of VPNs: a call from one machine to another, with packets in it.
import subprocess

import pytest

from interop.freeradius import SECRET, FreeRadius
from interop.recipes import Machine
from lib.wait import until

pytestmark = pytest.mark.root

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def two(scene):
    """A server and a client with a cable between them."""
    return scene.neighbours(f"{SERVER}/24", f"{CLIENT}/24", devices=["/dev/net/tun"])


@pytest.fixture
def prepared(scene, pki):
    machine = Machine(scene.folder / "recipes", pki)
    machine.write("vpn-users", "alice:secret\nclient@mail.test:$cert$\n")
    machine.write("vpn-password", "secret\n")
    machine.write("radius-secret", SECRET + "\n")
    return machine


def serve(scene, prepared, two, name):
    with two[0]:
        return scene.daemon(prepared.recipe(name, ("accept = 443", f"accept = {SERVER}:0")), name="server")


def call(scene, prepared, two, server, *changes):
    """Returns what the client has got from the VPN: its addresses."""
    with two[1]:
        client = scene.daemon(prepared.recipe(
            "vpn-client.conf",
            ("connect = vpn.example.com:443", f"connect = {SERVER}:{server.port('vpn')}\ncheckHost = server.test"),
            *changes), name="client")
    return client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")[1].split(",")


def pings(two, target):
    with two[1]:
        return subprocess.run(["ping", "-c", "2", "-i", "0.2", "-W", "5", target],
                              capture_output=True, check=False).returncode == 0


def test_users_of_a_file(scene, prepared, two):
    server = serve(scene, prepared, two, "vpn-server.conf")
    assert call(scene, prepared, two, server) == ["10.66.0.2"]
    assert pings(two, "10.66.0.1")


def test_users_of_a_radius_server(scene, prepared, two):
    radius = FreeRadius(scene.folder / "radius", two[0], 'alice Cleartext-Password := "secret"\n')
    scene.closers.callback(radius.close)
    server = serve(scene, prepared, two, "vpn-radius.conf")
    addresses = call(scene, prepared, two, server,
                     ("vpnRoutes = 10.66.0.0/24,", "vpnRoutes = 10.66.0.0/24, fd66::/48,"))
    assert addresses[0] == "10.66.0.2" and len(addresses) == 2
    assert pings(two, "10.66.0.1") and pings(two, "fd66:0:0:1::1")
    until(lambda: [record["Acct-Status-Type"] for record in radius.records()] == ["Start"], "the record of the start")


def test_users_by_certificate(scene, prepared, two):
    server = serve(scene, prepared, two, "vpn-certificates.conf")
    changes = [("vpnUsername = alice", "vpnUsername = client@mail.test"),
               ("vpnPasswordFile = /etc/ginnel/vpn-password",
                "vpnAuth = eap-tls\ncert = /etc/ginnel/client.pem\nkey = /etc/ginnel/client.key")]
    assert call(scene, prepared, two, server, *changes) == ["10.66.0.2"]
    assert pings(two, "10.66.0.1")
    server.wait_log(r"client@mail.test has 10.66.0.2 on \S+, by eap-tls")


def test_check_prints_the_commands(scene, prepared):
    """For what vpnSetup would do, and for what is the administrator's."""
    done = scene.run("check", scene.file("x.conf", prepared.recipe("vpn-radius.conf")))
    assert done.returncode == 0
    for command in ("sysctl net.ipv4.ip_forward=1", "sysctl net.ipv6.conf.all.forwarding=1",
                    'nft add rule inet ginnel post ip saddr 10.66.0.0/24 oifname != "ginnel*" masquerade',
                    'nft add rule inet ginnel post ip6 saddr fd66::/48 oifname != "ginnel*" masquerade'):
        assert f"    {command}\n" in done.stdout
    done = scene.run("check", scene.file("x.conf", prepared.recipe("vpn-server.conf") + "vpnSetup = yes\n"))
    assert done.returncode == 0 and "sysctl" not in done.stdout


def test_the_commands_are_good(scene, prepared, two):
    """The kernel takes them as they are printed."""
    done = scene.run("check", scene.file("x.conf", prepared.recipe("vpn-radius.conf")))
    commands = [line for line in done.stdout.splitlines() if line.startswith("    ")]
    assert len(commands) == 6
    two[0].run(*commands)
