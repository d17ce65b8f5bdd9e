"""The checker: what each rule refuses, with its code and the exact place, and the tree of what it accepts."""

from __future__ import annotations

import pytest
from checking import checked, codes, expressions, in_master, program, the_only

from ms import typed
from ms.diagnostics import Severity
from ms.types import CHAR, DOUBLE, INT, LONG, STRING, VOID, JobType, StructType, VectorType

POINT = "struct point { int x; int y; };\n"
JOB = "job int f(int a) { return a; }\n"


# The whole road


def test_the_first_program_of_the_page() -> None:
    tree = program("""
    struct hit { long n; int steps; };
    job struct hit collatz(long from, long to) {
        struct hit best;
        for (long n in from..to) {
            long x = n;
            int steps = 0;
            while (x != 1) { if (x % 2 == 0) x = x / 2; else x = 3 * x + 1; steps++; }
            if (steps > best->steps) best = hit{n: n, steps: steps};
        }
        return best;
    }
    master {
        vector<job<struct hit>> jobs;
        for (int i in 0..64) jobs :: remote collatz(1 + i * 10000L, 1 + (i + 1) * 10000L);
        struct hit best;
        for (struct hit h in get(jobs)) if (h->steps > best->steps) best = h;
        print(best->n, best->steps);
    }
    """)
    assert list(tree.structs) == ["hit"]
    assert [field.type for field in tree.structs["hit"].fields] == [LONG, INT]
    (job,) = tree.functions
    assert (job.ref.ordinal, job.ref.is_job, job.ref.result) == (1, True, StructType("hit"))
    assert (tree.name, tree.master.ref.name, tree.master.ref.result) == ("prog", "master", VOID)
    (call,) = [part for part in expressions(tree.master) if isinstance(part, typed.RemoteCall)]
    assert call.type == JobType(StructType("hit"))
    assert [argument.type for argument in call.arguments] == [LONG, LONG]


def test_jobs_are_numbered_in_the_order_of_their_declarations() -> None:
    tree = program("job int b() { return 1; } int x() { return 1; } job int a() { return 1; }")
    assert [(function.ref.name, function.ref.ordinal) for function in tree.functions] == [("b", 1), ("x", 0), ("a", 2)]


def test_declarations_stand_in_any_order() -> None:
    text = """
    master { struct outer o; print(f(o), N); }
    int f(struct outer o) { return g(o->i) + N; }
    int g(struct inner i) { return i->x; }
    struct outer { struct inner i; };
    const int N = M + 1;
    const int M = 4;
    struct inner { int x; };
    """
    assert codes(text) == []


def test_numbers_of_variables_are_unique_in_a_function() -> None:
    tree = program(
        "int f(int a, int b) { int c; { int a = c; c = a; } for (int i in 0..3) { int d = i; c = d; } return c; }"
    )
    seen = [part.variable for part in expressions(tree.functions[0].body) if isinstance(part, typed.VariableRef)]
    assert len({id(variable) for variable in seen}) == len({variable.number for variable in seen})
    assert [parameter.number for parameter in tree.functions[0].parameters] == [0, 1]


def test_the_trees_come_out_without_owners() -> None:
    tree = program('master { string s = "a"; string t = s; vector<string> v; v :: t; print(v); }')
    owned = typed.Borrow | typed.Move | typed.Copy | typed.Held | typed.Scoped
    assert not [part for part in expressions(tree.master) if isinstance(part, owned)]
    assert tree.master.body.drops == ()


# Statements


def test_a_variable_without_a_value_is_zero() -> None:
    first, second, _ = in_master("int x, y = 3; print(x, y);")
    assert isinstance(first, typed.Declare)
    assert isinstance(first.value, typed.ZeroValue)
    assert isinstance(second, typed.Declare)
    assert isinstance(second.value, typed.IntLiteral)


@pytest.mark.parametrize(
    ("statements", "operator", "operand_type", "value_type"),
    [
        ("int x; x += 1;", "+", INT, INT),
        ("long x; x += 1;", "+", LONG, LONG),
        ("long x; int i; x *= i;", "*", LONG, LONG),
        ("double x; int i; x -= i;", "-", DOUBLE, DOUBLE),
        ("char x; x += 1;", "+", INT, INT),
        ("char x; int i; x ^= i;", "^", INT, INT),
        ("int x; x <<= 3;", "<<", INT, INT),
        ("long x; int i; x >>= i;", ">>", LONG, LONG),
        ("int x; x++;", "+", INT, INT),
        ("char x; x--;", "-", INT, INT),
        ("double x; x++;", "+", DOUBLE, DOUBLE),
        ('string x; x += "a";', "+", STRING, STRING),
        ("vector<long> x; x += [1];", "+", VectorType(LONG), VectorType(LONG)),
    ],
)
def test_updates(statements: str, operator: str, operand_type: object, value_type: object) -> None:
    update = in_master(statements)[-1]
    assert isinstance(update, typed.Update)
    assert (update.operator, update.operand_type, update.value.type) == (operator, operand_type, value_type)


@pytest.mark.parametrize(
    ("statements", "wholes"),
    [
        ("vector<int> v; v :: 1 :: 2;", [False, False]),
        ("vector<long> v; int i; v :: i;", [False]),
        ("vector<int> v; v :: v;", [True]),
        ("vector<int> v; v :: [1, 2];", [True]),
        ("vector<int> v; v :: [];", [True]),
        ("vector<vector<int>> v; v :: [1, 2];", [False]),
        ("vector<vector<int>> v; v :: [];", [False]),
        ("vector<vector<int>> v; v :: [[1], []];", [True]),
        ("vector<vector<int>> v; vector<int> w; v :: [w];", [True]),
        ("vector<vector<int>> v; v :: fill(3, 0);", [False]),
        ("vector<int> v; v :: fill(3, 0);", [True]),
        ("string s; s :: 'a' :: \"bc\" :: 100;", [False, True, False]),
        ('vector<string> v; v :: "a";', [False]),
        ("bool b; vector<int> v; v :: b ? 1 : 2;", [False]),
    ],
)
def test_appending(statements: str, wholes: list[bool]) -> None:
    appended = [part for part in in_master(statements) if isinstance(part, typed.Append)]
    assert [part.whole for part in appended] == wholes
    for part in appended:
        assert isinstance(part.target.type, VectorType)
        assert part.value.type == (part.target.type if part.whole else part.target.type.element)


def test_loops() -> None:
    statements = in_master("""
        long n;
        for (long i in 0..n) print(i);
        for (char c in "abc") print(c);
        for (int i = 0; i < 3; i++) { continue; }
        while (n < 3) { n++; break; }
        for (auto i in 0..n) print(i);
        for (auto s in ["a"]) print(s);
        for (double d in [1, 2]) print(d);
    """)
    ranged, each, counted, repeated, open_range, open_each, widened = statements[1:]
    assert isinstance(ranged, typed.ForRange)
    assert (ranged.low.type, ranged.high.type, ranged.variable.type) == (LONG, LONG, LONG)
    assert isinstance(each, typed.ForEach)
    assert (each.variable.type, each.variable.kind) == (CHAR, typed.VariableKind.LOOP)
    assert isinstance(counted, typed.For)
    assert len(counted.init) == len(counted.step) == 1
    assert isinstance(repeated, typed.While)
    assert isinstance(open_range, typed.ForRange)
    assert open_range.variable.type is LONG
    assert isinstance(open_each, typed.ForEach)
    assert open_each.variable.type == STRING
    assert isinstance(widened, typed.ForEach)
    assert widened.sequence.type == VectorType(DOUBLE)


def test_switch() -> None:
    switch = in_master(
        """
        char c;
        switch (c) { case 'a', 98: print(1); break; case A: print(2); default: print(3); }
    """,
        "const char A = 'A';",
    )[-1]
    assert isinstance(switch, typed.Switch)
    values = [[part.value for part in case.values if isinstance(part, typed.IntLiteral)] for case in switch.cases]
    assert values == [[97, 98], [65], []]
    assert all(part.type is CHAR for case in switch.cases for part in case.values)


def test_a_break_leaves_the_innermost_switch_or_loop() -> None:
    loop = in_master("""
        while (true) {
            switch (slaves()) { case 1: if (slots() > 1) { break; } print(1); default: while (true) break; }
            break;
        }
    """)[0]
    breaks = [part for part in _statements(loop) if isinstance(part, typed.Break)]
    breaks.sort(key=lambda part: part.span.start)
    assert [part.leaves_switch for part in breaks] == [True, False, False]


def _statements(tree: object) -> list[object]:
    found = [tree]
    for name in getattr(tree, "__slots__", ()):
        value = getattr(tree, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, typed.Statement | typed.SwitchCase):
                found.extend(_statements(part))
    return found


def test_a_name_begins_behind_its_own_value() -> None:
    _, block = in_master("int x = 3; { int y = x; int x = x + y; print(x); }")
    assert isinstance(block, typed.Block)
    inner = block.statements[1]
    assert isinstance(inner, typed.Declare)
    assert isinstance(inner.value, typed.Binary)
    assert isinstance(inner.value.left, typed.VariableRef)
    assert inner.value.left.variable is not inner.variable


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("master { if («1») { } }", "E0204"),
        ('master { while («"a"») { } }', "E0204"),
        ("master { for (;«1.5»;) { } }", "E0204"),
        ("master { print(«'a'» ? 1 : 2); }", "E0204"),
        ('master { vector<int> v; v :: «"five"»; }', "E0203"),
        ("master { vector<int> v; v :: «2.5»; }", "E0203"),
        ("master { vector<int> v; v :: «5L»; }", "E0203"),
        ("master { int x; «x» :: 5; }", "E0203"),
        ("master { string s; s :: «300»; }", "E0223"),
        ("master { int x; «x += true»; }", "E0202"),
        ("master { double x; «x %= 2.0»; }", "E0202"),
        ("master { int x; x += «2.5»; }", "E0205"),
        ("master { int x; x += «5L»; }", "E0205"),
        ("master { string s; s += «'a'»; }", "E0201"),
        ("master { string s; «s»++; }", "E0202"),
        ("master { int x; «x + 1» = 3; }", "E0215"),
        ("master { «slots()»++; }", "E0215"),
        ("master { «[1, 2]» :: 3; }", "E0215"),
        ("master { «pi» = 3.0; }", "E0215"),
        (POINT + "struct point f() { struct point p; return p; } master { «f()->x» = 3; }", "E0215"),
        ("const int N = 1; master { «N» = 3; }", "E0318"),
        ("const vector<int> V = [1]; master { «V[0]» = 3; }", "E0318"),
        ("const vector<int> V = [1]; master { «V» :: 3; }", "E0318"),
        ("const vector<int> V = [1]; master { pop(«V»); }", "E0318"),
        ("const int N = 1; void f(int& x) { x = 1; } master { f(«N»); }", "E0318"),
        ("master { int x; int «x»; print(x); }", "E0304"),
        ("int f(int a) { int «a» = 3; return a; }", "E0304"),
        ("master { «break»; }", "E0310"),
        ("master { «continue»; }", "E0310"),
        ("master { switch (1) { case 1: «continue»; } }", "E0310"),
        ("master { for (int i in «5») print(i); }", "E0218"),
        (POINT + "master { struct point p; for (int i in «p») print(i); }", "E0218"),
        (JOB + "master { job<int> j; for (int i in «j») print(i); }", "E0218"),
        ("master { for (int i, int j in «[1]») print(i, j); }", "E0218"),
        ("master { vector<int> v; for («string» s in v) print(s); }", "E0201"),
        ("master { vector<long> v; for («int» i in v) print(i); }", "E0201"),
        ("master { for («double» i in 0..3) print(i); }", "E0201"),
        ("master { long n; for (int i in 0..«n») print(i); }", "E0205"),
        ("master { print(«0..3»); }", "E0219"),
        ("master { auto r = «0..3»; }", "E0219"),
        ("master { switch («1.5») { default: print(); } }", "E0220"),
        ("master { switch (1) { case 1: print(); case 2, «1»: print(); } }", "E0221"),
        ('master { switch ("a") { case "a": print(); case «"" + "a"»: print(); } }', "E0221"),
        ("master { int x; switch (1) { case «x»: print(); } }", "E0222"),
        ("master { switch (1) { case «slots()»: print(); } }", "E0222"),
        ('master { switch (1) { case «"a"»: print(); } }', "E0201"),
        ("master { switch ('a') { case «256»: print(); } }", "E0223"),
        ("int «f»(int x) { switch (x) { case 1: return 1; default: if (x > 1) break; return 2; } }", "E0311"),
        ("master { return «5»; }", "E0312"),
        ("void f() { return «5»; }", "E0312"),
        ("int f() { «return»; }", "E0312"),
        ('int f() { return «"a"»; }', "E0201"),
        ("int «f»() { }", "E0311"),
        ("int «f»(int x) { if (x > 0) return 1; }", "E0311"),
        ("int «f»() { while (true) { break; } }", "E0311"),
        ("int «f»(int x) { switch (x) { case 1: return 1; } }", "E0311"),
    ],
)
def test_wrong_statements(text: str, code: str) -> None:
    the_only(text, code)


def test_two_defaults() -> None:
    message = the_only("master { switch (1) { default: print(); default: print(); } }", "E0221")
    assert message.message == "`default` stands in this `switch` twice"


@pytest.mark.parametrize(
    "body",
    [
        "return 1;",
        "if (x > 0) return 1; else return 2;",
        "while (true) { }",
        "while (true) { while (true) { break; } }",
        "for (;;) { if (x > 3) return x; }",
        'fail("no");',
        'if (x > 0) return 1; fail("no");',
        "switch (x) { case 1: return 1; default: return 2; }",
        'switch (x) { case 1: return 1; break; default: fail("no"); }',
        "{ return 1; }",
        "while (ALWAYS) { }",
    ],
)
def test_functions_that_do_not_end_without_return(body: str) -> None:
    found = [
        item for item in checked(f"const bool ALWAYS = true; int f(int x) {{ {body} }}")[1] if item.code == "E0311"
    ]
    assert found == []


# Declarations


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("int f() { return 1; } int «f»() { return 2; }", "E0305"),
        ("const int f = 1; int «f»() { return 2; }", "E0305"),
        ("const int N = 1; const int «N» = 2;", "E0305"),
        ("struct s { int a; } struct «s» { int b; }", "E0305"),
        ("struct s { int a; int «a»; }", "E0306"),
        ("int f(int a, int «a») { return a; }", "E0306"),
        ("struct «s» { struct s a; }", "E0307"),
        ("struct «s» { int a; struct t b; } struct t { struct s c; }", "E0307"),
        ("struct s { «job<int>» j; }", "E0313"),
        ("struct s { «vector<job<int>>» j; }", "E0313"),
        (JOB + "const «job<int>» J = remote f(1);", "E0313"),
        ("struct «s» { }", "E0320"),
        ("master { } «master» { }", "E0309"),
        ("struct s { «t» x; }", "E0303"),
    ],
)
def test_wrong_declarations(text: str, code: str) -> None:
    the_only(text, code)


def test_a_program_without_a_master_block() -> None:
    text = "int f() { return 1; } // master"
    message = the_only(text, "E0308")
    assert (message.span.start, message.span.end) == (len(text), len(text))


def test_a_struct_may_contain_itself_through_a_vector() -> None:
    assert codes("struct tree { int value; vector<struct tree> children; } master { struct tree t; print(t); }") == []


def test_the_circle_of_structs_is_shown() -> None:
    message = the_only("struct «a» { struct b x; } struct b { struct a y; }", "E0307")
    assert [label.text for label in message.secondary] == ["struct a holds a struct b", "struct b holds a struct a"]


def test_a_struct_and_a_function_may_share_a_name() -> None:
    text = "struct stat { int size; } struct stat stat() { return stat{size: 1}; } master { print(stat()->size); }"
    assert codes(text) == []


# Jobs


def test_remote() -> None:
    declare = in_master("job<int> j = remote f(2); print(j.get());", JOB)[0]
    assert isinstance(declare, typed.Declare)
    call = declare.value
    assert isinstance(call, typed.RemoteCall)
    assert (call.type, call.each, call.waits, call.reduce) == (JobType(INT), (False,), (False,), None)


def remote_call(text: str) -> typed.RemoteCall:
    """The one `remote` call of a master block that stands behind some jobs."""
    jobs = """
    job int f(int x) { return x; } job int add(int a, int b) { return a + b; }
    job long total(vector<long> v) { return 0; } job double half(double x) { return x / 2; }
    """
    (call,) = [part for part in expressions(program(jobs + text).master) if isinstance(part, typed.RemoteCall)]
    return call


@pytest.mark.parametrize(
    ("call", "type", "each", "waits"),
    [
        ("f(each [1, 2])", "vector<job<int>>", (True,), (False,)),
        ("f(each 0..3)", "vector<job<int>>", (True,), (False,)),
        ("f(each js)", "vector<job<int>>", (True,), (True,)),
        ("add(j, 1)", "job<int>", (False, False), (True, False)),
        ("add(each js, each 0..2)", "vector<job<int>>", (True, True), (True, False)),
        ("total(ls)", "job<long>", (False,), (True,)),
        ("total([1, 2])", "job<long>", (False,), (False,)),
        ("total(each [ls])", "vector<job<long>>", (True,), (True,)),
        ("f(each [1, 2]) reduce add", "job<int>", (True,), (False,)),
    ],
)
def test_arguments_of_remote(call: str, type: str, each: tuple[bool, ...], waits: tuple[bool, ...]) -> None:
    handles = "job<int> j; vector<job<int>> js; vector<job<long>> ls;"
    found = remote_call(f"master {{ {handles} auto k = remote {call}; print(j, js, ls, k); }}")
    assert (str(found.type), found.each, found.waits) == (type, each, waits)


def test_elements_behind_each_convert_when_they_are_sent() -> None:
    (argument,) = remote_call("master { vector<int> v = [1]; auto js = remote half(each v); print(js); }").arguments
    assert str(argument.type) == "vector<int>"
    (argument,) = remote_call("master { auto js = remote half(each [1]); print(js); }").arguments
    assert str(argument.type) == "vector<double>"


def test_return_remote_is_a_tail_job_in_jobs_only() -> None:
    text = "job int g(int x) { return remote f(x); } job<int> h(int x) { return remote f(x); }"
    tree = program(JOB + text)
    returns = [function.body.statements[0] for function in tree.functions[1:]]
    assert [isinstance(found, typed.Return) and found.is_tail_job for found in returns] == [True, False]


def test_a_job_is_called_here_without_remote() -> None:
    declare = in_master("int x = f(2); print(x);", JOB)[0]
    assert isinstance(declare, typed.Declare)
    assert isinstance(declare.value, typed.Call)


def test_handles_are_values_of_the_master() -> None:
    text = (
        JOB
        + """
    job<int> start(int a) { return remote f(a); }
    int sum(vector<job<int>> js) { int s; for (int x in get(js)) s += x; return s; }
    master {
        vector<job<int>> js = [start(1), remote f(2)];
        job<int> j = js[0];
        print(sum(js), j, js, j == js[0]);
    }"""
    )
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("int f() { return 1; } master { remote «f»(); }", "E0401"),
        ("master { remote «size»([1]); }", "E0401"),
        ("master { remote «nothing»(); }", "E0302"),
        (JOB + "master { auto j = remote «f»; }", "E0407"),
        (JOB + "master { auto j = remote «5»; }", "E0407"),
        (JOB + "master { remote «f»(); }", "E0206"),
        (JOB + 'master { remote f(«"a"»); }', "E0201"),
        (JOB + "master { int x = «remote f(1)»; }", "E0201"),
        (JOB + "master { job<int> j = «f(1)»; }", "E0201"),
        (JOB + "master { job<double> j = «remote f(1)»; }", "E0201"),
        ("job int f(«job<int> j») { return 1; }", "E0403"),
        ("job int f(«vector<job<int>> js») { return 1; }", "E0403"),
        ("job «job<int>» f() { job<int> j; return j; }", "E0403"),
        ("job int f(«int& x») { return x; }", "E0404"),
        ("job int f() { return size(«args»()); }", "E0405"),
        ("job int f() { «exit»(1); return 1; }", "E0405"),
        ("job int f() { return g(); } int g() { return h(); } int h() { return «arg»(0, 1); }", "E0405"),
        (JOB + "job long g() { return «remote f(1)»; }", "E0201"),
        (JOB + "int h() { return «remote f(1)»; }", "E0201"),
        (JOB + "master { f(«each [1, 2]»); }", "E0408"),
        (JOB + "master { remote f(each «3»); }", "E0408"),
        (JOB + "master { remote f(each [«1.5»]); }", "E0205"),
        (JOB + "master { vector<double> v; remote f(each «v»); }", "E0201"),
        (JOB + "master { remote f(each 0..«1.5»); }", "E0205"),
        (JOB + "job int g(int a, int b) { return a + b; } master { remote f(1) reduce «g»; }", "E0409"),
        (JOB + "master { remote f(each [1]) reduce «f»; }", "E0409"),
        (JOB + "master { remote f(each [1]) reduce «nothing»; }", "E0302"),
        (JOB + "master { vector<job<int>> js = [remote f(1)]; print(«completed»(js)); }", "E0410"),
        (JOB + "master { for (int i in completed(«remote f(1)»)) print(i); }", "E0402"),
        ("job long g(long x) { return x; } master { job<int> j; remote g(«j»); }", "E0411"),
        (JOB + "master { job<int> j; f(«j»); }", "E0201"),
    ],
)
def test_wrong_jobs(text: str, code: str) -> None:
    the_only(text, code)


def test_the_way_from_a_job_is_shown() -> None:
    text = "job int f() { return g(); } int g() { return h(); } int h() { return «arg»(0, 1); }"
    message = the_only(text, "E0405")
    assert [label.text for label in message.secondary] == ["job `f`", "`f` calls `g` here", "`g` calls `h` here"]
    assert message.message == "`arg` belongs to the master, but job `f` can reach it"


def test_a_function_that_is_only_given_as_an_order_is_reached_too() -> None:
    text = """
    bool less(int a, int b) { return a < arg(0, 1); }
    job vector<int> f(vector<int> v) { return sort(v, less); }
    """
    assert codes(text) == ["E0405"]


def test_what_only_the_master_reaches_may_ask_for_arguments() -> None:
    assert codes(JOB + "int n() { return arg(0, 1000); } master { print(n(), get(remote f(n()))); exit(0); }") == []


# Warnings


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("master { int «x»; }", "W0101"),
        ("master { int «x»; x = 3; x += 1; x++; }", "W0101"),
        ("master { vector<int> «v»; v :: 3; v[0] = 4; clear(v); }", "W0101"),
        ("int f() { return 1; «print(2)»; print(3); return 4; }", "W0102"),
        ("master { while (true) { } «print(1)»; }", "W0102"),
        ("master { while (true) { break; «print(1)»; } }", "W0102"),
        ("master { exit(1); «print(1)»; }", "W0102"),
        (JOB + "master { job<int> «j» = remote f(1); }", "W0103"),
        (JOB + "master { vector<job<int>> «js»; js :: remote f(1); }", "W0103"),
        ("master { int x; «x == 1»; }", "W0104"),
        ("master { int x; «x»; }", "W0104"),
        ("master { vector<int> v = [1]; «v.reverse()»; }", "W0104"),
        ("master { char c; if («c == 300») print(c); }", "W0105"),
        ("master { char c; if («c >= 0») print(c); }", "W0105"),
        ("master { int x; if («x < 3000000000») print(x); }", "W0105"),
        ("master { int x; if («-3000000000 > x») print(x); }", "W0105"),
        ("master { int x; if («x == x») print(x); }", "W0105"),
        ("master { vector<int> v; if («size(v) >= 0») print(v); }", "W0105"),
        ("master { string s; if («-1 == s.size()») print(s); }", "W0105"),
        ("master { double d; if («d == nan») print(d); }", "W0105"),
        ("master { float f; if («nan != f») print(f); }", "W0105"),
    ],
)
def test_warnings(text: str, code: str) -> None:
    message = the_only(text, code, Severity.WARNING)
    assert message.severity is Severity.WARNING


@pytest.mark.parametrize(
    "text",
    [
        "master { for (int i in 0..3) print(); }",
        "int f(int unused) { return 1; }",
        JOB + "master { remote f(1); f(1); }",
        "master { int x = 3; print(x); }",
        "master { vector<int> v = [1]; pop(v); }",
        "master { double d; if (d == d) print(d); }",
        "master { char c; int x; if (c < 255 && x < 2147483647) print(c); }",
        "void set(int& x) { x = 1; } master { int x; set(x); }",
    ],
)
def test_no_warning(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("comparison", "value"), [("c < 256", True), ("c > 255", False), ("c <= -1", False), ("c != 300", True)]
)
def test_what_a_comparison_always_is(comparison: str, value: bool) -> None:
    (message,) = checked(f"master {{ char c; if ({comparison}) print(c); }}")[1]
    assert message.message == f"this comparison is always {'true' if value else 'false'}"


# One mistake, one message


@pytest.mark.parametrize(
    "text",
    [
        "master { print(x, x + 1, x); x = 3; int y = x; }",
        "master { auto y = x; print(y + 1, y->z, y[0]); y :: 3; y++; }",
        "master { nothing n; print(n); n = 5; }",
        "struct s { nothing n; } master { struct s a; a->n = 3; print(a->n, a); }",
        "nothing f(int a) { return a; } master { int x = f(1); print(f(2), x); }",
        "const int N = 1 / 0; master { print(N, N + 1); int x = N; }",
        "master { int x = f(1); x = f(2); print(x); }",
        "master { if (x) print(1); else print(2); }",
    ],
)
def test_one_mistake_gives_one_message(text: str) -> None:
    messages = [item for item in checked(text)[1] if item.severity is Severity.ERROR]
    assert len(messages) == 1, messages


def test_an_unknown_name_is_said_once_in_each_function() -> None:
    assert codes("int f() { return x + x; } int g() { return x; }") == ["E0301", "E0301"]


def test_independent_mistakes_are_all_said_in_order() -> None:
    text = """
    int f(int a) { return "a"; }
    master {
        int x = true;
        print(y);
        f("b") + f(1, 2);
        if (1) { x = 1.5; }
    }
    int g() { }
    """
    found = [item for item in checked(text)[1] if item.severity is Severity.ERROR]
    expected = ["E0201", "E0201", "E0301", "E0201", "E0206", "E0204", "E0205", "E0311"]
    assert [item.code for item in found] == expected


def test_twenty_errors_are_enough() -> None:
    text = "master { " + " ".join(f"int x{number} = true;" for number in range(40)) + " }"
    tree, messages = checked(text)
    assert tree is None
    assert len([item for item in messages if item.severity is Severity.ERROR]) == 20


def test_a_wrong_program_has_no_tree() -> None:
    tree, _ = checked("master { int x = true; }")
    assert tree is None
