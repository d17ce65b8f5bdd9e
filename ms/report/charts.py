"""Curves and histograms as SVG, and the sums over time that they show. Knows no page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ms.report.read import Trace

BIN_COUNT = 360
WIDTH, HEIGHT = 460, 150
LEFT, BOTTOM = 46, 20


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    kind: str  # the class that colours it
    values: Sequence[float]
    filled: bool = False


def nice_step(span: float, count: int) -> float:
    """1, 2 or 5 times a power of ten, so that about `count` steps make the span."""
    if span <= 0:
        return 1.0
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)


def ticks(span: float, count: int) -> list[float]:
    step = nice_step(span, count)
    return [i * step for i in range(int(span / step + 1e-9) + 1)]


def short_time(us: float) -> str:
    """With three digits or so: 1.25 s."""
    for unit, size in (("h", 3.6e9), ("min", 6e7), ("s", 1e6), ("ms", 1e3)):
        if us >= size:
            return f"{us / size:.3g} {unit}" if us / size < 1000 else f"{us / size:.0f} {unit}"
    return f"{us:.3g} µs" if us > 0 else "0"


def short_count(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def short_bytes(value: float) -> str:
    return f"{short_count(value)}B" if value >= 1000 else f"{value:.0f} B"


def spread(spans: Sequence[tuple[float, float, float]], end: float) -> list[float]:
    """Weighted spans (from, to, weight) summed in each bin, divided by the bin's length."""
    bins = [0.0] * BIN_COUNT
    size = end / BIN_COUNT if end > 0 else 1.0
    for start, stop, weight in spans:
        first = min(max(int(start / size), 0), BIN_COUNT - 1)
        last = min(max(int(stop / size), 0), BIN_COUNT - 1)
        if first == last:
            bins[first] += (stop - start) * weight
            continue
        bins[first] += ((first + 1) * size - start) * weight
        bins[last] += (stop - last * size) * weight
        for i in range(first + 1, last):
            bins[i] += size * weight
    return [value / size for value in bins]


def sampled(points: Sequence[tuple[float, float]], end: float) -> list[float]:
    """What holds in each bin, the largest of it, of values that hold until the next point."""
    bins = [-1.0] * BIN_COUNT
    size = end / BIN_COUNT if end > 0 else 1.0
    for at, value in points:
        index = min(int(at / size), BIN_COUNT - 1)
        bins[index] = max(bins[index], value)
    held, place, result = 0.0, 0, []
    for index, value in enumerate(bins):
        result.append(max(value, held) if value >= 0 else held)
        while place < len(points) and min(int(points[place][0] / size), BIN_COUNT - 1) <= index:
            held = points[place][1]
            place += 1
    return result


def rates(points: Sequence[tuple[float, float]], end: float) -> list[float]:
    """The growth of a counter in each bin, for each second."""
    spans = []
    for (before, low), (at, high) in zip([(0.0, 0.0), *points], points):
        if at > before and high > low:
            spans.append((before, at, (high - low) / (at - before) * 1e6))
    return spread(spans, end)


def busy_slots(trace: Trace) -> list[float]:
    runs = trace.runs
    spans = [(s, s + d, 1.0) for s, d in zip(runs.start, runs.duration)]
    spans += [(start, start + duration, -1.0) for _, start, duration in trace.lent]
    return [max(value, 0.0) for value in spread(spans, trace.end)]


def _path(values: Sequence[float], top: float, filled: bool) -> str:
    step = (WIDTH - LEFT) / len(values)
    points = []
    for index, value in enumerate(values):
        y = (HEIGHT - BOTTOM) * (1 - value / top)
        points.append(f"{LEFT + index * step:.1f} {y:.1f} {LEFT + (index + 1) * step:.1f} {y:.1f}")
    line = "M" + " L".join(points)
    return f"{line} L{WIDTH} {HEIGHT - BOTTOM} L{LEFT} {HEIGHT - BOTTOM} Z" if filled else line


def chart(curves: Sequence[Curve], end: float, label: str, format_value: object = short_count) -> str:
    """Curves over the time of the run, with a scale that begins at 0."""
    assert callable(format_value)
    top = max((max(curve.values, default=0.0) for curve in curves), default=0.0) or 1.0
    step = nice_step(top, 3)
    top = step * math.ceil(top / step - 1e-9)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT + 4}" role="img" aria-label="{label}">']
    for value in ticks(top, 3):
        y = (HEIGHT - BOTTOM) * (1 - value / top)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{max(y + 4, 10):.1f}" text-anchor="end">{format_value(value)}</text>')
    for at in ticks(end, 4):
        x = LEFT + (WIDTH - LEFT) * at / end if end > 0 else LEFT
        anchor = "end" if x > WIDTH - 20 else "middle" if at else "start"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 4}" text-anchor="{anchor}">{short_time(at)}</text>')
    for curve in curves:
        kind = f"{curve.kind} filled" if curve.filled else curve.kind
        parts.append(f'<path class="{kind}" d="{_path(curve.values, top, curve.filled)}"/>')
    return "".join([*parts, "</svg>"])


def histogram(durations: Sequence[float]) -> str:
    """How often which duration: a bar for each third of a power of ten."""
    width, height, bar = 132, 26, 6
    counts: dict[int, int] = {}
    for duration in durations:
        index = math.floor(math.log10(max(duration, 0.1)) * 3)
        counts[index] = counts.get(index, 0) + 1
    low, high = min(counts), max(counts)
    middle = (low + high) // 2
    first = max(low, middle - width // bar // 2 + 1)
    largest = max(counts.values())
    parts = [f'<svg class="bars" viewBox="0 0 {width} {height}">']
    for index in range(first, min(high, first + width // bar - 1) + 1):
        count = counts.get(index, 0)
        size = max(2.0, (height - 2) * count / largest) if count else 0.0
        span = f"{short_time(10 ** (index / 3))} to {short_time(10 ** ((index + 1) / 3))}: {count}"
        x = (index - first) * bar
        parts.append(
            f'<rect x="{x}" y="{height - size:.1f}" width="{bar - 1}" height="{size:.1f}"><title>{span}</title></rect>'
        )
    return "".join([*parts, "</svg>"])
