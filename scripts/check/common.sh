# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the gates share. Sourced by each:  . "$(dirname "$0")/common.sh"
# A gate is silent and exits 0, or prints what is wrong and exits 1, or exits 77
# when it could not run.

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2034 # the gates use it
PATCH_DIR=$BUILD/series/linux

# tell TEXT: for who waits, past the log.
tell()
{
	{ say "$*" 2>&3; } 2>/dev/null || true
}

# progress TEXT: in the log too, to say what belongs to what.
progress()
{
	echo "== $*"
	tell "$*"
}

skip()
{
	echo "$*"
	exit 77
}

# need COMMAND PACKAGE
need()
{
	command -v "$1" >/dev/null || skip "$1 is missing: install the package $2"
}

# repo_files PATHSPEC...: what is, or is about to be, in the repository.
repo_files()
{
	git -C "$TOP" ls-files -co --exclude-standard --deduplicate -- "$@" |
	while read -r path; do
		[ ! -f "$TOP/$path" ] || echo "$path"
	done
}

# need_series: the tree in the cache as the series has it, and nothing else.
need_series()
{
	"$TOP/scripts/series/apply.sh" linux --clean
}

# touched [LETTER]: the files of the kernel that the series adds (A) or edits (M).
touched()
{
	tree_git "$LINUX" diff-tree -r --no-renames --name-only \
		--diff-filter="${1:-AM}" base series
}
