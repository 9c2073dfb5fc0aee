"""A database is copied with its numbers into another, all of it or nothing, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lib.photos.storage import open_photos
from lib.problems import Problem
from lib.store import copying, migrate
from lib.store.contents import connected, different, snapshot
from lib.store.copying import CopyRefused, copy_database, row_counts
from lib.store.database import DatabaseStore
from tests import farm as farms
from tests.farm import Farm


def run(url: str, *statements: str) -> None:
    with connected(url) as connection:
        cursor = connection.cursor()
        for each in statements:
            cursor.execute(each)


def rows_in(url: str) -> int:
    return sum(row_counts(url).values())


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite"])
def urls(request: pytest.FixtureRequest, sqlite_url: str, postgres_url: str) -> tuple[str, str]:
    return (sqlite_url, postgres_url) if request.param.startswith("sqlite") else (postgres_url, sqlite_url)


@pytest.fixture
def source(urls: tuple[str, str], tmp_path: Path) -> Farm:
    return farms.found(urls[0], open_photos(tmp_path / "data"))


@pytest.fixture
def target(urls: tuple[str, str]) -> str:
    return urls[1]


def test_everything_is_copied_and_told(source: Farm, target: str) -> None:
    seen: list[int] = []
    copied = copy_database(source.url, target, seen.append)
    assert copied.rows == sum(seen) == rows_in(source.url) == rows_in(target) > 10
    with snapshot(target) as moment:
        has = {name: moment.content(name) for name in copied.tables}
    assert different(copied.tables, has) == []
    store = DatabaseStore(target)
    try:
        rows = store.for_user(source.user_id)
        with source.opened() as old:
            assert rows.sessions() == old.sessions()
            assert rows.photos() == old.photos()
            assert rows.days() == old.days()
            assert rows.processing(farms.DAY) == old.processing(farms.DAY)
    finally:
        store.close()


def test_numbers_of_deleted_rows_are_not_given_again(source: Farm, target: str) -> None:
    last = source.add(50)
    source.delete(last)
    run(source.url, "DELETE FROM idempotency_keys")  # an empty table whose numbers were used
    copy_database(source.url, target)
    there = Farm(target, source.files, source.user_id, source.session_id)
    assert there.add(51).id == last.id + 1
    with there.opened() as rows:
        rows.idempotent("new", "digest")
    with snapshot(target) as moment:
        assert moment.all("SELECT id FROM idempotency_keys") == [(2,)]


def test_more_rows_than_go_at_once(source: Farm, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.store.contents.ROWS_AT_ONCE", 2)
    assert copy_database(source.url, target).tables["image_data"].rows == 3


def test_an_empty_database_is_copied_too(urls: tuple[str, str]) -> None:
    assert copy_database(*urls).rows == 0
    with DatabaseStore(urls[1]).connection():
        store = DatabaseStore(urls[1])
        assert store.create_user("a", "a@b.c", "d" * 64, "p", ["read"]).id == 1
        store.close()


class TestRefusing:
    def test_a_target_that_holds_rows(self, source: Farm, target: str) -> None:
        store = DatabaseStore(target)
        store.create_user("taro", "taro@farm.example", "d" * 64, "p", ["read"])
        store.close()
        with pytest.raises(CopyRefused, match="not empty: there are rows in users, api_keys"):
            copy_database(source.url, target)
        assert rows_in(target) == 2

    @pytest.mark.parametrize("which", [0, 1])
    def test_another_schema(self, source: Farm, urls: tuple[str, str], which: int) -> None:
        migrate.down(urls[which])
        name = ("source", "target")[which]
        with pytest.raises(CopyRefused, match=f"the {name} is not of this version's schema"):
            copy_database(*urls)

    def test_a_target_that_was_never_migrated(
        self, sqlite_url: str, empty_postgres_url: str, tmp_path: Path
    ) -> None:
        farms.found(sqlite_url, open_photos(tmp_path / "data"))
        with pytest.raises(Problem) as refused:
            copy_database(sqlite_url, empty_postgres_url)
        assert refused.value.kind == "database-not-migrated"
        with pytest.raises(Problem) as refused:
            copy_database(sqlite_url, f"sqlite:///{tmp_path}/none.db")
        assert refused.value.status == 503
        assert not (tmp_path / "none.db").exists()

    def test_a_source_that_changed_meanwhile(self, source: Farm, target: str) -> None:
        once: list[int] = []

        def write_beside(rows: int) -> None:
            if not once:
                once.append(source.add(60).id)

        with pytest.raises(CopyRefused, match=r"source changed .*stop the server.*image_data: 4 rows"):
            copy_database(source.url, target, write_beside)
        assert rows_in(target) == 0
        assert copy_database(source.url, target).tables["image_data"].rows == 4

    def test_a_copy_that_differs(self, source: Farm, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(copying._READ, "number", lambda value: round(value, 3))
        with pytest.raises(CopyRefused, match=r"differs from the source: .*image_data: its rows hold other"):
            copy_database(source.url, target)
        assert rows_in(target) == 0

    def test_a_value_that_the_target_does_not_take(self, source: Farm, target: str) -> None:
        if target.startswith("sqlite"):
            run(source.url, "ALTER TABLE image_data DROP CONSTRAINT ck_image_data_size")
            run(source.url, "UPDATE image_data SET width = 0")
        else:
            run(
                source.url, "UPDATE users SET username = hex(zeroblob(40))"
            )  # SQLite takes text of any length
        with pytest.raises(CopyRefused, match=r"does not take a value.*(CHECK|too long)"):
            copy_database(source.url, target)
        assert rows_in(target) == 0

    def test_a_column_that_the_target_has_not(self, source: Farm, target: str) -> None:
        run(source.url, "ALTER TABLE users ADD COLUMN phone VARCHAR(20)")
        with pytest.raises(CopyRefused, match="users: the two have different columns"):
            copy_database(source.url, target)
        run(target, "ALTER TABLE users ADD COLUMN phone VARCHAR(20)")
        run(source.url, "UPDATE users SET phone = '\\N'")
        assert copy_database(source.url, target).rows == rows_in(target)
        with snapshot(target) as moment:
            assert moment.all("SELECT phone FROM users") == [("\\N",)]

    def test_stopped_in_the_middle(self, source: Farm, target: str) -> None:
        def stop(rows: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            copy_database(source.url, target, stop)
        assert rows_in(target) == 0


def test_rows_that_point_to_nothing_are_refused(
    sqlite_url: str, tmp_path: Path, sqlite_template: Path
) -> None:
    farm = farms.found(sqlite_url, open_photos(tmp_path / "data"))
    run(farm.url, "DELETE FROM analysis_sessions")  # the driver's own connection does not look
    other = tmp_path / "other.db"
    other.write_bytes(sqlite_template.read_bytes())
    with pytest.raises(CopyRefused, match="image_data → analysis_sessions"):
        copy_database(farm.url, f"sqlite:///{other}")
    assert rows_in(f"sqlite:///{other}") == 0


@pytest.mark.parametrize("value", [None, "", "\\N", "\t\n\r\\", "é🌱", True, False, 0, -1.5e-300, 2**62])
def test_every_value_goes_through_copy(postgres_url: str, value: object) -> None:
    types = {type(None): "TEXT", str: "TEXT", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE PRECISION"}
    kinds: dict[type, str] = {str: "text", bool: "boolean", float: "number", int: "integer"}
    run(postgres_url, f"CREATE TABLE one (v {types[type(value)]}, id SERIAL)")
    with copying._writing(postgres_url) as new:
        put: Callable[[list[tuple[object, ...]]], None]
        put = copying._putter(new, "one", {"v": kinds.get(type(value), "other")})
        put([(value,)])
    with snapshot(postgres_url) as moment:
        assert moment.all("SELECT v FROM one") == [(value,)]
