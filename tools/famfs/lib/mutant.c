// SPDX-License-Identifier: GPL-2.0
/*
 * The mutants of test builds. Nothing of it is in others.
 */

#include "mutant.h"

#ifdef FAMFS_MUTANTS
unsigned int mutant_disabled;
unsigned char mutant_reached[MUTANT_LAST + 1];

const char *mutant_name(unsigned int number)
{
#define MUTANT_TEXT(name)	#name,
#define MUTANT_TEXTS(name)	#name, #name "_FENCE",
	static const char *const names[] = {
		"none", MUTANTS(MUTANT_TEXT, MUTANT_TEXT, MUTANT_TEXTS)
		MUTANTS_SERVER(MUTANT_TEXT)
	};

	return number < MUTANT_LAST ? names[number] : "none";
}
#else
typedef int mutant_none;
#endif
