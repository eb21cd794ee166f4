# SPDX-License-Identifier: Apache-2.0
# Debian's Postfix, with a configuration, queue and mailboxes of its own.
import os
import pwd

from interop.host import HERE
from lib.wait import until

DOMAIN = "example.test"
OWNER = pwd.getpwnam("mail")  # of the mailboxes; Postfix and Dovecot agree on it

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mail.{domain}
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_tls_security_level = none
alias_maps =
alias_database =
biff = no
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {mail}
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60  1 pickup
cleanup   unix n - n -   0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n -   - trivial-rewrite
bounce    unix - - n -   0 bounce
defer     unix - - n -   0 bounce
trace     unix - - n -   0 bounce
verify    unix - - n -   1 verify
flush     unix n - n 1000? 0 flush
error     unix - - n -   - error
retry     unix - - n -   - error
discard   unix - - n -   - discard
virtual   unix - n n -   - virtual
anvil     unix - - n -   1 anvil
scache    unix - - n -   1 scache
proxymap  unix - - n -   - proxymap
tlsmgr    unix - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""

SUBMISSION = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_cert_file={cert}
  -o smtpd_tls_key_file={key}
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=inet:127.0.0.1:{auth}
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
"""

# For those who come through us: told by XCLIENT, and by a PROXY header.
BEHIND = """\
127.0.0.1:{xclient} inet n - n - - smtpd
  -o smtpd_authorized_xclient_hosts=127.0.0.1
127.0.0.1:{proxied} inet n - n - - smtpd
  -o smtpd_upstream_proxy_protocol=haproxy
"""


class Postfix:
    """
    Takes mail for USER@example.test on a loopback port, and puts it into Maildirs below `mail`.  With
    `tls_port` it listens there, too, and has STARTTLS by the identity `tls`; who logs in there is asked of
    Dovecot at `auth_port`, and nobody else may send.  At the two ports of `behind` it believes 127.0.0.1 who its
    clients are, by XCLIENT and by a PROXY header.
    """

    def __init__(self, folder, port, users, *, tls_port=None, tls=None, auth_port=None, behind=None,
                 host=HERE):
        self.folder, self.port, self.host = str(folder), port, host
        self.mail = os.path.join(self.folder, "mail")
        config = os.path.join(self.folder, "config")
        for path in (config, self.mail, os.path.join(self.folder, "data"), os.path.join(self.folder, "queue")):
            os.makedirs(path)
        os.chown(self.mail, OWNER.pw_uid, OWNER.pw_gid)
        postfix = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.folder, "data"), postfix.pw_uid, postfix.pw_gid)
        boxes = " ".join(f"{{{user}@{DOMAIN} = {user}/}}" for user in users)
        self._write(config, "main.cf", MAIN.format(
            folder=self.folder, domain=DOMAIN, mail=self.mail, boxes=boxes, uid=OWNER.pw_uid, gid=OWNER.pw_gid))
        more = SUBMISSION.format(port=tls_port, cert=tls.path, key=tls.key, auth=auth_port) if tls_port else ""
        if behind:
            more += BEHIND.format(xclient=behind[0], proxied=behind[1])
        self._write(config, "master.cf", MASTER.format(port=port) + more)
        self._write(config, "dynamicmaps.cf", "")
        done = host.run("postfix", "-c", config, "check")  # makes the folders of the queue
        assert done.returncode == 0, done.stderr + self.log()
        # As `postfix start` would start it, but staying ours to end.
        self.process = host.start("/usr/lib/postfix/sbin/master", "-d", "-c", config)
        host.await_port(port, self.process)
        if tls_port:
            host.await_port(tls_port, self.process)

    @staticmethod
    def _write(folder, name, text):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def messages(self, user):
        """The texts of the messages in a mailbox."""
        new = os.path.join(self.mail, user, "new")
        texts = []
        for name in sorted(os.listdir(new)) if os.path.isdir(new) else ():
            with open(os.path.join(new, name), encoding="utf-8", errors="replace") as file:
                texts.append(file.read())
        return texts

    def await_message(self, user, words):
        """The message that holds these words, once it has arrived."""

        def arrived():
            return next((text for text in self.messages(user) if words in text), None)

        try:
            return until(arrived, f"a message with {words!r}")
        except AssertionError as late:
            raise type(late)(f"{late}\n{self.log()[-3000:]}") from None

    def close(self):
        self.host.end(self.process)
