# SPDX-License-Identifier: Apache-2.0
# STARTTLS of irc, xmpp and xmpp-server, as the peers meet it: nothing that came in clear gets into the tunnel.
import re
import ssl

import pytest

from lib.peer import END, RESET, TlsPeer

pytestmark = pytest.mark.sanitize

TLS = b"urn:ietf:params:xml:ns:xmpp-tls"


def stream(kind, more=b""):
    return (b"<?xml version='1.0'?><stream:stream to='im.test' version='1.0' xmlns='jabber:" + kind +
            b"' xmlns:stream='http://etherx.jabber.org/streams'" + more + b">")


def features(inside):
    return b"<stream:features>" + inside + b"</stream:features>"


REQUIRED = features(b"<starttls xmlns='" + TLS + b"'><required/></starttls>")
STARTTLS = b"<starttls xmlns='" + TLS + b"'/>"
PROCEED = b"<proceed xmlns='" + TLS + b"'/>"
# By protocol, as the client of a server meets it: what it says first, how the answer ends; its request, and our consent.
SERVERS = {
    "irc": (b"CAP LS 302\r\n", b" LS :tls\r\n", b"STARTTLS\r\n",
            b":ginnel 670 * :STARTTLS successful, go ahead with TLS handshake\r\n"),
    "xmpp": (stream(b"client"), REQUIRED, STARTTLS, PROCEED),
    "xmpp-server": (stream(b"server", b" from='b.test'"), REQUIRED, STARTTLS, PROCEED),
}


def ours(kind, more=b""):
    return (b"<?xml version='1.0'?><stream:stream version='1.0' xmlns='jabber:" + kind +
            b"' xmlns:stream='http://etherx.jabber.org/streams' to='im.test'" + more + b">")


# As a server meets a client of ours: what the local program says first; what we say and the server answers in turn, up to
# our request; the server's consent.
CLIENTS = {
    "irc": (b"", [b"STARTTLS\r\n"], b":irc.test 670 * :go\r\n"),
    "xmpp": (stream(b"client", b" from='bob@im.test'"),
             [ours(b"client"), stream(b"client") + REQUIRED, STARTTLS], PROCEED),
    "xmpp-server": (stream(b"server", b" from='b.test'"),
                    [ours(b"server", b" from='b.test'"), stream(b"server") + REQUIRED, STARTTLS], PROCEED),
}
BEHIND = [b"U", b"<x/>", b"NICK x\r\n", b" ", b"\0", b"x" * 20000]


def open_server(scene, protocol):
    """ginnel as the server, and a client that has heard that it may ask for TLS."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, f"protocol = {protocol}")
    near = scene.connect(daemon.port("tls"))
    hello, answer, _, _ = SERVERS[protocol]
    near.send(hello)
    heard = b""
    while not heard.endswith(answer):
        some = near.some()
        assert some, heard
        heard += some
    assert protocol == "irc" or re.search(rb" id='[0-9a-f]{32}' from='im\.test'", heard), heard
    return daemon, backend, near


@pytest.mark.parametrize("protocol", SERVERS)
def test_server_begins_tls(scene, pki, protocol):
    daemon, backend, near = open_server(scene, protocol)
    _, _, request, consent = SERVERS[protocol]
    near.send(request)
    assert near.recv(len(consent)) == consent
    assert backend.unvisited(), "the backend before TLS"
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    far = scene.keep(backend.accept())
    tls.send(b"once more\r\n")
    assert far.recv(11) == b"once more\r\n", "and nothing of what was said in clear"
    far.send(b"welcome")
    assert tls.recv(7) == b"welcome"
    tls.shut()
    assert far.ended() == END
    far.shut()
    daemon.wait_end(end="done")


@pytest.mark.parametrize("behind", BEHIND, ids=lambda b: repr(b[:8]))
@pytest.mark.parametrize("protocol", SERVERS)
def test_server_ends_on_bytes_behind_the_request(scene, protocol, behind):
    daemon, backend, near = open_server(scene, protocol)
    near.send(SERVERS[protocol][2] + behind)
    assert near.ended() == RESET, "no consent"
    daemon.wait_end(end="starttls_injection")
    assert backend.unvisited()


@pytest.mark.parametrize("protocol", SERVERS)
def test_server_gives_tls_no_bytes_in_clear(scene, pki, protocol):
    """They come with the ClientHello, and TLS takes them for its own."""
    daemon, backend, near = open_server(scene, protocol)
    _, _, request, consent = SERVERS[protocol]
    near.send(request)
    assert near.recv(len(consent)) == consent
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost", handshake=False)
    near.send(b"<x/>\r\n" + tls.hello())
    assert near.rest()[0] == b""
    daemon.wait_end(end="not_tls")
    assert backend.unvisited()


@pytest.mark.parametrize("protocol, said, answer", [
    ("irc", b"PASS secret\r\nUSER bob\r\n", b"ERROR :STARTTLS first\r\n"),
    ("xmpp", b"<auth mechanism='PLAIN'>secret</auth>", b"<policy-violation"),
    ("xmpp-server", b"<db:result secret=''>", b"<policy-violation"),
])
def test_server_refuses_who_goes_on_in_clear(scene, protocol, said, answer):
    daemon, backend, near = open_server(scene, protocol)
    near.send(said)
    heard, how = near.rest()
    assert answer in heard and how == END
    daemon.wait_end(end="no_starttls")
    assert "secret" not in daemon.log()
    assert backend.unvisited()


def up_to_consent(scene, pki, protocol):
    """A client of ours that has asked for TLS."""
    backend = scene.backend()
    daemon = scene.client_mode(backend, f"protocol = {protocol}", f"CAfile = {pki.ca.path}", "verifyChain = yes")
    near, far = scene.plain_pair(daemon, backend)
    hello, steps, consent = CLIENTS[protocol]
    near.send(hello)
    for number, step in enumerate(steps):
        if number % 2 == 0:
            assert far.recv(len(step)) == step
        else:
            far.send(step)
    return daemon, near, far, hello, consent


@pytest.mark.parametrize("protocol", CLIENTS)
def test_client_begins_tls(scene, pki, protocol):
    _, near, far, hello, consent = up_to_consent(scene, pki, protocol)
    near.send(b"<auth/>\r\n")  # in haste
    assert far.quiet(0.1), "a byte of the local program before TLS"
    far.send(consent)
    tls = TlsPeer(far.sock, pki.server_context(), server=True)
    said = hello + b"<auth/>\r\n"
    assert tls.recv(len(said)) == said, "as it was written"
    tls.send(b"welcome")
    assert near.recv(7) == b"welcome", "and nothing of what the server had said in clear"


@pytest.mark.parametrize("behind", BEHIND, ids=lambda b: repr(b[:8]))
@pytest.mark.parametrize("protocol", CLIENTS)
def test_client_ends_on_bytes_behind_the_consent(scene, pki, protocol, behind):
    daemon, near, far, _, consent = up_to_consent(scene, pki, protocol)
    far.send(consent + behind)
    assert near.ended() == RESET
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


@pytest.mark.parametrize("protocol", CLIENTS)
def test_client_gives_the_local_program_no_bytes_in_clear(scene, pki, protocol):
    daemon, near, far, _, consent = up_to_consent(scene, pki, protocol)
    far.send(consent)
    assert far.recv(1) == b"\x16"
    far.send(b"<x/>\r\n")
    assert near.ended() == RESET
    daemon.wait_end(end="tls_connect")


@pytest.mark.parametrize("protocol", CLIENTS)
@pytest.mark.parametrize("end", ["no_starttls_far", "cert_rejected"])
def test_client_keeps_its_bytes_for_tls(scene, pki, protocol, end):
    """An evil server refuses, or has a certificate of its own: it never hears the local program."""
    daemon, near, far, _, consent = up_to_consent(scene, pki, protocol)
    near.send(b"secret of the local program\r\n")
    if end == "no_starttls_far":
        far.send(b":irc.test 691 * :no\r\n" if protocol == "irc" else b"<failure xmlns='" + TLS + b"'/>")
        assert far.rest()[0] == b""
    else:
        far.send(consent)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            TlsPeer(far.sock, pki.server_context(pki.foreign), server=True).recv(1)
    daemon.wait_end(end=end)
