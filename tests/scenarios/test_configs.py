# SPDX-License-Identifier: Apache-2.0
"""
Files as people write them: tests/configs/*.conf load, and their services carry bytes.

Each file says in comments what is tried, `;; SERVICE: CLIENT -> BACKEND`: the client is plain, tls, or "tls cert", the
backend plain, tls, "tls cert", unix or exec; `;; load` means that the file is only checked, because another test has the
servers that its protocol needs.  What a test cannot have (ports below 1024, addresses, paths, users) is replaced; names of
options, their order, blanks, comments and line ends stay.
"""
import os
import re
import ssl
import subprocess

import pytest

from lib.peer import echo

FOLDER = os.path.join(os.path.dirname(__file__), "..", "configs")
FILES = sorted(name for name in os.listdir(FOLDER) if name.endswith(".conf"))
TRY = re.compile(r"^;; (?:(?P<service>[\w-]+): (?P<client>[a-z ]+) -> (?P<backend>[a-z ]+)|load)\r?$", re.MULTILINE)
OPTION = re.compile(r"^(?P<name>[A-Za-z0-9]+)(?P<equals> *= *)(?P<value>.*?)(?P<end> *\r?)$")
DROPPED = {"setuid", "setgid", "chroot", "output", "pid", "debug", "syslog", "log"}  # the harness has its own


class Stage:
    """The things that the files name, and the files rewritten to them."""

    def __init__(self, scene, pki):
        self.scene, self.pki = scene, pki
        self.files = {
            "server.pem": pki.server.bundle, "server.crt": pki.server.path, "server.key": pki.server.key,
            "server.p12": pki.server.p12(), "client.pem": pki.client.bundle, "client.crt": pki.client.path,
            "client.key": pki.client.key, "ca.pem": pki.ca.path, "crl.pem": pki.crl,
            "ca-and-client.pem": pki.join("listed-client.pem", pki.ca.path, pki.client.path),
            "ca-and-server.pem": pki.join("listed-server.pem", pki.ca.path, pki.server.path),
            "psk.txt": scene.file("psk.txt", "test:oaP4EishaeSaishei6rio6xeeph3az\n"),
            "hashed": self.hashed_folder(),
        }
        os.chmod(self.files["psk.txt"], 0o600)
        self.backends = {}

    def hashed_folder(self):
        folder = os.path.dirname(self.scene.file("hashed/ca.crt", open(self.pki.ca.path).read()))
        subprocess.run(["openssl", "rehash", folder], check=True)
        return folder

    def backend(self, kind):
        if kind not in self.backends:
            context = {
                "tls": lambda: self.pki.server_context(),
                "tls cert": lambda: self.pki.server_context(client_ca=self.pki.ca),
            }.get(kind, lambda: None)()
            where = {"path": self.scene.socket_path("b")} if kind == "unix" else {}
            self.backends[kind] = self.scene.server(echo, context, **where)
        return self.backends[kind].address

    def value(self, name, value, backend):
        name = name.lower()
        if name == "accept":
            return "127.0.0.1:0"
        if name == "connect":
            return "127.0.0.1:1" if value == "dead" else self.backend(backend) if backend else value
        if name == "exec":
            return "/bin/cat"
        if name == "execargs":
            return "cat"
        if name == "include":
            return os.path.join(FOLDER, value) if backend is None else self.included(value, backend)
        return self.files.get(os.path.basename(value), value)

    def included(self, name, backend):
        for entry in os.listdir(os.path.join(FOLDER, name)):
            with open(os.path.join(FOLDER, name, entry), newline="") as file:
                self.scene.file(os.path.join(name, entry), self.rewrite(file.read(), {None: backend}, head=""))
        return os.path.join(self.scene.folder, name)

    def rewrite(self, text, backends, head=None):
        out, section = [], None
        for line in text.split("\n"):
            option = OPTION.match(line)
            if line.startswith("["):
                section = line[1 : line.index("]")]
                if head:
                    out.append(head)
                    head = None
            if option and option["name"].lower() in DROPPED and head is not None:
                continue
            if option:
                backend = backends.get(section, backends.get(None))
                value = self.value(option["name"], option["value"], backend)
                line = option["name"] + option["equals"] + value + option["end"]
            out.append(line)
        if head:
            out.insert(0 if not section else len(out), head)
        return "\n".join(out)

    def client(self, kind, port):
        if kind == "plain":
            return self.scene.connect(port)
        return self.scene.tls(port, self.pki.client_context(self.pki.client if kind == "tls cert" else None))


def tries_of(text):
    found = list(TRY.finditer(text))
    assert found, "the file does not say what is to be tried"
    return [m.group("service", "client", "backend") for m in found if m["service"]]


@pytest.mark.parametrize("name", FILES)
def test_the_file_loads_and_works(scene, pki, name):
    stage = Stage(scene, pki)
    with open(os.path.join(FOLDER, name), newline="", encoding="utf-8") as file:
        text = file.read()
    tries = tries_of(text)
    backends = {service: backend for service, _, backend in tries}
    if tries:
        backends[None] = tries[0][2]
    loaded = scene.run("check", scene.file("check.conf", stage.rewrite(text, backends, head="")))
    assert loaded.returncode == 0, loaded.stderr
    if not tries:
        return
    head = f"foreground = yes\nsyslog = no\ndebug = 7\noutput = {scene.folder}/ginnel/log\nshutdownTimeout = 1"
    daemon = scene.daemon(whole=stage.rewrite(text, backends, head))
    for service, client, _ in tries:
        peer = stage.client(client, daemon.port(service))
        peer.send(b"through " + service.encode())
        assert peer.recv(8 + len(service)) == b"through " + service.encode()


@pytest.mark.parametrize("name", ["mail-server-mutual.conf", "redis-server.conf", "crl-server.conf", "mysql-pair.conf"])
def test_and_keeps_strangers_out(scene, pki, name):
    """The same files that let the right client in refuse one without a certificate."""
    stage = Stage(scene, pki)
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        text = file.read()
    service, _, backend = tries_of(text)[0]
    head = f"foreground = yes\nsyslog = no\ndebug = 7\noutput = {scene.folder}/ginnel/log\nshutdownTimeout = 1"
    daemon = scene.daemon(whole=stage.rewrite(text, {None: backend}, head))
    with pytest.raises((ssl.SSLError, OSError, AssertionError)):
        peer = stage.client("tls", daemon.port(service))
        peer.send(b"let me in")
        peer.recv(9)
    daemon.wait_end(end="cert_missing")


def test_there_are_enough_of_them():
    assert len(FILES) >= 40
