"""Random expressions that are right: of a given type, from what is in scope.

Statements and whole programs stand in `programs.py`. All choices come from one `random.Random`, so that a seed is a
program. What is made type-checks, mostly does not fail, and is about what compilers get wrong: values that are copied,
moved and changed while they are used, numbers at their limits, conversions, order of evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from generate.scope import INTS, LONGS, REALS, WORDS, Variable, World
from generate.tree import (
    INTEGER_TYPES,
    NUMBER_TYPES,
    RNG,
    SCALARS,
    Binary,
    Builtin,
    Call,
    Choice,
    Convert,
    Expression,
    Field,
    Function,
    Index,
    Literal,
    MapOf,
    Name,
    Slice,
    StructOf,
    Unary,
    Value,
    VectorOf,
    fields_of,
    is_ordered,
)
from generate.values import single
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    FLOATS,
    INT,
    JOB_STATE,
    LONG,
    STRING,
    VOID,
    JobType,
    MapType,
    StructType,
    Type,
    VectorType,
    converts_implicitly,
)

Steps: TypeAlias = "tuple[tuple[str, Type], ...]"  # a field's name, "" for an element; its type
NUMBERS = (*NUMBER_TYPES, CHAR)
OPERATORS = ("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", ">>>")


class Expressions:
    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self._is_in_index = False

    def chance(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    # Literals

    def scalar(self, type: Type) -> Literal:
        r = self.random
        if type is BOOL:
            return Literal(BOOL, self.chance(50))
        if type is JOB_STATE:
            return Literal(JOB_STATE, r.randrange(3))
        if type is CHAR:
            return Literal(CHAR, r.choice((97, 98, 65, 32, 0, 10, 39, 92, 122, 48, 255, 128, r.randrange(256))))
        if type is INT:
            return Literal(INT, r.choice(INTS) if self.chance(40) else r.randrange(-5, 20))
        if type is LONG:
            return Literal(LONG, r.choice(LONGS) if self.chance(40) else r.randrange(-5, 20))
        value = r.choice(REALS) if self.chance(50) else r.randrange(-64, 64) / 8
        if type is FLOAT:
            value = single(value)
        return Literal(type, value)

    def literal(self, type: Type, depth: int = 1) -> Expression:
        if type in SCALARS or type is JOB_STATE:
            return self.scalar(type)
        if type == STRING:
            return Literal(STRING, self.random.choice(WORDS))
        match type:
            case VectorType():
                if self.chance(3) or depth < -1:
                    return Literal(type, ())
                elements = [self.value(type.element, depth - 1) for _ in range(self.random.choice((1, 3, 3, 3, 4)))]
                return VectorOf(type, tuple(elements))
            case MapType():
                keys = self.random.sample(self.keys(type.key), self.random.choice((0, 2, 2, 2)) if depth >= -1 else 0)
                if not keys:
                    return Literal(type, {})
                return MapOf(type, tuple(keys), tuple(self.value(type.value, depth - 1) for _ in keys))
            case StructType():
                fields = [each for each in fields_of(self.world.structs, type) if depth >= -1 and self.chance(90)]
                self.random.shuffle(fields)
                return StructOf(type, tuple((name, self.fitting(of, depth - 1)) for name, of in fields))
            case _:
                raise AssertionError(type)

    def keys(self, type: Type) -> list[Literal]:
        """Few, so that most of them are there."""
        few: dict[Type, tuple[Value, ...]] = {
            BOOL: (False, True),
            CHAR: (97, 98),
            STRING: (b"a", b"b c", b"a longer key"),
        }
        return [Literal(type, value) for value in few.get(type, (0, 1))]

    # Places

    def place(self, type: Type, to_change: bool = False) -> Expression | None:
        """A variable of a type, or a part of a variable; None when there is none."""
        found: list[tuple[Variable, Steps]] = []
        for variable in self.world.variables():
            if not (to_change and variable.frozen):
                self._parts(variable, variable.type, (), type, found)
        if not to_change:
            for constant in self.world.constants:
                self._parts(constant, constant.type, (), type, found)
        if not found:
            return None
        if to_change and self.chance(30):
            most = max(len(steps) for _, steps in found)
            found = [(variable, steps) for variable, steps in found if len(steps) == most]
        variable, steps = self.random.choice(found)
        place: Expression = Name(variable.type, variable.name)
        for name, of in steps:
            place = Field(of, place, name) if name else Index(of, place, self.index(place))
        return place

    def _parts(
        self, variable: Variable, at: Type, steps: Steps, type: Type, found: list[tuple[Variable, Steps]]
    ) -> None:
        if at == type:
            found.append((variable, steps))
        if len(steps) == 4 or not self._reaches(at, type, 5 - len(steps)):
            return
        match at:
            case MapType(value=value):
                self._parts(variable, value, (*steps, ("", value)), type, found)
            case VectorType(element=element):
                self._parts(variable, element, (*steps, ("", element)), type, found)
            case StructType():
                for name, of in fields_of(self.world.structs, at):
                    self._parts(variable, of, (*steps, (name, of)), type, found)
            case _:
                pass

    def _reaches(self, start: Type, type: Type, depth: int) -> bool:
        """Whether a part of a value is of the type."""
        if start == type:
            return True
        if depth <= 1:
            return False
        match start:
            case VectorType():
                return self._reaches(start.element, type, depth - 1)
            case MapType():
                return self._reaches(start.value, type, depth - 1)
            case StructType():
                fields = fields_of(self.world.structs, start)
                return any(self._reaches(of, type, depth - 1) for _, of in fields)
            case _:
                return False

    def index(self, base: Expression) -> Expression:
        """Mostly within range; sometimes with an effect of its own."""
        r = self.random
        if isinstance(base.type, MapType):
            is_simple = self._is_in_index or self.chance(80)
            return r.choice(self.keys(base.type.key)) if is_simple else self._key(base.type.key)
        if self._is_in_index or self.chance(70):
            return Literal(INT, r.choice((0, 0, 0, 0, 1, 1, 2)))
        if self.chance(45):
            return Binary(
                INT, "-", Builtin(INT, "size", (base,), method=self.chance(50)), Literal(INT, r.choice((1, 1, 1, 2)))
            )
        type = r.choice((INT, LONG, CHAR))
        mask = Literal(INT, r.choice((0, 1, 1, 3)))
        value = self._key(type)
        return Binary(LONG if type is LONG else INT, "&", value, mask)

    def _key(self, type: Type) -> Expression:
        self._is_in_index = True
        value = self.value(type, 1)
        self._is_in_index = False
        return value

    # Values

    def value(self, type: Type, depth: int = 2) -> Expression:
        """A value of exactly this type, wherever it stands."""
        if depth <= 0 or self.chance(30):
            place = self.place(type) if self.chance(80) else None
            if place is not None:
                return place
        if depth <= 0 or self.chance(12):
            if isinstance(type, JobType):
                return self._handle(type)
            return self.typed_literal(type, depth)
        ways = self._ways(type)
        for _ in range(4):
            made = self.random.choice(ways)(type, depth - 1)
            if made is not None:
                return made
        return self.place(type) or (
            self._handle(type) if isinstance(type, JobType) else self.typed_literal(type, depth)
        )

    def typed_literal(self, type: Type, depth: int) -> Expression:
        """A literal that says its own type: no `[]` in it, nor a vector of chars that looks like a string."""
        if isinstance(type, JobType):
            return self._handle(type)
        made = self.literal(type, depth)
        if isinstance(made, Literal) and isinstance(type, MapType):
            key = self.random.choice(self.keys(type.key))
            return MapOf(type, (key,), (self.typed_literal(type.value, min(depth, 0) - 1),))
        if isinstance(made, Literal) and made.value == () and isinstance(type, VectorType):
            element = type.element
            return Builtin(type, "fill", (Literal(INT, 0), self.typed_literal(element, min(depth, 0) - 1)))
        return made

    def fitting(self, type: Type, depth: int = 2) -> Expression:
        """A value where this type is expected: also `[]`, and what converts by itself."""
        if isinstance(type, VectorType) and type != STRING and self.chance(3):
            return Literal(type, ())
        sources = [source for source in SCALARS if source != type and converts_implicitly(source, type)]
        if sources and self.chance(25):
            return Convert(type, self.value(self.random.choice(sources), depth), implicit=True)
        return self.value(type, depth)

    def _ways(self, type: Type) -> list[Callable[[Type, int], Expression | None]]:
        ways = [self._choice, self._call, self._call, self._call, self._element, self._taken, self._looked_up]
        if self.world.can_start:
            ways.append(self._got)
        if type == RNG:
            ways += [self._seeded] * 6
        if type in SCALARS:
            ways += [self._arithmetic if type is not BOOL else self._comparison] * 4
            ways += (
                [self._scalar_builtin, self._scalar_builtin, self._converted]
                if type is not BOOL
                else [self._bool_builtin, self._logical]
            )
        elif isinstance(type, VectorType):
            ways += [self._joined, self._joined, self._vector_builtin, self._vector_builtin, self._slice]
            if type == STRING:
                ways += [self._string_builtin, self._string_builtin]
            if isinstance(type.element, JobType):
                ways = [self._choice, self._joined, self._slice]
        elif isinstance(type, JobType):
            ways = [self._choice, self._element]
        return ways

    def _looked_up(self, type: Type, depth: int) -> Expression | None:
        """Out of a map: a value, whether a key is there, all keys, all values."""
        r = self.random
        kinds = [each for each in self.world.types if isinstance(each, MapType)]
        kind = r.choice(kinds)
        found = [each for each in kinds if each.value == type]
        if found and self.chance(60):
            kind = r.choice(found)
            return Builtin(type, "lookup", (self.value(kind, depth), self.key(kind), self.value(type, depth)))
        if type is INT:
            return Builtin(INT, "size", (self.value(kind, depth),), method=self.chance(40))
        if type is BOOL:
            place = self.place(kind, to_change=True)
            if place is not None and self.chance(40):
                return Builtin(BOOL, "remove", (place, r.choice(self.keys(kind.key))))
            return Builtin(BOOL, "has", (self.value(kind, depth), self.key(kind)), method=self.chance(40))
        for kind in kinds:
            if VectorType(kind.key) == type:
                return Builtin(type, "keys", (self.value(kind, depth),))
            if VectorType(kind.value) == type:
                return Builtin(type, "values", (self.value(kind, depth),))
        return None

    def key(self, type: MapType) -> Expression:
        return self.random.choice(self.keys(type.key)) if self.chance(60) else self.value(type.key, 1)

    def _choice(self, type: Type, depth: int) -> Expression | None:
        return Choice(type, self.value(BOOL, depth), self.value(type, depth), self.value(type, depth))

    def _element(self, type: Type, depth: int) -> Expression | None:
        """A part of a value that is not a place."""
        r = self.random
        owners = [
            each
            for each in self.world.types
            if isinstance(each, StructType) and any(of == type for _, of in fields_of(self.world.structs, each))
        ]
        if owners and self.chance(50):
            owner = r.choice(owners)
            name = r.choice([name for name, of in fields_of(self.world.structs, owner) if of == type])
            return Field(type, self.value(owner, depth), name)
        if VectorType(type) in self.world.types or type is CHAR:
            base = self.value(VectorType(type), depth)
            return Index(type, base, Literal(INT, r.choice((0, 0, 1))))
        return None

    # Calls

    def _call(self, type: Type, depth: int) -> Expression | None:
        w = self.world
        fitting = [f for f in w.functions if f.result == type and (w.prints or not f.prints)]
        if not fitting or w.calls_left <= 0:
            return None
        return self.call(self.random.choice(fitting), depth)

    def call(self, function: Function, depth: int, remote: bool = False) -> Call | None:
        """A function's first parameter `depth` bounds its recursion."""
        w = self.world
        if w.calls_left <= 0:
            return None
        w.calls_left -= 1
        arguments: list[Expression | None] = [None] * len(function.parameters)
        avoided: list[str] = []
        for index, parameter in enumerate(function.parameters):
            if parameter.is_reference:
                place = self.place(parameter.type, to_change=True)
                if place is None or (root := _root(place)) in avoided:
                    for name in avoided:
                        w.avoided.discard(name)
                    return None
                arguments[index] = place
                if root not in w.avoided:
                    w.avoided.add(root)
                    avoided.append(root)
        for index, parameter in enumerate(function.parameters):
            if parameter.name == "depth":
                arguments[index] = Literal(INT, self.random.choice((0, 1, 1, 2, 2, 3)))
            elif arguments[index] is None and remote and self.chance(25):
                arguments[index] = self.place(JobType(parameter.type)) or self.fitting(parameter.type, depth)
            elif arguments[index] is None:
                arguments[index] = self.fitting(parameter.type, depth)
        for name in avoided:
            w.avoided.discard(name)
        given = tuple(each for each in arguments if each is not None)
        first = given[0] if given else None
        method = not remote and self.chance(25) and first is not None and not isinstance(first, Literal | Convert)
        result = JobType(function.result) if remote else function.result
        return Call(result, function.name, given, remote, method and not _is_signed(first))

    def _handle(self, type: JobType) -> Expression:
        """A new job, or no job at all: an element of an empty default would fail."""
        jobs = [f for f in self.world.functions if f.is_job and f.result == type.result and not f.prints]
        if jobs:
            self.world.calls_left = max(1, self.world.calls_left)
            made = self.call(self.random.choice(jobs), 1, remote=True)
            if made is not None:
                return made
        raise AssertionError(type)

    def _got(self, type: Type, depth: int) -> Expression | None:
        """The result of a job that is started here, or of one that was started before."""
        w = self.world
        handle = self.place(JobType(type))
        if handle is not None and self.chance(60):
            return Builtin(type, "get", (handle,), method=self.chance(30))
        if isinstance(type, VectorType):
            many = self.place(VectorType(JobType(type.element)))
            if many is not None and self.chance(50):
                return Builtin(type, "get", (many,))
        jobs = [f for f in w.functions if f.is_job and f.result == type and (w.prints or not f.prints)]
        if not jobs:
            return None
        made = self.call(self.random.choice(jobs), depth, remote=True)
        return None if made is None else Builtin(type, "get", (made,))

    def _seeded(self, type: Type, depth: int) -> Expression | None:
        return Builtin(RNG, "random", (self.fitting(LONG, depth),))

    def _drawn(self, type: Type, depth: int) -> Expression | None:
        """A random number; the generator changes."""
        place = self.place(RNG, to_change=True)
        if place is None:
            return None
        name = {INT: "next_int", LONG: "next_long", DOUBLE: "next_double"}[type]  # type: ignore[index]
        bound = Literal(INT, self.random.choice((1, 2, 6, 1000, 2147483647)))
        return Builtin(type, name, (place, bound) if type is INT else (place,), method=self.chance(40))

    def _taken(self, type: Type, depth: int) -> Expression | None:
        """What a built-in takes out of a vector."""
        place = self.place(VectorType(type), to_change=True) if type is not VOID else None
        if place is None:
            return None
        if self.chance(60):
            return Builtin(type, "pop", (place,), method=self.chance(50))
        with self.world.avoiding(_root(place)):
            return Builtin(type, "remove", (place, self.index(place)), method=self.chance(50))

    # Scalars

    def _arithmetic(self, type: Type, depth: int) -> Expression | None:
        r = self.random
        if type is CHAR:
            return Convert(CHAR, self.value(r.choice((INT, INT, LONG, CHAR)), depth))
        if self.chance(15):
            operand = self.value(r.choice((INT, CHAR)) if type is INT else type, depth)
            operator = "-" if type in FLOATS else r.choice("-~")
            return Unary(type, operator, operand)
        operator = r.choice(OPERATORS[:4] if type in FLOATS else OPERATORS)
        left = self.operand(type, depth)
        if operator in ("<<", ">>", ">>>"):
            left = self.value(r.choice((INT, CHAR)) if type is INT else type, depth)
            right = self.value(r.choice((INT, INT, LONG, CHAR)), depth)
            return Binary(type, operator, _firm(left), right)
        right = self.operand(type, depth)
        if operator in "/%" and type in INTEGER_TYPES and self.chance(80):
            right = Literal(type, r.choice((1, 2, 3, -1, -7, 10, 16, 1000)))
        if left.type != type and right.type != type:
            left = self.value(type, depth)
        if left.type != right.type:
            left, right = _firm(left), _firm(right)
        return Binary(type, operator, left, right)

    def operand(self, type: Type, depth: int) -> Expression:
        """Of the type, or of one that becomes it beside the type itself."""
        narrower = {INT: (CHAR,), LONG: (INT, CHAR), DOUBLE: (INT, FLOAT, CHAR)}.get(type)  # type: ignore[call-overload]
        if narrower and self.chance(25):
            return _firm(self.value(self.random.choice(narrower), depth))
        return self.value(type, depth)

    def _comparison(self, type: Type, depth: int) -> Expression | None:
        r = self.random
        kind = r.choice([each for each in self.world.types if not isinstance(each, JobType)])
        operators = ["==", "!="] + (["<", "<=", ">", ">="] * 2 if is_ordered(kind) else [])
        left = self.value(kind, depth)
        right = self.operand(kind, depth) if kind in NUMBER_TYPES else self.value(kind, depth)
        if isinstance(left, Name) and isinstance(right, Name) and left.name == right.name and kind in SCALARS:
            right = self.scalar(kind)
        if left.type != right.type:
            left, right = _firm(left), _firm(right)
        return Binary(BOOL, r.choice(operators), left, right)

    def _logical(self, type: Type, depth: int) -> Expression | None:
        if self.chance(20):
            return Unary(BOOL, "!", self.value(BOOL, depth))
        return Binary(
            BOOL, self.random.choice(("&&", "||", "==", "!=")), self.value(BOOL, depth), self.value(BOOL, depth)
        )

    def _converted(self, type: Type, depth: int) -> Expression | None:
        sources = [source for source in (*NUMBER_TYPES, CHAR) if source != type]
        return Convert(type, _firm(self.value(self.random.choice(sources), depth)))

    def _scalar_builtin(self, type: Type, depth: int) -> Expression | None:
        r = self.random
        if type is CHAR:
            return self._extreme(CHAR, depth)
        if RNG in self.world.types and type is not FLOAT and self.chance(35):
            drawn = self._drawn(type, depth)
            if drawn is not None:
                return drawn
        if self.chance(20):
            return self._extreme(type, depth)
        if self.chance(25):
            operand = self.value(type, depth)
            return Builtin(type, "abs", (operand,), method=self.chance(20) and not _is_signed(operand))
        if self.chance(25):
            first, second = self.value(type, depth), self.operand(type, depth)
            if first.type != second.type:
                first, second = _firm(first), _firm(second)
            return Builtin(type, r.choice(("min", "max")), (first, second))
        if type is INT:
            kind = self.some_vector()
            if self.chance(40):
                return Builtin(INT, "size", (self.value(kind, depth),), method=self.chance(40))
            if self.chance(40):
                return Builtin(INT, "find", (self.value(kind, depth), self.value(kind.element, depth)))
            if self.chance(30):
                return Builtin(INT, "parse_int", (self.digits(depth),))
            return Builtin(INT, "popcount", (_firm(self.value(r.choice((INT, LONG)), depth)),))
        if type is LONG:
            if self.chance(30):
                return Builtin(LONG, "parse_long", (self.digits(depth),))
            elements = VectorType(r.choice((INT, LONG)))
            return Builtin(LONG, "sum", (self.value(elements, depth),))
        if type is DOUBLE and self.chance(70):
            if self.chance(10):
                digits = Builtin(STRING, "str", (_firm(self.value(r.choice((DOUBLE, INT)), depth)),))
                return Builtin(DOUBLE, "parse_double", (digits if self.chance(80) else self.value(STRING, depth),))
            if self.chance(20):
                return Builtin(DOUBLE, "fmod", (self.value(DOUBLE, depth), self.value(DOUBLE, depth)))
            name = r.choice(("sqrt", "floor", "ceil", "round", "trunc"))
            return Builtin(DOUBLE, name, (self.fitting(DOUBLE, depth),))
        return Builtin(type, "sum", (self.value(VectorType(type), depth),))

    def digits(self, depth: int) -> Expression:
        """Text that mostly is a number."""
        if self.chance(15):
            return self.value(STRING, depth)
        return Builtin(STRING, "str", (_firm(self.value(self.random.choice((INT, LONG)), depth)),))

    def _extreme(self, type: Type, depth: int) -> Expression | None:
        lesses = [f for f in self.world.lesses if f.parameters[0].type == type]
        less = self.random.choice(lesses).name if lesses and self.chance(40) else ""
        return Builtin(type, self.random.choice(("min", "max")), (self.value(VectorType(type), depth),), less)

    def some_vector(self) -> VectorType:
        kinds = [
            each for each in self.world.types if isinstance(each, VectorType) and not isinstance(each.element, JobType)
        ]
        return self.random.choice(kinds)

    def _bool_builtin(self, type: Type, depth: int) -> Expression | None:
        if self.chance(25):
            return Builtin(BOOL, "is_nan", (self.value(DOUBLE, depth),))
        if self.chance(35):
            name = self.random.choice(("starts_with", "ends_with", "contains"))
            return Builtin(BOOL, name, (self.value(STRING, depth), self.value(STRING, depth)))
        kind = self.some_vector()
        return Builtin(BOOL, "contains", (self.value(kind, depth), self.value(kind.element, depth)))

    # Vectors

    def _joined(self, type: Type, depth: int) -> Expression | None:
        return Binary(type, "+", self.value(type, depth), self.value(type, depth))

    def _slice(self, type: Type, depth: int) -> Expression | None:
        base = self.value(type, depth)
        low = self.random.choice((0, 0, 0, 1))
        high: Expression = Literal(INT, low + self.random.choice((0, 1, 2, 2, 3)))
        if isinstance(base, Name) and self.chance(70):
            high = Builtin(INT, "size", (base,))
        return Slice(type, base, Literal(self.random.choice((INT, LONG)), low), high)

    def _vector_builtin(self, type: Type, depth: int) -> Expression | None:
        assert isinstance(type, VectorType)
        r = self.random
        if type == VectorType(STRING) and self.chance(30):
            separators = () if self.chance(30) else (Literal(STRING, r.choice((b",", b" ", b"a", b"and"))),)
            return Builtin(type, "split", (self.value(STRING, depth), *separators), method=self.chance(20))
        if self.chance(25):
            count = (
                Binary(INT, "&", self.value(INT, depth), Literal(INT, 7))
                if self.chance(40)
                else Literal(INT, r.choice((1, 3, 3, 4)))
            )
            return Builtin(type, "fill", (count, self.value(type.element, depth)))
        if self.chance(40):
            return Builtin(type, "reverse", (self.value(type, depth),), method=self.chance(30))
        lesses = [f for f in self.world.lesses if f.parameters[0].type == type.element]
        if lesses and self.chance(60):
            return Builtin(type, "sort", (self.value(type, depth),), r.choice(lesses).name, method=self.chance(30))
        if is_ordered(type.element):
            return Builtin(type, "sort", (self.value(type, depth),), method=self.chance(30))
        return None

    def _string_builtin(self, type: Type, depth: int) -> Expression | None:
        r = self.random
        name = r.choice(("format", "format", "str", "str", "trim", "upper", "lower", "replace", "join"))
        if name == "str":
            kinds = [each for each in self.world.types if not isinstance(each, JobType)]
            return Builtin(STRING, "str", (_firm(self.value(r.choice(kinds), depth)),))
        if name == "format":
            return self._formatted(depth)
        if name == "join":
            return Builtin(STRING, "join", (self.value(VectorType(STRING), depth), self.value(STRING, 0)))
        if name == "replace":
            piece = Literal(STRING, r.choice((b"a", b"b", b",", b"aa", b" ")))
            return Builtin(STRING, "replace", (self.value(STRING, depth), piece, self.value(STRING, depth)))
        return Builtin(STRING, name, (self.value(STRING, depth),), method=self.chance(30))

    def _formatted(self, depth: int) -> Expression:
        """A template with forms that fit its values."""
        r = self.random
        template, values = r.choice((b"", b"x=", b"{{}} ")), []
        for _ in range(r.randint(1, 3)):
            type = r.choice([each for each in self.world.types if not isinstance(each, JobType)])
            width = r.choice((b"", b"1", b"8", b"12"))
            forms = [b"", width, b"<" + width if width else b"", b">" + width if width else b""]
            if type in NUMBER_TYPES:
                forms.append(b"0" + width if width else b"")
            if type in FLOATS:
                forms += [width + b".3", b".0", b"010.2"] * 2
            if type in (INT, LONG):
                forms += [b"x", b"08x", width + b"x"]
            form = r.choice(forms)
            template += (b"{:" + form + b"}" if form else b"{}") + r.choice((b" ", b",", b"|\xc3\xa9 "))
            values.append(_firm(self.value(type, depth)))
        return Builtin(STRING, "format", (Literal(STRING, template), *values))


def _root(place: Expression) -> str:
    while isinstance(place, Field | Index):
        place = place.base
    assert isinstance(place, Name)
    return place.name


def _is_signed(e: Expression | None) -> bool:
    return isinstance(e, Unary) or (isinstance(e, Literal) and e.type in NUMBER_TYPES)


def _firm(e: Expression) -> Expression:
    """A literal takes its type from where it stands; this one keeps its own."""
    if (isinstance(e, Literal) and e.type in (INT, CHAR, DOUBLE)) or (
        isinstance(e, Choice | Unary) and e.type in NUMBERS
    ):
        return Convert(e.type, e)
    return e
