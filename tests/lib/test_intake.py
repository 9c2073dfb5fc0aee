"""One photo's way in, where things go wrong between its steps; the whole way is in test_upload.py."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from lib import classifier, deadlines
from lib.config import STARTER_MODEL, load
from lib.intake import Incoming, Intake, Receipt
from lib.photos.folder_storage import FolderPhotos
from lib.photos.storage import open_storage
from lib.problems import Problem
from lib.recognition import Recogniser
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import NewPhoto, Photo
from tests.lib.classifier.lines import occupied
from tests.object_store import Bucket, Door

DAY = date(2025, 6, 1)


def picture(shade: int) -> bytes:
    out = BytesIO()
    Image.effect_noise((24, 18), 60 + shade).resize((320, 240)).convert("RGB").save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def mine(store: DatabaseStore) -> Iterator[UserStore]:
    user = store.create_user("hana", "hana@example.org", "d" * 64, "hana1234", ("read", "write"))
    with store.connection():
        yield store.for_user(user.id)


@pytest.fixture
def intake(mine: UserStore, tmp_path: Path) -> Intake:
    return Intake(mine, FolderPhotos(tmp_path / "data"), Recogniser(STARTER_MODEL))


def send(intake: Intake, *photos: bytes) -> Receipt:
    incoming = [Incoming(f"{i}.jpg", BytesIO(data)) for i, data in enumerate(photos)]
    return intake.receive(intake.store.newest_session(), DAY, incoming, "Asia/Tokyo")


def test_a_model_that_fails_on_a_photo_costs_only_its_name(
    intake: Intake, mine: UserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = classifier.get(STARTER_MODEL)
    real, calls = model.classify, []

    def failing(image: Image.Image, *_: object, **__: object) -> classifier.Classification:
        calls.append(image)
        if len(calls) == 1:
            raise RuntimeError("inference broke")
        return real(image)

    monkeypatch.setattr(model.__class__, "classify", lambda self, *given, **named: failing(*given, **named))
    first, second = send(intake, picture(1), picture(2)).outcomes
    assert first.problem is not None
    assert (first.status, first.problem.kind, first.problem.status) == (
        "created", "classification-failed", 500,
    )  # fmt: skip
    assert "inference broke" not in str(first.problem.as_dict())
    assert first.photo is not None
    assert (first.photo.label, first.photo.is_processed) == (None, True)  # not tried for ever
    assert second.photo is not None
    assert second.photo.prediction is not None
    row = mine.day(DAY)
    assert row is not None
    assert (row.total_images, row.processed_images) == (2, 1)


def test_a_photo_deleted_while_its_upload_runs_is_said_to_be_gone(
    intake: Intake, mine: UserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    classify = intake.classify

    def meanwhile(photo, *given):  # type: ignore[no-untyped-def]
        mine.delete_photo(photo.id)
        return classify(photo, *given)

    monkeypatch.setattr(intake, "classify", meanwhile)
    (outcome,) = send(intake, picture(1)).outcomes
    assert outcome.problem is not None
    assert (outcome.status, outcome.photo, outcome.problem.status) == ("rejected", None, 404)


def test_a_session_deleted_while_its_upload_runs_refuses_the_rest(
    intake: Intake, mine: UserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = mine.create_session("Plot 1", timezone="Asia/Tokyo")
    put = intake.files.put

    def meanwhile(*args, **options):  # type: ignore[no-untyped-def]
        path = put(*args, **options)
        if mine.newest_session() is not None:
            mine.delete_session(session.id)
        return path

    monkeypatch.setattr(intake.files, "put", meanwhile)
    outcomes = send(intake, picture(1)).outcomes
    assert [(each.status, each.problem.status) for each in outcomes if each.problem] == [("rejected", 404)]


def test_a_photo_whose_file_is_missing_waits_for_its_file(intake: Intake, mine: UserStore) -> None:
    (outcome,) = send(intake, picture(1)).outcomes
    photo = outcome.photo
    assert photo is not None
    kept = intake.files.root / photo.path
    kept.rename(kept.with_suffix(".away"))
    problem = intake.classify(photo)
    assert problem is not None
    assert problem.kind == "file-missing"
    kept.with_suffix(".away").rename(kept)
    assert intake.classify(photo) is None


def test_a_photo_that_cannot_be_read_or_finds_no_memory_is_not_given_up(
    intake: Intake, mine: UserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither says anything of the photo, and both pass."""
    real = classifier.get(STARTER_MODEL).classify

    def full(*_: object, **__: object) -> classifier.Classification:
        raise MemoryError

    def broken(path: str) -> None:
        raise OSError(errno.EIO, "the disk hangs")

    monkeypatch.setattr(classifier.get(STARTER_MODEL).__class__, "classify", full)
    (outcome,) = send(intake, picture(1)).outcomes
    assert outcome.waits
    assert outcome.photo is not None
    monkeypatch.setattr(
        classifier.get(STARTER_MODEL).__class__, "classify", lambda self, *a, **n: real(*a, **n)
    )
    with monkeypatch.context() as hanging:
        hanging.setattr(intake.files, "read", broken)
        problem = intake.classify(outcome.photo)
    assert problem is not None
    assert problem.kind == "file-missing"
    assert not mine.photo(outcome.photo.id).is_processed
    assert intake.classify(outcome.photo) is None


def test_a_store_that_refuses_takes_no_photo_and_gives_up_none(
    intake: Intake, mine: UserStore, bucket: Bucket, door: Door
) -> None:
    intake.files = open_storage(load(bucket.environ(door.endpoint)))
    door.refuse((403, "AccessDenied"), only="PUT ", times=1)
    receipt = send(intake, picture(1), picture(2))
    refused, created = receipt.outcomes
    assert (refused.status, created.status) == ("rejected", "created")
    assert refused.problem is not None
    assert (refused.problem.status, refused.problem.kind) == (503, "storage-unavailable")
    assert created.photo is not None
    assert bucket.names() == [created.photo.path]
    door.refuse((403, "AccessDenied"), only="GET ")
    waits = intake.classify(created.photo)
    assert waits is not None
    assert (waits.kind, waits.extensions["cause"]) == ("not-yet-classified", "storage-unavailable")
    door.refuse("pass")
    assert intake.classify(created.photo) is None


def test_while_the_store_does_not_answer_only_the_first_photo_waits_for_it(
    intake: Intake, bucket: Bucket, door: Door
) -> None:
    intake.files = open_storage(load(bucket.environ(door.endpoint)))
    door.refuse("hang up")
    receipt = send(intake, *map(picture, range(1, 6)))
    assert [outcome.problem.kind for outcome in receipt.outcomes if outcome.problem] == [
        "storage-unavailable"
    ] * 5
    assert len({each.path for each in door.asked}) == 1
    assert bucket.names() == []


def test_a_photo_that_waited_is_held_to_the_list_of_its_session(intake: Intake, mine: UserStore) -> None:
    """Whoever classifies it later, the backlog for instance, has nothing but the photo at hand."""
    crops = ("Zea mays", "Triticum aestivum")
    held = mine.create_session("north", timezone="Asia/Tokyo", region_species=crops)
    (outcome,) = send(intake, picture(1)).outcomes
    mine.create_session("newest, without a list", timezone="Asia/Tokyo")
    assert outcome.photo is not None
    assert outcome.photo.session_id == held.id
    for _ in range(2):  # as it comes in, and again later
        said = mine.photo(outcome.photo.id).prediction
        assert said is not None
        assert (said.masked, said.classes, {each["species"] for each in said.predictions}) == (
            True,
            2,
            {*crops},
        )
        assert said.prior_mass is not None
        assert 0 < said.prior_mass < 1
        assert str(said.region).startswith("session@")
        assert intake.classify(outcome.photo) is None


def test_a_database_that_fails_leaves_the_file_to_the_sweep(
    intake: Intake, mine: UserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit may have gone through: a row without its file would be a photo lost."""

    def gone(*_: object) -> None:
        raise Problem(503, detail="The database does not answer.")

    monkeypatch.setattr(intake.store, "add_photo", gone)
    (outcome,) = send(intake, picture(1)).outcomes
    assert outcome.problem is not None
    assert (outcome.status, outcome.problem.status) == ("rejected", 503)
    assert len([path for path in intake.files.root.rglob("*.jpg") if path.is_file()]) == 1


def test_a_guest_learns_nothing_of_the_hosts_photos(intake: Intake) -> None:
    there = picture(1)
    send(intake, there)
    receipt = send(intake, there, picture(2)).for_guest()
    duplicate, created = receipt.outcomes
    assert (duplicate.status, duplicate.photo) == ("duplicate", None)
    assert created.photo is not None
    assert (created.photo.cluster_id, created.photo.similarity_score) == (None, None)
    assert receipt.days == {}


class TestWaiting:
    """What happens to the photos of a request whose turn at the model does not come."""

    def outcomes(self, receipt: Receipt) -> list[tuple[str, bool, bool]]:
        """Status, whether it is classified, whether it waits."""
        return [
            (each.status, bool(each.photo and each.photo.is_processed), each.waits)
            for each in receipt.outcomes
        ]

    def test_whoever_is_gone_has_no_photo_classified_any_more_but_all_are_kept(
        self, intake: Intake, store: DatabaseStore
    ) -> None:
        asked: list[int] = []

        def gone() -> bool:
            asked.append(1)
            return len(asked) > 1

        abandoned = classifier.RESIDENT.line.refusals["abandoned"]
        incoming = [Incoming(f"{shade}.jpg", BytesIO(picture(shade))) for shade in range(4)]
        receipt = intake.receive(None, DAY, incoming, "Asia/Tokyo", gone)
        assert self.outcomes(receipt) == [("created", True, False)] + [("created", False, True)] * 3
        assert classifier.RESIDENT.line.refusals["abandoned"] == abandoned + 1  # those behind do not line up
        assert receipt.days[DAY].total_images == 4
        kept = [each.photo.id for each in receipt.outcomes[1:] if each.photo]
        assert [photo.id for _, photo in store.unprocessed(10)] == kept  # the backlog finds them

    def test_a_full_line_leaves_the_whole_request_waiting(
        self, intake: Intake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = classifier.RESIDENT.line
        monkeypatch.setattr(line, "places", 0)
        refused = line.refusals["full"]
        photos = picture(1), picture(2)
        with occupied(line):
            receipt = send(intake, photos[0], b"no photo", photos[1])
        assert self.outcomes(receipt) == [
            ("created", False, True), ("rejected", False, False), ("created", False, True),
        ]  # fmt: skip
        assert line.refusals["full"] == refused + 1
        assert receipt.retry_after is not None
        problem = receipt.outcomes[0].problem
        assert problem is not None
        assert problem.extensions == {"retry_after": receipt.retry_after, "cause": "classifier-busy"}
        # Sent again it is asked about again.
        again = send(intake, *photos)
        assert self.outcomes(again) == [("duplicate", True, False)] * 2
        assert again.retry_after is None

    def test_without_a_model_each_photo_says_why(self, mine: UserStore, tmp_path: Path) -> None:
        intake = Intake(mine, FolderPhotos(tmp_path / "data"), Recogniser(tmp_path / "none"))
        failures = classifier.RESIDENT.failures
        receipt = send(intake, picture(1), picture(2))
        assert self.outcomes(receipt) == [("created", False, True)] * 2
        assert classifier.RESIDENT.failures == failures + 1
        assert receipt.retry_after == 60
        for each in receipt.outcomes:
            assert each.problem is not None
            assert each.problem.detail == (
                "The photo is kept. It is classified when the model of this server is mended: "
                "the model folder does not exist (MODEL_DIR)."
            )

    def test_the_next_request_asks_again(self, intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(classifier.RESIDENT.line, "places", 0)
        with occupied(classifier.RESIDENT.line):
            assert send(intake, picture(1)).retry_after is not None
        assert self.outcomes(send(intake, picture(2))) == [("created", True, False)]


def test_the_days_of_photos_that_are_kept_are_analysed_though_the_time_is_over(
    intake: Intake, mine: UserStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = mine.add_photo

    def add_late(new: NewPhoto) -> tuple[Photo, bool]:
        added = add(new)
        deadlines.begin(-1)
        return added

    monkeypatch.setattr(mine, "add_photo", add_late)
    with suppress(Problem):
        send(intake, picture(10))
    deadlines.end()
    assert [day.total_images for day in mine.days()] == [1]
