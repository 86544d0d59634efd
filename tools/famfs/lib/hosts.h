/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Several hosts on one memory: slots, who is in, and letting go.
 *
 * One host owns the file system; the others are members. A member reads all and
 * writes nothing but the lines and lists of its slot: every operation of
 * volume.h that changes something returns -EROFS there.
 *
 * Threads and errors: as in volume.h. volume_join(), volume_poll() and
 * volume_look() are for one thread of a volume.
 */
#ifndef FAMFS_HOSTS_H
#define FAMFS_HOSTS_H

#include "volume.h"

/* Between two polls of a host, in milliseconds. */
#define HOSTS_POLL_MS	100u

/* How long a slot whose host seems to be in is watched for another one. */
#define HOSTS_WATCH_MS	3000u

/**
 * volume_join - makes this host a member, step by step
 * @volume: opened with VOLUME_READ
 * @options: who this host is; the nonce is random
 * @ms: time on a clock that only goes on
 * @fault: what is wrong, where an error other than -EAGAIN is returned
 *
 * The first time in a host's life the owner has to give it a slot.
 *
 * Return: 0: it is a member, and has read all; -EAGAIN: call it again, after
 * HOSTS_POLL_MS; -EBUSY: another host of the same id is in; -EEXIST: this host
 * is the owner; or an error of reading, and this host is out.
 */
int volume_join(struct volume *volume, const struct volume_options *options,
		uint64_t ms, struct fault *fault);

/* What a poll has found changed of an inode. */
enum {
	CHANGE_ATTR = 1,	/* attributes, names or xattrs */
	CHANGE_MAP = 2,		/* it has another map */
	CHANGE_CUT = 4,		/* which does not have all of the old one */
	CHANGE_REMOVED = 8,	/* it has no name any more */
	CHANGE_GONE = 16,	/* it is no more */
};

struct volume_change {
	uint64_t ino;
	unsigned int what;
	uint64_t seq;		/* of the last record that changed it */
};

/**
 * volume_poll - reads what the owner has written since the last time
 * @each: told of each inode that has changed, once, with no lock held; may be
 *        NULL
 *
 * From its return on, and when @each is called, no old map can be had. What was
 * cut off and removed is held (volume_each_hold()) until volume_let_go().
 *
 * Return: 0; -EAGAIN: some, or nothing, was read, as another host is about to
 * own the file system, or the medium changed too often; -ESTALE: this host is
 * cut off: its slot is not as it wrote it, or the file system is another one;
 * -EUCLEAN: the log is damaged, or says what cannot be; else an error of the
 * medium, or -ENOMEM.
 */
int volume_poll(struct volume *volume,
		void (*each)(void *context, const struct volume_change *change),
		void *context);

/**
 * volume_tell_held - a member's list and beat: what it has not let go of
 *
 * After every poll, and at least once a second.
 */
int volume_tell_held(struct volume *volume);

/* Something that a member has not let go of: released up to @seq. */
struct volume_hold {
	uint64_t ino, seq;
};

/* Calls @each for all of these, until it returns other than 0. */
int volume_each_hold(struct volume *volume,
		     int (*each)(void *context, const struct volume_hold *hold),
		     void *context);

/**
 * volume_admit - the owner gives slots to those who ask
 *
 * Return: how many, or -errno. Those for whom no slot is left go on asking.
 */
int volume_admit(struct volume *volume, int64_t now);

/**
 * volume_look - the owner looks at its own slot, and at those of all others
 *
 * -ESTALE: its own is not as it wrote it: writing has ended.
 *
 * What it sees decides what volume_gone() and volume_let_go() may give back:
 * with -EAGAIN they say that a host has not let go, as far as was seen last.
 */
int volume_look(struct volume *volume);

/* How a host's slot was seen last. */
enum host_presence {
	HOST_NEVER_IN,		/* the slot is given, and nobody has come */
	HOST_IN,		/* it counts, whether it lives or not */
	HOST_LEFT,		/* its superblock was gone for certain */
	HOST_UNCLEAR,		/* the slot cannot be read: it counts as in */
};

struct volume_host {
	unsigned int slot;
	char name[HOST_NAME_MOST + 1];
	uint8_t uuid[16];
	enum host_presence presence;
	bool owner;
	bool self;		/* it is this one */
	bool answers;		/* its beat is of this mount and epoch */
	/* Of its beat, where it answers. One that stands is silent. */
	uint64_t counter;
	uint64_t passed;
	uint32_t listed;
};

/* Calls @each for every host with a slot, until it returns other than 0. */
int volume_each_host(struct volume *volume,
		     int (*each)(void *context, const struct volume_host *host),
		     void *context);

/**
 * volume_each_blocked - whom does what waits wait for?
 * @each: called for each host that has not let go, as far as was seen last, of
 *        something; with this host's slot where it alone has not. It must not
 *        call functions of @volume. It ends with other than 0.
 *
 * On the owner alone: a member does not learn what has been given back.
 */
int volume_each_blocked(struct volume *volume,
			int (*each)(void *context, unsigned int slot,
				    const struct volume_waiting *waiting),
			void *context);

#endif
