"""`msc key`: keys for connections over TCP, as the programs' --key-file wants them.

What the programs do with a key is left to `runtime/c/net`.
Invariants: a key has 32 random bytes, written as 64 hexadecimal digits; a file made here is one that only its owner
may read, and no file that is there is written over.
"""

from __future__ import annotations

import os
import stat
import sys

from ms.toolchain import ToolchainError

KEY_SIZE = 32


def write_key(path: str) -> None:
    """Makes the file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ToolchainError(f"{path} is there already, and may hold a key that is in use: remove it first") from error
    except OSError as error:
        raise ToolchainError(f"cannot write {path}: {error.strerror}") from error
    try:
        os.write(descriptor, _new_key())
    except OSError as error:
        os.unlink(path)
        raise ToolchainError(f"cannot write {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def print_key() -> None:
    """Writes a key to standard output, and says so when that is a file that others may read."""
    try:
        os.write(sys.stdout.fileno(), _new_key())
        found = os.fstat(sys.stdout.fileno())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ToolchainError(f"cannot write standard output: {error.strerror}") from error
    if stat.S_ISREG(found.st_mode) and found.st_mode & 0o077:
        print("msc: others may read or write this file, so it will be refused: chmod 600 it, "
              "or let msc key FILE make it", file=sys.stderr)  # fmt: skip


def _new_key() -> bytes:
    return os.urandom(KEY_SIZE).hex().encode() + b"\n"
