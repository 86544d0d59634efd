#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What one of the guests of scripts/demo/hosts.sh does. They agree by files in a
# folder that all of them write to.
#
# Usage: hosts.sh NUMBER MEMBERS FOLDER [again]    (in the guest)
#
# NUMBER 0 is the owner. The last member is killed, and then the owner, each while
# the others go on; with again they have been booted once more.

set -euo pipefail

number=$1 members=$2 folder=$3 again=${4:-}
here=$(dirname "$0")
. "$here/meet.sh"

# soon TEXT COMMAND...: it must succeed within a few polls.
soon()
{
	local text=$1 tries=0

	shift
	while [ $((tries += 1)) -le 100 ]; do
		if "$@" > /dev/null 2>&1; then
			row "$text" ok
			return
		fi
		sleep 0.2
	done
	row "$text" FAIL
	exit 1
}

is() { [ "$(sha256sum < "$1" | cut -d' ' -f1)" = "$(cat "$folder/$2")" ]; }
sum() { sha256sum < "$1" | cut -d' ' -f1 > "$folder/$2"; }
has_bytes() { [ "$(stat -c %s "$1")" = "$2" ]; }
waits() { famfs status --json $mnt | grep -qE '"waiting": *0*[1-9]'; }
waits_not() { ! waits; }
# is_seen STATE WAITS: is the last member seen like that? Its exit status tells
# of silent ones.
is_seen()
{
	famfs hosts $mnt > /tmp/hosts || :
	grep -qE "^ +[0-9]+  member$members +member +$1 .*$2" /tmp/hosts
}

# asked PREFIX SUM: what hold.py has, and has now.
asked()
{
	: > "$1.ask"
	while [ -e "$1.ask" ]; do sleep 0.2; done
	cmp -s "$1.sum" "$folder/$2"
}

# store FILE OFFSET: to a mapping, and to the memory.
store()
{
	python3 -c "
import mmap
with open('$1', 'r+b') as file:
    with mmap.mmap(file.fileno(), 0) as held:
        held[$2:$2 + 5000] = bytes(5000)
        held.flush()"
}

# flushed FILE SUM: what another host has written in place.
flushed() { famfs flush "$1" && is "$1" "$2"; }

# renamed: names and modes as the owner has made them.
renamed() { [ ! -e $mnt/names/old ] && [ "$(stat -c %a $mnt/names/new)" = 604 ]; }

# server: the process that serves now.
server() { famfs status --json $mnt | sed -nE 's/^ *"pid": *([0-9]+),?$/\1/p'; }

# die: the server is killed; the next question waits for the one after it.
die()
{
	local before now tries=0

	before=$(server)
	kill -9 "$before"
	while [ $((tries += 1)) -le 100 ]; do
		now=$(server)
		[ -z "$now" ] || [ "$now" = "$before" ] || return 0
		sleep 0.2
	done
	return 1
}

# die_under_load: ten times, while a program knows what must be there.
die_under_load()
{
	local i load

	rm -f /tmp/stop
	mkdir $mnt/load
	python3 "$here/../test/guest/restart.py" $mnt/load 1 /tmp/stop \
		> /tmp/load 2>&1 &
	load=$!
	for ((i = 0; i < 10; i++)); do
		sleep 0.$((RANDOM % 10))
		die || break
		# That more than five die in a minute is forgiven.
		[ $((i % 4)) != 3 ] || famfs restart -q $mnt
	done
	: > /tmp/stop
	if ! wait $load; then
		cat /tmp/load
		return 1
	fi
	rm -r $mnt/load
	[ $i = 10 ]
}

owner()
{
	mkfs.famfs -q -f --dead -L hosts "$dev"
	mount -t famfs famfs:hosts $mnt
	head -c 8M /dev/urandom > $mnt/first
	head -c 4M /dev/urandom > $mnt/second
	sum $mnt/first first.sum
	tell made
	all seen

	head -c 4M /dev/urandom >> $mnt/first
	sum $mnt/first grown.sum
	mkdir $mnt/names
	echo text > $mnt/names/old
	mv $mnt/names/old $mnt/names/new
	chmod 604 $mnt/names/new
	tell grown
	all grown

	head -c 64K /dev/urandom |
		dd of=$mnt/first bs=4096 seek=100 conv=notrunc,fsync status=none
	sum $mnt/first written.sum
	tell written
	all written
	store $mnt/first 5000000
	sum $mnt/first stored.sum
	tell stored
	all stored

	truncate -s 1M $mnt/second
	tell cut
	all cut

	row "its server is killed ten times: no program notices" \
		"$(die_under_load && echo ok || echo FAIL)"

	rm $mnt/first
	tell removed
	all kept
	row "what is removed and mapped elsewhere keeps its space" \
		"$(waits && echo ok || echo FAIL)"
	tell drop
	soon "it comes back when it is closed there" waits_not

	head -c 4M /dev/urandom > $mnt/third
	tell third
	await "killed.$members"
	rm $mnt/third
	soon "of a member that is killed, famfs hosts says so" \
		is_seen silent '[0-9]+ [KM]iB of 1 inodes'
	row "what it had keeps its space" "$(waits && echo ok || echo FAIL)"
	tell "wake.$members"
	await back
	soon "it comes back when that member is back" waits_not
	soon "and famfs hosts says that it is in" is_seen in ''

	head -c 4M /dev/urandom > $mnt/fourth
	sum $mnt/fourth fourth.sum
	tell fourth
	all held
	mkdir $mnt/churn
	change_names &
	sleep 1
	tell kill.0
	sleep $((patience * 4))
}

# Files come and go until the machine ends.
change_names()
{
	local i

	while :; do
		for i in {1..20}; do
			echo "$i" > "$mnt/churn/$i"
			mv "$mnt/churn/$i" "$mnt/churn/new$i"
		done
		rm $mnt/churn/*
	done
}

# After it has booted again.
owner_again()
{
	mount -t famfs famfs:hosts $mnt
	row "killed and booted, it mounts and has its files" \
		"$(is $mnt/fourth fourth.sum && has_bytes $mnt/second 1048576 &&
			echo ok || echo FAIL)"
	rm -r $mnt/churn
	head -c 4M /dev/urandom > $mnt/fifth
	sum $mnt/fifth fifth.sum
	tell fifth
	all left
	umount $mnt
	soon "fsck finds it clean" fsck.famfs -n "$dev"
}

# The last member has a file mapped when its machine ends.
to_be_killed()
{
	await third
	soon "it maps one file more" test -e $mnt/third
	python3 "$here/hold.py" $mnt/third "$1" &
	while [ ! -e "$1.held" ]; do sleep 0.2; done
	tell "kill.$number"
	sleep $((patience * 4))
}

# The owner's machine ends, and comes back.
outlive()
{
	local prefix=$folder/hold.$number.fourth

	await fourth
	soon "the owner has made a file" is $mnt/fourth fourth.sum
	python3 "$here/hold.py" $mnt/fourth "$prefix" &
	while [ ! -e "$prefix.held" ]; do sleep 0.2; done
	tell "held.$number"
	await killed.0
	row "the owner is killed: the file is there" \
		"$(is $mnt/fourth fourth.sum && echo ok || echo FAIL)"
	row "and where it was mapped before" \
		"$(asked "$prefix" fourth.sum && echo ok || echo FAIL)"
	tell "alone.$number"
	if [ "$number" = 1 ]; then
		all alone
		tell wake.0
	fi
	await fifth
	soon "the owner is back: what it makes now is there" \
		is $mnt/fifth fifth.sum
	row "and the file that was mapped all the time" \
		"$(asked "$prefix" fourth.sum && echo ok || echo FAIL)"
	: > "$prefix.drop"
	wait
	umount $mnt
	tell "left.$number"
}

# After it has booted again.
member_again()
{
	mount -t famfs -o member famfs:hosts $mnt
	row "killed and booted, it mounts again" \
		"$([ ! -e $mnt/third ] && has_bytes $mnt/second 1048576 &&
			echo ok || echo FAIL)"
	tell back
	outlive
}

member()
{
	local prefix=$folder/hold.$number

	await made
	mount -t famfs -o member famfs:hosts $mnt
	soon "what the owner has made is there" is $mnt/first first.sum
	if mkdir $mnt/new 2> /tmp/refused; then
		row "changes are refused" FAIL
	else
		row "changes are refused" \
			"$(grep -q 'Read-only' /tmp/refused && echo ok || echo FAIL)"
	fi
	python3 "$here/hold.py" $mnt/second "$prefix.second" &
	python3 "$here/hold.py" $mnt/first "$prefix.ahead" 16777216 &
	while [ ! -e "$prefix.second.held" ] || [ ! -e "$prefix.ahead.held" ]; do
		sleep 0.2
	done
	tell "seen.$number"

	await grown
	soon "what the owner has appended is there" is $mnt/first grown.sum
	soon "and in a file that was open and mapped before" \
		asked "$prefix.ahead" grown.sum
	: > "$prefix.ahead.drop"
	wait %2
	soon "what it has made, renamed and changed is as it made it" renamed
	python3 "$here/hold.py" $mnt/first "$prefix" &
	while [ ! -e "$prefix.held" ]; do sleep 0.2; done
	tell "grown.$number"

	await written
	soon "what the owner has written in place is there" \
		flushed $mnt/first written.sum
	tell "written.$number"
	await stored
	soon "and what it has stored to a mapping" flushed $mnt/first stored.sum
	tell "stored.$number"

	await cut
	soon "what the owner has cut off is not there" \
		has_bytes $mnt/second 1048576
	: > "$prefix.second.ask"
	# SIGBUS ends it.
	if wait %1 || [ -e "$prefix.second.sum" ]; then
		row "nor can it be reached through a mapping" FAIL
	else
		row "nor can it be reached through a mapping" ok
	fi
	tell "cut.$number"

	await removed
	soon "what the owner has removed has no name" test ! -e $mnt/first
	row "and has its data while it is mapped" \
		"$(asked "$prefix" stored.sum && echo ok || echo FAIL)"
	row "its server is killed, and another one goes on" \
		"$(die && echo ok || echo FAIL)"
	row "what is removed and mapped has its data after that" \
		"$(asked "$prefix" stored.sum && echo ok || echo FAIL)"
	tell "kept.$number"

	await drop
	: > "$prefix.drop"
	wait
	[ "$number" != "$members" ] || to_be_killed "$prefix.third"
	outlive
}

play
