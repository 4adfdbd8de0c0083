/* SPDX-License-Identifier: MIT */
#pragma once
/*
 * The service in the Service Control Manager's database. Both say what they do on standard
 * output and what stands in their way on standard error, and return the exit status.
 */

#define SPG_SERVICE_NAME L"spguard"

/**
 * Make this program the service: it starts with Windows, and again when it has failed. One
 * that is there is changed.
 *
 * @config  the configuration that it reads, which has to be there; NULL: the usual one
 */
int spg_service_install(const char *config);

/** Stop it, wait until it has ended, remove it. */
int spg_service_remove(void);
