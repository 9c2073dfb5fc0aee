"""A database becomes a file and a database again, while others write, with PostgreSQL's own programs or SQLite."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from lib.photos.storage import open_photos
from lib.problems import Problem
from lib.store import dumps, migrate
from lib.store.contents import Content, connected, snapshot
from lib.store.dumps import DumpFailed, dumped, load_dump, other_database, restoring, scratch, what_is_there
from tests import farm as farms
from tests.farm import Farm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dump"
    made.mkdir()
    return made


@pytest.fixture
def programs(postgres_programs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PostgreSQL's programs, found on the path."""
    monkeypatch.setenv("PATH", f"{postgres_programs}:{os.environ['PATH']}")
    return postgres_programs


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], str]:
    """A program that does what a line of shell says."""

    def make(line: str) -> str:
        path = tmp_path / f"fake-{len(list(tmp_path.iterdir()))}"
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def contents(url: str) -> dict[str, Content]:
    with snapshot(url) as moment:
        return moment.contents()


@pytest.mark.usefixtures("programs")
class TestBothKinds:
    def test_it_comes_back_as_it_was(self, farm: Farm, folder: Path) -> None:
        before = contents(farm.url)
        with dumped(farm.url, folder) as dump:
            assert dump.kind == dumps.kind_of(farm.url)
            assert dump.tool.split()[0] in ("SQLite", "pg_dump")
            server = farm.url if dump.kind == "postgresql" else None
            with scratch(dump.kind, folder, server) as url:
                assert url != farm.url
                load_dump(dump.file, dump.kind, url)
                assert contents(url) == before

    def test_what_is_written_meanwhile_is_not_in_it(self, farm: Farm, folder: Path) -> None:
        before = contents(farm.url)
        with dumped(farm.url, folder) as dump:
            farm.add(9)
            assert dump.snapshot.contents() == before
            with scratch(dump.kind, folder, farm.url) as url:
                load_dump(dump.file, dump.kind, url)
                assert contents(url) == before != contents(farm.url)

    def test_numbers_go_on(self, farm: Farm, folder: Path) -> None:
        last = farm.add(9)
        farm.delete(last)
        with dumped(farm.url, folder) as dump, scratch(dump.kind, folder, farm.url) as url:
            load_dump(dump.file, dump.kind, url)
            assert Farm(url, farm.files, farm.user_id, farm.session_id).add(10).id == last.id + 1

    def test_an_empty_place_is_one_without_tables(self, empty_database_url: str) -> None:
        assert what_is_there(empty_database_url) is None
        with restoring(empty_database_url) as url:
            migrate.up(url)
        assert "tables already" in (what_is_there(empty_database_url) or "")


class TestSqlite:
    def test_a_writer_that_never_rests_does_not_keep_it_from_ending(
        self, sqlite_url: str, tmp_path: Path, folder: Path
    ) -> None:
        farm = farms.found(sqlite_url, open_photos(tmp_path / "data"))
        done, wrote = threading.Event(), threading.Event()

        def write() -> None:
            connection = sqlite3.connect(
                sqlite_url.removeprefix("sqlite:///"), isolation_level=None, timeout=10
            )
            while not done.is_set():
                connection.execute("UPDATE users SET email = email || 'x'")
                connection.execute("UPDATE users SET email = 'a@b.c'")
                wrote.set()
            connection.close()

        thread = threading.Thread(target=write)
        thread.start()
        wrote.wait()
        try:
            with dumped(farm.url, folder) as dump:
                assert dump.snapshot.content("image_data").rows == 3
        finally:
            done.set()
            thread.join()
        assert [path.name for path in folder.iterdir()] == ["database.sqlite3"]  # no log beside it

    def test_what_was_not_checkpointed_is_in_it(self, sqlite_url: str, tmp_path: Path, folder: Path) -> None:
        farm = farms.found(sqlite_url, open_photos(tmp_path / "data"))
        with connected(farm.url) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM users").fetchall()  # keeps the log from being taken over
            farm.add(9)
            assert Path(f"{sqlite_url.removeprefix('sqlite:///')}-wal").stat().st_size > 0
            with dumped(farm.url, folder) as dump:
                assert dump.snapshot.content("image_data").rows == 4

    def test_a_damaged_database_is_no_backup(self, sqlite_url: str, tmp_path: Path, folder: Path) -> None:
        farms.found(sqlite_url, open_photos(tmp_path / "data"))
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA writable_schema = 1")
        # An index over nothing of its table: every page is in order, and the whole is not.
        connection.execute("UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name ="
                           " 'uq_users_email') WHERE name = 'idx_image_data_date'")  # fmt: skip
        connection.commit()
        connection.close()
        with pytest.raises(DumpFailed, match="the database is damaged"), dumped(sqlite_url, folder):
            pass

    def test_what_is_no_database_is_said_to_be_none(self, tmp_path: Path, folder: Path) -> None:
        (tmp_path / "text.db").write_bytes(b"no database" * 1000)
        with (
            pytest.raises(DumpFailed, match="cannot be copied"),
            dumped(f"sqlite:///{tmp_path}/text.db", folder),
        ):
            pass

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make a disk that fills")
    def test_a_full_disk_is_told(self, sqlite_url: str, tmp_path: Path, folder: Path) -> None:
        farms.found(sqlite_url, open_photos(tmp_path / "data"))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            with pytest.raises(DumpFailed, match=r"is full: .* TMPDIR"), dumped(sqlite_url, folder):
                pass
        finally:
            subprocess.run(["umount", folder], check=True)

    @pytest.mark.parametrize("left", ["-wal", "-journal"])
    def test_the_log_of_another_database_is_no_empty_place(self, empty_sqlite_url: str, left: str) -> None:
        path = Path(empty_sqlite_url.removeprefix("sqlite:///"))
        beside = Path(f"{path}{left}")
        beside.write_bytes(b"x")
        assert what_is_there(empty_sqlite_url) == f"{beside} is left of another database: move it away"
        beside.unlink()
        path.touch()
        assert what_is_there(empty_sqlite_url) is None

    def test_a_file_gets_its_name_when_all_is_well_and_only_then(self, empty_sqlite_url: str) -> None:
        path = Path(empty_sqlite_url.removeprefix("sqlite:///"))

        def fail() -> None:
            with restoring(empty_sqlite_url) as url:
                migrate.up(url)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert list(path.parent.iterdir()) == []
        (path.parent / f".{path.name}.restoring").write_bytes(b"of a run that was killed")
        (path.parent / f".{path.name}.restoring-wal").write_bytes(b"of a run that was killed")
        with restoring(empty_sqlite_url) as url:
            migrate.up(url)
            assert not path.exists()
        assert migrate.pending(empty_sqlite_url) == []
        assert [each.name for each in path.parent.iterdir()] == [path.name]


class TestPostgres:
    def test_a_missing_program_is_named(
        self, postgres_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(folder))
        with (
            pytest.raises(DumpFailed, match=r"no program pg_dump: install .* --pg-dump"),
            dumped(postgres_url, folder),
        ):
            pass
        with pytest.raises(DumpFailed, match=r"no program pg_restore: install .* --pg-restore"):
            dumps.check_tool("postgresql", "postgresql://nobody@127.0.0.1:1/nothing")
        with (
            pytest.raises(DumpFailed, match="no program /nowhere/pg_dump"),
            dumped(postgres_url, folder, "/nowhere/pg_dump"),
        ):
            pass
        dumps.check_tool("sqlite", "sqlite:///none.db")

    @pytest.mark.parametrize(
        ("program", "server", "well"),
        [(16, 15, True), (16, 18, True), (17, 17, True), (18, 18, True), (18, 16, False), (17, 16, False)],
    )
    def test_a_new_program_is_not_let_loose_on_a_server_that_does_not_know_its_settings(
        self, program: int, server: int, well: bool
    ) -> None:
        assert dumps.suits(program, server) is well

    def test_an_older_program_is_refused_before_it_runs(
        self, postgres_url: str, folder: Path, fake: Callable[[str], str]
    ) -> None:
        old = fake('echo "pg_dump (PostgreSQL) 9.6.24"')
        with (
            pytest.raises(DumpFailed, match=r"of version 9, older than the server, .*--pg-dump"),
            dumped(postgres_url, folder, old),
        ):
            pass
        assert list(folder.iterdir()) == []

    def test_what_is_written_before_the_program_runs_is_not_in_the_dump(
        self, postgres_url: str, folder: Path, tmp_path: Path, fake: Callable[[str], str], programs: Path
    ) -> None:
        farms.found(postgres_url, open_photos(tmp_path / "data"))
        before = contents(postgres_url)
        late = fake(
            f'[ "$1" = --version ] || {programs}/psql -q -c "UPDATE users SET email = email || 1" || exit 1\n'
            f'exec {programs}/pg_dump "$@"'
        )
        with dumped(postgres_url, folder, late) as dump, scratch(dump.kind, folder, postgres_url) as url:
            load_dump(dump.file, dump.kind, url)
            assert contents(url) == before != contents(postgres_url)

    def test_another_program_is_refused(
        self, postgres_url: str, folder: Path, fake: Callable[[str], str]
    ) -> None:
        with (
            pytest.raises(DumpFailed, match="is no pg_dump of PostgreSQL"),
            dumped(postgres_url, folder, fake("echo hello")),
        ):
            pass

    def test_secrets_go_neither_on_the_command_line_nor_into_words(
        self, folder: Path, tmp_path: Path, fake: Callable[[str], str]
    ) -> None:
        seen = tmp_path / "seen"
        url = "postgresql://ito:s%40cret@db.example:5433/weeds?sslmode=require&application_name=x&connect_timeout=7"
        program = fake(
            f'[ "$1" = --version ] && echo "pg_restore (PostgreSQL) 18.1" && exit 0\n'
            f'echo "$@" > {seen}; env >> {seen}; echo "password s@cret" >&2; exit 1'
        )
        with pytest.raises(DumpFailed, match=r"fake-\d+: password …$"):
            load_dump(folder / "none", "postgresql", url, program)
        arguments, *environ = seen.read_text().splitlines()
        assert "s@cret" not in arguments
        assert "ito" not in arguments
        assert {
            "PGUSER=ito", "PGPASSWORD=s@cret", "PGHOST=db.example", "PGPORT=5433", "PGDATABASE=weeds",
            "PGSSLMODE=require", "PGAPPNAME=x", "PGCONNECT_TIMEOUT=7",
        } <= set(environ)  # fmt: skip

    def test_a_dump_that_is_none_changes_nothing(
        self, empty_postgres_url: str, folder: Path, postgres_programs: Path
    ) -> None:
        (folder / "broken").write_bytes(b"PGDMP and no more")
        with pytest.raises(DumpFailed, match="pg_restore: "):
            load_dump(
                folder / "broken", "postgresql", empty_postgres_url, str(postgres_programs / "pg_restore")
            )
        assert what_is_there(empty_postgres_url) is None

    def test_temporary_databases_go_whatever_happens(self, postgres_url: str, folder: Path) -> None:
        def names() -> list[str]:
            with snapshot(postgres_url) as moment:
                return [name for (name,) in moment.all("SELECT datname FROM pg_database") if "verify" in name]

        def fail() -> None:
            with scratch("postgresql", folder, postgres_url) as url:
                assert names() == [url.partition("?")[0].rpartition("/")[2]]
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert names() == []

    def test_who_may_make_no_database_is_told_what_to_do(self, postgres_url: str, folder: Path) -> None:
        with connected(postgres_url) as connection:
            connection.cursor().execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN")
        mine = postgres_url.replace("postgres@", "reader@", 1)
        with (
            pytest.raises(DumpFailed, match=r"permission denied.*--verify-url"),
            scratch("postgresql", folder, mine),
        ):
            pass
        with pytest.raises(Problem), scratch("postgresql", folder, "postgresql://nobody@127.0.0.1:1/x"):
            pass
        with (
            pytest.raises(DumpFailed, match="name a server with --verify-url"),
            scratch("postgresql", folder, "sqlite:///x.db"),
        ):
            pass

    @pytest.mark.parametrize(
        ("url", "other"),
        [
            ("postgresql://a:b@h:5432/weeds", "postgresql://a:b@h:5432/new"),
            ("postgresql://a:b@h:5432", "postgresql://a:b@h:5432/new"),
            (f"postgresql://a@/weeds?host={quote('/run/pg', safe='')}", "postgresql://a@/new?host=%2Frun%2Fpg"),
            ("postgresql://h1:1,h2:2/weeds?target_session_attrs=any",
             "postgresql://h1:1,h2:2/new?target_session_attrs=any"),
        ],
    )  # fmt: skip
    def test_another_database_of_a_server(self, url: str, other: str) -> None:
        assert other_database(url, "new") == other
