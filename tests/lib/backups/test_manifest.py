"""A manifest says what a backup holds, and is refused when it was changed, is another's, or leads elsewhere."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.backups import manifest as documents
from lib.backups.manifest import BackupFailed, Database, Manifest, Missing, Part, Photo, Table, blob_name

D, E = "d" * 64, "e" * 64
PATH = f"photos/7/dd/{D}-01234567.jpg"
MANIFEST = Manifest(
    format=1,
    created_at=datetime(2025, 8, 24, 3, 15, 0, 42, tzinfo=UTC),
    program="0.1.0",
    database=Database("sqlite", "SQLite 3", 9, E, [Part(9, E, "00000000")]),
    migrations=["001_first_tables"],
    tables={"users": Table(2, E, {"id": "integer"}), "api_keys": Table(3, E, {"id": "integer"})},
    photos=[Photo(PATH, 4, D, "11111111")],
    missing=[Missing(f"photos/7/ee/{E}-01234567.jpg", E, "lost")],
)
NAME, DATA = documents.written(MANIFEST)


def renamed(data: bytes) -> str:
    return f"manifests/20250824T031500.000042Z-{hashlib.sha256(data).hexdigest()}.json"


def changed(change: Any) -> bytes:
    document = json.loads(DATA)
    change(document)
    return json.dumps(document).encode()


def test_it_names_itself_by_its_time_and_digest() -> None:
    assert renamed(DATA) == NAME
    assert documents.created_at(NAME) == MANIFEST.created_at
    assert documents.read(NAME, DATA) == MANIFEST
    assert MANIFEST.rows == 5
    assert list(MANIFEST.blobs()) == [blob_name(E, "00000000"), blob_name(D, "11111111")]
    assert blob_name(D, "11111111") == f"blobs/dd/{D}-11111111"


@pytest.mark.parametrize(
    "name",
    ["manifests/x.json", NAME.replace("0824T", "1324T"), f"{NAME}.tmp", "manifests/.tmp-00", NAME[10:]],
)
def test_other_names_are_none(name: str) -> None:
    assert documents.created_at(name) is None


@given(at=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_every_flipped_bit_is_found(at: int, bit: int) -> None:
    data = bytearray(DATA)
    data[at] ^= 1 << bit
    with pytest.raises(BackupFailed, match="is damaged"):
        documents.read(NAME, bytes(data))


def test_a_part_of_it_is_found_damaged() -> None:
    with pytest.raises(BackupFailed, match="is damaged"):
        documents.read(NAME, DATA[:-1])


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["photos"][0].update(path="../../etc/passwd"),
        lambda m: m["photos"][0].update(path=f"/{PATH}"),
        lambda m: m["photos"][0].update(path=f"{PATH}\n"),
        lambda m: m["photos"][0].update(path=f"photos/7/../{PATH}"),
        lambda m: m["photos"][0].update(sha256="../" * 20 + "etc/"),
        lambda m: m["photos"][0].update(sha256=D + "\n"),
        lambda m: m["photos"][0].update(copy="../../.."),
        lambda m: m["photos"][0].update(size=-1),
        lambda m: m["database"]["parts"][0].update(sha256="x"),
        lambda m: m.pop("tables"),
        lambda m: m.update(format="1"),
    ],
)
def test_what_no_backup_may_name_is_refused_whatever_the_digest(change: Any) -> None:
    data = changed(change)
    with pytest.raises(BackupFailed, match="is not a manifest"):
        documents.read(renamed(data), data)


def test_another_format_is_said_to_be_one() -> None:
    data = changed(lambda m: (m.update(format=2), m.pop("photos")))
    with pytest.raises(BackupFailed, match="newer version"):
        documents.read(renamed(data), data)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(BackupFailed, match="is not a manifest"):
        documents.read(renamed(b"\x00"), b"\x00")
