# SPDX-License-Identifier: Apache-2.0
# Keys that stay in a token: SoftHSM behind OpenSSL's engine for PKCS#11, and URIs that OpenSSL reads itself.
import glob
import os
import shutil
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives import serialization

from interop.incumbent import Stunnel
from lib.daemon import NotStarted
from lib.peer import echo
from lib.pki import Authority

PIN = "7351"
CONFIG = 78


def first(pattern):
    return next(iter(glob.glob(pattern)), None)


SOFTHSM = first("/usr/lib/*/softhsm/libsofthsm2.so")
ENGINE = first("/usr/lib/*/engines-3/pkcs11.so")
PROVIDER = first("/usr/lib/*/ossl-modules/pkcs11.so")
needs_engine = pytest.mark.skipif(not (SOFTHSM and ENGINE and shutil.which("pkcs11-tool")), reason=(
    "NOT TESTED: tokens need softhsm2, opensc and libengine-pkcs11-openssl"))


class Token:
    """A SoftHSM token that holds identities."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tokens").mkdir(parents=True)
        self.conf = folder / "softhsm2.conf"
        self.conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {**os.environ, "SOFTHSM2_CONF": str(self.conf)}
        self.run("softhsm2-util", "--init-token", "--free", "--label", "cellar", "--pin", PIN, "--so-pin", "0000")
        self.count = 0

    def run(self, *command):
        subprocess.run(command, env=self.env, check=True, capture_output=True)

    def put(self, identity, key=True):
        """Its label is the identity's."""
        self.count += 1
        number, name = f"{self.count:02x}", identity.label.replace(" ", "-")
        if key:
            self.run("softhsm2-util", "--import", identity.key, "--token", "cellar", "--label", name, "--id", number,
                     "--pin", PIN)
        der = self.folder / "cert.der"
        der.write_bytes(identity.cert.public_bytes(serialization.Encoding.DER))
        self.run("pkcs11-tool", "--module", SOFTHSM, "--token-label", "cellar", "--pin", PIN, "--write-object", str(der),
                 "--type", "cert", "--id", number, "--label", name)
        return f"pkcs11:token=cellar;object={name}"

    def head(self, pin=PIN):
        return f"engine = pkcs11\nengineCtrl = MODULE_PATH:{SOFTHSM}\nengineCtrl = PIN:{pin}"


@pytest.fixture
def token(tmp_path):
    return Token(tmp_path / "hsm")


def served(scene, daemon, pki, service="tls", identity=None):
    near = scene.tls(daemon.port(service), pki.client_context(identity))
    assert near.send(b"ping").recv(4) == b"ping"
    return near


@needs_engine
@pytest.mark.parametrize("cert", ["in the token", "in a file"])
@pytest.mark.parametrize("name", ["engineId = pkcs11", "engineNum = 1"])
@pytest.mark.parametrize("who", ["ginnel", "stunnel"])
def test_a_key_in_a_token(scene, pki, token, cert, name, who):
    """The same file for both programs."""
    uri = token.put(pki.server)
    section = scene.section("tls", scene.server(echo), name,
                            f"cert = {uri if cert == 'in the token' else pki.server.path}", f"key = {uri}")
    if who == "ginnel":
        daemon = scene.daemon(section, token.head(), env={"SOFTHSM2_CONF": str(token.conf)})
        daemon.wait_log("Private key loaded from: pkcs11:token=cellar;object=server$")
    else:
        (scene.folder / "stunnel").mkdir()
        daemon = Stunnel(scene.folder / "stunnel", section, token.head(), start=False,
                         env={"SOFTHSM2_CONF": str(token.conf)})
        scene.daemons.append(daemon)
        daemon.start()
    served(scene, daemon, pki)
    if who == "ginnel":  # stunnel logs the line with the PIN
        assert f"PIN:{PIN}" not in daemon.log()


@needs_engine
def test_a_daemon_takes_its_token_along(scene, pki, token):
    """It forks after the key was opened; then many sign at once, and a reload opens the key again."""
    uri = token.put(pki.server)
    section = scene.section("tls", scene.server(echo), "engineId = pkcs11", f"cert = {uri}", "sessionResume = no")
    daemon = scene.daemon(section, f"setEnv = SOFTHSM2_CONF={token.conf}\n{token.head()}", daemonise=True)
    faults = []

    def visit():
        try:
            for _ in range(20):
                served(scene, daemon, pki).close()
        except Exception as fault:  # pylint: disable=broad-except
            faults.append(fault)

    for round_ in range(2):
        threads = [threading.Thread(target=visit) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults
        if round_ == 0:
            daemon.reload()


@needs_engine
def test_a_client_with_its_key_in_a_token(scene, pki, token):
    uri = token.put(pki.client)
    server = scene.server(echo, pki.server_context(client_ca=pki.ca))
    daemon = scene.client_mode(server, "engineId = pkcs11", f"cert = {uri}", f"CAfile = {pki.ca.path}",
                               "verifyChain = yes", "checkHost = server.test",
                               head=f"setEnv = SOFTHSM2_CONF={token.conf}\n{token.head()}")
    near = scene.connect(daemon.port("plain"))
    assert near.send(b"ping").recv(4) == b"ping"


@needs_engine
def test_trusted_certificates_in_a_token(scene, pki, token, tmp_path):
    uri = token.put(pki.ca, key=False)
    daemon = scene.server_mode(scene.server(echo), "engineId = pkcs11", f"CAengine = {uri}", "verify = 2",
                               head=f"setEnv = SOFTHSM2_CONF={token.conf}\n{token.head()}")
    served(scene, daemon, pki, identity=pki.client)
    with pytest.raises((OSError, AssertionError)):
        served(scene, daemon, pki, identity=pki.foreign)


@needs_engine
@pytest.mark.parametrize(
    "pin, name, lines, words",
    [
        (PIN, "pkcs11:token=cellar;object=nobody", ["engineId = pkcs11"], "cert: Failed to load certificate from: "),
        ("9999", None, ["engineId = pkcs11"], "Failed to load private key from: "),
        (PIN, None, ["engineId = other"], "engineId: Engine ID not found"),
        (PIN, None, ["engineNum = 2"], "engineNum: Illegal engine number"),
        (PIN, "pkcs11:token=cellar;object=nobody?pin-value=7351", ["engineId = pkcs11"], "pin-value=..."),
    ],
)
def test_what_the_token_does_not_give(scene, pki, token, pin, name, lines, words):
    uri = token.put(pki.server)
    with pytest.raises(NotStarted) as fault:
        scene.daemon(scene.section("tls", scene.backend(), f"cert = {name or uri}", *lines),
                     f"setEnv = SOFTHSM2_CONF={token.conf}\n{token.head(pin)}")
    # The module has a word of its own to say; ours are these.
    said = "\n".join(line for line in fault.value.stderr.splitlines() if line.startswith("["))
    assert fault.value.status == CONFIG and words in said, said
    assert "9999" not in said and "value=7351" not in said


@needs_engine
@pytest.mark.skipif(not PROVIDER, reason="NOT TESTED: there is no PKCS#11 provider for OpenSSL here (pkcs11-provider)")
def test_a_key_behind_a_provider(scene, pki, token):
    uri = token.put(pki.server)
    daemon = scene.daemon(
        scene.section("tls", scene.server(echo), f"cert = {uri};type=cert", f"key = {uri};type=private?pin-value={PIN}"),
        f"setEnv = SOFTHSM2_CONF={token.conf}\nsetEnv = PKCS11_PROVIDER_MODULE={SOFTHSM}\nprovider = pkcs11")
    served(scene, daemon, pki)


# --- URIs without any module


def test_file_uris(scene, pki):
    daemon = scene.daemon(scene.section(
        "tls", scene.server(echo), f"cert = file:{pki.server.path}", f"key = file:{pki.server.key}", "verify = 2",
        f"CAstore = file:{pki.ca.path}"))
    served(scene, daemon, pki, identity=pki.client)
    with pytest.raises((OSError, AssertionError)):
        served(scene, daemon, pki, identity=pki.foreign)
    daemon.reload()
    served(scene, daemon, pki, identity=pki.client)


def test_a_directory_as_a_store(scene, pki, tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    other = Authority(str(tmp_path), "Third CA")
    for name, identity in (("one.pem", pki.ca), ("two.pem", other)):
        shutil.copy(identity.path, folder / name)
    (folder / "README").write_text("not a certificate\n")
    daemon = scene.server_mode(scene.server(echo), "verify = 2", f"CAstore = file:{folder}")
    served(scene, daemon, pki, identity=pki.client)
    served(scene, daemon, pki, identity=other.issue("third.test"))


@pytest.mark.parametrize("line, words", [
    ("cert = nosuch:thing", "cert: Failed to load certificate from: nosuch:thing"),
    ("CAstore = nosuch:thing\nverifyChain = yes", "No trusted certificates found"),
])
def test_a_uri_that_nobody_knows(scene, pki, line, words):
    lines = [line] if line.startswith("cert") else [f"cert = {pki.server.bundle}", line]
    with pytest.raises(NotStarted) as fault:
        scene.daemon(scene.section("tls", scene.backend(), *lines))
    assert fault.value.status == CONFIG and words in fault.value.stderr
