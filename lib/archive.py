"""A whole archive of waiting photos: many are asked about at once, elsewhere, and one writer keeps the answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Protocol

from lib import analysis, asking
from lib.asking import Answer, Question, deleted_meanwhile
from lib.backlog import BATCH, Work
from lib.problems import Problem, unavailable
from lib.store.database import DatabaseStore
from lib.store.records import Photo, Session

LOG = logging.getLogger("weeds.archive")
PAGE = 200  # photos that are read from the database at once
AHEAD = 16  # photos in hand for each worker, so that nobody waits for work while answers are written down
PATIENCE = 1.0  # seconds without an answer, after which somebody may want to stop
# So many photos are not all at fault: whoever asks about them has too little memory, say.
MOST_SUSPECTS = 20


class Askers(Protocol):
    """Whoever asks the model about many photos at the same time, each on its own."""

    def workers(self) -> int:
        """How many photos they can ask about at the same time; 0 while nobody is there."""
        ...

    def ask(self, question: Question) -> None:
        """Have one more photo asked about, as soon as somebody is free."""
        ...

    def answers(self, patience: float) -> list[tuple[int, Answer | None]]:
        """The photos answered since the last call, the first waited for so many seconds; none when none came.

        None in place of an answer: whoever asked about the photo died of it, several times.
        """
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A photo in hand, and whose it is."""

    user_id: int
    photo: Photo

    @property
    def day(self) -> tuple[int, int, date]:
        """User, session and day: what a photo's answer changes the numbers of."""
        return self.user_id, self.photo.session_id, self.photo.date


def process(
    store: DatabaseStore,
    askers: Askers,
    limit: int | None = None,
    batch: int = BATCH,
    progress: Callable[[int], object] = lambda done: None,
    stopped: Callable[[], bool] = lambda: False,
    work: Work | None = None,
) -> Work:
    """As `backlog.process`, with many photos in hand at once; the rows come out the same.

    Answers are kept by this process alone, `batch` of them at once, and only then count: whatever dies, the photos
    that were in hand wait for the next run, and one that is asked about twice is kept once. A day is analysed when
    none of its photos is in hand any more. When somebody wants to stop, or the model cannot be asked, nothing more
    is asked, and what is in hand is finished.

    A photo that whoever asks dies of is tried once more when nothing else is in hand, since those beside it fall
    under suspicion, too. If they die again, it is named in the log and left to the next run.
    """
    run = _Run(store, askers, limit, batch, progress, stopped, work or Work())
    run.ask_all(run.waiting())
    for suspect in run.suspects[:]:
        run.last_try = True
        run.ask_all([suspect])
    return run.work


class _Run:
    """What is in hand, answered and not yet kept, and to be analysed."""

    def __init__(
        self,
        store: DatabaseStore,
        askers: Askers,
        limit: int | None,
        batch: int,
        progress: Callable[[int], object],
        stopped: Callable[[], bool],
        work: Work,
    ) -> None:
        self.work = work
        self.suspects: list[Asked] = []
        self.last_try = False
        self._store = store
        self._askers = askers
        self._limit = limit
        self._batch = batch
        self._progress = progress
        self._stopped = stopped
        self._ended = False
        self._in_hand: dict[int, Asked] = {}
        self._answered: list[tuple[Asked, Answer]] = []
        self._touched: set[tuple[int, int, date]] = set()
        self._sessions: dict[tuple[int, int], Session | None] = {}

    def waiting(self) -> Iterator[Asked]:
        """The photos that no model has seen, oldest first."""
        after = 0
        while page := self._store.unprocessed(PAGE, after):
            self._sessions.clear()  # somebody may have given one another list
            for user_id, photo in page:
                after = photo.id
                yield Asked(user_id, photo)

    def ask_all(self, photos: Iterable[Asked]) -> None:
        """Ask about photos and keep the answers, until there are no more photos or the run is to end."""
        following = iter(photos)
        while True:
            self._ended = self._ended or self._stopped()
            self._fill(following)
            if not self._in_hand:
                break
            answers = self._askers.answers(PATIENCE)
            for photo_id, answer in answers:
                self._take(self._in_hand.pop(photo_id), answer)
            if self._ended and not answers and not self._askers.workers():
                break  # nobody is left to finish what is in hand; the next run asks again
            if len(self._answered) >= self._batch:
                self._keep()
        self._keep()

    def _fill(self, photos: Iterator[Asked]) -> None:
        room = AHEAD * max(1, self._askers.workers())
        while not self._ended and len(self._in_hand) < room and self._under_limit():
            asked = next(photos, None)
            if asked is None:
                return
            session = self._session_of(asked)
            if session is not None:
                self._in_hand[asked.photo.id] = asked
                self._askers.ask(Question.about(asked.photo, session))

    def _under_limit(self) -> bool:
        done = self.work.classified + self.work.failed + len(self._in_hand) + len(self._answered)
        return self._limit is None or done < self._limit

    def _session_of(self, asked: Asked) -> Session | None:
        """None when it was deleted since the photo was read, and the photo with it."""
        key = asked.user_id, asked.photo.session_id
        if key not in self._sessions:
            self._sessions[key] = None
            with deleted_meanwhile():
                self._sessions[key] = self._store.for_user(asked.user_id).session(asked.photo.session_id)
        return self._sessions[key]

    def _take(self, asked: Asked, answer: Answer | None) -> None:
        if answer is None:
            self._suspect(asked)
        elif answer.waits:
            self.work.waiting += 1
            self._ended = True
        else:
            self._answered.append((asked, answer))

    def _suspect(self, asked: Asked) -> None:
        if self.last_try:
            self.work.waiting += 1
            LOG.error("whoever asks the model about photo %d dies of it; it is left waiting", asked.photo.id)
            return
        self.suspects.append(asked)
        if len(self.suspects) > MOST_SUSPECTS:
            raise unavailable(
                f"Whoever asks the model dies of it, with more than {MOST_SUSPECTS} photos: perhaps there is too "
                "little memory for each.",
                kind="askers-die",
            )

    def _keep(self) -> None:
        """Write down what was answered, then analyse the days of which nothing is in hand."""
        answered = sorted(self._answered, key=lambda each: each[0].day)
        self._answered.clear()
        for (user_id, session_id), group in groupby(answered, key=lambda each: each[0].day[:2]):
            self._keep_in(user_id, session_id, list(group))
        open_days = {asked.day for asked in self._in_hand.values()}
        for day in sorted(self._touched - open_days):
            self._touched.discard(day)
            self._analyse(day)

    def _keep_in(self, user_id: int, session_id: int, answered: list[tuple[Asked, Answer]]) -> None:
        """Write down the answers about photos of one session, all or none."""
        mine = self._store.for_user(user_id)
        kept = []
        waiting = 0
        with deleted_meanwhile(), mine.day_transaction(session_id):
            for asked, answer in answered:
                try:
                    with deleted_meanwhile():
                        asking.keep(mine, asked.photo.id, answer)
                        kept.append((asked, answer))
                except Problem:
                    raise
                except Exception:
                    LOG.exception("what the model said of photo %d cannot be kept now", asked.photo.id)
                    waiting += 1
        self.work.waiting += waiting
        for asked, answer in kept:
            self.work.failed += answer.problem is not None
            self.work.classified += answer.problem is None
            self._touched.add(asked.day)
        self._progress(len(kept))

    def _analyse(self, day: tuple[int, int, date]) -> None:
        user_id, session_id, on = day
        with deleted_meanwhile():
            report = analysis.recompute(self._store.for_user(user_id), session_id, [on])
            self.work.days += report.computed
