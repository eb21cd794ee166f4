/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnel/vpn_forward.h -- may the kernel hand packets on from one network to another?
 *
 * The setting is the machine's.  The first one who wants it switches it on if it was off, and the
 * last one off again.  Any thread.
 */
#ifndef GINNEL_TUNNEL_VPN_FORWARD_H
#define GINNEL_TUNNEL_VPN_FORWARD_H

#include "base/check.h"
#include "ppp/ppp.h"

const char *vpn_forward_file(enum ppp_family); /* its path, for messages */

/* False with errno. */
bool vpn_forward_begin(enum ppp_family) MUST_CHECK;
bool vpn_forward_end(enum ppp_family) MUST_CHECK;

#endif
