"""What the built-in functions do, for `twin.py`: one small function for each, found by its name.

A function gets the values of its arguments; one that changes its first argument gets the cell of it. Functions of
libm that are not exact everywhere are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from generate import outside
from generate.tree import NO_JOB, Builtin, Job, Value, zero_of
from generate.values import Failed, arithmetic, converted, equal, natural_less, sorted_by, text_of, wrapped
from ms.types import FLOATS, INT, LONG, STRING, Type, VectorType

if TYPE_CHECKING:
    from generate.twin import Cell, Twin

# Values are of so many types here that naming them would say nothing.
Function = Callable[["Twin", Builtin, list[Any]], Any]
Changing = Callable[["Twin", Builtin, "Cell", list[Any]], Any]

SPACE = b" \t\n\v\f\r"


def call(twin: Twin, e: Builtin) -> Value:
    changing = CHANGING.get(e.name)
    if changing is not None:
        place = twin.place(e.arguments[0])
        rest = [twin.value(each) for each in e.arguments[1:]]
        result: Value = changing(twin, e, twin.reached(place), rest)
        return result
    given = [twin.value(each) for each in e.arguments]
    twin.spend(sum(len(each) for each in given if isinstance(each, bytes | tuple | dict)))
    answer: Value = FUNCTIONS[e.name](twin, e, given)
    return answer


def made(type: Type, elements: list[Any]) -> Value:
    return bytes(elements) if type == STRING else tuple(elements)


# What changes its first argument


def _pop(twin: Twin, e: Builtin, cell: Cell, rest: list[Any]) -> Any:
    value: Any = cell.get()
    if not value:
        raise Failed("pop of an empty vector")
    cell.put(value[:-1])
    return value[-1]


def _resize(twin: Twin, e: Builtin, cell: Cell, rest: list[Any]) -> Any:
    value: Any = cell.get()
    (size,) = rest
    if size < 0:
        raise Failed(f"negative size {size}")
    twin.spend(size)
    type = e.arguments[0].type
    assert isinstance(type, VectorType)
    more = [zero_of(twin.structs, type.element)] * max(0, size - len(value))
    cell.put(twin.limited(value[:size] + made(type, more)))
    return 0


def _clear(twin: Twin, e: Builtin, cell: Cell, rest: list[Any]) -> Any:
    cell.put(zero_of(twin.structs, e.arguments[0].type))
    return 0


def _insert(twin: Twin, e: Builtin, cell: Cell, rest: list[Any]) -> Any:
    value: Any = cell.get()
    index, element = rest
    if not 0 <= index <= len(value):
        raise Failed(f"index {index} out of range, the size is {len(value)}")
    type = e.arguments[0].type
    assert isinstance(type, VectorType)
    element = converted(element, e.arguments[2].type, type.element)
    cell.put(twin.limited(value[:index] + made(type, [element]) + value[index:]))
    return 0


def _remove(twin: Twin, e: Builtin, cell: Cell, rest: list[Any]) -> Any:
    value: Any = cell.get()
    if isinstance(value, dict):
        cell.put({key: each for key, each in value.items() if key != rest[0]})
        return rest[0] in value
    index = twin.checked(value, rest[0])
    cell.put(value[:index] + value[index + 1 :])
    return value[index]


def _swap(twin: Twin, e: Builtin, cell: Cell, rest: list[Any]) -> Any:
    value: Any = list(cell.get())  # type: ignore[arg-type]
    i, j = (twin.checked(value, index) for index in rest)
    value[i], value[j] = value[j], value[i]
    cell.put(made(e.arguments[0].type, value))
    return 0


CHANGING: dict[str, Changing] = {
    "pop": _pop, "resize": _resize, "clear": _clear, "insert": _insert, "remove": _remove, "swap": _swap,
    **outside.CHANGING,
}  # fmt: skip


# Output and jobs


def _print(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    texts = [text_of(twin.structs, part.type, value) for part, value in zip(e.arguments, given)]
    stream = twin.errors if e.name == "eprint" else twin.output
    stream += b"".join(texts) if e.name == "write" else b" ".join(texts) + b"\n"
    return 0


def _ended(job: Job) -> Job:
    if job is NO_JOB:
        raise Failed("no job")
    return job


def result(job: Job) -> Value:
    if _ended(job).has_failed:
        raise Failed(f"job {job.call} failed" + (f": {job.message}" if not job.story else ""), job.story, job.message)
    return job.result


def _get(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    if isinstance(e.arguments[0].type, VectorType):
        return made(e.type, [result(job) for job in given[0]])
    return result(given[0])


def _state(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    return 2 if _ended(given[0]).has_failed else 1


def _any(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    """Which one it is nobody knows, but that there is one."""
    if not given[0]:
        raise Failed("any of no jobs")
    return [_ended(job) for job in given[0]].index(given[0][0])


def _completed(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    """In some order."""
    return tuple(range(len([_ended(job) for job in given[0]])))


def _cancel(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    """Comes too late."""
    _ended(given[0])
    return 0


def _story(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    job = _ended(given[0])
    return ("\n".join(job.story) or job.message).encode("latin-1")


# Vectors


def _fill(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    size, element = given
    if size < 0:
        raise Failed(f"negative size {size}")
    twin.spend(size)
    return made(e.type, [element] * size)


def _sort(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    less = _less(twin, e) if e.less else natural_less
    return made(e.type, sorted_by(list(given[0]), less))


def _less(twin: Twin, e: Builtin) -> Callable[[Value, Value], bool]:
    return lambda a, b: bool(twin.call_with(e.less, a, b))


def _extreme(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    """min and max, of a vector or of two numbers: the first of those that are equal, NaN only when all are."""
    first = e.arguments[0].type
    elements = list(given[0]) if isinstance(first, VectorType) else [
        converted(value, part.type, e.type) for value, part in zip(given, e.arguments)
    ]  # fmt: skip
    if not elements:
        raise Failed(f"{e.name} of an empty vector")
    less = _less(twin, e) if e.less else lambda a, b: a < b  # type: ignore[operator]
    best = elements[0]
    for each in elements[1:]:
        is_nan = not e.less and isinstance(best, float) and best != best
        if is_nan or (less(each, best) if e.name == "min" else less(best, each)):
            best = each
    return best


def _find(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    whole, piece = given
    kind = e.arguments[0].type
    assert isinstance(kind, VectorType)
    if isinstance(piece, bytes) and kind == STRING:
        found = whole.find(piece)
    else:
        piece = converted(piece, e.arguments[1].type, kind.element)
        found = next((i for i, each in enumerate(whole) if equal(twin.structs, kind.element, each, piece)), -1)
    return found if e.name == "find" else found >= 0


def _sum(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    total: Any = 0.0 if e.type in FLOATS else 0
    for each in given[0]:
        total = arithmetic("+", e.type, total, each)
    return total


# Strings


def _split(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    if len(given) == 1:
        return tuple(part for part in given[0].translate(bytes.maketrans(SPACE, b" " * 6)).split(b" ") if part)
    if not given[1]:
        raise Failed("empty separator")
    return tuple(given[0].split(given[1]))


def _replace(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    if not given[1]:
        raise Failed("empty separator")
    return given[0].replace(given[1], given[2])


def _parse(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    """parse_int and parse_long; what is longer than 40 bytes is cut off in the message."""
    text = given[0]
    kind = INT if e.type is INT else LONG
    digits = text.strip(SPACE)
    sign = digits[:1] in (b"-", b"+")
    if digits[sign:].isdigit():
        value = int(digits)
        if wrapped(value, kind) == value:
            return value
    shown = text_of(twin.structs, STRING, text[:40], True).decode("latin-1")
    raise Failed(f"cannot parse {shown}{'...' if len(text) > 40 else ''} as {kind}")


# Numbers


def _abs(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    value = converted(given[0], e.arguments[0].type, e.type)
    assert isinstance(value, int | float)
    return abs(value) if isinstance(value, float) else wrapped(abs(value), e.type)


def _real(given: Any) -> float:
    return float(given)


def _whole(function: Callable[[float], float]) -> Function:
    """Rounding, of which the zeros keep their sign."""

    def rounded(twin: Twin, e: Builtin, given: list[Any]) -> Any:
        value = _real(given[0])
        return math.copysign(function(value), value) if math.isfinite(value) else value

    return rounded


def _half_away(value: float) -> float:
    whole = math.trunc(value)
    return float(whole) + (math.copysign(1.0, value) if abs(value - whole) >= 0.5 else 0.0)


def _floored(value: float) -> float:
    return float(math.floor(value))


def _sqrt(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    value = _real(given[0])
    return math.sqrt(value) if value >= 0 or value == 0 else math.nan


def _fmod(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    left, right = map(_real, given)
    if left != left or right != right or math.isinf(left) or right == 0:
        return math.nan
    return math.fmod(left, right)


def _popcount(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    bits = 64 if e.arguments[0].type is LONG else 32
    return (given[0] & ((1 << bits) - 1)).bit_count()


def _fail(twin: Twin, e: Builtin, given: list[Any]) -> Any:
    raise Failed(given[0].decode("latin-1"))


FUNCTIONS: dict[str, Function] = {
    "print": _print,
    "eprint": _print,
    "write": _print,
    "get": _get,
    "wait": _state,
    "state": _state,
    "error": lambda twin, e, given: _ended(given[0]).message.encode("latin-1"),
    "story": _story,
    "any": _any,
    "completed": _completed,
    "cancel": _cancel,
    "fail": _fail,
    "str": lambda twin, e, given: text_of(twin.structs, e.arguments[0].type, given[0]),
    "size": lambda twin, e, given: len(given[0]),
    "fill": _fill,
    "sort": _sort,
    "reverse": lambda twin, e, given: given[0][::-1],
    "min": _extreme,
    "max": _extreme,
    "find": _find,
    "contains": _find,
    "sum": _sum,
    "has": lambda twin, e, given: given[1] in given[0],
    "lookup": lambda twin, e, given: given[0].get(given[1], given[2]),
    "keys": lambda twin, e, given: made(e.type, list(given[0])),
    "values": lambda twin, e, given: made(e.type, list(given[0].values())),
    "split": _split,
    "join": lambda twin, e, given: given[1].join(given[0]),
    "trim": lambda twin, e, given: given[0].strip(SPACE),
    "upper": lambda twin, e, given: given[0].upper(),
    "lower": lambda twin, e, given: given[0].lower(),
    "replace": _replace,
    "starts_with": lambda twin, e, given: given[0].startswith(given[1]),
    "ends_with": lambda twin, e, given: given[0].endswith(given[1]),
    "parse_int": _parse,
    "parse_long": _parse,
    "abs": _abs,
    "sqrt": _sqrt,
    "floor": _whole(_floored),
    "ceil": _whole(lambda value: float(math.ceil(value))),
    "trunc": _whole(lambda value: float(math.trunc(value))),
    "round": _whole(_half_away),
    "fmod": _fmod,
    "is_nan": lambda twin, e, given: _real(given[0]) != _real(given[0]),
    "popcount": _popcount,
    **outside.FUNCTIONS,
}
