"""What the built-in functions do that are about more than one value: templates, random numbers, files, other programs,
C functions. `library.py` looks them up here.

Always holds: nothing is read or written but the twin's own files, which stand for those of the directory in which the
program runs; functions of libm that are not exact everywhere are asked for with few digits only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from generate.tree import Builtin, Value
from generate.values import Failed, converted, text_of, wrapped
from ms.types import DOUBLE, FLOATS, INT, LONG, STRING, Type

if TYPE_CHECKING:
    from generate.twin import Cell, Twin

Function = Callable[["Twin", Builtin, list[Any]], Any]
Changing = Callable[["Twin", Builtin, "Cell", list[Any]], Any]

MASK = (1 << 64) - 1
SPACE = b" \t\n\v\f\r"

# Templates

_PLACE = re.compile(rb"\{\{|\}\}|\{(?::([<>]?)(0?)([0-9]*)(?:\.([0-9]+))?(x?))?\}")


def _format(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    values = iter(zip(e.arguments[1:], given[1:]))

    def filled(found: re.Match[bytes]) -> bytes:
        if found[0] in (b"{{", b"}}"):
            return found[0][:1]
        part, value = next(values)
        return _placed(twin, part.type, value, found)

    return _PLACE.sub(filled, given[0])


def _placed(twin: Twin, type: Type, value: Any, form: re.Match[bytes]) -> bytes:
    way, zeros, width, digits, is_hex = form.groups(b"")
    is_number = type in FLOATS or type in (INT, LONG)
    fills = bool(zeros)
    if is_hex:
        text = b"%x" % (value & (MASK if type is LONG else 0xFFFFFFFF if type is INT else 0xFF))
        is_number = True
    elif type in FLOATS and not math.isfinite(value):
        text, fills = text_of(twin.structs, type, value), False
    elif digits:
        text = f"{value:.{int(digits)}f}".encode()
    else:
        text = text_of(twin.structs, type, value)
    size = int(width or b"0")
    if fills and is_number:
        sign = text[:1] if text[:1] == b"-" else b""
        return sign + text[len(sign) :].rjust(size - len(sign), b"0")
    return text.rjust(size) if way == b">" or (is_number and way != b"<") else text.ljust(size)


_DOUBLE = re.compile(rb"[-+]?(?:inf|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)")


def _parse_double(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    text = given[0].strip(SPACE)
    if _DOUBLE.fullmatch(text):
        return float(text)
    shown = text_of(twin.structs, STRING, given[0][:40], True).decode("latin-1")
    raise Failed(f"cannot parse {shown}{'...' if len(given[0]) > 40 else ''} as double")


# Random numbers: xoshiro256**, seeded by splitmix64


def _random(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    states = []
    for index in range(1, 5):
        mixed = (converted(given[0], e.arguments[0].type, LONG) + 0x9E3779B97F4A7C15 * index) & MASK
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & MASK
        states.append(wrapped(mixed ^ mixed >> 31, LONG))
    return tuple(states)


def _rotated(value: int, count: int) -> int:
    return (value << count | value >> (64 - count)) & MASK


def _next(cell: Cell) -> int:
    s0, s1, s2, s3 = (each & MASK for each in cell.get())  # type: ignore[union-attr]
    answer = _rotated(s1 * 5 & MASK, 7) * 9 & MASK
    t = s1 << 17 & MASK
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = _rotated(s3, 45)
    cell.put(tuple(wrapped(each, LONG) for each in (s0, s1, s2, s3)))
    return answer


def _next_int(twin: Twin, e: Builtin, cell: Cell, rest: list[Any]) -> Any:
    if rest[0] <= 0:
        raise Failed(f"next_int wants a positive bound, not {rest[0]}")
    return _next(cell) * rest[0] >> 64


CHANGING: dict[str, Changing] = {
    "next_long": lambda twin, e, cell, rest: wrapped(_next(cell), LONG),
    "next_int": _next_int,
    "next_double": lambda twin, e, cell, rest: (_next(cell) >> 11) / float(1 << 53),
}

# Mathematics


def _real(function: Callable[..., float]) -> Function:
    def called(twin: Twin, e: Builtin, given: list[Any]) -> Any:
        values = [converted(value, part.type, DOUBLE) for value, part in zip(given, e.arguments)]
        try:
            return float(function(*values))
        except (ValueError, OverflowError):
            return -math.inf if e.name.startswith("log") and values[0] == 0 else math.nan

    return called


# Files and programs


def _read(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    data = twin.files.get(given[0])
    if data is None:
        shown = given[0].decode("latin-1")
        raise Failed(f'cannot read "{shown}": No such file or directory')
    if len(given) == 3:
        low, high = (min(max(each, 0), len(data)) for each in given[1:])
        return data[low:high]
    return data


def _lines(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    lines = _read(twin, e, given).split(b"\n")
    lines = lines[:-1] if not lines[-1] else lines
    return tuple(line.removesuffix(b"\r") for line in lines)


def _write(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    twin.files[given[0]] = (twin.files.get(given[0], b"") if e.name == "append_file" else b"") + given[1]
    return 0


def _exec(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    """Only `cat`, which gives what it gets, and `false`."""
    return (1, b"", b"") if given[0] == (b"false",) else (0, given[1], b"")


FUNCTIONS: dict[str, Function] = {
    "format": _format,
    "parse_double": _parse_double,
    "random": _random,
    "cbrt": _real(math.cbrt),
    "pow": _real(math.pow),
    "exp": _real(math.exp),
    "log": _real(math.log),
    "log2": _real(math.log2),
    "log10": _real(math.log10),
    "sin": _real(math.sin),
    "cos": _real(math.cos),
    "tan": _real(math.tan),
    "asin": _real(math.asin),
    "acos": _real(math.acos),
    "atan": _real(math.atan),
    "atan2": _real(math.atan2),
    "hypot": _real(math.hypot),
    "read_file": _read,
    "read_lines": _lines,
    "write_file": _write,
    "append_file": _write,
    "file_exists": lambda twin, e, given: given[0] in twin.files,
    "file_size": lambda twin, e, given: len(_read(twin, e, given)),
    "list_dir": lambda twin, e, given: tuple(sorted(twin.files)),
    "exec": _exec,
    "env": lambda twin, e, given: b"",
    "args": lambda twin, e, given: (),
    "arg": lambda twin, e, given: given[1],
    "sleep": lambda twin, e, given: 0,
    "time": lambda twin, e, given: 1.0,
    "clock": lambda twin, e, given: 1.0,
    "slaves": lambda twin, e, given: 1,
    "slots": lambda twin, e, given: 1,
    "host": lambda twin, e, given: b"host",
    "at_end": lambda twin, e, given: True,
    "read_line": lambda twin, e, given: b"",
}

# C functions


def _ldexp(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


EXTERNS: dict[str, tuple[Type, tuple[Type, ...], Callable[..., Any]]] = {
    "fabs": (DOUBLE, (DOUBLE,), abs),
    "ldexp": (DOUBLE, (DOUBLE, INT), _ldexp),
    "rint": (DOUBLE, (DOUBLE,), lambda x: math.copysign(float(round(x)), x) if math.isfinite(x) else x),
}


def call_extern(name: str, given: list[Value]) -> Value:
    answer: Value = EXTERNS[name][2](*given)
    return answer
