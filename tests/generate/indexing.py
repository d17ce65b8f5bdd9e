"""Random loops that walk over vectors by their indices, which is where a compiler proves that checks can go.

Most indices stay in range by their form, some do not; vectors change their size on the way now and then, and numbers
come near the limits of their types.
"""

from __future__ import annotations

from generate.surroundings import SurroundingsStatements
from generate.tree import (
    Append,
    Assign,
    Binary,
    Block,
    Break,
    Builtin,
    Continue,
    Convert,
    Declare,
    Evaluate,
    Expression,
    For,
    ForRange,
    If,
    Index,
    Literal,
    Name,
    Statement,
    Step,
    Unary,
    While,
    root_of,
)
from ms.types import BOOL, CHAR, DOUBLE, FLOAT, INT, LONG, VOID, Type, VectorType


class IndexStatements(SurroundingsStatements):
    def _plus(self, left: Expression, operator: str, right: Expression) -> Binary:
        return Binary(LONG if LONG in (left.type, right.type) else INT, operator, left, right)

    def indexed(self) -> list[Statement]:
        """One loop, over one vector or several, as long as the first."""
        r = self.random
        kind = VectorType(r.choice((INT, INT, LONG, DOUBLE, CHAR, FLOAT)))
        walked = self.place(kind, to_change=True) if self.chance(80) else self.place(kind)
        if walked is None:
            made = self.value(kind, 2)
            return [Declare(kind, self._new_one(kind), made)]
        type = r.choice((INT, INT, INT, LONG))
        summed = LONG if kind.element in (INT, LONG, CHAR) else DOUBLE
        total = Name(summed, self._new_one(summed))
        counter = Name(type, self._fresh())
        size = Builtin(INT, "size", (walked,), method=self.chance(30))
        low, high, fitting = self._bounds(type, counter, size)
        before: list[Statement] = [Declare(summed, total.name, None)]
        if self.chance(20):  # an offset that is a variable
            offset = Name(r.choice((INT, LONG)), self._fresh())
            before.append(Declare(offset.type, offset.name, Literal(offset.type, r.choice((0, 1, 2)))))
            low, high = Literal(INT, 0), self._plus(size, "-", offset)
            type = LONG
            counter = Name(type, counter.name)
            fitting = [self._plus(counter, "+", offset), self._plus(offset, "+", counter), counter]
        body: list[Statement] = []
        self.world.scopes.append([])
        for _ in range(r.randint(1, 3)):
            body += self._round(walked, counter, fitting, total)
        self.world.scopes.pop()
        return [*before, *self._walk(type, counter, low, high, body)]

    def _bounds(self, type: Type, i: Name, size: Expression) -> tuple[Expression, Expression, list[Expression]]:
        """From where to where, and linear functions of the counter that stay in range."""
        zero, one, two = (Literal(INT, value) for value in (0, 1, 2))
        back = self._plus(self._plus(size, "-", one), "-", i)
        match self.random.randrange(6):
            case 0 | 1:
                return zero, size, [i, i, i, back, Binary(i.type, "/", i, two)]
            case 2:
                return one, size, [i, self._plus(i, "-", one), self._plus(size, "-", i)]
            case 3:
                return zero, self._plus(size, "-", one), [i, self._plus(i, "+", one), self._plus(one, "+", i), back]
            case 4:
                doubled = self._plus(two, "*", i)
                half = Binary(INT, "/", size, two)
                return zero, half, [i, doubled, self._plus(doubled, "+", one), self._plus(i, "+", half), back]
            case _:
                low, count = self.random.choice((-3, 0, 1, 5)), self.random.choice((2, 3, 7))
                shifted = self._plus(i, "-", Literal(INT, low)) if low >= 0 else self._plus(i, "+", Literal(INT, -low))
                return Literal(type, low), Literal(type, low + count), [shifted, shifted, Unary(type, "-", i), i]

    def _index(self, i: Name, fitting: list[Expression]) -> Expression:
        r = self.random
        if self.chance(75):
            chosen = r.choice(fitting)
            if self.chance(10):
                return Convert(LONG, chosen)
            return chosen
        limit = Literal(i.type, r.choice((1, 3, 100, 65536, 2147483647, -2147483647)))
        place = self.place(r.choice((INT, LONG)))
        leaf = place if place is not None and self.chance(50) else limit
        return r.choice(
            (
                self._plus(i, "*", i),
                Binary(i.type, "&", i, Literal(i.type, 3)),
                Binary(i.type, "%", i, Literal(i.type, 3)),
                self._plus(i, "+", leaf),
                self._plus(leaf, "-", i),
                self._plus(self._plus(i, "*", limit), "+", leaf),
                self._plus(self._plus(i, "+", leaf), "-", leaf),
                Literal(INT, 0),
                Literal(INT, 1),
                Convert(INT, self._plus(i, "+", Literal(LONG, 0))),
            )
        )

    def _round(self, walked: Expression, i: Name, fitting: list[Expression], total: Name) -> list[Statement]:
        r = self.random
        assert isinstance(walked.type, VectorType)
        element = walked.type.element
        place = Index(element, walked, self._index(i, fitting))
        other = Index(element, walked, self._index(i, fitting))
        is_constant = root_of(walked) in {constant.name for constant in self.world.constants}
        way = r.choice((0, 1, 2, 7, 11)) if is_constant else r.randrange(12)
        if way < 4:
            return [Assign(total, r.choice(("+", "-")), place)]
        if way < 6:
            return [Assign(place, r.choice(("", "+")), other)] if element is not CHAR else [Assign(place, "", other)]
        if way == 6:
            return [Assign(place, "", self.value(element, 1))]
        if way == 7:
            jump = r.choice((Break(), Continue()))
            return [If(Binary(BOOL, r.choice(("<", "==", ">")), place, other), Block((jump,)), None)]
        if way == 8:
            return [Evaluate(Builtin(VOID, "swap", (walked, place.index, other.index)))]
        if way == 9:
            again = self.place(walked.type, to_change=True)
            if again is not None:
                return [Assign(Index(element, again, self._index(i, fitting)), "", other)]
        if way == 10 and self.chance(60):
            return r.choice(
                (
                    [Append(walked, (place,))],
                    [Evaluate(Builtin(element, "pop", (walked,)))],
                    [Assign(walked, "", self.value(walked.type, 1))],
                    [Evaluate(Builtin(VOID, "resize", (walked, Literal(INT, 4))))],
                )
            )
        rows = VectorType(walked.type)
        row = self.place(rows) if rows in self.world.types else None
        if row is not None:
            inner = Index(walked.type, row, Literal(INT, r.choice((0, 1))))
            return [Assign(total, "+", Index(element, inner, self._index(i, fitting)))]
        return self._shown(place)

    def _walk(self, type: Type, i: Name, low: Expression, high: Expression, body: list[Statement]) -> list[Statement]:
        r = self.random
        way = r.randrange(8)
        if way < 3:
            return [ForRange(type, i.name, low, high, Block(tuple(body)))]
        one = Literal(INT, 1)
        if way == 3:
            first = Declare(type, i.name, self._plus(high, "-", one))
            step: Step | Assign = r.choice(
                (Step(i, "--"), Assign(i, "-", Literal(INT, 1)), Assign(i, "-", Literal(INT, 2)))
            )
            return (
                [For(first, Binary(BOOL, ">=", i, low), step, Block(tuple(body)))]
                if type is LONG or high.type is INT
                else []
            )
        step = r.choice((Step(i, "++"), Assign(i, "+", one), Assign(i, "+", Literal(INT, 2))))
        first = Declare(type, i.name, low)
        condition = Binary(BOOL, "<", i, high) if way < 7 else Binary(BOOL, "<=", i, self._plus(high, "-", one))
        if way == 4:
            return [Block((first, While(condition, Block((*body, step)))))]
        return [For(first, condition, step, Block(tuple(body)))]
