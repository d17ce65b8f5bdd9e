"""Operators: what they are defined for, and in which type they compute (§4).

`+=` and its like stand in `statements.py` and ask `arithmetic_type` here.
Invariant: both operands of a `Binary` or a `Compare` have one type, except the count of a shift.
"""

from __future__ import annotations

import math

from ms import errors, syntax, typed
from ms.advice import NEAREST_DOUBLE
from ms.checker import expressions
from ms.checker.context import Body
from ms.checker.conversions import coerce, convert
from ms.checker.types import is_integer, is_number, is_ordered, promoted
from ms.types import BOOL, CHAR, FLOATS, INT, LONG, NUMBERS, STRING, JobType, Type, VectorType, common_type

_ARITHMETIC = frozenset({"+", "-", "*", "/"})
_INTEGER = frozenset({"%", "&", "|", "^"})
SHIFTS = frozenset({"<<", ">>", ">>>"})
_EQUALITIES = frozenset({"==", "!="})
_LOGICAL = frozenset({"&&", "||"})

_LIMITS = {INT: (-(1 << 31), (1 << 31) - 1), CHAR: (0, 255)}


# Prefix operators


def prefix(body: Body, tree: syntax.Prefix, hint: Type | None) -> typed.Expression | None:
    literal = expressions.negated_literal(tree)
    if literal is not None:
        return expressions.expression(body, literal, hint)
    operand = expressions.value(body, tree.operand)
    if operand is None:
        return None
    found = operand.type
    if tree.operator == "!":
        if found is BOOL:
            return typed.Unary("!", operand, BOOL, tree.span)
        help = ("compare it with something: x == 0",) if is_number(found) else ()
        body.report(errors.prefix_undefined(operand.span, "!", found, *help))
        return None
    if is_integer(found) or (tree.operator == "-" and found in NUMBERS):
        type = promoted(found)
        return typed.Unary(tree.operator, convert(operand, type), type, tree.span)
    help = ("`!` turns a bool round",) if found is BOOL else ()
    body.report(errors.prefix_undefined(operand.span, tree.operator, found, *help))
    return None


# Infix operators


def infix(body: Body, tree: syntax.Infix, hint: Type | None) -> typed.Expression | None:
    operator = tree.operator
    if operator in _LOGICAL:
        return _logical(body, tree)
    if operator in SHIFTS:  # the count has a type of its own, which says nothing about the other side
        left, right = expressions.value(body, tree.left), expressions.value(body, tree.right)
    else:
        joins = operator == "+" and isinstance(hint, VectorType)
        left, right = expressions.pair(body, tree.left, tree.right, hint if joins else None)
    if left is None or right is None:
        return None
    if operator in _ARITHMETIC or operator in _INTEGER or operator in SHIFTS:
        return _binary(body, tree, left, right)
    return _compare(body, tree, left, right)


def _logical(body: Body, tree: syntax.Infix) -> typed.Expression | None:
    left = expressions.value(body, tree.left)
    right = expressions.value(body, tree.right)
    if left is None or right is None:
        return None
    if left.type is not BOOL or right.type is not BOOL:
        help = ("compare the numbers with something: x != 0",) if is_number(left.type) or is_number(right.type) else ()
        body.report(errors.operator_undefined(tree.operator_span, tree.operator, left.type, right.type, *help))
        return None
    return typed.Logical(tree.operator, left, right, BOOL, tree.span)


def arithmetic_type(operator: str, left: Type, right: Type) -> Type | None:
    """The type in which `left operator right` computes, None where the operator is not defined."""
    if operator in SHIFTS:
        return promoted(left) if is_integer(left) and is_integer(right) else None
    if not is_number(left) or not is_number(right):
        return None
    common = common_type(promoted(left), promoted(right))
    return None if operator in _INTEGER and common in FLOATS else common


def _binary(body: Body, tree: syntax.Infix, left: typed.Expression, right: typed.Expression) -> typed.Expression | None:
    operator = tree.operator
    if operator == "+" and isinstance(left.type, VectorType) and left.type == right.type:
        return typed.Concat(left, right, left.type, tree.span)
    type = arithmetic_type(operator, left.type, right.type)
    if type is None:
        help = _operator_help(operator, left.type, right.type)
        body.report(errors.operator_undefined(tree.operator_span, operator, left.type, right.type, *help))
        return None
    right_type = promoted(right.type) if operator in SHIFTS else type
    return typed.Binary(operator, convert(left, type), convert(right, right_type), type, tree.span)


def _operator_help(operator: str, left: Type, right: Type) -> tuple[str, ...]:
    types = (left, right)
    if isinstance(left, JobType) or isinstance(right, JobType):
        return ("get(j) waits for a job and gives its result",)
    if operator == "+" and STRING in types:
        return ("str(x) gives the text of a value",)
    if operator == "%" and all(is_number(type) for type in types):
        return ("fmod(x, y) is the remainder of doubles",)
    if LONG in types and (left in FLOATS or right in FLOATS):
        return (NEAREST_DOUBLE,)
    if left is BOOL and right is BOOL and operator in ("&", "|", "^"):
        return ({"&": "`&&` is the `and` of bools", "|": "`||` is the `or` of bools"}.get(operator, "use `!=`"),)
    return ()


# Comparisons


def _compare(
    body: Body, tree: syntax.Infix, left: typed.Expression, right: typed.Expression
) -> typed.Expression | None:
    operator = tree.operator
    type = common_type(left.type, right.type)
    if type is None:
        help = _operator_help(operator, left.type, right.type)
        body.report(errors.operator_undefined(tree.operator_span, operator, left.type, right.type, *help))
        return None
    if operator not in _EQUALITIES and not is_ordered(type):
        body.report(errors.not_ordered(tree.operator_span, type))
        return None
    _warn_always(body, tree, left, right)
    return typed.Compare(operator, convert(left, type), convert(right, type), BOOL, tree.span)


_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


def _warn_always(body: Body, tree: syntax.Infix, left: typed.Expression, right: typed.Expression) -> None:
    """A value compared with a literal beyond the limits of its type, a variable compared with itself, and anything with
    the constant `nan`."""
    if any(isinstance(part, typed.FloatLiteral) and math.isnan(part.value) for part in (left, right)):
        body.report(errors.always(tree.span, tree.operator == "!=", "nan equals nothing and has no order: is_nan(x)"))
        return
    if isinstance(left, typed.VariableRef) and isinstance(right, typed.VariableRef):
        if left.variable is right.variable and left.type not in FLOATS and is_ordered(left.type):
            body.report(
                errors.always(tree.span, tree.operator in ("==", "<=", ">="), "both sides are the same variable")
            )
        return
    if isinstance(right, typed.IntLiteral):
        value, operator, literal = left, tree.operator, right.value
    elif isinstance(left, typed.IntLiteral):
        value, operator, literal = right, _MIRRORED[tree.operator], left.value
    else:
        return
    what, limits = str(value.type), _LIMITS.get(value.type)  # type: ignore[arg-type]
    if isinstance(value, typed.BuiltinCall) and value.builtin.name == "size":
        what, limits = "a size", (0, _LIMITS[INT][1])
    if limits is None or isinstance(value, typed.IntLiteral):
        return
    outcome = _outcome(operator, limits, literal)
    if outcome is not None:
        body.report(errors.always(tree.span, outcome, f"{what} is {limits[0]} to {limits[1]}"))


def _outcome(operator: str, limits: tuple[int, int], literal: int) -> bool | None:
    """What `x operator literal` gives for every x within the limits, None when that depends on x."""
    low, high = limits
    match operator:
        case "==" | "!=":
            return None if low <= literal <= high else operator == "!="
        case "<":
            return True if high < literal else False if low >= literal else None
        case "<=":
            return True if high <= literal else False if low > literal else None
        case ">":
            return True if low > literal else False if high <= literal else None
        case _:
            return True if low >= literal else False if high < literal else None


# c ? a : b


def choice(body: Body, tree: syntax.Choice, hint: Type | None) -> typed.Expression | None:
    condition = expressions.condition(body, tree.condition)
    then, otherwise = expressions.pair(body, tree.then, tree.otherwise, hint)
    if then is None or otherwise is None or condition is None:
        return None
    type = common_type(then.type, otherwise.type)
    if type is None:
        body.report(errors.no_common_type(otherwise.span, "the arms of `?:`", otherwise.type, then.type, then.span))
        return None
    first, second = coerce(body, then, type), coerce(body, otherwise, type)
    if first is None or second is None:
        return None
    return typed.Conditional(condition, first, second, type, tree.span)
