"""The long form of the generated tests: python tests/generate/run.py --minutes 60 --seed N

Makes programs one after the other, right ones (`programs.py`) and damaged ones (`damage.py`), and prints what it finds:
the seed, the fault, and the smallest program that still shows it. `--only right|damaged` makes one kind; `--count N`
ends after N seeds; `--jobs N` uses N processes. `--coverage` says instead what of the language and of the compiler the
programs reach. Ends with status 1 when anything was found. `tests/test_generate.py` is the short form.

Always holds: a process that LLVM ends is found, with the seed at which it was, and another one goes on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from generate import coverage, damage, judge, mutate  # noqa: E402
from generate.programs import make_program  # noqa: E402
from generate.show import show, show_files  # noqa: E402
from generate.shrink import shrink  # noqa: E402
from generate.tree import Program  # noqa: E402
from generate.twin import Failed, Spent  # noqa: E402

DAMAGED_FOR_EACH = 100  # one right program costs as much time
RUN_SHARE = 0.1  # of the damaged programs that are right, or take the whole way
OTHER_SHARE = 0.3  # of the right programs that are compiled in a third way too
MADE_SHARE = 0.2  # of the damaged programs that were made by `programs.py`
NOTE_EVERY_S = 300.0


@dataclass
class Found:
    """One fault of the compiler or the runtime."""

    seed: int
    kind: str
    faults: list[str]
    text: str


@dataclass
class Search:
    """What one process is at."""

    options: argparse.Namespace
    corpus: list[damage.Files] = field(default_factory=damage.corpus)
    made: list[damage.Files] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    right: int = 0
    damaged: int = 0

    @property
    def ways(self) -> tuple[str, ...]:
        return ("local",) if self.options.local else tuple(judge.WAYS)


def judged(
    program: Program, hows: tuple[str, ...] = judge.HOWS, ways: tuple[str, ...] = tuple(judge.WAYS)
) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="ms-generate-") as directory:
        return judge.faults(program, Path(directory), hows, ways)


def key_of(fault: str) -> str:
    """The kind of fault: "-O0 local: output"."""
    return ":".join(fault.split(":")[:2]).split(" line ")[0]


def cost(fault: str) -> int:
    """What is soonest made to happen again comes first."""
    return ("-O0" not in fault) * 2 + ("local" not in fault)


def shrunk(program: Program, fault: str) -> Program:
    wanted = key_of(fault)
    hows = tuple(how for how in (*judge.HOWS, *judge.OTHERS) if how in wanted) or judge.HOWS
    ways = tuple(way for way in judge.WAYS if way in wanted) or tuple(judge.WAYS)

    def is_bad(candidate: Program) -> bool:
        try:
            return any(key_of(each) == wanted for each in judged(candidate, hows, ways))
        except (Spent, Failed, KeyError, IndexError, TypeError, AttributeError, ValueError, AssertionError):
            return False  # no program, or none that the twin understands

    return shrink(program, is_bad)


def try_right(seed: int, search: Search) -> None:
    program = make_program(seed)
    choice = random.Random(seed)
    others = (choice.choice(judge.OTHERS),) if choice.random() < OTHER_SHARE else ()
    try:
        faults = judged(program, (*judge.HOWS, *others), search.ways)
    except Spent:
        return
    search.right += 1
    if faults:
        print(f"seed {seed}: {faults[0][:300]}", flush=True)
        text = show(program if search.options.as_found else shrunk(program, min(faults, key=cost)))[0]
        search.found.append(Found(seed, "right", faults, text))


def try_damaged(seed: int, search: Search) -> None:
    choice = random.Random(seed)
    corpus = search.made if search.made and choice.random() < MADE_SHARE else search.corpus
    files = damage.damaged(corpus, choice)
    how = choice.choice((*judge.HOWS, "--unchecked", "--debug"))
    runs = choice.random() < RUN_SHARE and how in judge.HOWS
    _, faults = mutate.faults(files, runs, how)
    search.damaged += 1
    keys = {mutate.fault_key(fault) for fault in faults} - search.keys
    if keys:
        search.keys |= keys
        print(f"seed {seed}: {min(keys)}", flush=True)
        if not search.options.as_found:
            files = mutate.smaller(files, min(keys), how)
        shown = [f"// {name}\n" + data.decode("utf-8", "backslashreplace") for name, data in files.items()]
        search.found.append(Found(seed, f"damaged, {how}", faults, "\n".join(shown)))


def some_made(seed: int) -> list[damage.Files]:
    """A few right programs to damage, from the same seed always."""
    made = []
    for number in range(8):
        program = make_program(seed // 1000 * 1000 + number)
        made.append({name: text.encode() for name, text in show_files(program)[0].items()})
    return made


def work(options: argparse.Namespace, first: int, end_s: float, at: Any, results: Any) -> None:
    """Every so manieth seed, until the time is up."""
    search = Search(options)
    if options.only != "right":
        search.made = some_made(options.seed)
    seed = first
    while time.monotonic() < end_s and not 0 < options.count <= seed - options.seed:
        at.value = seed
        if options.only != "damaged":
            try_right(seed, search)
        if options.only != "right":
            for offset in range(DAMAGED_FOR_EACH):
                try_damaged(seed * DAMAGED_FOR_EACH + offset, search)
        results.put((search.right, search.damaged, search.found))
        search.right, search.damaged, search.found = 0, 0, []
        seed += options.jobs
    at.value = -1


@dataclass
class Worker:
    process: BaseProcess
    at: Any  # the seed that it is at, -1 when it has ended


def start(options: argparse.Namespace, first: int, end_s: float, results: Any) -> Worker:
    at = multiprocessing.Value("q", first)
    process = multiprocessing.Process(target=work, args=(options, first, end_s, at, results))
    process.start()
    return Worker(process, at)


def report(found: Found) -> None:
    print(f"\n== seed {found.seed}, {found.kind}")
    for fault in found.faults[:4]:
        print(fault)
    print("-- smallest:")
    print(found.text, flush=True)


class Totals:
    def __init__(self, seed: int) -> None:
        self.right = self.damaged = self.found = 0
        self._seed = seed
        self._start_s = self._noted_s = time.monotonic()

    def add(self, right: int, damaged: int, found: list[Found]) -> None:
        self.right += right
        self.damaged += damaged
        self.found += len(found)
        for each in found:
            report(each)
        if time.monotonic() - self._noted_s > NOTE_EVERY_S:
            self._noted_s = time.monotonic()
            print(self, flush=True)

    def __str__(self) -> str:
        minutes = (time.monotonic() - self._start_s) / 60
        made = f"{self.right} right programs, {self.damaged} damaged ones, {self.found} found"
        return f"from seed {self._seed}, {minutes:.0f} minutes: {made}"  # fmt: skip


def watch(options: argparse.Namespace) -> int:
    """How much was found by all processes together."""
    results: Any = multiprocessing.Queue()
    end_s = time.monotonic() + options.minutes * 60
    totals = Totals(options.seed)
    workers = [start(options, options.seed + number, end_s, results) for number in range(options.jobs)]
    while workers:
        try:
            totals.add(*results.get(timeout=0.5))
        except queue.Empty:
            for worker in [each for each in workers if not each.process.is_alive()]:
                workers.remove(worker)
                seed = worker.at.value
                if seed >= 0:  # it did not come to its end
                    what = f"the compiler's process ended with status {worker.process.exitcode}"
                    totals.add(0, 0, [Found(seed, "crash", [what], "")])
                    workers.append(start(options, seed + options.jobs, end_s, results))
    while not results.empty():
        totals.add(*results.get())
    print(f"\n{totals}")
    return totals.found


def main() -> int:
    parser = argparse.ArgumentParser(description="Search for faults with generated programs.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1, help="the first one; the others follow")
    parser.add_argument("--count", type=int, default=0, help="how many seeds at most (0: as many as there is time for)")
    parser.add_argument("--only", choices=("right", "damaged"))
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many processes")
    parser.add_argument("--as-found", action="store_true", help="do not make what is found smaller")
    parser.add_argument("--local", action="store_true", help="without slaves, which takes half the time")
    parser.add_argument("--coverage", action="store_true", help="what --count programs (or 40) reach, and what not")
    options = parser.parse_args()
    if options.coverage:
        print(coverage.told(range(options.seed, options.seed + (options.count or 40))))
        return 0
    return 1 if watch(options) else 0


if __name__ == "__main__":
    sys.exit(main())
