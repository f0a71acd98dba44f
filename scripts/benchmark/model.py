"""A cell is one measurement of workfs with what stands beside it and what it must reach."""

# How values are compared: "at most" for what should be small, "at least" for what should be large.
AT_MOST, AT_LEAST = "at most", "at least"


class Cell:
    """One measurement. Chain beside and must to it; a peer that could not be measured is None and skips what needs it."""

    def __init__(self, row, name, value, unit="s", usage=None, note="", n=None):
        self.row, self.name, self.value, self.unit, self.note = row, name, value, unit, note
        self.n = n  # size at which a row that looks at several was measured
        self.cpu = getattr(value, "cpu", None)  # seconds of processor, where they are known
        self.peers_cpu = {}
        self.failed = False  # something went wrong that is no matter of speed
        self.usage = usage or {}  # requests, bytes, fuse
        self.peers, self.targets = {}, []

    def title(self):
        """The name with the size."""
        return f"{self.n:,}: {self.name}" if self.n else self.name

    def beside(self, peer, value):
        """Puts a peer's measurement of the same thing beside it; None: there is no such peer here."""
        self.peers[peer] = value
        if getattr(value, "cpu", None) is not None:
            self.peers_cpu[peer] = value.cpu
        return self

    def cpu_ratio(self, peer):
        """The same of processor time."""
        other = self.peers_cpu.get(peer)
        return self.cpu / other if other and self.cpu is not None else None

    def ratio(self, peer):
        """This over the peer's, None without one."""
        other = self.peers.get(peer)
        return self.value / other if other and self.value is not None else None

    def must(self, peer, how, bound):
        """Compares the ratio to a peer with a bound."""
        return self.target(f"{how} {bound:g} x {peer}", self.ratio(peer), how, bound)

    def must_value(self, how, bound, value=None, what=""):
        """Compares the value itself, or another one with a name, with a bound."""
        value = self.value if value is None else value
        text = f"{how} {show(bound, self.unit)}" if not what else f"{how} {bound:g} {what}"
        return self.target(text, value, how, bound)

    def target(self, text, got, how, bound):
        """Adds a target; got is None where that could not be measured."""
        met = None if got is None else got <= bound if how == AT_MOST else got >= bound
        self.targets.append({"text": text, "got": got, "bound": bound, "met": met})
        return self

    def to_json(self):
        """What --json writes."""
        ratios = {p: self.ratio(p) for p in self.peers}
        return {"row": self.row, "name": self.name, "n": self.n, "value": self.value, "unit": self.unit, "usage": self.usage, "cpu": self.cpu, "note": self.note, "failed": self.failed,
                "peers": self.peers, "peers_cpu": self.peers_cpu, "ratios": ratios, "targets": self.targets}

    @classmethod
    def from_json(cls, d):
        """What to_json wrote."""
        c = cls(d["row"], d["name"], d["value"], d["unit"], d["usage"], d["note"], d["n"])
        c.cpu, c.peers, c.peers_cpu, c.targets, c.failed = (d[k] for k in ("cpu", "peers", "peers_cpu", "targets", "failed"))
        return c


def show(value, unit):
    """A value for people."""
    if value is None:
        return "-"
    if unit == "s":
        return f"{value * 1e6:.0f} us" if value < 1e-3 else f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "B":
        for name in ("B", "kB", "MB", "GB"):
            if value < 1000 or name == "GB":
                return f"{value:.0f} {name}" if name == "B" else f"{value:.1f} {name}"
            value /= 1000
    if unit == "B/s":
        return show(value, "B") + "/s"
    if unit == "":
        return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"
