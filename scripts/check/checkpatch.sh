#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# checkpatch --strict --codespell has nothing to say about any patch.
#
# A patch about which it said nothing before is not shown to it again.

. "$(dirname "$0")/common.sh"

need codespell codespell

# What it says in vain, as exempt.sh takes it. As narrow as can be: nothing is
# ignored as a whole.
EXEMPT=(
	# Every new file is asked about; the gate "maintainers" knows the answer.
	'FILE_PATH_CHANGES||'
	# Trace events and the tables for them have a layout of their own.
	'OPEN_ENDED_LINE|_trace\.h|TP_[A-Za-z_]*\($'
	'PARENTHESIS_ALIGNMENT|_trace\.h|TRACE_EVENT|DECLARE_EVENT|DEFINE_EVENT'
	'SPACING|fs/fuse/fuse_trace\.h|EM\( FUSE_'
	# These macros declare variables.
	'LINE_SPACING||FUSE_ARGS\(|MA_STATE\('
	# A FUSE server says so of a request that it does not know.
	'ENOSYS|/fuse/|ENOSYS'
	'TYPO_SPELLING||[^a-z]iput\('
	'TYPO_SPELLING|drivers/dax/device\.c|perhaps .flip.'
	'TYPO_SPELLING|mm/huge_memory\.c|perhaps .flip.'
	# As the lines before it.
	'BIT_MACRO|fs/dax\.c|define DAX_PUD'
	'CAMELCASE|fs/dax\.c|<__SetPageHead>'
	'TYPO_SPELLING|famfs_mm_walk_test\.c|may be misspelled - perhaps .DAEMON'
	'TYPO_SPELLING|famfs_mm_walk_test\.c|may be misspelled - perhaps .daemon'
)

# one PATCH DICTIONARY
one()
{
	local stamp status=0 out found

	stamp=$FAMFS_CACHE/check/patch/$({
		# Where in the series it stands does not matter.
		sed -E '/^(From |Date: |index )/d; s/^Subject: \[.*\]/Subject:/' "$1"
		cat "$LINUX/scripts/checkpatch.pl" "$TOP"/scripts/check/{checkpatch,exempt}.sh "$2"
	} | sha256sum | cut -c 1-32)
	[ ! -e "$stamp" ] || return 0

	tell "checkpatch: $(basename "$1" .patch)"
	cd "$LINUX"
	# No sign-off: whoever posts signs. No git: all that it would be used for
	# is checking licences, with Python modules that may not be there, and
	# the gate "spdx" does that.
	out=$(GIT_DIR=/nonexistent perl scripts/checkpatch.pl --strict --no-signoff \
		--codespell --codespellfile="$2" --quiet --show-types \
		--no-summary --color=never "$1" 2>&1) || status=$?
	found=$("$TOP/scripts/check/exempt.sh" "${EXEMPT[@]}" <<< "$out")
	[ $status -le 1 ] || found+="checkpatch ends with $status"
	[ -z "$found" ] || {
		printf '== %s\n%s\n\n' "$(basename "$1")" "$found"
		return 1
	}
	mkdir -p "$(dirname "$stamp")"
	touch "$stamp"
}

if [ "${1:-}" = --one ]; then
	one "$3" "$2"
	exit
fi

# checkpatch looks for the dictionary with the first python3 it finds, which may
# not be codespell's own, and without one it checks no spelling.
python=$(sed -n '1s/^#! *//p' "$(command -v codespell)")
dictionary=$($python -c 'import os, codespell_lib
print(os.path.join(os.path.dirname(codespell_lib.__file__), "data", "dictionary.txt"))') ||
	skip "codespell's dictionary is not to be found"
[ -e "$dictionary" ] || skip "codespell's dictionary is not to be found"

# What else is wrong with the series, the gate of that name tells.
"$TOP/scripts/series/make.sh" linux >/dev/null 2>&1 || true
[ -d "$PATCH_DIR" ] || { echo "no patches could be made: see the gate series"; exit 1; }

find "$PATCH_DIR" -name '*.patch' ! -name '0000-*' -print0 | sort -z |
	xargs -0 -r -n 1 -P "$JOBS" "$TOP/scripts/check/checkpatch.sh" --one "$dictionary"
