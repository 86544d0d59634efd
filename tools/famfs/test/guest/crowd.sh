#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What one user asks for does not stop the server for others: allocations that
# find no space, and listings beside renames.

. "$(dirname "$0")/lib.sh"

plan 9

fresh || exit 1
mkdir $mnt/d

# milliseconds COMMAND...: how long it takes.
milliseconds()
{
	local start=${EPOCHREALTIME/./}

	"$@" > /dev/null 2>&1
	echo $(((${EPOCHREALTIME/./} - start) / 1000))
}

cat > "$work/crowd.py" <<'P'
import ctypes, os, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
folder, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
wrong = []
def ask(i):
    fd = os.open("%s/%d" % (folder, i), os.O_RDWR | os.O_CREAT)
    ready.wait()
    if not libc.fallocate(fd, 1, 0, size):
        wrong.append(i)
    os.close(fd)
ready = threading.Barrier(count + 1)
threads = [threading.Thread(target=ask, args=(i,)) for i in range(count)]
for t in threads:
    t.start()
ready.wait()
print("asked", flush=True)
for t in threads:
    t.join()
sys.exit(len(wrong) != 0)
P

# crowd TEXT SIZE: 64 tasks ask for it, and others go on meanwhile.
crowd()
{
	local took said

	coproc CROWD { exec python3 "$work/crowd.py" $mnt/d "$2" 64; }
	local pid=$CROWD_PID
	read -r said <&"${CROWD[0]}"
	sleep 0.2
	took=$(milliseconds mkdir "$mnt/$1")
	same "$1: they ask" "$said" asked
	echo "# mkdir took $took ms"
	check "$1: others go on" test "$took" -lt 2500
	wait "$pid"
	check "$1: all of them fail" test $? = 0
}

crowd far $((1 << 50))
# Something is on its way back, for as long as it is open.
head -c 1M /dev/urandom > $mnt/held
exec 4< $mnt/held
rm $mnt/held
sleep 1.2
crowd near $(($(field total) - 4096))
exec 4<&-

# Who renames what is listed comes to an end, and so do others.
mkdir $mnt/many
(cd $mnt/many && seq 2000 | xargs touch)
cat > "$work/list.py" <<'P'
import os, sys
os.chdir(sys.argv[1])
count = 0
with os.scandir(".") as entries:
    for entry in entries:
        os.rename(entry.name, entry.name.split(".")[0] + ".%d" % count)
        count += 1
        if count > 20000:
            sys.exit("it goes on")
print(count)
P
check "a listing ends beside renames" timeout 300 python3 "$work/list.py" $mnt/many
same "nothing is lost" "$(find $mnt/many -type f | wc -l)" 2000
check "umount" again
