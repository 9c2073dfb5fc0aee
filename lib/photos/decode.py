"""From the bytes of a photo to pixels the right way up, within a known memory budget."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lib.photos import jpeg, png
from lib.photos.facts import TARGET
from lib.photos.identify import Header, inspect, refusal

# EXIF orientation → how to turn the stored picture.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Rows that are converted at a time: colours are changed strip by strip, so that no second full picture is
# needed.
_STRIP_ROWS = 64
# The budget of lib.photos.identify holds for one photo, so photos are decoded one at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Decoded:
    """`image` is RGB and the right way up, maybe reduced; `width`, `height` are those of the full photo."""

    image: Image.Image
    width: int
    height: int


def decode(data: bytes, target: int = TARGET, *, filename: str = "", header: Header | None = None) -> Decoded:
    """Decode a photo to RGB, its short side at least `target` pixels, or its full size if it has fewer.

    A JPEG is decoded at a reduced scale (`draft`), other formats whole and then averaged down by an integer
    factor. Transparency is laid on white, the orientation applied, embedded colour profiles are not.
    `target` above 512 may take more memory than the header was checked for. Raises Problem 422 for a
    truncated or undecodable photo, and all problems of `inspect`, which runs first unless its result is
    given as `header`.
    """
    header = header or inspect(data, filename)
    damaged = refusal(
        422,
        "photo-damaged",
        filename,
        "it cannot be decoded: its data is damaged or cut short. Send it again",
    )
    with _one_at_a_time:
        try:
            image = _pixels(data, header, target)
        # Decoders raise whatever they like on crafted input (OSError, SyntaxError, ValueError, struct.error,
        # MemoryError …); all of it means the same to the sender.
        except Exception:
            raise damaged from None
    if header.orientation in _TURNS:
        image = image.transpose(_TURNS[header.orientation])
    return Decoded(image, header.width, header.height)


def _pixels(data: bytes, header: Header, target: int) -> Image.Image:
    """The stored picture as RGB, reduced, not yet turned."""
    if header.format == "heic":
        return _heic(data, header, target)
    # The plugin classes are called directly, and see nothing but the picture: Image.open would try other
    # formats, open every frame of an MPO, and unpack text and EXIF of any size.
    source: Any
    if header.format == "jpeg":
        source = JpegImageFile(BytesIO(jpeg.pixels_only(data, header.end)))
    elif header.format == "png":
        source = PngImageFile(BytesIO(png.pixels_only(data)))
    else:
        source = WebPImageFile(BytesIO(data[: header.end]))
    image: Image.Image
    with source as image:
        stored = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
        if image.size != stored:
            raise ValueError("the decoder reads another size than the header check")
        if header.format == "jpeg":
            image.draft(image.mode, (target, target))
        image.load()
        return _small_rgb(image, min(image.size) // target)


def _small_rgb(image: Image.Image, factor: int) -> Image.Image:
    """RGB on white, averaged over `factor` × `factor` pixels."""
    factor = max(1, factor)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.reduce(factor) if factor > 1 else image.copy()
    width, height = image.size
    result = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, _STRIP_ROWS // factor)
    for top in range(0, height, rows):
        strip = _rgb(image.crop((0, top, width, min(height, top + rows))))
        result.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return result


def _rgb(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes as RGB; Pillow itself would clip 16-bit greys to white."""
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.uint32) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _heic(data: bytes, header: Header, target: int) -> Image.Image:
    """libheif turns the picture itself; its memory is read in strips, without a second full copy."""
    import pillow_heif  # 46 ms and 12 MB, so only when a HEIC comes

    pillow_heif.options.DECODE_THREADS = 1  # each thread would hold a tile of its own
    source = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
    picture = source[source.primary_index]
    if tuple(picture.size) != (header.width, header.height):
        raise ValueError("the decoder reads another size than the header check")
    width, height = picture.size
    factor = max(1, min(width, height) // target)
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8:
        pixels = (pixels >> 8).astype(np.uint8)
    result = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, _STRIP_ROWS // factor)
    for top in range(0, height, rows):
        strip = _rgb(Image.fromarray(np.ascontiguousarray(pixels[top : top + rows, :width])))
        result.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return result
