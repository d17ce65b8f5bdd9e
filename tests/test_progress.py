"""--progress on a terminal: a line that keeps out of the way of what the program prints."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

from program_compiler import compile_program

PROGRAM = """
job int slow(int i) { sleep(0.02); return i; }
master {
    vector<job<int>> jobs;
    for (int i in 0..40) jobs :: remote slow(i);
    for (job<int> j in jobs) {
        int i = get(j);
        if (i % 10 == 0) print("line", i);
    }
}
"""


def read_all(terminal: int) -> str:
    data = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the last one closed the other end
            return data.decode()
        if not piece:
            return data.decode()
        data += piece


def screen(text: str) -> list[str]:
    """The lines that are left on the screen, of text that knows only a carriage return and "wipe to the end"."""
    return [re.sub(r".*\x1b\[K", "", line.replace("\r", "")) for line in text.split("\n")]


def test_the_line_is_wiped_before_output(tmp_path: Path) -> None:
    (tmp_path / "slow.ms").write_text(PROGRAM)
    compiled = compile_program(tmp_path / "slow.ms", tmp_path / "slow")
    assert compiled.status == 0, compiled.text
    address = f"unix:{tmp_path}/s"
    ours, theirs = pty.openpty()
    slave = subprocess.Popen([str(compiled.slave), address, "-j", "1"])
    try:
        master = subprocess.Popen(
            [str(compiled.master), "--listen", address, "--progress"], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        text = read_all(ours)
        assert master.wait() == 0
        assert slave.wait() == 0
    finally:
        slave.kill()
        slave.wait()
        os.close(ours)
    assert "/40 done, 1 running, 0 failed, 1 slave, " in text
    shown = screen(text)
    assert [line for line in shown if line.startswith("line")] == ["line 0", "line 10", "line 20", "line 30"]
    last = [line for line in shown if "done" in line][-1]
    assert last.startswith("40/40 done, 0 running, 0 failed")
