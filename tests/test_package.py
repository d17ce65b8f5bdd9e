"""The package as people get it: the wrapper `msc` of a checkout, and the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Stands in for Python: makes environments whose python is this script again, and writes down what is installed.
PYTHON = """#!/bin/sh
case "$*" in
*"-m venv"*)
    for directory; do :; done
    case "$*" in *--without-pip*) ;; *) [ -z "$NO_ENSUREPIP" ] || exit 1;; esac
    mkdir -p "$directory/bin"
    cp "$0" "$directory/bin/python"
    ;;
*"-m pip --version"*) [ -z "$NO_PIP" ] ;;
*"-m pip"*)
    echo "$*" >>"$LOG"
    [ -z "$PIP_FAILS" ] || { echo reasons >&2; exit 1; }
    ;;
"-I -m ms"*) shift 3; echo "ms in $PWD:" "$@" ;;
*) exec EXECUTABLE "$@" ;;
esac
""".replace("EXECUTABLE", sys.executable)

TOOLS = ("sh", "cksum", "mkdir", "mktemp", "rm", "sed", "mv", "readlink", "cp", "cat")


class Checkout:
    """A checkout in a directory with a space, and a PATH with few programs on it."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "a checkout"
        self.bin = directory / "bin"
        self.log = directory / "log"
        self.root.mkdir()
        self.bin.mkdir()
        for name in ("msc", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root)
        for name in TOOLS:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.add("python3", PYTHON)
        self.add("cc", "#!/bin/sh\n")
        self.environment = {"PATH": str(self.bin), "LOG": str(self.log), "HOME": "/nowhere", "TMPDIR": str(directory)}

    def add(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def start(self, *words: str, command: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [command or self.root / "msc", *words], env={**self.environment, **environment}, cwd=self.bin.parent,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str, command: Path | None = None, **environment: str) -> tuple[int, str, str]:
        with self.start(*words, command=command, **environment) as process:
            out, err = process.communicate()
        return process.returncode, out, err

    def installs(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_first_use_sets_up_and_the_next_does_not(checkout: Checkout) -> None:
    said = f"ms in {checkout.bin.parent}: run a file.ms\n"
    status, out, err = checkout.run("run", "a file.ms")
    assert (status, out) == (0, said)
    assert err == f"msc: setting up {checkout.root}/.venv (once)\n"
    (install,) = checkout.installs()
    assert install.endswith(f"install --editable {checkout.root}")
    assert checkout.run("run", "a file.ms") == (0, said, "")
    assert len(checkout.installs()) == 1


def test_two_first_uses_at_once(checkout: Checkout) -> None:
    running = [checkout.start(str(number)) for number in range(4)]
    for number, process in enumerate(running):
        out, _ = process.communicate()
        assert (process.returncode, out) == (0, f"ms in {checkout.bin.parent}: {number}\n")
    assert len(checkout.installs()) == 1


def test_changed_dependencies_are_installed(checkout: Checkout) -> None:
    checkout.run("x")
    with (checkout.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert checkout.run("x")[0] == 0
    assert len(checkout.installs()) == 2


def test_moved_checkout_is_installed_again(checkout: Checkout) -> None:
    checkout.run("x")
    moved = checkout.root.rename(checkout.root.with_name("elsewhere"))
    assert checkout.run("x", command=moved / "msc")[0] == 0
    assert checkout.installs()[1].endswith(f"--editable {moved}")


def test_failed_install_is_tried_again(checkout: Checkout) -> None:
    status, out, err = checkout.run("x", PIP_FAILS="1")
    assert (status, out) == (2, "")
    assert "reasons\n" in err
    assert err.endswith("(pip's reasons stand above)\n")
    assert checkout.run("x")[0] == 0


def test_without_a_compiler_zig_comes_along(checkout: Checkout) -> None:
    (checkout.bin / "cc").unlink()
    assert checkout.run("x")[0] == 0
    assert checkout.installs()[0].endswith(f"--editable {checkout.root}[zig]")


def test_compiler_without_its_headers_is_none(checkout: Checkout) -> None:
    checkout.add("cc", "#!/bin/sh\nexit 1\n")
    checkout.run("x", MS_EXTRAS="dev", MS_SETUP="1")
    assert checkout.installs()[0].endswith(f"--editable {checkout.root}[dev,zig]")


def test_compiler_that_is_named(checkout: Checkout) -> None:
    checkout.add("my-cc", (checkout.bin / "cc").read_text())
    (checkout.bin / "cc").unlink()
    checkout.run("x", CC="my-cc -m64")
    assert checkout.installs()[0].endswith(f"--editable {checkout.root}")


def test_link_to_the_wrapper(checkout: Checkout) -> None:
    link = checkout.bin / "msc"
    link.symlink_to(checkout.root / "msc")
    assert checkout.run("x", command=link)[:2] == (0, f"ms in {checkout.bin.parent}: x\n")
    assert (checkout.root / ".venv").is_dir()


def test_without_python(checkout: Checkout) -> None:
    (checkout.bin / "python3").unlink()
    message = "msc: Python 3.11 or later is needed, and there is none on PATH\n"
    assert checkout.run("x") == (2, "", message)


def test_without_ensurepip_the_pip_that_is_there_fills_it(checkout: Checkout) -> None:
    assert checkout.run("x", NO_ENSUREPIP="1")[0] == 0
    assert len(checkout.installs()) == 1


def test_without_ensurepip_and_pip(checkout: Checkout) -> None:
    status, _, err = checkout.run("x", NO_ENSUREPIP="1", NO_PIP="1")
    assert status == 2
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in err.splitlines()[-1]


def test_place_that_cannot_be_written(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = checkout.run("x", MS_VENV=str(tmp_path / "file" / "venv"))
    assert (status, err.count("\n")) == (2, 1)
    assert "set MS_VENV" in err
    assert checkout.run("x", MS_VENV=str(tmp_path / "new" / "venv"))[0] == 0
    assert not (checkout.root / ".venv").exists()


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory], cwd=ROOT, check=True,
        capture_output=True,
    )  # fmt: skip
    (path,) = directory.glob("*.whl")
    return path


def test_wheel_holds_the_runtime_the_grammar_and_the_pages(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    runtime = {
        f"ms/_runtime/c/{path.relative_to(ROOT / 'runtime' / 'c')}"
        for room in ("include", "core", "net", "master", "slave")
        for path in (ROOT / "runtime" / "c" / room).glob("*.[ch]")
    }
    compiler = {str(path.relative_to(ROOT)) for path in (ROOT / "ms").rglob("*.py")} | {"ms/grammar.lark"}
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "ms" / "explain").glob("*.md")}
    assert pages
    assert runtime | compiler | pages <= names
    assert not [name for name in names if not name.startswith(("ms/", "ms_lang-"))]


def test_wheel_works_where_there_is_no_checkout(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are those of the environment that runs the tests, so that nothing is fetched."""
    venv.create(tmp_path / "fresh", with_pip=False)
    python = tmp_path / "fresh" / "bin" / "python"
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    program = 'job int f(int x) { return x + 1; }\nmaster { print("hello", get(remote f(1))); }\n'
    (tmp_path / "hello.ms").write_text(program)
    done = subprocess.run(
        [python, "-I", "-m", "ms", "run", "hello.ms", "-n", "1"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "MS_CACHE_DIR": str(tmp_path / "cache")}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello 2\n", "")
    origin = [python, "-I", "-c", "from ms import toolchain; print(toolchain.runtime_directory())"]
    printed = subprocess.run(origin, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert Path(printed.strip()) == packages / "ms" / "_runtime" / "c"
