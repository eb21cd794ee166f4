/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_cifs.c -- the session request of NetBIOS, and its answer. */
#include "proto_kit.h"

static const struct proto_conf conf = { .proto = &cifs_proto };

#define GETS(side, t) \
	{ \
		side, t, 0, 0, sizeof(t) - 1 \
	}

static void
a_client_asks_for_tls(void **state)
{
	static const struct {
		const char *answer;
		enum reason reason;
	} bad[] = {
		{ "\x82\0\0\1\x8e", R_PROTO_SERVER },
		{ "\x83\0\1\1\x8e", R_PROTO_SERVER },
		{ "\x83\0\0\2\x8e", R_PROTO_SERVER },
		{ "\x83\0\0\1\x81", R_NO_STARTTLS_FAR },
	};
	static const struct kit_move good[] = { GETS(FAR_GETS, "\x81\0\0\0"),
		FAR_BYTES("\x83\7\0\1"), WAITS_, FAR_BYTES("\x8e"), DONE_, STOP_ };

	(void)state;
	kit_play("good", &cifs_proto.client, PROTO_CLEAR, &conf, good);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct kit_move moves[] = { GETS(FAR_GETS, "\x81\0\0\0"),
			{ FAR_SENDS, bad[i].answer, 0, 0, 5 }, ENDS_(bad[i].reason), STOP_ };

		kit_play("bad", &cifs_proto.client, PROTO_CLEAR, &conf, moves);
	}
}

static void
a_server_answers(void **state)
{
	char longest[4 + 125] = "\x81\0\0\x7c";
	static const struct kit_move empty[] = { NEAR_BYTES("\x81\0\0\0"),
		GETS(NEAR_GETS, "\x83\0\0\1\x8e"), DONE_, STOP_ };
	const struct kit_move full[] = { { NEAR_SENDS, longest, 0, 0, 4 + 124 },
		GETS(NEAR_GETS, "\x83\0\0\1\x8e"), DONE_, STOP_ };
	const struct kit_move half[] = { { NEAR_SENDS, longest, 0, 0, 4 + 123 }, WAITS_, STOP_ };
	static const struct kit_move too_long[] = { NEAR_BYTES("\x81\0\0\x7d"),
		ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move tls[] = { NEAR_BYTES("\x16\3\1\2"), ENDS_(R_PROTO_CLIENT),
		STOP_ };
	static const struct kit_move smb[] = { NEAR_BYTES("\0\0\0\4\xffSMB"),
		GETS(NEAR_GETS, "\x83\0\0\1\x81"), ENDS_(R_PROTO_CLIENT), STOP_ };
	static const struct kit_move behind[] = { NEAR_BYTES("\x81\0\0\0x"),
		GETS(NEAR_GETS, "\x83\0\0\1\x8e"), { SCRIPT_DONE, "far", 0, 0, 0 }, STOP_ };

	(void)state;
	kit_play("empty", &cifs_proto.server, PROTO_EARLY, &conf, empty);
	kit_play("full", &cifs_proto.server, PROTO_EARLY, &conf, full);
	kit_play("half", &cifs_proto.server, PROTO_EARLY, &conf, half);
	kit_play("too long", &cifs_proto.server, PROTO_EARLY, &conf, too_long);
	kit_play("TLS", &cifs_proto.server, PROTO_EARLY, &conf, tls);
	kit_play("SMB", &cifs_proto.server, PROTO_EARLY, &conf, smb);
	kit_play("behind", &cifs_proto.server, PROTO_EARLY, &conf, behind);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_asks_for_tls),
		cmocka_unit_test(a_server_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
