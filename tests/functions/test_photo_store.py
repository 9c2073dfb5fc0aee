"""Servers that keep photos in object storage: nothing on their own disk, refusals survived, several at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from lib.photos.object_storage import FIRST_BYTES
from lib.store.database import DatabaseStore
from tests.functions.conftest import Client, Server, process_backlog, start_server
from tests.object_store import KEY_ID, SECRET, Bucket, Door

NOWHERE = "/dev/null/data"  # a folder that nobody can make


@pytest.fixture
def server(make_server: Callable[..., Server], bucket: Bucket, door: Door) -> Server:
    return make_server(DATA_DIR=NOWHERE, **bucket.environ(door.endpoint))


@pytest.fixture
def user(server: Server) -> Client:
    return server.user()


def log(server: Server) -> str:
    return server.log.read_text(errors="replace")


@pytest.mark.photos
def test_a_photo_s_whole_life(
    server: Server, user: Client, bucket: Bucket, door: Door, photos_dir: Path
) -> None:
    data = sorted((photos_dir / "Galium_aparine").glob("*.jpg"))[0].read_bytes()
    (result,) = user.upload(("g.jpg", data), date="2025-06-01").json()["results"]
    assert result["image"]["predictions"]
    (path,) = bucket.names()
    assert bucket.read(path) == data

    address = f"/api/images/{result['image']['id']}/file"
    original = user.get(address)
    assert (original.content, original.headers["Content-Length"]) == (data, str(len(data)))
    assert user.get(address, headers={"If-None-Match": original.headers["ETag"]}).status_code == 304
    part = user.get(address, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, data[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(data)}"
    small = user.get(f"{address}?width=160")
    assert Image.open(BytesIO(small.content)).width == min(160, Image.open(BytesIO(data)).width)
    assert bucket.names() == [path, f"thumbnails/{path}/160.jpg"]
    assert user.get(f"{address}?width=160").content == small.content
    assert user.get(f"/photos/{result['image']['id']}").ok

    assert user.upload(("again.jpg", data)).json()["results"][0]["status"] == "duplicate"
    assert user.delete(f"/api/images/{result['image']['id']}").ok
    assert bucket.names() == []
    assert "Traceback" not in log(server)


def test_a_small_part_of_a_large_photo_does_not_fetch_all_of_it(user: Client, door: Door) -> None:
    noise = Image.frombytes("RGB", (1200, 1200), random.Random(1).randbytes(3 * 1200 * 1200))
    out = BytesIO()
    noise.save(out, "JPEG", quality=97)
    data = out.getvalue()
    assert len(data) > 20 * FIRST_BYTES
    number = user.upload(("a.jpg", data)).json()["results"][0]["image"]["id"]
    door.asked.clear()
    part = user.get(f"/api/images/{number}/file", headers={"Range": "bytes=-100"})
    assert (part.status_code, part.content) == (206, data[-100:])
    assert sum(each.sent for each in door.asked) <= 2 * FIRST_BYTES


def test_a_deleted_session_takes_its_photos_along(
    user: Client, bucket: Bucket, photo: Callable[..., bytes]
) -> None:
    taken = user.upload(*((f"{seed}.jpg", photo(seed)) for seed in range(4))).json()
    for result in taken["results"]:
        assert user.get(f"/api/images/{result['image']['id']}/file?width=160").ok
    assert len(bucket.names()) == 8
    assert user.delete(f"/api/sessions/{taken['session_id']}").status_code == 204
    assert bucket.names() == []


def test_a_lost_object_is_said_to_be_lost(user: Client, bucket: Bucket, photo: Callable[..., bytes]) -> None:
    number = user.upload(("a.jpg", photo(1))).json()["results"][0]["image"]["id"]
    bucket.remove(bucket.names()[0])
    for query in ("", "?width=160"):
        assert user.get(f"/api/images/{number}/file{query}").status_code == 410


def test_the_backlog_fetches_what_waits_and_sweeps_what_no_row_knows(
    make_server: Callable[..., Server], bucket: Bucket, photo: Callable[..., bytes], tmp_path: Path
) -> None:
    environ = bucket.environ() | {"DATA_DIR": NOWHERE}
    server = make_server(MODEL_DIR=str(tmp_path / "none"), **environ)
    user = server.user()
    image = user.upload(("a.jpg", photo(1)), date="2025-06-01").json()["results"][0]["image"]
    (kept,) = bucket.names()
    orphan, young = (f"{kept[:-12]}{digit * 8}.jpg" for digit in "01")
    for path in (orphan, young):
        bucket.add(path, photo(2))
    bucket.age(orphan, 2)
    summary = process_backlog(server, **environ)
    assert (summary["classified"], summary["files_swept"], summary["files_missing"]) == (1, 1, 0)
    assert bucket.names() == sorted([kept, young])
    assert user.get(f"/api/images/{image['id']}").json()["is_processed"] is True
    bucket.remove(kept)
    assert process_backlog(server, **environ)["files_missing"] == 1


class TestRefusing:
    """The store refuses while the server goes on."""

    @pytest.mark.parametrize(
        ("does", "status", "kind"),
        [
            ((503, "SlowDown"), 503, "storage-unavailable"),
            ((403, "InvalidAccessKeyId"), 503, "storage-unavailable"),
            ((507, "XMinioStorageFull"), 507, "storage-full"),
        ],
        ids=str,
    )
    def test_nothing_is_kept_of_an_upload_and_it_works_again_by_itself(
        self, server: Server, user: Client, bucket: Bucket, door: Door,
        photo: Callable[..., bytes], does: tuple[int, str], status: int, kind: str,
    ) -> None:  # fmt: skip
        sent = [(f"{seed}.jpg", photo(seed)) for seed in range(3)]
        door.refuse(does, only="PUT ")
        reply = user.upload(*sent)
        assert reply.status_code == status
        problems = [result["problem"] for result in reply.json()["results"]]
        assert [problem["type"].partition("#")[2] for problem in problems] == [kind] * 3
        assert bucket.names() == []
        assert user.get("/api/images").json()["images"] == []
        door.refuse("pass")
        assert [each["status"] for each in user.upload(*sent).json()["results"]] == ["created"] * 3
        assert len(bucket.names()) == 3
        said = reply.text + log(server)
        assert not [secret for secret in (KEY_ID, SECRET, "Traceback") if secret in said]

    def test_one_refusal_costs_one_photo(
        self, user: Client, bucket: Bucket, door: Door, photo: Callable[..., bytes]
    ) -> None:
        door.refuse((403, "AccessDenied"), only="PUT ", times=1)
        reply = user.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)))
        assert reply.status_code == 201
        assert [each["status"] for each in reply.json()["results"]] == ["rejected", "created"]
        assert len(bucket.names()) == len(user.get("/api/images").json()["images"]) == 1

    def test_reads_say_when_to_come_back_and_ready_names_the_store(
        self, server: Server, user: Client, door: Door, photo: Callable[..., bytes]
    ) -> None:
        number = user.upload(("a.jpg", photo(1))).json()["results"][0]["image"]["id"]
        ready = user.get("/ready")
        assert (ready.status_code, ready.json()["checks"][1]) == (200, "photo store")
        door.refuse((403, "AccessDenied"))
        for query in ("", "?width=160"):
            reply = user.get(f"/api/images/{number}/file{query}")
            assert (reply.status_code, reply.json()["type"].partition("#")[2]) == (503, "storage-unavailable")
            assert reply.headers["Retry-After"]
        ready = user.get("/ready")
        assert ready.status_code == 503
        (failure,) = ready.json()["failures"]
        assert failure.startswith("photo store: ")
        assert "AccessDenied" in log(server)
        for path in ("/health", "/api/images", f"/api/images/{number}", "/api/calendar/total_images"):
            assert user.get(path).ok
        # The row is gone, and what lies in the store is the sweep's.
        assert user.delete(f"/api/images/{number}").ok
        door.refuse("pass")
        assert user.get("/ready").ok

    def test_the_store_goes_silent_and_people_do_not_queue_up(
        self, user: Client, bucket: Bucket, door: Door, photo: Callable[..., bytes]
    ) -> None:
        door.refuse("hang up")
        reply = user.upload(*((f"{seed}.jpg", photo(seed)) for seed in range(5)))
        assert reply.status_code == 503
        assert len({each.path for each in door.asked}) == 1
        assert bucket.names() == []


class TestSeveralMachines:
    @pytest.fixture
    def both(self, tmp_path: Path, postgres_url: str, bucket: Bucket) -> Iterator[list[Server]]:
        environ = bucket.environ() | {"DATA_DIR": NOWHERE}
        started = [start_server(tmp_path / name, postgres_url, **environ) for name in ("one", "two")]
        yield started
        for server in started:
            server.stop()

    def test_the_same_photos_to_both_at_once_are_one_row_and_one_object_each(
        self, both: list[Server], bucket: Bucket, photo: Callable[..., bytes]
    ) -> None:
        user = both[0].user()
        session = user.post("/api/sessions", json={"session_name": "shared"}).json()["id"]
        clients = [Client(server.base, user.headers) for server in both]
        sent = [(f"{seed}.jpg", photo(seed)) for seed in range(4)]
        with ThreadPoolExecutor(4) as people:
            replies = list(people.map(lambda client: client.upload(*sent, session_id=session), clients * 2))
        said = [result["status"] for reply in replies for result in reply.json()["results"]]
        assert sorted(said) == ["created"] * 4 + ["duplicate"] * 12
        store = DatabaseStore(str(both[0].database_url))
        with store.connection():
            assert sorted(store.photo_paths()) == bucket.names()
        store.close()

    def test_what_came_in_on_one_is_served_by_the_other(
        self, both: list[Server], photo: Callable[..., bytes]
    ) -> None:
        user = both[0].user()
        number = user.upload(("a.jpg", photo(1)), date="2025-06-01").json()["results"][0]["image"]["id"]
        other = Client(both[1].base, user.headers)
        assert other.get(f"/api/images/{number}/file").content == photo(1)
        assert other.get("/api/calendar/total_images").json()["data"]["2025-06-01"]["value"] == 1

    def test_what_a_machine_that_died_between_object_and_row_leaves_is_swept(
        self, both: list[Server], bucket: Bucket, photo: Callable[..., bytes]
    ) -> None:
        user = both[0].user()
        user.upload(("a.jpg", photo(1)))
        (kept,) = bucket.names()
        orphan = f"{kept[:-12]}00000000.jpg"
        bucket.add(orphan, photo(1))
        bucket.age(orphan, 2)
        summary = process_backlog(both[1], DATA_DIR=NOWHERE, **bucket.environ())
        assert (summary["files_swept"], bucket.names()) == (1, [kept])
