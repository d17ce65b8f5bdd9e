"""How functions of the program pass values to each other: their LLVM signatures, and calls with operands in hand.

A borrowed vector is two arguments, an owned one three, its result one `%ms.vector`; a struct goes by address,
borrowed where it lies or given in memory that the callee may use up; a struct that is returned is built where the
caller says (`%result`, first). A reference is the address of the caller's place, or that of the elements and their
number (`references.py`).
Invariants: what is passed as `noalias` is reached in no other way during the call, or written by nobody (language
page, §2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ms.codegen import changes, layout, memory
from ms.codegen.abi import RESERVED_SYMBOLS
from ms.codegen.emitter import NOMERGE, Writer
from ms.codegen.layout import Layout
from ms.codegen.memory import Operand, View, register, vector, view
from ms.codegen.references import comes_as_elements
from ms.typed import Function, FunctionRef, Passing, RemoteCall, Return, Scoped, Variable, VariableKind
from ms.types import BOOL, CHAR, INT, VOID, JobType, MapType, Scalar, StructType, Type, VectorType

COUNT = "i32 range(i32 0, -2147483648)"
"""A count or a capacity as a parameter: never more than 2^31 - 1."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A function of the program as LLVM sees it."""

    symbol: str
    result: str
    parameters: str
    returns_struct: bool


def symbol(name: str) -> str:
    """The symbol of a function of the program. Its name, unless C or the runtime might mean something by it."""
    if name == "master" or name in RESERVED_SYMBOLS or name.startswith(("ms_", "_", "llvm")):
        return f"@{name}.ms"
    return f"@{name}"


def has_tail_job(function: Function) -> bool:
    """Whether the function is a job that may end in `return remote …`. Then it is there twice: as it is called, where
    it waits for that job, and as a slave runs it."""
    nodes = changes.walk([function.body])
    return function.ref.is_job and any(isinstance(node, Return) and is_handed_over(node) for node in nodes)


def is_handed_over(s: Return) -> bool:
    """Whether a job really ends there. What `reduce` combines it waits for: those jobs have been started already."""
    value = s.value
    while isinstance(value, Scoped):
        value = value.value
    return s.is_tail_job and isinstance(value, RemoteCall) and value.reduce is None


def tail_symbol(function: Function) -> str:
    """The symbol of a job with a tail job as a slave runs it. In front of its parameters stands where to leave the
    handle."""
    return f'@"tail.{function.ref.name}"'


def passed(function: Function) -> list[tuple[Variable, Passing]]:
    """The parameters, each with the way in which it comes."""
    return list(zip(function.parameters, function.passings or [Passing.OWNED] * len(function.parameters), strict=True))


def signature(shapes: Layout, function: Function) -> Signature:
    result = function.ref.result
    returns_struct = isinstance(result, StructType)
    parameters = []
    if isinstance(result, StructType):
        parameters.append(f"ptr noalias captures(none) dereferenceable({shapes.size(result)}) %result")
    for variable, passing in passed(function):
        parameters += _parameter(shapes, variable, passing)
    llvm_result = "void" if returns_struct else layout.register_type(result)
    return Signature(symbol(function.ref.name), llvm_result, ", ".join(parameters), returns_struct)


def keeps_elements(function_of: Callable[[FunctionRef], Function], ref: FunctionRef, index: int) -> bool:
    """Whether a function gets the elements of a vector for a reference, and so leaves it as long and where it is."""
    return comes_as_elements(*passed(function_of(ref))[index])


def parameter_register(variable: Variable, part: str = "") -> str:
    """The register that a parameter, or a part of a vector, comes in."""
    return f"%p{variable.number}{part}"


def _parameter(shapes: Layout, variable: Variable, passing: Passing) -> list[str]:
    type = variable.type
    name = parameter_register(variable)
    if comes_as_elements(variable, passing):
        return [f"ptr noalias captures(none) {name}.data", f"{COUNT} {name}.count"]
    if variable.kind is VariableKind.REFERENCE:
        return [f"ptr noalias captures(none) dereferenceable({shapes.size(type)}) {name}"]
    match type:
        case VectorType() if passing is Passing.BORROWED:
            return [f"ptr noalias readonly captures(none) {name}.data", f"{COUNT} {name}.count"]
        case VectorType():
            return [f"ptr noalias {name}.data", f"{COUNT} {name}.count", f"{COUNT} {name}.capacity"]
        case StructType():
            access = "" if is_taken(shapes, type, passing) else "readonly "
            return [f"ptr noalias {access}captures(none) dereferenceable({shapes.size(type)}) {name}"]
        case Scalar() | JobType() | MapType():
            return [f"{layout.register_type(type)} {name}"]


def is_taken(shapes: Layout, type: Type, passing: Passing) -> bool:
    """Whether an argument's value belongs to the callee from then on."""
    return passing is not Passing.BORROWED and shapes.owns(type)


def _argument(variable: Variable, passing: Passing, value: Operand) -> str:
    if isinstance(value, View) and passing is Passing.BORROWED:
        return f"ptr {value.data}, i32 {value.length}"
    if variable.kind is VariableKind.REFERENCE:
        return f"ptr {register(value)}"
    match variable.type:
        case VectorType() if passing is Passing.BORROWED:
            data, count = view(value)
            return f"ptr {data}, i32 {count}"
        case VectorType():
            data, count, capacity = vector(value)
            return f"ptr {data}, i32 {count}, i32 {capacity}"
        case StructType():
            return f"ptr {register(value)}"
        case _:
            return f"{layout.register_type(variable.type)} {register(value)}"


def call(
    w: Writer,
    shapes: Layout,
    function: Function,
    arguments: Sequence[Operand],
    result: str | None = None,
    attributes: str = NOMERGE,
    symbol: str = "",
    tail: str | None = None,
) -> Operand:
    """Calls a function of the program, under its own symbol if no other is given. A struct comes back at
    `result`, or in new memory; void gives "". With `tail`, a job may leave the handle of its tail job there instead."""
    target = signature(shapes, function)
    pairs = zip(passed(function), arguments, strict=True)
    listed = [_argument(variable, passing, value) for (variable, passing), value in pairs]
    type = function.ref.result
    symbol = symbol or target.symbol
    if target.returns_struct:
        result = result or w.alloca(layout.memory_type(type))
        listed = [f"ptr {result}", *listed]
    if tail is not None:
        symbol, listed = tail_symbol(function), [f"ptr {tail}", *listed]
    w.calls.append(symbol)
    text = f"call fastcc {target.result} {symbol}({', '.join(listed)}) {attributes}"
    if target.result == "void":
        w.emit(text)
        return result or ""
    value = w.value(text)
    return memory.returned(w, value) if isinstance(type, VectorType) else value


# C functions

_EXTENDED: dict[Type, str] = {BOOL: "zeroext ", CHAR: "zeroext ", INT: "signext "}
"""How C passes what is narrower than a register."""


def extern_call(w: Writer, function: FunctionRef, arguments: Sequence[Operand]) -> Operand:
    """Calls a C function. A vector is the address of its elements (null for none) and their number, an int."""
    types: list[str] = []
    values: list[str] = []
    for type, argument in zip(function.parameter_types, arguments, strict=True):
        if isinstance(type, VectorType):
            types += ["ptr readonly captures(none)", "i32 signext"]
            values += view(argument)
        else:
            types.append(f"{layout.register_type(type)} {_EXTENDED.get(type, '')}".rstrip())
            values.append(register(argument))
    result = f"{_EXTENDED.get(function.result, '')}{layout.register_type(function.result)}"
    w.module.extern(function.name, result, types)
    listed = ", ".join(f"{type} {value}" for type, value in zip(types, values))
    text = f"call {result} @{function.name}({listed}) {NOMERGE}"
    if function.result is VOID:
        w.emit(text)
        return ""
    return w.value(text)
