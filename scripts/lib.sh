# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Places, pinned versions and messages that every script shares.
# Sourced, never run:  . "$(dirname "$0")/../lib.sh"

# What is sorted, matched and read from messages must not depend on the user's
# language, nor must common tools on what a user may have set for them.
export LC_ALL=C
unset CDPATH POSIXLY_CORRECT TAR_OPTIONS GREP_COLORS

# The sourcing scripts use these.
# shellcheck disable=SC2034
{
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$TOP/build

# Linux, as Debian's binary package linux-source-7.3 carries it.
LINUX_PKG=linux-source-7.3
LINUX_PKG_VERSION='7.3.4-1~bpo13+1'
LINUX_SHA256=76df1affb19f24926949369be1d74b60071c963c598ce8780bddd4bbf0fc3bc4

# libfuse and sparse, as Debian's source packages carry them.
LIBFUSE_PKG=fuse3
LIBFUSE_VERSION=3.18.3
LIBFUSE_SHA256=bcd19582c5e30f7fe45dd86a5540e998590aa01903afc7ebcbeea6c8ac5421ee
SPARSE_PKG=sparse
SPARSE_VERSION='0.6.5~rc1'
SPARSE_SHA256=3ac8855ec7f3ab92f325be0f64347ccc2b10f8b4d7c2906783ee8e2bdab3f0de
}

# Elapsed time counts from the outermost script, so that nested ones tell how
# long the user has waited rather than how long they have run themselves.
export FAMFS_T0=${FAMFS_T0:-$(date +%s)}

# say TEXT...: one line of progress, on standard error: standard output
# belongs to results.
say()
{
	printf '[%4ds] %s\n' "$(($(date +%s) - FAMFS_T0))" "$*" >&2
}

warn()
{
	say "WARNING: $*"
}

# die TEXT...: what failed; further arguments are lines on what to do about it.
die()
{
	local line

	printf '%s: error: %s\n' "${0#"$TOP/"}" "$1" >&2
	shift
	for line in "$@"; do
		printf '    %s\n' "$line" >&2
	done
	exit 1
}

# step TEXT COMMAND...: announces a long command, and how long it took.
# No || after "$@": a function would go on after what fails in it.
step()
{
	local text=$1 start status

	shift
	start=$(date +%s)
	say "$text"
	"$@"
	status=$?
	[ $status -ne 0 ] || say "$text: done in $(($(date +%s) - start)) s"
	return $status
}

# usage: prints the header comment of the running script and fails.
usage()
{
	sed -n '3,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
}

# sha256_is FILE SUM
sha256_is()
{
	printf '%s  %s\n' "$2" "$1" | sha256sum --check --status
}

# tree_git TREE ARGS...: git in a throw-away tree, with a fixed identity and
# none of the user's settings, so that equal content gives equal commits.
tree_git()
{
	local tree=$1

	shift
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
	GIT_AUTHOR_NAME=famfs GIT_AUTHOR_EMAIL=famfs@localhost \
	GIT_COMMITTER_NAME=famfs GIT_COMMITTER_EMAIL=famfs@localhost \
	GIT_AUTHOR_DATE=${GIT_AUTHOR_DATE:-'2026-01-01T00:00:00Z'} \
	GIT_COMMITTER_DATE=${GIT_COMMITTER_DATE:-'2026-01-01T00:00:00Z'} \
		git -C "$tree" "$@"
}

# lock NAME: waits for, and holds until this process ends, a lock in the cache.
# The lock is not inherited by name, so nested scripts take different names.
lock()
{
	mkdir -p "$FAMFS_CACHE/lock"
	exec {LOCK_FD}>"$FAMFS_CACHE/lock/$1"
	if ! flock --nonblock "$LOCK_FD"; then
		say "waiting for another run that holds the lock '$1'"
		flock "$LOCK_FD"
	fi
}

# switches NAME...: sets each to what the environment has, or else to its default
# in Kconfig. One of type bool is 1 or empty.
switches()
{
	local name line value at=''
	local -A types=() defaults=()

	while IFS= read -r line; do
		case $line in
		'config '*)	at=${line#config } ;;
		$'\tbool '*|$'\tint '*|$'\tstring '*)
			line=${line#?} types[$at]=${line%% *} ;;
		$'\tdefault '*)	defaults[$at]=${line#*default } ;;
		esac
	done < "$TOP/Kconfig"

	for name; do
		[ -n "${types[$name]:-}" ] || die "Kconfig has no $name"
		value=${!name:-}
		[ -n "$value" ] || value=$(switch_default "${defaults[$name]:-}")
		case ${types[$name]}:$value in
		bool:[n0])	value= ;;
		bool:[y1])	value=1 ;;
		bool:*)		die "$name=$value is neither y nor n" ;;
		int:*[!0-9]*)	die "$name=$value is no number" ;;
		esac
		printf -v "$name" %s "$value"
	done
}

# switch_default TEXT: what Kconfig means by it.
switch_default()
{
	local text=$1

	text=${text#\"} text=${text%\"}
	# shellcheck disable=SC2016 # this is what Kconfig has
	case $text in
	'$(shell,'*)	text=${text#*,}; sh -c "${text%)}" ;;
	*)		printf '%s\n' "$text" ;;
	esac
}

switches FAMFS_CACHE JOBS
export FAMFS_CACHE
# shellcheck disable=SC2034
{
DL=$FAMFS_CACHE/dl
LINUX=$FAMFS_CACHE/linux
LIBFUSE=$FAMFS_CACHE/libfuse
SPARSE=$FAMFS_CACHE/tools/sparse/bin/sparse

# Folders of the kernel's headers for user space: that of FUSE as the series
# leaves it, then what test/selftests.sh makes of the tree.
UAPI=$TOP/include/uapi
HEADERS="$UAPI $FAMFS_CACHE/o/headers/usr/include"
}
