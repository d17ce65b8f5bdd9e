"""What functions become, and the module around them: entry, parameters, the table of jobs, `ms_program`.

Invariants: `ms_text_start` is the first function of the module and, with `ms_program`, its only symbol that others
see; a slave's module holds the jobs and what they call, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from ms.codegen import calls, changes, inlining, memory, recursion, stacked, statements
from ms.codegen.constants import Constants
from ms.codegen.debug import DebugInfo
from ms.codegen.emitter import Module, Writer, quoted
from ms.codegen.frame import Frame, Unit
from ms.codegen.glue import FASTCC, Glue
from ms.codegen.layout import Layout
from ms.codegen.parts import Divider, Parts
from ms.codegen.references import comes_as_elements
from ms.codegen.wire import Wire
from ms.typed import Call, Function, FunctionValue, Passing, Program, RemoteCall, Variable, VariableKind
from ms.types import VOID, StructType, Type, VectorType

ABI_VERSION = 1


class Role(Enum):
    """Which of the two programs a module is."""

    MASTER = "master"
    SLAVE = "slave"


def make_unit(program: Program, module: Module, *, unchecked: bool, debug: bool, optimized: bool) -> Unit:
    module.places_everywhere = debug
    shapes = Layout(program.structs)
    glue = Glue(module, shapes)
    info = DebugInfo(module, program.file, full=debug, optimized=optimized)
    functions = {function.ref.name: function for function in program.functions}
    return Unit(module, shapes, glue, Wire(glue), Constants(module, shapes), info, functions, unchecked)


def program_text(unit: Unit, program: Program, role: Role, fingerprint: bytes) -> str:
    """The whole module."""
    module = unit.module
    start = Writer(module)
    start.ret("void")
    start.finish("hidden void @ms_text_start()")
    for reached in reachable(program, role):
        function(unit, reached)
    if role is Role.MASTER:
        function(unit, program.master)
    module.globals.append(_description(unit, program, role, fingerprint))
    inlining.limit(module.functions)
    module.types = unit.shapes.definitions()
    return module.text()


def program_parts(unit: Unit, program: Program, fingerprint: bytes) -> Parts:
    """Both programs."""
    for each in (*program.functions, program.master):
        function(unit, each)
    master, slave = (_description(unit, program, role, fingerprint) for role in (Role.MASTER, Role.SLAVE))
    inlining.limit(unit.module.functions, inlining.CALLER_OF_PART_MAX)
    unit.module.types = unit.shapes.definitions()
    return Divider(unit.module, master, slave).divide()


def reachable(program: Program, role: Role) -> list[Function]:
    """The functions that the role needs, in declaration order."""
    if role is Role.MASTER:
        return list(program.functions)
    by_name = {function.ref.name: function for function in program.functions}
    names = {function.ref.name for function in program.functions if function.ref.is_job}
    pending = sorted(names)
    while pending:
        for called in _called(by_name[pending.pop()]):
            if called not in names:
                names.add(called)
                pending.append(called)
    return [function for function in program.functions if function.ref.name in names]


def _called(function: Function) -> Iterable[str]:
    for node in changes.walk([function.body]):
        match node:
            case Call() | FunctionValue() | RemoteCall():
                if not node.function.is_extern:
                    yield node.function.name
            case _:
                pass


def _started(functions: Iterable[Function]) -> set[str]:
    """The jobs that these functions start: of which a `get` may have to say what their arguments were."""
    names: set[str] = set()
    for node in changes.walk(function.body for function in functions):
        if isinstance(node, RemoteCall):
            names.add(node.function.name)
            if node.reduce is not None:
                names.add(node.reduce.name)
    return names


# One function


def function(unit: Unit, function: Function) -> None:
    for own, following in recursion.next_symbols(calls.symbol(function.ref.name), recursion.copies(function)):
        _function(unit, function, own, following)
    if calls.has_tail_job(function):
        _function(unit, function, calls.tail_symbol(function), calls.symbol(function.ref.name), "%tail")


def _function(unit: Unit, function: Function, own_symbol: str, next_symbol: str, tail: str = "") -> None:
    """Writes a function under a symbol; where it calls itself it calls `next_symbol`. `tail`: the register that says
    where a job leaves the handle of its tail job, in the version that a slave runs."""
    is_master = function.ref.name == "master"
    scope = unit.debug.subprogram(function.ref.name, function.ref.span)
    w = Writer(unit.module)
    frame = Frame(unit, function, scope, w, next_symbol, tail=tail)
    frame.at(function.ref.span)
    target = calls.signature(unit.shapes, function)
    if target.returns_struct:
        frame.result = "%result"
    has_struct = any(isinstance(type, StructType) for type in function.ref.parameter_types)
    changed = changes.changed_variables([function.body]) if has_struct else set()
    for variable, passing in calls.passed(function):
        _parameter(frame, variable, passing, variable in changed)
    frame.stacked = stacked.found(frame)
    statements.block(frame, function.body)
    if not w.ended and function.ref.result is VOID:
        statements.end_function(frame, "")
    convention = "internal" if is_master else FASTCC
    parameters = ", ".join(part for part in (f"ptr {tail}" if tail else "", target.parameters) if part)
    w.finish(f"{convention} {target.result} {own_symbol}({parameters})", scope=scope)


def _parameter(f: Frame, variable: Variable, passing: Passing, is_changed: bool) -> None:
    """Puts a parameter where the body looks for it."""
    register = calls.parameter_register(variable)
    type = variable.type
    if isinstance(type, StructType):
        # Whoever calls keeps a struct that owns nothing; the function changes a copy.
        if is_changed and variable.kind is not VariableKind.REFERENCE and not f.owns(type):
            f.store(type, register, f.new_slot(variable))
        else:
            f.slots[variable] = register
    elif comes_as_elements(variable, passing):
        data, count = (calls.parameter_register(variable, part) for part in (".data", ".count"))
        f.store(type, memory.Vector(data, count, "0"), f.new_slot(variable))
    elif variable.kind is VariableKind.REFERENCE:
        f.store(type, memory.load(f.w, type, register), f.new_slot(variable))
        f.references.append((type, f.slots[variable], register))
    elif isinstance(type, VectorType):
        _vector_parameter(f, variable, passing, type)
    else:
        f.store(type, register, f.new_slot(variable))


def _vector_parameter(f: Frame, variable: Variable, passing: Passing, type: Type) -> None:
    parts = [calls.parameter_register(variable, part) for part in (".data", ".count", ".capacity")]
    if passing is Passing.BORROWED:
        f.views[variable] = memory.View(parts[0], parts[1])
    else:
        f.store(type, memory.Vector(*parts), f.new_slot(variable))


# The description of the program


def _entry(unit: Unit, make: Callable[[Function], str], sort: str, job: Function) -> str:
    """One of a job's entries, which both programs may have."""
    name = f'@"{sort}.{job.ref.name}"'
    if name not in unit.entries:
        unit.entries.add(name)
        make(job)
    return name


def _description(unit: Unit, program: Program, role: Role, fingerprint: bytes) -> str:
    """`ms_program`; see `ms_program_description` in ms.h."""
    module = unit.module
    jobs = sorted((f for f in program.functions if f.ref.is_job), key=lambda f: f.ref.ordinal)
    started = _started(reachable(program, role)) if role is Role.SLAVE else set()
    rows = []
    for job in jobs:
        has_describe = role is Role.MASTER or job.ref.name in started
        describe = _entry(unit, unit.wire.entry_describe, "describe", job) if has_describe else "null"
        name = module.c_string(job.ref.name)
        run = _entry(unit, unit.wire.entry_run, "run", job)
        rows.append(f"{{ ptr, ptr, ptr }} {{ ptr {name}, ptr {run}, ptr {describe} }}")
    table = "null"
    if rows:
        table = module.constant(f"[{len(rows)} x {{ ptr, ptr, ptr }}] [{', '.join(rows)}], align 8")
    master = calls.symbol("master") if role is Role.MASTER else "null"
    triple = module.triple
    return (
        "@ms_program = constant { i32, i32, ptr, ptr, [32 x i8], ptr, ptr } { "
        f"i32 {ABI_VERSION}, i32 {len(rows)}, ptr {module.c_string(program.name)}, ptr {module.c_string(triple)}, "
        f'[32 x i8] c"{quoted(fingerprint)}", ptr {table}, ptr {master} }}, align 8'
    )


