"""The road from a source to two programs, and the cache at its side."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ms import driver, toolchain
from ms.diagnostics import Diagnostics, InternalError, ProgramError
from ms.driver import Options, Programs
from ms.files import Files
from ms.source import SourceFile, Span
from ms.toolchain import ToolchainError

HELLO = 'job int f(int x) { return x + 1; }\nmaster { print("hello", get(remote f(1))); }\n'
WARNED = 'master {\n    int unused = 1;\n    print("hello");\n}\n'


@pytest.fixture
def programs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without programs; the rest of it, which takes long to make, is the usual one."""
    usual = toolchain.cache_directory()
    toolchain.find_compiler()
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("runtime", "compilers"):
        (usual / name).mkdir(exist_ok=True)
        (cache / name).symlink_to(usual / name)
    monkeypatch.setenv("MS_CACHE_DIR", str(cache))
    parts = driver._compiler_sources()
    monkeypatch.setattr(driver, "_compiler_sources", lambda: parts)  # somebody may be working on the compiler
    return cache / "programs"


def source_of(text: str, name: str = "prog.ms") -> SourceFile:
    return SourceFile(name, text.encode())


def build(text: str, options: Options = Options(), name: str = "prog.ms") -> tuple[Programs, Diagnostics]:  # noqa: B008
    diagnostics = Diagnostics()
    return driver.build(source_of(text, name), options, diagnostics), diagnostics


def output_of(programs: Programs) -> str:
    done = subprocess.run([programs.master, "--local"], capture_output=True, text=True, check=True)
    return done.stdout


def test_programs_are_made_once(programs_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = build(HELLO)
    assert output_of(first) == "hello 2\n"
    assert sorted(path.name for path in first.master.parent.iterdir()) == ["master", "slave"]
    monkeypatch.setattr(driver, "analyse", None)  # whoever calls it now fails
    again, _ = build(HELLO)
    assert again == first


def test_programs_are_small_and_stripped(programs_cache: Path) -> None:
    programs, _ = build(HELLO)
    for path in (programs.master, programs.slave):
        assert path.stat().st_size < 1_250_000  # with libsodium
    debug, _ = build(HELLO, Options(debug=True))
    assert b".debug_line" in debug.master.read_bytes()
    assert b".debug_line" not in programs.master.read_bytes()


def test_every_choice_has_a_program_of_its_own(programs_cache: Path) -> None:
    choices = [Options(), Options(level=0), Options(unchecked=True), Options(debug=True), Options(dynamic=True)]
    made = {build(HELLO, options)[0].master for options in choices}
    made.add(build(HELLO + " ")[0].master)
    made.add(build(HELLO, name="other.ms")[0].master)
    assert len(made) == len(choices) + 2
    assert {output_of(Programs(path, path)) for path in made} == {"hello 2\n"}


def test_changed_compiler_makes_new_programs(programs_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = build(HELLO)
    parts = driver._compiler_sources()
    monkeypatch.setattr(driver, "_compiler_sources", lambda: [*parts, "changed"])
    assert build(HELLO)[0] != first


def test_warnings_are_said_again(programs_cache: Path) -> None:
    _, first = build(WARNED)
    assert first.items
    _, again = build(WARNED)
    told = [(i.severity, i.code, i.message, str(i.span), i.label, i.help) for i in again.items]
    assert told == [(i.severity, i.code, i.message, str(i.span), i.label, i.help) for i in first.items]


def test_wrong_programs_are_not_kept(programs_cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(ProgramError):
            build("master { print(x); }\n")
    assert list(programs_cache.iterdir()) == []


def test_cache_can_be_left_out(programs_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MS_NO_PROGRAM_CACHE", "1")
    made = []
    usual = driver.make_program
    monkeypatch.setattr(driver, "make_program", lambda *words: (made.append(1), usual(*words)))
    for count in (1, 2):
        programs, _ = build(HELLO)
        assert output_of(programs) == "hello 2\n"
        assert len(made) == count, "the slave is made in another process"


def test_old_programs_are_forgotten(tmp_path: Path) -> None:
    for number in range(driver.CACHED_PROGRAMS_MAX + 5):
        entry = tmp_path / str(number)
        entry.mkdir()
        (entry / "master").write_text("")
        os.utime(entry, (number, number))
    making = tmp_path / f"{toolchain.UNFINISHED}abc"
    making.mkdir()
    old = int(making.stat().st_mtime) - 3600
    os.utime(making, (old, old))
    driver._forget_old(tmp_path)
    making.rmdir()
    left = sorted(int(path.name) for path in tmp_path.iterdir())
    assert left == list(range(5, driver.CACHED_PROGRAMS_MAX + 5))


def test_start_from_the_cache_imports_nothing_heavy(programs_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "prog.ms").write_text(HELLO)
    code = (
        "import sys; from ms.cli import main; status = main(sys.argv[1:])\n"
        "heavy = {'lark', 'llvmlite', 'subprocess', 'shutil', 'ctypes', 'ms.typed', 'ms.syntax'}\n"
        "print(status, sorted(heavy & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, "run", "prog.ms", "-n", "1"]
    outputs = [
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout for _ in range(2)
    ]
    assert "llvmlite" in outputs[0]
    assert outputs[1] == "hello 2\n0 []\n"


def test_two_compilers_at_once(programs_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "prog.ms").write_text(HELLO)
    running = [
        subprocess.Popen([sys.executable, "-m", "ms", "prog.ms", "-o", "prog"], cwd=tmp_path, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in running:
        _, err = process.communicate()
        assert (process.returncode, err) == (0, b"")
    assert len(list(programs_cache.iterdir())) == 1
    assert sorted(path.name for path in tmp_path.glob("*prog*")) == ["prog-master", "prog-slave", "prog.ms"]


def test_failure_in_the_other_process_arrives(programs_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(program: object, fingerprint: bytes, role: object, *rest: object) -> None:
        assert role is not None
        if getattr(role, "value", "") == "slave":
            raise failure

    monkeypatch.setattr(driver, "make_program", fail)
    source = source_of(HELLO)
    failure: Exception = InternalError("no such node", Span(source, 4, 7))
    with pytest.raises(InternalError, match="no such node") as caught:
        driver.build(source, Options(), Diagnostics())
    assert str(caught.value.span) == "prog.ms:1:5"
    failure = ToolchainError("the disk is full")
    with pytest.raises(ToolchainError, match="the disk is full"):
        build(HELLO)
    failure = ZeroDivisionError()
    with pytest.raises(InternalError, match="ZeroDivisionError"):
        build(HELLO)
    assert list(programs_cache.iterdir()) == []


def test_death_of_the_other_process_is_a_bug_of_ours(programs_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(program: object, fingerprint: bytes, role: object, *rest: object) -> None:
        if getattr(role, "value", "") == "slave":
            os.kill(os.getpid(), 9)

    monkeypatch.setattr(driver, "make_program", die)
    with pytest.raises(InternalError, match="a process of the compiler ended with status 9"):
        build(HELLO)


def test_big_stack() -> None:
    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + depth(n - 1)

    limit = sys.getrecursionlimit()
    try:
        assert driver.on_big_stack(lambda: depth(50_000)) == 50_000
        with pytest.raises(ZeroDivisionError):
            driver.on_big_stack(lambda: 1 // 0)
    finally:
        sys.setrecursionlimit(limit)


def test_emit_of_both_roles(programs_cache: Path) -> None:
    def emitted(kind: str, role: str) -> str | bytes:
        return driver.emit(source_of(HELLO), kind, role, Options(), Diagnostics())

    assert "hello" in str(emitted("llvm", "master"))
    assert "hello" not in str(emitted("llvm", "slave"))
    assert "ms_program" in str(emitted("asm", "slave"))
    object_code = emitted("obj", "master")
    assert isinstance(object_code, bytes)
    assert object_code.startswith(b"\x7fELF")


@pytest.mark.skipif(not toolchain._zig_command("native"), reason="there is no zig")
def test_other_machine(programs_cache: Path) -> None:
    programs, _ = build(HELLO, Options(target="aarch64-linux-musl"))
    header = programs.master.read_bytes()[:20]
    assert header[18:20] == (183).to_bytes(2, "little"), "ELF's number for AArch64"
    emulator = shutil.which("qemu-aarch64")
    if emulator:
        done = subprocess.run([emulator, programs.master, "--local"], capture_output=True, text=True, check=True)
        assert done.stdout == "hello 2\n"


# Imports


@pytest.fixture
def three_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """prog.ms imports a.ms, which imports lib/b.ms."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "prog.ms").write_text('import "a.ms";\nmaster { print(name()); }\n')
    (tmp_path / "a.ms").write_text('import "lib/b.ms";\nstring name() { return B; }\n')
    (tmp_path / "lib" / "b.ms").write_text('const string B = "old";\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build_file(name: str = "prog.ms") -> tuple[Programs, Diagnostics]:
    diagnostics = Diagnostics()
    return driver.build(driver.read_source(name), Options(), diagnostics), diagnostics


def test_changes_of_imported_files_are_noticed(
    programs_cache: Path, three_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = build_file()
    assert output_of(first) == "old\n"
    (three_files / "lib" / "b.ms").write_text('const string B = "new";\n')
    second, _ = build_file()
    assert output_of(second) == "new\n"
    monkeypatch.setattr(driver, "analyse", None)  # whoever calls it now fails
    assert build_file()[0] == second
    (three_files / "lib" / "b.ms").write_text('const string B = "old";\n')
    assert build_file()[0] == first


def test_an_imported_file_that_is_gone_is_missed(programs_cache: Path, three_files: Path) -> None:
    build_file()
    (three_files / "lib" / "b.ms").unlink()
    with pytest.raises(ProgramError) as caught:
        build_file()
    assert [(item.code, str(item.span)) for item in caught.value.diagnostics.items] == [("E0315", "a.ms:1:8")]


def test_warnings_of_imported_files_are_said_again(programs_cache: Path, three_files: Path) -> None:
    (three_files / "lib" / "b.ms").write_text('const string B = "old";\nvoid f() { int unused; }\n')
    told = [[(i.code, i.message, str(i.span)) for i in build_file()[1].items] for _ in range(2)]
    assert told == [[("W0101", "`unused` is never read", "lib/b.ms:2:16")]] * 2


def test_a_bug_of_ours_keeps_its_file(
    programs_cache: Path, three_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(program: object, fingerprint: bytes, role: object, *rest: object) -> None:
        if getattr(role, "value", "") == "slave":
            raise InternalError("no such node", program.constants[0].span)  # type: ignore[attr-defined]

    monkeypatch.setattr(driver, "make_program", fail)
    with pytest.raises(InternalError) as caught:
        build_file()
    assert str(caught.value.span) == "lib/b.ms:1:14"


def test_debuggers_find_every_file(programs_cache: Path, three_files: Path) -> None:
    (three_files / "a.ms").write_text('import "lib/b.ms";\nstring name() { return B + twice(B); }\n')
    (three_files / "lib" / "b.ms").write_text('const string B = "b";\nstring twice(string s) { return s + s; }\n')
    diagnostics = Diagnostics()
    programs = driver.build(driver.read_source("prog.ms"), Options(debug=True, level=0), diagnostics)
    listed = subprocess.run(
        ["readelf", "--debug-dump=rawline", programs.master], capture_output=True, text=True, check=True
    ).stdout
    for name in ("prog.ms", "a.ms", "b.ms"):
        assert re.search(rf"\s{name}$", listed, re.MULTILINE), name


def test_jobs_are_numbered_imports_first(three_files: Path) -> None:
    (three_files / "prog.ms").write_text('job int p() { return 1; } import "a.ms"; master { } job void q() { }')
    (three_files / "a.ms").write_text('job int a() { return 1; }\nimport "lib/b.ms";\nimport "prog.ms";\n')
    (three_files / "lib" / "b.ms").write_text("job int b() { return 1; }\n")
    program = driver.check(Files(driver.read_source("prog.ms")), Options(), Diagnostics())
    assert [(each.ref.name, each.ref.ordinal) for each in program.functions] == [("b", 1), ("a", 2), ("p", 3), ("q", 4)]


def test_notes_stand_among_the_warnings(three_files: Path) -> None:
    copying = "vector<int> v = [1]; vector<int> w = v; w :: 1; print(v, w);"
    (three_files / "a.ms").write_text(f"void f() {{ {copying} int unused; }}\n")
    (three_files / "prog.ms").write_text(f'import "a.ms";\nmaster {{ int unused; f(); {copying} }}\n')
    diagnostics = Diagnostics()
    driver.check_only(driver.read_source("prog.ms"), Options(warn_copies=True), diagnostics)
    found = [(item.code, item.span.file.name) for item in diagnostics.items]
    assert found == [("N0601", "a.ms"), ("W0101", "a.ms"), ("W0101", "prog.ms"), ("N0601", "prog.ms")]


# C functions


EXTERN = "extern int twice(int x);\nextern int thrice(int x);\nmaster { print(twice(3) + thrice(1)); }\n"
IN_C = '#include "factor.h"\nint twice(int x) { return TWO * x; }\nint thrice(int x) { return 3 * x; }\n'


@pytest.fixture
def c_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fast.c").write_text(IN_C)
    (tmp_path / "factor.h").write_text("#define TWO 2\n")
    (tmp_path / "second.c").write_text("int thrice(int x) { return 3 * x; }\n")
    return tmp_path


def linked(*words: str) -> Options:
    return Options(links=words)


def c_compiler(*words: str) -> None:
    subprocess.run([*toolchain.find_compiler().command, *words], check=True)


def test_c_files_are_compiled_and_linked(programs_cache: Path, c_files: Path) -> None:
    programs, _ = build(EXTERN, linked("fast.c"))
    assert output_of(programs) == "9\n"
    assert sorted(path.name for path in programs.master.parent.iterdir()) == ["master", "slave"]
    assert output_of(build(EXTERN, Options(links=("fast.c",), dynamic=True))[0]) == "9\n"


def test_changes_in_c_and_its_headers_are_noticed(programs_cache: Path, c_files: Path) -> None:
    first, _ = build(EXTERN, linked("fast.c"))
    (c_files / "factor.h").write_text("#define TWO 20\n")
    assert output_of(build(EXTERN, linked("fast.c"))[0]) == "63\n"
    (c_files / "factor.h").write_text("#define TWO 2\n")
    assert build(EXTERN, linked("fast.c"))[0] == first


def test_objects_archives_and_libraries(programs_cache: Path, c_files: Path) -> None:
    c_compiler("-c", "fast.c", "-o", "fast.o")
    archiver = toolchain.find_compiler().archiver
    subprocess.run([*archiver, "rcs", "libfast.a", "fast.o"], check=True)
    made = [build(EXTERN, linked(*words))[0] for words in (["fast.o"], ["libfast.a"], ["-L.", "-lfast"])]
    assert [output_of(programs) for programs in made] == ["9\n"] * 3
    (c_files / "factor.h").write_text("#define TWO 20\n")
    c_compiler("-c", "fast.c", "-o", "fast.o")
    subprocess.run([*archiver, "rcs", "libfast.a", "fast.o"], check=True)
    made = [build(EXTERN, linked(*words))[0] for words in (["fast.o"], ["libfast.a"], ["-L.", "-lfast"])]
    assert [output_of(programs) for programs in made] == ["63\n"] * 3


@pytest.mark.parametrize("words", [(), ("second.c",)])
def test_missing_c_functions_are_told_by_their_declarations(
    programs_cache: Path, c_files: Path, words: tuple[str, ...]
) -> None:
    with pytest.raises(ProgramError) as caught:
        build(EXTERN, linked(*words))
    found = [(item.code, item.message, str(item.span)) for item in caught.value.diagnostics.items]
    expected = [
        ("E0316", "no C function `twice` was found when the program was linked", "prog.ms:1:12"),
        ("E0316", "no C function `thrice` was found when the program was linked", "prog.ms:2:12"),
    ]
    assert found == expected[: 1 if words else 2]
    assert list(programs_cache.iterdir()) == []


def test_a_c_function_that_only_jobs_call_is_missed_too(programs_cache: Path) -> None:
    text = "extern int twice(int x);\njob int f(int x) { return twice(x); }\nmaster { print(get(remote f(1))); }\n"
    with pytest.raises(ProgramError):
        build(text)
    build("extern int twice(int x);\nmaster { }\n")  # nobody calls it


def test_what_does_not_link_is_no_bug_of_ours(programs_cache: Path, c_files: Path) -> None:
    def complaint(*words: str) -> str:
        with pytest.raises(ToolchainError) as caught:
            build(EXTERN, linked(*words))
        return str(caught.value)

    assert complaint("none.c") == "cannot read none.c: No such file or directory"
    assert complaint("none.o") == "cannot read none.o: No such file or directory"
    (c_files / "wrong.c").write_text("int twice(int x) { return y; }\n")
    assert complaint("wrong.c").startswith("wrong.c does not compile:\n")
    needs = "int more(int);\nint twice(int x) { return more(x); }\nint thrice(int x) { return x; }\n"
    (c_files / "needs.c").write_text(needs)
    assert complaint("needs.c").startswith("what --link names does not link:\n")
    assert complaint("fast.c", "second.c").startswith("what --link names does not link")
    assert "--dynamic" in complaint("fast.c", "-lno_such_library")


def test_missing_symbols_of_our_own_are_our_bug(
    programs_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise toolchain.UndefinedSymbols(["ms_gone"], "undefined reference to `ms_gone'")

    monkeypatch.setattr(toolchain, "link", fail)
    with pytest.raises(InternalError, match="ms_gone"):
        build(HELLO)
    assert list(programs_cache.iterdir()) == []
