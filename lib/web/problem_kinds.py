"""What each kind of problem means and what to do about it; /docs/problems shows it, pages say it."""

from __future__ import annotations

from typing import NamedTuple

from lib.web.words import N_


class ProblemKind(NamedTuple):
    """`status` is the HTTP status it comes with; `meaning` is written for the person who sent the request."""

    status: int
    meaning: str


# By slug, which is stable: clients test it, and the `type` of a problem document leads to its anchor.
PROBLEM_KINDS = {
    # Photos
    "photo-empty": ProblemKind(422, N_("The file is empty. Send it again.")),
    "photo-too-large": ProblemKind(413, N_("The photo is larger than 10 MB. Send a smaller one.")),
    "photo-too-many-pixels": ProblemKind(
        413, N_("The photo has more than 60 megapixels. Send a smaller one.")
    ),
    "photo-too-costly": ProblemKind(
        413,
        N_(
            "Opening the photo would take too much memory. Send it as a normal (not progressive) JPEG, or smaller."
        ),
    ),
    "photo-too-small": ProblemKind(422, N_("The shorter side of the photo has fewer than 128 pixels.")),
    "photo-unsupported": ProblemKind(415, N_("The file is not a photo in JPEG, PNG, WebP or HEIC format.")),
    "photo-animated": ProblemKind(415, N_("The file is a moving picture. Send a single still photo.")),
    "photo-damaged": ProblemKind(
        422, N_("The photo is damaged or cut short. Send it again, or take it from the camera again.")
    ),
    "photo-polyglot": ProblemKind(
        422, N_("The file is a photo and something else at once. Send the photo alone.")
    ),
    "no-photo-taken": ProblemKind(
        422, N_("None of the files was taken; the answer lists the reason of each one.")
    ),
    "not-yet-classified": ProblemKind(
        503, N_("The photo is safe, but not classified yet. It will be as soon as the model can be asked.")
    ),
    "classification-failed": ProblemKind(
        500, N_("The photo is safe, but the model failed on it. Give it a name yourself.")
    ),
    "classifier-busy": ProblemKind(503, N_("Other photos are being classified. Try again in a few seconds.")),
    "model-unavailable": ProblemKind(
        503,
        N_("The model folder of this server is missing or was changed; photos are kept until it is mended."),
    ),
    "storage-full": ProblemKind(
        507,
        N_("There is no room for photos left on this server. Nothing was kept; send the photo again later."),
    ),
    "storage-unavailable": ProblemKind(
        503,
        N_(
            "The place where this server keeps photos does not answer or refuses. A photo that was being sent was "
            "not kept: send it again later."
        ),
    ),
    "file-missing": ProblemKind(410, N_("The photo is known, but its file is not on this server.")),
    "nothing-to-confirm": ProblemKind(409, N_("The photo has no label yet, so there is nothing to confirm.")),
    "nothing-to-undo": ProblemKind(409, N_("The label of this photo was never changed.")),
    # Requests
    "bad-request": ProblemKind(400, N_("The request cannot be understood; the detail says why.")),
    "malformed-request": ProblemKind(
        400, N_("A field has the wrong form; the member “errors” names each one and why.")
    ),
    "invalid-request": ProblemKind(
        422, N_("A field holds what it cannot hold; the member “errors” names each one and why.")
    ),
    "no-date": ProblemKind(400, N_("This is no date. A date is written as in 2025-05-12.")),
    "unknown-timezone": ProblemKind(422, N_("The time zone is not an IANA name such as Asia/Tokyo.")),
    "duplicate": ProblemKind(409, N_("There is one of this name already.")),
    "unauthorized": ProblemKind(
        401, N_("A key is needed, or the one that was sent is not known or has been revoked.")
    ),
    "forbidden": ProblemKind(403, N_("The key is good, but lacks the scope for this.")),
    "unknown-host": ProblemKind(
        421, N_("The server does not answer to this host name; whoever runs it can add it to ALLOWED_HOSTS.")
    ),
    "foreign-origin": ProblemKind(
        403, N_("A page of another site sent this; it may not change anything here.")
    ),
    "stale-form": ProblemKind(
        403,
        N_("The form is too old or was not made by this site. Load the page again and send it once more."),
    ),
    "not-found": ProblemKind(404, N_("There is nothing here, or it belongs to somebody else.")),
    "method-not-allowed": ProblemKind(
        405, N_("The address does not take this method; the header Allow lists those it takes.")
    ),
    "request-timeout": ProblemKind(408, N_("The request took too long to arrive.")),
    "request-too-large": ProblemKind(413, N_("The request is larger than this address takes.")),
    "unsupported-media-type": ProblemKind(
        415, N_("The body is of a media type that this address does not take.")
    ),
    "range-not-satisfiable": ProblemKind(416, N_("The photo ends before the part that was asked for.")),
    "idempotency-key-busy": ProblemKind(
        409, N_("The first request with this Idempotency-Key is still running.")
    ),
    "idempotency-key-reused": ProblemKind(422, N_("This Idempotency-Key was used for another request.")),
    "job-running": ProblemKind(
        409, N_("This job is at work already; one run at a time. Try again a little later.")
    ),
    "rate-limited": ProblemKind(429, N_("Too many requests; the header Retry-After says how long to wait.")),
    "unknown-metric": ProblemKind(
        404, N_("There is no metric of this name; the answer lists those there are.")
    ),
    "unknown-species": ProblemKind(404, N_("No plant is known by this name.")),
    # The server
    "busy": ProblemKind(503, N_("The server answers as many requests as it can; try again shortly.")),
    "database-busy": ProblemKind(503, N_("The database is busy; try again shortly.")),
    "database-unavailable": ProblemKind(503, N_("The database cannot be reached; try again shortly.")),
    "database-not-migrated": ProblemKind(
        503, N_("The database has not been brought up to date: run scripts/migrate.py up.")
    ),
    "stopping": ProblemKind(503, N_("The server is being stopped; try again shortly.")),
    "took-too-long": ProblemKind(
        503, N_("This took longer than the server may work on one request. Ask for less, or again later.")
    ),
    "askers-die": ProblemKind(
        503, N_("Whoever asks the model about photos dies of it: perhaps there is too little memory.")
    ),
    "unavailable": ProblemKind(503, N_("This cannot be answered just now; try again shortly.")),
    "file-mode": ProblemKind(
        503, N_("This server has no database, so it takes no photos and has no users: set DATABASE_URL.")
    ),
    "function-unavailable": ProblemKind(
        503, N_("This part of the server cannot be loaded; the others work. Its log says why.")
    ),
    "not-one-user": ProblemKind(
        503, N_("Without sign-in there must be exactly one active user: set AUTH_ENABLED=true.")
    ),
    "not-ready": ProblemKind(503, N_("The server is not ready to work; the answer names what is missing.")),
    "disk-full": ProblemKind(507, N_("The disk of this server is full.")),
    "internal-error": ProblemKind(
        500,
        N_(
            "Something went wrong on this server. The request id in the answer finds the entry in its log; "
            "nothing that was acknowledged before is lost."
        ),
    ),
}
# What can come back for one file, for the page that sends them.
OF_UPLOADS = (
    *(kind for kind in PROBLEM_KINDS if kind.startswith("photo-")),
    "not-yet-classified",
    "classifier-busy",
    "model-unavailable",
    "storage-full",
    "storage-unavailable",
    "file-missing",
    "request-too-large",
    "unauthorized",
    "forbidden",
    "stale-form",
)
