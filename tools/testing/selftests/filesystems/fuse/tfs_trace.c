// SPDX-License-Identifier: GPL-2.0
/* Tracepoints, in an instance of tracefs of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tfs_trace.h"

static int trace_mount(struct tfs_trace *trace)
{
	snprintf(trace->dir, sizeof(trace->dir), "/tmp/famfs_trace_XXXXXX");
	if (!mkdtemp(trace->dir))
		return -errno;
	snprintf(trace->instance, sizeof(trace->instance), "%s/instances/tfs",
		 trace->dir);
	if (!mount("tracefs", trace->dir, "tracefs", 0, NULL) &&
	    !mkdir(trace->instance, 0700))
		return 0;
	tfs_trace_end(trace);
	return -ENOENT;
}

static void event_path(const struct tfs_trace *trace, const char *event,
		       const char *file, char *path, size_t len)
{
	snprintf(path, len, "%s/events/%s/%s", trace->instance, event, file);
}

/* Turns an event on, as in "famfs/famfs_drop"; filter may be NULL. */
int tfs_trace_on(struct tfs_trace *trace, const char *event, const char *filter)
{
	char path[256];
	int err = 0;

	if (!trace->dir[0])
		err = trace_mount(trace);
	event_path(trace, event, "filter", path, sizeof(path));
	if (!err)
		err = tfs_write_text(path, filter ? filter : "0");
	event_path(trace, event, "enable", path, sizeof(path));
	return err ? err : tfs_write_text(path, "1");
}

int tfs_trace_off(struct tfs_trace *trace, const char *event)
{
	char path[256];

	event_path(trace, event, "enable", path, sizeof(path));
	return tfs_write_text(path, "0");
}

/* Adds or removes a probe. */
int tfs_trace_probe(struct tfs_trace *trace, const char *definition)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/kprobe_events", trace->dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, definition, strlen(definition)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Of a trace that may never have been turned on. */
void tfs_trace_end(struct tfs_trace *trace)
{
	if (!trace->dir[0])
		return;
	rmdir(trace->instance);
	umount(trace->dir);
	rmdir(trace->dir);
	trace->dir[0] = '\0';
}

void tfs_trace_clear(struct tfs_trace *trace)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", trace->instance);
	/* Opening it to write empties it. */
	f = fopen(path, "we");
	if (f)
		fclose(f);
}

/*
 * The ranges that famfs_drop events tell of a file, as "offset+length@addr "
 * in pages, all in hex.
 */
const char *tfs_trace_drops(struct tfs_trace *trace, int file)
{
	static char drops[4096];
	unsigned long long node, offset, length, addr;
	char path[256], line[512];
	size_t len = 0;
	FILE *f;

	drops[0] = '\0';
	snprintf(path, sizeof(path), "%s/trace", trace->instance);
	f = fopen(path, "re");
	if (!f)
		return "no trace";
	while (fgets(line, sizeof(line), f) && len < sizeof(drops)) {
		const char *text = strstr(line, "famfs_drop: ");

		text = text ? strstr(text, "nodeid ") : NULL;
		if (text &&
		    sscanf(text, "nodeid %llu offset %llx length %llx at daxdev %*u addr %llx",
			   &node, &offset, &length, &addr) == 4 &&
		    node == TFS_INO(file))
			len += snprintf(drops + len, sizeof(drops) - len,
					"%llx+%llx@%llx ", offset / 4096,
					length / 4096, addr / 4096);
	}
	fclose(f);
	return drops;
}

/* Has the first line of an event this text? */
bool tfs_trace_first(struct tfs_trace *trace, const char *event,
		     const char *text)
{
	char path[256], line[512];
	bool has = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", trace->instance);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, event))
			continue;
		has = strstr(line, text);
		break;
	}
	if (f)
		fclose(f);
	return has;
}

/* Waits until there is a line with this text. */
int tfs_trace_wait(struct tfs_trace *trace, const char *text)
{
	int i;

	for (i = 0; i < 10000; i++) {
		if (tfs_trace_lines(trace->instance, text, "") > 0)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}
