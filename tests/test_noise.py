"""The bytes of docs/protocol.md's section on encryption: what the second implementation (secure_peer) makes of them,
what the runtime does, and the vector that implementations of Noise publish for this handshake.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cffi
import pytest
from c_tools import build_library, need_encryption
from test_protocol import known

from ms import toolchain

pytest.importorskip("nacl", reason="PyNaCl is not installed")

from secure_peer import AES, CHACHA, MESSAGE_SIZE, SEALS, Forged, Noise, Stream, nonce, preamble

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "runtime" / "c"
KEY, SLAVE_SECRET, MASTER_SECRET = bytes(range(32)), bytes(range(0x40, 0x60)), bytes(range(0x60, 0x80))

DECLARATIONS = """
typedef struct { bool known; uint8_t bytes[32]; } ms_key;
typedef struct { void *base; size_t size; } iovec;
typedef struct ms_secure ms_secure;
ms_secure *ms_secure_create(int role, const ms_key *key, const uint8_t *secret);
void ms_secure_destroy(ms_secure *secure);
const uint8_t *ms_secure_output(ms_secure *secure, size_t *size);
bool ms_secure_is_open(const ms_secure *secure);
uint8_t *ms_secure_room(ms_secure *secure, size_t *size);
void ms_secure_arrived(ms_secure *secure, size_t size);
size_t ms_secure_open(ms_secure *secure, uint8_t *bytes, size_t room);
const uint8_t *ms_secure_seal(ms_secure *secure, const iovec *parts, int part_count, size_t *size);
size_t ms_secure_sent(ms_secure *secure, size_t size);
bool ms_crypto_start(void);
uint32_t ms_crypto_ciphers(void);
"""
MASTER, SLAVE = 0, 1


def test_the_published_vector() -> None:
    key, prologue = b"This is my Austrian perspective!", b"John Galt"
    secrets = (
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    )
    slave, master = (Noise(key, not i, bytes.fromhex(text), prologue) for i, text in enumerate(secrets))
    first = slave.write(b"Ludwig von Mises")
    assert first.hex() == (
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
        "ed63df2f5a12aee1185ee9c50305f2ecf12421dcb53c047a63b784cf7c54a105"
    )
    assert master.read(first) == b"Ludwig von Mises"
    second = master.write(b"Murray Rothbard")
    assert second.hex() == (
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
        "0e0fe7d5c0c9b92f7478716c8852f1b4f389edb75e3ebe546fafafd5b6f0f7"
    )
    assert slave.read(second) == b"Murray Rothbard"
    assert slave.hash == master.hash
    there, back = slave.split()
    assert SEALS[CHACHA](b"F. A. Hayek", b"", nonce(0), there).hex() == (
        "0fe04b26dcfbb69f8a6a94c61f1a26ef88769218d32f5d17c068a6"
    )
    assert SEALS[CHACHA](b"Carl Menger", b"", nonce(0), back).hex() == (
        "2239e0c540c01f09eb1f4cc5258fd5acfefff18a5a3773f21b7bfe"
    )


def page_handshake(cipher: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Both messages and both keys, by the second implementation."""
    slave, master = Noise(KEY, True, SLAVE_SECRET), Noise(KEY, False, MASTER_SECRET)
    first = slave.write(struct.pack("<I", CHACHA | AES))
    assert master.read(first) == struct.pack("<I", CHACHA | AES)
    second = master.write(struct.pack("<I", cipher))
    assert slave.read(second) == struct.pack("<I", cipher)
    there, back = slave.split()
    assert (there, back) == master.split()
    return preamble() + first, preamble() + second, there, back


def test_the_page_by_the_second_implementation() -> None:
    first, second, there, back = page_handshake(AES)
    assert (first, second) == (known("bytes slave-message"), known("bytes master-message"))
    assert (there, back) == (known("bytes slave-key"), known("bytes master-key"))
    for kind, cipher, number in (("records", AES, 0), ("next-records", AES, 65535), ("chacha-records", CHACHA, 0)):
        stream = Stream(cipher, there, number)
        assert stream.seal(b"hello") + stream.seal(b"hello") == known(f"bytes {kind}")


def test_the_second_implementation_refuses() -> None:
    """A test of the test's own tools."""
    first, _, there, _ = page_handshake(AES)
    with pytest.raises(Forged):
        Noise(bytes(32), False, MASTER_SECRET).read(first[8:])
    records = known("bytes records")
    stream = Stream(AES, there)
    assert stream.open(records[:4], records[4:25]) == b"hello"
    with pytest.raises(Forged):
        stream.open(records[:4], records[4:25])


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The runtime's handshake and records as a library: (ffi, lib)."""
    need_encryption()
    compiler = toolchain.find_compiler()
    assert compiler.sodium is not None
    library = tmp_path_factory.mktemp("secure") / "secure.so"
    names = ("core/wire.c", "core/bytes.c", "net/crypto.c", "net/noise.c", "net/secure.c")
    sources = [RUNTIME / name for name in names]
    build_library(library, [*sources, "-lsodium"], ["-DMS_SODIUM", *compiler.sodium.flags])
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS)
    lib = ffi.dlopen(str(library))
    assert lib.ms_crypto_start()
    return ffi, lib


class End:
    """One end of a connection, by the runtime."""

    def __init__(self, secure: tuple[Any, Any], role: int, secret: bytes) -> None:
        self.ffi, self.lib = secure
        key = self.ffi.new("ms_key *", {"known": True, "bytes": KEY})
        self.end = self.ffi.gc(self.lib.ms_secure_create(role, key, secret), self.lib.ms_secure_destroy)

    def said(self) -> bytes:
        size = self.ffi.new("size_t *")
        output = self.lib.ms_secure_output(self.end, size)
        return bytes(self.ffi.buffer(output, size[0]))

    def hear(self, data: bytes) -> bytes:
        """Takes bytes in, and gives what they say."""
        room = self.ffi.new("size_t *")
        self.ffi.memmove(self.lib.ms_secure_room(self.end, room), data, len(data))
        assert len(data) <= room[0]
        self.lib.ms_secure_arrived(self.end, len(data))
        plain = self.ffi.new("uint8_t[]", len(data))
        return bytes(self.ffi.buffer(plain, self.lib.ms_secure_open(self.end, plain, len(data))))

    def seal(self, data: bytes) -> bytes:
        held, size = self.ffi.from_buffer(data), self.ffi.new("size_t *")
        parts = self.ffi.new("iovec *", {"base": self.ffi.cast("void *", held), "size": len(data)})
        records = self.lib.ms_secure_seal(self.end, parts, 1, size)
        copied = bytes(self.ffi.buffer(records, size[0]))
        assert self.lib.ms_secure_sent(self.end, size[0]) == len(data)
        return copied


def test_the_page_by_the_runtime(secure: tuple[Any, Any]) -> None:
    if secure[1].ms_crypto_ciphers() != CHACHA | AES:
        pytest.skip("this processor has no instructions for AES")
    slave, master = End(secure, SLAVE, SLAVE_SECRET), End(secure, MASTER, MASTER_SECRET)
    first = slave.said()
    assert first == known("bytes slave-message")
    master.hear(first)
    second = master.said()
    assert second == known("bytes master-message")
    slave.hear(second)
    assert slave.seal(b"hello") + slave.seal(b"hello") == known("bytes records")
    for _ in range(65533):
        slave.seal(b"hello")
    assert slave.seal(b"hello") + slave.seal(b"hello") == known("bytes next-records")
    stream = Stream(AES, known("bytes master-key"))
    assert slave.hear(stream.seal(b"and back")) == b"and back"


def test_the_other_cipher_by_the_runtime(secure: tuple[Any, Any]) -> None:
    _, second, there, back = page_handshake(CHACHA)
    slave = End(secure, SLAVE, SLAVE_SECRET)
    assert len(slave.said()) == MESSAGE_SIZE
    if secure[1].ms_crypto_ciphers() != CHACHA | AES:
        pytest.skip("this processor has no instructions for AES, so it says something else than the page")
    slave.hear(second)
    assert slave.seal(b"hello") + slave.seal(b"hello") == known("bytes chacha-records")
    assert Stream(CHACHA, there).open(*split(known("bytes chacha-records")[:25])) == b"hello"
    assert slave.hear(Stream(CHACHA, back).seal(b"and back")) == b"and back"


def split(record: bytes) -> tuple[bytes, bytes]:
    return record[:4], record[4:]
