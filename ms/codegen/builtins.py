"""The built-in functions: one generator for each `Builtin.symbol` that is not a plain function of the runtime.

The operands are evaluated already: a look at what is READ, a value to keep for KEEP, either for REUSE, an address for
INOUT. What prints, waits or calls the program's functions stands here, what loops over elements in `sequences.py`.
Invariant: an operand that was given to keep is kept, dropped or given back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ms import templates
from ms.codegen import arithmetic, layout, maps, memory, random, sequences
from ms.codegen.abi import C_LIBRARY, RUNTIME, Kind
from ms.codegen.frame import Frame
from ms.codegen.memory import Operand, register, view
from ms.diagnostics import InternalError
from ms.typed import Borrow, BuiltinCall, StringLiteral
from ms.types import BOOL, CHAR, DOUBLE, FLOAT, FLOATS, INT, LONG, NUMBERS, STRING, VOID, Type, VectorType

_SHORT_NUMBER, _LONG_NUMBER = 8, 32  # the second is MS_NUMBER_SIZE of core/text.h
Generator = Callable[[Frame, BuiltinCall, Sequence[Operand]], Operand]


def generate(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    """The value of a call; a struct lies in memory of the frame."""
    symbol = e.builtin.symbol
    if symbol.startswith("ms_") or symbol in C_LIBRARY:
        return _runtime(f, e, symbol, operands)
    generator = _GENERATORS.get(symbol)
    if generator is None:
        raise InternalError(f"nothing generates `{e.builtin.name}`", e.span)
    return generator(f, e, operands)


def _runtime(f: Frame, e: BuiltinCall, symbol: str, operands: Sequence[Operand]) -> Operand:
    arguments: list[Operand] = []
    for kind, operand, argument in zip(RUNTIME[symbol].parameters, operands, e.arguments, strict=True):
        widened = kind is Kind.I64 and argument.type is INT
        arguments.append(arithmetic.convert(f, register(operand), INT, LONG) if widened else operand)
    return memory.call(f.w, symbol, arguments)


# Text


def _print_to(
    f: Frame, e: BuiltinCall, operands: Sequence[Operand], stream: int, between: bytes, end: bytes
) -> Operand:
    glue = f.unit.glue
    text = memory.call_register(f.w, "ms_print_begin")
    for index, (argument, operand) in enumerate(zip(e.arguments, operands, strict=True)):
        if index and between:
            memory.call(f.w, "ms_text_char", [text, str(between[0])])
        glue.text(f.w, argument.type, operand, text)
    if end:
        memory.call(f.w, "ms_text_char", [text, str(end[0])])
    memory.call(f.w, "ms_print_end", [str(stream)])
    return ""


def _print(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return _print_to(f, e, operands, 1, b" ", b"\n")


def _write(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return _print_to(f, e, operands, 1, b"", b"")


def _eprint(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return _print_to(f, e, operands, 2, b" ", b"\n")


def _str(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return f.unit.glue.text_of(f.w, e.arguments[0].type, operands[0])


MAKES_TEXT = frozenset({"str", "format"})
"""The built-in functions that can write behind the text of a string as well as make a new one."""


def write_text(f: Frame, e: BuiltinCall, operands: Sequence[Operand], text: str) -> None:
    """Puts what a call of one of those would give behind the string at `text`."""
    if e.builtin.symbol == "str":
        f.unit.glue.text(f.w, e.arguments[0].type, operands[0], text)
    else:
        _write_parts(f, e, operands, _template(e), text)


def _template(e: BuiltinCall) -> Sequence[bytes | templates.Place]:
    literal = e.arguments[0]
    if isinstance(literal, Borrow):
        literal = literal.place
    assert isinstance(literal, StringLiteral)
    return templates.parse(literal.value).parts


def _format(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    parts = _template(e)
    text = f.temporary(STRING)
    size = _expected_size(f, parts, e, operands)
    f.store(STRING, memory.call_vector(f.w, "ms_vector_grow", [memory.EMPTY, size, "1"]), text)
    _write_parts(f, e, operands, parts, text)
    return memory.load_vector(f.w, text)


def _write_parts(
    f: Frame, e: BuiltinCall, operands: Sequence[Operand], parts: Sequence[bytes | templates.Place], text: str
) -> None:
    w, glue = f.w, f.unit.glue
    values = zip(e.arguments[1:], operands[1:])
    for part in parts:
        if isinstance(part, bytes):
            glue.text_bytes(w, text, part)
            continue
        argument, operand = next(values)
        start = memory.load_count(w, text) if part.width else "0"
        _format_value(f, part, argument.type, operand, text)
        if part.width:
            way = part.way or (">" if part.is_hex or argument.type in NUMBERS else "<")
            memory.call(w, "ms_text_pad", [text, start, str(part.width), str(ord(way))])


def _expected_size(
    f: Frame, parts: Sequence[bytes | templates.Place], e: BuiltinCall, operands: Sequence[Operand]
) -> str:
    """What the text will need, so that it is seldom moved while it grows. Numbers are expected to be short, but the
    runtime wants room for a long one."""
    known = sum(len(part) if isinstance(part, bytes) else max(part.width, _SHORT_NUMBER) for part in parts)
    if any(argument.type in NUMBERS for argument in e.arguments[1:]):
        known += _LONG_NUMBER
    total = str(known)
    for argument, operand in zip(e.arguments[1:], operands[1:], strict=True):
        if argument.type == STRING:
            total = memory.add(f.w, total, memory.wide(f.w, view(operand).length))
    return total


def _format_value(f: Frame, place: templates.Place, type: Type, operand: Operand, text: str) -> None:
    w = f.w
    if place.digits is not None:
        value = arithmetic.convert(f, register(operand), type, DOUBLE)
        memory.call(w, "ms_text_fixed", [text, value, str(place.digits)])
    elif place.is_hex:
        bits = register(operand)
        value = bits if type is LONG else w.value(f"zext {layout.register_type(type)} {bits} to i64")
        memory.call(w, "ms_text_hex", [text, value])
    else:
        f.unit.glue.text(w, type, operand, text)


# Numbers


def _abs(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    operand = register(operands[0])
    llvm = layout.register_type(e.type)
    suffix = "f64" if e.type is DOUBLE else "f32"
    if e.type in FLOATS:
        f.w.module.intrinsic(f"declare {llvm} @llvm.fabs.{suffix}({llvm})")
        return f.w.value(f"call {llvm} @llvm.fabs.{suffix}({llvm} {operand})")
    f.w.module.intrinsic(f"declare {llvm} @llvm.abs.{llvm}({llvm}, i1)")
    return f.w.value(f"call {llvm} @llvm.abs.{llvm}({llvm} {operand}, i1 false)")


def _smaller(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return arithmetic.choose(f, "<", e.type, register(operands[1]), register(operands[0]))


def _larger(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return arithmetic.choose(f, ">", e.type, register(operands[1]), register(operands[0]))


def _intrinsic(name: str) -> Generator:
    """A function that is one of LLVM's, exact on every machine."""

    def generator(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
        f.w.module.intrinsic(f"declare double @llvm.{name}.f64(double)")
        return f.w.value(f"call double @llvm.{name}.f64(double {register(operands[0])})")

    return generator


def _is_nan(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return f.w.value(f"fcmp uno double {register(operands[0])}, 0.0")


def _popcount(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    type = e.arguments[0].type
    llvm = layout.register_type(type)
    f.w.module.intrinsic(f"declare {llvm} @llvm.ctpop.{llvm}({llvm})")
    count = f.w.value(f"call {llvm} @llvm.ctpop.{llvm}({llvm} {register(operands[0])})")
    return arithmetic.convert(f, count, type, INT)


# World

_PARSERS = {
    INT: "ms_parse_int",
    LONG: "ms_parse_long",
    DOUBLE: "ms_parse_double",
    FLOAT: "ms_parse_float",
    BOOL: "ms_parse_bool",
    CHAR: "ms_parse_char",
}


def _arg(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    """A word of the command line as the default's type, or the default."""
    w = f.w
    index = f.to_long(register(operands[0]), e.arguments[0].type)
    word_at, result = f.temporary(STRING), f.temporary(e.type)
    f.store(e.type, operands[1], result)
    with w.when(memory.call_register(w, "ms_arg", [index, word_at])):
        word = memory.load_view(w, word_at)
        if e.type == STRING:
            f.unit.glue.drop(w, e.type, result)
            f.store(e.type, f.unit.glue.copy_vector(w, VectorType(CHAR), word), result)
        elif e.type in _PARSERS:
            f.store(e.type, memory.call(w, _PARSERS[e.type], [word]), result)
        else:
            raise InternalError(f"no word of the command line is a {e.type}", e.span)
    return memory.load(w, e.type, result)


def _exec(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    result = f.temporary(e.type)
    memory.call(f.w, "ms_exec", [*operands, result])
    return result


# Jobs


def _get(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    handle = register(operands[0])
    if e.type is VOID:
        f.unit.wire.result(f.w, VOID, handle, "")
        return ""
    result = f.temporary(e.type)
    f.unit.wire.result(f.w, e.type, handle, result)
    return memory.load(f.w, e.type, result)


def _get_all(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    """The results in order. Each is decoded before the next is waited for, so the first failure is the first in
    order."""
    w = f.w
    data, count = view(operands[0])
    wide = memory.wide(w, count)
    jobs_type = e.arguments[0].type
    assert isinstance(jobs_type, VectorType)
    if not isinstance(e.type, VectorType):
        with w.counted(wide) as index:
            handle = memory.load_register(w, jobs_type.element, memory.element(w, jobs_type.element, data, index))
            f.unit.wire.result(w, VOID, handle, "")
        return ""
    size = str(f.unit.shapes.size(e.type.element))
    made = memory.call_vector(w, "ms_vector_zero", [wide, size])
    with w.counted(wide) as index:
        handle = memory.load_register(w, jobs_type.element, memory.element(w, jobs_type.element, data, index))
        f.unit.wire.result(w, e.type.element, handle, memory.element(w, e.type.element, made.data, index))
    return made


def _size(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return view(operands[0]).length


_GENERATORS: dict[str, Generator] = {
    "print": _print,
    "write": _write,
    "eprint": _eprint,
    "str": _str,
    "format": _format,
    "size": _size,
    "abs": _abs,
    "min": _smaller,
    "max": _larger,
    "sqrt": _intrinsic("sqrt"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "round": _intrinsic("round"),
    "trunc": _intrinsic("trunc"),
    "is_nan": _is_nan,
    "popcount": _popcount,
    "arg": _arg,
    "exec": _exec,
    "get": _get,
    "get_all": _get_all,
    **random.GENERATORS,
    **sequences.GENERATORS,
    **maps.GENERATORS,
}

