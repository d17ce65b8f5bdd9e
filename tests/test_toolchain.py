"""The tool chain, on small runtimes of the tests' own, so that they say nothing about the real one."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ms import toolchain
from ms.diagnostics import InternalError
from ms.toolchain import CacheEntry, LinkOptions, ToolchainError, UndefinedSymbols

FILES = {
    "include/ms.h": "int shared(void);\nint both(void);\n",
    "core/a.c": '#include "ms.h"\nint shared(void) { return 40; }\n',
    "net/a.c": '#include "ms.h"\nint both(void) { return shared() + 1; }\n',
    "master/main.c": '#include "core/a.h"\nint program(void);\nint main(void) { return both() + program(); }\n',
    "slave/main.c": '#include "ms.h"\nint main(void) { return both(); }\n',
    "core/a.h": '#include "ms.h"\n',
}


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "some runtime"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(toolchain, "runtime_directory", lambda: root)
    return root


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MS_CACHE_DIR", str(tmp_path / "a cache"))
    return tmp_path / "a cache"


def fake_compiler(path: Path, log: Path, fails: str = "nothing") -> None:
    """A compiler that writes down that it ran, and fails when its arguments hold a word."""
    real = shlex.join(toolchain.find_compiler().command)
    path.write_text(f'#!/bin/sh\necho run >>"{log}"\ncase " $* " in *" {fails} "*) exit 1;; esac\nexec {real} "$@"\n')
    path.chmod(0o755)


# The cache


def test_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert toolchain.cache_directory() == tmp_path / "xdg" / "ms"
    monkeypatch.setenv("MS_CACHE_DIR", str(tmp_path / "named"))
    assert toolchain.cache_directory() == tmp_path / "named"
    monkeypatch.delenv("MS_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert toolchain.cache_directory() == tmp_path / ".cache" / "ms"


def cache_of_process(tmp_path: Path, before: str = "") -> tuple[Path, str]:
    """What another process, whose cache cannot be written, takes for it, and what it says."""
    (tmp_path / "file").write_text("")
    code = (
        f"from ms import toolchain\n{before}\n"
        "directory = toolchain.cache_directory()\n"
        "assert directory.is_dir() and directory == toolchain.cache_directory()\n"
        "print(directory)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "MS_CACHE_DIR": str(tmp_path / "file" / "cache"), "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    return Path(done.stdout.strip()), done.stderr


def test_unwritable_cache_has_a_substitute(tmp_path: Path) -> None:
    directory, said = cache_of_process(tmp_path)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert said.count("\n") == 1
    assert said.endswith(f"(Not a directory); using {directory}\n")
    assert cache_of_process(tmp_path)[0] == directory


def test_substitute_that_is_not_ours_is_not_used(tmp_path: Path) -> None:
    directory, _ = cache_of_process(tmp_path, "import os; os.getuid = lambda: 'of-somebody-else'")
    assert directory.parent == tmp_path
    assert not directory.exists(), "it goes at the end"
    Path("/tmp/ms-cache-of-somebody-else").rmdir()


def test_entry_is_whole_or_not_there(cache: Path) -> None:
    entry = cache / "things" / "one"
    with contextlib.suppress(ZeroDivisionError), CacheEntry(entry) as work:
        (work / "half").write_text("")
        raise ZeroDivisionError
    assert list(entry.parent.iterdir()) == []
    with CacheEntry(entry) as work:
        (work / "whole").write_text("first")
        assert not entry.exists()
    assert (entry / "whole").read_text() == "first"


def test_who_is_faster_wins(cache: Path) -> None:
    entry = cache / "things" / "one"
    with CacheEntry(entry) as slow:
        (slow / "whole").write_text("slow")
        with CacheEntry(entry) as fast:
            (fast / "whole").write_text("fast")
    assert [path.name for path in entry.parent.iterdir()] == ["one"]
    assert (entry / "whole").read_text() == "fast"


def test_digest_keeps_parts_apart() -> None:
    assert toolchain.digest(["ab", "c"]) != toolchain.digest(["a", "bc"])
    assert toolchain.digest(["a"]) == toolchain.digest([b"a"])


# Encryption


def fake_sodium(directory: Path, symbol: str = "sodium_init") -> None:
    """A library that is called libsodium, and what pkg-config says about it."""
    compiler = toolchain.find_compiler()
    directory.mkdir()
    (directory / "sodium.h").write_text("int sodium_init(void);\n")
    (directory / "sodium.c").write_text(f"int {symbol}(void) {{ return 40; }}\n")
    subprocess.run([*compiler.command, "-c", "sodium.c", "-o", "sodium.o"], cwd=directory, check=True)
    subprocess.run([*compiler.archiver, "rcs", "libsodium.a", "sodium.o"], cwd=directory, check=True)
    (directory / "libsodium.pc").write_text(
        f"libdir={directory}\nName: libsodium\nDescription: none\nVersion: 1\nCflags: -I{directory}\n"
    )


@pytest.fixture
def pkg_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """Where pkg-config looks; there is nothing yet."""
    if shutil.which("pkg-config") is None:
        pytest.skip("there is no pkg-config")
    monkeypatch.setenv("PKG_CONFIG_LIBDIR", str(tmp_path / "libraries"))
    return tmp_path / "libraries"


def test_libsodium_goes_into_the_archives(runtime: Path, pkg_config: Path) -> None:
    without = toolchain.find_compiler()
    assert without.sodium is None
    fake_sodium(pkg_config)
    compiler = toolchain.find_compiler()
    assert compiler.sodium is not None
    assert compiler.sodium.archive == str(pkg_config / "libsodium.a")
    (runtime / "net" / "a.c").write_text(
        "#ifdef MS_SODIUM\n#include <sodium.h>\nint both(void) { return sodium_init() + 1; }\n"
        "#else\nint both(void) { return 3; }\n#endif\n"
    )
    statuses = []
    for one in (compiler, without):
        sources = toolchain.runtime_sources()
        archives = toolchain.runtime_archives(one, sources)
        toolchain.link(one, [], archives.slave, pkg_config / "slave", LinkOptions())
        statuses.append(subprocess.run([pkg_config / "slave"], check=False).returncode)
    assert statuses == [41, 3]


def test_libsodium_that_does_not_link_is_none(pkg_config: Path) -> None:
    fake_sodium(pkg_config, symbol="something_else")
    assert toolchain.find_compiler().sodium is None


def test_libsodium_that_has_gone_is_none(pkg_config: Path) -> None:
    fake_sodium(pkg_config)
    assert toolchain.find_compiler().sodium is not None
    (pkg_config / "libsodium.a").unlink()
    assert toolchain.find_compiler().sodium is None


def test_no_pkg_config(pkg_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_sodium(pkg_config)
    monkeypatch.setenv("PKG_CONFIG", "/no/such/program")
    assert toolchain.find_compiler().sodium is None


def test_without_libsodium_people_get_a_note_once(
    runtime: Path, pkg_config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = toolchain.find_compiler()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for wanted in (1, 0):
        toolchain.runtime_archives(compiler, toolchain.runtime_sources())
        assert capsys.readouterr().err.count("apt-get install libsodium-dev") == wanted


# Compilers


def test_compiler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with pytest.raises(ToolchainError, match="CC is no-such-compiler"):
        toolchain.find_compiler()


def test_no_compiler_at_all(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(toolchain, "_zig_command", lambda target: ())
    with pytest.raises(ToolchainError) as caught:
        toolchain.find_compiler()
    assert "\n" not in str(caught.value)
    assert "ziglang" in str(caught.value)


def test_compiler_is_probed_once(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    fake_compiler(tmp_path / "cc1", log, fails="-static")
    log.unlink(missing_ok=True)
    monkeypatch.setenv("CC", str(tmp_path / "cc1"))
    first = toolchain.find_compiler()
    assert not first.static
    runs = log.read_text()
    assert toolchain.find_compiler() == first
    assert log.read_text() == runs


def test_options_in_cc_are_kept(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    fake_compiler(tmp_path / "cc1", tmp_path / "log")
    monkeypatch.setenv("CC", f"{tmp_path / 'cc1'} -DX=1")
    assert toolchain.find_compiler().command == (str(tmp_path / "cc1"), "-DX=1")


def test_broken_compiler_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:
    good = toolchain.find_compiler()
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    assert toolchain.find_compiler().command == good.command


@pytest.mark.parametrize(
    ("triple", "zig"),
    [
        ("aarch64-linux-musl", "aarch64-linux-musl"),
        ("aarch64-unknown-linux-gnu", "aarch64-linux-gnu"),
        ("x86_64-linux", "x86_64-linux-musl"),
        ("x86_64-pc-linux-gnu", "x86_64-linux-gnu"),
    ],
)
def test_targets_as_zig_writes_them(triple: str, zig: str) -> None:
    assert toolchain._zig_target(triple) == zig


@pytest.mark.parametrize("triple", ["toaster", "x86_64-windows-gnu", "-"])
def test_other_targets_are_refused(triple: str) -> None:
    with pytest.raises(ToolchainError, match="not of the form"):
        toolchain._zig_target(triple)


def test_target_without_zig(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(toolchain, "_zig_command", lambda target: ())
    with pytest.raises(ToolchainError, match="needs zig"):
        toolchain.find_compiler("aarch64-linux-musl")


# Archives and programs


def make_object(directory: Path, text: str) -> Path:
    (directory / "program.c").write_text(text)
    command = [*toolchain.find_compiler().command, "-c", "-o", directory / "program.o", directory / "program.c"]
    subprocess.run(command, check=True)
    return directory / "program.o"


@pytest.mark.parametrize("dynamic", [False, True])
def test_programs_are_linked_with_their_archive(runtime: Path, cache: Path, tmp_path: Path, dynamic: bool) -> None:
    compiler = toolchain.find_compiler()
    archives = toolchain.runtime_archives(compiler, toolchain.runtime_sources())
    program = make_object(tmp_path, "int program(void) { return 1; }")
    options = LinkOptions(dynamic=dynamic)
    toolchain.link(compiler, [program], archives.master, tmp_path / "p-master", options)
    toolchain.link(compiler, [program], archives.slave, tmp_path / "p-slave", options)
    assert subprocess.run([tmp_path / "p-master"], check=False).returncode == 42
    assert subprocess.run([tmp_path / "p-slave"], check=False).returncode == 41


def test_archives_are_built_once_for_the_same_sources(runtime: Path, cache: Path, tmp_path: Path) -> None:
    compiler = toolchain.find_compiler()
    first = toolchain.runtime_archives(compiler, toolchain.runtime_sources())
    made = first.master.stat().st_ino
    assert toolchain.runtime_archives(compiler, toolchain.runtime_sources()) == first
    assert first.master.stat().st_ino == made
    (runtime / "core" / "a.h").write_text('#include "ms.h"\n/* changed */\n')
    assert toolchain.runtime_archives(compiler, toolchain.runtime_sources()) != first
    assert toolchain.runtime_archives(compiler, toolchain.runtime_sources(), toolchain.SANITIZERS).master.is_file()


def test_two_builds_at_once(runtime: Path, cache: Path) -> None:
    compiler = toolchain.find_compiler()
    sources = toolchain.runtime_sources()
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(toolchain.runtime_archives, compiler, sources) for _ in range(4)]
        (found,) = {future.result() for future in futures}
    assert list((cache / "runtime").iterdir()) == [found.master.parent]
    assert found.master.is_file()


def test_mistake_in_our_own_c_is_our_bug(runtime: Path, cache: Path) -> None:
    (runtime / "net" / "a.c").write_text("int both(void) { return undeclared_thing; }\n")
    with pytest.raises(InternalError, match=r"(?s)net/a\.c.*undeclared_thing"):
        toolchain.runtime_archives(toolchain.find_compiler(), toolchain.runtime_sources())
    assert list((cache / "runtime").iterdir()) == []


def test_missing_symbols_are_named(runtime: Path, cache: Path, tmp_path: Path) -> None:
    compiler = toolchain.find_compiler()
    archives = toolchain.runtime_archives(compiler, toolchain.runtime_sources())
    with pytest.raises(UndefinedSymbols, match="program") as caught:
        toolchain.link(compiler, [], archives.master, tmp_path / "p-master", LinkOptions())
    assert caught.value.names == ("program",)


@pytest.mark.parametrize(
    "text",
    [
        "/usr/bin/ld: a.o: in function `f':\na.c:(.text+0x9): undefined reference to `gone'\ncollect2: error",
        "ld.lld: error: undefined symbol: gone\n>>> referenced by a.c\nld.lld: error: undefined symbol: gone",
        "error: undefined symbol: gone\n    note: referenced by a.o",
    ],
)
def test_what_linkers_say_about_missing_symbols(text: str) -> None:
    assert toolchain._undefined(text) == ["gone"]


def test_sources_of_the_real_runtime_are_found() -> None:
    names = [name for name, _ in toolchain.runtime_sources()]
    assert "include/ms.h" in names
    assert "core/task.h" in names


# Output files


def test_programs_are_replaced_while_they_run(tmp_path: Path) -> None:
    output = tmp_path / "sleeper"
    output.write_bytes(Path("/bin/sleep").read_bytes())
    output.chmod(0o755)
    with subprocess.Popen([output, "1000"]) as running:
        toolchain.install_programs([(Path("/bin/true"), output)])
        assert running.poll() is None
        running.kill()
    assert subprocess.run([output, "1000"], check=True).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["sleeper"]


def test_output_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(ToolchainError, match="b: it is a directory"):
        toolchain.install_programs([(Path("/bin/true"), tmp_path / "a"), (Path("/bin/true"), tmp_path / "b")])
    assert [path.name for path in tmp_path.iterdir()] == ["b"], "not half of it"


def test_output_in_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"cannot write .*/no/a: No such file"):
        toolchain.install_programs([(Path("/bin/true"), tmp_path / "no" / "a")])


def test_output_that_does_not_fit(tmp_path: Path) -> None:
    """A limit on the size of files fails where a full disk does."""
    code = (
        "import resource, sys; from pathlib import Path; from ms import toolchain\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: toolchain.write_file(Path(sys.argv[1]), bytes(5000))\n"
        "except toolchain.ToolchainError as error: print(error)\n"
    )
    (tmp_path / "out").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {tmp_path / 'out'}: File too large\n"
    assert (tmp_path / "out").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_modes_follow_the_mask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        toolchain.install_programs([(Path("/bin/true"), tmp_path / "program")])
        toolchain.write_file(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "program").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
