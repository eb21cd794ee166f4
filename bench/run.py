#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench/run.py -- ginnel and its peers side by side: CPU time, memory and latency; see README.md."""

import argparse
import os
import platform
import shlex
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import peers
import procs
import report
from certs import Certs
from measure import Bench
from rows import ROWS

ROOT = Path(__file__).resolve().parent.parent
QUICK = 0.2


@dataclass(frozen=True)
class Setup:
    load: Path
    folder: Path
    certs: Certs
    peers: tuple
    scale: float


def _options():
    parser = argparse.ArgumentParser(prog='./dev bench', description='Measure ginnel beside its '
                                     'peers; results go to build/bench/.')
    parser.add_argument('--rounds', type=int, help='per row; the tunnels take turns in each')
    parser.add_argument('--rows', help='names or beginnings of names, with commas; see --list')
    parser.add_argument('--peers', help='names with commas; "none" for ginnel alone')
    parser.add_argument('--quick', action='store_true', help='one round of less work: three or four minutes')
    parser.add_argument('--binary', action='append', metavar='[NAME=]PATH',
                        help='a ginnel to measure, instead of the release; may be repeated')
    parser.add_argument('--build', type=Path, default=ROOT / 'build', metavar='FOLDER',
                        help='where the load generator is, and where the results go')
    parser.add_argument('--list', action='store_true', help='say which rows there are')
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _chosen_rows(names, quick):
    if not names:
        return tuple(row for row in ROWS if not (quick and row.thorough))
    chosen = set()
    for wanted in names.split(','):
        exact = {row.name for row in ROWS if row.name == wanted}
        begin = {row.name for row in ROWS if row.name.startswith(wanted)}
        if not begin:
            sys.exit(f'bench: no row begins with "{wanted}"; see --list')
        chosen |= exact or begin
    # A row that is compared with another one needs it beside it.
    chosen |= {row.against for row in ROWS if row.name in chosen}
    return tuple(row for row in ROWS if row.name in chosen)


def _chosen_peers(options):
    binaries = options.binary or [str(ROOT / 'build-release' / 'ginnel')]
    named = [b.split('=', 1) if '=' in b else ('ginnel', b) for b in binaries]
    if len({name for name, _ in named}) < len(named):
        sys.exit('bench: two binaries need two names: --binary old=PATH --binary new=PATH')
    wanted = None if options.peers is None else options.peers.split(',')
    chosen = [peers.ginnel(name, path) for name, path in named]
    chosen += [peer for peer in peers.PEERS if wanted is None or peer.name in wanted]
    for peer in chosen:
        if peers.where(peer) is None:
            _say(f'bench: SKIPPED: {peer.name}: no {peer.program} here')
    return tuple(peer for peer in chosen if peers.where(peer))


def _machine():
    model = [line.split(':')[1].strip() for line in Path('/proc/cpuinfo').read_text().splitlines()
             if line.startswith('model name')]
    return {'cpu': model[0] if model else platform.machine(), 'cores': os.cpu_count(),
            'kernel': platform.release(), 'load_before': os.getloadavg()[0]}


def _measure(rows, setup, rounds):
    results = []
    for row in rows:
        try:
            bench = Bench(row, setup)
        except procs.Problem as problem:
            _say(f'bench: SKIPPED: {row.name}: {problem}')
            continue
        try:
            bench.run(rounds, _say)
        finally:
            bench.end()
        results.append(report.row_results(row, bench))
    return results


def main():
    options = _options()
    if options.list:
        for row in ROWS:
            print(f'{row.name:14} {row.title} ({row.unit})')
        return
    load = options.build / 'bench' / 'load'
    if not load.exists():
        sys.exit(f'bench: {load} is missing; build it with ./dev build')
    out = options.build / 'bench'
    machine = _machine()
    if machine['load_before'] > 0.5:
        _say(f"bench: the machine is not quiet (load {machine['load_before']:.2f}); only ratios "
             'within this run mean something')
    setup = Setup(load, out / 'run', Certs(out / 'certs'), _chosen_peers(options),
                  QUICK if options.quick else 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.time()
    try:
        rows = _measure(_chosen_rows(options.rows, options.quick), setup, options.rounds)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        procs.end_all()
    whole = report.write(out, {
        'command': shlex.join(['./dev', 'bench', *sys.argv[1:]]),
        'when': time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(began)),
        'seconds': round(time.time() - began),
        'rounds': options.rounds,
        'machine': machine,
        'versions': {peer.name: peers.version(peer) for peer in setup.peers},
        'ours': [peer.name for peer in setup.peers if peer.ours],
        'rows': rows,
    })
    sys.exit(0 if whole else 1)


if __name__ == '__main__':
    main()
