"""Photos: one row for the same bytes, predictions that stay with their photo, pages that do not shift."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import peewee as pw
import pytest

from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.models import DiversityMetrics, ImageData, PooledMetrics, PredictionResults, ProcessingResults
from lib.store.records import DayRow, NewPhoto, Photo, Prediction, ProcessingRow, Session

MakePhoto = Callable[..., NewPhoto]
MakePrediction = Callable[..., Prediction]


def test_it_adds_a_photo(rows: UserStore, session: Session, new_photo: MakePhoto) -> None:
    new = new_photo(session.id)
    photo, created = rows.add_photo(new)
    assert created
    for name in NewPhoto.__slots__:
        assert getattr(photo, name) == getattr(new, name), name
    assert photo.is_processed is False
    assert photo.is_representative is True
    assert (photo.cluster_id, photo.similarity_score) == (None, None)
    assert (photo.label, photo.label_level, photo.label_source, photo.label_history) == (None, None, None, [])
    assert photo.prediction is None
    assert rows.photo(photo.id) == photo
    assert rows.photo_by_digest(session.id, new.sha256) == photo
    assert rows.photo_by_digest(session.id, "0" * 64) is None


def test_it_keeps_one_row_for_the_same_bytes_in_a_session(
    rows: UserStore, session: Session, new_photo: MakePhoto
) -> None:
    first = new_photo(session.id)
    photo, _ = rows.add_photo(first)
    again = new_photo(session.id, sha256=first.sha256)
    assert rows.add_photo(again) == (photo, False)
    elsewhere = rows.create_session("South field", timezone="UTC")
    assert rows.add_photo(new_photo(elsewhere.id, sha256=first.sha256))[1] is True


def test_two_threads_with_the_same_bytes_make_one_row(
    store: DatabaseStore, rows: UserStore, session: Session, new_photo: MakePhoto
) -> None:
    first = new_photo(session.id)
    attempts = [first, *(new_photo(session.id, sha256=first.sha256) for _ in range(5))]
    results: list[tuple[Photo, bool]] = []
    start = threading.Barrier(len(attempts))

    def upload(new: NewPhoto) -> None:
        start.wait()
        with store.connection():
            results.append(store.for_user(rows.user_id).add_photo(new))

    threads = [threading.Thread(target=upload, args=(each,)) for each in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created for _, created in results) == [False] * 5 + [True]
    (winner,) = (photo for photo, created in results if created)
    assert {photo.id for photo, _ in results} == {winner.id}
    assert {photo.path for photo, _ in results} == {winner.path}
    assert len(store.db.fetch(ImageData.select(ImageData.id))) == 1


def test_it_takes_the_place_of_a_twin_that_is_deleted_meanwhile(
    rows: UserStore, session: Session, new_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = new_photo(session.id)
    photo, _ = rows.add_photo(twin)
    look = rows.photo_by_digest

    def deleted_just_now(session_id: int, sha256: str) -> Photo | None:
        monkeypatch.setattr(rows, "photo_by_digest", look)
        rows.delete_photo(photo.id)
        return look(session_id, sha256)

    monkeypatch.setattr(rows, "photo_by_digest", deleted_just_now)
    added, created = rows.add_photo(new_photo(session.id, sha256=twin.sha256))
    assert created
    assert added.id != photo.id


def test_it_answers_404_when_the_session_goes_meanwhile(
    rows: UserStore, session: Session, new_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = rows.session

    def gone_just_after(session_id: int) -> Session:
        found = look(session_id)
        monkeypatch.setattr(rows, "session", look)
        rows.delete_session(session_id)
        return found

    monkeypatch.setattr(rows, "session", gone_just_after)
    with pytest.raises(Problem) as refused:
        rows.add_photo(new_photo(session.id))
    assert refused.value.status == 404


def test_it_lets_an_error_of_ours_pass(rows: UserStore, session: Session, new_photo: MakePhoto) -> None:
    with pytest.raises(pw.IntegrityError):
        rows.add_photo(new_photo(session.id, width=0))


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("a\x00b.jpg", "a\ufffdb.jpg"),
        ("\udce3.jpg", "?.jpg"),
        ("x" * 300 + ".jpg", "x" * 251 + ".jpg"),
        ("", ""),
    ],
)
def test_it_stores_any_file_name(
    rows: UserStore, session: Session, new_photo: MakePhoto, name: str, stored: str
) -> None:
    assert rows.add_photo(new_photo(session.id, original_filename=name))[0].original_filename == stored


def test_it_never_shows_another_users_photo(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    day: date,
    new_photo: MakePhoto,
    prediction: MakePrediction,
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id))
    calls: list[Callable[[], Any]] = [
        lambda: other_rows.photo(photo.id),
        lambda: other_rows.add_photo(new_photo(session.id)),
        lambda: other_rows.save_prediction(photo.id, prediction(), "Poa annua", "species"),
        lambda: other_rows.mark_failed(photo.id),
        lambda: other_rows.move_photo(photo.id, day),
        lambda: other_rows.delete_photo(photo.id),
    ]
    for call in calls:
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status == 404
    assert other_rows.photo_by_digest(session.id, photo.sha256) is None
    assert other_rows.photos() == ([], None)
    assert other_rows.photos(session.id) == ([], None)
    assert other_rows.day_photos(session.id, day) == []
    assert other_rows.day_photos(None, day) == []
    assert other_rows.dates(session.id) == []
    other_rows.save_clusters([(photo.id, 1, False, 0.5)])
    assert rows.photo(photo.id) == photo


@pytest.mark.parametrize("number", [0, -1, 12345, 2**31, 2**63, 10**30])
def test_it_answers_404_for_photos_that_do_not_exist(rows: UserStore, number: int) -> None:
    with pytest.raises(Problem) as refused:
        rows.photo(number)
    assert refused.value.status == 404


def test_a_prediction_labels_the_photo_and_makes_an_empty_day(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: MakePhoto,
    prediction: MakePrediction,
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id))
    said = prediction()
    labelled = rows.save_prediction(photo.id, said, "Stellaria media", "species")
    assert labelled.prediction == said
    assert labelled.is_processed
    assert (labelled.label, labelled.label_level, labelled.label_source) == (
        "Stellaria media",
        "species",
        "model",
    )
    assert labelled.label_history == []
    # The row that the prediction hangs on exists, and is not shown before the day is analysed.
    stored = store.db.fetch(
        DiversityMetrics.select(DiversityMetrics.session_id, DiversityMetrics.total_images)
    )
    assert stored == [(session.id, 0)]
    assert rows.days() == rows.days(session.id) == []
    assert rows.day(day) is None
    assert [each[1:] for each in store.stale_days()] == [(session.id, day)]


def test_the_same_model_replaces_its_prediction_and_the_newest_model_is_shown(
    store: DatabaseStore, rows: UserStore, session: Session, new_photo: MakePhoto, prediction: MakePrediction
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id))
    first = prediction()
    rows.save_prediction(photo.id, first, "Stellaria media", "species")
    again = prediction(top_prediction_species="Poa annua", timestamp=first.timestamp + timedelta(seconds=1))
    assert rows.save_prediction(photo.id, again, "Poa annua", "species").prediction == again
    newer = prediction(model_name="large 2.0", timestamp=first.timestamp + timedelta(days=1))
    assert rows.save_prediction(photo.id, newer, "Stellaria", "genus").prediction == newer
    assert rows.photo(photo.id).label == "Stellaria"
    assert len(store.db.fetch(PredictionResults.select(PredictionResults.id))) == 2
    # Another version of a model is the same model looking again, and says that it did.
    renewed = replace(newer, model_version="2.1.0")
    assert rows.save_prediction(photo.id, renewed, "Stellaria", "genus").prediction == renewed
    assert rows.save_prediction(photo.id, newer, "Stellaria", "genus").prediction == newer
    assert newer.model_version is None
    assert len(store.db.fetch(PredictionResults.select(PredictionResults.id))) == 2
    # A model of before that looks once more does not hide the newer one.
    assert rows.save_prediction(photo.id, first, "Stellaria media", "species").prediction == newer


def test_a_photo_that_no_model_can_read_is_not_tried_for_ever(
    store: DatabaseStore, rows: UserStore, session: Session, new_photo: MakePhoto
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id))
    assert [each.id for _, each in store.unprocessed(10)] == [photo.id]
    rows.mark_failed(photo.id)
    assert store.unprocessed(10) == []
    assert rows.photo(photo.id).label is None


def test_it_lists_what_waits_for_the_model_of_all_users(
    store: DatabaseStore,
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    new_photo: MakePhoto,
    prediction: MakePrediction,
) -> None:
    theirs = other_rows.create_session("theirs", timezone="UTC")
    ids = [
        owner.add_photo(new_photo(place))[0].id
        for owner, place in (
            (rows, session.id),
            (other_rows, theirs.id),
            (rows, session.id),
            (rows, session.id),
        )
    ]
    rows.save_prediction(ids[2], prediction(), "Stellaria media", "species")
    waiting = store.unprocessed(10)
    assert [(owner, photo.id) for owner, photo in waiting] == [
        (rows.user_id, ids[0]),
        (other_rows.user_id, ids[1]),
        (rows.user_id, ids[3]),
    ]
    assert [photo.id for _, photo in store.unprocessed(1)] == [ids[0]]
    assert [photo.id for _, photo in store.unprocessed(10, after_id=ids[1])] == [ids[3]]


def test_it_names_the_file_of_every_photo(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    new_photo: MakePhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lib.store.database.PATHS_AT_ONCE", 2)
    paths = [rows.add_photo(new_photo(session.id))[0].path for _ in range(5)]
    assert list(store.photo_paths()) == paths


class TestMoving:
    """A photo that goes to another day takes its predictions along."""

    def test_the_predictions_move_and_an_empty_day_goes(
        self,
        store: DatabaseStore,
        rows: UserStore,
        session: Session,
        day: date,
        new_photo: MakePhoto,
        prediction: MakePrediction,
        day_row: Callable[..., DayRow],
        processing_row: Callable[..., ProcessingRow],
    ) -> None:
        photo, _ = rows.add_photo(new_photo(session.id))
        rows.save_prediction(photo.id, prediction(), "Stellaria media", "species")
        rows.save_day(day_row(session_id=session.id), processing_row())
        rows.save_day(day_row(), processing_row())  # a pooled row from when there were two sessions
        moved = rows.move_photo(photo.id, day + timedelta(days=1))
        assert moved.date == day + timedelta(days=1)
        assert moved.date_source == "human"
        assert moved.prediction == prediction()
        assert rows.dates() == [day + timedelta(days=1)]
        assert store.db.fetch(DiversityMetrics.select(DiversityMetrics.date)) == [
            (ImageData.date.db_value(moved.date) if not store.db.postgres else moved.date,)
        ]
        for model in (ProcessingResults, PooledMetrics):
            assert store.db.fetch(model.select(model.id)) == []

    def test_a_day_with_photos_left_stays_and_counts_as_behind(
        self,
        store: DatabaseStore,
        rows: UserStore,
        session: Session,
        day: date,
        new_photo: MakePhoto,
        prediction: MakePrediction,
        day_row: Callable[..., DayRow],
        processing_row: Callable[..., ProcessingRow],
    ) -> None:
        photos = [rows.add_photo(new_photo(session.id))[0] for _ in range(2)]
        for each in photos:
            rows.save_prediction(each.id, prediction(), "Stellaria media", "species")
        rows.save_day(day_row(session_id=session.id), processing_row())
        assert store.stale_days() == []
        rows.move_photo(photos[0].id, day - timedelta(days=1))
        assert rows.photo(photos[1].id).prediction == prediction()
        assert rows.dates(session.id) == [day - timedelta(days=1), day]
        assert sorted(each[2] for each in store.stale_days()) == [day - timedelta(days=1), day]
        assert len(store.stale_days(limit=1)) == 1

    def test_moving_to_the_same_day_changes_nothing(
        self, rows: UserStore, session: Session, day: date, new_photo: MakePhoto
    ) -> None:
        photo, _ = rows.add_photo(new_photo(session.id))
        assert rows.move_photo(photo.id, day) == photo


def test_deleting_a_photo_names_its_file_and_drops_an_empty_day(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: MakePhoto,
    prediction: MakePrediction,
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
) -> None:
    photos = [rows.add_photo(new_photo(session.id))[0] for _ in range(2)]
    for each in photos:
        rows.save_prediction(each.id, prediction(), "Stellaria media", "species")
    rows.save_day(day_row(session_id=session.id), processing_row())
    assert rows.delete_photo(photos[0].id) == photos[0].path
    assert len(store.db.fetch(PredictionResults.select(PredictionResults.id))) == 1
    assert rows.day(day, session.id) is not None
    assert rows.delete_photo(photos[1].id) == photos[1].path
    assert rows.day(day, session.id) is None
    for model in (ImageData, PredictionResults, DiversityMetrics, ProcessingResults):
        assert store.db.fetch(model.select(model.id)) == []
    with pytest.raises(Problem) as refused:
        rows.delete_photo(photos[1].id)
    assert refused.value.status == 404


def test_it_finds_the_photos_beside_one(
    rows: UserStore, other_rows: UserStore, session: Session, day: date, new_photo: MakePhoto
) -> None:
    south = rows.create_session("South field", timezone="UTC")
    first = rows.add_photo(new_photo(session.id))[0]
    for other in (new_photo(south.id), new_photo(session.id, date=day - timedelta(days=1))):
        rows.add_photo(other)
    second, third = (rows.add_photo(new_photo(session.id))[0] for _ in range(2))
    assert rows.beside(first) == (None, second.id)
    assert rows.beside(second) == (first.id, third.id)
    assert rows.beside(third) == (second.id, None)
    assert other_rows.beside(second) == (None, None)


def test_it_tells_the_hours_of_a_day(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    day: date,
    moment: datetime,
    new_photo: MakePhoto,
) -> None:
    assert rows.taken_between(None, day) is None
    for minutes, source in ((30, "exif_local"), (0, "exif_offset"), (12, "exif_offset"), (600, "human")):
        when = moment + timedelta(minutes=minutes)
        rows.add_photo(new_photo(session.id, captured_at=when, date_source=source))
    south = rows.create_session("South field", timezone="UTC")
    rows.add_photo(new_photo(south.id, captured_at=None, date_source="form"))
    assert rows.taken_between(session.id, day) == (moment, moment + timedelta(minutes=30))
    assert rows.taken_between(None, day) == (moment, moment + timedelta(minutes=30))
    assert rows.taken_between(south.id, day) is None
    assert rows.taken_between(None, day - timedelta(days=1)) is None
    assert other_rows.taken_between(None, day) is None


def test_it_writes_only_clusters_that_changed(
    rows: UserStore, session: Session, day: date, new_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = (rows.add_photo(new_photo(session.id))[0].id for _ in range(3))
    members = [(a, a, True, 1.0), (b, a, False, 0.93), (c, None, True, None)]
    rows.save_clusters(members)
    found = [
        (each.id, each.cluster_id, each.is_representative, each.similarity_score)
        for each in rows.day_photos(session.id, day)
    ]
    assert found == members
    written: list[Any] = []
    run = rows.db.run
    monkeypatch.setattr(rows.db, "run", lambda query: written.append(query) or run(query))
    rows.save_clusters(members)
    assert written == []
    rows.save_clusters([(b, None, True, None)])
    assert len(written) == 1
    assert rows.photo(b).cluster_id is None
    rows.save_clusters([])


class TestPages:
    """Lists come newest day first, in pages that stay in step while photos come and go."""

    @pytest.fixture
    def ids(self, rows: UserStore, session: Session, day: date, new_photo: MakePhoto) -> list[int]:
        """Seven photos of three days, in the order of the list."""
        days = [day, day - timedelta(days=1), day, day - timedelta(days=2), day, day - timedelta(days=1), day]
        photos = [rows.add_photo(new_photo(session.id, date=each))[0] for each in days]
        return [photo.id for photo in sorted(photos, key=lambda each: (each.date, each.id), reverse=True)]

    def test_all_pages_together_are_the_list(self, rows: UserStore, ids: list[int]) -> None:
        seen: list[int] = []
        cursor: str | None = None
        pages = 0
        while True:
            page, cursor = rows.photos(limit=3, cursor=cursor)
            seen += [photo.id for photo in page]
            pages += 1
            if cursor is None:
                break
        assert seen == ids
        assert pages == 3

    def test_a_full_last_page_has_no_next(self, rows: UserStore, ids: list[int]) -> None:
        page, cursor = rows.photos(limit=7)
        assert len(page) == 7
        assert cursor is None

    def test_added_and_deleted_photos_neither_repeat_nor_skip_others(
        self, rows: UserStore, session: Session, ids: list[int], day: date, new_photo: MakePhoto
    ) -> None:
        first, cursor = rows.photos(limit=3)
        for _ in range(4):
            rows.add_photo(new_photo(session.id, date=day))
        rows.delete_photo(first[-1].id)  # the one that the cursor names
        second, _ = rows.photos(limit=10, cursor=cursor)
        assert [photo.id for photo in first + second] == ids

    def test_a_photo_deleted_between_the_two_queries_does_not_end_the_list(
        self, rows: UserStore, ids: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fetch = rows.db.fetch

        def deleting(query: Any) -> Any:
            monkeypatch.setattr(rows.db, "fetch", fetch)
            found = fetch(query)
            rows.delete_photo(ids[0])
            return found

        monkeypatch.setattr(rows.db, "fetch", deleting)
        page, cursor = rows.photos(limit=3)
        assert [photo.id for photo in page] == ids[1:3]
        assert cursor is not None

    def test_it_filters(
        self,
        rows: UserStore,
        session: Session,
        day: date,
        new_photo: MakePhoto,
        prediction: MakePrediction,
    ) -> None:
        other = rows.create_session("South field", timezone="UTC")
        names = ["species", "genus", "unknown", "human", "waiting", "failed"]
        photos = {name: rows.add_photo(new_photo(session.id))[0].id for name in names}
        photos["elsewhere"] = rows.add_photo(new_photo(other.id, date=day - timedelta(days=3)))[0].id
        rows.save_prediction(photos["species"], prediction(), "Stellaria media", "species")
        rows.save_prediction(photos["genus"], prediction(), "Stellaria", "genus")
        rows.save_prediction(photos["unknown"], prediction(), "unknown", "unknown")
        rows.label_photo(photos["human"], "Poa", "genus", prediction().timestamp)
        rows.mark_failed(photos["failed"])

        def found(**filters: Any) -> set[str]:
            numbers = {photo.id for photo in rows.photos(**filters)[0]}
            return {name for name, number in photos.items() if number in numbers}

        assert found() == {*names, "elsewhere"}
        assert found(session_id=session.id) == set(names)
        assert found(start=day) == set(names)
        assert found(end=day - timedelta(days=1)) == {"elsewhere"}
        assert found(start=day - timedelta(days=3), end=day - timedelta(days=3)) == {"elsewhere"}
        assert found(label="Stellaria") == {"genus"}
        assert found(label_source="model") == {"species", "genus", "unknown"}
        assert found(label_source="human") == {"human"}
        assert found(unsure=True) == {"genus", "unknown"}
        assert found(unsure=False) == {"species", "human"}
        assert found(unsure=True, label="unknown", session_id=session.id) == {"unknown"}
        assert found(nameless="failed") == {"failed"}
        assert found(nameless="waiting") == {"waiting", "elsewhere"}
        assert found(label=[]) == set()

    @pytest.mark.parametrize(
        "cursor",
        [
            "",
            "x",
            "!!!!",
            "日本",
            "2025-08-24.1",
            base64.urlsafe_b64encode(b"2025-08-24").decode(),
            base64.urlsafe_b64encode(b"2025-13-24.1").decode(),
            base64.urlsafe_b64encode(b"2025-08-24.0").decode(),
            base64.urlsafe_b64encode(b"2025-08-24.1;DROP").decode(),
            base64.urlsafe_b64encode(b"2025-08-24.9999999999999999999").decode(),
            base64.urlsafe_b64encode("2025-08-24.１".encode()).decode(),
            base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        ],
    )
    def test_a_bad_cursor_is_named(self, rows: UserStore, cursor: str) -> None:
        with pytest.raises(Problem) as refused:
            rows.photos(cursor=cursor)
        assert refused.value.status == 400
        assert [error["field"] for error in refused.value.errors] == ["cursor"]
