"""A large program in parts: several modules that are optimised side by side, and that both programs share.

What the jobs reach is compiled once for both programs, in parts of about the same size; what only the master reaches
in further parts; the description of each program is a small module of its own. Functions that call each other stand
in the same part where that can be, small functions of other parts are there to be inlined, and helpers are in every
part that uses them. So time goes with the size of the program, and memory with the size of a part.
Invariants: the parts depend on the program alone, not on the machine; a symbol that other parts see is hidden and
has a dot in it, so that it is none of the C library's; each part begins with its own `ms_text_start`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ms.codegen.emitter import PLAIN, Module
from ms.codegen.places import TEXT_START

LINES = 5_000
"""What a part aims at, in lines of LLVM's text."""
PARTS_MAX = 120
"""Beyond that parts become larger."""
IMPORT_MAX = 100
"""How long a function may be that other parts have a copy of."""
_SYMBOL = re.compile(r'@(?:"[^"]*"|[-\w.$]+)')
_NUMBER = re.compile(r"!(\d+)")
_STRING = re.compile(r'c"[^"]*"')


@dataclass(frozen=True, slots=True)
class Part:
    """The text of a module. `name` is what its text start and its table have behind theirs, `following` the name of the
    part whose table comes behind, if any."""

    name: str
    following: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Parts:
    """`shared` is what both programs have, `for_master` what only the master has; then the two descriptions."""

    shared: tuple[Part, ...]
    for_master: tuple[Part, ...]
    master: Part
    slave: Part


class Divider:
    """One module, whose text is taken apart."""

    def __init__(self, module: Module, master: str, slave: str) -> None:
        """`master` and `slave` are the definitions of `ms_program` in either program."""
        self.module = module
        self.descriptions = master, slave
        self.functions = {definition.symbol: definition for definition in module.functions}
        self.bodies = {symbol: "\n".join(definition.lines) for symbol, definition in self.functions.items()}
        self.globals = dict(module.global_definitions())
        self.declarations = {_symbols(line)[0]: line for line in module.declarations}
        self.references = {symbol: tuple(dict.fromkeys(_symbols(body))) for symbol, body in self.bodies.items()}
        for symbol, line in self.globals.items():
            self.references[symbol] = tuple(dict.fromkeys(_symbols(_STRING.sub("", line))[1:]))

    def divide(self) -> Parts:
        slave_functions = self._reached(self.descriptions[1])
        known = set(slave_functions)
        master_functions = [symbol for symbol in self._reached(self.descriptions[0]) if symbol not in known]
        chunks = [*self._chunks(master_functions), *self._chunks(slave_functions)]
        first_shared = len(self._chunks(master_functions))
        exported = self._exported(chunks)
        names = [f".{number + 1}" for number in range(len(chunks))]
        parts = []
        for chunk, name, following in zip(chunks, names, [*names[1:], None], strict=True):
            parts.append(Part(name, following, self._text(name, chunk, exported, [])))
        firsts = (names[0] if names else None, names[first_shared] if slave_functions else None)
        ends = [
            Part("", first, self._text("", [], exported, [description]))
            for first, description in zip(firsts, self.descriptions, strict=True)
        ]
        return Parts(tuple(parts[first_shared:]), tuple(parts[:first_shared]), ends[0], ends[1])

    def _reached(self, description: str) -> list[str]:
        """The functions that a program needs, helpers left out, each before those that it is the first to call."""
        order: list[str] = []
        seen: set[str] = set()
        pending = _symbols(_STRING.sub("", description))[::-1]
        while pending:
            symbol = pending.pop()
            if symbol in seen or symbol not in self.references:
                continue
            seen.add(symbol)
            if symbol in self.functions and not self.functions[symbol].is_helper:
                order.append(symbol)
            pending.extend(reversed(self.references[symbol]))
        return order

    def _chunks(self, symbols: list[str]) -> list[list[str]]:
        total = sum(self.functions[symbol].size for symbol in symbols)
        count = min(max(1, round(total / LINES)), PARTS_MAX)
        chunks: list[list[str]] = []
        size = 0
        for symbol in symbols:
            if not chunks or size >= total * len(chunks) / count:
                chunks.append([])
            chunks[-1].append(symbol)
            size += self.functions[symbol].size
        return chunks

    def _exported(self, chunks: list[list[str]]) -> dict[str, str]:
        """The functions that other parts see, with the symbols they have there."""
        home = {symbol: number for number, chunk in enumerate(chunks) for symbol in chunk}
        seen = set(self._roots())
        for symbol, number in home.items():
            seen.update(inner for inner in self._with_helpers(symbol) if home.get(inner, number) != number)
        return {symbol: symbol if "." in symbol else f"{symbol}.ms" for symbol in seen if symbol in home}

    def _roots(self) -> Iterator[str]:
        """The functions that the descriptions and their tables name."""
        pending = [symbol for text in self.descriptions for symbol in _symbols(_STRING.sub("", text))]
        while pending:
            symbol = pending.pop()
            if symbol in self.functions:
                yield symbol
            else:
                pending.extend(self.references.get(symbol, ()))

    def _with_helpers(self, symbol: str) -> Iterator[str]:
        """What a function and the copies that it brings along refer to."""
        seen: set[str] = set()
        pending = list(self.references[symbol])
        while pending:
            inner = pending.pop()
            if inner not in seen:
                seen.add(inner)
                yield inner
                if self._is_copied(inner):
                    pending.extend(self.references[inner])

    def _is_copied(self, symbol: str) -> bool:
        """Whether other parts have the text of a function too: helpers as their own, small ones to be inlined."""
        found = self.functions.get(symbol)
        if found is None or found.is_helper:
            return found is not None
        return found.is_inlined and found.attributes == PLAIN and found.size <= IMPORT_MAX

    # The text of a part

    def _text(self, name: str, own: list[str], exported: dict[str, str], definitions: list[str]) -> str:
        texts = [f'define hidden void @{TEXT_START}{name}() {PLAIN} section ".text" {{\nentry:\n  ret void\n}}']
        written = set(own)
        texts += [self._definition(symbol, "hidden" if symbol in exported else "internal", exported) for symbol in own]
        lines: list[str] = []
        pending = [inner for symbol in own for inner in self.references[symbol]]
        imported: set[str] = set()
        pending += [symbol for line in definitions for symbol in _symbols(_STRING.sub("", line))]
        while pending:
            symbol = pending.pop()
            if symbol in written:
                continue
            written.add(symbol)
            found = self.functions.get(symbol)
            if found is None:
                lines += [self.globals[symbol]] if symbol in self.globals else []
                lines += [self.declarations[symbol]] if symbol in self.declarations else []
                pending.extend(self.references.get(symbol, ()))
            elif found.is_helper:
                texts.append(self._definition(symbol, "internal", exported))
                pending.extend(self.references[symbol])
            elif own and self._is_copied(symbol):
                texts.append(self._definition(symbol, "available_externally hidden", exported))
                imported.add(symbol)
                pending.extend(self.references[symbol])
            else:
                head = self.functions[symbol].head.removeprefix("internal ")
                lines.append(_renamed(f"declare hidden {head}", exported))
        return self.module.text_of([*lines, *definitions, *texts], self._metadata(texts))

    def _definition(self, symbol: str, linkage: str, exported: dict[str, str]) -> str:
        found = self.functions[symbol]
        first = found.first_line(f"{linkage} {found.head.removeprefix('internal ')}")
        return _renamed(f"{first}\n{self.bodies[symbol]}", exported)

    def _metadata(self, texts: Iterable[str]) -> list[str]:
        """The nodes that functions refer to, and those behind these."""
        needed: set[int] = set()
        pending = [int(number) for text in [*texts, *self.module.named] for number in _NUMBER.findall(text)]
        while pending:
            number = pending.pop()
            if number not in needed and number < len(self.module.metadata_nodes):
                needed.add(number)
                pending.extend(int(inner) for inner in _NUMBER.findall(self.module.metadata_nodes[number]))
        return [self.module.metadata_nodes[number] for number in sorted(needed)]


def _symbols(text: str) -> list[str]:
    found: list[str] = _SYMBOL.findall(text)
    return found


def _renamed(text: str, exported: dict[str, str]) -> str:
    return _SYMBOL.sub(lambda match: exported.get(match[0], match[0]), text)

