"""What loops become.

The statements in them are left to `statements.py`, which passes the function that emits one; what can be proven for
all rounds to `rounds.py`. A loop for which something can be proven is written twice, without the checks and with
them, and a condition chooses.
Invariants: the bounds of a range and the sequence are evaluated once, before the loop; the counter of a range or a
sequence is not the loop's variable, so changing the variable does not change the number of rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ms.codegen import arithmetic, entries, expressions, memory, rounds
from ms.codegen import jam as jams
from ms.codegen.frame import Frame, Jumps
from ms.codegen.layout import register_type
from ms.codegen.memory import register, view
from ms.codegen.rounds import Interval, Proof
from ms.typed import (
    Block,
    BuiltinCall,
    Compare,
    Convert,
    Declare,
    Expression,
    For,
    ForCompleted,
    ForEach,
    ForPairs,
    ForRange,
    Passing,
    Statement,
    Update,
    Variable,
    VariableKind,
    VariableRef,
    While,
)
from ms.types import INT, LONG, MapType, StructType, Type, VectorType

Emit: TypeAlias = Callable[[Frame, Statement], None]


def _body(f: Frame, body: Block, after: str, again: str, emit: Emit) -> None:
    """The body of a loop, which goes on at `again`."""
    f.jumps.append(Jumps(after, again))
    emit(f, body)
    f.jumps.pop()
    if not f.w.ended:
        f.w.branch(again)


def while_(f: Frame, s: While, emit: Emit) -> None:
    w = f.w
    head, body, after = w.new_label(), w.new_label(), w.new_label()
    w.label(head)
    w.branch_if(expressions.value(f, s.condition), body, after)
    w.label(body)
    _body(f, s.body, after, head, emit)
    w.label(after)


def _twice(f: Frame, proof: Proof | None, fast: Callable[[Proof], None], slow: Callable[[str], None]) -> None:
    """Both versions of a loop, or the one that checks. That one is told what to say at its branch back."""
    if proof is None:
        slow("")
        return
    w = f.w
    if proof.condition == "true":
        fast(proof)
        return
    without, checked, after = w.new_label(), w.new_label(), w.new_label()
    w.branch_if(proof.condition, without, checked, f", !prof {w.module.likely}")
    w.label(without)
    fast(proof)
    if not w.ended:
        w.branch(after)
    w.label(checked)
    slow("" if f.unit.unchecked else w.module.rare_loop())
    w.label(after)


# for (init; condition; step)


@dataclass(frozen=True, slots=True)
class Counting:
    """A `for` whose variable counts up or down to a bound by a step that does not change."""

    variable: Variable
    bound: Expression
    includes_bound: bool
    up: bool
    step: Update


def _counting(s: For) -> Counting | None:
    if len(s.step) != 1 or not isinstance(s.condition, Compare):
        return None
    step = s.step[0]
    compared = s.condition.left
    if isinstance(compared, Convert) and compared.type is LONG:
        compared = compared.operand
    if not isinstance(step, Update) or not isinstance(step.target, VariableRef):
        return None
    if not isinstance(compared, VariableRef):
        return None
    variable = step.target.variable
    type = variable.type
    operators = {"+": ("<", "<="), "-": (">", ">=")}.get(step.operator, ())
    if variable is not compared.variable or type not in (INT, LONG) or step.operand_type != type:
        return None
    if s.condition.operator not in operators:
        return None
    return Counting(variable, s.condition.right, len(s.condition.operator) == 2, step.operator == "+", step)


def for_(f: Frame, s: For, emit: Emit) -> None:
    for inner in s.init:
        emit(f, inner)
    f.at(s.span)
    counting = _counting(s)
    proof = _prove_for(f, s, counting) if counting is not None else None

    def fast(proof: Proof) -> None:
        assert counting is not None

        def round() -> str:
            value = memory.load_register(f.w, counting.variable.type, f.slots[counting.variable])
            return f.to_long(value, counting.variable.type)

        with rounds.knowing(f, proof, round, counting.step):
            _for_once(f, s, emit, "")

    _twice(f, proof, fast, lambda back: _for_once(f, s, emit, back))
    if not f.w.ended:
        f.drop_all(s.drops)


def _prove_for(f: Frame, s: For, counting: Counting) -> Proof | None:
    """The variable goes from its first value to the bound, and one step beyond it does not wrap."""
    found = rounds.prover_for(f, counting.variable, [s.body])
    if found is None:
        return None
    prover, indices = found
    step = counting.step.value
    if any(prover.magnitude(e) is None or prover.uses_variable(e) for e in (counting.bound, step)):
        return None
    w, type = f.w, counting.variable.type
    first = f.to_long(memory.load_register(w, type, f.slots[counting.variable]), type)
    last = prover.exact(counting.bound, "", bounded=True)
    by = prover.exact(step, "", bounded=True)
    if not memory.is_constant(by):
        prover.require(w.value(f"icmp sgt i64 {by}, 0"))
    elif int(by) <= 0:
        return None
    towards, back = ("add", "sub") if counting.up else ("sub", "add")
    if not counting.includes_bound:
        last = w.value(f"{back} nsw i64 {last}, 1")
    steps_onto_bound = by == "1" and not counting.includes_bound
    if type is INT and not (steps_onto_bound and isinstance(counting.bound, BuiltinCall)):
        beyond = w.value(f"{towards} nsw i64 {last}, {by}")
        limit = "sle i64 {}, 2147483647" if counting.up else "sge i64 {}, -2147483648"
        prover.require(w.value(f"icmp {limit.format(beyond)}"))
    low, high = (first, last) if counting.up else (last, first)
    size_of = prover.sized(_first_value(s, counting), counting.bound) if steps_onto_bound and counting.up else None
    return rounds.prove(prover, Interval(counting.variable, low, high, size_of), indices)


def _first_value(s: For, counting: Counting) -> Expression:
    """What the variable starts with, where the loop declares it."""
    for inner in s.init:
        if isinstance(inner, Declare) and inner.variable is counting.variable:
            return inner.value
    return counting.bound


def _for_once(f: Frame, s: For, emit: Emit, back: str) -> None:
    w = f.w
    head, body, step, after = w.new_label(), w.new_label(), w.new_label(), w.new_label()
    w.label(head)
    if s.condition is None:
        w.branch(body)
    else:
        w.branch_if(expressions.value(f, s.condition), body, after)
    w.label(body)
    _body(f, s.body, after, step, emit)
    w.label(step)
    for inner in s.step:
        emit(f, inner)
    w.branch(head, back)
    w.label(after)


# for (T i in low..high)


def for_range(f: Frame, s: ForRange, emit: Emit) -> None:
    w = f.w
    low = expressions.value(f, s.low)
    high = expressions.value(f, s.high)
    f.at(s.span)
    variable = s.variable
    entered, after = w.new_label(), w.new_label()
    w.branch_if(arithmetic.compare(f, "<", variable.type, low, high), entered, after)
    w.label(entered)
    found = rounds.prover_for(f, variable, [s.body]) if variable.type in (INT, LONG) else None
    jam = jams.found(f, s)
    if jam is not None:
        _range_in_pairs(f, s, jam, low, high, emit)
    elif found is None:
        _range_once(f, s, low, high, emit, "")
    else:
        prover, indices = found
        wide_low, wide_high = f.to_long(low, variable.type), f.to_long(high, variable.type)
        last = w.value(f"add nsw i64 {wide_high}, -1")
        interval = Interval(variable, wide_low, last, prover.sized(s.low, s.high))
        proof = rounds.prove(prover, interval, indices)
        _twice(
            f,
            proof,
            lambda proof: _range_proven(f, s, wide_low, wide_high, proof, emit),
            lambda back: _range_once(f, s, low, high, emit, back),
        )
    if not w.ended:
        w.branch(after)
    w.label(after)


def _range_in_pairs(f: Frame, s: ForRange, jam: jams.Jam, low: str, high: str, emit: Emit) -> None:
    """Two rounds at a time where that can be; there is at least one."""
    w = f.w
    type = register_type(s.variable.type)
    head, pair, single, again, after = (w.new_label() for _ in range(5))
    counter, step = w.alloca(type), w.alloca(type)
    w.emit(f"store {type} {low}, ptr {counter}")
    last = w.value(f"sub nsw {type} {high}, 1")
    w.label(head)
    f.at(s.span)
    value = w.value(f"load {type}, ptr {counter}")
    w.branch_if(w.value(f"icmp slt {type} {value}, {last}"), pair, single)
    w.label(pair)
    jams.pairs(f, jam, value, single)
    w.emit(f"store {type} 2, ptr {step}")
    w.branch(again)
    w.label(single)
    w.emit(f"store {type} 1, ptr {step}")
    f.store(s.variable.type, value, f.slot(s.variable))
    _body(f, s.body, after, again, emit)
    w.label(again)
    f.at(s.span)
    following = w.value(f"add nsw {type} {value}, {w.value(f'load {type}, ptr {step}')}")
    w.emit(f"store {type} {following}, ptr {counter}")
    w.branch_if(w.value(f"icmp slt {type} {following}, {high}"), head, after)
    w.label(after)


def _range_once(f: Frame, s: ForRange, low: str, high: str, emit: Emit, back: str) -> None:
    """The loop with its checks; there is at least one round."""
    w = f.w
    type = register_type(s.variable.type)
    body, again, after = w.new_label(), w.new_label(), w.new_label()
    counter = w.alloca(type)
    w.emit(f"store {type} {low}, ptr {counter}")
    w.label(body)
    f.store(s.variable.type, w.value(f"load {type}, ptr {counter}"), f.slot(s.variable))
    _body(f, s.body, after, again, emit)
    w.label(again)
    f.at(s.span)
    # The counter is below `high`, so one more does not wrap.
    following = w.value(f"add {'nuw' if type == 'i8' else 'nsw'} {type} {w.value(f'load {type}, ptr {counter}')}, 1")
    w.emit(f"store {type} {following}, ptr {counter}")
    w.branch_if(arithmetic.compare(f, "<", s.variable.type, following, high), body, after, back)
    w.label(after)


def _range_proven(f: Frame, s: ForRange, low: str, high: str, proof: Proof, emit: Emit) -> None:
    """The same without the checks that were proven, counting in 64 bits."""
    w = f.w
    body, again, after = w.new_label(), w.new_label(), w.new_label()
    counter = w.alloca("i64")
    w.emit(f"store i64 {low}, ptr {counter}")
    w.label(body)
    value = w.value(f"load i64, ptr {counter}")
    kept = value if s.variable.type is LONG else w.value(f"trunc i64 {value} to i32")
    f.store(s.variable.type, kept, f.slot(s.variable))
    with rounds.knowing(f, proof, lambda: value, None):
        _body(f, s.body, after, again, emit)
    w.label(again)
    f.at(s.span)
    following = w.value(f"add nsw i64 {w.value(f'load i64, ptr {counter}')}, 1")
    w.emit(f"store i64 {following}, ptr {counter}")
    w.branch_if(w.value(f"icmp slt i64 {following}, {high}"), body, after)
    w.label(after)


# for (T e in xs)


def for_each(f: Frame, s: ForEach, emit: Emit) -> None:
    w = f.w
    assert isinstance(s.sequence.type, VectorType)
    _begin(f, s.drops)
    data, count = view(expressions.look(f, s.sequence))
    f.at(s.span)
    body, again, after = w.new_label(), w.new_label(), w.new_label()
    end = memory.wide(w, count)
    counter = w.alloca("i64")
    w.emit(f"store i64 0, ptr {counter}")
    w.branch_if(w.value(f"icmp ne i64 {end}, 0"), body, after)
    w.label(body)
    element = s.sequence.type.element
    address = memory.element(w, element, data, w.value(f"load i64, ptr {counter}"))
    _bind(f, s.variable, element, address, s.passing, s.takes)
    _body(f, s.body, after, again, emit)
    w.label(again)
    f.at(s.span)
    following = w.value(f"add nuw nsw i64 {w.value(f'load i64, ptr {counter}')}, 1")
    w.emit(f"store i64 {following}, ptr {counter}")
    w.branch_if(w.value(f"icmp ult i64 {following}, {end}"), body, after)
    w.label(after)
    f.drop_all(s.drops)


def _begin(f: Frame, drops: tuple[Variable, ...]) -> None:
    for variable in drops:
        if variable.kind is VariableKind.HIDDEN:
            f.zero(variable.type, f.slot(variable))


def _bind(f: Frame, variable: Variable, element: Type, address: str, passing: Passing, takes: bool) -> None:
    """Makes the loop's variable of what lies at an address."""
    w = f.w
    if element != variable.type:
        value = memory.load_register(w, element, address)
        f.store(variable.type, arithmetic.convert(f, value, element, variable.type), f.slot(variable))
    elif not f.owns(element):
        f.store(element, memory.load(w, element, address), f.slot(variable))
    elif passing is Passing.BORROWED:
        if isinstance(element, VectorType):
            f.views[variable] = memory.load_view(w, address)
        elif isinstance(element, StructType):
            f.slots[variable] = address
        else:
            f.store(element, memory.load(w, element, address), f.slot(variable))
    elif takes:
        f.store(element, memory.load(w, element, address), f.slot(variable))
        f.zero(element, address)
    else:
        f.store(element, f.unit.glue.copy(w, element, memory.load(w, element, address)), f.slot(variable))


# for (int i in completed(js))


def for_completed(f: Frame, s: ForCompleted, emit: Emit) -> None:
    w = f.w
    assert s.seen is not None
    _begin(f, s.drops)
    jobs = view(expressions.look(f, s.jobs))
    f.at(s.span)
    seen = memory.call_vector(w, "ms_vector_zero", [memory.wide(w, jobs.length), "1"])
    f.store(s.seen.type, seen, f.slot(s.seen))
    head, body, after = w.new_label(), w.new_label(), w.new_label()
    w.label(head)
    f.at(s.span)
    index = memory.call_register(w, "ms_jobs_next", [jobs, seen.data])
    w.branch_if(w.value(f"icmp sge i32 {index}, 0"), body, after)
    w.label(body)
    f.store(s.variable.type, arithmetic.convert(f, index, INT, s.variable.type), f.slot(s.variable))
    _body(f, s.body, after, head, emit)
    w.label(after)
    f.at(s.span)
    f.drop_all(s.drops)


# for (K k, V v in m)


def for_pairs(f: Frame, s: ForPairs, emit: Emit) -> None:
    w, shapes = f.w, f.unit.shapes
    type = s.sequence.type
    assert isinstance(type, MapType)
    _begin(f, s.drops)
    map = register(expressions.look(f, s.sequence))
    f.at(s.span)
    shape = shapes.entry(type)
    first, used = entries.extent(w, map)
    head, looked, body, again, after = (w.new_label() for _ in range(5))
    counter = w.alloca("i64")
    w.emit(f"store i64 0, ptr {counter}")
    w.label(head)
    index = w.value(f"load i64, ptr {counter}")
    w.branch_if(w.value(f"icmp ult i64 {index}, {used}"), looked, after)
    w.label(looked)
    entry = entries.at_index(w, shape, first, index)
    w.branch_if(entries.is_there(w, shape, entry), body, again)
    w.label(body)
    _bind(f, s.key, type.key, entry, s.passing, s.takes)
    if s.value is not None:
        _bind(f, s.value, type.value, entries.value(w, shapes, type, entry), s.passing, s.takes)
    _body(f, s.body, after, again, emit)
    w.label(again)
    f.at(s.span)
    w.emit(f"store i64 {w.value(f'add nuw nsw i64 {index}, 1')}, ptr {counter}")
    w.branch(head)
    w.label(after)
    f.drop_all(s.drops)
