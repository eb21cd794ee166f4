# SPDX-License-Identifier: Apache-2.0
# FTP between real servers (vsftpd, ProFTPD) and real clients (curl, lftp, openssl), with ginnel as either side of TLS.
import collections
import os
import re

import pytest

from interop.host import HERE, free_port, public_folder
from interop.openssl import s_client
from interop.proftpd import Proftpd
from interop.recipes import let_nobody_log
from interop.vsftpd import Vsftpd

pytestmark = pytest.mark.root  # the servers begin as root

FILE = os.urandom(1_000_000)

Servers = collections.namedtuple("Servers", "plain secure")  # behind a ginnel server; in front of a ginnel client


@pytest.fixture(scope="module", params=[Vsftpd, Proftpd])
def servers(request, pki):
    """The secure one takes data connections only with the TLS session of their control connection."""
    make = request.param
    with public_folder() as folder:
        both = Servers(make(folder / "plain", free_port()), make(folder / "secure", free_port(), tls=pki.server))
        for each in both:
            each.put("file", FILE)
        yield both
        for each in both:
            each.close()


def server(scene, target, *lines):
    return scene.server_mode(f"127.0.0.1:{target.port}", "protocol = ftp", *lines, name="ftp")


def client(scene, pki, port, *lines):
    text = scene.section("ftp", f"127.0.0.1:{port}", "client = yes", "protocol = ftp", f"CAfile = {pki.ca.path}",
                         "verifyChain = yes", "checkHost = localhost", *lines)
    return scene.daemon(text, name="client")


def curl(*words):
    done = HERE.run("curl", "-sS", "--max-time", 30, *words)
    assert done.returncode == 0, done.stderr
    return done


def lftp(port, commands, *settings):
    """Settings and commands, against a server on this machine."""
    text = "; ".join(["set net:max-retries 1", "set net:timeout 10", *(f"set {each}" for each in settings),
                      f"open ftp://localhost:{port}", commands])
    done = HERE.run("lftp", "-c", text, deadline=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def with_tls(pki, protect="true"):
    return (f"ssl:ca-file {pki.ca.path}", "ftp:ssl-force true", "ftp:ssl-allow-anonymous true",
            f"ftp:ssl-protect-data {protect}", f"ftp:ssl-protect-list {protect}")


def resumed(daemon, count):
    daemon.wait_log("TLS (accepted|connected): previous session reused", count=count)


# --- a server: clients with TLS


@pytest.mark.parametrize("words", [[], ["--disable-epsv"], ["--tls-max", "1.2"]], ids=lambda w: " ".join(w) or "plain")
def test_curl_both_ways(words, servers, scene, pki, tmp_path):
    daemon = server(scene, servers.plain)
    url, security = f"ftp://localhost:{daemon.port('ftp')}", ["--ssl-reqd", "--cacert", pki.ca.path, *words]
    curl(*security, f"{url}/file", "-o", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == FILE
    name = f"up-{daemon.port('ftp')}"
    curl(*security, "-T", tmp_path / "copy", f"{url}/incoming/{name}")
    assert servers.plain.received(name) == FILE
    resumed(daemon, 2)  # one data connection each
    listing = curl(*security, f"{url}/").stdout
    assert "file" in listing and "incoming" in listing


def test_curl_with_data_in_clear(servers, scene, pki, tmp_path):
    daemon = server(scene, servers.plain)
    curl("--ftp-ssl-control", "--cacert", pki.ca.path, f"ftp://localhost:{daemon.port('ftp')}/file",
         "-o", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == FILE
    daemon.wait_end(end="done", count=2)  # both connections
    assert daemon.log().count("TLS accepted: ") == 1


def test_curl_without_tls_is_refused(servers, scene):
    daemon = server(scene, servers.plain)
    done = HERE.run("curl", "-sS", f"ftp://localhost:{daemon.port('ftp')}/file")
    assert done.returncode == 67, "access denied"
    daemon.wait_end(end="no_starttls")


def test_curl_in_active_mode_is_refused(servers, scene, pki):
    daemon = server(scene, servers.plain)
    done = HERE.run("curl", "-sS", "--ssl-reqd", "--cacert", pki.ca.path, "--ftp-port", "127.0.0.1",
                    f"ftp://localhost:{daemon.port('ftp')}/file")
    assert done.returncode == 30, done.stderr  # "the server does not want the PORT command"


@pytest.mark.parametrize("protect", ["true", "false"])
def test_lftp_both_ways(protect, servers, scene, pki, tmp_path):
    """Many files over one control connection, and several connections at once."""
    daemon = server(scene, servers.plain)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        (folder / f"{daemon.port('ftp')}-{number}").write_bytes(FILE[: 1000 * number])
    lftp(daemon.port("ftp"), f"ls; mirror -R --parallel=3 {folder} incoming", *with_tls(pki, protect))
    for number in range(12):
        assert servers.plain.received(f"{daemon.port('ftp')}-{number}") == FILE[: 1000 * number]
    got = tmp_path / "copy"
    lftp(daemon.port("ftp"), f"get file -o {got}", *with_tls(pki, protect))
    assert got.read_bytes() == FILE


def test_openssl_begins_tls(servers, scene, pki):
    daemon = server(scene, servers.plain)
    done = s_client(daemon.port("ftp"), pki, "-starttls", "ftp", "-quiet", said="FEAT\r\nQUIT\r\n")
    assert " PROT\n" in done.stdout.replace("\r", "") and "\n221" in done.stdout, done.stdout + done.stderr


# --- a client: local programs without TLS


@pytest.fixture(params=["client", "both"])
def local(request, servers, scene, pki):
    """A port without TLS that leads to a server by TLS: through a client of ours, or through both sides."""
    if request.param == "client":
        target = servers.secure
        daemon = client(scene, pki, target.port)
    else:
        target = servers.plain
        daemon = client(scene, pki, server(scene, target).port("ftp"))
    return target, daemon


def test_curl_through_a_client(local, tmp_path):
    target, daemon = local
    url = f"ftp://127.0.0.1:{daemon.port('ftp')}"
    curl(f"{url}/file", "-o", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == FILE
    name = f"up-{daemon.port('ftp')}"
    curl("-T", tmp_path / "copy", f"{url}/incoming/{name}")
    assert target.received(name) == FILE
    resumed(daemon, 2)


def test_lftp_through_a_client(local, tmp_path):
    target, daemon = local
    got = tmp_path / "copy"
    assert "incoming" in lftp(daemon.port("ftp"), f"ls; get file -o {got}; put {__file__} -o incoming/x-{os.getpid()}-"
                              f"{daemon.port('ftp')}")
    assert got.read_bytes() == FILE
    with open(__file__, "rb") as file:
        assert target.received(f"x-{os.getpid()}-{daemon.port('ftp')}") == file.read()
    resumed(daemon, 3)


def test_a_client_does_not_go_on_without_tls(servers, scene, pki):
    daemon = client(scene, pki, servers.plain.port)
    assert HERE.run("curl", "-sS", f"ftp://127.0.0.1:{daemon.port('ftp')}/file").returncode != 0
    daemon.wait_end(end="no_starttls_far")


# --- the recipes


def test_the_recipes_after_giving_up_root(servers, scene, pki, machine, tmp_path):
    """Nobody but the serving process is asked for the ports of data connections, and its sandbox allows it."""
    let_nobody_log(scene)
    ports = free_port()
    text = machine.recipe("ftp-server.conf", ("127.0.0.1:10021", f"127.0.0.1:{servers.plain.port}"),
                          ("50000-50099", f"{ports}"))
    first = scene.daemon(re.sub(r"(?m)^accept = .*$", "accept = 127.0.0.1:0", text))
    text = machine.recipe("ftp-client.conf", ("ftp.example.com:21", f"127.0.0.1:{first.port('ftp')}"),
                          ("checkHost = ftp.example.com", "checkHost = localhost"))
    second = scene.daemon(re.sub(r"(?m)^accept = .*$", "accept = 127.0.0.1:0", text), name="client")
    curl(f"ftp://127.0.0.1:{second.port('ftp')}/file", "-o", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == FILE
    first.wait_log("Sandbox: .*seccomp")
    first.wait_log(f"Waiting for the client at 127.0.0.1:{ports}")
