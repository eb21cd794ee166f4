/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/step_introduce.c -- tell the target who the client is, before it gets anything else. */
#include "proto/proxy_header.h"
#include "tls/tls_facts.h"
#include "tunnel/heard.h"
#include "tunnel/steps.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { ID_BYTES = 16 };

static struct proxy_bytes
text(const char *s)
{
	return (struct proxy_bytes){ s, s == NULL ? 0 : strlen(s) };
}

/* Where the client connected to: here, or where the proxy before us was. */
static struct addr
accepted_at(const struct session *s)
{
	struct addr a = { .len = sizeof(a.un) };

	if (s->heard != NULL)
		return s->heard->accepted;
	if (!stream_is_open(&s->near) || getsockname(s->near.watch.fd, &a.sa, &a.len) == -1)
		a.len = 0;
	return a;
}

/* The proxy before us may have given it one. */
static bool
make_id(const struct session *s, char out[2 * ID_BYTES + 1])
{
	uint8_t bytes[ID_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	log_info(&s->log, "PROXY unique id: %s", out);
	return true;
}

static void
tell_tls(const struct tls_facts *t, int which, struct proxy_facts *f)
{
	if ((which & PROXY_TLV_ALPN) != 0)
		f->alpn = (struct proxy_bytes){ t->alpn, t->alpn_len };
	if ((which & PROXY_TLV_SSL) == 0)
		return;
	f->tls.is_there = true;
	f->tls.version = text(t->version);
	f->tls.cipher = text(t->cipher);
	f->tls.cn = (struct proxy_bytes){ t->cn, t->cn_len };
	f->tls.has_cert = t->has_cert;
	f->tls.cert_is_old = t->resumed;
	f->tls.verified = t->verified;
	if ((which & PROXY_TLV_CERT) != 0)
		f->tls.cert = (struct proxy_bytes){ t->cert, t->cert_len };
}

/* The header of version 2.  0: it cannot be told. */
static size_t
write_v2(const struct session *s, uint8_t out[PROXY_HEADER_V2_MAX])
{
	int which = s->service->conf->front.proxy_tlvs;
	struct proxy_facts facts = { .checksum = (which & PROXY_TLV_CRC32C) != 0 };
	struct addr accepted = accepted_at(s);
	struct tls_facts tls = { 0 };
	char id[2 * ID_BYTES + 1] = "";
	size_t n = 0;

	if (s->heard != NULL)
		facts.passed_on = (struct proxy_bytes){ s->heard->tlvs, s->heard->len };
	if ((which & PROXY_TLV_UNIQUE_ID) != 0 &&
	    !proxy_header_has(&facts.passed_on, PROXY_HEADER_UNIQUE_ID)) {
		if (!make_id(s, id))
			return 0;
		facts.unique_id = text(id);
	}
	if (s->near.filter != NULL) {
		if (!tls_facts_of(&s->near, &tls))
			goto out;
		tell_tls(&tls, which, &facts);
	}
	if ((which & PROXY_TLV_AUTHORITY) != 0)
		facts.authority = text(s->near.filter != NULL ? tls.sni : s->asked_for);
	n = proxy_header_v2(out, &s->peer, &accepted, &facts);
out:
	tls_facts_clear(&tls);
	return n;
}

enum next
step_introduce(struct session *s)
{
	uint8_t header[PROXY_HEADER_V2_MAX];
	struct addr accepted = accepted_at(s);
	size_t n;

	if (s->service->conf->front.proxy_out == PROXY_V2)
		n = write_v2(s, header);
	else
		n = proxy_header_v1((char *)header, &s->peer, &accepted);
	if (n == 0)
		return life_finish(s, R_INTRODUCE);
	/* At once, as the target may be the one to speak. */
	if (!buf_append(&s->far.out, s->worker->pool, header, n))
		return life_finish(s, R_NO_MEMORY);
	if (stream_flush(&s->far) == IO_FAILED)
		return life_finish(s, life_fault(s, &s->far));
	return life_go_on(s);
}
