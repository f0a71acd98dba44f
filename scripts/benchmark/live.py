"""What happens at the same time: changes and who sees them, readers beside bulk walks, many readers."""
import os
import subprocess

from . import machine
from .files import Box
from .model import AT_MOST, Cell
from .staging import INBOX


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
    for name, m in _go("BenchmarkChangeSeen", lab.options.changes, "./fs"):
        yield Cell("seen", f"a change: {name}", m["p99-ms"] / 1e3, note=f"p99; p50 {m['p50-ms']:.2f} ms").must_value(AT_MOST, 1e-3)
    for _, m in _go("BenchmarkManyChanged", 5, "./fs"):
        yield Cell("seen", "10,000 changed files at once", m["p50-ms"] / 1e3, note="median of 5").must_value(AT_MOST, 0.1)


LOOKS = 200  # at directories, idle and busy each: the 99th of a hundred needs some


def busy(lab):
    """ls -l of a cached directory while 8 bulk grep -r run over mail that is not cached, beside itself, idle."""
    for latency in (lab.options.latency, 0):
        yield from _busy(lab, latency)


def _directories(source):
    """Box folders that are looked into: one again and again, and many, each of which the kernel has not seen yet."""
    for name in ("one", *(f"{half}/{i:03d}" for half in ("idle", "busy") for i in range(LOOKS))):
        os.makedirs(os.path.join(source, name))
        for i in range(20):
            with open(os.path.join(source, name, f"{i}.txt"), "w") as f:
                f.write(name)


def _busy(lab, latency):
    box = Box(lab, f"busy{latency}", _directories, "--scale", str(lab.options.scale), "--latency", f"{latency}ms")
    greps = []
    try:
        machine.shell("find . | wc -l", box.path())
        box.mount.restart()  # the store has them, the kernel does not
        months = sorted(os.listdir(box.mount.path(INBOX)))
        os.listdir(box.path())

        def look(half):
            lab.peer("list", box.path("one"), 5, "1ms")
            return lab.peer("list", box.path("one"), LOOKS, "5ms"), lab.peer("list", box.path(half), LOOKS, "5ms")

        idle = look("idle")
        for i in range(8):
            paths = [box.mount.path(INBOX, m) for m in months[i::8]]
            greps.append(subprocess.Popen(["grep", "-r", "budget", *paths], stdout=subprocess.DEVNULL))
        loaded, usage = box.mount.used(lambda: look("busy"))
        running = sum(g.poll() is None for g in greps)
        note = f"{idle[0]['entries']} entries; {running} of 8 greps still running at the end"
        for what, quiet, now in zip(("the kernel has", "the store has"), idle, loaded):
            title = f"ls -l of what {what}, {latency} ms latency, "
            yield Cell("busy", title + "p50", now["p50"], note=note).beside("idle", quiet["p50"])
            yield Cell("busy", title + "p99", now["p99"], usage=usage, note=note).beside("idle", quiet["p99"]).must("idle", AT_MOST, 5)
    finally:
        for g in greps:
            g.kill()
            g.wait()
        box.close()


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
