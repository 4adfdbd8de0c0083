/* SPDX-License-Identifier: MIT */
#include "daemon/install/fit/assembly_rules.h"

#include <string.h>
#include <strings.h>

#include "common/text.h"

/* A '*' at the end stands for anything. */
static const char *const framework_names[] = {"mscorlib", "netstandard", "System",
	"System.*", "Microsoft.CSharp", "Microsoft.VisualBasic*", "Microsoft.VisualC*",
	"Microsoft.Win32.*", "WindowsBase", "Presentation*", "UIAutomation*",
	"Accessibility", "Windows.*", "mscoree", "ReachFramework", "SMDiagnostics"};
static const uint8_t framework_tokens[][SPG_BINARY_TOKEN_BYTES] = {
	{0xb7, 0x7a, 0x5c, 0x56, 0x19, 0x34, 0xe0, 0x89},
	{0xb0, 0x3f, 0x5f, 0x7f, 0x11, 0xd5, 0x0a, 0x3a},
	{0x31, 0xbf, 0x38, 0x56, 0xad, 0x36, 0x4e, 0x35},
	{0xcc, 0x7b, 0x13, 0xff, 0xcd, 0x2d, 0xdd, 0x51},
	{0x7c, 0xec, 0x85, 0xd7, 0xbe, 0xa7, 0x79, 0x8e},
};

struct spg_fit_text spg_fit_directory(const struct spg_fit_module *module)
{
	size_t n = (size_t)(spg_path_base(module->path) - module->path);

	while (n > 1 && module->path[n - 1] == '/')
		n--;
	return (struct spg_fit_text){module->path, n};
}

static struct spg_fit_text whole(const char *text)
{
	return (struct spg_fit_text){text, strlen(text)};
}

/* @text begins with the first @n bytes of @start, of ASCII, whatever the case. */
static bool begins(const char *text, const char *start, size_t n)
{
	return strlen(text) >= n && spg_fit_compare((struct spg_fit_text){text, n},
					    (struct spg_fit_text){start, n}, true) == 0;
}

bool spg_fit_is_framework(const struct spg_binary_assembly *reference, const char *name)
{
	for (size_t i = 0; i < sizeof(framework_names) / sizeof(framework_names[0]);
		i++) {
		const char *known = framework_names[i];
		size_t n = strcspn(known, "*");

		if (begins(name, known, n) && (known[n] || !name[n]))
			return true;
	}
	for (size_t i = 0; reference->has_token &&
			   i < sizeof(framework_tokens) / sizeof(framework_tokens[0]);
		i++)
		if (memcmp(reference->token, framework_tokens[i],
			    SPG_BINARY_TOKEN_BYTES) == 0)
			return true;
	return false;
}

bool spg_fit_is_for_core(const struct spg_binary *binary, bool or_any)
{
	/* .NET Framework has 4.1.2.0, .NET Core since 2.1 this one. */
	static const uint16_t first[4] = {4, 2, 1, 0};

	for (uint32_t i = 0; i < binary->n_references; i++) {
		const char *name = spg_binary_text(binary, binary->references[i].name);

		if (strcasecmp(name, "System.Runtime") == 0 &&
			(or_any || spg_binding_compare_versions(
					   binary->references[i].version, first) >= 0))
			return true;
		if (or_any && strcasecmp(name, "netstandard") == 0)
			return true;
	}
	return false;
}

bool spg_fit_is_probed(bool fold, struct spg_fit_text directory,
	struct spg_fit_text base, const char *below, const char *name)
{
	const char *parts[] = {below, name};

	if (!spg_fit_take(&directory, base, fold))
		return false;
	for (size_t i = 0; i < 2; i++) {
		struct spg_fit_text part = whole(parts[i] ? parts[i] : "");
		bool optional = i == 1;

		if (part.n == 0 || (optional && directory.n == 0))
			continue;
		if (directory.n == 0 || !spg_path_is_absolute(directory.text))
			return false;
		directory.text++;
		directory.n--;
		if (!spg_fit_take(&directory, part, fold || optional))
			return false;
	}
	return directory.n == 0;
}

bool spg_fit_is_in_cache(const struct spg_fit_module *module)
{
	struct spg_fit_text directory = spg_fit_directory(module);
	size_t n = 0;

	while (n < directory.n && n < 17 &&
		strchr("0123456789abcdefABCDEF", directory.text[directory.n - 1 - n]))
		n++;
	return n == 16 && n < directory.n && directory.text[directory.n - 1 - n] == '_';
}

bool spg_fit_is_found_as(const struct spg_fit_module *module, const char *name)
{
	struct spg_fit_text ending = whole(module->name);

	return spg_fit_take(&ending, whole(name), true) &&
	       (spg_name_equal(ending.text, ".dll", true) ||
		       spg_name_equal(ending.text, ".exe", true));
}
