"""Every page of the route table, and somebody with data enough to see something on each of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import functions
from lib import analysis
from lib.store.database import DatabaseStore
from lib.store.sample import SampleStore
from tests.functions.conftest import Client, Server

# A page that is added to the table is walked from then on; what a new {parameter} is, `Grower.address` must say.
PAGES = tuple(function for function in functions.FUNCTIONS if function.page and "GET" in function.methods)
# What pages look like at other addresses than their first; {names} as in the table.
FURTHER = (
    "/docs/problems",
    "/calendar?metric=total_images&year=2024&day={date}",
    "/days/2025-01-15",
    "/days/{date}?session={session}",
    "/time-series?metrics=species_richness&start_date=2025-05-01&end_date=2025-10-31",
    "/sessions/{session}?delete=true",
    "/species?show=new&sort=name&order=desc",
    "/species?q=Trigonotis",
    "/species?start_date=2025-05-01&end_date=2025-10-31",
    "/species/Rumex%20obtusifolius",
    "/species/Trigonotis%20peduncularis",
    "/species/Stelaria%20medja",
    "/review?reason=new",
    "/review?start_date=2020-01-01&end_date=2020-01-02",
    "/review?done=review-named&was={session}:{date}_9_4_1.2000",
    "/nothing-here",
)
MISSING = ("/nothing-here", "/species/Stelaria%20medja")  # the page of an error
SPECIES = "Stellaria media"
DAY = "2025-06-10"
MARKUP = '<b onclick="x()">North & "East"</b>'
RIGHT_TO_LEFT = "حقل الشمال"


@dataclass(frozen=True)
class Grower:
    """A person with two seasons of days, two sessions and photos in every state that a photo can be in."""

    client: Client
    session: int
    photo: int

    def address(self, path: str) -> str:
        """A path of the table, its parameters filled in. KeyError: somebody must say here what a new one is."""
        values = {
            "date": DAY,
            "name": quote(SPECIES),
            "session": str(self.session),
            "/sessions/{id}": str(self.session),
            "/photos/{id}": str(self.photo),
        }
        return re.sub(r"{(\w+)}", lambda found: values[path if found[1] == "id" else found[1]], path)


def addresses(who: str) -> list[str]:
    """What there is to see for a `grower`, a `visitor` or a `newcomer`: paths, {names} not yet filled in."""
    every = [(function.paths[0], function.auth == "public") for function in PAGES]
    every += [(path, _is_public(path)) for path in FURTHER]
    return [
        path
        for path, public in every
        # A public page is the same for everyone.
        if (who == "visitor" or not public)
        # What a person has made is there for nobody else.
        and (who == "grower" or not ("{id}" in path or "{session}" in path))
    ]


def _is_public(path: str) -> bool:
    return any(path in function.paths and function.auth == "public" for function in PAGES)


def make_grower(server: Server, photos_dir: Path, photo: Callable[..., bytes]) -> Grower:
    """Real photos of twelve species and drawn ones of none, looked at in every way; and the days of the sample."""
    client = server.user()
    session = client.post(
        "/api/sessions",
        json={"session_name": f"北の畑 {RIGHT_TO_LEFT}", "latitude": 43.06, "longitude": 141.35},
    ).json()["id"]
    other = client.post("/api/sessions", json={"session_name": MARKUP}).json()["id"]
    _save_sample_days(server, client, session)
    folders = sorted(path for path in photos_dir.iterdir() if path.is_dir())
    real = [(f"{folder.name}.jpg", sorted(folder.glob("*.jpg"))[0].read_bytes()) for folder in folders]
    sent = client.upload(*real, *real[:1], ("none.jpg", photo(1)), session_id=session, date=DAY).json()
    client.upload((MARKUP + ".jpg", photo(2)), *real[:2], session_id=other, date=DAY)
    ids = [result["image"]["id"] for result in sent["results"] if result["status"] == "created"]
    changes: list[dict[str, Any]] = [
        {"confirm": True},
        {"label": SPECIES},
        {"label": "not_a_plant"},
        {"label": "Rumex obtusifolius"},
    ]
    for number, change in zip(ids, changes, strict=False):
        client.patch(f"/api/images/{number}", json=change).raise_for_status()
    client.patch(f"/api/images/{ids[3]}", json={"undo": True}).raise_for_status()
    return Grower(client, session, ids[1])


def _save_sample_days(server: Server, client: Client, session: int) -> None:
    assert server.database_url is not None
    sample, store = SampleStore(), DatabaseStore(server.database_url)
    with store.connection():
        mine = store.for_user(client.user_id)
        for row in sample.days():
            processing = sample.processing(row.date)
            assert processing is not None
            mine.save_day(replace(row, session_id=session), replace(processing, session_id=session))
        analysis.recompute_pooled(mine, [row.date for row in sample.days()])
    store.close()
