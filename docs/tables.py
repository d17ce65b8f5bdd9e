"""Writes the tables that the documents share with the code: `python docs/tables.py` renews them, a test holds them to
it.

In docs/language.md, between `<!-- builtins: begin -->` and `<!-- builtins: end -->`: every row of `ms.builtins`.
"""

from __future__ import annotations

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


def renewed(text: str) -> str:
    """The page with its tables as they should be."""
    begin, end = "<!-- builtins: begin -->\n", "<!-- builtins: end -->"
    head, rest = text.split(begin)
    return head + begin + builtins_table() + end + rest.split(end)[1]


if __name__ == "__main__":
    page = HERE / "language.md"
    page.write_text(renewed(page.read_text()))
