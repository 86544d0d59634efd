#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds sparse into the cache: the kernel refuses Debian 12's 0.6.4, and with
# a refused sparse make only warns and checks nothing.
#
# Usage: scripts/env/build-sparse.sh    prints the path of the sparse that it made

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

accepted()
{
	[ -x "$SPARSE" ] && [ -e "$LINUX/scripts/checker-valid.sh" ] &&
		[ "$(sh "$LINUX/scripts/checker-valid.sh" "$SPARSE")" = 1 ]
}

build()
{
	local dir=$FAMFS_CACHE/tools/sparse

	rm -rf "$dir"
	mkdir -p "$dir/src" "$dir/bin"
	tar -xf "$1" -C "$dir/src" --strip-components=1

	# Only the checker: the other programs want LLVM, GTK and SQLite.
	make -C "$dir/src" -j "$JOBS" sparse > "$dir/build.log" 2>&1 || {
		tail -n 20 "$dir/build.log" >&2
		die "sparse $SPARSE_VERSION does not build" "See $dir/build.log."
	}
	cp "$dir/src/sparse" "$dir/bin/"
}

lock tools
"$TOP/scripts/series/base.sh" linux
if ! accepted; then
	tar=$DL/${SPARSE_PKG}_$SPARSE_VERSION.orig.tar.gz
	if [ ! -e "$tar" ]; then
		version=$("$TOP/scripts/env/debian-fetch.sh" src-versions $SPARSE_PKG |
			  grep -F "$SPARSE_VERSION-" | head -n 1) ||
			die "sparse $SPARSE_VERSION is not to be had from the Debian mirror" \
			    "Put its release tarball at $tar"
		"$TOP/scripts/env/debian-fetch.sh" fetch-src $SPARSE_PKG "$version"
	fi
	sha256_is "$tar" $SPARSE_SHA256 ||
		die "$tar has another SHA-256 than the pinned one" \
		    "expected $SPARSE_SHA256" "Remove the file and try again."
	step "building sparse $SPARSE_VERSION" build "$tar"
	accepted || die "the kernel does not accept $SPARSE" \
		"See scripts/checker-valid.sh in $LINUX."
fi
echo "$SPARSE"
