"""What lark's tables say about a text that does not fit: what could stand there, and which repair would let it go on.

Which repair is taken and what is said is left to `recovery.py`.
Invariants: nothing here changes a parse; each question looks at a bounded number of tokens and of states, so that text
with many mistakes still takes linear time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ms.lexer import END, Token

SURVIVING_TOKENS = 3  # so many tokens have to fit behind a repair
_STATES_COPIED_MAX = 200
_PREFIXES_TRIED_MAX = 64

# The kinds of lists that a parse goes on with after text was given up.
LISTS = ("declarations", "fields", "statements", "cases")

_OPENERS = frozenset({"LPAR", "LSQB", "LBRACE", "MAP_BRACE"})
_CLOSERS = frozenset({"RPAR", "RSQB", "RBRACE"})
_EXPRESSION_PARTS = frozenset({"value", "expression", "chain", "prefix", "postfix", "minimum", "appends"})
_HEADS = {"IF": "the condition of `if`", "WHILE": "the condition of `while`", "FOR": "the head of `for`"}
_HEADS["SWITCH"] = "the value of `switch`"
_WORDS_MAX = 4
_CONFUSED = {"=": (":",), "==": ("=",), ":": ("::",), "->": (".",), ";": (",",), ",": (";",)}


@dataclass(frozen=True, slots=True)
class Repair:
    """Give up all states above index `keep`, take `insert` as if it stood there (terminals; a `NAME` is a hole), and go
    on with token `index`."""

    keep: int
    insert: tuple[str, ...]
    index: int


class Tables:
    """lark's tables. A stack is a list of states, the first of them the start."""

    def __init__(self, states: Mapping[int, Mapping[str, Any]], end_state: int, terminals: Mapping[str, str]) -> None:
        self._states = states
        self._end_state = end_state
        self.terminals = terminals
        self._texts = {name: text for text, name in reversed(list(terminals.items()))}
        self.symbols: dict[int, str] = {}
        for row in states.values():
            for symbol, (_, argument) in row.items():
                if isinstance(argument, int):
                    self.symbols[argument] = symbol

    # Questions about the tables

    def shifts(self, stack: list[int], terminal: str) -> bool:
        """Whether the terminal is accepted; the stack is then the one behind it."""
        while True:
            entry = self._states[stack[-1]].get(terminal)
            if entry is None:
                return False
            argument = entry[1]
            if isinstance(argument, int):
                stack.append(argument)
                return True
            size = len(argument.expansion)
            if size >= len(stack):
                return False  # a copy of the top of a stack that does not reach far enough
            if size:
                del stack[-size:]
            stack.append(self._states[stack[-1]][argument.origin.name][1])
            if terminal == END and stack[-1] == self._end_state:
                return True

    def accepts(self, stack: Sequence[int], *terminals: str) -> bool:
        copy = list(stack[-_STATES_COPIED_MAX:])
        return all(self.shifts(copy, terminal) for terminal in terminals)

    def takes(self, state: int, terminal: str) -> bool:
        return terminal in self._states[state]

    def terminals_of(self, token: Token, state: int) -> tuple[str, ...]:
        """What a token is in a state: see the head of the grammar. A word kept for later counts as a name here."""
        kind = token.type
        if kind == "RESERVED":
            return ("NAME",)
        if kind == "LBRACE" and kind not in self._states[state]:
            return ("MAP_BRACE",)
        if kind == "SHIFT" and kind not in self._states[state]:
            return ("MORETHAN",) * (token.end - token.start)
        return (kind,)

    def default_rule(self, state: int) -> Any:
        """The rule that is reduced in a state whatever comes next, None when that depends on what comes."""
        rules = {id(argument): argument for name, (_, argument) in self._states[state].items() if not name.islower()}
        rule = next(iter(rules.values())) if len(rules) == 1 else None
        return None if isinstance(rule, int) else rule

    def survives(
        self, stack: Sequence[int], insert: Iterable[str], tokens: Sequence[Token], index: int, count: int
    ) -> bool:
        """Whether `insert` and then `count` tokens from `index` on are accepted, or all up to the end of the text."""
        copy = list(stack[-_STATES_COPIED_MAX:])
        if not all(self.shifts(copy, terminal) for terminal in insert):
            return False
        for token in tokens[index : index + count]:
            if not all(self.shifts(copy, terminal) for terminal in self.terminals_of(token, copy[-1])):
                return False
            if token.type == END:
                break
        return True

    def list_index(self, stack: Sequence[int]) -> int:
        """The index of the innermost list in the stack; 0 where there is none yet."""
        for index in range(len(stack) - 1, 0, -1):
            if self.symbols[stack[index]] in LISTS:
                return index
        return 0

    # Repairs

    def insertion(
        self, stack: Sequence[int], tokens: Sequence[Token], index: int, open_brackets: Sequence[str], begins_line: bool
    ) -> Repair | None:
        """What could be missing in front of token `index`. `open_brackets` are the closers of the brackets that are
        open in this statement, the innermost last. A token that begins a line may begin a statement."""
        closers = tuple(reversed(open_brackets))
        candidates: list[tuple[str, ...]] = [("SEMICOLON",)]
        candidates += [closers[:count] for count in range(1, min(len(closers), 4) + 1)]
        ends = [(*closers, "SEMICOLON")] if closers else []
        candidates += [*ends, ("COMMA",)] if begins_line else [("COMMA",), *ends]
        candidates += [("NAME",), ("COLON",)]
        candidates += [("LBRACE",)] if self._wants_body(stack[-1]) else []
        for insert in candidates:
            if self.survives(stack, insert, tokens, index, SURVIVING_TOKENS):
                return Repair(len(stack) - 1, insert, index)
        return None

    def substitution(
        self, stack: Sequence[int], tokens: Sequence[Token], index: int, open_brackets: Sequence[str]
    ) -> Repair | None:
        """Another word in the place of token `index`: one that is often confused with it."""
        token = tokens[index]
        others = [self.terminals[other] for other in _CONFUSED.get(token.text, ())]
        if token.type in _CLOSERS and open_brackets:
            others.append(open_brackets[-1])
        if self._wants_body(stack[-1]):
            others.append("LBRACE")
        for other in others:
            if self.survives(stack, (other,), tokens, index + 1, SURVIVING_TOKENS):
                return Repair(len(stack) - 1, (other,), index + 1)
        return None

    def _wants_body(self, state: int) -> bool:
        """Whether a body may begin in a state, and no other block: behind the head of a function or a struct."""
        return self.takes(state, "LBRACE") and not self.takes(state, "IF") and not self.takes(state, "OPERATOR")

    def deletion(self, stack: Sequence[int], tokens: Sequence[Token], index: int) -> Repair | None:
        """Going on without token `index`."""
        if tokens[index].type in ("LBRACE", "RBRACE", END):
            return None
        if self.survives(stack, (), tokens, index + 1, SURVIVING_TOKENS):
            return Repair(len(stack) - 1, (), index + 1)
        return None

    def patch(self, stack: Sequence[int], base: int, token: Token, index: int) -> Repair | None:
        """The least that can be given up, above the list at `base`, so that token `index` fits, with a hole or not."""
        patches = ((), ("NAME",), ("NAME", "RPAR"), ("LPAR", "NAME", "RPAR"), ("RPAR",))
        closed = 0  # brackets that are whole are given up as a whole
        for keep in range(len(stack) - 1, max(base, len(stack) - _PREFIXES_TRIED_MAX), -1):
            above = self.symbols[stack[keep + 1]] if keep + 1 < len(stack) else ""
            closed += (above in _CLOSERS) - (above in _OPENERS and closed > 0)
            if closed:
                continue
            for insert in patches:
                if insert and not self.takes(stack[keep], insert[0]):
                    continue
                copy = list(stack[max(0, keep - _STATES_COPIED_MAX) : keep + 1])
                if all(self.shifts(copy, terminal) for terminal in (*insert, token.type)):
                    return Repair(keep, insert, index)
        return None

    # Words

    def text_of(self, terminal: str) -> str:
        """A terminal as it is shown: `;`."""
        return f"`{self._texts[terminal]}`" if terminal in self._texts else "a name"

    def expected(self, stack: Sequence[int]) -> str:
        """What could stand behind a stack, in words for people."""
        state = stack[-1]
        taken = {name for name in self._states[state] if not name.islower() and self.accepts(stack, name)}
        words: list[str] = []
        if "MASTER" in taken:
            return "a function, a struct, a constant or `master`"
        if "IF" in taken:
            return "`case`, `default` or a statement" if "CASE" in taken else "a statement"
        if "INTEGER" in taken:
            words.append("an expression")
        elif "VECTOR" in taken:
            words.append("a type")
        elif "NAME" in taken:
            words.append("a name")
        punctuation = [")", "]", "}", ";", ",", ":"]
        if "OPERATOR" not in taken:  # behind an operand, what may go on with it is not what is missing
            punctuation += ["=", "(", "{", "in", "<", ">", "::", "case", "->"]
        if {"SEMICOLON", "RBRACE"} <= taken:
            punctuation.remove("}")
        for text in punctuation:
            if self.terminals[text] in taken and not (words[:1] == ["an expression"] and text in "({"):
                words.append(f"`{text}`")
        if "STRING" in taken and "INTEGER" not in taken:
            words.append("a string")
        if not words and "OPERATOR" in taken:
            words.append("an operator")
        words = words[:_WORDS_MAX]
        return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "something else"

    def construct(self, stack: Sequence[int], values: Sequence[Any]) -> str:
        """What the text is in the middle of: "the arguments of `f`"; "" for nothing with a name."""
        symbols = [self.symbols[state] for state in stack[1:]]
        closed = 0
        for index in range(len(symbols) - 1, -1, -1):
            symbol = symbols[index]
            below = symbols[index - 1] if index else ""
            if symbol in _CLOSERS:
                closed += 1
            if closed:
                closed -= symbol in _OPENERS
                continue
            if symbol == "LPAR":
                return self._parenthesised(symbols, values, index)
            if symbol == "LSQB":
                return "the index" if below in _EXPRESSION_PARTS else "the vector"
            if symbol == "MAP_BRACE":
                return "the map"
            if symbol == "LBRACE" and below == "NAME" and symbols[index - 2] != "STRUCT":
                return f"the fields of {_shown(values[index - 1])}"
            if symbol == "IN":
                return _HEADS["FOR"]
            if symbol == "names":
                return f"the declaration of {_shown(values[index][-1])}"
            if symbol == "declarators":
                return f"the declaration of {_shown(values[index][-1].name)}"
            if symbol == "NAME" and below == "type" and _is_variable(symbols[:index]):
                return f"the declaration of {_shown(values[index])}"
            if symbol == "EQUAL" and below == "NAME":
                return f"the declaration of {_shown(values[index - 1])}"
            if symbol in ("RETURN", "BREAK", "CONTINUE", "IMPORT"):
                return f"`{values[index].text}`"
            if symbol in LISTS or symbol == "LBRACE":
                return "this statement" if symbol in ("statements", "cases") and index < len(symbols) - 1 else ""
        return ""

    def _parenthesised(self, symbols: Sequence[str], values: Sequence[Any], index: int) -> str:
        below = symbols[index - 1] if index else ""
        if below in _HEADS:
            return _HEADS[below]
        if below == "NAME" and symbols[index - 2 : index - 1] == ["type"]:
            return f"the parameters of {_shown(values[index - 1])}"
        if below in ("NAME", "CONVERSION"):
            return f"the arguments of {_shown(values[index - 1])}"
        return ""


def _is_variable(symbols: Sequence[str]) -> bool:
    """Whether a name behind these symbols, the last of them its type, is a variable's: no function's or parameter's."""
    before = symbols[-2:-1]
    return before not in (["declarations"], ["JOB"], ["EXTERN"], ["COMMA"]) and symbols[-3:-1] != ["NAME", "LPAR"]


def _shown(name: Any) -> str:
    """A name in a message; one that recovery has made up has no text to show."""
    return "something" if name.text.startswith("?") else f"`{name.text}`"
