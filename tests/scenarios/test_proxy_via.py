# SPDX-License-Identifier: Apache-2.0
# proxyVia: through one proxy or two, which may speak TLS themselves, to a target with TLS of its own or without.
import base64

import pytest

from lib.peer import END, RESET, echo

pytestmark = pytest.mark.sanitize

OK = b"HTTP/1.1 200 OK\r\n\r\n"


def head(peer):
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += peer.recv(1)
    return got.decode("ascii").split("\r\n")[:-2]


def client(scene, target, *lines, name="client"):
    return scene.daemon("\n".join(["[tunnel]", "client = yes", "accept = 127.0.0.1:0", f"connect = {target}", *lines,
                                   ""]), name=name)


def proxy(scene, pki, *, tls):
    """A ginnel that is a proxy."""
    kind = f"cert = {pki.server.bundle}" if tls else "acceptTLS = no"
    return scene.daemon(f"[proxy]\naccept = 127.0.0.1:0\nprotocol = connect\n{kind}\nallow = * -> localhost\n",
                        name=f"proxy{len(scene.daemons)}")


def talk(near, far):
    near.send(b"there")
    assert far.recv(5) == b"there"
    far.send(b"back")
    assert near.recv(4) == b"back"
    near.shut()
    assert far.ended() == END
    far.shut()
    assert near.ended() == END


@pytest.mark.parametrize("first", ["http", "https"])
@pytest.mark.parametrize("second", [None, "http", "https"])
def test_tls_with_the_target_through_proxies(scene, pki, first, second):
    target = scene.server(echo, pki.server_context())
    proxies = [proxy(scene, pki, tls=kind == "https") for kind in (first, second) if kind]
    lines = [f"proxyVia = {kind}://localhost:{one.port('proxy')}" for kind, one in zip((first, second), proxies)]
    daemon = client(scene, f"localhost:{target.port}", *lines, f"proxyCAfile = {pki.ca.path}",
                    f"CAfile = {pki.ca.path}", "verifyChain = yes", "checkHost = localhost")
    near = scene.connect(daemon.port("tunnel"))
    body = bytes(range(256)) * 2048
    near.send(body[:65536])
    assert near.recv(65536) == body[:65536]
    near.shut()
    assert near.ended() == END
    for one in proxies:
        one.wait_end(end="done")
    daemon.wait_end(end="done", count=1 + len(proxies))


def test_what_the_proxy_is_asked(scene):
    proxy_ = scene.backend()
    daemon = client(scene, "www.test:443", "connectTLS = no", f"proxyVia = http://alice:p:w@127.0.0.1:{proxy_.port}")
    near, far = scene.plain_pair(daemon, proxy_, "tunnel")
    near.send(b"in haste")
    assert head(far) == ["CONNECT www.test:443 HTTP/1.1", "Host: www.test:443",
                         "Proxy-Authorization: basic " + base64.b64encode(b"alice:p:w").decode()]
    far.send(OK + b"greeting")
    assert near.recv(8) == b"greeting" and far.recv(8) == b"in haste"
    talk(near, far)
    assert "p:w" not in daemon.log()


def test_a_socks_proxy_and_an_ipv6_target(scene):
    proxy_ = scene.backend()
    daemon = client(scene, "[2001:db8::1]:443", "connectTLS = no", f"proxyVia = socks5://127.0.0.1:{proxy_.port}")
    near, far = scene.plain_pair(daemon, proxy_, "tunnel")
    assert far.recv(3) == b"\5\1\0"
    far.send(b"\5\0")
    assert far.recv(16) == b"\5\1\0\3\x0b2001:db8::1"
    assert far.recv(2) == b"\1\xbb"
    far.send(b"\5\0\0\1\0\0\0\0\0\0")
    talk(near, far)


def test_a_proxy_that_refuses(scene):
    proxy_ = scene.backend()
    daemon = client(scene, "www.test:443", f"proxyVia = http://127.0.0.1:{proxy_.port}")
    near, far = scene.plain_pair(daemon, proxy_, "tunnel")
    head(far)
    far.send(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert near.ended() == RESET
    daemon.wait_log("CONNECT request rejected: HTTP/1.1 403 Forbidden")
    daemon.wait_end(end="proxy_refused", count=2)


def test_a_proxy_whose_certificate_is_not_for_it(scene, pki):
    daemon = client(scene, "www.test:443", f"proxyVia = https://127.0.0.9:{proxy(scene, pki, tls=True).port('proxy')}",
                    f"proxyCAfile = {pki.ca.path}")
    assert scene.connect(daemon.port("tunnel")).ended() == RESET
    daemon.wait_log("end=(connect|cert_rejected) service=tunnel via 127.0.0.9")


def test_a_proxy_of_another_authority(scene, pki):
    one = proxy(scene, pki, tls=True)
    daemon = client(scene, "www.test:443", f"proxyVia = https://localhost:{one.port('proxy')}",
                    f"proxyCAfile = {pki.other_ca.path}")
    assert scene.connect(daemon.port("tunnel")).ended() == RESET
    daemon.wait_end(end="cert_rejected", count=2)


@pytest.mark.parametrize("who", ["near", "far"])
def test_half_a_transfer_never_looks_whole(scene, who):
    proxy_ = scene.backend()
    daemon = client(scene, "www.test:443", "connectTLS = no", f"proxyVia = http://127.0.0.1:{proxy_.port}")
    near, far = scene.plain_pair(daemon, proxy_, "tunnel")
    head(far)
    far.send(OK + b"half")
    assert near.recv(4) == b"half"
    one, other = (near, far) if who == "near" else (far, near)
    one.reset()
    assert other.ended() == RESET


@pytest.mark.parametrize("lines, says", [
    (["proxyVia = ftp://a:1"], "write http://HOST:PORT"),
    (["proxyVia = http://a"], "write"),
    (["proxyVia = https://a:1"], "write proxyCAfile"),
    (["proxyVia = http://u@a:1"], "no USER:PASSWORD"),
    (["proxyVia = http://a:1", "connect = c:1"], "one line connect"),
    (["proxyVia = http://a:1", "client = no", "cert = none.pem", "protocol = connect", "allow = * -> c:1"],
     "go where they ask to"),
    (["proxyVia = http://a:1", "healthCheck = connect"], "would reach the target without the proxies"),
    (["proxyVia = http://a:1", "spareConnections = 1"], "would reach the target without the proxies"),
])
def test_what_cannot_work_is_refused(scene, lines, says):
    text = "\n".join(["[tunnel]", "client = yes", "accept = 127.0.0.1:0", "connect = b:1", *lines, ""])
    result = scene.run("check", scene.file("bad.conf", text))
    assert result.returncode == 78 and says in result.stdout + result.stderr, result.stdout + result.stderr
