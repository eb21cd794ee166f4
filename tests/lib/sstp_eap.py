# SPDX-License-Identifier: Apache-2.0
# EAP's client for a call of lib/sstp.py: MS-CHAPv2 and TLS (RFC 3748, RFC 5216, RFC 9190).
import os
import struct

from lib import nt
from lib.sstp import Wrong

EAP, IDENTITY, TLS, MSCHAPV2 = 0xC227, 1, 13, 26
START, MORE, LENGTH = 0x20, 0x40, 0x80


def request(call):
    """(identifier, type, data) of the server's next request; a type of None: (its code)."""
    _, code, identifier, payload = call.next_ppp(EAP)
    return (identifier, payload[0], payload[1:]) if code == 1 else (identifier, None, code)


def respond(call, identifier, kind, data=b""):
    call.send_ppp(EAP, 2, identifier, bytes([kind]) + data)


def say_identity(call):
    identifier, kind, _ = request(call)
    assert kind == IDENTITY
    respond(call, identifier, kind, call.user.encode())


def verdict(call):
    """EAP's Success or Failure."""
    _, kind, code = request(call)
    if kind is not None:
        raise Wrong(f"EAP: a request of type {kind} in place of a verdict")
    return code == 3, b""


def log_in_mschapv2(call):
    say_identity(call)
    identifier, kind, data = request(call)
    assert (kind, data[0], data[4]) == (MSCHAPV2, 1, 16)
    inner, challenge, peer = data[1], data[5:21], os.urandom(16)
    answer = nt.response(challenge, peer, call.user, call.password)
    value = bytes([49]) + peer + bytes(8) + answer + b"\0" + call.user.encode()
    respond(call, identifier, kind, struct.pack(">BBH", 2, inner, 4 + len(value)) + value)
    identifier, kind, data = request(call)
    if data[0] == 3:
        proof = nt.proof(challenge, peer, call.user, call.password, answer).encode()
        if data[4:46] != proof:
            raise Wrong(f"the server's proof is {data[4:]!r}, not {proof}")
        call.hlak = nt.hlak(call.password, answer)
    respond(call, identifier, kind, data[:1])
    return verdict(call)


def take_message(call):
    """(identifier, flags, a whole message of the server); identifier None: it was the verdict instead, code in flags."""
    message = b""
    while True:
        identifier, kind, data = request(call)
        if kind is None:
            return None, data, b""
        assert kind == TLS
        flags, data = data[0], data[1:]
        message += data[4:] if flags & LENGTH else data
        if not flags & MORE:
            return identifier, flags, message
        respond(call, identifier, TLS, b"\0")


def send_message(call, identifier, message, size=900):
    """In fragments, each of which the server acknowledges."""
    total = len(message)
    while len(message) > size:
        flags = MORE | (LENGTH if len(message) == total else 0)
        head = bytes([flags]) + (struct.pack(">I", total) if flags & LENGTH else b"")
        respond(call, identifier, TLS, head + message[:size])
        message = message[size:]
        identifier, kind, data = request(call)
        assert (kind, data) == (TLS, b"\0"), "an acknowledgement"
    respond(call, identifier, TLS, b"\0" + message)


def log_in_tls(call, identity, ca, version):
    """The other side of lib/sstp_server.py's ask_eap_tls()."""
    from OpenSSL import SSL  # Python's own ssl exports no keys

    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    number = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}[version]
    context.set_min_proto_version(number)
    context.set_max_proto_version(number)
    context.use_certificate_file(identity.path)
    context.use_privatekey_file(identity.key)
    context.load_verify_locations(ca.path)
    context.set_verify(SSL.VERIFY_PEER, lambda *args: bool(args[-1]))
    tls = SSL.Connection(context, None)
    tls.set_connect_state()
    say_identity(call)
    last = None
    while True:
        identifier, flags, message = take_message(call)
        if identifier is None:
            break
        assert bool(flags & START) == (last is None)
        if message:
            tls.bio_write(message)
        try:
            tls.do_handshake()
            last = tls.recv(1)
        except SSL.WantReadError:
            last = last or b""
        send_message(call, identifier, output(tls))
    if flags != 3:
        return False, b""
    if version == "TLSv1.3" and last != b"\0":
        raise Wrong("EAP-TLS: no end of the handshake was said (RFC 9190 2.5)")
    label, seed = (b"EXPORTER_EAP_TLS_Key_Material", b"\x0d") if version == "TLSv1.3" else (
        b"client EAP encryption", None)
    call.hlak = tls.export_keying_material(label, 128, seed)[:32]
    return True, b""


def output(tls):
    """What waits to be sent."""
    from OpenSSL import SSL

    out = b""
    try:
        while True:
            out += tls.bio_read(65536)
    except SSL.WantReadError:
        return out
