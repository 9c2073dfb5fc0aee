"""What people do to their sessions: make one, change it, delete it with its photos and days."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib import recognition

if TYPE_CHECKING:
    from lib.photos.storage import PhotoFiles
    from lib.store.database import UserStore
    from lib.store.records import Session


def create(store: UserStore, fields: Mapping[str, Any], model_dir: Path, timezone: str) -> Session:
    """A new session of these columns, in `timezone` (IANA) where they name none; 422 naming what cannot be."""
    given = _ready(fields, model_dir)
    return store.create_session(**given | {"timezone": given.get("timezone") or timezone})


def update(store: UserStore, session_id: int, changes: Mapping[str, Any], model_dir: Path) -> Session:
    """The session with these columns changed; 404 when it is not this user's, 422 naming what cannot be."""
    return store.update_session(session_id, **_ready(changes, model_dir))


def delete(store: UserStore, session_id: int, files: PhotoFiles) -> None:
    """Delete a session with its photos and days; 404 when it is not this user's."""
    from lib import analysis  # brings NumPy, which the other changes do not need

    # One transaction: a crash before the pooled days are mended would leave them old.
    with store.day_transaction(session_id):
        deleted = store.delete_session(session_id)
        analysis.recompute_pooled(store, deleted.dates)
    # The rows are gone first: a crash here leaves files without rows, which the next sweep removes.
    files.delete(*deleted.paths)


def _ready(fields: Mapping[str, Any], model_dir: Path) -> dict[str, Any]:
    given = dict(fields)
    if "session_name" in given:
        given["session_name"] = given["session_name"].strip()
    recognition.refuse_strangers(given.get("region_species"), model_dir)
    return given
