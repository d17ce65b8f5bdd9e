"""The C compiler and what is made with it: the runtime archives and the linked programs.

Finds a compiler ($CC, cc, gcc, clang, else zig from the package `ziglang`), builds `libmsmaster.a` and `libmsslave.a`
on first need into the user's cache, with libsodium where there is one, and links. What is linked, and when, is left
to `driver.py`.
Invariants: a directory in the cache is complete or not there (built beside its place, then renamed), so that two
compilers at once never trip over each other; an output file is old or new, never half of either. Whatever goes wrong
here that is not a bug of ours is a `ToolchainError` with one clear sentence.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ms.diagnostics import InternalError

CACHE_FORMAT = "1"
"""Part of every key: changes when what stands in the cache, or how it is made, changes."""

_COMPILE_FLAGS = (
    "-std=c11", "-D_GNU_SOURCE", "-O2", "-fno-omit-frame-pointer", "-ffunction-sections", "-fdata-sections",
)  # fmt: skip
SANITIZERS = "address,undefined"
"""What --sanitize asks the C compiler for; the tests also ask for "thread". Without: ""."""

# What a program needs from the C library; where this links statically, programs do.
_PROBE = """#include <math.h>
#include <netdb.h>
#include <pthread.h>
static void *run(void *p) { return p; }
int main(int argc, char **argv) {
    struct addrinfo *found = 0;
    pthread_t thread;
    return pthread_create(&thread, 0, run, argv) + getaddrinfo(argv[0], 0, 0, &found) + (int)sin(argc);
}
"""


_SODIUM_PROBE = """#include <sodium.h>
int main(void) { return sodium_init() < 0; }
"""

_NO_SODIUM = (
    "there is no libsodium here, so programs have no encryption and use TCP only with --insecure; "
    "to change that: apt-get install libsodium-dev pkg-config"
)


class ToolchainError(Exception):
    """The tool chain, or the machine, cannot do what is asked (exit status 2)."""


class UndefinedSymbols(Exception):
    """A program does not link because nobody defines these symbols."""

    def __init__(self, names: Sequence[str], text: str) -> None:
        super().__init__(text)
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class Sodium:
    """A libsodium.a that a compiler links. `identity` changes when another one stands in its place."""

    archive: str
    flags: tuple[str, ...]  # how its header is found
    identity: str


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler that works. `identity` changes when another compiler stands in its place."""

    command: tuple[str, ...]
    archiver: tuple[str, ...]
    identity: str
    static: bool  # whether it can link statically
    sodium: Sodium | None = None  # what encryption comes from
    is_native: bool = True


@dataclass(frozen=True, slots=True)
class Archives:
    master: Path
    slave: Path


# The cache


_substitute: list[Path] = []


def cache_directory() -> Path:
    """Where to keep what is made once: $MS_CACHE_DIR, $XDG_CACHE_HOME/ms or ~/.cache/ms; when that cannot be written,
    with a note, one for this user under /tmp."""
    if _substitute:
        return _substitute[0]
    named = os.environ.get("MS_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    directory = Path(named) if named else Path(base, "ms")
    try:
        return _writable(directory)
    except OSError as error:
        reason = error.strerror
    _substitute.append(_substitute_cache())
    print(f"msc: the cache {directory} cannot be written ({reason}); using {_substitute[0]}", file=sys.stderr)
    return _substitute[0]


def _writable(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(13, os.strerror(13))
    return directory.resolve()


def _substitute_cache() -> Path:
    """A directory that is ours alone: the same one each time when nobody has played a trick, as programs are run from
    it."""
    directory = Path(f"/tmp/ms-cache-{os.getuid()}")
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = os.lstat(directory)
        if found.st_uid == os.getuid() and found.st_mode == 0o040700:
            return directory
    except OSError:
        pass
    import tempfile

    try:
        made = Path(tempfile.mkdtemp(prefix="ms-cache-"))
    except OSError as error:
        raise ToolchainError(f"there is no directory to write to: {error.strerror}") from error
    owner = os.getpid()

    def remove() -> None:
        import shutil

        if os.getpid() == owner:
            shutil.rmtree(made, ignore_errors=True)

    atexit.register(remove)
    return made


UNFINISHED = "new-"  # what the name of a cache entry begins with while it is being made


class CacheEntry:
    """A directory of the cache that is being made: `with CacheEntry(final) as work: …` fills `work`, which becomes
    `final` at the end, unless somebody else was faster or an exception leaves the block."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.work = final

    def __enter__(self) -> Path:
        import tempfile

        try:
            self.final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.work = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.final.parent))
        except OSError as error:
            raise ToolchainError(f"cannot write to {self.final.parent}: {error.strerror}") from error
        return self.work

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        import shutil

        try:
            if kind is None:
                self.work.rename(self.final)
        except OSError as failure:
            if not self.final.is_dir():
                raise ToolchainError(f"cannot write {self.final}: {failure.strerror}") from failure
        finally:
            shutil.rmtree(self.work, ignore_errors=True)


def digest(parts: Iterable[str | bytes]) -> str:
    """A hash of several texts, each with its length, for use as a name in the cache."""
    from hashlib import sha256

    state = sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        state.update(len(content).to_bytes(8, "little") + content)
    return state.hexdigest()[:40]


# Compilers


def find_compiler(target: str = "") -> Compiler:
    """The C compiler to use, for this machine or for `target`. Only the first use of each compiler runs it."""
    if target:
        candidates = [_zig_command(_zig_target(target))]
        missing = f"compiling for {target} needs zig; install it with: {sys.executable} -m pip install ziglang"
    else:
        candidates = list(_native_commands())
        missing = (
            "no C compiler works here (looked for $CC, cc, gcc, clang and zig); "
            f"install one of them, for example with: {sys.executable} -m pip install ziglang"
        )
    for command in candidates:
        if command:
            compiler = _probe(command)
            if compiler is not None:
                found = None if target else _find_sodium(compiler)
                return replace(compiler, sodium=found, is_native=not target)
    raise ToolchainError(missing)


def _native_commands() -> Iterable[tuple[str, ...]]:
    chosen = os.environ.get("CC", "").split()
    if chosen:
        path = _which(chosen[0])
        if path is None:
            raise ToolchainError(f"CC is {chosen[0]}, and there is no such program")
        yield (path, *chosen[1:])
    for name in ("cc", "gcc", "clang"):
        path = _which(name)
        if path is not None:
            yield (path,)
    yield _zig_command(f"{os.uname().machine}-linux-musl")


def _zig_command(target: str) -> tuple[str, ...]:
    """zig as a C compiler, empty when there is none."""
    from importlib.util import find_spec

    spec = find_spec("ziglang")
    path = os.path.join(spec.submodule_search_locations[0], "zig") if spec and spec.submodule_search_locations else ""
    found = path if os.access(path, os.X_OK) else _which("zig")
    return (found, "cc", "-target", target) if found else ()


def _zig_target(target: str) -> str:
    """A target triple as zig writes it: without the vendor, and with musl where nothing is said."""
    parts = [part for part in target.split("-") if part not in ("unknown", "pc", "none")]
    if len(parts) < 2 or "linux" not in parts:
        raise ToolchainError(f"the target {target} is not of the form aarch64-linux-musl")
    return "-".join(parts if len(parts) > 2 else [*parts, "musl"])


def _which(name: str) -> str | None:
    if os.sep in name:
        return os.path.abspath(name) if os.access(name, os.X_OK) else None
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(directory or ".", name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return os.path.abspath(path)
    return None


def _identity(command: Sequence[str]) -> str:
    """Another compiler, or another version under the same name, is another file."""
    found = os.stat(command[0])
    return " ".join([os.path.realpath(command[0]), str(found.st_size), str(found.st_mtime_ns), *command[1:]])


def _probe(command: tuple[str, ...]) -> Compiler | None:
    """Whether a compiler works, and links statically; found out once."""
    identity = _identity(command)
    note = cache_directory() / "compilers" / digest([CACHE_FORMAT, identity])
    try:
        how = (note / "links").read_text()
    except OSError:
        how = _try_linking(command)
        if how:
            with CacheEntry(note) as work:
                (work / "links").write_text(how)
    if not how:
        return None
    archiver = (command[0], "ar") if command[1:2] == ("cc",) else _archiver(command[0])
    return Compiler(command, archiver, identity, how == "static")


def _archiver(compiler: str) -> tuple[str, ...]:
    found = _which("ar") or _which(os.path.join(os.path.dirname(compiler), "llvm-ar")) or _which("llvm-ar")
    return (found,) if found else (*_zig_command("native")[:1], "ar")


def _try_linking(command: tuple[str, ...]) -> str:
    """ "static", "dynamic", or "" when it does not even compile."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ms-probe-") as directory:
        source = Path(directory, "probe.c")
        source.write_text(_PROBE)
        arguments = ("-O2", str(source), "-o", os.path.join(directory, "probe"), "-pthread", "-lm")
        for how, flags in (("static", ("-static",)), ("dynamic", ())):
            if _run([*command, *flags, *arguments])[0] == 0:
                return how
    return ""


def _run(command: Sequence[str], text: str = "", directory: Path | None = None) -> tuple[int, str]:
    """The exit status and everything that was printed; the program reads `text`, in `directory`."""
    import subprocess

    environment = dict(os.environ)
    for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"):  # else in a home that may not be writable
        environment.setdefault(name, str(cache_directory() / "zig"))
    try:
        done = subprocess.run(
            command, env=environment, input=text.encode(), cwd=directory,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    except OSError as error:
        raise ToolchainError(f"cannot run {command[0]}: {error.strerror}") from error
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


# Encryption


def _find_sodium(compiler: Compiler) -> Sodium | None:
    """The static libsodium of this machine, when this compiler links it. Only its first use with a compiler runs
    anything."""
    found = _ask_pkg_config()
    if found is None:
        return None
    archive, flags = found
    identity = _identity((archive, *flags))
    note = cache_directory() / "compilers" / digest([CACHE_FORMAT, "sodium", compiler.identity, identity])
    try:
        links = (note / "links").read_text()
    except OSError:
        links = "yes" if _links_sodium(compiler, archive, flags) else "no"
        with CacheEntry(note) as work:
            (work / "links").write_text(links)
    return Sodium(archive, flags, identity) if links == "yes" else None


def _ask_pkg_config() -> tuple[str, tuple[str, ...]] | None:
    """Where libsodium.a is and how its header is found. An answer is kept as long as the archive is there."""
    program = _which(os.environ.get("PKG_CONFIG") or "pkg-config")
    if program is None:
        return None
    names = ("PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR")
    variables = [os.environ.get(name, "") for name in names]
    note = cache_directory() / "compilers" / digest([CACHE_FORMAT, "pkg-config", _identity((program,)), *variables])
    try:
        kept = (note / "sodium").read_text().splitlines()
        if os.path.isfile(kept[0]):
            return kept[0], tuple(kept[1:])
    except OSError:
        pass
    status, text = _run([program, "--variable=libdir", "libsodium"])
    archive = os.path.join(text.strip(), "libsodium.a")
    if status != 0 or not os.path.isabs(archive) or not os.path.isfile(archive):
        return None
    status, text = _run([program, "--cflags", "libsodium"])
    flags = text.split()
    with CacheEntry(note) as work:
        (work / "sodium").write_text("\n".join([archive, *flags]))
    return archive, tuple(flags)


def _links_sodium(compiler: Compiler, archive: str, flags: Sequence[str]) -> bool:
    """Not when it was built for another C library than the compiler's."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ms-probe-") as directory:
        source = Path(directory, "probe.c")
        source.write_text(_SODIUM_PROBE)
        how = ["-static"] if compiler.static else []
        words = ["-O2", *flags, str(source), archive, "-pthread", "-o", os.path.join(directory, "probe")]
        return _run([*compiler.command, *how, *words])[0] == 0


# The runtime archives


def runtime_directory() -> Path:
    """The C sources of the runtimes: inside the package when it is installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    for directory in (package / "_runtime" / "c", package.parent / "runtime" / "c"):
        if (directory / "include" / "ms.h").is_file():
            return directory
    raise ToolchainError(f"the sources of the runtime are missing; they belong into {package / '_runtime'}")


_MASTER_ROOMS = ("core", "net", "master")
_SLAVE_ROOMS = ("core", "net", "slave")


def runtime_sources() -> list[tuple[str, bytes]]:
    """Every C file and header of the runtimes: its name in `runtime_directory()`, and its text."""
    root = runtime_directory()
    return [
        (f"{room}/{name}", (root / room / name).read_bytes())
        for room in ("include", "core", "net", "master", "slave")
        if (root / room).is_dir()
        for name in sorted(os.listdir(root / room))
        if name.endswith((".c", ".h"))
    ]


def archives_key(compiler: Compiler, sources: Sequence[tuple[str, bytes]], sanitize: str = "") -> str:
    named = [part for source in sources for part in source]
    sodium = compiler.sodium.identity if compiler.sodium else ""
    return digest([CACHE_FORMAT, compiler.identity, sodium, *_flags(compiler, sanitize), *named])


def runtime_archives(compiler: Compiler, sources: Sequence[tuple[str, bytes]], sanitize: str = "") -> Archives:
    """The two archives, built when the cache does not have them."""
    final = cache_directory() / "runtime" / archives_key(compiler, sources, sanitize)
    if not final.is_dir():
        with CacheEntry(final) as work:
            if compiler.sodium is None and compiler.is_native and sys.stderr.isatty():
                print(f"msc: note: {_NO_SODIUM}", file=sys.stderr)
            names = [name for name, _ in sources if name.endswith(".c")]
            _build_archives(compiler, names, _flags(compiler, sanitize), work)
    return Archives(final / "libmsmaster.a", final / "libmsslave.a")


def _sanitize_flags(sanitize: str) -> tuple[str, ...]:
    return (f"-fsanitize={sanitize}", "-fno-sanitize-recover=undefined") if sanitize else ()


def _flags(compiler: Compiler, sanitize: str) -> tuple[str, ...]:
    flags = (*_COMPILE_FLAGS, "-g", *_sanitize_flags(sanitize)) if sanitize else _COMPILE_FLAGS
    return (*flags, "-DMS_SODIUM", *compiler.sodium.flags) if compiler.sodium else flags


def _build_archives(compiler: Compiler, names: Sequence[str], flags: Sequence[str], work: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    root = runtime_directory()
    objects = {name: work / (name.replace("/", "-") + ".o") for name in names}

    def compile_one(name: str) -> tuple[int, str]:
        command = [*compiler.command, *flags, "-I", str(root), "-I", str(root / "include")]
        return _run([*command, "-c", str(root / name), "-o", str(objects[name])])

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        results = list(pool.map(compile_one, names))
    for name, (status, text) in zip(names, results, strict=True):
        if status != 0:
            raise InternalError(f"the runtime's {name} does not compile with {' '.join(compiler.command)}:\n{text}")
    for archive, rooms in (("libmsmaster.a", _MASTER_ROOMS), ("libmsslave.a", _SLAVE_ROOMS)):
        members = [str(objects[name]) for name in names if name.split("/")[0] in rooms]
        status, text = _run([*compiler.archiver, "rcs", str(work / archive), *members])
        if status != 0:
            raise InternalError(f"{archive} cannot be made:\n{text}")
        if compiler.sodium:
            _add_sodium(compiler.archiver, compiler.sodium, work, archive)
    for path in objects.values():
        path.unlink()


def _add_sodium(archiver: Sequence[str], sodium: Sodium, work: Path, archive: str) -> None:
    """Puts libsodium into a runtime's archive, from where the linker takes what is needed. The archiver's language has
    no quotes, so it sees plain names only."""
    shortcut, alone = work / "libsodium.a", work / f"alone-{archive}"
    shortcut.symlink_to(sodium.archive)
    (work / archive).rename(alone)
    script = f"create {archive}\naddlib {alone.name}\naddlib {shortcut.name}\nsave\nend\n"  # all that LLVM's ar knows
    status, text = _run([*archiver, "-M"], script, work)
    shortcut.unlink()
    alone.unlink()
    if status != 0:
        raise ToolchainError(f"{sodium.archive} cannot be put into the runtime with {archiver[0]}:\n{text}")


# Linking


@dataclass(frozen=True, slots=True)
class LinkOptions:
    dynamic: bool = False
    strip: bool = True
    sanitize: str = ""  # the runtime's archive was built so
    extra: tuple[str, ...] = ()  # what the user links in: objects, archives, -l and -L words


def link(compiler: Compiler, objects: Sequence[Path], archive: Path, output: Path, options: LinkOptions) -> None:
    """Makes the program `output`. Warnings are not shown: what the C library says about getaddrinfo in static
    programs is not for our users."""
    # zig makes a compiler's run-time library for each level of optimisation, and without one also a sanitizer's.
    flags = ["-O2", "-Wl,--gc-sections", "-pthread"]
    if options.sanitize:
        flags += _sanitize_flags(options.sanitize)
    elif compiler.static and not options.dynamic:
        flags.append("-static")
    if options.strip and not options.sanitize:
        flags.append("-s")
    inputs = [*map(str, objects), *options.extra, str(archive)]
    status, text = _run([*compiler.command, *flags, "-o", str(output), *inputs, "-lm"])
    if status != 0:
        if "No space left on device" in text:
            raise ToolchainError(f"cannot write {output}: No space left on device")
        undefined = _undefined(text)
        if undefined:
            raise UndefinedSymbols(undefined, text)
        if options.extra:
            hint = " (a shared library needs --dynamic)" if "-static" in flags and "-l" in text else ""
            raise ToolchainError(f"what --link names does not link{hint}:\n{text}")
        raise InternalError(f"{output.name} does not link with {' '.join(compiler.command)}:\n{text}")


def _undefined(text: str) -> list[str]:
    """The symbols that a linker misses, as GNU's, LLVM's and zig's say it."""
    import re

    pattern = r"undefined reference to [`']([^'\n]+)'|undefined symbol: (\w+)|undefined symbol '(\w+)'"
    return list(dict.fromkeys(match[1] or match[2] or match[3] for match in re.finditer(pattern, text)))


# What the user links in


def is_linkable(word: str) -> bool:
    """Whether --link takes the word."""
    return (len(word) > 2 and word.startswith(("-l", "-L"))) or word.endswith((".c", ".o", ".a"))


def linked_key(compiler: Compiler, words: Sequence[str], sanitize: str) -> list[str | bytes]:
    """What the words of --link stand for: a C file as the compiler sees it, headers included; the bytes of objects and
    archives, of libraries those that -L leads to."""
    parts: list[str | bytes] = []
    directories = [word[2:] for word in words if word.startswith("-L")]
    for word in words:
        parts.append(word)
        if word.startswith("-l"):
            names = [os.path.join(directory, f"lib{word[2:]}") for directory in directories]
            files = [name + end for name in names for end in (".a", ".so")]
            parts += [_bytes_of(name) for name in files if os.path.isfile(name)]
        elif word.endswith(".c"):
            parts.append(_compile_c(compiler, word, ["-E"], sanitize))
        elif not word.startswith("-L"):
            parts.append(_bytes_of(word))
    return parts


def linked_sources(words: Sequence[str]) -> list[bytes]:
    """The C files among the words of --link: what decides, on every target alike, what extern functions do."""
    return [_bytes_of(word) for word in words if word.endswith(".c")]


def compile_linked(compiler: Compiler, words: Sequence[str], sanitize: str, work: Path) -> tuple[str, ...]:
    """The words of --link as the linker wants them: each C file has become an object in `work`."""
    ready: list[str] = []
    for index, word in enumerate(words):
        if word.startswith("-L"):
            ready.append(f"-L{os.path.abspath(word[2:])}")
        elif word.startswith("-l"):
            ready.append(word)
        elif word.endswith(".c"):
            output = str(work / f"linked-{index}.o")
            _compile_c(compiler, word, ["-c", "-o", output], sanitize)
            ready.append(output)
        else:
            ready.append(os.path.abspath(word))
    return tuple(ready)


_LINKED_FLAGS = ("-O2", "-g", "-fno-omit-frame-pointer", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")


def _compile_c(compiler: Compiler, path: str, how: Sequence[str], sanitize: str) -> str:
    _bytes_of(path)
    flags = (*_LINKED_FLAGS, *_sanitize_flags(sanitize))
    status, text = _run([*compiler.command, *flags, *how, path])
    if status != 0:
        raise ToolchainError(f"{path} does not compile:\n{text}")
    return text


def _bytes_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ToolchainError(f"cannot read {path}: {error.strerror}") from error


def install_programs(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Copies each first file to the second name, to be executed. All are written before the first name changes
    hands."""
    _replace_files([(source.read_bytes(), output) for source, output in pairs], 0o777)


def write_file(output: Path, content: bytes) -> None:
    _replace_files([(content, output)], 0o666)


def _replace_files(files: Sequence[tuple[bytes, Path]], mode: int) -> None:
    import tempfile

    mask = os.umask(0)
    os.umask(mask)
    ready: list[tuple[str, Path]] = []
    output = Path()
    try:
        for content, output in files:
            if output.is_dir():
                raise ToolchainError(f"cannot write {output}: it is a directory")
            handle, name = tempfile.mkstemp(prefix=f".{output.name}-", dir=output.parent)
            ready.append((name, output))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode & ~mask)
        for name, output in ready:
            os.rename(name, output)
    except OSError as error:
        raise ToolchainError(f"cannot write {output}: {error.strerror}") from error
    finally:
        for name, _ in ready:
            if os.path.lexists(name):
                os.unlink(name)
