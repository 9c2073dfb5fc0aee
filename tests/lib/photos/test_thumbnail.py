"""Thumbnails: upright, small, and free of everything but pixels."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from lib.photos.thumbnail import WIDTHS, rounded_width, thumbnail
from lib.problems import Problem
from tests.lib.photos import samples


@pytest.mark.parametrize(
    ("asked", "given"),
    [(-5, 160), (1, 160), (160, 160), (161, 320), (700, 1280), (1280, 1280), (10**9, 1280)],
)
def test_widths_round_up(asked: int, given: int) -> None:
    assert rounded_width(asked) == given


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [(3000, 2000), (2000, 3000), (5000, 600)])
def test_it_has_the_width_and_the_shape(width: int, size: tuple[int, int]) -> None:
    small = Image.open(BytesIO(thumbnail(samples.save(samples.picture(*size), "JPEG"), width)))
    assert small.format == "JPEG"
    assert small.width == width
    assert small.height / small.width == pytest.approx(size[1] / size[0], rel=0.03)


def test_it_never_enlarges() -> None:
    assert Image.open(BytesIO(thumbnail(samples.good_photos()["png alpha"], 1280))).size == (200, 160)


def test_a_very_tall_photo_stays_small() -> None:
    small = Image.open(BytesIO(thumbnail(samples.save(samples.picture(130, 6000), "PNG"), 1280)))
    assert small.size == (11, 520)


def test_it_is_upright() -> None:
    stored = samples.quarters(600, 400).transpose(Image.Transpose.ROTATE_90)
    data = samples.save(stored, "JPEG", exif=samples.exif(orientation=6))
    small = Image.open(BytesIO(thumbnail(data, 320))).convert("RGB")
    assert small.width > small.height
    red, green, blue = small.getpixel((40, 40))  # type: ignore[misc]
    assert red > 150 > green + blue


def test_it_carries_no_metadata() -> None:
    block = samples.exif("2025:08:24 06:30:00", "+09:00", gps=True)
    data = samples.save(
        samples.picture(800, 600), "JPEG", exif=block, icc_profile=b"profile" * 30, comment=b"secret"
    )
    assert b"Exif" in data
    small = thumbnail(data, 320)
    assert not any(mark in small for mark in (b"Exif", b"GPS", b"profile", b"secret", b"http", b"ICC"))
    assert Image.open(BytesIO(small)).info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_it_refuses_what_is_no_photo() -> None:
    with pytest.raises(Problem):
        thumbnail(samples.archive(), 160)
