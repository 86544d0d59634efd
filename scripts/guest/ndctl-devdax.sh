#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Makes a namespace of persistent memory a dax device bound to fsdev_dax, and
# adds it to the guest's list.
#
# Usage: ndctl-devdax.sh ARGS...          arguments of ndctl create-namespace
#        ndctl-devdax.sh --found REGION   takes the one that is there

set -e
dir=$(dirname "$0")

if [ "$1" = --found ]; then
	json=$(ndctl list -N -r "$2" -m devdax)
else
	json=$(ndctl create-namespace -m devdax "$@")
fi
dev=$(printf "%s\n" "$json" | sed -n 's/.*"chardev":"\(dax[0-9.]*\)".*/\1/p' | head -n 1)
[ -n "$dev" ] || { echo "no devdax namespace: $json"; exit 1; }
sh "$dir/bind-fsdev.sh" "$dev"
echo "/dev/$dev" >> /run/daxdevs
