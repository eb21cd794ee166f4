#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write the newc archive for the guest (no cpio, no root, no device nodes made)."""
import argparse, glob, os, re, stat, subprocess, zlib, sys

MODULES = ["virtio_pci", "virtio_net", "af_packet", "ppp_async", "ppp_generic", "tls", "tun",
           "virtio_rng", "ppp_mppe", "aesni_intel", "gcm"]


class Newc:
    def __init__(self):
        self.b, self.ino, self.seen = bytearray(), 1, set()

    def _put(self, name, mode, data=b"", rdev=(0, 0)):
        if name in self.seen:
            return
        self.seen.add(name)
        self.ino += 1
        h = [self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name) + 1, 0]
        self.b += b"070701" + b"".join(b"%08X" % v for v in h) + name.encode() + b"\0"
        self.b += b"\0" * (-len(self.b) % 4)
        self.b += data
        self.b += b"\0" * (-len(self.b) % 4)

    def dir(self, name):
        parts = name.split("/")
        for i in range(1, len(parts) + 1):
            self._put("/".join(parts[:i]), stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        if "/" in name:
            self.dir(os.path.dirname(name))
        self._put(name, stat.S_IFREG | mode, data)

    def link(self, name, to):
        if "/" in name:
            self.dir(os.path.dirname(name))
        self._put(name, stat.S_IFLNK | 0o777, to.encode())

    def node(self, name, major, minor):
        self.dir(os.path.dirname(name))
        self._put(name, stat.S_IFCHR | 0o600, b"", (major, minor))

    def done(self):
        self.ino = 0
        self._put("TRAILER!!!", 0)
        return bytes(self.b)


def modules(kdir):
    """modules and what they need, dependencies first, as paths"""
    base = glob.glob(kdir + "/lib/modules/*")[0]
    path, deps = {}, {}
    for d, _, fs in os.walk(base):
        for f in fs:
            m = re.match(r"(.*)\.ko(\.xz|\.zst)?$", f)
            if m:
                path[m.group(1).replace("-", "_")] = os.path.join(d, f)

    def needs(n):
        if n not in deps:
            o = open(path[n], "rb").read()
            m = re.search(rb"\0depends=([^\0]*)\0", o)
            deps[n] = [x.replace("-", "_") for x in m.group(1).decode().split(",") if x] if m else []
        return deps[n]
    order = []

    def add(n):
        if n not in path or n in order:      # built in, or done
            return
        for x in needs(n):
            add(x)
        order.append(n)
    for n in MODULES:
        add(n)
    return [path[n] for n in order]


def libs(paths, root):
    env = dict(os.environ)
    env["LD_LIBRARY_PATH"] = ":".join(root + d for d in ("/usr/lib/x86_64-linux-gnu",
                                                         "/lib/x86_64-linux-gnu"))
    got = {}
    for p in paths:
        t = subprocess.run(["ldd", p], env=env, capture_output=True, text=True).stdout
        for line in t.splitlines():
            if "not found" in line:
                sys.exit("missing library for %s: %s" % (p, line.strip()))
            m = re.search(r"(?:(\S+) => )?(/\S+) \(0x", line)
            if m:
                got[os.path.basename(m.group(1) or m.group(2))] = os.path.realpath(m.group(2))
    return got


def main():
    ap = argparse.ArgumentParser()
    for o in ("--root", "--kernel", "--guest", "--output"):
        ap.add_argument(o, required=True)
    a = ap.parse_args()
    r, c = os.path.abspath(a.root), Newc()
    for d in ("proc", "sys", "dev", "tmp", "run", "var/run/sstpc", "etc/ppp", "root", "bin"):
        c.dir(d)
    c.node("dev/console", 5, 1)
    c.file("bin/busybox", open(r + "/bin/busybox", "rb").read(), 0o755)
    c.link("bin/sh", "busybox")
    bins = ["/usr/sbin/pppd", "/usr/sbin/sstpc", "/usr/bin/iperf3", "/usr/bin/openssl"]
    plug = glob.glob(r + "/usr/lib/pppd/*/sstp-pppd-plugin.so")
    for b in bins:
        c.file(b[1:], open(r + b, "rb").read(), 0o755)
    for p in plug:
        c.file(p[len(r) + 1:], open(p, "rb").read(), 0o755)
    for name, p in sorted(libs([r + b for b in bins] + plug, r).items()):
        c.file(("lib64/" if name.startswith("ld-linux") else "lib/x86_64-linux-gnu/") + name,
               open(p, "rb").read(), 0o755)
    legacy = glob.glob(r + "/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so")
    for p in legacy:
        c.file("usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so", open(p, "rb").read(), 0o755)
    names = []
    for m in modules(a.kernel):
        names.append(os.path.basename(m))
        c.file("mod/" + names[-1], open(m, "rb").read())
    c.file("mod/order", ("\n".join(names) + "\n").encode())
    c.file("etc/passwd", b"root:x:0:0::/root:/bin/sh\nsstpc:x:100:100::/var/run/sstpc:/bin/sh\n"
           b"nobody:x:65534:65534::/:/bin/sh\n")
    c.file("etc/group", b"root:x:0:\nsstpc:x:100:\ndip:x:30:\n")
    c.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    c.file("etc/services", b"https 443/tcp\n")
    c.file("etc/ppp/options", b"")
    c.file("init", open(a.guest, "rb").read(), 0o755)
    z = zlib.compressobj(1, zlib.DEFLATED, 31)
    data = z.compress(c.done()) + z.flush()
    # run.sh appends a second archive, which the kernel wants at a multiple of four
    open(a.output, "wb").write(data + b"\0" * (-len(data) % 4))
    print("initramfs: %d modules, %d bytes" % (len(names), os.path.getsize(a.output)))


if __name__ == "__main__":
    main()
