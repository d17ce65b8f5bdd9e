"""The rules of an owned tree, checked by walking all its paths forward: a second opinion on `ms/ownership.py`.

`violations` gives a sentence for each rule that is broken:
 - each value of an owning type has the form that its consumer wants (the head of `ms/typed.py`);
 - nothing is read that may have been moved from and not been given a new value;
 - nothing borrowed is moved from; a reference is whole again when its function ends;
 - nothing that is borrowed by an operand is changed or moved from before the consumer is done;
 - each variable that owns is dropped exactly once on each way out of its scope, unless it is zero there for certain.

The walk knows for each variable which of its parts *may* be zero and whether all of it *must* be. A part is the steps
from the variable to it: field numbers, and for elements their index in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ms.typed import (
    Append,
    Assign,
    Block,
    BoolLiteral,
    Borrow,
    Break,
    BuiltinCall,
    Conditional,
    ConstantRef,
    Continue,
    Copy,
    Declare,
    Evaluate,
    Expression,
    Field,
    For,
    ForCompleted,
    ForEach,
    ForPairs,
    ForRange,
    Function,
    Held,
    If,
    Index,
    MapEntry,
    Move,
    Passing,
    Program,
    Return,
    Scoped,
    Statement,
    StringLiteral,
    Switch,
    Update,
    Variable,
    VariableKind,
    VariableRef,
    While,
)
from ms.types import StructType, VectorType
from ms.uses import Owning, Passings, Use, operands, root_of

Path = tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What is known at a point that can be reached: for each variable that is there, the parts that may be zero because
    they were moved from; and the variables that are zero as a whole for certain."""

    parts: dict[Variable, frozenset[Path]] = field(default_factory=dict)
    empty: frozenset[Variable] = frozenset()

    def join(self, other: State | None) -> State:
        if other is None:
            return self
        parts = {v: self.parts[v] | other.parts[v] for v in self.parts if v in other.parts}
        return State(parts, self.empty & other.empty)

    def with_parts(self, variable: Variable, parts: Iterable[Path], is_empty: bool) -> State:
        empty = self.empty | {variable} if is_empty else self.empty - {variable}
        return State({**self.parts, variable: frozenset(parts)}, empty)

    def without(self, variable: Variable) -> State:
        return State({v: p for v, p in self.parts.items() if v is not variable}, self.empty - {variable})


def join(a: State | None, b: State | None) -> State | None:
    return b if a is None else a.join(b)


def path_of(place: Expression) -> Path:
    """The steps from a place's root to it; an element's index in words, so that equal words are the same element."""
    match place:
        case Field(base, _, index):
            return (*path_of(base), str(index))
        case Index(base, index):
            return (*path_of(base), f"[{_words(index)}]")
        case MapEntry(base, key):
            return (*path_of(base), f"[{_words(key)}]")
        case _:
            return ()


def _words(e: Expression) -> str:
    if isinstance(e, Borrow | Copy | Move):
        return _words(e.place)
    if isinstance(e, VariableRef):
        return f"{e.variable.name}#{e.variable.number}"
    return str(getattr(e, "value", id(e)))


def overlap(a: Path, b: Path) -> bool:
    """Whether one may be the other or a part of it. Two elements of one vector may always be the same."""
    return all(x == y or (x[0] == "[" and y[0] == "[") for x, y in zip(a, b, strict=False))


def _is_looked_at(e: Expression) -> bool:
    if isinstance(e, Conditional):
        return _is_looked_at(e.then) or _is_looked_at(e.otherwise)
    return isinstance(e, Held | Borrow)


def violations(program: Program) -> list[str]:
    passings = {f.ref.name: f.passings for f in program.functions}
    owning = Owning(program.structs)
    found: list[str] = []
    for function in (*program.functions, program.master):
        walk = _Walk(function, owning, passings)
        walk.function()
        found.extend(f"{function.ref.name}: {text}" for text in walk.found)
    return found


def _is_endless(condition: Expression | None) -> bool:
    return condition is None or (isinstance(condition, BoolLiteral) and condition.value)


@dataclass
class _Loop:
    depth: int
    breaks: State | None = None
    continues: State | None = None


class _Walk:
    def __init__(self, function: Function, owning: Owning, passings: Passings) -> None:
        self._function = function
        self._owning = owning
        self._passings = passings
        self._state: State | None = State()
        self._owned: set[Variable] = set()
        self._aliases: dict[Variable, set[Variable]] = {}
        self._events: set[Variable] = set()
        self._keys: set[Variable] = set()  # what the keys of the target at hand lie in
        self._scopes: list[list[Variable]] = []
        self._loops: list[_Loop] = []
        self._switches: list[_Loop] = []
        self.found: list[str] = []

    def _fail(self, text: str, e: Expression | Statement) -> None:
        message = f"{e.span}: {text}"
        if message not in self.found:
            self.found.append(message)

    # Variables and scopes

    def function(self) -> None:
        f = self._function
        own = []
        for parameter, passing in zip(f.parameters, f.passings, strict=True):
            if passing is Passing.UNDECIDED:
                self._fail(f"no passing for {parameter.name}", f.body)
            if passing is Passing.OWNED:
                self._owned.add(parameter)
            if passing is Passing.OWNED and self._owning.owns(parameter.type):
                own.append(parameter)
            elif self._owning.owns(parameter.type):
                self._define(parameter)
        self._block(f.body, own)
        if self._state is not None:
            self._leave(f.body)

    def _define(self, variable: Variable) -> None:
        if self._state is not None:
            self._state = self._state.with_parts(variable, (), False)

    def _leave(self, at: Statement) -> None:
        """The function ends: what was lent is whole."""
        for parameter in self._function.parameters:
            if self._state is not None and self._state.parts.get(parameter):
                self._fail(f"{parameter.name} is not whole at the end", at)

    def _drop(self, expected: list[Variable], drops: tuple[Variable, ...], at: Statement) -> None:
        """`expected` go out of scope here."""
        if self._state is None:
            return
        if len(set(drops)) != len(drops):
            self._fail("dropped twice", at)
        for variable in drops:
            if variable not in expected:
                self._fail(f"drops {variable.name}, which is not there or does not end here", at)
        for variable in expected:
            if variable not in drops and variable not in self._state.empty:
                self._fail(f"does not drop {variable.name}#{variable.number}", at)
        for variable in expected:
            self._state = self._state.without(variable)

    def _in_scope(self, depth: int) -> list[Variable]:
        return [variable for scope in self._scopes[depth:] for variable in scope]

    # Expressions: each gives the variables that its value still lies in

    def value(self, e: Expression, use: Use) -> set[Variable]:
        if use is Use.INOUT:
            self._place(e)
            return set()
        match e:
            case Scoped():
                for variable in e.temporaries:
                    self._define(variable)
                borrowed = self.value(e.value, use)
                if borrowed & set(e.temporaries):
                    self._fail("the value lies in a temporary that ends", e)
                for variable in e.temporaries:
                    self._state = self._state and self._state.without(variable)
                return borrowed
            case Conditional():
                return self._conditional(e, use)
            case _ if not self._owning.owns(e.type):
                return self._plain(e, use)
            case Borrow():
                self._wants(use in (Use.LOOK, Use.BASE, Use.REUSE, Use.GROW, Use.KEY), e, use)
                return self._borrowed(e.place)
            case Held():
                self._wants(use in (Use.LOOK, Use.BASE), e, use)
                self.value(e.value, Use.OWN)
                if self._state is not None and e.variable not in self._state.parts:
                    self._fail("a temporary that belongs to nobody", e)
                self._define(e.variable)
                return {e.variable}
            case Move() | Copy():
                self._wants(use in (Use.OWN, Use.REUSE, Use.GROW, Use.KEY), e, use)
                self._place(e.place)
                if isinstance(e, Move):
                    self._move(e)
                else:
                    self._read(e.place)
                return set()
            case VariableRef() | ConstantRef() | Field() | Index() | MapEntry():
                self._wants(False, e, use)
                return set()
            case StringLiteral():
                self._wants(use is Use.OWN, e, use)
                return set()
            case _:
                self._wants(use in (Use.OWN, Use.REUSE, Use.GROW, Use.KEY), e, use)
                self._operands(e)
                return set()

    def _wants(self, holds: bool, e: Expression, use: Use) -> None:
        if not holds:
            self._fail(f"{type(e).__name__} for {use.name}", e)

    def _plain(self, e: Expression, use: Use) -> set[Variable]:
        """A value that does not own. A struct in its place is read when its consumer reads it."""
        match e:
            case Copy():
                if not isinstance(e.type, StructType):
                    self._fail("a copy of a scalar", e)
                self._place(e.place)
                self._read(e.place)
                return set()
            case VariableRef() | ConstantRef() | Field() | Index() | MapEntry():
                borrowed = self._place(e)
                self._read(e)
                return borrowed if isinstance(e.type, StructType) else set()
            case Borrow() | Move() | Held():
                self._fail(f"{type(e).__name__} of a type that does not own", e)
                return set()
            case _:
                self._operands(e)
                return set()

    def _borrowed(self, place: Expression) -> set[Variable]:
        if isinstance(place, StringLiteral):
            return set()
        borrowed = self._place(place)
        self._read(place)
        return borrowed

    def _conditional(self, e: Conditional, use: Use) -> set[Variable]:
        self.value(e.condition, Use.LOOK)
        before = self._state
        arm = Use.LOOK if use in (Use.LOOK, Use.BASE) else Use.OWN
        then = self.value(e.then, arm)
        after = self._state
        self._state = before
        otherwise = self.value(e.otherwise, arm)
        self._state = join(after, self._state)
        return then | otherwise

    def _operands(self, e: Expression) -> None:
        """The operands in turn: what one changes must not be borrowed before, nor what the call changes by any."""
        held: set[Variable] = set()
        parts = sorted(operands(e, self._passings), key=lambda part: isinstance(part[0], Move) and part[0].late)
        outer = self._events
        for part, use in parts:
            self._events = set()
            borrowed = self.value(part, use)
            self._check_events(held, part)
            outer = outer | self._events
            held |= borrowed
        self._events = set()
        for part, use in parts:
            if use is Use.INOUT:
                root = root_of(part)
                if isinstance(root, VariableRef):
                    self._events.add(root.variable)
                self._read(part)
        self._check_events(held, e)
        self._events |= outer

    def _check_events(self, held: set[Variable], e: Expression) -> None:
        for variable in held & self._events:
            self._fail(f"{variable.name} is changed while it is borrowed", e)

    def _place(self, place: Expression) -> set[Variable]:
        """Evaluates the parts of a place; the variables that it lies in."""
        match place:
            case VariableRef():
                return self._with_whole(place.variable)
            case ConstantRef():
                return set()
            case Field():
                return self._place(place.base)
            case Index():
                base = self._place(place.base)
                self.value(place.index, Use.LOOK)
                return base
            case MapEntry():
                base = self._place(place.base)
                # Where no temporary could hold a key that is only looked for, it is given away as well.
                is_given = place.inserts or not _is_looked_at(place.key)
                self._keys |= self.value(place.key, Use.KEY if is_given else Use.LOOK)
                return base
            case _:
                return self.value(place, Use.BASE)

    def _with_whole(self, variable: Variable) -> set[Variable]:
        """The variable, and those that it is a part of when a loop borrows its sequence."""
        return {variable} | self._aliases.get(variable, set())

    def _root(self, place: Expression) -> Variable | None:
        root = root_of(place)
        match root:
            case VariableRef() | Held():
                return root.variable
            case _:
                return None

    def _read(self, place: Expression) -> None:
        root = self._root(place)
        if root is None or self._state is None:
            return
        for variable in self._with_whole(root):
            path = path_of(place) if variable is root else ()
            moved = self._state.parts.get(variable, frozenset())
            if any(overlap(path, part) for part in moved):
                self._fail(f"reads {variable.name}, of which {sorted(moved)} may be moved", place)
        if self._owning.owns(root.type) and root not in self._state.parts:
            self._fail(f"reads {root.name}, which is not there", place)

    def _move(self, e: Move) -> None:
        self._read(e.place)
        variable = self._root(e.place)
        if variable is None or self._state is None:
            self._fail("moves from what is no variable's", e)
            return
        if variable.kind in (VariableKind.PARAMETER, VariableKind.LOOP) and variable not in self._owned:
            self._fail(f"moves from {variable.name}, which is borrowed", e)
        self._events.add(variable)
        path = path_of(e.place)
        self._state = self._state.with_parts(variable, self._state.parts[variable] | {path}, path == ())

    # Statements

    def _block(self, block: Block, first: Iterable[Variable]) -> None:
        self._scopes.append(list(first))
        for variable in self._scopes[-1]:
            self._define(variable)
        for s in block.statements:
            self.statement(s)
        self._drop(self._scopes.pop(), block.drops, block)

    def statement(self, s: Statement) -> None:
        self._events = set()
        match s:
            case Block():
                self._block(s, [])
            case Declare():
                self.value(s.value, Use.OWN)
                if self._owning.owns(s.variable.type):
                    self._scopes[-1].append(s.variable)
                    self._define(s.variable)
            case Assign():
                self._assign(s)
            case Update():
                use = Use.GROW if isinstance(s.target.type, VectorType) else Use.LOOK
                self._change(s.target, s.value, use)
            case Append():
                self._change(s.target, s.value, Use.GROW if s.whole else Use.OWN)
            case Evaluate():
                self._evaluate(s.expression)
                if isinstance(s.expression, BuiltinCall) and not s.expression.builtin.returns:
                    self._state = None
            case If():
                self._if(s)
            case Switch():
                self._switch(s)
            case Break() if s.leaves_switch:
                switch = self._switches[-1]
                self._drop(self._in_scope(switch.depth), s.drops, s)
                switch.breaks = join(switch.breaks, self._state)
                self._state = None
            case Break() | Continue():
                loop = self._loops[-1]
                self._drop(self._in_scope(loop.depth), s.drops, s)
                if isinstance(s, Break):
                    loop.breaks = join(loop.breaks, self._state)
                else:
                    loop.continues = join(loop.continues, self._state)
                self._state = None
            case Return():
                self._return(s)
            case _:
                self._loop(s)

    def _evaluate(self, e: Expression) -> None:
        """The one place where a value may lie in a temporary that ends: nobody looks at it."""
        temporaries = e.temporaries if isinstance(e, Scoped) else ()
        for variable in temporaries:
            self._define(variable)
        self.value(e.value if isinstance(e, Scoped) else e, Use.LOOK)
        for variable in temporaries:
            self._state = self._state and self._state.without(variable)

    def _target(self, target: Expression, value: Expression, use: Use) -> set[Variable]:
        """A target's parts, then its value, which must leave alone what keys are borrowed; what the value lies in."""
        self._keys = set()
        self._place(target)
        keys, self._events = set(self._keys), set()
        borrowed = self.value(value, use)
        self._check_events(keys, value)
        return borrowed

    def _assign(self, s: Assign) -> None:
        self._target(s.target, s.value, Use.OWN)
        variable = self._root(s.target)
        if variable is None or self._state is None:
            return
        if variable.kind in (VariableKind.PARAMETER, VariableKind.LOOP) and variable not in self._owned:
            self._fail(f"changes {variable.name}, which is borrowed", s)
        path = path_of(s.target)
        if variable in self._state.parts:
            parts = {p for p in self._state.parts[variable] if p[: len(path)] != path}
            if any(overlap(path, p) and len(p) < len(path) for p in parts):
                self._fail(f"changes a part of {variable.name}, which may be moved", s)
            self._state = self._state.with_parts(variable, parts, False)

    def _change(self, target: Expression, value: Expression, use: Use) -> None:
        borrowed = self._target(target, value, use)
        self._read(target)
        root = self._root(target)
        if root is not None and root in borrowed:
            self._fail(f"{root.name} is changed while it is borrowed", target)

    def _return(self, s: Return) -> None:
        if s.value is not None:
            borrowed = self.value(s.value, Use.OWN)
            if borrowed & set(s.drops):
                self._fail("returns what lies in a variable that is dropped", s)
        self._drop(self._in_scope(0), s.drops, s)
        self._leave(s)
        self._state = None

    def _if(self, s: If) -> None:
        self.value(s.condition, Use.LOOK)
        before = self._state
        self._block(s.then, [])
        after = self._state
        self._state = before
        if s.otherwise is not None:
            self._block(s.otherwise, [])
        self._state = join(after, self._state)

    def _switch(self, s: Switch) -> None:
        self._scopes.append(list(s.drops))
        for variable in s.drops:
            self._define(variable)
        self.value(s.subject, Use.LOOK)
        before = self._state
        after = None if any(not case.values for case in s.cases) else before
        left = _Loop(len(self._scopes))
        self._switches.append(left)
        for case in s.cases:
            self._state = before
            self._block(case.body, [])
            after = join(after, self._state)
        self._switches.pop()
        self._state = join(after, left.breaks)
        self._drop(self._scopes.pop(), s.drops, s)

    def _loop(self, s: Statement) -> None:
        match s:
            case While():
                self._rounds(s.condition, _is_endless(s.condition), s.body)
            case For():
                self._scopes.append([])
                for inner in s.init:
                    self.statement(inner)
                self._rounds(s.condition, _is_endless(s.condition), s.body, s.step)
                self._drop(self._scopes.pop(), s.drops, s)
            case ForRange():
                self._owned.add(s.variable)
                self.value(s.low, Use.LOOK)
                self.value(s.high, Use.LOOK)
                self._rounds(None, False, s.body)
            case ForEach():
                self._over(s, s.sequence, [s.variable], s.passing)
            case ForPairs():
                self._over(s, s.sequence, [s.key] if s.value is None else [s.key, s.value], s.passing)
            case ForCompleted():
                self._over(s, s.jobs, [s.variable], Passing.OWNED)
            case _:
                raise AssertionError(s)

    def _over(
        self, s: ForEach | ForPairs | ForCompleted, sequence: Expression, variables: list[Variable], passing: Passing
    ) -> None:
        self._scopes.append(list(s.drops))
        for variable in s.drops:
            self._define(variable)
        lies_in = self.value(sequence, Use.LOOK)
        takes = isinstance(s, ForEach | ForPairs) and s.takes
        if takes and not (isinstance(sequence, Held) and passing is Passing.OWNED):
            self._fail("takes elements of what is not its own", s)
        if passing is Passing.OWNED:
            self._owned.update(variables)
        elif passing is Passing.BORROWED:
            self._aliases.update((variable, lies_in) for variable in variables)
        else:
            self._fail("no passing", s)
        first = [v for v in variables if passing is Passing.OWNED and self._owning.owns(v.type)]
        if passing is Passing.BORROWED:
            for variable in variables:
                self._define(variable)
        self._rounds(None, False, s.body, (), first, lies_in)
        self._drop(self._scopes.pop(), s.drops, s)

    def _rounds(
        self,
        condition: Expression | None,
        is_endless: bool,
        body: Block,
        step: tuple[Statement, ...] = (),
        first: Iterable[Variable] = (),
        lies_in: Iterable[Variable] = (),
    ) -> None:
        """Rounds until nothing more may be moved at the head. A sequence that is borrowed is looked at there."""
        head = self._state
        while True:
            self._state = head
            for variable in lies_in:
                if self._state is not None and self._state.parts.get(variable):
                    self._fail(f"{variable.name} is gone through and may be moved", body)
            if condition is not None:
                self.value(condition, Use.LOOK)
            leave = None if is_endless else self._state
            loop = _Loop(len(self._scopes))
            self._loops.append(loop)
            self._block(body, first)
            self._loops.pop()
            self._state = join(self._state, loop.continues)
            for inner in step:
                self.statement(inner)
            again = join(head, self._state)
            if again == head:
                self._state = join(leave, loop.breaks)
                return
            head = again
