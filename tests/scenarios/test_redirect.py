# SPDX-License-Identifier: Apache-2.0
# Clients that may not pass are connected to another target; nothing of the real one is ever theirs.
import re
import ssl
import subprocess

import pytest

from lib.daemon import INCUMBENT
from lib.peer import connect_tls, greeter
from lib.ports import Nobody
from lib.responder import OpensslResponder

KINDS = {  # how a session is kept: version, ticket or session id
    "1.2-ticket": {"version": "TLSv1.2"},
    "1.2-id": {"version": "TLSv1.2", "tickets": False},
    "1.3": {"version": "TLSv1.3"},
}
ours_only = pytest.mark.skipif(INCUMBENT, reason="a promise of ours, or an option that only we have")
CERTIFICATES = (
    "none", "client", "other_client", "deep_client", "foreign", "expired", "future", "revoked", "self_signed",
    "server_only",
)


class Stage:
    """A service with its real and its redirect target."""

    def __init__(self, scene, pki, *lines):
        self.real, self.decoy = scene.server(greeter(b"real")), scene.server(greeter(b"decoy"))
        self.text = lambda *rules: scene.section(
            "tls", self.real, f"cert = {pki.server.bundle}", *rules, f"redirect = {self.decoy.address}")
        self.daemon = scene.daemon(self.text(*lines))
        self.port = self.daemon.port("tls")

    def visit(self, context, session=None, name="localhost"):
        """(which target, session, resumed); refused: (None, None, False)."""
        try:
            with connect_tls(self.port, context, name=name, session=session) as near:
                answer, _ = near.rest()
                return answer.decode() or None, near.session, near.reused
        except (ssl.SSLError, OSError):
            return None, None, False


# --- resumption: the attack


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("identity", [None, "foreign", "expired"])
def test_who_failed_never_resumes_into_the_real_target(scene, pki, kind, identity):
    stage = Stage(scene, pki, f"CAfile = {pki.ca.path}", "verifyChain = yes")
    context = pki.client_context(identity and getattr(pki, identity), **KINDS[kind])
    session = None
    for _ in range(3):
        answer, session, _ = stage.visit(context, session)
        assert answer == "decoy"
        assert session is not None
    # The same session, by a client that has a good certificate now: it was not asked for it.
    context.load_cert_chain(pki.client.bundle)
    answer, _, reused = stage.visit(context, session)
    assert answer == ("decoy" if reused else "real")
    assert stage.real.served == (0 if reused else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_who_passed_resumes_into_the_real_target(scene, pki, kind):
    stage = Stage(scene, pki, f"CAfile = {pki.ca.path}", "verifyChain = yes")
    context = pki.client_context(pki.client, **KINDS[kind])
    answer, session, _ = stage.visit(context)
    assert answer == "real"
    assert stage.visit(context, session)[::2] == ("real", True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_from_before_a_reload_with_other_rules_is_not_taken(scene, pki, kind):
    """Once with redirect, then without; who failed must be refused, and who was redirected, too."""
    stage = Stage(scene, pki, f"CAfile = {pki.ca.path}", "verifyChain = yes")
    context = pki.client_context(pki.foreign, **KINDS[kind])
    answer, session, _ = stage.visit(context)
    assert answer == "decoy"
    rules = (f"CAfile = {pki.ca.path}", "verifyChain = yes")
    stage.daemon.write(re.sub("(?m)^redirect.*$", "", stage.text(*rules)))
    stage.daemon.reload()
    assert stage.visit(context, session) == (None, None, False)
    assert stage.real.served == 0


@ours_only
@pytest.mark.parametrize("kind", KINDS)
def test_a_redirected_session_opens_no_other_name(scene, pki, kind):
    servers = {name: scene.server(greeter(name.encode())) for name in ("real", "decoy", "strict", "open")}
    cert, rules = f"cert = {pki.server.bundle}", (f"CAfile = {pki.ca.path}", "verifyChain = yes")
    daemon = scene.daemon("\n".join([
        "[main]", "accept = 127.0.0.1:0", f"connect = {servers['real'].address}", cert, *rules,
        f"redirect = {servers['decoy'].address}",
        "[strict]", "sni = main:strict.test", f"connect = {servers['strict'].address}", cert, *rules,
        "[open]", "sni = main:open.test", f"connect = {servers['open'].address}", cert,
    ]))
    context = pki.client_context(**KINDS[kind])

    def visit(name, session=None):
        try:
            with connect_tls(daemon.port("main"), context, name=name, session=session) as near:
                return near.rest()[0], near.session, near.reused
        except (ssl.SSLError, OSError):
            return b"", None, False

    for first, answer in (("localhost", b"decoy"), ("open.test", b"open")):
        got, session, _ = visit(first)
        assert got == answer
        assert visit("strict.test", session) == (b"", None, False)
        for second in {"localhost", "open.test"} - {first}:
            assert visit(second, session)[::2] == (b"decoy" if second == "localhost" else b"open", False)
    assert servers["real"].served == servers["strict"].served == 0


# --- who is redirected


@pytest.fixture
def trust(pki):
    """The CA, one pinned good client, and pinned ones that must not pass all the same."""
    return pki.join("redirect-trust.pem", pki.ca.path, pki.client.path, pki.expired.path, pki.future.path)


RULES = {  # who gets to the real target
    "verifyChain = yes": {"client", "other_client", "deep_client", "revoked"},
    "verifyChain = yes\nrequireCert = no": {"client", "other_client", "deep_client", "revoked"},
    "verify = 1": {"client", "other_client", "deep_client", "revoked"},
    "verifyPeer = yes": {"client"},
    "verify = 3": {"client"},
    "verify = 4": {"client"},
    "verifyChain = yes\ncheckHost = second.test": {"other_client"},
    "verifyChain = yes\nCRLfile = {crl}": {"client", "other_client"},
    "verifyPeer = yes\nCRLfile = {crl}": {"client"},
}


@pytest.mark.sanitize
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("rule", RULES, ids=[rule.replace("\n", ", ") for rule in RULES])
def test_everybody_else_gets_the_other_target(scene, pki, trust, rule, version):
    stage = Stage(scene, pki, f"CAfile = {trust}", rule.format(crl=pki.crl))
    seen = {
        name: stage.visit(pki.client_context(getattr(pki, name, None), version=version))[0] for name in CERTIFICATES
    }
    expected = {name: "real" if name in RULES[rule] else "decoy" for name in CERTIFICATES}
    assert seen == expected
    assert stage.real.served == len(RULES[rule])
    stage.daemon.wait_log(r"LOG5\[\d+\]: Redirecting connection", count=len(CERTIFICATES) - len(RULES[rule]))


def test_a_pinned_certificate_for_another_purpose_is_redirected(scene, pki):
    """What verifyPeer alone may ignore (a leaf without its CA, found last) must not hide what it may not."""
    path = pki.join("redirect-pins.pem", pki.server_only.path, pki.self_signed.path)
    stage = Stage(scene, pki, f"CAfile = {path}", "verifyPeer = yes")
    assert stage.visit(pki.client_context(pki.server_only, verify=False))[0] == "decoy"


def test_the_cause_is_logged(scene, pki):
    stage = Stage(scene, pki, f"CAfile = {pki.ca.path}", "verifyChain = yes")
    assert stage.visit(pki.client_context(pki.foreign))[0] == "decoy"
    stage.daemon.wait_log(r"LOG4\[\d+\]: Rejected by CERT at depth=0: O=Test, CN=foreign.test")
    stage.daemon.wait_log(r"LOG5\[\d+\]: Redirecting connection")


@pytest.mark.sanitize
@ours_only
@pytest.mark.parametrize("kind", KINDS)
def test_a_revoked_client_is_redirected_and_stays_so(scene, pki, openssl, kind):
    responder = scene.keep(OpensslResponder(openssl, scene.folder, pki.ca, good=[pki.client], revoked=[pki.revoked]))
    stage = Stage(scene, pki, f"CAfile = {pki.ca.path}", "verifyChain = yes", f"OCSP = {responder.url}")
    context = pki.client_context(pki.revoked, **KINDS[kind])
    session = None
    for _ in range(3):
        answer, session, _ = stage.visit(context, session)
        assert answer == "decoy"
    assert stage.visit(pki.client_context(pki.other_client, **KINDS[kind]))[0] == "decoy", "nobody knows it"
    assert stage.real.served == 0
    assert stage.visit(pki.client_context(pki.client, **KINDS[kind]))[0] == "real"


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_key_is_no_certificate(scene, pki, version):
    path = scene.secret("psk", "alice:" + "0a" * 16 + "\n")
    stage = Stage(scene, pki, f"CAfile = {pki.ca.path}", "verifyChain = yes", f"PSKsecrets = {path}",
                  f"sslVersion = {version}")
    client = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{stage.port}", "-psk", "0a" * 16, "-psk_identity", "alice",
         "-quiet"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert b"real" not in client.stdout
    stage.daemon.wait_log("Redirecting connection")
    assert stage.real.served == 0


@ours_only
def test_no_program_is_started_for_who_is_redirected(scene, pki):
    decoy = scene.server(greeter(b"decoy"))
    daemon = scene.daemon("\n".join([
        "[tls]", "accept = 127.0.0.1:0", "exec = /bin/cat", f"cert = {pki.server.bundle}",
        f"CAfile = {pki.ca.path}", "verifyChain = yes", f"redirect = {decoy.address}"]))
    with connect_tls(daemon.port("tls"), pki.client_context()) as near:
        assert near.rest()[0] == b"decoy"
    daemon.wait_end()
    assert "Local mode child" not in daemon.log()
    with connect_tls(daemon.port("tls"), pki.client_context(pki.client)) as near:
        assert near.send(b"real").recv(4) == b"real"


# --- where to


def test_several_targets_are_tried(scene, pki):
    dead = Nobody()
    decoy = scene.server(greeter(b"decoy"))
    daemon = scene.server_mode(
        scene.server(greeter(b"real")), f"CAfile = {pki.ca.path}", "verifyChain = yes",
        f"redirect = {dead.address}", f"redirect = {decoy.address}")
    with connect_tls(daemon.port("tls"), pki.client_context()) as near:
        assert near.rest()[0] == b"decoy"
    with connect_tls(daemon.port("tls"), pki.client_context(pki.client)) as near:
        assert near.rest()[0] == b"real"


@ours_only
def test_a_redirect_that_cannot_be_reached_ends_the_tunnel(scene, pki):
    dead, real = Nobody(), scene.server(greeter(b"real"))
    daemon = scene.server_mode(real, f"CAfile = {pki.ca.path}", "verifyChain = yes", f"redirect = {dead.address}")
    with connect_tls(daemon.port("tls"), pki.client_context()) as near:
        try:
            assert near.rest()[0] == b""
        except (ssl.SSLError, OSError):
            pass
    daemon.wait_end(end="connect")
    assert real.served == 0


@ours_only
def test_a_bridge_speaks_tls_to_both_targets(scene, pki):
    servers = {name: scene.server(greeter(name.encode()), pki.server_context()) for name in ("real", "decoy")}
    daemon = scene.daemon(scene.section(
        "bridge", servers["real"], "connectTLS = yes", f"accept.cert = {pki.server.bundle}",
        f"accept.CAfile = {pki.ca.path}", "accept.verifyChain = yes", f"redirect = {servers['decoy'].address}"))
    for identity, answer in ((pki.client, b"real"), (None, b"decoy")):
        with connect_tls(daemon.port("bridge"), pki.client_context(identity)) as near:
            assert near.rest()[0] == answer


def test_a_secondary_has_its_own_redirect(scene, pki):
    servers = {name: scene.server(greeter(name.encode())) for name in ("main", "real", "decoy")}
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("main", servers["main"], cert)
        + "\n".join(["[guarded]", "sni = main:guarded.test", f"connect = {servers['real'].address}", cert,
                     f"CAfile = {pki.ca.path}", "verifyChain = yes", f"redirect = {servers['decoy'].address}", ""]))
    table = {("guarded.test", None): b"decoy", ("guarded.test", "client"): b"real", ("other.test", None): b"main"}
    for (name, identity), answer in table.items():
        context = pki.client_context(identity and getattr(pki, identity))
        with connect_tls(daemon.port("main"), context, name=name) as near:
            assert near.rest()[0] == answer, name


# --- what is refused with it

BAD = {
    "protocol = pop3\nverifyChain = yes": 'redirect: "redirect" is incompatible with the specified protocol negotiation',
    "client = yes": 'redirect: "redirect" is unsupported in client sections',
    "": 'redirect: Either "verifyChain" or "verifyPeer" has to be enabled for "redirect" to work',
    "requireCert = yes": 'redirect: Either "verifyChain" or "verifyPeer" has to be enabled',
    "accept = 127.0.0.1:4433\nverifyChain = yes\nredirect = 127.0.0.1:4433": "redirect: .*itself listens",
}


@ours_only
@pytest.mark.parametrize("lines", BAD, ids=lambda lines: lines.replace("\n", ", "))
def test_what_is_wrong_is_named_with_its_line(scene, pki, lines):
    text = "\n".join([
        "foreground = yes", "[tls]", "accept = 127.0.0.1:4432", "connect = 127.0.0.1:9", "redirect = 127.0.0.1:8",
        f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", lines, ""])
    done = scene.run("check", scene.file("bad.conf", text))
    assert done.returncode == 78
    assert re.search(r"(?m)^[^ ]*bad\.conf:(5|10): " + BAD[lines], done.stderr), done.stderr
