"""What statements become.

Values and places are left to `expressions.py`. Which variables are dropped where stands in the tree.
Invariants: an assignment evaluates the parts of its target, then the value, then makes the target's checks, then
drops the old value and stores the new one; code behind a statement that does not end is emitted and reached by
nothing.
"""

from __future__ import annotations

from typing import assert_never

from ms.codegen import (
    arithmetic,
    builtins,
    calls,
    changes,
    constants,
    expressions,
    loops,
    memory,
    stacked,
    vectors,
)
from ms.codegen.frame import Frame, Jumps
from ms.codegen.layout import register_type
from ms.codegen.memory import Operand, register, view
from ms.diagnostics import InternalError
from ms.typed import (
    Append,
    Assign,
    Block,
    Break,
    BuiltinCall,
    Continue,
    Declare,
    Evaluate,
    Expression,
    For,
    ForCompleted,
    ForEach,
    ForPairs,
    ForRange,
    If,
    Return,
    Scoped,
    Statement,
    Switch,
    Update,
    VariableRef,
    While,
)
from ms.types import STRING, VOID, Scalar, VectorType


def block(f: Frame, s: Block) -> None:
    for inner in s.statements:
        statement(f, inner)
    f.drop_all(s.drops)


def statement(f: Frame, s: Statement) -> None:
    f.at(s.span)
    match s:
        case Block():
            block(f, s)
        case Declare() if s.variable in f.stacked:
            stacked.declare(f, s, f.stacked[s.variable])
        case Declare():
            expressions.put(f, s.value, f.slot(s.variable))
        case Assign():
            _assign(f, s)
        case Update():
            _update(f, s)
        case Append():
            _append(f, s)
        case Evaluate():
            expressions.look(f, s.expression)
        case If():
            _if(f, s)
        case While():
            loops.while_(f, s, statement)
        case For():
            loops.for_(f, s, statement)
        case ForRange():
            loops.for_range(f, s, statement)
        case ForEach():
            loops.for_each(f, s, statement)
        case Switch():
            _switch(f, s)
        case Break():
            f.drop_all(s.drops)
            f.w.branch(f.jumps[-1].after)
        case Continue():
            _continue(f, s)
        case Return():
            _return(f, s)
        case ForCompleted():
            loops.for_completed(f, s, statement)
        case ForPairs():
            loops.for_pairs(f, s, statement)
        case _:
            assert_never(s)


def _assign(f: Frame, s: Assign) -> None:
    parts = expressions.parts_of(f, s.target)
    value = expressions.take(f, s.value)
    address = expressions.reach(f, s.target, parts)
    f.at(s.span)
    f.unit.glue.drop(f.w, s.target.type, address)
    f.store(s.target.type, value, address)


def _update(f: Frame, s: Update) -> None:
    type = s.target.type
    parts = expressions.parts_of(f, s.target)
    if isinstance(type, VectorType):
        _append_all(f, s, type, parts)
        return
    operand = expressions.value(f, s.value)
    address = expressions.reach(f, s.target, parts)
    f.at(s.span)
    before = arithmetic.convert(f, memory.load_register(f.w, type, address), type, s.operand_type)
    if s is f.unwrapped:
        after = arithmetic.step(f, s.operator, s.operand_type, before, operand)
    else:
        after = arithmetic.binary(f, s.operator, s.operand_type, before, operand, s.value.type)
    f.store(type, arithmetic.convert(f, after, s.operand_type, type), address)


def _append(f: Frame, s: Append) -> None:
    assert isinstance(s.target.type, VectorType)
    parts = expressions.parts_of(f, s.target)
    if s.whole:
        _append_all(f, s, s.target.type, parts)
        return
    # The vector may be given another block, and the value may lie in the old one.
    value = f.snapshot(s.value.type, expressions.take(f, s.value))
    address = expressions.reach(f, s.target, parts)
    f.at(s.span)
    vectors.append(f, s.target.type, address, value)


def _append_all(f: Frame, s: Append | Update, type: VectorType, parts: list[Operand]) -> None:
    if _writes_text(s):
        expressions.append_text(f, s.value, s.target, parts)
        return
    value = expressions.look_or_take(f, s.value)
    address = expressions.reach(f, s.target, parts)
    f.at(s.span)
    vectors.append_all(f, type, address, value)


def _writes_text(s: Append | Update) -> bool:
    """Whether what is appended is a text that is made for it, of nothing that lies in the string itself."""
    value = s.value.value if isinstance(s.value, Scoped) else s.value
    if not isinstance(value, BuiltinCall) or value.builtin.symbol not in builtins.MAKES_TEXT:
        return False
    root = changes.root_variable(s.target)
    seen = [argument for argument in value.arguments if not isinstance(argument.type, Scalar)]
    return all(not isinstance(node, VariableRef) or node.variable is not root for node in changes.walk(seen))


def _return(f: Frame, s: Return) -> None:
    if s.is_tail_job and s.value is not None:
        _return_tail(f, s, s.value)
        return
    result: Operand = ""
    if s.value is not None:
        if f.result is not None:
            expressions.put(f, s.value, f.result)
        else:
            result = expressions.take(f, s.value)
    f.at(s.span)
    for variable in s.drops:
        f.drop(variable)
    end_function(f, result)


def _return_tail(f: Frame, s: Return, job: Expression) -> None:
    """As a slave runs the job, it ends here and leaves the handle of the other one; as it is called, it waits."""
    type = f.function.ref.result
    is_left = f.is_tail = bool(f.tail) and calls.is_handed_over(s)
    handle = register(expressions.take(f, job))
    f.at(job.span)
    result: Operand = memory.EMPTY if isinstance(type, VectorType) else ""
    if is_left:
        f.w.emit(f"store ptr {handle}, ptr {f.tail}")
        if type is not VOID and f.result is None and not isinstance(type, VectorType):
            result = memory.zero_register(type)
    else:
        place = "" if type is VOID else f.result or f.temporary(type)
        f.unit.wire.result(f.w, type, handle, place)
        memory.call(f.w, "ms_job_release", [handle])
        if type is not VOID and f.result is None:
            result = memory.load(f.w, type, place)
    for variable in s.drops:
        f.drop(variable)
    end_function(f, result)


def end_function(f: Frame, result: Operand) -> None:
    """Gives the references back to their places, and control and the result to the caller."""
    for type, local, place in f.references:
        f.store(type, memory.load(f.w, type, local), place)
    type = f.function.ref.result
    if type is VOID or f.result is not None:
        f.w.ret("void")
    elif isinstance(type, VectorType):
        f.w.ret(f"{register_type(type)} {memory.returning(f.w, memory.vector(result))}")
    else:
        f.w.ret(f"{register_type(type)} {register(result)}")


# Branches


def _if(f: Frame, s: If) -> None:
    w = f.w
    condition = expressions.value(f, s.condition)
    then, after = w.new_label(), w.new_label()
    otherwise = w.new_label() if s.otherwise is not None else after
    w.branch_if(condition, then, otherwise)
    w.label(then)
    block(f, s.then)
    if s.otherwise is not None:
        if not w.ended:
            w.branch(after)
        w.label(otherwise)
        block(f, s.otherwise)
    w.label(after)


def _switch(f: Frame, s: Switch) -> None:
    w = f.w
    for variable in s.drops:
        f.zero(variable.type, f.slot(variable))
    subject = expressions.look(f, s.subject)
    f.at(s.span)
    after = w.new_label()
    labels = [w.new_label() for _ in s.cases]
    default = next((label for case, label in zip(s.cases, labels, strict=True) if not case.values), after)
    if s.subject.type == STRING:
        _string_cases(f, s, subject, labels, default)
    else:
        _number_cases(f, s, register(subject), labels, default)
    again = f.jumps[-1].again if f.jumps else None
    f.jumps.append(Jumps(after, again))
    for case, label in zip(s.cases, labels, strict=True):
        w.label(label)
        block(f, case.body)
        if not w.ended:
            w.branch(after)
    f.jumps.pop()
    w.label(after)
    f.at(s.span)
    f.drop_all(s.drops)


def _number_cases(f: Frame, s: Switch, subject: str, labels: list[str], default: str) -> None:
    type = register_type(s.subject.type)
    arms = [
        f"{type} {constants.scalar(value)}, label %{label}"
        for case, label in zip(s.cases, labels, strict=True)
        for value in case.values
    ]
    f.w.emit(f"switch {type} {subject}, label %{default} [ {' '.join(arms)} ]")
    f.w.ended = True


def _string_cases(f: Frame, s: Switch, subject: Operand, labels: list[str], default: str) -> None:
    for case, label in zip(s.cases, labels, strict=True):
        for value in case.values:
            literal = f.unit.constants.view(value)
            following = f.w.new_label()
            equal = f.unit.glue.equal(f.w, STRING, view(subject), literal)
            f.w.branch_if(equal, label, following)
            f.w.label(following)
    f.w.branch(default)


def _continue(f: Frame, s: Continue) -> None:
    f.drop_all(s.drops)
    again = f.jumps[-1].again
    if again is None:
        raise InternalError("continue outside of a loop", s.span)
    f.w.branch(again)
