# SPDX-License-Identifier: Apache-2.0
# Debian's Dovecot on mailboxes that Postfix fills.
import os

from interop.host import HERE
from interop.postfix import DOMAIN, OWNER

CONFIG = """\
protocols = {protocols}
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = test
log_path = {folder}/log
listen = 127.0.0.1
hostname = mail.{domain}
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:{mail}/%n
first_valid_uid = 1
lmtp_save_to_detail_mailbox = no
service imap-login {{
  inet_listener imap {{
    port = {imap}
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

# Sections that older or smaller installations would not know, by protocol.
MORE = {
    "pop3": "service pop3-login {{\n  inet_listener pop3 {{\n    port = {port}\n  }}\n"
            "  inet_listener pop3s {{\n    port = 0\n  }}\n}}\n",
    "lmtp": "service lmtp {{\n  inet_listener lmtp {{\n    address = 127.0.0.1\n    port = {port}\n  }}\n}}\n",
    "sieve": "service managesieve-login {{\n  inet_listener sieve {{\n    port = {port}\n  }}\n}}\n"
             "plugin {{\n  sieve = file:~/sieve;active=~/active.sieve\n}}\n",
    "auth": "service auth {{\n  inet_listener {{\n    address = 127.0.0.1\n    port = {port}\n  }}\n}}\n",
}


class Dovecot:
    """
    Its services on loopback ports: `ports` by protocol, or that of IMAP alone.  Every user has the same
    password.  Plain, or with STARTTLS by the identity `tls`.
    """

    def __init__(self, folder, ports, mail, password, *, tls=None, host=HERE):
        ports = ports if isinstance(ports, dict) else {"imap": ports}
        self.folder, self.ports, self.port, self.host = str(folder), ports, ports["imap"], host
        os.makedirs(self.folder)
        path = os.path.join(self.folder, "dovecot.conf")
        protocols = " ".join(name for name in ports if name != "auth")
        begin = f"ssl = yes\nssl_cert = <{tls.path}\nssl_key = <{tls.key}" if tls else "ssl = no"
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=self.folder, imap=self.port, mail=mail, password=password, tls=begin,
                                     protocols=protocols, domain=DOMAIN, uid=OWNER.pw_uid, gid=OWNER.pw_gid))
            file.writelines(MORE[name].format(port=port) for name, port in ports.items() if name != "imap")
        self.process = host.start("dovecot", "-F", "-c", path)
        for port in ports.values():
            host.await_port(port, self.process)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        self.host.end(self.process)
