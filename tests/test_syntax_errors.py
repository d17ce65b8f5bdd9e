"""What the parser says about wrong text: the words, the place, one message for each mistake, and what is still parsed.

In a wrong text the place that a message must underline, to the byte, stands between « and ».
"""

from __future__ import annotations

import pytest
from checking import marked
from surface import parsed, shape

from ms import syntax
from ms.diagnostics import Diagnostic, render
from ms.parser import BRACKETS_DEEP_MAX, TREE_DEEP_MAX


def messages(text: str) -> list[Diagnostic]:
    """The messages of a text, whose places must be those that are marked."""
    plain, ranges = marked(text)
    _, found = parsed(plain)
    assert [(item.span.start, item.span.end) for item in found] == ranges, "\n".join(map(render, found))
    return found


def in_master(statements: str) -> str:
    return f"master {{\n{statements}\n}}\n"


def kept(text: str) -> list[str]:
    """The statements of the master block of a wrong text, made-up names shown as `?`."""
    module, found = parsed(marked(text)[0])
    assert found
    (master,) = (each for each in module.declarations if isinstance(each, syntax.MasterDeclaration))
    return ["?" if "?" in shape(each) else shape(each) for each in master.body.statements]


STATEMENTS = [
    ("int x = 5«»\nint y;", "expected `;` after the declaration of `x`, found `int`"),
    ("print(x)«»\nreturn;", "expected `;` after this statement, found `return`"),
    ("x = 3«» 4;", "expected `;` after this statement, found `4`"),
    ("return x«» y;", "expected `;` after `return`, found `y`"),
    ("break«» x = 1;", "expected `;` after this statement, found `x`"),
    ("x = «;»", "expected an expression, found `;`"),
    ("x = (1 + «*» 3);", "expected an expression, found `*`"),
    ("int x = «;»", "expected an expression in the declaration of `x`, found `;`"),
    ("return 3 + «;»", "expected an expression after `return`, found `;`"),
    ("f(1,«,» 2);", "expected an expression in the arguments of `f`, found `,`"),
    ("f(a, b«»;", "expected `)` after the arguments of `f`, found `;`"),
    ("f(g(a«»;", "expected `)` after the arguments of `g`, found `;`"),
    ("f(1 «2»);", "expected `)` or `,` in the arguments of `f`, found `2`"),
    ("f(g(1) «h»(2), i(3));", "expected `)` or `,` in the arguments of `f`, found `h`"),
    ("v = [S{a: 1} «S»{a: 2}, S{a: 3}];", "expected `]` or `,` in the vector, found `S`"),
    ("f(a«»\n    g(b);", "expected `)` after the arguments of `f`, found `g`"),
    ("f(«]»;", "expected `)` in the arguments of `f`, found `]`"),
    ("x = v[1«»;", "expected `]` after the index, found `;`"),
    ("x = [1, 2«»;", "expected `]` after the vector, found `;`"),
    ("x = a ? b«;»", "expected `:`, found `;`"),
    ("if (x > 3«» { y = 2; }", "expected `)` after the condition of `if`, found `{`"),
    ("while (true«» { y = 2; }", "expected `)` after the condition of `while`, found `{`"),
    ("if «x» > 3 { y = 2; }", "expected `(`, found `x`"),
    ("if «x» print(1);", "expected `(`, found `x`"),
    ("if (a «b») x = 1;", "expected `)` in the condition of `if`, found `b`"),
    ("if (x «=» 3) y = 2;", "expected `==` in the condition of `if`, found `=`"),
    ("f(x «=» 3);", "expected `==` in the arguments of `f`, found `=`"),
    ("x = y «=» 3;", "expected `;`, found `=`"),
    ("while (x «=» 3) y = 2;", "expected `==` in the condition of `while`, found `=`"),
    ("v «:» 5;", "expected `::` in this statement, found `:`"),
    ("for (int i = 0; i < n«» i++) f(i);", "expected `;` in the head of `for`, found `i`"),
    ("for (int i = 0«,» i < n; i++) f(i);", "expected `;` in the head of `for`, found `,`"),
    ("for (int i in «)» f(i);", "expected an expression in the head of `for`, found `)`"),
    ("for (int i = 0; i < n«») { f(i); }", "expected `;` in the head of `for`, found `)`"),
    ("switch (x) { case 1 «a» = 1; case 2: b = 2; }", "expected `,` or `:`, found `a`"),
    ("«case» 3: x = 1;", "expected a statement, found `case`"),
    ("«else» x = 1;", "expected a statement, found `else`"),
    ("x = 1; «)» y = 2;", "expected a statement, found `)`"),
    ("print(s«.»f);", "expected `->`, found `.`"),
    ("s«.»f = 3;", "expected `->`, found `.`"),
    ("x = y«++»;", "expected `;`, found `++`"),
    ("«++»x;", "expected a statement, found `++`"),
    ("int a«»[5];", "expected `;` after the declaration of `a`, found `[`"),
    ("int «[»] a;", "expected a name or `(`, found `[`"),
    ("int «*»p;", "expected a name or `(`, found `*`"),
    ("y = (int«)» x;", "expected `(`, found `)`"),
    ("y = f(int«)»;", "expected `(` in the arguments of `f`, found `)`"),
    ("vector<int «v»;", "expected `>`, found `v`"),
    ("vector<int> v = {1«,» 2, 3};", "expected `:` in the map, found `,`"),
    ("hit h = hit{n «=» 1};", "expected `:` in the fields of `hit`, found `=`"),
    ("«do» { x++; } while (x);", "expected a statement, found `do`"),
    ("«const» int n = 3;", "expected a statement, found a constant"),
    ("«int f»(int a) { return a; }", "expected a statement, found a function"),
    ("«job» int f(int a) { return a; }", "expected a statement, found a function"),
    ("«struct s» { int a; }", "expected a statement, found a struct"),
    ("int «share» = 3; share = share + 1;", "`share` is a keyword and cannot be a name"),
    ("int «in» = 3;", "`in` is a keyword and cannot be a name"),
    ("x = 1 «@» 2;", "`@` has no meaning here"),
    ("x = «“»hello”;", "`“` has no meaning here"),
    ("int «é» = 2;", "`é` has no meaning here"),
    ("int a«ñ»o = 2;", "`ñ` has no meaning here"),
    ("x =«\u00a0»1;", "the invisible character U+00A0 has no meaning here"),
    ('s = «"»abc;', "this string does not end"),
    ('print(«"»abc);', "this string does not end"),
    ('print(«"»abc); // here', "this string does not end"),
    ('print(«"»abc', "this string does not end"),
    ("c = «'»a;", "this character literal does not end"),
    ("c = «'»;", "this character literal does not end"),
    (r's = "a«\q»b";', r"unknown escape `\q`"),
    (r's = "«\u{110000}»";', r"unknown escape `\u{110000}`"),
    (r's = "«\u{d800}»";', r"unknown escape `\u{d800}`"),
    (r"c = '«\u{41}»';", r"unknown escape `\u{41}`"),
    (r's = "«\x»4";', r"unknown escape `\x`"),
    ("c = «'ab'»;", "a character literal holds exactly one byte"),
    ("c = «''»;", "a character literal holds exactly one byte"),
    ("c = «'é'»;", "a character literal holds exactly one byte"),
    ("x = «9223372036854775808»;", "this integer does not fit 64 bits"),
    ("x = a - «9223372036854775808»;", "this integer does not fit 64 bits"),
    ("x = -«9223372036854775809»;", "this integer does not fit 64 bits"),
    ("x = «0x10000000000000000»;", "this integer does not fit 64 bits"),
    ("x = «0x»;", "`0x` is not a number"),
    ("x = «0b12»;", "`0b12` is not a number"),
    ("x = «12ab»;", "`12ab` is not a number"),
    ("x = «1__0»;", "`1__0` is not a number"),
    ("x = «1_»;", "`1_` is not a number"),
    ("x = «010»;", "`010` is not a number"),
    ("x = «1.5e»;", "`1.5e` is not a number"),
    ("x = «1f»;", "`1f` is not a number"),
    ("x = «1e999»;", "`1e999` is not a number"),
]


@pytest.mark.parametrize(("text", "message"), STATEMENTS)
def test_one_mistake_in_a_statement(text: str, message: str) -> None:
    text = in_master(f"    before = 1;\n    {text}\n    behind = 2;")
    assert [item.message for item in messages(text)] == [message]
    shown = kept(text)
    assert shown[0] == "before = 1"
    assert shown[-1] == "behind = 2"


DECLARATIONS = [
    ("int f(int a «b») { return a; }", "expected `)` or `,` in the parameters of `f`, found `b`"),
    ("int f(int a,«)» { return a; }", "expected a type in the parameters of `f`, found `)`"),
    ("int f(int a«» { return a; }", "expected `)` after the parameters of `f`, found `{`"),
    ("void f(«void») { }", "expected `)`, found `void`"),
    ("job f«(»int x) { return 1; }", "expected a name, found `(`"),
    ("int «while»(int a) { return a; }", "`while` is a keyword and cannot be a name"),
    ("int f() { return 1; }\n«}»", "expected a function, a struct, a constant or `master`, found `}`"),
    ("int x «=» 1;", "expected `(`, found `=`"),
    ("int y«;»", "expected `(`, found `;`"),
    ("print«(»3);", "expected a name, found `(`"),
    ("«5» + 5;", "expected a function, a struct, a constant or `master`, found `5`"),
    ("«for» (int i in 0..3) { print(i); }", "expected a function, a struct, a constant or `master`, found `for`"),
    ("struct s { int x«» int y; }", "expected `;` after the declaration of `x`, found `int`"),
    ("struct s { int x, «int» y }", "expected a name in the declaration of `x`, found `int`"),
    ("struct «5» { int x; }", "expected a name, found `5`"),
    ("struct s { int «in»; }", "`in` is a keyword and cannot be a name"),
    ("import «geometry»;", "expected a string after `import`, found `geometry`"),
    ('import "a.ms"«»\n', "expected `;` after `import`, found `int`"),
    ("const N «=» 3;", "expected a name, found `=`"),
    ("«#include <stdio.h>»", "`#` has no meaning here"),
]


@pytest.mark.parametrize(("text", "message"), DECLARATIONS)
def test_one_mistake_at_the_top(text: str, message: str) -> None:
    text = f"int before() {{ return 1; }}\n{text}\nint behind() {{ return 2; }}\nmaster {{ }}\n"
    assert [item.message for item in messages(text)] == [message]
    module, _ = parsed(marked(text)[0])
    names = [each.name.text for each in module.declarations if isinstance(each, syntax.FunctionDeclaration)]
    assert names[0] == "before"
    assert names[-1] == "behind"
    assert isinstance(module.declarations[-1], syntax.MasterDeclaration)


def test_a_mistake_on_every_line() -> None:
    chosen = [(text, message) for text, message in STATEMENTS if "; found" not in message and "\n" not in text][:14]
    found = messages(in_master("\n".join(f"    {text}" for text, _ in chosen)))
    assert [item.message for item in found] == [message for _, message in chosen]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("if (x = 3) y = 2;", "`==` compares; `=` assigns, and is a statement of its own"),
        ("s.f = 3;", "a field is read with `->`; x.f(y) is the call f(x, y)"),
        ("x = y++;", "`x++` is a statement of its own"),
        ("int a[5];", "a vector is declared `vector<int> v;`"),
        ("int *p;", "there are no pointers; a parameter `T& x` is the caller's variable itself"),
        ("y = (int) x;", "a conversion is a call: int(x)"),
        ("vector<int> v = {1, 2};", "a vector is written [1, 2, 3]"),
        ("if x > 3 { }", "a condition stands in ( )"),
        ("do { x++; } while (x);", "a loop is written while (true) { … if (…) break; }"),
        ("c = 'ab';", 'for text, use "…"'),
        ("x = “a”;", 'a string stands between " and "'),
        ("x = 010;", "there are no octal numbers: write it without the 0"),
        ("int share = 3;", "`share` is kept for a later version of the language"),
        ("for (string k : m) print(k);", "a loop over elements has `in`: for (int x in v)"),
        ("for (i in 0..3) print(i);", "the variable of a loop has a type: for (int i in 0..n)"),
        ("for (auto k, v in m) print(k);", "each variable has its type: for (string key, int value in m)"),
        ("else x = 1;", "`else` stands behind the one statement of its `if`"),
        ("case 1: x = 1;", "`case` and `default` stand directly in a `switch`"),
    ],
)
def test_hints(text: str, help: str) -> None:
    _, found = parsed(in_master(text))
    assert [item.help for item in found] == [(help,)]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("int x = 1;", "there are no global variables; a constant is declared `const int n = 1;`"),
        ("const N = 3;", "a constant is declared with its type: `const int n = 1;`"),
        ("job f() { }", "a job is declared with the type of its result: `job int f()`"),
        ("print(3);", "statements stand in a function or in `master { … }`"),
        ("return 3;", "statements stand in a function or in `master { … }`"),
        ("}", "no `{` is open here"),
        ("#include <x>", 'another file is read by import "name.ms";'),
    ],
)
def test_hints_at_the_top(text: str, help: str) -> None:
    _, found = parsed(f"{text}\nmaster {{ }}")
    assert [item.help for item in found] == [(help,)]


# Braces


def test_an_open_block_is_found_by_its_indentation() -> None:
    text = "int f() {\n    if (x) {\n        y();\n    return 2;\n}«»\n\nmaster {\n}\n"
    (found,) = messages(text)
    assert found.message == "expected `}`, found `master`"
    assert [(label.span.line, label.text) for label in found.secondary] == [(2, "this `{` is not closed")]
    module, _ = parsed(marked(text)[0])
    assert [type(each) for each in module.declarations] == [syntax.FunctionDeclaration, syntax.MasterDeclaration]


@pytest.mark.parametrize(
    "declaration",
    [
        "job int g() { return 2; }",
        "int g() { return 2; }",
        "struct s { int a; }",
        "const int n = 1;",
        "vector<int> h() { }",
    ],
)
def test_an_open_block_ends_where_a_declaration_begins(declaration: str) -> None:
    text = f"void f() {{\n    y();«»\n\n{declaration}\nmaster {{ }}\n"
    (found,) = messages(text)
    assert found.message.startswith("expected `}`, found")
    assert [label.span.line for label in found.secondary] == [1]
    module, _ = parsed(marked(text)[0])
    assert len(module.declarations) == 3


@pytest.mark.parametrize("text", ["master {«»", "master { x = «»", "master { f(1, «»", "master { if (a) { b = 1;«»"])
def test_the_end_comes_too_early(text: str) -> None:
    text = text.replace(" «»", "«» ")
    (found,) = messages(text)
    assert found.message == "expected `}`, found the end of the file"
    assert found.secondary[0].text == "this `{` is not closed"
    module, _ = parsed(marked(text)[0])
    assert isinstance(module.declarations[0], syntax.MasterDeclaration)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int f(int a«»", "`)` or `,`"),
        ("int«»", "a name"),
        ("master«»", "`{`"),
        ("const int N = 3«»", "`;` or `,`"),
        ("import«»", "a string"),
    ],
)
def test_the_end_comes_too_early_at_the_top(text: str, expected: str) -> None:
    assert [item.message for item in messages(text)] == [f"expected {expected}, found the end of the file"]


def test_a_brace_too_many_gives_one_message() -> None:
    text = "int f() {\n    if (x) { a = 1; } }\n    «return» 2;\n}\nmaster { }\n"
    assert len(messages(text)) == 1


def test_an_open_bracket_is_shown() -> None:
    (found,) = messages(in_master("x = f(1,\n    2«»;"))
    assert [(label.span.line, label.text) for label in found.secondary] == [(2, "opened here")]


def test_an_open_comment_gives_one_message() -> None:
    assert [item.message for item in messages("master { }\n«/*» no end")] == ["this comment does not end"]
    assert [item.message for item in messages("master { x = 1;\n«/*» no end }")] == ["this comment does not end"]


def test_a_string_ends_in_its_line() -> None:
    found = messages(in_master('a = «"»one;\nb = «"»two;\nc = 3;'))
    assert [item.code for item in found] == ["E0102", "E0102"]


# Bytes that are no text


def test_zero_bytes_give_one_message() -> None:
    assert [item.code for item in messages("master { x = 1; «\0\0\0» }")] == ["E0106"]


def test_bytes_that_are_not_utf8() -> None:
    _, found = parsed(b'master { x = "\xff\xfe"; }')
    assert [(item.code, item.message, item.span.start) for item in found] == [
        ("E0106", "byte 0xff is not UTF-8", 14),
    ]
    _, found = parsed(b"\xff\xfem\x00a\x00s\x00")
    assert [item.code for item in found] == ["E0106"]
    _, found = parsed(b"master { x = \xff; }")
    assert [item.message for item in found] == ["byte 0xff is not UTF-8"]


# What is left of wrong text


def test_skipped_names_and_places() -> None:
    text = in_master("int x = 1 2 3 4;\nint y = 3 +;\nz = y;")
    module, _ = parsed(text)
    assert {name for name in module.skipped_names if not name.startswith("?")} == set()
    assert [span.start <= span.end for span in module.skipped] == [True] * len(module.skipped)
    module, _ = parsed("int f(int a b) { return a; }\nint g 5 6 7() { return 1; }\nmaster { f(1); }")
    assert {"b", "g"} <= module.skipped_names
    assert "f" not in module.skipped_names


def test_messages_come_in_the_order_of_the_text() -> None:
    _, found = parsed(in_master("x = ;\ny = @;\nz = 0x;\nx = ;\n"))
    assert [item.span.line for item in found] == sorted(item.span.line for item in found)
    assert [item.code for item in found] == ["E0101", "E0106", "E0105", "E0101"]


def test_independent_mistakes_are_all_reported() -> None:
    text = (
        "int f(int a«» { return a; }\nint g(int a) { return a + «;» }\n"
        "master {\n    if «x» print(1);\n    print(f(1)«»\n    int y = «0x»;\n}\n"
    )
    assert [item.code for item in messages(text)] == ["E0101", "E0101", "E0101", "E0101", "E0105"]


# Limits


def nested(depth: int) -> dict[str, str]:
    return {
        "parentheses": in_master(f"x = {'(' * depth}1{')' * depth};"),
        "vectors": in_master(f"x = {'[' * depth}1{']' * depth};"),
        "maps": in_master(f"x = {'{1:' * depth}1{'}' * depth};"),
        "calls": in_master(f"x = {'f(' * depth}1{')' * depth};"),
        "blocks": f"master {'{' * depth}{'}' * depth}",
    }


@pytest.mark.parametrize("kind", ["parentheses", "vectors", "maps", "calls", "blocks"])
def test_brackets_nest_to_the_stated_limit(kind: str) -> None:
    inside = BRACKETS_DEEP_MAX - (kind != "blocks")
    _, found = parsed(nested(inside)[kind])
    assert found == []
    module, found = parsed(nested(inside + 1)[kind] + "int f() { return 1; }")
    assert [(item.code, item.message) for item in found] == [("E0107", f"nested more than {BRACKETS_DEEP_MAX} deep")]
    assert [type(each) for each in module.declarations] == [syntax.MasterDeclaration, syntax.FunctionDeclaration]


CHAINS = {
    "sums": ("x = a", " + a", ";"),
    "fields": ("x = a", "->a", ";"),
    "calls": ("x = a", ".f()", ";"),
    "indices": ("x = a", "[1]", ";"),
    "signs": ("x = ", "- ", "1;"),
    "choices": ("x = ", "a ? b : ", "c;"),
    "else": ("if (a) b();", " else if (a) b();", ""),
    "loops": ("", "while (a) ", "b();"),
    "heads": ("", "for (auto k, auto v in m) ", "b();"),
}


@pytest.mark.parametrize("kind", CHAINS)
def test_trees_are_as_deep_as_stated(kind: str) -> None:
    before, link, behind = CHAINS[kind]
    _, found = parsed(in_master(before + link * (TREE_DEEP_MAX - 5) + behind))
    assert found == []
    for count in (TREE_DEEP_MAX + 1, 20 * TREE_DEEP_MAX):
        module, found = parsed(in_master(before + link * count + behind) + "int f() { return 1; }")
        assert [(item.code, item.message) for item in found] == [("E0107", f"nested more than {TREE_DEEP_MAX} deep")]
        assert [type(each) for each in module.declarations] == [syntax.MasterDeclaration, syntax.FunctionDeclaration]


def test_chains_in_brackets_are_deep_together() -> None:
    _, found = parsed(in_master(f"x = {'(a' + ' + a' * 90}{('(' + 'a + ' * 90) and ''}" + ")" + ";"))
    assert found == []
    deep = "".join("(" + "a + " * 90 for _ in range(20)) + "a" + ")" * 20
    right = in_master(f"x = {deep};")
    _, found = parsed(right)
    assert found == []
    left = "(" * 20 + "a" + "".join(" + a" * 90 + ")" for _ in range(20))
    _, found = parsed(in_master(f"x = {left};"))
    assert [item.code for item in found] == ["E0107"]


def test_long_lists_are_not_deep() -> None:
    _, found = parsed(in_master(f"x = [{'1, ' * 5000}];\nx{' :: 1' * 5000};\n{'y = 2;' * 5000}"))
    assert found == []


def test_a_constant_too_deep_is_not_known_and_not_missed() -> None:
    module, found = parsed(f"const int N = 1{' + 1' * 2000};\nmaster {{ print(N); }}")
    assert [item.code for item in found] == ["E0107"]
    assert "N" in module.skipped_names
