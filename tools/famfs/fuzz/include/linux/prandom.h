/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FAMFS_SHIM_PRANDOM_H
#define _FAMFS_SHIM_PRANDOM_H

#include <linux/types.h>

struct rnd_state {
	u64 x;
};

/* splitmix64: the same numbers on every machine. */
static inline u32 prandom_u32_state(struct rnd_state *state)
{
	u64 z = state->x += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) >> 32;
}

static inline void prandom_seed_state(struct rnd_state *state, u64 seed)
{
	state->x = seed;
}

#endif
