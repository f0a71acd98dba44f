"""The command line of scripts/bench."""
import argparse
import os
import platform
import signal
import subprocess
import sys
import time

from . import files, live, machine, mailrows, memoryrow, plot, rclone, report, walks
from .staging import Lab

# Rows that look at a staged mailbox at several sizes, and are therefore run together, size by size.
BY_SIZE = {
    "sync": (mailrows.sync, "reading a mailbox without latency: per CPU second, per second, bytes on disk"),
    "mount": (mailrows.mount, "mounting with a full store; the first ls of a cached directory"),
    "growth": (mailrows.growth, "find and grep -r, fresh and warm, by the number of messages"),
    "memory": (memoryrow.memory, "RSS and heap after find, after FORGET, with everything open"),
}
ROWS = {
    "warm": (walks.warm, "find, ls -lR, du, grep -r, rg, tar with warm caches"),
    "fresh": (walks.fresh, "the same on a fresh mount, the store full"),
    "default": (walks.rclone_default, "rclone with its own default of attribute caching"),
    "readers": (live.readers, "one reader and 64 at a time"),
    "cold": (mailrows.cold_grep, "the first grep -r of a folder beside the ideal schedule"),
    "waiting": (mailrows.waiting, "the share of time that goes into waiting for the services, beside the ideal schedule"),
    "large": (files.large, "a large Box file: first and second read, random reads"),
    "first": (files.first_byte, "the first byte of a Box file with latency"),
    "readdir": (files.readdir, "a Box folder with many files"),
    "busy": (live.busy, "ls -l beside 8 bulk grep -r"),
    "visible": (live.visible, "changes: from notification to readdir"),
    "seen": (live.seen, "changes: from commit to another process; many at once"),
    "flood": (live.flood, "a reader during a flood of forged deliveries"),
}
FULL = {"scale": 100000, "folder": 10000, "large": 1024, "passes": 3, "changes": 200}
QUICK = {"scale": 2000, "folder": 2000, "large": 64, "passes": 1, "changes": 5}


def parse(argv):
    p = argparse.ArgumentParser(prog="scripts/bench", formatter_class=argparse.RawDescriptionHelpFormatter, description="""\
Measure workfs beside what people would use instead, in one run: seconds, requests and bytes that the simulated services
counted, requests of the kernel (FUSE), ratios, and the target of each with whether it is met. Ratios are safer than
seconds. docs/performance.md says what each row means. A row whose peer is missing says so. The exit code is 1 when a row
failed; a missed target is none.""")
    p.add_argument("--rows", default="", help="comma-separated, of those that --list names; all of them by default")
    p.add_argument("--list", action="store_true", help="list the rows")
    p.add_argument("--quick", action="store_true", help="small sizes, one pass: to see that everything works")
    p.add_argument("--scale", type=int, help="messages of the walks, the largest size of growth (%d)" % FULL["scale"])
    p.add_argument("--million", action="store_true", help="look at growth with 1,000,000 messages, too: half an hour more")
    p.add_argument("--folder", type=int, help="messages of the first grep (%d)" % FULL["folder"])
    p.add_argument("--large", type=int, help="MiB of the large file (%d)" % FULL["large"])
    p.add_argument("--latency", type=int, default=50, help="milliseconds of each request, where a row has latency (50)")
    p.add_argument("--passes", type=int, help="measurements of each value, of which the median counts (%d)" % FULL["passes"])
    p.add_argument("--changes", type=int, help="changes of each kind (%d)" % FULL["changes"])
    p.add_argument("--formats", default="md", help="--formats of the mounts (md)")
    p.add_argument("--no-rclone", action="store_true", help="leave rclone out: it takes most of the time")
    p.add_argument("--json", metavar="FILE", help="write the figures to a file, too")
    p.add_argument("--load", metavar="FILE", nargs="+", help="measure nothing: take the figures of files that --json wrote; later ones replace rows")
    p.add_argument("--docs", metavar="DIR", help="write the table into DIR/performance.md and draw DIR/time.svg and DIR/memory.svg")
    p.add_argument("--dir", help="where the temporary directory is made; the copy that is compared with lies there")
    p.add_argument("--keep", action="store_true", help="keep the temporary directory")
    o = p.parse_args(argv)
    for name, value in (QUICK if o.quick else FULL).items():
        if getattr(o, name) is None:
            setattr(o, name, value)
    known = [*BY_SIZE, *ROWS]
    o.rows = [r for r in o.rows.split(",") if r] or known
    if unknown := [r for r in o.rows if r not in known]:
        p.error("no such row: " + ", ".join(unknown))
    return o


def about(lab):
    """What a reader of the figures has to know of where they come from."""
    kind, device = machine.filesystem(lab.dir)
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True).stdout.strip()
    with open("/proc/meminfo") as f:
        ram = int(f.readline().split()[1]) * 1024
    o = lab.options
    return {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "revision": revision,
        "machine": f"{os.cpu_count()} processors, {ram / 2**30:.0f} GiB, Linux {platform.release()}", "filesystem": f"{kind} on {device}",
        "rclone": "" if o.no_rclone else rclone.version(), "load": os.getloadavg()[0],
        "options": {k: getattr(o, k) for k in ("scale", "folder", "large", "latency", "passes", "changes", "formats", "million")},
    }


def measure(lab, add, done):
    """Runs the rows, hands each cell on as it comes, and says when a row is done."""
    def run(name, function):
        start, count = time.monotonic(), 0
        try:
            for cell in function(lab):
                count += 1
                add(cell)
        except machine.Skip as e:
            add(report.skipped(name, str(e)))
        except (subprocess.SubprocessError, OSError, RuntimeError, KeyError, ValueError) as e:
            add(report.skipped(name, f"failed: {e}"))
        done()
        print(f"  {name}: {count} figures in {time.monotonic() - start:.0f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)

    chosen = lab.options.rows
    if by_size := [name for name in BY_SIZE if name in chosen]:
        for n in mailrows.sizes(lab):
            for name in by_size:
                run(name, lambda lab, row=BY_SIZE[name][0]: row(lab, lab.mail(n)))
    for name, (function, _) in ROWS.items():
        if name in chosen:
            run(name, function)


def main(argv=None):
    o = parse(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    if o.list:
        for name, (_, what) in {**BY_SIZE, **ROWS}.items():
            print(f"{name:8} {what}")
        return 0
    if o.load:
        facts, cells = report.load(o.load)
        report.table(facts, cells)
        if o.json:
            report.store(o.json, facts, cells)
    else:
        lab = Lab(o)
        try:
            facts, cells = about(lab), []
            report.heading(facts)

            def add(cell):
                cells.append(cell)
                report.line(cell)

            def done():
                if o.json:
                    report.store(o.json, facts, cells)

            measure(lab, add, done)
            report.summary(cells)
        finally:
            lab.close()
    if o.docs:
        report.markdown(os.path.join(o.docs, "performance.md"), facts, cells)
        plot.draw(o.docs, cells)
    return 0 if all(c.failed is False for c in cells) else 1
