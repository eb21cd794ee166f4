# SPDX-License-Identifier: Apache-2.0
# The command line: what it takes, what it prints and how it exits.
import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import termios

import pytest

from lib.daemon import GINNEL, NotStarted, environment
from lib.peer import echo
from lib.wait import DEADLINE, exited, until

OK, FAILED, USAGE, CONFIG = 0, 1, 2, 78


@pytest.fixture
def good(scene, pki):
    """A file without fault."""
    return scene.file(
        "good.conf", f"foreground = yes\nsyslog = no\n[tls]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {pki.server.bundle}\n"
    )


def works(scene, daemon):
    near = scene.tls(daemon.port("tls"))
    near.send(b"ping")
    assert near.recv(4) == b"ping"


def test_a_file_name_runs_it(scene):
    works(scene, scene.server_mode(scene.server(echo)))


def test_run_and_a_file_name_is_the_same(scene):
    works(scene, scene.server_mode(scene.server(echo), args=["run", str(scene.folder / "ginnel" / "ginnel.conf")]))


@pytest.mark.parametrize("stdin", [True, False], ids=["stdin", "another"])
def test_fd_reads_the_configuration_from_a_descriptor(scene, pki, stdin):
    folder = scene.folder / "fd"
    folder.mkdir()
    server = scene.server(echo)
    text = (
        f"foreground = yes\nsyslog = no\noutput = {folder}/log\ndebug = debug\n"
        f"[tls]\naccept = 127.0.0.1:0\nconnect = {server.address}\ncert = {pki.server.bundle}\n"
    )
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    descriptor = 0 if stdin else read
    how = {"stdin": read} if stdin else {"pass_fds": (read,)}
    daemon = scene.daemon(whole="", name="fd", args=["-fd", str(descriptor)], **how)
    os.close(read)
    daemon.wait_log(f"Reading configuration from descriptor {descriptor}")
    works(scene, daemon)


def test_fd_names_its_faults_by_the_descriptor(scene):
    done = scene.run("-fd", "0", stdin="foreground = yes\nnosuch = 1\n")
    assert done.returncode == CONFIG
    assert "0:2: nosuch: " in done.stderr


@pytest.mark.parametrize(
    "arguments", [["-fd"], ["-fd", "seven"], ["-fd", "-1"], ["run"], ["check"], ["check", "a", "b"]], ids=" ".join
)
def test_wrong_usage_is_told_and_exits_2(scene, arguments):
    done = scene.run(*arguments)
    assert done.returncode == USAGE and done.stderr.strip() and not done.stdout


def test_a_missing_file_is_a_configuration_error(scene):
    done = scene.run("/nonexistent/file.conf")
    assert done.returncode == CONFIG
    assert "/nonexistent/file.conf" in done.stderr and "No such file" in done.stderr


@pytest.mark.parametrize(
    "flag, words",
    [
        ("-version", ["ginnel ", "OpenSSL 3."]),
        ("-help", ["accept", "connect", "TIMEOUTidle", "verifyChain"]),
        ("-options", ["options = NO_TLSv1_3", "options = NO_TICKET"]),
        ("-sockets", ["TCP_NODELAY", "SO_REUSEADDR", "SO_LINGER", "SO_BINDTODEVICE"]),
    ],
)
def test_information_is_printed_and_exits_0(scene, flag, words):
    done = scene.run(flag)
    said = done.stdout + done.stderr
    assert done.returncode == OK
    assert not [word for word in words if word not in said], said
    assert scene.run(flag.upper()).returncode == OK, "flags are compared without case"


@pytest.mark.parametrize("word, said", [
    ("timeoutidle", ["TIMEOUTidle = SECONDS (default: 43200)\n", "    (an option of a [section]"]),
    ("accept.cert", ["cert = FILE|URI\n"]),
    ("debug", ["debug = [FACILITY.]LEVEL", "a global option", "debug = LEVEL"]),
    ("cert_missing", ["end=cert_missing\n", "    the peer sent no certificate", "    give the peer a certificate"]),
    ("end=done", ["end=done\n"]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_help_tells_of_an_option_or_an_end(scene, word, said):
    done = scene.run("help", word)
    assert done.returncode == OK and not done.stderr
    assert not [words for words in said if words not in done.stdout], done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_for_no_such_word(scene):
    done = scene.run("help", "verfyChain")
    assert done.returncode == USAGE and not done.stdout
    assert 'no option and no end of a tunnel is called "verfyChain"; did you mean "verifyChain"?' in done.stderr
    assert '"ginnel help" lists the options' in scene.run("help", "qqqqqqqqqq").stderr


def test_help_without_a_word_says_how_to_call_it(scene):
    done = scene.run("help")
    assert done.returncode == OK and "usage: ginnel [run] FILE" in done.stdout and "TIMEOUTidle" in done.stdout


# --- check


def test_check_of_a_good_file_is_silent_about_faults(scene, good):
    done = scene.run("check", good)
    assert done.returncode == OK, done.stderr
    assert "[!]" not in done.stderr


@pytest.mark.sanitize
def test_check_names_all_faults_in_one_go(scene, pki):
    path = scene.file(
        "bad.conf",
        f"""; line 1
foreground = maybe
conect = 25
[one]
accept = 127.0.0.1:0
connect = 127.0.0.1:25
cert = {pki.server.bundle}
TIMEOUTidle = soon
sslVersion = TLSv9
no equals sign here
[two]
accept = 127.0.0.1:70000
connect = 127.0.0.1:25
cert = /nonexistent.pem
""",
    )
    done = scene.run("check", path)
    assert done.returncode == CONFIG
    for line, option in ((2, "foreground"), (3, "conect"), (8, "TIMEOUTidle"), (9, "sslVersion"), (12, "accept"), (14, "cert")):
        assert f"{path}:{line}: {option}: " in done.stderr, done.stderr
    assert f"{path}:10: " in done.stderr
    assert "connect" in done.stderr.split(":3: conect: ", 1)[1].split("\n", 1)[0], "no suggestion"


@pytest.mark.parametrize("lines, words", [
    ("cert = {pki.server.path}", "cert: there is no private key in {pki.server.path}; add it, or name the file that has it in key"),
    ("cert = {pki.server.bundle}\nkey = {pki.server.path}", "key: there is no private key in {pki.server.path}; add it"),
    ("cert = /dev/null", "cert: no certificate in /dev/null; it must hold"),
    ("client = yes\nconnect = http://localhost:80/", '"80/" is not a port; write HOST:PORT, without "http://" and without a path'),
], ids=["no key", "certificate as key", "empty", "URL"])
def test_what_is_confused_is_told_apart(scene, pki, lines, words):
    path = scene.file("x.conf", "[t]\naccept = 127.0.0.1:0\n" + "connect = 9\n" * ("connect" not in lines) + lines.format(pki=pki))
    done = scene.run("check", path)
    assert done.returncode == CONFIG
    assert words.format(pki=pki) in done.stderr


def test_what_a_bad_line_may_have_said_is_not_missed(scene):
    """Three sections: one lacks a target, one has a line that was to name it, one lacks a certificate."""
    path = scene.file("x.conf", "[a]\nclient = yes\naccept = 127.0.0.1:0\n"
                                "[b]\nclient = yes\naccept = 127.0.0.1:0\nconect = 1\n"
                                "[c]\naccept = 127.0.0.1:0\nconnect = 1\n")
    said = scene.run("check", path).stderr
    assert said.count("must define two endpoints") == said.count(f"{path}:1: [a]: Each service must define two") == 1
    assert f"{path}:7: conect: " in said
    assert said.count("needs a certificate") == 1


def test_check_binds_nothing(scene, pki):
    """A port that is taken is no fault of the file."""
    backend = scene.backend()
    path = scene.file("used.conf", f"[tls]\naccept = {backend.address}\nconnect = 9\ncert = {pki.server.bundle}\n")
    assert scene.run("check", path).returncode == OK


def test_check_warns_of_risky_settings_without_failing(scene):
    path = scene.file("risky.conf", "[out]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\n")
    done = scene.run("check", path)
    assert done.returncode == OK
    assert "MITM" in done.stderr or "verif" in done.stderr


@pytest.mark.root
@pytest.mark.parametrize("user, target, lines, warns", [
    (None, "/run/mysqld/mysqld.sock", "", True),
    ("root", "/tmp/any", "protocol = mysql\n", True),
    (None, "/var/run/postgresql/.s.PGSQL.5432", "protocol = pgsql\n", True),
    ("nobody", "/run/mysqld/mysqld.sock", "protocol = mysql\n", False),
    (None, "127.0.0.1:3306", "protocol = mysql\n", False),
    (None, "/run/other.sock", "", False),
])
def test_check_warns_of_databases_that_ask_for_the_user(scene, pki, user, target, lines, warns):
    head = f"setuid = {user}\nsetgid = nogroup\n" if user else ""
    path = scene.file("x.conf", f"{head}[db]\naccept = 127.0.0.1:0\nconnect = {target}\n{lines}"
                                f"cert = {pki.server.bundle}\n")
    done = scene.run("check", path)
    assert done.returncode == OK, done.stderr
    assert ("connect: all clients are the user of this process for the database" in done.stderr) == warns


@pytest.mark.parametrize("lines, words", [
    ("checkHost = a.test\ncheckIP = 127.0.0.1\n", "matches checkHost or checkIP passes"),
    ("checkEmail = a@b.test\ncheckHost = a.test\n", "matches checkHost or checkEmail passes"),
    ("checkHost = a.test\ncheckHost = b.test\n", None),
])
def test_check_warns_that_one_subject_check_is_enough(scene, pki, lines, words):
    path = scene.file("x.conf", "[out]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\nverifyChain = yes\n"
                                f"CAfile = {pki.ca.path}\n{lines}")
    done = scene.run("check", path)
    assert done.returncode == OK
    assert (words or "1 service(s), 0 warning(s)") in done.stderr + done.stdout


# --- passphrases, asked for on the terminal


def on_a_terminal(scene, path, answers):
    """Run `check` with a terminal of its own and type the answers: (exit status, what was shown)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(GINNEL, [GINNEL, "check", path], environment(str(scene.folder)))
    shown, answers, answered = b"", list(answers), 0
    try:
        while select.select([terminal], [], [], DEADLINE)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # EIO: the other end is closed
                break
            shown += data
            if answers and shown.count(b"Enter pass phrase") > answered:
                answered += 1
                until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, "the echo to be off", every=0.005)
                os.write(terminal, answers.pop(0) + b"\n")
    finally:
        os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")


@pytest.mark.parametrize("answer, status", [(b"planted-passphrase", OK), (b"mistyped-phrase", CONFIG)])
def test_a_passphrase_is_asked_for_and_never_shown(scene, pki, answer, status):
    key = pki.server.encrypted_key(b"planted-passphrase")
    path = scene.file("enc.conf", f"[t]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {pki.server.path}\nkey = {key}\n")
    got, shown = on_a_terminal(scene, path, [answer] * 3)
    assert got == status, shown
    assert answer.decode() not in shown
    assert ("passphrase" in shown and key in shown) or status == OK


# --- failed starts


def test_a_failed_start_prints_every_fault_in_the_short_form(scene, pki):
    with pytest.raises(NotStarted) as refused:
        scene.daemon(f"[a]\naccept = 127.0.0.1:0\nconnect = 9\nbogus = 1\nverify = 9\ncert = {pki.server.bundle}\n")
    stderr = refused.value.stderr
    assert refused.value.status == CONFIG
    faults = [line for line in stderr.splitlines() if line.startswith("[!] ")]
    assert any("bogus" in line for line in faults) and any("verify" in line for line in faults), stderr


def test_a_failed_start_leaves_nothing_listening(scene, pki):
    """The first service is good, the second is not: neither is opened."""
    backend = scene.backend()
    with pytest.raises(NotStarted):
        scene.daemon(
            scene.section("good", backend, f"cert = {pki.server.bundle}")
            + scene.section("bad", backend, "cert = /nonexistent.pem")
        )
    assert "bound to" not in (scene.folder / "ginnel" / "stderr").read_text()


def test_a_port_in_use_is_named_and_exits_1(scene, pki):
    backend = scene.backend()
    with pytest.raises(NotStarted) as refused:
        scene.daemon(f"[tls]\naccept = {backend.address}\nconnect = 9\ncert = {pki.server.bundle}\n")
    assert refused.value.status == FAILED
    assert f"Binding service [tls] to {backend.address}: Address already in use (98)" in refused.value.stderr


@pytest.mark.parametrize("head, accept, words", [
    ("", "{taken}", ': another program listens there ("ss -ltnp" names it)'),
    ("", "192.0.2.1:0", ": no interface of this machine has the address"),
    ("", "/nonexistent/sock", "/nonexistent/sock: its directory does not exist"),
    ("", "/etc", ": another program listens there, or it is no socket"),
    ("pid = /nonexistent/pid", "127.0.0.1:0", "/nonexistent/pid: No such file or directory (2); make its directory"),
    pytest.param("chroot = /nonexistent/root", "127.0.0.1:0", "chroot: No such file or directory (2); look at chroot = "
                 "/nonexistent/root", marks=pytest.mark.root),
], ids=lambda text: text.strip("/{}").split(" ")[0] or "-")
def test_what_keeps_it_from_starting_is_said_with_what_to_do(scene, pki, head, accept, words):
    taken = scene.backend().address
    path = scene.file("start.conf", f"foreground = yes\nsyslog = no\n{head}\n[tls]\naccept = {accept.format(taken=taken)}\n"
                                    f"connect = 9\ncert = {pki.server.bundle}\n")
    done = scene.run("run", path)
    assert done.returncode == FAILED
    assert words in done.stderr


@pytest.mark.root
@pytest.mark.parametrize("head, accept, status, words", [
    ("", "127.0.0.1:1", 77, ": a port below 1024 needs root or CAP_NET_BIND_SERVICE"),
    ("setuid = 1", "127.0.0.1:0", 77, "setuid: Operation not permitted (1); only root may do that: start as root, or leave out setuid"),
    ("chroot = /", "127.0.0.1:0", 77, "chroot: Operation not permitted (1); only root may do that: start as root, or leave out chroot"),
], ids=["port", "setuid", "chroot"])
def test_what_only_root_may_do_is_said(head, accept, status, words):
    text = f"foreground = yes\nsyslog = no\n{head}\n[t]\nclient = yes\naccept = {accept}\nconnect = 9\n"
    with tempfile.TemporaryDirectory() as folder:  # of the tree's own, others may not enter some
        os.chmod(folder, 0o755)
        done = subprocess.run([shutil.copy(GINNEL, folder), "-fd", "0"], input=text, text=True, capture_output=True, cwd="/",
                              timeout=DEADLINE, check=False, user="nobody", group="nogroup", extra_groups=[])
    assert done.returncode == status
    assert words in done.stderr


def test_an_unwritable_log_file_is_named_and_exits_1(scene, pki):
    with pytest.raises(NotStarted) as refused:
        scene.daemon(
            whole=f"foreground = yes\nsyslog = no\noutput = /nonexistent/dir/log\n"
            f"[tls]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {pki.server.bundle}\n"
        )
    assert refused.value.status in (FAILED, CONFIG)
    assert "/nonexistent/dir/log" in refused.value.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_during_start_ends_it(scene, good, number):
    """Whenever it comes, the process ends; with 0 if it was up, by the signal if it was not."""
    for _ in range(5):
        child = subprocess.Popen(
            [GINNEL, good], stderr=subprocess.DEVNULL, cwd=scene.folder, env=environment(str(scene.folder))
        )
        pidfd = os.pidfd_open(child.pid)
        child.send_signal(number)
        try:
            assert exited(pidfd, DEADLINE)
            assert child.wait() in (0, -number)
        finally:
            child.kill()
            child.wait()
            os.close(pidfd)
