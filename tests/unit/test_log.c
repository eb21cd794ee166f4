/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_log.c -- lines to file, stderr and syslog; what happens when none can take them.
 */
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ginnel-log-XXXXXX";
static char path[64], other[64], why[256];
static char text[1 << 20]; /* what read_back() found */

/* ---- syslog, as the log calls it ---- */

static struct {
	char ident[64], last[2048];
	int facility, level;
	unsigned lines;
} heard;

void
openlog(const char *ident, int options, int facility)
{
	(void)options;
	(void)snprintf(heard.ident, sizeof(heard.ident), "%s", ident);
	heard.facility = facility;
}

void
closelog(void)
{
	heard.ident[0] = '\0';
}

static void hear(int level, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

static void
hear(int level, const char *fmt, va_list ap)
{
	heard.level = level;
	heard.lines++;
	(void)vsnprintf(heard.last, sizeof(heard.last), fmt, ap);
}

/* With clang, glibc makes it a macro for the call below. */
#undef syslog
void
syslog(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	hear(level, fmt, ap);
	va_end(ap);
}

/* What glibc makes of it in optimised code. */
void __syslog_chk(int level, int flag, const char *fmt, ...) PRINTF_LIKE(3, 4);

void
__syslog_chk(int level, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	hear(level, fmt, ap);
	va_end(ap);
}

/* ---- help ---- */

static int
setup_all(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/log", folder);
	(void)snprintf(other, sizeof(other), "%s/other", folder);
	return 0;
}

static int
teardown_all(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int
setup(void **state)
{
	(void)state;
	memset(&heard, 0, sizeof(heard));
	log_main.level = LOG_DEBUG;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	log_close();
	unlink(path);
	unlink(other);
	return 0;
}

static struct log_conf
conf_of(const char *output, int level)
{
	return (struct log_conf){ .level = level, .output = output, .facility = LOG_DAEMON };
}

static void
open_log(const char *output, int level)
{
	struct log_conf conf = conf_of(output, level);

	assert_true(log_open(&conf, false, why, sizeof(why)));
}

static const char *
read_back(const char *file)
{
	int fd = open(file, O_RDONLY);
	ssize_t n;
	size_t used = 0;

	assert_int_not_equal(fd, -1);
	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	return text;
}

static unsigned
count_of(const char *needle, const char *in)
{
	unsigned n = 0;

	for (; (in = strstr(in, needle)) != NULL; in++)
		n++;
	return n;
}

/* The text behind the stamp of the only line in the log. */
static const char *
only_line(void)
{
	static const char form[] = "0000.00.00 00:00:00 ";
	const char *line = read_back(path);

	assert_int_equal(count_of("\n", line), 1);
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] == '0')
			assert_true(isdigit((unsigned char)line[i]));
		else
			assert_int_equal(line[i], form[i]);
	}
	return line + sizeof(form) - 1;
}

/* Run `act` with standard error going to a file; returns what was written. */
static const char *
stderr_of(void (*act)(void))
{
	int kept = dup(STDERR_FILENO), fd = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	close(fd);
	act();
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	return read_back(other);
}

/* ---- the form of a line ---- */

static void
a_line_has_the_incumbents_form(void **state)
{
	struct log_ctx ctx = { .id = "17", .level = LOG_DEBUG };
	char long_text[LOG_LINE_MAX + 100];
	struct {
		int level;
		const char *said, *written;
	} cases[] = {
		{ LOG_NOTICE, "Service [x] started", "LOG5[17]: Service [x] started\n" },
		{ LOG_EMERG, "a", "LOG0[17]: a\n" },
		{ LOG_DEBUG, "", "LOG7[17]: \n" },
		{ LOG_ERR, "ends\r\n\n", "LOG3[17]: ends\n" },
		{ LOG_ERR, "two\nlines\x1b[2J\x7f\t", "LOG3[17]: two.lines.[2J..\n" },
		{ LOG_ERR,
		    "Stra\xc3\x9f"
		    "e",
		    "LOG3[17]: Stra\xc3\x9f"
		    "e\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		open_log(path, LOG_DEBUG);
		log_line(&ctx, cases[i].level, "%s", cases[i].said);
		log_close();
		assert_string_equal(only_line(), cases[i].written);
		unlink(path);
	}
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	open_log(path, LOG_DEBUG);
	log_err(&ctx, "%s", long_text);
	log_close();
	assert_int_equal(strlen(only_line()), strlen("LOG3[17]: \n") + LOG_LINE_MAX);
}

static void
a_level_keeps_lines_away(void **state)
{
	struct log_ctx ctx = { .id = "1", .level = LOG_WARNING };

	(void)state;
	open_log(path, LOG_DEBUG);
	log_notice(&ctx, "quiet");
	log_warn(&ctx, "loud");
	log_close();
	assert_string_equal(only_line(), "LOG4[1]: loud\n");
}

static void
errno_survives_a_line(void **state)
{
	(void)state;
	open_log("/dev/full", LOG_DEBUG);
	errno = EXDEV;
	log_err(&log_main, "%m");
	assert_int_equal(errno, EXDEV);
}

/* ---- before the log is open ---- */

static void
a_failed_start_tells_all_in_the_short_form(void **state)
{
	(void)state;
	for (int level = LOG_EMERG; level <= LOG_DEBUG; level++)
		log_at(&log_main, level, "level %d]: %s", level, "x\ny");
	assert_string_equal(stderr_of(log_abandon),
	    "[*] level 0]: x.y\n[*] level 1]: x.y\n[*] level 2]: x.y\n[!] level 3]: x.y\n"
	    "[:] level 4]: x.y\n[.] level 5]: x.y\n[ ] level 6]: x.y\n[ ] level 7]: x.y\n");
	assert_string_equal(stderr_of(log_abandon), "");
}

static void
early_lines_reach_the_log_if_they_pass_its_level(void **state)
{
	(void)state;
	log_info(&log_main, "reading");
	log_notice(&log_main, "successful");
	log_debug(&log_main, "detail");
	log_err(&log_main, "trouble");
	open_log(path, LOG_NOTICE);
	assert_int_equal(log_main.level, LOG_NOTICE);
	assert_string_equal(stderr_of(log_abandon), ""); /* they are the log's now */
	log_close();
	read_back(path);
	assert_non_null(strstr(text, "LOG5[ui]: successful\n"));
	assert_non_null(strstr(text, "LOG3[ui]: trouble\n"));
	assert_int_equal(count_of("\n", text), 2);
}

/* A thousand services tell of their start before anybody may know the level. */
static void
early_lines_are_kept_however_many(void **state)
{
	enum { LINES = 9000 };

	(void)state;
	for (unsigned i = 0; i < LINES; i++)
		log_notice(&log_main, "service %u, and what else there is to tell of it", i);
	open_log(path, LOG_NOTICE);
	log_close();
	read_back(path);
	assert_int_equal(count_of("\n", text), LINES);
	assert_non_null(strstr(text, "LOG5[ui]: service 8999, "));
}

static void
a_log_that_cannot_be_opened(void **state)
{
	struct log_conf conf = conf_of("/nonexistent/log", LOG_DEBUG);

	(void)state;
	log_err(&log_main, "kept");
	assert_false(log_open(&conf, false, why, sizeof(why)));
	assert_non_null(strstr(why, "\"/nonexistent/log\": No such file or directory (2)"));
	assert_string_equal(stderr_of(log_abandon), "[!] kept\n");
}

/* A FIFO that nobody reads must not hold up the start; the alarm would end the test. */
static void
a_fifo_without_a_reader(void **state)
{
	struct log_conf conf = conf_of(path, LOG_DEBUG);

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10);
	assert_false(log_open(&conf, false, why, sizeof(why)));
	alarm(0);
}

/* ---- destinations ---- */

static void
the_file_is_private_and_appended_to(void **state)
{
	struct stat st;

	(void)state;
	umask(0);
	open_log(path, LOG_DEBUG);
	log_err(&log_main, "one");
	log_close();
	open_log(path, LOG_DEBUG);
	log_err(&log_main, "two");
	log_close();
	assert_int_equal(count_of("\n", read_back(path)), 2);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void
the_file_is_emptied_if_wanted(void **state)
{
	struct log_conf conf = conf_of(path, LOG_DEBUG);

	(void)state;
	conf.overwrite = true;
	for (int i = 0; i < 2; i++) {
		assert_true(log_open(&conf, false, why, sizeof(why)));
		log_err(&log_main, "run %d", i);
		log_close();
	}
	assert_string_equal(only_line(), "LOG3[ui]: run 1\n");
}

static void
say_to_stderr(void)
{
	struct log_conf conf = conf_of(NULL, LOG_DEBUG);

	assert_true(log_open(&conf, true, why, sizeof(why)));
	assert_true(log_start());
	log_notice(&log_main, "hello");
	log_close();
}

static void
stderr_gets_whole_lines(void **state)
{
	(void)state;
	stderr_of(say_to_stderr);
	assert_non_null(strstr(text, " LOG5[ui]: hello\n"));
}

static void
syslog_gets_level_and_text(void **state)
{
	struct log_conf conf = conf_of(NULL, LOG_DEBUG);
	char ident[] = "mail-tunnel";

	(void)state;
	conf.syslog = true;
	conf.ident = ident;
	conf.facility = LOG_LOCAL3;
	assert_true(log_open(&conf, false, why, sizeof(why)));
	memset(ident, '#', strlen(ident)); /* the configuration may go */
	assert_string_equal(heard.ident, "mail-tunnel");
	assert_int_equal(heard.facility, LOG_LOCAL3);
	log_warn(&log_main, "100%% %s", "%s%n");
	log_err(&log_main, "last");
	assert_int_equal(heard.lines, 2);
	assert_int_equal(heard.level, LOG_ERR);
	assert_string_equal(heard.last, "LOG3[ui]: last");
	log_close();
	assert_string_equal(heard.ident, "");
}

/* ---- the writer thread ---- */

enum { TALKERS = 4, TALK = 5000 };

static void *
talk(void *arg)
{
	struct log_ctx ctx = { .level = LOG_DEBUG };

	line_make_id(&ctx, LOG_ID_SEQUENTIAL, *(const unsigned *)arg);
	for (int i = 0; i < TALK; i++)
		log_info(&ctx, "line %d of many", i);
	return NULL;
}

/* Each line is there once, whole and in its talker's order, or is counted as lost. */
/* More at once than a buffer has room for. */
static void *
flood(void *id)
{
	for (int i = 0; i < 20000; i++)
		log_debug(&log_main, "%d of talker %d %s", i, *(int *)id,
		    "with words that have nothing to say, but fill a buffer that much the sooner");
	return NULL;
}

static void
many_threads_talk_at_once(void **state)
{
	pthread_t threads[TALKERS];
	unsigned ids[TALKERS], lines = 0, lost = 0;
	int next[TALKERS] = { 0 };

	(void)state;
	open_log(path, LOG_DEBUG);
	assert_true(log_start());
	for (unsigned i = 0; i < TALKERS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, talk, &ids[i]), 0);
	}
	for (unsigned i = 0; i < TALKERS; i++)
		pthread_join(threads[i], NULL);
	log_close();
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(text, sizeof(text), f) != NULL) {
		unsigned id, n;
		int i;

		if (sscanf(text + 20, "LOG4[main]: %u log lines", &n) == 1) {
			lost += n;
			continue;
		}
		assert_int_equal(sscanf(text + 20, "LOG6[%u]: line %d of many\n", &id, &i), 2);
		assert_true(id < TALKERS && i >= next[id]);
		next[id] = i + 1;
		lines++;
	}
	fclose(f);
	assert_int_equal(lines + lost, TALKERS * TALK);
}

/* The writer is stuck in a pipe that no one reads; whoever logs does not notice. */
static void
a_stuck_destination_loses_lines_and_says_so(void **state)
{
	enum { LINES = 10000 };
	unsigned lines = 0, lost = 0;
	struct log_ctx ctx = { .id = "9", .level = LOG_DEBUG };
	struct timespec before, after;
	FILE *f;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_not_equal(fd = open(path, O_RDONLY | O_NONBLOCK), -1);
	open_log(path, LOG_DEBUG);
	assert_true(log_start());
	clock_gettime(CLOCK_MONOTONIC, &before);
	for (int i = 0; i < LINES; i++)
		log_info(&ctx, "%100s", "x");
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 5);

	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_non_null(f = fdopen(fd, "r"));
	while (lines + lost < LINES && fgets(text, sizeof(text), f) != NULL) {
		unsigned n;

		if (sscanf(text + 20, "LOG4[main]: %u log lines", &n) == 1)
			lost += n;
		else
			lines++;
	}
	assert_int_equal(lines + lost, LINES);
	assert_true(lost > 0);
	log_close();
	fclose(f);
}

static void
chatter_leaves_room_for_what_matters(void **state)
{
	enum { LINES = 10000 };
	struct log_ctx ctx = { .id = "9", .level = LOG_DEBUG };
	unsigned lines = 0, lost = 0, ends = 0;
	FILE *f;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_not_equal(fd = open(path, O_RDONLY | O_NONBLOCK), -1);
	open_log(path, LOG_DEBUG);
	assert_true(log_start());
	for (int i = 0; i < LINES; i++)
		log_debug(&ctx, "%100s", "x");
	log_notice(&ctx, "the end");

	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_non_null(f = fdopen(fd, "r"));
	while (lines + lost < LINES + 1 && fgets(text, sizeof(text), f) != NULL) {
		unsigned n;

		if (sscanf(text + 20, "LOG4[main]: %u log lines", &n) == 1)
			lost += n;
		else
			lines++;
		ends += strstr(text, "LOG5[9]: the end\n") != NULL;
	}
	assert_int_equal(ends, 1);
	assert_true(lost > 0);
	log_close();
	fclose(f);
}

static void
closing_does_not_wait_for_ever(void **state)
{
	int status, fd;
	pid_t child;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_not_equal(fd = open(path, O_RDONLY | O_NONBLOCK), -1);
	if ((child = fork()) == 0) { /* the stuck thread ends with its process */
		struct log_conf conf = conf_of(path, LOG_DEBUG);

		alarm(10);
		if (!log_open(&conf, false, why, sizeof(why)) || !log_start())
			_exit(2);
		for (int i = 0; i < 1000; i++)
			log_err(&log_main, "%500s", "x");
		log_close();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(fd);
}

static void
a_full_disk_is_counted(void **state)
{
	struct log_conf conf = conf_of(path, LOG_DEBUG);

	(void)state;
	open_log("/dev/full", LOG_DEBUG);
	for (int i = 0; i < 3; i++)
		log_err(&log_main, "into the void");
	/* It is the destination that lost them: a new one has nothing to tell. */
	assert_true(log_reconfigure(&conf, why, sizeof(why)));
	log_err(&log_main, "after");
	log_close();
	assert_string_equal(only_line(), "LOG3[ui]: after\n");
}

/* A limit on the file's size cuts a write in the middle, as a full disk does; then there is room
 * again. */
static void
a_cut_line_does_not_swallow_the_next(void **state)
{
	struct rlimit before, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 50;
	signal(SIGXFSZ, SIG_IGN);
	open_log(path, LOG_DEBUG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 3; i++)
		log_err(&log_main, "thirty bytes of text, or more %d", i);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	log_err(&log_main, "room again");
	log_close();
	read_back(path);
	assert_int_equal(count_of("\n", text), 3);
	assert_non_null(strstr(text, "LOG3[ui]: room again\n"));
	assert_non_null(strstr(text, "LOG4[main]: 3 log lines were lost\n"));
	assert_int_equal(text[50], '\n'); /* behind the piece of the first */
}

/* ---- other files ---- */

static void
the_file_is_opened_again(void **state)
{
	(void)state;
	for (int threaded = 0; threaded < 2; threaded++) {
		open_log(path, LOG_DEBUG);
		if (threaded)
			assert_true(log_start());
		log_info(&log_main, "old");
		assert_int_equal(rename(path, other), 0);
		log_reopen();
		log_info(&log_main, "new");
		log_close();
		read_back(path);
		assert_null(strstr(text, "old"));
		assert_non_null(strstr(text, "LOG5[main]: Log file reopened\n"));
		assert_non_null(strstr(text, "LOG6[ui]: new\n"));
		assert_non_null(strstr(read_back(other), "LOG6[ui]: old\n"));
		unlink(path);
		unlink(other);
	}
}

static void
a_file_that_cannot_be_opened_again(void **state)
{
	char inner[80], file[96];

	(void)state;
	(void)snprintf(inner, sizeof(inner), "%s/inner", folder);
	(void)snprintf(file, sizeof(file), "%s/log", inner);
	assert_int_equal(mkdir(inner, 0700), 0);
	open_log(file, LOG_DEBUG);
	assert_true(log_start());
	assert_int_equal(rename(file, path), 0);
	assert_int_equal(rmdir(inner), 0);
	log_reopen();
	log_info(&log_main, "still here");
	log_close();
	assert_non_null(strstr(read_back(path), "LOG3[main]: cannot reopen the log file"));
	assert_non_null(strstr(text, "LOG6[ui]: still here\n"));
}

static void
a_reload_changes_file_and_level(void **state)
{
	struct log_conf conf = conf_of(other, LOG_ERR);
	struct log_conf bad = conf_of("/nonexistent/log", LOG_DEBUG);

	(void)state;
	open_log(path, LOG_INFO);
	assert_true(log_start());
	log_info(&log_main, "first");
	assert_true(log_reconfigure(&conf, why, sizeof(why)));
	assert_int_equal(log_main.level, LOG_ERR);
	assert_false(log_reconfigure(&bad, why, sizeof(why)));
	assert_int_equal(log_main.level, LOG_ERR);
	log_info(&log_main, "too quiet");
	log_err(&log_main, "second");
	log_close();
	assert_string_equal(only_line(), "LOG6[ui]: first\n");
	assert_non_null(strstr(read_back(other), "LOG3[ui]: second\n"));
	assert_int_equal(count_of("\n", text), 1);
}

/* What a full buffer asks about is not what a reload changes; for TSan to see. */
static void
reloads_amid_a_flood(void **state)
{
	struct log_conf conf = conf_of("/dev/null", LOG_DEBUG), last = conf_of(other, LOG_ERR);
	int ids[TALKERS] = { 0 };
	pthread_t threads[TALKERS];

	(void)state;
	open_log("/dev/null", LOG_DEBUG);
	assert_true(log_start());
	for (int i = 0; i < TALKERS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, flood, &ids[i]), 0);
	}
	for (int i = 0; i < 20; i++)
		assert_true(log_reconfigure(&conf, why, sizeof(why)));
	for (int i = 0; i < TALKERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(log_reconfigure(&last, why, sizeof(why)));
	log_err(&log_main, "after");
	log_close();
	assert_non_null(strstr(read_back(other), "LOG3[ui]: after\n"));
}

/* ---- names and brakes ---- */

static void
ids(void **state)
{
	struct log_ctx a, b;

	(void)state;
	line_make_id(&a, LOG_ID_SEQUENTIAL, UINT64_MAX);
	assert_string_equal(a.id, "18446744073709551615");
	line_make_id(&a, LOG_ID_UNIQUE, 1);
	line_make_id(&b, LOG_ID_UNIQUE, 1);
	assert_int_equal(strlen(a.id), 22);
	assert_string_not_equal(a.id, b.id);
	for (const char *p = a.id; *p != '\0'; p++)
		assert_true(isalnum((unsigned char)*p));
	line_make_id(&a, LOG_ID_PROCESS, 1);
	assert_int_equal(atoi(a.id), getpid());
	line_make_id(&a, LOG_ID_THREAD, 1);
	assert_int_equal(atoi(a.id), gettid());
}

static void
the_brake(void **state)
{
	struct log_brake brake = { 0 };
	unsigned suppressed, made = 0;

	(void)state;
	for (int i = 0; i < 3 * LOG_BURST; i++)
		made += log_brake(&brake, 5000 + i % 1000, &suppressed);
	assert_int_equal(made, LOG_BURST);
	assert_true(log_brake(&brake, 6000, &suppressed));
	assert_int_equal(suppressed, 2 * LOG_BURST);
	assert_true(log_brake(&brake, 6001, &suppressed));
	assert_int_equal(suppressed, 0);
}

/* ---- options ---- */

static void
debug_levels(void **state)
{
	static const struct {
		const char *value;
		bool global;
		int level, facility; /* -1: refused */
	} cases[] = {
		{ "7", true, LOG_DEBUG, 99 },
		{ "0", true, LOG_EMERG, 99 },
		{ "Notice", true, LOG_NOTICE, 99 },
		{ "local7.info", true, LOG_INFO, LOG_LOCAL7 },
		{ "AuthPriv.3", true, LOG_ERR, LOG_AUTHPRIV },
		{ "ntp.err", true, LOG_ERR, 12 << 3 },
		{ "5", false, LOG_NOTICE, 99 },
		{ "warning", false, LOG_WARNING, 99 },
		{ "8", true, -1, 99 },
		{ "-1", true, -1, 99 },
		{ "", true, -1, 99 },
		{ "error", true, -1, 99 },
		{ "warn", true, -1, 99 },
		{ "local8.5", true, -1, 99 },
		{ ".5", true, -1, 99 },
		{ "daemonic.5", true, -1, 99 },
		{ "daemon.", true, -1, LOG_DAEMON }, /* crashes the incumbent */
		{ "daemon.5", false, -1, 99 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct option_ctx ctx = { .global = cases[i].global };
		struct log_conf conf = { .level = -1, .facility = 99 };
		int level = -1;

		assert_string_equal(log_options[0].name, "debug");
		assert_int_equal(log_options[0].parse(&ctx, &log_options[0], &conf, cases[i].value),
		    cases[i].level != -1);
		assert_int_equal(conf.level, cases[i].level);
		assert_int_equal(conf.facility, cases[i].facility);
		assert_int_equal(
		    log_parse_level(&ctx, NULL, &level, cases[i].value), cases[i].level != -1);
		assert_int_equal(level, cases[i].level);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_has_the_incumbents_form),
		TEST(a_level_keeps_lines_away),
		TEST(errno_survives_a_line),
		TEST(a_failed_start_tells_all_in_the_short_form),
		TEST(early_lines_reach_the_log_if_they_pass_its_level),
		TEST(early_lines_are_kept_however_many),
		TEST(a_log_that_cannot_be_opened),
		TEST(a_fifo_without_a_reader),
		TEST(the_file_is_private_and_appended_to),
		TEST(the_file_is_emptied_if_wanted),
		TEST(stderr_gets_whole_lines),
		TEST(syslog_gets_level_and_text),
		TEST(many_threads_talk_at_once),
		TEST(a_stuck_destination_loses_lines_and_says_so),
		TEST(chatter_leaves_room_for_what_matters),
		TEST(closing_does_not_wait_for_ever),
		TEST(a_full_disk_is_counted),
		TEST(a_cut_line_does_not_swallow_the_next),
		TEST(the_file_is_opened_again),
		TEST(a_file_that_cannot_be_opened_again),
		TEST(a_reload_changes_file_and_level),
		TEST(reloads_amid_a_flood),
		TEST(ids),
		TEST(the_brake),
		TEST(debug_levels),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
