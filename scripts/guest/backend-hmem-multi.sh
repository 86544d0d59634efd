#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backend hmem-multi: one soft-reserved region, cut into dax0.0 of two ranges
# (256 MiB each, apart) and dax0.1 of one (256 MiB, between them).

set -e
dir=$(dirname "$0")
region=/sys/bus/dax/devices/dax0.0/..
size=$((256 << 20))

# region_idle: dax0.0 exists without memory, and without a driver.
i=0
while [ ! -e $region/dax_region/create ]; do
	i=$((i + 1))
	[ $i -lt 100 ] || { echo "no dax region"; exit 1; }
	sleep 0.1
done
echo 1 > $region/dax_region/create
echo $size > /sys/bus/dax/devices/dax0.0/size
echo $size > /sys/bus/dax/devices/dax0.1/size
echo $((2 * size)) > /sys/bus/dax/devices/dax0.0/size

sh "$dir/bind-fsdev.sh" dax0.0 dax0.1
printf '%s\n' /dev/dax0.0 /dev/dax0.1 >> /run/daxdevs
