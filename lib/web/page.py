"""What every page shares: the reader's language, who is signed in, the navigation, the form token."""

from __future__ import annotations

import re
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from lib import __version__
from lib.web import render
from lib.web.languages import COOKIE, LANGUAGES, choose, cookie_header
from lib.web.words import N_, Words

HTML = "text/html; charset=utf-8"
# One line a page: its address and its name. The pages that later join the house join this list.
NAVIGATION = (
    ("/", N_("Home")),
    ("/calendar", N_("Calendar")),
    ("/upload", N_("Upload")),
    ("/docs", N_("API")),
)
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
    def navigation(self) -> list[tuple[str, str, bool]]:
        """Address, name in the reader's language, and whether it is this page."""
        return [(path, self.say.gettext(name), path == self.path) for path, name in NAVIGATION]

    @property
    def switches(self) -> list[tuple[str, str, str]]:
        """For each other language: its code, its own name, and this page's address in it."""
        given = [(name, value) for name, value in self._asked.request.args.items() if name != "lang"]
        return [
            (code, name, f"{quote(self.path)}?{urlencode([*given, ('lang', code)])}")
            for code, name in LANGUAGES.items()
            if code != self.language
        ]

    @property
    def sign_in_address(self) -> str:
        """The sign-in page, which leads back here."""
        return "/sign-in" if self.path in ("/", "/sign-in") else f"/sign-in?next={quote(self.path)}"


def local_path(wanted: str | None, default: str = "/") -> str:
    """`wanted` when it is an address on this site, else `default`: a sign-in must not lead elsewhere."""
    if wanted and len(wanted) <= 2000 and _LOCAL.fullmatch(wanted):
        return wanted
    return default
