# SPDX-License-Identifier: GPL-2.0
#
# Kills a server before a write to the device with which it leaves: its first
# thread writes none before that.
#
# Usage: strike_leave.py PID NTH STARTED    (makes the file STARTED)

import os
import signal
import sys

import syscalls

pid, nth = int(sys.argv[1]), int(sys.argv[2])
syscalls.seize(pid)
open(sys.argv[3], "w").close()
struck = False
for tid, what, number, second in syscalls.calls():
    if tid == pid and what == syscalls.ENTRY and number == syscalls.PWRITE:
        nth -= 1
        if nth == 0:
            struck = True
            os.kill(pid, signal.SIGKILL)
sys.exit(not struck)
