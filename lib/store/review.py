"""The queue of photos that a person should look at: what the model left open, and what is new to a field."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import peewee as pw

from lib.problems import FieldError, not_found
from lib.store.connection import fits
from lib.store.fields import decoded
from lib.store.models import ImageData
from lib.store.photos import PhotoRows, photo_of, read_cursor, write_cursor
from lib.store.records import Photo

Reason = Literal["unsure", "new"]
COARSE = ("genus", "family", "unknown")  # what a model says when it cannot tell the species


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One plant to look at: the photo that speaks for its near-duplicates, and the numbers of all its photos.

    `reason`: `unsure` where the model did not come to a species (or could not look at the photo: its label is
    None), `new` for a species that nobody has confirmed in this session.
    """

    photo: Photo
    reason: Reason
    photo_ids: tuple[int, ...]

    @property
    def cursor(self) -> str:
        """The place behind it in the queue."""
        return write_cursor(self.photo.date, self.photo.id)


class ReviewRows(PhotoRows):
    """The part of a UserStore that finds what people should look at.

    A plant is a cluster of near-duplicates, for which its representative speaks. What a person has said of any of
    its photos settles it, "cannot tell" too. Of the others, these are in the queue:

    - `unsure`: the model named the representative to the genus or the family only, or not at all, or could not
      look at it;
    - `new`: the model named a species that no person has given to any photo of the session: of all its plants there
      the one whose photo is best stands in the queue, and confirming it clears the species for that session.

    Photos that the model has not seen yet are no items: `waiting_photos` counts them. Species that the model is not
    sure enough of are no case of their own, because the label rule makes a genus, a family or `unknown` of them.
    """

    def review_items(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        reason: Reason | None = None,
        label: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> tuple[list[ReviewItem], str | None]:
        """A page of the queue, newest day first, and the cursor of the next page or None.

        The filters choose among the items and make no others: a species' item is its best photo of all days. 400
        for a cursor that is none.
        """
        items = self._queue(session_id, reason, label)
        chosen = self._chosen(items, start, end, items.c.date, items.c.id, items.c.reason)
        if cursor is not None:
            day, number = read_cursor(cursor)
            behind = (items.c.date < pw.Value(str(day))) | (items.c.id < number)
            chosen = chosen.where(items.c.date <= pw.Value(str(day)), behind)
        found = self.db.fetch(chosen.order_by(items.c.date.desc(), items.c.id.desc()).limit(limit + 1))
        shown = found[:limit]
        following = write_cursor(*shown[-1][:2]) if len(found) > limit else None
        reasons: dict[int, Reason] = {number: why for _, number, why in shown}
        rows = self.db.fetch(self._photos().where(ImageData.id.in_(list(reasons))))
        photos = {photo.id: photo for photo in map(photo_of, rows)}
        members = self.near_duplicates(list(photos.values()))
        # A photo that was deleted between the two queries is left out.
        return [
            ReviewItem(photos[number], why, members[number])
            for number, why in reasons.items()
            if number in photos
        ], following

    def review_count(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        reason: Reason | None = None,
        label: str | None = None,
    ) -> int:
        """How many items the queue has."""
        items = self._queue(session_id, reason, label)
        row = self.db.first(self._chosen(items, start, end, pw.fn.COUNT(items.c.id)))
        return int(row[0]) if row else 0

    def review_counts(
        self, session_id: int | None = None, start: date | None = None, end: date | None = None
    ) -> dict[Reason, int]:
        """How many items the queue has for each reason."""
        items = self._queue(session_id, None, None)
        chosen = self._chosen(items, start, end, items.c.reason, pw.fn.COUNT(items.c.id))
        found: dict[Reason, int] = dict(self.db.fetch(chosen.group_by(items.c.reason)))
        return {"unsure": found.get("unsure", 0), "new": found.get("new", 0)}

    def waiting_photos(self, session_id: int | None = None) -> int:
        """How many photos the model has not seen yet."""
        unseen = ImageData.label_source.is_null() & (ImageData.is_processed == False)  # noqa: E712
        query = ImageData.select(pw.fn.COUNT(ImageData.id)).where(self._of(ImageData, session_id) & unseen)
        row = self.db.first(query)
        return int(row[0]) if row else 0

    def near_duplicates(self, photos: Sequence[Photo]) -> dict[int, tuple[int, ...]]:
        """For each of these photos of this user the numbers of all photos of its cluster, itself among them."""
        clusters = {photo.cluster_id for photo in photos if photo.cluster_id is not None}
        # The digest is asked for because no index has it: SQLite prefers one that has all columns, however many
        # rows it must read there, to the one by session and day.
        query = ImageData.select(ImageData.cluster_id, ImageData.id, ImageData.sha256).where(
            self._of(ImageData, None),
            # A cluster lies within a session and a day, by which its photos are found.
            ImageData.session_id.in_(list({photo.session_id for photo in photos})),
            ImageData.date.in_(list({photo.date for photo in photos})),
            ImageData.cluster_id.in_(list(clusters)),
        )
        members: dict[int, list[int]] = defaultdict(list)
        if clusters:
            for cluster_id, number, _ in self.db.fetch(query.order_by(ImageData.id)):
                members[cluster_id].append(number)
        return {
            photo.id: tuple(members[photo.cluster_id])
            if photo.cluster_id is not None and photo.id in members[photo.cluster_id]
            else (photo.id,)
            for photo in photos
        }

    def photos_by_id(self, photo_ids: Sequence[int]) -> list[Photo]:
        """These photos, in this order; 404 naming each that is not this user's."""
        wanted = [number for number in dict.fromkeys(photo_ids) if fits(number)]
        rows = self.db.fetch(self._photos().where(ImageData.id.in_(wanted))) if wanted else []
        found = {photo.id: photo for photo in map(photo_of, rows)}
        missing = [number for number in dict.fromkeys(photo_ids) if number not in found]
        if missing:
            errors: list[FieldError] = [
                {"field": "ids", "reason": f"photo {number}: There is no such photo."} for number in missing
            ]
            raise not_found("There is no such photo.", errors=errors)
        return [found[number] for number in dict.fromkeys(photo_ids)]

    def changed_at(self, days: Sequence[tuple[int, date]], at: str) -> list[int]:
        """The photos of these (session, day) whose label a person changed last at this very moment (ISO 8601).

        All that one request changed carries the same moment, to the microsecond.
        """
        found = []
        for session_id, day in days:
            query = ImageData.select(ImageData.id, ImageData.label_history).where(
                self._of(ImageData, session_id), ImageData.date == day, ImageData.label_source == "human"
            )
            for number, text in self.db.fetch(query.order_by(ImageData.id)):
                history = decoded(text)
                if history and history[-1].get("at") == at:
                    found.append(number)
        return found

    def _of(self, table: Any, session_id: int | None) -> Any:
        """The condition that a photo is this user's, and of one session where that is asked."""
        mine = table.session_id.in_(self._own_sessions())
        if session_id is None:
            return mine
        return mine & (table.session_id == (session_id if fits(session_id) else 0))

    def _queue(self, session_id: int | None, reason: Reason | None, label: str | None) -> Any:
        """The items as a table of date, id and reason. What it reads of labelled photos is all in one index."""
        parts = []
        if reason != "new":
            parts += [self._unsure(session_id, label), self._failed(session_id, label)]
        if reason != "unsure":
            parts.append(self._new(session_id, label))
        items = parts[0]
        for part in parts[1:]:
            items = items.union_all(part)
        # Else SQLite pushes conditions down into the parts and looks for each species' best photo twice.
        return items.cte("items", materialized=True, columns=("date", "id", "reason"))

    def _chosen(self, items: Any, start: date | None, end: date | None, *columns: Any) -> Any:
        """Columns of the items of these days."""
        person = ImageData.alias("person")
        settled = person.select(person.cluster_id).where(
            self._of(person, None), person.label_source == "human", person.cluster_id.is_null(False)
        )
        query = pw.Select([items], columns).with_cte(settled.cte("settled", columns=("cluster_id",)), items)
        if start is not None:
            query = query.where(items.c.date >= pw.Value(str(start)))
        if end is not None:
            query = query.where(items.c.date <= pw.Value(str(end)))
        return query

    def _unsure(self, session_id: int | None, label: str | None) -> Any:
        photo = ImageData.alias("unsure")
        query = photo.select(photo.date, photo.id, pw.Value("unsure").alias("reason")).where(
            self._of(photo, session_id),
            photo.label_source == "model",
            photo.label_level.in_(COARSE),
            _open(photo),
        )
        return query if label is None else query.where(photo.label == label)

    def _failed(self, session_id: int | None, label: str | None) -> Any:
        photo = ImageData.alias("failed")
        query = photo.select(photo.date, photo.id, pw.Value("unsure").alias("reason")).where(
            self._of(photo, session_id),
            photo.label_source.is_null(),
            photo.is_processed != False,  # noqa: E712 - said so, SQLite does not search by it: nearly all photos are
            _open(photo),
        )
        return query if label is None else query.where(pw.Value(0) == 1)  # they have no label

    def _new(self, session_id: int | None, label: str | None) -> Any:
        plant, person = ImageData.alias("plant"), ImageData.alias("named")
        species = plant.select(plant.session_id, plant.label).where(
            self._of(plant, session_id),
            plant.label_source == "model",
            plant.label_level == "species",
        )
        if label is not None:
            species = species.where(plant.label == label)
        found = species.distinct().alias("found")  # first, as they are few
        named = person.select(pw.Value(1)).where(
            person.session_id == found.c.session_id,
            person.label_source == "human",
            person.label_level == "species",
            person.label == found.c.label,
        )
        other, best = ImageData.alias("other"), ImageData.alias("best")
        best_id = (
            other.select(other.id)
            .where(
                other.session_id == found.c.session_id,
                other.label_source == "model",
                other.label_level == "species",
                other.label == found.c.label,
                _open(other),
            )
            .order_by(other.quality_score.desc(), other.id.desc())
            .limit(1)
        )
        return (
            pw.Select([found], [best.date, best.id, pw.Value("new").alias("reason")])
            .join(best, on=(best.id == best_id))
            .where(~pw.fn.EXISTS(named))
        )


def _open(photo: Any) -> Any:
    """The condition that a photo speaks for a plant of which no person has said anything."""
    alone = photo.cluster_id.is_null()  # a photo that came just now, before its day was analysed
    settled = pw.SQL("(SELECT cluster_id FROM settled)")
    return (photo.is_representative == True) & (alone | photo.cluster_id.not_in(settled))  # noqa: E712
