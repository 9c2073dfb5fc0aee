"""What people do to their sessions, with what hangs on it: the regional list, the files, the pooled days."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lib import session_changes
from lib.config import STARTER_MODEL
from lib.photos.folder_storage import FolderPhotos
from lib.problems import Problem
from lib.store.database import UserStore
from lib.store.records import NewPhoto, Session


def test_a_session_is_made_in_the_site_s_zone_unless_it_names_one(rows: UserStore) -> None:
    made = session_changes.create(rows, {"session_name": " Plot 1 "}, STARTER_MODEL, "Asia/Tokyo")
    assert (made.session_name, made.timezone) == ("Plot 1", "Asia/Tokyo")
    fields = {"session_name": "x", "timezone": "Europe/Paris"}
    assert session_changes.create(rows, fields, STARTER_MODEL, "Asia/Tokyo").timezone == "Europe/Paris"


def test_a_list_of_strangers_is_refused_when_made_and_when_changed(rows: UserStore) -> None:
    strangers = {"session_name": "x", "region_species": ["Nobody knows"]}
    with pytest.raises(Problem):
        session_changes.create(rows, strangers, STARTER_MODEL, "Asia/Tokyo")
    made = session_changes.create(rows, {"session_name": "x"}, STARTER_MODEL, "Asia/Tokyo")
    with pytest.raises(Problem):
        session_changes.update(rows, made.id, {"region_species": ["Nobody knows"]}, STARTER_MODEL)
    changed = session_changes.update(rows, made.id, {"session_name": " y "}, STARTER_MODEL)
    assert (changed.session_name, changed.region_species) == ("y", None)


def test_a_deleted_session_takes_its_files_along(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    new_photo: Callable[..., NewPhoto],
    tmp_path: Path,
) -> None:
    files = FolderPhotos(tmp_path)
    path = files.put(session.id, "ab" * 32, "jpg", b"a photo")
    rows.add_photo(new_photo(session.id, path=path))
    with pytest.raises(Problem) as refused:
        session_changes.delete(other_rows, session.id, files)
    assert refused.value.status == 404
    assert list(tmp_path.rglob("*.jpg"))
    session_changes.delete(rows, session.id, files)
    assert rows.sessions() == []
    assert not list(tmp_path.rglob("*.jpg"))
