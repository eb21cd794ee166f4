/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/shelf.h -- what a thread freed, kept by size for what it asks for next.
 *
 * A TLS handshake takes and frees some three hundred blocks, of the same sizes each time. malloc(3)
 * keeps seven of a size for a thread (tcache, up to 1 KiB) and merges and splits the rest: a tenth
 * of the instructions of a resumed handshake.  A shelf keeps all of them, up to a bound.
 *
 * The blocks are malloc(3)'s own: free(3) takes them too, and any thread may free what another got.
 */
#ifndef GINNEL_BASE_SHELF_H
#define GINNEL_BASE_SHELF_H

#include <stddef.h>

enum { SHELF_MAX = 4 * 1024 * 1024 }; /* bytes on one; then all of it goes back to malloc(3) */

/* The calling thread has a shelf from now on.  Without memory for one, it goes without. */
void shelf_open(void);
/* Give back all that is on the calling thread's. */
void shelf_clear(void);
/* The same, and this thread has none any more.  To be called before it ends. */
void shelf_close(void);
/* Bytes on the calling thread's. */
size_t shelf_held(void);

/* As malloc(3), realloc(3) and free(3); from and to the calling thread's shelf, if it has one. */
void *shelf_alloc(size_t n);
void *shelf_resize(void *p, size_t n);
void shelf_free(void *p);

#endif
