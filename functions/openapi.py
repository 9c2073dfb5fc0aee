"""GET /openapi.json: the contract of every route this process serves."""

from __future__ import annotations

from typing import Any

from lib import openapi
from lib.dispatcher import Call, served_functions
from lib.operations import operation


@operation("OpenAPI 3.1 of every route that is served")
def get(call: Call) -> dict[str, Any]:
    return openapi.document(served_functions())
