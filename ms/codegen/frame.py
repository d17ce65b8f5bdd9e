"""What the generators of one function share: its writer, where its variables are, the loops around, and the module
behind it.

Also the checks that a program pays for: indices, division, conversion. What statements and expressions become stands
in the rooms that use this one.
Invariants: every call has a place in the source; a variable that owns is either a slot that may be written, or
a view that nobody writes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from ms.codegen import layout, memory
from ms.codegen.constants import Constants
from ms.codegen.debug import DebugInfo
from ms.codegen.emitter import Module, Writer
from ms.codegen.glue import Glue
from ms.codegen.layout import Layout
from ms.codegen.memory import Operand, View
from ms.codegen.wire import Wire
from ms.diagnostics import InternalError
from ms.source import Span
from ms.typed import Function, FunctionRef, Update, Variable
from ms.types import INT, StructType, Type, VectorType


@dataclass(slots=True)
class Unit:
    """One module in the making."""

    module: Module
    shapes: Layout
    glue: Glue
    wire: Wire
    constants: Constants
    debug: DebugInfo
    functions: dict[str, Function]
    unchecked: bool
    thunks: int = 0
    entries: set[str] = field(default_factory=set)  # of jobs, those that are made

    def function(self, ref: FunctionRef) -> Function:
        try:
            return self.functions[ref.name]
        except KeyError:
            raise InternalError(f"no function {ref.name}", ref.span) from None


@dataclass(frozen=True, slots=True)
class Jumps:
    """Where `break` and, in loops, `continue` go."""

    after: str
    again: str | None


@dataclass(frozen=True, slots=True)
class Proven:
    """An element that needs no check in this version of a loop: its vector, and how to reckon its index (i64) from the
    value of the loop's variable (i64)."""

    inside: View
    index: Callable[[str], str]


@dataclass(slots=True)
class Frame:
    """One function in the making. `slots` has the address of each variable, `views` each vector that is only looked at;
    `references` the scalars and vectors that came by reference: (type, local copy, the caller's place)."""

    unit: Unit
    function: Function
    scope: str
    w: Writer
    own_symbol: str = ""  # what the function calls where it calls itself
    slots: dict[Variable, str] = field(default_factory=dict)
    views: dict[Variable, View] = field(default_factory=dict)
    jumps: list[Jumps] = field(default_factory=list)
    stacked: dict[Variable, int] = field(default_factory=dict)  # vectors that lie in the frame, and their sizes
    references: list[tuple[Type, str, str]] = field(default_factory=list)
    result: str | None = None
    proven: dict[int, Proven] = field(default_factory=dict)  # by the identity of an `Index`
    round: Callable[[], str] = str  # the value (i64) of the variable of the loop that `proven` is about
    unwrapped: Update | None = None  # the step of that loop, which is known not to wrap
    tail: str = ""  # where to leave the handle of a tail job, in the version of a job that a slave runs
    is_tail: bool = False  # what is evaluated is a tail job, which the runtime starts when this one has ended

    def at(self, span: Span) -> None:
        """What is emitted from here on belongs to the place at which the span starts."""
        self.w.location = partial(self.unit.debug.location, self.scope, span)

    def new_slot(self, variable: Variable) -> str:
        slot = self.slots[variable] = self.temporary(variable.type)
        return slot

    def slot(self, variable: Variable) -> str:
        """The memory of a variable, made when it is first needed."""
        known = self.slots.get(variable)
        return known if known is not None else self.new_slot(variable)

    def temporary(self, type: Type) -> str:
        return self.w.alloca(layout.memory_type(type))

    # Shorthands

    def store(self, type: Type, value: Operand, address: str) -> None:
        memory.store(self.w, self.unit.shapes, type, value, address)

    def zero(self, type: Type, address: str) -> None:
        memory.zero(self.w, self.unit.shapes, type, address)

    def owns(self, type: Type) -> bool:
        return self.unit.shapes.owns(type)

    def drop(self, variable: Variable) -> None:
        if variable in self.stacked:
            return
        self.unit.glue.drop(self.w, variable.type, self.slots[variable])

    def drop_all(self, variables: Iterable[Variable]) -> None:
        """At the end of a block; nothing to do when control does not get there."""
        if not self.w.ended:
            for variable in variables:
                self.drop(variable)

    def snapshot(self, type: Type, value: Operand) -> Operand:
        """The same value where nothing that follows can change it."""
        if not isinstance(type, StructType):
            return value
        address = self.temporary(type)
        self.store(type, value, address)
        return address

    # Checks

    @contextmanager
    def failing(self, condition: str) -> Iterator[None]:
        """What happens, hardly ever, when the condition (i1) holds; it ends in a function that does not return."""
        w = self.w
        failure, after = w.new_label(), w.new_label()
        w.branch_if(condition, failure, after, f", !prof {w.module.unlikely}")
        w.label(failure)
        yield
        if not w.ended:
            w.unreachable()
        w.label(after)

    def check_index(self, index: str, type: Type, count: str) -> None:
        """Fails unless 0 <= index < count (i32)."""
        if self.unit.unchecked:
            return
        w = self.w
        if type is INT:
            with self.failing(w.value(f"icmp uge i32 {index}, {count}")):
                memory.call(w, "ms_fail_int_index", [index, count])
            return
        with self.failing(w.value(f"icmp uge i64 {index}, {memory.wide(w, count)}")):
            memory.call(w, "ms_fail_index", [index, memory.wide(w, count)])

    def to_long(self, index: str, type: Type) -> str:
        """An index (int or long) as an i64."""
        if type is not INT or memory.is_constant(index):
            return index
        return self.w.reused(f"sext i32 {index} to i64")

    def element(self, type: VectorType, vector: View, index: str, index_type: Type) -> str:
        """The address of an element, checked."""
        self.check_index(index, index_type, vector.length)
        return memory.element(self.w, type.element, vector.data, self.to_long(index, index_type))
