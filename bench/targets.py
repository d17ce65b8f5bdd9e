"""What the measurements are held against: bounds as data, which stand beside the measures that they are about.

A part of the benchmarks has its `TARGETS`; this file knows how to look a figure up in the results and which bounds
hold. A figure is a number, or a record of one (`common.record`), at a path of keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on the figure at `path`, or on its ratio to the one at `over`."""

    what: str
    bound: float
    path: Path
    over: Path = ()
    unit: str = "x"
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    target: Target
    figure: float | None  # None: not measured here

    @property
    def met(self) -> bool | None:
        if self.figure is None:
            return None
        return self.figure <= self.target.bound if self.target.at_most else self.figure >= self.target.bound

    @property
    def word(self) -> str:
        return {None: "not measured", True: "met", False: "MISSED"}[self.met]


def figure_at(results: Mapping[str, object], path: Path) -> float | None:
    """The number there, of a record its median; None where nothing was measured."""
    found: object = results
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    if isinstance(found, Mapping):
        found = found.get("median")
    return float(found) if isinstance(found, int | float) else None


def judge(target: Target, results: Mapping[str, object]) -> Verdict:
    figure = figure_at(results, target.path)
    if figure is None or not target.over:
        return Verdict(target, figure)
    other = figure_at(results, target.over)
    return Verdict(target, figure / other if other else None)


def amount(value: float, unit: str) -> str:
    """With three digits that count."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}"


def rows(verdicts: list[Verdict]) -> list[tuple[str, str, str, str]]:
    """What, the bound, the figure, the verdict."""
    table = []
    for verdict in verdicts:
        target = verdict.target
        bound = f"{'<=' if target.at_most else '>='} {target.bound:,.10g} {target.unit}"
        figure = "" if verdict.figure is None else amount(verdict.figure, target.unit)
        table.append((target.what, bound, figure, verdict.word))
    return table
