/* SPDX-License-Identifier: Apache-2.0 */
/* net/ident.c -- ask a client's machine who owns the connection (RFC 1413). */
#include "net/ident.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	IDENT_MAGIC = 0x3a90d7c4,
	IDENT_PORT = 113,
	ANSWER_MAX = 1000, /* RFC 1413 4: a client may stop there */
};

struct ident {
	unsigned magic;
	struct loop *loop;
	struct pool *pool;
	const struct log_ctx *log;
	struct stream stream;
	struct buf question, answer;
	struct timer timer;
	struct addr server, from;
	bool connected, asked;
	char line[ANSWER_MAX + 1];
	const char *user;
};

struct ident *
ident_new(struct loop *loop, struct pool *pool, const struct log_ctx *log, struct task *task,
    const struct addr *peer, const struct addr *local, int timeout_ms)
{
	char text[32];
	struct ident *i;
	int n = snprintf(text, sizeof(text), "%u , %u\r\n", addr_port(peer), addr_port(local));

	if (OBJ_NEW(i, IDENT_MAGIC) == NULL)
		return NULL;
	i->loop = loop;
	i->pool = pool;
	i->log = log;
	i->timer.task = task;
	i->stream.watch.fd = -1;
	i->stream.watch.task = task;
	/* From the address that the client knows: the ports alone do not name the connection. */
	i->server = addr_unmapped(peer);
	i->from = addr_unmapped(local);
	addr_set_port(&i->server, IDENT_PORT);
	addr_set_port(&i->from, 0);
	if (!buf_append(&i->question, pool, text, (size_t)n)) {
		OBJ_FREE(i);
		return NULL;
	}
	loop_timer(loop, &i->timer, timeout_ms);
	return i;
}

static enum io
failed(struct ident *i, const char *why)
{
	char text[ADDR_TEXT];

	log_info(i->log, "IDENT: %s: %s", addr_text(&i->server, text), why);
	return IO_FAILED;
}

static enum io
lost(struct ident *i)
{
	return failed(i, strerror(i->stream.errnum));
}

static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	for (n = strlen(s); n > 0 && strchr(" \t", s[n - 1]) != NULL; n--)
		s[n - 1] = '\0';
	return s;
}

/* What stands before the next colon, trimmed; *rest goes on behind it.  NULL: there is none. */
static char *
field(char **rest)
{
	char *s = *rest, *colon = strchr(s, ':');

	if (colon == NULL)
		return NULL;
	*colon = '\0';
	*rest = colon + 1;
	return trim(s);
}

const char *
ident_parse(char *line)
{
	char *rest = line, *type;

	/* ports : USERID : system : user, or ports : ERROR : why */
	if (field(&rest) == NULL || (type = field(&rest)) == NULL || strcmp(type, "USERID") != 0 ||
	    field(&rest) == NULL)
		return NULL;
	rest = trim(rest);
	return *rest != '\0' ? rest : NULL;
}

/* Take up what has come.  IO_OK: a whole line stands in i->line. */
static enum io
read_line(struct ident *i)
{
	for (;;) {
		size_t len = buf_len(&i->answer);
		const char *end = len > 0 ? memchr(buf_head(&i->answer), '\n', len) : NULL;
		enum io got;

		if (end != NULL) {
			size_t n = (size_t)(end - (const char *)buf_head(&i->answer));

			if (n > 0 && end[-1] == '\r')
				n--;
			memcpy(i->line, buf_head(&i->answer), n);
			i->line[n] = '\0';
			return strlen(i->line) == n ? IO_OK : failed(i, "a NUL byte in the answer");
		}
		if (len >= ANSWER_MAX)
			return failed(i, "the answer has no end");
		got = stream_read(&i->stream, &i->answer, ANSWER_MAX - len);
		if (got == IO_AGAIN)
			return IO_AGAIN;
		if (got != IO_OK)
			return got == IO_FAILED ? lost(i) : failed(i, "no answer");
	}
}

static enum io
reach(struct ident *i)
{
	enum io got = stream_is_open(&i->stream)
			  ? stream_connected(&i->stream, &i->server)
			  : stream_connect(&i->stream, i->loop, i->pool, i->log, &i->server,
				&i->from, false, i->timer.task);

	i->connected = got == IO_OK;
	return got == IO_FAILED ? lost(i) : got;
}

static enum io
ask(struct ident *i)
{
	enum io got = stream_write(&i->stream, &i->question);

	i->asked = got == IO_OK;
	return got == IO_FAILED ? lost(i) : got;
}

enum io
ident_step(struct ident *i)
{
	char safe[TEXT_SAFE_MAX + 4];
	enum io got = IO_OK;

	CHECK_OBJ(i, IDENT_MAGIC);
	if (i->timer.fired)
		return failed(i, "TIMEOUTconnect exceeded");
	if (!i->connected)
		got = reach(i);
	if (got == IO_OK && !i->asked)
		got = ask(i);
	if (got == IO_OK)
		got = read_line(i);
	if (got != IO_OK)
		return got;
	text_safe(i->line, strlen(i->line), safe, sizeof(safe));
	if ((i->user = ident_parse(i->line)) == NULL)
		return failed(i, safe);
	return IO_OK;
}

const char *
ident_user(const struct ident *i)
{
	return i->user;
}

void
ident_free(struct ident *i)
{
	if (i == NULL)
		return;
	CHECK_OBJ(i, IDENT_MAGIC);
	loop_untimer(i->loop, &i->timer);
	buf_clear(&i->question, i->pool);
	buf_clear(&i->answer, i->pool);
	stream_close(&i->stream, false);
	OBJ_FREE(i);
}
