#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backend hmem-large: soft-reserved memory that memmap= makes; one device of
# 65 GiB, for maps of sixteen million pages.

set -e
dir=$(dirname "$0")

sh "$dir/bind-fsdev.sh" dax0.0
echo /dev/dax0.0 >> /run/daxdevs
