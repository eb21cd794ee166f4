# SPDX-License-Identifier: Apache-2.0
# The sandbox: when it is on, that it holds for every thread, and that what must work inside works.
import os
import signal

import pytest

from lib.daemon import SANITIZED, NotStarted
from lib.peer import echo

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizer builds have no sandbox, and say so")

FILTERED = "2"  # SECCOMP_MODE_FILTER, proc(5)


def threads(daemon):
    """The status of each thread."""
    for thread in os.listdir(f"/proc/{daemon.pid}/task"):
        with open(f"/proc/{daemon.pid}/task/{thread}/status", encoding="ascii", errors="replace") as file:
            yield dict(line.split(":", 1) for line in file.read().splitlines())


def alive(scene, daemon, service="tls"):
    near = scene.tls(daemon.port(service))
    near.send(b"ping")
    assert near.recv(4) == b"ping"


def test_with_yes_every_thread_is_confined_and_serves(scene):
    daemon = scene.server_mode(scene.server(echo), head="sandbox = yes\n")
    alive(scene, daemon)
    daemon.wait_log("Sandbox: no new privileges, Landlock, seccomp$")
    seen = [(t["Seccomp"].strip(), t["NoNewPrivs"].strip()) for t in threads(daemon)]
    assert len(seen) > 2 and set(seen) == {(FILTERED, "1")}


def test_inside_reloads_logs_and_lists_work(scene):
    daemon = scene.server_mode(scene.server(echo), head="sandbox = yes\n")
    daemon.reload()
    os.rename(daemon.log_path, daemon.log_path + ".1")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_log("Log file reopened")
    daemon.signal(signal.SIGUSR2)
    daemon.wait_log("Listed 0 active connection")


def test_inside_the_log_cannot_go_to_another_place(scene):
    """Where it may write was settled at the start; the reload is refused, and all stays as it was."""
    daemon = scene.server_mode(scene.server(echo), head="sandbox = yes\n")
    elsewhere = scene.folder / "elsewhere"
    elsewhere.mkdir()
    text = open(daemon.path, encoding="utf-8").read()
    daemon.write(whole=text.replace(daemon.log_path, str(elsewhere / "log")))
    assert "Permission denied" in daemon.reload(good=False)
    alive(scene, daemon)


def test_without_a_helper_it_is_off_and_says_why(scene):
    daemon = scene.server_mode(scene.server(echo))
    daemon.wait_log("Sandbox: no new privileges; off: there is no privileged helper")
    assert {t["Seccomp"].strip() for t in threads(daemon)} == {"0"}


@pytest.mark.root
def test_with_setuid_it_is_on(scene):
    daemon = scene.server_mode(scene.server(echo), head="setuid = nobody\n", **unprivileged(scene))
    daemon.wait_log("Sandbox: no new privileges, Landlock, seccomp$")
    alive(scene, daemon)


@pytest.mark.root
def test_no_takes_it_off(scene):
    daemon = scene.server_mode(scene.server(echo), head="setuid = nobody\nsandbox = no\n", **unprivileged(scene))
    daemon.wait_log("Sandbox: no new privileges; off: sandbox = no")


@pytest.mark.root
def test_with_programs_it_is_off_unless_asked_for(scene):
    text = f"[p]\naccept = 127.0.0.1:0\nexec = /bin/cat\ncert = {scene.pki.server.bundle}\n"
    daemon = scene.daemon(text, "setuid = nobody\n", **unprivileged(scene))
    daemon.wait_log("Sandbox: new privileges for programs; off: programs would inherit it")
    alive(scene, daemon, "p")


@pytest.mark.parametrize("pty", ["no", "yes"])
def test_programs_run_in_a_sandbox_that_was_asked_for(scene, pty):
    text = f"[p]\naccept = 127.0.0.1:0\nexec = /bin/cat\npty = {pty}\ncert = {scene.pki.server.bundle}\n"
    daemon = scene.daemon(text, "sandbox = yes\n")
    near = scene.tls(daemon.port("p")).send(b"ping\n")
    assert near.recv(4) == b"ping"


def test_a_program_that_comes_with_a_reload_is_refused(scene):
    daemon = scene.server_mode(scene.server(echo), head="sandbox = yes\n")
    daemon.write(f"[p]\naccept = 127.0.0.1:0\nexec = /bin/cat\ncert = {scene.pki.server.bundle}\n")
    assert "exec is new, and the sandbox was entered without programs" in daemon.reload(good=False)
    alive(scene, daemon)


def unprivileged(scene):
    """A log that nobody can write, reachable for nobody."""
    logs = scene.folder / "logs"
    logs.mkdir()
    os.chown(logs, 65534, 65534)
    path = str(logs)
    while path.startswith("/tmp/"):
        os.chmod(path, os.stat(path).st_mode | 0o011)
        path = os.path.dirname(path)
    return {"log_path": str(logs / "log")}


def test_a_wrong_word_is_refused(scene):
    with pytest.raises(NotStarted) as refused:
        scene.server_mode(scene.server(echo), head="sandbox = perhaps\n")
    assert "sandbox" in refused.value.stderr
