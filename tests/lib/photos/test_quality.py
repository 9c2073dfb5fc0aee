"""Scores that tell a sharp, well-lit photo from a bad one, whatever camera took it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter

from lib.photos.decode import decode
from lib.photos.quality import assess
from tests.lib.photos import samples


def detailed(width: int = 800, height: int = 600) -> Image.Image:
    pixels = np.random.default_rng(3).integers(60, 200, (height // 4, width // 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def test_the_formulas_on_a_picture_computed_by_hand() -> None:
    """A checkerboard of single pixels at the working size: every inner Laplacian is ±4 × 100."""
    board = np.indices((256, 256)).sum(axis=0) % 2 * 100 + 50
    quality = assess(Image.fromarray(board.astype(np.uint8)).convert("RGB"))
    assert quality.blur_score == pytest.approx(400**2)
    assert quality.brightness_mean == pytest.approx(100)
    assert quality.contrast_std == pytest.approx(50)
    assert quality.exposure_score == 1.0
    assert quality.score == pytest.approx(0.6 * 160000 / 160200 + 0.25 + 0.15)


def test_exposure_is_the_share_with_detail() -> None:
    pixels = np.full((256, 256), 128, dtype=np.uint8)
    pixels[:64] = 255
    pixels[64:96] = 3
    quality = assess(Image.fromarray(pixels).convert("RGB"))
    assert quality.exposure_score == pytest.approx(1 - 96 / 256)


def test_blurring_lowers_the_score_step_by_step() -> None:
    image = detailed()
    scores = [assess(image.filter(ImageFilter.GaussianBlur(r))) for r in (0, 2, 4, 8)]
    assert sorted((q.blur_score for q in scores), reverse=True) == [q.blur_score for q in scores]
    assert sorted((q.score for q in scores), reverse=True) == [q.score for q in scores]
    assert scores[-1].blur_score < scores[0].blur_score / 20


def test_over_and_underexposure_lower_the_score() -> None:
    image = detailed()
    good = assess(image)
    for factor in (0.03, 3.0):
        bad = assess(ImageEnhance.Brightness(image).enhance(factor))
        assert bad.exposure_score < 0.6 < good.exposure_score
        assert bad.score < good.score


def test_scores_compare_across_resolutions() -> None:
    image = detailed(2048, 1536)
    whole, half = assess(image), assess(image.reduce(2))
    assert half.blur_score == pytest.approx(whole.blur_score, rel=0.15)
    assert half.brightness_mean == pytest.approx(whole.brightness_mean, abs=0.5)


def test_too_few_pixels_are_flagged_and_score_as_less_sharp() -> None:
    image = detailed(1200, 900)
    small = assess(image.resize((200, 150), Image.Resampling.BOX))
    assert small.low_resolution
    assert not assess(image).low_resolution
    assert small.blur_score < assess(image).blur_score


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 140, 60)])
def test_a_plain_picture_has_neither_detail_nor_contrast(colour: tuple[int, int, int]) -> None:
    quality = assess(Image.new("RGB", (300, 300), colour))
    assert (quality.blur_score, quality.contrast_std) == (0, 0)
    assert quality.score == pytest.approx(0.25 if colour[0] == 90 else 0)


def test_a_long_panorama_is_judged_by_its_middle() -> None:
    quality = assess(samples.picture(20_000, 130))
    assert quality.blur_score > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(128, 700), st.integers(128, 700), st.integers(0, 2**32 - 1))
def test_all_measures_are_finite_and_in_range(width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    quality = assess(Image.fromarray(pixels))
    values = (quality.blur_score, quality.brightness_mean, quality.contrast_std)
    assert all(math.isfinite(v) and v >= 0 for v in values)
    assert 0 <= quality.exposure_score <= 1
    assert 0 <= quality.score <= 1
    assert max(quality.brightness_mean, quality.contrast_std) <= 255


@pytest.mark.photos
def test_real_photos_are_sharper_than_their_blurred_copies(photos_dir: Path) -> None:
    for folder in sorted(photos_dir.iterdir()):
        for path in sorted(folder.glob("*.jpg"))[:5]:
            image = decode(path.read_bytes()).image
            quality = assess(image)
            assert quality.low_resolution
            assert quality.exposure_score > 0.9
            assert quality.score > assess(image.filter(ImageFilter.GaussianBlur(2))).score
