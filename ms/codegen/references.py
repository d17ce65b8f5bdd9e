"""Which references to vectors come as their elements: those that the function never makes longer, shorter or another
vector.

A reference is the address of the caller's variable, whose header is read when the function begins and written when it
ends. Where only elements are read and written, the address and the number of the elements say all, and go in
registers; and the caller knows that its vector is as long as it was, and where it was.
Invariant: `Passing` of a reference is BORROWED for these and OWNED for all others, once `decided` has said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ms.builtins import Mode
from ms.codegen import changes
from ms.typed import (
    Borrow,
    BuiltinCall,
    Call,
    Function,
    Passing,
    Program,
    Variable,
    VariableKind,
    VariableRef,
)
from ms.types import VectorType


def decided(program: Program) -> Program:
    """The program, with its references decided."""
    functions = program.functions
    kept = _kept(functions)
    return replace(program, functions=tuple(_decided(function, kept) for function in functions))


def comes_as_elements(variable: Variable, passing: Passing) -> bool:
    """Whether a parameter is such a reference."""
    is_vector = isinstance(variable.type, VectorType)
    return variable.kind is VariableKind.REFERENCE and is_vector and passing is Passing.BORROWED


def _decided(function: Function, kept: set[tuple[str, int]]) -> Function:
    if VariableKind.REFERENCE not in function.ref.parameter_kinds:
        return function
    passings = [
        passing
        if variable.kind is not VariableKind.REFERENCE
        else Passing.BORROWED
        if (function.ref.name, index) in kept
        else Passing.OWNED
        for index, (variable, passing) in enumerate(zip(function.parameters, function.passings, strict=True))
    ]
    return replace(function, passings=tuple(passings))


def _kept(functions: Iterable[Function]) -> set[tuple[str, int]]:
    """The references, by the names of their functions and their numbers, of which only elements are changed."""
    kept: set[tuple[str, int]] = set()
    passed_on: list[tuple[tuple[str, int], tuple[str, int]]] = []
    for function in functions:
        own = {
            variable: (function.ref.name, index)
            for index, variable in enumerate(function.parameters)
            if variable.kind is VariableKind.REFERENCE and isinstance(variable.type, VectorType)
        }
        if not own:
            continue
        kept.update(own.values())
        for node in changes.walk([function.body]):
            kept.difference_update(own[variable] for variable in changed(node) if variable in own)
            if isinstance(node, Call):
                passed_on += [
                    (own[variable], (node.function.name, index)) for variable, index in given(node) if variable in own
                ]
    while lost := {outer for outer, inner in passed_on if outer in kept and inner not in kept}:
        kept -= lost
    return kept


def _whole(place: object) -> Variable | None:
    """The variable that a place is, all of it."""
    while isinstance(place, Borrow):
        place = place.place
    return place.variable if isinstance(place, VariableRef) else None


def changed(node: object) -> Iterator[Variable]:
    """The variables of which a node makes others, or other vectors."""
    places = changes.targets(node)
    if isinstance(node, BuiltinCall) and node.builtin.symbol != "swap":
        rows = node.builtin.parameters
        for index, argument in enumerate(node.arguments):
            if rows[min(index, len(rows) - 1)][1] is Mode.INOUT:
                places.append(argument)
    for place in places:
        variable = _whole(place)
        if variable is not None:
            yield variable


def given(call: Call) -> Iterator[tuple[Variable, int]]:
    """The variables that a call is given by reference, each with the number of the parameter."""
    for index, (kind, argument) in enumerate(zip(call.function.parameter_kinds, call.arguments, strict=True)):
        variable = _whole(argument)
        if kind is VariableKind.REFERENCE and variable is not None:
            yield variable, index
