# SPDX-License-Identifier: Apache-2.0
# Who may pass: every way of verifying against every kind of certificate, in both roles.
import re
import ssl
import subprocess

import pytest
from cryptography import x509

from lib.daemon import NotStarted
from lib.peer import connect, connect_tls, echo, greeter, passes

PASS, REFUSE = True, False


def plain_passes(port):
    with connect(port) as near:
        try:
            near.send(b"ping")
            return near.recv(4) == b"ping"
        except (OSError, AssertionError):
            return False


# --- one table: each level against each client certificate

CERTIFICATES = (
    "none", "client", "other_client", "deep_client", "foreign", "expired", "future", "revoked", "self_signed",
    "server_only",
)
# CAfile holds the CA, the pinned client, and the pinned but expired and self-signed ones; CRLs are off.
LEVELS = {
    "verify = 0": {name: PASS for name in CERTIFICATES},
    "verify = 1": {
        "none": PASS, "client": PASS, "other_client": PASS, "deep_client": PASS, "revoked": PASS,
    },
    "verify = 2": {"client": PASS, "other_client": PASS, "deep_client": PASS, "revoked": PASS},
    "verify = 3": {"client": PASS},
    "verify = 4": {"client": PASS},
    "verifyChain = yes": {"client": PASS, "other_client": PASS, "deep_client": PASS, "revoked": PASS},
    "verifyPeer = yes": {"client": PASS},
    "requireCert = yes": {name: PASS for name in CERTIFICATES if name != "none"},
    "verifyChain = yes\nrequireCert = no": {
        "none": PASS, "client": PASS, "other_client": PASS, "deep_client": PASS, "revoked": PASS,
    },
    "requireCert = no\nverifyChain = yes": {
        "client": PASS, "other_client": PASS, "deep_client": PASS, "revoked": PASS,
    },
    "verifyChain = yes\nverifyChain = no": {name: PASS for name in CERTIFICATES if name != "none"},
}


@pytest.fixture
def trust(pki):
    """The CA, one pinned good client, and pinned ones that must be refused all the same."""
    return pki.join(
        "trust.pem", pki.ca.path, pki.client.path, pki.expired.path, pki.future.path
    )


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("level", LEVELS, ids=[level.replace("\n", ", ") for level in LEVELS])
def test_level_against_every_certificate(scene, pki, trust, level, version):
    server = scene.server(echo)
    daemon = scene.server_mode(server, f"CAfile = {trust}", level)
    verdicts, expected = {}, {name: LEVELS[level].get(name, REFUSE) for name in CERTIFICATES}
    for name in CERTIFICATES:
        identity = None if name == "none" else getattr(pki, name)
        verdicts[name] = passes(daemon.port("tls"), pki.client_context(identity, version=version))
    assert verdicts == expected
    assert server.served == sum(expected.values()), "the backend was reached by one who was refused"


@pytest.mark.parametrize("level, cause", [("verify = 2", "cert_missing"), ("verify = 4", "cert_missing")])
def test_no_certificate_is_named_as_the_cause(scene, pki, trust, level, cause):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {trust}", level)
    assert not passes(daemon.port("tls"), pki.client_context())
    daemon.wait_log("peer did not return a certificate")
    assert daemon.wait_end(end=cause).level <= 4


@pytest.mark.parametrize(
    "who, subject, words",
    [
        ("foreign", "CN=foreign.test", "unable to get local issuer certificate"),
        ("expired", "CN=expired.test", "certificate has expired"),
        ("future", "CN=future.test", "certificate is not yet valid"),
        ("self_signed", "CN=self.test", "self[- ]signed certificate"),
        ("server_only", "CN=serveronly.test", "un(supported|suitable) certificate purpose"),
    ],
)
def test_the_log_names_subject_and_cause(scene, pki, who, subject, words):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verify = 2")
    assert not passes(daemon.port("tls"), pki.client_context(getattr(pki, who)))
    daemon.wait_log(rf"LOG4\[\d+\]: CERT: Pre-verification error: .*{words}")
    daemon.wait_log(rf"LOG4\[\d+\]: Rejected by CERT at depth=0: O=Test, {subject}")
    assert daemon.wait_end(end="cert_rejected").level <= 4


def test_an_accepted_certificate_is_named(scene, pki):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verify = 2")
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    daemon.wait_log(r"LOG5\[\d+\]: Certificate accepted at depth=0: O=Test, CN=client.test")


def test_a_pinned_key_with_the_same_subject_passes_a_new_key_does_not(scene, pki):
    """A renewed certificate keeps its pin as long as its key and subject stay."""
    renewed = pki.ca.issue("client.test", key=pki.client.private, label="renewed")
    rekeyed = pki.ca.issue("client.test", label="rekeyed")
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.client.path}", "verify = 4")
    assert passes(daemon.port("tls"), pki.client_context(renewed))
    assert not passes(daemon.port("tls"), pki.client_context(rekeyed))
    daemon.wait_log("CERT: Certificate not found in local repository")


def test_cafile_alone_verifies_nobody(scene, pki):
    """As for the incumbent: without verify there is no request for a certificate."""
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}")
    assert passes(daemon.port("tls"), pki.client_context(pki.foreign))


def test_an_empty_list_of_certificates_is_no_certificate(scene, pki):
    """A client that answers the request with nothing, in each version."""
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verify = 2")
    for version in ("TLSv1.2", "TLSv1.3"):
        assert not passes(daemon.port("tls"), pki.client_context(version=version))
    daemon.wait_end(end="cert_missing", count=2)


def test_capath_is_looked_up_by_hash(scene, pki, openssl):
    folder = scene.folder / "hashed"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(pki.ca.pem)
    subprocess.run([openssl, "rehash", str(folder)], check=True, capture_output=True)
    daemon = scene.server_mode(scene.server(echo), f"CApath = {folder}", "verifyChain = yes")
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    assert not passes(daemon.port("tls"), pki.client_context(pki.foreign))


# --- CRLs


def test_a_crl_refuses_the_revoked_only(scene, pki):
    daemon = scene.server_mode(
        scene.server(echo), f"CAfile = {pki.ca.path}", f"CRLfile = {pki.crl}", "verify = 2"
    )
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    assert not passes(daemon.port("tls"), pki.client_context(pki.revoked))
    daemon.wait_log("CERT: Pre-verification error: .*certificate revoked")
    daemon.wait_end(end="cert_rejected")


def test_an_expired_crl_refuses_everybody(scene, pki):
    old = pki.ca.crl(pki.revoked, label="old", days=(-9, -1))
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", f"CRLfile = {old}", "verify = 2")
    assert not passes(daemon.port("tls"), pki.client_context(pki.client))
    daemon.wait_log("CERT: Pre-verification error: .*CRL has expired")


def test_a_crl_of_another_ca_refuses_everybody(scene, pki):
    other = pki.other_ca.crl(label="other")
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", f"CRLfile = {other}", "verify = 2")
    assert not passes(daemon.port("tls"), pki.client_context(pki.client))
    daemon.wait_log("CERT: Pre-verification error: .*unable to get certificate CRL")


def test_a_revoked_intermediate_is_refused(scene, pki):
    """The whole chain is checked, not just the leaf."""
    lists = pki.join(
        "chain.crl", pki.ca.crl(pki.intermediate, label="no-intermediate"), pki.intermediate.crl(label="empty")
    )
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", f"CRLfile = {lists}", "verify = 2")
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    assert not passes(daemon.port("tls"), pki.client_context(pki.deep_client))


def test_crlpath_is_looked_up_by_hash(scene, pki, openssl):
    folder = scene.folder / "crls"
    folder.mkdir()
    with open(pki.crl, "rb") as crl:
        (folder / "ca.crl").write_bytes(crl.read())
    subprocess.run([openssl, "rehash", str(folder)], check=True, capture_output=True)
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", f"CRLpath = {folder}", "verify = 2")
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    assert not passes(daemon.port("tls"), pki.client_context(pki.revoked))


# --- verifying servers

SERVERS = ("server", "foreign", "expired", "future", "self_signed", "client_only")


@pytest.mark.sanitize
@pytest.mark.parametrize("level, good", [("verify = 2", {"server"}), ("verify = 0", set(SERVERS)), ("verify = 4", {"server"})])
def test_client_mode_against_every_server(scene, pki, level, good):
    trust = pki.join("servers.pem", pki.ca.path, pki.server.path, pki.expired.path)
    servers = {name: scene.server(echo, pki.server_context(getattr(pki, name))) for name in SERVERS}
    daemon = scene.daemon(
        "".join(
            scene.section(name, server, "client = yes", f"CAfile = {trust}", level)
            for name, server in servers.items()
        )
    )
    assert {name for name in SERVERS if plain_passes(daemon.port(name))} == good


def test_client_mode_names_the_refused_server(scene, pki):
    server = scene.server(echo, pki.server_context(pki.expired))
    daemon = scene.client_mode(server, f"CAfile = {pki.ca.path}", "verifyChain = yes")
    assert not plain_passes(daemon.port("plain"))
    daemon.wait_log("CERT: Pre-verification error: .*certificate has expired")
    daemon.wait_log("Rejected by CERT at depth=0: O=Test, CN=expired.test")
    daemon.wait_end(end="cert_rejected")


def test_client_mode_presents_its_certificate(scene, pki):
    server = scene.server(echo, pki.server_context(client_ca=pki.ca))
    daemon = scene.daemon(
        scene.section("with", server, "client = yes", f"cert = {pki.client.bundle}")
        + scene.section("without", server, "client = yes")
    )
    assert plain_passes(daemon.port("with"))
    assert not plain_passes(daemon.port("without"))


# --- names

NAME_CASES = [
    # check line, SANs of the server, verdict
    ("checkHost = srv.test", ["srv.test"], PASS),
    ("checkHost = SRV.Test", ["srv.test"], PASS),
    ("checkHost = srv.test", ["other.test"], REFUSE),
    ("checkHost = a.srv.test", ["*.srv.test"], PASS),
    ("checkHost = a.b.srv.test", ["*.srv.test"], REFUSE),
    ("checkHost = srv.test", ["*.srv.test"], REFUSE),
    ("checkHost = 127.0.0.1", ["127.0.0.1"], REFUSE),
    ("checkHost = srv.test", [x509.DNSName("srv.test\0.evil.test")], REFUSE),
    ("checkHost = commonname.test", [], PASS),
    ("checkHost = commonname.test", ["other.test"], REFUSE),
    ("checkIP = 127.0.0.1", ["127.0.0.1"], PASS),
    ("checkIP = 127.0.0.1", [x509.DNSName("127.0.0.1")], REFUSE),
    ("checkIP = ::1", ["::1"], PASS),
    ("checkIP = 127.0.0.2", ["127.0.0.1"], REFUSE),
    ("checkEmail = a@mail.test", ["a@mail.test"], PASS),
    ("checkEmail = b@mail.test", ["a@mail.test"], REFUSE),
    ("checkHost = no.test\ncheckHost = srv.test", ["srv.test"], PASS),
    ("checkHost = no.test\ncheckIP = 127.0.0.1", ["srv.test", "127.0.0.1"], PASS),
]


def test_subject_checks(scene, pki):
    text = ""
    for number, (line, sans, _) in enumerate(NAME_CASES):
        identity = pki.ca.issue("commonname.test", sans=sans)
        server = scene.server(echo, pki.server_context(identity))
        text += scene.section(
            f"n{number}", server, "client = yes", f"CAfile = {pki.ca.path}", "verifyChain = yes", line
        )
    daemon = scene.daemon(text)
    verdicts = [(line, sans, plain_passes(daemon.port(f"n{n}"))) for n, (line, sans, _) in enumerate(NAME_CASES)]
    assert verdicts == NAME_CASES
    for said in ("DNS:other.test, and not for checkHost = srv.test", "DNS:*.srv.test, and not for checkHost = a.b.srv.test",
                 "IP Address:127.0.0.1, and not for checkIP = 127.0.0.2",
                 "email:a@mail.test, and not for checkEmail = b@mail.test"):
        daemon.wait_log(rf"CERT: Subject checks failed: the certificate is for {re.escape(said)}$")
    assert "\0" not in daemon.log()


def test_a_mismatch_names_all_that_was_wanted(scene, pki):
    server = scene.server(echo, pki.server_context(pki.ca.issue("commonname.test")))
    daemon = scene.client_mode(server, f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = a.test",
                               "checkHost = b.test", "checkIP = ::1")
    assert not plain_passes(daemon.port("plain"))
    daemon.wait_log("CERT: Subject checks failed: the certificate is for O=Test, CN=commonname.test, and not for "
                    "checkHost = a.test, checkHost = b.test, checkIP = ::1$")


def test_subject_checks_of_clients(scene, pki):
    daemon = scene.server_mode(
        scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkEmail = client@mail.test"
    )
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    assert not passes(daemon.port("tls"), pki.client_context(pki.other_client))


def test_start_warns_of_clients_that_verify_nobody(scene, pki):
    server = scene.server(echo, pki.server_context())
    daemon = scene.daemon(
        scene.section("open", server, "client = yes")
        + scene.section("anyname", server, "client = yes", f"CAfile = {pki.ca.path}", "verifyChain = yes")
    )
    daemon.wait_log(r"LOG4\[.*\]: Service \[open\] needs authentication to prevent MITM attacks")
    daemon.wait_log(r'LOG4\[.*\]: Service \[anyname\] uses "verifyChain" without subject checks')


def test_verification_cannot_pass_because_the_trust_is_missing(scene, pki):
    """No CA at all: the start is refused, not the check."""
    with pytest.raises(NotStarted) as refused:
        scene.daemon(
            scene.section("tls", "127.0.0.1:9", f"cert = {pki.server.bundle}", "verify = 2")
        )
    assert refused.value.status == 78 and "CAfile" in refused.value.stderr


def test_services_keep_their_rules_apart(scene, pki):
    """Two services of one file, one open and one closed, with backends of their own."""
    open_side, closed_side = scene.server(greeter(b"open")), scene.server(greeter(b"closed"))
    daemon = scene.daemon(
        scene.section("open", open_side, f"cert = {pki.server.bundle}")
        + scene.section("closed", closed_side, f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verify = 2")
    )
    with connect_tls(daemon.port("open"), pki.client_context()) as near:
        assert near.recv(4) == b"open"
    with pytest.raises((ssl.SSLError, OSError, AssertionError)):
        with connect_tls(daemon.port("closed"), pki.client_context()) as near:
            near.recv(6)
    with connect_tls(daemon.port("closed"), pki.client_context(pki.client)) as near:
        assert near.recv(6) == b"closed"
    assert closed_side.served == 1
