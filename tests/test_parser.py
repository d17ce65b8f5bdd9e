"""Text to surface tree, in the order of `grammar.lark`. Wrong text is left to `test_syntax_errors.py`."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import lark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface import (
    expression,
    module,
    parsed,
    shape,
    source_of,
    statement,
    statements,
    type_written,
    value,
    written,
)

from ms import parser, syntax
from ms.lexer import KEYWORDS
from ms.productions import Productions

ROOT = Path(__file__).resolve().parent.parent

# The grammar itself


def test_every_production_has_its_method() -> None:
    made, _, _ = parser._lark()
    for rule in made.rules:
        assert hasattr(Productions, rule.alias or rule.origin.name), rule


def test_every_method_has_its_production() -> None:
    made, _, _ = parser._lark()
    names = {rule.alias or rule.origin.name for rule in made.rules}
    methods = {name for name in vars(Productions) if not name.startswith("_")}
    assert methods == names


def test_the_dangling_else_is_the_only_conflict(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, lark.logger.name):
        text = parser.GRAMMAR.read_text()
        lark.Lark(text, parser="lalr", lexer=parser.NoLexer, start="module", keep_all_tokens=True, debug=True)
    conflicts = [record.getMessage() for record in caplog.records if "conflict" in record.getMessage()]
    assert len(conflicts) == 1
    assert "ELSE" in conflicts[0]


def test_every_keyword_of_the_grammar_is_kept_free() -> None:
    words = {word for word in parser._lark()[2] if word.isidentifier()}
    assert words <= KEYWORDS
    assert KEYWORDS - words == {"as", "at", "emit", "near", "pure", "share", "stream", "within", "yield"}


# Declarations at the top


def test_import() -> None:
    (found,) = module('import "geometry.ms";').declarations
    assert isinstance(found, syntax.Import)
    assert found.path.value == b"geometry.ms"


def test_constants() -> None:
    (found,) = module("const int N = 3, M = 2 * N;").declarations
    assert isinstance(found, syntax.ConstDeclaration)
    assert type_written(found.type) == "int"
    assert [(each.name.text, each.value and written(each.value)) for each in found.declarators] == [
        ("N", "3"),
        ("M", "(2 * N)"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "struct point { double x; double y; }",
        "struct point { double x; double y; };",
        "struct point { double x; double y };",
        "struct point { double x; double y }",
        "struct point { double x, y; }",
    ],
)
def test_struct(text: str) -> None:
    (found,) = module(text).declarations
    assert isinstance(found, syntax.StructDeclaration)
    assert found.name.text == "point"
    assert [name.text for field in found.fields for name in field.names] == ["x", "y"]
    assert {type_written(field.type) for field in found.fields} == {"double"}


def test_empty_struct() -> None:
    (found,) = module("struct nothing { }").declarations
    assert isinstance(found, syntax.StructDeclaration)
    assert found.fields == ()


def test_function_and_its_head() -> None:
    text = "vector<int> f(int a, struct s& b, vector<vector<int>> c) { return c[a]; };"
    (found,) = module(text).declarations
    assert isinstance(found, syntax.FunctionDeclaration)
    assert not found.is_job
    assert found.name.text == "f"
    assert type_written(found.result) == "vector<int>"
    assert [(type_written(p.type), p.is_reference, p.name.text) for p in found.parameters] == [
        ("int", False, "a"),
        ("struct s", True, "b"),
        ("vector<vector<int>>", False, "c"),
    ]
    assert text[found.span.start : found.span.end] == text[: text.index(")") + 1]
    assert [text[p.span.start : p.span.end] for p in found.parameters] == [
        "int a",
        "struct s& b",
        "vector<vector<int>> c",
    ]


@pytest.mark.parametrize("body", ["= { return 1 }", "{ return 1; }", "= { return 1; };", "{ return 1 };"])
def test_job_with_the_signs_that_may_be_left_out(body: str) -> None:
    (found,) = module(f"job int f(int a, int b) {body}").declarations
    assert isinstance(found, syntax.FunctionDeclaration)
    assert found.is_job
    assert [shape(each) for each in found.body.statements] == ["return 1"]


def test_function_that_gives_a_handle_and_job_that_does() -> None:
    first, second, third = module(
        "job<int> f() { return remote g(); } job job<int> g() { return f(); } job int h() { return 1; }"
    ).declarations
    assert isinstance(first, syntax.FunctionDeclaration)
    assert isinstance(second, syntax.FunctionDeclaration)
    assert isinstance(third, syntax.FunctionDeclaration)
    assert [each.is_job for each in (first, second, third)] == [False, True, True]
    assert [type_written(each.result) for each in (first, second, third)] == ["job<int>", "job<int>", "int"]


def test_extern() -> None:
    (found,) = module("extern double erf(double x);").declarations
    assert isinstance(found, syntax.ExternDeclaration)
    assert (found.name.text, type_written(found.result), len(found.parameters)) == ("erf", "double", 1)


def test_master() -> None:
    (found,) = module("  master { print(1); }").declarations
    assert isinstance(found, syntax.MasterDeclaration)
    assert (found.span.start, found.span.end) == (2, 8)
    assert (found.body.span.start, found.body.span.end) == (9, 22)


def test_semicolons_between_declarations() -> None:
    assert len(module(";;struct s { int a; };; int f() { return 1; };;; master { };").declarations) == 3


def test_nothing_at_all() -> None:
    assert module("").declarations == ()
    assert module(" \n// only a comment").declarations == ()


# Types


@pytest.mark.parametrize(
    "text",
    [
        "int",
        "string",
        "bool",
        "hit",
        "job_state",
        "struct hit",
        "vector<hit>",
        "vector<struct hit>",
        "vector<vector<int>>",
        "vector<vector<vector<int>>>",
        "vector<vector<vector<vector<int>>>>",
        "map<string, vector<int>>",
        "map<string, map<int, vector<hit>>>",
        "job<void>",
        "vector<job<struct hit>>",
        "job<vector<job<int>>>",
    ],
)
def test_types(text: str) -> None:
    for spaced in (text, text.replace("<", " < ").replace(">", " > "), text.replace(">", "/**/>")):
        found = statement(f"{spaced} x;")
        assert isinstance(found, syntax.Declaration)
        assert type_written(found.type) == text
        assert source_of(found.type) == spaced.strip()


def test_shifts_are_still_operators() -> None:
    assert written(expression("a >> b >>> c > d")) == "(((a >> b) >>> c) > d)"
    assert shape(statement("a >>= 2;")) == "a >>= 2"


# Statements


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("int x;", "int x"),
        ("int y = 3, z;", "int y = 3, z"),
        ("auto w = f(y);", "auto w = f(y)"),
        ("S x;", "S x"),
        ("struct s a;", "struct s a"),
        ("vector<int> v = [1];", "vector<int> v = [1]"),
        ("job <int> j = remote gcd(2, 3);", "job<int> j = (remote gcd(2, 3))"),
        ("map<int, int> m = {};", "map<int, int> m = {}"),
        ("x = 1;", "x = 1"),
        ("v[i]->f = 3;", "v[i]->f = 3"),
        ("m[k] += 1;", "m[k] += 1"),
        ("x++;", "x++"),
        ("v[0]--;", "v[0]--"),
        ("v :: 5;", "v :: 5"),
        ("v::5;", "v :: 5"),
        ("v :: 1 :: 2;", "v :: 1 :: 2"),
        ("m[k] :: a + b :: c ? d : e;", "m[k] :: (a + b) :: (c ? d : e)"),
        ("f(x);", "f(x)"),
        ("int(x);", "int(x)"),
        ("long(x) + 1;", "(long(x) + 1)"),
        ("int x = int(y);", "int x = int(y)"),
        ("a[0] == 2;", "(a[0] == 2)"),
        ("x * y;", "(x * y)"),
        ("x < y;", "(x < y)"),
        ("S{a: 1};", "S{a: 1}"),
        (";", "{}"),
        ("{ }", "{}"),
        ("{ x = 1; { y = 2; } }", "{x = 1; {y = 2}}"),
        ("break;", "break"),
        ("continue;", "continue"),
        ("return;", "return"),
        ("return {};", "return {}"),
        ("return -1;", "return -1"),
    ],
)
def test_simple_statements(text: str, shown: str) -> None:
    assert shape(statement(text)).replace("(-1)", "-1") == shown


@pytest.mark.parametrize("operator", ["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="])
def test_assignments(operator: str) -> None:
    found = statement(f"x {operator} y;")
    assert isinstance(found, syntax.Assignment)
    assert (found.operator, source_of(found)) == (operator, f"x {operator} y")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("if (a) b = 1;", "if (a) {b = 1}"),
        ("if (a) { b = 1; } else c = 2;", "if (a) {b = 1} else {c = 2}"),
        ("if (a) if (b) x = 1; else y = 2;", "if (a) {if (b) {x = 1} else {y = 2}}"),
        ("if (a) { if (b) x = 1; } else y = 2;", "if (a) {if (b) {x = 1}} else {y = 2}"),
        ("if (a) x = 1; else if (b) y = 2; else z = 3;", "if (a) {x = 1} else {if (b) {y = 2} else {z = 3}}"),
        ("if (a) while (b) if (c) x = 1; else y = 2;", "if (a) {while (b) {if (c) {x = 1} else {y = 2}}}"),
        ("if (a) ; else ;", "if (a) {} else {}"),
        ("while (x < 3) x++;", "while ((x < 3)) {x++}"),
        ("for (int i = 0, j = 1; i < n; i++) f(i);", "for (int i = 0, j = 1; (i < n); i++) {f(i)}"),
        ("for (;;) ;", "for (none; none; none) {}"),
        ("for (x = 1; ; x += 2) { }", "for (x = 1; none; x += 2) {}"),
        ("for (S x; x->a < 1; ) { }", "for (S x; (x->a < 1); none) {}"),
        ("for (int i in 0..64) f(i);", "for (int i in (0..64)) {f(i)}"),
        ("for (auto x in xs) { }", "for (auto x in xs) {}"),
        ("for (S x in xs) { }", "for (S x in xs) {}"),
        ("for (struct S x in get(js)) { }", "for (struct S x in get(js)) {}"),
        ("for (vector<vector<int>> x in xs) { }", "for (vector<vector<int>> x in xs) {}"),
        ("for (int k, S v in m) { }", "for (int k, S v in m) {}"),
        ("for (string k, vector<int> v in m) { }", "for (string k, vector<int> v in m) {}"),
        ("for (auto k, auto v in m) { }", "for (auto k, auto v in m) {}"),
        ("switch (x) { }", "switch (x)"),
        ("switch (x) { case 1, 2: a(); b(); case 3: default: c() }", "switch (x) (1, 2): {a(); b()} (3): {} (): {c()}"),
        ("switch (x) { case 'a': { y = 1; } case c ? 1 : 2: }", "switch (x) (char 97): {{y = 1}} ((c ? 1 : 2)): {}"),
    ],
)
def test_compound_statements(text: str, shown: str) -> None:
    assert shape(statement(text)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x = 1", "{x = 1}"),
        ("int x", "{int x}"),
        ("return", "{return}"),
        ("v::5", "{v :: 5}"),
        ("if (a) return 1", "{if (a) {return 1}}"),
        ("if (a) x = 1; else y = 2", "{if (a) {x = 1} else {y = 2}}"),
        ("if (a) if (b) x = 1; else y = 2", "{if (a) {if (b) {x = 1} else {y = 2}}}"),
        ("while (a) x++", "{while (a) {x++}}"),
        ("for (;;) x++", "{for (none; none; none) {x++}}"),
        ("for (int i in xs) f(i)", "{for (int i in xs) {f(i)}}"),
        ("a = 1; S x = S{a: 1}", "{a = 1; S x = S{a: 1}}"),
    ],
)
def test_the_last_semicolon_of_a_block_may_be_missing(text: str, shown: str) -> None:
    assert shape(statement(f"{{ {text} }}")) == shown


def test_a_body_without_braces_has_the_span_of_its_statement() -> None:
    found = statement("if (a) b = 1; else { c = 2; }")
    assert isinstance(found, syntax.IfStatement)
    assert source_of(found.then) == "b = 1"
    assert found.otherwise is not None
    assert source_of(found.otherwise) == "{ c = 2; }"
    assert source_of(found) == "if (a) b = 1; else { c = 2; }"


# Expressions

LEVELS = ["* / %", "+ -", "<< >> >>>", "&", "^", "|", "< <= > >=", "== !=", "&&", "||"]
LEVEL_OF = {operator: level for level, row in enumerate(LEVELS) for operator in row.split()}


def bracketed(operands: list[str], operators: list[str]) -> str:
    """What §4 says about a chain: the last operator of the loosest level is at the top."""
    if not operators:
        return operands[0]
    loosest = max(map(LEVEL_OF.__getitem__, operators))
    at = max(index for index, each in enumerate(operators) if LEVEL_OF[each] == loosest)
    left = bracketed(operands[: at + 1], operators[:at])
    return f"({left} {operators[at]} {bracketed(operands[at + 1 :], operators[at + 1 :])})"


@pytest.mark.parametrize("left", LEVEL_OF)
@pytest.mark.parametrize("right", LEVEL_OF)
def test_two_operators(left: str, right: str) -> None:
    assert written(expression(f"a {left} b {right} c")) == bracketed(["a", "b", "c"], [left, right])


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(LEVEL_OF)), max_size=12))
def test_many_operators(operators: list[str]) -> None:
    operands = [f"x{index}" for index in range(len(operators) + 1)]
    text = " ".join(word for pair in zip(operands, [*operators, ""], strict=True) for word in pair)
    assert written(expression(text)) == bracketed(operands, operators)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-x * y", "((-x) * y)"),
        ("-x->f[1]", "(-x->f[1])"),
        ("!a && !b", "((!a) && (!b))"),
        ("- - ~x", "(-(-(~x)))"),
        ("a - -b", "(a - (-b))"),
        ("a & b == c", "((a & b) == c)"),
        ("remote f(x) + 1", "((remote f(x)) + 1)"),
        ("-remote f(x)", "(-(remote f(x)))"),
        ("remote f(x).get()", "(remote f(x).get())"),
        ("remote f(each xs, y) reduce g", "(remote f(each xs, y) reduce g)"),
        ("remote f(each 0..5)", "(remote f(each (0..5)))"),
        ("get(remote f(x) reduce g)", "get((remote f(x) reduce g))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a ? b ? c : d : e", "(a ? (b ? c : d) : e)"),
        ("a || b ? c + 1 : d", "((a || b) ? (c + 1) : d)"),
        ("f(a ? b : c)", "f((a ? b : c))"),
        ("v[1]", "v[1]"),
        ("v[a..b]", "v[a..b]"),
        ("v[a + 1..size(v)]", "v[(a + 1)..size(v)]"),
        ("books[0]->b->book_id", "books[0]->b->book_id"),
        ("x.f(a).g()", "x.f(a).g()"),
        ("j.get()->f[2].size()", "j.get()->f[2].size()"),
        ("x.double()", "x.double()"),
        ("1 .str()", "1.str()"),
        ("f()", "f()"),
        ("f(g(1), [2], S{})", "f(g(1), [2], S{})"),
        ("(a + b) * c", "((a + b) * c)"),
        ("((a))", "a"),
        ("[]", "[]"),
        ("[1, 2, 3]", "[1, 2, 3]"),
        ("[1, 2, ]", "[1, 2]"),
        ("[[1], []]", "[[1], []]"),
        ("hit{n: n, steps: a + 1}", "hit{n: n, steps: (a + 1)}"),
        ("hit{}", "hit{}"),
        ("hit{n: 1,}", "hit{n: 1}"),
        ("true", "true"),
        ("state(j) == running", "(state(j) == state running)"),
        ("finished != failed", "(state finished != state failed)"),
        ("print == shared", "(print == shared)"),
    ],
)
def test_expressions(text: str, shown: str) -> None:
    assert written(expression(text)) == shown
    assert source_of(expression(text)) == text.removeprefix("((").removesuffix("))") or text.startswith("(a + b)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{}", "{}"),
        ('{"a": 1, "b": 2}', "{b'a': 1, b'b': 2}"),
        ("{1: {2: 3},}", "{1: {2: 3}}"),
        ("c ? {} : {1: a ? b : c}", "(c ? {} : {1: (a ? b : c)})"),
        ("m == {}", "(m == {})"),
        ("f({}, {1: 2})", "f({}, {1: 2})"),
        ("[{}, {}]", "[{}, {}]"),
        ("S{m: {}}", "S{m: {}}"),
        ("0..64", "(0..64)"),
        ("a + 1..b * 2", "((a + 1)..(b * 2))"),
    ],
)
def test_values(text: str, shown: str) -> None:
    assert written(value(text)) == shown


def test_a_brace_is_a_block_where_a_statement_begins() -> None:
    assert [shape(each) for each in statements("if (a) {} {} while (b) {} x = {};")] == [
        "if (a) {}",
        "{}",
        "while (b) {}",
        "x = {}",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, False)),
        ("42", (42, False)),
        ("1_000_000", (1000000, False)),
        ("2147483647", (2147483647, False)),
        ("2147483648", (2147483648, True)),
        ("2147483647L", (2147483647, True)),
        ("9223372036854775807", (9223372036854775807, True)),
        ("0x2a", (42, False)),
        ("0X2A", (42, False)),
        ("0b101", (5, False)),
        ("0xffff_ffff", (-1, False)),
        ("0x7fffffff", (2147483647, False)),
        ("0x80000000", (-2147483648, False)),
        ("0x100000000", (4294967296, True)),
        ("0xffffffffL", (4294967295, True)),
        ("0xffffffffffffffff", (-1, True)),
        ("0b" + "1" * 32, (-1, False)),
        ("0b" + "1" * 64, (-1, True)),
        ("0x0000000000000000001", (1, False)),
        ("-2147483648", (-2147483648, False)),
        ("- 2_147_483_648", (-2147483648, False)),
        ("-9223372036854775808", (-9223372036854775808, True)),
        ("-9223372036854775808L", (-9223372036854775808, True)),
        ("10000L", (10000, True)),
    ],
)
def test_integers(text: str, expected: tuple[int, bool]) -> None:
    found = expression(text)
    assert isinstance(found, syntax.IntegerLiteral)
    assert (found.value, found.is_long) == expected
    assert source_of(found) == text


def test_the_minus_is_folded_only_where_it_has_to_be() -> None:
    assert written(expression("-2147483647")) == "(-2147483647)"
    assert written(expression("-2147483648L")) == "(-2147483648L)"
    assert written(expression("-(2147483648)")) == "(-2147483648L)"
    assert written(expression("a - 2147483648")) == "(a - 2147483648L)"
    assert written(expression("a - -2147483648")) == "(a - -2147483648)"
    assert written(expression("-2147483648.str()")) == "(-2147483648L.str())"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", (1.5, False)),
        ("1e-9", (1e-9, False)),
        ("1e5", (1e5, False)),
        ("1.5E+3", (1500.0, False)),
        ("1_000.5", (1000.5, False)),
        ("0.1f", (0.1, True)),
        ("1e5f", (1e5, True)),
        ("1e-400", (0.0, False)),
    ],
)
def test_floating_literals(text: str, expected: tuple[float, bool]) -> None:
    found = expression(text)
    assert isinstance(found, syntax.FloatingLiteral)
    assert (found.value, found.is_float) == expected


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("0.1f", 0.10000000149011612),
        ("7.038531e-26f", float.fromhex("0x1.5c87fap-84")),  # its double lies half-way, a little too low
        ("9007199791611905.0", 9007200328482816.0),
        ("9007199791611904.0", 9007199254740992.0),  # half-way: to even
        ("9007200865353728.0", 9007201402224640.0),
        ("1e-45", 2.0**-149),
        ("7e-46", 0.0),
        ("7.1e-46", 2.0**-149),
        ("1e-60f", 0.0),
        ("3.4028235677973367e38", float("inf")),
        ("3.4028235677973365e38", 3.4028234663852886e38),
    ],
)
def test_floats_are_rounded_once(text: str, nearest: float) -> None:
    found = expression(text)
    assert isinstance(found, syntax.FloatingLiteral)
    assert found.single == nearest


def test_points_between_numbers() -> None:
    assert written(value("0..64")) == "(0..64)"
    assert written(value("1.5..2.5")) == "(1.5..2.5)"
    assert written(value("v[1..2]")) == "v[1..2]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'a'", 97),
        ("'\\n'", 10),
        ("'\\0'", 0),
        ("'\\''", 39),
        ("'\"'", 34),
        ("'\\\\'", 92),
        ("'\\xff'", 255),
        ("' '", 32),
    ],
)
def test_characters(text: str, expected: int) -> None:
    found = expression(text)
    assert isinstance(found, syntax.CharLiteral)
    assert found.value == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('""', b""),
        ('"text"', b"text"),
        (r'"\n\t\r\0\\\'\"\x41"', b"\n\t\r\0\\'\"A"),
        (r'"\u{1F600}\u{e9}"', "\U0001f600\u00e9".encode()),
        ('"déjà vu"', "déjà vu".encode()),
        ('"// no comment /* none */"', b"// no comment /* none */"),
        ('"\'"', b"'"),
        (r'"\\"', b"\\"),
    ],
)
def test_texts(text: str, expected: bytes) -> None:
    found = expression(text)
    assert isinstance(found, syntax.TextLiteral)
    assert found.value == expected
    assert source_of(found) == text


# Text


def test_comments_and_white_space() -> None:
    text = "/* a ** / b */ x /**/ = // c\n 1 /* \n */ ; // the end"
    assert shape(statement(text + "\n")) == "x = 1"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends(line_end: str) -> None:
    assert [shape(each) for each in statements(line_end.join(["int x", "=", "1;", "x++;", ""]))] == ["int x = 1", "x++"]


def test_a_byte_order_mark_is_skipped() -> None:
    (found,) = module("\ufeffmaster { }").declarations
    assert found.span.start == 3


def test_spans_count_bytes() -> None:
    text = 'master { s = "é日\U0001f600"; t = 1; }'
    (declaration,) = module(text).declarations
    assert isinstance(declaration, syntax.MasterDeclaration)
    _, second = declaration.body.statements
    assert source_of(second) == "t = 1"
    assert second.span.column == len('master { s = "é日\U0001f600"; '.encode()) + 1


def test_what_the_slides_print() -> None:
    snippets = [
        "job int f(int a, int b) = { return 1 }",
        "master { job <int> j = remote gcd(2, 3); }",
        "master { vector<int> a; a::2; a[0] == 2 }",
        "struct s {int x; vector<int> v};  master { struct s a; a->x = 2; }",
        "master { }   job int f(int a, int b) { }   struct s { int a; int b; }",
    ]
    for snippet in snippets:
        module(snippet)


PROGRAMS = sorted((ROOT / "tests" / "ms_programs").glob("*.ms"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_of_the_test_suite(path: Path) -> None:
    """Only those that are there for E01 have syntax errors, each in its line."""
    data = path.read_bytes()
    _, messages = parsed(data)
    wanted = [
        (number, code.split("|")[0])
        for number, line in enumerate(data.decode().split("\n"), 1)
        if "//! E01" in line
        for code in line.partition("//! ")[2].split()
    ]
    if b"//! file: E01" not in data:
        assert [(item.span.line, item.code) for item in messages] == wanted
    assert bool(messages) == (path.name.startswith("fail-e01"))


# The cache of lark's tables


def run_with_cache(directory: Path) -> str:
    code = (
        "from ms.parser import parse; from ms.source import SourceFile; from ms.diagnostics import Diagnostics;"
        "d = Diagnostics(); m = parse(SourceFile('a.ms', b'master { x = 1 + 2; }'), d);"
        "print(len(m.declarations), len(d.items))"
    )
    environment = {**os.environ, "MS_CACHE_DIR": str(directory), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_tables_are_kept_and_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    assert run_with_cache(tmp_path) == "1 0\n"
    (kept,) = tmp_path.iterdir()
    good = kept.read_bytes()
    assert run_with_cache(tmp_path) == "1 0\n"
    for damaged in (b"", b"nonsense", good[: len(good) // 2]):
        kept.write_bytes(damaged)
        assert run_with_cache(tmp_path) == "1 0\n"
        assert parser._load(str(kept)) is not None
    assert list(tmp_path.iterdir()) == [kept]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run_with_cache(tmp_path / "file" / "under") == "1 0\n"
