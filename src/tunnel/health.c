/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/health.c -- is somebody there?  The targets of a service, asked now and then. */
#include "tunnel/health.h"

#include "tls/tls_stream.h"
#include "tunnel/pick.h"
#include "tunnel/plan.h"
#include "tunnel/worker.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

enum {
	HEALTH_MAGIC = 0x0d47ab92,
	STEPS_MAX = 6,
	ANSWER_MAX = 4096, /* bytes that are looked through for what is awaited */
};

/* ---- options ---- */

/* The value of a hexadecimal figure; -1: it is none. */
static int
figure(char c)
{
	static const char figures[] = "0123456789abcdef";
	const char *found = strchr(figures, tolower((unsigned char)c));

	return c == '\0' || found == NULL ? -1 : (int)(found - figures);
}

/* One character behind a backslash; NULL: it has no meaning. */
static const char *
unescape(const char *p, char *out)
{
	static const char names[] = "rnt\\\"", values[] = "\r\n\t\\\"";
	const char *found = *p == '\0' ? NULL : strchr(names, *p);

	if (found != NULL) {
		*out = values[found - names];
		return p + 1;
	}
	if (*p != 'x' || figure(p[1]) == -1 || figure(p[2]) == -1)
		return NULL;
	*out = (char)(figure(p[1]) * 16 + figure(p[2]));
	return p + 3;
}

/* A text in quotes.  Where it ends; NULL: it does not, or is empty. */
static const char *
parse_quoted(struct arena *arena, const char *p, struct bytes *out)
{
	char *bytes = arena_strdup(arena, p);
	size_t n = 0;

	if (bytes == NULL || *p++ != '"')
		return NULL;
	while (p != NULL && *p != '"') {
		if (*p == '\0')
			return NULL;
		if (*p == '\\')
			p = unescape(p + 1, &bytes[n++]);
		else
			bytes[n++] = *p++;
	}
	*out = (struct bytes){ bytes, n };
	return p == NULL || n == 0 ? NULL : p + 1;
}

/* send:"TEXT" and expect:"TEXT", at least one of them, in this order. */
static bool
parse_said(struct arena *arena, const char *value, struct hail *out)
{
	static const char send[] = "send:", expect[] = "expect:";

	*out = (struct hail){ .say.p = NULL };
	if (strncmp(value, send, strlen(send)) == 0) {
		if ((value = parse_quoted(arena, value + strlen(send), &out->say)) == NULL)
			return false;
		value += strspn(value, " \t");
	}
	if (strncmp(value, expect, strlen(expect)) == 0 &&
	    (value = parse_quoted(arena, value + strlen(expect), &out->await)) == NULL)
		return false;
	return *value == '\0' && out->say.n + out->await.n > 0;
}

static const struct option_word kinds[] = {
	{ "no", HEALTH_NONE },
	{ "connect", HEALTH_CONNECT },
	{ "tls", HEALTH_TLS },
	{ "starttls", HEALTH_STARTTLS },
	{ NULL, 0 },
};

/* Field: struct health_conf. */
static bool
parse_check(struct option_ctx *ctx, const struct option *o, void *field, const char *value)
{
	struct health_conf *conf = field;

	(void)o;
	for (const struct option_word *k = kinds; k->name != NULL; k++)
		if (strcasecmp(value, k->name) == 0) {
			conf->kind = (int)k->value;
			return true;
		}
	conf->kind = HEALTH_SAY;
	return parse_said(ctx->arena, value, &conf->said) ||
	       option_refuse(ctx,
		   "write connect, tls, starttls, no, or what to say and what to await, such as "
		   "send:\"PING\\r\\n\" expect:\"PONG\"; \\r, \\n, \\t, \\\\, \\\" and \\xHH stand "
		   "for "
		   "one byte");
}

#define AT(field) offsetof(struct health_conf, field)

const struct option health_options[] = {
	{ .name = "healthCheck",
	    .parse = parse_check,
	    .offset = 0,
	    .scope = OPTION_SERVICE,
	    .arg = "no|connect|tls|starttls|send:\"TEXT\" expect:\"TEXT\"",
	    .doc = "How to ask each target of connect now and then whether it serves: by a mere "
		   "connection, by a TLS handshake as the tunnels make it, by what protocol says "
		   "up to the beginning of TLS (in a server section: by the greeting), or by "
		   "sending a text and awaiting another; in a section that speaks TLS with its "
		   "targets and has no protocol, that is said inside TLS. A target that does not "
		   "answer is tried last. If none does, they are tried all the same." },
	{ .name = "healthInterval",
	    .parse = option_secs,
	    .offset = AT(interval_ms),
	    .scope = OPTION_SERVICE,
	    .def = "10",
	    .min = 1,
	    .max = INT_MAX / 1000,
	    .arg = "SECONDS",
	    .doc = "How long to wait between two questions to a target." },
	{ .name = "healthTimeout",
	    .parse = option_secs,
	    .offset = AT(timeout_ms),
	    .scope = OPTION_SERVICE,
	    .def = "5",
	    .min = 1,
	    .max = INT_MAX / 1000,
	    .arg = "SECONDS",
	    .doc = "How long one question to a target may take, all of it." },
	{ .name = "healthRise",
	    .parse = option_int,
	    .offset = AT(rise),
	    .scope = OPTION_SERVICE,
	    .def = "2",
	    .min = 1,
	    .max = 1000,
	    .arg = "NUMBER",
	    .doc = "After so many good answers in a row a target that was down is up." },
	{ .name = "healthFall",
	    .parse = option_int,
	    .offset = AT(fall),
	    .scope = OPTION_SERVICE,
	    .def = "3",
	    .min = 1,
	    .max = 1000,
	    .arg = "NUMBER",
	    .doc = "After so many bad answers in a row a target is down. At the start all are "
		   "up." },
	{ .name = NULL },
};

/* Is the target's greeting all that can be awaited?  The section speaks TLS with clients only. */
static bool
greeting_only(const struct service_conf *conf)
{
	return !conf->client;
}

void
health_conf_check(const struct service_conf *conf, struct sink *sink)
{
	const struct health_conf *health = &conf->backend.health;
	const struct proto *proto = conf->proto.proto;
	const struct hail *hails;
	unsigned count;

	if (health->kind != HEALTH_NONE && conf->connect.n == 0)
		sink_error(
		    sink, "healthCheck", "there is no target to ask; write connect = HOST:PORT");
	if (health->kind == HEALTH_TLS && (!service_connects_tls(conf) || proto != NULL))
		sink_error(sink, "healthCheck",
		    "TLS does not begin at once with the targets of this section; write connect or "
		    "starttls");
	if (health->kind != HEALTH_STARTTLS)
		return;
	hails = proto == NULL ? NULL : hail_starttls(proto->name, &count);
	if (hails == NULL)
		sink_error(sink, "healthCheck",
		    "it is not known how to greet a server of this section's protocol; write "
		    "connect, or what to send and to expect");
	else if (greeting_only(conf) && hails[0].say.n > 0)
		sink_error(sink, "healthCheck",
		    "a server of this protocol does not greet; write connect, or what to send and "
		    "to expect");
}

/* ---- one target ---- */

/* TLS begins, or something is said. */
struct step {
	bool tls;
	struct hail hail;
};

struct health {
	unsigned magic;
	struct worker *worker;
	struct service *service;
	unsigned number; /* of the member */
	struct step steps[STEPS_MAX];
	unsigned step_count;
	int streak; /* answers in a row that contradict its standing */
	struct log_ctx log;
	struct task task;
	struct timer timer; /* until the next question; or the end of this one */
	bool asking;
	struct pick *pick;
	struct dial *dial;
	bool connected;
	unsigned step;
	bool said;
	struct stream stream;
	struct buf in, out;
	struct health *prev, *next;
};

static struct member *
member_of(const struct health *h)
{
	return &h->service->backend->members[h->number];
}

static const struct health_conf *
conf_of(const struct health *h)
{
	return &h->service->conf->backend.health;
}

static void
hang_up(struct health *h)
{
	struct worker *w = h->worker;

	dial_free(h->dial);
	pick_free(h->pick);
	h->dial = NULL;
	h->pick = NULL;
	buf_clear(&h->in, w->pool);
	buf_clear(&h->out, w->pool);
	stream_close(&h->stream, false);
	h->asking = h->connected = h->said = false;
	h->step = 0;
}

/* ---- what came of it ---- */

static void
warn_if_all_are_down(const struct service *s)
{
	for (unsigned i = 0; i < s->backend->count; i++)
		if (!s->backend->members[i].standing->down)
			return;
	log_err(&log_main, "Service [%s]: all targets are down; they are tried all the same",
	    s->conf->name);
}

static void
change(struct health *h, bool down, const char *why)
{
	const char *service = h->service->conf->name, *target = member_of(h)->target->text;

	atomic_store_explicit(&member_of(h)->standing->down, down, memory_order_relaxed);
	h->streak = 0;
	if (!down) {
		log_notice(&log_main, "Service [%s]: target %s is up", service, target);
		return;
	}
	log_warn(&log_main, "Service [%s]: target %s is down: %s", service, target, why);
	warn_if_all_are_down(h->service);
}

static void
judge(struct health *h, const char *fault)
{
	bool down = member_of(h)->standing->down, bad = fault != NULL;

	h->streak = bad == down ? 0 : h->streak + 1;
	if (h->streak >= (bad ? conf_of(h)->fall : conf_of(h)->rise))
		change(h, bad, fault);
}

/* An answer, or the lack of one: NULL or the fault. */
static void
conclude(struct health *h, const char *fault)
{
	log_debug(&h->log, "Health of %s: %s", member_of(h)->target->text,
	    fault != NULL ? fault : "good");
	if (fault == NULL || h->dial == NULL || !dial_lacked_means(h->dial))
		judge(h, fault);
	hang_up(h);
	loop_timer(h->worker->loop, &h->timer, conf_of(h)->interval_ms);
}

/* ---- the question ---- */

static enum io
reach(struct health *h)
{
	struct worker *w = h->worker;
	struct picker picker = { w->loop, w->srv, w->grudges, &h->log, &h->task };
	enum io got;

	if (h->pick == NULL && (h->pick = pick_new_for(h->service->backend, &picker,
				    &h->service->dial, h->number)) == NULL)
		return IO_FAILED;
	if (h->dial == NULL) {
		if ((got = pick_step(h->pick)) != IO_OK)
			return got;
		h->dial = dial_new(pick_plan(h->pick), 0, w->resolver, w->loop, w->pool, &h->log,
		    &h->task, &h->stream);
		if (h->dial == NULL)
			return IO_FAILED;
	}
	return dial_step(h->dial);
}

static enum io
secure(struct health *h)
{
	if (h->stream.filter == NULL && !tls_stream_connect(&h->stream, h->service->far,
					    h->worker->resolver, NULL, dial_address(h->dial)))
		return IO_FAILED;
	return stream_start(&h->stream);
}

static enum io
say(struct health *h, const struct bytes *what)
{
	enum io got;

	if (!h->said && what->n > 0 && !buf_append(&h->out, h->worker->pool, what->p, what->n))
		return IO_FAILED;
	h->said = true;
	if (buf_len(&h->out) > 0 && (got = stream_write(&h->stream, &h->out)) != IO_OK)
		return got;
	return stream_flush(&h->stream);
}

/* IO_OK: it is there, and all that came is done with. */
static enum io
await(struct health *h, const struct bytes *what)
{
	while (buf_len(&h->in) < what->n ||
	       memmem(buf_head(&h->in), buf_len(&h->in), what->p, what->n) == NULL) {
		enum io got = buf_len(&h->in) >= ANSWER_MAX
				  ? IO_FAILED
				  : stream_read(&h->stream, &h->in, ANSWER_MAX);

		if (got != IO_OK)
			return got;
	}
	buf_clear(&h->in, h->worker->pool);
	return IO_OK;
}

static enum io
exchange(struct health *h, const struct hail *hail)
{
	enum io got = say(h, &hail->say);

	return got == IO_OK && hail->await.n > 0 ? await(h, &hail->await) : got;
}

static enum io
perform(struct health *h)
{
	for (; h->step < h->step_count; h->step++, h->said = false) {
		const struct step *step = &h->steps[h->step];
		enum io got = step->tls ? secure(h) : exchange(h, &step->hail);

		if (got != IO_OK)
			return got;
	}
	return stream_flush(&h->stream);
}

static const char *
fault_of(const struct health *h)
{
	if (!h->connected)
		return h->stream.errnum != 0 ? strerror(h->stream.errnum)
					     : "its name has no address";
	if (h->stream.fault == FAULT_CERT || h->stream.fault == FAULT_NO_CERT ||
	    h->stream.fault == FAULT_REVOKED)
		return "its certificate was rejected";
	return h->step < h->step_count && h->steps[h->step].tls ? "the TLS handshake failed"
								: "it did not say what was awaited";
}

static void
ask(struct health *h)
{
	enum io got = IO_OK;

	if (!h->connected && (got = reach(h)) == IO_OK)
		h->connected = true;
	if (h->connected)
		got = perform(h);
	if (got == IO_AGAIN && h->connected && stream_wants_turn(&h->stream))
		loop_queue(h->worker->loop, &h->task);
	if (got != IO_AGAIN)
		conclude(h, got == IO_OK ? NULL : fault_of(h));
}

static void
health_run(void *arg)
{
	struct health *h = arg;

	CHECK_OBJ(h, HEALTH_MAGIC);
	if (h->asking && h->timer.fired) {
		conclude(h, "no answer within healthTimeout");
		return;
	}
	if (!h->asking && !h->timer.fired)
		return; /* a late event of the last question */
	if (!h->asking) {
		h->asking = true;
		h->stream.errnum = 0;
		loop_timer(h->worker->loop, &h->timer, conf_of(h)->timeout_ms);
	}
	ask(h);
}

/* ---- what to ask ---- */

static void
add(struct health *h, struct step step)
{
	MUST(h->step_count < STEPS_MAX);
	h->steps[h->step_count++] = step;
}

/* A target that awaits a PROXY header is told that nobody is behind this connection. */
static void
add_introduction(struct health *h)
{
	static const struct bytes headers[] = {
		[PROXY_V1] = { "PROXY UNKNOWN\r\n", 15 },
		/* The specification, 2.2: version 2, LOCAL, no address. */
		[PROXY_V2] = { "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16 },
	};
	int version = h->service->conf->front.proxy_out;

	if (version != PROXY_OFF)
		add(h, (struct step){ .hail.say = headers[version] });
}

static void
add_starttls(struct health *h)
{
	const struct service_conf *conf = h->service->conf;
	unsigned count;
	const struct hail *hails = hail_starttls(conf->proto.proto->name, &count);

	if (greeting_only(conf))
		count = 1;
	for (unsigned i = 0; i < count; i++)
		add(h, (struct step){ .hail = hails[i] });
	if (!greeting_only(conf) && h->service->far != NULL)
		add(h, (struct step){ .tls = true });
}

static void
add_steps(struct health *h)
{
	const struct service *s = h->service;

	if (conf_of(h)->kind == HEALTH_CONNECT)
		return;
	add_introduction(h);
	if (conf_of(h)->kind == HEALTH_STARTTLS) {
		add_starttls(h);
		return;
	}
	if (s->far != NULL && s->role == NULL)
		add(h, (struct step){ .tls = true });
	if (conf_of(h)->kind == HEALTH_SAY)
		add(h, (struct step){ .hail = conf_of(h)->said });
}

static void
start_one(struct health **list, struct worker *w, struct service *s, unsigned number)
{
	struct health *h;

	if (OBJ_NEW(h, HEALTH_MAGIC) == NULL) {
		log_err(&log_main, "Service [%s]: no memory to ask for the health of targets",
		    s->conf->name);
		return;
	}
	h->worker = w;
	h->service = s;
	h->number = number;
	h->stream.watch.fd = -1;
	/* Each question would otherwise be told of like a tunnel. */
	h->log = (struct log_ctx){ .id = "health",
		.level = s->conf->log_level >= LOG_DEBUG ? LOG_DEBUG : LOG_CRIT };
	h->task = (struct task){ .run = health_run, .owner = h, .lane = LANE_SETUP };
	h->timer.task = &h->task;
	add_steps(h);
	DL_APPEND(*list, h);
	loop_timer(w->loop, &h->timer, 0);
}

void
health_start(struct health **list, struct worker *w, struct service *s)
{
	if (s->conf->backend.health.kind == HEALTH_NONE)
		return;
	for (unsigned i = 0; i < s->backend->count; i++)
		start_one(list, w, s, i);
}

void
health_stop(struct health **list)
{
	struct health *h, *next;

	DL_FOREACH_SAFE (*list, h, next) {
		DL_DELETE(*list, h);
		hang_up(h);
		loop_untimer(h->worker->loop, &h->timer);
		loop_cancel(h->worker->loop, &h->task);
		OBJ_FREE(h);
	}
}
