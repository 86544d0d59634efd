// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that have a device's node open, or mapped, as proc shows them: its
 * driver does not say.
 *
 * What a process has mapped cannot be listed while it holds the lock of its
 * memory, which a server that hangs can have it do for good.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "device.h"

/* What threads have, each its own or several one: a folder and what kcmp calls it. */
static const struct users_part {
	const char *folder;
	int kind;
} users_parts[] = {
	{ "fd", KCMP_FILES },
	{ "map_files", KCMP_VM },
};

#define USERS_PARTS (sizeof(users_parts) / sizeof(*users_parts))

/**
 * struct users_scan - what the child tells
 * @user: the process that it looks at, or, in the end, the one that it has found
 * @looks: how much it has looked at
 */
struct users_scan {
	dev_t device;
	struct device_user user;
	_Atomic unsigned int looks;
	_Atomic int found;
};

/* What entries of such a folder lead to is looked at without a request. */
static bool users_have(struct users_scan *scan, int process,
		       const char *folder)
{
	int fd = openat(process, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct statx st;
	bool have = false;

	while (list && !have && (entry = readdir(list))) {
		scan->looks++;
		have = !statx(fd, entry->d_name, AT_STATX_DONT_SYNC |
			      AT_NO_AUTOMOUNT, STATX_TYPE, &st) &&
		       S_ISCHR(st.stx_mode) &&
		       makedev(st.stx_rdev_major, st.stx_rdev_minor) ==
		       scan->device;
	}
	if (list)
		closedir(list);
	else if (fd >= 0)
		close(fd);
	return have;
}

static void users_name(int process, char *name, size_t room)
{
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, room - 1);

	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Who it is can be told from here on, if it is the last that is looked at. */
static void users_begin(struct users_scan *scan, int process, unsigned int pid)
{
	users_name(process, scan->user.name, sizeof(scan->user.name));
	scan->user.pid = pid;
	scan->looks++;
}

/*
 * Have both the same? No, where that cannot be told, or one of them has ended. A
 * process with many threads would be looked at as often as it has some.
 */
static bool users_share(int kind, pid_t one, pid_t other)
{
	return one && !syscall(SYS_kcmp, one, other, kind, 0ul, 0ul);
}

/**
 * users_thread - what a thread has that the ones before have not
 * @seen: for each part, the thread whose part was looked at last, or 0
 *
 * proc has a folder of each thread, and lists those of main threads alone.
 */
static bool users_thread(struct users_scan *scan, int processes,
			 const char *name, pid_t seen[USERS_PARTS])
{
	int fd = openat(processes, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t thread = (pid_t)strtol(name, NULL, 10);
	bool have = false;

	scan->looks++;
	for (size_t i = 0; fd >= 0 && !have && i < USERS_PARTS; i++) {
		const struct users_part *part = &users_parts[i];

		if (users_share(part->kind, seen[i], thread))
			continue;
		have = users_have(scan, fd, part->folder);
		seen[i] = thread;
	}
	if (fd >= 0)
		close(fd);
	return have;
}

/* A main thread that has ended has nothing, while others go on. */
static bool users_process(struct users_scan *scan, int processes, int process)
{
	int fd = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *threads = fd < 0 ? NULL : fdopendir(fd);
	pid_t seen[USERS_PARTS] = { 0 };
	struct dirent *entry;
	bool have = false;

	while (threads && !have && (entry = readdir(threads)))
		have = entry->d_name[0] != '.' &&
		       users_thread(scan, processes, entry->d_name, seen);
	if (threads)
		closedir(threads);
	else if (fd >= 0)
		close(fd);
	return have;
}

/* Whoever asks has the device, and is none of its users. */
static void users_scan(void *context)
{
	struct users_scan *scan = context;
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	int process, found = processes ? 0 : -errno;
	unsigned int pid;

	while (!found && (entry = readdir(processes))) {
		if (sscanf(entry->d_name, "%u", &pid) != 1 ||
		    (pid_t)pid == getpid() || (pid_t)pid == getppid())
			continue;
		process = openat(dirfd(processes), entry->d_name,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		users_begin(scan, process, pid);
		found = users_process(scan, dirfd(processes), process);
		close(process);
	}
	if (processes)
		closedir(processes);
	scan->found = found;
}

/* As long as it gets on. -ETIMEDOUT: it does not. */
static int users_wait(struct child *child, struct users_scan *scan)
{
	uint64_t since = clock_ms();
	unsigned int looks = 0;

	while (!child_ended(child, 100)) {
		if (looks != scan->looks)
			since = clock_ms();
		looks = scan->looks;
		if (clock_ms() - since < CHILD_MS)
			continue;
		child_kill(child);
		return -ETIMEDOUT;
	}
	return scan->found;
}

int device_find_user(dev_t device, struct device_user *user)
{
	struct users_scan *scan = child_memory(sizeof(*scan));
	struct child child;
	int res;

	if (!scan)
		return -ENOMEM;
	scan->device = device;
	/* Where the child is killed by somebody else. */
	scan->found = -EIO;
	res = child_start(&child, false, users_scan, scan);
	if (!res)
		res = users_wait(&child, scan);
	*user = scan->user;
	child_forget(scan, sizeof(*scan));
	return res;
}
