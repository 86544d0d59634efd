/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints, in an instance of tracefs of the test's own. */
#ifndef TFS_TRACE_H
#define TFS_TRACE_H

#include "tfs_env.h"

struct tfs_trace {
	char dir[64];			/* where tracefs is mounted, if it is */
	char instance[128];
};

int tfs_trace_on(struct tfs_trace *trace, const char *event,
		 const char *filter);
int tfs_trace_off(struct tfs_trace *trace, const char *event);
int tfs_trace_probe(struct tfs_trace *trace, const char *definition);
void tfs_trace_end(struct tfs_trace *trace);
void tfs_trace_clear(struct tfs_trace *trace);
const char *tfs_trace_drops(struct tfs_trace *trace, int file);
bool tfs_trace_first(struct tfs_trace *trace, const char *event,
		     const char *text);
int tfs_trace_wait(struct tfs_trace *trace, const char *text);

#endif /* TFS_TRACE_H */
