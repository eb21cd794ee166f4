# SPDX-License-Identifier: Apache-2.0
# Debian's stunnel4: a peer to be understood by, and what the tests themselves are tried out with.
import shutil

from lib.daemon import Daemon


class Stunnel(Daemon):
    """The incumbent at the far end."""

    program, incumbent = shutil.which("stunnel4"), True
