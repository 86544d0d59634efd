# SPDX-License-Identifier: GPL-2.0
#
# Kills a server where it hurts most: one of its threads has written to the log,
# and is about to reply.
#
# Usage: strike.py PID

import os
import signal
import struct
import sys

import syscalls

pid = int(sys.argv[1])


def number_at(where):
    memory.seek(where)
    return struct.unpack("=Q", memory.read(8))[0]


def is_reply(vector):
    """Does it answer a request? Notifications have no number."""
    return number_at(number_at(vector) + 8) != 0


syscalls.seize(pid)
memory = open("/proc/%d/mem" % pid, "rb", 0)
wrote = set()
struck = False
for tid, what, number, second in syscalls.calls():
    if what != syscalls.ENTRY:
        continue
    if number == syscalls.PWRITE:
        wrote.add(tid)
    elif number == syscalls.WRITEV and tid in wrote and not struck \
            and is_reply(second):
        struck = True
        os.kill(pid, signal.SIGKILL)
sys.exit(not struck)
