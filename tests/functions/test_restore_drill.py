"""The drill: a server's database and photos are backed up, restored elsewhere, and every read answers the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lib.photos.storage import open_photos
from scripts.benchmarks import reads
from tests.functions.conftest import ROOT, Client, Server, start_server
from tests.object_store import Bucket

pytestmark = pytest.mark.photos


@dataclass
class Field:
    """A server with photos of real plants, and what it answered on every read route."""

    server: Server
    client: Client
    answers: dict[str, Any]

    def run(self, script: str, *arguments: str, **environ: str) -> dict[str, Any]:
        """Runs a script with this server's settings; its last line."""
        settings = {"DATABASE_URL": str(self.server.database_url), "DATA_DIR": str(self.server.data_dir)}
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            env={**os.environ, **settings, **environ},
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))


def ask(client: Client) -> Callable[[str], Any]:
    return lambda address: client.get(address).json()


def grow(folder: Path, url: str, photos: Path) -> Field:
    """Uploads of two sessions and three days, corrected here and there, with keys, one of which is revoked."""
    server = start_server(folder, url)
    client = server.user("read", "write")
    server.user("read")  # somebody else
    north, south = (
        client.post(
            "/api/sessions", json={"session_name": name, "latitude": 43.06, "longitude": 141.35}
        ).json()["id"]
        for name in ("North", "South")
    )
    plants = [sorted(species.glob("*.jpg"))[0] for species in sorted(photos.iterdir()) if species.is_dir()]
    images = []
    for session, day, chosen in (
        (north, "2025-06-01", plants[:5]),
        (south, "2025-06-01", plants[5:8]),
        (north, "2025-06-08", plants[8:]),
    ):
        sent = client.upload(
            *((path.name, path.read_bytes()) for path in chosen), session_id=session, date=day
        )
        images += [result["image"]["id"] for result in sent.json()["results"]]
    for number, change in (
        (images[0], {"label": "Stellaria media"}), (images[1], {"confirm": True}),
        (images[2], {"label": "not_a_plant"}), (images[3], {"label": "Poa annua"}), (images[3], {"undo": True}),
        (images[4], {"date": "2025-06-15"}),
    ):  # fmt: skip
        assert client.patch(f"/api/images/{number}", json=change).ok
    assert client.delete(f"/api/images/{images[6]}").ok
    made = client.post("/api/keys", json={"name": "old", "scopes": ["read"]}).json()
    assert client.delete(f"/api/keys/{made['id']}").ok
    answers = {address: client.get(address) for address in reads.addresses(ask(client))}
    assert {address: reply.status_code for address, reply in answers.items()} == dict.fromkeys(answers, 200)
    assert len(answers) > 80
    return Field(server, client, answers)


def differences(field: Field, other: Server, ordered: bool = True) -> list[str]:
    """The addresses on which another server answers the same key something else."""
    client = replace(field.client, base=other.base)
    assert reads.addresses(ask(client)) == list(field.answers)
    found = []
    for address, before in field.answers.items():
        after = client.get(address)
        if after.status_code != 200 or reads.comparable(after, ordered) != reads.comparable(before, ordered):
            found.append(address)
    return found


@pytest.fixture(scope="module")
def sqlite_field(tmp_path_factory: pytest.TempPathFactory, photos_dir: Path) -> Iterator[Field]:
    folder = tmp_path_factory.mktemp("field")
    field = grow(folder, f"sqlite:///{folder}/weeds.db", photos_dir)
    yield field
    field.server.stop()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers on what was restored; they end with the test."""
    started: list[Server] = []

    def start(folder: Path, url: str, **environ: str) -> Server:
        started.append(start_server(folder, url, **environ))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_sqlite_comes_back_and_answers_the_same(
    sqlite_field: Field, serve: Callable[..., Server], tmp_path: Path
) -> None:
    said = sqlite_field.run("backup.py", str(tmp_path / "backups"), "--verify")
    assert (said["verified"], said["photos"]) == (True, 11)
    new = tmp_path / "new"
    url = f"sqlite:///{new}/weeds.db"
    restored = sqlite_field.run(
        "restore.py", str(tmp_path / "backups"), DATABASE_URL=url, DATA_DIR=str(new / "data")
    )
    assert (restored["photos_written"], restored["photos_missing"], restored["rows"]) == (11, 0, said["rows"])
    server = serve(new, url)
    assert differences(sqlite_field, server) == []
    # And it goes on: a photo that it has is known, and a key that was revoked stays so.
    client = replace(sqlite_field.client, base=server.base)
    photo = client.get("/api/images").json()["images"][0]
    data = client.get(f"/api/images/{photo['id']}/file").content
    again = client.upload(("again.jpg", data), session_id=photo["session_id"])
    assert again.json()["results"][0]["status"] == "duplicate"


def test_postgresql_comes_back_and_answers_the_same(
    postgres_url: str, empty_postgres_url: str, postgres_programs: Path, photos_dir: Path,
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", f"{postgres_programs}:{os.environ['PATH']}")
    field = grow(tmp_path / "field", postgres_url, photos_dir)
    try:
        said = field.run("backup.py", str(tmp_path / "backups"), "--verify")
        assert (said["verified"], said["database"]) == (True, "postgresql")
    finally:
        field.server.stop()
    new = tmp_path / "new"
    field.run(
        "restore.py", str(tmp_path / "backups"), DATABASE_URL=empty_postgres_url, DATA_DIR=str(new / "data")
    )
    assert differences(field, serve(new, empty_postgres_url)) == []


def test_sqlite_moves_to_postgresql_and_answers_the_same(
    sqlite_field: Field, postgres_url: str, serve: Callable[..., Server]
) -> None:
    source = str(sqlite_field.server.database_url)
    said = sqlite_field.run("copy_database.py", "--from", source, "--to", postgres_url)
    assert said["differences"] == 0
    server = serve(
        sqlite_field.server.folder / "moved", postgres_url, DATA_DIR=str(sqlite_field.server.data_dir)
    )
    # What kind of database it is, is told; all else is the same.
    assert differences(sqlite_field, server, ordered=False) == ["/api/status"]
    client = replace(sqlite_field.client, base=server.base)
    status = client.get("/api/status").json()
    assert status == sqlite_field.answers["/api/status"].json() | {"database": "postgresql"}
    # A new row gets a number of its own.
    assert client.post("/api/sessions", json={"session_name": "East"}).status_code == 201


def test_photos_move_into_a_bucket_and_back(
    sqlite_field: Field, bucket: Bucket, serve: Callable[..., Server], tmp_path: Path
) -> None:
    sqlite_field.run("backup.py", str(tmp_path / "backups"))
    urls = [f"sqlite:///{tmp_path}/{name}/weeds.db" for name in ("away", "home")]
    sqlite_field.run("restore.py", str(tmp_path / "backups"), DATABASE_URL=urls[0], **bucket.environ())
    away = serve(tmp_path / "away", urls[0], **bucket.environ() | {"DATA_DIR": "/dev/null/data"})
    assert differences(sqlite_field, away) == []
    away.stop()
    said = sqlite_field.run("backup.py", bucket.url, DATABASE_URL=urls[0], **bucket.environ())
    assert said["photos_copied"] == 11
    place = bucket.environ() | {"PHOTO_STORE": ""}
    home = tmp_path / "home"
    sqlite_field.run("restore.py", bucket.url, DATABASE_URL=urls[1], DATA_DIR=str(home / "data"), **place)
    files, first = open_photos(home / "data"), open_photos(sqlite_field.server.data_dir)
    assert {path: files.read(path) for path in files.stored()} == {
        path: first.read(path) for path in first.stored()
    }
    assert differences(sqlite_field, serve(home, urls[1])) == []
