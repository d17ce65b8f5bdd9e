"""Which variables a piece of the owned tree changes: assigns to, appends to, moves from, or passes in place.

Read by the code generator to know what stays as it is during a loop or a call; it decides nothing about ownership.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import cast

from ms.builtins import Builtin, Mode
from ms.source import Span
from ms.typed import (
    Append,
    Assign,
    Borrow,
    BuiltinCall,
    Call,
    Constant,
    Declare,
    Expression,
    Field,
    ForCompleted,
    ForEach,
    ForPairs,
    ForRange,
    FunctionRef,
    Held,
    Index,
    MapEntry,
    Move,
    Update,
    Variable,
    VariableKind,
    VariableRef,
)
from ms.types import Type, VectorType

_LEAVES = (Span, Builtin, Variable, FunctionRef, Constant)
_NOT_TREES = frozenset({"span", "type", "operand_type", "builtin"})
_Getter = Callable[[object], Iterable[object]]
_getters: dict[type, _Getter | None] = {}


def _getter(kind: type) -> _Getter | None:
    """What gives the fields of a tree of this class in which trees may be; None for what is no tree."""
    if kind not in _getters:
        _getters[kind] = _make_getter(kind)
    return _getters[kind]


def _make_getter(kind: type) -> _Getter | None:
    if not is_dataclass(kind) or issubclass(kind, _LEAVES):
        return None
    names = [field.name for field in fields(kind) if field.name not in _NOT_TREES]
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda node: (getattr(node, names[0]),)) if names else lambda node: ()


def children(node: object) -> Iterator[object]:
    """The trees directly inside a tree."""
    getter = _getter(type(node))
    stack = list(getter(node)) if getter is not None else []
    while stack:
        inner = stack.pop()
        if isinstance(inner, tuple):
            stack.extend(inner)
        elif _getter(type(inner)) is not None:
            yield inner


def walk(nodes: Iterable[object]) -> Iterator[object]:
    """Every tree inside these trees, and they themselves. This is where the code generator spends much of its time."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        kind = type(node)
        if kind is tuple:
            stack.extend(cast("tuple[object, ...]", node))
            continue
        getter = _getters[kind] if kind in _getters else _getter(kind)
        if getter is not None:
            yield node
            stack.extend(getter(node))


def root_variable(place: object) -> Variable | None:
    """The variable that a place is part of."""
    while isinstance(place, (Field, Index, MapEntry)):
        place = place.base
    if isinstance(place, Borrow):
        return root_variable(place.place)
    return place.variable if isinstance(place, VariableRef) else None


def _by_reference(call: Call) -> Iterator[tuple[int, Expression]]:
    """The arguments for references, with the numbers of their parameters."""
    for index, kind in enumerate(call.function.parameter_kinds):
        if kind is VariableKind.REFERENCE:
            yield index, call.arguments[index]


def _passed_in_place(node: Call | BuiltinCall) -> Iterator[object]:
    """The arguments that a call may change."""
    if isinstance(node, Call):
        for _, argument in _by_reference(node):
            yield argument
    else:
        rows = node.builtin.parameters
        for index, argument in enumerate(node.arguments):
            if rows[min(index, len(rows) - 1)][1] is Mode.INOUT:
                yield argument


def _of_pairs(s: ForPairs) -> list[Variable]:
    return [s.key] if s.value is None else [s.key, s.value]


def changed_variables(nodes: Iterable[object]) -> set[Variable]:
    """The variables that may have another value after these trees than before, or during them."""
    assigned, declared = given_values(nodes)
    return assigned.union(declared)


def targets(node: object) -> list[object]:
    """The place that an assignment changes, or a move leaves empty; nothing for any other node."""
    match node:
        case Assign() | Update() | Append():
            return [node.target]
        case Move():
            return [node.place]
        case _:
            return []


def given_values(nodes: Iterable[object]) -> tuple[set[Variable], dict[Variable, Expression | None]]:
    """The variables that these trees change, and those that they declare, each with its first value, or None where
    that is another one in each round of a loop."""
    assigned: set[Variable] = set()
    declared: dict[Variable, Expression | None] = {}
    for node in walk(nodes):
        places: list[object] = []
        match node:
            case Assign() | Update() | Append() | Move():
                places += targets(node)
            case Declare() | Held():
                declared[node.variable] = node.value
            case ForRange() | ForEach() | ForCompleted():
                declared[node.variable] = None
            case ForPairs():
                declared.update(dict.fromkeys(_of_pairs(node)))
            case Call() | BuiltinCall():
                places += _passed_in_place(node)
            case _:
                pass
        if places:
            assigned.update(variable for variable in map(root_variable, places) if variable is not None)
    return assigned, declared


def owns_elements(e: Expression, owns: Callable[[Type], bool]) -> bool:
    """Whether there are vectors inside of a vector."""
    return isinstance(e.type, VectorType) and owns(e.type.element)


def reshaped_variables(
    nodes: Iterable[object], owns: Callable[[Type], bool], keeps: Callable[[FunctionRef, int], bool]
) -> set[Variable]:
    """Those of them in which some vector may afterwards have other elements: more, fewer or elsewhere. Not those
    in which elements that own nothing are given other values. `keeps`: whether a function gets the elements of a
    vector for its n-th parameter, a reference."""
    found: set[Variable] = set()
    for node in walk(nodes):
        places: list[object] = []
        match node:
            case Assign() | Update():
                if owns(node.target.type):
                    places.append(node.target)
            case Append():
                places.append(node.target)
            case Move():
                places.append(node.place)
            case Declare() | Held() | ForRange() | ForEach() | ForCompleted():
                found.add(node.variable)
            case ForPairs():
                found.update(_of_pairs(node))
            case BuiltinCall() if node.builtin.symbol == "swap":
                if owns_elements(node.arguments[0], owns):
                    places.append(node.arguments[0])
            case Call():
                places += (
                    argument
                    for index, argument in _by_reference(node)
                    if not keeps(node.function, index) or owns_elements(argument, owns)
                )
            case BuiltinCall():
                places += _passed_in_place(node)
            case _:
                pass
        if places:
            found.update(variable for variable in map(root_variable, places) if variable is not None)
    return found
