# SPDX-License-Identifier: Apache-2.0
"""bench/procs.py -- processes: started, measured as whole trees, and ended by their ids."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_live = []  # all that was started here and has not been ended


class Problem(Exception):
    """Something that cannot be measured; the words say why."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command, **options):
    """A process that ends with us, whatever happens to us; ^C at the terminal is for us alone."""
    process = subprocess.Popen([str(word) for word in command], preexec_fn=_die_with_parent,
                               start_new_session=True, **options)
    _live.append(process)
    return process


def end(process, patience=3):
    """Ask the process to end, then make its whole tree do so."""
    pids = tree(process.pid)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    for pid in pids:
        if is_ours(pid, process.pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    if process in _live:
        _live.remove(process)


def end_all():
    for process in list(_live):
        end(process, patience=1)


def is_ours(pid, session):
    """Whether `pid` is still alive in the session we gave it, not somebody new with its number."""
    try:
        return os.getsid(pid) == session and _state(pid) != 'Z'
    except OSError:
        return False


def _stat(pid):
    # The command in brackets may hold anything, brackets and spaces too.
    return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()


def _state(pid):
    return _stat(pid)[0]


def tree(pid):
    """`pid` and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f'/proc/{parent}/task').glob('*/children'):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # a thread that has just ended
    return found


def cpu_seconds(pids):
    """
    User and system time of these processes, all threads included, also those that have ended.

    It is utime + stime of /proc/PID/stat, but read from the process's CPU clock, whose number is
    made from its id as clock_getcpuclockid(3) does: stat rounds to ticks of 10 ms.
    """
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def pss_bytes(pids):
    """Proportional set size: memory shared by n processes counts 1/n in each."""
    kilobytes = 0
    for pid in pids:
        for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            if line.startswith('Pss:'):
                kilobytes += int(line.split()[1])
    return kilobytes * 1024


def settled_pss_bytes(pids, settled=4.5, patience=15):
    """The same once it has stayed within 1 % for so long: what is given back soon after does not count."""
    now = time.monotonic()
    since, deadline, held = now, now + patience, pss_bytes(pids)
    while now - since < settled and now < deadline:
        time.sleep(settled / 4)
        now, again = time.monotonic(), pss_bytes(pids)
        if abs(again - held) > held / 100:
            since, held = now, again
    return pss_bytes(pids)


def await_quiet(pids, window=0.2, patience=5):
    """Until the processes have used next to no CPU for a moment; returns their share of a core."""
    deadline = time.monotonic() + patience
    while True:
        before = cpu_seconds(pids)
        time.sleep(window)
        share = (cpu_seconds(pids) - before) / window
        if share < 0.01 or time.monotonic() > deadline:
            return share


# Below the ports that the kernel gives to connections, so that none of them is in the way.
_ports = iter(range(random.randrange(10000, 14000), 32000))


def _is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def free_ports(count=1):
    """The first of so many successive ports that nobody listens at."""
    run = []
    for port in _ports:
        run = run + [port] if _is_free(port) else []
        if len(run) == count:
            return run[0]
    raise Problem('no free ports on loopback')


def accepts(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def await_listening(process, port, patience=10):
    deadline = time.monotonic() + patience
    while not accepts(port):
        if process.poll() is not None:
            raise Problem(f'ended at once with {process.returncode}')
        if time.monotonic() > deadline:
            raise Problem(f'does not listen after {patience} s')
        time.sleep(0.002)
