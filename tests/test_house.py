"""The house is as docs/design.md and CONTRIBUTING.md say: who may import whom, and how long things may be.

The tables below list every file. A file may use what stands on a lower floor, and its own room.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ms"
RUNTIME = ROOT / "runtime" / "c"

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700

# Floor and room of each file of the compiler, or of each directory, which is one room.
PYTHON_ROOMS: dict[str, tuple[int, str]] = {
    "__init__.py": (0, "version"),
    "source.py": (0, "source"),
    "types.py": (0, "types"),
    "diagnostics.py": (1, "diagnostics"),
    "habits.py": (0, "habits"),
    "files.py": (1, "files"),
    "syntax.py": (1, "syntax"),
    "templates.py": (1, "templates"),
    "builtins.py": (1, "typed"),
    "typed.py": (1, "typed"),
    "advice.py": (2, "errors"),
    "errors.py": (2, "errors"),
    "scope.py": (2, "scope"),
    "typed_text.py": (2, "typed_text"),
    "explain/": (2, "explain"),
    "explanations.py": (3, "explain"),
    "grammar.lark": (3, "parser"),
    "lexer.py": (3, "parser"),
    "productions.py": (3, "parser"),
    "recovery.py": (3, "parser"),
    "tables.py": (3, "parser"),
    "parser.py": (3, "parser"),
    "checker/": (3, "checker"),
    "modules.py": (4, "modules"),
    "uses.py": (4, "ownership"),
    "liveness.py": (4, "ownership"),
    "moves.py": (4, "ownership"),
    "ownership.py": (4, "ownership"),
    "codegen/": (5, "codegen"),
    "toolchain.py": (6, "toolchain"),
    "report/": (7, "report"),
    "driver.py": (7, "driver"),
    "key.py": (8, "run"),
    "run.py": (8, "run"),
    "cli.py": (8, "run"),
    "__main__.py": (8, "run"),
    "bridge/": (9, "bridge"),
}

# Packages from outside, and the one room that may import each.
FOREIGN = {"lark": "parser", "llvmlite": "codegen", "cffi": "bridge", "ziglang": None}

C_ROOMS = {"include": 0, "core": 1, "net": 2, "master": 3, "slave": 3}


def python_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_runtime" not in path.parts)


def c_files() -> list[Path]:
    return sorted(path for room in C_ROOMS for path in (RUNTIME / room).glob("*.[ch]"))


def room_of(relative: str) -> tuple[int, str] | None:
    directory, slash, _ = relative.partition("/")
    return PYTHON_ROOMS.get(directory + slash)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, `from ms import x` as ms.x."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def target_of(name: str) -> str | None:
    """The file of the package that a dotted name leads to, relative to the package; None for other packages."""
    parts = name.split(".")
    if parts[0] != "ms":
        return None
    for length in range(len(parts), 1, -1):
        path = PACKAGE.joinpath(*parts[1:length])
        if path.with_suffix(".py").is_file():
            return str(path.with_suffix(".py").relative_to(PACKAGE))
        if (path / "__init__.py").is_file():
            return str((path / "__init__.py").relative_to(PACKAGE))
    return "__init__.py"


def test_every_file_has_a_room() -> None:
    files = [*python_files(), *PACKAGE.rglob("*.lark")]
    homeless = [path.relative_to(PACKAGE) for path in files if room_of(str(path.relative_to(PACKAGE))) is None]
    assert not homeless, "put them into PYTHON_ROOMS"


def test_every_room_is_there() -> None:
    assert [name for name in PYTHON_ROOMS if not (PACKAGE / name).exists()] == []


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    home = room_of(str(path.relative_to(PACKAGE)))
    assert home is not None
    wrong = []
    for line, name in imports_of(path):
        target = target_of(name)
        if target is None:
            package = name.split(".")[0]
            if package in FOREIGN and FOREIGN[package] != home[1]:
                wrong.append(f"line {line}: only {FOREIGN[package]} imports {package}")
            continue
        there = room_of(target)
        assert there is not None
        if there[0] >= home[0] and there[1] != home[1]:
            wrong.append(f"line {line}: {name} is on floor {there[0]}, this is floor {home[0]}")
    assert not wrong


def test_every_c_file_has_a_room() -> None:
    found = {path.parent.relative_to(RUNTIME).parts[0] for path in RUNTIME.rglob("*.[ch]")}
    assert found <= {*C_ROOMS, "tests", "fuzz"}


@pytest.mark.parametrize("path", c_files(), ids=lambda path: str(path.relative_to(RUNTIME)))
def test_includes_point_down(path: Path) -> None:
    home = path.parent.name
    wrong = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if include is None:
            continue
        name = include[1]
        if "/" in name:
            room = name.split("/")[0]
        else:
            room = home if (path.parent / name).is_file() else "include"
        assert (RUNTIME / room / name.split("/")[-1]).is_file(), f"{path}:{number}: there is no {name}"
        if room != home and C_ROOMS[room] >= C_ROOMS[home]:
            wrong.append(f"line {number}: {name} is on floor {C_ROOMS[room]}, this is floor {C_ROOMS[home]}")
    assert not wrong


def test_no_deadline_goes_by_the_clock_on_the_wall() -> None:
    """That one may be set while a program runs. Only `time()` reads it; conditions are made for the other one."""
    by_the_wall = re.compile(
        r"CLOCK_REALTIME|gettimeofday|\btime\(NULL\)|pthread_mutex_timedlock|sem_timedwait|timerfd|setitimer"
    )
    readers = {path.name for path in c_files() if by_the_wall.search(path.read_text().replace("Not pthread_mutex", ""))}
    assert readers == {"world.c"}
    for path in c_files():
        text = path.read_text()
        plain = set(re.findall(r"pthread_cond_init\(&([\w>.-]+), NULL\)", text))
        timed = set(re.findall(r"pthread_cond_timedwait\(&([\w>.-]+),", text))
        assert not plain & timed, path


def python_functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def c_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Functions end with a brace in the first column; they begin with one there, or at the end of such a line."""
    lines = path.read_text().splitlines()
    start = 0
    for number, line in enumerate(lines, 1):
        if re.match(r"\w.*\)\s*\{$", line) or line == "{":
            start = number
        elif line == "}" and start:
            yield f"line {start}", number - start + 1
            start = 0


def all_sources() -> list[Path]:
    python = [*python_files(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").glob("*.py")]
    return sorted([*python, *c_files(), *(RUNTIME / "tests").glob("*.[ch]"), *(RUNTIME / "fuzz").glob("*.[ch]")])


@pytest.mark.parametrize("path", all_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_size(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= FILE_LINES_MAX, "a file fits a sitting"
    functions = python_functions(path) if path.suffix == ".py" else c_functions(path)
    assert [(name, size) for name, size in functions if size > FUNCTION_LINES_MAX] == [], "a function fits a screen"


def test_the_rules_find_what_they_are_for(tmp_path: Path) -> None:
    """A test of the tests: an arrow that points up, and a long function in each language."""
    (tmp_path / "a.py").write_text("def long():\n" + "    pass\n" * 71)
    assert list(python_functions(tmp_path / "a.py")) == [("long", 72)]
    (tmp_path / "a.c").write_text("int f(void) {\n" + ";\n" * 70 + "}\nint g(void)\n{\n}\n")
    assert list(c_functions(tmp_path / "a.c")) == [("line 1", 72), ("line 74", 2)]
    (tmp_path / "b.py").write_text("from ms import driver\nimport ms.codegen.places\nfrom ms.types import INT\n")
    assert [target_of(name) for _, name in imports_of(tmp_path / "b.py")] == [
        "driver.py", "codegen/places.py", "types.py",
    ]  # fmt: skip
