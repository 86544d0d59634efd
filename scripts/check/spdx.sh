#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every file says its licence, by a name that the kernel knows.

. "$(dirname "$0")/common.sh"

# The series' folders are taken as they are: a message is a message, a diff a
# diff. Binary files carry no lines.
bad=0
while read -r path; do
	case $path in
	series/*|LICENSES/*) continue ;;
	esac
	grep -qI . "$TOP/$path" || continue
	# A first line may belong to an interpreter, a second to an XML header.
	line=$(sed -n '1,3s/.*SPDX-License-Identifier: *//p' "$TOP/$path" | head -n 1)
	if [ -z "$line" ]; then
		echo "$path: no SPDX line"
		bad=1
		continue
	fi
	line=$(sed -E 's,(\*/|-->|")? *$,,; s/[()]/ /g; s/ (OR|AND|WITH) / /g' <<< "$line")
	for id in $line; do
		grep -rqxE "(Valid-License|SPDX-Exception)-Identifier: *$id" "$LINUX/LICENSES" ||
			{ echo "$path: the kernel knows no licence $id"; bad=1; }
	done
done < <(repo_files .)
exit $bad
