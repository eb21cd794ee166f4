# SPDX-License-Identifier: Apache-2.0
# A configuration without a section: one client on standard input and output.
import contextlib
import os
import socket
import subprocess
import threading

import pytest

from lib.daemon import GINNEL, environment, no_sanitizer_report
from lib.peer import END, RESET, Peer, TlsPeer, greeter
from lib.wait import DEADLINE, until


class Inetd:
    """ginnel as inetd starts it: `ends` are its descriptors 0, 1 and 2."""

    def __init__(self, scene, text, stdin, stdout, stderr=subprocess.PIPE, args=None, pass_fds=()):
        self.folder = str(scene.folder)
        self.log_path = os.path.join(self.folder, "log")
        path = scene.file("inetd.conf", f"syslog = no\noutput = {self.log_path}\ndebug = debug\n{text}\n")
        self.process = subprocess.Popen(
            [GINNEL, *(args or [path])], stdin=stdin, stdout=stdout, stderr=stderr, cwd=self.folder,
            env=environment(self.folder), start_new_session=True, pass_fds=pass_fds,
        )
        scene.closers.callback(self.close)

    def wait(self):
        status = self.process.wait(DEADLINE)
        no_sanitizer_report(self.folder)
        return status

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def close(self):
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def on_socket(scene, text, **how):
    """The client's end, and the program on the other one."""
    client, server = tcp_pair()
    program = Inetd(scene, text, server, server, server, **how)
    server.close()
    client.settimeout(DEADLINE)
    scene.closers.callback(client.close)
    return client, program


@pytest.mark.sanitize
def test_tls_over_the_socket_of_inetd(scene, pki):
    server = scene.server()
    client, program = on_socket(scene, f"cert = {pki.server.bundle}\nconnect = {server.address}\nservice = mail")
    port = client.getsockname()[1]
    near = TlsPeer(client, pki.client_context(), name="localhost").send(b"hello")
    assert near.recv(5) == b"hello"
    assert near.shut().rest() == (b"", END)
    near.close()
    assert program.wait() == 0
    assert "LOG7[0]: Service [mail] started\n" in program.log()
    assert f"LOG5[0]: Service [mail] accepted connection from 127.0.0.1:{port}\n" in program.log()
    assert f"end=done service=mail peer=127.0.0.1:{port}" in program.log()


@pytest.mark.sanitize
def test_a_program_behind_inetd(scene, pki):
    client, program = on_socket(scene, f"cert = {pki.server.bundle}\nexec = /usr/bin/env")
    near = TlsPeer(client, pki.client_context(), name="localhost")
    text, end = near.rest()
    assert f"REMOTE_PORT={client.getsockname()[1]}\n".encode() in text and end == END
    near.shut().close()
    assert program.wait() == 0


@pytest.mark.sanitize
def test_pipes(scene):
    """TLS as a filter of the shell: client mode, plain on the pipes."""
    tls = scene.server(context=scene.pki.server_context())
    program = Inetd(scene, f"client = yes\nconnect = {tls.address}", subprocess.PIPE, subprocess.PIPE)
    data = os.urandom(2_000_000)
    feeder = threading.Thread(target=lambda: (program.process.stdin.write(data), program.process.stdin.close()))
    feeder.start()
    got = program.process.stdout.read()
    feeder.join()
    assert got == data
    program.process.stdout.close()
    assert program.wait() == 0
    assert "LOG5[0]: Service [ginnel] accepted connection\n" in program.log()


@pytest.mark.sanitize
def test_pipes_that_do_not_block(scene):
    """Whoever started us has made them so, or shares them with somebody who did: that is no end."""
    tls = scene.server(context=scene.pki.server_context())
    (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
    for end in (in_read, out_write):
        os.set_blocking(end, False)
    program = Inetd(scene, f"client = yes\nconnect = {tls.address}", in_read, out_write)
    os.close(in_read)
    os.close(out_write)
    until(lambda: os.path.exists(program.log_path) and "TLS connected" in program.log(), "the tunnel, while nothing is in the pipe")
    data = os.urandom(2_000_000)
    feeder = threading.Thread(target=lambda: (feed(in_write, data), os.close(in_write)))
    feeder.start()
    with os.fdopen(out_read, "rb") as reader:
        got = reader.read()
    feeder.join()
    assert got == data
    assert program.wait() == 0


def feed(fd, data):
    with contextlib.suppress(BrokenPipeError):
        while data:
            data = data[os.write(fd, data):]


def test_regular_files(scene):
    """epoll takes no files; they work nevertheless."""
    tls = scene.server(context=scene.pki.server_context())
    source = scene.file("in", b"x" * 300_000)
    with open(source, "rb") as stdin, open(scene.folder / "out", "wb") as stdout:
        program = Inetd(scene, f"client = yes\nconnect = {tls.address}", stdin, stdout)
        assert program.wait() == 0
    assert (scene.folder / "out").read_bytes() == b"x" * 300_000


def test_a_half_closed_pipe_goes_on_the_other_way(scene):
    backend = scene.backend()
    program = Inetd(scene, f"client = yes\nconnectTLS = no\nconnect = {backend.address}", subprocess.PIPE, subprocess.PIPE)
    far = scene.keep(backend.accept()).send(b"all").shut()
    assert program.process.stdout.read() == b"all"
    program.process.stdin.write(b"later")
    program.process.stdin.close()
    assert far.rest() == (b"later", END)
    program.process.stdout.close()
    assert program.wait() == 0


def test_inherited_descriptors_stay_as_they_are(scene):
    """A terminal or pipe made non-blocking would be so for all who have it open."""
    backend = scene.backend()
    reading, writing = os.pipe()
    program = Inetd(scene, f"client = yes\nconnectTLS = no\nconnect = {backend.address}", reading, subprocess.PIPE)
    far = scene.keep(backend.accept())
    os.write(writing, b"x")
    assert far.recv(1) == b"x"
    assert os.get_blocking(reading)
    os.close(writing)
    os.close(reading)
    far.close()
    program.process.stdout.close()
    program.wait()


@pytest.mark.parametrize("what", ["refused", "not tls"])
def test_the_exit_status_tells_of_the_tunnel(scene, pki, what):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = "127.0.0.1:%d" % closed.getsockname()[1]
        client, program = on_socket(scene, f"cert = {pki.server.bundle}\nconnect = {target}")
        if what == "refused":
            near = TlsPeer(client, pki.client_context(), name="localhost")
        else:
            near = Peer(client).send(b"HELO world\r\n")
        assert near.rest() == (b"", RESET)
        assert program.wait() == 1
    assert f"end={'connect' if what == 'refused' else 'not_tls'}" in program.log()


def test_nothing_but_the_tunnel_reaches_the_client(scene):
    """Neither the log nor a warning: inetd's socket is on descriptor 2, too."""
    server = scene.server(greeter(b"x"))
    client, program = on_socket(scene, f"client = yes\nconnectTLS = no\nconnect = {server.address}\nverify = 0")
    assert Peer(client).rest()[0] == b"x"
    client.close()
    assert program.wait() == 0


def test_no_pid_file_and_no_daemon(scene):
    server = scene.server(greeter(b"x"))
    client, program = on_socket(scene, f"client = yes\nconnectTLS = no\nconnect = {server.address}\npid = {scene.folder}/pid")
    assert Peer(client).rest()[0] == b"x"
    client.close()
    assert program.wait() == 0, "the process itself served"
    assert not os.path.exists(scene.folder / "pid")


def test_the_configuration_from_a_descriptor(scene):
    server = scene.server(greeter(b"x"))
    reading, writing = os.pipe()
    os.write(writing, f"syslog = no\nclient = yes\nconnectTLS = no\nconnect = {server.address}\n".encode())
    os.close(writing)
    client, program = on_socket(scene, "", args=["-fd", str(reading)], pass_fds=(reading,))
    os.close(reading)
    assert Peer(client).rest()[0] == b"x"
    client.close()
    assert program.wait() == 0


@pytest.mark.parametrize("text, said", [
    ("", "Inetd mode must define one endpoint"),
    ("client = yes\nconnect = 1\nexec = /bin/cat", "Inetd mode must define one endpoint"),
    ("client = yes\naccept = 1\nconnect = 2", "'accept' option is only allowed in a [section]"),
])
def test_one_endpoint_and_no_accept(scene, text, said):
    done = scene.run("check", scene.file("x.conf", text + "\n"))
    assert done.returncode == 78
    assert said in done.stderr
