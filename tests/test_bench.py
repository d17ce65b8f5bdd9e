"""The benchmarks work: a short form of the parts runs, results are compared, what fails or is missing is named, and the
figures in the documents are those of the last run. How fast anything is stands in no test."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree
from pathlib import Path

import measure
import model
import picture
import pytest
import quotes
import rivals
import soak
import targets
from common import Bench

ROOT = Path(__file__).resolve().parent.parent

# The compiler's speed and its code's have tests of their own; these are about the runtimes.
SHORT = (
    "jobs", "start", "memory", "grain", "rivals", "secure", "shared", "faults", "hostile", "scale",
    "model", "soak", "churn",
)  # fmt: skip


@pytest.mark.parametrize("part", SHORT)
def test_a_short_form_of_a_part(part: str, tmp_path: Path) -> None:
    words = [sys.executable, ROOT / "bench" / "measure.py", "--short", "--results", tmp_path, part]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    results = json.loads((tmp_path / "last.json").read_text())
    assert results["printed"][part].strip() in done.stdout
    page = (tmp_path / "last.md").read_text()
    for target in measure.TARGETS:
        assert target.what in page
    if f"{part}: skipped" in done.stdout:  # there is no C compiler, or no libsodium
        return
    about = [target for target in measure.TARGETS if target.path[0] == part]
    assert part in results
    verdicts = [targets.judge(target, results) for target in about]
    assert [v.target.what for v in verdicts if v.figure is None and not v.target.over] == []


def test_a_part_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad(bench: Bench) -> None:
        bench.results["bad"] = {"half": "done"}
        raise ZeroDivisionError("no rounds")

    def good(bench: Bench) -> None:
        print("all is well")
        bench.results["good"] = {"figure": 4}

    def endless(bench: Bench) -> None:
        subprocess.run(["sleep", "1000"])

    monkeypatch.setattr(measure, "PARTS", {"bad": bad, "endless": endless, "good": good})
    monkeypatch.setattr(measure, "PART_S", 1)
    assert measure.measure(["bad", "endless", "good"], False, tmp_path) == ["bad", "endless"]
    said = capsys.readouterr().out
    assert "bad: FAILED: no rounds" in said
    assert "endless: FAILED: it took more than 1 s" in said
    results = json.loads((tmp_path / "last.json").read_text())
    assert results["good"] == {"figure": 4}
    assert "bad" not in results


def test_a_later_run_of_one_part_keeps_the_figures_of_the_others(tmp_path: Path) -> None:
    measure.save(tmp_path, {"start": {"first_result_ms": 2}, "ran": {"start": {"seconds": 1}}}, {"start": "2 ms"})
    measure.save(tmp_path, {"memory": {"bytes_each": 128}, "ran": {"memory": {"seconds": 2}}}, {"memory": "128 bytes"})
    results = json.loads((tmp_path / "last.json").read_text())
    assert results["ran"] == {"start": {"seconds": 1}, "memory": {"seconds": 2}}
    page = (tmp_path / "last.md").read_text()
    assert "2 ms" in page
    assert "128 bytes" in page


def test_a_rival_that_is_missing_is_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systems = {"bare sockets": rivals.raw, "MPI": rivals.mpi, "Erlang": rivals.erlang, "Work Queue": rivals.work_queue}
    monkeypatch.setattr(rivals, "SYSTEMS", systems)
    monkeypatch.setattr(rivals, "KINDS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    rivals.bench_rivals(Bench(tmp_path, True))
    said = capsys.readouterr().out
    assert re.findall(r"rivals: (.*) is skipped", said) == ["bare sockets", "MPI", "Erlang", "Work Queue"]


def test_each_rival_that_needs_something_has_an_installer() -> None:
    scripts = {path.stem for path in (ROOT / "bench" / "rivals" / "install").glob("*.sh")}
    assert scripts == {"mpi", "erlang", "ray", "dask", "hyperqueue", "work_queue"}


def test_a_wrong_answer_of_a_rival_is_no_figure(tmp_path: Path) -> None:
    bad = rivals.Rival("wrong", (sys.executable, "-c", "raise SystemExit('wrong sum')"), {}, {}, tmp_path)
    with pytest.raises(rivals.RivalError, match="wrong, noop: status 1\nwrong sum"):
        rivals.measure_rival(bad, "noop", 10)


def test_a_rival_that_fails_is_left_out_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    def bad() -> float:
        raise rivals.RivalError("no memory")

    assert rivals.alternate_named(2, {"good": lambda: 1.0, "bad": bad}) == {"good": [1.0, 1.0]}
    assert capsys.readouterr().out == "bad is left out, it failed: no memory\n"


def test_a_rival_leaves_no_processes(tmp_path: Path) -> None:
    """Those that hold its group together: a child that it forgot is killed with it."""
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '1000'], stdout=subprocess.DEVNULL).pid)"
    forgetful = rivals.Rival("forgetful", (sys.executable, "-c", script), {}, {}, tmp_path)
    [pid] = rivals.run(forgetful, "noop")
    status = Path(f"/proc/{pid}/stat")
    while status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z":
        time.sleep(0.01)


RESULTS = {"a": {"ours": {"median": 30.0, "low": 1}, "theirs": 10}, "b": {"slow": 3}}


@pytest.mark.parametrize(
    ("target", "figure", "word"),
    [
        (targets.Target("", 2, ("a", "ours"), ("a", "theirs")), 3.0, "met"),
        (targets.Target("", 4, ("a", "ours"), ("a", "theirs")), 3.0, "MISSED"),
        (targets.Target("", 2, ("b", "slow"), at_most=True), 3.0, "MISSED"),
        (targets.Target("", 3, ("b", "slow"), at_most=True), 3.0, "met"),
        (targets.Target("", 3, ("b", "fast")), None, "not measured"),
        (targets.Target("", 3, ("a", "ours"), ("c", "theirs")), None, "not measured"),
        (targets.Target("", 3, ("a", "ours", "median", "x")), None, "not measured"),
    ],
)
def test_figures_against_bounds(target: targets.Target, figure: float | None, word: str) -> None:
    verdict = targets.judge(target, RESULTS)
    assert (verdict.figure, verdict.word) == (figure, word)


def test_the_picture_is_well_formed_and_shows_everybody() -> None:
    found = {"noop": {"M/s": {"median": 5e6}, "A & <B>": 12.5}, "trip": {"M/s": 35, "bare": 900_000}, "in": {}}
    text = picture.picture_of({"rivals": found, "machine": {"cores": 2, "cpu": "x < y"}})
    root = xml.etree.ElementTree.fromstring(text)
    words = [element.text for element in root.iter() if element.tag.endswith("}text")]
    assert {"M/s", "A & <B>", "bare", "5 M", "12.5", "35 µs", "900 ms"} <= set(words)
    _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
    for bar in (element for element in root.iter() if element.tag.endswith("}rect")):
        assert 0 <= float(bar.attrib["width"]) <= width
        assert float(bar.attrib["height"]) <= height


def test_the_picture_of_nothing() -> None:
    xml.etree.ElementTree.fromstring(picture.picture_of({}))


def measured(text: str) -> list[str]:
    """Without the targets that are too new to have a figure."""
    return [line for line in text.splitlines() if not line.endswith("| not measured |")]


@pytest.mark.parametrize("name", quotes.DOCUMENTS)
def test_the_documents_quote_the_last_run(name: str) -> None:
    text = (ROOT / name).read_text()
    results = json.loads((ROOT / "bench" / "results" / "last.json").read_text())
    wanted = measured(quotes.renewed(text, measure.TARGETS, results))
    assert measured(text) == wanted, "bench/run --quote writes the tables anew"


def test_the_page_and_the_picture_are_those_of_the_last_run() -> None:
    directory = ROOT / "bench" / "results"
    results = json.loads((directory / "last.json").read_text())
    assert measured((directory / "last.md").read_text()) == measured(measure.page_of(results, results["printed"]))
    assert (directory / "last.svg").read_text() == picture.picture_of(results)


def test_a_quote_is_written_anew() -> None:
    text = "before\n<!-- bench targets -->\nold\n<!-- end -->\nafter\n"
    target = targets.Target("rounds", 2, ("b", "slow"))
    new = quotes.renewed(text, [target], RESULTS)
    assert "| rounds | >= 2 x | 3.00 x | met |" in new
    assert "old" not in new
    assert quotes.renewed(new, [target], RESULTS) == new


def test_a_quote_of_what_was_not_measured_stays() -> None:
    text = "<!-- bench constants -->\n| old |\n<!-- end -->\n"
    assert quotes.renewed(text, [], {"model": {"constants": {"job_s": 1e-6}}}) == text


def test_the_model_counts_what_a_master_does() -> None:
    constants = model.Constants(1e-6, 2e-6, 1.5e-6, 4e-6, 0, 0)
    assert model.shortest_job(constants, 1000, 1, 0.5) == pytest.approx(0.5 * 1000 * 3e-6 / (1 - 1000 * 4e-6 / 2))
    assert model.shortest_job(constants, 10, 64, 1.0) == pytest.approx(640 * 1.5e-6, rel=1e-4)
    assert model.shortest_job(constants, 1_000_000, 1, 0.5) == float("inf")
    for relays, fan_out in ((0, 200), (4, 50)):
        ample = model.simulate(constants, relays, fan_out, 0.1, 20)
        scarce = model.simulate(constants, relays, fan_out, 0.0001, 20)
        assert ample > 0.95
        assert scarce < 0.5


def test_what_a_master_keeps_of_slaves_that_are_gone() -> None:
    before, half = soak.Held(7, 3, 4_000_000), soak.Held(57, 3, 8_000_000)
    assert soak.leaks(before, half, soak.Held(7, 3, 8_500_000)) == []
    assert soak.leaks(before, half, soak.Held(9, 4, 12_000_000)) == ["2 descriptors", "1 threads", "4.0 MB"]


def test_results_that_are_none(tmp_path: Path) -> None:
    for text in ("{", "[]"):
        (tmp_path / "last.json").write_text(text)
        with pytest.raises(SystemExit, match="remove it, or name another place with --results"):
            measure.save(tmp_path, {}, {})


def test_options(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "results")
    wrong = (["nothing"], "there is no part nothing"), (["--all", "jobs"], "--all stands alone")
    for words, said in (*wrong, (["--results", place], "Not a directory")):
        monkeypatch.setattr(sys, "argv", ["measure.py", *words])
        with pytest.raises(SystemExit) as error:
            measure.arguments()
        assert error.value.code == 2
        assert said in capsys.readouterr().err
