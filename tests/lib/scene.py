# SPDX-License-Identifier: Apache-2.0
# One test's stage: everything that is opened on it is closed with it, peers before daemons.
import contextlib
import os
import subprocess

import pytest

from lib import netns, peer
from lib.daemon import Daemon, run
from lib.ports import free_port


class Scene:
    def __init__(self, folder, pki):
        self.folder, self.pki = folder, pki
        self.daemons, self.closers = [], contextlib.ExitStack()

    # --- daemons

    def daemon(self, services="", head="", *, name=None, **how):
        """Start a daemon; a second one in the same test needs a `name`."""
        folder = self.folder / (name or "ginnel")
        folder.mkdir(exist_ok=True)
        daemon = Daemon(folder, services, head, start=False, **how)
        self.daemons.append(daemon)
        daemon.start()
        return daemon

    def run(self, *args, **how):
        return run(*args, folder=str(self.folder), **how)

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text, encoding="utf-8")
        return str(path)

    def read(self, name):
        """What a file of ours has by now; "" if there is none."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def secret(self, name, text):
        """A file that nobody else may read."""
        path = self.file(name, text)
        os.chmod(path, 0o600)
        return path

    # --- the usual services

    def server_mode(self, backend, *lines, head="", name="tls", **how):
        """A TLS server in front of `backend`, with the shared certificate."""
        return self.daemon(self.section(name, backend, f"cert = {self.pki.server.bundle}", *lines), head, **how)

    def client_mode(self, backend, *lines, head="", name="plain", **how):
        """A TLS client in front of the TLS server `backend`."""
        return self.daemon(self.section(name, backend, "client = yes", *lines), head, **how)

    @staticmethod
    def section(name, backend, *lines):
        target = getattr(backend, "address", backend)
        return "\n".join([f"[{name}]", "accept = 127.0.0.1:0", f"connect = {target}", *lines, ""])

    # --- networks

    def machines(self, count, *, devices=()):
        """Machines for this test; where they, or these devices, cannot be, it is skipped."""
        for device in devices:
            if not os.access(device, os.R_OK | os.W_OK):
                pytest.skip(f"NOT TESTED: no {device} here")
        try:
            return self.closers.enter_context(netns.machines(count))
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"NOT TESTED: no network namespaces here: {error}")

    def neighbours(self, *addresses, **how):
        """Two machines with a cable between them, called "wire" at both ends, and these addresses."""
        a, b = self.machines(2, **how)
        netns.cable(a, "wire", [addresses[0]], b, "wire", [addresses[1]])
        return a, b

    # --- peers

    def keep(self, thing):
        """Close it at the end of the test."""
        self.closers.callback(thing.close)
        return thing

    def backend(self, context=None, **where):
        return self.keep(peer.Backend(context, **where))

    def server(self, script=peer.echo, context=None, **where):
        return self.keep(peer.Server(script, context, **where))

    def two_families(self):
        """Servers at one port, which as a target has two addresses, then: one greets with 4, the other with 6."""
        four = self.server(peer.greeter(b"4"), port=free_port())
        try:
            return four, self.server(peer.greeter(b"6"), host="::1", port=four.port)
        except OSError:
            pytest.skip("NOT TESTED: somebody has this port of ::1, or there is no ::1")

    def connect(self, to, **how):
        return self.keep(peer.connect(to, **how))

    def tls(self, to, context=None, **how):
        return self.keep(peer.connect_tls(to, context or self.pki.client_context(), **how))

    def pair(self, daemon, backend, service="tls", context=None, **how):
        """A TLS client and the backend's end of its tunnel."""
        near = self.tls(daemon.port(service), context, **how)
        return near, self.keep(backend.accept())

    def plain_pair(self, daemon, backend, service="plain", **how):
        """A plain client and the backend's end of its tunnel."""
        near = self.connect(daemon.port(service), **how)
        return near, self.keep(backend.accept())

    def socket_path(self, name):
        """A short path: UNIX sockets allow 107 bytes."""
        path = os.path.join(str(self.folder), name)
        assert len(path) < 108, path
        return path

    def close(self):
        self.closers.close()
        faults = []
        for daemon in self.daemons:
            try:
                daemon.finish()
            except AssertionError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]
