"""`msc report`: one page about a run, from the trace that it left (`--trace`). The page loads nothing."""

from __future__ import annotations

from pathlib import Path

from ms.report.page import page_of
from ms.report.read import NoTrace, read_trace

__all__ = ["NoTrace", "write_report"]


def write_report(trace: Path, output: Path) -> None:
    """Raises NoTrace for what is no trace, OSError for what cannot be read or written."""
    page = page_of(read_trace(trace))
    output.write_text(page, encoding="utf-8")
