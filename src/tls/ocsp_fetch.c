/* SPDX-License-Identifier: Apache-2.0 */
/* tls/ocsp_fetch.c -- one question to one OCSP responder, on the asker's own loop. */
#include "tls/ocsp_fetch.h"

#include "base/text.h"
#include "tls/ocsp_http.h"

#include <string.h>

enum { OCSP_FETCH_MAGIC = 0x2d93f6b1, READ_AT_ONCE = 16 * 1024 };

struct ocsp_fetch {
	unsigned magic;
	struct ocsp_env env;
	struct ocsp_url url;
	struct dial_plan plan;
	struct dial *dial;   /* until the responder is reached */
	struct stream conn;  /* to it */
	struct timer timer;  /* of the exchange */
	struct buf question; /* what is left to send */
	struct http_reply reply;
};

/*
 * A URL out of a certificate is the CA's word, for the chain is verified first.  Still no CA has
 * its responder on a link-local address, where clouds keep their machines' secrets, or on a
 * group's.
 */
static enum reason
refuse_address(const void *owner, const struct addr *a)
{
	const struct in6_addr *six = &a->in6.sin6_addr;
	uint32_t four = 0;

	(void)owner;
	if (a->sa.sa_family == AF_INET)
		four = ntohl(a->in.sin_addr.s_addr);
	else if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
		four = (uint32_t)six->s6_addr[12] << 24 | (uint32_t)six->s6_addr[13] << 16;
	if (four >> 16 == 0xa9fe || four >> 28 == 0xe)
		return R_REVOCATION;
	return a->sa.sa_family == AF_INET6 &&
		       (IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_MULTICAST(six))
		   ? R_REVOCATION
		   : R_NONE;
}

static bool
write_question(struct ocsp_fetch *f, const uint8_t *request, size_t size)
{
	char head[OCSP_URL_MAX * 2 + 256];
	size_t n = ocsp_http_head(&f->url, size, head, sizeof(head));

	return n > 0 && buf_append(&f->question, f->env.pool, head, n) &&
	       buf_append(&f->question, f->env.pool, request, size);
}

struct ocsp_fetch *
ocsp_fetch_new(const struct ocsp_env *env, const char *url, bool foreign, const uint8_t *request,
    size_t size, int timeout_ms)
{
	char safe[TEXT_SAFE_MAX + 4];
	struct ocsp_fetch *f;
	const char *why;

	if (OBJ_NEW(f, OCSP_FETCH_MAGIC) == NULL)
		return NULL;
	f->env = *env;
	f->conn.watch.fd = -1;
	f->timer.task = env->task;
	if (!ocsp_http_url(url, &f->url, &why)) {
		log_err(env->log, "OCSP: Cannot ask \"%s\": %s",
		    text_safe(url, strlen(url), safe, sizeof(safe)), why);
		goto fail;
	}
	f->plan = (struct dial_plan){ .targets = &f->url.target,
		.count = 1,
		.timeout_ms = timeout_ms,
		.refuse = foreign ? refuse_address : NULL };
	if (write_question(f, request, size) &&
	    (f->dial = dial_new(&f->plan, 0, env->resolver, env->loop, env->pool, env->log,
		 env->task, &f->conn)) != NULL)
		return f;
	log_err(env->log, "OCSP: out of memory");
fail:
	ocsp_fetch_free(f);
	return NULL;
}

static enum io
complain(struct ocsp_fetch *f, const char *why)
{
	log_err(f->env.log, "OCSP: No answer from \"%s\": %s", f->url.text, why);
	return IO_FAILED;
}

static enum io
reach(struct ocsp_fetch *f)
{
	enum io got = dial_step(f->dial);

	if (got == IO_FAILED)
		return complain(f, "it cannot be reached");
	if (got != IO_OK)
		return got;
	dial_free(f->dial);
	f->dial = NULL;
	loop_timer(f->env.loop, &f->timer, f->plan.timeout_ms);
	return IO_OK;
}

/* What the reader made of the bytes so far. */
static enum io
judge(struct ocsp_fetch *f, enum http_result got)
{
	if (got == HTTP_BAD)
		return complain(f, f->reply.why);
	return got == HTTP_DONE ? IO_OK : IO_AGAIN;
}

static enum io
read_answer(struct ocsp_fetch *f)
{
	struct buf bytes = { .data = NULL };
	enum io got;

	while ((got = stream_read(&f->conn, &bytes, READ_AT_ONCE)) == IO_OK) {
		enum io judged =
		    judge(f, ocsp_http_feed(&f->reply, buf_head(&bytes), buf_len(&bytes)));

		buf_clear(&bytes, f->env.pool);
		if (judged != IO_AGAIN)
			return judged;
	}
	if (got == IO_EOF)
		return judge(f, ocsp_http_end(&f->reply));
	return got == IO_FAILED ? complain(f, strerror(f->conn.errnum)) : got;
}

enum io
ocsp_fetch_step(struct ocsp_fetch *f)
{
	enum io got;

	CHECK_OBJ(f, OCSP_FETCH_MAGIC);
	if (f->dial != NULL && (got = reach(f)) != IO_OK)
		return got;
	if (buf_len(&f->question) > 0 && stream_write(&f->conn, &f->question) == IO_FAILED)
		return complain(f, strerror(f->conn.errnum));
	got = read_answer(f);
	if (got == IO_AGAIN && f->timer.fired)
		return complain(f, "TIMEOUTocsp exceeded");
	return got;
}

const uint8_t *
ocsp_fetch_answer(const struct ocsp_fetch *f, size_t *size)
{
	*size = f->reply.body_len;
	return f->reply.body;
}

void
ocsp_fetch_free(struct ocsp_fetch *f)
{
	if (f == NULL)
		return;
	CHECK_OBJ(f, OCSP_FETCH_MAGIC);
	dial_free(f->dial);
	loop_untimer(f->env.loop, &f->timer);
	buf_clear(&f->question, f->env.pool);
	stream_close(&f->conn, false);
	ocsp_http_done(&f->reply);
	OBJ_FREE(f);
}
