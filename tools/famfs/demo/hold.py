#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Maps a file, and says of what the map has when it is asked.

Usage: hold.py FILE PREFIX

PREFIX.held tells that it is mapped. For each PREFIX.ask that comes, PREFIX.sum
gets the SHA-256 of the mapped bytes, and the question goes. PREFIX.drop ends it.
"""

import hashlib
import mmap
import os
import sys
import time


def write(path, text):
    with open(path + ".new", "w", encoding="ascii") as to:
        to.write(text)
    os.rename(path + ".new", path)


def main():
    path, prefix = sys.argv[1:]
    with open(path, "rb") as file:
        held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    write(prefix + ".held", "")
    while not os.path.exists(prefix + ".drop"):
        if os.path.exists(prefix + ".ask"):
            write(prefix + ".sum", hashlib.sha256(held).hexdigest() + "\n")
            os.remove(prefix + ".ask")
        time.sleep(0.1)
    held.close()


main()
