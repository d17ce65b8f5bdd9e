"""The checker: the surface tree becomes the typed tree, and everything that is wrong with a program is said (language
page, §2 to §9).

How values are passed is left to `ownership.py`: the tree that comes out has no `Borrow`, `Move`, `Copy`, `Held` or
`Scoped`, and its lists of drops are empty. Each file of this package says one thing; `declarations.py` is where a
check begins.
"""

from __future__ import annotations

from contextlib import suppress

from ms import syntax, typed
from ms.checker.context import Checker, TooManyErrors
from ms.checker.declarations import check_module
from ms.diagnostics import Diagnostics


def check(module: syntax.Module, diagnostics: Diagnostics) -> typed.Program | None:
    """The checked program, None when the diagnostics have errors. Messages come in the order of the source."""
    before = len(diagnostics.items)
    checker = Checker(diagnostics, skipped=module.skipped, skipped_names=module.skipped_names)
    program: typed.Program | None = None
    with suppress(TooManyErrors):
        program = check_module(checker, module)
    found = diagnostics.items[before:]
    found.sort(key=lambda item: (item.span.file.name, item.span.start))
    diagnostics.items[before:] = found
    return None if diagnostics.has_errors else program
