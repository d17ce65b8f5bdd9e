"""Constants: values that the compiler computes, with the same bits that the program would compute.

The value of a `const` and the values of a `case` are checked like any expression and then reduced to literals here:
literals, constants, operators, conversions, mathematics, `fill`, and elements and fields of constants. Everything else
is not computable. Invariant: `reduced` gives a tree of literals; a vector of chars is always a `StringLiteral`, unless
it is empty.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from ms import errors, typed
from ms.checker import expressions, types
from ms.checker.context import Body, Checker
from ms.checker.conversions import Wanted, rounded, wrapped
from ms.checker.operators import SHIFTS
from ms.scope import ConstantSymbol, Progress
from ms.source import Span
from ms.types import BOOL, CHAR, DOUBLE, FLOATS, INT, INTEGERS, LONG, VOID, MapType, Type, VectorType

_ELEMENTS_MAX = 1 << 22

_Scalar = typed.IntLiteral | typed.FloatLiteral | typed.BoolLiteral | typed.StateLiteral


class NotComputable(Exception):
    """Why an expression has no value at compile time, and the part that is to blame."""

    def __init__(self, span: Span, why: str) -> None:
        super().__init__(why)
        self.span = span
        self.why = why


class KnownWrong(Exception):
    """The expression is wrong, and that is reported."""


def constant_of(checker: Checker, symbol: ConstantSymbol) -> typed.Constant | None:
    """The constant behind a symbol, computed now when nobody needed it before. None: it is wrong, and that is
    reported."""
    if symbol.progress is Progress.UNTOUCHED:
        symbol.progress = Progress.UNDER_WAY
        symbol.constant = _computed(checker, symbol)
        symbol.progress = Progress.DONE
    elif symbol.progress is Progress.UNDER_WAY:
        name = symbol.declarator.name.text
        checker.report(errors.not_computable(symbol.span, f"`{name}` depends on itself"))
    return symbol.constant


def _computed(checker: Checker, symbol: ConstantSymbol) -> typed.Constant | None:
    name = symbol.declarator.name
    body = Body(checker, name.text, None)
    type = types.resolve(body, symbol.type, "a constant")
    if type is None:
        return None
    if types.contains_job(type):
        body.report(errors.handle_in(symbol.type.span, "a constant"))
        return None
    if symbol.declarator.value is None:
        body.report(errors.not_computable(name.span, "a constant needs a value"))
        return None
    value = expressions.value_as(body, symbol.declarator.value, type, Wanted(name.span, f"`{name.text}` is {type}"))
    if value is None:
        return None
    try:
        literal = reduced(value)
    except NotComputable as reason:
        body.report(errors.not_computable(reason.span, reason.why))
        return None
    except KnownWrong:
        return None
    return typed.Constant(name.text, type, literal, name.span)


def reduced(expression: typed.Expression) -> typed.Expression:
    """The value of an expression as a tree of literals."""
    match expression:
        case (
            typed.IntLiteral()
            | typed.FloatLiteral()
            | typed.BoolLiteral()
            | typed.StringLiteral()
            | typed.StateLiteral()
            | typed.ZeroValue()
        ):
            return _zero(expression) if isinstance(expression, typed.ZeroValue) else expression
        case typed.ConstantRef(constant=constant):
            return constant.value
        case typed.Unary():
            return _unary(expression)
        case typed.Binary():
            return _binary(expression)
        case typed.Compare():
            return _compare(expression)
        case typed.Logical(operator=word, left=left, right=right, span=span):
            first = _scalar(left)
            is_decided = bool(first.value) is (word == "||")
            return typed.BoolLiteral(bool(first.value if is_decided else _scalar(right).value), BOOL, span)
        case typed.Conditional(condition=condition, then=then, otherwise=otherwise):
            return reduced(then if _scalar(condition).value else otherwise)
        case typed.Convert(operand=operand, type=type, span=span):
            return _converted(_scalar(operand), type, span)
        case typed.Concat(left=left, right=right, type=type, span=span):
            return _vector(_elements(reduced(left)) + _elements(reduced(right)), type, span)
        case typed.VectorLiteral(elements=elements, type=type, span=span):
            return _vector(tuple(reduced(part) for part in elements), type, span)
        case typed.StructLiteral(values=values, evaluation=evaluation, type=type, span=span):
            return typed.StructLiteral(tuple(reduced(part) for part in values), evaluation, type, span)
        case typed.MapLiteral(pairs=pairs, type=type, span=span):
            return _map(tuple((reduced(key), reduced(value)) for key, value in pairs), type, span)
        case typed.Index() | typed.Slice() | typed.Field() | typed.MapEntry():
            return _part(expression)
        case typed.BuiltinCall():
            return _builtin(expression)
        case _:
            raise NotComputable(expression.span, _why(expression))


def _why(expression: typed.Expression) -> str:
    match expression:
        case typed.VariableRef(variable=variable):
            return f"`{variable.name}` is a variable"
        case typed.Call(function=function):
            return f"`{function.name}` is called when the program runs"
        case typed.RemoteCall():
            return "a job is started when the program runs"
        case _:
            return "it is only known when the program runs"


def _scalar(expression: typed.Expression) -> _Scalar:
    literal = reduced(expression)
    if isinstance(literal, _Scalar):
        return literal
    raise NotComputable(expression.span, _why(expression))


def _zero(value: typed.ZeroValue) -> typed.Expression:
    """The literal of a scalar's zero; the zero of anything else stays as it is."""
    type, span = value.type, value.span
    if type in INTEGERS:
        return typed.IntLiteral(0, type, span)
    if type in FLOATS:
        return typed.FloatLiteral(0.0, type, span)
    if type is BOOL:
        return typed.BoolLiteral(False, type, span)
    return value


def _number(value: float, type: Type, span: Span) -> typed.IntLiteral | typed.FloatLiteral:
    if type in FLOATS:
        return typed.FloatLiteral(rounded(value, type), type, span)
    return typed.IntLiteral(wrapped(int(value), type), type, span)


# Operators


def _unary(expression: typed.Unary) -> typed.Expression:
    operand = _scalar(expression.operand).value
    if expression.operator == "!":
        return typed.BoolLiteral(not operand, BOOL, expression.span)
    if expression.operator == "~":
        return _number(~int(operand), expression.type, expression.span)
    return _number(-operand, expression.type, expression.span)


_PLAIN: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


def _binary(expression: typed.Binary) -> typed.Expression:
    left, right = _scalar(expression.left).value, _scalar(expression.right).value
    if expression.type in FLOATS:
        return _number(_real(expression.operator, left, right), expression.type, expression.span)
    result = _integer(expression, int(left), int(right))
    return _number(result, expression.type, expression.span)


def _integer(expression: typed.Binary, left: int, right: int) -> int:
    word = expression.operator
    if word in SHIFTS:
        width = 64 if expression.type is LONG else 32
        count = right % width
        if word == "<<":
            return left << count
        return (left if word == ">>" else left & ((1 << width) - 1)) >> count
    if word in ("/", "%"):
        if right == 0:
            raise NotComputable(expression.span, "division by zero")
        quotient = abs(left) // abs(right)
        if (left < 0) != (right < 0):
            quotient = -quotient
        return quotient if word == "/" else left - right * quotient
    return _PLAIN[word](left, right)


def _real(word: str, left: float, right: float) -> float:
    match word:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return _quotient(left, right)


def _quotient(left: float, right: float) -> float:
    """IEEE division, which knows no failure."""
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, math.copysign(1.0, left) * math.copysign(1.0, right))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(expression: typed.Compare) -> typed.Expression:
    left, right = reduced(expression.left), reduced(expression.right)
    word = expression.operator
    if word in ("==", "!="):
        result = _equal(left, right) is (word == "==")
    elif isinstance(left, _Scalar) and isinstance(right, _Scalar):
        result = _COMPARISONS[word](left.value, right.value)
    else:
        result = _COMPARISONS[word](_bytes(left), _bytes(right))
    return typed.BoolLiteral(result, BOOL, expression.span)


def _bytes(value: typed.Expression) -> bytes:
    return value.value if isinstance(value, typed.StringLiteral) else b""


def _equal(left: typed.Expression, right: typed.Expression) -> bool:
    if isinstance(left, _Scalar) and isinstance(right, _Scalar):
        return left.value == right.value
    if isinstance(left, typed.StructLiteral) and isinstance(right, typed.StructLiteral):
        return all(_equal(one, other) for one, other in zip(left.values, right.values))
    if isinstance(left.type, VectorType):
        ours, theirs = _elements(left), _elements(right)
        return len(ours) == len(theirs) and all(_equal(one, other) for one, other in zip(ours, theirs))
    if isinstance(left.type, MapType):
        first, second = _pairs(left), _pairs(right)
        return first.keys() == second.keys() and all(_equal(first[key][1], second[key][1]) for key in first)
    raise NotComputable(left.span, "the zero value of a struct is only known when the program runs")


def _converted(operand: _Scalar, type: Type, span: Span) -> typed.Expression:
    value = operand.value
    if isinstance(operand, typed.FloatLiteral) and type in INTEGERS:
        low, high = {INT: (-(2.0**31), 2.0**31), CHAR: (0.0, 256.0)}.get(type, (-(2.0**63), 2.0**63))
        if not (math.isfinite(value) and low <= math.trunc(value) < high):
            raise NotComputable(span, f"{value!r} is out of the range of {type}")
        return _number(math.trunc(value), type, span)
    return _number(value, type, span)


# Vectors and structs


def _elements(value: typed.Expression) -> tuple[typed.Expression, ...]:
    match value:
        case typed.VectorLiteral(elements=elements):
            return elements
        case typed.StringLiteral(value=text, span=span):
            return tuple(typed.IntLiteral(byte, CHAR, span) for byte in text)
        case _:
            return ()


def _vector(elements: tuple[typed.Expression, ...], type: Type, span: Span) -> typed.Expression:
    if not elements:
        return typed.ZeroValue(type, span)
    if isinstance(type, VectorType) and type.element is CHAR:
        return typed.StringLiteral(
            bytes(part.value for part in elements if isinstance(part, typed.IntLiteral)), type, span
        )
    return typed.VectorLiteral(elements, type, span)


def _key(value: typed.Expression) -> int | bytes:
    """What tells keys apart."""
    return int(value.value) if isinstance(value, _Scalar) else _bytes(value)


def _pairs(value: typed.Expression) -> dict[int | bytes, tuple[typed.Expression, typed.Expression]]:
    pairs = value.pairs if isinstance(value, typed.MapLiteral) else ()
    return {_key(key): (key, mapped) for key, mapped in pairs}


def _map(pairs: tuple[tuple[typed.Expression, typed.Expression], ...], type: Type, span: Span) -> typed.Expression:
    """A key that comes again has its first place and its last value."""
    found: dict[int | bytes, tuple[typed.Expression, typed.Expression]] = {}
    for key, value in pairs:
        first, _ = found.get(_key(key), (key, value))
        found[_key(key)] = first, value
    return typed.MapLiteral(tuple(found.values()), type, span)


def _part(expression: typed.Index | typed.Slice | typed.Field | typed.MapEntry) -> typed.Expression:
    base = reduced(expression.base)
    match expression:
        case typed.Field(index=index, type=type, span=span):
            if isinstance(base, typed.StructLiteral):
                return base.values[index]
            return _zero(typed.ZeroValue(type, span))
        case typed.Index():
            elements = _elements(base)
            place = int(_scalar(expression.index).value)
            if not 0 <= place < len(elements):
                raise NotComputable(expression.span, f"index {place} is out of range, the size is {len(elements)}")
            return elements[place]
        case typed.MapEntry(key=key, span=span):
            pair = _pairs(base).get(_key(reduced(key)))
            if pair is None:
                raise NotComputable(span, "there is no such key")
            return pair[1]
        case typed.Slice():
            elements = _elements(base)
            low, high = int(_scalar(expression.low).value), int(_scalar(expression.high).value)
            if not 0 <= low <= high <= len(elements):
                raise NotComputable(expression.span, f"{low}..{high} is out of range, the size is {len(elements)}")
            return _vector(elements[low:high], expression.type, expression.span)


# Built-in functions


def _round(value: float) -> float:
    """To the nearest integer, halves away from zero."""
    if not math.isfinite(value):
        return value
    whole = float(math.trunc(value))
    if abs(value - whole) >= 0.5:
        whole += math.copysign(1.0, value)
    return math.copysign(whole, value)


def _to_integer(rounding: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: math.copysign(float(rounding(value)), value) if math.isfinite(value) else value


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else function(value)


_ONE_REAL: dict[str, Callable[[float], float]] = {
    "sqrt": lambda value: value if value == 0 else math.sqrt(value),
    "cbrt": math.cbrt,
    "exp": math.exp,
    "log": _logarithm(math.log),
    "log2": _logarithm(math.log2),
    "log10": _logarithm(math.log10),
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "floor": _to_integer(math.floor),
    "ceil": _to_integer(math.ceil),
    "trunc": _to_integer(math.trunc),
    "round": _round,
}
_TWO_REALS: dict[str, Callable[[float, float], float]] = {
    "pow": math.pow,
    "atan2": math.atan2,
    "fmod": math.fmod,
    "hypot": math.hypot,
}


def _builtin(call: typed.BuiltinCall) -> typed.Expression:
    symbol, type, span = call.builtin.symbol, call.type, call.span
    if symbol == "fill":
        return _fill(call)
    is_known = symbol in _ONE_REAL or symbol in _TWO_REALS or symbol in ("abs", "min", "max", "is_nan", "popcount")
    if not is_known or type is VOID:
        raise NotComputable(span, f"`{call.builtin.name}` is called when the program runs")
    if len(call.arguments) < len(call.builtin.parameters):
        raise KnownWrong
    values = [_scalar(argument).value for argument in call.arguments]
    if symbol == "is_nan":
        return typed.BoolLiteral(math.isnan(values[0]), BOOL, span)
    if symbol == "popcount":
        width = 64 if call.arguments[0].type is LONG else 32
        return _number((int(values[0]) & ((1 << width) - 1)).bit_count(), type, span)
    if symbol == "abs":
        return _number(abs(values[0]), type, span)
    if symbol in ("min", "max"):
        return _number(_extreme(symbol, values[0], values[1]), type, span)
    if symbol in _ONE_REAL:
        return _number(_guarded(_ONE_REAL[symbol], values), DOUBLE, span)
    return _number(_guarded(_TWO_REALS[symbol], values), DOUBLE, span)


def _extreme(symbol: str, left: float, right: float) -> float:
    """As C's fmin and fmax: a number wins over NaN."""
    if math.isnan(left):
        return right
    if math.isnan(right):
        return left
    return (min if symbol == "min" else max)(left, right)


def _guarded(function: Callable[..., float], values: list[int] | list[float] | list[bool] | list[int | float]) -> float:
    """C's answer where Python raises: NaN outside the domain, infinity beyond the range."""
    if any(math.isnan(value) for value in values) and function not in (math.pow, math.hypot):
        return math.nan
    try:
        return function(*values)
    except ValueError:
        return _outside_domain(function, values)
    except OverflowError:
        is_negative = function is math.pow and values[0] < 0 and values[1] % 2 == 1
        return -math.inf if is_negative else math.inf


def _outside_domain(
    function: Callable[..., float], values: list[int] | list[float] | list[bool] | list[int | float]
) -> float:
    """pow(0, negative) is a pole; everything else outside its domain is NaN."""
    if function is math.pow and values[0] == 0:
        is_odd = values[1] % 2 == 1
        return math.copysign(math.inf, values[0]) if is_odd else math.inf
    return math.nan


def _fill(call: typed.BuiltinCall) -> typed.Expression:
    count = int(_scalar(call.arguments[0]).value)
    if not 0 <= count <= _ELEMENTS_MAX:
        raise NotComputable(call.span, f"a constant vector has 0 to {_ELEMENTS_MAX} elements, not {count}")
    return _vector((reduced(call.arguments[1]),) * count, call.type, call.span)
