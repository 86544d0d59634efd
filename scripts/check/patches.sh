#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every patch of the series builds.
#
# In the configuration that compiles the most; FULL=1 takes all of FUSE_FS,
# FUSE_FAMFS_DAX and FUSE_DAX. A tree that has built before is not built again.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

switches FULL

configs=("${MAIN[*]}")
if [ -n "$FULL" ]; then
	configs=(FUSE_FS={y,m}\ FUSE_FAMFS_DAX={y,n}\ FUSE_DAX={y,n})
fi

# one DIR COMMIT SUBJECT TOGGLE...
one()
{
	local dir=patches-$1 commit=$2 subject=$3 stamp

	shift 3
	stamp=$FAMFS_CACHE/check/built/$({
		tree_git "$LINUX" rev-parse "$commit^{tree}"
		cat "$TOP/scripts/check/"*.config "$TOP/scripts/check/build.sh"
		gcc --version
		echo "$*"
	} | sha256sum | cut -c 1-32)
	[ ! -e "$stamp" ] || return 0

	progress "patches: $subject ($*)"
	build_worktree "$commit"
	build_config "$dir" "$@"
	build_make "$dir" prepare
	# shellcheck disable=SC2046 # words they are
	{ build_make "$dir" $(build_targets "$commit" "$dir") && build_linked "$dir"; } ||
		{ echo "does not build with $*: $subject"; return 1; }
	mkdir -p "$(dirname "$stamp")"
	touch "$stamp"
}

need_series
bad=0
for toggles in "${configs[@]}"; do
	dir=$(tr -dc 'ymn' <<< "${toggles//[A-Z_]/}")
	while read -r commit subject; do
		# shellcheck disable=SC2086 # words they are
		one "$dir" "$commit" "$subject" $toggles || bad=1
	done < <(tree_git "$LINUX" log --reverse --format='%H %s' base..series)
done
exit $bad
