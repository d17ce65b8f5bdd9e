"""The other end of an encrypted connection, written from docs/protocol.md: a second implementation of the handshake and
of records. BLAKE2b and HMAC are Python's, X25519 and the ciphers PyNaCl's.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
from dataclasses import dataclass, field

from nacl import bindings
from nacl.exceptions import CryptoError

CHACHA, AES = 1, 2
RECORD_MAX = 65536
RECORDS_FOR_A_KEY = 65536
MESSAGE_SIZE = 60
NAME = b"Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b"
SEALS = {
    CHACHA: bindings.crypto_aead_chacha20poly1305_ietf_encrypt,
    AES: bindings.crypto_aead_aes256gcm_encrypt,
}
OPENS = {
    CHACHA: bindings.crypto_aead_chacha20poly1305_ietf_decrypt,
    AES: bindings.crypto_aead_aes256gcm_decrypt,
}


class Forged(Exception):
    """What came is not authentic."""


def preamble(version: int = 1, alert: int = 0) -> bytes:
    return b"M/sk" + bytes([version, alert, 0, 0])


def hkdf(chaining: bytes, material: bytes, count: int) -> list[bytes]:
    key = hmac.digest(chaining, material, "blake2b")
    outputs = [b""]
    for number in range(1, count + 1):
        outputs.append(hmac.digest(key, outputs[-1] + bytes([number]), "blake2b"))
    return outputs[1:]


def nonce(counter: int) -> bytes:
    return bytes(4) + counter.to_bytes(8, "little")


class Noise:
    """Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b, from either side."""

    def __init__(self, key: bytes, initiator: bool, secret: bytes = b"", prologue: bytes = b"") -> None:
        self.initiator = initiator
        self.secret = secret or os.urandom(32)
        self.public = bindings.crypto_scalarmult_base(self.secret)
        self.hash = self.chaining = NAME.ljust(64, b"\0")
        self.mix_hash(prologue or preamble())
        self.chaining, mixed, self.key = hkdf(self.chaining, key, 3)
        self.mix_hash(mixed)

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.blake2b(self.hash + data).digest()

    def mix_key(self, material: bytes) -> None:
        self.chaining, self.key = hkdf(self.chaining, material, 2)

    def mix_public(self, public: bytes) -> None:
        self.mix_hash(public)
        self.mix_key(public)

    def write(self, payload: bytes) -> bytes:
        self.mix_public(self.public)
        if not self.initiator:
            self.mix_key(bindings.crypto_scalarmult(self.secret, self.remote))
        sealed: bytes = SEALS[CHACHA](payload, self.hash, nonce(0), self.key[:32])
        self.mix_hash(sealed)
        return self.public + sealed

    def read(self, message: bytes) -> bytes:
        self.remote, sealed = message[:32], message[32:]
        self.mix_public(self.remote)
        if self.initiator:
            self.mix_key(bindings.crypto_scalarmult(self.secret, self.remote))
        try:
            payload: bytes = OPENS[CHACHA](sealed, self.hash, nonce(0), self.key[:32])
        except CryptoError as error:
            raise Forged from error
        self.mix_hash(sealed)
        return payload

    def split(self) -> tuple[bytes, bytes]:
        """The keys from the slave to the master, and back."""
        there, back = hkdf(self.chaining, b"", 2)
        return there[:32], back[:32]


@dataclass(slots=True)
class Stream:
    """Records in one direction."""

    cipher: int
    key: bytes
    counter: int = 0

    def step(self) -> None:
        self.counter += 1
        if self.counter == RECORDS_FOR_A_KEY:
            self.key = hashlib.blake2b(b"M/s next key", digest_size=32, key=self.key).digest()
            self.counter = 0

    def seal(self, data: bytes) -> bytes:
        head = struct.pack("<I", len(data))
        sealed: bytes = SEALS[self.cipher](data, head, nonce(self.counter), self.key)
        self.step()
        return head + sealed

    def open(self, head: bytes, sealed: bytes) -> bytes:
        try:
            data: bytes = OPENS[self.cipher](sealed, head, nonce(self.counter), self.key)
        except CryptoError as error:
            raise Forged from error
        self.step()
        return data


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@dataclass(slots=True)
class SecurePeer:
    """One end of a connection, speaking frames."""

    connection: socket.socket
    sending: Stream
    receiving: Stream
    plain: bytearray = field(default_factory=bytearray)

    def send(self, ordinal: int, jid: int, payload: bytes = b"") -> None:
        frame = struct.pack("<iII", ordinal, jid, len(payload)) + payload
        pieces = [frame[at : at + RECORD_MAX] for at in range(0, len(frame), RECORD_MAX)]
        self.connection.sendall(b"".join(self.sending.seal(piece) for piece in pieces))

    def read(self, size: int) -> bytes:
        while len(self.plain) < size:
            head = receive(self.connection, 4)
            (length,) = struct.unpack("<I", head)
            assert 0 < length <= RECORD_MAX
            self.plain += self.receiving.open(head, receive(self.connection, length + 16))
        data = bytes(self.plain[:size])
        del self.plain[:size]
        return data

    def receive(self) -> tuple[int, int, bytes]:
        ordinal, jid, length = struct.unpack("<iII", self.read(12))
        return ordinal, jid, self.read(length)


def as_slave(connection: socket.socket, key: bytes, ciphers: int = CHACHA | AES, secret: bytes = b"") -> SecurePeer:
    """Greets a master."""
    noise = Noise(key, initiator=True, secret=secret)
    connection.sendall(preamble() + noise.write(struct.pack("<I", ciphers)))
    answer = receive(connection, 8)
    if answer != preamble():
        raise ConnectionRefusedError(answer)
    (cipher,) = struct.unpack("<I", noise.read(receive(connection, MESSAGE_SIZE - 8)))
    assert cipher in (CHACHA, AES)
    assert cipher & ciphers
    there, back = noise.split()
    return SecurePeer(connection, Stream(cipher, there), Stream(cipher, back))


def as_master(connection: socket.socket, key: bytes, cipher: int = CHACHA, secret: bytes = b"") -> SecurePeer:
    """Answers a slave."""
    noise = Noise(key, initiator=False, secret=secret)
    assert receive(connection, 8) == preamble()
    (offered,) = struct.unpack("<I", noise.read(receive(connection, MESSAGE_SIZE - 8)))
    assert offered & cipher
    connection.sendall(preamble() + noise.write(struct.pack("<I", cipher)))
    there, back = noise.split()
    return SecurePeer(connection, Stream(cipher, back), Stream(cipher, there))
