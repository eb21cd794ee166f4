/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/engine.h -- OpenSSL engines: modules from before there were providers.
 *
 * The interface is deprecated since OpenSSL 3.0, and still the one that Debian's module for PKCS#11
 * tokens has.  Nothing outside engine.c calls it.  Engines are opened while the program starts,
 * when there is one thread, and stay until it ends.
 */
#ifndef GINNEL_TLS_ENGINE_H
#define GINNEL_TLS_ENGINE_H

#include "base/option.h"

#include <openssl/types.h>
#include <openssl/ui.h>
#include <stdbool.h>
#include <stddef.h>

/* The lines `engine`, `engineCtrl` and `engineDefault`.  False with `why` set. */
bool engine_open(const char *id, char *why, size_t size);
bool engine_control(const char *command, char *why, size_t size);
bool engine_delegate(const char *tasks, char *why, size_t size);

/* engineId or (id NULL) engineNum, the number of an engine line; ready for use.  NULL: said why. */
ENGINE *engine_get(const char *id, int number, struct sink *);

/* What the engine holds under `name`; NULL: see OpenSSL's error queue.  The caller's to free. */
EVP_PKEY *engine_key(ENGINE *, const char *name, UI_METHOD *, void *ui_data);
X509 *engine_cert(ENGINE *, const char *name);

#endif
