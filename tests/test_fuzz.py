"""The fuzz targets of runtime/c/fuzz: every input of their corpora, and mutations of them, under the sanitizers.

The short form of `make -C runtime/c fuzz`, which searches for an hour and needs clang. MS_FUZZ_SECONDS makes this one
longer, MS_FUZZ_SEED makes it another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from c_tools import make
from c_warnings import can_sanitize

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "c"
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in (RUNTIME / "fuzz").glob("fuzz_*.c"))
SECONDS = os.environ.get("MS_FUZZ_SECONDS", "0.7")
SEED = os.environ.get("MS_FUZZ_SEED", "1")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not can_sanitize():
        pytest.skip("the C compiler has no sanitizers")
    directory = tmp_path_factory.mktemp("fuzz")
    done = make("-j", str(os.cpu_count()), "fuzz-replay-build", f"FUZZ_BUILD={directory}", f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_does_harm(target: str, built: Path) -> None:
    corpus = RUNTIME / "fuzz" / "corpus" / target
    if not (built / "replay" / f"fuzz_{target}").exists():
        assert target == "secure"
        pytest.skip("there is no libsodium to build with")
    crash = built / f"{target}-crash"
    command = [built / "replay" / f"fuzz_{target}", "--seconds", SECONDS, "--seed", SEED, "--crash", crash, corpus]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nthe input: {crash}, {crash.read_bytes() if crash.exists() else b''!r}"
    files, mutations = (int(word) for word in done.stdout.split() if word.isdigit())
    assert files == len(list(corpus.iterdir()))
    assert mutations > 0
