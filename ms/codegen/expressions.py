"""What expressions become. Reaching places is here too, because places have indices and expressions have places.

Three ways to ask for a value: `look` borrows it where it lies, `take` makes it the asker's own, `put` takes it
straight into memory. Operators, built-in functions and loops over elements have rooms of their own. Who owns what was
decided by `ownership.py`.
Invariants: operands are evaluated left to right; the parts of a place (its indices) are evaluated before it is
reached, and reaching it makes the checks; an operand that was looked at stays what it was until its consumer is done,
for ownership.py saw to that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from ms.builtins import Mode
from ms.codegen import (
    arithmetic,
    builtins,
    calls,
    changes,
    constants,
    entries,
    maps,
    memory,
    references,
    remote,
    vectors,
)
from ms.codegen.frame import Frame
from ms.codegen.layout import register_type
from ms.codegen.memory import EMPTY, Operand, Vector, View, register, view
from ms.diagnostics import InternalError
from ms.typed import (
    Binary,
    BoolLiteral,
    Borrow,
    BuiltinCall,
    Call,
    Compare,
    Concat,
    Conditional,
    ConstantRef,
    Convert,
    Copy,
    Expression,
    Field,
    FloatLiteral,
    FunctionValue,
    Held,
    Index,
    IntLiteral,
    Logical,
    MapEntry,
    MapLiteral,
    Move,
    Passing,
    Range,
    RemoteCall,
    Scoped,
    Slice,
    StateLiteral,
    StringLiteral,
    StructLiteral,
    Unary,
    Variable,
    VariableKind,
    VariableRef,
    VectorLiteral,
    ZeroValue,
)
from ms.types import STRING, MapType, Scalar, StructType, Type, VectorType


def value(f: Frame, e: Expression) -> str:
    """A scalar, or a handle that is looked at."""
    return register(look(f, e))


def look(f: Frame, e: Expression) -> Operand:
    """The value of an expression, for a consumer that does not keep it."""
    match e:
        case VariableRef() | ConstantRef() | Field() | Index() | MapEntry():
            return _look_at_place(f, e)
        case Borrow(place):
            return look(f, place)
        case Held(inner, variable):
            put(f, inner, f.slot(variable))
            f.at(e.span)
            return _loaded(f, e.type, f.slots[variable])
        case Scoped(inner, temporaries):
            _begin_scope(f, inner, temporaries)
            result = look(f, inner)
            end_scope(f, temporaries)
            return result
        case StringLiteral():
            return f.unit.constants.view(e)
        case Conditional():
            return _look_conditional(f, e)
        case _:
            if f.owns(e.type) and not isinstance(e, ZeroValue):
                raise InternalError("a value that owns is looked at and held by nobody", e.span)
            return _make(f, e, None)


def take(f: Frame, e: Expression) -> Operand:
    """The value of an expression, for a consumer that keeps it. A struct lies where nothing else is, or owns
    nothing."""
    return _make(f, e, None)


def put(f: Frame, e: Expression, address: str) -> None:
    """Takes the value of an expression into memory, which is not read meanwhile."""
    result = _make(f, e, address)
    if result != address:
        f.at(e.span)
        f.store(e.type, result, address)


def is_new(e: Expression) -> bool:
    """Whether an expression gives a value to keep, rather than a look at one."""
    match e:
        case Borrow() | Held() | VariableRef() | ConstantRef() | Field() | Index() | MapEntry() | StringLiteral():
            return False
        case Scoped(inner, _):
            return is_new(inner)
        case Conditional():
            return is_new(e.then) or is_new(e.otherwise)
        case _:
            return True


def is_late(e: Expression) -> bool:
    """Whether an operand is evaluated behind the others."""
    return isinstance(e, Move) and e.late


def look_or_take(f: Frame, e: Expression) -> Operand:
    """A vector as it comes: a `Vector` to keep, a `View` otherwise."""
    return take(f, e) if is_new(e) else look(f, e)


def _make(f: Frame, e: Expression, into: str | None) -> Operand:
    """A value to keep. A struct may be built at `into`; the result says where it is."""
    match e:
        case IntLiteral() | FloatLiteral() | BoolLiteral() | StateLiteral():
            return _scalar(e)
        case VariableRef() | ConstantRef() | Field() | Index() | MapEntry():
            if f.owns(e.type):
                raise InternalError("a place that owns is taken without saying how", e.span)
            return _look_at_place(f, e)
        case Unary() | Binary() | Compare() | Logical() | Convert():
            return _operator(f, e)
        case Call():
            return _call(f, e, into)
        case BuiltinCall():
            return _builtin_call(f, e)
        case Move():
            return _move(f, e, into)
        case Copy():
            return _copy(f, e, into)
        case Scoped(inner, temporaries):
            _begin_scope(f, inner, temporaries)
            result = _make(f, inner, into)
            end_scope(f, temporaries)
            return result
        case Conditional():
            return _make_conditional(f, e, into)
        case StructLiteral():
            return _struct_literal(f, e, into)
        case VectorLiteral() | StringLiteral():
            return _vector_literal(f, e)
        case ZeroValue():
            return _zero_value(f, e, into)
        case Concat():
            return _concat(f, e)
        case Slice():
            return _slice(f, e)
        case RemoteCall():
            return _remote_call(f, e)
        case Range():
            raise InternalError("a range stands for a value", e.span)
        case Borrow() | Held():
            raise InternalError("a borrowed value is taken", e.span)
        case FunctionValue():
            return ""
        case MapLiteral():
            return _map_literal(f, e)
        case _:
            assert_never(e)


def _scalar(e: Expression) -> str:
    text = constants.scalar(e)
    if text is None:
        raise InternalError("not a literal", e.span)
    return text


def _begin_scope(f: Frame, e: Expression, temporaries: tuple[Variable, ...]) -> None:
    """A temporary that may not be reached is zero until it is."""
    always = set(_always_held(e))
    for variable in temporaries:
        slot = f.slot(variable)
        if variable not in always:
            f.zero(variable.type, slot)


def _always_held(e: Expression) -> Iterator[Variable]:
    """The temporaries that are given a value whenever the expression is evaluated."""
    pending: list[object] = [e]
    while pending:
        node = pending.pop()
        match node:
            case Conditional(condition):
                pending.append(condition)
            case Logical(_, left):
                pending.append(left)
            case Held(inner, variable):
                yield variable
                pending.append(inner)
            case _:
                pending.extend(changes.children(node))


def end_scope(f: Frame, temporaries: tuple[Variable, ...]) -> None:
    for variable in temporaries:
        f.drop(variable)


# Places


def parts_of(f: Frame, place: Expression) -> list[Operand]:
    """Evaluates the parts of a place, outermost base first: its indices, and its root when that is a value."""
    parts: list[Operand] = []
    _collect_parts(f, place, parts)
    return parts


def _collect_parts(f: Frame, place: Expression, parts: list[Operand]) -> None:
    match place:
        case VariableRef() | ConstantRef():
            pass
        case Field(base):
            _collect_parts(f, base, parts)
        case Index() if id(place) in f.proven:
            f.at(place.span)
            parts.append(f.proven[id(place)].index(f.round()))
        case Index(base, index):
            _collect_parts(f, base, parts)
            parts.append(look(f, index))
        case Borrow(inner):
            _collect_parts(f, inner, parts)
        case MapEntry(base, key):
            _collect_parts(f, base, parts)
            parts.append(look_or_take(f, key))
        case _:
            parts.append(look(f, place))


def reach(f: Frame, place: Expression, parts: list[Operand]) -> str:
    """The address of a place whose parts have been evaluated; makes the checks."""
    return _address(f, place, iter(parts))


def _address(f: Frame, place: Expression, parts: Iterator[Operand]) -> str:
    match place:
        case VariableRef(variable):
            return f.slots[variable]
        case ConstantRef(constant):
            return f.unit.constants.address(constant.value)
        case Field(base):
            address = _address(f, base, parts)
            f.at(place.span)
            return field_of(f, place, address)
        case Index(base) if id(place) in f.proven:
            f.at(place.span)
            return memory.element(f.w, place.type, f.proven[id(place)].inside.data, register(next(parts)))
        case Index(base, index) if isinstance(base.type, VectorType):
            vector = _base_view(f, base, parts)
            at = register(next(parts))
            f.at(place.span)
            return f.element(base.type, vector, at, index.type)
        case MapEntry():
            return _entry_value(f, place, parts)
        case Borrow(inner):
            return _address(f, inner, parts)
        case _:
            return register(next(parts))


def _entry_value(f: Frame, place: MapEntry, parts: Iterator[Operand]) -> str:
    """The address of the value of a key. A target puts a missing key in; everybody else fails."""
    type = place.base.type
    if not isinstance(type, MapType):
        raise InternalError("a key of what is no map", place.span)
    if place.inserts:
        home = _address(f, place.base, parts)
        key = next(parts)
        f.at(place.span)
        map, entry = entries.at(f.w, f.unit.shapes, type, memory.load_register(f.w, type, home), key)
        f.store(type, map, home)
    else:
        map = _base_map(f, place.base, parts)
        key = next(parts)
        f.at(place.span)
        entry = entries.find(f.w, f.unit.shapes, type, map, key)
        with f.failing(f.w.value(f"icmp eq ptr {entry}, null")):
            entries.fail_missing(f.w, type, key)
        if isinstance(key, Vector):
            f.unit.glue.drop_value(f.w, type.key, key)
    return entries.value(f.w, f.unit.shapes, type, entry)


def _base_map(f: Frame, base: Expression, parts: Iterator[Operand]) -> str:
    """The map that a key is looked for in."""
    match base:
        case ConstantRef(constant):
            return f.unit.constants.map(constant.value)
        case VariableRef() | Field() | Index() | MapEntry():
            address = _address(f, base, parts)
            f.at(base.span)
            return memory.load_register(f.w, base.type, address)
        case Borrow(inner):
            return _base_map(f, inner, parts)
        case _:
            return register(next(parts))


def field_of(f: Frame, place: Field, base: str) -> str:
    """The address of a field of the struct at `base`."""
    if not isinstance(place.base.type, StructType):
        raise InternalError("a field of what is no struct", place.span)
    return memory.field(f.w, place.base.type, base, place.index)


def _base_view(f: Frame, base: Expression, parts: Iterator[Operand]) -> View:
    """The vector that an element is reached in."""
    match base:
        case VariableRef(variable) if variable in f.views:
            return f.views[variable]
        case ConstantRef(constant):
            return f.unit.constants.view(constant.value)
        case VariableRef() | Field() | Index() | MapEntry():
            address = _address(f, base, parts)
            f.at(base.span)
            return memory.load_view(f.w, address)
        case Borrow(inner):
            return _base_view(f, inner, parts)
        case _:
            return view(next(parts))


def _look_at_place(f: Frame, place: Expression) -> Operand:
    match place:
        case VariableRef(variable) if variable in f.views:
            return f.views[variable]
        case ConstantRef(constant) if isinstance(place.type, Scalar):
            return _scalar(constant.value)
        case ConstantRef(constant) if isinstance(place.type, VectorType):
            return f.unit.constants.view(constant.value)
        case ConstantRef(constant) if isinstance(place.type, MapType):
            return f.unit.constants.map(constant.value)
        case _:
            address = reach(f, place, parts_of(f, place))
            f.at(place.span)
            return _loaded(f, place.type, address)


def _loaded(f: Frame, type: Type, address: str) -> Operand:
    """The value at an address, to look at."""
    return memory.load_view(f.w, address) if isinstance(type, VectorType) else memory.load(f.w, type, address)


def _move(f: Frame, e: Move, into: str | None) -> Operand:
    source = reach(f, e.place, parts_of(f, e.place))
    f.at(e.span)
    if isinstance(e.type, StructType):
        to = into or f.temporary(e.type)
        f.store(e.type, source, to)
        f.zero(e.type, source)
        return to
    result = memory.load(f.w, e.type, source)
    f.zero(e.type, source)
    return result


def _copy(f: Frame, e: Copy, into: str | None) -> Operand:
    source = look(f, e.place)
    f.at(e.span)
    if isinstance(e.type, StructType) and into is not None:
        f.store(e.type, source, into)
        f.unit.glue.own(f.w, e.type, into)
        return into
    return f.unit.glue.copy(f.w, e.type, source)


# Operators


def _operator(f: Frame, e: Unary | Binary | Compare | Logical | Convert) -> str:
    match e:
        case Unary():
            operand = value(f, e.operand)
            f.at(e.span)
            return arithmetic.unary(f, e.operator, e.type, operand)
        case Binary():
            left = value(f, e.left)
            right = value(f, e.right)
            f.at(e.span)
            return arithmetic.binary(f, e.operator, e.type, left, right, e.right.type)
        case Convert():
            operand = value(f, e.operand)
            f.at(e.span)
            return arithmetic.convert(f, operand, e.operand.type, e.type)
        case Compare():
            return _compare(f, e)
        case Logical():
            return _logical(f, e)
        case _:
            assert_never(e)


def _compare(f: Frame, e: Compare) -> str:
    left = look(f, e.left)
    right = look(f, e.right)
    f.at(e.span)
    w = f.w
    type = e.left.type
    if type == STRING and e.operator not in ("==", "!="):
        order = memory.call_register(w, "ms_string_compare", [left, right])
        return arithmetic.compare(f, e.operator, Scalar.INT, order, "0")
    if isinstance(type, (VectorType, MapType, StructType)):
        equal = f.unit.glue.equal(w, type, left, right)
        return equal if e.operator == "==" else w.value(f"xor i1 {equal}, true")
    return arithmetic.compare(f, e.operator, type, register(left), register(right))


def _logical(f: Frame, e: Logical) -> str:
    left = value(f, e.left)
    f.at(e.span)
    w = f.w
    more, after = w.new_label(), w.new_label()
    before = w.here()
    if e.operator == "&&":
        w.branch_if(left, more, after)
    else:
        w.branch_if(left, after, more)
    w.label(more)
    right = value(f, e.right)
    right_block = w.here()
    w.label(after)
    f.at(e.span)
    return w.phi("i1", ("false" if e.operator == "&&" else "true", before), (right, right_block))


# Conditionals


def _branch_on(f: Frame, e: Conditional) -> tuple[str, str, str]:
    """Evaluates the condition and goes to the arm; the labels of both arms and of what follows."""
    condition = value(f, e.condition)
    f.at(e.span)
    labels = f.w.new_label(), f.w.new_label(), f.w.new_label()
    f.w.branch_if(condition, labels[0], labels[1])
    return labels


def _look_conditional(f: Frame, e: Conditional) -> Operand:
    then, otherwise, after = _branch_on(f, e)
    w = f.w
    results: list[tuple[Operand, str]] = []
    for label, arm in ((then, e.then), (otherwise, e.otherwise)):
        w.label(label)
        result = look(f, arm)
        results.append((view(result) if isinstance(e.type, VectorType) else result, w.here()))
        w.branch(after)
    w.label(after)
    f.at(e.span)
    (first, first_block), (second, second_block) = results
    if isinstance(e.type, VectorType):
        pairs = zip(("ptr", "i32"), view(first), view(second), strict=True)
        parts = [w.phi(type, (a, first_block), (b, second_block)) for type, a, b in pairs]
        return View(*parts)
    type = "ptr" if isinstance(e.type, StructType) else register_type(e.type)
    return w.phi(type, (register(first), first_block), (register(second), second_block))


def _make_conditional(f: Frame, e: Conditional, into: str | None) -> Operand:
    if isinstance(e.type, Scalar):
        return _look_conditional(f, e)
    to = into or f.temporary(e.type)
    then, otherwise, after = _branch_on(f, e)
    for label, arm in ((then, e.then), (otherwise, e.otherwise)):
        f.w.label(label)
        put(f, arm, to)
        f.w.branch(after)
    f.w.label(after)
    f.at(e.span)
    return memory.load(f.w, e.type, to)


# Values with parts


def _struct_literal(f: Frame, e: StructLiteral, into: str | None) -> Operand:
    assert isinstance(e.type, StructType)
    to = into or f.temporary(e.type)
    for index in sorted(e.evaluation, key=lambda index: is_late(e.values[index])):
        put(f, e.values[index], memory.field(f.w, e.type, to, index))
    if not e.values:
        f.zero(e.type, to)
    return to


def _vector_literal(f: Frame, e: VectorLiteral | StringLiteral) -> Operand:
    assert isinstance(e.type, VectorType)
    if isinstance(e, StringLiteral):
        f.at(e.span)
        return vectors.copy_bytes(f, e.type, f.unit.constants.view(e))
    if constants.is_static(e) and len(e.elements) > 1:
        f.at(e.span)
        static = f.unit.constants.view(e)
        if f.owns(e.type.element):
            return f.unit.glue.copy_vector(f.w, e.type, static)
        return vectors.copy_bytes(f, e.type, static)
    if not e.elements:
        return EMPTY
    f.at(e.span)
    made = vectors.allocate(f, e.type, len(e.elements))
    for index, element in enumerate(e.elements):
        address = memory.offset(f.w, made.data, index * f.unit.shapes.size(e.type.element))
        put(f, element, address)
    return made


def _map_literal(f: Frame, e: MapLiteral) -> Operand:
    """The pairs are put in one after the other."""
    assert isinstance(e.type, MapType)
    if constants.is_static(e) and e.pairs:
        f.at(e.span)
        return f.unit.glue.copy_map(f.w, e.type, f.unit.constants.map(e))
    shape = f.unit.shapes.entry(e.type)
    f.at(e.span)
    sizes = [str(len(e.pairs)), str(shape.size), str(shape.hash_offset)]
    made = memory.call_register(f.w, "ms_map_new", sizes)
    for key, value in e.pairs:
        ready = f.unit.constants.view(key) if isinstance(key, StringLiteral) else take(f, key)
        operand = take(f, value)
        f.at(key.span)
        made = maps.put(f, e.type, made, ready, operand)
    return made


def _zero_value(f: Frame, e: ZeroValue, into: str | None) -> Operand:
    f.at(e.span)
    match e.type:
        case VectorType():
            return EMPTY
        case StructType():
            to = into or f.temporary(e.type)
            f.zero(e.type, to)
            return to
        case _:
            return memory.zero_register(e.type)


def _concat(f: Frame, e: Concat) -> Operand:
    assert isinstance(e.type, VectorType)
    left = look_or_take(f, e.left)
    right = look_or_take(f, e.right)
    f.at(e.span)
    return vectors.concat(f, e.type, left, right)


def _slice(f: Frame, e: Slice) -> Operand:
    assert isinstance(e.type, VectorType)
    base = look(f, e.base)
    low = value(f, e.low)
    high = value(f, e.high)
    f.at(e.span)
    return vectors.slice(f, e.type, view(base), low, high)


# Calls


def _call(f: Frame, e: Call, into: str | None) -> Operand:
    if e.function.is_extern:
        operands = [look(f, argument) for argument in e.arguments]
        f.at(e.span)
        return calls.extern_call(f.w, e.function, operands)
    function = f.unit.function(e.function)
    ready: list[Operand | list[Operand]] = [""] * len(e.arguments)
    passed = calls.passed(function)
    for index in sorted(range(len(ready)), key=lambda index: is_late(e.arguments[index])):
        (variable, passing), argument = passed[index], e.arguments[index]
        if variable.kind is VariableKind.REFERENCE:
            ready[index] = parts_of(f, argument)
        elif passing is not Passing.BORROWED and f.owns(argument.type):
            ready[index] = take(f, argument)
        else:
            ready[index] = look(f, argument)
    arguments: list[Operand] = []
    shadows: list[tuple[Type, str, str]] = []
    for argument, operand, way in zip(e.arguments, ready, passed, strict=True):
        if isinstance(operand, list) and references.comes_as_elements(*way):
            arguments.append(memory.load_view(f.w, reach(f, argument, operand)))
        elif isinstance(operand, list):
            arguments.append(_reference(f, argument, operand, shadows))
        else:
            arguments.append(operand)
    f.at(e.span)
    symbol = f.own_symbol if function is f.function else ""
    result = calls.call(f.w, f.unit.shapes, function, arguments, into, symbol=symbol)
    for type, shadow, place in shadows:
        f.store(type, memory.load(f.w, type, shadow), place)
    return result


def _reference(f: Frame, place: Expression, parts: list[Operand], shadows: list[tuple[Type, str, str]]) -> str:
    """The address to pass for a place. A local variable's is never shown to anybody, or it could not live in
    registers: the value is passed in memory of its own and fetched back, which nobody can tell, because nobody
    else reaches it meanwhile."""
    address = reach(f, place, parts)
    f.at(place.span)
    if isinstance(place.type, StructType) or not _is_local(f, place):
        return address
    shadow = f.temporary(place.type)
    f.store(place.type, memory.load(f.w, place.type, address), shadow)
    shadows.append((place.type, shadow, address))
    return shadow


def _is_local(f: Frame, place: Expression) -> bool:
    """Whether a place is (part of) memory of this function's frame."""
    while isinstance(place, Field):
        place = place.base
    return isinstance(place, VariableRef) and not f.slots[place.variable].startswith("%p")


def _builtin_call(f: Frame, e: BuiltinCall) -> Operand:
    operands: list[Operand] = []
    places: list[tuple[int, list[Operand]]] = []
    rows = e.builtin.parameters
    for index, argument in enumerate(e.arguments):
        match rows[min(index, len(rows) - 1)][1]:
            case Mode.READ:
                operands.append("" if isinstance(argument, FunctionValue) else look(f, argument))
            case Mode.KEEP:
                operands.append(take(f, argument))
            case Mode.REUSE:
                operands.append(look_or_take(f, argument))
            case Mode.INOUT:
                places.append((index, parts_of(f, argument)))
                operands.append("")
    for index, parts in places:
        operands[index] = reach(f, e.arguments[index], parts)
    f.at(e.span)
    return builtins.generate(f, e, operands)


def append_text(f: Frame, e: Expression, target: Expression, parts: list[Operand]) -> None:
    """Writes the text that a call would make behind the string `target`. Its header is written in memory of its own,
    for the reason that `_reference` has."""
    call = e.value if isinstance(e, Scoped) else e
    assert isinstance(call, BuiltinCall)
    if isinstance(e, Scoped):
        _begin_scope(f, call, e.temporaries)
    operands = [look(f, argument) for argument in call.arguments]
    address = reach(f, target, parts)
    f.at(call.span)
    text = f.temporary(STRING)
    f.store(STRING, memory.load(f.w, STRING, address), text)
    builtins.write_text(f, call, operands, text)
    f.store(STRING, memory.load(f.w, STRING, text), address)
    if isinstance(e, Scoped):
        end_scope(f, e.temporaries)


def _remote_call(f: Frame, e: RemoteCall) -> Operand:
    starts, f.is_tail = not f.is_tail, False
    operands: list[Operand] = []
    for argument in e.arguments:
        if isinstance(argument, Range):
            operands += [value(f, argument.low), value(f, argument.high)]
        else:
            operands.append(look(f, argument))
    f.at(e.span)
    return remote.generate(f, e, operands, starts)
