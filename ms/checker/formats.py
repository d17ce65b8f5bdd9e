"""Calls of `format`: the template is compared with the values while the program is compiled.

Invariant: the first argument of a `format` that was checked is a `StringLiteral` whose places fit the other arguments,
one for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ms import errors, syntax, templates, typed
from ms.builtins import Builtin
from ms.checker import constants, expressions
from ms.checker.context import Body
from ms.checker.conversions import coerce
from ms.checker.types import is_integer, is_number
from ms.source import Span
from ms.templates import Place
from ms.types import CHAR, FLOATS, STRING, Type

_ESCAPE = re.compile(rb"\\x..|\\u\{([0-9A-Fa-f]+)\}|\\.|.", re.DOTALL)


def format_call(
    body: Body, tree: syntax.CallOf, row: Builtin, arguments: list[syntax.Expression]
) -> typed.Expression | None:
    text = _template(body, arguments[0])
    given = [expressions.value(body, argument) for argument in arguments[1:]]
    values = [value for value in given if value is not None]
    if text is None:
        return None
    whole = _Template(body, arguments[0], text.value)
    parsed = templates.parse(text.value)
    for complaint in parsed.complaints:
        help = (complaint.help,) if complaint.help else ()
        body.report(errors.bad_template(whole.span(complaint.start, complaint.end), complaint.why, *help))
    if not parsed.complaints:
        _check_count(body, whole, parsed.places, arguments[1:])
        for place, value in zip(parsed.places, given):
            why = None if value is None else _misfit(place, value.type)
            if value is not None and why is not None:
                span = whole.span(place.start, place.end)
                body.report(errors.bad_template(span, why, at=value.span, found=value.type))
    return typed.BuiltinCall(row, (text, *values), STRING, tree.span)


def _template(body: Body, tree: syntax.Expression) -> typed.StringLiteral | None:
    """The text of the first argument, which is known at compile time."""
    given = expressions.value(body, tree, STRING)
    checked = None if given is None else coerce(body, given, STRING)
    if checked is None:
        return None
    try:
        literal = constants.reduced(checked)
    except constants.NotComputable as reason:
        body.report(errors.bad_template(reason.span, f"it must be known at compile time, but {reason.why}"))
        return None
    except constants.KnownWrong:
        return None
    value = literal.value if isinstance(literal, typed.StringLiteral) else b""
    return typed.StringLiteral(value, STRING, tree.span)


@dataclass(slots=True)
class _Template:
    """Where the bytes of a template stand in the source."""

    body: Body
    tree: syntax.Expression
    value: bytes

    def span(self, start: int, end: int) -> Span:
        """The bytes `start` to `end` - 1 where the template is a literal, else all that it is made of."""
        outer = self.tree.span
        if not isinstance(self.tree, syntax.TextLiteral):
            return outer
        offsets: list[int] = []
        at = outer.start + 1
        for found in _ESCAPE.finditer(outer.file.data[at : outer.end - 1]):
            size = len(chr(int(found[1], 16)).encode()) if found[1] else 1
            offsets += [at + found.start()] * size
        offsets.append(outer.end - 1)
        return Span(outer.file, offsets[start], offsets[end])


def _check_count(body: Body, whole: _Template, places: list[Place], values: list[syntax.Expression]) -> None:
    if len(places) > len(values):
        first = places[len(values)]
        why = f"there is no value for this: {_places(len(places))}, {_values(len(values))}"
        body.report(errors.bad_template(whole.span(first.start, first.end), why))
    elif len(values) > len(places):
        why = f"there is no place for this value: {_values(len(values))}, {_places(len(places))}"
        body.report(errors.bad_template(values[len(places)].span, why))


def _places(count: int) -> str:
    return f"{count} place{'' if count == 1 else 's'}"


def _values(count: int) -> str:
    return f"{count} value{'' if count == 1 else 's'}"


def _misfit(place: Place, type: Type) -> str | None:
    """Why a value of the type does not go into the place."""
    if place.is_hex and not is_integer(type):
        return "`x` is for integers"
    if place.digits is not None and type not in FLOATS:
        return "digits behind the point are for double and float"
    if place.way == "0" and not place.is_hex and (not is_number(type) or type is CHAR):
        return "zeros in front are for numbers"
    return None
