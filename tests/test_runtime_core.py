"""The core of the C runtime: its C tests, plain and under the sanitizers, and its pure functions against Python's."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import cffi
import pytest
from c_tools import build_library, make
from hypothesis import given, settings
from hypothesis import strategies as st

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "c"

INTS = st.integers(-(2**31), 2**31 - 1)
LONGS = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize("sanitize", ["", "address,undefined", "thread"])
def test_c_tests(sanitize: str, tmp_path: Path) -> None:
    done = make("test-core", f"BUILD={tmp_path}", f"SANITIZE={sanitize}")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert {line.split()[1] for line in lines} == {path.name for path in RUNTIME.glob("tests/test_core_*.c")}


def _declarations() -> str:
    """What ms.h declares, without what only a compiler needs."""
    text = (RUNTIME / "include" / "ms.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    return text.replace("_Noreturn ", "")


_HEAP = """
typedef struct ms_heap ms_heap;
ms_heap *ms_heap_create(uint64_t size_max);
void ms_heap_destroy(ms_heap *heap);
void ms_heap_clear(ms_heap *heap);
ms_heap *ms_heap_enter(ms_heap *heap);
uint64_t ms_heap_live_count(const ms_heap *heap);
"""


class Core:
    """The core as a shared library. Every call may allocate; `clear` frees it all."""

    def __init__(self, library: Path) -> None:
        self.ffi: Any = cffi.FFI()
        self.ffi.cdef(_declarations() + _HEAP)
        self.lib = cast(Any, self.ffi.dlopen(str(library)))
        self.heap = self.lib.ms_heap_create(0)
        self.lib.ms_heap_enter(self.heap)
        self.kept: list[Any] = []

    def clear(self) -> None:
        self.kept.clear()
        self.lib.ms_heap_clear(self.heap)

    def close(self) -> None:
        self.lib.ms_heap_enter(self.ffi.NULL)
        self.lib.ms_heap_destroy(self.heap)

    def string(self, data: bytes) -> Any:
        """A string that nobody owns."""
        return self.vector("uint8_t", list(data))

    def vector(self, element: str, values: list[Any]) -> Any:
        array = self.ffi.new(f"{element}[]", values)
        self.kept.append(array)
        return self.ffi.new("ms_vector *", {"data": array, "count": len(values), "capacity": 0})[0]

    def data(self, vector: Any) -> bytes:
        return bytes(self.ffi.buffer(vector.data, vector.count)) if vector.count else b""

    def strings(self, vector: Any) -> list[bytes]:
        elements = self.ffi.cast("ms_vector *", vector.data)
        return [self.data(elements[i]) for i in range(vector.count)]

    def text(self, function: str, value: Any) -> bytes:
        """What a ms_text_… function appends."""
        text = self.ffi.new("ms_vector *")
        getattr(self.lib, function)(text, value)
        result = self.data(text)
        self.clear()
        return result


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    library = tmp_path_factory.mktemp("core") / "libcore.so"
    # What works on handles needs the master or the slave.
    sources = [str(path) for path in RUNTIME.glob("core/*.c") if path.name not in ("handles.c", "text_job.c")]
    build_library(library, [*sources, RUNTIME / "tests" / "program.c"], ["-O2"])
    core = Core(library)
    yield core
    core.close()


# ---- Numbers to text and back


def _doubles() -> st.SearchStrategy[float]:
    from_bits = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
    decimals = st.tuples(st.integers(-(10**17), 10**17), st.integers(-25, 25)).map(lambda t: float(f"{t[0]}e{t[1]}"))
    return st.one_of(st.floats(), from_bits, decimals)


@settings(max_examples=3000)
@given(value=_doubles())
def test_doubles_print_as_python_prints_them(core: Core, value: float) -> None:
    assert core.text("ms_text_double", value).decode() == repr(value)


def test_powers_print_as_python_prints_them(core: Core) -> None:
    powers = [math.ldexp(1, exponent) for exponent in range(-1074, 1024)]
    powers += [float(f"1e{exponent}") for exponent in range(-323, 309)]
    for power in powers:
        for value in (power, -power, math.nextafter(power, math.inf), math.nextafter(power, 0)):
            assert core.text("ms_text_double", value).decode() == repr(value)


def _as_float(value: float) -> float:
    """Rounded to binary32."""
    try:
        result: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return result


def _shortest_float(value: float) -> str:
    """The text of a binary32 number, by trying all precisions."""
    for precision in range(1, 10):
        text = f"{value:.{precision - 1}e}"
        if _as_float(float(text)) == value:
            return repr(float(text))
    raise AssertionError(value)


@settings(max_examples=1000)
@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_print_as_short_as_they_can(core: Core, value: float) -> None:
    text = core.text("ms_text_float", value).decode()
    assert _as_float(float(text)) == value
    assert len(text) <= len(_shortest_float(value))


@given(value=INTS)
def test_ints_print_and_parse(core: Core, value: int) -> None:
    assert core.text("ms_text_int", value) == str(value).encode()
    assert core.lib.ms_parse_int(core.string(f" {value:+}\n".encode())) == value


@given(value=LONGS)
def test_longs_print_and_parse(core: Core, value: int) -> None:
    assert core.text("ms_text_long", value) == str(value).encode()
    assert core.lib.ms_parse_long(core.string(str(value).encode())) == value


_DECIMALS = st.from_regex(
    r"[+-]?([0-9]{1,25}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,3})?",
    fullmatch=True,
    alphabet="0123456789+-.eE",
)


@settings(max_examples=2000)
@given(text=st.one_of(_DECIMALS, _doubles().filter(math.isfinite).map(repr)))
def test_doubles_parse_as_python_reads_them(core: Core, text: str) -> None:
    value = core.lib.ms_parse_double(core.string(text.encode()))
    core.clear()
    assert struct.pack("<d", value) == struct.pack("<d", float(text))


# ---- Sorting


def _order(value: float) -> tuple[bool, float]:
    return (math.isnan(value), 0.0 if math.isnan(value) else value)


def _check_sort(core: Core, function: str, element: str, values: list[Any], expected: list[Any]) -> None:
    vector = core.vector(element, values)
    pointer = core.ffi.cast(f"{element} *", vector.data)
    getattr(core.lib, function)(pointer, len(values))
    actual = bytes(core.ffi.buffer(pointer, len(values) * core.ffi.sizeof(element))) if values else b""
    assert actual == bytes(core.ffi.buffer(core.ffi.new(f"{element}[]", expected)))
    assert core.lib.ms_heap_live_count(core.heap) == 0
    core.clear()


@given(values=st.lists(INTS, max_size=100))
def test_sort_ints(core: Core, values: list[int]) -> None:
    _check_sort(core, "ms_sort_int", "int32_t", values, sorted(values))


@settings(max_examples=20)
@given(random=st.randoms(use_true_random=False), count=st.integers(1000, 5000), bits=st.integers(0, 63))
def test_sort_many(core: Core, random: Any, count: int, bits: int) -> None:
    longs = [random.randrange(-(2**bits), 2**bits) for _ in range(count)]
    ints = [value >> 32 for value in longs]
    _check_sort(core, "ms_sort_long", "int64_t", longs, sorted(longs))
    _check_sort(core, "ms_sort_int", "int32_t", ints, sorted(ints))
    doubles = [float(value) for value in longs]
    _check_sort(core, "ms_sort_double", "double", doubles, sorted(doubles))


@given(values=st.lists(LONGS, max_size=100))
def test_sort_longs(core: Core, values: list[int]) -> None:
    _check_sort(core, "ms_sort_long", "int64_t", values, sorted(values))


@given(values=st.lists(st.one_of(st.floats(), st.sampled_from([0.0, -0.0, math.nan])), max_size=100))
def test_sort_doubles(core: Core, values: list[float]) -> None:
    _check_sort(core, "ms_sort_double", "double", values, sorted(values, key=_order))


@given(values=st.lists(st.floats(width=32), max_size=60))
def test_sort_floats(core: Core, values: list[float]) -> None:
    _check_sort(core, "ms_sort_float", "float", values, sorted(values, key=_order))


@given(data=st.binary(max_size=300))
def test_sort_chars(core: Core, data: bytes) -> None:
    _check_sort(core, "ms_sort_char", "uint8_t", list(data), sorted(data))


@given(values=st.lists(st.binary(max_size=5), max_size=60))
def test_sort_strings(core: Core, values: list[bytes]) -> None:
    vector = core.vector("ms_vector", [core.string(value) for value in values])
    core.lib.ms_sort_string(core.ffi.cast("ms_vector *", vector.data), len(values))
    assert core.strings(vector) == sorted(values)
    core.clear()


# ---- The forms of `format`


def _appended(core: Core, function: str, *arguments: Any) -> bytes:
    text = core.ffi.new("ms_vector *")
    getattr(core.lib, function)(text, *arguments)
    result = core.data(text[0])
    core.clear()
    return result


@given(value=st.one_of(st.floats(), st.decimals(-1000, 1000, places=3).map(float)), digits=st.integers(0, 30))
def test_digits_behind_the_point(core: Core, value: float, digits: int) -> None:
    expected = str(value) if math.isnan(value) or math.isinf(value) else f"{value:.{digits}f}"
    assert _appended(core, "ms_text_fixed", value, digits).decode() == expected


@given(value=st.integers(0, 2**64 - 1))
def test_hexadecimal(core: Core, value: int) -> None:
    assert _appended(core, "ms_text_hex", value).decode() == f"{value:x}"


@given(before=st.binary(max_size=9), value=LONGS, width=st.integers(0, 40), way=st.sampled_from("<>0"))
def test_padding(core: Core, before: bytes, value: int, width: int, way: str) -> None:
    text = core.ffi.new("ms_vector *")
    core.lib.ms_text_string(text, core.string(before))
    core.lib.ms_text_long(text, value)
    core.lib.ms_text_pad(text, len(before), width, ord(way))
    assert core.data(text[0]) == before + f"{value:{way}{width or ''}}".encode()
    core.clear()


# ---- Strings

_WORDS = st.text(alphabet="ab, \t\n", max_size=40).map(str.encode)


@given(text=_WORDS, separator=st.text(alphabet="ab,", min_size=1, max_size=3).map(str.encode))
def test_split_and_join(core: Core, text: bytes, separator: bytes) -> None:
    parts = core.lib.ms_split(core.string(text), core.string(separator))
    assert core.strings(parts) == text.split(separator)
    assert core.data(core.lib.ms_join(parts, core.string(separator))) == text
    core.clear()


@given(text=_WORDS, piece=st.text(alphabet="ab,", max_size=3).map(str.encode), byte=st.integers(0, 255))
def test_find_trim_and_words(core: Core, text: bytes, piece: bytes, byte: int) -> None:
    assert core.strings(core.lib.ms_split_space(core.string(text))) == text.split()
    assert core.data(core.lib.ms_trim(core.string(text))) == text.strip()
    assert core.lib.ms_string_find(core.string(text), core.string(piece)) == text.find(piece)
    assert core.lib.ms_string_find_char(core.string(text), byte) == text.find(bytes([byte]))
    core.clear()


@given(
    text=_WORDS, piece=st.text(alphabet="ab,", min_size=1, max_size=3).map(str.encode), other=st.binary(max_size=4)
)
def test_replace_starts_and_ends(core: Core, text: bytes, piece: bytes, other: bytes) -> None:
    s, p = core.string(text), core.string(piece)
    assert core.data(core.lib.ms_replace(s, p, core.string(other))) == text.replace(piece, other)
    assert core.lib.ms_starts_with(s, p) == text.startswith(piece)
    assert core.lib.ms_ends_with(s, p) == text.endswith(piece)
    core.clear()


@given(text=st.binary(max_size=40))
def test_upper_and_lower(core: Core, text: bytes) -> None:
    assert core.data(core.lib.ms_upper(core.string(text))) == text.upper()
    assert core.data(core.lib.ms_lower(core.string(text))) == text.lower()
    core.clear()


@given(left=st.binary(max_size=6), right=st.binary(max_size=6))
def test_compare(core: Core, left: bytes, right: bytes) -> None:
    order = core.lib.ms_string_compare(core.string(left), core.string(right))
    assert (order > 0) - (order < 0) == (left > right) - (left < right)
    assert core.lib.ms_string_equal(core.string(left), core.string(right)) == (left == right)
    core.clear()


def _unquoted(quoted: bytes) -> bytes:
    """Reads the text of a string as the language's lexer would."""
    names = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0", b"\\": b"\\", b'"': b'"', b"'": b"'"}

    def value(match: re.Match[bytes]) -> bytes:
        escape = match[1]
        return bytes([int(escape[1:], 16)]) if escape.startswith(b"x") else names[escape]

    assert quoted[:1] == quoted[-1:] == b'"'
    return re.sub(rb"\\(x[0-9a-f]{2}|.)", value, quoted[1:-1])


@given(data=st.one_of(st.binary(max_size=30), st.text(max_size=20).map(lambda text: text.encode())))
def test_quoted_strings_are_printable_and_read_back(core: Core, data: bytes) -> None:
    quoted = core.text("ms_text_quoted_string", core.string(data))
    assert _unquoted(quoted) == data
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", quoted.decode())
