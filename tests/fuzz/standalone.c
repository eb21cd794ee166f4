/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/standalone.c -- a fuzz target without a fuzzer: every file of some folders, once. */
#include "base/files.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Every beginning of a long input would take too long. */
enum { PREFIXES_UP_TO = 1024 };

/* One input in memory of just its size, so that a sanitizer sees the first byte past its end. */
static void
run_exact(const char *data, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	MUST(copy != NULL);
	memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static bool
run_file(struct files *files, const char *path)
{
	struct file input;

	if (!files->read(files, path, &input)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	run_exact(input.data, input.size);
	/* What a slow or broken peer leaves us with: each beginning of it. */
	for (size_t n = 0; n < input.size && n < PREFIXES_UP_TO; n++)
		run_exact(input.data, n);
	file_done(&input);
	return true;
}

/* Returns how many files were run; -1 after a failure. */
static int
run_folder(struct files *files, const char *folder)
{
	char **names = files->list(files, folder);
	int count = 0;

	if (names == NULL) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return -1;
	}
	for (char **name = names; *name != NULL && count >= 0; name++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, *name);
		count = run_file(files, path) ? count + 1 : -1;
	}
	files_list_free(names);
	return count;
}

int
main(int argc, char **argv)
{
	struct files *files = files_system_new();
	int status = EXIT_SUCCESS;

	MUST(files != NULL);
	for (int i = 1; i < argc; i++) {
		int count = run_folder(files, argv[i]);

		printf("%s: %d inputs\n", argv[i], count);
		if (count <= 0)
			status = EXIT_FAILURE; /* an empty corpus proves nothing */
	}
	files_system_free(files);
	return status;
}
