#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Backends pmem (memory that memmap= marks as persistent; 1 GiB and 512 MiB) and
# nvdimm (two NVDIMMs of QEMU, 1 GiB each): two devices, less the page
# structures, which lie on the device. The memory of the first NVDIMM may be
# shared with another guest, which finds the namespace made.

set -e
dir=$(dirname "$0")

for n in 0 1; do
	if ndctl list -N -r region$n -m devdax | grep -q chardev; then
		sh "$dir/ndctl-devdax.sh" --found region$n
	else
		# Regions without labels have one namespace from the start.
		sh "$dir/ndctl-devdax.sh" -f -e namespace$n.0 --map=mem
	fi
done
