"""What a program of `ms_programs/` says about itself: its kind, its directives and what it expects.

The words are explained in `ms_programs/README.md`. Running the program and comparing are left to `run_programs.py`.
Always holds: a program whose directives cannot be understood is a `SpecError`, never a program that passes.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "ms_programs"
KINDS = ("test", "trap", "fail")
DEFAULT_SLAVES = 2
DEFAULT_TIME_S = 60.0

_DIRECTIVE = re.compile(r"^\s*// run: ([a-z-]+):(?: (.*))?$")
_MARK = re.compile(r"//! (.*)$")
_CODE = re.compile(r"[EW][0-9]{4}(\|[EW][0-9]{4})*$")
_TRAP = re.compile(r"trap(?: at `(?P<at>[^`]+)`)?: ?(?P<message>.*)$")
_SECTION = re.compile(r"/\* (output|errors):(.*?)\*/", re.DOTALL)


class SpecError(Exception):
    """The program's directives are wrong."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A diagnostic that must come: any one of `codes` on `line` (0: anywhere) of a file, as the program calls it."""

    file: str
    line: int
    codes: tuple[str, ...]

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else f"anywhere in {self.file}"
        return f"{place}: {' or '.join(self.codes)}"


@dataclass(frozen=True, slots=True)
class Trap:
    """The failure that must end the program: its innermost place (column 0: not said) and its message."""

    file: str
    line: int
    column: int
    message: str


@dataclass(slots=True)
class Spec:
    """Everything a program says about itself."""

    path: Path
    kind: str
    words: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    stdin: bytes = b""
    slaves: int = DEFAULT_SLAVES
    slots: int = 1
    kill_after_s: float | None = None
    only: str = ""
    time_s: float = DEFAULT_TIME_S
    memory_size: int = 0
    valgrind: bool = True
    status: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    output: bytes | None = None
    errors: bytes | None = None
    marks: list[Mark] = field(default_factory=list)
    trap: Trap | None = None
    story: list[str] = field(default_factory=list)
    uses_slaves: bool = False

    @property
    def name(self) -> str:
        return self.path.stem


def _unescape(text: str) -> bytes:
    r"""\n, \t, \r, \0, \\ and \xNN, as in M/s."""
    plain = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}

    def one(match: re.Match[str]) -> str:
        body = match.group(1)
        return chr(int(body[1:], 16)) if body[0] == "x" else plain[body]

    return re.sub(r"\\(x[0-9a-fA-F]{2}|[ntr0\\])", one, text).encode("utf-8")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(?:after )?([0-9.]+) s", text)
    if match is None:
        raise SpecError(f"a time is written `2 s`, not `{text}`")
    return float(match.group(1))


def _only(text: str) -> str:
    match = re.fullmatch(r"(local|slaves), \S.*", text)
    if match is None:
        raise SpecError("`only` is written `only: local, because …` or `only: slaves, because …`")
    return match.group(1)


def _not(text: str) -> bool:
    if not re.fullmatch(r"no, \S.*", text):
        raise SpecError("`valgrind` is written `valgrind: no, because …`")
    return False


def _memory(text: str) -> int:
    match = re.fullmatch(r"([0-9]+) MB", text)
    if match is None:
        raise SpecError(f"a memory limit is written `512 MB`, not `{text}`")
    return int(match.group(1)) << 20


def _apply(spec: Spec, word: str, value: str) -> None:
    match word:
        case "words":
            spec.words = tuple(value.split())
        case "stdin":
            spec.stdin = _unescape(value)
        case "slaves":
            spec.slaves = int(value)
        case "slots":
            spec.slots = int(value)
        case "kill-slave":
            spec.kill_after_s = _seconds(value)
        case "only":
            spec.only = _only(value)
        case "time":
            spec.time_s = _seconds(value)
        case "valgrind":
            spec.valgrind = _not(value)
        case "memory":
            spec.memory_size = _memory(value)
        case "status":
            spec.status = int(value)
        case "files":
            name, _, text = value.partition("=")
            spec.files[name] = _unescape(text)
        case "link":
            spec.links = (*spec.links, value)
        case "env":
            name, _, text = value.partition("=")
            spec.environment[name] = text
        case _:
            raise SpecError(f"unknown directive `{word}`")


def _column(line: str, text: str) -> int:
    """Where `text` stands in a line of source, in bytes from 1."""
    source = line.split("//!")[0]
    if source.count(text) != 1:
        raise SpecError(f"`{text}` must stand exactly once in `{source.strip()}`")
    return len(source[: source.index(text)].encode("utf-8")) + 1


def _read_mark(spec: Spec, file: str, number: int, line: str, body: str) -> None:
    trap = _TRAP.match(body)
    if trap is not None:
        if spec.trap is not None:
            raise SpecError("a program has one trap")
        column = _column(line, trap["at"]) if trap["at"] else 0
        spec.trap = Trap(file, number, column, trap["message"].strip())
    elif body.startswith("story: "):
        spec.story.append(body.removeprefix("story: "))
    else:
        place = number
        if body.startswith("file: "):
            place, body = 0, body.removeprefix("file: ")
        for word in body.split():
            if not _CODE.match(word):
                raise SpecError(f"line {number}: `{word}` is no code")
            spec.marks.append(Mark(file, place, tuple(word.split("|"))))


def _read_section(text: str) -> bytes:
    """Behind `output:` on its own line comes one line; else the lines up to the end of the comment."""
    first, newline, rest = text.partition("\n")
    if newline:
        if first.strip():
            raise SpecError("text of several lines begins below `output:`")
        return rest.encode("utf-8")
    return (first.strip() + "\n").encode("utf-8") if first.strip() else b""


def _check(spec: Spec) -> None:
    match spec.kind:
        case "test":
            if spec.output is None:
                raise SpecError("there is no /* output: … */")
            if spec.trap is not None:
                raise SpecError("a trap belongs into a trap-program")
            if any(code.startswith("E") for mark in spec.marks for code in mark.codes):
                raise SpecError("an expected error belongs into a fail-program")
        case "trap":
            if spec.trap is None:
                raise SpecError("there is no `//! trap: …`")
            spec.status = 1
        case "fail":
            if not spec.marks:
                raise SpecError("there is no `//! E….`")


def _read_marks(spec: Spec, file: str, text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        mark = _MARK.search(line)
        if mark is not None:
            _read_mark(spec, file, number, line, mark.group(1).strip())


def imported_files(directory: Path, text: str) -> list[str]:
    """The helper files that a program imports, directly or not."""
    found: list[str] = []
    waiting = [("", text)]
    for folder, content in waiting:
        for path in re.findall(r'^import "([^"]+)"', content, re.MULTILINE):
            name = os.path.normpath(os.path.join(folder, path))
            if name.startswith("modules/") and name not in found and (directory / name).is_file():
                found.append(name)
                waiting.append((os.path.dirname(name), (directory / name).read_text(errors="replace")))
    return found


def read_spec(path: Path) -> Spec:
    kind = path.stem.partition("-")[0]
    if kind not in KINDS:
        raise SpecError(f"a program is named {', '.join(f'{kind}-…' for kind in KINDS)}")
    spec = Spec(path, kind)
    # Bytes that are not UTF-8 are what some fail-programs are about.
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    for line in text.split("\n"):
        directive = _DIRECTIVE.match(line)
        if directive is not None:
            _apply(spec, directive.group(1), directive.group(2) or "")
    _read_marks(spec, path.name, text)
    texts = [text]
    for name in imported_files(path.parent, text):
        texts.append((path.parent / name).read_bytes().decode("utf-8", "surrogateescape"))
        _read_marks(spec, name, texts[-1])
    for section in _SECTION.finditer(text):
        content = _read_section(section.group(2))
        if section.group(1) == "output":
            spec.output = content
        else:
            spec.errors = content
    spec.uses_slaves = any(re.search(r"\b(remote|slaves\(|slots\()", part) for part in texts)
    _check(spec)
    return spec


def all_programs() -> list[Path]:
    return sorted(PROGRAMS.glob("*.ms"))
