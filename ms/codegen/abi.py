"""The table of the C functions that compiled programs call, with their LLVM signatures and attributes.

It repeats `runtime/c/include/ms.h`, which is the one place where the ABI is written; tests/test_abi.py holds the two
together. What the functions mean is left to the header, when to call them to the rest of the room.
Invariants: a `ms_vector` is two arguments, its data and one word of count | capacity << 32, and comes back as `{ ptr,
i64 }`; a `ms_reader` and a `ms_map_slot` come back as `{ ptr, ptr }`. An effect stated here holds for every way in
which the function returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a C parameter or result is. The value is its LLVM type as a result."""

    VOID = "void"
    BOOL = "i1"
    U8 = "i8"
    I32 = "i32"
    I64 = "i64"
    F32 = "float"
    F64 = "double"
    POINTER = "ptr"
    VECTOR = "{ ptr, i64 }"
    READER = "{ ptr, ptr }"  # also ms_map_slot, which looks the same


_WORDS = {
    "void": Kind.VOID,
    "b": Kind.BOOL,
    "u8": Kind.U8,
    "i": Kind.I32,
    "l": Kind.I64,
    "f": Kind.F32,
    "d": Kind.F64,
    "p": Kind.POINTER,
    "v": Kind.VECTOR,
    "r": Kind.READER,
}

_PARAMETERS = {
    Kind.BOOL: "i1 zeroext",
    Kind.U8: "i8 zeroext",
    Kind.POINTER: "ptr captures(none)",
    Kind.VECTOR: "ptr captures(none), i64",
}


@dataclass(frozen=True, slots=True)
class RuntimeFunction:
    """`attributes` are the LLVM function attributes; `fails`: it may end in a failure, so each call keeps its own
    address; `points_into`: the result is or points into what a pointer argument points to."""

    name: str
    result: Kind
    parameters: tuple[Kind, ...]
    attributes: str
    fails: bool
    result_attributes: str = ""
    points_into: bool = False

    @property
    def returns(self) -> bool:
        return "noreturn" not in self.attributes

    def declaration(self) -> str:
        """The `declare` line."""
        words = {**_PARAMETERS, Kind.POINTER: "ptr"} if self.points_into else _PARAMETERS
        parameters = ", ".join(words.get(kind, kind.value) for kind in self.parameters)
        if "allockind(\"free\")" in self.attributes:
            parameters = parameters.replace("ptr ", "ptr allocptr ", 1)
        result = f"{self.result_attributes} {self.result.value}".lstrip()
        return f"declare {result} @{self.name}({parameters}) {self.attributes}"


_PURE = "nounwind willreturn memory(none)"
_READS = "nounwind willreturn memory(argmem: read)"
_READS_AND_ALLOCATES = "nounwind memory(argmem: read, inaccessiblemem: readwrite)"
_CHANGES = "nounwind memory(argmem: readwrite, inaccessiblemem: readwrite)"
_ANYTHING = "nounwind"
_FAILS = "nounwind noreturn cold"


def _function(
    signature: str,
    attributes: str = _ANYTHING,
    *,
    fails: bool = True,
    result: str = "",
    points_into: bool = False,
) -> tuple[str, RuntimeFunction]:
    """`signature` is the result's word, the name, and the parameters' words."""
    kind, name, *parameters = signature.split()
    if kind in ("b", "u8") and not result:
        result = "zeroext"
    row = RuntimeFunction(
        name, _WORDS[kind], tuple(_WORDS[word] for word in parameters), attributes, fails, result, points_into
    )
    return name, row


_MAP_KEYS = {"char": "u8", "int": "i", "long": "l", "string": "v"}


def _map_functions() -> Iterator[tuple[str, RuntimeFunction]]:
    """What is there for each type of key. Keys that are strings lead out of the map's own block."""
    for name, word in _MAP_KEYS.items():
        reads = "nounwind willreturn memory(read)" if name == "string" else _READS
        changes = _ANYTHING if name == "string" else _CHANGES
        yield _function(f"p ms_map_find_{name} p {word} l", reads, fails=False, points_into=True)
        yield _function(f"r ms_map_at_{name} p {word} l", changes, points_into=True)
        yield _function(f"p ms_map_take_{name} p {word} l", changes, fails=False, points_into=True)
    yield _function("p ms_map_new l l l", "nounwind memory(inaccessiblemem: readwrite)")
    yield _function("p ms_map_copy p l", _READS_AND_ALLOCATES)
    yield _function("p ms_map_clear p l", _CHANGES, fails=False, points_into=True)
    yield _function("void ms_map_free p l", f"{_CHANGES} willreturn", fails=False)


_REAL_FUNCTIONS = ("cbrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan")
_REAL_FUNCTIONS_OF_TWO = ("pow", "atan2", "fmod", "hypot")

RUNTIME: dict[str, RuntimeFunction] = dict(
    (
        # Memory. An allocation that nobody looks at may be left out together with its failure.
        _function(
            "p ms_alloc l",
            'nounwind willreturn memory(inaccessiblemem: readwrite) allockind("alloc,uninitialized") allocsize(0) '
            '"alloc-family"="ms_alloc"',
            result="noalias nonnull noundef align 16",
        ),
        _function(
            "void ms_free p l",
            f'{_CHANGES} willreturn allockind("free") "alloc-family"="ms_alloc"',
            fails=False,
        ),
        # Vectors
        _function("v ms_vector_grow v l l", _CHANGES),
        _function("v ms_vector_new l l", "nounwind memory(inaccessiblemem: readwrite)"),
        _function("v ms_vector_zero l l", "nounwind memory(inaccessiblemem: readwrite)"),
        _function("v ms_vector_resize v l l", _CHANGES),
        _function("v ms_vector_copy v l", _READS_AND_ALLOCATES),
        _function("v ms_vector_slice v l l l", _READS_AND_ALLOCATES),
        _function("void ms_slice_check l l l", "nounwind memory(inaccessiblemem: readwrite)"),
        _function("v ms_vector_concat v v l", _READS_AND_ALLOCATES),
        _function("v ms_vector_append v v l", _CHANGES),
        _function("v ms_vector_open v l l", _CHANGES),
        _function("v ms_vector_close v l l", _CHANGES),
        _function("void ms_sort_int p l", _CHANGES),
        _function("void ms_sort_long p l", _CHANGES),
        _function("void ms_sort_double p l", _CHANGES),
        _function("void ms_sort_float p l", _CHANGES),
        _function("void ms_sort_char p l", _CHANGES),
        _function("void ms_sort_string p l"),
        _function("void ms_sort_by p l l p"),
        _function("void ms_reverse p l l", _CHANGES),
        # Strings
        _function("i ms_string_compare v v", _READS, fails=False),
        _function("b ms_string_equal v v", _READS, fails=False),
        _function("i ms_string_find v v", _READS, fails=False),
        _function("i ms_string_find_char v u8", _READS, fails=False),
        _function("v ms_split v v", _READS_AND_ALLOCATES),
        _function("v ms_split_space v", _READS_AND_ALLOCATES),
        _function("v ms_join v v"),
        _function("v ms_trim v", _READS_AND_ALLOCATES),
        _function("v ms_upper v", _READS_AND_ALLOCATES),
        _function("v ms_lower v", _READS_AND_ALLOCATES),
        _function("v ms_replace v v v", _READS_AND_ALLOCATES),
        _function("b ms_starts_with v v", _READS, fails=False),
        _function("b ms_ends_with v v", _READS, fails=False),
        _function("i ms_parse_int v"),
        _function("l ms_parse_long v"),
        _function("d ms_parse_double v"),
        _function("f ms_parse_float v"),
        _function("b ms_parse_bool v"),
        _function("u8 ms_parse_char v"),
        # Maps
        *_map_functions(),
        # Text
        _function("void ms_text_int p i"),
        _function("void ms_text_long p l"),
        _function("void ms_text_double p d"),
        _function("void ms_text_float p f"),
        _function("void ms_text_bool p b"),
        _function("void ms_text_char p u8"),
        _function("void ms_text_bytes p p l"),
        _function("void ms_text_string p v"),
        _function("void ms_text_quoted_string p v"),
        _function("void ms_text_quoted_char p u8"),
        _function("void ms_text_state p i"),
        _function("void ms_text_job p p p"),
        _function("void ms_text_fixed p d i"),
        _function("void ms_text_hex p l"),
        _function("void ms_text_pad p i i u8"),
        _function("p ms_print_begin"),
        _function("void ms_print_end i"),
        # Failing
        _function("void ms_fail v", _FAILS),
        _function("void ms_fail_index l l", _FAILS),
        _function("void ms_fail_int_index i i", _FAILS),
        _function("void ms_fail_division", _FAILS),
        _function("void ms_fail_convert d p", _FAILS),
        _function("void ms_fail_convert_float f p", _FAILS),
        _function("void ms_fail_empty p", _FAILS),
        _function("void ms_fail_key_long l", _FAILS),
        _function("void ms_fail_key_char u8", _FAILS),
        _function("void ms_fail_key_bool b", _FAILS),
        _function("void ms_fail_key_string v", _FAILS),
        _function("void ms_fail_bound i", _FAILS),
        # Jobs
        _function("p ms_remote_new i l p"),
        _function("void ms_remote_hole p l p"),
        _function("p ms_remote_block p p p i l i p", points_into=True),
        _function("p ms_remote_part p p p i p", points_into=True),
        _function("void ms_remote_start p"),
        _function("r ms_job_get p"),
        _function("i ms_job_state p"),
        _function("i ms_job_wait p"),
        _function("i ms_job_wait_for p d"),
        _function("void ms_job_cancel p"),
        _function("v ms_job_error p"),
        _function("v ms_job_story p"),
        _function("i ms_jobs_any v"),
        _function("i ms_jobs_any_for v d"),
        _function("i ms_jobs_next v p"),
        _function("p ms_jobs_reduce i v"),
        _function("void ms_remote_tail p", "nounwind noreturn", fails=False),
        _function("void ms_job_retain p", fails=False),
        _function("void ms_job_release p", fails=False),
        _function("i ms_slaves"),
        _function("i ms_slots"),
        # Encoded values
        _function("b ms_read_block p l p"),
        _function("b ms_read_count p l p"),
        _function("p ms_result_reserve p l"),
        _function("void ms_result_vector p v l"),
        # World
        _function("v ms_args"),
        _function("b ms_arg l p"),
        _function("void ms_exit i", "nounwind noreturn"),
        _function("v ms_env v"),
        _function("d ms_time"),
        _function("d ms_clock"),
        _function("void ms_sleep d"),
        _function("v ms_host"),
        _function("v ms_read_file v"),
        _function("v ms_read_file_part v l l"),
        _function("void ms_write_file v v"),
        _function("void ms_append_file v v"),
        _function("v ms_read_lines v"),
        _function("l ms_file_size v"),
        _function("b ms_file_exists v"),
        _function("v ms_list_dir v"),
        _function("v ms_read_line"),
        _function("b ms_at_end"),
        _function("void ms_exec v v p"),
        # The C library's own. M/s has no errno, so mathematics has no effects.
        *(_function(f"d {name} d", _PURE, fails=False) for name in _REAL_FUNCTIONS),
        *(_function(f"d {name} d d", _PURE, fails=False) for name in _REAL_FUNCTIONS_OF_TWO),
        _function("i memcmp p p l", _READS, fails=False),
    )
)
"""Every function by its name."""

C_LIBRARY = frozenset((*_REAL_FUNCTIONS, *_REAL_FUNCTIONS_OF_TWO, "memcmp"))
"""Those that are not the runtime's."""

_LLVM_CALLS = """
acosf asinf atanf atan2f bcmp calloc cbrtf ceil ceilf copysign copysignf cosf cosh cosl exp10 exp10f exp2 exp2f expf
expm1 fabs fabsf floor floorf fma fmaf fmax fmaxf fmaximum fmaximum_num fmin fminf fminimum fminimum_num fmodf free
frexp ldexp ldexpf log10f log1p log2f logf malloc memchr memcpy memmove mempcpy memset modf nearbyint powf powi
realloc remainder rint rintf round roundeven roundevenf roundf sincos sincosf sinf sinh sqrt sqrtf strlen tanf tanh
trunc truncf wcslen
"""
RESERVED_SYMBOLS = C_LIBRARY | frozenset(_LLVM_CALLS.split())
"""Names that LLVM may call of its own accord: no function of the program may have one of them as its symbol."""
