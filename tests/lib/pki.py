# SPDX-License-Identifier: Apache-2.0
# Certificates of every kind that a test may need, good and bad.
"""
A small certificate authority.  Keys are EC P-256 and made on the spot; every file that is written holds
PEM, except PKCS#12.
"""

import datetime
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import AuthorityInformationAccessOID
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
SERVER, CLIENT = Usage.SERVER_AUTH, Usage.CLIENT_AUTH


def now():
    return datetime.datetime.utcnow()


def subject(cn, org="Test"):
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, org), x509.NameAttribute(NameOID.COMMON_NAME, cn)]
    )


def alternative(text):
    """ "10.0.0.1" -> IP, "a@b" -> e-mail, anything else -> DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.RFC822Name(text) if "@" in text else x509.DNSName(text)


def names_responder(url):
    """The extension by which a certificate names its OCSP responder."""
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))]
    )


class Identity:
    """A certificate with its key, and the files that hold them."""

    def __init__(self, folder, label, cert, key, chain=()):
        self.folder, self.label, self.cert, self.private, self.chain_certs = folder, label, cert, key, chain
        self.pem = cert.public_bytes(serialization.Encoding.PEM)
        self.path = self._write("crt", self.pem)
        self.key = self._write("key", self._key_pem(serialization.NoEncryption()))
        # leaf, intermediates and key in one file
        self.bundle = self._write(
            "pem",
            self.pem
            + b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)
            + self._key_pem(serialization.NoEncryption()),
        )

    def _write(self, kind, data):
        path = os.path.join(self.folder, f"{self.label}.{kind}")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        return path

    def _key_pem(self, encryption):
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def encrypted_key(self, password):
        return self._write("enc.key", self._key_pem(serialization.BestAvailableEncryption(password)))

    def p12(self, password=b""):
        encryption = (
            serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        )
        return self._write(
            "p12",
            pkcs12.serialize_key_and_certificates(
                self.label.encode(), self.private, self.cert, list(self.chain_certs) or None, encryption
            ),
        )

    def secrets(self):
        """Pieces of the private key as they would look in a log."""
        lines = self._key_pem(serialization.NoEncryption()).decode().splitlines()[1:-1]
        number = self.private.private_numbers().private_value
        return [line for line in lines if len(line) > 20] + [f"{number:064x}", str(number)]

    @property
    def serial(self):
        return self.cert.serial_number


class Authority(Identity):
    """A CA; with `issuer` an intermediate one."""

    def __init__(self, folder, cn, issuer=None, *, days=(-1, 365), responder=None):
        key = ec.generate_private_key(ec.SECP256R1())
        signer = issuer.private if issuer else key
        name = subject(cn)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.cert.subject if issuer else name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() + days[0] * DAY)
            .not_valid_after(now() + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
                    key_encipherment=False, data_encipherment=False, key_agreement=False,
                    encipher_only=False, decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if responder:
            builder = builder.add_extension(names_responder(responder), critical=False)
        cert = builder.sign(signer, hashes.SHA256())
        chain = (issuer.cert, *issuer.chain_certs) if issuer and issuer.is_intermediate else ()
        self.is_intermediate = issuer is not None
        self.issued = 0
        super().__init__(folder, f"ca-{cn.replace(' ', '-')}", cert, key, chain)

    def issue(self, cn, *, sans=(), usage=(SERVER, CLIENT), days=(-1, 30), seconds=None, key=None, org="Test",
              label=None, self_signed=False, responder=None, must_staple=False):
        """
        A leaf.  `days`, or `seconds`, are its life counted from now; `key` reuses another's key; `responder`
        is the URL that its AIA names for OCSP.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        unit, life = (datetime.timedelta(seconds=1), seconds) if seconds else (DAY, days)
        name = subject(cn, org)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name if self_signed else self.cert.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() + life[0] * unit)
            .not_valid_after(now() + life[1] * unit)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if not self_signed:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.private.public_key()), critical=False
            )
        if sans:
            names = [s if isinstance(s, x509.GeneralName) else alternative(s) for s in sans]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
        if responder:
            builder = builder.add_extension(names_responder(responder), critical=False)
        if must_staple:
            builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
        cert = builder.sign(key if self_signed else self.private, hashes.SHA256())
        chain = (self.cert, *self.chain_certs) if self.is_intermediate and not self_signed else ()
        self.issued += 1
        return Identity(self.folder, label or f"{self.label}-{self.issued}", cert, key, chain)

    def crl(self, *revoked, label=None, days=(-1, 30)):
        """A CRL file naming these identities; an expired one with days=(-9, -1)."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.cert.subject)
            .last_update(now() + days[0] * DAY)
            .next_update(now() + days[1] * DAY)
        )
        for identity in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(identity.serial)
                .revocation_date(now() - DAY)
                .build()
            )
        signed = builder.sign(self.private, hashes.SHA256())
        path = os.path.join(self.folder, f"{label or self.label}.crl")
        with open(path, "wb") as file:
            file.write(signed.public_bytes(serialization.Encoding.PEM))
        return path


class Pki:
    """The certificates that most tests share."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.ca = Authority(self.folder, "Good CA")
        self.other_ca = Authority(self.folder, "Other CA")
        self.intermediate = Authority(self.folder, "Good Intermediate", self.ca)
        self.server = self.ca.issue("server.test", sans=["server.test", "localhost", "127.0.0.1"], label="server")
        self.client = self.ca.issue("client.test", sans=["client.test", "client@mail.test"], label="client")
        self.other_client = self.ca.issue("second.test", sans=["second.test"], label="second")
        self.foreign = self.other_ca.issue("foreign.test", label="foreign")
        self.expired = self.ca.issue("expired.test", sans=["localhost"], days=(-30, -1), label="expired")
        self.future = self.ca.issue("future.test", sans=["localhost"], days=(1, 30), label="future")
        self.revoked = self.ca.issue("revoked.test", sans=["localhost"], label="revoked")
        self.self_signed = self.ca.issue("self.test", sans=["localhost"], self_signed=True, label="self")
        self.server_only = self.ca.issue("serveronly.test", usage=(SERVER,), label="serveronly")
        self.client_only = self.ca.issue("clientonly.test", sans=["localhost"], usage=(CLIENT,), label="clientonly")
        self.deep_client = self.intermediate.issue("deep.test", sans=["deep.test"], label="deep")
        self.crl = self.ca.crl(self.revoked)

    def join(self, name, *paths):
        """One file holding several."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            for part in paths:
                with open(part, "rb") as file:
                    out.write(file.read())
        return path

    def client_context(self, identity=None, *, ca=None, verify=True, version=None, tickets=True):
        """For a TLS client that verifies as a careful one would."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        if verify:
            context.load_verify_locations((ca or self.ca).path)
        else:
            context.verify_mode = ssl.CERT_NONE
        return _finish(context, identity, version, tickets)

    def server_context(self, identity=None, *, client_ca=None, version=None, tickets=True):
        """For a TLS server; with `client_ca` it demands a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca.path)
        return _finish(context, identity or self.server, version, tickets)


VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def _finish(context, identity, version, tickets):
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python's default: it hides a missing close_notify
    if version in ("TLSv1", "TLSv1.1"):
        context.set_ciphers("ALL:@SECLEVEL=0")  # these versions sign with SHA-1
    if version:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = VERSIONS[version]
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    if identity:
        context.load_cert_chain(identity.bundle)
    return context
