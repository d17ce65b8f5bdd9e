"""From the lines of a trace (runtime/c/master/trace_text.c writes them) to what a report tells.

Traces may have millions of lines: they are read one by one, those that a report has no use for are not parsed, and runs
are kept in arrays. A trace without its end, of a master that was killed, is read as far as it goes.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Event = dict[str, Any]

STORIES_MAX = 500
LINES_MAX = 1000
MASTER = 1


class NoTrace(Exception):
    """The file is no trace of ours; the text says what is wrong with it."""


@dataclass(slots=True)
class Function:
    """All runs of the jobs of one function; times in microseconds."""

    name: str
    durations: array[float] = field(default_factory=lambda: array("d"))
    ends: Counter[str] = field(default_factory=Counter)
    queue_us: float = 0.0
    there_us: float = 0.0
    back_us: float = 0.0
    arguments: int = 0
    results: int = 0


@dataclass(slots=True)
class Slave:
    number: int
    name: str
    slots: int
    joined: float = 0.0
    left: float | None = None
    why: str = ""
    run_count: int = 0
    cut_count: int = 0
    busy_us: float = 0.0
    there_us: float = 0.0
    back_us: float = 0.0
    arguments: int = 0
    results: int = 0


@dataclass(slots=True)
class Story:
    """Something that went wrong: a job that failed, or an attempt that was cut off."""

    at: float
    kind: str
    function: str
    job: int
    slave: int
    attempt: int
    message: str
    story: str = ""


@dataclass(slots=True)
class Runs:
    """One run has the same index in each; `lane` and `function` are indices, too."""

    start: array[float] = field(default_factory=lambda: array("d"))
    duration: array[float] = field(default_factory=lambda: array("d"))
    lane: array[int] = field(default_factory=lambda: array("L"))
    function: array[int] = field(default_factory=lambda: array("L"))
    job: array[int] = field(default_factory=lambda: array("Q"))


@dataclass(slots=True)
class Trace:
    program: str = ""
    started: int = 0
    whole: bool = False
    left_out: int = 0
    end: float = 0.0
    functions: list[Function] = field(default_factory=list)
    slaves: dict[int, Slave] = field(default_factory=dict)
    lanes: list[tuple[int, int]] = field(default_factory=list)  # process and thread
    lane_names: dict[tuple[int, int], str] = field(default_factory=dict)
    runs: Runs = field(default_factory=Runs)
    lent: list[tuple[int, float, float]] = field(default_factory=list)  # lane, start, duration
    waits: list[tuple[float, float, str]] = field(default_factory=list)  # of the program: start, duration, what for
    counts: list[tuple[float, int, int, int]] = field(default_factory=list)  # at, pending, waiting, running
    slots: list[tuple[float, int]] = field(default_factory=list)
    bytes: list[tuple[float, int, int]] = field(default_factory=list)  # at, to slaves, from slaves
    stories: list[Story] = field(default_factory=list)
    story_counts: Counter[str] = field(default_factory=Counter)
    lines: list[tuple[float, str]] = field(default_factory=list)
    remote_count: int = 0
    spawn_count: int = 0


@dataclass(slots=True)
class _Reader:
    trace: Trace
    function_of: dict[str, int] = field(default_factory=dict)
    lane_of: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        match event["ph"]:
            case "X":
                self._slice(event)
            case "i":
                self._instant(event)
            case "C":
                self._counter(event)
            case "M":
                self._metadata(event)
            case _:
                pass

    def _moment(self, at: float) -> float:
        self.trace.end = max(self.trace.end, at)
        return at

    def _lane(self, event: Event) -> int:
        key = (event["pid"], event["tid"])
        if key not in self.lane_of:
            self.lane_of[key] = len(self.trace.lanes)
            self.trace.lanes.append(key)
        return self.lane_of[key]

    def _slave(self, process: int) -> Slave:
        number = process - 1
        if number not in self.trace.slaves:
            name = "the master itself (--local)" if process == MASTER else f"slave {number}"
            self.trace.slaves[number] = Slave(number, name, 1)
        return self.trace.slaves[number]

    def _function(self, name: str) -> int:
        if name not in self.function_of:
            self.function_of[name] = len(self.trace.functions)
            self.trace.functions.append(Function(name))
        return self.function_of[name]

    def _slice(self, event: Event) -> None:
        start, duration, category = float(event["ts"]), float(event["dur"]), event.get("cat")
        self._moment(start + duration)
        if category == "run":
            self._run(event, start, duration)
        elif category == "lent":
            self.trace.lent.append((self._lane(event), start, duration))
            self._slave(event["pid"]).busy_us -= duration
        elif category == "wait":
            self.trace.waits.append((start, duration, str(event["name"])))

    def _run(self, event: Event, start: float, duration: float) -> None:
        args, runs = event["args"], self.trace.runs
        index = self._function(event["name"])
        function, slave = self.trace.functions[index], self._slave(event["pid"])
        runs.start.append(start)
        runs.duration.append(duration)
        runs.lane.append(self._lane(event))
        runs.function.append(index)
        runs.job.append(args["job"])
        function.durations.append(duration)
        function.ends[args["end"]] += 1
        function.queue_us += args["queue_us"]
        slave.run_count += 1
        slave.busy_us += duration
        for owner in (function, slave):
            owner.there_us += args["there_us"]
            owner.back_us += args["back_us"]
            owner.arguments += args["arguments"]
            owner.results += args["result"]
        if args["end"] == "crashed":
            slave.cut_count += 1
            self._story(event, "crashed", "its worker died")

    def _story(self, event: Event, kind: str, message: str, story: str = "") -> None:
        args = event["args"]
        self.trace.story_counts[kind] += 1
        if len(self.trace.stories) < STORIES_MAX:
            name = str(event["name"]).rpartition(" ")[2]
            attempt = args.get("attempt", 0)
            at = float(event["ts"]) + float(event.get("dur", 0))
            found = Story(at, kind, name, args["job"], event["pid"] - 1, attempt, message, story)
            self.trace.stories.append(found)

    def _instant(self, event: Event) -> None:
        at, args = self._moment(float(event["ts"])), event["args"]
        match event.get("cat"):
            case "slave":
                slave = self._slave(event["pid"])
                if event["name"] == "joined":
                    slave.joined = at
                else:
                    slave.left, slave.why = at, args["why"] or "left in good order"
            case "failure":
                self._story(event, "failed", args["message"], args["story"])
            case "cancel":
                self._story(event, "cancelled", "")
            case "cut":
                self._slave(event["pid"]).cut_count += 1
                self._story(event, "cut off", args["why"])
            case "log" if len(self.trace.lines) < LINES_MAX:
                self.trace.lines.append((at, args["line"]))
            case _:
                pass

    def _counter(self, event: Event) -> None:
        at, args = self._moment(float(event["ts"])), event["args"]
        match event["name"]:
            case "jobs":
                self.trace.counts.append((at, args["pending"], args["waiting"], args["running"]))
            case "slaves":
                self.trace.slots.append((at, args["slots"]))
            case "bytes":
                self.trace.bytes.append((at, args["to slaves"], args["from slaves"]))
            case _:
                pass

    def _metadata(self, event: Event) -> None:
        args = event["args"]
        match event["name"]:
            case "ms_run":
                self.trace.program, self.trace.started = str(args["program"]), int(args["started"])
            case "ms_end":
                self.trace.whole, self.trace.left_out = True, int(args["left_out"])
            case "process_name" if event["pid"] != MASTER:
                name = str(args["name"]).removeprefix("slave ")
                self.trace.slaves[event["pid"] - 1] = Slave(event["pid"] - 1, name, args["slots"])
            case "thread_name":
                self.trace.lane_names[event["pid"], event["tid"]] = str(args["name"])
            case _:
                pass


# Spans and flows draw what the arguments of runs say as well.
_OF_NO_USE = tuple(f'{{"ph":"{phase}"' for phase in "bestf")
_REMOTE = '"cat":"remote"'
_SPAWN = '"cat":"spawn"'


def _events(path: Path, trace: Trace) -> Iterator[Event]:
    """The events that are of use. Only the last line may be cut short."""
    cut_at = 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = next(lines, "")
        if first.strip() != "[":
            raise NoTrace("is no trace: it does not begin as prog-master --trace begins one")
        for number, line in enumerate(lines, 2):
            if cut_at:
                raise NoTrace(f"is damaged: line {cut_at} is no event")
            if line.startswith(_OF_NO_USE) or line.startswith("]"):
                continue
            if line.startswith('{"ph":"X"') and (_REMOTE in line or _SPAWN in line):
                trace.remote_count += _REMOTE in line
                trace.spawn_count += _SPAWN in line
                continue
            try:
                yield json.loads(line.rstrip().rstrip(","))
            except ValueError:
                cut_at = number


def read_trace(path: Path) -> Trace:
    trace = Trace()
    reader = _Reader(trace)
    try:
        for event in _events(path, trace):
            reader.add(event)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise NoTrace(f"is damaged: an event is none of ours ({type(error).__name__}: {error})") from error
    if not trace.program:
        raise NoTrace("is no trace: it does not say which program was run")
    return trace
