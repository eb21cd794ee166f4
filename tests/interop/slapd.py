# SPDX-License-Identifier: Apache-2.0
# Debian's OpenLDAP server with a directory of its own.
import os

from interop.host import HERE

BASE = "dc=example,dc=test"
ROOT = f"cn=admin,{BASE}"

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/pid
{tls}
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "{base}"
rootdn "{root}"
rootpw {password}
directory {folder}/data
"""

ENTRIES = """\
dn: {base}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=alice,{base}
objectClass: inetOrgPerson
uid: alice
cn: Alice Example
sn: Example
description: {description}
"""


class Slapd:
    """LDAP on a loopback port, with one person in it; plain, or with StartTLS, without which nobody gets anything,
    by the identity `tls`."""

    def __init__(self, folder, port, password, description, *, tls=None, host=HERE):
        self.folder, self.port, self.host = str(folder), port, host
        os.makedirs(os.path.join(self.folder, "data"))
        begin = f"TLSCertificateFile {tls.path}\nTLSCertificateKeyFile {tls.key}\nsecurity ssf=128" if tls else ""
        config = self._write("slapd.conf", CONFIG.format(folder=self.folder, base=BASE, root=ROOT, password=password,
                                                         tls=begin))
        entries = self._write("entries.ldif", ENTRIES.format(base=BASE, description=description))
        done = host.run("slapadd", "-q", "-f", config, "-l", entries)
        assert done.returncode == 0, done.stderr
        self.process = host.start("slapd", "-d", "0", "-f", config, "-h", f"ldap://127.0.0.1:{port}")
        host.await_port(port, self.process)

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def close(self):
        self.host.end(self.process)
