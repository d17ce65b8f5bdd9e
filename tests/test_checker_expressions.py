"""Expressions, constants and references: what the checker makes of them, and what it refuses."""

from __future__ import annotations

import pytest
from checking import checked, codes, expressions, in_master, program, the_only

from ms import typed
from ms.types import BOOL, CHAR, DOUBLE, INT, LONG, STRING

POINT = "struct point { int x; int y; };\n"
JOB = "job int f(int a) { return a; }\n"


# Expressions


@pytest.mark.parametrize(
    ("expression", "operand_type", "type"),
    [
        ("i + 1", INT, INT),
        ("i + n", LONG, LONG),
        ("c + c", INT, INT),
        ("c - 'a'", INT, INT),
        ("i / 2.0", DOUBLE, DOUBLE),
        ("c * n", LONG, LONG),
        ("i % 3", INT, INT),
        ("i & 0xff", INT, INT),
        ("n ^ i", LONG, LONG),
        ("1 << 40", INT, INT),
    ],
)
def test_arithmetic(expression: str, operand_type: object, type: object) -> None:
    value = _value(expression)
    assert isinstance(value, typed.Binary)
    assert (value.left.type, value.right.type, value.type) == (operand_type, operand_type, type)


def _value(expression: str) -> typed.Expression:
    declare = in_master(f"int i; long n; char c; double d; bool b; string s; auto x = {expression};")[-1]
    assert isinstance(declare, typed.Declare)
    return declare.value


def test_a_shift_has_the_type_of_its_left_side() -> None:
    value = _value("i << n")
    assert isinstance(value, typed.Binary)
    assert (value.left.type, value.right.type, value.type) == (INT, LONG, INT)
    promoted = _value("c >>> c")
    assert isinstance(promoted, typed.Binary)
    assert (promoted.left.type, promoted.right.type, promoted.type) == (INT, INT, INT)


def test_prefix_operators() -> None:
    assert [_value(text).type for text in ("-i", "-c", "~c", "~n", "-d", "!b")] == [INT, INT, INT, LONG, DOUBLE, BOOL]


def test_comparisons_have_operands_of_one_type() -> None:
    for text, type in (("i == n", LONG), ("c < 'a'", CHAR), ("c == i", INT), ("s <= s + s", STRING), ("i > d", DOUBLE)):
        value = _value(text)
        assert isinstance(value, typed.Compare)
        assert (value.left.type, value.right.type, value.type) == (type, type, BOOL)


def test_deep_equality_is_for_every_type() -> None:
    text = (
        POINT
        + JOB
        + """master {
        struct point p; vector<struct point> v; job<int> j;
        print(p == p, v == v, v != [], j == j, state(j) == finished, true == false);
    }"""
    )
    assert codes(text) == []


def test_index_and_slice() -> None:
    index, cut = in_master("vector<int> v; char c; auto a = v[c]; auto b = v[0..c]; print(a, b);")[2:4]
    assert isinstance(index, typed.Declare)
    assert isinstance(index.value, typed.Index)
    assert index.value.index.type is INT
    assert isinstance(cut, typed.Declare)
    assert isinstance(cut.value, typed.Slice)
    assert (cut.value.low.type, cut.value.high.type) == (LONG, LONG)


def test_struct_literals_keep_the_order_of_evaluation() -> None:
    declare = in_master("auto p = triple{c: 1, a: 2};", "struct triple { int a; double b; long c; };")[0]
    assert isinstance(declare, typed.Declare)
    literal = declare.value
    assert isinstance(literal, typed.StructLiteral)
    assert literal.evaluation == (2, 0)
    assert [type(part) for part in literal.values] == [typed.IntLiteral, typed.ZeroValue, typed.IntLiteral]
    assert [part.type for part in literal.values] == [INT, DOUBLE, LONG]


def test_fields_as_deep_as_you_like() -> None:
    declare = in_master(
        "vector<struct outer> v; auto x = v[0]->p->y; print(x);", POINT + "struct outer { int a; struct point p; };"
    )[1]
    assert isinstance(declare, typed.Declare)
    field = declare.value
    assert isinstance(field, typed.Field)
    assert (field.name, field.index, field.type) == ("y", 1, INT)
    assert isinstance(field.base, typed.Field)
    assert isinstance(field.base.base, typed.Index)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("master { print(1 «+» true); }", "E0202"),
        ('master { print("a" «+» 1); }', "E0202"),
        ("master { print(1.5 «%» 2.0); }", "E0202"),
        ("master { print(1.5 «<<» 2); }", "E0202"),
        ("master { print(true «&» false); }", "E0202"),
        ("master { long n; print(n «+» 1.5); }", "E0202"),
        ("master { print(1 «&&» true); }", "E0202"),
        ('master { print(1 «==» "a"); }', "E0202"),
        ("master { vector<int> v; vector<string> w; print(v «+» w); }", "E0202"),
        (JOB + "master { job<int> j; print(j «+» 1); }", "E0202"),
        ("master { print(!«1»); }", "E0202"),
        ('master { print(-«"a"»); }', "E0202"),
        ("master { print(~«1.5»); }", "E0202"),
        (POINT + "master { struct point p, q; print(p «<» q); }", "E0228"),
        ("master { print(true «<» false); }", "E0228"),
        ("master { print([1] «>=» [2]); }", "E0228"),
        ("master { print(«x»); }", "E0301"),
        ("master { print(«size»); }", "E0301"),
        ("int f() { return 1; } master { print(«f»); }", "E0301"),
        (POINT + "master { print(«point»); }", "E0301"),
        ("master { «f»(1); }", "E0302"),
        ("master { int x; print(«x»(1)); }", "E0207"),
        ("const int N = 1; master { print(«N»()); }", "E0207"),
        (POINT + "master { print(«point»(1, 2)); }", "E0207"),
        ("int f(int a) { return a; } master { «f»(); }", "E0206"),
        ("int f(int a) { return a; } master { 1.«f»(2); }", "E0206"),
        ('int f(int a) { return a; } master { f(«"a"»); }', "E0201"),
        ("master { print(«int»(1, 2)); }", "E0206"),
        ("void f() { } master { int x = «f()»; }", "E0214"),
        ("void f() { } master { print(1 + «f()»); }", "E0214"),
        (POINT + "master { struct point p; print(p->«z»); }", "E0208"),
        (POINT + "master { print(point{x: 1, «z»: 2}); }", "E0208"),
        (POINT + "master { print(point{x: 1, «x»: 2}); }", "E0216"),
        (POINT + 'master { print(point{x: «"a"»}); }', "E0201"),
        ("master { print(«point»{x: 1}); }", "E0303"),
        ("master { int x; print(«x»->y); }", "E0209"),
        ("master { int x; print(«x»[0]); }", "E0210"),
        ("master { int x; print(«x»[0..1]); }", "E0210"),
        ("master { vector<int> v; print(v[«1.5»]); }", "E0211"),
        ('master { vector<int> v; print(v[«"a"»]); }', "E0211"),
        ("master { vector<int> v; print(v[0..«true»]); }", "E0211"),
        ("master { auto m = «{}»; print(m); }", "E0212"),
        ("master { vector<int> v = «{}»; print(v); }", "E0212"),
        ("master { map<int, int> m = «[]»; print(m); }", "E0212"),
        ("master { print({«1.5»: 1}); }", "E0230"),
        ('master { print({1: 1, «"a"»: 2}); }', "E0217"),
        ('master { print({1: 1, 2: «"a"»}); }', "E0217"),
        ("master { map<string, int> m; print(m[«1»]); }", "E0201"),
        ("master { map<int, int> m; m[«5000000000»] = 1; }", "E0223"),
        ("master { int x = «{1: 2}»; print(x); }", "E0201"),
    ],
)
def test_wrong_expressions(text: str, code: str) -> None:
    the_only(text, code)


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("master { int count; print(coutn, count); }", "did you mean `count`?"),
        ("master { vector<int> v; print(siez(v)); }", "did you mean `size`?"),
        ("const int LIMIT = 1; master { print(LIMTI); }", "did you mean `LIMIT`?"),
        ("struct point { int width; } master { struct point p; print(p->widht); }", "did you mean `width`?"),
        ("int area() { return 1; } master { print(aera()); }", "did you mean `area`?"),
    ],
)
def test_suggestions(text: str, help: str) -> None:
    assert checked(text)[1][0].help == (help,)


def test_a_method_call_is_a_call() -> None:
    statement = in_master("int x = 3.twice(); print(x);", "int twice(int a) { return 2 * a; }")[0]
    assert isinstance(statement, typed.Declare)
    assert isinstance(statement.value, typed.Call)
    assert len(statement.value.arguments) == 1


# References

REFERENCES = """
void twice(vector<int>& v, int x) { v :: x :: x; }
void set(int& x, int value) { x = value; }
void both(int& a, int& b) { a = b; }
int grow(vector<vector<int>>& v) { v :: []; return 1; }
"""


@pytest.mark.parametrize(
    "statements",
    [
        "vector<int> v; twice(v, 3); v.twice(4);",
        "vector<int> v; set(v[0], 3);",
        "struct point p; set(p->x, 3); print(p);",
        "int a, b; both(a, b); print(a);",
        "vector<int> v; twice(v, size(v));",
        "vector<int> v; twice(v, v[0] + 1);",
        "int i; vector<int> v; set(v[i], i);",
        "for (int i in 0..3) set(i, 4);",
    ],
)
def test_references(statements: str) -> None:
    tree = program(POINT + REFERENCES + f"master {{ {statements} }}")
    calls = [part for part in expressions(tree.master) if isinstance(part, typed.Call)]
    assert calls
    assert calls[0].function.parameter_kinds[0] is typed.VariableKind.REFERENCE


def test_a_reference_is_passed_on() -> None:
    tree = program(REFERENCES + "void more(vector<int>& v) { twice(v, 1); } master { vector<int> v; more(v); }")
    assert tree.functions[-1].parameters[0].kind is typed.VariableKind.REFERENCE


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        ("set(«3», 4);", "E0501"),
        ("int x; set(«x + 1», 4);", "E0501"),
        ("twice(«[1]», 4);", "E0501"),
        ("set(«slots()», 4);", "E0501"),
        ("long n; set(«n», 4);", "E0503"),
        ("vector<int> v; set(«v», 4);", "E0503"),
        ("int x; both(x, «x»);", "E0502"),
        ("vector<int> v; both(v[0], «v[1]»);", "E0502"),
        ("vector<int> v; twice(v, «v[0]»);", "E0502"),
        ("struct point p; both(p->x, «p->y»);", "E0502"),
        ("vector<vector<int>> v; twice(v[0], «grow(v)»);", "E0502"),
        ("vector<vector<int>> v; twice(v[0], «size(v.pop()) + 1»);", "E0502"),
        ("bool b; int x, y; set(x, «b ? x : y»);", "E0502"),
    ],
)
def test_wrong_references(statements: str, code: str) -> None:
    the_only(POINT + REFERENCES + f"master {{ {statements} }}", code)


# Constants


def constant(declaration: str) -> typed.Expression:
    return program(declaration).constants[-1].value


@pytest.mark.parametrize(
    ("declaration", "value"),
    [
        ("const int N = 1000;", 1000),
        ("const int N = 2147483647 + 1;", -2147483648),
        ("const int N = -7 / 2;", -3),
        ("const int N = -7 % 2;", -1),
        ("const int N = -2147483648 / -1;", -2147483648),
        ("const int N = -2147483648 % -1;", 0),
        ("const long N = 1L << 40;", 1 << 40),
        ("const int N = 1 << 33;", 2),
        ("const int N = -8 >> 1;", -4),
        ("const int N = -8 >>> 1;", 2147483644),
        ("const int N = ~5;", -6),
        ("const long N = 1000000 * 1000000;", -727379968),
        ("const long N = 1000000L * 1000000;", 1000000000000),
        ("const char N = 'a';", 97),
        ("const char N = char('a' + 1);", 98),
        ("const int N = int(2.9);", 2),
        ("const int N = int(-2.9);", -2),
        ("const double N = 1.0 / 3;", 1.0 / 3),
        ("const double N = 1 / 0.0;", float("inf")),
        ("const double N = -1 / 0.0;", float("-inf")),
        ("const double N = sqrt(2.0);", 2.0**0.5),
        ("const double N = log(0.0);", float("-inf")),
        ("const double N = round(-2.5);", -3.0),
        ("const double N = floor(-2.5);", -3.0),
        ("const double N = pow(2, 10);", 1024.0),
        ("const double N = pow(0.0, -1);", float("inf")),
        ("const double N = exp(1000);", float("inf")),
        ("const double N = pi;", 3.141592653589793),
        ("const int N = abs(-2147483647 - 1);", -2147483648),
        ("const int N = max(3, 4) + min(1, 2);", 5),
        ("const int N = popcount(-1);", 32),
        ("const bool N = 1 < 2 && !(3 == 4);", True),
        ('const bool N = "a" < "b" || 1 / 0 == 1;', True),
        ("const bool N = [1, 2] == [1, 2];", True),
        ("const bool N = is_nan(sqrt(-1.0));", True),
        ("const int N = true ? 1 : 1 / 0;", 1),
        ("const vector<int> V = [4, 5, 6]; const int N = V[1];", 5),
        ("struct p { int x; int y; }; const struct p P = p{y: 3}; const int N = P->y + P->x;", 3),
        ('const string N = "a" + "b";', b"ab"),
        ("const string N = fill(3, 'x');", b"xxx"),
        ('const string N = "abcd"[1..3];', b"bc"),
        ("const string N = ['a', 'b'];", b"ab"),
    ],
)
def test_constants_are_computed(declaration: str, value: object) -> None:
    literal = constant(declaration)
    assert literal.value == value  # type: ignore[union-attr]


def test_nan_is_a_constant() -> None:
    literal = constant("const double N = 0.0 / 0.0;")
    assert isinstance(literal, typed.FloatLiteral)
    assert literal.value != literal.value


def test_constant_vectors_are_literals() -> None:
    literal = constant("const vector<double> V = fill(3, 0) + [1];")
    assert isinstance(literal, typed.VectorLiteral)
    assert [part.value for part in literal.elements if isinstance(part, typed.FloatLiteral)] == [0.0, 0.0, 0.0, 1.0]
    assert isinstance(constant("const vector<int> V = [];"), typed.ZeroValue)


@pytest.mark.parametrize(
    "text",
    [
        "const int N = «1 / 0»;",
        "const int N = «1 % 0»;",
        "const int N = «f()»; int f() { return 1; }",
        "const int N = «slots()»;",
        "const int «N»;",
        "const int «N» = M; const int M = N;",
        "const vector<int> V = [1]; const int N = «V[1]»;",
        "const int N = «int(1e30)»;",
        "const vector<int> V = «fill(-1, 0)»;",
    ],
)
def test_what_is_not_computable(text: str) -> None:
    the_only(text, "E0317")


def test_a_constant_is_named_by_its_uses() -> None:
    tree = program("const int N = 3; master { print(N); }")
    (use,) = [part for part in expressions(tree.master) if isinstance(part, typed.ConstantRef)]
    assert use.constant is tree.constants[0]
