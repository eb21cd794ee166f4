/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/replay/test_vpn.c -- a day of a VPN's call, second by second.
 *
 * The server is a whole session on the fake loop; the client is the test's: the same machines of
 * SSTP and PPP, on a clock that is moved by hand.
 */
#include "rig.h"

#include "net/netlink.h"
#include "ppp/ppp.h"
#include "proto/sstp.h"
#include "tunnel/vpn_roll.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOPBACK = 1,
	LOOPBACK_MTU = 65536,
	HOUR = 3600,
	DAY = 24 * HOUR,
	KEEPALIVE = 60, /* seconds: the default of vpnKeepalive */
	OUT_MAX = 65536,
	TURNS = 200,
};

#define HTTP_REQUEST \
	"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n" \
	"Host: test\r\nContent-Length: 18446744073709551615\r\n\r\n"

static const char conf[] = "[vpn]\n"
			   "accept = 127.0.0.1:1\n"
			   "cert = @/server.pem\n"
			   "protocol = sstp\n"
			   "vpnUsers = %s\n"
			   "vpnPool = 10.66.0.0/24\n"
			   "vpnAuth = pap\n";

/* ---- a client ---- */

static const struct ppp_conf ppp_client = {
	.methods = { PPP_PAP },
	.method_count = 1,
	.user = "alice",
	.password = "secret",
	.echo = KEEPALIVE * 1000 / 2,
};
static const struct sstp_conf sstp_client = { .server = false };

struct dialer {
	struct rig *rig;
	struct peer peer;
	struct sstp sstp;
	struct ppp *ppp;
	int64_t now;
	uint8_t in[OUT_MAX], out[OUT_MAX];
	size_t in_size, out_size;
	unsigned sent, frames; /* control messages, frames of PPP */
	bool connected, up, over;
	char goodbye[128]; /* the server's last words in PPP */
};

static void
put(struct dialer *d, const uint8_t *bytes, size_t n)
{
	assert_true(d->out_size + n <= sizeof(d->out));
	memcpy(d->out + d->out_size, bytes, n);
	d->out_size += n;
}

static void
send_message(void *dialer, const uint8_t *packet, size_t n)
{
	((struct dialer *)dialer)->sent++;
	put(dialer, packet, n);
}

static void
begin_ppp(void *dialer)
{
	struct dialer *d = dialer;

	ppp_start(d->ppp, d->now);
}

static void
take_frame(void *dialer, uint8_t *frame, size_t n)
{
	struct dialer *d = dialer;

	ppp_receive(d->ppp, frame, n, d->now);
}

static void
now_connected(void *dialer)
{
	((struct dialer *)dialer)->connected = true;
}

static void
ending(void *dialer, enum sstp_end end)
{
	(void)dialer;
	(void)end;
}

static void
is_over(void *dialer)
{
	((struct dialer *)dialer)->over = true;
}

static const struct sstp_events sstp_events = { send_message, begin_ppp, take_frame, now_connected,
	ending, is_over };

static void
send_frame(void *dialer, uint8_t *frame, size_t n)
{
	((struct dialer *)dialer)->frames++;
	sstp_packet_data_header(n, frame - SSTP_HEADER);
	put(dialer, frame - SSTP_HEADER, SSTP_HEADER + n);
}

static void
logged_in(void *dialer, const struct ppp_login *login)
{
	const struct ppp_network network = { .family = { [PPP_IPV4] = true } };
	struct dialer *d = dialer;

	sstp_authenticated(&d->sstp, login->key, d->now);
	ppp_open_network(d->ppp, &network, d->now);
}

static void
network_up(void *dialer, enum ppp_family family, const struct ppp_network *network)
{
	(void)family;
	(void)network;
	((struct dialer *)dialer)->up = true;
}

static void
take_packet(void *dialer, enum ppp_family family, uint8_t *packet, size_t n)
{
	(void)dialer;
	(void)family;
	(void)packet;
	(void)n;
}

static void
network_lost(void *dialer, enum ppp_family family)
{
	(void)family;
	((struct dialer *)dialer)->up = false;
}

static void
link_down(void *dialer, enum ppp_end end, const char *detail)
{
	struct dialer *d = dialer;

	(void)end;
	(void)snprintf(d->goodbye, sizeof(d->goodbye), "%s", detail);
	d->up = false;
	sstp_disconnect(&d->sstp, d->now);
}

static const struct ppp_events ppp_events = {
	.send = send_frame,
	.authenticated = logged_in,
	.up = network_up,
	.network_lost = network_lost,
	.data = take_packet,
	.down = link_down,
};

/* What has come is taken, and what is to be said is sent. */
static void
pump(struct dialer *d)
{
	long got;
	size_t done;

	while ((got = peer_read(&d->peer, d->in + d->in_size, sizeof(d->in) - d->in_size)) > 0) {
		d->in_size += (size_t)got;
		done = sstp_receive(&d->sstp, d->in, d->in_size, d->now);
		memmove(d->in, d->in + done, d->in_size -= done);
	}
	if (d->now >= sstp_deadline(&d->sstp))
		sstp_tick(&d->sstp, d->now);
	if (d->now >= ppp_deadline(d->ppp))
		ppp_tick(d->ppp, d->now);
	if (d->out_size > 0)
		assert_int_equal(peer_write(&d->peer, d->out, d->out_size), d->out_size);
	d->out_size = 0;
}

static void
exchange(struct dialer *d)
{
	for (unsigned i = 0; i < 3; i++) {
		(void)fake_loop_settle(rig_loop(d->rig), TURNS);
		pump(d);
	}
}

static void
hash_certificate(struct dialer *d, struct sstp_cert *hash)
{
	X509 *cert = SSL_get1_peer_certificate(d->peer.ssl);
	uint8_t *der = NULL;
	int n = i2d_X509(cert, &der);

	assert_true(n > 0 && sstp_binding_hash_cert(der, (size_t)n, hash));
	OPENSSL_free(der);
	X509_free(cert);
}

static void
ask_by_http(struct dialer *d)
{
	char answer[1024] = "";
	size_t n = 0;
	long got;

	assert_int_equal(
	    peer_write(&d->peer, HTTP_REQUEST, strlen(HTTP_REQUEST)), strlen(HTTP_REQUEST));
	while (strstr(answer, "\r\n\r\n") == NULL) {
		(void)fake_loop_settle(rig_loop(d->rig), TURNS);
		if ((got = peer_read(&d->peer, answer + n, sizeof(answer) - 1 - n)) > 0)
			n += (size_t)got;
	}
	assert_non_null(strstr(answer, " 200 "));
}

static void
begin_call(struct dialer *d, struct rig *r)
{
	struct sstp_cert cert;

	*d = (struct dialer){ .rig = r, .peer = rig_client(r, true) };
	rig_handshake(r, &d->peer);
	ask_by_http(d);
	hash_certificate(d, &cert);
	d->now = loop_now(rig_loop(r));
	sstp_init(&d->sstp, &sstp_client, &sstp_events, d, &log_main, &cert);
	d->ppp = ppp_new(&ppp_client, &ppp_events, d, &log_main);
	sstp_begin(&d->sstp, d->now);
}

static void
dial(struct dialer *d, struct rig *r)
{
	begin_call(d, r);
	for (unsigned i = 0; i < 20 && !d->up; i++)
		exchange(d);
	assert_true(d->connected && d->up);
}

static void
hang_up(struct dialer *d)
{
	ppp_free(d->ppp);
	peer_close(&d->peer);
}

/* ---- a server on the fake loop, with a network of its own ---- */

static const int
    *no_place; /* the errno with which a session is refused its place; NULL: it is not */

bool __real_vpn_roll_enter(
    struct vpn_roll *, struct vpn_place *, struct vpn_net *, const struct vpn_claim *);
bool __wrap_vpn_roll_enter(
    struct vpn_roll *, struct vpn_place *, struct vpn_net *, const struct vpn_claim *);

bool
__wrap_vpn_roll_enter(
    struct vpn_roll *r, struct vpn_place *p, struct vpn_net *net, const struct vpn_claim *claim)
{
	if (no_place == NULL)
		return __real_vpn_roll_enter(r, p, net, claim);
	errno = *no_place;
	return false;
}

static char users[] = "/tmp/ginnel-vpn-users-XXXXXX";

static void
open_server(struct rig *r)
{
	char text[sizeof(conf) + sizeof(users)];
	int fd;

	strcpy(users + sizeof(users) - 7, "XXXXXX");
	fd = mkstemp(users);
	assert_true(fd != -1 && write(fd, "alice:secret\n", 13) == 13);
	close(fd);
	(void)snprintf(text, sizeof(text), conf, users);
	rig_open(r, text);
	assert_true(vpn_open(r->plan->services[0].vpn, NULL, 1));
	r->worker->plan = NULL;
}

static void
close_server(struct rig *r)
{
	(void)unlink(users);
	rig_close(r);
}

/* Both clocks go on. */
static void
pass(struct dialer *d, int64_t ms)
{
	fake_loop_pass(rig_loop(d->rig), ms);
	d->now += ms;
}

/* ---- tests ---- */

static void
a_day_of_silence_is_survived(void **state)
{
	struct rig r;
	struct dialer d;
	unsigned sent, frames;

	(void)state;
	open_server(&r);
	dial(&d, &r);
	sent = d.sent;
	frames = d.frames;
	for (unsigned second = 0; second < DAY; second++) {
		pass(&d, 1000);
		exchange(&d);
		assert_true(d.up && !d.over);
	}
	/* Both asked, by PPP, as that is asked first: an answer and a question each time. */
	frames = d.frames - frames;
	assert_true(frames >= DAY / KEEPALIVE && frames <= 4 * DAY / KEEPALIVE);
	assert_true(d.sent - sent <= 2 * DAY / KEEPALIVE);
	assert_int_equal(pool_held(r.worker->pool), 0); /* nothing is kept meanwhile */
	assert_non_null(r.worker->standing);
	hang_up(&d);
	for (unsigned i = 0; i < TURNS && r.worker->standing != NULL; i++)
		(void)fake_loop_turn(rig_loop(&r));
	assert_int_equal(rig_ended(&r, R_VPN_LOST), 1);
	close_server(&r);
}

/* Whoever has gone without a word is noticed within two keepalives and a little. */
static void
silence_is_noticed(void **state)
{
	struct rig r;
	struct dialer d;
	unsigned seconds = 0;

	(void)state;
	open_server(&r);
	dial(&d, &r);
	for (unsigned second = 0; second < 20 * HOUR; second++) {
		pass(&d, 1000);
		exchange(&d);
	}
	while (rig_ended(&r, R_VPN_SILENT) == 0 && seconds < HOUR) {
		pass(&d, 1000);
		(void)fake_loop_settle(rig_loop(&r), TURNS);
		seconds++;
	}
	assert_true(seconds >= KEEPALIVE && seconds <= 2 * KEEPALIVE + KEEPALIVE / 2 + 10);
	hang_up(&d);
	close_server(&r);
}

/* A server that stands still for a while, as a suspended machine does, finds its clients again. */
static void
time_that_jumps_is_survived(void **state)
{
	static const int64_t jumps[] = { 59, 60, 61, 89, 1, 90 };
	struct rig r;
	struct dialer d;

	(void)state;
	open_server(&r);
	dial(&d, &r);
	for (size_t i = 0; i < 100 * COUNT_OF(jumps); i++) {
		pass(&d, 1000 * jumps[i % COUNT_OF(jumps)]);
		exchange(&d);
		exchange(&d);
		assert_true(d.up && !d.over);
	}
	hang_up(&d);
	for (unsigned i = 0; i < TURNS && r.worker->standing != NULL; i++)
		(void)fake_loop_turn(rig_loop(&r));
	close_server(&r);
}

/* Who is refused a place is told the true cause. */
static void
a_session_without_a_place_says_why(void **state)
{
	static const struct {
		int error;
		enum reason reason;
		const char *goodbye;
	} rows[] = {
		{ 0, R_VPN_SESSIONS, "too many sessions" },
		{ ENOMEM, R_NO_MEMORY, "out of memory" },
	};
	struct rig r;
	struct dialer d;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		open_server(&r);
		begin_call(&d, &r);
		no_place = &rows[i].error;
		for (unsigned k = 0; k < 20 && !d.over; k++)
			exchange(&d);
		no_place = NULL;
		assert_string_equal(d.goodbye, rows[i].goodbye);
		hang_up(&d);
		for (unsigned k = 0; k < TURNS && rig_ended(&r, rows[i].reason) == 0; k++)
			(void)fake_loop_turn(rig_loop(&r));
		assert_int_equal(rig_ended(&r, rows[i].reason), 1);
		close_server(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_of_silence_is_survived),
		cmocka_unit_test(silence_is_noticed),
		cmocka_unit_test(time_that_jumps_is_survived),
		cmocka_unit_test(a_session_without_a_place_says_why),
	};

	if (unshare(CLONE_NEWNET) == -1 || !netlink_up(LOOPBACK, LOOPBACK_MTU) ||
	    access("/dev/net/tun", R_OK | W_OK) == -1) {
		print_message("NOT TESTED: a VPN's server needs root and /dev/net/tun: %s\n",
		    strerror(errno));
		return 77; /* meson: skipped */
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
