"""What the page's script draws: the lanes with their runs, and what the program did.

A rectangle for each run as long as there are not too many; of more, runs of a lane that lie close together become one
block, with its share of work, the function that took most of it, and the number of runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from ms.report.read import Trace

RUNS_MAX = 30_000
BLOCKS_MAX = 60_000
LANES_MAX = 256
WAITS_MAX = 4_000

# A block: start and duration in microseconds, function, job (0 for several), share of work in percent, runs.
Block = tuple[float, float, int, int, int, int]


def _lane_runs(trace: Trace) -> list[list[int]]:
    """The indices of each lane's runs, by their starts."""
    lanes: list[list[int]] = [[] for _ in trace.lanes]
    for index, lane in enumerate(trace.runs.lane):
        lanes[lane].append(index)
    for lane_runs in lanes:
        lane_runs.sort(key=trace.runs.start.__getitem__)
    return lanes


def _blocks(trace: Trace, indices: list[int], gap_us: float) -> Iterator[Block]:
    runs = trace.runs
    gathered: list[int] = []
    start = stop = 0.0

    def block() -> Block:
        if len(gathered) == 1:
            one = gathered[0]
            return (round(start, 3), round(stop - start, 3), runs.function[one], runs.job[one], 100, 1)
        work: dict[int, float] = {}
        for one in gathered:
            work[runs.function[one]] = work.get(runs.function[one], 0.0) + runs.duration[one]
        share = round(100 * min(1.0, sum(work.values()) / max(stop - start, 0.001)))
        return (round(start, 3), round(stop - start, 3), max(work, key=work.__getitem__), 0, share, len(gathered))

    for index in indices:
        begin, end = runs.start[index], runs.start[index] + runs.duration[index]
        if gathered and (begin - stop > gap_us or end - start > gap_us * 8):
            yield block()
            gathered.clear()
        if not gathered:
            start = stop = begin
        gathered.append(index)
        stop = max(stop, end)
    if gathered:
        yield block()


def _order(trace: Trace, lane: int) -> tuple[int, int]:
    return trace.lanes[lane]


def _merged_waits(trace: Trace) -> list[tuple[float, float]]:
    gap_us = trace.end / WAITS_MAX
    merged: list[tuple[float, float]] = []
    for start, duration, _ in sorted(trace.waits):
        if merged and start - (merged[-1][0] + merged[-1][1]) < gap_us:
            before = merged[-1][0]
            merged[-1] = (before, max(merged[-1][1], start + duration - before))
        else:
            merged.append((start, duration))
    return [(round(start, 3), round(duration, 3)) for start, duration in merged]


def data_of(trace: Trace) -> dict[str, object]:
    """Ready for JSON."""
    lane_runs = _lane_runs(trace)
    busy = [(sum(trace.runs.duration[i] for i in indices), lane) for lane, indices in enumerate(lane_runs) if indices]
    shown = sorted((lane for _, lane in sorted(busy, reverse=True)[:LANES_MAX]), key=lambda lane: _order(trace, lane))
    total = sum(len(lane_runs[lane]) for lane in shown)
    gap_us = 0.0 if total <= RUNS_MAX else trace.end * max(len(shown), 1) / BLOCKS_MAX
    lanes = []
    for lane in shown:
        process, thread = trace.lanes[lane]
        blocks = list(_blocks(trace, lane_runs[lane], gap_us)) if gap_us else _singles(trace, lane_runs[lane])
        lent = [] if gap_us else [(round(s, 3), round(d, 3)) for owner, s, d in trace.lent if owner == lane]
        name = trace.lane_names.get((process, thread), f"lane {thread}")
        lanes.append({"slave": process - 1, "name": name, "blocks": blocks, "lent": lent})
    marks = [
        {"at": round(story.at, 3), "slave": story.slave, "text": f"{story.kind}: job {story.job} {story.function}"}
        for story in trace.stories
        if story.kind != "cancelled"
    ]
    return {
        "end": round(trace.end, 3),
        "functions": [function.name for function in trace.functions],
        "slaves": {str(slave.number): slave.name for slave in trace.slaves.values()},
        "lanes": lanes,
        "lanes_left_out": len(busy) - len(shown),
        "merged": gap_us > 0,
        "waits": _merged_waits(trace),
        "marks": marks,
    }


def _singles(trace: Trace, indices: list[int]) -> list[Block]:
    runs = trace.runs
    return [
        (round(runs.start[i], 3), round(runs.duration[i], 3), runs.function[i], runs.job[i], 100, 1) for i in indices
    ]
