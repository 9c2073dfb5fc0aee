"""The review by the keyboard: one key for each action, which can be switched off and rests while one types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import PHONE, Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAY = "2025-06-10"
ITEM = 'input[name="photo"]'


@pytest.fixture
def grower(signed_in: Callable[..., Person], photo: Callable[..., bytes]) -> Person:
    """Somebody with three photos of nothing that the model knows."""
    person = signed_in()
    send(person, photo)
    return person


@pytest.fixture
def chickweed(photos_dir: Path) -> bytes:
    """A photo of which the model is sure."""
    return sorted((photos_dir / "Stellaria_media").glob("*.jpg"))[0].read_bytes()


def send(person: Person, photo: Callable[..., bytes]) -> None:
    person.client.upload(*((f"{seed}.jpg", photo(seed)) for seed in (1, 2, 3)), date=DAY).raise_for_status()


def item(page: Page) -> int:
    """The number of the photo that is asked about."""
    return int(page.locator(ITEM).get_attribute("value") or 0)


def press(page: Page, key: str) -> None:
    """Press a key that leads to another page, and wait for that."""
    with page.expect_navigation():
        page.keyboard.press(key)


def label(person: Person, number: int) -> tuple[str, str]:
    found = person.client.get(f"/api/images/{number}").json()
    return found["label"], found["label_source"]


def richness(person: Person) -> int:
    found: int = person.client.get("/api/calendar/species_richness?year=2025").json()["data"][DAY]["value"]
    return found


def test_keys_choose_undo_and_skip_and_the_day_follows(grower: Person) -> None:
    page = grower.open("/review")
    assert page.locator("#shortcuts").is_visible()
    first = item(page)
    assert richness(grower) == 0
    chosen = page.locator('[data-key="2"]').get_attribute("value")
    press(page, "2")
    assert label(grower, first) == (chosen, "human")
    assert page.locator('[role="status"]').first.inner_text() == "The new name is saved."
    become = " ".join(page.locator(".become").inner_text().split())
    assert "Species richness before 0 → , now 1" in become
    assert richness(grower) == 1
    second = item(page)
    assert second != first
    press(page, "u")
    assert label(grower, first) == ("unknown", "model")
    assert richness(grower) == 0
    assert item(page) == first
    press(page, "s")
    assert item(page) == second
    press(page, "N")  # with the shift key or without
    assert label(grower, second) == ("not_a_plant", "human")
    press(page, "x")
    assert "That was the last." in page.locator(".empty").inner_text()
    assert label(grower, first) == ("unknown", "model")


def test_what_the_model_is_sure_of_is_confirmed_by_a_key(
    signed_in: Callable[..., Person], chickweed: bytes
) -> None:
    person = signed_in()
    sent = person.client.upload(("chickweed.jpg", chickweed), date=DAY).json()
    page = person.open("/review")
    press(page, "c")
    assert label(person, sent["results"][0]["image"]["id"]) == ("Stellaria media", "human")
    assert "Nothing to look at" in page.locator(".empty").inner_text()
    press(page, "u")  # from the empty queue too
    assert label(person, sent["results"][0]["image"]["id"]) == ("Stellaria media", "model")


def test_a_key_leads_to_the_field_where_letters_are_letters(grower: Person) -> None:
    page = grower.open("/review")
    first = item(page)
    page.keyboard.press("r")
    field = page.locator("#label")
    assert field.evaluate("(field) => field === document.activeElement")
    assert field.input_value() == ""  # the key itself is not typed
    page.keyboard.type("unsc x1")  # every letter is one of the keys
    assert field.input_value() == "unsc x1"
    assert label(grower, first) == ("unknown", "model")
    field.fill("")
    field.fill("スベリヒユ")
    page.locator('[role="option"]').first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert field.input_value() == "Portulaca oleracea"
    press(page, "Enter")
    assert label(grower, first) == ("Portulaca oleracea", "human")
    assert richness(grower) == 1


def test_enter_in_the_field_never_confirms(signed_in: Callable[..., Person], chickweed: bytes) -> None:
    person = signed_in()
    sent = person.client.upload(("chickweed.jpg", chickweed), date=DAY).json()
    page = person.open("/review")
    page.locator("#label").focus()
    press(page, "Enter")
    assert "Fill this in." in page.locator("main").inner_text()
    assert label(person, sent["results"][0]["image"]["id"]) == ("Stellaria media", "model")


def test_the_keys_can_be_switched_off_for_good(grower: Person) -> None:
    page = grower.open("/review")
    first = item(page)
    assert page.locator('[data-key="n"]').get_attribute("aria-keyshortcuts") == "n"
    page.get_by_label("One key for each action, except while you type").uncheck()
    page.evaluate("document.activeElement.blur()")
    assert page.locator("kbd:visible").count() == page.locator("#shortcuts kbd").count()
    assert page.locator("[aria-keyshortcuts]").count() == 0
    for key in "nxs1u":
        page.keyboard.press(key)
    page.reload()
    assert item(page) == first
    assert not page.locator("#shortcuts-on").is_checked()
    page.keyboard.press("r")
    assert page.locator("#label").evaluate("(field) => field !== document.activeElement")
    page.keyboard.press("n")
    page.reload()
    assert label(grower, first) == ("unknown", "model")
    page.locator("#shortcuts-on").check()
    press(page, "n")  # where the focus is on a tick box, nobody types
    assert label(grower, first) == ("not_a_plant", "human")


@pytest.mark.parametrize("keys", ["Control+c", "Alt+n", "Meta+x", "Control+s"])
def test_keys_of_the_browser_stay_its_own(grower: Person, keys: str) -> None:
    page = grower.open("/review")
    first = item(page)
    page.keyboard.press(keys)
    page.reload()
    assert item(page) == first
    assert label(grower, first) == ("unknown", "model")


def test_a_key_held_down_acts_once(grower: Person) -> None:
    page = grower.open("/review")
    with page.expect_navigation():
        page.evaluate(
            """() => {
                for (const repeat of [false, true, true])
                    document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "n", bubbles: true, repeat}));
            }"""
        )
    images = grower.client.get("/api/images").json()["images"]
    assert [image["label"] for image in images].count("not_a_plant") == 1


def test_a_letter_in_a_choice_chooses_there(grower: Person) -> None:
    page = grower.open("/review")
    first = item(page)
    page.locator("details.further summary").click()
    page.locator("#reason").focus()
    page.keyboard.press("n")
    assert page.locator("#reason").input_value() == "new"
    assert label(grower, first) == ("unknown", "model")


def test_without_a_script_all_of_it_works(
    signed_in: Callable[..., Person], photo: Callable[..., bytes]
) -> None:
    person = signed_in(javascript=False, device=PHONE)
    send(person, photo)
    page = person.open("/review")
    first = item(page)
    assert not page.locator("#shortcuts").is_visible()
    assert page.locator("kbd:visible").count() == 0
    page.locator("#label").fill("スベリヒユ")
    page.locator('.picks input[type="checkbox"]').first.check()
    with page.expect_navigation():
        page.locator("#label").press("Enter")
    assert label(person, first) == ("Portulaca oleracea", "human")
    with page.expect_navigation():
        page.get_by_role("button", name="Undo").click()
    assert label(person, first) == ("unknown", "model")
    assert item(page) == first


@pytest.mark.parametrize("ticked", [0, 2])
def test_what_is_ticked_is_named_together(grower: Person, ticked: int) -> None:
    page = grower.open("/review")
    boxes = page.locator(".picks.wide input")
    assert boxes.count() == 2
    for number in range(ticked):
        boxes.nth(number).check()
    press(page, "n")
    images = grower.client.get("/api/images").json()["images"]
    assert [image["label"] for image in images].count("not_a_plant") == 1 + ticked
