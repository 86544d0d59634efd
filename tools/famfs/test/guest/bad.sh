#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What users and machines get wrong: each is refused with what is wrong and what
# to do next, and leaves no mount, no process and no damage behind.

. "$(dirname "$0")/lib.sh"

plan 95

# No mount and no server; what is on the device is as it was.
nothing_left()
{
	[ -z "$(findmnt -t fuse.famfs)" ] && ! pgrep -x mount.famfs > /dev/null
}

# put BYTES OFFSET: as for printf, into the device.
put()
{
	# shellcheck disable=SC2059 # it is a format on purpose
	printf "$1" | dd of="$dev" bs=1 seek="$2" conv=notrunc status=none
}

refuses "a device that is not there" 1 'No such file' mkfs.famfs /dev/dax9.9
refuses "a device of another kind" 1 'neither of the two' mkfs.famfs /dev/console
refuses "a label that no device has" 32 'none of the devices' \
	mount.famfs famfs:nobody $mnt
refuses "one argument alone" 1 'must be named' mount.famfs "$dev"
refuses "an option that is none" 1 'no such option' mount.famfs -o nonsense "$dev" $mnt

# Another driver.
check "famfs unbind" famfs unbind "$dev"
same "the driver then" "$(basename "$(readlink "/sys/bus/dax/devices/$name/driver")")" device_dax
refuses "mkfs of a device of device_dax" 1 'bound to device_dax' mkfs.famfs "$dev"
refuses "mount of it" 32 'bound to device_dax' mount.famfs "$dev" $mnt
refuses "fsck of it" 8 'bound to device_dax' fsck.famfs "$dev"
refuses "dump of it" 1 'bound to device_dax' famfs dump "$dev"
# It was once taken away from programs, which the next access killed.
cat > "$work/have.py" <<'P'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
if "map" in sys.argv:
    m = mmap.mmap(fd, 2 << 20)
    os.close(fd)
print("has it", flush=True)
sys.stdin.readline()
if "map" in sys.argv:
    m[0]
P
for way in open map; do
	coproc HAVE { exec python3 "$work/have.py" "$dev" $way; }
	pid=$HAVE_PID
	read -r said <&"${HAVE[0]}"
	same "a program has the device: $way" "$said" "has it"
	refuses "famfs bind of it" 1 "process $pid, python3, has it open or mapped" \
		famfs bind "$dev"
	refuses "mount -o fsdev of it" 32 "process $pid, python3, has it" \
		mount.famfs -o fsdev "$dev" $mnt
	[ $way = open ] || break
	echo >&"${HAVE[1]}"
	wait "$pid"
done
check "famfs bind --force" famfs bind --force "$dev"
echo >&"${HAVE[1]}"
wait "$pid"
same "what it has mapped is gone: SIGBUS" $? 135
check "famfs bind" famfs bind "$dev"
check "famfs bind once more" famfs bind "$dev"
exec 4< "$dev"
refuses "famfs unbind of what a program has open" 1 'process [0-9]+, .*, has it' \
	famfs unbind "$dev"
exec 4<&-

# What is on the device.
mkfs.famfs -q -f --dead "$dev"
put '\0\0\0\0\0\0\0\0' 0
dd if=/dev/zero of="$dev" bs=4096 count=1 conv=notrunc status=none
dd if=/dev/zero of="$dev" bs=4096 conv=notrunc status=none \
	seek=$(($(cat "/sys/bus/dax/devices/$name/size") / 4096 - 1)) count=1
refuses "mount of a device with nothing on it" 32 'no famfs superblock' \
	mount.famfs "$dev" $mnt
truncate -s 64M "$work/ext4"
mke2fs -q -t ext4 "$work/ext4"
dd if="$work/ext4" of="$dev" bs=1M count=4 conv=notrunc status=none
refuses "mkfs over ext4" 1 'it holds ext4' mkfs.famfs "$dev"
refuses "mount of ext4" 32 'no famfs superblock' mount.famfs "$dev" $mnt
for version in 48 49 1; do
	dd if=/dev/zero of="$dev" bs=4096 count=1 conv=notrunc status=none
	put '\377\202\262\207\0\0\0\0' 0
	put "\\$(printf %o $version)" 8
	refuses "mkfs over format $version" 1 "famfs of format version $version" \
		mkfs.famfs "$dev"
	refuses "mount of format $version" 32 "version $version, and this program knows 300" \
		mount.famfs "$dev" $mnt
	refuses "fsck of it" 8 "version $version" fsck.famfs "$dev"
	refuses "dump of it" 1 "version $version" famfs dump "$dev"
	refuses "status of it" 2 "version $version" famfs status "$dev"
	refuses "a label that no device has, beside it" 32 'none of the devices' \
		mount.famfs famfs:nobody $mnt
	refuses "compact of it" 1 "version $version" famfs compact "$dev"
	refuses "fsck -y of it" 8 "version $version" fsck.famfs -y --dead "$dev"
done
mkfs.famfs -q -f --dead "$dev"
put '\0\0\0\0\0\0\0\0' 65544
put '\0\0\0\0\0\0\0\0' 131080
refuses "mount of an unfinished mkfs" 32 'unfinished mkfs' mount.famfs "$dev" $mnt
refuses "fsck of it" 4 'unfinished mkfs' fsck.famfs "$dev"
# A record in the middle of the log.
mkfs.famfs -q -f --dead "$dev"
mount -t famfs "$dev" $mnt
for i in {1..50}; do mkdir $mnt/d"$i"; done
umount -i $mnt
eventually sh -c '! pgrep -x mount.famfs'
log=$(python3 - "$dev" <<'P'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print((2 << 20) + os.pread(fd, 48 << 20, 2 << 20).find(b"d25"))
P
)
put 'x' "$log"
refuses "mount of a damaged log" 32 'the log is damaged behind record' \
	mount.famfs "$dev" $mnt
refuses "fsck of it" 4 'the log is damaged behind record' fsck.famfs "$dev"
refuses "dump of it" 1 'the log is damaged' famfs dump "$dev"
put 'd' "$log"
check "once it is back, it is clean" fsck.famfs -q "$dev"
check "so far nothing is left behind" nothing_left

# Where and who.
mkfs.famfs -q -f --dead "$dev"
touch "$work/file"
refuses "a mount point that is a file" 32 'no directory' mount.famfs "$dev" "$work/file"
refuses "a mount point that is not there" 32 'No such file' mount.famfs "$dev" "$work/none"
refuses "without CAP_SYS_RAWIO" 32 'CAP_SYS_RAWIO' \
	setpriv --bounding-set -sys_rawio mount.famfs "$dev" $mnt
refuses "in a user namespace" 32 'user namespace' \
	unshare -Urm mount.famfs "$dev" $mnt
# A namespace that looks as the first one does: the kernel still says no.
cat > "$work/namespace.py" <<'P'
import ctypes, os, sys
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
libc = ctypes.CDLL(None, use_errno=True)
inside, told = os.pipe(), os.pipe()
child = os.fork()
if not child:
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        sys.exit("unshare: %d" % ctypes.get_errno())
    os.write(inside[1], b"x")
    os.read(told[0], 1)
    os.execvp(sys.argv[1], sys.argv[1:])
os.read(inside[0], 1)
for ids in "uid_map", "gid_map":
    with open("/proc/%d/%s" % (child, ids), "w") as f:
        f.write("0 0 4294967295")
os.write(told[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
P
refuses "where the kernel offers no maps" 32 'gives no maps of files' \
	python3 "$work/namespace.py" mount.famfs "$dev" $mnt
mv /dev/fuse /dev/fuse.away
refuses "without /dev/fuse" 32 'No such file' mount.famfs "$dev" $mnt
mv /dev/fuse.away /dev/fuse
rm -rf /run/famfs
touch /run/famfs
check "a server that cannot start says so" \
	sh -c "! mount.famfs $dev $mnt 2> $work/err && grep -q famfs: $work/err"
rm /run/famfs
# A host with pages of 64 KiB, as far as the program can tell.
cat > "$work/page.c" <<'C'
#include <unistd.h>
long sysconf(int name)
{
	return name == _SC_PAGESIZE ? 65536 : -1;
}
C
cc -shared -fPIC -o "$work/page.so" "$work/page.c"
refuses "a unit that is smaller than a page" 32 'smaller than this host.s pages' \
	env LD_PRELOAD="$work/page.so" "$FAMFS_GUEST/../mount.famfs" "$dev" $mnt
check "and nothing is left behind" nothing_left
check "not even a host that is in" sh -c "famfs status $dev | grep -q left"

# In use.
mount -t famfs "$dev" $mnt
echo content > $mnt/file
refuses "mkfs of what is mounted" 1 'Device or resource busy' mkfs.famfs -f "$dev"
mkdir -p "$work/second"
check "a second mount is one more mount point" mount.famfs "$dev" "$work/second"
check "of the same files" cmp $mnt/file "$work/second/file"
check "which goes by itself" umount "$work/second"
refuses "mount of what a server of another mount namespace has" 32 \
	'a file system on this host, or a program, has the device' \
	unshare -m --propagation private sh -c "umount $mnt && mount.famfs $dev $mnt"
refuses "fsck -y of what is mounted" 8 'busy' fsck.famfs -y "$dev"
check "fsck -n of it" fsck.famfs -n "$dev"
check "dump of it" sh -c "famfs dump $dev | grep -q /file"
refuses "famfs unbind of it" 1 'mounted' famfs unbind "$dev"
# Its node has another name: it was once taken away, as that of its own name was not
# to be opened.
mv "$dev" /dev/other
refuses "by another node" 1 'mounted' famfs unbind /dev/other
refuses "and by its name alone" 1 'is no node of it' famfs unbind "$name"
mv /dev/other "$dev"
check "the file system goes on" sh -c "touch $mnt/on && famfs status $mnt"
exec 4< $mnt/file
refuses "umount of what is in use" 32 'busy' famfs umount $mnt
exec 4<&-
same "all of that has changed nothing" "$(cat $mnt/file)" content
check "umount" umount $mnt
check "nothing is left behind at the end" eventually nothing_left

# A program that has the device alone.
cat > "$work/alone.py" <<'P'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)
print("alone", flush=True)
sys.stdin.readline()
P
coproc ALONE { exec python3 "$work/alone.py" "$dev"; }
pid=$ALONE_PID
read -r said <&"${ALONE[0]}"
refuses "mount of what a program has alone" 32 'or a program, has the device' \
	mount.famfs "$dev" $mnt
refuses "mkfs of it" 1 'busy' mkfs.famfs -f "$dev"
refuses "famfs compact of it" 1 'busy' famfs compact "$dev"
echo >&"${ALONE[1]}"
wait "$pid"
check "nothing is left behind of it" nothing_left

# Without a place to log, nothing can be made, and all else goes on.
small=${FAMFS_DAXDEVS##* }
mkfs.famfs -q -f --dead --log-size 16M "$small"
mount -t famfs "$small" $mnt
cat > "$work/fill.py" <<'P'
import errno, os, sys
made = 0
def full(call, *args):
    try:
        call(*args)
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        return True
def much(number):
    path = "%s/f%d" % (sys.argv[1], number)
    with open(path, "w") as f:
        f.write("content %d" % number)
    os.setxattr(path, "user.much", os.urandom(65000))
while made < 1000 and not full(much, made):
    made += 1
assert 100 < made < 1000, made
for i in range(made):
    with open("%s/f%d" % (sys.argv[1], i), "r+b") as f:
        assert f.read() == b"content %d" % i
        f.seek(0)
        f.write(b"C")
assert full(os.setxattr, "%s/f0" % sys.argv[1], "user.more", os.urandom(65000))
P
check "a full log is ENOSPC, and files are read and written" \
	python3 "$work/fill.py" $mnt
check "famfs status says so" \
	sh -c "famfs status $mnt > $work/out; [ \$? = 1 ] && grep 'log is full' $work/out || ! cat $work/out"
check "it is mounted again" sh -c "umount $mnt && fsck.famfs -q $small && mount -t famfs $small $mnt"
check "what is there can be removed" sh -c "rm $mnt/f*"
check "then there is room again" sh -c "mkdir $mnt/d && echo text > $mnt/d/f"
check "umount and fsck" sh -c "umount $mnt && fsck.famfs -q $small"

# Bits that have changed, on the device itself. The library's tests do more of
# them with sanitizers; without, each command takes a fifth of the time.
cat > "$work/flip.py" <<'P'
import os, random, re, subprocess, sys, time
device, mnt, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
fd = os.open(device, os.O_RDWR)
# The superblock and three areas of the log, one of which holds.
image = os.pread(fd, 50 << 20, 0)
records = [found.start() for found in re.finditer(b"looked-for", image)]
def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
status, before, _ = run("famfs", "dump", device)
assert status == 0 and before.count("\n") > 20
allowed = {"dump": (0, 1), "fsck": (0, 4, 8), "status": (1, 2)}
random.seed(1)
refused = 0
for i in range(count):
    at = [random.randrange(0, 160), random.randrange(0, 4096),
          65536 * random.randrange(1, 4) + random.randrange(64),
          (1 << 20) + random.randrange(256), random.randrange(0, 2 << 20),
          random.choice(records) + random.randrange(-100, 100),
          random.choice(records) + random.randrange(10)][i % 7]
    bit = 1 << random.randrange(8)
    os.pwrite(fd, bytes([image[at] ^ bit]), at)
    command = list(allowed)[i % 3]
    status, out, err = run("famfs", command, device)
    assert status in allowed[command], (at, bit, command, status, err)
    bad = status != (1 if command == "status" else 0)
    refused += bad
    assert not bad or "famfs: " + device in err, (at, bit, command, status, err)
    # The last record may be torn. Nothing else changes, nor comes up.
    if command == "dump" and not status:
        lines = set(out.splitlines())
        assert before.count("\n") - out.count("\n") <= 2, (at, bit)
        assert lines <= set(before.splitlines()), (at, bit, lines)
    if i % 25 == 0:
        status, out, err = run("mount.famfs", device, mnt)
        assert status in (0, 32), (at, bit, status)
        assert status == 0 or "Next: " in err, (at, bit, err)
        if not status:
            assert os.path.exists(mnt + "/d0") and run("umount", mnt)[0] == 0
        # On a busy machine its server may be writing yet.
        while run("pgrep", "-x", "mount.famfs")[0] == 0:
            time.sleep(0.01)
        os.pwrite(fd, image, 0)
        assert run("famfs", "dump", device)[1] == before
    else:
        os.pwrite(fd, image[at:at + 1], at)
print("%d of %d were refused" % (refused, count))
sys.exit(refused < count // 10)
P
flips=100
[ -z "${FULL:-}" ] || flips=500
mkfs.famfs -q -f --dead --log-size 16M "$small"
mount -t famfs "$small" $mnt
mkdir $mnt/d{0..9} && for i in {0..9}; do echo "$i" > $mnt/d"$i"/looked-for; done
umount $mnt
check "$flips bits that have changed, by dump, fsck, status and mount" \
	env PATH="$FAMFS_GUEST/..:$PATH" python3 "$work/flip.py" "$small" $mnt $flips
check "once they are back, it is clean" fsck.famfs -q "$small"
check "and nothing is left behind" eventually nothing_left
