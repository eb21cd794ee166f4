# SPDX-License-Identifier: Apache-2.0
# A client that demands a stapled OCSP answer (RFC 6066 8) finds ours.
import subprocess

import pytest

from lib.peer import greeter
from lib.responder import REVOKED, Responder, answer, http
from lib.wait import DEADLINE

PAGE = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def curl(port, ca):
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--cert-status", "--cacert", ca.path, f"https://localhost:{port}/"],
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_curl_takes_our_stapled_answer(scene, pki, version):
    responder = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.intermediate, mine)))))
    mine = pki.intermediate.issue("curl.test", sans=["localhost"], responder=responder.url, must_staple=True, label="curl")
    daemon = scene.daemon(
        scene.section("tls", scene.server(greeter(PAGE)), f"cert = {mine.bundle}",
                      f"sslVersion = {version}"))
    daemon.wait_log("a new OCSP answer is stapled")
    done = curl(daemon.port("tls"), pki.ca)
    assert (done.returncode, done.stdout) == (0, "hello"), done.stderr


def test_curl_misses_an_answer_that_we_do_not_have(scene, pki):
    """The counter-proof: it does look."""
    responder = scene.keep(Responder(lambda peer, request: peer.send(http(answer(pki.intermediate, mine, REVOKED)))))
    mine = pki.intermediate.issue("curl.test", sans=["localhost"], responder=responder.url, label="curl2")
    daemon = scene.daemon(
        scene.section("tls", scene.server(greeter(PAGE)), f"cert = {mine.bundle}"))
    daemon.wait_log("no OCSP answer to staple")
    assert curl(daemon.port("tls"), pki.ca).returncode == 91  # CURLE_SSL_INVALIDCERTSTATUS
