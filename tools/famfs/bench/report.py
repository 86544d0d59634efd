#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judges what run.sh measured.

Usage: report.py RESULTS OUTDIR

RESULTS has "result WHAT OPERATION INSTRUCTIONS" lines, and fio's.  Writes
results.json, table.md, fio.md and plots into OUTDIR, prints tables, and fails if
a bound is exceeded.
"""

import json
import os
import sys

import fio
import plots
import scale

# Operation: instructions of famfs with one extent, as a ratio to ext4.
BOUNDS = {
    "read-4k": 0.92,
    "write-4k": 0.89,
    "read-1m": 1.00,
    "write-1m": 1.00,
    "read-fault-4k": 0.80,
    "read-touch-4k": 0.95,
    "write-fault-4k": 0.67,
    "later-write-4k": 0.65,
    "read-fault-2m": 0.96,
    "later-write-2m": 0.72,
}

# Map: what it may cost, as a ratio to one extent in a file of about its size.
MAP_BOUNDS = {
    "stripe": ("one", 1.05),
    "uniform": ("one-big", 1.05),
    "mixed": ("one-big", 1.15),
}

# Bytes of kernel memory an extent, with every index; and vmalloc()'s lists of
# the pages and their tables, with what else comes and goes meanwhile.
MEMORY_BOUND = 64
MEMORY_OTHER = 512 << 10
EXTENTS = {"uniform": 1 << 20, "mixed": (1 << 20) + 32}

# 1 MiB of a map of pages is 256 pieces to copy, and no fault maps more than one.
# Neither is meant by the bound.
UNBOUND = {("uniform", "read-1m"), ("uniform", "write-1m"),
           ("uniform", "read-touch-4k"), ("mixed", "read-touch-4k")}

# A page of a large file that is touched whole, as a ratio to a raw device.
WHOLE_BOUND = 1.20
WHOLE = ["touch-2m", "populate-2m"]

# Huge pages on memory that was mapped by such before, as a ratio to a fault of a
# raw device: its folios are large for good.
AGAIN_BOUNDS = {"again-fault-2m": 2.70, "remove-2m": 0.95}

# Installing a map: what it may cost an extent, as a ratio to another way or to
# fewer extents. Claims are kept in order, so a million take longer to enter.
INSTALL_BOUNDS = [
    ("reply-1000000", "reply-1000", 1.60),
    ("push-1000000", "push-1000", 1.60),
    ("push-1000000", "reply-1000000", 1.00),
    ("parts-1000000", "push-1000000", 1.02),
    ("reply-joined-1000000", "reply-1000000", 0.50),
    ("push-joined-1000000", "push-1000000", 0.50),
]

KINDS = ["ext4", "xfs", "tmpfs", "fuse", "passthrough", "one", "stripe",
         "one-big", "uniform", "mixed", "famfs", "aged"]

# Rows of the tables besides those with bounds.
OPS = ["read-4k", "read-64k", "read-1m", "write-4k", "write-64k", "write-1m",
       "read-fault-4k", "read-touch-4k", "write-fault-4k", "later-write-4k",
       "read-fault-2m", "later-write-2m", "again-fault-2m", "remove-2m",
       "read-fault-1g", "again-fault-1g", *WHOLE, "open", "cold-open",
       "create", "touch-first", "touch", "open-again", "stat", "remove",
       "map-kib"]

# Columns of the table for readers.
READERS = ["ext4", "xfs", "tmpfs", "fuse", "passthrough", "one", "famfs",
           "aged"]


def read_results(path):
    """Returns {what: {operation: instructions}}."""
    results = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 4 and words[0] == "result":
                results.setdefault(words[1], {})[words[2]] = float(words[3])
    return results


def per_extent(results):
    """Returns {way of installing: instructions an extent}."""
    return {op: value / int(op.rsplit("-", 1)[1])
            for op, value in results.get("install", {}).items()
            if op != "failed"}


def judge_ratios(results):
    """Returns what operations and installing may cost, and what they do."""
    rules = [(op, "one", "ext4", bound) for op, bound in BOUNDS.items()]
    rules += [(op, "one-big", "devdax", WHOLE_BOUND) for op in WHOLE]
    for what, (base, bound) in MAP_BOUNDS.items():
        rules += [(op, what, base, bound) for op in BOUNDS
                  if (what, op) not in UNBOUND]
    pairs = [(op, what, base, bound, results.get(what, {}).get(op),
              results.get(base, {}).get(op))
             for op, what, base, bound in rules]
    raw = results.get("devdax", {}).get("read-fault-2m")
    pairs += [(op, "one", "devdax", bound, results.get("one", {}).get(op), raw)
              for op, bound in AGAIN_BOUNDS.items()]
    extents = per_extent(results)
    pairs += [(op, "install", base, bound, extents.get(op), extents.get(base))
              for op, base, bound in INSTALL_BOUNDS]
    return [{
        "operation": op, "what": what, "base": base, "bound": bound,
        "ratio": round(value / against, 4), "ok": value / against <= bound,
    } for op, what, base, bound, value, against in pairs if value and against]


def judge(results):
    """Returns a list of what each bound allows and what was measured."""
    judged = judge_ratios(results) + scale.judge(results)
    for what, extents in EXTENTS.items():
        kib = results.get(what, {}).get("map-kib")
        if kib:
            judged.append({
                "operation": "bytes", "what": what, "base": "an extent",
                "bound": MEMORY_BOUND, "ratio": round(kib * 1024 / extents, 1),
                "ok": kib * 1024 <= MEMORY_BOUND * extents + MEMORY_OTHER,
            })
    return judged


def print_counts(results):
    """One row an operation, one column a file system or map."""
    kinds = [w for w in KINDS if w in results]
    ops = [op for op in OPS if any(op in results[w] for w in kinds)]
    print("\ninstructions per operation\n")
    print(f"{'':16}" + "".join(f"{w:>12}" for w in kinds))
    for op in ops:
        row = [results[w].get(op) for w in kinds]
        print(f"{op:16}" + "".join(
            f"{v:12,.0f}" if v else f"{'-':>12}" for v in row))
    for what, values in results.items():
        if what not in [*KINDS, "install", *scale.COUNTED]:
            for op, value in values.items():
                print(f"{op:16}{value:12,.0f}  ({what})")


def table(results):
    """Returns the table for readers."""
    kinds = [w for w in READERS if w in results]
    lines = ["| operation | " + " | ".join(kinds) + " |",
             "|---|" + "---:|" * len(kinds)]
    for op in OPS[:-1]:
        row = [results[w].get(op) for w in kinds]
        if any(row):
            lines.append(f"| {op} | " + " | ".join(
                f"{v:,.0f}" if v else "" for v in row) + " |")
    return "\n".join(lines) + "\n"


def print_installs(results):
    """One row a way of installing a map."""
    extents = per_extent(results)
    if not extents:
        return
    print(f"\n{'installing a map':28}{'instructions':>15}{'an extent':>12}\n")
    for op, value in extents.items():
        print(f"{op:28}{results['install'][op]:15,.0f}{value:12,.1f}")
    dropped = extents.get("drop-262144")
    if dropped:
        print(f"{'':28}{1e9 / (dropped * 262144):15,.1f} GiB/s at a billion "
              "instructions a second")


def print_bounds(judged):
    """One row a bound."""
    print(f"\n{'ratio of':28}{'to':>14}{'measured':>10}{'bound':>8}")
    for j in judged:
        print(f"{j['what'] + ' ' + j['operation']:28}{j['base']:>14}"
              f"{j['ratio']:10.3f}{j['bound']:8.2f}  "
              f"{'PASS' if j['ok'] else 'over'}")


def write_files(results, judged, ratios, outdir):
    """For programs and for readers."""
    with open(os.path.join(outdir, "results.json"), "w",
              encoding="ascii") as file:
        json.dump({"instructions": results, "bounds": judged,
                   "fio": {job: round(r[0], 3) for job, r in ratios.items()}},
                  file, indent=1)
        file.write("\n")
    with open(os.path.join(outdir, "table.md"), "w",
              encoding="ascii") as file:
        file.write(table(results))
    with open(os.path.join(outdir, "fio.md"), "w", encoding="ascii") as file:
        file.write(fio.table(ratios))
    plots.draw(results, per_extent(results), outdir)


def main():
    """Reads, judges and writes."""
    results = read_results(sys.argv[1])
    ratios = fio.ratios(fio.read_rounds(sys.argv[1]))
    if not results and not ratios:
        sys.exit("report.py: no results")
    judged = judge(results)
    write_files(results, judged, ratios, sys.argv[2])
    if any(w in KINDS for w in results):
        print_counts(results)
    print_installs(results)
    scale.show(results)
    if ratios:
        print("\nfio, bytes of famfs a second to those of ext4\n\n" +
              fio.table(ratios))
    print_bounds(judged)
    over = [j for j in judged if not j["ok"]]
    failed = [w for w, ops in results.items()
              if any(op.startswith("failed") for op in ops)]
    print(f"\n{len(judged) - len(over)} bounds kept, {len(over)} exceeded")
    if failed:
        print("not all could be measured: " + " ".join(failed))
    return 1 if over or failed else 0


if __name__ == "__main__":
    sys.exit(main())
