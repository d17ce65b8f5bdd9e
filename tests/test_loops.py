"""Loops whose index checks are proven for all rounds at once, against the rules of the language written out in Python.

Each shape of loop is a compiled job; the model fails in the same round with the same index, or gives the same sum.
The numbers are drawn near the limits of int and long, where reckoning in the wrong width would show.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from job_programs import FAILED, FINISHED, Run, running_jobs

from ms import codegen

ROUNDS_MAX = 40


class IndexOutOfRangeError(Exception):
    """With the index that was used."""


def wrapped(value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (value + half) % (1 << bits) - half


def as_int(value: int) -> int:
    return wrapped(value, 32)


def as_long(value: int) -> int:
    return wrapped(value, 64)


def element(v: list[int], index: int) -> int:
    if not 0 <= index < len(v):
        raise IndexOutOfRangeError(index)
    return v[index]


Model = Callable[[list[int], int, int, int], Iterator[int]]
SHAPES: list[tuple[str, Model]] = []
"""The text of a job's body, where `s` is summed up, and what is added in each round."""


def shape(text: str) -> Callable[[Model], Model]:
    def add(model: Model) -> Model:
        SHAPES.append((text, model))
        return model

    return add


@shape("for (int i in a..b) s += v[i];")
def plain(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, i)


@shape("for (int i in a..b) s += v[i + k];")
def moved(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, as_int(i + k))


@shape("for (int i in a..b) s += v[k * i - 3];")
def scaled(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, as_int(as_int(k * i) - 3))


@shape("for (int i in a..b) s += v[k - i];")
def backwards(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, as_int(k - i))


@shape("long base = k; for (int i in a..b) s += v[i * k + base];")
def mixed_widths(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, as_long(as_int(i * k) + k))


@shape("long big = long(k) * 4294967296L; for (int i in a..b) s += v[i * 2 - big + big];")
def large_longs(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    big = as_long(k * 4294967296)
    for i in range(a, b):
        yield element(v, as_long(as_long(as_int(i * 2) - big) + big))


@shape("for (long i in long(a)..long(b)) s += v[i * k];")
def long_range(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, as_long(i * k))


@shape("for (int i = a; i < b; i++) s += v[i];")
def counted_up(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, i)


@shape("for (int i = a; i <= b; i += k) s += v[i];")
def counted_in_steps(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    i = a
    while i <= b:
        yield element(v, i)
        i = as_int(i + k)


@shape("for (long i = long(a) * k; i <= b; i += k) s += v[i];")
def counted_in_long_steps(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    i = a * k
    while i <= b:
        yield element(v, i)
        i = as_long(i + k)


@shape("for (int i = b; i >= a; i--) s += v[i - k];")
def counted_down(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    i = b
    while i >= a:
        yield element(v, as_int(i - k))
        i = as_int(i - 1)


@shape("for (int i = b; i > a; i -= k) s += v[i];")
def counted_down_in_steps(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    i = b
    while i > a:
        yield element(v, i)
        i = as_int(i - k)


@shape("for (int i = a; i < size(v) - k; i++) { if (i == b) break; s += v[i + k]; }")
def bounded_by_size(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, as_int(len(v) - k)):
        if i == b:
            break
        yield element(v, as_int(i + k))


@shape("for (int i in a..b) { s += v[i]; if (i == k) { v :: 7; v[i] = 1; } }")
def growing(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        yield element(v, i)
        if i == k:
            v.append(7)
            v[i] = 1


@shape("for (int i in a..b) { v[i] += i; s += v[i]; if (i == k) i = 0; s += i; }")
def writing(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        v[i : i + 1] = [as_int(element(v, i) + i)]
        yield v[i] + (0 if i == k else i)


@shape("vector<vector<int>> m = [v, v, []]; for (int i in a..b) { m[k][i] += 1; s += m[k][i]; }")
def rows(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        row = v if element([1, 1, 1], k) and k < 2 else []
        yield as_int(element(row, i) + 1)


@shape("vector<vector<int>> m = [v, v]; for (int i in a..b) { s += m[k][i]; if (i == 2) m[k] = [9]; }")
def replaced_rows(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    m = [v, v]
    for i in range(a, b):
        if not 0 <= k < 2:
            raise IndexOutOfRangeError(k)
        yield element(m[k], i)
        if i == 2:
            m[k] = [9]


@shape("struct holder h; h->inner->v = v; for (int i in a..b) { h->inner->v[i] = i; s += h->inner->v[i] + h->k; }")
def in_a_struct(v: list[int], a: int, b: int, k: int) -> Iterator[int]:
    for i in range(a, b):
        element(v, i)
        yield i


PROGRAM = """
struct inside { vector<int> v; };
struct holder { int k; struct inside inner; };
""" + "".join(
    f"job long shape{number}(vector<int> v, int a, int b, int k) {{ long s = 0; {text} return s; }}\n"
    for number, (text, _) in enumerate(SHAPES)
)

SMALL = st.integers(-4, 12)
NEAR_LIMITS = st.builds(int.__add__, st.sampled_from([-(2**31), 2**31 - 12, -(2**16), 2**16]), st.integers(0, 11))
NUMBERS = st.one_of(SMALL, SMALL, NEAR_LIMITS)


@pytest.fixture(scope="module", params=[0, 3])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    directory: Path = tmp_path_factory.mktemp("loops")
    text = PROGRAM + "master { }\n"
    with running_jobs(text, directory, codegen.Options(opt_level=request.param)) as run_one:
        yield run_one


def expected(model: Model, v: list[int], a: int, b: int, k: int) -> tuple[int, int | str]:
    """The outcome, and the sum or the message; programs that run long are not asked about."""
    total = rounds = 0
    values = list(v)
    steps = model(values, a, b, k)
    while True:
        rounds += 1
        assume(rounds <= ROUNDS_MAX)
        try:
            total = as_long(total + next(steps))
        except StopIteration:
            return FINISHED, total
        except IndexOutOfRangeError as error:
            return FAILED, str(error)


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=[model.__name__ for _, model in SHAPES])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much], deadline=None)
@given(v=st.lists(st.integers(-9, 9), max_size=12), a=NUMBERS, b=NUMBERS, k=NUMBERS)
def test_loop(run: Run, number: int, v: list[int], a: int, b: int, k: int) -> None:
    model = SHAPES[number][1]
    outcome, result = expected(model, v, a, b, k)
    arguments = struct.pack(f"<I{len(v)}iiii", len(v), *v, a, b, k)
    got, payload = run(number + 1, arguments)
    assert got == outcome
    if outcome == FINISHED:
        assert payload == struct.pack("<q", result)
    else:
        assert payload[4:].startswith(f"index {result} out of range, ".encode())
