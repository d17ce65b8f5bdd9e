"""Text to surface tree. The only importer of lark.

lark's LALR parser runs over the tokens of `lexer.py` and calls `productions.py`; here it is set up, fed, and helped
over mistakes. What the tree means is left to the checker.
Invariant: whatever the bytes are, `parse` gives a module and diagnostics, in linear time, and never raises.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from ms import errors, lexer, syntax
from ms.diagnostics import Diagnostics, ProgramError
from ms.lexer import END, Token
from ms.productions import Productions
from ms.source import SourceFile, Span

GRAMMAR = Path(__file__).with_name("grammar.lark")
SOURCE_SIZE_MAX = 16 * 1024 * 1024


class _NoLexer(Lexer):
    """Stands where lark wants a lexer: the tokens are fed."""

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any) -> Any:
        return iter(())


@cache
def _lark() -> tuple[Lark, Productions, dict[str, str]]:
    """lark with the grammar's tables, what it calls, and the terminal of each keyword and operator."""
    productions = Productions()
    lark = Lark(
        GRAMMAR.read_text("utf-8"), parser="lalr", lexer=_NoLexer, start="module", transformer=productions,
        keep_all_tokens=True, maybe_placeholders=False,
    )  # fmt: skip
    return lark, productions, _terminals(lark)


def _terminals(lark: Lark) -> dict[str, str]:
    terminals: dict[str, str] = {}
    import re

    for terminal in lark.terminals:
        if terminal.pattern is None or terminal.name == "NAME":
            continue
        pattern = terminal.pattern.to_regexp()
        inner = pattern[3:-1] if pattern.startswith("(?:") else pattern
        for word in re.split(r"(?<!\\)\|", inner):
            terminals[re.sub(r"\\(.)", r"\1", word)] = terminal.name
    return terminals


def parse(file: SourceFile, diagnostics: Diagnostics) -> syntax.Module:
    """The module of a file: all of it, or what could be parsed and diagnostics that say why."""
    lark, productions, terminals = _lark()
    productions.file = file
    productions.diagnostics = diagnostics
    state = lark.parse_interactive(None).parser_state
    states = state.parse_conf.states
    stack = state.state_stack
    feed: Any = state.feed_token
    try:
        for token in lexer.tokens(file, terminals, diagnostics):
            kind = token.type
            if kind == "LBRACE":
                if "LBRACE" not in states[stack[-1]]:
                    token.type = "MAP_BRACE"
            elif kind == "SHIFT" and kind not in states[stack[-1]]:
                for offset in range(token.end - token.start):
                    start = token.start + offset
                    feed(Token("MORETHAN", ">", start, start + 1))
                continue
            elif kind == END:
                return syntax.Module(file, tuple(feed(token, True)))
            feed(token)
    except UnexpectedToken as error:
        wrong: Any = error.token
        found = "end of file" if wrong.type == END else f"`{wrong.text}`"
        expected = ", ".join(sorted(error.expected))
        diagnostics.add(errors.syntax_error(Span(file, wrong.start, wrong.end), found, expected))
    return syntax.Module(file, ())


def read_source(path: str) -> SourceFile:
    """The file at `path`, or a `ProgramError` that says why it cannot be read."""
    nowhere = Span(SourceFile(path, b""), 0, 0)
    diagnostics = Diagnostics()
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(SOURCE_SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        diagnostics.add(errors.unreadable_file(nowhere, path, getattr(error, "strerror", None) or str(error)))
        raise ProgramError(diagnostics) from None
    if len(data) > SOURCE_SIZE_MAX:
        diagnostics.add(errors.unreadable_file(nowhere, path, f"larger than {SOURCE_SIZE_MAX >> 20} MiB"))
        raise ProgramError(diagnostics)
    return SourceFile(path, data)
