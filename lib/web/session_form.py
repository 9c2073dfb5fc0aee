"""The form of a session: its fields read and refused in the reader's words, and the choices it offers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

import msgspec

from lib import recognition, regions
from lib.classifier import ModelUnavailable
from lib.scope import LONGEST_DESCRIPTION, LONGEST_SESSION_NAME
from lib.store.records import NO_REGION
from lib.store.sessions import MOST_SPECIES
from lib.web.forms import Typed, form_key
from lib.web.words import N_

if TYPE_CHECKING:
    from lib.config import Settings
    from lib.problems import Problem
    from lib.regions import Region
    from lib.store.records import Session
    from lib.web.words import Words

SITE, OWN = "site", "own"
SHIPPED_WORDS = {"hokkaido": N_("Plants of Hokkaido")}
OFTEN = ("Asia/Tokyo", "UTC")
NAMES_SHOWN = 12
# Of the old names for zones, those of whole countries, and those that only tell a distance.
_PASSED_OVER = ("Etc/", "SystemV/", "US/", "Canada/", "Brazil/", "Chile/", "Mexico/")
# What the store refuses because it contradicts another field, or knows better than a form.
_REFUSALS = {
    "session_name": N_("Only visible characters, on one line."),
    "timezone": N_("This time zone is not known here; choose one from the list."),
    "latitude": N_("Latitude and longitude belong together: fill in both or neither."),
    "longitude": N_("Latitude and longitude belong together: fill in both or neither."),
    "end_date": N_("The last day lies before the first."),
}
_POINTS = (N_("%(degrees)s° N"), N_("%(degrees)s° S"), N_("%(degrees)s° E"), N_("%(degrees)s° W"))
_NAME_AT = re.compile(r"region_species\[(\d+)\]")


class Fields(msgspec.Struct):
    """The fields that a form of a session sends; all are texts, and say what is wrong with them on the page."""

    session_name: str = ""
    description: str = ""
    start_date: str = ""
    end_date: str = ""
    timezone: str = ""
    latitude: str = ""
    longitude: str = ""
    region: str = SITE
    own_species: str = ""
    once: str = ""
    csrf_token: str = ""


def blank(say: Words, timezone: str) -> Typed:
    """The form of a new session at a site in `timezone`; `once` is the mark of this showing."""
    return Typed(say, {"timezone": timezone, "region": SITE, "once": form_key()})


def of_session(say: Words, session: Session) -> Typed:
    """The form as a session is now."""
    region = session.region_species
    return Typed(
        say,
        {
            "session_name": session.session_name,
            "description": session.description,
            "start_date": session.start_date.isoformat() if session.start_date else "",
            "end_date": session.end_date.isoformat() if session.end_date else "",
            "timezone": session.timezone,
            "latitude": "" if session.latitude is None else str(session.latitude),
            "longitude": "" if session.longitude is None else str(session.longitude),
            "region": SITE if region is None else region if isinstance(region, str) else OWN,
            "own_species": "\n".join(region) if isinstance(region, tuple) else "",
        },
    )


def read(form: Typed) -> dict[str, Any]:
    """The columns of a session that a form holds; what cannot be read is noted in the form."""
    fields: dict[str, Any] = {
        "session_name": form.line("session_name", LONGEST_SESSION_NAME),
        "description": form.text("description", LONGEST_DESCRIPTION),
        "start_date": form.day("start_date"),
        "end_date": form.day("end_date"),
        "timezone": form.value("timezone").strip(),
        "latitude": form.number("latitude", -90, 90),
        "longitude": form.number("longitude", -180, 180),
    }
    return fields | {"region_species": _region(form)}


def tell(form: Typed, problem: Problem) -> None:
    """Note in the form what the store refused; raises the problem when it is not about a field of this form."""
    say = form.say
    names = _names(form)
    for error in problem.errors:
        field, reason = error["field"], error["reason"]
        place = _NAME_AT.fullmatch(field)
        if place and int(place[1]) < len(names):
            form.refuse("own_species", say.gettext("No scientific name: %(name)s", name=names[int(place[1])]))
        elif field == "region_species" and form.value("region") == OWN:
            shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
            form.refuse(
                "own_species",
                say.gettext(
                    "The model knows none of these, so that every photo would come out as unknown: %(names)s",
                    names=shown,
                ),
            )
        elif field == "region_species":
            form.refuse("region", say.gettext("There is no such list."))
        elif field in _REFUSALS:
            form.refuse(field, say.gettext(_REFUSALS[field]))
        else:
            form.problem = reason
    if form.good:
        raise problem


def zones(say: Words, site: str, chosen: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The time zones to choose from, in groups with a heading; `chosen` is always among them."""
    every = _all_zones()
    near = list(dict.fromkeys((OFTEN[0], site, *OFTEN[1:])))
    if chosen and chosen not in near and chosen not in every:
        near.append(chosen)
    return [
        (say.gettext("Often chosen"), [(name, name) for name in near]),
        (say.gettext("All"), [(name, name) for name in every if name not in near]),
    ]


@lru_cache(maxsize=1)
def _all_zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith(_PASSED_OVER))


def region_choices(say: Words, site: Region | None, chosen: str) -> list[tuple[str, str]]:
    """What the model may be held to: the value of each choice, and its words. `chosen` is always among them."""
    of_site = list_words(say, recognition.shown(site)) if site else say.gettext("every species it knows")
    choices = [
        (SITE, say.gettext("As the site has it: %(list)s", list=of_site)),
        (NO_REGION, say.gettext("Every species that the model knows")),
        *((name, list_words(say, name)) for name in regions.shipped()),
        (OWN, say.gettext("My own list")),
    ]
    if chosen not in dict(choices):  # a list of another version of the program
        choices.append((chosen, say.gettext("%(list)s (no longer there: the site’s is used)", list=chosen)))
    return choices


def list_words(say: Words, name: str) -> str:
    """What a list of species is called."""
    return say.gettext(SHIPPED_WORDS[name]) if name in SHIPPED_WORDS else name


def place(say: Words, session: Session) -> str:
    """Where a session is, in degrees; empty where it does not say."""
    if session.latitude is None or session.longitude is None:
        return ""
    north, east = _POINTS[session.latitude < 0], _POINTS[2 + (session.longitude < 0)]
    latitude, longitude = (f"{round(abs(each), 5):.10g}" for each in (session.latitude, session.longitude))
    return f"{say.gettext(north, degrees=latitude)} {say.gettext(east, degrees=longitude)}"


def unknown_names(session: Session, model_dir: Path) -> Sequence[str]:
    """The names of a session's own list that the model does not know; empty without such a list or a model."""
    own = session.region_species
    if own is None or isinstance(own, str):
        return ()
    try:
        return recognition.known_to_model(regions.region_of(own, OWN), model_dir).unknown
    except ModelUnavailable:
        return ()


def choices(form: Typed, settings: Settings) -> dict[str, Any]:
    """What the template needs beside the form: `zones` and `regions` to choose from."""
    return {
        "zones": zones(form.say, settings.site_timezone, form.value("timezone")),
        "regions": region_choices(form.say, settings.region_species, form.value("region") or SITE),
    }


def changes(session: Session, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that differ from what the session has, so that nothing else is written over."""
    return {name: value for name, value in fields.items() if value != getattr(session, name)}


def _region(form: Typed) -> str | tuple[str, ...] | None:
    chosen = form.value("region") or SITE
    names = _names(form)
    if chosen == OWN:
        if not names:
            form.refuse("own_species", form.say.gettext("Write at least one scientific name."))
        elif len(names) > MOST_SPECIES:
            most = form.say.number(MOST_SPECIES)
            form.refuse("own_species", form.say.gettext("At most %(most)s names.", most=most))
        return tuple(names)
    if names:
        form.refuse("region", form.say.gettext("For the names below to count, choose “My own list”."))
    return None if chosen == SITE else chosen


def _names(form: Typed) -> list[str]:
    """The names in the text area, one a line."""
    return [name for line in form.value("own_species").splitlines() if (name := " ".join(line.split()))]
