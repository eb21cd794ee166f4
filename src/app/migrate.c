/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/migrate.c -- ginnel check --migrate.
 *
 * Two passes over the file: load() says what stands in the way and fills the sections' records; a
 * second reading collects the lines, and each meets the advice below.  What no single line shows
 * (nobody is verified) is asked of the records.
 */
#include "app/migrate.h"

#include "app/exit_status.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum verdict { SAME, BETTER, CHANGE };

/* One line of the configuration, and what is said of it. */
struct line {
	struct line *next;
	struct where where;
	const char *name, *value; /* name NULL: a section's header, of that value */
	enum verdict verdict;
	const char *why;   /* NULL: nothing to say */
	const char *write; /* CHANGE: instead of the line; "": nothing; NULL: leave it */
};

struct review {
	struct arena *arena;
	struct line *first, **end;
	bool no_memory;
};

/* ---- what is known about single lines ---- */

/* The first row that fits is taken; `values` NULL fits all. */
static const struct advice {
	const char *option;
	const char *values; /* separated by blanks, compared without case */
	enum verdict verdict;
	const char *why, *write;
} advices[] = {
	{ "verify", "0", CHANGE, "asks for a certificate, and takes any or none",
	    "verifyChain = yes" },
	{ "verify", "1", CHANGE, "lets in who shows no certificate", "verifyChain = yes" },
	{ "verify", "2", CHANGE, "the older way to write it", "verifyChain = yes" },
	{ "verify", "3", CHANGE, "the older way to write it",
	    "verifyChain = yes\nverifyPeer = yes" },
	{ "verify", "4", CHANGE, "the older way to write it", "verifyPeer = yes" },
	{ "requireCert", "no", CHANGE, "lets in who shows no certificate", "" },
	{ "sslVersion", "all SSLv3 TLSv1 TLSv1.1", CHANGE,
	    "TLS 1.0 and 1.1 are deprecated (RFC 8996)", "sslVersionMin = TLSv1.2" },
	{ "sslVersionMin", "all SSLv3 TLSv1 TLSv1.1", CHANGE,
	    "TLS 1.0 and 1.1 are deprecated (RFC 8996)", "sslVersionMin = TLSv1.2" },
	{ "sslVersionMax", "SSLv3 TLSv1 TLSv1.1", CHANGE,
	    "TLS 1.0 and 1.1 are deprecated (RFC 8996)", "" },
	{ "options", "NO_TLSv1_3", CHANGE, "TLS 1.3 is the safest version", "" },
	{ "options", "NO_SSLv2 NO_SSLv3 NO_TLSv1 NO_TLSv1_1 NO_TLSv1.1", CHANGE,
	    "not needed: TLS 1.2 is the lowest version by default", "" },
	{ "options",
	    "-NO_SSLv2 -NO_SSLv3 ALLOW_UNSAFE_LEGACY_RENEGOTIATION LEGACY_SERVER_CONNECT "
	    "IGNORE_UNEXPECTED_EOF",
	    CHANGE, "takes a protection away", "" },
	{ "securityLevel", "0 1", CHANGE, "allows keys of less than 112 bits",
	    "securityLevel = 2" },
	{ "reset", "no", CHANGE, "a tunnel that broke looks like one that ended", "" },
	{ "compression", NULL, CHANGE, "compression under TLS betrays secrets (CRIME)", "" },
	{ "renegotiation", "yes", CHANGE, "has no effect: renegotiation is never accepted", "" },
	{ "EGD", NULL, CHANGE, "has no effect: OpenSSL asks the kernel", "" },
	{ "RNDbytes", NULL, CHANGE, "has no effect: OpenSSL asks the kernel", "" },
	{ "RNDfile", NULL, CHANGE, "has no effect: OpenSSL asks the kernel", "" },
	{ "RNDoverwrite", NULL, CHANGE, "has no effect: OpenSSL asks the kernel", "" },
	{ "stack", NULL, CHANGE, "has no effect: no tunnel has a thread of its own", "" },
	{ "ticketKeySecret", NULL, CHANGE,
	    "a key that never changes opens all recorded sessions once it leaks; without it the "
	    "keys change by themselves",
	    NULL },
	{ "delay", "yes", BETTER,
	    "without blocking: names are looked up when their time to live ends, and the last good "
	    "answer stays while the name service fails",
	    NULL },
	{ "CRLfile", NULL, BETTER, "every certificate of the chain is looked up", NULL },
	{ "CRLpath", NULL, BETTER, "every certificate of the chain is looked up", NULL },
	{ "OCSP", NULL, BETTER, "other tunnels go on meanwhile, and answers are kept", NULL },
	{ "OCSPaia", "yes", BETTER, "other tunnels go on meanwhile, and answers are kept", NULL },
	{ "TIMEOUTbusy", NULL, BETTER, "limits all of the set-up, not each wait of it", NULL },
	{ "setuid", NULL, BETTER, "a reload still reads what only root can", NULL },
	{ "setgid", NULL, BETTER, "a reload still reads what only root can", NULL },
	{ "chroot", NULL, BETTER, "a reload still reads what lies outside", NULL },
	{ "include", NULL, BETTER, "copies that editors and packages leave behind are skipped",
	    NULL },
	{ "output", NULL, BETTER, "a log that cannot be written holds no tunnel up", NULL },
	{ "exec", NULL, BETTER, "nobody else can connect to the program's socket", NULL },
	{ "renegotiation", "no", BETTER, "renegotiation is never accepted", NULL },
};

/* Is `value` one of the words? */
static bool
is_among(const char *value, const char *words)
{
	size_t n = strlen(value);

	while (*words != '\0') {
		size_t m = strcspn(words, " ");

		if (m == n && strncasecmp(words, value, n) == 0)
			return true;
		words += m + (words[m] == ' ');
	}
	return false;
}

/* A name for one side only has the advice of the plain name. */
static const char *
plain_name(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL ? dot + 1 : name;
}

static void
consult_table(struct line *l)
{
	for (size_t i = 0; i < COUNT_OF(advices); i++) {
		const struct advice *a = &advices[i];

		if (strcasecmp(plain_name(l->name), a->option) != 0 ||
		    (a->values != NULL && !is_among(l->value, a->values)))
			continue;
		l->verdict = a->verdict;
		l->why = a->why;
		l->write = a->write;
		return;
	}
}

/* ---- single lines that a table cannot judge ---- */

/* For ->why and ->write: what arena_printf() made. */
static const char *
made(struct review *r, const char *text)
{
	r->no_memory |= text == NULL;
	return text;
}

static void
consult_ciphers(struct line *l)
{
	static const char *const weak[] = { "RC4", "DES", "NULL", "EXP", "MD5", "LOW", "MEDIUM",
		"SSLv2", "ADH", "AECDH" };
	char list[1024], *rest = list, *word;

	snprintf(list, sizeof(list), "%s", l->value);
	while ((word = strsep(&rest, ":, ")) != NULL) {
		for (size_t i = 0; i < COUNT_OF(weak) && *word != '!' && *word != '-'; i++) {
			if (strcasestr(word, weak[i]) == NULL)
				continue;
			l->verdict = CHANGE;
			l->why = "names ciphers that are broken; the default list is better";
			l->write = "";
			return;
		}
	}
}

/* Files that hold secrets. */
static void
consult_file(struct review *r, struct line *l)
{
	struct stat st;

	if (stat(l->value, &st) == -1 || !S_ISREG(st.st_mode) || (st.st_mode & 0007) == 0)
		return;
	l->verdict = CHANGE;
	l->why =
	    made(r, arena_printf(r->arena,
			"everybody on this machine can read the file: chmod 600 %s", l->value));
	l->write = NULL;
}

static const struct option *
find_alias(const struct option_set *sets, const char *name)
{
	for (; sets->title != NULL; sets++)
		for (const struct option *o = sets->table; o->name != NULL; o++)
			if (o->alias != NULL && strcasecmp(o->alias, name) == 0)
				return o;
	return NULL;
}

static void
consult(struct review *r, struct line *l)
{
	const char *name = plain_name(l->name);
	const struct option *alias = find_alias(service_sets, name);

	if (alias != NULL) {
		l->verdict = CHANGE;
		l->why = "an older name";
		l->write = made(r, arena_printf(r->arena, "%s = %s", alias->name, l->value));
	}
	consult_table(l);
	if (strcasecmp(name, "ciphers") == 0)
		consult_ciphers(l);
	if (is_among(name, "key PSKsecrets"))
		consult_file(r, l);
}

/* ---- the lines ---- */

static void
add(struct review *r, struct where where, const char *name, const char *value)
{
	struct line *l = arena_alloc(r->arena, sizeof(*l));
	char *kept = arena_strdup(r->arena, value);

	if (l == NULL || kept == NULL) {
		r->no_memory = true;
		return;
	}
	*l = (struct line){ .where = where, .value = kept };
	if (name != NULL && (l->name = arena_strdup(r->arena, name)) == NULL) {
		r->no_memory = true;
		return;
	}
	if (name != NULL)
		consult(r, l);
	*r->end = l;
	r->end = &l->next;
}

struct reading {
	struct review *review;
	struct parse parse;
};

static void
on_section(void *owner, struct where where, const char *name)
{
	add(((struct reading *)owner)->review, where, NULL, name);
}

static void
on_option(void *owner, struct where where, const char *name, const char *value)
{
	struct reading *reading = owner;
	const struct option *include = parse_sets[0].table;
	struct option_ctx ctx = { .arena = reading->review->arena };

	add(reading->review, where, name, value);
	if (strcasecmp(name, include->name) == 0) /* load() has told of any failure */
		(void)include->parse(&ctx, include, &reading->parse, value);
}

static void
read_lines(struct review *r, const struct source *source, struct files *files)
{
	/* load() has told of every problem */
	static const struct parse_events events = { .section = on_section, .option = on_option };
	struct reading reading = { .review = r };

	reading.parse = (struct parse){
		.files = files, .arena = r->arena, .events = &events, .owner = &reading
	};
	parse_file(&reading.parse, source->path);
}

/* ---- what only a whole section shows ---- */

static struct line *
header_of(struct review *r, const struct section *s)
{
	for (struct line *l = r->first; l != NULL; l = l->next)
		if (l->name == NULL && l->where.line == s->where.line && s->where.file != NULL &&
		    strcmp(l->where.file, s->where.file) == 0)
			return l;
	return NULL;
}

/* The option that pins the server's name, as far as the configuration knows it: "" if not. */
static const char *
name_check(struct review *r, const struct service_conf *conf)
{
	const struct target *first = conf->connect.n > 0 ? &conf->connect.v[0] : NULL;
	const char *name = first != NULL ? first->host : NULL, *option = "checkHost";

	if (conf->far.check_host.n + conf->far.check_email.n + conf->far.check_ip.n > 0)
		return "";
	if (conf->far.sni != NULL && *conf->far.sni != '\0')
		name = conf->far.sni;
	else if (conf->proto.host_name != NULL)
		name = conf->proto.host_name;
	else if (first != NULL && first->numeric.len != 0)
		option = "checkIP";
	return name != NULL ? made(r, arena_printf(r->arena, "\n%s = %s", option, name)) : "";
}

/* A client that would talk to anybody. */
static void
review_section(struct review *r, const struct section *s)
{
	const struct service_conf *conf = s->conf;
	const struct tls_verify *v = &conf->far.verify;
	const char *check = name_check(r, conf);
	struct line *header = header_of(r, s);
	bool trusts = conf->far.ca_file != NULL || conf->far.ca_path != NULL;

	if (header == NULL || check == NULL || !service_connects_tls(conf) ||
	    conf->far.psk_secrets != NULL)
		return;
	if (!v->chain && !v->peer) {
		header->verdict = CHANGE;
		header->why = "nobody asks whether the server is the right one: whoever is in "
			      "between can read and change everything";
		header->write = made(
		    r, arena_printf(r->arena, "[%s]\n%sverifyChain = yes%s", s->name,
			   trusts ? "" : "CAfile = /etc/ssl/certs/ca-certificates.crt\n", check));
	} else if (v->chain && !v->peer && *check != '\0') {
		header->verdict = CHANGE;
		header->why = "any certificate of the CA is taken, whoever it was made for";
		header->write = made(r, arena_printf(r->arena, "[%s]%s", s->name, check));
	}
}

/* ---- the report ---- */

/* Values that are secrets themselves. */
static bool
is_secret(const char *name)
{
	return is_among(
	    plain_name(name), "protocolPassword ticketKeySecret ticketMacSecret engineCtrl");
}

static void
print_line(const struct line *l)
{
	static const char *const words[] = { "as before", "better", "change" };
	char safe[TEXT_SAFE_MAX];

	printf("%5u  %-9s  ", l->where.line, words[l->verdict]);
	if (l->name == NULL)
		printf("[%s]\n", text_safe(l->value, strlen(l->value), safe, sizeof(safe)));
	else
		printf("%s = %s\n", l->name,
		    is_secret(l->name) ? "(hidden)"
				       : text_safe(l->value, strlen(l->value), safe, sizeof(safe)));
	if (l->why != NULL)
		printf("%18s%s\n", "", l->why);
	if (l->write == NULL)
		return;
	if (*l->write == '\0')
		printf("%18sleave it out\n", "");
	for (const char *at = l->write; *at != '\0';) {
		size_t n = strcspn(at, "\n");

		printf("%18swrite: %.*s\n", "", (int)n, at);
		at += n + (at[n] == '\n');
	}
}

static void
print_report(const struct review *r, unsigned obstacles)
{
	unsigned count[] = { 0, 0, 0 };
	const char *file = "";

	for (const struct line *l = r->first; l != NULL; l = l->next) {
		if (strcmp(file, l->where.file) != 0)
			printf("%s\n", file = l->where.file);
		print_line(l);
		count[l->verdict]++;
	}
	printf("%u as before, %u better, %u to change, %u in the way\n", count[SAME], count[BETTER],
	    count[CHANGE], obstacles);
}

/* ---- the improved file ---- */

static const struct line *
find_line(const struct review *r, const char *path, unsigned number)
{
	for (const struct line *l = r->first; l != NULL; l = l->next)
		if (l->where.line == number && strcmp(l->where.file, path) == 0)
			return l;
	return NULL;
}

static void
print_improved_line(const char *text, int n, const struct line *l)
{
	if (l == NULL || l->verdict != CHANGE || l->write == NULL) {
		printf("%.*s\n", n, text);
		return;
	}
	printf("; %s\n", l->why);
	if (l->name != NULL)
		printf("; was: %.*s\n", n, text);
	if (*l->write != '\0')
		printf("%s\n", l->write);
}

static bool
print_improved(const struct review *r, const struct source *source, struct files *files)
{
	struct file f;
	unsigned number = 0;
	const char *at, *end, *stop;

	if (!files->read(files, source->path, &f))
		return false;
	for (at = f.data, end = at + f.size; at < end; at = stop + 1) {
		if ((stop = memchr(at, '\n', (size_t)(end - at))) == NULL)
			stop = end;
		number++;
		print_improved_line(at, (int)(stop - at) - (stop > at && stop[-1] == '\r'),
		    find_line(r, source->path, number));
	}
	file_done(&f);
	return true;
}

static void
print_obstacle(const struct problem *p)
{
	char text[LOG_LINE_MAX];

	fprintf(stderr, "%s%s\n",
	    p->fatal ? "in the way: " : "warning: ", problem_text(p, text, sizeof(text)));
}

static int
report(struct review *r, const struct source *source, struct files *files, struct loaded *l,
    bool print)
{
	struct config *c = l->config;

	read_lines(r, source, files);
	for (const struct section *s = c->sections; s != NULL; s = s->next)
		review_section(r, s);
	if (r->no_memory) {
		fprintf(stderr, "ginnel: out of memory\n");
		return EXIT_FAILED;
	}
	if (!print)
		print_report(r, c->errors);
	else if (!print_improved(r, source, files))
		return EXIT_FAILED;
	return l->plan != NULL ? EXIT_DONE : EXIT_BAD_CONFIG;
}

int
migrate(const struct source *source, bool print)
{
	struct files *files = files_system_new();
	struct review r = { .arena = arena_new() };
	struct loaded l = { 0 };
	int status = EXIT_FAILED;

	r.end = &r.first;
	if (files == NULL || r.arena == NULL || !tls_library_start()) {
		fprintf(stderr,
		    "ginnel: cannot start the TLS library or reach the working directory\n");
	} else {
		l = load(source, NULL, files, print_obstacle);
		status = l.config != NULL ? report(&r, source, files, &l, print) : EXIT_FAILED;
	}
	if (l.plan != NULL)
		plan_release(l.plan);
	else
		config_free(l.config);
	if (r.arena != NULL)
		arena_free(r.arena);
	files_system_free(files);
	return status;
}
