# SPDX-License-Identifier: Apache-2.0
# Side by side with Debian's stunnel: the same sections and the same visitors, and what each makes of them.
import contextlib
import os
import re
import shutil
import subprocess
import types

import pytest

from interop.beside import (DECOY, GREETING, OTHER, Case, ClientCase, Level, Line, Stage, Target, Verdict, Visit,
                            Words, says)
from interop.host import HERE, public_folder
from interop.incumbent import Stunnel
from interop.test_peers import mutual
from lib.daemon import GINNEL
from lib.peer import END, Server, connect, echo, greeter
from lib.responder import GOOD, REVOKED, UNKNOWN, Responder, answer, http
from lib.scene import Scene

VERSIONS = ("TLSv1.2", "TLSv1.3")


@pytest.fixture(scope="module")
def files(pki):
    """What only these cases need."""
    capath = os.path.join(pki.folder, "beside-capath")
    os.makedirs(capath, exist_ok=True)
    for identity in (pki.ca, pki.client):
        shutil.copy(identity.path, capath)
    subprocess.run(["openssl", "rehash", capath], check=True)
    return types.SimpleNamespace(
        # the CA, and certificates that verifyPeer shall find, good and bad
        trust=pki.join("beside-trust.pem", *(who.path for who in (
            pki.ca, pki.client, pki.expired, pki.self_signed, pki.server, pki.client_only))),
        capath=capath,
        old_crl=pki.ca.crl(pki.revoked, label="beside-old", days=(-9, -1)),
        other_crl=pki.other_ca.crl(label="beside-other"),
        intermediate_crl=pki.intermediate.crl(label="beside-intermediate"),
        both_crls=pki.join("beside-crls.pem", pki.crl, pki.intermediate.crl(label="beside-intermediate")),
    )


# --- the cases

LEVELS = ("verify = 0", "verify = 1", "verify = 2", "verify = 3", "verify = 4", "verifyChain = yes",
          "verifyPeer = yes", "requireCert = yes", "verifyChain = yes\nrequireCert = no",
          "requireCert = no\nverifyPeer = yes")
CLIENTS = ("nobody", "client", "other_client", "deep_client", "foreign", "expired", "future", "self_signed",
           "server_only")
SERVERS = ("server", "foreign", "expired", "self_signed", "client_only")
CHECKS = ("checkHost = client.test", "checkHost = other.test", "checkEmail = client@mail.test",
          "checkEmail = other@mail.test", "checkIP = 127.0.0.1",
          "checkHost = other.test\ncheckEmail = client@mail.test")


def identity(pki, who):
    return None if who == "nobody" else getattr(pki, who)


def as_server(pki, files, version):
    def case(*lines, **visit):
        return Case([f"cert = {pki.server.bundle}", *lines], [Visit(version=version, **visit)])

    def trusting(*lines, **visit):
        return case(f"CAfile = {pki.ca.path}", *lines, **visit)

    for level in LEVELS:
        for who in CLIENTS:
            yield f"{level}, {who}", case(f"CAfile = {files.trust}", *level.split("\n"), identity=identity(pki, who))
    for what, crl in (("valid", pki.crl), ("expired", files.old_crl), ("missing", files.other_crl)):
        for who in ("client", "revoked"):
            trust = pki.join(f"beside-{who}.pem", pki.ca.path, getattr(pki, who).path)
            for level in ("verify = 2", "verify = 4"):
                yield f"CRL {what}, {level}, {who}", case(f"CAfile = {trust}", level, f"CRLfile = {crl}",
                                                          identity=getattr(pki, who))
    for what, crl in (("both", files.both_crls), ("its own", files.intermediate_crl)):
        yield f"CRL of {what}, deep_client", trusting("verify = 2", f"CRLfile = {crl}", identity=pki.deep_client)
    for who in ("client", "foreign", "other_client"):
        for level in ("verify = 2", "verify = 4"):
            yield f"CApath, {level}, {who}", case(f"CApath = {files.capath}", level, identity=identity(pki, who))
    for check in CHECKS:
        yield check, trusting("verifyChain = yes", *check.split("\n"), identity=pki.client)
    yield "a client that does not trust us", case(trusts=pki.other_ca)

    for line in ("sslVersion = TLSv1.2", "sslVersion = TLSv1.3", "sslVersionMin = TLSv1.3", "sslVersionMax = TLSv1.2",
                 "options = NO_TLSv1_3", "options = NO_TLSv1_2"):
        yield line, case(line)
    for line in ("ciphers = ECDHE-ECDSA-AES128-GCM-SHA256", "ciphersuites = TLS_CHACHA20_POLY1305_SHA256",
                 "curves = P-521"):
        yield line, case(line)
    yield "no common cipher", case("ciphers = ECDHE-ECDSA-AES128-GCM-SHA256", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")

    resumption = ([], ["sessionResume = no"], ["options = NO_TICKET"],
                  ["verify = 2", f"CAfile = {pki.ca.path}"], ["verify = 4", f"CAfile = {files.trust}"])
    for lines in resumption:
        visits = [Visit(pki.client, version), Visit(pki.client, version, resumes=True)]
        yield f"comes back, {', '.join(lines[:1])}", Case([f"cert = {pki.server.bundle}", *lines], visits)

    for who in CLIENTS:
        visits = [Visit(identity(pki, who), version), Visit(identity(pki, who), version, resumes=True)]
        yield f"redirect, {who}", Case([f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes",
                                        "redirect = {decoy}"], visits)
    yield "redirect, revoked", trusting("verifyChain = yes", f"CRLfile = {pki.crl}", "redirect = {decoy}",
                                        identity=pki.revoked)

    yield "nobody listens there", case("connect = 127.0.0.1:1")
    yield "the second target answers", case("connect = 127.0.0.1:1", "connect = {backend}")
    yield "exec", case("exec = /bin/echo", "execArgs = echo hello")


def names(pki, version):
    """Several services on one port."""

    def primary(name, *lines):
        more = "\n".join([f"[other {version} {name}]", f"sni = {name}, {version}:*.other.test", "connect = {other}",
                          f"cert = {pki.client_only.bundle}", *lines, ""])
        return name, more

    for asked in ("localhost", "a.other.test", "other.test", "A.OTHER.TEST", "a.b.other.test"):
        name, more = primary(f"asks for {asked}")
        yield name, Case([f"cert = {pki.server.bundle}"], [Visit(version=version, name=asked)], more)
    for who in ("nobody", "client", "foreign"):
        name, more = primary(f"a name that verifies, {who}", "verify = 2", f"CAfile = {pki.ca.path}")
        yield name, Case([f"cert = {pki.server.bundle}"], [Visit(identity(pki, who), version, "a.other.test")], more)
    name, more = primary("a name with own versions", "sslVersion = TLSv1.2")
    yield name, Case([f"cert = {pki.server.bundle}"], [Visit(version=version, name="a.other.test")], more)


def revocation(pki, responders, version):
    for what in responders:
        lines = [f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes",
                 f"OCSP = {responders[what].url}"]
        yield f"OCSP {what}", Case(lines, [Visit(pki.client, version)])


def as_client(pki, files, version):
    def case(shown, *lines, **how):
        return ClientCase([*lines], pki.server_context(shown, version=version, **how))

    for level in (None, *LEVELS):
        for who in SERVERS:
            lines = [f"CAfile = {files.trust}", *level.split("\n")] if level else []
            yield f"client, {level or 'no verification'}, {who}", case(getattr(pki, who), *lines)
    for check in ("checkHost = server.test", "checkHost = other.test", "checkIP = 127.0.0.1", "checkIP = 127.0.0.2"):
        yield f"client, {check}", case(pki.server, f"CAfile = {pki.ca.path}", "verifyChain = yes", check)
    for what, crl in (("valid", pki.crl), ("expired", files.old_crl), ("missing", files.other_crl)):
        for who in ("server", "revoked"):
            yield f"client, CRL {what}, {who}", case(getattr(pki, who), f"CAfile = {pki.ca.path}", "verify = 2",
                                                     f"CRLfile = {crl}")
    for who in ("nobody", "client", "foreign"):
        lines = [f"cert = {getattr(pki, who).bundle}"] if who != "nobody" else []
        yield f"client, asked for a certificate, {who}", case(pki.server, *lines, client_ca=pki.ca)
    for line in ("sslVersion = TLSv1.2", "sslVersion = TLSv1.3", "sslVersionMin = TLSv1.3", "sslVersionMax = TLSv1.2"):
        yield f"client, {line}", case(pki.server, line)
    yield "client, sni", case(pki.server, "sni = server.test")
    yield "client, a server without TLS", ClientCase([], None)
    yield "client, nobody listens there", ClientCase(["connect = 127.0.0.1:1"], None)


def all_cases(pki, files, responders):
    found = {}
    for version in VERSIONS:
        for group in (as_server(pki, files, version), names(pki, version), revocation(pki, responders, version),
                      as_client(pki, files, version)):
            for name, case in group:
                found[f"{name}, {version}".replace("\n", " ")] = case
    return found


# --- where they differ, each with its reason; docs/stunnel-compat.md tells users of those that they can see

OLD = "Debian's stunnel is 5.68; 5.75 says it as ginnel does"
DETAIL = "a detail for level 6 that nobody has a use for"
BAD = "redirect, (foreign|expired|future|self_signed|server_only|revoked)"

DEVIATIONS = [
    Words("CRL of its own", "hello, end", "refused: UNKNOWN_CA", "the lists of the whole chain are looked at"),
    Words("^(client, )?check|^client, .*check", r"(.*)refused: INTERNAL_ERROR", r"(.*)refused: HANDSHAKE_FAILURE",
          "the fault is the peer's name, not ours"),
    Words("NO_TLSv1_2, TLSv1.2", "refused: INTERNAL_ERROR", "refused: PROTOCOL_VERSION",
          "TLS 1.1 and below are not offered unless they are asked for"),
    Words("redirect, expired", "decoy, end; decoy, end, resumed", "decoy, end; decoy, end",
          "the session of a certificate that has expired is not taken up"),
    Words("own versions, TLSv1.3", "other, end", "refused: PROTOCOL_VERSION",
          "a service keeps its TLS versions also behind sni"),
    Words("OCSP (unknown|error)", "refused: HANDSHAKE_FAILURE", "refused: CERTIFICATE_UNKNOWN",
          "the alert that RFC 5246 7.2.2 has for a certificate about which something is unknown"),

    Level("Connection (closed|reset)", "the level of the end line tells how bad the end is"),

    Line("", "6 Certificate verification disabled", "6 CERT: Certificate verification disabled", OLD),
    Line("", "6 (Client certificate not requested|No peer certificate received)", None, DETAIL),
    Line("", "6 (Session id: HEX|Decrypted ticket for an authenticated session: .*)", None, DETAIL),
    Line("", "6 Received trusted client CA list .*", None, DETAIL),
    Line("^(?!the second target)", "6 persistence: .* cached", None, "with one target there is no way back to remember"),
    Line("", "6 SNI: requested servername: .*", "6 SNI: requested servername: .*",
         "who asks for which name is told for every service, in small letters"),
    Line("^client,", "6 SNI: sending servername: 127.0.0.1", "6 SNI: extension disabled", "RFC 6066 3: no addresses"),
    Line("^client,", None, "6 OCSP: No OCSP stapling response received", OLD + ", but at level 3, though all is well"),
    Line("a name that verifies", "6 Peer certificate not required", "6 Peer certificate required",
         "the rules are those of the service that was named, from the beginning"),
    Line(BAD, "[56] Certificate accepted at .*", "6 Certificate accepted at depth=[1-9].*",
         "what was refused is not accepted a moment later"),
    Line(BAD, "6 CERT: No subject checks configured", None, "as before"),
    Line(BAD, "4 CERT: Pre-verification error: .*", "4 CERT: Pre-verification error: .*",
         "one certificate can be at fault twice; the wording of the second differs"),
    Line(BAD, "4 Rejected by CERT .*", "4 Rejected by CERT .*", "as before; and for sessions that are taken up"),
    Line("redirect, nobody", None, "4 CERT: The peer sent no certificate", "why it is redirected"),
    Line("", None, "5 SSL_[a-z]+: the peer .*", "what a cause in OpenSSL's words means, and what to do"),
    Line("OCSP", "[356] OCSP: (Revoked at|Certificate revoked|Next update|This update|Status).*",
         "[35] OCSP: (Certificate revoked|Accepted|Rejected).*", OLD),
    Line("OCSP (good|revoked)", "3 SSL_accept: certificate verify failed|5 Certificate accepted at depth=0: .*",
         "5 Certificate accepted at depth=0: .*",
         "a responder is asked when the certificate is good in itself, behind the handshake"),
    Line("exec", "6 Read socket closed .*", "6 (Read socket closed|Child .PID. finished).*",
         "a hang-up is told when it was read; the end of a program has the number of its tunnel"),
]


# --- both programs


@pytest.fixture(scope="module")
def both(pki, files):
    """Every case under stunnel, and then under ginnel: {name: (theirs, ours)}."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(public_folder())
        scene = Scene(folder, pki)
        stack.callback(scene.close)
        responders = {
            "good": Responder(http(answer(pki.ca, pki.client, GOOD))),
            "revoked": Responder(http(answer(pki.ca, pki.client, REVOKED))),
            "unknown": Responder(http(answer(pki.ca, pki.client, UNKNOWN))),
            "error": Responder(b"HTTP/1.0 500 no\r\n\r\n"),
        }
        for responder in responders.values():
            scene.keep(responder)
        cases = all_cases(pki, files, responders)
        greetings = {"backend": GREETING, "decoy": DECOY, "other": OTHER}
        addresses = {name: scene.keep(Server(says(greeting))).address for name, greeting in greetings.items()}
        targets = {name: scene.keep(Target(case.server)) for name, case in cases.items() if case.client}

        def start_stunnel(text):
            (folder / "stunnel").mkdir()
            daemon = Stunnel(folder / "stunnel", text, start=False)
            scene.daemons.append(daemon)
            daemon.start()
            return daemon

        theirs, ours = (Stage(start, pki, cases, targets, addresses) for start in (start_stunnel, scene.daemon))
        yield {name: (theirs.outcome(name), ours.outcome(name)) for name in cases}


def test_every_case_agrees_or_deviates_for_a_reason(both):
    verdict = Verdict(DEVIATIONS)
    faults = {name: verdict.judge(name, theirs, ours) for name, (theirs, ours) in both.items()}
    report = [f"{name}:\n  " + "\n  ".join(lines) for name, lines in faults.items() if lines]
    assert not report, f"{len(report)} of {len(both)} cases; - stunnel, + ginnel\n" + "\n".join(report)
    assert not verdict.stale(), "rows that no case has met"


# --- pre-shared keys, with openssl as the client


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key, passes", [("5e" * 32, True), ("77" * 32, False)], ids=["good", "bad"])
@pytest.mark.parametrize("who", ["ginnel", "stunnel"])
def test_pre_shared_keys(scene, stunnel, who, key, passes, version):
    secrets = scene.secret("secrets", f"other:{'11' * 16}\nalice:{'5e' * 32}\n")
    daemon = (scene.daemon if who == "ginnel" else stunnel)(scene.section(
        "tunnel", scene.server(greeter(GREETING)), f"PSKsecrets = {secrets}", "ciphers = PSK",
        f"sslVersion = {version}"))
    done = HERE.run("openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port('tunnel')}", "-psk", key,
                    "-psk_identity", "alice", "-cipher", "PSK", "-quiet", stdin="")
    assert (GREETING.decode() in done.stdout) == passes, done.stderr
    if passes:
        daemon.wait_log('LOG5.*: Key configured for PSK identity "alice"$')
    else:
        told = {"TLSv1.2": "decrypt error|bad record mac", "TLSv1.3": "illegal parameter"}[version]
        assert re.search(told, done.stderr), done.stderr


# --- protocols: a ginnel client and a stunnel server, and the other way round
#
# connect, socks, proxy and cifs, which carry more than words, are in test_proxies.py.  stunnel has no server for nntp
# and ldap.


def lines_of(peer):
    line = b""
    while some := peer.some(1):
        line += some
        if some == b"\n":
            yield line.rstrip()
            line = b""


def replies(greeting, answers, others):
    """Script: a server of a protocol of lines, behind the tunnel and so without TLS."""

    def script(peer):
        peer.send(greeting)
        for line in lines_of(peer):
            peer.send(next((reply for word, reply in answers.items() if word in line.upper()), others))
            if b"QUIT" in line.upper():
                break

    return script


def directory(peer):
    """Script: an LDAP server that answers each message alike."""
    while some := peer.some(1):
        peer.recv(peer.recv(1)[0])
        assert some == b"\x30"
        peer.send(bytes.fromhex("300c02010161070a010004000400"))


def database(peer):
    """Script: a PostgreSQL server without a password, up to its first command."""
    size = int.from_bytes(peer.recv(4), "big")
    peer.recv(size - 4)
    peer.send(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
    echo(peer)


STARTUP = b"\0\0\0\x14\0\x03\0\0user\0alice\0\0"
BIND = bytes.fromhex("300c020101600702010304008000")

# The backend, and what the local program hears and says; None: nothing is said first.
PROTOCOLS = {
    "smtp": (replies(b"220 mail.test ESMTP\r\n", {b"EHLO": b"250-mail.test\r\n250 SIZE\r\n", b"QUIT": b"221 bye\r\n"},
                     b"250 well\r\n"),
             [(None, b"220 mail.test"), (b"EHLO me\r\n", b"250-mail.test\r\n250 SIZE\r\n"),
              (b"QUIT\r\n", b"221 bye\r\n")]),
    "pop3": (replies(b"+OK mail.test\r\n", {}, b"+OK well\r\n"),
             [(None, b"+OK mail.test"), (b"STAT\r\n", b"+OK well\r\n"), (b"QUIT\r\n", b"+OK well\r\n")]),
    "imap": (replies(b"* OK mail.test\r\n", {}, b"a OK well\r\n"),
             [(None, b"* OK Connected."), (b"a SELECT INBOX\r\n", b"a OK well\r\n")]),
    "nntp": (replies(b"200 news.test\r\n", {}, b"211 well\r\n"),
             [(None, b"200 news.test"), (b"GROUP a.b\r\n", b"211 well\r\n")]),
    "ldap": (directory, [(BIND, bytes.fromhex("300c02010161070a010004000400"))]),
    "pgsql": (database, [(STARTUP, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"), (b"Q\0\0\0\x04", b"Q\0\0\0\x04")]),
}
ONLY_CLIENT = ("nntp", "ldap")  # stunnel's


@pytest.mark.parametrize("protocol, ours", [
    (protocol, ours) for protocol in PROTOCOLS for ours in ("server", "client")
    if not (protocol in ONLY_CLIENT and ours == "client")])
def test_a_protocol_between_the_two(scene, pki, stunnel, protocol, ours):
    backend, talk = PROTOCOLS[protocol]
    server = (scene.daemon if ours == "server" else stunnel)(scene.section(
        "tunnel", scene.server(backend), f"protocol = {protocol}", *mutual(pki.server, pki)))
    client = (scene.daemon if ours == "client" else stunnel)(scene.section(
        "tunnel", f"127.0.0.1:{server.port('tunnel')}", "client = yes", f"protocol = {protocol}",
        *mutual(pki.client, pki)))
    lines = protocol not in ("ldap", "pgsql")
    with connect(client.port("tunnel")) as near:
        for said, heard in talk:
            if said is not None:
                near.send(said)
            assert near.recv(len(heard)) == heard
            while said is None and lines and near.recv(1) != b"\n":
                pass  # stunnel leaves its name in the greeting
        near.shut()
        assert near.rest() == (b"", END)
    server.wait_log("Certificate accepted at depth=0: O=Test, CN=client.test$")
    client.wait_log("Certificate accepted at depth=0: O=Test, CN=server.test$")


# A server's words that no client of the protocol may go on with.
REFUSALS = {
    "smtp": replies(b"220 mail.test\r\n", {b"EHLO": b"250 mail.test\r\n"}, b"454 not now\r\n"),
    "pop3": replies(b"+OK mail.test\r\n", {}, b"-ERR no\r\n"),
    "imap": replies(b"* OK mail.test\r\n", {}, b"stunnel NO\r\na NO\r\n"),
    "nntp": replies(b"200 news.test\r\n", {}, b"580 no\r\n"),
    "ldap": lambda peer: (peer.some(), peer.send(bytes.fromhex("300c02010178070a010204000400")), peer.rest()),
    "pgsql": lambda peer: (peer.some(), peer.send(b"N"), peer.rest()),
    "connect": replies(b"", {b"CONNECT": b"HTTP/1.1 403 no\r\n\r\n"}, b""),
    "cifs": lambda peer: (peer.some(), peer.send(bytes.fromhex("8300000182")), peer.rest()),
}


@pytest.mark.parametrize("who", ["ginnel", "stunnel"])
@pytest.mark.parametrize("protocol", REFUSALS)
def test_a_server_that_refuses_tls(scene, stunnel, protocol, who):
    """Nothing of the local program's reaches it, and the local program sees no orderly end of a tunnel."""
    heard = []

    def script(peer):
        some = peer.some
        peer.some = lambda *size: (heard.append(some(*size)), heard[-1])[1]
        REFUSALS[protocol](peer)

    daemon = (scene.daemon if who == "ginnel" else stunnel)(scene.section(
        "tunnel", scene.server(script), "client = yes", f"protocol = {protocol}", "protocolHost = inside.test:1"))
    with connect(daemon.port("tunnel")) as near:
        if protocol in ("smtp", "pop3", "nntp"):
            assert near.some()
        with contextlib.suppress(OSError):  # it may be over already
            near.send(b"our secret\r\n")
        near.rest()
    daemon.wait_log(r"Service \[tunnel\] finished \(")
    assert b"secret" not in b"".join(heard)
    assert b"".join(heard) != b""


# --- what they print


@pytest.fixture
def told(scene):
    """What each of them prints for a flag, without its banner."""
    link = scene.folder / "stunnel"
    link.symlink_to(GINNEL)

    def ask(flag):
        texts = [HERE.run(program, flag).stderr for program in (Stunnel.program, link)]
        assert all(text.startswith("Initializing inetd mode configuration\nstunnel 5.") for text in texts)
        return [text.split("\n \n", 1)[1] for text in texts]

    return ask


@pytest.mark.parametrize("flag", ["-version", "-help"])
def test_lists_of_options_have_one_form(told, flag):
    theirs, ours = told(flag)
    parts = [re.split(r"^(?:Global|Service-level) options:\n", text, flags=re.M) for text in (theirs, ours)]
    assert [len(part) for part in parts] == [3, 3]
    names = [re.findall(r"^(\S+) {1,20} = \S", text, re.M) for text in (theirs, ours)]
    missing = set(names[0]) - set(names[1])
    # Defaults that are the system's, or that nothing obeys.
    assert missing <= ({"RNDbytes", "RNDfile", "RNDoverwrite", "securityLevel", "stack", "verify"}
                       if flag == "-version" else set())
    assert all(line.index(" = ") == max(22, len(line.split()[0])) for line in ours.splitlines() if " = " in line)


def test_tls_options_are_the_same(told):
    theirs, ours = told("-options")
    assert set(theirs.splitlines()) == set(ours.splitlines())


def test_socket_options_have_the_same_columns(told):
    theirs, ours = ([line.split("|") for line in text.splitlines()] for text in told("-sockets"))
    assert ours[:3] == theirs[:3]
    ours = {row[0]: row for row in ours[3:]}
    for row in theirs[3:]:
        assert ours[row[0]][:4] == row[:4], "what is set on our sockets"
        assert len(ours[row[0]]) == len(row)


# --- starts that fail

PAIR = "accept = 127.0.0.1:0\nconnect = 127.0.0.1:1\n"
OUT = f"[x]\nclient = yes\n{PAIR}"

# Lines of which both say the same, ours with a hint behind it.
SAME_WORDS = {
    "an unknown option": "[x]\nnonsense = 1\n",
    "a global option in a section": f"{OUT}pid = /x\n",
    "one endpoint": "[x]\nclient = yes\naccept = 127.0.0.1:0\n",
    "three endpoints": f"{OUT}exec = /bin/cat\n",
    "accept without a section": "client = yes\naccept = 127.0.0.1:0\n",
    "no certificate": f"[x]\n{PAIR}",
    "a CAfile that is not there": f"{OUT}verify = 2\nCAfile = /nonexistent\n",
    "a check without verification": f"{OUT}checkHost = x\n",
    "redirect of a client": f"{OUT}redirect = 1\n",
    "redirect without verification": f"[x]\n{PAIR}cert = {{cert}}\nredirect = 1\n",
    "redirect beside smtp":
        f"[x]\n{PAIR}cert = {{cert}}\nCAfile = {{cert}}\nverify = 2\nprotocol = smtp\nredirect = 1\n",
    "an empty range of versions": f"{OUT}sslVersionMin = TLSv1.3\nsslVersionMax = TLSv1.2\n",
    "curves": f"{OUT}curves = NOSUCH\n",
    "an unknown protocol": f"{OUT}protocol = nosuch\n",
    "sni without a colon": "[x]\nconnect = 127.0.0.1:1\ncert = {cert}\nsni = nocolon\n",
    "sni of no section": "[x]\nconnect = 127.0.0.1:1\ncert = {cert}\nsni = no:such\n",
    "PSKsecrets that are not there": f"{OUT}PSKsecrets = /nonexistent\n",
    "half of the ticket keys": f"[x]\n{PAIR}cert = {{cert}}\nticketKeySecret = 00112233445566778899aabbccddeeff\n",
    "a relative pid file": f"pid = x\n{OUT}",
    "a relative log": f"output = x\n{OUT}",
    "an address of another machine": f"foreground = yes\n{OUT}".replace("accept = 127.0.0.1:0", "accept = 192.0.2.1:1"),
}
# Ours name the value, and what may stand there.
OTHER_WORDS = {
    "no equals sign": "[x]\nnonsense\n",
    "neither yes nor no": "[x]\nclient = maybe\n",
    "a level": f"debug = loud\n{OUT}",
    "an option of TLS": f"{OUT}options = NO_SUCH\n",
    "a socket option": f"{OUT}socket = l:NO_SUCH=1\n",
    "a version": f"{OUT}sslVersion = TLSv9\n",
    "ciphers": f"{OUT}ciphers = NOSUCH\n",
    "a time-out": f"{OUT}TIMEOUTidle = x\n",
    "a user": f"setuid = nosuchuser\n{OUT}",
    "a directory that is not there": "[x]\ninclude = /nonexistent\n",
    "a service that is not in /etc/services": "[x]\nclient = yes\naccept = nosuchservice\nconnect = 1\n",
    "a key of another certificate": f"[x]\n{PAIR}cert = {{cert}}\nkey = {{key}}\n",
    "no CA": f"{OUT}verify = 2\n",
}


@pytest.mark.parametrize("name", [*SAME_WORDS, *OTHER_WORDS])
def test_a_start_that_fails(scene, pki, name):
    text = {**SAME_WORDS, **OTHER_WORDS}[name].format(cert=pki.server.bundle, key=pki.client.key)
    path = scene.file("x.conf", text)
    link = scene.folder / "stunnel"
    link.symlink_to(GINNEL)
    theirs, ours = (HERE.run(program, path) for program in (Stunnel.program, link))
    assert (theirs.returncode, theirs.stdout) == (ours.returncode, ours.stdout) == (1, "")
    theirs, ours = ([line for line in done.stderr.splitlines() if line.startswith("[!]")] for done in (theirs, ours))
    assert theirs[-1].rstrip() == ours[-1].rstrip(), ours
    told = [re.sub(r'^\[!\] (/\S*:\d+: ".*": |Service \[x\]: |Inetd mode: |Global options: )?', "", line).rstrip()
            for line in theirs]
    told = set(told) - {"Configuration failed", "Service [x]: Failed to initialize TLS context"}
    said = {words for words in told if any(words in line for line in ours)}
    assert len(ours[0]) > len("[!] Configuration failed") and bool(said) == (name in SAME_WORDS), f"{theirs}\n{ours}"
