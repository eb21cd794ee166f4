# SPDX-License-Identifier: Apache-2.0
# A VPN whose users a RADIUS server knows, and that is told of their sessions: vpnRadius, vpnAccounting, and time limits.
import pytest

from lib import radius, sstp
from lib.wait import until

pytestmark = pytest.mark.root


@pytest.fixture
def known(scene, machine):
    """Start a RADIUS server in a machine that is this test's."""
    return lambda **how: scene.keep(radius.Server({"alice": "secret"}, **how))


def secret(scene):
    return scene.secret("radius-secret", radius.SECRET + "\n")


def users(scene):
    return scene.secret("users", "alice:secret\n")


def serve(scene, *lines):
    return scene.daemon("\n".join([
        "[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
        "vpnPool = 10.66.0.0/24", "vpnAuth = pap", *lines, "",
    ]))


def with_radius(scene, server, *lines):
    return serve(scene, f"vpnRadius = {server.address}", f"vpnAccounting = {server.address}",
                 f"vpnRadiusSecretFile = {secret(scene)}", *lines)


def dial(scene, daemon, user="alice"):
    call = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), user, "secret")).call()
    call.lcp()
    good, text = call.log_in_pap()
    assert good, text
    call.bind()
    call.ipcp()
    return call


def test_start_and_stop(scene, known):
    server = known(says=[(radius.CLASS, b"gold"), radius.address("10.66.0.99")])
    daemon = with_radius(scene, server)
    call = dial(scene, daemon)
    start = server.await_record(radius.START)
    assert (start[radius.USER_NAME], start[radius.CLASS]) == (b"alice", b"gold")
    assert start[radius.FRAMED_IP] == radius.address("10.66.0.99")[1] and start[radius.CALLING] == b"127.0.0.1"
    assert start[radius.SESSION] == server.asked[0][radius.SESSION] and len(start[radius.SESSION]) == 16
    for _ in range(3):
        call.ping(size=100)
    call.hang_up()
    stop = server.await_record(radius.STOP)
    assert stop[radius.SESSION] == start[radius.SESSION] and stop[radius.CLASS] == b"gold"
    assert (stop[radius.IN_PACKETS], stop[radius.IN_OCTETS]) == (3, 3 * 128)
    assert (stop[radius.OUT_PACKETS], stop[radius.OUT_OCTETS]) == (3, 3 * 128)
    assert stop[radius.CAUSE] == 1 and radius.TIME in stop


def test_sessions_have_names_of_their_own(scene, known):
    server = known()
    daemon = with_radius(scene, server)
    dial(scene, daemon).hang_up()
    dial(scene, daemon).hang_up()
    assert len({said[radius.SESSION] for said in server.asked}) == 2


def test_a_stop_that_is_lost_is_told_again(scene, known):
    """The session has long gone, and each time the record says how late it is."""
    server = known()
    daemon = with_radius(scene, server)
    call = dial(scene, daemon)
    server.await_record(radius.START)
    server.deaf = 2
    call.hang_up()
    daemon.wait_end(end="done")
    stop = server.await_record(radius.STOP)
    assert [said[radius.DELAY] for said in server.lost] == [0, 1] and stop[radius.DELAY] == 3
    assert stop[radius.TIMESTAMP] == server.lost[0][radius.TIMESTAMP]


def test_no_session_waits_for_accounting(scene, known):
    server = known(deaf=1000)
    daemon = with_radius(scene, server)
    call = dial(scene, daemon)
    assert call.ping()[20] == 0
    call.hang_up()
    daemon.wait_end(end="done")
    until(lambda: len([said for said in server.lost if said[radius.STATUS] == radius.STOP]) == 2, "a second Stop")
    daemon.stop()
    assert "1 session(s) have ended without a confirmation" in daemon.log()


def test_users_of_the_file_are_accounted_for(scene, known):
    server = known()
    daemon = serve(scene, f"vpnUsers = {users(scene)}", f"vpnAccounting = {server.address}",
                   f"vpnRadiusSecretFile = {secret(scene)}")
    dial(scene, daemon).close()
    assert server.await_record(radius.STOP)[radius.CAUSE] == 2, "lost carrier"
    assert server.asked == []


@pytest.mark.parametrize("careless", [False, True])
def test_a_server_with_another_secret(scene, known, careless):
    """Most say nothing to who does not know theirs; the answers of the others are not believed, and that is said once."""
    server = known(secret="another secret", careless=careless)
    daemon = serve(scene, f"vpnUsers = {users(scene)}", f"vpnAccounting = {server.address}",
                   f"vpnRadiusSecretFile = {secret(scene)}")
    call = dial(scene, daemon)
    until(lambda: (len(server.records) if careless else server.refused) == 2, "a second Start")
    call.hang_up()
    daemon.wait_end(end="done")
    until(lambda: (len(server.records) if careless else server.refused) == 5, "a third Stop")
    daemon.stop()
    assert daemon.log().count(
        f"RADIUS: an answer of {server.address} is not signed with the secret of vpnRadiusSecretFile, so it does not "
        "count; let both sides have the same\n") == (1 if careless else 0)
    assert ("RADIUS: 1 session(s) have ended without a confirmation; check vpnAccounting, vpnRadiusSecretFile, and the "
            "server's own log\n") in daemon.log()


def test_a_stop_tells_that_ginnel_stops(scene, known):
    server = known()
    daemon = with_radius(scene, server)
    dial(scene, daemon)
    daemon.stop()
    assert server.await_record(radius.STOP)[radius.CAUSE] == 7, "admin reboot"


@pytest.mark.parametrize("says, lines, end, cause", [
    ([(radius.SESSION_TIMEOUT, 2)], [], "vpn_time", 5),
    ([(radius.IDLE_TIMEOUT, 2)], [], "vpn_idle", 4),
    ([], ["vpnSessionTimeout = 2"], "vpn_time", 5),
    ([], ["vpnIdleTimeout = 2"], "vpn_idle", 4),
    ([(radius.SESSION_TIMEOUT, 2)], ["vpnSessionTimeout = 1000"], "vpn_time", 5),
])
def test_a_session_has_its_time(scene, known, says, lines, end, cause):
    server = known(says=says)
    daemon = with_radius(scene, server, *lines)
    call = dial(scene, daemon)
    call.be_hung_up()
    daemon.wait_end(end=end)
    assert server.await_record(radius.STOP)[radius.CAUSE] == cause


@pytest.mark.parametrize("address, what", [
    ("10.66.0.1", "the server's own"),
    ("10.66.0.0", "none of vpnPool that a client can have"),
    ("10.66.0.255", "none of vpnPool that a client can have"),
    ("192.0.2.7", "none of vpnPool that a client can have"),
])
def test_an_address_that_nobody_can_have_expels_nobody(scene, known, address, what):
    """The user's other session has nothing to give up, and the new one does not wait for it."""
    server = known()
    server.users["al\x1bice"] = "secret"
    daemon = with_radius(scene, server, "vpnSessionsFull = replace")
    first = dial(scene, daemon, "al\x1bice")
    server.says = [radius.address(address)]
    late = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), "al\x1bice", "secret")).call()
    late.lcp()
    assert late.log_in_pap()[0]
    late.be_hung_up()
    daemon.wait_end(end="vpn_pool")
    assert first.ping()[20] == 0 and daemon.ends(end="vpn_replaced") == []
    assert (f'VPN: the address {address} of "al\\x1bice" is {what}; let RADIUS give another one (Framed-IP-Address)\n'
            in daemon.log())


@pytest.mark.parametrize("full", ["refuse", "replace"])
@pytest.mark.parametrize("user", ["alice", "bob"])
def test_an_address_that_another_session_has(scene, known, user, full):
    """Only a session of the same user can be asked for it, and only the one that has it."""
    server = known()
    server.users["bob"] = "secret"
    daemon = with_radius(scene, server, f"vpnSessionsFull = {full}")
    other, holder = dial(scene, daemon, user), dial(scene, daemon, "alice")
    assert (other.address, holder.address) == ("10.66.0.2", "10.66.0.3")
    server.says = [radius.address("10.66.0.3")]
    late = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), user, "secret")).call()
    late.lcp()
    assert late.log_in_pap()[0]
    if (user, full) == ("alice", "replace"):
        late.bind()
        holder.be_hung_up()
        assert late.ipcp() == "10.66.0.3"
        daemon.wait_end(end="vpn_replaced")
    else:
        late.be_hung_up()
        daemon.wait_end(end="vpn_pool")
        assert holder.ping()[20] == 0
        whose = ("another session of the same user; vpnSessionsFull = replace would end it" if user == "alice"
                 else "another user's session")
        assert f'VPN: the address 10.66.0.3 of "{user}" is at {whose}\n' in daemon.log()
    assert other.ping()[20] == 0
    assert len(daemon.ends(end="vpn_replaced")) == ((user, full) == ("alice", "replace"))


@pytest.mark.parametrize("says", [
    [radius.prefix6("fd66:0:0:63::")],
    [radius.prefix6("fd66:0:0:63::"), radius.address("10.66.0.99")],
], ids=["alone", "with its address"])
def test_a_prefix_of_the_users_own(scene, known, says):
    """Framed-IPv6-Prefix; the address of IPv4 has the same number."""
    server = known(says=says)
    call = dial(scene, with_radius(scene, server, "vpnPool6 = fd66::/48"))
    call.ipv6cp()
    assert (call.address, call.router()[0]) == ("10.66.0.99", "fd66:0:0:63::")
    call.send_packet(sstp.echo_request6("fd66:0:0:63::5", "fd66:0:0:1::1"))
    assert call.next_ppp(sstp.IPV6)[3][40] == 129
    assert server.await_record(radius.START)[radius.FRAMED_IPV6_PREFIX] == radius.prefix6("fd66:0:0:63::")[1][:10]


def test_a_prefix_without_vpnpool6_is_for_others(scene, known):
    """The same server may serve devices that have IPv6."""
    call = dial(scene, with_radius(scene, known(says=[radius.prefix6("fd66:0:0:63::")])))
    assert call.address == "10.66.0.2"


@pytest.mark.parametrize("says, complaint", [
    ([radius.prefix6("fd66:0:0:1::")],
     'the prefix fd66:0:0:1::/64 of "alice" is the server\'s own; let RADIUS give another one (Framed-IPv6-Prefix)'),
    ([radius.prefix6("fd66:0:0:100::")], 'the prefix fd66:0:0:100::/64 of "alice" is no /64 of vpnPool6 that a client can '
     'have; let RADIUS give another one (Framed-IPv6-Prefix)'),
    ([radius.prefix6("fd66:0:0:60::", 60)], 'the prefix fd66:0:0:60::/60 of "alice" is no /64 of vpnPool6'),
    ([radius.address("10.66.0.98"), radius.prefix6("fd66:0:0:63::")], 'the address 10.66.0.98 and the prefix '
     'fd66:0:0:63::/64 of "alice" are not of one client, as they have different numbers in vpnPool and vpnPool6; let '
     'RADIUS give one of them alone'),
    ([radius.address("10.67.0.98"), radius.prefix6("fd66:0:0:63::")],
     'the address 10.67.0.98 of "alice" is none of vpnPool that a client can have'),
    ([radius.address("10.66.0.99"), radius.prefix6("fd67:0:0:63::")],
     'the prefix fd67:0:0:63::/64 of "alice" is no /64 of vpnPool6 that a client can have'),
])
def test_a_prefix_that_nobody_can_have(scene, known, says, complaint):
    server = known(says=says)
    daemon = with_radius(scene, server, "vpnPool6 = fd66::/48")
    call = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), "alice", "secret")).call()
    call.lcp()
    assert call.log_in_pap()[0]
    call.be_hung_up()
    daemon.wait_end(end="vpn_pool")
    assert f"VPN: {complaint}" in daemon.log()


def test_a_prefix_goes_to_the_newest_session(scene, known):
    daemon = with_radius(scene, known(says=[radius.prefix6("fd66:0:0:63::")]), "vpnPool6 = fd66::/48",
                         "vpnSessionsFull = replace")
    first, second = dial(scene, daemon), dial(scene, daemon)
    first.be_hung_up()
    daemon.wait_end(end="vpn_replaced")
    assert second.address == "10.66.0.99" and second.ping()[20] == 0


def test_who_is_not_known_has_no_session(scene, known):
    server = known()
    daemon = with_radius(scene, server)
    call = scene.keep(sstp.Client(daemon.port("vpn"), scene.pki.client_context(), "alice", "wrong")).call()
    call.lcp()
    assert not call.log_in_pap()[0]
    call.be_hung_up()
    daemon.wait_end(end="vpn_auth")
    assert server.asked and not server.records


@pytest.mark.parametrize("lines, complaint", [
    (["vpnAccounting = 127.0.0.1:1813"], "write vpnRadiusSecretFile"),
    (["vpnAccounting = nowhere", "vpnRadiusSecretFile = SECRET"], "vpnAccounting"),
])
def test_configurations_that_are_refused(scene, lines, complaint):
    text = "\n".join(["[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
                      "vpnPool = 10.66.0.0/24", f"vpnUsers = {users(scene)}", *lines, ""])
    done = scene.run("check", scene.file("x.conf", text.replace("SECRET", secret(scene))))
    assert done.returncode == 78 and complaint in done.stderr
