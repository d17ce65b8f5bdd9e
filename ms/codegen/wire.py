"""Values on the wire: for each type its encoded size, an encoder and a decoder; for each job its entries.

The encoding is that of docs/protocol.md: each value in turn, numbers little-endian, a vector its count and then its
elements (scalars as one block), no padding, no tags. Jobs, frames and limits are the runtime's.
Invariants: encoding writes exactly as many bytes as `size` said; decoding looks at no byte beyond the reader's end,
and a value whose decoding failed can be dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ms.codegen import calls, entries, layout, memory
from ms.codegen.abi import Kind
from ms.codegen.emitter import NOINLINE, NOMERGE_NOINLINE, PLAIN, SMALL, Writer
from ms.codegen.glue import Glue
from ms.codegen.memory import Operand, View, register, view
from ms.diagnostics import InternalError
from ms.typed import Function, Passing
from ms.types import BOOL, VOID, JobType, MapType, Scalar, StructType, Type, VectorType

COUNT_SIZE = 4
PART_MIN = 65536  # encoded bytes from which on the runtime looks whether it knows a value: MS_PART_MIN in ms.h
_HANDLE = JobType(VOID)  # all handles lie in memory alike


@dataclass(frozen=True, slots=True)
class _Place:
    """A value among a job's arguments: its job, its number among those that may become parts, and what is known of it
    and those behind it from the job before."""

    handle: str
    number: int
    known: Sequence[str]

    def words(self) -> list[str]:
        """The last arguments of ms_remote_block and ms_remote_part."""
        return [str(self.number), self.known[0] if self.known else "null"]


class Wire:
    """The serialisers of one module."""

    def __init__(self, glue: Glue) -> None:
        self.glue = glue
        self.shapes = glue.shapes

    # Size

    def size(self, w: Writer, type: Type, value: Operand) -> str:
        """The encoded size of a value (i64)."""
        fixed = self.fixed_size(type)
        if fixed is not None:
            return str(fixed)
        match type:
            case VectorType(element):
                data, count = view(value)
                each = self.fixed_size(element)
                if each is not None:
                    return memory.add(w, memory.times(w, memory.wide(w, count), each), str(COUNT_SIZE))
                return w.value(f"call fastcc i64 {self._size_vector(type)}(ptr {data}, i32 {count})")
            case MapType():
                return w.value(f"call fastcc i64 {self._size_map(type)}(ptr {register(value)})")
            case StructType():
                return w.value(f"call fastcc i64 {self._size_struct(type)}(ptr {register(value)})")
            case _:
                raise _no_encoding(type)

    def fixed_size(self, type: Type) -> int | None:
        """The encoded size when it is the same for all values."""
        match type:
            case Scalar():
                return self.shapes.size(type)
            case StructType():
                total = 0
                for part in self.shapes.fields(type):
                    size = None if self.shapes.owns(part) else self.fixed_size(part)
                    if size is None:
                        return None
                    total += size
                return max(total, 1)
            case _:
                return None

    def _size_vector(self, type: VectorType) -> str:
        with self.glue.function("size", type, "i64", "ptr %data, i32 %count", NOINLINE) as (name, w):
            if w:
                sum_at = w.alloca("i64")
                w.emit(f"store i64 {COUNT_SIZE}, ptr {sum_at}")
                with w.counted(memory.wide(w, "%count")) as index:
                    at = memory.element(w, type.element, "%data", index)
                    size = self.size(w, type.element, memory.load(w, type.element, at))
                    before = w.value(f"load i64, ptr {sum_at}")
                    w.emit(f"store i64 {memory.add(w, before, size)}, ptr {sum_at}")
                w.ret(f"i64 {w.value(f'load i64, ptr {sum_at}')}")
        return name

    def _size_map(self, type: MapType) -> str:
        with self.glue.function("size", type, "i64", "ptr %map", NOINLINE) as (name, w):
            if w:
                sum_at = w.alloca("i64")
                w.emit(f"store i64 {COUNT_SIZE}, ptr {sum_at}")
                with entries.each(w, self.shapes, type, "%map") as entry:
                    total = w.value(f"load i64, ptr {sum_at}")
                    for part, at in self._pair(w, type, entry):
                        total = memory.add(w, total, self.size(w, part, memory.load(w, part, at)))
                    w.emit(f"store i64 {total}, ptr {sum_at}")
                w.ret(f"i64 {w.value(f'load i64, ptr {sum_at}')}")
        return name

    def _pair(self, w: Writer, type: MapType, entry: str) -> tuple[tuple[Type, str], tuple[Type, str]]:
        """Key and value of an entry, each with its address."""
        return (type.key, entry), (type.value, entries.value(w, self.shapes, type, entry))

    def _size_struct(self, type: StructType) -> str:
        with self.glue.function("size", type, "i64", "ptr %v") as (name, w):
            if w:
                total = "0"
                for index, part in enumerate(self.shapes.fields(type)):
                    fixed = self.fixed_size(part)
                    value = "" if fixed is not None else memory.load(w, part, memory.field(w, type, "%v", index))
                    total = memory.add(w, total, self.size(w, part, value))
                w.ret(f"i64 {total}")
        return name

    # Encoding

    def put(self, w: Writer, type: Type, value: Operand, at: str) -> str:
        """Encodes a value to `at`; gives the address behind it."""
        match type:
            case Scalar():
                kept = register(value) if type is not BOOL else w.value(f"zext i1 {register(value)} to i8")
                w.emit(f"store {layout.memory_type(type)} {kept}, ptr {at}, align 1")
                return memory.offset(w, at, self.shapes.size(type))
            case VectorType(element) if layout.is_block(element):
                data, count = view(value)
                after = self._put_count(w, count, at)
                size = memory.times(w, memory.wide(w, count), self.shapes.size(element))
                memory.copy_bytes(w, after, data, size)
                return w.value(f"getelementptr inbounds i8, ptr {after}, i64 {size}")
            case VectorType():
                data, count = view(value)
                return w.value(f"call fastcc ptr {self._put_vector(type)}(ptr {data}, i32 {count}, ptr {at})")
            case MapType():
                return w.value(f"call fastcc ptr {self._put_map(type)}(ptr {register(value)}, ptr {at})")
            case StructType():
                return w.value(f"call fastcc ptr {self._put_struct(type)}(ptr {register(value)}, ptr {at})")
            case _:
                raise _no_encoding(type)

    def _put_count(self, w: Writer, count: str, at: str) -> str:
        w.emit(f"store i32 {count}, ptr {at}, align 1")
        return memory.offset(w, at, COUNT_SIZE)

    def _put_vector(self, type: VectorType) -> str:
        with self.glue.function("put", type, "ptr", "ptr %data, i32 %count, ptr %at", NOINLINE) as (name, w):
            if w:
                cursor = w.alloca("ptr")
                w.emit(f"store ptr {self._put_count(w, '%count', '%at')}, ptr {cursor}")
                with w.counted(memory.wide(w, "%count")) as index:
                    value = memory.load(w, type.element, memory.element(w, type.element, "%data", index))
                    after = self.put(w, type.element, value, w.value(f"load ptr, ptr {cursor}"))
                    w.emit(f"store ptr {after}, ptr {cursor}")
                w.ret(f"ptr {w.value(f'load ptr, ptr {cursor}')}")
        return name

    def _put_map(self, type: MapType) -> str:
        with self.glue.function("put", type, "ptr", "ptr %map, ptr %at", NOINLINE) as (name, w):
            if w:
                cursor = w.alloca("ptr")
                w.emit(f"store ptr {self._put_count(w, entries.count(w, '%map'), '%at')}, ptr {cursor}")
                with entries.each(w, self.shapes, type, "%map") as entry:
                    after = w.value(f"load ptr, ptr {cursor}")
                    for part, at in self._pair(w, type, entry):
                        after = self.put(w, part, memory.load(w, part, at), after)
                    w.emit(f"store ptr {after}, ptr {cursor}")
                w.ret(f"ptr {w.value(f'load ptr, ptr {cursor}')}")
        return name

    def _put_struct(self, type: StructType) -> str:
        with self.glue.function("put", type, "ptr", "ptr %v, ptr %at") as (name, w):
            if w:
                at = "%at"
                fields = self.shapes.fields(type)
                for index, part in enumerate(fields):
                    at = self.put(w, part, memory.load(w, part, memory.field(w, type, "%v", index)), at)
                if not fields:
                    w.emit("store i8 0, ptr %at, align 1")
                    at = memory.offset(w, at, 1)
                w.ret(f"ptr {at}")
        return name

    # Decoding

    def get(self, w: Writer, type: Type, reader: str, address: str) -> str:
        """Decodes a value from the reader at `reader` to `address`, where zero is; gives an i1: whether that
        went well."""
        match type:
            case VectorType(element) if layout.is_block(element):
                return memory.call_register(w, "ms_read_block", [reader, str(self.shapes.size(element)), address])
            case Scalar():
                return w.value(f"call fastcc i1 {self._get_scalar(type)}(ptr {reader}, ptr {address})")
            case VectorType():
                return w.value(f"call fastcc i1 {self._get_vector(type)}(ptr {reader}, ptr {address})")
            case MapType():
                return w.value(f"call fastcc i1 {self._get_map(type)}(ptr {reader}, ptr {address})")
            case StructType():
                return w.value(f"call fastcc i1 {self._get_struct(type)}(ptr {reader}, ptr {address})")
            case _:
                raise _no_encoding(type)

    def _fail_unless(self, w: Writer, condition: str) -> None:
        with w.when(w.value(f"xor i1 {condition}, true"), unlikely=True):
            w.ret("i1 false")

    def _get_scalar(self, type: Scalar) -> str:
        with self.glue.function("get", type, "i1", "ptr %reader, ptr %to") as (name, w):
            if w:
                at = self._skip(w, self.shapes.size(type))
                memory_type = layout.memory_type(type)
                value = w.value(f"load {memory_type}, ptr {at}, align 1")
                if type is BOOL:
                    self._fail_unless(w, w.value(f"icmp ult i8 {value}, 2"))
                    value = w.value(f"trunc i8 {value} to i1")
                memory.store(w, self.shapes, type, value, "%to")
                w.ret("i1 true")
        return name

    def _skip(self, w: Writer, size: int) -> str:
        """The address of the next `size` bytes of %reader, which goes on behind them; the function ends when
        they are not there."""
        at = w.value("load ptr, ptr %reader")
        end = w.value(f"load ptr, ptr {memory.offset(w, '%reader', 8)}")
        left = w.value(f"sub i64 {w.value(f'ptrtoint ptr {end} to i64')}, {w.value(f'ptrtoint ptr {at} to i64')}")
        self._fail_unless(w, w.value(f"icmp uge i64 {left}, {size}"))
        w.emit(f"store ptr {memory.offset(w, at, size)}, ptr %reader")
        return at

    def _get_vector(self, type: VectorType) -> str:
        element = type.element
        with self.glue.function("get", type, "i1", "ptr %reader, ptr %to", NOINLINE) as (name, w):
            if w:
                count_at = w.alloca("i32")
                minimum = str(self.shapes.shape(element).encoded_minimum)
                self._fail_unless(w, memory.call_register(w, "ms_read_count", ["%reader", minimum, count_at]))
                count = memory.wide(w, w.value(f"load i32, ptr {count_at}"))
                size = str(self.shapes.size(element))
                made = memory.call_vector(w, "ms_vector_zero", [count, size])
                memory.store(w, self.shapes, type, made, "%to")
                with w.counted(count) as index:
                    at = memory.element(w, element, made.data, index)
                    self._fail_unless(w, self.get(w, element, "%reader", at))
                w.ret("i1 true")
        return name

    def _get_map(self, type: MapType) -> str:
        """A key that comes twice is not what any map is encoded as."""
        with self.glue.function("get", type, "i1", "ptr %reader, ptr %to", NOINLINE) as (name, w):
            if w:
                shape = self.shapes.entry(type)
                count_at, key_at = w.alloca("i32"), w.alloca(layout.memory_type(type.key))
                minimum = sum(self.shapes.shape(part).encoded_minimum for part in (type.key, type.value))
                self._fail_unless(w, memory.call_register(w, "ms_read_count", ["%reader", str(minimum), count_at]))
                count = memory.wide(w, w.value(f"load i32, ptr {count_at}"))
                made = memory.call_register(w, "ms_map_new", [count, str(shape.size), str(shape.hash_offset)])
                memory.store(w, self.shapes, type, made, "%to")
                with w.counted(count) as index:
                    memory.zero(w, self.shapes, type.key, key_at)
                    self._fail_unless(w, self.get(w, type.key, "%reader", key_at))
                    before = memory.load_register(w, type, "%to")
                    map, entry = entries.at(w, self.shapes, type, before, memory.load(w, type.key, key_at))
                    memory.store(w, self.shapes, type, map, "%to")
                    known = memory.wide(w, entries.count(w, map))
                    self._fail_unless(w, w.value(f"icmp ugt i64 {known}, {index}"))
                    value = entries.value(w, self.shapes, type, entry)
                    self._fail_unless(w, self.get(w, type.value, "%reader", value))
                w.ret("i1 true")
        return name

    def _get_struct(self, type: StructType) -> str:
        with self.glue.function("get", type, "i1", "ptr %reader, ptr %to") as (name, w):
            if w:
                fields = self.shapes.fields(type)
                for index, part in enumerate(fields):
                    self._fail_unless(w, self.get(w, part, "%reader", memory.field(w, type, "%to", index)))
                if not fields:
                    self._skip(w, 1)
                w.ret("i1 true")
        return name

    # Calls from afar

    def remote(
        self, w: Writer, function: Function, values: Sequence[tuple[Operand, bool]], known: Sequence[Sequence[str]] = ()
    ) -> str:
        """A job with these arguments, which is not started yet; its handle. An argument with True is a handle, or a
        vector of handles, that stands for its results: they leave holes. `known` is that of `known_parts` for each
        argument, nothing for those that differ from job to job."""
        types = function.ref.parameter_types
        size = "0"
        for type, (value, waits) in zip(types, values, strict=True):
            size = memory.add(w, size, _size_around(value) if waits else self.size(w, type, value))
        at_pointer = w.alloca("ptr")
        handle = memory.call_register(w, "ms_remote_new", [str(function.ref.ordinal), size, at_pointer])
        if types:
            start = at = w.value(f"load ptr, ptr {at_pointer}")
            place = 0
            for index, (type, (value, waits)) in enumerate(zip(types, values, strict=True)):
                if waits:
                    if not isinstance(value, str):
                        at = self._put_count(w, view(value).length, at)
                    self._hole(w, handle, memory.distance(w, start, at), value)
                else:
                    at = self._put_argument(w, _Place(handle, place, known[index] if known else ()), type, value, at)
                place += self._part_count(type)
        return handle

    def _part_count(self, type: Type) -> int:
        """How many values in one of this type may become parts: vectors and maps, also in fields of structs."""
        match type:
            case VectorType() | MapType():
                return 1
            case StructType() if self.shapes.owns(type):
                return sum(self._part_count(part) for part in self.shapes.fields(type))
            case _:
                return 0

    def known_parts(self, w: Writer, type: Type) -> list[str]:
        """Where the runtime keeps, from one job of a loop to the next, what it knows of the parts of an argument that
        is the same for all of them."""
        places = [w.alloca("i64") for _ in range(self._part_count(type))]
        for place in places:
            w.emit(f"store i64 0, ptr {place}")
        return places

    def _put_argument(self, w: Writer, place: _Place, type: Type, value: Operand, at: str) -> str:
        """As `put`, but what is large is left to the runtime, which may know it already."""
        match type:
            case StructType() if self._part_count(type) > 0:
                first = place.number
                for index, part in enumerate(self.shapes.fields(type)):
                    field = memory.load(w, part, memory.field(w, type, register(value), index))
                    inside = _Place(place.handle, place.number, place.known[place.number - first :])
                    at = self._put_argument(w, inside, part, field, at)
                    place = _Place(place.handle, place.number + self._part_count(part), place.known)
                return at
            case VectorType(element) if layout.is_block(element):
                data, count = view(value)
                size = self.shapes.size(element)
                is_large = w.value(f"icmp uge i64 {self.size(w, type, value)}, {PART_MIN}")
                large, small, after = w.new_label(), w.new_label(), w.new_label()
                w.branch_if(is_large, large, small, f", !prof {w.module.unlikely}")
                w.label(large)
                words = [place.handle, at, data, count, str(size), *place.words()]
                behind_large, large_end = memory.call_register(w, "ms_remote_block", words), w.block
                w.branch(after)
                w.label(small)
                behind_small, small_end = self.put(w, type, value, at), w.block
                w.branch(after)
                w.label(after)
                return w.phi("ptr", (behind_large, large_end), (behind_small, small_end))
            case VectorType() | MapType():
                behind = self.put(w, type, value, at)
                is_large = w.value(f"icmp uge i64 {memory.distance(w, at, behind)}, {PART_MIN}")
                large, before, after = w.new_label(), w.block, w.new_label()
                w.branch_if(is_large, large, after, f", !prof {w.module.unlikely}")
                w.label(large)
                left = memory.call_register(w, "ms_remote_part", [place.handle, at, behind, *place.words()])
                w.branch(after)
                w.label(after)
                return w.phi("ptr", (left, large), (behind, before))
            case _:
                return self.put(w, type, value, at)

    def _hole(self, w: Writer, handle: str, offset: str, value: Operand) -> None:
        """The results of the jobs that `value` holds belong to this offset of the arguments."""
        if isinstance(value, str):
            memory.call(w, "ms_remote_hole", [handle, offset, value])
            return
        data, count = view(value)
        with w.counted(memory.wide(w, count)) as index:
            dependency = memory.load_register(w, _HANDLE, memory.element(w, _HANDLE, data, index))
            memory.call(w, "ms_remote_hole", [handle, offset, dependency])

    def result(self, w: Writer, type: Type, handle: str, address: str) -> None:
        """Waits for a job and decodes its result to `address`; nothing for void."""
        got = w.value(memory.call_text(w, "ms_job_get", [handle]))
        if type is VOID:
            return
        reader = w.alloca(Kind.READER.value)
        for word in range(2):
            part = w.value(f"extractvalue {Kind.READER.value} {got}, {word}")
            w.emit(f"store ptr {part}, ptr {memory.offset(w, reader, 8 * word)}")
        if self.shapes.owns(type):
            memory.zero(w, self.shapes, type, address)
        good = w.value(f"and i1 {self.get(w, type, reader, address)}, {self._at_end(w, reader)}")
        with w.when(w.value(f"xor i1 {good}, true"), unlikely=True):
            message = b"bad result"
            memory.call(w, "ms_fail", [View(w.module.bytes_constant(message), str(len(message)))])

    @staticmethod
    def _at_end(w: Writer, reader: str) -> str:
        at = w.value(f"load ptr, ptr {reader}")
        return w.value(f"icmp eq ptr {at}, {w.value(f'load ptr, ptr {memory.offset(w, reader, 8)}')}")

    def entry_run(self, function: Function) -> str:
        """The job's `run` entry."""
        w = Writer(self.glue.module)
        places = self._decode_arguments(w, function)
        arguments: list[Operand] = []
        for (variable, _), place in zip(calls.passed(function), places, strict=True):
            arguments.append(memory.load(w, variable.type, place))
        # The entry has no place in the source, so the job must not be inlined into it: its lines would have no
        # function.
        tail = self._tail_place(w, function)
        result = calls.call(w, self.shapes, function, arguments, attributes=NOMERGE_NOINLINE, tail=tail)
        if tail is not None:
            self._become_tail(w, function, places, tail)
        type = function.ref.result
        if isinstance(type, VectorType) and layout.is_block(type.element):
            memory.call(w, "ms_result_vector", ["%result", result, str(self.shapes.size(type.element))])
        elif type is not VOID:
            at = memory.call_register(w, "ms_result_reserve", ["%result", self.size(w, type, result)])
            self.put(w, type, result, at)
            self.glue.drop_value(w, type, result)
        self._drop_borrowed(w, function, places)
        w.ret("i1 true")
        return self._finish_entry(w, function, "run", "ptr %reader, ptr %result", PLAIN)

    def _drop_borrowed(self, w: Writer, function: Function, places: Sequence[str]) -> None:
        for (variable, passing), place in zip(calls.passed(function), places, strict=True):
            if passing is Passing.BORROWED:
                self.glue.drop(w, variable.type, place)

    @staticmethod
    def _tail_place(w: Writer, function: Function) -> str | None:
        """Where a job leaves the handle of its tail job; None for one that has no tail job."""
        if not calls.has_tail_job(function):
            return None
        place = w.alloca("ptr")
        w.emit(f"store ptr null, ptr {place}")
        return place

    def _become_tail(self, w: Writer, function: Function, places: Sequence[str], tail: str) -> None:
        """Ends the job when it has left a tail job; everything of its own is given back by then."""
        handle = w.value(f"load ptr, ptr {tail}")
        with w.when(w.value(f"icmp ne ptr {handle}, null")):
            self._drop_borrowed(w, function, places)
            memory.call(w, "ms_remote_tail", [handle])

    def entry_describe(self, function: Function) -> str:
        """The job's `describe` entry."""
        w = Writer(self.glue.module)
        places = self._decode_arguments(w, function)
        for index, (variable, place) in enumerate(zip(function.parameters, places, strict=True)):
            if index:
                self.glue.text_bytes(w, "%text", b", ")
            self.glue.text(w, variable.type, memory.load(w, variable.type, place), "%text", inside=True)
        for variable, place in zip(function.parameters, places, strict=True):
            self.glue.drop(w, variable.type, place)
        w.ret("i1 true")
        return self._finish_entry(w, function, "describe", "ptr %reader, ptr %text", SMALL)

    def _decode_arguments(self, w: Writer, function: Function) -> list[str]:
        """Where each argument lies; the entry ends with false, and nothing left over, when they are not what
        %reader holds."""
        places = [w.alloca(layout.memory_type(variable.type)) for variable in function.parameters]
        for variable, place in zip(function.parameters, places, strict=True):
            memory.zero(w, self.shapes, variable.type, place)
        bad, good = w.new_label(), w.new_label()
        for variable, place in zip(function.parameters, places, strict=True):
            following = w.new_label()
            w.branch_if(self.get(w, variable.type, "%reader", place), following, bad)
            w.label(following)
        w.branch_if(self._at_end(w, "%reader"), good, bad)
        w.label(bad)
        for variable, place in zip(function.parameters, places, strict=True):
            self.glue.drop(w, variable.type, place)
        w.ret("i1 false")
        w.label(good)
        return places

    @staticmethod
    def _finish_entry(w: Writer, function: Function, sort: str, parameters: str, attributes: str) -> str:
        name = f'@"{sort}.{function.ref.name}"'
        w.finish(f"internal zeroext i1 {name}({parameters})", attributes)
        return name


def _size_around(value: Operand) -> str:
    """The size of what stands around holes: nothing for one, a count for a vector of them."""
    return "0" if isinstance(value, str) else str(COUNT_SIZE)


def _no_encoding(type: JobType | MapType | Type) -> InternalError:
    return InternalError(f"{type} is not encoded in this version")
