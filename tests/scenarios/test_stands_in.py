# SPDX-License-Identifier: Apache-2.0
# Called by the name of stunnel: command line, first lines, exit statuses and the form of errors.
import os
import re
import subprocess

import pytest

from lib.daemon import GINNEL, Daemon, NotStarted
from lib.peer import echo
from lib.wait import DEADLINE

BANNER = r"stunnel 5\.75 on \S+-linux-gnu platform"


@pytest.fixture(params=["stunnel", "stunnel4"])
def stunnel(request, scene):
    """The link that a package installs."""
    link = scene.folder / request.param
    link.symlink_to(GINNEL)
    return str(link)


def call(program, *args, text=None):
    return subprocess.run(
        [program, *map(str, args)], input=text, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


@pytest.mark.parametrize("flag, shown", [
    ("-version", r"^\S+ += \S+"),
    ("-help", r"^TIMEOUTidle +="),
    ("-options", r"^options = NO_TICKET$"),
    ("-sockets", r"^    TCP_NODELAY         \|    --    \|       yes\|       yes\|        no$"),
    ("-VERSION", r"^\S+ += \S+"),
])
def test_information_is_on_standard_error_behind_the_banner(stunnel, flag, shown):
    done = call(stunnel, flag, "and", "more")
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "Initializing inetd mode configuration"
    assert re.fullmatch(BANNER, lines[1])
    assert re.match(r"(Compiled/running|Compiled) with OpenSSL \d", lines[2])
    threading = next(i for i, line in enumerate(lines) if re.match(r"Threading:\S+ Sockets:\S*IPv6\S* TLS:\S*SNI", line))
    assert " " in lines[threading + 1 :]
    assert re.search(shown, done.stderr, re.M)
    assert "ginnel" in done.stderr  # who wants to know it, is told


def test_by_its_own_name_it_is_ginnel(scene):
    done = call(GINNEL, "-version")
    assert done.stderr.startswith("ginnel ")


@pytest.mark.parametrize("args, text, said", [
    (["-fd"], None, ["[!] No file descriptor specified", "[.] Syntax:"]),
    (["/nonexistent"], None, ['[!] Invalid configuration file name "/nonexistent"',
                              "[!] realpath: No such file or directory (2)"]),
    (["-unknown"], None, ['[!] Invalid configuration file name "-unknown"']),
    (["--help"], None, ['[!] Invalid configuration file name "--help"']),
    (["check"], None, ['[!] Invalid configuration file name "check"']),
    (["-fd", "0", "more"], "output = x\nfoo = bar\n",
     ["[.] Reading configuration from descriptor 0", "[.] UTF-8 byte order mark not detected",
      '[!] 0:2: "foo = ...": Specified option name is not valid here', "[!] Configuration failed"]),
    (["-fd", "0"], "foreground = yes\n[x]\naccept = 127.0.0.1:0\nconnect = 9\n",
     ["[!] Service [x]: TLS server needs a certificate", "[!] Configuration failed"]),
    (["-fd", "0"], "foreground = yes\n[x]\naccept = 127.0.0.1:0\ncert = x\n TIMEOUTbusy = soon\n",
     ['[!] 0:5: " TIMEOUTbusy = soon": ', "[!] Configuration failed"]),
])
def test_failures_have_its_form_and_status(stunnel, args, text, said):
    done = call(stunnel, *args, text=text)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"\[\.\] " + BANNER, lines[0])
    for start in said:
        assert any(line.startswith(start) for line in lines), (start, done.stderr)


def test_no_secret_is_in_an_error(stunnel):
    done = call(stunnel, "-fd", "0", text="[x]\nticketKeySecret = tops3cret\nprotocolPasswort = tops3cret\n")
    assert done.returncode == 1 and "tops3cret" not in done.stderr
    assert '"ticketKeySecret = ..."' in done.stderr


@pytest.fixture
def standing_in(stunnel, monkeypatch):
    monkeypatch.setattr(Daemon, "program", stunnel)


def test_the_log_begins_as_its_log_does(standing_in, scene):
    daemon = scene.server_mode(scene.server(echo))
    lines = [line.split("]: ", 1)[1] for line in daemon.log().splitlines()]
    assert re.fullmatch(BANNER, lines[0])
    start = lines.index(f"Reading configuration from file {os.path.realpath(daemon.path)}")
    after = lines[start:]
    order = ["Reading configuration", "UTF-8 byte order mark", "Configuration successful", "Service [tls] (FD=",
             "Accepting new connections"]
    places = [next(i for i, line in enumerate(after) if line.startswith(text)) for text in order]
    assert places == sorted(places)


def test_a_client_that_verifies_nobody_is_warned_of_in_its_words(standing_in, scene):
    daemon = scene.client_mode(scene.server(echo, scene.pki.server_context()))
    daemon.wait_log(r"LOG4\[ui\]: Service \[plain\] needs authentication to prevent MITM attacks")
    lines = ("client = yes", f"CAfile = {scene.pki.ca.path}", "verifyChain = yes")
    daemon = scene.daemon(scene.section("x", "127.0.0.1:9", *lines), name="two")
    daemon.wait_log(r'LOG4\[ui\]: Service \[x\] uses "verifyChain" without subject checks')


def test_a_failed_daemon_ends_with_its_status(standing_in, scene):
    for text in ("nonsense\n", scene.section("x", "127.0.0.1:9", "cert = /nonexistent")):
        with pytest.raises(NotStarted) as refused:
            scene.daemon(text, daemonise=True)
        assert refused.value.status == 1
        assert "[!] Configuration failed" in refused.value.stderr


def test_a_file_by_a_link_is_named_as_it_is(standing_in, scene):
    link = scene.folder / "link.conf"
    folder = scene.folder / "ginnel"
    folder.mkdir()
    link.symlink_to(folder / "ginnel.conf")
    daemon = scene.server_mode(scene.server(echo), args=[str(link)])
    daemon.wait_log(f"Reading configuration from file {os.path.realpath(daemon.path)}$")
    daemon.reload()
