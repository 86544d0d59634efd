// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of the end of the log: what counts, what does not, and what is damage.
 */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "checks.h"
#include "crc.h"
#include "layout.h"
#include "volume_internal.h"

static uint8_t log_bytes[CHECK_SIZE], log_image[CHECK_SIZE];

#define RECORDS	5

/* Some directories, one a record; returns where the records are. */
static int log_make(uint64_t at[RECORDS + 1])
{
	struct media *media = media_of_memory(log_image, CHECK_SIZE);
	struct volume_node node = { .mode = S_IFDIR | 0755 };
	struct op op = { .now = 2500000000 };
	struct volume *volume;
	char name[] = "a";
	int err = check_mkfs(media);

	if (!err)
		err = check_open(&volume, media, VOLUME_OWN, NULL);
	if (err)
		return err;
	for (unsigned int i = 0; i < RECORDS && !err; i++) {
		at[i] = volume->log.area.offset + volume->log.tail * LINE_SIZE;
		err = volume_create(volume, &op, 1, name, &node, NULL);
		name[0]++;
	}
	at[RECORDS] = volume->log.area.offset + volume->log.tail * LINE_SIZE;
	volume_close(volume);
	media_close(media);
	return err;
}

/* Opens log_bytes; how many directories there are, or an error. */
static int log_count(struct fault *fault)
{
	struct media *media = media_of_memory(log_bytes, CHECK_SIZE);
	struct volume_stat stat;
	struct volume *volume;
	int err;

	memset(fault, 0, sizeof(*fault));
	err = check_open(&volume, media, VOLUME_READ, fault);
	if (!err) {
		volume_statfs(volume, &stat);
		volume_close(volume);
		err = (int)stat.names;
	}
	media_close(media);
	return err;
}

static void log_seal(uint8_t *record)
{
	size_t bytes = get_le16(record + RECORD_LINES) * (size_t)LINE_SIZE;

	put_le32(record, crc_seeded(log_bytes + ROOT_OFFSET_ONE + ROOT_SECRET,
				    record + 4, bytes - 4));
}

/* The last record, with one field wrong and a right sum, does not count. */
const char *check_records(void)
{
	static const struct { uint32_t at, bytes; } fields[] = {
		{ RECORD_CHAIN, 4 }, { RECORD_SEQ, 8 },
		{ RECORD_MARK, 8 }, { RECORD_EPOCH, 4 },
		{ RECORD_FLAGS, 2 },
	};
	uint64_t at[RECORDS + 1];
	struct fault fault;

	if (log_make(at))
		return "making it fails";
	memcpy(log_bytes, log_image, CHECK_SIZE);
	if (log_count(&fault) != RECORDS)
		return "not all records count";
	for (unsigned int i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		uint8_t *last = log_bytes + at[RECORDS - 1];

		for (uint32_t byte = 0; byte < fields[i].bytes; byte++) {
			memcpy(log_bytes, log_image, CHECK_SIZE);
			last[fields[i].at + byte] ^= 1;
			log_seal(last);
			if (log_count(&fault) != RECORDS - 1)
				return check_say("a record counts with another field at %u",
						 fields[i].at);
		}
	}
	memcpy(log_bytes, log_image, CHECK_SIZE);
	log_bytes[at[RECORDS - 1] + RECORD_TIME] ^= 1;
	if (log_count(&fault) != RECORDS - 1)
		return "a record with a wrong sum counts";
	memcpy(log_bytes, log_image, CHECK_SIZE);
	/* A record whose lines reach behind the area is none. */
	put_le16(log_bytes + at[RECORDS - 1] + RECORD_LINES, 0xffff);
	return log_count(&fault) == RECORDS - 1 ? NULL :
	       "a record longer than the area counts";
}

static const char *damage_check(unsigned int record, int expected,
				const uint64_t *at)
{
	struct fault fault;
	int got;

	memcpy(log_bytes, log_image, CHECK_SIZE);
	log_bytes[at[record] + 50] ^= 0x40;
	got = log_count(&fault);
	if (got != expected)
		return check_say("record %u torn: %d", record, got);
	if (got < 0 && fault.kind != FAULT_LOG)
		return "damage is called something else";
	return NULL;
}

/* Mending ends the log before the damage, and then it is whole. */
static const char *damage_mend(const uint64_t *at)
{
	struct media *media = media_of_memory(log_bytes, CHECK_SIZE);
	struct fault fault = { 0 };
	struct volume *volume;
	const char *wrong = NULL;

	memcpy(log_bytes, log_image, CHECK_SIZE);
	log_bytes[at[2] + 50] ^= 0x40;
	if (check_open(&volume, media, VOLUME_OWN, &fault) != -EUCLEAN)
		return "a damaged log is taken over";
	if (check_open(&volume, media, VOLUME_OWN | VOLUME_MEND, NULL))
		return "a damaged log is not mended";
	volume_close(volume);
	if (log_count(&fault) != 2)
		wrong = "mending does not keep what was before the damage";
	media_close(media);
	return wrong;
}

/* The owner's beat says that there was more. */
static const char *damage_beat(const uint64_t *at)
{
	struct media *media;
	struct volume *volume;
	struct fault fault = { 0 };
	int got;

	memcpy(log_bytes, log_image, CHECK_SIZE);
	media = media_of_memory(log_bytes, CHECK_SIZE);
	if (check_open(&volume, media, VOLUME_READ, &fault))
		return "reading fails";
	volume->owner = true;
	volume->slot = 0;
	if (volume_beat(volume, 0))
		return "no beat";
	volume_close(volume);
	log_bytes[at[RECORDS - 1] + 50] ^= 1;
	got = log_count(&fault);
	if (got != -EUCLEAN || fault.kind != FAULT_LOG)
		return "a log that ends before the beat is whole";
	put_le32(log_bytes + slot_offset(0) + SLOT_BEAT + BEAT_EPOCH, 1);
	put_le32(log_bytes + slot_offset(0) + SLOT_BEAT,
		 crc_seeded(log_bytes + SUPER_UUID,
			    log_bytes + slot_offset(0) + SLOT_BEAT + 4, 60));
	got = log_count(&fault);
	media_close(media);
	return got == RECORDS - 1 ? NULL : "a beat of another epoch counts";
}

const char *check_damage(void)
{
	uint64_t at[RECORDS + 1];
	const char *wrong = NULL;

	if (log_make(at))
		return "making it fails";
	/* One record may be torn: the last. */
	wrong = damage_check(RECORDS - 1, RECORDS - 1, at);
	for (unsigned int i = 0; i < RECORDS - 1 && !wrong; i++)
		wrong = damage_check(i, -EUCLEAN, at);
	if (!wrong)
		wrong = damage_mend(at);
	return wrong ? wrong : damage_beat(at);
}

/* With bits flipped it must open as before, or not, but not else. */
static const char *flip_at(uint64_t offset, uint8_t bits)
{
	struct fault fault;
	int got;

	log_bytes[offset] ^= bits;
	got = log_count(&fault);
	log_bytes[offset] ^= bits;
	/* The last record torn, or all, or an error. */
	if (got >= 0 && got < RECORDS - 1)
		return check_say("bits 0x%x at %llu: %d names", bits,
				 (unsigned long long)offset, got);
	return NULL;
}

/* Flips each bit of a range. */
static const char *flips_in(uint64_t offset, uint32_t bytes)
{
	const char *wrong = NULL;

	for (uint32_t i = 0; i < bytes * 8 && !wrong; i++)
		wrong = flip_at(offset + i / 8, (uint8_t)(1u << i % 8));
	return wrong;
}

/* One byte of each line in front of the areas, another one in each. */
static const char *flips_in_lines(void)
{
	const char *wrong = NULL;

	for (uint64_t line = 0; line < AREAS_OFFSET / LINE_SIZE && !wrong; line++)
		wrong = flip_at(line * LINE_SIZE + line * 5 % LINE_SIZE, 0xff);
	return wrong;
}

const char *check_flips(void)
{
	uint64_t at[RECORDS + 1], snapshot;
	const char *wrong;

	if (log_make(at))
		return "making it fails";
	memcpy(log_bytes, log_image, CHECK_SIZE);
	snapshot = round_down64(at[0] - AREAS_OFFSET, CHECK_AREA) +
		   AREAS_OFFSET;
	wrong = flips_in(SUPER_OFFSET, 160);
	if (!wrong)
		wrong = flips_in(SUPER_DEVICES, 40);
	if (!wrong)
		wrong = flips_in(SUPER_INDEX, 8);
	if (!wrong)
		wrong = flips_in(ROOT_OFFSET_ONE, LINE_SIZE);
	if (!wrong)
		wrong = flips_in(ROOT_OFFSET_TWO, LINE_SIZE);
	if (!wrong)
		wrong = flips_in(CALL_OFFSET, LINE_SIZE);
	if (!wrong)
		wrong = flips_in(SLOTS_OFFSET, 256);
	if (!wrong)
		wrong = flips_in(snapshot,
				 (uint32_t)(at[RECORDS] - snapshot) + 64);
	return wrong ? wrong : flips_in_lines();
}
