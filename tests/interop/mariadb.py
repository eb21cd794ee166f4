# SPDX-License-Identifier: Apache-2.0
# Debian's MariaDB server with databases of its own.
import os
import pwd
import shutil

from interop.host import HERE
from lib.wait import until

OWNER = pwd.getpwnam("mysql")
# Users and how they prove who they are.  The server's default is mysql_native_password, so that it
# asks the other one to go on by another method: the login is longer then.
PLUGINS = {"native": "mysql_native_password", "modern": "ed25519"}

USERS = """\
INSTALL SONAME 'auth_ed25519';
CREATE USER native@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{password}') {require};
CREATE USER modern@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{password}') {require};
"""


class MariaDb:
    """
    On a loopback port and on the UNIX socket `socket`, with the users of PLUGINS; plain, or with TLS, which they
    must use, by the identity `tls`.
    """

    def __init__(self, folder, port, password, *, tls=None, host=HERE):
        self.folder, self.port, self.host = str(folder), port, host
        self.socket = os.path.join(self.folder, "socket")
        os.makedirs(self.folder)
        shutil.chown(self.folder, OWNER.pw_uid, OWNER.pw_gid)
        data = os.path.join(self.folder, "data")
        done = host.run("mariadb-install-db", "--no-defaults", f"--user={OWNER.pw_name}", f"--datadir={data}",
                        "--skip-test-db", "--auth-root-authentication-method=socket", deadline=120)
        assert done.returncode == 0, done.stdout + done.stderr
        options = [f"--ssl-cert={self._copy(tls.path)}", f"--ssl-key={self._copy(tls.key)}"] if tls else []
        self.process = host.start(
            "mariadbd", "--no-defaults", f"--user={OWNER.pw_name}", f"--datadir={data}", f"--port={port}",
            "--bind-address=127.0.0.1", f"--socket={self.socket}", f"--pid-file={self.folder}/pid",
            f"--log-error={self.folder}/log", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=16M", *options)
        host.await_port(port, self.process)
        until(lambda: os.path.exists(self.socket), "the server's socket", every=0.05)
        users = USERS.format(password=password, require="REQUIRE SSL" if tls else "")
        done = host.run("mariadb", "--no-defaults", f"--socket={self.socket}", "-u", "root", stdin=users)
        assert done.returncode == 0, done.stderr

    def _copy(self, source):
        path = os.path.join(self.folder, os.path.basename(source))
        shutil.copy(source, path)
        shutil.chown(path, OWNER.pw_uid, OWNER.pw_gid)
        return path

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        self.host.end(self.process)
