#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The installed header of FUSE compiles as C and as C++, 64 and 32 bits wide.

. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/build.sh"

need g++ g++
need_series
build_config main "${MAIN[@]}"
build_make main headers
include=$(build_out main)/usr/include

# Freestanding: the 32-bit C library need not be there for its <stdint.h>.
for width in -m64 -m32; do
	for language in 'gcc -x c -std=gnu99' 'g++ -x c++ -std=gnu++11'; do
		echo "== $language $width"
		# shellcheck disable=SC2086 # words they are
		echo '#include <linux/fuse.h>' | $language $width -ffreestanding \
			-Wall -Wextra -Werror -fsyntax-only -I "$include" -
	done
done
! grep -n CONFIG_ "$include/linux/fuse.h"
