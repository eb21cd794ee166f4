# SPDX-License-Identifier: Apache-2.0
# The same cache of sessions serves stunnel and us, each with its own sessions.
import pytest

from interop.incumbent import Stunnel
from lib.peer import echo, visit
from lib.session_cache import GET, NEW, SessionCache


@pytest.mark.parametrize("who", ["ginnel", "stunnel"])
def test_both_speak_to_it_alike(scene, pki, who):
    cache = scene.keep(SessionCache())
    section = scene.section("tls", scene.server(echo), f"cert = {pki.server.bundle}", f"sessiond = {cache.address}",
                            "sslVersion = TLSv1.2")
    if who == "ginnel":
        daemon = scene.daemon(section)
    else:
        (scene.folder / "stunnel").mkdir()
        daemon = Stunnel(scene.folder / "stunnel", section, start=False)
        scene.daemons.append(daemon)
        daemon.start()
    context = pki.client_context(version="TLSv1.2")
    session, _ = visit(daemon.port("tls"), context)
    new = cache.wait(NEW)
    assert (new.version, new.lifetime, new.id) == (1, 300, session.id)
    assert new.session[0] == 0x30 and len(new.session) <= 512  # ASN.1, a SEQUENCE
    unknown, _ = visit(daemon.port("tls"), context)
    cache.wait(NEW, 2)
    assert unknown.id != session.id and len(cache.kept) == 2
    assert all(packet.kind in (NEW, GET) for packet in cache.seen)
