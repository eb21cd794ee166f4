# SPDX-License-Identifier: Apache-2.0
# The front door with other programs: TLS passed on to nginx and OpenSSL, one port for many protocols, PROXY headers
# to and from haproxy and nginx.
import os
import re

import pytest

from interop.host import HERE, free_port, public_folder
from interop.postfix import DOMAIN, Postfix
from interop.web import WebServer
from lib import proxy
from lib.peer import TlsPeer


def start(scene, *command, port, **how):
    process = HERE.start(*command, **how)
    scene.closers.callback(HERE.end, process)
    HERE.await_port(port, process)
    return port


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err;
{modules}
events {{ }}
"""
NO_TEMPORARIES = """
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
"""


def nginx(scene, port, text, modules=""):
    folder = scene.folder
    path = scene.file(f"nginx-{port}.conf", NGINX.format(folder=folder, modules=modules)
                      + text.replace("TEMPORARIES", NO_TEMPORARIES.format(folder=folder)))
    return start(scene, "nginx", "-p", folder, "-e", f"{folder}/nginx.err", "-c", path, port=port)


def nginx_https(scene, identity, answer):
    port = free_port()
    return nginx(scene, port, f"""
http {{
    TEMPORARIES
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {identity.path};
        ssl_certificate_key {identity.key};
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{ return 200 "{answer}"; }}
    }}
}}
""")


def curl(*words):
    done = HERE.run("curl", "-sS", "--noproxy", "", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- TLS passed on


@pytest.fixture
def two_servers(scene, pki):
    """nginx has a.test and OpenSSL's own server has b.test, behind one port that opens nothing."""
    first, second = (pki.ca.issue(name, sans=[name], label=name) for name in ("a.test", "b.test"))
    at_nginx = nginx_https(scene, first, "from nginx")
    at_openssl = free_port()
    start(scene, "openssl", "s_server", "-accept", f"127.0.0.1:{at_openssl}", "-cert", second.path, "-key", second.key,
          "-www", port=at_openssl)
    daemon = scene.daemon(
        scene.section("port", f"127.0.0.1:{at_nginx}", "passthrough = yes", "sniUnmatched = reject", "sni = port:a.test")
        + f"[second]\nconnect = 127.0.0.1:{at_openssl}\npassthrough = yes\nsni = port:b.test\n")
    return daemon


def test_each_server_answers_with_its_own_certificate(scene, pki, two_servers):
    """curl compares the certificate with the name."""
    port = two_servers.port("port")
    for name, answer in (("a.test", "from nginx"), ("b.test", "s_server")):
        assert answer in curl("--cacert", pki.ca.path, "--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}/")
    done = HERE.run("curl", "-sS", "--cacert", pki.ca.path, "--resolve", f"c.test:{port}:127.0.0.1",
                    f"https://c.test:{port}/")
    assert done.returncode != 0 and "unrecognized name" in done.stderr


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("name", ["a.test", "b.test"])
def test_sessions_are_the_servers_own(scene, pki, two_servers, name, version):
    saved = str(scene.folder / "session")
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{two_servers.port('port')}", "-servername", name,
             "-CAfile", pki.ca.path, "-verify_return_error", "-verify_hostname", name, version, "-ign_eof"]
    request = f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n"
    first = HERE.run(*words, "-sess_out", saved, stdin=request)
    assert first.returncode == 0 and re.search(r"^New, ", first.stdout, re.M), first.stdout + first.stderr
    again = HERE.run(*words, "-sess_in", saved, stdin=request)
    assert again.returncode == 0 and re.search(r"^Reused, ", again.stdout, re.M), again.stdout + again.stderr


# --- one port


@pytest.fixture
def sshd(scene):
    """OpenSSH's server, for the key of one client."""
    folder = scene.folder
    for name in ("host", "client"):
        HERE.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    os.makedirs("/run/sshd", exist_ok=True)
    port = free_port()
    config = scene.file("sshd_config", f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/client.pub
PidFile {folder}/sshd.pid
PermitRootLogin yes
StrictModes no
UsePAM no
""")
    return start(scene, "/usr/sbin/sshd", "-D", "-e", "-f", config, port=port)


@pytest.mark.root
def test_one_port_for_all(scene, pki, sshd):
    inner = scene.keep(WebServer())
    named = pki.ca.issue("pass.test", sans=["pass.test"], label="one-port")
    at_nginx = nginx_https(scene, named, "passed")
    daemon = scene.daemon(f"""
[port]
accept = 127.0.0.1:0
connect = {inner.address}
cert = {pki.server.bundle}

[passed]
sni = port:pass.test
passthrough = yes
connect = 127.0.0.1:{at_nginx}

[ssh]
detect = port:ssh
connect = 127.0.0.1:{sshd}

[to-https]
detect = port:http
protocol = https-redirect

[proxy]
detect = port:connect, tls/connect
protocol = connect
allow = * -> 127.0.0.1:{inner.port}

[socks]
detect = port:socks
protocol = socks
allow = * -> 127.0.0.1:{inner.port}
""")
    port = daemon.port("port")
    ssh = HERE.run(
        "ssh", "-F", "none", "-p", port, "-i", scene.folder / "client", "-o", "StrictHostKeyChecking=no",
        "-o", f"UserKnownHostsFile={scene.folder}/known", "-o", "BatchMode=yes", "root@127.0.0.1", "echo over ssh")
    assert ssh.stdout == "over ssh\n", ssh.stderr
    assert curl("--cacert", pki.ca.path, f"https://localhost:{port}/echo/opened") == "/echo/opened"
    assert curl("--cacert", pki.ca.path, "--resolve", f"pass.test:{port}:127.0.0.1",
                f"https://pass.test:{port}/") == "passed"
    assert curl("--cacert", pki.ca.path, "-L", f"http://localhost:{port}/echo/sent-on") == "/echo/sent-on"
    at = f"http://{inner.address}/echo/"
    assert curl("--proxytunnel", "-x", f"http://127.0.0.1:{port}", at + "connect") == "/echo/connect"
    assert curl("--proxytunnel", "-x", f"https://localhost:{port}", "--proxy-cacert", pki.ca.path,
                at + "in-tls") == "/echo/in-tls"
    for kind in ("--socks4a", "--socks5-hostname"):
        assert curl(kind, f"127.0.0.1:{port}", at + "socks") == "/echo/socks"
    for service in ("ssh", "to-https", "proxy", "socks"):
        daemon.wait_end(service=service)


# --- PROXY headers from others


def haproxy(scene, port, text):
    path = scene.file(f"haproxy-{port}.cfg", f"""
global
    stats timeout 5s
defaults
    mode tcp
    timeout connect 5s
    timeout client 5s
    timeout server 5s
{text}
""")
    return start(scene, "haproxy", "-db", "-f", path, port=port)


def through_haproxy(words):
    def begin(scene, to):
        port = free_port()
        return haproxy(scene, port, f"""
frontend front
    bind 127.0.0.1:{port}
    unique-id-format %[uuid()]
    default_backend back
backend back
    server us 127.0.0.1:{to} {words}
""")
    return begin


def through_nginx(scene, to):
    port = free_port()
    return nginx(scene, port, f"""
stream {{
    server {{
        listen 127.0.0.1:{port};
        proxy_pass 127.0.0.1:{to};
        proxy_protocol on;
    }}
}}
""", "load_module /usr/lib/nginx/modules/ngx_stream_module.so;")


SENDERS = {
    "haproxy v1": through_haproxy("send-proxy"),
    "haproxy v2": through_haproxy("send-proxy-v2"),
    "haproxy v2 with TLVs": through_haproxy("send-proxy-v2 proxy-v2-options unique-id,crc32c"),
    "nginx": through_nginx,
}


@pytest.mark.parametrize("name", SENDERS)
def test_headers_of_others_are_understood(scene, pki, name):
    backend = scene.backend()
    daemon = scene.server_mode(backend, "proxyProtocolFrom = 127.0.0.1", "proxyProtocol = v2", "proxyProtocolTLVs = all")
    port = SENDERS[name](scene, daemon.port("tls"))
    near = scene.connect(port)
    tls = TlsPeer(near.sock, pki.client_context(), name="localhost")
    far = scene.keep(backend.accept())
    header = proxy.read(far)
    assert header.source == near.address and header.target == ("127.0.0.1", port)
    if "TLVs" in name:
        assert re.fullmatch(rb"[0-9a-f-]{36}", header.tlvs[proxy.UNIQUE_ID]), "haproxy's own"
    far.send(b"x")
    assert tls.recv(1) == b"x"
    daemon.wait_log(rf"LOG5\[\d+\]: Service \[tls\] accepted connection from 127\.0\.0\.1:{near.address[1]}$")


# --- and to others


def at_haproxy(scene, pki):
    plain, tls = free_port(), free_port()
    haproxy(scene, plain, f"""
frontend front
    mode http
    bind 127.0.0.1:{plain} accept-proxy
    bind 127.0.0.1:{tls} accept-proxy ssl crt {pki.server.bundle}
    http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"
""")
    HERE.await_port(tls)
    return plain, tls, True


def at_nginx(scene, pki):
    plain, tls = free_port(), free_port()
    nginx(scene, plain, f"""
http {{
    TEMPORARIES
    server {{
        listen 127.0.0.1:{plain} proxy_protocol;
        listen 127.0.0.1:{tls} proxy_protocol ssl;
        ssl_certificate {pki.server.path};
        ssl_certificate_key {pki.server.key};
        location / {{ return 200 "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port"; }}
    }}
}}
""")
    HERE.await_port(tls)
    return plain, tls, False


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("place", [at_haproxy, at_nginx])
def test_our_headers_are_understood(scene, pki, place, version):
    """haproxy checks the checksum of version 2."""
    plain, tls, tells = place(scene, pki)
    lines = [f"proxyProtocol = {version}", "proxyProtocolTLVs = all"]
    opened = [f"cert = {pki.server.bundle}", f"CAfile = {pki.ca.path}", "verifyChain = yes"]
    daemon = scene.daemon(
        scene.section("opened", f"127.0.0.1:{plain}", *opened, *lines)
        + scene.section("client", f"127.0.0.1:{tls}", "client = yes", *lines)
        + scene.section("passed", f"127.0.0.1:{tls}", "passthrough = yes", *lines))
    for service in ("opened", "client", "passed"):
        port = daemon.port(service)
        near = (scene.connect(port) if service == "client" else
                scene.tls(port, pki.client_context(pki.client)))
        near.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = near.rest()[0].split(b"\r\n\r\n", 1)[1].decode()
        assert answer.startswith(f"127.0.0.1:{near.address[1]} 127.0.0.1:{port}"), answer
        if tells and version == "v2":
            authority, unique = answer.split(" ", 2)[2].split(" ")
            assert authority == ("" if service == "client" else "localhost")
            daemon.wait_log("PROXY unique id: " + unique)


# --- mail servers learn who sends


@pytest.fixture(scope="module")
def mailbox():
    with public_folder() as folder:
        xclient, proxied = free_port(), free_port()
        server = Postfix(folder / "postfix", free_port(), ["alice"], behind=(xclient, proxied))
        server.behind = {"xclient = yes": xclient, "proxyProtocol = v1": proxied, "proxyProtocol = v2": proxied}
        yield server
        server.close()


@pytest.mark.parametrize("line", ["xclient = yes", "proxyProtocol = v1", "proxyProtocol = v2"])
def test_postfix_learns_the_clients_address(scene, pki, mailbox, line):
    daemon = scene.daemon(scene.section(
        "smtp", f"127.0.0.1:{mailbox.behind[line]}", "protocol = smtp", f"cert = {pki.server.bundle}", line))
    token = f"by {line}"
    done = HERE.run("swaks", "--server", f"127.0.0.1:{daemon.port('smtp')}", "--local-interface", "127.0.0.9", "--tls",
                    "--from", f"bob@{DOMAIN}", "--to", f"alice@{DOMAIN}", "--h-Subject", token)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[127.0.0.9]" in mailbox.await_message("alice", token)


# --- recipes


def test_recipe_pass_through(machine, scene, pki):
    names = ("www.example.com", "shop.example.com", "acme.test")
    servers = {name: nginx_https(scene, pki.ca.issue(name, sans=[name], label=f"recipe-{name}"), f"at {name}")
               for name in names[:1]}
    shop, acme = scene.backend(), scene.backend()
    plain = scene.keep(WebServer())
    daemon = scene.daemon(machine.recipe(
        "pass-through.conf", ("accept = 443", "accept = 127.0.0.1:0"),
        ("10.0.0.10:443", f"127.0.0.1:{servers['www.example.com']}"), ("10.0.0.20:443", shop.address),
        ("10.0.0.30:443", acme.address), ("127.0.0.1:8080", plain.address)))
    port = daemon.port("port")
    at = f"www.example.com:{port}"
    assert curl("--cacert", pki.ca.path, "--resolve", f"{at}:127.0.0.1", f"https://{at}/") == "at www.example.com"
    near = scene.tls(port, pki.client_context(), name="x.shop.example.com", handshake=False)
    near.sock.sendall(near.hello())
    header = proxy.read(scene.keep(shop.accept()))
    assert header.source == near.address and header.tlvs[proxy.AUTHORITY] == b"x.shop.example.com"
    context = pki.client_context()
    context.set_alpn_protocols(["acme-tls/1"])
    near = scene.tls(port, context, name="shop.example.com", handshake=False)
    near.sock.sendall(near.hello())
    assert scene.keep(acme.accept()).recv(1) == b"\x16"
    near = scene.tls(port, pki.client_context(), name="status.example.com")
    near.send(b"GET /echo/here HTTP/1.0\r\n\r\n")
    assert near.rest()[0].endswith(b"/echo/here")


def test_recipe_front_door(machine, scene, pki):
    """What comes with ssh is enough here to be sure that it gets there; test_one_port_for_all logs in."""
    ssh, mail = scene.backend(), scene.backend()
    web = scene.keep(WebServer())
    daemon = scene.daemon(machine.recipe(
        "front-door.conf", ("accept = 443", "accept = 127.0.0.1:0"), ("127.0.0.1:8080", web.address),
        ("10.0.0.20:443", mail.address), ("127.0.0.1:22", ssh.address), ("192.0.2.0/24", "127.0.0.1"),
        ("-> 10.0.0.10:8000", f"-> {web.address}")))
    port = daemon.port("port")
    assert curl("--cacert", pki.ca.path, "-L", f"http://localhost:{port}/echo/a") == "/echo/a"
    assert curl("--proxytunnel", "-x", f"https://localhost:{port}", "--proxy-cacert", pki.ca.path,
                f"http://{web.address}/echo/b") == "/echo/b"
    near = scene.connect(port).send(b"SSH-2.0-x\r\n")
    assert scene.keep(ssh.accept()).recv(11) == b"SSH-2.0-x\r\n"
    near.close()
    near = scene.tls(port, pki.client_context(), name="mail.example.com", handshake=False)
    hello = near.hello()
    near.sock.sendall(hello)
    assert scene.keep(mail.accept()).recv(len(hello)) == hello


def test_recipe_behind_balancer(machine, scene, pki):
    plain, _, _ = at_haproxy(scene, pki)
    daemon = scene.daemon(machine.recipe(
        "behind-balancer.conf", ("accept = 443", "accept = 127.0.0.1:0"), ("10.0.0.1, 10.0.0.2", "127.0.0.1"),
        ("127.0.0.1:8080", f"127.0.0.1:{plain}")))
    balancer = through_haproxy("send-proxy-v2")(scene, daemon.port("https"))
    near = scene.tls(balancer, pki.client_context())
    near.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = near.rest()[0].decode()
    assert f"127.0.0.1:{near.address[1]} 127.0.0.1:{balancer} localhost " in answer, answer
