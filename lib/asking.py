"""Asking the model about one stored photo, on whatever machine, and keeping its answer where the rows are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib import classifier, deadlines
from lib.photos.decode import decode
from lib.photos.storage import UNAVAILABLE, PhotoFiles
from lib.predictions import prediction_record
from lib.problems import Problem
from lib.store.records import Photo, Prediction, Session

if TYPE_CHECKING:
    from PIL import Image

    from lib.recognition import Recogniser
    from lib.store.database import UserStore

LOG = logging.getLogger("weeds.asking")
NOT_YET = "not-yet-classified"
# What is left of a request's time when the model is asked no more: enough to keep the photos that are still to come
# and to analyse their days.
TO_FINISH = 20.0  # seconds
LATER = "The photo is kept. It is classified later, because the request has taken long enough."


@dataclass(frozen=True, slots=True)
class Question:
    """All that asking about a photo takes, and no more: it may travel. Logs show its number alone."""

    photo_id: int
    path: str = field(repr=False)
    filename: str = field(repr=False)
    region_species: str | tuple[str, ...] | None = field(default=None, repr=False)
    latitude: float | None = field(default=None, repr=False)
    longitude: float | None = field(default=None, repr=False)

    @classmethod
    def about(cls, photo: Photo, session: Session) -> Question:
        """The question about a photo of `session`."""
        return cls(
            photo.id,
            photo.path,
            photo.original_filename,
            session.region_species,
            session.latitude,
            session.longitude,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question: a prediction with the label that it makes, or the problem why there is none.

    `given_up`: the photo itself is at fault, and is not tried again.
    """

    prediction: Prediction | None = None
    label: str = ""
    label_level: str = ""
    problem: Problem | None = None
    given_up: bool = False

    @property
    def waits(self) -> bool:
        """The model cannot be asked now, about this photo or any other."""
        return self.problem is not None and self.problem.kind == NOT_YET


def ask(
    files: PhotoFiles,
    recogniser: Recogniser,
    question: Question,
    image: Image.Image | None = None,
    abandoned: Callable[[], bool] | None = None,
) -> Answer:
    """What the model says of a stored photo; `image` is its picture where it is at hand. Raises nothing.

    Near the end of a request's time the model is not asked any more.

    A photo that cannot be decoded, or that the model fails on, is given up. One that waits for the model, or whose
    file is missing, is not: the model or the disk may come back.
    """
    if late():
        return _waiting(LATER, 1)
    try:
        if image is None:
            image = decode(files.read(question.path), filename=question.filename).image
        found = recogniser.classify(image, question, abandoned)
    except classifier.ModelUnavailable as error:
        why = f"The photo is kept. It is classified when the model of this server is mended: {error.reason}"
        return _waiting(why, error.retry_after, error.kind)
    except classifier.Busy as error:
        why = "The photo is kept. It is classified as soon as the photos before it are."
        return _waiting(why, error.retry_after, error.kind)
    except classifier.Abandoned:
        if late():
            return _waiting(LATER, 1)
        return _waiting("The photo is kept. It is classified later, because nobody waited for it.", 1)
    except MemoryError:
        LOG.error("too little memory is left to classify photo %d", question.photo_id)
        return _waiting("The photo is kept. It is classified when the server has memory to spare.", 60)
    except FileNotFoundError:
        LOG.error("the file of photo %d is missing", question.photo_id)
        return _lost()
    except OSError:  # a disk that hangs or refuses may come back, too
        LOG.exception("the file of photo %d cannot be read", question.photo_id)
        return _lost()
    except Exception as error:
        if isinstance(error, Problem) and error.kind == UNAVAILABLE:
            why = "The photo is kept. It is classified when the photo store of this server answers again."
            return _waiting(why, 60, error.kind)
        LOG.exception("photo %d cannot be classified", question.photo_id)
        return Answer(problem=error if isinstance(error, Problem) else _failed(), given_up=True)
    return Answer(prediction_record(found), found.label, found.label_level)


def late() -> bool:
    """Whether the request that this thread answers must come to its end; never outside a request."""
    return deadlines.left() < TO_FINISH


def keep(store: UserStore, photo_id: int, answer: Answer) -> None:
    """Write an answer down; the same once more changes nothing. 404 when the photo is gone.

    A photo that is given up counts as processed, without a prediction, so that it is not tried for ever.
    """
    if answer.prediction is not None:
        store.save_prediction(photo_id, answer.prediction, answer.label, answer.label_level)
    elif answer.given_up:
        store.mark_failed(photo_id)


@contextmanager
def deleted_meanwhile() -> Iterator[None]:
    """Passes over the 404 of a photo or session that somebody deleted while work on it was going on."""
    try:
        yield
    except Problem as problem:
        if problem.status != 404:
            raise


def _failed() -> Problem:
    return Problem(
        500,
        "Classification failed",
        "The photo is kept, but the model failed on it. Name it yourself.",
        kind="classification-failed",
    )


def _lost() -> Answer:
    problem = Problem(410, detail="The file of this photo is missing on the server.", kind="file-missing")
    return Answer(problem=problem)


def _waiting(detail: str, retry_after: int, cause: str | None = None) -> Answer:
    """`cause` is the kind of the problem behind it."""
    problem = Problem(503, "Not classified yet", detail, kind=NOT_YET, retry_after=retry_after)
    if cause:
        problem.extensions["cause"] = cause
    return Answer(problem=problem)
