#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Prints an extended regular expression of what must not stand in anything that
# leaves this machine: its folders, and the hosts that its packages come from.
# Both are found out at run time, for naming them here would be the same fault.
#
# Usage: scripts/check/private-regex.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

quote()
{
	sed 's/[][\.*^$+?(){}|/]/\\&/g'
}

folders()
{
	local dir

	# The folder about the checkout too: what stands beside it is as local.
	# Not those that every machine has, and the guest too.
	for dir in "$TOP" "$(dirname "$TOP")" "$FAMFS_CACHE" "${HOME:-/}"; do
		case $dir in
		/|/root|/home|/tmp|/var/tmp|/src|/usr/src|/srv|/opt|/mnt) ;;
		*) echo "$dir" ;;
		esac
	done
}

hosts()
{
	# shellcheck disable=SC2016 # apt-get expands this
	apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
		sed -nE 's#^[a-z+]+://([^/@]*@)?([^/:]+).*#\2#p' |
		# A host without a dot is a word like any other.
		grep -F . | grep -vE '^(127\.|localhost)' | sort -u
}

regex=$(folders | sort -u | quote | paste -sd'|')
regex="(^|[^A-Za-z0-9_.)}-])($regex)(/|\$|[^A-Za-z0-9_.-])"
hosts=$(hosts | quote | paste -sd'|') || true
[ -z "$hosts" ] || regex+="|$hosts"
printf '%s\n' "$regex"
