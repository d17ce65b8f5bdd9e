"""How each node of the checked tree uses its parts: the table of the positions that own, look at or change a value.

`operands` and `statement_parts` list the parts of a node in the order of evaluation, each with its `Use`; `rebuild`
puts a node together again from rewritten parts. `liveness.py` and `moves.py` walk the tree through these and know no
positions of their own. Here also: which types own, what is a place and what it is rooted in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import TypeAlias, assert_never

from ms.builtins import Builtin, Mode
from ms.diagnostics import InternalError
from ms.typed import (
    Append,
    Assign,
    Binary,
    Block,
    BoolLiteral,
    Borrow,
    Break,
    BuiltinCall,
    Call,
    Compare,
    Concat,
    Conditional,
    ConstantRef,
    Continue,
    Convert,
    Copy,
    Declare,
    Evaluate,
    Expression,
    Field,
    FloatLiteral,
    For,
    ForCompleted,
    ForEach,
    ForPairs,
    ForRange,
    FunctionValue,
    Held,
    If,
    Index,
    IntLiteral,
    Logical,
    MapEntry,
    MapLiteral,
    Move,
    Passing,
    Range,
    RemoteCall,
    Return,
    Scoped,
    Slice,
    StateLiteral,
    Statement,
    StringLiteral,
    Struct,
    StructLiteral,
    Switch,
    Unary,
    Update,
    VariableKind,
    VariableRef,
    VectorLiteral,
    While,
    ZeroValue,
)
from ms.types import JobType, MapType, Scalar, StructType, Type, VectorType


class Use(Enum):
    """What the consumer of a value does with it."""

    OWN = auto()  # keeps it: moved in, or copied
    LOOK = auto()  # looks at it and is done with it when its own value is there
    REUSE = auto()  # makes a new value of it, in place when it can have it, else beside it
    GROW = auto()  # as REUSE, where the new value is larger: a copy made beforehand would not do instead
    KEY = auto()  # looks for it in a map, and puts it in, or a copy of it, when it is not there
    BASE = auto()  # reaches for a part of it
    INOUT = auto()  # changes it where it lies
    SAME = auto()  # an arm of a conditional: used as the conditional is


Part: TypeAlias = tuple[Expression, Use]
Passings: TypeAlias = Mapping[str, tuple[Passing, ...]]
"""How each function takes its parameters, by the function's name."""


class Owning:
    """Tells which types own memory or handles, and which of them memory."""

    def __init__(self, structs: Mapping[str, Struct]) -> None:
        self._structs = structs
        self._owns: dict[str, bool] = {}

    def owns(self, type: Type) -> bool:
        match type:
            case Scalar():
                return False
            case VectorType() | MapType() | JobType():
                return True
            case StructType(name):
                known = self._owns.get(name)
                if known is None:
                    known = any(self.owns(field.type) for field in self._structs[name].fields)
                    self._owns[name] = known
                return known
            case _:
                assert_never(type)

    def copies_memory(self, type: Type) -> bool:
        """Whether a copy of such a value is more than a few words and reference counts."""
        match type:
            case Scalar() | JobType():
                return False
            case VectorType() | MapType():
                return True
            case StructType(name):
                return any(self.copies_memory(field.type) for field in self._structs[name].fields)
            case _:
                assert_never(type)


def is_place(e: Expression) -> bool:
    """Whether it is written as a place. Its root may still be a value: `f()->name`."""
    return isinstance(e, (VariableRef, ConstantRef, Field, Index, MapEntry))


def root_of(e: Expression) -> Expression:
    """The innermost base of a place."""
    while isinstance(e, (Field, Index, MapEntry)):
        e = e.base
    return e


def mode_of(builtin: Builtin, index: int) -> Mode:
    """How argument `index` is passed; a row that ends in "..." passes the rest as it says there."""
    rows = builtin.parameters
    return rows[min(index, len(rows) - 1)][1]


_MODE_USES = {Mode.READ: Use.LOOK, Mode.KEEP: Use.OWN, Mode.REUSE: Use.REUSE, Mode.INOUT: Use.INOUT}


def _call_parts(call: Call, passings: Passings) -> tuple[Part, ...]:
    ways = passings.get(call.function.name, ())
    parts = []
    for i, argument in enumerate(call.arguments):
        if call.function.parameter_kinds[i] is VariableKind.REFERENCE:
            use = Use.INOUT
        elif i < len(ways) and ways[i] is Passing.OWNED:
            use = Use.OWN
        else:
            use = Use.LOOK
        parts.append((argument, use))
    return tuple(parts)


def _evaluation(e: StructLiteral) -> tuple[int, ...]:
    """All fields in the order of evaluation: those that the program does not name come last."""
    if len(e.evaluation) == len(e.values):
        return e.evaluation
    return (*e.evaluation, *(i for i in range(len(e.values)) if i not in e.evaluation))


def _bounds(argument: Expression) -> tuple[Expression, ...]:
    """What is evaluated for an argument of a `RemoteCall`: a range is no value."""
    return (argument.low, argument.high) if isinstance(argument, Range) else (argument,)


def operands(e: Expression, passings: Passings) -> tuple[Part, ...]:
    """The parts of an expression of the checker's tree, in the order of evaluation."""
    match e:
        case VariableRef() | IntLiteral() | ConstantRef() | StringLiteral() | BoolLiteral() | FloatLiteral():
            return ()
        case ZeroValue() | StateLiteral() | FunctionValue():
            return ()
        case Field():
            return ((e.base, Use.BASE),)
        case Index():
            return ((e.base, Use.BASE), (e.index, Use.LOOK))
        case Binary() | Compare() | Logical():
            return ((e.left, Use.LOOK), (e.right, Use.LOOK))
        case Unary() | Convert():
            return ((e.operand, Use.LOOK),)
        case Call():
            return _call_parts(e, passings)
        case BuiltinCall():
            return tuple((a, _MODE_USES[mode_of(e.builtin, i)]) for i, a in enumerate(e.arguments))
        case Concat():
            return ((e.left, Use.GROW), (e.right, Use.LOOK))
        case Slice():
            return ((e.base, Use.LOOK), (e.low, Use.LOOK), (e.high, Use.LOOK))
        case Conditional():
            return ((e.condition, Use.LOOK), (e.then, Use.SAME), (e.otherwise, Use.SAME))
        case VectorLiteral():
            return tuple((element, Use.OWN) for element in e.elements)
        case StructLiteral():
            return tuple((e.values[i], Use.OWN) for i in _evaluation(e))
        case RemoteCall():
            return tuple((bound, Use.LOOK) for a in e.arguments for bound in _bounds(a))
        case Range():
            return ((e.low, Use.LOOK), (e.high, Use.LOOK))
        case MapEntry():
            return ((e.base, Use.BASE), (e.key, Use.KEY if e.inserts else Use.LOOK))
        case MapLiteral():
            return tuple((part, Use.OWN) for pair in e.pairs for part in pair)
        case Borrow() | Move() | Copy() | Held() | Scoped():
            raise InternalError("this tree has its ownership already", e.span)
        case _:
            assert_never(e)


def rebuild(e: Expression, parts: Sequence[Expression]) -> Expression:
    """The expression with other parts, given in the order of `operands`."""
    match e:
        case VariableRef() | IntLiteral() | ConstantRef() | StringLiteral() | BoolLiteral() | FloatLiteral():
            return e
        case ZeroValue() | StateLiteral() | FunctionValue():
            return e
        case Field():
            return Field(parts[0], e.name, e.index, e.type, e.span)
        case Index():
            return Index(parts[0], parts[1], e.type, e.span)
        case Binary():
            return Binary(e.operator, parts[0], parts[1], e.type, e.span)
        case Compare():
            return Compare(e.operator, parts[0], parts[1], e.type, e.span)
        case Logical():
            return Logical(e.operator, parts[0], parts[1], e.type, e.span)
        case Unary():
            return Unary(e.operator, parts[0], e.type, e.span)
        case Convert():
            return Convert(parts[0], e.type, e.span)
        case Call():
            return Call(e.function, tuple(parts), e.type, e.span)
        case BuiltinCall():
            return BuiltinCall(e.builtin, tuple(parts), e.type, e.span)
        case Concat():
            return Concat(parts[0], parts[1], e.type, e.span)
        case Slice():
            return Slice(parts[0], parts[1], parts[2], e.type, e.span)
        case Conditional():
            return Conditional(parts[0], parts[1], parts[2], e.type, e.span)
        case VectorLiteral():
            return VectorLiteral(tuple(parts), e.type, e.span)
        case StructLiteral():
            evaluation = _evaluation(e)
            by_field = dict(zip(evaluation, parts, strict=True))
            return StructLiteral(tuple(by_field[i] for i in range(len(e.values))), evaluation, e.type, e.span)
        case RemoteCall():
            given = iter(parts)
            arguments = tuple(Range(next(given), next(given), a.type, a.span) if isinstance(a, Range) else next(given)
                              for a in e.arguments)
            return RemoteCall(e.function, arguments, e.each, e.waits, e.reduce, e.type, e.span)
        case Range():
            return Range(parts[0], parts[1], e.type, e.span)
        case MapEntry():
            return MapEntry(parts[0], parts[1], e.inserts, e.type, e.span)
        case MapLiteral():
            return MapLiteral(tuple(zip(parts[::2], parts[1::2], strict=True)), e.type, e.span)
        case Borrow() | Move() | Copy() | Held() | Scoped():
            raise InternalError("this tree has its ownership already", e.span)
        case _:
            assert_never(e)


def statement_parts(s: Statement) -> tuple[tuple[Part, ...], tuple[Statement, ...]]:
    """The expressions of a statement, and the statements in it."""
    match s:
        case Assign():
            return ((s.target, Use.INOUT), (s.value, Use.OWN)), ()
        case Update():
            use = Use.GROW if isinstance(s.target.type, VectorType) else Use.LOOK
            return ((s.target, Use.INOUT), (s.value, use)), ()
        case Append():
            return ((s.target, Use.INOUT), (s.value, Use.GROW if s.whole else Use.OWN)), ()
        case Declare():
            return ((s.value, Use.OWN),), ()
        case Evaluate():
            return ((s.expression, Use.LOOK),), ()
        case Block():
            return (), s.statements
        case If():
            return ((s.condition, Use.LOOK),), (s.then,) if s.otherwise is None else (s.then, s.otherwise)
        case While():
            return ((s.condition, Use.LOOK),), (s.body,)
        case For():
            condition: tuple[Part, ...] = () if s.condition is None else ((s.condition, Use.LOOK),)
            return condition, (*s.init, *s.step, s.body)
        case ForRange():
            return ((s.low, Use.LOOK), (s.high, Use.LOOK)), (s.body,)
        case ForEach() | ForPairs():
            return ((s.sequence, Use.LOOK),), (s.body,)
        case ForCompleted():
            return ((s.jobs, Use.LOOK),), (s.body,)
        case Switch():
            return ((s.subject, Use.LOOK),), tuple(case.body for case in s.cases)
        case Return():
            return () if s.value is None else ((s.value, Use.OWN),), ()
        case Break() | Continue():
            return (), ()
        case _:
            assert_never(s)
