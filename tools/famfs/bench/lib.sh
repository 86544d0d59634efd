# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts in the guest share. Sourced, with these set:
: "${programs:?}" "${root:?}" "${mnt:?}" "${dev:?}"

# results WHAT PROGRAM ARGS...: a line for each that the program prints.
results()
{
	local what=$1 op value

	shift
	while read -r op value; do
		echo "result $what $op $value"
	done < <("$programs/$1" "${@:2}" || echo "failed 0")
}

# measure WHAT OPERATION ARGS...
measure()
{
	results "$1" measure "${@:2}"
}

# begin_famfs: a new file system, with the commands installed here.
begin_famfs()
{
	cp -a "$root/root/." /
	mkfs.famfs -q -f --dead "$dev"
	mount -t famfs "$dev" "$mnt"
}

end_famfs()
{
	rm -rf "${mnt:?}"/*
	umount "$mnt"
	fsck.famfs -q "$dev"
}

# serve PROGRAM ARGS...: in the background, until end_serve. Prints what it
# prints before it is ready.
serve()
{
	local line

	coproc SERVER { exec "$programs/$1" "${@:2}"; }
	server=$SERVER_PID
	while read -r line <&"${SERVER[0]}" && [ "$line" != ready ]; do
		echo "$line"
	done
	[ "$line" = ready ]
}

end_serve()
{
	eval "exec ${SERVER[1]}>&-"
	wait "$server"
}
