"""Which other files an ONNX graph reads its weights from, told without the onnx package and without the weights.

The graph is a protocol buffer. Its fields are walked down to the entries of `external_data`; all other bytes are
stepped over, so that a graph of hundreds of megabytes costs no memory.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from lib.classifier.refusals import ModelUnavailable

# The field numbers of onnx.proto that lead to tensors: {message: {field: message}}.
FIELDS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
}
ENTRY_KEY, ENTRY_VALUE = 1, 2
VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5


def files(graph: Path) -> set[str]:
    """The files that a graph names for its weights, as it names them; ModelUnavailable when it is no graph."""
    try:
        with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return set(_locations(data, 0, len(data), "Model"))
    except OSError:
        raise ModelUnavailable(f"{graph.name} is missing from the model folder.") from None
    except (ValueError, IndexError, RecursionError):
        raise ModelUnavailable(f"{graph.name} is not an ONNX graph.") from None


def _locations(data: mmap.mmap, start: int, end: int, message: str) -> Iterator[str]:
    """The locations in a message that lies at start:end."""
    inside = FIELDS[message]
    for field, first, last in _fields(data, start, end):
        deeper = inside.get(field)
        if deeper == "Entry":
            entry = {number: data[a:b] for number, a, b in _fields(data, first, last)}
            if entry.get(ENTRY_KEY) == b"location":
                yield entry.get(ENTRY_VALUE, b"").decode("utf-8")
        elif deeper is not None:
            yield from _locations(data, first, last, deeper)


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(field number, first byte, byte after the last) of each field that has a length."""
    at = start
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == LENGTH:
            length, at = _varint(data, at)
            if at + length > end:
                raise ValueError("a field is longer than its message")
            yield tag >> 3, at, at + length
            at += length
        elif kind == VARINT:
            _, at = _varint(data, at)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            at += 8 if kind == EIGHT_BYTES else 4
        else:
            raise ValueError("no such kind of field")
    if at != end:
        raise ValueError("a field is longer than its message")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first; and where the next byte is."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")
