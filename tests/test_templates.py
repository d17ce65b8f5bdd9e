"""The templates of `format`: what is read from them, and where the compiler points when one is wrong."""

from __future__ import annotations

import pytest
from checking import program, the_only

from ms.templates import Place, parse


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("plain", [b"plain"]),
        ("{}", [Place(0, 2)]),
        ("a{}b", [b"a", Place(1, 3), b"b"]),
        ("{{{}}}", [b"{", Place(2, 4), b"}"]),
        ("{:5}", [Place(0, 4, "", 5)]),
        ("{:<5}{:>12}", [Place(0, 5, "<", 5), Place(5, 11, ">", 12)]),
        ("{:05}", [Place(0, 5, "0", 5)]),
        ("{:.3}", [Place(0, 5, "", 0, 3)]),
        ("{:.0}", [Place(0, 5, "", 0, 0)]),
        ("{:x}", [Place(0, 4, is_hex=True)]),
        ("{:08x}", [Place(0, 6, "0", 8, None, True)]),
        ("{:10.3}", [Place(0, 7, "", 10, 3)]),
        ("{:010.3}{:<10.3}", [Place(0, 8, "0", 10, 3), Place(8, 16, "<", 10, 3)]),
        ("{:1000}{:.500}", [Place(0, 7, "", 1000), Place(7, 14, "", 0, 500)]),
    ],
)
def test_templates(text: str, parts: list[bytes | Place]) -> None:
    template = parse(text.encode())
    assert template.complaints == []
    assert template.parts == parts


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ('format("a «{»")', "this `{` has no `}`"),
        ('format("a «}» b {}", 1)', "nothing begins before this `}`"),
        ('format("{«0»}", 1)', "`0` stands where only a form may stand"),
        ('format("{«:»}", 1)', "there is no form `:`"),
        ('format("\\n\\x41\\u{e9}é{}{«:^9»}", 1, 2)', "there is no form `:^9`"),
        ('format("{«:<05»}", 1)', "`<` and zeros in front exclude each other"),
        ('format("{«:>»}", 1)', "behind `>` comes a width"),
        ('format("{«:1001»}", 1)', "a width is 1000 at most"),
        ('format("{«:.501»}", 0.5)', "there are 500 digits behind the point at most"),
        ('format("{«:.2x»}", 1)', "`x` is for integers, which have no digits behind the point"),
        ('format("{} \\t«{}»", 1)', "there is no value for this: 2 places, 1 value"),
        ('format("{}", 1, «2», 3)', "there is no place for this value: 3 values, 1 place"),
        ('format("\\u{1F600}«{:x}»", 1.5)', "`x` is for integers"),
        ('format("{}«{:.3}»", 1, 2)', "digits behind the point are for double and float"),
        ('format("«{:03}»", "s")', "zeros in front are for numbers"),
        ("format(«str(1)», 1)", "it must be known at compile time, but `str` is called when the program runs"),
    ],
)
def test_wrong_templates(call: str, why: str) -> None:
    assert the_only(f"master {{ print({call}); }}", "E0227").message == f"template of `format`: {why}"


def test_the_value_that_does_not_fit_is_shown() -> None:
    message = the_only('master { string s; print(format("«{:x}»", s)); }', "E0227")
    assert [label.text for label in message.secondary] == ["this is a string"]


def test_a_template_may_be_a_constant() -> None:
    program('const string ROW = "{:5}" + "|"; master { print(format(ROW, 1), ROW.format(3), format("{}" + "", 5)); }')
