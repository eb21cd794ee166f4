# SPDX-License-Identifier: Apache-2.0
# Headers of the PROXY protocol, written and read by the letter of haproxy's doc/proxy-protocol.txt.
import collections
import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL = 1, 2, 3, 4, 5, 0x20
VERSION, CN, CIPHER, CERT = 0x21, 0x22, 0x23, 0x28

Header = collections.namedtuple("Header", "command source target tlvs raw")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def v1(source=("192.0.2.7", 1234), target=("198.51.100.1", 443)):
    family = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {family} {source[0]} {target[0]} {source[1]} {target[1]}\r\n".encode()


def v2(source=("192.0.2.7", 1234), target=("198.51.100.1", 443), tlvs=(), command=PROXY):
    """tlvs: (type, value) pairs."""
    a, b = (ipaddress.ip_address(end[0]) for end in (source, target))
    body = a.packed + b.packed + struct.pack(">HH", source[1], target[1])
    body += b"".join(struct.pack(">BH", kind, len(value)) + value for kind, value in tlvs)
    return SIGNATURE + struct.pack(">BBH", command, 0x11 if a.version == 4 else 0x21, len(body)) + body


def tlvs_of(data):
    found = {}
    while data:
        kind, size = struct.unpack(">BH", data[:3])
        assert len(data) >= 3 + size, data
        assert kind not in found, f"TLV {kind:#x} twice"
        found[kind] = data[3 : 3 + size]
        data = data[3 + size :]
    return found


def read(peer):
    """Take a header of version 2 from a connection."""
    head = peer.recv(16)
    assert head[:12] == SIGNATURE, head
    command, family, size = struct.unpack(">BBH", head[12:])
    body = peer.recv(size) if size else b""
    width = {0x11: 4, 0x21: 16, 0: 0}[family]
    source = target = None
    if width:
        ports = struct.unpack(">HH", body[2 * width : 2 * width + 4])
        source, target = (
            (str(ipaddress.ip_address(body[i * width : (i + 1) * width])), ports[i]) for i in (0, 1))
    tlvs = tlvs_of(body[2 * width + 4 :] if width else body)
    if CRC32C in tlvs:
        assert (head + body).count(tlvs[CRC32C]) == 1
        assert struct.pack(">I", crc32c((head + body).replace(tlvs[CRC32C], bytes(4)))) == tlvs[CRC32C]
    return Header(command, source, target, tlvs, head + body)


def tls_of(header):
    """(client bits, verify, sub-TLVs) of the TLV about TLS."""
    value = header.tlvs[SSL]
    return value[0], struct.unpack(">I", value[1:5])[0], tlvs_of(value[5:])
