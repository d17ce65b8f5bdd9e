"""What all tests share: where msc keeps its cache while they run, and that an interrupt reaches what they start.

Hypothesis draws the same examples each time, so that the tests of a commit pass always or never; MS_RANDOM=1 draws
others.
"""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

from hypothesis import settings

settings.register_profile("same", derandomize=True, database=None)
if not os.environ.get("MS_RANDOM"):
    settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent


def _cache() -> str:
    """In the checkout, so that the runtimes are built once and not for each run; elsewhere when that cannot be
    written."""
    directory = ROOT / "build" / "cache"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK):
            return str(directory)
    except OSError:
        pass
    return tempfile.mkdtemp(prefix="ms-test-cache-")


os.environ.setdefault("MS_CACHE_DIR", _cache())
# Where zig is the C compiler it builds a C library once, not for each test that has a cache of its own.
os.environ.setdefault("ZIG_GLOBAL_CACHE_DIR", os.path.join(os.environ["MS_CACHE_DIR"], "zig"))

# A shell starts what runs in its background with interrupts ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
