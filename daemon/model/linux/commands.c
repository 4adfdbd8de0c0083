/* SPDX-License-Identifier: MIT */
#include "daemon/model/commands.h"

#include <stddef.h>

#include "common/text.h"

void spg_command_put_service(struct spg_buf *buf, enum spg_service_verb verb,
	const char *user, const char *first, const char *unit)
{
	static const char *const verbs[] = {[SPG_SERVICE_STOP] = "stop ",
		[SPG_SERVICE_RESTART] = "restart ",
		[SPG_SERVICE_THAW] = "thaw ",
		[SPG_SERVICE_MASK] = "mask --runtime "};

	spg_buf_puts(buf, "systemctl ");
	if (user) {
		spg_buf_puts(buf, "--user --machine=");
		spg_text_shell_quote(buf, user);
		spg_buf_puts(buf, "@ ");
	}
	spg_buf_puts(buf, verbs[verb]);
	spg_buf_puts(buf, first ? first : "");
	spg_text_shell_quote(buf, unit);
}

void spg_command_put_end(struct spg_buf *buf, int32_t pid, bool force)
{
	spg_buf_printf(buf, force ? "kill -9 %d" : "kill %d", pid);
}

const char *spg_command_restart_daemon(void)
{
	return "systemctl restart spguardd";
}
