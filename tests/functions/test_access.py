"""Who may do what: every route of the table × every kind of caller."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

import functions
from lib.routes import Function
from lib.store.database import DatabaseStore
from tests.functions.browsing import Browser
from tests.functions.conftest import Client, Server

METHODS = [(function, method) for function in functions.FUNCTIONS for method in function.methods]
ROUTES = [pytest.param(f, m, id=f"{m} {f.paths[0]}") for f, m in METHODS]
GUARDED = [pytest.param(f, m, id=f"{m} {f.paths[0]}") for f, m in METHODS if f.auth != "public"]
CLOSED = [pytest.param(f, m, id=f"{m} {f.paths[0]}") for f, m in METHODS if f.auth in ("required", "private")]
OBJECTS = [pytest.param(f, m, id=f"{m} {f.paths[0]}") for f, m in METHODS if "{id}" in f.paths[0]]
READ_ONLY = ("GET", "HEAD")


@dataclass
class World:
    """A person with one session, one photo and a spare key, and what they are called."""

    client: Client
    session: int
    image: int
    key: int
    day: str


@pytest.fixture
def world(server: Server, photo: Callable[..., bytes]) -> World:
    client = server.user("read", "write", "jobs")
    uploaded = client.upload(("a.jpg", photo(1)), date="2025-08-24").json()
    spare = client.post("/api/keys", json={"name": "spare"}).json()
    image = uploaded["results"][0]["image"]
    return World(client, uploaded["session_id"], image["id"], spare["id"], image["date"])


def path_of(function: Function, world: World) -> str:
    number = {
        "image": world.image,
        "image_file": world.image,
        "session": world.session,
        "session_page": world.session,
        "photo_page": world.image,
        "key": world.key,
    }
    values = {
        "id": str(number.get(function.name, 0)),
        "metric": "shannon_diversity",
        "date": world.day,
        "name": "Stellaria media" if function.name == "one_species_page" else "style.css",
        "kind": "species-summary",
    }
    return re.sub(r"{(\w+)}", lambda match: values[match[1]], function.paths[0])


def options_of(function: Function, method: str, world: World, photo: Callable[..., bytes]) -> dict[str, Any]:
    """A request that the route answers with success when the caller may make it."""
    if function.name in ("upload", "upload_page"):
        return {"files": [("files", ("b.jpg", photo(2)))]} if method == "POST" else {}
    return {
        ("taxa", "GET"): {"params": {"q": "stellaria"}},
        ("compare", "GET"): {"params": {"a": "2025-08", "b": "2025-09"}},
        ("sessions", "POST"): {"json": {"session_name": "North field"}},
        ("session", "PATCH"): {"json": {"session_name": "South field"}},
        ("image", "PATCH"): {"json": {"label": "Stellaria media"}},
        ("images", "PATCH"): {"json": {"ids": [world.image], "label": "Stellaria media"}},
        ("keys", "POST"): {"json": {"name": "another", "scopes": ["write"]}},
        ("keys", "DELETE"): {"params": {"id": world.key}},
    }.get((function.name, method), {})


@pytest.fixture
def ask(world: World, photo: Callable[..., bytes]) -> Callable[..., requests.Response]:
    """Ask for a route of `world` as somebody."""

    def send(client: Client, function: Function, method: str, headers: dict[str, str] | None = None) -> Any:
        options = options_of(function, method, world, photo)
        return client.request(method, path_of(function, world), headers=headers or {}, **options)

    return send


def is_problem(reply: requests.Response, status: int) -> bool:
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    body = reply.json()
    assert body["status"] == status
    assert body["request_id"] == reply.headers["X-Request-Id"]
    return True


@pytest.mark.parametrize(("function", "method"), ROUTES)
def test_a_valid_key_opens_every_route(function: Function, method: str, world: World, ask: Any) -> None:
    reply = ask(world.client, function, method)
    if function.page and method == "POST":
        # A page's form is for browsers: it wants the browser's own token, and says so to anybody else.
        is_problem(reply, 403)
    else:
        assert reply.status_code in (200, 201, 204), reply.text


@pytest.mark.parametrize(("function", "method"), GUARDED)
def test_a_visitor_sees_samples_or_a_challenge(
    function: Function, method: str, server: Server, ask: Any
) -> None:
    reply = ask(server.visitor(), function, method)
    if function.auth == "optional":
        assert reply.status_code == (403 if method == "POST" else 200) or (
            function.name == "daily" and reply.status_code == 404
        ), reply.text
        # The names of plants are the same for everyone; all else is the sample.
        if reply.headers["Content-Type"] == "application/json" and function.name != "taxa":
            assert reply.json()["sample"] is True
    else:
        is_problem(reply, 401)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("function", "method"), OBJECTS)
def test_somebody_elses_object_does_not_exist(
    function: Function, method: str, server: Server, world: World, ask: Any
) -> None:
    is_problem(ask(server.user(), function, method), 404)
    assert world.client.get(f"/api/images/{world.image}").ok
    assert world.client.get(f"/api/sessions/{world.session}").ok


@pytest.mark.parametrize(("function", "method"), CLOSED)
def test_a_read_only_key_reads_and_writes_nothing(
    function: Function, method: str, server: Server, world: World, ask: Any
) -> None:
    made = world.client.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()
    reader = Client(server.base, {"X-API-Key": made["secret"]})
    reply = ask(reader, function, method)
    if method in READ_ONLY:
        assert reply.ok, reply.text
    else:
        is_problem(reply, 403)


@pytest.mark.parametrize(("function", "method"), CLOSED)
def test_a_key_for_jobs_alone_runs_jobs_and_nothing_else(
    function: Function, method: str, server: Server, ask: Any
) -> None:
    reply = ask(server.user("jobs"), function, method)
    if function.scope == "jobs":
        assert reply.ok, reply.text
    else:
        is_problem(reply, 403)


@pytest.mark.parametrize(("function", "method"), CLOSED)
def test_a_write_only_key_reads_nothing(
    function: Function, method: str, server: Server, world: World, ask: Any
) -> None:
    made = world.client.post("/api/keys", json={"name": "writer", "scopes": ["write"]}).json()
    reply = ask(Client(server.base, {"X-API-Key": made["secret"]}), function, method)
    if method in READ_ONLY or function.scope == "jobs":
        is_problem(reply, 403)
    else:
        assert reply.ok, reply.text


@pytest.mark.parametrize(("function", "method"), GUARDED)
def test_a_revoked_key_is_no_key(
    function: Function, method: str, server: Server, world: World, ask: Any
) -> None:
    made = world.client.post("/api/keys", json={"name": "lost"}).json()
    assert world.client.delete(f"/api/keys/{made['id']}").status_code == 204
    is_problem(ask(Client(server.base, {"X-API-Key": made["secret"]}), function, method), 401)


@pytest.mark.parametrize(("function", "method"), GUARDED)
@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "wrong"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
        {"Authorization": "Bearer"},
        {"X-API-Key": "é" * 20},
        {"X-API-Key": "k" * 5000},
    ],
    ids=["wrong", "wrong bearer", "basic", "empty bearer", "not ascii", "long"],
)
def test_a_wrong_key_is_refused_even_where_none_is_needed(
    function: Function, method: str, headers: dict[str, str], server: Server, ask: Any
) -> None:
    sent = {name: value.encode("utf-8") for name, value in headers.items()}
    is_problem(ask(server.visitor(), function, method, sent), 401)


@pytest.mark.parametrize(("function", "method"), GUARDED)
def test_two_different_keys_are_a_question_back(
    function: Function, method: str, server: Server, world: World, ask: Any
) -> None:
    both = {"Authorization": f"Bearer {world.client.secret}", "X-API-Key": server.user().secret}
    reply = ask(server.visitor(), function, method, both)
    is_problem(reply, 400)
    assert reply.json()["errors"][0]["field"] == "X-API-Key"


@pytest.mark.parametrize(("function", "method"), CLOSED)
def test_the_same_key_twice_is_fine(
    function: Function, method: str, server: Server, world: World, ask: Any
) -> None:
    both = {"Authorization": f"Bearer {world.client.secret}", "X-API-Key": world.client.secret}
    assert ask(server.visitor(), function, method, both).ok


@pytest.mark.parametrize(("function", "method"), CLOSED)
def test_a_user_who_is_switched_off_is_out(
    function: Function, method: str, server: Server, world: World, ask: Any
) -> None:
    assert server.database_url is not None
    store = DatabaseStore(server.database_url)
    with store.connection():
        store.set_active(world.client.user_id, False)
    store.close()
    is_problem(ask(world.client, function, method), 401)


def test_every_read_is_the_callers_own(server: Server, world: World) -> None:
    """A newcomer sees an empty season, not the sample and not the neighbour's."""
    newcomer = server.user()
    calendar = newcomer.get("/api/calendar/total_images").json()
    assert (calendar["data"], calendar["sample"]) == ({}, False)
    assert newcomer.get("/api/time-series").json()["dates"] == []
    assert newcomer.get("/api/species-dashboard").json()["total_observations"] == 0
    assert newcomer.get("/api/images").json()["images"] == []
    assert newcomer.get("/api/sessions").json()["sessions"] == []
    assert newcomer.get("/api/status").json()["counts"]["photos"] == 0
    assert newcomer.get(f"/api/daily/{world.day}").status_code == 404
    mine = world.client.get("/api/calendar/total_images").json()
    assert mine["data"][world.day]["total_images"] == 1
    for path in (
        f"/api/calendar/total_images?session={world.session}",
        f"/api/images?session={world.session}",
    ):
        assert newcomer.get(path).status_code == 404


def test_a_foreign_session_takes_no_photo(server: Server, world: World, photo: Callable[..., bytes]) -> None:
    reply = server.user().upload(("c.jpg", photo(3)), session_id=world.session)
    is_problem(reply, 404)
    assert world.client.get("/api/images").json()["images"][0]["id"] == world.image


def test_keys_are_kept_as_digests_and_shown_once(server: Server, world: World) -> None:
    made = world.client.post("/api/keys", json={"name": "phone"}).json()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made["secret"])
    listed = world.client.get("/api/keys").text
    assert made["secret"] not in listed
    assert made["prefix"] == made["secret"][:8]
    database = b"".join(path.read_bytes() for path in server.folder.glob("weeds.db*"))
    assert made["secret"].encode() not in database
    assert made["secret"] not in server.log.read_text(errors="replace")


def test_a_key_gives_no_more_than_it_has(server: Server, world: World) -> None:
    writer = world.client.post("/api/keys", json={"scopes": ["write"]}).json()
    reply = Client(server.base, {"X-API-Key": writer["secret"]}).post("/api/keys", json={"scopes": ["read"]})
    is_problem(reply, 403)


def test_a_key_remembers_when_it_was_used(world: World) -> None:
    used = [key for key in world.client.get("/api/keys").json()["keys"] if key["last_used_at"]]
    assert used
    assert datetime.fromisoformat(used[0]["last_used_at"]) <= datetime.now(UTC)


def test_wrong_keys_are_told_to_wait_and_the_right_one_passes(make_server: Callable[..., Server]) -> None:
    server = make_server(WRONG_KEY_LIMIT="3/hour")
    user = server.user()
    for number in range(3):
        wrong = Client(server.base, {"X-API-Key": f"wrong {number}"})
        assert wrong.get("/api/sessions").status_code == 401
    for reply in (
        Client(server.base, {"X-API-Key": "wrong"}).get("/api/sessions"),
        Client(server.base, {"Authorization": "Bearer wrong"}).post("/api/upload"),
        Client(server.base, {"X-API-Key": "wrong", "Accept": "text/html"}).get("/calendar"),
    ):
        assert reply.status_code == 429
        assert 0 < int(reply.headers["Retry-After"]) <= 3600
    # Others at the same address are not locked out, and visitors neither.
    assert user.get("/api/sessions").status_code == 200
    assert server.visitor().get("/api/calendar/hill_q1").status_code == 200


def test_wrong_keys_in_the_form_count_too(make_server: Callable[..., Server]) -> None:
    server = make_server(WRONG_KEY_LIMIT="2/hour")
    user = server.user()
    browser = Browser(server.base)
    assert [browser.sign_in_with("wrong").status_code for _ in range(3)] == [401, 401, 429]
    page = browser.sign_in_with("wrong")
    assert "Too many wrong keys came from here." in page.text
    assert int(page.headers["Retry-After"]) > 0
    assert browser.sign_in_with(user.secret).status_code == 303


@pytest.mark.parametrize("path", ["/", "/api/status", "/nothing-here", "/docs"])
def test_another_site_cannot_give_the_server_a_name_of_its_own(server: Server, path: str) -> None:
    reply = server.visitor().get(path, headers={"Host": "attacker.example"})
    assert reply.status_code == 421
    assert reply.json()["type"] == "/docs/problems#unknown-host"
    assert "attacker" not in reply.text
    page = server.visitor().get(path, headers={"Host": "attacker.example", "Accept": "text/html"})
    assert page.status_code == 421
    if path != "/api/status":
        assert "ALLOWED_HOSTS" in page.text


def test_whether_it_lives_may_be_asked_by_any_name(server: Server) -> None:
    assert server.visitor().get("/health", headers={"Host": "probe.example"}).status_code == 200


def test_names_that_are_allowed_are_answered(make_server: Callable[..., Server]) -> None:
    server = make_server(ALLOWED_HOSTS=".farm.example", ALLOWED_ORIGINS="https://weeds.example")
    for host, status in (("a.farm.example", 200), ("weeds.example:443", 200), ("farm.example", 421)):
        assert server.visitor().get("/api/status", headers={"Host": host}).status_code == status


def test_what_a_proxy_would_say_is_not_believed_from_everybody(make_server: Callable[..., Server]) -> None:
    """Neither another name for this server nor another address of the sender."""
    server = make_server(WRONG_KEY_LIMIT="2/day")
    user = server.user()
    elsewhere = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Server": "evil.example"}
    made = user.post("/api/sessions", json={"session_name": "north"}, headers=elsewhere)
    assert (made.status_code, "evil" in made.headers["Location"]) == (201, False)
    hidden = {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    assert user.get("/api/status", headers=hidden).status_code == 421
    said = [
        server.visitor().get(
            "/api/images", headers={"X-API-Key": "w" * 43, "X-Forwarded-For": f"10.0.0.{last}"}
        )
        for last in range(4)
    ]
    assert [reply.status_code for reply in said] == [401, 401, 429, 429]
