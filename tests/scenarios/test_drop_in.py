# SPDX-License-Identifier: Apache-2.0
# What somebody notices, or must not notice, who puts ginnel in stunnel's place: rows of docs/stunnel-compat.md.
import os
import re
import socket
import subprocess

import pytest

from lib.daemon import GINNEL, Daemon, NotStarted
from lib.peer import echo, greeter
from lib.ports import Nobody, free_port
from lib.wait import DEADLINE

CONFIG = 78
PLAIN = "acceptTLS = no\nconnectTLS = no\naccept = 127.0.0.1:0\n"


def checked(scene, text, name="test.conf"):
    """(exit status, what `check` says) of a configuration."""
    done = scene.run("check", scene.file(name, text))
    return done.returncode, done.stderr


# --- the file


def test_a_carriage_return_is_dropped_wherever_it_stands(scene):
    server = scene.server(echo)
    daemon = scene.daemon(f"[r]\r\n{PLAIN}con\rnect = {server.address}\r\r\n")
    assert scene.connect(daemon.port("r")).send(b"ping").recv(4) == b"ping"


@pytest.mark.parametrize("header, name", [("[ a b ]", " a b "), ("[]", ""), ("[x=y]", "x=y"), ("[a]b]", "a]b")])
def test_a_sections_name_is_all_between_the_outer_brackets(scene, header, name):
    daemon = scene.daemon(f"{header}\n{PLAIN}connect = 127.0.0.1:9\n")
    assert daemon.ports(name)


def test_a_note_behind_a_sections_header_is_refused(scene):
    status, said = checked(scene, f"[x] ; note\n{PLAIN}connect = 127.0.0.1:9\n")
    assert status == CONFIG and ":1: " in said and "a comment needs a line of its own" in said


def test_quotes_are_ordinary_characters(scene):
    status, said = checked(scene, f'[x]\n{PLAIN}connect = 127.0.0.1:9\nclient = "yes"\n')
    assert status == CONFIG and ":6: client: " in said


def test_only_the_first_equals_sign_separates(scene):
    daemon = scene.daemon(
        f"[x]\naccept = 127.0.0.1:0\ncert = {scene.pki.server.bundle}\nexec = /usr/bin/env\nexecArgs = env A=B=C /bin/sh "
        "-c echo${IFS}$A\n")
    assert scene.tls(daemon.port("x")).rest()[0] == b"B=C\n"


def test_an_empty_value_takes_back_a_default(scene):
    head = "pid =\nCAfile = /nonexistent\nCApath = /nonexistent\nCRLfile = /nonexistent\nCRLpath = /nonexistent\n"
    empty = "CAfile =\nCApath =\nCAstore =\nCRLfile =\nCRLpath =\n"
    service = "[x]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\n{}sni =\n"
    assert checked(scene, head + service.format(empty))[0] == 0
    assert checked(scene, head + service.format(""))[0] == CONFIG


def test_two_sections_may_have_one_name(scene):
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    daemon = scene.daemon(f"[x]\n{PLAIN}connect = {one.address}\n[x]\n{PLAIN}connect = {two.address}\n")
    assert [scene.connect(port).recv(1) for port in daemon.ports("x")] == [b"1", b"2"]


def test_lists_are_appended_to_their_default(scene):
    """The default's target comes first; the section's is tried when that fails."""
    dead, server = Nobody(), scene.server(greeter(b"x"))
    daemon = scene.daemon(f"[x]\n{PLAIN}connect = {server.address}\n", f"connect = {dead.address}\n")
    assert scene.connect(daemon.port("x")).recv(1) == b"x"
    daemon.wait_log(f"s_connect: connect {dead.address}: Connection refused")


def test_a_section_begins_with_the_defaults_and_not_with_the_last_section(scene, pki):
    daemon = scene.daemon(
        "[one]\naccept = 127.0.0.1:0\nsslVersion = TLSv1.2\n[two]\naccept = 127.0.0.1:0\n",
        f"cert = {pki.server.bundle}\nconnect = {scene.server(echo).address}\n")
    assert [scene.tls(daemon.port(name)).version for name in ("one", "two")] == ["TLSv1.2", "TLSv1.3"]


def test_a_global_option_is_refused_in_an_included_file_too(scene):
    scene.file("conf.d/1.conf", "chroot = /tmp\n")
    status, said = checked(scene, f"[x]\n{PLAIN}connect = 127.0.0.1:9\ninclude = {scene.folder}/conf.d\n")
    assert status == CONFIG and "conf.d/1.conf:1: chroot: " in said


def test_what_stands_below_an_include_belongs_to_its_last_section(scene):
    scene.file("conf.d/1.conf", f"\ufeff[one]\n{PLAIN}")
    scene.file("conf.d/2.conf", f"connect = 127.0.0.1:9\n[two]\n{PLAIN}")
    os.mkdir(scene.folder / "conf.d" / "3.conf")
    daemon = scene.daemon(f"include = {scene.folder}/conf.d\nconnect = 127.0.0.1:9\n")
    assert daemon.ports("one") and daemon.ports("two")
    assert daemon.log().count("UTF-8 byte order mark detected") == 1


def test_an_include_is_a_directory(scene):
    one = scene.file("one.conf", f"[x]\n{PLAIN}connect = 127.0.0.1:9\n")
    status, said = checked(scene, f"include = {one}\n")
    assert status == CONFIG and ":1: include: " in said


def test_a_port_by_its_name(scene):
    status, said = checked(scene, f"[x]\n{PLAIN}connect = localhost:imaps\nconnect = pop3s\n")
    assert status == 0, said
    assert checked(scene, f"[x]\n{PLAIN}connect = localhost:nosuchservice\n")[0] == CONFIG


def test_a_port_alone_is_bound_for_everybody(scene):
    port, server = free_port(), scene.server(echo)
    daemon = scene.daemon(f"[x]\nacceptTLS = no\nconnectTLS = no\naccept = {port}\nconnect = {server.address}\n")
    daemon.wait_log(rf"Service \[x\] \(FD=\d+\) bound to 0\.0\.0\.0:{port}$")
    assert scene.connect(("127.0.0.2", port)).send(b"ping").recv(4) == b"ping"


def test_three_colons_are_both_families(scene):
    server = scene.server(echo)
    daemon = scene.daemon(f"[x]\nacceptTLS = no\nconnectTLS = no\naccept = :::0\nconnect = {server.address}\n")
    port = daemon.port("x")
    for host in ("::1", "127.0.0.1"):
        assert scene.connect((host, port)).send(b"ping").recv(4) == b"ping"
    daemon.wait_log(r"accepted connection from ::1:\d+$")


def test_one_address_that_is_taken_does_not_stop_the_others(scene):
    taken = scene.backend()
    server = scene.server(echo)
    daemon = scene.daemon(f"[x]\n{PLAIN}accept = {taken.address}\nconnect = {server.address}\n")
    daemon.wait_log(rf"LOG5\[\w+\]: Binding service \[x\] to {taken.address}: Address already in use \(98\)")
    assert scene.connect(daemon.port("x")).send(b"ping").recv(4) == b"ping"


@pytest.mark.parametrize("line", [
    "protocolCredentials = a:b", "nsi = x:y", "xforwardedfor = yes", "listenqueue = 9", "iconActive = a", "iconError = a",
    "iconIdle = a", "taskbar = yes", "sslVersion = SSLv2",
])
def test_what_is_gone_there_is_gone_here(scene, line):
    for text in (f"{line}\n[x]\n{PLAIN}connect = 9\n", f"[x]\n{PLAIN}connect = 9\n{line}\n"):
        assert checked(scene, text)[0] == CONFIG
    assert checked(scene, f"compression = rle\n[x]\n{PLAIN}connect = 9\n")[0] == CONFIG


# --- options


DEFAULTS = {
    "ciphers": "HIGH:!aNULL:!SSLv2:!DH:!kDHEPSK",
    "ciphersuites": "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
    "curves": "X25519:P-256:X448:P-521:P-384",
    "client": "no", "delay": "no", "failover": "prio", "foreground": "no", "libwrap": "no", "log": "append",
    "logId": "sequential", "OCSPaia": "no", "OCSPnonce": "no", "OCSPrequire": "yes", "pty": "no", "reset": "yes",
    "retry": "no", "sessionCacheSize": "1000", "sessionCacheTimeout": "300", "sessionResume": "yes", "syslog": "yes",
    "TIMEOUTbusy": "300", "TIMEOUTclose": "60", "TIMEOUTconnect": "10", "TIMEOUTidle": "43200", "TIMEOUTocsp": "5",
    "transparent": "none",
}


def test_the_defaults(scene):
    said = dict(re.findall(r"^(\w+) += .*\(default: (.*)\)$", scene.run("-help").stderr, re.M))
    assert {name: said.get(name) for name in DEFAULTS} == DEFAULTS
    assert "(default: daemon.notice)" in scene.run("-help").stderr  # of debug, which is there twice


def test_each_spelling_of_debug(scene):
    facilities = ("auth cron daemon kern lpr mail news syslog user uucp authpriv ftp".split() +
                  [f"local{n}" for n in range(8)])
    levels = "emerg alert crit err warning notice info debug".split() + [str(n) for n in range(8)]
    text = "".join(f"debug = {facility}.{level}\n" for facility, level in zip(facilities, levels * 2))
    text += "".join(f"debug = {level}\nDEBUG = {level.upper()}\n" for level in levels)
    status, said = checked(scene, f"{text}[x]\n{PLAIN}connect = 127.0.0.1:9\n")
    assert status == 0, said
    for bad in ("daemon.", "nobody.info", "8", "warn", "-1", ".info", ""):
        assert checked(scene, f"debug = {bad}\n[x]\n{PLAIN}connect = 127.0.0.1:9\n")[0] == CONFIG, bad


SOCKET_OPTIONS = """SO_DEBUG=no SO_DONTROUTE=0 SO_KEEPALIVE=yes SO_OOBINLINE=1 SO_REUSEADDR=yes TCP_NODELAY=no IP_FREEBIND=no
IPV6_V6ONLY=no SO_RCVBUF=65536 SO_SNDBUF=65536 SO_RCVLOWAT=1 SO_SNDLOWAT=1 TCP_KEEPCNT=9 TCP_KEEPIDLE=60 TCP_KEEPINTVL=5
IP_TOS=16 IP_TTL=64 SO_LINGER=1:60 SO_LINGER=0 SO_RCVTIMEO=1:5 SO_SNDTIMEO=9 SO_BINDTODEVICE=lo IP_TOS=""".split()


def test_every_socket_option(scene):
    server = scene.server(echo)
    lines = "".join(f"socket = {letter}:{option}\n" for option in SOCKET_OPTIONS for letter in "lr")
    lines += "".join(f"socket = a:{option}\n" for option in SOCKET_OPTIONS if "SO_DEBUG" not in option)
    daemon = scene.daemon(f"[x]\n{PLAIN}connect = {server.address}\n{lines}")
    assert scene.connect(daemon.port("x")).send(b"ping").recv(4) == b"ping"
    for bad in ("l:so_keepalive=yes", "L:SO_KEEPALIVE=yes", "l:SO_KEEPALIVE=perhaps", "l:TCP_MAXSEG=1400"):
        assert checked(scene, f"[x]\n{PLAIN}connect = 9\nsocket = {bad}\n")[0] == CONFIG


def test_a_socket_option_that_fails_warns_or_forbids_to_bind(scene):
    server = scene.server(echo)
    daemon = scene.daemon(
        f"[x]\n{PLAIN}connect = {server.address}\nsocket = l:SO_BINDTODEVICE=nowhere\nsocket = r:SO_BINDTODEVICE=nowhere\n")
    assert scene.connect(daemon.port("x")).send(b"ping").recv(4) == b"ping"
    daemon.wait_log(r"LOG4\[\d+\]: .*SO_BINDTODEVICE.*", count=2)
    with pytest.raises(NotStarted):
        scene.daemon(f"[x]\n{PLAIN}connect = 9\nsocket = a:SO_BINDTODEVICE=nowhere\n", name="second")


def test_a_time_out_below_0_is_the_longest_that_there_is(scene):
    server = scene.server(echo)
    lines = "".join(f"TIMEOUT{what} = -1\n" for what in ("busy", "close", "connect", "idle", "ocsp"))
    daemon = scene.daemon(f"[x]\n{PLAIN}connect = {server.address}\n{lines}")
    near = scene.connect(daemon.port("x"))
    assert near.send(b"ping").recv(4) == b"ping"
    assert near.quiet(0.3) and near.send(b"ping").recv(4) == b"ping"


@pytest.mark.parametrize("lines, words", [
    ("", [b"4"] * 4), ("failover = rr\n", [b"4", b"6"] * 2), ("failover = rr\ndelay = yes\n", [b"4"] * 4),
])
def test_turns_are_taken_among_the_addresses_of_one_line(scene, lines, words):
    """A port alone has two addresses."""
    port = scene.two_families()[0].port
    daemon = scene.daemon(f"[x]\n{PLAIN}connect = {port}\n{lines}", "workers = 1\n")
    assert [scene.connect(daemon.port("x")).recv(1) for _ in words] == words


def test_a_failed_handshake_tries_no_other_target(scene, pki):
    foreign = scene.server(echo, pki.server_context(pki.foreign))
    good = scene.server(echo, pki.server_context())
    daemon = scene.client_mode(foreign, f"connect = {good.address}", f"CAfile = {pki.ca.path}", "verifyChain = yes")
    near = scene.connect(daemon.port("plain"))
    near.rest()
    daemon.wait_end(count=1)
    assert (foreign.served, good.served) == (1, 0)


def test_an_empty_sni_sends_none(scene, pki):
    names = []
    context = pki.server_context()
    context.sni_callback = lambda _, name, __: names.append(name)
    backend = scene.server(echo, context)
    port = backend.port
    daemon = scene.daemon(
        f"[none]\nclient = yes\naccept = 127.0.0.1:0\nconnect = localhost:{port}\nsni =\n"
        f"[host]\nclient = yes\naccept = 127.0.0.1:0\nconnect = localhost:{port}\n"
        f"[address]\nclient = yes\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:{port}\n")
    for service in ("none", "host", "address"):
        assert scene.connect(daemon.port(service)).send(b"ping").recv(4) == b"ping"
    assert names == [None, "localhost", None]


def test_clearing_an_option_beats_setting_it(scene, pki):
    daemon = scene.server_mode(scene.server(echo), "options = -NO_TLSv1_3", "options = NO_TLSv1_3")
    assert scene.tls(daemon.port("tls")).version == "TLSv1.3"


def test_the_security_level_is_two(scene, pki):
    """A key of 1024 bits is below it; securityLevel = 1 takes it."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=small", "-keyout", scene.folder / "k",
         "-out", scene.folder / "c"], check=True, capture_output=True)
    text = f"[x]\naccept = 127.0.0.1:0\nconnect = 9\ncert = {scene.folder}/c\nkey = {scene.folder}/k\n"
    status, said = checked(scene, text)
    assert status == CONFIG and "too small" in said
    assert checked(scene, f"{text}securityLevel = 1\n")[0] == 0


def test_the_names_of_the_cas_are_sent(scene, pki):
    daemon = scene.server_mode(scene.server(echo), f"CAfile = {pki.ca.path}", "verifyChain = yes", "sslVersion = TLSv1.2")
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port('tls')}"], input="", capture_output=True, text=True,
        timeout=DEADLINE, check=False)
    assert re.search(r"^Acceptable client certificate CA names\n.*Good CA$", done.stdout, re.M), done.stdout


def test_a_key_that_others_can_read_is_warned_of(scene, pki):
    key = scene.file("open.key", open(pki.server.key).read())
    os.chmod(key, 0o644)
    text = f"[x]\naccept = 127.0.0.1:0\nconnect = 127.0.0.1:9\ncert = {pki.server.path}\nkey = {key}\n"
    status, said = checked(scene, text)
    assert status == 0 and f"{key} can be read or changed by others" in said
    assert checked(scene, f"{text}strictPermissions = yes\n")[0] == CONFIG


def test_transparent_is_nothing_for_a_program(scene):
    text = "[x]\naccept = 127.0.0.1:0\nexec = /usr/bin/env\ntransparent = source\n" + f"cert = {scene.pki.server.bundle}\n"
    daemon = scene.daemon(text)
    said = scene.tls(daemon.port("x")).rest()[0].decode()
    assert "REMOTE_HOST=127.0.0.1\n" in said and "LD_PRELOAD" not in said
    assert "transparent" in checked(scene, text)[1]


# --- the process


@pytest.mark.parametrize("name", ["ginnel", "stunnel"])
def test_the_file_that_is_read_by_default(scene, name):
    link = scene.folder / name
    link.symlink_to(GINNEL)
    done = subprocess.run([link], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE, check=False)
    path = re.search(rf"/\S*/{name}/{name}\.conf", done.stderr)
    if path and os.path.exists(path[0]):
        pytest.skip(f"NOT TESTED: there is a {path[0]}")
    assert done.returncode != 0 and path, done.stderr


def test_a_link_that_was_turned_is_followed_by_a_reload(scene):
    """As a mounted ConfigMap does: the name is a link, and the new file is somewhere else."""
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    head = f"foreground = yes\nsyslog = no\noutput = {scene.folder}/ginnel/log\ndebug = debug\n"
    link = scene.folder / "link.conf"
    link.symlink_to(scene.file("1.conf", f"{head}[x]\n{PLAIN}connect = {one.address}\n"))
    daemon = scene.daemon(args=[str(link)])
    turned = scene.folder / "turned"
    turned.symlink_to(scene.file("2.conf", f"{head}[x]\n{PLAIN}connect = {two.address}\n"))
    os.replace(turned, link)
    daemon.reload()
    assert scene.connect(daemon.port("x")).recv(1) == b"2"


def test_a_descriptor_is_not_read_again(scene):
    server = scene.server(greeter(b"x"))
    text = (f"foreground = yes\nsyslog = no\noutput = {scene.folder}/ginnel/log\ndebug = debug\n"
            f"[x]\n{PLAIN}connect = {server.address}\n")
    with open(scene.file("fd.conf", text), "rb") as file:
        daemon = scene.daemon(args=["-fd", "0"], stdin=file)
    said = daemon.reload(good=False)
    assert re.search(r"LOG3\[\w+\]: .*descriptor 0", said), said
    assert scene.connect(daemon.port("x")).recv(1) == b"x"


def test_relative_names_are_those_of_the_start(scene, pki):
    """A daemon's directory is /; a reload still finds file and certificate."""
    server = scene.server(echo)
    (scene.folder / "ginnel").mkdir()
    for name in ("ginnel/own.pem", "own.pem"):
        scene.file(name, open(pki.server.bundle).read())
    daemon = scene.daemon(scene.section("tls", server, "cert = own.pem"), args=["ginnel.conf"], daemonise=True)
    assert os.readlink(f"/proc/{daemon.pid}/cwd") == "/"
    daemon.reload()
    assert scene.tls(daemon.port("tls")).send(b"ping").recv(4) == b"ping"


def test_the_log_may_be_standard_output(scene):
    """As a container wants it."""
    path = scene.file("x.conf", f"foreground = quiet\nsyslog = no\noutput = /dev/stdout\n[x]\n{PLAIN}connect = 127.0.0.1:9\n")
    with subprocess.Popen([GINNEL, path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as daemon:
        try:
            assert re.search(r" LOG5\[ui\]: Configuration successful\n$", next(
                line for line in daemon.stdout if "Configuration" in line))
        finally:
            daemon.terminate()
        assert daemon.wait(DEADLINE) == 0


@pytest.mark.parametrize("daemonise, name", [(False, "ui"), (True, "main")])
def test_the_main_thread_is_ui_and_as_a_daemon_main(scene, daemonise, name):
    daemon = scene.daemon(f"[x]\n{PLAIN}connect = 127.0.0.1:9\n", daemonise=daemonise)
    assert f"LOG6[{name}]: Accepting new connections\n" in daemon.log()
    assert "LOG5[ui]: Configuration successful\n" in daemon.log()


WITH_A_LOG = """
set -e
mount --make-rprivate /
mkdir dev && touch dev/null dev/urandom
mount --bind /dev/null dev/null && mount --bind /dev/urandom dev/urandom
ln log-socket dev/log
mount --rbind dev /dev
exec "$@"
"""


@pytest.mark.root
@pytest.mark.parametrize("called, line, name", [
    ("ginnel", "", "ginnel"), ("stunnel", "", "stunnel"), ("ginnel", "service = mail-tunnel\n", "mail-tunnel"),
])
def test_the_name_for_syslog(scene, monkeypatch, called, line, name):
    """RFC 3164 as the library writes it: <facility * 8 + level>, time, name without a process number, text."""
    folder, program = scene.folder / "ginnel", scene.folder / "bin" / called
    folder.mkdir()
    program.parent.mkdir()
    program.symlink_to(GINNEL)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(folder / "log-socket"))
        log.settimeout(DEADLINE)
        monkeypatch.setattr(Daemon, "program", "unshare")
        daemon = scene.daemon(
            whole=f"foreground = yes\noutput = {folder}/log\ndebug = local3.debug\n{line}[x]\n{PLAIN}connect = 127.0.0.1:9\n",
            args=["-m", "sh", "-c", WITH_A_LOG, "sh", str(program), str(folder / "ginnel.conf")])
        seen = b""
        while b"Accepting new connections" not in seen:
            seen = log.recv(4096)
    assert re.fullmatch(rf"<{19 * 8 + 6}>\w{{3}} [ \d]\d \d\d:\d\d:\d\d {name}: LOG6\[\w+\]: Accepting new connections\W*",
                        seen.decode())
    assert daemon.alive
