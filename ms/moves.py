"""Decides for each value in an expression whether it is moved, copied, borrowed or held.

Expressions are rewritten against the order of evaluation, last part first, so that what is needed afterwards is
known at each place: `live` holds the variables whose values are needed later, and the `later` of a value holds the
variables that may change between its evaluation and the end of its consumer. Statements, drops and parameters are left
to `ownership.py`; which position uses its value how, to `uses.py`.

What always holds: a place is reached after its indices and keys have been evaluated, that of an argument passed in
place after all arguments of the call have been. So only values can be disturbed by what is evaluated after them, not
places.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ms import errors
from ms.diagnostics import Diagnostic
from ms.liveness import Liveness, bit, root_bit
from ms.source import Span
from ms.typed import (
    Binary,
    Borrow,
    Call,
    Conditional,
    ConstantRef,
    Convert,
    Copy,
    Expression,
    Field,
    Held,
    Index,
    IntLiteral,
    Logical,
    MapEntry,
    Move,
    Scoped,
    StringLiteral,
    StructLiteral,
    Variable,
    VariableKind,
    VariableRef,
)
from ms.types import Scalar, Type
from ms.uses import Owning, Passings, Use, is_place, operands, rebuild, root_of


@dataclass(slots=True)
class Wants:
    """What one function would do with its parameters if they were its own: `moves` are those (by index) that it would
    move from, `passes` those that it would pass on whole, each as (own index, function, index there)."""

    moves: set[int] = field(default_factory=set)
    passes: list[tuple[int, str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Why:
    """Why a value is copied: a key of `errors.COPY_REASONS`, and the later use if there is one."""

    reason: str
    later: Span | None = None


@dataclass(frozen=True, slots=True)
class _Need:
    """What is needed behind an operation, and what the statement has used there."""

    live: int
    seen: int


class Values:
    """Rewrites the expressions of one function."""

    def __init__(
        self, owning: Owning, passings: Passings, liveness: Liveness, parameters: tuple[Variable, ...]
    ) -> None:
        self._owning = owning
        self._passings = passings
        self._liveness = liveness
        self._parameters = {p: i for i, p in enumerate(parameters) if p.kind is VariableKind.PARAMETER}
        self._next_number = liveness.next_number
        self._seen = 0  # the variables used so far in the statement at hand
        self._effects = 0  # the variables changed or moved from so far in the operand at hand
        self._conditional = 0  # how many conditional arms are around the expression at hand
        self._scopes_indices = False
        self._target: Expression | None = None
        self._temporaries: list[Variable] = []
        self.live = 0
        self.moved = 0  # the whole variables moved from for certain since this was last cleared
        self.later_uses: dict[int, Span] = {}
        self.owned: set[Variable] = set()
        self.loops: list[int] = []  # the variables needed at the head of each loop around
        self.wants = Wants()
        self.notes: list[Diagnostic] = []

    def hidden(self, type: Type, span: Span) -> Variable:
        variable = Variable("temporary", type, VariableKind.HIDDEN, self._next_number, span)
        self._next_number += 1
        return variable

    def use(self, place: Expression) -> None:
        """Notes that the variable that the place is part of is needed from here on."""
        root = root_of(place)
        if isinstance(root, VariableRef):
            mask = self._liveness.mask(root.variable)
            self.live |= mask
            self._seen |= mask
            self.later_uses[root.variable.number] = root.span

    def begin(self, target: Expression) -> None:
        """A statement changes the place: its value is rewritten next, then the target itself."""
        self._effects = 0
        self.use(target)

    def kill(self, variable: Variable) -> None:
        """Before this point the value of the variable is not needed."""
        self.live &= ~bit(variable)
        self.later_uses.pop(variable.number, None)

    def scoped(self, e: Expression, use: Use, later: int = 0) -> Expression:
        """A whole expression, with its temporaries."""
        if isinstance(e, IntLiteral):
            return e
        outer = self._temporaries, self._scopes_indices, self._effects
        self._temporaries, self._scopes_indices, self._effects = [], False, 0
        new = self.value(e, use, later)
        temporaries, effects = self._temporaries, self._effects
        self._temporaries, self._scopes_indices, self._effects = outer
        self._effects |= effects
        return Scoped(new, tuple(temporaries), e.type, e.span) if temporaries else new

    def assigned(self, target: Expression, value: Expression) -> Expression:
        """The value for a target that it overwrites: what the target holds may be moved into it."""
        changes = self._liveness.of_expression(value).changes
        self._target = target if _is_steady(target, changes) else None
        self._seen = 0
        # Putting a key in moves what lies in the map, structs that are looked at included.
        later = root_bit(target) if _inserts(target) else 0
        new = self.scoped(value, Use.OWN, later)
        self._target = None
        return new

    def target(self, place: Expression) -> Expression:
        """A place that a statement changes or borrows, reached when its value has been evaluated; temporaries in its
        indices end with each index."""
        outer = self._scopes_indices
        self._scopes_indices = True
        later, self._effects = self._effects, 0
        new = self._path(place, later)
        self._scopes_indices = outer
        return new

    def resting(self, e: Expression) -> Expression:
        """A place or static data that a statement looks at where it lies."""
        if isinstance(e.type, Scalar) or not (is_place(e) or isinstance(e, StringLiteral)):
            return self.scoped(e, Use.LOOK)
        self._effects = 0
        return Borrow(e if isinstance(e, StringLiteral) else self.target(e), e.type, e.span)

    def value(self, e: Expression, use: Use, later: int) -> Expression:
        """A value for a consumer that uses it so; `later`: what may change before the consumer is done."""
        if is_place(e):
            return self._place(e, use, later)
        if isinstance(e, StringLiteral):
            return e if use is Use.OWN else Borrow(e, e.type, e.span)
        if isinstance(e, Conditional):
            return self._conditional_value(e, use, later)
        new = self._logical(e) if isinstance(e, Logical) else self._operation(e)
        if use in (Use.LOOK, Use.BASE) and self._owning.owns(e.type):
            return self._hold(new)
        return new

    def _hold(self, value: Expression) -> Expression:
        variable = self.hidden(value.type, value.span)
        self._temporaries.append(variable)
        return Held(value, variable, value.type, value.span)

    def _operation(self, e: Expression) -> Expression:
        parts = operands(e, self._passings)
        if not parts:
            return e
        later = 0
        for part, use in parts:
            if use is Use.INOUT:
                later |= root_bit(part)
                self.use(part)
        outer = self._effects
        new: list[Expression] = []
        after = _Need(self.live, self._seen) if isinstance(e, Call | StructLiteral) else None
        views = 0  # what the parts behind are views of
        for i in range(len(parts) - 1, -1, -1):
            part, use = parts[i]
            self._effects = 0
            is_late = after is not None and use is not Use.INOUT and self._wait(part, later | views, after)
            if isinstance(e, Call) and isinstance(part, VariableRef):
                self._note_passed_on(part.variable, e, i)
            made = self._path(part, later) if use is Use.INOUT else self.value(part, use, later)
            new.append(Move(made.place, made.type, made.span, True) if is_late and isinstance(made, Move) else made)
            later |= self._effects
            if after is not None:
                views |= self._views(part, use)
        self._effects = outer | later
        new.reverse()
        if all(a is b for a, (b, _) in zip(new, parts, strict=True)) and not isinstance(e, StructLiteral):
            return e
        return rebuild(e, new)

    def _wait(self, place: Expression, hindered: int, after: _Need) -> bool:
        """Whether a place is evaluated behind its siblings instead: they look at it, neither change it nor give views
        of it, and nothing in it needs evaluation. Then only what comes behind all of them needs it."""
        root = place
        while isinstance(root, Field):
            root = root.base
        if not isinstance(root, VariableRef) or hindered & self._liveness.mask(root.variable):
            return False
        mask = bit(root.variable)
        if self.live & mask & ~after.live or self._seen & mask & ~after.seen:
            self.live &= after.live | ~mask
            self._seen &= after.seen | ~mask
            return True
        return False

    def _views(self, part: Expression, use: Use) -> int:
        """The variables of which a part may still be a view when the call begins: a scalar and what is made anew are
        none."""
        is_new = isinstance(part.type, Scalar) or not (is_place(part) or isinstance(part, Conditional))
        if is_new and use is not Use.INOUT:
            return 0
        mentions = self._liveness.of_expression(part).mentions
        for number, mask in self._liveness.masks.items():
            if mentions >> number & 1:
                mentions |= mask
        return mentions

    def _note_passed_on(self, variable: Variable, call: Call, index: int) -> None:
        """A parameter whose last use this is could be passed on instead of being borrowed."""
        own = self._parameters.get(variable)
        if own is not None and not self.live & bit(variable) and self._owning.owns(variable.type):
            self.wants.passes.append((own, call.function.name, index))

    def _logical(self, e: Logical) -> Expression:
        """The right side may not be evaluated; what it needs is needed, what it moves is not moved for certain."""
        self._conditional += 1
        right = self.value(e.right, Use.LOOK, 0)
        self._conditional -= 1
        return Logical(e.operator, self.value(e.left, Use.LOOK, 0), right, e.type, e.span)

    def _conditional_value(self, e: Conditional, use: Use, later: int) -> Expression:
        """Each arm on its own: owned when the conditional has an owner, else borrowed or held."""
        arm = Use.LOOK if use in (Use.LOOK, Use.BASE) else Use.OWN
        live, seen = self.live, self._seen
        self._conditional += 1
        otherwise = self.value(e.otherwise, arm, later)
        live_otherwise, seen_otherwise = self.live, self._seen
        self.live, self._seen = live, seen
        then = self.value(e.then, arm, later)
        self._conditional -= 1
        self.live |= live_otherwise
        self._seen |= seen_otherwise
        return Conditional(self.value(e.condition, Use.LOOK, 0), then, otherwise, e.type, e.span)

    def _path(self, e: Expression, later: int) -> Expression:
        """A place with its indices rewritten. That its variable is needed has been noted before."""
        match e:
            case VariableRef() | ConstantRef():
                return e
            case Field():
                return Field(self._path(e.base, later), e.name, e.index, e.type, e.span)
            case Index():
                index = self._index(e.index, Use.LOOK, later)
                return Index(self._path(e.base, later), index, e.type, e.span)
            case MapEntry():
                key = self._index(e.key, Use.KEY if e.inserts else Use.LOOK, later)
                return MapEntry(self._path(e.base, later), key, e.inserts, e.type, e.span)
            case _:
                return self.value(e, Use.BASE, later | self._effects)

    def _index(self, e: Expression, use: Use, later: int) -> Expression:
        """A key that owns must last until the place is reached: where its temporaries cannot, it is not held by one."""
        if isinstance(e, VariableRef | IntLiteral) and isinstance(e.type, Scalar):
            self.use(e)
            return e
        if self._scopes_indices:
            if not isinstance(e.type, Scalar):
                use = Use.KEY if is_place(root_of(e)) or not is_place(e) else Use.OWN
            return self.scoped(e, use, later | self._effects)
        return self.value(e, use, later | self._effects)

    def _place(self, e: Expression, use: Use, later: int) -> Expression:
        if isinstance(e.type, Scalar):
            self.use(e)
            return self._path(e, later)
        root = root_of(e)
        disturbed = isinstance(root, VariableRef) and bool(later & self._liveness.mask(root.variable))
        if not self._owning.owns(e.type):
            ends = use is Use.OWN and not is_place(root)
            self.use(e)
            place = self._path(e, later)
            return self._copy(place, _Why("changed" if disturbed else "ends")) if disturbed or ends else place
        why = self._why_not(root, e, use)
        self.use(e)
        place = self._path(e, later)
        if use is not Use.LOOK and why is None:
            return self._move(place)
        if use is Use.OWN:
            return self._copy(place, why or _Why("later"))
        if disturbed:
            copy = self._copy(place, _Why("changed"))
            return self._hold(copy) if use is Use.LOOK else copy
        return Borrow(place, e.type, e.span)

    def _why_not(self, root: Expression, place: Expression, use: Use) -> _Why | None:
        """Why the value may not be taken from its place; None when it may."""
        match root:
            case VariableRef(variable):
                return self._why_not_from(variable, place, use)
            case ConstantRef():
                return _Why("constant")
            case Conditional() | StringLiteral():
                return _Why("choice")
            case _:
                return None

    def _why_not_from(self, variable: Variable, place: Expression, use: Use) -> _Why | None:
        """A value may be taken when the variable is the function's own and not looked at before it gets another."""
        live = self.live & bit(variable)
        if variable.kind is VariableKind.PARAMETER and variable not in self.owned:
            if not live and isinstance(place, VariableRef) and use in (Use.OWN, Use.REUSE):
                self.wants.moves.add(self._parameters[variable])
            return _Why("parameter")
        if variable.kind is VariableKind.LOOP and variable not in self.owned:
            return _Why("element")
        if not live:
            return None
        if self._target is not None and not self._seen & bit(variable) and _is_same_place(place, self._target):
            return None
        later = self.later_uses.get(variable.number)
        if later is not None:
            return _Why("later", later)
        return _Why("round" if any(head & bit(variable) for head in self.loops) else "reference")

    def _move(self, place: Expression) -> Expression:
        self._effects |= root_bit(place)
        if isinstance(place, VariableRef) and not self._conditional:
            self.moved |= bit(place.variable)
        return Move(place, place.type, place.span)

    def _copy(self, place: Expression, why: _Why) -> Expression:
        match root_of(place):
            case VariableRef(variable):
                name = variable.name
            case ConstantRef(constant):
                name = constant.name
            case _:
                name = ""
        if self._owning.copies_memory(place.type):
            self.notes.append(errors.copied(place.span, place.type, why.reason, name, why.later))
        return Copy(place, errors.copy_reason(why.reason, name), place.type, place.span)


def _inserts(place: Expression) -> bool:
    """Whether reaching a place may put a key into a map."""
    while isinstance(place, Field | Index | MapEntry):
        if isinstance(place, MapEntry) and place.inserts:
            return True
        place = place.base
    return False


def _is_steady(place: Expression, changes: int) -> bool:
    """Whether the indices of a place are the same whenever they are evaluated, if only `changes` change in between."""
    match place:
        case VariableRef() | ConstantRef():
            return True
        case Field():
            return _is_steady(place.base, changes)
        case Index():
            return _is_steady(place.base, changes) and _is_steady_value(place.index, changes)
        case MapEntry():
            return _is_steady(place.base, changes) and _is_steady_value(place.key, changes)
        case _:
            return False


def _is_steady_value(e: Expression, changes: int) -> bool:
    match e:
        case IntLiteral() | StringLiteral() | ConstantRef():
            return True
        case VariableRef():
            return not changes & bit(e.variable)
        case Convert():
            return _is_steady_value(e.operand, changes)
        case Binary():
            return _is_steady_value(e.left, changes) and _is_steady_value(e.right, changes)
        case _:
            return False


def _is_same_place(a: Expression, b: Expression) -> bool:
    """Whether two places with steady indices are written alike."""
    match a, b:
        case VariableRef(), VariableRef():
            return a.variable is b.variable
        case Field(), Field():
            return a.index == b.index and _is_same_place(a.base, b.base)
        case Index(), Index():
            return _is_same_value(a.index, b.index) and _is_same_place(a.base, b.base)
        case MapEntry(), MapEntry():
            return _is_same_value(a.key, b.key) and _is_same_place(a.base, b.base)
        case _:
            return False


def _is_same_value(a: Expression, b: Expression) -> bool:
    match a, b:
        case IntLiteral(), IntLiteral():
            return a.value == b.value
        case StringLiteral(), StringLiteral():
            return a.value == b.value
        case VariableRef(), VariableRef():
            return a.variable is b.variable
        case ConstantRef(), ConstantRef():
            return a.constant.name == b.constant.name
        case Convert(), Convert():
            return a.type == b.type and _is_same_value(a.operand, b.operand)
        case Binary(), Binary():
            same = a.operator == b.operator and a.type == b.type
            return same and _is_same_value(a.left, b.left) and _is_same_value(a.right, b.right)
        case _:
            return False
