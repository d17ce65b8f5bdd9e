"""Two rounds of an outer loop at once, as in products of matrices:

    for (int k in 0..n) { double x = a[i][k]; for (int j in 0..m) c[i][j] += x * b[k][j]; }

Each c[i][j] is loaded and stored once for two k, so that memory is no longer what such a loop waits for. LLVM does
not do it, since for it the rows might overlap and every index might fail; here variables never share elements.
Invariants: what is added to an element is added in the order in which the program says; nothing in these loops can
fail in the version for two rounds, and whatever is not proven for both is left to the loops as they were written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ms.codegen import arithmetic, changes, expressions, memory, rounds
from ms.codegen.frame import Frame
from ms.codegen.layout import register_type
from ms.codegen.rounds import Interval, Proof
from ms.typed import (
    Binary,
    Borrow,
    ConstantRef,
    Convert,
    Declare,
    Expression,
    Field,
    FloatLiteral,
    ForRange,
    Index,
    IntLiteral,
    Unary,
    Update,
    Variable,
    VariableRef,
)
from ms.types import FLOATS, INT, INTEGERS, LONG, Scalar

_HARMLESS = (Borrow, ConstantRef, Field, FloatLiteral, Index, IntLiteral, Unary, VariableRef)


@dataclass(frozen=True, slots=True)
class Jam:
    """An outer loop that says what it needs, and an inner one that adds to elements which the outer does not choose."""

    outer: Variable
    declared: list[Declare]
    inner: ForRange
    update: Update
    target: Index


@dataclass(slots=True)
class Round:
    """One of the two rounds: where its own variables are, what is proven in it."""

    slots: dict[Variable, str]
    proof: Proof | None = None


def found(f: Frame, s: ForRange) -> Jam | None:
    """The loop as such a pair of loops, if it is one."""
    *first, last = s.body.statements or (None,)
    if not isinstance(last, ForRange) or s.body.drops or last.body.drops or len(last.body.statements) != 1:
        return None
    update = last.body.statements[0]
    declared = [each for each in first if isinstance(each, Declare) and _is_number(each.variable)]
    if len(declared) != len(first) or not isinstance(update, Update) or not isinstance(update.target, Index):
        return None
    jam = Jam(s.variable, declared, last, update, update.target)
    return jam if _is_sound(jam) and _is_provable(f, jam) else None


def _is_number(variable: Variable) -> bool:
    return variable.type in FLOATS or variable.type in (INT, LONG)


def _is_sound(jam: Jam) -> bool:
    """Whether the order of rounds does not matter, apart from that in which one element gets what is added to it."""
    update, target, inner = jam.update, jam.target, jam.inner
    own = {jam.outer, *(each.variable for each in jam.declared)}
    type = target.type
    if update.operand_type != type or update.operator not in ("+", "-", "*") or update.value.type != type:
        return False
    if not isinstance(type, Scalar) or not all(_is_number(variable) for variable in (jam.outer, inner.variable)):
        return False
    values = [update.value, target, inner.low, inner.high, *(each.value for each in jam.declared)]
    if not all(_is_harmless(value) for value in values) or not _takes_turns(target.index, inner.variable):
        return False
    if _uses(target, own) or _uses(inner.low, own) or _uses(inner.high, own):
        return False
    root = changes.root_variable(target)
    read = [each.value for each in jam.declared]
    nodes = changes.walk([*read, inner])
    return root is not None and sum(isinstance(node, VariableRef) and node.variable is root for node in nodes) == 1


def _is_harmless(e: Expression) -> bool:
    """Whether an expression has no effects and cannot fail, but for its indices."""
    for node in changes.walk([e]):
        match node:
            case Binary(operator):
                if operator in ("/", "%") and node.type not in FLOATS:
                    return False
            case Convert(operand):
                if operand.type in FLOATS and node.type in INTEGERS:
                    return False
            case _ if not isinstance(node, _HARMLESS):
                return False
            case _:
                pass
    return True


def _takes_turns(index: Expression, variable: Variable) -> bool:
    """Whether each round of the inner loop has an element of its own."""
    if isinstance(index, Convert) and index.type is LONG:
        index = index.operand
    match index:
        case VariableRef(found):
            return found is variable
        case Binary("+", left, right):
            sides = [_takes_turns(side, variable) for side in (left, right)]
            return (sides[0] and not _uses(right, {variable})) or (sides[1] and not _uses(left, {variable}))
        case _:
            return False


def _uses(e: Expression, variables: set[Variable]) -> bool:
    return any(isinstance(node, VariableRef) and node.variable in variables for node in changes.walk([e]))


def _is_provable(f: Frame, jam: Jam) -> bool:
    before = rounds.prover_for(f, None, [jam.declared])
    inside = rounds.prover_for(f, jam.inner.variable, [jam.inner.body])
    if inside is None:
        return False
    pairs = [inside] if before is None else [before, inside]
    return all(prover.is_provable(node) for prover, indices in pairs for node in indices)


# Writing it


def pairs(f: Frame, jam: Jam, at: str, single: str) -> None:
    """Rounds `at` and `at` + 1 of the outer loop; when something is not proven, it goes on to `single` with nothing
    done."""
    w = f.w
    inner = jam.inner
    type = register_type(jam.outer.type)
    both = [_round(f, jam) for _ in range(2)]
    for each, value in zip(both, (at, w.value(f"add nsw {type} {at}, 1")), strict=True):
        f.store(jam.outer.type, value, each.slots[jam.outer])
    for each in both:
        with _in_round(f, each):
            proof = _proof(f, jam.declared, None)
            _go_on_if(f, proof, single)
            with rounds.knowing(f, proof or Proof("true", {}), str, None):
                for declare in jam.declared:
                    f.at(declare.span)
                    expressions.put(f, declare.value, each.slots[declare.variable])
    f.at(inner.span)
    low, high = (f.to_long(expressions.value(f, e), inner.variable.type) for e in (inner.low, inner.high))
    interval = Interval(inner.variable, low, w.value(f"add nsw i64 {high}, -1"))
    _go_on_if(f, Proof(w.value(f"icmp slt i64 {low}, {high}"), {}), single)
    for each in both:
        with _in_round(f, each):
            each.proof = _proof(f, [inner.body], interval)
        _go_on_if(f, each.proof, single)
    _inner(f, jam, both, low, high)


def _round(f: Frame, jam: Jam) -> Round:
    variables = [jam.outer, *(each.variable for each in jam.declared)]
    return Round({variable: f.temporary(variable.type) for variable in variables})


@contextmanager
def _in_round(f: Frame, round: Round) -> Iterator[None]:
    """What is emitted inside means the variables of this round."""
    kept = dict(f.slots)
    f.slots.update(round.slots)
    yield
    f.slots = kept


def _proof(f: Frame, body: Sequence[object], interval: Interval | None) -> Proof | None:
    found = rounds.prover_for(f, interval.variable if interval is not None else None, body)
    if found is None:
        return None
    prover, indices = found
    proof = rounds.prove(prover, interval, indices)
    whole = proof is not None and all(id(node) in proof.proven for node in indices)
    return proof if whole else Proof("false", {})


def _go_on_if(f: Frame, proof: Proof | None, otherwise: str) -> None:
    if proof is not None and proof.condition != "true":
        following = f.w.new_label()
        f.w.branch_if(proof.condition, following, otherwise, f", !prof {f.w.module.likely}")
        f.w.label(following)


def _inner(f: Frame, jam: Jam, both: list[Round], low: str, high: str) -> None:
    """The inner loop, which does the work of both rounds."""
    w, variable, update = f.w, jam.inner.variable, jam.update
    body, after = w.new_label(), w.new_label()
    counter = w.alloca("i64")
    w.emit(f"store i64 {low}, ptr {counter}")
    w.label(body)
    value = w.value(f"load i64, ptr {counter}")
    kept = value if variable.type is LONG else w.value(f"trunc i64 {value} to i32")
    f.store(variable.type, kept, f.slot(variable))
    operands = []
    for each in both:
        assert each.proof is not None
        with _in_round(f, each), rounds.knowing(f, each.proof, lambda: value, None):
            operands.append(expressions.value(f, update.value))
            address = expressions.reach(f, jam.target, expressions.parts_of(f, jam.target))
    f.at(update.span)
    total = memory.load_register(w, jam.target.type, address)
    for operand in operands:
        total = arithmetic.binary(f, update.operator, jam.target.type, total, operand, jam.target.type)
    f.store(jam.target.type, total, address)
    following = w.value(f"add nsw i64 {value}, 1")
    w.emit(f"store i64 {following}, ptr {counter}")
    w.branch_if(w.value(f"icmp slt i64 {following}, {high}"), body, after)
    w.label(after)
