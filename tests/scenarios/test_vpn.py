# SPDX-License-Identifier: Apache-2.0
# protocol = sstp on both sides, between two machines: packets, bulk, routes, and what is left behind.
import hashlib
import json
import os
import socket
import subprocess
import threading

import pytest

from lib.daemon import SANITIZED
from lib.wait import DEADLINE, until

pytestmark = pytest.mark.root

OUTSIDE_SERVER, OUTSIDE_CLIENT = "192.0.2.1", "192.0.2.2"
MIB = 1 << 20
# 1 GiB when asked for: GINNEL_VPN_MIB=1024
BULK_MIB = int(os.environ.get("GINNEL_VPN_MIB", "8" if SANITIZED else "64"))


@pytest.fixture
def two(scene):
    """A server and a client with a cable between them."""
    return scene.neighbours(f"{OUTSIDE_SERVER}/24", f"{OUTSIDE_CLIENT}/24", devices=["/dev/net/tun"])


def serve(scene, machine, *lines, users="alice:secret\nbob:hunter2:10.66.0.77\n", port=0):
    with machine:
        return scene.daemon("\n".join([
            "[vpn]", f"accept = {OUTSIDE_SERVER}:{port}", f"cert = {scene.pki.server.bundle}", "protocol = sstp",
            f"vpnUsers = {scene.secret('users', users)}", "vpnPool = 10.66.0.0/24", "vpnDNS = 10.66.0.1", *lines, "",
        ]), name="server")


def dial(scene, machine, port, *lines, user="alice", password="secret", check="checkHost = server.test", name="client"):
    with machine:
        return scene.daemon("\n".join([
            "[office]", "client = yes", "protocol = sstp", f"connect = {OUTSIDE_SERVER}:{port}",
            f"CAfile = {scene.pki.ca.path}", check, f"vpnUsername = {user}",
            f"vpnPasswordFile = {scene.secret('password', password + chr(10))}", *lines, "",
        ]), name=name)


def await_call(client):
    """Returns the address and the device."""
    match = client.wait_log(r"VPN: (\S+) on (\S+), by (\S+)$")
    return match[1], match[2]


def show(machine, command):
    with machine:
        return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


def ping(machine, target, *options):
    with machine:
        return subprocess.run(["ping", "-c", "2", "-i", "0.2", "-W", "5", *options, target],
                              capture_output=True, text=True, check=False)


@pytest.mark.parametrize("method", ["mschapv2", "eap-mschapv2", "chap", "pap"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_call(scene, two, method, version):
    server = serve(scene, two[0], f"vpnAuth = {method}", f"sslVersion = {version}")
    client = dial(scene, two[1], server.port("vpn"), f"vpnAuth = {method}", "vpnRoutes = 10.66.0.0/24, 10.77.0.0/16")
    address, device = await_call(client)
    assert address == "10.66.0.2"
    assert ping(two[1], "10.66.0.1").returncode == 0
    assert ping(two[0], "10.66.0.2").returncode == 0
    assert ping(two[1], "10.66.0.1", "-s", "1372", "-M", "do").returncode == 0, "the largest packet"
    assert ping(two[1], "10.66.0.1", "-s", "1373", "-M", "do").returncode != 0
    routes = show(two[1], f"ip route show dev {device}")
    assert "10.77.0.0/16" in routes and "10.66.0.0/24" in routes
    client.stop()
    assert device not in show(two[1], "ip -o link")
    end = server.wait_end(end="done")
    assert f"user=alice address=10.66.0.2 method={method}" in end.text


def test_larger_packets(scene, two):
    """As large as fits into one of SSTP, where both sides are told so."""
    server = serve(scene, two[0], "vpnMTU = 4087")
    client = dial(scene, two[1], server.port("vpn"), "vpnMTU = 4087", "vpnRoutes = 10.66.0.0/24")
    await_call(client)
    assert ping(two[1], "10.66.0.1", "-s", "4059", "-M", "do").returncode == 0
    assert ping(two[1], "10.66.0.1", "-s", "4060", "-M", "do").returncode != 0


def send_bulk(machine, target, port, size):
    """Returns the hash of what was sent."""
    digest, block = hashlib.sha256(), os.urandom(MIB)
    with machine, socket.create_connection((target, port), DEADLINE) as sock:
        sock.settimeout(4 * DEADLINE)
        for i in range(size):
            piece = i.to_bytes(4, "big") + block[4:]
            digest.update(piece)
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    return digest.hexdigest()


class Sink(threading.Thread):
    """Takes one connection and hashes what comes."""

    def __init__(self, machine, address):
        super().__init__(daemon=True)
        with machine:
            self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.digest, self.size = hashlib.sha256(), 0
        self.start()

    def run(self):
        sock, _ = self.listener.accept()
        with sock, self.listener:
            while piece := sock.recv(MIB):
                self.digest.update(piece)
                self.size += len(piece)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_bulk_is_byte_exact(scene, two, direction):
    server = serve(scene, two[0])
    client = dial(scene, two[1], server.port("vpn"), "vpnRoutes = 10.66.0.0/24")
    address, _ = await_call(client)
    receiver, sender = (two[0], two[1]) if direction == "up" else (two[1], two[0])
    sink = Sink(receiver, "10.66.0.1" if direction == "up" else address)
    sent = send_bulk(sender, sink.listener.getsockname()[0], sink.port, BULK_MIB)
    sink.join(DEADLINE)
    assert (sink.size, sink.digest.hexdigest()) == (BULK_MIB * MIB, sent)


@pytest.mark.parametrize("mtu", [1400, 4087])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_speed_of_a_call(scene, two, direction, mtu):
    """-rP prints it: iperf3, one TCP connection, and the CPU time of the server beside it."""
    server = serve(scene, two[0], f"vpnMTU = {mtu}")
    client = dial(scene, two[1], server.port("vpn"), f"vpnMTU = {mtu}", "vpnRoutes = 10.66.0.0/24")
    await_call(client)
    with two[0]:
        listener = subprocess.Popen(["iperf3", "-s", "-1", "-B", "10.66.0.1", "--forceflush"], stdout=subprocess.PIPE)
    try:
        while b"listening" not in listener.stdout.readline():
            pass
        before = server.cpu_seconds()
        with two[1]:
            done = subprocess.run(["iperf3", "-J", "-c", "10.66.0.1", "-t", "2"] + (["-R"] if direction == "down" else []),
                                  capture_output=True, check=True, timeout=4 * DEADLINE)
        used = server.cpu_seconds() - before
        listener.communicate(timeout=DEADLINE)
    finally:
        listener.kill()
        listener.wait()
    total = json.loads(done.stdout)["end"]["sum_received"]
    print(f"{direction}, vpnMTU = {mtu}: {total['bits_per_second'] / 1e9:.2f} Gbit/s, {used / total['bytes'] * 1e9:.2f} s of CPU per GB")
    assert total["bytes"] > MIB


def test_the_default_route(scene, two):
    """Everything goes into the VPN but the call itself; at the end all is as before."""
    two[1].run(f"ip route add default via {OUTSIDE_SERVER}")
    two[0].run("ip addr add 203.0.113.5/32 dev lo")
    before = show(two[1], "ip route")
    server = serve(scene, two[0])
    client = dial(scene, two[1], server.port("vpn"), "vpnRoutes = default")
    _, device = await_call(client)
    assert f"dev {device}" in show(two[1], "ip route get 203.0.113.5")
    assert "dev wire" in show(two[1], f"ip route get {OUTSIDE_SERVER}")
    assert ping(two[1], "203.0.113.5").returncode == 0
    client.stop()
    assert show(two[1], "ip route") == before


def test_the_default_route_through_a_proxy(scene, two):
    """Then it is the way to the proxy that must not lead into the VPN."""
    two[0].run("ip addr add 203.0.113.5/32 dev lo", "ip addr add 203.0.113.7/32 dev lo")
    two[1].run(f"ip route add default via {OUTSIDE_SERVER}")
    before = show(two[1], "ip route")
    server = serve(scene, two[0])
    with two[0]:
        proxies = [scene.daemon("\n".join([
            "[proxy]", "accept = 203.0.113.7:0", "protocol = connect", "acceptTLS = no",
            f"allow = * -> {OUTSIDE_SERVER}\nallow = * -> 203.0.113.7",
        ]), name=name) for name in ("first", "second")]
    client = dial(scene, two[1], server.port("vpn"), "vpnRoutes = default",
                  *(f"proxyVia = http://203.0.113.7:{proxy.port('proxy')}" for proxy in proxies))
    _, device = await_call(client)
    assert "dev wire" in show(two[1], "ip route get 203.0.113.7")
    assert ping(two[1], "203.0.113.5").returncode == 0
    client.stop()
    assert show(two[1], "ip route") == before and device not in show(two[1], "ip -o link")


def test_a_server_that_is_killed(scene, two):
    """All is set back as soon as its connection is gone, and set up again with the next call."""
    two[1].run(f"ip route add default via {OUTSIDE_SERVER}")
    before = show(two[1], "ip route")
    hook = scene.file("hook", "#!/bin/sh\n[ -n \"$VPN_DNS\" ] && echo \"$0 $VPN_ADDRESS\" >> \"${0%/*}/told\"\n")
    os.chmod(hook, 0o755)
    down = scene.file("down", "#!/bin/sh\necho down >> \"${0%/*}/told\"\n")
    os.chmod(down, 0o755)
    server = serve(scene, two[0])
    port = server.port("vpn")
    client = dial(scene, two[1], port, "vpnRoutes = default", f"vpnUp = {hook}", f"vpnDown = {down}")
    _, device = await_call(client)
    server.kill()
    client.wait_end(end="vpn_lost")
    until(lambda: show(two[1], "ip route") == before, "the routes are as before")
    until(lambda: scene.read("told").endswith("down\n"), "the program of the end has run")
    serve(scene, two[0], port=port)
    client.wait_log(r"VPN: (\S+) on (\S+), by", count=2)
    assert ping(two[1], "10.66.0.1").returncode == 0
    client.stop()
    assert show(two[1], "ip route") == before and device not in show(two[1], "ip -o link")
    assert scene.read("told") == f"{hook} 10.66.0.2\ndown\n" * 2


def test_a_killed_client_leaves_no_device(scene, two):
    server = serve(scene, two[0])
    client = dial(scene, two[1], server.port("vpn"), "vpnRoutes = 10.66.0.0/24")
    _, device = await_call(client)
    client.kill()
    until(lambda: device not in show(two[1], "ip -o link"), "the device is gone")
    server.wait_end(end="vpn_lost")


def test_it_calls_again(scene, two):
    server = serve(scene, two[0])
    port = server.port("vpn")
    client = dial(scene, two[1], port, "vpnRoutes = 10.66.0.0/24")
    await_call(client)
    server.stop()
    client.wait_end(end="done")
    client.wait_log(r"Calling again in 1000 ms")
    again = serve(scene, two[0], port=port)
    client.wait_log(r"VPN: (\S+) on (\S+), by", count=2)
    assert ping(two[1], "10.66.0.1").returncode == 0
    assert again.alive


# --- whom a client trusts

@pytest.mark.parametrize("check, end", [
    ("checkHost = other.test", "cert_rejected"),
    ("checkHost = server.test\nCAfile = OTHER", "cert_rejected"),
    ("", "cert_rejected"),  # the address of connect is not in the certificate
])
def test_a_server_that_is_not_the_right_one(scene, two, check, end):
    server = serve(scene, two[0])
    check = check.replace("OTHER", scene.pki.other_ca.path)
    client = dial(scene, two[1], server.port("vpn"), check=check)
    client.wait_end(end=end)
    assert "alice" not in server.log()


def test_a_wrong_password(scene, two):
    server = serve(scene, two[0])
    client = dial(scene, two[1], server.port("vpn"), password="hunter3")
    client.wait_end(end="vpn_auth")
    server.wait_end(end="vpn_auth")
    assert "hunter3" not in client.log() and "secret" not in server.log()


def test_no_method_in_common(scene, two):
    server = serve(scene, two[0], "vpnAuth = mschapv2")
    client = dial(scene, two[1], server.port("vpn"), "vpnAuth = pap")
    client.wait_end(end="vpn_refused")
    server.wait_end(end="vpn_method")


def test_a_server_without_a_vpn(scene, two):
    with two[0]:
        backend = scene.server(host=OUTSIDE_SERVER, context=scene.pki.server_context(),
                               script=lambda peer: (peer.recv(1), peer.send(b"HTTP/1.1 404 Not Found\r\n\r\n")))
    client = dial(scene, two[1], backend.address.rsplit(":", 1)[1])
    client.wait_end(end="vpn_refused")
    client.wait_log("the server answered .*404")


# --- programs

def test_programs_are_told(scene, two):
    script = scene.file("hook", '#!/bin/sh\nenv | grep ^VPN_ | sort > "$0.$VPN_SERVICE.new"\n'
                                'mv "$0.$VPN_SERVICE.new" "$0.$VPN_SERVICE"\n')
    down = scene.file("down", '#!/bin/sh\necho "$VPN_ADDRESS" > "$0.$VPN_SERVICE"\n')
    os.chmod(script, 0o755)
    os.chmod(down, 0o755)
    server = serve(scene, two[0], f"vpnUp = {script}", f"vpnDown = {down}")
    client = dial(scene, two[1], server.port("vpn"), f"vpnUp = {script}", f"vpnDown = {down}")
    _, device = await_call(client)
    until(lambda: os.path.exists(script + ".vpn") and os.path.exists(script + ".office"), "both programs")
    with open(script + ".office", encoding="utf-8") as file:
        told = dict(line.rstrip("\n").split("=", 1) for line in file)
    assert told == {"VPN_ADDRESS": "10.66.0.2", "VPN_DEVICE": device, "VPN_DNS": "10.66.0.1", "VPN_PEER": "10.66.0.1",
                    "VPN_SERVICE": "office", "VPN_USER": "alice"}
    client.stop()
    until(lambda: os.path.exists(down + ".vpn") and os.path.exists(down + ".office"), "both programs of the end")
