# SPDX-License-Identifier: GPL-2.0
"""What should cost the same however much there is, as scale.sh measured it."""

MILLION = 1 << 20

# What: operation, the larger number, the smaller one, bound of the ratio. Maps of
# many extents are searched, as the mixed map of a million is.
BOUNDS = {
    "extents": [
        ("read-4k", 4 * MILLION, 1, 1.15),
        ("read-fault-4k", 4 * MILLION, 1, 1.15),
        ("read-4k", 16 * MILLION, 1, 1.15),
        ("read-fault-4k", 16 * MILLION, 1, 1.15),
    ],
    "open": [
        ("read-4k", 100000, 1, 1.10),
        ("read-fault-4k", 100000, 1, 1.10),
        ("open", 100000, 1, 1.10),
        ("close", 100000, 1, 1.10),
        ("fsync", 100000, 1, 1.10),
    ],
    "devices": [
        ("read-4k", 64, 1, 1.10),
        ("read-fault-4k", 64, 1, 1.10),
    ],
}

# Headings of the tables, and of the plots' x axes.
COUNTED = {
    "extents": "extents of the map",
    "open": "open files",
    "devices": "devices of the stripe",
}


def curves(values):
    """Returns {operation: [(number, value)]} of {operation-number: value}."""
    found = {}
    for op, value in values.items():
        name, number = op.rsplit("-", 1)
        if name != "failed":
            found.setdefault(name, []).append((int(number), value))
    return {name: sorted(points) for name, points in found.items()}


def installs(values):
    """Returns {operation-number: instructions an extent} of large maps."""
    return {op: value / int(op.rsplit("-", 1)[1])
            for op, value in values.items()
            if op.startswith(("install-", "evict-"))}


def accesses(values):
    """Returns what is left when installing and evicting are gone."""
    return {op: value for op, value in values.items()
            if not op.startswith(("install-", "evict-"))}


def judge(results):
    """Returns a list of what each bound allows and what was measured."""
    judged = []
    for what, rules in BOUNDS.items():
        values = results.get(what, {})
        for op, number, base, bound in rules:
            value = values.get(f"{op}-{number}")
            against = values.get(f"{op}-{base}")
            if value and against:
                judged.append({
                    "operation": f"{op}-{number}", "what": what,
                    "base": str(base), "bound": bound,
                    "ratio": round(value / against, 4),
                    "ok": value / against <= bound,
                })
    return judged


def show(results):
    """Prints a row a number, a column an operation."""
    for what, counted in COUNTED.items():
        found = curves(results.get(what, {}))
        if not found:
            continue
        print(f"\n{counted:22}" + "".join(f"{op:>16}" for op in found))
        for number in sorted({n for points in found.values()
                              for n, _ in points}):
            row = [dict(points).get(number) for points in found.values()]
            print(f"{number:<22,}" + "".join(
                f"{v:16,.0f}" if v else f"{'-':>16}" for v in row))
