"""The peer that people would use instead: rclone, mounting a directory of the local disk."""
import os
import shutil
import subprocess
import time

from . import machine

# The longest caching that rclone has; by itself it asks again for attributes after a second.
CACHED = ("--attr-timeout", "24h", "--dir-cache-time", "24h")


def version():
    """The version of rclone, "" without one. As root Debian's package is installed, else Go builds one."""
    if not shutil.which("rclone") and os.getuid() == 0 and shutil.which("apt-get"):
        subprocess.run("apt-get install -y -qq rclone || { apt-get update -qq; apt-get install -y -qq rclone; }", shell=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
    if not shutil.which("rclone"):
        return ""
    return subprocess.run(["rclone", "version"], stdout=subprocess.PIPE, text=True).stdout.split("\n")[0].removeprefix("rclone ")


class Rclone:
    """rclone's mount of a directory."""

    def __init__(self, lab, source, name, *flags):
        if lab.options.no_rclone or not version():
            raise machine.Skip("missing: rclone")
        self.point, self.cache = lab.path(name + "-rclone"), lab.path(name + "-rclone-cache")
        os.makedirs(self.point, exist_ok=True)
        self.command = ["rclone", "mount", source, self.point, "--read-only", "--config", os.devnull, "--cache-dir", self.cache, *(flags or CACHED)]
        lab.started.append(self)
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        for _ in range(600):
            if machine.mounted(self.point):
                return
            if self.process.poll() is not None:
                raise machine.Skip("rclone does not mount here")
            time.sleep(0.05)
        raise machine.Skip("rclone did not mount within 30 s")

    def stop(self):
        self.process.terminate()  # it unmounts
        self.process.wait()
        if machine.mounted(self.point):
            subprocess.run(["umount", "-l", self.point])

    def restart(self):
        """A new process and an empty kernel cache."""
        self.stop()
        self.start()

    def shell(self, command):
        """What a command takes at the root of the mount, rclone's processor time included."""
        before = machine.cpu(self.pid)
        took, _ = machine.shell(command, self.point)
        return machine.Took.of(took, took.cpu + machine.cpu(self.pid) - before)

    @property
    def pid(self):
        return self.process.pid

    def close(self):
        self.stop()
        shutil.rmtree(self.cache, ignore_errors=True)


def beside(lab, source, name, *flags):
    """rclone's mount, or None and the reason why there is none."""
    try:
        return Rclone(lab, source, name, *flags), ""
    except machine.Skip as e:
        return None, str(e)
