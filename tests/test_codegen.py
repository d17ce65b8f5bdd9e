"""The code generator's output: what the rest of the house relies on in its text and its objects, and what the
optimiser makes of it.

What programs compute is tested by `test_programs.py`, `test_loops.py` and `test_wire.py`.
"""

from __future__ import annotations

import re

import llvmlite.binding as llvm
import pytest
from job_programs import owned_program

from ms import codegen
from ms.codegen import Options, Role
from ms.codegen.abi import RUNTIME
from ms.codegen.elf import read_object
from ms.codegen.places import place_table

TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]

PROGRAM = """
struct point { double x; int n; string name; };
const vector<string> NAMES = ["a", "bb"];
int helper(int a) { return a / 3; }
int unused(int a) { return a * 7; }
bool shorter(string a, string b) { return size(a) < size(b); }
job int work(vector<int> v, struct point p) {
    int s = 0;
    for (int x in v) s += helper(x) + size(p->name);
    return s;
}
job vector<string> words(string text) { return sort(split(text, " "), shorter); }
master {
    vector<job<int>> jobs;
    for (int i in 0..3) jobs :: remote work([i, 2], point{x: 1.5, name: "p"});
    print(get(jobs), unused(2), NAMES, helper(args().size()));
    vector<double> d = fill(3, 0.5);
    d[1] += d[0] * d[2];
    print(d, words("b aa c"));
}
"""


def generated(text: str, role: Role = Role.MASTER, **options: object) -> str:
    return codegen.generate(owned_program(text), role, bytes(range(32)), Options(**options))  # type: ignore[arg-type]


def optimised(text: str, **options: object) -> str:
    return codegen.optimise(generated(text, **options), Options(**options))  # type: ignore[arg-type]


def function(text: str, name: str) -> str:
    """The text of one function of a module."""
    found = re.search(rf"^define [^\n]*@{re.escape(name)}\(.*?^}}", text, re.MULTILINE | re.DOTALL)
    assert found, f"no function {name}"
    return found[0]


# Objects


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("triple", TARGETS)
@pytest.mark.parametrize("level", [0, 3])
def test_all_code_is_one_section_that_begins_with_the_mark(role: Role, triple: str, level: int) -> None:
    options = Options(triple=triple, opt_level=level)
    code = codegen.emit_object(codegen.generate(owned_program(PROGRAM), role, bytes(32), options), options)
    elf = read_object(code)
    assert [name for name in elf.sections if name.startswith((".text", ".ltext"))] == [".text"]
    start = elf.symbol("ms_text_start")
    assert start is not None
    assert (start.section, start.value) == (elf.sections[".text"].index, 0)
    assert place_table(code).places


@pytest.mark.parametrize("role", list(Role))
def test_only_the_description_is_visible(role: Role) -> None:
    module = llvm.parse_assembly(codegen.optimise(generated(PROGRAM, role), Options()))
    values = [*module.functions, *module.global_variables]
    shown = [value.name for value in values if not value.is_declaration and value.linkage == llvm.Linkage.external]
    assert sorted(shown) == ["ms_program", "ms_text_start"]


def test_a_slave_has_the_jobs_and_what_they_call() -> None:
    text = generated(PROGRAM, Role.SLAVE)
    for name in ("work", "words", "helper", "shorter"):
        function(text, name)
    assert "@master" not in text
    assert "@unused(" not in text
    assert "describe" not in text


def test_a_slave_can_name_the_arguments_of_the_jobs_that_its_jobs_start() -> None:
    text = generated(
        """job int leaf(int x) { return x; } job int add(int a, int b) { return a + b; }
        job int idle(int x) { return x; }
        job int tree(int n) { return get(remote leaf(each 0..n) reduce add); }
        master { print(get(remote tree(3)), get(remote idle(1))); }""",
        Role.SLAVE,
    )
    assert re.findall(r"^define [^@]*@\"describe\.(\w+)\"", text, re.MULTILINE) == ["leaf", "add"]


def test_a_job_with_a_tail_job_is_there_as_it_is_called_and_as_it_is_run() -> None:
    text = generated(
        """job int count(int n) { if (n == 0) return 0; return remote count(n - 1); }
        master { print(count(3), get(remote count(3))); }"""
    )
    called, run = function(text, "count"), function(text, '"tail.count"')
    for name in ("@ms_job_get", "@ms_remote_start"):
        assert name in called
        assert name not in run
    assert "@ms_remote_tail" in function(text, '"run.count"')


def test_the_same_program_gives_the_same_text() -> None:
    assert generated(PROGRAM) == generated(PROGRAM)


def test_the_description_has_the_fingerprint_and_the_jobs_in_order() -> None:
    text = generated(PROGRAM)
    line = next(line for line in text.splitlines() if line.startswith("@ms_program"))
    assert "i32 1, i32 2, ptr" in line
    assert r"\00\01\02\03\04" in line
    table = next(line for line in text.splitlines() if '@"run.work"' in line and "constant" in line)
    assert table.index('@"run.work"') < table.index('@"run.words"')


# Failing calls


def test_every_call_that_may_fail_has_a_place_and_an_address_of_its_own() -> None:
    lines = generated(PROGRAM).splitlines()
    scope = checked = 0
    for line in lines:
        if line.startswith("define"):
            scope = "!dbg" in line
        called = re.search(r"call .*@(ms_\w+)\(", line)
        if called and RUNTIME[called[1]].fails:
            checked += 1
            assert "#2" in line, line
            assert not scope or ", !dbg !" in line, line
    assert checked > 10
    assert "attributes #2 = { nomerge }" in lines


def test_two_divisions_on_a_line_keep_their_places() -> None:
    text = "job int f(int a, int b) { return 6 / a + 6 / b; } master { print(f(1, 0)); }"
    options = Options()
    code = codegen.emit_object(generated(text, Role.SLAVE), options)
    columns = {place[1] for place in place_table(code).places if place[0] == 1}
    assert {text.index("6 / a") + 1, text.index("6 / b") + 1} <= columns


@pytest.mark.parametrize("level", [0, 3])
def test_places_have_the_names_of_the_program(level: int) -> None:
    text = """int fib(int n) { if (n < 2) return n; return fib(n - 1) + fib(n - 2); }
    double sin(double x) { return fill(3, x)[int(x)]; }
    master { print(fib(size(args())), sin(1.0)); }"""
    options = Options(opt_level=level)
    table = place_table(codegen.emit_object(generated(text, opt_level=level), options))
    functions = {table.names[place[2]] for place in table.places}
    assert functions == {"fib", "sin", "master"}


def test_frames_are_kept_and_no_call_is_a_tail_call() -> None:
    text = optimised("int f(int a) { return g(a) ; } int g(int a) { return f(a + 1); } master { print(f(1)); }")
    assert "tail call" not in function(text, "master.ms")
    assert '"disable-tail-calls"="true" "frame-pointer"="all"' in text


def test_unchecked_leaves_the_checks_out() -> None:
    text = "master { vector<int> v = [1]; int n = size(args()); print(v[n], 5 / n, int(0.5 * n)); }"
    for name in ("ms_fail_int_index", "ms_fail_division", "ms_fail_convert"):
        assert name in generated(text)
        assert name not in generated(text, unchecked=True)


# What the optimiser makes of it


def test_floating_point_stays_as_written() -> None:
    text = optimised(
        """double f(vector<double> a, vector<double> b) {
        double s = 0.0;
        for (int i in 0..size(a)) s += a[i] * b[i];
        return s;
    }
    master { vector<double> v = fill(size(args()), 0.5); print(f(v, v)); }"""
    )
    for flag in ("fast", "reassoc", "contract", "fmuladd", "llvm.fma", "vector.reduce.fadd"):
        assert not re.search(rf"\b{re.escape(flag)}\b", text)


def test_a_loop_over_vectors_is_vectorised() -> None:
    text = optimised(
        """void add(vector<double>& a, vector<double> b, int n) { for (int i in 0..n) a[i] += 2.0 * b[i]; }
        master { vector<double> v = fill(size(args()), 0.5), w = fill(100, 1.0); add(v, w, 99); print(v); }"""
    )
    assert re.search(r"fadd <\d+ x double>", text)


@pytest.mark.parametrize(
    "loop",
    [
        "for (int i in 0..n) a[i] = i;",
        "for (int i = 0; i < n; i++) a[i] = i;",
        "for (int i = n - 1; i >= 0; i--) a[i] = i;",
        "for (int i in 0..n) a[i * 2 + n] = i;",
        "for (int i in 0..n) for (int j in 0..n) a[i * n + j] = j;",
        "for (long i = 0; i <= n; i += n) a[i] = 1;",
        "vector<vector<int>> m = [a]; for (int i in 0..n) m[0][i] = i; a = m[0];",
    ],
)
def test_a_loop_whose_indices_are_in_range_is_there_without_checks(loop: str) -> None:
    """One version of the innermost loop is a block that goes back to itself: nothing in it can lead to a failure."""
    text = optimised(f"job vector<int> f(vector<int> a, int n) {{ {loop} return a; }} master {{ }}")
    blocks = re.split(r"^(?=[\w.]+:)", text, flags=re.MULTILINE)
    loops = [block for block in blocks if re.search(rf"br i1 .*%{re.escape(block.split(':')[0])}\b", block)]
    assert any("store" in block for block in loops), text


def test_appending_keeps_the_header_in_registers() -> None:
    text = optimised(
        """vector<int> f(int n) { vector<int> v; for (int i in 0..n) v :: i; return v; }
        master { print(f(size(args())), f(3)); }"""
    )
    assert "alloca %ms.vector" not in text
    assert "alloca ptr" not in text


def test_what_is_not_used_again_is_moved() -> None:
    text = generated(
        """vector<int> more(vector<int> v) { v :: 1; return v; }
        master { vector<int> a = [1]; vector<int> b = more(a); b = sort(b); print(b); }"""
    )
    assert "copy." not in text


def test_literals_are_borrowed_where_they_are_only_looked_at() -> None:
    text = generated('master { print("text" == str(size(args())), find("abc", "c")); }')
    assert "ms_vector_copy" not in text
    assert "@ms_alloc" not in text


def test_pure_calls_are_known_to_be_pure() -> None:
    text = optimised(
        """int fib(int n) { if (n < 2) return n; return fib(n - 1) + fib(n - 2); }
        master { print(fib(size(args()))); }"""
    )
    written = re.findall(r"^define .*@fib[\w.]*\(.*?(#\d+)", text, re.MULTILINE)
    assert written
    for attributes in written:
        assert re.search(rf"attributes {attributes} = .*memory\(none\)", text)


def test_small_recursion_is_unrolled_and_keeps_its_name() -> None:
    text = generated(
        """int fib(int n) { if (n < 2) return n; return fib(n - 1) + fib(n - 2); }
        int halves(int n) { if (n < 2) return n; return 100 / n + halves(n / 2); }
        master { print(fib(size(args())), halves(9)); }"""
    )
    assert [len(re.findall(rf'^define .*@{name}[.(]', text, re.MULTILINE)) for name in ("fib", "halves")] == [3, 1]
    assert text.count('name: "fib"') == 3
    assert "@fib.2(" in function(text, "fib")
    assert "@fib(" in function(text, "fib.3")


def test_names_of_c_functions_are_the_programs_own_to_use() -> None:
    text = generated(
        """double sin(double x) { return x; } int memcpy(int a) { return a; } int ms_alloc(int a) { return a; }
        int main(int a) { return a; }
        master { print(sin(1.0), memcpy(1), ms_alloc(2), main(3), cos(1.0)); }"""
    )
    for name in ("sin.ms", "memcpy.ms", "ms_alloc.ms", "main"):
        function(text, name)
    assert 'name: "sin"' in text


def test_constants_are_static_data() -> None:
    text = generated(
        """struct entry { string key; vector<int> values; };
        const vector<struct entry> TABLE = [entry{key: "k", values: [1, 2]}, entry{key: "l"}];
        const vector<int> SQUARES = [0, 1, 4, 9];
        master { int n = size(args()); print(TABLE[n]->key, SQUARES[n]); }"""
    )
    assert r'c"\00\00\00\00\01\00\00\00\04\00\00\00\09\00\00\00"' in text
    assert "@ms_alloc" not in text


@pytest.mark.parametrize("triple", TARGETS)
def test_assembly_for_each_target(triple: str) -> None:
    options = Options(triple=triple)
    assembly = codegen.emit_assembly(codegen.generate(owned_program(PROGRAM), Role.MASTER, bytes(32), options), options)
    assert "ms_text_start:" in assembly


def test_columns_beyond_what_llvm_takes() -> None:
    line = 'master { string s = "' + "a" * 70_000 + '"; print(1 / size(s)); }'
    assert re.search(r"!DILocation\(line: 1, column: 65535,", generated(line))
    optimised(line)


def chain(count: int, lines: int) -> str:
    """Functions of about `lines` lines of LLVM, each called by the one before."""
    body = " ".join(["x = x * 3 + v[x & 7];"] * (lines // 12))
    functions = [
        f"int f{n}(vector<int> v, int x) {{ {body} return {f'f{n + 1}(v, x)' if n + 1 < count else 'x'}; }}"
        for n in range(count)
    ]
    return "\n".join([*functions, "master { print(f0(fill(8, 1), size(args()))); }"])


def test_functions_called_once_are_inlined_while_their_caller_stays_small() -> None:
    assert "@f" not in optimised(chain(3, 100))


def test_a_chain_of_functions_does_not_become_one() -> None:
    sizes = [part.count("\n") for part in optimised(chain(40, 100)).split("\ndefine ")[1:]]
    assert len(sizes) > 5
    assert max(sizes) < 2000


def test_a_loop_over_a_vectors_own_indices_has_one_version_without_checks() -> None:
    for head in ("int i in 0..size(v)", "int i = 0; i < size(v); i++", "long i in 0..size(v)"):
        text = f"job int f(vector<int> v) {{ int s; for ({head}) s += v[i]; return s; }} master {{ print(f([1])); }}"
        assert function(generated(text), "f").count("add i32") == 1
        assert "ms_fail" not in function(generated(text), "f")
    heads = ("int i in 0..size(v) + 1", "int i = 0; i <= size(v); i++", "int i in k..size(v)", "int i in 0..size(w)")
    for head in heads:
        text = f"job int f(vector<int> v, vector<int> w, int k) {{ int s; for ({head}) s += v[i]; return s; }}"
        assert "ms_fail_int_index" in function(generated(text + "master { print(f([1], [2], 3)); }"), "f")


def test_only_calls_have_places_but_for_debuggers() -> None:
    text = "int f(int a, int b) { return a + b; } master { print(f(1, 2)); }"
    assert "!dbg" not in function(generated(text), "f").split("\n", 1)[1]
    assert re.search("add i32 .*!dbg", function(generated(text, debug=True), "f"))
