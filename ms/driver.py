"""From a source file to two programs: the passes, in the order in which they run, and the cache of what they made.

Each pass is a room of its own; here they only meet. Arguments and exit statuses are left to `cli.py`. A program is
named by its main file; the files that it imports are read here, each once.
Invariants: nothing heavy (lark, llvmlite) is imported before a pass needs it, so that a program which is in the cache
starts at once; what is in the cache was made from the same bytes, by the same compiler, with the same options.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ms import files, toolchain
from ms.diagnostics import Diagnostic, Diagnostics, InternalError, Label, ProgramError, Severity
from ms.files import Files, Unreadable
from ms.source import SourceFile, Span
from ms.toolchain import Archives, CacheEntry, Compiler, ToolchainError, UndefinedSymbols

if TYPE_CHECKING:
    from ms import codegen, typed
    from ms.codegen import Role

_T = TypeVar("_T")

CACHED_PROGRAMS_MAX = 64
_STACK_SIZES = (512 << 20, 128 << 20, 32 << 20)
_RECURSION_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose about the programs. Every field is part of the cache's key."""

    level: int = 3
    cpu: str = ""  # "native", a name of LLVM's, or "" for what every machine of the target has
    target: str = ""  # a triple; "" is this machine
    debug: bool = False
    unchecked: bool = False
    sanitize: str = ""  # which, as the C compiler calls them
    dynamic: bool = False
    warn_copies: bool = False
    links: tuple[str, ...] = ()  # C files, objects, archives, -l and -L words

    def for_codegen(self) -> codegen.Options:
        from ms import codegen

        made = codegen.Options(
            unchecked=self.unchecked,
            debug=self.debug,
            cpu=self.cpu or None,
            opt_level=self.level,
            triple=self.target or None,
        )
        if self.cpu or self.target:
            complaint = codegen.target_complaint(made)
            if complaint:
                raise ToolchainError(complaint)
        return made


@dataclass(frozen=True, slots=True)
class Programs:
    master: Path
    slave: Path


def read_source(path: str) -> SourceFile:
    try:
        return files.read_source(path)
    except Unreadable as reason:
        raise ToolchainError(f"cannot read {path}: {reason}") from reason


# The passes


def check(sources: Files, options: Options, diagnostics: Diagnostics) -> typed.Program:
    """Everything that can be wrong with a program is found here."""
    from ms import checker, modules

    surface = modules.read_program(sources, diagnostics)
    program = checker.check_program(surface, diagnostics)
    if program is None or diagnostics.has_errors:
        raise ProgramError(diagnostics)
    return program


def analyse(sources: Files, options: Options, diagnostics: Diagnostics) -> tuple[typed.Program, bytes]:
    """The program as the code generator wants it, and its fingerprint."""
    from ms import ownership, typed_text

    program = check(sources, options, diagnostics)
    fingerprint = typed_text.fingerprint(program, toolchain.linked_sources(options.links))
    owned = ownership.own(program, diagnostics, options.warn_copies)
    functions = (*program.functions, program.master)
    order = {file: index for index, file in enumerate(dict.fromkeys(each.ref.span.file for each in functions))}
    diagnostics.items.sort(key=lambda item: (order.get(item.span.file, -1), item.span.start))
    return owned, fingerprint


def make_program(
    program: typed.Program, fingerprint: bytes, role: Role, options: Options, compiler: Compiler, archives: Archives,
    work: Path, linked: tuple[str, ...] = ()
) -> None:
    """One of the two programs, as `work`/master or `work`/slave."""
    from ms import codegen
    from ms.codegen import places

    how_to_generate = options.for_codegen()
    text = codegen.generate(program, role, fingerprint, how_to_generate)
    code = codegen.emit_object(text, how_to_generate)
    table = codegen.emit_object(places.place_module(places.place_table(code)), how_to_generate)
    code_path = work / f"{role.value}.o"
    table_path = work / f"{role.value}-places.o"
    code_path.write_bytes(code)
    table_path.write_bytes(table)
    archive = archives.master if role is codegen.Role.MASTER else archives.slave
    output = work / role.value
    how = toolchain.LinkOptions(options.dynamic, not options.debug, options.sanitize, linked)
    toolchain.link(compiler, (code_path, table_path), archive, output, how)
    code_path.unlink()
    table_path.unlink()


def make_parts(parts: codegen.Parts, options: Options, work: Path, named: Mapping[str, SourceFile]) -> None:
    """The objects of a large program, each with its table of places, on as many processors as there are."""
    from ms import codegen
    from ms.codegen import places

    how_to_generate = options.for_codegen()

    def make(part: codegen.Part, stem: str) -> None:
        code = codegen.emit_object(part.text, how_to_generate)
        table = places.place_table(code, places.TEXT_START + part.name)
        text = places.place_module(table, part.name, part.following)
        (work / f"{stem}.o").write_bytes(code)
        (work / f"{stem}-places.o").write_bytes(codegen.emit_object(text, how_to_generate))

    jobs = [(part, f"part{part.name}") for part in (*parts.for_master, *parts.shared)]
    jobs += [(parts.master, "master"), (parts.slave, "slave")]
    jobs.sort(key=lambda job: -len(job[0].text))
    # The processes take the numbers of what is left to do out of one pipe, each byte going to one of them.
    reading, writing = os.pipe()
    os.write(writing, bytes(range(len(jobs))))
    os.close(writing)

    def make_some() -> None:
        while number := os.read(reading, 1):
            make(*jobs[number[0]])

    try:
        _in_parallel([make_some] * min(len(jobs), os.cpu_count() or 1), named)
    finally:
        os.close(reading)


def link_parts(parts: codegen.Parts, role: Role, options: Options, compiler: Compiler, archives: Archives, work: Path,
               linked: tuple[str, ...] = ()) -> None:
    from ms.codegen import Role

    own = (*parts.for_master, *parts.shared) if role is Role.MASTER else parts.shared
    stems = [role.value, *(f"part{part.name}" for part in own)]
    objects = [work / f"{stem}{end}.o" for stem in stems for end in ("", "-places")]
    archive = archives.master if role is Role.MASTER else archives.slave
    how = toolchain.LinkOptions(options.dynamic, not options.debug, options.sanitize, linked)
    toolchain.link(compiler, objects, archive, work / role.value, how)


def emit(source: SourceFile, kind: str, role_name: str, options: Options, diagnostics: Diagnostics) -> str | bytes:
    """What a pass makes: `kind` is "typed", "fingerprint", "llvm", "asm" or "obj"."""

    def run() -> str | bytes:
        from ms import codegen, typed_text

        program, fingerprint = analyse(Files(source), options, diagnostics)
        if kind == "typed":
            return typed_text.typed_text(program, spans=True)
        if kind == "fingerprint":
            return fingerprint.hex() + "\n"
        how_to_generate = options.for_codegen()
        text = codegen.generate(program, codegen.Role(role_name), fingerprint, how_to_generate)
        if kind == "llvm":
            return text
        if kind == "asm":
            return codegen.emit_assembly(text, how_to_generate)
        return codegen.emit_object(text, how_to_generate)

    return on_big_stack(run)


def check_only(source: SourceFile, options: Options, diagnostics: Diagnostics) -> None:
    def run() -> None:
        if options.warn_copies:
            analyse(Files(source), options, diagnostics)
        else:
            check(Files(source), options, diagnostics)

    on_big_stack(run)


def build(source: SourceFile, options: Options, diagnostics: Diagnostics) -> Programs:
    """Both programs, in the cache: made now, or found there with what was said about them."""
    compiler = toolchain.find_compiler(options.target)
    runtime = toolchain.runtime_sources()
    sources = Files(source)
    named = {file.name: file for file in sources.all()}
    entry = toolchain.cache_directory() / "programs" / _key(named.values(), options, compiler, runtime)
    programs = Programs(entry / "master", entry / "slave")
    if not os.environ.get("MS_NO_PROGRAM_CACHE") and _is_cached(entry):
        _load_diagnostics(entry, named, diagnostics)
        return programs

    def run(work: Path) -> None:
        from ms import codegen
        from ms.codegen import Role

        program, fingerprint = analyse(sources, options, diagnostics)
        archives = toolchain.runtime_archives(compiler, runtime, options.sanitize)
        linked = toolchain.compile_linked(compiler, options.links, options.sanitize, work)

        how_to_link = options, compiler, archives, work, linked
        make: Callable[..., None] = partial(make_program, program, fingerprint)
        if codegen.is_large(program):
            parts = codegen.generate_parts(program, fingerprint, options.for_codegen())
            make_parts(parts, options, work, named)
            make = partial(link_parts, parts)
        try:
            _in_parallel([partial(make, role, *how_to_link) for role in (Role.SLAVE, Role.MASTER)], named)
        except UndefinedSymbols as missing:
            _report_undefined(program, missing, diagnostics)
        for path in work.glob("*.o"):
            path.unlink()
        _save_diagnostics(work, diagnostics)

    with CacheEntry(entry) as work:
        on_big_stack(lambda: run(work))
    _forget_old(entry.parent)
    return programs


def _report_undefined(program: typed.Program, missing: UndefinedSymbols, diagnostics: Diagnostics) -> None:
    """Symbols that nobody defines, as the messages of their declarations."""
    from ms import errors

    declared = {extern.name: extern.span for extern in program.externs}
    names = [name for name in declared if name in missing.names]
    for name in names:
        diagnostics.add(errors.extern_not_linked(declared[name], name))
    if names:
        raise ProgramError(diagnostics)
    if program.externs:
        raise ToolchainError(f"what --link names does not link:\n{missing}")
    raise InternalError(f"the program does not link:\n{missing}")


def install(programs: Programs, output: Path) -> None:
    """The two programs as `output`-master and `output`-slave."""
    names = [output.with_name(f"{output.name}-{role}") for role in ("master", "slave")]
    toolchain.install_programs([(programs.master, names[0]), (programs.slave, names[1])])


def on_big_stack(work: Callable[[], _T]) -> _T:
    """Runs `work` where trees may be deep: the passes recurse over them."""
    import threading

    results: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with _without_collections():
                results.append(work())
        except BaseException as failure:
            failures.append(failure)

    sys.setrecursionlimit(_RECURSION_MAX)
    for size in _STACK_SIZES:
        previous = threading.stack_size(size)
        thread = threading.Thread(target=run, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine has less address space to give
            continue
        finally:
            threading.stack_size(previous)
        thread.join()
        break
    else:
        run()
    if failures:
        raise failures[0]
    return results[0]


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Trees are all alive until the programs are there, and have no circles: to look for garbage among them again and
    again takes more time than the checker."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _in_parallel(works: Sequence[Callable[[], None]], named: Mapping[str, SourceFile]) -> None:
    """Does all of it, the last here, the others in processes of their own: LLVM lets no two threads of one process work
    at once. Of several failures the first counts."""
    begun = [(work, _begin(work)) for work in works[:-1]]
    failures: list[BaseException] = []
    for work in [*(work for work, child in begun if child is None), works[-1]]:
        try:
            work()
        except Exception as failure:
            failures.append(failure)
    for _, child in begun:
        if child is not None:
            ended = _end(*child, named)
            failures += [ended] if ended is not None else []
    if failures:
        raise failures[0]


def _begin(work: Callable[[], None]) -> tuple[int, int] | None:
    """Starts a process that does it: its number, and where it will say how that went. None when there can be none."""
    import pickle

    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        return None
    if child == 0:
        os.close(reading)
        with open(writing, "wb") as pipe:
            pipe.write(pickle.dumps(_failure_of(work)))
        os._exit(0)
    os.close(writing)
    return child, reading


def _end(child: int, reading: int, named: Mapping[str, SourceFile]) -> Exception | None:
    """Waits for such a process; what went wrong there."""
    import pickle

    with open(reading, "rb") as pipe:
        message = pipe.read()
    _, status = os.waitpid(child, 0)
    if not message:
        return InternalError(f"a process of the compiler ended with status {status}")
    kind, text, place = pickle.loads(message)
    if kind == "toolchain":
        return ToolchainError(text)
    if kind == "undefined":
        names, _, text = text.partition("\n")
        return UndefinedSymbols(names.split(), text)
    if kind:
        return InternalError(text, Span(named[place[0]], *place[1:]) if place else None)
    return None


def _failure_of(work: Callable[[], None]) -> tuple[str, str, tuple[str, int, int] | None]:
    """What went wrong, in a form that goes through a pipe: its kind ("" for nothing), a text, a place."""
    try:
        work()
    except ToolchainError as error:
        return "toolchain", str(error), None
    except UndefinedSymbols as error:
        return "undefined", f"{' '.join(error.names)}\n{error}", None
    except InternalError as error:
        return "internal", str(error), _place(error.span) if error.span else None
    except BaseException:
        import traceback

        return "internal", traceback.format_exc(), None
    return "", "", None


# The cache of programs


def _key(
    sources: Iterable[SourceFile], options: Options, compiler: Compiler, runtime: list[tuple[str, bytes]]
) -> str:
    named = [(source.name, source.data) for source in sources]
    return toolchain.digest(
        [
            str(len(named)),
            *(part for source in named for part in source),
            repr(astuple(options)),
            toolchain.archives_key(compiler, runtime, options.sanitize),
            *_compiler_sources(),
            _processor() if options.cpu == "native" else "",
            *toolchain.linked_key(compiler, options.links, options.sanitize),
        ]
    )


def _compiler_sources() -> list[str | bytes]:
    """What decides how a source becomes a program: this package, and LLVM's version."""
    from importlib.util import find_spec

    parts: list[str | bytes] = [sys.version]
    root = os.path.dirname(__file__)
    for directory, subdirectories, names in os.walk(root):
        subdirectories[:] = sorted(name for name in subdirectories if name not in ("__pycache__", "_runtime", "bridge"))
        for name in sorted(names):
            if name.endswith((".py", ".lark")):
                with open(os.path.join(directory, name), "rb") as file:
                    parts += [name, file.read()]
    for package in ("llvmlite", "lark"):
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ToolchainError(f"the Python package {package} is missing; install it with: pip install {package}")
        found = os.stat(spec.origin)
        parts.append(f"{spec.origin} {found.st_size} {found.st_mtime_ns}")
    return parts


def _processor() -> bytes:
    """What --cpu native depends on."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            first = file.read().split(b"\n\n")[0]
    except OSError:
        return b""
    names = (b"model name", b"flags", b"Features", b"CPU part")
    return b"\n".join(line for line in first.splitlines() if line.startswith(names))


def _is_cached(entry: Path) -> bool:
    try:
        os.utime(entry)
    except OSError:
        return False
    return True


def _forget_old(directory: Path) -> None:
    """Keeps the programs that were used last, and those that somebody is making: they are younger than a day."""
    import shutil
    import time

    used: list[tuple[float, Path]] = []
    for path in directory.iterdir():
        try:
            changed = path.stat().st_mtime
        except OSError:
            continue
        if not (path.name.startswith(toolchain.UNFINISHED) and changed > time.time() - 86400):
            used.append((changed, path))
    used.sort(reverse=True)
    for _, path in used[CACHED_PROGRAMS_MAX:]:
        shutil.rmtree(path, ignore_errors=True)


_DIAGNOSTICS = "diagnostics.json"


def _save_diagnostics(entry: Path, diagnostics: Diagnostics) -> None:
    if not diagnostics.items:
        return
    import json

    items = [
        [d.severity.value, d.code, d.message, _place(d.span), d.label,
         [[_place(label.span), label.text] for label in d.secondary], list(d.help)]
        for d in diagnostics.items
    ]  # fmt: skip
    (entry / _DIAGNOSTICS).write_text(json.dumps(items))


def _place(span: Span) -> tuple[str, int, int]:
    """A span without its file's bytes."""
    return span.file.name, span.start, span.end


def _load_diagnostics(entry: Path, named: Mapping[str, SourceFile], diagnostics: Diagnostics) -> None:
    """What was said when the program was made is said again."""
    try:
        text = (entry / _DIAGNOSTICS).read_text()
    except FileNotFoundError:
        return
    import json

    def span(place: tuple[str, int, int]) -> Span:
        return Span(named[place[0]], place[1], place[2])

    for severity, code, message, place, label, secondary, hints in json.loads(text):
        labels = tuple(Label(span(there), words) for there, words in secondary)
        diagnostics.add(Diagnostic(Severity(severity), code, message, span(place), label, labels, tuple(hints)))
