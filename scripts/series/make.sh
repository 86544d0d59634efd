#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the patches that can be posted, build/series/<tree>/<part>/*.patch with a
# cover letter for each part, and proves that they are right: changes apply with no
# fuzz and no offset, `git am` of all parts, one after the other, on a fresh base
# gives the same trees and messages, a second run gives the same bytes, nothing
# tells of this machine.
#
# Usage: scripts/series/make.sh linux|libfuse
#
# POSTER='Name <address>' makes them as that person posts them: signed, and with
# the person in MAINTAINERS.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.sh"

# The base's version, as its own build files have it.
base_version()
{
	case $KIND in
	linux)
		series_git cat-file blob base:Makefile |
		awk '$2 == "=" && NR < 10 { v[$1] = $3 }
		     END { print "Linux " v["VERSION"] "." v["PATCHLEVEL"] "." v["SUBLEVEL"] }' ;;
	libfuse)
		series_git cat-file blob base:meson.build |
		sed -n "s/.*version: '\([0-9.]*\)'.*/libfuse \1/p" | head -n 1 ;;
	esac
}

# fill_cover FILE COVER BASE: the texts that git leaves open. The base is named by
# its release: the id of our own base commit means nothing to anyone.
fill_cover()
{
	# By the environment and with index(): a text is no pattern, and has
	# no escapes.
	cover=$2 base=$3 awk '
	BEGIN {
		cover = ENVIRON["cover"]
		base = ENVIRON["base"]
		getline subject < cover
		mark = "*** SUBJECT HERE ***"
	}
	(at = index($0, mark)) {
		print substr($0, 1, at - 1) subject substr($0, at + length(mark))
		next
	}
	/^\*\*\* BLURB HERE \*\*\*$/ {
		getline line < cover	# the empty one after the subject
		while ((getline line < cover) > 0)
			print line
		print "\nBase: " base
		next
	}
	{ print }' "$1" > "$1.new"
	mv "$1.new" "$1"
}

# part_end I: the last commit of a part, or the base before the first.
part_end()
{
	if [ "$1" -lt 0 ]; then
		series_git rev-parse 'base^{commit}'
	else
		echo "${COMMITS[ENDS[$1] - 1]}"
	fi
}

# format_part I DIR
format_part()
{
	local name=${PARTS[$1]} base
	local cover=cover${name:+.$name}

	[ -s "$SERIES/$cover" ] || die "series/$KIND/$cover is missing" \
		"A subject, an empty line, then the text of the cover letter."
	base=$(base_version)
	[ "$1" = 0 ] || base+=" with ${PARTS[*]:0:$1}"
	mkdir -p "$2"
	# A fixed --abbrev: git's own grows with the number of objects.
	series_git format-patch --quiet --zero-commit --signature='' --numbered \
		--cover-letter --abbrev=12 --no-renames --diff-algorithm=myers \
		--src-prefix=a/ --dst-prefix=b/ -o "$2" \
		"$(part_end $(($1 - 1)))..$(part_end "$1")"
	fill_cover "$2/0000-cover-letter.patch" "$SERIES/$cover" "$base"
}

format()
{
	local i

	for i in "${!PARTS[@]}"; do
		format_part "$i" "$1/${PARTS[i]}"
	done
}

# check_am DIR: in a repository of its own that borrows the objects of the base,
# with only the touched files checked out.
check_am()
{
	local repo=$SCRATCH/am show='%B%n%an %ae %aI' i end

	rm -rf "$repo"
	mkdir "$repo"
	tree_git "$repo" init -q --template=
	mkdir -p "$repo/.git/info"
	realpath "$TREE/.git/objects" > "$repo/.git/objects/info/alternates"
	series_git diff-tree -r --name-only base "$TIP" | sed 's,^,/,' \
		> "$repo/.git/info/sparse-checkout"
	tree_git "$repo" config core.sparseCheckout true
	tree_git "$repo" config gc.auto 0
	tree_git "$repo" reset -q --hard "$(series_git rev-parse 'base^{commit}')"
	tree_git "$repo" tag base

	for i in "${!PARTS[@]}"; do
		end=$(part_end "$i")
		tree_git "$repo" am -q --empty=drop "$1/${PARTS[i]}"/*.patch \
			> "$SCRATCH/log" 2>&1 || {
			cat "$SCRATCH/log" >&2
			die "git am fails on a fresh base"
		}
		[ "$(tree_git "$repo" rev-parse 'HEAD^{tree}')" = \
		  "$(series_git rev-parse "$end^{tree}")" ] || {
			tree_git "$repo" diff --stat "$end" HEAD >&2
			die "git am gives another tree than the series"
		}
	done
	diff <(series_git log --format="$show" "base..$TIP") \
	     <(tree_git "$repo" log --format="$show" base..HEAD) >&2 ||
		die "git am changes a message: is there a line with --- alone, or brackets in a subject?"
}

# check_private DIR: what the series adds and says, context left out. The
# templates that mkstemp() and its kin take are no places.
check_private()
{
	local regex

	regex=$("$TOP/scripts/check/private-regex.sh")
	! {
		cd "$1"
		grep -rn '^+' --include='*.patch' .
		cd "$SERIES"
		grep -n '' cover* ./*/message
	} | sed 's,/tmp/[A-Za-z0-9_.%-]*XXXXXX,,g' |
	    grep -E "$regex|/""tmp/" >&2 ||
		die "the lines above name a place of this machine or a package registry"
}

# check_section: MAINTAINERS at the top has what the series adds to the kernel's,
# comments apart.
check_section()
{
	diff <(sed '/^#/d; /^$/d' "$OVERLAY/MAINTAINERS" 2>/dev/null) \
	     <(series_git diff-tree -p -U0 base "$TIP" -- MAINTAINERS |
	       sed -n '/^+++ /d; s/^+\(.\)/\1/p') >&2 ||
		die "MAINTAINERS is not what the series adds to the kernel's" \
		    "Edit both: $TREE/MAINTAINERS, which $REFRESH NN takes, and the one at the top."
}

# What the reader wants to know: how much each patch is, and how much of the
# existing code the series touches.
table()
{
	local i part=0

	printf '\n%-4s %5s %6s %6s  %s\n' patch files added gone subject
	for i in "${!PATCHES[@]}"; do
		[ "$i" -lt "${ENDS[part]}" ] || part=$((part + 1))
		[ "$i" != $((part ? ENDS[part - 1] : 0)) ] ||
			[ -z "${PARTS[part]}" ] || echo "${PARTS[part]}:"
		series_git diff-tree -r --no-commit-id --no-renames --numstat "${COMMITS[i]}" |
		n=${PATCHES[i]%%-*} subject=$(head -n 1 "$SERIES/${PATCHES[i]}/message") awk '
		{ files++; added += $1; gone += $2 }
		END { printf "%-5s %5d %6d %6d  %s\n", ENVIRON["n"], files, added, gone,
			     ENVIRON["subject"] }'
	done
	series_git diff-tree -r --no-renames --numstat --diff-filter=A base "$TIP" |
		awk '{ files++; added += $1 }
		     END { printf "\nnew files: %d, %d lines\n", files, added }'
	series_git diff-tree -r --no-renames --numstat --diff-filter=a base "$TIP" |
		awk '{ line[NR] = sprintf("  %5d %6d  %s", $1, $2, $3); added += $1; gone += $2 }
		     END { printf "changes of existing files: %d, +%d -%d\n", NR, added, gone
			   for (i = 1; i <= NR; i++) print line[i] }'
	printf '\n%s patches on %s: build/series/%s\n' "${#PATCHES[@]}" "$(base_version)" "$KIND"
}

[ $# -eq 1 ] || usage
[[ -z $POSTER || $POSTER =~ ^[^\<\>]+\ \<[^\<\>\ ]+@[^\<\>\ ]+\>$ ]] ||
	die "POSTER='$POSTER' is no name with an address" "As in POSTER='Ada Lee <ada@example.org>'"
series_open "$1"
out=$BUILD/series/$KIND
# Whatever fails below, no stale patches stay.
rm -rf "$out"
if [ ${#PATCHES[@]} -eq 0 ]; then
	echo "series/$KIND has no patches yet: nothing to make"
	exit 0
fi

make_into()
{
	series_build
	format "$1"
}

step "$KIND: ${#PATCHES[@]} patches" make_into "$SCRATCH/out"
step "$KIND: git am on a fresh base" check_am "$SCRATCH/out"
step "$KIND: a second time" make_into "$SCRATCH/again"
diff -r "$SCRATCH/out" "$SCRATCH/again" >&2 || die "two runs differ"
check_private "$SCRATCH/out"

mkdir -p "$out"
cp -r "$SCRATCH/out"/. "$out/"
table

# Last, for the patches are good as far as they go.
mapfile -t orphans < <(series_orphans)
[ ${#orphans[@]} -eq 0 ] || die "these belong to no patch:" "${orphans[@]}" \
	"Name each in the new-files of one of series/$KIND/*."
mapfile -t stale < <(stale_copies)
[ ${#stale[@]} -eq 0 ] || die "these are not as the series leaves them:" "${stale[@]}" \
	"To take an edit into patch NN: $REFRESH NN. To write them anew: $REFRESH --all"
# The poster stands in the series alone.
[ -n "$POSTER" ] || check_section
