"""POST /api/jobs/recompute-metrics: cron's way to days that are in step with their photos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from functions import create_app, recompute_metrics
from lib import analysis, config
from lib.recomputation import JOB
from lib.store import job_lock
from lib.store.database import DatabaseStore
from lib.store.models import DiversityMetrics
from tests.functions.conftest import Client, Server, start_server

PATH = "/api/jobs/recompute-metrics"
DAYS = ("2025-08-22", "2025-08-23", "2025-08-24")


@pytest.fixture
def grower(server: Server, photo: Callable[..., bytes]) -> Client:
    """Somebody with a photo on each of three days, and a key that may run jobs."""
    return with_photos(server, photo)


def with_photos(server: Server, photo: Callable[..., bytes]) -> Client:
    client = server.user("read", "write", "jobs")
    for number, day in enumerate(DAYS):
        assert client.upload((f"{number}.jpg", photo(number)), date=day).status_code == 201
    return client


def outdate(server: Server, client: Client, *days: str) -> None:
    """As a crash between a change and its analysis leaves them."""
    store = DatabaseStore(str(server.database_url))
    sessions = [session.id for session in store.for_user(client.user_id).sessions()]
    mine = DiversityMetrics.session_id.in_(sessions)
    store.db.run(
        DiversityMetrics.update(computed_at=None, total_images=7, inputs_digest="old").where(
            mine, DiversityMetrics.date.in_(days)
        )
    )
    store.close()


def counted(**values: Any) -> dict[str, Any]:
    nothing = {"days": 0, "computed": 0, "unchanged": 0, "removed": 0, "failed": 0, "failures": []}
    return nothing | {"complete": True, "next_since": None} | values


def test_it_mends_days_and_is_safe_to_repeat(server: Server, grower: Client) -> None:
    before = grower.get("/api/calendar/total_images").json()["data"]
    assert grower.post(PATH).json() == counted(days=3, unchanged=3)
    outdate(server, grower, *DAYS[:2])
    reply = grower.post(PATH)
    assert (reply.status_code, reply.json()) == (200, counted(days=3, computed=2, unchanged=1))
    assert grower.post(PATH).json() == counted(days=3, unchanged=3)
    assert grower.get("/api/calendar/total_images").json()["data"] == before


def test_it_keeps_to_a_period_and_a_session(server: Server, grower: Client) -> None:
    outdate(server, grower, *DAYS)
    assert grower.post(PATH, params={"since": DAYS[2]}).json() == counted(days=1, computed=1)
    (session,) = grower.get("/api/sessions").json()["sessions"]
    asked = {"session": session["id"], "since": DAYS[1]}
    assert grower.post(PATH, params=asked).json() == counted(days=2, computed=1, unchanged=1)


def test_it_is_the_caller_s_days_alone(server: Server, grower: Client) -> None:
    outdate(server, grower, *DAYS)
    stranger = server.user("jobs")
    assert stranger.post(PATH).json() == counted()
    (session,) = grower.get("/api/sessions").json()["sessions"]
    assert stranger.post(PATH, params={"session": session["id"]}).status_code == 404
    assert grower.post(PATH).json()["computed"] == 3


@pytest.mark.parametrize("query", [{"since": "yesterday"}, {"session": "0"}, {"session": "x"}])
def test_what_it_cannot_understand_is_400(grower: Client, query: dict[str, str]) -> None:
    reply = grower.post(PATH, params=query)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["field"] in query


def test_it_takes_a_key_for_jobs(server: Server) -> None:
    assert server.user("read", "write").post(PATH).status_code == 403
    assert server.user("jobs").post(PATH).status_code == 200
    assert server.user("jobs").get("/api/images").status_code == 403
    assert server.visitor().post(PATH).status_code == 401
    assert server.user("jobs").get(PATH).status_code == 405


def test_while_another_run_is_at_work_it_is_409(server: Server, grower: Client) -> None:
    outdate(server, grower, DAYS[0])
    with job_lock.held(str(server.database_url), JOB):
        reply = grower.post(PATH)
        assert reply.status_code == 409
        assert reply.json()["type"].endswith("#job-running")
        assert int(reply.headers["Retry-After"]) > 0
    assert grower.post(PATH).json()["computed"] == 1


@pytest.fixture
def both(database_url: str, tmp_path: Any) -> Iterator[Server]:
    running = start_server(tmp_path / "both", database_url)
    yield running
    running.stop()


def test_two_at_once_do_the_work_once(both: Server, photo: Callable[..., bytes]) -> None:
    grower = with_photos(both, photo)
    outdate(both, grower, *DAYS)
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: grower.post(PATH), range(4)))
    assert {reply.status_code for reply in replies} <= {200, 409}
    assert sum(reply.json().get("computed", 0) for reply in replies) == 3
    assert grower.post(PATH).json() == counted(days=3, unchanged=3)


@pytest.fixture
def here(server: Server) -> Iterator[FlaskClient]:
    """The same database, served by this process."""
    root, gunicorn = logging.getLogger(), logging.getLogger("gunicorn.error")
    before = (root.handlers[:], root.level, gunicorn.handlers[:], gunicorn.propagate)
    environ = {"DATABASE_URL": str(server.database_url), "SECRET_KEY": "k" * 43, "LOG_LEVEL": "WARNING"}
    yield create_app(config.load(environ)).test_client()
    root.handlers[:], root.level, gunicorn.handlers[:], gunicorn.propagate = before


def test_days_that_fail_are_named_and_do_not_keep_back_the_others(
    server: Server, grower: Client, here: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    outdate(server, grower, *DAYS)
    analyse = analysis.analyse_day

    def failing(day: date, *rest: Any) -> Any:
        if day.isoformat() == DAYS[1]:
            raise ZeroDivisionError("a secret of the server")
        return analyse(day, *rest)

    monkeypatch.setattr(analysis, "analyse_day", failing)
    reply = here.post(PATH, headers=grower.headers)
    (session,) = grower.get("/api/sessions").json()["sessions"]
    failures = [{"session_id": session["id"], "date": DAYS[1]}]
    assert reply.json == counted(days=3, computed=2, failed=1, failures=failures)
    assert "secret" not in reply.text


def test_a_long_season_is_gone_through_in_several_requests(
    server: Server, grower: Client, here: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short the time, each request does a date at least and says where the next one goes on."""
    monkeypatch.setattr(recompute_metrics, "SECONDS", 0.0)
    outdate(server, grower, *DAYS)
    since: str | None = None
    for following in (DAYS[1], DAYS[2], None):
        query = {"since": since} if since else {}
        reply = here.post(PATH, query_string=query, headers=grower.headers)
        assert reply.json == counted(days=1, computed=1, complete=following is None, next_since=following)
        since = following
