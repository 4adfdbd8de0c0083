/* SPDX-License-Identifier: MIT */
#include "daemon/model/commands.h"

#include "common/text.h"

/* "net stop" asks about the services that depend on it, and "/y" says yes: else it waits
 * for an answer that a script does not give. */
void spg_command_put_service(struct spg_buf *buf, enum spg_service_verb verb,
	const char *user, const char *first, const char *unit)
{
	(void)user;
	(void)first;
	spg_buf_puts(buf, "net stop ");
	spg_text_shell_quote(buf, unit);
	spg_buf_puts(buf, " /y");
	if (verb == SPG_SERVICE_RESTART) {
		spg_buf_puts(buf, " && net start ");
		spg_text_shell_quote(buf, unit);
	}
}

void spg_command_put_end(struct spg_buf *buf, int32_t pid, bool force)
{
	spg_buf_printf(buf, "taskkill %s/pid %d", force ? "/f " : "", pid);
}

const char *spg_command_restart_daemon(void)
{
	return "net stop spguard && net start spguard";
}
