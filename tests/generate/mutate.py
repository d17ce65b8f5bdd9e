"""Right programs with something wrong in them: whatever stands in a file, the compiler gives an answer.

An answer is errors, each with a place inside of the file, or a program. A sample of the programs is run, with limits
on time and memory: none may be ended by a signal. What they do is not looked at. Always holds: a program that could
touch files or start others is not run.
"""

from __future__ import annotations

import random
import re
import resource
import subprocess
import tempfile
import traceback
from pathlib import Path

from run_programs import environment_of

from generate import judge
from ms import codegen, driver
from ms.diagnostics import Diagnostics, ProgramError, Severity, render, to_json
from ms.files import Files
from ms.source import SourceFile

TESTS = Path(__file__).resolve().parent.parent
TIME_S = 5.0
MEMORY_SIZE = 1 << 30
DANGEROUS = re.compile(rb"\b(exec|write_file|append_file|extern|sleep|read_line|at_end)\b")
TOKEN = re.compile(
    rb'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|' + rb"'(?:\\.|[^'\\\n])*'|" + rb"[A-Za-z_]\w*|\d[\w.]*|\s+|"
    rb">>>=?|<<=|>>=|->|::|\.\.|\+\+|--|&&|\|\||[-+*/%&|^=!<>]=|<<|>>|.",
    re.DOTALL,
)
EXTRA = (b"0", b"-1", b"2147483648", b"1.5", b"''", b'""', b"[]", b"{}", b"int", b"string", b"vector<int>", b"void",
         b"job<int>", b"struct", b"remote", b"get", b"master", b"const", b"auto", b"->", b"::", b"..", b"&", b"(", b")",
         b"{", b"}", b"[", b"]", b";", b"?", b":", b"return", b"break", b"case", b"default:", b"for", b"in", b"import",
         b"running", b"true", b"fill(3, 0)", b"size", b"pop", b"sort", b"map<string, int>", b"each", b"reduce",
         b"float", b"1.5f", b"0x8000000000000000", b"\xff", b"nan")  # fmt: skip


def corpus() -> list[bytes]:
    """Programs without their directives and expectations."""
    paths = [*sorted((TESTS / "ms_programs").glob("*.ms")), *sorted((TESTS.parent / "examples").glob("*.ms"))]
    return [path.read_bytes() for path in paths if not path.name.startswith("fail-") and path.stat().st_size < 8000]


def mutated(programs: list[bytes], choice: random.Random) -> bytes:
    """One of the programs, with one to three changes."""
    data = choice.choice(programs)
    tokens = TOKEN.findall(data)
    if choice.random() < 0.1:
        return _bytes_changed(data, choice)
    for _ in range(choice.choice((1, 1, 2, 3))):
        solid = [i for i, token in enumerate(tokens) if not token.isspace()]
        if not solid:
            break
        at, other = choice.choice(solid), choice.choice(solid)
        match choice.choice((0, 1, 2, 3, 4, 5, 5, 5, 5, 6, 7)):
            case 0:
                del tokens[at : at + choice.choice((1, 1, 2, 4))]
            case 1:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 2:
                tokens[at:at] = tokens[at : at + choice.randint(1, 12)]
            case 3:
                tokens[at] = choice.choice(EXTRA)
            case 4:
                tokens.insert(at, choice.choice(EXTRA))
            case 5:
                tokens[at] = _alike(tokens, tokens[at], choice)
            case 6:
                tokens[at:at] = tokens[other : other + choice.randint(1, 20)]
            case _:
                foreign = TOKEN.findall(choice.choice(programs))
                start = choice.randrange(max(1, len(foreign)))
                tokens[at:at] = foreign[start : start + choice.randint(1, 30)]
    return b"".join(tokens)


def _alike(tokens: list[bytes], token: bytes, choice: random.Random) -> bytes:
    """Another token of the same kind, so that what comes out is often right, or nearly."""

    def kind(each: bytes) -> bytes:
        return b"a" if each[:1].isalpha() else b"0" if each[:1].isdigit() else each[:1] if each[:1] in b"\"'" else b"+"

    candidates = [
        each for each in tokens if kind(each) == kind(token) and not each.isspace() and each[:2] not in (b"//", b"/*")
    ]
    return choice.choice(candidates) if candidates else token


def _bytes_changed(data: bytes, choice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(len(changed) + 1)
        match choice.randrange(3):
            case 0:
                del changed[at : at + 1]
            case 1:
                changed.insert(at, choice.randrange(256))
            case _:
                if at < len(changed):
                    changed[at] ^= 1 << choice.randrange(8)
    return bytes(changed)


def _analysed(data: bytes) -> tuple[judge.Analysed | None, list[str]]:
    diagnostics = Diagnostics()
    source = SourceFile("prog.ms", data)
    try:
        program, fingerprint = driver.on_big_stack(lambda: driver.analyse(Files(source), driver.Options(), diagnostics))
    except ProgramError:
        errors = [item for item in diagnostics.items if item.severity is Severity.ERROR]
        found = [] if errors else ["refused without an error"]
        for item in diagnostics.items:
            if not 0 <= item.span.start <= item.span.end <= len(item.span.file.data):
                found.append(f"{item.code} has no place in the file")
            render(item)
        to_json(diagnostics)
        return None, found
    return judge.Analysed(program, fingerprint, 0), []


def faults(data: bytes, run: bool, level: int = 0) -> tuple[str, list[str]]:
    """What became of it ("wrong", "right" or "ran"), and what is bad about that."""
    try:
        analysed, found = _analysed(data)
        if analysed is None:
            return "wrong", found
        if not run:
            for role in codegen.Role:
                text = codegen.generate(analysed.program, role, analysed.fingerprint, codegen.Options(opt_level=0))
                codegen.emit_object(text, codegen.Options(opt_level=0))
            return "right", []
        with tempfile.TemporaryDirectory(prefix="ms-mutant-") as directory:
            return "ran", _run(data, analysed, Path(directory), level)
    except Exception:
        return "crash", [traceback.format_exc(limit=-6)]


def _run(data: bytes, analysed: judge.Analysed, directory: Path, level: int) -> list[str]:
    if DANGEROUS.search(data):
        return []
    compiled = judge.compile_at(analysed, level, directory, [codegen.Role.MASTER])
    work = directory / "work"
    work.mkdir()
    try:
        ended = subprocess.run(
            [compiled.master, "--local", "--quiet"], cwd=work, env=environment_of({}), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=TIME_S, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_SIZE, MEMORY_SIZE)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return []
    if ended.returncode < 0:
        return [f"ended by signal {-ended.returncode}: {ended.stderr[-300:]!r}"]
    return []


def smaller(data: bytes, wanted: str, tries: int = 400) -> bytes:
    """Without lines, then without tokens, as long as the first fault's last line stays the same."""

    def is_bad(candidate: bytes) -> bool:
        return any(fault_key(fault) == wanted for fault in faults(candidate, run=wanted.startswith("ended"))[1])

    for split, glue in ((lambda d: d.split(b"\n"), b"\n"), (TOKEN.findall, b"")):
        size = 32
        while size > 0 and tries > 0:
            parts = split(data)
            start = 0
            while start < len(parts) and tries > 0:
                candidate = glue.join(parts[:start] + parts[start + size :])
                tries -= 1
                if is_bad(candidate):
                    data, parts = candidate, split(candidate)
                else:
                    start += size
            size //= 2
    return data


def fault_key(fault: str) -> str:
    """What is the same in two reports of one fault."""
    last = fault.strip().split("\n")[-1]
    return re.sub(r"[0-9]+|'[^']*'", "#", last)[:60]
