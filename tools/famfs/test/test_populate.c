// SPDX-License-Identifier: GPL-2.0
/*
 * Makes names on a medium in a plain file, for tests of the commands.
 *
 * Usage: test_populate FILE COUNT [leave]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "volume.h"

static int populate(struct volume *volume, int count)
{
	struct volume_node file = { .mode = S_IFREG | 0644, .map = 6000 };
	struct volume_node directory = { .mode = S_IFDIR | 0755 };
	struct volume_node link = { .mode = S_IFLNK | 0777, .target = "name 1" };
	struct op op = { .now = 1700000000000000000 };
	struct volume_attr attr;
	char name[40];
	int err;

	err = volume_create(volume, &op, 1, "directory", &directory, &attr);
	if (!err)
		err = volume_create(volume, &op, 1, "link", &link, NULL);
	for (int i = 0; i < count && !err; i++) {
		struct volume_attr made;

		snprintf(name, sizeof(name), "name %d", i);
		err = volume_create(volume, &op, attr.ino, name, &file, &made);
		if (!err)
			err = volume_tell(volume, &op, made.ino, 6000, NULL);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct volume_options options = { .how = VOLUME_OWN, .nonce = 1,
					  .now = 1700000000000000000 };
	struct fault fault = { 0 };
	struct volume *volume;
	struct media *media;
	int err;

	if (argc < 3)
		return 2;
	err = media_open(argv[1], MEDIA_WRITE, &media);
	if (!err)
		err = host_self_read(&options.self);
	if (!err)
		err = volume_open(&volume, media, &options, &fault);
	if (err) {
		printf("%d %s\n", err, fault.text);
		return 1;
	}
	err = populate(volume, atoi(argv[2]));
	if (!err && argc > 3)
		err = volume_leave(volume);
	volume_close(volume);
	media_close(media);
	return err != 0;
}
