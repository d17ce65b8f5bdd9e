"""How maps are moved, copied and borrowed: keys, values, loops over pairs."""

from __future__ import annotations

import pytest
from ownership_programs import copy_notes, nodes, owned, source, wrapped
from ownership_rules import violations

from ms.typed import Copy, ForPairs, Move, Passing, Program

HEAD = """
string grow(string& s) { s :: "!"; return s; }
vector<int> more(vector<int> v) { v :: 1; return v; }
int total(map<string, int> m, string k) { return m[k]; }
void note(map<string, int>& m, string k) { m[k]++; }
struct point { int x; };
"""


def program(statements: str) -> Program:
    made = owned(f"{HEAD}master {{ {statements} }}")
    assert violations(made) == []
    return made


def test_a_key_is_borrowed_where_it_is_needed_later_and_moved_where_not() -> None:
    kept = program('string w = "a"; map<string, int> m; m[w]++; print(m, w);').master
    assert wrapped(kept, Copy) == []
    assert wrapped(kept, Move) == []
    assert wrapped(program('string w = "a"; map<string, int> m; m[w]++; print(m);').master, Move) == ["w"]


def test_a_parameter_that_is_only_a_key_is_borrowed() -> None:
    made = program('map<string, int> m; string w = "a"; note(m, w); print(total(m, w));')
    for name in ("note", "total"):
        (function,) = (f for f in made.functions if f.ref.name == name)
        assert function.passings[-1] is Passing.BORROWED


@pytest.mark.parametrize("statement", ["m[w] = grow(w);", "m[w] += grow(w);", "m[w] :: grow(w);", "m[w] = w;"])
def test_a_key_that_the_value_changes_or_takes_is_copied(statement: str) -> None:
    made = program(f'string w = "a"; map<string, string> m; {statement} print(m);')
    assert "w" in wrapped(made.master, Copy)


def test_a_value_is_moved_into_its_own_place() -> None:
    made = program('map<string, vector<int>> m; m["a"] = more(m["a"]); print(m);')
    assert wrapped(made.master, Move) == ['m["a"]']
    assert wrapped(made.master, Copy) == []


def test_a_struct_is_copied_before_its_map_gets_a_key() -> None:
    made = program("map<int, point> m; m[1] = m[2]; print(m);")
    assert wrapped(made.master, Copy) == ["m[2]"]
    assert wrapped(program("map<int, point> m, n; m[1] = n[2]; print(m, n);").master, Copy) == []


def loop(statements: str) -> ForPairs:
    (found,) = (node for node in nodes(program(statements).master) if isinstance(node, ForPairs))
    return found


PAIRS = 'map<string, vector<int>> m = {"a": [1]}; vector<vector<int>> out; '


def test_a_loop_that_only_looks_borrows() -> None:
    s = loop(f"{PAIRS} for (string k, vector<int> v in m) print(k, v);")
    assert (s.passing, s.takes, s.drops) == (Passing.BORROWED, False, ())


def test_a_loop_over_a_map_that_is_not_needed_any_more_takes() -> None:
    s = loop(f"{PAIRS} for (string k, vector<int> v in m) {{ out :: v; print(k); }} print(out);")
    assert (s.passing, s.takes, len(s.drops)) == (Passing.OWNED, True, 1)
    assert copy_notes(f"master {{ {PAIRS} for (string k, vector<int> v in m) out :: v; print(out); }}") == []


def test_a_loop_over_a_map_that_is_needed_copies_what_it_keeps() -> None:
    text = f"master {{ {PAIRS} for (string k, vector<int> v in m) out :: v; print(out, m); }}"
    assert [source(note.span) for note in copy_notes(text)] == ["v"]


def test_a_loop_that_changes_its_map_goes_over_a_copy() -> None:
    text = f"master {{ {PAIRS} for (string k in m) remove(m, k); print(m); }}"
    assert [source(note.span) for note in copy_notes(text)] == ["m"]
