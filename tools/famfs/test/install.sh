#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What `make install` installs: all of it, where distributions have it, and
# nothing else; and what systemd makes of it and of lines in fstab.
#
# Usage: install.sh DIR    where it has been installed, as DESTDIR

set -euo pipefail

manual=$(cd "$(dirname "$0")/../man" && pwd)/mount.famfs.8.scd
cd "$1"
# Each file with its mode, each link with where it leads.
find . ! -type d -printf '%P %m %l\n' | sed 's/ 777 / -> /; s/ $//' | sort > ../installed
LC_ALL=C sort > ../wanted <<T
usr/lib/systemd/system/famfs-bind@.service 644
usr/lib/udev/rules.d/60-famfs.rules 644
usr/sbin/famfs 755
usr/sbin/fsck.famfs -> famfs
usr/sbin/mkfs.famfs -> famfs
usr/sbin/mount.famfs -> famfs
usr/sbin/umount.fuse.famfs -> famfs
usr/share/bash-completion/completions/famfs 644
usr/share/bash-completion/completions/fsck.famfs -> famfs
usr/share/bash-completion/completions/mkfs.famfs -> famfs
usr/share/bash-completion/completions/mount.famfs -> famfs
usr/share/bash-completion/completions/umount.fuse.famfs -> famfs
usr/share/doc/famfs/FORMAT 644
usr/share/man/man7/famfs.7 644
usr/share/man/man8/famfs.8 644
usr/share/man/man8/fsck.famfs.8 644
usr/share/man/man8/mkfs.famfs.8 644
usr/share/man/man8/mount.famfs.8 644
T
LC_ALL=C sort -o ../installed ../installed
diff ../wanted ../installed
# What the files name is among them.
grep -oE '/usr/sbin/[a-z.]+' usr/lib/systemd/system/famfs-bind@.service |
	sed 's,^/,,' | xargs ls > /dev/null
./usr/sbin/famfs --help > /dev/null
for name in {mkfs,fsck,mount,umount.fuse}.famfs; do
	"./usr/sbin/$name" --help | grep -q '^Usage: '
done
# Pages that pages name, of ours.
sed 's/\\&//g' usr/share/man/*/* | grep -oE 'fB[a-z.]*famfs\\fR\([78]\)' |
	sed -E 's/fB(.*)\\fR\((.)\)/usr\/share\/man\/man\2\/\1.\2/' | sort -u |
	xargs ls > /dev/null

# says FILE REGEX
says()
{
	grep -qE "$2" "$1" || { echo "$1 does not say $2"; cat "$1"; exit 1; }
}

# not COMMAND...
not()
{
	! "$@" || { echo "$*"; exit 1; }
}

# The device's unit, which the rule of udev makes, comes first.
says usr/lib/systemd/system/famfs-bind@.service '^After=.*dev-%i\.device'
says usr/lib/udev/rules.d/60-famfs.rules 'SUBSYSTEM=="dax".*TAG\+="systemd"'
command -v systemd-analyze > /dev/null || exit 0
rm -rf ../systemd
mkdir -p ../systemd
sed 's,^ExecStart=.*,ExecStart=/bin/true,' \
	usr/lib/systemd/system/famfs-bind@.service > ../systemd/famfs-bind@.service
cd ../systemd
systemd-analyze verify --man=no ./famfs-bind@dax0.0.service

# Units of the lines in fstab that the manual shows, and of one with what else
# systemd knows.
generator=/lib/systemd/system-generators/systemd-fstab-generator
[ -x $generator ] || exit 0
mkdir units early late
sed -nE 's/^\t([^ ]+  \/mnt\/data  famfs  .*)/\1/p' "$manual" |
	awk '{ sub("/mnt/data", "/mnt/line" NR); print }' > fstab
[ "$(wc -l < fstab)" = 2 ] || { cat fstab; exit 1; }
echo "/dev/dax1.0 /mnt/wait famfs fsdev,_netdev,x-systemd.device-timeout=7s 0 0" >> fstab
SYSTEMD_FSTAB=$PWD/fstab $generator units early late
says units/mnt-line1.mount '^What=/dev/dax0\.0$'
says units/mnt-line1.mount '^Options=fsdev,nofail$'
# nofail: the boot does not stand or fall with it.
not grep Before=local-fs.target units/mnt-line1.mount
ls units/local-fs.target.wants/mnt-line1.mount > /dev/null
says units/mnt-line2.mount '^What=famfs:data$'
says units/mnt-line2.mount '^After=famfs-bind@dax0\.0\.service'
says units/mnt-line2.mount '^Requires=famfs-bind@dax0\.0\.service'
says units/dev-dax1.0.device.d/50-device-timeout.conf '^JobRunningTimeoutSec=7s'
ls units/remote-fs.target.requires/mnt-wait.mount > /dev/null
# Nothing is to be checked before the device is bound.
not grep -r systemd-fsck units
for line in line1 line2 wait; do
	SYSTEMD_UNIT_PATH="$PWD:" systemd-analyze verify --man=no "./units/mnt-$line.mount"
done
