"""GET /api/images/{id}/file: the photo as it was sent, or a thumbnail without any metadata."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Annotated, BinaryIO

import msgspec
from flask import Response, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from lib import headers, observe
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import Problem
from lib.scope import IdPath

BLOCK = 64 * 1024  # bytes


class Query(msgspec.Struct):
    """`width` in pixels is rounded up to 160, 320, 640 or 1280; without it the original is sent."""

    width: Annotated[int, msgspec.Meta(ge=1, le=1280)] | None = None


@operation("The photo, or a thumbnail of it", media_type="image/*", problems=(410, 416, 422))
def get(call: Call, path: IdPath, query: Query) -> Response:
    photo = call.mine.photo(path.id)
    files = call.services.photos
    # The bytes of a photo never change, so its digest and the width name them for good.
    tag = f"{photo.sha256[:32]}-{query.width or 'original'}"
    content: BinaryIO
    try:
        if query.width is not None:
            content, media_type = BytesIO(files.thumbnail(photo.path, query.width)), "image/jpeg"
        else:
            content, media_type = files.open(photo.path), photo.media_type
    except FileNotFoundError:
        observe.LOG.error("a photo's file is missing", extra={"photo": photo.id})
        raise Problem(
            410, detail="The file of this photo is missing on the server.", kind="file-missing"
        ) from None
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    response = send_file(content, mimetype=media_type, etag=tag, conditional=False)
    # Not the server's own wrapper: that one cannot seek, so that it would fetch all that lies before a part that
    # was asked for, and an answer that is passed through to it is never told that it has ended.
    response.direct_passthrough = False
    response.response = FileWrapper(content, BLOCK)
    response.content_length = size
    try:
        response.make_conditional(call.request.environ, accept_ranges=True, complete_length=size)
    except RequestedRangeNotSatisfiable:
        content.close()
        raise
    response.headers["Cache-Control"] = "private, max-age=86400"
    # Kept for whoever asked: the next person at the same browser must not be shown it.
    response.vary.update(headers.CALLER)
    return response
