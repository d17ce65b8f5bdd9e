"""The picture of M/s beside the systems that people use: four panels of bars on logarithmic scales, as SVG.

It brings its own colours for dark and for light surroundings and needs nothing but the results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

from targets import figure_at

PANELS = (
    ("noop", "jobs that do nothing, a second", "more is better"),
    ("trip", "one job there and back", "less is better"),
    ("in", "8 MB of arguments", "more is better"),
    ("out", "8 MB of results", "more is better"),
)
PANEL_WIDTH, LABEL_WIDTH, VALUE_WIDTH = 460, 170, 62
ROW, HEAD, FOOT, GAP = 20, 46, 22, 20
BAR = 13
STYLE = """
svg { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --ours: #0969da; --bare: #8c6fd8; --other: #9aa4af; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #30363d; --ours: #4493f8; --bare: #a68aee; --other: #656c76; }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink); }
.title { font-weight: 600; font-size: 13px; }
.soft { fill: var(--soft); font-size: 11px; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.value { stroke: var(--paper); stroke-width: 3; paint-order: stroke; }
.paper { fill: var(--paper); }
.line { stroke: var(--line); stroke-width: 1; }
.ours { fill: var(--ours); }
.bare { fill: var(--bare); }
.other { fill: var(--other); }
.name-ours { font-weight: 600; }
"""  # noqa: E501


def short_number(value: float) -> str:
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {sign}"
    return f"{value:.3g} "


def label(kind: str, value: float) -> str:
    """A figure with its unit: times in seconds, payloads in bytes a second. Rates have none, since M/s would be one."""
    if kind == "noop":
        return short_number(value).strip()
    if kind == "trip":
        return f"{value:.3g} µs" if value < 1000 else f"{value / 1000:.3g} ms"
    return short_number(value * 1e6) + "B/s"


def systems_of(results: Mapping[str, object], kind: str) -> list[tuple[str, float]]:
    """The names and figures of one kind, the best first."""
    rivals = results.get("rivals")
    found = rivals.get(kind) if isinstance(rivals, Mapping) else None
    if not isinstance(found, Mapping):
        return []
    figures = [(name, figure_at(found, (name,))) for name in found]
    known = [(name, figure) for name, figure in figures if figure is not None and figure > 0]
    return sorted(known, key=lambda item: item[1], reverse=kind != "trip")


def bars(kind: str, systems: list[tuple[str, float]]) -> list[str]:
    """One panel's bars from (0, HEAD) downwards, on a scale of whole decades around all of them."""
    low = math.floor(math.log10(min(value for _, value in systems)) - 0.3)
    high = max(math.ceil(math.log10(max(value for _, value in systems))), low + 1)
    width = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
    bottom = HEAD + ROW * len(systems)
    parts = []
    step = 1 if high - low <= 5 else 2
    for decade in range(low, high + 1, step):
        x = LABEL_WIDTH + width * (decade - low) / (high - low)
        parts.append(f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 4}" y2="{bottom}"/>')
        parts.append(f'<text class="soft middle" x="{x:.1f}" y="{bottom + 14}">{label(kind, 10.0**decade)}</text>')
    for index, (name, value) in enumerate(systems):
        y = HEAD + ROW * index
        length = width * (math.log10(value) - low) / (high - low)
        style = "ours" if name == "M/s" else "bare" if name.startswith("bare") else "other"
        parts.append(f'<text class="end name-{style}" x="{LABEL_WIDTH - 8}" y="{y + 11}">{escape(name)}</text>')
        parts.append(f'<rect class="{style}" x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
        parts.append(f'<text class="value" x="{LABEL_WIDTH + length + 5:.1f}" y="{y + 11}">{label(kind, value)}</text>')
    return parts


def machine_words(results: Mapping[str, object]) -> str:
    machine = results.get("machine")
    if not isinstance(machine, Mapping):
        return ""
    return f"{machine.get('cores')} cores, {machine.get('cpu')}; master and two workers on it; logarithmic scales"


def picture_of(results: Mapping[str, object]) -> str:
    """Two panels beside each other, two rows of them; kinds that were not measured are left out."""
    panels = [(kind, title, sense, systems_of(results, kind)) for kind, title, sense in PANELS]
    panels = [panel for panel in panels if panel[3]]
    parts, y = [], 8
    for first in range(0, len(panels), 2):
        row = panels[first : first + 2]
        for column, (kind, title, sense, systems) in enumerate(row):
            parts.append(f'<g transform="translate({8 + column * (PANEL_WIDTH + GAP)},{y})">')
            parts.append(f'<text class="title" x="8" y="18">{title}</text>')
            parts.append(f'<text class="soft" x="8" y="34">{sense}</text>')
            parts += [*bars(kind, systems), "</g>"]
        y += HEAD + FOOT + ROW * max(len(systems) for *_, systems in row) + GAP
    width, height = 2 * PANEL_WIDTH + GAP + 16, y + 18
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    words = f'<text class="soft" x="16" y="{y + 6}">{escape(machine_words(results))}</text>'
    paper = f'<rect class="paper" width="{width}" height="{height}"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", paper, *parts, words, "</svg>"]) + "\n"
