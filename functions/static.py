"""GET /static/{name}: the style, the script and the icon of the pages."""

from __future__ import annotations

import msgspec
from flask import Response

from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import not_found
from lib.web import static_files

FOR_GOOD = "public, max-age=31536000, immutable"  # a year, the longest that caches promise
ASK_AGAIN = "public, no-cache"


class Path(msgspec.Struct):
    name: str


class Query(msgspec.Struct):
    """`v` is the version that the pages name; with the right one the file may be kept for good."""

    v: str | None = None


@operation("A file that pages load", media_type="application/octet-stream", problems=(404,))
def get(call: Call, path: Path, query: Query) -> Response:
    try:
        found = static_files.load(path.name)
    except KeyError:
        raise not_found("There is no such file.") from None
    response = Response(found.data, content_type=found.media_type)
    response.vary.add("Accept-Encoding")
    if call.request.accept_encodings["gzip"] > 0:
        response.set_data(found.compressed)
        response.headers["Content-Encoding"] = "gzip"
    # Weak, because the plain and the compressed bytes share it.
    response.set_etag(found.version, weak=True)
    response.headers["Cache-Control"] = FOR_GOOD if query.v == found.version else ASK_AGAIN
    response.make_conditional(call.request)
    return response
