#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Brings the base that the series applies to: a git tree in the cache with the
# tag `base` (one commit, the same bytes everywhere) and the branch `series`.
#
# Usage: scripts/series/base.sh linux|libfuse
#
# KERNEL_SRC=PATH takes Linux from a tree or a tarball of your own.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches KERNEL_SRC

# Debian's archive keeps only the newest version of a suite: ours may be gone.
newest_like()
{
	local what=$1 pkg=$2 prefix=$3

	"$TOP/scripts/env/debian-fetch.sh" "$what" "$pkg" | grep "^${prefix//./\\.}" |
		sort -rV | head -n 1
}

# Each of these prints the file that holds the source.
linux_tarball()
{
	local version=$LINUX_PKG_VERSION tar deb newest

	tar=$DL/${LINUX_PKG}_$version.tar.xz
	if [ -e "$tar" ] && sha256_is "$tar" $LINUX_SHA256; then
		echo "$tar"
		return
	fi

	newest=$(newest_like versions $LINUX_PKG 7.3.) || true
	[ -n "$newest" ] ||
		die "no $LINUX_PKG is to be had from the Debian mirror" \
		    "Set KERNEL_SRC= to a tree or tarball of Linux 7.3.4."
	if ! "$TOP/scripts/env/debian-fetch.sh" versions $LINUX_PKG |
	     grep -qxF "$version"; then
		warn "$LINUX_PKG $version is gone from the archive; taking $newest."
		warn "The series is made for 7.3.4: its changes may not apply."
		version=$newest
		tar=$DL/${LINUX_PKG}_$version.tar.xz
	fi

	deb=$DL/${LINUX_PKG}_${version}_all.deb
	if [ ! -e "$tar" ] || [ "$version" = "$LINUX_PKG_VERSION" ]; then
		"$TOP/scripts/env/debian-fetch.sh" fetch-deb $LINUX_PKG "$version" ||
			die "$LINUX_PKG $version could not be fetched" \
			    "Set KERNEL_SRC= to a tree or tarball of Linux 7.3.4."
		dpkg-deb --fsys-tarfile "$deb" |
			tar -xO "./usr/src/$LINUX_PKG.tar.xz" > "$tar.part"
		mv "$tar.part" "$tar"
		rm "$deb"
	fi
	[ "$version" != "$LINUX_PKG_VERSION" ] || sha256_is "$tar" $LINUX_SHA256 ||
		die "$tar has another SHA-256 than the pinned one" \
		    "expected $LINUX_SHA256" \
		    "Remove the file and try again, or set KERNEL_SRC=."
	echo "$tar"
}

libfuse_tarball()
{
	local tar=$DL/${LIBFUSE_PKG}_$LIBFUSE_VERSION.orig.tar.gz version

	if [ ! -e "$tar" ]; then
		version=$(newest_like src-versions $LIBFUSE_PKG "$LIBFUSE_VERSION-") || true
		[ -n "$version" ] ||
			die "libfuse $LIBFUSE_VERSION is not to be had from the Debian mirror" \
			    "Put its release tarball at $tar"
		"$TOP/scripts/env/debian-fetch.sh" fetch-src $LIBFUSE_PKG "$version" ||
			die "libfuse $LIBFUSE_VERSION could not be fetched" \
			    "Put its release tarball at $tar"
	fi
	sha256_is "$tar" $LIBFUSE_SHA256 ||
		die "$tar has another SHA-256 than the pinned one" \
		    "expected $LIBFUSE_SHA256" "Remove the file and try again."
	echo "$tar"
}

# unpack SOURCE DIR: a tarball with one folder at its top, or a tree.
unpack()
{
	local src=$1 dir=$2

	mkdir -p "$dir"
	if [ -f "$src" ]; then
		tar -xf "$src" -C "$dir" --strip-components=1
	elif git -C "$src" rev-parse --git-dir >/dev/null 2>&1; then
		# What the user's tree has committed; not what was built in it.
		git -C "$src" archive HEAD . | tar -x -C "$dir"
	else
		tar -c -C "$src" --exclude=./.git . | tar -x -C "$dir"
	fi
}

# identity SOURCE: changes when the source does.
identity()
{
	local src=$1

	if [ -f "$src" ]; then
		stat -c '%n %s %Y' "$src"
	elif git -C "$src" rev-parse --git-dir >/dev/null 2>&1; then
		echo "$src $(git -C "$src" rev-parse HEAD)"
	else
		echo "$src $(find "$src" -type f -printf '%T@\n' | sort -n | tail -n 1)"
	fi
}

make_git()
{
	local dir=$1 message=$2

	tree_git "$dir" init -q -b series
	tree_git "$dir" config gc.auto 0
	tree_git "$dir" config core.autocrlf false
	tree_git "$dir" config feature.manyFiles true

	# Every file is "big": then git add streams all of them into one pack
	# instead of writing ninety thousand loose objects.
	# -f: the kernel's .gitignore hides files that its tarball has.
	tree_git "$dir" -c core.bigFileThreshold=1 -c core.compression=1 \
		add -A -f
	GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' \
	GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' \
		tree_git "$dir" commit -q -m "$message"
	tree_git "$dir" tag base
}

name=${1:-}
case $name in
linux)	tree=$LINUX ;;
libfuse) tree=$LIBFUSE ;;
*)	usage ;;
esac
mkdir -p "$DL"
lock "base-$name"

stamp=$tree/.git/famfs-base
if [ "$name" = linux ] && [ -n "$KERNEL_SRC" ]; then
	[ -e "$KERNEL_SRC" ] || die "KERNEL_SRC=$KERNEL_SRC does not exist"
	src=$(realpath "$KERNEL_SRC")
	id=$(identity "$src")
else
	# The stamp is compared with what is pinned, not with a file: a cache
	# that holds the tree needs no tarball any more.
	src=
	id="pinned $LINUX_PKG_VERSION"
	[ "$name" = linux ] || id="pinned $LIBFUSE_VERSION"
fi

if [ "$(cat "$stamp" 2>/dev/null)" != "$id" ]; then
	if [ -z "$src" ]; then
		src=$("${name}_tarball")
	fi
	rm -rf "$tree.new"
	step "unpacking $(basename "$src")" unpack "$src" "$tree.new"
	if [ "$name" = linux ]; then
		version=$(make -s -C "$tree.new" kernelversion)
		[ "$version" = 7.3.4 ] ||
			warn "the base is Linux $version, the series is made for 7.3.4"
	else
		version=$LIBFUSE_VERSION
	fi
	step "making the git tree of $name $version" \
		make_git "$tree.new" "$name $version"
	echo "$id" > "$tree.new/.git/famfs-base"
	rm -rf "$tree"
	mv "$tree.new" "$tree"
fi

tree_git "$tree" rev-parse -q --verify refs/heads/series >/dev/null ||
	tree_git "$tree" checkout -q -b series base
