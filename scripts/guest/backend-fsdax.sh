#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backend fsdax: no dax device, but persistent memory of 512 MiB that memmap=
# makes, a block device: for tests of other file systems with DAX.

set -e
[ -b /dev/pmem0 ] || { echo "no /dev/pmem0"; exit 1; }
