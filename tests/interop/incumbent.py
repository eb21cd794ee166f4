# SPDX-License-Identifier: Apache-2.0
# Debian's stunnel4: a peer to be understood by, and what the tests themselves are tried out with.
import collections
import re
import shutil

from lib import daemon as lib_daemon

PROGRAM = shutil.which("stunnel4")
UNDER_TEST = "stunnel" in lib_daemon.GINNEL  # the tests run against the incumbent instead

Closed = collections.namedtuple("Closed", "service to_tls to_socket")
CLOSED = r"Connection (?:closed|reset)(?:/closed|/reset)?: (\d+) byte\(s\) sent to TLS, (\d+) byte\(s\) sent to socket"


class Stunnel(lib_daemon.Daemon):
    program = PROGRAM


def before_start(scene):
    """The incumbent opens its log as the user of setuid, so the folder has to be that user's."""
    if UNDER_TEST:
        folder = scene.folder / "ginnel"
        folder.mkdir()
        shutil.chown(folder, "nobody", "nogroup")


def wait_end(daemon, code, *, after=0, count=1, deadline=None):
    """Daemon.wait_end(), also where there are no end codes to await."""
    if not UNDER_TEST:
        return daemon.wait_end(end=code, after=after, count=count, deadline=deadline)
    line = daemon.wait_log(CLOSED, after=after, count=count, deadline=deadline)
    service = re.findall(r"Service \[(.*)\] accepted connection", daemon.log())[-1]
    return Closed(service, int(line[1]), int(line[2]))
