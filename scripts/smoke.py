#!/usr/bin/env python
"""Checks a running server from outside: does it answer, name a plant in a photo, show the day? A line a check."""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

KEY = "WEEDS_KEY"
METRIC_OF_ALL = "/api/calendar/shannon_diversity"
SENT = "smoke.jpg"
# A photo may have to wait for those of others: so often, and so many seconds at most each time, it is asked about.
ASKS, LONGEST_WAIT = 6, 10


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 all is well, 1 a check failed, 2 wrong arguments, 130 stopped."""
    options = _parser().parse_args(arguments)
    parts = urlsplit(options.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        print("URL: write the address of a server, as in https://weeds.example.org", file=sys.stderr)
        return 2
    key = options.key or os.environ.get(KEY, "").strip() or None
    try:
        photo = options.photo.read_bytes() if options.photo else drawn_photo()
    except OSError as error:
        print(f"--photo: {error.strerror}: {options.photo}", file=sys.stderr)
        return 2
    checks = Checks(Server(options.url.rstrip("/"), key, options.timeout), photo, options.log)
    stopped = False
    try:
        with checks.cleaned_up():
            checks.run()
    except KeyboardInterrupt:
        stopped = True
        print("Stopped.", file=sys.stderr)
    print(json.dumps({"passed": checks.passed, "failed": checks.failed, "skipped": checks.skipped}))
    if checks.failed:
        print(f"Failed: {', '.join(checks.failed)}", file=sys.stderr)
    return 130 if stopped else 1 if checks.failed else 0


class Wrong(Exception):
    """What the server did is not what it should; the text says what it did. Never holds the key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers with lower-case names, and a body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Wrong(f"answered {self.status} without a JSON object")
        return found


class _NoRedirects(HTTPRedirectHandler):
    """The key must not follow to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Server:
    """A server by its address, asked as a visitor or with a key."""

    def __init__(self, base: str, key: str | None, timeout: float) -> None:
        self.base, self.key, self.timeout = base, key, timeout
        self._open = build_opener(_NoRedirects).open

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        keyed: bool = False,
        body: bytes | None = None,
        media_type: str = "application/json",
        status: int = 200,
    ) -> Answer:
        """The answer, which must have `status`; Wrong tells what came instead."""
        answer = self._answer(path, method, keyed, body, media_type)
        if answer.status != status:
            raise Wrong(f"answered {answer.status} instead of {status}{_why(answer)}")
        return answer

    def _answer(self, path: str, method: str, keyed: bool, body: bytes | None, media_type: str) -> Answer:
        headers = {"Accept": "text/html" if media_type == "text/html" else "*/*"}
        if body is not None:
            headers["Content-Type"] = media_type
        if keyed:
            headers["Authorization"] = f"Bearer {self.key}"
        # The scheme was looked at: http or https.
        request = Request(self.base + path, data=body, headers=headers, method=method)  # noqa: S310
        try:
            with self._open(request, timeout=self.timeout) as reply:
                return Answer(reply.status, _lower(reply.headers), reply.read())
        except HTTPError as reply:
            with reply:
                return Answer(reply.code, _lower(reply.headers), reply.read())
        except URLError as error:
            raise Wrong(f"does not answer: {error.reason}") from None
        except (OSError, ValueError) as error:
            raise Wrong(f"does not answer: {type(error).__name__}") from None


@dataclass(slots=True)
class Checks:
    """The checklist of a deployment. Each check stands on those before it; what they found is kept here."""

    server: Server
    photo: bytes
    log: Path | None
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    session: int | None = None
    image: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        """Make every check and print a line for each."""
        keyed = "no key was given" if self.server.key is None else ""
        steps: list[tuple[str, Callable[[], str | None], str]] = [
            ("health", self._health, ""),
            ("database", self._database, ""),
            ("page", lambda: self._page("/"), ""),
            ("calendar-page", lambda: self._page("/calendar"), ""),
            ("time-series-page", lambda: self._page("/time-series"), ""),
            ("sample-calendar", self._sample, ""),
            ("session", self._new_session, keyed),
            ("photo", self._upload, keyed),
            ("thumbnail", self._thumbnail, keyed),
            ("day", self._day, keyed),
            ("clean-up", self._clean_up, keyed),
            ("log", self._log, "" if self.log else "no --log was given"),
        ]
        for name, check, skip in steps:
            if "health" in self.failed and name != "log":
                skip = "the server does not answer"
            elif name in ("photo", "clean-up") and self.session is None:
                skip = skip or "there is no session"
            elif name in ("thumbnail", "day") and not self.image:
                skip = skip or "no photo went up"
            self._make(name, check, skip)

    @contextmanager
    def cleaned_up(self) -> Iterator[None]:
        """Deletes the session that was made, however the checks end."""
        try:
            yield
        finally:
            if self.session is not None:
                with suppress(Wrong):
                    self._clean_up()

    def _make(self, name: str, check: Callable[[], str | None], skip: str) -> None:
        if skip:
            self.skipped.append(name)
            print(f"skip  {name}: {skip}")
            return
        try:
            said = check()
        except Wrong as wrong:
            self.failed.append(name)
            print(f"FAIL  {name}: {wrong}", flush=True)
            return
        except (KeyError, IndexError, TypeError, AttributeError):
            self.failed.append(name)
            print(f"FAIL  {name}: the answer does not hold what it should", flush=True)
            return
        self.passed += 1
        print(f"ok    {name}{': ' if said else ''}{said or ''}", flush=True)

    def _health(self) -> str:
        found = self.server.ask("/health").json()
        _demand(found["status"] == "ok", f"says {found['status']!r}")
        return f"version {found['version']}"

    def _database(self) -> str:
        self.server.ask("/ready")
        return "the database answers and is up to date"

    def _page(self, path: str) -> str | None:
        answer = self.server.ask(path, media_type="text/html")
        _demand(answer.headers.get("content-type", "").startswith("text/html"), "is no page")
        _demand(b"</main>" in answer.body and b"</html>" in answer.body, "is a page cut short")
        return None

    def _sample(self) -> str:
        try:
            found = self.server.ask(METRIC_OF_ALL).json()
        except Wrong:
            self.server.ask(METRIC_OF_ALL, status=401)
            return "visitors are kept out (REQUIRE_AUTH_FOR_API)"
        if self._keeps_files(found):
            return "the server shows the analyses of its files"
        _demand(found["sample"] is True and bool(found["data"]), "shows no sample season")
        return f"{len(found['data'])} days of a sample season"

    def _keeps_files(self, calendar: dict[str, Any]) -> bool:
        return calendar["sample"] is False and self.server.ask("/api/status").json()["mode"] == "file"

    def _new_session(self) -> str:
        name = f"smoke test {secrets.token_hex(4)}"
        body = json.dumps({"session_name": name}).encode()
        made = self.server.ask("/api/sessions", "POST", keyed=True, body=body, status=201).json()
        self.session = int(made["id"])
        return f"number {self.session}"

    def _upload(self) -> str:
        body, media_type = _form(str(self.session), self.photo)
        for ask in range(ASKS):
            # Sent again, the same photo is only asked about: 200.
            answer = self.server.ask(
                "/api/upload",
                "POST",
                keyed=True,
                body=body,
                media_type=media_type,
                status=200 if ask else 201,
            )
            result = answer.json()["results"][0]
            if result["problem"] is None:
                break
            wait = result["problem"].get("retry_after")
            if wait is None or ask == ASKS - 1:
                raise Wrong(f"is kept, but not classified: {result['problem']['detail']}")
            time.sleep(min(float(wait), LONGEST_WAIT))
        image = result["image"]
        _demand(image["is_processed"] is True and bool(image["predictions"]), "came back unclassified")
        self.image = image
        return f"called {image['label']}, in {answer.json()['processing_time']:.1f} s"

    def _thumbnail(self) -> str:
        address = f"/api/images/{self.image['id']}/file"
        original = self.server.ask(address, keyed=True)
        _demand(original.body == self.photo, "the photo came back changed")
        small = self.server.ask(f"{address}?width=160", keyed=True)
        _demand(small.headers.get("content-type") == "image/jpeg", "is no JPEG")
        return f"{len(small.body)} bytes"

    def _day(self) -> str:
        day = self.image["date"]
        query = f"year={day[:4]}&session={self.session}"
        calendar = self.server.ask(f"/api/calendar/total_images?{query}", keyed=True).json()
        _demand(calendar["sample"] is False, "shows the sample in place of the user's own days")
        _demand(calendar["data"][day]["value"] == 1, "does not count the photo")
        series = self.server.ask(f"/api/time-series?session={self.session}", keyed=True).json()
        _demand(series["dates"] == [day], "is not in the time series")
        return str(day)

    def _clean_up(self) -> str:
        self.server.ask(f"/api/sessions/{self.session}", "DELETE", keyed=True, status=204)
        self.session = None
        return "the session is deleted"

    def _log(self) -> str:
        assert self.log is not None
        try:
            lines = self.log.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            raise Wrong(f"{self.log} cannot be read") from None
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict) or not {"time", "level"} <= entry.keys():
                raise Wrong(f"line {number} is no JSON object with time and level")
        _demand(bool(lines), "is empty")
        return f"{len(lines)} lines of JSON"


def drawn_photo() -> bytes:
    """A JPEG of green leaves on earth, another one each time, so that no server has it yet."""
    from PIL import Image, ImageDraw

    chance = random.Random(secrets.token_bytes(8))  # a picture, no secret  # noqa: S311 # nosec B311
    image = Image.effect_noise((640, 480), 60).convert("RGB")
    image = Image.blend(image, Image.new("RGB", image.size, (110, 80, 50)), 0.6)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = chance.randrange(180, 400), chance.randrange(120, 300)
        green = (chance.randrange(40, 90), chance.randrange(120, 190), chance.randrange(30, 70))
        draw.ellipse((x, y, x + chance.randrange(30, 90), y + chance.randrange(30, 90)), fill=green)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def _form(session: str, photo: bytes) -> tuple[bytes, str]:
    """A multipart form with a session and a photo, and its media type."""
    boundary = secrets.token_hex(16)
    parts = (
        b'Content-Disposition: form-data; name="session_id"\r\n\r\n' + session.encode(),
        f'Content-Disposition: form-data; name="files"; filename="{SENT}"\r\n'.encode()
        + b"Content-Type: application/octet-stream\r\n\r\n"
        + photo,
    )
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return body + b"--" + boundary.encode() + b"--\r\n", f"multipart/form-data; boundary={boundary}"


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _why(answer: Answer) -> str:
    """What the answer itself says, in one line: where it leads, or the problem's detail."""
    if "location" in answer.headers:
        return f", and sends to {answer.headers['location'][:200]}: give that address"
    with suppress(Wrong):
        return f": {' '.join(str(answer.json().get('detail')).split())[:300]}"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"The key comes from the environment's {KEY}, where other users of the machine do not see it, or "
        "from --key; without one, what needs it is skipped. The session that is made for the photo is deleted "
        "again. Exit codes: 0 all is well, 1 a check failed, 2 wrong arguments, 130 stopped. The last line of the "
        "output is JSON.",
    )
    parser.add_argument("url", metavar="URL", help="the server, as in https://weeds.example.org")
    parser.add_argument("--key", metavar="KEY", help="a key that may read and write")
    parser.add_argument(
        "--photo", metavar="FILE", type=Path, help="the photo to send (default: one is drawn)"
    )
    parser.add_argument(
        "--log", metavar="FILE", type=Path, help="the server's log, of which each line must be JSON"
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=60,
        help="how long to wait for an answer; a machine that sleeps wakes first (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
