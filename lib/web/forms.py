"""A form shown again: what was typed into it, and beside each field what is wrong, in the reader's language."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING

from lib.problems import Problem
from lib.web.words import N_

if TYPE_CHECKING:
    from lib.web.words import Words

STALE = N_(
    "This form lay open for too long, or you signed in anew meanwhile. Nothing was changed; send it once more."
)
SIGNED_OUT = N_(
    "You are signed out, so nothing was changed. Sign in in another tab, come back here and send this once more: "
    "what you typed is kept."
)


class Typed:
    """The fields of one form as a person typed them; reading one notes what is wrong with it.

    Templates show `value(name)` and `error(name)`, and `problem` above the form where it failed as a whole.
    """

    def __init__(self, say: Words, given: Mapping[str, str]) -> None:
        self.say = say
        self.given = dict(given)
        self.errors: dict[str, str] = {}
        self.unreadable: set[str] = set()  # fields for days with something that is none
        self.problem = ""

    def value(self, name: str) -> str:
        """What the field shows."""
        return self.given.get(name, "")

    def error(self, name: str) -> str:
        """What is wrong with the field; empty when nothing is."""
        return self.errors.get(name, "")

    @property
    def good(self) -> bool:
        """Whether nothing is wrong so far."""
        return not self.errors and not self.problem

    def refuse(self, name: str, why: str) -> None:
        """Note what is wrong with a field, in the reader's words; the first thing counts."""
        self.errors.setdefault(name, why)

    def line(self, name: str, longest: int) -> str:
        """A text on one line that must not be empty; refused beyond `longest` characters."""
        text = self.value(name).strip()
        if not text:
            self.refuse(name, self.say.gettext("Fill this in."))
        elif len(text) > longest:
            self._too_long(name, text, longest)
        elif not text.isprintable():
            self.refuse(name, self.say.gettext("Only visible characters, on one line."))
        return text

    def text(self, name: str, longest: int) -> str:
        """A text of several lines, which may be empty; refused beyond `longest` characters."""
        # Browsers send CR LF for every new line.
        text = self.value(name).replace("\r\n", "\n").strip()
        if len(text) > longest:
            self._too_long(name, text, longest)
        elif "\x00" in text:
            self.refuse(name, self.say.gettext("Only visible characters."))
        return text

    def day(self, name: str) -> date | None:
        """A date, or None for an empty field."""
        text = self._plain(name)
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.unreadable.add(name)
            self.refuse(name, self.say.gettext("This is no date; write it as in 2025-05-12."))
            return None

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number within these bounds, or None for an empty field."""
        text = self._plain(name).replace(",", ".").replace("−", "-")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:  # true of NaN
            words = self.say.gettext(
                "A number from %(least)s to %(most)s.",
                least=self.say.number(least),
                most=self.say.number(most),
            )
            self.refuse(name, words)
            return None
        return number

    def _plain(self, name: str) -> str:
        """Full-width digits and signs, as Japanese keyboards write them, become plain ones."""
        return unicodedata.normalize("NFKC", self.value(name)).strip()

    def _too_long(self, name: str, text: str, longest: int) -> None:
        words = self.say.gettext(
            "At most %(longest)s characters; these are %(length)s.",
            longest=self.say.number(longest),
            length=self.say.number(len(text)),
        )
        self.refuse(name, words)


def stale(check: Callable[[], None], given: Mapping[str, str]) -> Problem | None:
    """The refusal of a form whose token is old, so that it can be shown again; None when the token is good.

    `check` is the call's own. What holds no field is no form of ours: its refusal is raised.
    """
    try:
        check()
    except Problem as problem:
        if problem.kind != "stale-form" or not given:
            raise
        return problem
    return None


def form_key() -> str:
    """A fresh mark for one showing of a form, so that sending it twice does its work once."""
    return secrets.token_urlsafe(16)


def once_key(what: str, given: Mapping[str, str]) -> str:
    """The key under which a sent form is remembered: its mark and everything typed, without its token.

    Another content under the same mark is another request: somebody went back, and changed it.
    """
    kept = sorted((name, value) for name, value in given.items() if name != "csrf_token")
    return f"{what}:{hashlib.sha256(repr(kept).encode('utf-8', 'surrogatepass')).hexdigest()}"
