"""Where control goes: functions that can end without `return`, and code that cannot be reached (§5).

Works on the checked body of one function, bottom-up, looking at each statement once. Invariant: in each block only the
first statement that cannot be reached is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ms import errors, typed
from ms.checker.context import Body
from ms.types import VOID


@dataclass(frozen=True, slots=True)
class Flow:
    """What a statement does to control. `ends`: it can be followed by the next one. `breaks`: a `break` in it leaves
    the loop around it, `leaves`: one leaves the switch around it."""

    ends: bool
    breaks: bool = False
    leaves: bool = False


_ENDS = Flow(True)
_STOPS = Flow(False)


def check_flow(body: Body, block: typed.Block) -> None:
    ref = body.ref
    flow = _block(body, block)
    whole = block.span
    is_damaged = any(
        each.file is whole.file and whole.start <= each.start <= whole.end for each in body.checker.skipped
    )
    if flow.ends and ref is not None and ref.result is not VOID and not is_damaged:
        body.report(errors.missing_return(ref.span, ref.name, ref.result))


def _block(body: Body, block: typed.Block) -> Flow:
    return _sequence(body, block.statements)


def _sequence(body: Body, statements: tuple[typed.Statement, ...]) -> Flow:
    ends, breaks, leaves = True, False, False
    is_reported = False
    for statement in statements:
        if not ends and not is_reported:
            is_reported = True
            if not body.has_errors and not _ends_case(statement):
                body.report(errors.unreachable_code(statement.span))
        flow = _statement(body, statement)
        breaks = breaks or (ends and flow.breaks)
        leaves = leaves or (ends and flow.leaves)
        ends = ends and flow.ends
    return Flow(ends, breaks, leaves)


def _ends_case(statement: typed.Statement) -> bool:
    """A `break` behind the `return` that ends a case is how C is written, and no mistake."""
    return isinstance(statement, typed.Break) and statement.leaves_switch


def _statement(body: Body, statement: typed.Statement) -> Flow:
    match statement:
        case typed.Declare() | typed.Assign() | typed.Update() | typed.Append():
            return _ENDS
        case typed.Evaluate(expression=expression):
            is_final = isinstance(expression, typed.BuiltinCall) and not expression.builtin.returns
            return _STOPS if is_final else _ENDS
        case typed.Block():
            return _block(body, statement)
        case typed.If(then=then, otherwise=otherwise):
            first = _block(body, then)
            second = _ENDS if otherwise is None else _block(body, otherwise)
            return Flow(first.ends or second.ends, first.breaks or second.breaks, first.leaves or second.leaves)
        case typed.While(condition=condition, body=inner):
            return _loop(body, condition, inner)
        case typed.For(condition=condition, body=inner):
            return _loop(body, condition, inner)
        case typed.ForRange() | typed.ForEach() | typed.ForPairs() | typed.ForCompleted():
            _block(body, statement.body)
            return _ENDS
        case typed.Switch():
            return _switch(body, statement)
        case typed.Break(leaves_switch=leaves_switch):
            return Flow(False, not leaves_switch, leaves_switch)
        case typed.Continue() | typed.Return():
            return _STOPS
        case _:
            assert_never(statement)


def _loop(body: Body, condition: typed.Expression | None, inner: typed.Block) -> Flow:
    flow = _block(body, inner)
    is_endless = condition is None or _is_true(condition)
    return Flow(flow.breaks or not is_endless)


def _is_true(condition: typed.Expression) -> bool:
    if isinstance(condition, typed.ConstantRef):
        condition = condition.constant.value
    return isinstance(condition, typed.BoolLiteral) and condition.value


def _switch(body: Body, statement: typed.Switch) -> Flow:
    flows = [_block(body, case.body) for case in statement.cases]
    has_default = any(not case.values for case in statement.cases)
    ends = not has_default or any(flow.ends or flow.leaves for flow in flows)
    return Flow(ends, any(flow.breaks for flow in flows))
