/* SPDX-License-Identifier: Apache-2.0 */
/* tls/errors.c -- OpenSSL's error queue in words. */
#include "tls/errors.h"

#include "base/text.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
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

/* What the library's words for a peer's misfortunes mean, and what to do about them. */
static const struct {
	int reason; /* of ERR_LIB_SSL */
	const char *words;
} advice[] = {
	{ SSL_R_WRONG_VERSION_NUMBER,
	    "the peer does not speak TLS here; use another port, or write protocol = for one that "
	    "begins in clear" },
	{ SSL_R_UNSUPPORTED_PROTOCOL,
	    "the peer has only versions of TLS that sslVersionMin or sslVersionMax exclude" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
	    "the peer has no version of TLS between our sslVersionMin and sslVersionMax" },
	{ SSL_R_NO_SHARED_CIPHER,
	    "the peer has none of our ciphers; look at ciphers, ciphersuites and the kind of key" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
	    "the peer found nothing in common, or dislikes our certificate; its log may tell" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA,
	    "the peer does not trust the CA of our certificate; give it that CA, and the whole "
	    "chain to cert" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer refused our certificate; its log may tell" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
	    "the peer refused our certificate; its log may tell" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
	    "the peer finds our certificate expired; renew it, and look at both clocks" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
	    "the peer finds our certificate revoked; write another in cert" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
	    "the peer wants a certificate of ours; write cert and key" },
	{ SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL,
	    "the peer speaks none of the protocols in alpn" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY, "the peer does not know our PSKidentity" },
	{ SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer serves no such name; look at sni" },
};

/* NULL: there is nothing to add. */
static const char *
advice_for(unsigned long code)
{
	for (size_t i = 0; i < COUNT_OF(advice) && ERR_GET_LIB(code) == ERR_LIB_SSL; i++)
		if (advice[i].reason == ERR_GET_REASON(code))
			return advice[i].words;
	return NULL;
}

/* Programs know the first line, as the incumbent writes it; the second is for people. */
static void
log_cause(const struct log_ctx *log, const char *what, unsigned long code, const char *text)
{
	const char *words = advice_for(code);

	log_err(log, "%s: %s", what, text);
	if (words != NULL)
		log_notice(log, "%s: %s", what, words);
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
			log_cause(log, what, code, text);
		else
			log_debug(log, "error queue: %s", text);
		if (oldest == 0)
			oldest = code;
	}
	if (oldest == 0)
		log_err(log, "%s: Peer suddenly disconnected", what);
	return oldest;
}
