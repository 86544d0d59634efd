# SPDX-License-Identifier: GPL-2.0
#
# Kills a server where it hurts most: one of its threads has written to the log,
# and is about to reply.
#
# Usage: strike.py PID

import ctypes
import os
import signal
import struct
import sys

# <linux/ptrace.h>
SYSCALL, SEIZE, INTERRUPT, GET_SYSCALL_INFO = 24, 0x4206, 0x4207, 0x420e
TRACESYSGOOD, ENTRY = 1, 1
WALL = 0x40000000
PWRITE, WRITEV = (68, 66) if os.uname().machine == "aarch64" else (18, 20)

pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def entered(tid):
    """The system call that a thread is about to make, and its second argument."""
    info = ctypes.create_string_buffer(88)
    libc.ptrace(GET_SYSCALL_INFO, tid, len(info), ctypes.addressof(info))
    operation, number, second = struct.unpack_from("=B23xQ8xQ", info)
    return (number, second) if operation == ENTRY else (None, 0)


def number_at(where):
    memory.seek(where)
    return struct.unpack("=Q", memory.read(8))[0]


def is_reply(vector):
    """Does it answer a request? Notifications have no number."""
    return number_at(number_at(vector) + 8) != 0


for tid in map(int, os.listdir("/proc/%d/task" % pid)):
    if libc.ptrace(SEIZE, tid, 0, TRACESYSGOOD) == 0:
        libc.ptrace(INTERRUPT, tid, 0, 0)
memory = open("/proc/%d/mem" % pid, "rb", 0)
wrote = set()
struck = False
while True:
    try:
        tid, status = os.waitpid(-1, WALL)
    except ChildProcessError:
        break
    if not os.WIFSTOPPED(status):
        continue
    stopped, deliver = os.WSTOPSIG(status), 0
    if stopped == signal.SIGTRAP | 0x80:
        number, second = entered(tid)
        if number == PWRITE:
            wrote.add(tid)
        elif number == WRITEV and tid in wrote and not struck \
                and is_reply(second):
            struck = True
            os.kill(pid, signal.SIGKILL)
    elif not status >> 16:
        deliver = stopped
    libc.ptrace(SYSCALL, tid, 0, deliver)
sys.exit(not struck)
