"""GET /api/images/{id}/file: the photo itself, and thumbnails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from lib.store.database import DatabaseStore
from tests.functions.conftest import Client, Server, start_server
from tests.functions.models import until


@pytest.fixture
def path(user: Client, photo: Callable[..., bytes]) -> str:
    result = user.upload(("a.jpg", photo(1, size=(800, 600)))).json()["results"][0]
    return f"/api/images/{result['image']['id']}/file"


def test_the_original_comes_back_byte_for_byte(user: Client, path: str, photo: Callable[..., bytes]) -> None:
    reply = user.get(path)
    assert reply.content == photo(1, size=(800, 600))
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert "private" in reply.headers["Cache-Control"]
    # A browser keeps it for a day, but not for the next person who signs in there.
    assert {"Cookie", "Authorization", "X-API-Key"} <= set(reply.headers["Vary"].replace(" ", "").split(","))


@pytest.mark.parametrize(("width", "given"), [(1, 160), (160, 160), (161, 320), (640, 640), (1280, 800)])
def test_widths_round_up_to_a_few_sizes(user: Client, path: str, width: int, given: int) -> None:
    small = Image.open(BytesIO(user.get(f"{path}?width={width}").content))
    assert (small.format, small.width) == ("JPEG", given)


def test_a_known_photo_is_not_sent_again(user: Client, path: str) -> None:
    tag = user.get(f"{path}?width=160").headers["ETag"]
    again = user.get(f"{path}?width=160", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert user.get(path).headers["ETag"] != tag


def test_a_part_can_be_asked_for(user: Client, path: str, photo: Callable[..., bytes]) -> None:
    reply = user.get(path, headers={"Range": "bytes=0-9"})
    assert (reply.status_code, reply.content) == (206, photo(1, size=(800, 600))[:10])


def test_a_part_behind_the_end_is_refused(user: Client, path: str) -> None:
    reply = user.get(path, headers={"Range": "bytes=999999999-"})
    assert (reply.status_code, reply.headers["Content-Type"]) == (416, "application/problem+json")
    assert reply.json()["type"].endswith("#range-not-satisfiable")


@pytest.mark.parametrize("width", ["0", "-5", "wide", "99999"])
def test_a_bad_width_is_named(user: Client, path: str, width: str) -> None:
    reply = user.get(f"{path}?width={width}")
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "width")


def test_a_lost_file_is_said_to_be_lost(server: Server, user: Client, path: str) -> None:
    number = path.split("/")[3]
    session = user.get(f"/api/images/{number}").json()["session_id"]
    (file,) = (server.data_dir / "photos" / str(session)).rglob("*.jpg")
    file.unlink()
    for query in ("", "?width=160"):
        reply = user.get(path + query)
        assert (reply.status_code, reply.headers["Content-Type"]) == (410, "application/problem+json")


def test_a_page_of_photos_gets_all_of_its_thumbnails_at_once(
    server: Server, photo: Callable[..., bytes]
) -> None:
    user = server.user()
    taken = user.upload(*((f"{seed}.jpg", photo(seed, size=(1600, 1200))) for seed in range(24))).json()
    paths = [f"/api/images/{result['image']['id']}/file?width=320" for result in taken["results"]]
    with ThreadPoolExecutor(len(paths)) as tabs:
        assert [reply.status_code for reply in tabs.map(user.get, paths)] == [200] * len(paths)


def test_no_file_stays_open_however_it_was_asked_for(
    server: Server, user: Client, path: str, photo: Callable[..., bytes]
) -> None:
    tag = user.get(path).headers["ETag"]
    for headers in ({}, {"Range": "bytes=5-9"}, {"Range": "bytes=999999999-"}, {"If-None-Match": tag}):
        assert user.get(path, headers=headers).status_code in (200, 206, 304, 416)
    assert user.request("HEAD", path).headers["Content-Length"] == str(len(photo(1, size=(800, 600))))
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    opened = []
    for child in children:
        for each in Path(f"/proc/{child}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                opened.append(str(each.readlink()))
    assert [each for each in opened if each.startswith(str(server.data_dir))] == []


def test_looking_at_a_photo_wakes_the_work_that_waits(
    make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    without = make_server(MODEL_DIR=str(tmp_path / "none"))
    user = without.user()
    number = user.upload(("a.jpg", photo(1))).json()["results"][0]["image"]["id"]
    without.stop()
    again = start_server(without.folder, without.database_url)
    store = DatabaseStore(str(without.database_url))

    def done() -> bool:
        with store.connection():
            return not store.unprocessed(1)

    try:
        assert Client(again.base, user.headers).get(f"/api/images/{number}/file").content == photo(1)
        until(Client(again.base), done)  # /health looks for nothing
    finally:
        store.close()
        again.stop()
