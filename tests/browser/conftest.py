"""A real Chromium for the tests of the pages: people who sign in through the form, and nothing wrong unnoticed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from scripts import find_browser
from tests.browser.pages import Grower, make_grower
from tests.functions.conftest import Client, Server, file_server, make_photo, make_server, photo, server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["Person", "Server", "file_server", "make_server", "photo", "server"]

HERE = Path(__file__).parent
DESKTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
FLAGS = (
    "--no-sandbox",  # containers run as root
    "--no-proxy-server",
    # No name is looked up but our own: a request to another host fails here and is told by `Watch`.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PATIENCE = 30_000  # milliseconds; machines that run tests side by side are slow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Watch:
    """Writes down whatever goes wrong in a browser while nobody looks."""

    base: str
    wrong: list[str] = field(default_factory=list)
    foreseen: list[str] = field(default_factory=list)

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._said)
        context.on("weberror", lambda error: self._note(f"uncaught: {error.error}"))
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)

    def foresee(self, pattern: str) -> None:
        """What a test brings about on purpose, as a regular expression."""
        self.foreseen.append(pattern)

    def unforeseen(self) -> list[str]:
        return [line for line in self.wrong if not any(re.search(each, line) for each in self.foreseen)]

    def _note(self, line: str) -> None:
        self.wrong.append(line)

    def _said(self, message: Any) -> None:
        # What did not load is told with its address and status below; a page of an error is no failure to load.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self._note(f"console {message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and not request.url.startswith(f"{self.base}/"):
            self._note(f"request to another host: {request.url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self._note(f"{response.status} {response.request.method} {urlsplit(response.url).path}")

    def _failed(self, request: Any) -> None:
        # Whoever goes on to another page stops what was still on its way.
        if "ERR_ABORTED" not in (request.failure or ""):
            self._note(f"{request.failure} {request.method} {request.url}")


@dataclass
class Person:
    """Somebody at a browser of their own. `client` is the same person at the API; a visitor's has no key."""

    client: Client
    context: BrowserContext
    page: Page
    watch: Watch
    status: int = 0  # of the page that was opened last

    def open(self, path: str) -> Page:
        """Go to an address of the server; the page, loaded."""
        answer = self.page.goto(self.client.base + path)
        self.status = answer.status if answer else 0
        return self.page

    @property
    def at(self) -> str:
        """Where the page is: path and query."""
        address = urlsplit(self.page.url)
        return address.path + (f"?{address.query}" if address.query else "")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the whole test process; its tests are skipped without, but never in CI."""
    path = find_browser.find()
    if not path:
        message = find_browser.missing()
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class People:
    """Opens browsers for people, each apart from the others."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.watches: list[Watch] = []
        self._contexts: list[BrowserContext] = []

    def visitor(
        self,
        server: Server,
        *,
        locale: str = "en",
        color_scheme: str = "light",
        device: dict[str, Any] = DESKTOP,
        javascript: bool = True,
        client: Client | None = None,
    ) -> Person:
        context = self._browser.new_context(
            locale=locale,
            color_scheme=color_scheme,  # type: ignore[arg-type]
            java_script_enabled=javascript,
            reduced_motion="reduce",
            timezone_id="Asia/Tokyo",
            **device,
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE)
        watch = Watch(server.base)
        watch.follow(context)
        self.watches.append(watch)
        return Person(client or server.visitor(), context, context.new_page(), watch)

    def signed_in(self, server: Server, client: Client | None = None, **options: Any) -> Person:
        """A new person (or `client`), signed in through the form, on the page that follows."""
        client = client or server.user()
        person = self.visitor(server, client=client, **options)
        page = person.open("/sign-in")
        page.locator("#key").fill(client.secret)
        page.locator("main form button").click()
        page.locator('form[action="/sign-out"]').wait_for(state="attached")
        return person

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()


@pytest.fixture
def people(chromium: Browser) -> Iterator[People]:
    """Opens browsers that end with the test, which fails when anything went wrong in one of them."""
    made = People(chromium)
    yield made
    made.close()
    assert [line for watch in made.watches for line in watch.unforeseen()] == []


@pytest.fixture
def signed_in(people: People, server: Server) -> Callable[..., Person]:
    """Signs a new person (or `client=`) in: `locale` en or ja, `color_scheme` light or dark, `device` DESKTOP or
    PHONE, `javascript` true or false; `server=` another one than the shared."""

    def sign_in(server: Server = server, **options: Any) -> Person:
        return people.signed_in(server, **options)

    return sign_in


@pytest.fixture
def visiting(people: People, server: Server) -> Callable[..., Person]:
    """Opens a browser without a key, with the options of `signed_in`."""

    def visit(server: Server = server, **options: Any) -> Person:
        return people.visitor(server, **options)

    return visit


@pytest.fixture(scope="session")
def grower(server: Server, photos_dir: Path) -> Grower:
    """A person with something to see on every page; for tests that change nothing."""
    return make_grower(server, photos_dir, make_photo)


@pytest.fixture(scope="session")
def readers(chromium: Browser, server: Server, grower: Grower) -> Iterator[Callable[[str], Person]]:
    """People who only read, each opened once for all tests: "grower en", "visitor ja", "newcomer en"."""
    people = People(chromium)
    known: dict[str, Person] = {}

    def reader(name: str) -> Person:
        if name not in known:
            who, language = name.split()
            if who == "visitor":
                known[name] = people.visitor(server, locale=language)
            else:
                client = grower.client if who == "grower" else server.user()
                known[name] = people.signed_in(server, client, locale=language)
        return known[name]

    yield reader
    people.close()
