"""Text to surface tree. The only importer of lark.

lark's LALR parser runs over the tokens of `lexer.py` and calls `productions.py`; here it is set up and fed. Mistakes
are left to `recovery.py`, and what the tree means to the checker.
Invariants: whatever the bytes are, `parse` gives a module and diagnostics and takes linear time; one mistake gives one
message; no tree is deeper than the stated limits, so that passes may recurse.
"""

from __future__ import annotations

import gc
import hashlib
import os
import re
import sys
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lark
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from ms import errors, lexer, syntax
from ms.diagnostics import Diagnostic, Diagnostics
from ms.lexer import END, Token
from ms.productions import Chain, Productions
from ms.source import SourceFile, Span

if TYPE_CHECKING:
    from ms.recovery import Recovery

__all__ = ["BRACKETS_DEEP_MAX", "TREE_DEEP_MAX", "Parse", "parse"]

GRAMMAR = Path(__file__).with_name("grammar.lark")
BRACKETS_DEEP_MAX = 256  # of ( [ and { in each other
TREE_DEEP_MAX = 1000  # of nodes in each other
_STATES_MAX = 12_000  # deeper than TREE_DEEP_MAX: no production has more than ten symbols in front of its last
_RUN_MAX = 300  # a statement of fewer tokens, on fewer states, cannot make a tree that is too deep

CLOSERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE", "MAP_BRACE": "RBRACE"}
_CLOSING = frozenset(CLOSERS.values())
_RUN_ENDS = frozenset({"SEMICOLON", "LBRACE", "RBRACE"})
_SPECIAL = frozenset({*CLOSERS, *_CLOSING, *_RUN_ENDS, "SHIFT", END})


def parse(file: SourceFile, diagnostics: Diagnostics) -> syntax.Module:
    """The module of a file: all of it, or what could be parsed and diagnostics that say what is wrong with the rest."""
    strange = _bad_encoding(file)
    if strange is not None:
        diagnostics.add(strange)  # what other encodings would look like as tokens helps nobody
        return syntax.Module(file, (), (Span(file, 0, len(file.data)),))
    found = Diagnostics()
    collecting = gc.isenabled()
    gc.disable()  # what a parse makes is all alive: a collection in the middle would only cost time
    try:
        module = Parse(file, found).run()
    finally:
        if collecting:
            gc.enable()
    for item in sorted(found.items, key=lambda item: item.span.start):
        diagnostics.add(item)
    return module


def _bad_encoding(file: SourceFile) -> Diagnostic | None:
    try:
        file.data.decode("utf-8")
    except UnicodeDecodeError as error:
        span = Span(file, error.start, error.start + 1)
        help = "save the file as UTF-8"
        return errors.bad_text(span, f"byte 0x{file.data[error.start]:02x} is not UTF-8", help)
    return None


# Setting lark up


class NoLexer(Lexer):
    """Stands where lark wants a lexer: the tokens are fed. lark's cache knows it by its name."""

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any) -> Any:
        return iter(())


@cache
def _lark() -> tuple[lark.Lark, Productions, dict[str, str]]:
    """lark with the grammar's tables, what it calls, and the terminal of each keyword and operator."""
    grammar = GRAMMAR.read_bytes()
    kept = _cache_path(grammar)
    parser = _load(kept)
    if parser is None:
        parser = lark.Lark(
            grammar.decode(), parser="lalr", lexer=NoLexer, start="module", transformer=Productions(),
            keep_all_tokens=True, maybe_placeholders=False,
        )  # fmt: skip
        _save(parser, kept)
    productions = parser.options.transformer
    assert isinstance(productions, Productions)
    return parser, productions, _terminals(parser)


def _cache_path(grammar: bytes) -> str:
    """Where the tables of this grammar, made by this lark under this Python, are kept for the next run."""
    key = grammar + f"{lark.__version__} {sys.version}".encode()
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    directory = os.environ.get("MS_CACHE_DIR") or os.path.join(base, "ms")
    return os.path.join(directory, f"grammar-{hashlib.sha256(key).hexdigest()[:32]}")


def _load(path: str) -> lark.Lark | None:
    try:
        with open(path, "rb") as stream:
            parser = lark.Lark.load(stream)
        return parser if isinstance(parser.options.transformer, Productions) else None
    except Exception:  # a damaged cache may raise anything, and is made anew
        return None


def _save(parser: lark.Lark, path: str) -> None:
    """Keeps the tables, in one step. A cache that cannot be written costs the next run time and nothing more."""
    part = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(part, "xb") as stream:
            parser.save(stream)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            os.unlink(part)


def _terminals(parser: lark.Lark) -> dict[str, str]:
    """The terminal of each word that the grammar spells out."""
    terminals: dict[str, str] = {}
    for terminal in parser.terminals:
        if terminal.pattern is None or terminal.name == "NAME":
            continue
        pattern = terminal.pattern.to_regexp()
        for word in re.split(r"(?<!\\)\|", pattern[3:-1] if pattern.startswith("(?:") else pattern):
            terminals[re.sub(r"\\(.)", r"\1", word)] = terminal.name
    return terminals


# A parse


class Parse:
    """One file's parse under way. The stacks are lark's: state `index + 1` is the one behind value `index`, so keeping
    the states up to index `keep` keeps `keep` values."""

    def __init__(self, file: SourceFile, diagnostics: Diagnostics) -> None:
        parser, productions, self.terminals = _lark()
        productions.file = file
        productions.diagnostics = diagnostics
        self.file = file
        self.diagnostics = diagnostics
        self._state: Any = parser.parse_interactive(None).parser_state
        self.rows: Any = self._state.parse_conf.states
        self.end_state: int = self._state.parse_conf.end_state
        self.states: list[int] = self._state.state_stack
        self.values: list[Any] = self._state.value_stack
        self.tokens = list(lexer.tokens(file, self.terminals, diagnostics))
        self.brackets: list[tuple[Token, int]] = []  # those open, each with the index of its state
        self.skipped: list[Span] = []
        self.skipped_names: set[str] = set()
        if diagnostics.items:
            self.skipped += [item.span for item in diagnostics.items]
            self.skipped_names.update(token.text for token in self.tokens if not token.text.isascii())
        self._run_start = 0  # the token of the last `;`, `{` or `}`
        self._is_deep = False  # a tree may be too deep

    def run(self) -> syntax.Module:
        recovery: Recovery | None = None
        index = self._feed_from(0)
        while index >= 0:
            if recovery is None:
                recovery = _recovery(self)
            index = recovery.mend(index)
            if index >= 0:
                index = self._feed_from(index)
        made: list[syntax.TopLevel] = self.values[0] if self.values else []
        if self._is_deep:
            made = [self._shallow(each) for each in made]
        # Whether a literal in the wrong quotes is a char or a string is not known: types around it say nothing.
        self.skipped += [item.span for item in self.diagnostics.items if item.code == "E0110"]
        skipped = tuple(sorted(self.skipped, key=lambda span: span.start))
        return syntax.Module(self.file, tuple(made), skipped, frozenset(self.skipped_names))

    def _feed_from(self, index: int) -> int:
        """Feeds lark the tokens from `index` on. Gives the one that does not fit, -1 after the last."""
        feed, tokens, states = self._state.feed_token, self.tokens, self.states
        try:
            while True:
                token = tokens[index]
                if token.type in _SPECIAL:
                    if token.type == END:
                        self._note_run(index)
                        self.values[:] = [feed(token, True)]
                        return -1
                    self._feed_special(token, index)
                    if len(self.brackets) > BRACKETS_DEEP_MAX or len(states) > _STATES_MAX:
                        index = self._give_up_declaration(index)
                        continue
                else:
                    feed(token)
                index += 1
        except UnexpectedToken:
            return index

    def _feed_special(self, token: Token, index: int) -> None:
        kind = token.type
        if kind == "SHIFT" and kind not in self.rows[self.states[-1]]:
            for start in range(token.start, token.end):
                self._state.feed_token(Token("MORETHAN", ">", start, start + 1))
            return
        if kind == "LBRACE" and kind not in self.rows[self.states[-1]]:
            token = Token("MAP_BRACE", "{", token.start, token.end)
        self._state.feed_token(token)
        if kind in CLOSERS:
            self.brackets.append((token, len(self.states) - 1))
        elif kind in _CLOSING:
            self.brackets.pop()
        if kind in _RUN_ENDS:
            self._note_run(index)

    def _note_run(self, index: int) -> None:
        if index - self._run_start > _RUN_MAX or len(self.states) > _RUN_MAX:
            self._is_deep = True
        self._run_start = index

    # Limits

    def _give_up_declaration(self, index: int) -> int:
        """Too much in each other: goes on behind the declaration that it stands in."""
        limit = BRACKETS_DEEP_MAX if len(self.brackets) > BRACKETS_DEEP_MAX else TREE_DEEP_MAX
        self.diagnostics.add(errors.too_deep(self.span(self.tokens[index]), limit))
        braces = sum(bracket.text == "{" for bracket, _ in self.brackets)
        behind = index + 1
        while (kind := self.tokens[behind].type) != END:
            behind += 1
            braces += (kind == "LBRACE") - (kind == "RBRACE")
            if braces <= 0 and kind in ("RBRACE", "SEMICOLON"):
                break
        first = self.values[1]
        place = self.cut(1, behind)
        if isinstance(first, Token) and first.type == "MASTER":
            self.values[0].append(syntax.MasterDeclaration(syntax.BlockOf((), place), place))
        return behind

    def _shallow(self, declaration: syntax.TopLevel) -> syntax.TopLevel:
        """The declaration, emptied when a tree in it is too deep for the passes that come."""
        node = _node_below(declaration, TREE_DEEP_MAX)
        if node is None:
            return declaration
        self.diagnostics.add(errors.too_deep(node.span, TREE_DEEP_MAX))
        match declaration:
            case syntax.FunctionDeclaration() | syntax.MasterDeclaration():
                self.skipped.append(declaration.body.span)
                return replace(declaration, body=syntax.BlockOf((), declaration.body.span))
            case syntax.ConstDeclaration():
                self.skipped_names.update(each.name.text for each in declaration.declarators)
                return replace(declaration, declarators=())
            case _:
                return declaration

    # What recovery may do

    def span(self, token: Token) -> Span:
        return Span(self.file, token.start, token.end)

    def reduce(self, rule: Any) -> None:
        """Does what lark would do with whatever token comes next."""
        size = len(rule.expansion)
        given = self.values[len(self.values) - size :]
        del self.values[len(self.values) - size :]
        del self.states[len(self.states) - size :]
        self.values.append(self._state.parse_conf.callbacks[rule](given))
        self.states.append(self.rows[self.states[-1]][rule.origin.name][1])

    def put(self, terminal: str, text: str, index: int) -> None:
        """Feeds what is not in the text, in front of token `index`. A `NAME` without a text is a hole."""
        place = self.tokens[index - 1].end if index else 0
        if terminal == "NAME" and not text:
            text = f"?{len(self.skipped)}"
            self.skipped_names.add(text)
        self.skipped.append(Span(self.file, place, place))
        self._feed_special(Token(terminal, text, place, place), index)

    def cut(self, keep: int, behind: int) -> Span:
        """Gives up the states above index `keep` and the tokens up to `behind`."""
        start = min([at for at in map(_start, self.values[keep:]) if at is not None], default=self.tokens[behind].start)
        del self.states[keep + 1 :]
        del self.values[keep:]
        while self.brackets and self.brackets[-1][1] > keep:
            self.brackets.pop()
        place = Span(self.file, start, max(start, self.tokens[behind].start))
        self.skip(start, behind)
        self.skipped.append(place)
        return place

    def skip(self, start: int, behind: int) -> None:
        """Notes the names in the tokens from offset `start` up to token `behind`."""
        index = behind - 1
        while index >= 0 and self.tokens[index].start >= start:
            if self.tokens[index].type in ("NAME", "RESERVED"):
                self.skipped_names.add(self.tokens[index].text)
            index -= 1


def _recovery(parse: Parse) -> Recovery:
    from ms.recovery import Recovery

    return Recovery(parse)


def _start(value: Any) -> int | None:
    """Where what stands for some symbols begins; None for nothing."""
    while isinstance(value, (list, tuple)):
        if not value:
            return None
        value = value[0]
    if isinstance(value, Chain):
        value = value.operands[0]
    if isinstance(value, Token):
        return value.start
    if isinstance(value, syntax.Declarator):
        return value.name.span.start
    if isinstance(value, syntax.FieldDeclaration):
        value = value.type
    return value.span.start if value is not None else None


def _node_below(root: syntax.TopLevel, limit: int) -> Any:
    """A node with more than `limit` nodes around it, None when there is none. Blocks do not count."""
    waiting: list[tuple[Any, int]] = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, tuple):
            waiting += [(each, depth) for each in node]
        elif is_dataclass(node) and not isinstance(node, (Span, syntax.Name)):
            if depth > limit and hasattr(node, "span"):
                return node
            inner = depth + (not isinstance(node, syntax.BlockOf))
            waiting += [(getattr(node, each.name), inner) for each in fields(node)]
    return None
