#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fio on famfs beside ext4 with DAX, as it runs in the guest of backend bench,
# where nothing counts instructions.
#
# Usage: fio.sh PROGRAMS ROOT ROUNDS MILLISECONDS
#
# PROGRAMS has fill; ROOT the commands, as `make install` leaves them. In each
# round, each job runs on one of them and then on the other, for so long. Prints
#
#   fio FS ENGINE-JOBS-PATTERN BANDWIDTH     in KiB/s, once a round
#
# ENGINE is mmap, psync or io_uring, with 8 requests on their way; JOBS 1 or 2;
# PATTERN randread and randwrite of 4 KiB, or read and write of 1 MiB. A job has
# a file of 64 MiB, written before, so that nothing allocates.

set -euo pipefail

programs=$1 root=$2 rounds=$3 milliseconds=$4
mnt=/mnt/famfs
dev=${FAMFS_DAXDEVS%% *}
declare -A at=([famfs]=$mnt [ext4]=/mnt/ext4)
. "$(dirname "$0")/lib.sh"

mkdir -p "${at[@]}"
begin_famfs
mkfs.ext4 -q -b 4096 -E stride=512,stripe_width=512 /dev/pmem0
mount -o dax=always /dev/pmem0 "${at[ext4]}"
for fs in famfs ext4; do
	"$programs/fill" "${at[$fs]}/0" 64
	"$programs/fill" "${at[$fs]}/1" 64
done

# fio_jobs FIRST SECOND: a file for fio.
fio_jobs()
{
	local engine jobs pattern size depth fs

	cat <<-EOF
		[global]
		filename_format=\$jobnum
		size=64m
		allow_file_create=0
		fallocate=none
		overwrite=1
		invalidate=0
		norandommap
		randrepeat=0
		refill_buffers=0
		time_based
		runtime=${milliseconds}ms
		group_reporting
		thread
		stonewall
	EOF
	for engine in psync mmap io_uring; do
		depth=1
		[ $engine != io_uring ] || depth=8
		for jobs in 1 2; do
			for pattern in randread randwrite read write; do
				size=1m
				[ "${pattern#rand}" = "$pattern" ] || size=4k
				for fs; do
					cat <<-EOF
						[$fs/$engine-$jobs-$pattern]
						directory=${at[$fs]}
						ioengine=$engine
						iodepth=$depth
						numjobs=$jobs
						rw=$pattern
						bs=$size
					EOF
				done
			done
		done
	done
}

for ((i = 0; i < rounds; i++)); do
	if [ $((i % 2)) = 0 ]; then
		fio_jobs famfs ext4
	else
		fio_jobs ext4 famfs
	fi > /tmp/jobs
	# Of what fio tells by semicolons, the third is the job's name, the 7th
	# and the 48th what it read and wrote.
	fio --output-format=terse --terse-version=3 /tmp/jobs |
		awk -F ';' '{
			sub("/", " ", $3)
			print "fio", $3, $7 + $48
		}'
done
umount "${at[ext4]}"
end_famfs
