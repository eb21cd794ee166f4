# SPDX-License-Identifier: Apache-2.0
# Every recipe loads as it stands, is explained in the index, and carries bytes.
import os
import pathlib
import re
import ssl
import subprocess

import pytest

from interop.recipes import RECIPES, let_nobody_log
from lib.daemon import INCUMBENT, ROOT
from lib.names import A, SRV, NameServer
from lib.peer import END, connect_tls, echo, greeter
from lib.ports import Nobody

ALL = sorted(path.name for path in RECIPES.glob("*.conf"))
EXTRA_FILES = {"smtp-listed.conf": "listed.pem", "smtp-pinned.conf": "pinned.pem"}
SHOWN_BY_NAME = ("shop", "admin")  # sni-hosting.conf
THROUGH_CHECK = pytest.mark.skipif(INCUMBENT, reason="the incumbent has no check command")


def service(text):
    return re.search(r"(?m)^\[(.*)\]$", text)[1]


@pytest.fixture
def prepared(machine, pki):
    """The machine with the certificates and keys that only some recipes have."""
    machine.install("listed.pem", pki.ca.path, pki.client.path)
    machine.install("pinned.pem", pki.client.path)
    machine.write("devices.psk", f"sensor-1:{'1f' * 32}\nsensor-7:{'7f' * 32}\n")
    machine.write("users", "alice:$2b$04$Su3B5rKeHkL/ezfc/GEbTOxB7nJqZwzr0sI9uVg5Kefflbt7Qq2mq\n")
    machine.write("vpn-users", "alice:secret\n")
    machine.write("vpn-password", "secret\n")
    machine.write("radius-secret", "a secret that both sides share\n")
    machine.write("device.psk", f"sensor-7:{'7f' * 32}\n")
    for name in SHOWN_BY_NAME:
        machine.identity(name, pki.ca.issue(f"{name}.example.com", sans=[f"{name}.example.com"], label=f"host-{name}"))
    return machine


@THROUGH_CHECK
@pytest.mark.parametrize("name", ALL)
def test_check_accepts_it(name, prepared, scene):
    done = scene.run("check", scene.file(name, prepared.recipe(name)))
    assert done.returncode == 0, done.stdout + done.stderr


def blocks_of_the_readme():
    """Each configuration in README.md, by the name of its first section."""
    text = pathlib.Path(ROOT, "README.md").read_text(encoding="utf-8", errors="replace")
    blocks = re.findall(r"^```ini\n(.*?)^```$", text, re.M | re.S)
    return [pytest.param(block, id=f"{number}-{service(block)}") for number, block in enumerate(blocks)]


@THROUGH_CHECK
@pytest.mark.parametrize("block", blocks_of_the_readme())
def test_check_accepts_what_the_readme_shows(block, prepared, scene):
    done = scene.run("check", scene.file("readme.conf", block.replace("/etc/ginnel/", f"{prepared.etc}/")))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_shows_some():
    assert len(blocks_of_the_readme()) >= 10


@THROUGH_CHECK
def test_check_would_have_complained(prepared, scene):
    text = prepared.recipe("https.conf", ("sslVersionMin", "sslVersionMinimum"))
    done = scene.run("check", scene.file("https.conf", text))
    assert done.returncode == 78
    assert re.search(r"https\.conf:\d+: sslVersionMinimum: ", done.stdout + done.stderr)


def test_the_index_names_exactly_the_files_that_are_there():
    named = re.findall(r"\]\((\S+\.conf)\)", (RECIPES / "README.md").read_text(encoding="ascii", errors="replace"))
    assert sorted(named) == ALL


def test_a_blank_after_a_value_is_no_part_of_it(prepared):
    """Old files have them; the recipe keeps one, so that the mail tests run it."""
    assert "\nverify = 2 \n" in prepared.recipe("smtp-mutual.conf")


# --- bytes through those that no other test runs with its real server

PLAIN_BEHIND = ["imaps.conf", "ldaps.conf", "postgresql-server.conf", "redis-server.conf"]


def on_free_ports(text):
    return re.sub(r"(?m)^accept = .*$", "accept = 127.0.0.1:0", text)


def connected_to(text, *addresses):
    """The connect lines, one after the other, lead to these addresses instead."""
    addresses = list(addresses)
    text = re.sub(r"(?m)^connect = .*$", lambda _: f"connect = {addresses.pop(0)}", text)
    assert not addresses
    return text


def say_hello(near):
    assert near.send(b"hello").recv(5) == b"hello"
    near.shut()
    assert near.rest() == (b"", END)


@pytest.mark.parametrize("name", PLAIN_BEHIND)
def test_server_side(name, prepared, scene, pki):
    text = prepared.recipe(name)
    daemon = scene.daemon(connected_to(on_free_ports(text), scene.server(echo).address))
    say_hello(scene.tls(daemon.port(service(text)), pki.client_context(pki.client)))
    daemon.wait_end(end="done")


def test_a_revoked_developer_is_refused(prepared, scene, pki):
    text = prepared.recipe("postgresql-server.conf")
    backend = scene.backend()
    daemon = scene.daemon(connected_to(on_free_ports(text), backend.address))
    with scene.tls(daemon.port("postgresql"), pki.client_context(pki.revoked, version="TLSv1.3")) as near:
        with pytest.raises(ssl.SSLError, match="certificate revoked"):
            near.some()
    daemon.wait_log("CERT: .*certificate revoked")
    daemon.wait_end(end="cert_rejected")
    assert backend.unvisited()


@pytest.mark.parametrize("name, host", [("postgresql-client.conf", "db"), ("redis-client.conf", "cache2")])
def test_client_side(name, host, prepared, scene, pki):
    """Redis: the first target is a port where nobody listens."""
    identity = pki.ca.issue(f"{host}.example.com", sans=[f"{host}.example.com"], label=host)
    server = scene.server(echo, pki.server_context(identity, client_ca=pki.ca))
    text = prepared.recipe(name)
    dead = Nobody()
    targets = [dead.address, server.address] if "redis" in name else [server.address]
    daemon = scene.daemon(connected_to(on_free_ports(text), *targets))
    say_hello(scene.connect(daemon.port(service(text))))
    daemon.wait_end(end="done")


def test_several_web_servers(prepared, scene, pki):
    """Two are dead: the health check finds out, and clients are served all the same."""
    def page(peer):
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += peer.recv(1)
        peer.send(b"HTTP/1.0 200 OK\r\n\r\n").shut()
        peer.rest()

    server, dead = scene.server(page), [Nobody(), Nobody()]
    text = on_free_ports(prepared.recipe("farm.conf", ("10.0.0.11:8080 weight=3", dead[0].address),
                                         ("10.0.0.12:8080", f"{server.address} weight=3"),
                                         ("10.0.0.13:8080", dead[1].address)))
    if os.geteuid() == 0:
        let_nobody_log(scene)
    daemon = scene.daemon(text)
    daemon.wait_log(f"Health of {server.address}: good")
    for _ in range(3):
        near = scene.tls(daemon.port("shop"), pki.client_context())
        near.send(b"GET / HTTP/1.0\r\n\r\n")
        assert near.rest()[0].startswith(b"HTTP/1.0 200 ")


def test_servers_that_the_name_service_knows(prepared, scene, pki):
    names = scene.keep(NameServer())
    identity = pki.ca.issue("example.com", sans=["example.com"], label="web")
    server = scene.server(echo, pki.server_context(identity))
    names.records["_https._tcp.example.com", SRV] = [(0, 0, server.port, "web1.example.com")]
    names.records["web1.example.com", A] = ["127.0.0.1"]
    daemon = scene.daemon(on_free_ports(prepared.recipe("farm-client.conf")), f"nameServers = {names.address}\n")
    daemon.wait_log("a connection is ready")
    say_hello(scene.connect(daemon.port("web")))
    daemon.wait_end(end="done")


def test_keys_instead_of_certificates(prepared, scene):
    server = scene.daemon(connected_to(on_free_ports(prepared.recipe("psk-server.conf")), scene.server(echo).address),
                          name="server")
    text = connected_to(on_free_ports(prepared.recipe("psk-client.conf")), f"127.0.0.1:{server.port('mqtt')}")
    client = scene.daemon(text, name="client")
    say_hello(scene.connect(client.port("mqtt")))
    server.wait_log('Key configured for PSK identity "sensor-7"')
    prepared.write("devices.psk", f"sensor-1:{'1f' * 32}\n")
    server.reload()
    mark = client.mark()
    with scene.connect(client.port("mqtt")) as near:
        assert near.rest()[0] == b""
    client.wait_end(after=mark)


@pytest.mark.skipif(INCUMBENT, reason="the incumbent refuses nobody for an unknown name")
def test_sni_hosting(prepared, scene, pki):
    servers = [scene.server(greeter(name)) for name in (b"port", b"shop", b"admin", b"legacy")]
    text = connected_to(on_free_ports(prepared.recipe("sni-hosting.conf")), *(s.address for s in servers))
    daemon = scene.daemon(text)

    def ask(name, identity=None, **how):
        context = pki.client_context(identity, **how)
        context.check_hostname = name.split(".")[0] in SHOWN_BY_NAME
        with connect_tls(daemon.port("port"), context, name=name) as near:
            return near.rest()[0]

    assert ask("shop.example.com") == b"shop"
    assert ask("legacy.example.com", version="TLSv1.2") == b"legacy"
    assert ask("admin.example.com", pki.client) == b"admin"
    with pytest.raises(ssl.SSLError):
        ask("admin.example.com")
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized"):
        ask("unknown.example.com")
    assert [server.served for server in servers] == [0, 1, 1, 1]


@pytest.mark.skipif(INCUMBENT, reason="the incumbent has no bridge")
def test_bridge(prepared, scene, pki):
    identity = pki.ca.issue("api.example.com", sans=["api.example.com"], label="api")
    versions = []

    def script(peer):
        versions.append((peer.version, peer.tls.getpeercert()["subject"]))
        echo(peer)

    server = scene.server(script, pki.server_context(identity, client_ca=pki.ca))
    daemon = scene.daemon(connected_to(on_free_ports(prepared.recipe("bridge.conf")), server.address))
    near = scene.tls(daemon.port("bridge"), pki.client_context(version="TLSv1.2"))
    say_hello(near)
    assert near.version == "TLSv1.2"
    daemon.wait_end(end="done")
    assert versions == [("TLSv1.3", ((("organizationName", "Test"),), (("commonName", "client.test"),)))]


@pytest.mark.root
def test_unix_socket(prepared, scene, pki):
    let_nobody_log(scene)
    backend = scene.server(echo, path=scene.socket_path("app.sock"))
    (scene.folder / "app.sock").chmod(0o777)
    text = prepared.recipe("unix-socket.conf", ("/run/app/app.sock", backend.address))
    daemon = scene.daemon(on_free_ports(text))
    say_hello(scene.tls(daemon.port("app"), pki.client_context()))
    daemon.wait_end(end="done")


def test_rsync_by_exec(prepared, scene, pki):
    """A real transfer, there and back, through the client side that the recipe's page describes."""
    module = scene.folder / "module"
    module.mkdir()
    (module / "file").write_bytes(os.urandom(500_000))
    prepared.write("rsyncd.conf", f"use chroot = no\nuid = root\ngid = root\n[data]\npath = {module}\nread only = no\n")
    server = scene.daemon(on_free_ports(prepared.recipe("rsync-exec.conf")), name="server")
    client = scene.daemon(
        f"[rsync]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:{server.port('rsync')}\nclient = yes\n"
        f"cert = {pki.client.bundle}\nverify = 2\nCAfile = {pki.ca.path}\ncheckHost = localhost\n", name="client",
    )
    url = f"rsync://127.0.0.1:{client.port('rsync')}/data"
    subprocess.run(["rsync", f"{url}/file", scene.folder / "copy"], check=True, timeout=30, capture_output=True)
    assert (scene.folder / "copy").read_bytes() == (module / "file").read_bytes()
    subprocess.run(["rsync", scene.folder / "copy", f"{url}/back"], check=True, timeout=30, capture_output=True)
    assert (module / "back").read_bytes() == (module / "file").read_bytes()
    server.wait_log("Child process [0-9]+ finished with code 0", count=2)
