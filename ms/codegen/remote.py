"""What a `remote` call becomes: one job, a loop that starts many (`each`), a tree that combines them (`reduce`).

Operands are evaluated already: for each argument a look at it, for a range its two bounds. How one job's arguments are
encoded is left to `wire.py`, the tree to the runtime.
Invariant: what `each` goes over has one number of elements, found before the first job is started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ms.codegen import arithmetic, memory
from ms.codegen.emitter import NOINLINE
from ms.codegen.frame import Frame
from ms.codegen.memory import Operand, View, register, view
from ms.typed import Expression, Range, RemoteCall
from ms.types import INT, JobType, Type, VectorType

_COUNT_BEYOND = str(1 << 31)  # more elements than a vector can have


@dataclass(frozen=True, slots=True)
class _Argument:
    """What the jobs of one call get for a parameter: the number of elements behind `each` (i64) or None, and the value
    for the job with an index (i64)."""

    count: str | None
    value: Callable[[str], Operand]


def generate(f: Frame, e: RemoteCall, operands: Sequence[Operand], starts: bool) -> Operand:
    """The handle, or the vector of handles; with `starts` False the handle of a job that is not started yet."""
    given = iter(operands)
    arguments = [_argument(f, e, index, given) for index in range(len(e.arguments))]
    counts = [argument.count for argument in arguments if argument.count is not None]
    if not counts:
        return _start(f, e, arguments, "", starts, ())
    for other in counts[1:]:
        _require_equal(f, counts[0], other)
    w = f.w
    handle_type = JobType(e.function.result)
    known = [
        f.unit.wire.known_parts(w, type) if argument.count is None and not waits else []
        for type, argument, waits in zip(e.function.parameter_types, arguments, e.waits, strict=True)
    ]
    made = memory.call_vector(w, "ms_vector_zero", [counts[0], str(f.unit.shapes.size(handle_type))])
    with w.counted(counts[0]) as index:
        handle = _start(f, e, arguments, index, True, known)
        f.store(handle_type, handle, memory.element(w, handle_type, made.data, index))
    if e.reduce is None:
        return made
    combined = memory.call_register(w, "ms_jobs_reduce", [str(e.reduce.ordinal), made])
    f.unit.glue.drop_value(w, VectorType(handle_type), made)
    return combined


def _start(
    f: Frame, e: RemoteCall, arguments: Sequence[_Argument], index: str, starts: bool, known: Sequence[Sequence[str]]
) -> str:
    values = [(argument.value(index), waits) for argument, waits in zip(arguments, e.waits, strict=True)]
    handle = f.unit.wire.remote(f.w, f.unit.function(e.function), values, known)
    if starts:
        memory.call(f.w, "ms_remote_start", [handle])
    return handle


def _argument(f: Frame, e: RemoteCall, index: int, operands: Iterator[Operand]) -> _Argument:
    argument, type = e.arguments[index], e.function.parameter_types[index]
    if isinstance(argument, Range):
        return _of_range(f, argument, type, register(next(operands)), register(next(operands)))
    operand = next(operands)
    if not e.each[index]:
        return _Argument(None, lambda index: operand)
    return _of_elements(f, argument, type, view(operand))


def _of_range(f: Frame, e: Range, type: Type, low: str, high: str) -> _Argument:
    assert isinstance(e.type, VectorType)
    w, element = f.w, e.type.element
    first, end = f.to_long(low, element), f.to_long(high, element)
    empty = w.value(f"icmp sle i64 {end}, {first}")
    distance = w.value(f"sub i64 {end}, {first}")
    is_small = w.value(f"icmp ult i64 {distance}, {_COUNT_BEYOND}")
    least = w.value(f"select i1 {is_small}, i64 {distance}, i64 {_COUNT_BEYOND}")
    count = w.value(f"select i1 {empty}, i64 0, i64 {least}")

    def value(index: str) -> Operand:
        number = w.value(f"add i64 {first}, {index}")
        if element is INT:
            number = w.value(f"trunc i64 {number} to i32")
        return arithmetic.convert(f, number, element, type)

    return _Argument(count, value)


def _of_elements(f: Frame, e: Expression, type: Type, elements: View) -> _Argument:
    assert isinstance(e.type, VectorType)
    element = e.type.element

    def value(index: str) -> Operand:
        found = memory.load(f.w, element, memory.element(f.w, element, elements.data, index))
        is_number = isinstance(found, str) and not isinstance(element, JobType) and element != type
        return arithmetic.convert(f, register(found), element, type) if is_number else found

    return _Argument(memory.wide(f.w, elements.length), value)


def _require_equal(f: Frame, first: str, other: str) -> None:
    """Fails unless two `each` of one call have the same number of elements."""
    with f.unit.glue.function("unequal", INT, "void", "i64 %a, i64 %b", NOINLINE) as (name, w):
        if w:
            text = w.alloca("{ ptr, i64 }")
            w.emit(f"store {{ ptr, i64 }} zeroinitializer, ptr {text}")
            for part, count in (("each: ", "%a"), (" and ", "%b")):
                f.unit.glue.text_bytes(w, text, part.encode())
                memory.call(w, "ms_text_long", [text, count])
            f.unit.glue.text_bytes(w, text, b" elements")
            memory.call(w, "ms_fail", [memory.load_view(w, text)])
    with f.failing(f.w.value(f"icmp ne i64 {first}, {other}")):
        f.w.emit(f"call fastcc void {name}(i64 {first}, i64 {other})")
