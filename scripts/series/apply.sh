#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Brings the overlay and the changes into the throw-away tree in the cache: the
# quick step between an edit and a build. Files that did not change keep their
# times.
#
# Usage: scripts/series/apply.sh linux|libfuse [NN|base]
#        scripts/series/apply.sh linux|libfuse --clean
#
# With NN the tree stops after that patch, with base before the first. Uncommitted
# edits of files of the base stay where they are until scripts/series/refresh.sh
# takes them; --clean refuses them.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.sh"

[ $# -ge 1 ] || usage
series_open "$1"
series_build

# Fatal only where patches are made: half-done work is built all the time.
orphans=$(series_orphans | paste -sd' ')
[ -z "$orphans" ] || warn "these belong to no patch, and are left out: $orphans"
stale=$(stale_copies | paste -sd' ')
[ -z "$stale" ] || warn "these are not as the series leaves them: $stale; $REFRESH NN takes edits"

want=$TIP
case ${2:-} in
''|--clean) ;;
base)	want=$(series_git rev-parse 'base^{commit}') ;;
*)	series_find "$2"
	want=${COMMITS[AT]} ;;
esac

series_own_head
dirty=$(series_dirty)
if [ -n "$dirty" ]; then
	hint=("Take them with $REFRESH NN, or drop them with git -C $TREE checkout .")
	[ "${2:-}" != --clean ] ||
		die "$TREE has uncommitted edits" "$dirty" "${hint[@]}"
	while read -r letter path; do
		[ "$letter" = M ] ||
			die "$path was added or removed in $TREE" \
			    "New files belong into the overlay." "${hint[@]}"
		[ -z "${BROUGHT[$path]:-}" ] ||
			die "$path was edited in $TREE, not in the overlay" "${hint[@]}"
	done <<< "$dirty"
	warn "uncommitted edits in $TREE: $(cut -f 2 <<< "$dirty" | paste -sd' ')"
	say "${hint[0]}"
fi

[ "$(series_git rev-parse HEAD)" != "$want" ] ||
	[ "$(series_git symbolic-ref -q HEAD)" != refs/heads/series ] || exit 0
old=$(series_git rev-parse HEAD)
series_checkout "$want"
say "$KIND: ${#PATCHES[@]} patches, $(series_git diff-tree -r --name-only "$old" "$want" | wc -l) files written"
