"""GET /api/images: the user's photos, newest day first, page by page."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lib import shapes
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Period, check_period
from lib.shapes import ImageShape

PageSize = Annotated[int, msgspec.Meta(ge=1, le=200)]


class Query(Period):
    """`unsure`: only photos that a model could not name to the species (or only the others)."""

    label: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    label_source: Literal["model", "human"] | None = None
    unsure: bool | None = None
    limit: PageSize = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Images(msgspec.Struct):
    """`next_cursor` is null on the last page."""

    images: list[ImageShape]
    next_cursor: str | None


@operation("The user's photos, newest day first", problems=(404,))
def get(call: Call, query: Query) -> Images:
    store = call.mine
    check_period(store, query)
    photos, cursor = store.photos(
        session_id=query.session,
        start=query.start_date,
        end=query.end_date,
        label=query.label,
        label_source=query.label_source,
        unsure=query.unsure,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Images([shapes.image(photo) for photo in photos], cursor)
