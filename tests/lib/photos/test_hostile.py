"""Random bytes and mutated photos: a photo or a problem, nothing else, and no growth."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.photos.decode import decode
from lib.photos.duplicates import fingerprint
from lib.photos.exif import capture_day
from lib.photos.identify import inspect
from lib.photos.quality import assess
from lib.photos.thumbnail import thumbnail
from lib.problems import Problem
from tests.lib.photos import samples

NOW = datetime(2025, 8, 25, tzinfo=UTC)
STARTS = [
    b"",
    b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"RIFF\xff\0\0\0WEBPVP8 ",
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\xffmeta\0\0\0\0",
]


@cache
def whole() -> list[bytes]:
    return list(samples.good_photos().values())


def take(data: bytes) -> str:
    """The whole way in; answers what happened."""
    try:
        header = inspect(data, "x.jpg")
        capture_day(header.exif, "Asia/Tokyo", None, NOW)
        decoded = decode(data, filename="x.jpg", header=header)
        assert decoded.image.mode == "RGB"
        assert min(decoded.width, decoded.height) >= 128
        assess(decoded.image)
        assert len(fingerprint(decoded.image)) == 64
        thumbnail(data, 160)
    except Problem as refused:
        problem = refused
    else:
        return "taken"
    assert problem.status in (413, 415, 422)
    assert "x.jpg" in problem.detail
    assert problem.errors
    return problem.kind


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=400))
def test_random_bytes_are_refused(start: bytes, data: bytes) -> None:
    assert take(start + data) != "taken"


Change = tuple[str, float, int]
changes = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "cut out", "put in", "large", "end", "repeat"]),
        st.floats(0, 1),
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=6,
)


def mutate(data: bytes, steps: list[Change]) -> bytes:
    mutable = bytearray(data)
    for kind, place, value in steps:
        # The cube puts most changes into the header.
        at = min(len(mutable) - 1, int(len(mutable) * place**3))
        if kind == "set":
            mutable[at] = value & 255
        elif kind == "flip":
            mutable[at] ^= 1 << value % 8
        elif kind == "cut out":
            del mutable[at : at + 1 + value % 40]
        elif kind == "put in":
            mutable[at:at] = value.to_bytes(4, "big")
        elif kind == "large":
            mutable[at : at + 4] = b"\xff\xff\xff\xff" if value % 2 else b"\0\0\0\0"
        elif kind == "end":
            del mutable[max(1, at) :]
        else:
            mutable[at:at] = mutable[at : at + value % 200]
        if not mutable:
            return b"\0"
    return bytes(mutable)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 14), changes)
def test_mutated_photos_are_taken_or_refused(which: int, steps: list[Change]) -> None:
    take(mutate(whole()[which], steps))


@pytest.mark.parametrize("name", samples.good_photos())
def test_whole_photos_go_all_the_way(name: str) -> None:
    assert take(samples.good_photos()[name]) == "taken"
