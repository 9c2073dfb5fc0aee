"""Which language a page is in, and its catalogue of strings."""

from __future__ import annotations

import gettext
from functools import lru_cache
from pathlib import Path

# Each named in itself, so that a reader who landed on the wrong one finds the way out.
LANGUAGES = {"en": "English", "ja": "日本語"}
DEFAULT = "en"
COOKIE = "lang"
COOKIE_MAX_AGE = 365 * 24 * 3600  # seconds
CATALOGUES = Path(__file__).parent / "translations"
# Monday is 0. By the Unicode CLDR, wall calendars in Japan begin on Sunday; English is read all over the world,
# whose default (ISO 8601) is Monday.
FIRST_WEEKDAY = {"en": 0, "ja": 6}
_LONGEST_HEADER = 1000


@lru_cache(maxsize=len(LANGUAGES))
def translation(language: str) -> gettext.NullTranslations:
    """The compiled catalogue of a language, read once per process."""
    return gettext.translation("messages", CATALOGUES, [language])


def choose(query: str | None, cookie: str | None, accept_language: str | None) -> str:
    """The language of an answer: what the address says, else the cookie, else the browser, else English."""
    for wanted in (query, cookie):
        if wanted in LANGUAGES:
            return str(wanted)
    return _preferred(accept_language or "")


def cookie_header(language: str, secure: bool) -> str:
    """The `Set-Cookie` value that keeps a choice; it holds nothing private, so scripts may read it."""
    attributes = f"Path=/; Max-Age={COOKIE_MAX_AGE}; SameSite=Lax" + ("; Secure" if secure else "")
    return f"{COOKIE}={language}; {attributes}"


def _preferred(accept_language: str) -> str:
    """The best of our languages by an Accept-Language header (RFC 9110, 12.5.4); the first named wins a tie."""
    best, best_weight = DEFAULT, 0.0
    for part in accept_language[:_LONGEST_HEADER].split(","):
        tag, _, parameter = part.partition(";")
        primary = tag.strip().lower().split("-")[0]
        weight = _weight(parameter)
        if primary == "*":
            primary = DEFAULT
        if primary in LANGUAGES and weight > best_weight:
            best, best_weight = primary, weight
    return best


def _weight(parameter: str) -> float:
    """The q of one language range; 1 without one, 0 when it is not a number between 0 and 1."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip() == "q" and 0.0 <= weight <= 1.0 else 0.0
