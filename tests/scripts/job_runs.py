"""Jobs as cron runs them: a process with its exit code, its last line, and photos that wait in a database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

from lib.photos.folder_storage import FolderPhotos
from lib.store import job_lock
from lib.store.connection import is_postgres
from lib.store.database import DatabaseStore
from lib.store.migrate import plain_database
from lib.store.records import NewPhoto, Photo

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2025, 8, 24)


@dataclass(frozen=True)
class Ran:
    """How a job ended."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads(self.out.splitlines()[-1]))


@dataclass
class Site:
    """A database and a folder with photos, and the jobs that look after them."""

    url: str
    folder: Path

    @property
    def files(self) -> FolderPhotos:
        return FolderPhotos(self.folder / "data")

    def start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        environ = os.environ | {
            "DATABASE_URL": self.url,
            "DATA_DIR": str(self.folder / "data"),
            "OUTPUT_DIR": str(self.folder / "output"),
        }
        return subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, *arguments: str) -> Ran:
        return ended(self.start(script, *arguments))

    @contextmanager
    def store(self) -> Iterator[DatabaseStore]:
        opened = DatabaseStore(self.url)
        try:
            yield opened
        finally:
            opened.close()

    def add_photo(self, data: bytes, name: str = "hanako", day: date = DAY, **values: Any) -> Photo:
        """A photo that no model has seen, in the first session of a person, who is made when new."""
        with self.store() as store:
            digest = sha256(data).hexdigest()
            user = store.user(name) or store.create_user(
                name, f"{name}@farm.example", sha256(name.encode()).hexdigest(), name[:8], ["read", "write"]
            )
            mine = store.for_user(user.id)
            session = mine.default_session("Asia/Tokyo")
            given: dict[str, Any] = {
                "session_id": session.id, "path": self.files.put(session.id, digest, "jpg", data), "date": day,
                "date_source": "form", "captured_at": None, "original_filename": "photo.jpg", "width": 320,
                "height": 240, "file_size_bytes": len(data), "sha256": digest, "media_type": "image/jpeg",
                "blur_score": 1.0, "exposure_score": 1.0, "brightness_mean": 1.0, "contrast_std": 1.0,
                "quality_score": 0.5, "low_resolution": False, "fingerprint": digest,
            }  # fmt: skip
            return mine.add_photo(NewPhoto(**given | values))[0]


def ended(process: subprocess.Popen[str]) -> Ran:
    """Wait for a job."""
    out, err = process.communicate()
    return Ran(process.returncode, out, err)


class HeldPhoto:
    """A photo whose file is a pipe: who reads it waits until the test lets it go on."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._data = place.read_bytes()
        place.unlink()
        os.mkfifo(place)

    @contextmanager
    def read_by(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Within, the process has come to the photo and waits; then it gets it and ends, and the file is back."""
        # Should the process end before it comes to the pipe, opening the other end keeps the test from waiting.
        release = Thread(
            target=lambda: (process.wait(), os.close(os.open(self._place, os.O_RDONLY | os.O_NONBLOCK)))
        )
        release.start()
        with self._place.open("wb") as pipe:
            yield
            if process.poll() is None:
                pipe.write(self._data)
        process.wait()
        release.join()
        self._place.unlink()
        self._place.write_bytes(self._data)


def wait_until_free(url: str, job: str) -> None:
    """Until the database knows that the process which held the lock is dead; a file's lock goes with it."""
    if not is_postgres(url):
        return
    database = plain_database(url)
    database.connect()
    numbers = (job_lock._SPACE, job_lock._number(job))
    database.execute_sql("SELECT pg_advisory_lock(%s, %s)", numbers)
    database.execute_sql("SELECT pg_advisory_unlock(%s, %s)", numbers)
    database.close()
