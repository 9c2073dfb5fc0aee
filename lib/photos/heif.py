"""The header of a HEIC/HEIF photo, read without decoding (ISO/IEC 23008-12 and 14496-12, -15)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from lib.photos.facts import TRUNCATED, Animated, Facts, Malformed, small_copy_bytes

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
GENERIC_BRANDS = frozenset({b"mif1", b"mif2", b"miaf", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
# Measured with libheif 1.23 (one decoding thread): planes in 4:2:0, then colours, 3 bytes a pixel;
# transparency adds a plane and a fourth byte; more than 8 bits double the planes.
BYTES_A_PIXEL = 5
BYTES_OF_ALPHA = 3
BYTES_OF_DEPTH = 4
MOST_BOXES = 2000
MOST_ITEMS = 2000
_DAMAGED = "its header is damaged"
_ALPHA = (b"urn:mpeg:hevc:2015:auxid:1\0", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")


def brands(head: bytes) -> list[bytes]:
    """The major brand and the compatible ones of a file with an `ftyp` box; else an empty list."""
    if head[4:8] != b"ftyp":
        return []
    size = min(int.from_bytes(head[:4], "big"), len(head), 256)
    return [head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))]


@dataclass(slots=True)
class _Meta:
    """What the `meta` box says of the items in the file."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    associations: dict[int, list[int]] = field(default_factory=dict)
    # item → (construction method, [(offset, length)])
    places: dict[int, tuple[int, list[tuple[int, int]]]] = field(default_factory=dict)
    inline: bytes = b""


def read(data: bytes) -> Facts:
    """Sizes, memory need and EXIF of the primary picture; raises Malformed, and Animated for a sequence."""
    meta: _Meta | None = None
    metadata: list[tuple[int, int]] = []
    end = 0
    try:
        for kind, start, stop in _boxes(data, 0, len(data), strict=False):
            end = stop
            if kind == b"moov":
                raise Animated("it is a moving picture (an image sequence)")
            if kind == b"meta" and meta is None:
                meta = _read_meta(data, start, stop)
            if kind != b"mdat":
                metadata.append((start, stop))
    except (struct.error, IndexError):
        raise Malformed(_DAMAGED) from None
    if meta is None:
        raise Malformed(TRUNCATED if end >= len(data) else "it holds no picture")
    for method, extents in meta.places.values():
        if method == 0 and any(offset + length > len(data) for offset, length in extents):
            raise Malformed(TRUNCATED)
    try:
        return _facts(data, meta, end, tuple(metadata))
    except (struct.error, IndexError):
        raise Malformed(_DAMAGED) from None


def _facts(data: bytes, meta: _Meta, end: int, metadata: tuple[tuple[int, int], ...]) -> Facts:
    kind = meta.kinds.get(meta.primary)
    if kind not in (b"hvc1", b"grid"):
        raise Malformed("it holds a kind of picture that phones do not write. Send it as JPEG")
    own = [
        meta.properties[i - 1]
        for i in meta.associations.get(meta.primary, [])
        if 0 < i <= len(meta.properties)
    ]
    size = next((struct.unpack_from(">II", body, 4) for name, body in own if name == b"ispe"), None)
    if not size or not all(size):
        raise Malformed(_DAMAGED)
    width, height = size
    # The coded pictures may be larger than the file says; what the decoder would believe counts.
    if kind == b"grid" and _grid_size(_item(data, meta, meta.primary)) != (width, height):
        raise Malformed("its header is damaged: it gives two different sizes")
    largest, depth = width * height, 8
    for name, body in meta.properties:
        if name == b"hvcC":
            coded, bits = _coded_size(body)
            largest, depth = max(largest, coded), max(depth, bits)
    alpha = any(name == b"auxC" and body[4:].startswith(_ALPHA) for name, body in meta.properties)
    a_pixel = BYTES_A_PIXEL + BYTES_OF_ALPHA * alpha + BYTES_OF_DEPTH * (depth > 8)
    for name, body in own:
        if name == b"clap":  # encoders that need even sides cut an odd picture out of a larger one
            width, height = _clean_aperture(body, width, height)
    quarter_turns = sum(body[0] & 3 for name, body in own if name == b"irot")
    exif_item = next((item for item, name in meta.kinds.items() if name == b"Exif"), None)
    block = _item(data, meta, exif_item) if exif_item is not None else b""
    if len(block) > 4:
        block = block[4 + int.from_bytes(block[:4], "big") :]
    return Facts(
        width,
        height,
        decode_bytes=a_pixel * largest + small_copy_bytes(width, height),
        end=end,
        exif=block or None,
        turned=quarter_turns % 2 == 1,
        metadata=metadata,
    )


def _boxes(data: bytes, position: int, end: int, *, strict: bool = True) -> Iterator[tuple[bytes, int, int]]:
    """(type, start and end of the content) of the boxes side by side in a stretch of the file.

    Without `strict`, bytes that are no box end the walk: they are what stands behind the picture.
    """
    for _ in range(MOST_BOXES):
        if position + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if not strict and not (kind.isascii() and kind.decode("ascii").isprintable()):
            return
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        elif size == 0:
            size = end - position
        if size < start - position:
            if strict:
                raise Malformed(_DAMAGED)
            return
        if position + size > end:
            if strict or kind in (b"ftyp", b"meta", b"mdat"):
                raise Malformed(TRUNCATED)
            return
        yield kind, start, position + size
        position += size
    raise Malformed("it has too many parts")


def _read_meta(data: bytes, start: int, stop: int) -> _Meta:
    meta = _Meta()
    for kind, first, last in _boxes(data, start + 4, stop):
        body = data[first:last]
        if kind == b"pitm":
            meta.primary = struct.unpack_from(">H" if body[0] == 0 else ">I", body, 4)[0]
        elif kind == b"iinf":
            _read_items(meta, data, first, last)
        elif kind == b"iloc":
            _read_places(meta, body)
        elif kind == b"idat":
            meta.inline = body
        elif kind == b"iprp":
            for name, one, two in _boxes(data, first, last):
                if name == b"ipco":
                    meta.properties = [(n, data[a : min(b, a + 4096)]) for n, a, b in _boxes(data, one, two)]
                elif name == b"ipma":
                    _read_associations(meta, data[one:two])
    return meta


def _read_items(meta: _Meta, data: bytes, start: int, stop: int) -> None:
    """`iinf`: the type of each item."""
    for kind, first, last in _boxes(data, start + (6 if data[start] == 0 else 8), stop):
        if kind != b"infe" or last - first < 12:
            continue
        version = data[first]
        if version == 2:
            item, _, name = struct.unpack_from(">HH4s", data, first + 4)
        elif version == 3 and last - first >= 14:
            item, _, name = struct.unpack_from(">IH4s", data, first + 4)
        else:
            continue
        meta.kinds[item] = name


def _read_places(meta: _Meta, body: bytes) -> None:
    """`iloc`: where the bytes of each item lie."""
    version = body[0]
    offset_size, length_size = body[4] >> 4, body[4] & 15
    base_size, index_size = body[5] >> 4, body[5] & 15 if version else 0
    position = 6

    def number(size: int) -> int:
        nonlocal position
        if position + size > len(body):
            raise Malformed(_DAMAGED)
        position += size
        return int.from_bytes(body[position - size : position], "big")

    wide = 4 if version == 2 else 2
    items = number(wide)
    if items > MOST_ITEMS:
        raise Malformed("it has too many parts")
    for _ in range(items):
        item = number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        extents = []
        for _ in range(number(2)):
            number(index_size)
            offset = base + number(offset_size)
            extents.append((offset, number(length_size)))
        meta.places[item] = method, extents


def _read_associations(meta: _Meta, body: bytes) -> None:
    """`ipma`: which properties each item has."""
    wide_item, wide_index = body[0] > 0, body[3] & 1
    (count,) = struct.unpack_from(">I", body, 4)
    position = 8
    for _ in range(min(count, MOST_ITEMS)):
        (item,) = struct.unpack_from(">I" if wide_item else ">H", body, position)
        position += 4 if wide_item else 2
        number = body[position]
        position += 1
        indexes = []
        for _ in range(number):
            if wide_index:
                indexes.append(struct.unpack_from(">H", body, position)[0] & 0x7FFF)
            else:
                indexes.append(body[position] & 0x7F)
            position += 2 if wide_index else 1
        meta.associations[item] = indexes


def _item(data: bytes, meta: _Meta, item: int) -> bytes:
    """The bytes of an item, at most what a metadata block may hold."""
    method, extents = meta.places.get(item, (0, []))
    source = {0: data, 1: meta.inline}.get(method, b"")
    return b"".join(source[offset : offset + min(length, 1 << 20)] for offset, length in extents[:16])


def _clean_aperture(body: bytes, width: int, height: int) -> tuple[int, int]:
    """The size of the part that is shown."""
    across, one, down, other = struct.unpack_from(">IIII", body)
    if not one or not other or not 0 < across // one <= width or not 0 < down // other <= height:
        raise Malformed(_DAMAGED)
    return across // one, down // other


def _grid_size(body: bytes) -> tuple[int, int]:
    """The size that the description of a tiled picture gives."""
    width, height = struct.unpack_from(">II" if body[1] & 1 else ">HH", body, 4)
    return width, height


def _coded_size(body: bytes) -> tuple[int, int]:
    """(pixels, bits a colour) of the coded picture, from the sequence parameter sets in an `hvcC` box."""
    bits = 8 + (body[17] & 7)
    largest, position = 0, 23
    for _ in range(body[22]):
        kind = body[position] & 63
        (units,) = struct.unpack_from(">H", body, position + 1)
        position += 3
        for _ in range(units):
            (length,) = struct.unpack_from(">H", body, position)
            if kind == 33:
                largest = max(largest, _sequence_size(body[position + 2 : position + 2 + length]))
            position += 2 + length
    return largest, bits


def _sequence_size(unit: bytes) -> int:
    """Pixels of the pictures of one HEVC sequence (ITU-T H.265, 7.3.2.2)."""
    raw = unit[2:200].replace(b"\0\0\3", b"\0\0")  # bytes put in so that no start code appears
    stream = int.from_bytes(raw, "big")
    left = 8 * len(raw)

    def take(count: int) -> int:
        nonlocal left
        if count > left:
            raise Malformed(_DAMAGED)
        left -= count
        return stream >> left & ((1 << count) - 1)

    def golomb() -> int:
        zeros = 0
        while not take(1):
            zeros += 1
        return (1 << zeros) - 1 + take(zeros)

    take(4)
    layers = take(3)
    take(1 + 96)
    present = [(take(1), take(1)) for _ in range(layers)]
    if layers:
        take(2 * (8 - layers))
    for profile, level in present:
        take(88 * profile + 8 * level)
    golomb()
    if golomb() == 3:
        take(1)
    return golomb() * golomb()
