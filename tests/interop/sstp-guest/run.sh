#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Boot the guest of build.sh and have the real sstpc and pppd dial a server on this machine's loopback, which the guest
# sees at 10.0.2.2.
#
#   run.sh DIR --port N --user U --password P [--name CN] [--ping "IP ..."] [--bulk IP:PORT]
#          [--bulk-up MIB] [--bulk-down MIB] [--pppd "OPTIONS"] [--sstpc "OPTIONS"] [--secrets file|args]
#          [--log 0..4] [--dial-wait SECS] [--timeout SECS] [--show]
#
# --bulk runs iperf3 to servers that the caller has started there: at PORT for what goes up, behind it for what comes down.
# The last line is PASS or FAIL; the exit status says the same.
set -uo pipefail
dir=${1:?usage: run.sh DIR ...}; shift
PORT=443 SSTP_USER=user SSTP_PASSWORD=pass SERVER_NAME=vpn.test PING= BULK= BULK_UP=1 BULK_DOWN=1
PPPD_OPTS= SSTPC_OPTS= SECRETS=args LOG=2 DIAL_WAIT=60 SHOWLOG= limit=240 HOST_IP=10.0.2.2
while [ $# -gt 0 ]; do
	case $1 in
	--show) SHOWLOG=1; shift; continue ;;
	--port) PORT=$2 ;; --user) SSTP_USER=$2 ;; --password) SSTP_PASSWORD=$2 ;;
	--name) SERVER_NAME=$2 ;; --ping) PING=$2 ;; --bulk) BULK=$2 ;;
	--bulk-up) BULK_UP=$2 ;; --bulk-down) BULK_DOWN=$2 ;; --pppd) PPPD_OPTS=$2 ;;
	--sstpc) SSTPC_OPTS=$2 ;; --secrets) SECRETS=$2 ;; --log) LOG=$2 ;;
	--dial-wait) DIAL_WAIT=$2 ;; --timeout) limit=$2 ;;
	*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
	esac
	shift 2
done
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
for v in PORT SSTP_USER SSTP_PASSWORD SERVER_NAME PING BULK BULK_UP BULK_DOWN PPPD_OPTS SSTPC_OPTS SECRETS LOG \
	DIAL_WAIT SHOWLOG HOST_IP; do
	printf "%s='%s'\n" "$v" "${!v}"
done > "$tmp/conf"
# A second archive behind the first one adds the files of this run.
CONF="$tmp/conf" OUT="$tmp/extra" python3 - "$(dirname "$0")" <<'P'
import os, sys
sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True
from mkinitramfs import Newc
c = Newc()
c.file("conf", open(os.environ["CONF"], "rb").read())
open(os.environ["OUT"], "wb").write(c.done())
P
cat "$dir/initrd.img" "$tmp/extra" > "$tmp/initrd"
timeout "$limit" qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 1 -m 512 \
	-nodefaults -display none -no-reboot -serial stdio \
	-kernel "$dir/vmlinuz" -initrd "$tmp/initrd" \
	-append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off random.trust_cpu=on no_timer_check rcupdate.rcu_expedited=1 tsc=reliable" \
	-netdev user,id=n0 -device virtio-net-pci,netdev=n0,romfile= -device virtio-rng-pci \
	< /dev/null 2> "$tmp/qemu.err" | tr -d '\r' | tee "$tmp/log"
cat "$tmp/qemu.err" >&2
if grep -q '@@ .*RESULT PASS' "$tmp/log"; then echo PASS; exit 0; fi
echo "FAIL $(sed -n 's/.*RESULT FAIL//p' "$tmp/log")"; exit 1
