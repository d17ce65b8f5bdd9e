"""How much LLVM may inline: large functions get `noinline` where their callers would grow beyond all measure.

LLVM inlines a function that is called at one place however large it is, so that a whole program could become one
function, and its passes take more than linear time. What is small, and what is called once and leaves its caller
of a reasonable size, is left to LLVM.
Invariant: only functions of more than `TINY` lines are marked, and those gain nothing from being inlined but one call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ms.codegen.emitter import Definition

TINY = 40
"""Lines of LLVM's text, before any pass, that are inlined however large the caller is."""
SMALL = 200
"""What LLVM may weigh at each of several calls."""
CALLER_MAX = 600
"""What a function may grow to by functions that are called at one place only."""
CALLER_OF_PART_MAX = 300
"""The same in a program that is compiled in parts. LLVM simplifies a function again for each one that it has taken in,
so twice the size is twice the time for each line."""


def limit(definitions: Iterable[Definition], caller_max: int = CALLER_MAX) -> None:
    """Marks functions that are not to be inlined."""
    by_symbol = {definition.symbol: definition for definition in definitions}
    sites = Counter(called for definition in by_symbol.values() for called in definition.calls)
    sizes: dict[str, int] = {}
    for definition in _callees_first(by_symbol):
        size = definition.size
        for called in definition.calls:
            inner = sizes.get(called)
            if inner is None:  # not of this module, or recursive
                continue
            is_fine = size + inner <= caller_max if sites[called] == 1 else inner <= SMALL
            if is_fine or inner <= TINY:
                size += inner
            else:
                by_symbol[called].is_inlined = False
        sizes[definition.symbol] = size


def _callees_first(by_symbol: dict[str, Definition]) -> Iterable[Definition]:
    """Every definition, behind those that it calls; where they call each other, in the order of their first call."""
    begun: set[str] = set()
    for root in by_symbol.values():
        if root.symbol in begun:
            continue
        begun.add(root.symbol)
        stack = [(root, iter(root.calls))]
        while stack:
            definition, rest = stack[-1]
            following = next((called for called in rest if called in by_symbol and called not in begun), None)
            if following is None:
                stack.pop()
                yield definition
            else:
                begun.add(following)
                stack.append((by_symbol[following], iter(by_symbol[following].calls)))
