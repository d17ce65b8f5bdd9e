"""The messages of the compiler: one function for each, in the order of their codes.

E01 is about text and syntax, E02 about types, E03 about names and declarations, E04 about jobs, E05 about references and E09 about
what this version does not have; W are warnings, N notes. A code never changes its meaning. Types and operators come in as text or
as `Type`; the words are chosen here and nowhere else.
"""

from __future__ import annotations

from ms.diagnostics import Diagnostic, Severity
from ms.source import Span


def _error(code: str, message: str, span: Span, label: str = "", *help: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, message, span, label, (), help)


def syntax_error(span: Span, found: str, expected: str, *help: str) -> Diagnostic:
    """`found` and `expected` are words for people: "`}`", "end of file", "an expression"."""
    return _error("E0101", f"expected {expected}, found {found}", span, "", *help)


def unterminated(span: Span, what: str) -> Diagnostic:
    """`what` is "string", "character literal" or "comment"."""
    return _error("E0102", f"this {what} does not end", span, "it begins here")


def bad_escape(span: Span, escape: str) -> Diagnostic:
    return _error(
        "E0103",
        f"unknown escape `{escape}`",
        span,
        "",
        r"escapes are \n \t \r \0 \\ \' \" \xNN, and \u{1F600} in strings",
    )


def integer_too_large(span: Span) -> Diagnostic:
    return _error("E0104", "this integer does not fit 64 bits", span)


def malformed_number(span: Span, text: str, *help: str) -> Diagnostic:
    return _error("E0105", f"`{text}` is not a number", span, "", *help)


def bad_text(span: Span, what: str) -> Diagnostic:
    """A byte that is not UTF-8, or a character that no token begins with."""
    return _error("E0106", what, span)


def too_deep(span: Span, limit: int) -> Diagnostic:
    return _error("E0107", f"nested more than {limit} deep", span, "", "give the inner part a name of its own")


def unreadable_file(span: Span, path: str, why: str) -> Diagnostic:
    return _error("E0108", f"cannot read {path}: {why}", span)


def reserved_word(span: Span, word: str) -> Diagnostic:
    return _error("E0109", f"`{word}` is a keyword and cannot be a name", span)


def bad_char_literal(span: Span) -> Diagnostic:
    return _error("E0110", "a character literal holds exactly one byte", span, "", 'for text, use "…"')
