#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds what the demo needs into build/demo: the commands, installed in root/,
# and its own program against the headers that scripts/test/selftests.sh has made.
#
# Usage: scripts/demo/programs.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

mkdir -p "$BUILD/demo"
make -s -C "$TOP/tools/famfs/demo" OUT="$BUILD/demo" \
	HEADERS="$HEADERS"
rm -rf "$BUILD/demo/root"
DESTDIR=$BUILD/demo/root "$TOP/scripts/tools/userspace.sh" install
