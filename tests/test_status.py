"""--status: what it says is what was run, and nobody who asks badly gets in the way of the run."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program_compiler import Compiled
from watching import Process, Stage, compiled, exchange, get, status_address, understand, wait_for

PROGRAM = """
job int quick(int i) { return i; }
job int bad(int i) { vector<int> v; return v[i]; }
job int add(int a, int b) { return a + b; }
job int hang(string path) {
    while (!file_exists(path)) sleep(0.01);
    return 1;
}
job int idle(int i) { sleep(1000.0); return i; }
job int parent(string path) { return get(remote hang(path)); }

master {
    string gate = args()[0];
    vector<job<int>> quicks;
    for (int i in 0..20) quicks :: remote quick(i);
    job<int> wrong = remote bad(3);
    for (job<int> j in quicks) wait(j);
    wait(wrong);
    job<int> useless = remote idle(1);
    wait(useless, 0.001);
    cancel(useless);
    job<int> stuck = remote parent(gate);
    job<int> after = remote add(stuck, quicks[3]);
    vector<job<int>> rest;
    for (int i in 0..150) rest :: remote hang(gate);
    print(get(after));
    long total = 0L;
    for (job<int> j in rest) total += get(j);
    print(total);
}
"""
PRINTED = "4\n150\n"
GET_LINE = 1 + PROGRAM.splitlines().index("    print(get(after));")
STARTED = 20 + 1 + 1 + 2 + 1 + 150


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(tmp_path_factory.mktemp("status"), PROGRAM)


@pytest.fixture
def stage(programs: Compiled, tmp_path: Path) -> Iterator[Stage]:
    with Stage(programs, tmp_path) as stage:
        yield stage


def gate(stage: Stage) -> Path:
    return stage.directory / "gate"


def begin(stage: Stage, *options: str) -> tuple[Process, tuple[str, int]]:
    master = stage.master("--status", "127.0.0.1:0", *options, words=(str(gate(stage)),))
    return master, status_address(master)


def look(address: tuple[str, int] | str) -> dict[str, Any]:
    answer = get(address, "/status.json")
    assert (answer.status, answer.fields["content-type"]) == (200, "application/json")
    found: dict[str, Any] = json.loads(answer.body)
    return found


def is_stuck(status: dict[str, Any]) -> bool:
    """Everything is started, and the parent waits for its job, which runs."""
    states = {row["function"]: row["state"] for row in status["sent"]}
    return (
        status["jobs"]["submitted"] == STARTED
        and status["jobs"]["running"] == 3
        and states == {"parent": "waiting for its own jobs", "hang": "running"}
    )


def stuck(stage: Stage) -> tuple[Process, tuple[str, int], dict[str, Any]]:
    master, address = begin(stage)
    stage.slave("-j", "2")
    return master, address, wait_for(lambda: (s := look(address)) and is_stuck(s) and s)


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\})? (-?[0-9.e+-]+)')


def metrics(text: str) -> dict[str, float]:
    """The text format, strictly: HELP, TYPE and the samples of one metric after the other, each sample once."""
    found: dict[str, float] = {}
    family, kind, seen = "", "", set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in seen, "a metric stands in one place"
            seen.add(family)
            kind = ""
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family
            assert kind in ("counter", "gauge", "summary")
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample is not None, line
        assert kind, "TYPE comes before the samples"
        assert sample[1] in ([f"{family}_sum", f"{family}_count"] if kind == "summary" else [family])
        assert (kind == "counter") == family.endswith("_total")
        key = f"{sample[1]}{{{sample[2]}}}" if sample[2] else sample[1]
        assert key not in found
        found[key] = float(sample[3])
    return found


def test_a_stuck_run_says_what_it_waits_for(stage: Stage) -> None:
    master, address, status = stuck(stage)
    jobs = {row["function"]: row for row in status["sent"] if row["function"] == "parent"}
    parent = jobs["parent"]
    assert parent["slave"] == status["slaves"][0]["name"]
    assert parent["attempt"] == 1
    assert [row["function"] for row in parent["waits_for_jobs"]] == ["hang"]
    (waiting,) = status["waiting"]
    assert (waiting["function"], waiting["waits_for_jobs"]) == ("add", [{"job": parent["job"], "function": "parent"}])
    doing = status["master"]["doing"]
    place = f"at prog.ms:{GET_LINE} in master"
    assert re.fullmatch(rf"waits in get for job {waiting['job']} since \d+\.\d s, {place}", doing)
    assert {row["waits_for"] for row in status["pending"]} == {"a free slot"}
    page = get(address, "/").body
    assert f"the program waits in get for job {waiting['job']} since" in page
    row = rf"job {parent['job']} parent, waiting for its own jobs on \S+ since \d+\.\d s, attempt 1: waits for job"
    assert re.search(row, page)
    gate(stage).touch()
    assert stage.end(master)[0] == PRINTED


def test_the_counts_are_those_of_the_run(stage: Stage) -> None:
    master, _, status = stuck(stage)
    functions = {row["name"]: row for row in status["functions"]}
    assert [functions["quick"][key] for key in ("started", "finished", "failed", "runs")] == [20, 20, 0, 20]
    assert [functions["bad"][key] for key in ("started", "finished", "failed", "runs")] == [1, 0, 1, 1]
    assert [functions["hang"][key] for key in ("started", "finished", "cancelled")] == [151, 0, 0]
    assert [functions["idle"][key] for key in ("started", "finished", "cancelled")] == [1, 0, 1]
    assert 0 <= functions["quick"]["mean_s"] <= functions["quick"]["max_s"] < 10
    jobs = status["jobs"]
    assert (jobs["finished"], jobs["failed"], jobs["cancelled"], jobs["waiting"]) == (20, 1, 1, 1)
    in_places = [jobs[name] for name in ("waiting", "pending", "running", "finished", "failed", "cancelled")]
    assert sum(in_places) == jobs["submitted"] == STARTED
    assert len(status["pending"]) == 100
    assert status["pending_left_out"] == jobs["pending"] - 100
    (slave,) = status["slaves"]
    assert (slave["slots"], slave["running"], slave["queued"], slave["lent"]) == (2, 2, 0, 1)
    assert slave["bytes_to"] > 0
    assert slave["bytes_from"] > 0
    assert status["master"]["program"] == "prog"
    assert status["master"]["pid"] == master.pid
    assert status["master"]["addresses"] == [f"unix:{stage.directory}/s"]
    gate(stage).touch()
    stage.end(master)


def test_prometheus(stage: Stage) -> None:
    master, address, _ = stuck(stage)
    answer = get(address, "/metrics")
    assert answer.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = metrics(answer.body)
    assert found["ms_jobs_submitted_total"] == STARTED
    assert found["ms_jobs_finished_total"] == 20
    assert found["ms_jobs_running"] == 3
    assert found["ms_slaves"] == 1
    assert found["ms_slots"] == 2
    assert found['ms_function_jobs_total{function="bad",end="failed"}'] == 1
    assert found['ms_run_seconds_count{function="quick"}'] == 20
    assert found["ms_program_waiting_seconds"] > 0
    assert len([name for name in found if name.startswith("ms_slave_running{")]) == 1
    gate(stage).touch()
    stage.end(master)


def test_without_slaves(stage: Stage) -> None:
    master, address = begin(stage)
    status = wait_for(lambda: (s := look(address)) and s["jobs"]["pending"] == 21 and s)
    assert {row["waits_for"] for row in status["pending"]} == {"a slave"}
    assert status["slaves"] == []
    assert metrics(get(address, "/metrics").body)["ms_slaves"] == 0
    master.send_signal(signal.SIGTERM)
    stage.end(master, 128 + signal.SIGTERM)


def test_before_the_master_block(stage: Stage) -> None:
    master, address = begin(stage, "--min-slaves", "3")
    assert wait_for(lambda: look(address))["master"]["doing"] == "waits for 3 slaves to begin"
    master.send_signal(signal.SIGTERM)
    stage.end(master, 128 + signal.SIGTERM)


def test_a_unix_socket(stage: Stage) -> None:
    path = f"{stage.directory}/status"
    master = stage.master("--status", f"unix:{path}", words=(str(gate(stage)),))
    wait_for(lambda: os.path.exists(path))
    answer = understand(exchange(path, b"GET /status.json?all HTTP/1.1\r\nHost: anything\r\n\r\n"))
    assert json.loads(answer.body)["master"]["program"] == "prog"
    master.send_signal(signal.SIGTERM)
    _, errors = stage.end(master, 128 + signal.SIGTERM)
    assert f"prog-master: status at unix:{path}\n" in errors
    assert not os.path.exists(path)


LONG = b"GET /" + b"x" * 20_000
REQUESTS = [
    (b"GET / HTTP/1.0\r\n\r\n", 200),
    (b"GET / HTTP/1.0\n\n", 200),
    (b"GET /?a=b HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", 200),
    (b"GET / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n", 200),
    (b"HEAD / HTTP/1.0\r\n\r\n", 200),
    (b"GET /status.jsonx HTTP/1.0\r\n\r\n", 404),
    (b"GET /../etc/passwd HTTP/1.0\r\n\r\n", 404),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 403),
    (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost\r\n\r\n", 400),
    (b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 405),
    (b"DELETE /metrics HTTP/1.0\r\n\r\n", 405),
    (b"get / HTTP/1.0\r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"GET  / HTTP/1.0\r\n\r\n", 400),
    (b"GET http://localhost/ HTTP/1.0\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
    (b"GET / HTTP/1.0 more\r\n\r\n", 400),
    (b"\r\n\r\n", 400),
    (b"\x00\x01\x02\xff\r\n\r\n", 400),
    (b"GET /\x00 HTTP/1.0\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\n\n", 400),
    (LONG, 431),
]


def test_requests_of_all_kinds(stage: Stage) -> None:
    master, address, _ = stuck(stage)
    for request, status in REQUESTS:
        answer = understand(exchange(address, request))
        assert answer.status == status, request
        assert (answer.body == "") == request.startswith(b"HEAD"), request
        assert answer.fields["connection"] == "close"
        assert ("allow" in answer.fields) == (status == 405)
    for path in ("/", "/status.json", "/metrics"):
        head = get(address, path, "HEAD")
        assert int(head.fields["content-length"]) > 100
    gate(stage).touch()
    assert stage.end(master)[0] == PRINTED


def connected(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=60)


def test_clients_that_are_slow_or_many(stage: Stage) -> None:
    master, address, _ = stuck(stage)
    crowd = [connected(address) for _ in range(40)]
    for connection in crowd:
        connection.settimeout(60)
    closed = [connection for connection in crowd[32:] if connection.recv(1) == b""]
    assert len(closed) == 8, "no more than so many at once"
    crowd[0].sendall(b"GET / HT")
    crowd[1].close()
    crowd[2].sendall(b"GET / HTTP/1.0\r\n\r\n")
    crowd[2].close()
    crowd[3].shutdown(socket.SHUT_WR)
    assert crowd[3].recv(1) == b""
    began = time.monotonic()
    assert crowd[0].recv(1) == b"", "who does not finish his request is cut off"
    assert time.monotonic() - began < 30
    for connection in crowd[4:32]:
        assert connection.recv(1) == b""
    for connection in crowd:
        connection.close()
    assert look(address)["jobs"]["submitted"] == STARTED
    gate(stage).touch()
    assert stage.end(master)[0] == PRINTED


def test_garbage(stage: Stage) -> None:
    master, address, _ = stuck(stage)
    for seed in range(200):
        garbage = bytes((seed * 31 + i * i * 7 + (i >> 3)) & 255 for i in range(seed * 5))
        with connected(address) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                continue
    assert look(address)["jobs"]["submitted"] == STARTED
    gate(stage).touch()
    assert stage.end(master)[0] == PRINTED


def test_addresses_and_options(stage: Stage) -> None:
    _, errors = stage.end(stage.master("--status", "nowhere"), 2)
    assert "--status" in errors
    _, errors = stage.end(stage.master("--status", "0.0.0.0:0"), 2)
    assert "--insecure" in errors
    _, errors = stage.end(stage.master("--status", "127.0.0.1:0", "--local"), 2)
    assert errors == "prog-master: --status needs slaves to show, --local has none\n"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        _, errors = stage.end(stage.master("--status", f"127.0.0.1:{taken.getsockname()[1]}"), 1)
        assert "Address already in use" in errors
    assert not (stage.directory / "s").exists()
