"""Random statements and whole programs, on top of the expressions of `maker.py`.

`make_program(random)` gives a program whose master has been tried by its twin: statements that would have ended it
early were taken out, so that all of it runs; now and then one is left as the last.
"""

from __future__ import annotations

import random

from generate.indexing import IndexStatements
from generate.library import CHANGING
from generate.maker import Expressions
from generate.outside import EXTERNS
from generate.scope import Variable, World
from generate.settle import settled
from generate.shrink import nodes, simplest
from generate.tree import (
    BUILT_IN,
    NUMBER_TYPES,
    RNG,
    SCALARS,
    Append,
    Assign,
    Binary,
    Block,
    Break,
    Builtin,
    Call,
    Case,
    Constant,
    Continue,
    Declare,
    Evaluate,
    Expression,
    Field,
    For,
    ForEach,
    ForPairs,
    ForRange,
    Function,
    If,
    Index,
    Literal,
    Name,
    Parameter,
    Program,
    Return,
    Statement,
    Step,
    Struct,
    Switch,
    While,
    fields_of,
    is_ordered,
)
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
)

SIZES = ((6, 3), (10, 4), (24, 6))  # statements of the master, functions
FOCUS_SHARE = 0.35  # of the programs that are mostly about one thing


class Statements(IndexStatements):
    """Statements of one function. `result`: what it gives, None in the master."""

    def __init__(self, world: World, result: Type | None, quiet: bool, is_job: bool = False) -> None:
        super().__init__(world, quiet)
        self._result = result
        self._is_job = is_job
        self._jumps: list[str] = []

    def some_type(self) -> Type:
        results = [f.result for f in self.world.functions if f.result is not VOID]
        return self.random.choice(results if results and self.chance(25) else self.world.types)

    # Statements

    def statements(self, count: int, depth: int) -> tuple[Statement, ...]:
        made: list[Statement] = []
        for _ in range(count):
            made += self.statement(depth)
        return tuple(made)

    def block(self, depth: int, *variables: Variable) -> Block:
        self.world.scopes.append(list(variables))
        self.world.scopes.append([])
        made = self.statements(self.random.randint(1, 3), depth)
        del self.world.scopes[-2:]
        return Block(made)

    def statement(self, depth: int) -> list[Statement]:
        focus = self.world.focus if self.chance(50) else ""
        if focus == "changes":
            return self.random.choice((self._change, self._append, self._call_statement))()
        if self.world.can_start and (focus == "jobs" or self.chance(8)):
            return self.job_statement()
        if self.world.in_master and self.chance(12):
            return self.world_statement()
        if depth > 0 and (focus == "indexing" or self.chance(8)):
            return self.indexed()
        if RNG in self.world.types and self.chance(3):
            return self._random()
        kind = self.random.randrange(20)
        if kind < 4:
            return [self._declare()]
        if kind < 9:
            return self._change()
        if kind < 11:
            return self._append()
        if kind < 12:
            return self._call_statement()
        if kind < 14 or depth <= 0:
            return self._print()
        if kind < 16:
            return self._branch(depth - 1)
        if kind < 17:
            return self._jump()
        return self._loop(depth - 1)

    def _random(self) -> list[Statement]:
        seeded = self._seeded(RNG, 1)
        name = self._new_one(RNG)
        drawn = [self._drawn(self.random.choice((INT, LONG, DOUBLE)), 1) for _ in range(2)]
        return [Declare(RNG, name, seeded), *self._shown(*(each for each in drawn if each is not None))]

    def _declare(self) -> Statement:
        type = self.some_type()
        if self.chance(5):
            return Declare(type, self._new(type), None)
        is_auto = self.chance(15)
        value = self.value(type, 3) if is_auto else self.fitting(type, 3)
        return Declare(type, self._new(type), value, is_auto)

    def _change(self) -> list[Statement]:
        type = self.random.choice(self.world.types)
        target = self.place(type, to_change=True)
        if target is None:
            return [self._declare()]
        if type in NUMBER_TYPES or type is CHAR:
            if self.chance(12):
                return [Step(target, self.random.choice(("++", "--")))]
            if self.chance(45):
                return [self._update(target, type)]
        if isinstance(type, VectorType) and self.chance(25):
            return [Assign(target, "+", self.value(type, 2))]
        if self.chance(25):
            source = self.place(type)
            if source is not None:
                return [Assign(target, "", source)]
        return [Assign(target, "", self.fitting(type, 3))]

    def _update(self, target: Expression, type: Type) -> Statement:
        real = type in FLOATS
        operator = self.random.choice(
            ("+", "-", "*", "/") if real else ("+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%")
        )
        if operator in "/%" and not real:
            return Assign(target, operator, Literal(INT, self.random.choice((1, 2, 3, 7, -3))))
        narrower: dict[Type, tuple[Type, ...]] = {
            CHAR: (INT, CHAR),
            LONG: (INT, CHAR, LONG),
            DOUBLE: (INT, FLOAT, DOUBLE),
        }
        return Assign(target, operator, self.value(self.random.choice(narrower.get(type, (type,))), 2))

    def _append(self) -> list[Statement]:
        kinds = [each for each in self.world.types if isinstance(each, VectorType)]
        type = self.random.choice(kinds)
        target = self.place(type, to_change=True)
        if target is None:
            return [self._declare()]
        values = [
            self.value(type if self.chance(30) else type.element, 2) for _ in range(self.random.choice((1, 1, 1, 2, 3)))
        ]
        return [Append(target, tuple(values))]

    def _call_statement(self) -> list[Statement]:
        w = self.world
        kind = self.some_vector()
        place = self.place(kind, to_change=True)
        if place is not None and self.chance(60):
            name = self.random.choice(
                ("clear", "resize", "insert", "swap", "swap", "resize", "insert", "pop", "insert")
            )
            tables = [each for each in w.types if isinstance(each, MapType)]
            table = self.place(self.random.choice(tables), to_change=True) if self.chance(15) else None
            if table is not None:
                return [Evaluate(Builtin(VOID, "clear", (table,), method=self.chance(50)))]
            small = Literal(INT, self.random.choice((0, 0, 1, 2)))
            rest: tuple[Expression, ...] = ()
            with w.avoiding(_name_of(place)) if self.chance(50) else w.avoiding(None):
                if name == "resize":
                    rest = (Literal(INT, self.random.choice((0, 2, 3, 3, 5, 6))),)
                elif name == "insert":
                    rest = (small, _unchanging(self.value(kind.element, 2), _name_of(place)))
                elif name == "swap":
                    rest = (small, self.index(place))
                    rest = (small, _unchanging(rest[1], _name_of(place)))
            result = kind.element if name == "pop" else VOID
            return [Evaluate(Builtin(result, name, (place, *rest), method=self.chance(50)))]
        functions = [f for f in w.functions if (w.prints or not f.prints)]
        if functions:
            made = self.call(self.random.choice(functions), 2)
            if made is not None:
                return [Evaluate(made)]
        return [self._declare()]

    def _print(self) -> list[Statement]:
        if self._quiet:
            return self._change()
        values = []
        for _ in range(self.random.randint(1, 3)):
            kinds = [each for each in self.world.types if not _holds_job(each)]
            values.append(self.value(self.random.choice(kinds), 2))
        return [Evaluate(Builtin(VOID, "print", tuple(values)))]

    # Control

    def _jump(self) -> list[Statement]:
        if self._jumps and self.chance(75):
            word = self.random.choice(self._jumps)
            return [If(self.value(BOOL, 2), Block((Break() if word == "break" else Continue(),)), None)]
        if self._result is not None:
            if self.chance(10):
                return [
                    If(self.value(BOOL, 2), Block((Evaluate(Builtin(VOID, "fail", (self.value(STRING, 1),))),)), None)
                ]
            value = self._tail() if self.chance(20) else None
            if value is None and self._result is not VOID:
                value = self.fitting(self._result, 2)
            return [If(self.value(BOOL, 2), Block((Return(value),)), None)]
        return self._print()

    def _tail(self) -> Expression | None:
        """The call of a tail job."""
        w = self.world
        jobs = [f for f in w.functions if f.is_job and f.result == self._result and (w.prints or not f.prints)]
        if not self._is_job or not w.can_start or not jobs:
            return None
        function = self.random.choice(jobs)
        pairs = [g for g in w.reducers if g.result == self._result]
        if pairs and self.chance(25) and not function.prints:
            made = self.each_call(function)
            if made is not None:
                return Call(
                    JobType(function.result), made.function, made.arguments, True, False, made.each, pairs[0].name
                )
        return self.call(function, 1, remote=True)

    def _branch(self, depth: int) -> list[Statement]:
        if self.chance(35):
            return self._switch(depth)
        otherwise = self.block(depth) if self.chance(50) else None
        return [If(self.value(BOOL, 2), self.block(depth), otherwise)]

    def _switch(self, depth: int) -> list[Statement]:
        type = self.random.choice((INT, LONG, CHAR, STRING))
        subject = self.value(type, 2)
        jumps, self._jumps = self._jumps, ["break", *(["continue"] if "continue" in self._jumps else [])]
        seen: set[object] = set()
        cases = []
        for _ in range(self.random.randint(1, 4)):
            values = []
            for _ in range(self.random.choice((1, 1, 2))):
                literal = (
                    self.scalar(type)
                    if type != STRING
                    else Literal(STRING, self.random.choice((b"", b"a", b"ab", b"end")))
                )
                if literal.value not in seen and literal.value != -(1 << 63):
                    seen.add(literal.value)
                    values.append(literal)
            if values:
                cases.append(Case(tuple(values), self.block(depth)))
        if self.chance(70) or not cases:
            cases.insert(self.random.randint(0, len(cases)), Case((), self.block(depth)))
        self._jumps = jumps
        return [Switch(subject, tuple(cases))]

    def _loop(self, depth: int) -> list[Statement]:
        jumps, self._jumps = self._jumps, ["break", "continue"]
        made = self.random.choice(
            (self._while, self._counted, self._range, self._each, self._each, self._each_once, self._pairs)
        )(depth)
        self._jumps = jumps
        return made

    def _while(self, depth: int) -> list[Statement]:
        """Counts its rounds itself."""
        name = self._new(INT, frozen=True)
        counter = Name(INT, name)
        limit = Literal(INT, self.random.randint(1, 4))
        condition: Expression = Binary(BOOL, "<", counter, limit)
        head: tuple[Statement, ...] = (Step(counter, "++"),)
        if self.chance(20):
            head += (If(Binary(BOOL, ">", counter, limit), Block((Break(),)), None),)
            condition = Literal(BOOL, True)
        elif self.chance(50):
            condition = Binary(BOOL, "&&", condition, self.value(BOOL, 2))
        body = self.block(depth)
        return [Declare(INT, name, Literal(INT, 0)), While(condition, Block((*head, *body.statements)))]

    def _counted(self, depth: int) -> list[Statement]:
        type = self.random.choice((INT, LONG))
        self.world.scopes.append([])
        name = self._new(type, frozen=True)
        counter = Name(type, name)
        condition = Binary(BOOL, "<", counter, Literal(INT, self.random.randint(1, 4)))
        step = self.random.choice((Step(counter, "++"), Assign(counter, "+", Literal(INT, 2))))
        body = self.block(depth)
        self.world.scopes.pop()
        return [For(Declare(type, name, Literal(type, 0)), condition, step, body)]

    def _range(self, depth: int) -> list[Statement]:
        type = self.random.choice((INT, LONG))
        low = Literal(type, self.random.randint(-1, 2))
        high: Expression = Literal(type, self.random.randint(0, 5))
        if self.chance(40):
            high = Builtin(INT, "size", (self.value(self.some_vector(), 1),))
        self._count += 1
        name = f"v{self._count}"
        return [ForRange(type, name, low, high, self.block(depth, Variable(type, name)))]

    def _pairs(self, depth: int) -> list[Statement]:
        kind = self.random.choice([each for each in self.world.types if isinstance(each, MapType)])
        sequence = (self.place(kind) if self.chance(70) else None) or self.value(kind, 2)
        self._count += 2
        key, value = f"v{self._count - 1}", f"v{self._count}"
        body = self.block(depth, Variable(kind.key, key), Variable(kind.value, value))
        if self.chance(25):
            return [ForEach(kind.key, value, sequence, self.block(depth, Variable(kind.key, value)))]
        return [ForPairs(kind.key, key, kind.value, value, sequence, body)]

    def _each(self, depth: int) -> list[Statement]:
        kind = self.some_vector()
        place = self.place(kind) if self.chance(70) else None
        sequence = place or self.value(kind, 2)
        element = kind.element
        if element is INT and self.chance(20):
            element = LONG
        self._count += 1
        name = f"v{self._count}"
        return [ForEach(element, name, sequence, self.block(depth, Variable(element, name)))]

    def _each_once(self, depth: int) -> list[Statement]:
        """Goes over a vector and changes it on the way."""
        kind = self.some_vector()
        place = self.place(kind, to_change=True)
        if place is None:
            return self._each(depth)
        self._count += 1
        name = f"v{self._count}"
        inner = self.block(depth, Variable(kind.element, name))
        use: Statement = self.random.choice(
            (
                Append(place, (Name(kind.element, name),)),
                Assign(place, "", Literal(kind, b"" if kind == STRING else ())),
                Assign(place, "", Builtin(kind, "reverse", (place,))),
                Assign(Index(kind.element, place, Literal(INT, 0)), "", Name(kind.element, name)),
            )
        )
        changes = {variable.name for variable in self.world.variables()}
        body = (use, *inner.statements) if _name_of(place) in changes else inner.statements
        return [ForEach(kind.element, name, place, Block(body))]


def _name_of(place: Expression) -> str:
    while isinstance(place, Field | Index):
        place = place.base
    assert isinstance(place, Name)
    return place.name


def _unchanging(e: Expression, name: str) -> Expression:
    """The expression; or, when something in it may change the variable, a zero instead."""
    calls = [n for n in nodes(e) if isinstance(n, Call) or (isinstance(n, Builtin) and n.name in CHANGING)]
    touched = {part.name for call in calls for part in nodes(call) if isinstance(part, Name)}
    return simplest(e.type) or e if name in touched else e


def _holds_job(type: Type) -> bool:
    match type:
        case VectorType():
            return _holds_job(type.element)
        case MapType():
            return _holds_job(type.value)
        case _:
            return isinstance(type, JobType)


# Whole programs


class Maker:
    def __init__(self, choice: random.Random) -> None:
        self.random = choice
        self.world = World(choice)
        self.statements, self.functions = choice.choice(SIZES)
        if choice.random() < FOCUS_SHARE:
            self.world.focus = choice.choice(("indexing", "jobs", "changes"))

    def program(self) -> Program:
        self._types()
        constants = self._constants()
        lesses = self._lesses()
        reducers = self._reducers()
        externs = self._externs() if self.random.random() < 0.3 else []
        functions = [self._function(f"f{i}") for i in range(self.functions)]
        master = self._master()
        everything = [*lesses, *reducers, *externs, *functions]
        self.random.shuffle(everything)
        structs = tuple(struct for struct in self.world.structs.values() if struct not in BUILT_IN)
        files, style = self.random.choice((1, 1, 1, 2, 3)), self.random.choice((0, self.random.randrange(1, 1 << 16)))
        return Program(structs, constants, tuple(everything), master, files, style)

    def _types(self) -> None:
        """A few of all kinds: each type that a program uses costs LLVM as much time as many statements."""
        w, r = self.world, self.random
        vectors = [VectorType(each) for each in (INT, STRING, DOUBLE, LONG, FLOAT, BOOL, VectorType(INT))]
        w.types = [*SCALARS, STRING, STRING, INT, *r.sample(vectors, 4)]
        maps: list[Type] = [MapType(STRING, INT), MapType(INT, VectorType(INT)), MapType(STRING, VectorType(STRING))]
        maps += [MapType(r.choice((LONG, CHAR, BOOL, STRING)), r.choice(w.types)), MapType(STRING, STRING)]
        w.types += r.sample(maps, 2)
        for index in range(2):
            name = f"s{index}"
            fields: list[tuple[str, Type]] = [(f"a{i}", r.choice(w.types)) for i in range(r.randint(1, 4))]
            if r.random() < 0.3:
                fields.append(("kids", VectorType(StructType(name))))
            w.structs[name] = Struct(name, tuple(fields))
            w.types += [StructType(name), VectorType(StructType(name)) if r.random() < 0.6 else StructType(name)]
        nested = [MapType(STRING, StructType("s0")), VectorType(maps[0]), MapType(CHAR, VectorType(StructType("s1")))]
        w.types += r.sample(
            [*nested, MapType(r.choice((INT, STRING)), r.choice(maps)), VectorType(VectorType(STRING))], 1
        )
        if r.random() < 0.4:
            w.structs["rng"] = BUILT_IN[0]
            w.types.append(RNG)
        if r.random() < 0.2:
            w.types.append(JOB_STATE)

    def _constants(self) -> tuple[Constant, ...]:
        """Without failures: literals, and arithmetic that has none."""
        made = []
        w = self.world
        maker = Expressions(World(self.random, w.structs, w.types))
        for index in range(4):
            type = self.random.choice(
                [INT, LONG, DOUBLE, STRING, VectorType(INT), VectorType(STRING), FLOAT, CHAR, *w.types]
            )
            value = maker.literal(type, 0) if type is not JOB_STATE else Literal(JOB_STATE, 1)
            numbers = [c for c in w.constants if c.type == type]
            if numbers and type in NUMBER_TYPES:
                before = self.random.choice(numbers)
                value = Binary(type, self.random.choice("+-*"), Name(before.type, before.name), value)
            name = f"C{index}"
            made.append(Constant(type, name, value))
            w.constants.append(Variable(type, name, frozen=True))
        return tuple(made)

    def _lesses(self) -> list[Function]:
        """Strict weak orders: by a part, or by the size."""
        made = []
        for index, type in enumerate(dict.fromkeys(self.world.types)):
            a, b = Name(type, "a"), Name(type, "b")
            left: Expression
            right: Expression
            if isinstance(type, VectorType):
                left, right = (Builtin(INT, "size", (each,)) for each in (a, b))
            elif isinstance(type, StructType):
                parts = [(n, t) for n, t in fields_of(self.world.structs, type) if is_ordered(t) and t not in FLOATS]
                if not parts:
                    continue
                name, of = parts[0]
                left, right = Field(of, a, name), Field(of, b, name)
            elif type in (INT, LONG):
                left, right = (Binary(type, "&", each, Literal(INT, 7)) for each in (a, b))
            else:
                continue
            body = Block((Return(Binary(BOOL, "<", left, right)),))
            function = Function(f"less{index}", (Parameter(type, "a"), Parameter(type, "b")), BOOL, body)
            self.world.lesses.append(function)
            made.append(function)
        return made

    def _reducers(self) -> list[Function]:
        """Associative ones: the sum, the larger one, the first, the last."""
        made = []
        for index, type in enumerate(dict.fromkeys(self.world.types)):
            a, b = Name(type, "a"), Name(type, "b")
            ways: list[Expression] = [a, b]
            if type in (INT, LONG) or isinstance(type, VectorType):
                ways += [Binary(type, "+", a, b)] * 4
            if type in (INT, LONG):
                ways += [Binary(type, "^", a, b), Builtin(type, "max", (a, b))]
            body = Block((Return(self.random.choice(ways)),))
            made.append(Function(f"both{index}", (Parameter(type, "a"), Parameter(type, "b")), type, body, True))
        self.world.reducers = made
        return made

    def _externs(self) -> list[Function]:
        made = []
        for name, (result, types, _) in EXTERNS.items():
            parameters = tuple(Parameter(type, f"x{index}") for index, type in enumerate(types))
            made.append(Function(name, parameters, result, Block(()), is_extern=True))
        self.world.functions += made
        return made

    def _function(self, name: str) -> Function:
        w, r = self.world, self.random
        is_job = r.random() < 0.5
        results = [f.result for f in w.functions if f.result is not VOID and not _holds_job(f.result)]
        handles = [] if is_job else [JobType(f.result) for f in w.functions if f.is_job and not f.prints]
        handles += [VectorType(each) for each in handles]
        result: Type = VOID if r.random() < 0.1 else r.choice(results if results and r.random() < 0.45 else w.types)
        if handles and r.random() < 0.15:
            result = r.choice(handles)
        before = [f.result for f in w.functions if f.is_job]
        if is_job and before and r.random() < 0.4:  # one that can end in a tail job
            result = r.choice(before)
        is_recursive = r.random() < 0.35
        parameters = [Parameter(INT, "depth")] if is_recursive else []
        for index in range(r.randint(0, 3)):
            kinds = handles if handles and r.random() < 0.15 else results if results and r.random() < 0.3 else w.types
            parameters.append(Parameter(r.choice(kinds), f"p{index}", not is_job and r.random() < 0.4))
        prints = r.random() < 0.25
        w.in_master, w.prints, w.calls_left, w.can_start = False, prints, 5, r.random() < 0.6
        w.scopes = [[Variable(p.type, p.name, p.name == "depth") for p in parameters]]
        statements = Statements(w, result, not prints, is_job)
        head: tuple[Statement, ...] = ()
        if is_recursive:
            value = None if result is VOID else statements.fitting(result, 1)
            stop = Binary(BOOL, "<=", Name(INT, "depth"), Literal(INT, 0))
            head = (If(stop, Block((Return(value),)), None),)
        w.scopes.append([])
        w.scopes = [[*w.scopes[0]], []]
        body = statements.statements(r.randint(2, 6), 2)
        if is_recursive:
            body += self._recursion(statements, name, parameters, result)
        if is_job and r.random() < 0.2:
            reason = statements.value(STRING, 1)
            fails = If(statements.value(BOOL, 2), Block((Evaluate(Builtin(VOID, "fail", (reason,))),)), None)
            body += (fails,)
        w.calls_left = max(w.calls_left, 1)
        tail = statements._tail() if r.random() < 0.5 else None
        if tail is not None:
            body += (Return(tail),)
        elif result is not VOID:
            body += (Return(statements.fitting(result, 3)),)
        made = Function(name, tuple(parameters), result, Block((*head, *body)), is_job, prints)
        w.functions.append(made)
        return made

    def _recursion(self, s: Statements, name: str, parameters: list[Parameter], result: Type) -> tuple[Statement, ...]:
        """Calls itself, one less deep."""
        arguments: list[Expression] = []
        used = {parameter.name for parameter in parameters if parameter.is_reference}
        self.world.avoided |= used
        for parameter in parameters:
            if parameter.name == "depth":
                arguments.append(Binary(INT, "-", Name(INT, "depth"), Literal(INT, 1)))
            elif parameter.is_reference:
                arguments.append(Name(parameter.type, parameter.name))
            else:
                arguments.append(s.typed_literal(parameter.type, 0))
        self.world.avoided -= used
        shadowed = [v.name for v in self.world.scopes[-1]]
        if used & set(shadowed):
            return ()
        call = Call(result, name, tuple(arguments))
        if result is VOID:
            return (Evaluate(call),)
        target = s.place(result, to_change=True)
        if target is None or isinstance(target, Index):
            return (Declare(result, "again", call),)
        return (Assign(target, "", call),)

    def _master(self) -> Block:
        w = self.world
        w.in_master, w.prints, w.can_start, w.scopes = True, True, True, [[]]
        statements = Statements(w, None, False)
        made: list[Statement] = []
        for index in range(self.statements):
            w.calls_left = 3
            made += statements.statement(2) if index > self.statements // 4 else [statements._declare()]
            if self.random.random() < 0.3:
                made += statements.job_statement()
            if self.random.random() < 0.3 and w.scopes[0]:
                shown = self.random.choice(w.scopes[0])
                if not _holds_job(shown.type):
                    made.append(Evaluate(Builtin(VOID, "print", (Name(shown.type, shown.name),))))
            if w.functions and self.random.random() < 0.5:
                made += self._called(statements, w.functions[index % len(w.functions)])
        shown = list(w.scopes[0])
        if self.random.random() < 0.04:
            status = Literal(INT, self.random.choice((0, 1, 3, 77)))
            made.append(If(statements.value(BOOL, 1), Block((Evaluate(Builtin(VOID, "exit", (status,))),)), None))
        for variable in shown:
            if not _holds_job(variable.type):
                made.append(
                    Evaluate(
                        Builtin(
                            VOID, "print", (Literal(STRING, variable.name.encode()), Name(variable.type, variable.name))
                        )
                    )
                )
        return Block(tuple(made))

    def _called(self, s: Statements, function: Function) -> list[Statement]:
        """Each function has its turn."""
        self.world.calls_left = 3
        if function.is_job and self.random.random() < 0.5 and not function.prints:
            made = s.call(function, 2, remote=True)
            if made is None:
                return []
            return [Declare(made.type, name := s._new(made.type), made), *s._asked(Name(made.type, name))]
        made = s.call(function, 2)
        if made is None:
            return []
        if function.result is VOID:
            return [Evaluate(made)]
        if self.random.random() < 0.4:
            return [Declare(made.type, s._new(made.type), made)]
        if _holds_job(made.type):
            return [Evaluate(made)]
        target = s.place(made.type, to_change=True)
        if target is not None and self.random.random() < 0.4:
            return [Assign(target, "", made)]
        return [Evaluate(Builtin(VOID, "print", (made,)))]


def make_program(seed: int) -> Program:
    choice = random.Random(seed)
    return settled(Maker(choice).program(), choice)
