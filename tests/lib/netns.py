# SPDX-License-Identifier: Apache-2.0
# Machines for tests: network namespaces of this process, joined by cables.
import contextlib
import ctypes
import os
import subprocess

from lib.wait import until

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


class Machine:
    """A network of its own.  What is opened `with machine:` lives there, also daemons."""

    def __init__(self):
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.unshare(_CLONE_NEWNET), "unshare")
            try:
                self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            finally:
                _check(_libc.setns(home, _CLONE_NEWNET), "setns")
        finally:
            os.close(home)
        self._homes = []
        self.run("ip link set lo up")

    def __enter__(self):
        self._homes.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _check(_libc.setns(self.fd, _CLONE_NEWNET), "setns")
        return self

    def __exit__(self, *_):
        home = self._homes.pop()
        _check(_libc.setns(home, _CLONE_NEWNET), "setns")
        os.close(home)

    def run(self, *commands):
        """What the last of them says."""
        with self:
            for command in commands:
                done = subprocess.run(command, shell=True, check=True, capture_output=True, text=True)
        return done.stdout

    def close(self):
        os.close(self.fd)


def cable(a, name_a, addresses_a, b, name_b, addresses_b):
    """Join two machines by a veth pair; the addresses are usable at once, and routes are as they stay."""
    a.run(f"ip link add {name_a} type veth peer name {name_b} netns /proc/{os.getpid()}/fd/{b.fd}")
    for machine, name, addresses in ((a, name_a, addresses_a), (b, name_b, addresses_b)):
        machine.run(
            *(f"ip addr add {address} dev {name}" + (" nodad" if ":" in address else "") for address in addresses),
            f"ip link set {name} up",
        )
    for machine, name in ((a, name_a), (b, name_b)):
        # The kernel hears of the carrier a little later, and until then routes are "linkdown".
        until(lambda: " state UP " in machine.run(f"ip -o link show dev {name}"), f"the cable at {name}")


@contextlib.contextmanager
def machines(count):
    made = []
    try:
        for _ in range(count):
            made.append(Machine())
        yield made
    finally:
        for machine in made:
            machine.close()
