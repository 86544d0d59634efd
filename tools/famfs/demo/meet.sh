# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# What scripts share that run in guests on one memory, which agree by files in
# $folder. To be sourced, with $number and $folder set.

# shellcheck disable=SC2034 # those who source it use them
{
mnt=/mnt/famfs
dev=${FAMFS_DAXDEVS%% *}
}
# A guest that is emulated on a busy machine is slow.
patience=${FAMFS_PATIENCE:-900}

tell() { : > "$folder/$1"; }

# await FILE...: until all of them are there.
await()
{
	local file end=$((SECONDS + patience))

	for file in "$@"; do
		while [ ! -e "$folder/$file" ]; do
			if [ $SECONDS -ge $end ] || [ -e "$folder/failed" ]; then
				echo "waits for $file in vain"
				exit 1
			fi
			sleep 0.2
		done
	done
}

# all STEP: the owner waits for every member.
all()
{
	local n

	for n in $(seq "$members"); do
		await "$1.$n"
	done
}

row() { printf '  %-8s %-58s %s\n' "$(hostname)" "$1" "$2" >> "$folder/table"; }

# play: this guest is a host of its own, and does what the function owner or member
# says, or with $again owner_again or member_again; if it fails all do.
play()
{
	local does=member

	[ "$number" != 0 ] || does=owner
	trap '[ $? = 0 ] || { famfs hosts; famfs status; tell failed; }' EXIT
	printf '%032x\n' $((number + 1)) > /etc/machine-id
	hostname "$([ "$number" = 0 ] && echo owner || echo "member$number")"
	mkdir -p $mnt
	"$does${again:+_again}"
}
