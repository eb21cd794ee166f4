/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_header.c -- who the client is, by the word of the proxy before us. */
#include "proto/proxy_read.h"
#include "tunnel/heard.h"
#include "tunnel/steps.h"

/* The sender may not speak for others, or spoke so that one cannot tell for whom. */
static enum next
refuse(struct session *s, enum reason reason, const char *why)
{
	char text[ADDR_TEXT];

	log_warn(&s->log, "Connection from %s REFUSED: %s", addr_text(&s->peer, text), why);
	return life_finish(s, reason);
}

/* From here on, the client is whom the header names. */
static enum next
take_over(struct session *s, const struct proxy_heard *header)
{
	char text[ADDR_TEXT], client[ADDR_TEXT];
	enum reason why;

	if ((s->heard = heard_new(header)) == NULL)
		return life_finish(s, R_NO_MEMORY);
	log_info(&s->log, "PROXY header from %s: %s", addr_text(&s->peer, text),
	    header->client.len == 0 ? "its own connection" : addr_text(&header->client, client));
	if (header->client.len != 0)
		s->peer = addr_unmapped(&header->client);
	buf_eat(&s->near.in, s->worker->pool, header->used);
	/* Only now it is known whose share it is of. */
	why = seat_take(
	    &s->seat, s->service->seats, &s->service->conf->limits, &s->peer, s->worker->mailbox);
	if (why != R_NONE)
		return life_finish(s, why);
	if (!life_wants(s, STEP_ADMIT))
		step_admit_greet(s);
	return life_go_on(s);
}

/* Nothing yet is the beginning of a header. */
static enum proxy_read
look(const struct session *s, struct proxy_heard *header)
{
	const struct buf *in = &s->near.in;

	return buf_len(in) == 0 ? PROXY_READ_MORE : proxy_read(buf_head(in), buf_len(in), header);
}

enum next
step_header(struct session *s)
{
	struct proxy_heard header;
	enum io got;

	if (!netset_holds(&s->service->conf->front.proxy_from, &s->peer))
		return refuse(s, R_NOT_ALLOWED, "it is not in proxyProtocolFrom");
	got = stream_peek(&s->near, PROXY_READ_MAX);
	if (got == IO_FAILED)
		return life_finish(s, life_fault(s, &s->near));
	switch (look(s, &header)) {
	case PROXY_READ_DONE:
		return take_over(s, &header);
	case PROXY_READ_BAD:
		return refuse(s, R_PROXY_HEADER, header.why);
	case PROXY_READ_MORE:
		break;
	}
	if (got == IO_OK)
		return MORE;
	if (got == IO_EOF || got == IO_CUT)
		return life_finish(s, buf_len(&s->near.in) == 0 ? R_NO_BYTES : R_PROXY_HEADER);
	buf_settle(&s->near.in, s->worker->pool);
	return WAIT;
}
