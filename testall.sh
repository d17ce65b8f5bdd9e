#!/bin/sh
# All tests, from a fresh clone: testall.sh [--quick]
# Sets up .venv on first use. Goes on after a failure; the exit status is 0 only when everything passed. What the
# machine has no tool for is skipped by name. --quick leaves out the sanitizers and valgrind.

cd "$(dirname "$0")" || exit 2
MS_SETUP=1 MS_EXTRAS=dev ./msc || exit 2
python=${MS_VENV:-.venv}/bin/python
quick=${1:-}
failed=
skipped=

step() {
    name=$1
    shift
    printf '\n== %s\n' "$name"
    "$@" || failed="$failed, $name"
}

skip() {
    printf '\n== %s: skipped, %s\n' "$1" "$2"
    skipped="$skipped, $1"
}

step "ruff" "$python" -m ruff check .
step "mypy" "$python" -m mypy
step "warnings of the C compiler" "$python" tests/c_warnings.py
step "programs" "$python" tests/run_programs.py
if [ "$quick" = --quick ]; then
    skip "programs with sanitizers" "as asked"
elif "$python" tests/c_warnings.py --can-sanitize; then
    step "programs with sanitizers" "$python" tests/run_programs.py --sanitize
else
    skip "programs with sanitizers" "the C compiler has none"
fi
if [ "$quick" = --quick ]; then
    skip "programs under valgrind" "as asked"
elif command -v valgrind >/dev/null; then
    step "programs under valgrind" "$python" tests/run_programs.py --valgrind
else
    skip "programs under valgrind" "there is no valgrind"
fi
# On all processors; the parameters of some tests are drawn from sets, and all processes must draw them alike. What
# fails there is named, and runs once more alone: a failure that stays counts.
tests() {
    PYTHONHASHSEED=0 "$python" -m pytest -q -n auto --dist loadfile --ignore tests/test_programs.py && return
    printf '\n-- once more, alone: what failed\n'
    PYTHONHASHSEED=0 "$python" -m pytest -q --lf --lfnf none --ignore tests/test_programs.py
}
step "tests" tests

printf '\n'
[ -z "$skipped" ] || echo "skipped: ${skipped#, }"
if [ -n "$failed" ]; then
    echo "failed: ${failed#, }"
    exit 1
fi
echo "all passed"
