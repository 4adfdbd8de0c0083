/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * What belongs to a message of log.h besides its text.
 */
#include "common/log_ids.h"

enum spg_log_level {
	SPG_LOG_ERROR = 3, /* something is broken and stays broken */
	SPG_LOG_WARNING = 4,
	SPG_LOG_NOTICE = 5, /* rare and worth reading: start, stop, reload */
	SPG_LOG_INFO = 6,
	SPG_LOG_DEBUG = 7,
};

/* What a message is about; NULL: nothing to be said. Borrowed for the call. */
struct spg_log_about {
	const char *id;      /* MESSAGE_ID, of log_ids.h */
	const char *product; /* SPGUARD_PRODUCT: its name */
	const char *verdict; /* SPGUARD_VERDICT, SPGUARD_OUTCOME, SPGUARD_GAP: */
	const char *outcome; /* their names as in kind.h */
	const char *gap;
};
