# SPDX-License-Identifier: Apache-2.0
# What is said around TLS, as the peers meet it: order, refusals, and bytes in clear that must not get into TLS.
import pytest

from lib.peer import END, RESET, TlsPeer

pytestmark = pytest.mark.sanitize

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


@pytest.mark.parametrize("behind", [b"U", b"USER mallory\r\n", b"\n", b"\0", b"x" * 20000], ids=repr)
def test_server_ends_on_bytes_behind_the_command(server, behind):
    daemon, near, far = server
    near.send(b"STLS\r\n" + behind)
    assert near.ended() == RESET, "no answer"
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


def test_server_says_no_to_other_commands(server):
    daemon, near, far = server
    near.send(b"USER bob\r\nPASS secret\r\n")
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


@pytest.mark.parametrize("behind", [b"+", b"+OK mallory\r\n", b"\0", b"x" * 20000], ids=repr)
def test_client_ends_on_bytes_behind_the_answer(client, behind):
    daemon, near, far = client
    far.send(b"+OK go\r\n" + behind)
    assert near.ended() == RESET, "nothing but the greeting"
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


def test_client_does_not_go_on_without_tls(client):
    daemon, near, far = client
    far.send(b"-ERR no\r\n")
    assert near.ended() == RESET
    assert far.rest()[0] == b""
    daemon.wait_end(end="no_starttls_far")
