"""The published rules of Chrome's trace events, as far as they say what a viewer may rely on.

What an event of each phase must have, what pairs with what and in which order, what nests. What the events of M/s mean
is left to test_trace.py. Times are compared as the microseconds with three decimals that they are written as.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from watching import Event

PHASES = frozenset("BEXibesftMC")
# Of metadata: the name, and the argument that says it.
METADATA = {
    "process_name": ("name", str), "process_labels": ("labels", str), "process_sort_index": ("sort_index", int),
    "thread_name": ("name", str), "thread_sort_index": ("sort_index", int),
}  # fmt: skip


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def nanoseconds(event: Event, field: str = "ts") -> int:
    return round(event[field] * 1000)


def of_an_event(event: Event) -> Iterator[str]:
    """What is wrong with it alone."""
    phase = event.get("ph")
    if not isinstance(phase, str) or phase not in PHASES:
        yield "no such phase"
        return
    for field in ("pid", "tid"):
        if not isinstance(event.get(field), int):
            yield f"no {field}"
    if not isinstance(event.get("name"), str) or not event["name"]:
        yield "no name"
    if not isinstance(event.get("args", {}), dict):
        yield "args that are no object"
    if phase == "M" and event.get("name", "").startswith("ms_"):
        return  # ours: viewers pass over metadata that they do not know
    if phase == "M":
        field, kind = METADATA.get(event.get("name", ""), ("", object))
        if not field or not isinstance(event.get("args", {}).get(field), kind):
            yield "metadata that does not exist, or says nothing"
        return
    if not is_number(event.get("ts")) or event["ts"] < 0:
        yield "no time"
    if phase == "X" and (not is_number(event.get("dur")) or event["dur"] < 0):
        yield "no duration"
    if phase == "i" and event.get("s", "t") not in ("g", "p", "t"):
        yield "no such scope"
    if phase == "C" and not (event.get("args") and all(map(is_number, event["args"].values()))):
        yield "a counter without numbers"
    if phase in "besft" and ("cat" not in event or not isinstance(event.get("id"), int | str)):
        yield "no id, or no category"


def of_lanes(events: Sequence[Event]) -> Iterator[str]:
    """Slices of one lane lie inside each other or apart; each B has its E. Lanes and processes have names."""
    lanes: dict[tuple[int, int], list[Event]] = defaultdict(list)
    named = {(e["name"], e["pid"], e["tid"] if e["name"].startswith("thread") else 0) for e in events if e["ph"] == "M"}
    for event in events:
        if event["ph"] in "BEX":
            lanes[event["pid"], event["tid"]].append(event)
        if event["ph"] != "M" and ("process_name", event["pid"], 0) not in named:
            yield f"process {event['pid']} has no name"
    for (process, lane), inside in lanes.items():
        if ("thread_name", process, lane) not in named:
            yield f"lane {lane} of process {process} has no name"
        begun = [event["name"] for event in inside if event["ph"] == "B"]
        if len(begun) != sum(event["ph"] == "E" for event in inside):
            yield f"lane {lane} of process {process} has a B without an E"
        ends: list[int] = []
        slices = [(nanoseconds(event), nanoseconds(event, "dur")) for event in inside if event["ph"] == "X"]
        for start, duration in sorted(slices, key=lambda one: (one[0], -one[1])):
            while ends and ends[-1] <= start:
                ends.pop()
            if ends and start + duration > ends[-1]:
                yield f"slices of lane {lane} of process {process} overlap at {start} ns"
            ends.append(start + duration)


def of_pairs(events: Sequence[Event]) -> Iterator[str]:
    """Spans: a b and an e of one name for each id, in this order, as often as one likes, one behind the other."""
    spans: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in events:
        if event["ph"] in "be":
            spans[event["cat"], event["id"], event["name"], event["pid"]].append(event)
    for key, parts in spans.items():
        ordered = sorted(parts, key=nanoseconds)
        phases = [event["ph"] for event in parts]
        if phases != ["b", "e"] * (len(parts) // 2) or list(map(nanoseconds, parts)) != list(map(nanoseconds, ordered)):
            yield f"a span does not begin and end: {key}"


def of_flows(events: Sequence[Event]) -> Iterator[str]:
    """Arrows: an s, then any t, then at most one f, later and later; each end lies in or at a slice."""
    flows: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    slices: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        if event["ph"] in "stf":
            flows[event["cat"], event["name"], event["id"]].append(event)
        elif event["ph"] == "X":
            start = nanoseconds(event)
            slices[event["pid"], event["tid"]].append((start, start + nanoseconds(event, "dur")))
    for key, parts in flows.items():
        ordered = sorted(parts, key=lambda event: (nanoseconds(event), "stf".index(event["ph"])))
        phases = "".join(event["ph"] for event in ordered)
        if phases.strip("t")[:1] != "s" or phases[0] != "s" or phases.count("s") != 1 or "f" in phases[:-1]:
            yield f"an arrow goes {phases}: {key}"
        if any(nanoseconds(left) > nanoseconds(right) for left, right in pairwise(ordered)):
            yield f"an arrow goes back: {key}"
        for event in parts:
            at = nanoseconds(event)
            if not any(low <= at <= high for low, high in slices[event["pid"], event["tid"]]):
                yield f"an arrow's end {event['ph']} lies in no slice: {key}"


def complaints(events: Sequence[Event]) -> list[str]:
    """All that is wrong with a trace."""
    alone = [f"{words}: {event}" for event in events for words in of_an_event(event)]
    return alone or [words for rule in (of_lanes, of_pairs, of_flows) for words in rule(events)]
