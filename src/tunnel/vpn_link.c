/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel/vpn_link.c -- what a call changes on this machine. */
#include "tunnel/vpn_link.h"

#include "loop/offload.h"
#include "net/netlink.h"
#include "net/tun.h"
#include "tunnel/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	VPN_LINK_MAGIC = 0x21c7ba58,
	HOOK_MS = 10 * 1000, /* how long a program may take */
	HOOK_STEP_MS = 20,
	VARIABLES = 8,
	VARIABLE_MAX = 512,
};

enum link_state {
	LINK_RISING, /* in the pool */
	LINK_STANDS,
	LINK_FAILED,
	LINK_LEFT, /* ... and its owner has gone meanwhile */
	LINK_FALLING,
};

struct vpn_link {
	struct job job; /* first: the pool's */
	unsigned magic;
	enum link_state state; /* the worker's */
	struct worker *worker;
	struct task *task; /* the worker's; NULL: nobody waits */
	struct log_ctx log;
	/* what to do; read in the pool */
	char *up, *down;
	bool makes_device, default_route;
	unsigned mtu;
	struct network *routes;
	unsigned route_count;
	struct in_addr local, peer;
	struct in6_addr local6;
	struct addr outside;
	char variable[VARIABLES][VARIABLE_MAX];
	/* how it went; written there */
	char device[IFNAMSIZ];
	int queue;
	struct netlink_hop hop; /* to who is called, */
	struct network host;	/* whose route it is; .family 0: none was made */
	bool ran_up, undone;
	int error;
	const char *place; /* the call that failed */
};

static struct vpn_link *
link_of(struct job *job)
{
	struct vpn_link *l = (struct vpn_link *)job;

	CHECK_OBJ(l, VPN_LINK_MAGIC);
	return l;
}

/* ---- programs ---- */

/* Wait for a while, and then no more. */
static int
await_program(pid_t pid)
{
	static const struct timespec step = { 0, HOOK_STEP_MS * 1000000L };
	int status = 0;

	for (int ms = 0; ms < HOOK_MS; ms += HOOK_STEP_MS) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return status;
		(void)nanosleep(&step, NULL);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return status;
}

static bool
prepare_spawn(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	return posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDWR, 0) == 0 &&
	       posix_spawn_file_actions_adddup2(files, 0, 1) == 0 &&
	       posix_spawn_file_actions_adddup2(files, 0, 2) == 0 &&
	       posix_spawnattr_setsigmask(attributes, &none) == 0 &&
	       posix_spawnattr_setsigdefault(attributes, &all) == 0 &&
	       posix_spawnattr_setflags(attributes,
		   POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID) == 0;
}

/* In the pool. */
static void
run_program(struct vpn_link *l, char *path)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	char *argv[] = { path, NULL }, *env[VARIABLES + 2];
	static char search[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	size_t n = 0;
	int error, status;
	pid_t pid;

	(void)snprintf(l->variable[0], VARIABLE_MAX, "VPN_DEVICE=%s", l->device);
	env[n++] = search;
	for (size_t i = 0; i < VARIABLES && l->variable[i][0] != '\0'; i++)
		env[n++] = l->variable[i];
	env[n] = NULL;
	if (posix_spawn_file_actions_init(&files) != 0)
		return;
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return;
	}
	error = prepare_spawn(&files, &attributes)
		    ? posix_spawn(&pid, path, &files, &attributes, argv, env)
		    : ENOMEM;
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&files);
	if (error != 0) {
		log_err(&l->log, "VPN: cannot start %s: %s (%d)", path, strerror(error), error);
		return;
	}
	if ((status = await_program(pid)) != 0)
		log_warn(&l->log, "VPN: %s failed (%s %d)", path,
		    WIFEXITED(status) ? "exit status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* ---- the device, in the pool ---- */

static bool
failed(struct vpn_link *l, const char *place)
{
	l->error = errno;
	l->place = place;
	return false;
}

static struct network
host_network(const struct addr *a)
{
	struct network n = { .family = a->sa.sa_family, .prefix = 32 };

	if (n.family == AF_INET) {
		memcpy(n.bits, &a->in.sin_addr, 4);
		return n;
	}
	n.prefix = 128;
	memcpy(n.bits, &a->in6.sin6_addr, sizeof(n.bits));
	return n;
}

static struct network
host_of(struct in_addr a)
{
	struct network n = { .family = AF_INET, .prefix = 32 };

	memcpy(n.bits, &a, sizeof(a));
	return n;
}

/* Alone: nobody else is in its /64. */
static struct network
host_of6(const struct in6_addr *a)
{
	struct network n = { .family = AF_INET6, .prefix = 128 };

	memcpy(n.bits, a, sizeof(*a));
	return n;
}

static bool
has6(const struct vpn_link *l)
{
	return !IN6_IS_ADDR_UNSPECIFIED(&l->local6);
}

/* Would its own packets go into the VPN?  Then the way that they have now is kept. */
static bool
keep_way_outside(struct vpn_link *l)
{
	struct addr to = addr_unmapped(&l->outside);
	bool covered = l->default_route && (to.sa.sa_family == AF_INET || has6(l));

	for (unsigned i = 0; i < l->route_count; i++)
		covered |= network_holds(&l->routes[i], &to);
	if (!covered || addr_is_loopback(&to))
		return true;
	if (!netlink_find(&to, &l->hop))
		return failed(l, "the route to the server");
	l->host = host_network(&to);
	if (netlink_add_route(&l->host, &l->hop))
		return true;
	l->host.family = 0;
	return errno == EEXIST || failed(l, "a route to the server");
}

static bool
add_routes(struct vpn_link *l, unsigned device)
{
	/* Two halves go before the default route, and leave it where it is. */
	static const struct network halves[] = {
		{ .family = AF_INET, .prefix = 1, .bits = { 0 } },
		{ .family = AF_INET, .prefix = 1, .bits = { 128 } },
		{ .family = AF_INET6, .prefix = 1, .bits = { 0 } },
		{ .family = AF_INET6, .prefix = 1, .bits = { 128 } },
	};
	const struct netlink_hop hop = { .device = device };

	for (size_t i = 0; l->default_route && i < COUNT_OF(halves); i++)
		if ((halves[i].family == AF_INET || has6(l)) &&
		    !netlink_add_route(&halves[i], &hop))
			return failed(l, "the default route");
	for (unsigned i = 0; i < l->route_count; i++)
		if (!netlink_add_route(&l->routes[i], &hop) && errno != EEXIST)
			return failed(l, "a route of vpnRoutes");
	return true;
}

static bool
make_device(struct vpn_link *l)
{
	struct network local = host_of(l->local), peer = host_of(l->peer);
	struct network local6 = host_of6(&l->local6);
	unsigned device;

	if ((l->queue = tun_open(l->device, false)) == -1)
		return failed(l, "/dev/net/tun");
	device = if_nametoindex(l->device);
	if (device == 0 || !netlink_up(device, l->mtu))
		return failed(l, "the network device");
	if (l->local.s_addr != 0 &&
	    !netlink_add_address(device, &local, l->peer.s_addr != 0 ? &peer : NULL))
		return failed(l, "its address");
	if (has6(l) && !netlink_add_address(device, &local6, NULL))
		return failed(l, "its IPv6 address");
	return keep_way_outside(l) && add_routes(l, device);
}

/* The device takes its addresses and routes with it. */
static void
undo(struct vpn_link *l)
{
	if (l->undone)
		return;
	l->undone = true;
	if (l->host.family != 0 && !netlink_remove_route(&l->host, &l->hop))
		log_warn(&l->log, "VPN: cannot remove the route to the server: %s (%d)",
		    strerror(errno), errno);
	if (l->queue != -1)
		close(l->queue);
	l->queue = -1;
	if (l->ran_up && l->down != NULL)
		run_program(l, l->down);
}

static void
rise(struct job *job)
{
	struct vpn_link *l = link_of(job);

	if (l->makes_device && !make_device(l))
		return;
	l->ran_up = true;
	if (l->up != NULL)
		run_program(l, l->up);
}

static void
fall(struct job *job)
{
	undo(link_of(job));
}

/* ---- in the worker ---- */

static void
link_free(struct vpn_link *l)
{
	free(l->up);
	free(l->down);
	free(l->routes);
	OBJ_FREE(l);
}

static void
fallen(struct job *job, void *worker)
{
	struct vpn_link *l = link_of(job);

	(void)worker;
	undo(l); /* the pool was closed before it could */
	link_free(l);
}

static void
begin_fall(struct vpn_link *l)
{
	l->state = LINK_FALLING;
	l->job.run = fall;
	l->job.done = fallen;
	if (offload_ask(l->worker->common->offload, &l->job, l->worker->mailbox))
		return;
	undo(l); /* late, but done */
	link_free(l);
}

static void
risen(struct job *job, void *worker)
{
	struct vpn_link *l = link_of(job);

	if (worker == NULL) { /* the pool is closed */
		undo(l);
		link_free(l);
		return;
	}
	if (l->state == LINK_LEFT) {
		begin_fall(l);
		return;
	}
	l->state = l->error == 0 ? LINK_STANDS : LINK_FAILED;
	loop_queue(l->worker->loop, l->task);
}

static void
add_word(char *list, size_t size, const char *word)
{
	size_t n = strlen(list);

	(void)snprintf(list + n, size - n, "%s%s", n > 0 ? " " : "", word);
}

static void
set_variables(struct vpn_link *l, const struct vpn_link_facts *f)
{
	char text[INET6_ADDRSTRLEN];
	char servers[(PPP_DNS + VPN_DNS_MAX) * INET6_ADDRSTRLEN] = "";
	size_t n = 1; /* the first is the device's */

	(void)snprintf(l->variable[n++], VARIABLE_MAX, "VPN_SERVICE=%s", f->service);
	(void)snprintf(l->variable[n++], VARIABLE_MAX, "VPN_USER=%s", f->user);
	(void)snprintf(l->variable[n++], VARIABLE_MAX, "VPN_ADDRESS=%s",
	    inet_ntop(AF_INET, &f->local, text, sizeof(text)));
	(void)snprintf(l->variable[n++], VARIABLE_MAX, "VPN_PEER=%s",
	    inet_ntop(AF_INET, &f->peer, text, sizeof(text)));
	for (unsigned i = 0; i < PPP_DNS; i++)
		if (f->dns[i].s_addr != 0)
			add_word(servers, sizeof(servers),
			    inet_ntop(AF_INET, &f->dns[i], text, sizeof(text)));
	for (unsigned i = 0; i < VPN_DNS_MAX; i++)
		if (!IN6_IS_ADDR_UNSPECIFIED(&f->dns6[i]))
			add_word(servers, sizeof(servers),
			    inet_ntop(AF_INET6, &f->dns6[i], text, sizeof(text)));
	(void)snprintf(l->variable[n++], VARIABLE_MAX, "VPN_DNS=%s", servers);
	if (!IN6_IS_ADDR_UNSPECIFIED(&f->local6))
		(void)snprintf(l->variable[n++], VARIABLE_MAX, "VPN_ADDRESS6=%s",
		    inet_ntop(AF_INET6, &f->local6, text, sizeof(text)));
	if (f->peer6 != NULL && *f->peer6 != '\0')
		(void)snprintf(l->variable[n++], VARIABLE_MAX, "VPN_PEER6=%s", f->peer6);
}

/* What is read in the pool is the link's own: the configuration may go before it. */
static bool
copy_conf(struct vpn_link *l, const struct vpn_link_facts *f)
{
	const struct vpn_conf *conf = f->conf;

	l->makes_device = f->device == NULL;
	strncpy(l->device, f->device != NULL ? f->device : conf->device, IFNAMSIZ - 1);
	l->mtu = (unsigned)conf->mtu;
	l->local = f->local;
	l->peer = f->peer;
	l->local6 = f->local6;
	l->default_route = conf->default_route;
	l->route_count = conf->routes.n;
	if (f->outside != NULL)
		l->outside = *f->outside;
	if (conf->up != NULL && (l->up = strdup(conf->up)) == NULL)
		return false;
	if (conf->down != NULL && (l->down = strdup(conf->down)) == NULL)
		return false;
	if (conf->routes.n == 0)
		return true;
	if ((l->routes = calloc(conf->routes.n, sizeof(*l->routes))) == NULL)
		return false;
	memcpy(l->routes, conf->routes.v, conf->routes.n * sizeof(*l->routes));
	return true;
}

struct vpn_link *
vpn_link_begin(
    const struct vpn_link_facts *f, struct worker *w, const struct log_ctx *log, struct task *task)
{
	struct vpn_link *l;

	if (OBJ_NEW(l, VPN_LINK_MAGIC) == NULL)
		goto no_memory;
	l->queue = -1;
	l->worker = w;
	l->task = task;
	l->log = *log;
	set_variables(l, f);
	l->job.run = rise;
	l->job.done = risen;
	if (copy_conf(l, f) && offload_ask(w->common->offload, &l->job, w->mailbox))
		return l;
	link_free(l);
no_memory:
	log_err(log, "VPN: cannot set up the call's network: %s (%d)", strerror(errno), errno);
	return NULL;
}

enum io
vpn_link_step(struct vpn_link *l)
{
	CHECK_OBJ(l, VPN_LINK_MAGIC);
	if (l->state == LINK_RISING)
		return IO_AGAIN;
	if (l->state == LINK_STANDS)
		return IO_OK;
	log_err(&l->log, "VPN: cannot set up %s of %s: %s (%d)", l->place, l->device,
	    strerror(l->error), l->error);
	return IO_FAILED;
}

int
vpn_link_queue(const struct vpn_link *l)
{
	return l->queue;
}

const char *
vpn_link_device(const struct vpn_link *l)
{
	return l->device;
}

void
vpn_link_end(struct vpn_link *l)
{
	if (l == NULL)
		return;
	CHECK_OBJ(l, VPN_LINK_MAGIC);
	if (l->state == LINK_RISING)
		l->state = LINK_LEFT; /* the pool has it */
	else
		begin_fall(l);
}
