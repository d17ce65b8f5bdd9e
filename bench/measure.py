"""The benchmarks: M/s and the references, alternating, in one go, as ratios.

Each part prints a table with the median of its rounds and how far the rounds spread, and adds to
`bench/results/last.json`. What a reference computes is compared with what M/s computes before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from common import HERE, ROOT, Bench, alternate, output_of, slaves_of, spread, timed, with_slaves
from rivals import bench_rivals
from scale import bench_scale, bench_soak
from secure import bench_secure
from trouble import bench_faults, bench_hostile

CODE_SIZES = {
    "nbody": 5_000_000, "spectral_norm": 3000, "fannkuch": 10, "mandelbrot": 3000, "matmul": 1000, "matmul_flat": 1000,
    "sieve": 50_000_000, "queens": 13, "quicksort": 4_000_000, "levenshtein": 20_000, "life": 1500,
    "sha256": 100_000_000, "kmeans": 1_000_000, "tokenizer": 10_000, "words": 4_000_000, "trees_index": 1_000_000,
    "trees_child": 20, "bytecode": 50_000_000,
}  # fmt: skip
BUILTIN_SIZES = {"sort_ints": 5_000_000, "sort_strings": 500_000, "split_join": 2_000_000}
MAP_SIZES: dict[str, list[tuple[int, list[str]]]] = {
    "map_ints": [(20_000_000, ["1000"]), (20_000_000, ["100000"]), (10_000_000, ["1000000"])],
    "map_words": [(20, ["1000000", "1000"]), (20, ["1000000", "50000"]), (20, ["500000", "1000000"])],
}
SHORT_SIZES = {
    "nbody": 200_000, "spectral_norm": 500, "fannkuch": 8, "mandelbrot": 300, "matmul": 200, "matmul_flat": 200,
    "sieve": 2_000_000, "queens": 8, "quicksort": 100_000, "levenshtein": 1000, "life": 100, "sha256": 1_000_000,
    "kmeans": 10_000, "tokenizer": 100, "words": 50_000, "trees_index": 20_000, "trees_child": 12, "bytecode": 500_000,
}  # fmt: skip


def bench_code(bench: Bench) -> None:
    """Generated code against gcc -O3 of the same algorithm."""
    print("\ncode: seconds of processor time of one run\n")
    print(f"{'program':16}{'M/s':>9}{'':>8}{'unchecked':>11}{'gcc -O3':>10}{'':>8}{'ratio':>8}{'unchecked':>11}")
    found: dict[str, dict[str, float]] = {}
    for name, number in (SHORT_SIZES if bench.short else CODE_SIZES).items():
        size = str(number)
        program = bench.msc(HERE / "code" / f"{name}.ms")
        unchecked = bench.msc(HERE / "code" / f"{name}.ms", "--unchecked")
        reference = bench.cc(HERE / "code" / f"{name}.c")
        if reference is None:
            print(f"{name:16}skipped: there is no gcc")
            continue
        commands: list[list[str | Path]] = [
            [f"{program}-master", "--local", "--", size],
            [f"{unchecked}-master", "--local", "--", size],
            [reference, size],
        ]
        results = [output_of(command) for command in commands]
        if results[0] != results[2] or results[1] != results[2]:
            raise SystemExit(f"{name}: the results differ: {results}")
        ours, bare, theirs = alternate(bench.rounds, *(lambda c=c: timed(c) for c in commands))
        a, b, c = (statistics.median(v) for v in (ours, bare, theirs))
        found[name] = {"ms": a, "unchecked": b, "gcc": c, "ratio": a / c, "unchecked_ratio": b / c}
        print(f"{name:16}{a:9.3f}{spread(ours):>8}{b:11.3f}{c:10.3f}{spread(theirs):>8}{a / c:8.2f}{b / c:11.2f}")
    if found:
        ratios = [row["ratio"] for row in found.values()]
        print(f"\ngeometric mean of the ratios {statistics.geometric_mean(ratios):.3f}, the largest {max(ratios):.2f}")
    bench.results["code"] = found


def bench_builtins(bench: Bench) -> None:
    """Built-in functions against the C library's and the C++ library's."""
    if shutil.which("g++") is None or shutil.which("gcc") is None:
        print("\nbuiltins: skipped, there is no gcc and g++")
        return
    print("\nbuiltins: seconds of processor time of one run\n")
    print(f"{'program':16}{'M/s':>9}{'':>8}{'C':>9}{'C++':>9}{'ratio':>8}{'ratio':>8}")
    found: dict[str, dict[str, float]] = {}
    for name, number in BUILTIN_SIZES.items():
        size = str(number // 100 if bench.short else number)
        program = bench.msc(HERE / "code" / f"{name}.ms")
        plain, plus = bench.cc(HERE / "code" / f"{name}.c"), bench.cxx(HERE / "code" / f"{name}.cpp")
        assert plain is not None
        commands: list[list[str | Path]] = [[f"{program}-master", "--local", "--", size], [plain, size], [plus, size]]
        results = [output_of(command) for command in commands]
        if results[0] != results[1] or results[0] != results[2]:
            raise SystemExit(f"{name}: the results differ: {results}")
        ours, c_library, cxx_library = alternate(bench.rounds, *(lambda c=c: timed(c) for c in commands))
        a, b, c = (statistics.median(v) for v in (ours, c_library, cxx_library))
        found[name] = {"ms": a, "c": b, "c++": c}
        print(f"{name:16}{a:9.3f}{spread(ours):>8}{b:9.3f}{c:9.3f}{a / b:8.2f}{a / c:8.2f}")
    bench.results["builtins"] = found


def bench_maps(bench: Bench) -> None:
    """Maps against std::unordered_map and against a plain open-addressing map, which keeps no order."""
    if shutil.which("g++") is None:
        print("\nmaps: skipped, there is no g++")
        return
    print("\nmaps: seconds of processor time of one run\n")
    print(f"{'program':28}{'M/s':>9}{'':>8}{'unordered_map':>15}{'open':>9}{'ratio':>8}{'ratio':>8}")
    found: dict[str, dict[str, float]] = {}
    for name, sizes in MAP_SIZES.items():
        program = bench.msc(HERE / "code" / f"{name}.ms")
        standard = bench.cxx(HERE / "code" / f"{name}.cpp")
        flat = bench.cxx(HERE / "code" / f"{name}.cpp", "-DFLAT")
        for rounds, different in sizes:
            words = [str(rounds // 20 if bench.short else rounds), *different]
            commands: list[list[str | Path]] = [
                [f"{program}-master", "--local", "--", *words],
                [standard, *words],
                [flat, *words],
            ]
            results = [output_of(command) for command in commands]
            if results[0] != results[1] or results[0] != results[2]:
                raise SystemExit(f"{name}: the results differ: {results}")
            ours, theirs, open_ones = alternate(bench.rounds, *(lambda c=c: timed(c) for c in commands))
            a, b, c = (statistics.median(v) for v in (ours, theirs, open_ones))
            key = f"{name} {' '.join(different)}"
            found[key] = {"ms": a, "unordered_map": b, "open": c}
            print(f"{key:28}{a:9.3f}{spread(ours):>8}{b:15.3f}{c:9.3f}{a / b:8.2f}{a / c:8.2f}")
    bench.results["maps"] = found


FUNCTIONS = """
int score#(vector<int> values, int limit) {
    int total = 0, next_score = limit > 1000 ? score@(values, limit - #) : 0;
    for (int i in 0..size(values)) {
        if (values[i] > limit) total += values[i] % 7 + #;
        else if (values[i] < 0) total -= 1;
    }
    return total + next_score;
}
string label#(item it) {
    string text = it->name + ":" + str(it->id);
    while (size(text) < # % 7 + 4) text :: '.';
    vector<string> parts = split(text, ":");
    item copy = it;
    copy->weight *= #.5;
    if (copy->weight > 10.0 && size(parts) > 1) return join(parts, "-");
    return size(text) > 100 ? label@(copy) : text;
}"""
REST = """
job int run(int seed) {
    vector<int> values;
    for (int i in 0..seed) values :: i * seed;
    return score0(values, seed) + size(label0(item{id: seed, name: "it"}));
}
master {
    vector<job<int>> jobs;
    for (int i in 0..4) jobs :: remote run(i);
    for (int r in get(jobs)) print(r);
}
"""


def program_of(lines: int) -> str:
    """A program of about so many lines that looks like people's: functions, structs, strings, a job that can reach
    all of them."""
    count = max(1, (lines - 12) // 18)
    functions = [FUNCTIONS.replace("#", str(n)).replace("@", str((n + 1) % count)) for n in range(count)]
    return "\n".join(["struct item { int id; double weight; string name; };", *functions, REST])


def seconds_of_msc(*words: str | Path) -> float:
    return run_msc(*words)[0]


def run_msc(*words: str | Path) -> tuple[float, float, int]:
    """The seconds that passed, the processors' seconds, the most bytes of memory of a process."""
    start = time.perf_counter()
    environment = {**os.environ, "MS_NO_PROGRAM_CACHE": "1"}
    with subprocess.Popen([sys.executable, "-m", "ms", *words], cwd=ROOT, env=environment) as running:
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode != 0:
        raise SystemExit(f"msc {' '.join(map(str, words))} ended with {running.returncode}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def bench_compile(bench: Bench) -> None:
    """How long msc takes once its caches are warm, the cache of whole programs left out."""
    print("\ncompile: seconds, from the command to both programs\n")
    found: dict[str, float] = {}
    for lines in (100, 1000) if bench.short else (100, 1000, 5000):
        source = bench.work / f"lines{lines}.ms"
        source.write_text(program_of(lines))
        real = len(source.read_text().splitlines())
        out = bench.work / "compiled"
        seconds_of_msc(source, "-o", out)
        both = alternate(3, partial(seconds_of_msc, "check", source), partial(seconds_of_msc, source, "-o", out))
        check, whole = (statistics.median(v) for v in both)
        found[f"check_{lines}"], found[f"compile_{lines}"] = check, whole
        print(f"{real:6} lines: msc check {check:6.2f}   msc {whole:6.2f}  {spread(both[1])}")
    if not bench.short:
        bench_growth(bench, found)
    bench.results["compile"] = found


def bench_growth(bench: Bench, found: dict[str, float]) -> None:
    """Ten times the lines, in one file and in several: processor time and memory should be ten times as much."""
    print("\ncompile: 50,000 lines\n")
    single, several = bench.work / "lines50000.ms", bench.work / "several"
    single.write_text(program_of(50_000))
    write_several(several, 50_000)
    for name, source in (("in one file", single), ("in 12 files", several / "main.ms")):
        check, _, _ = run_msc("check", source)
        whole, busy, memory = run_msc(source, "-o", bench.work / "compiled")
        print(f"{name}: msc check {check:6.2f}   msc {whole:6.2f}, {busy:.1f} s of processors   {memory / 1e6:.0f} MB")
        key = f"50000_{name.replace(' ', '_')}"
        found |= {f"check_{key}": check, f"compile_{key}": whole, f"processor_{key}": busy, f"bytes_{key}": memory}


def write_several(directory: Path, lines: int) -> None:
    """The same program, its functions in ten files that import each other in a circle."""
    directory.mkdir()
    head, *functions = program_of(lines).split("\nint score")
    functions[-1], rest = functions[-1].split("\njob int run")
    (directory / "item.ms").write_text(head + "\n")
    share = len(functions) // 10 + 1
    names = [f"part{number}.ms" for number in range(len(functions[::share]))]
    for number, name in enumerate(names):
        following = names[(number + 1) % len(names)]
        own = "".join(f"\nint score{each}" for each in functions[share * number : share * (number + 1)])
        (directory / name).write_text(f'import "item.ms";\nimport "{following}";\n{own}\n')
    (directory / "main.ms").write_text(f'import "item.ms";\nimport "{names[0]}";\njob int run{rest}')


def futures_rate(count: int) -> float:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        list(pool.map(abs, range(100)))
        start = time.perf_counter()
        for future in [pool.submit(abs, i) for i in range(count)]:
            future.result()
        return count / (time.perf_counter() - start)


def bench_jobs(bench: Bench) -> None:
    """No-op jobs with two slaves, and one job after the other, beside the bare sockets and concurrent.futures."""
    count = 50_000 if bench.short else 1_000_000
    trips = 2_000 if bench.short else 20_000
    noop = bench.msc(HERE / "jobs" / "noop.ms")
    trip = bench.msc(HERE / "jobs" / "round_trip.ms")
    raw = bench.cc(HERE / "rivals" / "raw.c")
    measures = {
        "M/s": lambda: count / float(with_slaves(bench, noop, 2, str(count))),
        "concurrent.futures": lambda: futures_rate(2_000 if bench.short else 20_000),
    }
    trip_measures = {"M/s": lambda: 1e6 * float(with_slaves(bench, trip, 1, str(trips))) / trips}
    if raw is not None:
        measures["raw sockets, window 64"] = lambda: count / output_of([raw, "noop", str(count), "64"])[0]
        trip_measures["raw sockets"] = lambda: 1e6 * output_of([raw, "trip", str(trips), "sleep"])[0] / trips
    rates = dict(zip(measures, alternate(bench.rounds, *measures.values()), strict=True))
    times = dict(zip(trip_measures, alternate(bench.rounds, *trip_measures.values()), strict=True))
    print("\njobs: no-op jobs a second, two workers; microseconds of one round trip\n")
    ours = statistics.median(rates["M/s"])
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"{name:24}{middle:12,.0f} jobs/s {spread(values):>7}   M/s is {ours / middle:8.2f} x")
    for name, values in times.items():
        print(f"{name:24}{statistics.median(values):12.1f} us     {spread(values):>7}")
    bench.results["jobs"] = {
        "rates": {name: statistics.median(values) for name, values in rates.items()},
        "round_trip_us": {name: statistics.median(values) for name, values in times.items()},
    }


def bench_start(bench: Bench) -> None:
    """From starting master and slave at once to the master's end, which comes right behind the first result."""
    program = bench.msc(HERE / "jobs" / "first.ms")
    address = f"unix:{bench.work}/first.sock"

    def once() -> float:
        start = time.perf_counter()
        with slaves_of(program, address, 1):
            output = subprocess.run([f"{program}-master", "--listen", address], check=True, capture_output=True)
            seconds = time.perf_counter() - start
            if output.stdout != b"42\n":
                raise SystemExit(f"start: the program printed {output.stdout!r}")
        return seconds

    once()
    values = [once() for _ in range(bench.rounds * 3)]
    sizes = {end: os.path.getsize(f"{program}-{end}") for end in ("master", "slave")}
    print("\nstart: from starting both programs to the first result\n")
    print(f"{1000 * statistics.median(values):8.1f} ms {spread(values)}")
    print(f"{sizes['master'] / 1000:8.0f} kB prog-master\n{sizes['slave'] / 1000:8.0f} kB prog-slave")
    bench.results["start"] = {"first_result_ms": 1000 * statistics.median(values), "bytes": sizes}


def resident(pid: int) -> int:
    """Bytes of memory that are really there."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell VmRSS")


def bench_memory(bench: Bench) -> None:
    """A million jobs that wait for a slave, and a slave that waits for a job."""
    count = 100_000 if bench.short else 1_000_000
    program = bench.msc(HERE / "jobs" / "pending.ms")
    go = bench.work / "go"
    address = f"unix:{bench.work}/pending.sock"
    command = [f"{program}-master", "--listen", address, "--quiet", "--", str(count), str(go)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as master:
        while not Path(f"{go}.ready").exists():
            time.sleep(0.01)
        pending = resident(master.pid)
        slave = subprocess.Popen([f"{program}-slave", address, "-j", "1"])
        go.touch()
        printed, _ = master.communicate()
        slave.wait()
    if int(printed) != count * (count - 1) // 2:
        raise SystemExit(f"memory: the program printed {printed!r}")
    idle = subprocess.Popen([f"{program}-slave", f"unix:{bench.work}/nobody.sock", "-j", "1"])
    listener = subprocess.Popen(
        [f"{program}-master", "--listen", f"unix:{bench.work}/nobody.sock", "--", "0", str(bench.work / "never")]
    )
    while not (bench.work / "never.ready").exists():
        time.sleep(0.01)
    time.sleep(0.5)
    idle_bytes = resident(idle.pid)
    (bench.work / "never").touch()
    listener.wait()
    idle.wait()
    print("\nmemory\n")
    each = pending / count
    print(f"{pending / 1e6:8.1f} MB master with {count:,} pending jobs ({each:.0f} bytes each, all included)")
    print(f"{idle_bytes / 1e6:8.1f} MB idle slave")
    bench.results["memory"] = {"pending_bytes": pending, "jobs": count, "idle_slave_bytes": idle_bytes}


PARTS = {
    "code": bench_code,
    "builtins": bench_builtins,
    "maps": bench_maps,
    "compile": bench_compile,
    "jobs": bench_jobs,
    "rivals": bench_rivals,
    "secure": bench_secure,
    "start": bench_start,
    "memory": bench_memory,
    "faults": bench_faults,
    "hostile": bench_hostile,
    "scale": bench_scale,
    "soak": bench_soak,
}


def machine() -> dict[str, object]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), platform.machine())
    return {"cpu": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release().split('-')[0]}"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes: shows that it works, not how fast")
    parser.add_argument("parts", nargs="*", help=f"what to measure, of {' '.join(PARTS)}; all when none is named")
    chosen = parser.parse_args()
    unknown = [part for part in chosen.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="ms-bench-") as work:
        bench = Bench(Path(work), chosen.short)
        bench.results["machine"] = machine()
        print(", ".join(f"{key}: {value}" for key, value in machine().items()))
        for part in chosen.parts or PARTS:
            PARTS[part](bench)
    if not chosen.short:
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        last = results / "last.json"
        merged = {**(json.loads(last.read_text()) if last.exists() else {}), **bench.results}
        last.write_text(json.dumps(merged, indent=2) + "\n")


if __name__ == "__main__":
    main()
