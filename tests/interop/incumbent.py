# SPDX-License-Identifier: Apache-2.0
# Debian's stunnel4: a peer to be understood by, and what the tests themselves are tried out with.
import shutil

from lib.daemon import INCUMBENT, Daemon


class Stunnel(Daemon):
    """The incumbent at the far end."""

    program, incumbent = shutil.which("stunnel4"), True


def before_start(scene):
    """The incumbent opens its log as the user of setuid, so the folder has to be that user's."""
    if INCUMBENT:
        folder = scene.folder / "ginnel"
        folder.mkdir()
        shutil.chown(folder, "nobody", "nogroup")
