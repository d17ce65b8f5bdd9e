"""Compiles all C files of the runtimes with all warnings as errors; `--can-sanitize` says whether there are sanitizers.

Uses the compiler that msc uses, and looks at nothing but its exit status and its words.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ms import toolchain

FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]


def compiler() -> list[str]:
    return list(toolchain.find_compiler().command)


def warnings_of(path: Path) -> str:
    root = toolchain.runtime_directory()
    command = [*compiler(), *FLAGS, "-I", root, "-I", root / "include", "-c", path, "-o", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def can_sanitize(which: str = toolchain.SANITIZERS) -> bool:
    """Whether a program with sanitizers can be linked, and runs."""
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory, "a.c")
        source.write_text("int main(void) { return 0; }\n")
        command = [*compiler(), f"-fsanitize={which}", source, "-o", source.with_suffix("")]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return False
        return subprocess.run([source.with_suffix("")], capture_output=True, check=False).returncode == 0


def main() -> int:
    if sys.argv[1:] == ["--can-sanitize"]:
        return 0 if can_sanitize() else 1
    root = toolchain.runtime_directory()
    rooms = ("core", "net", "master", "slave", "tests", "fuzz")
    files = sorted(path for room in rooms for path in (root / room).glob("*.c"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [text for text in pool.map(warnings_of, files) if text]
    print("\n".join(found) if found else f"{len(files)} files, no warnings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
