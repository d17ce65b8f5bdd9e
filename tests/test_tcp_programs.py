"""Some programs of `ms_programs/`, on slaves over TCP with a key. `run_programs.py --tcp` runs all of them so."""

from __future__ import annotations

import pytest
from c_tools import need_encryption
from program_spec import PROGRAMS
from run_programs import Options, run_program

NAMES = (
    "test-kill-waves",
    "test-nested-cancel",
    "test-nested-kill-slave",
    "test-nested-output",
    "test-remote-large",
    "test-remote-many-slaves",
    "test-remote-output-long",
)


@pytest.mark.parametrize("name", NAMES)
def test_program(name: str) -> None:
    need_encryption()
    complaints = run_program(PROGRAMS / f"{name}.ms", Options(tcp=True))
    assert not complaints, "\n".join(complaints)
