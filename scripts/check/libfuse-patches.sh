#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every patch of the libfuse series builds without a warning.
#
# With -Wall -Wextra -Werror, as libfuse's own checks do. The examples in C++
# take longer than everything else and are built at the end of the series only.
# A tree that has built before is not built again.

. "$(dirname "$0")/common.sh"

source=$FAMFS_CACHE/check-libfuse
out=$FAMFS_CACHE/o/check-libfuse

# worktree COMMIT: only files that differ are written, so that little is built.
worktree()
{
	[ -e "$source/.git" ] ||
		tree_git "$LIBFUSE" worktree add -q --detach "$source" base
	tree_git "$source" checkout -q --detach "$1"
}

# one COMMIT SUBJECT [all]
one()
{
	local commit=$1 subject=$2 stamp skip='^(example/.*_hp|example/memfs_ll)$'
	local targets

	[ "${3:-}" != all ] || skip='^$'
	stamp=$FAMFS_CACHE/check/built/libfuse-$({
		tree_git "$LIBFUSE" rev-parse "$commit^{tree}"
		cat "$TOP/scripts/check/libfuse-patches.sh"
		gcc --version
		echo "$skip"
	} | sha256sum | cut -c 1-32)
	[ ! -e "$stamp" ] || return 0

	progress "libfuse: $subject"
	worktree "$commit"
	[ -e "$out/build.ninja" ] ||
		meson setup -Dwerror=true -Dwarning_level=2 "$out" "$source"
	# What a patch adds to a meson.build shows after this only.
	ninja -C "$out" build.ninja
	mapfile -t targets < <(ninja -C "$out" -t targets all |
		sed -nE 's/^([^:]+): (c|cpp)_LINKER.*/\1/p' | grep -vE "$skip")
	ninja -C "$out" -j "$JOBS" "${targets[@]}" ||
		{ echo "does not build: $subject"; return 1; }
	mkdir -p "$(dirname "$stamp")"
	touch "$stamp"
}

need meson meson
need ninja ninja-build
"$TOP/scripts/series/apply.sh" libfuse --clean
if command -v ccache >/dev/null; then
	export CCACHE_DIR=${CCACHE_DIR:-$FAMFS_CACHE/ccache}
fi
bad=0
while read -r commit subject; do
	one "$commit" "$subject" || bad=1
done < <(tree_git "$LIBFUSE" log --reverse --format='%H %s' base..series)
[ $bad != 0 ] || one series 'everything at the end' all || bad=1
exit $bad
