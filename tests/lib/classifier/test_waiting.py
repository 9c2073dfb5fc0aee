"""One inside, a few waiting, people before the background, the rest sent away with a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from lib.classifier.refusals import Abandoned, Busy
from lib.classifier.waiting import BUCKETS, WaitingLine
from tests.lib.classifier.lines import Clock, occupied


class Visitor:
    """A thread that asks for a turn; made, it stands in the line already."""

    def __init__(
        self, line: WaitingLine, visits: list[str], name: str, background: bool = False, gone: bool = False
    ) -> None:
        self.gone, self.outcome = gone, ""
        stands = threading.Event()

        def abandoned() -> bool:
            stands.set()  # asked by the line itself, so that there is no doubt that the visitor stands in it
            return self.gone

        def visit() -> None:
            try:
                with line.turn(abandoned, background):
                    visits.append(name)
                    self.outcome = "done"
            except (Busy, Abandoned) as refused:
                self.outcome = type(refused).__name__
            finally:
                stands.set()

        self._thread = threading.Thread(target=visit)
        self._thread.start()
        stands.wait()

    def end(self) -> str:
        self._thread.join()
        return self.outcome


def test_only_one_is_inside_at_a_time() -> None:
    line, inside, most = WaitingLine(places=8), [], []

    def visit() -> None:
        with line.turn():
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=visit) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 9
    assert line.present == 0


def test_a_full_line_refuses_at_once_and_says_when_to_come_back() -> None:
    line = WaitingLine(places=0)
    line.took(20.0)
    with occupied(line), pytest.raises(Busy) as refused, line.turn():
        pass
    assert refused.value.retry_after >= 4
    assert refused.value.headers["Retry-After"] == str(refused.value.retry_after)
    assert refused.value.status == 503
    assert line.refusals == {"full": 1, "patience": 0, "abandoned": 0}
    with line.turn():
        assert line.present == 1


def test_as_many_wait_as_there_are_places() -> None:
    line, visits = WaitingLine(places=2), list[str]()
    with occupied(line):
        waiting = [Visitor(line, visits, name) for name in "ab"]
        assert line.waiting == {"person": 2, "background": 0}
        assert Visitor(line, visits, "c").end() == "Busy"
    assert [each.end() for each in waiting] == ["done", "done"]
    assert visits == ["a", "b"]  # first come, first served


def test_patience_ends_and_the_place_is_free_again() -> None:
    line = WaitingLine(places=1, patience=0.0)
    with occupied(line):
        with pytest.raises(Busy), line.turn():
            pass
        assert line.present == 1
    assert line.refusals["patience"] == 1
    with line.turn():
        pass


def test_an_error_inside_leaves_the_line() -> None:
    line = WaitingLine(places=0)
    with pytest.raises(RuntimeError), line.turn():
        raise RuntimeError
    with line.turn():
        assert line.present == 1
    assert line.present == 0


def test_a_turn_within_a_turn_is_the_same_turn() -> None:
    line = WaitingLine(places=0)
    with line.turn():
        with line.turn():
            assert line.present == 1
        assert line.present == 1  # the inner one did not give it up
    assert line.present == 0


def test_people_go_before_the_background_however_long_it_waits() -> None:
    line, visits = WaitingLine(), list[str]()
    with occupied(line):
        backlog = Visitor(line, visits, "backlog", background=True)
        people = [Visitor(line, visits, name) for name in ("first", "second")]
    assert [each.end() for each in (*people, backlog)] == ["done"] * 3
    assert visits == ["first", "second", "backlog"]


def test_a_person_waits_for_one_photo_of_the_background_at_most() -> None:
    line, visits = WaitingLine(), list[str]()
    with occupied(line, background=True):
        backlog = Visitor(line, visits, "backlog", background=True)
        person = Visitor(line, visits, "person")
    assert (person.end(), backlog.end()) == ("done", "done")
    assert visits == ["person", "backlog"]


def test_the_background_takes_no_place_and_has_patience() -> None:
    line, visits = WaitingLine(places=1, patience=0.0), list[str]()
    with occupied(line):
        backlog = [Visitor(line, visits, name, background=True) for name in "ab"]
        assert line.waiting == {"person": 0, "background": 2}
        # The place that people have is free: it is patience that ends, not room.
        assert Visitor(line, visits, "person").end() == "Busy"
        assert line.refusals["full"] == 0
    assert [each.end() for each in backlog] == ["done", "done"]


def test_whoever_is_gone_leaves_the_line_and_those_behind_move_up() -> None:
    line, visits = WaitingLine(places=2, look_every=0.001), list[str]()
    with occupied(line):
        first, second = (Visitor(line, visits, name) for name in "ab")
        first.gone = True
        assert first.end() == "Abandoned"
        assert line.waiting["person"] == 1
        third = Visitor(line, visits, "c")  # into the place that became free
    assert (second.end(), third.end()) == ("done", "done")
    assert visits == ["b", "c"]
    assert line.refusals == {"full": 0, "patience": 0, "abandoned": 1}


def test_a_free_turn_is_not_spent_on_somebody_who_is_gone() -> None:
    line, visits = WaitingLine(), list[str]()
    assert Visitor(line, visits, "a", gone=True).end() == "Abandoned"
    assert visits == []
    assert line.present == 0


def test_a_free_turn_is_given_only_when_nobody_is_there() -> None:
    clock = Clock()
    line, visits = WaitingLine(clock=clock), list[str]()
    with line.turn():
        clock.now += 5
    clock.now += 30
    with occupied(line), line.free_turn() as since:
        assert since is None
    clock.now += 7
    with line.free_turn() as since:
        assert since == 7
        waiting = Visitor(line, visits, "a")
        assert visits == []
    assert waiting.end() == "done"


def test_a_free_turn_is_no_use() -> None:
    clock = Clock()
    line = WaitingLine(clock=clock)
    clock.now += 10
    for _ in range(2):
        with line.free_turn() as since:
            assert since == 10


def test_a_clock_that_jumps_back_is_no_idle_time() -> None:
    clock = Clock()
    line = WaitingLine(clock=clock)
    clock.now -= 500
    with line.free_turn() as since:
        assert since == 0


def test_the_time_to_come_back_is_bounded() -> None:
    line = WaitingLine()
    assert line.retry_after() == 1
    for _ in range(50):
        line.took(1e6)
    assert line.retry_after() == 60


@pytest.mark.parametrize(("seconds", "within"), [(0.004, len(BUCKETS)), (0.3, 5), (99.0, 0)])
def test_durations_are_counted(seconds: float, within: int) -> None:
    line = WaitingLine()
    line.took(seconds)
    assert (line.done, line.seconds, sum(line.buckets)) == (1, seconds, within)


def test_the_time_to_come_back_grows_with_those_present() -> None:
    line, visits = WaitingLine(places=4), list[str]()
    for _ in range(50):
        line.took(3.0)
    alone: Callable[[], int] = line.retry_after
    assert alone() == 3
    with occupied(line):
        waiting = [Visitor(line, visits, name) for name in "abc"]
        assert line.retry_after() == 15
    assert [each.end() for each in waiting] == ["done"] * 3
