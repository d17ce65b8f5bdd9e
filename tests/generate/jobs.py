"""Random statements about jobs: they are started in every way, waited for, asked, combined and cancelled, in the master
as well as in functions and jobs.

Always holds: what is printed does not depend on the order in which jobs end, so that the twin, which runs them where
they are started, says the same. A job that prints is started only where it is waited for at once.
"""

from __future__ import annotations

from generate.maker import Expressions
from generate.scope import Variable, World
from generate.tree import (
    SCALARS,
    Append,
    Assign,
    Binary,
    Block,
    Break,
    Builtin,
    Call,
    Choice,
    Declare,
    Evaluate,
    Expression,
    ForEach,
    Function,
    If,
    Index,
    Literal,
    MapOf,
    Name,
    Range,
    Statement,
    Step,
    VectorOf,
)
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    INT,
    JOB_STATE,
    LONG,
    STRING,
    VOID,
    JobType,
    MapType,
    Type,
    VectorType,
    converts_implicitly,
)

FINISHED = Literal(JOB_STATE, 1)
LONG_S = 60.0  # longer than any of these jobs takes


def _zero(value: int) -> Literal:
    return Literal(INT, value)


class JobStatements(Expressions):
    """`quiet`: nothing is printed; what there would be to print is kept in variables."""

    def __init__(self, world: World, quiet: bool) -> None:
        super().__init__(world)
        self._quiet = quiet
        self._count = 0

    def _new(self, type: Type, frozen: bool = False) -> str:
        """A name; now and then one that an outer block has."""
        self._count += 1
        name = f"v{self._count}"
        inner = {variable.name for variable in self.world.scopes[-1]}
        outer = [v.name for v in self.world.variables() if v.name not in inner and not v.frozen and v.name != "depth"]
        if outer and len(self.world.scopes) > 2 and self.chance(8):
            name = self.random.choice(outer)
        self.world.scopes[-1].append(Variable(type, name, frozen))
        return name

    def _new_one(self, type: Type) -> str:
        """A name that hides none."""
        name = self._fresh()
        self.world.scopes[-1].append(Variable(type, name))
        return name

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _shown(self, *values: Expression) -> list[Statement]:
        if not self._quiet:
            return [Evaluate(Builtin(VOID, "print", values))]
        return [Declare(each.type, self._new_one(each.type), each) for each in values]

    def started(self) -> list[Function]:
        """The jobs that may be started here, whoever waits for them."""
        return [f for f in self.world.functions if f.is_job and not f.prints]

    def job_statement(self) -> list[Statement]:
        w, r = self.world, self.random
        if not self.started() or (w.calls_left <= 0 and not w.in_master):
            return []
        if w.in_master:
            w.calls_left = 3
        ways = (
            self._start, self._start, self._ask, self._ask, self._many, self._many, self._for_each, self._for_each,
            self._completed, self._any, self._cancelled, self._loop_over, self._reduced, self._reduced, self._kept_in,
            self._dependent,
        )  # fmt: skip
        return r.choice(ways)()

    # Starting

    def _start(self) -> list[Statement]:
        function = self.random.choice(self.started())
        made = self.call(function, 2, remote=True)
        if made is None:
            return []
        if self.chance(5):
            return [Evaluate(made)]  # nobody waits
        type = JobType(function.result)
        return [Declare(type, self._new(type), made, self.chance(15))]

    def _dependent(self) -> list[Statement]:
        """A job with handles in the places of arguments."""
        fitting = [f for f in self.started() if any(p.name != "depth" for p in f.parameters)]
        if not fitting:
            return []
        function = self.random.choice(fitting)
        made = self.call(function, 1, remote=True)
        if made is None:
            return []
        index = self.random.choice([i for i, p in enumerate(function.parameters) if p.name != "depth"])
        handle = self._handles_for(function.parameters[index].type)
        if handle is None:
            return []
        arguments = (*made.arguments[:index], handle, *made.arguments[index + 1 :])
        type = JobType(function.result)
        return [Declare(type, self._new(type), Call(type, function.name, arguments, True))]

    def _handles_for(self, type: Type) -> Expression | None:
        """A handle, or a vector of them, that stands for a value of the type."""
        if isinstance(type, VectorType) and self.chance(50):
            many = VectorType(JobType(type.element))
            return self.place(many) or self._vector_of_handles(type.element)
        return self.place(JobType(type)) or self._remote_giving(type)

    def _remote_giving(self, type: Type) -> Expression | None:
        jobs = [f for f in self.started() if f.result == type]
        return self.call(self.random.choice(jobs), 1, remote=True) if jobs else None

    def _vector_of_handles(self, type: Type, count: int = 0) -> Expression | None:
        elements = []
        for _ in range(count or self.random.randint(1, 3)):
            element = self.place(JobType(type)) if self.chance(60) else None
            element = element or self._remote_giving(type) or self.place(JobType(type))
            if element is None:
                return None
            elements.append(element)
        return VectorOf(VectorType(JobType(type)), tuple(elements))

    def _many(self) -> list[Statement]:
        """A vector that is appended to."""
        function = self.random.choice(self.started())
        type = VectorType(JobType(function.result))
        name = self._new_one(type)
        made: list[Statement] = [Declare(type, name, None)]
        for _ in range(self.random.randint(1, 4)):
            if self.world.in_master:
                self.world.calls_left = 3
            call = self.call(function, 1, remote=True)
            if call is not None:
                made.append(Append(Name(type, name), (call,)))
        return made

    def _for_each(self) -> list[Statement]:
        made = self.each_call(self.random.choice(self.started()))
        return [] if made is None else [Declare(made.type, self._new(made.type), made)]

    def each_call(self, function: Function) -> Call | None:
        """One job for each element, of one argument or of several in step."""
        places = [index for index, parameter in enumerate(function.parameters) if parameter.name != "depth"]
        if not places:
            return None
        call = self.call(function, 1, remote=True)
        if call is None:
            return None
        chosen = sorted(self.random.sample(places, min(len(places), self.random.choice((1, 1, 2)))))
        arguments = list(call.arguments)
        count = self.random.choice((1, 2, 3, 4))
        for index in chosen:
            count = count if not self.chance(2) else count + 1
            arguments[index] = self._elements(function.parameters[index].type, count, len(chosen) > 1)
        type = VectorType(JobType(function.result))
        return Call(type, function.name, tuple(arguments), True, False, tuple(chosen))

    def _elements(self, type: Type, count: int, exactly: bool) -> Expression:
        """Something to go over: a range, a vector, handles; of so many elements when that matters."""
        r = self.random
        if type in (INT, LONG, DOUBLE) and self.chance(35):
            kind = r.choice((INT, LONG)) if type is LONG else INT
            low = r.randrange(-2, 3)
            return Range(VectorType(kind), Literal(kind, low), Literal(kind, low + count))
        if self.chance(25):
            handles = self._vector_of_handles(type, count)
            if handles is not None:
                return handles
        sources = [source for source in SCALARS if converts_implicitly(source, type)] if type in SCALARS else [type]
        kind = r.choice(sources) if self.chance(30) else type
        if not exactly and self.chance(40):
            return self.value(VectorType(kind), 2)
        if self.chance(20):
            return Builtin(VectorType(kind), "fill", (_zero(count), self.value(kind, 1)))
        elements = tuple(self.typed_literal(kind, 0) if self.chance(50) else self.value(kind, 1) for _ in range(count))
        return VectorOf(VectorType(kind), elements)

    # Asking

    def _handle_places(self) -> list[Expression]:
        return [Name(v.type, v.name) for v in self.world.variables() if isinstance(v.type, JobType)]

    def _ask(self) -> list[Statement]:
        many = self._some_handles()
        if many is not None and self.chance(30):
            assert isinstance(many.type, VectorType)
            assert isinstance(many.type.element, JobType)
            result = many.type.element.result
            if result is not VOID:
                return self._shown(Builtin(VectorType(result), "get", (many,), method=self.chance(30)))
        handles = self._handle_places()
        return self._asked(self.random.choice(handles)) if handles else self._start()

    def _asked(self, handle: Expression) -> list[Statement]:
        """What is said about it, when it has ended: in one statement with the wait, so that they stay together."""
        r = self.random
        way = r.choice(("error", "story", "story", "wait", "handle", "same", "state", "wait for", "late", "get"))
        ended = Builtin(JOB_STATE, "wait", (handle,), method=r.random() < 0.4)
        if way == "get":
            assert isinstance(handle.type, JobType)
            got = Builtin(handle.type.result, "get", (handle,), method=r.random() < 0.4)
            return [Evaluate(got)] if handle.type.result is VOID else self._shown(got)
        if way == "same":
            one = Builtin(VectorType(handle.type), "fill", (_zero(1), handle))
            return self._shown(Binary(BOOL, "==", handle, handle), Builtin(BOOL, "contains", (one, handle)))
        if way == "late":
            late = Evaluate(Builtin(VOID, "cancel", (handle,), method=r.random() < 0.4))
            return [If(Binary(BOOL, "!=", ended, Literal(JOB_STATE, 0)), Block((late,)), None)]
        if way == "wait for":
            return self._shown(Builtin(JOB_STATE, "wait", (handle, Literal(DOUBLE, LONG_S))))
        if way == "wait" or self._quiet:
            return self._shown(ended)
        asked = {
            "handle": handle,
            "story": Builtin(STRING, "story", (handle,)),
            "error": Builtin(STRING, "error", (handle,), method=r.random() < 0.4),
            "state": Builtin(JOB_STATE, "state", (handle,)),
        }
        return [Evaluate(Builtin(VOID, "print", (ended, asked[way])))]

    def _some_handles(self) -> Name | None:
        many = [
            Name(v.type, v.name)
            for v in self.world.variables()
            if isinstance(v.type, VectorType) and isinstance(v.type.element, JobType)
        ]
        return self.random.choice(many) if many else None

    def _handles_or_new(self) -> tuple[Name | None, list[Statement]]:
        """A vector of handles; and the statements that make it, when there is none."""
        many = self._some_handles()
        made = self.each_call(self.random.choice(self.started())) if many is None else None
        if made is None:
            return many, []
        name = self._new_one(made.type)
        return Name(made.type, name), [Declare(made.type, name, made)]

    def _any(self) -> list[Statement]:
        """Some index; the job there has ended."""
        many, before = self._handles_or_new()
        if many is None:
            return self._many()
        assert isinstance(many.type, VectorType)
        is_bounded = self.chance(40)
        rest: tuple[Expression, ...] = (Literal(DOUBLE, LONG_S),) if is_bounded else ()
        some = Builtin(INT, "any", (many, *rest), method=self.chance(30))
        state = Builtin(JOB_STATE, "state", (Index(many.type.element, many, some),))
        ended = Binary(BOOL, "!=", state, Literal(JOB_STATE, 0))
        at_once = Binary(BOOL, "<", Builtin(INT, "any", (many, Literal(DOUBLE, 0.0))), Builtin(INT, "size", (many,)))
        return [*before, *self._inner(ended, at_once)]

    def _inner(self, *values: Expression) -> list[Statement]:
        """Printed, or looked at, in a block of its own."""
        if not self._quiet:
            return [Evaluate(Builtin(VOID, "print", values))]
        return [If(each, Block(()), None) for each in values]

    def _completed(self) -> list[Statement]:
        """Sums and marks, which do not tell the order; or so many rounds."""
        many, before = self._handles_or_new()
        if many is None:
            return self._for_each()
        assert isinstance(many.type, VectorType)
        handle = many.type.element
        assert isinstance(handle, JobType)
        total, index = self._new_one(LONG), self._fresh()
        place = Index(handle, many, Name(INT, index))
        made: list[Statement] = [*before, Declare(LONG, total, None)]
        body: list[Statement] = [Assign(Name(LONG, total), "+", Name(INT, index))]
        if self.chance(30):
            body = [Step(Name(LONG, total), "++")]
            limit = Binary(BOOL, ">=", Name(LONG, total), Literal(LONG, self.random.randint(1, 3)))
            body.append(If(limit, Block((Break(),)), None))
        elif handle.result is not VOID:
            results = VectorType(handle.result)
            got = self._new_one(results)
            made += [Declare(results, got, None)]
            size = Builtin(INT, "size", (many,))
            made += [Evaluate(Builtin(VOID, "resize", (Name(results, got), size), method=self.chance(50)))]
            use: Statement = Assign(
                Index(handle.result, Name(results, got), Name(INT, index)), "", Builtin(handle.result, "get", (place,))
            )
            is_good = Binary(BOOL, "==", Builtin(JOB_STATE, "state", (place,)), FINISHED)
            body.append(If(is_good, Block((use,)), None) if self.chance(80) else use)
        completed = Builtin(VectorType(INT), "completed", (many,), method=self.chance(30))
        return [*made, ForEach(INT, index, completed, Block(tuple(body)))]

    def _loop_over(self) -> list[Statement]:
        """Each handle of a vector in turn."""
        many, before = self._handles_or_new()
        if many is None:
            return self._for_each()
        assert isinstance(many.type, VectorType)
        handle = many.type.element
        assert isinstance(handle, JobType)
        name = self._fresh()
        state = Builtin(JOB_STATE, "wait", (Name(handle, name),))
        body = self._inner(Binary(BOOL, "==", state, FINISHED))
        if handle.result is not VOID and not self._quiet:
            got = Builtin(handle.result, "get", (Name(handle, name),))
            body.append(
                If(Binary(BOOL, "==", state, FINISHED), Block((Evaluate(Builtin(VOID, "print", (got,))),)), None)
            )
        return [*before, ForEach(handle, name, many, Block(tuple(body)))]

    def _cancelled(self) -> list[Statement]:
        """Whether it had ended before is left open; nobody else has its handle."""
        function = self.random.choice(self.started())
        call = self.call(function, 1, remote=True)
        if call is None:
            return []
        name, follower = self._fresh(), self._fresh()
        handle, second = Name(JobType(function.result), name), Name(JobType(function.result), follower)
        made: list[Statement] = [Declare(handle.type, name, call)]
        made.append(Evaluate(Builtin(VOID, "cancel", (handle,), method=self.chance(50))))
        ended = Binary(BOOL, "!=", Builtin(JOB_STATE, "wait", (handle,)), Literal(JOB_STATE, 0))
        is_bad = Binary(BOOL, "!=", Builtin(JOB_STATE, "state", (handle,)), FINISHED)
        agrees = Binary(
            BOOL, "||", is_bad, Binary(BOOL, "==", Builtin(STRING, "error", (handle,)), Literal(STRING, b""))
        )
        made += self._inner(ended, agrees)
        takers = [f for f in self.world.reducers if f.result == function.result]
        if takers and self.chance(50):
            dependent = Call(handle.type, takers[0].name, (handle, handle), True)
            waits = Binary(BOOL, "!=", Builtin(JOB_STATE, "wait", (second,)), Literal(JOB_STATE, 0))
            made[1:1] = [Declare(second.type, follower, dependent)]
            made += self._inner(waits)
        return [Block(tuple(made))]

    # Combining

    def _reduced(self) -> list[Statement]:
        pairs = [(f, g) for f in self.started() for g in self.world.reducers if f.result == g.result]
        if not pairs:
            return []
        function, reducer = self.random.choice(pairs)
        each = self.each_call(function)
        if each is None:
            return []
        type = JobType(function.result)
        made = Call(type, each.function, each.arguments, True, False, each.each, reducer.name)
        name = self._new_one(type)
        return [Declare(type, name, made), *(self._asked(Name(type, name)) if self.chance(60) else [])]

    def _kept_in(self) -> list[Statement]:
        """Handles in a map, or handed on by a choice."""
        function = self.random.choice(self.started())
        handle = JobType(function.result)
        first, second = self.call(function, 1, remote=True), self.place(handle)
        if first is None:
            return []
        second = second or self.call(function, 1, remote=True) or first
        if self.chance(40):
            chosen = Choice(handle, self.value(BOOL, 2), first, second)
            return [Declare(handle, self._new_one(handle), chosen)]
        kind = self.random.choice((STRING, INT, CHAR))
        keys = self.keys(kind)
        table = MapType(kind, handle)
        name = self._new_one(table)
        made: list[Statement] = [Declare(table, name, MapOf(table, (keys[0],), (first,)))]
        made.append(Assign(Index(handle, Name(table, name), keys[1]), "", second))
        place = Index(handle, Name(table, name), self.random.choice(keys))
        return [*made, *self._asked(place)]
