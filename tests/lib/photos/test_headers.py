"""What the headers of JPEG, PNG, WebP and HEIC say, and headers that lie."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pillow_heif
import pytest

from lib.photos import heif, jpeg, png, webp
from lib.photos.decode import decode
from lib.photos.facts import Animated, Malformed
from tests.lib.photos import samples

MEGAPIXELS_48 = (8000, 6000)


def test_a_large_baseline_jpeg_costs_little() -> None:
    assert jpeg.read(samples.jpeg_of_size(*MEGAPIXELS_48)).decode_bytes < 10e6
    assert jpeg.read(samples.jpeg_of_size(10_000, 6_000)).decode_bytes < 10e6


def test_a_progressive_jpeg_costs_its_coefficients() -> None:
    """Two bytes for each sample: 1.5 samples a pixel in 4:2:0, 3 in 4:4:4."""
    pixels = MEGAPIXELS_48[0] * MEGAPIXELS_48[1]
    part = jpeg.read(samples.jpeg_of_size(*MEGAPIXELS_48, "progressive")).decode_bytes
    full = jpeg.read(samples.jpeg_of_size(*MEGAPIXELS_48, "progressive444")).decode_bytes
    assert part == pytest.approx(3 * pixels, rel=0.05)
    assert full == pytest.approx(6 * pixels, rel=0.05)


def test_a_jpeg_whose_first_scan_lacks_colours_costs_as_much() -> None:
    data = bytearray(samples.jpeg_of_size(*MEGAPIXELS_48))
    scan = data.index(b"\xff\xda")
    data[scan : scan + 14] = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"
    assert jpeg.read(bytes(data)).decode_bytes > 140e6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"), "12 bits"),
        (lambda d: d.replace(b"\xff\xc0", b"\xff\xc3", 1), "rare kind"),
        (lambda d: d.replace(b"\xff\xc0\0\x11", b"\xff\xc0\0\x05", 1), "damaged"),
        (lambda d: samples.with_jpeg_segment(d, 0xC0, d[d.index(b"\xff\xc0") + 4 :][:15]), "two pictures"),
        (lambda d: d[: d.index(b"\xff\xda")] + b"\xff\xd9", "no picture"),
        (lambda d: d[:2] + d[d.index(b"\xff\xda") :], "before its size"),
        (lambda d: d[:2] + b"\xff\xe5\0\x01" + d[2:], "damaged"),
        (lambda d: d[:-2] + d[d.index(b"\xff\xda") : -2] * 65 + b"\xff\xd9", "layers"),
        (lambda d: d[:2] + b"\xff\xfe\0\x02" * 20_001 + d[2:], "too many parts"),
        (lambda d: d[:2], "cut short"),
        (lambda d: d[:4], "cut short"),
        (lambda d: d[: d.index(b"\xff\xda") + 40], "cut short"),
    ],
)
def test_lying_jpegs_are_refused(change: object, words: str) -> None:
    data = samples.save(samples.picture(160, 160), "JPEG")
    with pytest.raises(Malformed, match=words):
        jpeg.read(change(data))  # type: ignore[operator]


def frame(width: int = 160, height: int = 160, parts: bytes = b"\x01\x22\0\x02\x11\1\x03\x11\1") -> bytes:
    return struct.pack(">BHHB", 8, height, width, len(parts) // 3) + parts


@pytest.mark.parametrize(
    "body",
    [frame(0), frame(height=0), frame(parts=b""), frame(parts=b"\1\x11\0\2\x11\0"), frame(parts=b"\1\0\0")],
)
def test_impossible_jpeg_frames_are_refused(body: bytes) -> None:
    data = samples.with_jpeg_segment(b"\xff\xd8\xff\xd9", 0xC0, body)
    with pytest.raises(Malformed, match="damaged"):
        jpeg.read(data)


def test_junk_and_fill_between_jpeg_segments_are_passed_over() -> None:
    data = samples.save(samples.picture(160, 160), "JPEG")
    assert jpeg.read(data[:2] + b"\0junk\xff\xff\xff\x01" + data[2:]).width == 160


def test_pixels_only_leaves_out_the_metadata() -> None:
    plain = samples.save(samples.picture(160, 160), "JPEG")
    data = samples.with_jpeg_segment(plain, 0xE1, b"Exif\0\0secret")
    data = samples.with_jpeg_segment(data, 0xFE, b"secret") + b"trailer"
    assert jpeg.pixels_only(data, jpeg.read(data).end) == plain
    plain = samples.save(samples.picture(160, 160), "PNG")
    assert png.pixels_only(samples.with_png_chunk(plain, b"tEXt", b"a\0secret") + b"trailer") == plain


@pytest.mark.parametrize(
    ("mode", "bytes_a_pixel"), [("1", 1), ("L", 1), ("P", 1), ("I;16", 2), ("LA", 4), ("RGB", 4), ("RGBA", 4)]
)
def test_a_png_costs_its_pixels(mode: str, bytes_a_pixel: int) -> None:
    image = samples.picture(2048, 2048)
    image = (
        image.quantize(8) if mode == "P" else (image.convert("L") if mode == "I;16" else image).convert(mode)
    )
    facts = png.read(samples.save(image, "PNG"))
    reduced = 2 * 4 * 512 * 512
    assert facts.decode_bytes == bytes_a_pixel * 2048 * 2048 + reduced


def rewritten(data: bytes, header: bytes) -> bytes:
    return data[:8] + samples.png_chunk(b"IHDR", header) + data[33:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: rewritten(d, struct.pack(">IIBBBBB", 0, 9, 8, 2, 0, 0, 0)), "damaged"),
        (lambda d: rewritten(d, struct.pack(">IIBBBBB", 9, 9, 3, 2, 0, 0, 0)), "damaged"),
        (lambda d: rewritten(d, struct.pack(">IIBBBBB", 9, 9, 8, 5, 0, 0, 0)), "damaged"),
        (lambda d: rewritten(d, b"short"), "damaged"),
        (lambda d: d[:8] + d[33:], "damaged"),
        (lambda d: d[:33] + d[8:], "two pictures"),
        (lambda d: d[:33] + samples.png_chunk(b"IEND", b""), "no picture"),
        (lambda d: d[:50] + bytes([d[50] ^ 1]) + d[51:], "damaged"),
        (lambda d: d[:8], "cut short"),
        (lambda d: d[:-12], "cut short"),
        (lambda d: d[:33] + samples.png_chunk(b"teXt", b"") * 100_001 + d[33:], "too many parts"),
    ],
)
def test_lying_pngs_are_refused(change: object, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        png.read(change(samples.save(samples.picture(160, 160), "PNG")))  # type: ignore[operator]


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    return kind + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


VP8 = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", 300, 200)
VP8L = b"\x2f" + struct.pack("<I", 299 | 199 << 14)


def extended(width: int, height: int, flags: int = 0) -> bytes:
    return chunk(
        b"VP8X",
        bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
    )


def test_the_three_kinds_of_webp() -> None:
    for data in (
        riff(chunk(b"VP8 ", VP8)),
        riff(chunk(b"VP8L", VP8L)),
        riff(extended(300, 200), chunk(b"ALPH", b"x"), chunk(b"VP8 ", VP8), chunk(b"XMP ", b"<x/>")),
    ):
        facts = webp.read(data)
        assert (facts.width, facts.height, facts.end) == (300, 200, len(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (riff(chunk(b"VP8 ", VP8))[:-1], "cut short"),
        (riff(chunk(b"VP8 ", VP8, 500)), "cut short"),
        (riff(chunk(b"VP8 ", VP8[:5])), "damaged"),
        (riff(chunk(b"VP8 ", b"\x10\0\0\x9d\x01\x2a\0\0\0\0")), "damaged"),
        (riff(chunk(b"VP8L", b"\x2e" + VP8L[1:])), "damaged"),
        (riff(chunk(b"VP8X", b"abc")), "damaged"),
        (riff(extended(301, 200), chunk(b"VP8 ", VP8)), "two different sizes"),
        (riff(chunk(b"VP8 ", VP8), chunk(b"VP8L", VP8L)), "two pictures"),
        (riff(chunk(b"XMP ", b"")), "no picture"),
        (riff(*[chunk(b"XMP ", b"")] * 1001), "too many parts"),
    ],
)
def test_lying_webps_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        webp.read(data)


@pytest.mark.parametrize(
    "data", [riff(extended(300, 200, 2), chunk(b"VP8 ", VP8)), riff(chunk(b"ANMF", b""))]
)
def test_moving_webps_are_named(data: bytes) -> None:
    with pytest.raises(Animated):
        webp.read(data)


def test_heic_sizes_tiles_and_turns() -> None:
    for tile in (0, 128):
        facts = heif.read(samples.heic(samples.picture(400, 300), tile=tile))
        assert (facts.width, facts.height, facts.turned) == (400, 300, False)
        block = samples.exif("2025:08:24 06:30:00", orientation=8)
        facts = heif.read(samples.heic(samples.picture(400, 300), block, tile))
        assert (facts.width, facts.height, facts.turned) == (400, 300, True)
        assert facts.exif is not None
        assert b"2025:08:24" in facts.exif


@pytest.mark.parametrize("tile", [0, 128])
@pytest.mark.parametrize("size", [(401, 301), (400, 301), (333, 256)])
def test_a_heic_with_odd_sides(size: tuple[int, int], tile: int) -> None:
    """HEVC pictures have even sides; the rest is cut off by a property."""
    decoded = decode(samples.heic(samples.picture(*size), tile=tile))
    assert (decoded.width, decoded.height) == decoded.image.size == size


def test_a_heic_cut_out_beyond_its_sides_is_refused() -> None:
    data = samples.heic(samples.picture(401, 301))
    shown = struct.pack(">IIII", 401, 1, 301, 1)
    for lie in ((999, 1, 301, 1), (401, 0, 301, 1), (0, 1, 301, 1)):
        with pytest.raises(Malformed, match="damaged"):
            heif.read(data.replace(shown, struct.pack(">IIII", *lie)))


def test_a_heic_costs_its_planes_and_its_depth() -> None:

    plain = heif.read(samples.heic(samples.picture(640, 480)))
    clear = heif.read(samples.heic(samples.picture(640, 480).convert("RGBA")))
    out = BytesIO()
    pixels = (np.asarray(samples.picture(640, 480)).astype(np.uint16) << 8).tobytes()
    pillow_heif.encode("RGB;16", (640, 480), pixels, out, quality=50)
    deep = heif.read(out.getvalue())
    assert plain.decode_bytes < clear.decode_bytes < deep.decode_bytes


def test_the_coded_size_counts_when_a_heic_says_it_is_smaller() -> None:
    """A small `ispe` in front of large coded pictures must not hide what decoding costs."""
    data = samples.heic(samples.picture(1600, 1200))
    small = data.replace(struct.pack(">II", 1600, 1200), struct.pack(">II", 160, 130))
    assert small != data
    facts = heif.read(small)
    assert (facts.width, facts.height) == (160, 130)
    assert facts.decode_bytes >= 5 * 1600 * 1200


def test_a_grid_of_another_size_than_it_says_is_refused() -> None:
    data = samples.heic(samples.picture(400, 300), tile=128)
    packed = struct.pack(">HH", 400, 300)
    assert data.count(packed) == 1
    with pytest.raises(Malformed):
        heif.read(data.replace(packed, struct.pack(">HH", 4000, 3000)))


def whole(*boxes: bytes) -> bytes:
    return samples.box(b"ftyp", b"heic\0\0\0\0mif1heic") + b"".join(boxes)


def meta(*boxes: bytes) -> bytes:
    return samples.box(b"meta", b"\0\0\0\0" + b"".join(boxes))


def infe(item: int, kind: bytes, version: int = 2) -> bytes:
    form = ">HH4s" if version == 2 else ">IH4s"
    return samples.box(b"infe", bytes([version, 0, 0, 0]) + struct.pack(form, item, 0, kind) + b"\0\0")


PITM = samples.box(b"pitm", b"\0\0\0\0\0\1")
ISPE = samples.box(b"ispe", b"\0\0\0\0" + struct.pack(">II", 400, 300))


def iinf(*entries: bytes, version: int = 0) -> bytes:
    count = struct.pack(">H" if version == 0 else ">I", len(entries))
    return samples.box(b"iinf", bytes([version, 0, 0, 0]) + count + b"".join(entries))


def iprp(*properties: bytes, associations: bytes = b"\0\0\0\0\0\0\0\1\0\1\1\1") -> bytes:
    return samples.box(
        b"iprp", samples.box(b"ipco", b"".join(properties)) + samples.box(b"ipma", associations)
    )


def test_wide_item_numbers_are_read() -> None:
    pitm = samples.box(b"pitm", b"\1\0\0\0\0\0\0\1")
    wide = iprp(ISPE, associations=b"\1\0\0\1" + struct.pack(">IIBH", 1, 1, 1, 0x8001))
    data = whole(meta(pitm, iinf(infe(1, b"hvc1", 3), infe(2, b"mime", 1), version=1), wide))
    assert (heif.read(data).width, heif.read(data).height) == (400, 300)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (whole(), "cut short"),
        (whole(meta(PITM, iinf(infe(1, b"jpeg")), iprp(ISPE))), "phones do not write"),
        (whole(meta(iinf(infe(1, b"hvc1")), iprp(ISPE))), "phones do not write"),
        (whole(meta(PITM, iinf(infe(1, b"hvc1")))), "damaged"),
        (whole(meta(PITM, iinf(infe(1, b"hvc1")), iprp(ISPE.replace(b"\1\x90", b"\0\0")))), "damaged"),
        (whole(meta(PITM, iinf(infe(1, b"hvc1")), iprp(ISPE, samples.box(b"hvcC", b"\1")))), "damaged"),
        (whole(meta(PITM, iinf(infe(1, b"grid")), iprp(ISPE))), "damaged"),
        (whole(meta(samples.box(b"pitm", b""))), "damaged"),
        (whole(meta(samples.box(b"iloc", b"\0\0\0\0\x44\0\xff\xff"))), "too many parts"),
        (whole(meta(samples.box(b"iloc", b"\0\0\0\0\x44\0\0\1\0\1"))), "damaged"),
        (whole(meta(struct.pack(">I4s", 3, b"free"))), "damaged"),
        (whole(meta(struct.pack(">I4s", 300, b"free"))), "cut short"),
        (whole(meta(*[samples.box(b"free", b"")] * 2001)), "too many parts"),
        (whole(struct.pack(">I4s", 9999, b"mdat")), "cut short"),
        (whole(struct.pack(">I4sQ", 1, b"mdat", 99999)), "cut short"),
        (whole(struct.pack(">I4s", 1, b"mdat")), "damaged"),
        (whole(struct.pack(">I4s", 4, b"free") + bytes(9)), "no picture"),
    ],
)
def test_lying_heics_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        heif.read(data)


def test_a_last_box_may_run_to_the_end() -> None:
    ok = whole(meta(PITM, iinf(infe(1, b"hvc1")), iprp(ISPE)))
    assert heif.read(ok + struct.pack(">I4s", 0, b"mdat") + bytes(50)).end == len(ok) + 58


def parameter_set(layers: int = 0, chroma: int = 1, width: int = 4096, height: int = 3072) -> bytes:
    """An HEVC sequence parameter set up to the size."""

    def golomb(value: int) -> str:
        return "0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}"

    bits = "0000" + f"{layers:03b}" + "1" + "0" * 96
    if layers:
        bits += "11" * layers + "00" * (8 - layers) + "0" * 96 * layers
    bits += golomb(0) + golomb(chroma) + ("0" if chroma == 3 else "") + golomb(width) + golomb(height)
    bits += "1" * (-len(bits) % 8)
    raw = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return b"\x42\x01" + raw.replace(b"\0\0\0", b"\0\0\3\0")


@pytest.mark.parametrize(("layers", "chroma"), [(0, 1), (2, 1), (0, 3), (6, 0)])
def test_the_size_in_a_parameter_set(layers: int, chroma: int) -> None:
    assert heif._sequence_size(parameter_set(layers, chroma)) == 4096 * 3072


def test_an_endless_number_in_a_parameter_set_is_refused() -> None:
    with pytest.raises(Malformed):
        heif._sequence_size(b"\x42\x01" + bytes(150))
