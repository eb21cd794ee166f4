/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ppp/eap.h -- the Extensible Authentication Protocol (RFC 3748): MS-CHAPv2 in it
 * (draft-kamath-pppext-eap-mschapv2-02), TLS in it (RFC 5216, RFC 9190), or whatever the owner
 * makes of it.
 */
#ifndef GINNEL_PPP_EAP_H
#define GINNEL_PPP_EAP_H

#include "ppp/auth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EAP_MAX = 1500 };

enum eap_stage {
	EAP_IDENTITY, /* server: asked for */
	EAP_OFFERED,  /* the first request of a method is out: it may be declined */
	EAP_RUNNING,
	EAP_GOOD, /* the method has ended well, EAP itself not yet */
	EAP_BAD,
	EAP_OVER,
};

struct eap {
	enum eap_stage stage;
	enum ppp_method method; /* that is tried */
	unsigned declined;	/* 1 << method that the client does not want */
	uint8_t id;		/* server: of the last request; client: of the last one answered */
	bool answered;		/* client: there was one */
	uint8_t last[EAP_MAX];	/* the last packet that was sent, to be sent again */
	size_t last_size;
	uint8_t identity[PPP_NAME_MAX]; /* server: as the client calls itself */
	size_t identity_size;
	char detail[PPP_TEXT_MAX];

	uint8_t inner_id; /* MS-CHAPv2 */
	uint8_t challenge[PPP_CHALLENGE];
	struct mschap_response response;

	void *tls; /* TLS */
	bool tls_done, tls_failed;
};

struct login_protocol;
extern const struct login_protocol eap_server, eap_client;

#endif
