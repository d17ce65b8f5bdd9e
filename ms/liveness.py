"""Facts about the variables of one function: who is mentioned, changed, consumed, and which values are needed later.

Sets of variables are bit masks over `Variable.number`. Liveness is a backward dataflow over the structured tree: each
statement has a transfer function in closed form (`Flow`), found once from the inside out, so a loop needs no iteration.
The decisions that follow from the facts are `ownership.py`'s.

What always holds: the variable of a `for` over a place that the body leaves alone stands for a part of that place, so
using the variable counts as using the place (its mask holds both).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ms.typed import (
    Append,
    Assign,
    Block,
    BoolLiteral,
    Break,
    BuiltinCall,
    Continue,
    Declare,
    Evaluate,
    Expression,
    For,
    ForCompleted,
    ForEach,
    ForPairs,
    ForRange,
    Function,
    If,
    Return,
    Statement,
    Switch,
    Update,
    Variable,
    VariableKind,
    VariableRef,
    While,
)
from ms.uses import Owning, Passings, Use, is_place, operands, root_of, statement_parts

ALL = -1
"""The mask of every variable."""


def bit(variable: Variable) -> int:
    return 1 << variable.number


def root_bit(place: Expression) -> int:
    """The variable that a place is part of; none for constants and temporaries."""
    root = root_of(place)
    return bit(root.variable) if isinstance(root, VariableRef) else 0


@dataclass(frozen=True, slots=True)
class Facts:
    """The variables that a statement names, and those that it changes: assigns, appends to, passes as T& or INOUT."""

    mentions: int
    changes: int


@dataclass(frozen=True, slots=True)
class Flow:
    """What is live before a statement: `needs`, and what is live after each way out, as far as it comes through that
    way without being overwritten. A way out that cannot be reached lets nothing through (0)."""

    needs: int
    normal: int
    breaks: int
    continues: int
    leaves: int = 0  # by a `break` out of a switch

    def then(self, other: Flow) -> Flow:
        return Flow(
            self.needs | (other.needs & self.normal),
            self.normal & other.normal,
            self.breaks | (self.normal & other.breaks),
            self.continues | (self.normal & other.continues),
            self.leaves | (self.normal & other.leaves),
        )

    def either(self, other: Flow) -> Flow:
        return Flow(
            self.needs | other.needs,
            self.normal | other.normal,
            self.breaks | other.breaks,
            self.continues | other.continues,
            self.leaves | other.leaves,
        )


def names(s: ForEach | ForPairs) -> int:
    """The variables that a loop makes."""
    if isinstance(s, ForEach):
        return bit(s.variable)
    return bit(s.key) if s.value is None else bit(s.key) | bit(s.value)


def is_endless(condition: Expression | None) -> bool:
    """Whether a loop with this condition is left by `break` and `return` only."""
    return condition is None or (isinstance(condition, BoolLiteral) and condition.value)


def ends_control(s: Evaluate) -> bool:
    return isinstance(s.expression, BuiltinCall) and not s.expression.builtin.returns


class Liveness:
    """The facts and flows of one function's statements, each found once."""

    def __init__(self, function: Function) -> None:
        self.references = 0
        self.masks: dict[int, int] = {}
        self.next_number = 0
        for parameter in function.parameters:
            self._declared(parameter)
            if parameter.kind is VariableKind.REFERENCE:
                self.references |= bit(parameter)
        self._facts: dict[int, Facts] = {}
        self._flows: dict[int, Flow] = {}
        self._expressions: dict[int, Facts] = {}
        self._aliases: list[tuple[int, int]] = []
        self.facts(function.body)

    def mask(self, variable: Variable) -> int:
        """The variable, and what it is a part of when it is the name of a borrowing `for`."""
        return self.masks.get(variable.number) or bit(variable)

    def set_whole(self, variable: Variable, whole: int) -> None:
        """Makes the name of a loop stand for a part of `whole`, or for a value of its own (0)."""
        self.masks[variable.number] = bit(variable) | whole

    def _declared(self, variable: Variable) -> None:
        self.next_number = max(self.next_number, variable.number + 1)

    def of_expression(self, e: Expression) -> Facts:
        known = self._expressions.get(id(e))
        if known is None:
            known = self._expressions[id(e)] = expression_facts(e)
        return known

    def facts(self, s: Statement) -> Facts:
        known = self._facts.get(id(s))
        if known is None:
            known = self._facts[id(s)] = self._find_facts(s)
        return known

    def _find_facts(self, s: Statement) -> Facts:
        expressions, statements = statement_parts(s)
        mentions = changes = 0
        for expression, use in expressions:
            if use is Use.INOUT:
                changes |= root_bit(expression)
            found = self.of_expression(expression)
            mentions |= found.mentions
            changes |= found.changes
        for inner in statements:
            found = self.facts(inner)
            mentions |= found.mentions
            changes |= found.changes
        match s:
            case Declare() | ForRange() | ForEach() | ForCompleted():
                self._declared(s.variable)
            case ForPairs():
                self._declared(s.key)
                if s.value is not None:
                    self._declared(s.value)
            case _:
                pass
        return Facts(mentions, changes)

    def borrows(self, sequence: Expression, body: Block) -> bool:
        """Whether a loop may go over a place (or static data) where it lies: nothing in the body changes what it is
        part of."""
        root = root_of(sequence)
        if isinstance(root, VariableRef):
            return not self.facts(body).changes & bit(root.variable)
        return True

    def flow(self, s: Statement) -> Flow:
        known = self._flows.get(id(s))
        if known is None:
            known = self._flows[id(s)] = self._find_flow(s)
        return known

    def _reads(self, *expressions: Expression | None) -> Flow:
        needs = 0
        for expression in expressions:
            if expression is not None:
                needs |= self.of_expression(expression).mentions
        for variable, whole in reversed(self._aliases):
            if needs & variable:
                needs |= whole
        return Flow(needs, ALL, 0, 0)

    def _sequence(self, statements: tuple[Statement, ...]) -> Flow:
        flow = Flow(0, ALL, 0, 0)
        for s in reversed(statements):
            flow = self.flow(s).then(flow)
        return flow

    def _find_flow(self, s: Statement) -> Flow:
        match s:
            case Block():
                return self._sequence(s.statements)
            case Declare():
                return Flow(self._reads(s.value).needs, ~bit(s.variable), 0, 0)
            case Assign():
                if isinstance(s.target, VariableRef):
                    return Flow(self._reads(s.value).needs, ~bit(s.target.variable), 0, 0)
                return self._reads(s.target, s.value)
            case Update() | Append():
                return self._reads(s.target, s.value)
            case Evaluate():
                return Flow(self._reads(s.expression).needs, 0 if ends_control(s) else ALL, 0, 0)
            case If():
                otherwise = Flow(0, ALL, 0, 0) if s.otherwise is None else self.flow(s.otherwise)
                return self._reads(s.condition).then(self.flow(s.then).either(otherwise))
            case Switch():
                return self._switch(s)
            case Break():
                return Flow(0, 0, 0, 0, ALL) if s.leaves_switch else Flow(0, 0, ALL, 0)
            case Continue():
                return Flow(0, 0, 0, ALL)
            case Return():
                return Flow(self._reads(s.value).needs | self.references, 0, 0, 0)
            case While() | For() | ForRange() | ForEach() | ForPairs() | ForCompleted():
                return self._loop(s)
            case _:
                assert_never(s)

    def _switch(self, s: Switch) -> Flow:
        has_default = any(not case.values for case in s.cases)
        flow = Flow(0, 0 if has_default else ALL, 0, 0)
        for case in s.cases:
            flow = flow.either(self.flow(case.body))
        whole = Flow(flow.needs, flow.normal | flow.leaves, flow.breaks, flow.continues)
        return self._reads(s.subject).then(whole)

    def _loop(self, s: While | For | ForRange | ForEach | ForPairs | ForCompleted) -> Flow:
        match s:
            case While():
                return self.rounds(s)
            case For():
                return self._sequence(s.init).then(self.rounds(s))
            case ForRange():
                fresh = Flow(0, ~bit(s.variable), 0, 0)
                return self._reads(s.low, s.high).then(self._rounds(fresh, s.body, None, False))
            case ForCompleted():
                return self._over(s.jobs, (s.variable,), s.body)
            case ForEach():
                return self._over(s.sequence, (s.variable,), s.body)
            case ForPairs():
                return self._over(s.sequence, (s.key,) if s.value is None else (s.key, s.value), s.body)
            case _:
                assert_never(s)

    def rounds(self, s: While | For) -> Flow:
        """The loop from its head on, without the `init` of a `for`."""
        step = self._sequence(s.step) if isinstance(s, For) else None
        return self._rounds(self._reads(s.condition), s.body, step, is_endless(s.condition))

    def _over(self, sequence: Expression, variables: tuple[Variable, ...], body: Block) -> Flow:
        """A loop over a sequence. One that is only borrowed is looked at again in each round."""
        head = Flow(0, ALL, 0, 0)
        root = root_of(sequence)
        borrowed = self.borrows(sequence, body) and isinstance(root, VariableRef)
        for variable in variables:
            head = head.then(Flow(0, ~bit(variable), 0, 0))
        if borrowed and isinstance(root, VariableRef):
            whole = self.mask(root.variable)
            head = Flow(whole, ALL, 0, 0).then(head)
            for variable in variables:
                self.set_whole(variable, whole)
                self._aliases.append((bit(variable), whole))
        rounds = self._rounds(head, body, None, False)
        if borrowed:
            del self._aliases[len(self._aliases) - len(variables) :]
        return self._reads(sequence).then(rounds)

    def _rounds(self, head: Flow, body: Block, step: Flow | None, endless: bool) -> Flow:
        """The rounds of a loop from its head on: the least fixed point of `head; (leave, or body; step; again)`. What
        is needed at the head after a round is needed at the head already, so one round tells it all."""
        inner = self.flow(body)
        needs = inner.needs
        if step is not None:
            needs |= step.needs & (inner.normal | inner.continues)
        leave = Flow(0, 0 if endless else ALL, 0, 0)
        return head.then(Flow(needs, inner.breaks, 0, 0).either(leave))


def expression_facts(e: Expression) -> Facts:
    """The variables that an expression names and those that it changes."""
    mentions = changes = 0
    pending = [e]
    while pending:
        node = pending.pop()
        if isinstance(node, VariableRef):
            mentions |= 1 << node.variable.number
            continue
        for part, use in operands(node, {}):
            if use is Use.INOUT:
                changes |= root_bit(part)
            pending.append(part)
    return Facts(mentions, changes)


class Consumption:
    """Which variables (or parts of them) stand where a value is kept, given how functions take their parameters."""

    def __init__(self, liveness: Liveness, owning: Owning, passings: Passings) -> None:
        self._liveness = liveness
        self._owning = owning
        self._passings = passings
        self._known: dict[int, int] = {}

    def of(self, s: Statement) -> int:
        known = self._known.get(id(s))
        if known is None:
            known = 0
            expressions, statements = statement_parts(s)
            for inner in statements:
                known |= self.of(inner)
            if isinstance(s, ForEach | ForPairs) and (known | self._liveness.facts(s.body).changes) & names(s):
                expressions = ((s.sequence, Use.OWN),)
            for expression, use in expressions:
                known |= self._expression(expression, use)
            self._known[id(s)] = known
        return known

    def _expression(self, e: Expression, use: Use) -> int:
        found = 0
        if is_place(e) and use in (Use.OWN, Use.REUSE, Use.GROW, Use.KEY) and self._owning.owns(e.type):
            found = root_bit(e)
        for part, part_use in operands(e, self._passings):
            found |= self._expression(part, use if part_use is Use.SAME else part_use)
        return found
