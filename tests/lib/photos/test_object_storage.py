"""Object storage that refuses, hangs or fills: bounded waiting, honest problems, nothing kept, no secrets."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lib.config import ROOT, load
from lib.photos import object_storage
from lib.photos.object_storage import FIRST_BYTES, MOST_BYTES, PATIENCE, ObjectPhotos, Patience
from lib.problems import Problem
from tests.lib.photos import samples
from tests.object_store import KEY_ID, PREFIX, SECRET, Bucket, Door

HOUR = timedelta(hours=1)
# For stores that hang: nothing depends on how long it took.
HASTE = replace(PATIENCE, silence=0.3, whole=0.6, retrying=0.2)
DATA = b"photo" * 100


def opened(door: Door, bucket: Bucket, patience: Patience = PATIENCE, **others: str) -> ObjectPhotos:
    place = load(bucket.environ(door.endpoint) | others).object_store
    assert place is not None
    return ObjectPhotos(place, patience)


@pytest.fixture
def files(door: Door, bucket: Bucket) -> ObjectPhotos:
    return opened(door, bucket)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [1000.0]
    monkeypatch.setattr(object_storage, "monotonic", lambda: now[0])
    return now


def stored(files: ObjectPhotos, data: bytes = DATA) -> str:
    return files.put(7, hashlib.sha256(data).hexdigest(), "jpg", data)


def refused(act: Callable[[], Any]) -> Problem:
    with pytest.raises(Problem) as caught:
        act()
    return caught.value


def everything_asked(files: ObjectPhotos, path: str) -> dict[str, Callable[[], Any]]:
    return {
        "put": lambda: stored(files),
        "open": lambda: files.open(path),
        "read": lambda: files.read(path),
        "thumbnail": lambda: files.thumbnail(path, 160),
        "sweep": lambda: files.sweep([path], -HOUR),
    }


REFUSALS = [
    (503, "SlowDown"),
    (403, "AccessDenied"),
    (403, "SignatureDoesNotMatch"),
    (401, "Unauthorized"),
    (400, "ExpiredToken"),
    (404, "NoSuchBucket"),
    (301, "PermanentRedirect"),
    "hang",
    "hang up",
]


@pytest.mark.parametrize("does", REFUSALS, ids=str)
@pytest.mark.parametrize("asked", ["put", "open", "read", "thumbnail", "sweep"])
def test_a_refusal_is_a_503_that_changes_nothing_and_shows_no_secret(
    files: ObjectPhotos, door: Door, bucket: Bucket, caplog: pytest.LogCaptureFixture, does: Any, asked: str
) -> None:
    path = stored(files, samples.good_photos()["jpeg"])
    door.refuse(does)
    asker = opened(door, bucket, HASTE) if does == "hang" else files
    problem = refused(everything_asked(asker, path)[asked])
    assert (problem.status, problem.kind) == (503, "storage-unavailable")
    assert int(problem.headers["Retry-After"]) >= 1
    assert bucket.names() == [path]
    (record,) = (record for record in caplog.records if record.name == "weeds.storage")
    assert record.levelno == logging.ERROR
    status, code = does if isinstance(does, tuple) else (None, "")
    assert record.__dict__["store_code"] == code
    assert record.__dict__["store_status"] in (status, None if code == "PermanentRedirect" else status)
    said = problem.detail + str(vars(record))
    assert not [secret for secret in (KEY_ID, SECRET, bucket.name, door.endpoint) if secret in said]


@pytest.mark.parametrize(
    "does",
    [
        (507, "InsufficientStorage"),
        (507, ""),
        (403, "QuotaExceeded"),
        (409, "XMinioStorageFull"),
        (400, "XMinioAdminBucketQuotaExceeded"),
    ],
    ids=str,
)
def test_a_full_store_is_a_507_and_stops_no_thumbnail(
    files: ObjectPhotos, door: Door, bucket: Bucket, does: Any
) -> None:
    path = stored(files, samples.good_photos()["jpeg"])
    door.refuse(does, only="PUT ")
    problem = refused(lambda: stored(files))
    assert (problem.status, problem.kind) == (507, "storage-full")
    assert files.thumbnail(path, 160).startswith(b"\xff\xd8")
    assert not files.writable()
    assert bucket.names() == [path]


def test_a_photo_that_is_not_found_when_it_is_put_was_not_stored(files: ObjectPhotos, door: Door) -> None:
    """What a proxy answers that knows nothing of the store."""
    door.refuse((404, ""))
    assert refused(lambda: stored(files)).status == 503
    assert not files.writable()


def test_it_is_tried_a_few_times_and_no_more(files: ObjectPhotos, door: Door) -> None:
    path = stored(files)
    door.refuse((503, "SlowDown"), times=PATIENCE.retries)
    assert files.read(path) == DATA
    assert door.count("GET") == PATIENCE.retries + 1
    door.refuse((503, "SlowDown"))
    refused(lambda: files.read(path))
    assert door.count("GET") == 2 * (PATIENCE.retries + 1)


def test_a_photo_whose_acknowledgement_was_lost_is_put_under_another_name(
    files: ObjectPhotos, door: Door, bucket: Bucket
) -> None:
    """The connection ends after the store took it. Sent again the name is taken, by whom nobody knows: the sweep
    removes that one, and none that may be another's."""
    door.refuse("lose", only="PUT ", times=1)
    path = stored(files)
    assert files.read(path) == DATA
    assert len(bucket.names()) == 2
    for name in bucket.names():
        bucket.age(name, 2)
    (lost,) = files.sweep([path], HOUR).removed
    assert bucket.names() == [path] != [lost]


def test_nothing_is_ever_overwritten(
    files: ObjectPhotos, door: Door, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.photos.storage.secrets.token_hex", lambda length: "0" * 2 * length)
    path = stored(files)
    bucket.add(path, b"of another")
    problem = refused(lambda: stored(files))
    assert (problem.status, problem.kind) == (503, "storage-unavailable")
    assert bucket.read(path) == b"of another"
    assert all(
        each.headers.get("if-none-match", each.headers.get("If-None-Match")) == "*"
        for each in door.asked
        if each.method == "PUT"
    )


def test_a_cut_answer_is_no_photo(files: ObjectPhotos, door: Door) -> None:
    path = stored(files)
    door.refuse("cut", only="GET ")
    assert refused(lambda: files.read(path)).status == 503
    assert refused(lambda: files.open(path)).status == 503


def test_a_listing_that_is_cut_short_removes_no_thumbnail(
    files: ObjectPhotos, door: Door, bucket: Bucket
) -> None:
    path = stored(files, samples.good_photos()["jpeg"])
    files.thumbnail(path, 160)
    before = bucket.names()
    door.refuse("cut", only="list-type=2")
    assert refused(lambda: files.sweep([path], -HOUR)).status == 503
    assert bucket.names() == before


@pytest.mark.parametrize("does", [(403, "AccessDenied"), "hang up"], ids=str)
def test_what_cannot_be_removed_now_is_left_to_the_sweep(
    files: ObjectPhotos,
    door: Door,
    bucket: Bucket,
    clock: list[float],
    caplog: pytest.LogCaptureFixture,
    does: Any,
) -> None:
    path = stored(files)
    door.refuse(does)
    files.delete(path)
    assert "the sweep does it" in caplog.text
    door.refuse("pass")
    clock[0] += PATIENCE.pause
    assert files.sweep([], -HOUR).removed == [path]
    assert bucket.names() == []


class TestSilence:
    """After a request that was not answered nobody waits for the store, until one has looked."""

    def test_nobody_waits_for_a_store_that_has_just_not_answered(
        self, door: Door, bucket: Bucket, clock: list[float]
    ) -> None:
        files = opened(door, bucket, HASTE)
        path = stored(opened(door, bucket))
        door.refuse("hang")
        refused(lambda: files.read(path))
        asked = len(door.asked)
        door.refuse("pass")
        for act in everything_asked(files, path).values():
            assert refused(act).kind == "storage-unavailable"
        assert not files.writable()
        clock[0] += PATIENCE.pause - 1
        refused(lambda: files.read(path))
        assert len(door.asked) == asked

    def test_it_comes_back_by_itself(self, files: ObjectPhotos, door: Door, clock: list[float]) -> None:
        path = stored(files)
        door.refuse("hang up")
        refused(lambda: files.read(path))
        door.refuse("pass")
        clock[0] += PATIENCE.pause
        assert files.read(path) == DATA
        assert stored(files)

    def test_one_looks_while_the_others_go_on_being_refused(
        self, files: ObjectPhotos, door: Door, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = stored(files)
        door.refuse("hang up")
        refused(lambda: files.read(path))
        clock[0] += PATIENCE.pause
        library = files._obstore
        met: list[str] = []

        class Watched:
            @staticmethod
            def get(*arguments: Any) -> Any:
                monkeypatch.setattr(files, "_obstore", library)
                before = len(door.asked)
                met.append(refused(lambda: files.read(path)).kind)
                assert len(door.asked) == before
                return library.get(*arguments)

        monkeypatch.setattr(files, "_obstore", Watched)
        refused(lambda: files.read(path))
        assert met == ["storage-unavailable"]
        # It was not answered either: the pause begins anew.
        door.refuse("pass")
        refused(lambda: files.read(path))
        clock[0] += PATIENCE.pause
        assert files.read(path) == DATA

    def test_a_refusal_is_an_answer(self, files: ObjectPhotos, door: Door) -> None:
        path = stored(files)
        door.refuse((403, "AccessDenied"))
        refused(lambda: files.read(path))
        door.refuse("pass")
        assert files.read(path) == DATA

    def test_a_clock_that_jumps_back_keeps_nobody_out(
        self, files: ObjectPhotos, door: Door, clock: list[float]
    ) -> None:
        path = stored(files)
        door.refuse("hang up")
        refused(lambda: files.read(path))
        door.refuse("pass")
        clock[0] -= 500
        assert files.read(path) == DATA


class TestBytesFetched:
    def sent(self, door: Door) -> int:
        return sum(each.sent for each in door.asked if each.method == "GET")

    def test_of_a_large_photo_only_what_is_read_comes(
        self, files: ObjectPhotos, door: Door, bucket: Bucket
    ) -> None:
        data = os.urandom(4_000_000)
        path = stored(files, data)
        with files.open(path) as file:
            file.seek(0, os.SEEK_END)
            file.seek(3_900_000)
            assert file.read(100) == data[3_900_000:3_900_100]
        assert self.sent(door) <= 2 * FIRST_BYTES
        assert door.count("HEAD") == 0

    def test_who_reads_on_gets_more_at_a_time_and_nothing_twice(
        self, files: ObjectPhotos, door: Door
    ) -> None:
        data = os.urandom(4_000_000)
        path = stored(files, data)
        with files.open(path) as file:
            assert b"".join(iter(lambda: file.read(8192), b"")) == data
        assert self.sent(door) == len(data)
        assert max(each.sent for each in door.asked) == MOST_BYTES
        assert door.count("GET") <= 9

    def test_a_kept_thumbnail_is_one_small_request(self, files: ObjectPhotos, door: Door) -> None:
        path = stored(files, samples.save(samples.picture(2000, 1500), "JPEG"))
        small = files.thumbnail(path, 160)
        door.asked.clear()
        assert files.thumbnail(path, 160) == small
        (only,) = door.asked
        assert (only.method, only.sent) == ("GET", len(small))

    def test_a_photo_goes_up_in_one_request(self, files: ObjectPhotos, door: Door) -> None:
        stored(files, os.urandom(10_000_000))  # S3 clients cut what is larger than 5 MB into parts
        assert [each.method for each in door.asked] == ["PUT"]

    def test_many_photos_are_deleted_in_few_requests(
        self, files: ObjectPhotos, door: Door, bucket: Bucket
    ) -> None:
        paths = [stored(files, str(number).encode()) for number in range(20)]
        door.asked.clear()
        files.delete(*paths)
        assert [each.method for each in door.asked] == ["POST"]
        assert bucket.names() == []


def test_a_listing_of_several_pages_is_swept_whole(files: ObjectPhotos, bucket: Bucket) -> None:
    digest = "ab" * 32
    paths = [f"photos/1/ab/{digest}-{number:08x}.jpg" for number in range(1005)]
    for path in paths:
        bucket.add(path, b"x")
    assert files.sweep(paths[:2], -HOUR).removed == paths[2:]
    assert bucket.names() == paths[:2]


def test_another_prefix_of_the_bucket_is_another_s(files: ObjectPhotos, door: Door, bucket: Bucket) -> None:
    for prefix in ("", "/field", f"/{PREFIX}-of-others"):
        others = opened(door, bucket, PHOTO_STORE=f"s3://{bucket.name}{prefix}")
        mine, theirs = stored(files), stored(others)
        assert files.sweep([mine], -HOUR).removed == []
        assert others.read(theirs) == DATA
        with pytest.raises(FileNotFoundError):
            files.open(theirs)
        files.delete(mine)


def test_empty_variables_are_unset_ones(door: Door, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_CONDITIONAL_PUT"):
        monkeypatch.setenv(name, "")
    files = opened(door, bucket)
    assert files.read(stored(files)) == DATA
    assert not [each for each in door.asked if "x-amz-security-token" in map(str.lower, each.headers)]


def test_what_the_settings_say_counts_more_than_the_environment(
    door: Door, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings may come from a .env, which the library does not read."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    files = opened(door, bucket)
    assert files.read(stored(files)) == DATA
    assert all(KEY_ID in str(each.headers) for each in door.asked)


def test_the_library_is_imported_with_the_first_photo_store_and_not_before() -> None:
    code = (
        "import sys; from lib.config import load; from lib.photos.storage import open_storage;"
        "settings = load({'PHOTO_STORE': sys.argv[1]}); import lib.photos.object_storage;"
        "before = 'obstore' in sys.modules; open_storage(settings); print(before, 'obstore' in sys.modules)"
    )
    for url, held in (("s3://weeds", "True"), ("file", "False")):
        done = subprocess.run(
            [sys.executable, "-c", code, url], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["False", held]
