"""How much memory a mount takes by the number of entries that the kernel knows of it."""
import os
import resource

from . import machine, rclone
from .model import AT_MOST, Cell
from .staging import Mail

TARGET = 150e6  # bytes after a find over a million entries


def memory(lab, mail):
    """The daemon after a find on a fresh mount, after the kernel forgot everything, and with as many files open as one may."""
    n, mount = mail.scale, mail.mount
    mount.restart()
    machine.settle(mount.pid)
    idle = machine.memory(mount.pid)
    yield from _cells(mount, n, "idle")

    machine.shell(Mail.MESSAGES, mail.inbox)
    machine.settle(mount.pid)
    found = machine.memory(mount.pid)
    for cell in _cells(mount, n, "after find"):
        if cell.name.endswith(", RSS") and n >= 1000000:
            cell.must_value(AT_MOST, TARGET)
        yield cell
    cell = Cell("memory", "RSS per message that find adds", (found["rss"] - idle["rss"]) / n, "B", n=n)
    if n <= lab.options.scale:
        try:
            cell.beside("rclone", _rclone(lab, mail))
        except machine.Skip as e:
            cell.note = str(e)
    yield cell

    try:
        machine.drop_caches(2)
    except machine.Skip as e:
        yield Cell("memory", "after FORGET, RSS", None, "B", n=n, note=str(e))
    else:
        machine.settle(mount.pid)
        yield from _cells(mount, n, "after FORGET")

    files = _open_all(mail.inbox)
    machine.settle(mount.pid)
    yield from _cells(mount, n, "all open", f"{len(files):,} files")
    for f in files:
        os.close(f)


def _cells(mount, n, when, note=""):
    now = machine.memory(mount.pid)
    peak = f"peak {now['peak'] / 1e6:.0f} MB"
    yield Cell("memory", when + ", RSS", now["rss"], "B", n=n, note=f"{note}, {peak}" if note else peak)
    yield Cell("memory", when + ", RssAnon", now["anon"], "B", n=n)
    heap = mount.heap()
    if heap is not None:
        yield Cell("memory", when + ", Go heap", heap, "B", n=n)


def _rclone(lab, mail):
    """Bytes per entry that a find adds to rclone."""
    clone = rclone.Rclone(lab, mail.copy(), "memory")
    try:
        idle = machine.memory(clone.pid)["rss"]
        files = int(machine.shell("find . | wc -l", clone.point)[1])
        machine.settle(clone.pid)
        return (machine.memory(clone.pid)["rss"] - idle) / files
    finally:
        clone.close()


def _open_all(directory):
    """Opens all files below a directory, or as many as a process may have."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    files = []
    for parent, _, names in os.walk(directory):
        for name in names:
            if len(files) > limit - 100:
                return files
            if not parent.endswith(".attachments"):
                files.append(os.open(os.path.join(parent, name), os.O_RDONLY))
    return files
