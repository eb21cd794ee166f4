/* SPDX-License-Identifier: Apache-2.0 */
/* net/srv.c -- SRV records, and the answers that are kept. */
#include "net/srv.h"

#include "base/rd.h"

#include <ares.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum {
	FINDER_MAGIC = 0x1be8307a,
	NAME_MAGIC = 0x5c94d2e1,
	TYPE_SRV = 33, /* RFC 2782 */
	CLASS_IN = 1,

	/* As with addresses. */
	TTL_MIN_S = 1,
	TTL_MAX_S = 3600,
	FAILURE_S = 1,
};

struct srv_name {
	unsigned magic;
	struct srv_finder *finder;
	char *text; /* the key */
	UT_hash_handle hh;
	bool asking;
	int64_t until;			    /* no new question before this time; loop_now() */
	struct srv_record records[SRV_MAX]; /* the last good answer */
	unsigned count;
	const char *error; /* of the last question that ended; NULL: it was answered */
	struct srv_query *waiting;
};

/* Names come from the configuration alone, so the table needs no bound. */
struct srv_finder {
	unsigned magic;
	struct resolver *resolver;
	struct loop *loop;
	struct srv_name *names;
};

/* ---- the message ---- */

/*
 * A name that may be compressed; c-ares follows the pointers, bounded by the message.  `out` NULL:
 * only pass it.
 */
static bool
read_name(struct rd *r, const uint8_t *message, size_t size, char out[SRV_HOST])
{
	char *name = NULL;
	long used = 0;
	bool fits;

	if (r->bad || ares_expand_name(r->p, message, (int)size, &name, &used) != ARES_SUCCESS) {
		r->bad = true;
		return false;
	}
	fits = out == NULL || strlen(name) < SRV_HOST;
	if (fits && out != NULL)
		memcpy(out, name, strlen(name) + 1);
	ares_free_string(name);
	(void)rd_bytes(r, (size_t)used);
	return fits && !r->bad;
}

/* One answer.  False: it is no SRV record, or the message ends in it. */
static bool
read_record(
    struct rd *r, const uint8_t *message, size_t size, struct srv_record *out, uint32_t *ttl)
{
	uint16_t type, class;
	struct rd data;

	if (!read_name(r, message, size, NULL))
		return false;
	type = rd_u16(r);
	class = rd_u16(r);
	*ttl = rd_uint(r, 4);
	data = rd_block(r, 2);
	if (r->bad || type != TYPE_SRV || class != CLASS_IN)
		return false;
	out->priority = rd_u16(&data);
	out->weight = rd_u16(&data);
	out->port = rd_u16(&data);
	return read_name(&data, message, size, out->host) && rd_left(&data) == 0;
}

/* RFC 2782: "." says that there is no such service.  What is no host's name is of no use. */
static bool
is_usable(const struct srv_record *r)
{
	return r->port != 0 && r->host[0] != '\0' && addr_host_is_name(r->host);
}

bool
srv_parse(const uint8_t *message, size_t size, struct srv_record records[SRV_MAX], unsigned *count,
    uint32_t *ttl, const char **error)
{
	struct rd r = rd_of(message, size);
	unsigned questions, answers;

	*count = 0;
	*ttl = TTL_MAX_S;
	(void)rd_bytes(&r, 4); /* the id and the flags, which c-ares has looked at */
	questions = rd_u16(&r);
	answers = rd_u16(&r);
	(void)rd_bytes(&r, 4);
	while (questions-- > 0 && read_name(&r, message, size, NULL))
		(void)rd_bytes(&r, 4);
	for (; answers > 0 && !r.bad && *count < SRV_MAX; answers--) {
		uint32_t life;

		if (!read_record(&r, message, size, &records[*count], &life) ||
		    !is_usable(&records[*count]))
			continue;
		++*count;
		if (life < *ttl)
			*ttl = life;
	}
	*error = r.bad ? "the answer is malformed" : "the name has no SRV record of use";
	if (r.bad)
		*count = 0;
	return *count > 0;
}

/* ---- questions ---- */

static enum io
give(const struct srv_name *n, struct srv_query *q)
{
	memcpy(q->records, n->records, n->count * sizeof(n->records[0]));
	q->count = n->count;
	q->error = n->count > 0 ? NULL : n->error;
	q->done = true;
	return n->count > 0 ? IO_OK : IO_FAILED;
}

static void
give_all(struct srv_name *n)
{
	struct srv_query *q, *next;

	DL_FOREACH_SAFE (n->waiting, q, next) {
		DL_DELETE(n->waiting, q);
		q->name = NULL;
		(void)give(n, q);
		loop_queue(n->finder->loop, q->task);
	}
}

/* Runs inside a call into c-ares, and so must not make one. */
static void
on_answer(void *owner, int status, int timeouts, unsigned char *message, int size)
{
	struct srv_name *n = owner;
	struct srv_record records[SRV_MAX];
	unsigned count;
	uint32_t ttl = FAILURE_S;

	(void)timeouts;
	CHECK_OBJ(n, NAME_MAGIC);
	n->error = ares_strerror(status);
	if (status == ARES_SUCCESS &&
	    srv_parse(message, (size_t)size, records, &count, &ttl, &n->error)) {
		memcpy(n->records, records, count * sizeof(records[0]));
		n->count = count;
		n->error = NULL;
	} else {
		ttl = FAILURE_S;
	}
	n->asking = false;
	n->until = loop_now(n->finder->loop) + 1000 * (int64_t)(ttl < TTL_MIN_S ? TTL_MIN_S : ttl);
	give_all(n);
}

static void
name_free(struct srv_name *n)
{
	HASH_DEL(n->finder->names, n);
	free(n->text);
	OBJ_FREE(n);
}

static struct srv_name *
name_new(struct srv_finder *f, const char *text)
{
	struct srv_name *n;

	if (OBJ_NEW(n, NAME_MAGIC) == NULL)
		return NULL;
	n->finder = f;
	if ((n->text = strdup(text)) != NULL)
		HASH_ADD_KEYPTR(hh, f->names, n->text, strlen(n->text), n);
	if (n->hh.tbl != NULL) /* it is in the table */
		return n;
	free(n->text);
	OBJ_FREE(n);
	return NULL;
}

static struct srv_name *
name_find(struct srv_finder *f, const char *text)
{
	struct srv_name *n;

	HASH_FIND_STR(f->names, text, n);
	return n != NULL ? n : name_new(f, text);
}

enum io
srv_find(struct srv_finder *f, struct srv_query *q, const char *name)
{
	struct srv_name *n;

	CHECK_OBJ(f, FINDER_MAGIC);
	srv_cancel(q);
	q->done = false;
	q->count = 0;
	if ((n = name_find(f, name)) == NULL) {
		q->done = true;
		q->error = "out of memory";
		return IO_FAILED;
	}
	if (!n->asking && loop_now(f->loop) >= n->until) {
		n->asking = true;
		resolver_query(f->resolver, n->text, TYPE_SRV, on_answer, n);
	}
	/* As with addresses: when the name service fails, only the first to ask waits for it. */
	if (!n->asking || (n->error != NULL && n->count > 0))
		return give(n, q);
	q->name = n;
	DL_APPEND(n->waiting, q);
	return IO_AGAIN;
}

void
srv_cancel(struct srv_query *q)
{
	if (q->name == NULL)
		return;
	CHECK_OBJ(q->name, NAME_MAGIC);
	DL_DELETE(q->name->waiting, q);
	q->name = NULL;
}

struct srv_finder *
srv_finder_new(struct resolver *resolver, struct loop *loop)
{
	struct srv_finder *f;

	if (OBJ_NEW(f, FINDER_MAGIC) == NULL)
		return NULL;
	f->resolver = resolver;
	f->loop = loop;
	return f;
}

void
srv_finder_free(struct srv_finder *f)
{
	struct srv_name *n, *next;

	if (f == NULL)
		return;
	CHECK_OBJ(f, FINDER_MAGIC);
	HASH_ITER (hh, f->names, n, next) {
		MUST(n->waiting == NULL);
		name_free(n);
	}
	OBJ_FREE(f);
}
