# SPDX-License-Identifier: Apache-2.0
# The same configuration and the same peers under two programs: what each peer saw, and what each log said.
"""
A case is a section and its visitors.  All cases are sections of one file, which each program gets as it is; each
section is visited in turn, and what came of it is told in words that can be compared.
"""
import collections
import difflib
import re
import ssl
from dataclasses import dataclass, field

from lib.peer import END, Ended, Server, TlsPeer, connect, connect_tls
from lib.wait import until

SIZE = 5  # of every greeting
GREETING, DECOY, OTHER = b"hello", b"decoy", b"other"

Outcome = collections.namedtuple("Outcome", "words log")  # what the peers saw; (level, text) of each line


@dataclass
class Visit:
    """A TLS client; `resumes` brings the session of the visit before."""

    identity: object = None
    version: str = None
    name: str = "localhost"
    resumes: bool = False
    ciphers: str = None
    trusts: object = None


@dataclass
class Case:
    """Lines of a section in server mode, and others that belong to it."""

    lines: list
    visits: list = field(default_factory=lambda: [Visit()])
    more: str = ""
    client = False


@dataclass
class ClientCase:
    """Lines of a section in client mode, in front of a server with this context; None: one without TLS."""

    lines: list
    server: object
    client = True
    more = ""

    @property
    def reaches_target(self):
        return not any(line.startswith("connect") for line in self.lines)


def refusal(error):
    """An alert or another fault of TLS, in a few words."""
    return "refused: " + re.sub(r"^(TLSV1(_\d)?|TLSV13|SSLV3)_ALERT_", "", error.reason or type(error).__name__)


def listen(peer):
    """Say nothing, for unread bytes would turn an alert into a reset; end when the greeting has come."""
    try:
        greeting = peer.recv(SIZE).decode()
        peer.shut()
        return f"{greeting}, {peer.rest()[1]}"
    except Ended as end:
        return f"refused: {end.how}"
    except ssl.SSLError as error:
        return refusal(error)
    except OSError:
        return "refused: reset"


def says(greeting):
    """Script: a greeting, and the end when the client has ended."""

    def script(peer):
        peer.send(greeting)
        while peer.some():
            pass
        if peer.over == END:
            peer.shut()

    return script


class Target(Server):
    """The server behind a tunnel in client mode; it remembers what became of each client."""

    def __init__(self, context):
        self.behind, self.seen = context, []
        super().__init__(self._serve_one)

    def _serve_one(self, peer):
        try:
            if self.behind is not None:
                peer = TlsPeer(peer.sock, self.behind, server=True)
            says(GREETING)(peer)
            self.seen.append(f"server: {peer.over}")
        except ssl.SSLError as error:
            self.seen.append("server: " + refusal(error))
        except OSError:
            self.seen.append("server: reset")


class Stage:
    """One program with all cases, after all visits."""

    def __init__(self, start, pki, cases, targets, addresses):
        self.pki, self.cases, self.targets, self.addresses = pki, cases, targets, addresses
        self.daemon = start("".join(self._section(name, case) for name, case in cases.items()))
        self.words = {}
        for name, case in cases.items():
            self.words[name] = self._visit_client(name) if case.client else self._visit_server(name, case)
        count = sum(len(words) for words in self.words.values())
        self.daemon.wait_log(r"^.* Service \[.*\] finished \(", count=count)
        self.lines = self._lines()

    def _section(self, name, case):
        lines = [f"[{name}]", "accept = 127.0.0.1:0", *case.lines]
        if case.client:
            lines += ["client = yes"]
        if not any(line.startswith(("connect", "exec")) for line in lines):
            lines.append("connect = " + (self.targets[name].address if case.client else "{backend}"))
        return "\n".join([*lines, case.more, ""]).format(**self.addresses)

    def _visit_server(self, name, case):
        words, session, context = [], None, None
        for visit in case.visits:
            if not visit.resumes:  # a session is its context's
                session, context = None, self._context(visit)
            words.append("refused: reset")
            try:
                with connect_tls(self.daemon.port(name), context, name=visit.name, session=session) as near:
                    words[-1] = listen(near) + (", resumed" if near.reused else "")
                    session = near.session
            except ssl.SSLError as error:
                words[-1] = refusal(error)
            except OSError:
                pass
        return words

    def _context(self, visit):
        context = self.pki.client_context(visit.identity, ca=visit.trusts, verify=visit.trusts is not None,
                                          version=visit.version)
        if visit.ciphers:
            context.set_ciphers(visit.ciphers)
        return context

    def _visit_client(self, name):
        seen, count = self.targets[name].seen, len(self.targets[name].seen)
        with connect(self.daemon.port(name)) as near:
            words = listen(near)
        if self.cases[name].reaches_target:
            until(lambda: len(seen) > count, "the end at the target")
        return ["; ".join([words, *seen[count:]])]

    def _lines(self):
        """Of each section: the lines up to level 6 of one connection after the other, however they overlap."""
        owner, connections, lines = {}, collections.defaultdict(list), collections.defaultdict(list)
        for line in self.daemon.log().splitlines():
            match = re.match(r"\S+ \S+ LOG(\d)\[(\d+)\]: (.*)$", line)
            if match is None:
                continue
            if begun := re.match(r"Service \[(.*)\] started$", match[3]):
                owner.setdefault(match[2], begun[1])
            if match[1] < "7":
                connections[match[2]].append((int(match[1]), plain(match[3])))
        for number, said in connections.items():
            lines[owner.get(number)] += said
        return lines

    def outcome(self, name):
        return Outcome(self.words[name], self.lines[name])


def plain(text):
    """A line without what differs from run to run, and without what one program's has behind the other's."""
    text = re.sub(r"; end=\S+ service=.*$", "", text)
    text = re.sub(r"(127\.0\.0\.1|::1):\d+", r"\1:PORT", text)
    text = re.sub(r"^(SSL_\w+|error queue): .*?error:[0-9A-F]{8}:[^:]*:[^:]*:(.*)$", r"\1: \2", text)
    text = re.sub(r": SSL alert number \d+$", "", text)
    text = re.sub(r"\b[0-9A-F]{16,}\b", "HEX", text)
    return re.sub(r"\(PID=\d+\)|process \d+", "(PID)", text)


# What one program does and the other does not, for the cases whose names match `where`; a regular expression of each
# side, None where there is nothing, and why it may be so.
Line = collections.namedtuple("Line", "where theirs ours reason")  # of the log, as "LEVEL TEXT"
Words = collections.namedtuple("Words", "where theirs ours reason")  # of what the peers saw; the logs then differ, too
Level = collections.namedtuple("Level", "text reason")  # lines that agree but for their level


class Verdict:
    """Judges cases by a table of deviations, and remembers which of them were met."""

    def __init__(self, table):
        self.table, self.met = table, set()

    def _excused(self, kind, name, got, side):
        for row in self.table:
            if type(row) is kind and re.search(row.where, name):
                pattern = getattr(row, side)
                if pattern is not None and re.fullmatch(pattern, got):
                    self.met.add((row, side))
                    return True
        return False

    def _lines(self, name, log, side):
        """The lines that must agree: in their order up to level 5, and in any order those of level 6."""
        loud, quiet = [], []
        for level, text in log:
            if self._excused(Line, name, f"{level} {text}", side):
                continue
            for row in self.table:
                if type(row) is Level and re.match(row.text, text):
                    level = 5
            (loud if level < 6 else quiet).append(f"{level} {text}")
        return loud + sorted(quiet)

    def judge(self, name, theirs, ours):
        """What differs without an excuse, line by line."""
        told = "; ".join(theirs.words), "; ".join(ours.words)
        for row in self.table:
            if type(row) is Words and re.search(row.where, name) and re.fullmatch(row.theirs, told[0]) \
                    and re.fullmatch(row.ours, told[1]):
                self.met.update({(row, "theirs"), (row, "ours")})
                return []
        theirs = [told[0], *self._lines(name, theirs.log, "theirs")]
        ours = [told[1], *self._lines(name, ours.log, "ours")]
        return [line for line in difflib.ndiff(theirs, ours) if line[0] in "+-"]

    def stale(self):
        """Rows that no case has met."""
        return [row for row in self.table if type(row) is not Level
                for side in ("theirs", "ours") if getattr(row, side) is not None and (row, side) not in self.met]
