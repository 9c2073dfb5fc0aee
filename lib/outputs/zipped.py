"""ZIP archives made while they are sent: nothing is gathered, and the same content gives the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, cast

MEDIA_TYPE = "application/zip"
# The earliest time that the format knows: when a file was written would make every archive another.
_WHEN = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644


class _Outlet:
    """A file that can only be written, and is emptied now and then."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def zip_chunks(entries: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """The archive of `entries` (name and content each), in their order, piece by piece.

    An entry that is an archive itself is stored as it is, everything else is deflated.
    """
    outlet = _Outlet()
    with zipfile.ZipFile(cast(IO[bytes], outlet), "w") as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".zip") else zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, also where it is made on another system
            entry.external_attr = _MODE << 16
            with archive.open(entry, "w") as file:
                for chunk in content:
                    file.write(chunk)
                    if ready := outlet.taken():
                        yield ready
            yield outlet.taken()
    yield outlet.taken()
