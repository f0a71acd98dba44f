"""Walks over mail that is in the store: warm, where the kernel has all of it, and on a fresh mount."""
from . import machine, rclone
from .model import AT_MOST, Cell

# What people do with trees. GNU tar does not read what it writes to /dev/null, so it writes to a pipe.
LISTS = {"find": "find . -type f | wc -l", "ls -lR": "ls -lR . | wc -l", "du": "du -s . | wc -l"}
READS = {"grep -r": "grep -rc budget . | wc -l", "rg": "rg -uuc budget . | wc -l", "tar": "tar cf - . | wc -c"}


def warm(lab):
    """Third and later passes, beside a copy on the local disk and rclone's mount of that copy, both with warm caches."""
    mail = lab.mail(lab.options.scale)
    copy = mail.copy()
    clone, missing = rclone.beside(lab, copy, "warm")
    try:
        for name, command in {**LISTS, **READS}.items():
            if name == "rg" and not lab.has("rg"):
                yield Cell("warm", name, None, note="missing: rg")
                continue
            for _ in range(2):  # the second pass brings what the first changed, such as the time of the last access
                for where in (mail.inbox, copy):
                    machine.shell(command, where)
            (took, usage) = mail.mount.used(lambda: machine.alternate(
                lab.options.passes,
                ext4=lambda: machine.shell(command, copy)[0],
                workfs=lambda: mail.mount.shell(command, mail.inbox)[0]))
            cell = Cell("warm", name, took["workfs"], usage=usage, note=missing).beside("ext4", took["ext4"])
            cell.beside("rclone", _twice(command, clone))
            cell.must("ext4", AT_MOST, 1.0 if name in LISTS else 1.3)
            if name in READS:
                cell.must("rclone", AT_MOST, 1 / 20)
            yield cell.must_value(AT_MOST, 0, usage["fuse"], "FUSE requests")
    finally:
        if clone:
            clone.close()


def _twice(command, clone):
    """The second pass over rclone's mount, once, since it is slow."""
    if clone:
        clone.shell(command)
        return clone.shell(command)
    return None


def fresh(lab):
    """The first pass after mounting, the store full, beside the copy after its caches were dropped and a fresh rclone."""
    mail = lab.mail(lab.options.scale)
    copy = mail.copy()
    clone, missing = rclone.beside(lab, copy, "fresh")
    try:
        for name, command in {**LISTS, **READS}.items():
            if name == "rg" and not lab.has("rg"):
                yield Cell("fresh", name, None, note="missing: rg")
                continue
            beside = {"rclone": None}
            if clone:
                clone.restart()
                beside["rclone"] = clone.shell(command)
            took = {"workfs": [], "dropped": [], "ext4": []}
            usages = []
            for _ in range(lab.options.passes):
                for state in took:
                    if state != "ext4":
                        mail.mount.restart()
                    try:
                        if state != "workfs":
                            machine.drop_caches()
                    except machine.Skip as e:
                        missing = str(e)
                        continue
                    if state == "ext4":
                        took[state].append(machine.shell(command, copy)[0])
                    else:
                        (seconds, _), usage = mail.mount.used(lambda: mail.mount.shell(command, mail.inbox))
                        took[state].append(seconds)
                        usages.append(usage)
            took = {k: machine.median(v) for k, v in took.items()}
            for state, title in (("workfs", name), ("dropped", name + ", store's pages dropped")):
                cell = Cell("fresh", title, took[state], usage=usages[-1], note=missing)
                cell.beside("ext4", took["ext4"]).beside("rclone", beside["rclone"])
                if name in ("find", "ls -lR"):
                    cell.must("ext4", AT_MOST, 1.2).must("rclone", AT_MOST, 1 / 5)
                elif name in ("grep -r", "tar"):
                    cell.must("ext4", AT_MOST, 1 / 2).must("rclone", AT_MOST, 1 / 8)
                if state == "workfs" or took[state] is not None:
                    yield cell
    finally:
        if clone:
            clone.close()


def rclone_default(lab):
    """What rclone does when nobody tells it to cache for longer, for the record."""
    mail = lab.mail(lab.options.scale)
    copy = mail.copy()
    clone = rclone.Rclone(lab, copy, "default", "--attr-timeout", "1s")
    try:
        for name, command in LISTS.items():
            clone.shell(command)
            workfs = mail.mount.shell(command, mail.inbox)[0]
            yield Cell("rclone's default", name, workfs, note="warm").beside("rclone", clone.shell(command))
    finally:
        clone.close()
