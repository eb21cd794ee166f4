# SPDX-License-Identifier: Apache-2.0
# The configuration files of docs/recipes, made to run in a test.
import os
import pathlib
import pwd
import shutil

from lib.daemon import ROOT

RECIPES = pathlib.Path(ROOT, "docs", "recipes")
NOBODY = pwd.getpwnam("nobody")


class Machine:
    """
    What a recipe expects around it: /etc/ginnel with certificates, and /run/ginnel.

    Both become folders of the test.  Any other change to a recipe is named by the test that makes it, as
    (old text, new text).
    """

    def __init__(self, folder, pki):
        self.folder, self.pki = folder, pki
        self.etc, self.run = folder / "etc", folder / "run"
        self.etc.mkdir(parents=True)
        self.run.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.run, NOBODY.pw_uid, NOBODY.pw_gid)
        self.install("ca.pem", pki.ca.path)
        self.install("ca.crl", pki.crl)
        self.identity("server", pki.server)
        self.identity("client", pki.client)

    def identity(self, name, who):
        self.install(f"{name}.pem", who.path)
        self.install(f"{name}.key", who.key)

    def install(self, name, *paths):
        """A file in /etc/ginnel, of several joined."""
        self._put(name, b"".join(pathlib.Path(path).read_bytes() for path in paths))

    def write(self, name, text):
        """A file in /etc/ginnel, for this machine's eyes only."""
        self._put(name, text.encode())

    def _put(self, name, data):
        target = self.etc / name
        target.touch(0o600)
        target.write_bytes(data)

    def recipe(self, name, *changes):
        """The text of a recipe for this machine; every change must hit something."""
        text = (RECIPES / name).read_text(encoding="ascii")
        for old, new in (*changes, ("/etc/ginnel/", f"{self.etc}/")):
            assert old in text, f"{name} has no {old!r}"
            text = text.replace(old, new)
        return text.replace("/run/ginnel/", f"{self.run}/")


def let_nobody_log(scene):
    """A daemon with setuid opens its log as that user: the folder has to be that user's."""
    folder = scene.folder / "ginnel"
    folder.mkdir()
    shutil.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
