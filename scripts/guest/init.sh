#!/guest/busybox sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# First process of the guest: makes the root and hands over to run.sh.

bb=/guest/busybox
mode=
# shellcheck disable=SC1091 # written by boot.sh
. /guest/settings

$bb mkdir -p /proc /sys /dev /root /tmp /run /bin /etc /mnt
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev

new=/new
$bb mkdir $new
if [ "$mode" = root ]; then
	# The host's files stay as they are: what the guest writes lands in
	# memory.
	$bb mkdir /host /rw
	$bb mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro \
		root /host
	$bb mount -t tmpfs tmpfs /rw
	$bb mkdir /rw/upper /rw/work
	$bb mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work \
		overlay $new
else
	# A root that can be left and shared like any other; the initramfs
	# itself cannot.
	$bb mount -t tmpfs tmpfs $new
	$bb mkdir -p $new/bin $new/etc $new/root $new/mnt
	$bb cp $bb $new/bin/busybox
	$bb chroot $new /bin/busybox --install -s /bin
	echo root:x:0:0::/root:/bin/sh > $new/etc/passwd
	echo root:x:0: > $new/etc/group
fi

for dir in proc sys dev run tmp; do
	$bb mkdir -p $new/$dir
done
$bb mount -t tmpfs tmpfs $new/run
$bb mount -t tmpfs tmpfs $new/tmp
$bb chmod 1777 $new/tmp
for dir in proc sys dev; do
	$bb mount -o move /$dir $new/$dir
done
$bb cp -r /guest $new/run/guest
exec $bb switch_root $new /run/guest/busybox sh /run/guest/run.sh
