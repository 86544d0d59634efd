# SPDX-License-Identifier: GPL-2.0
"""fio on famfs beside ext4 with DAX, as fio.sh ran it."""

import statistics

PATTERNS = {
    "randread": "random reads, 4 KiB",
    "randwrite": "random writes, 4 KiB",
    "read": "reads in order, 1 MiB",
    "write": "writes in order, 1 MiB",
}


def read_rounds(path):
    """Returns {job: {file system: [bandwidth]}}."""
    jobs = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if len(words) == 4 and words[0] == "fio":
                jobs.setdefault(words[2], {}).setdefault(words[1], []).append(
                    float(words[3]))
    return jobs


def ratios(jobs):
    """Returns {job: (ratio of medians, least and most of the rounds)}."""
    found = {}
    for job, values in jobs.items():
        rounds = [a / b for a, b in zip(values["famfs"], values["ext4"])]
        found[job] = (statistics.median(values["famfs"]) /
                      statistics.median(values["ext4"]),
                      min(rounds), max(rounds))
    return found


def table(found):
    """Returns the table for readers: a row an engine and number of jobs."""
    lines = ["| engine, jobs | " + " | ".join(PATTERNS.values()) + " |",
             "|---|" + "---:|" * len(PATTERNS)]
    for kind in dict.fromkeys(job.rsplit("-", 1)[0] for job in found):
        cells = [found.get(f"{kind}-{pattern}") for pattern in PATTERNS]
        lines.append(f"| {kind.replace('-', ', ')} | " + " | ".join(
            f"{c[0]:.2f} ({c[1]:.2f}-{c[2]:.2f})" if c else ""
            for c in cells) + " |")
    return "\n".join(lines) + "\n"
