"""The program that faults are tried on, compiled once.

It works in waves until a file `go` exists, and checks every result; what it prints at its end is the same however
many waves there were. After each wave it writes their number to the file `waves`: so a test knows that work goes on,
without watching a clock.
"""

from __future__ import annotations

from pathlib import Path

from program_compiler import Compiled, compile_program

WAVES = """
struct row { int number; string name; vector<long> cells; };

job long square(int n, int milliseconds) {
    sleep(milliseconds / 1000.0);
    return long(n) * n;
}
job row make(int n, int count) {
    row r = row{number: n, name: "row " + str(n)};
    for (int i in 0..count) r->cells :: long(n) * i;
    return r;
}
job long total(row r) { return sum(r->cells) + size(r->name) + r->number; }
job long look(vector<long> table, int n) {
    table[n]++;
    return sum(table) + n;
}
job int tree(int depth) {
    if (depth == 0) return 1;
    job<int> left = remote tree(depth - 1);
    job<int> right = remote tree(depth - 1);
    return get(left) + get(right);
}
job int failing(int n) {
    vector<int> v = [1, 2, 3];
    return v[n];
}

long expected_total(int n, int count) {
    return long(n) * count * (count - 1) / 2 + size("row " + str(n)) + n;
}

void check(bool fine, string what) {
    if (!fine) fail("wrong: " + what);
}

void wave(int count, int milliseconds, vector<long> table) {
    vector<job<long>> squares;
    vector<job<long>> totals;
    vector<job<long>> looks;
    long sum_of_table = sum(table);
    for (int i in 0..count) {
        squares :: remote square(i, milliseconds);
        totals :: remote total(remote make(i, 20 + i * 700));
        looks :: remote look(table, i);
    }
    job<int> leaves = remote tree(3);
    job<int> bad = remote failing(7);
    for (int i in 0..count) {
        check(get(squares[i]) == long(i) * i, "a square");
        check(get(totals[i]) == expected_total(i, 20 + i * 700), "a total");
        check(get(looks[i]) == sum_of_table + 1 + i, "a look");
    }
    check(get(leaves) == 8, "leaves");
    check(wait(bad) == failed && error(bad) == "index 7 out of range, the size is 3", "an error");
}

master {
    int count = arg(0, 12);
    int milliseconds = arg(1, 2);
    int waves = 0;
    vector<long> table = fill(9000, 1); // all of a wave's jobs get it, and those of a few waves
    while (!file_exists("go")) {
        if (waves % 4 == 0) table[waves % size(table)]++;
        wave(count, milliseconds, table);
        waves++;
        write_file("waves", str(waves));
    }
    wave(count, 0, table);
    row r = get(remote make(3, 5));
    print(r, get(remote tree(2)), get(remote total(r)));
}
"""


def compiled(directory: Path, text: str = WAVES, name: str = "waves", *, sanitize: bool | str = False) -> Compiled:
    path = directory / f"{name}.ms"
    path.write_text(text)
    done = compile_program(path, directory / name, sanitize=sanitize)
    assert done.status == 0, done.shown + done.text
    return done
