# SPDX-License-Identifier: Apache-2.0
# Peers of the daemon that do exactly what a test tells them, byte by byte and end by end.
"""
A peer is one end of a connection.  How the other side ended has three names:

    END    orderly: FIN on a plain connection, close_notify under TLS
    CUT    TLS only: FIN without close_notify
    RESET  RST
"""

import errno
import select
import socket
import ssl
import struct
import threading
import time

import pytest

from lib.wait import DEADLINE

END, CUT, RESET = "end", "cut", "reset"


class Ended(AssertionError):
    """The other side ended before all awaited bytes were there."""

    def __init__(self, how, got):
        super().__init__(f"the other side ended ({how}) after {len(got)} bytes: {got[:80]!r}")
        self.how, self.got = how, got


class Peer:
    """One end of a plain connection."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(DEADLINE)
        self.over = None  # how the other side ended, once known
        self.was_reset = False  # ... which the system has told us already

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- what subclasses replace

    def _some(self, size):
        """At least one byte, or b"" with self.over set."""
        if self.over is None:
            try:
                data = self.sock.recv(size)
                if data:
                    return data
                self.over = RESET if self.was_reset else END
            except (ConnectionResetError, BrokenPipeError):
                self.over = RESET
        return b""

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            self.was_reset = True  # recv() will say 0
            raise
        return self

    def shut(self):
        """Our end: no more bytes will come from us."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    # --- the script's words

    def recv(self, size):
        """Exactly `size` bytes."""
        got = bytearray()
        while len(got) < size:
            some = self._some(min(size - len(got), 1 << 18))
            if not some:
                raise Ended(self.over, bytes(got))
            got += some
        return bytes(got)

    def some(self, size=65536):
        """What is there: at least one byte, or b"" at the other side's end."""
        return self._some(size)

    def rest(self):
        """All bytes up to the other side's end, and how it ended."""
        got = bytearray()
        while some := self._some(1 << 18):
            got += some
        return bytes(got), self.over

    def ended(self):
        """How the other side ended; fails if bytes come first."""
        got, how = self.rest()
        assert got == b"", f"unexpected bytes before the end: {got[:80]!r}"
        return how

    def quiet(self, seconds):
        """Nothing comes for so long: the way to show that something does not happen."""
        ready, _, _ = select.select([self.sock], [], [], seconds)
        return not ready

    def close(self):
        self.sock.close()

    def reset(self):
        """Leave by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def fin(self):
        """A bare FIN, whatever lies above TCP; nothing if the other side has reset us already."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
        return self

    @property
    def address(self):
        return self.sock.getsockname()


class TlsPeer(Peer):
    """One end of a TLS connection, on memory BIOs, so that a test decides what goes into which segment."""

    def __init__(self, sock, context, *, server=False, name=None, session=None, handshake=True):
        super().__init__(sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.early = bytearray()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server, server_hostname=name, session=session
        )
        if handshake:
            self.handshake()

    def _flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def _feed(self):
        """Bytes from the socket to TLS."""
        data = self.sock.recv(1 << 18)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def _run(self, step):
        while True:
            try:
                answer = step()
                self._flush()
                return answer
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                try:
                    self._flush()  # the alert
                except OSError:
                    pass
                raise

    def handshake(self):
        self._run(self.tls.do_handshake)
        return self

    def hello(self):
        """Our first flight, not sent: bytes for tests that cut it up."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def quiet(self, seconds):
        """As above; tickets and the like are no application data."""
        end = time.monotonic() + seconds
        while not self.early:
            ready, _, _ = select.select([self.sock], [], [], max(0, end - time.monotonic()))
            if not ready:
                return True
            self._feed()
            try:
                self.early += self.tls.read(1 << 18)
                return False
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                return False
        return False

    def finish_with(self, data, end=False):
        """Complete the handshake so that `data` (and close_notify) leave in the segment of our Finished."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
        self.tls.write(data)
        return self.shut() if end else self._flushed()

    def _flushed(self):
        self._flush()
        return self

    def _some(self, size):
        if self.early:
            data = bytes(self.early[:size])
            del self.early[:size]
            return data
        if self.over is None:
            try:
                data = self._run(lambda: self.tls.read(size))
                if data:
                    return data
                self.over = END
            except ssl.SSLZeroReturnError:
                self.over = END
            except ssl.SSLError as error:
                if error.reason != "UNEXPECTED_EOF_WHILE_READING":
                    raise
                self.over = CUT
            except (ConnectionResetError, BrokenPipeError):
                self.over = RESET
        return b""

    def send(self, data):
        view = memoryview(data)
        while view:
            n = self.tls.write(view[: 1 << 16])
            view = view[n:]
            self._flush()
        return self

    def shut(self):
        """close_notify; the TCP connection stays open and we go on reading."""
        try:
            while data := self.tls.read(1 << 18):  # SSL_shutdown() must not meet data that was fed already
                self.early += data
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()
        return self

    @property
    def version(self):
        return self.tls.version()

    @property
    def session(self):
        return self.tls.session

    @property
    def reused(self):
        return self.tls.session_reused


def connect(to, *, receive_buffer=None, source=None):
    """A connected plain peer; `to` is a port on loopback, (host, port), or the path of a UNIX socket."""
    if isinstance(to, int):
        to = ("127.0.0.1", to)
    if isinstance(to, tuple):
        family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    else:
        family, to = socket.AF_UNIX, str(to)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(DEADLINE)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            sock.bind(source)
        try:
            sock.connect(to)
        except ConnectionResetError:  # accepted, and reset before we have looked; what was said is still there
            peer = Peer(sock)
            peer.was_reset = True
            return peer
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return Peer(sock)


def connect_tls(to, context, *, name="localhost", session=None, handshake=True, **how):
    """A connected TLS client."""
    peer = connect(to, **how)
    try:
        return TlsPeer(peer.sock, context, name=name, session=session, handshake=handshake)
    except BaseException:
        peer.close()
        raise


def visit(port, context, session=None):
    """One tunnel with one echo: (session for later, was it resumed)."""
    with connect_tls(port, context, session=session) as near:
        near.send(b"ping")
        assert near.recv(4) == b"ping"
        near.shut()
        near.rest()
        return near.session, near.reused


def passes(port, context, **how):
    """Does what is said come back through the tunnel?"""
    try:
        with connect_tls(port, context, **how) as near:
            near.send(b"ping")
            return near.recv(4) == b"ping"
    except (ssl.SSLError, OSError, AssertionError):
        return False


def own_address():
    """An address of this machine that is not loopback; the kernel knows it without a packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("NOT TESTED: this machine has no address but loopback")
        return probe.getsockname()[0]


class Backend:
    """A listening server whose connections the test takes one by one."""

    def __init__(self, context=None, *, host="127.0.0.1", port=0, path=None, backlog=1024, receive_buffer=None):
        self.context = context
        if path is not None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.bind(str(path))
            self.port, self.address = None, str(path)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.sock = socket.socket(family, socket.SOCK_STREAM)
            if receive_buffer:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # for who comes back to this port
            self.sock.bind((host, port))
            self.port = self.sock.getsockname()[1]
            self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.sock.listen(backlog)
        self.sock.settimeout(DEADLINE)

    def accept(self, *, handshake=True):
        """The next connection, after its handshake if this is a TLS server."""
        sock, _ = self.sock.accept()
        if self.context is None or not handshake:
            return Peer(sock)
        try:
            return TlsPeer(sock, self.context, server=True)
        except BaseException:
            sock.close()
            raise

    def unvisited(self):
        """Has nobody connected so far?"""
        ready, _, _ = select.select([self.sock], [], [], 0)
        return not ready

    def close(self):
        self.sock.close()


class Server(Backend):
    """A backend that serves each connection in a thread of its own; `script(peer)` says how."""

    def __init__(self, script, context=None, **where):
        super().__init__(context, **where)
        self.script, self.threads, self.peers, self.served = script, [], [], 0
        self.lock, self.closing = threading.Lock(), False
        self.acceptor = threading.Thread(target=self._accept_all, daemon=True)
        self.acceptor.start()

    def _accept_all(self):
        self.sock.settimeout(None)
        while not self.closing:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            if self.closing:
                sock.close()
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            thread.start()

    def _serve(self, sock):
        with self.lock:
            self.peers.append(sock)
            self.served += 1
        try:
            peer = Peer(sock) if self.context is None else TlsPeer(sock, self.context, server=True)
            peer.sock.settimeout(None)
            self.script(peer)
        except (OSError, ssl.SSLError, AssertionError):
            pass  # the client's side of the test judges
        finally:
            sock.close()

    def close(self):
        self.closing = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes accept()
        except OSError:
            pass
        self.acceptor.join(DEADLINE)
        self.sock.close()
        with self.lock:
            for sock in self.peers:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def echo(peer):
    """Script: give back every byte, then end as the client did."""
    while data := peer.some():
        peer.send(data)
    if peer.over == END:
        peer.shut()


def greeter(text):
    """Script: say `text` and end; tells which backend was reached."""

    def script(peer):
        peer.send(text)
        peer.shut()
        peer.rest()

    return script


def duplex(peer, body, size, step=lambda: 16384):
    """Send `body` in records of step() bytes while reading; returns the first `size` bytes that came."""
    got, waiting, at = bytearray(), b"", 0
    tls = isinstance(peer, TlsPeer)
    peer.sock.settimeout(0)
    end = time.monotonic() + 4 * DEADLINE
    while len(got) < size or at < len(body) or waiting:
        if not waiting and at < len(body):
            piece = body[at : at + step()]
            at += len(piece)
            if tls:
                peer.tls.write(piece)
            waiting = peer.outgoing.read() if tls else piece
        readable, writable, _ = select.select([peer.sock], [peer.sock] if waiting else [], [], DEADLINE)
        if time.monotonic() > end or not (readable or writable):
            raise AssertionError(f"stalled: {at} of {len(body)} bytes sent, {len(got)} of {size} received")
        if writable:
            waiting = waiting[peer.sock.send(waiting) :]
        if readable:
            if tls:
                peer._feed()
                got += _decrypted(peer)
            else:
                data = peer.sock.recv(1 << 18)
                if not data:
                    raise Ended(END, bytes(got))
                got += data
    peer.sock.settimeout(DEADLINE)
    return bytes(got)


def _decrypted(peer):
    """Everything that TLS has to give now."""
    got = bytearray()
    try:
        while data := peer.tls.read(1 << 18):
            got += data
    except ssl.SSLWantReadError:
        pass
    return got


def pattern(seed, size):
    """`size` bytes that belong to `seed` at every offset, so that a foreign or shifted byte shows."""
    words = b"".join(struct.pack(">II", seed & 0xFFFFFFFF, i) for i in range(min(size, 65521) // 8 + 1))
    period = words[:65521]  # a prime: no buffer's size divides it
    return (period * (size // len(period) + 1))[:size]
