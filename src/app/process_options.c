/* SPDX-License-Identifier: Apache-2.0 */
/* app/process_options.c -- the global options, and their manual. */
#include "app/process.h"

#include "app/sandbox.h"

#include "net/resolve.h"
#include "tunnel/service_values.h"

static const struct option_word sandbox_words[] = {
	{ "yes", SANDBOX_YES },
	{ "no", SANDBOX_NO },
	{ NULL, 0 },
};

#define AT(field) offsetof(struct process_conf, field)

static const struct option_word foreground_words[] = {
	{ "yes", FOREGROUND_YES },
	{ "quiet", FOREGROUND_QUIET },
	{ "no", FOREGROUND_NO },
	{ NULL, 0 },
};

static const struct option process_options[] = {
	{ .name = "workers",
	    .parse = option_int,
	    .offset = AT(workers),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .def = "0",
	    .min = 0,
	    .max = 1024,
	    .arg = "NUMBER",
	    .doc = "How many threads serve tunnels. 0 means one for each processor core that the "
		   "process may use." },
	{ .name = "nameServers",
	    .parse = resolver_parse_servers,
	    .offset = AT(name_servers),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .arg = "ADDRESS[:PORT],...",
	    .doc =
		"The name servers to ask about hosts of connect and the like while tunnels are "
		"served, in place of those of resolv.conf. The hosts file is read all the same." },
	{ .name = "foreground",
	    .parse = option_keyword,
	    .offset = AT(foreground),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .def = "no",
	    .words = foreground_words,
	    .arg = "yes|quiet|no",
	    .doc =
		"Whether to stay in the foreground. With yes, the log also goes to standard error; "
		"with quiet, it does not. With no, ginnel becomes a daemon; the command returns "
		"when "
		"the daemon serves, or has failed, and its exit status says which." },
	{ .name = "pid",
	    .parse = option_text,
	    .offset = AT(pid),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .arg = "FILE",
	    .doc = "Where to write the process id, inside the chroot directory if there is one. It "
		   "is that of the process which serves and which takes signals. A start is "
		   "refused while another process holds the file. An empty value means nowhere." },
	{ .name = "chroot",
	    .parse = option_text,
	    .offset = AT(chroot),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .arg = "DIRECTORY",
	    .doc = "The root directory of the process, entered after the ports are bound and the "
		   "files are read. The pid file, the log (output), and UNIX sockets and programs "
		   "that clients are connected to are inside. The configuration and the files that "
		   "it names stay outside, also on a reload, and so do the UNIX sockets of accept. "
		   "Host names, except those of resolv.conf's servers and localhost, need a hosts "
		   "file inside." },
	{ .name = "control",
	    .parse = option_text,
	    .offset = AT(control),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .arg = "PATH",
	    .doc = "A UNIX socket at which the running daemon can be asked how it goes: by ginnel "
		   "status and ginnel metrics. It is made before chroot and setuid, and only the "
		   "user who starts the daemon, and root, can connect to it. Without it there is "
		   "none." },
	{ .name = "setuid",
	    .parse = service_parse_user,
	    .offset = AT(uid),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .def = "0",
	    .arg = "USER",
	    .doc = "The user, by name or number, that the process becomes once it has bound its "
		   "ports and read its files; 0 changes nothing. A small helper stays root and "
		   "opens the files and ports of the configuration at a reload, so they may be "
		   "root's alone; the log must be writable for the user. The helper only trusts a "
		   "configuration that this user cannot change." },
	{ .name = "setgid",
	    .parse = service_parse_group,
	    .offset = AT(gid),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .def = "0",
	    .arg = "GROUP",
	    .doc = "The group, by name or number, that the process becomes; 0 changes nothing. All "
		   "other "
		   "groups are given up." },
	{ .name = "sandbox",
	    .parse = option_keyword,
	    .offset = AT(sandbox),
	    .scope = OPTION_GLOBAL,
	    .reload = OPTION_RESTART,
	    .words = sandbox_words,
	    .arg = "yes|no",
	    .doc =
		"Whether the serving process is confined: by seccomp to a list of system calls, "
		"and by Landlock to the files that it needs. If it is not set, it is when the "
		"process was started as root with setuid or chroot, since a helper then opens "
		"files for it, and when there is no exec, engine or provider, which may need "
		"anything. With yes, a system that cannot do it fails the start; without setuid "
		"and chroot, all files can still be read, and written only beside the log, the pid "
		"file and UNIX sockets; and the programs of exec are confined, too." },
	{ .name = "shutdownTimeout",
	    .parse = option_secs,
	    .offset = AT(shutdown_ms),
	    .scope = OPTION_GLOBAL,
	    .def = "10",
	    .min = 0,
	    .max = 86400,
	    .arg = "SECONDS",
	    .doc = "How long tunnels may go on after SIGTERM before they are cut. No new ones are "
		   "accepted "
		   "meanwhile; a second SIGTERM cuts at once." },
	{ .name = NULL },
};

const struct option_set process_sets[] = {
	{ .title = "Process",
	    .table = process_options,
	    .offset = offsetof(struct globals, process) },
	{ .title = "TLS library",
	    .table = library_options,
	    .offset = offsetof(struct globals, library) },
	{ .title = "Log", .table = log_options, .offset = offsetof(struct globals, log) },
	{ .title = NULL },
};
