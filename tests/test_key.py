"""`msc key`: files that only their owner may read, and nothing written over."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def open_handed() -> object:
    """Files are readable by everybody unless somebody takes care."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def msc_key(*words: str | Path, output: Path | None = None) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "ms", "key", *words]
    if output is None:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr
    with output.open("w") as file:
        done = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, "", done.stderr


def is_key(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}\n", text) is not None


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "prog.key"
    assert msc_key(path) == (0, "", "")
    assert path.stat().st_mode & 0o777 == 0o600
    first = path.read_text()
    assert is_key(first)
    status, _, errors = msc_key(path)
    assert (status, errors.count("\n")) == (2, 1)
    assert "is there already" in errors
    assert path.read_text() == first


def test_no_two_are_alike() -> None:
    keys = [msc_key() for _ in range(2)]
    assert all(status == 0 and is_key(text) and errors == "" for status, text, errors in keys)
    assert keys[0] != keys[1]


def test_redirected_to_a_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "prog.key"
    status, _, errors = msc_key(output=path)
    assert status == 0
    assert is_key(path.read_text())
    assert "chmod 600" in errors
    path.chmod(0o600)
    assert msc_key(output=path) == (0, "", "")


def test_what_makes_no_sense(tmp_path: Path) -> None:
    for words, message in (
        (("--x",), "there is no option --x of msc key"),
        (("a", "b"), "one file, not 2"),
        ((tmp_path / "no" / "f",), "No such file or directory"),
    ):
        status, output, errors = msc_key(*words)
        assert (status, output, errors.count("\n")) == (2, "", 1)
        assert message in errors
    status, _, errors = msc_key(output=Path("/dev/full"))
    assert (status, errors) == (2, "msc: cannot write standard output: No space left on device\n")
    assert msc_key("--help")[1].startswith("usage: msc key")
