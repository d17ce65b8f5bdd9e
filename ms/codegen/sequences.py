"""The built-in functions on vectors and strings that are made of loops over elements.

Operands come as `builtins.py` says. Sorting and moving blocks of bytes is the runtime's.
Invariants: an element that leaves its vector is not dropped there; a copy of an element owns what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ms.codegen import arithmetic, calls, layout, memory
from ms.codegen.emitter import Writer
from ms.codegen.frame import Frame
from ms.codegen.memory import Operand, Vector, register, view
from ms.diagnostics import InternalError
from ms.typed import BuiltinCall, FunctionRef, FunctionValue, Passing
from ms.types import CHAR, DOUBLE, FLOAT, INT, LONG, STRING, Scalar, Type, VectorType


def _vector_type(type: Type) -> VectorType:
    if isinstance(type, VectorType):
        return type
    raise InternalError(f"{type} is not a vector")


def _size(f: Frame, type: Type) -> str:
    return str(f.unit.shapes.size(type))


def _index(f: Frame, e: BuiltinCall, operands: Sequence[Operand], argument: int) -> str:
    """An argument that is an int or a long, as an i64."""
    return f.to_long(register(operands[argument]), e.arguments[argument].type)


def _taken_out(f: Frame, type: Type, address: str) -> Operand:
    """The element at an address, which will not be there any more."""
    return f.snapshot(type, memory.load(f.w, type, address))


def _pop(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w, place = f.w, register(operands[0])
    data, count = memory.load_view(w, place)
    if not f.unit.unchecked:
        with f.failing(w.value(f"icmp eq i32 {count}, 0")):
            memory.call(w, "ms_fail_empty", [w.module.c_string("pop")])
    left = w.value(f"sub i32 {count}, 1")
    result = _taken_out(f, e.type, memory.element(w, e.type, data, memory.wide(w, left)))
    memory.store_word(w, place, 1, left)
    return result


def _resize(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w, place = f.w, register(operands[0])
    element = _vector_type(e.arguments[0].type).element
    count = _index(f, e, operands, 1)
    old = memory.load_vector(w, place)
    if f.owns(element):
        # A negative size fails before anything is dropped.
        with w.when(w.value(f"icmp sge i64 {count}, 0")):
            f.unit.glue.drop_range(w, element, old.data, count, memory.wide(w, old.length))
    resized = memory.call(w, "ms_vector_resize", [old, count, _size(f, element)])
    f.store(e.arguments[0].type, resized, place)
    return ""


def _clear(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    """The block stays for what comes next."""
    place = register(operands[0])
    data, count = memory.load_view(f.w, place)
    memory.store_word(f.w, place, 1, "0")
    f.unit.glue.drop_range(f.w, _vector_type(e.arguments[0].type).element, data, "0", memory.wide(f.w, count))
    return ""


def _fill(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w = f.w
    element = _vector_type(e.type).element
    count = _index(f, e, operands, 0)
    value = operands[1]
    if value in ("0", "false", "null", "0x0000000000000000", memory.EMPTY):
        return memory.call(w, "ms_vector_zero", [count, _size(f, element)])
    made = memory.call_vector(w, "ms_vector_new", [count, _size(f, element)])
    with w.counted(count) as index:
        f.store(element, value, memory.element(w, element, made.data, index))
    if f.owns(element):
        f.unit.glue.own_range(w, element, made.data, "1", count)
        with w.when(w.value(f"icmp eq i64 {count}, 0")):
            f.unit.glue.drop_value(w, element, value)
    return made


def _insert(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w, place = f.w, register(operands[0])
    type = _vector_type(e.arguments[0].type)
    index = _index(f, e, operands, 1)
    value = f.snapshot(type.element, operands[2])
    opened = memory.call_vector(w, "ms_vector_open", [memory.load(w, type, place), index, _size(f, type.element)])
    f.store(type, opened, place)
    f.store(type.element, value, memory.element(w, type.element, opened.data, index))
    return ""


def _remove(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w, place = f.w, register(operands[0])
    type = _vector_type(e.arguments[0].type)
    old = memory.load_vector(w, place)
    index = _index(f, e, operands, 1)
    address = f.element(type, view(old), index, LONG)
    result = _taken_out(f, e.type, address)
    f.store(type, memory.call(w, "ms_vector_close", [old, index, _size(f, e.type)]), place)
    return result


def _swap(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    type = _vector_type(e.arguments[0].type)
    both = memory.load_view(f.w, register(operands[0]))
    first = f.element(type, both, register(operands[1]), e.arguments[1].type)
    second = f.element(type, both, register(operands[2]), e.arguments[2].type)
    kept = _taken_out(f, type.element, first)
    f.store(type.element, _taken_out(f, type.element, second), first)
    f.store(type.element, kept, second)
    return ""


# In a new order


def _own_elements(f: Frame, type: VectorType, operand: Operand) -> Vector:
    """The vector to work on in place: the operand itself where it was given away, else a copy."""
    return operand if isinstance(operand, Vector) else f.unit.glue.copy_vector(f.w, type, view(operand))


_SORTS: dict[Type, str] = {
    INT: "ms_sort_int",
    LONG: "ms_sort_long",
    DOUBLE: "ms_sort_double",
    FLOAT: "ms_sort_float",
    CHAR: "ms_sort_char",
    STRING: "ms_sort_string",
}


def _sort(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    type = _vector_type(e.type)
    result = _own_elements(f, type, operands[0])
    memory.call(f.w, _SORTS[type.element], [result.data, memory.wide(f.w, result.length)])
    return result


def _reverse(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    type = _vector_type(e.type)
    result = _own_elements(f, type, operands[0])
    memory.call(f.w, "ms_reverse", [result.data, memory.wide(f.w, result.length), _size(f, type.element)])
    return result


def _less(e: BuiltinCall) -> FunctionRef:
    function = e.arguments[1]
    if isinstance(function, FunctionValue):
        return function.function
    raise InternalError("not the name of a function", e.span)


def _sort_by(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    type = _vector_type(e.type)
    result = _own_elements(f, type, operands[0])
    count = memory.wide(f.w, result.length)
    memory.call(f.w, "ms_sort_by", [result.data, count, _size(f, type.element), _thunk(f, e, type.element)])
    return result


def _thunk(f: Frame, e: BuiltinCall, element: Type) -> str:
    """`less` as the runtime calls it. It has a place of its own, that of the call, so that `less` can be inlined
    into it."""
    unit = f.unit
    unit.thunks += 1
    name = f"@less.{unit.thunks}"
    scope = unit.debug.subprogram("sort", e.span)
    w = Writer(unit.module)
    w.location = partial(unit.debug.location, scope, e.span)
    inner = Frame(unit, f.function, scope, w)
    w.ret(f"i1 {_call_less(inner, _less(e), element, '%a', '%b')}")
    w.finish(f"internal zeroext i1 {name}(ptr %a, ptr %b)", scope=scope)
    return name


def _call_less(f: Frame, less: FunctionRef, element: Type, left: str, right: str) -> str:
    """less(left, right) of two elements where they lie."""
    if less.is_extern:
        loaded = [memory.load(f.w, element, address) for address in (left, right)]
        return register(calls.extern_call(f.w, less, loaded))
    function = f.unit.function(less)
    arguments: list[Operand] = []
    for (variable, passing), address in zip(calls.passed(function), (left, right), strict=True):
        value = memory.load(f.w, variable.type, address)
        taken = passing is not Passing.BORROWED and f.owns(element)
        arguments.append(f.unit.glue.copy(f.w, element, value) if taken else value)
    return register(calls.call(f.w, f.unit.shapes, function, arguments))


# Looking for something


def _find(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w = f.w
    type = _vector_type(e.arguments[0].type)
    if type == STRING:
        symbol = "ms_string_find_char" if e.arguments[1].type is CHAR else "ms_string_find"
        return memory.call(w, symbol, operands)
    data, count = view(operands[0])
    found = w.alloca("i32")
    w.emit(f"store i32 -1, ptr {found}")
    done = w.new_label()
    with w.counted(memory.wide(w, count)) as index:
        element = memory.load(w, type.element, memory.element(w, type.element, data, index))
        with w.when(f.unit.glue.equal(w, type.element, element, operands[1])):
            w.emit(f"store i32 {w.value(f'trunc i64 {index} to i32')}, ptr {found}")
            w.branch(done)
    w.label(done)
    return w.value(f"load i32, ptr {found}")


def _contains(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return f.w.value(f"icmp sge i32 {register(_find(f, e, operands))}, 0")


def _sum(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    """From the first to the last, so that floating point gives the same bits everywhere."""
    w = f.w
    element = _vector_type(e.arguments[0].type).element
    data, count = view(operands[0])
    llvm = layout.register_type(e.type)
    total = w.alloca(llvm)
    w.emit(f"store {llvm} {memory.zero_register(e.type)}, ptr {total}")
    with w.counted(memory.wide(w, count)) as index:
        value = memory.load_register(w, element, memory.element(w, element, data, index))
        value = arithmetic.convert(f, value, element, e.type)
        before = w.value(f"load {llvm}, ptr {total}")
        w.emit(f"store {llvm} {arithmetic.binary(f, '+', e.type, before, value, e.type)}, ptr {total}")
    return w.value(f"load {llvm}, ptr {total}")


Better = Callable[[str, str], str]


def _best(f: Frame, e: BuiltinCall, operands: Sequence[Operand], better: Better) -> Operand:
    """A copy of the first element that no other is better than; `better` compares two addresses."""
    w = f.w
    data, count = view(operands[0])
    with f.failing(w.value(f"icmp eq i32 {count}, 0")):
        memory.call(w, "ms_fail_empty", [w.module.c_string(e.builtin.name)])
    best = w.alloca("ptr")
    w.emit(f"store ptr {data}, ptr {best}")
    with w.counted(memory.wide(w, count), "1") as index:
        address = memory.element(w, e.type, data, index)
        with w.when(better(address, w.value(f"load ptr, ptr {best}"))):
            w.emit(f"store ptr {address}, ptr {best}")
    return f.unit.glue.copy(w, e.type, memory.load(w, e.type, w.value(f"load ptr, ptr {best}")))


def _extreme(operator: str) -> Callable[[Frame, BuiltinCall, Sequence[Operand]], Operand]:
    """The generator of min (`<`) or max (`>`) of a vector."""

    def of_scalars(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
        w = f.w
        data, count = view(operands[0])
        llvm = layout.register_type(e.type)
        with f.failing(w.value(f"icmp eq i32 {count}, 0")):
            memory.call(w, "ms_fail_empty", [w.module.c_string(e.builtin.name)])
        best = w.alloca(llvm)
        w.emit(f"store {llvm} {memory.load_register(w, e.type, data)}, ptr {best}")
        with w.counted(memory.wide(w, count), "1") as index:
            value = memory.load_register(w, e.type, memory.element(w, e.type, data, index))
            before = w.value(f"load {llvm}, ptr {best}")
            w.emit(f"store {llvm} {arithmetic.choose(f, operator, e.type, value, before)}, ptr {best}")
        return w.value(f"load {llvm}, ptr {best}")

    def generator(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
        if isinstance(e.type, Scalar):
            return of_scalars(f, e, operands)

        def better(left: str, right: str) -> str:
            views = [memory.load_view(f.w, address) for address in (left, right)]
            return arithmetic.compare(f, operator, INT, memory.call_register(f.w, "ms_string_compare", views), "0")

        return _best(f, e, operands, better)

    return generator


def _min_by(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return _best(f, e, operands, lambda left, right: _call_less(f, _less(e), e.type, left, right))


def _max_by(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return _best(f, e, operands, lambda left, right: _call_less(f, _less(e), e.type, right, left))


GENERATORS: dict[str, Callable[[Frame, BuiltinCall, Sequence[Operand]], Operand]] = {
    "pop": _pop,
    "resize": _resize,
    "clear": _clear,
    "fill": _fill,
    "insert": _insert,
    "remove": _remove,
    "swap": _swap,
    "sort": _sort,
    "sort_by": _sort_by,
    "reverse": _reverse,
    "find": _find,
    "contains": _contains,
    "sum": _sum,
    "min_of": _extreme("<"),
    "max_of": _extreme(">"),
    "min_by": _min_by,
    "max_by": _max_by,
}
