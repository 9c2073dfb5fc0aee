"""Jobs as cron runs them: a process with its exit code, its last line, and photos that wait in a database."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

    def start(self, script: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
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
            **options,
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
        self.put_back()

    def kill_reader(self, job: subprocess.Popen[str], put_back: bool = True) -> None:
        """Kill the process of the job that reads the photo, once there is one; it can be read next if put back."""
        Thread(target=self._let_go_after, args=(job,), daemon=True).start()
        with self._place.open("wb"):
            held = str(self._place)
            (reader,) = (pid for pid in descendants(job.pid) if held in open_files(pid))
            if put_back:
                self.put_back()
            handle = os.pidfd_open(reader)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [])  # dead, it holds the pipe no more
            os.close(handle)

    def put_back(self) -> None:
        self._place.unlink()
        self._place.write_bytes(self._data)

    def _let_go_after(self, job: subprocess.Popen[str]) -> None:
        """Should the job end before it comes to the pipe, nobody waits for it."""
        job.wait()
        with suppress(OSError):
            os.close(os.open(self._place, os.O_RDONLY | os.O_NONBLOCK))


def descendants(pid: int) -> list[int]:
    """The processes that a process began, and that those began."""
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in listed.read_text().split()]
    return [each for child in found for each in (child, *descendants(child))]


def open_files(pid: int) -> set[str]:
    """The paths of the files that a process has open."""
    names = set()
    for handle in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            names.add(str(handle.readlink()))
    return names


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
