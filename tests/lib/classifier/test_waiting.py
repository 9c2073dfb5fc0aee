"""One photo inside, a few waiting, the rest sent away with a time."""

from __future__ import annotations

import threading

import pytest

from lib.classifier.refusals import Busy
from lib.classifier.waiting import WaitingLine


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
    with line.turn(), pytest.raises(Busy) as refused, line.turn():
        pass
    assert refused.value.retry_after >= 4
    assert refused.value.headers["Retry-After"] == str(refused.value.retry_after)
    assert refused.value.status == 503
    with line.turn():
        assert line.present == 1


def test_patience_ends_and_the_place_is_free_again() -> None:
    line = WaitingLine(places=1, patience=0.0)
    with line.turn():
        with pytest.raises(Busy), line.turn():
            pass
        assert line.present == 1
    with line.turn():
        pass


def test_an_error_inside_leaves_the_line() -> None:
    line = WaitingLine(places=0)
    with pytest.raises(RuntimeError), line.turn():
        raise RuntimeError
    with line.turn():
        assert line.present == 1


def test_the_time_to_come_back_is_bounded() -> None:
    line = WaitingLine()
    assert line.retry_after() == 1
    for _ in range(50):
        line.took(1e6)
    assert line.retry_after() == 60
