"""What a database holds is told the same of both kinds, as of one moment, and every change of it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lib.photos.storage import open_photos
from lib.problems import Problem
from lib.store import migrate
from lib.store.contents import Content, connected, different, quoted, snapshot
from lib.store.models import TABLES
from tests import farm as farms
from tests.farm import Farm

NAMES = {model._meta.table_name for model in TABLES}


def changed(url: str, *statements: str) -> None:
    with connected(url) as connection:
        cursor = connection.cursor()
        for each in statements:
            cursor.execute(each)


def test_every_table_has_rows_to_be_told_of(farm: Farm) -> None:
    with snapshot(farm.url) as moment:
        contents = moment.contents()
        assert moment.migrations() == migrate.names()
    assert set(contents) == NAMES | {"migratehistory"}
    assert all(content.rows for content in contents.values())
    assert contents["image_data"].rows == 3
    assert contents["image_data"].columns["label_history"] == "json"
    assert contents["users"].columns == {
        "api_key": "text", "created_at": "moment", "email": "text", "id": "integer", "is_active": "boolean",
        "username": "text",
    }  # fmt: skip


def test_the_photos_are_those_that_rows_name(farm: Farm) -> None:
    with snapshot(farm.url) as moment:
        photos = list(moment.photos())
    assert sorted(photo.path for photo in photos) == sorted(farm.files.stored())
    assert [photo.size for photo in photos] == [len(farms.picture(seed)) for seed in range(3)]


def test_a_snapshot_stays_as_it_was(farm: Farm) -> None:
    with snapshot(farm.url) as moment:
        before = moment.contents()
        farm.add(9)
        assert moment.contents() == before
    with snapshot(farm.url) as moment:
        lines = different(before, moment.contents())
    assert "image_data: 4 rows, should be 3" in lines


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("users", "username = username || ' '"),
        ("users", "is_active = NOT is_active"),
        ("analysis_sessions", "description = ''"),
        ("analysis_sessions", "end_date = start_date"),
        ("analysis_sessions", "latitude = latitude + 0.0000000001"),
        ("image_data", "captured_at = NULL"),
        ("diversity_metrics", "total_images = total_images + 1"),
        ("diversity_metrics", "species_counts = '{}'"),
        ("api_keys", "created_at = '2025-08-24T00:00:00.000001+00:00'"),
    ],
)
def test_every_change_shows(farm: Farm, table: str, change: str) -> None:
    with snapshot(farm.url) as moment:
        before = moment.contents()
    changed(farm.url, f"UPDATE {table} SET {change}")
    with snapshot(farm.url) as moment:
        assert different(before, moment.contents()) == [f"{table}: its rows hold other values"]


def test_how_json_is_written_does_not_show(farm: Farm) -> None:
    with snapshot(farm.url) as moment:
        before = moment.contents()
    other = '{"a": 1, "z": 0.0000001, "one": 1.0, "large": 10000000000000000, "huge": 1000000000000000001,' \
        ' "nested": {"a": null, "b": [0, 1e-1]}}'  # fmt: skip
    changed(farm.url, f"UPDATE diversity_metrics SET species_counts = '{other}'")
    with snapshot(farm.url) as moment:
        assert different(before, moment.contents()) == []
    changed(farm.url, f"UPDATE diversity_metrics SET species_counts = '{other.replace('001,', '002,')}'")
    with snapshot(farm.url) as moment:
        assert different(before, moment.contents()) == ["diversity_metrics: its rows hold other values"]


def test_columns_and_tables_that_no_model_knows_are_told_of_too(farm: Farm) -> None:
    binary = "BYTEA" if farm.url.startswith("postgresql") else "BLOB"
    changed(
        farm.url,
        f'CREATE TABLE "od""d" (name TEXT, data {binary}, at TIMESTAMPTZ, day DATE, amount INTEGER)',
        """INSERT INTO "od""d" VALUES ('b', '1',"""
        """ '2025-08-24T00:00:00+00:00', '2025-08-24', 7), ('a', NULL, NULL, NULL, 8)""",
    )  # fmt: skip
    with snapshot(farm.url) as moment:
        content = moment.content('od"d')
        again = moment.content('od"d', content.columns)
    assert content.rows == 2
    assert set(content.columns.values()) == {"other"}
    assert again == content
    changed(farm.url, """UPDATE "od""d" SET day = '2025-08-25'""")
    with snapshot(farm.url) as moment:
        assert moment.content('od"d').digest != content.digest


def test_numbers_beyond_every_float_are_told_apart(farm: Farm) -> None:
    digests = set()
    for digits in ("1" + "0" * 400, "1" + "0" * 399 + "1"):
        changed(farm.url, f"""UPDATE diversity_metrics SET species_counts = '{{"a": {digits}}}'""")
        with snapshot(farm.url) as moment:
            digests.add(moment.content("diversity_metrics").digest)
    assert len(digests) == 2


def test_what_differs_is_named() -> None:
    def content(rows: int, digest: str) -> Content:
        return Content(rows, digest, {})

    should = {"a": content(1, "x"), "b": content(1, "x"), "c": content(1, "x"), "same": content(1, "x")}
    has = {"b": content(2, "x"), "c": content(1, "y"), "d": content(0, ""), "same": content(1, "x")}
    assert different(should, has) == [
        "a: the table is missing",
        "b: 2 rows, should be 1",
        "c: its rows hold other values",
        "d: there should be no such table",
    ]


def test_a_database_that_was_never_migrated_is_said_to_be_so(empty_database_url: str) -> None:
    if empty_database_url.startswith("sqlite"):
        with pytest.raises(Problem) as refused, snapshot(empty_database_url):
            pass
        assert refused.value.kind == "database-unavailable"
        migrate.plain_database(empty_database_url).connect()  # makes the file
    with snapshot(empty_database_url) as moment, pytest.raises(Problem) as refused:
        moment.migrations()
    assert refused.value.kind == "database-not-migrated"


@pytest.mark.parametrize("act", [snapshot, connected])
def test_a_server_that_does_not_answer_is_a_problem(act: Callable[[str], Any]) -> None:
    with pytest.raises(Problem) as refused, act("postgresql://nobody@127.0.0.1:1/weeds"):
        pass
    assert refused.value.status == 503


def test_both_kinds_tell_the_same_of_the_same_farm(
    sqlite_url: str, postgres_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.photos.storage.secrets.token_hex", lambda n: "0" * 2 * n)
    told = []
    for url in (sqlite_url, postgres_url):
        farms.found(url, open_photos(tmp_path / url[:6]))
        # Moments at which the tests ran differ.
        changed(url, *(f"UPDATE {name} SET created_at = '2025-08-24T00:00:00.000000+00:00'"
                       for name in ("users", "api_keys", "analysis_sessions")))  # fmt: skip
        changed(url, "DELETE FROM migratehistory", "UPDATE diversity_metrics SET computed_at = NULL")
        with snapshot(url) as moment:
            told.append(moment.contents())
    assert different(*told) == []


def test_names_are_quoted() -> None:
    assert quoted('a"b') == '"a""b"'
