// SPDX-License-Identifier: GPL-2.0
/*
 * Map messages, a plain resolver of them, and the pattern by which a byte of a
 * device can be told from every other.
 */
#include <stdlib.h>
#include <string.h>

#include "tfs_fmap.h"

/* No extent and no strip in these tests is in units of less. */
#define UNIT	4096

void tfs_msg_append(struct tfs_msg *m, const void *data, size_t len)
{
	if (m->len + len > m->cap) {
		m->cap = (m->len + len) * 2;
		m->buf = realloc(m->buf, m->cap);
		if (!m->buf)
			abort();
	}
	memcpy(m->buf + m->len, data, len);
	m->len += len;
}

void tfs_msg_init(struct tfs_msg *m, __u64 file_size, __u32 ext_type)
{
	struct fuse_fmap_header h = {
		.file_type = FUSE_FMAP_FILE_REG,
		.version = FUSE_FMAP_VERSION,
		.ext_type = ext_type,
		.file_size = file_size,
	};

	memset(m, 0, sizeof(*m));
	tfs_msg_append(m, &h, sizeof(h));
}

void tfs_msg_exit(struct tfs_msg *m)
{
	free(m->buf);
	memset(m, 0, sizeof(*m));
}

struct fuse_fmap_header *tfs_msg_header(struct tfs_msg *m)
{
	return (void *)m->buf;
}

/* One more extent of a simple map. */
void tfs_msg_extent(struct tfs_msg *m, __u32 dev, __u64 off, __u64 len)
{
	struct fuse_fmap_extent e = {
		.devindex = dev,
		.offset = off,
		.len = len,
	};

	tfs_msg_append(m, &e, sizeof(e));
	tfs_msg_header(m)->nextents++;
}

/* One more extent of a striped map; its strips are to follow. */
void tfs_msg_stripe(struct tfs_msg *m, __u64 nbytes, __u32 chunk,
		    __u32 nstrips)
{
	struct fuse_fmap_stripe s = {
		.nstrips = nstrips,
		.chunk_size = chunk,
		.nbytes = nbytes,
	};

	tfs_msg_append(m, &s, sizeof(s));
	tfs_msg_header(m)->nextents++;
}

void tfs_msg_strip(struct tfs_msg *m, __u32 dev, __u64 off, __u64 len)
{
	struct fuse_fmap_extent e = {
		.devindex = dev,
		.offset = off,
		.len = len,
	};

	tfs_msg_append(m, &e, sizeof(e));
}

/* The whole message of a file of one extent. */
void tfs_msg_simple(struct tfs_msg *m, __u64 file_size, __u32 dev,
		    __u64 off, __u64 len)
{
	tfs_msg_init(m, file_size, FUSE_FMAP_EXT_SIMPLE);
	tfs_msg_extent(m, dev, off, len);
}

static void extents_by_id(struct fuse_fmap_extent *e, __u32 n, const int *ids)
{
	for (; n--; e++)
		e->devindex = ids[e->devindex];
}

/* The same map, with the backing id of each device in place of its index. */
void tfs_msg_by_id(struct tfs_msg *out, const struct tfs_msg *m,
		   const int *ids)
{
	struct fuse_fmap_header *h;
	struct fuse_fmap_stripe *s;
	__u32 i;

	memset(out, 0, sizeof(*out));
	tfs_msg_append(out, m->buf, m->len);
	h = tfs_msg_header(out);
	h->flags |= FUSE_FMAP_BACKING_IDS;
	if (h->ext_type == FUSE_FMAP_EXT_SIMPLE) {
		extents_by_id((void *)(h + 1), h->nextents, ids);
		return;
	}
	s = (void *)(h + 1);
	for (i = 0; i < h->nextents; i++) {
		struct fuse_fmap_extent *strips = (void *)(s + 1);

		extents_by_id(strips, s->nstrips, ids);
		s = (void *)(strips + s->nstrips);
	}
}

static bool resolve_simple(const struct tfs_msg *m, __u64 pos, __u32 *dev,
			   __u64 *off)
{
	const struct fuse_fmap_header *h = (void *)m->buf;
	const struct fuse_fmap_extent *e = (void *)(h + 1);
	__u32 i;

	for (i = 0; i < h->nextents; i++, e++) {
		if (pos < e->len) {
			*dev = e->devindex;
			*off = e->offset + pos;
			return true;
		}
		pos -= e->len;
	}
	return false;
}

static bool resolve_striped(const struct tfs_msg *m, __u64 pos, __u32 *dev,
			    __u64 *off)
{
	const struct fuse_fmap_header *h = (void *)m->buf;
	const struct fuse_fmap_stripe *s = (void *)(h + 1);
	__u32 i;

	for (i = 0; i < h->nextents; i++) {
		const struct fuse_fmap_extent *strips = (void *)(s + 1);

		if (pos < s->nbytes) {
			__u64 chunk = pos / s->chunk_size;

			*dev = strips[chunk % s->nstrips].devindex;
			*off = strips[chunk % s->nstrips].offset +
			       chunk / s->nstrips * s->chunk_size +
			       pos % s->chunk_size;
			return true;
		}
		pos -= s->nbytes;
		s = (void *)(strips + s->nstrips);
	}
	return false;
}

/* Where a byte of the file lies; the message must be a good one. */
bool tfs_resolve(const struct tfs_msg *m, __u64 pos, __u32 *dev,
		 __u64 *off)
{
	const struct fuse_fmap_header *h = (void *)m->buf;

	if (h->ext_type == FUSE_FMAP_EXT_SIMPLE)
		return resolve_simple(m, pos, dev, off);
	return resolve_striped(m, pos, dev, off);
}

/* The eight bytes that the pattern has at an offset of a device. */
__u64 pattern_word(__u32 dev, __u64 off)
{
	__u64 w = (off + 8) * 0x9e3779b97f4a7c15ULL;

	w ^= (dev + 1) * 0xc2b2ae3d27d4eb4fULL;
	return w ^ w >> 29;
}

/* Offset and length are multiples of 8. */
void pattern_fill(__u32 dev, __u64 off, void *buf, size_t len)
{
	__u64 *p = buf;
	size_t i;

	for (i = 0; i < len / 8; i++)
		p[i] = pattern_word(dev, off + i * 8);
}

/*
 * Compares bytes read from a mapped file with the pattern.  Returns how many
 * are right before the first that is not, give or take a word.
 */
size_t tfs_mismatch(const struct tfs_msg *m, __u64 pos, const void *buf,
		    size_t len)
{
	__u64 off = 0, want;
	size_t done = 0;
	__u32 dev = 0;

	while (done < len) {
		size_t skip = (pos + done) % 8;
		size_t n = 8 - skip < len - done ? 8 - skip : len - done;

		/* A page lies together; its words need no look at the map. */
		if (!done || (pos + done) % UNIT == 0) {
			if (!tfs_resolve(m, pos + done - skip, &dev, &off))
				return done;
		}
		want = pattern_word(dev, off);
		if (memcmp((char *)&want + skip, (char *)buf + done, n))
			return done;
		off += 8;
		done += n;
	}
	return done;
}
