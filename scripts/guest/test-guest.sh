#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests scripts/guest/boot.sh itself: that good runs pass, and that a failing
# command, a warning, a crash and hangs of all kinds are each told as what
# they are. A guest that lets one of them pass makes every other test worthless.
#
# Usage: scripts/guest/test-guest.sh

set -euo pipefail
. "$(dirname "$0")/../lib.sh"

out=$BUILD/guest-selftest
passed=0
failed=0

# expect STATUS NAME ARGS-OF-GUEST...
expect()
{
	local want=$1 name=$2 got=0

	shift 2
	"$TOP/scripts/guest/boot.sh" -o "$out" "$@" > "$out.log" 2>&1 || got=$?
	if [ $got = "$want" ]; then
		passed=$((passed + 1))
		say "ok: $name: $(tail -n 1 "$out.log")"
	else
		failed=$((failed + 1))
		cat "$out.log"
		say "not ok: $name: status $got, expected $want"
	fi
}

# What a command prints must arrive whole, and alone.
expect_output()
{
	local name=$1 want=$2 got

	got=$(cat "$out/output")
	if [ "$got" = "$want" ]; then
		passed=$((passed + 1))
		say "ok: $name"
	else
		failed=$((failed + 1))
		say "not ok: $name: got '$got'"
	fi
}

provoke=/sys/kernel/debug/provoke-crash/DIRECT
results=$BUILD/guest-selftest.d
mkdir -p "$BUILD"
rm -rf "$results"

expect 0 "a good command" -t 20 -- printf '%s|' "it's" 'a  b' ''
expect_output "its arguments and its output" "it's|a  b||"
expect 0 "busybox only" -m initramfs -t 20 -- \
	sh -c "[ -c /dev/dax2.0 ] && ! command -v bash"
expect 0 "the host's programs" -t 20 -- bash -c 'command -v fio strace ndctl'
expect 3 "a failing command" -t 20 -- sh -c 'exit 3'
expect 127 "a command that does not exist" -t 20 -- /nonexistent
expect 0 "a result for the host" -w "$results" -t 20 -- \
	sh -c "echo x > '$results/x'"
[ "$(cat "$results/x")" = x ] || { failed=$((failed + 1)); say "not ok: no result"; }
expect 1 "a write to the checkout" -t 20 -- touch "$TOP/x"
expect 73 "a command that sleeps" -t 3 -- sleep 60
expect 73 "a busy command" -t 3 -- sh -c 'while :; do :; done'
expect 0 "a daemon left behind" -t 20 -- sh -c 'sleep 60 & :'
expect 74 "a crash" -t 20 -- sh -c 'echo c > /proc/sysrq-trigger'
expect 74 "a warning" -t 20 -- sh -c "echo WARNING > $provoke; sleep 5"
expect 74 "a hung task" -k sysctl.kernel.hung_task_timeout_secs=2 -t 60 -- \
	sh -c "echo HUNG_TASK > $provoke; sleep 50"
expect 74 "a lockup" -k watchdog_thresh=6 -t 60 -- \
	sh -c "echo SOFTLOCKUP > $provoke; sleep 50"
expect 75 "a message that panics nothing" -t 20 -- \
	sh -c 'echo "<4>WARNING: possible circular locking" > /dev/kmsg'
expect 71 "a kernel that does not get to the command" -t 20 -k rdinit=/none -- true
if [ "$(grep -c 'once more' "$out.log")" -gt 1 ]; then
	failed=$((failed + 1))
	say "not ok: it was booted more than twice"
fi

echo "$passed passed, $failed failed"
[ $failed = 0 ]
