# SPDX-License-Identifier: Apache-2.0
# A host that programs run on: this machine, or a network namespace that the test made.
import ctypes
import os
import signal
import socket
import subprocess

from lib.wait import DEADLINE, until

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


class Host:
    """This machine's own network."""

    def enter(self):
        """In a child before exec: move to this host; and never outlive the test run."""
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def start(self, *command, **how):
        return subprocess.Popen([*map(str, command)], preexec_fn=self.enter, **how)

    def run(self, *command, stdin=None, deadline=DEADLINE, env=None):
        """A command to its end; text in and out."""
        return subprocess.run(
            [*map(str, command)], input=stdin, capture_output=True, text=True, errors="replace",
            timeout=deadline, preexec_fn=self.enter, env=env,
        )

    def listens(self, port):
        """Does something listen on this TCP port?  (Asking the kernel disturbs no server.)"""
        seen = self.run("ss", "-Hltn", f"sport = :{port}")
        return str(port) in seen.stdout

    def await_port(self, port, process=None):
        def asked():
            assert process is None or process.poll() is None, f"server ended: status {process.returncode}"
            return self.listens(port)

        until(asked, f"a listener on port {port}", every=0.05)


class Namespace(Host):
    """A host of its own: a network namespace with a loopback device."""

    def __init__(self, name):
        self.name = name
        self._ip("netns", "add", name)
        self._ip("-n", name, "link", "set", "lo", "up")

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=DEADLINE)

    def join(self, other, device, own, others):
        """A cable between two hosts; the addresses carry their prefix length."""
        end = device + "-far"
        self._ip("-n", self.name, "link", "add", device, "type", "veth", "peer", "name", end, "netns", other.name)
        for host, link, address in ((self, device, own), (other, end, others)):
            self._ip("-n", host.name, "address", "add", address, "dev", link)
            self._ip("-n", host.name, "link", "set", link, "up")

    def enter(self):
        super().enter()
        fd = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        if _libc.setns(fd, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        self._ip("netns", "delete", self.name)


HERE = Host()


def free_port():
    """A port that nobody listens on just now, for servers that cannot be asked to choose one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
