# SPDX-License-Identifier: Apache-2.0
# protocol = sstp as server, before a strict client of the tests' own: the call, its end, and whatever may go wrong.
import errno
import re
import signal
import socket
import struct
import subprocess

import pytest

from lib import sstp, sstp_eap
from lib.peer import greeter
from lib.wait import until

pytestmark = pytest.mark.root

POOL = "10.66.0.0/24"


def users(scene, text="alice:secret\nbob:hunter2:10.66.0.77\n"):
    return scene.secret("users", text)


def serve(scene, *lines, head="", pool=POOL, auth="mschapv2, pap, chap", who="alice:secret\nbob:hunter2:10.66.0.77\n"):
    return scene.daemon("\n".join([
        "[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
        f"vpnUsers = {users(scene, who)}", f"vpnPool = {pool}", f"vpnAuth = {auth}", *lines, "",
    ]), head)


def client(scene, daemon, user="alice", password="secret", version=None, **how):
    context = scene.pki.client_context(version=version)
    return scene.keep(sstp.Client(daemon.port("vpn"), context, user, password, **how))


def network_device(daemon):
    return daemon.wait_log(r"network device (\S+),")[1]


def echo_reply_of(packet):
    return packet[9] == 1 and packet[20] == 0


# --- a good call

# What the server asks for, and how it is answered.
METHODS = {
    "mschapv2": ("c22381", lambda call, pki, version: call.log_in()),
    "eap-mschapv2": ("c227", lambda call, pki, version: sstp_eap.log_in_mschapv2(call)),
    "eap-tls": ("c227", lambda call, pki, version: sstp_eap.log_in_tls(call, pki.client, pki.ca, version)),
    "chap": ("c22305", lambda call, pki, version: call.log_in_chap()),
    "pap": ("c023", lambda call, pki, version: call.log_in_pap()),
}


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("hash_id", [sstp.SHA1, sstp.SHA256])
@pytest.mark.parametrize("method", METHODS)
def test_a_call(scene, machine, method, hash_id, version):
    """The key of each login is in the binding, which the server would not believe otherwise."""
    daemon = serve(scene, "vpnDNS = 10.66.0.1, 9.9.9.9",
                   *([f"vpnCAfile = {scene.pki.ca.path}"] if method == "eap-tls" else []),
                   auth=method, who="alice:secret\nclient@mail.test:$cert$\n")
    call = client(scene, daemon, version=version).call()
    option, log_in = METHODS[method]
    assert call.hashes == 3
    assert call.lcp() == option
    good, text = log_in(call, scene.pki, version)
    assert good, text
    call.bind(hash_id)
    assert call.ipcp(dns=True) == "10.66.0.2" and call.peer == "10.66.0.1"
    assert call.options[129] == socket.inet_aton("10.66.0.1") and call.options[131] == socket.inet_aton("9.9.9.9")
    assert echo_reply_of(call.ping())
    call.hang_up()
    end = daemon.wait_end(end="done")
    user = "client@mail.test" if method == "eap-tls" else "alice"
    assert f"user={user} address=10.66.0.2 method={method} " in end.text and "foreign=0" in end.text
    assert end.to_tls > 0 and end.to_socket == 60


def test_a_port_that_others_share(scene, machine):
    """The call is bound to the certificate of the section that has opened TLS."""
    daemon = scene.daemon("\n".join([
        "[port]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}",
        f"connect = {scene.server(greeter(b'web')).address}",
        "[vpn]", "detect = port:sstp", "protocol = sstp", f"vpnUsers = {users(scene)}", f"vpnPool = {POOL}",
    ]))
    call = scene.keep(sstp.Client(daemon.port("port"), scene.pki.client_context(), "alice", "secret")).dial()
    assert echo_reply_of(call.ping())
    near = scene.tls(daemon.port("port"))
    near.send(b"GET / HTTP/1.0\r\n\r\n")
    assert near.rest()[0] == b"web"
    call.hang_up()
    assert daemon.wait_end(end="done", service="vpn")


def test_addresses(scene, machine):
    daemon = serve(scene)
    first, second = client(scene, daemon).dial(), client(scene, daemon).dial()
    fixed = client(scene, daemon, "bob", "hunter2").dial()
    assert [c.address for c in (first, second, fixed)] == ["10.66.0.2", "10.66.0.3", "10.66.0.77"]
    assert all(echo_reply_of(c.ping()) for c in (first, second, fixed))
    first.hang_up()
    daemon.wait_end(end="done")
    assert client(scene, daemon).dial().address == "10.66.0.4", "what came back rests"


def test_no_address_is_left(scene, machine):
    daemon = serve(scene, pool="10.66.0.0/30", who="alice:secret\n")
    assert client(scene, daemon).dial().address == "10.66.0.2"
    late = client(scene, daemon).call()
    late.lcp()
    assert late.log_in()[0]
    daemon.wait_end(end="vpn_pool", deadline=20)
    assert 'VPN: no address of vpnPool is left for "alice"; make it larger\n' in daemon.log()


def test_as_many_sessions_as_a_user_may_have(scene, machine):
    daemon = serve(scene, "vpnSessions = 2")
    first, second = client(scene, daemon).dial(), client(scene, daemon).dial()
    third = client(scene, daemon).call()
    third.lcp()
    assert third.log_in()[0]
    third.be_hung_up()
    daemon.wait_end(end="vpn_sessions")
    assert echo_reply_of(client(scene, daemon, "bob", "hunter2").dial().ping()), "another user has sessions of his own"
    first.hang_up()
    daemon.wait_end(end="done")
    assert echo_reply_of(client(scene, daemon).dial().ping()) and echo_reply_of(second.ping())


@pytest.mark.parametrize("workers", [1, 3])
def test_the_newest_session_wins(scene, machine, workers):
    daemon = serve(scene, "vpnSessions = 1", "vpnSessionsFull = replace", head=f"workers = {workers}")
    last = client(scene, daemon).dial()
    for _ in range(4):
        late = client(scene, daemon).dial()
        last.be_hung_up()
        last = late
    assert echo_reply_of(last.ping())
    daemon.wait_end(end="vpn_replaced", count=4)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_address_goes_to_the_newest_session(scene, machine, workers):
    """The one before may be one whose network went away."""
    daemon = serve(scene, "vpnSessionsFull = replace", head=f"workers = {workers}")
    calls = [client(scene, daemon, "bob", "hunter2").dial() for _ in range(3)]
    assert [call.address for call in calls] == 3 * ["10.66.0.77"]
    assert echo_reply_of(calls[-1].ping())
    for call in calls[:-1]:
        call.be_hung_up()
    daemon.wait_end(end="vpn_replaced", count=2)


def test_a_call_survives_a_reload(scene, machine):
    daemon = serve(scene)
    call = client(scene, daemon).dial()
    device = network_device(daemon)
    assert "network device" not in daemon.reload()
    assert echo_reply_of(call.ping())
    other = client(scene, daemon).dial()
    assert other.address == "10.66.0.3" and echo_reply_of(other.ping())
    assert device in machine_links()


def machine_links():
    return subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout


def test_the_device_is_gone_at_the_end(scene, machine):
    daemon = serve(scene)
    device = network_device(daemon)
    assert device in machine_links()
    daemon.stop()
    assert device not in machine_links()


@pytest.mark.parametrize("setting", ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
def test_forwarding_is_set_up_and_set_back(scene, machine, setting):
    def forwarding():
        return machine.run(f"sysctl -n {setting}").strip()

    machine.run(f"sysctl -qw {setting}=0")
    daemon = serve(scene, "vpnSetup = yes", "vpnPool6 = fd66::/48")
    assert forwarding() == "1"
    daemon.reload()
    assert forwarding() == "1"
    daemon.stop()
    assert forwarding() == "0"


def test_the_list_the_status_and_the_end_tell_who_it_is(scene, machine):
    daemon = serve(scene, head=f"control = {scene.folder}/control")
    call = client(scene, daemon).call()
    windows = {1: b"\x0f\xfb", 5: b"\x11\x22\x33\x44", 7: b"", 8: b"", 13: b"\6"}
    call.lcp(windows)
    assert call.log_in()[0]
    call.bind()
    call.ipcp()
    call.ping()
    daemon.signal(signal.SIGUSR2)
    who = "user=alice address=10.66.0.2 method=mschapv2 kind=windows"
    daemon.wait_log(rf"Active connection 1: Service \[vpn\].* {who}$")
    assert re.search(rf"^Service \[vpn\], \d+ byte.* {who}$", scene.run("status", daemon.path).stdout, re.M)
    call.hang_up()
    assert who in daemon.wait_end(end="done").text


# --- who is let in

@pytest.mark.parametrize("user, password", [("alice", "wrong"), ("nobody", "secret"), ("", "x")])
def test_a_wrong_password(scene, machine, user, password):
    daemon = serve(scene)
    call = client(scene, daemon, user, password).call()
    call.lcp()
    good, text = call.log_in() if user else (False, None)
    assert not good
    if user:
        assert text.startswith(b"E=691 R=0 C=") and b" V=3" in text
    kind, code, identifier, _ = call.next_ppp(sstp.LCP) if user else (sstp.LCP, 5, 0, b"")
    assert (kind, code) == (sstp.LCP, 5)
    if user:
        call.send_ppp(sstp.LCP, 6, identifier)
        assert call.read_to_end()[0][0] == sstp.DISCONNECT
        daemon.wait_end(end="vpn_auth", deadline=20)
        assert "hunter2" not in daemon.log()


def test_a_client_proposes_another_method(scene, machine):
    daemon = serve(scene)
    call = client(scene, daemon).call()
    asked = []

    def want_pap(options):
        asked.append(options[3].hex())
        return (2, options) if options[3] == b"\xc0\x23" else (3, {3: b"\xc0\x23"})

    call.negotiate(sstp.LCP, {}, want_pap)
    assert asked == ["c22381", "c023"]
    assert call.log_in_pap()[0]
    call.bind()
    assert echo_reply_of(call.ping(source=call.ipcp()))


# --- the crypto binding

def logged_in(scene, daemon):
    call = client(scene, daemon).call()
    call.lcp()
    assert call.log_in()[0]
    return call


@pytest.mark.parametrize("what", ["nonce", "certificate", "key", "hash", "short", "none"])
def test_a_wrong_binding_is_cut_off(scene, machine, what):
    daemon = serve(scene)
    call = logged_in(scene, daemon)
    if what == "nonce":
        call.nonce = bytes(32)
    elif what == "certificate":
        call.certificate += b"x"
    elif what == "key":
        call.hlak = bytes(32)
    packet = sstp.connected(sstp.SHA256, call.nonce, call.certificate, call.hlak)
    if what == "hash":
        packet = packet[:15] + b"\x03" + packet[16:]
    elif what == "short":
        packet = sstp.control(sstp.CONNECTED, sstp.attribute(3, bytes(99)))
    elif what == "none":
        packet = sstp.control(sstp.CONNECTED)
    call.send(packet)
    kind, attributes = call.read_control()
    wanted = (2, 9) if what in ("short", "none") else (3, 4)
    assert kind == sstp.ABORT
    assert (attributes[2][3], struct.unpack(">I", attributes[2][4:8])[0]) == wanted
    call.send(sstp.control(sstp.ABORT, sstp.status(0, 0)))
    daemon.wait_end(end="vpn_binding", deadline=20)


def test_no_packet_passes_before_the_binding(scene, machine):
    daemon = serve(scene)
    call = logged_in(scene, daemon)
    call.ipcp()
    for _ in range(3):
        call.send_packet(sstp.echo_request(call.address, call.peer))
    call.bind()
    assert echo_reply_of(call.ping(identifier=99)), "and afterwards they do"
    call.hang_up()
    assert " early=3" in daemon.wait_end(end="done").text


def test_a_binding_before_the_verdict_waits(scene, machine):
    """Old clients send it together with their answer to the challenge; with PAP the key is known."""
    daemon = serve(scene, auth="pap")
    call = client(scene, daemon).call()
    call.lcp()
    call.bind()
    assert call.log_in_pap()[0]
    assert echo_reply_of(call.ping(source=call.ipcp()))


# --- whose packets they are

def test_a_foreign_source_is_dropped_and_counted(scene, machine):
    daemon = serve(scene)
    call, other = client(scene, daemon).dial(), client(scene, daemon).dial()
    for source in ("10.66.0.3", "10.66.0.1", "127.0.0.1", "192.0.2.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"):
        call.send_packet(sstp.echo_request(source, call.peer, identifier=666))
    assert call.ping(identifier=1)[24:26] == b"\0\1", "the first answer is to the first honest packet"
    assert other.ping(identifier=2)[24:26] == b"\0\2", "and nobody else got any"
    call.hang_up()
    assert " foreign=7" in daemon.wait_end(end="done").text


@pytest.mark.parametrize("allowed", [False, True])
def test_clients_reach_one_another_only_if_allowed(scene, machine, allowed):
    machine.run("sysctl -qw net.ipv4.ip_forward=1", "sysctl -qw net.ipv4.conf.all.send_redirects=0")
    daemon = serve(scene, f"vpnPeers = {'yes' if allowed else 'no'}")
    call, other = client(scene, daemon).dial(), client(scene, daemon).dial()
    call.send_packet(sstp.echo_request(call.address, other.address, identifier=5))
    other.ping(identifier=6) if not allowed else None
    if allowed:
        *_, packet = other.next_ppp(sstp.IPV4)
        assert packet[24:26] == b"\0\5"
        return
    call.hang_up()
    assert " dropped=1 " in daemon.wait_end(end="done").text


def test_a_client_that_takes_smaller_packets_than_the_device(scene, machine):
    """Whoever sends larger ones is told, as by a router."""
    mtu_discover, always, mtu = 10, 2, 14  # of linux/in.h
    daemon = serve(scene)
    call = client(scene, daemon).call()
    call.lcp({1: struct.pack(">H", 1300), 5: b"\x11\x22\x33\x44"})
    assert call.log_in()[0]
    call.bind()
    call.ipcp()
    call.ping()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, mtu_discover, always)
        sock.connect((call.address, 7))
        assert sock.getsockopt(socket.IPPROTO_IP, mtu) == 1400
        sock.send(bytes(1372))
        until(lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE, "the news")
        assert sock.getsockopt(socket.IPPROTO_IP, mtu) == 1300
        sock.send(bytes(1272))
        *_, packet = call.next_ppp(sstp.IPV4)
        assert len(packet) == 1300


def test_who_asks_is_told_of_routes(scene, machine):
    """As Windows asks: DHCPINFORM, to all."""
    daemon = serve(scene, "vpnClientRoutes = 10.77.0.0/16, 192.168.1.128/25")
    call = client(scene, daemon).dial()
    bootp = struct.pack(">BBBBIHH16x16s192xI", 1, 8, 6, 0, 0xDEADBEEF, 0, 0, b"\1\2\3\4\5\6", 0x63825363)
    message = bootp + b"\x35\1\10\x37\2\x79\xf9\xff"
    datagram = struct.pack(">HHHH", 68, 67, 8 + len(message), 0) + message
    call.send_packet(sstp.ip_packet(call.address, "255.255.255.255", 17, datagram))
    *_, packet = call.next_ppp(sstp.IPV4)
    assert packet[9] == 17 and packet[20:24] == b"\0\x43\0\x44" and packet[32:36] == b"\xde\xad\xbe\xef"
    told = bytes([16, 10, 77, 10, 66, 0, 1, 25, 192, 168, 1, 128, 10, 66, 0, 1])
    assert bytes([249, len(told)]) + told in packet
    assert echo_reply_of(call.ping())


def test_packets_that_are_none(scene, machine):
    daemon = serve(scene)
    call = client(scene, daemon).dial()
    good = sstp.echo_request(call.address, call.peer)
    for bad in (good[:19], b"\x45" + bytes(3), good[:2] + b"\xff\xff" + good[4:], b"\x44" + good[1:]):
        call.send_frame(sstp.IPV4, bad)
    call.send(sstp.data(b""), sstp.data(b"\xff"), sstp.data(b"\xff\x03"), sstp.data(b"\xff\x03\0"))
    assert echo_reply_of(call.ping())


# --- the web server that it looks like

@pytest.mark.parametrize("request_text, status", [
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
    ("GET / HTTP/1.0\r\n\r\n", "404"),
    (f"SSTP_DUPLEX_POST /other HTTP/1.1\r\nHost: x\r\n{sstp.LENGTH}\r\n\r\n", "404"),
    ("BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", "501"),
    ("nonsense\r\n\r\n", "400"),
])
def test_other_requests_are_answered(scene, machine, request_text, status):
    daemon = serve(scene)
    call = client(scene, daemon)
    assert call.http(request_text).split()[1] == status
    assert call.read_to_end() == []
    daemon.wait_end(end="not_sstp")


def test_a_request_in_single_bytes(scene, machine):
    daemon = serve(scene)
    call = client(scene, daemon)
    text = f"SSTP_DUPLEX_POST {sstp.PATH} HTTP/1.1\r\nHost: x\r\n{sstp.LENGTH}\r\n\r\n".encode()
    for i in range(len(text)):
        call.sock.sendall(text[i:i + 1])
    assert call.read_head()[0].split()[1] == "200"
    for byte in sstp.control(sstp.REQUEST, sstp.PPP_ATTRIBUTE):
        call.sock.sendall(bytes([byte]))
    assert 4 in call.expect(sstp.ACK)


# --- messages that are wrong

@pytest.mark.parametrize("packet, answer", [
    (b"\x11\x00\x00\x04", []),
    (b"\x10\x01\x00\x00", []),
    (b"\x10\x00\x00\x03", []),
    (sstp.control(sstp.ECHO_REQUEST), [(sstp.ABORT, 5)]),
    (sstp.control(sstp.CONNECTED), [(sstp.ABORT, 5)]),
    (sstp.control(77), [(sstp.ABORT, 5)]),
    (sstp.control(sstp.REQUEST)[:6] + b"\xff\xff", [(sstp.ABORT, 7)]),
    (sstp.control(sstp.REQUEST, sstp.attribute(1, b"\0\2")), [(sstp.NAK, 4)]),
    (sstp.control(sstp.REQUEST, sstp.PPP_ATTRIBUTE, sstp.attribute(99, b"")), [(sstp.NAK, 2)]),
    (sstp.control(sstp.REQUEST, sstp.PPP_ATTRIBUTE, sstp.PPP_ATTRIBUTE), [(sstp.NAK, 1)]),
    (sstp.control(sstp.REQUEST), [(sstp.NAK, 10)]),
])
def test_wrong_messages(scene, machine, packet, answer):
    daemon = serve(scene)
    call = client(scene, daemon)
    call.http()
    call.send(packet)
    if answer and answer[0][0] == sstp.NAK:
        attributes = call.expect(sstp.NAK)
        assert struct.unpack(">I", attributes[2][4:8])[0] == answer[0][1]
        call.send(sstp.control(sstp.REQUEST, sstp.PPP_ATTRIBUTE))
        assert call.expect(sstp.ACK), "a second attempt is fine"
        return
    if answer:
        assert call.read_control()[0] == sstp.ABORT
        call.send(sstp.control(sstp.ABORT, sstp.status(0, 0)))
    assert call.read_to_end() == []
    daemon.wait_end(end="vpn_protocol", deadline=20)


def test_reserved_bits_are_ignored(scene, machine):
    daemon = serve(scene)
    call = client(scene, daemon)
    call.http()
    call.send(b"\x10\xff\xf0\x0e\x00\x01\x00\x01\xff\x01\xf0\x06\x00\x01")
    assert 4 in call.expect(sstp.ACK)


def test_a_client_that_leaves(scene, machine):
    daemon = serve(scene)
    call = client(scene, daemon).dial()
    call.close()
    daemon.wait_end(end="vpn_lost")
    assert client(scene, daemon).dial().address == "10.66.0.3"


def test_sixty_calls_that_only_begin(scene, machine):
    daemon = serve(scene)
    before = daemon.descriptors()
    half_open = [client(scene, daemon).call() for _ in range(60)]
    assert echo_reply_of(client(scene, daemon).dial().ping())
    for call in half_open:
        call.close()
    daemon.await_descriptors(before + 4)


# --- what is refused when the configuration is read

@pytest.mark.parametrize("lines, complaint", [
    (["vpnPool = 10.66.0.0/24"], "vpnUsers = FILE"),
    (["vpnUsers = USERS"], "vpnPool = NETWORK"),
    (["vpnUsers = USERS", "vpnPool = 10.0.0.0/8"], "from /16 to /30"),
    (["vpnUsers = USERS", "vpnPool = fd00::/64"], "such as 10.66.0.0/24"),
    (["vpnUsers = OPEN", "vpnPool = 10.66.0.0/24"], "everybody can read"),
    (["vpnUsers = USERS", "vpnPool = 10.99.0.0/24"], "none of vpnPool"),
    (["vpnUsers = USERS", "vpnPool = 10.66.0.0/24", "vpnAuth = md5"], 'no method "md5"'),
    (["vpnUsers = USERS", "vpnPool = 10.66.0.0/24", "acceptTLS = no"], "bound to the TLS"),
    (["vpnUsers = USERS", "vpnPool = 10.66.0.0/24", "connect = 80"], "are 3: remove what is too many"),
])
def test_configurations_that_are_refused(scene, lines, complaint):
    closed, opened = users(scene), scene.file("open", "alice:secret\n")
    subprocess.run(["chmod", "644", opened], check=True)
    text = "\n".join(["[vpn]", "accept = 127.0.0.1:0", f"cert = {scene.pki.server.bundle}", "protocol = sstp", *lines])
    path = scene.file("x.conf", text.replace("USERS", closed).replace("OPEN", opened) + "\n")
    done = scene.run("check", path)
    assert done.returncode == 78 and complaint in done.stderr
    assert "secret" not in done.stderr.replace("user:secret", "")
