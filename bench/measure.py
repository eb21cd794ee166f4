# SPDX-License-Identifier: Apache-2.0
"""bench/measure.py -- one row measured over some rounds, in each of which the tunnels take turns."""

import json
import os
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import time
from dataclasses import dataclass

import peers
import procs
import rows
import vpn
from procs import Problem

DEADLINE = 90  # seconds for one load; it ends itself
ORDER = struct.Struct('@IIQQQ')  # struct order of bench/transfer.h
PLAIN = ('client', 'relay', 'proxy', 'vpn')  # roles in which the client speaks without TLS
ORDER_MAGIC, ORDER_COUNT = 0x676e6c31, 3


@dataclass(frozen=True)
class Places:
    """Where processes run, as words before their commands: by default wherever the kernel likes."""
    tunnel: tuple = ()
    backend: tuple = ()
    timed: tuple = ()  # the load that is measured
    background: tuple = ('nice', '-n', '15')  # it shall burden the tunnel, not the load that is timed


def _own_core():
    """
    The tunnel has a core to itself.  On the others, what is timed and its backend run before all
    else: they wait for the tunnel, and not for each other's turn.
    """
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
    if len(cores) < 2:
        raise Problem('needs two cores, one of them for the tunnel alone')
    first = ('--fifo', '10')
    if subprocess.run(['chrt', *first, 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
        raise Problem('needs real-time priority for the load: run it as root')
    elsewhere = ('taskset', '--cpu-list', ','.join(cores[1:]))
    return Places(tunnel=('taskset', '--cpu-list', cores[0]),
                  backend=(*elsewhere, 'chrt', '--reset-on-fork', *first),
                  timed=(*elsewhere, 'chrt', *first),
                  background=(*elsewhere, *Places.background))


class Load:
    """bench/load, stopped at its two marks: connections open, work done."""

    def __init__(self, binary, arguments, wrapper=()):
        command = [*wrapper, binary, *arguments, '--paced', '--deadline', DEADLINE]
        self.process = procs.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)

    def await_open(self):
        line = self.process.stdout.readline()
        if line == 'open\n':
            return
        self._fail(line)

    def go(self):
        self.process.stdin.write('\n')
        self.process.stdin.flush()

    def results(self):
        line = self.process.stdout.readline()
        if not line:
            self._fail(line)
        return json.loads(line)

    def _fail(self, line):
        words = json.loads(line)['error'] if line else self.process.stderr.read().strip()
        self.end()
        raise Problem(words or 'the load ended without a word')

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        procs.end(self.process)
        self.process.stderr.close()


class Backend:
    """bench/load as the server behind the tunnels."""

    def __init__(self, binary, arguments, tls, at='0', wrapper=()):
        self.tls = tls
        command = [*wrapper, binary, 'backend', '--at', at, '--deadline', 3600, *arguments]
        self.process = procs.start(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def resumed(self):
        """How many TLS handshakes with it were not full ones."""
        with socket.create_connection(('127.0.0.1', self.port)) as plain:
            if not self.tls:
                return 0
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain) as s:
                s.sendall(ORDER.pack(ORDER_MAGIC, ORDER_COUNT, 0, 0, 0))
                return json.loads(s.makefile().readline())['resumed']

    def end(self):
        procs.end(self.process)


def _load_arguments(row, scale, certs, near_tls):
    words = [row.mode, *row.load]
    for argument, number in zip(row.amount[::2], row.amount[1::2]):
        words += [argument, max(1, int(number * scale))]
    if row.unit == rows.BYTES:  # one request on each connection shows that it still lives
        words += ['--count', max(1, int(row.amount[1] * scale))]
    return words + (_client_tls(row, certs) if near_tls else [])


def _client_tls(row, certs):
    words = ['--tls', row.tls, '--ca', certs.ca]
    if row.mutual:
        words += ['--cert', certs.client()]
    if row.resume:
        words += ['--resume']
    return words


def _per_unit(row, cpu, result):
    """What the row's unit asks for, from the tunnel's CPU time and what the load says it did."""
    if row.unit == rows.P99:
        return result['p99_us']
    if row.unit == rows.S_PER_GB:
        return cpu / (result['bytes'] / 1e9)
    return cpu / result['done'] * 1e6


def _check(result):
    if result['failed'] or not result['done']:
        raise Problem(f"{result['failed']} of the load failed: {result['error']}")


def _await_configured(tunnel, times, words='Configuration successful', patience=20):
    deadline = time.monotonic() + patience
    while tunnel.count_in_log(words) < times:
        if time.monotonic() > deadline:
            raise Problem(f'its log does not say "{words}" {times} time(s)')
        time.sleep(0.002)


class Bench:
    """One row with everything it needs: backend, tunnels, and the numbers found so far."""

    def __init__(self, row, setup):
        self.row, self.setup = row, setup
        self.turns = max(1, round(row.turns * setup.scale))  # less work is fewer turns, not shorter ones
        self.numbers, self.details, self.problems = {}, {}, {}
        self.tunnels, self.inside = {}, {}
        client = row.role == 'client'
        server_cert = setup.certs.server(row.cert)
        self.places = _own_core() if row.own_core else Places()
        self.apart = vpn.Apart(setup.folder / row.name) if row.role == 'vpn' else None
        self.plain = Backend(setup.load, ['--aside'] if row.background else [], False,
                             '0.0.0.0:0' if self.apart else '0', self.places.backend)
        self.backend = Backend(setup.load, ['--tls', row.tls, '--server-cert', server_cert],
                               True) if client else self.plain

    def end(self):
        for tunnel in list(self.tunnels.values()):
            tunnel.end()
        self.backend.end()
        if self.plain is not self.backend:
            self.plain.end()
        if self.apart:
            self.apart.end()

    def run(self, rounds, progress):
        targets = [peer for peer in self.setup.peers if peers.plays(peer, self.row.role)]
        if self.row.role != 'services':
            targets.append(peers.RELAY)
        for number in range(rounds):
            before = {name: len(values) for name, values in self.numbers.items()}
            for part in range(self.turns):
                # Each begins once, so that none always comes after the same one.
                first = (number * self.turns + part) % len(targets)
                for peer in targets[first:] + targets[:first]:
                    if peer.name not in self.problems:
                        self._attempt(peer.name, lambda p=peer: self._measure(p), progress)
            if self.row.library:
                self._attempt('library', self._library, progress)
            self._tell(before, progress)

    def _attempt(self, name, measure, progress):
        try:
            value, detail = measure()
        except Problem as problem:
            self.problems[name] = str(problem)
            progress(f'{self.row.name}: {name}: {problem}')
            return
        self.numbers.setdefault(name, []).append(value)
        self.details.setdefault(name, []).append(detail)

    def _tell(self, before, progress):
        """What a round has brought; `before`: how many numbers of each there were."""
        new = {name: values[before.get(name, 0):] for name, values in self.numbers.items()}
        words = [f'{name} {statistics.median(values):.4g}' for name, values in new.items() if values]
        if words:
            progress(f'{self.row.name} ({self.row.unit}): {", ".join(words)}')

    def _measure(self, peer):
        if self.row.unit == rows.SECONDS:
            return self._time_start_or_reload(peer)
        if self.row.unit == rows.BYTES:
            return self._weigh_idle(peer)
        return self._meter(peer)

    # --- the tunnel -----------------------------------------------------------------------------

    def _open(self, peer):
        row, setup = self.row, self.setup
        relay = peer is peers.RELAY
        role = 'relay' if relay else row.role
        if row.services > 1:
            certs = [setup.certs.service(n) for n in range(row.services)]
        else:
            certs = [setup.certs.server(row.cert)]
        backend = self.plain if relay else self.backend
        more = self.apart.words() if self.apart else {}
        tunnel = peers.Tunnel(peer, role, setup.folder / row.name, setup.load, backend.port, certs,
                              setup.certs.ca, row.workers, more, self.places.tunnel)
        if self.apart and not relay:
            self.inside[peer.name] = self.apart.dial(tunnel, setup.certs.ca)
        return tunnel

    def _arguments(self, peer, scale):
        near_tls = peer is not peers.RELAY and self.row.role not in PLAIN
        words = _load_arguments(self.row, scale, self.setup.certs, near_tls)
        if peer is not peers.RELAY and self.row.role == 'proxy':
            words += ['--target', self.plain.port]
        return words

    def _load(self, peer, tunnel, scale):
        mode, *more = self._arguments(peer, scale)
        if peer.name in self.inside:
            to = f'{self.inside[peer.name]}:{self.plain.port}'
            return Load(self.setup.load, [mode, '--to', to, *more], self.apart.inside)
        return Load(self.setup.load, [mode, '--to', tunnel.port, *more], self.places.timed)

    def _run_load(self, peer, tunnel, scale):
        """The whole of a load; the tunnel's CPU time during its work, and its results."""
        load = self._load(peer, tunnel, scale)
        load.await_open()
        pids = tunnel.pids()
        before = procs.cpu_seconds(pids)
        load.go()
        result = load.results()
        cpu = procs.cpu_seconds(pids) - before
        same = tunnel.pids() == pids
        load.end()
        if not same:
            raise Problem('its processes changed while it was measured')
        _check(result)
        return cpu, result

    # --- the kinds of rows ----------------------------------------------------------------------

    def _meter(self, peer):
        tunnel = self.tunnels.get(peer.name)
        if tunnel is None:
            tunnel = self.tunnels[peer.name] = self._open(peer)
            self._run_load(peer, tunnel, self.setup.scale * self.row.warm)
        if self.turns > 1:  # while others had their turn, it may have given memory back
            self._run_load(peer, tunnel, self.setup.scale * 0.01)
        background = self._begin_background(peer, tunnel)
        try:
            cpu, result = self._run_load(peer, tunnel, self.setup.scale / self.turns)
        finally:
            if background:
                procs.end(background.process)
        if self.row.role == 'client' and self.backend.resumed():
            raise Problem('some handshakes with the backend were resumed')
        detail = {'cpu_seconds': cpu, **{key: result[key] for key in
                  ('done', 'bytes', 'full', 'resumed', 'seconds', 'p50_us', 'p99_us')}}
        return _per_unit(self.row, cpu, result), detail

    def _begin_background(self, peer, tunnel):
        if not self.row.background:
            return None
        mode, *more = self.row.background
        tls = [] if peer is peers.RELAY else _client_tls(self.row, self.setup.certs)
        load = Load(self.setup.load, [mode, '--to', tunnel.port, *more, *tls],
                    self.places.background)
        load.await_open()
        load.go()
        return load

    def _weigh_idle(self, peer):
        """A fresh tunnel each time: what it once needed, it may keep."""
        tunnel = self.tunnels[peer.name] = self._open(peer)
        try:
            self._run_load(peer, tunnel, 0.02)
            procs.await_quiet(tunnel.pids())
            before = procs.settled_pss_bytes(tunnel.pids())
            load = self._load(peer, tunnel, 1)  # fewer would weigh what all share
            load.await_open()
            share = procs.await_quiet(tunnel.pids())
            held = procs.settled_pss_bytes(tunnel.pids()) - before
            load.go()
            result = load.results()
            load.end()
            _check(result)
        finally:
            tunnel.end()
            del self.tunnels[peer.name]
        return held / result['done'], {'connections': result['done'], 'idle_cpu_share': share}

    def _time_start_or_reload(self, peer):
        tunnel = self.tunnels[peer.name] = self._open(peer)
        try:
            if self.row.name.startswith('start'):
                return tunnel.start_seconds, {}
            return self._time_reload(tunnel), {}
        finally:
            tunnel.end()
            del self.tunnels[peer.name]

    @staticmethod
    def _time_reload(tunnel):
        _await_configured(tunnel, 1)  # its start may be told later than it accepts
        began = time.monotonic()
        tunnel.process.send_signal(signal.SIGHUP)
        _await_configured(tunnel, 2)
        return time.monotonic() - began

    def _library(self):
        row, setup = self.row, self.setup
        load = Load(setup.load, ['library', *row.library, *_client_tls(row, setup.certs),
                                 '--server-cert', setup.certs.server(row.cert)])
        load.await_open()
        load.go()
        result = load.results()
        load.end()
        _check(result)
        cpu = result['client_us' if row.role == 'client' else 'server_us'] / 1e6
        return _per_unit(row, cpu, result), {}
