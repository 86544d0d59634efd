#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backend cxl: one CXL type 3 device with persistent memory, 1 GiB.

set -e
dir=$(dirname "$0")

cxl create-region -t pmem -d decoder0.0 -m mem0
sh "$dir/ndctl-devdax.sh" -a 2M -f
