"""A user's own photos as a training set: folders by species, and a manifest that says what each one is."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lib.outputs.atomic import write_atomically, write_changed

if TYPE_CHECKING:
    from lib.photos.storage import PhotoFiles
    from lib.store.database import UserStore
    from lib.store.records import Photo

MANIFEST = "manifest.csv"
COLUMNS = (
    "file",
    "species",
    "label",
    "level",
    "day",
    "session",
    "cluster",
    "sha256",
    "width",
    "height",
    "metadata",
)
OTHER = "other"  # the folder of photos that show no plant
REMOVED, KEPT = "removed", "kept"
_PHOTO = re.compile(r"[0-9a-f]{64}\.(?:jpg|png|webp|heic)")
_UNSAFE = re.compile(r"[^\w.×-]")
_AT_ONCE = 200
# Photos of other formats are saved anew; beyond this short side no classifier looks.
_SHORT_SIDE, _QUALITY = 1024, 95


class NotATrainingSet(ValueError):
    """The folder holds other things, or a manifest that cannot be read; the text says which, for a person."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One photo that a person named.

    `file` is its path in the set, empty for labels that are no class (a genus, a family, unknown). `species` is
    empty unless `level` is species. `cluster` names photos that show the same plant, across days and sessions;
    `sha256` is that of the photo as it was uploaded. `metadata`: `removed`, or `kept` in an exact copy.
    """

    file: str
    species: str
    label: str
    level: str
    day: date
    session: int
    cluster: int
    sha256: str
    width: int
    height: int
    metadata: str = REMOVED


@dataclass(slots=True)
class Exported:
    """What an export did: counts of photos, and of what could not be taken the reasons, in words."""

    added: int = 0
    unchanged: int = 0
    removed: int = 0
    listed_only: int = 0
    species: int = 0
    left_out: list[str] = field(default_factory=list)


def export(
    store: UserStore,
    files: PhotoFiles,
    folder: Path,
    *,
    session_id: int | None = None,
    since: date | None = None,
    exact: bool = False,
    progress: Callable[[int], object] = lambda done: None,
) -> Exported:
    """Bring `folder` up to date with the photos that the user named or confirmed, of one session or all.

    The pixels of a JPEG are copied as they are and everything else in the file is left out, position, camera and
    thumbnail included; other formats become JPEG. `exact` keeps the files byte for byte, position included, as hard
    links where the disk allows. Every file is whole or absent, and the manifest is replaced at once, before files
    that it no longer names are removed. Only photos named after their digest are ever removed. Raises
    NotATrainingSet for a folder that holds other things, OSError when the disk refuses, and the Problem of a photo
    store that cannot be asked.
    """
    _claim(folder)
    present = {path.name: path for path in _photos_in(folder)}
    before = {entry.file: entry for entry in read_manifest(folder)}
    done, entries = Exported(), []
    for photo in _unambiguous(_named(store, session_id, since), done):
        entry = _entry(photo, exact)
        if not entry.file:
            done.listed_only += 1
        else:
            there = present.get(Path(entry.file).name)
            known = before.get(there.relative_to(folder).as_posix()) if there else None
            usable = there if known is not None and known.metadata == entry.metadata else None
            reason = _put(photo, files, folder / entry.file, usable, exact)
            if reason:
                done.left_out.append(f"photo {photo.id} of {photo.date}: {reason}")
                progress(1)
                continue
            if usable == folder / entry.file:
                done.unchanged += 1
            else:
                done.added += 1
        entries.append(entry)
        progress(1)
    done.species = len({entry.species for entry in entries if entry.species})
    write_changed(folder / MANIFEST, _manifest(entries))
    wanted = {folder / entry.file for entry in entries if entry.file}
    for path in _photos_in(folder):
        if path not in wanted:
            path.unlink(missing_ok=True)
            done.removed += 1
            with suppress(OSError):  # not empty: it stays
                path.parent.rmdir()
    return done


def read_manifest(folder: Path) -> list[Entry]:
    """The entries of a training set, in the order written; raises NotATrainingSet naming the bad line."""
    try:
        with (folder / MANIFEST).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise NotATrainingSet(f"{folder / MANIFEST} has no column {', '.join(missing)}.")
            return [_read(row, folder, line) for line, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise NotATrainingSet(
            f"{folder} holds no readable {MANIFEST}: it is not a training set. "
            "Make one with scripts/export_training_set.py."
        ) from None


def _read(row: dict[str, str], folder: Path, line: int) -> Entry:
    try:
        texts = {name: row[name] for name in ("file", "species", "label", "level", "sha256", "metadata")}
        numbers = {name: int(row[name]) for name in ("session", "cluster", "width", "height")}
        entry = Entry(**texts, **numbers, day=date.fromisoformat(row["day"]))  # type: ignore[arg-type]
        if Path(entry.file).is_absolute() or ".." in Path(entry.file).parts:
            raise ValueError
    except (TypeError, ValueError):
        raise NotATrainingSet(f"{folder / MANIFEST}, line {line}, cannot be read.") from None
    return entry


def _manifest(entries: Sequence[Entry]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in sorted(entries, key=lambda each: (each.day, each.sha256)):
        writer.writerow([getattr(entry, name) for name in COLUMNS])
    return text.getvalue().encode()


def _claim(folder: Path) -> None:
    """Mark an empty folder as a training set, so that an export that was cut short can be gone on with."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        read_manifest(folder)
    elif any(folder.iterdir()):
        raise NotATrainingSet(f"{folder} holds other things and no {MANIFEST}. Choose a new or empty folder.")
    else:
        write_atomically(folder / MANIFEST, _manifest([]))


def _photos_in(folder: Path) -> list[Path]:
    """The photos that an export put there: in folders of the set, named after their digest."""
    return [path for path in sorted(folder.glob("*/*")) if _PHOTO.fullmatch(path.name)]


def _named(store: UserStore, session_id: int | None, since: date | None) -> Iterator[Photo]:
    """The photos that a person named or confirmed, newest day first."""
    cursor = None
    while True:
        page, cursor = store.photos(
            session_id, start=since, label_source="human", limit=_AT_ONCE, cursor=cursor
        )
        yield from page
        if cursor is None:
            return


def _unambiguous(photos: Iterator[Photo], done: Exported) -> list[Photo]:
    """Each picture once, oldest first; one that was called different things in two sessions is left out."""
    by_digest: dict[str, list[Photo]] = {}
    for photo in photos:
        by_digest.setdefault(photo.sha256, []).append(photo)
    kept = []
    for same in by_digest.values():
        if len({(photo.label, photo.label_level) for photo in same}) > 1:
            names = " and ".join(sorted({str(photo.label) for photo in same}))
            done.left_out.append(f"photo {same[0].id} of {same[0].date}: it was named {names}")
            continue
        kept.append(min(same, key=lambda photo: (photo.date, photo.id)))
    return sorted(kept, key=lambda photo: (photo.date, photo.id))


def _entry(photo: Photo, exact: bool) -> Entry:
    label, level = str(photo.label), str(photo.label_level)
    species = label if level == "species" else ""
    home = _UNSAFE.sub("_", species).lstrip(".") if species else OTHER if level == "not_a_plant" else ""
    extension = photo.path.rpartition(".")[2] if exact else "jpg"
    return Entry(
        file=f"{home}/{photo.sha256}.{extension}" if home else "",
        species=species,
        label=label,
        level=level,
        day=photo.date,
        session=photo.session_id,
        # A cluster is named after one of its photos, so that no two clusters of any days share a name.
        cluster=photo.id if photo.cluster_id is None else photo.cluster_id,
        sha256=photo.sha256,
        width=photo.width,
        height=photo.height,
        metadata=KEPT if exact else REMOVED,
    )


def _put(photo: Photo, files: PhotoFiles, target: Path, there: Path | None, exact: bool) -> str:
    """Have the photo at `target`, from where it lies in the set or from the store; why not, or nothing."""
    from lib.problems import Problem

    if there == target:
        return ""
    if there is not None:
        _link(there, target)
        return ""
    try:
        stored = files.file_of(photo.path) if exact else None
        if stored is not None:
            _link(stored, target)
        else:
            data = files.read(photo.path)
            write_atomically(target, data if exact else without_metadata(data))
    except (FileNotFoundError, ValueError):
        return "its file is missing"
    except Problem as problem:
        if problem.status == 503:  # the store, not this photo: what the set holds already must stay
            raise
        return str(problem.detail)
    return ""


def _link(source: Path, target: Path) -> None:
    """A second name of a file; a copy where the disk has no links or `source` lies on another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        write_atomically(target, source.read_bytes())


def without_metadata(data: bytes) -> bytes:
    """A photo as JPEG that holds its pixels and which way up they are, and nothing else.

    The pixels of a JPEG stay bit for bit; other formats are saved anew, with a short side of 1,024 pixels or a
    little more. Raises Problem 413, 415 or 422 for what is no photo.
    """
    from lib.photos import jpeg
    from lib.photos.decode import decode
    from lib.photos.identify import inspect

    header = inspect(data)
    if header.format == "jpeg":
        bare = jpeg.pixels_only(data, header.end)
        return bare if header.orientation == 1 else bare[:2] + _turned(header.orientation) + bare[2:]
    saved = io.BytesIO()
    decode(data, _SHORT_SIDE, header=header).image.save(saved, "JPEG", quality=_QUALITY)
    return saved.getvalue()


def _turned(orientation: int) -> bytes:
    """An EXIF segment that holds the orientation alone (one entry of type SHORT, big-endian)."""
    entry = bytes.fromhex("0112 0003 00000001") + orientation.to_bytes(2, "big") + b"\0\0"
    block = b"Exif\0\0MM\0*" + bytes.fromhex("00000008 0001") + entry + bytes(4)
    return b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
