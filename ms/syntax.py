"""The surface tree: what was written, as it was written.

One class for each production of `grammar.lark`, under the same name. Nothing is resolved and nothing has a type yet:
a name is a name, an operator its text. `parser.py` makes this tree, the checker turns it into the tree of `typed.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ms.source import SourceFile, Span


@dataclass(frozen=True, slots=True)
class Name:
    """An identifier where it stands."""

    text: str
    span: Span


# Types


@dataclass(frozen=True, slots=True)
class NamedType:
    """A scalar's keyword, `string`, or the name of a struct without `struct`; also `auto`, in declarations only."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class StructTypeName:
    """`struct S`."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class VectorTypeName:
    element: TypeName
    span: Span


@dataclass(frozen=True, slots=True)
class MapTypeName:
    key: TypeName
    value: TypeName
    span: Span


@dataclass(frozen=True, slots=True)
class JobTypeName:
    result: TypeName
    span: Span


TypeName: TypeAlias = NamedType | StructTypeName | VectorTypeName | MapTypeName | JobTypeName


# Expressions


@dataclass(frozen=True, slots=True)
class IntegerLiteral:
    """`value` fits 64 bits. `is_long`: suffix L, or too large for an int. Hexadecimal and binary text gives a bit
    pattern (already turned into a signed value). `is_minimum`: decimal 2147483648 or 9223372036854775808 without
    suffix or with `L`, which may stand only after a unary minus; the parser folds that minus into the literal, so no
    other code sees one."""

    value: int
    is_long: bool
    span: Span


@dataclass(frozen=True, slots=True)
class FloatingLiteral:
    """`single` is the binary32 number nearest to what is written, infinity beyond the largest; `is_float`: suffix f."""

    value: float
    single: float
    is_float: bool
    span: Span


@dataclass(frozen=True, slots=True)
class BooleanLiteral:
    value: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CharLiteral:
    value: int
    span: Span


@dataclass(frozen=True, slots=True)
class TextLiteral:
    """`"text"` with its escapes resolved."""

    value: bytes
    span: Span


@dataclass(frozen=True, slots=True)
class StateName:
    """`running`, `finished` or `failed`."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class NameUse:
    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class IndexOf:
    base: Expression
    index: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class SliceOf:
    base: Expression
    low: Expression
    high: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class FieldOf:
    """`base->field`."""

    base: Expression
    field: Name
    span: Span


@dataclass(frozen=True, slots=True)
class EachArgument:
    """`each xs`, an argument of a `remote` call."""

    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class CallOf:
    """`function(arguments)`; `receiver.function(arguments)` when there is a receiver. The name of a conversion (`int`,
    `long`, `double`, `float`, `char`) is a function's name here."""

    function: Name
    receiver: Expression | None
    arguments: tuple[Expression | EachArgument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Prefix:
    """`operator` is "-", "!" or "~"."""

    operator: str
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class RemoteOf:
    """`remote f(…)`, with `reduce g` behind it or not. `call` may be anything the grammar takes there; only a
    `CallOf` is right."""

    call: Expression
    reduce: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Infix:
    """`operator_span` is where the operator itself stands."""

    operator: str
    left: Expression
    right: Expression
    operator_span: Span
    span: Span


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? then : otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Range:
    low: Expression
    high: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class VectorOf:
    """`[a, b]`."""

    elements: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class StructOf:
    """`S{f: 1}`."""

    name: Name
    fields: tuple[tuple[Name, Expression], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{k: v}`."""

    pairs: tuple[tuple[Expression, Expression], ...]
    span: Span


Expression: TypeAlias = (
    IntegerLiteral | FloatingLiteral | BooleanLiteral | CharLiteral | TextLiteral | StateName | NameUse
    | IndexOf | SliceOf | FieldOf | CallOf | Prefix | RemoteOf | Infix | Choice | Range | VectorOf | StructOf | MapOf
)  # fmt: skip


# Statements


@dataclass(frozen=True, slots=True)
class Declarator:
    """One name of a declaration, with its first value or not."""

    name: Name
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """`int y = 3, z;`; the type may be `auto`."""

    type: TypeName
    declarators: tuple[Declarator, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Assignment:
    """`target op value`; `operator` is "=" or one of "+=" and its like."""

    target: Expression
    operator: str
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Step:
    """`target++` or `target--`; `operator` is "++" or "--"."""

    target: Expression
    operator: str
    span: Span


@dataclass(frozen=True, slots=True)
class Appending:
    """`target :: a :: b`."""

    target: Expression
    values: tuple[Expression, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ExpressionStatement:
    expression: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class BlockOf:
    """`span` runs from `{` to `}`; for a branch or a body without braces it is the one statement's."""

    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class IfStatement:
    condition: Expression
    then: BlockOf
    otherwise: BlockOf | None
    span: Span


@dataclass(frozen=True, slots=True)
class WhileStatement:
    condition: Expression
    body: BlockOf
    span: Span


@dataclass(frozen=True, slots=True)
class ForStatement:
    """`for (init; condition; step)`; each part may be missing."""

    init: Statement | None
    condition: Expression | None
    step: Statement | None
    body: BlockOf
    span: Span


@dataclass(frozen=True, slots=True)
class ForInStatement:
    """`for (T e in xs)`, `for (K k, V v in m)`: one or two (type, name) pairs."""

    variables: tuple[tuple[TypeName, Name], ...]
    sequence: Expression
    body: BlockOf
    span: Span


@dataclass(frozen=True, slots=True)
class CaseOf:
    """`case 1, 2:` or, without values, `default:`."""

    values: tuple[Expression, ...]
    body: BlockOf
    span: Span


@dataclass(frozen=True, slots=True)
class SwitchStatement:
    subject: Expression
    cases: tuple[CaseOf, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class BreakStatement:
    span: Span


@dataclass(frozen=True, slots=True)
class ContinueStatement:
    span: Span


@dataclass(frozen=True, slots=True)
class ReturnStatement:
    value: Expression | None
    span: Span


Statement: TypeAlias = (
    Declaration | Assignment | Step | Appending | ExpressionStatement | BlockOf | IfStatement | WhileStatement
    | ForStatement | ForInStatement | SwitchStatement | BreakStatement | ContinueStatement | ReturnStatement
)  # fmt: skip


# Declarations at the top


@dataclass(frozen=True, slots=True)
class Import:
    path: TextLiteral
    span: Span


@dataclass(frozen=True, slots=True)
class ConstDeclaration:
    type: TypeName
    declarators: tuple[Declarator, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class FieldDeclaration:
    type: TypeName
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class StructDeclaration:
    name: Name
    fields: tuple[FieldDeclaration, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Parameter:
    type: TypeName
    is_reference: bool
    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class FunctionDeclaration:
    """A function or (`is_job`) a job. `span` is its head, from the result type to the closing parenthesis."""

    result: TypeName
    name: Name
    parameters: tuple[Parameter, ...]
    body: BlockOf
    is_job: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ExternDeclaration:
    result: TypeName
    name: Name
    parameters: tuple[Parameter, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MasterDeclaration:
    """`span` is the word `master`."""

    body: BlockOf
    span: Span


TopLevel: TypeAlias = (
    Import | ConstDeclaration | StructDeclaration | FunctionDeclaration | ExternDeclaration | MasterDeclaration
)


@dataclass(frozen=True, slots=True)
class Module:
    """One file. After syntax errors it is what could be parsed. `skipped` are then the places where text was left out
    or made up, in order: what the checker finds missing around them (a `return`, a use) needs no message.
    `skipped_names` are the names in that text, and the empty name, which stands for an expression that could not be
    parsed: that such a name is unknown needs no message either."""

    file: SourceFile
    declarations: tuple[TopLevel, ...]
    skipped: tuple[Span, ...] = ()
    skipped_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Program:
    """All files of a program, the main file last. `imports`: the files whose declarations each file sees besides its
    own. What is unknown in a file of `incomplete` may stand in a file that could not be read."""

    modules: tuple[Module, ...]
    imports: Mapping[SourceFile, frozenset[SourceFile]]
    incomplete: frozenset[SourceFile]
