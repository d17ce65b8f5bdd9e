"""Operators and conversions on registers: what the machine does, with M/s's rules where the two differ.

Integer arithmetic wraps, division by zero fails, INT_MIN / -1 wraps, shift counts are taken modulo the width, a
conversion that loses the value's magnitude fails (language page, §3, §4). Floating point carries no fast-math flag of
any kind.
"""

from __future__ import annotations

from ms.codegen import layout, memory
from ms.codegen.emitter import double_constant
from ms.codegen.frame import Frame
from ms.diagnostics import InternalError
from ms.types import BOOL, CHAR, DOUBLE, FLOAT, FLOATS, INT, LONG, Type

_INTEGER = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
_FLOATING = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
_SHIFTS = {"<<": "shl", ">>": "ashr", ">>>": "lshr"}
_SIGNED = {"==": "eq", "!=": "ne", "<": "slt", "<=": "sle", ">": "sgt", ">=": "sge"}
_UNSIGNED = {"==": "eq", "!=": "ne", "<": "ult", "<=": "ule", ">": "ugt", ">=": "uge"}
_ORDERED = {"==": "oeq", "!=": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}
_RANGES: dict[Type, tuple[float, str, float]] = {
    INT: (-2147483649.0, "ogt", 2147483648.0),
    LONG: (-9223372036854775808.0, "oge", 9223372036854775808.0),
    CHAR: (-1.0, "ogt", 256.0),
}


def binary(f: Frame, operator: str, type: Type, left: str, right: str, right_type: Type) -> str:
    """left op right, both of `type`; a shift's count is an int or a long."""
    w = f.w
    llvm = layout.register_type(type)
    if type in FLOATS:
        return w.value(f"{_FLOATING[operator]} {llvm} {left}, {right}")
    if operator in _INTEGER:
        return w.value(f"{_INTEGER[operator]} {llvm} {left}, {right}")
    if operator in _SHIFTS:
        count = convert(f, right, right_type, type)
        count = w.value(f"and {llvm} {count}, {31 if type is INT else 63}")
        return w.value(f"{_SHIFTS[operator]} {llvm} {left}, {count}")
    return _divide(f, operator, llvm, left, right)


def step(f: Frame, operator: str, type: Type, left: str, right: str) -> str:
    """A sum or difference that is known not to wrap."""
    return f.w.value(f"{_INTEGER[operator]} nsw {layout.register_type(type)} {left}, {right}")


def _divide(f: Frame, operator: str, llvm: str, left: str, right: str) -> str:
    w = f.w
    instruction = "sdiv" if operator == "/" else "srem"
    if memory.is_constant(right) and right not in ("0", "-1"):
        return w.value(f"{instruction} {llvm} {left}, {right}")
    if not f.unit.unchecked:
        with f.failing(w.value(f"icmp eq {llvm} {right}, 0")):
            memory.call(w, "ms_fail_division")
    # The smallest number divided by -1 stops the machine, so -1 becomes 1, and the quotient a difference.
    minus_one = w.value(f"icmp eq {llvm} {right}, -1")
    divisor = w.value(f"select i1 {minus_one}, {llvm} 1, {llvm} {right}")
    result = w.value(f"{instruction} {llvm} {left}, {divisor}")
    if operator == "%":
        return result
    return w.value(f"select i1 {minus_one}, {llvm} {w.value(f'sub {llvm} 0, {left}')}, {llvm} {result}")


def unary(f: Frame, operator: str, type: Type, operand: str) -> str:
    llvm = layout.register_type(type)
    if operator == "!":
        return f.w.value(f"xor i1 {operand}, true")
    if operator == "~":
        return f.w.value(f"xor {llvm} {operand}, -1")
    if type in FLOATS:
        return f.w.value(f"fneg {llvm} {operand}")
    return f.w.value(f"sub {llvm} 0, {operand}")


def compare(f: Frame, operator: str, type: Type, left: str, right: str) -> str:
    """An i1; for scalars and handles."""
    llvm = layout.register_type(type)
    if type in FLOATS:
        return f.w.value(f"fcmp {_ORDERED[operator]} {llvm} {left}, {right}")
    table = _UNSIGNED if type in (CHAR, BOOL) else _SIGNED
    return f.w.value(f"icmp {table[operator]} {llvm} {left}, {right}")


def choose(f: Frame, operator: str, type: Type, second: str, first: str) -> str:
    """The second when it stands in that relation to the first, else the first. A NaN gives way to a number, as in C's
    fmin and fmax."""
    w, llvm = f.w, layout.register_type(type)
    better = compare(f, operator, type, second, first)
    if type in FLOATS:
        better = w.value(f"or i1 {better}, {w.value(f'fcmp uno {llvm} {first}, {first}')}")
    return w.value(f"select i1 {better}, {llvm} {second}, {llvm} {first}")


def convert(f: Frame, value: str, source: Type, target: Type) -> str:
    """The conversion between two number types."""
    if source == target:
        return value
    w = f.w
    before, after = layout.register_type(source), layout.register_type(target)
    if source in FLOATS:
        if target in FLOATS:
            return w.value(f"{'fpext' if target is DOUBLE else 'fptrunc'} {before} {value} to {after}")
        return _to_integer(f, value, source, target)
    if target in FLOATS:
        return w.value(f"{'uitofp' if source is CHAR else 'sitofp'} {before} {value} to {after}")
    if memory.is_constant(value) and target is LONG:
        return value
    order = {CHAR: 0, INT: 1, LONG: 2}
    if source not in order or target not in order:
        raise InternalError(f"no conversion from {source} to {target}")
    if order[source] > order[target]:
        return w.value(f"trunc {before} {value} to {after}")
    return w.value(f"{'zext' if source is CHAR else 'sext'} {before} {value} to {after}")


def _to_integer(f: Frame, value: str, source: Type, target: Type) -> str:
    """Truncates; fails when the value is NaN or its whole part does not fit."""
    w = f.w
    single = value
    if source is FLOAT:
        value = w.value(f"fpext float {value} to double")
    low, above, high = _RANGES[target]
    if not f.unit.unchecked:
        fits_low = w.value(f"fcmp {above} double {value}, {double_constant(low)}")
        fits_high = w.value(f"fcmp olt double {value}, {double_constant(high)}")
        fits = w.value(f"and i1 {fits_low}, {fits_high}")
        with f.failing(w.value(f"xor i1 {fits}, true")):
            failing = "ms_fail_convert_float" if source is FLOAT else "ms_fail_convert"
            memory.call(w, failing, [single, w.module.c_string(str(target))])
    return w.value(f"{'fptoui' if target is CHAR else 'fptosi'} double {value} to {layout.register_type(target)}")


