/* SPDX-License-Identifier: MIT */
/*
 * What anonymous readers over HTTP get of an answer.
 */
#include "daemon/serve/http/redact.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static void expect(const char *answer, const char *redacted)
{
	json_t *given = json_loads(answer, 0, NULL), *left;
	json_t *wanted = json_loads(redacted, 0, NULL);
	char *text;

	ck_assert_ptr_nonnull(given);
	ck_assert_ptr_nonnull(wanted);
	left = spg_http_redact(given);
	text = json_dumps(left, JSON_COMPACT);
	ck_assert_msg(json_equal(left, wanted), "%s\nis not\n%s", text, redacted);
	free(text);
	json_decref(left);
	json_decref(wanted);
	json_decref(given);
}

#define IN_USE                                                                         \
	"{'kind':'in-use','file':'/a.dll','pid':7,'name':'perfmon','text':'a.dll is "  \
	"open by perfmon (pid 7)'}"
#define MISFIT  "{'kind':'misfit','finding':'older','file':'/a.dll','text':'a is older'}"
#define STOP    "{'kind':'stop-unit','unit':'x','command':'c','text':'c'}"
#define AGAIN   "{'kind':'install','text':'run it again'}"
#define PACKAGE "{'name':'liba','from':'1','to':'2','from_known':true}"
#define HIDDEN  "{'kind':'withheld','text':'the server knows why'}"
#define ASK     "{'kind':'ask-server','text':'on the server: spguard check'}"

static const struct {
	const char *answer, *redacted;
} rows[] = {
	{"{'verdict':'blocked','counts':{'blocked':2},'reasons':[" IN_USE "," MISFIT
	 "],'next':[" STOP "," AGAIN "]}",
		"{'verdict':'blocked','counts':{'blocked':2},'reasons':[{'kind':"
		"'files-in-use','count':2,'text':'2 files are in use'}," MISFIT
		"],'next':[" AGAIN "," ASK "]}"},
	{"{'verdict':'attention','reasons':[" IN_USE "],'next':[]}",
		"{'verdict':'attention','reasons':[" HIDDEN "],'next':[" ASK "]}"},
	{"{'verdict':'attention','reasons':[" MISFIT "],'next':[" AGAIN "]}",
		"{'verdict':'attention','reasons':[" MISFIT "],'next':[" AGAIN "]}"},
	/* What is no note, or of a kind that nobody knows. */
	{"{'verdict':'unknown','reasons':['a text',{'kind':'new','text':'x'}],"
	 "'next':[]}",
		"{'verdict':'unknown','reasons':[" HIDDEN "],'next':[" ASK "]}"},
	/* An install has no substitutes. */
	{"{'outcome':'mixed','by':{'pid':7},'command':'x -p y','reasons':[" IN_USE
	 "," MISFIT "],'next':[" AGAIN "],'findings':[" MISFIT "],'packages':[" PACKAGE
	 "],"
	 "'files':[{'path':'/a','package':{'name':'a','version':'2'}}]}",
		"{'outcome':'mixed','reasons':[" MISFIT "],'next':[" AGAIN
		"],'findings':[" MISFIT "],'packages':[" PACKAGE "],"
		"'files':[{'path':'/a','package':{'name':'a','version':'2'}}]}"},
	/* About a place it says why, about a process it does not. */
	{"{'coverage':[{'kind':'directory-missing','why':'w'},{'kind':'processes',"
	 "'why':'pid 7'},{'kind':'new','why':'w'},{'why':'w'}]}",
		"{'coverage':[{'kind':'directory-missing','why':'w'},{'kind':"
		"'processes'},{'kind':'new'},{}]}"},
	{"{'verdict':'unknown','reasons':[{'kind':'not-looked-at','lack':'mounts',"
	 "'text':'t'},{'kind':'not-looked-at','lack':'processes','text':'t'}],"
	 "'next':[]}",
		"{'verdict':'unknown','reasons':[{'kind':'not-looked-at','lack':"
		"'mounts','text':'t'}," HIDDEN "],'next':[" ASK "]}"},
};

static char *with_quotes(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; c && *c; c++)
		if (*c == '\'')
			*c = '"';
	ck_assert_ptr_nonnull(copy);
	return copy;
}

START_TEST(redact)
{
	char *answer = with_quotes(rows[_i].answer);
	char *redacted = with_quotes(rows[_i].redacted);

	expect(answer, redacted);
	free(answer);
	free(redacted);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("redact");

	tcase_add_loop_test(tc, redact, 0, sizeof(rows) / sizeof(rows[0]));
	return spg_run_suite("redact", tc);
}
