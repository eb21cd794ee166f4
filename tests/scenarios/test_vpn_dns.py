# SPDX-License-Identifier: Apache-2.0
# docs/recipes/vpn-dns: what it tells the system's resolver, and that it takes it back.
import os
import subprocess

import pytest

from lib.daemon import ROOT

SCRIPT = os.path.join(ROOT, "docs", "recipes", "vpn-dns")


class System:
    """A folder with programs in place of the system's, which note what they are told."""

    def __init__(self, scene, *programs):
        self.scene = scene
        for name in ("ip", *programs):
            self.program(name, 'echo "${0##*/} $*" >> "${0%/*}/told"; [ "$1" = -a ] && cat >> "${0%/*}/told"; exit 0')
        self.script = scene.file("bin/vpn-dns", open(SCRIPT, encoding="utf-8").read())

    def program(self, name, text):
        path = self.scene.file(f"bin/{name}", f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def call(self, stands, dns="10.66.0.1 fd66::1"):
        self.program("ip", f"exit {0 if stands else 1}")
        told = self.scene.folder / "bin" / "told"
        told.unlink(missing_ok=True)
        done = subprocess.run(["/bin/sh", self.script], capture_output=True, text=True, check=False, env={
            "PATH": f"{self.scene.folder}/bin:/usr/bin:/bin", "VPN_DEVICE": "ginnel0", "VPN_DNS": dns})
        return done.returncode, self.scene.read("bin/told").splitlines()


def test_systemd_resolved(scene):
    system = System(scene, "resolvectl", "resolvconf")
    assert system.call(True) == (0, ["resolvectl status", "resolvectl dns ginnel0 10.66.0.1 fd66::1",
                                     "resolvectl domain ginnel0 ~."])
    assert system.call(False) == (0, ["resolvectl status"]), "it forgets by itself"


def test_only_some_domains(scene):
    system = System(scene, "resolvectl")
    scene.file("bin/vpn-dns.domains", "~office.example lab.example\n")
    assert system.call(True)[1][-1] == "resolvectl domain ginnel0 ~office.example lab.example"


def test_resolvconf(scene):
    system = System(scene, "resolvconf")
    assert system.call(True) == (0, ["resolvconf -a ginnel0.ginnel", "nameserver 10.66.0.1", "nameserver fd66::1"])
    assert system.call(False) == (0, ["resolvconf -d ginnel0.ginnel"])


def test_resolvconf_where_resolved_does_not_run(scene):
    system = System(scene, "resolvectl", "resolvconf")
    system.program("resolvectl", "exit 1")
    assert system.call(True)[1][0] == "resolvconf -a ginnel0.ginnel"


@pytest.mark.parametrize("stands", [True, False])
def test_a_server_that_names_none(scene, stands):
    assert System(scene, "resolvectl").call(stands, dns="") == (0, [])


def test_nobody_to_tell(scene):
    system = System(scene)
    for name in ("resolvectl", "resolvconf"):
        if os.path.exists(f"/usr/bin/{name}") or os.path.exists(f"/bin/{name}"):
            pytest.skip(f"NOT TESTED: {name} is installed here")
    assert system.call(True)[0] == 1
