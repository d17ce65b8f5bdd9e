"""The tests that the table in docs/running.md names, again and again; prints fault, runs, failures.

    python tests/faults/repeat.py --runs 100

The table says how often each was run. What was counted is kept in a file (`--record`), with the commit of the runtime
that it was counted for, so the runs may be interrupted and spread over days; `--renew` writes the sums of that file
into the table. A test with parameters counts once for each of them. What fails is told with the words of the test,
and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "running.md"
RECORD = ROOT / "build" / "faults.json"
TITLE = "| fault | what is promised | test | runs |"

Counts = dict[str, dict[str, list[int]]]  # by commit and test: how often it was run, how often it failed


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: its fault, and the tests that pytest is to be given."""

    fault: str
    tests: tuple[str, ...]
    line: str

    def covers(self, test: str) -> bool:
        return any(test == name or test.startswith(f"{name}::") for name in self.tests)


def rows(page: str) -> Iterator[Row]:
    """Those whose tests are pytest's."""
    lines = iter(page.splitlines())
    for line in lines:
        if line == TITLE:
            break
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 4:
            return
        words = re.findall(r"`([\w/.]+)`", cells[2])
        tests = (word if "/" in word else f"tests/test_faults.py::test_{word}" for word in words)
        named = tuple(test for test in tests if Path(test.partition("::")[0]).name.startswith("test_"))
        if named and cells[3]:
            yield Row(cells[0], named, line)


def play(tests: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """All of them once, in a process of their own; each as soon as it has ended, without its parameters, and whether
    it passed. What failed is told at the end."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "MS_TEST_TIME": os.environ.get("MS_TEST_TIME", "600")}
    pipe = subprocess.PIPE
    said = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=None, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if match := re.match(r"(\S+::\w+)(?:\[.*\])? (PASSED|FAILED|ERROR)\b", line):
                yield match[1], match[2] == "PASSED"
    if process.returncode != 0:
        print("".join(said), flush=True)
    if process.returncode not in (0, 1):
        raise SystemExit(f"pytest ended with status {process.returncode}")


def commit_of_runtime() -> str:
    """The last one that changed it."""
    command = ["git", "log", "-1", "--format=%h", "--", "runtime/c"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def totals(counts: Counts, row: Row) -> tuple[int, int]:
    counted = [pair for tests in counts.values() for test, pair in tests.items() if row.covers(test)]
    return sum(runs for runs, _ in counted), sum(failures for _, failures in counted)


def renewed(page: str, counts: Counts) -> str:
    """With the numbers of runs as they were counted; rows of which nothing was counted stay."""
    for row in rows(page):
        runs, _ = totals(counts, row)
        if runs > 0:
            head, _, last = row.line.removesuffix(" |").rpartition("| ")
            page = page.replace(row.line, f"{head}| {re.sub(r'^[0-9,]+[0-9]', f'{runs:,}', last)} |")
    return page


def repeat(record: Path, counts: Counts, wanted: Sequence[Row], left_out: str, runs: int) -> bool:
    """Whether all went well."""
    tests = list(dict.fromkeys(test for row in wanted for test in row.tests if left_out not in test))
    fine = True
    record.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(runs):
        for test, passed in play(tests):
            pair = counts.setdefault(commit_of_runtime(), {}).setdefault(test, [0, 0])
            pair[0] += 1
            pair[1] += not passed
            fine = fine and passed
            record.write_text(json.dumps(counts, indent=1))
    return fine


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=0, help="how often all of them are run")
    parser.add_argument("--only", default="", metavar="WORDS", help="the rows whose fault or tests say this")
    parser.add_argument("--leave-out", default="\0", metavar="WORDS", help="not the tests that do")
    parser.add_argument("--record", type=Path, default=RECORD, help="what is counted (%(default)s)")
    parser.add_argument("--renew", action="store_true", help="write the sums of the record into docs/running.md")
    given = parser.parse_args(words)
    counts: Counts = json.loads(given.record.read_text()) if given.record.exists() else {}
    page = PAGE.read_text()
    wanted = [row for row in rows(page) if given.only in row.line]
    fine = repeat(given.record, counts, wanted, given.leave_out, given.runs)
    for row in wanted:
        runs, failures = totals(counts, row)
        print(f"{row.fault}: {runs} runs, {failures} failures")
    print(f"the runtime as of {', '.join(counts) or commit_of_runtime()}")
    if given.renew:
        PAGE.write_text(renewed(page, counts))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
