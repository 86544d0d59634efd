#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Load on several hosts, as one of the guests of scripts/demo/hosts.sh sees it:
# the owner replaces objects of 64 KiB on a file system that is 90 % full, first
# alone and then while members open, map and close them.
#
# Usage: hosts_load.sh NUMBER MEMBERS FOLDER CHURN    (in the guest)
#
# NUMBER 0 is the owner. CHURN is the program.

set -euo pipefail

number=$1 members=$2 folder=$3 churn=$4
here=$(dirname "$0")
. "$here/meet.sh"

alone_s=20 beside_s=60

owner()
{
	local count free alone beside

	mkfs.famfs -q -f --dead --coherence hardware -L hosts "$dev"
	mount -t famfs famfs:hosts $mnt
	free=$(stat -f -c '%a * %S' $mnt)
	count=$((free * 9 / 10 / 65536))
	read -r alone _ < <("$churn" $mnt $count $alone_s own)
	echo $count > "$folder/count"
	tell made
	all in
	read -r beside _ < <("$churn" $mnt $count $beside_s own)
	# A program that failed has printed nothing.
	row "$count objects, $((alone / alone_s)) replaced a second alone" \
		"$([ "$alone" -gt 0 ] && echo ok || echo FAIL)"
	row "$((beside / beside_s)) a second beside $members members, $((100 * beside * alone_s / alone / beside_s)) %" \
		"$([ "$beside" -gt 0 ] && echo ok || echo FAIL)"
	all used
	rm $mnt/object*
	free_is() { [ "$(stat -f -c '%a * %S' $mnt)" = "$free" ]; }
	for ((n = 0; n < 50; n++)); do
		! free_is || break
		sleep 0.2
	done
	row "all space comes back" "$(free_is && echo ok || echo FAIL)"
	tell end
	all left
	umount $mnt
	row "fsck finds it clean" "$(fsck.famfs -n "$dev" > /dev/null && echo ok || echo FAIL)"
}

member()
{
	local used=0 missed=0

	await made
	mount -t famfs -o member famfs:hosts $mnt
	tell "in.$number"
	read -r used missed < <("$churn" $mnt "$(cat "$folder/count")" \
		$beside_s use) || :
	row "$used objects read twice, $missed not there at the moment" \
		"$([ "$used" -gt 0 ] && echo ok || echo FAIL)"
	tell "used.$number"
	await end
	umount $mnt
	tell "left.$number"
}

play
