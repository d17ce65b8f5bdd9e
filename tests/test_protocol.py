"""docs/protocol.md is true: its bytes are the codec's, and a slave that knows nothing but the page can work."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import cffi
import pytest

from ms.toolchain import find_compiler

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "runtime" / "c"
PAGE = (ROOT / "docs" / "protocol.md").read_text()

DECLARATIONS = """
typedef struct { uint8_t *data; size_t size; size_t capacity; } ms_bytes;
typedef struct { int32_t ordinal; uint32_t jid; uint32_t length; } ms_header;
typedef struct { uint8_t fingerprint[32]; uint32_t slots, pid; uint8_t identity[16], session[16];
    char host[256], target[256]; } ms_hello;
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
    options = ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I", RUNTIME / "include", "-I", RUNTIME]
    subprocess.run([*find_compiler().command, *options, *sources, "-o", library], check=True)
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
    assert lib.ms_hello_decode(hello, payload, len(payload) - 1) != 0


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


def test_times() -> None:
    """The page's bytes have the layout that test_trace speaks with a real master."""
    assert struct.unpack("<IIQQQQ", known("bytes timed")) == (7, 1, 1000, 5000, 2000, 4000)


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, "the master closed the connection"
        data += piece
    return data


def receive_frame(connection: socket.socket) -> tuple[int, int, bytes, bytes]:
    """Ordinal, jid or kind, header, payload."""
    header = receive(connection, 12)
    ordinal, jid, length = struct.unpack("<iII", header)
    return ordinal, jid, header, receive(connection, length)


def test_a_slave_made_from_the_page(tmp_path: Path) -> None:
    (tmp_path / "prog.ms").write_text(block("ms dialogue"))
    subprocess.run([sys.executable, "-m", "ms", "prog.ms", "-o", "prog"], cwd=tmp_path, check=True)
    fingerprint = fingerprint_of(tmp_path / "prog.ms")
    master = subprocess.Popen(
        [tmp_path / "prog-master", "--listen", f"unix:{tmp_path}/s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        connection = connect(f"{tmp_path}/s", master)
        hello = b"M/s!" + struct.pack("<I", 2) + fingerprint + struct.pack("<II", 1, 1) + bytes(32)
        hello += struct.pack("<I", 4) + b"here" + struct.pack("<I", 3) + b"any"
        connection.sendall(struct.pack("<iII", 0, 1, len(hello)) + hello)
        ordinal, kind, _, _ = receive_frame(connection)
        assert (ordinal, kind) == (0, 2)
        ordinal, jid, header, payload = receive_frame(connection)
        while ordinal == 0:
            assert kind_is_ping(jid)
            connection.sendall(struct.pack("<iII", 0, 5, len(payload)) + payload)
            ordinal, jid, header, payload = receive_frame(connection)
        assert matches(header + payload, pattern("bytes request"))
        answer = bytearray(0 if byte is None else byte for byte in pattern("bytes response"))
        answer[4:8] = header[4:8]
        connection.sendall(answer)
        ordinal, kind, _, payload = receive_frame(connection)
        while kind_is_ping(kind):
            ordinal, kind, _, payload = receive_frame(connection)
        assert (ordinal, kind, payload) == (0, 9, b"")
        connection.close()
        output, errors = master.communicate(timeout=30)
        assert (output, errors, master.returncode) == (b"10\n", b"", 0)
    finally:
        master.kill()
        master.wait()


def kind_is_ping(kind: int) -> bool:
    return kind == 4


def connect(path: str, master: subprocess.Popen[bytes]) -> socket.socket:
    """Connects as soon as the master listens."""
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        try:
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            assert master.poll() is None, "the master ended"


def fingerprint_of(source: Path) -> bytes:
    from ms.checker import check
    from ms.diagnostics import Diagnostics
    from ms.parser import parse
    from ms.source import SourceFile
    from ms.typed_text import fingerprint

    diagnostics = Diagnostics()
    program = check(parse(SourceFile("prog.ms", source.read_bytes()), diagnostics), diagnostics)
    assert program is not None
    return fingerprint(program)
