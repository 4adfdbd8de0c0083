/* SPDX-License-Identifier: MIT */
/* What a configuration may say, and what is told about one that may not. */
#include "daemon/config/config.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/defaults.h"
#include "common/err.h"
#include "common/ini.h"
#include "tests/support/suite.h"

#define P     "[product a]\ndirectory = /tmp\n"
#define S8    "aaaaaaaa"
#define S64   S8 S8 S8 S8 S8 S8 S8 S8
#define S256  S64 S64 S64 S64
#define SAY   "is there already"
#define FIRST "begin the line at its left edge\n"

static char dir[64];

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static int remove_entry(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/spg-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Read main.conf. @problems without the directory's name. */
static int read_main(struct spg_config **ret, char **problems, struct spg_buf *notes)
{
	struct spg_buf buf = SPG_BUF_NULL, clean = SPG_BUF_NULL;
	char path[128];
	size_t n = strlen(dir);
	int r;

	snprintf(path, sizeof(path), "%s/main.conf", dir);
	r = spg_config_read(ret, path, &buf, notes);
	for (const char *c = spg_buf_text(&buf); *c; c++) {
		if (strncmp(c, dir, n) == 0 && c[n] == '/')
			c += n;
		else
			spg_buf_putc(&clean, *c);
	}
	*problems = strdup(spg_buf_text(&clean));
	spg_buf_finish(&buf);
	spg_buf_finish(&clean);
	return r;
}

static const struct {
	const char *text;
	const char *expect; /* each a line "FILE:LINE: ..." */
} bad[] = {
	{"", "main.conf: there is no product to watch: add a [product NAME] section\n"},
	{"[daemon]\nsocket = /s\n",
		"main.conf: there is no product to watch: add a [product NAME] "
		"section\n"},
	{P "[daemon]\nsocket = relative\n",
		"main.conf:4: socket = relative: it must be an absolute path\n"},
	{P "[daemon]\ndatabase =\n",
		"main.conf:4: database = : it must be an absolute path\n"},
	{P "[daemon]\nsocket = /a\nsocket = /b\n",
		"main.conf:5: \"socket\" is given twice: keep one\n"},
	{P "[daemon]\nsockett = /a\n",
		"main.conf:4: [daemon] has no key \"sockett\": see spguard.conf for "
		"those there are\n"},
	{P "[daemon]\nretain = 90\n",
		"main.conf:4: retain = 90 is no duration: write such as 250ms, 90s, "
		"30m, 2h, 90d\n"},
	{P "[daemon]\nretain = soon\nlock-poll = 1ms\ndebounce = 0\n"
	   "survey-deadline = 99ms\n",
		"main.conf:4: retain = soon is no duration: write such as 250ms, 90s, "
		"30m, 2h, 90d\n"
		"main.conf:5: lock-poll = 1ms is too short: at least 10 ms\n"
		"main.conf:6: debounce = 0 is too short: at least 1 ms\n"
		"main.conf:7: survey-deadline = 99ms is too short: at least 100 ms\n"},
	{P "[daemon]\nretain-size = 1 G\n",
		"main.conf:4: retain-size = 1 G is no size: write such as 512M or 1G, "
		"or 0 for no limit\n"},
	{P "[daemon]\nlog-level = loud\n",
		"main.conf:4: log-level = loud: it is one of error, warning, notice, "
		"info, debug\n"},
#define WRITE_SUCH                                                                     \
	"write such as 127.0.0.1:9763, [::1]:9763 or unix:/run/spguard/http.sock\n"
	{P "[http]\nlisten = localhost:9763\nlisten = 127.0.0.1\nlisten = ::1:80\n"
	   "listen = 127.0.0.1:0\nlisten = [127.0.0.1]:80\nlisten = 1.2.3.4:65536\n"
	   "listen = unix:relative\nlisten =\n",
		"main.conf:4: listen = localhost:9763: " WRITE_SUCH
		"main.conf:5: listen = 127.0.0.1: " WRITE_SUCH
		"main.conf:6: listen = ::1:80: " WRITE_SUCH
		"main.conf:7: listen = 127.0.0.1:0: " WRITE_SUCH
		"main.conf:8: listen = [127.0.0.1]:80: " WRITE_SUCH
		"main.conf:9: listen = 1.2.3.4:65536: " WRITE_SUCH
		"main.conf:10: listen = unix:relative: " WRITE_SUCH
		"main.conf:11: listen = : " WRITE_SUCH},
	{P "[http]\nlisten = 127.0.0.1:80\nlisten = 127.0.0.1:080\n"
	   "listen = 0.0.0.0:80\nlisten = [::1]:80\nlisten = [0::1]:80\n"
	   "listen = [::]:80\nlisten = [::]:81\n"
	   "listen = unix:/run/x/s\nlisten = unix:/run/x//s\n",
		"main.conf:5: listen = 127.0.0.1:080: listen = 127.0.0.1:80 has this "
		"address already: keep one\n"
		"main.conf:6: listen = 0.0.0.0:80: listen = 127.0.0.1:80 has this "
		"address already: keep one\n"
		"main.conf:8: listen = [0::1]:80: listen = [::1]:80 has this address "
		"already: keep one\n"
		"main.conf:9: listen = [::]:80: listen = [::1]:80 has this address "
		"already: keep one\n"
		"main.conf:12: listen = unix:/run/x//s: listen = unix:/run/x/s has "
		"this "
		"address already: keep one\n"},
	{P "[daemon]\nsocket = /run/x/s\ndatabase = /run//x/s\n"
	   "[http]\nlisten = unix:/run/x/s\n",
		"main.conf: socket and database are both /run/x/s: name two\n"
		"main.conf: listen = unix:/run/x/s: that is the socket of [daemon]: "
		"name another path\n"},
	{P "[http]\nshow-processes = some\nport = 80\n",
		"main.conf:4: show-processes = some: it is yes or no\n"
		"main.conf:5: [http] has no key \"port\": it has listen, "
		"group, show-processes\n"},
	/* Products. */
	{"[product a]\n",
		"main.conf:1: product \"a\" has no directory: add \"directory = "
		"/absolute/path\"\n"},
	{"\n\n[product a]\ntitle = A\n[product b]\n",
		"main.conf:3: product \"a\" has no directory: add \"directory = "
		"/absolute/path\"\n"
		"main.conf:5: product \"b\" has no directory: add \"directory = "
		"/absolute/path\"\n"},
	{P "[product a]\ndirectory = /tmp\n",
		"main.conf:3: product \"a\" " SAY ", at main.conf:1\n"},
	{"[product A b]\ndirectory = /tmp\n",
		"main.conf:1: [product A b]: a name has only letters a-z, digits, "
		"\"_\", \"-\" and \".\"\n"},
	{"[product ]\ndirectory = /tmp\n",
		"main.conf:1: [product ]: a name has only letters a-z, digits, \"_\", "
		"\"-\" and \".\"\n"},
	{P "directory = bin\n",
		"main.conf:3: directory = bin: it must be an absolute path\n"},
	{P "recursive = maybe\n", "main.conf:3: recursive = maybe: it is yes or no\n"},
	{P "library-path = lib\n",
		"main.conf:3: library-path = lib: it must be an absolute path\n"},
	{P "loaded-by = python3\n",
		"main.conf:3: loaded-by = python3: it must be an absolute path\n"},
	{P "files = a.dll bin/b.dll\n",
		"main.conf:3: files: \"bin/b.dll\" is no file name: directories are "
		"named by \"directory\"\n"},
	{P "title = A\ntitle = B\n",
		"main.conf:4: \"title\" is given twice: keep one\n"},
	{P "file = a.dll\n",
		"main.conf:3: [product] has no key \"file\": it has title, directory, "
		"recursive, ignore-case, replaced, install-as, files, "
		"setup-stops, library-path, loaded-by, libraries-outside\n"},
#ifndef _WIN32
	{P "install-as = no-such-user\n",
		"main.conf:3: install-as = no-such-user: there is no such user\n"},
#else
	{P "install-as = somebody\n",
		"main.conf:3: install-as = somebody: this system has no such key: take "
		"it out\n"},
#endif
	{P "replaced = by-hand\n",
		"main.conf:3: replaced = by-hand: it is any, in-place or rename\n"},
	/* Advice. */
	{P "[advice *.dll]\nproduct = a\n",
		"main.conf:3: [advice *.dll] needs both \"product\" and \"say\"\n"},
	{P "[advice *.dll]\nsay = Stop it.\n",
		"main.conf:3: [advice *.dll] needs both \"product\" and \"say\"\n"},
	{P "[advice *.dll]\nproduct = b\nsay = Stop it.\n",
		"main.conf:3: [advice *.dll]: there is no product \"b\"\n"},
	{P "[advice *.dll]\nproduct = a\nsay = x\nfor = b\n",
		"main.conf:6: [advice] has no key \"for\": it has product, say\n"},
	{P "[advice *.dll]\nproduct = a\nproduct = a\nsay = x\n",
		"main.conf:5: \"product\" is given twice: keep one\n"},
	/* Form. */
	{P "nonsense\n",
		"main.conf:3: this is neither \"key = value\" nor \"[section]\"\n"},
	{"socket = /s\n" P,
		"main.conf:1: \"socket\" stands before the first section: begin with "
		"[daemon]\n"},
	{P "[Daemon]\n", "main.conf:3: there is no section [Daemon]: there are "
			 "[daemon], [http], "
			 "[product NAME] and [advice PATTERN]\n"},
	{P "[advice ]\nproduct = a\n", "main.conf:3: there is no section [advice ]: "
				       "there are [daemon], [http], "
				       "[product NAME] and [advice PATTERN]\n"},
	/* A product's name has a bound of its own; nothing is cut. */
	{P "[product " S64 "b]\ndirectory = /tmp\n",
		"main.conf:3: [product " S64 "b]: a name may have 64 bytes\n"},
	{P "[product " S256 "]\n",
		"main.conf:3: a section's name may have 263 bytes\n"},
	/* And none that are not there: its lines are no other section's. */
	{P "[product " S256 "]\ndirectory = /tmp\nfiles = x\n[product b]\nx = 1\n",
		"main.conf:3: a section's name may have 263 bytes\n"
		"main.conf:7: [product] has no key \"x\": it has title, directory, "
		"recursive, ignore-case, replaced, install-as, files, setup-stops, "
		"library-path, loaded-by, libraries-outside\n"
		"main.conf:6: product \"b\" has no directory: add \"directory = "
		"/absolute/path\"\n"},
	{P "[product b\nnonsense = x\n",
		"main.conf:3: this is neither \"key = value\" nor \"[section]\"\n"},
	{P "[advice a]b\n",
		"main.conf:3: this is neither \"key = value\" nor \"[section]\"\n"},
	/* The first such line of a file is enough; and the values of the key go with it. */
	{P "nonsense\n  more = x\nnonsense\n",
		"main.conf:3: this is neither \"key = value\" nor \"[section]\"\n"},
	{P S64 "b = 1\n\n  2\n", "main.conf:3: a key may have 64 bytes\n"},
	{P S64 " = 1\n",
		"main.conf:3: [product] has no key \"" S64 "\": it has title, "
		"directory, recursive, ignore-case, replaced, install-as, files, "
		"setup-stops, library-path, loaded-by, libraries-outside\n"},
	/* An indented line would go on with the value above it. */
	{P "files = a.dll\n  recursive = yes\n",
		"main.conf:4: an indented line goes on with the value of \"files\" "
		"above: " FIRST},
	{"[product a]\ndirectory = /tmp\n  /var\n",
		"main.conf:3: an indented line goes on with the value of "
		"\"directory\" above: " FIRST},
	{P "[daemon]\nretain = 1d\n\t2d\n",
		"main.conf:5: an indented line goes on with the value of \"retain\" "
		"above: " FIRST},
	/* Hostile bytes are shown harmlessly. */
	{P "[daemon]\nlog-level = \x1b[31m\n",
		"main.conf:4: log-level = \\x1b[31m: it is one of error, warning, "
		"notice, info, debug\n"},
	{P "directory = /tmp/\xff\n",
		"main.conf:3: directory = /tmp/\\xff: it must be an absolute path\n"},
	/* Includes. */
	{P "[daemon]\ninclude = none.conf\n",
		"main.conf:4: include = none.conf: there is no such file\n"},
	{P "[daemon]\ninclude = sub/twice.conf\n",
		"sub/twice.conf:2: product \"a\" " SAY ", at main.conf:1\n"},
	{P "[daemon]\ninclude = sub/t*.conf\ninclude = sub/wrong.conf\n",
		"sub/twice.conf:2: product \"a\" " SAY ", at main.conf:1\n"
		"sub/wrong.conf:3: [product] has no key \"x\": it has title, "
		"directory, recursive, ignore-case, replaced, install-as, files, "
		"setup-stops, library-path, loaded-by, libraries-outside\n"},
};

static void write_sub_files(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/sub", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	write_file("sub/twice.conf", "# comment\n[product a]\ndirectory = /tmp\n");
	write_file("sub/wrong.conf", "[product c]\ndirectory = /tmp\nx = y\n");
	write_file("sub/circle.conf", "[daemon]\ninclude = ../main.conf\n"
				      "include = circle.conf\n");
	write_file("sub/good.conf", "[product good]\ndirectory = /tmp\n");
	/* Its advice stands before the product, in a file before. */
	write_file("sub/advice.conf", "[advice x]\nproduct = good\nsay = Say.\n"
				      "[daemon]\ninclude = good.conf\n");
}

START_TEST(bad_one)
{
	struct spg_config *config = NULL;
	char *problems;

	write_sub_files();
	write_file("main.conf", bad[_i].text);
	ck_assert_int_eq(read_main(&config, &problems, NULL), SPG_ERR_INVALID);
	ck_assert_str_eq(problems, bad[_i].expect);
	ck_assert_ptr_null(config);
	free(problems);
}
END_TEST

/* What the good ones say; each text is among what --print-config shows. */
static const struct {
	const char *text;
	const char *expect[3];
} good[] = {
	{P, {"[daemon]\nsocket = " SPG_DEFAULT_SOCKET
	     "\ngroup = spguard\nadmin-group = \ndatabase = " SPG_DEFAULT_DATABASE "\n"
	     "retain = 7776000s\nretain-size = 1073741824\nlock-poll = 250ms\n"
	     "debounce = 50ms\ninstall-quiet = 10s\nsurvey-deadline = 10s\nlog-level = "
	     "info\n",
		    "[product a]\ntitle = a\ndirectory = /tmp\nrecursive = no\n"
		    "ignore-case = no\nreplaced = any\nfiles = *\n"}},
	{"[daemon]\nsocket = /run/./x//s.sock\ngroup =\nadmin-group = ops\n"
	 "database=/d.db\nretain = 0\nretain-size = 0\nlock-poll = 10ms\n"
	 "debounce = 1ms\ninstall-quiet = 10s\nsurvey-deadline = 1m30s\nlog-level = "
	 "debug\n" P,
		{"socket = /run/x/s.sock\ngroup = \nadmin-group = ops\n"
		 "database = /d.db\nretain = 0\nretain-size = 0\nlock-poll = 10ms\n"
		 "debounce = 1ms\ninstall-quiet = 10s\nsurvey-deadline = "
		 "90s\nlog-level = debug\n"}},
	{P "directory = /srv/b//\ntitle = The A, with \"quotes\"\nrecursive = YES\n"
	   "ignore-case = on\nreplaced = in-place\nfiles = a.dll, "
	   "B*.exe\tc.dll\nsetup-stops = s.exe\n",
		{"title = The A, with \"quotes\"\ndirectory = /tmp\n"
		 "directory = /srv/b\nrecursive = yes\nignore-case = yes\n"
		 "replaced = in-place\nfiles = a.dll\n    B*.exe\n    "
		 "c.dll\nsetup-stops = s.exe\n"}},
	{P "library-path = /tmp//my lib/\nlibrary-path = /tmp/b\n"
	   "loaded-by = /usr//bin/python3\n"
	   "libraries-outside = python3*.dll\n  cuda.dll\n",
		{"files = *\nlibrary-path = /tmp/my lib\nlibrary-path = /tmp/b\n"
		 "loaded-by = /usr/bin/python3\n"
		 "libraries-outside = python3*.dll\n    cuda.dll\n"}},
#ifndef _WIN32
	{P "install-as = daemon\n",
		{"replaced = any\ninstall-as = daemon\nfiles = *\n"}},
	{P "install-as = root\n", {"replaced = any\nfiles = *\n"}},
#endif
	{P, {"[http]\nshow-processes = no\n"}},
	{"[http]\nlisten = 127.0.0.1:9763\nlisten = [::1]:80 ; behind\n"
	 "listen = unix://run/x/http.sock\nshow-processes = yes\n" P,
		{"[http]\nlisten = 127.0.0.1:9763\nlisten = [::1]:80\n"
		 "listen = unix://run/x/http.sock\nshow-processes = yes\n"}},
	/* Whose sockets of HTTP are, unless it is said. */
	{P "[daemon]\ngroup = us\n", {"show-processes = no\ngroup = us\n"}},
	{P "[daemon]\ngroup = us\n[http]\ngroup = www\n",
		{"group = us\nadmin", "show-processes = no\ngroup = www\n"}},
	{P "[http]\ngroup =\n", {"show-processes = no\ngroup = \n"}},
	/* The same address again is one. */
	{"[http]\nlisten = 127.0.0.1:9763\n" P
	 "[http]\nlisten = 127.0.0.1:9763\nlisten = [::1]:80\n",
		{"[http]\nlisten = 127.0.0.1:9763\nlisten = [::1]:80\n"}},
	/* Continued lines join; comments and blank lines may stand between. */
	{P "files = a.dll\n  b.dll\n; comment\n\n# comment\n\tc.dll d.dll\n"
	   "[advice *perf.dll]\nproduct = a\nsay = Stop it,\n  then look\n  again.\n",
		{"files = a.dll\n    b.dll\n    c.dll\n    d.dll\n",
			"[advice *perf.dll]\nproduct = a\n"
			"say = Stop it, then look again.\n"}},
	/* A comment behind a value, as the documentation has it. */
	{P "title = A     ; behind\n", {"title = A\n"}},
	{"\xef\xbb\xbf" P, {"[product a]\n"}},
	{"[product a]\r\ndirectory = /tmp\r\ntitle = A\r\n",
		{"title = A\ndirectory = /tmp\n"}},
	{"[product " S64 "]\ndirectory = /tmp", {"[product " S64 "]\n"}},
	{"\t[product a]\r\n\tdirectory\t=\t/tmp\t\r\ntitle\t:\tA",
		{"title = A\ndirectory = /tmp\n"}},
	{"[product a.b-c_9]\ndirectory = /\n", {"[product a.b-c_9]\n"}},
	{P "[advice perf[0-9][ab].dll]\nproduct = a\nsay = Say.\n",
		{"[advice perf[0-9][ab].dll]\nproduct = a\nsay = Say.\n"}},
	/* Advice before its product. */
	{"[advice x]\nproduct = a\nsay = Say.\n" P, {"[advice x]\nproduct = a\n"}},
	/* The same section again goes on. */
	{"[daemon]\nsocket = /s\n" P "[daemon]\ndatabase = /d\n",
		{"socket = /s\n", "database = /d\n"}},
	/* The value may have an equals sign, the last line no break. */
	{"[product a]\ndirectory = /tmp/x=y", {"directory = /tmp/x=y\n"}},
	{P "[daemon]\ninclude = sub/good.conf\n", {"[product a]", "[product good]"}},
	{P "[daemon]\ninclude = nothing/*.conf\n", {"[product a]"}},
	{P "[daemon]\ninclude = sub/circle.conf\n", {"[product a]"}},
	{"[daemon]\ninclude = sub/g*.conf\ninclude = sub/a*.conf\n",
		{"[product good]", "[advice x]\nproduct = good\nsay = Say.\n"}},
};

START_TEST(good_one)
{
	struct spg_config *config = NULL;
	struct spg_buf first = SPG_BUF_NULL, second = SPG_BUF_NULL;
	char *problems;

	write_sub_files();
	write_file("main.conf", good[_i].text);
	ck_assert_msg(read_main(&config, &problems, NULL) == 0, "%s", problems);
	ck_assert_str_eq(problems, "");
	free(problems);
	spg_config_print(config, &first);
	spg_config_destroy(config);
	for (int i = 0; i < 3 && good[_i].expect[i]; i++)
		ck_assert_msg(strstr(spg_buf_text(&first), good[_i].expect[i]) != NULL,
			"%s\nis not in:\n%s", good[_i].expect[i], spg_buf_text(&first));
	/* What is printed is a configuration that says the same. */
	write_file("main.conf", spg_buf_text(&first));
	ck_assert_msg(read_main(&config, &problems, NULL) == 0, "%s", problems);
	free(problems);
	spg_config_print(config, &second);
	spg_config_destroy(config);
	ck_assert_str_eq(spg_buf_text(&first), spg_buf_text(&second));
	spg_buf_finish(&first);
	spg_buf_finish(&second);
}
END_TEST

/* Long texts and lists survive being printed and read again. */
START_TEST(round_trip_of_long_values)
{
	struct spg_config *config = NULL;
	struct spg_buf text = SPG_BUF_NULL, first = SPG_BUF_NULL, second = SPG_BUF_NULL;
	char *problems;

	spg_buf_puts(&text, P "title = many words");
	for (int i = 0; i < 200; i++)
		spg_buf_printf(&text, "\n  word%d%s", i, i % 7 ? "" : "-" S64);
	spg_buf_puts(&text, "\nfiles = f0.dll");
	for (int i = 1; i < 300; i++)
		spg_buf_printf(&text, "\n  f%d-" S64 ".dll", i);
	write_file("main.conf", spg_buf_text(&text));
	ck_assert_msg(read_main(&config, &problems, NULL) == 0, "%s", problems);
	free(problems);
	ck_assert_uint_eq(config->products[0]->n_patterns, 300);
	spg_config_print(config, &first);
	spg_config_destroy(config);
	write_file("main.conf", spg_buf_text(&first));
	ck_assert_msg(read_main(&config, &problems, NULL) == 0, "%s", problems);
	free(problems);
	ck_assert_uint_eq(config->products[0]->n_patterns, 300);
	spg_config_print(config, &second);
	ck_assert_str_eq(spg_buf_text(&first), spg_buf_text(&second));
	spg_config_destroy(config);
	spg_buf_finish(&text);
	spg_buf_finish(&first);
	spg_buf_finish(&second);
}
END_TEST

/* A line may be as long as its bound; a longer one is told, and nothing is cut. */
static void write_long_line(size_t n)
{
	struct spg_buf text = SPG_BUF_NULL;

	spg_buf_puts(&text, P "title = ");
	while (text.len < strlen(P) + n)
		spg_buf_putc(&text, 'x');
	spg_buf_puts(&text, "\n  more\nfiles = *.dll\nnonsense\n");
	if (n <= SPG_INI_LINE_MAX)
		text.data[text.len -= strlen("nonsense\n")] = '\0';
	write_file("main.conf", spg_buf_text(&text));
	spg_buf_finish(&text);
}

START_TEST(long_line)
{
	struct spg_config *config = NULL;
	char *problems;

	write_long_line(SPG_INI_LINE_MAX);
	ck_assert_msg(read_main(&config, &problems, NULL) == 0, "%s", problems);
	free(problems);
	ck_assert_uint_eq(strlen(config->products[0]->title),
		SPG_INI_LINE_MAX - strlen("title = ") + strlen(" more"));
	spg_config_destroy(config);
	config = NULL;
	write_long_line(SPG_INI_LINE_MAX + 1);
	ck_assert_int_eq(read_main(&config, &problems, NULL), SPG_ERR_INVALID);
	ck_assert_str_eq(problems,
		"main.conf:3: a line may have 65536 bytes: go on in the next one, "
		"indented\n"
		"main.conf:6: this is neither \"key = value\" nor \"[section]\"\n");
	free(problems);
}
END_TEST

static void write_bytes(const char *bytes, size_t n, size_t times)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/main.conf", dir);
	file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < times; i++)
		ck_assert_uint_eq(fwrite(bytes, n, 1, file), 1);
	ck_assert_int_eq(fclose(file), 0);
}

/* What is no text in UTF-8 is told, once, and a file without an end ends. */
START_TEST(no_text)
{
	static const char nul[] = P "title = A\0B\n  \0\n";
	static const char utf16[] = "\xff\xfe[\0a\0]\0\r\0\n\0x\0\r\0\n\0";
	struct spg_config *config = NULL;
	char *problems;

	write_bytes(nul, sizeof(nul) - 1, 1);
	ck_assert_int_eq(read_main(&config, &problems, NULL), SPG_ERR_INVALID);
	ck_assert_str_eq(problems, "main.conf:3: this line has a NUL byte: write the "
				   "file as UTF-8\n");
	free(problems);
	write_bytes(utf16, sizeof(utf16) - 1, 1);
	ck_assert_int_eq(read_main(&config, &problems, NULL), SPG_ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(problems, "main.conf:1: this line has a NUL "));
	free(problems);
	write_bytes(P, strlen(P), 4 * 1024 * 1024 / strlen(P) + 1);
	ck_assert_int_eq(read_main(&config, &problems, NULL), SPG_ERR_INVALID);
	ck_assert_str_eq(problems, "main.conf: a file may have 4194304 bytes\n");
	free(problems);
}
END_TEST

START_TEST(unreadable)
{
	struct spg_config *config = NULL;
	char *problems;

	ck_assert_int_eq(read_main(&config, &problems, NULL), SPG_ERR_NOT_FOUND);
	ck_assert_str_eq(
		problems, "main.conf: cannot be read: No such file or directory\n");
	free(problems);
	write_file("main.conf", P "[daemon]\ninclude = /tmp\n");
	ck_assert_int_lt(read_main(&config, &problems, NULL), 0);
	ck_assert_ptr_nonnull(strstr(problems, "/tmp: "));
	free(problems);
}
END_TEST

START_TEST(notes)
{
	struct spg_config *config = NULL;
	struct spg_buf told = SPG_BUF_NULL;
	char *problems;

	write_file("main.conf", P "directory = /no/such/place\n");
	ck_assert_int_eq(read_main(&config, &problems, &told), 0);
	ck_assert_str_eq(problems, "");
	ck_assert_ptr_nonnull(strstr(spg_buf_text(&told),
		"main.conf:3: directory /no/such/place is not there yet"));
	ck_assert_ptr_null(strstr(spg_buf_text(&told), "/tmp is not there"));
	free(problems);
	spg_buf_finish(&told);
	spg_config_destroy(config);
}
END_TEST

/* On a reload the paths that others borrowed stay where they are. */
START_TEST(move_fixed)
{
	struct spg_config *old = NULL, *new = NULL;
	const char *socket, *path;
	char *problems;

	write_file("main.conf", P "[daemon]\nsocket = /old\nretain = 1d\n");
	ck_assert_int_eq(read_main(&old, &problems, NULL), 0);
	free(problems);
	write_file("main.conf", P "[daemon]\nsocket = /new\nretain = 2d\n");
	ck_assert_int_eq(read_main(&new, &problems, NULL), 0);
	free(problems);
	socket = old->socket;
	path = old->path;
	spg_config_move_fixed(old, new);
	spg_config_destroy(old);
	ck_assert_ptr_eq(new->socket, socket);
	ck_assert_ptr_eq(new->path, path);
	ck_assert_str_eq(new->socket, "/old");
	ck_assert_int_eq(new->retain_ns, 2 * 24 * 3600 * SPG_NS_PER_S);
	spg_config_destroy(new);
}
END_TEST

/* The profiles that are shipped: with the shipped main file's include. */
START_TEST(shipped)
{
	struct spg_config *config = NULL;
	struct spg_buf problems = SPG_BUF_NULL;
	int r = spg_config_read(&config, SPG_CONF_DIR "/spguard.conf", &problems, NULL);
	const struct spg_product *p;

	ck_assert_msg(r == 0, "%s", spg_buf_text(&problems));
	ck_assert_uint_eq(config->n_products, 1);
	p = config->products[0];
	ck_assert_str_eq(p->name, "exchange55");
	ck_assert(p->ignore_case && p->n_directories > 0 && p->n_setup_stops > 0);
	/* The file of Q246337. */
	ck_assert(spg_product_has_name(p, "MDBPERF.DLL"));
	ck_assert_ptr_nonnull(spg_product_advice(p, "mdbperf.dll"));
	ck_assert(!spg_product_has_name(p, "kernel32.txt"));
	spg_config_destroy(config);
	spg_buf_finish(&problems);
}
END_TEST

#ifndef _WIN32 /* the file's paths are those of Linux */
/* Every key of the shipped file is there at its default: taking the comment
 * signs away changes nothing. */
START_TEST(shipped_defaults)
{
	struct spg_buf text = SPG_BUF_NULL, shown[2] = {SPG_BUF_NULL, SPG_BUF_NULL};
	FILE *file = fopen(SPG_CONF_DIR "/spguard.conf", "r");
	struct spg_config *config = NULL;
	char line[512], *problems;
	unsigned n = 0;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		bool shows = strncmp(line, "; ", 2) == 0 && strstr(line, " =");

		n += shows;
		if (strncmp(line, "include", 7) != 0)
			spg_buf_puts(&text, shows ? line + 2 : line);
	}
	fclose(file);
	ck_assert_uint_ge(n, 10);
	spg_buf_puts(&text, "\n" P);
	for (int i = 0; i < 2; i++) {
		write_file("main.conf", i == 0 ? spg_buf_text(&text) : P);
		ck_assert_msg(read_main(&config, &problems, NULL) == 0, "%s", problems);
		free(problems);
		spg_config_print(config, &shown[i]);
		spg_config_destroy(config);
	}
	ck_assert_str_eq(spg_buf_text(&shown[0]), spg_buf_text(&shown[1]));
	spg_buf_finish(&text);
	spg_buf_finish(&shown[0]);
	spg_buf_finish(&shown[1]);
}
END_TEST
#endif

static const struct {
	const char *text;
	int err;
	uint64_t bytes;
} sizes[] = {
	{"0", 0, 0},
	{"4096", 0, 4096},
	{"64K", 0, 65536},
	{"512M", 0, 536870912},
	{"1G", 0, 1073741824},
	{"2T", 0, UINT64_C(2199023255552)},
	{"9223372036854775807", 0, INT64_MAX},
	{"9223372036854775808", SPG_ERR_INVALID, 7},
	{"18446744073709551616", SPG_ERR_INVALID, 7},
	{"8388608T", SPG_ERR_INVALID, 7},
	{"16777217T", SPG_ERR_INVALID, 7},
	{"", SPG_ERR_INVALID, 7},
	{"G", SPG_ERR_INVALID, 7},
	{"-1", SPG_ERR_INVALID, 7},
	{"+1", SPG_ERR_INVALID, 7},
	{" 1", SPG_ERR_INVALID, 7},
	{"1 G", SPG_ERR_INVALID, 7},
	{"1g", SPG_ERR_INVALID, 7},
	{"1GB", SPG_ERR_INVALID, 7},
	{"1.5G", SPG_ERR_INVALID, 7},
	{"0x10", SPG_ERR_INVALID, 7},
};

START_TEST(size)
{
	uint64_t bytes = 7;

	ck_assert_int_eq(spg_size_parse(sizes[_i].text, &bytes), sizes[_i].err);
	ck_assert_uint_eq(bytes, sizes[_i].bytes);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("config");

	tcase_add_checked_fixture(tc, setup, teardown);
	spg_add_rows(tc, bad_one, bad);
	spg_add_rows(tc, good_one, good);
	tcase_add_test(tc, round_trip_of_long_values);
	tcase_add_test(tc, long_line);
	tcase_add_test(tc, no_text);
	tcase_add_test(tc, unreadable);
	tcase_add_test(tc, notes);
	tcase_add_test(tc, move_fixed);
	tcase_add_test(tc, shipped);
#ifndef _WIN32
	tcase_add_test(tc, shipped_defaults);
#endif
	spg_add_rows(tc, size, sizes);
	return spg_run_suite("config", tc);
}
