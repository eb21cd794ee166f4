# SPDX-License-Identifier: Apache-2.0
# A name server that says whatever a test wants, on loopback over UDP.
import socket
import struct
import threading

from lib.wait import until

A, AAAA, SRV = 1, 28, 33  # RFC 1035 3.2.2, RFC 3596 2.1, RFC 2782
_NXDOMAIN = 3


def _name(text):
    labels = [label for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


class NameServer:
    """
    .records[name, type] is a list of values: an address, or (priority, weight, port, host) for SRV.  A name
    without records does not exist.  .ttl is that of all records; while .mute is set nothing is answered.
    """

    def __init__(self):
        self.records, self.ttl, self.mute, self.asked = {}, 3600, False, []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            question, peer = self.sock.recvfrom(4096)
            if not question:
                return
            answer = self._answer(question)
            if not self.mute:
                self.sock.sendto(answer, peer)

    @staticmethod
    def _data(kind, value):
        if kind == SRV:
            return struct.pack(">HHH", *value[:3]) + _name(value[3])
        return socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, value)

    def _answer(self, question):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, (kind,) = ".".join(labels), struct.unpack_from(">H", question, at + 1)
        self.asked.append((name, kind))
        values = self.records.get((name, kind), [])
        code = 0 if values or any(known == name for known, _ in self.records) else _NXDOMAIN
        answer = question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(values), 0, 0) + question[12 : at + 5]
        for value in values:
            data = self._data(kind, value)
            answer += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(data)) + data
        return answer

    def await_question(self, name, kind, count=1):
        until(lambda: self.asked.count((name, kind)) >= count, f"{count} questions about {name}")

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.sock.getsockname())
        self.thread.join()
        self.sock.close()
