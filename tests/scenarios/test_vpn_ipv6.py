# SPDX-License-Identifier: Apache-2.0
# vpnPool6: a VPN's clients have IPv6, too, each a /64 by router advertisement.
import hashlib
import ipaddress
import os
import re
import socket
import subprocess
import threading

import pytest

from lib import sstp
from lib.wait import DEADLINE, until

pytestmark = pytest.mark.root

ID = bytes.fromhex("0011223344556677")
LINK_LOCAL = sstp.LINK_LOCAL + ID
ROUTER = "fe80::1"
USERS = "alice:secret\nbob:hunter2:10.66.0.77\n"
OUTSIDE_SERVER, OUTSIDE_CLIENT = "2001:db8::1", "2001:db8::2"


def serve(scene, *lines):
    return scene.daemon("\n".join([
        "[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
        f"vpnUsers = {scene.secret('users', USERS)}", "vpnPool = 10.66.0.0/24", "vpnPool6 = fd66::/48", *lines, "",
    ]))


def dial(scene, daemon, user="alice", password="secret", identifier=ID):
    call = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), user, password)).dial()
    assert call.ipv6cp(identifier) == bytes(7) + b"\1"
    return call


def ping(call, source, target="fd66:0:0:1::1", identifier=7):
    call.send_packet(sstp.echo_request6(source, target, identifier))
    while True:
        *_, packet = call.next_ppp(sstp.IPV6)
        if packet[40] != 134:
            return packet


def is_reply(packet, identifier=7):
    return packet[40] == 129 and packet[44:46] == bytes([0, identifier]) and sstp.checksum6(packet) == 0


def test_a_prefix_for_each_client(scene, machine):
    daemon = serve(scene, "vpnDNS = 10.66.0.1, fd66:0:0:1::1", "vpnMTU = 1380")
    first, fixed = dial(scene, daemon), dial(scene, daemon, "bob", "hunter2")
    assert first.router() == ("fd66:0:0:2::", 1380, ["fd66:0:0:1::1"])
    assert fixed.router()[0] == "fd66:0:0:4d::", "as 77 is"
    assert is_reply(ping(first, "fd66:0:0:2::1234"))
    assert is_reply(ping(fixed, "fd66:0:0:4d:1:2:3:4"))
    assert first.ping(identifier=3)[24:26] == b"\0\3", "and IPv4, beside it"
    first.hang_up()
    assert "address=10.66.0.2 address6=fd66:0:0:2::/64 method=mschapv2" in daemon.wait_end(end="done").text


def test_a_solicitation_is_answered(scene, machine):
    daemon = serve(scene)
    call = dial(scene, daemon)
    said = call.router()
    for source in (LINK_LOCAL, "::"):
        call.send_packet(sstp.solicitation(source))
        assert call.router() == said


def test_an_identifier_that_nobody_can_have(scene, machine):
    daemon = serve(scene)
    for wrong in (bytes(8), bytes(7) + b"\1"):
        call = dial(scene, daemon, identifier=wrong)
        assert call.interface not in (bytes(8), bytes(7) + b"\1")
        assert call.router()[0] is not None


def test_a_foreign_source_is_dropped_and_counted(scene, machine):
    daemon = serve(scene)
    call, other = dial(scene, daemon), dial(scene, daemon)
    call.router()
    for source in ("fd66:0:0:3::1", "fd66:0:0:1::1", "2001:db8::1", "::1", "fe80::1", "ff02::1", "fd66::"):
        call.send_packet(sstp.echo_request6(source, "fd66:0:0:1::1", identifier=66))
    assert is_reply(ping(call, "fd66:0:0:2::1", identifier=1), 1), "the first answer is to the first honest packet"
    assert is_reply(ping(other, "fd66:0:0:3::1", identifier=2), 2), "and nobody else got any"
    call.hang_up()
    assert " foreign=7 " in daemon.wait_end(end="done").text


def test_what_is_of_the_link_stays_there(scene, machine):
    """The kernel behind the device sees no packet from a link-local address, and none for a group of the link."""
    machine.run("sysctl -qw net.ipv6.icmp.echo_ignore_multicast=0")
    daemon = serve(scene)
    call = dial(scene, daemon)
    call.router()
    for source, target in ((LINK_LOCAL, "fd66:0:0:1::1"), ("fd66:0:0:2::1", "ff02::1"), (LINK_LOCAL, ROUTER)):
        call.send_packet(sstp.echo_request6(source, target, identifier=66))
    assert is_reply(ping(call, "fd66:0:0:2::1", identifier=1), 1)
    call.hang_up()
    assert " foreign=0 " in daemon.wait_end(end="done").text


@pytest.mark.parametrize("allowed", [False, True])
def test_clients_reach_one_another_only_if_allowed(scene, machine, allowed):
    daemon = serve(scene, f"vpnPeers = {'yes' if allowed else 'no'}", "vpnSetup = yes")
    call, other = dial(scene, daemon), dial(scene, daemon)
    call.send_packet(sstp.echo_request6("fd66:0:0:2::1", "fd66:0:0:3::1", identifier=5))
    if allowed:
        other.router()
        *_, packet = other.next_ppp(sstp.IPV6)
        assert packet[44:46] == b"\0\5"
        return
    call.hang_up()
    assert " dropped=1 " in daemon.wait_end(end="done").text


def test_a_client_without_ipv6(scene, machine):
    daemon = serve(scene)
    call = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), "alice", "secret")).dial()
    assert call.ping()[20] == 0


def test_a_server_without_ipv6_rejects_it(scene, machine):
    daemon = scene.daemon("\n".join([
        "[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
        f"vpnUsers = {scene.secret('users', USERS)}", "vpnPool = 10.66.0.0/24", "",
    ]))
    call = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), "alice", "secret")).dial()
    call.send_ppp(sstp.IPV6CP, 1, 9, b"\1\12" + ID)
    _, code, _, payload = call.next_ppp(sstp.LCP)
    assert code == 8 and payload[:2] == b"\x80\x57"
    assert call.ping()[20] == 0


@pytest.mark.parametrize("lines, complaint", [
    (["vpnPool6 = fd66::/60"], "write a /56, or a larger one"),
    (["vpnPool6 = 10.66.0.0/16"], "such as fd66::/48"),
    (["vpnPool6 = fd66::/48", "vpnMTU = 1200"], "IPv6 needs at least 1280 bytes"),
    (["vpnDNS = fd66::1, fd66::2, fd66::3"], "two DNS servers of a kind"),
])
def test_configurations_that_are_refused(scene, lines, complaint):
    text = "\n".join(["[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
                      f"vpnUsers = {scene.secret('users', USERS)}", "vpnPool = 10.66.0.0/24", *lines, ""])
    done = scene.run("check", scene.file("x.conf", text))
    assert done.returncode == 78 and complaint in done.stderr


# --- ginnel on both sides

@pytest.fixture
def two(scene):
    """A server and a client with a cable of IPv6 between them."""
    return scene.neighbours(f"{OUTSIDE_SERVER}/64", f"{OUTSIDE_CLIENT}/64", devices=["/dev/net/tun"])


def both(scene, two, *at_client, at_server=("vpnPool6 = fd66::/48", "vpnDNS = 10.66.0.1, fd66:0:0:1::53")):
    """A server, a client, the client's addresses and its device."""
    with two[0]:
        server = scene.daemon("\n".join([
            "[vpn]", f"accept = [{OUTSIDE_SERVER}]:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
            f"vpnUsers = {scene.secret('users', USERS)}", "vpnPool = 10.66.0.0/24", *at_server, "",
        ]), name="server")
    with two[1]:
        client = scene.daemon("\n".join([
            "[office]", "client = yes", "protocol = sstp", f"connect = [{OUTSIDE_SERVER}]:{server.port('vpn')}",
            f"CAfile = {scene.pki.ca.path}", "checkHost = server.test", "vpnUsername = alice",
            f"vpnPasswordFile = {scene.secret('password', 'secret' + chr(10))}", *at_client, "",
        ]), name="client")
    match = client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")
    return server, client, match[1].split(","), match[2]


def show(where, command):
    with where:
        return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


def routes(where):
    """Those that somebody has made; the kernel's own of a link come when they come."""
    return [line for line in show(where, "ip -6 route").splitlines() if not line.startswith("fe80:")]


def pings(where, target, *options):
    with where:
        return subprocess.run(["ping", "-6", "-c", "2", "-i", "0.2", "-W", "5", *options, target],
                              capture_output=True, check=False).returncode == 0


def test_a_call_of_ginnel(scene, two):
    _, client, (v4, v6), device = both(scene, two, "vpnRoutes = 10.66.0.0/24, fd66::/48")
    assert v4 == "10.66.0.2" and ipaddress.ip_address(v6) in ipaddress.ip_network("fd66:0:0:2::/64")
    assert pings(two[1], "fd66:0:0:1::1") and pings(two[0], v6)
    assert pings(two[1], "fd66:0:0:1::1", "-s", "1352", "-M", "do"), "the largest packet"
    assert not pings(two[1], "fd66:0:0:1::1", "-s", "1353", "-M", "do")
    addresses = show(two[1], f"ip -6 addr show dev {device} scope global")
    assert re.findall(r"inet6 (\S+)", addresses) == [f"{v6}/128"], "none that the kernel has made for itself"
    assert "default" not in show(two[1], "ip -6 route")
    client.stop()
    assert device not in show(two[1], "ip -o link")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_bulk_is_byte_exact(scene, two, direction):
    _, _, (_, v6), _ = both(scene, two, "vpnRoutes = fd66::/48")
    receiver, sender = (two[0], two[1]) if direction == "up" else (two[1], two[0])
    target, digest = "fd66:0:0:1::1" if direction == "up" else v6, hashlib.sha256()
    with receiver:
        listener = socket.create_server((target, 0), family=socket.AF_INET6)
    block, got = os.urandom(1 << 20), []

    def take():
        sock, _ = listener.accept()
        with sock, listener:
            while piece := sock.recv(1 << 20):
                digest.update(piece)
                got.append(len(piece))

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    with sender, socket.create_connection(listener.getsockname()[:2], DEADLINE) as sock:
        for _ in range(16):
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    thread.join(DEADLINE)
    assert (sum(got), digest.hexdigest()) == (16 << 20, hashlib.sha256(16 * block).hexdigest())


def test_the_default_route(scene, two):
    """Everything goes into the VPN but the call itself; at the end all is as before."""
    two[1].run(f"ip route add default via {OUTSIDE_SERVER}")
    two[0].run("ip addr add 2001:db8:5::5/128 dev lo nodad")
    before = routes(two[1])
    _, client, _, device = both(scene, two, "vpnRoutes = default")
    assert f"dev {device}" in show(two[1], "ip route get 2001:db8:5::5")
    assert "dev wire" in show(two[1], f"ip route get {OUTSIDE_SERVER}")
    assert pings(two[1], "2001:db8:5::5")
    client.stop()
    assert routes(two[1]) == before


def test_what_was_meant_for_the_vpn_goes_nowhere_else(scene, two):
    """The server gives no IPv6; its network is led into the VPN all the same."""
    two[1].run(f"ip route add default via {OUTSIDE_SERVER}")
    two[0].run("ip addr add fd66:0:0:1::1/128 dev lo nodad")
    _, _, addresses, device = both(scene, two, "vpnRoutes = fd66::/48", at_server=())
    assert addresses == ["10.66.0.2"]
    assert f"dev {device}" in show(two[1], "ip route get fd66:0:0:1::1")
    assert not pings(two[1], "fd66:0:0:1::1", "-W", "1")


def test_programs_are_told(scene, two):
    hook = scene.file("hook", '#!/bin/sh\nenv | grep ^VPN_ | sort > "$0.$VPN_SERVICE.new"\n'
                              'mv "$0.$VPN_SERVICE.new" "$0.$VPN_SERVICE"\n')
    os.chmod(hook, 0o755)
    _, _, (_, v6), _ = both(scene, two, f"vpnUp = {hook}", at_server=(
        "vpnPool6 = fd66::/48", "vpnDNS = 10.66.0.1, fd66:0:0:1::53", f"vpnUp = {hook}"))
    until(lambda: os.path.exists(hook + ".vpn") and os.path.exists(hook + ".office"), "both programs")
    told = {}
    for name in ("office", "vpn"):
        with open(f"{hook}.{name}", encoding="utf-8") as file:
            told[name] = dict(line.rstrip("\n").split("=", 1) for line in file)
    assert told["office"]["VPN_ADDRESS6"] == v6 and told["office"]["VPN_DNS"] == "10.66.0.1 fd66:0:0:1::53"
    assert told["vpn"]["VPN_PEER6"] == "fd66:0:0:2::/64"
