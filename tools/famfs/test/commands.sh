#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The commands on plain files: what they make, what they refuse and how they
# say it. FULL=1 flips more bits.
#
# Usage: commands.sh DIR    where the binaries are

set -euo pipefail

bin=$(cd "$1" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
failed=0 tests=0

# expect STATUS TEXT COMMAND...: the command ends so, and says TEXT (a regex).
expect()
{
	local status=$1 text=$2 code=0

	shift 2
	tests=$((tests + 1))
	"$@" > out 2>&1 < /dev/null || code=$?
	if [ "$code" != "$status" ] ||
	   { [ -n "$text" ] && ! grep -qE "$text" out; }; then
		echo "$*: $code, not $status with '$text':"
		sed 's/^/    /' out
		failed=1
	fi
}

# make FILE: a fresh medium.
make_medium()
{
	rm -f "$1"
	truncate -s 64M "$1"
	"$bin/mkfs.famfs" -q -L test "$1"
}

# bytes FILE OFFSET TEXT: overwrites, TEXT as for printf.
bytes()
{
	# shellcheck disable=SC2059 # it is a format on purpose
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

refusals()
{
	expect 1 'No such file' "$bin/mkfs.famfs" nothing
	expect 1 'Usage|one device' "$bin/mkfs.famfs"
	truncate -s 1M small
	expect 1 'at least [0-9]+ are needed' "$bin/mkfs.famfs" small
	truncate -s 64M new
	expect 1 'power of two' "$bin/mkfs.famfs" --unit 5000 new
	expect 1 'power of two' "$bin/mkfs.famfs" --unit 4M new
	expect 1 '16 MiB to 1 GiB' "$bin/mkfs.famfs" --log-size 1M new
	expect 1 'software or hardware' "$bin/mkfs.famfs" --coherence none new
	expect 1 'at most 32 bytes' "$bin/mkfs.famfs" -L 0123456789012345678901234567890123 new
	expect 0 'format version 300' "$bin/mkfs.famfs" -N new
	expect 8 'no famfs superblock' "$bin/fsck.famfs" new
	expect 1 'no famfs superblock' "$bin/famfs" dump new
	expect 1 'neither of the two' "$bin/famfs" dump /
	# Nobody writes to it: a command once waited for that.
	mkfifo fifo
	for command in dump=1 fsck=8 status=2 hosts=2 map=1 flush=1 mkfs=1 compact=1; do
		expect "${command#*=}" 'neither of the two|regular file' \
			timeout 10 "$bin/famfs" "${command%=*}" fifo
	done
	expect 32 'neither of the two' timeout 10 "$bin/mount.famfs" fifo "$tmp"
	rm fifo
	expect 0 'label *a label' "$bin/mkfs.famfs" -L 'a label' --unit 2M new
	expect 1 'it holds famfs "a label"' "$bin/mkfs.famfs" new
	expect 0 'version 300' "$bin/mkfs.famfs" -f new
	expect 1 'Is a directory' "$bin/mkfs.famfs" "$tmp"
	mke2fs -q -F ext 64M > /dev/null
	expect 1 'it holds ext2' "$bin/mkfs.famfs" ext
	expect 2 'no such command' "$bin/famfs" nonsense
	expect 1 'must be named' "$bin/famfs" mount new
	expect 1 'no such option' "$bin/mount.famfs" -o nonsense new "$tmp"
	# Options that did not fit were once cut off without a word.
	expect 1 'more than 511 bytes' "$bin/mount.famfs" \
		-o "$(printf 'nodiratime,%.0s' {1..60})ro" new "$tmp"
	expect 1 'File name too long' "$bin/famfs" dump "$(printf '/%.0s' {1..4095})$tmp/new"
	expect 32 'No such file' "$bin/mount.famfs" new nothing
	expect 32 'it is not mounted' "$bin/famfs" umount "$tmp"
	expect 1 'no dax device' "$bin/famfs" bind new
	expect 1 'No such file' "$bin/famfs" map nothing
	expect 0 'bytes flushed' "$bin/famfs" flush new
	expect 1 'not mounted here' "$bin/famfs" status new
	expect 1 '0  .* owner +new' "$bin/famfs" hosts new
	expect 0 'compacted' "$bin/famfs" compact new
	expect 1 '0  .* owner +left' "$bin/famfs" hosts new
	expect 1 '"state":"left"' "$bin/famfs" hosts --json new
	expect 2 'no famfs superblock' "$bin/famfs" hosts ext
	expect 1 'nothing is mounted' "$bin/famfs" hosts
	expect 2 'no famfs superblock' "$bin/famfs" status ext
	for command in mkfs mount umount status hosts fsck map flush dump compact bind unbind; do
		expect 0 'Usage' "$bin/famfs" "$command" --help
	done
}

# Linux has names of up to 64 bytes, a medium of up to 60.
long_name()
{
	local name

	name=$(printf 'n%.0s' {1..64})
	unshare --uts true 2> /dev/null || return 0
	rm -f new
	truncate -s 64M new
	expect 0 'owner +n{60}$' unshare --uts sh -c \
		"echo $name > /proc/sys/kernel/hostname && $bin/mkfs.famfs new"
	expect 0 "owner n{60}\$" "$bin/fsck.famfs" new
}

versions()
{
	local version

	for version in '\060' '\061' '\377'; do
		rm -f old
		truncate -s 64M old
		bytes old 0 '\377\202\262\207\0\0\0\0'
		bytes old 8 "$version"
		expect 1 'famfs of format version' "$bin/mkfs.famfs" old
		expect 8 'has version [0-9]+, and this program knows 300' \
			"$bin/fsck.famfs" old
		expect 1 'has version [0-9]+' "$bin/famfs" dump old
		cp --sparse=always old kept
		expect 8 'has version [0-9]+' "$bin/fsck.famfs" -y --dead old
		expect 1 'has version [0-9]+' "$bin/famfs" compact old
		expect 2 'has version [0-9]+' "$bin/famfs" status old
		expect 32 'has version [0-9]+' "$bin/mount.famfs" old "$tmp"
		expect 0 '' cmp old kept
	done
}

repairs()
{
	make_medium one
	"$bin/test/test_populate" one 5 leave
	"$bin/famfs" dump one > before
	expect 0 '/directory/name 4$' cat before
	expect 0 'clean' "$bin/fsck.famfs" one
	bytes one 40 '\377'
	expect 4 'its copy is whole: not mended' "$bin/fsck.famfs" one
	expect 1 'superblock was damaged: mended' "$bin/fsck.famfs" -y one
	expect 0 'clean' "$bin/fsck.famfs" one
	bytes one $((64 * 1024 * 1024 - 4096 + 40)) '\377'
	expect 4 'copy of the superblock is damaged' "$bin/fsck.famfs" one
	expect 1 'copy of the superblock was damaged' "$bin/fsck.famfs" -y one
	bytes one $((128 * 1024 + 8)) '\377'
	expect 4 'root lines is torn' "$bin/fsck.famfs" one
	expect 1 'root lines was torn' "$bin/fsck.famfs" -y one
	expect 0 'clean' "$bin/fsck.famfs" one
	"$bin/famfs" dump one > after
	expect 0 '' cmp before after
	expect 0 '"path":"/directory/name 4"' "$bin/famfs" dump --json one
	cp out json
	expect 0 '' python3 -c 'import json, sys; json.load(open("json"))'
	bytes one $((64 * 1024 + 8)) '\377'
	bytes one $((128 * 1024 + 8)) '\377'
	expect 4 'unfinished mkfs' "$bin/fsck.famfs" one
}

# Superblocks with which nobody can tell, and what is beside them.
superblocks()
{
	local end=$((64 * 1024 * 1024 - 4096))

	make_medium five
	cp --sparse=always five kept
	# One bit of the version, and of the magic: the rest is that of the copy.
	for where in 8 9 15 0 5; do
		cp --sparse=always kept five
		bytes five $where '\055'
		expect 4 'its copy is whole: not mended' "$bin/fsck.famfs" five
		expect 1 'superblock was damaged: mended' "$bin/fsck.famfs" -y five
		expect 0 '' cmp five kept
		bytes five $where '\055'
		expect 1 'famfs with a damaged superblock "test"' "$bin/mkfs.famfs" five
	done
	# A device that has become larger: the copy is where it was.
	cp --sparse=always kept five
	truncate -s 96M five
	expect 0 'clean' "$bin/fsck.famfs" five
	bytes five $((end + 40)) '\377'
	expect 4 'copy of the superblock is damaged' "$bin/fsck.famfs" five
	expect 1 'copy of the superblock was damaged' "$bin/fsck.famfs" -y five
	expect 0 'clean' "$bin/fsck.famfs" five
	# Another version over it, and another file system.
	cp --sparse=always kept five
	bytes five 8 '\060\000'
	bytes five 16 'another file sys'
	expect 8 'has version 48' "$bin/fsck.famfs" -y --dead five
	cp --sparse=always kept five
	mke2fs -q -F five > /dev/null
	# Smaller than the device, as its tools leave the last bytes alone.
	dd if=kept of=five bs=4096 skip=$((end / 4096)) seek=$((end / 4096)) count=1 conv=notrunc status=none
	cp --sparse=always five ext
	expect 8 'it holds ext2, over a famfs' "$bin/fsck.famfs" -y --dead five
	expect 1 'it holds ext2' "$bin/mkfs.famfs" five
	expect 0 '' cmp five ext

	# A host is in, and the superblock is damaged, then the copy too.
	cp --sparse=always kept five
	"$bin/test/test_populate" five 1
	bytes five 40 '\377'
	expect 1 'is in and silent' "$bin/mkfs.famfs" -f five
	expect 8 'is in and silent' "$bin/fsck.famfs" -y five
	bytes five $((end + 40)) '\377'
	expect 1 'whether hosts are in cannot be told' "$bin/mkfs.famfs" -f five
	expect 8 'checksum is wrong' "$bin/fsck.famfs" -y five
	expect 0 'version 300' "$bin/mkfs.famfs" -f --dead five
	# Nothing can be read of who was in.
	cp --sparse=always kept five
	"$bin/test/test_populate" five 1
	bytes five $((1024 * 1024 + 20)) '\377'
	expect 1 'is in and silent' "$bin/mkfs.famfs" -f five
	expect 8 'is in and silent' "$bin/fsck.famfs" -y five
	expect 0 'version 300' "$bin/mkfs.famfs" -f --dead five
}

# label FILE TEXT: writes it into the superblock, with a right sum. TEXT as for
# printf, at most 32 bytes.
label()
{
	# shellcheck disable=SC2059 # it is a format on purpose
	python3 - "$1" "$(printf "$2" | od -An -tx1 | tr -d ' \n')" << 'P'
import sys
with open(sys.argv[1], "r+b") as f:
    block = bytearray(f.read(4096))
    block[32:64] = bytes.fromhex(sys.argv[2]).ljust(32, b"\0")
    crc = 0xffffffff
    for byte in block[16:32] + block[:4092]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    block[4092:] = (crc ^ 0xffffffff).to_bytes(4, "little")
    f.seek(0)
    f.write(block)
P
}

# Texts of any bytes, and messages with nowhere to go.
texts()
{
	truncate -s 64M six
	expect 1 'no control characters' "$bin/mkfs.famfs" -L $'a\nb' six
	expect 1 'no control characters' "$bin/mkfs.famfs" -L $'a\033[2Jb' six
	make_medium six
	label six 'a\nstate serving\033[2J'
	expect 1 '"a\\x0astate serving\\x1b\[2J", not mounted' "$bin/famfs" status six
	expect 1 'it holds famfs "a\\x0astate serving' "$bin/mkfs.famfs" six
	label six 'a\nb"\377'
	"$bin/famfs" status --json six > json || true
	expect 0 'a\\x0ab"\\xff' python3 -c 'import json
print(json.load(open("json"))[0]["label"])'

	# Half a pair, as UTF-8 has none: strict readers refused all of a listing.
	label six 'a\355\240\200b\0'
	"$bin/famfs" status --json six > json || true
	expect 0 'a\\xed\\xa0\\x80b' python3 -c 'import json
print(json.load(open("json", encoding="utf-8"))[0]["label"])'
	# Control characters beyond ASCII, as UTF-8 and as they are: some terminals
	# obey them. What is a letter stays.
	expect 1 'no control characters' "$bin/mkfs.famfs" -L $'a\302\233b' six
	expect 1 'no control characters' "$bin/mkfs.famfs" -L $'a\233b' six
	label six '\303\244\302\2332J\2332J\302\240\342\202'
	LC_ALL=C expect 1 $'"\303\244\\\\xc2\\\\x9b2J\\\\x9b2J\302\240\\\\xe2\\\\x82"' \
		"$bin/famfs" status six
	label six 'a\302\2332J\177\303\244'
	"$bin/famfs" status --json six > json || true
	expect 1 '' grep -q $'\302\233\|\177' json
	expect 0 '^True$' python3 -c 'import json
print(json.load(open("json", encoding="utf-8"))[0]["label"] == "a\x9b2J\x7f\xe4")'
	# Names of files are users'.
	echo > $'e\033[2J\nf'
	expect 0 'e\\x1b\[2J\\x0af: 1 bytes fl' "$bin/famfs" flush $'e\033[2J\nf'
	expect 1 'e\\x1b: No such file' "$bin/famfs" map $'e\033'

	# Without a descriptor 2 the device would get it.
	make_medium seven
	bytes seven 40 '\377'
	cp --sparse=always seven kept
	"$bin/mkfs.famfs" seven 2>&- || true
	"$bin/mkfs.famfs" seven <&- >&- 2>&- || true
	"$bin/fsck.famfs" -y --dead seven >&- || true
	bytes kept 40 '\000'
	expect 0 '' cmp seven kept
}

# Damage in the middle of the log: reading and fsck only.
damage()
{
	make_medium two
	"$bin/test/test_populate" two 50
	# Generation 3 lies in the first area.
	bytes two $((2 * 1024 * 1024 + 320 + 64 * 40)) '\377\377\377\377'
	expect 4 'the log is damaged behind record' "$bin/fsck.famfs" two
	expect 1 'the log is damaged' "$bin/famfs" dump two
	expect 1 'is damaged' "$bin/test/test_populate" two 1
	expect 8 'is in and silent' "$bin/fsck.famfs" -y two
	expect 1 'what was logged behind it is lost' "$bin/fsck.famfs" -y --dead two
	expect 0 'clean' "$bin/fsck.famfs" two
	expect 0 '/directory' "$bin/famfs" dump two
	"$bin/test/test_populate" two 0 || true
	expect 1 'is in and silent' "$bin/mkfs.famfs" -f two
	expect 0 'version 300' "$bin/mkfs.famfs" -f --dead two
}

# flip FILE OFFSET BIT
flip()
{
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	bytes "$1" "$2" "\\$(printf %o $((byte ^ 1 << $3)))"
}

# run MOST COMMAND...: ends with MOST at most, and says why where not with 0.
run()
{
	local most=$1

	shift
	code=0
	"$@" > said 2> err < /dev/null || code=$?
	[ "$code" -le "$most" ] && { [ "$code" = 0 ] || [ -s err ]; }
}

# listed: what the medium lists is all, or all but the last record.
listed()
{
	"$famfs" dump flipped 2> err | sed 1d | sort > after &&
		! comm -13 before after | grep -v '/name 19$' > /dev/null &&
		[ "$(($(wc -l < before) - $(wc -l < after)))" -le 2 ]
}

# to_the_end: what a user does with it. Says where it went wrong.
to_the_end()
{
	run 1 "$famfs" dump flipped || { echo dump; return; }
	[ "$code" != 0 ] || listed || { echo "dump: other names"; return; }
	run 2 "$famfs" status flipped || [ "$code" = 1 ] || { echo status; return; }
	run 1 "$famfs" mkfs flipped || { echo mkfs; return; }
	[ "$code" = 1 ] || { echo "mkfs overwrites it"; return; }
	cmp -s flipped kept || { echo "something was written"; return; }
	run 8 "$famfs" fsck flipped || { echo fsck; return; }
	run 8 "$famfs" fsck -y --dead flipped || { echo "fsck -y"; return; }
	if [ "$code" -le 1 ]; then
		mv err mended
		run 0 "$famfs" fsck flipped || { echo "fsck after -y"; return; }
		# A log that ends before the damage is shorter.
		grep -q lost mended || listed || { echo "fsck -y: other names"; return; }
		run 0 "$famfs" compact flipped || { echo compact; return; }
		run 0 "$famfs" fsck flipped || { echo "fsck after compact"; return; }
	fi
	run 0 "$famfs" mkfs -q -f --dead flipped || { echo "mkfs -f"; return; }
	run 0 "$famfs" fsck flipped || echo "fsck after mkfs -f"
}

# Flipped bits, through the commands to the end: an error, or all as it was but
# for the last record. With FULL=1 a bit of each byte that says something, and
# many of the log.
flips()
{
	local offset wrong at=() famfs=$bin/famfs code

	[ ! -x "$bin/checked/famfs" ] || famfs=$bin/checked/famfs
	export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99
	# Superblock, roots, call, identity, beat and name of slot 0, and the log.
	mapfile -t at < <(seq 0 159; seq 256 287; seq 4088 4095; seq 65536 65599
		seq 131072 131135; seq 196608 196619; seq 1048576 1048703
		seq 1048768 1048783)
	RANDOM=1
	while [ ${#at[@]} -lt 540 ]; do
		at+=($((2097152 + RANDOM % 4096)))
	done
	[ -n "${FULL:-}" ] || mapfile -t at < <(printf '%s\n' "${at[@]}" | awk 'NR % 14 == 3')
	make_medium three
	"$bin/test/test_populate" three 20 leave
	"$famfs" dump three | sed 1d | sort > before
	for offset in "${at[@]}"; do
		cp --sparse=always three flipped
		flip flipped "$offset" $((RANDOM % 8))
		cp --sparse=always flipped kept
		tests=$((tests + 1))
		wrong=$(to_the_end)
		[ -z "$wrong" ] || { echo "a bit at $offset: $wrong"; failed=1; }
	done
}

# How far reading the log is: on a terminal only, and nothing stays of it.
progress()
{
	truncate -s 256M four
	"$bin/mkfs.famfs" -q four
	"$bin/test/test_populate" four 8000 leave
	expect 0 'reading the log: 1 MiB' \
		script -qec "'$bin/fsck.famfs' four" /dev/null
	cp out shown
	expect 0 '' grep -q $'\r\033\[Kfour: .* inodes' shown
	expect 0 '' script -qec "'$bin/fsck.famfs' -q four" /dev/null
	cp out shown
	expect 1 '' grep reading shown
	expect 0 'clean' "$bin/fsck.famfs" four
	cp out shown
	expect 1 '' grep reading shown
}

refusals
long_name
versions
repairs
superblocks
texts
progress
damage
flips
echo "$tests expectations"
exit $failed
