"""The page in place of a problem document: what went wrong in the reader's words, and where to go from here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from lib.web.page import Asked, Page
from lib.web.problem_kinds import PROBLEM_KINDS
from lib.web.words import N_

if TYPE_CHECKING:
    from lib.problems import Problem
    from lib.web.words import Words

# What the page is headed, by status; `_OTHER` for the rest.
HEADINGS = {
    400: N_("This address cannot be understood"),
    401: N_("Sign in first"),
    403: N_("This is not allowed"),
    404: N_("There is nothing here"),
    409: N_("This cannot be done now"),
    413: N_("This is too large"),
    421: N_("This is not the name of the server"),
    422: N_("This cannot be taken"),
    429: N_("Too many requests"),
    500: N_("Something went wrong"),
    503: N_("Not just now"),
    507: N_("The server is full"),
}
_OTHER = N_("This did not work")
# For a person who follows links and fills in forms, not for one who writes programs.
MEANINGS = {
    "bad-request": N_("Something in the address or the form has a value that it cannot have."),
    "malformed-request": N_("Something in the address or the form has a value that it cannot have."),
    "invalid-request": N_("Something in the form has a value that it cannot have."),
    "not-found": N_("The page was moved or deleted, or it belongs to somebody else."),
    "method-not-allowed": N_("This address takes no form. Follow a link from here instead."),
    "unauthorized": N_("The key that was sent is not known or has been revoked."),
    "forbidden": N_("The key of this browser may not do this. Sign in with one that may."),
    "rate-limited": N_("This key or this connection has asked for more than it may. Wait a little."),
}
NO_METRIC = N_("There is no metric of this name.")
# What the reasons for refusing a field hold, which are for those who write programs, and what they mean.
REASONS = (
    (r"given more than once", N_("It is given more than once.")),
    (r"is required|of length >= ", N_("Fill this in.")),
    (r"Expected int.*, got ", N_("This is no whole number.")),
    (r"Expected float.*, got ", N_("This is no number.")),
    (r"Expected bool.*, got ", N_("It must be true or false.")),
    (r"Expected (?:int|float)\S* >= (\S+)", N_("It must be %(bound)s or more.")),
    (r"Expected (?:int|float)\S* <= (\S+)", N_("It must be %(bound)s or less.")),
    (r"of length <= (\d+)|longer than (\d+) characters", N_("It is longer than %(bound)s characters.")),
    (r"Invalid RFC3339", N_("This is no date; write it as in 2025-05-12.")),
    (r"lies before start_date", N_("The last day lies before the first.")),
    (r"Invalid enum value|must be one|unknown", N_("There is no such value here.")),
    (r"NUL character|not text", N_("Only visible characters.")),
)
UNFIT = N_("This value cannot be used.")
# These pass: the page tries again by itself, where scripts run, and says so.
PASSING = (429, 503)
LONGEST_WAIT = 60  # seconds; what is said to take longer needs somebody to do something
FIELDS_SHOWN = 10


class ErrorPage(Page):
    """The frame around a problem: no sample season is shown on it, so none is announced."""

    @property
    def sample(self) -> bool:
        """Never: there is nothing on the page but the problem."""
        return False


def error_page(asked: Asked, problem: Problem, request_id: str) -> tuple[str, dict[str, str]]:
    """The HTML and the headers in place of the problem's document; the status is the same.

    `request_id` finds the request in the log; it is shown where somebody will have to look there.
    """
    page = ErrorPage(asked)
    say = page.say
    method = asked.request.method
    again = problem.status in PASSING and method in ("GET", "HEAD")
    wait = _seconds(problem.headers.get("Retry-After"))
    html = page.render(
        "error.html",
        heading=say.gettext(HEADINGS.get(problem.status, _OTHER)),
        meaning=meaning(page, problem),
        fields=_fields(page, problem),
        choices=_choices(page, asked, problem),
        plants=problem.extensions.get("species", []),
        typed=problem.extensions.get("name", ""),
        without=_without(page, asked, problem),
        again=again,
        wait=wait if again and wait is not None and wait <= LONGEST_WAIT else None,
        back=problem.kind == "stale-form" and asked.function is not None and "GET" in asked.function.methods,
        sign_in=problem.status == 401,
        request_id=request_id if problem.status >= 500 else "",
    )
    return html, page.headers | problem.headers | {"Cache-Control": "no-store", "Vary": "Accept"}


def meaning(page: Page, problem: Problem) -> str:
    """What the problem means: a page's own words, else the problem's, which in English are the more exact."""
    own = NO_METRIC if "metrics" in problem.extensions else MEANINGS.get(problem.kind)
    if own is not None:
        return page.say.gettext(own)
    known = PROBLEM_KINDS.get(problem.kind)
    if page.language == "en" or known is None:
        return problem.detail or problem.title
    return page.say.gettext(known.meaning)


def _fields(page: Page, problem: Problem) -> list[tuple[str, str]]:
    """The names of bad fields and why each was refused."""
    return [(each["field"], reason_words(each["reason"], page.say)) for each in problem.errors[:FIELDS_SHOWN]]


def reason_words(reason: str, say: Words) -> str:
    """Why a field was refused, in the reader's words; what nobody foresaw stays English on an English page."""
    if not reason.isascii():  # in the reader's words already
        return reason
    for pattern, words in REASONS:
        found = re.search(pattern, reason)
        if found:
            bounds = [each for each in found.groups() if each]
            return say.gettext(words, bound=bounds[0]) if bounds else say.gettext(words)
    return reason if say.language == "en" else say.gettext(UNFIT)


def _choices(page: Page, asked: Asked, problem: Problem) -> list[tuple[str, str]]:
    """The metrics there are instead of one that there is not: this address with each of them, and its name."""
    args = asked.request.args
    field = "metrics" if "metrics" in args else "metric"
    kept = [(name, value) for name, value in args.items(multi=True) if name not in (field, "lang")]
    path = quote(page.path) if field in args else "/calendar"
    return [
        (f"{path}?{urlencode([*kept, (field, metric)])}", page.say.metric(metric))
        for metric in problem.extensions.get("metrics", [])
    ]


def _without(page: Page, asked: Asked, problem: Problem) -> str:
    """This address without what it cannot have, with all else that it asks for; empty where there is no such."""
    args, bad = asked.request.args, {each["field"] for each in problem.errors}
    if asked.request.method not in ("GET", "HEAD") or not bad & set(args):
        return ""
    kept = [(name, value) for name, value in args.items(multi=True) if name not in bad and name != "lang"]
    return quote(page.path) + (f"?{urlencode(kept)}" if kept else "")


def _seconds(header: Any) -> int | None:
    text = str(header or "")
    return int(text) if text.isascii() and text.isdecimal() else None
