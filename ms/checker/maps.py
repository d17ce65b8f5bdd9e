"""Maps: `m[k]` and the literals `{k: v}` and `{}`.

Loops over maps stand in `loops.py`, the built-in functions on them in `builtin_calls.py`.
"""

from __future__ import annotations

from ms import errors, syntax, typed
from ms.checker import expressions
from ms.checker.context import Body
from ms.checker.conversions import Wanted, coerce
from ms.checker.types import is_key
from ms.types import STRING, MapType, StructType, Type, VectorType, common_type


def entry_of(
    body: Body, tree: syntax.IndexOf, base: typed.Expression, type: MapType, inserts: bool
) -> typed.Expression | None:
    declared = expressions.declared_at(base)
    wanted = Wanted(declared or base.span, f"the keys are {type.key}")
    key = expressions.value_as(body, tree.index, type.key, wanted)
    return None if key is None else typed.MapEntry(base, key, inserts, type.value, tree.span)


def as_target(place: typed.Expression) -> typed.Expression:
    """The same place, where it is changed: keys that are missing are put in."""
    match place:
        case typed.MapEntry(base=base, key=key, type=type, span=span):
            return typed.MapEntry(as_target(base), key, True, type, span)
        case typed.Index(base=base, index=index, type=type, span=span):
            return typed.Index(as_target(base), index, type, span)
        case typed.Field(base=base, name=name, index=field, type=type, span=span):
            return typed.Field(as_target(base), name, field, type, span)
        case _:
            return place


def map_of(body: Body, tree: syntax.MapOf, hint: Type | None) -> typed.Expression | None:
    wanted = hint if isinstance(hint, MapType) else None
    if isinstance(hint, StructType):
        body.report(errors.map_for_struct(tree.span, hint))
        return None
    if not tree.pairs:
        if wanted is None:
            help = "declare the variable with its type: map<string, int> m"
            if isinstance(hint, VectorType):
                empty = '""' if hint == STRING else "[]"
                help = f"an empty {hint} is written {empty}"
            body.report(errors.no_type(tree.span, "`{}`", help))
            return None
        return typed.ZeroValue(wanted, tree.span)
    keys = _parts(body, [key for key, _ in tree.pairs], None if wanted is None else wanted.key, "keys")
    values = _parts(body, [value for _, value in tree.pairs], None if wanted is None else wanted.value, "values")
    if keys is None or values is None:
        return None
    key_type = keys[0].type
    if not is_key(key_type):
        body.report(errors.not_a_key(keys[0].span, key_type))
        return None
    pairs = tuple(zip(keys, values, strict=True))
    return typed.MapLiteral(pairs, MapType(key_type, values[0].type), tree.span)


def _parts(
    body: Body, trees: list[syntax.Expression], wanted: Type | None, what: str
) -> list[typed.Expression] | None:
    """All keys or all values of a literal, of the type that is wanted or of one that they agree on; `[]` and `{}`
    follow the others."""
    given: list[typed.Expression | None] = [None] * len(trees)
    common, first = wanted, trees[0].span
    is_settled = wanted is not None
    for index, tree in sorted(enumerate(trees), key=lambda pair: not is_settled and _is_empty(pair[1])):
        hint = common if is_settled or isinstance(tree, syntax.VectorOf | syntax.MapOf) else None
        part = given[index] = expressions.value(body, tree, hint)
        if part is None or is_settled:
            continue
        merged = part.type if common is None else common_type(common, part.type)
        if merged is None:
            assert common is not None
            body.report(errors.no_common_type(part.span, f"the {what} of a map", part.type, common, first))
            return None
        if common is None:
            first = part.span
        common = merged
    if common is None or any(part is None for part in given):
        return None
    converted = [coerce(body, part, common) for part in given if part is not None]
    parts = [part for part in converted if part is not None]
    return parts if len(parts) == len(given) else None


def _is_empty(tree: syntax.Expression) -> bool:
    match tree:
        case syntax.VectorOf(elements=()) | syntax.MapOf(pairs=()):
            return True
        case _:
            return False
