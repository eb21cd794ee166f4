# SPDX-License-Identifier: Apache-2.0
# Listening sockets from the service manager: by position as in the incumbent, and by name.
import os
import socket

import pytest

from lib.daemon import GINNEL, Daemon, NotStarted
from lib.peer import greeter
from lib.wait import until

# What systemd does: the sockets are descriptors 3 and up, and the variables name the process itself.
START = """
import os, sys
fds = [os.dup(int(fd)) for fd in os.environ.pop("GIVEN").split()]
fds = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ["LISTEN_PID"] = str(os.getpid() + int(os.environ.pop("WRONG", "0")))
os.environ["LISTEN_FDS"] = str(len(fds))
os.execv(sys.argv[1], sys.argv[1:])
"""


class Activated(Daemon):
    program = "/usr/bin/python3"


@pytest.fixture
def start(scene):
    def run(sockets, text, *, names=None, head="", **env):
        folder = scene.folder / "ginnel"
        folder.mkdir(exist_ok=True)
        path = str(folder / "ginnel.conf")
        env = {"GIVEN": " ".join(str(s.fileno()) for s in sockets), **env}
        if names:
            env["LISTEN_FDNAMES"] = ":".join(names)
        daemon = Activated(
            folder, text, head, start=False, args=["-c", START, GINNEL, path], env=env,
            pass_fds=[s.fileno() for s in sockets],
        )
        scene.daemons.append(daemon)
        daemon.start()
        for s in sockets:
            s.close()
        return daemon

    return run


def listening(scene, host="127.0.0.1"):
    sock = socket.create_server((host, 0))
    scene.closers.callback(sock.close)
    return sock, sock.getsockname()[1]


def plain(name, accept, target):
    return f"[{name}]\naccept = {accept}\nclient = yes\nconnectTLS = no\nconnect = {target.address}\n"


def greeting(scene, port):
    return scene.connect(port).recv(1)


@pytest.mark.sanitize
def test_by_position(scene, start):
    """The addresses in accept are not used; whoever comes behind the last socket binds its own."""
    one, two, three = (scene.server(greeter(b"%d" % i)) for i in (1, 2, 3))
    (a, port_a), (b, port_b) = listening(scene), listening(scene)
    daemon = start([a, b], plain("one", "127.0.0.1:1", one) + plain("two", "127.0.0.1:2", two)
                   + plain("three", "127.0.0.1:0", three))
    assert [greeting(scene, port) for port in (port_a, port_b, daemon.port("three"))] == [b"1", b"2", b"3"]
    assert daemon.port("one") == port_a


@pytest.mark.sanitize
def test_by_name(scene, start):
    """Names come first, several sockets may share one, and the rest goes by position."""
    web, mail, other = (scene.server(greeter(word)) for word in (b"w", b"m", b"o"))
    sockets = [listening(scene) for _ in range(4)]
    start([s for s, _ in sockets], plain("mail", "fd:mail", mail) + plain("other", "127.0.0.1:1", other)
          + plain("web", "fd:web", web), names=["web", "spare", "mail", "web"])
    assert [greeting(scene, port) for _, port in sockets] == [b"w", b"o", b"m", b"w"]


def test_a_unix_socket(scene, start):
    path = scene.socket_path("given")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    start([sock], plain("x", "fd:here", scene.server(greeter(b"u"))), names=["here"])
    assert greeting(scene, path) == b"u"


def test_sockets_survive_reloads(scene, start):
    """Kept, moved to another service, left out and taken again: nobody is refused meanwhile."""
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    (sock, port) = listening(scene)
    daemon = start([sock], plain("x", "fd:a", one), names=["a"])
    assert greeting(scene, port) == b"1"
    daemon.reload()
    assert greeting(scene, port) == b"1"
    daemon.write(plain("y", "fd:a", two))
    daemon.reload()
    until(lambda: greeting(scene, port) == b"2", "the new service")
    waiting = scene.connect(port)
    assert waiting.recv(1) == b"2"


def test_too_many_sockets(scene, start):
    (a, _), (b, _) = listening(scene), listening(scene)
    with pytest.raises(NotStarted) as caught:
        start([a, b], plain("x", "127.0.0.1:0", scene.server()))
    assert "Too many listening file descriptors received from systemd, got 2" in caught.value.stderr


def test_a_name_that_was_not_passed(scene, start):
    (sock, _) = listening(scene)
    with pytest.raises(NotStarted) as caught:
        start([sock], plain("x", "fd:web", scene.server()), names=["mail"])
    assert 'systemd passed no socket named "web"' in caught.value.stderr


def test_sockets_for_another_process_are_not_ours(scene, start):
    server = scene.server(greeter(b"x"))
    (sock, port) = listening(scene)
    daemon = start([sock], plain("x", "127.0.0.1:0", server), WRONG="1")
    assert daemon.port("x") != port
    assert greeting(scene, daemon.port("x")) == b"x"


def test_a_program_does_not_hear_of_it(scene, start):
    (sock, port) = listening(scene)
    start([sock], "[x]\naccept = fd:a\nclient = yes\nconnectTLS = no\nexec = /usr/bin/env\n", names=["a"])
    assert b"LISTEN_" not in scene.connect(port).rest()[0]


@pytest.mark.root
def test_sockets_pass_setuid(scene, start):
    """The helper has no part in them; the folder is opened for the log of nobody."""
    folder = scene.folder / "ginnel"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    for path in (folder, *folder.parents):
        if str(path).startswith("/tmp/"):
            path.chmod(path.stat().st_mode | 0o011)
    (sock, port) = listening(scene)
    daemon = start([sock], plain("x", "fd:a", scene.server(greeter(b"x"))), names=["a"],
                   head="setuid = nobody\nsetgid = nogroup\n")
    assert greeting(scene, port) == b"x"
    assert daemon.process_status()["Uid"].split() == ["65534"] * 4
    daemon.reload()
    assert greeting(scene, port) == b"x"
