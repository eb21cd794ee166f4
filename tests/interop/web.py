# SPDX-License-Identifier: Apache-2.0
# A plain HTTP/1.1 server with a thread for each connection, in a process of its own.
"""
    GET /              a page with a script, for browsers
    GET /echo/TEXT     the path again
    GET /big           the file of the command line
    PUT /big           its length and SHA-256 come back
"""

import hashlib
import http.server
import os
import subprocess
import sys

from interop.host import HERE

TESTS = __file__.rsplit("/", 2)[0]
PAGE = b"""<!DOCTYPE html>
<title>loading</title>
<p id="said">nothing yet</p>
<script>
fetch("/echo/from-the-page").then(r => r.text()).then(text => {
	document.getElementById("said").textContent = "the server said " + text + " over " + location.protocol;
});
</script>
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    big = None
    disable_nagle_algorithm = True
    wbufsize = 16384  # the head and a small body leave in one piece

    def log_message(self, *_):
        pass

    def _answer(self, body, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        if self.path == "/":
            self._answer(PAGE, "text/html")
        elif self.path.startswith("/echo/"):
            self._answer(self.path.encode())
        elif self.path == "/big":
            self._send_file()
        else:
            self.send_error(404)

    def _send_file(self):
        with open(self.big, "rb") as file:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(file)

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        size = left
        while left:
            data = self.rfile.read(min(left, 1 << 20))
            if not data:
                self.close_connection = True
                return
            digest.update(data)
            left -= len(data)
        self._answer(f"{size} {digest.hexdigest()}\n".encode())


class Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 2048
    daemon_threads = True


class WebServer:
    def __init__(self, big="/dev/null"):
        self.process = HERE.start("/usr/bin/python3", "-m", "interop.web", big, stdout=subprocess.PIPE, stderr=None,
                                  text=True, cwd=TESTS)
        self.port = int(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.port}"

    def close(self):
        HERE.end(self.process)
        self.process.stdout.close()


if __name__ == "__main__":
    Handler.big = sys.argv[1]
    with Listener(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
