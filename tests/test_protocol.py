"""docs/protocol.md is true: its bytes are the codec's, and those of a slave that was written from the page."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import cffi
import pytest
import python_slave
from c_tools import build_library
from program_compiler import compile_program, fingerprint_of
from python_slave import Job, PlainPeer, Slave, Task
from python_values import INT, LONG, STRING, Struct, Vector

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "runtime" / "c"
PAGE = (ROOT / "docs" / "protocol.md").read_text()

DECLARATIONS = """
typedef struct { uint8_t *data; size_t size; size_t capacity; } ms_bytes;
typedef struct { int32_t ordinal; uint32_t jid; uint32_t length; } ms_header;
typedef struct { uint8_t fingerprint[32]; uint32_t slots, pid; uint8_t identity[16], session[16];
    char host[256], target[256]; uint64_t blobs_max; } ms_hello;
typedef struct { uint32_t heartbeat_ms; uint32_t payload_max; uint8_t session[16]; } ms_welcome;
typedef struct { const char *message; uint32_t message_size; const char *story; uint32_t story_size; } ms_failure_view;
ms_header ms_header_decode(const uint8_t *bytes);
int ms_hello_decode(ms_hello *hello, const uint8_t *payload, size_t size);
int ms_welcome_decode(ms_welcome *welcome, const uint8_t *payload, size_t size);
int ms_failure_decode(ms_failure_view *view, const uint8_t *payload, size_t size);
"""


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, kind
    return found[1]


def pattern(kind: str) -> list[int | None]:
    """The bytes of a block; None where any byte may stand."""
    return [None if word == ".." else int(word, 16) for word in block(kind).split()]


def known(kind: str) -> bytes:
    return bytes(byte for byte in pattern(kind) if byte is not None)


def matches(data: bytes, wanted: list[int | None]) -> bool:
    return len(data) == len(wanted) and all(w is None or w == b for b, w in zip(data, wanted, strict=True))


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The codec as a library: (ffi, lib)."""
    library = tmp_path_factory.mktemp("wire") / "wire.so"
    sources = [RUNTIME / "core" / "wire.c", RUNTIME / "core" / "bytes.c"]
    build_library(library, sources)
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS)
    return ffi, ffi.dlopen(str(library))


def test_headers(wire: tuple[Any, Any]) -> None:
    _, lib = wire
    lines = block("bytes header").splitlines()
    assert len(lines) == 3
    for line in lines:
        words = line.split()
        header = lib.ms_header_decode(bytes(int(word, 16) for word in words[:12]))
        said = f"ordinal {header.ordinal}, jid {header.jid}, length {header.length}"
        assert said == " ".join(words[12:])


def test_hello(wire: tuple[Any, Any]) -> None:
    ffi, lib = wire
    hello = ffi.new("ms_hello *")
    payload = known("bytes hello")
    assert lib.ms_hello_decode(hello, payload, len(payload)) == 0
    assert (hello.slots, hello.pid) == (2, 259)
    assert (ffi.string(hello.host), ffi.string(hello.target)) == (b"node", b"x86_64")
    assert bytes(hello.fingerprint) == b"\xaa" * 32
    assert (bytes(hello.identity), bytes(hello.session)) == (b"\xbb" * 16, bytes(16))
    assert hello.blobs_max == 256 << 20
    assert lib.ms_hello_decode(hello, payload, len(payload) - 1) != 0
    assert lib.ms_hello_decode(hello, payload, len(payload) - 8) == 0
    assert hello.blobs_max == 0


def test_welcome(wire: tuple[Any, Any]) -> None:
    ffi, lib = wire
    welcome = ffi.new("ms_welcome *")
    payload = known("bytes welcome")
    assert lib.ms_welcome_decode(welcome, payload, len(payload)) == 0
    assert (welcome.heartbeat_ms, welcome.payload_max) == (2000, 1 << 30)
    assert bytes(welcome.session) == b"\xcc" * 16


def test_failure(wire: tuple[Any, Any]) -> None:
    ffi, lib = wire
    view = ffi.new("ms_failure_view *")
    payload = known("bytes failure")
    held = ffi.from_buffer(payload)
    assert lib.ms_failure_decode(view, held, len(payload)) == 0
    assert ffi.unpack(view.message, view.message_size) == b"division by zero"
    assert ffi.unpack(view.story, view.story_size) == b"prog.ms:8:16 in area: division by zero"


def test_recall() -> None:
    """As test_recall speaks it with real processes."""
    recall, recalled = known("bytes recall")[:20], known("bytes recall")[20:]
    assert struct.unpack("<iIIII", recall) == (0, 7, 8, 9, 8)
    assert struct.unpack("<iIII", recalled) == (0, 8, 4, 9)


def test_offer() -> None:
    """As test_return speaks it with real processes."""
    offer, taken = known("bytes offer")[:28], known("bytes offer")[28:]
    assert struct.unpack("<iIIIIII", offer) == (0, 19, 16, 1, 5, 9, 12)
    assert struct.unpack("<iIIII", taken) == (0, 19, 8, 5, 12)


def test_blobs() -> None:
    """As test_blobs and test_python_slave speak it with real processes."""
    payload = known("bytes blobs")
    assert struct.unpack_from("<iII3I", payload) == (0, 16, 12, 2, 10, 20)
    assert struct.unpack_from("<iII5I2i", payload, 24) == (0, 17, 28, 7, 2, 1, 4, 1, 5, 6)
    assert struct.unpack_from("<iIII", payload, 64) == (0, 18, 4, 1)
    assert len(payload) == 80


def test_spawn_and_result() -> None:
    """The page's bytes have the layout that test_nested_jobs speaks with a real master."""
    payload = known("bytes spawn")
    assert struct.unpack_from("<7I", payload) == (9, 5, 2, 0, 1, 4, 3)
    assert payload[28:] == struct.pack("<i", 42)
    payload = known("bytes result")
    assert struct.unpack_from("<3I", payload) == (5, 2, 6)
    assert payload[12:] == b"node:9" + struct.pack("<I", 5) + b"wrong" + b"wrong"


def test_crashed() -> None:
    """As above; test_isolation speaks it."""
    assert known("bytes crashed") == struct.pack("<I", 9) + b"SIGSEGV"


def test_took() -> None:
    """As above; test_took speaks it."""
    assert known("bytes took") == struct.pack("<IIQ", 1, 256, 40_000)


def test_times() -> None:
    """The page's bytes have the layout that test_trace speaks with a real master."""
    assert struct.unpack("<IIQQQQ", known("bytes timed")) == (7, 1, 1000, 5000, 2000, 4000)


class Recorder(PlainPeer):
    """Writes down the jobs that come, and what is answered."""

    jobs: ClassVar[list[bytes]] = []
    answers: ClassVar[list[bytes]] = []

    def send(self, ordinal: int, jid: int, payload: bytes = b"") -> None:
        if ordinal != 0:
            self.answers.append(struct.pack("<iII", ordinal, jid, len(payload)) + payload)
        super().send(ordinal, jid, payload)

    def receive(self) -> tuple[int, int, bytes]:
        ordinal, jid, payload = super().receive()
        if ordinal != 0:
            self.jobs.append(struct.pack("<iII", ordinal, jid, len(payload)) + payload)
        return ordinal, jid, payload


def weigh(_: Task, n: int, s: bytes, v: list[int], p: dict[str, object]) -> int:
    a, b = p["a"], p["b"]
    assert isinstance(a, int)
    assert isinstance(b, bytes)
    return n + len(s) + sum(v) + a + len(b)


def test_the_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """test_python_slave has the others that the page's slave can hold."""
    (tmp_path / "prog.ms").write_text(block("ms dialogue"))
    programs = compile_program(tmp_path / "prog.ms", tmp_path / "prog")
    assert programs.status == 0, programs.shown + programs.text
    monkeypatch.setattr(python_slave, "PlainPeer", Recorder)
    pair = Struct((("a", INT), ("b", STRING)))
    job = Job("weigh", (INT, STRING, Vector(LONG), pair), LONG, weigh)
    command = [programs.master, "--listen", f"unix:{tmp_path}/s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as master:
        try:
            Slave(f"{tmp_path}/s", fingerprint_of(tmp_path / "prog.ms"), [job]).run()
            output, errors = master.communicate(timeout=30)
        finally:
            master.kill()
    assert (output, errors, master.returncode) == (b"10\n", b"", 0)
    assert [matches(frame, pattern("bytes request")) for frame in Recorder.jobs] == [True]
    assert [matches(frame, pattern("bytes response")) for frame in Recorder.answers] == [True]
    assert Recorder.jobs[0][4:8] == Recorder.answers[0][4:8]
