# SPDX-License-Identifier: Apache-2.0
# Debian's FreeRADIUS with a configuration of its own, that knows a few users.
import os
import subprocess
import threading

SECRET = "a secret that both sides share"
PORT, ACCOUNTING = 1812, 1813

CONFIG = """\
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {folder}
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/radius.pid
max_request_time = 10
thread pool {{
	start_servers = 1
	max_servers = 2
	min_spare_servers = 1
	max_spare_servers = 2
}}
client here {{
	ipaddr = 127.0.0.1
	secret = "{secret}"
	require_message_authenticator = yes
}}
modules {{
	detail {{
		filename = {folder}/detail
	}}
	pap {{
	}}
	chap {{
	}}
	mschap {{
	}}
	files {{
		filename = {folder}/users
	}}
	eap {{
		default_eap_type = mschapv2
		mschapv2 {{
		}}
	}}
}}
server default {{
	listen {{
		type = auth
		ipaddr = 127.0.0.1
		port = {port}
	}}
	listen {{
		type = acct
		ipaddr = 127.0.0.1
		port = {accounting}
	}}
	authorize {{
		chap
		mschap
		eap {{
			ok = return
		}}
		files
		pap
	}}
	authenticate {{
		Auth-Type PAP {{
			pap
		}}
		Auth-Type CHAP {{
			chap
		}}
		Auth-Type MS-CHAP {{
			mschap
		}}
		eap
	}}
	accounting {{
		detail
	}}
	post-auth {{
{sign}
		Post-Auth-Type REJECT {{
{sign}
		}}
	}}
}}
"""

# What releases before 3.2.5 do only when told to.
SIGN = """\
		update reply {
			&Message-Authenticator := 0x00
		}
"""


class FreeRadius:
    """On loopback of the machine; `users` in the form of its file "users"."""

    def __init__(self, folder, machine, users, *, sign=True):
        self.folder = str(folder)
        os.makedirs(self.folder)
        self._write("radiusd.conf", CONFIG.format(folder=self.folder, secret=SECRET, port=PORT,
                                                  accounting=ACCOUNTING, sign=SIGN if sign else ""))
        self._write("dictionary", "$INCLUDE /usr/share/freeradius/dictionary\n")
        self._write("users", users)
        self.lines, self.ready = [], threading.Event()
        with machine:
            self.process = subprocess.Popen(
                ["freeradius", "-f", "-X", "-n", "radiusd", "-d", self.folder], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        assert self.ready.wait(30) and self.process.poll() is None, "".join(self.lines[-20:])

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("Ready to process requests"):
                self.ready.set()
        self.ready.set()

    def records(self):
        """What was told of sessions: {attribute: value}, as the file "detail" has it."""
        try:
            with open(os.path.join(self.folder, "detail"), encoding="ascii") as file:
                blocks = file.read().split("\n\n")[:-1]  # the last one may not be whole yet
        except FileNotFoundError:
            return []
        return [dict(line.strip().split(" = ", 1) for line in block.splitlines() if " = " in line)
                for block in blocks if " = " in block]

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.reader.join(10)
        self.process.stdout.close()
