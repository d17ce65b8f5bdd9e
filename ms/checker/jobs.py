"""Jobs: `remote`, and what a job can reach.

A job may be told to run on another machine, where there is no command line, no master and (in this version) nobody to
start more jobs: `check_reach` follows the calls from every job and reports what must not be there.
"""

from __future__ import annotations

from collections.abc import Iterable

from ms import builtins, errors, syntax, typed
from ms.checker import calls
from ms.checker.context import Body, CallSite
from ms.source import Span
from ms.types import JobType


def remote_of(body: Body, tree: syntax.RemoteOf) -> typed.Expression | None:
    if tree.reduce is not None:
        body.report_unbuilt("`reduce`", tree.reduce.span)
        return None
    call = tree.call
    if not isinstance(call, syntax.CallOf):
        body.report(errors.remote_without_call(call.span))
        return None
    name = call.function.text
    body.remotes.append(CallSite(name, tree.span))
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
    arguments = calls.plain_arguments(body, call)
    if arguments is None:
        return None
    checked = calls.checked_arguments(body, call, symbol, arguments, is_remote=True)
    count = len(ref.parameter_types)
    type = JobType(ref.result)
    return typed.RemoteCall(ref, checked or (), (False,) * count, (False,) * count, None, type, tree.span)


def _report_not_a_function(body: Body, call: syntax.CallOf) -> None:
    name = call.function.text
    if name in builtins.BUILTINS or name in builtins.CONVERSIONS:
        body.report(errors.not_a_job(call.function.span, name, "a built-in function", None))
    else:
        calls.report_unknown_function(body, call.function)


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
    if body.remotes:
        body.report_unbuilt("`remote` in what a job can reach", body.remotes[0].span)
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
