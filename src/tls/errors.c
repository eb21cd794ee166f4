/* SPDX-License-Identifier: Apache-2.0 */
/* tls/errors.c -- OpenSSL's error queue in words. */
#include "tls/errors.h"

#include "base/text.h"

#include <openssl/err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "ASN1 lib", "PEM lib": the layers above the cause say only that something below them failed. */
static bool
is_cause(unsigned long code)
{
	return code != 0 && ERR_GET_REASON(code) != ERR_R_UNSUPPORTED &&
	       (ERR_SYSTEM_ERROR(code) || (ERR_GET_REASON(code) & ERR_RFLAG_COMMON) == 0);
}

const char *
errors_take(char *out, size_t size)
{
	unsigned long code, cause = 0, first = 0;
	const char *words;

	while ((code = ERR_get_error()) != 0) {
		if (first == 0)
			first = code;
		if (cause == 0 && is_cause(code))
			cause = code;
	}
	if (cause == 0)
		cause = first;
	words = cause == 0 ? "no reason given" : ERR_reason_error_string(cause);
	if (words != NULL)
		snprintf(out, size, "%s", words);
	else
		ERR_error_string_n(cause, out, size);
	return out;
}

/* "error:XXXXXXXX:lib::reason[: data]"; the data may come from a peer. */
static const char *
entry_text(unsigned long code, const char *data, int flags, char *out, size_t size)
{
	char safe[TEXT_SAFE_MAX + 4];
	size_t n;

	ERR_error_string_n(code, out, size);
	if ((flags & ERR_TXT_STRING) == 0 || data == NULL || *data == '\0')
		return out;
	n = strlen(out);
	snprintf(out + n, size - n, ": %s", text_safe(data, strlen(data), safe, sizeof(safe)));
	return out;
}

unsigned long
errors_log(const struct log_ctx *log, const char *what)
{
	unsigned long oldest = 0, code;
	const char *data;
	char text[512];
	int flags;

	while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
		entry_text(code, data, flags, text, sizeof(text));
		if (oldest == 0)
			log_err(log, "%s: %s", what, text);
		else
			log_debug(log, "error queue: %s", text);
		if (oldest == 0)
			oldest = code;
	}
	if (oldest == 0)
		log_err(log, "%s: Peer suddenly disconnected", what);
	return oldest;
}
