"""Calls of built-in functions: the rows of `ms/builtins.py` interpreted by their pattern words.

A row is chosen by the number of arguments and, where several are left, by the type of the first one. Then each
argument is checked against its pattern from left to right; `Bindings` holds what the pattern words stand for in this
call. Invariant: the arguments of a `BuiltinCall` are converted to what the row wants; those passed in-out are places.
"""

from __future__ import annotations

from dataclasses import dataclass

from ms import errors, syntax, typed
from ms.builtins import Builtin, Mode, Pattern, Where
from ms.checker import builtin_structs, expressions, formats, references
from ms.checker.context import Body, CallSite
from ms.checker.conversions import coerce, convert
from ms.checker.types import is_number, is_ordered, promoted
from ms.diagnostics import InternalError
from ms.types import (
    BOOL,
    CHAR,
    INT,
    INTEGERS,
    LONG,
    NUMBERS,
    STRING,
    VOID,
    JobType,
    MapType,
    Type,
    VectorType,
    common_type,
)

_NEEDS_ORDER = frozenset({"sort", "min_of", "max_of"})
_WORDS = frozenset({INT, LONG, BOOL, CHAR}) | {STRING}


_MAP_HELP = {
    "find": ("has(m, k) tells whether a key is there",),
    "contains": ("has(m, k) tells whether a key is there",),
    "insert": ("m[k] = x puts a pair in",),
}


@dataclass(slots=True)
class Bindings:
    """What the pattern words of the row mean here. `element` is "T", `vector` is "V", `map` is "M", `number` the first
    "N"; `hint` is the type that is expected of the whole call."""

    row: Builtin
    hint: Type | None
    element: Type | None = None
    vector: VectorType | None = None
    number: Type | None = None
    map: MapType | None = None


def builtin_call(
    body: Body, tree: syntax.CallOf, rows: tuple[Builtin, ...], arguments: list[syntax.Expression], hint: Type | None
) -> typed.Expression | None:
    name = tree.function.text
    if name == "completed":
        body.report(errors.completed_outside(tree.function.span))
        return None
    if any(row.where is Where.MASTER for row in rows):
        body.master_calls.append(CallSite(name, tree.function.span))
    if rows[0].symbol == "format" and arguments:
        return formats.format_call(body, tree, rows[0], arguments)
    candidates = [row for row in rows if _takes(row, len(arguments))]
    if not candidates:
        for argument in arguments:
            expressions.expression(body, argument)
        wanted = _counts(rows)
        body.report(errors.wrong_argument_count(tree.function.span, name, wanted, len(arguments), None))
        return None
    first: typed.Expression | None = None
    row = candidates[0]
    if len(candidates) > 1:
        in_place = all(row.parameters[0][1] is Mode.INOUT for row in candidates)
        first = _place(body, arguments[0], row) if in_place else expressions.value(body, arguments[0])
        if first is None:
            return None
        chosen = [candidate for candidate in candidates if _matches(candidate.parameters[0][0], first.type)]
        if not chosen:
            _report_not_applicable(body, candidates, first)
            return None
        row = chosen[0]
    return _row_call(body, tree, row, arguments, first, hint)


def _takes(row: Builtin, count: int) -> bool:
    fixed = len(row.parameters)
    if fixed and row.parameters[-1][0] == "...":
        return count >= fixed - 1
    return count == fixed


def _counts(rows: tuple[Builtin, ...]) -> str:
    counts = sorted({len(row.parameters) for row in rows})
    return " or ".join(str(count) for count in counts)


def _matches(pattern: Pattern, type: Type) -> bool:
    """Whether a first argument of the type chooses the row."""
    match pattern:
        case "V":
            return isinstance(type, VectorType)
        case "M":
            return isinstance(type, MapType)
        case "N":
            return is_number(type)
        case "S":
            return type == STRING
        case "J":
            return isinstance(type, JobType)
        case "JS":
            return isinstance(type, VectorType) and isinstance(type.element, JobType)
        case str():
            return False
        case _:
            return type == pattern


_WANTED = {
    "V": "a vector or a string",
    "M": "a map",
    "N": "a number",
    "S": "a string",
    "JS": "a vector of job handles",
    "J": "a job handle",
}


def _report_not_applicable(body: Body, rows: list[Builtin], first: typed.Expression) -> None:
    patterns = [row.parameters[0][0] for row in rows]
    wanted = " or ".join(_WANTED.get(str(pattern), str(pattern)) for pattern in patterns)
    if patterns == ["V", "M"]:
        wanted = "a vector, a string or a map"
    name = rows[0].name
    if "J" in patterns or "JS" in patterns:
        body.report(errors.not_a_handle(first.span, name, first.type, wanted))
    else:
        body.report(errors.builtin_not_applicable(first.span, name, first.type, wanted))


def _row_call(
    body: Body,
    tree: syntax.CallOf,
    row: Builtin,
    arguments: list[syntax.Expression],
    first: typed.Expression | None,
    hint: Type | None,
) -> typed.Expression | None:
    """`first`: the first argument, when it was checked to choose the row."""
    if not builtin_structs.may_call(body, row, tree.function.span):
        return None
    bindings = Bindings(row, hint)
    parameters = row.parameters
    checked: list[typed.Expression] = []
    is_wrong = False
    for index, argument in enumerate(arguments):
        pattern, mode = parameters[min(index, len(parameters) - 1)]
        given: typed.Expression | None
        if index == 0 and first is not None:
            given = first
        elif mode is Mode.INOUT:
            given = _place(body, argument, row)
        else:
            given = _value(body, argument, pattern, bindings)
        if given is not None:
            given = _fit(body, given, pattern, bindings)
        if given is None:
            is_wrong = True
            if index == 0 and row.symbol != "fill" and pattern in ("V", "M", "J", "JS"):
                _check_rest(body, arguments[1:], parameters)
                break
        else:
            checked.append(given)
    if is_wrong:
        return _known_result(row, tree)
    if parameters and parameters[0][0] == "N" and expressions.is_flexible(arguments[0]):
        _let_flow(body, arguments, checked)
    return _finish(body, tree, bindings, checked)


def _let_flow(body: Body, arguments: list[syntax.Expression], checked: list[typed.Expression]) -> None:
    """The type of the second operand flows into a literal that is the first, as with `+`."""
    if len(arguments) == 2 and not expressions.is_flexible(arguments[1]):
        again = expressions.value(body, arguments[0], checked[1].type)
        if again is not None:
            checked[0] = convert(again, promoted(again.type))


def _known_result(row: Builtin, tree: syntax.CallOf) -> typed.Expression | None:
    """A call with a wrong argument still has its type, where that does not depend on the argument."""
    return None if isinstance(row.result, str) else typed.BuiltinCall(row, (), row.result, tree.span)


def _check_rest(body: Body, arguments: list[syntax.Expression], parameters: tuple[tuple[Pattern, Mode], ...]) -> None:
    """The arguments behind a wrong first one: only what is wrong in themselves."""
    for argument, (pattern, _) in zip(arguments, parameters[1:]):
        if pattern != "F" and not expressions.is_flexible(argument):
            expressions.expression(body, argument)


# One argument


def _place(body: Body, tree: syntax.Expression, row: Builtin) -> typed.Expression | None:
    given = expressions.place(body, tree, f"the first argument of `{row.name}`")
    base = None if given is None else expressions.base_of(given)
    if isinstance(base, typed.VariableRef) and row.result is not VOID:
        local = body.scope.find(base.variable.name)
        if local is not None:
            local.is_read = True
    return given


def _value(body: Body, tree: syntax.Expression, pattern: Pattern, bindings: Bindings) -> typed.Expression | None:
    """The argument with the type that its place suggests, not compared with it yet."""
    match pattern:
        case "T" | "E":
            hint = bindings.element
            if bindings.row.symbol == "fill" and isinstance(bindings.hint, VectorType):
                hint = bindings.hint.element
            return expressions.value(body, tree, hint)
        case "V":
            result_hint = bindings.hint if bindings.row.result == "V" else None
            return expressions.value(body, tree, result_hint)
        case "S":
            return expressions.value(body, tree, STRING)
        case "N":
            return expressions.value(body, tree, bindings.number)
        case "F":
            return _less(body, tree, bindings)
        case "K" | "W":
            return expressions.value(body, tree, _of_map(pattern, bindings))
        case str():
            return expressions.value(body, tree)
        case _:
            return expressions.value(body, tree, pattern)


def _fit(body: Body, given: typed.Expression, pattern: Pattern, bindings: Bindings) -> typed.Expression | None:
    """The argument as the pattern wants it; binds what the pattern names."""
    name = bindings.row.name
    match pattern:
        case "..." | "F":
            return given
        case "T":
            return _fit_element(body, given, bindings)
        case "E":
            if bindings.element is CHAR and given.type == STRING:
                return given
            return _fit_element(body, given, bindings)
        case "V":
            return _fit_vector(body, given, bindings)
        case "M":
            return _fit_map(body, given, bindings)
        case "K" | "W":
            return coerce(body, given, _of_map(pattern, bindings))
        case "S":
            return coerce(body, given, STRING)
        case "N":
            if is_number(given.type):
                bindings.number = bindings.number or promoted(given.type)
                return convert(given, promoted(given.type))
            body.report(errors.builtin_not_applicable(given.span, name, given.type, "a number"))
            return None
        case "I":
            return given if given.type in (INT, LONG) else coerce(body, given, INT)
        case "J" | "JS":
            return _fit_handle(body, given, pattern, bindings)
        case str():
            raise InternalError(f"pattern {pattern} of {name} is not built", given.span)
        case _:
            return coerce(body, given, pattern)


def _fit_element(body: Body, given: typed.Expression, bindings: Bindings) -> typed.Expression | None:
    """A "T": the element's type where a vector has said it, else whatever the argument is."""
    row = bindings.row
    if bindings.element is not None:
        return coerce(body, given, bindings.element)
    if row.symbol == "fill" and isinstance(bindings.hint, VectorType):
        bindings.element = bindings.hint.element
        return coerce(body, given, bindings.element)
    if row.symbol == "arg" and given.type not in NUMBERS and given.type not in _WORDS:
        wanted = "a number, bool, char or string as its default"
        body.report(errors.builtin_not_applicable(given.span, row.name, given.type, wanted))
        return None
    bindings.element = given.type
    return given


def _fit_vector(body: Body, given: typed.Expression, bindings: Bindings) -> typed.Expression | None:
    row = bindings.row
    type = given.type
    if not isinstance(type, VectorType):
        help = ("get(j) waits for a job and gives its result",) if isinstance(type, JobType) else ()
        if isinstance(type, MapType):
            help = _MAP_HELP.get(row.name, ("keys(m) and values(m) are vectors",))
        body.report(errors.builtin_not_applicable(given.span, row.name, type, _WANTED["V"], *help))
        return None
    bindings.vector, bindings.element = type, type.element
    if row.symbol in _NEEDS_ORDER and not is_ordered(type.element):
        less = f"{row.name}(v, less) takes the order from a function `bool less({type.element} a, {type.element} b)`"
        body.report(errors.not_ordered(given.span, type.element, less))
        return None
    if row.symbol == "sum" and type.element not in NUMBERS:
        body.report(errors.builtin_not_applicable(given.span, row.name, type, "a vector of numbers"))
        return None
    return given


def _fit_map(body: Body, given: typed.Expression, bindings: Bindings) -> typed.Expression | None:
    if not isinstance(given.type, MapType):
        body.report(errors.builtin_not_applicable(given.span, bindings.row.name, given.type, _WANTED["M"]))
        return None
    bindings.map = given.type
    return given


def _of_map(pattern: str, bindings: Bindings) -> Type:
    """The type of the map's keys ("K") or values ("W")."""
    if bindings.map is None:
        raise InternalError(f"{bindings.row.name} has no map before its {pattern}")
    return bindings.map.key if pattern == "K" else bindings.map.value


def _fit_handle(body: Body, given: typed.Expression, pattern: str, bindings: Bindings) -> typed.Expression | None:
    type = given.type
    if pattern == "JS":
        handle = type.element if isinstance(type, VectorType) else None
    else:
        handle = type
    if not isinstance(handle, JobType):
        body.report(errors.not_a_handle(given.span, bindings.row.name, type, _WANTED[pattern]))
        return None
    bindings.element = handle.result
    return given


def _less(body: Body, tree: syntax.Expression, bindings: Bindings) -> typed.Expression | None:
    """The name of a function `bool less(T a, T b)`."""
    element = bindings.element
    if element is None:
        return None
    name = tree.name.text if isinstance(tree, syntax.NameUse) else ""
    symbol = body.checker.globals.function(name, tree.span)
    if symbol is None or not isinstance(tree, syntax.NameUse):
        if expressions.expression(body, tree) is not None:
            body.report(errors.wrong_less(tree.span, "less", element, None))
        return None
    body.calls.append(CallSite(name, tree.span))
    ref = symbol.ref
    if ref is None:
        body.has_errors = True
        return None
    if (
        ref.result is not BOOL
        or ref.parameter_types != (element, element)
        or typed.VariableKind.REFERENCE in ref.parameter_kinds
    ):
        body.report(errors.wrong_less(tree.span, name, element, symbol.span))
        return None
    return typed.FunctionValue(ref, BOOL, tree.span)


# The whole call


def _finish(
    body: Body, tree: syntax.CallOf, bindings: Bindings, checked: list[typed.Expression]
) -> typed.Expression | None:
    row = bindings.row
    if any(pattern == "N" for pattern, _ in row.parameters):
        type = _common_number(body, row, checked)
        if type is None:
            return None
        return typed.BuiltinCall(row, tuple(convert(part, type) for part in checked), type, tree.span)
    arguments = tuple(checked)
    if row.parameters and row.parameters[0][1] is Mode.INOUT:
        references.check_unchanged(body, arguments[0], arguments[1:])
    return typed.BuiltinCall(row, arguments, _result(bindings), tree.span)


def _common_number(body: Body, row: Builtin, checked: list[typed.Expression]) -> Type | None:
    """The one type of all "N" of a call."""
    type = checked[0].type
    for part in checked[1:]:
        common = common_type(type, part.type)
        if common is None:
            what = f"the arguments of `{row.name}`"
            body.report(errors.no_common_type(part.span, what, part.type, type, checked[0].span))
            return None
        type = common
    return type


def _result(bindings: Bindings) -> Type:
    result, element = bindings.row.result, bindings.element
    match result:
        case "T":
            assert element is not None
            return element
        case "V":
            assert element is not None
            return bindings.vector or VectorType(element)
        case "vector<T>":
            assert element is not None
            return VOID if element is VOID else VectorType(element)
        case "W":
            return _of_map("W", bindings)
        case "vector<K>":
            return VectorType(_of_map("K", bindings))
        case "vector<W>":
            return VectorType(_of_map("W", bindings))
        case "N":
            assert element is not None
            return LONG if element in INTEGERS else element
        case str():
            raise InternalError(f"result {result} of {bindings.row.name} is not built")
        case _:
            return result
