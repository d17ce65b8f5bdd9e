"""What an abstract program does, said by walking its tree: what it prints, and how it fails.

It shares nothing with the compiler. Values are immutable, so nothing can be aliased, and a reference is a cell with a
path. Built-in functions stand in `library.py` and `outside.py`. Jobs run where they are started, which is what the
language promises about those without side effects. Always holds: no program runs for ever (`Spent`), and `Failed` has
left every cell as it was when the failing statement's own changes were done.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from generate import library, outside
from generate.tree import (
    BUILT_IN,
    NO_JOB,
    Append,
    Assign,
    Binary,
    Block,
    Break,
    Builtin,
    Call,
    Choice,
    Continue,
    Convert,
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
    Job,
    Literal,
    MapOf,
    Name,
    Program,
    Range,
    Return,
    Slice,
    Statement,
    Step,
    StructOf,
    Switch,
    Unary,
    Value,
    VectorOf,
    While,
    fields_of,
    is_fail,
    zero_of,
)
from generate.values import Failed, arithmetic, compared, converted, text_of, wrapped
from ms.types import BOOL, CHAR, INT, STRING, JobType, MapType, Type, VectorType, common_type

STEPS_MAX = 60_000  # of one statement of the master
SIZE_MAX = 3_000  # elements of one vector
DEPTH_MAX = 60  # calls in one another

sys.setrecursionlimit(20_000)


class Spent(Exception):
    """The program does too much; it is not one to run."""


class Exited(Exception):
    """The program ends here, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Cell:
    """A variable, or (`path`) what a reference stands for: a part of one."""

    def __init__(self, value: Value = 0, base: Cell | None = None, path: tuple[Any, ...] = ()) -> None:
        self._value = value
        self._base = base
        self._path = path

    def get(self) -> Value:
        if self._base is None:
            return self._value
        value = self._base.get()
        for step in self._path:
            value = value[step]  # type: ignore[index]
        return value

    def put(self, value: Value) -> None:
        if self._base is None:
            self._value = value
        else:
            self._base.put(_replaced(self._base.get(), self._path, value))


def _replaced(whole: Value, path: Sequence[Any], value: Value) -> Value:
    if not path:
        return value
    step = path[0]
    if isinstance(whole, dict):
        return {**whole, step: _replaced(whole[step], path[1:], value)}
    if isinstance(whole, bytes):
        assert isinstance(value, int)
        return whole[:step] + bytes([value]) + whole[step + 1 :]
    assert isinstance(whole, tuple)
    return (*whole[:step], _replaced(whole[step], path[1:], value), *whole[step + 1 :])


@dataclass(frozen=True)
class Jump:
    """How control leaves a block: "break", "continue" or "return"."""

    kind: str
    value: Value = 0


BREAK, CONTINUE = Jump("break"), Jump("continue")


@dataclass
class Frame:
    function: str
    scopes: list[dict[str, Cell]]
    place: str = ""
    statement: Statement | None = None


@dataclass(frozen=True)
class Place:
    """Indices and fields behind a variable, evaluated but not yet looked at."""

    root: Cell
    steps: tuple[tuple[Type | None, Any], ...]  # of what it is an element, and the index or key; None: of a struct


class Twin:
    def __init__(self, program: Program, places: dict[int, str]) -> None:
        self.structs = {struct.name: struct for struct in (*BUILT_IN, *program.structs)}
        self.output = bytearray()
        self.errors = bytearray()
        self.files: dict[bytes, bytes] = {}
        self._functions = {function.name: function for function in program.functions}
        self._places = places
        self._steps = 0
        self._depth = 0  # of jobs within jobs
        self.job_failures: list[Statement] = []
        self._constants: dict[str, Cell] = {}
        self._frames = [Frame("master", [{}])]
        for constant in program.constants:
            self._constants[constant.name] = Cell(self.value(constant.value))

    # What others ask for

    def start_statement(self) -> None:
        self._steps = 0

    @property
    def master_variables(self) -> dict[str, Cell]:
        return self._frames[0].scopes[0]

    @property
    def innermost(self) -> Statement | None:
        """What runs, or has failed."""
        return self._frames[-1].statement

    @property
    def culprit(self) -> Statement | None:
        """What has failed, and was not made to fail."""
        for frame in reversed(self._frames):
            if not is_fail(frame.statement):
                return frame.statement
        return self.innermost

    def forget_frames(self) -> None:
        """After a failure in the master, as if the statement had not been there."""
        del self._frames[1:]
        del self._frames[0].scopes[1:]

    def story(self) -> tuple[str, ...]:
        """Places of all calls, the innermost first."""
        return tuple(f"{frame.place} in {frame.function}" for frame in reversed(self._frames))

    def spend(self, count: int) -> None:
        self._steps += count
        if self._steps > STEPS_MAX:
            raise Spent

    def limited(self, value: Value) -> Value:
        if isinstance(value, bytes | tuple | dict):
            if len(value) > SIZE_MAX:
                raise Spent
            self._steps += len(value) // 8
        return value

    # Expressions

    def value(self, e: Expression) -> Value:
        self.spend(1)
        match e:
            case Literal():
                return e.value
            case Name():
                return self._cell(e.name).get()
            case Field() | Index():
                return self._part(e)
            case Slice():
                return self._slice(e)
            case Unary():
                return self._unary(e)
            case Binary():
                return self._binary(e)
            case Choice():
                arm = e.then if self.value(e.condition) else e.otherwise
                return converted(self.value(arm), arm.type, e.type)
            case Convert():
                return converted(self.value(e.operand), e.operand.type, e.type)
            case VectorOf():
                elements = [self.value(each) for each in e.elements]
                return bytes(elements) if e.type == STRING else tuple(elements)  # type: ignore[arg-type]
            case MapOf():
                pairs = [(self.value(key), self.value(value)) for key, value in zip(e.keys, e.values)]
                return dict(pairs)
            case StructOf():
                given = {name: self.value(each) for name, each in e.fields}
                fields = fields_of(self.structs, e.type)
                return tuple(given.get(name, zero_of(self.structs, type)) for name, type in fields)
            case Range():
                assert isinstance(e.type, VectorType)
                low, high = (converted(self.value(each), each.type, e.type.element) for each in (e.low, e.high))
                self.spend(max(0, high - low))  # type: ignore[operator]
                return tuple(range(low, high))  # type: ignore[arg-type]
            case Call():
                return self._call(e)
            case Builtin():
                return self.limited(library.call(self, e))

    def _cell(self, name: str) -> Cell:
        for scope in reversed(self._frames[-1].scopes):
            if name in scope:
                return scope[name]
        return self._constants[name]

    def _part(self, e: Field | Index) -> Value:
        """Of a place: all indices first, then the place is reached. Of a value: one after the other."""
        base: Expression = e
        while isinstance(base, Field | Index):
            base = base.base
        if isinstance(base, Name):
            return self.reached(self.place(e), to_change=False).get()
        whole = self.value(e.base)
        if isinstance(e, Field):
            return whole[self._field(e)]  # type: ignore[index]
        return whole[self._step(whole, self.value(e.index), e.base.type)]  # type: ignore[index]

    def _field(self, e: Field) -> int:
        return [name for name, _ in fields_of(self.structs, e.base.type)].index(e.name)

    def checked(self, whole: Value, index: int) -> int:
        size = len(whole)  # type: ignore[arg-type]
        if not 0 <= index < size:
            raise Failed(f"index {index} out of range, the size is {size}")
        return index

    def place(self, e: Expression) -> Place:
        """Evaluates the indices."""
        match e:
            case Name():
                return Place(self._cell(e.name), ())
            case Field():
                base = self.place(e.base)
                return Place(base.root, (*base.steps, (None, self._field(e))))
            case Index():
                base = self.place(e.base)
                return Place(base.root, (*base.steps, (e.base.type, self.value(e.index))))
            case _:
                raise AssertionError(e)

    def _step(self, whole: Value, step: Any, type: Type | None) -> Any:
        """The index or key, checked."""
        if isinstance(type, VectorType):
            return self.checked(whole, step)
        if isinstance(type, MapType) and step not in whole:  # type: ignore[operator]
            raise Failed(f"no such key: {text_of(self.structs, type.key, step, True).decode('latin-1')}")
        return step

    def reached(self, place: Place, to_change: bool = True) -> Cell:
        """Checks the indices; what is to be changed puts a missing key into a map."""
        value = place.root.get()
        for depth, (type, step) in enumerate(place.steps):
            if to_change and isinstance(type, MapType) and step not in value:  # type: ignore[operator]
                before = tuple(each for _, each in place.steps[:depth])
                value = {**value, step: zero_of(self.structs, type.value)}  # type: ignore[dict-item]
                Cell(0, place.root, before).put(value)
            value = value[self._step(value, step, type)]  # type: ignore[index]
        return Cell(0, place.root, tuple(step for _, step in place.steps))

    def _slice(self, e: Slice) -> Value:
        whole = self.value(e.base)
        low, high = self.value(e.low), self.value(e.high)
        size = len(whole)  # type: ignore[arg-type]
        if not 0 <= low <= high <= size:  # type: ignore[operator]
            raise Failed(f"slice {low}..{high} out of range, the size is {size}")
        return whole[low:high]  # type: ignore[index,misc,return-value]

    def _unary(self, e: Unary) -> Value:
        value = self.value(e.operand)
        if e.operator == "!":
            return not value
        value = converted(value, e.operand.type, e.type)
        if e.operator == "~":
            return ~value  # type: ignore[operator]
        return -value if isinstance(value, float) else wrapped(-value, e.type)  # type: ignore[operator]

    def _binary(self, e: Binary) -> Value:
        left = self.value(e.left)
        if e.operator in ("&&", "||"):
            return left if bool(left) == (e.operator == "||") else self.value(e.right)
        right = self.value(e.right)
        if e.type is BOOL:
            common = common_type(e.left.type, e.right.type)
            assert common is not None
            left, right = converted(left, e.left.type, common), converted(right, e.right.type, common)
            self.spend(1 + (len(left) if isinstance(left, tuple) else 0))
            return compared(self.structs, e.operator, common, left, right)
        left = converted(left, e.left.type, e.type)
        if e.operator not in ("<<", ">>", ">>>"):
            right = converted(right, e.right.type, e.type)
        return self.limited(arithmetic(e.operator, e.type, left, right))

    # Calls

    def _call(self, e: Call) -> Value:
        function = self._functions[e.function]
        if function.is_extern:
            return outside.call_extern(function.name, [self.value(each) for each in e.arguments])
        given: list[Value | Place] = []
        for parameter, argument in zip(function.parameters, e.arguments):
            given.append(self.place(argument) if parameter.is_reference else self.value(argument))
        if e.each:
            jobs = tuple(self._each(function, e, given))  # type: ignore[arg-type]
            return self._reduced(self._functions[e.reduce], jobs) if e.reduce else jobs
        cells = [self.reached(each) if isinstance(each, Place) else Cell(each) for each in given]
        return self._remote(function, cells) if e.remote else self._run(function, cells)

    def _each(self, function: Function, e: Call, given: list[Any]) -> Iterator[Job]:
        """A job for each of the elements, which go in step."""
        first = e.each[0]
        for other in e.each[1:]:
            if len(given[other]) != len(given[first]):
                raise Failed(f"each: {len(given[first])} and {len(given[other])} elements")
        for number in range(len(given[first])):
            row = [value[number] if i in e.each else value for i, value in enumerate(given)]
            for i in e.each:
                kind = e.arguments[i].type
                assert isinstance(kind, VectorType)
                if not isinstance(kind.element, JobType | VectorType):
                    row[i] = converted(row[i], kind.element, function.parameters[i].type)
            yield self._remote(function, [Cell(value) for value in row])

    def _reduced(self, function: Function, jobs: tuple[Job, ...]) -> Job:
        """Pairwise; which way does not matter."""
        if not jobs:
            return Job(f"{function.name}()", 0, "nothing to reduce")
        total = jobs[0]
        for job in jobs[1:]:
            total = self._remote(function, [Cell(total), Cell(job)])
        return total

    def call_with(self, name: str, *arguments: Value) -> Value:
        return self._run(self._functions[name], [Cell(each) for each in arguments])

    def _run(self, function: Function, cells: list[Cell]) -> Value:
        if len(self._frames) > DEPTH_MAX:
            raise Spent
        scope = {parameter.name: cell for parameter, cell in zip(function.parameters, cells)}
        self._frames.append(Frame(function.name, [scope]))
        jump = self._statements(function.body.statements)
        value = jump.value if jump is not None else 0
        if isinstance(value, Job) and not isinstance(function.result, JobType):
            value = library.result(value)  # a tail job, of one that was called by its name
        self._frames.pop()
        return value

    def _remote(self, function: Function, cells: list[Cell]) -> Job:
        for cell in cells:
            given = cell.get()
            jobs = given if isinstance(given, tuple) else (given,)
            if any(job is NO_JOB for job in jobs):
                raise Failed("no job")
        failed = self._awaited(function, cells)
        if failed is not None:
            return failed
        frames = self._frames
        self._frames = []
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self._depth -= 1
            raise Spent
        types = [parameter.type for parameter in function.parameters]
        texts = [text_of(self.structs, type, cell.get(), True) for type, cell in zip(types, cells)]
        call = f"{function.name}({b', '.join(texts).decode('latin-1')})"
        try:
            scope = {parameter.name: cell for parameter, cell in zip(function.parameters, cells)}
            self._frames.append(Frame(function.name, [scope]))
            jump = self._statements(function.body.statements)
            value = jump.value if jump is not None else 0
            if isinstance(value, Job):
                return Job(call, value.result, value.message, value.story)
            return Job(call, value)
        except Failed as failure:
            places = list(self.story())
            places[0] += f": {failure.message}"
            if self.innermost is not None:
                self.job_failures.append(self.innermost)
            return Job(call, 0, failure.innermost, (*places, *failure.story))
        finally:
            self._frames = frames
            self._depth -= 1

    def _awaited(self, function: Function, cells: list[Cell]) -> Job | None:
        """Puts results in the places of handles; what becomes of the job when one of those has failed. Of several that
        fail nobody knows which comes first."""
        bad: list[Job] = []
        for parameter, cell in zip(function.parameters, cells):
            given = cell.get()
            jobs = [job for job in (given if isinstance(given, tuple) else (given,)) if isinstance(job, Job)]
            bad += [job for job in jobs if job.has_failed]
            if isinstance(given, Job):
                cell.put(given.result)
            elif jobs or (given == () and parameter.type == STRING):
                cell.put(library.made(parameter.type, [job.result for job in jobs]))
        if len({(job.message, job.story) for job in bad}) > 1:
            raise Spent
        return Job(f"{function.name}(...)", 0, bad[0].message, bad[0].story) if bad else None

    # Statements

    @contextmanager
    def _scope(self) -> Iterator[dict[str, Cell]]:
        scopes = self._frames[-1].scopes
        scopes.append({})
        yield scopes[-1]
        scopes.pop()

    def _block(self, block: Block) -> Jump | None:
        with self._scope():
            return self._statements(block.statements)

    def _statements(self, statements: tuple[Statement, ...]) -> Jump | None:
        for statement in statements:
            jump = self.run(statement)
            if jump is not None:
                return jump
        return None

    def at(self, s: Statement) -> None:
        self.spend(1)
        self._frames[-1].place = self._places.get(id(s), "")
        self._frames[-1].statement = s

    def run(self, s: Statement) -> Jump | None:
        self.at(s)
        match s:
            case Declare():
                value = zero_of(self.structs, s.type) if s.value is None else self._fitting(s.value, s.type)
                self._frames[-1].scopes[-1][s.name] = Cell(value)
            case Assign():
                self._assign(s)
            case Step():
                self._update(self.place(s.target), s.target.type, s.operator[0], INT, 1)
            case Append():
                self._append(s)
            case Evaluate():
                if isinstance(s.value, Builtin) and s.value.name == "exit":
                    raise Exited(self.value(s.value.arguments[0]))  # type: ignore[arg-type]
                self.value(s.value)
            case Block():
                return self._block(s)
            case If():
                if self.value(s.condition):
                    return self._block(s.then)
                return self._block(s.otherwise) if s.otherwise is not None else None
            case While() | For():
                return self._loop(s)
            case ForRange() | ForEach():
                return self._for(s)
            case ForPairs():
                return self._pairs(s)
            case Switch():
                return self._switch(s)
            case Break():
                return BREAK
            case Continue():
                return CONTINUE
            case Return():
                return Jump("return", self.value(s.value) if s.value is not None else 0)
        return None

    def _fitting(self, e: Expression, type: Type) -> Value:
        return converted(self.value(e), e.type, type)

    def _assign(self, s: Assign) -> None:
        place = self.place(s.target)
        value = self.value(s.value)
        if s.operator:
            self._update(place, s.target.type, s.operator, s.value.type, value)
        else:
            self.reached(place).put(converted(value, s.value.type, s.target.type))

    def _update(self, place: Place, type: Type, operator: str, value_type: Type, value: Value) -> None:
        """target = T(T2(target) op value)"""
        cell = self.reached(place)
        if isinstance(type, VectorType):
            cell.put(self.limited(arithmetic("+", type, cell.get(), value)))
            return
        wide = INT if type is CHAR else type
        is_shift = operator in ("<<", ">>", ">>>")
        right = value if is_shift else converted(value, value_type, wide)
        result = arithmetic(operator, wide, converted(cell.get(), type, wide), right)
        cell.put(converted(result, wide, type))

    def _append(self, s: Append) -> None:
        """The place is one for all that is appended."""
        place = self.place(s.target)
        type = s.target.type
        assert isinstance(type, VectorType)
        for part in s.values:
            value = self.value(part)
            cell = self.reached(place)
            if part.type != type:
                element = converted(value, part.type, type.element)
                value = bytes([element]) if type == STRING else (element,)  # type: ignore[list-item,assignment]
            cell.put(self.limited(cell.get() + value))  # type: ignore[operator]

    def _loop(self, s: While | For) -> Jump | None:
        with self._scope():
            if isinstance(s, For):
                self.run(s.start)
            while True:
                self.at(s)
                if not self.value(s.condition):
                    return None
                jump = self._block(s.body)
                if jump is not None and jump.kind != "continue":
                    return jump if jump.kind == "return" else None
                if isinstance(s, For):
                    self.run(s.step)

    def _for(self, s: ForRange | ForEach) -> Jump | None:
        elements: Sequence[Value]
        if isinstance(s, ForRange):
            low, high = self._fitting(s.low, s.type), self._fitting(s.high, s.type)
            assert isinstance(low, int)
            assert isinstance(high, int)
            elements = range(low, high)
        else:
            sequence = self.value(s.sequence)
            type = s.sequence.type
            assert isinstance(type, VectorType | MapType)
            kind = type.element if isinstance(type, VectorType) else type.key
            elements = [converted(each, kind, s.type) for each in sequence]  # type: ignore[union-attr]
        for element in elements:
            self.at(s)
            with self._scope() as scope:
                scope[s.name] = Cell(element)
                jump = self._block(s.body)
            if jump is not None and jump.kind != "continue":
                return jump if jump.kind == "return" else None
        return None

    def _pairs(self, s: ForPairs) -> Jump | None:
        pairs = self.value(s.sequence)
        assert isinstance(pairs, dict)
        for key, value in pairs.items():
            self.at(s)
            with self._scope() as scope:
                scope[s.key], scope[s.value] = Cell(key), Cell(value)
                jump = self._block(s.body)
            if jump is not None and jump.kind != "continue":
                return jump if jump.kind == "return" else None
        return None

    def _switch(self, s: Switch) -> Jump | None:
        subject = self.value(s.subject)
        fallback = None
        for case in s.cases:
            if not case.values:
                fallback = case
            elif any(value.value == subject for value in case.values):
                fallback = case
                break
        if fallback is None:
            return None
        jump = self._block(fallback.body)
        return None if jump is BREAK else jump


@dataclass(frozen=True)
class Expected:
    """What a program does. `story`: the lines of its failure, as "FILE:LINE in FUNCTION", those of its own calls first,
    then those of the job that failed, which have their messages."""

    output: bytes
    errors: bytes
    has_failures: bool  # also of jobs
    message: str = ""
    story: tuple[str, ...] = ()
    status: int = 0


def expectation(program: Program, places: dict[int, str]) -> Expected:
    """May raise Spent."""
    twin = Twin(program, places)
    try:
        for statement in program.master.statements:
            twin.start_statement()
            if twin.run(statement) is not None:
                break
    except Failed as failure:
        places = list(twin.story())
        return Expected(bytes(twin.output), bytes(twin.errors), True, failure.message, (*places, *failure.story), 1)
    except Exited as end:
        return Expected(bytes(twin.output), bytes(twin.errors), bool(twin.job_failures), status=end.status)
    return Expected(bytes(twin.output), bytes(twin.errors), bool(twin.job_failures))
