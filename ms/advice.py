"""What to do about a mistake: the help that several messages of `errors.py` give, and the words they share.

Invariant: what is advised can be typed in as it stands, with the names of the program.
"""

from __future__ import annotations

from collections.abc import Mapping

from ms.source import Span
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    JOB_STATE,
    LONG,
    NUMBERS,
    STRING,
    JobType,
    MapType,
    StructType,
    Type,
    VectorType,
)


def a_type(type: Type) -> str:
    """ "an int", "a string"."""
    text = str(type)
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def suggestion(name: str | None) -> tuple[str, ...]:
    return () if name is None else (f"did you mean `{name}`?",)


def known_as(
    span: Span, name: str, near: str | None, elsewhere: Span | None, habits: Mapping[str, str]
) -> tuple[str, ...]:
    """What to do about a name that is unknown at `span`: `elsewhere` another file declares it; `habits` says what other
    languages mean by it."""
    if elsewhere is not None and elsewhere.file is not span.file:
        return (f"it is declared in {elsewhere.file.name}, which this file does not import",)
    if name in habits:
        return (f"in M/s: {habits[name]}",)
    return suggestion(near)


NEAREST_DOUBLE = "double(x) makes the nearest double of a long"
STATES = "compare it with running, finished or failed"


def conversion_help(found: Type, expected: Type) -> tuple[str, ...]:
    """The call that makes an `expected` of a `found`, where there is one."""
    if isinstance(found, JobType) and found.result == expected:
        return ("get(j) waits for a job and gives its result",)
    if isinstance(expected, JobType) and expected.result == found:
        return ("`remote` before the call starts a job and gives its handle",)
    if isinstance(found, VectorType) and isinstance(found.element, JobType):
        is_wanted = expected == VectorType(found.element.result)
        return ("get(js) gives the results of a vector of jobs",) if is_wanted else ()
    if found == STRING and expected in (INT, LONG, DOUBLE):
        return (f"parse_{expected}(s) reads {a_type(expected)} from a string",)
    if found == STRING and expected is FLOAT:
        return ("float(parse_double(s)) reads a float from a string",)
    if expected == STRING and (found in NUMBERS or found is BOOL):
        return ("str(x) gives the text of a value",)
    if expected == STRING and found is CHAR:
        return ("str(c) makes a string of a char",)
    if expected == STRING and isinstance(found, (VectorType, StructType, MapType)):
        return ("str(x) gives the text of a value",)
    if expected is CHAR and found == STRING:
        return ("a char is written 'a'; s[0] is the first one of a string",)
    if found is JOB_STATE:
        return (STATES,)
    if expected is BOOL and found in NUMBERS:
        return ("compare it with something: x != 0",)
    if found is BOOL and expected in NUMBERS:
        return ("b ? 1 : 0 makes a number of a bool",)
    return ()


def get_help(found: Type) -> tuple[str, ...]:
    return ("get(j) waits for a job and gives its result",) if isinstance(found, JobType) else ()
