/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto/capwin.c -- the login of CapWIN, a vendor's own, as a client.
 *
 * A local program gives user and password to a service with capwinctrl once, and every tunnel of a
 * service with capwin shows them to the server.  So the process keeps them, and all threads share
 * them; whoever can reach the first service chooses who the others are.
 */
#include "proto/proto.h"

#include <pthread.h>
#include <string.h>

enum {
	CREDENTIALS_MAX = 99,
	FIELD_END = 0x1f,
	MESSAGE_END = 0x1c,
	FIELDS = 4, /* something, user, password, something */
};

/* "\x1f" user "\x1f" password "\x1f\x1c": as a server wants it; .n 0: none were given yet. */
static struct {
	pthread_mutex_t lock;
	size_t n;
	uint8_t bytes[CREDENTIALS_MAX + 1];
} given = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- capwinctrl ---- */

/* Keep user and password of a message.  0: kept; else the number of the field that has no end. */
static unsigned
keep(const uint8_t *message, size_t n)
{
	size_t ends[FIELDS], at = 0;

	for (unsigned i = 0; i < FIELDS; i++) {
		int mark = i + 1 < FIELDS ? FIELD_END : MESSAGE_END;
		const uint8_t *end = memchr(message + at, mark, n - at);

		if (end == NULL)
			return i + 1;
		ends[i] = (size_t)(end - message);
		at = ends[i] + 1;
	}
	(void)pthread_mutex_lock(&given.lock);
	given.n = ends[2] - ends[0] + 1;
	memcpy(given.bytes, message + ends[0], given.n);
	given.bytes[given.n++] = MESSAGE_END;
	(void)pthread_mutex_unlock(&given.lock);
	return 0;
}

static enum proto_verdict
take_credentials(struct dialogue *d)
{
	const uint8_t *p, *end;
	enum proto_verdict got;
	unsigned bad;
	size_t n = 0;

	do {
		if ((got = proto_some(d, PROTO_NEAR, n, &p, &n)) != PROTO_DONE)
			return got;
		end = memchr(p, MESSAGE_END, n);
	} while (end == NULL && n <= CREDENTIALS_MAX);
	if (end != NULL)
		n = (size_t)(end - p) + 1;
	if (n > CREDENTIALS_MAX)
		return proto_end(d, R_PROTO_CLIENT, "CapWIN: Credentials too long");
	if ((bad = keep(p, n)) != 0)
		return proto_end(d, R_PROTO_CLIENT, "CapWIN: Malformed credentials (%u)", bad);
	proto_eat(d, PROTO_NEAR, n);
	log_notice(d->log, "CapWIN: Credentials set");
	d->reason = R_PROTO_QUIT; /* there is no more to this connection */
	return PROTO_END;
}

/* ---- capwin ---- */

static enum proto_verdict
show_credentials(struct dialogue *d)
{
	bool known;

	(void)pthread_mutex_lock(&given.lock);
	known = given.n > 0;
	proto_put(d, PROTO_FAR, given.bytes, given.n);
	(void)pthread_mutex_unlock(&given.lock);
	return known ? PROTO_DONE : proto_end(d, R_PROTO_AUTH, "CapWIN: No credentials set");
}

static enum proto_verdict
take_answer(struct dialogue *d)
{
	static const char yes[] = { 'B', 'I', 'N', 'G', 'O' };
	const uint8_t *p;
	enum proto_verdict got = proto_bytes(d, PROTO_FAR, sizeof(yes), &p);

	if (got != PROTO_DONE)
		return got;
	if (memcmp(p, yes, sizeof(yes)) != 0)
		return proto_end(d, R_PROTO_AUTH, "CapWIN: Authentication failed");
	proto_eat(d, PROTO_FAR, sizeof(yes));
	log_info(d->log, "CapWIN: Authentication succeeded");
	return PROTO_DONE;
}

/* ---- what they are ---- */

static const struct proto_row control_request[] = {
	{ PROTO_CALL, PROTO_NEAR, NULL, NULL, R_NONE, take_credentials },
	{ 0 },
};
static const struct proto_row client_late[] = {
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, show_credentials },
	{ PROTO_CALL, PROTO_FAR, NULL, NULL, R_NONE, take_answer },
	{ 0 },
};

const struct proto capwin_control = {
	.name = "capwinctrl",
	.client = { .script[PROTO_REQUEST] = control_request, .names_target = true },
};

const struct proto capwin_proto = {
	.name = "capwin",
	.client = { .script[PROTO_LATE] = client_late },
};
