/* SPDX-License-Identifier: MIT */
#include "tests/unit/model_help.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/text.h"

static const struct spg_process_info people[] = {
	{.id = {2113, 77},
		.started_ns = 50,
		.name = "perfmon",
		.exe = "/usr/bin/perfmon",
		.unit = "perfmon.service"},
	{.id = {2200, 78}, .name = "scanner", .exe = "/opt/av/scanner"},
	{.id = {2300, 79}, .name = "Store.EXE", .unit = "exchange-store.service"},
	{.id = {2301, 80}, .name = "wine-preloader", .exe = "/srv/bin/dsamain.exe"},
	{.id = {1, 1}, .name = "systemd"},
	{.id = {400, 5},
		.name = "dbus-daemon",
		.unit = "dbus.service",
		.unit_refuses_stop = true},
	{.id = {2400, 81},
		.name = "indexer",
		.unit = "indexer.service",
		.unit_user = "mia"},
	{.id = {2401, 82}, .name = "odd", .unit = "a b;reboot.service"},
	{.id = {2402, 83}, .name = "evil\nkill -9 1 # \x1b[2J"},
	{.id = {2403, 84}, .unit_user = NULL},
	/* The same pid later. */
	{.id = {2113, 9000}, .started_ns = 500, .name = "perfmon2"},
	{.id = {2404, 85}, .name = "young", .started_ns = 250},
	{.id = {2405, 86}, .name = "wineserver64"},
	{.id = {2406, 87},
		.name = "nginx",
		.engine = SPG_CONTAINER_DOCKER,
		.container = "3f2a9c0123456789abcdef0123456789abcdef0123456789abcdef012"
			     "3456789"},
	{.id = {2407, 88},
		.name = "web",
		.engine = SPG_CONTAINER_PODMAN,
		.container = "9",
		.unit_user = "mia"},
	{.id = {2408, 89},
		.name = "pod",
		.engine = SPG_CONTAINER_KUBERNETES,
		.container = "88"},
	{.id = {2409, 90},
		.name = "task",
		.engine = SPG_CONTAINER_CONTAINERD,
		.container = "k8s.io/it's"},
	{.id = {2410, 91},
		.name = "garden",
		.engine = SPG_CONTAINER_OTHER,
		.container = "g"},
	{.id = {2411, 92},
		.name = "systemd",
		.user = "mia",
		.unit = "user@1000.service"},
	{.id = {2412, 93},
		.name = "print",
		.unit = "cups.service",
		.unit_triggers = "cups.socket a\\x2db.path"},
};

/* How the rows are called in texts. */
static const char *const names[] = {"perfmon", "scanner", "store", "dsamain", "init",
	"refuser", "indexer", "odd", "evil", "nameless", "perfmon2", "young", "wine",
	"docker", "podman", "kubernetes", "containerd", "garden", "manager",
	"triggered"};

#define N_PEOPLE (sizeof(people) / sizeof(people[0]))

static const struct spg_process_info *find_person(const char *who)
{
	for (size_t i = 0; i < N_PEOPLE; i++)
		if (strcmp(names[i], who) == 0)
			return &people[i];
	ck_abort_msg("there is no process \"%s\" in these tests", who);
	return NULL;
}

static const char *name_of(const struct spg_process *process)
{
	if (!process)
		return "-";
	for (size_t i = 0; i < N_PEOPLE; i++)
		if (spg_proc_id_equal(people[i].id, process->id))
			return names[i];
	return process->name ? process->name : "?";
}

struct spg_process *help_process(const char *who)
{
	struct spg_process *process = spg_process_create(find_person(who));

	ck_assert_ptr_nonnull(process);
	return process;
}

struct spg_proc_id help_id(const char *who)
{
	return find_person(who)->id;
}

struct spg_product *help_plain_product(
	const char *name, const char *directory, const char *pattern)
{
	struct spg_product *p = spg_product_create(name);

	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(spg_product_add_directory(p, directory, "test:1"), 0);
	ck_assert_int_eq(spg_product_add_pattern(p, pattern), 0);
	return p;
}

struct spg_product *help_product(void)
{
	struct spg_product *p = help_plain_product("exchange", HELP_DIR, "*.dll");

	p->ignore_case = true;
	ck_assert_int_eq(spg_product_add_directory(p, "/srv/system32", "test:2"), 0);
	ck_assert_int_eq(spg_product_add_setup_stop(p, "store.exe"), 0);
	ck_assert_int_eq(spg_product_add_setup_stop(p, "dsamain.exe"), 0);
	ck_assert_int_eq(
		spg_product_add_advice(p, "*perf.dll", "Stop Performance Monitor."), 0);
	return p;
}

/* "a.dll" stands for "/srv/bin/a.dll". */
static char *full_path(const char *name)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_printf(&buf, "%s%s", name[0] == '/' ? "" : HELP_DIR "/", name);
	return spg_buf_take(&buf);
}

static struct spg_file *make_file(const char *name)
{
	char *path = full_path(name);
	struct spg_file_id id = {8, 0};
	struct spg_file *file;

	/* The same path is the same inode in each survey. */
	for (const char *c = path; *c; c++)
		id.ino = id.ino * 31 + (unsigned char)*c;
	file = spg_file_create(path, id);
	free(path);
	ck_assert_ptr_nonnull(file);
	return file;
}

static size_t find_file(const struct spg_observation *obs, const char *name)
{
	char *path = full_path(name);
	size_t i = obs->n_files;

	/* The last one counts: an old version may stand before it. */
	while (i > 0 && strcmp(obs->files[i - 1].file->path, path) != 0)
		i--;
	free(path);
	ck_assert_msg(i > 0, "no file \"%s\"", name);
	return i - 1;
}

static unsigned parse_how(char *text)
{
	unsigned how = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, "+", &save); word;
		word = strtok_r(NULL, "+", &save)) {
		unsigned bit = 0;

		for (int i = 0; i < SPG_USE_HOWS; i++)
			if (strcmp(word, spg_use_how_name(1 << i)) == 0)
				bit = 1U << i;
		ck_assert_msg(bit, "no how \"%s\"", word);
		how |= bit;
	}
	return how;
}

/* The bit of the kind called @name; 0: none is. */
static unsigned obstacle_bit(const char *name)
{
	for (int i = 0; i < SPG_OBSTACLE_N_KINDS; i++)
		if (strcmp(name, spg_obstacle_kind_name((enum spg_obstacle_kind)i)) ==
			0)
			return SPG_OBSTACLE_BIT(i);
	return 0;
}

/* Files that follow lie there. */
static void add_mount(struct spg_observation *obs, char *const *words, size_t n)
{
	struct spg_seen_mount mount = {
		.place = words[1], .type = words[2], .dev = obs->n_mounts};

	for (size_t i = 3; i < n; i++) {
		if (strcmp(words[i], "bare") == 0)
			mount.bare = true;
		else if (strcmp(words[i], "failed") == 0)
			mount.failed = true;
		else if (strcmp(words[i], "loop") == 0)
			mount.on_loop = true;
		else if (words[i][0] == '/')
			mount.device = words[i];
		else if (strncmp(words[i], "blocks:", 7) == 0) {
			mount.block_bytes = 1000;
			mount.n_blocks = 100000;
			mount.free_blocks = strtoull(words[i] + 7, NULL, 10);
		} else if (strncmp(words[i], "inodes:", 7) == 0) {
			mount.n_inodes = 100;
			mount.free_inodes = strtoull(words[i] + 7, NULL, 10);
		}
		mount.obstacles |= obstacle_bit(words[i]);
	}
	ck_assert_int_eq(spg_observation_add_mount(obs, &mount), 0);
}

static void add_folder(struct spg_observation *obs, char *const *words, size_t n)
{
	struct spg_seen_folder folder = {.path = words[1], .mount = obs->n_mounts - 1};

	for (size_t i = 2; i < n; i++) {
		if (words[i][0] == '/')
			folder.bar = words[i];
		folder.obstacles |= obstacle_bit(words[i]);
	}
	ck_assert_int_eq(spg_observation_add_folder(obs, &folder), 0);
}

static void add_file(struct spg_observation *obs, char *const *words, size_t n)
{
	static const char *const census[] = {"free", "busy", "unknown"};
	enum spg_presence presence = SPG_PRESENT;
	struct spg_file *file = make_file(words[1]);
	bool unattributed = false, otherwise = false, shared = false, kept = false;
	unsigned obstacles = 0;
	uint64_t bytes = 0;
	int found = -1;

	for (int i = 0; i < 3; i++)
		if (strcmp(words[2], census[i]) == 0)
			found = i;
	ck_assert_msg(found >= 0, "no census \"%s\"", words[2]);
	for (size_t i = 3; i < n; i++) {
		if (strcmp(words[i], "replaced") == 0)
			presence = SPG_REPLACED;
		else if (strcmp(words[i], "gone") == 0)
			presence = SPG_GONE;
		else if (strcmp(words[i], "unattributed") == 0)
			unattributed = true;
		else if (strcmp(words[i], "shared") == 0)
			shared = true;
		else if (strcmp(words[i], "asked-otherwise") == 0)
			otherwise = true;
		else if (strcmp(words[i], "kept") == 0)
			kept = true;
		else if (strcmp(words[i], "fresh") == 0)
			file->id.ino++;
		else if (obstacle_bit(words[i]))
			obstacles |= obstacle_bit(words[i]);
		else if (strncmp(words[i], "bytes:", 6) == 0)
			bytes = strtoull(words[i] + 6, NULL, 10);
		else
			ck_abort_msg("what is \"%s\"?", words[i]);
	}
	ck_assert_int_eq(
		spg_observation_add_file(obs, file, presence, (enum spg_in_use)found),
		0);
	obs->files[obs->n_files - 1].unattributed = unattributed;
	obs->files[obs->n_files - 1].shared = shared;
	obs->files[obs->n_files - 1].asked_otherwise = otherwise;
	obs->files[obs->n_files - 1].kept = kept;
	obs->files[obs->n_files - 1].obstacles = obstacles;
	obs->files[obs->n_files - 1].bytes = bytes;
	if (obs->n_folders > 0)
		obs->files[obs->n_files - 1].folder = obs->n_folders - 1;
	spg_file_unref(file);
}

static void add_use(struct spg_observation *obs, char *const *words)
{
	struct spg_process *process = help_process(words[2]);

	ck_assert_int_eq(spg_observation_add_use(obs, find_file(obs, words[1]), process,
				 parse_how(words[3])),
		0);
	spg_process_unref(process);
}

static void add_lock(struct spg_observation *obs, char *const *words)
{
	struct spg_seen_lock lock = {.file = find_file(obs, words[1]),
		.state = strcmp(words[3], "held") == 0 ? SPG_LOCK_HELD
	                                               : SPG_LOCK_WAITING,
		.mode = strcmp(words[5], "read") == 0 ? SPG_LOCK_READ : SPG_LOCK_WRITE,
		.start = strtoll(words[6], NULL, 10),
		.end = strcmp(words[7], "eof") == 0 ? SPG_LOCK_EOF
	                                            : strtoll(words[7], NULL, 10)};
	int kind = 0;

	while (kind < SPG_LOCK_KINDS &&
		strcmp(words[4], spg_lock_kind_name((enum spg_lock_kind)kind)) != 0)
		kind++;
	ck_assert_msg(kind < SPG_LOCK_KINDS, "no kind \"%s\"", words[4]);
	lock.kind = (enum spg_lock_kind)kind;
	if (strcmp(words[2], "-") != 0)
		lock.process = help_process(words[2]);
	ck_assert_int_eq(spg_observation_add_lock(obs, &lock), 0);
	spg_process_unref(lock.process);
}

static void add_keeper(struct spg_observation *obs, char *const *words, size_t n)
{
	static const char *const kinds[] = {"probe", "mount", "detached", "layer"};
	struct spg_seen_keeper keeper = {.file = find_file(obs, words[1]),
		.here = n == 6 && strcmp(words[5], "here") == 0};
	int kind = 0;

	while (kind < 4 && strcmp(words[3], kinds[kind]) != 0)
		kind++;
	ck_assert_msg(kind < 4, "no kind \"%s\"", words[3]);
	keeper.kind = (enum spg_keeper_kind)kind;
	if (strcmp(words[4], "-") != 0)
		keeper.place = words[4];
	if (strcmp(words[2], "-") != 0)
		keeper.process = help_process(words[2]);
	ck_assert_int_eq(spg_observation_add_keeper(obs, &keeper), 0);
	spg_process_unref(keeper.process);
}

static char *copy_of(const char *text)
{
	char *copy = strdup(text);

	ck_assert_ptr_nonnull(copy);
	return copy;
}

static void set_state(struct spg_process_state *state, const char *word)
{
	if (strcmp(word, "stopped") == 0) {
		state->stopped = true;
	} else if (strcmp(word, "dumping") == 0) {
		state->dumping = true;
	} else if (strcmp(word, "stuck") == 0) {
		state->stuck = true;
		snprintf(state->waits_in, sizeof(state->waits_in), "io_schedule");
	} else if (strcmp(word, "deaf") == 0) {
		state->deaf = true;
	} else if (strcmp(word, "traced") == 0) {
		state->tracer = 88;
		snprintf(state->tracer_name, sizeof(state->tracer_name), "g\ndb");
	} else if (strcmp(word, "frozen") == 0) {
		state->frozen_at = copy_of("/sys/fs/cgroup/it's");
	} else if (strcmp(word, "frozen-unit") == 0) {
		state->frozen_at =
			copy_of("/sys/fs/cgroup/system.slice/perfmon.service");
	} else if (strcmp(word, "frozen-v1") == 0) {
		state->frozen_at = copy_of("/sys/fs/cgroup/freezer/a");
		state->frozen_v1 = true;
	} else if (strcmp(word, "in-runit") == 0) {
		state->supervisor = SPG_SUPERVISOR_RUNIT;
		state->supervised_itself = true;
		state->service = copy_of("/etc/sv/a b");
	} else if (strcmp(word, "below-s6") == 0) {
		state->supervisor = SPG_SUPERVISOR_S6;
		state->service = copy_of("/run/s6/a");
	} else if (strcmp(word, "in-supervisord") == 0) {
		state->supervisor = SPG_SUPERVISOR_SUPERVISORD;
		state->supervised_itself = true;
	} else {
		ck_abort_msg("no state \"%s\"", word);
	}
}

static void add_state(struct spg_observation *obs, char *const *words, size_t n)
{
	struct spg_process *process = help_process(words[1]);
	size_t i = 0;

	if (obs->n_states == 0)
		ck_assert_int_eq(spg_observation_list_states(obs), 0);
	while (i < obs->n_states &&
		!spg_proc_id_equal(obs->states[i].process->id, process->id))
		i++;
	ck_assert_uint_lt(i, obs->n_states);
	for (size_t k = 2; k < n; k++)
		set_state(&obs->states[i].state, words[k]);
	spg_process_unref(process);
}

static void add_lack(struct spg_observation *obs, char *const *words)
{
	size_t file =
		strcmp(words[1], "*") == 0 ? SPG_NO_FILE : find_file(obs, words[1]);
	const struct spg_lack lack = {.kind = SPG_LACK_FILE,
		.file = file,
		.blinds = strcmp(words[2], "blinds") == 0,
		.what = words[3],
		.remedy = {"mend it", NULL}};

	ck_assert_int_eq(spg_observation_add_lack(obs, &lack, "it is %s", "dark"), 0);
}

static void add_statement(struct spg_observation *obs, char *statement)
{
	char *words[9], *save = NULL;
	size_t n = 0;

	for (char *word = strtok_r(statement, " \t", &save); word && n < 9;
		word = strtok_r(NULL, " \t", &save))
		words[n++] = word;
	if (n == 0)
		return;
	if (strcmp(words[0], "file") == 0 && n >= 3) {
		add_file(obs, words, n);
	} else if (strcmp(words[0], "installer") == 0 && n == 2) {
		obs->product->install_as = strdup(words[1]);
		ck_assert_ptr_nonnull(obs->product->install_as);
	} else if (strcmp(words[0], "mounted") == 0 && n >= 3) {
		add_mount(obs, words, n);
	} else if (strcmp(words[0], "folder") == 0 && n >= 2) {
		add_folder(obs, words, n);
	} else if (strcmp(words[0], "use") == 0 && n == 4) {
		add_use(obs, words);
	} else if (strcmp(words[0], "lock") == 0 && n == 8) {
		add_lock(obs, words);
	} else if (strcmp(words[0], "keeper") == 0 && n >= 5) {
		add_keeper(obs, words, n);
	} else if (strcmp(words[0], "state") == 0 && n >= 3) {
		add_state(obs, words, n);
	} else if (strcmp(words[0], "replaces") == 0 && n == 2) {
		int replacement = spg_replacement_from_name(words[1]);

		ck_assert_int_ge(replacement, 0);
		obs->product->replacement = (enum spg_replacement)replacement;
	} else if (strcmp(words[0], "lack") == 0 && n == 4) {
		add_lack(obs, words);
	} else if (strcmp(words[0], "uncounted") == 0 && n == 1) {
		obs->counted = false;
	} else if (strcmp(words[0], "hidden") == 0 && n == 2) {
		obs->hidden_why = strdup(words[1]);
		ck_assert_ptr_nonnull(obs->hidden_why);
	} else {
		ck_abort_msg("no statement: \"%s\"", words[0]);
	}
}

struct spg_observation *help_observe(struct spg_product *product,
	enum spg_survey_depth depth, int64_t at_ns, const char *text)
{
	struct spg_observation *obs = spg_observation_create(product, depth);
	char *copy = strdup(text), *save = NULL;

	ck_assert(obs && copy);
	obs->counted = true;
	for (char *statement = strtok_r(copy, ";\n", &save); statement;
		statement = strtok_r(NULL, ";\n", &save))
		add_statement(obs, statement);
	free(copy);
	obs->began_ns = obs->ended_ns = at_ns;
	obs->attributed = true;
	return obs;
}

static void put_counts(struct spg_buf *buf, const struct spg_verdict_counts *counts)
{
	const struct {
		const char *name;
		size_t n;
	} rows[] = {{"files", counts->files}, {"blocked", counts->blocked},
		{"open", counts->open}, {"mapped", counts->mapped},
		{"executing", counts->executing}, {"locked", counts->locked},
		{"waiting", counts->waiting}, {"unattributed", counts->unattributed},
		{"obstructed", counts->obstructed}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].n > 0)
			spg_buf_printf(buf, " %s=%zu", rows[i].name, rows[i].n);
	spg_buf_putc(buf, '\n');
}

static const char *short_path(const char *path)
{
	size_t n = sizeof(HELP_DIR);

	return strncmp(path, HELP_DIR "/", n) == 0 ? path + n : path;
}

char *help_verdict_text(const struct spg_verdict *verdict)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_puts(&buf, spg_verdict_name(verdict->kind));
	if (verdict->kind != SPG_VERDICT_BLOCKED)
		ck_assert_int_eq(verdict->without_blocked, verdict->kind);
	else if (verdict->counts.blocked > 0 &&
		 verdict->without_blocked != SPG_VERDICT_SAFE)
		spg_buf_printf(&buf, "/%s", spg_verdict_name(verdict->without_blocked));
	put_counts(&buf, &verdict->counts);
	for (size_t i = 0; i < verdict->n_files; i++) {
		const struct spg_judged_file *file = &verdict->files[i];

		spg_buf_printf(&buf, "  %s %s%s", short_path(file->path),
			spg_file_state_name(file->state),
			file->unattributed ? " (hidden)" : "");
		if (file->advice)
			spg_buf_printf(&buf, ": %s", file->advice);
		spg_buf_putc(&buf, '\n');
	}
	for (size_t i = 0; i < verdict->reasons.n; i++)
		spg_buf_printf(&buf, "? %s\n", verdict->reasons.items[i].text);
	for (size_t i = 0; i < verdict->next.n; i++)
		spg_buf_printf(&buf, "! %s\n", verdict->next.items[i].text);
	ck_assert(!buf.failed);
	return spg_buf_take(&buf);
}

static void put_how(struct spg_buf *buf, unsigned how)
{
	const char *between = " ";

	for (int i = 0; i < SPG_USE_HOWS; i++) {
		if (!(how & (1U << i)))
			continue;
		spg_buf_printf(buf, "%s%s", between, spg_use_how_name(1 << i));
		between = "+";
	}
}

static void put_event(struct spg_buf *buf, const struct spg_event *event)
{
	spg_buf_puts(buf, spg_event_kind_name(event->kind));
	if (event->kind == SPG_EVENT_VERDICT) {
		spg_buf_printf(buf, " %s at=%" PRId64 ": %s\n",
			spg_verdict_name(event->verdict), event->at_ns, event->detail);
		return;
	}
	if (event->file)
		spg_buf_printf(buf, " %s", short_path(event->file->path));
	spg_buf_printf(buf, " %s", name_of(event->process));
	if (event->kind == SPG_EVENT_USE_BEGIN || event->kind == SPG_EVENT_USE_END) {
		put_how(buf, event->how);
	} else {
		spg_buf_printf(buf, " %s %s %" PRId64 "-",
			spg_lock_kind_name(event->lock.kind),
			spg_lock_mode_name(event->lock.mode), event->lock.start);
		if (event->lock.end == SPG_LOCK_EOF)
			spg_buf_puts(buf, "eof");
		else
			spg_buf_printf(buf, "%" PRId64, event->lock.end);
	}
	spg_buf_printf(buf, " #%" PRId64 " at=%" PRId64 " since=%" PRId64 "\n",
		event->interval, event->at_ns, event->since_ns);
}

char *help_events_text(const struct spg_event_list *events)
{
	struct spg_buf buf = SPG_BUF_NULL;

	spg_buf_puts(&buf, "");
	for (size_t i = 0; i < events->n; i++)
		put_event(&buf, events->events[i]);
	ck_assert(!buf.failed);
	return buf.data ? spg_buf_take(&buf) : strdup("");
}

struct spg_event *help_event(
	enum spg_event_kind kind, int64_t at_ns, const char *name, const char *who)
{
	struct spg_file *file = make_file(name);
	struct spg_process *process = who ? help_process(who) : NULL;
	struct spg_event *event = spg_event_create(kind, at_ns, file, process);

	ck_assert_ptr_nonnull(event);
	spg_file_unref(file);
	spg_process_unref(process);
	return event;
}

void help_note(struct spg_notes *notes, enum spg_note_kind kind, const char *text)
{
	const struct spg_note note = {.kind = kind, .text = text};

	ck_assert_int_eq(spg_notes_add_copy(notes, &note), 0);
}
