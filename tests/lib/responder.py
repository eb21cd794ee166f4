# SPDX-License-Identifier: Apache-2.0
# OCSP responders: the real one of openssl, and one that says and does whatever a test wants.
import datetime
import os
import re
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from lib.peer import Server
from lib.pki import now
from lib.wait import DEADLINE

HOUR = datetime.timedelta(hours=1)
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n"
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


def answer(issuer, identity, status=GOOD, *, hours=(-1, 1), signer=None):
    """The DER of an answer about `identity`; `hours` are thisUpdate and nextUpdate (None: without) from now."""
    signer = signer or issuer
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=identity.cert, issuer=issuer.cert, algorithm=hashes.SHA1(), cert_status=status,
        this_update=now() + hours[0] * HOUR, next_update=None if hours[1] is None else now() + hours[1] * HOUR,
        revocation_time=now() - HOUR if status == REVOKED else None,
        revocation_reason=x509.ReasonFlags.key_compromise if status == REVOKED else None,
    ).responder_id(ocsp.OCSPResponderEncoding.HASH, signer.cert)
    if signer is not issuer:
        builder = builder.certificates([signer.cert])
    return builder.sign(signer.private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def http(body):
    return HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class Responder(Server):
    """`reply(peer, request)` sends what it likes; bytes stand for a reply that sends just them."""

    def __init__(self, reply):
        self.reply = reply
        self.requests = []
        super().__init__(self._answer)
        self.url = f"http://{self.address}/ocsp"

    def _answer(self, peer):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.recv(1)
        body = peer.recv(int(re.search(rb"Content-Length: (\d+)", head)[1]))
        self.requests.append((head, ocsp.load_der_ocsp_request(body)))
        if isinstance(self.reply, bytes):
            peer.send(self.reply)
        else:
            self.reply(peer, self.requests[-1])

    @property
    def asked(self):
        return len(self.requests)


class OpensslResponder:
    """`openssl ocsp` for the certificates of one CA."""

    def __init__(self, openssl, folder, ca, good=(), revoked=()):
        self.index = os.path.join(str(folder), f"index-{ca.label}.txt")
        with open(self.index, "w", encoding="ascii") as file:
            for identity in good:
                file.write(self._row("V", "", identity))
            for identity in revoked:
                file.write(self._row("R", "200101000000Z,keyCompromise", identity))
        self.process = subprocess.Popen(
            [openssl, "ocsp", "-index", self.index, "-port", "0", "-CA", ca.path, "-rsigner", ca.path,
             "-rkey", ca.key, "-ndays", "1", "-timeout", "60"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )
        port = re.search(rb"ACCEPT .*:(\d+)", self._line())[1]
        self.url = f"http://127.0.0.1:{int(port)}/"

    @staticmethod
    def _row(kind, revoked, identity):
        return f"{kind}\t401231235959Z\t{revoked}\t{_even(identity.serial)}\tunknown\t/CN={identity.label}\n"

    def _line(self):
        while line := self.process.stdout.readline():
            if b"ACCEPT" in line:
                return line
        raise AssertionError("openssl ocsp did not start")

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.process.stdout.close()


def _even(serial):
    """Hexadecimal digits come in pairs there."""
    text = f"{serial:X}"
    return text if len(text) % 2 == 0 else "0" + text
