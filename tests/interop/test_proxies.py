# SPDX-License-Identifier: Apache-2.0
# CONNECT, SOCKS, the PROXY header and NetBIOS with other programs: stunnel, curl, ncat, haproxy, nginx.
import re
import select
import subprocess

import pytest

from interop.host import HERE, free_port
from interop.recipes import RECIPES
from interop.test_peers import client_section, mutual
from interop.web import WebServer
from lib.peer import END, echo, own_address, pattern

MIB = 1 << 20
PLAIN = ("acceptTLS = no", "connectTLS = no")


def hello(peer):
    """Script: an HTTP server that knows one answer."""
    got = b""
    while b"\r\n\r\n" not in got:
        some = peer.some()
        if not some:
            return
        got += some
    peer.send(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    peer.shut()
    peer.rest()


# --- stunnel at one end


def both_ways(scene, pki, stunnel, ours, server_lines, client_lines):
    """A server and a client of `protocol`, one of them stunnel."""
    server = (scene.daemon if ours == "server" else stunnel)("\n".join(
        ["[tunnel]", "accept = 127.0.0.1:0", *mutual(pki.server, pki), *server_lines, ""]))
    client = (scene.daemon if ours == "client" else stunnel)(
        client_section(scene, pki, f"127.0.0.1:{server.port('tunnel')}", *client_lines))
    return server, client


def carry(near):
    body = pattern(6, MIB)
    for at in range(0, MIB, MIB // 8):
        near.send(body[at : at + MIB // 8])
        assert near.recv(MIB // 8) == body[at : at + MIB // 8]
    near.shut()
    assert near.rest() == (b"", END)


@pytest.mark.parametrize("protocol, ours", [
    ("connect", "server"), ("connect", "client"), ("cifs", "server"), ("cifs", "client"), ("socks", "client"),
])
def test_a_pair_with_stunnel(scene, pki, stunnel, ours, protocol):
    backend = scene.server(echo, host=own_address())
    names_target = protocol != "cifs"
    server, client = both_ways(
        scene, pki, stunnel, ours,
        [f"protocol = {protocol}", *([f"connect = {backend.address}"] if protocol != "socks" else []),
         *(["allow = * -> *!"] if (ours, protocol) == ("server", "connect") else [])],
        [f"protocol = {protocol}", *([f"protocolHost = {backend.address}"] if names_target else [])])
    carry(scene.connect(client.port("tunnel")))
    end = (server if ours == "server" else client).wait_end(end="done")
    assert (end.to_tls, end.to_socket) == (MIB, MIB)


def nat(machine, *commands):
    try:
        machine.run(*commands)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT TESTED: no address translation here: {error.stderr}")


@pytest.fixture
def laptop_and_office(scene):
    """Two machines; behind the office lies 10.20.0.0/16, to which the laptop has a way for the form only."""
    laptop, office = scene.neighbours("192.0.2.2/24", "192.0.2.1/24")
    office.run("ip addr add 10.20.0.5/32 dev lo")
    laptop.run("ip route add 10.20.0.0/16 via 192.0.2.1 dev wire")
    return laptop, office


@pytest.mark.root
def test_stunnel_as_a_socks_client(scene, pki, stunnel, laptop_and_office):
    """Debian's knows no protocolHost for it, and asks for where its client was going."""
    laptop, office = laptop_and_office
    with office:
        inner = scene.server(echo, host="10.20.0.5")
        server = scene.daemon(
            "\n".join(["[socks]", "accept = 192.0.2.1:0", "protocol = socks", *mutual(pki.server, pki), ""]))
    with laptop:
        client = stunnel(
            client_section(scene, pki, f"192.0.2.1:{server.port('socks')}", "protocol = socks"))
        nat(laptop, "nft add table ip vpn",
            "nft 'add chain ip vpn out { type nat hook output priority -100; }'",
            f"nft 'add rule ip vpn out ip daddr 10.20.0.0/16 meta l4proto tcp redirect to :{client.port('tunnel')}'")
        carry(scene.connect(("10.20.0.5", inner.port)))
        end = server.wait_end(end="done")
        assert (end.to_tls, end.to_socket) == (MIB, MIB)

        near = scene.connect(("10.20.0.6", 1))  # nobody has that address
        assert near.rest()[0] == b""
        client.wait_log("SOCKS5 request failed: Network unreachable")


@pytest.mark.parametrize("ours", [True, False], ids=["ginnel", "stunnel"])
def test_the_proxy_header_is_that_of_stunnel(scene, pki, stunnel, ours):
    backend = scene.backend()
    section = "\n".join(["[tunnel]", "accept = 127.0.0.1:0", f"cert = {pki.server.bundle}",
                         f"connect = {backend.address}", "protocol = proxy", ""])
    daemon = (scene.daemon if ours else stunnel)(section)
    near = scene.tls(daemon.port("tunnel"))
    near.send(b"x")
    line = f"PROXY TCP4 127.0.0.1 127.0.0.1 {near.address[1]} {daemon.port('tunnel')}\r\nx".encode()
    assert scene.keep(backend.accept()).recv(len(line)) == line


def test_capwin_with_stunnel(scene, pki, stunnel):
    """stunnel asks an LDAP server about the client; ours lets everybody in."""
    answer = bytes.fromhex("3084000000100201016184000000070a010004000400")
    asked = []

    def directory(peer):
        asked.append(b"")
        while not asked[0].endswith(b"secret"):
            asked[0] += peer.recv(1)
        peer.send(answer)
        peer.rest()

    ldap, backend = scene.server(directory), scene.server(echo)
    server = stunnel("\n".join(["[tunnel]", "accept = 127.0.0.1:0", f"connect = {backend.address}",
                                *mutual(pki.server, pki), "protocol = capwin", f"protocolHost = {ldap.address}", ""]))
    daemon = scene.daemon("[control]\nclient = yes\naccept = 127.0.0.1:0\nprotocol = capwinctrl\n" + client_section(
        scene, pki, f"127.0.0.1:{server.port('tunnel')}", "protocol = capwin"))
    control = scene.connect(daemon.port("control"))
    assert control.send(b"\x1falice\x1fsecret\x1f\x1c").ended() == END
    carry(scene.connect(daemon.port("tunnel")))
    assert b"uid=alice,ou=people,O=CAPWIN,C=US" in asked[0]


# --- curl and ncat as clients of ours


def curl(*words):
    done = HERE.run("curl", "-sS", "--fail", "--noproxy", "", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl_through_connect(scene):
    web = scene.keep(WebServer())
    daemon = scene.server_mode(web, "protocol = connect", "allow = * -> *!", *PLAIN)
    assert curl("--proxytunnel", "-x", f"http://127.0.0.1:{daemon.port('tls')}",
                f"http://{web.address}/echo/hello") == "/echo/hello"
    daemon.wait_end(end="done")


def test_curl_through_connect_to_tls(scene, pki):
    """TLS begins behind the 200 with the proxy itself, as the incumbent has it."""
    web = scene.keep(WebServer())
    daemon = scene.server_mode("127.0.0.1:1", "protocol = connect", "allow = * -> localhost")
    assert curl("-x", f"http://127.0.0.1:{daemon.port('tls')}", "--cacert", pki.ca.path,
                f"https://localhost:{web.port}/echo/hello") == "/echo/hello"
    daemon.wait_end(end="done")


@pytest.mark.parametrize("kind", ["--socks5-hostname", "--socks5", "--socks4", "--socks4a"])
def test_curl_through_socks(scene, pki, kind):
    """curl, our TLS client, our SOCKS server in TLS."""
    server = scene.server(hello, host=own_address())
    vpn = scene.daemon(f"[socks]\naccept = 127.0.0.1:0\nprotocol = socks\ncert = {pki.server.bundle}\n", name="server")
    daemon = scene.client_mode(f"127.0.0.1:{vpn.port('socks')}")
    assert curl(kind, f"127.0.0.1:{daemon.port('plain')}", f"http://{server.address}/") == "hello"
    vpn.wait_end(end="done")

    done = HERE.run("curl", "-sS", "--noproxy", "", kind, f"127.0.0.1:{daemon.port('plain')}", "http://127.0.0.1:1/")
    assert done.returncode == 97, "CURLE_PROXY"
    vpn.wait_end(end="target_refused")


@pytest.mark.parametrize("kind, protocol", [("http", "connect"), ("socks4", "socks"), ("socks5", "socks")])
def test_ncat_through_a_proxy(scene, kind, protocol):
    server = scene.server(echo, host=own_address())
    rule = "allow = * -> *!"
    daemon = scene.daemon("\n".join(["[proxy]", "accept = 127.0.0.1:0", f"protocol = {protocol}", *PLAIN, rule]))
    host, port = server.address.split(":")
    done = HERE.run("ncat", "--proxy", f"127.0.0.1:{daemon.port('proxy')}", "--proxy-type", kind, host, port,
                    stdin="there and back\n")
    assert (done.returncode, done.stdout) == (0, "there and back\n"), done.stderr
    daemon.wait_end(end="done")


# --- proxies of others


@pytest.mark.parametrize("login", [False, True], ids=["open", "login"])
def test_through_the_proxy_of_ncat(scene, pki, login):
    port = free_port()
    words = ["--proxy-auth", "alice:in wonderland"] if login else []
    process = HERE.start("ncat", "-l", "127.0.0.1", port, "--proxy-type", "http", *words)
    scene.closers.callback(HERE.end, process)
    HERE.await_port(port, process)
    server = scene.server(echo, pki.server_context())

    def daemon(name, *lines):
        return scene.daemon(scene.section(
            "plain", f"127.0.0.1:{port}", "client = yes", "protocol = connect", f"protocolHost = {server.address}",
            f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = localhost", *lines), name=name)

    good = daemon("good", *(["protocolUsername = alice", "protocolPassword = in wonderland"] if login else []))
    near = scene.connect(good.port("plain"))
    assert near.send(b"hello").recv(5) == b"hello"
    near.shut()
    assert near.ended() == END
    good.wait_end(end="done")
    assert "wonderland" not in good.log()
    if login:
        bad = daemon("bad")
        assert scene.connect(bad.port("plain")).rest()[0] == b""
        bad.wait_end(end="proto_auth")


# --- who takes the PROXY header


def start_haproxy(scene, pki):
    plain, tls = free_port(), free_port()
    path = scene.file("haproxy.cfg", f"""
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:{plain} accept-proxy
    bind 127.0.0.1:{tls} accept-proxy ssl crt {pki.server.bundle}
    http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"
""")
    return ["haproxy", "-db", "-f", path], plain, tls


def start_nginx(scene, pki):
    plain, tls = free_port(), free_port()
    answer = '"$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port"'
    path = scene.file("nginx.conf", f"""
daemon off;
master_process off;
pid {scene.folder}/nginx.pid;
error_log {scene.folder}/nginx.err;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {scene.folder}/body;
    proxy_temp_path {scene.folder}/proxy;
    fastcgi_temp_path {scene.folder}/fastcgi;
    uwsgi_temp_path {scene.folder}/uwsgi;
    scgi_temp_path {scene.folder}/scgi;
    server {{
        listen 127.0.0.1:{plain} proxy_protocol;
        listen 127.0.0.1:{tls} proxy_protocol ssl;
        ssl_certificate {pki.server.path};
        ssl_certificate_key {pki.server.key};
        location / {{ return 200 {answer}; }}
    }}
}}
""")
    return ["nginx", "-p", scene.folder, "-e", f"{scene.folder}/nginx.err", "-c", path], plain, tls


@pytest.mark.parametrize("start", [start_haproxy, start_nginx])
def test_the_proxy_header_is_understood(scene, pki, start):
    """In server mode in front of plain HTTP, in client mode in front of TLS."""
    command, plain, tls = start(scene, pki)
    process = HERE.start(*command)
    scene.closers.callback(HERE.end, process)
    HERE.await_port(plain, process)
    HERE.await_port(tls, process)
    daemon = scene.daemon(
        scene.section("server", f"127.0.0.1:{plain}", "protocol = proxy", f"cert = {pki.server.bundle}")
        + scene.section("client", f"127.0.0.1:{tls}", "protocol = proxy", "client = yes"))
    for near, port in ((scene.tls(daemon.port("server")), daemon.port("server")),
                       (scene.connect(daemon.port("client")), daemon.port("client"))):
        near.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer, _ = near.rest()
        assert answer.endswith(f"127.0.0.1:{near.address[1]} 127.0.0.1:{port}".encode()), answer


# --- recipes


def test_recipe_through_a_proxy(machine, scene, pki):
    identity = pki.ca.issue("db.example.com", sans=["db.example.com"], label="db")
    server = scene.server(echo, pki.server_context(identity, client_ca=pki.ca))
    # A proxy that knows the name, as the one of the recipe would.
    proxy = scene.backend()
    daemon = scene.daemon(machine.recipe("through-proxy.conf", ("proxy.example.net:3128", proxy.address),
                                         ("accept = 127.0.0.1:5432", "accept = 127.0.0.1:0")))
    near = scene.connect(daemon.port("db-through-proxy"))
    at_proxy = scene.keep(proxy.accept())
    assert at_proxy.recv(len(b"CONNECT db.example.com:6432 ")) == b"CONNECT db.example.com:6432 "
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += at_proxy.recv(1)
    onward = scene.connect(server.port)
    at_proxy.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    join(at_proxy.sock, onward.sock, lambda: near.send(b"hello"), near.sock)
    assert near.recv(5) == b"hello"


def join(a, b, begin, until):
    """Carry bytes between two sockets until there are some at a third one."""
    begin()
    while True:
        ready, _, _ = select.select([a, b, until], [], [], 10)
        assert ready, "nothing moves"
        if until in ready:
            return
        for one, other in ((a, b), (b, a)):
            if one in ready:
                other.sendall(one.recv(65536))


@pytest.mark.root
def test_recipe_socks_vpn(machine, scene, pki, laptop_and_office):
    """A laptop, and an office with an inner network that has no other way in."""
    machine.identity("server", pki.ca.issue("vpn.example.com", sans=["vpn.example.com"], label="vpn"))
    laptop, office = laptop_and_office
    client_text = (RECIPES / "socks-vpn-client.conf").read_text(encoding="ascii")
    rules = re.findall(r"^; +(nft .*)$", client_text, re.M)
    assert len(rules) == 3
    nat(laptop, *rules)
    with office:
        inner = scene.server(hello, host="10.20.0.5")
        server = scene.daemon(machine.recipe("socks-vpn-server.conf"), name="server")
    with laptop:
        daemon = scene.daemon(machine.recipe("socks-vpn-client.conf", ("vpn.example.com:9080", "192.0.2.1:9080")))
        url = f"http://{inner.address}/"
        assert curl("--socks5-hostname", "127.0.0.1:1080", url) == "hello"
        server.wait_end(end="done")
        assert curl("--connect-timeout", "5", url) == "hello"
    daemon.wait_log("SOCKS5 request to connect 10.20.0.5:")
    server.wait_end(end="done", count=2)
