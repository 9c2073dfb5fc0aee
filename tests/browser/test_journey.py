"""From the first look to the last: the whole way of a grower through the pages, as one person goes it.

Real photos, a real browser, a real server: at a desk, with a thumb on a phone, and each without JavaScript.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from lib.web.languages import FIRST_WEEKDAY
from lib.web.words import Words
from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.functions.conftest import Server

SENT = ("Galium aparine", "Stellaria media", "Zea mays")
DAY = "2025-06-10"
DAY_IN = {"en": "10 June 2025", "ja": "2025年6月10日"}
MOST_STOPS = 80  # of Tab from the top of a page to the calendar

WAYS = {
    "desk": (DESKTOP, True, "en"),
    "desk, no script": (DESKTOP, False, "ja"),
    "phone": (PHONE, True, "ja"),
    "phone, no script": (PHONE, False, "en"),
}


def days_from_the_first(language: str) -> int:
    """How many days a week of this language has before the day of the photos."""
    return (date.fromisoformat(DAY).weekday() - FIRST_WEEKDAY[language]) % 7


class Journey:
    """One person on the way; every step looks for what that person would look for, by the words on the page."""

    def __init__(self, person: Person, language: str, touch: bool, javascript: bool) -> None:
        self.person = person
        self.page: Page = person.page
        self.javascript = javascript
        self.touch = touch
        self.language = language

    def say(self, text: str) -> str:
        return Words(self.language).gettext(text)

    def press(self, what: Locator) -> None:
        """With the mouse or with a thumb."""
        if self.touch:
            what.tap()
        else:
            what.click()

    def link(self, text: str, within: Locator | None = None) -> Locator:
        return (within or self.page.locator("body")).get_by_role("link", name=self.say(text), exact=True)

    def go(self, name: str) -> None:
        """By the navigation at the top."""
        self.press(self.link(name, self.page.locator("header nav")))
        expect(self.page.locator("header nav [aria-current=page]")).to_have_text(self.say(name))

    def heading(self, text: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(text)

    def figure(self, name: str) -> int:
        """A number of the day that is shown."""
        shown = self.page.locator("dl.figures").first.locator("div", has_text=self.say(name)).locator("dd")
        return int(shown.inner_text())

    # The steps

    def looks_around(self) -> None:
        self.person.open("/")
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)
        expect(self.page.get_by_text(self.say("Sample data"))).to_be_visible()

    def signs_in(self) -> None:
        self.press(self.link("Sign in", self.page.locator("header")))
        self.page.get_by_label(self.say("Key")).fill(self.person.client.secret)
        self.press(self.page.get_by_role("main").get_by_role("button", name=self.say("Sign in")))
        expect(self.page.get_by_role("button", name=self.say("Sign out"))).to_be_visible()
        expect(self.page.get_by_text(self.say("Sample data"))).to_have_count(0)

    def sends(self, photos: list[Path]) -> None:
        self.go("Upload")
        self.page.get_by_label(self.say("Choose photos")).set_input_files(photos)
        undated = self.page.get_by_text(self.say("Photos that do not say when they were taken"))
        self.press(undated)
        self.page.get_by_label(self.say("Their day")).fill(DAY)
        self.press(self.page.locator("#send"))
        taken = self.page.locator(".files .created")
        expect(taken).to_have_count(len(photos))
        named = taken.locator(".species i[lang=la]")
        assert sorted(named.all_inner_texts()) == sorted(self.labels())
        for photo in photos:
            expect(taken.filter(has_text=photo.name)).to_have_count(1)
        assert set(self.labels()) == set(SENT)

    def labels(self) -> list[str]:
        """What the server says that the photos show."""
        images = self.person.client.get("/api/images").json()["images"]
        return [image["label"] for image in images]

    def opens_the_day(self) -> None:
        self.press(self.page.locator(".become").get_by_role("link", name=DAY_IN[self.language]))
        self.heading(DAY_IN[self.language])
        assert self.page.url.endswith(f"/days/{DAY}")

    def corrects(self, wrong: str, right: str) -> None:
        self.press(self.page.locator("figure.photo", has_text=wrong).get_by_role("link"))
        self.heading(wrong)
        before = self.page.url
        field = self.page.get_by_label(self.say("Another name"))
        if self.javascript:
            field.press_sequentially(right[:9].lower())
            self.press(self.page.get_by_role("option").filter(has_text=right))
            expect(field).to_have_value(right)
        else:
            field.fill(right)
        self.press(self.page.get_by_role("button", name=self.say("Save"), exact=True))
        self.heading(right)
        assert self.page.url.startswith(before)
        assert sorted(self.labels()) == sorted(each for each in (*SENT, right) if each != wrong)

    def sees_what_the_day_has_become(self, before: int, now: int) -> None:
        become = self.page.locator(".become").inner_text()
        assert re.search(rf"{before}\s*→.*{now}", become, re.DOTALL), become
        self.opens_the_day()
        assert self.figure("Species (estimate)") == now

    def changes_the_language(self) -> None:
        other = "ja" if self.language == "en" else "en"
        here = self.page.url
        self.press(self.page.locator(f"header a[hreflang={other}]"))
        self.language = other
        self.heading(DAY_IN[other])
        assert self.page.url.startswith(here)
        self.go("Calendar")
        expect(self.page.locator("html")).to_have_attribute("lang", other)

    def finds_the_day_in_the_calendar(self) -> None:
        day = self.page.locator("table.year a")
        expect(day).to_have_count(1)
        if self.touch:
            self.press(day)
        else:
            if self.javascript:
                self.page.locator("table.year[role=grid]").wait_for()
            for _ in range(MOST_STOPS):
                self.page.keyboard.press("Tab")
                if self.page.locator("table.year :focus").count():
                    break
            expect(day).to_be_focused()
            if self.javascript:
                for key in ("ArrowDown", "End", "PageDown", "PageUp", "Home", "ArrowUp"):
                    self.page.keyboard.press(key)
                expect(day).not_to_be_focused()
                # From the first day of its week, wherever the week begins, to this Tuesday.
                for _ in range(days_from_the_first(self.language)):
                    self.page.keyboard.press("ArrowRight")
                expect(day).to_be_focused()
            self.page.keyboard.press("Enter")
        self.heading(DAY_IN[self.language])

    def signs_out(self) -> None:
        name = self.page.locator("header .who").inner_text()
        self.press(self.page.get_by_role("button", name=self.say("Sign out")))
        expect(
            self.page.get_by_role("status").filter(has_text=self.say("You are signed out."))
        ).to_be_visible()
        self.page.go_back()
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)
        expect(self.link("Sign in", self.page.locator("header"))).to_be_visible()
        assert name not in self.page.content()


@pytest.mark.parametrize("way", WAYS)
def test_a_grower_goes_all_the_way(
    way: str, server: Server, visiting: Callable[..., Person], photos_dir: Path
) -> None:
    device, javascript, language = WAYS[way]
    person = visiting(locale=language, device=device, javascript=javascript, client=server.user())
    photos = [sorted((photos_dir / name.replace(" ", "_")).glob("*.jpg"))[0] for name in SENT]
    grower = Journey(person, language, bool(device.get("has_touch")), javascript)
    grower.looks_around()
    grower.signs_in()
    grower.sends(photos)
    grower.opens_the_day()
    assert grower.figure("Species (estimate)") == 3
    grower.corrects("Zea mays", "Stellaria media")
    grower.sees_what_the_day_has_become(3, 2)
    grower.changes_the_language()
    grower.finds_the_day_in_the_calendar()
    grower.signs_out()
