/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_users.h -- who may use a VPN: the lines of vpnUsers.
 *
 *     # name:secret, or name:secret:address
 *     alice:correct horse battery staple
 *     bob:$nt$8846f7eaee8fb117ad06bdd830b7586c:10.66.0.7
 *
 * A secret that begins with $nt$ is the NT hash of a password (RFC 2759 8.3): enough for the
 * MS-CHAP methods and PAP, and as good as the password to who steals it.  A secret of $cert$ is
 * none: that user logs in by certificate alone.  What stands behind the last colon is an address
 * only if it reads as one.
 */
#ifndef GINNEL_TUNNEL_VPN_USERS_H
#define GINNEL_TUNNEL_VPN_USERS_H

#include "base/files.h"
#include "base/option.h"
#include "ppp/auth.h"

#include <netinet/in.h>

struct vpn_users;

struct vpn_user {
	const char *name;
	struct ppp_secret secret;
	struct in_addr address; /* 0.0.0.0: any */
};

/*
 * Read the file `path`.  Faults go to the sink, under the option vpnUsers; NULL: there was one.
 * Others must not be able to read the file.
 */
struct vpn_users *vpn_users_read(struct files *, const char *path, struct sink *);
void vpn_users_free(struct vpn_users *); /* wiped; NULL is fine */

/* No users at all (NULL) is fine for these.  NULL: nobody of that name. */
const struct vpn_user *vpn_users_find(const struct vpn_users *, const char *name);
/* Is this address some user's own? */
bool vpn_users_own(const struct vpn_users *, struct in_addr);
/* One user after the other, from 0; NULL behind the last. */
const struct vpn_user *vpn_users_at(const struct vpn_users *, unsigned i);

#endif
