"""What the bytes of a photo say of it, by the names of the columns."""

from __future__ import annotations

from dataclasses import fields

import pytest

from lib.photos.decode import decode
from lib.photos.examine import examine
from lib.photos.identify import inspect
from lib.store.records import NewPhoto
from tests.lib.photos import samples


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_it_says_of_a_photo_what_its_bytes_say(kind: str) -> None:
    data = samples.good_photos()[kind]
    header = inspect(data, "a photo")
    found = examine(data, header, decode(data, header=header))
    assert set(found) <= {field.name for field in fields(NewPhoto)}
    assert (found["width"], found["height"]) == (header.width, header.height)
    assert (found["file_size_bytes"], found["media_type"]) == (len(data), f"image/{kind}")
    assert found["low_resolution"] == (min(header.width, header.height) < 224)
    assert 0 <= found["quality_score"] <= 1
    assert len(bytes.fromhex(found["fingerprint"])) == 32
