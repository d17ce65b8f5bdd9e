"""The serialisers that the code generator makes, against an encoder written here from docs/protocol.md.

Compiled jobs that give back what they are given are run on bytes that are right, cut short, too long or changed at
random.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_programs import FAILED, FINISHED, REJECTED, Run, running_jobs

STRUCTS = """
struct point { double x; int n; bool on; };
struct named { string name; vector<struct point> points; char c; };
struct tree { int value; vector<struct tree> kids; };
struct table { map<string, int> counts; char c; map<long, vector<point>> rows; };
struct outer { struct named inner; long l; vector<vector<string>> words; job_kind kind; };
struct job_kind { bool a, b; char c; };
"""
FIELDS = {
    "point": ("double", "int", "bool"),
    "named": ("string", "vector<point>", "char"),
    "tree": ("int", "vector<tree>"),
    "outer": ("named", "long", "vector<vector<string>>", "job_kind"),
    "table": ("map<string, int>", "char", "map<long, vector<point>>"),
    "job_kind": ("bool", "bool", "char"),
}
TYPES = (
    "int", "long", "double", "bool", "char", "string", "vector<int>", "vector<bool>", "vector<double>",
    "vector<string>", "vector<vector<long>>", "point", "named", "tree", "outer", "vector<point>", "vector<named>",
    "vector<vector<outer>>", "map<string, int>", "map<int, vector<string>>", "map<bool, map<char, double>>", "table",
    "vector<map<long, tree>>",
)  # fmt: skip

# Python's idea of the encoding

PACKING = {"int": "<i", "long": "<q", "double": "<d", "bool": "<?", "char": "<B"}


def element_of(type: str) -> str:
    return "char" if type == "string" else type[len("vector<") : -1]


def is_vector(type: str) -> bool:
    return type == "string" or type.startswith("vector<")


def parts_of(type: str) -> tuple[str, str]:
    """Key and value of a map."""
    key, _, value = type[len("map<") : -1].partition(", ")
    return key, value


def encoded(type: str, value: Any) -> bytes:
    if type in PACKING:
        return struct.pack(PACKING[type], value)
    if type.startswith("map<"):
        both = parts_of(type)
        pairs = b"".join(encoded(part, item) for pair in value for part, item in zip(both, pair, strict=True))
        return struct.pack("<I", len(value)) + pairs
    if is_vector(type):
        return struct.pack("<I", len(value)) + b"".join(encoded(element_of(type), item) for item in value)
    return b"".join(encoded(field, item) for field, item in zip(FIELDS[type], value, strict=True))


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "char": st.integers(0, 255),
}


def values(type: str, depth: int = 0) -> st.SearchStrategy[Any]:
    if type in SCALARS:
        return SCALARS[type]
    if is_vector(type):
        return st.just([]) if depth > 4 else st.lists(values(element_of(type), depth + 1), max_size=4)
    if type.startswith("map<"):
        pair = st.tuples(*(values(part, depth + 1) for part in parts_of(type)))
        return st.lists(pair, max_size=4, unique_by=lambda pair: str(pair[0]))
    return st.tuples(*(values(field, depth + 1) for field in FIELDS[type]))


TYPED_VALUES = st.sampled_from(TYPES).flatmap(lambda name: st.tuples(st.just(name), values(name)))

# Compiled jobs

PROGRAM = (
    STRUCTS
    + "".join(f"job {type} give{number}({type} x) {{ return x; }}\n" for number, type in enumerate(TYPES))
    + """
job string join_all(int n, string a, vector<string> b, struct point p) {
    string s = str(n) + a;
    for (string w in b) s += w;
    return s + str(p);
}
job vector<string> change(vector<string> v, string more) { v :: more; v[0] = "first"; return v; }
job void nothing(vector<int> v) { if (size(v) > 3) fail("too many"); }
job int depth(struct tree t) { if (size(t->kids) == 0) return 1; return 1 + depth(t->kids[0]); }
master { }
"""
)
JOIN_ALL, CHANGE, NOTHING, DEPTH = (len(TYPES) + number for number in range(1, 5))

@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running_jobs(PROGRAM, tmp_path_factory.mktemp("wire")) as run_one:
        yield run_one


FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def give(type: str) -> int:
    return TYPES.index(type) + 1


@FIXTURE
@given(case=TYPED_VALUES)
def test_what_goes_in_comes_out(run: Run, case: tuple[str, Any]) -> None:
    type, value = case
    arguments = encoded(type, value)
    assert run(give(type), arguments) == (FINISHED, arguments)


@FIXTURE
@given(case=TYPED_VALUES, data=st.data())
def test_cut_or_too_long_is_rejected(run: Run, case: tuple[str, Any], data: st.DataObject) -> None:
    type, value = case
    arguments = encoded(type, value)
    cut = data.draw(st.integers(0, len(arguments) - 1))
    assert run(give(type), arguments[:cut]) == (REJECTED, b"")
    assert run(give(type), arguments + data.draw(st.binary(min_size=1, max_size=9))) == (REJECTED, b"")


@FIXTURE
@given(case=TYPED_VALUES, data=st.data())
def test_changed_bytes_are_rejected_or_are_another_value(run: Run, case: tuple[str, Any], data: st.DataObject) -> None:
    type, value = case
    arguments = bytearray(encoded(type, value))
    for _ in range(data.draw(st.integers(1, 3))):
        arguments[data.draw(st.integers(0, len(arguments) - 1))] = data.draw(st.integers(0, 255))
    outcome, result = run(give(type), bytes(arguments))
    assert (outcome, result) in ((REJECTED, b""), (FINISHED, bytes(arguments)))


def test_a_count_beyond_the_bytes_is_rejected_before_memory_is_asked_for(run: Run) -> None:
    for type in ("string", "vector<double>", "vector<string>", "vector<named>", "map<string, int>", "table"):
        assert run(give(type), struct.pack("<I", 0xFFFFFFFF) + bytes(64)) == (REJECTED, b"")


def test_a_key_that_comes_twice_is_rejected(run: Run) -> None:
    twice = {
        "map<string, int>": [(b"a", 1), (b"b", 2), (b"a", 3)],
        "map<int, vector<string>>": [(5, [b"x"]), (5, [b"x"])],
        "map<bool, map<char, double>>": [(True, [(1, 0.5), (1, 0.5)])],
    }
    for type, pairs in twice.items():
        assert run(give(type), encoded(type, pairs)) == (REJECTED, b"")
    once = encoded("map<string, int>", [(b"a", 1), (b"b", 2)])
    assert run(give("map<string, int>"), once) == (FINISHED, once)


def test_a_bool_is_zero_or_one(run: Run) -> None:
    assert run(give("bool"), b"\x02") == (REJECTED, b"")


def test_several_arguments(run: Run) -> None:
    arguments = (
        encoded("int", 7)
        + encoded("string", b"a")
        + encoded("vector<string>", [b"bc", b"", b"d"])
        + encoded("point", (1.5, -2, True))
    )
    assert run(JOIN_ALL, arguments) == (FINISHED, encoded("string", b"7abcdpoint{x: 1.5, n: -2, on: true}"))


def test_arguments_that_the_job_changes(run: Run) -> None:
    arguments = encoded("vector<string>", [b"x", b"y"]) + encoded("string", b"z")
    assert run(CHANGE, arguments) == (FINISHED, encoded("vector<string>", [b"first", b"y", b"z"]))


def test_void_and_failing(run: Run) -> None:
    assert run(NOTHING, encoded("vector<int>", [1, 2])) == (FINISHED, b"")
    outcome, payload = run(NOTHING, encoded("vector<int>", [1, 2, 3, 4]))
    assert outcome == FAILED
    before = PROGRAM[: PROGRAM.index('fail("too')]
    place = (before.count("\n") + 1, len(before) - before.rindex("\n"))
    story = b"jobs.ms:%d:%d in nothing: too many" % place
    assert payload == struct.pack("<I", 8) + b"too many" + story


def test_deep_nesting_ends_the_job_and_not_the_slave(run: Run) -> None:
    """Each level of the tree is one more call of its decoder."""
    levels = 2_000_000
    bytes_of_chain = struct.pack("<iI", 1, 1) * levels + struct.pack("<iI", 1, 0)
    outcome, payload = run(DEPTH, bytes_of_chain)
    assert outcome == FAILED
    assert payload[4:].startswith(b"stack overflow")
    assert run(DEPTH, struct.pack("<iI", 1, 1) * 100 + struct.pack("<iI", 1, 0)) == (FINISHED, struct.pack("<i", 101))
