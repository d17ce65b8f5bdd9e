"""How messages help those who come from other languages, or expect too much of a name."""

from __future__ import annotations

import pytest
from checking import codes, the_only

from ms import builtins, habits
from ms.lexer import KEYWORDS


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("master { vector<int> v; v.«push_back»(1); }", "E0302", "in M/s: v :: x appends to a vector or a string"),
        ('master { print(«strlen»("abc")); }', "E0302", "in M/s: size(x)"),
        ("master { «size_t» n = 1; }", "E0303", "in M/s: long"),
        ("master { print(«null»); }", "E0301", "in M/s: every variable has a value, at first zero or empty"),
        ("struct s { int left, right; }; master { s x; print(x->«middle»); }", "E0208", "its fields: left, right"),
        ("master { string s; print(«s»->size); }", "E0209", "`size` is a function: size(x)"),
        ('master { char c = «"x"»; }', "E0201", "a char is written 'a'; s[0] is the first one of a string"),
        ("master { vector<int> v; string s = «v»; }", "E0201", "str(x) gives the text of a value"),
        ("master { print(true «+» 1); }", "E0202", "b ? 1 : 0 makes a number of a bool"),
        ("master { long n; double d; print([n, «d»]); }", "E0217", "double(x) makes the nearest double of a long"),
        (
            "job int f() { return 1; } master { if («state(remote f())») print(1); }",
            "E0204",
            "compare it with running, finished or failed",
        ),
    ],
)
def test_help(text: str, code: str, help: str) -> None:
    assert the_only(text, code).help == (help,)


def test_what_a_program_declares_is_no_habit() -> None:
    text = "int len(string s) { return size(s); } master { int null = 1; print(len(str(null))); }"
    assert codes(text) == []


def test_habits_are_not_what_the_language_has() -> None:
    assert not habits.FUNCTIONS.keys() & {*builtins.BUILTINS, *KEYWORDS}
    assert not habits.TYPES.keys() & {*builtins.STRUCTS, *KEYWORDS}
    assert not habits.NAMES.keys() & {*builtins.CONSTANTS, *KEYWORDS}


def test_empty_literals_for_a_wrong_type_are_no_second_mistake() -> None:
    assert codes("nothing f() { return []; } master { print(1); }") == ["E0303"]
    assert codes("master { nothing x = {}; }") == ["E0303"]


def test_a_function_main_is_no_start() -> None:
    from ms.checker import check
    from ms.diagnostics import Diagnostics
    from ms.parser import parse
    from ms.source import SourceFile

    diagnostics = Diagnostics()
    check(parse(SourceFile("prog.ms", b"int main() { return 0; }\n"), diagnostics), diagnostics)
    (message,) = diagnostics.items
    assert message.code == "E0308"
    (label,) = message.secondary
    assert (str(label.span), label.text) == ("prog.ms:1:5", "a function like any other")
