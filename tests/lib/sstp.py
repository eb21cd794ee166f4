# SPDX-License-Identifier: Apache-2.0
# SSTP and as much of PPP as a call needs, written by the specification alone: a strict peer for ginnel, which can also
# do wrong on request.
import hashlib
import hmac
import os
import socket
import ssl
import struct

from lib import nt
from lib.wait import DEADLINE

PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
LENGTH = "Content-Length: 18446744073709551615"
REQUEST, ACK, NAK, CONNECTED, ABORT, DISCONNECT, DISCONNECT_ACK, ECHO_REQUEST, ECHO_RESPONSE = range(1, 10)
LCP, PAP, CHAP, IPCP, IPV6CP, IPV4, IPV6 = 0xC021, 0xC023, 0xC223, 0x8021, 0x8057, 0x0021, 0x0057
SHA1, SHA256 = 1, 2
HASHES = {SHA1: hashlib.sha1, SHA256: hashlib.sha256}
PPP_ATTRIBUTE = bytes.fromhex("000100060001")


class Ended(Exception):
    """The peer closed the stream."""


class Wrong(AssertionError):
    """The peer broke a rule."""


def control(kind, *attributes):
    body = struct.pack(">HH", kind, len(attributes)) + b"".join(attributes)
    return b"\x10\x01" + struct.pack(">H", 4 + len(body)) + body


def attribute(number, value):
    return struct.pack(">BBH", 0, number, 4 + len(value)) + value


def data(frame):
    return b"\x10\x00" + struct.pack(">H", 4 + len(frame)) + frame


def status(about, code):
    return attribute(2, b"\0\0\0" + bytes([about]) + struct.pack(">I", code))


def compound_mac(hash_id, hlak, packet):
    make = HASHES[hash_id]
    size = make().digest_size
    cmk = hmac.new(hlak, b"SSTP inner method derived CMK" + struct.pack("<H", size) + b"\x01", make).digest()
    return hmac.new(cmk, packet[:80] + bytes(32), make).digest().ljust(32, b"\0")


def connected(hash_id, nonce, certificate, hlak):
    """CALL_CONNECTED, whole."""
    digest = HASHES[hash_id](certificate).digest().ljust(32, b"\0")
    packet = control(CONNECTED, attribute(3, b"\0\0\0" + bytes([hash_id]) + nonce + digest + bytes(32)))
    return packet[:80] + compound_mac(hash_id, hlak, packet)


class Call:
    """One end of a call on a TLS socket."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(DEADLINE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # one small message after the other
        self.received = b""
        self.frames = []  # PPP frames that came and nobody has asked for yet
        self.later = []  # what IPV6CP said while another protocol was awaited
        self.identifier = 0
        self.options = {}
        self.address = self.peer = None

    # --- the stream

    def fill(self):
        try:
            more = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError) as error:
            raise Ended(str(error)) from None
        if not more:
            raise Ended("closed")
        self.received += more

    def read_head(self):
        while b"\r\n\r\n" not in self.received:
            self.fill()
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        return head.decode("latin-1").split("\r\n")

    def next_packet(self):
        """A packet of SSTP, header and all."""
        while True:
            if len(self.received) >= 4:
                version, flags, size = struct.unpack(">BBH", self.received[:4])
                if version != 0x10 or flags > 1 or not 4 <= size <= 4095:
                    raise Wrong(f"a header of {self.received[:4].hex()}")
                if len(self.received) >= size:
                    packet, self.received = self.received[:size], self.received[size:]
                    return packet
            self.fill()

    def read_packet(self):
        """(is control, body)"""
        packet = self.next_packet()
        return packet[1] == 1, packet[4:]

    def read_control(self):
        """The next control message; frames in between are kept."""
        while True:
            is_control, body = self.read_packet()
            if is_control:
                kind, count = struct.unpack(">HH", body[:4])
                attributes, at = {}, 4
                for _ in range(count):
                    _, number, size = struct.unpack(">BBH", body[at:at + 4])
                    attributes[number] = body[at + 4:at + size]
                    at += size
                if at != len(body):
                    raise Wrong(f"bytes behind the attributes: {body.hex()}")
                return kind, attributes
            self.frames.append(body)

    def expect(self, kind):
        got, attributes = self.read_control()
        if got != kind:
            raise Wrong(f"message {got} instead of {kind}: {attributes}")
        return attributes

    def send(self, *packets):
        self.sock.sendall(b"".join(packets))

    def read_to_end(self):
        """All control messages until the stream ends: [(kind, status code)]."""
        seen = []
        try:
            while True:
                kind, attributes = self.read_control()
                info = attributes.get(2)
                seen.append((kind, struct.unpack(">I", info[4:8])[0] if info else None))
        except Ended:
            return seen

    # --- PPP

    def send_frame(self, protocol, payload):
        self.send(data(b"\xff\x03" + struct.pack(">H", protocol) + payload))

    def send_ppp(self, protocol, code, identifier, payload=b""):
        self.send_frame(protocol, struct.pack(">BBH", code, identifier, 4 + len(payload)) + payload)

    def next_frame(self):
        while not self.frames:
            is_control, body = self.read_packet()
            if is_control:
                kind, attributes = struct.unpack(">H", body[:2])[0], body[4:]
                if kind == ECHO_REQUEST:
                    self.send(control(ECHO_RESPONSE))
                    continue
                raise Wrong(f"message {kind} in the middle of PPP: {attributes.hex()}")
            self.frames.append(body)
        frame = self.frames.pop(0)
        if frame[:2] != b"\xff\x03":
            raise Wrong(f"a frame without FF 03: {frame[:8].hex()}")
        return struct.unpack(">H", frame[2:4])[0], frame[4:]

    def next_ppp(self, *wanted):
        """(protocol, code, id, payload) of the next one of these protocols; LCP echoes are answered."""
        while True:
            if IPV6CP in wanted and self.later:
                protocol, packet = self.later.pop(0)
            else:
                protocol, packet = self.next_frame()
            if protocol == IPV6CP and protocol not in wanted:
                self.later.append((protocol, packet))
                continue
            if protocol in (IPV4, IPV6):
                if protocol in wanted:
                    return protocol, None, None, packet
                continue
            code, identifier, size = struct.unpack(">BBH", packet[:4])
            if protocol == LCP and code == 9:
                self.send_ppp(LCP, 10, identifier, bytes(4) + packet[8:size])
                continue
            if protocol in wanted:
                return protocol, code, identifier, packet[4:size]

    @staticmethod
    def options_of(payload):
        options, at = {}, 0
        while at < len(payload):
            kind, size = payload[at], payload[at + 1]
            options[kind] = payload[at + 2:at + size]
            at += size
        return options

    @staticmethod
    def make_options(options):
        return b"".join(bytes([kind, 2 + len(value)]) + value for kind, value in options.items())

    def negotiate(self, protocol, ours, accept):
        """
        Both directions to Ack.  `accept(options)` gives (code, options) to answer with.  What the peer Naks is
        taken, what it Rejects is dropped.  Returns the peer's options.
        """
        self.identifier += 1
        self.send_ppp(protocol, 1, self.identifier, self.make_options(ours))
        theirs, acked = None, False
        while theirs is None or not acked:
            _, code, identifier, payload = self.next_ppp(protocol)
            if code == 1:
                answer, options = accept(self.options_of(payload))
                self.send_ppp(protocol, answer, identifier, payload if answer == 2 else self.make_options(options))
                if answer == 2:
                    theirs = self.options_of(payload)
            elif code == 2:
                if payload != self.make_options(ours) or identifier != self.identifier:
                    raise Wrong("an Ack of something else")
                acked = True
            elif code in (3, 4):
                for kind, value in self.options_of(payload).items():
                    if code == 3:
                        ours[kind] = value
                    else:
                        ours.pop(kind, None)
                self.identifier += 1
                self.send_ppp(protocol, 1, self.identifier, self.make_options(ours))
            else:
                raise Wrong(f"code {code} in {protocol:x}: {payload!r}")
        return theirs


class Client(Call):
    """Dials a server, step by step, so that a test can stop or do wrong in between."""

    def __init__(self, port, context, user="alice", password="secret", host="127.0.0.1", source=None):
        plain = socket.create_connection((host, port), DEADLINE, source_address=source)
        super().__init__(context.wrap_socket(plain, server_hostname="server.test"))
        self.certificate = self.sock.getpeercert(True)
        self.user, self.password = user, password
        self.hlak = bytes(32)
        self.nonce = self.hashes = None

    def close(self):
        self.sock.close()

    def hang_up(self):
        """We say goodbye, and the server answers."""
        self.send(control(DISCONNECT, status(0, 0)))
        assert self.read_to_end() == [(DISCONNECT_ACK, None)]

    def be_hung_up(self):
        """The server says goodbye, in PPP and in SSTP."""
        _, code, identifier, _ = self.next_ppp(LCP)
        assert code == 5
        self.send_ppp(LCP, 6, identifier)
        self.expect(DISCONNECT)
        self.send(control(DISCONNECT_ACK))
        assert self.read_to_end() == []

    def http(self, request=None):
        """Returns the status line."""
        head = request or "\r\n".join([
            f"SSTP_DUPLEX_POST {PATH} HTTP/1.1", "Host: server.test", LENGTH, "SSTPCORRELATIONID: {test}", "", "",
        ])
        self.sock.sendall(head.encode())
        return self.read_head()[0]

    def call(self):
        """HTTP, and the SSTP part up to the server's ACK."""
        assert self.http().split()[1] == "200"
        self.send(control(REQUEST, PPP_ATTRIBUTE))
        binding = self.expect(ACK)[4]
        self.hashes, self.nonce = binding[3], binding[4:36]
        return self

    def lcp(self, ours=None):
        """Returns the method that the server wants, e.g. c22381."""
        theirs = self.negotiate(LCP, {5: os.urandom(4)} if ours is None else ours, lambda options: (2, options))
        return theirs[3].hex()

    def log_in(self, spoil=b""):
        """By MS-CHAPv2; `spoil` goes behind the password."""
        _, code, identifier, payload = self.next_ppp(CHAP)
        assert code == 1 and payload[0] == 16
        challenge, peer = payload[1:17], os.urandom(16)
        password = self.password + spoil.decode()
        answer = nt.response(challenge, peer, self.user, password)
        self.send_ppp(CHAP, 2, identifier, bytes([49]) + peer + bytes(8) + answer + b"\0" + self.user.encode())
        _, code, back, payload = self.next_ppp(CHAP)
        assert back == identifier
        if code == 3:
            proof = nt.proof(challenge, peer, self.user, password, answer)
            if payload[:42].decode() != proof:
                raise Wrong(f"the server's proof is {payload!r}, not {proof}")
            self.hlak = nt.hlak(password, answer)
        return code == 3, payload

    def log_in_pap(self):
        user, password = self.user.encode(), self.password.encode()
        self.identifier += 1
        self.send_ppp(PAP, 1, self.identifier, bytes([len(user)]) + user + bytes([len(password)]) + password)
        _, code, identifier, payload = self.next_ppp(PAP)
        assert identifier == self.identifier
        return code == 2, payload

    def log_in_chap(self):
        _, code, identifier, payload = self.next_ppp(CHAP)
        assert code == 1
        challenge = payload[1:1 + payload[0]]
        value = hashlib.md5(bytes([identifier]) + self.password.encode() + challenge).digest()
        self.send_ppp(CHAP, 2, identifier, bytes([16]) + value + self.user.encode())
        _, code, back, payload = self.next_ppp(CHAP)
        assert back == identifier
        return code == 3, payload

    def bind(self, hash_id=SHA256):
        self.send(connected(hash_id, self.nonce, self.certificate, self.hlak))

    def ipcp(self, dns=False):
        def accept(options):
            self.peer = socket.inet_ntoa(options[3])
            return 2, options

        ours = {3: bytes(4)}
        if dns:
            ours.update({129: bytes(4), 131: bytes(4)})
        self.negotiate(IPCP, ours, accept)
        self.options = ours
        self.address = socket.inet_ntoa(ours[3])
        return self.address

    def ipv6cp(self, identifier=bytes.fromhex("0011223344556677")):
        """Returns the server's identifier; ours may be changed by it."""
        ours = {1: identifier}
        theirs = self.negotiate(IPV6CP, ours, lambda options: (2, options))
        self.interface = ours[1]
        return theirs[1]

    def router(self):
        """The next advertisement, as (prefix, MTU, name servers); its checksum and its other rules are checked."""
        *_, packet = self.next_ppp(IPV6)
        source, message = packet[8:24], packet[40:]
        if packet[6:8] != b"\x3a\xff" or source[:8] != LINK_LOCAL or checksum6(packet) != 0:
            raise Wrong(f"an advertisement in {packet.hex()}")
        if message[:2] != b"\x86\0":
            raise Wrong(f"no advertisement: {message.hex()}")
        prefix, mtu, servers, at = None, None, [], 16
        while at < len(message):
            kind, size = message[at], 8 * message[at + 1]
            value = message[at + 2:at + size]
            if kind == 3 and value[0] == 64 and value[1] & 0x40:
                prefix = socket.inet_ntop(socket.AF_INET6, value[14:30])
            elif kind == 5:
                mtu = struct.unpack(">I", value[2:6])[0]
            elif kind == 25:
                servers = [socket.inet_ntop(socket.AF_INET6, value[i:i + 16]) for i in range(6, len(value), 16)]
            at += size
        return prefix, mtu, servers

    def dial(self, **how):
        """All of it."""
        self.call()
        self.lcp()
        good, text = self.log_in()
        assert good, text
        self.bind(**how)
        self.ipcp()
        return self

    # --- packets

    def send_packet(self, packet):
        self.send_frame(IPV6 if packet[0] >> 4 == 6 else IPV4, packet)

    def ping(self, target=None, source=None, identifier=7, size=32):
        """Send one and await its answer; None in place of it if another packet came."""
        source, target = source or self.address, target or self.peer
        self.send_packet(echo_request(source, target, identifier, size))
        *_, packet = self.next_ppp(IPV4)
        return packet


def checksum(octets):
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source, target, protocol, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


LINK_LOCAL = bytes.fromhex("fe80000000000000")


def checksum6(packet):
    """Over the pseudo header and what is behind the header; 0 if the checksum in it is right."""
    return checksum(packet[8:40] + struct.pack(">II", len(packet) - 40, packet[6]) + packet[40:])


def icmp6_packet(source, target, message, hops=255):
    def address(a):
        return a if isinstance(a, bytes) else socket.inet_pton(socket.AF_INET6, a)

    packet = struct.pack(">IHBB", 6 << 28, len(message), 58, hops) + address(source) + address(target) + message
    return packet[:42] + struct.pack(">H", checksum6(packet)) + packet[44:]


def solicitation(source):
    return icmp6_packet(source, "ff02::2", b"\x85" + bytes(7))


def advertisement(prefix):
    """Of a router at fe80::1, with a /64 for addresses."""
    option = struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 86400, 86400, 0) + socket.inet_pton(socket.AF_INET6, prefix)
    return icmp6_packet("fe80::1", "ff02::1", struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + option)


def echo_request6(source, target, identifier=7, size=32):
    return icmp6_packet(source, target, struct.pack(">BBHHH", 128, 0, 0, identifier, 1) + bytes(size), 64)


def echo_request(source, target, identifier=7, size=32):
    body = struct.pack(">BBHHH", 8, 0, 0, identifier, 1) + bytes(size)
    body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
    return ip_packet(source, target, 1, body)
