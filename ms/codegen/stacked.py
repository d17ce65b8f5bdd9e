"""Which vectors need no block of the heap: small ones of a fixed size that stay where they were declared.

`vector<int> counts = fill(26, 0);` costs an allocation wherever it stands, in C it costs nothing. Such a vector lies in
the function's frame as long as nobody makes it longer, takes it or gives it away; to all who look at it it is one of
static data, with capacity 0, which nobody frees.
Invariant: no value of the program points into the frame but the variable itself, and what is borrowed from it.
"""

from __future__ import annotations

from ms.codegen import calls, changes, constants, expressions, layout, memory, references
from ms.codegen.frame import Frame
from ms.typed import BuiltinCall, Call, ConstantRef, Convert, Declare, Expression, IntLiteral, Variable, VectorLiteral
from ms.types import Scalar, VectorType

SIZE_MAX = 1024
"""Bytes of one vector."""
FRAME_MAX = 4096
"""Bytes of all those of a function. One that calls itself has none: it may be deep. The master block has none
either, since it runs once."""


def found(f: Frame) -> dict[Variable, int]:
    """Those variables of the function, with the numbers of their elements."""
    if f.function.ref.name == "master":
        return {}
    counts: dict[Variable, int] = {}
    lost: set[Variable] = set()
    for node in changes.walk([f.function.body]):
        if isinstance(node, Declare):
            count = _count(node.value)
            if count:
                counts[node.variable] = count
        elif isinstance(node, Call):
            if node.function.name == f.function.ref.name:
                return {}
            lost.update(_given_away(f, node))
        else:
            lost.update(references.changed(node))
    room = FRAME_MAX
    fitting: dict[Variable, int] = {}
    for variable, count in counts.items():
        size = count * f.unit.shapes.size(_element(variable))
        if variable not in lost and size <= min(SIZE_MAX, room):
            fitting[variable] = count
            room -= size
    return fitting


def _element(variable: Variable) -> Scalar:
    assert isinstance(variable.type, VectorType)
    assert isinstance(variable.type.element, Scalar)
    return variable.type.element


def _given_away(f: Frame, call: Call) -> list[Variable]:
    """The variables of which a function gets more than the elements."""
    if call.function.is_extern:
        return []
    ways = calls.passed(f.unit.function(call.function))
    return [variable for variable, index in references.given(call) if not references.comes_as_elements(*ways[index])]


def _count(value: Expression) -> int:
    """How many scalars are in a vector of a fixed size; 0 for anything else."""
    if not isinstance(value.type, VectorType) or not isinstance(value.type.element, Scalar):
        return 0
    if isinstance(value, VectorLiteral):
        return len(value.elements)
    if not isinstance(value, BuiltinCall) or value.builtin.symbol != "fill":
        return 0
    count = value.arguments[0]
    while isinstance(count, Convert):
        count = count.operand
    if isinstance(count, ConstantRef):
        count = count.constant.value
    return count.value if isinstance(count, IntLiteral) and count.value > 0 else 0


def declare(f: Frame, s: Declare, count: int) -> None:
    """The declaration of such a variable."""
    w, element = f.w, _element(s.variable)
    data = w.alloca(f"[{count} x {layout.memory_type(element)}], align 16")
    size = str(count * f.unit.shapes.size(element))
    if isinstance(s.value, VectorLiteral):
        _elements(f, s.value, element, data, size)
    else:
        assert isinstance(s.value, BuiltinCall)
        value = expressions.value(f, s.value.arguments[1])
        f.at(s.span)
        if value == memory.zero_register(element):
            w.module.intrinsic("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            w.emit(f"call void @llvm.memset.p0.i64(ptr align 16 {data}, i8 0, i64 {size}, i1 false)")
        else:
            with w.counted(str(count)) as index:
                f.store(element, value, memory.element(w, element, data, index))
    f.at(s.span)
    f.store(s.variable.type, memory.Vector(data, str(count), "0"), f.slot(s.variable))


def _elements(f: Frame, literal: VectorLiteral, element: Scalar, data: str, size: str) -> None:
    if constants.is_static(literal):
        memory.copy_bytes(f.w, data, f.unit.constants.view(literal).data, size)
        return
    for index, each in enumerate(literal.elements):
        expressions.put(f, each, memory.offset(f.w, data, index * f.unit.shapes.size(element)))
