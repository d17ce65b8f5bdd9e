"""docs/protocol.md is enough to write a slave: `python_slave.py`, before real masters, alone and beside real slaves.

Each result is compared with what the program prints under --local.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from c_tools import need_encryption
from program_compiler import Compiled, compile_program, fingerprint_of
from python_slave import Failure, Job, Kind, Refused, Slave, Tail, Task
from python_values import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    LONG,
    STRING,
    VOID,
    BadValue,
    Map,
    Struct,
    Type,
    Vector,
    decode,
    encode,
)
from watching import TIME_S, wait_for

PROGRAM = """
struct point { float x; bool odd; };
struct all { int i; long l; double d; char c; string s; vector<point> points; map<string, vector<int>> rows; };

job all echo(all a, point p, map<char, long> m) {
    a->points = a->points + [p];
    a->l = a->l + size(m);
    return a;
}
job void nothing(string s) { }
job int divide(int a, int b) { return a / b; }
job int prints(int n) { for (int i in 0..n) print("line", i); return n; }
job int add(int a, int b) { return a + b; }
job int fib(int n) {
    if (n < 2) return n;
    return get(remote add(remote fib(n - 1), remote fib(n - 2)));
}
job int count(int n, int so_far) { if (n == 0) return so_far; return remote count(n - 1, so_far + n); }
job int outer(int n) { return get(remote divide(n, 0)); }
job int held(int n) { return n; }
job long look(vector<long> table, int i, vector<long> more) { return table[i] + sum(more); }
job string long_text(int n) { return fill(n, 'x'); }

void values() {
    all a = all{i: -5, l: 1L << 40, d: 0.1, c: 'x', s: "h\\xff\\0", rows: {"z": [1, 2], "a": []}};
    for (int n in 0..20) {
        a = get(remote echo(a, point{x: float(n) / 3, odd: n % 2 == 1}, {'b': 1L, 'a': -1L}));
        get(remote nothing("word"));
    }
    print(a);
    for (int n in 0..10) print(get(remote prints(n)));
}
void failures() {
    job<int> j = remote divide(1, 0);
    print(wait(j), error(j), size(story(j)) > 0, get(remote divide(7, 2)));
    job<int> k = remote outer(3);
    print(wait(k), error(k), contains(story(k), "divide"));
    job<string> long_one = remote long_text(100000);
    print(wait(long_one), contains(error(long_one), "100000"));
    print(get(remote long_text(10)));
}
void nested() { print(get(remote fib(10)), get(remote count(200, 0))); }
void adds() { print(sum(get(remote add(each 0..400, 1)))); }
void tables() {
    vector<long> table, more = fill(9000, 3);
    for (long i in 0..20_000) table :: i * i;
    vector<job<long>> js;
    for (int i in 0..12) {
        js :: remote look(table, i * 100, i % 3 == 0 ? more : table);
        if (i == 6) table[5] = -1;
    }
    print(get(js), sum(get(remote look(table, each 0..4, more))));
}
void holds() {
    job<int> j = remote held(1);
    print(get(j), get(remote add(1, 2)));
}
void cancels() {
    job<int> j = remote held(1);
    get(remote add(0, 0));
    cancel(j);
    print(wait(j), error(j), get(remote divide(each [6, 8], 2)));
}
master {
    string what = arg(0, "");
    if (what == "values") values();
    if (what == "failures") failures();
    if (what == "nested") nested();
    if (what == "adds") adds();
    if (what == "tables") tables();
    if (what == "holds") holds();
    if (what == "cancels") cancels();
}
"""

POINT = Struct((("x", FLOAT), ("odd", BOOL)))
FIELDS = (("i", INT), ("l", LONG), ("d", DOUBLE), ("c", CHAR), ("s", STRING), ("points", Vector(POINT)))
ALL = Struct((*FIELDS, ("rows", Map(STRING, Vector(INT)))))


def echo(_: Task, a: dict[str, object], p: object, m: dict[bytes, int]) -> object:
    points, long = a["points"], a["l"]
    assert isinstance(points, list)
    assert isinstance(long, int)
    return {**a, "points": [*points, p], "l": long + len(m)}


def divide(_: Task, a: int, b: int) -> int:
    if b == 0:
        raise Failure("division by zero")
    return a // b


def prints(task: Task, n: int) -> int:
    for i in range(n):
        task.print(b"line %d\n" % i)
    return n


def add(_: Task, a: int, b: int) -> int:
    return a + b


def fib(task: Task, n: int) -> object:
    if n < 2:
        return n
    return task.get(task.start("add", task.start("fib", n - 1), task.start("fib", n - 2)))


def count(_: Task, n: int, so_far: int) -> object:
    return so_far if n == 0 else Tail("count", (n - 1, so_far + n))


def outer(task: Task, n: int) -> object:
    return task.get(task.start("divide", n, 0))


def held(_: Task, n: int) -> int:
    return n


JOBS = [
    Job("echo", (ALL, POINT, Map(CHAR, LONG)), ALL, echo),
    Job("nothing", (STRING,), VOID, lambda task, s: None),
    Job("divide", (INT, INT), INT, divide),
    Job("prints", (INT,), INT, prints),
    Job("add", (INT, INT), INT, add),
    Job("fib", (INT,), INT, fib),
    Job("count", (INT, INT), INT, count),
    Job("outer", (INT,), INT, outer),
    Job("held", (INT,), INT, held),
    Job("look", (Vector(LONG), INT, Vector(LONG)), LONG, lambda task, table, i, more: table[i] + sum(more)),
    Job("long_text", (INT,), STRING, lambda task, n: b"x" * n),
]


class Stage:
    """One master, and the slaves that a test gives it."""
    def __init__(self, directory: Path, programs: Compiled, fingerprint: bytes) -> None:
        self.directory = directory
        self.programs = programs
        self.fingerprint = fingerprint
        self.address = f"{directory}/s"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    def start(self, *command: object) -> subprocess.Popen[bytes]:
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.processes.append(process)
        return process

    def master(self, what: str, *options: object) -> subprocess.Popen[bytes]:
        listen = [] if "--listen" in options else ["--listen", f"unix:{self.address}"]
        return self.start(self.programs.master, *listen, "--quiet", *options, "--", what)

    def real_slave(self) -> subprocess.Popen[bytes]:
        return self.start(self.programs.slave, f"unix:{self.address}", "-j", "2", "--quiet")

    def slave(
        self, slots: int = 2, jobs: dict[str, Callable[..., object]] | None = None, *, key: bytes | None = None,
        patience_seconds: float = 0.0, fingerprint: bytes | None = None, results: dict[str, Type] | None = None,
        blobs_max: int = 1 << 26,
    ) -> Slave:
        """One that runs in a thread of its own; `jobs` do something else than is usual, `results` have another type."""
        jobs, results = jobs or {}, results or {}
        chosen = [
            Job(job.name, job.parameters, results.get(job.name, job.result), jobs.get(job.name, job.function))
            for job in JOBS
        ]
        slave = Slave(self.address, fingerprint or self.fingerprint, chosen, slots, key, patience_seconds, blobs_max)
        thread = threading.Thread(target=self.serve, args=(slave,), daemon=True)
        self.threads.append(thread)
        thread.start()
        return slave

    def serve(self, slave: Slave) -> None:
        try:
            slave.run()
        except BaseException as error:
            self.errors.append(error)

    def finish(self, master: subprocess.Popen[bytes]) -> str:
        """What the master printed, when it has ended well, and all slaves have gone."""
        out, err = master.communicate(timeout=TIME_S)
        assert (master.returncode, err) == (0, b"")
        for thread in self.threads:
            thread.join(TIME_S)
            assert not thread.is_alive()
        return out.decode(errors="surrogateescape")

    def local(self, what: str, *options: str) -> str:
        given = options or ("--payload-max", "50000")
        return self.finish(self.start(self.programs.master, "--local", *given, "--", what))

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Compiled, bytes]:
    directory = tmp_path_factory.mktemp("python-slave")
    (directory / "prog.ms").write_text(PROGRAM)
    programs = compile_program(directory / "prog.ms", directory / "prog")
    assert programs.status == 0, programs.shown + programs.text
    return programs, fingerprint_of(directory / "prog.ms")


@pytest.fixture
def stage(tmp_path: Path, built: tuple[Compiled, bytes]) -> Iterator[Stage]:
    one = Stage(tmp_path, *built)
    try:
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside"])
@pytest.mark.parametrize("what", ["values", "failures", "nested", "adds", "holds"])
def test_the_output_is_that_of_local(stage: Stage, what: str, beside: bool) -> None:
    master = stage.master(what, "--min-slaves", 1 + beside, "--payload-max", "50000")
    stage.slave()
    if beside:
        stage.real_slave()
    assert stage.finish(master) == stage.local(what)
    assert stage.errors == []


@pytest.mark.parametrize("blobs_max", [1 << 30, 240_000, 0], ids=["kept", "forgotten", "none"])
def test_large_arguments_come_once(stage: Stage, blobs_max: int) -> None:
    """Two contents of 160 kB, one of 72 kB."""
    master = stage.master("tables", "--min-slaves", 2)
    slave = stage.slave(blobs_max=blobs_max)
    stage.real_slave()
    assert stage.finish(master) == stage.local("tables", "--payload-max", "1M")
    assert stage.errors == []
    if blobs_max > 240_000:
        assert slave.last_blob == len(slave.blobs) == 3
    elif blobs_max > 0:
        assert slave.last_blob >= len(slave.blobs) > 0
    else:
        assert slave.last_blob == 0


def test_the_story_of_a_failure(stage: Stage) -> None:
    """What is told of a failure on this slave stands where that of any other would."""
    def fails(task: Task, n: int) -> object:
        return task.get(task.start("divide", n, 0))

    master = stage.master("holds")
    stage.slave(1, {"held": fails})
    _, err = master.communicate(timeout=TIME_S)
    lines = err.decode().splitlines()
    assert master.returncode == 1
    assert "job held(1) failed on slave" in lines[0]
    told = [line.strip() for line in lines[1:]]
    assert any("in held: job divide failed on slave" in line for line in told)
    assert told[-1].startswith("test_python_slave.py:")
    assert told[-1].endswith("in divide: division by zero")


def test_a_cancelled_job_is_answered_and_frees_its_slot(stage: Stage) -> None:
    """Two jobs that meet need both slots, one of which had run `held` until it was cancelled."""
    began, ended, both = threading.Event(), threading.Event(), threading.Barrier(2, timeout=TIME_S)

    def spins(task: Task, n: int) -> int:
        began.set()
        task.cancelled.wait(TIME_S)
        ended.set()
        task.check()
        return n

    def follows(_: Task, a: int, b: int) -> int:
        assert began.wait(TIME_S)
        return a + b

    def meets(_: Task, a: int, b: int) -> int:
        both.wait()
        return a // b

    master = stage.master("cancels")
    stage.slave(2, {"held": spins, "add": follows, "divide": meets})
    assert stage.finish(master) == "failed cancelled [3, 4]\n"
    assert ended.is_set()


def test_a_lost_slave(stage: Stage) -> None:
    """It dies with a job; another one does it."""
    def dies(task: Task, n: int) -> int:
        assert task.slave.connection is not None
        task.slave.connection.shutdown(socket.SHUT_RDWR)
        task.cancelled.wait(TIME_S)
        return n

    master = stage.master("holds")
    stage.slave(1, {"held": dies})
    wait_for(lambda: stage.errors)
    stage.real_slave()
    assert stage.finish(master) == "1 3\n"
    assert [type(error) for error in stage.errors] == [ConnectionError]


@pytest.mark.parametrize("prints_before", [False, True])
def test_coming_back(stage: Stage, prints_before: bool) -> None:
    """A job goes on while the connection is cut, and counts; one whose output may be lost begins again."""
    calls: list[int] = []

    def goes_on(task: Task, n: int) -> int:
        calls.append(task.jid)
        if len(calls) > 1:
            return n
        with task.slave.lock:
            if prints_before:
                task.slave.passed = -1  # as if no ping had come back
                task.printed = 1
            assert task.slave.connection is not None
            task.slave.connection.shutdown(socket.SHUT_RDWR)
            task.slave.lock.wait_for(lambda: not task.slave.open, TIME_S)
        if not prints_before:
            task.print(b"meanwhile\n")
        return n

    master = stage.master("holds", "--trace", stage.directory / "trace.json")
    stage.slave(1, {"held": goes_on}, patience_seconds=TIME_S)
    assert stage.finish(master) == ("1 3\n" if prints_before else "meanwhile\n1 3\n")
    assert (len(calls), stage.errors) == (1 + prints_before, [])


def test_recall(stage: Stage) -> None:
    """A job that holds up what stands behind it, until that has been asked for by another slave."""
    waits = threading.Event()

    def slow(task: Task, a: int, b: int) -> int:
        with task.slave.lock:
            if a >= 50 and task.slave.waiting and not waits.is_set():
                waits.set()
                task.slave.lock.wait_for(lambda: task.slave.given_back > 0, TIME_S)
        return a + b

    master = stage.master("adds")
    slave = stage.slave(1, {"add": slow})
    assert waits.wait(TIME_S)
    stage.real_slave()
    assert stage.finish(master) == stage.local("adds")
    assert slave.given_back > 0


def test_leaving(stage: Stage) -> None:
    """After its bye it does what it has begun, and no more."""
    def last(task: Task, n: int) -> int:
        task.slave.leave()
        return n

    master = stage.master("holds")
    stage.slave(1, {"held": last})
    for thread in stage.threads:
        thread.join(TIME_S)
        assert not thread.is_alive()
    stage.real_slave()
    assert stage.finish(master) == "1 3\n"
    assert stage.errors == []


def test_another_program_is_refused(stage: Stage) -> None:
    master = stage.master("holds")
    stage.slave(fingerprint=bytes(32))
    wait_for(lambda: stage.errors)
    stage.real_slave()
    assert stage.finish(master) == "1 3\n"
    assert [type(error) for error in stage.errors] == [Refused]
    assert "built from another program" in str(stage.errors[0])


def test_times(stage: Stage) -> None:
    """A master that writes a trace hears when the jobs ran."""
    trace = stage.directory / "trace.json"
    master = stage.master("nested", "--trace", trace)
    stage.slave()
    assert stage.finish(master) == stage.local("nested")
    assert trace.read_text().count('"name":"fib') > 0


def test_a_result_of_another_type(stage: Stage) -> None:
    """The job that asked for it fails; the slave stays."""
    master = stage.master("holds")
    stage.slave(1, results={"held": LONG})
    _, err = master.communicate(timeout=TIME_S)
    assert (master.returncode, b"error: bad result" in err) == (1, True)


@pytest.mark.parametrize("rest", [b"", b"\0"])
def test_a_release_that_does_not_fit_its_kind(stage: Stage, rest: bytes) -> None:
    """Its numbers are right, what follows is no number."""
    def starts(task: Task, n: int) -> int:
        child = task.start("add", n, 0)
        result = task.get(child)
        with task.slave.lock:
            task.slave.control(Kind.RELEASE, child.number.to_bytes(4, "little") + rest)
            del task.slave.children[child.number]
        if rest:
            task.cancelled.wait(TIME_S)
        assert isinstance(result, int)
        return result

    master = stage.master("holds")
    stage.slave(1, {"held": starts})
    if rest:
        wait_for(lambda: stage.errors)
        stage.real_slave()
    assert stage.finish(master) == "1 3\n"
    assert len(stage.errors) == len(rest)


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody else gets while it is held; the master listens on it as well."""
    with socket.socket() as held_port:
        held_port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held_port.bind(("127.0.0.1", 0))
        yield held_port.getsockname()[1]


@pytest.mark.parametrize("with_key", [False, True], ids=["insecure", "key"])
def test_tcp(stage: Stage, with_key: bool) -> None:
    options: list[object] = ["--insecure"]
    key = None
    if with_key:
        pytest.importorskip("nacl", reason="there is no PyNaCl to encrypt with")
        need_encryption()
        key = bytes(range(32))
        file = stage.directory / "key"
        file.write_text(key.hex() + "\n")
        file.chmod(0o600)
        options = ["--key-file", file]
    with free_port() as port:
        stage.address = f"127.0.0.1:{port}"
        master = stage.master("values", "--listen", stage.address, *options)
        stage.slave(key=key)
        out = stage.finish(master)
    assert out == stage.local("values")


@pytest.mark.parametrize(
    ("kind", "value"),
    [(INT, 1 << 31), (INT, True), (BOOL, 1), (CHAR, b"ab"), (STRING, "text"), (Vector(INT), [1, "a"]), (VOID, 0)],
)
def test_values_that_do_not_fit(kind: object, value: object) -> None:
    with pytest.raises(BadValue):
        encode(kind, value)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"\2", b"\1\0"])
def test_bytes_that_do_not_fit(data: bytes) -> None:
    with pytest.raises(BadValue):
        decode(BOOL, data)
