// SPDX-License-Identifier: GPL-2.0
/*
 * The superblock: layout of a new medium, encoding, and checks of what is read.
 */

#include "super.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "crc.h"

static uint64_t super_usual_area(uint64_t size)
{
	uint64_t area = round_up64(size / 128, HUGE_SIZE);

	if (area < AREA_LEAST_USUAL)
		return AREA_LEAST_USUAL;
	return area > AREA_MOST ? AREA_MOST : area;
}

int super_plan(struct super *super, uint64_t size, uint64_t area,
	       struct fault *fault)
{
	uint64_t least;

	size = round_down64(size, super->unit);
	if (!area)
		area = super_usual_area(size);
	area = round_up64(area, LINE_SIZE);
	for (unsigned int i = 0; i < AREA_COUNT; i++) {
		super->areas[i].offset = AREAS_OFFSET + i * area;
		super->areas[i].length = area;
	}
	super->data = round_up64(AREAS_OFFSET + AREA_COUNT * area, HUGE_SIZE);
	/* One unit of data and the copy of the superblock. */
	least = super->data + 2 * (uint64_t)super->unit;
	if (size < least)
		return fault_set(fault, -ENOSPC, FAULT_SUPER, 0,
				 "the device has %llu bytes, and at least %llu are needed",
				 (unsigned long long)size,
				 (unsigned long long)least);
	super->size = size;
	super->end = size - super->unit;
	return 0;
}

void super_encode(const struct super *super, uint8_t block[SUPER_SIZE])
{
	uint8_t *device = block + SUPER_DEVICES;

	memset(block, 0, SUPER_SIZE);
	put_le64(block + SUPER_MAGIC, SUPER_MAGIC_VALUE);
	put_le64(block + SUPER_VERSION, SUPER_VERSION_VALUE);
	memcpy(block + SUPER_UUID, super->uuid, 16);
	memcpy(block + SUPER_LABEL, super->label,
	       strnlen(super->label, LABEL_SIZE));
	put_le64(block + SUPER_COMPAT, super->compat);
	put_le64(block + SUPER_RO_COMPAT, super->ro_compat);
	put_le64(block + SUPER_INCOMPAT, super->incompat);
	put_le32(block + SUPER_UNIT, super->unit);
	put_le32(block + SUPER_COHERENCE, super->coherence);
	for (unsigned int i = 0; i < AREA_COUNT; i++) {
		uint8_t *area = block + SUPER_AREAS + 16 * i;

		put_le64(area, super->areas[i].offset);
		put_le64(area + 8, super->areas[i].length);
	}
	put_le64(block + SUPER_DATA, super->data);
	memcpy(device + DEVICE_UUID, super->uuid, 16);
	put_le64(device + DEVICE_SIZE, super->size);
	put_le64(device + DEVICE_START, super->data);
	put_le32(block + SUPER_INDEX, 0);
	put_le32(block + SUPER_CRC,
		 crc_seeded(super->uuid, block, SUPER_CRC));
}

static int super_identify(const uint8_t *block, struct fault *fault)
{
	uint64_t version = get_le64(block + SUPER_VERSION);
	int err;

	if (WRONG(SUPER_IS_FAMFS,
		  get_le64(block + SUPER_MAGIC) != SUPER_MAGIC_VALUE))
		return fault_set(fault, -EMEDIUMTYPE, FAULT_FOREIGN, 0,
				 "there is no famfs superblock");
	if (!WRONG(SUPER_IS_OURS, version != SUPER_VERSION_VALUE))
		return 0;
	err = fault_set(fault, -EPROTONOSUPPORT, FAULT_VERSION, SUPER_VERSION,
			"the format has version %llu, and this program knows 300",
			(unsigned long long)version);
	if (fault)
		fault->number = version;
	return err;
}

/* Areas and data do not overlap each other, nor what lies below them. */
static const char *super_areas_wrong(const struct super *super)
{
	uint64_t at = AREAS_OFFSET;

	for (unsigned int i = 0; i < AREA_COUNT; i++) {
		const struct area *area = &super->areas[i];

		if (WRONG(SUPER_AREA_OFFSET, area->offset < at ||
			  area->offset % LINE_SIZE))
			return "a log area lies in what comes before it";
		if (WRONG(SUPER_AREA_LENGTH, area->length < AREA_LEAST ||
			  area->length > AREA_MOST ||
			  area->length % LINE_SIZE))
			return "a log area has a length that cannot be";
		if (WRONG(SUPER_AREA_END, area->offset > super->data ||
			  area->length > super->data - area->offset))
			return "a log area reaches into the data";
		at = area->offset + area->length;
	}
	return NULL;
}

static const char *super_wrong(const struct super *super, uint64_t size)
{
	uint32_t unit = super->unit;

	if (WRONG(SUPER_UNIT_SIZE, unit < UNIT_LEAST || unit > UNIT_MOST ||
		  (unit & (unit - 1))))
		return "the unit is no power of two from 4 KiB to 2 MiB";
	if (WRONG(SUPER_COHERENCE_KIND,
		  super->coherence > COHERENCE_HARDWARE))
		return "the coherence is neither software nor hardware";
	if (WRONG(SUPER_DEVICE_SIZE, super->size > size ||
		  super->size % unit || super->size < unit))
		return "the device is smaller than it was at mkfs";
	if (WRONG(SUPER_DATA_START, super->data % HUGE_SIZE ||
		  super->data > super->size - unit))
		return "the data begins where it cannot";
	return super_areas_wrong(super);
}

int super_decode(struct super *super, const uint8_t block[SUPER_SIZE],
		 uint64_t size, struct fault *fault)
{
	const char *wrong;
	int err = super_identify(block, fault);

	if (err)
		return err;
	memset(super, 0, sizeof(*super));
	memcpy(super->uuid, block + SUPER_UUID, 16);
	if (WRONG(SUPER_SUM, get_le32(block + SUPER_CRC) !=
		  crc_seeded(super->uuid, block, SUPER_CRC)))
		return fault_set(fault, -EUCLEAN, FAULT_SUPER, SUPER_CRC,
				 "the superblock's checksum is wrong");
	memcpy(super->label, block + SUPER_LABEL, LABEL_SIZE);
	super->compat = get_le64(block + SUPER_COMPAT);
	super->ro_compat = get_le64(block + SUPER_RO_COMPAT);
	super->incompat = get_le64(block + SUPER_INCOMPAT);
	super->unit = get_le32(block + SUPER_UNIT);
	super->coherence = get_le32(block + SUPER_COHERENCE);
	for (unsigned int i = 0; i < AREA_COUNT; i++) {
		const uint8_t *area = block + SUPER_AREAS + 16 * i;

		super->areas[i].offset = get_le64(area);
		super->areas[i].length = get_le64(area + 8);
	}
	super->data = get_le64(block + SUPER_DATA);
	super->size = get_le64(block + SUPER_DEVICES + DEVICE_SIZE);
	if (WRONG(SUPER_FEATURES_KNOWN, super->incompat))
		return fault_set(fault, -EPROTONOSUPPORT, FAULT_FEATURES,
				 SUPER_INCOMPAT,
				 "the medium has features %#llx, which this program does not know",
				 (unsigned long long)super->incompat);
	wrong = super_wrong(super, size);
	if (wrong)
		return fault_set(fault, -EUCLEAN, FAULT_SUPER, 0, "%s", wrong);
	super->end = super->size - super->unit;
	return 0;
}

int super_read(struct super *super, struct media *media, struct fault *fault)
{
	uint8_t block[SUPER_SIZE];
	int err;

	if (media->size < AREAS_OFFSET)
		return fault_set(fault, -EMEDIUMTYPE, FAULT_FOREIGN, 0,
				 "the device has %llu bytes: too few for famfs",
				 (unsigned long long)media->size);
	err = media_read(media, SUPER_OFFSET, block, sizeof(block),
			 SUPER_DROP);
	if (err)
		return fault_set(fault, err, FAULT_ACCESS, SUPER_OFFSET,
				 "the superblock cannot be read");
	return super_decode(super, block, media->size, fault);
}

static bool super_is_at(struct super *super, struct media *media, uint64_t at)
{
	uint8_t block[SUPER_SIZE];

	return !media_read(media, at, block, sizeof(block), COPY_DROP) &&
	       !super_decode(super, block, media->size, NULL);
}

int super_read_copy(struct super *super, struct media *media)
{
	for (uint32_t unit = UNIT_LEAST; unit <= UNIT_MOST; unit *= 2) {
		uint64_t at = round_down64(media->size, unit);

		if (at < AREAS_OFFSET + (uint64_t)unit)
			break;
		at -= unit;
		if (super_is_at(super, media, at) && super->unit == unit &&
		    super->end == at)
			return 0;
	}
	return -ENOENT;
}

bool super_has_copy(const struct super *super, struct media *media)
{
	struct super copy;

	return super_is_at(&copy, media, super->end) &&
	       !memcmp(&copy, super, sizeof(copy));
}

/*
 * May what is at 0 be what the copy is of? Where nothing is known of it, all of
 * it may have been overwritten: whoever writes there has to look for others.
 */
static bool super_may_be(const struct super *copy, struct media *media,
			 const struct fault *fault)
{
	uint8_t uuid[16];

	if (fault->kind != FAULT_VERSION)
		return fault->kind == FAULT_SUPER ||
		       fault->kind == FAULT_FOREIGN;
	return !media_read(media, SUPER_OFFSET + SUPER_UUID, uuid,
			   sizeof(uuid), SUPER_UUID_DROP) &&
	       !memcmp(uuid, copy->uuid, sizeof(uuid));
}

int super_read_either(struct super *super, struct media *media,
		      struct fault *fault)
{
	int err = super_read(super, media, fault);
	struct super copy;

	if (!err || super_read_copy(&copy, media) ||
	    !super_may_be(&copy, media, fault))
		return err;
	*super = copy;
	return 1;
}

int super_write(const struct super *super, struct media *media)
{
	uint8_t block[SUPER_SIZE];
	int err;

	super_encode(super, block);
	err = media_write(media, super->end, block, SUPER_SIZE,
			  SUPER_COPY_WRITE);
	if (err)
		return err;
	return media_write(media, SUPER_OFFSET, block, SUPER_SIZE,
			   SUPER_FRONT_WRITE);
}
