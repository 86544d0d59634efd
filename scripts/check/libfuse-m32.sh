#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the libfuse series adds and changes compiles where a long has 32 bits.
#
# All but io-uring: the base's own code casts pointers to 64-bit integers there.

. "$(dirname "$0")/common.sh"

multiarch=/usr/include/$(gcc -print-multiarch)
[ -e "$multiarch/gnu/stubs-32.h" ] ||
	skip "the 32-bit C library's headers are missing: install the package libc6-dev-i386"
"$TOP/scripts/series/apply.sh" libfuse --clean
# Its configuration does as well; only the types differ.
"$TOP/scripts/tools/libfuse.sh" plain plain

flags=(-m32 -std=gnu11 -fsyntax-only -Wall -Wextra -Werror -Wno-sign-compare
       -Wno-unused-result -D_FILE_OFFSET_BITS=64 -D_REENTRANT
       -DHAVE_LIBFUSE_PRIVATE_CONFIG_H -I include -I lib
       -I "$FAMFS_CACHE/o/libfuse-plain" -I "$multiarch")
cd "$LIBFUSE"
mapfile -t sources < <(git diff --name-only base series -- '*.c')
bad=0
for source in "${sources[@]}"; do
	echo "== $source"
	more=()
	case $source in
	lib/fuse_uring.c)	continue ;;
	# as the meson.build of the folder has it
	lib/*)			more=(-DFUSE_USE_VERSION=317) ;;
	test/test_famfs_*)	more=(-include fuse_famfs.h) ;;
	esac
	gcc "${flags[@]}" "${more[@]}" "$source" || bad=1
done
exit $bad
