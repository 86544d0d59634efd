#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The server dies at any time under load, and another one goes on: no program
# sees an error, nothing is lost and nothing is done twice.

. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
rounds=3
[ -z "${FULL:-}" ] || rounds=20
plan $((rounds * 2 + 38))

# next_after PID: another one serves.
next_after()
{
	local now

	now=$(field pid)
	[ -n "$now" ] && [ "$now" != "$1" ] && [ "$now" != 0 ]
}

# die: the server is killed; the next question waits for the one after it.
die()
{
	local pid

	pid=$(field pid)
	kill -9 "$pid" && eventually next_after "$pid"
}

# strike: it is killed between log and reply.
strike()
{
	local pid

	pid=$(field pid)
	timeout 20 python3 "$here/strike.py" "$pid" && eventually next_after "$pid"
}

# random_sleep: up to a second.
random_sleep()
{
	sleep 0."$((RANDOM % 10))"
}

fresh || exit 1
parent=$(field parent)
check "the parent's name begins with @" \
	grep -q '^@' "/proc/$parent/cmdline"
same "and it has one thread" "$(find "/proc/$parent/task" -mindepth 1 \
	-maxdepth 1 | wc -l)" 1
check "a server that is killed has a successor" die
same "which is a child of the same parent" "$(field parent)" "$parent"
same "status counts it" "$(field deaths)" 1
check "and it serves" sh -c "echo a > $mnt/a && mv $mnt/a $mnt/b && rm $mnt/b"
check "famfs restart" famfs restart $mnt
check "which counts no death" test "$(field deaths)" = 1

programs=()
for worker in 1 2 3; do
	mkdir $mnt/w$worker
	python3 "$here/restart.py" $mnt/w$worker $worker "$work/stop" \
		> "$work/worker.$worker" 2>&1 &
	programs+=($!)
done
killed=0
for ((round = 0; round < rounds; round++)); do
	for ((i = 0; i < 4; i++)); do
		random_sleep
		if [ $((i % 2)) = 0 ]; then die; else strike; fi &&
			killed=$((killed + 1))
	done
	random_sleep
	check "round $round: famfs restart under load" famfs restart $mnt
	check "round $round: programs go on" kill -0 "${programs[@]}"
done
: > "$work/stop"
for worker in 1 2 3; do
	status=0
	wait "${programs[$((worker - 1))]}" || status=$?
	sed 's/^/# /' "$work/worker.$worker"
	result $status "program $worker saw no error, and has what it made"
done
same "the servers were killed" "$killed" $((rounds * 4))

# One that dies at the worst time: the log ends, and begins anew.
mkdir $mnt/w9
python3 "$here/restart.py" $mnt/w9 9 "$work/stop2" > "$work/worker.9" 2>&1 &
python=$!
for i in 1 2 3; do
	famfs compact -q $mnt & compact=$!
	die
	wait $compact
done
: > "$work/stop2"
status=0
wait $python || status=$?
sed 's/^/# /' "$work/worker.9"
result $status "servers are killed while the log begins anew"
check "famfs restart once more" famfs restart $mnt

# Locks are the kernel's.
cat > "$work/lock.py" <<'P'
import fcntl, os, sys
files = []
def lock(how):
    files.append(os.open(sys.argv[1] + "/" + how, os.O_RDWR | os.O_CREAT))
    (fcntl.flock if how == "flock" else fcntl.lockf)(files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
if sys.argv[2:]:
    try:
        lock(sys.argv[2])
    except BlockingIOError:
        sys.exit(9)
    sys.exit(0)
lock("flock")
lock("fcntl")
print("locked", flush=True)
sys.stdin.readline()
P
coproc LOCK { exec python3 "$work/lock.py" $mnt; }
locker=$LOCK_PID
read -r said <&"${LOCK[0]}"
check "a server dies while files are ${said:-not locked}" die
for how in flock fcntl; do
	status=0
	python3 "$work/lock.py" $mnt $how || status=$?
	same "the lock has outlived it: $how" $status 9
done
echo >&"${LOCK[1]}"
wait "$locker"
check "and ends with its process" sh -c "python3 $work/lock.py $mnt flock &&
	python3 $work/lock.py $mnt fcntl"
rm $mnt/flock $mnt/fcntl

head -c 3M /dev/urandom > "$work/3M"
cp "$work/3M" $mnt/open
exec 4<> $mnt/open
rm $mnt/open
check "a server dies with a removed file open" die
check "which has its bytes" sh -c "cmp $work/3M - <&4"
check "and grows" python3 -c "import os; assert os.pwrite(4, b'x' * 9999, 5 << 20) == 9999"
exec 4<&-
rm -rf "${mnt:?}"/*
check "all space comes back" eventually free_is "$(field total)"

echo "kept" > $mnt/kept
kill -9 "$(field pid)"
check "umount right after a server is killed" umount $mnt
check "fsck" fsck.famfs "$dev"
check "mount again" mount -t famfs "$dev" $mnt
same "what was there" "$(cat $mnt/kept)" kept

# Too often.
for ((i = 0; i < 6; i++)); do
	kill -9 "$(field pid)"
	sleep 0.2
done
refuses "six deaths in a minute end it, and status says what to do" 2 \
	'died too often' famfs status $mnt
check "what is cached is there" timeout 5 cat $mnt/kept
timeout 60 mkdir $mnt/later &
later=$!
check "famfs restart starts one" famfs restart $mnt
check "and who has waited goes on" wait $later
for ((i = 0; i < 6; i++)); do
	kill -9 "$(field pid)"
	sleep 0.2
done
check "without a server it is unmounted" timeout 60 famfs umount $mnt
check "and left in order" eventually fsck.famfs "$dev"
refuses "nothing serves any more" 1 'not mounted' famfs status "$dev"
check "the next mount has it" mount -t famfs "$dev" $mnt
parent=$(field parent) pid=$(field pid)
check "SIGTERM to the parent unmounts it" sh -c "kill $parent; for i in \$(seq 100); do
	[ -e /proc/$parent ] || exit 0; sleep 0.1; done; exit 1"
check "and leaves in order" fsck.famfs "$dev"
mount -t famfs "$dev" $mnt
parent=$(field parent)
for ((i = 0; i < 6; i++)); do
	kill -9 "$(field pid)"
	sleep 0.2
done
check "without a server too" sh -c "kill $parent; for i in \$(seq 100); do
	[ -e /proc/$parent ] || exit 0; sleep 0.1; done; exit 1"
check "fsck at the end" fsck.famfs "$dev"
