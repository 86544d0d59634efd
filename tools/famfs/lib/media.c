// SPDX-License-Identifier: GPL-2.0
/*
 * Access to a medium: what all kinds have in common, and a medium in memory.
 */

#include "media.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

static bool media_has(const struct media *media, uint64_t offset, size_t len)
{
	return offset <= media->size && len <= media->size - offset;
}

int media_read(struct media *media, uint64_t offset, void *buf, size_t len,
	       enum mutant site)
{
	unsigned int how = MEDIA_DROP;
	int err;

	if (!media_has(media, offset, len))
		return -EINVAL;
	if (media->coherent || mutant_is(site))
		how = 0;
	err = media->ops->read(media, offset, buf, len, how);
	if (err)
		media->fault = offset;
	return err;
}

int media_write(struct media *media, uint64_t offset, const void *buf,
		size_t len, enum mutant site)
{
	unsigned int how = 0;
	int err;

	if (!media_has(media, offset, len) || offset % LINE_SIZE ||
	    len % LINE_SIZE)
		return -EINVAL;
	/* Also with coherent caches: what only a cache has dies with it. */
	if (!mutant_is(site))
		how |= MEDIA_BACK;
	if (!mutant_is(site + 1))
		how |= MEDIA_FENCE;
	err = media->ops->write(media, offset, buf, len, how);
	if (err)
		media->fault = offset;
	else
		media->written += len;
	return err;
}

void media_settle(struct media *media, enum mutant site)
{
	if (!media->coherent && !mutant_is(site))
		media->ops->settle(media);
}

void media_close(struct media *media)
{
	if (media)
		media->ops->close(media);
}

struct media_memory {
	struct media media;
	uint8_t *bytes;
};

static int media_memory_read(struct media *media, uint64_t offset, void *buf,
			     size_t len, unsigned int how)
{
	struct media_memory *memory = (struct media_memory *)media;

	(void)how;
	memcpy(buf, memory->bytes + offset, len);
	return 0;
}

static int media_memory_write(struct media *media, uint64_t offset,
			      const void *buf, size_t len, unsigned int how)
{
	struct media_memory *memory = (struct media_memory *)media;

	(void)how;
	memcpy(memory->bytes + offset, buf, len);
	return 0;
}

static void media_memory_settle(struct media *media)
{
	(void)media;
}

static void media_memory_close(struct media *media)
{
	free(media);
}

struct media *media_of_memory(void *bytes, uint64_t size)
{
	static const struct media_ops ops = {
		.read = media_memory_read,
		.write = media_memory_write,
		.settle = media_memory_settle,
		.close = media_memory_close,
	};
	struct media_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->media.ops = &ops;
	memory->media.size = size;
	memory->bytes = bytes;
	return &memory->media;
}
