# SPDX-License-Identifier: Apache-2.0
# Two machines, three services: mail and directory over a cable on which nothing is in clear.
import uuid

import pytest

from interop.capture import Capture, records
from interop.dovecot import Dovecot
from interop.host import Namespace
from interop.postfix import Postfix
from interop.recipes import Machine
from interop.slapd import BASE, ROOT, Slapd

pytestmark = pytest.mark.root

OFFICE, CENTRE = "10.77.0.1", "10.77.0.2"  # two ends of one cable, in network namespaces of this test
PLAIN = 4444  # a control: what goes in clear is seen in clear
SERVICES = {"imaps": 993, "ldaps": 636, "smtps": 465}


class Secrets:
    """Words that must not be seen on the cable."""

    def __init__(self):
        self.mail_password, self.directory_password, self.description, self.letter, self.control = (
            f"{kind}-{uuid.uuid4().hex}" for kind in ("imap", "ldap", "person", "letter", "control"))

    def all(self):
        return [word.encode() for word in vars(self).values()]


@pytest.fixture
def two(scene, tmp_path):
    """The machines, and the servers of the second one."""
    tag = uuid.uuid4().hex[:6]
    office = scene.keep(Namespace(f"ginnel-{tag}-a"))
    centre = scene.keep(Namespace(f"ginnel-{tag}-b"))
    office.join(centre, "cable", f"{OFFICE}/24", f"{CENTRE}/24")
    secrets = Secrets()
    postfix = scene.keep(Postfix(tmp_path / "postfix", 587, ["alice"], host=centre))
    scene.keep(Dovecot(tmp_path / "dovecot", 143, postfix.mail, secrets.mail_password, host=centre))
    scene.keep(Slapd(tmp_path / "slapd", 389, secrets.directory_password, secrets.description, host=centre))
    return office, centre, secrets, postfix


@pytest.fixture
def tunnels(scene, two, tmp_path, pki):
    """Both recipes, each on its machine; only the name of the far machine is written as an address."""
    office, centre = two[:2]
    at_centre, at_office = Machine(tmp_path / "centre", pki), Machine(tmp_path / "office", pki)
    at_centre.identity("server", pki.ca.issue("mail.example.com", sans=["mail.example.com"], label="mail"))
    server = scene.daemon(at_centre.recipe("three-services-server.conf"), name="server", preexec=centre.enter)
    client = scene.daemon(
        at_office.recipe("three-services-client.conf",
                         *((f"mail.example.com:{port}", f"{CENTRE}:{port}") for port in SERVICES.values())),
        name="client", preexec=office.enter)
    return server, client


def send_mail(office, secrets):
    done = office.run("swaks", "--server", "127.0.0.1:587", "--helo", "office.test", "--from", "bob@example.test",
                      "--to", "alice@example.test", "--body", secrets.letter)
    assert done.returncode == 0, done.stdout + done.stderr


def fetch_mail(office, secrets):
    done = office.run("curl", "-sS", "--user", f"alice:{secrets.mail_password}",
                      "imap://127.0.0.1:143/INBOX;MAILINDEX=1")
    assert done.returncode == 0, done.stderr
    return done.stdout


def look_up(office, secrets):
    done = office.run("ldapsearch", "-x", "-LLL", "-H", "ldap://127.0.0.1:389", "-D", ROOT,
                      "-w", secrets.directory_password, "-b", BASE, "(uid=alice)", "description")
    assert done.returncode == 0, done.stderr
    return done.stdout


def send_in_clear(office, centre, word):
    """Past the tunnels, to show that the capture would see it."""
    program = "import socket, sys; l = socket.create_server((sys.argv[1], int(sys.argv[2]))); "
    listener = centre.start("/usr/bin/python3", "-c", program + "c, _ = l.accept(); c.recv(99)", CENTRE, PLAIN)
    try:
        centre.await_port(PLAIN, listener)
        done = office.run("/usr/bin/python3", "-c",
                          "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); "
                          "s.sendall(sys.argv[3].encode())", CENTRE, PLAIN, word)
        assert done.returncode == 0, done.stderr
    finally:
        centre.end(listener)


def test_mail_and_directory_work_and_nothing_is_in_clear_on_the_cable(two, tunnels, tmp_path):
    """The capture is stopped when each tunnel has ended, so that it holds whole streams."""
    office, centre, secrets, postfix = two
    capture = Capture(office, "cable", tmp_path / "cable.pcap", CENTRE)
    try:
        send_mail(office, secrets)
        postfix.await_message("alice", secrets.letter)
        assert secrets.letter in fetch_mail(office, secrets)
        assert f"description: {secrets.description}" in look_up(office, secrets)
        send_in_clear(office, centre, secrets.control)
        for daemon in tunnels:
            daemon.wait_end(end="done", count=len(SERVICES))
    finally:
        capture.stop()

    streams = capture.streams()
    by_port = {port: [] for port in (*SERVICES.values(), PLAIN)}
    for (_, source, _, target), payload in streams.items():
        by_port[source if source in by_port else target].append(payload)

    assert any(secrets.control.encode() in payload for payload in by_port.pop(PLAIN)), "the control was not seen"
    for port, payloads in by_port.items():
        assert len(payloads) == 2, f"port {port}: one connection has two directions, not {len(payloads)}"
        for payload in payloads:
            seen = records(payload)
            assert seen["handshake"] and seen["application_data"], f"port {port}: {seen}"
    secret_words = secrets.all()
    secret_words.remove(secrets.control.encode())
    for word in (*secret_words, b"EHLO", b"LOGIN", b"INBOX", b"alice", b"objectClass", b"Postfix", b"Dovecot"):
        assert word not in capture.raw, f"{word} crossed the cable in clear"


def test_a_machine_without_the_right_name_is_not_trusted(scene, two, tmp_path, pki):
    """A certificate of our own CA, but of another machine: the client side refuses to speak to it."""
    office, centre, secrets, _ = two
    at_centre, at_office = Machine(tmp_path / "centre", pki), Machine(tmp_path / "office", pki)
    scene.daemon(at_centre.recipe("three-services-server.conf"), name="server", preexec=centre.enter)
    client = scene.daemon(at_office.recipe("three-services-client.conf", ("mail.example.com:", f"{CENTRE}:")),
                          name="client", preexec=office.enter)
    done = office.run("curl", "-sS", "--user", f"alice:{secrets.mail_password}", "imap://127.0.0.1:143/INBOX")
    assert done.returncode != 0
    client.wait_log("CERT: Subject checks failed")
    client.wait_log("Rejected by CERT at depth=0: O=Test, CN=server.test$")
