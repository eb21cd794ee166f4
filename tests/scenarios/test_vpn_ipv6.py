# SPDX-License-Identifier: Apache-2.0
# vpnPool6: a VPN's clients have IPv6, too, each a /64 by router advertisement.
import pytest

from lib import sstp

pytestmark = pytest.mark.root

ID = bytes.fromhex("0011223344556677")
LINK_LOCAL = sstp.LINK_LOCAL + ID
ROUTER = "fe80::1"
USERS = "alice:secret\nbob:hunter2:10.66.0.77\n"


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


def hang_up(call):
    call.send(sstp.control(sstp.DISCONNECT, sstp.status(0, 0)))
    assert call.read_to_end() == [(sstp.DISCONNECT_ACK, None)]


def test_a_prefix_for_each_client(scene, machine):
    daemon = serve(scene, "vpnDNS = 10.66.0.1, fd66:0:0:1::1", "vpnMTU = 1380")
    first, fixed = dial(scene, daemon), dial(scene, daemon, "bob", "hunter2")
    assert first.router() == ("fd66:0:0:2::", 1380, ["fd66:0:0:1::1"])
    assert fixed.router()[0] == "fd66:0:0:4d::", "as 77 is"
    assert is_reply(ping(first, "fd66:0:0:2::1234"))
    assert is_reply(ping(fixed, "fd66:0:0:4d:1:2:3:4"))
    assert first.ping(identifier=3)[24:26] == b"\0\3", "and IPv4, beside it"
    hang_up(first)
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
    hang_up(call)
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
    hang_up(call)
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
    hang_up(call)
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


def test_forwarding_is_set_up_and_set_back(scene, machine):
    def forwarding():
        with open("/proc/sys/net/ipv6/conf/all/forwarding", encoding="ascii") as file:
            return file.read().strip()

    machine.run("sysctl -qw net.ipv6.conf.all.forwarding=0")
    daemon = serve(scene, "vpnSetup = yes")
    assert forwarding() == "1"
    daemon.reload()
    assert forwarding() == "1"
    daemon.stop()
    assert forwarding() == "0"


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
