/* SPDX-License-Identifier: Apache-2.0 */
/* tls/memory.h -- where OpenSSL's memory comes from. */
#ifndef GINNEL_TLS_MEMORY_H
#define GINNEL_TLS_MEMORY_H

/*
 * From the shelf of the calling thread (base/shelf.h), for the whole process.  Before OpenSSL has
 * allocated anything: later it is too late, and malloc(3) serves as before.
 */
void memory_from_shelf(void);

#endif
