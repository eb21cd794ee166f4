/* SPDX-License-Identifier: Apache-2.0 */
/* tools/gen_manual.c -- ginnel(8) from the tables that the program itself obeys. */
#include "app/process.h"
#include "base/check.h"
#include "base/option.h"
#include "base/reasons.h"
#include "config/parse.h"
#include "tunnel/report.h"
#include "tunnel/service.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Of the last change to what is written by hand. */
#define MANUAL_DATE "2026-11-21"

/* --- roff ----------------------------------------------------------------------------------------
 */

/* Inside a line.  A plain '-' may become a hyphen, which cannot be pasted into a shell. */
static void
put_code(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else if (*s == ':')
			fputs(":\\:", stdout); /* lists of ciphers are long: a line may end here */
		else
			putchar(*s);
	}
}

/* Sentences, each on lines of its own; a line must not begin like a request. */
static void
put_text(const char *s)
{
	bool line_begins = true;

	for (; *s != '\0'; s++) {
		if (line_begins && (*s == '.' || *s == '\''))
			fputs("\\&", stdout);
		line_begins = strncmp(s, ". ", 2) == 0 && isupper((unsigned char)s[2]);
		if (line_begins) {
			fputs(".\n", stdout);
			s++;
		} else if (*s == '\\') {
			fputs("\\e", stdout);
		} else {
			putchar(*s);
		}
	}
	putchar('\n');
}

/* Words of the log as a sentence of the manual; the program's name stays small. */
static void
put_sentence(const char *words)
{
	bool name = strncmp(words, "ginnel ", strlen("ginnel ")) == 0;

	putchar(name ? words[0] : toupper((unsigned char)words[0]));
	printf("%s.\n", words + 1);
}

static void
put_heading(const char *title)
{
	fputs(".SH ", stdout);
	for (const char *p = title; *p != '\0'; p++)
		putchar(toupper((unsigned char)*p));
	putchar('\n');
}

/* The head of an indented entry: a name in bold, and two pieces behind it. */
static void
put_term(const char *name, const char *between, const char *rest)
{
	fputs(".TP\n\\fB", stdout);
	put_code(name);
	printf("\\fR%s", between);
	put_code(rest);
	putchar('\n');
}

/* --- what is written by hand ---------------------------------------------------------------------
 */

struct entry {
	const char *name, *rest, *text;
};

static const char *const description[] = {
	"ginnel puts TLS around anything that speaks TCP. It accepts connections, connects each "
	"one "
	"to a target, and passes the bytes on; on either side they may be in TLS or in clear. So a "
	"plain daemon gets TLS (server mode, the default), a plain client reaches a TLS server "
	"(client = yes), and with acceptTLS and connectTLS set by hand a connection is encrypted "
	"anew, or only relayed.",
	"It reads configuration files of stunnel, and keeps the form of its log lines. An option "
	"of such a file that ginnel knows and does not support yet is refused at the start, never "
	"left out in silence.",
	"The file is read by lines. A line is NAME = VALUE, a [SERVICE] that begins a section, "
	"empty, or a comment, which begins with ; or # and has a line of its own. Names are read "
	"without regard to case, and a value is taken as it stands, without quotes. Options before "
	"the first section are defaults for all sections, or concern the program as a whole. Each "
	"section is one service and needs accept and connect. All that is wrong with a file is "
	"told at once, each with its line and what to write instead: try ginnel check first.",
};

static const struct entry commands[] = {
	{ "ginnel", " [FILE]",
	    "Run the configuration in FILE, or without one the configuration of this machine. "
	    "Relative names in it are taken from the directory in which ginnel was started." },
	{ "ginnel run", " FILE", "The same, also for a FILE that is called like a command." },
	{ "ginnel -fd", " N", "Read the configuration from the open descriptor N." },
	{ "ginnel check", " FILE",
	    "Read FILE, load every certificate and key in it, say what is wrong or risky, and "
	    "start "
	    "nothing." },
	{ "ginnel check --migrate", " [--print] FILE",
	    "Say of each line of a stunnel.conf whether it works as before, works better, or "
	    "should be changed, why, and what to write. With --print, write the file with these "
	    "changes to standard output instead." },
	{ "ginnel status", " [FILE]",
	    "Ask the running daemon of this configuration how it goes: its services and what "
	    "they have done, how tunnels ended, and each tunnel that lives, those of a VPN with "
	    "user, address and method. FILE can also be the socket itself. See control." },
	{ "ginnel metrics", " [FILE]",
	    "The same in figures, in the text format of Prometheus, for instance for the textfile "
	    "collector of its node exporter. See METRICS." },
	{ "ginnel demo", " [--once]",
	    "Show a tunnel at work: a throw-away CA, a web server in clear, a TLS server in front "
	    "of "
	    "it, a mutually authenticated client in front of that, and one request through both. "
	    "Then wait, so that others can be sent, or with --once end." },
	{ "ginnel help", " [OPTION | CODE]",
	    "Tell what one option does, or what end=CODE in the log means; without a word, list "
	    "all options." },
	{ "ginnel -version", "", "Print the versions of ginnel and of OpenSSL, and the defaults." },
	{ "ginnel -help", "", "List all options of a configuration." },
	{ "ginnel -options", "", "List the names that the option options takes." },
	{ "ginnel -sockets", "",
	    "List the names that the option socket takes, and their defaults." },
	{ "stunnel", " [FILE] | -fd N | -version | -help | -options | -sockets",
	    "Called by this name, for instance through a link, ginnel stands in for stunnel: every "
	    "other word is the name of a file, the file of the machine is that of stunnel, the "
	    "first lines have the form of stunnel's, errors show the line that is wrong, syslog "
	    "knows the program as stunnel, and every failure has the exit status 1." },
};

static const struct entry signals[] = {
	{ "SIGHUP", "",
	    "Read the configuration again. The new one is built and checked as a whole before "
	    "anything changes; if it has an error, or a port cannot be bound, that is logged and "
	    "the old one stays. Standing connections go on as they began, and sockets on which "
	    "the new configuration listens, too, are kept. A configuration that came by -fd "
	    "cannot be read again." },
	{ "SIGUSR1", "", "Close the log file and open it again, after it was moved away." },
	{ "SIGUSR2", "", "Write a line about each connection to the log." },
	{ "SIGTERM, SIGINT, SIGQUIT", "",
	    "Accept no more, let the connections end, and stop when they have, or when "
	    "shutdownTimeout has passed. A second signal does not wait." },
};

static const struct entry statuses[] = {
	{ "0", "", "Done." },
	{ "1", "",
	    "Failed while starting or running: a port is in use, the log cannot be opened, there "
	    "is no memory." },
	{ "2", "", "Wrong usage of the command line." },
	{ "77", "", "A permission is missing, for a port below 1024 for instance, or for setuid." },
	{ "78", "", "The configuration has an error, or its file cannot be read." },
};

/* The parts of the end line, in their order. */
static const struct entry end_line[] = {
	{ "LOG4[2]", "",
	    "The level, 3 for errors, 4 for warnings and 5 for ordinary news, and the number of "
	    "the connection, which all of its lines have." },
	{ "closed, reset", "",
	    "What the peers saw: a plain end, or a TCP reset. reset/closed means that the "
	    "connected side was reset and the accepted side closed, closed/reset the other way "
	    "round." },
	{ "sent to TLS, sent to socket", "",
	    "Bytes of data that were sent on the TLS side and on the plain side. With TLS on both "
	    "sides, or on neither, the accepted side is called TLS." },
	{ "end", "",
	    "The reason, one of the codes in the next section. Its words and a hint stand at the "
	    "end of the line." },
	{ "service, peer", "", "The section, and the address of who connected." },
	{ "step", "",
	    "How far it came: peek (waiting for a ClientHello), secure (TLS with the client), "
	    "connect, upgrade (TLS with the target), relay (the tunnel stood)." },
	{ "tls_ms, connect_ms, ms", "",
	    "Milliseconds from accept until the TLS handshake was done, until the target was "
	    "reached, and until the end; -1 if that did not happen." },
};

static const struct entry files[] = {
	{ GINNEL_SYSCONFDIR "/ginnel/ginnel.conf", "", "The configuration, if no other is named." },
	{ "/etc/ssl/certs", "",
	    "On many systems, the CAs that everybody trusts, for CApath of a client." },
};

static const struct entry environment[] = {
	{ "NOTIFY_SOCKET", "",
	    "Where a service manager listens, as with Type=notify or notify-reload of systemd. It "
	    "is told when ginnel serves, reads its configuration again, is done with that, well or "
	    "not, and when it stops." },
	{ "WATCHDOG_USEC, WATCHDOG_PID", "",
	    "How often the manager wants a sign of life. It gets two in this time, each after all "
	    "threads have taken their turn." },
};

struct example {
	const char *title, *text;
};

static const struct example examples[] = {
	{ "TLS in front of a web server:", "[https]\n"
					   "accept = 443\n"
					   "connect = 127.0.0.1:80\n"
					   "cert = /etc/ginnel/www.pem\n"
					   "key = /etc/ginnel/www.key\n" },
	{ "Only clients with a certificate of our CA reach the mail server:",
	    "[smtps]\n"
	    "accept = 465\n"
	    "connect = 127.0.0.1:25\n"
	    "cert = /etc/ginnel/mail.pem\n"
	    "key = /etc/ginnel/mail.key\n"
	    "CAfile = /etc/ginnel/ca.pem\n"
	    "verify = 2\n" },
	{ "The client side of that, with a certificate to show and the server's name checked:",
	    "[smtp]\n"
	    "client = yes\n"
	    "accept = 127.0.0.1:25\n"
	    "connect = mail.example.org:465\n"
	    "cert = /etc/ginnel/client.pem\n"
	    "key = /etc/ginnel/client.key\n"
	    "CAfile = /etc/ginnel/ca.pem\n"
	    "verifyChain = yes\n"
	    "checkHost = mail.example.org\n" },
	{ "A mail reader without TLS reaches a server that wants it:",
	    "[imaps]\n"
	    "client = yes\n"
	    "accept = 127.0.0.1:143\n"
	    "connect = imap.example.org:993\n"
	    "CApath = /etc/ssl/certs\n"
	    "verifyChain = yes\n"
	    "checkHost = imap.example.org\n" },
	{ "A bridge: TLS on both sides, each with rules of its own:",
	    "[bridge]\n"
	    "acceptTLS = yes\n"
	    "connectTLS = yes\n"
	    "accept = 8443\n"
	    "connect = api.example.org:443\n"
	    "accept.cert = /etc/ginnel/www.pem\n"
	    "accept.key = /etc/ginnel/www.key\n"
	    "connect.CApath = /etc/ssl/certs\n"
	    "connect.verifyChain = yes\n"
	    "connect.checkHost = api.example.org\n" },
	{ "Several servers and protocols on one port:", "[port]\n"
							"accept = 443\n"
							"connect = 127.0.0.1:80\n"
							"cert = /etc/ginnel/www.pem\n"
							"key = /etc/ginnel/www.key\n"
							"[shop]\n"
							"sni = port:shop.example.org\n"
							"passthrough = yes\n"
							"connect = 10.0.0.20:443\n"
							"[ssh]\n"
							"detect = port:ssh\n"
							"connect = 127.0.0.1:22\n" },
	{ "TLS in front of a program on a UNIX socket:", "[app]\n"
							 "accept = 8443\n"
							 "connect = /run/app/app.sock\n"
							 "cert = /etc/ginnel/www.pem\n"
							 "key = /etc/ginnel/www.key\n" },
};

/*
 * Headings inside a long table: each stands in front of the option that it names, and a new option
 * falls under the heading of its neighbours.
 */
static const struct theme {
	const char *option, *title, *text;
} themes[] = {
	{ "accept", "Where from and where to", NULL },
	{ "reset", "How a tunnel ends", NULL },
	{ "debug", "Log of a service", NULL },
	{ "setuid", "Owner of UNIX sockets", NULL },
	{ "TIMEOUTbusy", "Time-outs", "0 means at once, not never." },
	{ "socket", "Socket options", NULL },
	{ "cert", "Our own certificate", NULL },
	{ "CAfile", "Whom to trust", NULL },
	{ "sni", "Name of the server", NULL },
	{ "sslVersion", "Versions and ciphers", NULL },
	{ "sessionResume", "Resumption", NULL },
	{ "protocol", "Protocols around TLS", NULL },
};

static void
put_item(const struct entry *e)
{
	put_term(e->name, "", e->rest);
	put_text(e->text);
}

static void
put_entries(const char *title, const struct entry *v, size_t n)
{
	put_heading(title);
	for (size_t i = 0; i < n; i++)
		put_item(&v[i]);
}

static void
put_description(void)
{
	put_heading("Description");
	for (size_t i = 0; i < COUNT_OF(description); i++) {
		if (i > 0)
			puts(".PP");
		put_text(description[i]);
	}
}

static void
put_examples(void)
{
	put_heading("Examples");
	for (size_t i = 0; i < COUNT_OF(examples); i++) {
		if (i > 0)
			puts(".PP");
		put_text(examples[i].title);
		puts(".PP\n.RS 4\n.nf");
		put_code(examples[i].text);
		puts(".fi\n.RE");
	}
}

/* --- what the tables say -------------------------------------------------------------------------
 */

static void
put_range(const struct option *o)
{
	if (o->min == 0 && o->max == 0)
		return;
	/* A bound that is only the end of the type (in units, or in thousandths) is no news. */
	if (o->max >= INT_MAX / 1000)
		printf("At least %ld.\n", o->min);
	else
		printf("From %ld to %ld.\n", o->min, o->max);
}

static void
put_words(const struct option *o)
{
	char words[1024];

	if (o->words == NULL || (o->arg != NULL && strchr(o->arg, '|') != NULL))
		return; /* none, or said by `arg` */
	fputs("One of ", stdout);
	put_code(option_words(o->words, words, sizeof(words)));
	puts(".");
}

static void
put_option(const struct option *o)
{
	put_term(o->name, " = ", o->arg != NULL ? o->arg : "VALUE");
	put_text(o->doc);
	put_words(o);
	put_range(o);
	if (o->def != NULL) {
		fputs("Default: ", stdout);
		put_code(o->def);
		puts(".");
	}
	if (o->alias != NULL) {
		fputs("Also written ", stdout);
		put_code(o->alias);
		puts(".");
	}
	if (o->reload == OPTION_RESTART)
		puts("A new value needs a restart.");
}

/* A heading for an option that has gone would be lost without a word. */
static bool
has_option(const struct option_set *sets, const char *name)
{
	for (const struct option_set *set = sets; set->title != NULL; set++)
		for (const struct option *o = set->table; o->name != NULL; o++)
			if (strcmp(o->name, name) == 0)
				return true;
	return false;
}

static const struct theme *
find_theme(const struct option *o)
{
	for (size_t i = 0; i < COUNT_OF(themes); i++)
		if (strcmp(themes[i].option, o->name) == 0)
			return &themes[i];
	return NULL;
}

static void
put_theme(const struct theme *t)
{
	if (t == NULL)
		return;
	printf(".SS %s\n", t->title);
	if (t->text != NULL)
		put_text(t->text);
}

static void
put_prefixes(const struct option_set *set)
{
	printf(".SS %s\n", set->title);
	printf("TLS is spoken with the target if client = yes, else with those who connect.\n"
	       "In a bridge these options hold for both sides; with the prefix\n\\fB%s\\fR or "
	       "\\fB%s\\fR\nin front of the name, for one.\n",
	    set->prefix, set->prefix2);
}

/* Tables with themes have those as headings, the others their title. */
static void
put_set(const struct option_set *set, bool themed)
{
	if (set->prefix != NULL)
		put_prefixes(set);
	else if (!themed || find_theme(set->table) == NULL)
		printf(".SS %s\n", set->title);
	for (const struct option *o = set->table; o->name != NULL; o++) {
		if (themed)
			put_theme(find_theme(o));
		put_option(o);
	}
}

static void
put_options(const struct option_set *sets, bool themed)
{
	for (const struct option_set *set = sets; set->title != NULL; set++)
		put_set(set, themed);
}

static void
put_all_options(void)
{
	put_heading("Global options");
	put_text("These stand before the first section and concern the program as a whole.");
	put_options(process_sets, false);
	for (size_t i = 0; i < COUNT_OF(themes); i++)
		MUST(has_option(service_sets, themes[i].option));
	put_heading("Service options");
	put_text("These stand in a section, or before the first one as a default for all.");
	put_options(service_sets, true);
	put_options(parse_sets, false);
}

static void
put_end_line(void)
{
	put_heading("The end line");
	put_text("Each tunnel ends with one line in the log, in the form of this one:");
	puts(".PP\n.RS 4\n.nf");
	put_code("LOG4[2]: Connection reset/closed: 0 byte(s) sent to TLS,\n"
		 "0 byte(s) sent to socket; end=cert_missing service=smtps\n"
		 "peer=192.0.2.7:47388 step=secure tls_ms=-1 connect_ms=-1 ms=4:\n"
		 "the peer sent no certificate, and one is required; give the peer\n"
		 "a certificate of CAfile's CA\n");
	puts(".fi\n.RE");
	for (size_t i = 0; i < COUNT_OF(end_line); i++)
		put_item(&end_line[i]);
}

static void
put_reasons(void)
{
	put_heading("End reasons");
	put_text("These are the codes of end in the line above. A client that is refused at the "
		 "door has a line \"Connection rejected\" with one.");
	for (int r = R_NONE + 1; r < REASON_COUNT; r++) {
		const struct reason_info *info = reason_info((enum reason)r);

		put_term(info->code, "", "");
		put_sentence(info->words);
		if (info->hint[0] != '\0')
			put_sentence(info->hint);
	}
}

static void
put_metrics(void)
{
	put_heading("Metrics");
	put_text("These are the figures of ginnel metrics. Each begins at the start of the daemon, "
		 "and those of a service go on over reloads; bytes are counted as they pass.");
	for (const struct metric *m = metrics; m->name != NULL; m++) {
		put_term(m->name, "", "");
		put_sentence(m->doc);
	}
}

int
main(void)
{
	puts(".\\\" SPDX-License-Identifier: Apache-2.0");
	puts(".\\\" Made by tools/gen_manual.c from the option tables; change those.");
	puts(
	    ".TH GINNEL 8 " MANUAL_DATE " \"ginnel " GINNEL_VERSION "\" \"System Administration\"");
	puts(".SH NAME\nginnel \\- a universal TLS tunnel");
	puts(".SH SYNOPSIS\n.B ginnel\n.RI [ FILE ]\n.br\n.B ginnel\n"
	     "\\fBrun\\fR \\fIFILE\\fR | \\fBcheck\\fR \\fIFILE\\fR | \\fBstatus\\fR | "
	     "\\fBmetrics\\fR | \\fBdemo\\fR | \\fBhelp\\fR | "
	     "\\fB\\-fd\\fR \\fIN\\fR\n.br\n.B ginnel\n"
	     "\\fB\\-version\\fR | \\fB\\-help\\fR | \\fB\\-options\\fR | \\fB\\-sockets\\fR");
	put_description();
	put_entries("Command line", commands, COUNT_OF(commands));
	put_all_options();
	put_end_line();
	put_reasons();
	put_metrics();
	put_entries("Signals", signals, COUNT_OF(signals));
	put_entries("Exit status", statuses, COUNT_OF(statuses));
	put_entries("Environment", environment, COUNT_OF(environment));
	put_entries("Files", files, COUNT_OF(files));
	put_examples();
	puts(".SH SEE ALSO\n.BR openssl (1),\n.BR openssl\\-ciphers (1),\n.BR stunnel (8)");
	return ferror(stdout) || fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}
