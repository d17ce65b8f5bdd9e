"""Whatever the bytes are: clean diagnostics and no exception, a bounded number of messages, and linear work."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from surface import parsed

from ms import lexer, parser, syntax
from ms.diagnostics import Diagnostic, Diagnostics, Severity, render, to_json
from ms.lexer import KEYWORDS
from ms.recovery import Recovery
from ms.source import SourceFile, Span

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = [path.read_bytes() for path in sorted((ROOT / "tests" / "ms_programs").glob("test-*.ms"))][:60]
OPERATORS = [word for word in parser._lark()[2] if not word.isidentifier()]
WORDS = [*sorted(KEYWORDS), *OPERATORS, "x", "f", "S", "1", "2.5", '"s"', "'c'", "2147483648", "\n", "@", "é", '"', "#"]


def spans(node: object) -> list[Span]:
    """Every span in a tree, without recursion."""
    found: list[Span] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Span):
            found.append(each)
        elif isinstance(each, tuple):
            waiting += each
        elif is_dataclass(each) and not isinstance(each, SourceFile | type):
            waiting += [getattr(each, field.name) for field in fields(each)]
    return found


def check(data: bytes) -> tuple[syntax.Module, list[Diagnostic]]:
    """Parses, and holds what comes out against what must hold of any parse."""
    module, found = parsed(data)
    for span in [*spans(module.declarations), *module.skipped, *(item.span for item in found)]:
        assert 0 <= span.start <= span.end <= len(data)
        assert span.file is module.file
    for item in found:
        assert item.severity is Severity.ERROR
        assert item.code.startswith("E01")
        assert render(item).replace("\n", "").isprintable()
    if module.skipped or module.skipped_names:
        assert found
    to_json(Diagnostics(found))
    return module, found


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb")
@example(b"\0")
@example(b"'")
@example(b'"\\')
@example(b"/*/")
@example(b"\r")
@example(b"x\xc2")
def test_any_bytes(data: bytes) -> None:
    check(data)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_any_words(words: list[str]) -> None:
    check(" ".join(words).encode())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_in_a_block(words: list[str]) -> None:
    check(f"master {{ {' '.join(words)} }} int f() {{ return 1; }}".encode())


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A right program with a few words taken out, put in, exchanged or doubled."""
    text = draw(st.sampled_from(PROGRAMS)).decode()
    file = SourceFile("", text.encode())
    words = [token.text for token in lexer.tokens(file, parser._lark()[2], Diagnostics())]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(words) - 1)))
        match draw(st.integers(0, 3)):
            case 0:
                del words[at : at + draw(st.integers(1, 5))]
            case 1:
                words.insert(at, draw(st.sampled_from(WORDS)))
            case 2 if words:
                words[at] = draw(st.sampled_from(WORDS))
            case _:
                words[at:at] = words[at : at + draw(st.integers(1, 10))]
    return " ".join(words).encode("latin-1", "replace")


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_programs_with_a_few_changes(data: bytes) -> None:
    check(data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROGRAMS), st.data())
def test_programs_with_a_byte_changed_or_cut_off(program: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(program)))
    check(program[:at])
    check(program[:at] + data.draw(st.binary(max_size=3)) + program[at + 1 :])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PROGRAMS), st.data())
def test_one_semicolon_less_is_one_message(program: bytes, data: st.DataObject) -> None:
    """Where the missing sign stood at the end of a line and the next line is another statement's."""
    lines = program.split(b"\n")
    candidates = [
        index
        for index, line in enumerate(lines[:-1])
        if line.rstrip().endswith(b";")
        and not line.lstrip().startswith((b"struct", b"for", b"}"))
        and lines[index + 1].lstrip()[:1].isalpha()
    ]
    if not candidates:
        return
    at = data.draw(st.sampled_from(candidates))
    lines[at] = lines[at].rstrip()[:-1]
    _, found = check(b"\n".join(lines))
    assert [(item.code, item.span.line) for item in found] == [("E0101", at + 1)]


MANY = 3000

REPEATED = {
    "open parentheses": "master { x = " + "(" * MANY,
    "close parentheses": "master { x = " + ")" * MANY + "; }",
    "open brackets": "master { x = " + "[" * MANY,
    "open braces": "master " + "{" * MANY,
    "braces at the top": "{" * MANY,
    "close braces": "}" * MANY,
    "open of all kinds": "master { " + "( [ { " * MANY,
    "types": "master { " + "vector<" * MANY + "int" + ">" * MANY + " x; }",
    "structs": "master { x = " + "S{a:" * MANY,
    "switches": "master { " + "switch (a) { case 1: " * MANY,
    "else": "master { " + "else " * MANY,
    "case": "master { " + "case " * MANY,
    "if": "master { " + "if " * MANY,
    "for": "master { " + "for (" * MANY,
    "remote": "master { x = " + "remote " * MANY,
    "names": "a " * MANY,
    "numbers": "1 " * MANY,
    "keywords": "int " * MANY,
    "job": "job " * MANY,
    "commas": "master { f(" + "," * MANY + "); }",
    "semicolons": ";" * MANY,
    "semicolons in parentheses": "master { f(" + ";" * MANY + "); }",
    "no value": "master { " + "x = ;" * MANY + " }",
    "no semicolon": "master { " + "x y z w;" * MANY + " }",
    "no parenthesis": "master { " + "f(a b c;" * MANY + " }",
    "global variables": "int x = 1;\n" * MANY,
    "strange characters": "@" * MANY,
    "strange characters apart": "master { " + "x @ " * MANY + "}",
    "zero bytes": "\0 " * MANY,
    "quotes": '"\n' * MANY,
    "ticks": "'\n" * MANY,
    "quotes and signs": '";' * MANY,
    "escapes": 'master { x = "' + "\\q" * MANY + '"; }',
    "comments": "/*" * MANY,
    "backslashes": "\\" * MANY,
    "points": "." * MANY,
    "greater": "vector<int" + ">" * MANY,
}


@pytest.mark.parametrize("kind", REPEATED)
def test_the_same_mistake_again_and_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is counted, not timed: how often recovery is asked, and how many calls are made for each byte."""
    mends = 0
    mend = Recovery.mend

    def counted(self: Recovery, index: int) -> int:
        nonlocal mends
        mends += 1
        return mend(self, index)

    monkeypatch.setattr(Recovery, "mend", counted)
    calls = 0

    def profile(*_: object) -> None:
        nonlocal calls
        calls += 1

    data = REPEATED[kind].encode()
    sys.setprofile(profile)
    try:
        _, found = parsed(data)
    finally:
        sys.setprofile(None)
    assert mends <= 250
    assert calls <= 400_000 + 60 * len(data)
    assert all(item.code.startswith("E01") for item in found)


def test_a_line_of_a_megabyte() -> None:
    assert parsed(b'master { x = "' + b"a" * 1_000_000 + b'"; }')[1] == []
    assert parsed(b"master { " + b"a" * 1_000_000 + b" = 1; }")[1] == []
    for digits in (b"1" * 1_000_000, b"0x" + b"1" * 1_000_000, b"1" * 1_000_000 + b".5"):
        _, found = check(b"master { x = " + digits + b"; }")
        assert len(found) == 1
        assert len(render(found[0])) < 1000


def test_a_sum_of_many_terms() -> None:
    _, found = check(b"master { x = 1" + b" + 1" * 100_000 + b"; }")
    assert [item.code for item in found] == ["E0107"]
