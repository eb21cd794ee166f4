/* SPDX-License-Identifier: Apache-2.0 */
/* base/log_conf.c -- what the configuration can say about logging. */
#include "base/log_conf.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

static const struct option_word levels[] = {
	{ "emerg", LOG_EMERG },
	{ "alert", LOG_ALERT },
	{ "crit", LOG_CRIT },
	{ "err", LOG_ERR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ NULL, 0 },
};

static const struct option_word facilities[] = {
	{ "auth", LOG_AUTH },
	{ "authpriv", LOG_AUTHPRIV },
	{ "cron", LOG_CRON },
	{ "daemon", LOG_DAEMON },
	{ "ftp", LOG_FTP },
	{ "kern", LOG_KERN },
	{ "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 },
	{ "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 },
	{ "local7", LOG_LOCAL7 },
	{ "lpr", LOG_LPR },
	{ "mail", LOG_MAIL },
	{ "news", LOG_NEWS },
	{ "ntp", 12 << 3 }, /* RFC 5424 table 1; syslog.h has no name for it */
	{ "syslog", LOG_SYSLOG },
	{ "user", LOG_USER },
	{ "uucp", LOG_UUCP },
	{ NULL, 0 },
};

/* The first `n` letters of `text` as a word of the table. */
static const struct option_word *
find_word(const struct option_word *words, const char *text, size_t n)
{
	for (; words->name != NULL; words++) {
		if (strlen(words->name) == n && strncasecmp(words->name, text, n) == 0)
			return words;
	}
	return NULL;
}

/* "local3.info", "info", "6".  Without a facility, *facility keeps its value. */
static bool
parse_debug(struct option_ctx *ctx, const char *value, int *facility, int *level)
{
	const char *dot = strchr(value, '.'), *name = dot == NULL ? value : dot + 1;
	const struct option_word *word;
	char safe[TEXT_SAFE_MAX], list[256];
	long number;

	if (dot != NULL && !ctx->global) {
		return option_refuse(ctx,
		    "a syslog facility can only stand before the first [section]; write the level "
		    "alone");
	}
	if (dot != NULL) {
		if ((word = find_word(facilities, value, (size_t)(dot - value))) == NULL) {
			return option_refuse(ctx, "\"%s\" is not a syslog facility; write %s",
			    text_safe(value, (size_t)(dot - value), safe, sizeof(safe)),
			    option_words(facilities, list, sizeof(list)));
		}
		*facility = (int)word->value;
	}
	if ((word = find_word(levels, name, strlen(name))) != NULL) {
		*level = (int)word->value;
		return true;
	}
	if (text_number(name, LOG_EMERG, LOG_DEBUG, &number)) {
		*level = (int)number;
		return true;
	}
	return option_refuse(ctx, "\"%s\" is not a level; write 0 to 7, or %s",
	    text_safe(name, strlen(name), safe, sizeof(safe)),
	    option_words(levels, list, sizeof(list)));
}

bool
log_parse_level(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	int facility; /* the global table keeps it */

	(void)opt;
	return parse_debug(ctx, value, &facility, field);
}

static bool
parse_conf(struct option_ctx *ctx, const struct option *opt, void *field, const char *value)
{
	struct log_conf *conf = field;

	(void)opt;
	return parse_debug(ctx, value, &conf->facility, &conf->level);
}

static const struct option_word open_modes[] = {
	{ "append", false },
	{ "overwrite", true },
	{ NULL, 0 },
};

const struct option log_options[] = {
	{
	    .name = "debug",
	    .parse = parse_conf,
	    .scope = OPTION_GLOBAL,
	    .def = "daemon.notice",
	    .arg = "[FACILITY.]LEVEL",
	    .doc =
		"Lines above this level are not logged.  LEVEL is 0 to 7 or one of emerg, alert, "
		"crit, err, warning, notice, info and debug.  Before the first section a syslog "
		"facility may stand before it; the level is then also the default of every "
		"section.",
	},
	{
	    .name = "output",
	    .parse = option_text,
	    .offset = offsetof(struct log_conf, output),
	    .scope = OPTION_GLOBAL,
	    .arg = "FILE",
	    .doc = "Write the log to this file, which is made with mode 0640.  SIGUSR1 opens it "
		   "again.",
	},
	{
	    .name = "log",
	    .parse = option_keyword,
	    .offset = offsetof(struct log_conf, overwrite),
	    .scope = OPTION_GLOBAL,
	    .def = "append",
	    .words = open_modes,
	    .arg = "append | overwrite",
	    .doc = "Whether the file of output is emptied when it is opened, at the start, by "
		   "SIGUSR1 and "
		   "by SIGHUP.",
	},
	{
	    .name = "syslog",
	    .parse = option_yesno,
	    .offset = offsetof(struct log_conf, syslog),
	    .scope = OPTION_GLOBAL,
	    .def = "yes",
	    .arg = "yes | no",
	    .doc = "Send the log to syslog.",
	},
	{
	    .name = "service",
	    .parse = option_text,
	    .offset = offsetof(struct log_conf, ident),
	    .scope = OPTION_GLOBAL,
	    .def = "ginnel",
	    .arg = "NAME",
	    .doc = "Before the first section: the name under which syslog knows the program.",
	},
	{ .name = NULL },
};
