"""What happens at the same time: changes and who sees them, readers beside bulk walks, many readers."""
import os
import subprocess

from . import machine
from .mailrows import middle
from .model import AT_MOST, Cell
from .staging import INBOX, Mount, Simulator


def _go(pattern, times, package="./cmd/workfs"):
    """Runs Go benchmarks and gives (name, {unit: value}) of each."""
    out = subprocess.run(["go", "test", package, "-run", "^$", "-bench", pattern, "-benchtime", f"{times}x", "-timeout", "60m"],
                         stdout=subprocess.PIPE, text=True)
    if out.returncode:
        raise machine.Skip(f"{package} -bench {pattern} failed: {out.stdout.strip()[-500:]}")
    found = False
    for line in out.stdout.splitlines():
        if line.startswith("Benchmark"):
            found = True
            name, _, *values = line.split()
            yield name.split("/")[-1].rsplit("-", 1)[0], {unit: float(v) for v, unit in zip(values[::2], values[1::2])}
    if not found:
        raise machine.Skip(f"there is no {pattern} in {package}")


def visible(lab):
    """From the arrival of a notification (an upload: from before it is sent) until readdir shows the change."""
    for name, m in _go("BenchmarkVisible", lab.options.changes):
        yield Cell("visible", name, m["median-ms"] / 1e3, usage={"requests": m["requests/change"]}, note=f"p99 {m['p99-ms']:.1f} ms")


def flood(lab):
    """A reader during a flood of forged deliveries, beside the same flood at a server that does nothing."""
    for name, m in _go("BenchmarkFlood", 9):
        note = f"{m['%slower']:.1f} % slower, {m['deliveries/s']:.0f} deliveries/s for {m['%processor']:.1f} % of a processor"
        yield Cell("flood", name, m["flooded-ms"] / 1e3, note=note).beside("flood elsewhere", m["other-ms"] / 1e3).beside("calm", m["calm-ms"] / 1e3)


def seen(lab):
    """From the commit of a change in the cache until another process sees it, and until 10,000 changed names are seen."""
    for name, m in _go("BenchmarkChangeSeen", lab.options.changes):
        yield Cell("seen", name, m["p99-ms"] / 1e3, note="p99").must_value(AT_MOST, 1e-3)
    for name, m in _go("BenchmarkManyChanged", 5):
        yield Cell("seen", name, m["p99-ms"] / 1e3).must_value(AT_MOST, 0.1)


def busy(lab):
    """ls -l of a cached directory while 8 bulk grep -r run over mail that is not cached, beside itself, idle."""
    for latency in (lab.options.latency, 0):
        yield from _busy(lab, latency)


def _busy(lab, latency):
    sim = Simulator(lab, f"busy{latency}", "--scale", str(lab.options.scale), "--latency", f"{latency}ms")
    mount, greps = None, []
    try:
        mount = Mount(lab, sim, f"busy{latency}")
        cached = mount.path(os.path.dirname(INBOX), "Sent Items")
        cached = os.path.join(cached, middle(cached))
        lab.peer("list", cached, 5, "1ms")
        idle = lab.peer("list", cached, 500, "5ms")
        months = sorted(os.listdir(mount.path(INBOX)))
        for i in range(8):
            paths = [mount.path(INBOX, m) for m in months[i::8]]
            greps.append(subprocess.Popen(["grep", "-r", "budget", *paths], stdout=subprocess.DEVNULL))
        before = mount.usage()
        loaded = lab.peer("list", cached, 500, "5ms")
        after = mount.usage()
        running = sum(g.poll() is None for g in greps)
        note = f"{idle['entries']} entries, {running} greps still running at the end"
        usage = {k: after[k] - before[k] for k in after}
        title = f"ls -l during 8 grep -r, {latency} ms latency, "
        yield Cell("busy", title + "p50", loaded["p50"], note=note).beside("idle", idle["p50"])
        yield Cell("busy", title + "p99", loaded["p99"], usage=usage, note=note).beside("idle", idle["p99"]).must("idle", AT_MOST, 5)
    finally:
        for g in greps:
            g.kill()
            g.wait()
        if mount:
            mount.close()
        sim.close()


def readers(lab):
    """Reading every message once with one reader and with 64 at a time, beside the copy."""
    mail = lab.mail(lab.options.scale)
    copy = mail.copy()
    for count in (1, 64):
        mail.mount.restart()
        out, usage = mail.mount.used(lambda: lab.peer("readers", mail.inbox, count))
        cell = Cell("readers", f"{count} at a time, fresh mount", out["files"] / out["seconds"], "files/s", usage)
        try:
            machine.drop_caches()
            other = lab.peer("readers", copy, count)
            cell.beside("ext4", other["files"] / other["seconds"])
            if other["bytes"] != out["bytes"]:
                raise RuntimeError(f"{count} readers read {out['bytes']} bytes, of the copy {other['bytes']}")
        except machine.Skip as e:
            cell.note = str(e)
        yield cell
