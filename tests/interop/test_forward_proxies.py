# SPDX-License-Identifier: Apache-2.0
# A proxy for the programs that people have: curl, git, ssh, Chromium; and the same requests to tinyproxy and squid.
import os
import pwd

import pytest

from interop.host import HERE, free_port
from interop.test_https import browser_home
from interop.web import WebServer
from lib.peer import END, echo

PLAIN = ("acceptTLS = no",)


@pytest.fixture
def web(scene):
    return scene.keep(WebServer())


@pytest.fixture
def https(scene, web):
    """The same pages behind TLS, by another ginnel."""
    return scene.server_mode(web, name="https")


def section(name, *lines):
    return "\n".join([f"[{name}]", "accept = 127.0.0.1:0", *lines, ""])


@pytest.fixture
def proxies(scene, pki):
    """CONNECT in clear, in TLS, in TLS for known clients, with users; and SOCKS."""
    users = scene.file("users", "")
    done = HERE.run("htpasswd", "-cbB", "-C", "5", users, "alice", "wonderland")
    assert done.returncode == 0, done.stderr
    os.chmod(users, 0o600)
    tls, rule = f"cert = {pki.server.bundle}", "allow = * -> localhost"
    return scene.daemon("".join([
        section("plain", "protocol = connect", *PLAIN, rule, "allow = * -> [::1]"),
        section("tls", "protocol = connect", tls, rule),
        section("mutual", "protocol = connect", tls, "verifyChain = yes", f"CAfile = {pki.ca.path}",
                "allow = cn:client.test -> localhost"),
        section("users", "protocol = connect", *PLAIN, f"proxyUsers = {users}", "allow = user:alice -> localhost"),
        section("socks", "protocol = socks", *PLAIN, rule),
        section("socksusers", "protocol = socks", *PLAIN, f"proxyUsers = {users}",
                "allow = user:alice -> localhost"),
    ]), name="proxies")


# --- curl


def curl(*words):
    done = HERE.run("curl", "-sS", "--fail", "--noproxy", "", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl_fails(*words):
    done = HERE.run("curl", "-sS", "--fail", "--noproxy", "", *words)
    assert done.returncode != 0, done.stdout
    return done.stderr


KINDS = {
    "plain": lambda p, pki: ["-x", f"http://127.0.0.1:{p.port('plain')}"],
    "tls": lambda p, pki: ["-x", f"https://localhost:{p.port('tls')}", "--proxy-cacert", pki.ca.path],
    "mutual": lambda p, pki: ["-x", f"https://localhost:{p.port('mutual')}", "--proxy-cacert", pki.ca.path,
                              "--proxy-cert", pki.client.bundle],
    "users": lambda p, pki: ["-x", f"http://127.0.0.1:{p.port('users')}", "--proxy-user", "alice:wonderland"],
    "anyauth": lambda p, pki: ["-x", f"http://127.0.0.1:{p.port('users')}", "--proxy-user", "alice:wonderland",
                               "--proxy-anyauth"],
    "socks4a": lambda p, pki: ["--socks4a", f"127.0.0.1:{p.port('socks')}"],
    "socks5": lambda p, pki: ["--socks5-hostname", f"127.0.0.1:{p.port('socks')}"],
    "socks5users": lambda p, pki: ["--socks5-hostname", f"127.0.0.1:{p.port('socksusers')}", "--proxy-user",
                                   "alice:wonderland"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_curl(proxies, pki, web, https, kind):
    how = KINDS[kind](proxies, pki)
    assert curl(*how, "--cacert", pki.ca.path, f"https://localhost:{https.port('https')}/echo/a") == "/echo/a"
    assert curl(*how, "--proxytunnel", f"http://localhost:{web.port}/echo/b") == "/echo/b"
    proxies.wait_log("end=(done|early) ")


def test_curl_hears_why_not(proxies, pki, web):
    plain = KINDS["plain"](proxies, pki)
    for words, status in (([f"http://localhost:{web.port}/"], "405"),
                          (["--proxytunnel", "http://127.0.0.1:1/"], "403"),
                          (["--proxytunnel", "http://localhost:1/"], "502"),
                          (["--proxytunnel", "http://10.0.0.1:1/"], "403")):
        said = curl_fails(*plain, *words)
        assert status in said, (words, said)
    users = ["-x", f"http://127.0.0.1:{proxies.port('users')}", "--proxytunnel", f"http://localhost:{web.port}/"]
    assert "407" in curl_fails(*users)
    curl_fails("--proxy-user", "alice:guess", *users)
    proxies.wait_end(end="login_failed")
    assert "User was rejected by the SOCKS5 server" in curl_fails(
        "--socks5-hostname", f"127.0.0.1:{proxies.port('socksusers')}", "--proxy-user", "alice:guess",
        f"http://localhost:{web.port}/")
    curl_fails("-x", f"https://localhost:{proxies.port('mutual')}", "--proxy-cacert", pki.ca.path, "--proxytunnel",
               f"http://localhost:{web.port}/")
    proxies.wait_end(end="cert_missing")


# --- git, ssh, Chromium


def git(*words, folder, **env):
    done = HERE.run("git", "-C", folder, *words, deadline=60, env=dict(
        os.environ, HOME=str(folder), GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0", **env))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_git_over_https(scene, proxies, pki, tmp_path):
    git("init", "-q", "work", folder=tmp_path)
    work = tmp_path / "work"
    (work / "file").write_text("committed\n")
    git("add", "file", folder=work)
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first", folder=work)
    git("clone", "-q", "--bare", "work", "served.git", folder=tmp_path)
    git("update-server-info", folder=tmp_path / "served.git")  # git's plain protocol: any web server will do
    port = free_port()
    server = HERE.start("/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", port, cwd=tmp_path)
    scene.closers.callback(HERE.end, server)
    HERE.await_port(port, server)
    tls = scene.server_mode(f"127.0.0.1:{port}", name="https")
    git("clone", "-q", f"https://localhost:{tls.port('https')}/served.git", "copy", folder=tmp_path,
        GIT_SSL_CAINFO=pki.ca.path, https_proxy=f"http://127.0.0.1:{proxies.port('plain')}")
    assert (tmp_path / "copy" / "file").read_text() == "committed\n"
    proxies.wait_end(end="done")


def test_ssh_proxy_command(scene, proxies, tmp_path):
    port, user = free_port(), pwd.getpwuid(os.getuid()).pw_name
    for name in ("host", "mine"):
        assert HERE.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name).returncode == 0
    os.makedirs("/run/sshd", exist_ok=True)
    scene.file("sshd_config", f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host\nPidFile none\nUsePAM no\n"
               f"AuthorizedKeysFile {tmp_path}/mine.pub\nStrictModes no\nPermitRootLogin yes\n")
    server = HERE.start("/usr/sbin/sshd", "-D", "-f", scene.folder / "sshd_config")
    scene.closers.callback(HERE.end, server)
    HERE.await_port(port, server)
    for proxy in (f"ncat --proxy 127.0.0.1:{proxies.port('plain')} --proxy-type http %h %p",
                  f"ncat --proxy 127.0.0.1:{proxies.port('socks')} --proxy-type socks5 --proxy-dns remote %h %p"):
        done = HERE.run("ssh", "-F", "none", "-i", tmp_path / "mine", "-o", "StrictHostKeyChecking=no", "-o",
                        "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", f"ProxyCommand={proxy}",
                        "-p", port, f"{user}@localhost", "echo there and back")
        assert done.stdout == "there and back\n", done.stderr
    proxies.wait_end(end="done", count=2)


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_chromium(proxies, pki, https, tmp_path, kind):
    port = proxies.port({"http": "plain", "https": "tls", "socks5": "socks"}[kind])
    done = HERE.run(
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}", f"--proxy-server={kind}://localhost:{port}",
        "--proxy-bypass-list=<-loopback>", "--virtual-time-budget=5000", "--dump-dom",
        f"https://localhost:{https.port('https')}/", deadline=90, env=browser_home(tmp_path, pki.ca))
    assert "the server said /echo/from-the-page over https:" in done.stdout, done.stdout + done.stderr
    proxies.wait_log(f"connected 127.0.0.1:{https.port('https')}")


# --- beside others


def start_ginnel(scene, ports):
    rules = [f"allow = * -> 127.0.0.1:{ports}", f"allow = * -> [::1]:{ports}"]
    return scene.daemon(section("proxy", "protocol = connect", *PLAIN, *rules), name="beside").port("proxy")


def start_tinyproxy(scene, ports):
    port = free_port()
    config = scene.file("tinyproxy.conf", f"Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\n"
                        f"PidFile \"{scene.folder}/tinyproxy.pid\"\n")
    process = HERE.start("tinyproxy", "-d", "-c", config)
    scene.closers.callback(HERE.end, process)
    HERE.await_port(port, process)
    return port


def start_squid(scene, ports):
    port = free_port()
    config = scene.file("squid.conf", f"""
http_port 127.0.0.1:{port}
acl good_port port {ports}
acl here dst 127.0.0.1/32 ::1/128
http_access allow CONNECT good_port here
http_access deny all
cache deny all
half_closed_clients on
shutdown_lifetime 0 seconds
pid_filename none
access_log none
cache_log {scene.folder}/cache.log
coredump_dir {scene.folder}
pinger_enable off
netdb_filename none
visible_hostname test
""")
    os.chmod(scene.folder, 0o777)
    process = HERE.start("squid", "-N", "-f", config)
    scene.closers.callback(HERE.end, process)
    HERE.await_port(port, process)
    return port


STARTERS = {"ginnel": start_ginnel, "tinyproxy": start_tinyproxy, "squid": start_squid}


class Beside:
    def __init__(self, scene, name):
        self.scene, self.name = scene, name
        self.target, self.six = scene.backend(), scene.backend(host="::1")
        self.dead = free_port()
        self.port = STARTERS[name](scene, f"{min(self.target.port, self.six.port, self.dead)}-65535")

    def ask(self, text):
        near = self.scene.connect(self.port)
        near.send(text.format(target=self.target.address, six=f"[::1]:{self.six.port}", dead=f"127.0.0.1:{self.dead}",
                              port=self.target.port).encode())
        return near


@pytest.fixture(params=STARTERS)
def beside(scene, request):
    return Beside(scene, request.param)


def head(near):
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += near.recv(1)
    return got.decode("latin-1").split("\r\n")[:-2]


@pytest.mark.parametrize("request_", [
    "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n",
    "CONNECT {target} HTTP/1.0\r\n\r\n",
    "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: a\r\nProxy-Connection: Keep-Alive\r\n\r\n",
    "CONNECT {six} HTTP/1.1\r\nHost: {six}\r\n\r\n",
], ids=["1.1", "1.0", "fields", "ipv6"])
def test_good_requests(beside, request_):
    near = beside.ask(request_)
    far = beside.scene.keep((beside.six if "six" in request_ else beside.target).accept())
    lines = head(near)
    assert lines[0].split(" ")[:2] in (["HTTP/1.1", "200"], ["HTTP/1.0", "200"]), lines
    assert not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines)
    near.send(b"there")
    assert far.recv(5) == b"there"
    far.send(b"back")
    assert near.recv(4) == b"back"


def test_bytes_behind_the_request(beside):
    near = beside.ask("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\nhello")
    far = beside.scene.keep(beside.target.accept())
    assert far.recv(5) == b"hello"
    assert " 200 " in head(near)[0]


def test_half_close(beside):
    """Of these three ginnel alone lets one direction go on when the other has ended."""
    near = beside.ask("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
    far = beside.scene.keep(beside.target.accept())
    head(near)
    near.send(b"question")
    near.shut()
    assert far.recv(8) == b"question"
    ended = far.ended()
    try:
        far.send(b"answer")
        far.shut()
    except OSError:
        pass
    got = near.rest()
    if beside.name == "ginnel":
        assert (ended, got) == (END, (b"answer", END))
    else:
        assert got[0] in (b"", b"answer")


# What each says to the same request: ginnel, tinyproxy (which has no rules about addresses), squid.
ANSWERS = {
    "dead target": ("CONNECT {dead} HTTP/1.1\r\nHost: {dead}\r\n\r\n", 502, 500, 503),
    "forbidden port": ("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n", 403, 500, 403),
    "forbidden address": ("CONNECT 127.9.9.9:{port} HTTP/1.1\r\nHost: a\r\n\r\n", 403, 500, 403),
    "unknown host": ("CONNECT no-such-host.invalid:{port} HTTP/1.1\r\nHost: a\r\n\r\n", 502, 500, 403),
    "no host": ("CONNECT {target} HTTP/1.1\r\n\r\n", 400, 200, 200),
    "bare LF": ("CONNECT {target} HTTP/1.1\nHost: {target}\n\n", 400, 200, 200),
    "two blanks": ("CONNECT  {target} HTTP/1.1\r\nHost: {target}\r\n\r\n", 400, 200, 200),
    "folded field": ("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nA: b\r\n c\r\n\r\n", 400, 200, 200),
    "blank before colon": ("CONNECT {target} HTTP/1.1\r\nHost : {target}\r\n\r\n", 400, 200, 400),
    "two lengths": ("CONNECT {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 400, 200, 411),
    "transfer-encoding": ("CONNECT {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 200, 200),
    "port too large": ("CONNECT 127.0.0.1:66000 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 500, 400),
    "no port": ("CONNECT 127.0.0.1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 500, 403),
    "user": ("CONNECT user@{target} HTTP/1.1\r\nHost: a\r\n\r\n", 400, 200, 403),
    "octal": ("CONNECT 0177.0.0.1:{port} HTTP/1.1\r\nHost: a\r\n\r\n", 400, 200, 200),
    "version 2": ("CONNECT {target} HTTP/2.0\r\nHost: a\r\n\r\n", 400, 200, 505),
    "long field": ("CONNECT {target} HTTP/1.1\r\nHost: a\r\nA: " + 100000 * "a" + "\r\n\r\n", 431, 200, 431),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_the_same_answers(beside, what):
    request_, *statuses = ANSWERS[what]
    near = beside.ask(request_)
    got = b""
    while b"\r\n\r\n" not in got and (more := near.some()):
        got += more
    assert int(got.split(b" ")[1]) == dict(zip(STARTERS, statuses))[beside.name], got
    if beside.name == "ginnel":
        assert beside.target.unvisited() and b"\r\nProxy-Status: ginnel; error=" in got


# --- recipes


def test_recipe_proxy(machine, scene, pki, web):
    done = HERE.run("htpasswd", "-cbB", "-C", "5", machine.etc / "users", "alice", "wonderland")
    assert done.returncode == 0, done.stderr
    os.chmod(machine.etc / "users", 0o600)
    ports = [(f"accept = {old}", "accept = 127.0.0.1:0") for old in ("3129", "3130", "127.0.0.1:1080")]
    daemon = scene.daemon(machine.recipe(
        "proxy.conf", *ports, ("user:alice -> 10.20.0.5:5432", f"user:alice -> localhost:{web.port}"),
        ("requireInnerSNI = yes", "requireInnerSNI = no")))
    words = ["-x", f"https://localhost:{daemon.port('people')}", "--proxy-cacert", pki.ca.path, "--proxytunnel"]
    assert curl(*words, "--proxy-user", "alice:wonderland", f"http://localhost:{web.port}/echo/a") == "/echo/a"
    assert "407" in curl_fails(*words, "https://www.example.org/")
    assert "403" in curl_fails(*words, "--proxy-user", "alice:wonderland", "http://10.0.0.1:80/")
    curl_fails("--socks5-hostname", f"127.0.0.1:{daemon.port('local')}", f"http://localhost:{web.port}/")
    daemon.wait_end(end="target_refused", count=2)


def test_recipe_proxy_chain(machine, scene, pki):
    server = scene.server(echo, pki.server_context(pki.ca.issue("db.example.com", sans=["db.example.com"], label="db")))
    first, second = (scene.daemon(section("p", "protocol = connect", *lines, "allow = * -> localhost"), name=name)
                     for name, lines in (("first", [f"cert = {pki.server.bundle}"]), ("second", PLAIN)))
    daemon = scene.daemon(machine.recipe(
        "proxy-chain.conf", ("accept = 127.0.0.1:5432", "accept = 127.0.0.1:0"),
        ("proxy.example.net:3129", f"localhost:{first.port('p')}"),
        ("inner.example.net:3128", f"localhost:{second.port('p')}"),
        ("db.example.com:6432", f"localhost:{server.port}"),
        ("/etc/ssl/certs/ca-certificates.crt", pki.ca.path)))
    near = scene.connect(daemon.port("tunnel"))
    assert near.send(b"hello").recv(5) == b"hello"
    near.shut()
    assert near.ended() == END
