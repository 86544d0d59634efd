# SPDX-License-Identifier: GPL-2.0
#
# Runs a command that mounts, and kills the process that has done so before its
# nth system call after that; with both, its parent as well.
#
# Usage: strike_mount.py NTH [both] COMMAND...    The exit status is the command's,
# and 0 where the process was not killed.

import os
import signal
import sys

import syscalls

nth = int(sys.argv[1])
both = sys.argv[2] == "both"
run = sys.argv[3 if both else 2:]
go, told = os.pipe()
command = os.fork()
if not command:
    os.close(told)
    os.read(go, 1)
    os.execvp(run[0], run)
syscalls.seize(command, syscalls.CHILDREN)
os.close(told)
inside, mounted = set(), None
for tid, what, number, second in syscalls.calls(command):
    if what == syscalls.ENTRY and tid == mounted and nth >= 0:
        nth -= 1
        if nth < 0 and both:
            with open("/proc/%d/stat" % tid) as f:
                os.kill(int(f.read().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
        if nth < 0:
            os.kill(tid, signal.SIGKILL)
    if what == syscalls.ENTRY and number == syscalls.MOUNT:
        inside.add(tid)
    elif tid in inside:
        inside.discard(tid)
        if number == 0:
            mounted = tid
sys.exit(os.waitstatus_to_exitcode(syscalls.ended) if nth < 0 else 0)
