"""Writing LLVM's textual IR: a module's globals, declarations and metadata, and the instructions of one function.

Knows LLVM's grammar and nothing of M/s; what a type or an expression becomes is left to the rooms above. Text,
because LLVM parses it fast and it can say everything that LLVM can.
Invariants: registers are `%t1`, `%t2`, …, blocks `b1`, `b2`, …, each written once; every block ends in exactly one
terminator; allocas and what is reckoned from them stand at the head of the entry block; what is emitted behind a
terminator goes to a block of its own that nothing reaches.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ms.codegen.abi import RUNTIME

FUNCTION_ATTRIBUTES = 'nounwind "frame-pointer"="all" "disable-tail-calls"="true" "probe-stack"="inline-asm"'
PLAIN, NOINLINE, NOMERGE, NOMERGE_NOINLINE, SMALL, COLD = "#0", "#1", "#2", "#3", "#4", "#5"
_ATTRIBUTE_GROUPS = (
    f"attributes {PLAIN} = {{ {FUNCTION_ATTRIBUTES} }}",
    f"attributes {NOINLINE} = {{ noinline {FUNCTION_ATTRIBUTES} }}",
    f"attributes {NOMERGE} = {{ nomerge }}",
    f"attributes {NOMERGE_NOINLINE} = {{ nomerge noinline }}",
    f"attributes {COLD} = {{ cold noinline minsize optsize {FUNCTION_ATTRIBUTES} }}",
    f"attributes {SMALL} = {{ noinline minsize optsize {FUNCTION_ATTRIBUTES} }}",
)

_ESCAPES = [f"\\{byte:02X}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in range(256)]


def quoted(data: bytes) -> str:
    """Bytes as LLVM writes them between quotation marks."""
    return "".join([_ESCAPES[byte] for byte in data])


def double_constant(value: float) -> str:
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def float_constant(value: float) -> str:
    """A binary32 constant, which LLVM writes as the double of the same value."""
    return double_constant(struct.unpack("<f", struct.pack("<f", value))[0])


class Module:
    """The text of one module, in the order in which LLVM wants it."""

    def __init__(self, triple: str, data_layout: str) -> None:
        self.triple = triple
        self.places_everywhere = False  # behind every instruction, for debuggers
        self.head = [f'target datalayout = "{data_layout}"', f'target triple = "{triple}"']
        self.types: list[str] = []
        self.globals: list[str] = []
        self.functions: list[Definition] = []
        self._declared: set[str] = set()
        self.declarations: list[str] = []
        self._constants: dict[str, str] = {}
        self.metadata_nodes: list[str] = []
        self._metadata_numbers: dict[str, str] = {}
        self.named: list[str] = []
        self._tbaa: dict[str, str] = {}
        self._helpers: set[str] = set()
        self.unlikely = self.metadata('!{!"branch_weights", i32 1, i32 2000}')
        self.count_range = self.metadata("!{i32 0, i32 -2147483648}")
        self.likely = self.metadata('!{!"branch_weights", i32 2000, i32 1}')

    def rare_loop(self) -> str:
        """What the branch back says in a loop that is not worth code for several rounds at once."""
        scalar = self.metadata('!{!"llvm.loop.vectorize.enable", i1 false}')
        single = self.metadata('!{!"llvm.loop.unroll.disable"}')
        number = f"!{len(self.metadata_nodes)}"
        return f", !llvm.loop {self.distinct_metadata(f'distinct !{{{number}, {scalar}, {single}}}')}"

    def runtime(self, name: str) -> None:
        """The runtime's function `name` is called."""
        if name not in self._declared:
            self._declared.add(name)
            self.declarations.append(RUNTIME[name].declaration())

    def extern(self, name: str, result: str, parameters: list[str]) -> None:
        """A C function of the user's, unless the runtime uses the same one."""
        if name not in self._declared:
            self._declared.add(name)
            self.declarations.append(f"declare {result} @{name}({', '.join(parameters)}) nounwind")

    def intrinsic(self, declaration: str) -> None:
        """An LLVM intrinsic, by its whole `declare` line."""
        if declaration not in self._declared:
            self._declared.add(declaration)
            self.declarations.append(declaration)

    def constant(self, definition: str) -> str:
        """The name of a private constant with this type and value ("i32 5, align 4"); equal ones are one."""
        name = self._constants.get(definition)
        if name is None:
            name = self._constants[definition] = f"@.c{len(self._constants)}"
            self.globals.append(f"{name} = private unnamed_addr constant {definition}")
        return name

    def bytes_constant(self, data: bytes, alignment: int = 1) -> str:
        return self.constant(f'[{len(data)} x i8] c"{quoted(data)}", align {alignment}')

    def c_string(self, text: str) -> str:
        return self.bytes_constant(text.encode() + b"\0")

    def metadata(self, text: str) -> str:
        """The number of a metadata node; equal ones are one."""
        number = self._metadata_numbers.get(text)
        if number is None:
            number = self._metadata_numbers[text] = self.distinct_metadata(text)
        return number

    def distinct_metadata(self, text: str) -> str:
        number = f"!{len(self.metadata_nodes)}"
        self.metadata_nodes.append(f"{number} = {text}")
        return number

    def named_metadata(self, line: str) -> None:
        self.named.append(line)

    def tbaa(self, name: str) -> str:
        """The access tag of a kind of memory."""
        tag = self._tbaa.get(name)
        if tag is None:
            root = self.metadata('!{!"M/s"}')
            kind = self.metadata(f'!{{!"{name}", {root}, i64 0}}')
            tag = self._tbaa[name] = self.metadata(f"!{{{kind}, {kind}, i64 0}}")
        return tag

    def helper(self, name: str) -> Writer | None:
        """The writer for the body of a helper function, which there is once in a module; None when it has been made."""
        if name in self._helpers:
            return None
        self._helpers.add(name)
        return Writer(self, is_helper=True)

    def text(self) -> str:
        functions = [definition.text() for definition in self.functions]
        return self.text_of([*self.globals, *functions, *self.declarations], self.metadata_nodes)

    def text_of(self, definitions: Iterable[str], metadata: Iterable[str]) -> str:
        """A module of these definitions and declarations, and of these nodes."""
        parts = (self.head, self.types, definitions, _ATTRIBUTE_GROUPS, self.named, metadata)
        return "\n".join("\n".join(part) for part in parts) + "\n"

    def global_definitions(self) -> Iterator[tuple[str, str]]:
        """The symbols of the globals and their definitions."""
        for line in self.globals:
            yield line.split(" = ", 1)[0], line


@dataclass(slots=True)
class Definition:
    """A function of the module. `head` is what stands between `define` and the attributes; the section is named because
    LLVM would put what it finds cold into another one."""

    head: str
    attributes: str
    scope: str
    lines: list[str]
    calls: list[str]
    is_helper: bool
    is_inlined: bool = True

    @property
    def symbol(self) -> str:
        return "@" + self.head.split(" @", 1)[1].split("(", 1)[0]

    @property
    def size(self) -> int:
        return len(self.lines)

    def first_line(self, head: str) -> str:
        attributes = NOINLINE if self.attributes == PLAIN and not self.is_inlined else self.attributes
        debug = f" !dbg {self.scope}" if self.scope else ""
        return f'define {head} {attributes} section ".text"{debug} {{'

    def text(self) -> str:
        return "\n".join([self.first_line(self.head), *self.lines])


class Writer:
    """The instructions of one function. `location` gives what is put behind those that need a place: the calls, whose
    return addresses failures are told with, or all of them, for debuggers."""

    def __init__(self, module: Module, is_helper: bool = False) -> None:
        self.module = module
        self.is_helper = is_helper
        self.location: Callable[[], str] = str
        self.calls: list[str] = []  # the symbols of the program's functions that it calls, once for each call
        self.block = "entry"
        self.ended = False
        self._lines: list[str] = []
        self._head: list[str] = []
        self._frame: set[str] = set()
        self._fixed: dict[str, str] = {}
        self._in_block: dict[str, str] = {}
        self._words: dict[tuple[str, str], str] = {}
        self._everywhere = module.places_everywhere
        self._count = 0

    def emit(self, instruction: str) -> None:
        if self.ended:
            self.label(self.new_label())
        if self._everywhere or " call " in instruction or instruction.startswith("call "):
            instruction += self.location()
        self._lines.append("  " + instruction)

    def value(self, instruction: str) -> str:
        """Emits an instruction and gives the register that holds its result."""
        self._count += 1
        register = f"%t{self._count}"
        self.emit(f"{register} = {instruction}")
        return register

    def alloca(self, type: str) -> str:
        """Memory of the function's frame."""
        self._count += 1
        register = f"%t{self._count}"
        self._head.append(f"  {register} = alloca {type}")
        self._frame.add(register)
        return register

    def address(self, base: str, instruction: str) -> str:
        """The result of an instruction that reckons an address from `base`. From memory of the frame it is made once,
        at the head of the function."""
        if base not in self._frame:
            return self.value(instruction)
        known = self._fixed.get(instruction)
        if known is None:
            self._count += 1
            known = self._fixed[instruction] = f"%t{self._count}"
            self._head.append(f"  {known} = {instruction}")
        return known

    def reused(self, instruction: str) -> str:
        """Like `value`, for an instruction that gives the same whenever it is executed: once in each block."""
        self.here()
        known = self._in_block.get(instruction)
        if known is None:
            known = self._in_block[instruction] = self.value(instruction)
        return known

    def joined(self, low: str, high: str) -> str | None:
        """The register that `low` and `high` were taken out of, if any."""
        return self._words.get((low, high))

    def join(self, low: str, high: str, word: str) -> None:
        """`low` and `high` were taken out of `word`."""
        self._words[low, high] = word

    # Blocks

    def here(self) -> str:
        """The block that the next instruction goes to."""
        if self.ended:
            self.label(self.new_label())
        return self.block

    def new_label(self) -> str:
        self._count += 1
        return f"b{self._count}"

    def label(self, label: str) -> None:
        """Begins a block; what comes before it goes on into it."""
        if not self.ended:
            self.branch(label)
        self._lines.append(f"{label}:")
        self._in_block.clear()
        self.block = label
        self.ended = False

    def branch(self, label: str, metadata: str = "") -> None:
        self.emit(f"br label %{label}{metadata}")
        self.ended = True

    def branch_if(self, condition: str, then: str, otherwise: str, metadata: str = "") -> None:
        self.emit(f"br i1 {condition}, label %{then}, label %{otherwise}{metadata}")
        self.ended = True

    def unreachable(self) -> None:
        self.emit("unreachable")
        self.ended = True

    def ret(self, value: str) -> None:
        self.emit(f"ret {value}")
        self.ended = True

    def phi(self, type: str, *arms: tuple[str, str]) -> str:
        """`arms` are pairs of a value and the block that it comes from."""
        incoming = ", ".join(f"[ {value}, %{block} ]" for value, block in arms)
        return self.value(f"phi {type} {incoming}")

    @contextmanager
    def when(self, condition: str, *, unlikely: bool = False) -> Iterator[None]:
        """What is emitted inside happens only when the condition holds."""
        then, after = self.new_label(), self.new_label()
        weights = f", !prof {self.module.unlikely}" if unlikely else ""
        self.branch_if(condition, then, after, weights)
        self.label(then)
        yield
        self.label(after)

    @contextmanager
    def counted(self, count: str, first: str = "0") -> Iterator[str]:
        """A loop from `first` to `count` - 1 (both i64, signed); gives the index."""
        loop, after = self.new_label(), self.new_label()
        self.branch_if(self.value(f"icmp slt i64 {first}, {count}"), loop, after)
        before = self.block
        self.label(loop)
        self._count += 1
        index, step = f"%t{self._count}", f"%n{self._count}"
        hole = len(self._lines)
        self._lines.append("")
        yield index
        self.emit(f"{step} = add nsw i64 {index}, 1")
        self._lines[hole] = f"  {index} = phi i64 [ {first}, %{before} ], [ {step}, %{self.block} ]"
        self.branch_if(self.value(f"icmp slt i64 {step}, {count}"), loop, after)
        self.label(after)

    def finish(self, head: str, attributes: str = PLAIN, scope: str = "") -> None:
        """Ends the function and gives it to the module."""
        if not self.ended:
            self.unreachable()
        lines = ["entry:", *self._head, *self._lines, "}"]
        self.module.functions.append(Definition(head, attributes, scope, lines, self.calls, self.is_helper))
