"""The table of runtime functions against ms.h, and the layout of structs against a C compiler's idea of it."""

from __future__ import annotations

import re
from pathlib import Path

import cffi
import llvmlite.binding as llvm
from hypothesis import given
from hypothesis import strategies as st
from pycparser import CParser, c_ast

from ms.codegen import functions
from ms.codegen.abi import C_LIBRARY, RUNTIME, Kind
from ms.codegen.layout import Layout
from ms.source import SourceFile, Span
from ms.typed import Struct, StructField
from ms.types import BOOL, CHAR, DOUBLE, FLOAT, INT, JOB_STATE, LONG, JobType, StructType, Type, VectorType

HEADER = Path(__file__).resolve().parent.parent / "runtime" / "c" / "include" / "ms.h"
SCALARS = {
    "void": Kind.VOID,
    "bool": Kind.BOOL,
    "uint8_t": Kind.U8,
    "int32_t": Kind.I32,
    "uint32_t": Kind.I32,
    "int64_t": Kind.I64,
    "uint64_t": Kind.I64,
    "float": Kind.F32,
    "double": Kind.F64,
    "ms_vector": Kind.VECTOR,
    "ms_reader": Kind.READER,
    "ms_map_slot": Kind.READER,
}
FIXED = ("bool", "uint8_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t")


def header_text() -> str:
    """The header without comments and preprocessor lines, its conditional parts left out."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    return re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


def declarations() -> dict[str, c_ast.Decl]:
    prelude = "".join(f"typedef int {name};" for name in FIXED)
    tree = CParser().parse(prelude + header_text())
    return {
        node.name: node for node in tree.ext if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl)
    }


def kind_of(node: c_ast.Node) -> Kind:
    if isinstance(node, c_ast.PtrDecl):
        return Kind.POINTER
    return SCALARS[node.type.names[0]]


def parameters_of(function: c_ast.FuncDecl) -> tuple[Kind, ...]:
    kinds = [kind_of(parameter.type) for parameter in function.args.params]
    return () if kinds == [Kind.VOID] else tuple(kinds)


def test_table_holds_every_function_of_the_header() -> None:
    assert set(RUNTIME) - C_LIBRARY == set(declarations())


def test_signatures_are_those_of_the_header() -> None:
    for name, node in declarations().items():
        row = RUNTIME[name]
        assert row.result is kind_of(node.type.type), name
        assert row.parameters == parameters_of(node.type), name
        assert row.returns != ("_Noreturn" in node.funcspec), name


def test_version_is_that_of_the_header() -> None:
    assert f"#define MS_ABI_VERSION {functions.ABI_VERSION}\n" in HEADER.read_text()


def test_llvm_takes_every_declaration() -> None:
    llvm.parse_assembly("\n".join(row.declaration() for row in RUNTIME.values())).verify()


def test_vectors_are_passed_as_two_words_and_come_back_as_two() -> None:
    declared = RUNTIME["ms_vector_append"].declaration()
    assert declared.startswith(
        "declare { ptr, i64 } @ms_vector_append(ptr captures(none), i64, ptr captures(none), i64, i64) "
    )


# Layout

NOWHERE = Span(SourceFile("a.ms", b""), 0, 0)
C_NAMES: dict[Type, str] = {
    INT: "int32_t",
    LONG: "int64_t",
    DOUBLE: "double",
    FLOAT: "float",
    BOOL: "bool",
    CHAR: "uint8_t",
    JOB_STATE: "int32_t",
    VectorType(INT): "ms_vector",
    JobType(INT): "void *",
}
VECTOR = "typedef struct { void *data; uint32_t count; uint32_t capacity; } ms_vector;\n"
SIMPLE = st.sampled_from(sorted(C_NAMES, key=str))


@given(st.lists(st.lists(SIMPLE, min_size=1, max_size=6), min_size=1, max_size=3))
def test_structs_lie_as_in_c(definitions: list[list[Type]]) -> None:
    """Each struct may hold those before it."""
    structs: dict[str, Struct] = {}
    text = VECTOR
    for number, types in enumerate(definitions):
        fields = [*types, *(StructType(name) for name in structs)]
        name = f"s{number}"
        structs[name] = Struct(name, tuple(StructField(f"f{i}", t, NOWHERE) for i, t in enumerate(fields)), NOWHERE)
        members = "".join(f"{C_NAMES.get(t, str(t))} f{i}; " for i, t in enumerate(fields))
        text += f"struct {name} {{ {members}}};\n"
    ffi = cffi.FFI()
    ffi.cdef(text)
    layout = Layout(structs)
    for name, struct in structs.items():
        shape = layout.shape(StructType(name))
        assert shape.size == ffi.sizeof(f"struct {name}")
        assert shape.alignment == ffi.alignof(f"struct {name}")
        assert shape.offsets == tuple(ffi.offsetof(f"struct {name}", field.name) for field in struct.fields)


@given(st.lists(SIMPLE, min_size=1, max_size=6))
def test_llvm_lays_structs_out_the_same(types: list[Type]) -> None:
    struct = Struct("s", tuple(StructField(f"f{i}", t, NOWHERE) for i, t in enumerate(types)), NOWHERE)
    layout = Layout({"s": struct})
    module = llvm.parse_assembly("\n".join([*layout.definitions(), "@x = external global %struct.s"]))
    data = llvm.create_target_data("e-m:e-i64:64-i128:128-n32:64-S128")
    type = module.get_global_variable("x").global_value_type
    shape = layout.shape(StructType("s"))
    assert data.get_abi_size(type) == shape.size
    assert tuple(data.get_element_offset(type, i) for i in range(len(types))) == shape.offsets
