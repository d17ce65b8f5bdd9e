"""The table of faults in docs/running.md: what it names is there, and tests/faults/repeat.py counts and writes well."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from faults import repeat

PAGE = """text

| fault | what is promised | test | runs |
|---|---|---|---|
| a fire | nothing | `a_fire`, `tests/test_fire.py` | 10, two each |
| a flood | nothing | `a_flood` | 1,000 |
| all | nothing | `tests/faults/campaign.py`, seed 2 | 930 rounds |

more
"""


def test_every_test_that_the_page_names_is_there() -> None:
    rows = list(repeat.rows(repeat.PAGE.read_text()))
    assert len(rows) > 15
    for test in (test for row in rows for test in row.tests):
        path, _, name = test.partition("::")
        tree = ast.parse((repeat.ROOT / path).read_text())
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not name or name in names, test


def test_counts_go_into_the_table() -> None:
    rows = list(repeat.rows(PAGE))
    assert [row.fault for row in rows] == ["a fire", "a flood"]
    assert rows[0].tests == ("tests/test_faults.py::test_a_fire", "tests/test_fire.py")
    counts = {
        "abc": {"tests/test_faults.py::test_a_fire": [1200, 0], "tests/test_faults.py::test_a_fire_too": [5, 0]},
        "def": {"tests/test_fire.py::test_smoke": [34, 1]},
    }
    assert repeat.totals(counts, rows[0]) == (1234, 1)
    assert repeat.renewed(PAGE, counts) == PAGE.replace("| 10, two each |", "| 1,234, two each |")


def test_what_fails_is_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_it.py").write_text("def test_fine(): pass\ndef test_wrong(): assert 'smoke' == 'fire'\n")
    (tests / "test_fire.py").write_text("import pytest\n@pytest.mark.skip\ndef test_none(): pass\n")
    monkeypatch.setattr(repeat, "ROOT", tmp_path)
    monkeypatch.setattr(repeat, "commit_of_runtime", lambda: "abc")
    row = repeat.Row("a fire", ("tests/test_it.py", "tests/test_fire.py", "tests/test_left.py"), "")
    counts: repeat.Counts = {}
    assert not repeat.repeat(tmp_path / "build" / "record", counts, [row], "left", 2)
    assert counts == {"abc": {"tests/test_it.py::test_fine": [2, 0], "tests/test_it.py::test_wrong": [2, 2]}}
    assert "AssertionError: assert 'smoke' == 'fire'" in capsys.readouterr().out
