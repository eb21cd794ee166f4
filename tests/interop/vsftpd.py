# SPDX-License-Identifier: Apache-2.0
# Debian's vsftpd with a folder that anybody may read, and one in it that anybody may fill.
import os
import shutil

from interop.host import HERE

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


class Vsftpd:
    """
    FTP on a loopback port; plain, or with AUTH TLS by the identity `tls`, without which nobody gets anything, and
    with data connections that have the session of their control connection.
    """

    def __init__(self, folder, port, *, tls=None, host=HERE):
        self.port, self.host = port, host
        self.files = os.path.join(str(folder), "files")
        self.incoming = os.path.join(self.files, "incoming")
        for each in (self.incoming, os.path.join(str(folder), "empty")):
            os.makedirs(each)
        os.chmod(str(folder), 0o755)
        shutil.chown(self.incoming, "ftp")
        config = os.path.join(str(folder), "vsftpd.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=folder, port=port,
                                     tls=SECURE.format(cert=tls.path, key=tls.key) if tls else ""))
        self.process = host.start("vsftpd", config)
        host.await_port(port, self.process)

    def put(self, name, data):
        with open(os.path.join(self.files, name), "wb") as file:
            file.write(data)

    def received(self, name):
        with open(os.path.join(self.incoming, name), "rb") as file:
            return file.read()

    def close(self):
        self.host.end(self.process)
