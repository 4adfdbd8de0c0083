/* SPDX-License-Identifier: MIT */
/* The methods that need a proof: check, who, locks. Each asks the prover about
 * one product or all of them, and answers when every answer is in. When the
 * client goes first, the questions are withdrawn. */
#include "daemon/serve/methods/methods.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/platform.h"
#include "common/text.h"
#include "daemon/model/asker.h"
#include "daemon/serve/methods/payload.h"
#include "daemon/serve/render/parts.h"
#include "daemon/serve/render/render.h"

/* Answers of one moment: they lie no further apart. */
#define TOGETHER_NS       SPG_NS_PER_S
#define SETTLE_DEFAULT_NS (2 * SPG_NS_PER_S)
/* Files that have changed without an event are read first, if it takes no longer. */
#define LOOK_NS           (5 * SPG_NS_PER_S)
/* The first may have read what was about to change again; what is written all the time
 * is not waited for. */
#define LOOKS_MAX         3
/* From the client up to the session that it is in. */
#define LINEAGE_MAX       32

enum subject { SUBJECT_CHECK, SUBJECT_WHO, SUBJECT_LOCKS };

struct gathering;

/* To the prover about one product; its address is the prover's @user. */
struct question {
	struct gathering *gathering;
	bool pending;
	bool looks;            /* it waits until what has changed is read, ... */
	int64_t look_until_ns; /* ... not longer; monotonic, 0: it has not waited yet */
	unsigned n_looks;
	bool looked; /* it waits no more */
	size_t product;
	char *name;     /* the product's: a reload may give it another number */
	bool concerned; /* check: some file asked about is, or may be, there */
	enum spg_verdict_kind verdict, without_blocked;
	json_t *answer;   /* check: the object; who, locks: the rows; NULL: none */
	json_t *coverage; /* who, locks */
	json_t *waited;   /* check: of the answer before this one; NULL: none */
	struct spg_expected expected; /* check: the payload as this product compares */
	struct spg_module_set *installed; /* what is there in its place; a reference */
};

struct gathering {
	struct spg_call *call;
	enum subject subject;
	bool all;
	bool single;                /* about one product only */
	struct spg_name_list names; /* check: the payload; else the paths */
	json_t *params;             /* a reference; NULL: none */
	/* Of ->names, where packages put them outside of all products; the texts are those
	 * of ->params. NULL: no payload is asked about. */
	struct spg_selected_place *places;
	bool by_payload;         /* its "payload" says the names, one by one */
	bool *path_seen;         /* for each path: some product has it */
	bool waits, waits_later; /* check; later: when it is known whom it concerns */
	bool confirms;           /* asks again about what was waited for */
	int64_t until_ns;        /* monotonic: as long as it waits */
	int64_t settle_ns;       /* so long the files have to stay free */
	bool learns;             /* or longer, see struct spg_wait */
	bool narrowed;           /* those without any of the files are left out */
	bool watched;            /* check: what no product watches is left out */
	int64_t at_ns;           /* of the oldest proof */
	int32_t lineage[LINEAGE_MAX]; /* of who asks over the socket */
	size_t n_lineage;
	int err;
	size_t n_pending, n_answers;
	bool asked; /* about one product at least */
	size_t n_questions;
	struct question questions[];
};

static void gathering_destroy(struct gathering *g)
{
	for (size_t i = 0; i < g->n_questions; i++) {
		free(g->questions[i].name);
		json_decref(g->questions[i].answer);
		json_decref(g->questions[i].coverage);
		json_decref(g->questions[i].waited);
		spg_expected_finish(&g->questions[i].expected);
		spg_module_set_unref(g->questions[i].installed);
	}
	json_decref(g->params);
	free(g->places);
	spg_name_list_finish(&g->names);
	free(g->path_seen);
	free(g);
}

/* How bad a verdict is; unlike its number, which the database keeps. */
static int badness(enum spg_verdict_kind kind)
{
	switch (kind) {
	case SPG_VERDICT_SAFE:
		return 0;
	case SPG_VERDICT_ATTENTION:
		return 1;
	case SPG_VERDICT_UNKNOWN:
		return 2;
	default:
		return 3;
	}
}

static void withdraw(struct gathering *g)
{
	for (size_t i = 0; i < g->n_questions; i++) {
		if (g->questions[i].pending)
			spg_prover_forget(g->call->service->prover, &g->questions[i]);
		if (g->questions[i].looks)
			spg_tracker_forget(g->call->service->tracker, &g->questions[i]);
	}
}

static void on_abandon(struct spg_call *call)
{
	struct gathering *g = call->data;

	withdraw(g);
	gathering_destroy(g);
	spg_call_drop(call);
}

/* A path that lies in a product's directory but is no file that was looked at:
 * silence about it would look like "nobody". */
static int add_unseen_paths(const struct gathering *g, json_t *coverage)
{
	int r = 0;

	for (size_t i = 0; i < g->names.n; i++) {
		const struct spg_lack lack = {.kind = SPG_LACK_NO_SUCH_FILE,
			.path = g->names.names[i],
			.what = g->names.names[i],
			.why = "no product has a file of that name",
			.remedy = {"see \"files\" and \"recursive\" of the product",
				NULL},
			.blinds = true};
		json_t *row;

		if (g->path_seen[i])
			continue;
		row = spg_render_lack(&lack, NULL);
		r |= json_object_set_new(row, "product", json_null());
		r |= json_array_append_new(coverage, row);
	}
	return r;
}

static void take_worse(enum spg_verdict_kind *worst, enum spg_verdict_kind kind)
{
	if (badness(kind) > badness(*worst))
		*worst = kind;
}

static enum spg_verdict_kind worst_of(const struct gathering *g)
{
	enum spg_verdict_kind worst = SPG_VERDICT_SAFE;

	for (size_t i = 0; i < g->n_questions; i++)
		if (g->questions[i].answer)
			take_worse(&worst, g->questions[i].verdict);
	return worst;
}

static json_t *compose_check(struct gathering *g)
{
	enum spg_verdict_kind without_blocked = SPG_VERDICT_SAFE;
	json_t **answers = calloc(g->n_questions + 1, sizeof(*answers));
	json_t *made = NULL;
	size_t n = 0;

	for (size_t i = 0; answers && i < g->n_questions; i++) {
		if (!g->questions[i].answer)
			continue;
		answers[n++] = g->questions[i].answer;
		take_worse(&without_blocked, g->questions[i].without_blocked);
	}
	if (answers)
		made = spg_render_checks(
			answers, n, worst_of(g), without_blocked, g->at_ns);
	free(answers);
	return made;
}

static json_t *compose_rows(struct gathering *g)
{
	json_t *rows = json_array(), *coverage = json_array();
	int r = rows && coverage ? 0 : -1;

	for (size_t i = 0; i < g->n_questions; i++) {
		if (!g->questions[i].answer)
			continue;
		r |= json_array_extend(rows, g->questions[i].answer);
		r |= json_array_extend(coverage, g->questions[i].coverage);
	}
	r |= add_unseen_paths(g, coverage);
	if (r) {
		json_decref(rows);
		json_decref(coverage);
		return NULL;
	}
	return json_pack("{s:o, s:o, s:o}", "at", spg_render_time(g->at_ns),
		g->subject == SUBJECT_WHO ? "files" : "locks", rows, "coverage",
		coverage);
}

static int ask(struct gathering *g, struct question *q);

/* Ask again about the products that have an answer. Returns true, or g->err is set. */
static bool ask_again(struct gathering *g)
{
	g->at_ns = 0;
	g->n_answers = 0;
	for (size_t i = 0; i < g->n_questions && g->err == 0; i++) {
		struct question *q = &g->questions[i];

		if (!q->answer)
			continue;
		json_decref(q->waited);
		q->waited = json_incref(json_object_get(q->answer, "waited"));
		json_decref(q->answer);
		q->answer = NULL;
		g->err = ask(g, q);
	}
	if (g->err < 0)
		withdraw(g);
	return g->err == 0;
}

/*
 * A payload asked about without a product concerns those that have any of its
 * files; where all of them would be new, it is another product's. (If that is so
 * everywhere, nobody is left out, and the answers say it.) Where files may be that
 * could not be listed, nobody knows that. Only those are waited for. Returns true
 * when the answer is not complete yet.
 */
static bool narrow(struct gathering *g)
{
	bool any = false;

	if (g->subject != SUBJECT_CHECK || g->single || !g->names.names || g->watched ||
		g->narrowed || g->err < 0)
		return false;
	g->narrowed = true;
	for (size_t i = 0; i < g->n_questions; i++)
		any = any || g->questions[i].concerned;
	for (size_t i = 0; any && i < g->n_questions; i++) {
		struct question *q = &g->questions[i];

		if (!q->concerned) {
			json_decref(q->answer);
			q->answer = NULL;
		}
	}
	if (!any || !g->waits_later)
		return false;
	g->waits = true;
	return ask_again(g);
}

/*
 * Of several products that were waited for, one may have become free long before the
 * last: all together are safe when each is at about one time. So they are asked again, at
 * once, and waited for again if one is not safe any more. Returns true when the answer is
 * not complete yet.
 */
static bool confirm(struct gathering *g)
{
	bool safe = worst_of(g) == SPG_VERDICT_SAFE;

	if (g->confirms) {
		g->confirms = false;
		g->waits = true;
		return !safe && spg_clock_mono_ns() < g->until_ns && ask_again(g);
	}
	if (!g->waits || !safe || g->n_answers < 2 ||
		spg_clock_wall_ns() - g->at_ns <= TOGETHER_NS)
		return false;
	g->confirms = true;
	g->waits = false;
	return ask_again(g);
}

static void finish(struct gathering *g)
{
	struct spg_call *call = g->call;

	if (narrow(g) || (g->err == 0 && confirm(g)))
		return;

	call->on_abandon = NULL;
	if (g->err == SPG_ERR_BUSY)
		spg_call_fail(call, SPG_RPC_BUSY, "ask again when it runs",
			"the daemon is stopping");
	else if (g->err == SPG_ERR_NOMEM)
		spg_call_fail_nomem(call);
	else if (g->err == SPG_ERR_NOT_FOUND)
		spg_call_fail(call, SPG_RPC_NO_PRODUCT, "ask again",
			"a product has gone in a reload of the configuration");
	else if (g->err < 0)
		spg_call_fail(call, SPG_RPC_INTERNAL, "the daemon's log says more",
			"the proof failed: %s", spg_err_text(g->err));
	else if (!g->n_answers && g->asked)
		spg_call_fail(call, SPG_RPC_NO_PRODUCT, "ask again",
			"the product has gone in a reload of the configuration");
	else
		spg_call_reply(call, g->subject == SUBJECT_CHECK ? compose_check(g)
								 : compose_rows(g));
	gathering_destroy(g);
}

static void note_paths_seen(struct gathering *g, const struct spg_proof *proof)
{
	const struct spg_verdict *verdict = proof->verdict;

	for (size_t i = 0; i < g->names.n; i++) {
		struct spg_path_filter one = {&g->names.names[i], 1};

		for (size_t k = 0; k < verdict->n_files && !g->path_seen[i]; k++)
			g->path_seen[i] = spg_path_filter_has(&one,
				proof->observation->product, verdict->files[k].path);
	}
}

/* What is known of whose files they are; NULL: nothing. */
static const struct spg_packages *packages_of(const struct spg_service *service)
{
	return service->owners ? spg_owners_known(service->owners, NULL) : NULL;
}

static int take_rows(struct question *q, const struct spg_proof *proof)
{
	struct gathering *g = q->gathering;
	struct spg_path_filter filter = {g->names.names, g->names.n};
	int r;

	q->answer = json_array();
	q->coverage = json_array();
	if (!q->answer || !q->coverage)
		return SPG_ERR_NOMEM;
	note_paths_seen(g, proof);
	r = g->subject == SUBJECT_WHO ? spg_render_files(q->answer, proof, &filter,
						packages_of(g->call->service), g->all)
	                              : spg_render_locks(q->answer, proof, &filter);
	return r < 0 ? r : spg_render_coverage(q->coverage, proof);
}

static int take_check(struct question *q, const struct spg_proof *proof)
{
	struct gathering *g = q->gathering;
	struct spg_verdict verdict = *proof->verdict;
	struct spg_proof told = *proof;
	struct spg_offer offer;

	if (q->expected.n > 0) {
		spg_module_set_unref(q->installed);
		q->installed = spg_module_set_ref(
			spg_tracker_installed(g->call->service->tracker, q->name));
	}
	if (spg_offer_init(&offer, &q->expected, q->installed, proof) < 0)
		return SPG_ERR_NOMEM;
	verdict.next = (struct spg_notes)SPG_NOTES_NULL;
	told.verdict = &verdict;
	if (spg_advise_asker(&proof->verdict->next, g->lineage, g->n_lineage,
		    &verdict.next) == 0)
		q->answer = spg_render_check(&told, g->call->service->watch->tier,
			q->expected.n > 0 ? &offer : NULL, g->all);
	spg_notes_finish(&verdict.next);
	spg_offer_finish(&offer);
	q->verdict = proof->verdict->kind;
	q->without_blocked = proof->verdict->without_blocked;
	q->concerned =
		proof->observation->unlisted ||
		(proof->observation->n_missing > 0 &&
			(!g->by_payload || spg_payload_leads_into_missing(
						   g->params, proof->observation)));
	for (size_t i = 0; i < proof->verdict->n_files && !q->concerned; i++)
		q->concerned = proof->verdict->files[i].seen != SPG_NO_FILE;
	if (q->answer && q->waited && !proof->waited &&
		json_object_set(q->answer, "waited", q->waited) < 0)
		return SPG_ERR_NOMEM;
	return q->answer ? 0 : SPG_ERR_NOMEM;
}

/* A question has been answered, or cannot be. */
static void end_question(struct gathering *g, int err)
{
	/* One of several that went away in a reload is no fault. */
	if (err < 0 && err != SPG_ERR_NOT_FOUND)
		g->err = err;
	if (--g->n_pending == 0)
		finish(g);
}

static void on_looked(void *user, bool running)
{
	struct question *q = user;
	struct gathering *g = q->gathering;
	struct spg_tracker *tracker = g->call->service->tracker;
	int err;

	(void)running; /* the verdict says so */
	q->looks = false;
	q->looked =
		++q->n_looks == LOOKS_MAX || spg_clock_mono_ns() >= q->look_until_ns;
	if (q->looked)
		spg_tracker_doubt(tracker, q->name);
	err = ask(g, q);
	end_question(g, err);
}

/* The survey saw that files are not what they were: that may be an install which left
 * something out. Nothing rests on what was read before. */
static bool waits_for_look(struct question *q, const struct spg_proof *proof)
{
	struct gathering *g = q->gathering;
	struct spg_tracker *tracker = g->call->service->tracker;
	enum spg_verdict_kind kind = proof->verdict->kind;
	int64_t left_ns;

	if (g->subject != SUBJECT_CHECK || q->looked ||
		((kind == SPG_VERDICT_BLOCKED || kind == SPG_VERDICT_UNKNOWN) &&
			q->expected.n == 0) ||
		!spg_tracker_is_behind(tracker, q->name))
		return false;
	if (q->look_until_ns == 0)
		q->look_until_ns = spg_clock_mono_ns() + LOOK_NS;
	left_ns = q->look_until_ns - spg_clock_mono_ns();
	if (spg_tracker_wait(tracker, q->name, left_ns, on_looked, q) < 0)
		return false;
	q->looks = true;
	return true;
}

static void on_proof(void *user, int err, const struct spg_proof *proof)
{
	struct question *q = user;
	struct gathering *g = q->gathering;

	q->pending = false;
	if (err == 0 && waits_for_look(q, proof))
		return;
	if (err == 0) {
		err = g->subject == SUBJECT_CHECK ? take_check(q, proof)
		                                  : take_rows(q, proof);
		if (!g->at_ns || proof->at_ns < g->at_ns)
			g->at_ns = proof->at_ns;
		g->n_answers++;
	}
	end_question(g, err);
}

/* True when @path, absolute, lies with another product and not with @product. */
static bool is_elsewhere(const struct spg_model *model,
	const struct spg_product *product, const char *path)
{
	if (!spg_path_is_absolute(path) || spg_product_covers(product, path))
		return false;
	for (size_t i = 0; i < spg_model_n_products(model); i++)
		if (spg_product_covers(spg_model_product(model, i), path))
			return true;
	return false;
}

/* True when @product is asked about @path. */
static bool is_selected(
	const struct gathering *g, const struct spg_product *product, const char *path)
{
	if (g->watched && spg_path_is_absolute(path) &&
		!spg_product_has_path(product, path))
		return false;
	return g->single || !is_elsewhere(g->call->service->model, product, path);
}

/* What to ask about one product: all names, but for paths of another one. The
 * names are borrowed; the caller frees the arrays. */
static int select_names(
	const struct gathering *g, const struct question *q, struct spg_selection *ret)
{
	const struct spg_product *product =
		spg_model_product(g->call->service->model, q->product);

	ret->names = calloc(g->names.n + 1, sizeof(*ret->names));
	ret->sizes = calloc(g->names.n + 1, sizeof(*ret->sizes));
	ret->places = g->places ? calloc(g->names.n + 1, sizeof(*ret->places)) : NULL;
	ret->n_names = 0;
	if (!ret->names || !ret->sizes || (g->places && !ret->places))
		return SPG_ERR_NOMEM;
	for (size_t i = 0; i < g->names.n; i++) {
		if (!is_selected(g, product, g->names.names[i]))
			continue;
		ret->sizes[ret->n_names] = g->names.sizes[i];
		if (g->places)
			ret->places[ret->n_names] = g->places[i];
		ret->names[ret->n_names++] = g->names.names[i];
	}
	return 0;
}

/* What the payload would do, to be told with the answer; the verdict is not built on
 * it, since the installed files were read at another moment. */
static int take_offer(struct question *q)
{
	const struct spg_service *service = q->gathering->call->service;
	const struct spg_product *product =
		spg_model_product(service->model, q->product);

	spg_expected_finish(&q->expected);
	return spg_params_payload(q->gathering->params, product, &q->expected);
}

static int ask(struct gathering *g, struct question *q)
{
	struct spg_prover *prover = g->call->service->prover;
	struct spg_selection selection = {.own = g->watched};
	bool selects = g->subject == SUBJECT_CHECK && g->names.names, none = false;
	int r = 0;

	/* A reload between the two times of asking. */
	if (q->name) {
		int index = spg_model_find_product(g->call->service->model, q->name);

		if (index < 0)
			return SPG_ERR_NOT_FOUND;
		q->product = (size_t)index;
	} else {
		q->name = strdup(
			spg_model_product(g->call->service->model, q->product)->name);
		if (!q->name)
			return SPG_ERR_NOMEM;
	}
	if (selects)
		r = select_names(g, q, &selection);
	/* Without a name it would be a question about all of the product's files. */
	none = r == 0 && g->watched && selection.n_names == 0;
	if (r == 0 && selects && !none)
		r = take_offer(q);
	if (none)
		r = 0;
	else if (r == 0 && g->waits)
		r = spg_prover_wait(prover, q->product, selects ? &selection : NULL,
			&(struct spg_wait){.wait_ns = g->until_ns - spg_clock_mono_ns(),
				.settle_ns = g->settle_ns,
				.learns = g->learns},
			on_proof, q);
	else if (r == 0)
		r = spg_prover_ask(prover, q->product, selects ? &selection : NULL,
			g->subject != SUBJECT_CHECK, on_proof, q);
	free(selection.names);
	free(selection.sizes);
	free(selection.places);
	if (r == 0 && !none) {
		g->asked = true;
		q->pending = true;
		g->n_pending++;
	}
	return r;
}

static void ask_all(struct gathering *g, int product)
{
	struct spg_call *call = g->call;
	int r = 0;

	call->data = g;
	call->on_abandon = on_abandon;
	for (size_t i = 0; r == 0 && i < g->n_questions; i++) {
		g->questions[i].gathering = g;
		g->questions[i].product = product >= 0 ? (size_t)product : i;
		r = ask(g, &g->questions[i]);
	}
	if (r == 0 && g->n_pending == 0) {
		g->at_ns = spg_clock_wall_ns();
		finish(g);
	}
	if (r == 0)
		return;
	withdraw(g);
	call->on_abandon = NULL;
	gathering_destroy(g);
	spg_call_fail_nomem(call);
}

/* Where a package puts @file, if something is there and by its path no product has it. */
static struct spg_selected_place place_of(
	const struct spg_model *model, const json_t *file)
{
	const struct spg_selected_place nowhere = {.path = NULL};
	const json_t *there = json_object_get(file, "there");
	const char *path = there ? spg_params_text(file, "path") : NULL;

	if (!path || !spg_path_is_absolute(path))
		return nowhere;
	for (size_t i = 0; i < spg_model_n_products(model); i++)
		if (spg_product_covers(spg_model_product(model, i), path))
			return nowhere;
	return (struct spg_selected_place){.path = (char *)path,
		.id = {(uint64_t)json_integer_value(json_object_get(there, "dev")),
			(uint64_t)json_integer_value(json_object_get(there, "ino"))},
		.is_program = json_is_true(json_object_get(there, "program"))};
}

/* Once for all products. Returns false when memory is short. */
static bool find_places(struct gathering *g)
{
	const json_t *payload = json_object_get(g->params, "payload");

	if (!g->by_payload || g->names.n == 0)
		return true;
	g->places = calloc(g->names.n, sizeof(*g->places));
	for (size_t i = 0; g->places && i < g->names.n; i++)
		g->places[i] =
			place_of(g->call->service->model, json_array_get(payload, i));
	return g->places != NULL;
}

/* Everything that the three methods have in common. NULL: the call has ended. */
static struct gathering *gather(struct spg_call *call, const json_t *params,
	enum subject subject, int *ret_product)
{
	size_t n_products = spg_model_n_products(call->service->model);
	const char *names = "names";
	struct gathering *g;

	if (!spg_params_product(call, params, ret_product))
		return NULL;
	if (!n_products) {
		spg_call_fail(call, SPG_RPC_NO_PRODUCT,
			"add a [product NAME] to the configuration",
			"there is no product to ask about");
		return NULL;
	}
	if (*ret_product >= 0)
		n_products = 1;
	g = calloc(1, sizeof(*g) + n_products * sizeof(g->questions[0]));
	if (!g) {
		spg_call_fail_nomem(call);
		return NULL;
	}
	g->call = call;
	if (call->asker && call->asker->peer)
		g->n_lineage = spg_platform_lineage(
			call->asker->peer->pid, g->lineage, LINEAGE_MAX);
	g->params = params ? json_incref((json_t *)params) : NULL;
	g->subject = subject;
	g->all = json_is_true(json_object_get(params, "all"));
	g->single = n_products == 1;
	g->n_questions = n_products;
	if (subject != SUBJECT_CHECK)
		names = "paths";
	else if (!json_is_array(json_object_get(params, names)))
		names = "payload";
	g->by_payload = strcmp(names, "payload") == 0;
	if (!spg_params_names(call, params, names, &g->names)) {
		gathering_destroy(g);
		return NULL;
	}
	if (!find_places(g)) {
		gathering_destroy(g);
		spg_call_fail_nomem(call);
		return NULL;
	}
	return g;
}

void spg_method_check(struct spg_call *call, const json_t *params)
{
	const json_t *wait = json_object_get(params, "wait");
	const json_t *settle = json_object_get(params, "settle");
	struct gathering *g;
	int product;

	if (!spg_params_payload_paths(call, params))
		return;
	g = gather(call, params, SUBJECT_CHECK, &product);
	if (!g)
		return;
	g->watched = json_is_true(json_object_get(params, "watched")) && g->names.names;
	if (settle && !json_is_number(wait)) {
		gathering_destroy(g);
		spg_call_fail(call, SPG_RPC_BAD_PARAMS, "give \"wait\" too",
			"parameter \"settle\": says how long the files have to stay "
			"free "
			"at the end of a wait");
		return;
	}
	if (!spg_params_expect(call, params, product)) {
		gathering_destroy(g);
		return;
	}
	if (json_is_number(wait)) {
		g->until_ns = spg_clock_mono_ns() +
		              (int64_t)(json_number_value(wait) * SPG_NS_PER_S);
		g->settle_ns =
			json_is_number(settle)
				? (int64_t)(json_number_value(settle) * SPG_NS_PER_S)
				: SETTLE_DEFAULT_NS;
		g->learns = !settle;
		g->waits_later = !g->single && g->names.names;
		g->waits = !g->waits_later;
	}
	ask_all(g, product);
}

/* Could a survey of @product have looked at @path? */
static bool may_have(const struct spg_product *product, const char *path)
{
	if (!spg_path_is_absolute(path))
		return spg_product_has_name(product, path);
	if (spg_product_covers(product, path))
		return true;
	for (size_t i = 0; i < product->n_directories; i++) {
		if (spg_name_equal(
			    product->directories[i].path, path, product->ignore_case))
			return true;
	}
	return false;
}

static void list_directories(
	struct spg_buf *out, const struct spg_model *model, int product)
{
	const char *separator = "the products have: ";

	for (size_t i = 0; i < spg_model_n_products(model); i++) {
		const struct spg_product *p = spg_model_product(model, i);

		if (product >= 0 && (size_t)product != i)
			continue;
		for (size_t k = 0; k < p->n_directories; k++) {
			spg_buf_printf(out, "%s%s", separator, p->directories[k].path);
			separator = ", ";
		}
	}
}

/* Nobody looks at what no product has: to answer "nobody" would be a lie. */
static bool check_paths(struct gathering *g, int product)
{
	const struct spg_model *model = g->call->service->model;
	size_t n = spg_model_n_products(model);

	for (size_t i = 0; i < g->names.n; i++) {
		struct spg_buf quoted = SPG_BUF_NULL, known = SPG_BUF_NULL;
		const char *path = g->names.names[i];
		bool found = false;

		for (size_t k = 0; k < n && !found; k++)
			found = (product < 0 || (size_t)product == k) &&
			        may_have(spg_model_product(model, k), path);
		if (found)
			continue;
		spg_text_escape(&quoted, path, false);
		list_directories(&known, model, product);
		spg_call_fail(g->call, SPG_RPC_BAD_PARAMS, spg_buf_text(&known),
			"parameter \"paths\": no product watches %s",
			quoted.len > 4096 ? "(a long path)" : spg_buf_text(&quoted));
		spg_buf_finish(&quoted);
		spg_buf_finish(&known);
		return false;
	}
	return true;
}

static void ask_about_paths(
	struct spg_call *call, const json_t *params, enum subject subject)
{
	int product;
	struct gathering *g = gather(call, params, subject, &product);

	if (!g)
		return;
	if (!check_paths(g, product)) {
		gathering_destroy(g);
		return;
	}
	g->path_seen = calloc(g->names.n + 1, sizeof(*g->path_seen));
	if (!g->path_seen) {
		gathering_destroy(g);
		spg_call_fail_nomem(call);
		return;
	}
	ask_all(g, product);
}

void spg_method_who(struct spg_call *call, const json_t *params)
{
	ask_about_paths(call, params, SUBJECT_WHO);
}

void spg_method_locks(struct spg_call *call, const json_t *params)
{
	ask_about_paths(call, params, SUBJECT_LOCKS);
}
