# SPDX-License-Identifier: Apache-2.0
# A RADIUS server of the tests' own, by RFC 2865, 2866 and 3579 alone: it knows passwords shown by PAP, says what it is
# told to, keeps what it is told of sessions, and can be deaf.
import hashlib
import hmac
import socket
import struct
import threading

from lib.wait import until

SECRET = "a secret that both sides share"
ACCESS, ACCEPT, REJECT, ACCOUNTING, CONFIRMATION = 1, 2, 3, 4, 5
START, STOP, INTERIM = 1, 2, 3
USER_NAME, USER_PASSWORD, FRAMED_IP, CLASS, SESSION_TIMEOUT, IDLE_TIMEOUT, CALLING = 1, 2, 8, 25, 27, 28, 31
STATUS, DELAY, IN_OCTETS, OUT_OCTETS, SESSION, TIME, IN_PACKETS, OUT_PACKETS, CAUSE = 40, 41, 42, 43, 44, 46, 47, 48, 49
TIMESTAMP, MAC, INTERIM_INTERVAL, FRAMED_IPV6_PREFIX = 55, 80, 85, 97
NUMBERS = {SESSION_TIMEOUT, IDLE_TIMEOUT, STATUS, DELAY, IN_OCTETS, OUT_OCTETS, TIME, IN_PACKETS, OUT_PACKETS, CAUSE,
           TIMESTAMP, INTERIM_INTERVAL}


def attribute(kind, value):
    if isinstance(value, int):
        value = struct.pack(">I", value)
    return bytes([kind, 2 + len(value)]) + value


def prefix6(text, bits=64):
    """RFC 3162 2.3"""
    return FRAMED_IPV6_PREFIX, bytes([0, bits]) + socket.inet_pton(socket.AF_INET6, text)


def address(text):
    return FRAMED_IP, socket.inet_aton(text)


def attributes(body):
    """The first of each kind; numbers as such."""
    found, at = {}, 0
    while at < len(body):
        kind, value = body[at], body[at + 2:at + body[at + 1]]
        found.setdefault(kind, struct.unpack(">I", value)[0] if kind in NUMBERS else value)
        at += body[at + 1]
    return found


class Server:
    """
    One port for questions and accounts.  `says`: attributes of each Access-Accept; `deaf`: how many records of
    accounting are lost; `careless`: it takes records of whoever does not know its secret.
    """

    def __init__(self, users=None, says=(), deaf=0, host="127.0.0.1", secret=SECRET, careless=False):
        self.users, self.says, self.deaf = users or {}, says, deaf
        self.secret, self.careless = secret.encode(), careless
        self.asked, self.records, self.lost, self.refused = [], [], [], 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.address = f"{host}:{self.sock.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.sock.sendto(b"", self.sock.getsockname())
        self.thread.join(10)
        self.sock.close()

    def _serve(self):
        while True:
            packet, client = self.sock.recvfrom(4096)
            if not packet:
                return
            code, identifier, size = struct.unpack(">BBH", packet[:4])
            assert size == len(packet)
            answer = self._access(packet) if code == ACCESS else self._account(packet)
            if answer is not None:
                self.sock.sendto(self._sign(identifier, packet[4:20], *answer), client)

    def _sign(self, identifier, authenticator, code, body):
        if code != CONFIRMATION:
            body = attribute(MAC, bytes(16)) + body
        head = struct.pack(">BBH", code, identifier, 20 + len(body))
        if code != CONFIRMATION:
            body = attribute(MAC, hmac.new(self.secret, head + authenticator + body, "md5").digest()) + body[18:]
        return head + hashlib.md5(head + authenticator + body + self.secret).digest() + body

    def _access(self, packet):
        said = attributes(packet[20:])
        self.asked.append(said)
        hidden, before, password = said[USER_PASSWORD], packet[4:20], b""
        for at in range(0, len(hidden), 16):
            pad = hashlib.md5(self.secret + before).digest()
            password += bytes(a ^ b for a, b in zip(hidden[at:at + 16], pad))
            before = hidden[at:at + 16]
        if self.users.get(said[USER_NAME].decode()) != password.rstrip(b"\0").decode():
            return REJECT, b""
        return ACCEPT, b"".join(attribute(*one) for one in self.says)

    def _account(self, packet):
        unsigned = packet[:4] + bytes(16) + packet[20:]
        if hashlib.md5(unsigned + self.secret).digest() != packet[4:20] and not self.careless:
            self.refused += 1
            return None
        said = attributes(packet[20:])
        if self.deaf > 0:
            self.deaf -= 1
            self.lost.append(said)
            return None
        self.records.append(said)
        return CONFIRMATION, b""

    def await_record(self, kind):
        until(lambda: any(r[STATUS] == kind for r in self.records), f"a record of kind {kind}")
        return next(r for r in self.records if r[STATUS] == kind)
