# SPDX-License-Identifier: Apache-2.0
# A server of SSTP that believes nothing: each byte of a client is held against the specification, and each step can be
# done wrong on request.
"""
A test accepts a call and leads it step by step; what a rule forbids raises Wrong:

    call = listener.accept().call()     # TLS, HTTP, CALL_CONNECT_REQUEST and _ACK
    call.lcp("mschapv2"); call.log_in("mschapv2")
    call.take_binding()                 # CALL_CONNECTED, byte by byte
    call.ipcp()
"""
import hashlib
import os
import re
import select
import socket
import ssl
import struct

from lib import nt, sstp_eap
from lib.sstp import (
    ABORT, ACK, CHAP, CONNECTED, DISCONNECT, DISCONNECT_ACK, ECHO_REQUEST, ECHO_RESPONSE, IPCP, IPV4, IPV6, IPV6CP, LCP,
    LENGTH, PAP, PATH, PPP_ATTRIBUTE, REQUEST, SHA1, SHA256, Call, Wrong, attribute, connected, control, status,
)
from lib.wait import DEADLINE

EAP = 0xC227
METHODS = {
    "pap": b"\xc0\x23", "chap": b"\xc2\x23\x05", "mschapv2": b"\xc2\x23\x81", "eap-mschapv2": b"\xc2\x27",
    "eap-tls": b"\xc2\x27",
}
GUID = re.compile(r"\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
OK = f"HTTP/1.1 200 OK\r\n{LENGTH}\r\nServer: strict\r\nDate: Thu, 09 Nov 2006 00:51:09 GMT\r\n\r\n".encode()
EAP_TLS, EAP_MSCHAPV2 = 13, 26


class Listener:
    """A port with TLS.  `identity` can be changed between calls."""

    def __init__(self, pki, identity=None, version=None, host="127.0.0.1"):
        self.pki, self.identity, self.version = pki, identity or pki.server, version
        self.socket = socket.create_server((host, 0), backlog=64)
        self.socket.settimeout(DEADLINE)
        self.port = self.socket.getsockname()[1]
        self.guids = set()
        self.calls = []

    def close(self):
        self.socket.close()
        for call in self.calls:
            call.sock.close()

    def somebody_waits(self):
        return bool(select.select([self.socket], [], [], 0)[0])

    def accept(self):
        plain, _ = self.socket.accept()
        plain.settimeout(DEADLINE)
        context = self.pki.server_context(self.identity, version=self.version)
        names = []
        context.sni_callback = lambda _sock, name, _context: names.append(name)
        der = ssl.PEM_cert_to_DER_cert(self.identity.pem.decode())
        call = Server(context.wrap_socket(plain, server_side=True), der, self)
        call.sni = names[0] if names else None
        self.calls.append(call)
        return call


class Server(Call):
    """The server's end of one call."""

    address_of_client, address_of_server = "10.66.0.2", "10.66.0.1"

    def __init__(self, sock, certificate, listener):
        super().__init__(sock)
        self.certificate, self.listener = certificate, listener
        self.user, self.password = "alice", "secret"
        self.hlak, self.nonce, self.hashes = bytes(32), os.urandom(32), SHA1 | SHA256
        self.bound = self.logged_in = False
        self.requests_of_lcp = 0

    # --- the stream

    def fill(self):
        """recv() of a TLS socket gives one record, or a part of one: none may end inside a header."""
        super().fill()
        at = 0
        while len(self.received) - at >= 4:
            at += max(4, struct.unpack(">H", self.received[at + 2:at + 4])[0])
        if self.in_packets and self.sock.pending() == 0 and 0 < len(self.received) - at < 4:
            raise Wrong("a record ends inside of a header")

    in_packets = False

    def next_packet(self):
        """Besides: control messages in the one form that they have, and no network before the binding."""
        packet = super().next_packet()
        if packet[2] & 0xF0:
            raise Wrong(f"reserved bits: {packet[:4].hex()}")
        if packet[1] == 1:
            self.check_form(packet)
        elif packet[4:6] != b"\xff\x03":
            raise Wrong(f"a frame without FF 03: {packet[:12].hex()}")
        elif struct.unpack(">H", packet[6:8])[0] in (IPV4, IPV6) and not self.bound:
            raise Wrong("a packet of the network before the call stands")
        elif struct.unpack(">H", packet[6:8])[0] == LCP and packet[8] == 1:
            self.requests_of_lcp += 1
            if self.requests_of_lcp > 10:
                raise Wrong("an eleventh Configure-Request of LCP")
        return packet

    def check_form(self, packet):
        kind = struct.unpack(">H", packet[4:6])[0]
        forms = {
            REQUEST: control(REQUEST, PPP_ATTRIBUTE),
            DISCONNECT: control(DISCONNECT, status(0, 0)),
            **{k: control(k) for k in (DISCONNECT_ACK, ECHO_REQUEST, ECHO_RESPONSE)},
        }
        if kind == ABORT:
            if len(packet) != 20 or packet != control(ABORT, status(packet[15], packet[19])):
                raise Wrong(f"an ABORT without its status: {packet.hex()}")
        elif kind == CONNECTED:
            if self.bound or not self.logged_in:
                raise Wrong("CALL_CONNECTED out of its order")
        elif packet != forms.get(kind):
            raise Wrong(f"message {kind} in a form of its own: {packet.hex()}")

    ipv6 = "reject"  # as most servers do; or "ignore", or "take"

    def next_frame(self):
        while True:
            protocol, packet = super().next_frame()
            if protocol != IPV6CP or self.ipv6 == "take":
                return protocol, packet
            if self.ipv6 == "reject":
                self.send_ppp(LCP, 8, packet[1], struct.pack(">H", IPV6CP) + packet)

    # --- HTTP

    def check_request(self, head):
        """Section 3.2.4.1: the request line, three fields, nothing else; a new identifier each time."""
        if head[0] != f"SSTP_DUPLEX_POST {PATH} HTTP/1.1":
            raise Wrong(f"the request line: {head[0]!r}")
        fields = [line.split(": ", 1) for line in head[1:]]
        if sorted(name.lower() for name, _ in fields) != ["content-length", "host", "sstpcorrelationid"]:
            raise Wrong(f"the fields: {head[1:]}")
        values = {name.lower(): value for name, value in fields}
        if values["content-length"] != LENGTH.split(": ")[1]:
            raise Wrong(f"the length: {values['content-length']}")
        guid = values["sstpcorrelationid"]
        if not GUID.fullmatch(guid) or guid in self.listener.guids:
            raise Wrong(f"the identifier: {guid}")
        self.listener.guids.add(guid)
        self.host = values["host"]

    def take_http(self):
        head = self.read_head()
        self.check_request(head)
        if self.received:
            raise Wrong("bytes before the answer to the request")
        return self

    def http(self, answer=OK):
        self.take_http()
        self.sock.sendall(answer)
        self.in_packets = True
        return self

    # --- SSTP

    def ack(self):
        return control(ACK, attribute(4, b"\0\0\0" + bytes([self.hashes]) + self.nonce))

    def call(self):
        self.http()
        self.expect(REQUEST)
        self.send(self.ack())
        return self

    def take_binding(self, wanted=None):
        """CALL_CONNECTED must be the one packet that it can be."""
        wanted = wanted or (SHA256 if self.hashes & SHA256 else SHA1)
        while True:
            packet = self.next_packet()
            if packet[1] == 1:
                break
            self.frames.append(packet[4:])
        due = connected(wanted, self.nonce, self.certificate, self.hlak)
        for name, at, end in (("head", 0, 15), ("hash", 15, 16), ("nonce", 16, 48), ("certificate", 48, 80),
                              ("MAC", 80, 112)):
            if packet[at:end] != due[at:end]:
                raise Wrong(f"CALL_CONNECTED: its {name}: {packet[at:end].hex()}, not {due[at:end].hex()}")
        if len(packet) != 112:
            raise Wrong(f"CALL_CONNECTED of {len(packet)} bytes")
        self.bound = True
        return self

    def end(self):
        """The client's DISCONNECT, behind its Terminate-Request, answered as one should."""
        protocol, code, identifier, _ = self.next_ppp(LCP)
        if (protocol, code) != (LCP, 5):
            raise Wrong(f"code {code} of LCP instead of Terminate-Request")
        self.send_ppp(LCP, 6, identifier)
        self.expect(DISCONNECT)
        self.send(control(DISCONNECT_ACK))
        return self.read_to_end()

    # --- PPP

    def lcp(self, method, ours=None, accept=None):
        """Our request asks for that method; the client's may have an MRU and a magic number."""
        def judge(options):
            if set(options) - {1, 5} or options.get(5) == bytes(4):
                raise Wrong(f"options of LCP: {options}")
            return 2, options

        asked = {3: METHODS[method]} if method else {}
        self.negotiate(LCP, {**asked, 5: os.urandom(4)} if ours is None else ours, accept or judge)
        return self

    def log_in(self, method, **how):
        {"pap": self.ask_pap, "chap": self.ask_chap, "mschapv2": self.ask_mschapv2,
         "eap-mschapv2": self.ask_eap_mschapv2, "eap-tls": self.ask_eap_tls}[method](**how)
        return self

    def ask_pap(self, good=True):
        _, code, identifier, payload = self.next_ppp(PAP)
        user, password = self.user.encode(), self.password.encode()
        if code != 1 or payload != bytes([len(user)]) + user + bytes([len(password)]) + password:
            raise Wrong(f"PAP: code {code}, {payload!r}")
        self.logged_in = good
        self.send_ppp(PAP, 2 if good else 3, identifier, b"\0")

    def ask_chap(self, good=True):
        challenge = os.urandom(16)
        self.send_ppp(CHAP, 1, 77, b"\x10" + challenge + b"strict")
        _, code, identifier, payload = self.next_ppp(CHAP)
        value = hashlib.md5(b"\x4d" + self.password.encode() + challenge).digest()
        if (code, identifier, payload) != (2, 77, b"\x10" + value + self.user.encode()):
            raise Wrong(f"CHAP: code {code}, {payload!r}")
        self.logged_in = good
        self.send_ppp(CHAP, 3 if good else 4, identifier, b"")

    def check_response(self, challenge, payload):
        """49 bytes and the name; returns the proof that is due to it.  RFC 2759 4."""
        if payload[0] != 49 or payload[50:] != self.user.encode() or payload[17:25] != bytes(8) or payload[49] != 0:
            raise Wrong(f"MS-CHAPv2: {payload.hex()}")
        peer, answer = payload[1:17], payload[25:49]
        if answer != nt.response(challenge, peer, self.user, self.password):
            raise Wrong("MS-CHAPv2: a response to something else")
        self.hlak = nt.hlak(self.password, answer)
        return nt.proof(challenge, peer, self.user, self.password, answer).encode()

    def ask_mschapv2(self, spoil=None, refuse=None):
        """`spoil`: what becomes of our proof; `refuse`: the text of a Failure."""
        challenge = os.urandom(16)
        self.send_ppp(CHAP, 1, 9, b"\x10" + challenge + b"strict")
        _, code, identifier, payload = self.next_ppp(CHAP)
        if (code, identifier) != (2, 9):
            raise Wrong(f"MS-CHAPv2: code {code} id {identifier}")
        proof = self.check_response(challenge, payload)
        self.logged_in = refuse is None and spoil is None
        if refuse is not None:
            self.send_ppp(CHAP, 4, 9, refuse)
        else:
            self.send_ppp(CHAP, 3, 9, spoil(proof) if spoil else proof + b" M=welcome")

    # --- EAP

    def eap(self, code, identifier, payload=b""):
        self.send_ppp(EAP, code, identifier, payload)

    def eap_answer(self, identifier):
        """The type and the data of the response to a request of ours."""
        _, code, got, payload = self.next_ppp(EAP)
        if (code, got) != (2, identifier) or not payload:
            raise Wrong(f"EAP: code {code} id {got}: {payload.hex()}")
        return payload[0], payload[1:]

    def eap_identity(self):
        self.eap(1, 1, b"\1")
        if self.eap_answer(1) != (1, self.user.encode()):
            raise Wrong("EAP: another identity")

    def ask_eap_mschapv2(self, spoil=None, early=False):
        """`early`: an EAP Success without any proof."""
        challenge = os.urandom(16)
        self.eap_identity()
        if early:
            self.eap(3, 1)
            return
        self.eap(1, 2, bytes([EAP_MSCHAPV2, 1, 5]) + struct.pack(">H", 21 + 6) + b"\x10" + challenge + b"strict")
        kind, data = self.eap_answer(2)
        operation, inner, size = struct.unpack(">BBH", data[:4])
        if (kind, operation, inner, size) != (EAP_MSCHAPV2, 2, 5, len(data)):
            raise Wrong(f"EAP-MSCHAPv2: {data.hex()}")
        proof = self.check_response(challenge, data[4:])
        text = spoil(proof) if spoil else proof + b" M=welcome"
        self.eap(1, 3, bytes([EAP_MSCHAPV2, 3, 5]) + struct.pack(">H", 4 + len(text)) + text)
        if spoil:
            return
        if self.eap_answer(3) != (EAP_MSCHAPV2, b"\3"):
            raise Wrong("EAP-MSCHAPv2: no reaction to the proof")
        self.logged_in = True
        self.eap(3, 3)

    def ask_eap_tls(self, version="TLSv1.2"):
        """RFC 5216, and RFC 9190 with TLS 1.3."""
        from OpenSSL import SSL  # Python's own ssl exports no keys

        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        number = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}[version]
        context.set_min_proto_version(number)
        context.set_max_proto_version(number)
        context.use_certificate_file(self.listener.pki.server.path)
        context.use_privatekey_file(self.listener.pki.server.key)
        context.load_verify_locations(self.listener.pki.ca.path)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *args: bool(args[-1]))
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        tls = SSL.Connection(context, None)
        tls.set_accept_state()
        self.eap_identity()
        identifier = 2
        self.eap(1, identifier, bytes([EAP_TLS, 0x20]))
        standing = False
        while True:
            message, identifier = self.eap_tls_message(identifier)
            if message:
                tls.bio_write(message)
            try:
                tls.do_handshake()
                if not standing and version == "TLSv1.3":
                    tls.send(b"\0")  # "no more handshake": RFC 9190 2.5
                standing = True
            except SSL.WantReadError:
                pass
            out = sstp_eap.output(tls)
            if not out:
                break
            identifier = self.eap_tls_send(identifier + 1, out)
        label, seed = (b"EXPORTER_EAP_TLS_Key_Material", b"\x0d") if version == "TLSv1.3" else (
            b"client EAP encryption", None)
        self.hlak = tls.export_keying_material(label, 128, seed)[:32]
        self.logged_in = True
        self.eap(3, identifier)

    def eap_tls_message(self, identifier):
        """A whole message of the client, whose fragments are acknowledged, and the number of its last one."""
        message, left = b"", None
        while True:
            kind, data = self.eap_answer(identifier)
            if kind != EAP_TLS:
                raise Wrong(f"EAP: type {kind} in the middle of EAP-TLS")
            flags, data = data[0], data[1:]
            if flags & 0x80:
                left, data = struct.unpack(">I", data[:4])[0], data[4:]
            message += data
            if not flags & 0x40:
                if left is not None and left != len(message):
                    raise Wrong(f"EAP-TLS: {len(message)} bytes of {left}")
                return message, identifier
            identifier += 1
            self.eap(1, identifier, bytes([EAP_TLS, 0]))

    def eap_tls_send(self, identifier, message, size=1000):
        """In fragments; returns the identifier of the last one, which is yet to be answered."""
        first = True
        while True:
            piece, message = message[:size], message[size:]
            flags = (0x80 if first and message else 0) | (0x40 if message else 0)
            head = bytes([EAP_TLS, flags]) + (struct.pack(">I", len(piece) + len(message)) if flags & 0x80 else b"")
            self.eap(1, identifier, head + piece)
            first = False
            if not message:
                return identifier
            if self.eap_answer(identifier) != (EAP_TLS, b"\0"):
                raise Wrong("EAP-TLS: a fragment was not acknowledged")
            identifier += 1

    # --- the network

    def ipcp(self, dns=("9.9.9.9", None), address=None):
        """The client asks for nothing or what we have said; one name server is rejected, as SoftEther does."""
        wanted = {3: socket.inet_aton(address or self.address_of_client)}
        wanted.update({129 + 2 * i: socket.inet_aton(server) for i, server in enumerate(dns) if server})

        def judge(options):
            unknown = {kind: value for kind, value in options.items() if kind not in wanted}
            if set(unknown) - {129, 131}:
                raise Wrong(f"options of IPCP: {options}")
            other = {kind: wanted[kind] for kind, value in options.items() if kind in wanted and value != wanted[kind]}
            if any(options[kind] != bytes(4) for kind in other):
                raise Wrong(f"IPCP: the client wants what nobody gave: {options}")
            if unknown:
                return 4, unknown
            return (3, other) if other else (2, options)

        self.options = self.negotiate(IPCP, {3: socket.inet_aton(self.address_of_server)}, judge)
        return self

    def answer_ping(self):
        """Await an echo request of the client's network and answer it."""
        while True:
            *_, packet = self.next_ppp(IPV4)
            if packet[9] == 1 and packet[20] == 8:
                break
        reply = bytearray(packet)
        reply[12:20] = packet[16:20] + packet[12:16]
        reply[20], check = 0, struct.unpack(">H", packet[22:24])[0] + 0x0800
        reply[22:24] = struct.pack(">H", (check & 0xFFFF) + (check >> 16))
        self.send_frame(IPV4, bytes(reply))

    def serve(self, method, **how):
        """All of a good call."""
        return self.call().lcp(method).log_in(method, **how).take_binding().ipcp()
