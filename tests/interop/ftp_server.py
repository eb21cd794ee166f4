# SPDX-License-Identifier: Apache-2.0
# What the servers of FTP share.
import os
import shutil

from interop.host import HERE


class FtpServer:
    """
    FTP on a loopback port, with a folder that anybody may read, and one in it that anybody may fill; plain, or with
    AUTH TLS by the identity `tls`, without which nobody gets anything, and with data connections that have the
    session of their control connection.
    """

    def __init__(self, folder, port, *, tls=None, host=HERE):
        self.port, self.host = port, host
        self.files = os.path.join(str(folder), "files")
        self.incoming = os.path.join(self.files, "incoming")
        os.makedirs(self.incoming)
        os.chmod(str(folder), 0o755)
        shutil.chown(self.incoming, "ftp")
        self.process = host.start(*self.configure(str(folder), tls))
        host.await_port(port, self.process)

    def configure(self, folder, tls):
        """Write its configuration there; the command that starts it."""
        raise NotImplementedError

    def put(self, name, data):
        with open(os.path.join(self.files, name), "wb") as file:
            file.write(data)

    def received(self, name):
        with open(os.path.join(self.incoming, name), "rb") as file:
            return file.read()

    def close(self):
        self.host.end(self.process)
