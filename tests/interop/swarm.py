# SPDX-License-Identifier: Apache-2.0
# Very many TLS clients, held by a process of their own; and a plain echo server that can answer them all.
"""
    python swarm.py clients PORT CA FIRST_SOURCE_ADDRESS     told what to do by lines on standard input:
        open N [SECS] so many more connections        -> {"open": all, "refused": those of N that failed}
        echo          a line of its own over each      -> {"good": answered rightly, "bad": all others}
        http ROUNDS   so many requests over each       -> the same
        close N       close the oldest N, orderly      -> {"open": all}
    python swarm.py echo                                     prints its port
"""

import collections
import itertools
import json
import select
import socket
import ssl
import subprocess
import sys
import time

from interop.host import HERE

AT_ONCE = 256  # handshakes in flight
PATIENCE = 60  # seconds for one command


class Client:
    """One connection as a small state machine on a non-blocking socket."""

    def __init__(self, port, context, source):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.bind((source, 0))
        try:
            self.sock.connect(("127.0.0.1", port))
        except BlockingIOError:
            pass
        self.context, self.tls, self.wants = context, None, select.EPOLLOUT
        self.sent = self.got = b""

    def fileno(self):
        return self.tls.fileno() if self.tls else self.sock.fileno()

    def _try(self, act):
        """The act's answer, or None when it must wait."""
        try:
            return act()
        except ssl.SSLWantReadError:
            self.wants = select.EPOLLIN
        except ssl.SSLWantWriteError:
            self.wants = select.EPOLLOUT
        return None

    def open(self):
        """True once the handshake is over."""
        if self.tls is None:
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "connect")
            self.tls = self.context.wrap_socket(self.sock, server_hostname="localhost", do_handshake_on_connect=False)
        return self._try(lambda: self.tls.do_handshake() or True)

    def say(self, data):
        self.sent, self.got, self.wants = data, b"", select.EPOLLIN
        self.tls.send(data)  # small enough for every buffer on the way

    def hear(self, complete):
        """True once the answer is complete()."""
        data = self._try(lambda: self.tls.recv(65536))
        if data == b"":
            raise OSError("the other side ended")
        self.got += data or b""
        return complete() or None

    def close(self):
        try:
            if self.tls:
                self.tls.setblocking(True)
                self.tls.settimeout(5)
                self.tls.unwrap()
        except (OSError, ValueError):
            pass
        (self.tls or self.sock).close()


def drive(clients, step, patience=PATIENCE):
    """Call step(client) until true or an error, for all, as they become ready; yields (client, error or None)."""
    poll, by_fd = select.epoll(), {}
    for client in clients:
        by_fd[client.fileno()] = client
        poll.register(client.fileno(), client.wants)
    end = time.monotonic() + patience
    while by_fd and time.monotonic() < end:
        for fd, _ in poll.poll(0.2):
            client = by_fd[fd]
            try:
                done, error = step(client), None
            except (OSError, ValueError) as fault:
                done, error = True, fault
            if done:
                poll.unregister(fd)
                del by_fd[fd]
                yield client, error
            else:
                poll.modify(fd, client.wants)
    for client in by_fd.values():
        yield client, TimeoutError("no answer in time")
    poll.close()


class Clients:
    def __init__(self, port, ca, first_source):
        self.port = int(port)
        self.context = ssl.create_default_context(cafile=ca)
        net, last = first_source.rsplit(".", 1)
        self.sources = itertools.cycle(f"{net}.{int(last) + i}" for i in range(16))
        self.held = collections.deque()

    def open(self, count, patience=PATIENCE):
        refused = collections.Counter()
        for start in range(0, count, AT_ONCE):
            batch = [Client(self.port, self.context, next(self.sources)) for _ in range(min(AT_ONCE, count - start))]
            for client, error in drive(batch, Client.open, patience):
                if error is None:
                    self.held.append(client)
                else:
                    refused[type(error).__name__] += 1
                    client.close()
        return {"open": len(self.held), "refused": dict(refused)}

    def _ask_all(self, question, complete, right):
        """One question over each connection, all before the first answer is read."""
        waiting, good = [], 0
        for number, client in enumerate(self.held):
            try:
                client.say(question(number))
                waiting.append(client)
            except OSError:
                pass  # neither asked nor good
        for client, error in drive(waiting, lambda client: client.hear(lambda: complete(client))):
            good += error is None and right(client)
        return {"good": good, "bad": len(self.held) - good}

    def echo(self):
        return self._ask_all(
            lambda number: f"{id(self):x} {number} {time.monotonic_ns()}\n".encode(),
            lambda client: len(client.got) >= len(client.sent),
            lambda client: client.got == client.sent)

    def http(self, rounds):
        """Each path is of one client and round alone, and comes back as the body."""
        good = bad = 0
        for turn in range(rounds):
            answer = self._ask_all(
                lambda number: f"GET /echo/{turn}-{number}-{id(self)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
                lambda client: client.got.endswith(b"\r\n\r\n" + client.sent.split()[1]),
                lambda client: client.got.startswith(b"HTTP/1.1 200 "))
            good, bad = good + answer["good"], bad + answer["bad"]
        return {"good": good, "bad": bad}

    def close(self, count):
        for _ in range(min(count, len(self.held))):
            self.held.popleft().close()
        return {"open": len(self.held)}


def clients_main(port, ca, first_source):
    clients = Clients(port, ca, first_source)
    for line in sys.stdin:
        verb, *numbers = line.split()
        print(json.dumps(getattr(clients, verb)(*map(int, numbers))), flush=True)


def echo_main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    poll, by_fd = select.epoll(), {}
    poll.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                by_fd[sock.fileno()] = sock
                poll.register(sock, select.EPOLLIN)
                continue
            try:
                data = by_fd[fd].recv(65536)
                if data:
                    by_fd[fd].sendall(data)
                    continue
            except OSError:
                pass
            by_fd.pop(fd).close()


class Swarm:
    """The process of the clients, seen from a test: ask("open 100") and so on."""

    def __init__(self, port, ca, first_source):
        self.process = start("clients", port, ca, first_source, stdin=subprocess.PIPE)

    def tell(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self

    def answer(self):
        line = self.process.stdout.readline()
        assert line, f"the swarm ended: {self.process.wait()}"
        return json.loads(line)

    def ask(self, order):
        return self.tell(order).answer()

    def close(self):
        finish(self.process)


class EchoServer:
    def __init__(self):
        self.process = start("echo")
        self.port = int(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.port}"

    def close(self):
        finish(self.process)


def start(*words, **how):
    return HERE.start("/usr/bin/python3", "-m", "interop.swarm", *words, stdout=subprocess.PIPE, stderr=None,
                      text=True, cwd=TESTS, **how)


def finish(process):
    HERE.end(process)
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


TESTS = __file__.rsplit("/", 2)[0]

if __name__ == "__main__":
    {"clients": clients_main, "echo": echo_main}[sys.argv[1]](*sys.argv[2:])
