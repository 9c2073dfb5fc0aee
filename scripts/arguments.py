"""Arguments that commands share: numbers, whose data a command is about, and the refusal of what does not fit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lib.store.database import DatabaseStore, UserStore


class Refused(Exception):
    """The arguments do not fit what is there; the text says why."""


def store_of(store: DatabaseStore, name: str | None, option: str, purpose: str) -> UserStore:
    """The data of the user called `name`, or of the only one; raises Refused when there is none such.

    `option` is what the name was given with, and `purpose` what the data is for, as in `whose photos to write`.
    """
    user = store.user(name) if name else store.sole_user()
    if user is None:
        raise Refused(
            f"{option}: there is no user {name!r}"
            if name
            else f"{option}: say {purpose}; there is not exactly one user"
        )
    return store.for_user(user.id)


def positive(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
