#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The patches can be made, and are what scripts/series.sh promises of them.

. "$(dirname "$0")/common.sh"

"$TOP/scripts/series.sh" linux
"$TOP/scripts/series.sh" libfuse
