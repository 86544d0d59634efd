# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# From the overlay and series/ to commits on the base. Sourced after lib.sh by
# what makes, applies and refreshes a series.
#
#   series_open KIND     finds the base, takes the lock, lists the patches
#   series_build         one commit a patch; dies when a rule is broken
#   series_checkout      has branch `series` and the work tree at the last one
#
# The commits are made without a checkout or an index of ninety thousand files:
# a scratch folder holds the touched files only, plain `git apply` edits them
# there, and one fast-import writes all commits. They depend on their content
# alone, so an unchanged series gives the commits that exist already.
#
# The list `new-files` of a patch names the new files that it brings. A line with a
# colon, `path: NAME...`, names definitions that it adds to a file of an earlier
# patch, see cut.py: the overlay has the file as the last patch leaves it.

# The sourcing scripts use what is set here.
# shellcheck disable=SC2034

switches POSTER
export TZ=UTC
# A scratch folder is no part of a repository that its parent may be in.
export GIT_CEILING_DIRECTORIES=${TMPDIR:-/tmp}

# Patch K is dated K minutes after this, so that no order depends on the clock.
SERIES_EPOCH=1767225600

# Stands in MAINTAINERS until somebody posts the series.
POSTER_PLACE='Whoever Posts This <poster@example.org>'

# How a change is written: as stable as a diff can be. The index lines go, else
# an edit in one patch would change the diffs of all later ones.
SERIES_DIFF=(-p --no-color --no-ext-diff --no-textconv --no-renames
	     --diff-algorithm=myers -U3 --src-prefix=a/ --dst-prefix=b/)

series_open()
{
	KIND=$1
	case $KIND in
	linux)	 TREE=$LINUX OVERLAY=$TOP ;;
	libfuse) TREE=$LIBFUSE OVERLAY=$TOP/libfuse ;;
	*)	 usage ;;
	esac
	SERIES=$TOP/series/$KIND
	# As it is to be called from the top of the checkout.
	REFRESH="scripts/series/refresh.sh $KIND"

	series_git rev-parse -q --verify base >/dev/null 2>&1 ||
		"$TOP/scripts/series/base.sh" "$KIND"
	lock "series-$KIND"

	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/series.XXXXXX")
	trap 'rm -rf "$SCRATCH"' EXIT
	series_list
	series_parts
}

series_git()
{
	tree_git "$TREE" "$@"
}

# series_list: PATCHES, the folders in order.
series_list()
{
	local dir number last=

	PATCHES=()
	for dir in "$SERIES"/[0-9][0-9]-*/; do
		[ -d "$dir" ] || continue
		dir=$(basename "$dir")
		number=${dir%%-*}
		[ "$number" != "$last" ] ||
			die "two patches are numbered $number: ${PATCHES[-1]} and $dir"
		last=$number
		PATCHES+=("$dir")
	done
}

# series_parts: PARTS, what is posted by itself, and ENDS, how many of PATCHES
# there are up to the end of each. The file `parts` has a line for each part: its
# name and the number of its last patch. Without it there is one, of no name.
series_parts()
{
	local name number i before=0

	PARTS=() ENDS=()
	if [ ! -e "$SERIES/parts" ]; then
		PARTS=('') ENDS=(${#PATCHES[@]})
		return
	fi
	while read -r name number; do
		for i in "${!PATCHES[@]}"; do
			[[ ${PATCHES[i]} != "$number"-* ]] || break
		done
		[[ ${PATCHES[i]} == "$number"-* && $i -ge $before ]] ||
			die "series/$KIND/parts: $name does not end after those before it" \
			    "Each line has a name and the number of a patch, in order."
		before=$((i + 1))
		PARTS+=("$name") ENDS+=("$before")
	done < <(sed 's/#.*//; /^[[:space:]]*$/d' "$SERIES/parts")
	[ $before = ${#PATCHES[@]} ] ||
		die "series/$KIND/parts: ${PATCHES[before]} is in no part"
}

# series_find NN|NN-slug: AT, the place in PATCHES.
series_find()
{
	for AT in "${!PATCHES[@]}"; do
		case ${PATCHES[AT]} in
		"$1"|"$1"-*) return ;;
		esac
	done
	die "series/$KIND has no patch $1"
}

# files_of PATCH: the new files that it is the first to bring; empty lines, comments
# and what it adds to files of earlier patches are skipped.
files_of()
{
	[ ! -f "$SERIES/$1/new-files" ] ||
		sed 's/#.*//; s/[[:space:]]*$//; /:/d; /^$/d' "$SERIES/$1/new-files"
}

# changed_paths PATCH: the existing files that it changes.
changed_paths()
{
	local diff=$SERIES/$1/changes.diff

	[ -s "$diff" ] || return 0
	git -C "$SCRATCH" apply --numstat "$diff" > "$SCRATCH/numstat" 2>"$SCRATCH/log" ||
		die "$1: changes.diff is no diff: $(head -n 1 "$SCRATCH/log")"
	cut -f 3 "$SCRATCH/numstat"
}

in_base()
{
	series_git cat-file -e "base:$1" 2>/dev/null
}

# from_base DIR PATH: puts a base file into a scratch folder, with its mode.
from_base()
{
	mkdir -p "$(dirname "$1/$2")"
	series_git cat-file blob "base:$2" > "$1/$2"
	case $(series_git ls-tree base -- "$2") in
	100755*) chmod +x "$1/$2" ;;
	esac
}

# import_file DIR PATH: a line and the data for fast-import.
import_file()
{
	local mode=644

	if [ ! -e "$1/$2" ]; then
		printf 'D %s\n' "$2"
		return
	fi
	[ ! -x "$1/$2" ] || mode=755
	printf 'M %s inline %s\ndata %s\n' $mode "$2" "$(stat -c %s "$1/$2")"
	cat "$1/$2"
	printf '\n'
}

# import_commit NUMBER MESSAGE-FILE: by whoever posts the series, if that is known.
import_commit()
{
	local who='famfs <famfs@localhost>' when message=$2

	if [ -n "$POSTER" ]; then
		who=$POSTER
		message=$SCRATCH/signed
		git interpret-trailers --trailer "Signed-off-by: $POSTER" < "$2" \
			> "$message"
	fi
	when="$((SERIES_EPOCH + $1 * 60)) +0000"
	printf 'commit refs/famfs/made\nmark :%s\n' "$1"
	printf 'author %s %s\ncommitter %s %s\n' "$who" "$when" "$who" "$when"
	printf 'data %s\n' "$(stat -c %s "$message")"
	cat "$message"
	printf '\n'
	[ "$1" != 1 ] || printf 'from %s\n' "$(series_git rev-parse 'base^{commit}')"
}

# import_run STREAM: COMMITS, the ids in the order of the marks.
import_run()
{
	# Loose objects, for they are not written again when they exist.
	series_git -c fastimport.unpackLimit=100000 fast-import --quiet --force \
		--export-marks="$SCRATCH/marks" < "$1"
	mapfile -t COMMITS < <(sort -t: -k2n "$SCRATCH/marks" | cut -d' ' -f2)
}

# check_message PATCH
check_message()
{
	local message=$SERIES/$1/message

	[ -s "$message" ] || die "$1: no message"
	[[ -n $(sed -n 1p "$message") && -z $(sed -n 2p "$message") ]] ||
		die "$1: message: a subject, an empty line, then the body"
	! grep -qiE '^(signed-off|co-authored|co-developed)-by:' "$message" ||
		die "$1: message: carries a -by line of an author: whoever posts signs"
}

# check_folder PATCH: a file under a name that nobody reads would be lost.
check_folder()
{
	local path

	for path in "$SERIES/$1"/*; do
		case ${path##*/} in
		message|new-files|changes.diff) ;;
		*) die "$1: ${path##*/} is no part of a patch" \
		       "A patch has a message, new-files and a changes.diff." ;;
		esac
	done
}

# cut_files: what each patch has of the new files, in CUT.
cut_files()
{
	CUT=$SCRATCH/cut
	rm -rf "$CUT"
	"$TOP/scripts/series/cut.py" "$SERIES" "$OVERLAY" "$CUT" "${PATCHES[@]}" \
		2> "$SCRATCH/log" || die "$(tail -n 1 "$SCRATCH/log")"
}

# add_files PATCH DIR
add_files()
{
	local path

	while read -r path; do
		[ -z "${BROUGHT[$path]:-}" ] ||
			die "$path is brought twice: by ${BROUGHT[$path]} and $1"
		[ -f "$OVERLAY/$path" ] ||
			die "$1: new-files: $path is not in the overlay"
		! in_base "$path" ||
			die "$1: new-files: $path exists in the base: its changes.diff edits it"
		BROUGHT[$path]=$1
		mkdir -p "$(dirname "$2/$path")"
		cp "$OVERLAY/$path" "$2/$path"
		[ -e "$CUT/$1/$path" ] || echo "$path"
	done < <(files_of "$1")
	[ -d "$CUT/$1" ] || return 0
	cp -r "$CUT/$1/." "$2/"
	(cd "$CUT/$1" && find . -type f -printf '%P\n' | sort)
}

# add_changes PATCH DIR
add_changes()
{
	local path paths

	paths=$(changed_paths "$1")
	[ -n "$paths" ] || return 0
	while read -r path; do
		[ -z "${BROUGHT[$path]:-}" ] ||
			die "$1: changes.diff edits $path, which ${BROUGHT[$path]} brings whole" \
			    "Edit the file in the overlay."
		[ ! -e "$2/$path" ] || continue
		in_base "$path" ||
			die "$1: changes.diff makes $path, which the base has not" \
			    "Put the file into the overlay and its path into $1/new-files."
		from_base "$2" "$path"
	done <<< "$paths"

	git -C "$2" apply --verbose --whitespace=error-all \
		"$SERIES/$1/changes.diff" > "$SCRATCH/log" 2>&1 ||
		die "$1: changes.diff does not apply" "$(grep ^error: "$SCRATCH/log")" \
		    "Mend the diff by hand, then run $REFRESH --all."
	[ -n "${SERIES_ALLOW_OFFSET:-}" ] || check_offsets "$1"
	fill_poster "$2/MAINTAINERS"
	echo "$paths"
}

# fill_poster FILE: who maintains what the series adds.
fill_poster()
{
	local text

	[ -n "$POSTER" ] && [ -e "$1" ] || return 0
	text=$(cat "$1"; echo .)
	printf '%s' "${text//"$POSTER_PLACE"/"$POSTER"}" | sed '$d' > "$1"
}

# check_offsets PATCH: of what the last git apply said.
check_offsets()
{
	local moved

	moved=$(awk '/^Checking patch /{ file = $3; sub(/\.\.\.$/, "", file) }
		     /^Hunk #.*\(offset /{ print file ": " $0 }' "$SCRATCH/log")
	[ -z "$moved" ] ||
		die "$1: changes.diff does not apply where it says" "$moved" \
		    "If these are the right places, run $REFRESH --all."
}

# unbrought: what stands in the overlay and no patch brings. A file that git does
# not know yet is still being written.
unbrought()
{
	local path places=(.)

	[ "$KIND" = libfuse ] ||
		places=(fs Documentation tools/testing include drivers mm lib)
	[ -d "$OVERLAY" ] || return 0
	while read -r path; do
		[ -n "${BROUGHT[$path]:-}" ] || [ ! -e "$OVERLAY/$path" ] ||
			echo "$path"
	done < <(git -C "$OVERLAY" ls-files -- "${places[@]}")
}

# series_orphans: what belongs to no patch.
series_orphans()
{
	local path

	while read -r path; do
		in_base "$path" || echo "$path"
	done < <(unbrought)
}

# series_copies: existing files that the overlay has whole, as the series leaves
# them, for those who build without the tree.
series_copies()
{
	local path

	while read -r path; do
		! in_base "$path" || echo "$path"
	done < <(unbrought)
}

# series_has COMMIT PATH FILE: this is what the commit has there.
series_has()
{
	series_git cat-file blob "$1:$2" | cmp -s - "$3"
}

# stale_copies: those that are not as the series leaves them.
stale_copies()
{
	local path

	while read -r path; do
		series_has "$TIP" "$path" "$OVERLAY/$path" || echo "$path"
	done < <(series_copies)
}

# series_build: COMMITS in the order of PATCHES; TIP, the last of them. A patch
# with a message alone may stand only while it is being made: set
# SERIES_ALLOW_EMPTY. After a new base: SERIES_ALLOW_OFFSET.
series_build()
{
	local state stream i patch path

	declare -gA BROUGHT=()
	COMMITS=()
	state=$SCRATCH/state
	stream=$SCRATCH/stream
	rm -rf "$state"
	mkdir "$state"
	: > "$stream"
	cut_files

	for i in "${!PATCHES[@]}"; do
		patch=${PATCHES[i]}
		check_folder "$patch"
		check_message "$patch"
		# Not in subshells: these fill BROUGHT.
		add_files "$patch" "$state" > "$SCRATCH/paths"
		add_changes "$patch" "$state" >> "$SCRATCH/paths"
		[ -s "$SCRATCH/paths" ] || [ -n "${SERIES_ALLOW_EMPTY:-}" ] ||
			die "$patch changes nothing" "It has neither new-files nor a changes.diff."
		{
			import_commit $((i + 1)) "$SERIES/$patch/message"
			while read -r path; do
				import_file "$state" "$path"
			done < "$SCRATCH/paths"
		} >> "$stream"
	done

	[ ${#PATCHES[@]} -eq 0 ] || import_run "$stream"
	TIP=$(series_git rev-parse "${COMMITS[-1]:-base}^{commit}")
}

# series_dirty: the files with uncommitted edits in the tree, with git's letter
# before each.
series_dirty()
{
	series_git update-index -q --refresh >/dev/null || true
	series_git diff-index --name-status --no-renames HEAD
}

# series_own_head: dies unless HEAD is what the last checkout left there: a
# commit that someone made by hand would be lost.
series_own_head()
{
	local head made

	head=$(series_git rev-parse HEAD)
	made=$(series_git rev-parse -q --verify refs/famfs/applied ||
	       series_git rev-parse 'base^{commit}')
	[ "$head" = "$made" ] ||
		die "$TREE has commits that no script made" \
		    "To take them into a patch: git -C $TREE reset --soft $made" \
		    "and then $REFRESH NN. To drop them: git -C $TREE reset --hard $made"
}

# series_checkout COMMIT: only files that differ are written, so that objects
# built from the others stay valid.
series_checkout()
{
	series_git checkout -q -B series "$1" ||
		die "$TREE has edits where the series changed the same files" \
		    "Take them with $REFRESH NN, or drop them with git -C $TREE checkout ."
	series_git update-ref refs/famfs/applied "$1"
}
