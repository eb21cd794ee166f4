/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_sock.c -- socket options, read and applied; listening sockets. */
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

static struct arena *arena;
static char folder[] = "/tmp/test_sock.XXXXXX";

static int
setup(void **state)
{
	(void)state;
	return (arena = arena_new()) == NULL || mkdtemp(folder) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return rmdir(folder);
}

/* Read `line` into *conf; returns the complaint, or NULL. */
static const char *
parse(struct sock_conf *conf, const char *line)
{
	static struct option_ctx ctx;

	ctx = (struct option_ctx){ .arena = arena };
	return sock_parse_option(&ctx, NULL, conf, line) ? NULL : ctx.why;
}

/* Applied to a TCP socket, the option must read back as these bytes. */
static void
reads_back(const char *line, int level, int option, const void *want, socklen_t size)
{
	struct sock_conf conf = { 0 };
	unsigned char got[64] = { 0 };
	socklen_t len = sizeof(got);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *why = parse(&conf, line);

	if (why != NULL)
		fail_msg("%s: %s", line, why);
	assert_int_equal(conf.side[SOCK_LOCAL].n, 1);
	if (sock_apply(fd, &conf.side[SOCK_LOCAL]) != NULL)
		fail_msg("%s: %s", line, strerror(errno));
	assert_return_code(getsockopt(fd, level, option, got, &len), errno);
	if (memcmp(got, want, size) != 0)
		fail_msg("%s: it has not been set", line);
	close(fd);
}

static void
values_reach_the_socket(void **state)
{
	static const struct {
		const char *line;
		int level, option, want;
	} cases[] = {
		{ "l:TCP_NODELAY=1", IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "l:TCP_NODELAY=yes", IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "l:TCP_NODELAY=YES", IPPROTO_TCP, TCP_NODELAY, 1 },
		{ "l:TCP_NODELAY=0", IPPROTO_TCP, TCP_NODELAY, 0 },
		{ "l:SO_KEEPALIVE=yes", SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ "l:SO_OOBINLINE=yes", SOL_SOCKET, SO_OOBINLINE, 1 },
		{ "l:SO_DONTROUTE=yes", SOL_SOCKET, SO_DONTROUTE, 1 },
		{ "l:SO_REUSEADDR=no", SOL_SOCKET, SO_REUSEADDR, 0 },
		{ "l:SO_RCVBUF=16384", SOL_SOCKET, SO_RCVBUF, 32768 }, /* socket(7): doubled */
		{ "l:SO_SNDBUF=16384", SOL_SOCKET, SO_SNDBUF, 32768 },
		{ "l:SO_RCVLOWAT=7", SOL_SOCKET, SO_RCVLOWAT, 7 },
		{ "l:TCP_DEFER_ACCEPT=1", IPPROTO_TCP, TCP_DEFER_ACCEPT, 1 },
		{ "l:TCP_KEEPCNT=4", IPPROTO_TCP, TCP_KEEPCNT, 4 },
		{ "l:TCP_KEEPIDLE=77", IPPROTO_TCP, TCP_KEEPIDLE, 77 },
		{ "l:TCP_KEEPINTVL=33", IPPROTO_TCP, TCP_KEEPINTVL, 33 },
		{ "l:TCP_USER_TIMEOUT=4321", IPPROTO_TCP, TCP_USER_TIMEOUT, 4321 },
		{ "l:IP_TOS=16", IPPROTO_IP, IP_TOS, 16 },
		{ "l:IP_TOS=", IPPROTO_IP, IP_TOS, 0 },
		{ "l:IP_TTL=55", IPPROTO_IP, IP_TTL, 55 },
		{ "l:IP_FREEBIND=yes", IPPROTO_IP, IP_FREEBIND, 1 },
		{ "l:IPV6_V6ONLY=yes", IPPROTO_IPV6, IPV6_V6ONLY, 1 },
	};
	struct linger on = { 1, 5 }, off = { 0, 0 };
	struct timeval time = { 3, 500000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		reads_back(
		    cases[i].line, cases[i].level, cases[i].option, &cases[i].want, sizeof(int));
	reads_back("l:SO_LINGER=1:5", SOL_SOCKET, SO_LINGER, &on, sizeof(on));
	reads_back("l:SO_LINGER=0", SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	reads_back("l:SO_RCVTIMEO=3:500000", SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	reads_back("l:SO_SNDTIMEO=3:500000", SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
	reads_back("l:SO_BINDTODEVICE=lo", SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
}

static void
bad_lines_say_what_to_write(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "", "write a:, l: or r:" },
		{ "x:TCP_NODELAY=1", "write a:, l: or r:" },
		{ "L:TCP_NODELAY=1", "write a:, l: or r:" },
		{ "l", "write a:, l: or r:" },
		{ "TCP_NODELAY=1", "write a:, l: or r:" },
		{ "l:TCP_NODELAY", "write l:NAME=VALUE" },
		{ "l:", "write l:NAME=VALUE" },
		{ "l:TCP_NODELY=1", "write TCP_NODELAY" },
		{ "l:tcp_nodelay=1", "write TCP_NODELAY" },
		{ "l:=1", "-sockets" },
		{ "l:HORSE=1", "-sockets" },
		{ "l:TCP_NODELAY=maybe", "write yes or no" },
		{ "l:TCP_NODELAY=", "write yes or no" },
		{ "l:TCP_NODELAY=2", "write yes or no" },
		{ "l:SO_RCVBUF=-1", "0 to 2147483647" },
		{ "l:SO_RCVBUF=2147483648", "0 to 2147483647" },
		{ "l:SO_RCVBUF=1k", "0 to 2147483647" },
		{ "l:SO_LINGER=", "ON[:SECONDS]" },
		{ "l:SO_LINGER=1:", "ON[:SECONDS]" },
		{ "l:SO_LINGER=1:2:3", "ON[:SECONDS]" },
		{ "l:SO_LINGER=11111111111111111:1", "ON[:SECONDS]" },
		{ "l:SO_RCVTIMEO=1:1000000", "MICROSECONDS" },
		{ "l:SO_BINDTODEVICE=sixteen-letters-", "at most 15" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sock_conf conf = { 0 };
		const char *why = parse(&conf, cases[i].line);

		if (why == NULL)
			fail_msg("\"%s\" was accepted", cases[i].line);
		if (strstr(why, cases[i].why) == NULL)
			fail_msg("\"%s\": the message is: %s", cases[i].line, why);
		for (unsigned side = 0; side < SOCK_SIDES; side++)
			assert_int_equal(conf.side[side].n, 0);
	}
}

static void
sides_are_kept_apart_and_the_last_value_wins(void **state)
{
	struct sock_conf conf = { 0 }, copy;

	(void)state;
	assert_true(sock_defaults(arena, &conf));
	for (unsigned side = 0; side < SOCK_SIDES; side++)
		assert_int_equal(conf.side[side].n, 1);
	copy = conf;
	assert_null(parse(&conf, "r:TCP_NODELAY=no"));
	assert_null(parse(&conf, "r:SO_KEEPALIVE=1"));
	assert_int_equal(conf.side[SOCK_REMOTE].n, 2);
	assert_int_equal(*(const int *)conf.side[SOCK_REMOTE].v[0].value, 0);
	/* A section's lines do not reach into the defaults that it began with. */
	assert_int_equal(copy.side[SOCK_REMOTE].n, 1);
	assert_int_equal(*(const int *)copy.side[SOCK_REMOTE].v[0].value, 1);
	assert_int_equal(conf.side[SOCK_LOCAL].n, 1);
}

static void
other_kinds_of_sockets_pass_over_what_they_lack(void **state)
{
	struct sock_conf conf = { 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_null(parse(&conf, "a:TCP_NODELAY=1"));
	assert_null(parse(&conf, "a:IPV6_V6ONLY=1"));
	assert_null(sock_apply(fd, &conf.side[SOCK_ACCEPT]));
	close(fd);
	/* A real failure is told by its name. */
	assert_null(parse(&conf, "a:SO_BINDTODEVICE=no-such-device"));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_string_equal(sock_apply(fd, &conf.side[SOCK_ACCEPT]), "SO_BINDTODEVICE");
	assert_int_equal(errno, ENODEV);
	close(fd);
}

static struct addr
address(const char *text)
{
	struct target t;
	char why[256];

	assert_true(target_parse(arena, text, &t, why, sizeof(why)));
	return t.numeric;
}

static struct addr
bound(int fd)
{
	struct addr a = { .len = sizeof(a.un) };

	assert_return_code(getsockname(fd, &a.sa, &a.len), errno);
	return a;
}

/* Connect to where `listener` listens, as `to` with its port; returns the accepted socket, -1 if
 * refused. */
static int
reach(int listener, const char *to, int *client)
{
	struct pollfd waiting = { .fd = listener, .events = POLLIN };
	struct addr a = address(to), b = bound(listener);

	addr_set_port(&a, addr_port(&b));
	*client = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(*client, &a.sa, a.len) == -1)
		return -1;
	assert_int_equal(poll(&waiting, 1, 5000), 1);
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static void
what_is_inherited_need_not_be_set_again(void **state)
{
	static const char *const lines[] = { "l:TCP_NODELAY=1", "l:SO_KEEPALIVE=1",
		"l:TCP_KEEPCNT=4", "l:TCP_KEEPIDLE=77", "l:TCP_KEEPINTVL=33",
		"l:TCP_USER_TIMEOUT=4321", "l:SO_RCVBUF=50000", "l:SO_SNDBUF=50000",
		"l:SO_RCVLOWAT=7", "l:SO_OOBINLINE=1", "l:SO_LINGER=1:5", "l:SO_RCVTIMEO=3",
		"l:SO_SNDTIMEO=3", "l:IP_TOS=16", "l:IP_TTL=55", "l:SO_DEBUG=0",
		/* ... and what a listener must not be given */
		"l:SO_BINDTODEVICE=lo", "l:IPV6_V6ONLY=1", "l:SO_REUSEADDR=0", "l:SO_DONTROUTE=1" };
	enum { INHERITED = COUNT_OF(lines) - 4 };
	struct sock_conf conf = { 0 };
	struct sockopts listener_opts, each;
	struct addr any = address("[::]:0");
	int listener = sock_listen(&any, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	int client, accepted, value = 0;
	socklen_t size = sizeof(value);
	struct linger linger = { 0 };

	(void)state;
	assert_return_code(listener, errno);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		assert_null(parse(&conf, lines[i]));
	assert_true(sock_split_inherited(arena, &conf.side[SOCK_LOCAL], &listener_opts, &each));
	assert_int_equal(listener_opts.n, INHERITED);
	assert_int_equal(each.n, COUNT_OF(lines) - INHERITED);
	assert_null(sock_apply(listener, &listener_opts));
	accepted = reach(listener, "127.0.0.1:0", &client); /* over the dual-stack socket */
	assert_return_code(accepted, errno);
	assert_return_code(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value, &size), errno);
	assert_int_equal(value, 1);
	assert_return_code(getsockopt(accepted, IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), errno);
	assert_int_equal(value, 77);
	assert_return_code(getsockopt(accepted, IPPROTO_IP, IP_TTL, &value, &size), errno);
	assert_int_equal(value, 55);
	size = sizeof(linger);
	assert_return_code(getsockopt(accepted, SOL_SOCKET, SO_LINGER, &linger, &size), errno);
	assert_int_equal(linger.l_linger, 5);
	close(accepted);
	close(client);
	close(listener);
}

static void
listening_on_ports(void **state)
{
	struct sock_conf conf = { 0 };
	struct addr v4 = address("127.0.0.1:0"), v6 = address("[::]:0"), taken;
	int fd, second, client;

	(void)state;
	fd = sock_listen(&v4, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	assert_return_code(fd, errno);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	taken = bound(fd);
	assert_int_not_equal(addr_port(&taken), 0);
	second = sock_listen(&taken, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	assert_int_equal(second, -1);
	assert_int_equal(errno, EADDRINUSE);
	close(fd);

	/* The IPv6 wildcard serves IPv4 too ... */
	fd = sock_listen(&v6, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	second = reach(fd, "127.0.0.1:0", &client);
	assert_return_code(second, errno);
	close(second);
	close(client);
	close(fd);
	/* ... unless it is told not to. */
	assert_null(parse(&conf, "a:IPV6_V6ONLY=yes"));
	fd = sock_listen(&v6, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	assert_int_equal(reach(fd, "127.0.0.1:0", &client), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(client);
	close(fd);
}

static void
a_stale_unix_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct sock_conf conf = { 0 };
	struct addr a;
	struct stat st;
	char path[64];
	int fd, second, file;

	(void)state;
	snprintf(path, sizeof(path), "%s/s", folder);
	a = address(path);
	fd = sock_listen(&a, &conf.side[SOCK_ACCEPT], getuid(), getgid());
	assert_return_code(fd, errno);
	second = sock_listen(&a, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	assert_int_equal(second, -1);
	assert_int_equal(errno, EADDRINUSE);
	close(fd); /* as a crash does: the file stays */
	assert_return_code(stat(path, &st), errno);
	fd = sock_listen(&a, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	assert_return_code(fd, errno);
	close(fd);
	unlink(path);

	/* Any other file is somebody's. */
	file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_return_code(file, errno);
	close(file);
	assert_int_equal(sock_listen(&a, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_return_code(stat(path, &st), errno);
	unlink(path);
}

static void
a_unix_socket_gets_its_owner_or_is_not_left_behind(void **state)
{
	const uid_t other_uid = 12345;
	struct sock_conf conf = { 0 };
	struct stat st;
	char path[64];
	struct addr a;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/owned", folder);
	a = address(path);
	fd = sock_listen(&a, &conf.side[SOCK_ACCEPT], other_uid, (gid_t)-1);
	if (geteuid() == 0) {
		assert_return_code(fd, errno);
		assert_return_code(stat(path, &st), errno);
		assert_int_equal(st.st_uid, other_uid);
		close(fd);
		unlink(path);
	} else {
		assert_int_equal(fd, -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(stat(path, &st), -1);
	}
}

static void
a_reset_is_seen_by_the_peer(void **state)
{
	struct sock_conf conf = { 0 };
	struct addr v4 = address("127.0.0.1:0");
	int listener = sock_listen(&v4, &conf.side[SOCK_ACCEPT], (uid_t)-1, (gid_t)-1);
	int client, accepted = reach(listener, "127.0.0.1:0", &client);
	char byte;

	(void)state;
	assert_return_code(accepted, errno);
	sock_reset_on_close(accepted);
	close(accepted);
	assert_int_equal(read(client, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);

	accepted = reach(listener, "127.0.0.1:0", &client);
	close(accepted);
	assert_int_equal(read(client, &byte, 1), 0); /* and without it, an end */
	close(client);
	close(listener);
}

static void
count_row(void *arg, const struct sock_row *r)
{
	unsigned *rows = arg;

	assert_non_null(r->name);
	assert_non_null(r->kind);
	if (strcmp(r->name, "TCP_NODELAY") == 0) {
		assert_string_equal(r->system, "no");
		assert_string_equal(r->side[SOCK_ACCEPT], "--");
		assert_string_equal(r->side[SOCK_LOCAL], "yes");
		assert_string_equal(r->side[SOCK_REMOTE], "yes");
	}
	if (strcmp(r->name, "SO_LINGER") == 0)
		assert_string_equal(r->system, "0:0");
	++*rows;
}

static void
the_table_can_be_printed(void **state)
{
	unsigned rows = 0;

	(void)state;
	sock_each(count_row, &rows);
	assert_int_equal(rows, 23);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_reach_the_socket),
		cmocka_unit_test(bad_lines_say_what_to_write),
		cmocka_unit_test(sides_are_kept_apart_and_the_last_value_wins),
		cmocka_unit_test(other_kinds_of_sockets_pass_over_what_they_lack),
		cmocka_unit_test(what_is_inherited_need_not_be_set_again),
		cmocka_unit_test(listening_on_ports),
		cmocka_unit_test(a_stale_unix_socket_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(a_unix_socket_gets_its_owner_or_is_not_left_behind),
		cmocka_unit_test(a_reset_is_seen_by_the_peer),
		cmocka_unit_test(the_table_can_be_printed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
