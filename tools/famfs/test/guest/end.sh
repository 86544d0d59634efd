#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The ends of servers and mounts: a server that is killed right after it has mounted
# once left a mount that answered nothing, one that was killed while it left made
# its host one that is cut off, and an unmount without a server waited for good: so
# did commands that asked what had stopped.

. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
log=$work/log
plan 43

# begin: mounted, with what is logged in $log.
begin()
{
	famfs mount --foreground "$dev" $mnt 2> "$log" &
	eventually serves && parent=$(field parent) pid=$(field pid) && return
	sed 's/^/# /' "$log"
	return 1
}

serves() { mountpoint -q $mnt && [ -n "$(field pid)" ]; }
ended() { [ ! -e "/proc/$1" ]; }

# left: this host has, and nobody thought that it was another one's doing.
left()
{
	ended "$parent" || return
	famfs status "$dev" > "$work/said"
	grep -q ', left$' "$work/said" && ! grep -q 'cut off' "$log"
}

# stop_servers: six deaths in a minute.
stop_servers()
{
	local i now

	for ((i = 0; i < 6; i++)); do
		now=$(field pid)
		[ "${now:-0}" = 0 ] || kill -9 "$now"
		sleep 0.2
	done
	eventually sh -c "famfs status $mnt | grep -q stopped"
}

# pin: pages of a file are in a pipe, and nothing else is in use. They stay until
# the process that has it ends.
cat > "$work/pin.py" <<'P'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
class iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
fd = os.open(sys.argv[1], os.O_RDWR)
at = libc.mmap(None, 4096, 3, 1, fd, 0)
os.close(fd)
ctypes.memset(at, 1, 1)
r, w = os.pipe()
if libc.vmsplice(w, ctypes.byref(iovec(at, 4096)), 1, 0) != 4096:
    sys.exit("vmsplice: %d" % ctypes.get_errno())
libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(4096))
print("pinned", flush=True)
sys.stdin.readline()
P
pin()
{
	coproc PIN { exec python3 "$work/pin.py" $mnt/file; }
	read -r said <&"${PIN[0]}"
	pinned=$PIN_PID
	same "a page is pinned" "$said" pinned
}

mkfs.famfs -q -f --dead "$dev"
begin
head -c 1M /dev/urandom > $mnt/file
# Who keeps it all is not killed for want of memory, and servers are as before.
same "oom_score_adj of the parent" "$(cat "/proc/$parent/oom_score_adj")" -1000
same "and of its server" "$(cat "/proc/$pid/oom_score_adj")" \
	"$(cat /proc/self/oom_score_adj)"
kill -9 "$pid"
check "another server goes on" eventually sh -c "
	famfs status --json $mnt | grep -q '\"pid\":[1-9]' &&
	! famfs status --json $mnt | grep -q '\"pid\":$pid,'"
pid=$(field pid)
same "its oom_score_adj" "$(cat "/proc/$pid/oom_score_adj")" \
	"$(cat /proc/self/oom_score_adj)"
same "status says whose program serves" "$(field program)" installed
inherited=0
for info in /proc/"$pid"/fdinfo/*; do
	[ "${info##*/}" -le 2 ] || [ $((0$(awk '/^flags:/ { print $2 }' "$info") & 02000000)) != 0 ] ||
		inherited=$((inherited + 1))
done
same "descriptors that other programs would have" $inherited 0

# The time of a store is told when the mapping goes: who ends waits for a server.
cat > "$work/store.py" <<'P'
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(fd, 4096)
os.close(fd)
m[0]
print("mapped", flush=True)
sys.stdin.readline()
m[0] = 42
P
touch -d '2001-01-01' $mnt/file
coproc STORE { exec python3 "$work/store.py" $mnt/file; }
read -r _ <&"${STORE[0]}"
check "servers die too often" stop_servers
stored=$STORE_PID
echo >&"${STORE[1]}"
sleep 1
check "a program that has stored waits for a server" kill -0 "$stored"
check "famfs umount starts one" eventually famfs umount $mnt
wait "$stored"
check "and this host has left" eventually left
begin
check "what was stored has been told" test "$(stat -c %Y $mnt/file)" -gt 1000000000

# Without a server nothing is asked that would wait for one.
other=${FAMFS_DAXDEVS##* }
echo > $mnt/below
check "servers die too often once more" stop_servers
sleep 2
refuses "status of a mount point, with a slash" 2 'died too often' timeout 20 famfs status $mnt/
refuses "another mount over it" 32 'has stopped, or hangs' \
	timeout 30 mount.famfs "$other" $mnt/
refuses "famfs map below it" 1 'does not answer' timeout 20 famfs map $mnt/below
refuses "famfs flush below it" 1 'does not answer' timeout 20 famfs flush $mnt/below
refuses "fsck below it" 8 'does not answer' timeout 20 fsck.famfs $mnt/below
refuses "famfs hosts of it" 2 'died too often' timeout 20 famfs hosts $mnt/
refuses "famfs compact of it" 1 'died too often' timeout 20 famfs compact $mnt/
check "it is unmounted, with a slash" timeout 60 famfs umount $mnt/
check "and left" eventually left

begin
# Signals while it waits for a page that is in use.
pin
check "SIGTERM unmounts it" sh -c "kill $parent; for i in \$(seq 100); do
	mountpoint -q $mnt || exit 0; sleep 0.1; done; exit 1"
kill "$parent"
kill "$pid"
sleep 1
check "more signals change nothing" kill -0 "$parent" "$pid"
kill "$pinned"
check "it leaves in order" eventually left

begin
pin
umount -i $mnt
kill -9 "$pid"
sleep 2
check "a server that waits to leave is killed: another one does" kill -0 "$parent"
kill "$pinned"
check "and leaves in order" eventually left

# strike_leave NTH SIGNAL: it comes before a write of the leave.
strike_leave()
{
	local python

	rm -f "$work/started"
	python3 "$here/strike_leave.py" "$pid" "$1" "$2" "$work/started" &
	python=$!
	eventually test -e "$work/started"
	umount -i $mnt
	wait $python
}

# What is traced cannot look for leaks.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
for ((nth = 1, struck = 1; struck && nth < 20; nth++)); do
	begin || break
	strike_leave $nth KILL || struck=
	eventually left || break
done
check "it is killed before each write of its leave: $((nth - 2)), and has left" \
	test -z "$struck" -a $nth -gt 4
for ((nth = 1, died = 0; nth < 5; nth++)); do
	begin
	strike_leave $nth TERM || died=1
	eventually left || died=1
	! grep -q 'has died' "$log" || died=1
done
same "signals in between change nothing" $died 0
check "fsck" fsck.famfs "$dev"

# Killed after mount(2), until its parent has what it needs.
failed=0 wrong=0
for ((nth = 0; nth < 400; nth += 1 + nth / 2)); do
	status=0
	timeout 60 python3 "$here/strike_mount.py" $nth mount.famfs "$dev" $mnt \
		> "$work/said" 2>&1 || status=$?
	[ $status != 0 ] || break
	failed=$((failed + 1))
	if [ $status != 32 ] || mountpoint -q $mnt || ! stat $mnt > /dev/null; then
		wrong=$((wrong + 1))
		sed "s/^/# $nth: /" "$work/said"
	fi
done
check "a server is killed after mount(2): $failed times, and nothing is mounted" \
	test $failed -gt 3 -a $wrong = 0
check "then it is mounted" sh -c "echo > $mnt/after"
umount $mnt

# Both are killed then: nobody is left that would unmount it. mountpoint(1) would
# ask what is there.
is_in_table() { grep -q " $mnt " /proc/self/mountinfo; }
strike_both()
{
	timeout 60 python3 "$here/strike_mount.py" "$1" both mount.famfs "$dev" $mnt
}
for ((nth = 0, lost = 0, wrong = 0; nth < 400; nth += 1 + nth / 2)); do
	status=0
	strike_both $nth > "$work/said" 2>&1 || status=$?
	[ $status != 0 ] || break
	! is_in_table || lost=$((lost + 1))
	is_in_table || echo "# Expected: $nth: a mount point that is lost"
	timeout 20 famfs status >> "$work/said" 2>&1
	timeout 60 famfs umount $mnt >> "$work/said" 2>&1
	if is_in_table || ! grep -q "^$mnt: famfs on $dev, lost" "$work/said" ||
	   ! grep -q "$mnt: what is mounted there has lost its server" "$work/said" ||
	   ! grep -q "Next: famfs umount $mnt\$" "$work/said"; then
		wrong=$((wrong + 1))
		sed "s/^/# Expected: $nth: /" "$work/said"
	fi
done
check "both are killed: $lost mount points, each is named, and unmounted" \
	test $lost -gt 3 -a $wrong = 0
umount $mnt
strike_both 4 > "$work/said" 2>&1
check "status names what was lost" sh -c "timeout 20 famfs status > $work/status
	test \$? = 2 && grep -q '^$mnt: .* lost' $work/status &&
	grep -q 'Next: famfs umount $mnt' $work/status"
refuses "and that of the mount point" 2 "^$mnt: .* lost" timeout 20 famfs status $mnt
refuses "that of its device" 2 "^$mnt: .* lost" timeout 20 famfs status "$dev"
check "as JSON" sh -c "timeout 20 famfs status --json $mnt | grep -q '\"state\":\"lost\"'"
refuses "the next mount there" 32 'lost its server' timeout 60 mount.famfs "$dev" $mnt
refuses "restart" 1 'nothing of famfs' timeout 20 famfs restart $mnt
check "umount(8)" timeout 60 umount $mnt
check "and it is mounted again" sh -c "timeout 60 mount -t famfs $dev $mnt &&
	test -e $mnt/after && famfs status $mnt"
umount $mnt
check "fsck at the end" fsck.famfs "$dev"
