"""Where days, photos and people are kept: a database, the files of file mode, or the sample season."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib.config import Settings

if TYPE_CHECKING:
    from lib.store.database import DatabaseStore
    from lib.store.files import FileStore


def open_store(settings: Settings) -> DatabaseStore | FileStore:
    """The store that the settings ask for. Only the code of that one is imported; nothing is opened yet."""
    if settings.database_url:
        from lib.store.database import DatabaseStore

        return DatabaseStore(settings.database_url)
    from lib.store.files import FileStore

    return FileStore(settings.output_dir)
