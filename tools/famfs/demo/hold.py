#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Has a file open and mapped, and says what is there when it is asked.

Usage: hold.py FILE PREFIX [BYTES]

With BYTES so many are mapped, and what counts is the file's size at each question;
else it is that at the beginning. PREFIX.held tells that it is mapped. For each
PREFIX.ask that comes, PREFIX.sum gets the SHA-256 of the mapped bytes, and the
question goes; where BYTES is given, read() must find the same. PREFIX.drop ends it.
"""

import ctypes
import hashlib
import mmap
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int,
                      ctypes.c_int, ctypes.c_int, ctypes.c_long]


def write(path, text):
    with open(path + ".new", "w", encoding="ascii") as to:
        to.write(text)
    os.rename(path + ".new", path)


def main():
    path, prefix = sys.argv[1:3]
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    ahead = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    held = libc.mmap(None, ahead or size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    if held == ctypes.c_void_p(-1).value:
        sys.exit("%s: %s" % (path, os.strerror(ctypes.get_errno())))
    write(prefix + ".held", "")
    while not os.path.exists(prefix + ".drop"):
        if os.path.exists(prefix + ".ask"):
            if ahead:
                size = os.fstat(fd).st_size
            data = ctypes.string_at(held, size)
            same = not ahead or os.pread(fd, ahead, 0) == data
            write(prefix + ".sum", hashlib.sha256(data).hexdigest() + "\n"
                  if same else "read() finds other bytes\n")
            os.remove(prefix + ".ask")
        time.sleep(0.1)


main()
