"""Fields that suggest names of plants: keyboard, mouse, thumb, three languages, slow and broken networks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import DESKTOP, PHONE, Person

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

LEAST_TARGET = 24  # CSS pixels a side: WCAG 2.2, 2.5.8
TAXA = re.compile(r"/api/taxa\?")
OPEN = '[role="listbox"]:not([hidden])'


def typed(page: Page, text: str) -> None:
    """Type into the field, and wait for suggestions."""
    page.locator("#q").fill("")
    page.locator("#q").press_sequentially(text)
    page.locator(OPEN).wait_for()


def names(page: Page) -> list[str]:
    return page.locator('[role="option"] i').all_inner_texts()


def active(page: Page) -> str:
    """The name that the field points at; empty when there is none."""
    found = page.evaluate(
        """() => {
            const field = document.querySelector('#q');
            const id = field.getAttribute('aria-activedescendant');
            const chosen = [...document.querySelectorAll('[role=option][aria-selected=true]')];
            if (id === null) return chosen.length ? 'chosen without being pointed at' : '';
            const option = document.getElementById(id);
            if (chosen.length !== 1 || chosen[0] !== option) return 'pointed at, but not chosen';
            if (document.activeElement !== field) return 'the focus has left the field';
            return option.querySelector('i').textContent;
        }"""
    )
    return str(found)


def expanded(page: Page) -> str | None:
    return page.locator("#q").get_attribute("aria-expanded")


def test_the_keys_go_through_the_suggestions_and_choose_one(visiting: Callable[..., Person]) -> None:
    person = visiting()
    page = person.open("/species")
    field = page.locator("#q")
    assert field.get_attribute("role") == "combobox"
    assert field.get_attribute("aria-autocomplete") == "list"
    assert expanded(page) == "false"
    typed(page, "stellaria")
    assert expanded(page) == "true"
    box = page.locator(f"#{field.get_attribute('aria-controls')}")
    assert box.get_attribute("role") == "listbox"
    assert box.get_attribute("aria-label") == "Suggestions"
    shown = names(page)
    assert shown[:2] == ["Stellaria", "Stellaria media"]
    assert len(shown) > 2
    assert page.locator('.typeahead [role="status"]').inner_text() == f"Suggestions: {len(shown)}"
    assert active(page) == ""
    for key, place in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", -1), ("ArrowDown", 0)):
        page.keyboard.press(key)
        assert active(page) == shown[place], (key, place)
    page.keyboard.press("End")
    assert active(page) == shown[-1]
    page.keyboard.press("Home")
    assert active(page) == shown[0]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert field.input_value() == "Stellaria media"
    assert expanded(page) == "false"
    assert person.at == "/species"  # the first Enter chooses, the second sends
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"q=Stellaria\+media"))
    assert page.locator('tbody [role="rowheader"] i').all_inner_texts() == ["Stellaria media"]


def test_escape_closes_and_keeps_what_was_typed(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/species")
    typed(page, "stell")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert page.locator(OPEN).count() == 0
    assert (expanded(page), active(page)) == ("false", "")
    assert page.locator("#q").input_value() == "stell"
    page.keyboard.press("ArrowDown")  # asks anew
    page.locator(OPEN).wait_for()
    page.keyboard.press("Tab")
    assert page.locator(OPEN).count() == 0
    assert page.locator("#q").input_value() == "stell"


@pytest.mark.parametrize(
    ("locale", "text", "said"),
    [
        ("en", "chickw", "Stellaria media Common chickweed"),
        ("en", "はこべ", "Stellaria media Common chickweed"),
        ("ja", "はこべ", "Stellaria media コハコベ"),
        ("ja", "common chickweed", "Stellaria media コハコベ"),
        ("ja", "stellaria", "Stellaria 属"),
        ("ja", "caryophyllaceae", "Caryophyllaceae 科"),
    ],
)
def test_names_in_three_languages_find_a_plant(
    visiting: Callable[..., Person], locale: str, text: str, said: str
) -> None:
    page = visiting(locale=locale).open("/species")
    typed(page, text)
    first = page.locator('[role="option"]').first
    assert first.inner_text() == said
    assert first.locator("i").get_attribute("lang") == "la"


def test_a_press_of_the_mouse_chooses(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/species")
    typed(page, "capsella")
    page.locator('[role="option"]', has_text="Capsella bursa-pastoris").click()
    assert page.locator("#q").input_value() == "Capsella bursa-pastoris"
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.locator(OPEN).count() == 0


def test_a_thumb_finds_them_on_a_phone(visiting: Callable[..., Person]) -> None:
    page = visiting(device=PHONE, locale="ja").open("/species")
    page.locator("#q").tap()
    typed(page, "ナズナ")
    width = page.viewport_size["width"] if page.viewport_size else 0
    for option in page.locator('[role="option"]').all():
        box = option.bounding_box()
        assert box is not None
        assert min(box["height"], box["width"]) >= LEAST_TARGET
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    page.locator('[role="option"]').first.tap()
    assert page.locator("#q").input_value() == "Capsella bursa-pastoris"


@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["phone", "desk"])
@pytest.mark.parametrize("path", ["/photos/{id}", "/review"])
def test_the_list_opens_in_view_and_above_what_lies_at_the_foot(
    signed_in: Callable[..., Person], photo: Callable[..., bytes], path: str, device: dict[str, Any]
) -> None:
    person = signed_in(device=device)
    sent = person.client.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date="2025-06-10").json()
    page = person.open(path.format(id=sent["results"][0]["image"]["id"]))
    field = page.locator("#label")
    # As low as it can stand: the whole list would lie below the window.
    field.evaluate(
        """(field) => {
            const bar = document.querySelector('.decide')?.getBoundingClientRect();
            const foot = bar && bar.bottom === innerHeight ? bar.top : innerHeight;
            document.body.style.paddingTop = `${Math.max(0, foot - field.getBoundingClientRect().bottom)}px`;
            scrollBy(0, field.getBoundingClientRect().bottom - foot);
        }"""
    )
    field.evaluate("(field) => field.focus({ preventScroll: true })")
    page.keyboard.type("stell")
    page.locator(OPEN).wait_for()
    seen = page.evaluate(
        """() => {
            const box = document.querySelector('[role=listbox]').getBoundingClientRect();
            const field = document.querySelector('#label').getBoundingClientRect();
            const below = document.elementFromPoint((box.left + box.right) / 2, box.bottom - 3);
            return [field.top >= 0, box.bottom <= innerHeight, below.closest('[role=listbox]') !== null];
        }"""
    )
    assert seen == [True, True, True]


def test_nothing_found_is_said_and_what_was_typed_is_sent(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/species")
    page.locator("#q").press_sequentially("qqqq")
    page.locator('.typeahead [role="status"]', has_text="No suggestion.").wait_for(state="attached")
    assert page.locator(OPEN).count() == 0
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=qqqq"))


@pytest.mark.parametrize("trouble", ["offline", "broken"])
def test_a_network_that_fails_leaves_a_plain_field(visiting: Callable[..., Person], trouble: str) -> None:
    person = visiting()
    person.watch.foresee("ERR_INTERNET_DISCONNECTED|503 GET /api/taxa")
    page = person.open("/species")
    asked = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if trouble == "offline":
            route.abort("internetdisconnected")
        else:
            route.fulfill(status=503, body="<h1>Busy</h1>", content_type="text/html")

    page.route(TAXA, answer)
    event = "response" if trouble == "broken" else "requestfailed"
    with page.expect_event(event, predicate=lambda each: TAXA.search(each.url)):
        page.locator("#q").press_sequentially("common chickweed")
    assert asked
    assert page.locator(OPEN).count() == 0
    assert expanded(page) == "false"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"q=common\+chickweed"))
    assert page.locator('tbody [role="rowheader"] i').all_inner_texts() == ["Stellaria media"]


def test_an_answer_that_comes_too_late_changes_nothing(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/species")
    waiting: list[Route] = []

    def answer(route: Route) -> None:
        # The first question waits until a later one is answered.
        if waiting:
            route.continue_()
        else:
            waiting.append(route)

    page.route(TAXA, answer)
    with page.expect_request(TAXA):
        page.locator("#q").press_sequentially("zea")
    typed(page, "capsella")
    assert names(page)[:2] == ["Capsella", "Capsella bursa-pastoris"]
    shown = names(page)
    # The browser may have given up on it already, as the script asked it to.
    waiting[0].fulfill(json={"taxa": [{"name": "Zea mays", "level": "species"}]})
    page.keyboard.press("ArrowDown")
    assert names(page) == shown
    assert active(page) == "Capsella"


def test_what_was_typed_before_the_script_came_has_suggestions(visiting: Callable[..., Person]) -> None:
    person = visiting()
    held: list[Route] = []
    person.page.route(re.compile(r"/static/typeahead\.js"), lambda route: held.append(route))
    with person.page.expect_request(re.compile(r"/static/typeahead\.js")):
        person.page.goto(f"{person.client.base}/species", wait_until="commit")
    person.page.locator("#q").press_sequentially("chick")
    assert person.page.locator('[role="listbox"]').count() == 0
    held[0].continue_()
    person.page.locator(OPEN).wait_for()
    assert "Stellaria media" in names(person.page)


def test_while_kana_become_kanji_the_keys_are_theirs(visiting: Callable[..., Person]) -> None:
    page = visiting(locale="ja").open("/species")
    typed(page, "はこべ")
    page.evaluate(
        """for (const key of ['ArrowDown', 'Enter', 'Escape']) {
            const event = new KeyboardEvent('keydown', {key, isComposing: true, bubbles: true, cancelable: true});
            document.querySelector('#q').dispatchEvent(event);
            if (event.defaultPrevented) throw new Error(key);
        }"""
    )
    assert active(page) == ""
    assert page.locator(OPEN).count() == 1


def test_without_a_script_it_is_a_text_field_that_the_server_reads(visiting: Callable[..., Person]) -> None:
    page = visiting(javascript=False).open("/species")
    field = page.locator("#q")
    assert field.get_attribute("role") is None
    for text in ("Common Chickweed", "はこべ", "stellaria MEDIA"):
        page.locator("#q").fill(text)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"\?q="))
        assert page.locator('tbody [role="rowheader"] i').all_inner_texts() == ["Stellaria media"]
        assert page.locator("#q").input_value() == text
        page.goto(page.url.partition("?")[0])


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_open_list_has_no_barrier(visiting: Callable[..., Person], color_scheme: str) -> None:
    page = visiting(device=PHONE, color_scheme=color_scheme).open("/species")
    typed(page, "stellaria")
    page.keyboard.press("ArrowDown")
    options = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    found = Axe().run(page, options=options).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
