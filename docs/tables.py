"""Writes the tables that the documents share with the code: `python docs/tables.py` renews them, a test holds them to
it.

In docs/language.md, between `<!-- builtins: begin -->` and `<!-- builtins: end -->`: every row of `ms.builtins`.
Between those of `grammar`: ms/grammar.lark, its left-recursive lists as repetitions, without the names of the tree's
classes.
"""

from __future__ import annotations

import re
import sys
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ms.builtins import BUILTINS, CONSTANTS, Builtin, Mode, Pattern, Where

HERE = Path(__file__).resolve().parent
WORDS = {
    "T": "T", "V": "vector<T>", "S": "string", "O": "T", "N": "number", "J": "job<T>", "JS": "vector<job<T>>",
    "I": "int", "F": "less", "E": "T", "M": "map<K, V>", "K": "K", "W": "V", "...": "…", "vector<K>": "vector<K>",
    "vector<W>": "vector<V>", "vector<T>": "vector<T>",
}  # fmt: skip


def words_of(pattern: Pattern) -> str:
    return WORDS.get(pattern, pattern) if isinstance(pattern, str) else str(pattern)


def signature(row: Builtin) -> str:
    """`int find(vector<T>, T)`, with `&` behind what the call changes."""
    given = ", ".join(words_of(pattern) + ("&" if mode is Mode.INOUT else "") for pattern, mode in row.parameters)
    return f"{words_of(row.result)} {row.name}({given})"


def builtins_table() -> str:
    """One line for each name, in the order of the table; a name with several rows has them all."""
    lines = ["| | |", "|---|---|"]
    rows = [row for group in BUILTINS.values() for row in group]
    for _, same in groupby(rows, key=lambda row: row.name):
        for row in same:
            only = " (the master only)" if row.where is Where.MASTER else ""
            lines.append(f"| `{signature(row)}` | {row.help}{only} |")
    constants = ", ".join(f"`{name}`" for name in CONSTANTS)
    return "\n".join([*lines, "", f"The constants {constants} are doubles.", ""])


WIDTH = 110


def grammar_rules(text: str) -> dict[str, list[str]]:
    """Each rule's alternatives, and each heading (a line that is nothing but a comment of a few words) without any."""
    rules: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"// (\w[\w ]*)(\..*)?", line):
            if not heading[2] or heading[1] == "Statements":
                rules["// " + heading[1]] = []
        elif start := re.match(r"(\w+)(?:\.\d)?: *(.*)", line):
            name = start[1]
            rules[name] = _alternatives(start[2])
        elif line.startswith("    |"):
            rules[name] += _alternatives(line[5:])
    return rules


def _alternatives(text: str) -> list[str]:
    """Split at each `|` that stands outside of quotes and parentheses; without `-> name`."""
    text = re.sub(r" *-> \w+ *$", "", text)
    found, depth = [""], 0
    for token in re.findall(r'"[^"]*"|/[^/]+/|\s+|.', text):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "|" and depth == 0:
            found.append("")
        else:
            found[-1] += token
    return [re.sub(r" +", " ", part).strip() for part in found]


def _as_repetition(name: str, alternatives: list[str]) -> list[str]:
    """`xs: x | xs "," x` is x { "," x }; a rule that begins in several ways stays as it is."""
    again = [part.removeprefix(name + " ") for part in alternatives if part.startswith(name + " ")]
    first = [part for part in alternatives if not part.startswith(name + " ")]
    if not again or len(first) != 1:
        return alternatives
    return [f"{first[0]} {{ {' | '.join(again)} }}".strip()]


def _shown(name: str, alternatives: list[str]) -> str:
    optional = "" in alternatives
    parts = [part for part in _as_repetition(name, alternatives) if part]
    if optional and "" in _as_repetition(name, alternatives):
        parts = [f"[ {' | '.join(parts)} ]"]
    line = f"{name} = {' | '.join(parts)}"
    return line if len(line) <= WIDTH else f"{name} = " + "\n    | ".join(parts)


def grammar_text() -> str:
    rules = grammar_rules((HERE.parent / "ms" / "grammar.lark").read_text())
    lines = ["```ebnf"]
    for name, alternatives in rules.items():
        if name.startswith("//"):
            lines += ["", name] if len(lines) > 1 else [name]
        else:
            lines.append(_shown(name, alternatives))
    return "\n".join([*lines, "```", ""])


def renewed(text: str) -> str:
    """The page with its tables as they should be."""
    for table, content in (("builtins", builtins_table()), ("grammar", grammar_text())):
        begin, end = f"<!-- {table}: begin -->\n", f"<!-- {table}: end -->"
        head, rest = text.split(begin)
        text = head + begin + content + end + rest.split(end)[1]
    return text


if __name__ == "__main__":
    page = HERE / "language.md"
    page.write_text(renewed(page.read_text()))
