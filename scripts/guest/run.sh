# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# Second part of the guest's first process, in its final root: mounts, backend,
# command, verdict. Runs under busybox, whatever the root has.

guest=/run/guest
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# The host's /root may be closed to whoever started QEMU.
export HOME=/tmp LC_ALL=C TERM="${TERM:-vt100}"
backend='' limit='' interactive=''
# shellcheck disable=SC1091 # written by boot.sh
. $guest/settings

bb=$guest/busybox

# port NAME: the device of a virtio port. No udev names them here.
port()
{
	for p in /sys/class/virtio-ports/*; do
		if [ "$(cat "$p/name")" = "$1" ]; then
			echo "/dev/${p##*/}"
			return
		fi
	done
}

uptime()
{
	cut -d ' ' -f 1 /proc/uptime
}

finish()
{
	sync
	$bb reboot -f
}

exec 3> "$(port verdict)"
output=$(port output)
echo "booted $(uptime)" >&3

# As udev would: tools look for their standard streams here.
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
echo guest > /proc/sys/kernel/hostname
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t fusectl fusectl /sys/fs/fuse/connections

while read -r tag access path; do
	# A writable folder is read by the host meanwhile.
	cache=loose
	[ "$access" = ro ] || cache=none
	mkdir -p "$path"
	mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,cache=$cache,$access" \
		"$tag" "$path" || echo "backend-failed share $path" >&3
done < $guest/shares

: > /run/daxdevs
if [ "$backend" != none ]; then
	if ! /bin/sh "$guest/backend-${backend}.sh" > /run/backend.log 2>&1; then
		cat /run/backend.log > /dev/console
		echo "backend-failed $(grep . /run/backend.log | tail -n 1)" >&3
		finish
	fi
fi
FAMFS_DAXDEVS=$(paste -s -d ' ' /run/daxdevs)
export FAMFS_DAXDEVS
[ "$backend" != fsdax ] || export FAMFS_PMEM=/dev/pmem0

leaks=/sys/kernel/debug/kmemleak
# Leaks of the boot are not the command's.
[ ! -e $leaks ] || echo clear > $leaks

echo "command $(uptime)" >&3
if [ -n "$interactive" ]; then
	setsid -c /bin/sh $guest/job < /dev/ttyS0 > /dev/ttyS0 2>&1
	code=$?
else
	# A pipe: a port can be opened only once, and programs open
	# /dev/stderr again.
	mkfifo /run/output
	cat < /run/output > "$output" 3>&- &
	cat=$!

	# The command is its own session, so that all of it can be ended.
	setsid /bin/sh $guest/job < /dev/null > /run/output 2>&1 3>&- &
	command=$!
	(
		sleep "$limit"
		echo "timeout $limit" >&3
		# Where do they hang?
		echo w > /proc/sysrq-trigger
		echo l > /proc/sysrq-trigger
		finish
	) > /dev/null 2>&1 &
	watchdog=$!
	wait $command
	code=$?
	kill $watchdog
	# What is still in the pipe; a daemon left behind keeps it open.
	( sleep 2; kill $cat ) > /dev/null 2>&1 &
	wait $cat
fi

if [ -e $leaks ]; then
	# The first scan finds candidates, the second confirms them.
	echo scan > $leaks
	echo scan > $leaks
	cat $leaks > /dev/console
fi
echo "taint $(cat /proc/sys/kernel/tainted)" >&3
echo "exit $code" >&3
finish
