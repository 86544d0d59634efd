// SPDX-License-Identifier: LGPL-2.0
/*
 * FUSE: Filesystem in Userspace
 *
 * Maps of files onto dax devices: composing and checking the message.
 *
 * This program can be distributed under the terms of the GNU LGPLv2.
 * See the file LGPL2.txt
 */

#include "fuse_config.h"
#include "fuse_i.h"
#include "fuse_log.h"
#include "fuse_lowlevel.h"
#include "fuse_kernel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Half of what a header can tell; the kernel takes less */
#define FMAP_MESSAGE_MAX (1U << 31)

struct fuse_fmap {
	/* The message as it is sent: a header and what follows it */
	struct fuse_fmap_header *hdr;
	size_t size;
	size_t capacity;

	/* Page size - 1 */
	uint64_t page_mask;

	/* Bytes of the file that are mapped, in whole pages */
	uint64_t mapped;

	/* Only the last stripe may end inside a page */
	bool ends_in_page;

	/* The first thing that was wrong, as a negative errno */
	int error;

	/* The same, if it was the flags */
	int flags_error;
};

/* Stands for all maps for which there was no memory; never written */
static struct fuse_fmap fmap_without_memory = { .error = -ENOMEM };

/*
 * The first error of a map, which is not checked any more after it
 */
static int fmap_refuse(int err, const char *why)
{
	fuse_log(FUSE_LOG_DEBUG, "fuse: bad map of a file: %s\n", why);
	return err;
}

/*
 * Makes room for more bytes at the end; they are zero.
 */
static void *fmap_append(struct fuse_fmap *fmap, size_t bytes)
{
	size_t need = fmap->size + bytes;
	size_t capacity = fmap->capacity;
	void *msg, *tail;

	while (capacity < need)
		capacity = capacity ? capacity * 2 : 256;
	if (capacity != fmap->capacity) {
		msg = realloc(fmap->hdr, capacity);
		if (msg == NULL)
			return NULL;
		fmap->hdr = msg;
		fmap->capacity = capacity;
	}
	tail = (unsigned char *)fmap->hdr + fmap->size;
	memset(tail, 0, bytes);
	fmap->size = need;
	return tail;
}

/*
 * Appends an extent, or a stripe with its strips, which counts as one.
 */
static int fmap_append_item(struct fuse_fmap *fmap, uint32_t ext_type,
			    size_t bytes, void **item)
{
	if (fmap->hdr->nextents && fmap->hdr->ext_type != ext_type)
		return fmap_refuse(-EINVAL, "both extents and stripes");
	if (bytes > FMAP_MESSAGE_MAX - fmap->size)
		return fmap_refuse(-E2BIG, "more extents than can be sent");
	*item = fmap_append(fmap, bytes);
	if (*item == NULL)
		return -ENOMEM;

	fmap->hdr->ext_type = ext_type;
	fmap->hdr->nextents++;
	fmap->hdr->size = fmap->size;
	return 0;
}

static int check_range(const struct fuse_fmap *fmap,
		       const struct fuse_dax_range *range)
{
	if (range->reserved)
		return fmap_refuse(-EINVAL, "reserved field is not zero");
	if (range->len == 0)
		return fmap_refuse(-EINVAL, "range of no bytes");
	if ((range->offset | range->len) & fmap->page_mask)
		return fmap_refuse(-EINVAL, "range not in whole pages");
	if (range->offset > INT64_MAX ||
	    range->len > INT64_MAX - range->offset)
		return fmap_refuse(-EOVERFLOW, "range beyond any device");
	return 0;
}

/*
 * How much the map would map with so many bytes more
 */
static int check_growth(const struct fuse_fmap *fmap, uint64_t bytes,
			uint64_t *mapped)
{
	uint64_t page_mask = fmap->page_mask;

	if (fmap->ends_in_page)
		return fmap_refuse(-EINVAL,
				   "something after a stripe that ends in a page");
	if (bytes > INT64_MAX - page_mask ||
	    fmap->mapped > INT64_MAX - page_mask - bytes)
		return fmap_refuse(-EOVERFLOW, "more bytes than a file can have");
	*mapped = (fmap->mapped + bytes + page_mask) & ~page_mask;
	return 0;
}

/*
 * How many bytes of a strip its chunks take up
 */
static uint64_t strip_need(uint64_t nbytes, uint32_t chunk_size,
			   uint32_t nstrips, uint32_t strip)
{
	uint64_t chunks = nbytes / chunk_size;
	uint64_t rest = nbytes % chunk_size;
	uint64_t need = (chunks / nstrips) * chunk_size;

	if (strip < chunks % nstrips)
		need += chunk_size;
	else if (strip == chunks % nstrips)
		need += rest;
	return need;
}

static int check_stripe(const struct fuse_fmap *fmap, uint64_t nbytes,
			uint32_t chunk_size,
			const struct fuse_dax_range *strips, uint32_t nstrips)
{
	uint64_t whole;
	uint32_t i;
	int err;

	if (nbytes == 0 || nstrips == 0)
		return fmap_refuse(-EINVAL, "stripe of no bytes or strips");
	if (chunk_size == 0 || chunk_size & fmap->page_mask)
		return fmap_refuse(-EINVAL, "chunks not of whole pages");

	whole = (nbytes + fmap->page_mask) & ~fmap->page_mask;
	for (i = 0; i < nstrips; i++) {
		err = check_range(fmap, &strips[i]);
		if (err)
			return err;
		if (strips[i].len < strip_need(whole, chunk_size, nstrips, i))
			return fmap_refuse(-EINVAL,
					   "strip too short for its chunks");
	}
	return 0;
}

static void fill_extent(struct fuse_fmap_extent *ext,
			const struct fuse_dax_range *range)
{
	ext->devindex = range->devindex;
	ext->offset = range->offset;
	ext->len = range->len;
}

static int add_extent(struct fuse_fmap *fmap,
		      const struct fuse_dax_range *range)
{
	uint64_t mapped;
	void *item;
	int err;

	err = check_range(fmap, range);
	if (err)
		return err;
	err = check_growth(fmap, range->len, &mapped);
	if (err)
		return err;
	err = fmap_append_item(fmap, FUSE_FMAP_EXT_SIMPLE,
			       sizeof(struct fuse_fmap_extent), &item);
	if (err)
		return err;

	fill_extent(item, range);
	fmap->mapped = mapped;
	return 0;
}

static int add_stripe(struct fuse_fmap *fmap, uint64_t nbytes,
		      uint32_t chunk_size, const struct fuse_dax_range *strips,
		      uint32_t nstrips)
{
	struct fuse_fmap_stripe *stripe;
	struct fuse_fmap_extent *ext;
	uint64_t mapped;
	uint32_t i;
	void *item;
	int err;

	/* First, as it bounds nbytes for what follows */
	err = check_growth(fmap, nbytes, &mapped);
	if (err)
		return err;
	err = check_stripe(fmap, nbytes, chunk_size, strips, nstrips);
	if (err)
		return err;
	if (nstrips > FMAP_MESSAGE_MAX / sizeof(*ext))
		return fmap_refuse(-E2BIG, "more strips than can be sent");
	err = fmap_append_item(fmap, FUSE_FMAP_EXT_STRIPED,
			       sizeof(*stripe) + nstrips * sizeof(*ext), &item);
	if (err)
		return err;

	stripe = item;
	stripe->nstrips = nstrips;
	stripe->chunk_size = chunk_size;
	stripe->nbytes = nbytes;
	ext = (struct fuse_fmap_extent *)(stripe + 1);
	for (i = 0; i < nstrips; i++)
		fill_extent(&ext[i], &strips[i]);
	fmap->mapped = mapped;
	fmap->ends_in_page = (nbytes & fmap->page_mask) != 0;
	return 0;
}

struct fuse_fmap *fuse_fmap_create(uint64_t file_size, unsigned int flags)
{
	struct fuse_fmap *fmap = calloc(1, sizeof(*fmap));
	struct fuse_fmap_header *hdr;

	if (fmap == NULL)
		return &fmap_without_memory;
	hdr = fmap_append(fmap, sizeof(*hdr));
	if (hdr == NULL) {
		free(fmap);
		return &fmap_without_memory;
	}

	fmap->page_mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;
	hdr->file_type = FUSE_FMAP_FILE_REG;
	hdr->version = FUSE_FMAP_VERSION;
	if (flags & FUSE_LL_FMAP_GROW)
		hdr->flags |= FUSE_FMAP_GROW;
	if (flags & FUSE_LL_FMAP_BACKING_IDS)
		hdr->flags |= FUSE_FMAP_BACKING_IDS;
	if (flags & FUSE_LL_FMAP_DROP)
		hdr->flags |= FUSE_FMAP_DROP;
	if (flags & FUSE_LL_FMAP_LONGTERM_PIN)
		hdr->flags |= FUSE_FMAP_LONGTERM_PIN;
	if (flags & ~(FUSE_LL_FMAP_GROW | FUSE_LL_FMAP_BACKING_IDS |
		      FUSE_LL_FMAP_DROP | FUSE_LL_FMAP_LONGTERM_PIN))
		fmap->flags_error = fmap_refuse(-EINVAL, "unknown flags");
	fuse_fmap_reset(fmap, file_size);
	return fmap;
}

void fuse_fmap_destroy(struct fuse_fmap *fmap)
{
	if (fmap == NULL || fmap == &fmap_without_memory)
		return;
	free(fmap->hdr);
	free(fmap);
}

void fuse_fmap_reset(struct fuse_fmap *fmap, uint64_t file_size)
{
	if (fmap == &fmap_without_memory)
		return;
	fmap->size = sizeof(*fmap->hdr);
	fmap->hdr->size = fmap->size;
	fmap->hdr->ext_type = FUSE_FMAP_EXT_SIMPLE;
	fmap->hdr->nextents = 0;
	fmap->mapped = 0;
	fmap->ends_in_page = false;
	fmap->error = fmap->flags_error;
	fuse_fmap_set_size(fmap, file_size);
}

int fuse_fmap_set_size(struct fuse_fmap *fmap, uint64_t file_size)
{
	if (fmap->error)
		return fmap->error;
	if (file_size > INT64_MAX)
		fmap->error = fmap_refuse(-EOVERFLOW, "size of no file");
	else
		fmap->hdr->file_size = file_size;
	return fmap->error;
}

int fuse_fmap_add_extent(struct fuse_fmap *fmap, uint32_t devindex,
			 uint64_t offset, uint64_t len)
{
	const struct fuse_dax_range range = {
		.devindex = devindex,
		.offset = offset,
		.len = len,
	};

	if (!fmap->error)
		fmap->error = add_extent(fmap, &range);
	return fmap->error;
}

int fuse_fmap_add_stripe(struct fuse_fmap *fmap, uint64_t nbytes,
			 uint32_t chunk_size,
			 const struct fuse_dax_range *strips, uint32_t nstrips)
{
	if (!fmap->error)
		fmap->error = add_stripe(fmap, nbytes, chunk_size, strips,
					 nstrips);
	return fmap->error;
}

int fuse_fmap_check(const struct fuse_fmap *fmap)
{
	if (fmap->error)
		return fmap->error;
	if (fmap->hdr->file_size > fmap->mapped)
		return fmap_refuse(-EINVAL, "less mapped than the file has");
	return 0;
}

int fuse_fmap_message(const struct fuse_fmap *fmap, const void **msg,
		      size_t *size)
{
	int err = fuse_fmap_check(fmap);

	if (err)
		return err;
	*msg = fmap->hdr;
	*size = fmap->size;
	return 0;
}
