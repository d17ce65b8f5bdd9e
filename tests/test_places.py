"""The table of places: made from objects of hand-written IR, and read back by the C compiler's own idea of ms.h."""

from __future__ import annotations

import platform
import struct
import subprocess
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from ms import toolchain
from ms.codegen.elf import read_object
from ms.codegen.places import PlaceTable, place_module, place_table
from ms.diagnostics import InternalError

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()

TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]

FUNCTIONS = """
declare void @ms_fail()
define void @ms_text_start() #0 { ret void }
define internal void @f.leaf(i32 %x) #1 !dbg !10 {
  call void @ms_fail(), !dbg !20
  call void @ms_fail(), !dbg !21
  ret void, !dbg !21
}
define internal void @f.mid(i32 %x) #1 !dbg !11 {
  call void @f.leaf(i32 %x), !dbg !22
  call void @ms_fail(), !dbg !27
  ret void, !dbg !23
}
define void @f.top(i32 %x) #0 !dbg !12 {
  call void @f.mid(i32 %x), !dbg !24
  call void @ms_fail(), !dbg !25
  ret void, !dbg !25
}
define void @f.lone(i32 %x) #0 !dbg !13 {
  call void @ms_fail(), !dbg !26
  call void @ms_fail(), !dbg !28
  ret void, !dbg !26
}
"""

METADATA = """
attributes #0 = { "frame-pointer"="all" "disable-tail-calls"="true" noinline }
attributes #1 = { "frame-pointer"="all" "disable-tail-calls"="true" alwaysinline }
!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!2, !3}
!0 = distinct !DICompileUnit(language: DW_LANG_C11, file: !1, producer: "msc", isOptimized: true, runtimeVersion: 0,
  emissionKind: KIND)
!1 = !DIFile(filename: "prog.ms", directory: "")
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !{i32 7, !"Dwarf Version", i32 4}
!4 = !DISubroutineType(types: !{})
!10 = distinct !DISubprogram(name: "leaf", scope: !1, file: !1, line: 1, type: !4, spFlags: DISPFlagDefinition,
  unit: !0)
!11 = distinct !DISubprogram(name: "mid", scope: !1, file: !1, line: 5, type: !4, spFlags: DISPFlagDefinition, unit: !0)
!12 = distinct !DISubprogram(name: "top", scope: !1, file: !1, line: 9, type: !4, spFlags: DISPFlagDefinition, unit: !0)
!13 = distinct !DISubprogram(name: "lone", scope: !1, file: !1, line: 13, type: !4, spFlags: DISPFlagDefinition,
  unit: !0)
!20 = !DILocation(line: 2, column: 5, scope: !10)
!21 = !DILocation(line: 3, column: 7, scope: !10)
!22 = !DILocation(line: 6, column: 8, scope: !11)
!23 = !DILocation(line: 7, column: 1, scope: !11)
!24 = !DILocation(line: 10, column: 200, scope: !12)
!25 = !DILocation(line: 70000, column: 2, scope: !12)
!26 = !DILocation(line: 14, column: 2, scope: !13)
!27 = !DILocation(line: 8, column: 3, scope: !11)
!28 = !DILocation(line: 0, scope: !13)
"""

LEAF = [("prog.ms", 2, 5, "leaf"), ("prog.ms", 6, 8, "mid"), ("prog.ms", 10, 200, "top")]
LEAF_2 = [("prog.ms", 3, 7, "leaf"), *LEAF[1:]]
MID = [("prog.ms", 8, 3, "mid"), LEAF[2]]
TOP = [("prog.ms", 70000, 2, "top")]


def emit(text: str, triple: str) -> bytes:
    context = llvm.create_context()
    module = llvm.parse_assembly(text, context)
    module.verify()
    machine = llvm.Target.from_triple(triple).create_target_machine(opt=3, reloc="pic", codemodel="small")
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def program(kind: str = "LineTablesOnly, debugInfoForProfiling: true", functions: str = FUNCTIONS) -> str:
    return functions + METADATA.replace("KIND", kind)


def call_places(data: bytes, table: PlaceTable) -> list[list[tuple[str, int, int, str]]]:
    """The chain of each call of ms_fail, in the order of the code: what lies just before its return address."""
    elf = read_object(data)
    calls = []
    for offset, info, _ in struct.iter_unpack("<QQq", elf.section_bytes(".rela.text")):
        if elf.symbols[info >> 32].name == "ms_fail":
            calls.append(offset)
    return [table.chain(offset) for offset in sorted(calls)]


@pytest.mark.parametrize("triple", TARGETS)
def test_calls_inlined_two_deep(triple: str) -> None:
    data = emit(program(), triple)
    calls = call_places(data, place_table(data))
    assert calls[:4] == [LEAF, LEAF_2, MID, TOP]


@pytest.mark.parametrize("kind", ["LineTablesOnly, debugInfoForProfiling: true", "FullDebug"])
def test_function_without_inlined_calls_has_its_name(kind: str) -> None:
    data = emit(program(kind), TARGETS[0])
    assert call_places(data, place_table(data))[4] == [("prog.ms", 14, 2, "lone")]


def test_function_unknown_to_the_debug_information_has_its_symbols_name() -> None:
    data = emit(program("LineTablesOnly"), TARGETS[0])
    assert call_places(data, place_table(data))[4] == [("prog.ms", 14, 2, "f.lone")]


def test_code_without_a_line_belongs_to_the_line_before() -> None:
    data = emit(program(), TARGETS[0])
    assert call_places(data, place_table(data))[5] == [("prog.ms", 14, 2, "lone")]


@pytest.mark.parametrize("triple", TARGETS)
def test_invariants(triple: str) -> None:
    data = emit(program(), triple)
    table = place_table(data)
    assert table.offsets == sorted(set(table.offsets))
    assert len(table.offsets) == len(table.indices) + 1
    assert table.offsets[-1] == table.text_size == read_object(data).sections[".text"].size
    assert all(left != right for left, right in zip(table.indices, table.indices[1:], strict=False))
    assert len(set(table.places)) == len(table.places)
    assert all(line > 0 for line, *_ in table.places)
    assert all(outer < index for index, (*_, outer) in enumerate(table.places)), "a chain ends"
    assert len(set(table.names)) == len(table.names)


def test_no_place_outside_functions_with_lines() -> None:
    table = place_table(emit(program(), TARGETS[0]))
    assert table.chain(0) == []  # ms_text_start itself
    assert table.chain(table.text_size) == []


def test_offsets_count_from_ms_text_start() -> None:
    first = "define void @before() #0 { ret void }\n"
    plain = emit(program(), TARGETS[0])
    shifted = emit(program(functions=first + FUNCTIONS), TARGETS[0])
    start = read_object(shifted).symbol("ms_text_start")
    assert start is not None
    assert start.value > 0
    table = place_table(shifted)
    assert table.text_size == read_object(shifted).sections[".text"].size - start.value
    assert table.offsets == place_table(plain).offsets
    assert table.places == place_table(plain).places


def test_missing_start_is_a_bug_of_ours() -> None:
    data = emit(program(functions=FUNCTIONS.replace("ms_text_start", "elsewhere")), TARGETS[0])
    with pytest.raises(InternalError, match="ms_text_start"):
        place_table(data)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", bytes(64), b"\x7fELF\x02\x01" + bytes(58)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InternalError):
        read_object(data)


def test_code_in_several_pieces_belongs_to_its_inlined_call() -> None:
    """LLVM writes ranges where an inlined call does not lie in one piece."""
    functions = FUNCTIONS.replace(
        "define void @f.lone(i32 %x) #0 !dbg !13 {",
        """define internal void @f.split(i32 %x) #1 !dbg !14 {
  %c = icmp eq i32 %x, 0, !dbg !30
  br i1 %c, label %bad, label %good, !dbg !30, !prof !40
bad:
  call void @ms_fail() #2, !dbg !31
  unreachable, !dbg !31
good:
  ret void, !dbg !32
}
define void @f.splits(i32 %x, i32 %y) #0 !dbg !15 {
  call void @f.split(i32 %x), !dbg !33
  call void @f.split(i32 %y), !dbg !34
  ret void, !dbg !34
}
define void @f.lone(i32 %x) #0 !dbg !13 {""",
    )
    metadata = """
attributes #2 = { noreturn nomerge cold }
!14 = distinct !DISubprogram(name: "split", scope: !1, file: !1, line: 20, type: !4, spFlags: DISPFlagDefinition,
  unit: !0)
!15 = distinct !DISubprogram(name: "splits", scope: !1, file: !1, line: 30, type: !4, spFlags: DISPFlagDefinition,
  unit: !0)
!30 = !DILocation(line: 21, column: 1, scope: !14)
!31 = !DILocation(line: 22, column: 1, scope: !14)
!32 = !DILocation(line: 23, column: 1, scope: !14)
!33 = !DILocation(line: 31, column: 1, scope: !15)
!34 = !DILocation(line: 32, column: 1, scope: !15)
!40 = !{!"branch_weights", i32 1, i32 100000}
"""
    data = emit(program(functions=functions) + metadata, TARGETS[0])
    assert read_object(data).section_bytes(".debug_ranges"), "the case this test is about"
    chains = call_places(data, place_table(data))
    inner = ("prog.ms", 22, 1, "split")
    assert [inner, ("prog.ms", 31, 1, "splits")] in chains
    assert [inner, ("prog.ms", 32, 1, "splits")] in chains


READER = """#include <stdio.h>
#define ms_fail ms_fail_of_header
#include "ms.h"
#undef ms_fail
void ms_fail(void) {}
int main(void) {
    const ms_place_table *t = &ms_places;
    printf("%u %u\\n", t->text_size, t->range_count);
    for (uint32_t i = 0; i <= t->range_count; i++) printf("%u ", t->offsets[i]);
    for (uint32_t i = 0; i < t->range_count; i++) {
        printf("\\n%d", t->indices[i]);
        for (int32_t p = t->indices[i]; p >= 0; p = t->places[p].outer)
            printf(" %s:%u:%u:%s", t->names[t->places[p].file], t->places[p].line, t->places[p].column,
                   t->names[t->places[p].function]);
    }
    extern void ms_text_start(void);
    printf("\\n%d\\n", t->text == (const uint8_t *)ms_text_start);
}
"""


def test_the_second_object_holds_the_table(tmp_path: Path) -> None:
    triple = f"{platform.machine()}-unknown-linux-gnu"
    code = emit(program().replace("prog.ms", r"a\22\5Cb.ms"), triple)
    table = place_table(code)
    (tmp_path / "code.o").write_bytes(code)
    (tmp_path / "places.o").write_bytes(emit(place_module(table), triple))
    (tmp_path / "reader.c").write_text(READER)
    compiler = toolchain.find_compiler()
    include = toolchain.runtime_directory() / "include"
    subprocess.run(
        [*compiler.command, "-std=c11", "-I", include, "-o", tmp_path / "reader",
         *(tmp_path / name for name in ("reader.c", "code.o", "places.o"))],
        check=True,
    )  # fmt: skip
    printed = subprocess.run([tmp_path / "reader"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert printed[0] == f"{table.text_size} {len(table.indices)}"
    assert printed[1].split() == [str(offset) for offset in table.offsets]
    for offset, index, line in zip(table.offsets, table.indices, printed[2:-1], strict=False):
        chain = [":".join(map(str, place)) for place in table.chain(offset)]
        assert line.split() == [str(index), *chain]
    assert table.chain(table.offsets[1])[0][0] == 'a"\\b.ms'
    assert printed[-1] == "1"
