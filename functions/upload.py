"""POST /api/upload: 1 to 50 photos in, the species of each and the metrics of their days out."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import Annotated, Any

import msgspec
from flask import Response

from lib import client, operations, shapes, taxa
from lib.dispatcher import Call
from lib.intake import Incoming, Intake, Outcome, Receipt
from lib.operations import operation
from lib.photos.identify import MAX_FILES
from lib.problems import Problem, malformed, not_found
from lib.scope import Identifier, possible_day
from lib.shapes import DayMetrics, ImageShape
from lib.store.records import Session
from lib.web import languages

_IDEMPOTENCY_KEY = re.compile(r"^[\x21-\x7e]{1,200}$")
_BLOCK = 1024 * 1024  # bytes


class Form(msgspec.Struct):
    """`file` works as well as `files`. `date` counts for photos that do not say when they were taken."""

    files: Annotated[
        list[Annotated[str, msgspec.Meta(extra_json_schema={"contentMediaType": "application/octet-stream"})]]
        | None,
        msgspec.Meta(
            description="1 to 50 photos: JPEG, PNG, WebP or HEIC, at most 10 MB each.",
            extra_json_schema={"minItems": 1, "maxItems": MAX_FILES},
        ),
    ] = None
    session_id: Identifier | None = None
    date: date | None = None


class Result(msgspec.Struct):
    """One file: `status` is created, duplicate or rejected; the problem says why it was refused or must wait.

    `common_name` is that of the photo's label, `closest_common_name` that of the likeliest species; both in
    Japanese or English as Accept-Language asks.
    """

    filename: str
    status: str
    image: ImageShape | None
    problem: dict[str, Any] | None
    common_name: str | None
    closest_common_name: str | None


class ModelShape(msgspec.Struct):
    name: str | None
    version: str | None


class Uploaded(msgspec.Struct):
    """The files in the order they were sent, and the rows of the days they belong to."""

    session_id: int
    results: list[Result]
    metrics: dict[str, DayMetrics]
    model: ModelShape
    processing_time: float


@operation(
    "Upload photos",
    status=201,
    also=(200,),  # every photo was there before
    problems=(404, 409, 415, 422, 507),
    form=Form,
    headers={"Idempotency-Key": "The same key with the same files answers the first request's answer again."},
)
def post(call: Call) -> Uploaded:
    form = operations.read_form(post.operation, call.request.form.to_dict(flat=False))  # type: ignore[attr-defined]
    incoming = _incoming(call)
    day = possible_day(form.date) if form.date else None
    session = _session(call, form.session_id)
    # Guests share one user, so that a key of one would bring up the answer of another.
    key = None if call.identity.via == "guest" else call.request.headers.get("Idempotency-Key")
    if key is None:
        return _reply(call, _upload(call, session, day, incoming))  # type: ignore[return-value]
    if not _IDEMPOTENCY_KEY.match(key):
        raise malformed([{"field": "Idempotency-Key", "reason": "must be 1 to 200 visible ASCII characters"}])
    stored = call.mine.idempotent(key, _digest(form.session_id, day, incoming))
    if stored is not None:
        replayed = {"Idempotent-Replayed": "true"}
        return _json(stored.status, msgspec.json.encode(stored.response), replayed)  # type: ignore[return-value]
    try:
        receipt = _upload(call, session, day, incoming)
        reply = _reply(call, receipt)
    except BaseException:
        call.mine.forget_idempotent(key)  # nothing was answered, so the same key may try again
        raise
    if receipt.retry_after is None:
        call.mine.finish_idempotent(key, reply.status_code, msgspec.json.decode(reply.get_data()))
    else:
        call.mine.forget_idempotent(
            key
        )  # asked again, the answer shall be of photos that were classified since
    return reply  # type: ignore[return-value]


def _upload(call: Call, session: Session | None, day: date | None, incoming: list[Incoming]) -> Receipt:
    intake = Intake(call.mine, call.services.photos, call.services.recogniser)
    abandoned = client.watch(call.request.environ)
    receipt = intake.receive(session, day, incoming, call.settings.site_timezone, abandoned)
    if receipt.retry_after is not None:
        call.services.work_waits()
    return receipt


def _reply(call: Call, receipt: Receipt) -> Response:
    """The declared reply; with photos that wait for the model it says when to ask again."""
    session_id = receipt.session_id
    if session_id is None:
        raise _none_taken(call, receipt)
    if call.identity.via == "guest":
        receipt = receipt.for_guest()
    body = Uploaded(
        session_id=session_id,
        results=[_result(call, outcome) for outcome in receipt.outcomes],
        metrics={day.isoformat(): shapes.day(row) for day, row in receipt.days.items()},
        model=ModelShape(receipt.model_name, receipt.model_version),
        processing_time=receipt.seconds,
    )
    later = {} if receipt.retry_after is None else {"Retry-After": str(receipt.retry_after)}
    return _json(201 if receipt.created else 200, msgspec.json.encode(body), later)


def _result(call: Call, outcome: Outcome) -> Result:
    problem = outcome.problem.as_dict(call.request.path, call.request_id) if outcome.problem else None
    image = shapes.image(outcome.photo) if outcome.photo else None
    language = languages.choose(None, None, call.request.headers.get("Accept-Language"))
    name = taxa.common_name(image.label, language) if image and image.label else None
    closest = (
        taxa.common_name(image.predictions[0].species, language) if image and image.predictions else None
    )
    return Result(outcome.filename, outcome.status, image, problem, name, closest)


def _none_taken(call: Call, receipt: Receipt) -> Problem:
    """The refusal of a request none of whose files was a photo that could be taken."""
    problems = [outcome.problem for outcome in receipt.outcomes if outcome.problem]
    statuses = {problem.status for problem in problems}
    only = problems[0] if len(problems) == 1 else None
    return Problem(
        statuses.pop() if len(statuses) == 1 else 422,
        only.title if only else "No photo taken",
        only.detail if only else f"None of the {len(problems)} files was taken; each one's reason is listed.",
        kind=only.kind if only else "no-photo-taken",
        errors=[error for problem in problems for error in problem.errors],
        results=[msgspec.to_builtins(_result(call, outcome)) for outcome in receipt.outcomes],
    )


def _incoming(call: Call) -> list[Incoming]:
    sent = call.request.files.getlist("files") + call.request.files.getlist("file")
    files = [Incoming(each.filename or "", each.stream) for each in sent]
    if not files:
        raise malformed([{"field": "files", "reason": "send at least one photo, as multipart/form-data"}])
    if len(files) > MAX_FILES:
        reason = f"at most {MAX_FILES} photos a request; these are {len(files)}"
        raise malformed([{"field": "files", "reason": reason}])
    return files


def _session(call: Call, session_id: int | None) -> Session | None:
    """The session asked for, else the newest, else none: the first photo taken makes one."""
    if session_id is None:
        return call.mine.newest_session()
    try:
        if call.identity.via == "guest":
            raise not_found()
        return call.mine.session(session_id)
    except Problem as problem:
        problem.errors = [{"field": "session_id", "reason": "unknown"}]
        raise


def _digest(session_id: int | None, day: date | None, incoming: list[Incoming]) -> str:
    """What makes two requests the same: session, date and files with their names, in order."""
    whole = hashlib.sha256(f"{session_id}\n{day}\n".encode())
    for each in incoming:
        content = hashlib.sha256()
        while block := each.stream.read(_BLOCK):
            content.update(block)
        each.stream.seek(0)
        whole.update(f"{each.filename}\0".encode(errors="surrogatepass") + content.digest())
    return whole.hexdigest()


def _json(status: int, body: bytes, headers: dict[str, str]) -> Response:
    """The declared reply, encoded already and with a status of its own."""
    return Response(body, status, headers, content_type=operations.JSON)
