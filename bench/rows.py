# SPDX-License-Identifier: Apache-2.0
"""bench/rows.py -- the work that is measured: one entry per row of the table."""

from dataclasses import dataclass

US, S_PER_GB, BYTES, P99, SECONDS = 'µs', 's/GB', 'bytes', 'p99 µs', 's'
TURNS = 20  # a part still lasts a tenth of a second


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    unit: str             # says how it is measured, too: see measure.py
    mode: str = ''        # of bench/load
    load: tuple = ()      # its arguments
    amount: tuple = ()    # (argument, number) that --quick makes smaller
    turns: int = 1        # parts of a round's amount, between which the tunnels take turns
    warm: float = 0.1     # of a round's amount: what a tunnel that has just started does before
    tls: str = '1.3'
    role: str = 'server'
    cert: str = 'ecdsa'
    mutual: bool = False
    resume: bool = False
    library: tuple = ()   # what the library alone does for comparison
    workers: int = 2
    services: int = 1
    own_core: bool = False  # for the tunnel; see measure._own_core()
    background: tuple = ()  # another load that runs meanwhile
    must: float = 0       # at most so many times the best peer; 0: no goal
    stretch: float = 0
    against: str = ''     # compared with this row of the same tunnel instead
    group: str = ''       # the chart it is drawn in
    thorough: bool = False  # --quick leaves it out


def _visit(name, title, amount, must, stretch, **more):
    return Row(name, title, US, 'handshake', ('--connections', '16'), ('--count', amount),
               turns=TURNS, library=('--count', '1000'), must=must, stretch=stretch,
               group='handshakes', **more)


def _move(name, title, connections, must, stretch, *, down=0, up=0, **more):
    """`down` and `up` are in megabytes per connection."""
    ways = [(way, n * 1000 * 1000) for way, n in (('--down', down), ('--up', up)) if n]
    return Row(name, title, S_PER_GB, 'move', ('--connections', str(connections)),
               sum(ways, ()), turns=TURNS, must=must, stretch=stretch, group='bulk', **more)


def _ask(name, title, connections, **more):
    return Row(name, title, US, 'ask', ('--connections', str(connections), '--sources', '20'),
               ('--count', 100000), group='requests', **more)


def _latency(name, title, rate, must=0, stretch=0, **more):
    return Row(name, title, P99, 'ask', ('--connections', '64', '--rate', str(rate)),
               ('--seconds', 6), turns=6, must=must, stretch=stretch, group='latency', **more)


def _idle(name, title, amount, **more):
    return Row(name, title, BYTES, 'ask', ('--jobs', '4', '--sources', '20'),
               ('--connections', amount), group='memory', **more)


_ALONE = {'workers': 1, 'own_core': True}  # two on one core would take turns at it
_DOWN, _UP = ('--down', '1000M'), ('--up', '1000M')

ROWS = (
    _visit('full13', 'full TLS 1.3 handshake, ECDSA P-256, connect, 1 request, close',
           4000, 0.92, 0.82),
    _visit('rsa13', 'the same, RSA-2048', 3000, 0.94, 0.87, cert='rsa'),
    _visit('full12', 'full TLS 1.2, ECDSA', 4000, 0.92, 0.85, tls='1.2'),
    _visit('resumed13', 'resumed TLS 1.3', 5000, 0.92, 0.83, resume=True),
    _visit('resumed12', 'resumed TLS 1.2', 8000, 0.92, 0.80, tls='1.2', resume=True),
    _visit('mutual13', 'full TLS 1.3 with client certificate', 2000, 0.88, 0.70,
           role='mutual', mutual=True),
    _move('down8', 'download, 8 connections', 8, 0.82, 0.75, down=250, library=_DOWN),
    _move('down1', 'download, 1 connection', 1, 0.85, 0.78, down=1500, library=_DOWN),
    _move('up8', 'upload, 8 connections', 8, 0.82, 0.75, up=250, library=_UP),
    _move('both8', 'both ways, 8 connections', 8, 0.85, 0.78, down=125, up=125),
    _ask('ask64', '100 B request/response, 64 connections', 64, turns=TURNS, must=0.92,
         stretch=0.85),
    _idle('idle', 'idle TLS connection, PSS', 2000, must=0.75, stretch=0.65),
    _visit('client13', 'client mode: plain in, full TLS 1.3 out', 3000, 0.92, 0.85, role='client'),
    _move('clientdown8', 'client mode: download, 8 connections', 8, 0.88, 0.80, down=250,
          role='client', library=_DOWN),
    _move('clientup8', 'client mode: upload, 8 connections', 8, 0.88, 0.80, up=250,
          role='client', library=_UP),
    _latency('latency', 'one worker: 5,000 requests/s, 64 connections, p99', 5000, 1.0, 0.8,
             **_ALONE),

    _move('relaydown8', 'plain relay: download, 8 connections', 8, 0, 0, down=500, role='relay'),
    _ask('relayask64', 'plain relay: 100 B request/response, 64 connections', 64, turns=TURNS,
         role='relay'),

    Row('connect', 'CONNECT proxy: connect, CONNECT, 1 request, close', US, 'handshake',
        ('--connections', '16'), ('--count', 4000), turns=TURNS, role='proxy', group='proxy'),
    Row('connectdown8', 'CONNECT proxy: download, 8 connections', S_PER_GB, 'move',
        ('--connections', '8'), ('--down', 250 * 1000 * 1000), turns=TURNS, role='proxy',
        group='proxy'),

    Row('vpndown8', 'VPN: download, 8 connections through one call', S_PER_GB, 'move',
        ('--connections', '8'), ('--down', 60 * 1000 * 1000), role='vpn', against='down8',
        group='vpn'),
    Row('vpnup8', 'VPN: upload, 8 connections through one call', S_PER_GB, 'move',
        ('--connections', '8'), ('--up', 60 * 1000 * 1000), role='vpn', against='up8', group='vpn'),

    _idle('idle9500', 'one of 9,500 idle TLS connections, PSS', 9500, thorough=True),
    _ask('ask9000', '100 B request/response, 9,000 connections', 9000, must=1.3, against='ask64',
         thorough=True),
    Row('services1000', 'full TLS 1.3 handshake, 1,000 services in turn', US, 'handshake',
        ('--connections', '16', '--ports', '1000'), ('--count', 4000), role='services',
        warm=0.25,  # each of them once
        services=1000, must=1.1, against='full13', group='handshakes', thorough=True),
    Row('start1000', 'start with 1,000 services', SECONDS, role='services', services=1000,
        must=1.0, group='start', thorough=True),
    Row('reload1000', 'reload with 1,000 services', SECONDS, role='services', services=1000,
        must=1.0, group='start', thorough=True),
    _latency('quiet', 'one worker: 1,000 requests/s, 64 connections, p99', 1000, **_ALONE),
    _latency('besidebulk', 'the same beside one download at full speed', 1000, 2.0, **_ALONE,
             against='quiet', background=('move', '--connections', '1', '--down', '1000G')),
    _latency('besideflood', 'the same beside handshakes as fast as they go', 1000, **_ALONE,
             against='quiet', background=('handshake', '--connections', '64', '--count', '100M')),
)
