/* SPDX-License-Identifier: Apache-2.0 */
/* base/heap.h -- how malloc(3) deals with what was freed. */
#ifndef GINNEL_BASE_HEAP_H
#define GINNEL_BASE_HEAP_H

/*
 * Keep freed memory for the next tunnel.  Before the first thread.
 *
 * By default glibc hands the end of a heap back to the system as soon as 128 KiB of it are free
 * (M_TRIM_THRESHOLD, mallopt(3)), and each handshake frees more: two system calls and a few hundred
 * page faults for each thousand tunnels, 2 to 5 % of a resumed handshake.
 */
void heap_keep(void);

/* Give back all whole pages that are free.  Any thread; some milliseconds, and others may wait. */
void heap_give_back(void);

#endif
