"""What the machine tells of processes, files and memory, and how a command is timed."""
import os
import resource
import shutil
import statistics
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


class Skip(Exception):
    """A row, or a part of it, that can't be measured here, and why."""


def have(*tools):
    """Skips unless all tools are there."""
    missing = [t for t in tools if not shutil.which(t)]
    if missing:
        raise Skip("missing: " + ", ".join(missing))


def drop_caches(what=3):
    """Makes the kernel forget: 1 contents, 2 names and attributes, 3 both. Only root may."""
    subprocess.run(["sync"], check=True)
    try:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write(str(what))
    except OSError as e:
        raise Skip(f"caches can't be dropped: {e.strerror}")


def filesystem(path):
    """The type and device of the filesystem that a path lies on, as /proc/mounts has them."""
    path, best = os.path.realpath(path), ("", "?", "?")
    with open("/proc/mounts") as f:
        for line in f:
            device, point, kind = line.split()[:3]
            point = point.encode().decode("unicode_escape")
            if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind, device)
    return best[1:]


def mounted(point):
    """Says whether something is mounted on exactly this directory."""
    with open("/proc/mounts") as f:
        return any(line.split()[1] == point for line in f)


def cpu(pid):
    """Seconds of processor that a process has used, all its threads together."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid):
    """Resident bytes of a process, {"rss": all, "anon": without pages of files, "peak": the most so far}."""
    keys = {"VmRSS": "rss", "RssAnon": "anon", "VmHWM": "peak"}
    out = {}
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            key, _, value = line.partition(":")
            if key in keys:
                out[keys[key]] = int(value.split()[0]) * 1024
    return out


def settle(pid, patience=120):
    """Waits until a process rests: what it does in the background belongs to what was asked of it."""
    end = time.monotonic() + patience
    before = cpu(pid)
    while time.monotonic() < end:
        time.sleep(0.5)
        now = cpu(pid)
        if now - before < 0.02:
            return
        before = now


class Took(float):
    """Seconds that work took, with the seconds of processor that it used: on a busy machine these are the steadier."""

    cpu = 0.0

    @classmethod
    def of(cls, seconds, cpu):
        took = cls(seconds)
        took.cpu = cpu
        return took


def timed(work):
    """What work takes, the processor time of the processes that it ran to their ends included."""
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    cpu, start = used(), time.monotonic()
    work()
    return Took.of(time.monotonic() - start, used() - cpu)


def shell(command, where, timeout=3600):
    """What a shell command takes in a directory, and what it prints."""
    out = []
    took = timed(lambda: out.append(
        subprocess.run(command, shell=True, check=True, cwd=where, stdout=subprocess.PIPE, text=True, timeout=timeout).stdout))
    return took, out[0].strip()


def median(values):
    """The value in the middle, None of nothing."""
    return statistics.median_low(values) if values else None


def alternate(passes, **sides):
    """Calls each side in turn, so that all of them meet the same machine, and gives the median of each."""
    took = {name: [] for name in sides}
    for _ in range(passes):
        for name, measure in sides.items():
            took[name].append(measure())
    return {name: median(values) for name, values in took.items()}


def disk_usage(directory):
    """Bytes on disk below a directory."""
    return int(subprocess.run(["du", "-s", "--block-size=1", directory], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0])
