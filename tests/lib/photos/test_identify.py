"""What comes in and what does not, by content alone, and how refusals are worded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.photos import identify
from lib.photos.identify import inspect, shown_name, sniff
from lib.problems import Problem
from tests.lib.photos import samples


@pytest.mark.parametrize("name", samples.good_photos())
def test_it_takes_every_kind_of_photo(name: str) -> None:
    header = inspect(samples.good_photos()[name], "x.bin")
    assert header.format == name.split()[0]
    assert {header.width, header.height} == {200, 160}
    assert header.low_resolution


@pytest.mark.parametrize("name", samples.bad_photos())
def test_it_refuses_with_the_name_and_the_reason(name: str) -> None:
    data, status, kind = samples.bad_photos()[name]
    with pytest.raises(Problem) as caught:
        inspect(data, "C:\\fakepath\\畑\u202e.jpg")
    problem = caught.value
    assert (problem.status, problem.kind) == (status, kind)
    assert problem.detail.startswith("“畑.jpg” was not taken: ")
    (error,) = problem.errors
    assert error["field"] == "files"
    assert error["reason"] in problem.detail
    assert not problem.detail.endswith("..")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("avif", "AVIF"),
        ("gif", "GIF"),
        ("zip named jpg", "ZIP archive"),
        ("61 megapixels", "10000×6100 = 61.0 megapixels"),
        ("100 × 100", "100×100 pixels; the shorter side must have at least 128"),
        ("too many bytes", "larger than 10 MB"),
        ("60 megapixels, progressive", "not progressive"),
        ("cut jpeg", "cut short"),
        ("jpeg and zip", "ZIP archive at once"),
    ],
)
def test_it_says_why_in_plain_words(name: str, words: str) -> None:
    with pytest.raises(Problem) as caught:
        inspect(samples.bad_photos()[name][0])
    assert words in caught.value.detail


def test_limits_are_inclusive() -> None:
    assert inspect(samples.jpeg_of_size(10_000, 6_000)).width == 10_000
    assert inspect(samples.save(samples.picture(128, 128), "PNG")).width == 128
    with pytest.raises(Problem):
        inspect(samples.save(samples.picture(127, 300), "PNG"))
    photo = samples.good_photos()["jpeg"]
    full = photo + bytes(identify.MAX_BYTES - len(photo))
    assert inspect(full).format == "jpeg"
    with pytest.raises(Problem):
        inspect(full + b"\0")


def test_low_resolution_is_flagged_below_224() -> None:
    assert not inspect(samples.save(samples.picture(400, 224), "JPEG")).low_resolution
    assert inspect(samples.save(samples.picture(400, 223), "JPEG")).low_resolution


def test_the_header_gives_the_size_the_right_way_up() -> None:
    for orientation in range(1, 9):
        block = samples.exif(orientation=orientation)
        header = inspect(samples.save(samples.picture(300, 200), "JPEG", exif=block))
        assert (header.width, header.height) == ((200, 300) if orientation >= 5 else (300, 200))
        assert header.orientation == orientation


def test_name_and_extension_do_not_count() -> None:
    header = inspect(samples.good_photos()["png"], "photo.heic")
    assert (header.format, header.extension, header.media_type) == ("png", "png", "image/png")
    assert inspect(samples.good_photos()["jpeg"]).extension == "jpg"


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevm", b"hevs"])
def test_sniff_knows_the_heic_brands(brand: bytes) -> None:
    assert sniff(samples.box(b"ftyp", brand + b"\0\0\0\0mif1" + brand)) == "heic"


def test_sniff_tells_generic_heif_from_avif() -> None:
    assert sniff(samples.box(b"ftyp", b"mif1\0\0\0\0mif1heic")) == "heic"
    assert sniff(samples.box(b"ftyp", b"msf1\0\0\0\0msf1hevc")) == "heic"
    assert sniff(samples.box(b"ftyp", b"mif1\0\0\0\0mif1avif")) is None
    assert sniff(samples.box(b"ftyp", b"mp42\0\0\0\0isom")) is None


@given(
    st.binary(max_size=64), st.sampled_from([b"", b"\xff\xd8\xff", b"RIFF", b"\0\0\0\x18ftyp", b"\x89PNG"])
)
def test_sniff_never_raises(data: bytes, start: bytes) -> None:
    assert sniff(start + data) in {"jpeg", "png", "webp", "heic", None}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("IMG_1.jpg", "IMG_1.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\a b.jpg", "a b.jpg"),
        ("ハコベ 1.jpg", "ハコベ 1.jpg"),
        ("a\0b\r\nSet-Cookie: x.jpg", "abSet-Cookie: x.jpg"),
        ("\u202egpj.exe", "gpj.exe"),
        ("\ud800.jpg", ".jpg"),
        ("", "photo"),
        ("/", "photo"),
        ("\u200b", "photo"),
    ],
)
def test_shown_names_are_clean(given: str, shown: str) -> None:
    assert shown_name(given) == shown


@given(st.text())
def test_shown_names_are_short_and_printable(name: str) -> None:
    shown = shown_name(name)
    assert 1 <= len(shown) <= 80
    assert shown.isprintable()
    shown.encode()
