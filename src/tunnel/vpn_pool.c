/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_pool.c -- the addresses of a VPN. */
#include "tunnel/vpn_pool.h"

#include <pthread.h>

enum { VPN_POOL_MAGIC = 0x2c61e7d9 };

struct vpn_pool {
	unsigned magic;
	pthread_mutex_t lock;
	uint32_t size, lent;
	uint32_t next;	 /* where the search begins: behind the last one that was lent */
	uint8_t taken[]; /* one byte for each: a search of 65,536 is rare and takes microseconds */
};

struct vpn_pool *
vpn_pool_new(uint32_t size)
{
	struct vpn_pool *p = calloc(1, sizeof(*p) + size);

	if (p == NULL)
		return NULL;
	p->magic = VPN_POOL_MAGIC;
	p->size = size;
	p->next = VPN_POOL_SERVER + 1;
	if (pthread_mutex_init(&p->lock, NULL) == 0)
		return p;
	free(p);
	return NULL;
}

void
vpn_pool_free(struct vpn_pool *p)
{
	if (p == NULL)
		return;
	CHECK_OBJ(p, VPN_POOL_MAGIC);
	pthread_mutex_destroy(&p->lock);
	OBJ_FREE(p);
}

bool
vpn_pool_can_lend(const struct vpn_pool *p, uint32_t number)
{
	return number > VPN_POOL_SERVER && number < p->size - 1;
}

static bool
take_locked(struct vpn_pool *p, uint32_t number)
{
	if (!vpn_pool_can_lend(p, number) || p->taken[number] != 0)
		return false;
	p->taken[number] = 1;
	p->lent++;
	return true;
}

uint32_t
vpn_pool_take(struct vpn_pool *p, bool (*is_reserved)(const void *, uint32_t), const void *owner)
{
	uint32_t found = 0;

	CHECK_OBJ(p, VPN_POOL_MAGIC);
	pthread_mutex_lock(&p->lock);
	for (uint32_t i = 0; i < p->size && found == 0; i++) {
		uint32_t number = (p->next + i) % p->size;

		if (p->taken[number] == 0 && !is_reserved(owner, number) && take_locked(p, number))
			found = number;
	}
	if (found != 0)
		p->next = found + 1;
	pthread_mutex_unlock(&p->lock);
	return found;
}

bool
vpn_pool_take_this(struct vpn_pool *p, uint32_t number)
{
	bool taken;

	CHECK_OBJ(p, VPN_POOL_MAGIC);
	pthread_mutex_lock(&p->lock);
	taken = take_locked(p, number);
	pthread_mutex_unlock(&p->lock);
	return taken;
}

void
vpn_pool_give(struct vpn_pool *p, uint32_t number)
{
	CHECK_OBJ(p, VPN_POOL_MAGIC);
	pthread_mutex_lock(&p->lock);
	MUST(vpn_pool_can_lend(p, number) && p->taken[number] != 0);
	p->taken[number] = 0;
	p->lent--;
	pthread_mutex_unlock(&p->lock);
}

uint32_t
vpn_pool_lent(struct vpn_pool *p)
{
	uint32_t n;

	CHECK_OBJ(p, VPN_POOL_MAGIC);
	pthread_mutex_lock(&p->lock);
	n = p->lent;
	pthread_mutex_unlock(&p->lock);
	return n;
}
