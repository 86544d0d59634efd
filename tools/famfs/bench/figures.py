# SPDX-License-Identifier: GPL-2.0
"""Tables of what figures.sh has measured.

Usage: figures.py RESULTS
"""
import collections
import statistics
import sys

# At most so many times what ext4 takes.
BOUNDS = {"create": 3, "remove": 3, "stat-again": 1.2, "readdir-again": 1.2,
          "cp": 1.5, "untar": 1.5}

times = collections.defaultdict(list)
requests = collections.defaultdict(collections.Counter)
files, maps, huge = {}, {}, {}
with open(sys.argv[1]) as results:
    for line in results:
        word, *rest = line.rstrip("\n").split(" ", 2)
        if word == "time":
            operation, value = rest[1].split()
            times[operation, rest[0]].append(int(value) / 1000)
        elif word == "request":
            opcode, count = rest[1].split()
            requests[rest[0]][opcode] = int(count)
        elif word == "files":
            files[rest[0]] = int(rest[1])
        elif word == "map":
            maps[rest[0]] = rest[1]
        elif word == "huge":
            huge[rest[0]] = int(rest[1]) // 2048

if times:
    print("%-14s %7s %10s %10s %7s %7s  %s" %
          ("", "files", "famfs", "ext4", "ratio", "bound", "requests a file"))
for operation in files:
    if (operation, "famfs") not in times:
        continue
    ours = statistics.median(times[operation, "famfs"])
    theirs = statistics.median(times[operation, "ext4"])
    bound = BOUNDS.get(operation)
    sent = ", ".join("%s %.2f" % (opcode, count / files[operation])
                     for opcode, count in requests[operation].most_common(5)
                     if count * 200 >= files[operation])
    print("%-14s %7d %10.1f %10.1f %7.2f %7s  %s" %
          (operation, files[operation], ours, theirs, ours / theirs,
           "" if not bound else "%s%s" % (bound, "" if ours / theirs <= bound
                                          else " !"), sent or "none"))
if times:
    print("(thousands of instructions a file, median of %d rounds)\n" %
          len(next(iter(times.values()))))
for how, text in maps.items():
    print("%-10s %s; %d mapped" % (how, text, huge[how]))
