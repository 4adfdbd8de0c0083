/* SPDX-License-Identifier: MIT */
#include "client/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "client/profile_relations.h"
#include "common/array.h"
#include "common/err.h"
#include "common/text.h"

/* Of a line of apt's; what follows the last one is a path, or a word in stars. */
enum field {
	FIELD_NAME,
	FIELD_OLD_VERSION,
	FIELD_OLD_ARCH,
	FIELD_OLD_MULTI_ARCH,
	FIELD_COMPARED,
	FIELD_NEW_VERSION,
	FIELD_NEW_ARCH,
	FIELD_NEW_MULTI_ARCH,
	FIELDS
};

void spg_transaction_finish(struct spg_transaction *transaction)
{
	for (size_t i = 0; i < transaction->n; i++) {
		free(transaction->changes[i].label);
		free(transaction->changes[i].old);
		free(transaction->changes[i].file);
	}
	free(transaction->changes);
	*transaction = (struct spg_transaction)SPG_TRANSACTION_NULL;
}

static int complain_line(struct spg_complaint *why, const char *line)
{
	spg_complain(why, "the package manager writes what is not understood: %.200s",
		*line ? line : "an empty line");
	return SPG_ERR_INVALID;
}

static int complain_nomem(struct spg_complaint *why)
{
	spg_complain(why, "out of memory");
	return SPG_ERR_NOMEM;
}

/* Takes over @label. */
static int add(struct spg_transaction *transaction, struct spg_buf *label,
	const char *old, const char *file, struct spg_complaint *why)
{
	struct spg_change change = {.label = spg_buf_take(label)};

	change.old = old ? strdup(old) : NULL;
	change.file = file ? strdup(file) : NULL;
	if (change.label && (!old || change.old) && (!file || change.file) &&
		spg_array_reserve(&transaction->changes, transaction->n,
			&transaction->size, sizeof(change)) == 0) {
		transaction->changes[transaction->n++] = change;
		return 0;
	}
	free(change.label);
	free(change.old);
	free(change.file);
	return complain_nomem(why);
}

/* "-" stands for none. */
static bool is_one(const char *field)
{
	return *field && strcmp(field, "-") != 0;
}

static int take_of_apt(struct spg_transaction *transaction, char *const *fields,
	const char *file, struct spg_complaint *why)
{
	bool had = is_one(fields[FIELD_OLD_VERSION]);
	struct spg_buf label = SPG_BUF_NULL, old = SPG_BUF_NULL;
	int err;

	spg_buf_puts(&label, fields[FIELD_NAME]);
	if (had)
		spg_buf_printf(&label, " %s", fields[FIELD_OLD_VERSION]);
	if (!file)
		spg_buf_puts(&label, " removed");
	else if (!had)
		spg_buf_printf(&label, " %s", fields[FIELD_NEW_VERSION]);
	else
		spg_buf_printf(&label, " to %s", fields[FIELD_NEW_VERSION]);
	spg_buf_printf(&old, "%s:%s", fields[FIELD_NAME], fields[FIELD_OLD_ARCH]);
	if (old.failed)
		err = complain_nomem(why);
	else if (had && !spg_package_is_name(spg_buf_text(&old)))
		err = complain_line(why, fields[FIELD_NAME]);
	else
		err = add(transaction, &label, had ? spg_buf_text(&old) : NULL, file,
			why);
	spg_buf_finish(&label);
	spg_buf_finish(&old);
	return err;
}

static int take_line_of_apt(
	struct spg_transaction *transaction, char *line, struct spg_complaint *why)
{
	char *fields[FIELDS], *rest = line;

	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = strsep(&rest, " ");
		if (!rest)
			return complain_line(why, line);
	}
	/* No file is replaced by it. */
	if (strcmp(rest, "**CONFIGURE**") == 0)
		return 0;
	if (strcmp(rest, "**REMOVE**") == 0)
		return is_one(fields[FIELD_OLD_VERSION])
		               ? take_of_apt(transaction, fields, NULL, why)
		               : 0;
	if (!*rest || strncmp(rest, "**", 2) == 0)
		return complain_line(why, *rest ? rest : line);
	return take_of_apt(transaction, fields, rest, why);
}

static int take_line_of_dnf(
	struct spg_transaction *transaction, char *line, struct spg_complaint *why)
{
	struct spg_buf label = SPG_BUF_NULL;
	char *word = strsep(&line, " ");
	int err;

	if (line && *line && strcmp(word, "install") == 0) {
		spg_buf_puts(&label, spg_path_base(line));
		err = add(transaction, &label, NULL, line, why);
	} else if (line && spg_package_is_name(line) && strcmp(word, "remove") == 0) {
		spg_buf_puts(&label, line);
		err = add(transaction, &label, line, NULL, why);
	} else {
		err = complain_line(why, word);
	}
	spg_buf_finish(&label);
	return err;
}

/* Behind the head of what apt writes; NULL after the complaint. */
static char *skip_head(char *text, struct spg_complaint *why)
{
	char *end = strstr(text, "\n\n");

	if (strncmp(text, "VERSION 3\n", 10) == 0 && end)
		return end + 2;
	spg_complain(why, "apt does not write the third version of its protocol");
	spg_complaint_hint(why,
		"See the example for apt.conf.d: DPkg::Tools::Options has to name the "
		"first word of the hook's command, and Version \"3\".");
	return NULL;
}

int spg_transaction_parse(struct spg_transaction *transaction, char *text,
	enum spg_transaction_source source, struct spg_complaint *why)
{
	char *rest = source == SPG_FROM_APT ? skip_head(text, why) : text, *line;
	int err = rest ? 0 : SPG_ERR_INVALID;

	while (err == 0 && rest && *rest) {
		line = strsep(&rest, "\n");
		err = source == SPG_FROM_APT ? take_line_of_apt(transaction, line, why)
		                             : take_line_of_dnf(transaction, line, why);
	}
	if (err < 0)
		spg_transaction_finish(transaction);
	return err;
}
