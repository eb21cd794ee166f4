# SPDX-License-Identifier: Apache-2.0
# What went over a cable: a capture by tcpdump, put together again as byte streams.
import collections
import select
import signal
import struct
import subprocess
import uuid

from lib.wait import DEADLINE, until

_ETHERNET, _IPV4, _TCP = 14, 0x0800, 6

SEND = "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), (sys.argv[1], 9))"
RECORD_TYPES = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data"}


class Capture:
    """
    Runs from its making until stop(); then `raw` has every byte and streams() the TCP payloads.  `beyond` is an address
    at the other end of the cable.
    """

    def __init__(self, host, device, path, beyond):
        self.host, self.path, self.beyond, self.raw = host, str(path), beyond, b""
        self.process = host.start(
            "tcpdump", "-i", device, "-s", "0", "-B", "16384", "--immediate-mode", "-U", "-Z", "root", "-w", path,
            stderr=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stderr], [], [], DEADLINE)
        first = self.process.stderr.readline() if ready else b""
        while first and b"listening on" not in first:
            first = self.process.stderr.readline()
        assert first, "tcpdump did not start"

    def stop(self):
        self._await_what_was_sent()
        self.host.end(self.process, signal.SIGINT)
        said = self.process.stderr.read().decode()
        self.process.stderr.close()
        assert "0 packets dropped by kernel" in said, said
        with open(self.path, "rb") as file:
            self.raw = file.read()

    def _await_what_was_sent(self):
        """It writes packets in their order, and some time after they went: a last one tells."""
        last = uuid.uuid4().hex.encode()
        self.host.run("/usr/bin/python3", "-c", SEND, self.beyond, last.decode())

        def seen():
            with open(self.path, "rb") as file:
                return last in file.read()

        until(seen, "the last packet in the capture", every=0.05)

    def _packets(self):
        order = "<" if self.raw[:4] == b"\xd4\xc3\xb2\xa1" else ">"
        at = 24
        while at + 16 <= len(self.raw):
            size = struct.unpack(order + "I", self.raw[at + 8 : at + 12])[0]
            yield self.raw[at + 16 : at + 16 + size]
            at += 16 + size

    def streams(self):
        """{(from address, from port, to address, to port): payload in order}"""
        pieces, starts = collections.defaultdict(dict), {}
        for packet in self._packets():
            if len(packet) < 54 or struct.unpack("!H", packet[12:14])[0] != _IPV4:
                continue
            ip = packet[_ETHERNET:]
            length, header = struct.unpack("!H", ip[2:4])[0], (ip[0] & 15) * 4
            if ip[9] != _TCP:
                continue
            tcp = ip[header:length]
            source, target, sequence = struct.unpack("!HHI", tcp[:8])
            way = (ip[12:16], source, ip[16:20], target)
            if tcp[13] & 2:  # SYN takes the first number
                starts[way] = sequence + 1
            payload = tcp[(tcp[12] >> 4) * 4 :]
            if payload:
                pieces[way][(sequence - starts.get(way, sequence)) & 0xFFFFFFFF] = payload
        return {way: self._joined(parts) for way, parts in pieces.items()}

    @staticmethod
    def _joined(parts):
        whole = bytearray()
        for at in sorted(parts):
            assert at <= len(whole), f"bytes {len(whole)}..{at} were not captured"
            whole[at : at + len(parts[at])] = parts[at]
        return bytes(whole)


def records(stream):
    """How many TLS records of each type; fails on anything else.  Only whole TLS streams are accepted."""
    seen, at = collections.Counter(), 0
    while at < len(stream):
        kind, major, _, size = struct.unpack("!BBBH", stream[at : at + 5])
        assert kind in RECORD_TYPES and major == 3, f"no TLS record at byte {at}: {stream[at:at + 16]!r}"
        assert at + 5 + size <= len(stream), f"a cut record at byte {at}"
        seen[RECORD_TYPES[kind]] += 1
        at += 5 + size
    return seen
