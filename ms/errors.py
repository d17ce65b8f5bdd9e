"""The messages of the compiler: one function for each, in the order of their codes.

E01 is about text and syntax, E02 about types, E03 about names and declarations, E04 about jobs, E05 about references;
W are warnings, N notes. A code never changes its meaning. Types and operators come in as text or as `Type`; the words
are chosen here and in `advice.py`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

from ms import habits
from ms.advice import NEAREST_DOUBLE, STATES, a_type, conversion_help, get_help, known_as, suggestion
from ms.diagnostics import Diagnostic, Label, Severity
from ms.source import Span
from ms.types import (
    BOOL,
    CHAR,
    FLOATS,
    INT,
    JOB_STATE,
    LONG,
    NUMBERS,
    STRING,
    JobType,
    MapType,
    StructType,
    Type,
    VectorType,
)  # fmt: skip


def _error(code: str, message: str, span: Span, label: str = "", *help: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, message, span, label, (), help)


def syntax_error(span: Span, found: str, expected: str, *help: str, at: tuple[Label, ...] = ()) -> Diagnostic:
    """`found` and `expected` are words for people: "`}`", "the end of the file", "an expression"."""
    message = f"expected {expected}, found {found}"
    return Diagnostic(Severity.ERROR, "E0101", message, span, "", at, help)


def unterminated(span: Span, what: str) -> Diagnostic:
    """`what` is "string", "character literal" or "comment"."""
    return _error("E0102", f"this {what} does not end", span, "it begins here")


def bad_escape(span: Span, escape: str) -> Diagnostic:
    return _error(
        "E0103",
        f"unknown escape `{escape}`",
        span,
        "",
        r"escapes are \n \t \r \0 \\ \' \" \xNN, and \u{1F600} in strings",
    )


def integer_too_large(span: Span) -> Diagnostic:
    return _error("E0104", "this integer does not fit 64 bits", span)


def malformed_number(span: Span, text: str, *help: str) -> Diagnostic:
    return _error("E0105", f"`{text}` is not a number", span, "", *help)


def bad_text(span: Span, what: str, *help: str) -> Diagnostic:
    """A byte that is not UTF-8, or a character that no token begins with."""
    return _error("E0106", what, span, "", *help)


def too_deep(span: Span, limit: int) -> Diagnostic:
    return _error("E0107", f"nested more than {limit} deep", span, "", "give the inner part a name of its own")


def reserved_word(span: Span, word: str, has_no_use: bool) -> Diagnostic:
    kept = [f"`{word}` is kept for a later version of the language"] if has_no_use else []
    return _error("E0109", f"`{word}` is a keyword and cannot be a name", span, "", *kept)


def bad_char_literal(span: Span) -> Diagnostic:
    return _error("E0110", "a character literal holds exactly one byte", span, "", 'for text, use "…"')


# What the checker says. `at` under a message: secondary labels.


def _at(span: Span | None, text: str = "declared here") -> tuple[Label, ...]:
    return () if span is None else (Label(span, text),)


def _report(
    code: str, message: str, span: Span, label: str = "", at: tuple[Label, ...] = (), help: tuple[str, ...] = ()
) -> Diagnostic:
    return Diagnostic(Severity.ERROR, code, message, span, label, at, help)


def _warning(
    code: str, message: str, span: Span, label: str = "", at: tuple[Label, ...] = (), help: tuple[str, ...] = ()
) -> Diagnostic:
    return Diagnostic(Severity.WARNING, code, message, span, label, at, help)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def wrong_type(span: Span, expected: Type, found: Type, at: Span | None, where: str) -> Diagnostic:
    """`where` says what stands at `at`: what asks for the expected type."""
    return _report(
        "E0201",
        f"expected {expected}, found {found}",
        span,
        f"this is {a_type(found)}",
        _at(at, where),
        conversion_help(found, expected),
    )


def map_for_struct(span: Span, struct: StructType) -> Diagnostic:
    """`{…}` where a struct is wanted, as in C."""
    help = (f"a struct is written with its name: {struct.name}{{field: value}}",)
    return _report("E0201", f"expected {struct}, found a map", span, "", help=help)


def loop_variable(span: Span, wanted: Type, found: Type, sequence: Span) -> Diagnostic:
    """The variable of a `for … in` cannot take what it is to go over."""
    message = f"expected {wanted} for the loop variable, found {found}"
    return _report("E0201", message, span, "", _at(sequence, f"this gives {a_type(wanted)} each time"))


def wrong_elements(span: Span, expected: Type, found: Type, at: Span, where: str) -> Diagnostic:
    """What `each` goes over has elements that the parameter cannot take."""
    message = f"expected {expected} for each job, found {found}"
    return _report("E0201", message, span, f"its elements are of type {found}", _at(at, where))


def operator_undefined(span: Span, operator: str, left: Type, right: Type, *help: str) -> Diagnostic:
    types = f"two values of type {left}" if left == right else f"{left} and {right}"
    if not help and JOB_STATE in (left, right):
        help = (STATES,)
    elif not help and BOOL in (left, right) and (left in NUMBERS or right in NUMBERS):
        help = ("b ? 1 : 0 makes a number of a bool",)
    elif not help and {left, right} == {CHAR, STRING}:
        help = ("str(c) makes a string of a char",)
    return _report("E0202", f"`{operator}` is not defined for {types}", span, help=help)


def prefix_undefined(span: Span, operator: str, operand: Type, *help: str) -> Diagnostic:
    return _report("E0202", f"`{operator}` is not defined for {operand}", span, f"this is {a_type(operand)}", help=help)


def cannot_append(span: Span, value: Type, target: VectorType, declared: Span | None) -> Diagnostic:
    element = target.element
    if value in NUMBERS | {CHAR} and element in NUMBERS | {CHAR}:
        help: tuple[str, ...] = (f"{element}(x) makes {a_type(element)} of it",)
    else:
        help = conversion_help(value, element)
    return _report("E0203", f"cannot append {value} to {target}", span, f"this is {a_type(value)}", _at(declared), help)


def append_to_no_vector(span: Span, target: Type, declared: Span | None) -> Diagnostic:
    message = f"cannot append to {target}: only vectors and strings grow"
    help = ("m[k] = x puts a pair in",) if isinstance(target, MapType) else ()
    return _report("E0203", message, span, f"this is {a_type(target)}", _at(declared), help)


def condition_not_bool(span: Span, found: Type) -> Diagnostic:
    help: tuple[str, ...] = ()
    if found in NUMBERS or found is CHAR:
        help = ("compare it with something: x != 0",)
    elif isinstance(found, VectorType | MapType):
        help = ("size(x) > 0 asks whether there are any elements",)
    elif found is JOB_STATE:
        help = (STATES,)
    return _report("E0204", f"a condition is a bool, found {found}", span, f"this is {a_type(found)}", help=help)


def narrowing(span: Span, expected: Type, found: Type, at: Span | None, where: str) -> Diagnostic:
    """A conversion between numbers that could lose something."""
    how = "keeps the low bits"
    if expected in FLOATS:
        how = "gives the nearest value"
    elif found in FLOATS:
        how = "cuts off what stands behind the point"
    return _report(
        "E0205",
        f"expected {expected}, found {found}, which does not convert without loss",
        span,
        f"this is {a_type(found)}",
        _at(at, where),
        (f"{expected}(x) {how}",),
    )


def wrong_argument_count(span: Span, name: str, wanted: str, found: int, declared: Span | None) -> Diagnostic:
    """`wanted` is the number in words of figures: "2", "1 or 2"."""
    noun = "argument" if wanted == "1" else "arguments"
    return _report("E0206", f"`{name}` takes {wanted} {noun}, found {found}", span, "", _at(declared))


def not_a_function(span: Span, name: str, what: str, declared: Span | None, *help: str) -> Diagnostic:
    """`what`: "a variable", "a constant", "a struct"."""
    return _report("E0207", f"`{name}` is {what}, not a function", span, "", _at(declared), help)


def no_such_field(
    span: Span, struct: str, name: str, near: str | None, declared: Span, fields: Iterable[str]
) -> Diagnostic:
    help = suggestion(near) or (f"its fields: {', '.join(fields)}",)
    return _report("E0208", f"struct {struct} has no field `{name}`", span, "", _at(declared), help)


def no_struct(span: Span, found: Type, field: str, is_function: bool) -> Diagnostic:
    """`is_function`: a function has the name that stands where a field should."""
    help = (f"`{field}` is a function: {field}(x)",) if is_function else ()
    if isinstance(found, JobType) and isinstance(found.result, StructType):
        help = ("get(j) waits for a job and gives its result",)
    elif isinstance(found, VectorType) and isinstance(found.element, StructType):
        help = ("v[i] is an element of a vector",)
    elif isinstance(found, MapType):
        help = ("m[k] is the value of a key",)
    return _report("E0209", f"`->` wants a struct, found {found}", span, f"this is {a_type(found)}", help=help)


def not_indexable(span: Span, found: Type, slices: bool) -> Diagnostic:
    what = "a slice" if slices else "an index"
    help = get_help(found)
    return _report("E0210", f"{found} has no elements to take {what} of", span, f"this is {a_type(found)}", help=help)


def index_not_integer(span: Span, found: Type) -> Diagnostic:
    help = ("int(x) makes an int of it",) if found in FLOATS else ()
    if found == STRING:
        help = ("a map<string, T> has strings in place of indices",)
    return _report("E0211", f"an index is an int or a long, found {found}", span, f"this is {a_type(found)}", help=help)


def no_type(span: Span, what: str, *help: str) -> Diagnostic:
    """`what` has no type of its own: "`[]`", "a variable without an initialiser"."""
    return _report("E0212", f"the type of {what} cannot be found out", span, "", (), help)


def no_conversion(span: Span, found: Type, target: Type) -> Diagnostic:
    return _report(
        "E0213",
        f"{found} does not convert to {target}",
        span,
        f"this is {a_type(found)}",
        help=conversion_help(found, target),
    )


def void_value(span: Span, name: str | None, declared: Span | None) -> Diagnostic:
    what = "this" if name is None else f"`{name}`"
    return _report("E0214", f"{what} gives no value", span, "this is void", _at(declared))


def not_a_place(span: Span, what: str) -> Diagnostic:
    """`what` wants the place: "the left side of `=`", "the first argument of `pop`"."""
    message = f"{what} must be a variable, a field or an element"
    return _report("E0215", message, span, "this is a value without a place")


def field_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return _report("E0216", f"field `{name}` is given twice", span, "", _at(first, "first given here"))


def no_common_type(span: Span, what: str, found: Type, other: Type, other_span: Span) -> Diagnostic:
    """`what`: "the elements of a vector", "the arms of `?:`"."""
    return _report(
        "E0217",
        f"{what} have no common type: {other} and {found}",
        span,
        f"this is {a_type(found)}",
        _at(other_span, f"this is {a_type(other)}"),
        (NEAREST_DOUBLE,) if LONG in (found, other) and (found in FLOATS or other in FLOATS) else (),
    )


def cannot_loop(span: Span, found: Type, pairs: bool) -> Diagnostic:
    if pairs:
        return _report("E0218", f"only a map has pairs to loop over, found {found}", span, f"this is {a_type(found)}")
    help = get_help(found)
    if found in (INT, LONG):
        help = ("a..b is a range: for (int i in 0..n)",)
    return _report("E0218", f"cannot loop over {found}", span, f"this is {a_type(found)}", help=help)


def stray_range(span: Span) -> Diagnostic:
    return _report("E0219", "a range stands only behind `in` of a `for` and in a slice", span)


def cannot_switch(span: Span, found: Type) -> Diagnostic:
    message = f"`switch` wants an integer, a char or a string, found {found}"
    return _report("E0220", message, span, f"this is {a_type(found)}")


def duplicate_case(span: Span, what: str, first: Span) -> Diagnostic:
    """`what`: "`default`", "the value 3"."""
    return _report("E0221", f"{what} stands in this `switch` twice", span, "", _at(first, "first here"))


def case_not_constant(span: Span, why: str) -> Diagnostic:
    return _report("E0222", f"a case is known at compile time: {why}", span)


def literal_does_not_fit(span: Span, value: float, expected: Type, at: Span | None, where: str) -> Diagnostic:
    ranges: dict[Type, str] = {INT: "-2147483648 to 2147483647", CHAR: "0 to 255"}
    extent = ranges.get(expected)
    label = f"{expected} is {extent}" if extent else f"{a_type(expected)} cannot hold this exactly"
    if isinstance(value, float):
        label = "the largest float is about 3.4e38"
    return _report("E0223", f"{value} does not fit {expected}", span, label, _at(at, where))


def builtin_not_applicable(span: Span, name: str, found: Type, wanted: str, *help: str) -> Diagnostic:
    """`wanted`: "a vector or a string", "a number"."""
    return _report("E0225", f"`{name}` wants {wanted}, found {found}", span, f"this is {a_type(found)}", help=help)


def wrong_tail(span: Span, name: str, result: Type, found: Type, declared: Span) -> Diagnostic:
    """`return remote …` in a job with another result than its own."""
    message = f"expected {JobType(result)}, found {found}: the result of this job becomes that of `{name}`"
    return _report("E0201", message, span, f"this is {a_type(found)}", _at(declared, f"`{name}` gives {result}"))


def wrong_less(span: Span, name: str, element: Type, declared: Span | None) -> Diagnostic:
    return _report(
        "E0226",
        f"an order of {element} is a function `bool {name}({element} a, {element} b)`",
        span,
        "",
        _at(declared),
    )


def bad_template(
    span: Span, why: str, *help: str, at: Span | None = None, found: Type | None = None
) -> Diagnostic:
    """`at`: the value that does not go into the place, and what it is."""
    value = () if found is None else _at(at, f"this is {a_type(found)}")
    return _report("E0227", f"template of `format`: {why}", span, "", value, help)


def not_ordered(span: Span, found: Type, *help: str) -> Diagnostic:
    return _report(
        "E0228", f"values of type {found} have no order", span, "numbers, chars and strings have one", help=help
    )


def not_a_key(span: Span, found: Type) -> Diagnostic:
    message = f"a map's key is int, long, char, bool or string, found {found}"
    return _report("E0230", message, span, f"this is {a_type(found)}")


# E03: names and declarations


def unknown_name(span: Span, name: str, near: str | None, elsewhere: Span | None = None) -> Diagnostic:
    help = known_as(span, name, near, elsewhere, habits.NAMES)
    return _report("E0301", f"unknown name `{name}`", span, "", (), help)


def name_is_no_value(span: Span, name: str, what: str, declared: Span | None, *help: str) -> Diagnostic:
    """`what`: "a function", "a struct"."""
    return _report("E0301", f"`{name}` is {what}, not a variable or a constant", span, "", _at(declared), help)


def unknown_function(span: Span, name: str, near: str | None, elsewhere: Span | None = None) -> Diagnostic:
    help = known_as(span, name, near, elsewhere, habits.FUNCTIONS)
    return _report("E0302", f"unknown function `{name}`", span, "", (), help)


def unknown_type(span: Span, name: str, near: str | None, elsewhere: Span | None = None) -> Diagnostic:
    help = known_as(span, name, near, elsewhere, habits.TYPES)
    return _report("E0303", f"unknown type `{name}`", span, "", (), help)


def declared_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return _report("E0304", f"`{name}` is declared twice in one block", span, "", _at(first, "first declared here"))


def name_taken(span: Span, name: str, first: Span) -> Diagnostic:
    help = () if first.file is span.file else ("a name stands for one thing in all files of a program",)
    return _report("E0305", f"`{name}` is declared twice", span, "", _at(first, "first declared here"), help)


def duplicate_part(span: Span, what: str, name: str, first: Span) -> Diagnostic:
    """`what`: "field", "parameter"."""
    return _report("E0306", f"two {what}s are called `{name}`", span, "", _at(first, "the first"))


def struct_contains_itself(span: Span, name: str, chain: tuple[tuple[Span, str], ...]) -> Diagnostic:
    return _report(
        "E0307",
        f"struct {name} contains itself",
        span,
        "",
        tuple(Label(at, text) for at, text in chain),
        (f"a vector of it may be a field: vector<struct {name}>",),
    )


def no_master(span: Span, main: Span | None) -> Diagnostic:
    """`main`: a function of that name, which somebody who knows C takes for the start."""
    at = _at(main, "a function like any other")
    return _report("E0308", "the program has no master block", span, "", at, ("a program starts in: master { … }",))


def second_master(span: Span, first: Span) -> Diagnostic:
    return _report("E0309", "a program has one master block, this is the second", span, "", _at(first, "the first"))


def outside_loop(span: Span, word: str) -> Diagnostic:
    return _report("E0310", f"`{word}` stands outside a loop", span)


def missing_return(span: Span, name: str, result: Type) -> Diagnostic:
    message = f"`{name}` can end without returning its {result}"
    return _report("E0311", message, span, "", (), ("end it with `return …;`",))


def return_without_value(span: Span, result: Type, declared: Span | None) -> Diagnostic:
    return _report("E0312", f"`return` wants {a_type(result)} here", span, "", _at(declared, f"gives {a_type(result)}"))


def return_with_value(span: Span, name: str, declared: Span | None) -> Diagnostic:
    return _report("E0312", f"{name} gives no value, so `return` takes none", span, "", _at(declared))


def handle_in(span: Span, what: str) -> Diagnostic:
    """`what`: "a field", "a constant"."""
    return _report("E0313", f"a job handle cannot be in {what}", span, "", (), ("keep it in a variable",))


def void_variable(span: Span, what: str) -> Diagnostic:
    """`what`: "a variable", "a field", "a parameter", "an element"."""
    return _report("E0314", f"{what} cannot be void", span, "", (), ("void is only what a function gives back",))


def cannot_import(span: Span, path: str, why: str) -> Diagnostic:
    return _report("E0315", f'cannot import "{path}": {why}', span)


def imports_itself(span: Span) -> Diagnostic:
    return _report("E0315", "a file cannot import itself", span, "this is the file it stands in")


def extern_not_linked(span: Span, name: str) -> Diagnostic:
    message = f"no C function `{name}` was found when the program was linked"
    help = "name the file or the library that has it: --link FILE.c, --link FILE.o or --link -lNAME"
    return _report("E0316", message, span, "", (), (help,))


def not_computable(span: Span, why: str) -> Diagnostic:
    return _report("E0317", f"this cannot be computed at compile time: {why}", span)


def constant_changed(span: Span, name: str, declared: Span) -> Diagnostic:
    return _report("E0318", f"`{name}` is a constant and cannot be changed", span, "", _at(declared))


def no_c_type(span: Span, verb: str, found: Type) -> Diagnostic:
    """`verb`: what the C function cannot do with the type, "take" or "return"."""
    wanted = {
        "take": "takes numbers, bools, chars, and vectors of them",
        "return": "returns a number, a bool or a char",
    }
    return _report("E0319", f"a C function cannot {verb} {a_type(found)}", span, f"an extern function {wanted[verb]}")


def extern_with_reference(span: Span, name: str) -> Diagnostic:
    return _report("E0319", f"`{name}` cannot be a reference: C cannot change what is M/s's own", span)


def empty_struct(span: Span, name: str) -> Diagnostic:
    return _report("E0320", f"struct {name} has no fields", span)


def runtime_name(span: Span, name: str) -> Diagnostic:
    message = f"`{name}` cannot be an extern function: the name belongs to the runtime"
    return _report("E0321", message, span, "", (), ("give the C function another name",))


def built_in_struct_hidden(span: Span, builtin: str, struct: str, declared: Span) -> Diagnostic:
    message = f"`{builtin}` is about the built-in struct {struct}, which the program's own hides"
    return _report("E0322", message, span, "", _at(declared), ("give the program's struct another name",))


# E04: jobs


def not_a_job(span: Span, name: str, what: str, declared: Span | None) -> Diagnostic:
    is_own = what == "a function that is not a job"
    declare = "declare it with `job` in front" if is_own else "call it in a job of your own"
    help = (f"{declare}, or call it without `remote`: {name}(…)",)
    return _report("E0401", f"`remote` starts a job, and `{name}` is {what}", span, "", _at(declared), help)


def not_a_handle(span: Span, name: str, found: Type, wanted: str) -> Diagnostic:
    """`wanted`: "a job handle", "a vector of job handles"."""
    help = ("it is a value already: use it as it is",) if name == "get" else ()
    return _report("E0402", f"`{name}` wants {wanted}, found {found}", span, f"this is {a_type(found)}", help=help)


def handle_travels(span: Span, what: str, type: Type) -> Diagnostic:
    """`what`: "parameter", "result"."""
    message = f"{a_type(type)} cannot be the {what} of a job: a handle does not travel"
    help = "give back what get(j) gives"
    if what == "parameter":
        help = "take the job's result; a `remote` call can be given the handle in its place"
    return _report("E0403", message, span, "", (), (help,))


def job_with_reference(span: Span, name: str) -> Diagnostic:
    message = f"job parameter `{name}` cannot be a reference: the caller is on another machine"
    return _report("E0404", message, span, "", (), ("what the job makes of it can be its result",))


def job_reaches(span: Span, builtin: str, job: str, job_span: Span, chain: tuple[tuple[Span, str], ...]) -> Diagnostic:
    at = (Label(job_span, f"job `{job}`"), *(Label(at, text) for at, text in chain))
    return _report("E0405", f"`{builtin}` belongs to the master, but job `{job}` can reach it", span, "", at)


def remote_without_call(span: Span) -> Diagnostic:
    return _report("E0407", "`remote` wants the call of a job", span, "", (), ("write it as: remote f(…)",))


def each_outside(span: Span) -> Diagnostic:
    help = "`remote f(each xs)` starts a job for each element"
    return _report("E0408", "`each` stands only before an argument of a `remote` call", span, "", (), (help,))


def cannot_each(span: Span, found: Type) -> Diagnostic:
    help: tuple[str, ...] = ()
    if found in (INT, LONG):
        help = ("a..b is a range: each 0..n",)
    elif isinstance(found, MapType):
        help = ("keys(m) and values(m) are vectors",)
    message = f"`each` wants a vector, a string or a range, found {found}"
    return _report("E0408", message, span, f"this is {a_type(found)}", help=help)


def wrong_reducer(span: Span, name: str, result: Type, declared: Span | None) -> Diagnostic:
    message = f"`reduce` wants a job `job {result} {name}({result}, {result})`, to combine the results"
    return _report("E0409", message, span, "", _at(declared))


def nothing_to_combine(span: Span, what: str, *help: str) -> Diagnostic:
    """`what`: "this is a single job", "`f` gives none"."""
    return _report("E0409", f"`reduce` combines the results of many jobs, and {what}", span, "", (), help)


def completed_outside(span: Span) -> Diagnostic:
    message = "`completed` stands only behind `in` of a `for`: for (int i in completed(js))"
    return _report("E0410", message, span, help=("any(js) gives the index of a job that has ended",))


def handle_of_another_type(span: Span, expected: Type, found: Type, declared: Span | None) -> Diagnostic:
    """A handle in a `remote` call, where another one, or none, would have to stand for the value."""
    stands = f"a {JobType(expected)} can stand for it"
    if isinstance(expected, VectorType):
        stands = f"a {JobType(expected)} or a {VectorType(JobType(expected.element))} can stand for it"
    help: tuple[str, ...] = (stands,)
    if found == VectorType(JobType(expected)):
        help = ("`each` before it starts a job for each of them",)
    message = f"expected {expected}, found {found}, which does not stand for {a_type(expected)}"
    at = _at(declared, f"the parameter is {expected}")
    return _report("E0411", message, span, f"this is {a_type(found)}", at, help)


# E05: references


def reference_to_value(span: Span, parameter: str, declared: Span | None) -> Diagnostic:
    return _report(
        "E0501",
        f"a variable, a field or an element must stand for the reference `{parameter}`",
        span,
        "this is a value without a place",
        _at(declared),
    )


def reference_shared(span: Span, name: str, first: Span) -> Diagnostic:
    """Another argument is a place in the variable that the call may change."""
    return _report(
        "E0502",
        f"this argument reaches `{name}` too, which the same call changes",
        span,
        "",
        _at(first, "passed to be changed"),
        ("copy one of the two into a variable of its own first",),
    )


def reference_changed(span: Span, name: str, first: Span) -> Diagnostic:
    """What another argument computes changes the variable that the call may change."""
    return _report(
        "E0502",
        f"this argument changes `{name}`, which the same call changes too",
        span,
        "",
        _at(first, "passed to be changed"),
        ("compute the argument before the call: auto x = …;",),
    )


def reference_type(span: Span, expected: Type, found: Type, declared: Span | None) -> Diagnostic:
    return _report(
        "E0503",
        f"a reference to {expected} wants exactly that type, found {found}",
        span,
        f"this is {a_type(found)}",
        _at(declared),
    )


# Warnings


def unused_variable(span: Span, name: str) -> Diagnostic:
    return _warning("W0101", f"`{name}` is never read", span)


def unreachable_code(span: Span) -> Diagnostic:
    return _warning("W0102", "this code cannot be reached", span)


def unused_handle(span: Span, name: str) -> Diagnostic:
    return _warning(
        "W0103", f"the handle `{name}` is never read", span, "", (), ("get(j) waits for a job and gives its result",)
    )


def no_effect(span: Span, *help: str) -> Diagnostic:
    return _warning("W0104", "this has no effect", span, "its value is not used", (), help)


def always(span: Span, value: bool, why: str) -> Diagnostic:
    return _warning("W0105", f"this comparison is always {'true' if value else 'false'}", span, why)


# Notes

COPY_REASONS = {
    "later": ("{name} is used again later", "when {name} is not used afterwards, it is moved"),
    "round": (
        "{name} is used again in the next round of the loop",
        "declare {name} inside the loop, or give it a new value in each round",
    ),
    "parameter": (
        "{name} belongs to the caller",
        "a parameter that is changed, or kept as a whole, belongs to the function and can be moved from",
    ),
    "reference": ("{name} belongs to the caller", "give {name} a new value afterwards, and the old one is moved"),
    "element": (
        "{name} is an element of a sequence that is used again",
        "elements are moved when the sequence is not used after the loop",
    ),
    "changed": ("{name} may change before this value is used", "do what changes {name} in a statement of its own"),
    "constant": ("{name} is a constant", "a constant is copied whenever its value is kept"),
    "choice": ("it is a part of one of two values", "take the part in each arm"),
    "ends": ("it outlives what it is a part of", ""),
}
"""Why a value is copied, in words: the reason, and what would avoid it."""


def copy_reason(why: str, name: str) -> str:
    return COPY_REASONS[why][0].format(name=f"`{name}`")


def copied(span: Span, type: Type, why: str, name: str, later: Span | None) -> Diagnostic:
    """`why` is a key of COPY_REASONS; `later` is the use that keeps the old value alive."""
    help = COPY_REASONS[why][1].format(name=f"`{name}`")
    at = _at(later, "used again here")
    return Diagnostic(
        Severity.NOTE, "N0601", f"this copies {a_type(type)}", span, copy_reason(why, name), at, (help,) if help else ()
    )
