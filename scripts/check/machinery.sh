#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The scripts that make and refresh the series refuse what they must.

. "$(dirname "$0")/common.sh"

said=$("$TOP/scripts/series-selftest.sh" 2>&1) ||
	{ grep -v '^ok ' <<< "$said"; exit 1; }
