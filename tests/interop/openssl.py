# SPDX-License-Identifier: Apache-2.0
# The openssl command as a client.
import select
import subprocess

from interop.host import HERE
from lib.wait import DEADLINE


def _command(port, flags):
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *flags]


def s_client(port, pki, *flags, said=""):
    """It trusts our authority and nobody else, and ends when the server does: a CompletedProcess."""
    trust = ["-CAfile", pki.ca.path, "-verify_return_error"]
    return HERE.run(*_command(port, [*trust, *flags]), stdin=said)


def s_client_is_echoed(port, *flags):
    """A line goes there and back."""
    process = HERE.start(*_command(port, ["-quiet", *flags]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdin.write(b"there and back\n")
        process.stdin.flush()
        assert select.select([process.stdout], [], [], DEADLINE)[0]
        assert process.stdout.readline() == b"there and back\n"
    finally:
        process.stdin.close()
        HERE.end(process)
        process.stdout.close()
