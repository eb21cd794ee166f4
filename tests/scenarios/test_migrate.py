# SPDX-License-Identifier: Apache-2.0
# ginnel check --migrate: what it says of each line, and the file that it writes.
import os
import re

import pytest

OK, USAGE, CONFIG = 0, 2, 78
CLIENT = "[imaps]\nclient = yes\naccept = 127.0.0.1:1143\nconnect = imap.example.org:993\n"


def migrate(scene, text, *flags, name="old.conf"):
    path = scene.file(name, text)
    return scene.run("check", "--migrate", *flags, path)


def verdicts(done):
    """{line number: (verdict, the line, what is said below it)}"""
    found, number = {}, None
    for text in done.stdout.splitlines():
        head = re.match(r" +(\d+)  (as before|better|change) +(.*)", text)
        if head:
            number = int(head[1])
            found[number] = (head[2], head[3], [])
        elif number is not None and text.startswith(" " * 18):
            found[number][2].append(text.strip())
    return found


def server(pki, *lines):
    return "\n".join([*lines, "[tls]", "accept = 127.0.0.1:0", "connect = 127.0.0.1:1", f"cert = {pki.server.bundle}", ""])


@pytest.mark.parametrize(
    "line, verdict, write",
    [
        ("socket = l:TCP_NODELAY=1", "as before", None),
        ("delay = yes", "better", None),
        ("TIMEOUTbusy = 20", "better", None),
        ("sslVersion = TLSv1", "change", "write: sslVersionMin = TLSv1.2"),
        ("sslVersion = TLSv1.3", "as before", None),
        ("sslVersionMin = all", "change", "write: sslVersionMin = TLSv1.2"),
        ("options = NO_SSLv2", "change", "leave it out"),
        ("options = CIPHER_SERVER_PREFERENCE", "as before", None),
        ("securityLevel = 1", "change", "write: securityLevel = 2"),
        ("ciphers = HIGH:RC4-SHA", "change", "leave it out"),
        ("ciphers = HIGH:!RC4:!aNULL", "as before", None),
        ("session = 60", "change", "write: sessionCacheTimeout = 60"),
        ("reset = no", "change", "leave it out"),
    ],
)
def test_each_line_has_its_verdict(scene, pki, line, verdict, write):
    done = migrate(scene, server(pki, line))
    assert done.returncode == OK, done.stderr
    got = verdicts(done)[1]
    assert got[:2] == (verdict, line)
    assert (write in got[2]) if write else not any(w.startswith("write") for w in got[2])


def test_a_client_that_verifies_nobody_is_told_what_to_write(scene):
    got = verdicts(migrate(scene, CLIENT))[1]
    assert got[0] == "change"
    assert "write: verifyChain = yes" in got[2] and "write: checkHost = imap.example.org" in got[2]


def test_a_client_that_verifies_without_a_name_gets_one(scene):
    text = CLIENT.replace("imap.example.org", "192.0.2.1") + "CAfile = /etc/ssl/certs/ca-certificates.crt\nverifyChain = yes\n"
    if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        pytest.skip("SKIPPED LOUDLY: this machine has no bundle of CAs")
    assert "write: checkIP = 192.0.2.1" in verdicts(migrate(scene, text))[1][2]


def test_the_improved_file_is_good_and_has_nothing_left_to_change(scene, pki):
    old = server(pki, "; kept", "sslVersion = all", "session = 60", "ciphers = HIGH:RC4") + CLIENT
    new = migrate(scene, old, "--print")
    assert new.returncode == OK
    assert "; kept\n" in new.stdout and "\n; was: session = 60\n" in new.stdout
    again = migrate(scene, new.stdout, name="new.conf")
    assert again.returncode == OK
    assert ", 0 to change, 0 in the way" in again.stdout


def test_what_stands_in_the_way_is_said_and_fails(scene, pki):
    done = migrate(scene, server(pki, "nonsense = 1"))
    assert done.returncode == CONFIG
    assert "in the way: " in done.stderr and "1 in the way" in done.stdout


def test_secrets_are_not_shown(scene, pki):
    done = migrate(scene, server(pki, "ticketKeySecret = " + "5a" * 32, "ticketMacSecret = " + "a5" * 32))
    assert "5a5a" not in done.stdout + done.stderr
    assert "ticketKeySecret = (hidden)" in done.stdout


def test_included_files_are_read_too(scene, pki):
    scene.file("conf.d/a.conf", "options = NO_SSLv3\n")
    done = migrate(scene, server(pki, f"include = {scene.folder}/conf.d"))
    assert "conf.d/a.conf" in done.stdout and "options = NO_SSLv3" in done.stdout


def test_print_alone_is_refused(scene):
    assert scene.run("check", "--print", "x").returncode == USAGE
