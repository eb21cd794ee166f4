# SPDX-License-Identifier: Apache-2.0
# Revocation by OCSP: who is asked, what counts, and that nobody else has to wait for it.
import re
import select
import ssl
import subprocess
import threading

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from lib.daemon import NotStarted
from lib.peer import Ended, connect, connect_tls, echo, passes
from lib.pki import Authority
from lib.ports import Nobody
from lib.responder import GOOD, REVOKED, UNKNOWN, OpensslResponder, Responder, answer, http
from lib.wait import DEADLINE

pytestmark = pytest.mark.sanitize
VERSIONS = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])


def alert_of(port, context):
    """The alert that refuses this client; fails if it gets through."""
    with pytest.raises(ssl.SSLError) as refused:
        with connect_tls(port, context) as near:
            near.send(b"ping")
            near.recv(1)
    return refused.value.reason


def plain_passes(port):
    try:
        with connect(port) as near:
            near.send(b"ping")
            return near.recv(4) == b"ping"
    except (OSError, AssertionError):
        return False


def server_of(scene, pki, url, *lines, backend=None, **how):
    """A TLS server that asks `url` about its clients."""
    return scene.server_mode(
        backend or scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes", f"OCSP = {url}", *lines, **how
    )


# --- a server asks about its clients


@VERSIONS
def test_a_server_asks_the_real_responder(scene, pki, openssl, version):
    responder = scene.keep(OpensslResponder(openssl, scene.folder, pki.ca, good=[pki.client], revoked=[pki.revoked]))
    server = scene.server(echo)
    daemon = server_of(scene, pki, responder.url, backend=server)
    assert passes(daemon.port("tls"), pki.client_context(pki.client, version=version))
    daemon.wait_log(rf'LOG5\[\d+\]: OCSP: Connecting the configured responder "{re.escape(responder.url)}"')
    daemon.wait_log(r"LOG5\[\d+\]: OCSP: Accepted \(good\)")
    mark = daemon.mark()
    assert "CERTIFICATE_REVOKED" in alert_of(daemon.port("tls"), pki.client_context(pki.revoked, version=version))
    daemon.wait_log(r"LOG3\[\d+\]: OCSP: Rejected \(revoked\)", after=mark)
    daemon.wait_log(r"LOG4\[\d+\]: Rejected by OCSP at depth=0: O=Test, CN=revoked.test", after=mark)
    assert daemon.wait_end(end="revocation").level == 4
    # One that the responder has never heard of.
    mark = daemon.mark()
    assert "CERTIFICATE_UNKNOWN" in alert_of(daemon.port("tls"), pki.client_context(pki.other_client, version=version))
    daemon.wait_log(r"LOG3\[\d+\]: OCSP: Rejected \(OCSPrequire = yes\)", after=mark)
    assert server.served == 1, "the backend was reached by one who was refused"


@VERSIONS
def test_a_client_asks_about_its_server(scene, pki, openssl, version):
    responder = scene.keep(OpensslResponder(openssl, scene.folder, pki.ca, good=[pki.server], revoked=[pki.revoked]))
    good = scene.server(echo, pki.server_context(version=version))
    bad = scene.backend(pki.server_context(pki.revoked, version=version))
    common = ("client = yes", f"CAfile = {pki.ca.path}", "verifyChain = yes", f"OCSP = {responder.url}")
    daemon = scene.daemon(scene.section("good", good, *common) + scene.section("bad", bad, *common))
    assert plain_passes(daemon.port("good"))
    daemon.wait_log(r"OCSP: Accepted \(good\)")
    near = scene.connect(daemon.port("bad"))
    near.send(b"secret")  # at once: it waits in a socket while the responder is asked
    with pytest.raises(ssl.SSLError) as refused:
        bad.accept().recv(1)
    assert refused.value.reason.endswith("CERTIFICATE_REVOKED")
    daemon.wait_log(r"Rejected by OCSP at depth=0: O=Test, CN=revoked.test")
    daemon.wait_end(end="revocation")


@pytest.mark.parametrize("line", ["sessionResume = no", "options = NO_TICKET"])
def test_the_alert_does_not_hang_on_tickets(scene, pki, line):
    """A TLS 1.3 server sends it by way of a ticket."""
    responder = scene.keep(Responder(http(answer(pki.ca, pki.client, REVOKED))))
    daemon = server_of(scene, pki, responder.url, line)
    assert "CERTIFICATE_REVOKED" in alert_of(daemon.port("tls"), pki.client_context(pki.client, version="TLSv1.3"))


def test_nonces_are_sent_and_demanded(scene, pki, openssl):
    real = scene.keep(OpensslResponder(openssl, scene.folder, pki.ca, good=[pki.client]))
    without = scene.keep(Responder(http(answer(pki.ca, pki.client))))
    backend = scene.server(echo)
    mine = (f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes", "OCSPnonce = yes")
    daemon = scene.daemon(
        scene.section("real", backend, *mine, f"OCSP = {real.url}")
        + scene.section("without", backend, *mine, f"OCSP = {without.url}")
    )
    context = pki.client_context(pki.client, version="TLSv1.2")
    with connect_tls(daemon.port("real"), context) as first:
        first.send(b"ping")
        assert first.recv(4) == b"ping"
        session = first.session
    # Whoever demands nonces demands a new answer each time: nothing is taken up.
    with connect_tls(daemon.port("real"), context, session=session) as second:
        assert not second.reused
    daemon.wait_log(r"OCSP: Accepted \(good\)", count=2)
    assert not passes(daemon.port("without"), context)
    assert "nonce" in str(without.requests[0][1].extensions[0].value).lower()
    daemon.wait_log(r"OCSP: The answer does not repeat the nonce")


# --- what does not count


def silently(peer, request):
    peer.rest()


def trickle(peer, request):
    """A byte every 50 ms."""
    for byte in http(bytes(20000)):
        peer.send(bytes([byte]))
        if select.select([peer.sock], [], [], 0.05)[0]:
            return


BAD_ANSWERS = {
    "unknown": lambda pki: http(answer(pki.ca, pki.client, UNKNOWN)),
    "expired": lambda pki: http(answer(pki.ca, pki.client, hours=(-9, -1))),
    "not yet valid": lambda pki: http(answer(pki.ca, pki.client, hours=(1, 9))),
    "old, without an end": lambda pki: http(answer(pki.ca, pki.client, hours=(-48, None))),
    "about another": lambda pki: http(answer(pki.ca, pki.other_client)),
    "of another CA": lambda pki: http(answer(pki.ca, pki.client, signer=pki.other_ca)),
    "of one who is no responder": lambda pki: http(answer(pki.ca, pki.client, signer=pki.other_client)),
    "garbage": lambda pki: b"\x00\xff" * 500,
    "garbage in HTTP": lambda pki: http(b"\x30\x82" * 500),
    "trailing bytes": lambda pki: http(answer(pki.ca, pki.client) + b"x"),
    "huge": lambda pki: http(bytes(70000)),
    "huge without a length": lambda pki: b"HTTP/1.0 200 OK\r\n\r\n" + bytes(70000),
    "cut short": lambda pki: http(answer(pki.ca, pki.client))[:-1],
    "not found": lambda pki: b"HTTP/1.0 404 Not Found\r\n\r\n",
    "moved": lambda pki: b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n",
    "nothing": lambda pki: b"",
    "silent": lambda pki: silently,
    "trickle": lambda pki: trickle,
}


@pytest.mark.parametrize("how", BAD_ANSWERS)
def test_what_is_no_answer_rejects_unless_told_otherwise(scene, pki, how):
    responder = scene.keep(Responder(BAD_ANSWERS[how](pki)))
    backend = scene.server(echo)
    mine = (
        f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes", f"OCSP = {responder.url}",
        "TIMEOUTocsp = 1",
    )
    daemon = scene.daemon(
        scene.section("strict", backend, *mine) + scene.section("lax", backend, *mine, "OCSPrequire = no")
    )
    context = pki.client_context(pki.client)
    assert "CERTIFICATE_UNKNOWN" in alert_of(daemon.port("strict"), context)
    daemon.wait_log(r"LOG3\[\d+\]: OCSP: Rejected \(OCSPrequire = yes\)")
    daemon.wait_end(end="revocation")
    assert backend.served == 0
    assert passes(daemon.port("lax"), context)
    daemon.wait_log(r"LOG5\[\d+\]: OCSP: Accepted \(OCSPrequire = no\)")
    assert responder.asked == 2, "an answer that does not count was kept"


def test_nobody_listens(scene, pki):
    url = f"http://{Nobody().address}/"
    daemon = server_of(scene, pki, url)
    assert not passes(daemon.port("tls"), pki.client_context(pki.client))
    daemon.wait_log(rf'OCSP: No answer from "{re.escape(url)}": it cannot be reached')


def test_a_delegated_responder_counts_unless_forbidden(scene, pki):
    delegate = pki.ca.issue("responder.test", usage=(ExtendedKeyUsageOID.OCSP_SIGNING,), label="responder")
    responder = scene.keep(Responder(http(answer(pki.ca, pki.client, signer=delegate))))
    backend = scene.server(echo)
    mine = (f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes", f"OCSP = {responder.url}")
    daemon = scene.daemon(
        scene.section("yes", backend, *mine) + scene.section("no", backend, *mine, "OCSPflag = NODELEGATED")
        + scene.section("certs", backend, *mine, "OCSPflag = NOINTERN", "OCSPflag = NOCHAIN")
    )
    context = pki.client_context(pki.client)
    assert passes(daemon.port("yes"), context)
    assert not passes(daemon.port("certs"), context)
    daemon.wait_log("OCSP: The answer's signature does not count")


# --- whom is asked


def test_aia_comes_after_the_option(scene, pki):
    """The configured responder is of no use; the one of the certificate is."""
    useless = scene.keep(Responder(b"HTTP/1.0 500 No\r\n\r\n"))
    useful = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.ca, client)))))
    client = pki.ca.issue("aia.test", responder=useful.url, label="aia")
    daemon = server_of(scene, pki, useless.url, "OCSPaia = yes")
    assert passes(daemon.port("tls"), pki.client_context(client))
    daemon.wait_log(rf'LOG5\[\d+\]: OCSP: Connecting the AIA responder "{re.escape(useful.url)}"')
    daemon.wait_log(r"OCSP: Accepted \(good\)")
    assert (useless.asked, useful.asked) == (1, 1)


def test_aia_is_asked_for_each_certificate_but_the_root(scene, pki, tmp_path):
    def reply(peer, request):
        serial = request[1].serial_number
        whose = {middle.serial: (pki.ca, middle, status), client.serial: (middle, client, GOOD)}[serial]
        peer.send(http(answer(whose[0], whose[1], whose[2])))

    responder = scene.keep(Responder(reply))
    middle = Authority(str(tmp_path), "Named Intermediate", pki.ca, responder=responder.url)
    client = middle.issue("named.test", responder=responder.url)
    status = GOOD
    mine = (f"CAfile = {pki.ca.path}", "verifyChain = yes", "OCSPaia = yes")
    server = scene.server(echo)
    daemon = scene.server_mode(server, *mine)
    assert passes(daemon.port("tls"), pki.client_context(client))
    assert responder.asked == 2
    status = REVOKED
    daemon.reload()  # forgets what it knew
    assert not passes(daemon.port("tls"), pki.client_context(client))
    daemon.wait_log(r"Rejected by OCSP at depth=1: O=Test, CN=Named Intermediate")
    assert server.served == 1


def test_nobody_to_ask_is_no_reason_to_refuse(scene, pki):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes", "OCSPaia = yes")
    assert passes(daemon.port("tls"), pki.client_context(pki.client))


def test_a_responder_may_have_a_name(scene, pki):
    responder = scene.keep(Responder(http(answer(pki.ca, pki.client))))
    daemon = server_of(scene, pki, f"http://localhost:{responder.port}")
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    assert responder.requests[0][0].startswith(b"POST / HTTP/1.0\r\nHost: localhost:")


def test_aia_leads_to_no_cloud_secrets(scene, pki):
    """169.254.169.254 hands out a machine's credentials in most clouds."""
    client = pki.ca.issue("cloud.test", responder="http://169.254.169.254/latest/", label="cloud")
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes", "OCSPaia = yes")
    assert not passes(daemon.port("tls"), pki.client_context(client))
    daemon.wait_log("Not connecting 169.254.169.254:80")


def test_the_request_is_plain_http(scene, pki):
    responder = scene.keep(Responder(http(answer(pki.ca, pki.client))))
    daemon = server_of(scene, pki, responder.url)
    assert passes(daemon.port("tls"), pki.client_context(pki.client))
    head, request = responder.requests[0]
    assert head.startswith(b"POST /ocsp HTTP/1.0\r\nHost: " + responder.address.encode() + b"\r\n")
    assert b"\r\nContent-Type: application/ocsp-request\r\n" in head
    assert request.serial_number == pki.client.serial and request.hash_algorithm.name == "sha1"


# --- answers that are kept, and sessions


@VERSIONS
def test_an_answer_is_kept_and_sessions_live_by_it(scene, pki, version):
    responder = scene.keep(Responder(http(answer(pki.ca, pki.client))))
    daemon = server_of(scene, pki, responder.url)
    context = pki.client_context(pki.client, version=version)
    assert passes(daemon.port("tls"), context)
    with connect_tls(daemon.port("tls"), context) as near:
        near.send(b"ping")
        assert near.recv(4) == b"ping"
        session = near.session
    daemon.wait_log("OCSP: An earlier answer still holds")
    with connect_tls(daemon.port("tls"), context, session=session) as near:
        near.send(b"ping")
        assert near.recv(4) == b"ping" and near.reused
    assert responder.asked == 1
    # After a reload nothing is known any more: the session is not taken up, and the answer is another.
    responder.reply = http(answer(pki.ca, pki.client, REVOKED))
    daemon.reload()
    assert not passes(daemon.port("tls"), context)
    with pytest.raises((ssl.SSLError, Ended)):
        with connect_tls(daemon.port("tls"), context, session=session) as near:
            near.send(b"ping")
            near.recv(1)
    daemon.wait_end(end="revocation", count=2)
    assert responder.asked == 2, "that it is revoked was not kept"


def test_an_answer_without_an_end_is_not_kept(scene, pki):
    responder = scene.keep(Responder(http(answer(pki.ca, pki.client, hours=(-1, None)))))
    daemon = server_of(scene, pki, responder.url)
    context = pki.client_context(pki.client)
    assert passes(daemon.port("tls"), context) and passes(daemon.port("tls"), context)
    assert responder.asked == 2


# --- nobody waits for it but the one whom it is about


@VERSIONS
@pytest.mark.parametrize("verdict", [GOOD, REVOKED], ids=["good", "revoked"])
def test_nothing_moves_before_the_answer_and_others_do(scene, pki, version, verdict):
    """One worker: while a responder thinks, other tunnels work, and no byte reaches the backend."""
    go = threading.Event()

    def reply(peer, request):
        go.wait(4 * DEADLINE)
        peer.send(http(answer(pki.ca, pki.client, verdict)))

    responder = scene.keep(Responder(reply))
    guarded, other = scene.backend(), scene.server(echo)
    mine = (f"cert = {pki.server.bundle}",)
    daemon = scene.daemon(
        scene.section("guarded", guarded, *mine, f"CAfile = {pki.ca.path}", "verifyChain = yes",
                      f"OCSP = {responder.url}", "TIMEOUTocsp = 60")
        + scene.section("other", other, *mine),
        head="workers = 1",
    )
    standing = scene.tls(daemon.port("other"))
    got = []

    def visit():
        try:
            with connect_tls(daemon.port("guarded"), pki.client_context(pki.client, version=version)) as near:
                near.send(b"ping")
                got.append(near.recv(4))
        except (ssl.SSLError, Ended) as error:
            got.append(error)

    visitor = threading.Thread(target=visit)
    visitor.start()
    daemon.wait_log("OCSP: Connecting the configured responder")
    before = daemon.cpu_seconds()
    for _ in range(50):
        standing.send(b"still here")
        assert standing.recv(10) == b"still here"
        assert passes(daemon.port("other"), pki.client_context())
    assert guarded.unvisited() and not got
    assert standing.quiet(0.5)  # a worker that spins would now burn half a second
    assert daemon.cpu_seconds() - before < 5
    idle = daemon.cpu_seconds()
    assert standing.quiet(0.5)
    assert daemon.cpu_seconds() - idle < 0.25, "the worker spins while it waits"
    go.set()
    if verdict == GOOD:
        far = scene.keep(guarded.accept())
        assert far.recv(4) == b"ping"
        far.send(b"pong")
    visitor.join(DEADLINE)
    assert got[0] == b"pong" if verdict == GOOD else "REVOKED" in str(got[0])
    assert verdict == GOOD or guarded.unvisited()


def test_a_client_that_leaves_takes_its_question_along(scene, pki):
    responder = scene.keep(Responder(silently))
    daemon = server_of(scene, pki, responder.url, "TIMEOUTocsp = 60")
    before = daemon.descriptors()
    near = scene.tls(daemon.port("tls"), pki.client_context(pki.client, version="TLSv1.3"))
    daemon.wait_log("OCSP: Connecting the configured responder")
    near.reset()
    daemon.wait_end(end="reset_near")
    daemon.await_descriptors(before)


def test_the_deadline_of_the_set_up_holds(scene, pki):
    responder = scene.keep(Responder(silently))
    daemon = server_of(scene, pki, responder.url, "TIMEOUTocsp = 60", "TIMEOUTbusy = 1")
    assert not passes(daemon.port("tls"), pki.client_context(pki.client))
    daemon.wait_end(end="setup_timeout")


# --- stapled answers


class StaplingServer:
    """openssl's s_server: it says each line backwards, with an answer stapled to its handshake."""

    def __init__(self, openssl, identity, status, *flags):
        self.process = subprocess.Popen(
            [openssl, "s_server", "-accept", "127.0.0.1:0", "-cert", identity.path, "-key", identity.key, "-rev",
             *(["-status_file", status] if status else []), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )
        line = b""
        while b"ACCEPT" not in line:
            line = self.process.stdout.readline()
            assert line, "s_server did not start"
        self.address = line.decode().split()[-1]

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.process.stdout.close()


def says(scene, port):
    """Does that server answer through the tunnel?"""
    try:
        return scene.connect(port).send(b"abc\n").recv(4) == b"cba\n"
    except (Ended, OSError):
        return False


STAPLES = {
    "good": (lambda pki: answer(pki.ca, pki.server), True),
    "revoked": (lambda pki: answer(pki.ca, pki.server, REVOKED), False),
    "expired": (lambda pki: answer(pki.ca, pki.server, hours=(-9, -1)), False),
    "forged": (lambda pki: answer(pki.ca, pki.server, signer=pki.other_ca), False),
    "none": (None, False),
}


@VERSIONS
@pytest.mark.parametrize("kind", STAPLES)
def test_a_client_takes_a_stapled_answer(scene, pki, openssl, version, kind):
    """With a responder that is of no use, so that all hangs on what is stapled."""
    make, good = STAPLES[kind]
    status = scene.file("staple", make(pki)) if make else None
    server = scene.keep(StaplingServer(openssl, pki.server, status, "-" + version.replace("TLSv", "tls").replace(".", "_")))
    useless = scene.keep(Responder(b"HTTP/1.0 500 No\r\n\r\n"))
    daemon = scene.client_mode(server, f"CAfile = {pki.ca.path}", "verifyChain = yes", f"OCSP = {useless.url}")
    assert says(scene, daemon.port("plain")) == good
    if good:
        daemon.wait_log(r"OCSP: Accepted \(good\)")
    else:
        daemon.wait_end(end="revocation")
    assert useless.asked == (0 if kind in ("good", "revoked") else 1), "a stapled answer comes first"


@VERSIONS
def test_a_stapled_answer_counts_without_any_option(scene, pki, openssl, version):
    """verifyChain alone: a stapled "revoked" is believed, and no staple is no fault."""
    status = scene.file("staple", answer(pki.ca, pki.server, REVOKED))
    flag = "-" + version.replace("TLSv", "tls").replace(".", "_")
    revoked = scene.keep(StaplingServer(openssl, pki.server, status, flag))
    silent = scene.keep(StaplingServer(openssl, pki.server, None, flag))
    common = ("client = yes", f"CAfile = {pki.ca.path}", "verifyChain = yes")
    daemon = scene.daemon(scene.section("revoked", revoked, *common) + scene.section("silent", silent, *common))
    assert not says(scene, daemon.port("revoked"))
    daemon.wait_log(r"LOG3\[\d+\]: OCSP: Rejected \(revoked\)")
    assert says(scene, daemon.port("silent"))
    daemon.wait_log(r"LOG6\[\d+\]: OCSP: No OCSP stapling response received")


def status_of(openssl, port, ca, *flags):
    done = subprocess.run(
        [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-status", "-CAfile", ca.path, *flags],
        input=b"", capture_output=True, timeout=DEADLINE, check=False,
    )
    text = done.stdout.decode(errors="replace")
    assert "Verify return code: 0" in text, text
    return text


def test_a_server_staples_an_answer_about_itself(scene, pki, openssl):
    responder = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.ca, mine)))))
    mine = pki.ca.issue("stapled.test", sans=["localhost"], responder=responder.url, label="stapled")
    daemon = scene.daemon(scene.section("tls", scene.server(echo), f"cert = {mine.bundle}", f"CAfile = {pki.ca.path}"))
    daemon.wait_log(r"Service \[tls\]: a new OCSP answer is stapled")
    text = status_of(openssl, daemon.port("tls"), pki.ca)
    assert "OCSP Response Status: successful" in text and "Cert Status: good" in text
    # A reload keeps it: nobody is asked again, and no client goes without.
    daemon.reload()
    assert "Cert Status: good" in status_of(openssl, daemon.port("tls"), pki.ca)
    assert responder.asked == 1


@pytest.mark.parametrize("demanded", [False, True], ids=["plain", "must-staple"])
def test_beside_pre_shared_keys_nothing_is_stapled_unless_demanded(scene, pki, openssl, demanded):
    responder = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.ca, mine)))))
    mine = pki.ca.issue("keyed.test", sans=["localhost"], responder=responder.url, must_staple=demanded, label="keyed")
    keys = scene.secret("keys", "alice:" + "0a" * 16 + "\n")
    daemon = scene.daemon(
        scene.section("tls", scene.server(echo), f"cert = {mine.bundle}", f"CAfile = {pki.ca.path}", f"PSKsecrets = {keys}"))
    if demanded:
        daemon.wait_log(r"Service \[tls\]: a new OCSP answer is stapled")
        assert "Cert Status: good" in status_of(openssl, daemon.port("tls"), pki.ca)
    else:
        daemon.wait_log(r"LOG5\[\w+\]: Service \[tls\]: no OCSP stapling beside PSKsecrets")
        assert "no response sent" in status_of(openssl, daemon.port("tls"), pki.ca)
        assert responder.asked == 0


def test_a_server_finds_its_issuer_in_its_own_chain(scene, pki, openssl):
    responder = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.intermediate, mine)))))
    mine = pki.intermediate.issue("chained.test", sans=["localhost"], responder=responder.url, label="chained")
    daemon = scene.daemon(scene.section("tls", scene.server(echo), f"cert = {mine.bundle}"))
    daemon.wait_log(r"Service \[tls\]: a new OCSP answer is stapled")
    assert "Cert Status: good" in status_of(openssl, daemon.port("tls"), pki.ca)


def test_each_name_of_a_port_has_its_own_answer_and_rules(scene, pki, openssl):
    """The named section staples and asks; the one that has the port does neither."""
    staples = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.ca, mine)))))
    clients = scene.keep(Responder(http(answer(pki.ca, pki.client, REVOKED))))
    mine = pki.ca.issue("named.test", sans=["named.test"], responder=staples.url, label="named")
    backend = scene.server(echo)
    daemon = scene.daemon(
        scene.section("tls", backend, f"cert = {pki.server.bundle}")
        + f"[named]\nsni = tls:named.test\nconnect = {backend.address}\ncert = {mine.bundle}\n"
        f"CAfile = {pki.ca.path}\nverifyChain = yes\nrequireCert = no\nOCSP = {clients.url}\n")
    daemon.wait_log(r"Service \[named\]: a new OCSP answer is stapled")
    assert "Cert Status: good" in status_of(openssl, daemon.port("tls"), pki.ca, "-servername", "named.test")
    assert "no response sent" in status_of(openssl, daemon.port("tls"), pki.ca, "-servername", "localhost")
    context = pki.client_context(pki.client)
    assert passes(daemon.port("tls"), context, name="localhost")
    assert not passes(daemon.port("tls"), context, name="named.test")
    daemon.wait_log(r"OCSP: Rejected \(revoked\)")


@pytest.mark.parametrize("kind", ["silent", "garbage", "revoked", "forged"])
def test_a_start_and_a_handshake_wait_for_no_responder(scene, pki, openssl, kind):
    def reply(peer, request):
        if kind == "silent":
            peer.rest()
        elif kind == "garbage":
            peer.send(http(b"\x30\x03\x0a\x01\x06"))
        else:
            signer = pki.other_ca if kind == "forged" else pki.ca
            peer.send(http(answer(pki.ca, mine, REVOKED if kind == "revoked" else GOOD, signer=signer)))

    responder = scene.keep(Responder(reply))
    mine = pki.ca.issue("must.test", sans=["localhost"], responder=responder.url, must_staple=True, label="must")
    daemon = scene.daemon(scene.section("tls", scene.server(echo), f"cert = {mine.bundle}", f"CAfile = {pki.ca.path}"))
    text = status_of(openssl, daemon.port("tls"), pki.ca)
    assert "OCSP response: no response sent" in text
    daemon.wait_log(r"LOG4\[\d+\]: OCSP: No answer to staple, and the certificate demands one \(must-staple\)")
    if kind != "silent":
        daemon.wait_log(r"Service \[tls\]: no OCSP answer to staple; trying again in 60 s")
    if kind == "revoked":
        daemon.wait_log(r"Service \[tls\]: our own certificate is revoked")


@VERSIONS
def test_ginnel_staples_to_ginnel(scene, pki, version):
    responder = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.ca, mine)))))
    mine = pki.ca.issue("both.test", sans=["localhost"], responder=responder.url, label="both")
    server = scene.daemon(
        scene.section("tls", scene.server(echo), f"cert = {mine.bundle}", f"CAfile = {pki.ca.path}",
                      f"sslVersion = {version}"), name="server")
    server.wait_log("a new OCSP answer is stapled")
    client = scene.daemon(
        scene.section("plain", server.port("tls"), "client = yes", f"CAfile = {pki.ca.path}", "verifyChain = yes",
                      "OCSPaia = yes"), name="client")
    assert plain_passes(client.port("plain"))
    client.wait_log(r"OCSP: Accepted \(good\)")
    assert responder.asked == 1, "the client asked although the answer was stapled"


# --- what the configuration may say


def test_a_flag_that_blinds_is_warned_of(scene, pki):
    """And it does what it says: an answer of another CA counts."""
    responder = scene.keep(Responder(http(answer(pki.ca, pki.client, signer=pki.other_ca))))
    daemon = server_of(scene, pki, responder.url, "OCSPflag = NOVERIFY", "OCSPflag = TRUSTOTHER")
    daemon.wait_log(r"OCSPflag: NOVERIFY lets answers count that others than the CA have made")
    assert passes(daemon.port("tls"), pki.client_context(pki.client))


@pytest.mark.parametrize(
    "lines, words",
    [
        ("OCSP = http://127.0.0.1/", '"verifyChain" has to be enabled for OCSP support'),
        ("OCSPaia = yes", '"verifyChain" has to be enabled for OCSP support'),
        ("verifyChain = yes\nOCSP = https://127.0.0.1/", "http only"),
        ("verifyChain = yes\nOCSP = 127.0.0.1:80", "not an http URL"),
        ("verifyChain = yes\nOCSPflag = NOSUCH", "NOCERTS"),
        ("verifyChain = yes\nTIMEOUTocsp = -2", "TIMEOUTocsp"),
    ],
)
def test_wrong_lines_are_named(scene, pki, lines, words):
    with pytest.raises(NotStarted) as failed:
        scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", lines)
    assert words in failed.value.stderr
