/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "daemon/install/outcome.h"
#include "daemon/install/tracked_install.h"

struct session *spg_install_session_find(
	const struct spg_sessions *sessions, const char *product)
{
	for (struct session *s = sessions->first; s; s = s->next)
		if (strcmp(s->product, product) == 0)
			return s;
	return NULL;
}

void spg_install_session_tell_standing(struct session *s)
{
	s->sessions->host.on_standing(s->sessions->host.user, s->product);
}

const struct spg_install *spg_sessions_running(
	const struct spg_sessions *sessions, const char *product)
{
	const struct session *s = spg_install_session_find(sessions, product);

	return s ? s->install : NULL;
}

const struct spg_install *spg_sessions_unmended(
	const struct spg_sessions *sessions, const char *product)
{
	const struct session *s = spg_install_session_find(sessions, product);

	return s ? s->unmended : NULL;
}

struct spg_module_set *spg_sessions_installed(
	const struct spg_sessions *sessions, const char *product)
{
	const struct session *s = spg_install_session_find(sessions, product);

	return s ? s->installed : NULL;
}

uint64_t spg_sessions_count(const struct spg_sessions *sessions, const char *product,
	enum spg_install_outcome outcome)
{
	const struct session *s = spg_install_session_find(sessions, product);

	return s ? s->counts[outcome] : 0;
}

void spg_sessions_expect(struct spg_sessions *sessions, const char *product,
	struct spg_expected *expected)
{
	struct session *s = spg_install_session_find(sessions, product);

	if (!s) {
		spg_expected_finish(expected);
		return;
	}
	spg_expected_finish(&s->expected);
	s->expected = *expected;
	*expected = (struct spg_expected)SPG_EXPECTED_NULL;
}

const struct spg_expected *spg_sessions_expected(
	const struct spg_sessions *sessions, const char *product)
{
	const struct session *s = spg_install_session_find(sessions, product);

	return s && s->expected.n > 0 ? &s->expected : NULL;
}

/* In the database as an install of nothing, so that the next start knows. */
static void record_mended(struct session *s)
{
	struct spg_install *install = spg_install_create(
		++s->sessions->last_install, s->product, spg_clock_wall_ns());
	struct spg_buf why = SPG_BUF_NULL;

	if (!install)
		return;
	spg_buf_printf(&why,
		"verified: what install %lld left out is the service pack's now",
		(long long)s->unmended->id);
	(void)spg_texts_add(&install->reasons, spg_buf_text(&why));
	spg_buf_finish(&why);
	install->ended_ns = install->began_ns;
	install->follows = s->unmended->id;
	install->outcome = SPG_INSTALL_CLEAN;
	spg_install_session_put(s, install);
	spg_install_unref(install);
}

static bool covers_what_was_left(const struct spg_install *unmended,
	const struct spg_expected *expected, const struct spg_module_set *set)
{
	for (size_t i = 0; i < unmended->n_files; i++) {
		const struct spg_install_file *file = &unmended->files[i];
		const struct spg_module *module = spg_module_set_find(set, file->path);

		if (file->change == SPG_CHANGE_SKIPPED &&
			(!module || spg_expected_compare(expected, module, NULL) !=
					    SPG_AS_EXPECTED))
			return false;
	}
	return true;
}

void spg_sessions_mended(struct spg_sessions *sessions, const char *product,
	const struct spg_expected *expected, const struct spg_module_set *set)
{
	struct session *s = spg_install_session_find(sessions, product);

	if (!s || !s->unmended || !covers_what_was_left(s->unmended, expected, set))
		return;
	record_mended(s);
	spg_install_unref(s->unmended);
	s->unmended = NULL;
	spg_install_session_tell_standing(s);
}

bool spg_install_session_is_running(void *user, const char *product)
{
	const struct spg_sessions *sessions = user;

	for (const struct session *s = sessions->first; s; s = s->next)
		if (s->install && (!product || strcmp(product, s->product) == 0))
			return true;
	return false;
}

int spg_sessions_wait(struct spg_sessions *sessions, const char *product,
	int64_t wait_ns, void (*done)(void *user, bool running), void *user)
{
	return spg_waiters_add(&sessions->waiters, product, wait_ns, done, user);
}

void spg_sessions_forget(struct spg_sessions *sessions, const void *user)
{
	spg_waiters_forget(&sessions->waiters, user);
}

int spg_sessions_add_standing(const struct spg_sessions *sessions, const char *product,
	struct spg_standing *standing)
{
	const struct session *s = spg_install_session_find(sessions, product);
	int r = 0;

	if (s && s->install) {
		standing->installing = spg_install_describe_running(s->install);
		r = standing->installing ? 0 : SPG_ERR_NOMEM;
	}
	if (!s || !s->unmended)
		return r;
	for (size_t i = 0; r == 0 && i < s->unmended->reasons.n; i++)
		r = spg_texts_add(&standing->mixed, s->unmended->reasons.items[i]);
	for (size_t i = 0; r == 0 && i < s->unmended->next.n; i++)
		r = spg_texts_add(spg_outcome_is_for_held(s->unmended->next.items[i])
					  ? &standing->held
					  : &standing->next,
			s->unmended->next.items[i]);
	/* Judged without words, for want of memory. */
	if (r == 0 && standing->mixed.n == 0)
		r = spg_texts_add(
			&standing->mixed, "the last install could not be verified");
	return r;
}

void spg_sessions_configure(struct spg_sessions *sessions, int64_t quiet_ns)
{
	sessions->host.quiet_ns = quiet_ns;
}
