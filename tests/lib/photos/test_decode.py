"""Pixels the right way up, from every format and mode, within a known memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.photos import decode as module
from lib.photos.decode import decode
from lib.photos.identify import inspect
from lib.problems import Problem
from tests.lib.photos import samples

ROOT = Path(__file__).resolve().parents[3]
# EXIF orientation → how the upright picture is turned to be stored that way.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def assert_upright(image: Image.Image) -> None:
    width, height = image.size
    for colour, x, y in (
        (samples.RED, 1, 1),
        (samples.GREEN, 3, 1),
        (samples.BLUE, 1, 3),
        (samples.YELLOW, 3, 3),
    ):
        seen = np.array(image.getpixel((x * width // 4, y * height // 4)), dtype=int)
        assert np.abs(seen - colour).max() < 40


@pytest.mark.parametrize("name", samples.good_photos())
def test_it_decodes_every_kind_of_photo(name: str) -> None:
    decoded = decode(samples.good_photos()[name])
    assert decoded.image.mode == "RGB"
    assert decoded.image.size == (decoded.width, decoded.height)
    expected = samples.picture(200, 160)
    if (decoded.width, decoded.height) == (160, 200):
        expected = expected.transpose(Image.Transpose.ROTATE_270)
    if name in ("jpeg grey", "png grey 16", "png one bit"):
        return
    apart = np.asarray(decoded.image, dtype=int) - np.asarray(expected)
    assert np.abs(apart).mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_it_applies_the_orientation(kind: str, orientation: int) -> None:
    upright = samples.quarters(320, 240)
    turn = STORED_AS[orientation]
    stored = upright.transpose(turn) if turn is not None else upright
    data = samples.save(stored, kind, exif=samples.exif(orientation=orientation))
    decoded = decode(data)
    assert (decoded.width, decoded.height) == (320, 240)
    assert_upright(decoded.image)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_applies_the_orientation_of_heic_once(orientation: int) -> None:
    """libheif turns by the file's own properties; the EXIF value must not turn again."""
    upright = samples.quarters(320, 240)
    turn = STORED_AS[orientation]
    stored = upright.transpose(turn) if turn is not None else upright
    decoded = decode(samples.heic(stored, samples.exif(orientation=orientation)))
    assert (decoded.width, decoded.height) == (320, 240)
    assert_upright(decoded.image)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(3000, 2000), (2000, 3000), (1030, 1029), (600, 5000)])
def test_it_reduces_to_no_less_than_the_target(kind: str, size: tuple[int, int]) -> None:
    decoded = decode(samples.save(samples.quarters(*size), kind))
    assert (decoded.width, decoded.height) == size
    assert 512 <= min(decoded.image.size) < 1100
    assert_upright(decoded.image)
    assert decoded.image.width / decoded.image.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_it_reduces_heic_in_strips() -> None:
    decoded = decode(samples.heic(samples.quarters(2100, 1500), tile=512))
    assert (decoded.width, decoded.height) == (2100, 1500)
    assert decoded.image.size == (1050, 750)
    assert_upright(decoded.image)


def test_a_small_target_gives_a_small_picture() -> None:
    image = decode(samples.save(samples.picture(1200, 900), "JPEG"), 128).image
    assert 128 <= min(image.size) < 256


def test_transparency_is_laid_on_white() -> None:
    for mode in ("RGBA", "LA"):
        clear = Image.new(mode, (1200, 1100), 0)
        image = decode(samples.save(clear, "PNG")).image
        assert image.getextrema() == ((255, 255), (255, 255), (255, 255))
    palette = Image.new("P", (200, 200), 3)
    palette.putpalette([0, 0, 0] * 4)
    image = decode(samples.save(palette, "PNG", transparency=3)).image
    assert image.getextrema() == ((255, 255), (255, 255), (255, 255))
    half = decode(samples.heic(Image.new("RGBA", (200, 200), (0, 0, 0, 0)))).image
    assert min(low for low, _ in half.getextrema()) > 245


def test_sixteen_bit_greys_keep_their_brightness() -> None:
    ramp = np.linspace(0, 65535, 1200 * 1200, dtype=np.uint16).reshape(1200, 1200)
    image = decode(samples.save(Image.fromarray(ramp), "PNG")).image
    grey = np.asarray(image)[..., 0]
    assert grey.min() <= 2
    assert grey.max() >= 252
    assert abs(float(grey.mean()) - 127) < 2


def test_palette_colours_are_averaged_as_colours() -> None:
    """Averaging the numbers of palette entries would give colours that are nowhere in the picture."""
    stripes = Image.new("P", (2048, 2048))
    stripes.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    pixels = np.zeros((2048, 2048), dtype=np.uint8)
    pixels[:, ::2] = 2
    stripes.putdata(pixels.ravel())
    image = decode(samples.save(stripes, "PNG")).image
    red, green, blue = image.getpixel((100, 100))  # type: ignore[misc]
    assert green == 0
    assert 120 <= red <= 135
    assert 120 <= blue <= 135


@pytest.mark.parametrize(
    "kind", ["jpeg", "jpeg progressive", "png", "png palette", "webp", "webp lossless", "heic"]
)
def test_a_cut_file_is_refused_wherever_it_is_cut(kind: str) -> None:
    data = samples.good_photos()[kind]
    for end in {1, len(data) // 4, len(data) // 2, len(data) * 9 // 10, len(data) - 20, len(data) - 3}:
        with pytest.raises(Problem) as caught:
            decode(data[:end], filename="a.jpg")
        assert caught.value.status in (415, 422)
        assert "a.jpg" in caught.value.detail


def test_damaged_pixels_are_refused() -> None:
    data = samples.good_photos()["png"]
    broken = data[:33] + samples.png_chunk(b"IDAT", b"\x78\x9c\x01\x00\x02") + samples.png_chunk(b"IEND", b"")
    with pytest.raises(Problem) as caught:
        decode(broken, filename="b.png")
    assert (caught.value.status, caught.value.kind) == (422, "photo-damaged")
    assert "b.png" in caught.value.detail


def test_it_believes_the_decoder_only_when_the_sizes_agree() -> None:
    data = samples.good_photos()["jpeg"]
    header = inspect(samples.save(samples.picture(300, 300), "JPEG"))
    with pytest.raises(Problem):
        decode(data, header=header)
    with pytest.raises(Problem):
        decode(samples.good_photos()["heic"], header=inspect(samples.heic(samples.picture(300, 300))))


def test_text_that_unpacks_to_gigabytes_never_reaches_the_decoder() -> None:
    bomb = b"Comment\0\0" + zlib.compress(bytes(80 * 1024 * 1024), 9)
    data = samples.save(samples.picture(200, 160), "PNG")
    for _ in range(5):
        data = samples.with_png_chunk(data, b"zTXt", bomb)
    assert decode(data).image.size == (200, 160)


def test_an_mpo_of_hundreds_of_pictures_is_one_photo() -> None:
    small = samples.picture(130, 130)
    data = samples.save(small, "MPO", save_all=True, append_images=[small] * 250)
    assert decode(data).image.size == (130, 130)


def test_huge_metadata_is_passed_over() -> None:
    data = samples.save(samples.picture(200, 160), "JPEG")
    for _ in range(100):
        data = samples.with_jpeg_segment(data, 0xE1, b"Exif\0\0II*\0\x08\0\0\0" + b"\xff" * 60_000)
    decoded = decode(data)
    assert decoded.image.size == (200, 160)


def test_photos_are_decoded_one_at_a_time() -> None:
    data = samples.good_photos()["jpeg"]
    done = threading.Event()

    def work() -> None:
        decode(data)
        done.set()

    with module._one_at_a_time:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(0.05)
        assert not done.is_set()
    thread.join(10)
    assert done.is_set()


def test_a_refusal_frees_the_decoder() -> None:
    for _ in range(2):
        with pytest.raises(Problem):
            decode(samples.bad_photos()["cut heic"][0])
    assert decode(samples.good_photos()["heic"]).image.mode == "RGB"


MEASURE = """
import sys
from io import BytesIO
from PIL import Image
from lib.photos.decode import decode
def peak():
    # Not ru_maxrss: a child starts with its parent's.
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
small = BytesIO()
Image.new("RGB", (600, 600)).save(small, "JPEG")
decode(small.getvalue())
data = open(sys.argv[1], "rb").read()
before = peak()
decoded = decode(data)
print(decoded.width, decoded.height, round(peak() - before, 1))
"""


def test_48_megapixels_cost_less_than_30_megabytes(tmp_path: Path) -> None:
    """In a process of its own, because the high-water mark never falls."""
    photo = tmp_path / "large.jpg"
    samples.picture(8000, 6000).save(photo, "JPEG", quality=90)
    command = [sys.executable, "-c", MEASURE, str(photo)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    width, height, cost = done.stdout.split()
    assert (width, height) == ("8000", "6000")
    assert 0 < float(cost) < 30


def test_heif_is_loaded_only_for_heic() -> None:
    code = (
        "import sys, io; from PIL import Image; from lib.photos import decode, quality, duplicates, thumbnail;"
        "b = io.BytesIO(); Image.new('RGB', (200, 200)).save(b, 'JPEG'); decode.decode(b.getvalue());"
        "print('pillow_heif' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_result_holds_no_open_file() -> None:
    image = decode(samples.good_photos()["jpeg"]).image
    assert type(image) is Image.Image
    out = BytesIO()
    image.save(out, "PNG")
    assert "exif" not in Image.open(BytesIO(out.getvalue())).info
