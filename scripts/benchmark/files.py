"""Box: a large file beside curl, the local disk and rclone, and a directory with many entries."""
import json
import os
import shutil
import subprocess

from . import machine, rclone
from .model import AT_LEAST, AT_MOST, Cell
from .staging import Mount, Simulator

BOX = "box/files"
SEQUENTIAL = "dd if={} of=/dev/null bs=1M status=none"
RANDOM_READS = 100000


def _fill(path, size):
    """A file that no compression helps with."""
    chunk = 1 << 24
    with open(path, "wb") as f:
        for at in range(0, size, chunk):
            f.write(os.urandom(min(chunk, size - at)))


def _dd(path):
    return machine.shell(SEQUENTIAL.format(os.path.basename(path)), os.path.dirname(path))[0]


class Box:
    """A simulator whose Box is a directory of the local disk, and a mount of it."""

    def __init__(self, lab, name, fill, *flags):
        self.lab, self.source = lab, lab.path(name + "-source")
        os.mkdir(self.source)
        fill(self.source)
        self.sim = Simulator(lab, name, "--import-files", self.source, *flags)
        self.mount = Mount(lab, self.sim, name)

    def path(self, *parts):
        return self.mount.path(BOX, *parts)

    def curl(self, name):
        """The command that gets a file's bytes by the API: asked for, redirected, downloaded."""
        item = json.loads(self.lab.workfs("info", "--json", self.path(name)))["item"]
        return ["curl", "-sSL", "--fail", "-H", "Authorization: Bearer " + self.mount.token("box"),
                f"{self.sim.ready['box_api']}/2.0/files/{item['id']}/content"]

    def close(self):
        self.mount.close()
        self.sim.close()
        for d in (self.source, self.mount.cache, self.mount.state, self.sim.config):
            shutil.rmtree(d, ignore_errors=True)


def large(lab):
    """The first and the second read of a large file, and random reads of it."""
    size = lab.options.large << 20
    box = Box(lab, "large", lambda d: _fill(os.path.join(d, "large.bin"), size))
    clone, missing = rclone.beside(lab, box.source, "large", "--vfs-cache-mode", "full", *rclone.CACHED)
    title = f"{lab.options.large} MiB, "
    try:
        local, there = os.path.join(box.source, "large.bin"), box.path("large.bin")
        _dd(local)  # what the simulator serves comes from memory, for everybody
        first, usages, fetched = [], [], []
        for i in range(lab.options.passes):
            if i:
                box.mount.wipe()
            os.stat(there)
            if lab.has("curl"):
                command = box.curl("large.bin")
                fetched.append(machine.timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)))
            seconds, usage = box.mount.used(lambda: _dd(there))
            first.append(seconds)
            usages.append(usage)
        cell = Cell("large file", title + "first read", size / machine.median(first), "B/s", usages[-1])
        took = machine.median(fetched)
        yield cell.beside("curl", took and size / took).must("curl", AT_LEAST, 0.7)

        (took, usage) = box.mount.used(lambda: machine.alternate(lab.options.passes, ext4=lambda: _dd(local), workfs=lambda: _dd(there)))
        cell = Cell("large file", title + "second read", size / took["workfs"], "B/s", usage, missing).beside("ext4", size / took["ext4"])
        if clone:
            path = os.path.join(clone.point, "large.bin")
            _dd(path)
            cell.beside("rclone", size / _dd(path))
        yield cell.must("ext4", AT_LEAST, 0.4).must("rclone", AT_LEAST, 5)

        took = machine.alternate(lab.options.passes, ext4=lambda: _random(lab, local), workfs=lambda: _random(lab, there))
        cell = Cell("large file", title + "random 4 KiB reads, warm", took["workfs"], "reads/s", note=missing).beside("ext4", took["ext4"])
        if clone:
            cell.beside("rclone", _random(lab, path, RANDOM_READS // 10))
        yield cell.must("ext4", AT_LEAST, 0.5)

        box.mount.restart()
        os.stat(there)
        took = _random(lab, there)
        cell = Cell("large file", title + "random 4 KiB reads, fresh mount", took, "reads/s")
        try:
            machine.drop_caches()
            cell.beside("ext4", _random(lab, local))
        except machine.Skip as e:
            cell.beside("ext4", None).note = str(e)
        yield cell.must("ext4", AT_LEAST, 0.5)
    finally:
        if clone:
            clone.close()
        box.close()


def _random(lab, path, count=RANDOM_READS):
    out = lab.peer("random", path, count)
    return out["reads"] / out["seconds"]


def first_byte(lab):
    """How soon the first byte of an uncached file is there, beside curl, both as processes of their own."""
    machine.have("curl")
    names = [f"file{i}.bin" for i in range(max(5, lab.options.passes))]

    def fill(d):
        for name in names:
            _fill(os.path.join(d, name), 16 << 20)

    box = Box(lab, "first", fill, "--latency", f"{lab.options.latency}ms")
    try:
        mine, others = [], []
        for name in names:
            there = box.path(name)
            os.stat(there)
            command = box.curl(name)
            others.append(machine.timed(lambda: _head(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))))
            mine.append(machine.timed(lambda: _head(subprocess.Popen(["cat", there], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))))
        cell = Cell("large file", f"first byte of 16 MiB at {lab.options.latency} ms latency", machine.median(mine))
        yield cell.beside("curl", machine.median(others)).must("curl", AT_MOST, 1.3)
    finally:
        box.close()


def _head(process):
    """Waits for one byte of a process and ends it."""
    process.stdout.read(1)
    process.kill()
    process.stdout.close()
    process.wait()


def readdir(lab):
    """A directory with many entries: listed by the service, on a fresh mount, and warm."""
    n = lab.options.scale

    def fill(d):
        os.mkdir(os.path.join(d, "many"))
        for i in range(n):
            with open(os.path.join(d, "many", f"{i:07d}.txt"), "w") as f:
                f.write(str(i))

    box = Box(lab, "many", fill)
    try:
        local, there = os.path.join(box.source, "many"), box.path("many")
        for name, command in (("ls", "ls | wc -l"), ("ls -l", "ls -l | wc -l")):
            box.mount.wipe()
            (cold, _), usage = box.mount.used(lambda: box.mount.shell(command, there))
            yield Cell("readdir", f"{n:,} entries, {name} cold", cold, usage=usage)
            box.mount.restart()
            (fresh, _), usage = box.mount.used(lambda: box.mount.shell(command, there))
            cell = Cell("readdir", f"{n:,} entries, {name} fresh", fresh, usage=usage)
            try:
                machine.drop_caches()
                cell.beside("ext4", machine.shell(command, local)[0])
                box.mount.restart()
                box.mount.shell(command, there)
            except machine.Skip as e:
                cell.note = str(e)
            yield cell
            took, usage = box.mount.used(lambda: machine.alternate(
                lab.options.passes, ext4=lambda: machine.shell(command, local)[0], workfs=lambda: box.mount.shell(command, there)[0]))
            yield Cell("readdir", f"{n:,} entries, {name} warm", took["workfs"], usage=usage).beside("ext4", took["ext4"])
    finally:
        box.close()
