/* SPDX-License-Identifier: Apache-2.0 */
/* tests/kit/keeper.h -- the folder in which a test's privileged helper has its files. */
#ifndef GINNEL_TESTS_KIT_KEEPER_H
#define GINNEL_TESTS_KIT_KEEPER_H

#include "base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Made by keeper_folder(), which returns its path each time; nobody removes it. */
static inline const char *
keeper_folder(void)
{
	static char folder[] = "/tmp/ginnel-keeper-XXXXXX";
	static bool made;

	if (!made)
		MUST(mkdtemp(folder) != NULL);
	made = true;
	return folder;
}

/* Until the next one. */
static inline const char *
keeper_path(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", keeper_folder(), name);
	return path;
}

/* Write a file. */
static inline void
keeper_make(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(keeper_path(name), "we");

	MUST(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	MUST(chmod(keeper_path(name), mode) == 0);
}

#endif
