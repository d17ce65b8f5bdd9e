"""The figures of the last run in the documents: each stands between two comments that name it, and is written anew by
`bench/run --quote`. So no figure in a table is older than `bench/results/last.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from model import in_time
from targets import Target, figure_at, judge, rows

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "docs/performance.md", "docs/scale.md", "docs/running.md")
Results = Mapping[str, object]


class Missing(Exception):
    """A figure that the last run does not have."""


def number(results: Results, *path: str) -> float:
    found = figure_at(results, path)
    if found is None:
        raise Missing(" ".join(path))
    return found


def in_words(value: float) -> str:
    """As a sentence would say it."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} million"
    return f"{value / 1000:.3g} thousand" if value >= 1e4 else f"{value:,.0f}"


def beside(results: Results, kind: str, say: Callable[[float], str], names: tuple[str, ...]) -> str:
    found = [(name, figure_at(results, ("rivals", kind, name))) for name in names]
    return ", ".join(f"{name} {say(value)}" for name, value in found if value is not None)


def microseconds(value: float) -> str:
    return f"{value:.0f} µs" if value < 1000 else f"{value / 1000:.1f} ms"


def gigabytes(value: float) -> str:
    return f"{value / 1000:.2f} GB/s"


def compiling(results: Results) -> str:
    return ", ".join(f"{number(results, 'compile', f'compile_{lines}'):.2g} s" for lines in (100, 1000, 5000))


OTHERS = ("MPI over TCP", "Erlang", "concurrent.futures", "Ray", "Dask", "HyperQueue", "Work Queue")
README: tuple[tuple[str, Callable[[Results], str], Callable[[Results], str]], ...] = (
    (
        "no-op jobs a second, two slaves of one slot",
        lambda r: in_words(number(r, "rivals", "noop", "M/s")),
        lambda r: beside(r, "noop", in_words, ("bare sockets, window 64", *OTHERS)),
    ),
    (
        "one job there and back",
        lambda r: microseconds(number(r, "rivals", "trip", "M/s")),
        lambda r: beside(r, "trip", microseconds, ("bare sockets, sleeping", *OTHERS)),
    ),
    (
        "8 MB of arguments to each job",
        lambda r: gigabytes(number(r, "rivals", "in", "M/s")),
        lambda r: beside(r, "in", gigabytes, ("bare sockets", *OTHERS)),
    ),
    (
        "8 MB of results from each job",
        lambda r: gigabytes(number(r, "rivals", "out", "M/s")),
        lambda r: beside(r, "out", gigabytes, ("bare sockets", *OTHERS)),
    ),
    (
        "from starting both programs to the first result",
        lambda r: f"{number(r, 'start', 'first_result_ms'):.1f} ms",
        lambda r: "",
    ),
    ("a pending job", lambda r: f"{number(r, 'memory', 'bytes_each'):.0f} bytes", lambda r: ""),
    ("an idle slave", lambda r: f"{number(r, 'memory', 'idle_slave_bytes') / 1e6:.1f} MB", lambda r: ""),
    (
        "a slave's program, static",
        lambda r: f"{number(r, 'start', 'bytes', 'slave') / 1e6:.2f} MB",
        lambda r: "",
    ),
    (
        "generated code, mean over the programs of `bench/code`",
        lambda r: f"{number(r, 'code', 'mean'):.2f} times the time of C at -O3",
        lambda r: "",
    ),
    ("compiling 100, 1,000, 5,000 lines", compiling, lambda r: ""),
)


def readme_table(targets: list[Target], results: Results) -> list[str]:
    lines = ["| | M/s | beside it, in the same run |", "|---|---|---|"]
    for what, ours, others in README:
        try:
            lines.append(f"| {what} | {ours(results)} | {others(results)} |")
        except Missing:
            continue
    return lines


def targets_table(targets: list[Target], results: Results) -> list[str]:
    lines = ["| | wanted | measured | |", "|---|---|---|---|"]
    for what, bound, figure, word in rows([judge(target, results) for target in targets]):
        lines.append(f"| {what} | {bound} | {figure} | {word} |")
    return lines


def table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> list[str]:
    """In Markdown."""
    rows_of_cells = [head, ("---",) * len(head), *lines]
    return [f"| {' | '.join(cells)} |" for cells in rows_of_cells]


def section(results: Results, *path: str) -> Results:
    """The record there; an empty one where nothing was measured."""
    found: object = results
    for key in path:
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def grain_tables(targets: list[Target], results: Results) -> list[str]:
    metg, lengths = section(results, "grain", "metg_us"), section(results, "grain", "efficiency")
    two = section(results, "grain", "two_of_one")
    if not metg:
        return []
    shortest = [(name, in_time(1e-6 * number(metg, name))) for name in metg]
    shares = [f"{100 * number(lengths, length):.0f} % of jobs of {in_time(1e-6 * float(length))}" for length in lengths]
    ratios = [f"{number(two, length):.2f} times at {in_time(1e-6 * float(length))}" for length in two]
    return [
        *table(("", "METG(50 %)"), shortest), "",
        f"Of the slaves' time, in M/s, useful: {', '.join(shares)}. Two slaves do as much as one {', '.join(ratios)}.",
    ]  # fmt: skip


def costs_table(targets: list[Target], results: Results) -> list[str]:
    found = section(results, "jobs")
    if "isolated" not in found or "traced" not in found:
        return []
    rates, times = ("rates", "M/s"), ("round_trip_us", "M/s")
    plain = in_words(number(found, *rates)), microseconds(number(found, *times))
    apart = in_words(number(found, "isolated", "rate")), microseconds(number(found, "isolated", "round_trip_us"))
    traced = in_words(number(found, "traced", "rate")), f"{number(found, 'traced', 'bytes_each'):.0f} bytes for a job"
    return table(
        ("", "no-op jobs a second", "round trip", "file"),
        [("as shipped", *plain, ""), ("`prog-slave --isolate`", *apart, ""), ("`--trace`", traced[0], "", traced[1])],
    )


def constants_table(targets: list[Target], results: Results) -> list[str]:
    found = section(results, "model", "constants")
    if not found:
        return []
    lines = [
        ("a job in a message with many", in_time(number(found, "job_s"))),
        ("a message more", in_time(number(found, "message_s"))),
        ("a job at many slaves of 64 slots", in_time(number(found, "shared_s"))),
        ("a heartbeat, every two seconds for each slave", in_time(number(found, "beat_s"))),
        ("a byte of arguments or results", in_time(number(found, "byte_s"))),
        ("an idle slave", f"{number(found, 'slave_bytes'):,.0f} bytes"),
    ]
    shapes = section(results, "model", "shapes")
    rates = [
        (*name.split(" x "), in_words(number(shapes, name, "rate")), f"{number(shapes, name, 'master_cpu_us'):.2f} µs")
        for name in shapes
    ]
    head = ("slaves", "slots of each", "no-op jobs a second", "master's processors, a job")
    return [*table(("of the master", ""), lines), "", *table(head, rates)]


def model_table(targets: list[Target], results: Results) -> list[str]:
    found = section(results, "model", "shortest_s")
    lines = []
    for slots in found:
        pairs = [section(found, slots)[way] for way in ("single", "machines", "tree")]
        cells = [
            " / ".join(in_time(float("inf") if value is None else value) for value in pair)
            for pair in pairs
            if isinstance(pair, list)
        ]
        lines.append((f"{int(slots):,}", *cells))
    head = ("slots", "one master, single slots", "slaves of 64 slots", "relays of 100 slots")
    return table(head, lines) if lines else []


def simulation_table(targets: list[Target], results: Results) -> list[str]:
    found = section(results, "model", "simulated")
    lines = [
        (f"{int(slots):,}", *(f"{100 * number(found, slots, way):.0f} %" for way in ("single", "tree")))
        for slots in found
    ]
    return table(("slots", "one master, single slots", "relays of 100 slots"), lines) if lines else []


def code_table(targets: list[Target], results: Results) -> list[str]:
    found = section(results, "code")
    lines = []
    for name in found:
        kinds = section(found, name)
        if not kinds:
            continue
        compilers = [each for each in ("gcc", "clang") if each in kinds]
        fastest = min(number(kinds, each) for each in compilers)
        cells = [f"{number(kinds, kind):.3f} s" for kind in ("ms", *compilers)]
        ratios = [f"{number(kinds, kind) / fastest:.2f}" for kind in ("ms", "unchecked")]
        lines.append((f"`{name}`", *cells, *ratios))
    if not lines:
        return []
    columns = [f"{each} -O3" for each in ("gcc", "clang") if each in section(found, "nbody")]
    return table(("", "M/s", *columns, "ratio", "unchecked"), lines)


QUOTES: dict[str, Callable[[list[Target], Results], list[str]]] = {
    "figures": readme_table,
    "targets": targets_table,
    "grain": grain_tables,
    "code": code_table,
    "costs": costs_table,
    "constants": constants_table,
    "model": model_table,
    "simulation": simulation_table,
}


def renewed(text: str, targets: list[Target], results: Results) -> str:
    """`text` with what stands between `<!-- bench NAME -->` and `<!-- end -->` made from the results."""

    def replace(match: re.Match[str]) -> str:
        try:
            lines = QUOTES[match[1]](targets, results)
        except Missing:  # the last run was of an older benchmark
            return match[0]
        return "\n".join([f"<!-- bench {match[1]} -->", *lines, "<!-- end -->"])

    return re.sub(r"<!-- bench (\w+) -->\n.*?<!-- end -->", replace, text, flags=re.DOTALL)


def write(directory: Path, targets: list[Target]) -> None:
    results = json.loads((directory / "last.json").read_text())
    for name in DOCUMENTS:
        path = ROOT / name
        if path.exists():
            path.write_text(renewed(path.read_text(), targets, results))
