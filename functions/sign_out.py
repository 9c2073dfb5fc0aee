"""POST /sign-out: this browser forgets the key it signed in with."""

from __future__ import annotations

from flask import Response

from lib.dispatcher import Call
from lib.operations import operation


@operation("Sign this browser out", media_type="text/html", status=303, problems=(403,))
def post(call: Call) -> Response:
    call.check_form_token()
    call.set_browser_payload({})
    return Response(status=303, headers={"Location": "/?done=signed-out"})
