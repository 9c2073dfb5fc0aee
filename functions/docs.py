"""GET /docs: the API to read; GET /docs/problems: what each kind of problem means."""

from __future__ import annotations

from flask import Response

from lib import openapi
from lib.dispatcher import Call, served_functions
from lib.operations import operation
from lib.web.api_reference import entries, schemas
from lib.web.page import HTML, Page
from lib.web.problem_kinds import PROBLEM_KINDS


@operation("The API and its problems, to read", media_type=HTML)
def get(call: Call) -> Response:
    page = Page(call)
    if call.request.path.rstrip("/") == "/docs/problems":
        html = page.render("problems.html", kinds=PROBLEM_KINDS)
    else:
        document = openapi.document(served_functions())
        site = call.request.host_url.rstrip("/")
        html = page.render("docs.html", site=site, entries=entries(document), schemas=schemas(document))
    return Response(html, headers=page.headers)
