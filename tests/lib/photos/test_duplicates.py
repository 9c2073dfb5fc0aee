"""Near-duplicates of real photos are found, different plants are kept apart, and order does not matter."""

from __future__ import annotations

import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter

from lib.photos.decode import decode
from lib.photos.duplicates import BITS, MOST_BITS_APART, Item, cluster, fingerprint, similarity
from lib.photos.quality import assess
from tests.lib.photos import samples


def recompressed(image: Image.Image, quality: int = 40) -> Image.Image:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = image.size
    return image.crop(
        (
            round(left * width),
            round(top * height),
            round(width - right * width),
            round(height - bottom * height),
        )
    )


def turned(image: Image.Image, degrees: float) -> Image.Image:
    return cropped(image.rotate(degrees, Image.Resampling.BICUBIC), 0.035, 0.035, 0.035, 0.035)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": recompressed,
    "halved": lambda i: i.resize((i.width // 2, i.height // 2)),
    "enlarged": lambda i: i.resize((i.width * 3, i.height * 3)),
    "cropped 3 %": lambda i: cropped(i, 0.03, 0.03, 0.03, 0.03),
    "shifted 3 %": lambda i: cropped(i, 0.03, 0, 0, 0.03),
    "15 % brighter": lambda i: ImageEnhance.Brightness(i).enhance(1.15),
    "15 % darker": lambda i: ImageEnhance.Brightness(i).enhance(0.85),
    "turned by 2°": lambda i: turned(i, 2),
    "turned by −2°": lambda i: turned(i, -2),
}


def at_distance(bits: int, base: int = 0) -> str:
    """A fingerprint so many bits away from the base."""
    return f"{base ^ ((1 << bits) - 1):064x}"


@pytest.fixture(scope="session")
def real_photos(photos_dir: Path) -> list[tuple[str, Image.Image]]:
    """Ten photos of each species."""
    pick = random.Random(11)
    return [
        (folder.name, decode(path.read_bytes()).image)
        for folder in sorted(photos_dir.iterdir())
        for path in pick.sample(sorted(folder.glob("*.jpg")), 10)
    ]


@pytest.mark.photos
@pytest.mark.parametrize("name", COPIES)
def test_copies_of_real_photos_are_found(real_photos: list[tuple[str, Image.Image]], name: str) -> None:
    found = [
        similarity(fingerprint(image), fingerprint(COPIES[name](image))) >= 1 - MOST_BITS_APART / BITS
        for _, image in real_photos
    ]
    assert sum(found) >= 0.98 * len(found)


@pytest.mark.photos
def test_different_plants_are_kept_apart(real_photos: list[tuple[str, Image.Image]]) -> None:
    prints = [(species, fingerprint(image)) for species, image in real_photos]
    close = [
        (a, b)
        for index, (a, one) in enumerate(prints)
        for b, other in prints[index + 1 :]
        if similarity(one, other) >= 1 - MOST_BITS_APART / BITS
    ]
    assert [pair for pair in close if pair[0] != pair[1]] == []
    assert len(close) <= 2


@pytest.mark.photos
def test_a_burst_is_one_cluster_with_its_sharpest_photo(real_photos: list[tuple[str, Image.Image]]) -> None:
    first, second = real_photos[20][1], real_photos[70][1]
    burst = [
        first.filter(ImageFilter.GaussianBlur(1)),
        first,
        cropped(first.filter(ImageFilter.GaussianBlur(1.5)), 0.02, 0.02, 0, 0),
        second,
    ]
    items = [Item(i, fingerprint(image), assess(image).score) for i, image in enumerate(burst)]
    assert [(m.cluster_id, m.is_representative) for m in cluster(items)] == [
        (0, False),
        (0, True),
        (0, False),
        (3, True),
    ]


def test_fingerprints_are_256_bits_of_hex() -> None:
    text = fingerprint(samples.picture())
    assert len(text) == 64
    int(text, 16)
    assert fingerprint(samples.picture()) == text


def test_grey_photos_are_told_apart_by_brightness() -> None:
    """Without colour, two thirds of the bits would be equal for any two photos."""
    prints = [fingerprint(samples.picture(300, 300, seed).convert("L").convert("RGB")) for seed in range(12)]
    pairs = [similarity(a, b) for i, a in enumerate(prints) for b in prints[i + 1 :]]
    assert max(pairs) < 1 - MOST_BITS_APART / BITS
    grey = samples.picture(300, 300).convert("L").convert("RGB")
    assert similarity(prints[0], fingerprint(recompressed(grey, 60))) > 0.9


def test_plain_pictures_have_a_fingerprint() -> None:
    black, white = (fingerprint(Image.new("RGB", (200, 200), c)) for c in ("black", "white"))
    assert similarity(black, white) == 1.0


def test_similarity_is_the_share_of_equal_bits() -> None:
    assert similarity(at_distance(0), at_distance(0)) == 1.0
    assert similarity(at_distance(0), at_distance(64)) == 0.75
    assert similarity(at_distance(0), at_distance(256)) == 0.0


def test_the_threshold_is_inclusive() -> None:
    for bits, clusters in ((MOST_BITS_APART, 1), (MOST_BITS_APART + 1, 2)):
        members = cluster([Item(1, at_distance(0), 0.9), Item(2, at_distance(bits), 0.5)])
        assert len({m.cluster_id for m in members}) == clusters


def test_a_row_of_overlapping_photos_is_not_one_thing() -> None:
    """Each photo resembles the next, the first and the last have nothing in common."""
    row = [Item(i, at_distance(i * 60), 0.5) for i in range(5)]
    members = cluster(row)
    assert len({m.cluster_id for m in members}) == 3
    assert all(m.similarity_score >= 1 - MOST_BITS_APART / BITS for m in members)


def test_ties_go_to_the_smaller_id() -> None:
    members = cluster(
        [Item(9, at_distance(3), 0.5), Item(4, at_distance(0), 0.5), Item(7, at_distance(5), 0.4)]
    )
    assert [(m.id, m.cluster_id, m.is_representative) for m in members] == [
        (4, 4, True),
        (7, 4, False),
        (9, 4, False),
    ]
    assert members[2].similarity_score == 1 - 3 / 256


def test_no_photos_no_clusters() -> None:
    assert cluster([]) == []


@st.composite
def some_items(draw: st.DrawFn) -> list[Item]:
    bases = draw(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=4))
    count = draw(st.integers(1, 25))
    return [
        Item(
            index * 3 + 1,
            f"{draw(st.sampled_from(bases)) ^ ((1 << draw(st.integers(0, 120))) - 1):064x}",
            draw(st.sampled_from([0.1, 0.5, 0.5, 0.9])),
        )
        for index in range(count)
    ]


@given(some_items(), st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_the_order(items: list[Item], pick: random.Random) -> None:
    members = cluster(items)
    shuffled = items[:]
    pick.shuffle(shuffled)
    assert cluster(shuffled) == members
    by_id = {item.id: item for item in items}
    assert [m.id for m in members] == sorted(by_id)
    for name in {m.cluster_id for m in members}:
        inside = [m for m in members if m.cluster_id == name]
        (best,) = [m for m in inside if m.is_representative]
        assert name == min(m.id for m in inside)
        assert best.similarity_score == 1.0
        assert by_id[best.id].quality == max(by_id[m.id].quality for m in inside)
        for member in inside:
            apart = similarity(by_id[best.id].fingerprint, by_id[member.id].fingerprint)
            assert member.similarity_score == apart >= 1 - MOST_BITS_APART / BITS
