# SPDX-License-Identifier: Apache-2.0
# Debian's INN, a news server, run from the unpacked package: to be installed it wants a host with a full name.
import os
import shutil
import signal

from interop.host import HERE, unpacked

GROUP = "test.group"

CONFIG = """\
pathhost: news.test
domain: test
pathnews: {folder}
pathbin: {folder}/programs/bin
bindaddress: 127.0.0.1
bindaddress6: none
port: {port}
ovmethod: tradindexed
hismethod: hisv6
enableoverview: true
mta: "/bin/true %s"
mailcmd: /bin/true
{tls}
"""

SECURE = """\
tlscapath: {folder}/etc
tlscertfile: {folder}/etc/cert.pem
tlskeyfile: {folder}/etc/key.pem
"""

FILES = {
    "etc/storage.conf": "method tradspool {\n class: 0\n newsgroups: *\n}\n",
    "etc/newsfeeds": "ME:!*::\n",  # to nobody
    "etc/incoming.conf": "",  # who is no other server is a reader
    "etc/expire.ctl": "/remember/:10\n*:A:1:10:never\n",
    "etc/control.ctl": "",
    "etc/moderators": "",
    "db/active": "".join(f"{name} 0000000000 0000000001 {may_post}\n" for name, may_post in (
        ("control", "n"), ("control.cancel", "n"), ("junk", "n"), (GROUP, "y"))),
    "db/active.times": "",
    "db/newsgroups": f"{GROUP}\tA group\n",
    "db/history": "",
}

READERS = """\
auth here {{
 hosts: 127.0.0.1
 default: <reader>
 {only}
}}
access here {{
 users: <reader>
 newsgroups: *
 access: RP
}}
"""

FOLDERS = ["db", "etc", "filter", "http", "log", "run", "tmp", "spool/articles", "spool/overview",
           "spool/incoming/bad", "spool/outgoing"]


class Inn:
    """
    A news server with one group on a loopback port; plain, or with STARTTLS by the identity `tls`, without which
    nobody may read.
    """

    def __init__(self, folder, port, *, tls=None, host=HERE):
        self.folder, self.port, self.host = str(folder), port, host
        for name in FOLDERS:
            os.makedirs(os.path.join(self.folder, name))
        # The server becomes another user, who may not reach the place where they were unpacked.
        shutil.copytree(os.path.join(unpacked("inn"), "usr/lib/news"), os.path.join(self.folder, "programs"), symlinks=True)
        config = CONFIG.format(folder=self.folder, port=port, tls=SECURE.format(folder=self.folder) if tls else "")
        readers = READERS.format(only="require_encryption: true" if tls else "")
        for name, text in {**FILES, "etc/inn.conf": config, "etc/readers.conf": readers}.items():
            self._write(name, text)
        if tls:
            shutil.copy(tls.path, os.path.join(self.folder, "etc/cert.pem"))
            shutil.copy(tls.key, os.path.join(self.folder, "etc/key.pem"))
        done = host.run("chown", "-R", "news:news", self.folder)
        assert done.returncode == 0, done.stderr

        done = host.run(*self._as_news("makedbz"), "-i", "-o", "-s", "1000", env=self._environment())
        assert done.returncode == 0, done.stdout + done.stderr
        self.process = host.start(*self._as_news("innd"), "-f", env=self._environment())
        host.await_port(port, self.process)

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def _as_news(self, program):
        return ["setpriv", "--reuid", "news", "--regid", "news", "--clear-groups", "--pdeathsig", "KILL",
                os.path.join(self.folder, "programs/bin", program)]

    def _environment(self):
        return {"INNCONF": os.path.join(self.folder, "etc/inn.conf"), "PATH": os.environ["PATH"],
                "LD_LIBRARY_PATH": os.path.join(self.folder, "programs")}

    def close(self):
        # Told to end in order it first waits for something to happen; and its files are thrown away.
        self.host.end(self.process, signal.SIGKILL)
