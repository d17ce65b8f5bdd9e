"""One test for each row of the table "When things break" in docs/running.md, with real faults on real processes.

Every program prints what it prints without slaves (--local), whatever is done to it. Tests wait for work to go on
(`let_work`) or for words in a log; the heartbeat is short. `tests/faults/campaign.py` does the same things at random;
what slaves must survive that break the rules stands in test_hostile.py.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from c_tools import need_encryption
from c_warnings import can_sanitize
from faults import campaign
from faults.cluster import Cluster, Ended, Member
from faults.enemy import hello_of
from faults.machine import host, limited, small_disk
from faults.programs import compiled
from faults.proxy import Fault, Kind, Proxy
from program_compiler import Compiled

ROOT = Path(__file__).resolve().parent.parent
NO_WORD = "lost (no word for 0.6 s)"  # three heartbeats


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def cluster(programs: Compiled, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(programs, tmp_path) as cluster:
        yield cluster
        print(cluster.story())  # is shown when the test has failed


def assert_as_local(cluster: Cluster) -> Ended:
    """The program ends, having printed what it prints without slaves."""
    ended = cluster.finish()
    assert (ended.status, ended.out) == (0, cluster.local())
    return ended


def assert_gone(*members: Member, status: int = 0) -> None:
    assert [member.wait().status for member in members] == [status] * len(members)


def key_file(directory: Path) -> Path:
    path = directory / "key"
    if not path.exists():
        subprocess.run([sys.executable, "-m", "ms", "key", path], cwd=ROOT, check=True)
    return path


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


# ---- A slave dies, is unplugged, stops, or its host vanishes without a word


def test_a_slave_dies(cluster: Cluster) -> None:
    cluster.start_master()
    victim, other = cluster.start_slave(), cluster.start_slave()
    for _ in range(3):
        cluster.let_work()
        victim.kill()
        victim = cluster.start_slave()
    cluster.let_work()
    assert cluster.members[0].log().count(" lost (") == 3
    assert_as_local(cluster)
    assert_gone(other)


def test_a_slave_stops(cluster: Cluster) -> None:
    master = cluster.start_master()
    victim, other = cluster.start_slave(), cluster.start_slave()
    cluster.let_work()
    victim.stop()
    cluster.wait_until(lambda: master.says(NO_WORD), "the stopped slave is lost")
    cluster.let_work()
    victim.go_on()
    cluster.let_work()
    assert_as_local(cluster)
    assert_gone(other)


def test_a_slave_is_unplugged(cluster: Cluster) -> None:
    """Each slave on a machine of its own; the cable of one is pulled, and later put in again."""
    need_encryption()
    key = key_file(cluster.directory)
    with host(0) as first, host(1) as second:
        port = free_port(first.ours)
        listen = ["--listen", f"{first.ours}:{port}", "--listen", f"{second.ours}:{port}", "--key-file", str(key)]
        master = cluster.start_master(*listen)
        victim = cluster.start_slave("--key-file", str(key), address=f"{first.ours}:{port}", inside=first.inside)
        other = cluster.start_slave("--key-file", str(key), address=f"{second.ours}:{port}", inside=second.inside)
        cluster.let_work()
        first.unplug()
        cluster.wait_until(lambda: master.says(NO_WORD), "the unplugged slave is lost")
        cluster.let_work()
        first.plug_in()
        cluster.let_work()
        assert_as_local(cluster)
        assert_gone(other)
        victim.kill()


def test_a_host_vanishes(cluster: Cluster) -> None:
    """The connection stays open and nothing comes over it: half-open, as after a power cut."""
    master = cluster.start_master()
    with Proxy(cluster.address, f"unix:{cluster.directory}/p") as proxy:
        victim, other = cluster.start_slave(address=proxy.address), cluster.start_slave()
        cluster.let_work()
        proxy.silence()
        cluster.wait_until(lambda: master.says(NO_WORD), "the silent slave is lost")
        cluster.let_work()
        assert_as_local(cluster)
        assert_gone(other)
        victim.kill()


# ---- A result and the loss of its slave cross


@pytest.mark.parametrize("kind", [Kind.CUT_BEFORE, Kind.CUT_INSIDE, Kind.CUT_BEHIND, Kind.SILENCE])
def test_a_result_and_a_loss_cross(kind: Kind, cluster: Cluster) -> None:
    """The connection goes in front of an answer, inside it, and right behind it; at another one each time."""
    cluster.start_master("--lost-max", "100")
    faults = {number: Fault(kind, True, 1 + 3 * number, 0.4) for number in range(4)}
    with Proxy(cluster.address, f"unix:{cluster.directory}/p", lambda n: [faults[n]] if n in faults else []) as proxy:
        for number in range(4):
            cluster.start_slave("--once", address=proxy.address)
            cluster.wait_until(lambda wanted=number + 1: len(proxy.done) >= wanted, "the fault")  # type: ignore[misc]
        cluster.start_slave()
        cluster.let_work()
        assert_as_local(cluster)


# ---- The same job kills 3 slaves

DEADLY = """
job int deadly(int n) {
    print(exec(["sh", "-c", "kill -9 $PPID"], "")->code);
    return n;
}
job int harmless(int n) { sleep(0.002); return n * n; }
master {
    vector<job<int>> others;
    for (int i in 0..40) others :: remote harmless(i);
    job<int> j = remote deadly(1);
    print(wait(j), error(j));
    print(sum(get(others)));
}
"""


def test_a_job_that_kills_three_slaves(tmp_path: Path) -> None:
    with Cluster(compiled(tmp_path, DEADLY, "deadly"), tmp_path) as cluster:
        master = cluster.start_master("--min-slaves", "4")
        slaves = [cluster.start_slave() for _ in range(4)]
        ended = master.wait()
        assert (ended.status, ended.out) == (0, "failed lost 3 slaves\n20540\n")
        assert sorted(slave.wait().status for slave in slaves) == [-signal.SIGKILL] * 3 + [0]


# ---- A slave joins late, leaves in good order, comes back


def test_a_slave_comes_and_goes(cluster: Cluster) -> None:
    master = cluster.start_master()
    first = cluster.start_slave()
    cluster.let_work()
    late = cluster.start_slave()
    cluster.let_work()
    first.process.terminate()
    assert first.wait() == Ended(0, "", "")
    cluster.let_work()
    back = cluster.start_slave()
    late.process.terminate()
    assert late.wait() == Ended(0, "", "")
    cluster.let_work()
    assert " lost (" not in master.log()
    assert_as_local(cluster)
    assert_gone(back)


def test_a_slave_comes_back(cluster: Cluster) -> None:
    """Its connection goes three times; the process stays, and works again."""
    cluster.start_master()
    with Proxy(cluster.address, f"unix:{cluster.directory}/p") as proxy:
        slave = cluster.start_slave(address=proxy.address)
        for number in range(1, 4):
            cluster.let_work(1)
            proxy.cut()
            cluster.wait_until(lambda wanted=number: len(proxy.links) > wanted, "it comes back")  # type: ignore[misc]
        cluster.let_work(1)
        assert_as_local(cluster)
        assert_gone(slave)


def test_slaves_that_went_before_they_were_let_in(cluster: Cluster) -> None:
    """The master was away when they came and went: no job has been there, so none has lost them."""
    master = cluster.start_master()
    cluster.start_slave()
    cluster.let_work(1)
    hello = hello_of(cluster.programs.slave, cluster.directory)
    master.stop()
    for _ in range(9):
        with socket.socket(socket.AF_UNIX) as ghost:
            ghost.connect(cluster.address.removeprefix("unix:"))
            ghost.sendall(hello)
    master.go_on()
    cluster.let_work()
    assert_as_local(cluster)
    assert "failed" not in master.log()
    assert "it closed the connection" not in master.log()


# ---- No slave at all


def test_no_slave_at_all(cluster: Cluster) -> None:
    master = cluster.start_master()
    said = "no slave for 5 s; start one with: waves-slave "
    cluster.wait_until(lambda: master.says(said), "it says what to start")
    slave = cluster.start_slave()
    cluster.let_work()
    assert_as_local(cluster)
    assert_gone(slave)


# ---- The disk is full, the descriptors run out, memory runs out


def test_a_full_disk(cluster: Cluster) -> None:
    """Standard output on a disk that has no room for it, while slaves are there."""
    with small_disk(cluster.directory, 64 << 10) as disk:
        (disk / "ballast").write_bytes(bytes(60 << 10))
        master = cluster.start_master(out=disk / "out")
        slave = cluster.start_slave()
        cluster.let_work()
        with (disk / "rest").open("wb") as rest:
            while True:
                try:
                    os.write(rest.fileno(), bytes(1024))
                except OSError:
                    break
        ended = cluster.finish()
        assert (ended.status, ended.out) == (1, "")
        assert master.says("cannot write standard output: No space left on device")
        assert_gone(slave)


WRITER = """
string blanks(int n) {
    string s;
    for (int i in 0..n) s :: ' ';
    return s;
}
job int keep(int n) {
    write_file("disk/part" + str(n), blanks(40000));
    return n;
}
master {
    vector<job<int>> js;
    for (int i in 0..4) js :: remote keep(i);
    int failures = 0;
    for (job<int> j in js) if (wait(j) == failed) {
        failures++;
        print(error(j));
    }
    print(failures);
}
"""


def test_a_job_on_a_full_disk(tmp_path: Path) -> None:
    """It fails with a message; the others, and their slave, go on."""
    programs = compiled(tmp_path, WRITER, "writer")
    with small_disk(tmp_path, 64 << 10), Cluster(programs, tmp_path) as cluster:
        master = cluster.start_master()
        slave = cluster.start_slave()
        ended = master.wait()
        lines = ended.out.splitlines()
        assert ended.status == 0
        assert lines[-1] == "3"
        assert all("No space left on device" in line for line in lines[:-1]), lines
        assert_gone(slave)


def test_no_descriptors(cluster: Cluster) -> None:
    """A master without a descriptor for another slave turns it away, says so, and takes it when one has gone."""
    master = cluster.start_master(before=partial(limited, resource.RLIMIT_NOFILE, 12))
    slaves = [cluster.start_slave() for _ in range(10)]
    cluster.wait_until(lambda: master.says("; raise it with ulimit -n)"), "it says so")
    cluster.let_work()
    for slave in slaves:
        slave.process.terminate()
        cluster.start_slave()
    cluster.let_work()
    assert_as_local(cluster)


MEMORY = """
vector<long> filled(int n) {
    vector<long> v;
    for (int i in 0..n) v :: long(i);
    return v;
}
job int hog(int megabytes) {
    vector<vector<long>> all;
    for (int i in 0..megabytes) all :: filled(131072);
    return size(all);
}
master {
    job<int> big = remote hog(4000);
    job<int> small = remote hog(1);
    print(wait(big), error(big), get(small));
}
"""


def test_no_memory(tmp_path: Path) -> None:
    """A slave whose machine has none: the job fails, the slave goes on."""
    with Cluster(compiled(tmp_path, MEMORY, "memory"), tmp_path) as cluster:
        master = cluster.start_master()
        slave = cluster.start_slave(before=partial(limited, resource.RLIMIT_AS, 250 << 20))
        ended = master.wait()
        assert (ended.status, ended.out) == (0, "failed out of memory 1\n")
        assert_gone(slave)


GATE = """
job int gate(vector<int> v) {
    while (!file_exists("go")) sleep(0.002);
    return v[7];
}
job int add(int a, int b) { return a + b; }
master {
    print("it begins");
    job<int> first = remote gate([1, 2, 3]);
    vector<job<int>> all;
    for (int i in 0..65537) all :: remote add(first, i);
    write_file("go", "");
    print(wait(all[65536]));
}
"""


def test_no_memory_at_the_master(tmp_path: Path) -> None:
    """Its program fails at the place where it starts jobs. With more memory all of them have been started when there is
    none to end them in: a limit for that is searched for. Whatever it is, nothing is left behind.
    """
    programs = compiled(tmp_path, GATE, "gate")
    too_low, too_high = 1 << 20, 1 << 30
    told = set()
    while too_high - too_low > 64 << 10:
        limit = (too_low + too_high) // 2
        directory = tmp_path / str(limit)
        directory.mkdir()
        with Cluster(programs, directory) as cluster:
            options = ["--min-slaves", "1", "--heartbeat", "10"]
            master = cluster.start_master(*options, before=partial(limited, resource.RLIMIT_DATA, limit))
            slave = cluster.start_slave()
            ended = master.wait()
            assert ended.status in (0, 1), cluster.story()
            assert not (directory / "s").exists()
            if ended.out:
                assert_gone(slave)
        at_its_place = re.match(r"gate\.ms:11:[0-9]+: error: out of memory\n", ended.err)
        in_vain = "gate-master: out of memory: no room for what is to be known of 65538 jobs\n"
        if ended.status == 0:
            assert (ended.out, ended.err) == ("it begins\nfailed\n", "")
            too_high = limit
        elif ended.err == in_vain:
            assert ended.out == "it begins\n"
            told.add("in vain")
            too_high = limit
        else:
            told.add("at its place" if at_its_place else "before")
            too_low = limit
    assert {"in vain", "at its place"} <= told, (told, limit, ended)


# ---- The master dies


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_the_master_dies(how: signal.Signals, cluster: Cluster) -> None:
    master = cluster.start_master("--min-slaves", "3")
    slaves = [cluster.start_slave("--connect-for", "1") for _ in range(3)]  # not --once: it may not listen yet
    cluster.let_work()
    master.process.send_signal(how)
    assert master.wait().status == (-how if how == signal.SIGKILL else 128 + how)
    assert_gone(*slaves, status=3 if how == signal.SIGKILL else 0)
    assert Path(f"{cluster.directory}/s").exists() == (how == signal.SIGKILL)


def test_the_master_stops(cluster: Cluster) -> None:
    """Over TCP nobody says that it is gone. A slave notices; it comes back when that goes on, or leaves at last."""
    cluster.address = f"127.0.0.1:{free_port()}"
    master = cluster.start_master("--insecure", "--min-slaves", "3")
    patient = cluster.start_slave("--insecure")
    others = [cluster.start_slave("--insecure", "--connect-for", "1"), cluster.start_slave("--insecure", "--once")]
    cluster.let_work()
    master.stop()
    gone = f"the master at {cluster.address} is gone: no word from it"
    cluster.wait_until(lambda: patient.says(f"{gone}; trying to find one for 20 s"), "it is missed")
    assert_gone(*others, status=3)
    assert all(other.says(gone) for other in others)
    assert patient.process.poll() is None
    master.go_on()
    cluster.wait_until(lambda: master.says(" is back, "), "the slave is back")
    cluster.let_work()
    assert_as_local(cluster)
    assert_gone(patient)


def test_a_new_master(cluster: Cluster) -> None:
    """The slaves of one that was killed wait for the next."""
    first = cluster.start_master()
    slaves = [cluster.start_slave(), cluster.start_slave()]
    cluster.let_work(1)
    first.kill()
    first.wait()
    cluster.start_master("--min-slaves", "2")
    cluster.let_work(1)
    assert_as_local(cluster)
    assert_gone(*slaves)


# ---- Bytes that are lost, late, repeated, cut, changed


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.SPLIT, Kind.CUT_BEFORE, Kind.CUT_INSIDE, Kind.CUT_BEHIND])
def test_bytes_that_come_late_or_in_part(kind: Kind, cluster: Cluster) -> None:
    """At the boundary of every one of the first frames, and inside, in both directions."""
    cluster.start_master("--lost-max", "100")
    faults = [Fault(kind, upwards, number, 0.3) for number in range(6) for upwards in (True, False)]

    def of(number: int) -> list[Fault]:
        return faults[number : number + 1]

    with Proxy(cluster.address, f"unix:{cluster.directory}/p", of) as proxy:
        for number in range(len(faults)):
            slave = cluster.start_slave("--once", address=proxy.address)
            cluster.wait_until(lambda wanted=number + 1: len(proxy.done) >= wanted, "the fault")  # type: ignore[misc]
            slave.kill()
        cluster.start_slave()
        cluster.let_work()
        assert_as_local(cluster)


@pytest.mark.parametrize("kind", [Kind.CORRUPT, Kind.LOSE, Kind.REPEAT, Kind.CUT_INSIDE])
def test_sealed_bytes_that_are_spoiled(kind: Kind, cluster: Cluster) -> None:
    """With a key nothing that is changed, left out or repeated goes unnoticed: the connection ends, jobs run again."""
    need_encryption()
    key = str(key_file(cluster.directory))
    port = free_port()
    master = cluster.start_master("--listen", f"127.0.0.1:{port}", "--key-file", key, "--lost-max", "100")
    first = 2 if kind is Kind.LOSE else 0  # a greeting that does not come has five seconds
    faults = [Fault(kind, upwards, first + n, 0.1 + 0.15 * n) for n in range(6) for upwards in (True, False)]

    def of(number: int) -> list[Fault]:
        return faults[number : number + 1]

    with Proxy(f"127.0.0.1:{port}", "127.0.0.1:0", of, sealed=True) as proxy:
        for number in range(len(faults)):
            slave = cluster.start_slave("--key-file", key, "--once", address=proxy.address)
            cluster.wait_until(lambda wanted=number + 1: len(proxy.done) >= wanted, "the fault")  # type: ignore[misc]
            cluster.wait_until(lambda at=number: is_over(proxy, at), f"{faults[number]} is noticed")  # type: ignore[misc]
            slave.kill()
        cluster.start_slave()
        cluster.let_work()
        assert_as_local(cluster)
    assert not re.search(r"wrong: ", master.log())


@pytest.mark.parametrize("upwards", [True, False])
def test_a_record_that_promises_more(upwards: bool, cluster: Cluster) -> None:
    """Its end never comes, however many pings and pongs do, so they are no sign of life."""
    need_encryption()
    key = str(key_file(cluster.directory))
    port = free_port()
    master = cluster.start_master("--listen", f"127.0.0.1:{port}", "--key-file", key)
    fault = Fault(Kind.PROMISE, upwards, 6)
    with Proxy(f"127.0.0.1:{port}", "127.0.0.1:0", lambda number: [fault], sealed=True) as proxy:
        cluster.start_slave("--key-file", key, "--once", address=proxy.address)
        cluster.wait_until(lambda: master.says(" lost ("), "the slave is lost")
    cluster.start_slave()
    cluster.let_work()
    assert_as_local(cluster)


def is_over(proxy: Proxy, number: int) -> bool:
    """Whether one of the two ends has ended the connection."""
    return proxy.links[number].ended.is_set()


def test_slow_bytes(cluster: Cluster) -> None:
    """A slave behind a line of 400 kB a second is slow, and not lost."""
    master = cluster.start_master("--heartbeat", "0.5")
    with Proxy(cluster.address, f"unix:{cluster.directory}/p", rate=400_000) as proxy:
        slave = cluster.start_slave(address=proxy.address)
        cluster.let_work(1)
        other = cluster.start_slave()
        assert_as_local(cluster)
        assert_gone(slave, other)
    assert " lost (" not in master.log()


# ---- All at once


@pytest.mark.parametrize(("sanitize", "minutes"), [("", 0.2), ("address,undefined", 0.1), ("thread", 0.1)])
def test_a_short_campaign(sanitize: str, minutes: float, capsys: pytest.CaptureFixture[str]) -> None:
    if sanitize and not can_sanitize(sanitize):
        pytest.skip(f"the C compiler has no sanitizer for {sanitize}")
    seed = int(os.environ.get("MS_FAULTS_SEED", "1"))
    status = campaign.run(minutes, seed, sanitize=sanitize)
    assert status == 0, capsys.readouterr().out
