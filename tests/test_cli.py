"""The command line: what words mean, which ones make no sense, and the exit statuses."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ms import cli, driver
from ms.cli import UsageError, main, parse_arguments
from ms.diagnostics import InternalError
from ms.files import Files
from ms.source import Span

GOOD = 'master { print("hello"); }\n'
WRONG = 'master { vector<int> v; v :: "five"; print(v); }\n'
WARNED = "master { int unused = 1; }\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("wrong", WRONG), ("warned", WARNED)):
        (tmp_path / f"{name}.ms").write_text(text)
    return tmp_path


# What words mean


def test_build_is_what_is_done_without_a_command() -> None:
    arguments = parse_arguments("build", ["a.ms", "-o", "out", "-g", "-O1", "--cpu=native", "--target", "arm-linux"])
    assert (arguments.command, arguments.path) == ("build", "a.ms")
    assert arguments.compiling == {"-o": "out", "-g": "", "-O1": "", "--cpu": "native", "--target": "arm-linux"}


def test_run_hands_options_and_words_on() -> None:
    words = ["-n4", "a.ms", "--progress=always", "--trace", "t.json", "--lost-max=2", "--", "-n", "--x", "--"]
    arguments = parse_arguments("run", words)
    assert arguments.compiling == {"-n": "4"}
    assert arguments.master_options == ("--progress=always", "--trace", "t.json", "--lost-max=2")
    assert arguments.words == ("-n", "--x", "--")


def test_what_is_linked_in_keeps_its_order() -> None:
    words = ["--link", "b.c", "prog.ms", "--link=-lz", "--link", "-L/opt/lib", "--link", "dir/a.o"]
    assert parse_arguments("build", words).links == ("b.c", "-lz", "-L/opt/lib", "dir/a.o")
    for wrong in ("z", "b.cpp", "-l", "-L", "--link", "-Wl,-x", ""):
        with pytest.raises(UsageError, match="--link takes"):
            parse_arguments("run", ["prog.ms", "--link", wrong])


def test_local_is_no_slaves() -> None:
    assert parse_arguments("run", ["a.ms", "--local"]).compiling["-n"] == "0"


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("build", "", "no source file"),
        ("build", "a.ms b.ms", "one source file, not 2"),
        ("build", "a.ms --frobnicate", "no option --frobnicate"),
        ("build", "a.ms -O4", "no option -O4"),
        ("build", "a.ms -n 3", "no option -n"),
        ("build", "a.ms -o", "-o needs a value"),
        ("build", "a.ms -o dir/", "the name of a program, not 'dir/'"),
        ("build", "a.ms --dynamic=yes", "--dynamic takes no value"),
        ("build", "a.ms --emit soup", "--emit is one of typed, fingerprint, llvm, asm, obj, not 'soup'"),
        ("build", "a.ms --emit llvm -o x", "it takes no -o"),
        ("build", "a.ms --emit obj", "--emit obj needs -o"),
        ("build", "a.ms --role king", "--role is one of master, slave"),
        ("build", "a.ms -- word", "for msc run"),
        ("build", ".ms", "no source file"),
        ("check", "a.ms -g", "no option -g of msc check"),
        ("run", "a.ms -n -1", "a number from 0 to 1024, not '-1'"),
        ("run", "a.ms -n 2.5", "not '2.5'"),
        ("run", "a.ms -n 100000", "not '100000'"),
        ("run", "a.ms -n --", "-n needs a value"),
        ("run", "a.ms -o x", "no option -o of msc run"),
        ("run", "a.ms --target aarch64-linux", "no option --target of msc run"),
    ],
)
def test_what_makes_no_sense(command: str, words: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(command, words.split())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_usage_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["a.ms", "--frobnicate"]) == 2
    assert capsys.readouterr() == ("", "msc: there is no option --frobnicate (msc --help)\n")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["run", "--help"], ["check", "a.ms", "--help"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: msc")
    assert err == ""


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("build", "check", "run"):
        main([*([] if command == "build" else [command]), "--help"])
        out = capsys.readouterr().out
        missing = [name for name in cli._ALLOWED[command] if name not in out and name not in ("-O1", "-O2")]
        assert not missing


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "msc 0.1.0\n"


# Exit statuses


def test_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "good.ms"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["check", "wrong.ms"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error[E0203]: ")
    assert "--> wrong.ms:1:30\n" in err
    assert sorted(path.name for path in here.iterdir()) == ["good.ms", "warned.ms", "wrong.ms"], "nothing is made"


def test_warnings_are_errors_when_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "warned.ms"]) == 0
    assert capsys.readouterr().err.startswith("warning[")
    assert main(["check", "warned.ms", "--werror"]) == 1


def test_a_warning_that_is_allowed_is_no_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "allowed.ms").write_text("master {\n    int unused = 1;  // msc: allow W0101\n}\n")
    assert main(["check", "allowed.ms", "--werror"]) == 0
    assert capsys.readouterr() == ("", "")


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "wrong.ms", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    (item,) = json.loads(out)
    assert (item["code"], item["file"], item["line"]) == ("E0203", "wrong.ms", 1)
    assert main(["check", "good.ms", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(("path", "reason"), [("none.ms", "No such file or directory"), (".", "Is a directory")])
def test_source_that_cannot_be_read(here: Path, path: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([path if path != "." else str(here)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.endswith(f": {reason}\n")


def test_bug_in_the_compiler(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(sources: Files, *rest: object) -> None:
        raise InternalError("no such node", Span(sources.main, 9, 12))

    monkeypatch.delenv("MS_TRACEBACK", raising=False)
    monkeypatch.setattr(driver, "check", fail)
    assert main(["check", "good.ms"]) == 70
    err = capsys.readouterr().err
    assert "good.ms:1:10: no such node" in err
    assert "Traceback" not in err
    monkeypatch.setenv("MS_TRACEBACK", "1")
    assert main(["check", "good.ms"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_unexpected_exception_is_a_bug_too(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(driver, "check", fail)
    assert main(["check", "good.ms"]) == 70
    assert "good.ms: KeyError: 'x'" in capsys.readouterr().err


def test_build_makes_two_programs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["good.ms"]) == 0
    assert capsys.readouterr() == ("", "")
    assert {path.name for path in here.iterdir()} >= {"good-master", "good-slave"}
    (here / "sub").mkdir()
    assert main(["good.ms", "-o", "sub/other"]) == 0
    assert sorted(path.name for path in (here / "sub").iterdir()) == ["other-master", "other-slave"]
    done = subprocess.run(["sub/other-master", "--local"], capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n"


def test_output_that_cannot_be_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "taken-slave").mkdir()
    for output, reason in (("taken", "it is a directory"), ("no/where", "No such file or directory")):
        assert main(["good.ms", "-o", output]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert reason in err
    assert not (here / "taken-master").exists()


@pytest.mark.parametrize("kind", ["typed", "fingerprint", "llvm", "asm"])
def test_emit(here: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["good.ms", "--emit", kind]) == 0
    master = capsys.readouterr().out
    assert master
    assert main(["good.ms", "--emit", kind, "--role", "slave"]) == 0
    slave = capsys.readouterr().out
    assert (master == slave) == (kind in ("typed", "fingerprint"))


def test_emit_object(here: Path) -> None:
    assert main(["good.ms", "--emit", "obj", "-o", "good.o"]) == 0
    assert (here / "good.o").read_bytes().startswith(b"\x7fELF")
    assert not os.access(here / "good.o", os.X_OK)


def test_run_gives_output_and_status(here: Path) -> None:
    (here / "seven.ms").write_text('master { print("to", args()); exit(7); }\n')
    command = [sys.executable, "-m", "ms", "run", "seven.ms", "-n", "2", "--", "you", "--all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, 'to ["you", "--all"]\n', "")


def test_reader_that_goes_is_no_bug(here: Path) -> None:
    command = f"{sys.executable} -m ms good.ms --emit llvm | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


# Colour


def in_terminal(*words: str, **environment: str) -> bytes:
    """What msc writes when standard error is a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.pop("NO_COLOR", None)
        os.environ.update({"TERM": "xterm", **environment})
        os.execv(sys.executable, [sys.executable, "-m", "ms", *words])
    written = b""
    while True:
        try:
            written += os.read(terminal, 4096)
        except OSError:
            break
    os.waitpid(pid, 0)
    os.close(terminal)
    return written


def test_colour_only_on_a_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert b"\x1b[1;31merror[E0203]\x1b[0m" in in_terminal("check", "wrong.ms")
    assert b"\x1b" not in in_terminal("check", "wrong.ms", NO_COLOR="1")
    assert b"\x1b" not in in_terminal("check", "wrong.ms", TERM="dumb")
    main(["check", "wrong.ms"])
    plain = capsys.readouterr().err
    assert "\x1b" not in plain
    coloured = in_terminal("check", "wrong.ms").decode().replace("\r\n", "\n")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
