"""The pages of `msc explain`: one for each code, and their programs do what the pages say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ms import driver, errors, explanations
from ms.cli import main
from ms.diagnostics import Diagnostic, Diagnostics, ProgramError

CODES = sorted(set(re.findall(r'"([EWN][0-9]{4})"', Path(errors.__file__).read_text())))
LINE_MAX = 120
LINKED = {"E0316"}  # found when the program is linked


def blocks_of(code: str) -> list[tuple[str, str]]:
    """The programs of a page: what their fence says, and their text."""
    page = (explanations.PAGES / f"{code}.md").read_text()
    return re.findall(r"^```ms ([^\n]+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    pages = sorted(path.name for path in explanations.PAGES.iterdir())
    assert pages == [f"{code}.md" for code in CODES]


@pytest.mark.parametrize("code", CODES)
def test_pages_have_their_parts(code: str) -> None:
    text = (explanations.PAGES / f"{code}.md").read_text()
    assert re.match(rf"# {code}: [A-Z][^\n]+[^.\n]\n\n[A-Z`]", text)
    kinds = [kind for kind, _ in blocks_of(code) if not kind.startswith("file ")]
    assert kinds == ["wrong", "right"]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert max(map(len, prose.splitlines())) <= LINE_MAX


def said_about(text: str, code: str, here: Path) -> list[Diagnostic]:
    """What the compiler says about a program of the page of `code`."""
    (here / "prog.ms").write_text(text)
    diagnostics = Diagnostics()
    options = driver.Options(warn_copies=code == "N0601")
    source = driver.read_source("prog.ms")
    try:
        if code in LINKED:
            driver.build(source, options, diagnostics)
        else:
            driver.check_only(source, options, diagnostics)
    except ProgramError:
        pass
    return diagnostics.items


@pytest.mark.parametrize("code", CODES)
def test_programs_are_as_wrong_and_as_right_as_they_say(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = dict(blocks_of(code))
    for kind, text in texts.items():
        if kind.startswith("file "):
            (tmp_path / kind.removeprefix("file ")).write_text(text)
    assert [item.code for item in said_about(texts["wrong"], code, tmp_path)] == [code]
    assert said_about(texts["right"], code, tmp_path) == []


def test_a_page_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "E0203"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("E0203: This cannot be appended\n\n")
    assert '\nWrong:\n\n    master {\n        vector<int> v;\n        v :: "five";\n' in shown
    assert "```" not in shown
    for word in ("e0203", "E203", "203", "0203"):
        assert main(["explain", word]) == 0
        assert capsys.readouterr().out == shown


def test_all_codes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines) == CODES
    assert lines[0] == "E0101  The text is not a program here"
    assert lines[-1].startswith("N0601  ")


def test_unknown_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for words, complaint in (
        (["E0332"], "there is no code E0332; did you mean E0302?"),
        (["W0100"], "there is no code W0100; did you mean W0101?"),
        (["everything"], "there is no code everything; msc explain lists them all"),
        (["../errors"], "there is no code ../errors; msc explain lists them all"),
        (["E0201", "E0202"], "one code, not 2 (msc --help)"),
        (["--all"], "there is no option --all of msc explain (msc --help)"),
    ):
        assert main(["explain", *words]) == 2
        assert capsys.readouterr() == ("", f"msc: {complaint}\n")
    assert main(["explain", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: msc explain")
