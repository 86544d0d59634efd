# SPDX-License-Identifier: GPL-2.0
"""Draws what run.sh measured, as SVG."""

import io
import os

import matplotlib
matplotlib.use("svg")
# pylint: disable=wrong-import-position
from matplotlib import pyplot  # noqa: E402

# The same results give the same bytes, and text stays text.
matplotlib.rcParams["svg.hashsalt"] = "famfs"
matplotlib.rcParams["svg.fonttype"] = "none"
METADATA = {"Date": None, "Creator": None}

SHOWN = {
    "ext4": ("ext4 with DAX", "#888888"),
    "xfs": ("xfs with DAX", "#bbbbbb"),
    "tmpfs": ("tmpfs", "#d9c27e"),
    "fuse": ("FUSE, passthrough_ll", "#e0904f"),
    "passthrough": ("FUSE passthrough_hp to tmpfs", "#b0413e"),
    "one": ("mapped file, one extent", "#0b5fa5"),
    "famfs": ("tools/famfs", "#2e8b57"),
    "aged": ("tools/famfs, aged", "#8fbc8f"),
}

# File: title, operations. All as ratios to ext4 in the same run.
BARS = {
    "io.svg": ("Read and write", ["read-4k", "read-64k", "read-1m", "write-4k",
                                  "write-64k", "write-1m"]),
    "faults.svg": ("Page faults", ["read-fault-4k", "write-fault-4k",
                                   "later-write-4k", "read-fault-2m",
                                   "later-write-2m"]),
    "files.svg": ("10,000 files of 32 KiB", ["create", "touch-first", "touch",
                                             "open-again", "stat", "remove"]),
}

# Bars are cut here, with their figure above.
RATIO_MOST = 4.0


def save(figure, path):
    """As a file of the repository: it says its licence."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=METADATA)
    pyplot.close(figure)
    head, rest = text.getvalue().split("\n", 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}\n<!-- SPDX-License-Identifier: GPL-2.0 -->\n{rest}")


def draw_group(axes, results, kinds, ops):
    """A group of bars for each operation, a bar for each kind."""
    width = 0.84 / len(kinds)
    for j, kind in enumerate(kinds):
        name, colour = SHOWN[kind]
        for i, op in enumerate(ops):
            value = results[kind].get(op)
            base = results["ext4"].get(op)
            if not value or not base:
                continue
            ratio = value / base
            x = i - 0.42 + (j + 0.5) * width
            axes.bar(x, min(ratio, RATIO_MOST), width * 0.92, color=colour,
                     label=name if i == 0 else None)
            axes.text(x, min(ratio, RATIO_MOST) + 0.03, f"{ratio:.2f}",
                      ha="center", va="bottom", fontsize=6, rotation=90)


def draw_bars(path, title, results, ops):
    """One figure; an operation that nobody has is left out."""
    kinds = [k for k in SHOWN if any(op in results.get(k, {}) for op in ops)]
    ops = [op for op in ops if results["ext4"].get(op)]
    if not kinds or not ops:
        return
    figure, axes = pyplot.subplots(figsize=(10, 4.2), layout="constrained")
    draw_group(axes, results, kinds, ops)
    axes.axhline(1, color="black", linewidth=0.7, linestyle="--")
    axes.set_xticks(range(len(ops)), [
        f"{op}\next4: {results['ext4'][op]:,.0f}" for op in ops], fontsize=8)
    axes.set_ylim(0, RATIO_MOST + 0.5)
    axes.set_ylabel("instructions per operation, ext4 with DAX = 1")
    axes.set_title(f"{title}: kernel, program and server together; less is "
                   f"better, bars end at {RATIO_MOST:.0f}", fontsize=10)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=SHOWN[k][1])
               for k in kinds]
    axes.legend(handles, [SHOWN[k][0] for k in kinds], fontsize=7,
                bbox_to_anchor=(1.01, 1), loc="upper left")
    save(figure, path)


def draw_curves(path, title, unit, values):
    """Curves of {name-number: value}, by number."""
    curves = {}
    for op, value in values.items():
        way, number = op.rsplit("-", 1)
        curves.setdefault(way, []).append((int(number), value))
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for way, points in curves.items():
        points.sort()
        axes.plot(*zip(*points), marker="o", label=way)
        for point in points:
            axes.annotate(f"{point[1]:,.0f}", point, fontsize=6,
                          textcoords="offset points", xytext=(0, 5))
    axes.set_xscale("log")
    axes.set_xlabel("extents of the map")
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.legend(fontsize=7, bbox_to_anchor=(1.01, 1), loc="upper left")
    axes.set_ylim(bottom=0, top=1.1 * max(values.values()))
    save(figure, path)


def draw(results, extents, outdir):
    """All plots for which there are results."""
    if "ext4" in results:
        for name, (title, ops) in BARS.items():
            draw_bars(os.path.join(outdir, name), title, results, ops)
    if extents:
        draw_curves(os.path.join(outdir, "installs.svg"),
                    "Installing a map, by the way it comes",
                    "instructions an extent", extents)
    if results.get("extents"):
        draw_curves(os.path.join(outdir, "extents.svg"),
                    "Read and write 4 KiB of a file of many extents",
                    "instructions per operation", results["extents"])
