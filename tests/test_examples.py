"""The examples do what they say, on real slaves and serially; what they compute is computed here too.

README.md shows what they print; `test_docs.py` holds it to that.
"""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from c_tools import need

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
WITHOUT_MASTER = ["png.ms"]  # imported by others


def start(name: str, slaves: int, words: tuple[str | Path, ...], cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ms", "run", str(EXAMPLES / name), "-n", str(slaves), "--", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MS_HEAP_CHECK": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True)


def ran(
    name: str, *words: str | Path, cwd: Path, status: int = 0, made: tuple[str, ...] = ()
) -> tuple[str, str, list[bytes]]:
    """Standard output, standard error and the files that were made, which must be the same on slaves and serially."""
    results = []
    for slaves in (2, 0):
        done = start(name, slaves, words, cwd)
        assert done.returncode == status, done.stderr.decode()
        files = [(cwd / file).read_bytes() for file in made]
        results.append((done.stdout.decode(), done.stderr.decode(), files))
        for file in made:
            (cwd / file).unlink()
    assert results[0] == results[1]
    return results[0]


def usage(name: str, *words: str, cwd: Path) -> str:
    """What is said of words that make no sense, on standard error and with status 2."""
    output, errors, _ = ran(name, *words, cwd=cwd, status=2)
    assert output == ""
    return errors


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ms")), ids=lambda path: path.name)
def test_nothing_is_warned_of(path: Path) -> None:
    """Also of those that the tests below do not start."""
    command = [sys.executable, "-m", "ms", "check", str(path)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if path.name in WITHOUT_MASTER:
        assert "E0308" in checked.stderr
        assert checked.stderr.count("error") == 1
    else:
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


# png.ms, by way of raytracer.ms and mandelbrot.ms


def decoded_png(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and RGB pixels, by zlib and the rules of the format; every checksum is checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks = []
    place = 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        assert zlib.crc32(kind + content) == struct.unpack_from(">I", data, place + 8 + length)[0]
        chunks.append((kind, content))
        place += 12 + length
    kinds = [kind for kind, _ in chunks]
    assert kinds == [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]
    width, height, *form = struct.unpack(">IIBBBBB", chunks[0][1])
    assert form == [8, 2, 0, 0, 0]
    unpacker = zlib.decompressobj()
    rows = unpacker.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    assert unpacker.eof  # the stream is whole, and its Adler-32 is right
    assert unpacker.unused_data == b""
    return (
        width,
        height,
        b"".join(unfiltered(rows[start : start + 3 * width + 1]) for start in range(0, len(rows), 3 * width + 1)),
    )


def unfiltered(row: bytes) -> bytes:
    assert row[0] == 1
    pixels = bytearray(3)
    for value in row[1:]:
        pixels.append((value + pixels[-3]) & 255)
    return bytes(pixels[3:])


def test_raytracer(tmp_path: Path) -> None:
    output, _, [file] = ran("raytracer.ms", "p.png", "60", "40", "2", cwd=tmp_path, made=("p.png",))
    assert output == f"wrote p.png with 60 x 40 pixels in 5 bands, {len(file)} bytes\n"
    width, height, pixels = decoded_png(file)
    assert (width, height, len(pixels)) == (60, 40, 60 * 40 * 3)
    assert len(file) < 0.6 * len(pixels)

    def pixel(x: int, y: int) -> tuple[int, ...]:
        return tuple(pixels[3 * (y * width + x) : 3 * (y * width + x) + 3])

    red, green, blue = pixel(2, 0)
    assert red < green < blue  # the sky
    red, green, blue = pixel(21, 18)
    assert red > 1.5 * max(green, blue)  # the red sphere
    brightness = [sum(pixel(x, 36)) for x in range(width)]
    assert max(brightness) > 2 * min(brightness)  # the squares of the board


def test_raytracer_of_one_pixel_and_one_row(tmp_path: Path) -> None:
    _, _, [file] = ran("raytracer.ms", "p.png", "1", "1", "1", cwd=tmp_path, made=("p.png",))
    assert decoded_png(file)[:2] == (1, 1)
    _, _, [file] = ran("raytracer.ms", "p.png", "300", "1", "1", cwd=tmp_path, made=("p.png",))
    assert decoded_png(file)[:2] == (300, 1)


def test_mandelbrot(tmp_path: Path) -> None:
    output, _, [file] = ran("mandelbrot.ms", "m.png", "90", "60", cwd=tmp_path, made=("m.png",))
    assert output == "wrote m.png with 90 x 60 points\n"
    width, height, pixels = decoded_png(file)
    assert (width, height) == (90, 60)
    for x, y, stays in ((63, 30, True), (33, 30, True), (80, 5, False), (0, 59, False)):
        start = 3 * (y * width + x)
        assert (pixels[start : start + 3] == bytes(3)) == stays, (x, y)


def test_raytracer_usage(tmp_path: Path) -> None:
    assert usage("raytracer.ms", cwd=tmp_path).startswith("usage: raytracer FILE.png")
    assert usage("raytracer.ms", "p.png", "0", cwd=tmp_path) == "the width must be 1 or more, not 0\n"
    assert not (tmp_path / "p.png").exists()


# queens.ms


@pytest.mark.parametrize(("width", "ways"), [(1, 1), (3, 0), (6, 4), (9, 352), (10, 724)])
def test_queens(width: int, ways: int, tmp_path: Path) -> None:
    assert ran("queens.ms", str(width), cwd=tmp_path)[0] == f"{ways} ways to put {width} queens\n"


def test_queens_usage(tmp_path: Path) -> None:
    assert usage("queens.ms", "0", cwd=tmp_path) == "usage: queens WIDTH, from 1 to 30\n"


# crack.ms


@pytest.mark.parametrize(
    ("secret", "words"),
    [("cab", ["abc", "4"]), ("0042", ["digits", "4"]), ("zz", []), ("Z", ["letters", "2"]), ("b7", ["all", "2"])],
)
def test_crack(secret: str, words: list[str], tmp_path: Path) -> None:
    total = hashlib.sha256(secret.encode()).hexdigest()
    assert ran("crack.ms", total, *words, cwd=tmp_path)[0] == f"{secret}\n"


@pytest.mark.parametrize("length", [50, 51, 52, 60, 61, 115, 120])
def test_crack_behind_texts_of_all_kinds_of_lengths(length: int, tmp_path: Path) -> None:
    """The sum of one block, of two, of a block that has no room for the length."""
    before = "s" * length
    total = hashlib.sha256(f"{before}pass".encode()).hexdigest().upper()
    assert ran("crack.ms", total, "aps", "4", before, cwd=tmp_path)[0] == "pass\n"


def test_crack_what_is_not_there(tmp_path: Path) -> None:
    total = hashlib.sha256(b"longer").hexdigest()
    output, errors, _ = ran("crack.ms", total, "digits", "3", cwd=tmp_path, status=1)
    assert output == ""
    assert errors.splitlines()[-2:] == [
        "length 3 has 1000 passwords", "no password of 3 characters or fewer has that sum"
    ]  # fmt: skip


def test_crack_usage(tmp_path: Path) -> None:
    assert "one to four words" in usage("crack.ms", cwd=tmp_path)
    assert "64 hexadecimal digits" in usage("crack.ms", "12ab", cwd=tmp_path)
    assert "64 hexadecimal digits" in usage("crack.ms", "x" * 64, cwd=tmp_path)
    assert "1 or more" in usage("crack.ms", "0" * 64, "lower", "0", cwd=tmp_path)
    assert "no characters" in usage("crack.ms", "0" * 64, "", cwd=tmp_path)


# wordcount.ms


def test_wordcount(tmp_path: Path) -> None:
    texts = ["the cat and the dog\n", "The END, the end; caf\u00e9\n", ""]
    names = [f"{i}.txt" for i in range(len(texts))]
    for name, text in zip(names, texts):
        (tmp_path / name).write_text(text)
    counts = Counter(" ".join(texts).lower().replace(",", " ").replace(";", " ").split())
    lines = ran("wordcount.ms", *names, cwd=tmp_path)[0].splitlines()
    assert lines[0] == f"{len(counts)} different words in 3 files"
    found = [line.split() for line in lines[1:]]
    assert {word: int(count) for count, word in found} == dict(counts)
    assert [int(count) for count, _ in found] == sorted(counts.values(), reverse=True)


def test_wordcount_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = start("wordcount.ms", 2, ("none.txt",), tmp_path)
    assert done.returncode == 1
    assert b"none.txt" in done.stderr


# grep.ms


def test_grep(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\ntwo\none two")
    (tmp_path / "b").write_text("")
    assert ran("grep.ms", "two", "a", "b", cwd=tmp_path)[0] == "a:2: two\na:3: one two\n"
    assert ran("grep.ms", "three", "a", "b", cwd=tmp_path, status=1)[:2] == ("", "")
    output, errors, _ = ran("grep.ms", "one", "missing", "a", cwd=tmp_path, status=2)
    assert output == "a:1: one\na:3: one two\n"
    assert "missing" in errors
    assert usage("grep.ms", cwd=tmp_path) == "usage: grep TEXT FILE ...\n"


# kmeans.ms


def random_doubles(seed: int) -> Iterator[float]:
    """xoshiro256** behind splitmix64, as the reference says."""
    mask = 2**64 - 1
    state = []
    for _ in range(4):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        mixed = ((seed ^ seed >> 30) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & mask
        state.append(mixed ^ mixed >> 31)
    while True:
        fives = state[1] * 5 & mask
        result = (fives << 7 | fives >> 57) * 9 & mask
        shifted = state[1] << 17 & mask
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= shifted
        state[3] = (state[3] << 45 | state[3] >> 19) & mask
        yield (result >> 11) / 2**53


Row: TypeAlias = tuple[float, ...]


def square_distance(a: Row, b: Row) -> float:
    total = 0.0
    for x, y in zip(a, b):
        total += (x - y) * (x - y)
    return total


def nearest(centres: list[Row], row: Row) -> int:
    return min(range(len(centres)), key=lambda i: square_distance(centres[i], row))


def chosen(mark: float, weights: list[float]) -> tuple[int, float]:
    """Where the running sum exceeds the mark, and what is left of the mark there."""
    for index, weight in enumerate(weights):
        if mark < weight:
            return index, mark
        mark -= weight
    raise AssertionError("rounding has led beyond the end: choose other data")


def first_centres(files: list[list[Row]], k: int, seed: int) -> list[Row]:
    """k-means++: a row is chosen with the probability of its square distance from the centres chosen before."""
    chance = random_doubles(seed)
    centres: list[Row] = []
    for _ in range(k):
        weights = [[min((square_distance(c, row) for c in centres), default=1.0) for row in rows] for rows in files]
        mark = next(chance) * sum(sum(each) for each in weights)
        file, mark = chosen(mark, [sum(each) for each in weights])
        row, mark = chosen(mark, weights[file])
        centres.append(files[file][row])
    return centres


def grouped(files: list[list[Row]], k: int, seed: int) -> list[str]:
    """What kmeans.ms prints of these rows."""
    rows = [row for part in files for row in part]
    centres = first_centres(files, k, seed)
    rounds = 0
    while True:
        rounds += 1
        groups: list[list[Row]] = [[] for _ in range(k)]
        for row in rows:
            groups[nearest(centres, row)].append(row)
        moved = [tuple(sum(column) / len(group) for column in zip(*group)) for group in groups]
        if moved == centres:
            break
        centres = moved
    lines = [
        f"{len(group):8} rows around" + "".join(f" {x:10.3f}" for x in centre)
        for group, centre in zip(groups, centres)
    ]  # fmt: skip
    spread = sum(square_distance(centres[nearest(centres, row)], row) for row in rows)
    return [*lines, f"the spread is {spread:.3f} after {rounds} rounds"]


def blobs(count: int) -> list[Row]:
    """Points around three places, in quarters, so that sums are exact in any order."""
    places = [(0, 0, 5), (12, 3, 5), (4, 11, -2)]
    return [
        tuple(x + (i * 7919 * (axis + 3) % 17 - 8) / 4 for axis, x in enumerate(places[i * i % 7 % 3]))
        for i in range(count)
    ]  # fmt: skip


def written(path: Path, rows: list[Row]) -> None:
    path.write_text("# made for a test\n\n" + "".join(",".join(map(str, row)) + "\r\n" for row in rows))


@pytest.mark.parametrize(("k", "seed"), [(1, 1), (3, 1), (3, 2), (5, 77), (2, -1)])
def test_kmeans(k: int, seed: int, tmp_path: Path) -> None:
    rows = blobs(90)
    files = [rows[:40], [], rows[40:41], rows[41:]]
    names = [f"{i}.csv" for i in range(len(files))]
    for name, part in zip(names, files):
        written(tmp_path / name, part)
    output, errors, _ = ran("kmeans.ms", str(k), str(seed), *names, cwd=tmp_path)
    assert errors == ""
    assert output.splitlines() == grouped(files, k, seed)


@pytest.mark.parametrize(
    ("text", "k", "message"),
    [
        ("1,2\n3,x\n", 1, 'bad.csv:2: "x" is not a number'),
        ("1,2\n\n3,4,5\n", 1, "bad.csv:3: 3 columns instead of 2"),
        ("1,\n", 1, "bad.csv:1: a column is empty"),
        ("1,2\n3,4\n", 3, "3 groups cannot be made of 2 rows"),
        ("1,2\n1,2\n", 2, "2 groups cannot be made of 1 different rows"),
        ("1,2\n", 0, "the number of groups must be 1 or more, not 0"),
    ],
)
def test_kmeans_of_bad_data(text: str, k: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(text)
    for slaves in (2, 0):
        done = start("kmeans.ms", slaves, (str(k), "1", "bad.csv"), tmp_path)
        assert done.returncode == 1
        assert message in done.stderr.decode()


def test_kmeans_usage(tmp_path: Path) -> None:
    assert usage("kmeans.ms", "3", "1", cwd=tmp_path) == "usage: kmeans GROUPS SEED FILE ...\n"


# build.ms

C_FILES = {
    "main.c": '#include <stdio.h>\n#include "square.h"\nint main(void) { printf("%d\\n", square(12)); return 0; }\n',
    "square.c": '#include "square.h"\nint square(int x) { return x * x; }\n',
    "square.h": "int square(int x);\n",
    "README": "not a C file\n",
}


class CProgram:
    """A directory with C files, and what building it says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "source").mkdir()
        for name, text in C_FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.directory / "source" / name).write_text(text)

    def build(self, slaves: int, status: int = 0) -> tuple[list[str], str]:
        done = start("build.ms", slaves, ("source", "program"), self.directory)
        assert done.returncode == status, done.stderr.decode()
        return done.stdout.decode().splitlines(), done.stderr.decode()

    def says(self) -> str:
        return subprocess.run([self.directory / "program"], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("slaves", [2, 0])
def test_build(slaves: int, tmp_path: Path) -> None:
    need("cc")
    program = CProgram(tmp_path)
    everything = ["compiled main.c", "compiled square.c", "linked program"]
    assert program.build(slaves) == (everything, "")
    assert program.says() == "144\n"
    assert program.build(slaves) == (["program is up to date"], "")
    program.write("square.c", '#include "square.h"\nint square(int x) { return x * x + 1; }\n')
    assert program.build(slaves) == (["compiled square.c", "linked program"], "")
    assert program.says() == "145\n"
    program.write("square.h", "int square(int y);\n")
    assert program.build(slaves) == (everything, "")
    (tmp_path / "program").unlink()
    assert program.build(slaves) == (["linked program"], "")


@pytest.mark.parametrize("slaves", [2, 0])
def test_build_what_does_not_compile(slaves: int, tmp_path: Path) -> None:
    need("cc")
    program = CProgram(tmp_path)
    program.write("square.c", "int square(int x) { return y; }\n")
    program.write("third.c", '#include "nowhere.h"\n')
    output, errors = program.build(slaves, status=1)
    assert output == ["compiled main.c", "not compiled: square.c"]
    assert "nowhere.h" in errors
    assert "source/square.c:1:28" in errors
    assert errors.splitlines()[-1] == "build: 2 of 3 files do not compile"
    program.write("third.c", "")
    program.write("square.c", C_FILES["square.c"])
    assert program.build(slaves)[0] == ["compiled square.c", "compiled third.c", "linked program"]
    program.write("square.c", "")
    output, errors = program.build(slaves, status=1)
    assert output == ["compiled square.c"]
    assert "square" in errors


def test_build_usage(tmp_path: Path) -> None:
    assert usage("build.ms", "one", cwd=tmp_path) == "usage: build DIRECTORY PROGRAM\n"
    (tmp_path / "empty").mkdir()
    assert usage("build.ms", "empty", "program", cwd=tmp_path) == "build: there are no C files in empty\n"
