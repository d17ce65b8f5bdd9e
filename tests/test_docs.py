"""Every block of code in the documents is true: it compiles, and prints what the page says.

A block that begins with ```ms is a whole program; `ms body` stands in a master block; `ms fails E0205` must not
compile, for that reason and no other, and its output is the message; `ms traps` ends with exit status 1 and its
output is what it writes to standard error; `ms words a b` gets these words on the command line. A block `file NAME`,
of any language, is a file that the next program of the page imports or reads; `stdin` is its standard input. A block
```output behind a program is what it prints. Programs with `remote` run twice, serially and on real slaves.
In a ```console block each line with `$` is run at the top of the checkout; where no output is shown the command must
only succeed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from c_tools import need

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\S*)[ ]*(.*)$")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str
    output: str | None
    files: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page; an ```output block belongs to the one before it."""
    found: list[Block] = []
    files: list[tuple[str, str]] = []
    lines = page.read_text().splitlines()
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        number += 1
        if fence is None:
            continue
        first = number
        while lines[number] != "```":
            number += 1
        text = "".join(line + "\n" for line in lines[first:number])
        number += 1
        if fence[1] == "output":
            last = found.pop()
            found.append(replace(last, output=text))
        elif fence[2].startswith("file "):
            files.append((fence[2].removeprefix("file "), text))
        else:
            found.append(Block(page.name, first, fence[1], tuple(fence[2].split()), text, None, tuple(files)))
            files.clear()
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PROGRAMS = [block for block in BLOCKS if block.language == "ms"]
COMMANDS = [
    (block, words)
    for block in BLOCKS
    if block.language == "console"
    for words in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
]


def msc(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """This checkout's compiler, also when another one is installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ms", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_there_are_programs() -> None:
    assert len(PROGRAMS) > 15


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_program(block: Block, tmp_path: Path) -> None:
    text = f"master {{\n{block.text}}}\n" if block.words == ("body",) else block.text
    (tmp_path / "prog.ms").write_text(text)
    for name, content in block.files:
        (tmp_path / name).write_text(content)
    if block.words[:1] == ("fails",):
        checked = msc("check", "--json", "prog.ms", cwd=tmp_path)
        assert checked.returncode == 1
        assert [item["code"] for item in json.loads(checked.stdout)] == list(block.words[1:])
        if block.output is not None:
            assert msc("check", "prog.ms", cwd=tmp_path).stderr == block.output
        return
    compiled = msc("prog.ms", "-o", "prog", cwd=tmp_path)
    assert compiled.returncode == 0, compiled.stderr
    words = block.words[1:] if block.words[:1] == ("words",) else ()
    command = [tmp_path / "prog-master", "--local", "--", *words]
    given = dict(block.files).get("stdin", "")
    expect(block, subprocess.run(command, cwd=tmp_path, input=given, capture_output=True, text=True))
    if "remote" in text:
        expect(block, run_on_slaves(tmp_path, words))


def expect(block: Block, ran: subprocess.CompletedProcess[str]) -> None:
    errors = re.sub(r"( failed) on slave \S+", r"\1", ran.stderr)
    if block.words == ("traps",):
        assert (ran.returncode, errors) == (1, block.output)
        return
    assert (ran.returncode, errors) == (0, "")
    if block.output is not None:
        assert ran.stdout == block.output


def run_on_slaves(directory: Path, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """The program prog of the directory, on two slaves, which have ended when this returns."""
    slave = [directory / "prog-slave", "unix:socket", "-j", "1", "--quiet"]
    slaves = [
        subprocess.Popen(slave, cwd=directory, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)
    ]
    master = [directory / "prog-master", "--listen", "unix:socket", "--min-slaves", "2", "--quiet", "--", *words]
    try:
        return subprocess.run(master, cwd=directory, capture_output=True, text=True, timeout=60)
    finally:
        for each in slaves:
            try:
                each.wait(20)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=[f"{block}-{i}" for i, (block, _) in enumerate(COMMANDS)])
def test_command(block: Block, command: str, tmp_path: Path) -> None:
    first, _, expected = command.partition("\n")
    words = shlex.split(first)
    assert words[0] == "./msc"
    if "examples/build.ms" in words:
        need("cc")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("LICENSE", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    ran = msc(*words[1:], cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    if expected:
        assert ran.stdout == expected


def test_tables_are_those_of_the_code() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    from tables import renewed

    page = (ROOT / "docs" / "language.md").read_text()
    assert page == renewed(page), "python docs/tables.py renews the tables"
