"""The one table of built-in functions.

The checker, the code generator, the reference and the tests all read it. A row gives the name, what the arguments and
the result are, how each argument is passed, whether the call is pure, what the runtime calls it, and one line of
help. How a row is checked when its types depend on the arguments' is told by the pattern words below;
`checker/calls.py` interprets them, and `codegen/builtins.py` has one generator for each `symbol` that is not a plain
runtime function.

Pattern words for types, besides the types themselves:
  "T"      any type, the same wherever it occurs in a row          "V"       vector<T> (string included)
  "S"      string                                                 "O"       ordered: a number, char or string
  "N"      int, long, double or float; all "N" of a row agree      "J"       job<T>          "JS"  vector<job<T>>
  "I"      int or long (an index, a bound or a size)               "F"       a function's name: bool less(T a, T b)
  "E"      an element or a piece to look for: T, or on strings a char or a string
  "M" "K" "W"   map<K, W>, its key, its value                      "..."     any number of values of any type but void
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ms.types import BOOL, CHAR, DOUBLE, FLOAT, INT, JOB_STATE, LONG, STRING, VOID, StructType, Type, VectorType

Pattern: TypeAlias = Type | str


class Mode(Enum):
    """How an argument is passed."""

    READ = "read"  # only looked at
    KEEP = "keep"  # becomes part of something: moved in, or copied when its owner lives on
    REUSE = "reuse"  # a new value is made of it: in place when it can be moved in, else beside it
    INOUT = "inout"  # a variable, field or element that the call changes


class Where(Enum):
    """Who may call it."""

    ANYWHERE = "anywhere"
    MASTER = "master"  # not what a job can reach


@dataclass(frozen=True, slots=True)
class Builtin:
    """One row. `symbol`: what the code generator makes of it; "ms_…" is a plain call of that runtime function."""

    name: str
    parameters: tuple[tuple[Pattern, Mode], ...]
    result: Pattern
    symbol: str
    help: str
    pure: bool = True
    where: Where = Where.ANYWHERE
    returns: bool = True  # False: control never comes back (fail, exit)


def _row(
    name: str,
    parameters: str,
    result: Pattern,
    symbol: str,
    help: str,
    *types: Type,
    pure: bool = True,
    where: Where = Where.ANYWHERE,
    returns: bool = True,
) -> Builtin:
    """`parameters` is a list of pattern words, each with "&" (INOUT), "=" (KEEP) or "+" (REUSE) behind it or nothing
    (READ); "#" takes the next one of `types`."""
    given = iter(types)
    modes = {"&": Mode.INOUT, "=": Mode.KEEP, "+": Mode.REUSE}
    parsed: list[tuple[Pattern, Mode]] = []
    for word in parameters.split():
        mode = modes.get(word[-1], Mode.READ)
        stem = word if mode is Mode.READ else word[:-1]
        parsed.append((next(given) if stem == "#" else stem, mode))
    return Builtin(name, tuple(parsed), result, symbol, help, pure, where, returns)


RNG = StructType("rng")
EXEC_RESULT = StructType("exec_result")
STRINGS = VectorType(STRING)


def _one_float(name: str, help: str) -> Builtin:
    return _row(name, "#", DOUBLE, name, help, DOUBLE)


_ROWS: tuple[Builtin, ...] = (
    # output and text
    _row("print", "...", VOID, "print", "writes its arguments, separated by spaces, and a newline", pure=False),
    _row("write", "...", VOID, "write", "writes its arguments, nothing between or behind them", pure=False),
    _row("eprint", "...", VOID, "eprint", "is print on standard error", pure=False),
    _row("str", "T", STRING, "str", "the text that print would write"),
    _row("format", "S ...", STRING, "format", "the text of a template with its {} filled in"),
    # vectors and strings
    _row("size", "V", INT, "size", "the number of elements"),
    _row("pop", "V&", "T", "pop", "takes the last element off and gives it", pure=False),
    _row("resize", "V& I", VOID, "resize", "cuts, or fills up with zero values", pure=False),
    _row("clear", "V&", VOID, "clear", "removes every element", pure=False),
    _row("fill", "I T=", "V", "fill", "a vector of n times x"),
    _row("insert", "V& I T=", VOID, "insert", "puts x before element i", pure=False),
    _row("remove", "V& I", "T", "remove", "takes element i out and gives it", pure=False),
    _row("swap", "V& I I", VOID, "swap", "exchanges two elements", pure=False),
    _row("sort", "V+", "V", "sort", "the elements in ascending order, equal ones as they were"),
    _row("sort", "V+ F", "V", "sort_by", "the elements in the order of less, equal ones as they were"),
    _row("reverse", "V+", "V", "reverse", "the elements from the last to the first"),
    _row("find", "V E", INT, "find", "the index of the first x, -1 for none"),
    _row("contains", "V E", BOOL, "contains", "whether x is there"),
    _row("sum", "V", "N", "sum", "of numbers; of integers a long"),
    _row("min", "V", "T", "min_of", "the smallest element"),
    _row("min", "V F", "T", "min_by", "the smallest element by less"),
    _row("max", "V", "T", "max_of", "the largest element"),
    _row("max", "V F", "T", "max_by", "the largest element by less"),
    # strings
    _row("split", "S S", STRINGS, "ms_split", "the parts between the separators"),
    _row("split", "S", STRINGS, "ms_split_space", "the words between white space"),
    _row("join", "# S", STRING, "ms_join", "the strings with sep between them", STRINGS),
    _row("trim", "S", STRING, "ms_trim", "without white space at both ends"),
    _row("upper", "S", STRING, "ms_upper", "with A to Z for a to z"),
    _row("lower", "S", STRING, "ms_lower", "with a to z for A to Z"),
    _row("replace", "S S S", STRING, "ms_replace", "with every a turned into b"),
    _row("starts_with", "S S", BOOL, "ms_starts_with", "whether it begins so"),
    _row("ends_with", "S S", BOOL, "ms_ends_with", "whether it ends so"),
    _row("parse_int", "S", INT, "ms_parse_int", "the int that is written there"),
    _row("parse_long", "S", LONG, "ms_parse_long", "the long that is written there"),
    _row("parse_double", "S", DOUBLE, "ms_parse_double", "the double that is written there"),
    # maps
    _row("size", "M", INT, "map_size", "the number of pairs"),
    _row("clear", "M&", VOID, "map_clear", "removes every pair", pure=False),
    _row("has", "M K", BOOL, "map_has", "whether the key is there"),
    _row("lookup", "M K W=", "W", "map_lookup", "the value of a key, or the default"),
    _row("remove", "M& K", BOOL, "map_remove", "takes a pair out; whether it was there", pure=False),
    _row("keys", "M", "vector<K>", "map_keys", "the keys, in order of insertion"),
    _row("values", "M", "vector<W>", "map_values", "the values, in order of insertion"),
    # numbers
    _row("abs", "N", "N", "abs", "the absolute value"),
    _row("min", "N N", "N", "min", "the smaller one"),
    _row("max", "N N", "N", "max", "the larger one"),
    _one_float("sqrt", "the square root"),
    _one_float("cbrt", "the cube root"),
    _row("pow", "# #", DOUBLE, "pow", "x to the power y", DOUBLE, DOUBLE),
    _one_float("exp", "e to the power x"),
    _one_float("log", "the natural logarithm"),
    _one_float("log2", "the logarithm to base 2"),
    _one_float("log10", "the logarithm to base 10"),
    _one_float("sin", "the sine"),
    _one_float("cos", "the cosine"),
    _one_float("tan", "the tangent"),
    _one_float("asin", "the arc sine"),
    _one_float("acos", "the arc cosine"),
    _one_float("atan", "the arc tangent"),
    _row("atan2", "# #", DOUBLE, "atan2", "the angle of the point (x, y), as atan2(y, x)", DOUBLE, DOUBLE),
    _one_float("floor", "rounded down"),
    _one_float("ceil", "rounded up"),
    _one_float("round", "rounded to the nearest, halves away from zero"),
    _one_float("trunc", "rounded toward zero"),
    _row("fmod", "# #", DOUBLE, "fmod", "the remainder of x / y, with the sign of x", DOUBLE, DOUBLE),
    _row("hypot", "# #", DOUBLE, "hypot", "the square root of x*x + y*y", DOUBLE, DOUBLE),
    _row("is_nan", "#", BOOL, "is_nan", "whether it is not a number", DOUBLE),
    _row("popcount", "I", INT, "popcount", "how many bits are 1"),
    # random numbers
    _row("random", "#", RNG, "random", "a generator of random numbers, from a seed", LONG),
    _row("next_long", "#&", LONG, "next_long", "any long", RNG, pure=False),
    _row("next_int", "#& #", INT, "next_int", "an int from 0 to n - 1", RNG, INT, pure=False),
    _row("next_double", "#&", DOUBLE, "next_double", "a double from 0 to 1", RNG, pure=False),
    # world
    _row("args", "", STRINGS, "ms_args", "the words after -- on the command line", where=Where.MASTER),
    _row("arg", "I T=", "T", "arg", "word i as the type of the default, or the default", where=Where.MASTER),
    _row("exit", "#", VOID, "ms_exit", "ends the program", INT, pure=False, where=Where.MASTER, returns=False),
    _row("fail", "S", VOID, "ms_fail", "ends the job, or the program, with a message", pure=False, returns=False),
    _row("env", "S", STRING, "ms_env", "a variable of the environment, or an empty string", pure=False),
    _row("time", "", DOUBLE, "ms_time", "seconds since 1970", pure=False),
    _row("clock", "", DOUBLE, "ms_clock", "seconds of a clock that only goes forward", pure=False),
    _row("sleep", "#", VOID, "ms_sleep", "waits for so many seconds", DOUBLE, pure=False),
    _row("host", "", STRING, "ms_host", "the name of the machine it runs on", pure=False),
    _row("read_file", "S", STRING, "ms_read_file", "the bytes of a file", pure=False),
    _row("read_file", "S # #", STRING, "ms_read_file_part", "bytes from to to - 1 of a file", LONG, LONG, pure=False),
    _row("write_file", "S S", VOID, "ms_write_file", "makes or replaces a file", pure=False),
    _row("append_file", "S S", VOID, "ms_append_file", "adds to the end of a file", pure=False),
    _row("read_lines", "S", STRINGS, "ms_read_lines", "the lines of a file, without their ends", pure=False),
    _row("read_line", "", STRING, "ms_read_line", "a line of standard input", pure=False),
    _row("at_end", "", BOOL, "ms_at_end", "whether standard input has ended", pure=False),
    _row("file_size", "S", LONG, "ms_file_size", "the bytes in a file", pure=False),
    _row("file_exists", "S", BOOL, "ms_file_exists", "whether there is such a file", pure=False),
    _row("list_dir", "S", STRINGS, "ms_list_dir", "the names in a directory, sorted", pure=False),
    _row("exec", "# S", EXEC_RESULT, "exec", "runs another program", STRINGS, pure=False),
    # jobs
    _row("get", "J", "T", "get", "waits for a job and gives its result", pure=False),
    _row("get", "JS", "vector<T>", "get_all", "waits for all and gives their results, in order", pure=False),
    _row("state", "J", JOB_STATE, "ms_job_state", "running, finished or failed", pure=False),
    _row("cancel", "J", VOID, "ms_job_cancel", "stops a job", pure=False),
    _row("error", "J", STRING, "ms_job_error", "why it failed, in a few words", pure=False),
    _row("story", "J", STRING, "ms_job_story", "why it failed, with all places", pure=False),
    _row("wait", "J", JOB_STATE, "ms_job_wait", "waits until it has ended and gives its state", pure=False),
    _row("wait", "J #", JOB_STATE, "ms_job_wait_for", "the same, for so many seconds at most", DOUBLE, pure=False),
    _row("any", "JS", INT, "ms_jobs_any", "waits for one to end and gives its index", pure=False),
    _row("any", "JS #", INT, "ms_jobs_any_for", "the same, or -1 after so many seconds", DOUBLE, pure=False),
    _row("completed", "JS", VectorType(INT), "completed", "in a for: the indices, in order of ending", pure=False),
    _row("slaves", "", INT, "ms_slaves", "how many slaves are connected", pure=False),
    _row("slots", "", INT, "ms_slots", "how many jobs they can run at once", pure=False),
)


def _by_name() -> dict[str, tuple[Builtin, ...]]:
    table: dict[str, tuple[Builtin, ...]] = {}
    for row in _ROWS:
        table[row.name] = (*table.get(row.name, ()), row)
    return table


BUILTINS: dict[str, tuple[Builtin, ...]] = _by_name()
"""All rows, by name; a name with several rows is told apart by its arguments."""

CONSTANTS: dict[str, float] = {"pi": 3.141592653589793, "infinity": float("inf"), "nan": float("nan")}
"""The built-in constants, all of type double."""

STRUCTS: dict[str, tuple[tuple[str, Type], ...]] = {
    "rng": (("s0", LONG), ("s1", LONG), ("s2", LONG), ("s3", LONG)),
    "exec_result": (("code", INT), ("out", STRING), ("err", STRING)),
}
"""The fields of the built-in structs."""

CONVERSIONS: dict[str, Type] = {"int": INT, "long": LONG, "double": DOUBLE, "float": FLOAT, "char": CHAR}
"""Calls by the name of a type; they become `typed.Convert`."""
