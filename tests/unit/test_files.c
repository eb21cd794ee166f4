/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_files.c -- files, pipes and directories of the real system. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct files *files;
static char folder[] = "/tmp/ginnel-files-XXXXXX";
static int home = -1;

static int
setup(void **state)
{
	(void)state;
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home == -1 || mkdtemp(folder) == NULL || chdir(folder) == -1)
		return -1;
	return (files = files_system_new()) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char command[64];

	(void)state;
	files_system_free(files);
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	return fchdir(home) == -1 || system(command) != 0 ? -1 : 0;
}

static void
make(const char *path, const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void
a_file_is_read_whole(void **state)
{
	static const char bytes[] = "a\0b\n";
	struct file f;

	(void)state;
	make("whole", bytes, 4);
	assert_true(files->read(files, "whole", &f));
	assert_int_equal(f.size, 4);
	assert_memory_equal(f.data, bytes, 5); /* and a NUL behind it */
	assert_true(S_ISREG(f.mode));
	assert_int_equal(f.mode & 0777, 0600);
	assert_int_equal(f.uid, getuid());
	file_done(&f);
	assert_null(f.data);
	make("empty", "", 0);
	assert_true(files->read(files, "empty", &f));
	assert_int_equal(f.size, 0);
	assert_string_equal(f.data, "");
	file_done(&f);
}

static void
what_cannot_be_read_says_why(void **state)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
		{ "missing", ENOENT },
		{ ".", EISDIR },
		{ "/dev/zero", EFBIG },
		{ "", ENOENT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct file f;

		assert_false(files->read(files, cases[i].path, &f));
		assert_int_equal(errno, cases[i].error);
		assert_null(f.data);
	}
}

static void
the_largest_file_is_the_last_that_fits(void **state)
{
	struct file f;

	(void)state;
	make("large", "x", 1);
	assert_int_equal(truncate("large", FILE_MAX_SIZE), 0); /* a hole: costs no disk */
	assert_true(files->read(files, "large", &f));
	assert_int_equal(f.size, FILE_MAX_SIZE);
	file_done(&f);
	assert_int_equal(truncate("large", FILE_MAX_SIZE + 1), 0);
	assert_false(files->read(files, "large", &f));
	assert_int_equal(errno, EFBIG);
	unlink("large");
}

enum { PIPED = 200000 };

static void *
feed(void *path)
{
	char bytes[1000];
	int fd = open(path, O_WRONLY);

	for (int i = 0; i < PIPED; i += (int)sizeof(bytes)) {
		memset(bytes, 'a' + i / (int)sizeof(bytes) % 26, sizeof(bytes));
		if (write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
			break;
	}
	close(fd);
	return NULL;
}

static void
a_pipe_is_read_to_its_end(void **state)
{
	int pipe_fds[2];
	char path[64], out[64], first;
	pthread_t thread;
	struct file f;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe_fds[0]);
	(void)snprintf(out, sizeof(out), "/proc/self/fd/%d", pipe_fds[1]);
	assert_int_equal(pthread_create(&thread, NULL, feed, out), 0);
	assert_int_equal(read(pipe_fds[0], &first, 1), 1); /* the feeder has its own end open now */
	close(pipe_fds[1]);
	assert_true(files->read(files, path, &f));
	pthread_join(thread, NULL);
	assert_int_equal(f.size, PIPED - 1);
	for (int i = 0; i < PIPED - 1; i++)
		assert_int_equal(f.data[i], 'a' + (i + 1) / 1000 % 26);
	file_done(&f);
	close(pipe_fds[0]);
}

/* Should it wait, the alarm ends the test. */
static void
a_fifo_without_a_writer_is_empty(void **state)
{
	struct file f;

	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	alarm(10);
	assert_true(files->read(files, "fifo", &f));
	alarm(0);
	assert_int_equal(f.size, 0);
	assert_true(S_ISFIFO(f.mode));
	file_done(&f);
}

static void
relative_names_keep_their_meaning(void **state)
{
	struct file f;
	char **names;

	(void)state;
	make("here", "here", 4);
	assert_int_equal(chdir("/"), 0);
	assert_true(files->read(files, "here", &f));
	assert_string_equal(f.data, "here");
	file_done(&f);
	assert_non_null(names = files->list(files, "."));
	files_list_free(names);
	assert_int_equal(chdir(folder), 0);
}

static void
a_directory_is_listed_by_bytes(void **state)
{
	static const char *const sorted[] = { ".hidden", "10.conf", "9.conf", "Z.conf", "a.conf~",
		"b.conf" };
	char **names;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	assert_non_null(names = files->list(files, "conf.d"));
	assert_null(names[0]);
	files_list_free(names);
	for (size_t i = COUNT_OF(sorted); i-- > 0;) {
		char path[64];

		(void)snprintf(path, sizeof(path), "conf.d/%s", sorted[i]);
		make(path, "", 0);
	}
	assert_non_null(names = files->list(files, "conf.d"));
	for (size_t i = 0; i < COUNT_OF(sorted); i++)
		assert_string_equal(names[i], sorted[i]);
	assert_null(names[COUNT_OF(sorted)]);
	files_list_free(names);
	assert_null(files->list(files, "conf.d/b.conf"));
	assert_int_equal(errno, ENOTDIR);
	assert_null(files->list(files, "missing"));
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(what_cannot_be_read_says_why),
		cmocka_unit_test(the_largest_file_is_the_last_that_fits),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(a_fifo_without_a_writer_is_empty),
		cmocka_unit_test(relative_names_keep_their_meaning),
		cmocka_unit_test(a_directory_is_listed_by_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
