# SPDX-License-Identifier: Apache-2.0
# Sessions taken up again: only where they began, only under the same rules, and not for ever.
import ssl
import time

import pytest

from lib.peer import echo, greeter, visit
from lib.pki import Pki

KINDS = {  # how a session is kept: version, ticket or session id
    "1.2-ticket": {"version": "TLSv1.2"},
    "1.2-id": {"version": "TLSv1.2", "tickets": False},
    "1.3": {"version": "TLSv1.3"},
}


def try_visit(port, context, session):
    """As visit(), but a refusal is an answer too: True if it was served, and whether it was resumed."""
    try:
        return True, visit(port, context, session)[1]
    except (ssl.SSLError, OSError, AssertionError):
        return False, False


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_is_resumed_where_it_began(scene, pki, kind):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verify = 2")
    context = pki.client_context(pki.client, **KINDS[kind])
    session, reused = visit(daemon.port("tls"), context)
    assert not reused
    session, reused = visit(daemon.port("tls"), context, session)
    assert reused
    daemon.wait_log("TLS accepted: previous session reused")


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_never_crosses_services(scene, pki, kind):
    """Every pair of services with different trust; whoever is guarded must see nothing of a guest."""
    rules = {
        "open": [],
        "goodca": [f"CAfile = {pki.ca.path}", "verify = 2"],
        "otherca": [f"CAfile = {pki.other_ca.path}", "verify = 2"],
        "pinned": [f"CAfile = {pki.client.path}", "verify = 4"],
        "named": [f"CAfile = {pki.ca.path}", "verify = 2", "checkHost = second.test"],
        "crl": [f"CAfile = {pki.ca.path}", f"CRLfile = {pki.crl}", "verify = 2"],
    }
    admitted = {  # who gets in by a full handshake
        "open": ("none", "client", "foreign", "other_client", "revoked"),
        "goodca": ("client", "other_client", "revoked"),
        "otherca": ("foreign",),
        "pinned": ("client",),
        "named": ("other_client",),
        "crl": ("client", "other_client"),
    }
    servers = {name: scene.server(echo) for name in rules}
    daemon = scene.daemon(
        "".join(
            scene.section(name, servers[name], f"cert = {pki.server.bundle}", *lines)
            for name, lines in rules.items()
        )
    )
    faults = []
    for first in rules:
        for who in admitted[first]:
            identity = None if who == "none" else getattr(pki, who)
            context = pki.client_context(identity, **KINDS[kind])
            session, _ = visit(daemon.port(first), context)
            for second in rules:
                if second == first:
                    continue
                served, reused = try_visit(daemon.port(second), context, session)
                if reused:
                    faults.append(f"{who} resumed the session of {first} at {second}")
                if served != (who in admitted[second]):
                    faults.append(f"{who} with a session of {first} at {second}: served={served}")
    assert not faults, "\n".join(faults)


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_does_not_cross_to_the_service_of_another_protocol(scene, pki, kind):
    """ALPN chooses the service, and the same client may offer another protocol the next time."""
    guarded = scene.backend()
    cert = f"cert = {pki.server.bundle}"
    daemon = scene.daemon(
        scene.section("open", scene.server(echo), cert)
        + f"[guarded]\nconnect = {guarded.address}\n{cert}\nalpn = open:inside\n"
          f"CAfile = {pki.ca.path}\nverify = 2\n")
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(daemon.port("open"), context)
    assert try_visit(daemon.port("open"), context, session) == (True, True)
    context.set_alpn_protocols(["inside"])
    assert try_visit(daemon.port("open"), context, session) == (False, False)
    daemon.wait_end(end="cert_missing")
    assert guarded.unvisited()


@pytest.mark.parametrize("kind", KINDS)
def test_session_resume_no_resumes_nothing(scene, pki, kind):
    daemon = scene.server_mode(scene.server(echo), "sessionResume = no")
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(daemon.port("tls"), context)
    if session is not None:
        assert not visit(daemon.port("tls"), context, session)[1]


@pytest.mark.parametrize("kind", ["1.2-ticket", "1.3"])
def test_a_chain_of_resumptions_does_not_outlive_the_timeout(scene, pki, kind):
    life = 2
    daemon = scene.server_mode(scene.server(echo), f"sessionCacheTimeout = {life}")
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(daemon.port("tls"), context)
    born, resumed, reused = time.monotonic(), 0, True
    while reused:
        age = time.monotonic() - born
        session, reused = visit(daemon.port("tls"), context, session)
        assert not reused or age < life + 1.2, "a session outlived its life"
        resumed += reused
        time.sleep(0.2)  # time has to pass: a session's age is what is tested
    assert resumed >= 2


@pytest.mark.parametrize("kind", ["1.2-ticket", "1.3"])
def test_ticket_keys_rotate_and_only_the_last_but_one_still_opens(scene, pki, kind):
    daemon = scene.server_mode(scene.server(echo), "ticketRotation = 2", "sessionCacheTimeout = 300")
    born = time.monotonic()  # the first key is a little older
    context = pki.client_context(**KINDS[kind])
    first, _ = visit(daemon.port("tls"), context)
    time.sleep(max(0, born + 2.1 - time.monotonic()))  # one rotation
    assert visit(daemon.port("tls"), context, first)[1]
    time.sleep(max(0, born + 4.6 - time.monotonic()))  # two
    assert not visit(daemon.port("tls"), context, first)[1]


def test_a_session_ends_with_its_peers_certificate(scene, tmp_path):
    own = Pki(tmp_path)
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {own.ca.path}", "verify = 2")
    context_of = lambda identity: own.client_context(identity, verify=False)  # noqa: E731
    brief = own.ca.issue("brief.test", seconds=(-60, 3), label="brief")
    end = time.monotonic() + 3
    context = context_of(brief)
    session, _ = visit(daemon.port("tls"), context)
    session, reused = visit(daemon.port("tls"), context, session)
    assert reused
    time.sleep(max(0, end - time.monotonic()) + 1.1)  # until the certificate has expired
    assert try_visit(daemon.port("tls"), context, session) == (False, False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reload_with_other_trust_ends_old_sessions(scene, pki, kind):
    server = scene.server(echo)

    def text(*lines):
        return scene.section("tls", server, f"cert = {pki.server.bundle}", "verify = 2", *lines)

    daemon = scene.server_mode(server, f"CAfile = {pki.ca.path}", "verify = 2")
    port = daemon.port("tls")
    contexts = {name: pki.client_context(getattr(pki, name), **KINDS[kind]) for name in ("client", "revoked")}
    sessions = {name: visit(port, context)[0] for name, context in contexts.items()}
    daemon.write(text(f"CAfile = {pki.ca.path}", f"CRLfile = {pki.crl}"))
    daemon.reload()
    assert try_visit(port, contexts["client"], sessions["client"]) == (True, False)
    assert try_visit(port, contexts["revoked"], sessions["revoked"]) == (False, False)
    session, _ = visit(port, contexts["client"])
    daemon.write(text(f"CAfile = {pki.other_ca.path}"))
    daemon.reload()
    assert try_visit(port, contexts["client"], session) == (False, False)


@pytest.mark.parametrize("kind", ["1.2-ticket", "1.3"])
def test_a_reload_without_other_trust_keeps_tickets(scene, pki, kind):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    port = daemon.port("tls")
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(port, context)
    daemon.write(scene.section("tls", server, f"cert = {pki.server.bundle}", "TIMEOUTidle = 77"))
    daemon.reload()
    assert visit(port, context, session)[1]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_client_mode_resumes_at_its_server(scene, pki, version):
    context = pki.server_context(version=version)
    server = scene.server(echo, context)
    daemon = scene.client_mode(server, f"CAfile = {pki.ca.path}", "verifyChain = yes", head="workers = 1\n")
    for turn in range(3):
        near = scene.connect(daemon.port("plain"))
        near.send(b"ping")
        assert near.recv(4) == b"ping"
        near.shut()
        near.rest()
        daemon.wait_end(count=turn + 1)
    assert context.session_stats()["hits"] == 2


def test_client_mode_sessions_never_cross_services(scene, pki):
    """The lax service's session must not carry the strict one past its check of the certificate."""
    context = pki.server_context(pki.foreign)
    server = scene.server(greeter(b"secret"), context)
    daemon = scene.daemon(
        scene.section("lax", server, "client = yes")
        + scene.section("strict", server, "client = yes", f"CAfile = {pki.ca.path}", "verifyChain = yes"),
        head="workers = 1\n",
    )
    for _ in range(2):
        near = scene.connect(daemon.port("lax"))
        assert near.recv(6) == b"secret"
        near.shut()
        near.rest()
    near = scene.connect(daemon.port("strict"))
    got, _ = _rest(near)
    assert got == b""
    daemon.wait_end(end="cert_rejected", service="strict")


def _rest(near):
    try:
        return near.rest()
    except OSError as error:
        return b"", error
