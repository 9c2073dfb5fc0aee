"""What each page weighs, how much it loads, and how long the server takes for it, over five seasons of data."""

from __future__ import annotations

import gzip
import json
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import functions
from scripts.benchmarks.seasons import Seasons, fill
from scripts.benchmarks.server import Server

YARDSTICK = "/health"
_IMPORT = re.compile(rb'^import\s[^;]*?from\s*"(\./[^"]+)"', re.MULTILINE)


def addresses(seasons: Seasons) -> list[str]:
    """Every page of the route table that a signed-in browser can open; KeyError for a parameter nobody knows."""
    values = {
        "date": seasons.day.isoformat(),
        "name": quote(seasons.species),
        "/sessions/{id}": str(seasons.session),
        "/photos/{id}": str(seasons.photo),
    }

    def filled(path: str) -> str:
        return re.sub(r"{(\w+)}", lambda found: values[path if found[1] == "id" else found[1]], path)

    return [filled(each.paths[0]) for each in functions.FUNCTIONS if each.page and "GET" in each.methods]


@dataclass
class Loaded(HTMLParser):
    """What a page loads by itself: addresses of its style and icon, its scripts, and its pictures."""

    html: str
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    icons: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "link" and has.get("rel") == "stylesheet":
            self.styles.append(has["href"])
        elif tag == "link" and has.get("rel") == "icon":
            self.icons.append(has["href"])
        elif tag == "script" and "src" in has:
            self.scripts.append(has["src"])
        elif tag == "img" and "src" in has:
            self.pictures.append(has["src"])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its body as it came (compressed where the server does so) and unpacked, and the wait for it."""

    status: int
    sent: bytes
    body: bytes
    request_id: str
    seconds: float


class Visitor:
    """One connection that is kept, as browsers keep theirs, with the key of the measured user."""

    def __init__(self, server: Server) -> None:
        self._connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._headers = {
            "X-API-Key": server.key,
            "Accept": "text/html,*/*;q=0.8",
            "Accept-Encoding": "gzip",
            "Accept-Language": "en",
        }

    def get(self, address: str) -> Answer:
        """Asks for an address of the server."""
        started = time.perf_counter()
        self._connection.request("GET", address, headers=self._headers)
        response = self._connection.getresponse()
        sent = response.read()
        seconds = time.perf_counter() - started
        packed = response.headers.get("Content-Encoding") == "gzip"
        body = gzip.decompress(sent) if packed else sent
        return Answer(response.status, sent, body, response.headers["X-Request-Id"], seconds)


def measure(rounds: int) -> dict[str, Any]:
    """Every page, and /health beside it, `rounds` times in turn after one that is not counted."""
    with tempfile.TemporaryDirectory() as name, Server(Path(name)).prepare() as server:
        seasons = fill(server)
        visitor = Visitor(server)
        every = addresses(seasons)
        weights = {address: _weigh(visitor, address) for address in every}
        asked: dict[str, list[Answer]] = defaultdict(list)
        for _ in range(rounds):
            for address in (YARDSTICK, *every):
                asked[address].append(visitor.get(address))
        server.stop()
        took = _logged(server.folder / "server.log")
    yardstick = statistics.median(answer.seconds for answer in asked.pop(YARDSTICK))
    pages = []
    for address, answers in asked.items():
        seconds = statistics.median(answer.seconds for answer in answers)
        pages.append(
            {
                "page": address,
                **weights[address],
                "server_ms": round(statistics.median(took[answer.request_id] for answer in answers), 1),
                "answer_ms": round(seconds * 1000, 2),
                "ratio": round(seconds / yardstick, 1),
            }
        )
    return {
        "benchmark": "pages",
        "days": seasons.days,
        "photos": seasons.photos,
        "rounds": rounds,
        "health_ms": round(yardstick * 1000, 2),
        "pages": pages,
    }


def _weigh(visitor: Visitor, address: str) -> dict[str, int]:
    """Bytes as they are sent, and how many requests a browser makes that has nothing of it yet."""
    page = visitor.get(address)
    if page.status != 200:
        raise RuntimeError(f"{address} answered {page.status}")
    loaded = Loaded(page.body.decode())
    scripts = _modules(visitor, loaded.scripts)
    styles = sum(len(visitor.get(style).sent) for style in loaded.styles)
    files = 1 + len(loaded.styles) + len(scripts) + len(set(loaded.icons))
    return {
        "html": len(page.sent),
        "css": styles,
        "js": sum(scripts.values()),
        "requests": files,
        "pictures": len(set(loaded.pictures)),
    }


def _modules(visitor: Visitor, scripts: Iterable[str]) -> dict[str, int]:
    """The scripts of a page and those that they import, with their bytes."""
    waiting, known = list(scripts), dict[str, int]()
    while waiting:
        address = waiting.pop()
        if address in known:
            continue
        answer = visitor.get(address)
        known[address] = len(answer.sent)
        waiting += [urljoin(address, found.decode()) for found in _IMPORT.findall(answer.body)]
    return known


def _logged(log: Path) -> dict[str, float]:
    """Milliseconds of each request inside the server, by request id."""
    found = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        if '"weeds.request"' in line:
            entry = json.loads(line)
            found[entry["request_id"]] = float(entry["milliseconds"])
    return found


def describe(found: dict[str, Any]) -> str:
    """The result as a table."""
    head = (
        f"Pages over {found['days']} survey days with {found['photos']:,} photos. Bytes as sent (compressed); "
        "requests of a browser that comes for the first time, pictures apart; median time in the server, and "
        f"until the whole answer is read, of {found['rounds']} rounds (/health: {found['health_ms']} ms)."
    )
    line = "{:<32} {:>7} {:>7} {:>7} {:>9} {:>9} {:>10} {:>10} {:>9}"
    table = [line.format("page", "HTML", "CSS", "JS", "requests", "pictures", "server", "answer", "× health")]
    table += [
        line.format(
            each["page"],
            each["html"],
            each["css"],
            each["js"],
            each["requests"],
            each["pictures"],
            f"{each['server_ms']} ms",
            f"{each['answer_ms']} ms",
            each["ratio"],
        )
        for each in found["pages"]
    ]
    return "\n".join((head, *table))
