# SPDX-License-Identifier: Apache-2.0
# Debian's vsftpd.
import os

from interop.ftp_server import FtpServer

CONFIG = """\
listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
no_anon_password=YES
ftp_username=ftp
anon_root={folder}/files
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_umask=022
secure_chroot_dir={folder}/empty
seccomp_sandbox=NO
isolate_network=NO
xferlog_enable=NO
{tls}
"""

SECURE = """\
ssl_enable=YES
allow_anon_ssl=YES
force_anon_data_ssl=YES
force_anon_logins_ssl=YES
rsa_cert_file={cert}
rsa_private_key_file={key}
ssl_ciphers=HIGH
require_ssl_reuse=YES
"""


class Vsftpd(FtpServer):
    def configure(self, folder, tls):
        os.makedirs(os.path.join(folder, "empty"))
        config = os.path.join(folder, "vsftpd.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=folder, port=self.port,
                                     tls=SECURE.format(cert=tls.path, key=tls.key) if tls else ""))
        return ["vsftpd", config]
