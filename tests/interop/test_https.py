# SPDX-License-Identifier: Apache-2.0
# HTTPS in front of a plain web server: curl, a large file, many clients at once, a browser.
import hashlib
import os
import shutil
import struct
import subprocess

import pytest

from interop.host import HERE, public_folder
from interop.recipes import let_nobody_log
from interop.swarm import Swarm
from interop.web import WebServer
from lib.daemon import INCUMBENT

pytestmark = pytest.mark.root  # the recipe has setuid

MIB = 1 << 20
BIG = 1024 * MIB


@pytest.fixture(scope="module")
def big_file():
    """1 GiB in which no two pages are alike: (path, SHA-256)."""
    digest = hashlib.sha256()
    base = os.urandom(MIB - 8)
    with public_folder() as folder:
        path = folder / "big"
        with open(path, "wb") as file:
            for number in range(BIG // MIB):
                block = struct.pack("!Q", number) + base
                digest.update(block)
                file.write(block)
        yield path, digest.hexdigest()


@pytest.fixture(scope="module")
def web(big_file):
    server = WebServer(big_file[0])
    yield server
    server.close()


@pytest.fixture
def https(scene, machine, pki, web):
    """The recipe in front of the web server, with a certificate that a browser would want."""
    let_nobody_log(scene)
    machine.identity("server", pki.ca.issue("tunnel.test", sans=["tunnel.test", "localhost", "127.0.0.1"],
                                            label="web"))
    without_workers = [("workers = 2\n", "")] if INCUMBENT else []
    return scene.daemon(machine.recipe(
        "https.conf", *without_workers, ("accept = 443", "accept = 127.0.0.1:0"),
        ("connect = 127.0.0.1:8080", f"connect = {web.address}")))


@pytest.fixture
def curl(https, pki):
    base = f"https://localhost:{https.port('https')}"

    def run(*words, paths=("/echo/x",), deadline=60):
        done = HERE.run("curl", "-sS", "--fail", "--ipv4", "--cacert", pki.ca.path, *words,
                        *(base + path for path in paths), deadline=deadline)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_speaks_each_version(curl, https, version):
    said = curl(f"--tlsv{version}", "--tls-max", version, "-w", "\n%{ssl_verify_result}")
    assert said == "/echo/x\n0"
    https.wait_log(f"TLSv{version}")
    assert https.wait_end(end="done").to_tls > len("/echo/x")


def test_an_old_version_is_refused(https, pki):
    done = HERE.run("curl", "-sS", "--cacert", pki.ca.path, "--ciphers", "DEFAULT:@SECLEVEL=0", "--tlsv1.0",
                    "--tls-max", "1.1", f"https://localhost:{https.port('https')}/")
    assert done.returncode == 35, done.stderr
    https.wait_end(end="tls_accept")


def test_requests_share_one_connection(curl, https):
    said = curl("-w", " %{num_connects}\n", paths=[f"/echo/{i}" for i in range(20)])
    assert said.splitlines() == ["/echo/0 1"] + [f"/echo/{i} 0" for i in range(1, 20)]
    https.wait_end(end="done")
    assert https.log().count("accepted connection from") == 1


def test_a_gibibyte_comes_down_byte_for_byte(https, pki, big_file):
    process = HERE.start("curl", "-sS", "--fail", "--ipv4", "--cacert", pki.ca.path,
                         f"https://localhost:{https.port('https')}/big", stdout=subprocess.PIPE)
    digest = hashlib.sha256()
    while data := process.stdout.read(MIB):
        digest.update(data)
    process.stdout.close()
    assert process.wait(60) == 0
    assert digest.hexdigest() == big_file[1]
    assert https.wait_end(end="done").to_tls > BIG


def test_a_gibibyte_goes_up_byte_for_byte(https, curl, big_file):
    said = curl("-T", big_file[0], "-H", "Expect:", paths=["/big"], deadline=120)
    assert said.split() == [str(BIG), big_file[1]]
    assert https.wait_end(end="done").to_socket > BIG


def test_a_thousand_clients_at_once(scene, https, pki):
    swarm = scene.keep(Swarm(https.port("https"), pki.ca.path, "127.0.4.1"))
    assert swarm.ask("open 1000") == {"open": 1000, "refused": {}}
    assert swarm.ask("http 3") == {"good": 3000, "bad": 0}
    assert swarm.ask("close 1000") == {"open": 0}
    https.wait_end(end="done", count=1000)


def browser_home(folder, authority):
    """A home folder whose certificate store trusts the test's CA."""
    store = folder / "home" / ".pki" / "nssdb"
    store.mkdir(parents=True)
    for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "test", "-i", authority.path]):
        done = HERE.run("certutil", "-d", f"sql:{store}", *words)
        assert done.returncode == 0, done.stderr
    return dict(os.environ, HOME=str(folder / "home"))


def page_by_chromium(port, folder, env):
    done = HERE.run(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP tunnel.test 127.0.0.1",
        "--virtual-time-budget=5000", "--dump-dom", f"https://tunnel.test:{port}/", deadline=90, env=env)
    shutil.rmtree(folder / "profile", ignore_errors=True)
    return done


def test_a_browser_loads_the_page(https, pki, tmp_path):
    done = page_by_chromium(https.port("https"), tmp_path, browser_home(tmp_path, pki.ca))
    assert "the server said /echo/from-the-page over https:" in done.stdout, done.stdout + done.stderr
    https.wait_log("TLSv1.3")


def test_a_browser_that_does_not_know_the_authority_shows_no_page(https, pki, tmp_path):
    done = page_by_chromium(https.port("https"), tmp_path, browser_home(tmp_path, pki.other_ca))
    assert "the server said" not in done.stdout
    https.wait_log("alert certificate unknown|alert unknown ca")
