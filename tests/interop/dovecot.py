# SPDX-License-Identifier: Apache-2.0
# Debian's Dovecot as a plain IMAP server on mailboxes that Postfix fills.
import os

from interop.host import HERE
from interop.postfix import OWNER

CONFIG = """\
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = test
log_path = {folder}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{mail}/%n
first_valid_uid = 1
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%n allow_all_users=yes
}}
"""


class Dovecot:
    """IMAP without TLS on a loopback port; every user has the same password."""

    def __init__(self, folder, port, mail, password, *, host=HERE):
        self.folder, self.port, self.host = str(folder), port, host
        os.makedirs(self.folder)
        path = os.path.join(self.folder, "dovecot.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=self.folder, port=port, mail=mail, password=password,
                                     uid=OWNER.pw_uid, gid=OWNER.pw_gid))
        self.process = host.start("dovecot", "-F", "-c", path)
        host.await_port(port, self.process)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        self.host.end(self.process)
