#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs that people run, on the mount: they end well, what they have written
# is right, and it is there after the file system has been mounted again.

. "$(dirname "$0")/lib.sh"

plan 43

fresh || exit 1
before=$(field free)
cd $mnt || exit 1

# ---- git -------------------------------------------------------------------

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b

commits()
{
	cp -r "$FAMFS_TOP"/tools/famfs/{server,man} repo/ && git -C repo add . &&
		git -C repo commit -qm one && git -C repo mv server moved &&
		sed -i 's/the/THE/' repo/moved/*.c && git -C repo commit -qam two &&
		[ -z "$(git -C repo status --porcelain)" ]
}

check "git init" git init -q -b main repo
check "git add, mv and commit" commits
check "git clone with hard links" git clone -q repo linked
check "git clone that copies" git clone -q "file://$mnt/repo" copied
check "git gc" git -C repo gc -q --prune=now
check "git fsck" git -C repo fsck --strict --no-progress
check "git checkout of what was before" git -C copied checkout -q HEAD~1
check "git checkout gives what was added" diff -r "$FAMFS_TOP/tools/famfs/server" copied/server

# ---- rsync, tar, cpio ------------------------------------------------------

tree=/usr/include/linux/netfilter
check "rsync -a" rsync -a $tree/ synced/
check "rsync -a once more has nothing to do" \
	sh -c "rsync -ai $tree/ synced/ > $work/again && cmp $work/again /dev/null"
change()
{
	echo more >> synced/x_tables.h && rsync -a --inplace --checksum $tree/ synced/ &&
		diff -r $tree synced
}
check "rsync --inplace mends what has changed" change
check "tar packs it" tar -cf tree.tar -C synced .
check "tar finds no difference" tar -df tree.tar -C synced
check "tar unpacks it" sh -c "mkdir untarred && tar -xf tree.tar -C untarred"
check "as it was" sh -c "diff -r synced untarred && cd untarred && tar -df ../tree.tar"
check "gzip and gunzip" sh -c "gzip -k tree.tar && gunzip -c tree.tar.gz | cmp - tree.tar"
check "cpio copies it" sh -c "cd synced && find . | cpio --quiet -pdm ../passed && diff -r . ../passed"

# ---- sqlite3 ---------------------------------------------------------------

# rows JOURNAL: a data base with that journal, some transactions, one of which
# does not come to its end.
rows()
{
	sqlite3 -bail "$1.db" <<-SQL
	pragma journal_mode = $1;
	create table t (id integer primary key, text);
	begin;
	insert into t with recursive n(i) as (select 1 union all
		select i + 1 from n where i < 1000)
		select i, hex(randomblob(40)) from n;
	commit;
	create index x on t (text);
	begin;
	delete from t where id % 2;
	rollback;
	begin;
	update t set text = 'even' where id % 2 = 0;
	commit;
	vacuum;
	SQL
}

# ask JOURNAL: whether all is as it should be there.
ask()
{
	[ "$(sqlite3 "$1.db" 'pragma integrity_check; select count(*) from t;
		select count(*) from t where text = "even";' | tr '\n' ' ')" = \
	  "ok 1000 500 " ]
}

# two JOURNAL: programs that write into it at once.
two()
{
	local one

	sqlite3 -cmd '.timeout 60000' "$1.db" < "$work/inserts" &
	one=$!
	sqlite3 -cmd '.timeout 60000' "$1.db" < "$work/inserts" && wait $one &&
		[ "$(sqlite3 "$1.db" 'select count(*) from t where id > 1000')" = 20 ] &&
		sqlite3 "$1.db" 'delete from t where id > 1000'
}

for ((i = 0; i < 10; i++)); do
	echo "begin immediate; insert into t (text) values ($i); commit;"
done > "$work/inserts"
for journal in delete wal; do
	check "sqlite3 with journal $journal" rows $journal
	check "its integrity" ask $journal
	check "two that write at once" two $journal
done
check "sqlite3 that maps its file" sh -c "[ \$(sqlite3 wal.db 'pragma mmap_size = 10000000;
	select count(*) from t where text = \"even\";' | tail -n 1) = 500 ]"

# ---- fio, dd, cp, truncate, fallocate --------------------------------------

for engine in psync mmap libaio; do
	check "fio, random writes by $engine, verified" \
		fio --name=$engine --ioengine=$engine --rw=randwrite --bs=4k --size=4M \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --fallocate=none \
		--randseed=1 --directory=$mnt --output="$work/fio"
done
check "fio, writes and reads of several files" \
	fio --name=files --ioengine=psync --rw=randrw --bsrange=512-64k --size=4M \
	--nrfiles=8 --verify=crc32c --verify_fatal=1 --randseed=2 --directory=$mnt \
	--output="$work/fio"
head -c 3000001 /dev/urandom > "$work/random"
pieces()
{
	local i

	for i in 2 0 1; do
		dd if="$work/random" of=pieces bs=1000000 count=1 skip=$i seek=$i \
			conv=notrunc status=none || return
	done
	tail -c 1 "$work/random" |
		dd of=pieces oflag=append conv=notrunc,fsync status=none
	cmp "$work/random" pieces
}
check "dd of pieces in any order" pieces
check "dd oflag=direct" sh -c "dd if=$work/random of=direct bs=4k count=700 oflag=direct status=none &&
	dd if=direct iflag=direct bs=64k status=none | cmp -n 2867200 - $work/random"
truncate -s 5M "$work/sparse"
dd if="$work/random" of="$work/sparse" bs=1M seek=2 count=1 conv=notrunc status=none
for how in always never auto; do
	check "cp --sparse=$how" sh -c "cp --sparse=$how $work/sparse sparse-$how &&
		cmp $work/sparse sparse-$how && cp --sparse=always sparse-$how $work/back &&
		cmp $work/sparse $work/back"
done
check "truncate to what it was, less and more" \
	sh -c "cp $work/random cut && truncate -s -1000001 cut && truncate -s +500 cut &&
	cmp -n 2000000 $work/random cut && tail -c 500 cut | cmp -n 500 - /dev/zero && [ \$(stat -c %s cut) = 2000500 ]"
check "fallocate" sh -c "fallocate -l 3M room && [ \$(stat -c %s room) = 3145728 ] &&
	cmp -n 3145728 room /dev/zero && fallocate -n -l 5M room && [ \$(stat -c %s room) = 3145728 ]"

# ---- mmap ------------------------------------------------------------------

cat > "$work/map.py" <<'P'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 3 << 20)
m = mmap.mmap(fd, 3 << 20)
other = mmap.mmap(fd, 3 << 20, access=mmap.ACCESS_READ)
for at in range(0, 3 << 20, 65521):
    m[at:at + 8] = b"%08d" % at
    assert other[at:at + 8] == b"%08d" % at
    assert os.pread(fd, 8, at) == b"%08d" % at
m.flush()
os.pwrite(fd, b"written", 1 << 20)
assert m[1 << 20:(1 << 20) + 7] == b"written"
os.ftruncate(fd, 5 << 20)
m.resize(5 << 20)
m[-3:] = b"end"
assert os.pread(fd, 9, (5 << 20) - 3) == b"end"
private = mmap.mmap(fd, 4096, access=mmap.ACCESS_COPY)
private[0:3] = b"own"
assert os.pread(fd, 3, 0) == b"000"
P
check "python maps, writes, grows and maps more" python3 "$work/map.py" mapped

# ---- make, cc --------------------------------------------------------------

mkdir built
printf 'int add(int a) { return a + 1; }\n' > built/add.c
printf 'int add(int);\nint main(void) { return add(41) - 42; }\n' > built/main.c
# shellcheck disable=SC2016 # make expands it
printf 'prog: main.o libadd.a\n\t$(CC) -o $@ $^\nlibadd.a: add.o\n\t$(AR) rcs $@ $^\n' > built/Makefile
check "make, cc, ar and ld" make -s -C built
check "make has nothing to do" make -q -C built
check "the program runs" built/prog

# ---- once more -------------------------------------------------------------

sums()
{
	find $mnt -type f ! -name '*-shm' -print0 | sort -z | xargs -0 sha256sum | sha256sum
}
sum=$(sums)
cd /
check "unmounted, clean, mounted" again
same "everything is there" "$(sums)" "$sum"
check "git and sqlite3 find it good" \
	sh -c "cd $mnt && git -C linked fsck --no-progress && for db in *.db; do sqlite3 \$db 'pragma integrity_check' | grep -qx ok || exit; done"
rm -rf "${mnt:?}"/*
check "all space comes back" eventually free_is "$before"
umount $mnt
