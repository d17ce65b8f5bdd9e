"""Loops: `while`, `for (;;)` and the kinds of `for … in`.

Invariant: what is looped over is checked before the loop variable is known, so `for (int i in 0..i)` means an outer i.
"""

from __future__ import annotations

from functools import partial

from ms import errors, syntax, typed
from ms.checker import expressions, jobs, statements
from ms.checker.context import Around, Body
from ms.checker.conversions import Wanted, coerce
from ms.checker.types import is_auto, is_key, resolve
from ms.source import Span
from ms.typed import VariableKind
from ms.types import INT, LONG, VOID, MapType, Type, VectorType, common_type, converts_implicitly


def _loop_body(body: Body, tree: syntax.BlockOf) -> typed.Block:
    body.around.append(Around.LOOP)
    result = statements.block(body, tree)
    body.around.pop()
    return result


def while_loop(body: Body, tree: syntax.WhileStatement) -> typed.Statement:
    condition = statements.condition(body, tree.condition)
    return typed.While(condition, _loop_body(body, tree.body), tree.span)


def for_loop(body: Body, tree: syntax.ForStatement) -> typed.Statement:
    body.open_scope()
    init = [] if tree.init is None else statements.statement(body, tree.init)
    condition = None if tree.condition is None else statements.condition(body, tree.condition)
    step = [] if tree.step is None else statements.statement(body, tree.step)
    inner = _loop_body(body, tree.body)
    body.close_scope()
    return typed.For(tuple(init), condition, tuple(step), inner, tree.span)


def for_in(body: Body, tree: syntax.ForInStatement) -> typed.Statement:
    if len(tree.variables) > 1:
        return _for_pairs(body, tree)
    if isinstance(tree.sequence, syntax.Range):
        return _for_range(body, tree, tree.sequence)
    if isinstance(tree.sequence, syntax.CallOf) and jobs.is_completed(body, tree.sequence):
        return _for_completed(body, tree, tree.sequence)
    return _for_each(body, tree)


def _variable(
    body: Body, tree: syntax.ForInStatement, type: Type | None, name: syntax.Name
) -> tuple[typed.Variable, typed.Block]:
    """The loop variable, in a scope of its own around the body. When its type is wrong the body is checked all the
    same."""
    body.open_scope()
    variable = body.declare(name.text, name.span, type, VariableKind.LOOP)
    inner = _loop_body(body, tree.body)
    body.close_scope()
    return variable or typed.Variable(name.text, VOID, VariableKind.LOOP, 0, name.span), inner


def _for_range(body: Body, tree: syntax.ForInStatement, sequence: syntax.Range) -> typed.Statement:
    type_name, name = tree.variables[0]
    type = _range_type(body, type_name, sequence.span)
    if type is None and not is_auto(type_name):
        low, high = expressions.value(body, sequence.low), expressions.value(body, sequence.high)
    elif type is None:
        low, high = expressions.pair(body, sequence.low, sequence.high)
        type = _bounds_type(body, low, high)
    else:
        wanted = Wanted(name.span, f"`{name.text}` is {type}")
        low = expressions.value_as(body, sequence.low, type, wanted)
        high = expressions.value_as(body, sequence.high, type, wanted)
    variable, inner = _variable(body, tree, type, name)
    if type is not None and low is not None and high is not None:
        low, high = coerce(body, low, type), coerce(body, high, type)
    if low is None or high is None:
        low = high = typed.ZeroValue(VOID, sequence.span)
    return typed.ForRange(variable, low, high, inner, tree.span)


def _range_type(body: Body, name: syntax.TypeName, sequence: Span) -> Type | None:
    if is_auto(name):
        return None
    type = resolve(body, name, "a variable")
    if type is None or type in (INT, LONG):
        return type
    body.report(errors.loop_variable(name.span, INT, type, sequence))
    return None


def _bounds_type(body: Body, low: typed.Expression | None, high: typed.Expression | None) -> Type | None:
    """The type of `auto i` over a range."""
    if low is None or high is None:
        return None
    for bound in (low, high):
        if not converts_implicitly(bound.type, LONG):
            body.report(errors.wrong_type(bound.span, INT, bound.type, None, ""))
            return None
    type = common_type(low.type, high.type)
    return type if type is LONG else INT


def _for_each(body: Body, tree: syntax.ForInStatement) -> typed.Statement:
    type_name, name = tree.variables[0]
    type = None if is_auto(type_name) else resolve(body, type_name, "a variable")
    sequence = _sequence(body, tree, type)
    element: Type | None = None
    if sequence is not None:
        element = _element(body, tree.sequence.span, sequence.type)
    if is_auto(type_name):
        type = element
    elif element is not None and type is not None and not converts_implicitly(element, type):
        body.report(errors.loop_variable(type_name.span, element, type, tree.sequence.span))
    variable, inner = _variable(body, tree, type, name)
    if sequence is None or element is None:
        sequence = typed.ZeroValue(VOID, tree.sequence.span)
    if isinstance(sequence.type, MapType):
        return typed.ForPairs(variable, None, sequence, inner, tree.span)
    return typed.ForEach(variable, sequence, inner, tree.span)


def _sequence(body: Body, tree: syntax.ForInStatement, type: Type | None) -> typed.Expression | None:
    hint = None if type is None or isinstance(tree.sequence, syntax.MapOf) else VectorType(type)
    # Where the variable's type does not suit all of the sequence, each element may still convert to it by itself.
    for suggested in (hint, None):
        found = body.attempt(partial(_elements_of, body, tree.sequence, suggested))
        if found is not None:
            return found[0]
    return expressions.value(body, tree.sequence, hint)


def _elements_of(body: Body, tree: syntax.Expression, hint: Type | None) -> tuple[typed.Expression] | None:
    sequence = expressions.value(body, tree, hint)
    return None if sequence is None else (sequence,)


def _element(body: Body, span: Span, type: Type) -> Type | None:
    match type:
        case VectorType(element):
            return element
        case MapType(key):
            return key
        case _:
            body.report(errors.cannot_loop(span, type, pairs=False))
            return None


def _for_completed(body: Body, tree: syntax.ForInStatement, sequence: syntax.CallOf) -> typed.Statement:
    type_name, name = tree.variables[0]
    type = INT if is_auto(type_name) else resolve(body, type_name, "a variable")
    handles = jobs.completed_jobs(body, sequence)
    if type is not None and not converts_implicitly(INT, type):
        body.report(errors.loop_variable(type_name.span, INT, type, sequence.span))
    variable, inner = _variable(body, tree, type, name)
    return typed.ForCompleted(variable, handles or typed.ZeroValue(VOID, sequence.span), inner, tree.span)


def _for_pairs(body: Body, tree: syntax.ForInStatement) -> typed.Statement:
    """`for (K k, V v in m)`."""
    given = [None if is_auto(name) else resolve(body, name, "a variable") for name, _ in tree.variables]
    sequence = expressions.value(body, tree.sequence, _hint(given))
    parts: tuple[Type | None, Type | None] = (None, None)
    if sequence is not None and isinstance(sequence.type, MapType):
        parts = sequence.type.key, sequence.type.value
    elif sequence is not None:
        body.report(errors.cannot_loop(tree.sequence.span, sequence.type, pairs=True))
    body.open_scope()
    variables: list[typed.Variable | None] = []
    for (type_name, name), part, type in zip(tree.variables, parts, given, strict=True):
        if is_auto(type_name):
            type = part
        elif part is not None and type is not None and not converts_implicitly(part, type):
            body.report(errors.loop_variable(type_name.span, part, type, tree.sequence.span))
        variables.append(body.declare(name.text, name.span, type, VariableKind.LOOP))
    inner = _loop_body(body, tree.body)
    body.close_scope()
    key, value = variables
    if sequence is None or key is None or value is None:
        return inner
    return typed.ForPairs(key, value, sequence, inner, tree.span)


def _hint(types: list[Type | None]) -> Type | None:
    """The map that the variables of a loop over pairs expect."""
    key, value = types
    return MapType(key, value) if key is not None and value is not None and is_key(key) else None
