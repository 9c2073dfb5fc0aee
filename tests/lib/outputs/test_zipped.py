"""ZIP archives made while they are sent."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from lib.outputs.zipped import zip_chunks

ENTRIES = [("a/one.txt", [b"hello ", b"field"]), ("two.zip", [b"PK" * 10]), ("empty.csv", [])]


def test_it_holds_what_was_put_in() -> None:
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zip_chunks(ENTRIES))))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == {
        name: b"".join(content) for name, content in ENTRIES
    }
    assert archive.getinfo("a/one.txt").compress_type == zipfile.ZIP_DEFLATED
    assert archive.getinfo("two.zip").compress_type == zipfile.ZIP_STORED


def test_the_same_content_gives_the_same_bytes() -> None:
    assert b"".join(zip_chunks(ENTRIES)) == b"".join(zip_chunks(iter(ENTRIES)))


def test_nothing_is_asked_for_before_there_is_room_for_it() -> None:
    """What comes later is made later: an archive never waits in memory."""
    asked: list[int] = []

    def content(number: int) -> Iterator[bytes]:
        asked.append(number)
        yield bytes([number]) * 100_000

    chunks = zip_chunks((f"{number}.zip", content(number)) for number in range(5))
    next(chunks)
    assert asked == [0]
    assert len(b"".join(chunks)) > 400_000
    assert asked == [0, 1, 2, 3, 4]


def test_a_long_file_is_sent_while_it_is_made() -> None:
    made: list[int] = []

    def content() -> Iterator[bytes]:
        for number in range(20):
            made.append(number)
            yield bytes([number]) * 100_000

    next(zip_chunks([("long.zip", content())]))
    assert len(made) < 3
