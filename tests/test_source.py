"""Source files and places in them, and reading them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ms.files import SOURCE_SIZE_MAX, Files, Unreadable, read_source
from ms.source import SourceFile, Span


def test_places_count_lines_and_bytes_from_one() -> None:
    file = SourceFile("a.ms", "ab\né=\r\n\nx".encode())
    assert [file.place(offset) for offset in range(len(file.data) + 1)] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4), (2, 5), (3, 1), (4, 1), (4, 2),
    ]  # fmt: skip


def test_lines_come_without_their_ends() -> None:
    file = SourceFile("a.ms", b"ab\r\n\xff\n\nx")
    assert [file.line_text(line) for line in (1, 2, 3, 4)] == ["ab", "\ufffd", "", "x"]
    assert SourceFile("a.ms", b"").line_text(1) == ""
    assert SourceFile("a.ms", b"x\n").line_text(2) == ""


@given(st.binary(max_size=100), st.integers(0, 100))
def test_a_place_leads_back_to_its_offset(data: bytes, offset: int) -> None:
    file = SourceFile("a.ms", data)
    offset = min(offset, len(data))
    line, column = file.place(offset)
    assert file.line_starts[line - 1] + column - 1 == offset
    assert data[:offset].count(b"\n") == line - 1


def test_spans() -> None:
    file = SourceFile("a.ms", b"one\ntwo three")
    two, three = Span(file, 4, 7), Span(file, 8, 13)
    assert (two.line, two.column, str(two)) == (2, 1, "a.ms:2:1")
    assert two.to(three) == Span(file, 4, 13)
    assert Span(file, 4, 7) == two
    assert Span(SourceFile("a.ms", file.data), 4, 7) != two


def why(path: str | Path) -> str:
    """Why a file cannot be read."""
    with pytest.raises(Unreadable) as caught:
        read_source(str(path))
    return str(caught.value)


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.ms"
    data = b"\xef\xbb\xbfmaster { }\r\n\xff"
    path.write_bytes(data)
    file = read_source(str(path))
    assert (file.name, file.data) == (str(path), data)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    assert why(tmp_path / "none.ms") == "No such file or directory"
    assert why(tmp_path) == "Is a directory"
    assert why(tmp_path / ("n" * 300)) == "File name too long"
    assert why("a\0b") == "embedded null byte"
    (tmp_path / "loop.ms").symlink_to(tmp_path / "loop.ms")
    assert why(tmp_path / "loop.ms") == "Too many levels of symbolic links"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.ms"
    path.write_bytes(b"")
    path.chmod(0)
    assert why(path) == "Permission denied"


def test_files_have_a_largest_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ms"
    with path.open("wb") as stream:
        stream.truncate(SOURCE_SIZE_MAX)
    assert len(read_source(str(path)).data) == SOURCE_SIZE_MAX == 16 * 1024 * 1024
    with path.open("ab") as stream:
        stream.write(b"x")
    assert why(path) == "it is larger than 16 MiB"


def test_imports_are_found_beside_the_importer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib").mkdir()
    for name in ("prog.ms", "lib/a.ms", "lib/b.ms"):
        (tmp_path / name).write_text("")
    (tmp_path / "lib" / "link.ms").symlink_to("b.ms")
    main = read_source("prog.ms")
    files = Files(main)
    a = files.imported(main, b"lib/a.ms")
    assert a.name == "lib/a.ms"
    assert files.imported(a, b"b.ms").name == "lib/b.ms"
    assert files.imported(a, b"../prog.ms") is main
    assert files.imported(main, b"lib/../lib/./a.ms") is a, "one file, whatever names lead to it"
    assert files.imported(main, b"lib/link.ms") is files.imported(a, b"b.ms")
    assert files.imported(main, os.fsencode(tmp_path / "lib" / "a.ms")) is a


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    main = SourceFile(str(tmp_path / "prog.ms"), b"")
    os.mkfifo(tmp_path / "pipe.ms")

    def why_not(path: bytes) -> str:
        with pytest.raises(Unreadable) as caught:
            Files(main).imported(main, path)
        return str(caught.value)

    assert why_not(b"none.ms") == "there is no such file"
    assert why_not(b"prog.ms/a.ms") == "there is no such file"
    assert why_not(b".") == "it is a directory"
    assert why_not(b"pipe.ms") == "it is not a regular file"
    assert why_not(b"") == "the name is empty"
    assert why_not(b"a\\x41.ms") == "the name of a file has no escapes"
    assert why_not(b"a\0b") == "embedded null byte"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('import "a.ms"; import /* "no.ms" */ // import "no.ms"\n"b.ms"; f("no.ms");', ["a.ms", "b.ms"]),
        ("const char Q = '\"'; import \"a.ms\";", ["a.ms"]),
        ('// import "a.ms";\n/* import "b.ms"; */ string s = "import"; t("a.ms");', []),
        ('reimport "a.ms"; "x\\" import "; f("b.ms");', []),
    ],
)
def test_imports_are_found_without_a_parse(tmp_path: Path, text: str, names: list[str]) -> None:
    for name in ("a.ms", "b.ms", "no.ms"):
        (tmp_path / name).write_text('import "prog.ms";')
    files = Files(SourceFile(str(tmp_path / "prog.ms"), text.encode()))
    assert [os.path.basename(file.name) for file in files.all()] == ["prog.ms", *names]
