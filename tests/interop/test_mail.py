# SPDX-License-Identifier: Apache-2.0
# Mutual authentication in front of Postfix: who may deliver, who may not, and what the log says of it.
import collections
import re
import uuid

import pytest
from cryptography.x509.oid import NameOID

from interop.host import HERE
from interop.openssl import s_client
from interop.recipes import NOBODY, let_nobody_log
from lib.daemon import INCUMBENT

pytestmark = pytest.mark.root  # Postfix starts as root, and so does a recipe with setuid

NO_CERTIFICATE = r"peer did not return a certificate"
NO_ISSUER = r"CERT: .*unable to get (local )?issuer certificate"
NOT_LISTED = r"CERT: Certificate not found in local repository"

# One recipe: the file of trusted certificates and what is in it, who may come in, who may not and why.
Case = collections.namedtuple("Case", "recipe trust holds welcome refused")
CASES = [
    Case("smtp-mutual.conf", "ca.pem", ["ca"], "client",
         {None: NO_CERTIFICATE, "foreign": NO_ISSUER, "expired": "CERT: .*certificate has expired"}),
    Case("smtp-listed.conf", "listed.pem", ["ca", "client", "foreign"], "client",
         {None: NO_CERTIFICATE, "other_client": NOT_LISTED, "foreign": NO_ISSUER}),
    Case("smtp-pinned.conf", "pinned.pem", ["foreign"], "foreign",
         {None: NO_CERTIFICATE, "client": NOT_LISTED}),
]
REFUSALS = [(case, who) for case in CASES for who in case.refused]


def name_of(value):
    return value.recipe if isinstance(value, Case) else str(value)


def tunnel(case, scene, machine, pki, postfix):
    let_nobody_log(scene)
    machine.install(case.trust, *(getattr(pki, name).path for name in case.holds))
    return scene.daemon(machine.recipe(
        case.recipe,
        ("accept = 1465", "accept = 127.0.0.1:0"),
        ("connect = 127.0.0.1:25", f"connect = 127.0.0.1:{postfix.port}"),
    ))


def common_name(who):
    return who.cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def by_openssl(port, pki, who, token):
    show = ["-cert", who.path, "-key", who.key] if who else []
    letter = [
        "EHLO client.test", "MAIL FROM:<bob@example.test>", "RCPT TO:<alice@example.test>", "DATA",
        "Subject: by openssl", "", token, ".", "QUIT", "",
    ]
    return s_client(port, pki, "-quiet", "-crlf", *show, said="\n".join(letter))


def by_swaks(port, pki, who, token):
    show = ["--tls-cert", who.path, "--tls-key", who.key] if who else []
    return HERE.run("swaks", "--server", f"127.0.0.1:{port}", "--tls-on-connect", "--tls-verify",
                    "--tls-ca-path", pki.ca.path, *show, "--helo", "client.test", "--from", "bob@example.test",
                    "--to", "alice@example.test", "--body", token)


# swaks leaves without a close_notify; if it has not read ours either, the kernel makes a reset of it.
ENDS = {by_openssl: ["done"], by_swaks: ["cut", "reset_near"]}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_welcome_certificate_delivers(case, scene, machine, pki, postfix):
    daemon = tunnel(case, scene, machine, pki, postfix)
    who = getattr(pki, case.welcome)
    for sender in ENDS:
        token, mark = uuid.uuid4().hex, daemon.mark()
        done = sender(daemon.port("smtp"), pki, who, token)
        assert done.returncode == 0, done.stdout + done.stderr
        postfix.await_message("alice", token)
        daemon.wait_log(rf"Certificate accepted at depth=0: O=Test, CN={common_name(who)}$", after=mark)
        end = daemon.wait_end(service="smtp", after=mark)
        assert end.to_socket > len(token) and (INCUMBENT or end.end in ENDS[sender])


@pytest.mark.parametrize("case, name", REFUSALS, ids=name_of)
def test_any_other_is_refused_and_the_log_says_why(case, name, scene, machine, pki, postfix):
    daemon = tunnel(case, scene, machine, pki, postfix)
    who = getattr(pki, name) if name else None
    visits = postfix.log().count("connect from")
    for sender in ENDS:
        token, mark = uuid.uuid4().hex, daemon.mark()
        done = sender(daemon.port("smtp"), pki, who, token)
        assert done.returncode != 0, done.stdout
        daemon.wait_log(case.refused[name], after=mark)
        if who:
            daemon.wait_log(rf"Rejected by CERT at depth=0: O=Test, CN={common_name(who)}$", after=mark)
        daemon.wait_end(end="cert_rejected" if who else "cert_missing", after=mark)
        assert not any(token in text for text in postfix.messages("alice"))
    assert postfix.log().count("connect from") == visits, "a refused client reached the mail server"
    # The door is still there for those who may come in.
    token = uuid.uuid4().hex
    assert by_swaks(daemon.port("smtp"), pki, getattr(pki, case.welcome), token).returncode == 0
    postfix.await_message("alice", token)


def identity_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        status = dict(line.split(":", 1) for line in file.read().splitlines())
    return set(status["Uid"].split()), set(status["Gid"].split()), set(status["Groups"].split())


def test_the_serving_process_is_not_root_and_the_pid_file_names_the_daemon(scene, machine, pki, postfix):
    daemon = tunnel(CASES[0], scene, machine, pki, postfix)
    assert int((machine.run / "ginnel.pid").read_text()) == daemon.pid
    port = daemon.port("smtp")
    near = scene.tls(port, pki.client_context(pki.client))
    assert near.recv(4) == b"220 "
    served_by = HERE.run("ss", "-Htnp", f"sport = :{port}").stdout
    pid = int(re.search(r"pid=(\d+)", served_by)[1])
    users, groups, others = identity_of(pid)
    assert users == {str(NOBODY.pw_uid)} and groups == {str(NOBODY.pw_gid)} and others <= groups
    near.close()
    daemon.stop()
    assert not (machine.run / "ginnel.pid").exists()
