"""Counts of what happened: plain numbers that lose nothing."""

from __future__ import annotations

import threading

from lib.counts import Counts


def test_each_combination_is_counted_by_itself() -> None:
    counts = Counts("x", "X.", ("status", "reason"))
    for _ in range(2):
        counts.add("rejected", "photo-empty")
    counts.add("created", "")
    assert counts.read() == {("rejected", "photo-empty"): 2, ("created", ""): 1}


def test_what_is_known_to_come_is_there_from_the_start() -> None:
    counts = Counts("x", "X.", ("status", "reason"), ("created",))
    assert counts.read() == {("created", ""): 0}
    counts.add("created", "")
    assert counts.read() == {("created", ""): 1}


def test_what_was_read_stays_as_it_was() -> None:
    counts = Counts("x", "X.", ("outcome",))
    counts.add("computed")
    before = counts.read()
    counts.add("computed")
    assert before == {("computed",): 1}


def test_threads_lose_no_count() -> None:
    counts = Counts("x", "X.", ("outcome",))
    threads = [
        threading.Thread(target=lambda: [counts.add("computed") for _ in range(1000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.read() == {("computed",): 4000}
