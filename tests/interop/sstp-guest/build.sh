#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Build the guest for run.sh: Debian's kernel and a small initramfs with busybox, pppd, sstpc, iperf3 and the modules
# for PPP.
#
#   build.sh OUTDIR
#
# Nothing is installed: the packages are fetched with apt-get and unpacked under OUTDIR.  The shared libraries are those
# of this machine, so it must be of the same Debian release.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUTDIR}
mkdir -p "$out/debs" "$out/root"
out=$(cd "$out" && pwd)

kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
[ -n "$kernel" ] || { echo "no kernel package known: run apt-get update" >&2; exit 1; }
packages="ppp sstp-client libsstp-api-0 libevent-2.1-7 libpcap0.8 libdbus-1-3
	busybox-static iperf3 libiperf0 libsctp1 openssl libssl3 $kernel"
cd "$out/debs"
for package in $packages; do
	ls "${package}"_*.deb >/dev/null 2>&1 || apt-get -q download "$package" 2>&1 | grep -v unsandboxed || true
done
cd "$out"
for deb in debs/*.deb; do
	case $deb in
	*linux-image*) dpkg -x "$deb" kernel ;;
	*) dpkg -x "$deb" root ;;
	esac
done
cp kernel/boot/vmlinuz-* vmlinuz
python3 "$here/mkinitramfs.py" --root root --kernel kernel --guest "$here/guest-init.sh" --output initrd.img.new
mv initrd.img.new initrd.img # whole, or not there
rm -rf kernel # half a gigabyte, and quick to unpack again
