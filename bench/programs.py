"""How fast what msc makes is, and msc: against gcc -O3 and clang -O3, the libraries of C and C++, and by the line."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from common import HERE, ROOT, Bench, alternate, output_of, record, spread, timed
from targets import Target

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


C_COMPILERS = ("gcc", "clang")
TARGETS = (
    Target("generated code, geometric mean", 1.05, ("code", "mean"), unit="x C", at_most=True),
    Target("generated code, the slowest program", 1.25, ("code", "largest"), unit="x C", at_most=True),
    Target("unchecked code, geometric mean", 1.0, ("code", "unchecked_mean"), unit="x C", at_most=True),
)


def bench_code(bench: Bench) -> None:
    """Generated code, as it is and unchecked, against the faster of gcc -O3 and clang -O3 of the same algorithm. All of
    them compile for every x86-64 (or whatever this machine is), which is the default of each."""
    compilers = [each for each in C_COMPILERS if shutil.which(each)]
    if not compilers:
        print("\ncode: skipped, there is no gcc and no clang")
        return
    for missing in set(C_COMPILERS) - set(compilers):
        print(f"\ncode: without {missing}, which is not there")
    print("\ncode: seconds of processor time of one run; ratios to the faster of the C compilers\n")
    columns = "".join(f"{each + ' -O3':>11}{'':>7}" for each in compilers)
    print(f"{'program':14}{'M/s':>8}{'':>7}{'unchecked':>11}{'':>7}{columns}{'ratio':>8}{'unchecked':>11}")
    found: dict[str, dict[str, object]] = {}
    ratios: list[tuple[float, float]] = []
    for name, size in (SHORT_SIZES if bench.short else CODE_SIZES).items():
        times = against_c(bench, name, str(size), compilers)
        ours, bare, *theirs = (statistics.median(values) for values in times.values())
        ratios.append((ours / min(theirs), bare / min(theirs)))
        row = "".join(f"{statistics.median(values):11.3f}{spread(values):>7}" for values in times.values())
        print(f"{name:13}{row.removeprefix('  ')}{ratios[-1][0]:8.2f}{ratios[-1][1]:11.2f}", flush=True)
        found[name] = {kind: record(values) for kind, values in times.items()}
    means = [statistics.geometric_mean(column) for column in zip(*ratios, strict=True)]
    largest, largest_unchecked = (max(column) for column in zip(*ratios, strict=True))
    print(f"\nchecked: geometric mean {means[0]:.3f}, the largest {largest:.2f}")
    print(f"unchecked: geometric mean {means[1]:.3f}, the largest {largest_unchecked:.2f}")
    bench.results["code"] = {**found, "mean": means[0], "largest": largest, "unchecked_mean": means[1]}


def against_c(bench: Bench, name: str, size: str, compilers: list[str]) -> dict[str, list[float]]:
    """What each needs for the same result: the checked program, the unchecked one, what the C compilers make."""
    source = HERE / "code" / f"{name}.ms"
    commands: dict[str, list[str | Path]] = {}
    for kind, options in (("ms", ()), ("unchecked", ("--unchecked",))):
        commands[kind] = [f"{bench.msc(source, *options)}-master", "--local", "--", size]
    for compiler in compilers:
        reference = bench.cc(source.with_suffix(".c"), compiler)
        assert reference is not None
        commands[compiler] = [reference, size]
    results = {kind: output_of(command) for kind, command in commands.items()}
    if any(result != results["ms"] for result in results.values()):
        raise SystemExit(f"{name}: the results differ: {results}")
    rounds = alternate(bench.rounds, *(lambda c=c: timed(c) for c in commands.values()))
    return dict(zip(commands, rounds, strict=True))


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
