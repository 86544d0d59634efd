// SPDX-License-Identifier: GPL-2.0
/*
 * The double: caches and what happens in them.
 */

#include "double.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

#define PAST	3
#define FLIGHTS	4096u

/* A cached line; the states that a dirty one has had since it was clean. */
struct double_line {
	uint64_t line;
	bool dirty, back;
	uint8_t past_count;
	uint8_t data[LINE_SIZE];
	uint8_t past[PAST][LINE_SIZE];
};

/* A fenced line on its way to the other hosts. */
struct double_flight {
	uint32_t host;
	uint64_t line;
	uint8_t data[LINE_SIZE];
};

/* xorshift64*: quick, and the same everywhere. */
uint32_t double_random(struct double_memory *memory, uint32_t below)
{
	uint64_t x = memory->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	memory->random = x;
	return (uint32_t)((x * 2685821657736338717ull) >> 33) % below;
}

/* Memory that is going to be written. */
static uint8_t *double_at(struct double_memory *memory, uint64_t line)
{
	if (!memory->touched_is[line]) {
		memory->touched_is[line] = 1;
		memory->touched[memory->touched_count++] = line;
	}
	return memory->bytes + line * LINE_SIZE;
}

static struct double_line *double_find(struct double_host *host, uint64_t line)
{
	int32_t at = host->where[line];

	return at < 0 ? NULL : &host->lines[at];
}

static struct double_line *double_make(struct double_host *host, uint64_t line)
{
	struct double_line *made;

	if (host->count == host->room) {
		host->room = host->room ? host->room * 2 : 256;
		host->lines = realloc(host->lines,
				      host->room * sizeof(*host->lines));
		if (!host->lines)
			abort();
	}
	host->where[line] = (int32_t)host->count;
	made = &host->lines[host->count++];
	made->line = line;
	made->dirty = false;
	made->back = false;
	made->past_count = 0;
	return made;
}

static void double_forget(struct double_host *host, struct double_line *line)
{
	struct double_line *last = &host->lines[--host->count];

	host->where[line->line] = -1;
	if (line != last) {
		*line = *last;
		host->where[line->line] = (int32_t)(line - host->lines);
	}
}

static void double_land(struct double_memory *memory, uint32_t nth)
{
	struct double_flight *flight = &memory->flights[nth];

	memcpy(double_at(memory, flight->line), flight->data, LINE_SIZE);
	/* The order of one line's flights is kept. */
	memmove(flight, flight + 1,
		(--memory->flight_count - nth) * sizeof(*flight));
}

void double_settle(struct double_memory *memory)
{
	while (memory->flight_count)
		double_land(memory, 0);
}

void double_land_from(struct double_memory *memory, uint32_t nth)
{
	while (memory->flight_count > nth)
		double_land(memory, nth);
}

/* A later write of the same line cannot arrive before an earlier one. */
static void double_land_line(struct double_memory *memory, uint64_t line)
{
	for (uint32_t i = 0; i < memory->flight_count; ) {
		if (memory->flights[i].line == line)
			double_land(memory, i);
		else
			i++;
	}
}

/* Some content that a dirty line may reach memory with. */
static void double_spill(struct double_memory *memory,
			 const struct double_line *line)
{
	uint8_t *to = double_at(memory, line->line);
	uint32_t kind = double_random(memory, 4);

	double_land_line(memory, line->line);
	if (kind < 2 && line->past_count) {
		memcpy(to, line->past[double_random(memory, line->past_count)],
		       LINE_SIZE);
	} else if (kind < 3) {
		memcpy(to, line->data, LINE_SIZE);
	} else {
		uint32_t pieces = double_random(memory, 256);

		for (uint32_t i = 0; i < 8; i++) {
			if (pieces >> i & 1)
				memcpy(to + 8 * i, line->data + 8 * i, 8);
		}
	}
}

static void double_clean(struct double_memory *memory,
			 struct double_line *line)
{
	double_land_line(memory, line->line);
	memcpy(double_at(memory, line->line), line->data, LINE_SIZE);
	line->dirty = false;
	line->back = false;
	line->past_count = 0;
}

static uint32_t double_number(const struct double_host *host)
{
	return (uint32_t)(host - host->memory->hosts);
}

/* A host sees its own writes at once. */
static const uint8_t *double_source(struct double_host *host, uint64_t line)
{
	struct double_memory *memory = host->memory;

	for (uint32_t i = memory->flight_count; i-- > 0; ) {
		struct double_flight *flight = &memory->flights[i];

		if (flight->line == line &&
		    flight->host == double_number(host))
			return flight->data;
	}
	return memory->bytes + line * LINE_SIZE;
}

static struct double_line *double_fetch(struct double_host *host,
					uint64_t line)
{
	struct double_line *made = double_find(host, line);

	if (!made) {
		made = double_make(host, line);
		memcpy(made->data, double_source(host, line), LINE_SIZE);
	}
	return made;
}

/* One thing that caches do by themselves. */
static void double_happen(struct double_memory *memory)
{
	struct double_host *host =
		&memory->hosts[double_random(memory, DOUBLE_HOSTS)];
	struct double_line *line;

	if (memory->flight_count && !double_random(memory, 3))
		double_land(memory, 0);
	if (!host->count)
		return;
	line = &host->lines[double_random(memory, host->count)];
	switch (double_random(memory, 4)) {
	case 0:		/* evicted */
		if (line->dirty)
			double_clean(memory, line);
		double_forget(host, line);
		break;
	case 1:		/* written back, early, or in part */
		if (line->dirty)
			double_spill(memory, line);
		break;
	case 2:		/* the next ones are fetched */
		if (line->line + 4 < memory->size / LINE_SIZE) {
			uint64_t at = line->line;

			for (uint64_t i = 1; i < 4; i++)
				double_fetch(host, at + i);
		}
		break;
	default:	/* an important one is fetched */
		double_fetch(host, (double_random(memory, 2) ? ROOT_OFFSET_ONE :
				    CALL_OFFSET) / LINE_SIZE);
	}
}

/* Before each access to a line. Return: 0, or -EIO: the host is dead. */
static int double_step(struct double_host *host)
{
	struct double_memory *memory = host->memory;

	memory->steps++;
	if (memory->steps == memory->crash_at) {
		if (memory->crash_keeps)
			memory->hosts[memory->crash_host].dead = true;
		else
			double_crash(memory, memory->crash_host);
	}
	if (memory->steps == memory->call_at) {
		memory->call_at = 0;
		memory->call(memory->context);
	}
	if (host->dead)
		return -EIO;
	if (double_random(memory, 256) < memory->chaos)
		double_happen(memory);
	return 0;
}

static void double_drop(struct double_host *host, uint64_t line)
{
	struct double_line *found = double_find(host, line);

	if (!found)
		return;
	if (found->dirty)
		double_clean(host->memory, found);
	double_forget(host, found);
}

static int double_read(struct media *media, uint64_t offset, void *buf,
		       size_t len, unsigned int how)
{
	struct double_host *host = (struct double_host *)media;
	uint8_t *to = buf;

	while (len) {
		size_t in = offset % LINE_SIZE, much = LINE_SIZE - in;
		uint64_t line = offset / LINE_SIZE;

		if (much > len)
			much = len;
		if (double_step(host))
			return -EIO;
		if (how & MEDIA_DROP)
			double_drop(host, line);
		memcpy(to, double_fetch(host, line)->data + in, much);
		to += much;
		offset += much;
		len -= much;
	}
	return 0;
}

/* Every line that was written back is on its way. */
static void double_fence(struct double_host *host)
{
	struct double_memory *memory = host->memory;

	for (uint32_t i = 0; i < host->backed_count; i++) {
		struct double_line *line = double_find(host, host->backed[i]);
		struct double_flight *flight;

		if (!line || !line->back)
			continue;
		if (memory->flight_count == FLIGHTS)
			double_settle(memory);
		flight = &memory->flights[memory->flight_count++];
		flight->host = double_number(host);
		flight->line = line->line;
		memcpy(flight->data, line->data, LINE_SIZE);
		line->dirty = false;
		line->back = false;
		line->past_count = 0;
	}
	host->backed_count = 0;
}

static void double_store(struct double_host *host, uint64_t line,
			 const uint8_t *data, unsigned int how)
{
	struct double_line *stored = double_fetch(host, line);

	if (stored->dirty && stored->past_count < PAST)
		memcpy(stored->past[stored->past_count++], stored->data,
		       LINE_SIZE);
	memcpy(stored->data, data, LINE_SIZE);
	stored->dirty = true;
	stored->back = how & MEDIA_BACK;
	if (!stored->back)
		return;
	/* Longer writes than that arrive in part before their fence. */
	if (host->backed_count == sizeof(host->backed) / sizeof(*host->backed))
		double_fence(host);
	host->backed[host->backed_count++] = line;
}

static int double_write(struct media *media, uint64_t offset, const void *buf,
			size_t len, unsigned int how)
{
	struct double_host *host = (struct double_host *)media;
	const uint8_t *from = buf;

	for (size_t at = 0; at < len; at += LINE_SIZE) {
		if (double_step(host))
			return -EIO;
		double_store(host, (offset + at) / LINE_SIZE, from + at, how);
	}
	/* The crash may come before the fence, too. */
	if (double_step(host))
		return -EIO;
	if (how & MEDIA_FENCE)
		double_fence(host);
	return 0;
}

static void double_media_settle(struct media *media)
{
	double_settle(((struct double_host *)media)->memory);
}

static void double_media_close(struct media *media)
{
	(void)media;
}

static const struct media_ops double_ops = {
	.read = double_read,
	.write = double_write,
	.settle = double_media_settle,
	.close = double_media_close,
};

void double_crash(struct double_memory *memory, uint32_t number)
{
	struct double_host *host = &memory->hosts[number];

	/* What it had fenced arrives. */
	double_settle(memory);
	for (uint32_t i = 0; i < host->count; i++) {
		struct double_line *line = &host->lines[i];

		if (line->dirty && double_random(memory, 2))
			double_spill(memory, line);
		host->where[line->line] = -1;
	}
	host->count = 0;
	host->backed_count = 0;
	host->dead = true;
}

void double_init(struct double_memory *memory, uint64_t size)
{
	memset(memory, 0, sizeof(*memory));
	memory->size = size;
	memory->bytes = calloc(1, size);
	memory->flights = calloc(FLIGHTS, sizeof(*memory->flights));
	memory->touched = calloc(size / LINE_SIZE, sizeof(uint64_t));
	memory->touched_is = calloc(size / LINE_SIZE, 1);
	if (!memory->bytes || !memory->flights || !memory->touched ||
	    !memory->touched_is)
		abort();
	for (uint32_t i = 0; i < DOUBLE_HOSTS; i++) {
		struct double_host *host = &memory->hosts[i];

		host->media.ops = &double_ops;
		host->media.size = size;
		host->memory = memory;
		host->where = malloc(size / LINE_SIZE * sizeof(int32_t));
		if (!host->where)
			abort();
		memset(host->where, 0xff, size / LINE_SIZE * sizeof(int32_t));
	}
}

void double_free(struct double_memory *memory)
{
	for (uint32_t i = 0; i < DOUBLE_HOSTS; i++) {
		free(memory->hosts[i].where);
		free(memory->hosts[i].lines);
	}
	free(memory->flights);
	free(memory->touched);
	free(memory->touched_is);
	free(memory->bytes);
}

/* Only what has changed, where it is the same image again. */
static void double_restore(struct double_memory *memory, const uint8_t *image)
{
	if (image != memory->image)
		memcpy(memory->bytes, image, memory->size);
	for (uint32_t i = 0; i < memory->touched_count; i++) {
		uint64_t line = memory->touched[i];

		memcpy(memory->bytes + line * LINE_SIZE,
		       image + line * LINE_SIZE, LINE_SIZE);
		memory->touched_is[line] = 0;
	}
	memory->touched_count = 0;
	memory->image = image;
}

void double_reset(struct double_memory *memory, const uint8_t *image,
		  uint64_t seed)
{
	memory->random = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	for (uint32_t i = 0; i < DOUBLE_HOSTS; i++)
		double_crash(memory, i);
	for (uint32_t i = 0; i < DOUBLE_HOSTS; i++)
		memory->hosts[i].dead = false;
	double_restore(memory, image);
	memory->steps = 0;
	memory->crash_at = 0;
	memory->crash_keeps = false;
	memory->call_at = 0;
	memory->chaos = 64;
}
