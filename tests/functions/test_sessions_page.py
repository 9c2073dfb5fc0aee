"""GET and POST /sessions: the list, and a form that loses nothing, doubles nothing and says what is wrong."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from lib.config import STARTER_MODEL
from lib.web.session_form import SITE
from tests.functions.browsing import Browser, fields_of, sign_in, token_of
from tests.functions.conftest import Client, Server

WHOLE = {
    "session_name": "北の畑 <b>North & East</b>",
    "description": "natural farming\nno till",
    "start_date": "2025-05-01",
    "end_date": "2025-10-31",
    "timezone": "Asia/Tokyo",
    "latitude": "43.06",
    "longitude": "141.35",
    "region": "hokkaido",
    "own_species": "",
}
RIGHT_TO_LEFT = "حقل الشمال"


@pytest.fixture
def browser(server: Server, user: Client) -> Browser:
    return sign_in(server, user)


def sessions_of(user: Client) -> list[dict[str, object]]:
    found: list[dict[str, object]] = user.get("/api/sessions").json()["sessions"]
    return found


def test_a_visitor_is_told_what_is_here(visitor: Client, file_server: Server) -> None:
    page = visitor.get("/sessions")
    assert page.status_code == 200
    assert "/sign-in?next=/sessions" in page.text
    assert "<form class" not in page.text
    assert "DATABASE_URL" in file_server.visitor().get("/sessions").text


def test_a_newcomer_finds_the_form_in_the_site_s_zone(browser: Browser) -> None:
    page = browser.get("/sessions").text
    assert "There is no session yet." in page
    assert '<option value="Asia/Tokyo" selected>' in page
    assert page.index('"Asia/Tokyo"') < page.index('"Africa/Abidjan"')
    assert 'value="site" selected' in page


def test_a_session_is_made_with_all_its_fields(browser: Browser, user: Client) -> None:
    reply = browser.send("/sessions", WHOLE)
    assert reply.status_code == 303
    (made,) = sessions_of(user)
    assert reply.headers["Location"] == f"/sessions?done=session-made#session-{made['id']}"
    told = {
        name: made[name] for name in ("session_name", "description", "start_date", "end_date", "timezone")
    }
    assert told == {name: WHOLE[name] for name in told}
    assert (made["latitude"], made["longitude"], made["region_species"]) == (43.06, 141.35, "hokkaido")
    page = browser.get(reply.headers["Location"]).text
    assert 'role="status">The session is made.' in page
    assert "<bdi>北の畑 &lt;b&gt;North &amp; East&lt;/b&gt;</bdi>" in page
    assert "43.06° N 141.35° E" in page


def test_what_japanese_keyboards_write_is_understood(browser: Browser, user: Client) -> None:
    typed = {"session_name": "畑", "latitude": "４３．０６", "longitude": "−１４１,３５"}
    assert browser.send("/sessions", typed).status_code == 303
    (made,) = sessions_of(user)
    assert (made["latitude"], made["longitude"]) == (43.06, -141.35)


def test_a_list_of_one_s_own_is_kept_in_order(browser: Browser, user: Client) -> None:
    names = "Zea mays\r\n\r\n  Stellaria   media \r\nNobody knows"
    browser.send("/sessions", {"session_name": "x", "region": "own", "own_species": names})
    (made,) = sessions_of(user)
    assert made["region_species"] == ["Zea mays", "Stellaria media", "Nobody knows"]
    page = browser.get(f"/sessions/{made['id']}").text
    assert "so that it can name none of them" in page
    assert '<i lang="la">Nobody knows</i>' in page


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"session_name": ""}, "session_name", "Fill this in."),
        ({"session_name": "   "}, "session_name", "Fill this in."),
        ({"session_name": "x" * 300}, "session_name", "At most 100 characters; these are 300."),
        ({"session_name": "two\nlines"}, "session_name", "Only visible characters, on one line."),
        ({"session_name": "\u202eback"}, "session_name", "Only visible characters, on one line."),
        ({"description": "x" * 2001}, "description", "At most 2,000 characters; these are 2,001."),
        ({"start_date": "2025-02-30"}, "start_date", "This is no date"),
        ({"end_date": "2025-04-30"}, "end_date", "The last day lies before the first."),
        ({"timezone": "Mars/Olympus"}, "timezone", "This time zone is not known here"),
        ({"timezone": "../../etc/passwd"}, "timezone", "This time zone is not known here"),
        ({"latitude": "91"}, "latitude", "A number from -90 to 90."),
        ({"longitude": "east"}, "longitude", "A number from -180 to 180."),
        ({"latitude": "nan"}, "latitude", "A number from -90 to 90."),
        ({"latitude": ""}, "latitude", "belong together"),
        ({"longitude": ""}, "longitude", "belong together"),
        ({"region": "atlantis"}, "region", "There is no such list."),
        ({"region": "own"}, "own_species", "Write at least one scientific name."),
        ({"region": SITE, "own_species": "Zea mays"}, "region", "choose “My own list”"),
        ({"region": "own", "own_species": "Zea mays\nweeds"}, "own_species", "No scientific name: weeds"),
        (
            {"region": "own", "own_species": "Nobody knows\nBellis perennis"},
            "own_species",
            "The model knows none of these, so that every photo would come out as unknown: "
            "Nobody knows, Bellis perennis",
        ),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    browser: Browser, user: Client, change: dict[str, str], field: str, words: str
) -> None:
    typed = WHOLE | change
    reply = browser.send("/sessions", typed)
    assert reply.status_code == 422
    assert sessions_of(user) == []
    page = reply.text
    beside = re.search(rf'<p class="wrong" id="{field}-error">(.*?)</p>', page)
    assert beside, page
    assert words in html.unescape(beside[1])
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true" aria-describedby="{field}-error', page)
    assert f'<a href="#{field}">' in page
    shown = fields_of(page)
    assert {name: shown[name].strip("\n").replace("\r\n", "\n") for name in typed} == {
        name: value.replace("\r\n", "\n") for name, value in typed.items()
    }


def test_every_wrong_field_is_told_at_once(browser: Browser) -> None:
    reply = browser.send("/sessions", WHOLE | {"session_name": "", "latitude": "x", "start_date": "soon"})
    assert re.findall(r'class="wrong" id="(\w+)-error"', reply.text) == [
        "session_name",
        "start_date",
        "latitude",
    ]


def test_a_refusal_is_in_the_reader_s_language(browser: Browser) -> None:
    reply = browser.send("/sessions?lang=ja", WHOLE | {"session_name": "あ" * 300})
    assert "100文字以内" in reply.text
    assert 'lang="ja"' in reply.text


def test_a_stale_form_comes_back_with_what_was_typed_and_goes_through_then(
    browser: Browser, user: Client
) -> None:
    reply = browser.post("/sessions", data=WHOLE | {"csrf_token": "0" * 64, "once": "mark"})
    assert reply.status_code == 403
    assert "send it once more" in reply.text
    assert sessions_of(user) == []
    again = fields_of(reply.text)
    assert again["session_name"] == WHOLE["session_name"]
    assert again["csrf_token"] != "0" * 64
    assert browser.post("/sessions", data=again).status_code == 303
    assert len(sessions_of(user)) == 1


def test_who_was_signed_out_meanwhile_keeps_what_they_typed(server: Server, user: Client) -> None:
    browser = sign_in(server, user)
    form = fields_of(browser.get("/sessions").text) | WHOLE
    browser.cookies.clear()
    reply = browser.post("/sessions", data=form)
    assert reply.status_code == 403
    assert "You are signed out, so nothing was changed." in reply.text
    assert fields_of(reply.text)["session_name"] == WHOLE["session_name"]
    assert "Content-Language" in reply.headers
    browser.sign_in(user)
    reply = browser.post("/sessions", data=fields_of(reply.text))
    assert reply.status_code == 403  # another sign-in, another token; the page brings the new one
    assert browser.post("/sessions", data=fields_of(reply.text)).status_code == 303
    assert len(sessions_of(user)) == 1


def test_a_form_without_the_browser_s_token_makes_nothing(user: Client) -> None:
    reply = user.post("/sessions")
    assert (reply.status_code, reply.json()["type"]) == (403, "/docs/problems#stale-form")
    assert user.post("/sessions", data=WHOLE).status_code == 403
    assert sessions_of(user) == []


def test_pressing_twice_makes_one(browser: Browser, user: Client) -> None:
    form = fields_of(browser.get("/sessions").text) | WHOLE
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: browser.copy().post("/sessions", data=form), range(4)))
    (made,) = sessions_of(user)
    assert {reply.headers["Location"] for reply in replies} == {
        f"/sessions?done=session-made#session-{made['id']}"
    }
    # Another content is another session, and so is a form that was opened anew.
    browser.post("/sessions", data=form | {"session_name": "South"})
    browser.send("/sessions", WHOLE)
    assert len(sessions_of(user)) == 3


def test_a_refused_form_can_be_mended_and_sent_again(browser: Browser, user: Client) -> None:
    refused = browser.send("/sessions", WHOLE | {"end_date": "2025-04-30"})
    assert browser.post("/sessions", data=fields_of(refused.text) | {"end_date": ""}).status_code == 303
    assert len(sessions_of(user)) == 1


def test_the_list_tells_photos_days_and_where_to_see_them(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    number = user.post("/api/sessions", json={"session_name": RIGHT_TO_LEFT}).json()["id"]
    for seed, day in ((1, "2025-06-01"), (2, "2025-06-09"), (3, "2025-06-09")):
        user.upload((f"{seed}.jpg", photo(seed)), session_id=number, date=day)
    page = browser.get("/sessions").text
    assert f"<bdi>{RIGHT_TO_LEFT}</bdi>" in page
    assert "<dd>3</dd>" in page
    assert '<dd>2 <span class="small">1 June 2025 to 9 June 2025</span></dd>' in page
    for address in ("/calendar", "/time-series", "/photos"):
        assert f'href="{address}?session={number}"' in page
    japanese = browser.get("/sessions?lang=ja").text
    assert "2025年6月1日" in japanese
    assert "新しいセッション" in japanese


def test_a_key_that_may_only_read_sees_no_form(server: Server, user: Client) -> None:
    user.post("/api/sessions", json={"session_name": "North"})
    reader = user.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()["secret"]
    browser = Browser(server.base)
    browser.sign_in_with(reader)
    page = browser.get("/sessions").text
    assert "<bdi>North</bdi>" in page
    assert "may only read" in page
    assert "session_name" not in page
    form = WHOLE | {"csrf_token": token_of(page)}
    assert browser.post("/sessions", data=form).status_code == 403
    assert len(sessions_of(user)) == 1


def test_sessions_are_their_owner_s(server: Server, user: Client) -> None:
    user.post("/api/sessions", json={"session_name": "Nobody else's"})
    assert "Nobody else" not in sign_in(server, server.user()).get("/sessions").text


def test_it_is_kept_by_no_cache(browser: Browser) -> None:
    assert browser.get("/sessions").headers["Cache-Control"] == "no-store"


def test_the_starter_model_is_what_the_lists_were_written_for() -> None:
    names = (STARTER_MODEL / "labels.csv").read_text("utf-8")
    assert "Zea mays" in names
    assert "Bellis perennis" not in names


def test_file_mode_makes_no_session(file_server: Server) -> None:
    reply = file_server.visitor().post("/sessions", data=WHOLE)
    assert (reply.status_code, reply.json()["type"]) == (503, "/docs/problems#file-mode")


def test_a_tampered_cookie_is_signed_out(server: Server, user: Client) -> None:
    browser = sign_in(server, user)
    cookie = browser.cookies["weeds"]
    other = "A" if cookie[-10] != "A" else "B"
    for changed in (cookie[:-10] + other + cookie[-9:], "x" + cookie[1:], "nonsense", ""):
        page = requests.get(f"{server.base}/sessions", headers={"Cookie": f"weeds={changed}"}, timeout=60)
        assert page.status_code == 200
        assert "/sign-in?next=/sessions" in page.text
