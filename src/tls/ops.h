/* SPDX-License-Identifier: Apache-2.0 */
/* tls/ops.h -- the names of OpenSSL's SSL_OP_ bits, as `options =` writes them. */
#ifndef GINNEL_TLS_OPS_H
#define GINNEL_TLS_OPS_H

#include <stdbool.h>
#include <stdint.h>

/* One that this OpenSSL was built with; old names whose work is done stand for no bit at all. */
struct op {
	const char *name; /* without "SSL_OP_" */
	uint64_t bits;
};
extern const struct op ops_table[]; /* ends with a NULL name */

const struct op *ops_find(const char *name);	/* without case; NULL: unknown */
const struct op *ops_nearest(const char *name); /* for "did you mean"; NULL: none is near */

#endif
