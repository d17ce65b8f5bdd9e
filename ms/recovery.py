"""Getting over a syntax error: what is said about it, and how the parse goes on.

A mistake is mended by the first of these that lets the next tokens fit: one that people are known to make, another
word, one more, one less; else text is given up to a `;`, a brace or a word that begins something. What would fit is
asked of `tables.py`, what is done is done by `parser.Parse`.
Invariants: a mistake at the very token where the parse went on is a consequence of the one before and is not reported;
after `_MENDS_MAX` mends the rest of the text is given up.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from ms import errors, syntax
from ms.diagnostics import Label
from ms.lexer import END, KEYWORDS, Token
from ms.source import Span
from ms.tables import Repair, Tables

if TYPE_CHECKING:
    from ms.parser import Parse

_MENDS_MAX = 200
_REPORTS_MAX = 30
_PATCHES_MAX = 20

_CLOSERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE", "MAP_BRACE": "RBRACE"}
_STATEMENT_STARTS = frozenset({"IF", "WHILE", "FOR", "SWITCH", "RETURN", "BREAK", "CONTINUE"})
_TYPE_STARTS = frozenset({"CONVERSION", "SCALAR", "STRUCT", "VECTOR", "MAP", "JOB"})
_WHOLE_EXPRESSIONS = frozenset({"expression", "expressions", "argument", "argument_list"})
_ENDS = frozenset({"SEMICOLON", "LBRACE", "RBRACE"})
_ONLY_AT_TOP = frozenset({"MASTER", "IMPORT", "EXTERN"})


class Recovery:
    """The mends of one parse."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self._tables = Tables(parse.rows, parse.end_state, parse.terminals)
        self._mends = 0
        self._reports = 0
        # The token at which the parse went on after text was given up: the end, where an open comment took the rest.
        self._resumed = len(parse.tokens) - 1 if parse.tokens[-1].text else -1
        self._mistaken = -1  # the token of the last mistake
        self._stray = -1  # what `_statement_at_top` said of it
        self._reserved: set[str] = set()
        self._bad_braces: list[Token] | None = None
        self._strange = sorted(item.span.start for item in parse.diagnostics.items if item.code == "E0106")

    def mend(self, index: int) -> int:
        """Gets over token `index`, which does not fit. Gives the token to go on with, -1 when nothing is left to do."""
        self._mends += 1
        if self._mends > _MENDS_MAX or self._reports >= _REPORTS_MAX:
            return self._give_up(index)
        while (rule := self._tables.default_rule(self._parse.states[-1])) is not None:
            self._parse.reduce(rule)
        mends = (
            self._mend_end,
            self._mend_keyword,
            self._mend_field,
            self._mend_cast,
            self._mend_void,
            self._mend_for_comma,
            self._mend_literal,
            self._mend_unclosed,
            self._mend_stray,
        )
        for mend in mends:
            resumed = mend(index)
            if resumed is not None:
                return resumed
        return self._mend_any(index)

    # Reporting

    def _report(
        self, index: int, span: Span, expected: str, found: str, *help: str, at: tuple[Label, ...] = ()
    ) -> None:
        """Reports what is wrong at token `index`, unless it follows from what was reported before."""
        if self._follows(index) or self._follows_strange_text(index):
            return
        self._reports += 1
        self._parse.diagnostics.add(errors.syntax_error(span, found, expected, *help, at=at))

    def _follows(self, index: int) -> bool:
        """Whether a mistake at token `index` comes from the one before: no statement ended between them, or both are
        statements where only declarations stand."""
        before, self._mistaken = self._mistaken, index
        statement = self._statement_at_top(index)
        is_stray = statement >= 0 and statement == self._stray
        self._stray = statement
        if index == self._resumed or is_stray:
            return True
        between = self._parse.tokens[before:index] if 0 <= before <= index else ()
        return 0 <= before <= index and all(token.type not in _ENDS for token in between)

    def _statement_at_top(self, index: int) -> int:
        """How many declarations there are, where what is being read looks like a statement among them; else -1."""
        symbols = self._symbols(3)
        if symbols[-1:] == ["declarations"] or symbols[-2:] == ["declarations", "type"]:
            return len(self._parse.values[0])
        if symbols == ["declarations", "type", "NAME"] and self._indent(index) > 1:
            return len(self._parse.values[0])
        return -1

    def _indent(self, index: int) -> int:
        """The column in which the line of token `index` begins."""
        while index and not self._begins_line(index):
            index -= 1
        return self._column(index)

    def _follows_strange_text(self, index: int) -> bool:
        """Whether the lexer has reported something just before token `index`: text without end, or no token."""
        tokens = self._parse.tokens
        if index == 0:
            return bool(self._strange) and self._strange[0] < tokens[0].start
        before = tokens[index - 1]
        at = bisect_left(self._strange, before.end)
        is_gap = at < len(self._strange) and self._strange[at] < tokens[index].start
        return is_gap or before.text in ('"', "'")

    def _found(self, index: int) -> str:
        token = self._parse.tokens[index]
        if token.type == END:
            return "the end of the file"
        text = self._parse.file.data[token.start : token.end].decode("utf-8", "replace")
        return f"`{text}`" if len(text) <= 30 else f"`{text[:29]}…`"

    def _behind(self, index: int) -> Span:
        """The point behind the token in front of token `index`."""
        end = self._parse.tokens[index - 1].end if index else 0
        return Span(self._parse.file, end, end)

    def _line(self, index: int) -> int:
        return self._parse.file.place(self._parse.tokens[index].start)[0]

    def _column(self, index: int) -> int:
        return self._parse.file.place(self._parse.tokens[index].start)[1]

    def _begins_line(self, index: int) -> bool:
        return index == 0 or self._line(index - 1) < self._line(index)

    def _symbols(self, count: int) -> list[str]:
        """The symbols on top of the stack, the last one on top."""
        return [self._tables.symbols[state] for state in self._parse.states[1:][-count:]]

    def _list(self) -> str:
        return self._tables.symbols.get(self._parse.states[self._tables.list_index(self._parse.states)], "")

    # What people are known to write

    def _mend_end(self, index: int) -> int | None:
        """The text ends too early: what is open is closed."""
        if self._parse.tokens[index].type != END:
            return None
        span = self._behind(index)
        if self._list() == "declarations":
            self._report(index, span, self._tables.expected(self._parse.states), self._found(index))
        else:
            self._report(index, span, "`}`", self._found(index), at=self._unclosed())
        self._close_blocks(index)
        return index

    def _mend_keyword(self, index: int) -> int | None:
        """A keyword where only a name can stand."""
        token = self._parse.tokens[index]
        states = self._parse.states
        if token.text not in KEYWORDS or not self._tables.accepts(states, "NAME"):
            return None
        if token.type != "RESERVED" and self._tables.accepts(states, "INTEGER"):
            return None
        if not self._tables.survives(states, ("NAME",), self._parse.tokens, index + 1, 2):
            return None
        if token.text not in self._reserved and index != self._resumed:
            self._reserved.add(token.text)
            self._reports += 1
            kept = token.type == "RESERVED"
            self._parse.diagnostics.add(errors.reserved_word(self._parse.span(token), token.text, kept))
        self._parse.skipped.append(self._parse.span(token))
        self._parse.skipped_names.add(token.text)
        tokens = self._parse.tokens
        for at in range(index, len(tokens) if token.type == "RESERVED" else index + 1):
            if tokens[at].text == token.text:
                tokens[at] = Token("NAME", token.text, tokens[at].start, tokens[at].end)
        return index

    def _mend_field(self, index: int) -> int | None:
        """`s.f` for `s->f`."""
        if self._symbols(2) not in (["DOT", "NAME"], ["DOT", "CONVERSION"]):
            return None
        dot, name = self._parse.values[-2:]
        help = "a field is read with `->`; x.f(y) is the call f(x, y)"
        self._report(index, self._parse.span(dot), "`->`", "`.`", help)
        self._parse.cut(len(self._parse.states) - 3, index)
        self._parse.put(self._parse.terminals["->"], "->", index)
        self._parse.put("NAME", name.text, index)
        return index

    def _mend_cast(self, index: int) -> int | None:
        """`(int) x` for `int(x)`. A hole takes what follows as its operand, so that its type does not matter."""
        if self._symbols(2) != ["LPAR", "CONVERSION"] or self._parse.tokens[index].type != "RPAR":
            return None
        if not self._tables.accepts(self._parse.states[:-2], "NAME", "OPERATOR"):
            return None  # the type stands alone in the parentheses of a call
        name = self._parse.values[-1]
        span = self._parse.span(self._parse.tokens[index])
        self._report(index, span, "`(`", "`)`", f"a conversion is a call: {name.text}(x)")
        self._parse.cut(len(self._parse.states) - 3, index + 1)
        self._parse.put("NAME", "", index + 1)
        self._parse.put("OPERATOR", "*", index + 1)
        return index + 1

    def _mend_void(self, index: int) -> int | None:
        """`f(void)` for `f()`."""
        if self._symbols(2) != ["LPAR", "type"] or self._parse.tokens[index].type != "RPAR":
            return None
        given = self._parse.values[-1]
        if not isinstance(given, syntax.NamedType) or given.name != "void":
            return None
        self._report(index, given.span, "`)`", "`void`", "a function without parameters is written f()")
        self._parse.cut(len(self._parse.states) - 2, index)
        return index

    def _mend_literal(self, index: int) -> int | None:
        """`do { … }`: a statement that begins like a struct, with a block behind the name."""
        states, base = self._parse.states, self._tables.list_index(self._parse.states)
        above = [self._tables.symbols[state] for state in states[base + 1 : base + 3]]
        if self._list() not in ("statements", "cases") or above != ["NAME", "LBRACE"]:
            return None
        name = self._parse.values[base]
        brace = self._parse.values[base + 1]
        help = ("a loop is written while (true) { … if (…) break; }",) if name.text == "do" else ()
        self._report(index, self._parse.span(name), "a statement", f"`{name.text}`", *help)
        while self._parse.tokens[index].start > brace.start:
            index -= 1
        self._parse.cut(base, index)
        return index

    def _mend_for_comma(self, index: int) -> int | None:
        """`for (int i = 0, i < n; …)`: the comma has made a variable of the condition's first name."""
        states = self._parse.states
        if self._symbols(5) != ["LPAR", "type", "declarators", "COMMA", "NAME"]:
            return None
        insert = ("SEMICOLON", "NAME")
        if not self._tables.survives(states[:-2], insert, self._parse.tokens, index, 3):
            return None
        comma, name = self._parse.values[-2:]
        self._report(index, self._parse.span(comma), "`;` in the head of `for`", "`,`")
        self._parse.cut(len(states) - 3, index)
        self._parse.put("SEMICOLON", ";", index)
        self._parse.put("NAME", name.text, index)
        return index

    def _mend_unclosed(self, index: int) -> int | None:
        """A declaration in the middle of a block: a `}` is missing, or it does not belong there."""
        if self._list() == "declarations":
            return None
        start = self._declaration_start(index)
        if start is None:
            return None
        kind = self._parse.tokens[start].type
        if kind not in _ONLY_AT_TOP and self._column(start) > 1 and self._badly_indented() is None:
            return self._mend_nested(start, index)
        self._report(index, self._behind(start), "`}`", self._found(start), at=self._unclosed())
        self._parse.cut(self._tables.list_index(self._parse.states), start)
        self._close_blocks(start)
        self._resumed = start
        return start

    def _declaration_start(self, index: int) -> int | None:
        """The first token of the declaration that token `index` belongs to, None when it belongs to none."""
        kind = self._parse.tokens[index].type
        symbols = self._symbols(2)
        if kind in _ONLY_AT_TOP or (kind == "CONST" and symbols[-1:] == ["statements"]):
            return index
        if symbols[-1:] == ["JOB"] and kind in _TYPE_STARTS | {"NAME"}:
            return index - 1
        if symbols[-1] == "type" and kind == "LBRACE" and isinstance(self._parse.values[-1], syntax.StructTypeName):
            return index - 2
        if symbols == ["type", "NAME"] and kind == "LPAR" and self._body_behind(index) is not None:
            start = self._parse.values[-2].span.start
            while self._parse.tokens[index].start > start:
                index -= 1
            return index
        return None

    def _body_behind(self, index: int) -> int | None:
        """The `{` of a function whose head goes on at token `index`: the first `(` from there is its parameters'."""
        tokens = self._parse.tokens
        depth = 0
        for behind in range(index, min(index + 200, len(tokens) - 2)):
            kind = tokens[behind].type
            depth += (kind == "LPAR") - (kind == "RPAR")
            if kind == "RPAR" and depth == 0:
                behind += 1 + (tokens[behind + 1].text == "=")
                return behind if tokens[behind].type == "LBRACE" else None
            if kind in _ENDS:
                return None
        return None

    def _mend_nested(self, start: int, index: int) -> int | None:
        """A declaration inside a function: of its text, a body is read as a block, and a constant as a variable."""
        tokens = self._parse.tokens
        kind = tokens[start].type
        if kind == "CONST":
            found, behind = "a constant", start + 1
        elif kind == "STRUCT" and tokens[index].type == "LBRACE":
            found, behind = "a struct", self._behind_braces(index)
        else:
            body = self._body_behind(index)
            if body is None:
                return None
            found, behind = "a function", body
        span = Span(self._parse.file, tokens[start].start, tokens[max(start, index - 1)].end)
        self._report(index, span, "a statement", found, f"{found} stands outside of all functions")
        self._parse.cut(self._tables.list_index(self._parse.states), behind)
        self._resumed = behind
        return behind

    def _mend_stray(self, index: int) -> int | None:
        """A word where nothing begins with it."""
        kind = self._parse.tokens[index].type
        if self._tables.list_index(self._parse.states) != len(self._parse.states) - 1:
            return None
        expected = self._tables.expected(self._parse.states)
        span = self._parse.span(self._parse.tokens[index])
        where = self._list()
        behind = index + 1
        if kind == "RBRACE" and where == "declarations":
            self._report(index, span, expected, "`}`", "no `{` is open here")
        elif kind == "ELSE" and where in ("statements", "cases"):
            if not self._is_damaged_here():
                self._report(index, span, expected, "`else`", "`else` stands behind the one statement of its `if`")
        elif kind in ("CASE", "DEFAULT") and where == "statements":
            self._report(index, span, expected, self._found(index), "`case` and `default` stand directly in a `switch`")
            while self._parse.tokens[behind].type not in ("COLON", "SEMICOLON", "LBRACE", "RBRACE", END):
                behind += 1
            behind += self._parse.tokens[behind].type == "COLON"
        else:
            return None
        self._resumed = behind
        return behind

    def _is_damaged_here(self) -> bool:
        """Whether text was given up in the block that is open: the `if` of an `else` may have gone with it."""
        brackets, skipped = self._parse.brackets, self._parse.skipped
        return bool(brackets and skipped) and skipped[-1].start > brackets[-1][0].start

    # Blocks left open

    def _close_blocks(self, index: int) -> None:
        """Puts in the `}` that are missing in front of token `index`."""
        for _ in range(2 * len(self._parse.brackets) + 2):
            if self._tables.accepts(self._parse.states, "MASTER"):
                return
            if self._tables.accepts(self._parse.states, "RBRACE"):
                self._parse.put("RBRACE", "}", index)
            else:
                self._parse.cut(self._tables.list_index(self._parse.states), index)

    def _unclosed(self) -> tuple[Label, ...]:
        """The brace that was probably left open."""
        brace = self._badly_indented() or next((b for b, _ in reversed(self._parse.brackets) if b.text == "{"), None)
        return (Label(self._parse.span(brace), "this `{` is not closed"),) if brace is not None else ()

    def _badly_indented(self) -> Token | None:
        """The first badly indented block of the declaration that is open."""
        if not self._parse.brackets:
            return None
        if self._bad_braces is None:
            self._bad_braces = self._find_badly_indented()
        first = self._parse.brackets[0][0].start
        return next((brace for brace in self._bad_braces if brace.start >= first), None)

    def _find_badly_indented(self) -> list[Token]:
        """Each `{` whose `}` begins a line further to the left than the line of the `{` does, in order."""
        found: list[Token] = []
        open_braces: list[tuple[Token, int]] = []
        line, indent = 0, 0
        for token in self._parse.tokens:
            token_line, column = self._parse.file.place(token.start)
            begins = token_line > line
            if begins:
                line, indent = token_line, column
            if token.type == "LBRACE":
                open_braces.append((token, indent))
            elif token.type == "RBRACE" and open_braces:
                brace, wanted = open_braces.pop()
                if begins and column < wanted:
                    found.append(brace)
        return sorted(found, key=lambda brace: brace.start)

    # Any other mistake

    def _mend_any(self, index: int) -> int:
        tables, states, tokens = self._tables, self._parse.states, self._parse.tokens
        base = tables.list_index(states)
        closers = [_CLOSERS[bracket.type] for bracket, at in self._parse.brackets if at > base]
        begins_line = self._begins_line(index)
        repair: Repair | None = None
        if begins_line and tables.survives(states, ("SEMICOLON",), tokens, index, 1):
            repair = Repair(len(states) - 1, ("SEMICOLON",), index)
        elif tokens[index].text not in ("=", ":"):
            repair = tables.insertion(states, tokens, index, closers, begins_line)
        if repair is not None:
            self._report_missing(index, repair)
            return self._apply(repair, index)
        repair = tables.substitution(states, tokens, index, closers)
        if repair is not None:
            self._report_other(index, repair)
            return self._apply(repair, index)
        repair = tables.deletion(states, tokens, index)
        self._report_any(index)
        if repair is not None:
            return self._apply(repair, index)
        return self._give_up_some(index, base)

    def _report_missing(self, index: int, repair: Repair) -> None:
        """Reports that the first word of the repair is missing."""
        missing = repair.insert[0]
        if missing not in ("SEMICOLON", "RPAR", "RSQB", "RBRACE"):
            return self._report_any(index)
        construct = self._tables.construct(self._parse.states, self._parse.values)
        preposition = "in" if construct == "the head of `for`" else "after"
        expected = self._tables.text_of(missing) + (f" {preposition} {construct}" if construct else "")
        at: tuple[Label, ...] = ()
        if missing != "SEMICOLON":
            at = (Label(self._parse.span(self._parse.brackets[-1][0]), "opened here"),)
        self._report(index, self._behind(index), expected, self._found(index), *self._hints(index), at=at)
        return None

    def _report_other(self, index: int, repair: Repair) -> None:
        """Reports that another word is meant."""
        construct = self._tables.construct(self._parse.states, self._parse.values)
        expected = self._tables.text_of(repair.insert[0]) + (f" in {construct}" if construct else "")
        span = self._parse.span(self._parse.tokens[index])
        self._report(index, span, expected, self._found(index), *self._hints(index))

    def _report_any(self, index: int) -> None:
        expected = self._tables.expected(self._parse.states)
        construct = self._tables.construct(self._parse.states, self._parse.values)
        is_named = construct not in ("", "this statement")
        if is_named and self._parse.tokens[index].text == "=" and self._symbols(1)[0] in _WHOLE_EXPRESSIONS:
            expected = "`==`"
        if is_named:
            expected += f" {'after' if construct[0] == '`' else 'in'} {construct}"
        span = self._parse.span(self._parse.tokens[index])
        self._report(index, span, expected, self._found(index), *self._hints(index))

    def _hints(self, index: int) -> tuple[str, ...]:
        """What helps with mistakes that people bring from other languages."""
        token = self._parse.tokens[index]
        symbols = self._symbols(2)
        is_type = symbols[-1] in ("type", "CONVERSION", "SCALAR")
        if self._symbols(4)[:2] == ["FOR", "LPAR"] and token.text == ":":
            return ("a loop over elements has `in`: for (int x in v)",)
        if self._symbols(3) == ["FOR", "LPAR", "NAME"] and token.text == "in":
            return ("the variable of a loop has a type: for (int i in 0..n)",)
        if self._list() == "declarations":
            return self._hints_at_top(token, symbols)
        if token.text == "=" and symbols[-1] != "NAME":
            return ("`==` compares; `=` assigns, and is a statement of its own",)
        if token.type == "STEP":
            return (f"`x{token.text}` is a statement of its own",)
        if token.text == "[" and (is_type or symbols == ["type", "NAME"] or symbols[-1] == "declarators"):
            return ("a vector is declared `vector<int> v;`",)
        if token.text == "*" and is_type:
            return ("there are no pointers; a parameter `T& x` is the caller's variable itself",)
        if token.text in (",", "}") and symbols == ["MAP_BRACE", "expression"]:
            return ("a vector is written [1, 2, 3]",)
        if symbols[-1:] == ["WHILE"] or symbols[-1:] == ["IF"]:
            return ("a condition stands in ( )",)
        return ()

    def _hints_at_top(self, token: Token, symbols: list[str]) -> tuple[str, ...]:
        if token.text in ("=", ";") and symbols == ["type", "NAME"]:
            return ("there are no global variables; a constant is declared `const int n = 1;`",)
        if token.text == "=" and symbols == ["CONST", "type"]:
            return ("a constant is declared with its type: `const int n = 1;`",)
        if token.text == "(" and symbols == ["JOB", "type"]:
            return ("a job is declared with the type of its result: `job int f()`",)
        if token.type in _STATEMENT_STARTS or symbols == ["declarations", "type"]:
            return ("statements stand in a function or in `master { … }`",)
        return ()

    def _apply(self, repair: Repair, index: int) -> int:
        parse = self._parse
        is_cut = repair.keep < len(parse.states) - 1
        if is_cut:
            parse.cut(repair.keep, repair.index)
        elif repair.index > index:
            parse.skip(parse.tokens[index].start, repair.index)
            parse.skipped.append(Span(parse.file, parse.tokens[index].start, parse.tokens[repair.index].start))
        for terminal in repair.insert:
            parse.put(terminal, "", repair.index)
        self._resumed = repair.index if is_cut else -1
        return repair.index

    # Giving up text

    def _give_up(self, index: int) -> int:
        """Gives up all that is left."""
        parse = self._parse
        behind = len(parse.tokens) - 1
        parse.skip(parse.tokens[index].start, behind)
        parse.cut(min(1, len(parse.values)), index)
        return -1

    def _give_up_some(self, index: int, base: int) -> int:
        """Gives up text from the last thing that could stand alone to where the next one may begin."""
        repair = self._head_of_for(index, base) or self._sync(index, base)
        if self._resumed == repair.index and repair.keep == len(self._parse.states) - 1 and not repair.insert:
            repair = Repair(base, (), repair.index + (self._parse.tokens[repair.index].type != END))
        self._apply(repair, index)
        self._resumed = repair.index
        return repair.index

    def _head_of_for(self, index: int, base: int) -> Repair | None:
        """An empty head in the place of the head of `for` that token `index` stands in."""
        states, tokens = self._parse.states, self._parse.tokens
        depth = 0
        keep = 0
        for bracket, at in self._parse.brackets:
            if at > base and bracket.type == "LPAR":
                keep = keep or (at if self._tables.symbols[states[at - 1]] == "FOR" else 0)
                depth += keep > 0
        if not keep:
            return None
        for behind in range(index, min(index + 200, len(tokens))):
            kind = tokens[behind].type
            depth += (kind == "LPAR") - (kind == "RPAR")
            if kind in ("LBRACE", "RBRACE", END):
                return None
            if depth == 0:
                return Repair(keep, ("SEMICOLON", "SEMICOLON"), behind)
        return None

    def _sync(self, index: int, base: int) -> Repair:
        """Where to go on: behind a `;`, or at a token that fits."""
        parse, tables = self._parse, self._tables
        open_here = [bracket.type for bracket, at in parse.brackets if at > base]
        where = tables.symbols.get(parse.states[base], "")
        patches = 0
        while True:
            token = parse.tokens[index]
            kind = token.type
            if kind == END:
                return Repair(base, (), index)
            if kind in ("SEMICOLON", "LBRACE", "RBRACE", "RPAR", "RSQB", "COLON") and patches < _PATCHES_MAX:
                patches += 1
                repair = tables.patch(parse.states, base, token, index) if self._is_level(kind, open_here) else None
                if repair is not None:
                    return repair
            if kind in ("LPAR", "LSQB"):
                open_here.append(kind)
            elif kind in ("RPAR", "RSQB"):
                if open_here and _CLOSERS[open_here[-1]] == kind:
                    open_here.pop()
            elif kind == "SEMICOLON":
                return Repair(base, (), index + 1)
            elif kind == "LBRACE":
                if where in ("statements", "cases"):
                    return Repair(base, (), index)
                index = self._behind_braces(index)
                if where == "declarations":
                    return Repair(base, (), index)
                continue
            elif kind == "RBRACE":
                if open_here and _CLOSERS[open_here[-1]] == kind:
                    open_here.pop()
                else:
                    return Repair(base, (), index + (where == "declarations"))
            elif self._begins_line(index) and self._begins_something(kind, where) and index != self._resumed:
                return Repair(base, (), index)
            index += 1

    def _is_level(self, kind: str, open_here: list[str]) -> bool:
        """Whether a token may end what is open: a closer has to match."""
        return kind not in ("RPAR", "RSQB") or bool(open_here and _CLOSERS[open_here[-1]] == kind)

    def _begins_something(self, kind: str, where: str) -> bool:
        if where == "declarations":
            return kind in _ONLY_AT_TOP or kind in _TYPE_STARTS or kind == "CONST"
        return kind in _ONLY_AT_TOP or kind in _TYPE_STARTS or kind in _STATEMENT_STARTS

    def _behind_braces(self, index: int) -> int:
        """The token behind the `}` that closes the `{` at token `index`."""
        tokens = self._parse.tokens
        depth = 0
        while tokens[index].type != END:
            depth += (tokens[index].type == "LBRACE") - (tokens[index].type == "RBRACE")
            index += 1
            if depth == 0:
                break
        return index
