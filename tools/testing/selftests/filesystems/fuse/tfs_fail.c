// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that fails, by software.
 *
 * Binding the device to its driver anew gives it fresh struct pages, which ends
 * the failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tfs_env.h"

#define CORRUPT	"/sys/kernel/debug/hwpoison/corrupt-pfn"

/* Returns NULL, or why memory cannot be made to fail. */
const char *tfs_fail_init(void)
{
	if (access(CORRUPT, W_OK) &&
	    mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL))
		return "need debugfs";
	return access(CORRUPT, W_OK) ? "need CONFIG_HWPOISON_INJECT" : NULL;
}

/* The page frame behind a mapped address, or 0. */
__u64 tfs_frame_of(const char *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;

	if (pread(fd, &entry, 8, (unsigned long)p / 4096 * 8) != 8)
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* Waits until a page that has failed can be mended. */
void tfs_fail_settle(void)
{
	usleep(2100000);
}

/*
 * Has a page fail.  Who does that while mapping it is taken for the one that
 * came across the failure, and is killed at once.
 */
int tfs_fail_frame(__u64 frame)
{
	char text[32];

	if (!frame)
		return -EFAULT;
	snprintf(text, sizeof(text), "0x%llx", frame);
	return tfs_write_text(CORRUPT, text);
}
