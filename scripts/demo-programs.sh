#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds the demo's programs into build/demo, against the headers that
# scripts/selftests.sh has made.
#
# Usage: scripts/demo-programs.sh

set -euo pipefail
. "$(dirname "$0")/lib.sh"

mkdir -p "$BUILD/demo"
make -s -C "$TOP/tools/famfs/demo" OUT="$BUILD/demo" \
	HEADERS="$FAMFS_CACHE/o/headers/usr/include"
