/* service.h -- the router as a process: descriptors, signals, log lines, its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NEXUS_DAEMON_SERVICE_H
#define NEXUS_DAEMON_SERVICE_H

#include "daemon/config.h"
#include "daemon/renewal.h"
#include "daemon/report.h"

/* Runs a router until a signal stops it; returns an exit code. The notes of the report are
 * logged. SIGHUP has the configuration read again by `renewals`. */
int service_run(const struct config *config, const struct report *report,
                struct renewals *renewals);

#endif
