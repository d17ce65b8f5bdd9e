"""Calls by name: the program's own functions first, then conversions, then the table of built-in functions.

Built-ins are checked in `builtin_calls.py`, what stands for a reference parameter in `references.py`, `remote` calls
in `jobs.py`. Invariant: `x.f(a)` is `f(x, a)` from here on.
"""

from __future__ import annotations

from ms import builtins, errors, syntax, typed
from ms.checker import builtin_calls, expressions, references
from ms.checker.context import Body, CallSite
from ms.checker.conversions import Wanted, convert
from ms.checker.types import is_number
from ms.scope import FunctionSymbol, nearest
from ms.types import Type


def call(body: Body, tree: syntax.CallOf, hint: Type | None) -> typed.Expression | None:
    name = tree.function.text
    symbol = body.checker.globals.function(name, tree.function.span)
    arguments = plain_arguments(body, tree)
    if arguments is None:
        return None
    if symbol is not None:
        return function_call(body, tree, symbol, arguments)
    if name in builtins.CONVERSIONS:
        return _conversion(body, tree, builtins.CONVERSIONS[name], arguments)
    rows = builtins.BUILTINS.get(name)
    if rows is not None:
        return builtin_calls.builtin_call(body, tree, rows, arguments, hint)
    report_unknown_function(body, tree.function)
    for argument in arguments:
        expressions.expression(body, argument)
    return None


def plain_arguments(body: Body, tree: syntax.CallOf) -> list[syntax.Expression] | None:
    """The receiver and the arguments; None when one of them is written `each xs`."""
    arguments: list[syntax.Expression] = [] if tree.receiver is None else [tree.receiver]
    for argument in tree.arguments:
        if isinstance(argument, syntax.EachArgument):
            body.report(errors.each_outside(argument.span))
            return None
        arguments.append(argument)
    return arguments


def report_unknown_function(body: Body, name: syntax.Name) -> None:
    """A call of what is no function: something else of that name, or nothing at all."""
    symbols = body.checker.globals
    text = name.text
    local = body.scope.find(text)
    if local is not None:
        local.is_read = True
        body.report_unknown(text, errors.not_a_function(name.span, text, "a variable", local.span))
    elif constant := symbols.constant(text, name.span):
        body.report_unknown(text, errors.not_a_function(name.span, text, "a constant", constant.span))
    elif struct := symbols.struct(text, name.span):
        help = f"a value of it is written {text}{{field: value}}"
        body.report_unknown(text, errors.not_a_function(name.span, text, "a struct", struct.span, help))
    else:
        near = nearest(text, [*symbols.names(symbols.functions, name.span), *builtins.BUILTINS])
        body.report_unknown(text, errors.unknown_function(name.span, text, near, symbols.elsewhere(text)))


# The program's own functions


def function_call(
    body: Body, tree: syntax.CallOf, symbol: FunctionSymbol, arguments: list[syntax.Expression]
) -> typed.Expression | None:
    ref = symbol.ref
    body.calls.append(CallSite(tree.function.text, tree.function.span))
    if ref is None:
        body.has_errors = True
        for argument in arguments:
            expressions.expression(body, argument)
        return None
    checked = checked_arguments(body, tree, symbol, arguments)
    if checked is None:
        return typed.Call(ref, (), ref.result, tree.span)
    if typed.VariableKind.REFERENCE in ref.parameter_kinds:
        references.check_exclusive(body, ref, checked)
    return typed.Call(ref, checked, ref.result, tree.span)


def checked_arguments(
    body: Body,
    tree: syntax.CallOf,
    symbol: FunctionSymbol,
    arguments: list[syntax.Expression],
) -> tuple[typed.Expression, ...] | None:
    """Every argument as its parameter wants it; None when one of them is wrong."""
    ref = symbol.ref
    assert ref is not None
    count = len(ref.parameter_types)
    if len(arguments) != count:
        for argument in arguments:
            expressions.expression(body, argument)
        span = tree.function.span
        body.report(errors.wrong_argument_count(span, ref.name, str(count), len(arguments), symbol.span))
        return None
    checked: list[typed.Expression] = []
    for argument, type, kind, parameter in zip(arguments, ref.parameter_types, ref.parameter_kinds, symbol.parameters):
        if kind is typed.VariableKind.REFERENCE:
            given = references.reference_argument(body, argument, type, parameter)
        else:
            wanted = Wanted(parameter.span, f"the parameter is {type}")
            given = expressions.value_as(body, argument, type, wanted)
        if given is not None:
            checked.append(given)
    return tuple(checked) if len(checked) == count else None


# Conversions


def _conversion(
    body: Body, tree: syntax.CallOf, target: Type, arguments: list[syntax.Expression]
) -> typed.Expression | None:
    name = tree.function.text
    if len(arguments) != 1:
        body.report(errors.wrong_argument_count(tree.function.span, name, "1", len(arguments), None))
        return None
    operand = expressions.value(body, arguments[0])
    if operand is None:
        return None
    if not is_number(operand.type):
        body.report(errors.no_conversion(operand.span, operand.type, target))
        return None
    if isinstance(operand, typed.IntLiteral) or operand.type == target:
        return convert(operand, target)
    return typed.Convert(operand, target, tree.span)
