#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo: a kernel with the series, a guest with a dax device, and a file
# system on it that is made, mounted, used, checked and compared with the raw
# memory. Whatever is missing is made first.
#
# Usage: scripts/demo/run.sh
#
# BACKEND= chooses what offers the device: hmem, pmem, nvdimm or cxl.

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

switches BACKEND

"$TOP/scripts/env/prepare.sh" default
"$TOP/scripts/test/selftests.sh"
"$TOP/scripts/demo/programs.sh"

if "$TOP/scripts/guest/boot.sh" -b "$BACKEND" -o "$BUILD/demo/guest" -- \
	bash "$TOP/tools/famfs/demo/run.sh" "$BUILD/demo" /tmp/demo; then
	echo "demo: PASS"
else
	echo "demo: FAIL"
	exit 1
fi
