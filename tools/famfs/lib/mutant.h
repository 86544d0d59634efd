/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Each write-back, fence, drop and comparison that keeps a medium safe has a
 * name in the list of mutants.h, and a number in test builds, which can disable
 * one of them. A run of the tests with one disabled must fail.
 */
#ifndef FAMFS_MUTANT_H
#define FAMFS_MUTANT_H

#include "mutants.h"

#define MUTANT_FENCE(name)	name,
#define MUTANT_READ(name)	name,
#define MUTANT_WRITE(name)	name, name##_FENCE,
enum mutant {
	MUTANT_NONE,
	MUTANTS(MUTANT_FENCE, MUTANT_READ, MUTANT_WRITE)
	MUTANT_END,
	MUTANT_SERVER = MUTANT_END - 1,
	MUTANTS_SERVER(MUTANT_FENCE)
	MUTANT_LAST
};

#ifdef FAMFS_MUTANTS
extern unsigned int mutant_disabled;
extern unsigned char mutant_reached[];
const char *mutant_name(unsigned int number);

static inline int mutant_is(unsigned int number)
{
	mutant_reached[number] = 1;
	return mutant_disabled == number;
}
#else
static inline int mutant_is(unsigned int number)
{
	(void)number;
	return 0;
}
#endif

/* True where @cond finds something wrong. */
#define WRONG(name, cond)	((cond) && !mutant_is(name))

#endif
