/* SPDX-License-Identifier: MIT */
/*
 * spguard profile: the configuration of a product, made from what is installed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/client.h"
#include "client/profile_draft.h"
#include "client/profile_files.h"
#include "client/profile_install.h"
#include "client/profile_package.h"
#include "client/profile_relations.h"
#include "client/profile_shipped.h"
#include "client/profile_unit.h"
#include "common/defaults.h"
#include "common/message.h"
#include "common/text.h"

#define PID_MAX 4194304 /* proc(5), pid_max */

static const char help[] =
	"spguard profile: make the profile of an application that is installed\n"
	"\n"
	"Usage: spguard profile --package NAME | --unit UNIT | --pid PID | DIR...\n"
	"                       [--name NAME] [--install [--force]]\n"
	"                       [--products-dir DIR] [--profiles-dir DIR]\n"
	"\n"
	"      --package NAME  of a package that dpkg or rpm has, with the packages\n"
	"                      that belong to it\n"
	"      --unit UNIT     of a service: its program, and what its processes map\n"
	"      --pid PID       of a process: its program, and what it maps\n"
	"      --name NAME     the product's name (default: after what it is of)\n"
	"      --install       put it where the daemon reads it, and reload that\n"
	"      --force         over a profile of the same name\n"
	"      --products-dir DIR  where that is\n"
	"                      (default: " SPG_DEFAULT_PRODUCTS ")\n"
	"      --profiles-dir DIR  where profiles are whose advice is taken over\n"
	"                      (default: " SPG_DEFAULT_PROFILES ")\n"
	"      --json --utc --no-color --socket PATH --timeout TIME -h\n"
	"                      as for every command: spguard --help\n"
	"\n"
	"The profile names the directories of programs and libraries and patterns for\n"
	"them, the programs that the package's scripts stop, the command that stops\n"
	"others, and the advice of a shipped profile that is about the same "
	"programs;\n"
	"its comments say where that comes from. In a directory that is "
	"shared\n"
	"with others, such as /usr/bin, files are named one by one. Read it: what is\n"
	"started in some other way, or loaded later, it cannot know.\n"
	"\n"
	"Exit code: 0, 1 when there is no profile or it was not taken, 2 for bad "
	"usage.\n"
	"\n"
	"Examples:\n"
	"  spguard profile --package nginx --install && spguard check\n"
	"  spguard profile --unit postgresql@15-main.service\n"
	"  spguard profile --name shop /opt/shop >/etc/spguard/products/shop.conf\n";

enum {
	OPT_PACKAGE = 1,
	OPT_UNIT,
	OPT_PID,
	OPT_NAME,
	OPT_INSTALL,
	OPT_FORCE,
	OPT_PRODUCTS_DIR,
	OPT_PROFILES_DIR
};

static const struct option long_options[] = {
	{"package", required_argument, NULL, OPT_PACKAGE},
	{"unit", required_argument, NULL, OPT_UNIT},
	{"pid", required_argument, NULL, OPT_PID},
	{"name", required_argument, NULL, OPT_NAME},
	{"install", no_argument, NULL, OPT_INSTALL},
	{"force", no_argument, NULL, OPT_FORCE},
	{"products-dir", required_argument, NULL, OPT_PRODUCTS_DIR},
	{"profiles-dir", required_argument, NULL, OPT_PROFILES_DIR},
	{NULL, 0, NULL, 0},
};

struct order {
	const char *package, *unit, *pid, *name;
	int64_t number; /* of --pid */
	char **directories;
	int n_directories;
	const char *products; /* where profiles are */
	const char *shipped;  /* where those are that came with spguard */
	bool install, force;
};

static void take_option(struct order *order, int option)
{
	switch (option) {
	case OPT_PACKAGE:
		order->package = optarg;
		break;
	case OPT_UNIT:
		order->unit = optarg;
		break;
	case OPT_PID:
		order->pid = optarg;
		break;
	case OPT_NAME:
		order->name = optarg;
		break;
	case OPT_INSTALL:
		order->install = true;
		break;
	case OPT_FORCE:
		order->force = true;
		break;
	case OPT_PRODUCTS_DIR:
		order->products = optarg;
		break;
	case OPT_PROFILES_DIR:
		order->shipped = optarg;
		break;
	}
}

/* False: a usage error was said, *@ret_exit. */
static bool check_subject(
	const struct spg_client *client, struct order *order, int *ret_exit)
{
	int n = (order->package != NULL) + (order->unit != NULL) +
	        (order->pid != NULL) + (order->n_directories > 0);

	if (n != 1) {
		*ret_exit = spg_client_usage(client,
			n ? "--package, --unit, --pid and DIR exclude each other: "
			    "give one of them"
			  : "of what? Give --package, --unit, --pid or DIR");
		return false;
	}
	if (order->package && !spg_package_is_name(order->package)) {
		*ret_exit = spg_client_usage(
			client, "'%s' is no name of a package", order->package);
		return false;
	}
	return !order->pid || spg_client_number(client, "--pid", order->pid, PID_MAX,
				      &order->number, ret_exit);
}

static bool check_rest(
	const struct spg_client *client, const struct order *order, int *ret_exit)
{
	*ret_exit = 0;
	if (order->name && (!spg_name_is_product(order->name) || order->name[0] == '.'))
		*ret_exit = spg_client_usage(client,
			"'%s' is no name of a product: up to %d letters a-z, digits, "
			"\"_\", \"-\" and \".\", which does not come first",
			order->name, SPG_PRODUCT_NAME_MAX);
	else if (order->force && !order->install)
		*ret_exit = spg_client_usage(
			client, "--force is about --install: give that too");
	else if (order->products[0] != '/')
		*ret_exit = spg_client_usage(client,
			"--products-dir takes an absolute path, not '%s'",
			order->products);
	for (int i = 0; *ret_exit == 0 && i < order->n_directories; i++)
		if (order->directories[i][0] != '/')
			*ret_exit = spg_client_usage(client,
				"'%s' is not absolute: write it from / on",
				order->directories[i]);
	return *ret_exit == 0;
}

/* ---- the profile ---- */

/* The name of an application's own folder: of /opt/shop/bin rather "shop". */
static void name_after_folder(struct spg_profile *profile, const char *path)
{
	static const char *const plain[] = {"bin", "lib", "lib64", "sbin", "libexec"};
	const char *name = spg_path_base(path);
	size_t up = (size_t)(name - path);
	char *parent;

	spg_profile_set_name(profile, name);
	parent = up > 1 ? strndup(path, up - 1) : NULL;
	for (size_t i = 0; parent && i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(name, plain[i]) == 0 && spg_path_base(parent)[0])
			spg_profile_set_name(profile, spg_path_base(parent));
	free(parent);
}

static bool add_directory(
	struct spg_profile *profile, const char *path, struct spg_complaint *why)
{
	char *resolved = realpath(path, NULL);
	bool good = false;
	struct stat st;

	if (!resolved || stat(resolved, &st) < 0 || !S_ISDIR(st.st_mode)) {
		spg_complain(why, "%s: %s", path,
			resolved ? "this is no directory" : strerror(errno));
	} else if (spg_directory_is_common(resolved)) {
		spg_complain(why, "%s is shared by all programs", resolved);
		spg_complaint_hint(why,
			"Name the package, the unit or the process: --package, --unit, "
			"--pid");
	} else if (strlen(resolved) > SPG_PROFILE_PATH_MAX ||
		   !spg_text_is_clean(resolved)) {
		spg_complain(why, "%s: a configuration cannot name it", resolved);
	} else if (spg_modules_below(
			   resolved, &profile->files, &profile->windows, why)) {
		if (profile->name.len == 0)
			name_after_folder(profile, resolved);
		good = spg_texts_add_new(&profile->trees, resolved) == 0;
	}
	free(resolved);
	return good;
}

static bool fill(struct spg_profile *profile, const struct order *order,
	struct spg_complaint *why)
{
	bool good = true;

	if (order->package)
		return spg_profile_of_package(profile, order->package, why);
	if (order->pid)
		return spg_profile_of_process(profile, (pid_t)order->number, why);
	if (order->unit) {
		struct spg_buf unit = SPG_BUF_NULL;

		spg_buf_printf(&unit, "%s%s", order->unit,
			spg_unit_is_name(order->unit) ? "" : ".service");
		good = spg_unit_is_name(spg_buf_text(&unit));
		if (!good)
			spg_complain(why, "%s is no name of a service", order->unit);
		good = good && spg_profile_of_unit(profile, spg_buf_text(&unit), why);
		spg_buf_finish(&unit);
		return good;
	}
	for (int i = 0; good && i < order->n_directories; i++)
		good = add_directory(profile, order->directories[i], why);
	return good;
}

/* As it was asked for, so that it can be asked for again. */
static void note_command(struct spg_profile *profile, const struct order *order)
{
	struct spg_buf *to = &profile->command;

	spg_buf_puts(to, "Made by: spguard profile");
	if (order->package)
		spg_buf_printf(to, " --package %s", order->package);
	if (order->unit)
		spg_buf_printf(to, " --unit %s", order->unit);
	if (order->pid)
		spg_buf_printf(to, " --pid %s", order->pid);
	if (order->name)
		spg_buf_printf(to, " --name %s", order->name);
	for (int i = 0; i < order->n_directories; i++) {
		spg_buf_putc(to, ' ');
		spg_text_shell_quote(to, order->directories[i]);
	}
}

static bool make(struct spg_profile *profile, const struct order *order,
	struct spg_buf *text, struct spg_complaint *why)
{
	if (!fill(profile, order, why))
		return false;
	if (order->name)
		spg_profile_set_name(profile, order->name);
	note_command(profile, order);
	spg_profile_add_shipped(profile, order->shipped);
	if (!spg_profile_print(profile, text, why))
		return false;
	if (text->failed)
		spg_complain(why, "out of memory");
	return !text->failed;
}

/* ---- what becomes of it ---- */

static bool has_product(const json_t *reloaded, const char *name)
{
	size_t i;
	json_t *product;

	json_array_foreach (spg_json_list(reloaded, "products"), i, product)
		if (json_is_string(product) &&
			strcmp(json_string_value(product), name) == 0)
			return true;
	return false;
}

/* Let the daemon read it. False after the complaint; *@ret_keep: it may stay all the
 * same, since the daemon has not seen it. */
static bool reload(struct spg_client *client, const char *name, const char *path,
	bool *ret_keep, struct spg_complaint *why)
{
	json_t *result = spg_client_try(client, "reload", NULL, 0, why);
	bool good = result && has_product(result, name);

	*ret_keep = true;
	if (!result) {
		/* Only what the daemon has read, and refused, is in anybody's way. */
		*ret_keep = why->code != SPG_RPC_INTERNAL;
		if (*ret_keep)
			spg_complaint_hint(why,
				"%s is written; the daemon reads it at the next reload "
				"or start.",
				path);
		else
			spg_complaint_hint(why, "%s is as it was before.", path);
	} else if (!good) {
		spg_complain(why, "the daemon does not read %s", path);
		spg_complaint_hint(why, "Its configuration needs, in [daemon]: "
					"include = products/*.conf");
	}
	json_decref(result);
	return good;
}

static int tell(struct spg_client *client, const struct spg_profile *profile,
	const struct spg_buf *text, const struct spg_installed *installed)
{
	const char *name = spg_buf_text(&profile->name);

	if (client->json) {
		json_t *result = json_pack("{s:s, s:s, s:s?}", "product", name,
			"profile", spg_buf_text(text), "path", installed->path);
		int code = spg_client_pass(client, result, SPG_EXIT_OK);

		json_decref(result);
		return code;
	}
	if (!installed->path) {
		spg_output_raw(&client->out, "%s", spg_buf_text(text));
	} else {
		spg_output_raw(&client->out, "%s ",
			installed->same ? "Already there:" : "Written:");
		spg_output_text(&client->out, NULL, installed->path);
		spg_output_raw(&client->out,
			"\nThe daemon watches the product %s now: spguard check -p "
			"%s\n",
			name, name);
	}
	return spg_client_finish(client, SPG_EXIT_OK);
}

static int go(struct spg_client *client, const struct order *order)
{
	struct spg_profile profile = SPG_PROFILE_NULL;
	struct spg_installed installed = SPG_INSTALLED_NULL;
	struct spg_complaint why = SPG_COMPLAINT_NULL;
	struct spg_buf text = SPG_BUF_NULL;
	const char *name;
	bool keep = true, good;
	int code;

	profile.limit_ns = client->timeout_ns;
	good = make(&profile, order, &text, &why);
	name = spg_buf_text(&profile.name);
	if (good && order->install) {
		good = spg_profile_install(&installed, order->products, name,
			spg_buf_text(&text), order->force, &why);
		if (good)
			good = reload(client, name, installed.path, &keep, &why);
	}
	code = good ? tell(client, &profile, &text, &installed)
	            : spg_client_failed(client, &why);
	spg_installed_finish(&installed, keep);
	spg_profile_finish(&profile);
	spg_complaint_finish(&why);
	spg_buf_finish(&text);
	return code;
}

static int run(struct spg_client *client, int argc, char **argv)
{
	struct order order = {
		.products = SPG_DEFAULT_PRODUCTS, .shipped = SPG_DEFAULT_PROFILES};
	int option, code;

	while ((option = spg_client_options(
			client, argc, argv, long_options, "", &code)) > 0)
		take_option(&order, option);
	if (option == SPG_OPTIONS_EXIT)
		return code;
	order.directories = argv + optind;
	order.n_directories = argc - optind;
	if (!check_subject(client, &order, &code) || !check_rest(client, &order, &code))
		return code;
	return go(client, &order);
}

const struct spg_command spg_command_profile = {
	.name = "profile",
	.summary = "make the profile of an application that is installed",
	.purpose = SPG_PURPOSE_DAEMON,
	.help = help,
	.run = run,
	.exit_usage = SPG_EXIT_USAGE,
	.exit_failed = SPG_EXIT_FAILED,
};
