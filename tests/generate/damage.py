"""Ways to damage a program, one file or several. All choices come from one `random.Random`; what the compiler makes of
it is looked at by `mutate.py`.

Always holds: a file stays below the size that the compiler reads, and the words come from its own grammar and table of
built-in functions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from program_spec import imported_files

from ms.builtins import BUILTINS, CONSTANTS
from ms.lexer import KEYWORDS

TESTS = Path(__file__).resolve().parent.parent
SIZE_MAX = 8000  # of the programs that are damaged
Files = dict[str, bytes]

TOKEN = re.compile(
    rb'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|' + rb"'(?:\\.|[^'\\\n])*'|" + rb"[A-Za-z_]\w*|\d[\w.]*|\s+|"
    rb">>>=?|<<=|>>=|->|::|\.\.|\+\+|--|&&|\|\||[-+*/%&|^=!<>]=|<<|>>|.",
    re.DOTALL,
)
EXTRA = (
    b"0",
    b"-1",
    b"2147483648",
    b"9223372036854775808",
    b"1.5",
    b"1.5f",
    b"1e999",
    b"0x8000000000000000",
    b"0b",
    b"''",
    b'""',
    b'"{} {:x}"',
    b"'a'",
    b"[]",
    b"{}",
    b"vector<int>",
    b"job<int>",
    b"map<string, int>",
    b"fill(3, 0)",
    b"default:",
    b"\xff",
    b"return remote",
    b"reduce",
    b"each",
    b"completed(",
    b"x",
    b"f(x)",
    b"job<",
    b"vector<",
    b'import "prog.ms";',
    b"struct s { s a; };",
    b"const int K = K;",
    b"extern int k();",
    b"2147483647 + 1",
)
ODD = (
    b"\0",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\f",
    b"\v",
    b"\x7f",
    b"\x1b[31m",
    b"\xf0\x9f\x98\x80",
    b"\xf4\x90\x80\x80",
    b"\\",
    b"`",
    b"@",
    b"#",
    b"$",
    b"\xe2\x80\x9c",
    b"\xd0\xb0",
    b"\n",
)
COUNTS = (3, 40, 255, 257, 1001, 4000, 30_000)


@cache
def words() -> tuple[bytes, ...]:
    """Every word and sign of the grammar, and the names of what is built in."""
    grammar = (TESTS.parent / "ms" / "grammar.lark").read_text()
    quoted = re.findall(r'"([^"\s]+)"', grammar)
    names = {*quoted, *KEYWORDS, *BUILTINS, *CONSTANTS, "rng", "exec_result", "job_state", "main", "args"}
    return (*sorted(name.encode() for name in names), *EXTRA)


def corpus() -> list[Files]:
    """Programs without their directives and expectations, each with the files that it imports."""
    paths = [*sorted((TESTS / "ms_programs").glob("*.ms")), *sorted((TESTS.parent / "examples").glob("*.ms"))]
    found = []
    for path in paths:
        if path.name.startswith("fail-") or path.stat().st_size >= SIZE_MAX:
            continue
        data = path.read_bytes()
        others = imported_files(path.parent, data.decode("utf-8", "replace"))
        found.append({"prog.ms": data, **{name: (path.parent / name).read_bytes() for name in others}})
    return found


def damaged(programs: list[Files], choice: random.Random) -> Files:
    """One of the programs with something wrong in one of its files."""
    several = [each for each in programs if len(each) > 1]
    files = dict(choice.choice(several if several and choice.random() < 0.1 else programs))
    name = choice.choice(list(files))
    foreign = choice.choice(list(choice.choice(programs).values()))
    kind = choice.random()
    if kind < 0.05:
        files[name] = _spliced(files[name], foreign, choice)
    elif kind < 0.10:
        files[name] = _bytes_changed(files[name], choice)
    elif kind < 0.14:
        files[name] = _with_odd_bytes(files[name], choice)
    elif kind < 0.17:
        files[name] = _deepened(files[name], choice)
    elif kind < 0.19:
        files[name] = _stretched(files[name], choice)
    elif kind < 0.21 and len(files) > 1:
        _files_changed(files, name, choice)
    else:
        files[name] = _tokens_changed(files[name], foreign, choice)
    return files


# Tokens


def _tokens_changed(data: bytes, foreign: bytes, choice: random.Random) -> bytes:
    tokens = TOKEN.findall(data)
    for _ in range(choice.choice((1, 1, 1, 2, 3))):
        solid = [i for i, token in enumerate(tokens) if not token.isspace()]
        if not solid:
            break
        at, other = choice.choice(solid), choice.choice(solid)
        match choice.choice((0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 6, 7)):
            case 0:
                del tokens[at : at + choice.choice((1, 1, 2, 4))]
            case 1:
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 2:
                tokens[at:at] = tokens[at : at + choice.randint(1, 12)]
            case 3:
                tokens[at] = _word(choice)
            case 4:
                tokens.insert(at, _word(choice))
            case 5:
                tokens[at] = _alike(tokens, tokens[at], choice)
            case 6:
                tokens[at:at] = tokens[other : other + choice.randint(1, 20)]
            case _:
                others = TOKEN.findall(foreign)
                start = choice.randrange(max(1, len(others)))
                tokens[at:at] = others[start : start + choice.randint(1, 30)]
    return b"".join(tokens)


def _word(choice: random.Random) -> bytes:
    return b" " + choice.choice(words()) + b" "


def _alike(tokens: list[bytes], token: bytes, choice: random.Random) -> bytes:
    """Another token of the same kind, so that what comes out is often right, or nearly."""

    def kind(each: bytes) -> bytes:
        return b"a" if each[:1].isalpha() else b"0" if each[:1].isdigit() else each[:1] if each[:1] in b"\"'" else b"+"

    candidates = [
        each for each in tokens if kind(each) == kind(token) and not each.isspace() and each[:2] not in (b"//", b"/*")
    ]
    return choice.choice(candidates) if candidates else token


def _spliced(data: bytes, foreign: bytes, choice: random.Random) -> bytes:
    """The head of one program and the tail of another; or all of both."""
    if choice.random() < 0.3:
        return data + b"\n" + foreign
    first, second = TOKEN.findall(data), TOKEN.findall(foreign)
    return b"".join(first[: choice.randint(0, len(first))] + second[choice.randint(0, len(second)) :])


# Bytes


def _bytes_changed(data: bytes, choice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(len(changed) + 1)
        match choice.randrange(4):
            case 0:
                del changed[at : at + 1]
            case 1:
                changed.insert(at, choice.randrange(256))
            case 2:
                del changed[at:]
            case _:
                if at < len(changed):
                    changed[at] ^= 1 << choice.randrange(8)
    return bytes(changed)


def _with_odd_bytes(data: bytes, choice: random.Random) -> bytes:
    odd = choice.choice(ODD)
    match choice.randrange(4):
        case 0:
            return odd + data
        case 1:
            return data.replace(b"\n", odd)
        case 2:
            return data.replace(b" ", odd, choice.randint(1, 20))
        case _:
            at = choice.randrange(len(data) + 1)
            return data[:at] + odd * choice.choice((1, 1, 2, 300)) + data[at:]


# Size


_NESTS: tuple[tuple[bytes, bytes, bytes], ...] = (
    (b"(", b"1", b")"),
    (b"[", b"1", b"]"),
    (b"{1: ", b"1", b"}"),
    (b"-", b"1", b""),
    (b"!", b"true", b""),
    (b"~ ", b"1", b""),
    (b"f(", b"1", b")"),
    (b"1 + ", b"1", b""),
    (b"1 + (", b"1", b")"),
    (b"true ? 1 : ", b"1", b""),
    (b"true ? ", b"1", b" : 2"),
    (b"", b"x", b"[0]"),
    (b"", b"x", b"->a"),
    (b"", b"x", b".size()"),
    (b"", b"x", b" :: 1"),
    (b"remote f(", b"1", b")"),
    (b"s{a: ", b"1", b"}"),
    (b"int(", b"1", b")"),
    (b"", b'"a"', b' + "a"'),
    (b"true && ", b"true", b""),
    (b"str(", b"1", b")"),
)
_STATEMENTS: tuple[tuple[bytes, bytes, bytes], ...] = (
    (b"{", b"", b"}"),
    (b"if (true) ", b";", b""),
    (b"if (true) {", b"", b"} else {}"),
    (b"while (false) ", b";", b""),
    (b"for (int i in 0..1) ", b";", b""),
    (b"switch (1) { default: ", b"", b"}"),
    (b"if (false) ; else ", b";", b""),
    (b"for (;;) ", b"break;", b""),
    (b"", b"int x", b" = 1, x"),
    (b"", b";", b";"),
    (b"print(1);", b"", b""),
)
_TYPES: tuple[tuple[bytes, bytes, bytes], ...] = (
    (b"vector<", b"int", b"> "),
    (b"vector<", b"int", b">"),
    (b"map<int, ", b"int", b">"),
    (b"job<", b"int", b">"),
)


def _deepened(data: bytes, choice: random.Random) -> bytes:
    """Something in itself, many times, instead of an expression, a statement or a type."""
    tokens = TOKEN.findall(data)
    kinds: dict[Callable[[bytes], bool], tuple[tuple[bytes, bytes, bytes], ...]] = {
        lambda token: token[:1].isdigit() or token[:1] in b"\"'": _NESTS,
        lambda token: token == b";": _STATEMENTS,
        lambda token: token in (b"int", b"long", b"string", b"double"): _TYPES,
    }
    fits, nests = choice.choice(list(kinds.items()))
    places = [i for i, token in enumerate(tokens) if fits(token)]
    if not places:
        return data
    head, middle, tail = choice.choice(nests)
    count = choice.choice(COUNTS)
    closed = count if choice.random() < 0.8 else choice.randint(0, count)
    at = choice.choice(places)
    end = b";" if tokens[at] == b";" else b""
    tokens[at] = end + head * count + middle + tail * closed
    return b"".join(tokens)


def _stretched(data: bytes, choice: random.Random) -> bytes:
    """Long lines, names, numbers, texts, lists."""
    count = choice.choice(COUNTS)
    match choice.randrange(7):
        case 0:
            return re.sub(rb"//[^\n]*", b"", data).replace(b"\n", b" ")
        case 1:
            names = sorted(set(re.findall(rb"\b[a-z_]\w*\b", data)) - {word.encode() for word in KEYWORDS})
            if not names:
                return data
            return re.sub(rb"\b" + choice.choice(names) + rb"\b", b"n" * count, data)
        case 2:
            return re.sub(rb"\b\d+\b", b"9" * count, data, count=1)
        case 3:
            return re.sub(rb'"[^"\n]*"', lambda found: b'"' + rb"\x41" * count + b'"', data, count=1)
        case 4:
            return re.sub(rb"\(", b"(" + b"1, " * count, data, count=1)
        case 5:
            return re.sub(rb"\[", b"[" + b"1, " * count, data, count=1)
        case _:
            return data.replace(b"\n", b" " * count + b"\n", 3)


# Several files


def _files_changed(files: Files, name: str, choice: random.Random) -> None:
    """A file is another's, is empty, is missing, imports what it must not."""
    other = choice.choice(list(files))
    match choice.randrange(5):
        case 0:
            files[name], files[other] = files[other], files[name]
        case 1:
            files[name] = b""
        case 2:
            files[name] += files[other]
        case 3:
            imported = choice.choice(
                (other.encode(), b"", b".", b"/", b"no.ms", b"prog.ms", b"../prog.ms", b"a\\nb", b"\\0")
            )
            files[name] = b'import "' + imported + b'";\n' + files[name]
        case _:
            if name != "prog.ms":
                del files[name]
