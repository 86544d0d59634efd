# SPDX-License-Identifier: GPL-2.0
"""Draws what run.sh measured, as SVG."""

import io
import os

import matplotlib
matplotlib.use("svg")
# pylint: disable=wrong-import-position
from matplotlib import pyplot  # noqa: E402

import scale  # noqa: E402

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


def short(number):
    """Returns it in Ki or Mi, if it is a power of two, or with commas."""
    for unit, name in (1 << 20, " Mi"), (1 << 10, " Ki"):
        if number >= unit and number & (number - 1) == 0:
            return f"{number // unit}{name}"
    return f"{number:,}"


def draw_points(axes, way, points, above):
    """One curve, with its figures on that side of it."""
    line, = axes.plot(*zip(*points), marker="o", markersize=4, label=way)
    for point in points:
        axes.annotate(f"{point[1]:,.0f}", point, fontsize=7, ha="center",
                      va="bottom" if above else "top",
                      color=line.get_color(), textcoords="offset points",
                      xytext=(0, 4 if above else -5))
    axes.grid(alpha=0.25)


def set_numbers(axes, curves, counted):
    """The x axis, which has the numbers that were measured."""
    numbers = sorted({n for points in curves.values() for n, _ in points})
    axes.set_xscale("log")
    axes.set_xticks(numbers, [short(n) for n in numbers], fontsize=8)
    axes.set_xticks([], minor=True)
    axes.set_xlabel(f"{counted} (logarithmic)")


def draw_curves(path, texts, values, logarithmic=False):
    """Curves of {name-number: value}, by number; texts of title and axes."""
    title, counted, unit = texts
    curves = scale.curves(values)
    figure, axes = pyplot.subplots(figsize=(9, 4.6), layout="constrained")
    for i, (way, points) in enumerate(curves.items()):
        # Figures of curves that meet stand above and below.
        draw_points(axes, way, points, i % 2 == 0)
    set_numbers(axes, curves, counted)
    most = max(values.values())
    if logarithmic:
        axes.set_yscale("log")
        unit += " (logarithmic)"
        axes.set_ylim(top=2 * most)
    else:
        axes.set_ylim(bottom=0, top=1.1 * most)
    axes.set_ylabel(unit)
    axes.set_title(f"{title}; less is better", fontsize=10)
    axes.legend(fontsize=8, bbox_to_anchor=(1.01, 1), loc="upper left")
    save(figure, path)


def draw_panels(path, texts, values):
    """The same, a panel for each curve, where they would lie on each other."""
    title, counted, unit = texts
    curves = scale.curves(values)
    figure, panels = pyplot.subplots(len(curves), figsize=(9, 1.3 * len(curves)),
                                     sharex=True, layout="constrained",
                                     squeeze=False)
    for axes, (way, points) in zip(panels[:, 0], curves.items()):
        draw_points(axes, way, points, True)
        axes.set_ylim(bottom=0, top=1.5 * max(value for _, value in points))
        axes.set_ylabel(way, fontsize=8, rotation=0, ha="right", va="center")
        axes.tick_params(axis="y", labelsize=7)
    set_numbers(panels[-1, 0], curves, counted)
    figure.suptitle(f"{title}: {unit}; less is better", fontsize=10)
    save(figure, path)


# What is counted: the title. Each operation has a panel.
PANELS = {
    "open": "tools/famfs: the file that was opened last of many",
    "devices": "A file that is one stripe over many devices",
}


def draw_scale(results, outdir):
    """What should be flat, and what a map takes to come and to go."""
    unit = "instructions per operation"
    for what, title in PANELS.items():
        if scale.curves(results.get(what, {})):
            draw_panels(os.path.join(outdir, f"{what}.svg"),
                        (title, scale.COUNTED[what], unit), results[what])
    if scale.curves(results.get("extents", {})):
        counted = scale.COUNTED["extents"]
        draw_curves(os.path.join(outdir, "extents.svg"),
                    ("A file of many extents, which differ in length",
                     counted, unit), scale.accesses(results["extents"]))
        draw_curves(os.path.join(outdir, "extents-install.svg"),
                    ("Installing and evicting the map of a file", counted,
                     "instructions an extent"),
                    scale.installs(results["extents"]), True)


def draw(results, extents, outdir):
    """All plots for which there are results."""
    if "ext4" in results:
        for name, (title, ops) in BARS.items():
            draw_bars(os.path.join(outdir, name), title, results, ops)
    if extents:
        draw_curves(os.path.join(outdir, "installs.svg"),
                    ("Installing a map, by the way it comes",
                     scale.COUNTED["extents"], "instructions an extent"),
                    extents, True)
    draw_scale(results, outdir)
