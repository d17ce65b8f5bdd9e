"""What the program never wrote and every type needs: dropping, making copies one's own, comparing, and text.

For each type there is at most one helper function of each sort, made when the first caller asks for it. Which values
are dropped or copied is decided elsewhere. The serialisers stand in `wire.py`.
Invariants: `own` turns a bitwise copy into one that shares nothing with its original, so copying is memcpy and then
`own`; a vector of capacity 0 has no block, and its elements, if it has any, are static and own nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ms.codegen import entries, layout, memory
from ms.codegen.abi import Kind
from ms.codegen.emitter import COLD, NOINLINE, NOMERGE, PLAIN, SMALL, Module, Writer
from ms.codegen.layout import Layout
from ms.codegen.memory import Operand, Vector, View, register, vector, view
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    JOB_STATE,
    LONG,
    STRING,
    JobType,
    MapType,
    Scalar,
    StructType,
    Type,
    VectorType,
)

FASTCC = "internal fastcc"

_TEXT_FUNCTIONS = {
    INT: "ms_text_int",
    LONG: "ms_text_long",
    DOUBLE: "ms_text_double",
    FLOAT: "ms_text_float",
    BOOL: "ms_text_bool",
    CHAR: "ms_text_char",
    JOB_STATE: "ms_text_state",
}


class Glue:
    """The helper functions of one module, by sort and type."""

    def __init__(self, module: Module, shapes: Layout) -> None:
        self.module = module
        self.shapes = shapes

    @contextmanager
    def function(
        self, sort: str, type: Type, result: str, parameters: str, attributes: str = PLAIN
    ) -> Iterator[tuple[str, Writer | None]]:
        """The name of a helper, and the writer for its body when it is not made yet."""
        name = f'@"{sort}.{type}"'
        writer = self.module.helper(name)
        yield name, writer
        if writer:
            writer.finish(f"{FASTCC} {result} {name}({parameters})", attributes)

    # Dropping

    def drop(self, w: Writer, type: Type, address: str) -> None:
        """Gives back what the value at an address owns; the bits stay as they are."""
        match type:
            case StructType() if self.shapes.owns(type):
                w.emit(f"call fastcc void {self._drop_struct(type)}(ptr {address})")
            case VectorType() | MapType() | JobType():
                self.drop_value(w, type, memory.load(w, type, address))
            case StructType() | Scalar():
                pass

    def drop_value(self, w: Writer, type: Type, value: Operand) -> None:
        match type:
            case VectorType(element):
                data, count, capacity = vector(value)
                if capacity == "0":
                    return
                with self._unless_nothing(w, f"icmp ne i32 {capacity}, 0"):
                    if self.shapes.owns(element):
                        drop = self._drop_elements(type)
                        w.emit(f"call fastcc void {drop}(ptr {data}, i32 {count}, i32 {capacity})")
                    else:
                        self.free(w, element, data, capacity)
            case MapType():
                with self._unless_nothing(w, f"icmp ne ptr {register(value)}, null"):
                    w.emit(f"call fastcc void {self._drop_map(type)}(ptr {register(value)})")
            case JobType():
                memory.call(w, "ms_job_release", [value])
            case _:
                self.drop(w, type, register(value))

    @contextmanager
    def _unless_nothing(self, w: Writer, condition: str) -> Iterator[None]:
        """What is dropped may be nothing. Helpers ask first; the program's functions, of which there are many, leave
        it to what they call."""
        if w.is_helper:
            with w.when(w.value(condition)):
                yield
        else:
            yield

    def free(self, w: Writer, element: Type, data: str, capacity: str) -> None:
        """Gives a vector's block back, whose elements are gone already."""
        size = memory.times(w, memory.wide(w, capacity), self.shapes.size(element))
        memory.call(w, "ms_free", [data, size])

    def drop_range(self, w: Writer, element: Type, data: str, first: str, end: str) -> None:
        """Drops elements `first` to `end` - 1 (both i64)."""
        if self.shapes.owns(element):
            with w.counted(end, first) as index:
                self.drop(w, element, memory.element(w, element, data, index))

    def _drop_struct(self, type: StructType) -> str:
        with self.function("drop", type, "void", "ptr %v") as (name, w):
            if w:
                for index, part in enumerate(self.shapes.fields(type)):
                    if self.shapes.owns(part):
                        self.drop(w, part, memory.field(w, type, "%v", index))
                w.ret("void")
        return name

    def _drop_elements(self, type: VectorType) -> str:
        with self.function("drop", type, "void", "ptr %data, i32 %count, i32 %capacity", NOINLINE) as (name, w):
            if w:
                with w.when(w.value("icmp eq i32 %capacity, 0")):
                    w.ret("void")
                self.drop_range(w, type.element, "%data", "0", memory.wide(w, "%count"))
                self.free(w, type.element, "%data", "%capacity")
                w.ret("void")
        return name

    def drop_entries(self, w: Writer, type: MapType, map: str) -> None:
        """Drops all keys and values of a map, which are not looked at again."""
        if self.shapes.owns(type.key) or self.shapes.owns(type.value):
            with entries.each(w, self.shapes, type, map) as entry:
                self.drop_entry(w, type, entry)

    def drop_entry(self, w: Writer, type: MapType, entry: str) -> None:
        self.drop(w, type.key, entry)
        self.drop(w, type.value, entries.value(w, self.shapes, type, entry))

    def _drop_map(self, type: MapType) -> str:
        with self.function("drop", type, "void", "ptr %map", NOINLINE) as (name, w):
            if w:
                with w.when(w.value("icmp eq ptr %map, null")):
                    w.ret("void")
                self.drop_entries(w, type, "%map")
                memory.call(w, "ms_map_free", ["%map", str(self.shapes.entry(type).size)])
                w.ret("void")
        return name

    # Growing

    def grown(self, w: Writer, type: VectorType, old: Vector) -> Vector:
        """The same vector with room for one more. `old` is used up."""
        result = "{ ptr, i32 }"
        with self.function("grown", type, result, "ptr %data, i32 %count, i32 %capacity", COLD) as (name, body):
            if body:
                wanted = body.value(f"add nuw nsw i64 {memory.wide(body, '%count')}, 1")
                size = str(self.shapes.size(type.element))
                source = Vector("%data", "%count", "%capacity")
                new = memory.call_vector(body, "ms_vector_grow", [source, wanted, size])
                first = body.value(f"insertvalue {result} poison, ptr {new.data}, 0")
                body.ret(f"{result} {body.value(f'insertvalue {result} {first}, i32 {new.capacity}, 1')}")
        words = f"ptr {old.data}, i32 {old.length}, i32 {old.capacity}"
        made = w.value(f"call fastcc {result} {name}({words}) {NOMERGE}")
        data = w.value(f"extractvalue {result} {made}, 0")
        return Vector(data, old.length, w.value(f"extractvalue {result} {made}, 1"))

    # Copying

    def own(self, w: Writer, type: Type, address: str) -> None:
        """Makes the bitwise copy at an address independent of its original."""
        match type:
            case VectorType():
                copied = self.copy_vector(w, type, memory.load_view(w, address))
                memory.store(w, self.shapes, type, copied, address)
            case StructType() if self.shapes.owns(type):
                w.emit(f"call fastcc void {self._own_struct(type)}(ptr {address})")
            case MapType():
                copied_map = self.copy_map(w, type, memory.load_register(w, type, address))
                memory.store(w, self.shapes, type, copied_map, address)
            case JobType():
                memory.call(w, "ms_job_retain", [memory.load(w, type, address)])
            case StructType() | Scalar():
                pass

    def own_range(self, w: Writer, element: Type, data: str, first: str, end: str) -> None:
        """Makes elements `first` to `end` - 1 (both i64), copied as bytes, independent of their originals."""
        if self.shapes.owns(element):
            parameters = "ptr %data, i64 %first, i64 %end"
            with self.function("own_elements", element, "void", parameters, NOINLINE) as (name, body):
                if body:
                    with body.counted("%end", "%first") as index:
                        self.own(body, element, memory.element(body, element, "%data", index))
                    body.ret("void")
            w.emit(f"call fastcc void {name}(ptr {data}, i64 {first}, i64 {end})")

    def copy_vector(self, w: Writer, type: VectorType, source: View) -> Vector:
        """A deep copy; its capacity is its count."""
        with self.function("copy", type, layout.VECTOR, "ptr %data, i32 %count") as (name, body):
            if body:
                self._copy_body(body, type)
        copied = w.value(f"call fastcc {layout.VECTOR} {name}(ptr {source.data}, i32 {source.length})")
        return memory.returned(w, copied)

    def _copy_body(self, w: Writer, type: VectorType) -> None:
        with w.when(w.value("icmp eq i32 %count, 0")):
            w.ret(f"{layout.VECTOR} zeroinitializer")
        count = memory.wide(w, "%count")
        size = memory.times(w, count, self.shapes.size(type.element))
        data = memory.call_register(w, "ms_alloc", [size])
        memory.copy_bytes(w, data, "%data", size, self.shapes.shape(type.element).alignment)
        self.own_range(w, type.element, data, "0", count)
        w.ret(f"{layout.VECTOR} {memory.returning(w, Vector(data, '%count', '%count'))}")

    def copy(self, w: Writer, type: Type, source: Operand) -> Operand:
        """A value of its own; a struct in new memory of this function's frame."""
        match type:
            case VectorType():
                return self.copy_vector(w, type, view(source))
            case StructType():
                address = w.alloca(layout.memory_type(type))
                memory.store(w, self.shapes, type, source, address)
                self.own(w, type, address)
                return address
            case MapType():
                return self.copy_map(w, type, register(source))
            case JobType():
                memory.call(w, "ms_job_retain", [source])
                return source
            case _:
                return source

    def copy_map(self, w: Writer, type: MapType, source: str) -> str:
        """A deep copy."""
        with self.function("copy", type, "ptr", "ptr %map", NOINLINE) as (name, body):
            if body:
                made = memory.call_register(body, "ms_map_copy", ["%map", str(self.shapes.entry(type).size)])
                if self.shapes.owns(type.key) or self.shapes.owns(type.value):
                    with entries.each(body, self.shapes, type, made) as entry:
                        self.own(body, type.key, entry)
                        self.own(body, type.value, entries.value(body, self.shapes, type, entry))
                body.ret(f"ptr {made}")
        return w.value(f"call fastcc ptr {name}(ptr {source})")

    def _own_struct(self, type: StructType) -> str:
        with self.function("own", type, "void", "ptr %v") as (name, w):
            if w:
                for index, part in enumerate(self.shapes.fields(type)):
                    if self.shapes.owns(part):
                        self.own(w, part, memory.field(w, type, "%v", index))
                w.ret("void")
        return name

    # Equality

    def equal(self, w: Writer, type: Type, left: Operand, right: Operand) -> str:
        """An i1: whether two values are deeply equal."""
        match type:
            case VectorType():
                (a, n), (b, m) = view(left), view(right)
                arguments = f"ptr {a}, i32 {n}, ptr {b}, i32 {m}"
                return w.value(f"call fastcc i1 {self._equal_vector(type)}({arguments})")
            case StructType():
                arguments = f"ptr {register(left)}, ptr {register(right)}"
                return w.value(f"call fastcc i1 {self._equal_struct(type)}({arguments})")
            case MapType():
                arguments = f"ptr {register(left)}, ptr {register(right)}"
                return w.value(f"call fastcc i1 {self._equal_map(type)}({arguments})")
            case Scalar.DOUBLE | Scalar.FLOAT:
                return w.value(f"fcmp oeq {layout.register_type(type)} {register(left)}, {register(right)}")
            case _:
                return w.value(f"icmp eq {layout.register_type(type)} {register(left)}, {register(right)}")

    def _equal_struct(self, type: StructType) -> str:
        with self.function("equal", type, "i1", "ptr %a, ptr %b") as (name, w):
            if w:
                for index, part in enumerate(self.shapes.fields(type)):
                    left = memory.load(w, part, memory.field(w, type, "%a", index))
                    right = memory.load(w, part, memory.field(w, type, "%b", index))
                    self._return_unless_equal(w, part, left, right)
                w.ret("i1 true")
        return name

    def _return_unless_equal(self, w: Writer, type: Type, left: Operand, right: Operand) -> None:
        with w.when(w.value(f"xor i1 {self.equal(w, type, left, right)}, true")):
            w.ret("i1 false")

    def _equal_vector(self, type: VectorType) -> str:
        with self.function("equal", type, "i1", "ptr %a, i32 %n, ptr %b, i32 %m") as (name, w):
            if w:
                with w.when(w.value("icmp ne i32 %n, %m")):
                    w.ret("i1 false")
                count = memory.wide(w, "%n")
                element = type.element
                if layout.compares_as_bytes(element):
                    size = memory.times(w, count, self.shapes.size(element))
                    order = memory.call_register(w, "memcmp", ["%a", "%b", size])
                    w.ret(f"i1 {w.value(f'icmp eq i32 {order}, 0')}")
                    return name
                with w.counted(count) as index:
                    left = memory.load(w, element, memory.element(w, element, "%a", index))
                    right = memory.load(w, element, memory.element(w, element, "%b", index))
                    self._return_unless_equal(w, element, left, right)
                w.ret("i1 true")
        return name

    def _equal_map(self, type: MapType) -> str:
        """As many pairs, and each of the one in the other."""
        with self.function("equal", type, "i1", "ptr %a, ptr %b", NOINLINE) as (name, w):
            if w:
                counts = [entries.count(w, map) for map in ("%a", "%b")]
                with w.when(w.value(f"icmp ne i32 {counts[0]}, {counts[1]}")):
                    w.ret("i1 false")
                with entries.each(w, self.shapes, type, "%a") as entry:
                    other = entries.find(w, self.shapes, type, "%b", memory.load(w, type.key, entry))
                    with w.when(w.value(f"icmp eq ptr {other}, null")):
                        w.ret("i1 false")
                    places = [entries.value(w, self.shapes, type, one) for one in (entry, other)]
                    left, right = (memory.load(w, type.value, place) for place in places)
                    self._return_unless_equal(w, type.value, left, right)
                w.ret("i1 true")
        return name

    # Text

    def text(self, w: Writer, type: Type, value: Operand, text: str, *, inside: bool = False) -> None:
        """Appends what `print` writes of a value to the vector at `text`; `inside` another value strings are quoted."""
        match type:
            case VectorType(element) if element is CHAR:
                memory.call(w, "ms_text_quoted_string" if inside else "ms_text_string", [text, value])
            case VectorType():
                data, count = view(value)
                w.emit(f"call fastcc void {self._text_vector(type)}(ptr {text}, ptr {data}, i32 {count})")
            case StructType():
                w.emit(f"call fastcc void {self._text_struct(type)}(ptr {text}, ptr {register(value)})")
            case JobType():
                memory.call(w, "ms_text_job", [text, value, w.module.c_string(str(type))])
            case Scalar():
                function = "ms_text_quoted_char" if inside and type is CHAR else _TEXT_FUNCTIONS[type]
                memory.call(w, function, [text, value])
            case MapType():
                w.emit(f"call fastcc void {self._text_map(type)}(ptr {text}, ptr {register(value)})")

    def text_of(self, w: Writer, type: Type, value: Operand) -> Vector:
        """A string of what `print` writes of a value."""
        if isinstance(type, Scalar):
            parameter = f"{layout.register_type(type)} %v"
            with self.function("str", type, Kind.VECTOR.value, parameter, SMALL) as (name, body):
                if body:
                    made = self._text_of(body, type, "%v")
                    body.ret(f"{Kind.VECTOR.value} {memory.packed(body, made)}")
            argument = f"{layout.register_type(type)} {register(value)}"
            return memory.unpacked(w, w.value(f"call fastcc {Kind.VECTOR.value} {name}({argument}) {NOMERGE}"))
        return self._text_of(w, type, value)

    def _text_of(self, w: Writer, type: Type, value: Operand) -> Vector:
        text = w.alloca(layout.VECTOR)
        memory.store(w, self.shapes, STRING, memory.EMPTY, text)
        self.text(w, type, value, text)
        return memory.load_vector(w, text)

    def text_bytes(self, w: Writer, text: str, data: bytes) -> None:
        """Appends these bytes."""
        memory.call(w, "ms_text_bytes", [text, w.module.bytes_constant(data), str(len(data))])

    def _text_struct(self, type: StructType) -> str:
        with self.function("text", type, "void", "ptr %text, ptr %v", SMALL) as (name, w):
            if w:
                before = f"{type.name}{{"
                for index, part in enumerate(self.shapes.structs[type.name].fields):
                    self.text_bytes(w, "%text", f"{before}{part.name}: ".encode())
                    value = memory.load(w, part.type, memory.field(w, type, "%v", index))
                    self.text(w, part.type, value, "%text", inside=True)
                    before = ", "
                self.text_bytes(w, "%text", b"}" if before == ", " else f"{before}}}".encode())
                w.ret("void")
        return name

    def _text_vector(self, type: VectorType) -> str:
        with self.function("text", type, "void", "ptr %text, ptr %data, i32 %count", SMALL) as (name, w):
            if w:
                self.text_bytes(w, "%text", b"[")
                with w.counted(memory.wide(w, "%count")) as index:
                    with w.when(w.value(f"icmp ne i64 {index}, 0")):
                        self.text_bytes(w, "%text", b", ")
                    value = memory.load(w, type.element, memory.element(w, type.element, "%data", index))
                    self.text(w, type.element, value, "%text", inside=True)
                self.text_bytes(w, "%text", b"]")
                w.ret("void")
        return name

    def _text_map(self, type: MapType) -> str:
        with self.function("text", type, "void", "ptr %text, ptr %map", SMALL) as (name, w):
            if w:
                self.text_bytes(w, "%text", b"{")
                is_first = w.alloca("i1")
                w.emit(f"store i1 true, ptr {is_first}")
                with entries.each(w, self.shapes, type, "%map") as entry:
                    with w.when(w.value(f"xor i1 {w.value(f'load i1, ptr {is_first}')}, true")):
                        self.text_bytes(w, "%text", b", ")
                    w.emit(f"store i1 false, ptr {is_first}")
                    self.text(w, type.key, memory.load(w, type.key, entry), "%text", inside=True)
                    self.text_bytes(w, "%text", b": ")
                    value = memory.load(w, type.value, entries.value(w, self.shapes, type, entry))
                    self.text(w, type.value, value, "%text", inside=True)
                self.text_bytes(w, "%text", b"}")
                w.ret("void")
        return name
