"""What part of a photo the model sees, and in which numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib.classifier import folder, preprocess
from tests.lib.classifier.conftest import MakeFolder


@pytest.fixture
def card(make_folder: MakeFolder) -> folder.Card:
    return folder.read(make_folder())


def test_a_wide_photo_is_seen_in_its_middle(card: folder.Card) -> None:
    assert preprocess.seen_box(400, 200, card) == (100, 0, 300, 200)
    assert preprocess.seen_box(200, 400, card) == (0, 100, 200, 300)


def test_a_larger_short_side_leaves_a_margin(make_folder: MakeFolder) -> None:
    card = folder.read(make_folder(resize={"short_side": 40, "resample": "bilinear"}))
    assert preprocess.seen_box(80, 80, card) == (8, 8, 72, 72)


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_the_box_lies_inside_any_photo_and_keeps_proportions(width: int, height: int) -> None:
    card = folder.parse(
        {
            "name": "x",
            "version": "1",
            "input_size": [32, 32],
            "mean": [0, 0, 0],
            "std": [1, 1, 1],
            "resize": {"short_side": 36, "resample": "bicubic"},
            "crop": "center",
            "temperature": 1,
            "prior": [1],
            "sha256": {},
        }
    )
    left, top, right, bottom = preprocess.seen_box(width, height, card)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left == pytest.approx(bottom - top)


def test_the_numbers_are_normalised_and_channels_come_first(card: folder.Card) -> None:
    tensor = preprocess.tensor(Image.new("RGB", (64, 48), (255, 0, 127)), card)
    assert tensor.shape == (1, 3, 32, 32)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor[0, :, 5, 5] == pytest.approx([1.0, -1.0, 127 / 127.5 - 1], abs=1e-6)


def test_the_middle_is_what_counts(card: folder.Card) -> None:
    photo = Image.new("RGB", (300, 100), (255, 0, 0))
    photo.paste((0, 0, 255), (100, 0, 200, 100))
    assert preprocess.tensor(photo, card)[0, :, 8:24, 8:24].mean((1, 2)) == pytest.approx(
        [-1, -1, 1], abs=0.01
    )


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "I;16"])
def test_every_mode_of_photo_is_taken(card: folder.Card, mode: str) -> None:
    assert np.isfinite(preprocess.tensor(Image.new(mode, (50, 50)), card)).all()


def test_the_photo_itself_is_left_alone(card: folder.Card) -> None:
    photo = Image.new("RGB", (64, 64), (1, 2, 3))
    before = photo.tobytes()
    preprocess.tensor(photo, card)
    assert photo.tobytes() == before


def test_shrinking_averages_instead_of_skipping(card: folder.Card) -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    seen = preprocess.tensor(Image.fromarray(stripes), card)
    assert np.abs(seen).max() < 0.02
