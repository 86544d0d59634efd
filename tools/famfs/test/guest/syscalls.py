# SPDX-License-Identifier: GPL-2.0
#
# System calls of processes, as they make them. For programs that kill a server at
# one of them.

import ctypes
import os
import signal
import struct

# <linux/ptrace.h>
SYSCALL, SEIZE, INTERRUPT, GET_SYSCALL_INFO = 24, 0x4206, 0x4207, 0x420e
TRACESYSGOOD, CHILDREN = 1, 2 | 4 | 8
ENTRY, EXIT = 1, 2
WALL = 0x40000000
ARM = os.uname().machine == "aarch64"
PWRITE, WRITEV, MOUNT = (68, 66, 40) if ARM else (18, 20, 165)

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long

# How the process that calls() goes by has ended.
ended = None


def seize(pid, options=0):
    """All threads of a process."""
    for tid in map(int, os.listdir("/proc/%d/task" % pid)):
        if libc.ptrace(SEIZE, tid, 0, TRACESYSGOOD | options) == 0:
            libc.ptrace(INTERRUPT, tid, 0, 0)


def call(tid):
    """ENTRY, the number and the second argument; or EXIT, the result and 0."""
    info = ctypes.create_string_buffer(88)
    libc.ptrace(GET_SYSCALL_INFO, tid, len(info), ctypes.addressof(info))
    return struct.unpack_from("=B23xq8xQ", info)


def calls(last=None):
    """Of each thread in turn, until none is left, or last has ended."""
    global ended
    while True:
        try:
            tid, status = os.waitpid(-1, WALL)
        except ChildProcessError:
            return
        if not os.WIFSTOPPED(status):
            if tid == last:
                ended = status
                return
            continue
        stopped, deliver = os.WSTOPSIG(status), 0
        if stopped == signal.SIGTRAP | 0x80:
            yield (tid,) + call(tid)
        elif not status >> 16:
            deliver = stopped
        libc.ptrace(SYSCALL, tid, 0, deliver)
