"""Turns a program that was made blindly into one that runs: statements that fail, or do too much, are taken out.

The twin tells which; it goes on behind them as if they had not been there. Some failures are kept: those of some jobs,
whose errors are asked for, and now and then one that ends the master. Always holds: the twin of what comes out ends.
"""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

from generate.show import show_files
from generate.shrink import simplest
from generate.tree import (
    Block,
    Builtin,
    Case,
    Declare,
    Evaluate,
    For,
    Function,
    If,
    Literal,
    Node,
    Program,
    Return,
    Statement,
    Step,
    is_fail,
)
from generate.twin import Exited, Failed, Spent, Twin
from ms.types import STRING, VOID, Type

ROUNDS_MAX = 40
KEPT = 0.4  # of the jobs' failures


def settled(program: Program, choice: random.Random) -> Program:
    ends_badly = choice.random() < 0.4
    kept: set[int] = set()
    alive: list[Program] = []  # so that no identity is used twice
    for _ in range(ROUNDS_MAX):
        alive.append(program)
        culprits, end = _tried(program, kept, choice, ends_badly)
        if end is not None:
            statements = program.master.statements[: end + 1]
            program = replace(program, master=Block(statements))
        if not culprits:
            return program
        program = without(program, culprits)
    return replace(program, master=Block(()))


def _tried(
    program: Program, kept: set[int], choice: random.Random, ends_badly: bool
) -> tuple[dict[int, Type | None], int | None]:
    """The statements that fail, and where the program may end with its failure."""
    twin = Twin(program, show_files(program)[1])
    culprits: dict[int, Type | None] = {}
    total = len(program.master.statements)
    for number, statement in enumerate(program.master.statements):
        before = {name: cell.get() for name, cell in twin.master_variables.items()}
        size, errors_size, files = len(twin.output), len(twin.errors), dict(twin.files)
        twin.start_statement()
        try:
            if twin.run(statement) is not None:
                break
        except Exited:
            break
        except (Failed, Spent) as problem:
            if isinstance(problem, Failed) and ends_badly and number > total * 2 // 3 and not culprits:
                return {}, number
            place = twin.culprit if isinstance(problem, Failed) else statement
            if not (
                culprits and isinstance(problem, Failed) and problem.message == "no job"
            ):  # or it follows from another
                culprits[id(place)] = None
            twin.forget_frames()
            twin.start_statement()
            del twin.output[size:]
            del twin.errors[errors_size:]
            twin.files = files
            for name, value in before.items():
                twin.master_variables[name].put(value)
            if isinstance(statement, Declare):
                twin.run(Declare(statement.type, statement.name, None))
    for node in twin.job_failures:
        if id(node) not in kept and id(node) not in culprits and not is_fail(node):
            if choice.random() < KEPT:
                kept.add(id(node))
            else:
                culprits[id(node)] = None
    return culprits, None


def without(node: Any, culprits: dict[int, Type | None]) -> Any:
    """The tree with something harmless in place of the statements; what does not change stays the same node."""
    changes = {}
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, Block | Program | Function | Case) or (isinstance(value, Node) and hasattr(value, "body")):
            made = without(value, culprits)
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            made = tuple(_replaced(part, culprits) for part in value)
            if all(a is b for a, b in zip(made, value)):
                made = value
        else:
            continue
        if made is not value:
            changes[field.name] = made
    return replace(node, **changes) if changes else node


def _replaced(node: Node, culprits: dict[int, Type | None]) -> Node:
    parts = (node, node.start, node.step) if isinstance(node, For) else (node,)
    if not any(id(part) in culprits for part in parts):
        return without(node, culprits) if not isinstance(node, Step) else node
    return _harmless(node)


def _harmless(node: Node) -> Statement:
    match node:
        case Declare():
            return Declare(node.type, node.name, None)
        case If():
            return node.then
        case Return(value=value) if value is not None:
            simple = simplest(value.type)
            if simple is None:  # a tail job, or a function that gives handles
                return Evaluate(Builtin(VOID, "fail", (Literal(STRING, b"no handle"),)))
            return Return(simple) if not isinstance(value, Literal) else Block(())
        case _:
            return Block(())
