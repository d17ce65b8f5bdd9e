"""The abstract programs that are generated: a small tree of M/s, with the type of every expression.

`show.py` writes one as text, `twin.py` says what it does, `maker.py` and its neighbours make them, `shrink.py` makes
them smaller. Nothing here knows the compiler, but for the names of its types. Always holds: trees are never changed,
and two nodes that look alike are still two nodes (they are told apart by identity, for their lines).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ms.types import BOOL, CHAR, DOUBLE, FLOAT, INT, LONG, STRING, JobType, MapType, StructType, Type, VectorType

INTEGER_TYPES = (INT, LONG, CHAR)
NUMBER_TYPES = (INT, LONG, DOUBLE, FLOAT)
SCALARS = (INT, LONG, DOUBLE, FLOAT, BOOL, CHAR)

# Values as the twin holds them, a map as a dict: none of them is ever changed, so that every copy is a deep one.
Value: TypeAlias = "int | float | bool | bytes | tuple[Value, ...] | dict[Value, Value] | Job"


class Job:
    """A job that has been started, and has ended: a result, or the message (the innermost one, of jobs that wait for
    jobs) and the lines of the story of its failure."""

    def __init__(self, call: str, result: Value = 0, message: str = "", story: tuple[str, ...] = ()) -> None:
        self.call = call
        self.result = result
        self.message = message
        self.story = story

    @property
    def has_failed(self) -> bool:
        """Its message may be empty, but then there is a story."""
        return bool(self.message or self.story)


@dataclass(frozen=True, eq=False)
class Node:
    """Anything in a tree."""


# Expressions


@dataclass(frozen=True, eq=False)
class Literal(Node):
    type: Type
    value: Value


@dataclass(frozen=True, eq=False)
class Name(Node):
    """A variable or a constant."""

    type: Type
    name: str


@dataclass(frozen=True, eq=False)
class Field(Node):
    type: Type
    base: Expression
    name: str


@dataclass(frozen=True, eq=False)
class Index(Node):
    """An element of a vector, or the value of a key of a map."""

    type: Type
    base: Expression
    index: Expression


@dataclass(frozen=True, eq=False)
class Slice(Node):
    type: Type
    base: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, eq=False)
class Unary(Node):
    type: Type
    operator: str
    operand: Expression


@dataclass(frozen=True, eq=False)
class Binary(Node):
    """Arithmetic, `+` of vectors, comparisons, && and ||. The operands have the types that the language converts; the
    conversion is the twin's own affair."""

    type: Type
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, eq=False)
class Choice(Node):
    type: Type
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, eq=False)
class Convert(Node):
    """`int(x)`; or, `implicit`, an x that is left to convert by itself."""

    type: Type
    operand: Expression
    implicit: bool = False


@dataclass(frozen=True, eq=False)
class VectorOf(Node):
    type: Type
    elements: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class StructOf(Node):
    """The fields that are named, in the order in which they are written."""

    type: Type
    fields: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, eq=False)
class MapOf(Node):
    type: Type
    keys: tuple[Expression, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Range(Node):
    """What `each` goes over, in the place of a vector of its type."""

    type: Type
    low: Expression
    high: Expression


@dataclass(frozen=True, eq=False)
class Call(Node):
    """A function of the program, or (`remote`) a job of it. `method`: written x.f(…). `each`: the arguments, if any, of
    whose elements each gets a job; `reduce`: the job that combines the results. An argument of a remote call may be a
    handle that stands for its result, or a vector of such."""

    type: Type
    function: str
    arguments: tuple[Expression, ...]
    remote: bool = False
    method: bool = False
    each: tuple[int, ...] = ()
    reduce: str = ""


@dataclass(frozen=True, eq=False)
class Builtin(Node):
    """A built-in function; `less` is the function that is named behind the arguments."""

    type: Type
    name: str
    arguments: tuple[Expression, ...]
    less: str = ""
    method: bool = False


Expression: TypeAlias = (
    Literal
    | Name
    | Field
    | Index
    | Slice
    | Unary
    | Binary
    | Choice
    | Convert
    | VectorOf
    | MapOf
    | StructOf
    | Range
    | Call
    | Builtin
)


# Statements


@dataclass(frozen=True, eq=False)
class Declare(Node):
    type: Type
    name: str
    value: Expression | None
    is_auto: bool = False


@dataclass(frozen=True, eq=False)
class Assign(Node):
    """`target = value`, `target += value`; `operator` is what stands before the `=`."""

    target: Expression
    operator: str
    value: Expression


@dataclass(frozen=True, eq=False)
class Step(Node):
    """x++ or x--."""

    target: Expression
    operator: str


@dataclass(frozen=True, eq=False)
class Append(Node):
    target: Expression
    values: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Evaluate(Node):
    value: Expression


@dataclass(frozen=True, eq=False)
class Block(Node):
    statements: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class If(Node):
    condition: Expression
    then: Block
    otherwise: Block | None


@dataclass(frozen=True, eq=False)
class While(Node):
    condition: Expression
    body: Block


@dataclass(frozen=True, eq=False)
class For(Node):
    start: Declare
    condition: Expression
    step: Assign | Step | Append
    body: Block


@dataclass(frozen=True, eq=False)
class ForRange(Node):
    type: Type
    name: str
    low: Expression
    high: Expression
    body: Block


@dataclass(frozen=True, eq=False)
class ForEach(Node):
    type: Type
    name: str
    sequence: Expression
    body: Block


@dataclass(frozen=True, eq=False)
class ForPairs(Node):
    key_type: Type
    key: str
    value_type: Type
    value: str
    sequence: Expression
    body: Block


@dataclass(frozen=True, eq=False)
class Case(Node):
    """No values: `default`."""

    values: tuple[Literal, ...]
    body: Block


@dataclass(frozen=True, eq=False)
class Switch(Node):
    subject: Expression
    cases: tuple[Case, ...]


@dataclass(frozen=True, eq=False)
class Break(Node):
    pass


@dataclass(frozen=True, eq=False)
class Continue(Node):
    pass


@dataclass(frozen=True, eq=False)
class Return(Node):
    value: Expression | None


Statement: TypeAlias = (
    Declare | Assign | Step | Append | Evaluate | Block | If | While | For | ForRange | ForEach | ForPairs | Switch
    | Break | Continue | Return
)  # fmt: skip


# Programs


@dataclass(frozen=True, eq=False)
class Struct(Node):
    name: str
    fields: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, eq=False)
class Constant(Node):
    type: Type
    name: str
    value: Expression


@dataclass(frozen=True, eq=False)
class Parameter(Node):
    type: Type
    name: str
    is_reference: bool = False


@dataclass(frozen=True, eq=False)
class Function(Node):
    """`prints`: something in it, or in what it calls, does, so that it must not run beside other things. An extern one
    has an empty body."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    body: Block
    is_job: bool = False
    prints: bool = False
    is_extern: bool = False


@dataclass(frozen=True, eq=False)
class Program(Node):
    """`files`: how many it has; what is not in the first one is imported. `style`: how it is written, 0 for plainly."""

    structs: tuple[Struct, ...]
    constants: tuple[Constant, ...]
    functions: tuple[Function, ...]
    master: Block
    files: int = 1
    style: int = 0


RNG = StructType("rng")
EXEC_RESULT = StructType("exec_result")
BUILT_IN = (
    Struct("rng", (("s0", LONG), ("s1", LONG), ("s2", LONG), ("s3", LONG))),
    Struct("exec_result", (("code", INT), ("out", STRING), ("err", STRING))),
)


def is_fail(statement: Node | None) -> bool:
    return isinstance(statement, Evaluate) and isinstance(statement.value, Builtin) and statement.value.name == "fail"


def fields_of(structs: dict[str, Struct], type: Type) -> tuple[tuple[str, Type], ...]:
    return structs[type.name].fields if isinstance(type, StructType) else ()


def is_ordered(type: Type) -> bool:
    return type in (*NUMBER_TYPES, CHAR, STRING)


def root_of(place: Expression) -> str | None:
    """The variable that a place lies in, None for a value."""
    while isinstance(place, Field | Index):
        place = place.base
    return place.name if isinstance(place, Name) else None


def zero_of(structs: dict[str, Struct], type: Type) -> Value:
    match type:
        case VectorType():
            return b"" if type == STRING else ()
        case StructType():
            return tuple(zero_of(structs, field) for _, field in fields_of(structs, type))
        case MapType():
            return {}
        case JobType():
            return NO_JOB
        case _:
            return 0.0 if type in (DOUBLE, FLOAT) else False if type is BOOL else 0


NO_JOB = Job("")
