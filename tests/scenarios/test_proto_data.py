# SPDX-License-Identifier: Apache-2.0
# Databases and directories before TLS: bytes in clear that must not get into it, and peers that do not want it.
import ssl

import pytest

from lib.peer import END, RESET, TlsPeer

pytestmark = pytest.mark.sanitize

# PostgreSQL
SSL_REQUEST, GSS_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f", b"\0\0\0\x08\x04\xd2\x16\x30"
STARTUP = b"\0\0\0\x0e\0\3\0\0user\0\0"
METHODS = b"R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
UNBOUND_METHODS = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"

# MySQL: capabilities with and without CLIENT_SSL
TLS_CAPS, PLAIN_CAPS = b"\x85\xaa", b"\x85\xa2"
LOGIN_HEAD = b"\x0f\0\0\0\0\1\x21" + bytes(23)
OK = b"\0\0\0\2\0\0\0"


def packet(number, body):
    return len(body).to_bytes(3, "little") + bytes([number]) + body


def greeting(caps):
    return packet(0, b"\x0a8.0\0\1\0\0\0saltsalt\0" + caps + b"\x21\2\0\0\0\x15" + bytes(10) + b"saltsal\0x\0")


def login(number, caps):
    return packet(number, caps + LOGIN_HEAD + b"bob\0\6secret")


MYSQL_REQUEST = packet(1, TLS_CAPS + LOGIN_HEAD)

# LDAP
STARTTLS = b"\x30\x1d\2\1\1\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
STARTED = b"\x30\x0c\2\1\1\x78\7\x0a\1\0\4\0\4\0"
BIND = b"\x30\x16\2\1\2\x60\x11\2\1\3\4\4cn=x\x80\6secret"

BEHIND = pytest.mark.parametrize("behind", [b"\0", b"more", STARTUP, BIND, b"\x16\3\1", b"x" * 20000],
                                 ids=["nul", "text", "startup", "bind", "tls", "much"])


@pytest.fixture
def server(scene):
    """Start ginnel as a TLS server for a protocol: the daemon, a client, and the backend."""

    def start(protocol, *lines):
        backend = scene.backend()
        daemon = scene.server_mode(backend, f"protocol = {protocol}", *lines)
        return daemon, scene.connect(daemon.port("tls")), backend

    return start


@pytest.fixture
def client(scene, pki):
    """Start ginnel as a TLS client for a protocol: the daemon, a local program, and the server's end."""

    def start(protocol, *lines):
        backend = scene.backend()
        daemon = scene.client_mode(backend, f"protocol = {protocol}", f"CAfile = {pki.ca.path}", "verifyChain = yes",
                                   "checkHost = localhost", *lines)
        return daemon, *scene.plain_pair(daemon, backend)

    return start


# --- PostgreSQL, server


@BEHIND
def test_pgsql_server_ends_on_bytes_behind_the_request(server, behind):
    """CVE-2021-23222; a ClientHello is no better, as the answer to the request tells whether to send it."""
    daemon, near, backend = server("pgsql")
    near.send(SSL_REQUEST + behind)
    assert near.ended() == RESET, "no answer"
    daemon.wait_end(end="starttls_injection")
    assert backend.unvisited()


@pytest.mark.parametrize("bytes_, answer, how, end", [
    (STARTUP, b"TLS is required here", END, "no_starttls"),
    (b"\0\0\0\x10\x04\xd2\x16\x2e" + bytes(8), b"", END, "no_starttls"),
    (b"GET / HTTP/1.0\r\n\r\n", b"", RESET, "proto_client"),
    (2 * GSS_REQUEST, b"N", RESET, "proto_client"),
], ids=["plain", "cancel", "http", "gssapi-twice"])
def test_pgsql_server_refuses(server, bytes_, answer, how, end):
    daemon, near, backend = server("pgsql")
    got, over = near.send(bytes_).rest()
    assert answer in got and (over == how or answer), (got, over)
    daemon.wait_end(end=end)
    assert backend.unvisited()


def test_pgsql_server_refuses_tls_at_once_without_a_name(server, pki):
    daemon, near, backend = server("pgsql")
    near = TlsPeer(near.sock, pki.client_context(), name="localhost")
    assert near.rest()[0] == b""
    daemon.wait_log("without ALPN")
    daemon.wait_end(end="proto_client")
    assert backend.unvisited()


@pytest.mark.parametrize("first", [b"", SSL_REQUEST], ids=["at once", "request"])
def test_pgsql_server_refuses_another_name(server, pki, first):
    daemon, near, backend = server("pgsql")
    if first:
        assert near.send(first).recv(1) == b"S"
    context = pki.client_context()
    context.set_alpn_protocols(["http/1.1"])
    with pytest.raises(ssl.SSLError, match="no application protocol"):
        TlsPeer(near.sock, context, name="localhost")
    daemon.wait_end(end="tls_accept")
    assert backend.unvisited()


@pytest.mark.parametrize("names", [[], ["postgresql"]], ids=["no names", "its name"])
def test_pgsql_server_begins_tls(scene, server, pki, names):
    daemon, near, backend = server("pgsql")
    assert near.send(SSL_REQUEST).recv(1) == b"S"
    context = pki.client_context()
    if names:
        context.set_alpn_protocols(names)
    near = TlsPeer(near.sock, context, name="localhost")
    far = scene.keep(backend.accept())
    near.send(STARTUP)
    assert far.recv(len(STARTUP)) == STARTUP
    assert near.tls.selected_alpn_protocol() == (names[0] if names else None)


# --- PostgreSQL, client


@BEHIND
def test_pgsql_client_ends_on_bytes_behind_the_answer(client, behind):
    daemon, near, far = client("pgsql")
    near.send(STARTUP)
    assert far.recv(8) == SSL_REQUEST
    far.send(b"S" + behind)
    assert near.ended() == RESET
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


@pytest.mark.parametrize("answer, end", [(b"N", "no_starttls_far"), (b"E\0\0\0\6no", "no_starttls_far"),
                                         (b"R\0\0\0\x08\0\0\0\0", "proto_server")], ids=repr)
def test_pgsql_client_does_not_go_on_without_tls(client, answer, end):
    daemon, near, far = client("pgsql")
    near.send(STARTUP)
    assert far.recv(8) == SSL_REQUEST
    far.send(answer)
    assert near.rest()[0] == b""
    assert far.rest()[0] == b"", "a byte of the local program without TLS"
    daemon.wait_end(end=end)


def test_pgsql_client_answers_the_local_program(client, pki):
    daemon, near, far = client("pgsql")
    near.send(GSS_REQUEST + SSL_REQUEST + STARTUP)
    assert far.recv(8) == SSL_REQUEST
    far = TlsPeer(far.send(b"S").sock, pki.server_context(), server=True)
    assert near.recv(2) == b"NN"
    assert far.recv(len(STARTUP)) == STARTUP
    far.send(METHODS + b"more")
    assert near.recv(len(UNBOUND_METHODS) + 4) == UNBOUND_METHODS + b"more"


def test_pgsql_client_lets_a_cancellation_through(client, pki):
    daemon, near, far = client("pgsql")
    cancel = b"\0\0\0\x10\x04\xd2\x16\x2e" + b"key-here"
    near.send(cancel)
    assert far.recv(8) == SSL_REQUEST
    far = TlsPeer(far.send(b"S").sock, pki.server_context(), server=True)
    assert far.recv(16) == cancel
    far.shut()
    assert near.ended() == END


# --- MySQL, server


@pytest.fixture
def mysql_server(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = mysql")
    near, far = scene.plain_pair(daemon, backend, "tls")
    far.send(greeting(PLAIN_CAPS))
    assert near.recv(len(greeting(TLS_CAPS))) == greeting(TLS_CAPS)
    return daemon, near, far


@pytest.mark.parametrize("behind", [login(2, TLS_CAPS), login(1, PLAIN_CAPS), b"\0", b"x" * 20000],
                         ids=["login", "plain login", "NUL", "20000"])
def test_mysql_server_takes_nothing_but_tls_behind_the_request(mysql_server, behind):
    """There is no answer to wait for, so a ClientHello may come at once; nothing else may."""
    daemon, near, far = mysql_server
    near.send(MYSQL_REQUEST + behind)
    assert near.ended() == RESET
    assert far.rest()[0] == b""
    daemon.wait_end(end="not_tls")
    assert "secret" not in daemon.log()


def test_mysql_server_takes_tls_in_the_segment_of_the_request(mysql_server, pki):
    daemon, near, far = mysql_server
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost", handshake=False)
    near.send(MYSQL_REQUEST + tls.hello())
    tls.handshake()
    tls.send(login(2, TLS_CAPS))
    assert far.recv(len(login(1, PLAIN_CAPS))) == login(1, PLAIN_CAPS)
    far.send(packet(2, OK) + packet(0, b"later"))
    answer = packet(3, OK) + packet(0, b"later")
    assert tls.recv(len(answer)) == answer
    tls.send(packet(0, b"\3select 1"))
    assert far.recv(13) == packet(0, b"\3select 1"), "after the login numbers stay"


@pytest.mark.parametrize("bytes_, answer, end", [
    (login(1, PLAIN_CAPS), packet(2, b"\xff\x57\x0c#HY000TLS is required here"), "no_starttls"),
    (login(1, TLS_CAPS), b"", "proto_client"),
    (packet(1, b"short"), b"", "proto_client"),
    (b"GET / HTTP/1.0\r\n\r\n", b"", "proto_client"),
], ids=["plain", "with TLS", "short", "http"])
def test_mysql_server_refuses_a_login_in_clear(mysql_server, bytes_, answer, end):
    daemon, near, far = mysql_server
    assert near.send(bytes_).rest()[0] == answer
    assert far.rest()[0] == b""
    daemon.wait_end(end=end)
    assert "secret" not in daemon.log()


def test_mysql_server_hands_on_a_refusal(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = mysql")
    near, far = scene.plain_pair(daemon, backend, "tls")
    error = packet(0, b"\xff\x10\x04Too many connections")
    far.send(error)
    assert near.rest() == (error, END)
    daemon.wait_log("The server refuses the connection: Too many connections")
    daemon.wait_end(end="proto_quit")


# --- MySQL, client


@BEHIND
def test_mysql_client_ends_on_bytes_behind_the_greeting(client, behind):
    daemon, near, far = client("mysql")
    far.send(greeting(TLS_CAPS) + behind)
    assert near.recv(len(greeting(PLAIN_CAPS))) == greeting(PLAIN_CAPS)
    near.send(login(1, PLAIN_CAPS))
    assert near.ended() == RESET
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


def test_mysql_client_sends_no_name_before_tls(client, pki):
    daemon, near, far = client("mysql")
    far.send(greeting(TLS_CAPS))
    near.recv(len(greeting(PLAIN_CAPS)))
    near.send(login(1, PLAIN_CAPS))
    assert far.recv(len(MYSQL_REQUEST)) == MYSQL_REQUEST
    tls = TlsPeer(far.sock, pki.server_context(), server=True)
    assert tls.recv(len(login(2, TLS_CAPS))) == login(2, TLS_CAPS)
    tls.send(packet(3, b"\xfename\0salt"))
    assert near.recv(14) == packet(2, b"\xfename\0salt")
    near.send(packet(3, b"proof"))
    assert tls.recv(9) == packet(4, b"proof")
    tls.send(packet(5, OK))
    assert near.recv(11) == packet(4, OK)
    near.send(packet(0, b"\1"))
    assert tls.recv(5) == packet(0, b"\1")


@pytest.mark.parametrize("said, end", [(greeting(PLAIN_CAPS), "no_starttls_far"),
                                       (packet(0, b"\xff\x10\x04evil words"), "proto_server"),
                                       (b"220 mail\r\n", "proto_server")], ids=["no TLS", "an error", "mail"])
def test_mysql_client_does_not_go_on_without_tls(client, said, end):
    daemon, near, far = client("mysql")
    near.send(login(1, PLAIN_CAPS))
    far.send(said)
    assert b"evil" not in near.rest()[0]
    assert far.rest()[0] == b""
    daemon.wait_end(end=end)


# --- LDAP


@BEHIND
def test_ldap_server_ends_on_bytes_behind_the_request(server, behind):
    daemon, near, backend = server("ldap")
    near.send(STARTTLS + behind)
    assert near.ended() == RESET, "no answer"
    daemon.wait_end(end="starttls_injection")
    assert backend.unvisited()
    assert "secret" not in daemon.log()


def test_ldap_server_refuses_a_bind_and_then_begins_tls(scene, server, pki):
    daemon, near, backend = server("ldap")
    no = b"\x30\x1a\2\1\2\x61\x15\x0a\1\x0d\4\0\4\x0eStartTLS first"
    assert near.send(BIND).recv(len(no)) == no
    assert near.send(STARTTLS).recv(len(STARTED)) == STARTED
    near = TlsPeer(near.sock, pki.client_context(), name="localhost")
    far = scene.keep(backend.accept())
    near.send(BIND)
    assert far.recv(len(BIND)) == BIND
    assert "secret" not in daemon.log()


@BEHIND
def test_ldap_client_ends_on_bytes_behind_the_answer(client, behind):
    daemon, near, far = client("ldap")
    near.send(BIND)
    assert far.recv(len(STARTTLS)) == STARTTLS
    far.send(STARTED + behind)
    assert near.ended() == RESET
    assert far.rest()[0] == b""
    daemon.wait_end(end="starttls_injection")


@pytest.mark.parametrize("answer, end", [
    (b"\x30\x0e\2\1\1\x78\x09\x0a\1\2\4\0\4\2no", "no_starttls_far"),
    (b"\x30\x0c\2\1\1\x61\7\x0a\1\0\4\0\4\0", "proto_server"),
    (b"\x30\x84\xff\xff\xff\xff", "proto_server"),
    (b"220 mail\r\n", "proto_server"),
], ids=["no", "another answer", "4 GiB", "mail"])
def test_ldap_client_does_not_go_on_without_tls(client, answer, end):
    daemon, near, far = client("ldap")
    near.send(BIND)
    assert far.recv(len(STARTTLS)) == STARTTLS
    far.send(answer)
    assert near.rest()[0] == b""
    assert far.rest()[0] == b"", "a byte of the local program without TLS"
    daemon.wait_end(end=end)
