"""What is moved, copied, borrowed and dropped. The rules that every tree keeps are in `ownership_rules.py`."""

from __future__ import annotations

import pathlib
import random
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from ownership_programs import checked, copy_notes, function, nodes, owned, owned_master, passings, source, wrapped
from ownership_rules import violations
from program_maker import make_program

from ms import driver
from ms.diagnostics import Diagnostics, ProgramError
from ms.files import Files
from ms.ownership import own
from ms.typed import (
    Assign,
    Block,
    Borrow,
    Break,
    Conditional,
    Continue,
    Copy,
    ForCompleted,
    ForEach,
    Held,
    Move,
    Passing,
    Program,
    Return,
    Scoped,
    StringLiteral,
    Switch,
    Variable,
)

PROGRAMS = sorted(pathlib.Path(__file__).parent.glob("ms_programs/*.ms"))

DECLARATIONS = """
struct point { double x; double y; };
struct book { string title; vector<string> pages; struct point spot; };
int grow(vector<int>& v) { v :: 1; return size(v); }
int total(vector<int> v, int more) { return size(v) + more; }
int shift(struct point& p) { p->x = p->x + 1.0; return 1; }
double place(struct point p, int n) { return p->x + n; }
vector<int> keep(vector<int> v) { v :: 1; return v; }
vector<int> two(vector<int> v, vector<int> w) { w :: size(v); return w; }
struct book make() { struct book b; b->title = "t"; return b; }
"""


def master(statements: str) -> Program:
    return owned_master(statements, DECLARATIONS)


def copies(statements: str) -> list[str]:
    program = master(statements)
    assert violations(program) == []
    return wrapped(program.master, Copy)


def moves(statements: str) -> list[str]:
    program = master(statements)
    assert violations(program) == []
    return wrapped(program.master, Move)


def the(program: Program, kind: type) -> Any:
    """The one node of a kind in the master block."""
    (node,) = [node for node in nodes(program.master) if isinstance(node, kind)]
    return node


def names(variables: tuple[Variable, ...]) -> list[str]:
    return [variable.name for variable in variables]


# The rules, on all there is


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_keep_the_rules(path: pathlib.Path) -> None:
    """The program is read as the compiler reads it: with what it imports, and where trees may be deep."""

    def violated() -> list[str] | None:
        try:
            program = driver.check(Files(driver.read_source(str(path))), driver.Options(), Diagnostics())
        except ProgramError:
            return None
        return violations(own(program))

    found = driver.on_big_stack(violated)
    assert found == [] or (found is None and not path.stem.startswith("test-"))


@pytest.mark.parametrize("seed", range(150))
def test_made_programs_keep_the_rules(seed: int) -> None:
    text = make_program(random.Random(seed))
    program = checked(text)
    assert program is not None, text
    assert violations(own(program)) == [], text


def _sabotaged(tree: Any, victim: object, replacement: object) -> Any:
    if tree is victim:
        return replacement
    if isinstance(tree, tuple):
        return tuple(_sabotaged(part, victim, replacement) for part in tree)
    if is_dataclass(tree) and not isinstance(tree, type) and type(tree).__module__ == "ms.typed":
        if isinstance(tree, Variable):
            return tree
        parts = {field.name: _sabotaged(getattr(tree, field.name), victim, replacement) for field in fields(tree)}
        return type(tree)(**parts)
    return tree


BUSY = """
    vector<int> v = [1, 2];
    vector<int> w = v;
    vector<vector<int>> all;
    for (int i in 0..3) {
        vector<int> part = v;
        if (i == 1) continue;
        if (i == 2) break;
        if (i == 0) all :: part;
    }
    print(total(v, grow(v)), w, make()->title);
    v :: 2;
"""


def test_the_rules_see_a_copy_that_became_a_move() -> None:
    program = master(BUSY)
    victims = [node for node in nodes(program.master) if isinstance(node, Copy)]
    assert len(victims) == 3
    for victim in victims:
        assert violations(_sabotaged(program, victim, Move(victim.place, victim.type, victim.span)))


def test_the_rules_see_a_missing_and_a_needless_drop() -> None:
    program = master(BUSY)
    victims = [node for node in nodes(program.master) if isinstance(node, Block | Break | Continue) and node.drops]
    assert len(victims) == 4
    for victim in victims:
        fewer = {field.name: getattr(victim, field.name) for field in fields(victim)} | {"drops": victim.drops[1:]}
        assert violations(_sabotaged(program, victim, type(victim)(**fewer)))
    (jump,) = [node for node in victims if isinstance(node, Break)]
    outer = next(variable for variable in program.master.body.drops if variable.name == "w")
    assert violations(_sabotaged(program, jump, Break(jump.span, (*jump.drops, outer))))


def test_the_rules_see_a_borrow_that_is_kept() -> None:
    program = master(BUSY)
    victim = next(node for node in nodes(program.master) if isinstance(node, Move))
    assert violations(_sabotaged(program, victim, Borrow(victim.place, victim.type, victim.span)))


# Moves and copies


def test_last_use_moves() -> None:
    assert moves("vector<int> v; vector<int> w = v; print(w);") == ["v"]


def test_use_that_follows_copies() -> None:
    assert copies("vector<int> v; vector<int> w = v; print(v, w);") == ["v"]


def test_a_new_value_ends_the_old_one() -> None:
    assert moves("vector<int> v; vector<int> w = v; v = [1]; print(v, w);") == ["v"]


def test_reuse_of_what_is_overwritten_moves() -> None:
    assert moves("vector<int> v = [2, 1]; v = sort(v); print(v);") == ["v"]
    assert moves('string s = "a"; s = s + "b"; print(s);') == ["s"]


def test_reuse_of_what_lives_on_borrows() -> None:
    statements = "vector<int> v = [2, 1]; vector<int> w = sort(v); print(v, w);"
    assert moves(statements) == []
    assert copies(statements) == []


def test_parts_of_what_is_dead_are_moved() -> None:
    assert moves("struct book b = make(); string s = b->title; print(s);") == ["b->title"]
    assert moves("vector<string> v = split(host()); string s = v[0]; print(s);") == ["v[0]"]


def test_parts_of_what_lives_are_copied() -> None:
    assert copies("struct book b = make(); string s = b->title; print(s, b);") == ["b->title"]


def test_field_keeps_a_value_of_its_own() -> None:
    text = 'struct book b; vector<string> v = ["a"]; b->pages = v; v[0] = "b"; print(b, v);'
    assert copies(text) == ["v"]


def test_own_part_is_moved_into_what_overwrites_it() -> None:
    assert moves('struct book b = make(); b->title = b->title + "x"; print(b);') == ["b->title"]
    assert moves("vector<vector<int>> v = [[2, 1]]; int i; v[i] = sort(v[i]); print(v);") == ["v[i]"]


def test_own_part_is_not_moved_when_it_is_read_again() -> None:
    assert moves("struct book b = make(); b->title = b->title + b->title; print(b);") == []
    assert moves("vector<vector<int>> v = [[1]]; v[0] = sort(v[grow(v[0])]); print(v);") == []


def test_own_part_with_an_index_that_changes_is_not_moved() -> None:
    declarations = "int next(int& i) { i += 1; return i; } vector<int> with(vector<int> v, int n) { v :: n; return v; }"
    program = owned_master("vector<vector<int>> v = [[1]]; int i; v[i] = with(v[i], next(i)); print(v);", declarations)
    assert wrapped(program.master, Move) == []
    assert wrapped(program.master, Copy) == ["v[i]"]


WITH = """
vector<int> with(vector<int> v, int n) { v :: n; return v; }
vector<int> both(vector<int> v, vector<int> w) { v :: size(w); return v; }
struct shelf { vector<int> v; int n; };
vector<int> twice(vector<int> v) { return with(v, size(v)); }
int put(string k, int& n) { k :: 'a'; n += size(k); return n; }
"""


@pytest.mark.parametrize(
    ("statements", "moved"),
    [
        ("v = with(v, size(v));", "v"),
        ("v = with(v, v[0] + size(str(v)));", "v"),
        ("v = with(v, size(with([1], size(v))));", "v"),
        ("v = both(v, v[0..1]);", "v"),
        ("struct shelf s; s->v = with(s->v, s->n);", "s->v"),
        ("print(shelf{v: v, n: size(v)}); v = [];", "v"),
    ],
)
def test_argument_is_moved_behind_those_that_look_at_it(statements: str, moved: str) -> None:
    program = owned_master(f"vector<int> v = [1]; {statements} print(v);", DECLARATIONS + WITH)
    assert violations(program) == []
    assert wrapped(program.master, Copy) == []
    assert [source(node.span) for node in nodes(program.master) if isinstance(node, Move) and node.late] == [moved]
    assert wrapped(function(program, "twice"), Move) == ["v"]


@pytest.mark.parametrize(
    "statements",
    [
        "print(both(v, v));",
        "bool b; vector<int> w; print(both(v, b ? v : w));",
        "v = with(v, grow(v)); print(v);",
        "v = with(v, size(with(v, 1))); print(v);",
        "print(with(v, size(v)), v);",
        "for (int i in 0..3) print(with(v, size(v)));",
    ],
)
def test_argument_that_others_change_or_show_is_copied(statements: str) -> None:
    program = owned_master(f"vector<int> v = [1]; {statements}", DECLARATIONS + WITH)
    assert violations(program) == []
    assert wrapped(program.master, Copy) == ["v"]


def test_key_of_what_a_call_changes_is_copied_first() -> None:
    program = owned_master('string k = "k"; map<string, int> m; print(put(k, m[k]), m);', DECLARATIONS + WITH)
    assert violations(program) == []
    assert wrapped(program.master, Copy) == ["k"]


def test_loops_need_their_values_again() -> None:
    assert copies("vector<int> v; for (int i in 0..3) { vector<int> w = v; print(w); }") == ["v"]
    assert copies("vector<int> v; bool b; while (b) { vector<int> w = v; print(w); }") == ["v"]
    assert copies("vector<int> v; for (int i; i < 3; i++) { vector<int> w = v; print(w); }") == ["v"]


def test_loops_that_give_a_new_value_move() -> None:
    statements = "vector<int> v; while (size(v) < 9) { vector<int> w = v; w :: 1; v = w; }"
    assert moves(statements) == ["v", "w"]


def test_leaving_a_loop_moves() -> None:
    assert moves("vector<int> v; while (true) { vector<int> w = v; print(w); break; }") == ["v"]


def test_continue_leads_back() -> None:
    assert copies("vector<int> v; bool b; while (b) { if (b) { vector<int> w = v; print(w); continue; } break; }") == [
        "v"
    ]


def test_what_is_behind_a_break_counts() -> None:
    assert copies("vector<int> v; while (true) { vector<int> w = v; print(w); break; } print(v);") == ["v"]


def test_conditional_moves_in_one_branch() -> None:
    statements = "vector<int> v; bool b; if (b) { vector<int> w = v; print(w); } else print(v);"
    assert moves(statements) == ["v"]


def test_arms_of_a_conditional() -> None:
    assert moves("vector<int> v; vector<int> w; bool b; vector<int> x = b ? v : w; print(x);") == ["v", "w"]
    assert copies("vector<int> v; vector<int> w; bool b; vector<int> x = b ? v : w; print(x, w);") == ["w"]


def test_borrowing_conditional_has_borrowing_arms() -> None:
    program = master('string s; bool b; print(b ? s : str(1), b ? "x" : s);')
    arms = [(type(c.then), type(c.otherwise)) for c in nodes(program.master) if isinstance(c, Conditional)]
    assert arms == [(Borrow, Held), (Borrow, Borrow)]


def test_whole_vectors_are_appended_from_where_they_lie() -> None:
    assert copies("vector<int> v; vector<int> w; v :: w; print(v, w);") == []
    assert copies("vector<int> v; v :: v; print(v);") == ["v"]
    assert copies('string s = "a"; s += s; print(s);') == ["s"]


def test_constants_and_literals() -> None:
    program = owned_master(
        'string s = "x"; vector<int> v = C; print(C, "y"); v :: 1; print(s, v);', "const vector<int> C = fill(2, 0);"
    )
    assert wrapped(program.master, Copy) == ["C"]
    assert '"x"' not in wrapped(program.master, Borrow)
    assert '"y"' in wrapped(program.master, Borrow)
    assert violations(program) == []


# Hazards


def test_borrow_does_not_outlive_a_change() -> None:
    assert copies("vector<int> v; print(total(v, grow(v)));") == ["v"]
    assert copies("vector<int> v; int n = total(v, size(v)); print(n);") == []
    assert copies("vector<int> v = [1]; print(total(v, pop(v)));") == ["v"]


def test_change_before_the_borrow_is_no_hazard() -> None:
    assert copies("vector<int> v; print(total(keep(v), 1), grow(v) + total(v, 0));") == ["v"]


def test_move_is_a_change_to_what_was_borrowed_before() -> None:
    assert copies("vector<int> v; print(two(v, v));") == ["v"]
    assert moves("vector<int> v; print(two(v, v));") == ["v"]


def test_structs_that_do_not_own_are_copied_only_when_they_change() -> None:
    assert copies("struct point p; print(place(p, 1));") == []
    assert copies("struct point p; print(place(p, shift(p)));") == ["p"]
    assert copies("vector<struct point> v; v :: v[0]; print(v);") == ["v[0]"]
    assert copies("vector<struct point> v; struct point p = v[0]; print(p);") == []


def test_struct_in_a_temporary_is_copied_out_of_it() -> None:
    assert copies("struct point p = make()->spot; print(p);") == ["make()->spot"]


def test_struct_in_a_dropped_variable_is_copied_out_of_it() -> None:
    program = owned(
        "struct p { int x; }; struct p f() { vector<p> v; v :: p{x: 1}; return v[0]; } master { print(f()); }"
    )
    assert wrapped(function(program, "f"), Copy) == ["v[0]"]
    assert violations(program) == []


def test_struct_in_a_held_sequence_is_copied_out_of_it() -> None:
    program = owned(
        "struct p { int x; }; vector<p> all() { return [p{x: 1}]; }"
        "struct p f() { for (struct p e in all()) return e; return p{x: 2}; } master { print(f()); }"
    )
    assert wrapped(function(program, "f"), Copy) == ["e"]
    assert violations(program) == []


# Temporaries


def test_temporaries_are_held_and_dropped() -> None:
    program = master("print(size(str(1) + str(2)));")
    scope = the(program, Scoped)
    held = [node.variable for node in nodes(program.master) if isinstance(node, Held)]
    assert len(held) == 2
    assert set(scope.temporaries) == set(held)


def test_part_of_a_temporary_is_moved_out() -> None:
    assert moves("string s = make()->title; print(s);") == ["make()->title"]


def test_unused_result_is_dropped() -> None:
    program = master("make();")
    assert isinstance(the(program, Scoped).value, Held)


def test_index_of_a_target_ends_its_own_temporaries() -> None:
    program = master("vector<int> v = [1]; v[size(str(1)) - 1] = 2;")
    assign = the(program, Assign)
    assert isinstance(assign.target.index, Scoped)


# Parameters


def test_passings() -> None:
    program = owned(
        """
        int look(vector<int> v) { int n; for (int x in v) n += x; return n; }
        vector<int> back(vector<int> v) { return v; }
        vector<int> change(vector<int> v) { v[0] = 1; return [v[0]]; }
        vector<int> by(vector<int> v) { return back(v); }
        vector<int> sorted(vector<int> v) { return sort(v); }
        string part(vector<string> v) { return v[0]; }
        vector<int> both(vector<int> v) { vector<int> w = v; w :: size(v); return w; }
        int again(vector<int> v, int n) { return n == 0 ? size(v) : again(v, n - 1); }
        int ping(vector<int> v) { return pong(v); }
        int pong(vector<int> v) { if (size(v) > 3) return 1; return store(v); }
        int store(vector<int> v) { vector<vector<int>> all; all :: v; return size(all) + ping(all[0]); }
        int count(int n) { n += 1; return n; }
        void set(vector<int>& v) { v = []; }
        master { vector<int> v; set(v); print(look(v)); }
        """
    )
    assert violations(program) == []
    expected = {
        "look": "borrowed",
        "back": "owned",
        "change": "owned",
        "by": "owned",
        "sorted": "owned",
        "part": "borrowed",
        "both": "borrowed",
        "again": "borrowed",
        "ping": "owned",
        "pong": "owned",
        "store": "owned",
        "count": "owned",
        "set": "borrowed",
    }
    assert {name: passings(program, name)[0] for name in expected} == expected


def test_argument_of_an_owned_parameter_moves_at_its_last_use() -> None:
    assert moves("vector<int> v; print(keep(v));") == ["v"]
    assert copies("vector<int> v; print(keep(v), v);") == ["v"]


def test_remote_arguments_are_borrowed() -> None:
    program = owned("job int f(vector<int> v) { v :: 1; return 1; } master { vector<int> v; print(get(remote f(v))); }")
    assert "v" in wrapped(program.master, Borrow)
    assert wrapped(program.master, Copy) == []


def test_arguments_of_a_job_that_is_started_many_times_are_borrowed_once() -> None:
    text = """
    job int f(int x, vector<int> v) { return x + size(v); }
    master {
        vector<int> v = [1];
        vector<job<int>> js = remote f(each v, v);
        print(get(remote f(each js, fill(2, 0))));
    }
    """
    program = owned(text)
    assert violations(program) == []
    assert wrapped(program.master, Copy) == wrapped(program.master, Move) == []


def test_reference_is_moved_from_only_when_it_is_overwritten() -> None:
    program = owned(
        """
        void tidy(vector<int>& v) { v = sort(v); }
        vector<int> take(vector<int>& v) { vector<int> w = v; v = []; return w; }
        vector<int> same(vector<int>& v) { vector<int> w = v; return w; }
        master { vector<int> v; tidy(v); print(take(v), same(v)); }
        """
    )
    assert violations(program) == []
    assert wrapped(function(program, "tidy"), Move) == ["v"]
    assert wrapped(function(program, "take"), Move) == ["v", "w"]
    assert wrapped(function(program, "same"), Copy) == ["v"]


# Loops over sequences


def test_for_borrows_what_the_body_leaves_alone() -> None:
    loop = the(master("vector<string> v; for (string s in v) print(s, v); print(v);"), ForEach)
    assert isinstance(loop.sequence, Borrow)
    assert loop.passing is Passing.BORROWED
    assert loop.drops == ()


def test_for_takes_a_copy_of_what_the_body_changes() -> None:
    loop = the(master("vector<int> v; for (int x in v) v :: x; print(v);"), ForEach)
    assert isinstance(loop.sequence, Held)
    assert isinstance(loop.sequence.value, Copy)
    assert loop.drops == (loop.sequence.variable,)


def test_for_takes_the_elements_of_a_temporary_that_are_kept() -> None:
    loop = the(master("vector<string> all; for (string s in split(host())) all :: s; print(all);"), ForEach)
    assert loop.takes
    assert loop.passing is Passing.OWNED
    assert names(loop.body.drops) == ["s"]


def test_for_takes_the_elements_of_what_is_not_used_again() -> None:
    loop = the(master("vector<string> v; vector<string> all; for (string s in v) all :: s; print(all);"), ForEach)
    assert loop.takes
    assert isinstance(loop.sequence.value, Move)


def test_for_copies_elements_of_what_lives_on() -> None:
    statements = "vector<string> v; vector<string> all; for (string s in v) all :: s; print(all, v);"
    loop = the(master(statements), ForEach)
    assert not loop.takes
    assert loop.passing is Passing.BORROWED
    assert copies(statements) == ["s"]


def test_for_in_a_loop_does_not_take() -> None:
    assert copies(
        "vector<string> v; vector<string> all; for (int i in 0..2) for (string s in v) all :: s; print(all);"
    ) == ["s"]


def test_for_variable_that_is_changed_is_a_value_of_its_own() -> None:
    loop = the(master("vector<string> v; for (string s in v) { s :: 'x'; print(s); } print(v);"), ForEach)
    assert loop.passing is Passing.OWNED
    assert not loop.takes
    assert names(loop.body.drops) == ["s"]
    loop = the(master("vector<int> v; for (int x in v) { x += 1; print(x); }"), ForEach)
    assert loop.passing is Passing.OWNED
    loop = the(master("vector<int> v; for (long x in v) print(x);"), ForEach)
    assert loop.passing is Passing.OWNED


def test_for_variable_is_a_part_of_its_sequence() -> None:
    assert copies("vector<string> v; for (string s in v) { vector<string> w = v; w :: s; print(w); break; }") == [
        "v",
        "s",
    ]
    assert moves("vector<string> v; for (string s in v) { vector<string> w = v; print(w); break; }") == ["v"]


def test_nested_for_takes_parts_of_the_outer_element() -> None:
    declarations = "vector<string> all; vector<struct book> bs;"
    loops = "for (struct book b in bs) for (string p in b->pages) all :: p;"
    assert moves(f"{declarations} {loops} print(all);") == ["bs", "b->pages", "p"]


# Drops


def test_drops_in_reverse_order() -> None:
    program = master("vector<int> a; string b; int c; vector<int> d; print(a, b, c, d);")
    assert names(program.master.body.drops) == ["d", "b", "a"]


def test_return_drops_everything_but_what_it_moves() -> None:
    program = owned(
        "vector<int> f(bool c) { vector<int> a; if (c) { string s; return a; } vector<int> b; return b; }"
        "master { print(f(true)); }"
    )
    first, second = [node for node in nodes(function(program, "f")) if isinstance(node, Return)]
    assert (names(first.drops), names(second.drops)) == (["s"], ["a"])
    assert function(program, "f").body.drops == ()


def test_break_and_continue_drop_their_round_only() -> None:
    program = master("string a; while (true) { string b; { string c; if (size(b) > 0) break; continue; } }")
    assert names(the(program, Break).drops) == ["c", "b"]
    assert names(the(program, Continue).drops) == ["c", "b"]


def test_return_in_a_loop_drops_hidden_variables() -> None:
    program = master('for (string s in split(host())) { switch (str(1)) { case "1": return; } }')
    loop, switch, back = the(program, ForEach), the(program, Switch), the(program, Return)
    assert back.drops == (*switch.drops, *loop.drops)


JOBS = "job int f(int x) { return x; }"


def test_completed_borrows_what_the_body_leaves_alone() -> None:
    text = "master { vector<job<int>> js; for (int i in completed(js)) { if (i == 1) return; } print(js); }"
    program = owned(JOBS + text)
    loop, back = the(program, ForCompleted), the(program, Return)
    assert isinstance(loop.jobs, Borrow)
    assert loop.seen is not None
    assert loop.drops == (loop.seen,)
    assert loop.seen in back.drops


def test_completed_holds_what_the_body_changes() -> None:
    program = owned(JOBS + "master { vector<job<int>> js; for (int i in completed(js)) js :: remote f(i); print(js); }")
    loop = the(program, ForCompleted)
    assert isinstance(loop.jobs, Held)
    assert loop.drops == (loop.jobs.variable, loop.seen)
    assert violations(program) == []


def test_switch_borrows_or_holds() -> None:
    program = master('string s; switch (s) { case "a": print(1); }')
    switch = the(program, Switch)
    assert isinstance(switch.subject, Borrow)
    assert switch.drops == ()
    assert all(isinstance(value, StringLiteral) for value in switch.cases[0].values)


def test_handles_are_copied_without_a_note() -> None:
    text = "job int f() { return 1; } master { job<int> j = remote f(); job<int> k = j; print(get(j), get(k)); }"
    assert wrapped(owned(text).master, Copy) == ["j"]
    assert copy_notes(text) == []


# Notes


def test_note_tells_the_later_use() -> None:
    (note,) = copy_notes("master {\n    vector<int> v;\n    vector<int> w = v;\n    print(w);\n    print(v);\n}")
    assert (note.code, note.message) == ("N0601", "this copies a vector<int>")
    assert (note.span.line, source(note.span)) == (3, "v")
    assert [at.span.line for at in note.secondary] == [5]


def test_note_tells_of_the_next_round() -> None:
    (note,) = copy_notes("master { vector<int> v; for (int i in 0..3) { vector<int> w = v; print(w); } }")
    assert "next round" in note.label
    assert note.help


def test_notes_come_in_the_order_of_the_text() -> None:
    notes = copy_notes("master { vector<int> v; vector<int> w = v; vector<int> x = v; print(v, w, x); }")
    assert [note.span.start for note in notes] == sorted(note.span.start for note in notes)
    assert len(notes) == 2


def test_break_out_of_a_switch_drops_its_case_only() -> None:
    program = master("""
        string a;
        while (true) {
            string b;
            switch (str(1)) { case "1": string c; { string d; if (size(b) > 0) break; } print(c); }
        }
    """)
    assert names(the(program, Break).drops) == ["d", "c"]


def test_what_is_behind_a_switch_counts() -> None:
    assert copies("vector<int> v; switch (1) { case 1: vector<int> w = v; print(w); break; } print(v);") == ["v"]
    assert moves("vector<int> v; switch (1) { case 1: vector<int> w = v; print(w); break; default: print(v); }") == [
        "v"
    ]
