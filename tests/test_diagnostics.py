"""Messages as text, to the character as §10 of the language page prints them, and as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ms.diagnostics import (
    ERRORS_SHOWN_MAX,
    LINE_SIZE_MAX,
    Diagnostic,
    Diagnostics,
    Label,
    Severity,
    render,
    render_all,
    to_json,
)
from ms.source import SourceFile, Span


def span(file: SourceFile, text: str, number: int = 1) -> Span:
    """Where a text stands in a file the first, second, … time."""
    start = -1
    for _ in range(number):
        start = file.data.index(text.encode(), start + 1)
    return Span(file, start, start + len(text.encode()))


def error(span: Span, label: str = "", *secondary: Label, help: tuple[str, ...] = ()) -> Diagnostic:
    return Diagnostic(Severity.ERROR, "E0203", "it is wrong", span, label, secondary, help)


def lines(item: Diagnostic) -> list[str]:
    """The rendered lines below the place."""
    text = render(item)
    assert text.endswith("\n")
    return text.split("\n")[2:-1]


def test_the_example_of_the_language_page() -> None:
    file = SourceFile("prog.ms", b'// a program\nmaster {\n    vector<int> v;\n    v :: "five";\n}\n')
    item = Diagnostic(
        Severity.ERROR,
        "E0203",
        "cannot append string to vector<int>",
        span(file, '"five"'),
        "this is a string",
        (Label(span(file, "v;"[:1], 2), "declared here"),),
        ("parse_int(s) reads an int from a string",),
    )
    assert render(item) == (
        "error[E0203]: cannot append string to vector<int>\n"
        "  --> prog.ms:4:10\n"
        "   |\n"
        " 3 |     vector<int> v;\n"
        "   |                 - declared here\n"
        ' 4 |     v :: "five";\n'
        "   |          ^^^^^^ this is a string\n"
        "   = help: parse_int(s) reads an int from a string\n"
    )


@pytest.mark.parametrize("severity", Severity)
def test_severities(severity: Severity) -> None:
    file = SourceFile("a.ms", b"x\n")
    item = Diagnostic(severity, "W0101", "is never read", span(file, "x"))
    assert render(item) == f"{severity.value}[W0101]: is never read\n  --> a.ms:1:1\n   |\n 1 | x\n   | ^\n"


def test_the_gutter_is_as_wide_as_the_greatest_line_number() -> None:
    file = SourceFile("a.ms", b"\n" * 8 + b"a;\nb;\n")
    item = error(span(file, "b"), "here", Label(span(file, "a"), "there"), help=("so",))
    assert render(item).split("\n")[1:] == [
        "   --> a.ms:10:1",
        "    |",
        "  9 | a;",
        "    | - there",
        " 10 | b;",
        "    | ^ here",
        "    = help: so",
        "",
    ]


def test_a_gap_of_one_line_is_shown_and_a_longer_one_is_not() -> None:
    file = SourceFile("a.ms", b"a\nb\nc\nd\ne\nf\n")
    item = error(span(file, "a"), "", Label(span(file, "c"), ""), Label(span(file, "f"), ""))
    assert lines(item) == ["   |", " 1 | a", "   | ^", " 2 | b", " 3 | c", "   | -", "...", " 6 | f", "   | -"]


def test_several_spans_in_one_line() -> None:
    file = SourceFile("a.ms", b"aa = bb + cc;\n")
    first, second, third = (span(file, text) for text in ("aa", "bb", "cc"))
    assert lines(error(second, "two", Label(first, "one"), Label(third, "three"))) == [
        "   |",
        " 1 | aa = bb + cc;",
        "   | --   ^^   -- three",
        "   | |    |",
        "   | |    two",
        "   | |",
        "   | one",
    ]
    assert lines(error(second, "", Label(first, "one"))) == [
        "   |",
        " 1 | aa = bb + cc;",
        "   | --   ^^",
        "   | |",
        "   | one",
    ]


def test_spans_that_overlap_have_a_row_each() -> None:
    file = SourceFile("a.ms", b"f(x)\n")
    item = error(span(file, "x"), "this", Label(span(file, "f(x)"), "in this call"))
    assert lines(item) == ["   |", " 1 | f(x)", "   |   ^ this", "   | ---- in this call"]


def test_spans_that_touch_are_told_apart() -> None:
    file = SourceFile("a.ms", b"ab\n")
    item = error(span(file, "a"), "one", Label(span(file, "b"), "two"))
    assert lines(item) == ["   |", " 1 | ab", "   | ^ one", "   |  - two"]


def test_another_file() -> None:
    file = SourceFile("a.ms", b"f(1);\n")
    other = SourceFile("b.ms", b"\nint f() { }\n")
    assert render(error(span(file, "1"), "too many", Label(span(other, "f"), "declared here"))) == (
        "error[E0203]: it is wrong\n"
        "  --> a.ms:1:3\n"
        "   |\n"
        " 1 | f(1);\n"
        "   |   ^ too many\n"
        "  ::: b.ms:2:5\n"
        "   |\n"
        " 2 | int f() { }\n"
        "   |     - declared here\n"
    )


def test_an_empty_span_is_one_column() -> None:
    file = SourceFile("a.ms", b"x = 1\n")
    assert lines(error(Span(file, 5, 5))) == ["   |", " 1 | x = 1", "   |      ^"]
    assert lines(error(Span(file, 6, 6))) == ["   |", " 2 |", "   | ^"]


def test_a_span_of_several_lines_is_shown_by_its_first() -> None:
    file = SourceFile("a.ms", b"x = f(\n    1);\n")
    assert lines(error(span(file, "f(\n    1)"), "this call")) == ["   |", " 1 | x = f(", "   |     ^^ this call"]


def test_tabs_are_spaces_and_wide_characters_are_wide() -> None:
    file = SourceFile("a.ms", 'a\t= "日本é";\n'.encode())
    assert lines(error(span(file, '"日本é"'), "this")) == [
        "   |",
        ' 1 | a   = "日本é";',
        "   |       ^^^^^^^ this",
    ]
    assert render(error(span(file, ";"))).split("\n")[1] == "  --> a.ms:1:15"
    combined = SourceFile("a.ms", 'e\u0301 = "\u200bx"'.encode())
    assert lines(error(span(combined, "=")))[2] == "   |   ^"


def test_what_cannot_be_printed_is_replaced() -> None:
    file = SourceFile("a\x1b[31m.ms", b"x \x1b[31m \xff\0 = y\n")
    text = render(Diagnostic(Severity.ERROR, "E0101", "found \x07", span(file, "y"), "\x1b"))
    assert text.replace("\n", "").isprintable()
    assert text.split("\n")[3] == " 1 | x \ufffd[31m \ufffd\ufffd = y"
    assert text.split("\n")[4] == "   |              ^ \ufffd"


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_line_ends_are_not_shown(end: str) -> None:
    file = SourceFile("a.ms", f"x = 1;{end}".encode())
    assert lines(error(span(file, "1"))) == ["   |", " 1 | x = 1;", "   |     ^"]


def test_a_long_line_is_cut_around_the_span() -> None:
    file = SourceFile("a.ms", b"a" * 1000 + b"HERE" + b"b" * 1000 + b"\n")
    _, source, marks = lines(error(span(file, "HERE"), "this"))
    assert source.startswith(" 1 | …aaa")
    assert source.endswith("bbb…")
    assert len(source) <= LINE_SIZE_MAX + len(" 1 | ……")
    assert source.index("HERE") == marks.index("^^^^ this")


def test_a_long_line_is_cut_between_characters() -> None:
    for shift in range(4):
        file = SourceFile("a.ms", ("x" * shift + "日" * 500 + "HERE" + "\U0001f600" * 500).encode())
        _, source, marks = lines(error(span(file, "HERE")))
        assert "\ufffd" not in source
        width = sum(2 if character in "日\U0001f600" else 1 for character in source[: source.index("HERE")])
        assert marks.index("^") == width


def test_a_long_line_with_a_second_span_out_of_sight() -> None:
    file = SourceFile("a.ms", b"A" + b"a" * 1000 + b"HERE" + b"b" * 1000 + b"Z\n")
    item = error(span(file, "HERE"), "this", Label(span(file, "A"), "before"), Label(span(file, "Z"), "behind"))
    assert all(len(line) < 2 * LINE_SIZE_MAX for line in lines(item))
    assert "this" in "".join(lines(item))


def test_no_lines_of_a_file_that_could_not_be_read() -> None:
    file = SourceFile("no.ms", b"")
    item = Diagnostic(Severity.ERROR, "E0108", "cannot read no.ms: No such file", Span(file, 0, 0))
    assert render(item) == "error[E0108]: cannot read no.ms: No such file\n  --> no.ms:1:1\n"


def test_all_messages_with_an_empty_line_between() -> None:
    file = SourceFile("a.ms", b"x\n")
    one = error(span(file, "x"))
    assert render_all(Diagnostics([])) == ""
    assert render_all(Diagnostics([one])) == render(one)
    assert render_all(Diagnostics([one, one])) == f"{render(one)}\n{render(one)}"


def test_twenty_errors_are_shown() -> None:
    file = SourceFile("a.ms", b"x\n")
    one = error(span(file, "x"))
    warning = Diagnostic(Severity.WARNING, "W0101", "is never read", span(file, "x"))
    text = render_all(Diagnostics([one] * (ERRORS_SHOWN_MAX + 3) + [warning]))
    assert text.count("error[") == ERRORS_SHOWN_MAX == 20
    assert text.count("warning[") == 1
    assert text.endswith("3 more errors not shown\n")
    assert render_all(Diagnostics([one] * 21)).endswith("\n1 more error not shown\n")
    assert len(json.loads(to_json(Diagnostics([one] * 30)))) == ERRORS_SHOWN_MAX


def test_json() -> None:
    file = SourceFile("a.ms", "é = x;\ny\n".encode())
    item = error(span(file, "x"), "this", Label(Span(file, 3, 9), "there"), help=("so", "or so"))
    assert json.loads(to_json(Diagnostics([item]))) == [
        {
            "code": "E0203",
            "severity": "error",
            "message": "it is wrong",
            "file": "a.ms",
            "line": 1,
            "column": 6,
            "end_line": 1,
            "end_column": 7,
            "label": "this",
            "secondary": [
                {
                    "file": "a.ms",
                    "line": 1,
                    "column": 4,
                    "end_line": 2,
                    "end_column": 2,
                    "label": "there",
                }
            ],
            "help": ["so", "or so"],
        }
    ]
    assert json.loads(to_json(Diagnostics([]))) == []


def test_only_errors_are_errors() -> None:
    file = SourceFile("a.ms", b"x\n")
    found = Diagnostics()
    found.add(Diagnostic(Severity.WARNING, "W0101", "is never read", span(file, "x")))
    found.add(Diagnostic(Severity.NOTE, "N0101", "so", span(file, "x")))
    assert not found.has_errors
    found.add(error(span(file, "x")))
    assert found.has_errors


@settings(deadline=None)
@given(st.binary(max_size=400), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=4))
def test_any_bytes_and_any_spans(data: bytes, places: list[tuple[int, int]]) -> None:
    file = SourceFile("a.ms", data)
    spans = [Span(file, *sorted((min(a, len(data)), min(b, len(data))))) for a, b in places]
    item = error(spans[0], "first", *(Label(each, "other") for each in spans[1:]))
    text = render(item)
    assert text.replace("\n", "").isprintable()
    assert text.count("first") == (1 if data else 0)
    assert text.count("other") == (len(spans) - 1 if data else 0)
    assert all(line == line.rstrip() for line in text.split("\n"))
    json.loads(to_json(Diagnostics([item])))
