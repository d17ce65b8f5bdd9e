"""Type names become types, and what the checker wants to know about a type.

Conversions between types stand in `conversions.py`. Invariant: `resolve` gives None only after it has reported why (or
when an earlier message silences it).
"""

from __future__ import annotations

from typing import assert_never

from ms import errors, syntax
from ms.checker.context import Body
from ms.scope import nearest
from ms.source import Span
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    INTEGERS,
    JOB_STATE,
    LONG,
    NUMBERS,
    STRING,
    VOID,
    JobType,
    MapType,
    StructType,
    Type,
    VectorType,
)

_NAMED: dict[str, Type] = {
    "int": INT,
    "long": LONG,
    "double": DOUBLE,
    "float": FLOAT,
    "bool": BOOL,
    "char": CHAR,
    "string": STRING,
    "job_state": JOB_STATE,
    "void": VOID,
}


def is_auto(name: syntax.TypeName) -> bool:
    return isinstance(name, syntax.NamedType) and name.name == "auto"


def resolve_result(body: Body, name: syntax.TypeName) -> Type | None:
    """The type of a function's result: the one place, besides `job<void>`, for void."""
    match name:
        case syntax.NamedType():
            return _resolve_named(body, name.name, name.span)
        case syntax.StructTypeName():
            return _resolve_struct(body, name.name.text, name.name.span)
        case syntax.VectorTypeName():
            element = resolve(body, name.element, "an element")
            return None if element is None else VectorType(element)
        case syntax.MapTypeName():
            key = resolve(body, name.key, "a key")
            mapped = resolve(body, name.value, "a value")
            if key is not None and not is_key(key):
                body.report(errors.not_a_key(name.key.span, key))
                key = None
            return None if key is None or mapped is None else MapType(key, mapped)
        case syntax.JobTypeName():
            result = resolve_result(body, name.result)
            return None if result is None else JobType(result)
        case _:
            assert_never(name)


def resolve(body: Body, name: syntax.TypeName, what: str) -> Type | None:
    """The type of `what` ("a variable", "a field"), which cannot be void."""
    type = resolve_result(body, name)
    if type is VOID:
        body.report(errors.void_variable(name.span, what))
        return None
    return type


def _resolve_named(body: Body, name: str, span: Span) -> Type | None:
    type = _NAMED.get(name)
    if type is not None:
        return type
    if name == "auto":
        body.report(errors.no_type(span, "this", "`auto` stands only for the type of a variable with an initialiser"))
        return None
    return _resolve_struct(body, name, span)


def _resolve_struct(body: Body, name: str, span: Span) -> Type | None:
    symbols = body.checker.globals
    if symbols.struct(name, span) is not None:
        return StructType(name)
    near = nearest(name, [*symbols.names(symbols.structs, span), *_NAMED])
    body.report_unknown(name, errors.unknown_type(span, name, near, symbols.elsewhere(name)))
    return None


def contains_job(type: Type) -> bool:
    """Whether a value of the type is or holds a handle. A struct never does: its fields are checked."""
    match type:
        case JobType():
            return True
        case VectorType():
            return contains_job(type.element)
        case MapType():
            return contains_job(type.value)
        case _:
            return False


def is_key(type: Type) -> bool:
    """Whether a map may have keys of the type."""
    return type in (INT, LONG, CHAR, BOOL) or type == STRING


def is_number(type: Type) -> bool:
    """A number or a char: what takes part in arithmetic."""
    return type in NUMBERS or type is CHAR


def is_integer(type: Type) -> bool:
    return type in INTEGERS


def is_ordered(type: Type) -> bool:
    """Whether `<` compares two values of the type."""
    return type in NUMBERS or type is CHAR or type == STRING


def promoted(type: Type) -> Type:
    """The type in which an operand computes: char operands compute as int."""
    return INT if type is CHAR else type
