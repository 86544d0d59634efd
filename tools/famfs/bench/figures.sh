#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The figures of names and of growing files, as they are taken in the guest of
# backend bench: famfs beside ext4 with DAX.
#
# Usage: figures.sh PROGRAMS ROOT ROUNDS COUNT WHAT...
#
# PROGRAMS has names, include.tar and documentation.tar; ROOT has root/, as `make
# install` leaves it, and peek. COUNT files are created. WHAT: grow create stat
# stat-again readdir readdir-again remove cp untar. Prints
#
#   time FS OPERATION NANOSECONDS      per file, once a round
#   request OPERATION OPCODE COUNT     that the kernel sent, over all files
#   files OPERATION COUNT
#   map HOW TEXT                       how much of a file 2 MiB pages can map
#   huge HOW KIB                       and do, of a file that is mapped

set -euo pipefail

programs=$1 root=$2 rounds=$3 count=$4
shift 4
dev=${FAMFS_DAXDEVS%% *}
trace=/sys/kernel/tracing
src=/tmp/figures
declare -A at=([famfs]=/mnt/famfs [ext4]=/mnt/ext4)

cp -a "$root/root/." /
mkdir -p $src "${at[@]}"
mkfs.famfs -q -f --dead "$dev"
mount -t famfs "$dev" "${at[famfs]}"
mkfs.ext4 -q -b 4096 /dev/pmem0
mount -o dax=always /dev/pmem0 "${at[ext4]}"

# Files that grow.
grow()
{
	local i how

	cd "${at[famfs]}"
	truncate -s 1G $src/big
	cp --sparse=never --reflink=never $src/big cp
	dd if=$src/big of=dd bs=4k count=65536 status=none
	head -c 256M $src/big > $src/part
	tar -cf part.tar -C $src part
	mkdir tar
	tar -xf part.tar -C tar
	mv tar/part tar.part
	for ((i = 0; i < 256; i++)); do
		head -c 1M $src/part >> append
	done
	truncate -s 256M truncated
	dd if=$src/part of=truncated bs=1M conv=notrunc status=none
	fallocate -l 256M allocated
	for how in cp dd tar.part append truncated allocated; do
		echo "map $how $(famfs map -q $how | sed 's/^[^:]*: //')"
		# Through a pipe, or nobody looks at the bytes.
		"$root/peek" $how 2> $src/huge | cat > /dev/null
		echo "huge $how $(cat $src/huge)"
	done
	cd /
	rm -r "${at[famfs]:?}"/* $src/big $src/part
}

# spent COMMAND...: nanoseconds.
spent()
{
	local from to

	from=$(date +%s%N)
	"$@"
	to=$(date +%s%N)
	echo $((to - from))
}

# operation FS WHAT: nanoseconds per file.
operation()
{
	local dir=${at[$1]} n

	case $2 in
	create|stat|readdir|remove)
		"$programs/names" "$dir" "$count" "$2" ;;
	*-again)
		"$programs/names" "$dir" "$count" "${2%-again}" ;;
	cp)
		n=$(spent cp -r $src/include "$dir/copy")
		rm -r "$dir/copy"
		echo $((n / files)) ;;
	untar)
		mkdir "$dir/untarred"
		n=$(spent tar -xf $src/documentation.tar -C "$dir/untarred")
		rm -r "$dir/untarred"
		echo $((n / files)) ;;
	esac
}

# source_of WHAT: in memory, so that what is read costs both the same.
source_of()
{
	files=$count
	case $1 in
	cp)
		tar -xf "$programs/include.tar" -C $src
		files=$(find $src/include -type f | wc -l) ;;
	untar)
		cp "$programs/documentation.tar" $src/
		files=$(tar -tf $src/documentation.tar | grep -vc '/$') ;;
	esac
	echo "files $1 $files"
}

# requests WHAT: once for the requests.
requests()
{
	local n opcode

	echo > $trace/trace
	echo 1 > $trace/events/fuse/fuse_request_send/enable
	operation famfs "$1" > /dev/null
	echo 0 > $trace/events/fuse/fuse_request_send/enable
	# None at all is the best of answers.
	{ grep -o 'opcode [0-9]* (FUSE_[A-Z_]*' $trace/trace || :; } |
		sed 's/.*(FUSE_//' | sort | uniq -c | while read -r n opcode; do
			echo "request $1 $opcode $n"
		done
	operation ext4 "$1" > /dev/null
}

# times WHAT...: the rounds, in turn on both.
times()
{
	local round what fs

	for ((round = 0; round < rounds; round++)); do
		for what; do
			for fs in famfs ext4; do
				echo "time $fs $what $(operation $fs "$what")"
			done
		done
	done
}

# Room for some hundred thousand requests.
echo 65536 > $trace/buffer_size_kb
names=()
for what; do
	case $what in
	grow)
		grow ;;
	cp|untar)
		source_of "$what"
		requests "$what"
		times "$what" ;;
	*)
		names+=("$what") ;;
	esac
done
# Each of these has what the one before it has left.
for what in "${names[@]}"; do
	source_of "$what"
	requests "$what"
done
times "${names[@]}"
cd /
umount "${at[famfs]}"
fsck.famfs -q "$dev"
umount "${at[ext4]}"
