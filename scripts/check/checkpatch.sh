#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# checkpatch --strict --codespell has nothing to say about any patch.

. "$(dirname "$0")/common.sh"

need codespell codespell

# What it says in vain, as TYPE|FILE|LINE, the last two of them patterns of what
# it says it of. As narrow as can be: nothing is ignored as a whole.
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
	'ENOSYS|fs/fuse/|-ENOSYS'
	'TYPO_SPELLING||[^a-z]iput\('
)

# exempt: each complaint is a paragraph; its first line has the type, the second
# the file.
exempt()
{
	awk -v list="$(printf '%s\n' "${EXEMPT[@]}")" '
	BEGIN {
		RS = ""; FS = "\n"; ORS = "\n\n"
		n = split(list, item, "\n")
		for (i = 1; i <= n; i++) {
			type[i] = file[i] = item[i]
			sub(/\|.*/, "", type[i])
			sub(/^[^|]*\|/, "", file[i])
			line[i] = file[i]
			sub(/\|.*/, "", file[i])
			sub(/^[^|]*\|/, "", line[i])
		}
	}
	{
		for (i = 1; i <= n; i++)
			if (index($1, ":" type[i] ":") && $2 ~ file[i] && $0 ~ line[i])
				next
		print
	}'
}

# checkpatch looks for the dictionary with the first python3 it finds, which may
# not be codespell's own, and without one it checks no spelling.
python=$(sed -n '1s/^#! *//p' "$(command -v codespell)")
dictionary=$($python -c 'import os, codespell_lib
print(os.path.join(os.path.dirname(codespell_lib.__file__), "data", "dictionary.txt"))') ||
	skip "codespell's dictionary is not to be found"
[ -e "$dictionary" ] || skip "codespell's dictionary is not to be found"

# What else is wrong with the series, the gate of that name tells.
"$TOP/scripts/series.sh" linux >/dev/null 2>&1 || true
[ -d "$PATCH_DIR" ] || { echo "no patches could be made: see the gate series"; exit 1; }

cd "$LINUX"
bad=0
for patch in "$PATCH_DIR"/*.patch; do
	case $patch in
	*/0000-cover-letter.patch) continue ;;
	esac
	# No sign-off: whoever posts signs. No git: all that it would be used for
	# is checking licences, with Python modules that may not be there, and
	# the gate "spdx" does that.
	status=0
	GIT_DIR=/nonexistent perl scripts/checkpatch.pl --strict --no-signoff \
		--codespell --codespellfile="$dictionary" --quiet --show-types \
		--no-summary --color=never "$patch" > "$BUILD/check/checkpatch.out" 2>&1 || status=$?
	found=$(exempt < "$BUILD/check/checkpatch.out")
	[ $status -le 1 ] || found+="checkpatch ends with $status"
	[ -z "$found" ] || {
		bad=1
		printf '== %s\n%s\n\n' "$(basename "$patch")" "$found"
	}
done
exit $bad
