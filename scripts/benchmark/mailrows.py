"""Mail from the service: the first walk beside the ideal schedule, and what reading a mailbox costs by its size."""
import json
import os
import urllib.request

from . import machine
from .model import AT_LEAST, AT_MOST, Cell
from .staging import INBOX, Mail, Mount, Simulator

PAGE = 500  # messages of a delta page: the most that the service is known to serve


def cold_grep(lab):
    """The first grep -r of a folder, an empty cache, latency and the documented limits, beside the ideal schedule.

    The ideal is one delta round: its pages come one after the other, as each names the next, so it takes pages x latency
    and as many requests as there are pages. The pages are counted by following the same query and throwing them away.
    """
    n, latency = lab.options.folder, lab.options.latency
    sim = Simulator(lab, "cold", "--scale", str(n), "--latency", f"{latency}ms", "--throttle", "real")
    mount = None
    try:
        mount = Mount(lab, sim, "cold")
        seconds, requests, sizes, peers, routes = [], [], [], [], {}
        for i in range(lab.options.passes):
            if i:
                mount.wipe()
            before = sim.stats()
            seconds.append(mount.shell("grep -rc --exclude-dir='*.attachments' budget . | wc -l", mount.path(INBOX))[0])
            after = sim.stats()
            routes = _difference(before, after, "requests")
            requests.append(sum(routes.values()))
            sizes.append(sum(_difference(before, after, "bytes").values()))
            peers.append(_pages(lab, sim, mount))
        pages = peers[-1]["pages"]
        ideal = pages * latency / 1000
        usage = {"requests": int(machine.median(requests)), "bytes": int(machine.median(sizes))}
        note = f"{n:,} messages, {latency} ms; ideal: {pages} pages x {latency} ms = {ideal:.2f} s"
        took = machine.median(seconds)
        yield Cell("cold grep", "time", took, usage=usage, note=note).beside("ideal", ideal).beside(
            "fetch and discard", machine.median([p["seconds"] for p in peers])).must("ideal", AT_MOST, 1.15)
        told = ", ".join(f"{count} {route.split('/v1.0')[-1]}" for route, count in sorted(routes.items(), key=lambda r: -r[1]))
        yield Cell("cold grep", "requests", usage["requests"], "", note=told).beside("ideal", pages).must("ideal", AT_MOST, 1.05)
    finally:
        if mount:
            mount.close()
        sim.close()


def waiting(lab):
    """Reads mail, Teams and Box for the first time with latency and the documented limits, and tells for which share of the
    time any request was in flight, beside the ideal schedule: the longest of a chain of pages x latency (mail), requests x
    latency by four at a time (Teams and Box: each folder or conversation is a chain of its own), and the wait that each
    documented limit demands of the busiest that it counts."""
    latency = lab.options.latency / 1000
    for n, host, trees in ((lab.options.scale, "graph", {"mail": INBOX}),
                           (lab.options.folder, "graph", {"channels": "contoso/teams/channels", "chats": "contoso/teams/chats"}),
                           (lab.options.folder, "box_api", {"Box": "box/files"})):
        stage = "waiting-" + "-".join(trees)
        sim = Simulator(lab, stage, "--scale", str(n), "--latency", f"{lab.options.latency}ms", "--throttle", "real")
        mount = None
        try:
            mount = Mount(lab, sim, stage)
            for name, tree in trees.items():
                sim.reset()
                (took, files), usage = mount.used(lambda: mount.shell(Mail.MESSAGES, mount.path(tree)))
                stats = sim.stats()
                schedules = {f"{k}: {u['busiest']} of {u['limit']} in {u['seconds']:g} s": (u["busiest"] - u["limit"]) / u["limit"] * u["seconds"]
                             for k, u in stats["limits"].items()}
                if name == "mail":
                    pages = sum(p for route, p in stats["pages"].items() if route.endswith("/messages/delta"))
                    schedules[f"{pages} pages x latency"] = pages * latency
                else:
                    schedules["requests x latency / 4"] = stats["hosts"].get(host, 0) * latency / 4
                ideal, reason = max((seconds, k) for k, seconds in schedules.items())
                refused = sum(t["requests"] for t in stats["throttled"].values())
                note = f"{files} files; ideal: {reason}; {refused} requests refused"
                yield Cell("waiting", f"{name}: time", took, usage=usage, n=n, note=note).beside("ideal", ideal)
                yield Cell("waiting", f"{name}: share of time with requests in flight", 100 * stats["busy_seconds"].get("host:" + host, 0) / took, "%", n=n)
        finally:
            if mount:
                mount.close()
            sim.close()


def _pages(lab, sim, mount):
    """Fetches a delta round of the Inbox and throws it away. The folder goes by its id, as awkward pages follow the path."""
    token, inbox = mount.token("contoso"), sim.ready["graph"] + "/v1.0/me/mailFolders/"
    with urllib.request.urlopen(urllib.request.Request(inbox + "inbox", headers={
            "Authorization": "Bearer " + token, "Prefer": 'IdType="ImmutableId"'})) as r:
        inbox += json.load(r)["id"]
    return lab.peer("pages", inbox + "/messages/delta", PAGE, token=token)


def _difference(before, after, what):
    """What was counted by route in between. Sign-ins are not part of a walk."""
    return {route: n - before[what].get(route, 0) for route, n in after[what].items()
            if n > before[what].get(route, 0) and "token" not in route}


def sizes(lab):
    """Numbers of messages at which growth is looked at, the one that other rows use last, since that one stays staged."""
    some = [n for n in (1000, 10000, 100000) if n <= lab.options.scale]
    return ([1000000] if lab.options.million else []) + [n for n in some if n != lab.options.scale] + [lab.options.scale]


def sync(lab, mail):
    n, fill = mail.scale, mail.fill
    peer = _pages(lab, mail.sim, mail.mount)
    rate = n / fill["cpu"]
    cell = Cell("sync", "messages per CPU second of the daemon", rate, "", fill["usage"], n=n)
    cell.beside("fetch and discard", n / peer["cpu"])
    if n >= 10000:  # below, what a mount does once outweighs the messages
        cell.must_value(AT_LEAST, 10000)
    yield cell
    yield Cell("sync", "seconds", fill["seconds"], usage=fill["usage"], n=n).beside(
        "fetch and discard", machine.Took.of(peer["seconds"], peer["cpu"]))
    yield Cell("sync", "messages per second", n / fill["seconds"], "", n=n).beside("fetch and discard", n / peer["seconds"])
    yield Cell("sync", "bytes on disk per message", fill["disk"] / n, "B", n=n).beside("from the service", peer["bytes"] / n)
    yield Cell("sync", "bytes on disk", fill["disk"], "B", n=n)
    yield Cell("sync", "RSS after it", fill["memory"]["rss"], "B", note=f"peak {fill['memory']['peak'] / 1e6:.0f} MB", n=n)


def mount(lab, mail):
    """Mounts again and again, which opens the cache, and looks into a directory first."""
    n = mail.scale
    ready = [mail.mount.restart() for _ in range(max(5, lab.options.passes))]
    cell = Cell("mount", "ready", machine.median(ready), note="workfs mount --daemon until it returns", n=n)
    yield cell.must_value(AT_MOST, 0.1) if n >= 1000000 else cell
    month = middle(mail.inbox)
    entries = len(os.listdir(os.path.join(mail.inbox, month)))
    for where, what in ((".", "the folder, its months"), (month, f"a month of {entries:,} entries")):
        took = []
        for _ in range(lab.options.passes):
            mail.mount.restart()
            took.append(mail.mount.list(os.path.join(mail.inbox, where)))
        cell = Cell("mount", "first look into a cached directory", machine.median(took), note=what, n=n)
        yield cell.must_value(AT_MOST, 0.02)


def middle(inbox):
    """The month in the middle of the years, which are about even; the first and the last are not whole."""
    months = sorted(os.listdir(inbox))
    return months[len(months) // 2]


def growth(lab, mail):
    """Walks a fresh and a warm mount."""
    n, mount = mail.scale, mail.mount
    for name, command in (("find", Mail.MESSAGES), ("grep -r", "grep -rc --exclude-dir='*.attachments' budget . | wc -l")):
        mount.restart()
        first = mount.shell(command, mail.inbox)[0]
        mount.shell(command, mail.inbox)
        then = mount.shell(command, mail.inbox)[0]
        fresh, warm = Cell("growth", f"{name} fresh", first, n=n), Cell("growth", f"{name} warm", then, n=n)
        if n <= lab.options.scale:
            copy = mail.copy()
            machine.shell(command, copy)
            warm.beside("ext4", machine.shell(command, copy)[0])
            try:
                machine.drop_caches()
                fresh.beside("ext4", machine.shell(command, copy)[0])
            except machine.Skip as e:
                fresh.note = str(e)
        yield fresh
        yield warm
