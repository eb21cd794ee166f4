/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/heard.c -- a copy of what a PROXY header said. */
#include "tunnel/heard.h"

#include <stdlib.h>
#include <string.h>

struct heard *
heard_new(const struct proxy_heard *header)
{
	struct heard *h = calloc(1, sizeof(*h) + header->tlvs_len);

	if (h == NULL)
		return NULL;
	h->accepted = addr_unmapped(&header->accepted);
	h->len = header->tlvs_len;
	if (h->len > 0)
		memcpy(h->tlvs, header->tlvs, h->len);
	return h;
}
