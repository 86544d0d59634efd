#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# From whatever is there to a kernel with the series: packages, base, series,
# build. What is done already takes no time.
#
# Usage: scripts/env/prepare.sh default|debug|bench...

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

[ $# -gt 0 ] || usage
"$TOP/scripts/env/packages.sh"
"$TOP/scripts/series/base.sh" linux
"$TOP/scripts/series/apply.sh" linux
for config in "$@"; do
	"$TOP/scripts/kernel/build.sh" "$config"
done
