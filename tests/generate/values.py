"""What values do, said a second time: arithmetic, conversions, comparisons and texts, as the definition has them.

Works on the values of `tree.py`; knows no program. Always holds: a value of type float is one that binary32 has, an
int or a long within its range.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from decimal import Decimal
from functools import cmp_to_key

from generate.tree import NO_JOB, Job, Struct, Value, fields_of
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    JOB_STATE,
    LONG,
    STRING,
    JobType,
    MapType,
    StructType,
    Type,
    VectorType,
)

BITS = {INT: 32, LONG: 64, CHAR: 8}
STATES = ("running", "finished", "failed")


class Failed(Exception):
    """The program fails here, with this message. `story`: lines that come behind those of the calls; `innermost`: what
    was wrong where it began, when that was in a job."""

    def __init__(self, message: str, story: tuple[str, ...] = (), innermost: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.story = story
        self.innermost = innermost or message


def wrapped(value: int, type: Type) -> int:
    bits = BITS[type]  # type: ignore[index]
    value &= (1 << bits) - 1
    return value - (1 << bits) if type is not CHAR and value >> (bits - 1) else value


def single(value: float) -> float:
    """The nearest value that a float has."""
    return float(ctypes.c_float(value).value)


def _single_of_integer(value: int) -> float:
    """Rounded once: the bits that a double has no room for become one sticky bit."""
    excess = abs(value).bit_length() - 40
    if excess > 0:
        sticky = abs(value) >> excess | bool(abs(value) & ((1 << excess) - 1))
        value = (sticky << excess) * (1 if value > 0 else -1)
    return single(float(value))


# Conversions


def converted(value: Value, source: Type, target: Type) -> Value:
    if source == target:
        return value
    assert isinstance(value, int | float)
    if target in (DOUBLE, FLOAT):
        if isinstance(value, int):
            return float(value) if target is DOUBLE else _single_of_integer(value)
        return value if target is DOUBLE else single(value)
    if isinstance(value, int):
        return wrapped(value, target)
    low, high = {INT: (-(1 << 31), 1 << 31), LONG: (-(1 << 63), 1 << 63), CHAR: (0, 256)}[target]  # type: ignore[index]
    if math.isfinite(value) and low <= math.trunc(value) < high:
        return math.trunc(value)
    raise Failed(f"cannot convert {scalar_text(source, value)} to {target}")


# Arithmetic


def _divided(left: int, right: int, type: Type, operator: str) -> int:
    if right == 0:
        raise Failed("division by zero")
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return wrapped(quotient if operator == "/" else left - quotient * right, type)


def _shifted(left: int, count: int, type: Type, operator: str) -> int:
    count %= BITS[type]  # type: ignore[index]
    if operator == "<<":
        return wrapped(left << count, type)
    if operator == ">>":
        return left >> count
    return wrapped((left & ((1 << BITS[type]) - 1)) >> count, type)  # type: ignore[index]


def _real(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            if right != 0:
                return left / right
            if left == 0 or left != left or right != right:
                return math.nan
            return math.copysign(math.inf, left) * math.copysign(1, right)


def arithmetic(operator: str, type: Type, left: Value, right: Value) -> Value:
    """Both operands have the type; but for the count of a shift."""
    if isinstance(type, VectorType):
        return left + right  # type: ignore[operator]
    if type in (DOUBLE, FLOAT):
        assert isinstance(left, float)
        assert isinstance(right, float)
        result = _real(operator, left, right)
        return result if type is DOUBLE else single(result)
    assert isinstance(left, int)
    assert isinstance(right, int)
    match operator:
        case "+":
            return wrapped(left + right, type)
        case "-":
            return wrapped(left - right, type)
        case "*":
            return wrapped(left * right, type)
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "/" | "%":
            return _divided(left, right, type, operator)
        case _:
            return _shifted(left, right, type, operator)


# Comparisons


def equal(structs: dict[str, Struct], type: Type, left: Value, right: Value) -> bool:
    match type:
        case VectorType() if type != STRING:
            assert isinstance(left, tuple)
            assert isinstance(right, tuple)
            pairs = zip(left, right)
            return len(left) == len(right) and all(equal(structs, type.element, a, b) for a, b in pairs)
        case MapType():
            assert isinstance(left, dict)
            assert isinstance(right, dict)
            same = all(key in right and equal(structs, type.value, each, right[key]) for key, each in left.items())
            return len(left) == len(right) and same
        case StructType():
            fields = fields_of(structs, type)
            return all(equal(structs, t, a, b) for (_, t), a, b in zip(fields, left, right))  # type: ignore[arg-type]
        case JobType():
            return left is right
        case _:
            return left == right


def compared(structs: dict[str, Struct], operator: str, type: Type, left: Value, right: Value) -> bool:
    match operator:
        case "==":
            return equal(structs, type, left, right)
        case "!=":
            return not equal(structs, type, left, right)
        case "<":
            return left < right  # type: ignore[operator]
        case "<=":
            return left <= right  # type: ignore[operator]
        case ">":
            return left > right  # type: ignore[operator]
        case _:
            return left >= right  # type: ignore[operator]


def sorted_by(elements: list[Value], less: Callable[[Value, Value], bool]) -> list[Value]:
    """Stable."""
    return sorted(elements, key=cmp_to_key(lambda a, b: -1 if less(a, b) else 1 if less(b, a) else 0))


def natural_less(left: Value, right: Value) -> bool:
    """The order of `sort`: NaN goes last."""
    return left < right or (left == left and right != right)  # type: ignore[operator]


# Texts


def _shortest_single(value: float) -> str:
    """The digits of a float in Python's layout for doubles."""
    for precision in range(1, 10):
        near = Decimal(f"{value:.{precision - 1}e}")
        unit = Decimal(1).scaleb(near.adjusted() - precision + 1)
        for candidate in (near, near + unit, near - unit):
            if single(float(candidate)) == value:
                return repr(float(candidate))
    raise AssertionError(value)


def scalar_text(type: Type, value: Value) -> str:
    if type is BOOL:
        return "true" if value else "false"
    if type is FLOAT and isinstance(value, float) and math.isfinite(value) and value != 0:
        sign = "-" if value < 0 else ""
        return sign + _shortest_single(abs(value))
    if type is JOB_STATE:
        assert isinstance(value, int)
        return STATES[value]
    return repr(value)


_NAMED = {10: b"\\n", 9: b"\\t", 13: b"\\r", 92: b"\\\\", 0: b"\\0"}


def _quoted_byte(value: int, mark: int) -> bytes:
    if value == mark:
        return b"\\" + bytes([mark])
    if value in _NAMED:
        return _NAMED[value]
    return bytes([value]) if 32 <= value < 127 else b"\\x%02x" % value


def _quoted(value: bytes) -> bytes:
    """With what is printable UTF-8 as it is."""
    parts = []
    at = 0
    while at < len(value):
        for size in (2, 3, 4):
            try:
                character = value[at : at + size].decode()
            except UnicodeDecodeError:
                continue
            if len(character) == 1 and ord(character) >= 0xA0 and character not in "\u2028\u2029":
                parts.append(value[at : at + size])
                at += size
                break
        else:
            parts.append(_quoted_byte(value[at], 34))
            at += 1
    return b'"' + b"".join(parts) + b'"'


def text_of(structs: dict[str, Struct], type: Type, value: Value, quoted: bool = False) -> bytes:
    """What `print` writes; `quoted` inside of something else."""
    if type == STRING:
        assert isinstance(value, bytes)
        return _quoted(value) if quoted else value
    if type is CHAR:
        assert isinstance(value, int)
        return b"'" + _quoted_byte(value, 39) + b"'" if quoted else bytes([value])
    match type:
        case VectorType():
            assert isinstance(value, tuple)
            return b"[" + b", ".join(text_of(structs, type.element, each, True) for each in value) + b"]"
        case StructType():
            assert isinstance(value, tuple)
            parts = [
                name.encode() + b": " + text_of(structs, field, each, True)
                for (name, field), each in zip(fields_of(structs, type), value)
            ]
            return type.name.encode() + b"{" + b", ".join(parts) + b"}"
        case MapType():
            assert isinstance(value, dict)
            parts = [
                text_of(structs, type.key, key, True) + b": " + text_of(structs, type.value, each, True)
                for key, each in value.items()
            ]
            return b"{" + b", ".join(parts) + b"}"
        case JobType():
            assert isinstance(value, Job)
            if value is NO_JOB:
                return b"no job"
            return f"{type} {'failed' if value.has_failed else 'finished'}".encode()
        case _:
            return scalar_text(type, value).encode()
