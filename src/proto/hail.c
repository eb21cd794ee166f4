/* SPDX-License-Identifier: Apache-2.0 */
/* proto/hail.c -- call a server of a protocol and see whether it answers. */
#include "proto/hail.h"

#include "base/check.h"

#include <strings.h>

#define TEXT(s) \
	{ \
		s, sizeof(s) - 1 \
	}
#define NOTHING \
	{ \
		NULL, 0 \
	}

enum { HAILS_MAX = 3 };

/* Commands by the RFC that has STARTTLS for each. */
static const struct {
	const char *protocol;
	struct hail hails[HAILS_MAX]; /* the first empty one ends them */
} table[] = {
	/* RFC 3207; "250 " with its blank is the last line of the answer (RFC 5321 4.2.1) */
	{ "smtp", { { NOTHING, TEXT("220") }, { TEXT("EHLO localhost\r\n"), TEXT("250 ") },
		      { TEXT("STARTTLS\r\n"), TEXT("220") } } },
	{ "lmtp", { { NOTHING, TEXT("220") }, { TEXT("LHLO localhost\r\n"), TEXT("250 ") },
		      { TEXT("STARTTLS\r\n"), TEXT("220") } } },
	/* RFC 9051 6.2.1 */
	{ "imap", { { NOTHING, TEXT("* OK") }, { TEXT("a STARTTLS\r\n"), TEXT("a OK") } } },
	/* RFC 2595 4 */
	{ "pop3", { { NOTHING, TEXT("+OK") }, { TEXT("STLS\r\n"), TEXT("+OK") } } },
	/* RFC 4642 2.2; RFC 3977 5.1: 200 or 201 */
	{ "nntp", { { NOTHING, TEXT("20") }, { TEXT("STARTTLS\r\n"), TEXT("382") } } },
	/* RFC 5804 2.2 */
	{ "sieve", { { NOTHING, TEXT("OK") }, { TEXT("STARTTLS\r\n"), TEXT("OK") } } },
	/* RFC 4511 4.14: an extended request, and a result code of 0 (success) */
	{ "ldap", { { TEXT("\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
			   "1.3.6.1.4.1.1466.20037"),
		      TEXT("\x0a\x01\x00") } } },
	/* PostgreSQL's manual, "Message Formats": SSLRequest, and S for yes */
	{ "pgsql", { { TEXT("\x00\x00\x00\x08\x04\xd2\x16\x2f"), TEXT("S") } } },
};

const struct hail *
hail_starttls(const char *protocol, unsigned *count)
{
	*count = 0;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const struct hail *hails = table[i].hails;

		if (strcasecmp(table[i].protocol, protocol) != 0)
			continue;
		while (*count < HAILS_MAX && hails[*count].await.n > 0)
			++*count;
		return hails;
	}
	return NULL;
}
