"""The crash test with figures: what it counts as lost, left over or out of step, and how it ends."""

from __future__ import annotations

import hashlib
import random
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from lib.store.migrate import plain_database
from scripts import bench
from scripts.benchmarks import crash
from scripts.benchmarks.interrupted import uploads
from scripts.benchmarks.server import Server
from tests.functions.conftest import make_photo


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> tuple[Server, list[tuple[int, str]]]:
    """A server that took three photos of one day and was killed, and what it acknowledged."""
    folder = tmp_path / "field"
    folder.mkdir()
    server = Server(folder)
    server.environment["DATABASE_URL"] = sqlite_url
    server.prepare()
    photos = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, path in enumerate(photos):
        path.write_bytes(make_photo(number))
    server.start()
    results = server.upload(photos, date="2025-06-01")[1]["results"]
    server.kill()
    assert server.process is None
    sent = [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos]
    return server, [(result["image"]["id"], digest) for result, digest in zip(results, sent, strict=True)]


def change(url: str, *statements: str) -> None:
    with closing(plain_database(url)) as database:
        database.connect()
        for statement in statements:
            database.execute_sql(statement)


def wrong(found: dict[str, object]) -> dict[str, object]:
    return {promise: found[promise] for promise in crash.PROMISES if found.get(promise)}


def test_nothing_is_wrong_with_what_was_left_alone(served: tuple[Server, list[tuple[int, str]]]):
    server, acknowledged = served
    found = crash.afterwards(server, acknowledged)
    assert wrong(found) == {}
    assert (found["photos_kept"], found["days"]) == (3, 1)


def test_it_counts_what_is_lost_and_left_over(served: tuple[Server, list[tuple[int, str]]]):
    server, acknowledged = served
    data = Path(server.environment["DATA_DIR"])
    first, second, third = sorted((data / "photos").rglob("*.jpg"))
    first.unlink()
    second.write_bytes(b"other bytes")
    shutil.copy(third, third.with_name(third.name.replace(third.name[-12:-4], "00000000")))
    third.with_name(".tmp-0123456789abcdef").write_bytes(b"half")
    url = server.environment["DATABASE_URL"]
    change(url, "UPDATE image_data SET is_processed = 0 WHERE id = 1", "DELETE FROM prediction_results")
    found = crash.examine(url, data, [*acknowledged, (99, "0" * 64)])
    assert wrong(found) == {
        "acknowledged_lost": 3,
        "rows_without_files": 2,
        "files_without_rows": 1,
        "temporary_files": 1,
        "unprocessed": 1,
        "unnamed": 3,
    }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE diversity_metrics SET shannon_diversity = 9",
        "UPDATE processing_results SET clusters_found = 9",
        "UPDATE image_data SET label = 'Zea mays', label_source = 'human' WHERE id = 1",
    ],
)
def test_it_counts_days_that_a_fresh_recomputation_makes_otherwise(
    served: tuple[Server, list[tuple[int, str]]], statement: str
):
    server, acknowledged = served
    change(server.environment["DATABASE_URL"], statement)
    assert crash.afterwards(server, acknowledged)["days_that_differ"] >= 1


def test_uploads_are_of_every_kind_and_the_same_for_a_seed():
    photos = [bytes([number % 256, number // 256]) for number in range(900)]

    def made(seed: int) -> list[object]:
        return list(uploads(300, photos, [1, 2], ["2025-06-01", "2025-06-02"], random.Random(seed)))

    one = uploads(300, photos, [1, 2], ["2025-06-01", "2025-06-02"], random.Random(5))
    assert made(5) == made(5) != made(6)
    assert all(each.photos for each in one)
    assert any(len(each.photos) > 1 for each in one)
    assert len({photo for each in one for photo in each.photos}) < sum(len(each.photos) for each in one)
    assert {each.key is None for each in one} == {each.careful for each in one} == {True, False}
    assert any(each.forgetful for each in one)
    assert {each.session for each in one} == {1, 2, None}


def test_a_broken_promise_shows_in_words_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    good = dict.fromkeys(crash.PROMISES, 0) | {
        "uploads": 300, "photos": 500, "clients": 4, "seconds": 99.0, "kills": 20, "kills_in_flight": 19,
        "connections_lost": 40, "resent": 30, "given_up": 10, "answers": {"201": 290}, "photos_kept": 480,
        "acknowledged": 470, "backlog": {"classified": 1, "days_recomputed": 2, "files_swept": 3}, "days": 24,
    }  # fmt: skip

    def ended(one: dict[str, object]) -> int:
        found: dict[str, object] = {"benchmark": "crash", "sqlite": one}
        found["broken"] = crash.broken(found)
        monkeypatch.setattr(crash, "measure", lambda *_: found)
        return bench.main(["crash", "--uploads", "300", "--database", "sqlite"])

    assert ended(good) == 0
    assert "Every promise holds." in capsys.readouterr().out
    assert ended(good | {"files_without_rows": 2}) == 1
    assert "Broken: sqlite: files_without_rows 2" in capsys.readouterr().out


def test_there_is_a_kill_for_every_fifteen_uploads():
    assert [crash.kills_of(count) for count in (20, 300)] == [3, 20]
