"""Charts of growth as SVG, both axes logarithmic, readable on light and on dark pages."""
import math
import os
from xml.sax.saxutils import escape

from .model import show

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 460, 80, 250, 50, 60
COLOURS = ("#2f6fdb", "#d9622b", "#2a9d64", "#9a5bd0", "#c9a227", "#d14a7c", "#5d8aa8")
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .grid { stroke: #8886; stroke-width: 0.7 }
  .line { fill: none; stroke-width: 2 }
  .peer { stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) { text { fill: #d8dee4 } }
"""


def draw(directory, cells):
    """Writes time.svg and memory.svg, as far as the cells have something of several sizes."""
    time = _series(cells, {
        ("sync", "seconds"): "first find, from the service",
        ("growth", "find fresh"): "find, fresh mount", ("growth", "find warm"): "find, warm",
        ("growth", "grep -r fresh"): "grep -r, fresh mount", ("growth", "grep -r warm"): "grep -r, warm",
        ("mount", "ready"): "mount until ready",
    })
    memory = _series(cells, {
        ("memory", "idle, RSS"): "RSS, just mounted", ("memory", "after find, RSS"): "RSS after find",
        ("memory", "after FORGET, RSS"): "RSS after FORGET", ("memory", "all open, RSS"): "RSS, all files open",
        ("sync", "bytes on disk"): "cache on disk",
    })
    for name, title, unit, series in (("time.svg", "Time by number of messages", "s", time), ("memory.svg", "Memory and disk by number of messages", "B", memory)):
        if any(len(points) > 1 for _, points, _ in series):
            with open(os.path.join(directory, name), "w") as f:
                f.write(chart(title, unit, series))


def _series(cells, wanted):
    """Points by name, for workfs and, dashed in the same colour, for the local disk."""
    out = []
    for (row, name), label in wanted.items():
        mine = [c for c in cells if c.row == row and c.name == name and c.n and c.value]
        out.append((label, sorted((c.n, c.value) for c in mine), False))
        theirs = sorted((c.n, c.peers["ext4"]) for c in mine if c.peers.get("ext4"))
        out.append((label + ", ext4", theirs, True))
    return out


def chart(title, unit, series):
    """An SVG of series: (label, [(x, y)], dashed); a dashed one has the colour of the one before it."""
    points = [p for _, ps, _ in series for p in ps]
    x0, x1 = (round(math.log10(f(x for x, _ in points))) for f in (min, max))
    y0, y1 = math.floor(math.log10(min(y for _, y in points))), math.ceil(math.log10(max(y for _, y in points)))
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)

    def place(x, y):
        return (LEFT + (math.log10(x) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (math.log10(y) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
           f"<style>{STYLE}</style>", f'<text class="title" x="{LEFT}" y="26">{escape(title)}</text>']
    for e in range(x0, x1 + 1):
        x, bottom = place(10**e, 10**y0)
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom:.1f}"/>')
        out.append(f'<text text-anchor="middle" x="{x:.1f}" y="{bottom + 20:.1f}">{10**e:,}</text>')
    for e in range(y0, y1 + 1):
        _, y = place(10**x0, 10**e)
        out.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        out.append(f'<text text-anchor="end" x="{LEFT - 8}" y="{y + 4:.1f}">{_tick(10**e, unit)}</text>')
    out.append(f'<text text-anchor="middle" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 14}">messages</text>')
    row, colour = 0, ""
    colours = iter(COLOURS)
    for label, ps, dashed in series:
        colour = colour if dashed else next(colours)
        if not ps:
            continue
        kind = "line peer" if dashed else "line"
        at = [place(x, y) for x, y in ps]
        out.append(f'<polyline class="{kind}" stroke="{colour}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>')
        if not dashed:
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"><title>{show(v, unit)}</title></circle>'
                    for (x, y), (_, v) in zip(at, ps)]
        y, x = TOP + 8 + 22 * row, WIDTH - RIGHT + 16
        out.append(f'<line class="{kind}" stroke="{colour}" x1="{x}" y1="{y}" x2="{x + 26}" y2="{y}"/>')
        out.append(f'<text x="{x + 32}" y="{y + 4}">{escape(label)}</text>')
        row += 1
    return "\n".join(out + ["</svg>", ""])


def _tick(value, unit):
    """A power of ten with its unit."""
    if unit == "s":
        return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
    return show(value, unit).replace(".0 ", " ")
