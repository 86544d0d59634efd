#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No shell script makes shellcheck speak.

. "$(dirname "$0")/common.sh"

need shellcheck shellcheck
cd "$TOP"
repo_files . | while read -r path; do
	case $path in
	*.sh) echo "$path" ;;
	*) ! head -n 1 "$path" | grep -qaE '^#!.*\b(ba|da)?sh\b' || echo "$path" ;;
	esac
done | tr '\n' '\0' | xargs -0 -r shellcheck -x
