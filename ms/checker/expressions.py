"""Expressions: surface tree to typed tree.

Operators stand in `operators.py`, calls in `calls.py` and `builtin_calls.py`, `remote` in `jobs.py`; these files and
this one call each other, as the grammar's rules do. A type that is expected flows down as `hint`: literals, `[]`,
`fill` and `?:` take it where they can, everything else ignores it, and `conversions.coerce` compares the outcome with
it afterwards. Invariant: None means that an error was reported, so whoever gets it says nothing more.
"""

from __future__ import annotations

import math
from typing import assert_never

from ms import builtins, errors, syntax, typed
from ms.checker import calls, constants, jobs, maps, operators
from ms.checker.context import Body
from ms.checker.conversions import NOBODY, Wanted, coerce, convert, fits, wrapped
from ms.scope import Local, nearest
from ms.source import Span
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    FLOATS,
    INT,
    JOB_STATE,
    LONG,
    STRING,
    VOID,
    MapType,
    StructType,
    Type,
    VectorType,
    common_type,
)

_STATES = {"running": 0, "finished": 1, "failed": 2}


def expression(body: Body, tree: syntax.Expression, hint: Type | None = None) -> typed.Expression | None:
    """Any expression, also one that gives no value."""
    match tree:
        case syntax.NameUse():
            return name_use(body, tree)
        case syntax.IntegerLiteral():
            return integer_literal(tree, hint)
        case syntax.Infix():
            return operators.infix(body, tree, hint)
        case syntax.CallOf():
            return calls.call(body, tree, hint)
        case syntax.IndexOf():
            return index_of(body, tree, value(body, tree.base))
        case syntax.FieldOf():
            return field_of(body, tree, value(body, tree.base))
        case syntax.TextLiteral():
            return typed.StringLiteral(tree.value, STRING, tree.span)
        case syntax.CharLiteral():
            type = hint if hint in (INT, LONG) and hint is not None else CHAR
            return typed.IntLiteral(tree.value, type, tree.span)
        case syntax.FloatingLiteral():
            return floating_literal(body, tree, hint)
        case syntax.BooleanLiteral():
            return typed.BoolLiteral(tree.value, BOOL, tree.span)
        case syntax.StateName():
            return typed.StateLiteral(_STATES[tree.text], JOB_STATE, tree.span)
        case syntax.Prefix():
            return operators.prefix(body, tree, hint)
        case syntax.Choice():
            return operators.choice(body, tree, hint)
        case syntax.SliceOf():
            return slice_of(body, tree, hint)
        case syntax.VectorOf():
            return vector_of(body, tree, hint)
        case syntax.StructOf():
            return struct_of(body, tree)
        case syntax.RemoteOf():
            return jobs.remote_of(body, tree)
        case syntax.Range():
            body.report(errors.stray_range(tree.span))
            return None
        case syntax.MapOf():
            return maps.map_of(body, tree, hint)
        case _:
            assert_never(tree)


def value(body: Body, tree: syntax.Expression, hint: Type | None = None) -> typed.Expression | None:
    """An expression that must give a value."""
    result = expression(body, tree, hint)
    if result is not None and result.type is VOID:
        name, declared = None, None
        if isinstance(tree, syntax.CallOf):
            name = tree.function.text
            if isinstance(result, typed.Call):
                declared = result.function.span
        body.report(errors.void_value(tree.span, name, declared))
        return None
    return result


def value_as(
    body: Body, tree: syntax.Expression, target: Type | None, wanted: Wanted = NOBODY
) -> typed.Expression | None:
    """An expression where the type `target` is wanted (None: an error elsewhere hides which one)."""
    if target is None and _is_empty_literal(tree):
        body.has_errors = True
        return None
    result = value(body, tree, target)
    if result is None or target is None:
        return None
    return coerce(body, result, target, wanted)


def _is_empty_literal(tree: syntax.Expression) -> bool:
    """`[]` or `{}`, which has no type of its own."""
    match tree:
        case syntax.VectorOf(elements=parts) | syntax.MapOf(pairs=parts):
            return not parts
        case _:
            return False


def condition(body: Body, tree: syntax.Expression) -> typed.Expression | None:
    result = value(body, tree)
    if result is not None and result.type is not BOOL:
        body.report(errors.condition_not_bool(tree.span, result.type))
        return None
    return result


# Literals


def integer_literal(tree: syntax.IntegerLiteral, hint: Type | None) -> typed.Expression:
    """A literal that says `L`, or is a pattern of 64 bits, is a long and nothing else; others take the type of their
    place."""
    number = tree.value
    natural = LONG if tree.is_long else INT
    is_said = tree.is_long and fits(number, INT)
    if hint is not None and not is_said:
        if hint in FLOATS and fits(number, hint):
            return typed.FloatLiteral(float(number), hint, tree.span)
        if hint in (LONG, CHAR) and fits(number, hint):
            return typed.IntLiteral(number, hint, tree.span)
    return typed.IntLiteral(number, natural, tree.span)


def floating_literal(body: Body, tree: syntax.FloatingLiteral, hint: Type | None) -> typed.Expression | None:
    if not tree.is_float and hint is not FLOAT:
        return typed.FloatLiteral(tree.value, DOUBLE, tree.span)
    if math.isinf(tree.single) and not math.isinf(tree.value):
        body.report(errors.literal_does_not_fit(tree.span, tree.value, FLOAT, None, ""))
        return None
    return typed.FloatLiteral(tree.single, FLOAT, tree.span)


def negated_literal(tree: syntax.Prefix) -> syntax.IntegerLiteral | syntax.FloatingLiteral | None:
    """`-5` as one literal, so that the sign belongs to what must fit."""
    if tree.operator != "-":
        return None
    match tree.operand:
        case syntax.IntegerLiteral(value=number, is_long=is_long):
            return syntax.IntegerLiteral(wrapped(-number, LONG if is_long else INT), is_long, tree.span)
        case syntax.FloatingLiteral(value=real, single=single, is_float=is_float):
            return syntax.FloatingLiteral(-real, -single, is_float, tree.span)
        case _:
            return None


def is_flexible(tree: syntax.Expression) -> bool:
    """Whether the expression takes its type from where it stands, rather than having one of its own."""
    match tree:
        case syntax.IntegerLiteral() | syntax.CharLiteral() | syntax.VectorOf() | syntax.MapOf():
            return True
        case syntax.FloatingLiteral():
            return not tree.is_float
        case syntax.Prefix():
            return tree.operator == "-" and is_flexible(tree.operand)
        case syntax.Choice():
            return is_flexible(tree.then) and is_flexible(tree.otherwise)
        case syntax.CallOf():
            return tree.function.text == "fill"
        case _:
            return False


def pair(
    body: Body, left: syntax.Expression, right: syntax.Expression, hint: Type | None = None
) -> tuple[typed.Expression | None, typed.Expression | None]:
    """Two expressions of which each may give its type to the other."""
    if is_flexible(left) and not is_flexible(right):
        second = value(body, right, hint)
        first = value(body, left, hint if second is None else second.type)
    else:
        first = value(body, left, hint)
        second = value(body, right, first.type if first is not None and is_flexible(right) else hint)
    return first, second


# Names


def name_use(body: Body, tree: syntax.NameUse) -> typed.Expression | None:
    name = tree.name.text
    local = body.scope.find(name)
    if local is not None:
        local.is_read = True
        return local_use(body, local, tree.span)
    symbol = body.checker.globals.constant(name, tree.span)
    if symbol is not None:
        constant = constants.constant_of(body.checker, symbol)
        if constant is None:
            body.has_errors = True
            return None
        return typed.ConstantRef(constant, constant.type, tree.span)
    if name in builtins.CONSTANTS:
        return typed.FloatLiteral(builtins.CONSTANTS[name], DOUBLE, tree.span)
    _report_unknown(body, name, tree.span)
    return None


def local_use(body: Body, local: Local, span: Span) -> typed.Expression | None:
    variable = local.variable
    if variable is None:
        body.has_errors = True
        return None
    return typed.VariableRef(variable, variable.type, span)


def _report_unknown(body: Body, name: str, span: Span) -> None:
    symbols = body.checker.globals
    if function := symbols.function(name, span):
        help = f"call it: {name}(…)"
        diagnostic = errors.name_is_no_value(span, name, "a function", function.span, help)
    elif struct := symbols.struct(name, span):
        diagnostic = errors.name_is_no_value(span, name, "a struct", struct.span)
    elif name in builtins.BUILTINS:
        diagnostic = errors.name_is_no_value(span, name, "a built-in function", None, f"call it: {name}(…)")
    else:
        candidates = [*body.scope.visible(), *symbols.names(symbols.constants, span), *builtins.CONSTANTS]
        diagnostic = errors.unknown_name(span, name, nearest(name, candidates), symbols.elsewhere(name))
    body.report_unknown(name, diagnostic)


# Places


def place(body: Body, tree: syntax.Expression, what: str) -> typed.Expression | None:
    """An expression that is to be changed: a variable, or a field or an element of one. Being changed is not being
    read."""
    root = _root(tree)
    if not isinstance(root, syntax.NameUse) or _is_builtin_constant(body, root):
        if value(body, tree) is not None:
            body.report(errors.not_a_place(tree.span, what))
        return None
    result = _spine(body, tree)
    if result is None:
        return None
    innermost = base_of(result)
    if isinstance(innermost, typed.ConstantRef):
        constant = innermost.constant
        body.report(errors.constant_changed(tree.span, constant.name, constant.span))
        return None
    return result


def _root(tree: syntax.Expression) -> syntax.Expression:
    while isinstance(tree, syntax.IndexOf | syntax.FieldOf):
        tree = tree.base
    return tree


def _is_builtin_constant(body: Body, tree: syntax.NameUse) -> bool:
    name = tree.name.text
    is_own = body.scope.find(name) is not None or body.checker.globals.constant(name, tree.span) is not None
    return name in builtins.CONSTANTS and not is_own


def _spine(body: Body, tree: syntax.Expression) -> typed.Expression | None:
    """As `value`, without marking the variable at the innermost base as read."""
    match tree:
        case syntax.IndexOf():
            return index_of(body, tree, _spine(body, tree.base), inserts=True)
        case syntax.FieldOf():
            return field_of(body, tree, _spine(body, tree.base))
        case syntax.NameUse():
            local = body.scope.find(tree.name.text)
            return name_use(body, tree) if local is None else local_use(body, local, tree.span)
        case _:
            return value(body, tree)


def base_of(expression: typed.Expression) -> typed.Expression:
    """The innermost base of a place."""
    while isinstance(expression, typed.Field | typed.Index | typed.MapEntry):
        expression = expression.base
    return expression


def declared_at(expression: typed.Expression) -> Span | None:
    """Where the variable or the constant that a place belongs to is declared."""
    match base_of(expression):
        case typed.VariableRef(variable=variable):
            return variable.span
        case typed.ConstantRef(constant=constant):
            return constant.span
        case _:
            return None


# Parts


def index_of(
    body: Body, tree: syntax.IndexOf, base: typed.Expression | None, inserts: bool = False
) -> typed.Expression | None:
    if base is not None and isinstance(base.type, MapType):
        return maps.entry_of(body, tree, base, base.type, inserts)
    index = value(body, tree.index)
    if index is not None:
        index = integer_index(body, index)
    if base is None:
        return None
    if not isinstance(base.type, VectorType):
        body.report(errors.not_indexable(tree.base.span, base.type, slices=False))
        return None
    if index is None:
        return None
    return typed.Index(base, index, base.type.element, tree.span)


def integer_index(body: Body, index: typed.Expression) -> typed.Expression | None:
    """An index or a bound: an int or a long; a char becomes an int."""
    if index.type in (INT, LONG):
        return index
    if index.type is CHAR:
        return convert(index, INT)
    body.report(errors.index_not_integer(index.span, index.type))
    return None


def slice_of(body: Body, tree: syntax.SliceOf, hint: Type | None) -> typed.Expression | None:
    base = value(body, tree.base, hint if isinstance(hint, VectorType) else None)
    if base is not None and not isinstance(base.type, VectorType):
        body.report(errors.not_indexable(tree.base.span, base.type, slices=True))
        value(body, tree.low)
        value(body, tree.high)
        return None
    low = slice_bound(body, tree.low)
    high = slice_bound(body, tree.high)
    if base is None:
        return None
    if low is None or high is None:
        return None
    return typed.Slice(base, low, high, base.type, tree.span)


def slice_bound(body: Body, tree: syntax.Expression) -> typed.Expression | None:
    bound = value(body, tree)
    if bound is not None:
        bound = integer_index(body, bound)
    return None if bound is None else convert(bound, LONG)


def field_of(body: Body, tree: syntax.FieldOf, base: typed.Expression | None) -> typed.Expression | None:
    if base is None:
        return None
    name = tree.field.text
    if not isinstance(base.type, StructType):
        is_function = name in builtins.BUILTINS or name in body.checker.globals.functions
        body.report(errors.no_struct(tree.base.span, base.type, name, is_function))
        return None
    symbol = body.checker.globals.structs[base.type.name]
    index = symbol.indices.get(name)
    if index is None or symbol.struct is None:
        _report_no_field(body, base.type.name, tree.field)
        return None
    return typed.Field(base, name, index, symbol.struct.fields[index].type, tree.span)


def _report_no_field(body: Body, struct: str, name: syntax.Name) -> None:
    symbol = body.checker.globals.structs[struct]
    if name.text in symbol.broken:
        body.has_errors = True
        return
    near = nearest(name.text, symbol.indices)
    message = errors.no_such_field(name.span, struct, name.text, near, symbol.span, symbol.indices)
    body.report_unknown(f"{struct}->{name.text}", message)


# Vectors and structs


def vector_of(body: Body, tree: syntax.VectorOf, hint: Type | None) -> typed.Expression | None:
    element = hint.element if isinstance(hint, VectorType) else None
    if not tree.elements:
        if isinstance(hint, MapType):
            body.report(errors.no_type(tree.span, "`[]`", f"an empty {hint} is written {{}}"))
            return None
        if not isinstance(hint, VectorType):
            body.report(errors.no_type(tree.span, "`[]`", "declare the variable with its type: vector<int> v"))
            return None
        return typed.ZeroValue(hint, tree.span)
    if element is not None:
        given = [value_as(body, part, element) for part in tree.elements]
    else:
        given, element = _elements(body, tree)
    parts = [part for part in given if part is not None]
    if element is None or len(parts) < len(given):
        return None
    return typed.VectorLiteral(tuple(parts), VectorType(element), tree.span)


def _elements(body: Body, tree: syntax.VectorOf) -> tuple[list[typed.Expression | None], Type | None]:
    """The elements of a vector whose type nobody expects: they agree on one among themselves; `[]` follows the
    others."""
    given: list[typed.Expression | None] = [None] * len(tree.elements)
    common: Type | None = None
    first_span = tree.span
    empties = []
    is_wrong = False
    for place_index, part in enumerate(tree.elements):
        if isinstance(part, syntax.VectorOf) and not part.elements:
            empties.append(place_index)
            continue
        element = value(body, part, common if isinstance(part, syntax.VectorOf) else None)
        given[place_index] = element
        if element is None:
            is_wrong = True
        elif common is None:
            common, first_span = element.type, element.span
        else:
            merged = common_type(common, element.type)
            if merged is None:
                body.report(
                    errors.no_common_type(element.span, "the elements of a vector", element.type, common, first_span)
                )
                return given, None
            common = merged
    if is_wrong:
        return given, None
    for place_index in empties:
        given[place_index] = value(body, tree.elements[place_index], common)
    if common is None:
        return given, None
    return [None if part is None else coerce(body, part, common) for part in given], common


def struct_of(body: Body, tree: syntax.StructOf) -> typed.Expression | None:
    name = tree.name.text
    symbols = body.checker.globals
    symbol = symbols.struct(name, tree.name.span)
    if symbol is None:
        span = tree.name.span
        near = nearest(name, symbols.names(symbols.structs, span))
        body.report_unknown(name, errors.unknown_type(span, name, near, symbols.elsewhere(name)))
        for _, part in tree.fields:
            value(body, part)
        return None
    type = StructType(name)
    if symbol.struct is None:
        return None
    fields = symbol.struct.fields
    values: list[typed.Expression | None] = [None] * len(fields)
    seen: dict[str, Span] = {}
    is_wrong = False
    for field, part in tree.fields:
        index = symbol.indices.get(field.text)
        given = None
        if field.text in seen:
            body.report(errors.field_twice(field.span, field.text, seen[field.text]))
        elif index is None:
            _report_no_field(body, name, field)
            value(body, part)
        else:
            wanted = Wanted(fields[index].span, f"the field is {fields[index].type}")
            given = values[index] = value_as(body, part, fields[index].type, wanted)
        seen.setdefault(field.text, field.span)
        is_wrong = is_wrong or given is None
    if is_wrong:
        return None
    whole = tuple(
        typed.ZeroValue(field.type, tree.span) if given is None else given for field, given in zip(fields, values)
    )
    return typed.StructLiteral(whole, tuple(symbol.indices[field.text] for field, _ in tree.fields), type, tree.span)
