"""Migrations: each applied once however many run them, each all or nothing, and reversible."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import peewee as pw
import pytest

from lib.problems import Problem
from lib.store import migrate, schema
from lib.store.connection import Connection, sqlite_path
from lib.store.database import DatabaseStore

FIRST = """
def migrate(migrator, database, *, fake=False):
    migrator.sql("CREATE TABLE plots (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL)")

def rollback(migrator, database, *, fake=False):
    migrator.sql("DROP TABLE plots")
"""
SECOND = """
def migrate(migrator, database, *, fake=False):
    migrator.sql("INSERT INTO plots (id, name) VALUES (1, 'north')")

def rollback(migrator, database, *, fake=False):
    migrator.sql("DELETE FROM plots")
"""
BROKEN = """
def migrate(migrator, database, *, fake=False):
    migrator.sql("CREATE TABLE weeds (id INTEGER NOT NULL PRIMARY KEY)")
    migrator.sql("INSERT INTO nowhere VALUES (1)")

def rollback(migrator, database, *, fake=False):
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two small migrations and files that are none."""
    made = tmp_path / "migrations"
    made.mkdir()
    for name, text in {"001_plots": FIRST, "002_north": SECOND}.items():
        (made / f"{name}.py").write_text(text)
    for name in ("0003_four_digits.py", "conf.py", "003_notes.txt", "__init__.py"):
        (made / name).write_text("raise SystemExit('must not be read')")
    return made


def _rows(url: str, sql: str) -> list[tuple[object, ...]]:
    db = Connection(url)
    try:
        return db.fetch(pw.SQL(sql))
    finally:
        db.close()


def test_the_projects_migrations_have_names_that_are_found() -> None:
    files = sorted(path.stem for path in migrate.FOLDER.glob("*.py"))
    assert migrate.names() == files
    assert files[0].startswith("001_")


def test_it_applies_in_order_and_tells_what_is_left(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    assert migrate.pending(url, folder) == ["001_plots", "002_north"]
    assert migrate.up(url, "001_plots", folder) == ["001_plots"]
    assert migrate.pending(url, folder) == ["002_north"]
    assert migrate.up(url, folder=folder) == ["002_north"]
    assert migrate.pending(url, folder) == []
    assert migrate.up(url, folder=folder) == []
    assert _rows(url, "SELECT name FROM plots") == [("north",)]


def test_asking_makes_no_database(empty_sqlite_url: str, folder: Path) -> None:
    assert migrate.pending(empty_sqlite_url, folder) == ["001_plots", "002_north"]
    assert not Path(sqlite_path(empty_sqlite_url)).exists()


def test_a_store_tells_what_its_database_lacks(empty_database_url: str, folder: Path) -> None:
    store = DatabaseStore(empty_database_url)
    assert migrate.pending_on(store.db, folder) == ["001_plots", "002_north"]
    migrate.up(empty_database_url, folder=folder)
    assert migrate.pending_on(store.db, folder) == []
    store.close()


def test_up_makes_the_folder_of_a_sqlite_file(tmp_path: Path, folder: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/down/weeds.db"
    assert migrate.up(url, folder=folder) == ["001_plots", "002_north"]


def test_down_goes_back_one_or_to_a_name_or_to_zero(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    migrate.up(url, folder=folder)
    assert migrate.down(url, folder=folder) == ["002_north"]
    assert _rows(url, "SELECT name FROM plots") == []
    assert migrate.down(url, "001_plots", folder) == []
    migrate.up(url, folder=folder)
    assert migrate.down(url, "001_plots", folder) == ["002_north"]
    migrate.up(url, folder=folder)
    assert migrate.down(url, migrate.ZERO, folder) == ["002_north", "001_plots"]
    assert migrate.pending(url, folder) == ["001_plots", "002_north"]
    assert migrate.down(url, folder=folder) == []


def test_status_lists_names_and_times(empty_database_url: str, folder: Path) -> None:
    url = empty_database_url
    assert migrate.status(url, folder) == [("001_plots", None), ("002_north", None)]
    before = datetime.now(UTC)
    migrate.up(url, "001_plots", folder)
    (first, applied), (second, waiting) = migrate.status(url, folder)
    assert (first, second, waiting) == ("001_plots", "002_north", None)
    assert applied is not None
    assert before <= applied <= datetime.now(UTC)


def test_a_migration_of_a_newer_version_is_shown_and_not_touched(
    empty_database_url: str, folder: Path
) -> None:
    url = empty_database_url
    migrate.up(url, folder=folder)
    (folder / "002_north.py").unlink()
    assert [name for name, _ in migrate.status(url, folder)] == ["001_plots", "002_north"]
    assert migrate.is_missing_file("002_north", folder)
    assert migrate.pending(url, folder) == []
    with pytest.raises(migrate.UnknownMigration, match="002_north"):
        migrate.down(url, folder=folder)
    assert _rows(url, "SELECT name FROM plots") == [("north",)]


@pytest.mark.parametrize("call", [migrate.up, migrate.down])
def test_an_unknown_name_changes_nothing(
    empty_database_url: str, folder: Path, call: Callable[..., list[str]]
) -> None:
    migrate.up(empty_database_url, "001_plots", folder)
    with pytest.raises(migrate.UnknownMigration, match="009_nothing"):
        call(empty_database_url, "009_nothing", folder)
    assert migrate.pending(empty_database_url, folder) == ["002_north"]


def test_a_broken_migration_leaves_nothing_behind(empty_database_url: str, folder: Path) -> None:
    (folder / "003_broken.py").write_text(BROKEN)
    with pytest.raises((Problem, pw.DatabaseError)):
        migrate.up(empty_database_url, folder=folder)
    assert migrate.pending(empty_database_url, folder) == ["003_broken"]
    assert "weeds" not in Connection(empty_database_url).database.get_tables()
    assert _rows(empty_database_url, "SELECT name FROM plots") == [("north",)]
    # Mended, it goes on from where it stood.
    (folder / "003_broken.py").write_text(BROKEN.replace("INSERT INTO nowhere", "INSERT INTO weeds"))
    assert migrate.up(empty_database_url, folder=folder) == ["003_broken"]


def test_rows_that_would_point_to_nothing_roll_a_migration_back(empty_sqlite_url: str, folder: Path) -> None:
    """On SQLite the keys are off while tables change, so they are checked before the commit."""
    (folder / "003_orphans.py").write_text(
        FIRST.replace("CREATE TABLE plots (", "CREATE TABLE rows_of (").replace(
            "name VARCHAR(50) NOT NULL", "plot_id INTEGER REFERENCES plots (id)"
        )
    )
    (folder / "004_orphan.py").write_text(
        SECOND.replace("plots (id, name) VALUES (1, 'north')", "rows_of VALUES (1, 7)")
    )
    with pytest.raises(migrate.BrokenReferences, match="rows_of → plots"):
        migrate.up(empty_sqlite_url, folder=folder)
    assert migrate.pending(empty_sqlite_url, folder) == ["004_orphan"]


def test_threads_at_once_apply_each_migration_once(empty_database_url: str, folder: Path) -> None:
    applied: list[str] = []
    start = threading.Barrier(3)

    def run() -> None:
        start.wait()
        applied.extend(migrate.up(empty_database_url, folder=folder))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == ["001_plots", "002_north"]


def test_sqlite_is_left_in_wal_mode(sqlite_url: str) -> None:
    connection = sqlite3.connect(sqlite_path(sqlite_url))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


class TestSchema:
    """`check` finds nothing in a migrated database, and names whatever differs."""

    def test_a_migrated_database_is_as_the_models_say(self, database_url: str) -> None:
        assert schema.check(database_url) == []

    def test_up_down_up_ends_where_up_does(self, empty_database_url: str) -> None:
        url = empty_database_url

        def described() -> object:
            database = migrate.plain_database(url)
            database.connect()
            try:
                return schema.describe(database)
            finally:
                database.close()

        migrate.up(url)
        once = described()
        assert migrate.down(url, migrate.ZERO) == list(reversed(migrate.names()))
        assert described() == {}
        migrate.up(url)
        assert described() == once
        assert schema.check(url) == []

    def test_every_table_is_missing_before_the_first_migration(self, empty_database_url: str) -> None:
        differences = schema.check(empty_database_url)
        assert "image_data: table is missing" in differences
        assert len(differences) == 9

    @pytest.mark.parametrize(
        ("sql", "line"),
        [
            (
                "DROP INDEX idx_image_data_date",
                "image_data: index idx_image_data_date is missing, should be plain (date)",
            ),
            (
                "CREATE INDEX idx_extra ON users (email)",
                "users: index idx_extra is not in the models: plain (email)",
            ),
            (
                "DROP INDEX uq_users_email; CREATE INDEX uq_users_email ON users (email)",
                "users: index uq_users_email is plain (email), should be UNIQUE (email)",
            ),
            (
                "DROP INDEX idx_api_keys_user;"
                " CREATE INDEX idx_api_keys_user ON api_keys (user_id) WHERE name = 'x'",
                "api_keys: index idx_api_keys_user is plain (user_id) WHERE",
            ),
            ("ALTER TABLE users ADD COLUMN phone VARCHAR(20)", "users: column phone is not in the models"),
            ("ALTER TABLE api_keys DROP COLUMN revoked_at", "api_keys: column revoked_at is missing"),
            ("CREATE TABLE strangers (id INTEGER)", "strangers: table is not in the models"),
            ("DROP TABLE idempotency_keys", "idempotency_keys: table is missing"),
        ],
    )
    def test_it_names_what_differs(self, database_url: str, sql: str, line: str) -> None:
        database = migrate.plain_database(database_url)
        database.connect()
        for statement in sql.split("; "):
            database.execute_sql(statement)
        database.close()
        (difference,) = schema.check(database_url)
        assert difference.startswith(line)

    @pytest.mark.parametrize(
        ("sql", "line"),
        [
            (
                "ALTER TABLE image_data ALTER COLUMN path TYPE VARCHAR(400)",
                "image_data: column path is CHARACTER VARYING(400) NOT NULL DEFAULT None,"
                " should be CHARACTER VARYING(500) NOT NULL DEFAULT None",
            ),
            (
                "ALTER TABLE image_data ALTER COLUMN label SET NOT NULL",
                "image_data: column label is CHARACTER VARYING(200) NOT NULL DEFAULT None,"
                " should be CHARACTER VARYING(200) NULL DEFAULT None",
            ),
            (
                "ALTER TABLE diversity_metrics ALTER COLUMN top_species TYPE JSON USING top_species::json",
                "diversity_metrics: column top_species is JSON NOT NULL DEFAULT None,"
                " should be JSONB NOT NULL DEFAULT None",
            ),
            (
                "ALTER TABLE users ALTER COLUMN is_active SET DEFAULT true",
                "users: column is_active is BOOLEAN NOT NULL DEFAULT true,"
                " should be BOOLEAN NOT NULL DEFAULT None",
            ),
            (
                "ALTER TABLE api_keys DROP CONSTRAINT api_keys_user_id_fkey",
                "api_keys: foreign key user_id is missing, should be users (id) ON DELETE CASCADE",
            ),
            (
                "ALTER TABLE image_data DROP CONSTRAINT ck_image_data_label_source",
                "image_data: check ck_image_data_label_source is missing",
            ),
        ],
    )
    def test_it_names_what_differs_on_postgres(self, postgres_url: str, sql: str, line: str) -> None:
        database = migrate.plain_database(postgres_url)
        database.connect()
        database.execute_sql(sql)
        database.close()
        (difference,) = schema.check(postgres_url)
        assert difference.startswith(line)

    @pytest.mark.parametrize(
        ("before", "after", "line"),
        [
            (
                "path VARCHAR(500)",
                "path VARCHAR(400)",
                "image_data: column path is VARCHAR(400) NOT NULL DEFAULT None,"
                " should be VARCHAR(500) NOT NULL DEFAULT None",
            ),
            (
                "path VARCHAR(500) NOT NULL",
                "path VARCHAR(500)",
                "image_data: column path is VARCHAR(500) NULL DEFAULT None,"
                " should be VARCHAR(500) NOT NULL DEFAULT None",
            ),
            (
                "ON DELETE CASCADE",
                "ON DELETE RESTRICT",
                "image_data: foreign key session_id is analysis_sessions (id) ON DELETE RESTRICT,"
                " should be analysis_sessions (id) ON DELETE CASCADE",
            ),
            (
                "('model', 'human')",
                "('model', 'human', 'ghost')",
                "image_data: check ck_image_data_label_source is label_source IN ('model', 'human', 'ghost'),"
                " should be label_source IN ('model', 'human')",
            ),
            (
                "AUTOINCREMENT",
                "",
                "image_data: check of numbers used once is missing, should be AUTOINCREMENT",
            ),
        ],
    )
    def test_it_names_what_differs_on_sqlite(
        self, sqlite_url: str, before: str, after: str, line: str
    ) -> None:
        connection = sqlite3.connect(sqlite_path(sqlite_url))
        connection.execute("PRAGMA writable_schema = 1")
        changed = connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'image_data'", (before, after)
        )
        assert changed.rowcount == 1
        connection.commit()
        connection.close()
        assert schema.check(sqlite_url) == [line]

    def test_checking_leaves_no_trace(self, postgres_url: str) -> None:
        schema.check(postgres_url)
        assert (
            _rows(postgres_url, "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'weed')") == []
        )

    def test_the_names_of_the_specification_stand(self, database_url: str) -> None:
        database = migrate.plain_database(database_url)
        database.connect()
        described = schema.describe(database)
        database.close()
        indexes = {part for table in described.values() for part in table.parts if part.startswith("index ")}
        assert indexes >= {
            "index idx_diversity_metrics_date",
            "index idx_diversity_metrics_session_date",
            "index idx_image_data_date",
            "index idx_image_data_session_date",
            "index idx_prediction_results_timestamp",
        }
        assert set(described) >= {
            "users",
            "analysis_sessions",
            "diversity_metrics",
            "image_data",
            "prediction_results",
            "processing_results",
        }


def test_the_version_of_a_prediction_comes_and_goes_and_none_is_claimed_of_older_ones(
    empty_database_url: str,
) -> None:
    url = empty_database_url
    migrate.up(url, "002_label_uncertainty")
    at = "'2025-08-24T03:00:00.000000+00:00'"
    statements = (
        "INSERT INTO users (id, username, email, api_key, is_active, created_at)"
        f" VALUES (1, 'ito', 'ito@field.example', 'd', '1', {at})",
        "INSERT INTO analysis_sessions (id, user_id, session_name, description, created_at, timezone)"
        f" VALUES (1, 1, 'north', '', {at}, 'Asia/Tokyo')",
        "INSERT INTO diversity_metrics (id, session_id, date, total_images, processed_images, species_richness,"
        " confidence_intervals, species_counts, species_frequencies, top_species, model_name)"
        " VALUES (1, 1, '2025-08-24', 1, 1, 1, '{}', '{}', '{}', '[]', 'starter')",
        "INSERT INTO image_data (id, session_id, path, date, date_source, original_filename, width, height,"
        " file_size_bytes, sha256, media_type, low_resolution, fingerprint, is_processed, is_representative, label,"
        " label_level, label_source, label_history, created_at)"
        " VALUES (1, 1, 'a.jpg', '2025-08-24', 'exif', 'a.jpg', 600, 600, 9, 'd', 'image/jpeg', '0', '', '1', '1',"
        f" 'Zea mays', 'species', 'model', '[]', {at})",
        "INSERT INTO prediction_results (diversity_metrics_id, image_data_id, model_name, processing_time,"
        " timestamp, predictions, top_prediction_species, top_prediction_confidence, mean_confidence,"
        " prediction_entropy)"
        f" VALUES (1, 1, 'starter', 0.1, {at}, '[]', 'Zea mays', 0.9, 0.5, 0.1)",
    )
    database = migrate.plain_database(url)
    database.connect()
    for statement in statements:
        database.execute_sql(statement)
    database.close()
    migrate.up(url)
    store = DatabaseStore(url)
    mine = store.for_user(1)
    said = mine.photo(1).prediction
    assert said is not None
    assert (said.model_name, said.model_version) == ("starter", None)
    renewed = mine.save_prediction(1, replace(said, model_version="1.1.0"), "Zea mays", "species").prediction
    assert renewed is not None
    assert renewed.model_version == "1.1.0"
    with pytest.raises(Problem) as refused:
        mine.save_prediction(1, replace(said, model_version="1" * 51), "Zea mays", "species")
    assert refused.value.errors[0]["field"] == "model_version"
    store.close()
    migrate.down(url, "002_label_uncertainty")
    assert _rows(url, "SELECT model_name FROM prediction_results") == [("starter",)]
    migrate.up(url)
    assert _rows(url, "SELECT model_version FROM prediction_results") == [(None,)]


def test_regional_lists_come_and_go_without_touching_what_was_there(empty_database_url: str) -> None:
    url = empty_database_url
    migrate.up(url, "002_label_uncertainty")
    statements = (
        "INSERT INTO users (id, username, email, api_key, is_active, created_at)"
        " VALUES (1, 'ito', 'ito@field.example', 'd', '1', '2025-08-24T03:00:00.000000+00:00')",
        "INSERT INTO analysis_sessions (id, user_id, session_name, description, created_at, timezone)"
        " VALUES (1, 1, 'north', '', '2025-08-24T03:00:00.000000+00:00', 'Asia/Tokyo')",
    )
    database = migrate.plain_database(url)
    database.connect()
    for statement in statements:
        database.execute_sql(statement)
    database.close()
    lists = "003_regional_lists"
    assert lists in migrate.up(url)
    assert migrate.up(url) == []
    store = DatabaseStore(url)
    (session,) = store.for_user(1).sessions()
    assert (session.session_name, session.region_species) == ("north", None)
    store.for_user(1).update_session(1, region_species="hokkaido")
    store.close()
    assert lists in migrate.down(url, "002_label_uncertainty")
    assert _rows(url, "SELECT session_name FROM analysis_sessions") == [("north",)]
    migrate.up(url)
    assert _rows(url, "SELECT region_species FROM analysis_sessions") == [(None,)]
