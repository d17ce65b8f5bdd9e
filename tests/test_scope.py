"""Scopes, and the name that was probably meant."""

from __future__ import annotations

import pytest

from ms.scope import Local, Scope, edit_distance, nearest
from ms.source import SourceFile, Span

FILE = SourceFile("prog.ms", b"")


def local(name: str) -> Local:
    return Local(name, Span(FILE, 0, 0), None)


def test_the_innermost_name_counts() -> None:
    outer = Scope()
    inner = Scope(outer)
    first, second = local("x"), local("x")
    assert outer.declare(first) is None
    assert inner.find("x") is first
    assert inner.declare(second) is None
    assert inner.find("x") is second
    assert outer.find("x") is first


def test_declaring_twice_gives_the_earlier_one() -> None:
    scope = Scope()
    first = local("x")
    scope.declare(first)
    assert scope.declare(local("x")) is first


def test_unknown_names_are_not_found() -> None:
    assert Scope(Scope()).find("x") is None


def test_visible_names_are_those_of_all_blocks() -> None:
    outer = Scope()
    inner = Scope(outer)
    outer.declare(local("a"))
    inner.declare(local("b"))
    assert list(inner.visible()) == ["b", "a"]
    assert list(outer.visible()) == ["a"]


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [
        ("size", "size", 0),
        ("size", "sise", 1),
        ("size", "sizes", 1),
        ("size", "siz", 1),
        ("size", "szie", 1),
        ("size", "seiz", 2),
        ("kitten", "sitting", 3),
    ],
)
def test_edit_distance(left: str, right: str, distance: int) -> None:
    assert edit_distance(left, right, 5) == distance
    assert edit_distance(right, left, 5) == distance


def test_edit_distance_stops_at_its_limit() -> None:
    assert edit_distance("abcdef", "uvwxyz", 2) == 3
    assert edit_distance("a", "abcdef", 2) == 3


@pytest.mark.parametrize(
    ("name", "candidates", "found"),
    [
        ("siez", ["sort", "size", "sum"], "size"),
        ("lenght", ["length", "width"], "length"),
        ("x", ["y", "z"], None),
        ("total", ["count", "index"], None),
        ("total", ["total"], None),
        ("count", [], None),
    ],
)
def test_nearest(name: str, candidates: list[str], found: str | None) -> None:
    assert nearest(name, candidates) == found
