# SPDX-License-Identifier: Apache-2.0
# The rarer options of the TLS library: what they do, in which order, and what is said of those that do nothing.
import os
import re
import ssl
import subprocess

import pytest

from lib.daemon import NotStarted
from lib.peer import echo, visit

CONFIG = 78


def refusal(start):
    """What a start that must fail says."""
    with pytest.raises(NotStarted) as fault:
        start()
    assert fault.value.status == CONFIG, fault.value.stderr
    return fault.value.stderr


# --- config


@pytest.mark.parametrize("side", ["server", "client"])
def test_config_commands_beat_versions_and_ciphers(scene, pki, side):
    lines = ("sslVersion = TLSv1.2", "config = MinProtocol:TLSv1.3", "config = MaxProtocol:TLSv1.3",
             "config = Ciphersuites:TLS_CHACHA20_POLY1305_SHA256")
    if side == "server":
        daemon = scene.server_mode(scene.server(echo), *lines)
        near = scene.tls(daemon.port("tls"))
        assert (near.version, near.tls.cipher()[0]) == ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256")
    else:
        daemon = scene.client_mode(scene.server(echo, pki.server_context()), *lines)
        near = scene.connect(daemon.port("plain"))
        assert near.send(b"ping").recv(4) == b"ping"
        daemon.wait_log("TLSv1.3 ciphersuite: TLS_CHACHA20_POLY1305_SHA256 ")


def test_curves_beat_config(scene, pki):
    daemon = scene.server_mode(scene.server(echo), "config = Groups:X448", "curves = P-521")
    with pytest.raises(ssl.SSLError):
        context = pki.client_context()
        context.set_ecdh_curve("X448")
        scene.tls(daemon.port("tls"), context)
    context = pki.client_context()
    context.set_ecdh_curve("secp521r1")
    assert scene.tls(daemon.port("tls"), context).send(b"ping").recv(4) == b"ping"


@pytest.mark.parametrize(
    "command, words",
    [
        ("Nonsense:1", 'OpenSSL config command "Nonsense" was not recognised'),
        ("-cipher:HIGH", 'OpenSSL config command "-cipher" was not recognised'),
        ("MinProtocol", 'OpenSSL config command "MinProtocol" requires a parameter'),
        ("CipherString:bogus", '"CipherString" does not take "bogus"'),
        ("Certificate:/etc/passwd", "write cert = FILE"),
        ("verifycafile:/etc/passwd", "write CAfile = FILE"),
        ("VerifyMode:Peer", "write verifyChain"),
    ],
)
def test_a_bad_config_command_is_named(scene, command, words):
    said = refusal(lambda: scene.server_mode(scene.backend(), f"config = {command}"))
    assert re.search(r"ginnel\.conf:\d+: config: ", said) and words in said, said


# --- options without effect


@pytest.mark.parametrize(
    "line", ["EGD = /run/egd", "RNDfile = /dev/urandom", "RNDbytes = 64", "RNDoverwrite = no", "compression = zlib"])
def test_what_has_no_effect_is_accepted_and_said_so(scene, line):
    daemon = scene.server_mode(scene.server(echo), head=line)
    daemon.wait_log(rf"LOG4\[.*{line.split()[0]}: has no effect")
    assert scene.tls(daemon.port("tls")).send(b"ping").recv(4) == b"ping"


@pytest.mark.parametrize("line", ["stack = 65536", "renegotiation = yes"])
def test_what_has_no_effect_in_a_service_is_accepted_and_said_so(scene, line):
    daemon = scene.server_mode(scene.server(echo), line)
    daemon.wait_log(rf"LOG4\[.*{line.split()[0]}: has no effect")


def test_renegotiation_no_is_what_happens_anyway(scene):
    daemon = scene.server_mode(scene.server(echo), "renegotiation = no")
    assert scene.tls(daemon.port("tls")).send(b"ping").recv(4) == b"ping"
    assert "renegotiation:" not in daemon.log()


@pytest.mark.parametrize(
    "line, words",
    [
        ("compression = rle", "write deflate or zlib"),
        ("RNDbytes = many", "not a number"),
        ("RNDoverwrite = maybe", "write yes or no"),
        ("provider = no-such", 'Failed to load provider "no-such"'),
        ("providerParameter = default", "Malformed parameter"),
        ("engine = no-such", 'Failed to open the engine "no-such"'),
        ("engineCtrl = INIT", "No engine was defined"),
        ("engineDefault = ALL", "No engine was defined"),
        ("setEnv = =x", "write NAME=VALUE"),
    ],
)
def test_a_bad_line_for_the_library_is_named(scene, line, words):
    said = refusal(lambda: scene.server_mode(scene.backend(), head=line))
    assert re.search(rf"ginnel\.conf:\d+: {line.split()[0]}: ", said) and words in said, said


# --- providers, environment, FIPS


def test_set_env_takes_effect_for_what_stands_below(scene, pki):
    """An empty directory of modules: the provider that a line below asks for is not found."""
    said = refusal(lambda: scene.server_mode(
        scene.backend(), head=f"setEnv = OPENSSL_MODULES={scene.folder}\nprovider = legacy"))
    assert 'Failed to load provider "legacy"' in said
    # ... and without the variable again, it is there.
    daemon = scene.daemon(
        scene.section("tls", scene.server(echo), f"cert = {pki.server.bundle}"),
        f"setEnv = OPENSSL_MODULES={scene.folder}\nsetEnv = OPENSSL_MODULES=\nprovider = legacy", name="again")
    assert scene.tls(daemon.port("tls")).send(b"ping").recv(4) == b"ping"


def test_a_reload_says_that_the_library_stays_as_it_is(scene, pki):
    backend = scene.server(echo)
    text = scene.section("tls", backend, f"cert = {pki.server.bundle}")
    daemon = scene.daemon(text, "provider = legacy")
    assert "next start" not in daemon.reload()
    daemon.write(text, "provider = legacy\nsetEnv = A=b")
    assert re.search(r"LOG4\[.*setEnv: a change of it takes effect at the next start", daemon.reload())
    daemon.write(text, "")
    assert re.search(r"LOG4\[.*provider = ... stays in effect until the next start", daemon.reload())


def test_fips(scene):
    """With OpenSSL's FIPS module, it is used; without, the start says so."""
    try:
        daemon = scene.server_mode(scene.server(echo), head="fips = yes")
    except NotStarted as fault:
        assert fault.status == CONFIG
        assert "fips: FIPS support is not available" in fault.stderr
    else:
        daemon.wait_log(r"LOG5\[.*FIPS mode enabled")
        assert scene.tls(daemon.port("tls")).send(b"ping").recv(4) == b"ping"


def test_fips_no(scene):
    daemon = scene.server_mode(scene.server(echo), head="fips = no")
    daemon.wait_log(r"LOG5\[.*FIPS mode disabled")


# --- tickets under fixed keys

SECRETS = ("ticketKeySecret = " + "0b" * 32, "ticketMacSecret = " + ":".join(["c4"] * 16))
KINDS = {"1.2": {"version": "TLSv1.2"}, "1.3": {"version": "TLSv1.3"}}


@pytest.mark.parametrize("kind", KINDS)
def test_fixed_ticket_keys_hold_on_two_machines(scene, pki, kind):
    backend = scene.server(echo)
    context = pki.client_context(pki.client, **KINDS[kind])
    section = scene.section("tls", backend, f"cert = {pki.server.bundle}", "verify = 2", f"CAfile = {pki.ca.path}",
                            *SECRETS)
    first, second = (scene.daemon(section, name=name) for name in ("first", "second"))
    session, reused = visit(first.port("tls"), context)
    assert not reused
    session, reused = visit(second.port("tls"), context, session)
    assert reused
    assert visit(first.port("tls"), context, session)[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", ["name", "secret", "mac", "none fixed", "trust"])
def test_fixed_ticket_keys_open_nothing_else(scene, pki, kind, change):
    """A ticket stays in its trust, though the secrets are the same."""
    backend = scene.server(echo)

    def section(name, trust, *secrets):
        return scene.section(name, backend, f"cert = {pki.server.bundle}", *trust, *secrets)

    lax, strict = [], ["verify = 2", f"CAfile = {pki.ca.path}"]
    second = {
        "name": section("other", lax, *SECRETS),
        "secret": section("tls", lax, SECRETS[0].replace("0b", "0c"), SECRETS[1]),
        "mac": section("tls", lax, SECRETS[0], SECRETS[1].replace("c4", "c5")),
        "none fixed": section("tls", lax),
        "trust": section("tls", strict, *SECRETS),
    }[change]
    daemon = scene.daemon(section("tls", lax, *SECRETS))
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(daemon.port("tls"), context)
    assert visit(daemon.port("tls"), context, session)[1]
    other = scene.daemon(second, name="second")
    port = other.ports("other")[-1] if change == "name" else other.port("tls")
    try:
        assert not visit(port, context, session)[1]
        assert change != "trust", "a guest without a certificate passed"
    except (ssl.SSLError, OSError, AssertionError):
        assert change == "trust"


@pytest.mark.parametrize("kind", KINDS)
def test_a_reload_with_other_secrets_ends_old_tickets(scene, pki, kind):
    backend = scene.server(echo)
    daemon = scene.server_mode(backend, *SECRETS)
    context = pki.client_context(**KINDS[kind])
    session, _ = visit(daemon.port("tls"), context)
    port = daemon.port("tls")
    daemon.reload()
    session, reused = visit(port, context, session)
    assert reused
    daemon.write(scene.section("tls", backend, f"cert = {pki.server.bundle}", SECRETS[0].replace("0b", "0c"),
                               SECRETS[1]))
    daemon.reload()
    assert not visit(port, context, session)[1]


@pytest.mark.parametrize(
    "lines, words",
    [
        (SECRETS[:1], '"ticketKeySecret" and "ticketMacSecret" must be set together'),
        (SECRETS[1:], '"ticketKeySecret" and "ticketMacSecret" must be set together'),
        (["ticketKeySecret = deadbeef" + "00" * 5], "ticketKeySecret value has 9 bytes instead of required 16 or 32"),
        (["ticketKeySecret = deadbeefxyz"], "Required ticketKeySecret is 16 or 32 byte hexadecimal key"),
        (["ticketMacSecret = "], "ticketMacSecret"),
    ],
)
def test_bad_ticket_secrets_are_refused_and_not_repeated(scene, lines, words):
    said = refusal(lambda: scene.server_mode(scene.backend(), *lines))
    assert words in said
    assert "deadbeef" not in said and "0b0b" not in said and "c4:c4" not in said


def test_ticket_secrets_are_ignored_by_a_client(scene, pki):
    daemon = scene.client_mode(scene.server(echo, pki.server_context()), *SECRETS)
    daemon.wait_log(r"LOG5\[.*ticketKeySecret is ignored in the client mode")


# --- DH parameters


def test_dh_parameters_in_the_file_of_cert_do_no_harm(scene, pki):
    """The incumbent reads them from there; here OpenSSL chooses them, and DHE works all the same."""
    # The ffdhe2048 of RFC 7919, as a file would have it.
    made = subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"],
                          capture_output=True, check=True)
    with open(pki.server.bundle, "rb") as file:
        path = scene.file("dh.pem", made.stdout + file.read())
    os.chmod(path, 0o600)
    daemon = scene.daemon(scene.section("tls", scene.server(echo), f"cert = {path}", "sslVersion = TLSv1.2",
                                        "ciphers = DHE+AESGCM:ECDHE+AESGCM"))
    context = pki.client_context(version="TLSv1.2")
    near = scene.tls(daemon.port("tls"), context)
    assert near.send(b"ping").recv(4) == b"ping"
