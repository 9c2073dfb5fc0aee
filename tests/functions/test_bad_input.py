"""What nobody should send, on every page that takes it: refused or shown as what it is, in words.

What a single function refuses in particular is in its own test file.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

import pytest
import requests

import functions
from tests.functions.browsing import fields_of, sign_in, token_of
from tests.functions.conftest import Client, Server

MARKUP = '<b onmouseover="x()">North</b> & \'South\' "{{ 7 * 7 }}" %(num)s'
RIGHT_TO_LEFT = "حقل الشمال"
TURNED = "\u202egpj.exe\u202c.jpg"  # reads from the right as something else
PAGES = [each for each in functions.FUNCTIONS if each.page and "GET" in each.methods]
FORMS = [each for each in functions.FUNCTIONS if each.page and "POST" in each.methods]
PERSONAL = [each for each in PAGES if each.auth != "public"]


@dataclass
class World:
    """A person with a session, a photo and a day, all named as badly as can be."""

    client: Client
    session: int
    photo: int

    def address(self, path: str) -> str:
        """A path of the table, its parameters filled in."""
        number = self.photo if path.startswith("/photos") else self.session
        values = {"id": str(number), "date": "2025-06-10", "name": quote("Stellaria media")}
        return re.sub(r"{(\w+)}", lambda found: values[found[1]], path)


@pytest.fixture
def world(server: Server, photo: Callable[..., bytes]) -> World:
    client = server.user()
    session = client.post("/api/sessions", json={"session_name": MARKUP[:100], "description": MARKUP}).json()[
        "id"
    ]
    client.post("/api/sessions", json={"session_name": RIGHT_TO_LEFT})
    client.post("/api/keys", json={"name": MARKUP})
    sent = client.upload(
        (MARKUP.replace("/", "") + ".jpg", photo(1)), session_id=session, date="2025-06-10"
    ).json()
    number = sent["results"][0]["image"]["id"]
    client.patch(f"/api/images/{number}", json={"label": "Stellaria media"}).raise_for_status()
    return World(client, session, number)


def is_page(reply: requests.Response, *statuses: int) -> bool:
    """A whole page in words, whatever was asked."""
    assert reply.status_code in statuses, f"{reply.status_code} {reply.url}"
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.text.count("<h1") == 1
    assert "<main" in reply.text
    assert "Traceback" not in reply.text
    return True


# Addresses

NONSENSE = ["beauty", "<script>alert(1)</script>", "%00", "x" * 3000, RIGHT_TO_LEFT, "1e9", "-1", ""]


@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize(
    "address",
    [
        "/calendar?metric={}",
        "/calendar?year={}",
        "/calendar?day={}",
        "/time-series?metrics={}",
        "/time-series?period={}",
        "/time-series?start_date={}",
        "/compare?metric={}",
        "/compare?a_start={}",
        "/report?year={}",
        "/species?page={}",
        "/species?q={}",
        "/species?sort={}",
        "/photos?cursor={}",
        "/photos?species={}",
        "/photos?state={}",
        "/review?cursor={}",
        "/performance?model={}",
        "/performance?version={}",
        "/calendar?session={}",
        "/days/{}",
        "/species/{}",
        "/photos/{}",
        "/sessions/{}",
        "/{}",
    ],
)
def test_nonsense_in_an_address_is_a_page_in_words(
    server: Server, world: World, address: str, value: str
) -> None:
    sent = value if value == "%00" else quote(value, safe="")
    browser = sign_in(server, world.client)
    reply = browser.get(address.format(sent))
    if not value and address.endswith("/{}"):
        return  # the address of another page
    if address.startswith("/species/") or address == "/{}":
        is_page(reply, 404, 400)
    else:
        is_page(reply, 200, 400, 404, 422)
    assert "<script>alert" not in reply.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/calendar?metric=beauty", 404),
        ("/calendar?year=99999", 400),
        ("/calendar?year=abc", 400),
        ("/report?year=99999", 400),
        ("/species/Nonsensia%20imaginaria", 404),
        ("/days/2025-02-30", 400),
        ("/days/yesterday", 400),
        ("/photos/999999999", 404),
        ("/photos/99999999999999999999999", 404),
        ("/sessions/999999999", 404),
        ("/nothing-here", 404),
        ("/calendar/nothing", 404),
        ("/calendar?session=999999999", 404),
    ],
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_unknown_is_said_to_be_so(
    server: Server, user: Client, address: str, status: int, language: str
) -> None:
    browser = sign_in(server, user)
    browser.get(f"/?lang={language}")
    reply = browser.get(address)
    assert is_page(reply, status)
    assert f'<html lang="{language}">' in reply.text
    assert 'href="/calendar' in reply.text  # a way on


# Cookies and forms


@pytest.mark.parametrize("function", PERSONAL, ids=lambda each: each.paths[0])
def test_a_tampered_cookie_is_a_visitor(server: Server, world: World, function: functions.Function) -> None:
    cookie = sign_in(server, world.client).cookies["weeds"]
    other = "A" if cookie[-10] != "A" else "B"
    path = world.address(function.paths[0])
    for changed in (cookie[:-10] + other + cookie[-9:], cookie[::-1], cookie + ".", "weeds", ""):
        reply = requests.get(
            server.base + path, headers={"Cookie": f"weeds={changed}", "Accept": "text/html"}, timeout=60
        )
        is_page(reply, 200, 404)
        assert world.client.get("/api/status").ok
        assert "/sign-out" not in reply.text
        assert html.escape(MARKUP[:20]) not in reply.text


@pytest.mark.parametrize("function", FORMS, ids=lambda each: each.paths[0])
@pytest.mark.parametrize("token", ["", "0" * 64, "stale", MARKUP], ids=["none", "wrong", "stale", "markup"])
def test_a_stale_form_changes_nothing(
    server: Server, world: World, function: functions.Function, token: str
) -> None:
    before = everything_of(world)
    browser = sign_in(server, world.client)
    if token == "stale":
        token = token_of(browser.get("/").text)
        browser = sign_in(server, world.client)  # another sign-in has another token
    path = world.address(function.paths[0])
    form = fields_of(browser.get(path).text) if function in PAGES else {}
    reply = browser.post(path, form | {"csrf_token": token})
    assert is_page(reply, 403)
    assert everything_of(world) == before


def everything_of(world: World) -> list[object]:
    """What a form could have changed."""
    return [
        world.client.get("/api/sessions").json(),
        world.client.get("/api/images").json(),
        [key["name"] for key in world.client.get("/api/keys").json()["keys"]],
    ]


@pytest.mark.parametrize("function", PERSONAL, ids=lambda each: each.paths[0])
def test_after_signing_out_going_back_shows_nothing(
    server: Server, world: World, function: functions.Function
) -> None:
    browser = sign_in(server, world.client)
    reply = browser.get(world.address(function.paths[0]))
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-store"
    token = token_of(reply.text)
    assert browser.post("/sign-out", {"csrf_token": token}).headers["Clear-Site-Data"] == '"cache"'
    again = browser.get(world.address(function.paths[0]))
    assert "/sign-out" not in again.text
    assert html.escape(MARKUP[:20]) not in again.text


def test_the_same_photos_sent_twice_at_once_are_there_once(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    browser = sign_in(server, user)
    page = browser.get("/upload").text

    def send(_: int) -> requests.Response:
        return requests.post(
            f"{server.base}/upload",
            data={"csrf_token": token_of(page)},
            files=[("files", ("a.jpg", photo(1))), ("files", ("b.jpg", photo(2)))],
            cookies=dict(browser.cookies),
            timeout=120,
        )

    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(send, range(3)))
    assert {reply.status_code for reply in replies} <= {200, 201}
    assert len(user.get("/api/images").json()["images"]) == 2
    (session,) = user.get("/api/sessions").json()["sessions"]
    assert session["id"]


# Names


@pytest.mark.parametrize("function", PAGES, ids=lambda each: each.paths[0])
def test_a_name_full_of_markup_is_text(server: Server, world: World, function: functions.Function) -> None:
    page = sign_in(server, world.client).get(world.address(function.paths[0])).text
    assert "<b onmouseover" not in page
    assert 'onmouseover="x()"' not in page
    assert '"49"' not in page
    assert " 49 " not in page


@pytest.mark.parametrize("path", ["/sessions", "/sessions/{id}", "/photos/{id}", "/keys", "/upload"])
def test_such_a_name_is_shown_whole(server: Server, world: World, path: str) -> None:
    page = sign_in(server, world.client).get(world.address(path)).text
    assert '<b onmouseover="x()">North' in html.unescape(page)


@pytest.mark.parametrize("path", ["/sessions", "/sessions/{id}", "/keys"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_name_of_300_characters_is_refused_and_kept_in_its_field(
    server: Server, world: World, path: str, language: str
) -> None:
    browser = sign_in(server, world.client)
    browser.get(f"/?lang={language}")
    path = world.address(path)
    before = everything_of(world)
    page = browser.get(path).text
    field = "session_name" if path.startswith("/sessions") else "name"
    form = form_with(page, field) | {field: "北" * 300}
    reply = browser.post(path, form)
    assert is_page(reply, 422)
    assert "北" * 300 in reply.text
    assert "100" in reply.text
    assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', reply.text)
    assert everything_of(world) == before


def test_the_api_refuses_it_too(user: Client) -> None:
    reply = user.post("/api/sessions", json={"session_name": "北" * 300})
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["field"] == "session_name"


def form_with(page: str, field: str) -> dict[str, str]:
    """The form of a page that has this field, as it would be sent."""
    for form in re.findall(r"<form.*?</form>", page[page.index("<main") :], re.DOTALL):
        if f'name="{field}"' in form:
            return fields_of(f"<main>{form}</main>")
    raise AssertionError(f"no form with {field}")


@pytest.mark.parametrize("path", ["/sessions", "/photos", "/upload", "/calendar", "/days/{date}"])
def test_right_to_left_text_stays_as_it_is_and_turns_nothing_around(
    server: Server, world: World, photo: Callable[..., bytes], path: str
) -> None:
    client = world.client
    sessions = {each["session_name"]: each["id"] for each in client.get("/api/sessions").json()["sessions"]}
    number = sessions[RIGHT_TO_LEFT]
    client.upload((f"{RIGHT_TO_LEFT}.jpg", photo(3)), session_id=number, date="2025-06-10")
    address = world.address(path)
    page = sign_in(server, client).get(address if path == "/sessions" else f"{address}?session={number}").text
    # Wherever it stands in running text it is set apart; a choice in a list is so by itself.
    for before in re.findall(rf"(<[^<>]*>)[^<>]*{RIGHT_TO_LEFT}", page):
        assert before.startswith(("<bdi", "<option", "<title")) or 'dir="auto"' in before, before
    assert RIGHT_TO_LEFT in page


def test_characters_that_turn_text_around_do_not_reach_the_page(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    assert user.post("/api/sessions", json={"session_name": TURNED}).status_code == 422
    sent = user.upload((TURNED, photo(4))).json()["results"][0]
    page = sign_in(server, user).get(f"/photos/{sent['image']['id']}").text
    for found in re.finditer("[\u202a-\u202e\u2066-\u2069]", page):
        before = page[: found.start()]
        assert before.rfind("<bdi") > before.rfind("</bdi>"), (
            "a file name may not turn around what stands beside it"
        )


def test_a_label_full_of_markup_is_refused(server: Server, world: World) -> None:
    reply = world.client.patch(f"/api/images/{world.photo}", json={"label": "<b>Stellaria</b> media"})
    assert reply.status_code == 422
