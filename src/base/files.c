/* SPDX-License-Identifier: Apache-2.0 */
/* base/files.c -- the file system behind struct files. */
#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_MAGIC 0x6711f0d3u

struct system {
	struct files files; /* first: what callers hold is this */
	unsigned magic;
	int dir; /* where relative paths begin */
};

static struct system *
system_of(struct files *files)
{
	struct system *s = (struct system *)files;

	CHECK_OBJ(s, SYSTEM_MAGIC);
	return s;
}

/* Room for `size` bytes and a NUL.  Not realloc(): it would leave a copy of a key behind. */
static bool
grow(struct file *f, size_t *room, size_t size)
{
	char *data;

	if (f->size > FILE_MAX_SIZE) {
		errno = EFBIG;
		return false;
	}
	if (size > FILE_MAX_SIZE)
		size = FILE_MAX_SIZE;
	if ((data = malloc(size + 1)) == NULL)
		return false;
	if (f->data != NULL) {
		memcpy(data, f->data, f->size);
		explicit_bzero(f->data, f->size);
		free(f->data);
	}
	f->data = data;
	*room = size;
	return true;
}

/* All bytes of `fd`.  `expect` is only a guess: a pipe has none, and a file may grow meanwhile. */
static bool
read_all(int fd, size_t expect, struct file *f)
{
	size_t room;

	if (!grow(f, &room, expect))
		return false;
	for (;;) {
		ssize_t n = read(fd, f->data + f->size, room + 1 - f->size);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		f->size += (size_t)n;
		/* The byte kept for the NUL was read into: there is more than was thought. */
		if (f->size > room && !grow(f, &room, room * 2 + 4096))
			return false;
	}
	f->data[f->size] = '\0';
	return true;
}

static bool
read_fd(int fd, struct file *out)
{
	struct stat st;
	int flags;

	if (fstat(fd, &st) == -1 || (flags = fcntl(fd, F_GETFL)) == -1 ||
	    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1)
		return false;
	out->mode = st.st_mode;
	out->uid = st.st_uid;
	return read_all(fd, S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size : 0, out);
}

bool
files_read_descriptor(int fd, struct file *out)
{
	int error;
	bool ok;

	*out = (struct file){ 0 };
	if (fd == -1)
		return false;
	ok = read_fd(fd, out);
	error = errno;
	if (!ok)
		file_done(out);
	close(fd);
	errno = error;
	return ok;
}

static bool
system_read(struct files *files, const char *path, struct file *out)
{
	/* O_NONBLOCK: the open of a FIFO that nobody writes to must not wait. */
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	return files_read_descriptor(openat(system_of(files)->dir, path, flags), out);
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Append a copy of `name`, keeping the list's NULL.  False without memory, the list as it was. */
static bool
names_add(char ***names, size_t n, const char *name)
{
	char **longer;

	if ((longer = realloc(*names, (n + 2) * sizeof(*longer))) == NULL)
		return false;
	*names = longer;
	longer[n + 1] = NULL;
	return (longer[n] = strdup(name)) != NULL;
}

/* The entries of `dir`; false with errno set, and the caller frees what is there. */
static bool
names_read(DIR *dir, char ***names, size_t *n)
{
	const struct dirent *entry;

	if ((*names = calloc(1, sizeof(**names))) == NULL)
		return false;
	while (errno = 0, (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!names_add(names, *n, entry->d_name))
			return false;
		(*n)++;
	}
	return errno == 0;
}

char **
files_list_descriptor(int fd)
{
	char **names = NULL;
	size_t n = 0;
	DIR *dir;
	int error;
	bool ok;

	if (fd == -1)
		return NULL;
	if ((dir = fdopendir(fd)) == NULL) {
		error = errno;
		close(fd);
		errno = error;
		return NULL;
	}
	ok = names_read(dir, &names, &n);
	error = errno;
	closedir(dir);
	if (!ok) {
		files_list_free(names);
		errno = error;
		return NULL;
	}
	qsort(names, n, sizeof(*names), by_bytes);
	return names;
}

static char **
system_list(struct files *files, const char *path)
{
	int flags = O_RDONLY | O_CLOEXEC | O_DIRECTORY;

	return files_list_descriptor(openat(system_of(files)->dir, path, flags));
}

struct files *
files_system_new(void)
{
	struct system *s;

	if (OBJ_NEW(s, SYSTEM_MAGIC) == NULL)
		return NULL;
	s->files = (struct files){ .read = system_read, .list = system_list };
	if ((s->dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		s->dir = AT_FDCWD; /* one that may not be opened: then it moves with the process */
	return &s->files;
}

void
files_system_free(struct files *files)
{
	struct system *s;

	if (files == NULL)
		return;
	s = system_of(files);
	if (s->dir != AT_FDCWD)
		close(s->dir);
	OBJ_FREE(s);
}

void
file_done(struct file *f)
{
	if (f->data != NULL)
		explicit_bzero(f->data, f->size);
	free(f->data);
	*f = (struct file){ 0 };
}

void
files_list_free(char **names)
{
	if (names == NULL)
		return;
	for (char **name = names; *name != NULL; name++)
		free(*name);
	free(names);
}
