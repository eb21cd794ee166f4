# SPDX-License-Identifier: Apache-2.0
# An external cache of TLS sessions that speaks the protocol of `sessiond`: small UDP packets.
import collections
import socket
import struct
import threading

NEW, GET, REMOVE = 0, 1, 2
FAILED, OK = 0x80, 0x81
HEAD = struct.Struct("!BBH32s")

Packet = collections.namedtuple("Packet", "version kind lifetime id session")


class SessionCache:
    """Keeps what it is told; `answer` may make something else of a reply (None: no reply)."""

    def __init__(self, answer=lambda reply: reply):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        self.answer, self.kept, self.seen = answer, {}, []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            data, peer = self.sock.recvfrom(2048)
            if not data:
                return
            packet = Packet(*HEAD.unpack(data[: HEAD.size]), data[HEAD.size :])
            reply = self.answer(self._take(packet))
            with self.changed:
                self.seen.append(packet)
                self.changed.notify_all()
            if reply is not None:
                self.sock.sendto(reply, peer)

    def _take(self, packet):
        kind, session = OK, b""
        if packet.kind == NEW:
            self.kept[packet.id] = packet.session
        elif packet.kind == REMOVE:
            self.kept.pop(packet.id, None)
        elif packet.id in self.kept:
            session = self.kept[packet.id]
        else:
            kind = FAILED
        return HEAD.pack(1, kind, 0, packet.id) + session

    def wait(self, kind, count=1, deadline=10):
        """The count-th packet of a kind."""

        def found():
            return [packet for packet in self.seen if packet.kind == kind]

        with self.changed:
            assert self.changed.wait_for(lambda: len(found()) >= count, deadline), f"only {self.seen}"
            return found()[count - 1]

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self.sock.getsockname())
        self.thread.join()
        self.sock.close()
