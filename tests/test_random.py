"""The random numbers of compiled programs against the published algorithms, written here once more."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from program_compiler import compile_program

BITS = (1 << 64) - 1

PROGRAM = """
master {
    long seed = arg(0, 0L);
    rng r = random(seed), q = r;
    print(r->s0, r->s1, r->s2, r->s3);
    for (int i in 0..100) print(next_long(r));
    for (int i in 0..100) print(next_int(q, 1 + i * i * 1000), next_int(q, 2147483647));
    for (int i in 0..100) print(next_double(r));
}
"""


def splitmix64(seed: int) -> Iterator[int]:
    state = seed & BITS
    while True:
        state = (state + 0x9E3779B97F4A7C15) & BITS
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & BITS
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
        yield z ^ (z >> 31)


def rotated(value: int, count: int) -> int:
    return ((value << count) | (value >> (64 - count))) & BITS


def xoshiro256(seed: int) -> Iterator[int]:
    seeds = splitmix64(seed)
    s = [next(seeds) for _ in range(4)]
    while True:
        yield (rotated((s[1] * 5) & BITS, 7) * 9) & BITS
        t = (s[1] << 17) & BITS
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotated(s[3], 45)


def signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def expected(seed: int) -> str:
    seeds, r, q = splitmix64(seed), xoshiro256(seed), xoshiro256(seed)
    lines = [" ".join(str(signed(next(seeds))) for _ in range(4))]
    lines += [str(signed(next(r))) for _ in range(100)]
    for i in range(100):
        bounds = (1 + i * i * 1000, 2147483647)
        lines.append(" ".join(str((next(q) * bound) >> 64) for bound in bounds))
    lines += [repr((next(r) >> 11) / 2**53) for _ in range(100)]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("random")
    source = directory / "numbers.ms"
    source.write_text(PROGRAM)
    compiled = compile_program(source, directory / "numbers")
    assert compiled.status == 0, compiled
    return compiled.master


@pytest.mark.parametrize("seed", [0, 1, -1, 42, 2**63 - 1, -(2**63), 0x123456789ABCDEF])
def test_the_numbers_are_those_of_the_algorithms(program: Path, seed: int) -> None:
    ran = subprocess.run([program, "--local", "--", str(seed)], capture_output=True, text=True, check=True)
    assert ran.stdout == expected(seed)
