"""The table of built-in functions, and how the checker reads it: every row is called once, rightly and wrongly."""

from __future__ import annotations

import pytest
from checking import checked, codes, expressions, in_master, program, the_only

from ms import builtins, typed
from ms.builtins import BUILTINS, Builtin, Mode, Where
from ms.diagnostics import Severity
from ms.types import BOOL, CHAR, DOUBLE, INT, JOB_STATE, LONG, STRING, VOID, StructType, Type, VectorType

BEFORE = """
struct point { int x; int y; };
bool less(int a, int b) { return a < b; }
bool nearer(struct point a, struct point b) { return a->x < b->x; }
job int f() { return 1; }
job void g() { }
"""
VARIABLES = """
vector<int> v; string s; vector<string> words; vector<struct point> points; int i; long n; double d; char c; bool b;
struct point p; rng r; job<int> j; vector<job<int>> js; vector<job<void>> gs; vector<double> ds;
map<string, vector<int>> m;
"""

STRINGS = VectorType(STRING)
INTS = VectorType(INT)

CALLS: list[tuple[str, str, Type]] = [
    ("print()", "print", VOID),
    ("print(i, s, v, j, p, js)", "print", VOID),
    ("write(1)", "write", VOID),
    ("eprint(s)", "eprint", VOID),
    ("str(p)", "str", STRING),
    ("size(v)", "size", INT),
    ("s.size()", "size", INT),
    ("pop(v)", "pop", INT),
    ("pop(s)", "pop", CHAR),
    ("resize(v, n)", "resize", VOID),
    ("clear(words)", "clear", VOID),
    ("fill(3, p)", "fill", VectorType(StructType("point"))),
    ("insert(v, 0, 'a')", "insert", VOID),
    ("remove(v, 0)", "remove", INT),
    ("swap(points, 0, n)", "swap", VOID),
    ("sort(v)", "sort", INTS),
    ("sort(words)", "sort", STRINGS),
    ("sort(v, less)", "sort_by", INTS),
    ("reverse(s)", "reverse", STRING),
    ("find(v, 'a')", "find", INT),
    ("find(s, 'a')", "find", INT),
    ('find(s, "ab")', "find", INT),
    ("contains(points, p)", "contains", BOOL),
    ("sum(v)", "sum", LONG),
    ("sum(ds)", "sum", DOUBLE),
    ("min(v)", "min_of", INT),
    ("min(v, less)", "min_by", INT),
    ("max(words)", "max_of", STRING),
    ("max(points, nearer)", "max_by", StructType("point")),
    ('split(s, ",")', "ms_split", STRINGS),
    ("split(s)", "ms_split_space", STRINGS),
    ('join(words, "")', "ms_join", STRING),
    ("trim(s)", "ms_trim", STRING),
    ('format("{}", i)', "format", STRING),
    ("upper(s)", "ms_upper", STRING),
    ("lower(s)", "ms_lower", STRING),
    ('replace(s, "a", "b")', "ms_replace", STRING),
    ("starts_with(s, s)", "ms_starts_with", BOOL),
    ("ends_with(s, s)", "ms_ends_with", BOOL),
    ("parse_int(s)", "ms_parse_int", INT),
    ("parse_long(s)", "ms_parse_long", LONG),
    ("parse_double(s)", "ms_parse_double", DOUBLE),
    ("abs(n)", "abs", LONG),
    ("abs(c)", "abs", INT),
    ("min(1, 2.5)", "min", DOUBLE),
    ("max(0, n)", "max", LONG),
    ("sqrt(2)", "sqrt", DOUBLE),
    ("pow(i, 2)", "pow", DOUBLE),
    ("is_nan(d)", "is_nan", BOOL),
    ("popcount(n)", "popcount", INT),
    ("random(i)", "random", StructType("rng")),
    ("next_long(r)", "next_long", LONG),
    ("r.next_int(6)", "next_int", INT),
    ("next_double(r)", "next_double", DOUBLE),
    ("args()", "ms_args", STRINGS),
    ("arg(0, 1000)", "arg", INT),
    ('arg(1, "x")', "arg", STRING),
    ("exit(1)", "ms_exit", VOID),
    ("fail(s)", "ms_fail", VOID),
    ('env("HOME")', "ms_env", STRING),
    ("time()", "ms_time", DOUBLE),
    ("clock()", "ms_clock", DOUBLE),
    ("sleep(1)", "ms_sleep", VOID),
    ("host()", "ms_host", STRING),
    ("read_file(s)", "ms_read_file", STRING),
    ("read_file(s, 0, i)", "ms_read_file_part", STRING),
    ("write_file(s, s)", "ms_write_file", VOID),
    ("append_file(s, s)", "ms_append_file", VOID),
    ("read_lines(s)", "ms_read_lines", STRINGS),
    ("file_size(s)", "ms_file_size", LONG),
    ("file_exists(s)", "ms_file_exists", BOOL),
    ("list_dir(s)", "ms_list_dir", STRINGS),
    ("read_line()", "ms_read_line", STRING),
    ("at_end()", "ms_at_end", BOOL),
    ('exec(["ls"], "")', "exec", StructType("exec_result")),
    ("get(j)", "get", INT),
    ("j.get()", "get", INT),
    ("get(js)", "get_all", INTS),
    ("get(gs)", "get_all", VOID),
    ("get(remote g())", "get", VOID),
    ("state(j)", "ms_job_state", JOB_STATE),
    ("cancel(j)", "ms_job_cancel", VOID),
    ("error(j)", "ms_job_error", STRING),
    ("story(j)", "ms_job_story", STRING),
    ("wait(j)", "ms_job_wait", JOB_STATE),
    ("wait(j, 2)", "ms_job_wait_for", JOB_STATE),
    ("any(js)", "ms_jobs_any", INT),
    ("any(js, 0.5)", "ms_jobs_any_for", INT),
    ("size(m)", "map_size", INT),
    ("clear(m)", "map_clear", VOID),
    ('has(m, "a")', "map_has", BOOL),
    ('lookup(m, "a", [1])', "map_lookup", INTS),
    ('m.remove("a")', "map_remove", BOOL),
    ("keys(m)", "map_keys", STRINGS),
    ("values(m)", "map_values", VectorType(INTS)),
    ("slaves()", "ms_slaves", INT),
    ("slots()", "ms_slots", INT),
]


def called(text: str) -> typed.BuiltinCall:
    """The checked tree of a call that stands alone."""
    last = in_master(f"{VARIABLES} {text};", BEFORE)[-1]
    assert isinstance(last, typed.Evaluate)
    assert isinstance(last.expression, typed.BuiltinCall)
    return last.expression


@pytest.mark.parametrize(("text", "symbol", "type"), CALLS)
def test_a_call_finds_its_row_and_its_type(text: str, symbol: str, type: Type) -> None:
    call = called(text)
    assert call.builtin.symbol == symbol
    assert call.type == type


def test_every_row_is_called_above() -> None:
    ones = {"cbrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "floor", "ceil"}
    others = {"round", "trunc", "atan2", "fmod", "hypot", "completed"}
    seen = {symbol for _, symbol, _ in CALLS} | ones | others
    assert {row.symbol for rows in BUILTINS.values() for row in rows} == seen


@pytest.mark.parametrize("name", ["format", "keys", "print", "size"])
def test_a_program_may_use_the_name_for_its_own(name: str) -> None:
    tree = program(
        f"int {name}(int x) {{ return x; }} master {{ int y = {name}(3); print_it(y); }} void print_it(int x) {{ }}"
    )
    calls = [part for part in expressions(tree.master) if isinstance(part, typed.Call)]
    assert calls[0].function.name == name


ROWS = [row for rows in BUILTINS.values() for row in rows]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.symbol)
def test_a_row_is_whole(row: Builtin) -> None:
    assert row.help
    assert not row.help.endswith(".")
    modes = [mode for _, mode in row.parameters]
    assert Mode.INOUT not in modes[1:]
    assert not (row.pure and Mode.INOUT in modes)
    assert row.returns or row.result is VOID
    if row.symbol.startswith("ms_"):
        assert not {pattern for pattern, _ in row.parameters if isinstance(pattern, str)} & {"T", "V", "N", "F", "E"}


def test_what_belongs_to_the_master() -> None:
    assert {row.name for row in ROWS if row.where is Where.MASTER} == {"args", "arg", "exit"}


def test_arguments_are_converted() -> None:
    call = called("sqrt(i)")
    assert isinstance(call.arguments[0], typed.Convert)
    assert isinstance(called("sleep(1)").arguments[0], typed.FloatLiteral)
    smallest = called("max(0, n)")
    assert [part.type for part in smallest.arguments] == [LONG, LONG]
    assert isinstance(called("insert(v, 0, 'a')").arguments[2], typed.IntLiteral)
    assert called("insert(v, 0, 'a')").arguments[2].type is INT
    assert called("find(s, 97)").arguments[1].type is CHAR
    assert [part.type for part in called("read_file(s, 0, i)").arguments[1:]] == [LONG, LONG]


def test_the_order_is_a_function() -> None:
    order = called("sort(points, nearer)").arguments[1]
    assert isinstance(order, typed.FunctionValue)
    assert order.function.name == "nearer"


def test_constants_are_literals() -> None:
    statement = in_master("double x = pi; print(x, infinity, nan);")[0]
    assert isinstance(statement, typed.Declare)
    assert isinstance(statement.value, typed.FloatLiteral)
    assert statement.value.value == builtins.CONSTANTS["pi"]


def test_a_local_may_be_called_like_a_constant() -> None:
    statement = in_master("int pi = 3; int y = pi; print(y);")[1]
    assert isinstance(statement, typed.Declare)
    assert isinstance(statement.value, typed.VariableRef)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("size(«i»)", "E0225"),
        ("sort(«i»)", "E0225"),
        ("sqrt(«s»)", "E0201"),
        ("sqrt(«n»)", "E0205"),
        ("abs(«s»)", "E0225"),
        ("min(«p», p)", "E0225"),
        ("sum(«words»)", "E0225"),
        ("arg(0, «v»)", "E0225"),
        ("sort(«points»)", "E0228"),
        ("max(«js»)", "E0228"),
        ("sort(v, «nearer»)", "E0226"),
        ("sort(v, «i»)", "E0226"),
        ("sort(v, «size(v)»)", "E0226"),
        ("find(v, «s»)", "E0201"),
        ("insert(v, 0, «d»)", "E0205"),
        ("insert(v, «s», 1)", "E0201"),
        ("resize(v, «d»)", "E0205"),
        ("split(«i»)", "E0201"),
        ("replace(s, «'a'», s)", "E0201"),
        ("exec(«s», s)", "E0201"),
        ("exec([«i»], s)", "E0201"),
        ("«exec»(words)", "E0206"),
        ("starts_with(«c», s)", "E0201"),
        ("«replace»(s, s)", "E0206"),
        ("join(«v», s)", "E0201"),
        ("fail(«i»)", "E0201"),
        ("max(1, «s»)", "E0225"),
        ("max(d, «n»)", "E0217"),
        ("print(«print()»)", "E0214"),
        ("«size»()", "E0206"),
        ("«size»(v, v)", "E0206"),
        ("«time»(1)", "E0206"),
        ("«read_file»(s, 1)", "E0206"),
        ("pop(«[1, 2]»)", "E0215"),
        ("clear(«str(i)»)", "E0215"),
        ("get(«i»)", "E0402"),
        ("get(«v»)", "E0402"),
        ("state(«js»)", "E0402"),
        ("cancel(«i»)", "E0402"),
        ("any(«j»)", "E0402"),
        ("any(«v»)", "E0402"),
        ("wait(j, «s»)", "E0201"),
    ],
)
def test_wrong_calls(call: str, code: str) -> None:
    the_only(f"{BEFORE} master {{ {VARIABLES} {call}; }}", code)


def test_a_wrong_count_says_what_is_right() -> None:
    message = the_only("master { string s; «read_file»(s, 1); }", "E0206")
    assert message.message == "`read_file` takes 1 or 3 arguments, found 2"


def test_a_wrong_order_says_what_is_right() -> None:
    message = the_only(
        "bool less(long a, long b) { return a < b; } master { vector<int> v; sort(v, «less»); }", "E0226"
    )
    assert "bool less(int a, int b)" in message.message


def test_an_argument_may_not_change_what_the_call_changes() -> None:
    text = "master { vector<vector<int>> v; insert(v[0], «size(pop(v))», 1); }"
    assert the_only(text, "E0502").secondary[0].text == "passed to be changed"


def test_an_argument_may_read_what_the_call_changes() -> None:
    assert codes("master { vector<int> v; resize(v, size(v) + 1); insert(v, 0, v[0]); print(v); }") == []


def test_a_sort_that_seems_to_be_in_place() -> None:
    _, messages = checked("master { vector<int> v; sort(v); pop(v); }")
    assert [(item.code, item.severity) for item in messages] == [("W0104", Severity.WARNING)]
    assert messages[0].help == ("`sort` gives a new value and leaves its argument: v = sort(v)",)


def test_the_result_of_a_call_may_be_left_unused() -> None:
    assert codes("master { sort([2, 1]); sqrt(2.0); int(2.5); }") == []
