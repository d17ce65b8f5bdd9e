"""What stands for a parameter `T& x`: a place of exactly that type, which no other argument of the call may reach (§2).

An argument *reaches* a variable when it is a place in it, or when something inside it changes it by way of a reference
or an in-out argument of its own. What is only computed from the variable (`size(v)`, `v[0] + 1`) is a value by the
time of the call.
"""

from __future__ import annotations

from collections.abc import Iterator

from ms import errors, syntax, typed
from ms.builtins import Mode
from ms.checker import expressions, maps
from ms.checker.context import Body
from ms.types import Type


def reference_argument(
    body: Body, tree: syntax.Expression, type: Type, parameter: syntax.Parameter
) -> typed.Expression | None:
    given = expressions.value(body, tree)
    if given is None:
        return None
    innermost = expressions.base_of(given)
    if isinstance(innermost, typed.ConstantRef):
        constant = innermost.constant
        body.report(errors.constant_changed(tree.span, constant.name, constant.span))
        return None
    if not isinstance(innermost, typed.VariableRef) or isinstance(tree, syntax.CallOf):
        body.report(errors.reference_to_value(tree.span, parameter.name.text, parameter.span))
        return None
    if given.type != type:
        body.report(errors.reference_type(tree.span, type, given.type, parameter.span))
        return None
    return maps.as_target(given)


def check_exclusive(body: Body, function: typed.FunctionRef, arguments: tuple[typed.Expression, ...]) -> None:
    """Every variable that the call may change is reached by one argument alone."""
    for index, (kind, argument) in enumerate(zip(function.parameter_kinds, arguments)):
        if kind is not typed.VariableKind.REFERENCE:
            continue
        variable = _variable_of(argument)
        for other_index, other in enumerate(arguments):
            is_seen = function.parameter_kinds[other_index] is typed.VariableKind.REFERENCE and other_index < index
            if other_index == index or is_seen or variable is None:
                continue
            if denotes(other, variable):
                body.report(errors.reference_shared(other.span, variable.name, argument.span))
                return
            if changes(other, variable):
                body.report(errors.reference_changed(other.span, variable.name, argument.span))
                return


def check_unchanged(body: Body, changed: typed.Expression, others: tuple[typed.Expression, ...]) -> None:
    """No other argument of a built-in changes the variable that its in-out argument lies in."""
    variable = _variable_of(changed)
    if variable is None:
        return
    for other in others:
        if changes(other, variable):
            body.report(errors.reference_changed(other.span, variable.name, changed.span))
            return


def _variable_of(place: typed.Expression) -> typed.Variable | None:
    base = expressions.base_of(place)
    return base.variable if isinstance(base, typed.VariableRef) else None


def denotes(expression: typed.Expression, variable: typed.Variable) -> bool:
    """Whether the expression is a place in the variable, or may be."""
    if isinstance(expression, typed.Conditional):
        return denotes(expression.then, variable) or denotes(expression.otherwise, variable)
    return _variable_of(expression) is variable


def changes(expression: typed.Expression, variable: typed.Variable) -> bool:
    """Whether evaluating the expression may change the variable."""
    match expression:
        case typed.Call(function=function, arguments=arguments):
            for kind, argument in zip(function.parameter_kinds, arguments):
                if kind is typed.VariableKind.REFERENCE and _variable_of(argument) is variable:
                    return True
        case typed.BuiltinCall(builtin=builtin, arguments=arguments):
            for (_, mode), argument in zip(builtin.parameters, arguments):
                if mode is Mode.INOUT and _variable_of(argument) is variable:
                    return True
        case _:
            pass
    return any(changes(part, variable) for part in _parts(expression))


def _parts(expression: typed.Expression) -> Iterator[typed.Expression]:
    """The expressions directly inside."""
    match expression:
        case typed.Field(base=base):
            yield base
        case typed.Index(base=base, index=index):
            yield from (base, index)
        case typed.MapEntry(base=base, key=key):
            yield from (base, key)
        case typed.Slice(base=base, low=low, high=high):
            yield from (base, low, high)
        case typed.Range(low=low, high=high):
            yield from (low, high)
        case typed.Unary(operand=operand) | typed.Convert(operand=operand):
            yield operand
        case (
            typed.Binary(left=left, right=right)
            | typed.Compare(left=left, right=right)
            | typed.Logical(left=left, right=right)
            | typed.Concat(left=left, right=right)
        ):
            yield from (left, right)
        case typed.Conditional(condition=condition, then=then, otherwise=otherwise):
            yield from (condition, then, otherwise)
        case typed.VectorLiteral(elements=elements):
            yield from elements
        case typed.StructLiteral(values=values):
            yield from values
        case typed.MapLiteral(pairs=pairs):
            for pair in pairs:
                yield from pair
        case (
            typed.Call(arguments=arguments)
            | typed.BuiltinCall(arguments=arguments)
            | typed.RemoteCall(arguments=arguments)
        ):
            yield from arguments
        case _:
            return
