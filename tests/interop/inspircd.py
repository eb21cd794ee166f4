# SPDX-License-Identifier: Apache-2.0
# Debian's InspIRCd, an IRC server that knows STARTTLS.
import os

from interop.host import HERE

NAME = "irc.test"

CONFIG = """\
<server name="{name}" description="test" network="Test">
<admin name="Test" nick="test" email="test@{name}">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="main" allow="*" timeout="20">
<options casemapping="ascii">
<dns server="127.0.0.1" timeout="1">
<log method="file" type="*" level="default" target="{folder}/log">
<files motd="{folder}/motd">
<path configdir="{folder}" datadir="{folder}" logdir="{folder}" runtimedir="{folder}">
<pid file="{folder}/pid">
<module name="cap">
{tls}
"""

SECURE = """\
<module name="ssl_gnutls">
<sslprofile name="Clients" provider="gnutls" certfile="{cert}" keyfile="{key}">
<module name="starttls">
<starttls provider="Clients">
"""


class InspIRCd:
    """An IRC server on a loopback port; with STARTTLS by the identity `tls`, or without."""

    def __init__(self, folder, port, *, tls=None, host=HERE):
        self.folder, self.port, self.host = str(folder), port, host
        os.makedirs(self.folder)
        config = os.path.join(self.folder, "inspircd.conf")
        with open(os.path.join(self.folder, "motd"), "w", encoding="ascii") as file:
            file.write("Welcome\n")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=self.folder, port=port, name=NAME,
                                     tls=SECURE.format(cert=tls.path, key=tls.key) if tls else ""))
        self.process = host.start("inspircd", "--config", config, "--nofork", "--runasroot", cwd=self.folder)
        host.await_port(port, self.process)

    def close(self):
        self.host.end(self.process)
