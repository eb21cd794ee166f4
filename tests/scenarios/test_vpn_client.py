# SPDX-License-Identifier: Apache-2.0
# protocol = sstp as client, before a strict server of the tests' own, which looks at each byte and misbehaves on request.
import contextlib
import signal
import ssl
import struct
import subprocess
import time

import pytest

from lib import sstp
from lib.sstp_server import OK, Listener
from lib.wait import DEADLINE, until

pytestmark = pytest.mark.root

METHODS = ["pap", "chap", "mschapv2", "eap-mschapv2", "eap-tls"]
HASHES = {"sha1": sstp.SHA1, "sha256": sstp.SHA256}


@pytest.fixture
def listener(scene, machine):
    return scene.keep(Listener(scene.pki))


def dial(scene, listener, *lines, auth="mschapv2", host="127.0.0.1", name="client", head=""):
    """The client calls at once."""
    password = scene.secret("password", "secret\n")
    own = [f"cert = {scene.pki.client.path}", f"key = {scene.pki.client.key}"] if "eap-tls" in auth else []
    return scene.daemon("\n".join([
        "[office]", "client = yes", "protocol = sstp", f"connect = {host}:{listener.port}",
        f"CAfile = {scene.pki.ca.path}", "checkHost = server.test", "vpnUsername = alice",
        f"vpnPasswordFile = {password}", f"vpnAuth = {auth}", *own, *lines, "",
    ]), head, name=name)


def standing(client, count=1):
    """(address, device, method)"""
    return client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$", count=count).groups()


def links():
    return subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout


def calls_again(client):
    client.wait_log(r"Calling again in 1000 ms")


# --- a good call

@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("hashes", ["sha1", "sha256", "both"])
@pytest.mark.parametrize("method", METHODS)
def test_every_byte_of_a_call(scene, listener, method, hashes, version):
    """The HTTP request, each message, the login, and the crypto binding with its key; SHA-256 where there is a choice."""
    listener.version = version
    client = dial(scene, listener, auth=method)
    call = listener.accept()
    call.hashes = HASHES.get(hashes, 3)
    call.call().lcp(method).log_in(method, **({"version": version} if method == "eap-tls" else {}))
    call.take_binding().ipcp()
    address, device, by = standing(client)
    assert (address, by) == ("10.66.0.2", method)
    assert call.options == {3: bytes([10, 66, 0, 2]), 129: bytes([9, 9, 9, 9])}
    with subprocess.Popen(["ping", "-c", "1", "-W", "5", "10.66.0.1"], stdout=subprocess.DEVNULL) as ping:
        call.answer_ping()
        assert ping.wait(DEADLINE) == 0
    client.signal(signal.SIGTERM)
    assert call.end() == []
    client.wait_exit()
    client.wait_end(end="done")
    assert device not in links()


@pytest.mark.parametrize("target, host, sni", [
    ("127.0.0.1", "127.0.0.1:{port}", None),
    ("localhost", "localhost:{port}", "localhost"),
    ("localhost\nprotocolHost = vpn.test:443", "vpn.test:443", "localhost"),
    ("localhost\nsni = vpn.test", "localhost:{port}", "vpn.test"),
])
def test_whom_it_asks_for(scene, listener, target, host, sni):
    name, *line = target.split("\n")
    dial(scene, listener, *line, host=name)
    call = listener.accept().take_http()
    assert (call.host, call.sni) == (host.format(port=listener.port), sni)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.0 200 fine\r\n\r\n",
    b"HTTP/1.1 200\r\nContent-Length: 0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 110) for i in range(60)) + b"\r\n",
], ids=["1.0", "no reason", "a head of 7 KiB"])
def test_any_200_will_do(scene, listener, answer):
    client = dial(scene, listener)
    call = listener.accept().http(answer)
    call.expect(sstp.REQUEST)
    call.send(call.ack())
    call.lcp("mschapv2").log_in("mschapv2").take_binding().ipcp()
    standing(client)


def test_bytes_one_by_one(scene, listener):
    """TLS records mean nothing to SSTP; reserved bits neither."""
    client = dial(scene, listener)
    call = listener.accept().take_http()
    for byte in OK:
        call.sock.sendall(bytes([byte]))
    call.in_packets = True
    call.expect(sstp.REQUEST)
    ack = bytearray(call.ack())
    ack[1:3], ack[8:9], ack[10], ack[12:15] = b"\xff\xf0", b"\xff", ack[10] | 0xF0, b"\xff\xff\xff"
    for byte in bytes(ack):
        call.sock.sendall(bytes([byte]))
    call.lcp("mschapv2").log_in("mschapv2").take_binding().ipcp()
    standing(client)


# --- what a server may do wrong, and what becomes of the call

def requested(call):
    call.http().expect(sstp.REQUEST)
    return call


def abort_due(call, about, code):
    """The client aborts, for this reason."""
    info = call.expect(sstp.ABORT)[2]
    assert (info[3], struct.unpack(">I", info[4:8])[0]) == (about, code)


def says(answer):
    """... in place of the HTTP answer."""
    def script(call):
        call.take_http().sock.sendall(answer)
        assert call.read_to_end() == []
    return script


def sends(packet, about, code, after=requested):
    """... which is answered with ABORT; code None: the stream is closed without a word."""
    def script(call):
        after(call)
        call.send(packet(call) if callable(packet) else packet)
        if code is None:
            assert call.read_to_end() == []
        else:
            abort_due(call, about, code)
    return script


def acked(call):
    return call.call()


def stands(call):
    return call.serve("mschapv2")


def with_ack(change):
    """CALL_CONNECT_ACK with another value of its attribute."""
    return lambda call: sstp.control(sstp.ACK, sstp.attribute(
        4, change(b"\0\0\0" + bytes([call.hashes]) + call.nonce)))


def is_aborted(packet, after=requested):
    def script(call):
        after(call).send(packet)
        assert call.expect(sstp.ABORT)[2] == bytes(8)
    return script


def is_disconnected(after):
    def script(call):
        after(call).send(sstp.control(sstp.DISCONNECT, sstp.status(0, 0)))
        call.expect(sstp.DISCONNECT_ACK)
    return script


def leaves(after, rest=b""):
    def script(call):
        after(call)
        call.send(rest)
        call.sock.close()
    return script


def says_goodbye(after):
    """By TLS's close_notify; who has nothing more to say need not answer it."""
    def script(call):
        after(call)
        with contextlib.suppress(ssl.SSLError, OSError):
            call.sock.unwrap()
    return script


def hangs_up_on_us(call, code=5):
    """Terminate-Request and DISCONNECT, both answered."""
    protocol, got, identifier, _ = call.next_ppp(sstp.LCP)
    assert (protocol, got) == (sstp.LCP, code)
    call.send_ppp(sstp.LCP, 6, identifier)
    call.expect(sstp.DISCONNECT)
    call.send(sstp.control(sstp.DISCONNECT_ACK))
    assert call.read_to_end() == []


def logs_in(method, **how):
    """A login that ends the call."""
    def script(call):
        call.call().lcp(method).log_in(method, **how)
        hangs_up_on_us(call)
    return script


def asks_for_no_login(call):
    call.call().lcp(None)
    hangs_up_on_us(call)


def insists_on_pap(call):
    """The client proposes what it does, five times, then rejects; both are refused."""
    call.call()
    for i in range(10):
        call.send_ppp(sstp.LCP, 1, i, b"\3\4\xc0\x23")
        while True:
            _, code, identifier, payload = call.next_ppp(sstp.LCP)
            if code != 1:
                break
            call.send_ppp(sstp.LCP, 2, identifier, payload)
        assert (code, payload) == ((3, b"\3\5\xc2\x23\x81") if i < 5 else (4, b"\3\4\xc0\x23"))
    call.send_ppp(sstp.LCP, 5, 99)
    assert call.next_ppp(sstp.LCP)[1] == 6
    call.expect(sstp.DISCONNECT)


def naks_for_ever(call):
    """Ten requests, and no more."""
    call.call()
    while True:
        packet = call.next_packet()
        if packet[1] == 1:
            break
        call.send_ppp(sstp.LCP, 3, packet[9], b"\1\4\2\x58")
    assert packet == sstp.control(sstp.DISCONNECT, sstp.status(0, 0)) and call.requests_of_lcp == 10


def echoes_all(call):
    """A loop: the client never agrees with itself."""
    call.call()
    while (packet := call.next_packet())[1] == 0:
        assert packet[8] == 1, "it answers nothing of its own"
        call.send(packet)
    assert packet == sstp.control(sstp.ABORT, sstp.status(0, 8))


def loops_when_it_stands(call):
    """LCP's Echo-Requests come back: their magic number is the client's own."""
    stands(call)
    for _ in range(3):
        while True:
            protocol, packet = call.next_frame()
            if protocol == sstp.LCP and packet[0] == 9:
                break
        call.send_frame(protocol, packet)
    hangs_up_on_us(call)


def gives(address, rejected=False):
    def script(call):
        call.call().lcp("mschapv2").log_in("mschapv2").take_binding()
        if rejected:
            while True:
                _, code, identifier, payload = call.next_ppp(sstp.IPCP, sstp.LCP)
                if code == 5:
                    break
                call.send_ppp(sstp.IPCP, 4, identifier, payload)
            call.send_ppp(sstp.LCP, 6, identifier)
            call.expect(sstp.DISCONNECT)
            return
        call.ipcp(address=address)
        hangs_up_on_us(call)
    return script


def rejects_ipcp(call):
    call.call().lcp("mschapv2").log_in("mschapv2").take_binding()
    *_, code, identifier, payload = call.next_ppp(sstp.IPCP)
    call.send_ppp(sstp.LCP, 8, 1, struct.pack(">HBBH", sstp.IPCP, code, identifier, 4 + len(payload)) + payload)
    hangs_up_on_us(call)


def succeeds_without_proof(call):
    call.call().lcp("eap-mschapv2").log_in("eap-mschapv2", early=True)
    abort_due(call, 0, 8)


def says_nothing_to(after):
    def script(call):
        after(call)
        abort_due(call, 0, 8)
    return script


def answers_no_echo(call):
    """One question, and then the end without a word."""
    stands(call)
    seen = call.read_to_end()
    assert [kind for kind, _ in seen] == [sstp.ECHO_REQUEST]


def answers_no_echo_of_ppp(call):
    """SSTP lives, PPP does not."""
    stands(call)
    while (packet := call.next_packet())[1] == 0 or packet[5] == sstp.ECHO_REQUEST:
        call.send(sstp.control(sstp.ECHO_RESPONSE))
    assert packet == sstp.control(sstp.DISCONNECT, sstp.status(0, 0))


def shift(position, value):
    """A proof with another digit; what follows stays."""
    return lambda proof: proof[:position] + (value if proof[position:position + 1] != value else b"0") + \
        proof[position + 1:]


SLOW = "vpnTimeout = 1"
WRONG = {
    # HTTP
    "404": (says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "vpn_refused"),
    "503": (says(b"HTTP/1.1 503 Busy\r\n\r\n"), "vpn_refused"),
    "no HTTP": (says(b"220 mail.test ESMTP\r\n\r\n"), "vpn_refused"),
    "a head of 9 KiB": (says(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 9000 + b"\r\n\r\n"), "vpn_refused"),
    "no HTTP answer": (says(b""), "setup_timeout", "TIMEOUTbusy = 1"),
    "half of an HTTP answer": (says(OK[:-1]), "setup_timeout", "TIMEOUTbusy = 1"),
    # the request
    "NAK": (sends(sstp.control(sstp.NAK, sstp.status(1, 4) + b"\0\1"), 0, 7), "vpn_protocol"),
    "NAK in its form": (sends(sstp.control(sstp.NAK, sstp.attribute(2, b"\0\0\0\1\0\0\0\4\0\1")), 0, 6), "vpn_refused"),
    "NAK without a status": (sends(sstp.control(sstp.NAK), 0, 6), "vpn_refused"),
    "ACK without an attribute": (sends(sstp.control(sstp.ACK), 4, 9), "vpn_protocol"),
    "ACK with another attribute": (sends(sstp.control(sstp.ACK, sstp.PPP_ATTRIBUTE), 4, 9), "vpn_protocol"),
    "a short nonce": (sends(with_ack(lambda value: value[:-1]), 4, 9), "vpn_protocol"),
    "a long nonce": (sends(with_ack(lambda value: value + b"\0"), 4, 9), "vpn_protocol"),
    "no hash": (sends(with_ack(lambda value: b"\0\0\0\0" + value[4:]), 4, 4), "vpn_refused"),
    "no hash that is known": (sends(with_ack(lambda value: b"\0\0\0\4" + value[4:]), 4, 4), "vpn_refused"),
    "an echo too early": (sends(sstp.control(sstp.ECHO_REQUEST), 0, 5), "vpn_protocol"),
    "our request comes back": (sends(sstp.control(sstp.REQUEST, sstp.PPP_ATTRIBUTE), 0, 5), "vpn_protocol"),
    "a proof of the server's": (sends(sstp.control(sstp.CONNECTED), 0, 5), "vpn_protocol"),
    "an unasked DISCONNECT_ACK": (sends(sstp.control(sstp.DISCONNECT_ACK), 0, 5), "vpn_protocol"),
    "ACK twice": (sends(lambda call: call.ack(), 0, 5, acked), "vpn_protocol"),
    "NAK behind ACK": (sends(sstp.control(sstp.NAK), 0, 5, acked), "vpn_protocol"),
    "ACK when it stands": (sends(lambda call: call.ack(), 0, 5, stands), "vpn_protocol"),
    "a proof when it stands": (sends(sstp.control(sstp.CONNECTED), 0, 5, stands), "vpn_protocol"),
    # messages
    "type 0": (sends(sstp.control(0), 0, 5), "vpn_protocol"),
    "type 77": (sends(sstp.control(77), 0, 5), "vpn_protocol"),
    "65535 attributes": (sends(sstp.control(sstp.ACK)[:6] + b"\xff\xff", 0, 7), "vpn_protocol"),
    "an attribute of no length": (sends(sstp.control(sstp.ACK, b"\0\4\0\0"), 0, 7), "vpn_protocol"),
    "an attribute beyond the end": (sends(sstp.control(sstp.ACK, b"\0\4\0\x28"), 0, 7), "vpn_protocol"),
    "bytes behind the attributes": (sends(sstp.control(sstp.ACK, b"")[:3] + b"\x09\0\2\0\0\0", 0, 7), "vpn_protocol"),
    "a message of 4095 bytes": (sends(b"\x10\x01\x0f\xff\0\2\0\1" + bytes(4087), 0, 7), "vpn_protocol"),
    "a message of 7 bytes": (sends(b"\x10\x01\0\7\0\2\0", 0, None), "vpn_protocol"),
    "version 1.1": (sends(b"\x11\0\0\4", 0, None), "vpn_protocol"),
    "length 0": (sends(b"\x10\0\0\0", 0, None), "vpn_protocol"),
    "length 3": (sends(b"\x10\1\0\3", 0, None, stands), "vpn_protocol"),
    "more than any login": (sends(sstp.data(bytes(4000)) * 17, 0, None, acked), "vpn_protocol"),
    # no answers
    "silence behind the request": (says_nothing_to(requested), "vpn_slow", SLOW),
    "silence in LCP": (says_nothing_to(acked), "vpn_slow", SLOW),
    "silence in the login": (says_nothing_to(lambda call: call.call().lcp("mschapv2")), "vpn_slow", SLOW),
    "no answer to echoes": (answers_no_echo, "vpn_silent", "vpnKeepalive = 1"),
    "no answer to echoes of PPP": (answers_no_echo_of_ppp, "vpn_silent", "vpnKeepalive = 1"),
    # ends
    **{f"ABORT {code}": (is_aborted(sstp.control(sstp.ABORT, sstp.status(0, code))), "vpn_aborted") for code in range(13)},
    "a bare ABORT": (is_aborted(sstp.control(sstp.ABORT), acked), "vpn_aborted"),
    "ABORT when it stands": (is_aborted(sstp.control(sstp.ABORT, sstp.status(3, 4)), stands), "vpn_aborted"),
    "DISCONNECT first of all": (is_disconnected(requested), "vpn_refused"),
    "DISCONNECT in LCP": (is_disconnected(acked), "vpn_refused"),
    "DISCONNECT when it stands": (is_disconnected(stands), "done"),
    "it leaves behind the request": (leaves(requested), "vpn_lost"),
    "it leaves when it stands": (leaves(stands), "vpn_lost"),
    "it says goodbye": (says_goodbye(stands), "vpn_lost"),
    "it leaves in the middle of a packet": (leaves(stands, b"\x10\0\0\x40\xff"), "vpn_lost"),
    # PPP
    "no login": (asks_for_no_login, "vpn_method"),
    "another method": (insists_on_pap, "vpn_refused"),
    "Naks without end": (naks_for_ever, "vpn_protocol"),
    "a loop": (echoes_all, "vpn_slow", SLOW),
    "a loop when it stands": (loops_when_it_stands, "vpn_protocol", "vpnKeepalive = 1"),
    "a wrong proof": (logs_in("mschapv2", spoil=shift(2, b"F")), "vpn_impostor"),
    "a proof with a wrong end": (logs_in("mschapv2", spoil=shift(41, b"F")), "vpn_impostor"),
    "half of a proof": (logs_in("mschapv2", spoil=lambda proof: proof[:21]), "vpn_impostor"),
    "no proof": (logs_in("mschapv2", spoil=lambda proof: b"M=welcome"), "vpn_impostor"),
    "an empty proof": (logs_in("mschapv2", spoil=lambda proof: b""), "vpn_impostor"),
    "a wrong proof in EAP": (logs_in("eap-mschapv2", spoil=shift(2, b"F")), "vpn_impostor", "auth=eap-mschapv2"),
    "EAP's Success without a proof": (succeeds_without_proof, "vpn_slow", SLOW, "auth=eap-mschapv2"),
    "error 691": (logs_in("mschapv2", refuse=b"E=691 R=0 C=00 V=3 M=no"), "vpn_auth"),
    "error 691, once more": (logs_in("mschapv2", refuse=b"E=691 R=1 C=00112233445566778899aabbccddeeff V=3"), "vpn_auth"),
    "a password that has expired": (logs_in("mschapv2", refuse=b"E=648 R=0 C=00 V=3"), "vpn_auth"),
    "PAP's Nak": (logs_in("pap", good=False), "vpn_auth", "auth=pap"),
    "CHAP's Failure": (logs_in("chap", good=False), "vpn_auth", "auth=chap"),
    "an address of this machine": (gives("127.0.0.1"), "vpn_network"),
    "an address of many": (gives("224.0.0.1"), "vpn_network"),
    "an address of all": (gives("255.255.255.255"), "vpn_network"),
    "no address": (gives(None, rejected=True), "vpn_network"),
    "no IPv4": (rejects_ipcp, "vpn_network"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_server_that_does_wrong(scene, listener, what):
    """The call ends as it should, for the reason that is documented, and the next one is due."""
    script, end, *rest = WRONG[what]
    lines = [line for line in rest if not line.startswith("auth=")]
    client = dial(scene, listener, *lines, auth=next((line[5:] for line in rest if line.startswith("auth=")), "mschapv2"))
    call = listener.accept()
    script(call)
    call.sock.close()
    client.wait_end(end=end)
    calls_again(client)
    assert "secret" not in client.log()
    until(lambda: "ginnel0" not in links(), "no device is left")


@pytest.mark.parametrize("what, waits", [
    ("our ABORT", 3), ("their ABORT", 1), ("their DISCONNECT", 1), ("our DISCONNECT", 5),
])
def test_who_says_nothing_more_is_left_in_time(scene, listener, what, waits):
    """MS-SSTP 3.1.2: so many seconds, and the stream is closed from this side."""
    client = dial(scene, listener)
    call = requested(listener.accept())
    began = time.monotonic()
    call.send({
        "our ABORT": sstp.control(77), "their ABORT": sstp.control(sstp.ABORT, sstp.status(0, 0)),
        "their DISCONNECT": sstp.control(sstp.DISCONNECT, sstp.status(0, 0)), "our DISCONNECT": call.ack(),
    }[what])
    if what == "our DISCONNECT":
        call.send_ppp(sstp.LCP, 5, 1)
    kind, _ = call.read_control()
    assert kind == {"our ABORT": sstp.ABORT, "their ABORT": sstp.ABORT, "their DISCONNECT": sstp.DISCONNECT_ACK,
                    "our DISCONNECT": sstp.DISCONNECT}[what]
    call.send(sstp.control(sstp.ECHO_REQUEST), call.ack(), sstp.control(77), sstp.data(b"\xff\x03\xc0\x21"))
    assert call.read_to_end() == [], "in its last moments it answers nothing"
    assert time.monotonic() - began >= waits
    calls_again(client)


# --- a call that stands

def test_a_storm_of_echoes_is_answered_in_part(scene, listener):
    client = dial(scene, listener)
    call = stands(listener.accept())
    standing(client)
    call.send(*[sstp.control(sstp.ECHO_REQUEST)] * 500)
    call.send_ppp(sstp.LCP, 9, 77, bytes(4))
    answers = 0
    while not call.frames or call.frames[-1][4:6] != b"\x0a\x4d":
        packet = call.next_packet()
        if packet[1] == 1:
            answers += packet[5] == sstp.ECHO_RESPONSE
        else:
            call.frames.append(packet[4:])
    assert 0 < answers <= 8


def test_packets_that_are_none_are_dropped(scene, listener):
    client = dial(scene, listener, "vpnRoutes = 10.66.0.0/24")
    call = stands(listener.accept())
    standing(client)
    good = sstp.echo_request("10.66.0.1", "10.66.0.2")
    for bad in (b"", good[:19], b"\x45" + bytes(3), good[:2] + b"\xff\xff" + good[4:], b"\x44" + good[1:], b"\x65" + good[1:]):
        call.send_frame(sstp.IPV4, bad)
    call.send(sstp.data(b""), sstp.data(b"\xff"), sstp.data(b"\xff\x03"), sstp.data(b"\xff\x03\0"))
    call.send_frame(0x003D, b"multilink")
    call.send_frame(sstp.IPV4, good)
    while True:
        *_, packet = call.next_ppp(sstp.IPV4)
        if packet[9] == 1 and packet[20] == 0:
            break
    assert client.alive


@pytest.mark.sanitize
def test_a_server_that_begins_anew_before_all_addresses_are_there(scene, listener):
    """The client is at rest meanwhile, however long that takes, and then its time for IPv6 begins anew, too."""
    client = dial(scene, listener)
    call = listener.accept()
    call.ipv6 = "ignore"
    call.serve("mschapv2")
    call.send_ppp(sstp.LCP, 1, 77, b"\3\5\xc2\x23\x81")
    for _ in range(2):  # the second one comes 3 seconds later, when the time for IPv6 would be over
        while call.next_ppp(sstp.LCP)[1] != 1:
            pass
    before = client.wakes()
    with pytest.raises(TimeoutError):  # half a second in which it says nothing
        call.sock.settimeout(0.5)
        call.sock.recv(1)
    assert client.wakes() - before < 20
    call.sock.settimeout(DEADLINE)
    call.ipv6 = "take"
    call.lcp("mschapv2").log_in("mschapv2").ipcp()
    call.negotiate(sstp.IPV6CP, {1: bytes(7) + b"\1"}, lambda options: (2, options))
    call.send_frame(sstp.IPV6, sstp.advertisement("fd66:0:0:2::"))
    assert [address.split(":")[0] for address in standing(client)[0].split(",")] == ["10.66.0.2", "fd66"]


def test_what_ppp_does_not_know_is_rejected(scene, listener):
    """Options, codes and protocols, each in its own way, and the call goes on."""
    dial(scene, listener)
    call = listener.accept().call()
    call.send_ppp(sstp.LCP, 1, 1, b"\5\6\0\0\0\0" b"\x0d\3\6" b"\3\5\xc2\x23\x81")
    asked = call.next_frame()[1]  # its own request, which is answered below
    _, code, identifier, payload = call.next_ppp(sstp.LCP)
    call.frames.insert(0, b"\xff\x03\xc0\x21" + asked)
    assert (code, identifier, payload) == (4, 1, b"\5\6\0\0\0\0\x0d\3\6"), "a magic number of zero, and callback"
    call.lcp("mschapv2").log_in("mschapv2").take_binding().ipcp()
    call.send_ppp(sstp.LCP, 77, 5, b"what")
    _, code, _, payload = call.next_ppp(sstp.LCP)
    assert (code, payload) == (7, b"\x4d\5\0\x08what")
    call.send_ppp(0x80FD, 1, 6, b"\x12\6\0\0\0\x40")
    _, code, _, payload = call.next_ppp(sstp.LCP)
    assert (code, payload) == (8, b"\x80\xfd\1\6\0\x0a\x12\6\0\0\0\x40")


# --- call after call

OTHER = "[other]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\nclient = yes\n"


def test_it_waits_longer_and_longer(scene, listener):
    client = dial(scene, listener)
    for wait in (1, 2, 4):
        call, began = listener.accept(), time.monotonic()
        call.http(b"HTTP/1.1 503 Busy\r\n\r\n").sock.close()
        client.wait_log(f"Calling again in {wait}000 ms")
    listener.accept()
    assert time.monotonic() - began >= 4


def test_each_call_is_bound_to_its_own_certificate(scene, listener):
    """A renewed one is as good; one of another CA gets not even a request."""
    client = dial(scene, listener)
    for identity in (scene.pki.server, scene.pki.ca.issue("server.test", sans=["server.test"], label="renewed")):
        listener.identity = identity
        call = stands(listener.accept())
        call.send(sstp.control(sstp.DISCONNECT, sstp.status(0, 0)))
        call.expect(sstp.DISCONNECT_ACK)
        call.sock.close()
    client.wait_end(end="done", count=2)
    listener.identity = scene.pki.other_ca.issue("server.test", sans=["server.test"], label="another-ca")
    with pytest.raises((ssl.SSLError, sstp.Ended, ConnectionError)):
        listener.accept().take_http()
    client.wait_end(end="cert_rejected")
    calls_again(client)


def test_through_an_http_proxy(scene, listener):
    proxy = scene.daemon("[proxy]\naccept = 127.0.0.1:0\nprotocol = connect\nacceptTLS = no\nallow = * -> localhost\n",
                         name="proxy")
    client = dial(scene, listener, f"proxyVia = http://127.0.0.1:{proxy.port('proxy')}", host="localhost")
    call = listener.accept().call().lcp("mschapv2").log_in("mschapv2").take_binding().ipcp()
    assert (call.host, call.sni) == (f"localhost:{listener.port}", "localhost")
    standing(client)
    client.signal(signal.SIGTERM)
    assert call.end() == []
    call.sock.close()
    client.wait_exit()
    proxy.wait_end(end="done")


@pytest.mark.sanitize
def test_a_reload_leaves_the_call_alone(scene, listener):
    """The next call is by the new configuration."""
    client = dial(scene, listener)
    call = stands(listener.accept())
    standing(client)
    with open(client.path, encoding="utf-8") as file:
        text = file.read()
    client.write(whole=text.replace("vpnUsername = alice", "vpnUsername = bob"))
    client.reload()
    client.reload()
    call.send(sstp.control(sstp.ECHO_REQUEST))
    call.expect(sstp.ECHO_RESPONSE)
    assert not listener.somebody_waits()
    call.send(sstp.control(sstp.DISCONNECT, sstp.status(0, 0)))
    call.expect(sstp.DISCONNECT_ACK)
    call.sock.close()
    second = listener.accept()
    second.user = "bob"
    second.serve("mschapv2")
    standing(client, 2)


@pytest.mark.sanitize
def test_a_reload_without_the_section_hangs_up(scene, listener):
    client = dial(scene, listener)
    call = stands(listener.accept())
    _, device, _ = standing(client)
    client.write(OTHER)
    client.reload()
    assert call.end() == []
    client.wait_end(end="done")
    assert device not in links() and "Calling again" not in client.log()


@pytest.mark.sanitize
def test_a_call_that_was_kept_over_a_reload_is_hung_up_by_the_next(scene, listener):
    """It belongs to the section of the second plan by then, and its end comes when that plan has gone, too."""
    client = dial(scene, listener)
    call = stands(listener.accept())
    _, device, _ = standing(client)
    client.reload()
    client.write(OTHER)
    client.reload()
    client.reload()
    assert call.end() == []
    client.wait_end(end="done")
    assert device not in links() and "Calling again" not in client.log()


@pytest.mark.sanitize
@pytest.mark.parametrize("reloads", [0, 1])
@pytest.mark.parametrize("reached", ["TLS", "HTTP"])
def test_a_call_that_is_still_dialled_ends_with_its_section(scene, listener, reached, reloads):
    """Nobody waits until it stands, or for TIMEOUTbusy."""
    client = dial(scene, listener)
    if reached == "HTTP":
        listener.accept().take_http()
    else:
        client.wait_log("connected remote server")
    for _ in range(reloads):
        client.reload()
    client.write(OTHER)
    client.reload()
    client.wait_end(end="shutdown")
    client.reload()
    assert "Calling again" not in client.log()


def test_a_reload_calls_at_once(scene, listener):
    """Somebody has mended what was wrong, and need not wait for the next attempt."""
    client = dial(scene, listener, "vpnUsername = bob")
    for _ in range(3):
        call = listener.accept()
        call.user = "bob"
        call.call().lcp("mschapv2").log_in("mschapv2", refuse=b"E=691 R=0 C=00 V=3")
        hangs_up_on_us(call)
    client.wait_log("Calling again in 4000 ms")
    with open(client.path, encoding="utf-8") as file:
        text = file.read()
    client.write(whole=text.replace("vpnUsername = bob", ""))
    mark = client.mark()
    client.reload()
    stands(listener.accept())
    client.wait_log("VPN: 10.66.0.2", after=mark)
