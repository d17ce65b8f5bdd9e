"""Types, the implicit conversions between them, and how an expected type flows into an expression (§2 and §3)."""

from __future__ import annotations

import pytest
from checking import checked, in_master, the_only, value_of

from ms import typed
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    LONG,
    STRING,
    JobType,
    MapType,
    StructType,
    Type,
    VectorType,
    common_type,
    converts_implicitly,
)

SCALARS: list[Type] = [INT, LONG, DOUBLE, FLOAT, BOOL, CHAR]
WIDENINGS = {(CHAR, INT), (CHAR, LONG), (CHAR, DOUBLE), (INT, LONG), (INT, DOUBLE), (FLOAT, DOUBLE)}


@pytest.mark.parametrize("source", SCALARS)
@pytest.mark.parametrize("target", SCALARS)
def test_implicit_conversions_are_those_of_the_page(source: Type, target: Type) -> None:
    assert converts_implicitly(source, target) == (source == target or (source, target) in WIDENINGS)


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        (INT, LONG, LONG),
        (CHAR, INT, INT),
        (INT, DOUBLE, DOUBLE),
        (LONG, DOUBLE, None),
        (FLOAT, DOUBLE, DOUBLE),
        (FLOAT, INT, DOUBLE),
        (BOOL, INT, None),
        (STRING, CHAR, None),
        (STRING, VectorType(CHAR), STRING),
    ],
)
def test_common_type(left: Type, right: Type, common: Type | None) -> None:
    assert common_type(left, right) == common
    assert common_type(right, left) == common


def test_types_are_written_as_in_a_program() -> None:
    assert str(VectorType(VectorType(CHAR))) == "vector<string>"
    assert str(JobType(StructType("hit"))) == "job<struct hit>"
    assert str(MapType(STRING, VectorType(INT))) == "map<string, vector<int>>"


def declared(statement: str, before: str = "") -> typed.Expression:
    first = in_master(statement, before)[-1]
    assert isinstance(first, typed.Declare)
    return first.value


@pytest.mark.parametrize(
    ("statement", "kind", "value", "type"),
    [
        ("int x = 5;", typed.IntLiteral, 5, INT),
        ("long x = 5;", typed.IntLiteral, 5, LONG),
        ("double x = 5;", typed.FloatLiteral, 5.0, DOUBLE),
        ("double x = -5;", typed.FloatLiteral, -5.0, DOUBLE),
        ("double x = 10000000000;", typed.FloatLiteral, 1e10, DOUBLE),
        ("char x = 10;", typed.IntLiteral, 10, CHAR),
        ("char x = 255;", typed.IntLiteral, 255, CHAR),
        ("int x = 'a';", typed.IntLiteral, 97, INT),
        ("long x = 'a';", typed.IntLiteral, 97, LONG),
        ("double x = 'a';", typed.FloatLiteral, 97.0, DOUBLE),
        ("int x = -2147483648;", typed.IntLiteral, -2147483648, INT),
        ("long x = 2147483648;", typed.IntLiteral, 2147483648, LONG),
        ("int x = 0xffffffff;", typed.IntLiteral, -1, INT),
        ("auto x = 5;", typed.IntLiteral, 5, INT),
        ("auto x = 5L;", typed.IntLiteral, 5, LONG),
        ("auto x = 5000000000;", typed.IntLiteral, 5000000000, LONG),
        ("auto x = 'a';", typed.IntLiteral, 97, CHAR),
        ("auto x = -1.5;", typed.FloatLiteral, -1.5, DOUBLE),
    ],
)
def test_literals_take_the_expected_type(statement: str, kind: type, value: float, type: Type) -> None:
    literal = declared(statement)
    assert isinstance(literal, kind)
    assert (literal.value, literal.type) == (value, type)  # type: ignore[attr-defined]


def test_the_expected_type_flows_into_vectors() -> None:
    vector = declared("vector<double> v = [1, 2.5, 'a'];")
    assert isinstance(vector, typed.VectorLiteral)
    assert vector.type == VectorType(DOUBLE)
    assert [(type(part), part.type) for part in vector.elements] == [(typed.FloatLiteral, DOUBLE)] * 3


def test_the_expected_type_flows_into_nested_and_empty_vectors() -> None:
    vector = declared("vector<vector<long>> v = [[], [1]];")
    assert isinstance(vector, typed.VectorLiteral)
    empty, one = vector.elements
    assert isinstance(empty, typed.ZeroValue)
    assert empty.type == VectorType(LONG)
    assert one == typed.VectorLiteral((typed.IntLiteral(1, LONG, one.elements[0].span),), VectorType(LONG), one.span)  # type: ignore[union-attr]


def test_the_expected_type_flows_into_fill() -> None:
    call = declared("vector<double> v = fill(3, 0);")
    assert isinstance(call, typed.BuiltinCall)
    assert call.type == VectorType(DOUBLE)
    assert isinstance(call.arguments[1], typed.FloatLiteral)
    assert call.arguments[0].type is INT


def test_fill_converts_a_variable_to_the_expected_element() -> None:
    call = declared("int n = 3; vector<double> v = fill(n, n);")
    assert isinstance(call, typed.BuiltinCall)
    assert isinstance(call.arguments[1], typed.Convert)
    assert call.arguments[1].type is DOUBLE


def test_the_expected_type_flows_into_both_arms() -> None:
    choice = declared("bool c; vector<long> v = c ? [] : [1];")
    assert isinstance(choice, typed.Conditional)
    assert choice.type == choice.then.type == choice.otherwise.type == VectorType(LONG)


def test_the_arms_agree_on_a_type() -> None:
    choice = declared("bool c; long n; auto x = c ? 1 : n;")
    assert isinstance(choice, typed.Conditional)
    assert choice.type is LONG
    assert isinstance(choice.then, typed.IntLiteral)
    assert choice.then.type is LONG


def test_elements_agree_on_a_type() -> None:
    assert value_of("[0, 1L]").type == VectorType(LONG)
    assert value_of("[1, 2.5]").type == VectorType(DOUBLE)
    assert value_of("['a', 'b']").type == STRING
    assert value_of("[[], [1]]").type == VectorType(VectorType(INT))


def test_the_other_side_says_the_type() -> None:
    compare = declared("long x; bool b = 5 < x;")
    assert isinstance(compare, typed.Compare)
    assert isinstance(compare.left, typed.IntLiteral)
    assert compare.left.type is LONG
    concat = declared("vector<long> v; auto w = [1] + v;")
    assert isinstance(concat, typed.Concat)
    assert concat.left.type == concat.type == VectorType(LONG)


def test_the_expected_type_does_not_flow_through_operators() -> None:
    value = declared("double d = 1 / 2;")
    assert isinstance(value, typed.Convert)
    assert isinstance(value.operand, typed.Binary)
    assert value.operand.type is INT


def test_implicit_conversions_are_spelled_out() -> None:
    value = declared("int i; double d = i;")
    assert isinstance(value, typed.Convert)
    assert isinstance(value.operand, typed.VariableRef)
    assert (value.operand.type, value.type) == (INT, DOUBLE)


def test_called_conversions() -> None:
    value = declared("double d; int i = int(d);")
    assert isinstance(value, typed.Convert)
    assert (value.operand.type, value.type) == (DOUBLE, INT)
    cut = declared("char c = char(300);")
    assert isinstance(cut, typed.IntLiteral)
    assert (cut.value, cut.type) == (44, CHAR)
    same = declared("int i; int j = int(i);")
    assert isinstance(same, typed.VariableRef)


def test_struct_names_with_and_without_struct_are_one_type() -> None:
    first = declared("struct p a; p b = a; p c = b;", "struct p { int x; };")
    assert first.type == StructType("p")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('master { int x = «"five"»; }', "E0201"),
        ("master { bool b = «1»; }", "E0201"),
        ("master { int x = «true»; }", "E0201"),
        ("struct p { int x; } master { struct p a = «5»; }", "E0201"),
        ('master { vector<int> v = [1, «"a"»]; }', "E0201"),
        ("master { vector<int> v = «[1.5][0]»; }", "E0201"),
        ("master { long n; int x = «n»; }", "E0205"),
        ("master { long n; double d = «n»; }", "E0205"),
        ("master { int x = «2.5»; }", "E0205"),
        ("master { int x = «5L»; }", "E0205"),
        ("master { int i; char c = «i»; }", "E0205"),
        ("master { vector<int> v = [«1L»]; }", "E0205"),
        ("master { char c = «256»; }", "E0223"),
        ("master { char c = «-1»; }", "E0223"),
        ("master { int x = «3000000000»; }", "E0223"),
        ("master { double d = «9007199254740993»; }", "E0223"),
        ("master { auto v = «[]»; }", "E0212"),
        ("master { auto «v»; }", "E0212"),
        ("master { print(«[]»); }", "E0212"),
        ('master { auto v = [1, «"a"»]; }', "E0217"),
        ('master { bool b; auto v = b ? 1 : «"a"»; }', "E0217"),
        ('master { int x = int(«"5"»); }', "E0213"),
        ("master { int x = int(«true»); }", "E0213"),
        ("master { vector<int> v; double x = double(«v»); }", "E0213"),
        ("master { «void» x; }", "E0314"),
        ("struct s { «void» x; };", "E0314"),
        ("int f(«void» x) { return 1; }", "E0314"),
        ("master { vector<«void»> v; }", "E0314"),
        ("master { «nothing» x; }", "E0303"),
        ("master { struct «nothing» x; }", "E0303"),
        ("master { float f = «1e39»; print(f); }", "E0223"),
        ("master { print(«-3.5e38f»); }", "E0223"),
        ("master { float f = «16777217»; print(f); }", "E0223"),
        ("master { double d; float f = «d»; print(f); }", "E0205"),
        ("master { int i; float f = «i»; print(f); }", "E0205"),
        ("master { float f; f += «slots()»; print(f); }", "E0205"),
        ("master { float f; long n; print(f «+» n); }", "E0202"),
        ("master { float f; print(f «%» 2); }", "E0202"),
        ("master { float f = «'a'»; print(f); }", "E0205"),
        ("master { map<«double», int> m; }", "E0230"),
        ("master { map<«vector<int>», int> m; }", "E0230"),
        ("struct s { map<int, «void»> m; }; master { }", "E0314"),
    ],
)
def test_wrong_types(text: str, code: str) -> None:
    the_only(text, code)


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ('master { int x = "5"; }', "parse_int(s) reads an int from a string"),
        ("master { string s = 5; }", "str(x) gives the text of a value"),
        ("job int f() { return 1; } master { int x = remote f(); }", "get(j) waits for a job and gives its result"),
        (
            "job int f() { return 1; } master { job<int> j = f(); }",
            "`remote` before the call starts a job and gives its handle",
        ),
        ("master { bool b = 5; }", "compare it with something: x != 0"),
        ("master { long n; int x = n; }", "int(x) keeps the low bits"),
        ("master { double d; int x = d; }", "int(x) cuts off what stands behind the point"),
        ("master { long n; double d = n; }", "double(x) gives the nearest value"),
        ("struct point { int x; } master { struct pont p; }", "did you mean `point`?"),
    ],
)
def test_help_names_the_way(text: str, help: str) -> None:
    _, messages = checked(text)
    assert messages[0].help == (help,)


def test_a_wrong_value_shows_where_the_type_comes_from() -> None:
    message = the_only('master { int x; x = «"a"»; }', "E0201")
    assert message.message == "expected int, found string"
    assert message.label == "this is a string"
    assert [(label.span.start, label.text) for label in message.secondary] == [(13, "`x` is int")]
