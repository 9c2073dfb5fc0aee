"""Column types that mean the same on SQLite and PostgreSQL: bounded text, UTC times, JSON, finite numbers."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import peewee as pw

from lib.problems import invalid

# NUL as JSON writes it, and not a backslash (itself written as two) in front of "u0000".
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class Id(pw.AutoField):
    """A primary key that is never used twice.

    SQLite would otherwise give a new photo the number of the one deleted last, and caches would show the
    deleted one under its address. PostgreSQL's sequences never go back.
    """

    def ddl(self, ctx: Any) -> Any:
        parts = super().ddl(ctx)
        return pw.NodeList((parts, pw.SQL("AUTOINCREMENT"))) if ctx.state.param == "?" else parts


class Text(pw.CharField):
    """Text of a bounded length, refused as a problem before the database sees it.

    SQLite would store any length and PostgreSQL answers with an error of its own; NUL and lone surrogates
    break both drivers. Checking here makes the two databases refuse the same things in the same words.
    """

    def db_value(self, value: Any) -> Any:
        if value is None:
            return None
        text = str(value)
        limit = self.max_length
        if limit and len(text) > limit:
            raise invalid([{"field": self.name, "reason": f"must not be longer than {limit} characters"}])
        if not is_storable(text):
            raise invalid([{"field": self.name, "reason": "holds characters that are not text"}])
        return text


class LongText(pw.TextField):
    """Text without a bound, otherwise as Text."""

    def db_value(self, value: Any) -> Any:
        if value is not None and not is_storable(str(value)):
            raise invalid([{"field": self.name, "reason": "holds characters that are not text"}])
        return None if value is None else str(value)


def is_storable(text: str) -> bool:
    """False for NUL and for lone surrogates, which neither driver can send."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Utc(pw.Field):
    """A moment in UTC: timestamptz on PostgreSQL, ISO text of one fixed width on SQLite.

    The fixed width (always six decimals, always +00:00) makes text order the order of time.
    """

    field_type = "TIMESTAMPTZ"

    def db_value(self, value: datetime | str | None) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if value.tzinfo is None:
            raise ValueError(f"{self.name} needs a time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def python_value(self, value: datetime | str | None) -> datetime | None:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        return None if value is None else value.astimezone(UTC)


class Day(pw.Field):
    """A local calendar day: date on PostgreSQL, ISO text on SQLite."""

    field_type = "DATE"

    def db_value(self, value: date | str | None) -> str | None:
        if isinstance(value, datetime):
            raise ValueError(f"{self.name} is a day, not a moment")
        return value.isoformat() if isinstance(value, date) else value

    def python_value(self, value: date | str | None) -> date | None:
        return date.fromisoformat(value) if isinstance(value, str) else value


class Json(pw.Field):
    """A JSON object or array: jsonb on PostgreSQL, text on SQLite; text of the same kind goes in and out.

    What JSON text may hold but jsonb may not (NUL, lone surrogates) becomes U+FFFD; NaN is refused.
    """

    field_type = "JSONB"

    def db_value(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
        text = _NUL.sub("\\1\ufffd", text)
        return text.encode("utf-8", "replace").decode() if not is_storable(text) else text

    def python_value(self, value: str | None) -> Any:
        return None if value is None else decoded(value)


def decoded(text: str) -> Any:
    """What JSON text says. A season is a megabyte of it, which msgspec reads in a third of json's time."""
    return _decoder()(text)


@functools.cache
def _decoder() -> Callable[[str], Any]:
    import msgspec  # not before a row is looked at: the store is opened at start-up

    return msgspec.json.Decoder().decode


def _plain(value: Any) -> Any:
    """Mappings and sequences of other classes (frozen records hold some) as dict and list."""
    return dict(value) if hasattr(value, "keys") else list(value)


class Number(pw.DoubleField):
    """A finite double: SQLite would turn NaN into NULL in silence and PostgreSQL would keep it."""

    def db_value(self, value: Any) -> Any:
        if value is None:
            return None
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{self.name} must be finite")
        return number


# What the two databases call the types above.
SQLITE_TYPES = {"TIMESTAMPTZ": "TEXT", "JSONB": "TEXT"}
