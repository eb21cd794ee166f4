# SPDX-License-Identifier: Apache-2.0
# What is said around TLS, as the peers meet it: order, refusals, and bytes in clear that must not get into TLS.
import ssl
import subprocess

import pytest

from lib.peer import END, RESET, TlsPeer
from lib.wait import DEADLINE

pytestmark = pytest.mark.sanitize

# By protocol, as the peers of a server meet it: the backend's greeting, what of it reaches the client, the client's
# command, our answer to it.
SERVERS = {
    "imap": (b"* OK hi\r\n", b"* OK hi\r\n", b"a STARTTLS\r\n", b"a OK Begin TLS negotiation now\r\n"),
    "lmtp": (b"220 mx hi\r\n", b"220 mx hi\r\n", b"STARTTLS\r\n", b"220 Go ahead\r\n"),
    "nntp": (b"200 hi\r\n", b"200 hi\r\n", b"STARTTLS\r\n", b"382 Continue with TLS negotiation\r\n"),
    "pop3": (b"+OK hi\r\n", b"+OK hi\r\n", b"STLS\r\n", b"+OK Begin TLS negotiation now\r\n"),
    "sieve": (b'"SIEVE" "x"\r\nOK\r\n', b'"SIEVE" "x"\r\n"SASL" ""\r\n"STARTTLS"\r\nOK\r\n', b"STARTTLS\r\n",
              b'OK "Begin TLS negotiation now"\r\n'),
    "smtp": (b"220 mx hi\r\n", b"220 mx hi\r\n", b"STARTTLS\r\n", b"220 Go ahead\r\n"),
}
# As a server meets a client of ours: what it says and hears in turn, up to the request for TLS; its consent.
CLIENTS = {
    "imap": ([b"* OK hi\r\n", b"ginnel STARTTLS\r\n"], b"ginnel OK go\r\n"),
    "lmtp": ([b"220 mx\r\n", b"LHLO localhost\r\n", b"250 mx\r\n", b"STARTTLS\r\n"], b"220 go\r\n"),
    "nntp": ([b"200 hi\r\n", b"STARTTLS\r\n"], b"382 go\r\n"),
    "pop3": ([b"+OK hi\r\n", b"STLS\r\n"], b"+OK go\r\n"),
    "sieve": ([b'"STARTTLS"\r\nOK\r\n', b"STARTTLS\r\n"], b"OK\r\n"),
    "smtp": ([b"220 mx\r\n", b"EHLO localhost\r\n", b"250 mx\r\n", b"STARTTLS\r\n"], b"220 go\r\n"),
}
BEHIND = [b"U", b"NOOP\r\n", b"\n", b"\0", b"x" * 20000]

WELCOME = b"+OK ready\r\n"
GO_AHEAD = b"+OK Begin TLS negotiation now\r\n"


@pytest.fixture
def server(scene):
    """ginnel as a TLS server for POP3, a client that has its greeting, and the backend's end."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = pop3")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(WELCOME)
    assert near.recv(len(WELCOME)) == WELCOME
    return daemon, near, far


@pytest.fixture
def client(scene, pki):
    """ginnel as a TLS client for POP3, a local client that has its greeting, and the server, asked for TLS."""
    backend = scene.backend()
    daemon = scene.client_mode(backend, "protocol = pop3", f"CAfile = {pki.ca.path}", "verifyChain = yes",
                               "checkHost = localhost")
    near, far = scene.plain_pair(daemon, backend)
    far.send(WELCOME)
    assert near.recv(len(WELCOME)) == WELCOME
    assert far.recv(6) == b"STLS\r\n"
    return daemon, near, far


# --- a server


def test_server_begins_tls_at_the_command(server, pki):
    daemon, near, far = server
    near.send(b"STLS\r\n")
    assert near.recv(len(GO_AHEAD)) == GO_AHEAD
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    tls.send(b"USER bob\r\n")
    assert far.recv(10) == b"USER bob\r\n"
    far.send(b"+OK\r\n")
    assert tls.recv(5) == b"+OK\r\n"
    tls.shut()
    assert far.ended() == END
    far.shut()
    assert tls.ended() == END
    end = daemon.wait_end(end="done")
    assert (end.to_tls, end.to_socket) == (5, 10), "the dialogue does not count"


@pytest.mark.parametrize("behind", BEHIND, ids=lambda b: repr(b[:8]))
@pytest.mark.parametrize("protocol", SERVERS)
def test_server_ends_on_bytes_behind_the_command(scene, protocol, behind):
    greeting, passed, command, _ = SERVERS[protocol]
    backend = scene.backend()
    daemon = scene.server_mode(backend, f"protocol = {protocol}")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(greeting)
    assert near.recv(len(passed)) == passed
    near.send(command + behind)
    assert near.ended() == RESET, "no answer"
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


@pytest.mark.parametrize("protocol", SERVERS)
def test_server_gives_tls_no_bytes_in_clear(scene, pki, protocol):
    """Too late for a look at them: they come with the ClientHello, and TLS takes them for its own."""
    greeting, passed, command, go_ahead = SERVERS[protocol]
    backend = scene.backend()
    daemon = scene.server_mode(backend, f"protocol = {protocol}")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(greeting)
    assert near.recv(len(passed)) == passed
    near.send(command)
    assert near.recv(len(go_ahead)) == go_ahead
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost", handshake=False)
    near.send(b"NOOP\r\n" + tls.hello())
    assert near.rest()[0] == b""
    assert far.rest()[0] == b""
    daemon.wait_end(end="not_tls")


@pytest.mark.parametrize("said", [b"USER bob\r\nPASS secret\r\n", b"PASS\tsecret\r\n"])
def test_server_says_no_to_other_commands(server, said):
    daemon, near, far = server
    near.send(said)
    assert near.rest() == (b"-ERR STLS first\r\n", END)
    assert far.ended() == END
    daemon.wait_end(end="no_starttls")
    assert "secret" not in daemon.log()


def test_server_names_a_client_that_leaves(server):
    daemon, near, far = server
    near.send(b"CAPA\r\nST")
    near.recv(len("+OK Capability list follows\r\nSTLS\r\n.\r\n"))
    near.shut()
    assert far.ended() == END
    daemon.wait_end(end="client_left")


def test_server_names_a_backend_that_leaves(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = pop3")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(b"+OK")
    far.close()
    assert near.ended() == RESET
    daemon.wait_end(end="server_left")


def test_a_dialogue_has_the_deadline_of_the_setup(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = pop3", "TIMEOUTbusy = 1")
    near, _ = scene.plain_pair(daemon, backend, "tls")
    assert near.ended() == RESET
    daemon.wait_end(end="setup_timeout")


def test_a_client_that_never_stops_asking_keeps_nobody(scene):
    """One worker: it goes on serving others, and the deadline comes."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = smtp", "TIMEOUTbusy = 4", head="workers = 1\n")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(b"220 mx\r\n")
    assert near.recv(8) == b"220 mx\r\n"
    near.sock.setblocking(True)
    asking = subprocess.Popen(["yes", "NOOP\r"], stdout=near.sock, stderr=subprocess.DEVNULL)
    hearing = subprocess.Popen(["cat"], stdin=near.sock, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    other, behind = scene.plain_pair(daemon, backend, "tls")
    behind.send(b"220 mx\r\n")
    assert other.recv(8) == b"220 mx\r\n"
    other.send(b"QUIT\r\n")
    assert other.rest() == (b"221 Bye\r\n", END)
    daemon.wait_end(end="setup_timeout")
    assert asking.wait(DEADLINE) != 0, "reset"
    hearing.wait(DEADLINE)


# --- a client


def test_client_begins_tls_at_the_answer(client, pki):
    daemon, near, far = client
    near.send(b"USER bob\r\n")  # in haste
    assert far.quiet(0.1), "a byte of the local client before TLS"
    far.send(b"+OK go\r\n")
    tls = TlsPeer(far.sock, pki.server_context(), server=True)
    assert tls.recv(10) == b"USER bob\r\n"
    tls.send(b"+OK\r\n")
    assert near.recv(5) == b"+OK\r\n"


def up_to_consent(scene, pki, protocol, *lines):
    """A client of ours that has asked for TLS; what the local program has heard by then."""
    backend = scene.backend()
    daemon = scene.client_mode(backend, f"protocol = {protocol}", f"CAfile = {pki.ca.path}", "verifyChain = yes", *lines)
    near, far = scene.plain_pair(daemon, backend)
    steps, consent = CLIENTS[protocol]
    for said, heard in zip(steps[::2], steps[1::2]):
        far.send(said)
        assert far.recv(len(heard)) == heard
    heard = b"" if protocol in ("imap", "sieve") else steps[0]
    assert near.recv(len(heard)) == heard
    return daemon, near, far, consent


@pytest.mark.parametrize("behind", BEHIND, ids=lambda b: repr(b[:8]))
@pytest.mark.parametrize("protocol", CLIENTS)
def test_client_ends_on_bytes_behind_the_answer(scene, pki, protocol, behind):
    daemon, near, far, consent = up_to_consent(scene, pki, protocol)
    far.send(consent + behind)
    assert near.ended() == RESET, "nothing but the greeting"
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


@pytest.mark.parametrize("protocol", CLIENTS)
def test_client_gives_the_local_program_no_bytes_in_clear(scene, pki, protocol):
    """Behind our ClientHello they cannot be told from TLS, but by TLS."""
    daemon, near, far, consent = up_to_consent(scene, pki, protocol)
    far.send(consent)
    assert far.recv(1) == b"\x16"
    far.send(b"NOOP\r\n")
    assert near.ended() == RESET
    daemon.wait_end(end="tls_connect")


@pytest.mark.parametrize("protocol", CLIENTS)
@pytest.mark.parametrize("end", ["no_starttls_far", "cert_rejected"])
def test_client_keeps_its_bytes_for_tls(scene, pki, protocol, end):
    """An evil server refuses, or has a certificate of its own: it never hears the local program."""
    daemon, near, far, consent = up_to_consent(scene, pki, protocol)
    near.send(b"secret of the local program\r\n")
    if end == "no_starttls_far":
        far.send(b"no\r\n")
        assert far.rest()[0] == b""
    else:
        far.send(consent)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            TlsPeer(far.sock, pki.server_context(pki.foreign), server=True).recv(1)
    daemon.wait_end(end=end)


def test_client_does_not_go_on_without_tls(client):
    daemon, near, far = client
    far.send(b"-ERR no\r\n")
    assert near.ended() == RESET
    assert far.rest()[0] == b""
    daemon.wait_end(end="no_starttls_far")


# --- TLS on both sides


def test_a_bridge_begins_tls_with_the_client(scene, pki):
    """client = no: STARTTLS in front, and a backend that is reached by TLS at once."""
    backend = scene.backend(pki.server_context())
    daemon = scene.server_mode(backend, "protocol = pop3", "connectTLS = yes")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(WELCOME)
    assert near.recv(len(WELCOME)) == WELCOME
    near.send(b"STLS\r\n")
    assert near.recv(len(GO_AHEAD)) == GO_AHEAD
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    tls.send(b"USER bob\r\n")
    assert far.recv(10) == b"USER bob\r\n"
    far.send(b"+OK\r\n")
    assert tls.recv(5) == b"+OK\r\n"


def test_a_bridge_begins_tls_with_the_server(scene, pki):
    """client = yes: TLS at once in front, and STARTTLS behind."""
    backend = scene.backend()
    daemon = scene.client_mode(backend, "protocol = pop3", "acceptTLS = yes", f"accept.cert = {pki.server.bundle}")
    near = scene.tls(daemon.port("plain"))
    far = scene.keep(backend.accept())
    far.send(WELCOME)
    assert near.recv(len(WELCOME)) == WELCOME
    near.send(b"USER bob\r\n")
    assert far.recv(6) == b"STLS\r\n"
    far.send(b"+OK go\r\n")
    tls = TlsPeer(far.sock, pki.server_context(), server=True)
    assert tls.recv(10) == b"USER bob\r\n"
    tls.send(b"+OK\r\n")
    assert near.recv(5) == b"+OK\r\n"


# --- the configuration


@pytest.mark.parametrize(
    "lines, words",
    [
        ("protocol = gopher", 'protocol: Protocol not supported: "gopher"; write one of '),
        ("protocol = pop3\nacceptTLS = no", "protocol: pop3 is about how TLS begins on the accepted side"),
        ("client = yes\nprotocol = smtp\nprotocolHost = two words", "protocolHost: \"two words\" is no name"),
        ("client = yes\nprotocol = smtp\nprotocolUsername = u\nprotocolPassword = p",
         "protocolPassword: it is sent to a server that nobody verifies"),
        ("client = yes\nprotocol = smtp\nprotocolAuthentication = ntlm",
         "protocolAuthentication: smtp does not know this one, and uses plain"),
    ],
)
def test_check_names_what_is_wrong(scene, pki, lines, words):
    text = f"[x]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\ncert = {pki.server.bundle}\n{lines}\n"
    done = scene.run("check", scene.file("x.conf", text))
    assert words in done.stdout + done.stderr, done.stdout + done.stderr
