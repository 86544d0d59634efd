#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Writes changes back from the throw-away tree in the cache to series/, so that
# nobody edits a diff by hand.
#
# Usage: scripts/series/refresh.sh linux|libfuse NN
#        scripts/series/refresh.sh linux|libfuse --all
#
# NN: the uncommitted edits of existing files in the tree become part of patch
# NN; the changes of later patches follow where their context moved. Edits of
# whole new files go back to the overlay. For a new patch make its folder with
# a message first. Of an existing file that the overlay has as well, as the series
# leaves it, either may be edited, and the other follows.
# --all: writes every change anew from where it applies, as is needed once after
# the base has changed, and such copies. The tree's own edits are not looked at.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.sh"

# write_changes PATCH FROM TO [PATH...]: its changes.diff from two commits.
write_changes()
{
	local changes=$SERIES/$1/changes.diff new=$SCRATCH/changes.diff from=$2 to=$3

	: > "$new"
	[ $# -eq 3 ] || {
		shift 3
		series_git diff-tree -r "${SERIES_DIFF[@]}" "$from" "$to" -- "$@" |
			sed '/^index /d' > "$new"
	}
	if [ ! -s "$new" ]; then
		[ ! -e "$changes" ] || say "series/$KIND/$(basename "$(dirname "$changes")")/changes.diff is empty now: removed"
		rm -f "$changes"
	elif ! cmp -s "$new" "$changes"; then
		cp "$new" "$changes"
		say "wrote ${changes#"$TOP/"}"
	fi
}

# write_copies: as the series leaves them.
write_copies()
{
	local path

	while read -r path; do
		series_git cat-file blob "$TIP:$path" > "$OVERLAY/$path"
		say "wrote $path, as the series leaves it"
	done < <(stale_copies)
}

# take_copies: brings edits of copies into the tree. One that is as git has it, or
# as the tree has, is of another time and not edited.
take_copies()
{
	local path

	while read -r path; do
		if series_has HEAD "$path" "$OVERLAY/$path" ||
		   git -C "$OVERLAY" diff --quiet HEAD -- "$path" 2>/dev/null ||
		   cmp -s "$OVERLAY/$path" "$TREE/$path"; then
			continue
		fi
		{ series_has HEAD "$path" "$TREE/$path" && series_has "$TIP" "$path" "$TREE/$path"; } ||
			die "$path was edited both in $TREE and in the overlay, or the tree is not at the end" \
			    "Make one of them as it is to be: diff $OVERLAY/$path $TREE/$path"
		cp "$OVERLAY/$path" "$TREE/$path"
	done < <(stale_copies)
}

refresh_all()
{
	local i from=base paths

	SERIES_ALLOW_OFFSET=1 series_build
	for i in "${!PATCHES[@]}"; do
		paths=$(changed_paths "${PATCHES[i]}")
		mapfile -t paths < <([ -z "$paths" ] || echo "$paths")
		write_changes "${PATCHES[i]}" "$from" "${COMMITS[i]}" "${paths[@]}"
		from=${COMMITS[i]}
	done
	write_copies
}

# sort_edits: EDITED, the files of the base that changed in the tree; WHOLE, the
# others that go back to the overlay.
sort_edits()
{
	local letter path

	EDITED=() WHOLE=()
	while read -r letter path; do
		[ "$letter" = M ] ||
			die "$path was added or removed in $TREE" \
			    "New files belong into the overlay; undo it there: git -C $TREE checkout HEAD -- $path"
		if in_base "$path"; then
			EDITED+=("$path")
			continue
		fi
		[ -n "${BROUGHT[$path]:-}" ] ||
			die "$path is in the tree, but no patch brings it" \
			    "Drop its edits: git -C $TREE checkout HEAD -- $path"
		cmp -s "$OVERLAY/$path" "$TREE/$path" ||
		series_git cat-file blob "HEAD:$path" | cmp -s - "$OVERLAY/$path" ||
			die "$path was edited both in $TREE and in the overlay" \
			    "Make one of them as it is to be: diff $OVERLAY/$path $TREE/$path"
		WHOLE+=("$path")
	done <<< "$1"
}

# merge_edit PATH COMMIT PATCH DIR: the file as the commit has it, with what the
# tree's edit changed.
merge_edit()
{
	local path=$1 dir=$SCRATCH/merge

	mkdir -p "$dir"
	series_git cat-file blob "HEAD:$path" > "$dir/before"
	series_git cat-file blob "$2:$path" > "$dir/ours"
	git merge-file -q -p --diff3 -L "$path in $3" -L "before your edit" \
		-L "your edit" "$dir/ours" "$dir/before" "$TREE/$path" > "$dir/out" || {
		sed -n '/^<<<<<<</,/^>>>>>>>/p' "$dir/out" >&2
		die "the edit of $path does not fit into $3" \
		    "It touches lines that another patch brings or changes: refresh that patch," \
		    "or undo one half of the edit, refresh, then make the other half. Nothing was written."
	}
	cp "$dir/out" "$4/$path"
}

# insert_edits: the commits again, changes alone, with the edits from patch AT on.
# Leaves the files that each changes in CHANGED.
insert_edits()
{
	local dir=$SCRATCH/new i patch path

	mkdir "$dir"
	CHANGED=()
	for i in "${!PATCHES[@]}"; do
		patch=${PATCHES[i]}
		changed_paths "$patch" > "$SCRATCH/paths"
		[ "$i" != "$AT" ] || printf '%s\n' "${EDITED[@]}" >> "$SCRATCH/paths"
		CHANGED[i]=$(sort -u "$SCRATCH/paths")
		while read -r path; do
			[ -n "$path" ] || continue
			from_base "$dir" "$path"
			case " ${EDITED[*]} " in
			*" $path "*)
				if [ "$i" -ge "$AT" ]; then
					merge_edit "$path" "${COMMITS[i]}" "$patch" "$dir"
					continue
				fi ;;
			esac
			series_git cat-file blob "${COMMITS[i]}:$path" > "$dir/$path"
		done <<< "${CHANGED[i]}"
		{
			import_commit $((i + 1)) "$SERIES/$patch/message"
			while read -r path; do
				[ -z "$path" ] || import_file "$dir" "$path"
			done <<< "${CHANGED[i]}"
		} >> "$SCRATCH/inserted"
	done
	import_run "$SCRATCH/inserted"
}

# settle PLACE: the tree at the patch where it was, or at the end. What is
# dirty becomes a commit first, so that files which are right already keep
# their times.
settle()
{
	SERIES_ALLOW_EMPTY=1 series_build
	series_git commit -q -a --no-verify -m 'edits, refreshed'
	series_checkout "${COMMITS[${1:--1}]}"
	write_copies
}

refresh_one()
{
	local dirty i from=base place='' head paths

	SERIES_ALLOW_EMPTY=1 series_build
	series_find "$1"
	series_own_head
	take_copies
	dirty=$(series_dirty)
	[ -n "$dirty" ] || {
		write_copies
		say "$TREE has no uncommitted edits: nothing to take"
		return
	}
	sort_edits "$dirty"

	head=$(series_git rev-parse HEAD)
	for i in "${!COMMITS[@]}"; do
		[ "${COMMITS[i]}" != "$head" ] || place=$i
	done

	if [ ${#EDITED[@]} -gt 0 ]; then
		insert_edits
		for i in "${!PATCHES[@]}"; do
			mapfile -t paths < <([ -z "${CHANGED[i]}" ] || echo "${CHANGED[i]}")
			[ "$i" -lt "$AT" ] ||
				write_changes "${PATCHES[i]}" "$from" "${COMMITS[i]}" "${paths[@]}"
			from=${COMMITS[i]}
		done
	fi
	for path in "${WHOLE[@]}"; do
		cmp -s "$TREE/$path" "$OVERLAY/$path" || {
			cp "$TREE/$path" "$OVERLAY/$path"
			say "$path goes back to the overlay, where it belongs"
		}
	done
	settle "$place"
}

[ $# -eq 2 ] || usage
series_open "$1"
[ ${#PATCHES[@]} -gt 0 ] || die "series/$KIND has no patches"
case $2 in
--all)	refresh_all ;;
*)	refresh_one "$2" ;;
esac
