"""The long form of the generated tests: python tests/generate/run.py --minutes 60 --seed N

Makes programs one after the other, right ones (`programs.py`) and damaged ones (`mutate.py`), and prints what it finds:
the seed, the fault, and the smallest program that still shows it. `--only right|damaged` makes one kind; `--count N`
ends after N seeds. Ends with status 1 when anything was found. `tests/test_generate.py` is the short form.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from generate import judge, mutate  # noqa: E402
from generate.programs import make_program  # noqa: E402
from generate.show import show  # noqa: E402
from generate.shrink import shrink  # noqa: E402
from generate.tree import Program  # noqa: E402
from generate.twin import Failed, Spent  # noqa: E402

DAMAGED_FOR_EACH = 150  # one right program costs as much time
RUN_SHARE = 0.1  # of the damaged programs that are right, or take the whole way


@dataclass
class Found:
    """One fault of the compiler or the runtime."""

    seed: int
    kind: str
    faults: list[str]
    text: str


@dataclass
class Search:
    corpus: list[bytes] = field(default_factory=mutate.corpus)
    found: list[Found] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    ways: tuple[str, ...] = tuple(judge.WAYS)
    right: int = 0
    damaged: int = 0


def judged(
    program: Program, levels: tuple[int, ...] = judge.LEVELS, ways: tuple[str, ...] = tuple(judge.WAYS)
) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="ms-generate-") as directory:
        return judge.faults(program, Path(directory), levels, ways)


def key_of(fault: str) -> str:
    """The kind of fault: "-O0 local: output"."""
    return ":".join(fault.split(":")[:2]).split(" line ")[0]


def shrunk(program: Program, fault: str) -> Program:
    wanted = key_of(fault)
    levels = tuple(level for level in judge.LEVELS if f"-O{level}" in wanted) or judge.LEVELS
    ways = tuple(way for way in judge.WAYS if way in wanted) or tuple(judge.WAYS)

    def is_bad(candidate: Program) -> bool:
        try:
            return any(key_of(each) == wanted for each in judged(candidate, levels, ways))
        except (Spent, Failed, KeyError, IndexError, TypeError, AttributeError, ValueError, AssertionError):
            return False  # no program, or none that the twin understands

    return shrink(program, is_bad)


def try_right(seed: int, search: Search, minimise: bool = True) -> None:
    program = make_program(seed)
    try:
        faults = judged(program, ways=search.ways)
    except Spent:
        return
    search.right += 1
    if faults:
        text = show(shrunk(program, faults[0]) if minimise else program)[0]
        search.found.append(Found(seed, "right", faults, text))


def try_damaged(seed: int, search: Search, minimise: bool = True) -> None:
    choice = random.Random(seed)
    data = mutate.mutated(search.corpus, choice)
    _, faults = mutate.faults(data, run=choice.random() < RUN_SHARE, level=choice.choice(judge.LEVELS))
    search.damaged += 1
    keys = {mutate.fault_key(fault) for fault in faults} - search.keys
    if keys:
        search.keys |= keys
        if minimise:
            data = mutate.smaller(data, min(keys))
        search.found.append(Found(seed, "damaged", faults, data.decode("utf-8", "backslashreplace")))


def report(found: Found) -> None:
    print(f"\n== seed {found.seed}, {found.kind}")
    for fault in found.faults[:4]:
        print(fault)
    print("-- smallest:")
    print(found.text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Search for faults with generated programs.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1, help="the first one; the others follow")
    parser.add_argument("--count", type=int, default=0, help="how many seeds at most (0: as many as there is time for)")
    parser.add_argument("--only", choices=("right", "damaged"))
    parser.add_argument("--as-found", action="store_true", help="do not make what is found smaller")
    parser.add_argument("--local", action="store_true", help="without slaves, which takes half the time")
    options = parser.parse_args()
    search = Search(ways=("local",) if options.local else tuple(judge.WAYS))
    start = time.monotonic()
    seed = options.seed
    while time.monotonic() - start < options.minutes * 60 and not 0 < options.count <= seed - options.seed:
        reported = len(search.found)
        if options.only != "damaged":
            try_right(seed, search, not options.as_found)
        if options.only != "right":
            for offset in range(DAMAGED_FOR_EACH):
                try_damaged(seed * DAMAGED_FOR_EACH + offset, search, not options.as_found)
        for found in search.found[reported:]:
            report(found)
        seed += 1
    print(f"\nseeds {options.seed} to {seed - 1}: {search.right} right programs, {search.damaged} damaged ones, "
          f"{len(search.found)} found")  # fmt: skip
    return 1 if search.found else 0


if __name__ == "__main__":
    sys.exit(main())
