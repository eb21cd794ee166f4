# SPDX-License-Identifier: Apache-2.0
# Ports that a test may count on: nobody listens there, and the system gives them to nobody.
"""
A port that was bound, asked for and let go may be given to the next one who does not choose.  These lie below the range
that is given out (ip_local_port_range in ip(7)), and each is used once.
"""

import itertools
import random
import socket

_COUNT = 8000


def _below_those_given_out():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            end = int(file.read().split()[0])
    except (OSError, ValueError):
        end = 32768
    ports = range(max(end - _COUNT, 1024), max(end, 1024 + _COUNT))
    begin = random.randrange(len(ports))  # another test run does not begin there, too
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_ports = _below_those_given_out()


def free_port():
    """For who cannot be asked to choose one."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
                return port
            except OSError:
                pass
    return None  # the cycle has no end


class Nobody:
    """An address where nobody listens, until somebody is told to."""

    def __init__(self, host="127.0.0.1"):
        self.port = free_port()
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
