"""The checked tree: what a program means, with nothing left to infer.

Every expression has its type; every name is the thing it stands for; every conversion, also the implicit ones, is a
`Convert`; `x.f(a)` is a call, `x += 1` has its operator and its conversion spelled out. The checker makes this tree,
`ownership.py` rewrites it into one whose values know how they are passed (the nodes under "Ownership" below), the code
generator reads only the rewritten one.

Places and values. `VariableRef`, `ConstantRef`, `Field`, `Index` and `MapEntry` denote places (storage that exists
before and after the expression) as long as their innermost base is one; everything else is a value, made by
evaluating it. A type *owns* when it is a vector, a map, a job handle, or a struct with a field that owns. Values of
types that do not own are simply loaded from their place; for types that own, `ownership.py` wraps each place that is
used as a value:

- `Borrow(place)`  the consumer looks at it where it lies and does not keep it;
- `Move(place)`    the consumer takes it; the place is left at its zero value, which needs no drop;
- `Copy(place)`    the consumer takes a deep copy (`--warn-copies` lists these, handles excepted);
- `Held(value, variable)`  a value that was made here and is only borrowed: it is stored in a hidden variable;
- `Scoped(value, temporaries)`  around a whole expression: the hidden variables of the `Held`s inside start at zero
  and are dropped when the expression has been evaluated.

Which form stands where. A consumer that keeps a value (`Declare`, `Assign`, `Return`, elements and fields of
literals, KEEP arguments, arguments of OWNED parameters, an element that is appended) gets a `Move`, a `Copy` or a new
value; a `StringLiteral` there is a new value, made of static data. A consumer that only looks gets a `Borrow` (also
of a `StringLiteral` or a `ConstantRef`: static data as it lies), a `Held`, or a `Conditional` whose arms are such. A
consumer that reuses (REUSE arguments, the left side of `Concat`, the value of an `Append` of a whole vector and of an
`Update` of a vector) gets a `Borrow`, or else a value of its own. The base of a `Field`, an `Index` or a `MapEntry`
is an unwrapped place, or a value to look at. Structs that do not own stay unwrapped places, read when their consumer
reads them; a `Copy` around one is a copy that is made when it is evaluated.
The indices of a place are evaluated before the place is reached; a place that is changed (a target, an INOUT or T&
argument) is reached when the other operands have been evaluated.
`Passing` of a parameter that does not own: OWNED says that the function changes it, so it needs a place of its own.
For references it means nothing here; codegen/references.py says which of them come as their elements.

A variable that owns is dropped where a list of drops names it. Dropping the zero value does nothing, so a conditional
move needs no flag. Failure drops nothing: the whole heap of the job goes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ms.builtins import Builtin
from ms.source import SourceFile, Span
from ms.types import Type

# Declarations


class VariableKind(Enum):
    LOCAL = "local"
    PARAMETER = "parameter"
    REFERENCE = "reference"  # a parameter written `T& x`: the caller's place itself
    LOOP = "loop"  # the variable of a `for … in`
    HIDDEN = "hidden"  # made by ownership.py


class Passing(Enum):
    """How the value of a parameter or of a loop variable that owns comes in. Decided by ownership.py."""

    UNDECIDED = "undecided"
    BORROWED = "borrowed"  # it belongs to somebody else; never dropped, never changed, never moved from
    OWNED = "owned"  # it belongs to the function (or to the loop's body) and is dropped there


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A local variable, parameter or loop variable. Compared by identity; `number` is unique in its function."""

    name: str
    type: Type
    kind: VariableKind
    number: int
    span: Span


@dataclass(frozen=True, slots=True)
class StructField:
    name: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    fields: tuple[StructField, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Constant:
    """A `const`; `value` is a tree of literals (`IntLiteral` … `StructLiteral`) without anything to compute."""

    name: str
    type: Type
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function as its callers know it. `ordinal` counts the jobs from 1 in declaration order, 0 for other
    functions."""

    name: str
    parameter_types: tuple[Type, ...]
    parameter_kinds: tuple[VariableKind, ...]  # PARAMETER or REFERENCE
    result: Type
    is_job: bool
    is_extern: bool
    ordinal: int
    span: Span


@dataclass(frozen=True, slots=True)
class Function:
    """A function with its body. `passings` has one entry for each parameter."""

    ref: FunctionRef
    parameters: tuple[Variable, ...]
    body: Block
    passings: tuple[Passing, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program. `functions` holds every function that has a body, in declaration order, jobs included."""

    name: str  # the main file's stem
    file: SourceFile  # the main file: places are told relative to its directory
    structs: dict[str, Struct]  # also the built-in ones that the program uses
    constants: tuple[Constant, ...]
    functions: tuple[Function, ...]
    externs: tuple[FunctionRef, ...]
    master: Function  # named "master", no parameters, result void


# Expressions. Each has `type` and `span`.


@dataclass(frozen=True, slots=True)
class IntLiteral:
    """`type` is int, long or char."""

    value: int
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class FloatLiteral:
    """`type` is double or float."""

    value: float
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class BoolLiteral:
    value: bool
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class StringLiteral:
    value: bytes
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class StateLiteral:
    """`running` (0), `finished` (1) or `failed` (2); `type` is job_state."""

    value: int
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class ZeroValue:
    """The zero value of any type: what a declaration without an initialiser holds, `[]` and `{}`."""

    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class VariableRef:
    variable: Variable
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class ConstantRef:
    constant: Constant
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class FunctionValue:
    """The name of a function as an argument of a built-in (`sort(v, less)`, `reduce g`); nowhere else."""

    function: FunctionRef
    type: Type  # the function's result type
    span: Span


@dataclass(frozen=True, slots=True)
class Field:
    base: Expression
    name: str
    index: int  # among the struct's fields, from 0
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    """`v[i]` of a vector or string; `index` is int or long."""

    base: Expression
    index: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class MapEntry:
    """`m[k]`. `inserts`: as (the base of) an assignment target, a missing key is inserted first. A key that owns is
    borrowed, and copied when it is inserted, or it is a value of its own that is given away."""

    base: Expression
    key: Expression
    inserts: bool
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Slice:
    """`v[low..high]`: a new vector. Both bounds have the type long."""

    base: Expression
    low: Expression
    high: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Unary:
    """`operator` is "-", "~" or "!"; the operand has the expression's type."""

    operator: str
    operand: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic on two operands of the expression's own type: + - * / % & | ^; for << >> >>> the right one is int or
    long."""

    operator: str
    left: Expression
    right: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator` is == != < <= > >=; both operands have the same type; `type` is bool. == and != are deep."""

    operator: str
    left: Expression
    right: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Logical:
    """`operator` is "&&" or "||": the right side is evaluated only when needed."""

    operator: str
    left: Expression
    right: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: Expression
    then: Expression
    otherwise: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Convert:
    """A conversion between two number types or char, implicit or called (§3)."""

    operand: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Concat:
    """`left + right` of two vectors (or strings) of one type. The left side may be `Move`d and grown in place."""

    left: Expression
    right: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class VectorLiteral:
    elements: tuple[Expression, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class StructLiteral:
    """One value for each field, in the order of the fields; `evaluation` lists field indices in source order."""

    values: tuple[Expression, ...]
    evaluation: tuple[int, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class MapLiteral:
    pairs: tuple[tuple[Expression, Expression], ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    """A call that runs here. An argument for a REFERENCE parameter is a place, never wrapped."""

    function: FunctionRef
    arguments: tuple[Expression, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class BuiltinCall:
    """A call of a built-in. Arguments are converted already; an argument passed INOUT is a place, never wrapped."""

    builtin: Builtin
    arguments: tuple[Expression, ...]
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """`remote f(…)`: starts a job. Arguments are only borrowed: they are encoded from where they lie. One that is
    written `each xs` is the whole vector, whose elements convert to the parameter's type, or a `Range`."""

    function: FunctionRef
    arguments: tuple[Expression, ...]
    each: tuple[bool, ...]  # which arguments are written `each xs`
    waits: tuple[bool, ...]  # which arguments are handles, or vectors of such, that stand for their results
    reduce: FunctionRef | None
    type: Type  # job<T>, or vector<job<T>> with `each` and without `reduce`
    span: Span


@dataclass(frozen=True, slots=True)
class Range:
    """`each low..high`: an argument of a `RemoteCall`, and nothing else. Its type is what it stands for, a vector of
    int or long; it is never made."""

    low: Expression
    high: Expression
    type: Type
    span: Span


# Ownership


@dataclass(frozen=True, slots=True)
class Borrow:
    place: Expression
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Move:
    """`late`: an argument of a call, or a field of a struct literal, that is evaluated behind the others, which look at
    what it takes away."""

    place: Expression
    type: Type
    span: Span
    late: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """`reason` says, for --warn-copies, why no move or borrow would do."""

    place: Expression
    reason: str
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Held:
    value: Expression
    variable: Variable
    type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Scoped:
    value: Expression
    temporaries: tuple[Variable, ...]
    type: Type
    span: Span


Expression: TypeAlias = (
    IntLiteral | FloatLiteral | BoolLiteral | StringLiteral | StateLiteral | ZeroValue
    | VariableRef | ConstantRef | FunctionValue | Field | Index | MapEntry | Slice
    | Unary | Binary | Compare | Logical | Conditional | Convert | Concat
    | VectorLiteral | StructLiteral | MapLiteral | Call | BuiltinCall | RemoteCall | Range
    | Borrow | Move | Copy | Held | Scoped
)  # fmt: skip


# Statements. `drops` lists, in the order of dropping, the variables that end there; ownership.py fills it.


@dataclass(frozen=True, slots=True)
class Block:
    """`drops`: at the end of the block, when control reaches it."""

    statements: tuple[Statement, ...]
    span: Span
    drops: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Declare:
    """A variable and its first value (a `ZeroValue` where the program gives none)."""

    variable: Variable
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Assign:
    """`target = value`. The parts of the target are evaluated first, then the value, then the target's checks are made;
    the old value is dropped before the new one is stored."""

    target: Expression
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Update:
    """`target op= value`, also `x++` (value 1): target = T(T2(target) op value), where T2 is `operand_type`.
    The target is evaluated once. `operator` "+" on a vector type appends in place; then value is a vector."""

    target: Expression
    operator: str
    value: Expression
    operand_type: Type
    span: Span


@dataclass(frozen=True, slots=True)
class Append:
    """`target :: value`: one element, or (`whole`) all elements of a vector of the target's type."""

    target: Expression
    value: Expression
    whole: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression for its effects; a result that owns is a `Held` in a `Scoped`."""

    expression: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class If:
    condition: Expression
    then: Block
    otherwise: Block | None
    span: Span


@dataclass(frozen=True, slots=True)
class While:
    condition: Expression
    body: Block
    span: Span


@dataclass(frozen=True, slots=True)
class For:
    """`for (init; condition; step)`. `drops`: the variables of `init`, when the loop is left by its condition or by a
    `break`."""

    init: tuple[Statement, ...]
    condition: Expression | None
    step: tuple[Statement, ...]
    body: Block
    span: Span
    drops: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class ForRange:
    """`for (T i in low..high)`; both bounds have the variable's type; empty when high <= low. The variable is fresh
    each time: changing it does not change the number of rounds."""

    variable: Variable
    low: Expression
    high: Expression
    body: Block
    span: Span


@dataclass(frozen=True, slots=True)
class ForEach:
    """`for (T e in xs)` over a vector or string. `passing` BORROWED: the variable stands for the element where it lies;
    OWNED: it takes the element (`takes`: moved out of a sequence that nobody looks at again) or a copy of it, and is
    dropped at the end of each round by the body's own drops. `conversion`: the element is converted to the variable's
    type. `drops`: after the loop, however it is left but by `return`; the hidden variable that holds a temporary
    sequence."""

    variable: Variable
    sequence: Expression
    body: Block
    span: Span
    passing: Passing = Passing.UNDECIDED
    takes: bool = False
    drops: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class ForPairs:
    """`for (K k, V v in m)` over a map; without `value` over its keys. `passing`, `takes` and `drops` as in `ForEach`,
    the same for both variables."""

    key: Variable
    value: Variable | None
    sequence: Expression
    body: Block
    span: Span
    passing: Passing = Passing.UNDECIDED
    takes: bool = False
    drops: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class ForCompleted:
    """`for (int i in completed(js))`. The index converts to the variable's type. `seen`: a hidden
    variable, vector<bool>, which tells the jobs that the loop has had; `drops` as in `ForEach`, and `seen`."""

    variable: Variable
    jobs: Expression
    body: Block
    span: Span
    seen: Variable | None = None
    drops: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class SwitchCase:
    """`values` are literals of the subject's type; empty for `default`."""

    values: tuple[Expression, ...]
    body: Block
    span: Span


@dataclass(frozen=True, slots=True)
class Switch:
    """No falling through; at most one case has no values (`default`). `drops`: a hidden variable that holds the
    subject."""

    subject: Expression
    cases: tuple[SwitchCase, ...]
    span: Span
    drops: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Break:
    """Leaves the innermost loop, or (`leaves_switch`) the innermost `switch`, whose own drops are still made then."""

    span: Span
    drops: tuple[Variable, ...] = ()
    leaves_switch: bool = False


@dataclass(frozen=True, slots=True)
class Continue:
    span: Span
    drops: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Return:
    """The value is evaluated, then the drops are made, then control goes back. A tail job's value is a `RemoteCall`,
    also in a job without a result."""

    value: Expression | None
    span: Span
    is_tail_job: bool = False
    drops: tuple[Variable, ...] = ()


Statement: TypeAlias = (
    Block | Declare | Assign | Update | Append | Evaluate | If | While | For | ForRange | ForEach | ForPairs
    | ForCompleted | Switch | Break | Continue | Return
)  # fmt: skip
