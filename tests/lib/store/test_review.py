"""The queue of photos to look at: what is in it and why, what settles a plant, pages that do not shift."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import peewee as pw
import pytest

from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.models import ImageData
from lib.store.records import NewPhoto, Photo, Prediction, Session

Add = Callable[..., Photo]


@pytest.fixture
def add(
    rows: UserStore,
    session: Session,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
) -> Add:
    """Adds a photo that the model named so; without a level it has not looked at it."""

    def make(label: str = "Stellaria media", level: str | None = "species", **changes: Any) -> Photo:
        changes = {"session_id": session.id} | changes
        photo, _ = rows.add_photo(new_photo(**changes))
        return photo if level is None else rows.save_prediction(photo.id, prediction(), label, level)

    return make


def queue(rows: UserStore, **filters: Any) -> list[tuple[int, str]]:
    items, following = rows.review_items(limit=200, **filters)
    assert following is None
    assert rows.review_count(**filters) == len(items)
    if not filters.keys() - {"session_id", "start", "end"}:
        told = [item.reason for item in items]
        assert rows.review_counts(**filters) == {each: told.count(each) for each in ("unsure", "new")}
    return [(item.photo.id, item.reason) for item in items]


def gather(rows: UserStore, best: Photo, *others: Photo) -> None:
    """Makes the photos one cluster, for which `best` speaks."""
    name = min(photo.id for photo in (best, *others))
    rows.save_clusters([(best.id, name, True, 1.0), *((each.id, name, False, 0.9) for each in others)])


def test_what_the_model_left_open_is_to_be_looked_at(rows: UserStore, add: Add) -> None:
    genus, family = add("Galium", "genus"), add("Poaceae", "family")
    unknown, failed = add("unknown", "unknown"), add(level=None)
    rows.mark_failed(failed.id)
    assert queue(rows) == [(each.id, "unsure") for each in (failed, unknown, family, genus)]
    item = rows.review_items()[0][-1]
    assert item.photo == rows.photo(genus.id)
    assert item.photo_ids == (genus.id,)


def test_photos_that_wait_for_the_model_are_counted_and_no_items(rows: UserStore, add: Add) -> None:
    south = rows.create_session("South field", timezone="UTC")
    failed = add(level=None)
    for _ in range(2):
        add(level=None, session_id=south.id)
    rows.mark_failed(failed.id)
    assert queue(rows) == [(failed.id, "unsure")]
    assert rows.waiting_photos() == rows.waiting_photos(south.id) == 2
    assert rows.waiting_photos(failed.session_id) == rows.waiting_photos(2**70) == 0


def test_a_species_that_nobody_has_confirmed_is_new_once_in_each_session(rows: UserStore, add: Add) -> None:
    south = rows.create_session("South field", timezone="UTC")
    add(quality_score=0.4)
    best = add(quality_score=0.9)
    add(quality_score=0.6, date=date(2025, 9, 1))
    there = add(session_id=south.id, quality_score=0.1)
    grass = add("Poa annua")
    assert queue(rows) == [(grass.id, "new"), (there.id, "new"), (best.id, "new")]


def test_confirming_one_photo_clears_its_species_for_that_session(
    rows: UserStore, add: Add, moment: datetime
) -> None:
    south = rows.create_session("South field", timezone="UTC")
    worse, best = add(quality_score=0.4), add(quality_score=0.9)
    there = add(session_id=south.id)
    rows.confirm_photo(best.id, moment)
    assert queue(rows) == [(there.id, "new")]
    rows.undo_label(best.id)
    # Whatever photo it was given to, the species is known in the field.
    rows.label_photo(add("Galium", "genus").id, "Stellaria media", "species", moment)
    assert queue(rows) == [(there.id, "new")]
    assert rows.photo(worse.id).label_source == "model"


def test_a_wrong_first_photo_gives_way_to_the_next_best(rows: UserStore, add: Add, moment: datetime) -> None:
    worse, best = add(quality_score=0.4), add(quality_score=0.9)
    rows.label_photo(best.id, "Poa annua", "species", moment)
    assert queue(rows) == [(worse.id, "new")]


@pytest.mark.parametrize("label", ["unknown", "not_a_plant", "Galium"])
def test_whatever_a_person_says_settles_a_plant(
    rows: UserStore, add: Add, moment: datetime, label: str
) -> None:
    photo = add("Galium", "genus")
    rows.label_photo(photo.id, label, "genus" if label == "Galium" else label, moment)
    assert queue(rows) == []


def test_near_duplicates_are_one_item_for_which_the_best_speaks(rows: UserStore, add: Add) -> None:
    first, best, third = add("Galium", "genus"), add("unknown", "unknown"), add("Galium", "genus")
    gather(rows, best, first, third)
    assert queue(rows) == [(best.id, "unsure")]
    (item,) = rows.review_items()[0]
    assert item.photo_ids == (first.id, best.id, third.id)


def test_a_repeat_is_not_the_photo_of_a_new_species(rows: UserStore, add: Add) -> None:
    best, repeat, other = add(quality_score=0.5), add(quality_score=0.9), add(quality_score=0.1)
    gather(rows, best, repeat)
    assert queue(rows) == [(best.id, "new")]
    assert other.id > best.id


def test_a_name_for_any_photo_of_a_cluster_settles_it(rows: UserStore, add: Add, moment: datetime) -> None:
    best, repeat = add("Galium", "genus"), add("Galium", "genus")
    gather(rows, best, repeat)
    rows.label_photo(repeat.id, "not_a_plant", "not_a_plant", moment)
    assert queue(rows) == []


def test_filters_choose_among_the_items(rows: UserStore, session: Session, add: Add) -> None:
    south = rows.create_session("South field", timezone="UTC")
    later = date(2025, 9, 1)
    genus = add("Galium", "genus")
    grass = add("Poa annua", date=later, quality_score=0.9)
    add("Poa annua", quality_score=0.1)
    failed = add(level=None, session_id=south.id)
    rows.mark_failed(failed.id)
    assert queue(rows, session_id=session.id) == [(grass.id, "new"), (genus.id, "unsure")]
    assert queue(rows, session_id=south.id) == [(failed.id, "unsure")]
    assert queue(rows, session_id=2**70) == []
    assert queue(rows, start=later) == [(grass.id, "new")]
    assert queue(rows, end=later - timedelta(days=1)) == [(failed.id, "unsure"), (genus.id, "unsure")]
    assert queue(rows, reason="new") == [(grass.id, "new")]
    assert queue(rows, reason="unsure") == [(failed.id, "unsure"), (genus.id, "unsure")]
    assert queue(rows, label="Galium") == [(genus.id, "unsure")]
    assert queue(rows, label="Poa annua") == [(grass.id, "new")]
    assert queue(rows, label="x' OR 1=1 --") == []


def test_pages_go_on_where_the_last_one_ended(rows: UserStore, add: Add, moment: datetime) -> None:
    photos = [add("Galium", "genus", date=date(2025, 5, 1 + number // 3)) for number in range(7)]
    wanted = [photo.id for photo in sorted(photos, key=lambda photo: (photo.date, photo.id), reverse=True)]
    first, cursor = rows.review_items(limit=3)
    assert [item.photo.id for item in first] == wanted[:3]
    for item in first:  # what is settled leaves, and moves nothing
        rows.label_photo(item.photo.id, "Galium aparine", "species", moment)
    second, cursor = rows.review_items(limit=3, cursor=cursor)
    assert [item.photo.id for item in second] == wanted[3:6]
    third, cursor = rows.review_items(limit=3, cursor=cursor)
    assert ([item.photo.id for item in third], cursor) == (wanted[6:], None)


@pytest.mark.parametrize("cursor", ["x", "!!!", "MjAyNS0wNS0wMS4w", ""])
def test_a_cursor_that_is_none_is_refused(rows: UserStore, cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        rows.review_items(cursor=cursor)
    assert refused.value.status == 400


def test_nobody_sees_the_photos_of_somebody_else(
    rows: UserStore, other_rows: UserStore, add: Add, moment: datetime
) -> None:
    photos = [add("Galium", "genus"), add(), add(level=None)]
    gather(rows, photos[0], photos[1])
    labelled = rows.label_photo(photos[0].id, "Poa annua", "species", moment)
    assert queue(other_rows) == queue(other_rows, session_id=photos[0].session_id) == []
    assert other_rows.waiting_photos() == other_rows.waiting_photos(photos[0].session_id) == 0
    assert other_rows.changed_at([(labelled.session_id, labelled.date)], moment.isoformat()) == []
    assert other_rows.near_duplicates([rows.photo(photos[0].id)]) == {photos[0].id: (photos[0].id,)}
    with pytest.raises(Problem) as refused:
        other_rows.photos_by_id([photos[0].id])
    assert refused.value.status == 404


def test_what_a_neighbour_confirmed_is_new_here(
    rows: UserStore, other_rows: UserStore, add: Add, new_photo: Callable[..., NewPhoto], moment: datetime
) -> None:
    field = other_rows.create_session("Elsewhere", timezone="UTC")
    theirs, _ = other_rows.add_photo(new_photo(field.id))
    other_rows.label_photo(theirs.id, "Stellaria media", "species", moment)
    mine = add()
    assert queue(rows) == [(mine.id, "new")]


def test_photos_are_found_by_number_in_the_order_asked_for(rows: UserStore, add: Add) -> None:
    first, second = add(), add()
    assert rows.photos_by_id([second.id, first.id, second.id]) == [second, first]
    assert rows.photos_by_id([]) == []
    with pytest.raises(Problem) as refused:
        rows.photos_by_id([first.id, 999_999, 2**70])
    assert refused.value.status == 404
    told = str(refused.value.errors)
    assert "999999" in told
    assert str(2**70) in told
    assert f"photo {first.id}:" not in told


def test_what_one_request_changed_is_found_by_its_moment(rows: UserStore, add: Add, moment: datetime) -> None:
    photos = [add("Galium", "genus") for _ in range(4)]
    later = moment + timedelta(microseconds=1)
    for photo in photos[:3]:
        rows.label_photo(photo.id, "Poa annua", "species", moment)
    rows.label_photo(photos[2].id, "Galium aparine", "species", later)
    days = [(photos[0].session_id, photos[0].date)]
    assert rows.changed_at(days, moment.isoformat()) == [photos[0].id, photos[1].id]
    assert rows.changed_at(days, later.isoformat()) == [photos[2].id]
    rows.undo_label(photos[2].id)
    assert rows.changed_at(days, later.isoformat()) == []
    assert rows.changed_at([(days[0][0], date(2020, 1, 1)), (2**70, days[0][1])], moment.isoformat()) == []


def test_the_queue_is_read_from_its_index(store: DatabaseStore, rows: UserStore, add: Add) -> None:
    """Twenty thousand photos have wide rows; choosing among them must not read these."""
    photo = add()
    items = rows._queue(None, None, None)
    query = rows._chosen(items, None, None, pw.fn.COUNT(items.c.id))
    sql, parameters = store.db.database.get_sql_context().sql(query).query()
    with store.connection():
        if store.db.postgres:  # which plans by what it finds in the tables
            same = ", ".join(
                field.column_name
                for field in ImageData._meta.sorted_fields
                if field.name not in ("id", "sha256", "label")
            )
            store.db.database.execute_sql(
                f"INSERT INTO image_data (sha256, label, {same}) SELECT n, mod(n, 50), {same}"
                f" FROM image_data, generate_series(1, 3000) n WHERE id = {photo.id}"
            )
            store.db.database.execute_sql("VACUUM ANALYZE image_data")
            store.db.database.execute_sql("SET enable_seqscan = off")  # three thousand are few
        explain = "EXPLAIN" if store.db.postgres else "EXPLAIN QUERY PLAN"
        plan = [str(row) for row in store.db.database.execute_sql(f"{explain} {sql}", parameters).fetchall()]
    for name in ("person", "unsure", "plant", "named", "other"):
        lines = [line for line in plan if f" {name} " in line]
        assert lines, (name, plan)
        assert all("idx_image_data_review" in line for line in lines), lines
