"""Random numbers: xoshiro256** with its state in a `struct rng`, seeded by splitmix64 (language page, §8).

A few instructions each, so they stand in the program and not in the runtime. Invariant: the numbers are the same on
every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ms.builtins import RNG
from ms.codegen import memory
from ms.codegen.frame import Frame
from ms.codegen.memory import Operand, register
from ms.typed import BuiltinCall
from ms.types import LONG

_STATE_COUNT = 4
_GOLDEN = 0x9E3779B97F4A7C15
_DOUBLE_UNIT = "0x3CA0000000000000"  # 2^-53


def _i64(value: int) -> str:
    """An unsigned constant as LLVM writes it."""
    return str(value - (1 << 64) if value >> 63 else value)


def _state(f: Frame, rng: str) -> list[str]:
    return [memory.field(f.w, RNG, rng, index) for index in range(_STATE_COUNT)]


def _shifted(f: Frame, value: str, count: int) -> str:
    """value ^ value >> count."""
    return f.w.value(f"xor i64 {value}, {f.w.value(f'lshr i64 {value}, {count}')}")


def _rotated(f: Frame, value: str, count: int) -> str:
    f.w.module.intrinsic("declare i64 @llvm.fshl.i64(i64, i64, i64)")
    return f.w.value(f"call i64 @llvm.fshl.i64(i64 {value}, i64 {value}, i64 {count})")


def _random(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w = f.w
    made = f.temporary(RNG)
    seed = register(operands[0])
    for index, place in enumerate(_state(f, made), 1):
        mixed = w.value(f"add i64 {seed}, {_i64(_GOLDEN * index & (1 << 64) - 1)}")
        mixed = w.value(f"mul i64 {_shifted(f, mixed, 30)}, {_i64(0xBF58476D1CE4E5B9)}")
        mixed = w.value(f"mul i64 {_shifted(f, mixed, 27)}, {_i64(0x94D049BB133111EB)}")
        f.store(LONG, _shifted(f, mixed, 31), place)
    return made


def _next(f: Frame, rng: str) -> str:
    """The next 64 bits."""
    w = f.w
    places = _state(f, rng)
    s0, s1, s2, s3 = [memory.load_register(w, LONG, place) for place in places]
    result = w.value(f"mul i64 {_rotated(f, w.value(f'mul i64 {s1}, 5'), 7)}, 9")
    t = w.value(f"shl i64 {s1}, 17")
    s2 = w.value(f"xor i64 {s2}, {s0}")
    s3 = w.value(f"xor i64 {s3}, {s1}")
    s1 = w.value(f"xor i64 {s1}, {s2}")
    s0 = w.value(f"xor i64 {s0}, {s3}")
    s2 = w.value(f"xor i64 {s2}, {t}")
    s3 = _rotated(f, s3, 45)
    for value, place in zip((s0, s1, s2, s3), places, strict=True):
        f.store(LONG, value, place)
    return result


def _next_long(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return _next(f, register(operands[0]))


def _next_int(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    """The high word of the 128 bits of the next ones times n."""
    w = f.w
    count = register(operands[1])
    with f.failing(w.value(f"icmp sle i32 {count}, 0")):
        memory.call(w, "ms_fail_bound", [count])
    wide = w.value(f"zext i64 {_next(f, register(operands[0]))} to i128")
    product = w.value(f"mul nuw i128 {wide}, {w.value(f'zext i32 {count} to i128')}")
    return w.value(f"trunc i128 {w.value(f'lshr i128 {product}, 64')} to i32")


def _next_double(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w = f.w
    bits = w.value(f"lshr i64 {_next(f, register(operands[0]))}, 11")
    return w.value(f"fmul double {w.value(f'uitofp i64 {bits} to double')}, {_DOUBLE_UNIT}")


GENERATORS: dict[str, Callable[[Frame, BuiltinCall, Sequence[Operand]], Operand]] = {
    "random": _random,
    "next_long": _next_long,
    "next_int": _next_int,
    "next_double": _next_double,
}
