# SPDX-License-Identifier: GPL-2.0
#
# Sends a signal to a server before a write to the device with which it leaves: its
# first thread writes none before that.
#
# Usage: strike_leave.py PID NTH KILL|TERM STARTED    (makes the file STARTED)

import os
import signal
import sys

import syscalls

pid, nth = int(sys.argv[1]), int(sys.argv[2])
syscalls.seize(pid)
open(sys.argv[4], "w").close()
struck = False
for tid, what, number, second in syscalls.calls():
    if tid == pid and what == syscalls.ENTRY and number == syscalls.PWRITE:
        nth -= 1
        if nth == 0:
            struck = True
            os.kill(pid, signal.Signals["SIG" + sys.argv[3]])
sys.exit(not struck)
