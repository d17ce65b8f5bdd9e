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
from ms.checker.declarations import check_modules
from ms.diagnostics import Diagnostics


def check(module: syntax.Module, diagnostics: Diagnostics) -> typed.Program | None:
    """A program of one file."""
    return check_program(syntax.Program((module,), {}, frozenset()), diagnostics)


def check_program(program: syntax.Program, diagnostics: Diagnostics) -> typed.Program | None:
    """The checked program, None when the diagnostics have errors. Messages come in the order of the source, file by
    file."""
    skipped = tuple(span for module in program.modules for span in module.skipped)
    skipped_names = frozenset(name for module in program.modules for name in module.skipped_names)
    checker = Checker(diagnostics, incomplete=program.incomplete, skipped=skipped, skipped_names=skipped_names)
    checked: typed.Program | None = None
    with suppress(TooManyErrors):
        checked = check_modules(checker, program)
    order = {module.file: index for index, module in enumerate(program.modules)}
    diagnostics.items.sort(key=lambda item: (order.get(item.span.file, -1), item.span.start))
    return None if diagnostics.has_errors else checked
