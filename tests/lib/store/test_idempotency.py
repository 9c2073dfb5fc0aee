"""A request sent twice is done once, and the second gets the first one's answer."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.models import IdempotencyKeys
from lib.store.records import StoredResponse


def test_it_keeps_the_answer(rows: UserStore, moment: datetime) -> None:
    assert rows.idempotent("k", "digest", moment) is None
    rows.finish_idempotent("k", 201, {"session_id": 7, "results": []})
    answer = StoredResponse(201, {"session_id": 7, "results": []})
    assert rows.idempotent("k", "digest", moment + timedelta(hours=23)) == answer


def test_another_request_with_the_same_key_is_refused(rows: UserStore, moment: datetime) -> None:
    rows.idempotent("k", "digest", moment)
    for finish in (False, True):
        if finish:
            rows.finish_idempotent("k", 201, {})
        with pytest.raises(Problem) as refused:
            rows.idempotent("k", "other", moment)
        assert refused.value.status == 422
        assert refused.value.errors[0]["field"] == "Idempotency-Key"


def test_a_running_request_is_not_done_twice(rows: UserStore, moment: datetime) -> None:
    rows.idempotent("k", "digest", moment)
    with pytest.raises(Problem) as refused:
        rows.idempotent("k", "digest", moment + timedelta(seconds=119))
    assert refused.value.status == 409
    assert "Retry-After" in refused.value.headers
    # After two minutes nobody is working on it any more: one may take over, and only one.
    assert rows.idempotent("k", "digest", moment + timedelta(seconds=120)) is None
    with pytest.raises(Problem):
        rows.idempotent("k", "digest", moment + timedelta(seconds=121))


def test_a_failed_request_may_be_tried_again_at_once(rows: UserStore, moment: datetime) -> None:
    rows.idempotent("k", "digest", moment)
    rows.forget_idempotent("k")
    assert rows.idempotent("k", "digest", moment) is None
    rows.finish_idempotent("k", 201, {})
    rows.forget_idempotent("k")  # an answer that was given is never taken back
    assert rows.idempotent("k", "digest", moment) == StoredResponse(201, {})


def test_a_request_that_gives_up_while_another_asks_makes_room_for_it(
    rows: UserStore, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.idempotent("k", "digest", moment)
    first = rows.db.first

    def gone(query: object) -> None:
        monkeypatch.setattr(rows.db, "first", first)
        rows.forget_idempotent("k")
        return None

    monkeypatch.setattr(rows.db, "first", gone)
    assert rows.idempotent("k", "digest", moment) is None


def test_answers_are_forgotten_after_a_day(store: DatabaseStore, rows: UserStore, moment: datetime) -> None:
    for key in ("a", "b"):
        rows.idempotent(key, "digest", moment)
        rows.finish_idempotent(key, 201, {})
    assert rows.idempotent("a", "digest", moment + timedelta(hours=24, seconds=1)) is None
    assert len(store.db.fetch(IdempotencyKeys.select(IdempotencyKeys.id))) == 1


def test_keys_belong_to_one_user(rows: UserStore, other_rows: UserStore, moment: datetime) -> None:
    rows.idempotent("k", "digest", moment)
    assert other_rows.idempotent("k", "other digest", moment) is None
    rows.finish_idempotent("k", 201, {"mine": True})
    with pytest.raises(Problem):
        other_rows.idempotent("k", "other digest", moment)


def test_of_several_at_once_one_does_the_work(
    store: DatabaseStore, rows: UserStore, moment: datetime
) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def send() -> None:
        start.wait()
        try:
            outcomes.append(
                "begun" if store.for_user(rows.user_id).idempotent("k", "d", moment) is None else "done"
            )
        except Problem as problem:
            outcomes.append(str(problem.status))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["409", "409", "409", "begun"]


def test_work_that_is_done_once_is_not_done_again(rows: UserStore, other_rows: UserStore) -> None:
    done: list[str] = []

    def work() -> int:
        done.append("x")
        return len(done)

    assert [rows.once("form", work), rows.once("form", work), rows.once("other form", work)] == [
        (1, True), (1, False), (2, True),
    ]  # fmt: skip
    assert other_rows.once("form", work) == (3, True)


def test_work_that_fails_leaves_no_mark_and_nothing_else(rows: UserStore) -> None:
    def fail() -> None:
        rows.create_session("half made", timezone="UTC")
        raise Problem(422)

    with pytest.raises(Problem):
        rows.once("form", fail)
    assert rows.sessions() == []
    assert rows.once("form", lambda: 7) == (7, True)


def test_of_many_at_once_one_does_the_work_and_all_get_its_answer(
    store: DatabaseStore, rows: UserStore
) -> None:
    answers: list[tuple[int, bool]] = []

    def send() -> None:
        mine = store.for_user(rows.user_id)
        answers.append(mine.once("form", lambda: mine.create_session("x", timezone="UTC").id))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (made,) = rows.sessions()
    assert sorted(answers) == [(made.id, False)] * 3 + [(made.id, True)]


def test_answers_past_their_day_are_counted_and_dropped_for_everybody(
    store: DatabaseStore, rows: UserStore, other_rows: UserStore, moment: datetime
) -> None:
    for number, each in enumerate((rows, other_rows)):
        each.idempotent("old", "digest", moment)
        each.finish_idempotent("old", 201, {"number": number})
    rows.idempotent("young", "digest", moment + timedelta(hours=2))
    late = moment + timedelta(hours=25)
    assert store.expired_requests(moment + timedelta(hours=24)) == 0
    assert store.expired_requests(late) == 2
    assert store.forget_expired_requests(late) == 2
    assert store.expired_requests(late) == 0
    assert [key for (key,) in store.db.fetch(IdempotencyKeys.select(IdempotencyKeys.key))] == ["young"]
