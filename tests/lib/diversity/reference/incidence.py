"""Section `incidence` of the reference set (frequencies of detection over plots): what is compared and what not."""

from __future__ import annotations

from lib import diversity
from tests.lib.diversity.reference.families import Family


def hill(q: float):
    return lambda case, at: diversity.hill(case["freq"], q)


FAMILIES: dict[str, Family] = {
    "hill.q0": Family(hill(0), 13),
    "hill.q1": Family(hill(1), 13),
    "hill.q2": Family(hill(2), 13),
}

NOT_COMPARED: dict[str, str] = {"*": "no function offers it"}
