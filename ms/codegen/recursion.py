"""Which functions are written several times, each calling the next, the last the first.

LLVM does not inline a function into itself, so a small recursive function pays for a call in each step; gcc unrolls
such recursion, and this is how it is done here. Only for functions that compute scalars of scalars and cannot fail:
LLVM then knows their calls to be pure, and calls that several steps have in common become one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ms.codegen import changes
from ms.typed import (
    Assign,
    Binary,
    Block,
    BoolLiteral,
    Break,
    Call,
    Compare,
    Conditional,
    Continue,
    Convert,
    Declare,
    Evaluate,
    FloatLiteral,
    For,
    ForRange,
    Function,
    If,
    IntLiteral,
    Logical,
    Return,
    Unary,
    Update,
    VariableKind,
    VariableRef,
    While,
    ZeroValue,
)
from ms.types import FLOATS, INTEGERS, VOID, Scalar

COPIES = 3
_NODES_MAX = 60
_HARMLESS = (
    Assign, Block, BoolLiteral, Break, Compare, Conditional, Continue, Declare, Evaluate, FloatLiteral, For, ForRange,
    If, IntLiteral, Logical, Return, Unary, VariableRef, While, ZeroValue,
)  # fmt: skip


def copies(function: Function) -> int:
    """How often a function is written."""
    return COPIES if _is_of_scalars(function) and _is_small_and_harmless(function) else 1


def _is_of_scalars(function: Function) -> bool:
    ref = function.ref
    kinds = all(kind is VariableKind.PARAMETER for kind in ref.parameter_kinds)
    types = (ref.result, *ref.parameter_types)
    return kinds and ref.result is not VOID and all(isinstance(type, Scalar) for type in types)


def _is_small_and_harmless(function: Function) -> bool:
    calls_itself = False
    for count, node in enumerate(changes.walk([function.body])):
        if count > _NODES_MAX:
            return False
        match node:
            case Call() if node.function.name == function.ref.name:
                calls_itself = True
            case Binary() | Update():
                type = node.type if isinstance(node, Binary) else node.operand_type
                right = node.right if isinstance(node, Binary) else node.value
                if not isinstance(type, Scalar) or not _divides_well(node.operator, type, right):
                    return False
            case Convert() if node.operand.type in FLOATS and node.type in INTEGERS:
                return False
            case Convert():
                pass
            case _ if not isinstance(node, _HARMLESS):
                return False
            case _:
                pass
    return calls_itself


def _divides_well(operator: str, type: Scalar, right: object) -> bool:
    """Whether an operation cannot fail."""
    if operator not in ("/", "%") or type in FLOATS:
        return True
    return isinstance(right, IntLiteral) and right.value != 0


def copy_symbol(symbol: str, number: int) -> str:
    """The symbol of a copy; the first one is the function itself. A dot cannot stand in a name of the program."""
    return symbol if number == 0 else f"{symbol}.{number + 1}"


def next_symbols(symbol: str, count: int) -> Iterable[tuple[str, str]]:
    """Each copy's symbol, and that of the one it calls."""
    names = [copy_symbol(symbol, number) for number in range(count)]
    return zip(names, [*names[1:], names[0]], strict=True)
