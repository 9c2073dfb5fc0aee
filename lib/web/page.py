"""What every page shares: the reader's language, who is signed in, the navigation, the form token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from lib import __version__
from lib.web import render
from lib.web.languages import COOKIE, LANGUAGES, choose, cookie_header
from lib.web.notices import NOTICES
from lib.web.words import N_, Words

HTML = "text/html; charset=utf-8"
# One line a page: its address and its name. First what a field day needs, then what is asked for now and then.
NAVIGATION = (
    ("/calendar", N_("Calendar")),
    ("/time-series", N_("Time series")),
    ("/species", N_("Species")),
    ("/photos", N_("Photos")),
    ("/review", N_("Review")),
    ("/upload", N_("Upload")),
)
MORE = (
    ("/compare", N_("Comparison")),
    ("/report", N_("Season report")),
    ("/sessions", N_("Sessions")),
    ("/performance", N_("Model")),
    ("/downloads", N_("Downloads")),
    ("/keys", N_("Keys")),
    ("/docs", N_("API")),
)
# Pages that belong to another one than their address says.
BELOW = {"/calendar": ("/days/",)}
# What a page's own address may carry and the same page in another language need not: what was just done.
_PASSING = ("lang", "done")
# A path of this site: one slash first (two, or a backslash, would lead to another host), no control characters.
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")


class Asked(Protocol):
    """What a page needs of the request it answers; `lib.dispatcher.Call` has it all."""

    function: Any
    settings: Any
    request: Any
    identity: Any

    @property
    def store(self) -> Any:
        """The days this caller may see."""
        ...

    @property
    def form_token(self) -> str:
        """What a form of this browser must carry."""
        ...


class Page:
    """The frame around one page, as templates see it under the name `page`."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        request = asked.request
        self._chosen = request.args.get("lang")
        self.language = choose(
            self._chosen, request.cookies.get(COOKIE), request.headers.get("Accept-Language")
        )
        self.say = Words(self.language)
        self.path: str = request.path
        self.version = __version__
        # A public page is not told who is asking, so that it can be the same for everyone.
        self.personal: bool = asked.function.auth != "public"
        self.user = asked.identity.user

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer; a language chosen by the address is kept in a cookie."""
        headers = {"Content-Type": HTML, "Content-Language": self.language}
        if self.user is not None:
            # Whoever signs out has nothing left to go back to, nor has the next person at the same browser.
            headers["Cache-Control"] = "no-store"
        if self._chosen in LANGUAGES:
            headers["Set-Cookie"] = cookie_header(self.language, self._asked.settings.production)
        return headers

    def render(self, template: str, **context: Any) -> str:
        """The whole page."""
        return render(template, language=self.language, page=self, **context)

    @property
    def sample(self) -> bool:
        """Whether what is shown is the sample season."""
        return bool(self.personal and self._asked.store.sample)

    @property
    def by_cookie(self) -> bool:
        """Whether this browser signed in, and so can sign out."""
        return bool(self._asked.identity.via == "cookie")

    @property
    def can_sign_in(self) -> bool:
        """Whether there are users and this reader is none of them yet."""
        return self.personal and self.user is None and self._asked.settings.mode == "database"

    @property
    def token(self) -> str:
        """The form token; asking for it gives a browser that has none its cookie."""
        return self._asked.form_token

    @property
    def can_write(self) -> bool:
        """Whether the reader may change their photos: forms are shown to nobody else."""
        return self.user is not None and "write" in self._asked.identity.scopes

    @property
    def notice(self) -> str:
        """What the form that led here has done; empty when none did."""
        done = NOTICES.get(self._asked.request.args.get("done", ""))
        return self.say.gettext(done) if done else ""

    @property
    def navigation(self) -> list[tuple[str, str, str]]:
        """The main pages: address, name in the reader's language, and the `aria-current` of its link."""
        return self._links(NAVIGATION)

    @property
    def more(self) -> list[tuple[str, str, str]]:
        """The other pages, as `navigation`."""
        return self._links(MORE)

    def _links(self, pages: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
        return [(path, self.say.gettext(name), self._current(path)) for path, name in pages]

    def _current(self, path: str) -> str:
        """`page` for this page, `true` for one that this page lies below."""
        if path == self.path:
            return "page"
        return "true" if self.path.startswith((f"{path}/", *BELOW.get(path, ()))) else ""

    @property
    def _given(self) -> list[tuple[str, str]]:
        """What the address of this page carries and must still carry in another language or after a sign-in."""
        given = self._asked.request.args.items(multi=True)
        return [(name, value) for name, value in given if name not in _PASSING]

    @property
    def switches(self) -> list[tuple[str, str, str]]:
        """For each other language: its code, its own name, and this page's address in it."""
        given = self._given
        return [
            (code, name, f"{quote(self.path)}?{urlencode([*given, ('lang', code)])}")
            for code, name in LANGUAGES.items()
            if code != self.language
        ]

    @property
    def sign_in_address(self) -> str:
        """The sign-in page, which leads back here."""
        if self.path in ("/", "/sign-in"):
            return "/sign-in"
        given = self._given
        here = f"{quote(self.path)}?{urlencode(given)}" if given else quote(self.path)
        return f"/sign-in?next={quote(here)}"

    def closed(self, title: str) -> str:
        """The page in place of one that is only for the signed-in; `title` is what it would be, translated."""
        return self.render("closed.html", title=title, file_mode=self._asked.settings.mode == "file")

    def leads_to(self, path: str, done: str | None = None, **query: object) -> str:
        """An address to go on to after a form: `query` without what is None, `done` a key of NOTICES."""
        assert done is None or done in NOTICES, done
        given = {name: str(value) for name, value in (query | {"done": done}).items() if value is not None}
        return f"{path}?{urlencode(given)}" if given else path


def local_path(wanted: str | None, default: str = "/") -> str:
    """`wanted` when it is an address on this site, else `default`: a sign-in must not lead elsewhere."""
    if wanted and len(wanted) <= 2000 and _LOCAL.fullmatch(wanted):
        return wanted
    return default
