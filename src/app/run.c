/* SPDX-License-Identifier: Apache-2.0 */
/* app/run.c -- serve a configuration: start, signals, reload, stop. */
#include "app/run.h"

#include "app/control.h"
#include "app/exit_status.h"
#include "app/inetd.h"
#include "app/notify.h"
#include "app/pid_file.h"
#include "app/priv.h"
#include "app/program.h"
#include "app/sandbox.h"
#include "app/version.h"
#include "base/heap.h"
#include "net/exec.h"
#include "net/netlink.h"
#include "net/wrappers.h"
#include "tls/passphrase.h"
#include "tunnel/activation.h"
#include "tunnel/crew.h"
#include "tunnel/guard.h"
#include "tunnel/route.h"
#include "tunnel/spares.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	RUN_MAGIC = 0x7a51be26,
	/* Descriptors that are not for tunnels: log, resolver, loops, listeners' reserve. */
	DESCRIPTOR_RESERVE = 64,
};

struct server {
	unsigned magic;
	const struct source *source;
	struct files *files; /* of the process itself */
	struct priv *priv;   /* the privileged helper, or NULL */
	struct pid_file pid_file;
	struct process_conf conf; /* as it was at the start, with texts of its own */
	struct loop *loop;
	struct crew *crew;
	struct control *control; /* NULL: nobody can ask */
	struct notify notify;	 /* the service manager */
	struct timer beat_timer;
	struct task beat_task;
	struct watch signals, helper;
	struct task signal_task, stop_task, helper_task;
	struct timer stop_timer;
	bool reloading, reload_again;
	bool stopping;
	int status;    /* to end with */
	bool is_inetd; /* one client, on standard input */
	struct inetd inetd;
};

/* ---- workers ---- */

static unsigned
count_cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static unsigned
count_workers(const struct server *s)
{
	if (s->is_inetd)
		return 1;
	return s->conf.workers != 0 ? (unsigned)s->conf.workers : count_cores();
}

static void
log_notice_line(const char *text)
{
	log_notice(&log_main, "%s", text);
}

/* ---- reload ---- */

static bool
reload_failed(const struct server *s)
{
	log_err(&log_main, "Configuration failed");
	log_err(&log_main, "Failed to reload the configuration file");
	notify_reloaded(&s->notify, "Serving; the new configuration failed, the old one stays");
	return false;
}

/* Build the new configuration beside the old one, and take it up only when all of it stands. */
static bool
reload(struct server *s)
{
	const struct plan *old = crew_plan(s->crew);
	struct loaded l;
	char why[256];

	notify_reloading(&s->notify);
	if (s->source->text != NULL) {
		log_err(&log_main,
		    "The configuration came from descriptor %s and cannot be read again",
		    s->source->path);
		return reload_failed(s);
	}
	log_notice(&log_main, "Reading configuration from file %s", s->source->path);
	if (s->priv != NULL)
		priv_read_again(s->priv);
	l = load(s->source, old, s->priv != NULL ? priv_files(s->priv) : s->files, NULL);
	if (l.plan == NULL) {
		config_free(l.config);
		return reload_failed(s);
	}
	l.plan->workers = count_workers(s);
	if (!sandbox_allows(l.plan) || !guard_is_possible(l.plan) || !route_is_allowed(l.plan) ||
	    !plan_open_doors(l.plan, old)) {
		plan_release(l.plan);
		return reload_failed(s);
	}
	if (!log_reconfigure(&l.globals->log, why, sizeof(why))) {
		log_err(&log_main, "%s", why);
		plan_close_doors(l.plan, old);
		plan_release(l.plan);
		return reload_failed(s);
	}
	process_warn_fixed(&s->conf, &l.globals->process);
	s->conf.shutdown_ms = l.globals->process.shutdown_ms;
	if (!crew_adopt(s->crew, l.plan)) {
		log_err(&log_main, "Out of memory");
		plan_close_doors(l.plan, old);
		plan_release(l.plan);
		return reload_failed(s);
	}
	return true;
}

/* SIGHUP.  Signals that come while workers change over are one more reload, after it. */
static void
begin_reload(struct server *s)
{
	if (s->stopping)
		return;
	if (s->reloading)
		s->reload_again = true;
	else
		s->reloading = reload(s);
}

static void
on_adopted(void *arg)
{
	struct server *s = arg;

	CHECK_OBJ(s, RUN_MAGIC);
	s->reloading = false;
	log_notice(&log_main, "Configuration successful");
	notify_reloaded(&s->notify, "Serving");
	if (s->reload_again) {
		s->reload_again = false;
		begin_reload(s);
	}
}

/* ---- stop ---- */

static void
stop_now(void *arg)
{
	struct server *s = arg;

	CHECK_OBJ(s, RUN_MAGIC);
	loop_stop(s->loop);
}

/* The first call lets tunnels end, the second cuts them. */
static void
begin_stop(struct server *s)
{
	if (s->stopping) {
		stop_now(s);
		return;
	}
	s->stopping = true;
	notify_stopping(&s->notify);
	crew_drain(s->crew);
	loop_timer(s->loop, &s->stop_timer, s->conf.shutdown_ms);
}

/* Without its helper the daemon could not do what its configuration says: better a fresh start. */
static void
on_helper(void *arg)
{
	struct server *s = arg;

	CHECK_OBJ(s, RUN_MAGIC);
	if (!s->helper.readable || !priv_is_gone(s->priv))
		return;
	loop_unwatch(s->loop, &s->helper);
	log_err(&log_main, "The privileged helper has gone; terminating");
	s->status = EXIT_FAILED;
	if (!s->stopping)
		begin_stop(s);
}

static bool
watch_helper(struct server *s)
{
	if (s->priv == NULL)
		return true;
	s->helper_task = (struct task){ .run = on_helper, .owner = s };
	s->helper.task = &s->helper_task;
	s->helper.fd = priv_socket(s->priv);
	return loop_watch(s->loop, &s->helper, WATCH_READ);
}

/* ---- signs of life ---- */

/* Only all threads together are alive. */
static void
on_beaten(void *arg)
{
	const struct server *s = arg;

	notify_alive(&s->notify);
}

static void
on_reported(void *arg)
{
	const struct server *s = arg;

	control_reported(s->control);
}

static void
beat(void *arg)
{
	struct server *s = arg;

	CHECK_OBJ(s, RUN_MAGIC);
	crew_beat(s->crew);
	loop_timer(s->loop, &s->beat_timer, s->notify.beat_ms);
}

static void
begin_beating(struct server *s)
{
	if (s->notify.beat_ms == 0)
		return;
	s->beat_task = (struct task){ .run = beat, .owner = s };
	s->beat_timer.task = &s->beat_task;
	beat(s);
}

/* ---- signals ---- */

static void
take_signal(struct server *s, int number)
{
	switch (number) {
	case SIGHUP:
		begin_reload(s);
		break;
	case SIGUSR1:
		log_reopen();
		break;
	case SIGUSR2:
		crew_list(s->crew);
		break;
	case SIGTERM:
		log_notice(&log_main, "Terminated");
		begin_stop(s);
		break;
	default:
		log_err(
		    &log_main, "Received %s; terminating", number == SIGINT ? "SIGINT" : "SIGQUIT");
		begin_stop(s);
	}
}

static void
on_signal(void *arg)
{
	struct server *s = arg;
	struct signalfd_siginfo info;

	CHECK_OBJ(s, RUN_MAGIC);
	while (read(s->signals.fd, &info, sizeof(info)) == sizeof(info))
		take_signal(s, (int)info.ssi_signo);
}

/* Signals become events of the main loop; one that was ignored at the start (nohup) stays so. */
static bool
catch_signals(struct server *s)
{
	static const int numbers[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGQUIT };
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		bool stop = numbers[i] == SIGTERM || numbers[i] == SIGINT || numbers[i] == SIGQUIT;

		if (stop && sigaction(numbers[i], NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, numbers[i]);
	}
	(void)signal(SIGPIPE, SIG_IGN); /* a valid number: it cannot fail */
	if (s->is_inetd)
		return true; /* as with any program that inetd starts, they end it */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	s->signal_task = (struct task){ .run = on_signal, .owner = s };
	s->signals.task = &s->signal_task;
	s->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return s->signals.fd != -1 && loop_watch(s->loop, &s->signals, WATCH_READ);
}

/* ---- start ---- */

/* Each tunnel takes two descriptors; the rest of the limit is for everything else. */
static struct limits
count_limits(unsigned workers, unsigned doors)
{
	unsigned descriptors = process_raise_descriptors();
	unsigned fixed = DESCRIPTOR_RESERVE + 8 * workers + doors;
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	struct limits l;

	/* With few descriptors there is no reserve to spare: EMFILE is survived, too. */
	l.sessions = descriptors > 2 * fixed ? (descriptors - fixed) / 2 : descriptors / 4;
	l.pending = l.sessions - l.sessions / 4;
	if (l.pending < workers)
		l.pending = workers;
	l.buffers = (size_t)pages * (size_t)page / 8;
	return l;
}

static bool
open_log(const struct log_conf *conf, bool to_stderr)
{
	char why[256];

	if (!log_open(conf, to_stderr, why, sizeof(why))) {
		log_err(&log_main, "%s", why);
		return false;
	}
	if (!log_start()) {
		log_err(&log_main, "Cannot start the thread of the log: %s (%d)", strerror(errno),
		    errno);
		return false;
	}
	return true;
}

/*
 * Root directory, pid file, helper, user, in this order: the pid file is named from inside the new
 * root and made by who may write there, and the helper still has what the user will not have.
 */
static bool
leave_privileges(struct server *s, int *status)
{
	*status = EXIT_FAILED;
	if (!s->is_inetd && priv_is_needed(&s->conf) && (s->priv = priv_new()) == NULL) {
		log_err(&log_main, "Cannot start the privileged helper: %s (%d)", strerror(errno),
		    errno);
		return false;
	}
	if (!process_enter_root(&s->conf)) {
		*status = errno == EPERM ? EXIT_NO_PERMISSION : EXIT_FAILED;
		return false;
	}
	if (!pid_file_make(&s->pid_file, s->conf.pid))
		return false;
	if (s->priv != NULL && !priv_start(s->priv, s->source, &s->conf, &s->pid_file))
		return false;
	if (s->priv != NULL) {
		listener_use(priv_binder(s->priv));
		netlink_use(priv_hand(s->priv));
		/* It remembers the directory of the start, outside of the new root. */
		files_system_free(s->files);
		s->files = NULL;
	}
	*status = EXIT_NO_PERMISSION;
	return process_drop_privileges(&s->conf);
}

static void
remove_pid_file(struct server *s)
{
	const char *path = s->pid_file.path;
	int error;

	if (path == NULL)
		return;
	error = s->priv != NULL ? priv_remove_pid_file(s->priv) : pid_file_remove(&s->pid_file);
	if (error == 0)
		log_debug(&log_main, "Removed pid file %s", path);
	else if (error != ENOENT)
		log_warn(
		    &log_main, "Cannot remove pid file %s: %s (%d)", path, strerror(error), error);
	pid_file_close(&s->pid_file);
}

/* One client, and then the end; the status tells of its tunnel. */
static int
serve_inetd(struct server *s)
{
	bool failed;

	if (!inetd_begin(&s->inetd) || !crew_serve(s->crew, s->inetd.fd, &s->inetd.peer))
		return EXIT_FAILED;
	crew_drain(s->crew); /* the mailbox keeps the order: the client comes first */
	loop_run(s->loop);
	failed = crew_has_failed(s->crew);
	inetd_finish(&s->inetd);
	return failed ? EXIT_FAILED : EXIT_DONE;
}

/* Everything from here on runs in the serving process; the parent learns the status. */
static int
serve(struct server *s, struct loaded *l)
{
	struct crew_events events = { .adopted = on_adopted,
		.drained = stop_now,
		.beaten = on_beaten,
		.reported = on_reported,
		.owner = s };
	unsigned workers = count_workers(s);
	struct limits limits =
	    count_limits(workers, l->plan->door_count + spares_count(l->plan, workers));
	int status;

	s->stop_task = (struct task){ .run = stop_now, .owner = s };
	s->stop_timer.task = &s->stop_task;
	if (!guard_start(l->plan))
		return EXIT_FAILED;
	/* Before the chroot: the workers' resolvers read resolv.conf. */
	if ((s->loop = loop_new()) == NULL) {
		log_err(&log_main, "Cannot start: %s (%d)", strerror(errno), errno);
		return EXIT_FAILED;
	}
	resolver_use(s->conf.name_servers);
	if ((s->crew = crew_new(workers, &limits, s->loop, &events)) == NULL)
		return EXIT_FAILED;
	if (!leave_privileges(s, &status))
		return status;
	if (s->priv != NULL)
		sock_use(priv_maker(s->priv));
	if (!route_is_allowed(l->plan))
		return EXIT_NO_PERMISSION;
	process_hide_memory(); /* again: a change of user undoes it */
	if (!sandbox_enter(l->plan, l->globals, s->priv != NULL))
		return EXIT_FAILED;
	if (!open_log(&l->globals->log, s->conf.foreground == FOREGROUND_YES))
		return EXIT_FAILED;
	exec_keep_stderr(s->conf.foreground == FOREGROUND_YES);
	if (!catch_signals(s) || !watch_helper(s)) {
		log_err(&log_main, "Cannot start: %s (%d)", strerror(errno), errno);
		return EXIT_FAILED;
	}
	if (!crew_start(s->crew, plan_hold(l->plan)))
		return EXIT_FAILED;
	if (s->control != NULL && !control_start(s->control, s->loop, s->crew, s->source->path)) {
		log_err(&log_main, "Cannot start: %s (%d)", strerror(errno), errno);
		return EXIT_FAILED;
	}
	plan_release(l->plan); /* the crew's alone from now on */
	l->plan = NULL;
	l->config = NULL;
	log_info(&log_main, "%u worker(s), at most %u connections", workers, limits.sessions);
	passphrase_stop_asking(); /* nobody sits at the terminal when a reload meets a locked key */
	if (s->is_inetd)
		return serve_inetd(s);
	if (s->conf.foreground == FOREGROUND_NO)
		snprintf(log_main.id, sizeof(log_main.id), "main");
	log_info(&log_main, "Accepting new connections");
	begin_beating(s);
	notify_ready(&s->notify);
	process_tell_parent(EXIT_DONE);
	loop_run(s->loop);
	return s->status;
}

/* False: no memory. */
static bool
keep_text(const char **to, const char *text)
{
	*to = text != NULL ? strdup(text) : NULL;
	return (*to == NULL) == (text == NULL);
}

/* What was configured at the start outlives the configuration. */
static bool
keep_conf(struct server *s, const struct process_conf *conf)
{
	/* Who serves one client is no daemon. */
	const char *pid = s->is_inetd ? NULL : conf->pid;
	bool kept;

	s->conf = *conf;
	kept = keep_text(&s->conf.pid, pid);
	kept &= keep_text(&s->conf.chroot, conf->chroot);
	kept &= keep_text(&s->conf.control, conf->control);
	kept &= keep_text(&s->conf.name_servers, conf->name_servers);
	return kept;
}

/* Load, bind, and become a daemon if asked for.  EXIT_DONE: go on to serve(). */
static int
prepare(struct server *s, struct loaded *l)
{
	notify_open(&s->notify);
	exec_prepare();
	if (!activation_take())
		return EXIT_FAILED;
	process_hide_memory();
	heap_keep();
	version_lines(log_notice_line);
	if (!tls_library_start())
		return EXIT_FAILED;
	log_notice(&log_main,
	    s->source->text != NULL ? "Reading configuration from descriptor %s"
				    : "Reading configuration from file %s",
	    s->source->path);
	*l = load(s->source, NULL, s->files, NULL);
	if (l->plan == NULL) {
		log_err(&log_main, "Configuration failed");
		return EXIT_BAD_CONFIG;
	}
	log_notice(&log_main, "Configuration successful");
	s->is_inetd = l->plan->inetd;
	if (!keep_conf(s, &l->globals->process))
		return EXIT_FAILED;
	l->plan->workers = count_workers(s);
	if (!plan_open_doors(l->plan, NULL))
		return errno == EACCES || errno == EPERM ? EXIT_NO_PERMISSION : EXIT_FAILED;
	if (l->plan->inetd)
		return inetd_take(&s->inetd) ? EXIT_DONE : EXIT_FAILED;
	if (s->conf.control != NULL && (s->control = control_open(s->conf.control)) == NULL)
		return errno == EACCES || errno == EPERM ? EXIT_NO_PERMISSION : EXIT_FAILED;
	if (s->conf.foreground == FOREGROUND_NO && !process_daemonise()) {
		log_err(&log_main, "Cannot become a daemon: %s (%d)", strerror(errno), errno);
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static void
clean_up(struct server *s, struct loaded *l)
{
	control_stop(s->control);
	crew_free(s->crew);
	control_free(s->control);
	wrappers_stop();
	if (s->loop != NULL)
		loop_free(s->loop);
	if (s->signals.fd > 0)
		close(s->signals.fd);
	if (l->plan == NULL)
		config_free(l->config);
	plan_release(l->plan);
	remove_pid_file(s);
	listener_use(NULL);
	sock_use(NULL);
	netlink_use(NULL);
	priv_free(s->priv);
	notify_close(&s->notify);
	free((char *)(uintptr_t)s->conf.pid);
	free((char *)(uintptr_t)s->conf.chroot);
	free((char *)(uintptr_t)s->conf.control);
	free((char *)(uintptr_t)s->conf.name_servers);
	files_system_free(s->files);
}

int
run(const struct source *source)
{
	struct server s = { .magic = RUN_MAGIC,
		.source = source,
		.status = EXIT_DONE,
		.notify = { .fd = -1 },
		.pid_file = { .dir = -1, .fd = -1 } };
	struct loaded l = { 0 };
	int status;

	if ((s.files = files_system_new()) == NULL) {
		log_err(&log_main, "Cannot start: %s (%d)", strerror(errno), errno);
		log_abandon();
		return EXIT_FAILED;
	}
	status = prepare(&s, &l);
	if (status == EXIT_DONE)
		status = serve(&s, &l);
	if (status != EXIT_DONE)
		log_abandon();
	clean_up(&s, &l);
	log_close();
	status = program_status(status);
	process_tell_parent(status);
	return status;
}
