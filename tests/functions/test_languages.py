"""Every page in Japanese: nothing of it is left in English but what says so of itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts import translations
from tests.browser.pages import Grower, addresses, make_grower
from tests.functions.conftest import Server, make_photo

# What a reader sees or hears besides the text.
SAID = ("alt", "aria-label", "title", "placeholder", "data-nothing", "data-words")
NO_TEXT = ("script", "style", "code", "pre", "kbd")
VOID = ("br", "hr", "img", "input", "link", "meta")
# Addresses that are refused, each for another reason.
REFUSED = (
    "/calendar?metric=beauty",
    "/calendar?session=99999",
    "/calendar?year=x",
    "/calendar?year=0",
    "/calendar?year=2024&year=2025",
    "/calendar?day=tomorrow",
    "/species?sort=beauty",
    "/species?session=1.5",
    "/species?q=" + "a" * 300,
    "/time-series?metrics=beauty",
    "/days/2025-13-01",
    "/photos?cursor=x",
)
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%|<[^>]*>")
LEAST_WORDS = 3  # fewer may be a name
WORD = re.compile(r"[A-Za-z]+")
# A run of words without capitals is no name of anything.
SENTENCE = re.compile(r"(?<![\w.])[A-Za-z’']+(?: (?:[a-z’']+|[a-z]+[,.])){2,}(?![\w/_])")


class _Said(HTMLParser):
    """What a page says, but for what is marked as of another language or as no text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        foreign = has.get("lang", "ja") != "ja" or has.get("translate") == "no" or tag in NO_TEXT
        foreign = foreign or self._foreign
        if not foreign:
            self.pieces += [value for name, value in attrs if name in SAID and value]
        if tag not in VOID:
            self._open.append((tag, foreign))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Marks of a drawing, such as <path/>: they say nothing."""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not self._foreign:
            self.pieces.append(data)

    @property
    def _foreign(self) -> bool:
        return bool(self._open and self._open[-1][1])


def said(page: str) -> str:
    """What a page says, a line for each piece."""
    return "\n".join(" ".join(piece.split()) for piece in _Said(page).pieces)


def english_texts() -> list[str]:
    """Of every text of the catalogue with words enough its longest piece between what is filled in."""
    found = set()
    for message in translations.updated("en"):
        for text in message.id if isinstance(message.id, tuple) else (message.id,):
            longest = max((" ".join(piece.split()) for piece in PLACE.split(text)), key=len)
            if len(WORD.findall(longest)) >= LEAST_WORDS:
                found.add(longest)
    return sorted(found)


@pytest.fixture(scope="module")
def grower(server: Server, photos_dir: Path) -> Grower:
    """Somebody with something to see on every page."""
    return make_grower(server, photos_dir, make_photo)


@pytest.mark.photos
@pytest.mark.parametrize("who", ["grower", "visitor", "newcomer"])
def test_no_english_sentence_is_on_a_japanese_page(who: str, server: Server, grower: Grower) -> None:
    client = {"grower": grower.client, "visitor": server.visitor(), "newcomer": server.user()}[who]
    catalogue = english_texts()
    assert len(catalogue) > 500  # the reading works
    english = []
    for path in (*addresses(who), *REFUSED):
        reply = client.get(
            grower.address(path), headers={"Accept": "text/html", "Accept-Language": "ja,en;q=0.5"}
        )
        page = said(reply.text)
        assert re.search(r"[\u3040-\u30ff]", page), path
        english += [
            f"{path}: {text}" for text in catalogue if re.search(rf"(?<![A-Za-z]){re.escape(text)}", page)
        ]
        english += [f"{path}: {found[0]}" for found in SENTENCE.finditer(page)]
    assert english == []


def test_english_is_found_and_what_is_marked_is_not() -> None:
    page = said(
        '<p>Needs a key. <i lang="la">Stellaria media et cetera</i></p><img alt="no survey"><p>種</p>'
    )
    assert page.split("\n") == ["Needs a key.", "no survey", "種"]
    assert SENTENCE.findall(page) == ["Needs a key"]
    assert "Needs a key." in english_texts()
