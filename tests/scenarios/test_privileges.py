# SPDX-License-Identifier: Apache-2.0
# After setuid and chroot: what a reload still can do, what the helper does not do, and who outlives whom.
import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from lib.daemon import GINNEL, NotStarted
from lib.peer import connect_tls, echo
from lib.pki import Pki
from lib.wait import DEADLINE, exited, until

pytestmark = pytest.mark.root

NOBODY = "setuid = nobody\nsetgid = nogroup\n"


class Stage:
    """A folder of root's for the configuration and the keys, a jail, and in it a place for nobody's log."""

    def __init__(self, scene):
        self.scene = scene
        self.user = pwd.getpwnam("nobody")
        self.conf = scene.folder / "ginnel"
        self.jail = scene.folder / "jail"
        self.logs = self.jail / "var"
        for folder in (self.conf, self.jail, self.logs):
            folder.mkdir()
        self.conf.chmod(0o700)
        os.chown(self.logs, self.user.pw_uid, self.user.pw_gid)
        path = str(self.logs)
        while path.startswith("/tmp/"):
            os.chmod(path, os.stat(path).st_mode | 0o011)
            path = os.path.dirname(path)
        self.pki = Pki(self.conf)

    def head(self, more=""):
        return (
            f"syslog = no\ndebug = debug\noutput = /var/log\npid = /pid\nchroot = {self.jail}\n"
            f"shutdownTimeout = 1\n{NOBODY}{more}"
        )

    def section(self, name="tls", accept="127.0.0.1:0", connect=None, *lines):
        connect = connect or self.scene.server(echo).address
        return "\n".join(
            [f"[{name}]", f"accept = {accept}", f"connect = {connect}", f"cert = {self.pki.server.bundle}", *lines, ""]
        )

    def daemon(self, services=None, more="", **how):
        whole = "foreground = yes\n" + self.head(more) + (services or self.section())
        # The search for leaks at the end needs /proc, which the jail has not, and would wait for ever.
        env = {"ASAN_OPTIONS": f"detect_leaks=0:log_path={self.conf}/sanitizer:exitcode=99"}
        return self.scene.daemon(whole=whole, log_path=str(self.logs / "log"), env=env, **how)

    def serial(self, port):
        """Of the certificate that the server shows now."""
        with connect_tls(port, self.pki.client_context()) as near:
            near.send(b"ping")
            assert near.recv(4) == b"ping"
            return int(near.tls.getpeercert()["serialNumber"], 16)


@pytest.fixture
def stage(scene):
    return Stage(scene)


def helper_of(daemon):
    """The number of the privileged helper, as the log has it."""
    number = int(daemon.wait_log(r"Privileged helper started \(PID=(\d+)\)")[1])
    with open(f"/proc/{number}/status", encoding="ascii") as file:
        assert re.search(r"^Uid:\t0\t", file.read(), re.M)
    return number


def gone(number):
    """Ended, though perhaps nobody has asked how yet."""
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def leave_the_network():
    """unshare(CLONE_NEWNET): a network namespace without anything in it."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


@pytest.mark.sanitize
def test_a_renewed_certificate_that_only_root_can_read_is_shown_after_sighup(stage):
    daemon = stage.daemon()
    port = daemon.port("tls")
    old = stage.serial(port)
    status = daemon.process_status()
    assert status["Uid"].split() == [str(stage.user.pw_uid)] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert os.readlink(f"/proc/{daemon.pid}/root") == str(stage.jail)

    renewed = stage.pki.ca.issue("server.test", sans=["localhost"], label="server")
    assert stat.S_IMODE(os.stat(renewed.bundle).st_mode) == 0o600
    daemon.reload()
    assert stage.serial(port) == renewed.serial != old


def test_no_descriptor_of_the_serving_process_leads_out_of_the_chroot(stage):
    daemon = stage.daemon()
    daemon.reload()
    for number in os.listdir(f"/proc/{daemon.pid}/fd"):
        mode = os.stat(f"/proc/{daemon.pid}/fd/{number}").st_mode
        target = os.readlink(f"/proc/{daemon.pid}/fd/{number}")
        assert not stat.S_ISDIR(mode) or target.startswith(str(stage.jail)), target


def test_a_port_below_1024_is_bound_after_a_reload(stage):
    """In a network of its own, so that it can be no port of the machine's."""
    inside = subprocess.run(["unshare", "-n", "true"], check=False)
    if inside.returncode != 0:
        pytest.skip("NOT TESTED: no network namespaces here")

    daemon = stage.daemon(preexec=leave_the_network)
    mark = daemon.mark()
    daemon.write(whole="foreground = yes\n" + stage.head() + stage.section(accept="443"))
    daemon.reload()
    daemon.wait_log(r"Service \[tls\] \(FD=\d+\) bound to \S+:443$", after=mark)


def test_the_file_of_a_unix_socket_comes_and_goes_outside_of_the_chroot(stage):
    daemon = stage.daemon()
    path = str(stage.conf / "s")
    daemon.write(whole="foreground = yes\n" + stage.head() + stage.section("u", path, None, "setuid = 1"))
    daemon.reload()
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert os.stat(path).st_uid == 1
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
    daemon.write(whole="foreground = yes\n" + stage.head() + stage.section())
    daemon.reload()
    until(lambda: not os.path.exists(path), "the socket's file to be removed")


def test_an_included_directory_of_roots_is_read_again(stage):
    more = stage.conf / "conf.d"
    more.mkdir(mode=0o700)
    (more / "a.conf").write_text(stage.section("a"))
    daemon = stage.daemon(stage.section() + f"include = {more}\n")
    (more / "b.conf").write_text(stage.section("b"))
    mark = daemon.mark()
    daemon.reload()
    daemon.wait_log(r"Service \[b\] \(FD=\d+\) bound to", after=mark)


def test_the_log_is_reopened_inside_of_the_chroot(stage):
    daemon = stage.daemon()
    os.rename(daemon.log_path, daemon.log_path + ".1")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_log("Log file reopened")


@pytest.mark.sanitize
def test_the_pid_file_names_the_serving_process_and_is_removed_at_the_end(stage):
    """Its directory belongs to root: only the helper can."""
    daemon = stage.daemon()
    path = stage.jail / "pid"
    assert path.read_text() == f"{daemon.pid}\n"
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (0, 0o644)
    helper = helper_of(daemon)
    daemon.stop()
    assert not path.exists()
    until(lambda: gone(helper), "the helper's end")


def test_a_daemon_with_a_helper_tells_its_start_by_status(stage):
    """The command returns, the pid file names the daemon, signals sent there work."""
    whole = stage.head() + stage.section()
    path = stage.scene.file("ginnel/daemon.conf", whole)
    done = subprocess.run([GINNEL, path], capture_output=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    pid = int((stage.jail / "pid").read_text())
    pidfd = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGHUP)
        log = stage.logs / "log"
        until(lambda: log.read_text().count("Configuration successful") == 2, "the reload")
    finally:
        os.kill(pid, signal.SIGTERM)
    assert exited(pidfd)
    os.waitpid(pid, 0)
    os.close(pidfd)
    assert not (stage.jail / "pid").exists()


def test_the_helper_ends_with_the_serving_process(stage):
    daemon = stage.daemon()
    helper = helper_of(daemon)
    daemon.signal(signal.SIGKILL)
    daemon.wait_exit(status=-signal.SIGKILL)
    until(lambda: gone(helper), "the helper's end")
    assert not (stage.jail / "pid").exists()


def test_the_serving_process_ends_with_its_helper_and_says_so(stage):
    daemon = stage.daemon()
    os.kill(helper_of(daemon), signal.SIGKILL)
    daemon.wait_log("LOG3.*The privileged helper has gone; terminating")
    daemon.wait_exit(status=1)


def test_signals_to_the_group_do_not_end_the_helper_first(stage):
    """^C at a terminal, or a supervisor that signals every process."""
    daemon = stage.daemon()
    helper = helper_of(daemon)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1):
        os.kill(helper, number)
    daemon.reload()
    daemon.stop()


def test_a_link_of_the_users_does_not_lead_the_helper_to_roots_files(stage):
    """The user owns a directory on the way: what is in it counts only as far as the user may read."""
    theirs = stage.jail / "theirs"
    theirs.mkdir()
    os.chown(theirs, stage.user.pw_uid, stage.user.pw_gid)
    cert = theirs / "cert.pem"
    cert.symlink_to(stage.pki.server.bundle)
    daemon = stage.daemon(stage.section("tls", "127.0.0.1:0", None, f"cert = {cert}"))
    assert "Operation not permitted" in daemon.reload(good=False)
    cert.unlink()
    shutil.copy(stage.pki.server.bundle, cert)
    os.chown(cert, stage.user.pw_uid, stage.user.pw_gid)
    daemon.reload()


def test_a_configuration_that_the_user_can_write_gives_it_nothing(stage):
    """It would be asked to read whatever it names."""
    daemon = stage.daemon()
    os.chown(daemon.path, stage.user.pw_uid, stage.user.pw_gid)
    daemon.reload(good=False)
    daemon.wait_log("LOG4.*can be changed by the user that setuid names")


def test_two_starts_with_one_pid_file_the_second_is_refused(scene, pki):
    pid = scene.folder / "pid"
    first = scene.server_mode(scene.server(echo), head=f"pid = {pid}\n")
    with pytest.raises(NotStarted) as refused:
        scene.daemon(
            scene.section("tls", scene.backend(), f"cert = {pki.server.bundle}"), f"pid = {pid}\n", name="two"
        )
    assert refused.value.status == 1
    assert f"process {first.pid} has it" in refused.value.stderr
    assert pid.read_text() == f"{first.pid}\n"
    first.stop()
    assert not pid.exists()


def test_a_killed_daemons_pid_file_does_not_stop_the_next(scene, pki):
    pid = scene.folder / "pid"
    first = scene.server_mode(scene.server(echo), head=f"pid = {pid}\n")
    first.signal(signal.SIGKILL)
    first.wait_exit(status=-signal.SIGKILL)
    assert pid.exists()
    second = scene.daemon(
        scene.section("tls", scene.backend(), f"cert = {pki.server.bundle}"), f"pid = {pid}\n", name="two"
    )
    assert pid.read_text() == f"{second.pid}\n"


def test_a_file_of_pre_shared_keys_is_read_again(stage):
    keys, ours = stage.conf / "keys.psk", stage.scene.file("client.psk", "alice:" + "0a" * 16 + "\n")
    for path in (keys, ours):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        os.chmod(path, 0o600)
    keys.write_text("bob:" + "0b" * 16 + "\n")
    section = stage.scene.section("tls", stage.scene.server(echo), f"PSKsecrets = {keys}")
    server = stage.daemon(section)
    client = stage.scene.daemon(
        stage.scene.section("plain", f"127.0.0.1:{server.port('tls')}", "client = yes", f"PSKsecrets = {ours}"),
        name="client")
    assert stage.scene.connect(client.port("plain")).rest()[0] == b""
    keys.write_text("bob:" + "0b" * 16 + "\nalice:" + "0a" * 16 + "\n")
    server.reload()
    assert stage.scene.connect(client.port("plain")).send(b"ping").recv(4) == b"ping"


def test_programs_run_in_the_jail_as_the_user(stage):
    needed = subprocess.run(["ldd", "/usr/bin/id"], capture_output=True, text=True, check=True).stdout
    for path in ["/usr/bin/id", *re.findall(r"(?:=> )?(/\S+) \(0x", needed)]:
        copy = stage.jail / path.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
        for folder in copy.relative_to(stage.jail).parents:
            (stage.jail / folder).chmod(0o755)
    daemon = stage.daemon(f"[tls]\naccept = 127.0.0.1:0\nexec = /usr/bin/id\ncert = {stage.pki.server.bundle}\n")
    for _ in range(2):
        with connect_tls(daemon.port("tls"), stage.pki.client_context()) as near:
            user = stage.user
            assert near.rest()[0].decode() == f"uid={user.pw_uid} gid={user.pw_gid} groups={user.pw_gid}\n"
        daemon.reload()
