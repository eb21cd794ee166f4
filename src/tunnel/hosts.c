/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/hosts.c -- who serves a client that asks for a name.
 *
 * The first pattern in the order of the file wins, but no list is walked for that: whole names are
 * in one hash table and ends of names in another, each pattern with its place in the order.  Ends
 * are looked up once for each length that some pattern has.
 */
#include "tunnel/hosts.h"

#include "base/text.h"
#include "tunnel/plan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct host {
	char *text; /* lower case, without the "*" and a final dot */
	unsigned order;
	struct service *service;
	UT_hash_handle hh;
};

/* A service that wants to be asked for by ALPN. */
struct narrow {
	struct narrow *next;
	struct service *service;
	const struct alpn *protocols; /* the configuration's */
	struct hosts *names;	      /* its patterns; NULL: any name, or none */
};

struct hosts {
	unsigned magic;
	unsigned count;
	struct host *names, *ends;
	struct narrow *narrow;	   /* in the order of the file */
	bool has_end[SNI_MAX + 1]; /* is there an end of so many bytes? */
};
enum { HOSTS_MAGIC = 0x36d18bc7 };

/* A name or an end of names in the form in which they are compared.  Returns its length. */
static size_t
normal(const char *text, char out[SNI_MAX + 1])
{
	size_t n = strlen(text);

	if (n > 0 && text[n - 1] == '.')
		n--;
	if (n > SNI_MAX)
		n = SNI_MAX;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	out[n] = '\0';
	return n;
}

struct hosts *
hosts_new(void)
{
	struct hosts *h;

	return OBJ_NEW(h, HOSTS_MAGIC);
}

static void
table_free(struct host *table)
{
	struct host *host, *next;

	HASH_ITER (hh, table, host, next) {
		HASH_DEL(table, host);
		free(host->text);
		free(host);
	}
}

void
hosts_free(struct hosts *h)
{
	if (h == NULL)
		return;
	CHECK_OBJ(h, HOSTS_MAGIC);
	for (struct narrow *one; (one = h->narrow) != NULL; free(one)) {
		h->narrow = one->next;
		hosts_free(one->names);
	}
	table_free(h->names);
	table_free(h->ends);
	OBJ_FREE(h);
}

/* The earlier of two, either of which may be missing. */
static const struct host *
earlier(const struct host *a, const struct host *b)
{
	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	return a->order < b->order ? a : b;
}

static const struct host *
find_name(const struct hosts *h, const char *name, size_t n)
{
	struct host *found;

	HASH_FIND(hh, h->names, name, n, found);
	return found;
}

static const struct host *
find_end(const struct hosts *h, const char *name, size_t n)
{
	const struct host *best = NULL;
	struct host *found;

	for (size_t end = 0; end <= n; end++) {
		if (!h->has_end[end])
			continue;
		HASH_FIND(hh, h->ends, name + n - end, end, found);
		best = earlier(best, found);
	}
	return best;
}

static struct narrow *
find_narrow(const struct hosts *h, const struct service *service)
{
	struct narrow *one = h->narrow;

	while (one != NULL && one->service != service)
		one = one->next;
	return one;
}

bool
hosts_narrow(struct hosts *h, const struct alpn *names, struct service *service)
{
	struct narrow *one = calloc(1, sizeof(*one)), **last = &h->narrow;

	CHECK_OBJ(h, HOSTS_MAGIC);
	if (one == NULL)
		return false;
	one->service = service;
	one->protocols = names;
	while (*last != NULL)
		last = &(*last)->next;
	*last = one;
	return true;
}

/* One more pattern of a table; the first one that has it keeps it.  False: no memory. */
static bool
add_pattern(struct hosts *h, const char *pattern, struct service *service)
{
	bool is_end = pattern[0] == '*';
	struct host **table = is_end ? &h->ends : &h->names;
	struct host *host, *found;
	char text[SNI_MAX + 1];
	size_t n = normal(pattern + is_end, text);

	CHECK_OBJ(h, HOSTS_MAGIC);
	HASH_FIND(hh, *table, text, n, found);
	if (found != NULL)
		return true; /* the first one has it */
	if ((host = calloc(1, sizeof(*host))) == NULL || (host->text = strdup(text)) == NULL) {
		free(host);
		return false;
	}
	host->order = h->count;
	host->service = service;
	HASH_ADD_KEYPTR(hh, *table, host->text, n, host);
	if (host->hh.tbl == NULL) {
		free(host->text);
		free(host);
		return false;
	}
	h->count++;
	if (is_end)
		h->has_end[n] = true;
	return true;
}

bool
hosts_add(struct hosts *h, const char *pattern, struct service *service)
{
	struct narrow *one = find_narrow(h, service);

	if (one == NULL)
		return add_pattern(h, pattern, service);
	if (one->names == NULL && (one->names = hosts_new()) == NULL)
		return false;
	return add_pattern(one->names, pattern, service);
}

struct service *
hosts_find(const struct hosts *h, const char *name)
{
	char text[SNI_MAX + 1];
	size_t n = normal(name, text);
	const struct host *found;

	CHECK_OBJ(h, HOSTS_MAGIC);
	found = earlier(find_name(h, text, n), find_end(h, text, n));
	return found == NULL ? NULL : found->service;
}

struct service *
hosts_owner(const struct hosts *h, const char *pattern)
{
	bool is_end = pattern[0] == '*';
	char text[SNI_MAX + 1];
	size_t n = normal(pattern + is_end, text);
	const struct host *found;

	CHECK_OBJ(h, HOSTS_MAGIC);
	/* All names that end so: only another end has them, one that this end ends in. */
	found = find_end(h, text, n);
	if (!is_end)
		found = earlier(found, find_name(h, text, n));
	return found == NULL ? NULL : found->service;
}

static bool
table_has(const struct host *table, const struct service *service)
{
	for (const struct host *host = table; host != NULL; host = host->hh.next)
		if (host->service == service)
			return true;
	return false;
}

bool
hosts_has(const struct hosts *h, const struct service *service)
{
	return h != NULL && (find_narrow(h, service) != NULL || table_has(h->names, service) ||
				table_has(h->ends, service));
}

/* The first one that wants what this client offers. */
static struct service *
choose_narrow(const struct hosts *h, const struct hello *hello)
{
	const struct alpn offer = { hello->alpn, hello->alpn_len };

	for (const struct narrow *one = h->narrow; one != NULL; one = one->next)
		if (alpn_common(one->protocols, &offer) != NULL &&
		    (one->names == NULL ||
			(hello->sni[0] != '\0' && hosts_find(one->names, hello->sni) != NULL)))
			return one->service;
	return NULL;
}

/* The one that has the name.  Words of the incumbent. */
static struct service *
choose_name(const struct hosts *h, const char *name, const struct log_ctx *log)
{
	char safe[TEXT_SAFE_MAX];
	struct service *found;

	if (*name == '\0') {
		log_notice(log, "SNI: no servername received");
		return NULL;
	}
	if ((found = hosts_find(h, name)) == NULL)
		log_err(log, "SNI: no pattern matched servername: %s",
		    text_safe(name, strlen(name), safe, sizeof(safe)));
	return found;
}

struct service *
hosts_choose(struct service *service, const struct hello *hello, const struct log_ctx *log)
{
	const struct alpn offer = { hello->alpn, hello->alpn_len };
	const struct hosts *h = service->hosts;
	struct service *found;
	char safe[TEXT_SAFE_MAX + 4];

	if (hello->sni[0] != '\0')
		log_info(log, "SNI: requested servername: %s",
		    text_safe(hello->sni, strlen(hello->sni), safe, sizeof(safe)));
	if (h == NULL)
		return service;
	if (h->narrow != NULL && offer.len > 0)
		log_info(log, "ALPN: offered protocols: %s", alpn_text(&offer, safe, sizeof(safe)));
	if ((found = choose_narrow(h, hello)) != NULL) {
		log_notice(log, "ALPN: switched to service [%s]", found->conf->name);
		return found;
	}
	if (h->count > 0 && (found = choose_name(h, hello->sni, log)) != NULL) {
		if (found != service)
			log_notice(log, "SNI: switched to service [%s]", found->conf->name);
		return found;
	}
	return service->conf->sni_unmatched == UNMATCHED_REJECT ? NULL : service;
}
