#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# codespell finds no misspelling, in the messages of the series neither.

. "$(dirname "$0")/common.sh"

need codespell codespell
# Words of the kernel.
WORDS=iput,damon

cd "$TOP"
# The context of a change is not ours; what it adds, checkpatch reads.
repo_files . | grep -v '/changes\.diff$' | tr '\n' '\0' |
	xargs -0 -r codespell --quiet-level=2 -L "$WORDS"
