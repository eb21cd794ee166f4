# SPDX-License-Identifier: Apache-2.0
# SIGHUP: the whole new configuration or nothing of it, and no connection feels a thing.
import os
import signal
import threading

import pytest

from lib.daemon import SANITIZED
from lib.peer import END, connect, connect_tls, echo, greeter, pattern
from lib.wait import until


def name_of(port, context):
    """The common name that is shown at `port`."""
    with connect_tls(port, context) as near:
        return dict(pair for rdn in near.tls.getpeercert()["subject"] for pair in rdn)["commonName"]


def section(backend, cert, *lines, name="tls"):
    return f"[{name}]\naccept = 127.0.0.1:0\nconnect = {backend.address}\ncert = {cert}\n" + "\n".join(lines) + "\n"


def refused(port):
    try:
        connect(port).close()
        return False
    except ConnectionRefusedError:
        return True


@pytest.mark.sanitize
def test_live_tunnels_are_untouched_by_good_and_bad_reloads(scene, pki):
    backend = scene.backend()
    daemon = scene.server_mode(backend)
    near, far = scene.pair(daemon, backend)
    body = pattern(1, 1 << 20)
    daemon.write(section(backend, pki.other_client.bundle))
    daemon.reload()
    far.send(body)
    assert near.recv(len(body)) == body
    daemon.write("[tls]\nthis is no line\n")
    daemon.reload(good=False)
    near.send(b"ping")
    assert far.recv(4) == b"ping"
    near.shut()
    assert far.ended() == END
    far.shut()
    assert near.ended() == END
    daemon.wait_end(end="done")


def test_new_connections_get_the_new_certificate_the_listener_stays(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    context, port = pki.client_context(), daemon.port("tls")
    assert name_of(port, context) == "server.test"
    daemon.write(section(server, pki.other_client.bundle))
    daemon.reload()
    assert daemon.port("tls") == port
    assert name_of(port, context) == "second.test"


def test_a_renewed_file_is_read_again(scene, pki):
    """The same configuration, another certificate under the same name, as renewal tools do it."""
    own = scene.folder / "live.pem"
    own.write_bytes(open(pki.server.bundle, "rb").read())
    server = scene.server(echo)
    daemon = scene.daemon(section(server, own))
    own.write_bytes(open(pki.other_client.bundle, "rb").read())
    daemon.reload()
    assert name_of(daemon.port("tls"), pki.client_context()) == "second.test"


BAD = {
    "unknown option": lambda good, pki: good + "bogus = 1\n",
    "missing key": lambda good, pki: good.replace(pki.server.bundle, "/nonexistent.pem"),
    "key of another": lambda good, pki: good + f"key = {pki.client.key}\n",
    "half a file": lambda good, pki: good[: len(good) // 2],
    "empty": lambda good, pki: "",
    "binary": lambda good, pki: "\0\1\2\3",
    "one service of two": lambda good, pki: good + "[second]\naccept = 127.0.0.1:0\n",
}


@pytest.mark.sanitize
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_changes_nothing(scene, pki, kind):
    server = scene.server(echo)
    good = section(server, pki.server.bundle, "TIMEOUTidle = 100")
    daemon = scene.daemon(good)
    port, descriptors = daemon.port("tls"), daemon.descriptors()
    daemon.write(BAD[kind](good.replace("TIMEOUTidle = 100", "sslVersion = TLSv1.2"), pki))
    log = daemon.reload(good=False)
    assert "Configuration failed" in log or "[tls]" in log or "ginnel.conf" in log
    near = scene.tls(port)
    assert near.version == "TLSv1.3"
    near.send(b"ping")
    assert near.recv(4) == b"ping"
    near.shut()
    near.rest()
    daemon.await_descriptors(descriptors)


def test_a_bad_reload_names_file_line_and_option(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    daemon.write(section(server, pki.server.bundle, "bogus = 1"))
    line = open(daemon.path, encoding="utf-8").read().split("bogus")[0].count("\n") + 1
    log = daemon.reload(good=False)
    assert f"ginnel.conf:{line}: bogus: " in log


def test_a_missing_file_changes_nothing(scene):
    daemon = scene.server_mode(scene.server(echo))
    os.unlink(daemon.path)
    daemon.reload(good=False)
    near = scene.tls(daemon.port("tls"))
    near.send(b"ping")
    assert near.recv(4) == b"ping"


def test_services_come_and_go(scene, pki):
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    daemon = scene.daemon(section(one, pki.server.bundle, name="one"))
    first = daemon.port("one")
    daemon.write(section(one, pki.server.bundle, name="one") + section(two, pki.server.bundle, name="two"))
    daemon.reload()
    daemon.wait_log(r"Service \[two\] \(FD=\d+\) bound to")
    second = daemon.port("two")
    assert scene.tls(first).recv(1) == b"1" and scene.tls(second).recv(1) == b"2"
    daemon.write(section(two, pki.server.bundle, name="two"))
    daemon.reload()
    until(lambda: refused(first), "the first listener to be closed")
    assert scene.tls(second).recv(1) == b"2"


def test_tunnels_of_a_removed_service_live_on(scene, pki):
    backend, other = scene.backend(), scene.server(echo)
    daemon = scene.daemon(section(backend, pki.server.bundle, name="gone"))
    near, far = scene.pair(daemon, backend, "gone")
    daemon.write(section(other, pki.server.bundle, name="new"))
    daemon.reload()
    until(lambda: refused(daemon.port("gone")), "the old listener to be closed")
    near.send(b"ping").shut()
    assert far.rest() == (b"ping", END)
    far.shut()
    assert near.ended() == END
    daemon.wait_end(end="done", service="gone")


def test_a_port_that_cannot_be_bound_keeps_the_old_configuration(scene, pki):
    server, backend = scene.server(echo), scene.backend()
    daemon = scene.server_mode(server)
    port = daemon.port("tls")
    daemon.write(
        section(server, pki.other_client.bundle)
        + f"[busy]\naccept = {backend.address}\nconnect = 9\ncert = {pki.server.bundle}\n"
    )
    daemon.reload(good=False)
    assert name_of(port, pki.client_context()) == "server.test"


def test_the_backend_can_be_changed(scene, pki):
    one, two = scene.server(greeter(b"1")), scene.server(greeter(b"2"))
    daemon = scene.server_mode(one)
    port = daemon.port("tls")
    assert scene.tls(port).recv(1) == b"1"
    daemon.write(section(two, pki.server.bundle))
    daemon.reload()
    assert scene.tls(port).recv(1) == b"2"


def test_the_log_level_and_file_can_be_changed(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    other = str(scene.folder / "ginnel" / "log2")
    daemon.write(
        whole=f"foreground = yes\nsyslog = no\noutput = {other}\ndebug = info\nshutdownTimeout = 1\n"
        + section(server, pki.server.bundle)
    )
    port = daemon.port("tls")
    daemon.signal(signal.SIGHUP)
    daemon.log_path = other
    daemon.wait_log("Configuration successful")  # by then every worker has taken the new plan
    mark = daemon.mark()
    scene.tls(port).close()
    daemon.wait_log("accepted connection from", after=mark)
    daemon.wait_end(after=mark)
    assert "LOG6" in daemon.log()[mark:] and "LOG7" not in daemon.log()[mark:]


def test_a_thousand_connections_through_fifty_reloads_lose_nothing(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)
    port, context, stop, faults, count = daemon.port("tls"), pki.client_context(), threading.Event(), [], [0]

    def clients(seed):
        turn = 0
        while not stop.is_set():
            turn += 1
            word = pattern(seed * 100_000 + turn, 3000)
            try:
                with connect_tls(port, context) as near:
                    near.send(word)
                    if near.recv(len(word)) != word:
                        faults.append("wrong bytes")
                    near.shut()
                    if near.rest() != (b"", END):
                        faults.append("unclean end")
                count[0] += 1
            except Exception as error:  # noqa: BLE001 -- threads have to tell the test
                faults.append(repr(error))

    threads = [threading.Thread(target=clients, args=(seed,), daemon=True) for seed in range(4)]
    for thread in threads:
        thread.start()
    certificates = [pki.server.bundle, pki.other_client.bundle]
    for turn in range(50):
        daemon.write(section(server, certificates[turn % 2], f"TIMEOUTidle = {100 + turn}"))
        daemon.reload()
    until(lambda: count[0] > 300 or faults, "some traffic")
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not faults, faults[:5]


def test_reloads_leak_nothing(scene, pki):
    server = scene.server(echo)
    daemon = scene.server_mode(server)

    def reloads(count):
        for turn in range(count):
            daemon.write(section(server, pki.server.bundle, f"TIMEOUTidle = {100 + turn}"))
            daemon.reload()

    reloads(30)
    descriptors, memory = daemon.descriptors(), daemon.resident_kib()
    reloads(100)
    daemon.await_descriptors(descriptors)
    if not SANITIZED:
        assert daemon.resident_kib() - memory < 1024
