"""A value where another type is wanted: the implicit conversions of §3, and the message when there is none.

Invariants: an implicit conversion of a literal makes a literal of the wanted type, never a `Convert`; every path that
gives None has reported an error.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ms import errors, typed
from ms.checker.context import Body
from ms.checker.types import is_number
from ms.source import Span
from ms.types import CHAR, DOUBLE, FLOAT, FLOATS, INT, LONG, Type, converts_implicitly

_BITS = {INT: 32, LONG: 64, CHAR: 8}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who asks for a type: a second span for the message, and the words under it."""

    span: Span | None = None
    text: str = "declared here"


NOBODY = Wanted()


def wrapped(value: int, type: Type) -> int:
    """The low bits of an integer, as a value of the type."""
    bits = _BITS[type]  # type: ignore[index]
    value &= (1 << bits) - 1
    return value - (1 << bits) if type is not CHAR and value >> (bits - 1) else value


def rounded(value: float, type: Type) -> float:
    """The nearest value of a floating-point type."""
    if isinstance(value, int):
        return _rounded_integer(value, type)
    if type is not FLOAT or value != value or value in (float("inf"), float("-inf")):
        return value
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _rounded_integer(value: int, type: Type) -> float:
    """The same for an integer. On its way to binary32 it must not be rounded twice: so that it fits a double, the bits
    that are too many become one that says whether any of them was set."""
    excess = value.bit_length() - 50
    if type is FLOAT and excess > 0:
        value = (value >> excess | bool(value & ((1 << excess) - 1))) << excess
    return rounded(float(value), type)


def fits(value: int, type: Type) -> bool:
    """Whether a literal means the same as a value of the type."""
    if type in FLOATS:
        try:
            return rounded(value, type) == value
        except OverflowError:
            return False
    return type in _BITS and wrapped(value, type) == value


def convert(expression: typed.Expression, target: Type) -> typed.Expression:
    """The value as `target`, to which its type converts."""
    if expression.type == target:
        return expression
    if isinstance(expression, typed.IntLiteral):
        if target in FLOATS:
            return typed.FloatLiteral(rounded(expression.value, target), target, expression.span)
        return typed.IntLiteral(wrapped(expression.value, target), target, expression.span)
    if isinstance(expression, typed.FloatLiteral) and target in FLOATS:
        return typed.FloatLiteral(rounded(expression.value, target), target, expression.span)
    return typed.Convert(expression, target, expression.span)


def coerce(body: Body, expression: typed.Expression, target: Type, wanted: Wanted = NOBODY) -> typed.Expression | None:
    """The value as a `target`, by an implicit conversion or not at all."""
    found = expression.type
    if found == target:
        return expression
    if converts_implicitly(found, target):
        return convert(expression, target)
    if isinstance(expression, typed.IntLiteral) and target in (INT, LONG, CHAR, DOUBLE, FLOAT):
        if not fits(expression.value, target):
            body.report(
                errors.literal_does_not_fit(expression.span, expression.value, target, wanted.span, wanted.text)
            )
            return None
        if target is CHAR and found is INT:
            return convert(expression, target)
    if is_number(found) and is_number(target):
        body.report(errors.narrowing(expression.span, target, found, wanted.span, wanted.text))
    else:
        body.report(errors.wrong_type(expression.span, target, found, wanted.span, wanted.text))
    return None
