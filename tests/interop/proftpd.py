# SPDX-License-Identifier: Apache-2.0
# Debian's ProFTPD with a folder that anybody may read, and one in it that anybody may fill.
import os
import shutil

from interop.host import HERE

CONFIG = """\
ModulePath /usr/lib/proftpd
{modules}
ServerType standalone
ServerName "Test"
DefaultAddress 127.0.0.1
SocketBindTight on
Port {port}
User nobody
Group nogroup
PidFile {folder}/pid
ScoreboardFile {folder}/scoreboard
DelayEngine off
UseReverseDNS off
WtmpLog off
TransferLog none
SystemLog {folder}/log
AuthOrder mod_auth_file.c
AuthUserFile {folder}/users
RequireValidShell off
{tls}
<Anonymous {folder}/files>
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  RequireValidShell off
  <Directory incoming>
    AllowOverwrite on
  </Directory>
</Anonymous>
"""

SECURE = """\
TLSEngine on
TLSRequired on
TLSRSACertificateFile {cert}
TLSRSACertificateKeyFile {key}
TLSECCertificateFile {cert}
TLSECCertificateKeyFile {key}
TLSLog {folder}/tls.log
"""


class Proftpd:
    """
    FTP on a loopback port; plain, or with AUTH TLS by the identity `tls`, without which nobody gets anything, and
    with data connections that have the session of their control connection.
    """

    def __init__(self, folder, port, *, tls=None, host=HERE):
        self.port, self.host = port, host
        self.files = os.path.join(str(folder), "files")
        self.incoming = os.path.join(self.files, "incoming")
        os.makedirs(self.incoming)
        os.chmod(str(folder), 0o755)
        shutil.chown(self.incoming, "ftp")
        config = os.path.join(str(folder), "proftpd.conf")
        users = os.path.join(str(folder), "users")
        with open(users, "w", encoding="ascii") as file:
            file.write(f"ftp:*:{os.stat(self.incoming).st_uid}:65534::{self.files}:/bin/false\n")
        os.chmod(users, 0o600)
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=folder, port=port, modules="LoadModule mod_tls.c" if tls else "",
                                     tls=SECURE.format(cert=tls.path, key=tls.key, folder=folder) if tls else ""))
        self.process = host.start("proftpd", "--nodaemon", "--config", config)
        host.await_port(port, self.process)

    def put(self, name, data):
        with open(os.path.join(self.files, name), "wb") as file:
            file.write(data)

    def received(self, name):
        with open(os.path.join(self.incoming, name), "rb") as file:
            return file.read()

    def close(self):
        self.host.end(self.process)
