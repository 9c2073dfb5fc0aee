"""GET /metrics: Prometheus, with a key or on the private port METRICS_PORT."""

from __future__ import annotations

from flask import Response

from lib import observe
from lib.dispatcher import Call
from lib.operations import operation


@operation("Prometheus metrics of this process", media_type="text/plain")
def get(call: Call) -> Response:
    text, media_type = observe.exposition()
    return Response(text, content_type=media_type)
