#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No file names a place of this machine or the host of a package registry.

. "$(dirname "$0")/common.sh"

regex=$("$TOP/scripts/check/private-regex.sh")
cd "$TOP"
! repo_files . | tr '\n' '\0' | xargs -0 -r grep -nIHE "$regex"
