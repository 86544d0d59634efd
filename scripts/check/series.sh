#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The patches can be made, and are what scripts/series/make.sh promises of them.

. "$(dirname "$0")/common.sh"

"$TOP/scripts/series/make.sh" linux
"$TOP/scripts/series/make.sh" libfuse
