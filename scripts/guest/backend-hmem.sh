#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backend hmem: soft-reserved memory that memmap= makes; three devices of 1 GiB,
# 512 MiB and 256 MiB. No tools needed.

set -e
dir=$(dirname "$0")

for dev in dax0.0 dax1.0 dax2.0; do
	sh "$dir/bind-fsdev.sh" $dev
	echo /dev/$dev >> /run/daxdevs
done
