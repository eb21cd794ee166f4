# SPDX-License-Identifier: Apache-2.0
# The log: one event, one line, in the incumbent's form, and nothing in it that should not be.
import os
import re
import ssl

import pytest

from lib.daemon import END_LINE, LINE
from lib.peer import END, connect, connect_tls, echo

EVIL = "evil\r\n2026.01.01 00:00:00 LOG5[0]: Service [forged]\x1b[2J\x07\u202e"


def every_line_is_ours(daemon):
    """Each line has the form of a log line and holds nothing but printable characters."""
    for line in daemon.log().splitlines():
        assert LINE.match(line), f"no log line: {line!r}"
        assert line.isprintable(), f"unprintable: {line!r}"
    assert "\x1b" not in daemon.log() and "\r" not in daemon.log()


def test_the_form_of_lines(scene):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    near.shut()
    far.ended()
    far.shut()
    near.ended()
    daemon.wait_end(end="done")
    every_line_is_ours(daemon)
    assert len(re.findall("Connection (closed|reset)", daemon.log())) == 1


def test_the_trace_of_a_good_connection(scene, pki):
    """The lines that scripts look for, in their order, with one id."""
    backend = scene.backend()
    daemon = scene.server_mode(backend, f"CAfile = {pki.ca.path}", "verify = 2")
    near, far = scene.pair(daemon, backend, context=pki.client_context(pki.client))
    client, backend_side = near.address, far.sock.getpeername()
    near.send(b"12345").shut()
    assert far.rest() == (b"12345", END)
    far.send(b"123").shut()
    near.rest()
    end = daemon.wait_end(end="done", service="tls")
    identity = end.id
    place = 0
    for level, text in (
        (5, f"Service [tls] accepted connection from 127.0.0.1:{client[1]}"),
        (5, "Certificate accepted at depth=0: O=Test, CN=client.test"),
        (6, "TLS accepted: new session negotiated"),
        (6, f"s_connect: connecting {backend.address}"),
        (5, f"Service [tls] connected remote server from {backend_side[0]}:{backend_side[1]}"),
        (5, "Connection closed: 3 byte(s) sent to TLS, 5 byte(s) sent to socket"),
    ):
        wanted = f"LOG{level}[{identity}]: {text}"
        found = daemon.log().find(wanted, place)
        assert found >= 0, f"{wanted!r} is missing behind character {place}:\n{daemon.log()}"
        place = found
    assert end.peer == f"127.0.0.1:{client[1]}"


def test_every_tunnel_that_stood_has_its_end_line(scene, pki):
    """However many end at once, and however rudely: the brake on the log is for those who never came in."""
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    context = pki.client_context()
    peers = [scene.tls(daemon.port("tls"), context) for _ in range(250)]
    for near in peers:
        near.send(b"x")
    for near in peers:
        assert near.recv(1) == b"x"
    for near in peers:
        near.close()
    daemon.wait_end(count=250)
    assert len({end.id for end in daemon.ends()}) == 250


def test_the_level_is_obeyed_per_service(scene, pki):
    server = scene.server(echo)
    daemon = scene.daemon(
        scene.section("loud", server, f"cert = {pki.server.bundle}")
        + scene.section("still", server, f"cert = {pki.server.bundle}", "debug = err")
    )
    mark = daemon.mark()
    with connect_tls(daemon.port("still"), pki.client_context()) as near:
        near.send(b"x")
        near.recv(1)
    with connect_tls(daemon.port("loud"), pki.client_context()) as near:
        near.send(b"x")
        near.recv(1)
    daemon.wait_end(service="loud")
    assert not re.search(r"LOG[4-7]\[\d+\]: .*\[still\]", daemon.log()[mark:])


@pytest.mark.parametrize("kind, form", [("sequential", r"\d+"), ("unique", r"[0-9A-Za-z]{22}"), ("process", r"\d+"), ("thread", r"\d+")])
def test_the_kinds_of_id(scene, kind, form):
    daemon = scene.server_mode(scene.server(echo), f"logId = {kind}")
    with connect_tls(daemon.port("tls"), scene.pki.client_context()) as near:
        near.send(b"x")
        near.recv(1)
    assert re.fullmatch(form, daemon.wait_end().id)


@pytest.mark.sanitize
def test_names_from_hellos_forge_no_line(scene, pki):
    """SNI with line ends and escapes, sent as raw bytes in the place of an honest name."""
    daemon = scene.server_mode(scene.server(echo))
    honest = "x" * 40 + ".test"
    for evil in (b"\r\n2026.01.01 00:00:00 LOG5[0]: forged", b"\x1b[2J\x1b]0;x\x07", b"a\0b", b"\xff\xfe%s%n%x"):
        near = scene.tls(daemon.port("tls"), name=honest, handshake=False)
        hello = near.hello().replace(honest.encode(), evil.ljust(len(honest), b"."))
        near.sock.sendall(hello)
        near.fin()
    daemon.wait_end(count=4)
    every_line_is_ours(daemon)
    assert not re.search(r"^2026\.01\.01 00:00:00", daemon.log(), re.M)


@pytest.mark.sanitize
def test_names_in_certificates_forge_no_line(scene, pki):
    evil = pki.ca.issue(EVIL, org="Org\n\x1b[1mX", label="evil")
    foreign = pki.other_ca.issue(EVIL, label="evil-foreign")
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verify = 2")
    for identity in (evil, foreign):
        try:
            with connect_tls(daemon.port("tls"), pki.client_context(identity)) as near:
                near.send(b"x")
                near.recv(1)
        except (ssl.SSLError, OSError, AssertionError):
            pass
    daemon.wait_log("Certificate accepted at depth=0: .*evil")
    daemon.wait_log("Rejected by CERT at depth=0: .*evil")
    daemon.wait_end(count=2)
    every_line_is_ours(daemon)
    assert not re.search(r"^2026\.01\.01 00:00:00", daemon.log(), re.M)


def test_an_endless_name_is_cut(scene, pki):
    long = pki.ca.issue("ou" * 30, org="o" * 3000, label="long")
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verify = 2")
    with connect_tls(daemon.port("tls"), pki.client_context(long)) as near:
        near.send(b"x")
        near.recv(1)
    daemon.wait_end()
    assert max(map(len, daemon.log().splitlines())) < 1200


def test_no_secret_and_no_payload_at_the_highest_level(scene, pki):
    """Keys, passphrases and what was relayed are looked for in all that the program has ever said."""
    marker = b"PAYLOAD-" + os.urandom(8).hex().encode()
    server = scene.server(echo)
    daemon = scene.server_mode(server, f"CAfile = {pki.ca.path}", "verify = 2")
    with connect_tls(daemon.port("tls"), pki.client_context(pki.client)) as near:
        near.send(marker)
        assert near.recv(len(marker)) == marker
    daemon.reload()
    daemon.wait_end()
    encrypted = pki.server.encrypted_key(b"planted-passphrase")
    said = daemon.log() + daemon.read_stderr()
    failed = scene.run("check", scene.file("enc.conf", scene.section("e", "9", f"cert = {pki.server.path}", f"key = {encrypted}")))
    said += failed.stdout + failed.stderr
    for secret in [marker.decode(), "planted-passphrase", "PRIVATE KEY", *pki.server.secrets()]:
        assert secret not in said
    with open(f"/proc/{daemon.pid}/cmdline", "rb") as file:
        assert b"PRIVATE" not in file.read()


def test_the_log_file_is_not_open_to_all(scene):
    daemon = scene.server_mode(scene.server(echo))
    assert os.stat(daemon.log_path).st_mode & 0o137 == 0


def test_foreground_quiet_says_nothing_on_stderr(scene, pki):
    server = scene.server(echo)
    daemon = scene.daemon(
        whole=f"foreground = quiet\nsyslog = no\noutput = {scene.folder}/ginnel/log\n debug = debug\n"
        + scene.section("tls", server, f"cert = {pki.server.bundle}")
    )
    assert "Accepting new connections" in daemon.log()
    assert daemon.read_stderr() == ""


def test_foreground_yes_says_the_same_on_stderr(scene):
    daemon = scene.server_mode(scene.server(echo))
    daemon.watch.until(lambda: "Accepting new connections" in daemon.read_stderr(), "the line on stderr")


# --- plain talk on a TLS port, and other visitors


@pytest.mark.sanitize
@pytest.mark.parametrize(
    "words, code",
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not_tls_http"),
        (b"POST /x HTTP/1.0\r\n\r\n", "not_tls_http"),
        (b"EHLO client\r\n", "not_tls"),
        (b"SSH-2.0-OpenSSH_9\r\n", "not_tls"),
        (b"\0\0\0\0\0\0\0\0", "not_tls"),
        (b"", "no_bytes"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "hello_cut"),
    ],
    ids=repr,
)
def test_visitors_without_tls_get_one_clear_line(scene, words, code):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    near = scene.connect(daemon.port("tls"))
    if words:
        near.send(words)
    near.fin()
    near.rest()
    daemon.wait_end(end=code)
    assert len([line for line in daemon.log().splitlines() if END_LINE.search(line)]) == 1
    assert server.served == 0


def test_the_end_line_gives_a_hint_where_there_is_one(scene):
    daemon = scene.server_mode(scene.server(echo))
    near = scene.connect(daemon.port("tls"))
    near.send(b"GET / HTTP/1.0\r\n\r\n")
    near.rest()
    assert "https://" in daemon.wait_end(end="not_tls_http").text or "plain HTTP" in daemon.log()


def test_scans_that_leave_at_once_are_one_line_each(scene):
    daemon = scene.server_mode(scene.server(echo))
    for _ in range(20):
        connect(daemon.port("tls")).close()
    daemon.wait_end(count=20)
    assert not re.search("LOG[0-3]", daemon.log())
