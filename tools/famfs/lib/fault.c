// SPDX-License-Identifier: GPL-2.0
/*
 * Findings.
 */

#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

int fault_set(struct fault *fault, int err, enum fault_kind kind,
	      uint64_t where, const char *format, ...)
{
	va_list args;

	if (!fault || fault->kind != FAULT_NONE)
		return err;
	fault->kind = kind;
	fault->where = where;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return err;
}
