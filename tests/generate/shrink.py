"""Makes a program that shows a fault smaller, as long as it still shows one.

Works on the tree, so that every try is a program that says what it does by its twin; whether it still type-checks is
found out by the compiler, which `still_bad` asks. Always holds: the answer is bad.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from generate.tree import SCALARS, Block, Builtin, Call, Case, Expression, If, Literal, Node, Program, StructOf
from ms.types import BOOL, FLOATS, JOB_STATE, STRING, JobType, MapType, StructType, Type, VectorType

Path = tuple[tuple[str, int], ...]


def children(node: Node) -> Iterator[tuple[str, int, Node]]:
    """The field, the place in it (-1: the field itself) and the node."""
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Node):
            yield field.name, -1, value
        elif isinstance(value, tuple):
            for index, part in enumerate(value):
                if isinstance(part, Node):
                    yield field.name, index, part
                elif isinstance(part, tuple) and len(part) == 2 and isinstance(part[1], Node):
                    yield field.name, index, part[1]


def nodes(node: Node) -> Iterator[Node]:
    yield node
    for _, _, part in children(node):
        yield from nodes(part)


def _paths(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    yield path, node
    for name, index, part in children(node):
        yield from _paths(part, (*path, (name, index)))


def _with(node: Any, path: Path, new: Node | None) -> Any:
    """The tree with another node at a place; with none there, when it is one of several."""
    name, index = path[0]
    value = getattr(node, name)
    if index < 0:
        return replace(node, **{name: new if len(path) == 1 else _with(value, path[1:], new)})
    part = value[index]
    inner = part[1] if isinstance(part, tuple) else part
    made = new if len(path) == 1 else _with(inner, path[1:], new)
    put = () if made is None else ((part[0], made),) if isinstance(part, tuple) else (made,)
    return replace(node, **{name: (*value[:index], *put, *value[index + 1 :])})


def simplest(type: Type) -> Expression | None:
    if type is JOB_STATE:
        return Literal(type, 0)
    if type in SCALARS:
        return Literal(type, 0.0 if type in FLOATS else False if type is BOOL else 0)
    if type == STRING:
        return Literal(STRING, b"")
    match type:
        case VectorType():
            return None if isinstance(type.element, JobType) else Literal(type, ())
        case MapType():
            return Literal(type, {})
        case StructType():
            return StructOf(type, ())
        case _:
            return None


def _simpler(node: Node) -> Iterator[Node]:
    """What may stand in a node's place."""
    if isinstance(node, Expression):
        least = simplest(node.type)
        is_simple = isinstance(node, Literal) and isinstance(least, Literal) and node.value == least.value
        if least is not None and not is_simple:
            yield least
        for part in nodes(node):
            if part is not node and isinstance(part, Expression) and part.type == node.type:
                yield part
    elif isinstance(node, If):
        yield node.then
        if node.otherwise is not None:
            yield node.otherwise
    elif isinstance(node, Block):
        return
    elif hasattr(node, "body") and not hasattr(node, "parameters"):
        yield node.body


_LISTS = ("statements", "functions", "constants", "structs", "cases", "elements", "fields", "values")


def _without(program: Program, size: int) -> Iterator[Program]:
    """The program without `size` neighbours in a list, from the outermost list on."""
    for path, node in _paths(program):
        for name in _LISTS:
            items = getattr(node, name, None)
            if not isinstance(items, tuple):
                continue
            for start in range(len(items) - size, -1, -1):
                fewer = replace(node, **{name: items[:start] + items[start + size :]})
                yield fewer if not path else _with(program, path, fewer)  # type: ignore[misc]


def _master_without(program: Program) -> Iterator[Program]:
    """The program without half of its master, without quarters and so on, from the end."""
    statements = program.master.statements
    size = len(statements) // 2
    while size > 0:
        for start in range(len(statements) - size, -1, -size):
            yield replace(program, master=Block(statements[:start] + statements[start + size :]))
        size //= 2


def _flattened(program: Program) -> Iterator[Program]:
    """With a block's statements in the place of the block."""
    for path, node in _paths(program):
        if path and isinstance(node, Block | Case):
            body = node if isinstance(node, Block) else node.body
            for index, part in enumerate(body.statements):
                if isinstance(part, Block):
                    flat = Block((*body.statements[:index], *part.statements, *body.statements[index + 1 :]))
                    yield _with(program, path, flat if isinstance(node, Block) else replace(node, body=flat))


def _smaller(program: Program) -> Iterator[Program]:
    if program.style or program.files > 1:
        yield replace(program, style=0, files=1)
        yield replace(program, style=0)
    yield from _master_without(program)
    for size in (8, 4, 2, 1):
        yield from _without(program, size)
    yield from _flattened(program)
    for path, node in _paths(program):
        for other in _simpler(node):
            if path:
                yield _with(program, path, other)


def _pruned(program: Program) -> Program:
    """Without functions that nothing calls."""
    functions = {function.name: function for function in program.functions}
    needed: set[str] = set()
    waiting: list[Node] = [program.master]
    while waiting:
        for node in nodes(waiting.pop()):
            called = (
                {node.function, node.reduce}
                if isinstance(node, Call)
                else {node.less}
                if isinstance(node, Builtin)
                else set()
            )
            waiting += [functions[name] for name in called - needed if name in functions]
            needed |= called
    return replace(program, functions=tuple(each for each in program.functions if each.name in needed))


def shrink(program: Program, still_bad: Callable[[Program], bool], seconds: float = 180) -> Program:
    """Takes so long at most. After a success it goes on where it was."""
    position, found = 0, False
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for index, candidate in enumerate(_smaller(program)):
            if index < position:
                continue
            if time.monotonic() > end:
                break
            candidate = _pruned(candidate)
            if still_bad(candidate):
                program, position, found = candidate, index, True
                break
        else:
            if not found:
                return program
            position, found = 0, False
    return program
