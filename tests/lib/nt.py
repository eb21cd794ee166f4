# SPDX-License-Identifier: Apache-2.0
# MS-CHAPv2 (RFC 2759) and its keys (RFC 3079), written a second time so that a test does not believe the program.
import hashlib
import os
import struct
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES


def md4(data):
    """RFC 1320."""
    def rol(x, n):
        x &= 0xFFFFFFFF
        return x << n & 0xFFFFFFFF | x >> 32 - n

    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    rounds = [
        (lambda x, y, z: x & y | ~x & z, 0, range(16), (3, 7, 11, 19)),
        (lambda x, y, z: x & y | x & z | y & z, 0x5A827999, [i // 4 + i % 4 * 4 for i in range(16)], (3, 5, 9, 13)),
        (lambda x, y, z: x ^ y ^ z, 0x6ED9EBA1, [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], (3, 9, 11, 15)),
    ]
    for at in range(0, len(padded), 64):
        x = struct.unpack("<16I", padded[at:at + 64])
        a, b, c, d = state
        for mix, constant, order, shifts in rounds:
            for i, k in enumerate(order):
                a, b, c, d = d, rol(a + mix(b, c, d) + x[k] + constant, shifts[i % 4]), b, c
        state = [(p + q) & 0xFFFFFFFF for p, q in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


def des(key7, block):
    bits = int.from_bytes(key7, "big")
    key = bytes((bits >> 49 - 7 * i & 0x7F) << 1 for i in range(8))
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def nt_hash(password):
    return md4(password.encode("utf-16-le"))


def response(auth, peer, user, password):
    challenge = hashlib.sha1(peer + auth + user.encode()).digest()[:8]
    keys = nt_hash(password) + bytes(5)
    return b"".join(des(keys[i:i + 7], challenge) for i in (0, 7, 14))


def proof(auth, peer, user, password, nt_response):
    """What the server answers."""
    hash_hash = md4(nt_hash(password))
    digest = hashlib.sha1(hash_hash + nt_response + b"Magic server to client signing constant").digest()
    challenge = hashlib.sha1(peer + auth + user.encode()).digest()[:8]
    return "S=" + hashlib.sha1(
        digest + challenge + b"Pad to make it do more than one iteration").hexdigest().upper()


def hlak(password, nt_response):
    """The client's send key and its receive key."""
    master = hashlib.sha1(md4(nt_hash(password)) + nt_response + b"This is the MPPE Master Key").digest()[:16]
    texts = (
        b"On the client side, this is the send key; on the server side, it is the receive key.",
        b"On the client side, this is the receive key; on the server side, it is the send key.",
    )
    return b"".join(hashlib.sha1(master + bytes(40) + t + b"\xf2" * 40).digest()[:16] for t in texts)


def random_challenge():
    return os.urandom(16)
