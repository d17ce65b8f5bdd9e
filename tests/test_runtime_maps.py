"""The runtime's maps against Python's dictionaries, and constant maps laid out as the runtime would."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_runtime_core import Core, core

from ms.codegen import static_maps
from ms.codegen.layout import EntryShape
from ms.source import SourceFile, Span
from ms.typed import IntLiteral, StringLiteral
from ms.types import INT, LONG, STRING

__all__ = ["core"]

FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
NOWHERE = Span(SourceFile("a.ms", b""), 0, 0)
ENTRY = "struct { int32_t key; uint32_t hash; int32_t value; }"
SIZE = 12

KINDS = ("put", "put", "put", "take", "take", "copy", "clear")
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(-30, 30), st.integers(0, 9)), max_size=200)


class IntMap:
    """A map<int, int>."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.map = core.ffi.NULL

    def put(self, key: int, value: int) -> None:
        slot = self.core.lib.ms_map_at_int(self.map, key, SIZE)
        self.map = slot.map
        self.core.ffi.cast("int32_t *", slot.entry)[2] = value

    def take(self, key: int) -> bool:
        return bool(self.core.lib.ms_map_take_int(self.map, key, SIZE) != self.core.ffi.NULL)

    def find(self, key: int) -> int | None:
        entry = self.core.lib.ms_map_find_int(self.map, key, SIZE)
        return None if entry == self.core.ffi.NULL else int(self.core.ffi.cast("int32_t *", entry)[2])

    def pairs(self) -> list[tuple[int, int]]:
        if self.map == self.core.ffi.NULL:
            return []
        start = self.core.ffi.cast("uint8_t *", self.map) + 16 + 8 * (self.map.mask + 1)
        words = self.core.ffi.cast("int32_t *", start)
        return [(words[3 * i], words[3 * i + 2]) for i in range(self.map.used) if words[3 * i + 1] != 0]


@FIXTURE
@given(steps=STEPS)
def test_as_a_dictionary(core: Core, steps: list[tuple[str, int, int]]) -> None:
    ours, theirs = IntMap(core), dict[int, int]()
    for step, key, value in steps:
        match step:
            case "put":
                ours.put(key, value)
                theirs[key] = value
            case "take":
                assert ours.take(key) == (theirs.pop(key, None) is not None)
            case "copy":
                ours.map = core.lib.ms_map_copy(ours.map, SIZE)
            case _ if value == 0:
                ours.map = core.lib.ms_map_clear(ours.map, SIZE)
                theirs.clear()
            case _:
                pass
        assert ours.pairs() == list(theirs.items())
    for key in range(-31, 32):
        assert ours.find(key) == theirs.get(key)
    core.clear()


@pytest.mark.parametrize("stride", [1, 2, 64, 1 << 16, 1 << 20, 102334155, 0x9E3779B1, 40503])
def test_no_stride_makes_keys_collide(core: Core, stride: int) -> None:
    """The longest run of slots that are taken stays short."""
    ours = IntMap(core)
    for i in range(5000):
        ours.put((i * stride + 2**31) % 2**32 - 2**31, i)
    slots = core.ffi.cast("uint64_t *", core.ffi.cast("uint8_t *", ours.map) + 16)
    longest = run = 0
    for i in range(ours.map.mask + 1):
        run = run + 1 if slots[i] else 0
        longest = max(longest, run)
    assert longest < 200
    core.clear()


# Constant maps


@pytest.fixture(scope="module")
def hashes(core: Core) -> Any:
    """The runtime's hash functions."""
    core.ffi.cdef("uint32_t ms_hash_number(uint64_t number);")
    core.ffi.cdef("uint32_t ms_hash_bytes(const void *bytes, uint64_t size, uint64_t seed);")
    return core.lib


@FIXTURE
@given(number=st.integers(0, 2**64 - 1))
def test_numbers_are_hashed_the_same(hashes: Any, number: int) -> None:
    assert static_maps.hash_number(number) == hashes.ms_hash_number(number)


@FIXTURE
@given(data=st.binary(max_size=70))
def test_bytes_are_hashed_the_same(hashes: Any, data: bytes) -> None:
    assert static_maps.hash_bytes(data) == hashes.ms_hash_bytes(data, len(data), 0)


@FIXTURE
@given(keys=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=100, unique=True))
def test_a_constant_map_has_the_block_that_putting_in_makes(core: Core, keys: list[int]) -> None:
    ours = IntMap(core)
    for key in keys:
        ours.put(key, 0)
    block = static_maps.lay_out([IntLiteral(key, INT, NOWHERE) for key in keys], EntryShape(4, 8, SIZE))
    ours.map.is_seeded = 0
    assert block.head == bytes(core.ffi.buffer(ours.map, len(block.head)))
    words = core.ffi.cast("uint32_t *", core.ffi.cast("uint8_t *", ours.map) + len(block.head))
    assert block.hashes == [words[3 * i + 1] for i in range(len(keys))]
    core.clear()


def test_a_key_that_comes_again_has_its_first_place_and_its_last_value() -> None:
    keys = [StringLiteral(text, STRING, NOWHERE) for text in (b"a", b"b", b"a")]
    values = [IntLiteral(number, LONG, NOWHERE) for number in (1, 2, 3)]
    pairs = static_maps.without_repetition(zip(keys, values, strict=True))
    assert pairs == [(keys[0], values[2]), (keys[1], values[1])]
