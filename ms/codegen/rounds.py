"""What can be proven for all rounds of a loop at once: that the indices in its body are in range.

A loop whose variable runs over an interval is generated twice. Before it, the smallest and the largest value of each
index that is a linear function of the variable is held against the count of its vector; when all are in range, the
version without these checks runs, else the one with all of them. So a failure is found in the round in which it
happens, and a loop in which none can happen pays for nothing. `loops.py` writes the loops.
Invariants: what is evaluated before the loop has no effects and cannot fail; every vector looked at there keeps its
elements where they are during the loop; exact arithmetic is on i64 and never overflows, for operands are bounded, by
their types or by conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from ms.codegen import calls, changes, expressions, memory
from ms.codegen.emitter import Writer
from ms.codegen.frame import Frame, Proven
from ms.codegen.memory import View, view
from ms.typed import (
    Binary,
    Borrow,
    BuiltinCall,
    Compare,
    Conditional,
    ConstantRef,
    Convert,
    Expression,
    Field,
    For,
    ForCompleted,
    ForEach,
    ForPairs,
    ForRange,
    If,
    Index,
    IntLiteral,
    Logical,
    Unary,
    Update,
    Variable,
    VariableRef,
    While,
)
from ms.types import CHAR, INT, LONG, Type, VectorType

NODES_MAX = 600
"""Larger bodies are not worth writing twice."""
DEFINITION_MAX = 30
"""Nodes of what a variable in the body of a loop stands for."""
_MAGNITUDES: dict[Type, int] = {CHAR: 1 << 8, INT: 1 << 31, LONG: 1 << 63}
_LONG_MAX = 1 << 40  # what a long that takes part in arithmetic is bounded to, by a condition
_LOOPS = (While, For, ForRange, ForEach, ForPairs, ForCompleted)


@dataclass(slots=True)
class Interval:
    """The values of a loop's variable: `low` to `high`, both i64 and both included."""

    variable: Variable
    low: str
    high: str
    size_of: Hashable = None  # the vector whose size is one more than `high`, where `low` is known not to be negative


@dataclass(slots=True)
class Proof:
    """Holds when `condition` (i1) does."""

    condition: str
    proven: dict[int, Proven]


@dataclass(slots=True)
class Prover:
    """Gathers the conditions for one loop. It emits as it goes, into the block before the loop."""

    f: Frame
    variable: Variable | None
    changed: set[Variable]
    reshaped: set[Variable]
    defined: dict[Variable, Expression]  # the numbers that the body declares and does not change afterwards
    conditions: list[str] = field(default_factory=list)
    views: dict[Hashable, View] = field(default_factory=dict)
    leaves: dict[Hashable, str] = field(default_factory=dict)
    checked: set[Hashable] = field(default_factory=set)
    doomed: set[Hashable] = field(default_factory=set)  # indices that are out of range in the first round or the last
    guards: dict[int, list[Compare]] = field(default_factory=dict)  # what holds where an `Index` is evaluated
    closed: bool = False  # everything is proven, no more conditions are asked for

    def require(self, condition: str) -> None:
        self.conditions.append(condition)

    # Linear functions

    def magnitude(self, e: Expression) -> int | None:
        """The largest magnitude of a linear function of the loop's variable; None when it is none, or too large."""
        match e:
            case IntLiteral(value):
                return abs(value)
            case Convert(operand) if e.type in (INT, LONG) and operand.type in _MAGNITUDES:
                return self.magnitude(operand) if _MAGNITUDES[operand.type] <= _MAGNITUDES[e.type] else None
            case Unary("-", operand):
                return self._bounded(operand)
            case Binary("+" | "-" | "*", left, right):
                return self._magnitude_of_both(e.operator, left, right)
            case VariableRef(variable) if variable in self.defined:
                return self.magnitude(self.defined[variable])
            case _:
                return _MAGNITUDES.get(e.type) if self._is_leaf(e) else None

    def _bounded(self, e: Expression) -> int | None:
        """The same for an operand: a long is bounded by a condition."""
        found = self.magnitude(e)
        return _LONG_MAX if found == _MAGNITUDES[LONG] else found

    def _magnitude_of_both(self, operator: str, left: Expression, right: Expression) -> int | None:
        first, second = self._bounded(left), self._bounded(right)
        if first is None or second is None:
            return None
        if operator == "*" and self.uses_variable(left) and self.uses_variable(right):
            return None
        total = first * second if operator == "*" else first + second
        return total if total < _MAGNITUDES[LONG] else None

    def uses_variable(self, e: Expression) -> bool:
        for node in changes.walk([e]):
            if isinstance(node, VariableRef):
                inner = self.defined.get(node.variable)
                if node.variable is self.variable or (inner is not None and self.uses_variable(inner)):
                    return True
        return False

    def _is_sum(self, e: Expression) -> bool:
        """Whether the program's own arithmetic made a value, and so may have wrapped."""
        while isinstance(e, VariableRef) and e.variable in self.defined:
            e = self.defined[e.variable]
        return isinstance(e, (Unary, Binary))

    def _is_leaf(self, e: Expression) -> bool:
        match e:
            case VariableRef(variable):
                return variable is self.variable or variable not in self.changed
            case ConstantRef():
                return True
            case Field():
                root = changes.root_variable(e)
                return root is not None and root not in self.changed and _has_no_index(e)
            case BuiltinCall() if e.builtin.symbol == "size":
                return self._is_steady(e.arguments[0])
            case _:
                return False

    def exact(self, e: Expression, variable: str, *, bounded: bool = False) -> str:
        """The value of a linear function (i64) for a value of the loop's variable. `bounded`: it takes part
        in arithmetic."""
        w = self.f.w
        match e:
            case IntLiteral(value):
                return str(value)
            case Convert(operand):
                inner = self.exact(operand, variable, bounded=bounded)
                if e.type is LONG and self._is_sum(operand):
                    self._within(inner, 1 << 31)
                return inner
            case Unary(_, operand):
                return _computed(w, "-", "0", self.exact(operand, variable, bounded=True))
            case Binary(operator, left, right):
                first = self.exact(left, variable, bounded=True)
                second = self.exact(right, variable, bounded=True)
                return _computed(w, operator, first, second)
            case VariableRef(leaf) if leaf is self.variable:
                if bounded and leaf.type is LONG:
                    self._within(variable, _LONG_MAX)
                return variable
            case VariableRef(leaf) if leaf in self.defined:
                return self.exact(self.defined[leaf], variable, bounded=bounded)
            case _:
                return self._leaf(e, bounded)

    def _leaf(self, e: Expression, bounded: bool) -> str:
        key = _key(e)
        value = self.leaves.get(key)
        if value is None:
            if isinstance(e, BuiltinCall):
                value = memory.wide(self.f.w, self.look(e.arguments[0]).length)
            else:
                value = _widened(self.f, expressions.value(self.f, e), e)
            self.leaves[key] = value
        if bounded and e.type is LONG:
            self._within(value, _LONG_MAX)
        return value

    def _within(self, value: str, limit: int) -> None:
        """Requires that -limit <= value < limit."""
        if not self.closed and (value, limit) not in self.checked and not memory.is_constant(value):
            self.checked.add((value, limit))
            w = self.f.w
            self.require(w.value(f"icmp ult i64 {w.value(f'add i64 {value}, {limit}')}, {2 * limit}"))

    # Vectors whose elements stay where they are

    def _is_steady(self, e: Expression) -> bool:
        match e:
            case VariableRef(variable):
                return variable not in self.reshaped
            case ConstantRef():
                return True
            case Field(base):
                return self._is_steady(base)
            case Borrow(place):
                return self._is_steady(place)
            case Index(base, index):
                return self._is_steady(base) and self.magnitude(index) is not None and not self.uses_variable(index)
            case _:
                return False

    def look(self, base: Expression) -> View:
        """A steady vector. Where reaching it would fail, a vector of nothing instead, so that the conditions
        do not hold."""
        key = _key(base)
        known = self.views.get(key)
        if known is None:
            known = self.views[key] = self._look(base)
        return known

    def _look(self, base: Expression) -> View:
        match base:
            case Borrow(place):
                return self.look(place)
            case VariableRef() | ConstantRef():
                return view(expressions.look(self.f, base))
            case _:
                return memory.load_view(self.f.w, self._address(base))

    def _address(self, place: Expression) -> str:
        """Where a steady place lies, or else zeros."""
        f, w = self.f, self.f.w
        match place:
            case VariableRef(variable):
                return f.slots[variable]
            case ConstantRef(constant):
                return f.unit.constants.address(constant.value)
            case Borrow(inner):
                return self._address(inner)
            case Field(base):
                return expressions.field_of(f, place, self._address(base))
            case Index(base, index) if isinstance(base.type, VectorType):
                inside = self.look(base)
                at = self.exact(index, "")
                good = w.value(f"icmp ult i64 {at}, {memory.wide(w, inside.length)}")
                size = f.unit.shapes.size(place.type)
                zeros = w.module.constant(f"[{size} x i8] zeroinitializer, align 8")
                element = memory.element(w, base.type.element, inside.data, at)
                return w.value(f"select i1 {good}, ptr {element}, ptr {zeros}")
            case _:
                raise AssertionError("a place that is not steady")

    # Indices

    def is_provable(self, node: Index) -> bool:
        """Whether a condition before the loop can say that an index is in range."""
        return self._is_steady(node.base) and self.magnitude(node.index) is not None

    def consider(self, node: Index, interval: Interval | None) -> Proven | None:
        """What the loop without checks needs to know of an element, when its index can be proven."""
        if not self.is_provable(node):
            return None
        inside = self.look(node.base)
        key = ("index", _key(node.base), _key(node.index), self._is_guarded(node))
        if key not in self.checked:
            self.checked.add(key)
            w = self.f.w
            count = memory.wide(w, inside.length)
            ends = ["", ""]
            if interval is not None and self.uses_variable(node.index):
                ends = [interval.low, interval.high]
            if interval is not None and self._runs_over(node, interval):
                ends = []
            reached = [self.exact(node.index, end) for end in dict.fromkeys(ends)]
            if key[3]:
                for index in reached:
                    self.require(w.value(f"icmp slt i64 {index}, {count}"))
            elif any(memory.is_constant(index) and int(index) < 0 for index in reached):
                self.doomed.add(key)  # it stands behind a condition, or fails
            else:
                for index in reached:
                    self.require(w.value(f"icmp ult i64 {index}, {count}"))
        if key in self.doomed:
            return None
        return Proven(inside, partial(self.exact, node.index))

    def _is_guarded(self, node: Index) -> bool:
        """Whether an index is `a - b` or `a - 1`, and evaluated only where a >= b or a > 0: it is not negative then."""
        index = node.index
        while isinstance(index, Convert) and index.type is LONG:
            index = index.operand
        if not isinstance(index, Binary) or index.operator != "-":
            return False
        if self._is_sum(index.left) or self._is_sum(index.right):
            return False
        for guard in self.guards.get(id(node), []):
            left, right, operator = _plain(guard.left), _plain(guard.right), guard.operator
            if operator in ("<", "<="):
                left, right, operator = right, left, {"<": ">", "<=": ">="}[operator]
            if operator not in (">", ">=") or _key(left) != _key(_plain(index.left)):
                continue
            subtracted = _plain(index.right)
            if _key(right) == _key(subtracted) or _is_number(right, 0 if operator == ">" else 1, subtracted):
                return True
        return False

    def _runs_over(self, node: Index, interval: Interval) -> bool:
        """Whether the loop goes over the very indices of the vector, so that nothing is left to prove."""
        index = node.index.operand if isinstance(node.index, Convert) else node.index
        is_variable = isinstance(index, VariableRef) and index.variable is self.variable
        return is_variable and interval.size_of is not None and interval.size_of == _key(node.base)

    def sized(self, low: Expression, bound: Expression) -> Hashable:
        """The steady vector whose indices a loop from `low` to below `bound` stays in, if it is seen to."""
        if isinstance(bound, Convert):
            bound = bound.operand
        if isinstance(low, Convert):
            low = low.operand
        is_size = isinstance(bound, BuiltinCall) and bound.builtin.symbol == "size" and self._is_leaf(bound)
        if not is_size or not isinstance(low, IntLiteral) or low.value < 0:
            return None
        assert isinstance(bound, BuiltinCall)
        return _key(bound.arguments[0])


def _computed(w: Writer, operator: str, left: str, right: str) -> str:
    """A sum, difference or product (i64), which does not overflow."""
    if memory.is_constant(left) and memory.is_constant(right):
        a, b = int(left), int(right)
        return str({"+": a + b, "-": a - b, "*": a * b}[operator])
    return w.value(f"{ {'+': 'add', '-': 'sub', '*': 'mul'}[operator]} nsw i64 {left}, {right}")


def _widened(f: Frame, value: str, e: Expression) -> str:
    if e.type is LONG or memory.is_constant(value):
        return value
    llvm, extension = ("i8", "zext") if e.type is CHAR else ("i32", "sext")
    return f.w.value(f"{extension} {llvm} {value} to i64")


def _has_no_index(e: Expression) -> bool:
    while isinstance(e, Field):
        e = e.base
    return isinstance(e, VariableRef)


def _plain(e: Expression) -> Expression:
    """What a conversion that loses nothing is made of."""
    while isinstance(e, Convert) and _MAGNITUDES.get(e.operand.type, 1 << 64) <= _MAGNITUDES.get(e.type, 0):
        e = e.operand
    return e


def _is_number(bound: Expression, wanted: int, subtracted: Expression) -> bool:
    """Whether `a > 0`, or `a >= 1`, stands before `a - 1`."""
    is_one = isinstance(subtracted, IntLiteral) and subtracted.value == 1
    return is_one and isinstance(bound, IntLiteral) and bound.value == wanted


def _guards(nodes: Iterable[object]) -> dict[int, list[Compare]]:
    """By the identity of each `Index` that stands behind comparisons in these trees, those that hold there."""
    found: dict[int, list[Compare]] = {}
    for node in nodes:
        match node:
            case If(condition, then) | Conditional(condition, then):
                guarded: object = then
            case Logical("&&", condition, right):
                guarded = right
            case _:
                continue
        holding = list(_conjuncts(condition))
        if holding:
            for inner in changes.walk([guarded]):
                if isinstance(inner, Index):
                    found.setdefault(id(inner), []).extend(holding)
    return found


def _conjuncts(condition: Expression) -> Iterator[Compare]:
    """The comparisons of which a condition says that all hold."""
    match condition:
        case Compare():
            yield condition
        case Logical("&&", left, right):
            yield from _conjuncts(left)
            yield from _conjuncts(right)
        case _:
            pass


def _key(e: Expression) -> Hashable:
    """Equal for expressions that mean the same here."""
    match e:
        case VariableRef(variable):
            return variable
        case ConstantRef(constant):
            return id(constant.value)
        case Borrow(place):
            return _key(place)
        case Field(base, _, index):
            return "field", _key(base), index
        case Index(base, index):
            return "element", _key(base), _key(index)
        case IntLiteral(value):
            return value, e.type
        case Convert(operand):
            return "convert", _key(operand), e.type
        case Unary(operator, operand):
            return operator, _key(operand)
        case Binary(operator, left, right):
            return operator, _key(left), _key(right)
        case BuiltinCall():
            return "size", _key(e.arguments[0])
        case _:
            return id(e)


@contextmanager
def knowing(f: Frame, proof: Proof, round: Callable[[], str], step: Update | None) -> Iterator[None]:
    """What is emitted inside knows what was proven. `round` gives the value (i64) of the loop's variable, `step` is
    what counts it."""
    f.proven, f.round, f.unwrapped = proof.proven, round, step
    yield
    f.proven, f.round, f.unwrapped = {}, str, None


def prover_for(f: Frame, variable: Variable | None, body: Sequence[object]) -> tuple[Prover, list[Index]] | None:
    """A prover for a loop with this body, and the indices in it; None when there is nothing to prove or the body
    is too much."""
    indices = []
    branches: list[object] = []
    for count, node in enumerate(changes.walk(body)):
        if count > NODES_MAX or isinstance(node, _LOOPS):
            return None
        if isinstance(node, Index):
            indices.append(node)
        elif isinstance(node, (If, Conditional, Logical)):
            branches.append(node)
    if not indices:
        return None
    assigned, declared = changes.given_values(body)
    changed = assigned.union(declared)
    if variable in changed:
        return None
    reshaped = changes.reshaped_variables(body, f.owns, partial(calls.keeps_elements, f.unit.function))
    numbers = {each: first for each, first in declared.items() if each.type in (INT, LONG) and each not in assigned}
    return Prover(f, variable, changed, reshaped, _short(numbers), guards=_guards(branches)), indices


def _short(declared: dict[Variable, Expression | None]) -> dict[Variable, Expression]:
    """Those variables that stand for few nodes, with those in their place for which the variables in it stand."""
    counts: dict[Variable, int] = {}

    def count_of(variable: Variable) -> int:
        if variable not in counts:
            nodes = list(changes.walk([declared.get(variable)]))
            inner = [node.variable for node in nodes if isinstance(node, VariableRef)]
            counts[variable] = 1 if not nodes else len(nodes) + sum(map(count_of, inner))
        return counts[variable]

    return {each: first for each, first in declared.items() if first is not None and count_of(each) <= DEFINITION_MAX}


def prove(prover: Prover, interval: Interval | None, indices: Iterable[Index]) -> Proof | None:
    """Emits the conditions; None when no index can be proven."""
    proven: dict[int, Proven] = {}
    for node in indices:
        found = prover.consider(node, interval)
        if found is not None:
            proven[id(node)] = found
    if not proven:
        return None
    prover.closed = True
    w = prover.f.w
    condition = "true"
    for part in prover.conditions:
        condition = part if condition == "true" else w.value(f"and i1 {condition}, {part}")
    return Proof(condition, proven)
