/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keeper.c -- the privileged helper and whoever has taken its other side over. */
#include "app/keeper.h"
#include "kit/keeper.h"
#include "net/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct account nobody = { 65534, 65534 };
static struct pid_file no_pid = { .dir = -1, .fd = -1 };
static int sock = -1;
static pid_t helper;

static int
setup(void **state)
{
	char text[256];

	(void)state;
	if (chmod(keeper_folder(), 0755) == -1)
		return -1;
	(void)snprintf(text, sizeof(text),
	    "[a]\naccept = 127.0.0.1:444\nconnect = 1\ncert = %s/cert\nCApath = %s/dir\n",
	    keeper_folder(), keeper_folder());
	keeper_make("conf", text, 0600);
	keeper_make("cert", "secret", 0600);
	keeper_make("other", "secret", 0600);
	(void)mkdir(keeper_path("dir"), 0700);
	keeper_make("dir/a.0", "a", 0600);
	return 0;
}

static int
start(void **state)
{
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	if ((helper = fork()) == 0) {
		struct keeper k = { .sock = pair[1],
			.root = open("/", O_PATH | O_CLOEXEC),
			.start = open(keeper_folder(), O_PATH | O_CLOEXEC),
			.path = "conf",
			.user = nobody,
			.pid = &no_pid };

		keeper_run(&k);
	}
	close(pair[1]);
	sock = pair[0];
	return helper == -1 ? -1 : 0;
}

static int
stop(void **state)
{
	(void)state;
	if (sock != -1)
		close(sock);
	sock = -1;
	return waitpid(helper, NULL, 0) == helper ? 0 : -1;
}

static int
ask(struct ask *a, struct answer *answer)
{
	int fd;

	assert_int_equal(send(sock, a, sizeof(*a), 0), sizeof(*a));
	fd = keeper_take_answer(sock, answer);
	assert_int_not_equal(answer->error, EPIPE); /* it has ended */
	return fd;
}

/* The error with which a question ends; a descriptor is closed. */
static int
error_of(enum ask_for what, const char *path)
{
	struct ask a = { .what = what };
	struct answer answer;
	int fd;

	(void)snprintf(a.path, sizeof(a.path), "%s", path);
	fd = ask(&a, &answer);
	assert_int_equal(fd != -1, answer.error == 0 && what != ASK_PLAN);
	if (fd != -1)
		close(fd);
	return answer.error;
}

static void
only_what_the_configuration_names_is_opened(void **state)
{
	char dots[160];

	(void)state;
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), EPERM); /* it knows none yet */
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), 0);
	assert_int_equal(error_of(ASK_FILE, "conf"), 0);
	assert_int_equal(error_of(ASK_FILE, keeper_path("other")), EPERM);
	assert_int_equal(error_of(ASK_FILE, "/etc/shadow"), EPERM);
	assert_int_equal(error_of(ASK_FILE, ""), EPERM);
	assert_int_equal(error_of(ASK_DIRECTORY, keeper_path("dir")), 0);
	assert_int_equal(error_of(ASK_DIRECTORY, keeper_folder()), EPERM);
	assert_int_equal(error_of(ASK_FILE, keeper_path("dir/a.0")), 0);
	assert_int_equal(error_of(ASK_FILE, keeper_path("dir/b.0")), ENOENT);
	(void)snprintf(dots, sizeof(dots), "%s/dir/../other", keeper_folder());
	assert_int_equal(error_of(ASK_FILE, dots), EPERM);
	(void)snprintf(dots, sizeof(dots), "%s/dir/..", keeper_folder());
	assert_int_equal(error_of(ASK_FILE, dots), EPERM);
}

static void
no_directory_is_handed_out(void **state)
{
	(void)state;
	(void)mkdir(keeper_path("dir/sub"), 0755);
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	assert_int_equal(error_of(ASK_FILE, keeper_path("dir/sub")), EISDIR);
	(void)rmdir(keeper_path("dir/sub"));
}

static void
links_of_the_user_are_not_followed(void **state)
{
	(void)state;
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	(void)unlink(keeper_path("cert"));
	assert_int_equal(symlink("other", keeper_path("cert")), 0);
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), 0); /* root's own link */
	assert_int_equal(lchown(keeper_path("cert"), nobody.uid, nobody.gid), 0);
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), EPERM);
	(void)unlink(keeper_path("cert"));
	keeper_make("cert", "secret", 0600);
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), 0);
	assert_int_equal(chmod(keeper_folder(), 0777), 0); /* all may put links there */
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), EPERM);
	assert_int_equal(chmod(keeper_folder(), 01777), 0); /* but not in place of root's file */
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), 0);
	assert_int_equal(chmod(keeper_folder(), 0755), 0);
}

static void
a_configuration_of_the_users_grants_nothing_of_roots(void **state)
{
	(void)state;
	assert_int_equal(chmod(keeper_path("conf"), 0666), 0);
	assert_int_equal(error_of(ASK_PLAN, ""), EPERM);
	assert_int_equal(error_of(ASK_FILE, keeper_path("cert")), EPERM);
	assert_int_equal(chmod(keeper_path("cert"), 0644), 0);
	assert_int_equal(
	    error_of(ASK_FILE, keeper_path("cert")), 0); /* the user may read it anyway */
}

static void
only_configured_addresses_are_bound(void **state)
{
	struct ask a = { .what = ASK_LISTEN, .addr.len = sizeof(struct sockaddr_in) };
	struct answer answer;
	int fd;

	(void)state;
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	a.addr.in.sin_family = AF_INET;
	a.addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.addr.in.sin_port = htons(445);
	assert_int_equal(ask(&a, &answer), -1);
	assert_int_equal(answer.error, EPERM);
	a.addr.in.sin_addr.s_addr = htonl(INADDR_ANY);
	a.addr.in.sin_port = htons(444);
	assert_int_equal(ask(&a, &answer), -1);
	assert_int_equal(answer.error, EPERM);
	a.addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = ask(&a, &answer);
	assert_int_equal(answer.error, 0);
	assert_int_not_equal(fd, -1);
	close(fd);
}

static int
ask_foreign(sa_family_t family, socklen_t len)
{
	struct ask a = { .what = ASK_FOREIGN, .addr.len = len };
	struct answer answer;
	int fd;

	a.addr.sa.sa_family = family;
	fd = ask(&a, &answer);
	assert_int_equal(fd != -1, answer.error == 0);
	if (fd != -1)
		close(fd);
	return answer.error;
}

static void
sockets_that_come_from_elsewhere_are_for_services_that_ask(void **state)
{
	(void)state;
	keeper_make("conf", "[a]\nconnect = 1\n", 0600);
	assert_int_equal(ask_foreign(AF_INET, sizeof(struct sockaddr_in)), EPERM); /* no plan */
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	assert_int_equal(ask_foreign(AF_INET, sizeof(struct sockaddr_in)), EPERM);
	keeper_make("conf", "transparent = destination\n[a]\ntransparent = source\n", 0600);
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	assert_int_equal(ask_foreign(AF_INET, sizeof(struct sockaddr_in)), 0);
	keeper_make("conf", "[a]\ntransparent = destination\n", 0600);
	assert_int_equal(error_of(ASK_PLAN, ""), 0); /* tunnels of the plan before go on */
	assert_int_equal(ask_foreign(AF_INET, sizeof(struct sockaddr_in)), 0);
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	assert_int_equal(ask_foreign(AF_INET, sizeof(struct sockaddr_in)), EPERM);
	keeper_make("conf", "[a]\ntransparent = source\n", 0666); /* the user may have written it */
	assert_int_equal(error_of(ASK_PLAN, ""), EPERM);
	assert_int_equal(ask_foreign(AF_INET, sizeof(struct sockaddr_in)), EPERM);
}

/* It must end, not answer. */
static void
ends_on(const void *message, size_t n)
{
	char byte;

	assert_int_equal(send(sock, message, n, MSG_NOSIGNAL), n);
	assert_int_equal(recv(sock, &byte, 1, 0), 0);
}

static void
an_unknown_question_is_the_end(void **state)
{
	const struct ask a = { .what = ASK_KINDS };

	(void)state;
	ends_on(&a, sizeof(a));
}

static void
a_short_message_is_the_end(void **state)
{
	const struct ask a = { .what = ASK_PLAN };

	(void)state;
	ends_on(&a, sizeof(a) - 1);
}

static void
a_long_message_is_the_end(void **state)
{
	static const char long_one[sizeof(struct ask) + 1];

	(void)state;
	ends_on(long_one, sizeof(long_one));
}

static void
a_path_without_an_end_is_the_end(void **state)
{
	struct ask a = { .what = ASK_FILE };

	(void)state;
	memset(a.path, 'a', sizeof(a.path));
	ends_on(&a, sizeof(a));
}

static void
an_odd_address_is_the_end(void **state)
{
	struct ask a = { .what = ASK_LISTEN };

	(void)state;
	a.addr.sa.sa_family = AF_NETLINK;
	a.addr.len = 12;
	ends_on(&a, sizeof(a));
}

static void
an_odd_order_is_the_end(void **state)
{
	struct ask a = { .what = ASK_ORDER, .order.what = NETLINK_ADD_ADDRESS, .order.device = 1 };

	(void)state;
	a.order.to = (struct network){ .family = AF_INET, .prefix = 33 };
	ends_on(&a, sizeof(a));
}

static void
an_unknown_order_is_the_end(void **state)
{
	struct ask a = { .what = ASK_ORDER, .order.device = 1, .order.mtu = 1400 };

	(void)state;
	a.order.what = NETLINK_REMOVE_ROUTE + 1;
	ends_on(&a, sizeof(a));
}

/* ---- a VPN's network ---- */

/* In a network of this process's own. */
static int
start_apart(void **state)
{
	return unshare(CLONE_NEWNET) == -1 ? -1 : start(state);
}

static int
ask_device(const char *name, bool several, char full[IFNAMSIZ])
{
	struct ask a = { .what = ASK_DEVICE, .inode = several };
	struct answer answer;
	int fd;

	(void)snprintf(a.path, sizeof(a.path), "%s", name);
	fd = ask(&a, &answer);
	assert_int_equal(fd != -1, answer.error == 0);
	memcpy(full, answer.device, IFNAMSIZ);
	return fd == -1 ? -answer.error : fd;
}

static int
ask_order(enum netlink_what what, unsigned device, unsigned mtu, const char *network)
{
	struct ask a = { .what = ASK_ORDER };
	struct answer answer;
	char why[128];

	a.order = (struct netlink_order){ .what = what, .mtu = mtu };
	if (network != NULL)
		assert_true(network_parse(network, strlen(network), &a.order.to, why, sizeof(why)));
	if (what == NETLINK_UP || what == NETLINK_ADD_ADDRESS)
		a.order.device = device;
	else
		a.order.hop.device = device;
	assert_int_equal(ask(&a, &answer), -1);
	return answer.error;
}

static void
only_a_vpns_own_device_is_set_up(void **state)
{
	enum { LOOPBACK = 1 };
	char name[IFNAMSIZ], same[IFNAMSIZ];
	unsigned device;
	int fd;

	(void)state;
	keeper_make("conf",
	    "[s]\nprotocol = sstp\nvpnDevice = gk%d\nvpnPool = 10.9.0.0/24\nvpnMTU = 1300\n"
	    "vpnPool6 = 2001:db8:9::/56\n"
	    "[c]\nclient = yes\nprotocol = sstp\nvpnDevice = gc\nvpnRoutes = 10.1.0.0/16\n"
	    "[t]\nvpnDevice = gt\n",
	    0600);
	assert_int_equal(ask_device("gk%d", true, name), -EPERM); /* no plan */
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	assert_int_equal(ask_device("eth0", true, name), -EPERM);
	assert_int_equal(ask_device("gt", true, name), -EPERM); /* its section has no VPN */
	assert_int_equal(ask_device("gk%d-and-more-than-fits", true, name), -EPERM);
	fd = ask_device("gk%d", true, name);
	if (fd == -ENOENT) {
		print_message("NOT TESTED: no tun devices here\n");
		skip();
	}
	assert_true(fd >= 0);
	assert_string_equal(name, "gk0");
	close(ask_device("gk0", true, same)); /* a further queue */
	device = if_nametoindex(name);

	assert_int_equal(ask_order(NETLINK_UP, LOOPBACK, 1300, NULL), EPERM);
	assert_int_equal(ask_order(NETLINK_UP, device, 1200, NULL), EPERM);
	assert_int_equal(ask_order(NETLINK_UP, device, 1300, NULL), 0);

	assert_int_equal(ask_order(NETLINK_ADD_ADDRESS, LOOPBACK, 0, "10.66.0.2"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ADDRESS, device, 0, "10.0.0.0/8"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ADDRESS, device, 0, "10.66.0.0/24"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ADDRESS, device, 0, "2001:db8::/32"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ADDRESS, device, 0, "10.9.0.0/24"), 0);
	assert_int_equal(ask_order(NETLINK_ADD_ADDRESS, device, 0, "2001:db8:9::/64"), 0);
	assert_int_equal(ask_order(NETLINK_ADD_ADDRESS, device, 0, "10.66.0.2"), 0);

	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, device, 0, "10.1.0.0/16"), 0);
	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, device, 0, "10.2.0.0/16"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, device, 0, "10.1.0.0/17"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, device, 0, "0.0.0.0/1"), EPERM);
	/* Beside it: to one address that vpnRoutes covers, and there is no way to that. */
	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, LOOPBACK, 0, "10.1.0.0/16"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, LOOPBACK, 0, "192.0.2.1"), EPERM);
	assert_int_not_equal(ask_order(NETLINK_ADD_ROUTE, LOOPBACK, 0, "10.1.0.1"), 0);
	assert_int_equal(ask_order(NETLINK_REMOVE_ROUTE, device, 0, "10.1.0.0/16"), EPERM);

	/* Once it has gone, its name is anybody's. */
	close(fd);
	assert_int_equal(ask_order(NETLINK_UP, device, 1300, NULL), EPERM);
}

/* A device that is not of a VPN, with a network behind it. */
static int
open_outside(const char *network, unsigned *device)
{
	char name[IFNAMSIZ] = "outside", why[128];
	struct network local;
	int fd = tun_open(name, false);

	assert_true(network_parse(network, strlen(network), &local, why, sizeof(why)));
	*device = if_nametoindex(name);
	assert_true(
	    fd != -1 && netlink_up(*device, 1400) && netlink_add_address(*device, &local, NULL));
	return fd;
}

static bool
has_route(const char *to, unsigned device)
{
	const struct netlink_hop hop = { .device = device };
	struct network n;
	char why[128];

	assert_true(network_parse(to, strlen(to), &n, why, sizeof(why)));
	/* The kernel tells by an error, either way. */
	if (netlink_add_route(&n, &hop)) {
		assert_true(netlink_remove_route(&n, &hop));
		return false;
	}
	return errno == EEXIST;
}

/* To the server, say, which vpnRoutes would lead into its own VPN. */
static void
a_way_beside_the_vpn_is_kept_and_given_up(void **state)
{
	unsigned device, outside;
	char name[IFNAMSIZ];
	int fd, out;

	(void)state;
	keeper_make("conf",
	    "[c]\nclient = yes\nprotocol = sstp\nvpnDevice = gw\nvpnRoutes = 10.1.0.0/16\n", 0600);
	assert_int_equal(error_of(ASK_PLAN, ""), 0);
	fd = ask_device("gw", false, name);
	if (fd == -ENOENT) {
		print_message("NOT TESTED: no tun devices here\n");
		skip();
	}
	device = if_nametoindex(name);
	out = open_outside("10.1.0.0/24", &outside);

	assert_int_equal(ask_order(NETLINK_REMOVE_ROUTE, outside, 0, "10.1.0.7"), EPERM);
	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, outside, 0, "10.1.0.7"), 0);
	assert_true(has_route("10.1.0.7", outside));
	/* What leads into a VPN's device goes with it, and is no way beside it. */
	assert_int_equal(ask_order(NETLINK_REMOVE_ROUTE, device, 0, "10.1.0.7"), EPERM);
	assert_true(has_route("10.1.0.7", outside));
	/* The helper knows by itself where it led through. */
	assert_int_equal(ask_order(NETLINK_REMOVE_ROUTE, 0, 0, "10.1.0.7"), 0);
	assert_false(has_route("10.1.0.7", outside));
	assert_int_equal(ask_order(NETLINK_REMOVE_ROUTE, outside, 0, "10.1.0.7"), EPERM);

	/* What was to go into a device that has gone does not go elsewhere. */
	close(fd);
	assert_int_equal(ask_order(NETLINK_ADD_ROUTE, device, 0, "10.1.0.7"), EPERM);
	assert_false(has_route("10.1.0.7", outside));
	close(out);
}

static void
a_configuration_of_the_users_makes_no_device(void **state)
{
	char name[IFNAMSIZ];

	(void)state;
	keeper_make(
	    "conf", "[s]\nprotocol = sstp\nvpnDevice = gk%d\nvpnPool = 10.9.0.0/24\n", 0666);
	assert_int_equal(error_of(ASK_PLAN, ""), EPERM);
	assert_int_equal(ask_device("gk%d", true, name), -EPERM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_what_the_configuration_names_is_opened),
		TEST(no_directory_is_handed_out),
		TEST(links_of_the_user_are_not_followed),
		TEST(only_configured_addresses_are_bound),
		TEST(an_unknown_question_is_the_end),
		TEST(a_short_message_is_the_end),
		TEST(a_long_message_is_the_end),
		TEST(a_path_without_an_end_is_the_end),
		TEST(an_odd_address_is_the_end),
		TEST(an_odd_order_is_the_end),
		TEST(an_unknown_order_is_the_end),
		TEST(a_configuration_of_the_users_grants_nothing_of_roots),
		/* Last: they write conf. */
		TEST(sockets_that_come_from_elsewhere_are_for_services_that_ask),
		TEST(a_configuration_of_the_users_makes_no_device),
		cmocka_unit_test_setup_teardown(
		    only_a_vpns_own_device_is_set_up, start_apart, stop),
		cmocka_unit_test_setup_teardown(
		    a_way_beside_the_vpn_is_kept_and_given_up, start_apart, stop),
	};
	char command[64];
	int failed;

	if (geteuid() != 0) {
		print_message("NOT TESTED: the privileged helper needs root\n");
		return 77; /* meson: skipped */
	}
	failed = cmocka_run_group_tests(tests, setup, NULL);
	(void)snprintf(command, sizeof(command), "rm -rf %s", keeper_folder());
	return system(command) != 0 ? 1 : failed;
}
