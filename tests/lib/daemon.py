# SPDX-License-Identifier: Apache-2.0
# The daemon under test: started, watched through its log, signalled, and stopped with a clean bill of health.
import collections
import contextlib
import os
import re
import resource
import select
import signal
import subprocess

from lib.wait import DEADLINE, Watch, exited, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GINNEL = os.environ.get("GINNEL", os.path.join(ROOT, "build", "ginnel"))
# The log's form is the incumbent's, so many tests can be tried on it: GINNEL=/usr/bin/stunnel4.
INCUMBENT = "stunnel" in os.path.basename(GINNEL)



def _built_with_sanitizers():
    """Their shadow memory and their pace make figures meaningless."""
    try:
        with open(GINNEL, "rb") as file:
            text = file.read()
    except OSError:
        return False
    return b"__asan_init" in text or b"__tsan_init" in text


SANITIZED = _built_with_sanitizers()

LINE = re.compile(r"^\d{4}\.\d\d\.\d\d \d\d:\d\d:\d\d LOG([0-7])\[([^\]]*)\]: (.*)$")
END_LINE = re.compile(
    r"LOG(?P<level>\d)\[(?P<id>[^\]]*)\]: Connection (?P<how>closed|reset|reset/closed|closed/reset): "
    r"(?P<to_tls>\d+) byte\(s\) sent to TLS, (?P<to_socket>\d+) byte\(s\) sent to socket"
    + ("(?:" if INCUMBENT else "") +
    r"; end=(?P<end>\S+) service=(?P<service>.*?) peer=(?P<peer>\S+)"
    + (")?" if INCUMBENT else "")
)
BOUND = re.compile(r"Service \[(.*)\] \(FD=\d+\) bound to (\S+)$", re.M)
LISTENING = "Accepting new connections"

EndLine = collections.namedtuple("EndLine", "level id how to_tls to_socket end service peer text")


def environment(folder, extra=None):
    """Sanitizers report into `folder`, and end the process with a status of their own."""
    env = dict(os.environ)
    report = os.path.join(folder, "sanitizer")
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
        own = f"log_path={report}:exitcode=99"
        if name == "UBSAN_OPTIONS":
            own += ":print_stacktrace=1:halt_on_error=1"
        env[name] = ":".join(filter(None, [env.get(name), own]))
    env.update(extra or {})
    return env


def run(*args, folder, stdin=None, env=None, preexec=None, pass_fds=(), deadline=None):
    """Run the program to its end: a CompletedProcess with text output."""
    done = subprocess.run(
        [GINNEL, *map(str, args)],
        input=stdin, capture_output=True, text=True, errors="replace", cwd=folder,
        env=environment(folder, env), timeout=deadline or DEADLINE, preexec_fn=preexec, pass_fds=pass_fds,
        start_new_session=True,  # no terminal to ask for a passphrase
    )
    no_sanitizer_report(folder)
    return done


def no_sanitizer_report(folder):
    for name in os.listdir(folder):
        if name.startswith("sanitizer."):
            with open(os.path.join(folder, name), errors="replace") as file:
                raise AssertionError(f"sanitizer report:\n{file.read()[:6000]}")


class NotStarted(AssertionError):
    """The daemon ended instead of starting; .status and .stderr say how."""

    def __init__(self, status, stderr):
        super().__init__(f"did not start (status {status}):\n{stderr}")
        self.status, self.stderr = status, stderr


class Daemon:
    """
    One running daemon in `folder`.

    `services` is the text from the first [section] on, `head` what stands before it.  The rest of the
    global part (foreground, log file at debug level, no syslog) is added here, unless `whole` is given.
    """

    program, incumbent = GINNEL, INCUMBENT

    def __init__(self, folder, services="", head="", *, whole=None, args=None, env=None, limits=(),
                 daemonise=False, stdin=subprocess.DEVNULL, stderr=None, start=True, preexec=None, pass_fds=(),
                 log_path=None, await_log=True):
        self.folder = str(folder)
        self.path = os.path.join(self.folder, "ginnel.conf")
        self.log_path = log_path or os.path.join(self.folder, "log")
        self.await_log = await_log
        self.stderr_path = os.path.join(self.folder, "stderr")
        self.pid_path = os.path.join(self.folder, "pid")
        self.daemonise = daemonise
        self.watch = Watch(os.path.dirname(self.log_path), self.folder)
        self.pid = self.pidfd = self.child = None
        self.head = ""
        self.status = None
        self.write(services, head, whole=whole)
        self.args, self.env, self.limits = args or [self.path], env, limits
        self.stdin, self.stderr, self.preexec, self.pass_fds = stdin, stderr, preexec, pass_fds
        if start:
            self.start()

    # --- configuration and start

    def write(self, services="", head=None, *, whole=None):
        """(Re)write the configuration file; reload() makes it effective.  Without `head` the old one stays."""
        self.head = head = self.head if head is None else head
        if whole is None:
            mode = f"pid = {self.pid_path}\n" if self.daemonise else "foreground = yes\n"
            drain = "" if "shutdownTimeout" in head else "shutdownTimeout = 1\n"
            if self.incumbent:
                drain = ""  # the incumbent has no drain
            debug = "" if "debug" in head else "debug = debug\n"
            whole = f"{mode}syslog = no\noutput = {self.log_path}\n{debug}{drain}{head}\n{services}\n"
        temporary = self.path + ".new"
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(whole)
        os.replace(temporary, self.path)

    def _prepare(self):
        for name, value in self.limits:
            resource.setrlimit(name, (value, value))
        if self.preexec:
            self.preexec()

    def start(self):
        with open(self.stderr_path, "ab") as stderr:
            self.child = subprocess.Popen(
                [self.program, *self.args], cwd=self.folder, stdin=self.stdin,
                stdout=subprocess.DEVNULL, stderr=self.stderr or stderr,
                env=environment(self.folder, self.env), preexec_fn=self._prepare,
                pass_fds=self.pass_fds, start_new_session=True,
            )
        if self.daemonise:
            self._adopt()
        else:
            self.pid = self.child.pid
            self.pidfd = os.pidfd_open(self.pid)
        if not self.await_log:
            return
        try:
            self.wait_log(LISTENING)
        except AssertionError:
            if exited(self.pidfd, 0):
                self._reap()
                raise NotStarted(self.status, self.read_stderr()) from None
            raise

    def _adopt(self):
        """The parent has to end by itself, with a truthful status; the pid file names the daemon."""
        status = self.child.wait(DEADLINE)
        if status != 0:
            raise NotStarted(status, self.read_stderr())
        self.pid = int(self.watch.until(lambda: self._read(self.pid_path).strip(), "the pid file"))
        self.pidfd = os.pidfd_open(self.pid)

    # --- what it says

    @staticmethod
    def _read(path):
        try:
            with open(path, "rb") as file:
                return file.read().decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ""

    def log(self):
        """Its whole lines: one looks at any time, also in the middle of a write."""
        text = self._read(self.log_path)
        return text[: text.rfind("\n") + 1]

    def read_stderr(self):
        return self._read(self.stderr_path)

    def mark(self):
        """A place in the log, for `after`."""
        return len(self.log())

    def wait_log(self, pattern, *, after=0, count=1, deadline=None):
        """Await the count-th match of a regular expression in the log, and return it."""
        expression = re.compile(pattern, re.M)

        def seen():
            matches = list(expression.finditer(self.log(), after))
            return matches[count - 1] if len(matches) >= count else None

        try:
            return self.watch.until(seen, f"/{pattern}/ × {count} in the log", self.pidfd, deadline)
        except AssertionError as late:
            tail = "\n".join(self.log()[after:].splitlines()[-60:])
            raise type(late)(f"{late}\n--- log:\n{tail}\n--- stderr:\n{self.read_stderr()[-2000:]}") from None

    def ends(self, *, after=0, **want):
        """The end lines so far that have these values."""
        found = []
        for match in END_LINE.finditer(self.log(), after):
            line = self.log()[match.start():].split("\n", 1)[0]
            end = EndLine(
                int(match["level"]), match["id"], match["how"], int(match["to_tls"]), int(match["to_socket"]),
                match["end"], (match["service"] or "").strip("[]"), match["peer"], line,
            )
            if INCUMBENT or all(getattr(end, key) == value for key, value in want.items()):
                found.append(end)
        return found

    def wait_end(self, *, after=0, count=1, deadline=None, **want):
        """Await the count-th end line with these values."""

        def seen():
            found = self.ends(after=after, **want)
            return found[count - 1] if len(found) >= count else None

        try:
            return self.watch.until(seen, f"end line {want} × {count}", self.pidfd, deadline)
        except AssertionError as late:
            tail = "\n".join(self.log()[after:].splitlines()[-60:])
            raise type(late)(f"{late}\n--- log:\n{tail}\n--- stderr:\n{self.read_stderr()[-2000:]}") from None

    def ports(self, service):
        """Every port that a service has bound so far, in order."""
        return [int(a.rsplit(":", 1)[1]) for s, a in BOUND.findall(self.log()) if s == service]

    def port(self, service):
        """The port of the service's latest listener."""
        return self.ports(service)[-1]

    # --- what it is told

    def signal(self, number):
        signal.pidfd_send_signal(self.pidfd, number)

    def reload(self, good=True):
        """SIGHUP, and await the verdict; returns the log from the signal on."""
        mark = self.mark()
        self.signal(signal.SIGHUP)
        self.wait_log("Configuration successful" if good else "Failed to reload the configuration file", after=mark)
        return self.log()[mark:]

    def stop(self, *, deadline=None, status=0):
        """SIGTERM; it must end with status 0 and no sanitizer may have spoken."""
        self.signal(signal.SIGTERM)
        self.wait_exit(deadline=deadline, status=status)

    def wait_exit(self, *, deadline=None, status=0):
        assert exited(self.pidfd, (deadline or DEADLINE) + 2), "still running after SIGTERM\n" + self.log()[-3000:]
        self._reap()
        no_sanitizer_report(self.folder)
        assert self.status == status, f"exit status {self.status}\n{self.log()[-3000:]}\n{self.read_stderr()}"

    def _reap(self):
        if self.status is not None:
            return
        if self.daemonise:
            _, raw = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(raw)
        else:
            self.status = self.child.wait(DEADLINE)

    @property
    def alive(self):
        return self.status is None and self.pidfd is not None and not exited(self.pidfd, 0)

    def finish(self):
        """The end of a test: stop if it still runs, and look for what must not be there."""
        try:
            if self.alive:
                self.stop()
            no_sanitizer_report(self.folder)
        finally:
            self.kill()
            self.watch.close()

    def kill(self):
        """Whatever happens, nothing of ours stays behind."""
        if self.alive:
            self.signal(signal.SIGKILL)
            exited(self.pidfd)
            self._reap()
        elif self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    @contextlib.contextmanager
    def frozen(self):
        """Everything that happens inside is there at once when the daemon looks again."""
        self.signal(signal.SIGSTOP)
        try:
            until(lambda: set(self._states()) <= set("tT"), "all threads to stop", every=0.001)
            yield
        finally:
            self.signal(signal.SIGCONT)

    # --- what the kernel says of it

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _states(self):
        """Of its threads, as in proc(5)."""
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may have ended just now
                with open(f"/proc/{self.pid}/task/{thread}/stat", encoding="ascii", errors="replace") as file:
                    yield file.read().rsplit(")", 1)[1].split()[0]

    def wakes(self):
        """How often its threads have waited for something so far."""
        total = 0
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may have ended just now
                with open(f"/proc/{self.pid}/task/{thread}/status", encoding="ascii", errors="replace") as file:
                    total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.M)[1])
        return total

    def await_rest(self, at_most, seconds=1.0):
        """Await a time in which it uses no more CPU seconds than this: whoever runs in circles has none."""

        def rested():
            before = self.cpu_seconds()
            select.select([], [], [], seconds)  # the measured time
            return self.cpu_seconds() - before <= at_most

        until(rested, f"{seconds} s in which the daemon rests", every=0)

    def resident_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])

    def pss_kib(self):
        """What the process holds, its part of what it shares included."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1])

    def process_status(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            return dict(line.split(":", 1) for line in file.read().splitlines())

    def await_descriptors(self, at_most):
        """The daemon lets go of closed connections: await the number it had before."""
        until(lambda: self.descriptors() <= at_most, f"at most {at_most} descriptors")
