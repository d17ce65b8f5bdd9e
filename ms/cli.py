"""The command line of msc: what was asked, and the exit status.

Exit statuses: 0 fine, 1 the program is wrong, 2 usage or the tool chain, 70 a bug of the compiler; `msc run` gives
the master's. What is done is left to `driver.py` and `run.py`.
Invariants: usage errors are one line on standard error; nothing that takes long to import is imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ms import __version__

if TYPE_CHECKING:
    from ms import driver
    from ms.diagnostics import Diagnostics

_HELP = """usage: msc PROG.ms [-o PROG] [options]           make PROG-master and PROG-slave
       msc check PROG.ms [options]                only look for errors
       msc run PROG.ms [-n N] [options] [-- WORDS]   make both and run them here
       msc explain [CODE]                         tell more about an error, or list them all
       msc key [FILE]                             make a key, which both programs need over TCP
       msc report TRACE [-o RUN.html]             make a page of what --trace has written
       msc --version | --help

  -o PROG            what to call the programs (default: the name of the source, in this directory)
  -g                 keep symbols and lines for debuggers
  -O0 -O1 -O2 -O3    how much to optimise (default: -O3)
  --cpu NAME         compile for a processor as LLVM names it; native: for this one
  --target TRIPLE    compile for another machine, for example aarch64-linux-musl (needs zig)
  --dynamic          link the C library dynamically
  --link FILE        link a C file, an object, an archive, or -lNAME and -LDIRECTORY, for extern functions; repeatable
  --unchecked        leave out the checks of indices and divisions, for measuring
  --sanitize         build the runtime with the address and undefined-behaviour sanitizers
  --emit KIND        typed, fingerprint, llvm, asm: print that and stop; obj: write one object file to -o
  --role ROLE        master or slave: which program --emit is about (default: master)
  --warn-copies      name every place where a vector, string or struct is really copied
  --werror           warnings are errors
  --json             diagnostics as JSON on standard output
"""

_RUN_HELP = """usage: msc run PROG.ms [-n N] [options] [-- WORDS]

Compiles PROG.ms, unless that has been done before, and runs a master and N slaves on this machine. The exit status is
the master's. WORDS are what args() gives.

  -n N               how many slaves (default: as many as there are processors); 0: serially, without slaves
  --local            the same as -n 0

These go to the master: --progress[=WHEN] --trace FILE --status ADDRESS --lost-max N --min-slaves N --heartbeat S
--payload-max BYTES --started-max N --started-size-max BYTES --quiet

And of the compiler's options: -g -O0 to -O3 --cpu --dynamic --link --unchecked --sanitize --warn-copies --werror
"""

_CHECK_HELP = """usage: msc check PROG.ms [--json] [--werror] [--warn-copies]

Looks for errors in PROG.ms. Exit status 0: there are none; 1: there are.
"""

_EXPLAIN_HELP = """usage: msc explain [CODE]

Prints a page on an error, a warning or a note, with a wrong and a right program; without CODE, one line for each.
"""

_KEY_HELP = """usage: msc key [FILE]

Makes a key for connections over TCP, in a new file that only you may read; without FILE, prints it. Give the file to
the master and to its slaves: PROG-master --listen HOST:PORT --key-file FILE, PROG-slave HOST:PORT --key-file FILE
"""

# Options of prog-master that `msc run` hands on: whether a value follows them.
_MASTER_OPTIONS = {
    "--progress": False, "--quiet": False, "--trace": True, "--status": True, "--lost-max": True,
    "--min-slaves": True, "--heartbeat": True, "--payload-max": True, "--started-max": True,
    "--started-size-max": True,
}  # fmt: skip

_REPORT_HELP = """usage: msc report TRACE [-o PAGE]

Makes a page of the trace that prog-master --trace or msc run --trace has written: the time line, how busy the slaves
were, what the jobs of each function took, transfers, and what went wrong. The page needs no network.

  -o PAGE            what to call it (default: the name of the trace with .html)
"""

_COMMANDS = ("check", "run", "explain", "key", "report")
_HELPS = {
    "build": _HELP, "check": _CHECK_HELP, "run": _RUN_HELP, "explain": _EXPLAIN_HELP, "key": _KEY_HELP,
    "report": _REPORT_HELP,
}
_EMITS = ("typed", "fingerprint", "llvm", "asm", "obj")
_ROLES = ("master", "slave")

_COMPILING = frozenset(
    {"-g", "-O0", "-O1", "-O2", "-O3", "--cpu", "--target", "--dynamic", "--unchecked", "--sanitize", "--warn-copies",
    "--werror", "--link"}
)
_ALLOWED = {
    "build": _COMPILING | {"-o", "--emit", "--role", "--json"},
    "check": frozenset({"--json", "--werror", "--warn-copies"}),
    "run": (_COMPILING - {"--target"}) | {"-n", "--local", *_MASTER_OPTIONS},
}
_WITH_VALUE = frozenset({"-o", "-n", "--cpu", "--target", "--emit", "--role", "--link"})


class UsageError(Exception):
    """The command line makes no sense; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """A command line, understood. `compiling` has the compiler's flags and their values, "" for those without."""

    command: str
    path: str
    compiling: dict[str, str] = field(default_factory=dict)
    master_options: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of `msc arguments…`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _run(given)
        sys.stdout.flush()
        return status
    except UsageError as error:
        return _complain(f"{error} (msc --help)")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _complain(text: str) -> int:
    print(f"msc: {text}", file=sys.stderr)
    return 2


# Understanding the words


def _run(given: list[str]) -> int:
    command = given[0] if given and given[0] in _COMMANDS else "build"
    words = given[1:] if command != "build" else given
    options = words[: words.index("--")] if "--" in words else words
    if "--help" in options or "-h" in options:
        print(_HELPS[command], end="")
        return 0
    if command == "explain":
        return _explain(words)
    if command == "key":
        return _key(words)
    if command == "report":
        return _report(words)
    if command == "build" and "--version" in options:
        print(f"msc {__version__}")
        return 0
    return _perform(parse_arguments(command, words))


def _explain(words: Sequence[str]) -> int:
    from ms import explanations

    for word in words:
        if word.startswith("-"):
            raise UsageError(f"there is no option {word} of msc explain")
    if len(words) > 1:
        raise UsageError(f"one code, not {len(words)}")
    if not words:
        for code, title in explanations.titles().items():
            print(f"{code}  {title}")
        return 0
    found = explanations.find_code(words[0])
    if found is None:
        near = explanations.nearest_code(words[0])
        cure = f"did you mean {near}?" if near else "msc explain lists them all"
        return _complain(f"there is no code {words[0]}; {cure}")
    print(explanations.page_text(found), end="")
    return 0


def _key(words: Sequence[str]) -> int:
    from ms import key
    from ms.toolchain import ToolchainError

    for word in words:
        if word.startswith("-"):
            raise UsageError(f"there is no option {word} of msc key")
    if len(words) > 1:
        raise UsageError(f"one file, not {len(words)}")
    try:
        if words:
            key.write_key(words[0])
        else:
            key.print_key()
    except ToolchainError as error:
        return _complain(str(error))
    return 0


def _report(words: Sequence[str]) -> int:
    from ms.report import NoTrace, write_report

    paths: list[str] = []
    output = ""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-o":
            output = _value(word, rest)
        elif word.startswith("-o") and len(word) > 2:
            output = word[2:]
        elif word.startswith("-"):
            raise UsageError(f"there is no option {word} of msc report")
        else:
            paths.append(word)
    if len(paths) != 1:
        none = "no trace: msc run PROG.ms --trace FILE makes one"
        raise UsageError(f"one trace, not {len(paths)}" if paths else none)
    page = Path(output or os.path.splitext(paths[0])[0] + ".html")
    if page.exists() and page.samefile(paths[0]):
        raise UsageError("the page would take the place of the trace: name it with -o")
    try:
        write_report(Path(paths[0]), page)
    except NoTrace as error:
        return _complain(f"{paths[0]} {error}")
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}")
    return 0


def parse_arguments(command: str, words: Sequence[str]) -> Arguments:
    paths: list[str] = []
    compiling: dict[str, str] = {}
    master_options: list[str] = []
    links: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            if command != "run":
                raise UsageError("words after -- are for msc run")
            break
        if not word.startswith("-") or word == "-":
            paths.append(word)
            continue
        name, separator, value = word.partition("=") if word.startswith("--") else _split_short(word)
        if name not in _ALLOWED[command]:
            raise UsageError(f"there is no option {name}{'' if command == 'build' else f' of msc {command}'}")
        if name in _MASTER_OPTIONS:
            master_options.append(word)
            if _MASTER_OPTIONS[name] and not separator:
                master_options.append(_value(name, rest))
        elif name == "--link":
            links.append(value if separator else _value(name, rest))
        elif name in _WITH_VALUE:
            compiling[name] = value if separator else _value(name, rest)
        elif separator:
            raise UsageError(f"the option {name} takes no value")
        else:
            compiling[name] = ""
    if len(paths) != 1:
        raise UsageError(f"one source file, not {len(paths)}" if paths else "no source file")
    return _checked(Arguments(command, paths[0], compiling, tuple(master_options), tuple(rest), tuple(links)))


def _split_short(word: str) -> tuple[str, str, str]:
    """-n4 is -n 4, and -oname -o name."""
    if len(word) > 2 and word[:2] in _WITH_VALUE:
        return word[:2], "=", word[2:]
    return word, "", ""


def _value(name: str, rest: list[str]) -> str:
    if not rest or rest[0] == "--":
        raise UsageError(f"the option {name} needs a value")
    return rest.pop(0)


def _checked(arguments: Arguments) -> Arguments:
    """Refuses values that make no sense."""
    chosen = arguments.compiling
    for name, values in (("--emit", _EMITS), ("--role", _ROLES)):
        if name in chosen and chosen[name] not in values:
            raise UsageError(f"{name} is one of {', '.join(values)}, not {chosen[name]!r}")
    if "-n" in chosen and not (chosen["-n"].isascii() and chosen["-n"].isdigit() and int(chosen["-n"]) <= 1024):
        raise UsageError(f"-n takes a number from 0 to 1024, not {chosen['-n']!r}")
    if chosen.get("--emit") == "obj" and "-o" not in chosen:
        raise UsageError("--emit obj needs -o")
    if "-o" in chosen and chosen.get("--emit", "obj") != "obj":
        raise UsageError(f"--emit {chosen['--emit']} prints; it takes no -o")
    if "-o" in chosen and not os.path.basename(chosen["-o"]):
        raise UsageError(f"-o takes the name of a program, not {chosen['-o']!r}")
    for word in arguments.links:
        from ms.toolchain import is_linkable

        if not is_linkable(word):
            raise UsageError(f"--link takes a .c, .o or .a file, -lNAME or -LDIRECTORY, not {word!r}")
    if os.path.basename(arguments.path) in (".ms", "", ".", ".."):
        raise UsageError(f"{arguments.path!r} is no source file")
    if "--local" in chosen:
        return replace(arguments, compiling={**chosen, "-n": "0"})
    return arguments


# Doing it


def _perform(arguments: Arguments) -> int:
    from ms import driver
    from ms.diagnostics import Diagnostics, InternalError, ProgramError
    from ms.toolchain import SANITIZERS, ToolchainError

    chosen = arguments.compiling
    options = driver.Options(
        level=next((level for level in range(4) if f"-O{level}" in chosen), 3),
        cpu=chosen.get("--cpu", ""),
        target=chosen.get("--target", ""),
        debug="-g" in chosen,
        unchecked="--unchecked" in chosen,
        sanitize=SANITIZERS if "--sanitize" in chosen else "",
        dynamic="--dynamic" in chosen,
        warn_copies="--warn-copies" in chosen,
        links=arguments.links,
    )
    diagnostics = Diagnostics()
    try:
        return _perform_command(arguments, options, diagnostics)
    except ProgramError as error:
        _show(error.diagnostics, arguments)
        return 1
    except ToolchainError as error:
        return _complain(str(error))
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except InternalError as error:
        return _internal_error(f"{error.span}: {error}" if error.span else f"{arguments.path}: {error}")
    except Exception as error:
        return _internal_error(f"{arguments.path}: {type(error).__name__}: {error}")


def _perform_command(arguments: Arguments, options: driver.Options, diagnostics: Diagnostics) -> int:
    from ms import driver

    chosen = arguments.compiling
    source = driver.read_source(arguments.path)
    if arguments.command == "check":
        driver.check_only(source, options, diagnostics)
        return _show(diagnostics, arguments)
    if "--emit" in chosen:
        made = driver.emit(source, chosen["--emit"], chosen.get("--role", "master"), options, diagnostics)
        status = _show(diagnostics, arguments)
        if status == 0:
            _put_out(made, chosen.get("-o", ""))
        return status
    programs = driver.build(source, options, diagnostics)
    status = _show(diagnostics, arguments)
    if status != 0:
        return status
    if arguments.command == "run":
        from ms import run

        count = int(chosen["-n"]) if "-n" in chosen else len(os.sched_getaffinity(0))
        return run.run_programs(programs.master, programs.slave, count, arguments.master_options, arguments.words)
    driver.install(programs, Path(chosen.get("-o") or Path(arguments.path).stem))
    return 0


def _put_out(made: str | bytes, output: str) -> None:
    if isinstance(made, str):
        sys.stdout.write(made)
        return
    from ms import toolchain

    toolchain.write_file(Path(output), made)


def _show(diagnostics: Diagnostics, arguments: Arguments) -> int:
    """Prints the diagnostics; the exit status that follows from them."""
    from ms.diagnostics import Severity

    severities = {item.severity for item in diagnostics.items}
    if "--json" in arguments.compiling:
        from ms.diagnostics import to_json

        print(to_json(diagnostics))
    elif diagnostics.items:
        from ms.diagnostics import render_all

        text = render_all(diagnostics)
        wants_colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        sys.stderr.write(_coloured(text) if wants_colour else text)
    is_wrong = Severity.ERROR in severities or ("--werror" in arguments.compiling and Severity.WARNING in severities)
    return 1 if is_wrong else 0


_COLOURS = {"error": "1;31", "warning": "1;35", "note": "1;36"}


def _coloured(text: str) -> str:
    """Rendered diagnostics with their first words and the marks under source lines in colour."""
    import re

    colour = _COLOURS["error"]
    lines = []
    for line in text.split("\n"):
        head = re.match(r"(error|warning|note)\[\w+\]", line)
        if head:
            colour = _COLOURS[head[1]]
            line = f"\x1b[{colour}m{head[0]}\x1b[0m\x1b[1m{line[head.end() :]}\x1b[0m"
        elif re.match(r" +\|", line):
            line = re.sub(r"(\^+)", f"\x1b[{colour}m\\1\x1b[0m", line, count=1)
        lines.append(line)
    return "\n".join(lines)


def _internal_error(what: str) -> int:
    """A bug of ours: one paragraph, and all of it for those who look for it."""
    if os.environ.get("MS_TRACEBACK"):
        import traceback

        traceback.print_exc()
    print(
        f"msc: a bug in the compiler (version {__version__}), not in your program: {what}\n"
        "Please report it with the program; MS_TRACEBACK=1 shows where the compiler was.",
        file=sys.stderr,
    )
    return 70
