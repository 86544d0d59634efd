// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that have a device's node open, or mapped, as proc shows them: its
 * driver does not say.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device.h"

/* What entries of such a folder lead to is looked at without a request. */
static bool users_have(int process, const char *folder, dev_t device)
{
	int fd = openat(process, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct statx st;
	bool have = false;

	while (list && !have && (entry = readdir(list)))
		have = !statx(fd, entry->d_name, AT_STATX_DONT_SYNC |
			      AT_NO_AUTOMOUNT, STATX_TYPE, &st) &&
		       S_ISCHR(st.stx_mode) &&
		       makedev(st.stx_rdev_major, st.stx_rdev_minor) == device;
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

unsigned int device_user(dev_t device, char *name, size_t room)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	unsigned int found = 0, pid;

	while (processes && !found && (entry = readdir(processes))) {
		int process;

		if (sscanf(entry->d_name, "%u", &pid) != 1 ||
		    (pid_t)pid == getpid())
			continue;
		process = openat(dirfd(processes), entry->d_name,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		if (users_have(process, "fd", device) ||
		    users_have(process, "map_files", device)) {
			users_name(process, name, room);
			found = pid;
		}
		close(process);
	}
	if (processes)
		closedir(processes);
	return found;
}
