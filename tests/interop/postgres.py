# SPDX-License-Identifier: Apache-2.0
# Debian's PostgreSQL with a cluster of its own.
import glob
import os
import pwd
import shutil
import signal

from interop.host import HERE
from lib.wait import until

OWNER = pwd.getpwnam("postgres")  # it refuses to run as root
USER = "alice"


def _program(name):
    """The newest version that is installed."""
    paths = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    return max(paths, key=lambda path: int(path.split("/")[4]))


class Postgres:
    """One user with a password, on a loopback port; plain, or with TLS and nothing else by the identity `tls`."""

    def __init__(self, folder, port, password, *, tls=None, host=HERE):
        self.folder, self.port, self.host = str(folder), port, host
        os.makedirs(self.folder)
        shutil.chown(self.folder, OWNER.pw_uid, OWNER.pw_gid)
        data, secret = os.path.join(self.folder, "data"), self._write("password", password)
        done = self._as_owner(host.run, _program("initdb"), "--no-sync", "-D", data, "-U", USER, "--pwfile", secret,
                              "-A", "scram-sha-256", deadline=120)
        assert done.returncode == 0, done.stdout + done.stderr
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        if tls:
            settings += ["ssl=on", f"ssl_cert_file={self._copy(tls.path)}", f"ssl_key_file={self._copy(tls.key)}"]
            with open(os.path.join(data, "pg_hba.conf"), "w", encoding="ascii") as file:
                file.write("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        words = [word for setting in settings for word in ("-c", setting)]
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = self._as_owner(host.start, _program("postgres"), "-D", data, *words, stderr=log)
        host.await_port(port, self.process)
        until(lambda: "ready to accept connections" in self.log(), "the end of the server's start")

    @staticmethod
    def _as_owner(run, *command, **how):
        return run("setpriv", f"--reuid={OWNER.pw_uid}", f"--regid={OWNER.pw_gid}", "--clear-groups", *command, **how)

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o600)
        shutil.chown(path, OWNER.pw_uid, OWNER.pw_gid)
        return path

    def _copy(self, source):
        """A key must belong to the server's user."""
        with open(source, encoding="ascii") as file:
            return self._write(os.path.basename(source), file.read())

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        self.host.end(self.process, signal.SIGINT)  # without waiting for clients
