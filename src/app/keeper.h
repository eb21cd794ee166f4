/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app/keeper.h -- the privileged helper of a process that has given its privileges up.
 *
 * It stays root, outside of the chroot, and opens what the configuration names, as it reads that
 * itself: files and directories for reading, addresses to listen on, a VPN's network devices.  It
 * sees no byte from the network, knows nothing of TLS, and takes one kind of message of a fixed
 * size.  Whoever has taken the serving process over can make it open what an honest one could, and
 * nothing else.
 */
#ifndef GINNEL_APP_KEEPER_H
#define GINNEL_APP_KEEPER_H

#include "app/pid_file.h"
#include "app/trusted.h"
#include "net/addr.h"
#include "net/netlink.h"

#include <stdint.h>

/* What the serving process can ask for. */
enum ask_for {
	ASK_PLAN,      /* read the configuration again: a reload begins */
	ASK_FILE,      /* path: a descriptor for reading */
	ASK_DIRECTORY, /* path: a descriptor from which its names, each with a NUL, can be read */
	ASK_LISTEN,    /* addr: a listening socket; for a UNIX socket, the inode of its file */
	ASK_REMOVE,    /* addr, inode: the file of a UNIX socket that nobody listens on any more */
	ASK_FOREIGN,   /* addr, its family: a socket for transparent = source */
	ASK_DEVICE,    /* path: a queue of a VPN's network device; inode: it has several */
	ASK_FORWARD,   /* addr, its family, inode '0' or '1': shall the kernel forward?  inode: did
			  it? */
	ASK_ORDER,     /* order: what is to be done with such a device, or a route beside it */
	ASK_LEAVE,     /* the end: remove the pid file */
	ASK_KINDS,
};

/* One message of a SOCK_SEQPACKET; any other length is the end. */
struct ask {
	uint32_t what; /* enum ask_for */
	uint32_t zero; /* no byte of it is left unset */
	uint64_t inode;
	struct addr addr;
	struct netlink_order order;
	char path[4096]; /* ends with a NUL */
};

/* The answer; a descriptor comes with it when there is one. */
struct answer {
	int32_t error; /* errno; 0: done */
	uint32_t zero;
	uint64_t inode;
	char device[IFNAMSIZ]; /* ASK_DEVICE: its true name */
};

struct keeper {
	int sock;	     /* to the serving process */
	int root, start;     /* the root directory, and the one where relative paths begin */
	const char *path;    /* of the configuration */
	const char *text;    /* not NULL: it came from a descriptor, and cannot change */
	struct account user; /* whom it serves */
	struct pid_file *pid;
};

/*
 * For who has asked: the answer.  Returns the descriptor that came with it, or -1; ->error EPIPE:
 * the helper has gone.
 */
int keeper_take_answer(int sock, struct answer *);

/* In a process of its own: serve until the other side is gone. */
_Noreturn void keeper_run(const struct keeper *);

/* What keeper_run() does in the end: one message after the other, until one says false. */
struct service_desk;
struct service_desk *keeper_open(const struct keeper *); /* NULL without memory */
bool keeper_serve(struct service_desk *) MUST_CHECK;
void keeper_close(struct service_desk *);

#endif
