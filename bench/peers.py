# SPDX-License-Identifier: Apache-2.0
"""bench/peers.py -- the tunnels that are measured: how each is configured and started.

A peer's configuration is bench/peers/NAME.conf.  A line `%% ROLE...` begins a part that belongs to
these roles only (`all`: to each); a part marked with `*` is written once per service.  @WORDS@ are
filled in.  The roles: server (TLS in, plain out), mutual (the same, client certificates required),
services (many of them), client (plain in, TLS out), relay (plain in, plain out), proxy (the same,
to where the client asks with CONNECT), vpn (TLS in, a network out).
"""

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import procs
from procs import Problem

HERE = Path(__file__).resolve().parent
ROLES = ('server', 'mutual', 'services', 'client', 'relay', 'proxy', 'vpn')


@dataclass(frozen=True)
class Peer:
    name: str       # the column in the table
    program: str
    arguments: tuple
    version: tuple  # arguments that print it
    conf: str
    ours: bool = False


PEERS = (
    Peer('stunnel', 'stunnel4', ('@CONF@',), ('-version',), 'stunnel'),
    Peer('haproxy', 'haproxy', ('-db', '-f', '@CONF@'), ('-v',), 'haproxy'),
    Peer('hitch', 'hitch', ('--config=@CONF@',), ('--version',), 'hitch'),
    Peer('tinyproxy', 'tinyproxy', ('-d', '-c', '@CONF@'), ('-v',), 'tinyproxy'),
    Peer('squid', 'squid', ('-N', '-f', '@CONF@'), ('-v',), 'squid'),
    Peer('nginx', 'nginx', ('-p', '@DIR@', '-e', '@LOG@', '-c', '@CONF@'), ('-v',), 'nginx'),
)


def ginnel(name, binary):
    return Peer(name, str(Path(binary).resolve()), ('@CONF@',), ('-version',), 'ginnel', ours=True)


# A floor, not a peer: bench/relay.c.
RELAY = Peer('plain relay', '@LOAD@', ('relay', '--at', '@ACCEPT@', '--to', '@CONNECT@', '--jobs',
             '@WORKERS@', '--connections', '@WORKERS@', '--deadline', '3600'), (), '')


def where(peer):
    return shutil.which(peer.program, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')


def version(peer):
    """The number in the first line in which the program tells its version."""
    said = subprocess.run([where(peer), *peer.version], capture_output=True, text=True, check=False)
    for line in (said.stdout + said.stderr).splitlines():
        number = re.search(r'\d+\.\d+[.\w~+-]*', line)
        if number:
            return number.group()
    return 'unknown'


def _parts(conf):
    """(roles, once per service?, text) for each part of a template."""
    for part in re.split(r'^%% ', conf, flags=re.M)[1:]:
        head, _, text = part.partition('\n')
        yield set(head.split()), '*' in head.split(), text


def _template(peer):
    return (HERE / 'peers' / f'{peer.conf}.conf').read_text() if peer.conf else ''


def plays(peer, role):
    if peer is RELAY:
        return role == 'relay'
    return any(role in roles for roles, _, _ in _parts(_template(peer)))


def _fill(text, words):
    return re.sub(r'@([A-Z]+)@', lambda m: str(words[m.group(1)]), text)


def _configuration(peer, role, words, services):
    """Once-per-service parts that follow each other are written together, service by service."""
    text, repeated = [], []

    def flush():
        for service in services:
            text.extend(_fill(part, {**words, **service}) for part in repeated)
        repeated.clear()

    for roles, each, part in _parts(_template(peer)):
        if not roles & {role, 'all'}:
            continue
        if each:
            repeated.append(part)
        else:
            flush()
            text.append(_fill(part, {**words, **services[0]}))
    flush()
    return ''.join(text)


class Tunnel:
    """A peer that runs.  `certs` are those of its services, one each; ports follow each other."""

    def __init__(self, peer, role, folder, load, connect, certs, ca, workers, more=(),
                 wrapper=()):
        self.peer = peer
        self.port = procs.free_ports(len(certs))
        self.last_port = self.port + len(certs) - 1
        self.folder = folder / re.sub(r'\W+', '-', peer.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o777)  # some give up being root before they open their log
        self.log = self.folder / 'log'
        services = [{'N': n or '', 'ACCEPT': self.port + n, 'CERT': cert}
                    for n, cert in enumerate(certs)]
        words = {'CONNECT': connect, 'CA': ca, 'WORKERS': workers, 'LOG': self.log, 'LOAD': load,
                 'DIR': self.folder, 'CONF': self.folder / 'conf', 'USER': _unprivileged(),
                 **dict(more)}
        words['CONF'].write_text(_configuration(peer, role, words, services))
        self._start(wrapper, [_fill(word, {**words, **services[0]})
                              for word in (peer.program, *peer.arguments)])

    def _start(self, wrapper, command):
        began = time.monotonic()
        command[0] = shutil.which(command[0], path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
        with open(self.folder / 'said', 'wb') as said:
            self.process = procs.start([*wrapper, *command], stdout=said, stderr=said,
                                       stdin=subprocess.DEVNULL)
        try:
            procs.await_listening(self.process, self.last_port)
        except Problem as problem:
            self.end()
            raise Problem(f'{self.peer.name} {problem}: {self.last_words()}') from None
        self.start_seconds = time.monotonic() - began

    def last_words(self):
        """The end of what it said or logged, for an error message."""
        said = [(self.folder / 'said'), self.log]
        lines = [line for path in said if path.exists()
                 for line in path.read_text(errors='replace').splitlines()]
        return ' | '.join(lines[-3:])

    def pids(self):
        return procs.tree(self.process.pid)

    def count_in_log(self, words):
        """Who has only just begun to listen may not have written anything yet."""
        return self.log.read_text(errors='replace').count(words) if self.log.exists() else 0

    def end(self):
        procs.end(self.process)


def _unprivileged():
    """For the one that insists on a user other than root."""
    return 'nobody' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')
