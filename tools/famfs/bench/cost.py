#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judges what the option costs a FUSE server that does not ask for it.

Usage: cost.py OUTDIR TIMES KERNEL=BUILD...

For each kernel OUTDIR has KERNEL.counts, from the plugin counter.c, and
KERNEL.runs, from cached.sh; BUILD/System.map names its functions.  The first
kernel is the one without the series.  Prints instructions of the kernel for an
operation, writes cost.json and functions.txt, and fails where another kernel
takes more than 1 % or the spread of the first one's own runs, if that is larger.
"""

import bisect
import collections
import json
import os
import statistics
import sys

KERNEL = 0xffff800000000000
# Fewer instructions for an operation come from interrupts.
NOISE = 0.5


def symbols(build):
    """Addresses of functions, in order, and their names."""
    found = {}
    with open(os.path.join(build, "System.map")) as f:
        for line in f:
            addr, kind, name = line.split()
            if kind in "tTwW" and int(addr, 16) >= KERNEL:
                found.setdefault(int(addr, 16), name)
    addrs = sorted(found)
    return addrs, [found[a] for a in addrs]


def spans(path, build):
    """For each pair of marks: instructions of functions, and their calls."""
    addrs, names = symbols(build)
    span = None
    with open(path) as f:
        for line in f:
            word = line.split()
            if word[0] == "span":
                span = {"insns": collections.Counter(),
                        "calls": collections.Counter()}
            elif word[0] == "user":
                span["user"] = int(word[1])
                yield span
            else:
                addr, length, times = int(word[0], 16), *map(int, word[1:])
                i = bisect.bisect_right(addrs, addr) - 1
                name = names[i] if i >= 0 else "?"
                span["insns"][name] += length * times
                if i >= 0 and addrs[i] == addr:
                    span["calls"][name] += times


def read_runs(out, kernel, build):
    """{(case, operation): [span, ...]}"""
    runs = collections.defaultdict(list)
    found = spans(os.path.join(out, kernel + ".counts"), build)
    case = None
    with open(os.path.join(out, kernel + ".runs")) as f:
        for line in f:
            kind, name = line.split()
            if kind == "run":
                case = name
            else:
                runs[case, name].append(next(found))
    if next(found, None):
        sys.exit(f"{kernel}: more marks than operations")
    return runs


def medians(some, what, times):
    """{function: instructions or calls for an operation}"""
    names = set().union(*(span[what] for span in some))
    return {name: statistics.median(span[what][name] for span in some) / times
            for name in names}


def differ(base, other, times):
    """Functions whose instructions or calls differ: (name, [numbers])."""
    rows = []
    insns = [medians(some, "insns", times) for some in (base, other)]
    calls = [medians(some, "calls", times) for some in (base, other)]
    for name in sorted(set(insns[0]) | set(insns[1])):
        row = [x.get(name, 0) for x in insns + calls]
        if abs(row[1] - row[0]) >= NOISE or abs(row[3] - row[2]) >= NOISE:
            rows.append((name, row))
    return sorted(rows, key=lambda r: r[1][0] - r[1][1])


def main():
    out, times = sys.argv[1], int(sys.argv[2])
    columns = {}
    for arg in sys.argv[3:]:
        kernel, build = arg.split("=", 1)
        for (case, op), some in read_runs(out, kernel, build).items():
            columns.setdefault(f"{kernel}, {case}", {})[op] = some
    base_name, base = next(iter(columns.items()))

    bad = 0
    table = []
    with open(os.path.join(out, "functions.txt"), "w") as functions:
        for name, column in columns.items():
            for op, some in column.items():
                totals = [sum(s["insns"].values()) / times for s in some]
                if name == base_name:
                    limit = None
                    verdict = ""
                else:
                    first = [r for r in table if r[1] == op][0]
                    limit = max(first[2] * 0.01, first[3])
                    over = statistics.median(totals) - first[2]
                    verdict = "ok" if over <= limit else "MORE"
                    verdict += f" {over:+.1f} of {limit:.1f}"
                    bad += over > limit
                    functions.write(f"== {op}: {name}, against {base_name}\n")
                    for fn, row in differ(base[op], some, times):
                        functions.write("  %-40s insns %9.1f -> %9.1f  calls %6.2f -> %6.2f\n"
                                        % (fn, *row))
                table.append([name, op, statistics.median(totals),
                              max(totals) - min(totals), verdict, totals])

    print(f"instructions of the kernel for an operation: median and spread of "
          f"{len(table[0][5])} runs of {times}")
    for row in sorted(table, key=lambda r: list(base).index(r[1])):
        print("%-12s %-26s %10.1f %8.1f  %s" % (row[1], row[0], *row[2:5]))
    with open(os.path.join(out, "cost.json"), "w") as f:
        json.dump([dict(zip(("kernel", "operation", "median", "spread",
                             "verdict", "runs"), r)) for r in table], f, indent=1)
    print("functions that differ: functions.txt")
    sys.exit(1 if bad else 0)


main()
