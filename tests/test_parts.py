"""Large programs are compiled in parts: what they compute, where they fail, and what the parts hold.

The sizes are made small here, so that every program is a large one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from job_programs import owned_program

from ms import codegen, driver, toolchain
from ms.codegen import Options, parts
from ms.diagnostics import Diagnostics
from ms.source import SourceFile

PROGRAM = """
int read(int n) { if (n % 5 == 4) return n / (n - n); return n + 1; }
int middle(vector<int> v, int n) {
    int s;
    for (int x in v) s += x % (n + 3) + read(n % 4);
    for (int i in 0..n) s = s * 31 + v[i % size(v)] + read(i % 4);
    return s + (n > 1 ? middle(v, n - 1) : read(n));
}
int open(string text) { return size(text + str(middle([1, 2, 3], 3))); }
job int work(int n) { return middle([n, 5], n) + open("word") + read(n); }
int only_master(int n) { return open("x") + read(n); }
int nobody(int n) { return n; }
master {
    job<int> j = remote work(3);
    print(get(j), only_master(2), middle([4], 1));
    print(only_master(size(args()) + 4));
}
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codegen, "LARGE", 0)
    monkeypatch.setattr(parts, "LINES", 50)
    monkeypatch.setattr(parts, "IMPORT_MAX", 40)
    monkeypatch.setenv("MS_NO_PROGRAM_CACHE", "1")


def divided() -> codegen.Parts:
    return codegen.generate_parts(owned_program(PROGRAM), bytes(32), Options())


def built(directory: Path) -> Path:
    source = SourceFile("prog.ms", PROGRAM.encode())
    driver.install(driver.build(source, driver.Options(), Diagnostics()), directory / "prog")
    return directory / "prog"


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([f"{program}-master", *words], capture_output=True, text=True, timeout=60)


@pytest.mark.usefixtures("small")
def test_a_program_in_parts_computes_the_same_and_tells_the_same(tmp_path: Path) -> None:
    in_parts = run(built(tmp_path), "--local")
    (tmp_path / "prog.ms").write_text(PROGRAM)
    command = [sys.executable, "-m", "ms", "prog.ms", "-o", "whole"]
    environment = {**os.environ, "PYTHONPATH": str(Path(codegen.__file__).parents[2])}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    whole = run(tmp_path / "whole", "--local")
    assert (in_parts.stdout, in_parts.stderr, in_parts.returncode) == (whole.stdout, whole.stderr, whole.returncode)
    assert in_parts.stderr.splitlines()[1:] == ["  prog.ms:11:45 in only_master", "  prog.ms:16:11 in master"]


@pytest.mark.usefixtures("small")
def test_both_programs_work_together(tmp_path: Path) -> None:
    program = built(tmp_path)
    address = f"unix:{tmp_path}/s"
    slave = subprocess.Popen([f"{program}-slave", address, "-j", "1"])
    try:
        together = run(program, "--listen", address)
        assert slave.wait(timeout=60) == 0
    finally:
        slave.kill()
        slave.wait()
    assert together.stdout == run(program, "--local").stdout


@pytest.mark.usefixtures("small")
def test_what_jobs_reach_is_compiled_once() -> None:
    found = divided()
    texts = "\n".join(part.text for part in (*found.for_master, *found.shared))
    assert len(re.findall(r"^define (?:hidden|internal) fastcc i32 @middle", texts, re.MULTILINE)) == 1
    assert len(found.shared) > 1
    assert any("@only_master" in part.text for part in found.for_master)
    assert not any("@only_master" in part.text for part in found.shared)
    assert not any("@nobody" in part.text for part in (*found.for_master, *found.shared))


@pytest.mark.usefixtures("small")
def test_no_symbol_can_be_taken_for_one_of_the_c_library() -> None:
    """`read` and `open` are seen by several parts here; what the program calls so must not be what libc calls so."""
    found = divided()
    texts = "\n".join(part.text for part in (*found.for_master, *found.shared))
    assert "define hidden fastcc i32 @read.ms(" in texts
    assert "hidden fastcc i32 @read(" not in texts


@pytest.mark.usefixtures("small")
def test_small_functions_of_other_parts_can_be_inlined() -> None:
    found = divided()
    assert any("define available_externally hidden fastcc i32 @read.ms(" in part.text for part in found.shared)


def test_the_parts_do_not_depend_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LINES", 50)
    first = divided()
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert divided() == first


@pytest.mark.usefixtures("small")
def test_a_failure_in_another_process_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> bytes:
        raise toolchain.ToolchainError("cannot write: No space left on device")

    monkeypatch.setattr(codegen, "emit_object", full)
    with pytest.raises(toolchain.ToolchainError, match="No space left"):
        built(tmp_path)
