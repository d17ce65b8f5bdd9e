"""Generated programs, the short form: some right ones against their twin, many damaged ones that get an answer.

`generate/run.py` searches for as long as one likes. A seed that fails here is shown smaller by
`python tests/generate/run.py --seed N --count 1`.
"""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path

import pytest
from generate import coverage, damage, judge, mutate
from generate.programs import make_program
from generate.show import show, show_files
from generate.shrink import nodes, shrink
from generate.tree import Binary, Block, Builtin, Evaluate, Literal, Program
from generate.twin import expectation
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ms.types import INT, STRING

SEEDS = st.integers(0, 2**32 - 1)
CORPUS = damage.corpus()
# A seed says nothing by being small, so that there is nothing to shrink; `generate/shrink.py` works on the program.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=20, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
@given(SEEDS)
def test_what_is_made_is_right(seed: int) -> None:
    """The checker and the code generator take it."""
    with tempfile.TemporaryDirectory(prefix="ms-generate-") as directory:
        judge.analyse(show_files(make_program(seed))[0], Path(directory))


@settings(max_examples=4, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
@given(SEEDS)
def test_right_programs_do_what_their_twin_says(seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="ms-generate-") as directory:
        assert judge.faults(make_program(seed), Path(directory)) == []


@settings(max_examples=300, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
@given(SEEDS)
def test_damaged_programs_get_an_answer(seed: int) -> None:
    data = damage.damaged(CORPUS, random.Random(seed))
    assert mutate.faults(data, run=False)[1] == []


@settings(max_examples=4, deadline=None, phases=PHASES, suppress_health_check=CHECKS)
@given(SEEDS)
def test_damaged_programs_that_still_compile_end_well(seed: int) -> None:
    choice = random.Random(seed)
    for _ in range(400):
        data = damage.damaged(CORPUS, choice)
        kind, found = mutate.faults(data, run=False)
        assert found == []
        if kind == "right":
            assert mutate.faults(data, run=True)[1] == []
            return


# The generators themselves


def printing(text: bytes) -> Program:
    hello = Evaluate(Builtin(INT, "print", (Literal(STRING, text),)))
    sums = Evaluate(Builtin(INT, "print", (Binary(INT, "/", Literal(INT, 7), Literal(INT, 2)),)))
    return Program((), (), (), Block((sums, hello, sums, hello)))


def test_a_seed_is_a_program() -> None:
    assert show(make_program(5))[0] == show(make_program(5))[0]
    assert show(make_program(5))[0] != show(make_program(6))[0]


def test_a_difference_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A twin that is wrong about division, and what is left of the program that shows it."""
    from generate import twin

    right = twin.arithmetic
    monkeypatch.setattr(twin, "arithmetic", lambda op, *rest: right("*" if op == "/" else op, *rest))
    program = printing(b"hello")
    found = judge.faults(program, tmp_path / "first", ["-O0"], ["local"])
    assert found == ["-O0 local: output line 1: expected [b'14'], got [b'3']"]
    lines = show(program)[1]
    assert expectation(program, lines).output.startswith(b"14\nhello")


def test_shrinking_keeps_what_is_bad() -> None:
    program = printing(b"needle")
    small = shrink(program, lambda p: any(isinstance(n, Literal) and n.value == b"needle" for n in nodes(p)))
    assert show(small)[0] == 'master {\n    print("needle");\n}\n'


@pytest.mark.parametrize("data", [b"master { print(1); }", b"master { print(1) }", b"\xff", b"", b"master { x = ; }"])
def test_answers(data: bytes) -> None:
    assert mutate.faults(data, run=False) == ("right" if b"print" in data else "wrong", [])


def test_coverage_names_what_is_missing() -> None:
    text = coverage.told([1])
    assert re.search(r"^productions: 1\d\d of 1\d\d; missing:$", text, re.MULTILINE)
    assert "    postfix: MINIMUM\n" in text  # nothing but an error
    assert re.search(r"^built-in functions: \d+ of 1\d\d; missing:$", text, re.MULTILINE)
    assert re.search(r"^functions of the code generator: \d+ of \d+; missing:$", text, re.MULTILINE)


def test_damage_of_several_files() -> None:
    """Each file may be the one that is wrong; a file that is missing is an error too."""
    files = {"prog.ms": b'import "a.ms";\nmaster { print(f()); }', "a.ms": b"int f() { return 1; }"}
    assert mutate.faults(files, run=False) == ("right", [])
    assert mutate.faults({**files, "a.ms": b"int f() { return x; }"}, run=False) == ("wrong", [])
    assert mutate.faults({"prog.ms": files["prog.ms"]}, run=False) == ("wrong", [])
