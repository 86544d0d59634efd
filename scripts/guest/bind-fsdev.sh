#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Binds dax devices to fsdev_dax, which never happens by itself.
#
# Usage: bind-fsdev.sh daxX.Y...    (in the guest)

set -e

bus=/sys/bus/dax
for name in "$@"; do
	# A device appears a moment after what it is made of.
	i=0
	while [ ! -e "$bus/devices/$name" ]; do
		i=$((i + 1))
		[ $i -lt 100 ] || { echo "no $name on the dax bus"; exit 1; }
		sleep 0.1
	done
	driver=$(readlink "$bus/devices/$name/driver" || :)
	driver=${driver##*/}
	[ "$driver" != fsdev_dax ] || continue
	[ -z "$driver" ] || echo "$name" > "$bus/drivers/$driver/unbind"
	# Adds the name to those the driver accepts, and attaches it.
	echo "$name" > "$bus/drivers/fsdev_dax/new_id"
	driver=$(readlink "$bus/devices/$name/driver" || :)
	[ "${driver##*/}" = fsdev_dax ] || {
		echo "$name is not bound to fsdev_dax but to '${driver##*/}'"
		exit 1
	}
done
