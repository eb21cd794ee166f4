# SPDX-License-Identifier: Apache-2.0
# A host that programs run on: this machine, or a network namespace that the test made.
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from lib.daemon import ROOT
from lib.ports import free_port  # noqa: F401 -- for servers that cannot be asked to choose one
from lib.wait import DEADLINE, exited, until

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


class Host:
    """This machine's own network."""

    def enter(self):
        """In a child before exec: move to this host; and never outlive the test run."""
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def start(self, *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how):
        """A server: leader of its own process group, ended by end()."""
        return subprocess.Popen(
            [*map(str, command)], stdin=stdin, stdout=stdout, stderr=stderr, preexec_fn=self.enter,
            start_new_session=True, **how,
        )

    @staticmethod
    def end(process, number=signal.SIGTERM):
        """End a server of start() with all its children; returns its exit status."""
        pidfd = os.pidfd_open(process.pid)
        try:
            if process.poll() is None:
                os.killpg(process.pid, number)
                if not exited(pidfd):
                    os.killpg(process.pid, signal.SIGKILL)
        finally:
            os.close(pidfd)
        return process.wait(DEADLINE)

    def run(self, *command, stdin=None, deadline=2 * DEADLINE, env=None):
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

        until(asked, f"a listener on port {port}", 2 * DEADLINE, every=0.05)


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


def unpacked(name):
    """The root folder of a Debian package that ./dev test has unpacked, as it cannot be installed beside others."""
    path = os.path.join(ROOT, "build", "debian", name)
    if not os.path.isdir(path):
        pytest.skip(f"NOT TESTED: no {name} in build/debian; ./dev test puts it there")
    return path


@contextlib.contextmanager
def public_folder():
    """A short path that other users may walk through, for servers and daemons that give up root."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ginnel-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
