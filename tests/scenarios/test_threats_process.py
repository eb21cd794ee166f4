# SPDX-License-Identifier: Apache-2.0
# What the process must not give away or keep, and what scanners and a thousand reloads must find.
import os
import re
import shutil
import subprocess

import pytest

from lib.daemon import GINNEL, SANITIZED, NotStarted
from lib.peer import connect_tls, echo
from lib.wait import DEADLINE, until

root_only = pytest.mark.root


@pytest.fixture
def reachable(scene):
    """The daemon's folder belongs to nobody, who can reach it."""
    folder = scene.folder / "ginnel"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    path = str(folder)
    while path.startswith("/tmp/"):
        os.chmod(path, os.stat(path).st_mode | 0o011)
        path = os.path.dirname(path)


def test_the_environment_cannot_make_it_write_session_secrets(scene, tmp_path):
    keys = tmp_path / "keys"
    daemon = scene.server_mode(scene.server(echo), env={"SSLKEYLOGFILE": str(keys)})
    near = scene.tls(daemon.port("tls"))
    near.send(b"x")
    assert near.recv(1) == b"x"
    assert not keys.exists()


def test_no_key_stands_in_what_the_system_shows_of_the_process(scene, pki):
    daemon = scene.server_mode(scene.server(echo), "key = " + pki.server.key)
    secrets = [piece.encode() for piece in pki.server.secrets()]
    for name in ("environ", "cmdline", "maps", "status"):
        with open(f"/proc/{daemon.pid}/{name}", "rb") as file:
            shown = file.read()
        assert shown or name == "environ"
        assert not any(secret in shown for secret in secrets), name


@root_only
def test_it_leaves_no_core_and_lets_nobody_look_inside(scene, reachable):
    """An undumpable process belongs to root in /proc, whoever runs it."""
    daemon = scene.server_mode(scene.backend(), head="setuid = nobody\nsetgid = nogroup\n")
    with open(f"/proc/{daemon.pid}/limits", encoding="ascii") as file:
        core = re.search(r"^Max core file size +(\d+) +(\d+)", file.read(), re.M)
    assert core.groups() == ("0", "0")
    assert os.stat(f"/proc/{daemon.pid}/mem").st_uid == 0


@root_only
def test_setuid_alone_keeps_no_group_of_root(scene, reachable):
    """Supplementary groups of whoever started it are rights, too."""
    daemon = scene.server_mode(
        scene.backend(), head="setuid = nobody\n", preexec=lambda: os.setgroups([0, 4, 42])
    )
    status = daemon.process_status()
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Groups"].split() == []
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_a_failed_start_leaves_no_pid_file(scene):
    text = scene.section("tls", scene.backend(), f"cert = {scene.pki.server.bundle}")
    pid = scene.folder / "ginnel" / "pid"
    with pytest.raises(NotStarted):
        scene.daemon(text, "output = /nonexistent/log\n", daemonise=True)
    assert not pid.exists()


def test_a_nul_byte_from_a_descriptor_is_refused_not_an_end(scene):
    """What stands behind it would be left out silently."""
    good = scene.section("a", scene.backend(), "client = yes")
    bad = scene.file("nul.conf", (good + "\0\n[b]\nnonsense\n").encode())
    with open(bad, "rb") as file:
        done = subprocess.run([GINNEL, "-fd", "0"], stdin=file, capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode != 0 and b"NUL" in done.stderr


@pytest.mark.skipif(SANITIZED, reason="memory figures mean nothing under a sanitizer")
def test_a_thousand_reloads_beside_running_tunnels_leave_nothing_behind(scene, pki):
    daemon = scene.server_mode(scene.server(echo), head="debug = info\n")
    port, context = daemon.port("tls"), pki.client_context()
    steady = scene.tls(port, context)

    def reload(times):
        for _ in range(times):
            daemon.reload()
            steady.send(b"old")
            assert steady.recv(3) == b"old"
            with connect_tls(port, context) as near:
                near.send(b"new")
                assert near.recv(3) == b"new"

    reload(100)
    until(lambda: len(daemon.ends()) == 100, "the end of the new tunnels")
    memory, descriptors = daemon.resident_kib(), daemon.descriptors()
    reload(1000)
    daemon.await_descriptors(descriptors)
    assert daemon.resident_kib() - memory < 1024


@pytest.mark.skipif(shutil.which("sslscan") is None, reason="NOT TESTED: sslscan is not installed")
def test_sslscan_finds_nothing_weak_in_the_default_configuration(scene):
    daemon = scene.server_mode(scene.server(echo))
    done = subprocess.run(
        ["sslscan", "--no-colour", "--show-certificate", f"127.0.0.1:{daemon.port('tls')}"],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout
    offered = re.findall(r"^(SSLv\d|TLSv1\.\d) +enabled", done, re.M)
    assert offered == ["TLSv1.2", "TLSv1.3"]
    assert "Compression disabled" in done or "OpenSSL version does not support compression" in done
    assert "Session renegotiation not supported" in done or "Secure session renegotiation supported" in done
    assert not re.search(r"\bvulnerable\b", done.replace("not vulnerable", ""))
    ciphers = re.findall(r"^(?:Preferred|Accepted) +TLSv1\.\d +(\d+) bits +(\S+)", done, re.M)
    assert ciphers and all(int(bits) >= 128 for bits, _ in ciphers)
    assert not [name for _, name in ciphers if re.search(r"NULL|EXP|RC4|DES|MD5|anon|ADH|AECDH", name)]
