"""What `msc explain` shows: a page for each code of `errors.py`, kept as `explain/CODE.md`.

A page is a title, a few sentences, a program that gives the message and one that is right. tests/test_explain.py
compiles both and holds the pages to the codes. Invariant: what is shown is plain text for a terminal.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGES = Path(__file__).with_name("explain")


def titles() -> dict[str, str]:
    """The title of each code; errors, warnings and notes in this order."""
    pages = sorted(PAGES.glob("*.md"), key=lambda page: ("EWN".index(page.stem[0]), page.stem))
    return {page.stem: _title(page) for page in pages}


def _title(page: Path) -> str:
    with page.open(encoding="utf-8") as file:
        return file.readline().strip().removeprefix(f"# {page.stem}: ")


def find_code(word: str) -> str | None:
    """The code that is meant: `e203` and `203` are E0203."""
    match = re.fullmatch(r"([EWNewn]?)0*([0-9]{1,4})", word)
    if match is None:
        return None
    code = f"{match[1].upper() or 'E'}{int(match[2]):04}"
    return code if (PAGES / f"{code}.md").is_file() else None


def nearest_code(word: str) -> str | None:
    """A code that looks like the one that does not exist."""
    from ms.scope import nearest

    return nearest(word.upper(), titles())


def page_text(code: str) -> str:
    """The page of a code, its programs indented instead of fenced."""
    lines: list[str] = []
    is_code = False
    for line in (PAGES / f"{code}.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            is_code = not is_code
        elif is_code:
            lines.append(f"    {line}".rstrip())
        else:
            lines.append(line.removeprefix("# "))
    return "\n".join(lines) + "\n"
