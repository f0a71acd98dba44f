"""What is measured: the simulator, a mount of it, and trees of mail that are filled once and used by several rows."""
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request

from . import machine

INBOX = "contoso/outlook/alice@contoso.com/mail/Inbox"


class Lab:
    """The temporary directory of a run, its binaries, and the mail that is staged in it."""

    def __init__(self, options):
        self.options = options
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="workfs-bench-", dir=options.dir))
        run = self.path("run")
        os.mkdir(run)
        self.env = dict(os.environ, CGO_ENABLED="0", XDG_RUNTIME_DIR=run)
        self.env.pop("GOMEMLIMIT", None)
        self._mail = None
        self.started = []  # what has a close that may be called twice: a row that fails leaves nothing behind
        for name, source in (("workfs", "./cmd/workfs"), ("workfs-sim", "./cmd/workfs-sim"), ("peer", "./scripts/benchmark/peer")):
            subprocess.run(["go", "build", "-trimpath", "-o", self.path(name), source], check=True, env=self.env)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def workfs(self, *args):
        """Runs a command of workfs and gives what it prints."""
        return subprocess.run([self.path("workfs"), *args], check=True, env=self.env, stdout=subprocess.PIPE, text=True).stdout

    def has(self, tool):
        return shutil.which(tool) is not None

    def peer(self, *args, token=""):
        """Runs the Go part of the peers and gives its result."""
        out = subprocess.run([self.path("peer"), *map(str, args)], check=True, env=dict(self.env, PEER_TOKEN=token), stdout=subprocess.PIPE)
        return json.loads(out.stdout)

    def mail(self, scale):
        """A mailbox with so many messages in its Inbox, mounted and filled. The latest one is kept for the next who asks."""
        if not self._mail or self._mail.scale != scale:
            self.drop_mail()
            self._mail = Mail(self, scale)
        return self._mail

    def drop_mail(self):
        """Ends the staged mailbox."""
        if self._mail:
            self._mail.close()
            self._mail = None

    def close(self):
        self.drop_mail()
        for thing in reversed(self.started):
            thing.close()
        if self.options.keep:
            print("kept:", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Simulator:
    """A workfs-sim process."""

    def __init__(self, lab, name, *flags):
        self.config = lab.path(name + "-etc")
        self.process = subprocess.Popen([lab.path("workfs-sim"), "--write-config", self.config, *flags],
                                        stdout=subprocess.PIPE, text=True, env=lab.env)
        lab.started.append(self)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the simulator did not start")
        self.ready = json.loads(line)

    def stats(self):
        """Counts by route, as the simulator has them."""
        with urllib.request.urlopen(self.ready["control"] + "/stats") as r:
            return json.load(r)

    def reset(self):
        """Forgets statistics and used-up limits."""
        urllib.request.urlopen(urllib.request.Request(self.ready["control"] + "/reset", method="POST")).close()

    def close(self):
        self.process.terminate()
        self.process.wait()


class Mount:
    """A mount of a simulator with a cache of its own."""

    def __init__(self, lab, sim, name, *flags):
        self.lab, self.sim, self.flags = lab, sim, flags
        self.point, self.cache, self.state = (lab.path(name + d) for d in ("-mnt", "-cache", "-state"))
        os.mkdir(self.point)
        self.pid = 0
        lab.started.append(self)
        self.start()

    def start(self):
        """Mounts; the cache is as it was. Gives the seconds until the mount is ready."""
        took = machine.timed(lambda: self.lab.workfs(
            "mount", self.point, "--daemon", "--config", self.sim.config + "/config.toml", "--cache-dir", self.cache, "--state-dir", self.state,
            "--formats", self.lab.options.formats, "--max-age", "24h", "--poll-interval", "0", "--log-file", self.point + ".log", *self.flags))
        self.pid = self.status()["pid"]
        return machine.Took.of(took, took.cpu + machine.cpu(self.pid))

    def stop(self):
        self.lab.workfs("umount", self.point)

    def restart(self):
        """A new process and an empty kernel cache over the same store; the seconds until it is ready."""
        self.stop()
        return self.start()

    def wipe(self):
        """A new process that has nothing cached."""
        self.stop()
        shutil.rmtree(self.cache)
        self.start()

    def close(self):
        if machine.mounted(self.point):
            subprocess.run([self.lab.path("workfs"), "umount", "--force", self.point], env=self.lab.env, stderr=subprocess.DEVNULL)

    def status(self):
        return json.loads(self.lab.workfs("status", "--json", self.point))[0]

    def heap(self):
        """Bytes of the Go heap, None where the status does not tell."""
        return self.status().get("memory", {}).get("heap_bytes")

    def path(self, *parts):
        return os.path.join(self.point, *parts)

    def token(self, connection):
        """An access token of the mount's sign-in, for peers that ask the simulator themselves."""
        return self.lab.workfs("token", "-c", connection, "--config", self.sim.config + "/config.toml", "--state-dir", self.state).strip()

    def usage(self):
        """What has been asked so far: requests and bytes of the services, requests of the kernel. STATFS says nothing."""
        stats = self.sim.stats()
        fuse = self.status()["fuse_requests"]
        return {"requests": sum(stats["requests"].values()), "bytes": sum(stats["bytes"].values()),
                "fuse": sum(n for op, n in fuse.items() if op != "STATFS")}

    def shell(self, command, where):
        """Runs a command below the mount: what it takes, the daemon's processor time included, and what it prints."""
        before = machine.cpu(self.pid)
        took, out = machine.shell(command, where)
        return machine.Took.of(took, took.cpu + machine.cpu(self.pid) - before), out

    def list(self, directory):
        """Reads a directory without a process of its own."""
        before = machine.cpu(self.pid)
        took = machine.timed(lambda: os.listdir(directory))
        return machine.Took.of(took, machine.cpu(self.pid) - before)

    def used(self, work):
        """Does work and gives its result with what it asked for."""
        before = self.usage()
        result = work()
        after = self.usage()
        return result, {k: after[k] - before[k] for k in after}


class Mail:
    """A simulator with a large Inbox, a mount whose store has all of it, and a copy on the local disk."""

    # What a walk over the messages asks for; attachments are requests of their own, one for each message that has some.
    MESSAGES = "find . -name '*.attachments' -prune -o -type f -print | wc -l"

    def __init__(self, lab, scale):
        self.lab, self.scale = lab, scale
        self.sim = Simulator(lab, f"mail{scale}", "--scale", str(scale))
        self.mount = Mount(lab, self.sim, f"mail{scale}")
        self.inbox = self.mount.path(INBOX)
        self.fill = self._fill()
        self._copy = None
        self._whole = False

    def _fill(self):
        """Reads the whole folder for the first time and tells what that cost."""
        pid = self.mount.pid
        cpu = machine.cpu(pid)

        def work():
            took = machine.shell(self.MESSAGES, self.inbox)
            machine.settle(pid)
            return took

        (seconds, files), usage = self.mount.used(work)
        cpu = machine.cpu(pid) - cpu
        return {"seconds": machine.Took.of(seconds, seconds.cpu + cpu), "files": int(files), "cpu": cpu, "usage": usage,
                "disk": machine.disk_usage(self.mount.cache), "memory": machine.memory(pid)}

    def whole(self):
        """Reads what the messages' listing does not bring, attachments, so that everything is in the store."""
        if not self._whole:
            machine.shell("tar cf - . | wc -c", self.inbox)
            self._whole = True

    def copy(self):
        """The Inbox on the local disk."""
        if not self._copy:
            self.whole()
            self._copy = self.lab.path(f"mail{self.scale}-copy")
            subprocess.run(["cp", "-a", self.inbox, self._copy], check=True)
        return self._copy

    def close(self):
        self.mount.close()
        self.sim.close()
        for d in (self.mount.cache, self.mount.state, self.sim.config, self._copy):
            if d:
                shutil.rmtree(d, ignore_errors=True)
