"""How many jobs a second, how long one takes there and back, how many bytes: the C runtime without the compiler.

Builds runtime/c/tests/jobs_program.c and runs it with slaves of one slot each: `python bench/jobs_c.py [slaves]`. Each
number is the median of five runs, each with fresh processes.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "c"
RUNS = 5


def build(directory: Path) -> None:
    subprocess.run(["make", "-s", "-C", str(RUNTIME), f"BUILD={directory}", "all"], check=True)
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-pthread"]
    flags += [f"-I{RUNTIME}", f"-I{RUNTIME}/include"]
    sources = [str(RUNTIME / "tests" / name) for name in ("jobs_program.c", "program.c")]
    for end, define in (("master", ["-DMS_TEST_MASTER"]), ("slave", [])):
        archive = str(directory / f"libms{end}.a")
        program = str(directory / f"prog-{end}")
        subprocess.run(["cc", *flags, *define, *sources, archive, "-lm", "-o", program], check=True)


def run(directory: Path, slave_count: int, words: list[str], ready: bool = True) -> tuple[str, float]:
    """What the master says on standard error, and the seconds from its start to its end."""
    address = f"unix:{directory}/s"
    options = ["--min-slaves", str(slave_count)] if ready else []
    began = time.perf_counter()
    master = subprocess.Popen(
        [str(directory / "prog-master"), "--listen", address, *options, "--", *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    slaves = [subprocess.Popen([str(directory / "prog-slave"), "-j", "1", address]) for _ in range(slave_count)]
    _, errors = master.communicate()
    seconds = time.perf_counter() - began
    assert master.returncode == 0, errors
    for slave in slaves:
        slave.wait()
    return errors, seconds


def number(errors: str) -> float:
    found = re.search(r"(\d+)\s*$", errors)
    assert found is not None, errors
    return float(found[1])


def main() -> None:
    slaves = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        build(directory)
        noop = ["many", "1", "1000000", "0", "1", "1"]
        rate = statistics.median(number(run(directory, slaves, noop)[0]) for _ in range(RUNS))
        print(f"no-op jobs, {slaves} slaves: {rate:,.0f}/s")
        trip = statistics.median(number(run(directory, 1, ["trips", "20000"])[0]) for _ in range(RUNS))
        print(f"there and back: {trip / 1000:.1f} µs")
        start = statistics.median(run(directory, 1, ["one", "1", "5"], ready=False)[1] for _ in range(RUNS))
        print(f"cold start to the end of one job: {start * 1000:.1f} ms")


if __name__ == "__main__":
    main()
