/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/ip.h -- addresses as they are written. */
#ifndef GINNEL_TESTS_UNIT_IP_H
#define GINNEL_TESTS_UNIT_IP_H

#include "net/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Of either family. */
static inline struct addr
ip(const char *text, uint16_t port)
{
	struct addr a = { .len = sizeof(a.in), .in.sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &a.in.sin_addr) != 1) {
		a = (struct addr){ .len = sizeof(a.in6), .in6.sin6_family = AF_INET6 };
		assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
	}
	addr_set_port(&a, port);
	return a;
}

#endif
