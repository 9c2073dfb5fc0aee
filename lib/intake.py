"""One photo's way in: checked, stored durably, classified, and its day analysed anew."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import IO

from PIL import Image

from lib import analysis, asking, classifier, counts, deadlines
from lib.asking import NOT_YET, Question, deleted_meanwhile
from lib.photos.decode import decode
from lib.photos.examine import examine
from lib.photos.exif import capture_day
from lib.photos.identify import MAX_BYTES, inspect, shown_name
from lib.photos.storage import PhotoFiles
from lib.problems import Problem
from lib.recognition import Recogniser
from lib.store.database import UserStore
from lib.store.records import DayRow, NewPhoto, Photo, Session

LONGEST_FILENAME = 255


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file as it was sent: what the sender calls it, and its bytes."""

    filename: str
    stream: IO[bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: created, duplicate or rejected.

    A created photo can carry a problem as well: it is safe, but not classified yet, and the problem says why.
    """

    filename: str
    status: str
    photo: Photo | None = None
    problem: Problem | None = None

    @property
    def refusal(self) -> str:
        """Why the file was not taken; empty when it was."""
        return self.problem.kind if self.status == "rejected" and self.problem else ""

    @property
    def waits(self) -> bool:
        """The photo is safe and waits for the model."""
        return self.problem is not None and self.problem.kind == NOT_YET


@dataclass(slots=True)
class Receipt:
    """What became of all files of one request, and the rows of the days they touched."""

    session_id: int | None = None  # None while nothing was taken
    outcomes: list[Outcome] = field(default_factory=list)
    days: dict[date, DayRow] = field(default_factory=dict)
    model_name: str | None = None
    model_version: str | None = None
    seconds: float = 0.0

    def for_guest(self) -> Receipt:
        """What somebody may know who drops photos in for another: of their own photos all, of the rest nothing."""
        outcomes = []
        for outcome in self.outcomes:
            own = outcome.photo if outcome.status == "created" else None
            # A cluster and what it resembles would speak of the host's photos.
            shown = own and replace(own, cluster_id=None, similarity_score=None)
            outcomes.append(replace(outcome, photo=shown))
        return replace(self, outcomes=outcomes, days={})

    @property
    def retry_after(self) -> int | None:
        """Seconds until asking again about the photos that wait for the model makes sense; None when none does."""
        waits = [
            each.problem.extensions["retry_after"] for each in self.outcomes if each.waits and each.problem
        ]
        return max(waits, default=None)

    @property
    def created(self) -> bool:
        """True when at least one photo is new."""
        return any(outcome.status == "created" for outcome in self.outcomes)


class Intake:
    """Takes photos for one user; `recogniser` names them."""

    def __init__(self, store: UserStore, files: PhotoFiles, recogniser: Recogniser) -> None:
        self.store = store
        self.files = files
        self.recogniser = recogniser
        self._held_up: Problem | None = None

    def receive(
        self,
        session: Session | None,
        form_date: date | None,
        incoming: Iterable[Incoming],
        timezone: str,
        abandoned: Callable[[], bool] | None = None,
    ) -> Receipt:
        """Take every file that is a photo; the others are refused one by one, each with its reason.

        Without a session, the first photo that can be taken makes one in the site's `timezone` (IANA).
        A photo is on disk and in the database before it is classified, so that a crash at any instant loses none
        that was acknowledged. Whatever ends the work early, the days touched so far are analysed. `abandoned` says
        whether the sender is gone. Once one photo could not be classified now, those behind it are only kept: the
        sender would wait once more for each, and the backlog asks for all of them.
        """
        started = time.monotonic()
        gone = abandoned or (lambda: False)
        abandoned = lambda: gone() or asking.late()  # noqa: E731
        self._held_up = None
        receipt = Receipt()
        touched: set[date] = set()
        try:
            for each in incoming:
                outcome = self._take(session, form_date, each, timezone, abandoned)
                receipt.outcomes.append(outcome)
                counts.PHOTOS.add(outcome.status, outcome.refusal)
                if outcome.photo is not None:
                    touched.add(outcome.photo.date)
                    receipt.session_id = outcome.photo.session_id
                    session = session or self.store.session(receipt.session_id)
        finally:
            deadlines.end()  # photos that are kept count, however late it is
            if receipt.session_id is not None:
                with deleted_meanwhile():
                    analysis.recompute(self.store, receipt.session_id, touched)
        receipt.outcomes = [self._renewed(outcome) for outcome in receipt.outcomes]
        for day in sorted(touched):
            row = self.store.day(day, receipt.session_id)
            if row is not None:
                receipt.days[day] = row
        model = classifier.loaded()
        if model is not None:
            receipt.model_name, receipt.model_version = model.name, model.version
        receipt.seconds = time.monotonic() - started
        return receipt

    def classify(
        self,
        photo: Photo,
        image: Image.Image | None = None,
        session: Session | None = None,
        abandoned: Callable[[], bool] | None = None,
    ) -> Problem | None:
        """Ask the model about a stored photo and keep its answer; the problem says why there is none.

        Near the end of a request's time the model is not asked any more.

        A photo that cannot be decoded, or that the model fails on, is marked as processed without a prediction, so
        that it is not tried for ever. One that waits for the model, or whose file is missing, stays unprocessed:
        the model or the disk may come back. `session` is the photo's own, looked up when not given.
        """
        session = session or self.store.session(photo.session_id)
        answer = asking.ask(self.files, self.recogniser, Question.about(photo, session), image, abandoned)
        asking.keep(self.store, photo.id, answer)
        return answer.problem

    def _take(
        self,
        session: Session | None,
        form_date: date | None,
        incoming: Incoming,
        timezone: str,
        abandoned: Callable[[], bool] | None,
    ) -> Outcome:
        name = shown_name(incoming.filename)
        try:
            data = incoming.stream.read(MAX_BYTES + 1)
            header = inspect(data, name)
            digest = hashlib.sha256(data).hexdigest()
            known = self.store.photo_by_digest(session.id, digest) if session else None
            if known is not None:
                return self._duplicate(name, known, abandoned)
            decoded = decode(data, filename=name, header=header)
            session = session or self.store.default_session(timezone)
            captured = capture_day(header.exif, session.timezone, form_date, datetime.now(UTC))
            columns = examine(data, header, decoded)
            path = self.files.put(session.id, digest, header.extension, data)
        except Problem as problem:
            return Outcome(name, "rejected", problem=problem)
        new = NewPhoto(
            session_id=session.id,
            path=path,
            date=captured.date,
            date_source=captured.source,
            captured_at=captured.captured_at,
            original_filename=name[:LONGEST_FILENAME],
            sha256=digest,
            **columns,
        )
        try:
            photo, created = self.store.add_photo(new)
        except Problem as problem:
            # The file stays for the sweep: a commit that was cut short may have made the row.
            return Outcome(name, "rejected", problem=problem)
        if not created:  # the same bytes came in beside this request
            self.files.delete(path)
            return self._duplicate(name, photo, abandoned)
        waiting = None
        with deleted_meanwhile():
            waiting = self._ask(photo, decoded.image, session, abandoned)
        return Outcome(name, "created", photo, waiting)

    def _duplicate(self, name: str, photo: Photo, abandoned: Callable[[], bool] | None) -> Outcome:
        """Sending a photo again is also how a person asks again about one that is not classified yet."""
        problem = None if photo.is_processed else self._ask(photo, abandoned=abandoned)
        return Outcome(name, "duplicate", photo, problem)

    def _ask(
        self,
        photo: Photo,
        image: Image.Image | None = None,
        session: Session | None = None,
        abandoned: Callable[[], bool] | None = None,
    ) -> Problem | None:
        """Classify, unless a photo before it in this request had to be left waiting."""
        if self._held_up is not None:
            return self._held_up
        problem = self.classify(photo, image, session, abandoned)
        if problem is not None and problem.kind == NOT_YET:
            self._held_up = problem
        return problem

    def _renewed(self, outcome: Outcome) -> Outcome:
        """The outcome with the photo as it stands after classification and clustering."""
        if outcome.photo is None:
            return outcome
        try:
            return replace(outcome, photo=self.store.photo(outcome.photo.id))
        except Problem as problem:
            if problem.status != 404:
                raise
            return Outcome(outcome.filename, "rejected", problem=problem)
