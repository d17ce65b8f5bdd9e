"""Typed trees as text, and the fingerprint of a program."""

from __future__ import annotations

import pytest
from ownership_programs import checked, owned

from ms.typed import Program
from ms.typed_text import fingerprint, typed_text

PROGRAM = """
struct pair { int a; string b; };
const vector<int> FEW = fill(3, 7);
int helper(int n) { return n + 1; }
job struct pair work(int n, vector<int> v) {
    struct pair p;
    for (int i in 0..n) { if (i > size(v)) p->a = helper(i); else p->b = p->b + "x"; }
    return p;
}
master { vector<int> v = FEW; print(get(remote work(3, v)), 1.5); }
"""


def program(text: str = PROGRAM, name: str = "prog.ms") -> Program:
    found = checked(text, name)
    assert found is not None, "the program under test is wrong"
    return found


def print_of(text: str) -> bytes:
    return fingerprint(program(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("int helper(int n)", "int helper /* adds one */ (int n) // now\n"),
        ("    struct pair p;\n", "\n\n  struct pair\n p;"),
        ("(int n) { return n + 1; }", "(int m) { return m + 1; }"),
        ("v = FEW; print(get(remote work(3, v)), 1.5);", "w = FEW; print(get(remote work(3, w)), 1.5);"),
        ("helper(i)", "i.helper()"),
        ("return n + 1;", "return (n + 1);"),
        ("p->b = p->b +", "p->b = (p->b) +"),
    ],
)  # fmt: skip
def test_what_means_the_same_has_one_fingerprint(old: str, new: str) -> None:
    assert PROGRAM.count(old) == 1
    assert print_of(PROGRAM.replace(old, new)) == print_of(PROGRAM)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("n + 1", "n + 2"),
        ("n + 1", "n - 1"),
        ("n + 1", "1 + n"),
        ("1.5", "1.5000000000000002"),
        ("1.5", "-0.0"),
        ("FEW = fill(3, 7)", "FEW = fill(3, 8)"),
        ("int a; string b;", "long a; string b;"),
        ("int a; string b;", "string b; int a;"),
        ('"x"', '"y"'),
        ("i > size(v)", "i >= size(v)"),
        ("remote work(3, v)", "remote work(4, v)"),
        ("get(remote work(3, v))", "work(3, v)"),
        ("job struct pair work", "struct pair unused() { struct pair p; return p; } job struct pair work"),
        ("int helper(int n)", "job int helper(int n)"),
        ("helper(int n) {", "helper(int n) { n = n;"),
    ],
)
def test_what_means_something_else_has_another(old: str, new: str) -> None:
    assert PROGRAM.count(old) == 1
    assert print_of(PROGRAM.replace(old, new)) != print_of(PROGRAM)


@pytest.mark.parametrize(("old", "new"), [("helper", "other"), ("pair", "couple"), ("work", "labour")])
def test_names_that_others_see_count(old: str, new: str) -> None:
    assert print_of(PROGRAM.replace(old, new)) != print_of(PROGRAM)


def test_variables_that_change_places_count() -> None:
    text = "int f(int a, int b) {{ return {}; }} master {{ print(f(1, 2)); }}"
    assert print_of(text.format("a - b")) != print_of(text.format("b - a"))


def test_name_of_the_file_does_not_count() -> None:
    assert fingerprint(program(name="other.ms")) == fingerprint(program(name="prog.ms"))


def test_fingerprint_has_32_bytes_and_is_the_same_each_time() -> None:
    assert len(print_of(PROGRAM)) == 32
    assert print_of(PROGRAM) == print_of(PROGRAM)


def test_text_without_spans_shows_no_names_of_variables() -> None:
    text = "master { int counter = 1; print(counter); }"
    assert typed_text(program(text), spans=False) == (
        "master() -> void\n"
        "    Block\n"
        "        Declare variable=#0: int, value=IntLiteral(1): int\n"
        "        Evaluate expression=BuiltinCall(print/print, [#0]): void\n"
    )


def test_text_with_spans_shows_names_and_places() -> None:
    text = typed_text(program("master { int counter = 1; print(counter); }", "count.ms"), spans=True)
    assert text.startswith("program count\n")
    assert "Declare @1:14 variable=counter#0: int, value=IntLiteral(1): int @1:24\n" in text


def test_text_shows_ownership() -> None:
    text = typed_text(owned("master { string s = str(1); string t = s; print(t + str(2)); }"), spans=False)
    assert "value=Move(#1): string" in text
    assert "Scoped(" in text
    assert "Block drops=[#0, #1]" in text


def test_text_shows_every_kind_of_statement() -> None:
    text = typed_text(
        program(
            """
            int f(int& x) { x += 1; return x; }
            master {
                int x; string s; vector<int> v;
                while (x < 3) { f(x); if (x == 2) continue; break; }
                for (int i = 0; i < 3; i++) v :: i;
                for (int i in 0..3) { switch (i) { case 1, 2: s += "a"; default: s = "b"; } }
                for (int e in v) { print(e, s, v[0..1]); }
                return;
            }
            """
        ),
        spans=False,
    )
    for word in (
        "While",
        "For ",
        "ForRange",
        "ForEach",
        "Switch",
        "SwitchCase",
        "Update",
        "Append",
        "Break",
        "Continue",
    ):
        assert f" {word}" in text
    assert "f(int&) -> int" in text


def test_c_sources_are_part_of_the_fingerprint() -> None:
    tree = program("master { }")
    prints = {fingerprint(tree), fingerprint(tree, [b""]), fingerprint(tree, [b"a"]), fingerprint(tree, [b"a", b""])}
    assert len(prints) == 4
    assert fingerprint(tree, [b"a"]) == fingerprint(program("master { }"), [b"a"])
