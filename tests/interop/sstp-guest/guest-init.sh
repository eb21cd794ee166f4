#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PID 1 of the guest.  /conf (put there by run.sh) says what to do; lines that
# start with "@@" are for run.sh, everything else is for people.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin:/sbin LD_LIBRARY_PATH=/lib/x86_64-linux-gnu
mount -t proc proc /proc; mount -t sysfs sys /sys
mount -t devtmpfs dev /dev; mkdir -p /dev/pts /dev/shm; mount -t devpts pts /dev/pts
t() { cut -d' ' -f1 /proc/uptime; }
say() { echo "@@ $(t) $*"; }
finish() { say "$@"; sync; poweroff -f; sleep 5; }
say "booted $(uname -r) date $(date -u +%Y-%m-%dT%H:%M:%S)"
while read -r m; do insmod "/mod/$m" 2>/dev/null; done < /mod/order
[ -c /dev/ppp ] || mknod /dev/ppp c 108 0
. /conf
ip link set lo up
n=0; while [ ! -d /sys/class/net/eth0 ] && [ $n -lt 50 ]; do usleep 100000; n=$((n+1)); done
ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2
echo "$HOST_IP $SERVER_NAME" >> /etc/hosts

say "dialing $SERVER_NAME:$PORT as $SSTP_USER"
SECRET="$SSTP_PASSWORD"
# the usual way: pppd authenticates from its secrets file, the plugin hands sstpc the keys
if [ "$SECRETS" = file ]; then
	printf '"%s" * "%s" *\n' "$SSTP_USER" "$SECRET" > /etc/ppp/chap-secrets
	cp /etc/ppp/chap-secrets /etc/ppp/pap-secrets
	cred=""; auth="name $SSTP_USER"
else
	cred="--user $SSTP_USER --password $SECRET"; auth=""
fi
ca=""; [ -f /ca.pem ] && ca="--ca-cert /ca.pem"
# sstpc 1.0.18 has a race of its own on a slow machine: after the HTTP reply its event loop
# can be left with nothing to wait for, before it has sent any SSTP message, in half of the
# dials and, when the machine is busy, in most of them.  So dial again
# when pppd was never started; a server's refusal comes later and is not hidden by this.
try=0
while :; do
	try=$((try+1)); t0=$(t); rm -f /ppp.log
	# shellcheck disable=SC2086
	sstpc --log-level "${LOG:-2}" --log-stderr $ca --cert-warn --host "$SERVER_NAME" --tls-ext $cred $SSTPC_OPTS \
		"$SERVER_NAME:$PORT" noauth nodetach debug logfile /ppp.log $auth $PPPD_OPTS > /sstpc.log 2>&1 &
	sp=$!
	n=0
	while [ $n -lt 30 ] && [ ! -s /ppp.log ] && kill -0 $sp 2>/dev/null; do usleep 200000; n=$((n+1)); done
	[ -s /ppp.log ] && break
	grep -q 'Connect-Request\|aborted\|failed' /sstpc.log && break
	[ $try -ge 40 ] && break
	kill $sp 2>/dev/null; wait $sp 2>/dev/null
done
[ $try -gt 1 ] && say "note: sstpc lost its event loop before its first message $((try-1)) times"
n=0
while [ $n -lt $((DIAL_WAIT*5)) ]; do
	ip -4 addr show dev ppp0 2>/dev/null | grep -q inet && break
	kill -0 $sp 2>/dev/null || break
	usleep 200000; n=$((n+1))
done
if ! ip -4 addr show dev ppp0 2>/dev/null | grep -q inet; then
	echo "--- sstpc"; cat /sstpc.log; echo "--- pppd"; cat /ppp.log
	finish "RESULT FAIL no tunnel"
fi
say "tunnel up, dial took $(awk "BEGIN{print $(t)-$t0}") s"
ip addr show dev ppp0 | grep -E 'mtu|inet'
peer=$(ip -4 addr show dev ppp0 | sed -n 's/.*peer \([0-9.]*\).*/\1/p')
fail=""
for h in ${PING:-$peer}; do
	ip route add "$h" dev ppp0 2>/dev/null
	ping -c 5 -W 5 "$h" > /ping.log 2>&1 && r=ok || { r=bad; fail="$fail ping:$h"; }
	say "ping $h $r $(grep -E 'packet loss|round-trip' /ping.log | tr '\n' ' ')"
	ping -c 2 -W 5 -s 1300 "$h" > /ping.log 2>&1 && say "ping1300 $h ok" || { say "ping1300 $h bad"; fail="$fail ping1300:$h"; }
done
if [ -n "$BULK" ]; then
	b=${BULK%:*}; bp=${BULK#*:}
	ip route add "$b" dev ppp0 2>/dev/null
	for d in "-n ${BULK_UP}M" "-R -n ${BULK_DOWN}M"; do
		# shellcheck disable=SC2086
		if iperf3 -c "$b" -p "$bp" $d -f m > /ip.log 2>&1; then
			say "bulk $d $(grep receiver /ip.log | tail -1 | sed 's/  */ /g')"
		else
			say "bulk $d failed"; tail -3 /ip.log; fail="$fail bulk:$d"
		fi
		kill -0 $sp 2>/dev/null || fail="$fail sstpc-died"
		bp=$((bp + 1)) # a server of its own: iperf3 listens anew only some time after a test
	done
fi
grep -E 'rcvd|sent' /ppp.log | head -60
kill $sp; n=0; while kill -0 $sp 2>/dev/null && [ $n -lt 25 ]; do usleep 200000; n=$((n+1)); done
[ -n "$SHOWLOG" ] && { echo "--- sstpc"; cat /sstpc.log; }
if [ -n "$fail" ]; then finish "RESULT FAIL$fail"; fi
finish "RESULT PASS"
