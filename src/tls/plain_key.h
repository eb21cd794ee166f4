/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/plain_key.h -- private keys that no passphrase shuts, read with one decoder.
 *
 * PEM_read_bio_PrivateKey(3) lists the decoders of all providers for each key anew (OpenSSL before
 * 3.2): two fifths of a start with a thousand services.
 */
#ifndef GINNEL_TLS_PLAIN_KEY_H
#define GINNEL_TLS_PLAIN_KEY_H

#include "base/files.h"

#include <openssl/types.h>

/*
 * The first key of a PEM file; the caller's to free.  NULL, and the queue of errors as it was:
 * there is none, or it is encrypted, or broken; PEM_read_bio_PrivateKey(3) then says which.  The
 * main thread's.
 */
EVP_PKEY *plain_key_read(const struct file *);

#endif
