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

static algorithm_fn *
find_function(const OSSL_DISPATCH *list, int number)
{
	for (; list->function_id != 0; list++)
		if (list->function_id == number)
			return list->function;
	return NULL;
}

algorithm_fn *
algorithm_function(const OSSL_ALGORITHM *a, int number)
{
	return find_function(a->implementation, number);
}

bool
algorithm_merge(
    const OSSL_ALGORITHM *a, const OSSL_DISPATCH *ours, OSSL_DISPATCH out[ALGORITHM_FUNCTIONS])
{
	size_t n = 0;

	for (const OSSL_DISPATCH *f = a->implementation; f->function_id != 0; f++) {
		algorithm_fn *instead = find_function(ours, f->function_id);

		if (n == ALGORITHM_FUNCTIONS - 1) /* the last one ends the list */
			return false;
		out[n] = *f;
		if (instead != NULL)
			out[n].function = instead;
		n++;
	}
	out[n] = (OSSL_DISPATCH){ 0 };
	return true;
}
