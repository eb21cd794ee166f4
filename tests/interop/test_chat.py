# SPDX-License-Identifier: Apache-2.0
# XMPP and IRC, with Prosody, InspIRCd and openssl, and ginnel as either side of their STARTTLS.
import base64
import collections
import re

import pytest

from interop.host import free_port, public_folder
from interop.inspircd import InspIRCd
from interop.openssl import s_client
from interop.prosody import DOMAIN, Prosody
from lib.peer import TlsPeer

pytestmark = pytest.mark.root  # the servers run as whom they are started

USER, PASSWORD = "alice", "correct-horse"

Pair = collections.namedtuple("Pair", "plain secure")  # behind a ginnel server; in front of a ginnel client


def pair(make, pki):
    with public_folder() as folder:
        servers = Pair(make(folder / "plain", None), make(folder / "secure", pki.server))
        yield servers
        for each in servers:
            each.close()


@pytest.fixture(scope="module")
def prosody(pki):
    yield from pair(lambda folder, tls: Prosody(folder, free_port(), free_port(), USER, PASSWORD, tls=tls), pki)


@pytest.fixture(scope="module")
def inspircd(pki):
    yield from pair(lambda folder, tls: InspIRCd(folder, free_port(), tls=tls), pki)


def server(scene, protocol, port):
    """ginnel as the server of STARTTLS; its port."""
    return scene.server_mode(f"127.0.0.1:{port}", f"protocol = {protocol}", name=protocol).port(protocol)


def client(scene, pki, protocol, port, *lines):
    """ginnel as the client of STARTTLS, which trusts the server's certificate and nothing else."""
    text = scene.section(protocol, f"127.0.0.1:{port}", "client = yes", f"protocol = {protocol}",
                         f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = localhost", *lines)
    daemon = scene.daemon(text, name="client")
    return daemon, daemon.port(protocol)


def local_port(scene, pki, way, protocol, plain, secure):
    """A port without TLS that leads to the server by TLS: through a client of ours, or through both sides."""
    if way == "client":
        return client(scene, pki, protocol, secure)[1]
    return client(scene, pki, protocol, server(scene, protocol, plain))[1]


WAYS = pytest.mark.parametrize("way", ["client", "both"])


def hear(peer, pattern):
    heard = b""
    while re.search(pattern, heard) is None:
        some = peer.some()
        assert some, f"the end after {heard!r}"
        heard += some
    return heard


# --- XMPP


def stream(kind, more=b""):
    return (b"<?xml version='1.0'?><stream:stream to='" + DOMAIN.encode() + b"' version='1.0' xmlns='jabber:" + kind +
            b"' xmlns:stream='http://etherx.jabber.org/streams'" + more + b">")


def log_in(peer):
    """RFC 6120 6 and 7; then ask for something that the server only says to whom it knows."""
    peer.send(stream(b"client"))
    heard = hear(peer, b"</stream:features>")
    assert b"<mechanism>PLAIN</mechanism>" in heard and b"xmpp-tls" not in heard
    login = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode())
    peer.send(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + login + b"</auth>")
    hear(peer, b"<success ")
    peer.send(stream(b"client"))
    hear(peer, b"</stream:features>")
    peer.send(b"<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    hear(peer, f"<jid>{USER}@{DOMAIN}/".encode())


def ask_for_dialback(peer):
    """Servers offer dialback to servers (XEP-0220)."""
    peer.send(stream(b"server", b" from='b.test' xmlns:db='jabber:server:dialback'"))
    heard = hear(peer, b"</stream:features>|<stream:features/>|<stream:features [^>]*/>")
    assert b"id='" in heard and b"xmpp-tls" not in heard


@pytest.mark.parametrize("protocol", ["xmpp", "xmpp-server"])
def test_openssl_begins_tls_with_prosody(protocol, prosody, scene, pki):
    port = prosody.plain.clients if protocol == "xmpp" else prosody.plain.servers
    kind = b"client" if protocol == "xmpp" else b"server"
    done = s_client(server(scene, protocol, port), pki, "-starttls", protocol, "-xmpphost", DOMAIN, "-quiet",
                    said=(stream(kind) + b"</stream:stream>").decode())
    assert f"jabber:{kind.decode()}" in done.stdout and "</stream:stream>" in done.stdout, done.stdout + done.stderr


def begin_xmpp(scene, pki, port, kind):
    near = scene.connect(port)
    near.send(stream(kind))
    hear(near, b"<starttls .*</stream:features>")
    near.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    hear(near, b"<proceed [^>]*/>")
    return TlsPeer(near.sock, pki.client_context(), name="localhost")


def test_a_user_logs_in_by_a_server(prosody, scene, pki):
    log_in(begin_xmpp(scene, pki, server(scene, "xmpp", prosody.plain.clients), b"client"))


@WAYS
def test_a_user_logs_in_by_a_client(way, prosody, scene, pki):
    """The user's program knows no TLS; the second server takes nobody without it."""
    port = local_port(scene, pki, way, "xmpp", prosody.plain.clients, prosody.secure.clients)
    log_in(scene.connect(port))


def test_a_server_calls_by_a_server(prosody, scene, pki):
    ask_for_dialback(begin_xmpp(scene, pki, server(scene, "xmpp-server", prosody.plain.servers), b"server"))


@WAYS
def test_a_server_calls_by_a_client(way, prosody, scene, pki):
    port = local_port(scene, pki, way, "xmpp-server", prosody.plain.servers, prosody.secure.servers)
    ask_for_dialback(scene.connect(port))


def test_a_server_without_tls_is_not_gone_on_with(prosody, scene, pki):
    daemon, port = client(scene, pki, "xmpp", prosody.plain.clients)
    near = scene.connect(port)
    near.send(stream(b"client"))
    assert near.rest()[0] == b""
    daemon.wait_end(end="no_starttls_far")


def test_a_domain_that_is_set_is_called(prosody, scene, pki):
    """The real server does not know it."""
    daemon, port = client(scene, pki, "xmpp", prosody.secure.clients, "protocolHost = elsewhere.test")
    near = scene.connect(port)
    near.send(stream(b"client"))
    assert near.rest()[0] == b""
    daemon.wait_end(end="proto_server")


# --- IRC


def register(peer):
    peer.send(b"NICK alice\r\nUSER alice 0 * :Alice\r\n")
    hear(peer, rb":irc\.test 001 alice ")


def test_openssl_begins_tls_with_inspircd(inspircd, scene, pki):
    done = s_client(server(scene, "irc", inspircd.plain.port), pki, "-starttls", "irc", "-quiet",
                    said="NICK alice\r\nUSER alice 0 * :Alice\r\nQUIT\r\n")
    assert ":irc.test " in done.stdout and "Closing link" in done.stdout, done.stdout + done.stderr


def test_irc_by_a_server(inspircd, scene, pki):
    near = scene.connect(server(scene, "irc", inspircd.plain.port))
    near.send(b"CAP LS 302\r\nNICK alice\r\nUSER alice 0 * :Alice\r\n")
    hear(near, b"LS :tls\r\n")
    near.send(b"STARTTLS\r\n")
    hear(near, b" 670 .*\r\n")
    register(TlsPeer(near.sock, pki.client_context(), name="localhost"))


@WAYS
def test_irc_by_a_client(way, inspircd, scene, pki):
    near = scene.connect(local_port(scene, pki, way, "irc", inspircd.plain.port, inspircd.secure.port))
    register(near)


def test_an_irc_server_without_tls_is_not_gone_on_with(inspircd, scene, pki):
    """It says nothing to a command that it does not know, until a client has registered."""
    daemon, port = client(scene, pki, "irc", inspircd.plain.port, "TIMEOUTbusy = 1")
    near = scene.connect(port)
    near.send(b"NICK alice\r\n")
    assert near.rest()[0] == b""
    daemon.wait_end(end="setup_timeout")


# --- the recipe


def test_the_recipe(prosody, inspircd, scene, pki, machine):
    ports = {"15222": prosody.plain.clients, "15269": prosody.plain.servers, "16667": inspircd.plain.port}
    text = machine.recipe("chat.conf", *((f"127.0.0.1:{old}", f"127.0.0.1:{new}") for old, new in ports.items()))
    daemon = scene.daemon(re.sub(r"(?m)^accept = .*$", "accept = 127.0.0.1:0", text))
    log_in(begin_xmpp(scene, pki, daemon.port("xmpp"), b"client"))
    ask_for_dialback(begin_xmpp(scene, pki, daemon.port("xmpp-server"), b"server"))
    done = s_client(daemon.port("irc"), pki, "-starttls", "irc", "-quiet",
                    said="NICK bob\r\nUSER bob 0 * :Bob\r\nQUIT\r\n")
    assert "Closing link" in done.stdout, done.stdout + done.stderr
