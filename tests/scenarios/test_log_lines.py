# SPDX-License-Identifier: Apache-2.0
# The lines that programs look for in the log of a stunnel: text and level, each provoked.
"""
Tables of (level, pattern); a pattern is the whole text of a line after "LOGn[id]: ".  A line that has
fields of ours behind the known text ends in ".*".
"""
import re
import resource
import signal
import socket
import subprocess

import pytest

from lib.daemon import LINE, NotStarted
from lib.names import NameServer
from lib.peer import connect, connect_tls, echo, greeter
from lib.ports import free_port
from lib.wait import until

ADDR = r"127\.0\.0\.1:\d+"
DN = r"O=Test, CN=[\w. ]+"


def lines(text):
    return [(int(m[1]), m[3]) for m in map(LINE.match, text.splitlines()) if m]


def expect(daemon, table):
    """Each row stands in the log with its level."""
    def missing():
        found = lines(daemon.log())
        return [row for row in table if not any(l == row[0] and re.fullmatch(row[1], t) for l, t in found)]

    try:
        until(lambda: not missing(), "the lines")
    except AssertionError:
        raise AssertionError(f"missing: {missing()}\n{daemon.log()[-6000:]}") from None


START = [
    (5, r"Compiled/running with OpenSSL \S.*|Compiled with OpenSSL \S.*"),
    (5, r"Threading:\S+ Sockets:\S+ TLS:\S+.*"),
    (5, r"Reading configuration from file /\S+"),
    (5, r"UTF-8 byte order mark not detected"),
    (5, r"FIPS mode disabled"),
    (6, r"Initializing service \[tls\]"),
    (6, r"Certificate loaded from: /\S+"),
    (6, r"Private key loaded from: /\S+"),
    (5, r"Configuration successful"),
    (6, rf"Service \[tls\] \(FD=\d+\) bound to {ADDR}"),
    (6, r"Accepting new connections"),
]
SERVED = [
    (7, rf"Service \[tls\] accepted \(FD=\d+\) from {ADDR}"),
    (7, r"Service \[tls\] started"),
    (5, rf"Service \[tls\] accepted connection from {ADDR}"),
    (6, r"Peer certificate not required"),
    (6, r"SNI: requested servername: localhost"),
    (6, r"TLS accepted: new session negotiated"),
    (6, r"TLSv1\.3 ciphersuite: \S+ \(\d+-bit encryption\)"),
    (6, rf"s_connect: connecting {ADDR}"),
    (5, rf"s_connect: connected {ADDR}"),
    (5, rf"Service \[tls\] connected remote server from {ADDR}"),
    (6, r"TLS closed \(SSL_read\)"),
    (6, r"Read socket closed \(readsocket\)"),
    (5, r"Connection closed: 4 byte\(s\) sent to TLS, 4 byte\(s\) sent to socket; end=done.*"),
    (7, r"Service \[tls\] finished \(0 left\)"),
]


def test_a_start_and_one_good_connection(scene):
    daemon = scene.server_mode(scene.server(echo))
    with connect_tls(daemon.port("tls"), scene.pki.client_context()) as near:
        near.send(b"ping")
        assert near.recv(4) == b"ping"
        near.shut()
        near.ended()
    expect(daemon, START + SERVED)
    order = [next(i for i, (_, text) in enumerate(lines(daemon.log())) if re.fullmatch(pattern, text))
             for level, pattern in SERVED if level == 5]
    assert order == sorted(order), "accepted, connected, remote server, closed"


def test_a_client_with_a_verified_certificate(scene, pki):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes")
    near = scene.tls(daemon.port("tls"), pki.client_context(pki.client))
    near.send(b"ping")
    near.recv(4)
    expect(daemon, [
        (6, r"Peer certificate required"),
        (5, rf"Certificate accepted at depth=0: {DN}"),
        (6, rf"Certificate accepted at depth=1: {DN}"),
        (6, r"CERT: No subject checks configured"),
    ])


def test_a_client_whose_certificate_is_refused(scene, pki):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes")
    with connect_tls(daemon.port("tls"), pki.client_context(pki.foreign), handshake=False) as near:
        ended(near)
    expect(daemon, [
        (4, r"CERT: Pre-verification error: \S.*"),
        (4, rf"Rejected by CERT at depth=0: {DN}"),
        (3, r"SSL_accept: .*"),
    ])


def test_subject_checks(scene, pki):
    daemon = scene.server_mode(
        scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = other.test"
    )
    with connect_tls(daemon.port("tls"), pki.client_context(pki.client), handshake=False) as near:
        ended(near)
    expect(daemon, [(4, r"CERT: Subject checks failed.*"), (4, rf"Rejected by CERT at depth=0: {DN}")])


def test_a_client_in_client_mode(scene, pki):
    backend = scene.server(echo, pki.server_context())
    daemon = scene.client_mode(backend, f"CAfile = {pki.ca.path}", "verifyChain = yes", "sni = localhost")
    near = scene.connect(daemon.port("plain"))
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    expect(daemon, [
        (4, r".*Service \[plain\] uses \"verifyChain\" without subject checks.*|.*without subject checks.*"),
        (6, r"SNI: sending servername: localhost"),
        (6, r"TLS connected: new session negotiated"),
        (5, rf"Certificate accepted at depth=0: {DN}"),
    ])


def test_nobody_is_verified(scene, pki):
    daemon = scene.client_mode(scene.server(echo, pki.server_context()))
    expect(daemon, [(4, r".*needs authentication to prevent MITM attacks.*")])


def test_a_backend_that_refuses(scene):
    port = free_port()
    daemon = scene.daemon(
        f"[r]\nacceptTLS = no\nconnectTLS = no\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:{port}\n"
    )
    connect(daemon.port("r")).close()
    expect(daemon, [
        (3, rf"s_connect: connect 127\.0\.0\.1:{port}: Connection refused \(111\)"),
        (3, r"No more addresses to connect"),
        (3, r"Connection \S+: 0 byte\(s\) sent to TLS, 0 byte\(s\) sent to socket; end=.*"),
    ])


def test_a_name_that_nobody_knows(scene):
    names = scene.keep(NameServer())
    daemon = scene.daemon(
        "[r]\nacceptTLS = no\nconnectTLS = no\naccept = 127.0.0.1:0\nconnect = nobody.invalid:1\n",
        f"nameServers = {names.address}\n")
    scene.connect(daemon.port("r"))
    expect(daemon, [(3, r"Error resolving \"nobody\.invalid\": \S.*"), (3, r"No remote host resolved")])


def test_plain_bytes_to_a_tls_port(scene):
    daemon = scene.server_mode(scene.server(echo), "TIMEOUTbusy = 1")
    scene.connect(daemon.port("tls"))
    expect(daemon, [(6, r"ssl_start: s_poll_wait: TIMEOUTbusy exceeded: sending reset")])


def test_silence_and_its_end(scene):
    daemon = scene.server_mode(scene.server(echo), "TIMEOUTidle = 1")
    near = scene.tls(daemon.port("tls"))
    near.send(b"x")
    expect(daemon, [(6, r"transfer: s_poll_wait: TIMEOUTidle exceeded: sending reset")])


def test_a_side_that_does_not_end(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "TIMEOUTclose = 1")
    near, _ = scene.pair(daemon, backend)
    near.shut()
    expect(daemon, [(3, r"transfer: s_poll_wait: TIMEOUTclose exceeded: closing")])


def test_programs(scene):
    daemon = scene.daemon(f"[p]\naccept = 127.0.0.1:0\nexec = /bin/true\ncert = {scene.pki.server.bundle}\n")
    scene.tls(daemon.port("p")).ended()
    expect(daemon, [
        (6, r"Local mode child started \(PID=\d+\)"),
        (6, r"Child process \d+ finished with code 0"),
    ])


def test_a_program_in_the_clients_place(scene):
    server = scene.server(echo, scene.pki.server_context())
    daemon = scene.daemon(
        f"[p]\nclient = yes\nexec = /bin/true\nconnect = {server.address}\nretry = 10\n"
        "[x]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\n")
    expect(daemon, [(7, r"Starting exec\+connect service \[p\]"), (6, r"Retrying an exec\+connect section")])


def test_signals_and_the_pid_file(scene):
    pid = scene.folder / "pid"
    daemon = scene.server_mode(scene.server(echo), head=f"pid = {pid}\n")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_log("Log file reopened")
    daemon.write("nonsense\n")
    daemon.reload(good=False)
    daemon.stop()
    expect(daemon, [
        (7, rf"Created pid file {pid}"),
        (5, r"Log file reopened"),
        (3, r"Configuration failed"),
        (3, r"Failed to reload the configuration file"),
        (5, r"Terminated"),
        (7, rf"Removed pid file {pid}"),
    ])


def test_a_port_that_is_taken(scene):
    """A failed start shows all of it in the short form."""
    backend = scene.backend()
    with pytest.raises(NotStarted) as refused:
        scene.daemon(scene.section("x", "127.0.0.1:9", f"cert = {scene.pki.server.bundle}").replace(
            "127.0.0.1:0", backend.address))
    said = refused.value.stderr.splitlines()
    assert f"[.] Binding service [x] to {backend.address}: Address already in use (98)" in said
    assert "[!] Binding service [x] failed" in said


def ended(peer):
    """Whatever comes, up to the end."""
    try:
        return peer.rest()[1]
    except (OSError, AssertionError) as error:
        return type(error).__name__


WORDS = {  # what the two sides are, and who breaks off
    "closed": ("server", lambda near, far: near.shut()),
    "reset": ("server", lambda near, far: far.reset()),
    "reset/closed": ("server", lambda near, far: near.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))),
    "closed/reset": ("client", lambda near, far: far.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))),
}


@pytest.mark.parametrize("word", WORDS)
def test_the_word_for_an_end(scene, pki, word):
    """The connected side is the first; the side to which a TLS alert goes is closed."""
    role, breaks_off = WORDS[word]
    if role == "server":
        backend = scene.backend()
        daemon = scene.server_mode(backend)
        near, far = scene.pair(daemon, backend)
    else:
        backend = scene.backend(pki.server_context())
        daemon = scene.client_mode(backend)
        near, far = scene.plain_pair(daemon, backend)
    near.send(b"x")
    far.recv(1)
    breaks_off(near, far)
    if word == "closed":
        far.shut()
    daemon.wait_log(rf"LOG\d\[0\]: Connection {word}: \d byte\(s\) sent to TLS, \d byte\(s\) sent to socket")


@pytest.mark.parametrize("line, said", [
    ("checkHost = *.test\ncheckHost = client.test", r'CERT: Host name "\*?client\.test" matched with "client\.test"'),
    ("checkEmail = client@mail.test", r'CERT: Email address "client@mail\.test" matched'),
])
def test_what_matched_is_named(scene, pki, line, said):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes", *line.split("\n"))
    scene.tls(daemon.port("tls"), pki.client_context(pki.client)).send(b"ping").recv(4)
    expect(daemon, [(6, said)])


def test_an_address_that_matched_is_named(scene, pki):
    daemon = scene.client_mode(
        scene.server(echo, pki.server_context()), f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkIP = 127.0.0.1")
    scene.connect(daemon.port("plain")).send(b"ping").recv(4)
    expect(daemon, [(6, r'CERT: IP address "127\.0\.0\.1" matched')])


def test_an_installed_certificate(scene, pki):
    listed = pki.join("listed.pem", pki.ca.path, pki.client.path)
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {listed}", "verifyPeer = yes")
    scene.tls(daemon.port("tls"), pki.client_context(pki.client)).send(b"ping").recv(4)
    ended(scene.tls(daemon.port("tls"), pki.client_context(pki.other_client)))
    expect(daemon, [
        (6, r"CERT: Locally installed certificate matched"),
        (4, r"CERT: Certificate not found in local repository"),
        (4, rf"Rejected by CERT at depth=0: {DN}"),
    ])


def test_a_certificate_that_nobody_verifies(scene, pki):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verify = 0")
    scene.tls(daemon.port("tls"), pki.client_context(pki.foreign)).send(b"ping").recv(4)
    expect(daemon, [(6, r"CERT: Certificate verification disabled")])
    assert "Certificate accepted" not in daemon.log()


def test_sessions(scene, pki):
    """A client and a server of ours: the second connection takes up the session of the first."""
    server = scene.server_mode(scene.server(echo), name="tls")
    client = scene.daemon(
        scene.section("plain", f"127.0.0.1:{server.port('tls')}", "client = yes"), "workers = 1\n", name="client")
    for _ in range(2):
        near = scene.connect(client.port("plain"))
        near.send(b"ping").recv(4)
        near.shut()
        near.rest()
    expect(server, [(6, r"TLS accepted: new session negotiated"), (6, r"TLS accepted: previous session reused")])
    expect(client, [
        (6, r"TLS connected: new session negotiated"), (6, r"TLS connected: previous session reused"),
        (6, r"Attempting to resume: [0-9A-F]+"), (6, r"SNI: extension disabled"),
    ])


@pytest.mark.parametrize("line, said", [
    ("failover = prio", r"failover: priority, starting at entry #0"),
    ("failover = rr", r"failover: round-robin, starting at entry #[01]"),
    ("failover = rr\ndelay = yes", r"failover: priority, starting at entry #0"),
])
def test_several_targets(scene, line, said):
    servers = [scene.server(echo) for _ in range(2)]
    daemon = scene.server_mode(servers[0], f"connect = {servers[1].address}", *line.split("\n"))
    for _ in range(3):
        scene.tls(daemon.port("tls")).send(b"ping").recv(4)
    daemon.wait_log("failover: ", count=3)
    expect(daemon, [(6, said)])
    assert len(set(re.findall(r"failover: .*", daemon.log()))) == (2 if "round-robin" in said else 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_other_signals_to_end(scene, number):
    daemon = scene.server_mode(scene.server(echo))
    daemon.signal(signal.SIGUSR2)
    daemon.wait_log("Listed 0 active connection")
    daemon.signal(number)
    daemon.wait_exit()
    expect(daemon, [
        (5, r"Active connections:"), (5, r"Listed 0 active connection\(s\)"), (3, rf"Received {number.name}; terminating"),
    ])


REASONS = {  # in OpenSSL's words: what we are, our lines, the peer, and our words on the line behind
    "peer did not return a certificate": ("server", "verify = 2", lambda pki: pki.client_context(), None),
    "certificate verify failed": ("server", "verify = 2", lambda pki: pki.client_context(pki.foreign), None),
    "alert unknown ca": ("server", "verify = 0", lambda pki: pki.client_context(ca=pki.other_ca),
                         "the peer does not trust the CA of our certificate; give it that CA"),
    "unsupported protocol": ("server", "sslVersionMin = TLSv1.2", lambda pki: pki.client_context(version="TLSv1.1"),
                             "the peer has only versions of TLS that sslVersionMin or sslVersionMax exclude"),
    "no shared cipher": ("server", "ciphersuites = TLS_CHACHA20_POLY1305_SHA256\nsslVersion = TLSv1.2\nciphers = AES256-SHA",
                         lambda pki: pki.client_context(), "the peer has none of our ciphers; look at ciphers"),
    "wrong version number": ("client", "verify = 0", None,
                             "the peer does not speak TLS here; use another port, or write protocol ="),
    "Peer suddenly disconnected": ("server", "verify = 0", None, None),
    "certificate verify failed:": ("client", "verify = 2", lambda pki: pki.server_context(pki.foreign), None),
    "certificate required": ("client", "verify = 0", lambda pki: pki.server_context(client_ca=pki.ca),
                             "the peer wants a certificate of ours; write cert and key"),
    "alert protocol version": ("client", "sslVersion = TLSv1.2", lambda pki: pki.server_context(version="TLSv1.3"),
                               "the peer has no version of TLS between our sslVersionMin"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_openssl_says_of_a_failure(scene, pki, reason):
    role, lines_, context, advice = REASONS[reason]
    own = [f"CAfile = {pki.ca.path}", *lines_.split("\n")]
    if role == "client":
        daemon = scene.client_mode(scene.server(echo, context(pki)) if context else scene.server(greeter(b"220 hi\r\n")), *own)
        ended(scene.connect(daemon.port("plain")))
    else:
        daemon = scene.server_mode(scene.server(echo), *own)
        near = connect_tls(daemon.port("tls"), context(pki) if context else pki.client_context(), handshake=False)
        with near:
            if context is None:
                near.sock.sendall(near.hello())
                near.sock.recv(1)
                near.sock.shutdown(socket.SHUT_WR)
            else:
                ended(near)
            daemon.wait_end()
    # The first line ends as the incumbent's does: programs read it.
    daemon.wait_log(rf"LOG3\[0\]: \w+: .*{reason.rstrip(':')}[^;\n]*$")
    if advice is not None:
        daemon.wait_log(rf"LOG5\[0\]: \w+: {advice}")


@pytest.mark.parametrize("line, said", [
    ("curves = X25519", r"Peer temporary key: X25519, 253 bits"),
    ("curves = P-256", r"Peer temporary key: ECDH, P-256, 256 bits"),
    ("curves = X448", r"Peer temporary key: X448, 448 bits"),
    ("sslVersion = TLSv1.2\nciphers = AES256-GCM-SHA384\nsecurityLevel = 1", r"No peer temporary key received"),
])
def test_the_temporary_key(scene, pki, line, said):
    bundle = pki.server.bundle
    if "ciphers" in line:  # needs a key of RSA
        bundle = scene.file("rsa.pem", "")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", bundle,
                        "-out", f"{bundle}.crt"], check=True, capture_output=True)
        bundle = pki.join("rsa-bundle.pem", f"{bundle}.crt", bundle)
    daemon = scene.daemon(scene.section("tls", scene.server(echo), f"cert = {bundle}", *line.split("\n")))
    scene.tls(daemon.port("tls"), pki.client_context(verify=False)).send(b"ping").recv(4)
    expect(daemon, [(6, said)])


def test_a_client_too_many(scene):
    """The limit follows from the descriptors."""
    daemon = scene.server_mode(scene.server(echo), limits=[(resource.RLIMIT_NOFILE, 64)])
    limit = int(daemon.wait_log(r"at most (\d+) connections")[1])
    for _ in range(limit):
        scene.tls(daemon.port("tls")).send(b"ping").recv(4)
    ended(scene.connect(daemon.port("tls")))
    expect(daemon, [(4, rf"Connection rejected: too many clients \(>={limit}\).*")])


@pytest.mark.root
def test_a_chroot(scene):
    jail = scene.folder / "jail"
    jail.mkdir()
    daemon = scene.daemon(
        whole=f"foreground = yes\nsyslog = no\noutput = /log\ndebug = debug\nchroot = {jail}\n"
        + scene.section("tls", scene.server(echo), f"cert = {scene.pki.server.bundle}"),
        log_path=str(jail / "log"),
    )
    expect(daemon, [(5, rf"Switched to chroot directory: {jail}")])
