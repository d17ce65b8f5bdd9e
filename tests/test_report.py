"""`msc report`: the page has what the trace has, loads nothing, and says clearly what it cannot read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from watching import Stage, Trace, compiled, wait_for

PROGRAM = """
job int quick(int i) { return i; }
job int bad(int i) { vector<int> v; return v[i]; }
job int hang(string path) { write_file(path, "x"); while (file_exists(path)) sleep(0.01); return 1; }
job int both(int i) { return get(remote quick(i)) + get(remote quick(i)); }
master {
    vector<job<int>> jobs;
    for (int i in 0..30) jobs :: remote quick(i);
    jobs :: remote both(4);
    long total = 0L;
    for (job<int> j in jobs) total += get(j);
    wait(remote bad(2));
    print(total, get(remote hang(args()[0])));
}
"""
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that tags are closed in order; gathers text by tag, and whatever would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        if "script" in self.open or "style" in self.open:
            assert "http" not in data
            assert "url(" not in data
            assert "@import" not in data
        self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def report(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ms", "report", *words], cwd=directory, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(Path(__file__).resolve().parent.parent), "PATH": "/usr/bin:/bin"}, timeout=60,
    )  # fmt: skip


def page_of(directory: Path, *words: str) -> tuple[Page, dict[str, Any]]:
    done = report(directory, *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    name = words[words.index("-o") + 1] if "-o" in words else str(Path(words[0]).with_suffix(".html"))
    text = (directory / name).read_text()
    found = re.search(r"^const data = (.*);$", text, flags=re.MULTILINE)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return Page(text), data


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the trace of a run in which a slave was lost."""
    directory = tmp_path_factory.mktemp("report")
    mark = directory / "mark"
    with Stage(compiled(directory, PROGRAM), directory) as stage:
        master = stage.master("--trace", "t.json", words=(str(mark),))
        first = stage.slave("-j", "2")
        wait_for(mark.exists)
        first.kill()
        first.wait()
        mark.unlink()
        stage.slave("-j", "2")
        wait_for(mark.exists)
        mark.unlink()
        stage.end(master)
    return directory


def test_the_page_has_what_was_run(traced: Path) -> None:
    page, data = page_of(traced, "t.json", "-o", "run.html")
    assert page.loads == []
    assert not {"link", "iframe", "img", "object"} & page.tags
    functions = {row[0]: row for row in page.rows if len(row) == 14}
    assert {name: row[1] for name, row in functions.items() if name != "function"} == {
        "quick": "32", "both": "1", "bad": "1", "hang": "1",
    }  # fmt: skip
    assert functions["bad"][-1] == "1"
    slaves = [row for row in page.rows if len(row) == 12][1:]
    assert [row[1] for row in slaves] == ["2", "2"]
    assert "it closed the connection" in slaves[0][3]
    assert [row[-1] for row in slaves] == ["1", "0"]
    stories = [row for row in page.rows if len(row) == 7][1:]
    assert sorted((row[1], row[3]) for row in stories) == [("cut off", "hang"), ("failed", "bad")]
    assert any("prog.ms:3:" in row[-1] for row in stories)
    assert any("goes back to the queue" in text for text in page.texts)
    runs = Trace.read(traced / "t.json").of("X", "run")
    shown = [block for lane in data["lanes"] for block in lane["blocks"]]
    names = data["functions"]
    assert sorted((names[b[2]], b[3], b[0], b[1]) for b in shown) == sorted(
        (e["name"], e["args"]["job"], e["ts"], e["dur"]) for e in runs
    )
    assert {lane["name"] for lane in data["lanes"]} <= {"slot 1", "slot 2", "beyond the slots 1", "beyond the slots 2"}
    assert len(data["marks"]) == 2


def test_a_trace_without_an_end(traced: Path) -> None:
    text = (traced / "t.json").read_text()
    (traced / "cut.json").write_text(text[: text.rindex('{"ph":"X"') + 20])
    page, _ = page_of(traced, "cut.json")
    assert any("The trace has no end" in text for text in page.texts)


HEAD = [
    {"ph": "M", "name": "ms_run", "pid": 1, "tid": 0, "args": {"program": "p</script>", "started": 1, "process": 9}},
    {"ph": "M", "name": "process_name", "pid": 2, "tid": 0, "args": {"name": "slave <script>alert(1)", "slots": 1}},
    {"ph": "i", "pid": 2, "tid": 1, "ts": 0, "s": "p", "cat": "slave", "name": "joined", "args": {"slots": 1}},
]
ARGS = {"attempt": 1, "end": "finished", "queue_us": 1, "there_us": 1, "back_us": 1, "arguments": 4, "result": 4}


def write(path: Path, events: list[dict[str, Any]]) -> None:
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    path.write_text(f"[\n{lines}\n]\n")


def run_event(index: int) -> dict[str, Any]:
    return {
        "ph": "X", "pid": 2, "tid": 1, "ts": index * 10.0, "dur": 5.0, "cat": "run", "name": "f<b>",
        "args": {"job": index + 1, **ARGS},
    }  # fmt: skip


def test_nothing_in_a_trace_becomes_part_of_the_page(tmp_path: Path) -> None:
    failed = {"job": 1, "message": "</pre><script>alert(2)</script>", "story": "<img src=x>"}
    instant = {"ph": "i", "pid": 2, "tid": 1, "ts": 9, "s": "p"}
    failure = {**instant, "cat": "failure", "name": "failed f<b>", "args": failed}
    said = {**instant, "cat": "log", "name": "said", "args": {"line": "<p>&"}}
    write(tmp_path / "t.json", [*HEAD, run_event(0), failure, said])
    page, data = page_of(tmp_path, "t.json")
    assert page.loads == []
    assert "img" not in page.tags
    assert data["functions"] == ["f<b>"]
    assert (tmp_path / "t.html").read_text().count("<script>") == 1


def test_many_runs_become_few_blocks(tmp_path: Path) -> None:
    count = 60_000
    write(tmp_path / "t.json", [*HEAD, *map(run_event, range(count))])
    began = time.monotonic()
    page, data = page_of(tmp_path, "t.json")
    assert time.monotonic() - began < 50
    (lane,) = data["lanes"]
    assert data["merged"]
    assert len(lane["blocks"]) <= 60_000
    assert sum(block[5] for block in lane["blocks"]) == count
    assert (tmp_path / "t.html").stat().st_size < 4_000_000
    assert ["f<b>", str(count)] in [row[:2] for row in page.rows]


def test_an_empty_run(tmp_path: Path) -> None:
    write(tmp_path / "t.json", [*HEAD, {"ph": "M", "name": "ms_end", "pid": 1, "tid": 0, "args": {"left_out": 3}}])
    page, _ = page_of(tmp_path, "t.json")
    assert any("No job has run." in text for text in page.texts)
    assert any("3 events are missing" in text for text in page.texts)


WRONG = [
    (b"", "is no trace"),
    (b"hello\n", "is no trace"),
    (b"\x00\xff\xfe" * 100, "is no trace"),
    (b"[\n]\n", "is no trace: it does not say which program was run"),
    (b'{"traceEvents": []}', "is no trace"),
    (b'[\n{"ph":"M"},\nxyz\n{"ph":"M","name":"a","args":{}}\n]\n', "is damaged"),
    (b'[\n{"ph":"X","ts":"soon","dur":1,"name":"a"}\n]\n', "is damaged"),
    (b'[\n5,\n6\n]\n', "is damaged"),
    (b'[\n{"ph":"X","ts":1,"dur":1,"name":"a","cat":"run","pid":2,"tid":1,"args":{"job":-1}}\n]\n', "is damaged"),
]


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_what_is_no_trace(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.json").write_bytes(content)
    done = report(tmp_path, "t.json")
    assert done.returncode == 2
    assert done.stderr.startswith(f"msc: t.json {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "t.html").exists()


def test_bad_words(tmp_path: Path) -> None:
    (tmp_path / "t.html").write_text("mine")
    for words, message in (
        ((), "no trace"), (("a", "b"), "one trace, not 2"), (("--open", "a"), "no option --open"),
        (("a", "-o"), "needs a value"), (("none.json",), "No such file"), (("t.html",), "take the place of the trace"),
        ((".",), "Is a directory"),
    ):  # fmt: skip
        done = report(tmp_path, *words)
        assert done.returncode == 2
        assert message in done.stderr, words
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "t.html").read_text() == "mine"
    assert "usage: msc report" in report(tmp_path, "--help").stdout
