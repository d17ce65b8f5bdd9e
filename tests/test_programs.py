"""Every program of `ms_programs/` as one test of pytest; `run_programs.py` does the work."""

from __future__ import annotations

from pathlib import Path

import pytest
from program_spec import all_programs
from run_programs import run_program


@pytest.mark.parametrize("path", all_programs(), ids=lambda path: path.stem)
def test_program(path: Path) -> None:
    complaints = run_program(path)
    assert not complaints, "\n".join(complaints)
