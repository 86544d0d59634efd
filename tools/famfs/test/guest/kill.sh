#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The server is killed with its parent, as if the machine ended, at any time under
# load: what had been answered is there, nothing is there twice, and the file
# system mounts and is clean.

. "$(dirname "$0")/lib.sh"

rounds=6
[ -z "${FULL:-}" ] || rounds=40
plan $((rounds * 5 + 8))

# Writes numbered files, and notes each step when it has returned.
cat > "$work/load.py" <<'P'
import os, sys
root, journal, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = open(journal, "a")
def done(*what):
    log.write(" ".join(what) + "\n")
    log.flush()
try:
    for i in range(1000000):
        name = "%s/r%d-%d" % (root, seed, i)
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        done("create", name)
        os.write(fd, bytes("%d %d\n" % (seed, i), "ascii") * (1 + i * 37 % 900))
        os.fsync(fd)
        os.close(fd)
        done("write", name, str(len("%d %d\n" % (seed, i)) * (1 + i * 37 % 900)))
        if i % 3 == 1:
            # From here on until it is done both may be.
            done("moving", name)
            os.rename(name, name + ".moved")
            done("move", name)
        if i % 3 == 2:
            done("removing", name)
            os.unlink(name)
            done("remove", name)
        if i % 7 == 0:
            os.mkdir(name + ".d")
            done("mkdir", name + ".d")
except OSError as e:
    done("end", str(e.errno))
P

# Compares the journal with what is there.
cat > "$work/judge.py" <<'P'
import os, re, sys
state, bad = {}, 0
for line in open(sys.argv[1]):
    word, *rest = line.split()
    if word == "end":
        continue
    if word == "write":
        state[rest[0]] = ["written", int(rest[1])]
    elif word == "mkdir":
        state[rest[0]] = ["directory", 0]
    elif word == "create":
        state[rest[0]] = ["created", 0]
    else:
        state[rest[0]][0] = word
def content(path, size):
    m = re.match(r".*/r(\d+)-(\d+)", path)
    line = "%s %s\n" % m.groups()
    with open(path) as f:
        text = f.read()
    return len(text) == size and text == line * (size // len(line))
for path, (word, size) in state.items():
    here, moved = os.path.exists(path), os.path.exists(path + ".moved")
    ok = True
    if word == "written":
        ok = here and not moved and content(path, size)
    elif word == "moving":
        ok = here != moved and content(path if here else path + ".moved", size)
    elif word == "move":
        ok = moved and not here and content(path + ".moved", size)
    elif word == "remove":
        ok = not here
    elif word == "removing":
        ok = not here or content(path, size)
    elif word == "directory":
        ok = os.path.isdir(path)
    elif word == "created":
        ok = here
    if not ok:
        print(path, word, size, "here" if here else "", "moved" if moved else "")
        bad += 1
print(len(state), "names,", bad, "wrong")
sys.exit(bad > 0)
P

# die: nobody goes on.
die()
{
	local parent pid

	parent=$(field parent) pid=$(field pid)
	kill -9 "$parent" "$pid"
}

fresh || exit 1
: > "$work/journal"
for ((round = 0; round < rounds; round++)); do
	mkdir $mnt/round$round
	for worker in 1 2; do
		python3 "$work/load.py" $mnt/round$round "$work/journal.$worker" \
			$((round * 10 + worker)) &
	done
	# Once both are at it, at any time.
	for ((i = 0; i < 300; i++)); do
		[ "$(cat "$work"/journal.* 2> /dev/null | wc -l)" -lt \
			$((60 * (round + 1))) ] || break
		sleep 0.2
	done
	sleep 0.$((RANDOM % 10))
	die
	wait
	check "round $round: umount of what is left" umount $mnt
	check "round $round: fsck" fsck.famfs "$dev"
	check "round $round: mount" mount -t famfs "$dev" $mnt
	check "round $round: what had returned is there" sh -c "
		cat $work/journal.* > $work/journal
		python3 $work/judge.py $work/journal"
	check "round $round: there was load" \
		test "$(wc -l < "$work/journal")" -ge $((60 * (round + 1)))
done

head -c 3M /dev/urandom > "$work/3M"
cp "$work/3M" $mnt/open
exec 4<> $mnt/open
die
check "without a server, what is open is read" sh -c "cmp $work/3M - <&4"
check "and written" python3 -c "import os; assert os.pwrite(4, b'x' * 9999, 0) == 9999"
refuses "it is not mounted again there" 32 'lost its server' mount.famfs "$dev" $mnt
refuses "nor elsewhere" 32 'has the device' mount.famfs "$dev" "$work"
exec 4<&-
check "it is unmounted" umount $mnt
check "and mounted" mount -t famfs "$dev" $mnt

rm -rf "${mnt:?}"/*
total=$(field total)
check "all space comes back" eventually free_is "$total"
check "umount and fsck at the end" sh -c "umount $mnt && fsck.famfs $dev"
