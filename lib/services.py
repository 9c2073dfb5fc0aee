"""What the functions of one process share, each opened on first use and only once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lib.problems import Problem

if TYPE_CHECKING:
    from lib.auth import BrowserSession, Identity
    from lib.backlog import Backlog
    from lib.classifier.resident import FolderState
    from lib.config import Settings
    from lib.photos.storage import PhotoFiles
    from lib.rates import RateLimiter
    from lib.recognition import Recogniser
    from lib.store.database import DatabaseStore
    from lib.store.files import FileStore
    from lib.store.interface import ReadStore
    from lib.store.sample import SampleStore

LOOK_EVERY = 60.0  # seconds


class Services:
    """Stores, photo files, cookie signer and rate limiter of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._database: DatabaseStore | None = None
        self._files: FileStore | None = None
        self._sample: SampleStore | None = None
        self._browser: BrowserSession | None = None
        self._rates: RateLimiter | None = None
        self._wrong_keys: RateLimiter | None = None
        self._photos: PhotoFiles | None = None
        self._recogniser: Recogniser | None = None
        self._backlog: Backlog | None = None
        self._looked = float("-inf")
        self._waits_for: FolderState | None = None  # the model folder as it was when photos had to wait

    @property
    def database(self) -> DatabaseStore:
        """The database of database mode; in file mode a 503 that says what to set."""
        with self._lock:
            if self._database is None:
                if self.settings.database_url is None:
                    raise Problem(
                        503,
                        "File mode",
                        "This server has no database, so it takes no photos and has no users: set DATABASE_URL.",
                        kind="file-mode",
                        headers={"Retry-After": "3600"},
                    )
                from lib.store.database import DatabaseStore

                self._database = DatabaseStore(self.settings.database_url, self.settings.slow_query_ms)
            return self._database

    @property
    def files(self) -> FileStore:
        """The outputs under OUTPUT_DIR."""
        with self._lock:
            if self._files is None:
                from lib.store.files import FileStore

                self._files = FileStore(self.settings.output_dir)
            return self._files

    @property
    def sample(self) -> SampleStore:
        """The season that visitors see."""
        with self._lock:
            if self._sample is None:
                from lib.store.sample import SampleStore

                self._sample = SampleStore()
            return self._sample

    @property
    def photos(self) -> PhotoFiles:
        """The photos, under DATA_DIR or in the store of PHOTO_STORE."""
        with self._lock:
            if self._photos is None:
                from lib.photos.storage import open_storage

                self._photos = open_storage(self.settings)
            return self._photos

    @property
    def recogniser(self) -> Recogniser:
        """What names the plants in photos; the model itself loads with the first one."""
        with self._lock:
            if self._recogniser is None:
                from lib import classifier
                from lib.recognition import Recogniser

                classifier.unload_when_idle(self.settings.model_idle_seconds)
                self._recogniser = Recogniser(self.settings.model_dir, self.settings.region_species)
            return self._recogniser

    @property
    def backlog(self) -> Backlog:
        """What works off the photos that wait for the model."""
        database, photos, recogniser = self.database, self.photos, self.recogniser
        with self._lock:
            if self._backlog is None:
                from lib.backlog import Backlog

                self._backlog = Backlog(database, photos, recogniser.in_background())
            return self._backlog

    def work_waits(self) -> None:
        """A photo was left waiting: look when this request is over, however short ago the last look was."""
        with self._lock:
            self._looked = float("-inf")
            if self._backlog is not None:
                self._backlog.rouse()

    def look_for_waiting_work(self) -> None:
        """Start the backlog when photos or days wait; asks the database at most once a minute, or when photos are
        known to wait and the model folder has changed: perhaps it was mended.

        Called when a request is over, so that nobody waits for it.
        """
        with self._lock:
            now = time.monotonic()
            # A clock that jumped back after the machine slept must not stop the looking.
            recently = 0 <= now - self._looked < LOOK_EVERY
            if recently and (self._waits_for is None or self._waits_for == self._model_folder()):
                return
            self._looked = now
        photos = bool(self.database.unprocessed(1))
        with self._lock:
            self._waits_for = self._model_folder() if photos else None
        if photos or self.database.stale_days(1):
            self.backlog.start()

    def _model_folder(self) -> FolderState:
        from lib.classifier.resident import FolderState

        return FolderState.of(self.settings.model_dir)

    @property
    def browser(self) -> BrowserSession:
        """The signer of the browser cookie."""
        with self._lock:
            if self._browser is None:
                from lib.auth import BrowserSession

                self._browser = BrowserSession(self.settings.secret_key, self.settings.production)
            return self._browser

    @property
    def rates(self) -> RateLimiter | None:
        """The rate limiter, or None when RATE_LIMIT is empty."""
        if self.settings.rate_limit is None:
            return None
        with self._lock:
            if self._rates is None:
                from lib.rates import RateLimiter

                self._rates = RateLimiter(self.settings.rate_limit, self.settings.rate_limit_storage)
            return self._rates

    @property
    def wrong_keys(self) -> RateLimiter:
        """Counts the keys that nobody has, by the address that sent them."""
        with self._lock:
            if self._wrong_keys is None:
                from lib.rates import RateLimiter

                settings = self.settings
                self._wrong_keys = RateLimiter(settings.wrong_key_limit, settings.rate_limit_storage)
            return self._wrong_keys

    @contextmanager
    def connection(self) -> Iterator[None]:
        """A database connection for the length of one request; nothing in file mode."""
        if self.settings.database_url is None:
            yield
            return
        with self.database.connection():
            yield

    def read_store(self, identity: Identity) -> ReadStore:
        """Where this caller's days come from: their own rows, the files of file mode, or the sample season."""
        if identity.user is not None:
            return self.database.for_user(identity.user.id)
        if self.settings.database_url is None and self.files.days():
            return self.files
        return self.sample
