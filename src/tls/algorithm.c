/* SPDX-License-Identifier: Apache-2.0 */
/* tls/algorithm.c -- the lists of algorithms that providers hand out. */
#include "tls/algorithm.h"

#include <string.h>

bool
algorithm_is(const OSSL_ALGORITHM *a, const char *names)
{
	size_t n = strcspn(a->algorithm_names, ":");

	return strcspn(names, ":") == n && memcmp(a->algorithm_names, names, n) == 0;
}

const OSSL_ALGORITHM *
algorithm_find(const OSSL_ALGORITHM *list, const char *name)
{
	for (; list != NULL && list->algorithm_names != NULL; list++)
		if (algorithm_is(list, name))
			return list;
	return NULL;
}

algorithm_fn *
algorithm_function(const OSSL_ALGORITHM *a, int number)
{
	for (const OSSL_DISPATCH *f = a->implementation; f->function_id != 0; f++)
		if (f->function_id == number)
			return f->function;
	return NULL;
}
