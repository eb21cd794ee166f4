# SPDX-License-Identifier: Apache-2.0
"""bench/vpn.py -- the row of the VPN: two networks with a cable, and a client in the second one.

The benchmark moves into the first network for as long as the row takes, so that tunnel, backend and
loopback are there as usual; the client, which is not measured, and the load are started in the
second one, and what the load sends goes through the VPN.
"""

import ctypes
import os
import subprocess
import time
from pathlib import Path

import procs
from procs import Problem

CLONE_NEWNET = 0x40000000
SERVER, CLIENT = '192.0.2.1', '192.0.2.2'
_libc = ctypes.CDLL(None, use_errno=True)


def _command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem(f"{' '.join(words)}: {done.stderr.strip()}")


class Apart:
    """Both networks.  end() goes back to where we came from, and they are gone."""

    def __init__(self, folder):
        self.home = os.open('/proc/self/ns/net', os.O_RDONLY)
        if _libc.unshare(CLONE_NEWNET):
            os.close(self.home)
            raise Problem('a network of its own needs root')
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._secret('users', 'bench:secret\n')
        self._secret('password', 'secret\n')
        # Its network is the second one, and lasts as long as it does.
        self.holder = procs.start(['unshare', '--net', 'sh', '-c', 'echo; exec sleep 3600'],
                                  stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.inside = ('nsenter', f'--net=/proc/{self.holder.pid}/ns/net')
        _command('ip', 'link', 'set', 'lo', 'up')
        _command('ip', 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns',
                 str(self.holder.pid))
        _command('ip', 'addr', 'add', f'{SERVER}/24', 'dev', 'cable')
        _command('ip', 'link', 'set', 'cable', 'up')
        _command(*self.inside, 'ip', 'addr', 'add', f'{CLIENT}/24', 'dev', 'cable')
        _command(*self.inside, 'ip', 'link', 'set', 'cable', 'up')
        self.clients = []

    def _secret(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)

    def words(self):
        """For the configuration of one more tunnel: each has a network of its own."""
        return {'POOL': f'10.66.{len(self.clients)}.0/24', 'USERS': self.folder / 'users'}

    def dial(self, tunnel, ca, patience=10):
        """The address by which the load in the second network reaches the backend."""
        net = f'10.66.{len(self.clients)}'
        conf, log = (tunnel.folder / name for name in ('client.conf', 'client.log'))
        conf.write_text('\n'.join([
            'foreground = quiet', f'output = {log}', 'syslog = no', '[vpn]', 'client = yes',
            'protocol = sstp', f'connect = {SERVER}:{tunnel.port}', f'CAfile = {ca}',
            'checkHost = localhost', 'vpnUsername = bench',
            f"vpnPasswordFile = {self.folder / 'password'}", f'vpnRoutes = {net}.0/24', '']))
        self.clients.append(procs.start([*self.inside, tunnel.peer.program, conf],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + patience
        while not log.exists() or 'VPN: 10.66.' not in log.read_text(errors='replace'):
            if time.monotonic() > deadline:
                raise Problem('the VPN does not come up')
            time.sleep(0.01)
        return f'{net}.1'

    def end(self):
        for process in [*self.clients, self.holder]:
            procs.end(process)
        if _libc.setns(self.home, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'setns')
        os.close(self.home)
