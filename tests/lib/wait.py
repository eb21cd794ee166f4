# SPDX-License-Identifier: Apache-2.0
# Waiting for an event with a deadline; nothing here sleeps for a fixed time.
"""One deadline for all tests, and waiting for files and processes by what the kernel reports."""

import ctypes
import os
import select
import time

# Seconds that an event may take before the test fails.  Sanitizer builds and busy machines want more.
DEADLINE = float(os.environ.get("GINNEL_TEST_DEADLINE", "30"))

_libc = ctypes.CDLL(None, use_errno=True)
_IN_EVENTS = 0x2 | 0x8 | 0x80 | 0x100 | 0x200  # MODIFY, CLOSE_WRITE, MOVED_TO, CREATE, DELETE
_IN_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_PR_SET_CHILD_SUBREAPER = 36


class Late(AssertionError):
    """An awaited event did not come in time."""


class Died(AssertionError):
    """The process that should have caused the event is gone."""


def adopt_orphans():
    """Daemons that fork away become our children, so that their exit status can be read."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Watch:
    """Asks a question again each time something in these folders changes."""

    def __init__(self, *folders):
        self.fd = _libc.inotify_init1(_IN_FLAGS)
        for folder in folders:
            if self.fd < 0 or _libc.inotify_add_watch(self.fd, os.fsencode(folder), _IN_EVENTS) < 0:
                raise OSError(ctypes.get_errno(), "inotify")

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def until(self, question, what, pidfd=None, deadline=None):
        """The first true answer of `question`; fails if `pidfd` ends first or time runs out."""
        end = time.monotonic() + (deadline or DEADLINE)
        while True:
            answer = question()
            if answer:
                return answer
            left = end - time.monotonic()
            if left <= 0:
                raise Late(f"not seen in time: {what}")
            ready, _, _ = select.select([self.fd] + ([pidfd] if pidfd is not None else []), [], [], left)
            if self.fd in ready:
                os.read(self.fd, 65536)
            elif pidfd is not None and pidfd in ready:
                answer = question()
                if answer:
                    return answer
                raise Died(f"the process ended before: {what}")


def exited(pidfd, deadline=None):
    """Has the process ended within the deadline?"""
    ready, _, _ = select.select([pidfd], [], [], DEADLINE if deadline is None else deadline)
    return bool(ready)


def until(question, what, deadline=None, every=0.02):
    """For what the kernel reports no event for (/proc, another peer's queue): ask until it is true."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Late(f"not seen in time: {what}")
        select.select([], [], [], every)
