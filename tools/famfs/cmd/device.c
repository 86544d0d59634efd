// SPDX-License-Identifier: GPL-2.0
/*
 * Dax devices as sysfs shows them: which driver has one, and which of them has
 * the file system that is meant.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "cmd.h"
#include "device.h"
#include "place.h"
#include "super.h"

#define DAX_BUS	"/sys/bus/dax/devices"

bool device_driver(const char *name, char *driver, size_t room)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	*driver = '\0';
	snprintf(path, sizeof(path), DAX_BUS "/%s", name);
	if (access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), DAX_BUS "/%s/driver", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return true;
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(driver, room, "%s", slash ? slash + 1 : target);
	return true;
}

bool device_number(const char *name, dev_t *number)
{
	unsigned int high = 0, low = 0;
	char path[PATH_MAX];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), DAX_BUS "/%s/dev", name);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fscanf(file, "%u:%u", &high, &low);
	fclose(file);
	*number = makedev(high, low);
	return n == 2;
}

bool device_name(const char *path, char *name, size_t room)
{
	char link[64], target[PATH_MAX], driver[64];
	const char *slash = strrchr(path, '/');
	struct stat st;
	ssize_t n;

	if (!stat(path, &st) && S_ISCHR(st.st_mode)) {
		snprintf(link, sizeof(link), "/sys/dev/char/%u:%u",
			 major(st.st_rdev), minor(st.st_rdev));
		n = readlink(link, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			slash = strrchr(target, '/');
		}
	} else if (!stat(path, &st)) {
		return false;
	}
	if ((size_t)snprintf(name, room, "%s", slash ? slash + 1 : path) >=
	    room)
		return false;
	return device_driver(name, driver, sizeof(driver));
}

bool device_check(const char *path)
{
	char name[64], driver[64], next[200];
	struct stat st;

	if (!place_answers(path))
		return false;
	if (!device_name(path, name, sizeof(name))) {
		/* A plain file, or nothing: opening it tells. */
		if (stat(path, &st) || !S_ISCHR(st.st_mode))
			return true;
		cmd_fail_errno(path, -ENOTBLK);
		return false;
	}
	device_driver(name, driver, sizeof(driver));
	if (!strcmp(driver, "fsdev_dax"))
		return true;
	if (!strcmp(driver, "kmem"))
		snprintf(next, sizeof(next), "daxctl reconfigure-device -f -m devdax %s, then famfs bind %s",
			 name, path);
	else
		snprintf(next, sizeof(next), "famfs bind %s", path);
	cmd_fail(path, next, "it is bound to %s, not to fsdev_dax%s",
		 driver[0] ? driver : "no driver", strcmp(driver, "kmem") ? "" :
		 ": it is System RAM");
	return false;
}

/* Does the device have what is looked for? */
static bool device_is(const char *path, const char *wanted, const uuid_t uuid)
{
	struct media *media;
	struct super super;
	bool is;

	if (media_open(path, 0, &media))
		return false;
	is = !super_read(&super, media, NULL) &&
	     (uuid ? !memcmp(super.uuid, uuid, 16) :
		     !strcmp(super.label, wanted));
	media_close(media);
	return is;
}

bool device_find(const char *source, char *path, size_t room)
{
	const char *wanted = source + strlen(DEVICE_PREFIX);
	char name[64], driver[64], node[80];
	struct dirent *entry;
	unsigned int found = 0;
	uuid_t uuid;
	bool by_uuid;
	DIR *bus;

	if (strncmp(source, DEVICE_PREFIX, strlen(DEVICE_PREFIX))) {
		/* What is cut off could be another one's. */
		if (strlen(source) >= room) {
			cmd_fail_errno(source, -ENAMETOOLONG);
			return false;
		}
		strcpy(path, source);
		return true;
	}
	by_uuid = !uuid_parse(wanted, uuid);
	bus = opendir(DAX_BUS);
	while (bus && (entry = readdir(bus))) {
		if (strlen(entry->d_name) >= sizeof(name))
			continue;
		strcpy(name, entry->d_name);
		if (!device_driver(name, driver, sizeof(driver)) ||
		    strcmp(driver, "fsdev_dax"))
			continue;
		snprintf(node, sizeof(node), "/dev/%s", name);
		if (!device_is(node, wanted, by_uuid ? uuid : NULL))
			continue;
		snprintf(path, room, "%s", node);
		found++;
	}
	if (bus)
		closedir(bus);
	if (found == 1)
		return true;
	cmd_fail(source, "daxctl list   shows the devices; famfs bind DEVICE gives one to fsdev_dax",
		 found ? "%u devices have it" :
		 "none of the devices that fsdev_dax has is that", found);
	return false;
}
