"""The benchmarks: M/s and the references, alternating, in one go, as ratios.

Each part prints a table with the median of its rounds and how far the rounds spread; what a reference computes is
compared with what M/s computes. A part that fails is named and the others go on. The end says which targets are met.
`bench/results` keeps the last run: `last.json` (figures), `last.md` (what was printed, and the targets), `last.svg`;
the tables in the documents are made of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import empty_jobs
import grain
import model
import programs
import quotes
import rivals
import scale
import secure
import shared
import soak
import targets
import trouble
from common import HERE, ROOT, Bench
from picture import picture_of

PARTS: dict[str, Callable[[Bench], None]] = {
    "code": programs.bench_code,
    "builtins": programs.bench_builtins,
    "maps": programs.bench_maps,
    "compile": programs.bench_compile,
    "jobs": empty_jobs.bench_jobs,
    "start": empty_jobs.bench_start,
    "memory": empty_jobs.bench_memory,
    "grain": grain.bench_grain,
    "rivals": rivals.bench_rivals,
    "secure": secure.bench_secure,
    "shared": shared.bench_shared,
    "faults": trouble.bench_faults,
    "hostile": trouble.bench_hostile,
    "scale": scale.bench_scale,
    "model": model.bench_model,
    "soak": soak.bench_soak,
    "churn": soak.bench_churn,
}
MODULES: tuple[ModuleType, ...] = (programs, empty_jobs, grain, rivals, secure, shared, trouble, scale)
TARGETS: list[targets.Target] = [target for module in MODULES for target in getattr(module, "TARGETS", ())]
PART_S = 600


class TookTooLong(Exception):
    pass


def machine() -> dict[str, object]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release().split('-')[0]}"}


def commit() -> str:
    words = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class Tee:
    """Writes to the terminal and keeps what was written."""

    def __init__(self, terminal: TextIO) -> None:
        self.terminal = terminal
        self.kept: list[str] = []

    def write(self, text: str) -> int:
        self.kept.append(text)
        self.terminal.write(text)
        self.terminal.flush()
        return len(text)

    def flush(self) -> None:
        self.terminal.flush()


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raises TookTooLong in the middle of what is done."""

    def ring(*_: object) -> None:
        raise TookTooLong(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run_part(bench: Bench, part: str) -> str | None:
    """What it printed; None when it failed, which is said."""
    tee = Tee(sys.stdout)
    began = time.monotonic()
    try:
        with redirect_stdout(tee), at_most(PART_S):
            PARTS[part](bench)
    except (Exception, SystemExit) as error:
        bench.results.pop(part, None)
        reason = str(error) or type(error).__name__
        if not isinstance(error, SystemExit | TookTooLong | subprocess.SubprocessError | OSError):
            traceback.print_exc()
        print(f"\n{part}: FAILED: {reason}", flush=True)
        return None
    print(f"\n({part}: {time.monotonic() - began:.0f} s)", flush=True)
    return "".join(tee.kept)


def print_targets(results: dict[str, object]) -> None:
    """Those that these parts are about; a figure that was not measured is named."""
    verdicts = [targets.judge(target, results) for target in TARGETS if target.path[0] in results]
    met, missed = (sum(verdict.met is wanted for verdict in verdicts) for wanted in (True, False))
    print(f"\ntargets: {met} met, {missed} missed, of {len(TARGETS)}\n")
    for what, bound, figure, word in targets.rows(verdicts):
        print(f"{what:62}{bound:>22}{figure:>20}  {word}")


def page_of(results: dict[str, object], printed: dict[str, str]) -> str:
    """The last run, for people: the targets, then what each part printed."""
    found = results.get("machine", {})
    facts = found.items() if isinstance(found, dict) else ()
    words = ", ".join(f"{value} {key}" if key == "cores" else str(value) for key, value in facts)
    lines = ["# The last run of the benchmarks", "", f"{words}. Made by `bench/run --all`; do not edit.", ""]
    lines += ["![M/s and others](last.svg)", "", *quotes.targets_table(TARGETS, results)]
    ran = results.get("ran", {})
    for part in PARTS:
        if part in printed:
            when = ran.get(part, {}) if isinstance(ran, dict) else {}
            about = f"{when.get('seconds', '?')} s, at commit {when.get('commit', '?')}" if when else ""
            lines += ["", f"## {part}", "", about, "", "```", printed[part].strip("\n"), "```"]
    return "\n".join(lines) + "\n"


def read_results(last: Path) -> dict[str, Any]:
    try:
        found = json.loads(last.read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(
            f"bench: {last} cannot be read: {error}; remove it, or name another place with --results"
        ) from None
    if not isinstance(found, dict):
        raise SystemExit(f"bench: {last} holds no results; remove it, or name another place with --results")
    return found


def save(directory: Path, results: dict[str, object], printed: dict[str, str]) -> None:
    """Beside what earlier runs of other parts have left there."""
    directory.mkdir(parents=True, exist_ok=True)
    last = directory / "last.json"
    before = read_results(last) if last.exists() else {}
    merged = {**before, **results}
    merged["ran"] = {**before.get("ran", {}), **results.get("ran", {})}
    merged["printed"] = {**before.get("printed", {}), **printed}
    last.write_text(json.dumps(merged, indent=2, ensure_ascii=False) + "\n")
    (directory / "last.md").write_text(page_of(merged, merged["printed"]))
    (directory / "last.svg").write_text(picture_of(merged))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every part, which is what naming none means too")
    parser.add_argument("--short", action="store_true", help="small sizes: shows that it works, not how fast")
    parser.add_argument("--results", type=Path, help="where the results go (bench/results; nowhere with --short)")
    parser.add_argument("--quote", action="store_true", help="write the documents anew, as every run in full does")
    parser.add_argument("parts", nargs="*", help=f"what to measure, of {' '.join(PARTS)}; all when none is named")
    chosen = parser.parse_args()
    unknown = [part for part in chosen.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    if chosen.all and (chosen.parts or chosen.short):
        parser.error("--all stands alone: it measures every part in full")
    if chosen.results is not None:
        try:
            chosen.results.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"--results: {error}")
        if not os.access(chosen.results, os.W_OK):
            parser.error(f"--results: {chosen.results} cannot be written")
    return chosen


def measure(parts: list[str], short: bool, directory: Path | None) -> list[str]:
    """Runs these parts, saving after each; the names of those that failed."""
    failed = []
    about = machine()
    print(", ".join(f"{key}: {value}" for key, value in about.items()))
    if short:
        print("small sizes: these figures show that it works, not how fast it is")
    everything: dict[str, object] = {"machine": about}
    for part in parts:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ms-bench-", ignore_cleanup_errors=True) as work:
            bench = Bench(Path(work), short)
            printed = run_part(bench, part)
        if printed is None:
            failed.append(part)
            continue
        seconds = round(time.monotonic() - began)
        everything |= bench.results
        if directory is not None:
            ran = {"ran": {part: {"seconds": seconds, "commit": commit()}}}
            save(directory, {"machine": about, **bench.results, **ran}, {part: printed})
    print_targets(everything)
    return failed


def main() -> int:
    chosen = arguments()
    directory: Path | None = chosen.results or (None if chosen.short else HERE / "results")
    failed = []
    if chosen.all or chosen.parts or not chosen.quote:
        failed = measure(chosen.parts or list(PARTS), chosen.short, directory)
    if chosen.quote or directory == HERE / "results":
        save(HERE / "results", {}, {})
        quotes.write(HERE / "results", TARGETS)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
