"""The page: words, tables and figures put together. Everything that comes from the trace is escaped here."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path

from ms.report.charts import (
    Curve,
    busy_slots,
    chart,
    histogram,
    rates,
    sampled,
    short_bytes,
    short_count,
    short_time,
)  # fmt: skip
from ms.report.read import LINES_MAX, STORIES_MAX, Function, Slave, Story, Trace
from ms.report.timeline import data_of

ROOM = Path(__file__).resolve().parent
LONGEST_COUNT = 15
COLOUR_COUNT = 10


def page_of(trace: Trace) -> str:
    """A whole HTML page that loads nothing."""
    style = (ROOM / "page.css").read_text(encoding="utf-8")
    script = (ROOM / "page.js").read_text(encoding="utf-8")
    data = json.dumps(data_of(trace), separators=(",", ":")).replace("<", "\\u003c")
    sections = [
        _head(trace), _cards(trace), _time_line(trace), _figures(trace), _function_table(trace), _slave_table(trace),
        _stories(trace), _longest(trace), _log(trace),
    ]  # fmt: skip
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(trace.program)} – a run</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"{''.join(sections)}</main>\n<script>\nconst data = {data};\n{script}</script>\n</body>\n</html>\n"
    )


# Words


def _section(title: str, note: str, *content: str) -> str:
    remark = f'<p class="note">{note}</p>' if note else ""
    return f"<section>\n<h2>{title}</h2>{remark}\n{''.join(content)}\n</section>\n"


def _table(heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Heads are text and class ("n" for numbers); cells are HTML."""
    top = "".join(f'<th class="{kind}">{escape(text)}</th>' for text, kind in heads)
    kinds = [kind for _, kind in heads]
    lines = ("".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(kinds, row)) for row in rows)
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _swatch(index: int) -> str:
    return f'<i class="swatch c{index % COLOUR_COUNT}"></i>'


def _head(trace: Trace) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(trace.started))
    remarks = []
    if not trace.whole:
        remarks.append("The trace has no end: the master was killed, or is still running.")
    if trace.left_out:
        remarks.append(f"{trace.left_out} events are missing: the disk did not keep up.")
    shown = "".join(f'<p class="warning">{remark}</p>' for remark in remarks)
    return f'<header><h1>{escape(trace.program)}</h1><p class="note">a run of {when}</p>{shown}</header>\n'


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole > 0 else "–"


def _slot_us(trace: Trace, slave: Slave) -> float:
    """The time of its slots."""
    return slave.slots * max((slave.left if slave.left is not None else trace.end) - slave.joined, 0.0)


def _cards(trace: Trace) -> str:
    busy = sum(slave.busy_us for slave in trace.slaves.values())
    there = sum(_slot_us(trace, slave) for slave in trace.slaves.values())
    retries = trace.story_counts["cut off"] + trace.story_counts["crashed"]
    failed = trace.story_counts["failed"]
    jobs = trace.remote_count + trace.spawn_count
    waited = sum(duration for _, duration, _ in trace.waits)
    cards = [
        ("time", short_time(trace.end), f"the program waited {_share(waited, trace.end)} of it", ""),
        ("jobs", short_count(jobs), f"{trace.spawn_count} started by jobs" if trace.spawn_count else "started", ""),
        ("computed", short_time(busy), f"{busy / trace.end:.1f} at a time" if trace.end else "", ""),
        ("slots in use", _share(busy, there), f"{len(trace.slaves)} slaves in all", ""),
        ("failed", str(failed), f"{trace.story_counts['cancelled']} cancelled", "bad" if failed else ""),
        ("attempts lost", str(retries), "with their slaves or workers", "bad" if retries else ""),
    ]
    shown = "".join(
        f'<div class="card {kind}"><b>{name}</b><span>{value}</span><small>{remark}</small></div>'
        for name, value, remark, kind in cards
    )
    return f'<div class="cards">{shown}</div>\n'


# Figures


def _time_line(trace: Trace) -> str:
    if not trace.runs.start:
        return _section("Time line", "No job has run.")
    by_work = sorted(range(len(trace.functions)), key=lambda i: -sum(trace.functions[i].durations))
    legend = "".join(f"<span>{_swatch(i)}{escape(trace.functions[i].name)}</span>" for i in by_work[:16])
    note = "Drag to look closer, double-click to see all of it again. Hatched: the job had lent its slot."
    tools = '<div class="tools"><button id="all" hidden>show all</button><span id="range"></span></div>'
    canvas = '<div id="line"><canvas></canvas><div id="tip" hidden></div></div>'
    return _section("Time line", note, f'<div class="legend">{legend}</div>', tools, canvas)


def _figure(title: str, legend: Sequence[tuple[str, str]], picture: str) -> str:
    names = "".join(f'<span><i class="swatch {kind}"></i>{name}</span>' for kind, name in legend)
    return f'<figure><figcaption><b>{title}</b><span class="legend">{names}</span></figcaption>{picture}</figure>'


def _figures(trace: Trace) -> str:
    end = trace.end
    slots = sampled([(at, float(count)) for at, count in trace.slots], end)
    use = [Curve("busy", "k0", busy_slots(trace), filled=True), Curve("slots", "k3", slots)]
    pending = sampled([(at, float(p)) for at, p, _, _ in trace.counts], end)
    waiting = sampled([(at, float(w)) for at, _, w, _ in trace.counts], end)
    running = sampled([(at, float(r)) for at, _, _, r in trace.counts], end)
    jobs = [
        Curve("pending", "k1", pending, filled=True), Curve("waiting", "k2", waiting), Curve("running", "k0", running),
    ]  # fmt: skip
    to = rates([(at, float(sent)) for at, sent, _ in trace.bytes], end)
    back = rates([(at, float(got)) for at, _, got in trace.bytes], end)
    transfers = [Curve("to", "k0", to, filled=True), Curve("from", "k1", back)]
    figures = [
        _figure("Slots in use", [("k0", "busy"), ("k3", "there")], chart(use, end, "slots in use over time")),
        _figure(
            "Jobs", [("k1", "pending"), ("k2", "waiting for results"), ("k0", "with slaves")],
            chart(jobs, end, "jobs over time"),
        ),
        _figure(
            "Bytes a second", [("k0", "to slaves"), ("k1", "from slaves")],
            chart(transfers, end, "bytes over time", short_bytes),
        ),
    ]  # fmt: skip
    total_to, total_from = (trace.bytes[-1][1], trace.bytes[-1][2]) if trace.bytes else (0, 0)
    note = f"{short_bytes(total_to)} went to slaves, {short_bytes(total_from)} came from them."
    return _section("Over time", note, f'<div class="figures">{"".join(figures)}</div>')


# Tables


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _function_row(index: int, function: Function) -> list[str]:
    ordered = sorted(function.durations)
    count = len(ordered)
    bad = sum(number for end, number in function.ends.items() if end in ("failed", "crashed"))
    return [
        f"{_swatch(index)}<code>{escape(function.name)}</code>", str(count), short_time(sum(ordered)),
        short_time(sum(ordered) / count), short_time(_quantile(ordered, 0.5)), short_time(_quantile(ordered, 0.99)),
        short_time(ordered[-1]), histogram(ordered), short_time(function.queue_us / count),
        short_time(function.there_us / count), short_time(function.back_us / count),
        short_bytes(function.arguments / count), short_bytes(function.results / count),
        f'<b class="bad">{bad}</b>' if bad else "0",
    ]  # fmt: skip


def _function_table(trace: Trace) -> str:
    heads = [
        ("function", ""), ("runs", "n"), ("in all", "n"), ("mean", "n"), ("median", "n"), ("99 %", "n"),
        ("longest", "n"), ("how long", ""), ("queued", "n"), ("way there", "n"), ("way back", "n"),
        ("arguments", "n"), ("result", "n"), ("failed", "n"),
    ]  # fmt: skip
    order = sorted(range(len(trace.functions)), key=lambda i: -sum(trace.functions[i].durations))
    note = (
        "Sorted by the time that their runs took in all, with what they waited for jobs of their own. "
        "From “queued” on: means. Bars go from short runs to long ones."
    )
    return _section("Functions", note, _table(heads, (_function_row(i, trace.functions[i]) for i in order)))


def _slave_row(trace: Trace, slave: Slave) -> list[str]:
    there = _slot_us(trace, slave)
    share = 100 * slave.busy_us / there if there > 0 else 0.0
    bar = f'<div class="meter"><i style="width:{min(share, 100):.1f}%"></i></div>{share:.0f} %'
    left = "–" if slave.left is None else f"{short_time(slave.left)}: {escape(slave.why)}"
    count = max(slave.run_count, 1)
    return [
        f"<code>{escape(slave.name)}</code>", str(slave.slots), short_time(slave.joined), left, str(slave.run_count),
        short_time(slave.busy_us), bar, short_time(slave.there_us / count), short_time(slave.back_us / count),
        short_bytes(slave.arguments), short_bytes(slave.results),
        f'<b class="bad">{slave.cut_count}</b>' if slave.cut_count else "0",
    ]  # fmt: skip


def _slave_table(trace: Trace) -> str:
    heads = [
        ("slave", ""), ("slots", "n"), ("joined", "n"), ("left", ""), ("runs", "n"), ("computed", "n"), ("in use", ""),
        ("way there", "n"), ("way back", "n"), ("arguments", "n"), ("results", "n"), ("attempts lost", "n"),
    ]  # fmt: skip
    slaves = sorted(trace.slaves.values(), key=lambda slave: slave.number)
    return _section("Slaves", "", _table(heads, (_slave_row(trace, slave) for slave in slaves)))


def _story_row(trace: Trace, story: Story) -> list[str]:
    slave = trace.slaves.get(story.slave)
    where = escape(slave.name) if slave is not None and story.slave > 0 else "–"
    more = f"<pre>{escape(story.story)}</pre>" if story.story and story.story != story.message else ""
    attempt = str(story.attempt) if story.attempt else ""
    what = f'<b class="bad">{story.kind}</b>' if story.kind != "cancelled" else story.kind
    function = f"<code>{escape(story.function)}</code>"
    message = f"{escape(story.message)}{more}"
    return [short_time(story.at), what, str(story.job), function, where, attempt, message]


def _stories(trace: Trace) -> str:
    if not trace.stories:
        return _section("What went wrong", "Nothing: no job failed, was cancelled or had to run again.")
    heads = [("at", "n"), ("what", ""), ("job", "n"), ("function", ""), ("slave", ""), ("attempt", "n"), ("why", "")]
    total = sum(trace.story_counts.values())
    note = ", ".join(f"{count} {kind}" for kind, count in trace.story_counts.most_common())
    if total > STORIES_MAX:
        note += f"; the first {STORIES_MAX} of {total}"
    return _section("What went wrong", note + ".", _table(heads, (_story_row(trace, one) for one in trace.stories)))


def _longest(trace: Trace) -> str:
    runs = trace.runs
    order = sorted(range(len(runs.duration)), key=lambda i: -runs.duration[i])[:LONGEST_COUNT]
    heads = [("job", "n"), ("function", ""), ("took", "n"), ("began", "n"), ("slave", ""), ("lane", "")]

    def row(index: int) -> list[str]:
        process, thread = trace.lanes[runs.lane[index]]
        slave = trace.slaves.get(process - 1)
        function = runs.function[index]
        return [
            str(runs.job[index]), f"{_swatch(function)}<code>{escape(trace.functions[function].name)}</code>",
            short_time(runs.duration[index]), short_time(runs.start[index]),
            escape(slave.name) if slave is not None else "–", escape(trace.lane_names.get((process, thread), "")),
        ]  # fmt: skip

    return _section("Longest runs", "", _table(heads, (row(i) for i in order))) if order else ""


def _log(trace: Trace) -> str:
    if not trace.lines:
        return ""
    format_line: Callable[[tuple[float, str]], str] = lambda line: f"{short_time(line[0]):>9}  {escape(line[1])}\n"  # noqa: E731
    note = f"The first {LINES_MAX} lines." if len(trace.lines) >= LINES_MAX else ""
    return _section("Log", note, f"<pre>{''.join(map(format_line, trace.lines))}</pre>")
