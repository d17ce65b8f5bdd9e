"""Statements: surface tree to typed tree.

Loops stand in `loops.py`. Where control goes (missing `return`, unreachable code) is left to `flow.py`, which looks at
the finished tree; so every statement gives a typed one, also when it is wrong: `_wrong` stands for an expression that
an error was reported for, in a tree that nobody above the checker will see.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import assert_never

from ms import builtins, errors, syntax, typed
from ms.checker import constants, expressions, loops
from ms.checker.context import Around, Body
from ms.checker.conversions import NOBODY, Wanted, coerce, convert, fits
from ms.checker.operators import arithmetic_type
from ms.checker.types import is_auto, is_number, promoted, resolve
from ms.source import Span
from ms.typed import VariableKind
from ms.types import CHAR, FLOATS, INT, INTEGERS, STRING, VOID, JobType, Type, VectorType, converts_implicitly


def block(body: Body, tree: syntax.BlockOf) -> typed.Block:
    """A block with names of its own."""
    body.open_scope()
    result = open_block(body, tree)
    body.close_scope()
    return result


def open_block(body: Body, tree: syntax.BlockOf) -> typed.Block:
    """A block in the scope that is open already (a function's body, whose parameters are there)."""
    statements: list[typed.Statement] = []
    for part in tree.statements:
        statements.extend(statement(body, part))
    return typed.Block(tuple(statements), tree.span)


def statement(body: Body, tree: syntax.Statement) -> list[typed.Statement]:
    """One statement; a declaration of several names, and `v :: 1 :: 2`, give several."""
    match tree:
        case syntax.Declaration():
            return declaration(body, tree)
        case syntax.Assignment():
            return [assignment(body, tree)]
        case syntax.ExpressionStatement():
            return [expression_statement(body, tree)]
        case syntax.IfStatement():
            return [if_statement(body, tree)]
        case syntax.Appending():
            return appending(body, tree)
        case syntax.Step():
            return [step(body, tree)]
        case syntax.ReturnStatement():
            return [return_statement(body, tree)]
        case syntax.ForInStatement():
            return [loops.for_in(body, tree)]
        case syntax.WhileStatement():
            return [loops.while_loop(body, tree)]
        case syntax.ForStatement():
            return [loops.for_loop(body, tree)]
        case syntax.BlockOf():
            return [block(body, tree)]
        case syntax.SwitchStatement():
            return [switch(body, tree)]
        case syntax.BreakStatement():
            return [break_statement(body, tree)]
        case syntax.ContinueStatement():
            if Around.LOOP not in body.around:
                body.report(errors.outside_loop(tree.span, "continue"))
            return [typed.Continue(tree.span)]
        case _:
            assert_never(tree)


def _wrong(span: Span) -> typed.Expression:
    return typed.ZeroValue(VOID, span)


# Declarations


def declaration(body: Body, tree: syntax.Declaration) -> list[typed.Statement]:
    is_open = is_auto(tree.type)
    type = None if is_open else resolve(body, tree.type, "a variable")
    return [
        statement
        for declarator in tree.declarators
        if (statement := _declarator(body, tree, declarator, type, is_open)) is not None
    ]


def _declarator(
    body: Body, tree: syntax.Declaration, declarator: syntax.Declarator, type: Type | None, is_open: bool
) -> typed.Statement | None:
    name = declarator.name
    span = name.span if declarator.value is None else name.span.to(declarator.value.span)
    value: typed.Expression | None = None
    if declarator.value is None:
        if is_open:
            body.report(errors.no_type(name.span, f"`{name.text}`", "give it a value, or a type in place of `auto`"))
        elif type is not None:
            value = typed.ZeroValue(type, name.span)
    elif is_open:
        value = expressions.value(body, declarator.value)
        type = None if value is None else value.type
    else:
        wanted = Wanted(name.span, f"`{name.text}` is {type}")
        value = expressions.value_as(body, declarator.value, type, wanted)
    variable = body.declare(name.text, name.span, type, VariableKind.LOCAL)
    if variable is None:
        return None
    return typed.Declare(variable, _wrong(span) if value is None else value, span)


# Assignments


def assignment(body: Body, tree: syntax.Assignment) -> typed.Statement:
    target = expressions.place(body, tree.target, f"the left side of `{tree.operator}`")
    if target is None:
        expressions.expression(body, tree.value)
        return typed.Evaluate(_wrong(tree.span), tree.span)
    if tree.operator == "=":
        value = expressions.value_as(body, tree.value, target.type, _wanted(target))
        return typed.Assign(target, _wrong(tree.span) if value is None else value, tree.span)
    return _update(body, tree, target)


def _wanted(target: typed.Expression) -> Wanted:
    """Where the type of an assignment's target comes from."""
    match target:
        case typed.VariableRef(variable=variable):
            return Wanted(variable.span, f"`{variable.name}` is {variable.type}")
        case _:
            return Wanted(target.span, f"this is {target.type}")


def _update(body: Body, tree: syntax.Assignment, target: typed.Expression) -> typed.Statement:
    """`target op= value`: the value converts to the target's type (or to int, when that is char)."""
    operator, type = tree.operator[:-1], target.type
    value = expressions.value(body, tree.value, type)
    wrong = typed.Evaluate(_wrong(tree.span), tree.span)
    if value is None:
        return wrong
    if operator == "+" and isinstance(type, VectorType):
        joined = coerce(body, value, type, _wanted(target))
        return wrong if joined is None else typed.Update(target, "+", joined, type, tree.span)
    if not is_number(type) or not is_number(value.type) or (type in FLOATS and operator not in "+-*/"):
        body.report(errors.operator_undefined(tree.span, tree.operator, type, value.type))
        return wrong
    accepted = value if type is CHAR and value.type is INT else coerce(body, value, type, _wanted(target))
    if accepted is None:
        return wrong
    operand_type = arithmetic_type(operator, type, accepted.type)
    assert operand_type is not None
    return typed.Update(target, operator, convert(accepted, operand_type), operand_type, tree.span)


def step(body: Body, tree: syntax.Step) -> typed.Statement:
    target = expressions.place(body, tree.target, f"the operand of `{tree.operator}`")
    if target is None:
        return typed.Evaluate(_wrong(tree.span), tree.span)
    if not is_number(target.type):
        body.report(errors.prefix_undefined(target.span, tree.operator, target.type))
        return typed.Evaluate(_wrong(tree.span), tree.span)
    operand_type = promoted(target.type)
    one = convert(typed.IntLiteral(1, INT, tree.span), operand_type)
    return typed.Update(target, tree.operator[0], one, operand_type, tree.span)


def appending(body: Body, tree: syntax.Appending) -> list[typed.Statement]:
    target = expressions.place(body, tree.target, "the left side of `::`")
    if target is None or not isinstance(target.type, VectorType):
        if target is not None:
            declared = expressions.declared_at(target)
            body.report(errors.append_to_no_vector(target.span, target.type, declared))
        for part in tree.values:
            expressions.expression(body, part)
        return []
    result: list[typed.Append] = []
    for part in tree.values:
        span = tree.target.span.to(part.span)
        appended = _appended(body, part, target, target.type)
        if appended is not None:
            result.append(typed.Append(target, appended[0], appended[1], span))
    return [*result] if len(result) < 2 else _reached_once(body, target, result)


def _reached_once(body: Body, target: typed.Expression, appends: list[typed.Append]) -> list[typed.Statement]:
    """`v[f()] :: 1 :: 2` calls f once: what is computed to find the place gets a variable of its own."""
    declared: list[typed.Statement] = []

    def found(part: typed.Expression) -> typed.Expression:
        if isinstance(part, typed.IntLiteral | typed.StringLiteral | typed.BoolLiteral):
            return part
        variable = typed.Variable("index", part.type, VariableKind.LOCAL, body.variable_count, part.span)
        body.variable_count += 1
        declared.append(typed.Declare(variable, part, part.span))
        return typed.VariableRef(variable, part.type, part.span)

    def place(part: typed.Expression) -> typed.Expression:
        match part:
            case typed.Field():
                return replace(part, base=place(part.base))
            case typed.Index():
                return replace(part, base=place(part.base), index=found(part.index))
            case typed.MapEntry():
                return replace(part, base=place(part.base), key=found(part.key))
            case _:
                return part

    once = place(target)
    if not declared:
        return [*appends]
    return [typed.Block((*declared, *(replace(append, target=once) for append in appends)), target.span)]


def _appended(
    body: Body, tree: syntax.Expression, target: typed.Expression, type: VectorType
) -> tuple[typed.Expression, bool] | None:
    """What is appended, and whether it is a whole vector rather than one element. What could be either by the way it is
    written, such as `["a", "b"]`, is an element where it can be."""
    for hint in (type.element, type):
        fitting = body.attempt(partial(_fitting, body, tree, type, hint))
        if fitting is not None:
            return fitting
    is_whole = expressions.is_flexible(tree) and _depth_of(body, tree) >= _depth(type)
    value = expressions.value(body, tree, type if is_whole else type.element)
    if value is not None:
        _report_not_appendable(body, tree, value, target, type)
    return None


def _fitting(
    body: Body, tree: syntax.Expression, type: VectorType, hint: Type
) -> tuple[typed.Expression, bool] | None:
    """The value, checked with a type to flow into it, and whether it is a vector of that type; None: it is neither."""
    value = expressions.value(body, tree, hint)
    if value is None:
        return None
    if value.type == type:
        return value, True
    if converts_implicitly(value.type, type.element):
        return convert(value, type.element), False
    return None


def _report_not_appendable(
    body: Body, tree: syntax.Expression, value: typed.Expression, target: typed.Expression, type: VectorType
) -> None:
    if isinstance(value, typed.IntLiteral) and is_number(type.element) and not fits(value.value, type.element):
        coerce(body, value, type.element, _wanted(target))
    else:
        body.report(errors.cannot_append(tree.span, value.type, type, expressions.declared_at(target)))


def _depth(type: Type) -> int:
    """How many vectors stand in one another."""
    depth = 0
    while isinstance(type, VectorType):
        depth, type = depth + 1, type.element
    return depth


def _depth_of(body: Body, tree: syntax.Expression) -> int:
    """The same for an expression without a type of its own, by its first element."""
    match tree:
        case syntax.VectorOf(elements=elements):
            return 1 + (_depth_of(body, elements[0]) if elements else 0)
        case syntax.CallOf(arguments=(_, part)) if tree.function.text == "fill" and not isinstance(
            part, syntax.EachArgument
        ):
            return 1 + _depth_of(body, part)
        case syntax.Choice(then=then, otherwise=otherwise):
            return max(_depth_of(body, then), _depth_of(body, otherwise))
        case syntax.TextLiteral():
            return 1
        case syntax.NameUse(name=name):
            local = body.scope.find(name.text)
            return 0 if local is None or local.variable is None else _depth(local.variable.type)
        case _:
            return 0


# Expressions as statements


def expression_statement(body: Body, tree: syntax.ExpressionStatement) -> typed.Statement:
    inner = tree.expression
    result = expressions.expression(body, inner)
    if result is None:
        return typed.Evaluate(_never(body, inner) or _wrong(tree.span), tree.span)
    if not isinstance(inner, syntax.CallOf | syntax.RemoteOf):
        body.report(errors.no_effect(inner.span))
    elif isinstance(result, typed.BuiltinCall) and result.builtin.pure and result.builtin.result == "V":
        _warn_not_in_place(body, result)
    return typed.Evaluate(result, tree.span)


def _warn_not_in_place(body: Body, call: typed.BuiltinCall) -> None:
    """The result of a call may be left unused, but `sort(v);` looks as if it changed v."""
    first = call.arguments[0]
    if expressions.declared_at(first) is not None:
        name = call.builtin.name
        body.report(errors.no_effect(call.span, f"`{name}` gives a new value and leaves its argument: v = {name}(v)"))


def _never(body: Body, tree: syntax.Expression) -> typed.Expression | None:
    """A wrong call of `fail` or `exit` does not return either."""
    if not isinstance(tree, syntax.CallOf):
        return None
    if body.checker.globals.function(tree.function.text, tree.function.span) is not None:
        return None
    for row in builtins.BUILTINS.get(tree.function.text, ()):
        if not row.returns:
            return typed.BuiltinCall(row, (), VOID, tree.span)
    return None


# Branches


def condition(body: Body, tree: syntax.Expression) -> typed.Expression:
    result = expressions.condition(body, tree)
    return _wrong(tree.span) if result is None else result


def if_statement(body: Body, tree: syntax.IfStatement) -> typed.Statement:
    test = condition(body, tree.condition)
    then = block(body, tree.then)
    otherwise = None if tree.otherwise is None else block(body, tree.otherwise)
    return typed.If(test, then, otherwise, tree.span)


def switch(body: Body, tree: syntax.SwitchStatement) -> typed.Statement:
    subject = expressions.value(body, tree.subject)
    type = None if subject is None else subject.type
    if type is not None and type not in INTEGERS and type != STRING:
        body.report(errors.cannot_switch(tree.subject.span, type))
        type = None
    seen: dict[int | bytes | None, Span] = {}
    cases: list[typed.SwitchCase] = []
    body.around.append(Around.SWITCH)
    for case in tree.cases:
        if not case.values:
            _see(body, seen, None, "`default`", case.span)
        given = [_case_value(body, part, type, seen) for part in case.values]
        values = tuple(_wrong(case.span) if part is None else part for part in given)
        cases.append(typed.SwitchCase(values, block(body, case.body), case.span))
    body.around.pop()
    return typed.Switch(_wrong(tree.span) if subject is None else subject, tuple(cases), tree.span)


def break_statement(body: Body, tree: syntax.BreakStatement) -> typed.Statement:
    """It leaves the innermost loop or switch, as in C."""
    if not body.around:
        body.report(errors.outside_loop(tree.span, "break"))
        return typed.Break(tree.span)
    return typed.Break(tree.span, leaves_switch=body.around[-1] is Around.SWITCH)


def _see(body: Body, seen: dict[int | bytes | None, Span], key: int | bytes | None, what: str, span: Span) -> None:
    if key in seen:
        body.report(errors.duplicate_case(span, what, seen[key]))
    seen.setdefault(key, span)


def _case_value(
    body: Body, tree: syntax.Expression, type: Type | None, seen: dict[int | bytes | None, Span]
) -> typed.Expression | None:
    """One value of a `case`: a literal of the subject's type, that no case has had before."""
    given = expressions.value_as(body, tree, type, NOBODY)
    if given is None:
        return None
    try:
        literal = constants.reduced(given)
    except constants.NotComputable as reason:
        body.report(errors.case_not_constant(reason.span, reason.why))
        return None
    except constants.KnownWrong:
        return None
    match literal:
        case typed.IntLiteral(value=number):
            shown = f"'{chr(number)}'" if literal.type is CHAR and 32 <= number < 127 else str(number)
            _see(body, seen, number, f"the value {shown}", tree.span)
            return typed.IntLiteral(number, literal.type, tree.span)
        case typed.StringLiteral(value=text):
            _see(body, seen, text, f'the value "{text.decode("utf-8", "replace")}"', tree.span)
            return typed.StringLiteral(text, literal.type, tree.span)
        case _:
            _see(body, seen, b"", 'the value ""', tree.span)
            return typed.StringLiteral(b"", STRING, tree.span)


# return


def return_statement(body: Body, tree: syntax.ReturnStatement) -> typed.Statement:
    result = body.result
    declared = None if body.ref is None else body.ref.span
    if tree.value is None:
        if result is not None and result is not VOID:
            body.report(errors.return_without_value(tree.span, result, declared))
        return typed.Return(None, tree.span)
    if body.ref is not None and body.ref.is_job and isinstance(tree.value, syntax.RemoteOf):
        return tail_job(body, tree, tree.value)
    if result is VOID:
        if expressions.expression(body, tree.value) is not None:
            name = "the master block" if body.ref is None else f"`{body.name}`"
            body.report(errors.return_with_value(tree.value.span, name, declared))
        return typed.Return(None, tree.span)
    value = expressions.value_as(body, tree.value, result, Wanted(declared, f"`{body.name}` gives {result}"))
    return typed.Return(value, tree.span)


def tail_job(body: Body, tree: syntax.ReturnStatement, remote: syntax.RemoteOf) -> typed.Statement:
    """`return remote g(x);` in a job."""
    assert body.ref is not None
    value = expressions.expression(body, remote)
    if value is not None and body.result is not None and value.type != JobType(body.result):
        declared = body.ref.span
        body.report(errors.wrong_tail(remote.span, body.name, body.result, value.type, declared))
    return typed.Return(value, tree.span, is_tail_job=True)
