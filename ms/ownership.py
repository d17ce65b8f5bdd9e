"""Decides move, copy, borrow and drop, and writes them into the typed tree.

`own` takes the checker's tree and gives the same tree with the nodes under "Ownership" in `typed.py` filled in. Here
stand the statements: the lists of drops, the loops, and how each function takes its parameters. `moves.py` does the
expressions, `liveness.py` tells what is needed later.

Statements are rewritten last one first, so that `live` always holds what is needed after the point at hand. What always
holds in the result: a value of an owning type is an owned one (a `Move`, a `Copy` or a new value) or a borrowed one (a
`Borrow`, a `Held`, or a `Conditional` of these), as its consumer wants it; a string literal in an owning position is a
new value, made of static data; a variable that owns is named in the drops on each way out of its scope, except on a
`return` that has just moved it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import assert_never

from ms.diagnostics import Diagnostics
from ms.liveness import Consumption, Liveness, bit, ends_control, is_endless, root_bit
from ms.moves import Values, Wants
from ms.source import Span
from ms.typed import (
    Append,
    Assign,
    Block,
    Break,
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
    Held,
    If,
    Passing,
    Program,
    Return,
    Statement,
    StringLiteral,
    Switch,
    SwitchCase,
    Update,
    Variable,
    VariableKind,
    VariableRef,
    While,
)
from ms.types import BOOL, VectorType
from ms.uses import Owning, Passings, Use, is_place, root_of


def own(program: Program, diagnostics: Diagnostics | None = None, warn_copies: bool = False) -> Program:
    """The program with its ownership decided. With `warn_copies`, a note for each copy of memory."""
    owning = Owning(program.structs)
    functions = (*program.functions, program.master)
    livenesses = [Liveness(function) for function in functions]
    passings = _find_passings(functions, livenesses, owning)
    owned: list[Function] = []
    for function, liveness in zip(functions, livenesses, strict=True):
        writer = _Writer(function, liveness, owning, passings)
        owned.append(writer.function())
        if diagnostics is not None and warn_copies:
            for note in reversed(writer.values.notes):
                diagnostics.add(note)
    return replace(program, functions=tuple(owned[:-1]), master=owned[-1])


def _find_passings(functions: tuple[Function, ...], livenesses: list[Liveness], owning: Owning) -> Passings:
    """The fixed point over the call graph. A parameter is owned when the function changes it, would move from it if it
    were its own, or would move it into an owned parameter of a function that it calls."""
    owned: set[tuple[str, int]] = set()
    callers: defaultdict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
    for function, liveness in zip(functions, livenesses, strict=True):
        name = function.ref.name
        changes = liveness.facts(function.body).changes
        by_value = [p for p in function.parameters if p.kind is VariableKind.PARAMETER]
        owned.update((name, i) for i, p in enumerate(function.parameters) if p in by_value and changes & bit(p))
        if any(owning.owns(p.type) for p in by_value):
            wants = _wants(function, liveness, owning)
            owned.update((name, i) for i in wants.moves)
            for i, callee, there in wants.passes:
                callers[callee, there].append((name, i))
    pending = list(owned)
    while pending:
        for caller in callers[pending.pop()]:
            if caller not in owned:
                owned.add(caller)
                pending.append(caller)
    return {
        function.ref.name: tuple(
            Passing.OWNED if (function.ref.name, i) in owned else Passing.BORROWED
            for i in range(len(function.parameters))
        )
        for function in functions
    }


def _wants(function: Function, liveness: Liveness, owning: Owning) -> Wants:
    """What the function would do with its parameters: found by rewriting it as if all were borrowed."""
    writer = _Writer(function, liveness, owning, {})
    writer.function()
    return writer.values.wants


@dataclass(slots=True)
class _Scope:
    """Variables that own and stand in one scope, in the order of declaration, as far as they are declared at the point
    at hand. `is_round`: the scope that `break` and `continue` end, `is_case`: the one that the `break` of a switch
    ends; what stands outside of it belongs to the loop or the switch."""

    variables: list[Variable]
    is_round: bool = False
    is_case: bool = False


@dataclass(frozen=True, slots=True)
class _Exits:
    """What is needed after a `break` and, in a loop, after a `continue`, and the next uses behind the loop or the
    switch."""

    breaks: int
    continues: int
    later_uses: dict[int, Span]


class _Writer:
    """Rewrites the statements of one function."""

    def __init__(self, function: Function, liveness: Liveness, owning: Owning, passings: Passings) -> None:
        self._function = function
        self._liveness = liveness
        self._owning = owning
        self._consumption = Consumption(liveness, owning, passings)
        self._passings = passings.get(function.ref.name, (Passing.BORROWED,) * len(function.parameters))
        self._scopes: list[_Scope] = []
        self._switches: list[_Exits] = []
        self._exits: list[_Exits] = []
        self.values = Values(owning, passings, liveness, function.parameters)

    def function(self) -> Function:
        passings = zip(self._function.parameters, self._passings, strict=True)
        own = [p for p, passing in passings if passing is Passing.OWNED]
        self.values.owned.update(own)
        self.values.live = self._liveness.references
        body = self._block(self._function.body, [p for p in own if self._owning.owns(p.type)])
        return Function(self._function.ref, self._function.parameters, body, self._passings)

    def _block(self, block: Block, first: list[Variable]) -> Block:
        """A block; `first` are variables that belong to its scope and are there before it begins."""
        scope = _Scope([*first, *self._declared(block.statements)])
        reaches_end = self._liveness.flow(block).normal != 0
        drops = tuple(reversed(scope.variables)) if reaches_end else ()
        self._scopes.append(scope)
        statements = self._statements(block.statements)
        self._scopes.pop()
        return Block(statements, block.span, drops)

    def _declared(self, statements: tuple[Statement, ...]) -> list[Variable]:
        return [s.variable for s in statements if isinstance(s, Declare) and self._owning.owns(s.variable.type)]

    def _statements(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """Statements of the innermost scope; before each declaration, its variable is not there yet."""
        scope = self._scopes[-1]
        written: list[Statement] = []
        for s in reversed(statements):
            if isinstance(s, Declare) and self._owning.owns(s.variable.type):
                scope.variables.pop()
            written.append(self._statement(s))
        written.reverse()
        return tuple(written)

    def _statement(self, s: Statement) -> Statement:
        match s:
            case Declare():
                self.values.kill(s.variable)
                return Declare(s.variable, self.values.scoped(s.value, Use.OWN), s.span)
            case Assign():
                return self._assign(s)
            case Update():
                return self._update(s)
            case Append():
                return self._append(s)
            case Evaluate():
                if ends_control(s):
                    self.values.live = 0
                return Evaluate(self.values.scoped(s.expression, Use.LOOK), s.span)
            case If():
                return self._if(s)
            case Block():
                return self._block(s, [])
            case Return():
                return self._return(s)
            case For():
                return self._for(s)
            case While():
                return self._while(s)
            case ForRange():
                return self._for_range(s)
            case ForEach():
                return self._for_each(s)
            case ForPairs():
                return self._for_pairs(s)
            case ForCompleted():
                return self._for_completed(s)
            case Switch():
                return self._switch(s)
            case Break():
                left = self._switches[-1] if s.leaves_switch else self._exits[-1]
                self.values.live = left.breaks
                self.values.later_uses = dict(left.later_uses)
                return Break(s.span, self._drops(of_round=True, of_case=s.leaves_switch), s.leaves_switch)
            case Continue():
                self.values.live = self._exits[-1].continues
                return Continue(s.span, self._drops(of_round=True))
            case _:
                assert_never(s)

    def _drops(self, of_round: bool, of_case: bool = False) -> tuple[Variable, ...]:
        """All variables that are there, innermost first: of the case of the innermost switch, of the round of the
        innermost loop, or of the function."""
        drops: list[Variable] = []
        for scope in reversed(self._scopes):
            drops.extend(reversed(scope.variables))
            if (of_case and scope.is_case) or (of_round and scope.is_round):
                break
        return tuple(drops)

    # Statements without statements in them

    def _assign(self, s: Assign) -> Statement:
        """What the target held is not needed when the whole variable is overwritten."""
        if isinstance(s.target, VariableRef):
            self.values.kill(s.target.variable)
            return Assign(s.target, self.values.assigned(s.target, s.value), s.span)
        self.values.begin(s.target)
        value = self.values.assigned(s.target, s.value)
        return Assign(self.values.target(s.target), value, s.span)

    def _update(self, s: Update) -> Statement:
        use = Use.GROW if isinstance(s.target.type, VectorType) else Use.LOOK
        self.values.begin(s.target)
        value = self.values.scoped(s.value, use, root_bit(s.target))
        return Update(self.values.target(s.target), s.operator, value, s.operand_type, s.span)

    def _append(self, s: Append) -> Statement:
        self.values.begin(s.target)
        value = self.values.scoped(s.value, Use.GROW if s.whole else Use.OWN, root_bit(s.target))
        return Append(self.values.target(s.target), value, s.whole, s.span)

    def _return(self, s: Return) -> Return:
        """The drops come after the value, so they disturb a struct that is still in its place."""
        self.values.live = self._liveness.references
        self.values.later_uses.clear()
        self.values.moved = 0
        drops = self._drops(of_round=False)
        value = s.value
        if value is not None:
            dropped = 0
            for variable in drops:
                dropped |= bit(variable)
            value = self.values.scoped(value, Use.OWN, dropped)
        left = tuple(variable for variable in drops if not self.values.moved & bit(variable))
        return Return(value, s.span, s.is_tail_job, left)

    # Branches

    def _if(self, s: If) -> If:
        after, uses = self.values.live, self.values.later_uses
        self.values.later_uses = dict(uses)
        otherwise = None if s.otherwise is None else self._block(s.otherwise, [])
        live, uses_otherwise = self.values.live, self.values.later_uses
        self.values.live, self.values.later_uses = after, uses
        then = self._block(s.then, [])
        self.values.live |= live
        self.values.later_uses = uses_otherwise | self.values.later_uses
        return If(self.values.scoped(s.condition, Use.LOOK), then, otherwise, s.span)

    def _switch(self, s: Switch) -> Switch:
        """A subject that owns is borrowed from its place, or held until the switch is left."""
        is_held = self._owning.owns(s.subject.type) and not _lies_still(s.subject)
        hidden = (self.values.hidden(s.subject.type, s.subject.span),) if is_held else ()
        self._scopes.append(_Scope(list(hidden)))
        after, uses = self.values.live, self.values.later_uses
        live = 0 if any(not case.values for case in s.cases) else after
        cases: list[SwitchCase] = []
        merged = dict(uses)
        self._switches.append(_Exits(after, 0, uses))
        self._scopes.append(_Scope([], is_case=True))
        for case in reversed(s.cases):
            self.values.live, self.values.later_uses = after, dict(uses)
            cases.append(SwitchCase(case.values, self._block(case.body, []), case.span))
            live |= self.values.live
            merged |= self.values.later_uses
        cases.reverse()
        self._scopes.pop()
        self._switches.pop()
        self._scopes.pop()
        self.values.live, self.values.later_uses = live, merged
        return Switch(self._sequence(s.subject, hidden), tuple(cases), s.span, hidden)

    # Loops

    def _round(self, body: Block, head: int, after: int, again: int, first: list[Variable]) -> Block:
        """The body of a loop; `head`, `after` and `again` are what is needed at the head, behind the loop and after a
        `continue`. Afterwards `live` is what is needed before the body."""
        uses = dict(self.values.later_uses)
        self._exits.append(_Exits(after, again, uses))
        self.values.loops.append(head)
        self._scopes.append(_Scope([], is_round=True))
        self.values.live = again
        written = self._block(body, first)
        self._scopes.pop()
        self.values.loops.pop()
        self._exits.pop()
        self.values.later_uses = uses | self.values.later_uses
        return written

    def _while(self, s: While) -> While:
        after = self.values.live
        rounds = self._liveness.rounds(s)
        head = rounds.needs | (after & rounds.normal)
        body = self._round(s.body, head, after, head, [])
        if not is_endless(s.condition):
            self.values.live |= after
        return While(self.values.scoped(s.condition, Use.LOOK), body, s.span)

    def _for(self, s: For) -> For:
        after = self.values.live
        scope = _Scope(self._declared(s.init))
        drops = tuple(reversed(scope.variables))
        self._scopes.append(scope)
        rounds = self._liveness.rounds(s)
        head = rounds.needs | (after & rounds.normal)
        self.values.live = head
        step = tuple(reversed([self._statement(inner) for inner in reversed(s.step)]))
        body = self._round(s.body, head, after, self.values.live, [])
        if not is_endless(s.condition):
            self.values.live |= after
        condition = None if s.condition is None else self.values.scoped(s.condition, Use.LOOK)
        init = self._statements(s.init)
        self._scopes.pop()
        return For(init, condition, step, body, s.span, drops)

    def _for_range(self, s: ForRange) -> ForRange:
        after = self.values.live
        head = self._liveness.flow(s.body).needs & ~bit(s.variable) | after
        body = self._round(s.body, head, after, head, [])
        self.values.kill(s.variable)
        self.values.live |= after
        high = self.values.scoped(s.high, Use.LOOK)
        return ForRange(s.variable, self.values.scoped(s.low, Use.LOOK), high, body, s.span)

    def _sequence(self, e: Expression, hidden: tuple[Variable, ...]) -> Expression:
        """What a loop goes over or a switch looks at: held in the hidden variable if there is one, else as it lies."""
        if hidden:
            return Held(self.values.scoped(e, Use.OWN), hidden[0], e.type, e.span)
        self.values.use(e)
        return self.values.resting(e)

    def _for_each(self, s: ForEach) -> ForEach:
        after = self.values.live
        takes_element = self._takes((s.variable,), s.body)
        borrows = self._borrows(s, takes_element, after)
        hidden = () if borrows else (self.values.hidden(s.sequence.type, s.sequence.span),)
        changed = bool(self._liveness.facts(s.body).changes & bit(s.variable))
        assert isinstance(s.sequence.type, VectorType)
        converts = s.sequence.type.element != s.variable.type
        is_owned = changed or converts or (takes_element and not borrows)
        if is_owned:
            self.values.owned.add(s.variable)
        owns = self._owning.owns(s.variable.type)
        body = self._over(s.sequence, (s.variable,), s.body, hidden, [s.variable] if is_owned and owns else [])
        return ForEach(
            s.variable,
            self._sequence(s.sequence, hidden),
            body,
            s.span,
            Passing.OWNED if is_owned else Passing.BORROWED,
            is_owned and owns and not borrows,
            hidden,
        )

    def _takes(self, variables: tuple[Variable, ...], body: Block) -> bool:
        """Whether the body would take one of the values, or a part of it, if it could."""
        taken = self._liveness.facts(body).changes | self._consumption.of(body)
        return any(self._owning.owns(variable.type) and taken & bit(variable) for variable in variables)

    def _borrows(self, s: ForEach | ForPairs, takes: bool, after: int) -> bool:
        """Whether the loop goes over its sequence where it lies."""
        if not _lies_still(s.sequence) or not self._liveness.borrows(s.sequence, s.body):
            return False
        return not (takes and self._is_last_use(s, after))

    def _is_last_use(self, s: ForEach | ForPairs, after: int) -> bool:
        """Whether the sequence is the function's own and nothing in the loop or behind it needs what it is part of."""
        root = root_of(s.sequence)
        if not isinstance(root, VariableRef):
            return False
        variable = root.variable
        own = variable.kind not in (VariableKind.PARAMETER, VariableKind.LOOP) or variable in self.values.owned
        return own and not bit(variable) & (after | self._liveness.facts(s.body).mentions)

    def _over(
        self,
        sequence: Expression,
        variables: tuple[Variable, ...],
        body: Block,
        hidden: tuple[Variable, ...],
        first: list[Variable],
    ) -> Block:
        """The body of a loop over a sequence. Afterwards `live` is what is needed once the sequence is evaluated."""
        after = self.values.live
        root = root_of(sequence)
        whole = 0
        if hidden:
            whole = bit(hidden[0])
        elif isinstance(root, VariableRef):
            whole = self._liveness.mask(root.variable)
        own = 0
        for variable in variables:
            own |= bit(variable)
            self._liveness.set_whole(variable, 0 if hidden and variable in self.values.owned else whole)
        head = self._liveness.flow(body).needs & ~own | after
        if isinstance(root, VariableRef):
            if hidden and not bit(root.variable) & self._liveness.facts(body).mentions:
                head = head & ~bit(root.variable) | after & bit(root.variable)
            elif not hidden:
                head |= whole
        self._scopes.append(_Scope(list(hidden)))
        written = self._round(body, head, after, head, first)
        self._scopes.pop()
        for variable in variables:
            self.values.kill(variable)
        self.values.live = head
        return written

    def _for_pairs(self, s: ForPairs) -> ForPairs:
        variables = (s.key,) if s.value is None else (s.key, s.value)
        takes_pair = self._takes(variables, s.body)
        borrows = self._borrows(s, takes_pair, self.values.live)
        hidden = () if borrows else (self.values.hidden(s.sequence.type, s.sequence.span),)
        changes = self._liveness.facts(s.body).changes
        is_owned = any(changes & bit(variable) for variable in variables) or (takes_pair and not borrows)
        if is_owned:
            self.values.owned.update(variables)
        first = [variable for variable in variables if is_owned and self._owning.owns(variable.type)]
        body = self._over(s.sequence, variables, s.body, hidden, first)
        passing = Passing.OWNED if is_owned else Passing.BORROWED
        takes = bool(first) and not borrows
        return ForPairs(s.key, s.value, self._sequence(s.sequence, hidden), body, s.span, passing, takes, hidden)

    def _for_completed(self, s: ForCompleted) -> ForCompleted:
        borrows = _lies_still(s.jobs) and self._liveness.borrows(s.jobs, s.body)
        hidden = () if borrows else (self.values.hidden(s.jobs.type, s.jobs.span),)
        seen = self.values.hidden(VectorType(BOOL), s.jobs.span)
        self._scopes.append(_Scope([seen]))
        body = self._over(s.jobs, (s.variable,), s.body, hidden, [])
        self._scopes.pop()
        return ForCompleted(s.variable, self._sequence(s.jobs, hidden), body, s.span, seen, (*hidden, seen))


def _lies_still(e: Expression) -> bool:
    """Whether it is static data or a place that lives as long as its variable."""
    return is_place(root_of(e)) or isinstance(e, StringLiteral)
