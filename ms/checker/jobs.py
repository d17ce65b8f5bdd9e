"""Jobs: `remote` with all that may stand around it, `completed`, and what a job can reach.

An argument of a `remote` call is a value for its parameter, or a handle that stands for one (`waits`), or `each` of
many of either. A job may be told to run on another machine, where there is no command line: `check_reach` follows the
calls from every job and reports what must not be there. It does not follow `remote`, since what that starts is a job
itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ms import builtins, errors, syntax, typed
from ms.checker import calls, expressions
from ms.checker.context import Body
from ms.checker.conversions import Wanted, coerce
from ms.checker.types import contains_job
from ms.scope import FunctionSymbol
from ms.source import Span
from ms.types import INT, LONG, VOID, JobType, Type, VectorType, converts_implicitly

Argument: TypeAlias = syntax.Expression | syntax.EachArgument


def remote_of(body: Body, tree: syntax.RemoteOf) -> typed.Expression | None:
    call = tree.call
    if not isinstance(call, syntax.CallOf):
        body.report(errors.remote_without_call(call.span))
        return None
    name = call.function.text
    symbol = body.checker.globals.function(name, call.function.span)
    if symbol is None:
        _report_not_a_function(body, call)
        return None
    ref = symbol.ref
    if ref is None:
        body.has_errors = True
        return None
    if not ref.is_job:
        what = "a C function" if ref.is_extern else "a function that is not a job"
        body.report(errors.not_a_job(call.function.span, name, what, symbol.span))
        return None
    given: list[Argument] = [*([] if call.receiver is None else [call.receiver]), *call.arguments]
    arguments = _arguments(body, call, symbol, given)
    is_many = any(isinstance(argument, syntax.EachArgument) for argument in given)
    reduce = None if tree.reduce is None else _reducer(body, tree.reduce, ref, is_many)
    type: Type = JobType(ref.result)
    if is_many and tree.reduce is None:
        type = VectorType(type)
    return typed.RemoteCall(
        ref,
        tuple(argument.value for argument in arguments),
        tuple(argument.is_each for argument in arguments),
        tuple(argument.waits for argument in arguments),
        reduce,
        type,
        tree.span,
    )


def _report_not_a_function(body: Body, call: syntax.CallOf) -> None:
    name = call.function.text
    if name in builtins.BUILTINS or name in builtins.CONVERSIONS:
        body.report(errors.not_a_job(call.function.span, name, "a built-in function", None))
    else:
        calls.report_unknown_function(body, call.function)


# Arguments


@dataclass(frozen=True, slots=True)
class _Given:
    """An argument of a `remote` call; see `typed.RemoteCall`."""

    value: typed.Expression
    is_each: bool
    waits: bool


def _arguments(body: Body, call: syntax.CallOf, symbol: FunctionSymbol, given: list[Argument]) -> list[_Given]:
    """Every argument as its parameter wants it, as far as they are right."""
    ref = symbol.ref
    assert ref is not None
    count = len(ref.parameter_types)
    if len(given) != count:
        for tree in given:
            if not isinstance(tree, syntax.EachArgument):
                expressions.expression(body, tree)
        body.report(errors.wrong_argument_count(call.function.span, ref.name, str(count), len(given), symbol.span))
        return []
    checked: list[_Given] = []
    for tree, type, parameter in zip(given, ref.parameter_types, symbol.parameters):
        if isinstance(tree, syntax.EachArgument):
            argument = _each(body, tree, type, parameter.span)
        else:
            argument = _one(body, tree, type, parameter.span)
        if argument is not None:
            checked.append(argument)
    return checked


def _wanted(type: Type, declared: Span) -> Wanted:
    return Wanted(declared, f"the parameter is {type}")


def _one(body: Body, tree: syntax.Expression, type: Type, declared: Span) -> _Given | None:
    value = expressions.value(body, tree, None if _is_about_handles(body, tree) else type)
    if value is None:
        return None
    if contains_job(value.type):
        return _Given(value, False, True) if _stands_for(body, value.type, type, tree.span, declared) else None
    fitting = coerce(body, value, type, _wanted(type, declared))
    return None if fitting is None else _Given(fitting, False, False)


def _each(body: Body, tree: syntax.EachArgument, type: Type, declared: Span) -> _Given | None:
    inner = tree.value
    if isinstance(inner, syntax.Range):
        value = _range(body, inner, type, declared)
    else:
        value = expressions.value(body, inner, None if _is_about_handles(body, inner) else VectorType(type))
    if value is None:
        return None
    if not isinstance(value.type, VectorType):
        body.report(errors.cannot_each(inner.span, value.type))
        return None
    element = value.type.element
    if contains_job(element):
        return _Given(value, True, True) if _stands_for(body, element, type, inner.span, declared) else None
    if not converts_implicitly(element, type):
        body.report(errors.wrong_elements(inner.span, type, element, declared, f"the parameter is {type}"))
        return None
    return _Given(value, True, False)


def _range(body: Body, tree: syntax.Range, type: Type, declared: Span) -> typed.Expression | None:
    element = LONG if type is LONG else INT
    low = expressions.value_as(body, tree.low, element, _wanted(type, declared))
    high = expressions.value_as(body, tree.high, element, _wanted(type, declared))
    if low is None or high is None:
        return None
    return typed.Range(low, high, VectorType(element), tree.span)


def _stands_for(body: Body, found: Type, type: Type, span: Span, declared: Span) -> bool:
    """Whether a handle, or a vector of handles, may stand for a value of the parameter's type."""
    if found == JobType(type):
        return True
    if isinstance(type, VectorType) and found == VectorType(JobType(type.element)):
        return True
    body.report(errors.handle_of_another_type(span, type, found, declared))
    return False


def _is_about_handles(body: Body, tree: syntax.Expression) -> bool:
    """Whether an argument is written with handles, so that the parameter's type must not flow into it."""
    match tree:
        case syntax.RemoteOf():
            return True
        case syntax.NameUse(name=name):
            local = body.scope.find(name.text)
            return local is not None and local.variable is not None and contains_job(local.variable.type)
        case syntax.VectorOf(elements=elements):
            return any(_is_about_handles(body, element) for element in elements)
        case syntax.Choice(then=then, otherwise=otherwise):
            return _is_about_handles(body, then) or _is_about_handles(body, otherwise)
        case syntax.Infix(left=left, right=right):
            return _is_about_handles(body, left) or _is_about_handles(body, right)
        case syntax.IndexOf(base=base) | syntax.SliceOf(base=base):
            return _is_about_handles(body, base)
        case syntax.CallOf():
            return _gives_handles(body, tree)
        case _:
            return False


def _gives_handles(body: Body, tree: syntax.CallOf) -> bool:
    symbol = body.checker.globals.function(tree.function.text, tree.function.span)
    if symbol is not None:
        return symbol.ref is not None and contains_job(symbol.ref.result)
    given = [*([] if tree.receiver is None else [tree.receiver]), *tree.arguments]
    return any(not isinstance(part, syntax.EachArgument) and _is_about_handles(body, part) for part in given)


# reduce


def _reducer(body: Body, name: syntax.Name, started: typed.FunctionRef, is_many: bool) -> typed.FunctionRef | None:
    """The job behind `reduce`."""
    symbol = body.checker.globals.function(name.text, name.span)
    result = started.result
    if symbol is None and name.text not in builtins.BUILTINS:
        calls.report_unknown_function(body, name)
        return None
    if symbol is not None and symbol.ref is None:
        body.has_errors = True
        return None
    if result is VOID:
        body.report(errors.nothing_to_combine(name.span, f"`{started.name}` gives none"))
        return None
    ref = None if symbol is None else symbol.ref
    if ref is None or not ref.is_job or ref.result != result or ref.parameter_types != (result, result):
        declared = None if symbol is None else symbol.span
        body.report(errors.wrong_reducer(name.span, name.text, result, declared))
        return None
    if not is_many:
        help = "`each` before an argument starts a job for each element"
        body.report(errors.nothing_to_combine(name.span, "this is a single job", help))
        return None
    return ref


# completed


def is_completed(body: Body, tree: syntax.CallOf) -> bool:
    """Whether it is the `completed(js)` that a `for` goes over."""
    name = tree.function.text
    return name == "completed" and body.checker.globals.function(name, tree.function.span) is None


def completed_jobs(body: Body, tree: syntax.CallOf) -> typed.Expression | None:
    """The js of `completed(js)`."""
    arguments = calls.plain_arguments(body, tree)
    if arguments is None:
        return None
    if len(arguments) != 1:
        body.report(errors.wrong_argument_count(tree.function.span, "completed", "1", len(arguments), None))
        return None
    jobs = expressions.value(body, arguments[0])
    if jobs is None or (isinstance(jobs.type, VectorType) and isinstance(jobs.type.element, JobType)):
        return jobs
    body.report(errors.not_a_handle(jobs.span, "completed", jobs.type, "a vector of job handles"))
    return None


# What a job can reach


def check_reach(bodies: Iterable[Body]) -> None:
    """Follows the calls from every job, breadth first, and reports the nearest way to what a job cannot have."""
    by_name = {body.name: body for body in bodies if body.ref is not None}
    origin: dict[str, tuple[str, Span] | None] = {
        name: None for name, body in by_name.items() if body.ref is not None and body.ref.is_job
    }
    queue = list(origin)
    for name in queue:
        body = by_name[name]
        _report_reached(by_name, origin, body)
        for site in body.calls:
            if site.callee not in origin and site.callee in by_name:
                origin[site.callee] = (name, site.span)
                queue.append(site.callee)


def _report_reached(by_name: dict[str, Body], origin: dict[str, tuple[str, Span] | None], body: Body) -> None:
    if not body.master_calls:
        return
    chain: list[tuple[Span, str]] = []
    name = body.name
    step = origin[name]
    while step is not None:
        caller, span = step
        chain.append((span, f"`{caller}` calls `{name}` here"))
        name = caller
        step = origin[name]
    job = by_name[name].ref
    assert job is not None
    for site in body.master_calls:
        body.report(errors.job_reaches(site.span, site.callee, name, job.span, tuple(reversed(chain))))
