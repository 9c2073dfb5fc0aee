"""The route table: the only list of endpoints. One line is one function, in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib.dispatcher import create_app as _create_app
from lib.routes import Function

if TYPE_CHECKING:
    from flask import Flask

    from lib.config import Settings

MEBIBYTE = 1024 * 1024
GET, POST, PATCH, DELETE = "GET", "POST", "PATCH", "DELETE"
# Fifty photos of ten mebibytes, and room for the form around them.
UPLOAD_LIMIT = 50 * 10 * MEBIBYTE + MEBIBYTE
# With a slow model not all of them are classified by then; the rest is kept, and classified afterwards.
UPLOAD_SECONDS = 60.0
# A form with the names of thousands of species.
SESSION_LIMIT = 256 * 1024

FUNCTIONS = (
    # The machine
    Function("health", "functions.health", ("/health",), auth="public", concurrency=64),
    Function("ready", "functions.ready", ("/ready",), auth="public"),
    Function("metrics", "functions.metrics", ("/metrics",), auth="private"),
    Function("openapi", "functions.openapi", ("/openapi.json",), auth="public"),
    Function("docs", "functions.docs", ("/docs", "/docs/problems"), auth="public", page=True),
    Function("static", "functions.static", ("/static/{name}",), auth="public", concurrency=32),
    # Reads
    Function("status", "functions.status", ("/api/status",), auth="optional"),
    Function("calendar", "functions.calendar", ("/api/calendar/{metric}",), auth="optional"),
    Function("time_series", "functions.time_series", ("/api/time-series",), auth="optional"),
    Function(
        "species_dashboard",
        "functions.species_dashboard",
        ("/api/species-dashboard", "/api/dashboard/species"),
        auth="optional",
    ),
    Function("compare", "functions.compare", ("/api/compare",), auth="optional"),
    Function("trend", "functions.trend", ("/api/trend",), auth="optional"),
    Function("performance", "functions.performance", ("/api/performance",), auth="optional"),
    Function("taxa", "functions.taxa", ("/api/taxa",), auth="optional"),
    Function("daily", "functions.daily", ("/api/daily/{date}",), auth="optional"),
    Function(
        "export", "functions.export", ("/api/export/{kind}",), concurrency=2, deadline=120.0, files=True
    ),
    # Photos
    Function(
        "upload",
        "functions.upload",
        ("/api/upload",),
        (POST,),
        body_limit=UPLOAD_LIMIT,
        concurrency=4,
        deadline=UPLOAD_SECONDS,
    ),
    Function("images", "functions.images", ("/api/images",), (GET, PATCH)),
    Function("image", "functions.image", ("/api/images/{id}",), (GET, PATCH, DELETE)),
    # As many as there are threads: a browser asks for the photos of a page all at once, and must be refused none.
    Function("image_file", "functions.image_file", ("/api/images/{id}/file",), concurrency=8),
    # Sessions and keys
    Function("sessions", "functions.sessions", ("/api/sessions",), (GET, POST)),
    Function("session", "functions.session", ("/api/sessions/{id}",), (GET, PATCH, DELETE)),
    Function("keys", "functions.keys", ("/api/keys",), (GET, POST, DELETE)),
    Function("key", "functions.key", ("/api/keys/{id}",), (DELETE,)),
    # Jobs
    Function(
        "recompute_metrics",
        "functions.recompute_metrics",
        ("/api/jobs/recompute-metrics",),
        (POST,),
        deadline=40.0,  # it ends by itself after twenty, and the day in hand
        scope="jobs",
    ),
    # Pages
    Function("home", "functions.home", ("/",), auth="optional", page=True),
    Function("calendar_page", "functions.calendar_page", ("/calendar",), auth="optional", page=True),
    Function("day_page", "functions.day_page", ("/days/{date}",), auth="optional", page=True),
    Function("time_series_page", "functions.time_series_page", ("/time-series",), auth="optional", page=True),
    Function("species_page", "functions.species_page", ("/species",), auth="optional", page=True),
    Function(
        "one_species_page", "functions.one_species_page", ("/species/{name}",), auth="optional", page=True
    ),
    Function("compare_page", "functions.compare_page", ("/compare",), auth="optional", page=True),
    Function("photos_page", "functions.photos_page", ("/photos",), auth="optional", page=True),
    Function("downloads_page", "functions.downloads_page", ("/downloads",), auth="optional", page=True),
    Function(
        "photo_page", "functions.photo_page", ("/photos/{id}",), (GET, POST), auth="optional", page=True
    ),
    Function("review_page", "functions.review_page", ("/review",), (GET, POST), auth="optional", page=True),
    Function("report_page", "functions.report_page", ("/report",), auth="optional", page=True),
    Function("performance_page", "functions.performance_page", ("/performance",), auth="optional", page=True),
    Function(
        "upload_page",
        "functions.upload_page",
        ("/upload",),
        (GET, POST),
        auth="optional",
        body_limit=UPLOAD_LIMIT,
        concurrency=4,
        deadline=UPLOAD_SECONDS,
        page=True,
    ),
    Function(
        "sessions_page",
        "functions.sessions_page",
        ("/sessions",),
        (GET, POST),
        auth="optional",
        body_limit=SESSION_LIMIT,
        page=True,
    ),
    Function(
        "session_page",
        "functions.session_page",
        ("/sessions/{id}",),
        (GET, POST),
        auth="optional",
        body_limit=SESSION_LIMIT,
        page=True,
    ),
    Function("keys_page", "functions.keys_page", ("/keys",), (GET, POST), auth="optional", page=True),
    Function("sign_in", "functions.sign_in", ("/sign-in",), (GET, POST), auth="optional", page=True),
    Function("sign_out", "functions.sign_out", ("/sign-out",), (POST,), auth="optional", page=True),
)


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application over the whole table; what gunicorn loads."""
    return _create_app(FUNCTIONS, settings)
