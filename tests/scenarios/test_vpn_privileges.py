# SPDX-License-Identifier: Apache-2.0
# A VPN after setuid and chroot: the helper makes the devices and routes that the configuration names, also those of a
# reload, and leaves none behind.
import os
import pwd
import subprocess

import pytest

from lib import sstp
from lib.sstp_server import Listener
from lib.wait import until

pytestmark = pytest.mark.root

@pytest.fixture
def jail(scene):
    """A place for nobody's log, and no more."""
    path = scene.folder / "jail" / "var"
    path.mkdir(parents=True)
    user = pwd.getpwnam("nobody")
    os.chown(path, user.pw_uid, user.pw_gid)
    for folder in (path, *path.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    return path.parent


@pytest.fixture
def two(scene):
    return scene.neighbours("192.0.2.1/24", "192.0.2.2/24", devices=["/dev/net/tun"])


def daemon(scene, jail, services):
    head = (f"foreground = yes\nsyslog = no\ndebug = debug\noutput = /var/log\npid = /pid\nchroot = {jail}\n"
            "shutdownTimeout = 1\nsetuid = nobody\nsetgid = nogroup\n")
    env = {"ASAN_OPTIONS": f"detect_leaks=0:log_path={scene.folder}/sanitizer:exitcode=99"}
    made = scene.daemon(whole=head + services, log_path=str(jail / "var" / "log"), env=env)
    made.whole_head = head
    return made


def show(machine, command):
    with machine:
        return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


@pytest.fixture
def client(scene, jail, two):
    """A client on a machine whose default route leads to its server's."""
    two[1].run("ip route add default via 192.0.2.1")
    two[0].run("ip addr add 198.51.100.1/32 dev lo")
    with two[0]:
        listener = scene.keep(Listener(scene.pki, host="198.51.100.1"))
    with two[1]:
        made = daemon(scene, jail, "\n".join([
            "[office]", "client = yes", "protocol = sstp", f"connect = 198.51.100.1:{listener.port}",
            f"CAfile = {scene.pki.ca.path}", "checkHost = server.test", "vpnUsername = alice",
            f"vpnPasswordFile = {scene.secret('password', 'secret' + chr(10))}", "vpnRoutes = default", "",
        ]))
    made.listener = listener
    return made


def standing(client, count=1):
    return client.wait_log(r"VPN: (\S+) on (\S+), by", count=count).groups()


@pytest.mark.sanitize
def test_a_client_makes_its_device_again_and_again(two, client):
    client.wait_log("connecting 198.51.100.1")
    for count in (1, 2):
        call = client.listener.accept().serve("mschapv2")
        address, device = standing(client, count)
        assert address == "10.66.0.2"
        assert f"dev {device}" in show(two[1], "ip route get 203.0.113.5")
        assert "dev wire" in show(two[1], "ip route get 198.51.100.1")
        with two[1], subprocess.Popen(["ping", "-c", "1", "-W", "5", "10.66.0.1"], stdout=subprocess.DEVNULL) as ping:
            call.answer_ping()
            assert ping.wait() == 0
        call.send(sstp.control(sstp.DISCONNECT, sstp.status(0, 0)))
        call.expect(sstp.DISCONNECT_ACK)
        call.sock.close()
        client.wait_end(end="done", count=count)
        until(lambda: show(two[1], "ip route") == BEFORE, "the routes are as before")
    assert client.process_status()["Uid"].split()[0] == "65534"


BEFORE = "default via 192.0.2.1 dev wire \n192.0.2.0/24 dev wire proto kernel scope link src 192.0.2.2 \n"


def test_nothing_is_left_of_a_client_that_was_killed(two, client):
    """The route beside the VPN goes with the helper."""
    client.listener.accept().serve("mschapv2")
    _, device = standing(client)
    assert "198.51.100.1 via 192.0.2.1 dev wire" in show(two[1], "ip route")
    client.kill()
    until(lambda: device not in show(two[1], "ip -o link") and show(two[1], "ip route") == BEFORE, "all is as before")


def test_forwarding_is_set_up_and_set_back(scene, jail, machine):
    """At the start with the rights of then, by a reload and at the end through the helper."""
    def forwarding():
        return [show(machine, f"cat /proc/sys/net/{file}").strip() for file in (
            "ipv4/ip_forward", "ipv6/conf/all/forwarding")]

    machine.run("sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
    vpn = "\n".join([
        "[vpn]", "accept = 127.0.0.1:0", "protocol = sstp", f"cert = {scene.pki.server.bundle}",
        f"vpnUsers = {scene.secret('users', 'alice:secret' + chr(10))}", "vpnPool = 10.66.0.0/24",
        "vpnPool6 = fd66::/48", "",
    ])
    server = daemon(scene, jail, vpn + "vpnSetup = yes\n")
    assert forwarding() == ["1", "1"]
    server.write(whole=server.whole_head + vpn)
    server.reload()
    until(lambda: forwarding() == ["0", "0"], "it is set back")
    server.write(whole=server.whole_head + vpn + "vpnSetup = yes\n")
    server.reload()
    assert forwarding() == ["1", "1"]
    server.stop()
    assert forwarding() == ["0", "0"]


def test_a_reload_adds_a_vpn(scene, jail, machine):
    web = f"[tls]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\ncert = {scene.pki.server.bundle}\n"
    server = daemon(scene, jail, web)
    vpn = "\n".join([
        "[vpn]", "accept = 127.0.0.1:0", "protocol = sstp", f"cert = {scene.pki.server.bundle}",
        f"vpnUsers = {scene.secret('users', 'alice:secret' + chr(10))}", "vpnPool = 10.66.0.0/24",
        "vpnPool6 = fd66::/48", "",
    ])
    server.write(whole=server.whole_head + web + vpn)
    server.reload()
    device = server.wait_log(r"network device (\S+),")[1]
    call = scene.keep(sstp.Client(server.port("vpn"), scene.pki.client_context())).dial()
    assert call.ping()[20] == 0
    assert "fd66:" in show(machine, f"ip -6 addr show dev {device}")
    call.close()
    server.write(whole=server.whole_head + web)
    server.reload()
    until(lambda: device not in show(machine, "ip -o link"), "the device has gone")
