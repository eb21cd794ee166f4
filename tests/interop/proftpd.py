# SPDX-License-Identifier: Apache-2.0
# Debian's ProFTPD, run from the unpacked package: two servers of FTP cannot be installed.
import os

from interop.ftp_server import FtpServer
from interop.host import unpacked

CONFIG = """\
ModulePath {programs}/lib/proftpd
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


class Proftpd(FtpServer):
    def configure(self, folder, tls):
        programs = os.path.join(unpacked("proftpd"), "usr")
        config, users = os.path.join(folder, "proftpd.conf"), os.path.join(folder, "users")
        with open(users, "w", encoding="ascii") as file:
            file.write(f"ftp:*:{os.stat(self.incoming).st_uid}:65534::{self.files}:/bin/false\n")
        os.chmod(users, 0o600)
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=folder, port=self.port, programs=programs, modules="LoadModule mod_tls.c" if tls else "",
                                     tls=SECURE.format(cert=tls.path, key=tls.key, folder=folder) if tls else ""))
        return [os.path.join(programs, "sbin/proftpd"), "--nodaemon", "--config", config]
