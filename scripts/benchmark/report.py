"""Figures as a table, as JSON and as a part of a page."""
import json
import re

from .model import Cell, show

BEGIN, END = "<!-- figures: scripts/bench --docs writes these -->", "<!-- end of figures -->"


def skipped(row, why):
    """What stands for a row that could not be measured."""
    cell = Cell(row, "skipped", None, note=why)
    cell.failed = why.startswith("failed")
    return cell


def columns(cell):
    """The columns of a cell: name, value, processor time, requests, bytes, FUSE requests, peers, targets, note."""
    usage = cell.usage
    peers = []
    for peer, value in cell.peers.items():
        ratios = times(cell.ratio(peer))
        if (of_cpu := cell.cpu_ratio(peer)) is not None:
            ratios += f", cpu {times(of_cpu)}"
        peers.append(f"{peer} -" if value is None else f"{peer} {show(value, cell.unit)} ({ratios})")
    targets = []
    for t in cell.targets:
        verdict = "skipped" if t["met"] is None else "met" if t["met"] else "MISSED"
        targets.append(f"{t['text']}: {verdict}")
    counts = [f"{usage[k]:,.0f}" if k in usage else "" for k in ("requests", "bytes", "fuse")]
    return [cell.row, cell.title(), show(cell.value, cell.unit), show(cell.cpu, "s"), *counts, ", ".join(peers), "; ".join(targets), cell.note]


def times(ratio):
    """A ratio for people."""
    return "-" if ratio is None else f"x{ratio:.3f}" if ratio < 0.1 else f"x{ratio:.2f}" if ratio < 100 else f"x{ratio:.0f}"


HEAD = ["row", "what", "workfs", "CPU", "requests", "bytes", "FUSE", "beside (ratio)", "target", "note"]
WIDTHS = [10, 44, 14, 9, 8, 13, 8, 60, 60, 0]


def heading(facts):
    """Prints where the figures come from, and the head of the table."""
    for key, value in facts.items():
        print(f"{key + ':':12} {value}")
    print()
    _print(HEAD)


def line(cell):
    """Prints a cell."""
    _print(columns(cell))


def _print(texts):
    right = (2, 3, 4, 5, 6)
    print("  ".join(t.rjust(w) if i in right else t.ljust(w) for i, (t, w) in enumerate(zip(texts, WIDTHS))).rstrip(), flush=True)


def summary(cells):
    """Prints how many targets are met, and those that are not."""
    targets = [(c, t) for c in cells for t in c.targets]
    met, missed = [t for _, t in targets if t["met"]], [(c, t) for c, t in targets if t["met"] is False]
    print(f"\n{len(met)} targets met, {len(missed)} missed, {len(targets) - len(met) - len(missed)} skipped")
    for cell, t in missed:
        print(f"  missed: {cell.row}, {cell.title()}: {t['text']}, is {t['got']:.3g}")


def table(facts, cells):
    """Prints everything."""
    heading(facts)
    for cell in cells:
        line(cell)
    summary(cells)


def store(path, facts, cells):
    """Writes the figures for --load and other programs."""
    with open(path, "w") as f:
        json.dump({"about": facts, "cells": [c.to_json() for c in cells]}, f, indent=1)
        f.write("\n")


def load(paths):
    """Reads what store wrote. Rows of a later file take the place of the same rows of an earlier one."""
    facts, rows, revisions = {}, {}, []
    for path in paths:
        with open(path) as f:
            d = json.load(f)
        facts = d["about"]
        if facts["revision"] not in revisions:
            revisions.append(facts["revision"])
        fresh = {}
        for c in map(Cell.from_json, d["cells"]):
            fresh.setdefault((c.row, c.n), []).append(c)
        rows.update(fresh)
    facts["revision"] = " and ".join(revisions)
    return facts, [c for cells in rows.values() for c in cells]


def _busy(facts):
    """A warning where other programs took the processors."""
    load, processors = facts["load"], int(facts["machine"].split()[0])
    if load < processors:
        return []
    return [f"**Other programs kept the machine busy (load {load:.0f} on {processors} processors): seconds, and targets in seconds, mean little here.**"]


def markdown(path, facts, cells):
    """Writes the table between two marks of a page."""
    lines = [BEGIN, "", f"{facts['time']}, revision {facts['revision']}, {facts['machine']}; the copy on {facts['filesystem']}; "
             f"rclone {facts['rclone'] or 'missing'}. Median of {facts['options']['passes']}.", *_busy(facts), "",
             "| " + " | ".join(HEAD[:-1]) + " |", "| --- | --- " + "| ---: " * 5 + "| --- | --- |"]
    notes = []
    for cell in cells:
        texts = columns(cell)
        note = texts.pop()
        if note and note not in notes:
            notes.append(note)
        if note:
            texts[1] += f" ({notes.index(note) + 1})"
        lines.append("| " + " | ".join(t.replace("|", "\\|") for t in texts) + " |")
    lines += [""] + [f"{i + 1}. {note}" for i, note in enumerate(notes)] + ["", END]
    with open(path) as f:
        page = f.read()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"{path} has no place for the figures")
    with open(path, "w") as f:
        f.write(pattern.sub(lambda _: "\n".join(lines), page))
