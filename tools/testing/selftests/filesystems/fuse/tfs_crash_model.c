// SPDX-License-Identifier: GPL-2.0
/*
 * The reference that files are compared with after crashes.
 *
 * Each write has a number, and bytes that tell it and their place from all
 * others.  A write that nobody has seen the end of leaves its number beside
 * those that were there before.  Behind the size of a file are zeros: that is
 * what it grows into.
 */
#include <stdlib.h>
#include <string.h>

#include "tfs_crash_model.h"

#define MODEL_END	(~0ULL)

void model_init(struct tfs_model *m)
{
	memset(m, 0, sizeof(*m));
	m->n = 1;
	m->span[0].n = 1;
}

static __u32 span_of(const struct tfs_model *m, __u64 pos)
{
	__u32 low = 0, high = m->n;

	while (high - low > 1) {
		__u32 mid = (low + high) / 2;

		if (m->span[mid].start <= pos)
			low = mid;
		else
			high = mid;
	}
	return low;
}

const struct model_span *model_at(const struct tfs_model *m, __u64 pos)
{
	return &m->span[span_of(m, pos)];
}

static bool same_ids(const struct model_span *a, const struct model_span *b)
{
	return a->n == b->n && !memcmp(a->id, b->id, a->n * sizeof(a->id[0]));
}

static void join_spans(struct tfs_model *m)
{
	__u32 i, to = 0;

	for (i = 1; i < m->n; i++)
		if (!same_ids(&m->span[to], &m->span[i]))
			m->span[++to] = m->span[i];
	m->n = to + 1;
}

/* Has a span begin at pos; returns its number. */
static __u32 split(struct tfs_model *m, __u64 pos)
{
	__u32 i = span_of(m, pos);

	if (m->span[i].start == pos)
		return i;
	if (m->n == MODEL_SPANS)
		abort();
	memmove(&m->span[i + 1], &m->span[i], (m->n - i) * sizeof(m->span[0]));
	m->n++;
	m->span[i + 1].start = pos;
	return i + 1;
}

static void add_id(struct model_span *s, __u32 id)
{
	__u32 i;

	for (i = 0; i < s->n; i++)
		if (s->id[i] == id)
			return;
	if (!s->n)
		return;
	if (s->n == MODEL_IDS)
		s->n = 0;
	else
		s->id[s->n++] = id;
}

static void change(struct tfs_model *m, __u64 start, __u64 end, __u32 id,
		   bool certain)
{
	__u32 from, to, i;

	if (start >= end)
		return;
	from = split(m, start);
	to = end == MODEL_END ? m->n : split(m, end);
	for (i = from; i < to; i++) {
		if (certain) {
			m->span[i].n = 1;
			m->span[i].id[0] = id;
		} else {
			add_id(&m->span[i], id);
		}
	}
	join_spans(m);
}

/* These bytes are those of a write, or zeros. */
void model_set(struct tfs_model *m, __u64 start, __u64 end, __u32 id)
{
	change(m, start, end, id, true);
}

/* They may be. */
void model_may(struct tfs_model *m, __u64 start, __u64 end, __u32 id)
{
	change(m, start, end, id, false);
}

void model_resize(struct tfs_model *m, __u64 size)
{
	m->size = size;
	if (m->promised > size)
		m->promised = size;
	m->most = size;
	change(m, size, MODEL_END, 0, true);
}

/* This host shows a smaller file; what another one will see is open. */
void model_hide(struct tfs_model *m, __u64 size)
{
	model_may(m, size, m->size, 0);
	m->stale = true;
	m->size = size;
	if (m->promised > size)
		m->promised = size;
}

static __u64 word(__u32 id, __u64 n)
{
	__u64 w = (n + 1) * 0xd6e8feb86659fd93ULL;

	if (!id)
		return 0;
	w ^= id * 0x9e3779b97f4a7c15ULL;
	w ^= w >> 32;
	w *= 0xd6e8feb86659fd93ULL;
	return w ^ w >> 29;
}

static unsigned char byte(__u32 id, __u64 pos)
{
	return word(id, pos / 8) >> pos % 8 * 8;
}

/* The bytes of a write at this place of a file. */
void model_fill(__u32 id, __u64 pos, void *buf, size_t len)
{
	unsigned char *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = byte(id, pos + i);
}

static size_t zeros(const unsigned char *p, size_t len)
{
	static const unsigned char none[4096];
	size_t i;

	for (i = 0; i + sizeof(none) <= len; i += sizeof(none))
		if (memcmp(p + i, none, sizeof(none)))
			break;
	while (i < len && !p[i])
		i++;
	return i;
}

static bool byte_fits(const struct model_span *s, __u64 pos, unsigned char c)
{
	__u32 i;

	for (i = 0; i < s->n; i++)
		if (byte(s->id[i], pos) == c)
			return true;
	return false;
}

static size_t match_span(const struct model_span *s, __u64 pos,
			 const unsigned char *p, size_t len)
{
	size_t i;

	if (!s->n)
		return len;
	if (s->n == 1 && !s->id[0])
		return zeros(p, len);
	for (i = 0; i < len; i++)
		if (!byte_fits(s, pos + i, p[i]))
			break;
	return i;
}

/* How many bytes, read at pos, are what may be there before one is not. */
size_t model_match(const struct tfs_model *m, __u64 pos, const void *buf,
		   size_t len)
{
	size_t done = 0;

	while (done < len) {
		__u32 i = span_of(m, pos + done);
		size_t n = len - done, right;

		if (i + 1 < m->n && m->span[i + 1].start - (pos + done) < n)
			n = m->span[i + 1].start - (pos + done);
		right = match_span(&m->span[i], pos + done, buf + done, n);
		done += right;
		if (right < n)
			break;
	}
	return done;
}
