# SPDX-License-Identifier: Apache-2.0
# XCLIENT: an SMTP server learns who the client is.
from lib import proxy
from lib.peer import TlsPeer

OFFER = b"250-mx.test\r\n250-STARTTLS\r\n250 XCLIENT NAME ADDR PORT\r\n"


def test_the_target_learns_the_clients_address(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = smtp", "xclient = yes", "proxyProtocolFrom = 127.0.0.1")
    near = scene.connect(daemon.port("tls"))
    near.send(proxy.v2(("2001:db8::7", 1234), ("2001:db8::1", 25)))
    far = scene.keep(backend.accept())
    far.send(b"220 mx.test\r\n")
    assert far.recv(16) == b"EHLO localhost\r\n"
    far.send(OFFER)
    want = b"XCLIENT ADDR=IPV6:2001:db8::7 PORT=1234\r\n"
    assert far.recv(len(want)) == want
    assert near.quiet(0.05), "the client is not greeted before"
    far.send(b"220 mx.test again\r\n")
    assert near.recv(19) == b"220 mx.test again\r\n"
    near.send(b"STARTTLS\r\n")
    assert near.recv(14) == b"220 Go ahead\r\n"
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    tls.send(b"EHLO me\r\n")
    assert far.recv(9) == b"EHLO me\r\n"


def test_who_begins_with_tls_at_once_is_not_served(scene, pki):
    """The target would take the connection for one of ours."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, "protocol = smtp", "xclient = yes")
    near = scene.tls(daemon.port("tls"), pki.client_context(), handshake=False)
    near.sock.sendall(near.hello())
    far = scene.keep(backend.accept())
    far.send(b"220 mx.test\r\n")
    assert far.recv(16) == b"EHLO localhost\r\n"
    far.send(OFFER)
    assert far.recv(8) == b"XCLIENT "
    far.send(b"220 mx.test again\r\n")
    daemon.wait_end(end="proto_client")


def test_it_is_for_smtp_servers(scene, pki):
    for lines in ("protocol = imap\n", "", "client = yes\nprotocol = smtp\n"):
        text = (f"foreground = yes\n[main]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {pki.server.bundle}\n"
                f"{lines}xclient = yes\n")
        done = scene.run("check", scene.file("bad.conf", text))
        assert done.returncode == 78 and "xclient: XCLIENT is a command of SMTP" in done.stderr, done.stderr
