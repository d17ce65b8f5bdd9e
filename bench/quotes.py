"""The figures of the last run in the documents: each stands between two comments that name it, and is written anew by
`bench/run --quote`. So no figure in a table is older than `bench/results/last.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

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
    for size, word in ((1e6, "million"), (1e3, "thousand")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{value:.3g}"


def beside(results: Results, kind: str, say: Callable[[float], str], names: tuple[str, ...]) -> str:
    found = [(name, figure_at(results, ("rivals", kind, name))) for name in names]
    return ", ".join(f"{name} {say(value)}" for name, value in found if value is not None)


def microseconds(value: float) -> str:
    return f"{value:.0f} µs" if value < 1000 else f"{value / 1000:.1f} ms"


def gigabytes(value: float) -> str:
    return f"{value / 1000:.2f} GB/s"


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
    (
        "a million pending jobs",
        lambda r: f"{number(r, 'memory', 'pending_bytes') / 1e6:.0f} MB",
        lambda r: "",
    ),
    ("an idle slave", lambda r: f"{number(r, 'memory', 'idle_slave_bytes') / 1e6:.1f} MB", lambda r: ""),
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


QUOTES: dict[str, Callable[[list[Target], Results], list[str]]] = {"figures": readme_table, "targets": targets_table}


def renewed(text: str, targets: list[Target], results: Results) -> str:
    """`text` with what stands between `<!-- bench NAME -->` and `<!-- end -->` made from the results."""

    def replace(match: re.Match[str]) -> str:
        lines = QUOTES[match[1]](targets, results)
        return "\n".join([f"<!-- bench {match[1]} -->", *lines, "<!-- end -->"])

    return re.sub(r"<!-- bench (\w+) -->\n.*?<!-- end -->", replace, text, flags=re.DOTALL)


def write(directory: Path, targets: list[Target]) -> None:
    results = json.loads((directory / "last.json").read_text())
    for name in DOCUMENTS:
        path = ROOT / name
        if path.exists():
            path.write_text(renewed(path.read_text(), targets, results))
