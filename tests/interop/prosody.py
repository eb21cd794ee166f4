# SPDX-License-Identifier: Apache-2.0
# Debian's Prosody, an XMPP server, for clients and other servers.
import os

from interop.host import HERE

DOMAIN = "im.test"

CONFIG = """\
run_as_root = true
daemonize = false
pidfile = "{folder}/pid"
data_path = "{folder}/data"
log = {{ info = "{folder}/log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {clients} }}
s2s_ports = {{ {servers} }}
modules_enabled = {{ "roster"; "saslauth"; "dialback"; {more} }}
authentication = "internal_plain"
{tls}
VirtualHost "{domain}"
"""

PLAIN = """\
modules_disabled = { "tls" }
c2s_require_encryption = false
s2s_require_encryption = false
allow_unencrypted_plain_auth = true
"""

SECURE = """\
c2s_require_encryption = true
s2s_require_encryption = true
ssl = {{ certificate = "{cert}"; key = "{key}"; verify = "none" }}
"""


class Prosody:
    """
    A port for clients and one for servers, on loopback, and one user; plain, or with STARTTLS, without which nobody
    gets anything, by the identity `tls`.
    """

    def __init__(self, folder, clients, servers, user, password, *, tls=None, host=HERE):
        self.folder, self.clients, self.servers, self.host = str(folder), clients, servers, host
        os.makedirs(os.path.join(self.folder, "data"))
        config = os.path.join(self.folder, "prosody.cfg.lua")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(
                folder=self.folder, clients=clients, servers=servers, domain=DOMAIN, more='"tls";' if tls else "",
                tls=SECURE.format(cert=tls.path, key=tls.key) if tls else PLAIN,
            ))
        done = host.run("prosodyctl", "--config", config, "register", user, DOMAIN, password)
        assert done.returncode == 0, done.stdout + done.stderr
        self.process = host.start("prosody", "-F", "--config", config)
        for port in (clients, servers):
            host.await_port(port, self.process)

    def close(self):
        self.host.end(self.process)
