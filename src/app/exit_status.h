/* SPDX-License-Identifier: Apache-2.0 */
/* app/exit_status.h -- what the program says with its last breath. */
#ifndef GINNEL_APP_EXIT_STATUS_H
#define GINNEL_APP_EXIT_STATUS_H

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* at run time: a port in use, no memory */
	EXIT_WRONG_USAGE = 2,
	EXIT_NO_PERMISSION = 77, /* EX_NOPERM of sysexits.h */
	EXIT_BAD_CONFIG = 78,	 /* EX_CONFIG */
};

#endif
