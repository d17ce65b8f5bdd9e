"""What all tests share: where msc keeps its cache while they run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

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
